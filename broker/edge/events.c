/* events.c — see events.h. */
#include "broker/edge/events.h"

#include <stdlib.h>
#include <string.h>

#include "broker/edge/view.h"
#include "lineward/wire.h"

#define TAG_SHIFT              56
#define SUBSCRIPTIONS_PER_TURN 256 /* so that a follower who only subscribes holds up nobody */

struct events {
    void *socket;
    struct lookup *lookup;
    struct message *message;
    uint64_t subscribers; /* subscriptions in force */
    uint64_t told;        /* the last seq told */
    bool asking, again;
    int64_t ask_at_ms; /* steady: not before; 0: at the next turn */
};

struct events *events_new(void *socket, struct lookup *lookup)
{
    struct events *events = calloc(1, sizeof *events);
    if (events == NULL)
        return NULL;
    events->socket = socket;
    events->lookup = lookup;
    events->message = message_new();
    if (events->message == NULL)
        events_free(&events);
    return events;
}

void events_free(struct events **events_p)
{
    if (*events_p != NULL)
        message_free(&(*events_p)->message);
    free(*events_p);
    *events_p = NULL;
}

void events_move(struct events *events, void *socket)
{
    events->socket = socket;
    events->subscribers = 0;
}

bool events_owns(uint64_t token)
{
    return token >> TAG_SHIFT == EVENTS_TOKEN_TAG;
}

/* A subscription is a frame that begins with 1, its end one that begins with 0. XPUB passes on only the first of a
 * topic and the last end of it, so the count is of topics somebody wants. */
static void read_subscriptions(struct events *events, uint64_t next_seq)
{
    for (int i = 0; i < SUBSCRIPTIONS_PER_TURN; i++) {
        enum err err = message_receive(events->message, events->socket);
        if (err != ERR_NONE && err != ERR_FULL)
            return;
        struct frame frame = message_frame(events->message, 0);
        if (frame.bytes == 0)
            continue;
        if (*(const uint8_t *)frame.data == 1 && events->subscribers++ == 0)
            events->told = next_seq - 1; /* from now on; what was before is read with GET /v1/events */
        else if (*(const uint8_t *)frame.data == 0 && events->subscribers > 0)
            events->subscribers--;
    }
}

static void ask(struct events *events, struct instant now)
{
    struct lookup_request request = {.token = (uint64_t)EVENTS_TOKEN_TAG << TAG_SHIFT,
                                     .what = LOOKUP_EVENTS,
                                     .now = now,
                                     .after = events->told,
                                     .limit = LOOKUP_EVENTS_MAX};
    events->again = false;
    events->asking = lookup_submit(events->lookup, &request) == ERR_NONE;
    events->again = !events->asking;
    events->ask_at_ms = events->asking ? now.mono_ms + LOOKUP_AGAIN_MS : 0; /* if this one fails */
}

void events_turn(struct events *events, uint64_t next_seq, bool durable_moved, struct instant now)
{
    read_subscriptions(events, next_seq);
    if (events->subscribers == 0)
        return;
    if (durable_moved && events->told + 1 < next_seq)
        events->again = true;
    if (events->again && !events->asking && now.mono_ms >= events->ask_at_ms)
        ask(events, now);
}

int64_t events_next_mono_ms(const struct events *events)
{
    bool waits = events->again && !events->asking && events->subscribers > 0 && events->ask_at_ms > 0;
    return waits ? events->ask_at_ms : TIME_NEVER;
}

static void tell(struct events *events, const char *text, size_t bytes)
{
    struct span topic = view_member((struct span){text, bytes}, "topic");
    if (topic.bytes < 2)
        return;
    struct frame frames[2] = {{(const char *)topic.data + 1, topic.bytes - 2}, {text, bytes}};
    message_send(events->socket, frames, 2); /* best effort: a follower sees the gap in `prev` */
}

void events_looked_up(struct events *events, struct lookup_answer *answer)
{
    size_t from = 0;
    bool gone = answer->err == ERR_GONE && answer->oldest > 0, failed = answer->err != ERR_NONE && !gone;
    events->asking = false;
    for (size_t i = 0; answer->err == ERR_NONE && i < answer->item_count; i++) {
        tell(events, answer->text.text + from, answer->items[i].bytes);
        from += answer->items[i].bytes;
    }
    if (answer->err == ERR_NONE && answer->next > events->told) {
        events->told = answer->next;
        events->again = events->again || answer->item_count == LOOKUP_EVENTS_MAX;
    } else if (gone) { /* they see the gap in `prev` */
        events->told = answer->oldest - 1;
    }
    events->again = events->again || gone || failed;
    if (!failed)
        events->ask_at_ms = 0;
    lookup_answer_free(answer);
}
