/* outcome_queue.h — the events of one pool that its platform has not confirmed yet, and which of them may be posted now
 * (docs/protocol.md, Outcome webhooks). Pure: no clock, no socket; what happened comes in, what to do is asked for.
 *
 * Of a job's events one is under way at a time, the next follows when it was confirmed. An event that fails waits with
 * back-off, and only its own job waits with it. When several in a row fail without one that is confirmed between them,
 * it is the target that is down: then one is tried at a time, after growing rests, whichever was tried least.
 *
 * The window is bounded: what lies behind it stays on disk. What is in it, and how far the log was read, is what a
 * restart must know (outcome_queue_mark). */
#ifndef LINEWARD_EDGE_OUTCOME_QUEUE_H
#define LINEWARD_EDGE_OUTCOME_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/core/change.h"

#define OUTCOME_WINDOW        OUTCOMES_WAITING_MAX /* events that wait or are under way */
#define OUTCOME_DOWN_EVENTS   3       /* that failed since one was confirmed: the target is down */
#define OUTCOME_BASE_MS       1000    /* the first wait of an event, and of the target */
#define OUTCOME_EVENT_CAP_MS  3600000 /* the longest of an event ... */
#define OUTCOME_TARGET_CAP_MS 300000  /* ... and of the target, that nobody may wait long for one that is up again */

struct outcome_event {
    uint64_t seq;
    uint64_t job; /* its order among others; 0: that of the pool's own events */
    char *text;   /* the event's JSON, the queue's; NULL: to be read again from disk */
    size_t bytes;
    int64_t at_ms; /* wall time of the event; 0: not read yet */
    int64_t due_mono_ms;
    uint32_t tries;
    uint32_t rest; /* which rest of the target it was begun after */
    bool waits_for_earlier, in_flight, failed; /* failed: since an event was confirmed */
};

struct outcome_queue {
    struct outcome_event events[OUTCOME_WINDOW]; /* by seq */
    size_t count, in_flight, in_flight_max;
    unsigned failed; /* events with that flag */
    unsigned rest_count; /* rests of the target in a row */
    uint32_t rest;       /* rests ever taken */
    int64_t rest_until_ms;
    bool gone; /* the target's last word was 410 */
    uint64_t random;
};

void outcome_queue_init(struct outcome_queue *queue, size_t in_flight_max, uint64_t seed);
void outcome_queue_clear(struct outcome_queue *queue); /* forgets all events and frees their texts */

size_t outcome_queue_room(const struct outcome_queue *queue);
/* Events come in the order of their seq. `text` is taken over; NULL: outcome_queue_read() will bring it. The queue must
 * have room. */
void outcome_queue_add(struct outcome_queue *queue, uint64_t seq, uint64_t job, char *text, size_t bytes,
                       int64_t at_ms);
/* The event to be read again from disk first; NULL: there is none. */
const struct outcome_event *outcome_queue_unread(const struct outcome_queue *queue);
/* It was read; `text` is taken over. NULL: it is not there any more, and is dropped. */
void outcome_queue_read(struct outcome_queue *queue, uint64_t seq, uint64_t job, char *text, size_t bytes,
                        int64_t at_ms);

/* Nothing before all that a restart left was read again: only then the order of a job is known. */
bool outcome_queue_ready(const struct outcome_queue *queue);
/* The event to be posted now, which is under way from here on; NULL: none. */
const struct outcome_event *outcome_queue_next(struct outcome_queue *queue, int64_t now_mono_ms);
/* When there may be one; INT64_MAX: not before something happens. */
int64_t outcome_queue_due_ms(const struct outcome_queue *queue, int64_t now_mono_ms);

/* What became of one under way. False: it is not under way. */
bool outcome_queue_confirmed(struct outcome_queue *queue, uint64_t seq);
/* `retry_after_ms`: the target's wish, 0: none. */
bool outcome_queue_failed(struct outcome_queue *queue, uint64_t seq, int status, int64_t retry_after_ms,
                          int64_t now_mono_ms);
/* Whoever posts is gone: nobody knows what became of those under way, so they are posted again. */
void outcome_queue_lost(struct outcome_queue *queue);
/* Forgets every rest: the operator has changed something. */
void outcome_queue_try_now(struct outcome_queue *queue);

bool outcome_queue_is_down(const struct outcome_queue *queue);

#endif
