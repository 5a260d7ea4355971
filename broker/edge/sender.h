/* sender.h — replies through a ROUTER socket that lose nothing without a trace: what a peer's full queue does not take
 * now waits here, bounded, and is tried again; what has no peer any more is counted. */
#ifndef LINEWARD_EDGE_SENDER_H
#define LINEWARD_EDGE_SENDER_H

#include <stddef.h>
#include <stdint.h>

#include "lineward/wire.h"

#define SENDER_WAITING_BYTES_MAX (64u * 1024 * 1024)

struct sender;

struct sender *sender_new(void *socket, const char *name); /* `name` for the log; NULL: out of memory */
void sender_free(struct sender **sender_p);
/* ERR_NONE: sent, or waiting. ERR_NOT_FOUND: no such peer. ERR_FULL: too much waits already; nothing was kept. */
enum err sender_send(struct sender *sender, const struct frame *frames, size_t count);
/* The same, but what cannot go now is not kept: ERR_BUSY. */
enum err sender_try(struct sender *sender, const struct frame *frames, size_t count);
/* Tries again what waits. True: some of it still does. */
bool sender_retry(struct sender *sender);
uint64_t sender_dropped(const struct sender *sender);

#endif
