/* Requests to the provider byte for byte, and answers as tolerantly as linq-api.md 6 asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "lineward/retry_after.h"
#include "tests/support/suite.h"
#include "workers/provider.h"

#define BASE "https://provider.example/api/partner"

static struct provider_job job_with(const char *chat_id, const char *message)
{
    static const char *const to[] = {"+14155550111"};
    return (struct provider_job){.line = "+12025550101",
                                 .to = to,
                                 .to_count = 1,
                                 .chat_id = chat_id,
                                 .message = message,
                                 .message_bytes = strlen(message),
                                 .idempotency_key = "job-000001"};
}

static void assert_request(const char *chat_id, const char *message, const char *url, const char *body)
{
    struct provider_job job = job_with(chat_id, message);
    struct provider_request request = {0};
    ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_NONE);
    ck_assert_str_eq(request.url, url);
    ck_assert_int_eq(request.body_bytes, strlen(body));
    ck_assert_mem_eq(request.body, body, request.body_bytes);
    free(request.url);
    free(request.body);
}

static cJSON *fixture(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: run from the project's root", path);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    cJSON *document = json_parse(text, bytes, NULL);
    ck_assert_ptr_nonnull(document);
    return document;
}

START_TEST(the_first_message_opens_a_chat_on_the_line)
{
    assert_request(
        NULL, "{\"parts\":[{\"type\":\"text\",\"value\":\"Hi\"}]}", BASE "/v3/chats",
        "{\"from\":\"+12025550101\",\"to\":[\"+14155550111\"],\"message\":{\"idempotency_key\":\"job-000001\","
        "\"parts\":[{\"type\":\"text\",\"value\":\"Hi\"}]}}");
}
END_TEST

START_TEST(a_known_chat_gets_the_message_alone)
{
    assert_request("00000000-0000-4000-8000-000000000301", "{\"parts\":[]}",
                   BASE "/v3/chats/00000000-0000-4000-8000-000000000301/messages",
                   "{\"message\":{\"idempotency_key\":\"job-000001\",\"parts\":[]}}");
}
END_TEST

START_TEST(the_producers_bytes_pass_unchanged)
{
    assert_request(
        "c", " { \"a\" : 1.50e3 ,\n\"b\":\"\\u00e9\\/\", \"a\":2 } ", BASE "/v3/chats/c/messages",
        "{\"message\":{\"idempotency_key\":\"job-000001\",\"a\" : 1.50e3 ,\n\"b\":\"\\u00e9\\/\", \"a\":2 }}");
}
END_TEST

START_TEST(an_empty_message_is_still_one_object)
{
    assert_request("c", "{ }", BASE "/v3/chats/c/messages", "{\"message\":{\"idempotency_key\":\"job-000001\"}}");
}
END_TEST

START_TEST(a_hostile_chat_id_stays_in_its_place)
{
    assert_request("../x?y#z", "{}", BASE "/v3/chats/..%2Fx%3Fy%23z/messages",
                   "{\"message\":{\"idempotency_key\":\"job-000001\"}}");
}
END_TEST

/* Who reads a path takes them for its folders (RFC 3986, 5.2.4), however they are written. */
START_TEST(a_chat_id_that_is_a_dot_or_two_is_refused)
{
    struct provider_request request = {0};
    struct provider_job job = job_with("..", "{}");
    ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_BAD_INPUT);
    job = job_with(".", "{}");
    ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_BAD_INPUT);
    ck_assert_ptr_null(request.url);
    assert_request("...", "{}", BASE "/v3/chats/.../messages", "{\"message\":{\"idempotency_key\":\"job-000001\"}}");
}
END_TEST

START_TEST(a_message_with_a_key_of_its_own_is_refused)
{
    struct provider_request request = {0};
    struct provider_job job = job_with(NULL, "{\"parts\":[],\"idempotency_key\":\"mine\"}");
    ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_BAD_INPUT);
    job = job_with(NULL, "[1]");
    ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_BAD_INPUT);
    ck_assert_ptr_null(request.url);
}
END_TEST

START_TEST(requests_equal_the_documented_ones)
{
    static const struct {
        const char *path, *chat_id;
    } cases[] = {{"tests/fixtures/linq/requests/create_chat.json", NULL},
                 {"tests/fixtures/linq/requests/send_message.json", "c"}};
    for (size_t i = 0; i < 2; i++) {
        cJSON *expected = fixture(cases[i].path);
        cJSON *message = cJSON_Duplicate(json_get(expected, "message"), true);
        char *key = strdup(json_string(message, "idempotency_key"));
        cJSON_DeleteItemFromObjectCaseSensitive(message, "idempotency_key");
        char *text = cJSON_PrintUnformatted(message);
        struct provider_job job = job_with(cases[i].chat_id, text);
        job.idempotency_key = key;
        struct provider_request request = {0};
        ck_assert_int_eq(provider_linq.request(BASE, &job, &request), ERR_NONE);
        cJSON *made = json_parse(request.body, request.body_bytes, NULL);
        ck_assert(json_equal(made, expected));
        cJSON_Delete(made);
        cJSON_Delete(message);
        cJSON_Delete(expected);
        free(request.url);
        free(request.body);
        free(text);
        free(key);
    }
}
END_TEST

static struct provider_answer read_text(int http_status, const char *body)
{
    struct provider_answer answer;
    provider_linq.read(http_status, body, strlen(body), NULL, NULL, 0, &answer);
    return answer;
}

START_TEST(ids_are_found_in_both_kinds_of_success)
{
    static const char *const paths[] = {"tests/fixtures/linq/responses/create_chat_201.json",
                                        "tests/fixtures/linq/responses/create_chat_existing.json",
                                        "tests/fixtures/linq/responses/send_message_202.json"};
    for (size_t i = 0; i < 3; i++) {
        cJSON *body = fixture(paths[i]);
        char *text = cJSON_PrintUnformatted(body);
        struct provider_answer answer = read_text(200, text);
        ck_assert_msg(answer.answer.has_ids, "%s", paths[i]);
        ck_assert_int_eq(strlen(answer.chat_id), 36);
        ck_assert_int_eq(strlen(answer.message_id), 36);
        cJSON_Delete(body);
        free(text);
    }
}
END_TEST

START_TEST(half_an_answer_has_no_ids)
{
    ck_assert(!read_text(202, "").answer.has_ids);
    ck_assert(!read_text(202, "{\"chat_id\":\"c\",\"message\":{\"id\":\"m\"").answer.has_ids);
    ck_assert(!read_text(202, "{\"chat_id\":\"c\",\"message\":{}}").answer.has_ids);
    ck_assert(!read_text(202, "{\"chat_id\":7,\"message\":{\"id\":\"m\"}}").answer.has_ids);
    ck_assert(!read_text(202, "{\"chat_id\":\"\",\"message\":{\"id\":\"m\"}}").answer.has_ids);
}
END_TEST

START_TEST(what_else_an_answer_says_never_hides_its_ids)
{
    ck_assert(
        read_text(202, "{\"chat_id\":\"c\",\"message\":{\"id\":\"m\",\"name\":\"cut \\ud83d\"}}").answer.has_ids);
    ck_assert(read_text(202, "{\"chat_id\":\"c\",\"message\":{\"id\":\"m\",\"name\":\"a\\u0000\"}}").answer.has_ids);
}
END_TEST

START_TEST(a_chat_that_is_null_is_as_good_as_absent)
{
    ck_assert(read_text(202, "{\"chat\":null,\"chat_id\":\"c\",\"message\":{\"id\":\"m\"}}").answer.has_ids);
}
END_TEST

START_TEST(an_id_too_long_to_keep_is_no_id)
{
    char body[700], id[400];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    snprintf(body, sizeof body, "{\"chat_id\":\"%s\",\"message\":{\"id\":\"m\"}}", id);
    ck_assert(!read_text(202, body).answer.has_ids);
}
END_TEST

START_TEST(numbers_may_come_as_strings)
{
    struct provider_answer answer =
        read_text(429, "{\"error\":{\"code\":\"1007\",\"retry_after\":\"12\",\"message\":\"Slow\"}}");
    ck_assert_int_eq(answer.answer.code, 1007);
    ck_assert_int_eq(answer.answer.retry_after_ms, 12000);
    ck_assert_str_eq(answer.message, "Slow");
    ck_assert_int_eq(read_text(400, "{\"error\":{\"code\":\"10x7\"}}").answer.code, 0);
    ck_assert_int_eq(read_text(400, "{\"error\":{\"code\":-5}}").answer.code, 0);
    ck_assert_int_eq(read_text(400, "{\"error\":\"1001\"}").answer.code, 0);
}
END_TEST

START_TEST(the_header_goes_before_the_body_and_both_are_bounded)
{
    struct provider_answer answer;
    static const char body[] = "{\"error\":{\"code\":1007,\"retry_after\":45},\"trace_id\":\"of-body\"}";
    provider_linq.read(429, body, strlen(body), "1.5", "of-header", 0, &answer);
    ck_assert_int_eq(answer.answer.retry_after_ms, 1500);
    ck_assert_str_eq(answer.trace_id, "of-header");
    provider_linq.read(429, body, strlen(body), "soon", NULL, 0, &answer);
    ck_assert_int_eq(answer.answer.retry_after_ms, 45000);
    ck_assert_str_eq(answer.trace_id, "of-body");
    ck_assert_int_eq(read_text(429, "{\"error\":{\"retry_after\":99999}}").answer.retry_after_ms, RETRY_AFTER_MAX_MS);
    ck_assert_int_eq(read_text(429, "{\"error\":{\"retry_after\":-3}}").answer.retry_after_ms, 0);
    ck_assert_int_eq(read_text(429, "{}").answer.retry_after_ms, -1);
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters)
{
    char body[1200] = "{\"error\":{\"message\":\"x";
    for (int i = 0; i < 200; i++)
        strcat(body, "\xc3\xa9");
    strcat(body, "\"}}");
    struct provider_answer answer = read_text(400, body);
    size_t bytes = strlen(answer.message);
    ck_assert_uint_lt(bytes, sizeof answer.message);
    ck_assert_int_eq(bytes % 2, 1); /* one x, and whole characters of two bytes */
}
END_TEST

START_TEST(retry_after_reads_seconds_and_dates)
{
    int64_t now = 0;
    ck_assert(time_parse("2026-11-23T10:00:00Z", &now));
    ck_assert_int_eq(retry_after_parse("45", now), 45000);
    ck_assert_int_eq(retry_after_parse("0", now), 0);
    ck_assert_int_eq(retry_after_parse("0.25", now), 250);
    ck_assert_int_eq(retry_after_parse("99999999999999999999", now), RETRY_AFTER_MAX_MS);
    ck_assert_int_eq(retry_after_parse("Mon, 23 Nov 2026 10:01:00 GMT", now), 60000);
    ck_assert_int_eq(retry_after_parse("Monday, 23-Nov-26 10:01:00 GMT", now), 60000);
    ck_assert_int_eq(retry_after_parse("Mon Nov 23 10:01:00 2026", now), 60000);
    ck_assert_int_eq(retry_after_parse("Mon, 23 Nov 2026 09:00:00 GMT", now), 0);
    ck_assert_int_eq(retry_after_parse("Mon, 23 Nov 2036 09:00:00 GMT", now), RETRY_AFTER_MAX_MS);
}
END_TEST

START_TEST(retry_after_refuses_what_is_neither)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "1e3",
                                      "inf",
                                      "0x10",
                                      "1.2.3",
                                      " 5",
                                      "5 ",
                                      ".5",
                                      "Mon, 23 Foo 2026 10:01:00 GMT",
                                      "Mon, 23 Nov 2026 25:01:00 GMT",
                                      "Mon, 23 Nov 2026 10:01:00 CET",
                                      "Mon, 23 Nov 2026 10:01:00 GMT and more"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(retry_after_parse(bad[i], 0) == -1, "%s", bad[i]);
    ck_assert_int_eq(retry_after_parse(NULL, 0), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_linq");
    TCase *tests = tcase_create("provider_linq");
    tcase_add_test(tests, the_first_message_opens_a_chat_on_the_line);
    tcase_add_test(tests, a_known_chat_gets_the_message_alone);
    tcase_add_test(tests, the_producers_bytes_pass_unchanged);
    tcase_add_test(tests, an_empty_message_is_still_one_object);
    tcase_add_test(tests, a_hostile_chat_id_stays_in_its_place);
    tcase_add_test(tests, a_chat_id_that_is_a_dot_or_two_is_refused);
    tcase_add_test(tests, a_message_with_a_key_of_its_own_is_refused);
    tcase_add_test(tests, requests_equal_the_documented_ones);
    tcase_add_test(tests, ids_are_found_in_both_kinds_of_success);
    tcase_add_test(tests, half_an_answer_has_no_ids);
    tcase_add_test(tests, what_else_an_answer_says_never_hides_its_ids);
    tcase_add_test(tests, a_chat_that_is_null_is_as_good_as_absent);
    tcase_add_test(tests, an_id_too_long_to_keep_is_no_id);
    tcase_add_test(tests, numbers_may_come_as_strings);
    tcase_add_test(tests, the_header_goes_before_the_body_and_both_are_bounded);
    tcase_add_test(tests, a_long_message_is_cut_between_characters);
    tcase_add_test(tests, retry_after_reads_seconds_and_dates);
    tcase_add_test(tests, retry_after_refuses_what_is_neither);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
