/* What a pass over the store does to each record of a recipient who is erased (broker/erase.c): their jobs keep nothing but
 * heads, in what was said of them the name becomes stars, and nobody else's record is touched. */
#include "broker/erase.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/named.h"
#include "broker/store/record.h"

#define PERSON "+14155550190"
#define THEIRS 77 /* a conversation of theirs */

static struct keyed_hash hash = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static struct erasing work;

/* A record as the store shows it, in memory that may be written to. */
static struct shown {
    struct store_record record;
    uint8_t head[STORE_HEAD_BYTES_MAX];
    uint8_t bytes[1024];
    uint8_t *sections[STORE_SECTIONS];
} shown;

static void begin(bool rewrites)
{
    work = (struct erasing){.hash = &hash, .person = named_person(&hash, PERSON), .rewrites = rewrites};
    if (rewrites)
        work.keys[work.key_count++] = THEIRS;
}

static void show(const struct change *change, const char *result, const char *to, const char *envelope, const char *payload)
{
    const char *texts[STORE_SECTIONS] = {result, to, envelope, payload};
    uint8_t *at = shown.bytes;
    memset(&shown, 0, sizeof shown);
    shown.record = (struct store_record){
        .kind = change->kind, .key = change_key(change), .head = shown.head, .head_bytes = record_encode(change, shown.head)};
    for (unsigned i = 0; i < STORE_SECTIONS; i++) {
        size_t bytes = texts[i] == NULL ? 0 : strlen(texts[i]);
        shown.sections[i] = at;
        if (bytes > 0)
            memcpy(at, texts[i], bytes);
        shown.record.sections[i] = (struct store_section){bytes > 0 ? at : NULL, bytes};
        at += bytes;
    }
}

static enum store_passed visit(void)
{
    return erasing_visit(&work, &shown.record, shown.head, shown.sections);
}

static struct change job_of(uint64_t conversation)
{
    return (struct change){.kind = CHANGE_JOB, .job = {.number = 5, .conversation = conversation}};
}

START_TEST(their_jobs_ends_and_conversations_keep_their_heads_alone)
{
    const struct change changes[] = {
        job_of(THEIRS),
        {.kind = CHANGE_END, .end = {.number = 5, .conversation = THEIRS, .state = JOB_SENT}},
        {.kind = CHANGE_CONVERSATION, .conversation = {.key = THEIRS, .line = 12025550101}},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        begin(true);
        show(&changes[i], NULL, "[\"" PERSON "\"]", "{\"id\":\"x\"}", NULL);
        ck_assert_int_eq(visit(), STORE_PASSED_BLANK);
        show(&changes[i], "{\"message_id\":\"m\"}", NULL, NULL, NULL); /* an end, of which its conversation alone says whose */
        ck_assert_int_eq(visit(), STORE_PASSED_BLANK);
        ck_assert_uint_eq(work.records, 2);
    }
}
END_TEST

START_TEST(what_has_gone_already_is_left_alone)
{
    struct change change = job_of(THEIRS);
    begin(true);
    show(&change, NULL, NULL, NULL, "null      ");
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    show(&change, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    ck_assert_uint_eq(work.records, 0);
}
END_TEST

START_TEST(other_peoples_records_are_left_alone)
{
    struct change change = job_of(3);
    begin(true);
    show(&change, NULL, "[\"+14155550191\"]", "{\"meta\":\"" PERSON "\"}", "{\"text\":\"call " PERSON "\"}");
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    change = (struct change){.kind = CHANGE_GATE, .gate = {.line = 1}};
    show(&change, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    ck_assert_uint_eq(work.records + work.found_count, 0);
}
END_TEST

START_TEST(looking_finds_every_conversation_with_them_once)
{
    struct change change = job_of(11);
    begin(false);
    for (int twice = 0; twice < 2; twice++) {
        show(&change, NULL, "[\"+14155550191\",\"" PERSON "\"]", NULL, NULL);
        ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    }
    for (uint64_t key = 100; key < 100 + 2 * ERASURE_KEYS_MAX; key++) {
        change = (struct change){.kind = CHANGE_CONVERSATION, .conversation = {.key = key, .line = 1}};
        show(&change, NULL, "[\"" PERSON "\"]", NULL, NULL);
        visit();
    }
    ck_assert_uint_eq(work.found[0], 11);
    ck_assert_uint_eq(work.found_count, ERASE_FOUND_MAX); /* more than an order has room for, which says that there are more */
    ck_assert_uint_eq(work.records, 2 + 2 * ERASURE_KEYS_MAX);
}
END_TEST

/* Its job may be alive: it ends first. */
START_TEST(a_conversation_that_is_not_in_hand_waits_for_the_next_round)
{
    struct change change = job_of(12);
    begin(true);
    show(&change, NULL, "[\"" PERSON "\"]", NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
    ck_assert_uint_eq(work.found_count, 1);
    ck_assert_uint_eq(work.found[0], 12);
}
END_TEST

static struct change read_back(struct record_storage *storage)
{
    struct change change;
    ck_assert(record_decode(shown.record.kind, shown.record.key, 0, shown.head, shown.record.head_bytes, storage, &change));
    return change;
}

START_TEST(a_pause_keeps_all_but_the_name)
{
    struct change_pause pause = {.id = 4, .scope = PAUSE_CONVERSATION, .target = THEIRS, .since_ms = 1000};
    struct change change = {.kind = CHANGE_PAUSE, .pause = &pause};
    struct record_storage storage;
    strcpy(pause.name, "+14155550191," PERSON);
    strcpy(pause.reason, "so says " PERSON);
    strcpy(pause.by, "ann");
    begin(true);
    show(&change, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
    read_back(&storage);
    ck_assert_str_eq(storage.pause.name, "+14155550191,+***********");
    ck_assert_str_eq(storage.pause.reason, "so says +***********");
    ck_assert_str_eq(storage.pause.by, "ann");
    ck_assert_uint_eq(storage.pause.target, THEIRS);
    ck_assert_int_eq(visit(), STORE_PASSED_AS_IT_IS);
}
END_TEST

START_TEST(a_suppression_keeps_all_but_the_name)
{
    struct suppression_text text = {.recipient = PERSON, .reason = "wrote from " PERSON, .by = "ann"};
    struct change change = {.kind = CHANGE_SUPPRESSION,
                            .suppression = {.key = 9, .cause = SUPPRESS_OPERATOR, .since_ms = 5, .text = &text}};
    struct record_storage storage;
    begin(true);
    show(&change, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
    change = read_back(&storage);
    ck_assert_str_eq(storage.suppression.recipient, "+***********");
    ck_assert_str_eq(storage.suppression.reason, "wrote from +***********");
    ck_assert_int_eq(change.suppression.cause, SUPPRESS_OPERATOR);
    ck_assert_uint_eq(change.suppression.key, 9);
}
END_TEST

START_TEST(an_operators_reputation_keeps_all_but_the_name)
{
    struct change_orders orders = {.line = 12025550101, .word = REPUTATION_AT_RISK, .word_since_ms = 5};
    struct change change = {.kind = CHANGE_ORDERS, .orders = &orders};
    struct record_storage storage;
    strcpy(orders.word_reason, "so says (415) 555-0190");
    begin(true);
    show(&change, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
    read_back(&storage);
    ck_assert_str_eq(storage.orders.word_reason, "so says (*************");
    ck_assert_int_eq(storage.orders.word_since_ms, 5);
}
END_TEST

/* Written by an older version it lacks what came at the end since, and must not grow. */
START_TEST(an_older_head_is_masked_where_it_stands)
{
    struct suppression_text text = {.recipient = PERSON};
    struct change change = {.kind = CHANGE_SUPPRESSION, .suppression = {.key = 9, .cause = SUPPRESS_OPERATOR, .text = &text}};
    struct record_storage storage;
    begin(true);
    show(&change, NULL, NULL, NULL, NULL);
    shown.head[0] = 2;
    shown.record.head_bytes -= 2; /* without the last two texts' lengths */
    ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
    read_back(&storage);
    ck_assert_str_eq(storage.suppression.recipient, "+***********");
    ck_assert_uint_eq(shown.head[0], 2);
}
END_TEST

/* Where a text ends its length says, and the next one's length may look like one more digit of a number. */
START_TEST(in_an_older_head_what_stands_beside_a_name_hides_no_part_of_it)
{
    struct suppression_text text = {.recipient = PERSON};
    struct change change = {.kind = CHANGE_SUPPRESSION,
                            .suppression = {.key = 9, .cause = SUPPRESS_OPERATOR, .since_ms = 5, .text = &text}};
    struct record_storage storage;
    for (int length = '0'; length <= '9'; length++) {
        memset(text.reason, 'x', (size_t)length);
        text.reason[length] = '\0';
        begin(true);
        show(&change, NULL, NULL, NULL, NULL);
        shown.head[0] = 2;
        shown.record.head_bytes -= 1; /* without the last text's length */
        ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
        struct change read = read_back(&storage);
        ck_assert_str_eq(storage.suppression.recipient, "+***********");
        ck_assert_str_eq(storage.suppression.reason, text.reason);
        ck_assert_int_eq(read.suppression.since_ms, 5);
        ck_assert_uint_eq(shown.head[0], 2);
    }
}
END_TEST

START_TEST(an_audit_record_keeps_what_was_done)
{
    struct change_audit audit = {.number = 300, .by = "ann"};
    struct change change = {.kind = CHANGE_AUDIT, .audit = &audit};
    begin(true);
    show(&change, "{\"call\":\"POST /v1/pause\",\"to\":[\"" PERSON "\"],\"reason\":\"x\"}", NULL, NULL, NULL);
    ck_assert_int_eq(visit(), STORE_PASSED_CHANGED);
    ck_assert_int_eq(memcmp(shown.bytes, "{\"call\":\"POST /v1/pause\",\"to\":[\"+***********\"],\"reason\":\"x\"}",
                            shown.record.sections[0].bytes),
                     0);
}
END_TEST

START_TEST(a_pass_that_fails_is_waited_for_twice_as_long_each_time_up_to_ten_minutes)
{
    int64_t wait_ms = 0;
    ck_assert_int_eq(erasing_wait_ms(0), 2000);
    ck_assert_int_eq(erasing_wait_ms(2000), 4000);
    for (unsigned times = 0; times < 100; times++) {
        wait_ms = erasing_wait_ms(wait_ms);
        ck_assert_int_le(wait_ms, 600000);
    }
    ck_assert_int_eq(wait_ms, 600000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("erase");
    TCase *tcase = tcase_create("records");
    tcase_add_test(tcase, their_jobs_ends_and_conversations_keep_their_heads_alone);
    tcase_add_test(tcase, what_has_gone_already_is_left_alone);
    tcase_add_test(tcase, other_peoples_records_are_left_alone);
    tcase_add_test(tcase, looking_finds_every_conversation_with_them_once);
    tcase_add_test(tcase, a_conversation_that_is_not_in_hand_waits_for_the_next_round);
    tcase_add_test(tcase, a_pause_keeps_all_but_the_name);
    tcase_add_test(tcase, a_suppression_keeps_all_but_the_name);
    tcase_add_test(tcase, an_operators_reputation_keeps_all_but_the_name);
    tcase_add_test(tcase, an_older_head_is_masked_where_it_stands);
    tcase_add_test(tcase, in_an_older_head_what_stands_beside_a_name_hides_no_part_of_it);
    tcase_add_test(tcase, an_audit_record_keeps_what_was_done);
    tcase_add_test(tcase, a_pass_that_fails_is_waited_for_twice_as_long_each_time_up_to_ten_minutes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
