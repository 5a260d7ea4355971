/* outcome_queue.c — see outcome_queue.h. */
#include "broker/edge/outcome_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void outcome_queue_init(struct outcome_queue *queue, size_t in_flight_max, uint64_t seed)
{
    *queue = (struct outcome_queue){.in_flight_max = in_flight_max, .random = seed};
}

void outcome_queue_clear(struct outcome_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        free(queue->events[i].text);
    outcome_queue_init(queue, queue->in_flight_max, queue->random);
}

size_t outcome_queue_room(const struct outcome_queue *queue)
{
    return OUTCOME_WINDOW - queue->count;
}

/* ---- what is in the window ---- */

static bool has_earlier(const struct outcome_queue *queue, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (queue->events[i].job == queue->events[at].job)
            return true;
    return false;
}

void outcome_queue_add(struct outcome_queue *queue, uint64_t seq, uint64_t job, char *text, size_t bytes,
                       int64_t at_ms)
{
    assert(queue->count < OUTCOME_WINDOW);
    assert(queue->count == 0 || queue->events[queue->count - 1].seq < seq);
    size_t at = queue->count++;
    queue->events[at] = (struct outcome_event){.seq = seq, .job = job, .text = text, .bytes = bytes, .at_ms = at_ms};
    queue->events[at].waits_for_earlier = has_earlier(queue, at);
}

static struct outcome_event *find(struct outcome_queue *queue, uint64_t seq)
{
    for (size_t i = 0; i < queue->count; i++)
        if (queue->events[i].seq == seq)
            return &queue->events[i];
    return NULL;
}

/* The next one of its job has its turn. */
static void take_out(struct outcome_queue *queue, struct outcome_event *event)
{
    size_t at = (size_t)(event - queue->events);
    uint64_t job = event->job;
    free(event->text);
    queue->failed -= event->failed;
    queue->count--;
    memmove(event, event + 1, (queue->count - at) * sizeof *event);
    for (size_t i = at; i < queue->count; i++) {
        if (queue->events[i].job == job) {
            queue->events[i].waits_for_earlier = has_earlier(queue, i);
            break;
        }
    }
}

const struct outcome_event *outcome_queue_unread(const struct outcome_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        if (queue->events[i].text == NULL)
            return &queue->events[i];
    return NULL;
}

bool outcome_queue_ready(const struct outcome_queue *queue)
{
    return outcome_queue_unread(queue) == NULL;
}

void outcome_queue_read(struct outcome_queue *queue, uint64_t seq, uint64_t job, char *text, size_t bytes,
                        int64_t at_ms)
{
    struct outcome_event *event = find(queue, seq);
    if (event == NULL || event->text != NULL) {
        free(text);
        return;
    }
    event->job = job;
    event->text = text;
    event->bytes = bytes;
    event->at_ms = at_ms;
    if (text == NULL)
        take_out(queue, event);
    for (size_t i = 0; i < queue->count; i++) /* it was not known whose they are */
        queue->events[i].waits_for_earlier = has_earlier(queue, i);
}

/* ---- what is to be done ---- */

bool outcome_queue_is_down(const struct outcome_queue *queue)
{
    return queue->gone || queue->failed >= OUTCOME_DOWN_EVENTS;
}

static size_t slots(const struct outcome_queue *queue)
{
    return outcome_queue_is_down(queue) ? 1 : queue->in_flight_max;
}

static bool may_go(const struct outcome_queue *queue, const struct outcome_event *event, int64_t now_mono_ms)
{
    if (event->in_flight || event->waits_for_earlier)
        return false;
    return outcome_queue_is_down(queue) || event->due_mono_ms <= now_mono_ms;
}

const struct outcome_event *outcome_queue_next(struct outcome_queue *queue, int64_t now_mono_ms)
{
    struct outcome_event *chosen = NULL;
    bool down = outcome_queue_is_down(queue);
    if (now_mono_ms < queue->rest_until_ms || queue->in_flight >= slots(queue) || !outcome_queue_ready(queue))
        return NULL;
    for (size_t i = 0; i < queue->count; i++) {
        struct outcome_event *event = &queue->events[i];
        if (!may_go(queue, event, now_mono_ms) || (chosen != NULL && event->tries >= chosen->tries))
            continue;
        chosen = event;
        if (!down) /* the oldest; of a target that is down another one each time, for one may be what it cannot take
                    */
            break;
    }
    if (chosen == NULL)
        return NULL;
    chosen->in_flight = true;
    chosen->rest = queue->rest;
    queue->in_flight++;
    return chosen;
}

int64_t outcome_queue_due_ms(const struct outcome_queue *queue, int64_t now_mono_ms)
{
    int64_t due_ms = INT64_MAX;
    if (queue->in_flight >= slots(queue) || !outcome_queue_ready(queue))
        return INT64_MAX;
    for (size_t i = 0; i < queue->count; i++) {
        const struct outcome_event *event = &queue->events[i];
        if (event->in_flight || event->waits_for_earlier)
            continue;
        int64_t one_ms = outcome_queue_is_down(queue) ? now_mono_ms : event->due_mono_ms;
        due_ms = one_ms < due_ms ? one_ms : due_ms;
    }
    return due_ms == INT64_MAX || due_ms > queue->rest_until_ms ? due_ms : queue->rest_until_ms;
}

/* ---- what happened ---- */

/* SplitMix64. */
static uint64_t draw(struct outcome_queue *queue)
{
    uint64_t value = queue->random += 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* Doubled each time, up to `cap_ms`; of that half and up to half more, by chance: those that failed together do not
 * come back together. */
static int64_t wait_ms(struct outcome_queue *queue, unsigned tries, int64_t cap_ms)
{
    int64_t whole = OUTCOME_BASE_MS;
    for (unsigned i = 1; i < tries && whole < cap_ms; i++)
        whole *= 2;
    if (whole > cap_ms)
        whole = cap_ms;
    return whole / 2 + (int64_t)(draw(queue) % (uint64_t)(whole - whole / 2 + 1));
}

static void rest(struct outcome_queue *queue, int64_t until_ms)
{
    if (until_ms <= queue->rest_until_ms)
        return;
    queue->rest_until_ms = until_ms;
    queue->rest++;
}

static struct outcome_event *arrived(struct outcome_queue *queue, uint64_t seq)
{
    struct outcome_event *event = find(queue, seq);
    if (event == NULL || !event->in_flight)
        return NULL;
    event->in_flight = false;
    queue->in_flight--;
    return event;
}

/* The target is up: what failed while it was down has not failed for its own sake. */
static void forget_failures(struct outcome_queue *queue, bool waits_too)
{
    for (size_t i = 0; i < queue->count; i++) {
        struct outcome_event *event = &queue->events[i];
        event->failed = false;
        if (waits_too) {
            event->tries = 0;
            event->due_mono_ms = 0;
        }
    }
    queue->failed = queue->rest_count = 0;
    queue->gone = false;
}

bool outcome_queue_confirmed(struct outcome_queue *queue, uint64_t seq)
{
    struct outcome_event *event = arrived(queue, seq);
    if (event == NULL)
        return false;
    bool was_down = outcome_queue_is_down(queue);
    take_out(queue, event);
    forget_failures(queue, was_down);
    if (was_down)
        queue->rest_until_ms = 0;
    return true;
}

bool outcome_queue_failed(struct outcome_queue *queue, uint64_t seq, int status, int64_t retry_after_ms,
                          int64_t now_mono_ms)
{
    struct outcome_event *event = arrived(queue, seq);
    if (event == NULL)
        return false;
    bool is_news = event->rest == queue->rest; /* else it was begun before the rest that others led to */
    event->tries++;
    event->due_mono_ms = now_mono_ms + wait_ms(queue, event->tries, OUTCOME_EVENT_CAP_MS);
    queue->failed += !event->failed;
    event->failed = true;
    queue->gone = status == 410 || (queue->gone && !is_news);
    if (outcome_queue_is_down(queue) && is_news)
        rest(queue, now_mono_ms + wait_ms(queue, ++queue->rest_count, OUTCOME_TARGET_CAP_MS));
    if (status == 410)
        rest(queue, now_mono_ms + OUTCOME_EVENT_CAP_MS);
    else if (retry_after_ms > 0)
        rest(queue, now_mono_ms + (retry_after_ms < OUTCOME_EVENT_CAP_MS ? retry_after_ms : OUTCOME_EVENT_CAP_MS));
    return true;
}

void outcome_queue_lost(struct outcome_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        queue->events[i].in_flight = false;
    queue->in_flight = 0;
}

void outcome_queue_try_now(struct outcome_queue *queue)
{
    forget_failures(queue, true);
    queue->rest_until_ms = 0;
}
