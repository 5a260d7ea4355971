/* The job as leased and the result: which documents are taken, and what is written. */
#include "workers/lease_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "tests/support/suite.h"

#define GOOD                                                                                                         \
    "{\"job\":\"j_1\",\"attempt\":2,\"pool\":\"default\",\"account\":\"main\",\"line\":\"+12025550101\","            \
    "\"to\":[\"+14155550111\",\"a@b.example\"],\"chat_id\":null,\"message\":{ \"parts\" : [1.0] },"                  \
    "\"idempotency_key\":\"1-00\",\"unsettled\":true,\"lease_ms\":60000,\"expires_at\":null,\"new_field\":1}"

static const char *why;

static enum err read_text(const char *text, struct leased_job *out)
{
    why = "";
    return leased_job_read(text, strlen(text), out, &why);
}

/* GOOD with one member replaced, or taken out where `value` is NULL. */
static char *changed(const char *name, const char *value)
{
    cJSON *document = json_parse(GOOD, strlen(GOOD), NULL);
    cJSON_DeleteItemFromObjectCaseSensitive(document, name);
    if (value != NULL)
        cJSON_AddItemToObject(document, name, cJSON_CreateRaw(value));
    char *text = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    return text;
}

START_TEST(a_job_is_read_with_its_message_byte_for_byte)
{
    struct leased_job job;
    ck_assert_int_eq(read_text(GOOD, &job), ERR_NONE);
    ck_assert_str_eq(job.job, "j_1");
    ck_assert_str_eq(job.account, "main");
    ck_assert_int_eq(job.attempt, 2);
    ck_assert_int_eq(job.lease_ms, 60000);
    ck_assert_int_eq(job.expires_wall_ms, TIME_NEVER);
    ck_assert(job.unsettled);
    ck_assert_ptr_null(job.send.chat_id);
    ck_assert_uint_eq(job.send.to_count, 2);
    ck_assert_str_eq(job.send.to[1], "a@b.example");
    static const char message[] = "{ \"parts\" : [1.0] }";
    ck_assert_uint_eq(job.send.message_bytes, sizeof message - 1);
    ck_assert_mem_eq(job.send.message, message, sizeof message - 1);
    leased_job_clear(&job);
}
END_TEST

START_TEST(what_sending_needs_must_be_there_and_right)
{
    static const struct {
        const char *name, *value;
    } cases[] = {{"job", NULL},
                 {"job", "7"},
                 {"job", "\"j_000000000000000000000000000000000000000\""},
                 {"account", NULL},
                 {"line", NULL},
                 {"line", "\"2025550101\""},
                 {"to", NULL},
                 {"to", "[]"},
                 {"to", "[1]"},
                 {"to", "\"+14155550111\""},
                 {"chat_id", "\"\""},
                 {"chat_id", "5"},
                 {"message", NULL},
                 {"message", "\"text\""},
                 {"idempotency_key", NULL},
                 {"idempotency_key", "\"\""},
                 {"lease_ms", NULL},
                 {"lease_ms", "0"},
                 {"lease_ms", "\"60000\""},
                 {"attempt", "0"},
                 {"expires_at", "\"tomorrow\""},
                 {"expires_at", "5"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct leased_job job;
        char *text = changed(cases[i].name, cases[i].value);
        ck_assert_msg(read_text(text, &job) == ERR_BAD_INPUT, "%s", text);
        ck_assert_str_eq(why, cases[i].name);
        free(text);
    }
}
END_TEST

START_TEST(more_recipients_than_a_job_may_have_are_refused)
{
    char list[1024] = "[\"+14155550111\"";
    for (int i = 1; i < WIRE_RECIPIENTS_MAX; i++)
        strcat(list, ",\"+14155550111\"");
    struct leased_job job;
    strcat(list, "]");
    char *text = changed("to", list);
    ck_assert_int_eq(read_text(text, &job), ERR_NONE);
    leased_job_clear(&job);
    free(text);
    list[strlen(list) - 1] = '\0';
    strcat(list, ",\"+14155550111\"]");
    text = changed("to", list);
    ck_assert_int_eq(read_text(text, &job), ERR_BAD_INPUT);
    free(text);
}
END_TEST

START_TEST(expiry_and_chat_are_read)
{
    struct leased_job job;
    char *text = changed("expires_at", "\"2026-11-23T10:00:00.500Z\"");
    ck_assert_int_eq(read_text(text, &job), ERR_NONE);
    ck_assert_int_eq(job.expires_wall_ms, 1795428000500);
    leased_job_clear(&job);
    free(text);
    text = changed("chat_id", "\"chat-1\"");
    ck_assert_int_eq(read_text(text, &job), ERR_NONE);
    ck_assert_str_eq(job.send.chat_id, "chat-1");
    leased_job_clear(&job);
    free(text);
}
END_TEST

static void assert_result(const struct disposition *verdict, const struct provider_answer *answer, const char *error,
                          const char *expected)
{
    size_t bytes = 0;
    char *result = lease_result(verdict, answer, error, &bytes);
    ck_assert_ptr_nonnull(result);
    ck_assert_uint_eq(bytes, strlen(expected));
    ck_assert_mem_eq(result, expected, bytes);
    free(result);
}

START_TEST(a_result_says_what_is_known_and_no_more)
{
    struct disposition returned = {.outcome = OUTCOME_RETURNED, .retry_after_ms = -1};
    assert_result(&returned, NULL, NULL, "{\"outcome\":\"returned\"}");
    struct disposition sent = {.outcome = OUTCOME_SENT, .retry_after_ms = -1};
    struct provider_answer taken = {.answer = {.http_status = 202}, .chat_id = "c", .message_id = "m"};
    assert_result(&sent, &taken, NULL,
                  "{\"outcome\":\"sent\",\"http_status\":202,\"chat_id\":\"c\",\"message_id\":\"m\"}");
    struct disposition lost = {
        .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = -1, .reason = "no answer"};
    assert_result(&lost, NULL, "timed out",
                  "{\"outcome\":\"retry\",\"unknown\":true,\"scope\":\"job\",\"message\":\"timed out\"}");
    assert_result(&lost, NULL, NULL,
                  "{\"outcome\":\"retry\",\"unknown\":true,\"scope\":\"job\",\"message\":\"no answer\"}");
    struct disposition limited = {
        .outcome = OUTCOME_RETRY, .scope = SCOPE_LINE, .retry_after_ms = 0, .line_flagged = true};
    assert_result(&limited, NULL, NULL,
                  "{\"outcome\":\"retry\",\"scope\":\"line\",\"retry_after_ms\":0,\"line_flagged\":true}");
    struct disposition out = {.outcome = OUTCOME_REJECTED, .suppress = SUPPRESS_OPTED_OUT, .retry_after_ms = -1};
    struct provider_answer refused = {.answer = {.http_status = 403, .code = 2024}, .message = "Opted \"out\""};
    assert_result(&out, &refused, NULL,
                  "{\"outcome\":\"rejected\",\"suppress\":\"opted_out\",\"http_status\":403,\"code\":2024,"
                  "\"message\":\"Opted \\\"out\\\"\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_lease_json");
    TCase *tests = tcase_create("lease_json");
    tcase_add_test(tests, a_job_is_read_with_its_message_byte_for_byte);
    tcase_add_test(tests, what_sending_needs_must_be_there_and_right);
    tcase_add_test(tests, more_recipients_than_a_job_may_have_are_refused);
    tcase_add_test(tests, expiry_and_chat_are_read);
    tcase_add_test(tests, a_result_says_what_is_known_and_no_more);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
