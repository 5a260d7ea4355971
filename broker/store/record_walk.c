/* record_walk.c — the fields of each kind of change, in the order in which they stand in a head: writer and reader are
 * one list. A field that comes later stands at the end of its list, and raises RECORD_VERSION. Those of lines, and what
 * operators ordered for them, are in record_walk_line.c. */
#include "broker/store/record_cursor.h"

#include <assert.h>

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
                     (uint64_t)try->doubtful << 3 | (uint64_t)try->placed_told << 4 | /* 0 in what an older broker wrote */
                     (uint64_t)try->told_sent << 6;
    FIELD(flags);
    try->unsettled = flags & 1;
    try->wide = flags >> 1 & 1;
    try->cancel = flags >> 2 & 1;
    try->doubtful = flags >> 3 & 1;
    try->placed_told = flags >> 4 & 3;
    try->told_sent = flags >> 6 & 1;
    FIELD(try->http_status);
    SIGNED(try->code);
    SIGNED(try->bucket);
    FIELD(try->bucket_messages);
    FIELD(try->bucket_new);
    FIELD(try->bucket_out);
    SIGNED(try->out_ms);       /* from version 3 on */
    SIGNED(try->expires_told); /* from version 6 on */
    SIGNED(try->before_ms);    /* from version 8 on */
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

static void walk_delivery(struct cursor *cursor, struct change_delivery *delivery)
{
    FIELD(delivery->delivery);
    SIGNED(delivery->code);
    HASH(delivery->message_hash);
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

/* Values that are too large for the change itself: read into `storage`, written from where the change points. */
static bool walk_lent(struct cursor *cursor, const struct change *change, struct record_storage *storage)
{
    switch (change->kind) {
    case CHANGE_START:
        walk_start(cursor, storage != NULL ? &storage->start : (struct change_start *)change->start);
        return true;
    case CHANGE_NAME:
        walk_name(cursor, storage != NULL ? &storage->name : (struct change_name *)change->name);
        return true;
    case CHANGE_LINE:
        record_walk_line(cursor, storage != NULL ? &storage->line : (struct change_line *)change->line);
        return true;
    case CHANGE_PAUSE:
        record_walk_pause(cursor, storage != NULL ? &storage->pause : (struct change_pause *)change->pause);
        return true;
    case CHANGE_ORDERS:
        record_walk_orders(cursor, storage != NULL ? &storage->orders : (struct change_orders *)change->orders);
        return true;
    case CHANGE_OUTCOMES:
        walk_outcomes(cursor, storage != NULL ? &storage->outcomes : (struct change_outcomes *)change->outcomes);
        return true;
    case CHANGE_ERASURE:
        walk_erasure(cursor, storage != NULL ? &storage->erasure : (struct change_erasure *)change->erasure);
        return true;
    case CHANGE_AUDIT:
        walk_audit(cursor, storage != NULL ? &storage->audit : (struct change_audit *)change->audit);
        return true;
    default:
        return false;
    }
}

/* Those that the change holds. Each kind is named, so that the compiler asks for a new one. */
static bool walk_held(struct cursor *cursor, struct change *change, struct record_storage *storage)
{
    switch (change->kind) {
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
    case CHANGE_FORGOTTEN:
        return true;
    case CHANGE_SEEN:
        SIGNED(change->seen.at_ms);
        return true;
    case CHANGE_DELIVERY:
        walk_delivery(cursor, &change->delivery);
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
        record_walk_reply_days(cursor, &change->replies.days);
        return true;
    case CHANGE_START:
    case CHANGE_NAME:
    case CHANGE_LINE:
    case CHANGE_PAUSE:
    case CHANGE_ORDERS:
    case CHANGE_OUTCOMES:
    case CHANGE_ERASURE:
    case CHANGE_AUDIT: /* walk_lent() */
    case CHANGE_KIND_COUNT:
        break;
    }
    return false;
}

bool record_walk(struct cursor *cursor, struct change *change, struct record_storage *storage)
{
    assert((storage == NULL) == (cursor->write != NULL));
    walk_mark(cursor, &change->event);
    return walk_lent(cursor, change, storage) || walk_held(cursor, change, storage);
}
