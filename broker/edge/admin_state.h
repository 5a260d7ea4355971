/* admin_state.h — what operators have set on the thing that a path names: pauses, cordon, an operator's reputation, a
 * drain, where a conversation lives, whether a job still counts. Nothing in it moves by itself from second to second.
 * Audit records have it from before and after a call; its hash is the thing's ETag, so that a call with If-Match changes
 * nothing that somebody else has changed meanwhile. */
#ifndef LINEWARD_EDGE_ADMIN_STATE_H
#define LINEWARD_EDGE_ADMIN_STATE_H

#include "broker/edge/admin_exchange.h"

/* One JSON value: the state of what `parts` name in `path` (a route's, or its beginning), or null if that is nothing
 * that has one, or that the caller may see. */
void state_put(struct admin_turn *turn, struct exchange *x, const char *path, char *const parts[2], struct json_out *out);

/* The ETag of such a state. */
void state_etag(const struct admin_turn *turn, struct span state, char out[ETAG_TEXT_MAX]);
/* Both in one; false: there is no state, *out is "". */
bool state_etag_of(struct admin_turn *turn, struct exchange *x, const char *path, char *const parts[2],
                   char out[ETAG_TEXT_MAX]);
/* The ETag of the list of pauses. */
void state_pauses_etag(const struct admin_turn *turn, char out[ETAG_TEXT_MAX]);

/* The object just written gets one more member, `etag`; "": none. */
void state_append_etag(struct json_out *out, const char *etag);

/* Does the exchange's If-Match (there is one) allow to change what has this state? */
bool state_matches(const struct admin_turn *turn, const struct exchange *x, struct span state);

#endif
