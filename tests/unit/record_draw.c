/* record_draw.c — see record_draw.h. */
#include "tests/unit/record_draw.h"

#include <string.h>

static uint64_t state = 20261123;

uint64_t record_draw(void) /* splitmix64 */
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Small and large alike, so that every length of a number is met. */
static uint64_t number(void)
{
    return record_draw() >> record_draw() % 64;
}

static int64_t moment(void)
{
    return record_draw() % 4 == 0 ? 0 : (int64_t)(number() >> 17);
}

static int64_t any(void)
{
    return (int64_t)number() * (record_draw() % 2 == 0 ? 1 : -1);
}

bool record_flip(void)
{
    return record_draw() % 2 == 0;
}

static void draw_text(char *out, size_t room)
{
    size_t bytes = record_draw() % room;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(1 + record_draw() % 255);
    out[bytes] = '\0';
}

static void draw_window(struct budget_window *window)
{
    window->newest = moment();
    window->sum = 0;
    for (int i = 0; i < BUDGET_BUCKETS; i++) {
        window->count[i] = record_draw() % 3 == 0 ? (uint16_t)number() : 0;
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
                                 .word = record_draw() % REPUTATION_COUNT,
                                 .previous = record_draw() % REPUTATION_COUNT,
                                 .proven = record_draw() % REPUTATION_COUNT,
                                 .source = record_draw() % SOURCE_COUNT,
                                 .service = record_draw() % SERVICE_COUNT,
                                 .service_source = record_draw() % SOURCE_COUNT,
                                 .hold = record_flip(),
                                 .gone = record_flip(),
                                 .cordoned = record_flip(),
                                 .heard = record_flip(),
                                 .missed_polls = (uint8_t)number(),
                                 .ramp_step = record_draw() % CONF_RAMP_STEPS_MAX,
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
        start->random[i] = (uint8_t)record_draw();
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
                               .conversation = record_draw(),
                               .id_hash = record_draw(),
                               .content_hash = record_draw(),
                               .from_line = number(),
                               .chat_hash = record_draw(),
                               .accepted_at_ms = moment(),
                               .due_ms = moment(),
                               .expires_ms = moment(),
                               .pool = (uint16_t)number(),
                               .campaign = (uint16_t)number(),
                               .class = record_draw() % CLASS_COUNT,
                               .flags = (uint8_t)number(),
                               .life = (uint8_t)number(),
                               .slot = (uint32_t)record_draw(),
                               .order = number(),
                               .collapse = record_draw(),
                               .has_link = record_flip(),
                               .zone = (uint16_t)number(),
                               .area = (uint16_t)number()};
}

static struct change_try draw_try(void)
{
    return (struct change_try){.number = number(),
                               .order = number(),
                               .lease = number(),
                               .instance = record_draw(),
                               .line = number(),
                               .due_ms = moment(),
                               .state = record_draw() % JOB_STATE_COUNT,
                               .attempts = (uint8_t)number(),
                               .failures = (uint8_t)number(),
                               .unsettled = record_flip(),
                               .wide = record_flip(),
                               .cancel = record_flip(),
                               .doubtful = record_flip(),
                               .told_sent = record_flip(),
                               .http_status = (uint16_t)number(),
                               .code = any(),
                               .bucket = moment(),
                               .bucket_messages = (uint16_t)number(),
                               .bucket_new = (uint16_t)number(),
                               .bucket_out = (uint16_t)number(),
                               .placed_told = record_draw() % 3,
                               .before_ms = any(),
                               .out_ms = any(),
                               .expires_told = any()};
}

static struct change_conversation draw_conversation(void)
{
    return (struct change_conversation){.key = record_draw(),
                                        .line = number(),
                                        .chat_hash = record_draw(),
                                        .pool = (uint16_t)number(),
                                        .health = record_draw() % CHAT_HEALTH_COUNT,
                                        .streak = (uint8_t)number(),
                                        .health_at_ms = moment(),
                                        .last_out_ms = moment(),
                                        .last_in_ms = moment(),
                                        .forgotten_chat = record_flip(),
                                        .unbegun = record_draw() % UNBEGUN_COUNT,
                                        .as_of = number(),
                                        .waits_day = (uint16_t)number(),
                                        .waits_campaign = (uint16_t)number(),
                                        .waits_class = record_draw() % CLASS_COUNT};
}

static void draw_pause(struct change_pause *pause)
{
    pause->id = number();
    pause->scope = record_draw() % PAUSE_SCOPE_COUNT;
    pause->over = record_flip();
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
    outcomes->count = (uint16_t)(record_draw() % (OUTCOMES_WAITING_MAX + 1));
    for (unsigned i = 0; i < outcomes->count; i++)
        outcomes->waiting[i] = (outcomes->read_to += 1 + number() % (UINT64_C(1) << 40));
}

static void draw_orders(struct change_orders *orders)
{
    orders->line = number();
    orders->word = record_draw() % REPUTATION_COUNT;
    orders->word_stands = record_flip();
    orders->word_since_ms = moment();
    orders->word_until_ms = moment();
    draw_text(orders->word_reason, sizeof orders->word_reason);
    draw_text(orders->word_by, sizeof orders->word_by);
    orders->drain = record_draw() % DRAIN_COUNT;
    orders->drain_pace_per_min = (int64_t)(record_draw() % 100000);
    orders->drain_since_ms = moment();
    orders->drain_before = number();
    orders->drain_jobs = (uint32_t)record_draw();
    orders->drain_conversations = (uint32_t)record_draw();
    draw_text(orders->drain_by, sizeof orders->drain_by);
    orders->drain_order = record_draw() % DRAIN_ORDER_COUNT;
    orders->drain_stop_percent = record_draw() % 100;
    orders->drain_state = record_draw() % DRAIN_STATE_COUNT;
    orders->drain_past = record_draw() % DRAIN_COUNT;
    orders->drain_opened = record_draw() % 2;
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
    name->kind = (uint8_t)(NAME_POOL + record_draw() % (NAME_ZONE - NAME_POOL + 1));
    draw_text(name->text, sizeof name->text);
}

static void draw_erasure(struct change_erasure *erasure)
{
    *erasure = (struct change_erasure){.id = number() | 1,
                                       .state = record_draw() % ERASURE_STATE_COUNT,
                                       .more = record_flip(),
                                       .begun_ms = moment(),
                                       .done_ms = moment(),
                                       .jobs = number(),
                                       .conversations = number(),
                                       .records = number(),
                                       .person = record_draw(),
                                       .recipient_count = record_draw() % (ERASURE_RECIPIENTS_MAX + 1),
                                       .key_count = record_draw() % (ERASURE_KEYS_MAX + 1)};
    for (unsigned i = 0; i < erasure->recipient_count; i++)
        erasure->recipients[i] = record_draw();
    for (unsigned i = 0; i < erasure->key_count; i++)
        erasure->keys[i] = record_draw();
    draw_text(erasure->by, sizeof erasure->by);
}

static struct change_end draw_end(void)
{
    return (struct change_end){.number = number(),
                               .line = number(),
                               .conversation = record_draw(),
                               .state = record_draw() % JOB_STATE_COUNT,
                               .attempts = (uint8_t)number(),
                               .code = record_draw() % CODE_COUNT,
                               .dead = record_flip(),
                               .message_hash = record_draw(),
                               .provider_code = any(),
                               .life = (uint8_t)number(),
                               .streak_told = (uint8_t)number(),
                               .out_ago_s = (uint32_t)number(),
                               .pool = (uint16_t)number(),
                               .campaign = (uint16_t)number(),
                               .campaign_ended = number(),
                               .class = record_draw() % CLASS_COUNT,
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
    *suppression = (struct change_suppression){.key = record_draw(),
                                               .account = (uint16_t)number(),
                                               .cause = record_draw() % SUPPRESS_COUNT,
                                               .over = record_flip(),
                                               .since_ms = moment(),
                                               .causes = (uint8_t)(record_draw() % (1u << SUPPRESS_COUNT)),
                                               .text = record_flip() ? text : NULL};
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
        change->conversation.key = record_draw();
    } else if (change->kind == CHANGE_SEEN) {
        change->seen = (struct change_seen){.event = record_draw(), .at_ms = moment()};
    } else if (change->kind == CHANGE_DELIVERY) {
        change->delivery = (struct change_delivery){.number = number(),
                                                    .delivery = record_draw() % DELIVERY_COUNT,
                                                    .code = any(),
                                                    .message_hash = record_draw()};
    } else if (change->kind == CHANGE_GATE) {
        change->gate = (struct change_gate){number(), record_draw() % GATE_COUNT, record_draw() % REASON_COUNT};
    } else if (change->kind == CHANGE_REPUTATION) {
        change->reputation =
            (struct change_reputation){number(), record_draw() % REPUTATION_COUNT, record_draw() % REPUTATION_COUNT,
                                       record_draw() % SOURCE_COUNT, moment()};
    } else if (change->kind == CHANGE_CAMPAIGN) {
        change->campaign = (struct change_campaign){.pool = (uint16_t)number(), .name = (uint16_t)number()};
        for (unsigned end = 0; end < ENDS; end++)
            change->campaign.ended[end] = number();
    } else if (change->kind == CHANGE_REPLIES) {
        change->replies = (struct change_replies){
            .pool = (uint16_t)number(), .campaign = (uint16_t)number(), .class = record_draw() % CLASS_COUNT};
        draw_reply_days(&change->replies.days);
    } else {
        draw_suppression(&change->suppression, &storage->suppression);
    }
}

/* A change of this kind with values all over their ranges; the larger ones live in *storage. */
struct change record_draw_change(enum change_kind kind, struct record_storage *storage)
{
    struct change change;
    memset(&change, 0, sizeof change);
    memset(storage, 0, sizeof *storage);
    change.kind = kind;
    change.event.at_ms = moment();
    if (record_flip()) {
        change.event.seq = number() + 1;
        change.event.prev = record_draw() % change.event.seq;
        change.event.topic = record_draw() % TOPIC_COUNT;
    }
    if (!draw_lent(&change, storage))
        draw_held(&change, storage);
    return change;
}
