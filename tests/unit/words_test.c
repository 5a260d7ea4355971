/* The contract's words: each goes out and comes back as itself, nothing else is taken for one. */
#include "lineward/words.h"

#include <string.h>

#include "lineward/err.h"
#include "tests/support/suite.h"

#define ROUND_TRIP(name, type, count)                                                                                \
    do {                                                                                                             \
        for (int value = 0; value < (count); value++) {                                                              \
            type back = (type)((value + 1) % (count));                                                               \
            ck_assert_msg(name##_parse(name##_name((type)value), &back), "%s", name##_name((type)value));            \
            ck_assert_int_eq((int)back, value);                                                                      \
        }                                                                                                            \
        type untouched = (type)1;                                                                                    \
        ck_assert(!name##_parse("no such word", &untouched));                                                        \
        ck_assert(!name##_parse("", &untouched));                                                                    \
        ck_assert(!name##_parse(NULL, &untouched));                                                                  \
        ck_assert_int_eq((int)untouched, 1);                                                                         \
    } while (0)

START_TEST(every_word_reads_back_as_itself_and_nothing_else_does)
{
    ROUND_TRIP(job_state, enum job_state, JOB_STATE_COUNT);
    ROUND_TRIP(reason, enum reason, REASON_COUNT);
    ROUND_TRIP(job_class, enum job_class, CLASS_COUNT);
    ROUND_TRIP(outcome, enum outcome, OUTCOME_COUNT);
    ROUND_TRIP(scope, enum scope, SCOPE_COUNT);
    ROUND_TRIP(suppress, enum suppress, SUPPRESS_COUNT);
    ROUND_TRIP(source, enum source, SOURCE_COUNT);
    ROUND_TRIP(delivery, enum delivery, DELIVERY_COUNT);
    ROUND_TRIP(pause_scope, enum pause_scope, PAUSE_SCOPE_COUNT);
}
END_TEST

START_TEST(our_own_words_are_read_exactly_as_written)
{
    enum job_state state = JOB_NONE;
    ck_assert(!job_state_parse("Sent", &state));
    ck_assert(!job_state_parse("sent ", &state));
    ck_assert(!job_state_parse("sen", &state));
}
END_TEST

START_TEST(a_value_outside_its_list_is_named_with_a_question_mark)
{
    ck_assert_str_eq(reason_name((enum reason)REASON_COUNT), "?");
    ck_assert_str_eq(job_state_name((enum job_state) - 1), "?");
    ck_assert_str_eq(code_name((enum code)1000), "?");
    ck_assert_str_eq(err_name((enum err)ERR_COUNT), "?");
}
END_TEST

START_TEST(the_providers_words_are_read_in_any_case_and_with_hyphens)
{
    ck_assert_int_eq(reputation_read("AT_RISK"), REPUTATION_AT_RISK);
    ck_assert_int_eq(reputation_read("at-risk"), REPUTATION_AT_RISK);
    ck_assert_int_eq(reputation_read("Critical"), REPUTATION_CRITICAL);
    ck_assert_int_eq(service_read("flagged"), SERVICE_FLAGGED);
    ck_assert_int_eq(chat_health_read("opted-out"), CHAT_OPTED_OUT);
}
END_TEST

START_TEST(what_the_provider_never_said_is_unknown_and_never_healthy)
{
    static const char *const texts[] = {"", "HEALTH", "HEALTHYY", "OK", "AT RISK", " HEALTHY"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_int_eq(reputation_read(texts[i]), REPUTATION_UNKNOWN);
    ck_assert_int_eq(reputation_read(NULL), REPUTATION_UNKNOWN);
    ck_assert_int_eq(service_read("BANNED"), SERVICE_UNKNOWN);
    ck_assert_int_eq(chat_health_read("GONE"), CHAT_UNKNOWN);
}
END_TEST

START_TEST(jobs_are_called_held_for_the_reasons_that_the_contract_marks)
{
    static const enum reason holding[] = {
        REASON_PAUSED,          REASON_ACCOUNT_PAUSED,      REASON_POOL_PAUSED,
        REASON_CAMPAIGN_PAUSED, REASON_CONVERSATION_PAUSED, REASON_CONVERSATION_CRITICAL,
        REASON_LINE_PAUSED,     REASON_LINE_FLAGGED,        REASON_LINE_GONE,
        REASON_LINE_CRITICAL,   REASON_LINE_RECOVERING,     REASON_LINE_STALE};
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        bool expected = false;
        for (size_t i = 0; i < sizeof holding / sizeof *holding; i++)
            expected |= (int)holding[i] == reason;
        ck_assert_msg(reason_holds((enum reason)reason) == expected, "%s", reason_name((enum reason)reason));
    }
}
END_TEST

START_TEST(a_job_is_final_once_sent_failed_expired_cancelled_or_suppressed)
{
    static const char finals[] = " sent failed expired cancelled suppressed ";
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        char word[32] = " ";
        strcat(strcat(word, job_state_name((enum job_state)state)), " ");
        ck_assert_msg(job_state_is_final((enum job_state)state) == (strstr(finals, word) != NULL), "%s", word);
    }
}
END_TEST

START_TEST(every_error_code_has_a_fitting_http_status)
{
    ck_assert_int_eq(code_http_status(CODE_UNAUTHORIZED), 401);
    ck_assert_int_eq(code_http_status(CODE_FORBIDDEN), 403);
    ck_assert_int_eq(code_http_status(CODE_BUSY), 429);
    for (int code = 1; code < CODE_COUNT; code++)
        ck_assert_int_ge(code_http_status((enum code)code), 400);
    ck_assert_int_eq(code_http_status((enum code)CODE_COUNT), 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tests = tcase_create("words");
    tcase_add_test(tests, every_word_reads_back_as_itself_and_nothing_else_does);
    tcase_add_test(tests, our_own_words_are_read_exactly_as_written);
    tcase_add_test(tests, a_value_outside_its_list_is_named_with_a_question_mark);
    tcase_add_test(tests, the_providers_words_are_read_in_any_case_and_with_hyphens);
    tcase_add_test(tests, what_the_provider_never_said_is_unknown_and_never_healthy);
    tcase_add_test(tests, jobs_are_called_held_for_the_reasons_that_the_contract_marks);
    tcase_add_test(tests, a_job_is_final_once_sent_failed_expired_cancelled_or_suppressed);
    tcase_add_test(tests, every_error_code_has_a_fitting_http_status);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
