/* What record.c writes it reads back, whatever the values; what it did not write it refuses. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store/record.h"

#define ROUNDS 20000

static uint64_t state = 20261123;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Small and large alike, so that every length of a number is met. */
static uint64_t number(void)
{
    return draw() >> draw() % 64;
}

static int64_t moment(void)
{
    return draw() % 4 == 0 ? 0 : (int64_t)(number() >> 17);
}

static int64_t any(void)
{
    return (int64_t)number() * (draw() % 2 == 0 ? 1 : -1);
}

static bool flip(void)
{
    return draw() % 2 == 0;
}

static void draw_text(char *out, size_t room)
{
    size_t bytes = draw() % room;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(1 + draw() % 255);
    out[bytes] = '\0';
}

static void draw_window(struct budget_window *window)
{
    window->newest = moment();
    window->sum = 0;
    for (int i = 0; i < BUDGET_BUCKETS; i++) {
        window->count[i] = draw() % 3 == 0 ? (uint16_t)number() : 0;
        window->sum += window->count[i];
    }
}

static void draw_reply_days(struct reply_days *days)
{
    days->newest = (uint32_t)number();
    for (unsigned i = 0; i < REPLY_DAYS; i++) {
        days->sent[i] = (uint32_t)number();
        days->answered[i] = (uint32_t)number();
    }
}

static void draw_line(struct change_line *line)
{
    *line = (struct change_line){.number = number(),
                                 .account = (uint16_t)number(),
                                 .word = draw() % REPUTATION_COUNT,
                                 .previous = draw() % REPUTATION_COUNT,
                                 .proven = draw() % REPUTATION_COUNT,
                                 .source = draw() % SOURCE_COUNT,
                                 .service = draw() % SERVICE_COUNT,
                                 .service_source = draw() % SOURCE_COUNT,
                                 .hold = flip(),
                                 .gone = flip(),
                                 .cordoned = flip(),
                                 .heard = flip(),
                                 .missed_polls = (uint8_t)number(),
                                 .ramp_step = draw() % CONF_RAMP_STEPS_MAX,
                                 .relapses = (uint8_t)number(),
                                 .changed_at_ms = moment(),
                                 .heard_at_ms = moment(),
                                 .first_seen_ms = moment(),
                                 .flagged_at_ms = moment(),
                                 .ramp_until_ms = moment(),
                                 .relapsed_at_ms = moment(),
                                 .gate_since_ms = moment(),
                                 .event_at_ms = moment()};
    draw_window(&line->messages);
    draw_window(&line->fresh);
    draw_window(&line->out);
    draw_window(&line->away);
    line->day = moment();
    for (int i = 0; i < LEVEL_DAYS; i++)
        line->days[i] = (uint32_t)number();
    draw_reply_days(&line->replies);
}

static void draw_start(struct change_start *start)
{
    for (size_t i = 0; i < sizeof start->random; i++)
        start->random[i] = (uint8_t)draw();
    start->start = number();
    start->first_job = number();
    start->next_job = number();
    start->next_lease = number();
    start->next_seq = number();
    start->next_pause = number();
    start->next_audit = number();
    start->at_ms = moment();
    for (int t = 0; t < TOPIC_COUNT; t++)
        start->prev_seq[t] = number();
}

static struct change_job draw_job(void)
{
    return (struct change_job){.number = number(),
                               .conversation = draw(),
                               .id_hash = draw(),
                               .content_hash = draw(),
                               .from_line = number(),
                               .chat_hash = draw(),
                               .accepted_at_ms = moment(),
                               .due_ms = moment(),
                               .expires_ms = moment(),
                               .pool = (uint16_t)number(),
                               .campaign = (uint16_t)number(),
                               .class = draw() % CLASS_COUNT,
                               .flags = (uint8_t)number(),
                               .life = (uint8_t)number(),
                               .slot = (uint32_t)draw(),
                               .order = number(),
                               .collapse = draw(),
                               .has_link = flip(),
                               .zone = (uint16_t)number(),
                               .area = (uint16_t)number()};
}

static struct change_try draw_try(void)
{
    return (struct change_try){.number = number(),
                               .order = number(),
                               .lease = number(),
                               .instance = draw(),
                               .line = number(),
                               .due_ms = moment(),
                               .state = draw() % JOB_STATE_COUNT,
                               .attempts = (uint8_t)number(),
                               .failures = (uint8_t)number(),
                               .unsettled = flip(),
                               .wide = flip(),
                               .cancel = flip(),
                               .doubtful = flip(),
                               .http_status = (uint16_t)number(),
                               .code = any(),
                               .bucket = moment(),
                               .bucket_messages = (uint16_t)number(),
                               .bucket_new = (uint16_t)number(),
                               .bucket_out = (uint16_t)number(),
                               .out_ms = any(),
                               .expires_told = any()};
}

static struct change_conversation draw_conversation(void)
{
    return (struct change_conversation){.key = draw(),
                                        .line = number(),
                                        .chat_hash = draw(),
                                        .pool = (uint16_t)number(),
                                        .health = draw() % CHAT_HEALTH_COUNT,
                                        .streak = (uint8_t)number(),
                                        .health_at_ms = moment(),
                                        .last_out_ms = moment(),
                                        .last_in_ms = moment(),
                                        .forgotten_chat = flip(),
                                        .unbegun = flip(),
                                        .as_of = number(),
                                        .waits_day = (uint16_t)number(),
                                        .waits_campaign = (uint16_t)number(),
                                        .waits_class = draw() % CLASS_COUNT};
}

static void draw_pause(struct change_pause *pause)
{
    pause->id = number();
    pause->scope = draw() % PAUSE_SCOPE_COUNT;
    pause->over = flip();
    pause->target = number();
    pause->since_ms = moment();
    pause->until_ms = moment();
    draw_text(pause->reason, sizeof pause->reason);
    draw_text(pause->by, sizeof pause->by);
    pause->pool = (uint16_t)number();
    draw_text(pause->name, sizeof pause->name);
}

static void draw_outcomes(struct change_outcomes *outcomes)
{
    memset(outcomes, 0, sizeof *outcomes);
    outcomes->pool = (uint16_t)number();
    outcomes->confirmed = number();
    outcomes->missed = number();
    outcomes->count = (uint16_t)(draw() % (OUTCOMES_WAITING_MAX + 1));
    for (unsigned i = 0; i < outcomes->count; i++)
        outcomes->waiting[i] = (outcomes->read_to += 1 + number() % (UINT64_C(1) << 40));
}

static void draw_orders(struct change_orders *orders)
{
    orders->line = number();
    orders->word = draw() % REPUTATION_COUNT;
    orders->word_stands = flip();
    orders->word_since_ms = moment();
    orders->word_until_ms = moment();
    draw_text(orders->word_reason, sizeof orders->word_reason);
    draw_text(orders->word_by, sizeof orders->word_by);
    orders->drain = draw() % DRAIN_COUNT;
    orders->drain_pace_per_min = (int64_t)(draw() % 100000);
    orders->drain_since_ms = moment();
    orders->drain_before = number();
    orders->drain_jobs = (uint32_t)draw();
    orders->drain_conversations = (uint32_t)draw();
    draw_text(orders->drain_by, sizeof orders->drain_by);
    orders->drain_order = draw() % DRAIN_ORDER_COUNT;
    orders->drain_stop_percent = draw() % 100;
    orders->drain_state = draw() % DRAIN_STATE_COUNT;
    orders->drain_past = draw() % DRAIN_COUNT;
    orders->drain_opened = draw() % 2;
    orders->drain_sent = number();
    orders->drain_failed = number();
    orders->drain_total = number();
    orders->drain_ended_ms = moment();
    orders->drain_pause = number();
    draw_text(orders->drain_why, sizeof orders->drain_why);
}

static void draw_name(struct change_name *name)
{
    name->number = (uint16_t)number();
    name->kind = (uint8_t)(NAME_POOL + draw() % (NAME_ZONE - NAME_POOL + 1));
    draw_text(name->text, sizeof name->text);
}

static void draw_erasure(struct change_erasure *erasure)
{
    *erasure = (struct change_erasure){.id = number() | 1,
                                       .state = draw() % ERASURE_STATE_COUNT,
                                       .more = flip(),
                                       .begun_ms = moment(),
                                       .done_ms = moment(),
                                       .jobs = number(),
                                       .conversations = number(),
                                       .records = number(),
                                       .person = draw(),
                                       .recipient_count = draw() % (ERASURE_RECIPIENTS_MAX + 1),
                                       .key_count = draw() % (ERASURE_KEYS_MAX + 1)};
    for (unsigned i = 0; i < erasure->recipient_count; i++)
        erasure->recipients[i] = draw();
    for (unsigned i = 0; i < erasure->key_count; i++)
        erasure->keys[i] = draw();
    draw_text(erasure->by, sizeof erasure->by);
}

static struct change_end draw_end(void)
{
    return (struct change_end){.number = number(),
                               .line = number(),
                               .conversation = draw(),
                               .state = draw() % JOB_STATE_COUNT,
                               .attempts = (uint8_t)number(),
                               .code = draw() % CODE_COUNT,
                               .dead = flip(),
                               .message_hash = draw(),
                               .provider_code = any(),
                               .life = (uint8_t)number(),
                               .streak_told = (uint8_t)number(),
                               .out_ago_s = (uint32_t)number(),
                               .pool = (uint16_t)number(),
                               .campaign = (uint16_t)number(),
                               .campaign_ended = number(),
                               .class = draw() % CLASS_COUNT,
                               .line_sent = (uint32_t)number(),
                               .pool_sent = (uint32_t)number(),
                               .campaign_sent = (uint32_t)number(),
                               .expires_told = any()};
}

static void draw_suppression(struct change_suppression *suppression, struct suppression_text *text)
{
    draw_text(text->recipient, sizeof text->recipient);
    draw_text(text->reason, sizeof text->reason);
    draw_text(text->by, sizeof text->by);
    *suppression = (struct change_suppression){.key = draw(),
                                               .account = (uint16_t)number(),
                                               .cause = draw() % SUPPRESS_COUNT,
                                               .over = flip(),
                                               .since_ms = moment(),
                                               .causes = (uint8_t)(draw() % (1u << SUPPRESS_COUNT)),
                                               .text = flip() ? text : NULL};
}

static void draw_audit(struct change_audit *audit)
{
    *audit = (struct change_audit){.number = number() | 1, .line = number()};
    draw_text(audit->by, sizeof audit->by);
    draw_text(audit->pool, sizeof audit->pool);
}

/* What the change only points to. False: this kind is held by value. */
static bool draw_lent(struct change *change, struct record_storage *storage)
{
    switch (change->kind) {
    case CHANGE_START:
        draw_start(&storage->start);
        change->start = &storage->start;
        return true;
    case CHANGE_NAME:
        draw_name(&storage->name);
        change->name = &storage->name;
        return true;
    case CHANGE_LINE:
        draw_line(&storage->line);
        change->line = &storage->line;
        return true;
    case CHANGE_PAUSE:
        draw_pause(&storage->pause);
        change->pause = &storage->pause;
        return true;
    case CHANGE_ORDERS:
        draw_orders(&storage->orders);
        change->orders = &storage->orders;
        return true;
    case CHANGE_OUTCOMES:
        draw_outcomes(&storage->outcomes);
        change->outcomes = &storage->outcomes;
        return true;
    case CHANGE_ERASURE:
        draw_erasure(&storage->erasure);
        change->erasure = &storage->erasure;
        return true;
    case CHANGE_AUDIT:
        draw_audit(&storage->audit);
        change->audit = &storage->audit;
        return true;
    default:
        return false;
    }
}

static void draw_held(struct change *change, struct record_storage *storage)
{
    if (change->kind == CHANGE_JOB) {
        change->job = draw_job();
    } else if (change->kind == CHANGE_TRY) {
        change->try = draw_try();
    } else if (change->kind == CHANGE_END) {
        change->end = draw_end();
    } else if (change->kind == CHANGE_CONVERSATION) {
        change->conversation = draw_conversation();
    } else if (change->kind == CHANGE_FORGOTTEN) {
        change->conversation.key = draw();
    } else if (change->kind == CHANGE_SEEN) {
        change->seen = (struct change_seen){.event = draw(), .at_ms = moment()};
    } else if (change->kind == CHANGE_DELIVERY) {
        change->delivery = (struct change_delivery){
            .number = number(), .delivery = draw() % DELIVERY_COUNT, .code = any(), .message_hash = draw()};
    } else if (change->kind == CHANGE_GATE) {
        change->gate = (struct change_gate){number(), draw() % GATE_COUNT, draw() % REASON_COUNT};
    } else if (change->kind == CHANGE_REPUTATION) {
        change->reputation = (struct change_reputation){number(), draw() % REPUTATION_COUNT,
                                                        draw() % REPUTATION_COUNT, draw() % SOURCE_COUNT, moment()};
    } else if (change->kind == CHANGE_CAMPAIGN) {
        change->campaign = (struct change_campaign){.pool = (uint16_t)number(), .name = (uint16_t)number()};
        for (unsigned end = 0; end < ENDS; end++)
            change->campaign.ended[end] = number();
    } else if (change->kind == CHANGE_REPLIES) {
        change->replies = (struct change_replies){
            .pool = (uint16_t)number(), .campaign = (uint16_t)number(), .class = draw() % CLASS_COUNT};
        draw_reply_days(&change->replies.days);
    } else {
        draw_suppression(&change->suppression, &storage->suppression);
    }
}

/* A change of this kind with values all over their ranges; the larger ones live in *storage. */
static struct change draw_change(enum change_kind kind, struct record_storage *storage)
{
    struct change change;
    memset(&change, 0, sizeof change);
    memset(storage, 0, sizeof *storage);
    change.kind = kind;
    change.event.at_ms = moment();
    if (flip()) {
        change.event.seq = number() + 1;
        change.event.prev = draw() % change.event.seq;
        change.event.topic = draw() % TOPIC_COUNT;
    }
    if (!draw_lent(&change, storage))
        draw_held(&change, storage);
    return change;
}

/* By writing it again: equal bytes say that all that was written was read. */
static void check_round_trip(const struct change *change)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    uint8_t again[STORE_HEAD_BYTES_MAX];
    struct record_storage storage;
    struct change read;
    size_t bytes = record_encode(change, head);
    ck_assert(record_decode(change->kind, change_key(change), change->event.seq, head, bytes, &storage, &read));
    ck_assert_uint_eq(change_key(&read), change_key(change));
    ck_assert_uint_eq(read.event.seq, change->event.seq);
    ck_assert_uint_eq(record_encode(&read, again), bytes);
    ck_assert_int_eq(memcmp(head, again, bytes), 0);
}

START_TEST(every_kind_comes_back_as_it_was_written)
{
    struct record_storage storage;
    for (int i = 0; i < ROUNDS; i++) {
        struct change change = draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
        check_round_trip(&change);
    }
}
END_TEST

static void check_suppression(const struct change_suppression *read, const struct change_suppression *written)
{
    static const struct suppression_text nothing;
    const struct suppression_text *text = written->text != NULL ? written->text : &nothing;
    ck_assert_uint_eq(read->account, written->account);
    ck_assert_uint_eq(read->cause, written->cause);
    ck_assert_uint_eq(read->causes, written->causes);
    ck_assert(read->over == written->over);
    ck_assert_int_eq(read->since_ms, written->since_ms);
    ck_assert_str_eq(read->text->recipient, text->recipient);
    ck_assert_str_eq(read->text->reason, text->reason);
    ck_assert_str_eq(read->text->by, text->by);
}

START_TEST(every_field_of_what_is_held_by_value_comes_back)
{
    struct record_storage storage;
    struct record_storage other;
    uint8_t head[STORE_HEAD_BYTES_MAX];
    for (int i = 0; i < ROUNDS; i++) {
        struct change change = draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
        struct change read;
        size_t bytes = record_encode(&change, head);
        ck_assert(record_decode(change.kind, change_key(&change), change.event.seq, head, bytes, &other, &read));
        ck_assert_int_eq(read.event.at_ms, change.event.at_ms);
        ck_assert_uint_eq(read.event.prev, change.event.prev);
        ck_assert_uint_eq(read.event.topic, change.event.topic);
        if (change.kind == CHANGE_LINE)
            ck_assert_int_eq(memcmp(read.line, change.line, sizeof *read.line), 0);
        else if (change.kind == CHANGE_START)
            ck_assert_int_eq(memcmp(read.start, change.start, sizeof *read.start), 0);
        else if (change.kind == CHANGE_PAUSE)
            ck_assert_str_eq(read.pause->reason, change.pause->reason);
        else if (change.kind == CHANGE_NAME)
            ck_assert_str_eq(read.name->text, change.name->text);
        else if (change.kind == CHANGE_TRY)
            ck_assert_int_eq(memcmp(&read.try, &change.try, sizeof read.try), 0);
        else if (change.kind == CHANGE_JOB)
            ck_assert_int_eq(memcmp(&read.job, &change.job, sizeof read.job), 0);
        else if (change.kind == CHANGE_CONVERSATION)
            ck_assert_int_eq(memcmp(&read.conversation, &change.conversation, sizeof read.conversation), 0);
        else if (change.kind == CHANGE_END)
            ck_assert_int_eq(memcmp(&read.end, &change.end, sizeof read.end), 0);
        else if (change.kind == CHANGE_SUPPRESSION)
            check_suppression(&read.suppression, &change.suppression);
    }
}
END_TEST

START_TEST(a_head_cut_at_any_byte_or_with_one_more_is_refused)
{
    struct record_storage storage;
    struct record_storage other;
    struct change read;
    for (int i = 0; i < 20 * CHANGE_KIND_COUNT; i++) {
        struct change change = draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
        uint8_t head[STORE_HEAD_BYTES_MAX + 1];
        size_t bytes = record_encode(&change, head);
        head[bytes] = 0;
        for (size_t cut = 0; cut <= bytes + 1; cut++) {
            uint8_t *exact = malloc(cut + 1); /* of its own, so that a sanitizer sees a byte too far */
            ck_assert_ptr_nonnull(exact);
            memcpy(exact, head, cut);
            bool good = record_decode(change.kind, change_key(&change), change.event.seq, exact, cut, &other, &read);
            free(exact);
            ck_assert_msg(good == (cut == bytes), "kind %d cut to %zu of %zu bytes", (int)change.kind, cut, bytes);
        }
    }
}
END_TEST

START_TEST(random_bytes_are_read_or_refused_but_never_obeyed_beyond_their_ranges)
{
    struct record_storage storage;
    struct change read;
    for (int i = 0; i < 200000; i++) {
        uint8_t head[64];
        size_t bytes = draw() % sizeof head;
        for (size_t b = 0; b < bytes; b++)
            head[b] = draw() % 3 == 0 ? 0xFF : (uint8_t)draw();
        if (bytes > 0)
            head[0] = RECORD_VERSION;
        if (record_decode(1 + draw() % (CHANGE_KIND_COUNT - 1), draw(), flip(), head, bytes, &storage, &read) &&
            read.kind == CHANGE_TRY)
            ck_assert_uint_lt(read.try.state, JOB_STATE_COUNT);
    }
}
END_TEST

START_TEST(a_newer_version_and_none_are_refused)
{
    struct record_storage storage;
    struct change read;
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct change change = {.kind = CHANGE_SEEN, .seen = {.event = 7, .at_ms = 8}};
    size_t bytes = record_encode(&change, head);
    for (int version = 0; version < 256; version++) {
        head[0] = (uint8_t)version;
        ck_assert_int_eq(record_decode(CHANGE_SEEN, 7, 0, head, bytes, &storage, &read),
                         version >= 1 && version <= RECORD_VERSION);
    }
}
END_TEST

START_TEST(a_suppression_of_version_1_has_one_cause_and_no_texts)
{
    struct record_storage storage;
    struct change read;
    const uint8_t head[] = {1, 0x80, 0x01, TOPIC_NONE, 5, SUPPRESS_BLOCKED, 0, 0xD0, 0x0F};
    ck_assert(record_decode(CHANGE_SUPPRESSION, 9, 0, head, sizeof head, &storage, &read));
    ck_assert_uint_eq(read.suppression.key, 9);
    ck_assert_uint_eq(read.suppression.account, 5);
    ck_assert_uint_eq(read.suppression.cause, SUPPRESS_BLOCKED);
    ck_assert_int_eq(read.suppression.since_ms, 1000);
    ck_assert_uint_eq(read.suppression.causes, 0);
    ck_assert_str_eq(read.suppression.text->recipient, "");
    ck_assert_str_eq(read.suppression.text->by, "");
}
END_TEST

START_TEST(a_try_of_version_2_does_not_tell_when_its_conversation_was_written_to)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct record_storage storage;
    struct change read;
    struct change change = {.kind = CHANGE_TRY, .try = {.number = 9, .bucket_out = 7}};
    size_t bytes = record_encode(&change, head) - 2; /* without its last fields */
    ck_assert(!record_decode(CHANGE_TRY, 9, 0, head, bytes, &storage, &read));
    head[0] = 2;
    ck_assert(record_decode(CHANGE_TRY, 9, 0, head, bytes, &storage, &read));
    ck_assert_uint_eq(read.try.bucket_out, 7);
    ck_assert_int_eq(read.try.out_ms, 0);
}
END_TEST

/* As a broker before drains had an order wrote an operator's word: its store must open. */
START_TEST(orders_from_before_drains_had_an_order_are_read)
{
    static const uint8_t head[] = {0x04, 0xf8, 0xec, 0xe9, 0xe3, 0xc3, 0x68, 0x00, 0x01, 0x01, 0xf8, 0xec,
                                   0xe9, 0xe3, 0xc3, 0x68, 0xf8, 0x8b, 0xb3, 0xe4, 0xc3, 0x68, 0x00, 0x03,
                                   0x61, 0x64, 0x6d, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    struct record_storage storage;
    struct change read;
    ck_assert(record_decode(CHANGE_ORDERS, UINT64_C(12025550101), 0, head, sizeof head, &storage, &read));
    ck_assert_uint_eq(read.orders->line, UINT64_C(12025550101));
    ck_assert_int_eq(read.orders->word_until_ms - read.orders->word_since_ms, 600000);
    ck_assert_str_eq(read.orders->word_by, "adm");
    ck_assert_uint_eq(read.orders->drain_state, 0);
}
END_TEST

/* Lengths of heads in which all is zero: a byte a number or text, eight a hash. Whoever adds a field raises
 * RECORD_VERSION and adds a ROW with that version and the new length: the rows before it are what lies on disks, and
 * stay. A broker that writes a longer head under an old version's number is one that the version before it misreads.
 */
struct head_length {
    enum change_kind kind;
    unsigned since; /* the first version that writes it so */
    size_t bytes;
};
static const struct head_length head_lengths[] = {
    /* one kind's rows together, the older ones first; 3 of the bytes are the version and the event's mark */
    {CHANGE_START, 1, 3 + KEY_RANDOM_BYTES + 7 + TOPIC_COUNT}, /* which writes how many topics there are */
    {CHANGE_START, 4, 3 + KEY_RANDOM_BYTES + 8 + TOPIC_COUNT},
    {CHANGE_NAME, 1, 5},
    {CHANGE_JOB, 1, 3 + 5 * 8 + 14},
    {CHANGE_TRY, 1, 3 + 8 + 14},
    {CHANGE_TRY, 3, 3 + 8 + 15},
    {CHANGE_TRY, 6, 3 + 8 + 16},
    {CHANGE_END, 1, 3 + 2 * 8 + 9},
    {CHANGE_END, 2, 3 + 2 * 8 + 12},
    {CHANGE_END, 6, 3 + 2 * 8 + 16},
    {CHANGE_END, 7, 3 + 2 * 8 + 17},
    {CHANGE_CONVERSATION, 1, 3 + 8 + 10},
    {CHANGE_CONVERSATION, 6, 3 + 8 + 13},
    {CHANGE_LINE, 1, 3 + 22 + 3 * 2 + 1 + LEVEL_DAYS + 2}, /* an empty window has two */
    {CHANGE_LINE, 6, 3 + 22 + 3 * 2 + 1 + LEVEL_DAYS + 2 + 1 + 2 * REPLY_DAYS},
    {CHANGE_PAUSE, 1, 10},
    {CHANGE_PAUSE, 2, 12},
    {CHANGE_ORDERS, 1, 16},
    {CHANGE_ORDERS, 5, 27},
    {CHANGE_OUTCOMES, 1, 7},
    {CHANGE_ERASURE, 5, 3 + 8 + 10},
    {CHANGE_FORGOTTEN, 5, 3},
    {CHANGE_SEEN, 1, 4},
    {CHANGE_DELIVERY, 1, 3 + 8 + 2},
    {CHANGE_GATE, 1, 5},
    {CHANGE_REPUTATION, 1, 7},
    {CHANGE_SUPPRESSION, 1, 7},
    {CHANGE_SUPPRESSION, 2, 11},
    {CHANGE_CAMPAIGN, 1, 3 + ENDS},
    {CHANGE_REPLIES, 6, 3 + 1 + 2 * REPLY_DAYS},
    {CHANGE_AUDIT, 1, 7},
};

static struct change zero_change(enum change_kind kind)
{
    static struct record_storage zeros; /* a walk may write what it read, the same value */
    struct change change = {.kind = kind};
    if (kind == CHANGE_START)
        change.start = &zeros.start;
    else if (kind == CHANGE_NAME)
        change.name = &zeros.name;
    else if (kind == CHANGE_LINE)
        change.line = &zeros.line;
    else if (kind == CHANGE_PAUSE)
        change.pause = &zeros.pause;
    else if (kind == CHANGE_ORDERS)
        change.orders = &zeros.orders;
    else if (kind == CHANGE_OUTCOMES)
        change.outcomes = &zeros.outcomes;
    else if (kind == CHANGE_ERASURE)
        change.erasure = &zeros.erasure;
    else if (kind == CHANGE_AUDIT)
        change.audit = &zeros.audit;
    return change;
}

START_TEST(a_head_that_grows_raises_the_version_of_records)
{
    const size_t rows = sizeof head_lengths / sizeof *head_lengths;
    unsigned newest = 0;
    for (int kind = 1; kind < CHANGE_KIND_COUNT; kind++) {
        const struct head_length *last = NULL;
        for (size_t i = 0; i < rows; i++) {
            if (head_lengths[i].kind != (enum change_kind)kind)
                continue;
            ck_assert_msg(
                last == NULL || (last->since < head_lengths[i].since && last->bytes < head_lengths[i].bytes),
                "kind %s: each row of head_lengths is of a later version than the one before it, and longer",
                record_kinds()[kind].name);
            last = &head_lengths[i];
            newest = last->since > newest ? last->since : newest;
        }
        ck_assert_msg(last != NULL, "kind %d has no row in head_lengths", kind);
        uint8_t head[STORE_HEAD_BYTES_MAX];
        struct change change = zero_change((enum change_kind)kind);
        size_t bytes = record_encode(&change, head);
        ck_assert_msg(
            bytes == last->bytes,
            "the head of kind %s has %zu bytes, pinned are %zu: raise RECORD_VERSION (now %d), then add a row to "
            "head_lengths with the new version and length",
            record_kinds()[kind].name, bytes, last->bytes, RECORD_VERSION);
    }
    ck_assert_msg(newest == RECORD_VERSION, "RECORD_VERSION is %d, the newest row of head_lengths is of version %u",
                  RECORD_VERSION, newest);
}
END_TEST

START_TEST(an_older_version_s_shorter_heads_are_read_and_the_present_one_s_are_not)
{
    for (size_t i = 0; i + 1 < sizeof head_lengths / sizeof *head_lengths; i++) {
        const struct head_length *old = &head_lengths[i], *next = old + 1;
        if (next->kind != old->kind)
            continue;
        uint8_t head[STORE_HEAD_BYTES_MAX];
        struct record_storage storage;
        struct change read, change = zero_change(old->kind);
        record_encode(&change, head);
        ck_assert(!record_decode(old->kind, 0, 0, head, old->bytes, &storage, &read));
        head[0] = (uint8_t)(next->since - 1);
        ck_assert_msg(record_decode(old->kind, 0, 0, head, old->bytes, &storage, &read), "kind %s of version %u",
                      record_kinds()[old->kind].name, next->since - 1);
    }
}
END_TEST

START_TEST(an_unknown_kind_is_refused)
{
    struct record_storage storage;
    struct change read;
    const uint8_t head[] = {RECORD_VERSION, 0, 0};
    ck_assert(!record_decode(0, 1, 0, head, sizeof head, &storage, &read));
    ck_assert(!record_decode(CHANGE_KIND_COUNT, 1, 0, head, sizeof head, &storage, &read));
    ck_assert(!record_decode(1000, 1, 0, head, sizeof head, &storage, &read));
}
END_TEST

START_TEST(values_beyond_their_enum_are_refused)
{
    struct record_storage storage;
    struct change read;
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct change changes[] = {{.kind = CHANGE_JOB, .job = {.class = CLASS_COUNT}},
                               {.kind = CHANGE_TRY, .try = {.state = JOB_STATE_COUNT}},
                               {.kind = CHANGE_END, .end = {.code = CODE_COUNT}},
                               {.kind = CHANGE_END, .end = {.state = JOB_STATE_COUNT}},
                               {.kind = CHANGE_CONVERSATION, .conversation = {.health = CHAT_HEALTH_COUNT}},
                               {.kind = CHANGE_GATE, .gate = {.gate = GATE_COUNT}},
                               {.kind = CHANGE_GATE, .gate = {.reason = REASON_COUNT}},
                               {.kind = CHANGE_DELIVERY, .delivery = {.delivery = DELIVERY_COUNT}},
                               {.kind = CHANGE_SUPPRESSION, .suppression = {.cause = SUPPRESS_COUNT}},
                               {.kind = CHANGE_SUPPRESSION, .suppression = {.causes = 1u << SUPPRESS_COUNT}},
                               {.kind = CHANGE_SEEN, .event = {.topic = TOPIC_COUNT + 1}}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size_t bytes = record_encode(&changes[i], head);
        ck_assert_msg(!record_decode(changes[i].kind, 1, 0, head, bytes, &storage, &read), "change %zu", i);
    }
}
END_TEST

START_TEST(the_largest_line_pause_and_suppression_fit_a_head)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct change_line line;
    memset(&line, 0, sizeof line);
    line.number = line.changed_at_ms = line.heard_at_ms = line.first_seen_ms = line.flagged_at_ms = (1LL << 47) - 1;
    line.ramp_until_ms = line.relapsed_at_ms = line.gate_since_ms = line.event_at_ms = (1LL << 47) - 1;
    line.account = UINT16_MAX;
    line.messages.newest = line.fresh.newest = line.out.newest = line.away.newest = (1LL << 47) / BUDGET_BUCKET_MS;
    for (int i = 0; i < BUDGET_BUCKETS; i++)
        line.messages.count[i] = line.fresh.count[i] = line.out.count[i] = line.away.count[i] = UINT16_MAX;
    line.messages.sum = line.fresh.sum = line.out.sum = line.away.sum = BUDGET_BUCKETS * UINT16_MAX;
    line.day = (1LL << 47) / LEVEL_DAY_MS;
    for (int i = 0; i < LEVEL_DAYS; i++)
        line.days[i] = UINT32_MAX;
    struct change change = {.kind = CHANGE_LINE, .line = &line, .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
    check_round_trip(&change);
    struct change_pause pause = {
        .id = UINT64_MAX, .target = UINT64_MAX, .since_ms = 1LL << 47, .until_ms = 1LL << 47};
    memset(pause.reason, 'r', sizeof pause.reason - 1);
    memset(pause.by, 'b', sizeof pause.by - 1);
    memset(pause.name, 'n', sizeof pause.name - 1);
    pause.pool = UINT16_MAX;
    change = (struct change){.kind = CHANGE_PAUSE, .pause = &pause, .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
    check_round_trip(&change);
    struct suppression_text text;
    memset(text.recipient, 'a', sizeof text.recipient);
    memset(text.reason, 'r', sizeof text.reason);
    memset(text.by, 'b', sizeof text.by);
    text.recipient[sizeof text.recipient - 1] = text.reason[sizeof text.reason - 1] = text.by[sizeof text.by - 1] = 0;
    change = (struct change){.kind = CHANGE_SUPPRESSION,
                             .suppression = {.key = 1, .since_ms = 1LL << 47, .text = &text},
                             .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
    check_round_trip(&change);
    ck_assert_uint_le(record_encode(&change, head), STORE_HEAD_BYTES_MAX);
    struct change_outcomes outcomes = {
        .pool = UINT16_MAX, .confirmed = UINT64_MAX, .missed = UINT64_MAX, .count = OUTCOMES_WAITING_MAX};
    for (unsigned i = 0; i < OUTCOMES_WAITING_MAX; i++) /* as far apart as a log of 2^62 events lets all of them be */
        outcomes.waiting[i] = outcomes.read_to += (UINT64_C(1) << 62) / OUTCOMES_WAITING_MAX;
    change = (struct change){
        .kind = CHANGE_OUTCOMES, .outcomes = &outcomes, .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
    check_round_trip(&change);
    struct change_erasure erasure = {.id = UINT64_MAX,
                                     .begun_ms = INT64_MAX,
                                     .done_ms = INT64_MAX,
                                     .jobs = UINT64_MAX,
                                     .conversations = UINT64_MAX,
                                     .records = UINT64_MAX,
                                     .recipient_count = ERASURE_RECIPIENTS_MAX,
                                     .key_count = ERASURE_KEYS_MAX};
    memset(erasure.by, 'b', sizeof erasure.by - 1);
    change = (struct change){.kind = CHANGE_ERASURE, .erasure = &erasure, .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
    check_round_trip(&change);
    ck_assert_uint_le(record_encode(&change, head), STORE_HEAD_BYTES_MAX);
}
END_TEST

START_TEST(a_record_comes_back_with_its_sections)
{
    static const char to[] = "[\"+14155550101\"]";
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct record_storage storage;
    struct change read;
    struct change change = {.kind = CHANGE_JOB, .job = {.number = 5, .class = CLASS_REPLY}};
    struct store_record record = {
        .kind = CHANGE_JOB, .key = 5, .head = head, .head_bytes = record_encode(&change, head)};
    record.sections[SECTION_RECIPIENTS] = (struct store_section){to, sizeof to - 1};
    ck_assert(record_as_change(&record, &storage, &read));
    ck_assert_uint_eq(read.job.number, 5);
    ck_assert_ptr_eq(read.sections[SECTION_RECIPIENTS].data, to);
    ck_assert_uint_eq(read.sections[SECTION_PAYLOAD].bytes, 0);
}
END_TEST

START_TEST(every_kind_has_a_row_that_says_how_it_lives)
{
    const struct store_kind *kinds = record_kinds();
    for (int kind = 1; kind < CHANGE_KIND_COUNT; kind++) {
        ck_assert_ptr_nonnull(kinds[kind].name);
        ck_assert_int_ne(kinds[kind].keep, STORE_KEEP_UNUSED);
    }
    ck_assert_ptr_null(kinds[0].name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_kind_comes_back_as_it_was_written);
    tcase_add_test(tcase, every_field_of_what_is_held_by_value_comes_back);
    tcase_add_test(tcase, a_head_cut_at_any_byte_or_with_one_more_is_refused);
    tcase_add_test(tcase, random_bytes_are_read_or_refused_but_never_obeyed_beyond_their_ranges);
    tcase_add_test(tcase, a_newer_version_and_none_are_refused);
    tcase_add_test(tcase, a_suppression_of_version_1_has_one_cause_and_no_texts);
    tcase_add_test(tcase, a_try_of_version_2_does_not_tell_when_its_conversation_was_written_to);
    tcase_add_test(tcase, orders_from_before_drains_had_an_order_are_read);
    tcase_add_test(tcase, a_head_that_grows_raises_the_version_of_records);
    tcase_add_test(tcase, an_older_version_s_shorter_heads_are_read_and_the_present_one_s_are_not);
    tcase_add_test(tcase, an_unknown_kind_is_refused);
    tcase_add_test(tcase, values_beyond_their_enum_are_refused);
    tcase_add_test(tcase, the_largest_line_pause_and_suppression_fit_a_head);
    tcase_add_test(tcase, a_record_comes_back_with_its_sections);
    tcase_add_test(tcase, every_kind_has_a_row_that_says_how_it_lives);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
