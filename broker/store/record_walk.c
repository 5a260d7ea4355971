/* record_walk.c — the fields of each kind of change, in the order in which they stand in a head: writer and reader are
 * one list. A field that comes later stands at the end of its list, and raises RECORD_VERSION. */
#include "broker/store/record_cursor.h"

#include <assert.h>
#include <string.h>

/* FIELD(x): written from x, or read into x; what does not fit there was never written by us. */
#define FIELD(field)                                                                                                 \
    do {                                                                                                             \
        uint64_t read_ = cursor_u64(cursor, (uint64_t)(field));                                                      \
        if (cursor->write == NULL) {                                                                                 \
            (field) = (__typeof__(field))read_;                                                                      \
            cursor->broken |= (uint64_t)(field) != read_;                                                            \
        }                                                                                                            \
    } while (0)
#define SIGNED(field) /* of an int64_t */                                                                            \
    do {                                                                                                             \
        int64_t read_ = cursor_i64(cursor, (field));                                                                 \
        if (cursor->write == NULL)                                                                                   \
            (field) = read_;                                                                                         \
    } while (0)
#define HASH(field)                                                                                                  \
    do {                                                                                                             \
        uint64_t read_ = cursor_hash(cursor, (field));                                                               \
        if (cursor->write == NULL)                                                                                   \
            (field) = read_;                                                                                         \
    } while (0)

static void walk_mark(struct cursor *cursor, struct event_mark *mark)
{
    SIGNED(mark->at_ms);
    FIELD(mark->topic);
    uint64_t back = mark->seq - mark->prev; /* small, where the numbers are not */
    if (mark->seq == 0)
        return;
    FIELD(back);
    if (cursor->write == NULL)
        mark->prev = mark->seq - back;
}

static size_t bucket_slot(const struct budget_window *window, uint64_t back)
{
    return (size_t)((uint64_t)window->newest % BUDGET_BUCKETS + BUDGET_BUCKETS - back) % BUDGET_BUCKETS;
}

/* From the newest count back to the oldest one that is not 0: of 145 such at most, so that four windows always fit. */
static void walk_window(struct cursor *cursor, struct budget_window *window)
{
    uint64_t used = 0;
    SIGNED(window->newest);
    for (uint64_t back = 0; cursor->write != NULL && back < BUDGET_BUCKETS; back++)
        if (window->count[bucket_slot(window, back)] != 0)
            used = back + 1;
    FIELD(used);
    if (used > BUDGET_BUCKETS || window->newest < 0) {
        cursor->broken = true;
        return;
    }
    for (uint64_t back = 0; back < used; back++) {
        uint16_t *count = &window->count[bucket_slot(window, back)];
        FIELD(*count);
        if (cursor->write == NULL)
            window->sum += *count;
    }
}

/* The latest day first. */
static void walk_reply_days(struct cursor *cursor, struct reply_days *days)
{
    FIELD(days->newest);
    for (uint32_t ago = 0; ago < REPLY_DAYS; ago++) {
        size_t slot = ((size_t)days->newest + REPLY_DAYS - ago) % REPLY_DAYS;
        FIELD(days->sent[slot]);
        FIELD(days->answered[slot]);
    }
}

static void walk_start(struct cursor *cursor, struct change_start *start)
{
    cursor_bytes(cursor, start->random, sizeof start->random);
    FIELD(start->first_job);
    FIELD(start->next_job);
    FIELD(start->next_lease);
    FIELD(start->next_seq);
    FIELD(start->next_pause);
    uint64_t topics = TOPIC_COUNT;
    FIELD(topics);
    for (uint64_t t = 0; t < topics && !cursor->broken && !cursor->past_end; t++) {
        uint64_t prev = t < TOPIC_COUNT ? start->prev_seq[t] : 0;
        FIELD(prev);
        if (t < TOPIC_COUNT)
            start->prev_seq[t] = prev;
    }
    SIGNED(start->at_ms);
    FIELD(start->next_audit); /* from version 4 on */
}

static void walk_job(struct cursor *cursor, struct change_job *job)
{
    HASH(job->conversation);
    HASH(job->id_hash);
    HASH(job->content_hash);
    FIELD(job->from_line);
    HASH(job->chat_hash);
    SIGNED(job->accepted_at_ms);
    SIGNED(job->due_ms);
    SIGNED(job->expires_ms);
    FIELD(job->pool);
    FIELD(job->campaign);
    FIELD(job->class);
    FIELD(job->flags);
    FIELD(job->life);
    FIELD(job->slot);
    FIELD(job->order);
    HASH(job->collapse);
    FIELD(job->has_link);
    FIELD(job->zone);
    FIELD(job->area);
}

static void walk_try(struct cursor *cursor, struct change_try *try)
{
    FIELD(try->order);
    FIELD(try->lease);
    HASH(try->instance);
    FIELD(try->line);
    SIGNED(try->due_ms);
    FIELD(try->state);
    FIELD(try->attempts);
    FIELD(try->failures);
    uint64_t flags = (uint64_t)try->unsettled | (uint64_t)try->wide << 1 | (uint64_t)try->cancel << 2 |
                     (uint64_t)try->doubtful << 3;
    FIELD(flags);
    try->unsettled = flags & 1;
    try->wide = flags >> 1 & 1;
    try->cancel = flags >> 2 & 1;
    try->doubtful = flags >> 3 & 1;
    FIELD(try->http_status);
    SIGNED(try->code);
    SIGNED(try->bucket);
    FIELD(try->bucket_messages);
    FIELD(try->bucket_new);
    FIELD(try->bucket_out);
    SIGNED(try->out_ms);       /* from version 3 on */
    SIGNED(try->expires_told); /* from version 6 on */
}

static void walk_end(struct cursor *cursor, struct change_end *end)
{
    FIELD(end->line);
    HASH(end->conversation);
    FIELD(end->state);
    FIELD(end->attempts);
    FIELD(end->code);
    FIELD(end->dead);
    HASH(end->message_hash);
    SIGNED(end->provider_code);
    FIELD(end->life);
    FIELD(end->streak_told);
    FIELD(end->out_ago_s);
    FIELD(end->pool); /* from version 2 on */
    FIELD(end->campaign);
    FIELD(end->campaign_ended);
    FIELD(end->class); /* from version 6 on */
    FIELD(end->line_sent);
    FIELD(end->pool_sent);
    FIELD(end->campaign_sent);
    SIGNED(end->expires_told); /* from version 7 on */
}

static void walk_conversation(struct cursor *cursor, struct change_conversation *conversation)
{
    FIELD(conversation->line);
    HASH(conversation->chat_hash);
    FIELD(conversation->pool);
    FIELD(conversation->health);
    FIELD(conversation->streak);
    SIGNED(conversation->health_at_ms);
    SIGNED(conversation->last_out_ms);
    SIGNED(conversation->last_in_ms);
    FIELD(conversation->forgotten_chat);
    FIELD(conversation->unbegun);
    FIELD(conversation->as_of);
    FIELD(conversation->waits_day); /* from version 6 on */
    FIELD(conversation->waits_campaign);
    FIELD(conversation->waits_class);
}

static void walk_line(struct cursor *cursor, struct change_line *line)
{
    FIELD(line->account);
    FIELD(line->word);
    FIELD(line->previous);
    FIELD(line->proven);
    FIELD(line->source);
    FIELD(line->service);
    FIELD(line->service_source);
    FIELD(line->hold);
    FIELD(line->gone);
    FIELD(line->cordoned);
    FIELD(line->heard);
    FIELD(line->missed_polls);
    FIELD(line->ramp_step);
    FIELD(line->relapses);
    SIGNED(line->changed_at_ms);
    SIGNED(line->heard_at_ms);
    SIGNED(line->first_seen_ms);
    SIGNED(line->flagged_at_ms);
    SIGNED(line->ramp_until_ms);
    SIGNED(line->relapsed_at_ms);
    SIGNED(line->gate_since_ms);
    SIGNED(line->event_at_ms);
    walk_window(cursor, &line->messages);
    walk_window(cursor, &line->fresh);
    walk_window(cursor, &line->out);
    SIGNED(line->day);
    for (int i = 0; i < LEVEL_DAYS; i++)
        FIELD(line->days[i]);
    walk_window(cursor, &line->away);
    walk_reply_days(cursor, &line->replies); /* from version 6 on */
}

static void walk_pause(struct cursor *cursor, struct change_pause *pause)
{
    FIELD(pause->scope);
    FIELD(pause->over);
    FIELD(pause->target);
    SIGNED(pause->since_ms);
    SIGNED(pause->until_ms);
    cursor_text(cursor, pause->reason, sizeof pause->reason);
    cursor_text(cursor, pause->by, sizeof pause->by);
    FIELD(pause->pool); /* from version 2 on */
    cursor_text(cursor, pause->name, sizeof pause->name);
}

static void walk_orders(struct cursor *cursor, struct change_orders *orders)
{
    FIELD(orders->word);
    FIELD(orders->word_stands);
    SIGNED(orders->word_since_ms);
    SIGNED(orders->word_until_ms);
    cursor_text(cursor, orders->word_reason, sizeof orders->word_reason);
    cursor_text(cursor, orders->word_by, sizeof orders->word_by);
    FIELD(orders->drain);
    SIGNED(orders->drain_pace_per_min);
    SIGNED(orders->drain_since_ms);
    FIELD(orders->drain_before);
    FIELD(orders->drain_jobs);
    FIELD(orders->drain_conversations);
    cursor_text(cursor, orders->drain_by, sizeof orders->drain_by);
    FIELD(orders->drain_order);
    FIELD(orders->drain_stop_percent);
    FIELD(orders->drain_state);
    FIELD(orders->drain_past);
    FIELD(orders->drain_opened);
    FIELD(orders->drain_sent);
    FIELD(orders->drain_failed);
    FIELD(orders->drain_total);
    SIGNED(orders->drain_ended_ms);
    FIELD(orders->drain_pause);
    cursor_text(cursor, orders->drain_why, sizeof orders->drain_why);
}

static void walk_audit(struct cursor *cursor, struct change_audit *audit)
{
    FIELD(audit->number);
    FIELD(audit->line);
    cursor_text(cursor, audit->by, sizeof audit->by);
    cursor_text(cursor, audit->pool, sizeof audit->pool);
}

/* Of a pool's events that wait, how far each is from the one before. */
static void walk_outcomes(struct cursor *cursor, struct change_outcomes *outcomes)
{
    uint64_t before = 0;
    FIELD(outcomes->read_to);
    FIELD(outcomes->confirmed);
    FIELD(outcomes->missed);
    FIELD(outcomes->count);
    if (outcomes->count > OUTCOMES_WAITING_MAX) {
        cursor->broken = true;
        return;
    }
    for (unsigned i = 0; i < outcomes->count; i++) {
        uint64_t step = outcomes->waiting[i] - before;
        FIELD(step);
        before += step;
        outcomes->waiting[i] = before;
    }
}

static void walk_hashes(struct cursor *cursor, uint64_t *hashes, uint16_t count, unsigned max)
{
    cursor->broken |= count > max;
    for (unsigned i = 0; i < count && i < max; i++)
        HASH(hashes[i]);
}

static void walk_erasure(struct cursor *cursor, struct change_erasure *erasure)
{
    FIELD(erasure->state);
    FIELD(erasure->more);
    SIGNED(erasure->begun_ms);
    SIGNED(erasure->done_ms);
    FIELD(erasure->jobs);
    FIELD(erasure->conversations);
    FIELD(erasure->records);
    HASH(erasure->person);
    FIELD(erasure->recipient_count);
    walk_hashes(cursor, erasure->recipients, erasure->recipient_count, ERASURE_RECIPIENTS_MAX);
    FIELD(erasure->key_count);
    walk_hashes(cursor, erasure->keys, erasure->key_count, ERASURE_KEYS_MAX);
    cursor_text(cursor, erasure->by, sizeof erasure->by);
}

static void walk_name(struct cursor *cursor, struct change_name *name)
{
    FIELD(name->kind);
    cursor_text(cursor, name->text, sizeof name->text);
}

static void walk_reputation(struct cursor *cursor, struct change_reputation *reputation)
{
    FIELD(reputation->status);
    FIELD(reputation->previous);
    FIELD(reputation->source);
    SIGNED(reputation->changed_at_ms);
}

static void walk_suppression(struct cursor *cursor, struct change_suppression *suppression,
                             struct suppression_text *text)
{
    static const struct suppression_text nothing;
    if (cursor->write != NULL)
        text = (struct suppression_text *)(suppression->text != NULL ? suppression->text : &nothing);
    FIELD(suppression->account);
    FIELD(suppression->cause);
    FIELD(suppression->over);
    SIGNED(suppression->since_ms);
    FIELD(suppression->causes); /* from here on since version 2 */
    cursor_text(cursor, text->recipient, sizeof text->recipient);
    cursor_text(cursor, text->reason, sizeof text->reason);
    cursor_text(cursor, text->by, sizeof text->by);
}

static void walk_campaign(struct cursor *cursor, struct change_campaign *campaign)
{
    for (unsigned end = 0; end < ENDS; end++)
        FIELD(campaign->ended[end]);
}

bool record_walk(struct cursor *cursor, struct change *change, struct record_storage *storage)
{
    assert((cursor->write == NULL) == (storage != NULL));
    walk_mark(cursor, &change->event);
    switch (change->kind) {
    case CHANGE_START:
        walk_start(cursor, storage != NULL ? &storage->start : (struct change_start *)change->start);
        return true;
    case CHANGE_NAME:
        walk_name(cursor, storage != NULL ? &storage->name : (struct change_name *)change->name);
        return true;
    case CHANGE_JOB:
        walk_job(cursor, &change->job);
        return true;
    case CHANGE_TRY:
        walk_try(cursor, &change->try);
        return true;
    case CHANGE_END:
        walk_end(cursor, &change->end);
        return true;
    case CHANGE_CONVERSATION:
        walk_conversation(cursor, &change->conversation);
        return true;
    case CHANGE_LINE:
        walk_line(cursor, storage != NULL ? &storage->line : (struct change_line *)change->line);
        return true;
    case CHANGE_PAUSE:
        walk_pause(cursor, storage != NULL ? &storage->pause : (struct change_pause *)change->pause);
        return true;
    case CHANGE_ORDERS:
        walk_orders(cursor, storage != NULL ? &storage->orders : (struct change_orders *)change->orders);
        return true;
    case CHANGE_OUTCOMES:
        walk_outcomes(cursor, storage != NULL ? &storage->outcomes : (struct change_outcomes *)change->outcomes);
        return true;
    case CHANGE_ERASURE:
        walk_erasure(cursor, storage != NULL ? &storage->erasure : (struct change_erasure *)change->erasure);
        return true;
    case CHANGE_FORGOTTEN:
        return true;
    case CHANGE_SEEN:
        SIGNED(change->seen.at_ms);
        return true;
    case CHANGE_DELIVERY:
        FIELD(change->delivery.delivery);
        SIGNED(change->delivery.code);
        HASH(change->delivery.message_hash);
        return true;
    case CHANGE_GATE:
        FIELD(change->gate.gate);
        FIELD(change->gate.reason);
        return true;
    case CHANGE_REPUTATION:
        walk_reputation(cursor, &change->reputation);
        return true;
    case CHANGE_SUPPRESSION:
        walk_suppression(cursor, &change->suppression, storage != NULL ? &storage->suppression : NULL);
        return true;
    case CHANGE_CAMPAIGN:
        walk_campaign(cursor, &change->campaign);
        return true;
    case CHANGE_REPLIES:
        walk_reply_days(cursor, &change->replies.days);
        return true;
    case CHANGE_AUDIT:
        walk_audit(cursor, storage != NULL ? &storage->audit : (struct change_audit *)change->audit);
        return true;
    case CHANGE_KIND_COUNT:
        break;
    }
    return false;
}
