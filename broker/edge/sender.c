/* sender.c — see sender.h. A peer whose messages wait gets later ones behind them, so that its order holds. */
#include "broker/edge/sender.h"

#include <stdlib.h>
#include <string.h>

#include "lineward/log.h"

struct waiting {
    struct waiting *next;
    size_t count, bytes;
    struct frame frames[]; /* into the bytes behind them */
};

struct sender {
    void *socket;
    const char *name;
    struct waiting *first, **last;
    size_t bytes;
    uint64_t dropped;
};

struct sender *sender_new(void *socket, const char *name)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return NULL;
    sender->socket = socket;
    sender->name = name;
    sender->last = &sender->first;
    return sender;
}

void sender_free(struct sender **sender_p)
{
    struct sender *sender = *sender_p;
    *sender_p = NULL;
    if (sender == NULL)
        return;
    while (sender->first != NULL) {
        struct waiting *next = sender->first->next;
        free(sender->first);
        sender->first = next;
    }
    free(sender);
}

static bool waits_already(const struct sender *sender, struct frame peer)
{
    for (const struct waiting *at = sender->first; at != NULL; at = at->next)
        if (at->frames[0].bytes == peer.bytes && memcmp(at->frames[0].data, peer.data, peer.bytes) == 0)
            return true;
    return false;
}

static enum err drop(struct sender *sender)
{
    if (sender->dropped++ == 0)
        log_event(LOG_WARN, "reply_dropped", "socket=%s reason=\"its peers do not read\"", sender->name);
    return ERR_FULL;
}

static enum err keep(struct sender *sender, const struct frame *frames, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += frames[i].bytes;
    if (sender->bytes + bytes > SENDER_WAITING_BYTES_MAX)
        return drop(sender);
    struct waiting *waiting = malloc(sizeof *waiting + count * sizeof *frames + bytes);
    if (waiting == NULL)
        return drop(sender);
    char *to = (char *)&waiting->frames[count];
    for (size_t i = 0; i < count; i++) {
        waiting->frames[i] = (struct frame){to, frames[i].bytes};
        if (frames[i].bytes > 0)
            memcpy(to, frames[i].data, frames[i].bytes);
        to += frames[i].bytes;
    }
    waiting->next = NULL;
    waiting->count = count;
    waiting->bytes = bytes;
    *sender->last = waiting;
    sender->last = &waiting->next;
    sender->bytes += bytes;
    return ERR_NONE;
}

enum err sender_try(struct sender *sender, const struct frame *frames, size_t count)
{
    if (waits_already(sender, frames[0]))
        return ERR_BUSY;
    return message_send(sender->socket, frames, count);
}

enum err sender_send(struct sender *sender, const struct frame *frames, size_t count)
{
    enum err err = sender_try(sender, frames, count);
    if (err == ERR_BUSY)
        return keep(sender, frames, count);
    return err;
}

bool sender_retry(struct sender *sender)
{
    struct waiting **link = &sender->first;
    while (*link != NULL) {
        struct waiting *waiting = *link;
        if (message_send(sender->socket, waiting->frames, waiting->count) == ERR_BUSY)
            return true; /* the next turn asks again; others behind it wait no longer than one peer's window */
        sender->bytes -= waiting->bytes;
        *link = waiting->next;
        if (*link == NULL)
            sender->last = link;
        free(waiting);
    }
    return false;
}

uint64_t sender_dropped(const struct sender *sender)
{
    return sender->dropped;
}
