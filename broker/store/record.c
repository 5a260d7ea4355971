/* record.c — see record.h. Writer and reader of each kind stand side by side: one list of fields a kind, walked by
 * either. */
#include "broker/store/record.h"

#include <assert.h>
#include <string.h>

_Static_assert(SECTION_COUNT == STORE_SECTIONS, "sections of a change are sections of a record");
_Static_assert(CHANGE_KIND_COUNT <= STORE_KINDS_MAX, "every kind has its row");

/* One cursor for both ways. Reading past the end yields zeros, so that older heads read as what they lack. */
struct cursor {
    uint8_t *write; /* NULL: reading */
    const uint8_t *read;
    size_t at, bytes;
    bool broken;   /* reading: a varint that does not end, or a value beyond its field */
    bool past_end; /* reading: something was not there */
};

static void put_byte(struct cursor *cursor, uint8_t byte)
{
    assert(cursor->at < cursor->bytes);
    cursor->write[cursor->at++] = byte;
}

static uint64_t walk_u64(struct cursor *cursor, uint64_t value)
{
    if (cursor->write != NULL) {
        for (; value >= 0x80; value >>= 7)
            put_byte(cursor, (uint8_t)(value | 0x80));
        put_byte(cursor, (uint8_t)value);
        return 0;
    }
    uint64_t read = 0;
    cursor->past_end |= cursor->at == cursor->bytes;
    for (unsigned shift = 0; cursor->at < cursor->bytes; shift += 7) {
        uint8_t byte = cursor->read[cursor->at++];
        if (shift < 64)
            read |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return read;
        if (cursor->at == cursor->bytes || shift > 63)
            cursor->broken = true;
    }
    return read;
}

static uint64_t walk_hash(struct cursor *cursor, uint64_t value)
{
    uint64_t read = 0;
    cursor->past_end |= cursor->write == NULL && cursor->bytes - cursor->at < 8;
    for (unsigned i = 0; i < 8; i++) {
        if (cursor->write != NULL)
            put_byte(cursor, (uint8_t)(value >> 8 * i));
        else if (cursor->at < cursor->bytes)
            read |= (uint64_t)cursor->read[cursor->at++] << 8 * i;
    }
    return read;
}

static void walk_bytes(struct cursor *cursor, void *bytes, size_t count)
{
    cursor->past_end |= cursor->write == NULL && cursor->bytes - cursor->at < count;
    for (size_t i = 0; i < count; i++) {
        if (cursor->write != NULL)
            put_byte(cursor, ((uint8_t *)bytes)[i]);
        else if (cursor->at < cursor->bytes)
            ((uint8_t *)bytes)[i] = cursor->read[cursor->at++];
    }
}

/* A text: its length, then its bytes; `room` holds the terminator as well. */
static void walk_text(struct cursor *cursor, char *text, size_t room)
{
    size_t bytes = (size_t)walk_u64(cursor, strnlen(text, room - 1));
    if (cursor->write != NULL)
        bytes = strnlen(text, room - 1);
    if (bytes >= room) {
        cursor->broken = true;
        return;
    }
    walk_bytes(cursor, text, bytes);
    if (cursor->write == NULL)
        text[bytes] = '\0';
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* FIELD(x): written from x, or read into x; what does not fit there was never written by us. */
#define FIELD(field)                                                                                                 \
    do {                                                                                                             \
        uint64_t read_ = walk_u64(cursor, (uint64_t)(field));                                                        \
        if (cursor->write == NULL) {                                                                                 \
            (field) = (__typeof__(field))read_;                                                                      \
            cursor->broken |= (uint64_t)(field) != read_;                                                            \
        }                                                                                                            \
    } while (0)
#define SIGNED(field) /* of an int64_t */                                                                            \
    do {                                                                                                             \
        uint64_t read_ = walk_u64(cursor, zigzag(field));                                                            \
        if (cursor->write == NULL)                                                                                   \
            (field) = unzigzag(read_);                                                                               \
    } while (0)
#define HASH(field)                                                                                                  \
    do {                                                                                                             \
        uint64_t read_ = walk_hash(cursor, (field));                                                                 \
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
    walk_bytes(cursor, start->random, sizeof start->random);
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
    walk_text(cursor, pause->reason, sizeof pause->reason);
    walk_text(cursor, pause->by, sizeof pause->by);
    FIELD(pause->pool); /* from version 2 on */
    walk_text(cursor, pause->name, sizeof pause->name);
}

static void walk_orders(struct cursor *cursor, struct change_orders *orders)
{
    FIELD(orders->word);
    FIELD(orders->word_stands);
    SIGNED(orders->word_since_ms);
    SIGNED(orders->word_until_ms);
    walk_text(cursor, orders->word_reason, sizeof orders->word_reason);
    walk_text(cursor, orders->word_by, sizeof orders->word_by);
    FIELD(orders->drain);
    SIGNED(orders->drain_pace_per_min);
    SIGNED(orders->drain_since_ms);
    FIELD(orders->drain_before);
    FIELD(orders->drain_jobs);
    FIELD(orders->drain_conversations);
    walk_text(cursor, orders->drain_by, sizeof orders->drain_by);
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
    walk_text(cursor, orders->drain_why, sizeof orders->drain_why);
}

static void walk_audit(struct cursor *cursor, struct change_audit *audit)
{
    FIELD(audit->number);
    FIELD(audit->line);
    walk_text(cursor, audit->by, sizeof audit->by);
    walk_text(cursor, audit->pool, sizeof audit->pool);
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
    walk_text(cursor, erasure->by, sizeof erasure->by);
}

static void walk_name(struct cursor *cursor, struct change_name *name)
{
    FIELD(name->kind);
    walk_text(cursor, name->text, sizeof name->text);
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
    walk_text(cursor, text->recipient, sizeof text->recipient);
    walk_text(cursor, text->reason, sizeof text->reason);
    walk_text(cursor, text->by, sizeof text->by);
}

static void walk_campaign(struct cursor *cursor, struct change_campaign *campaign)
{
    for (unsigned end = 0; end < ENDS; end++)
        FIELD(campaign->ended[end]);
}

/* `storage` is NULL when writing: the larger values are the change's own then, and only read. */
static bool walk(struct cursor *cursor, struct change *change, struct record_storage *storage)
{
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

size_t record_encode(const struct change *change, uint8_t out[STORE_HEAD_BYTES_MAX])
{
    struct cursor cursor = {.write = out, .bytes = STORE_HEAD_BYTES_MAX};
    struct change copy = *change; /* a walk may write what it read, the same value */
    put_byte(&cursor, RECORD_VERSION);
    bool known = walk(&cursor, &copy, NULL);
    assert(known);
    (void)known;
    return cursor.at;
}

static void set_key(struct change *change, uint64_t key, struct record_storage *storage)
{
    switch (change->kind) {
    case CHANGE_START:
        storage->start.start = key;
        change->start = &storage->start;
        break;
    case CHANGE_NAME:
        storage->name.number = (uint16_t)key;
        change->name = &storage->name;
        break;
    case CHANGE_JOB:
        change->job.number = key;
        break;
    case CHANGE_TRY:
        change->try.number = key;
        break;
    case CHANGE_END:
        change->end.number = key;
        break;
    case CHANGE_CONVERSATION:
        change->conversation.key = key;
        break;
    case CHANGE_LINE:
        storage->line.number = key;
        change->line = &storage->line;
        break;
    case CHANGE_PAUSE:
        storage->pause.id = key;
        change->pause = &storage->pause;
        break;
    case CHANGE_ORDERS:
        storage->orders.line = key;
        change->orders = &storage->orders;
        break;
    case CHANGE_OUTCOMES:
        storage->outcomes.pool = (uint16_t)key;
        change->outcomes = &storage->outcomes;
        break;
    case CHANGE_ERASURE:
        storage->erasure.id = key;
        change->erasure = &storage->erasure;
        break;
    case CHANGE_FORGOTTEN:
        change->conversation.key = key;
        break;
    case CHANGE_SEEN:
        change->seen.event = key;
        break;
    case CHANGE_DELIVERY:
        change->delivery.number = key;
        break;
    case CHANGE_GATE:
        change->gate.line = key;
        break;
    case CHANGE_REPUTATION:
        change->reputation.line = key;
        break;
    case CHANGE_SUPPRESSION:
        change->suppression.key = key;
        change->suppression.text = &storage->suppression;
        break;
    case CHANGE_CAMPAIGN:
        change->campaign.pool = (uint16_t)(key >> 16);
        change->campaign.name = (uint16_t)key;
        break;
    case CHANGE_REPLIES:
        change->replies.class = (uint8_t)(key >> 32);
        change->replies.pool = (uint16_t)(key >> 16);
        change->replies.campaign = (uint16_t)key;
        break;
    case CHANGE_AUDIT: /* the head has its number: the key is but its shelf */
        change->audit = &storage->audit;
        break;
    case CHANGE_KIND_COUNT:
        break;
    }
}

/* What came from disk is checked like what comes from outside: enums within their range. */
static bool is_sane(const struct change *change, const struct record_storage *storage)
{
    if (change->event.topic > TOPIC_COUNT)
        return false;
    switch (change->kind) {
    case CHANGE_JOB:
        return change->job.class < CLASS_COUNT;
    case CHANGE_TRY:
        return change->try.state < JOB_STATE_COUNT;
    case CHANGE_END:
        return change->end.state < JOB_STATE_COUNT && change->end.code < CODE_COUNT && change->end.class < CLASS_COUNT;
    case CHANGE_CONVERSATION:
        return change->conversation.health < CHAT_HEALTH_COUNT && change->conversation.waits_class < CLASS_COUNT;
    case CHANGE_LINE:
        return storage->line.word < REPUTATION_COUNT && storage->line.previous < REPUTATION_COUNT &&
               storage->line.proven < REPUTATION_COUNT && storage->line.service < SERVICE_COUNT &&
               storage->line.source < SOURCE_COUNT && storage->line.service_source < SOURCE_COUNT &&
               storage->line.ramp_step <= CONF_RAMP_STEPS_MAX;
    case CHANGE_PAUSE:
        return storage->pause.scope < PAUSE_SCOPE_COUNT;
    case CHANGE_ORDERS:
        return storage->orders.word < REPUTATION_COUNT && storage->orders.drain < DRAIN_COUNT &&
               storage->orders.drain_pace_per_min >= 0 && storage->orders.drain_order < DRAIN_ORDER_COUNT &&
               storage->orders.drain_state < DRAIN_STATE_COUNT && storage->orders.drain_past < DRAIN_COUNT;
    case CHANGE_OUTCOMES:
        for (unsigned i = 0; i < storage->outcomes.count; i++)
            if (storage->outcomes.waiting[i] <= (i == 0 ? 0 : storage->outcomes.waiting[i - 1]) ||
                storage->outcomes.waiting[i] > storage->outcomes.read_to)
                return false;
        return true;
    case CHANGE_NAME:
        return storage->name.kind >= NAME_POOL && storage->name.kind <= NAME_ZONE;
    case CHANGE_DELIVERY:
        return change->delivery.delivery < DELIVERY_COUNT;
    case CHANGE_GATE:
        return change->gate.gate < GATE_COUNT && change->gate.reason < REASON_COUNT;
    case CHANGE_REPUTATION:
        return change->reputation.status < REPUTATION_COUNT && change->reputation.previous < REPUTATION_COUNT &&
               change->reputation.source < SOURCE_COUNT;
    case CHANGE_SUPPRESSION:
        return change->suppression.cause < SUPPRESS_COUNT && change->suppression.causes < 1u << SUPPRESS_COUNT;
    case CHANGE_REPLIES:
        return change->replies.class < CLASS_COUNT;
    case CHANGE_AUDIT:
        return change_key(change) == storage->audit.number / AUDIT_SHELF && storage->audit.number != 0;
    case CHANGE_ERASURE:
        return storage->erasure.state < ERASURE_STATE_COUNT && storage->erasure.id != 0;
    case CHANGE_START:
    case CHANGE_FORGOTTEN:
    case CHANGE_SEEN:
    case CHANGE_CAMPAIGN:
    case CHANGE_KIND_COUNT:
        break;
    }
    return true;
}

bool record_decode(unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes,
                   struct record_storage *storage, struct change *out)
{
    const uint8_t *bytes = head;
    if (head_bytes < 1 || bytes[0] == 0 || bytes[0] > RECORD_VERSION || kind == 0 || kind >= CHANGE_KIND_COUNT)
        return false;
    struct cursor cursor = {.read = bytes, .at = 1, .bytes = head_bytes};
    memset(out, 0, sizeof *out);
    memset(storage, 0, sizeof *storage);
    out->kind = (enum change_kind)kind;
    out->event.seq = seq;
    if (!walk(&cursor, out, storage) || cursor.broken)
        return false;
    if (bytes[0] == RECORD_VERSION && (cursor.past_end || cursor.at != cursor.bytes))
        return false; /* only an older version may lack what came later */
    set_key(out, key, storage);
    return is_sane(out, storage);
}

bool record_as_change(const struct store_record *record, struct record_storage *storage, struct change *out)
{
    if (!record_decode(record->kind, record->key, record->seq, record->head, record->head_bytes, storage, out))
        return false;
    for (int i = 0; i < STORE_SECTIONS; i++)
        out->sections[i] = (struct span){record->sections[i].data, record->sections[i].bytes};
    return true;
}

enum err record_add(struct store_batch *batch, const struct change *change)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    size_t bytes = record_encode(change, head);
    uint64_t key = change_key(change);
    struct store_section sections[STORE_SECTIONS];
    for (int i = 0; i < STORE_SECTIONS; i++)
        sections[i] = (struct store_section){change->sections[i].data, change->sections[i].bytes};
    enum err err;
    if (change->copy_mask != 0)
        err = store_batch_add_copy(batch, change->kind, key, change->event.seq, head, bytes, sections,
                                   change->copy_mask, change->copy_kind, change->copy_key, change->copy_place);
    else
        err = store_batch_add(batch, change->kind, key, change->event.seq, head, bytes, sections);
    if (err == ERR_NONE && change->release_kind != 0)
        err = store_batch_release(batch, change->release_kind,
                                  change->release_kind == CHANGE_CONVERSATION ? change->conversation.key
                                                                              : change->end.number,
                                  change->release_place);
    return err;
}

const struct store_kind *record_kinds(void)
{
    enum {
        RECIPIENTS = 1u << SECTION_RECIPIENTS,
        ENVELOPE = 1u << SECTION_ENVELOPE,
        RESULT = 1u << SECTION_RESULT,
        PAYLOAD = 1u << SECTION_PAYLOAD
    };
    static const struct store_kind kinds[STORE_KINDS_MAX] = {
        [CHANGE_START] = {"start", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_NAME] = {"name", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_JOB] = {"job", STORE_KEEP_WHILE_LIVE, true, RECIPIENTS | ENVELOPE, CHANGE_TRY},
        [CHANGE_TRY] = {"try", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_END] = {"end", STORE_KEEP_HISTORY, true, RESULT | RECIPIENTS | ENVELOPE | PAYLOAD, 0},
        [CHANGE_CONVERSATION] = {"conversation", STORE_KEEP_WHILE_LIVE, false, 0, 0},
        [CHANGE_LINE] = {"line", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_PAUSE] = {"pause", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_SEEN] = {"seen", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_DELIVERY] = {"delivery", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_GATE] = {"gate", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_REPUTATION] = {"reputation", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_SUPPRESSION] = {"suppression", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_ORDERS] = {"orders", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_CAMPAIGN] = {"campaign", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_REPLIES] = {"replies", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_AUDIT] = {"audit", STORE_KEEP_HISTORY, true, RESULT, 0},
        [CHANGE_OUTCOMES] = {"outcomes", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_ERASURE] = {"erasure", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_FORGOTTEN] = {"forgotten", STORE_KEEP_HISTORY, true, 0, 0},
    };
    return kinds;
}
