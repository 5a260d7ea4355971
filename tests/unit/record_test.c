/* record_test.c — what record.c writes it reads back, whatever the values; what it did not write it refuses. Of older
 * and newer versions: record_version_test.c. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/record_draw.h"

#define ROUNDS 20000

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
        struct change change = record_draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
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
        struct change change = record_draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
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
        struct change change = record_draw_change((enum change_kind)(1 + i % (CHANGE_KIND_COUNT - 1)), &storage);
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
        size_t bytes = record_draw() % sizeof head;
        for (size_t b = 0; b < bytes; b++)
            head[b] = record_draw() % 3 == 0 ? 0xFF : (uint8_t)record_draw();
        if (bytes > 0)
            head[0] = RECORD_VERSION;
        if (record_decode(1 + record_draw() % (CHANGE_KIND_COUNT - 1), record_draw(), record_flip(), head, bytes,
                          &storage, &read) &&
            read.kind == CHANGE_TRY)
            ck_assert_uint_lt(read.try.state, JOB_STATE_COUNT);
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
    change = (struct change){
        .kind = CHANGE_ERASURE, .erasure = &erasure, .event = {.seq = UINT64_MAX, .at_ms = 1LL << 47}};
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
    const TTest *const tests[] = {
        every_kind_comes_back_as_it_was_written,
        every_field_of_what_is_held_by_value_comes_back,
        a_head_cut_at_any_byte_or_with_one_more_is_refused,
        random_bytes_are_read_or_refused_but_never_obeyed_beyond_their_ranges,
        an_unknown_kind_is_refused,
        values_beyond_their_enum_are_refused,
        the_largest_line_pause_and_suppression_fit_a_head,
        a_record_comes_back_with_its_sections,
        every_kind_has_a_row_that_says_how_it_lives,
    };
    return suite_run_all("record", NULL, NULL, 60, tests, sizeof tests / sizeof *tests);
}
