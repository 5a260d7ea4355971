/* audit_trail.h — each call of the admin API that changes something, or tries to, leaves an audit record: who, what,
 * when, the state before and after, and how it went. admin.c calls this around every step of a handler, so no handler
 * can forget it. A record lies in the same commit as the change, and the answer waits for it. */
#ifndef LINEWARD_EDGE_AUDIT_TRAIL_H
#define LINEWARD_EDGE_AUDIT_TRAIL_H

#include "broker/edge/admin_exchange.h"

bool trail_wants(const struct route *route);
/* Before a step of the handler; false: its If-Match says that it must not be made, and it is answered. */
bool trail_begin(struct admin_turn *turn, struct exchange *x);
/* After it; what is to be done in place of what the handler said. */
enum admin_step trail_end(struct admin_turn *turn, struct exchange *x, enum admin_step step);

#endif
