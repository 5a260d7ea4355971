/* events.h — followers on 7712 (PROTOCOL, Events): XPUB, best effort. It tells what GET /v1/events reads, byte for
 * byte: once something new is durable and somebody has subscribed, the readers are asked for it. Nobody subscribed:
 * no work. */
#ifndef LINEWARD_EDGE_EVENTS_H
#define LINEWARD_EDGE_EVENTS_H

#include "broker/edge/lookup.h"

#define EVENTS_TOKEN_TAG 0xE7

struct events;
/* `socket`: XPUB, bound; lent, like `lookup`. NULL: out of memory. */
struct events *events_new(void *socket, struct lookup *lookup);
void events_free(struct events **events_p);
/* Goes on with another socket, to which nobody has subscribed yet. */
void events_move(struct events *events, void *socket);
/* Subscriptions that came; then asks for what is new: all events up to `next_seq` - 1 exist, though perhaps not yet
 * durable. */
void events_turn(struct events *events, uint64_t next_seq, bool durable_moved, struct instant now);
int64_t events_next_mono_ms(const struct events *events); /* when to call that at the latest */
bool events_owns(uint64_t token);
void events_looked_up(struct events *events, struct lookup_answer *answer); /* taken over */

#endif
