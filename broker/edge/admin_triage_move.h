/* admin_triage_move.h — a job that waits goes to another pool: it is enqueued there anew, and ends where it was, in one
 * commit. Only for admin_triage.c. */
#ifndef LINEWARD_EDGE_ADMIN_TRIAGE_MOVE_H
#define LINEWARD_EDGE_ADMIN_TRIAGE_MOVE_H

#include "broker/edge/admin_exchange.h"

/* `exported`: what LOOKUP_EXPORT has of job `number`; its dates are those that it has now. NONE: it is done, or (`dry`) would
 * be; else why the other pool does not take it, and it stays as it is. */
enum code triage_move(struct admin_turn *turn, struct exchange *x, const char *pool, uint64_t number, struct span exported,
                      bool dry);

#endif
