/* wire.h — ZeroMQ frames of the wire contract (PROTOCOL, Producers and Workers): limits, commands, and
 * reading and writing whole messages with every byte bounded. */
#ifndef LINEWARD_WIRE_H
#define LINEWARD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/err.h"

#define WIRE_VERSION "LW1"
#define WIRE_REQUEST_BYTES_MAX (8u * 1024 * 1024)
#define WIRE_JOB_BYTES_MAX (256u * 1024)
#define WIRE_EXPORTED_BYTES_MORE 512 /* an exported document has its number, another id and its dates besides */
#define WIRE_REQUEST_ID_BYTES_MAX 64
#define WIRE_ENQUEUE_JOBS_MAX 1024
#define WIRE_WORKER_ITEMS_MAX 256
#define WIRE_META_BYTES_MAX 4096
#define WIRE_RECIPIENTS_MAX 31
/* identity, empty delimiter, version, command, request id, items (two frames each towards workers) */
#define WIRE_FRAMES_MAX (8 + 2 * WIRE_ENQUEUE_JOBS_MAX)

struct frame {
    const void *data;
    size_t bytes;
};

/* One received ZeroMQ message: frames stay valid until the next receive into it or message_free(). */
struct message;
struct message *message_new(void); /* NULL: out of memory */
void message_free(struct message **message_p);

/* Reads one whole message without waiting. ERR_NONE; ERR_NOT_FOUND: nothing there; ERR_FULL: more frames than
 * WIRE_FRAMES_MAX (all of it was read and dropped; the first frames are kept, so that it can be answered);
 * ERR_IO: errno says. */
enum err message_receive(struct message *message, void *socket);
size_t message_frame_count(const struct message *message);
struct frame message_frame(const struct message *message, size_t index); /* {NULL, 0} beyond the end */
size_t message_bytes(const struct message *message);
/* Who sent it, as the ZAP handler called them (CURVE); NULL: nobody said. Lent until the next receive. */
const char *message_user_id(const struct message *message);

bool frame_is(struct frame frame, const char *text);
/* Copies into out[room] with a terminator. False: too long, or a zero byte within. */
bool frame_text(struct frame frame, char *out, size_t room);

/* Sends frames as one message without waiting. ERR_NONE; ERR_BUSY: the peer's queue is full (EAGAIN);
 * ERR_NOT_FOUND: no such peer (EHOSTUNREACH, ROUTER_MANDATORY); ERR_NO_MEMORY; ERR_IO. Nothing was sent on error. */
enum err message_send(void *socket, const struct frame *frames, size_t count);
/* The same; on ERR_NONE `gone` is called once, from any thread, when libzmq has no more of it: it went, or its peer
 * did. On error it is not called. */
enum err message_send_watched(void *socket, const struct frame *frames, size_t count, void (*gone)(void *self),
                              void *self);

#endif
