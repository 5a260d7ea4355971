/* admin_state.h — what operators have set on the thing that a path names: pauses, cordon, an operator's reputation, a
 * drain, where a conversation lives, whether a job still counts. Nothing in it moves by itself from second to second.
 * Audit records have it from before and after a call. */
#ifndef LINEWARD_EDGE_ADMIN_STATE_H
#define LINEWARD_EDGE_ADMIN_STATE_H

#include "broker/edge/admin_exchange.h"

/* One JSON value: the state, or null if the path names nothing that has one (or that the caller may see). */
void state_put(struct admin_turn *turn, struct exchange *x, struct json_out *out);

#endif
