/* outcomes_read.c — reading events from disk for outcome webhooks: what a restart left first, then what follows. One
 * question at a time, of one pool after the other, so that others' questions wait for one page at most. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/outcomes_part.h"
#include "lineward/log.h"

#define TAG_SHIFT 56

bool outcomes_owns(uint64_t token)
{
    return token >> TAG_SHIFT == OUTCOMES_TOKEN_TAG;
}

/* What a restart left comes first: until all of it is there, nothing of the pool is posted. */
static bool ask(struct outcomes *outcomes, struct hook *hook, struct instant now)
{
    const struct outcome_event *unread = outcome_queue_unread(&hook->queue);
    struct lookup_request request = {.token = (uint64_t)OUTCOMES_TOKEN_TAG << TAG_SHIFT |
                                              ((outcomes->token + 1) & OUTCOMES_SEQ_MASK),
                                     .what = LOOKUP_EVENTS,
                                     .now = now,
                                     .pools = outcomes->options.conf->pools[hook->pool].name};
    if (unread != NULL) {
        request.after = unread->seq - 1;
        request.until = unread->seq;
        request.limit = 1;
    } else {
        request.after = hook->read_to;
        request.topics = hook->topics;
        request.limit = outcome_queue_room(&hook->queue);
    }
    if (lookup_submit(outcomes->options.lookup, &request) != ERR_NONE)
        return false;
    outcomes->token++;
    outcomes->asking = hook;
    outcomes->asked_seq = unread != NULL ? unread->seq : 0;
    if (unread == NULL)
        hook->again = false;
    return true;
}

bool outcomes_has_question(const struct hook *hook)
{
    return !outcome_queue_ready(&hook->queue) || (hook->again && outcome_queue_room(&hook->queue) > 0);
}

void outcomes_ask(struct outcomes *outcomes, bool durable_moved, struct instant now)
{
    uint64_t next_seq = core_next_seq(outcomes->options.core);
    for (size_t i = 0; i < outcomes->count; i++) {
        struct hook *hook = outcomes->hooks[(outcomes->turn + i) % outcomes->count];
        hook->again = hook->again || (durable_moved && hook->read_to + 1 < next_seq);
        if (outcomes->asking != NULL || !outcomes_has_question(hook) || now.mono_ms < hook->ask_at_ms)
            continue;
        if (ask(outcomes, hook, now))
            outcomes->turn = (outcomes->turn + i + 1) % outcomes->count;
        else
            hook->ask_at_ms = now.mono_ms + LOOKUP_AGAIN_MS; /* the queue is full of others' questions */
    }
}

static uint64_t number_of(struct span value)
{
    char text[24];
    if (value.bytes == 0 || value.bytes >= sizeof text)
        return 0;
    memcpy(text, value.data, value.bytes);
    text[value.bytes] = '\0';
    return strtoull(text, NULL, 10);
}

void outcomes_text(struct span value, char *out, size_t room)
{
    const char *text = value.data;
    size_t bytes = value.bytes >= 2 && text[0] == '"' ? value.bytes - 2 : 0;
    if (bytes >= room)
        bytes = 0;
    if (bytes > 0)
        memcpy(out, text + 1, bytes);
    out[bytes] = '\0';
}

static uint64_t job_of(struct span event)
{
    char text[JOB_NUMBER_TEXT_MAX];
    uint64_t number = 0;
    outcomes_text(view_member(event, "job"), text, sizeof text);
    return job_number_parse(text, &number) ? number : 0;
}

static int64_t time_of(struct span event)
{
    char text[TIME_TEXT_MAX];
    int64_t at_ms = 0;
    outcomes_text(view_member(event, "at"), text, sizeof text);
    return time_parse(text, &at_ms) ? at_ms : 0;
}

/* False: out of memory; it is to be read again. */
static bool take_event(struct outcomes *outcomes, struct hook *hook, struct span event)
{
    uint64_t seq = number_of(view_member(event, "seq"));
    char *text = malloc(event.bytes);
    if (text == NULL)
        return false;
    memcpy(text, event.data, event.bytes);
    if (outcomes->asked_seq != 0)
        outcome_queue_read(&hook->queue, seq, job_of(event), text, event.bytes, time_of(event));
    else
        outcome_queue_add(&hook->queue, seq, job_of(event), text, event.bytes, time_of(event));
    return true;
}

static void miss(struct outcomes *outcomes, struct hook *hook, uint64_t count)
{
    hook->missed += count;
    hook->dirty = true;
    log_event(LOG_ERROR, "outcomes_missed",
              "pool=%s events=%" PRIu64 " reason=\"they are no longer kept: "
              "store.history_retention_h has passed\"",
              outcomes->options.conf->pools[hook->pool].name, count);
}

static void take_page(struct outcomes *outcomes, struct hook *hook, const struct lookup_answer *answer,
                      struct instant now)
{
    size_t from = 0;
    uint64_t before = hook->read_to;
    bool ok = true;
    for (size_t i = 0; ok && i < answer->item_count; i++) {
        struct span event = {answer->text.text + from, answer->items[i].bytes};
        from += answer->items[i].bytes;
        ok = event.bytes == 0 || take_event(outcomes, hook, event);
        if (ok && event.bytes > 0 && outcomes->asked_seq == 0)
            hook->read_to = number_of(view_member(event, "seq"));
    }
    if (!ok)
        hook->ask_at_ms = now.mono_ms + LOOKUP_AGAIN_MS;
    else if (outcomes->asked_seq != 0 && answer->item_count == 0) {
        outcome_queue_read(&hook->queue, outcomes->asked_seq, 0, NULL, 0, 0);
        miss(outcomes, hook, 1);
    } else if (outcomes->asked_seq == 0 && answer->next > hook->read_to)
        hook->read_to = answer->next;
    hook->again = hook->again || !ok || hook->read_to > before;
    hook->dirty = hook->dirty || hook->read_to > before;
}

void outcomes_looked_up(struct outcomes *outcomes, struct lookup_answer *answer, struct instant now)
{
    struct hook *hook = outcomes->asking;
    if (hook != NULL && (answer->token & OUTCOMES_SEQ_MASK) == outcomes->token) {
        if (answer->err == ERR_NONE)
            take_page(outcomes, hook, answer, now);
        else if (answer->err != ERR_GONE || answer->oldest == 0)
            hook->ask_at_ms = now.mono_ms + LOOKUP_AGAIN_MS;
        else if (outcomes->asked_seq != 0) {
            outcome_queue_read(&hook->queue, outcomes->asked_seq, 0, NULL, 0, 0);
            miss(outcomes, hook, 1);
        } else {
            miss(outcomes, hook, answer->oldest - 1 - hook->read_to);
            hook->read_to = answer->oldest - 1;
        }
        hook->again = hook->again || answer->err != ERR_NONE;
        outcomes->asking = NULL;
    }
    lookup_answer_free(answer);
}
