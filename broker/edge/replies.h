/* replies.h — replies through a ROUTER socket that lose nothing without a trace: what a peer's full queue does not
 * take now waits here, bounded, and is tried again. A peer whose messages wait gets later ones behind them, so that
 * its order holds; it holds up nobody else. What has no peer any more is dropped, what nobody reads for long too,
 * with a line in the log. */
#ifndef LINEWARD_EDGE_REPLIES_H
#define LINEWARD_EDGE_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/wire.h"

#define REPLIES_BUCKETS        256 /* of peers, where so few are told apart */
#define REPLIES_BYTES_MAX      (64u * 1024 * 1024)
#define REPLIES_PEER_BYTES_MAX (16u * 1024 * 1024)
#define REPLIES_FLIGHT_BYTES_MAX (4u * 1024 * 1024) /* of large replies to a peer, in libzmq's hands */
#define REPLIES_BEHIND_BYTES     (1u * 1024 * 1024) /* with so much to read, a peer is behind */
#define REPLIES_STUCK_MS       30000 /* a peer that took nothing for so long is not waited for any longer */

struct replies;

struct replies *replies_new(void *socket, const char *name); /* `name` for the log, lent; NULL: out of memory */
void replies_free(struct replies **replies_p);
/* frames[0] is the peer. ERR_NONE: sent, or waiting. ERR_NOT_FOUND: no such peer. ERR_FULL: too much waits already,
 * or there is no memory; nothing was kept. */
enum err replies_send(struct replies *replies, const struct frame *frames, size_t count);
/* The same, but what cannot go now is not kept: ERR_BUSY. */
enum err replies_try(struct replies *replies, const struct frame *frames, size_t count);
size_t replies_bucket(struct frame peer); /* the bucket of a peer's id */
/* Does so much wait for the peer that it should read before it asks for more? */
bool replies_is_behind(struct replies *replies, struct frame peer);
/* Once a turn: tries again what waits, when it is time. */
void replies_retry(struct replies *replies, struct instant now);
/* When to call it again at the latest; TIME_NEVER: nothing waits. */
int64_t replies_next_mono_ms(const struct replies *replies);
uint64_t replies_dropped(const struct replies *replies);

#endif
