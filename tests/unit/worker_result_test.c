/* RESULT documents of workers: what they say is taken, what they should not say is an unknown outcome. */
#include "broker/edge/worker_result.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static struct keyed_hash hash;
static struct result_texts texts;
static struct core_result result;

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
}

static void teardown(void)
{
    result_texts_free(&texts);
}

static bool parse(const char *text)
{
    char *exact = malloc(strlen(text) + 1); /* of its own, so that a sanitizer sees a byte too far */
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, text, strlen(text));
    bool good = worker_result_parse(&hash, exact, strlen(text), &result, &texts);
    free(exact);
    return good;
}

static bool span_is(struct span span, const char *text)
{
    return span.bytes == strlen(text) && memcmp(span.data, text, span.bytes) == 0;
}

START_TEST(a_sent_job_has_its_ids)
{
    ck_assert(parse("{\"outcome\":\"sent\",\"http_status\":201,\"chat_id\":\"c\\u00e9\",\"message_id\":\"m\","
                    "\"trace_id\":\"t\",\"unheard_of\":{\"x\":1}}"));
    ck_assert_int_eq(result.outcome, OUTCOME_SENT);
    ck_assert_int_eq(result.http_status, 201);
    ck_assert_uint_ne(result.chat_hash, 0);
    ck_assert_uint_ne(result.message_hash, 0);
    ck_assert_uint_ne(result.chat_hash, result.message_hash);
    ck_assert(span_is(result.chat_id, "\"c\xc3\xa9\""));
    ck_assert(span_is(result.result, "{\"message_id\":\"m\",\"chat_id\":\"c\xc3\xa9\",\"trace_id\":\"t\","
                                     "\"http_status\":201}"));
    ck_assert_int_eq(result.retry_after_ms, -1);
}
END_TEST

START_TEST(every_field_is_heard)
{
    ck_assert(parse("{\"outcome\":\"retry\",\"scope\":\"line\",\"unknown\":true,\"retry_after_ms\":1500,"
                    "\"http_status\":403,\"code\":2027,\"line_flagged\":true,\"forget_chat\":true,"
                    "\"key_refused\":true,\"message\":\"no\"}"));
    ck_assert_int_eq(result.outcome, OUTCOME_RETRY);
    ck_assert_int_eq(result.scope, SCOPE_LINE);
    ck_assert(result.unknown && result.line_flagged && result.forget_chat && result.key_refused);
    ck_assert_int_eq(result.retry_after_ms, 1500);
    ck_assert_int_eq(result.code, 2027);
    ck_assert(span_is(result.result, "{\"http_status\":403,\"error\":{\"code\":\"2027\",\"message\":\"no\"}}"));
    ck_assert(parse("{\"outcome\":\"rejected\",\"suppress\":\"opted_out\"}"));
    ck_assert_int_eq(result.suppress, SUPPRESS_OPTED_OUT);
    ck_assert(parse("{\"outcome\":\"rejected\",\"suppress\":\"blocked\"}"));
    ck_assert_int_eq(result.suppress, SUPPRESS_BLOCKED);
    ck_assert(parse("{\"outcome\":\"returned\"}"));
    ck_assert_int_eq(result.outcome, OUTCOME_RETURNED);
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
    ck_assert(parse("{\"outcome\":\"retry\",\"scope\":null,\"unknown\":null,\"retry_after_ms\":null,\"code\":null}"));
    ck_assert_int_eq(result.scope, SCOPE_JOB);
    ck_assert(!result.unknown);
    ck_assert_int_eq(result.retry_after_ms, -1);
    ck_assert(
        span_is(result.result, "{\"error\":{\"code\":\"no_answer\",\"message\":\"the provider gave no answer\"}}"));
}
END_TEST

START_TEST(no_error_is_without_a_sentence)
{
    ck_assert(parse("{\"outcome\":\"rejected\",\"suppress\":\"opted_out\"}"));
    ck_assert(
        span_is(result.result, "{\"error\":{\"code\":\"opted_out\",\"message\":\"the recipient has opted out\"}}"));
    ck_assert(parse("{\"outcome\":\"rejected\",\"code\":1004,\"message\":\"\"}"));
    ck_assert(span_is(result.result, "{\"error\":{\"code\":\"1004\",\"message\":\"the provider refused it\"}}"));
    ck_assert(parse("{\"outcome\":\"rejected\",\"code\":1004,\"message\":\"bad parts\"}"));
    ck_assert(span_is(result.result, "{\"error\":{\"code\":\"1004\",\"message\":\"bad parts\"}}"));
}
END_TEST

START_TEST(what_makes_no_sense_is_malformed)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "null",
        "\"sent\"",
        "{}",
        "{\"outcome\":null}",
        "{\"outcome\":\"SENT\"}",
        "{\"outcome\":\"\"}",
        "{\"outcome\":1}",
        "{\"outcome\":\"retry\",\"scope\":\"world\"}",
        "{\"outcome\":\"retry\",\"scope\":7}",
        "{\"outcome\":\"retry\",\"unknown\":\"yes\"}",
        "{\"outcome\":\"retry\",\"unknown\":1}",
        "{\"outcome\":\"retry\",\"retry_after_ms\":\"5\"}",
        "{\"outcome\":\"retry\",\"retry_after_ms\":1.5}",
        "{\"outcome\":\"rejected\",\"suppress\":\"none\"}",
        "{\"outcome\":\"rejected\",\"suppress\":\"operator\"}",
        "{\"outcome\":\"rejected\",\"suppress\":true}",
        "{\"outcome\":\"rejected\",\"http_status\":\"403\"}",
        "{\"outcome\":\"rejected\",\"line_flagged\":0}",
        "{\"outcome\":\"rejected\",\"key_refused\":\"false\"}",
        "{\"outcome\":\"sent\",\"chat_id\":5}",
        "{\"outcome\":\"sent\",\"message_id\":{}}",
        "{\"outcome\":\"sent\",\"code\":[]}",
        "{\"outcome\":\"sent\"}x",
        "{\"outcome\":\"sent\",\"message\":\"\\u0000\"}",
        "{\"outcome\":\"sent\",\"message\":\"\xff\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!parse(bad[i]), "%s was taken", bad[i]);
        ck_assert(result.malformed);
    }
}
END_TEST

START_TEST(numbers_out_of_their_ranges_are_cut_or_passed_over)
{
    ck_assert(parse("{\"outcome\":\"retry\",\"retry_after_ms\":9007199254740992,\"http_status\":0}"));
    ck_assert_int_eq(result.retry_after_ms, 24LL * 3600 * 1000);
    ck_assert_int_eq(result.http_status, 0);
    ck_assert(parse("{\"outcome\":\"retry\",\"retry_after_ms\":-1,\"http_status\":700}"));
    ck_assert_int_eq(result.retry_after_ms, -1);
    ck_assert_int_eq(result.http_status, 0);
}
END_TEST

START_TEST(a_code_may_be_a_word)
{
    ck_assert(parse("{\"outcome\":\"rejected\",\"code\":\"E12\",\"message\":\"no\"}"));
    ck_assert(span_is(result.result, "{\"error\":{\"code\":\"E12\",\"message\":\"no\"}}"));
    ck_assert_int_eq(result.code, 0);
}
END_TEST

static bool parse_with_long(const char *name, int bytes)
{
    char text[4096];
    snprintf(text, sizeof text, "{\"outcome\":\"rejected\",\"%s\":\"%0*d\"}", name, bytes, 7);
    return parse(text);
}

START_TEST(an_id_is_taken_whole_or_not_at_all)
{
    ck_assert(parse_with_long("chat_id", 512));
    ck_assert_uint_ne(result.chat_hash, 0);
    ck_assert(parse_with_long("chat_id", 513));
    ck_assert_uint_eq(result.chat_hash, 0);
    ck_assert_uint_eq(result.chat_id.bytes, 0);
    ck_assert(
        span_is(result.result, "{\"error\":{\"code\":\"no_answer\",\"message\":\"the provider gave no answer\"}}"));
    ck_assert(parse_with_long("message_id", 513));
    ck_assert_uint_eq(result.message_hash, 0);
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    ck_assert(parse_with_long("message", 3000));
    ck_assert_uint_lt(result.result.bytes, 700);
}
END_TEST

START_TEST(one_result_leaves_nothing_to_the_next)
{
    ck_assert(parse("{\"outcome\":\"sent\",\"chat_id\":\"c\",\"message_id\":\"m\"}"));
    ck_assert(parse("{\"outcome\":\"sent\"}"));
    ck_assert_uint_eq(result.chat_hash, 0);
    ck_assert_uint_eq(result.chat_id.bytes, 0);
    ck_assert(span_is(result.result, "{}"));
    ck_assert(!parse("{\"outcome\":\"sent\",\"scope\":1}"));
    ck_assert_uint_eq(result.result.bytes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_result");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_sent_job_has_its_ids);
    tcase_add_test(tcase, every_field_is_heard);
    tcase_add_test(tcase, what_is_not_said_has_its_default);
    tcase_add_test(tcase, no_error_is_without_a_sentence);
    tcase_add_test(tcase, what_makes_no_sense_is_malformed);
    tcase_add_test(tcase, numbers_out_of_their_ranges_are_cut_or_passed_over);
    tcase_add_test(tcase, a_code_may_be_a_word);
    tcase_add_test(tcase, an_id_is_taken_whole_or_not_at_all);
    tcase_add_test(tcase, a_long_message_is_cut);
    tcase_add_test(tcase, one_result_leaves_nothing_to_the_next);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
