/* wire.c — whole ZeroMQ messages in and out, never waiting. */
#include "lineward/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define FEW_FRAMES 8 /* messages of no more are copied on the stack: nearly all */

struct message {
    zmq_msg_t frames[WIRE_FRAMES_MAX];
    size_t count; /* frames[0..count) are initialised */
    size_t bytes;
};

struct message *message_new(void)
{
    return calloc(1, sizeof(struct message)); /* pages of frames never used are never touched */
}

static void message_clear(struct message *message)
{
    for (size_t i = 0; i < message->count; i++)
        zmq_msg_close(&message->frames[i]);
    message->count = 0;
    message->bytes = 0;
}

void message_free(struct message **message_p)
{
    if (*message_p == NULL)
        return;
    message_clear(*message_p);
    free(*message_p);
    *message_p = NULL;
}

static int receive_frame(zmq_msg_t *frame, void *socket)
{
    int rc = 0;
    zmq_msg_init(frame);
    do
        rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int why = errno;
        zmq_msg_close(frame);
        errno = why;
    }
    return rc;
}

/* ZeroMQ hands over all frames of a message or none, so what follows the first frame is there. */
static enum err drop_rest(void *socket)
{
    int more = 1;
    while (more) {
        zmq_msg_t frame;
        if (receive_frame(&frame, socket) < 0)
            return ERR_IO;
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    return ERR_FULL;
}

enum err message_receive(struct message *message, void *socket)
{
    message_clear(message);
    for (;;) {
        zmq_msg_t *frame = &message->frames[message->count];
        if (receive_frame(frame, socket) < 0)
            return errno == EAGAIN && message->count == 0 ? ERR_NOT_FOUND : ERR_IO;
        message->count++;
        message->bytes += zmq_msg_size(frame);
        if (!zmq_msg_more(frame))
            return ERR_NONE;
        if (message->count == WIRE_FRAMES_MAX)
            return drop_rest(socket);
    }
}

size_t message_frame_count(const struct message *message)
{
    return message->count;
}

struct frame message_frame(const struct message *message, size_t index)
{
    if (index >= message->count)
        return (struct frame){NULL, 0};
    /* zmq_msg_data() takes no const, but only reads. */
    zmq_msg_t *frame = (zmq_msg_t *)(uintptr_t)&message->frames[index];
    return (struct frame){zmq_msg_data(frame), zmq_msg_size(frame)};
}

size_t message_bytes(const struct message *message)
{
    return message->bytes;
}

/* The last frame came from the peer, whatever the socket put in front of it. */
const char *message_user_id(const struct message *message)
{
    if (message->count == 0)
        return NULL;
    zmq_msg_t *frame = (zmq_msg_t *)(uintptr_t)&message->frames[message->count - 1]; /* as in message_frame() */
    return zmq_msg_gets(frame, "User-Id");
}

bool frame_is(struct frame frame, const char *text)
{
    size_t bytes = strlen(text);
    return frame.bytes == bytes && (bytes == 0 || memcmp(frame.data, text, bytes) == 0);
}

bool frame_text(struct frame frame, char *out, size_t room)
{
    if (frame.bytes >= room || (frame.bytes > 0 && memchr(frame.data, '\0', frame.bytes) != NULL))
        return false;
    if (frame.bytes > 0)
        memcpy(out, frame.data, frame.bytes);
    out[frame.bytes] = '\0';
    return true;
}

/* How many were copied: all of them, or there is no memory. */
static size_t copy_frames(zmq_msg_t *copies, const struct frame *frames, size_t count)
{
    size_t copied = 0;
    for (; copied < count && zmq_msg_init_size(&copies[copied], frames[copied].bytes) == 0; copied++)
        if (frames[copied].bytes > 0)
            memcpy(zmq_msg_data(&copies[copied]), frames[copied].data, frames[copied].bytes);
    return copied;
}

/* On error libzmq has rolled back the frames before: a full queue and an unknown peer are noticed at the first
 * frame (the high-water mark counts messages), a peer that goes while we write takes the unfinished message
 * with it. */
static enum err send_copies(void *socket, zmq_msg_t *copies, size_t count, int last_flags)
{
    for (size_t i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : last_flags);
        int rc = 0;
        do
            rc = zmq_msg_send(&copies[i], socket, flags);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            return errno == EAGAIN ? ERR_BUSY : errno == EHOSTUNREACH ? ERR_NOT_FOUND : ERR_IO;
    }
    return ERR_NONE;
}

/* All memory is taken before the first frame goes: behind a message that is broken off, the next peer's would go to
 * this one. */
static enum err send_frames(void *socket, const struct frame *frames, size_t count, int last_flags)
{
    zmq_msg_t few[FEW_FRAMES];
    zmq_msg_t *copies = count <= FEW_FRAMES ? few : malloc(count * sizeof *copies);
    if (copies == NULL)
        return ERR_NO_MEMORY;
    size_t copied = copy_frames(copies, frames, count);
    enum err err = copied == count ? send_copies(socket, copies, count, last_flags) : ERR_NO_MEMORY;
    for (size_t i = 0; i < copied; i++) /* of one that was sent nothing is left */
        zmq_msg_close(&copies[i]);
    if (copies != few)
        free(copies);
    return err;
}

enum err message_send(void *socket, const struct frame *frames, size_t count)
{
    return count == 0 ? ERR_BAD_INPUT : send_frames(socket, frames, count, 0);
}

struct watch { /* in front of the last frame's bytes */
    void (*gone)(void *self);
    void *self;
};

static void free_watched(void *data, void *hint)
{
    struct watch *watch = hint;
    (void)data;
    if (watch->gone != NULL)
        watch->gone(watch->self);
    free(watch);
}

/* libzmq lets go of the last frame once all of the message is written. */
enum err message_send_watched(void *socket, const struct frame *frames, size_t count, void (*gone)(void *self),
                              void *self)
{
    if (count < 2)
        return ERR_BAD_INPUT;
    struct frame last = frames[count - 1];
    struct watch *watch = malloc(sizeof *watch + last.bytes);
    zmq_msg_t frame;
    if (watch == NULL)
        return ERR_NO_MEMORY;
    *watch = (struct watch){NULL, self}; /* until it has been sent, nobody is told */
    if (last.bytes > 0)
        memcpy(watch + 1, last.data, last.bytes);
    if (zmq_msg_init_data(&frame, watch + 1, last.bytes, free_watched, watch) != 0) {
        free(watch);
        return ERR_NO_MEMORY;
    }
    enum err err = send_frames(socket, frames, count - 1, ZMQ_SNDMORE);
    int rc = 0;
    if (err != ERR_NONE) {
        zmq_msg_close(&frame);
        return err;
    }
    watch->gone = gone;
    do
        rc = zmq_msg_send(&frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    if (rc >= 0)
        return ERR_NONE;
    watch->gone = NULL;
    zmq_msg_close(&frame);
    return ERR_IO;
}
