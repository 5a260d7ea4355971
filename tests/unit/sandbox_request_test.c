/* sandbox_request_test.c — the form of a send, and what goes wrong on purpose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/support/suite.h"
#include "tools/sandbox/faults.h"
#include "tools/sandbox/options.h"
#include "tools/sandbox/send_request.h"

#define FIXTURES "tests/fixtures/linq/requests/"

static int code_of(const char *body, bool opens_chat)
{
    struct send_request request;
    int code = send_request_read(&request, body, strlen(body), opens_chat);
    send_request_free(&request);
    return code;
}

/* The code of a send into a chat whose message is `message`. */
static int message_code(const char *message)
{
    char body[1024];
    snprintf(body, sizeof body, "{\"message\":%s}", message);
    return code_of(body, false);
}

static int open_code(const char *from, const char *to)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"from\":%s,\"to\":%s,\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}]}}", from, to);
    return code_of(body, true);
}

static int fixture_code(const char *name, bool opens_chat)
{
    char path[256], body[8192];
    snprintf(path, sizeof path, FIXTURES "%s", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    size_t bytes = fread(body, 1, sizeof body - 1, file);
    fclose(file);
    body[bytes] = '\0';
    return code_of(body, opens_chat);
}

START_TEST(the_fixtures_are_judged_as_their_manifest_says)
{
    ck_assert_int_eq(fixture_code("create_chat.json", true), 0);
    ck_assert_int_eq(fixture_code("send_message.json", false), 0);
    ck_assert_int_eq(fixture_code("send_media.json", false), 0);
    ck_assert_int_eq(fixture_code("bad_two_texts.json", false), 1004);
    ck_assert_int_eq(fixture_code("bad_no_parts.json", false), 1004);
    ck_assert_int_eq(fixture_code("bad_long_key.json", false), 1005);
}
END_TEST

START_TEST(a_body_that_is_no_object_is_1003)
{
    static const char *const bodies[] = {"", "{", "[]", "null", "{}x", "\"a\"", "{\"a\":\"\\u0000\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ck_assert_msg(code_of(bodies[i], true) == 1003, "%s", bodies[i]);
}
END_TEST

START_TEST(an_override_of_another_type_is_1003_and_not_overlooked)
{
#define MESSAGE "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}]}"
    ck_assert_int_eq(code_of("{" MESSAGE ",\"override_optout\":\"true\"}", false), 1003);
    ck_assert_int_eq(code_of("{" MESSAGE ",\"override_optout\":1}", false), 1003);
    ck_assert_int_eq(code_of("{" MESSAGE ",\"override_optout\":null}", false), 0);
    ck_assert_int_eq(code_of("{" MESSAGE ",\"override_optout\":true}", false), 0);
#undef MESSAGE
}
END_TEST

START_TEST(missing_fields_are_1001)
{
    ck_assert_int_eq(code_of("{}", true), 1001);
    ck_assert_int_eq(code_of("{}", false), 1001);
    ck_assert_int_eq(code_of("{\"from\":\"+12025550101\"}", true), 1001);
    ck_assert_int_eq(code_of("{\"from\":\"+12025550101\",\"to\":[\"a@b.c\"]}", true), 1001);
}
END_TEST

START_TEST(handles_that_are_none_are_1002)
{
    ck_assert_int_eq(open_code("\"12025550101\"", "[\"+14155550111\"]"), 1002);
    ck_assert_int_eq(open_code("7", "[\"+14155550111\"]"), 1002);
    ck_assert_int_eq(open_code("\"+12025550101\"", "[\"4155550111\"]"), 1002);
    ck_assert_int_eq(open_code("\"+12025550101\"", "[\"+14155550111\",\"x\"]"), 1002);
}
END_TEST

START_TEST(recipients_are_1_to_31)
{
    char to[1024] = "[";
    for (int i = 0; i < 31; i++)
        sprintf(to + strlen(to), "%s\"+1415555%04d\"", i == 0 ? "" : ",", i);
    size_t bytes = strlen(to);
    strcpy(to + bytes, "]");
    ck_assert_int_eq(open_code("\"+12025550101\"", to), 0);
    strcpy(to + bytes, ",\"a@b.c\"]");
    ck_assert_int_eq(open_code("\"+12025550101\"", to), 1005);
    ck_assert_int_eq(open_code("\"+12025550101\"", "[]"), 1005);
    ck_assert_int_eq(open_code("\"+12025550101\"", "\"+14155550111\""), 1003);
}
END_TEST

START_TEST(recipients_become_a_sorted_set_in_lower_case)
{
    static const char body[] = "{\"from\":\"+12025550101\",\"to\":[\"B@x.y\",\"+14155550111\",\"b@X.y\"],"
                               "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}]}}";
    struct send_request request;
    ck_assert_int_eq(send_request_read(&request, body, sizeof body - 1, true), 0);
    ck_assert_uint_eq(request.to_count, 2);
    ck_assert_str_eq(request.to[0], "+14155550111");
    ck_assert_str_eq(request.to[1], "b@x.y");
    send_request_free(&request);
}
END_TEST

START_TEST(bad_parts_are_1004)
{
    static const char *const parts[] = {
        "[]",
        "{}",
        "[{\"type\":\"text\"}]",
        "[{\"type\":\"text\",\"value\":\"\"}]",
        "[{\"type\":\"song\"}]",
        "[7]",
        "[{\"type\":\"media\",\"url\":\"http://a.b/c\"}]",
        "[{\"type\":\"media\"}]",
        "[{\"type\":\"media\",\"url\":\"https://a.b/c\",\"attachment_id\":\"x\"}]",
        "[{\"type\":\"link\",\"value\":\"https://a.b\"},{\"type\":\"text\",\"value\":\"x\"}]"};
    char message[512];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(message, sizeof message, "{\"parts\":%s}", parts[i]);
        ck_assert_msg(message_code(message) == 1004, "%s", parts[i]);
    }
}
END_TEST

START_TEST(texts_may_surround_media)
{
    ck_assert_int_eq(message_code("{\"parts\":[{\"type\":\"text\",\"value\":\"a\"},{\"type\":\"media\",\"url\":"
                                  "\"https://a.b/c\"},{\"type\":\"text\",\"value\":\"b\"}]}"),
                     0);
}
END_TEST

START_TEST(a_text_has_at_most_10000_characters_not_bytes)
{
    char *body = malloc(40000);
    size_t start = (size_t)sprintf(body, "{\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"");
    for (int i = 0; i < 10000; i++)
        memcpy(body + start + 2 * i, "\xC3\xA4", 2);
    strcpy(body + start + 20000, "\"}]}}");
    ck_assert_int_eq(code_of(body, false), 0);
    strcpy(body + start + 20000, "x\"}]}}");
    ck_assert_int_eq(code_of(body, false), 1004);
    free(body);
}
END_TEST

START_TEST(values_out_of_range_are_1005)
{
    ck_assert_int_eq(message_code("{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}],\"idempotency_key\":\"\"}"),
                     1005);
    ck_assert_int_eq(message_code("{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}],\"idempotency_key\":7}"), 1005);
    ck_assert_int_eq(message_code("{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}],\"preferred_service\":\"X\"}"),
                     1005);
    ck_assert_int_eq(message_code("{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}],\"idempotency_key\":null}"), 0);
}
END_TEST

START_TEST(the_parts_are_kept_byte_for_byte)
{
    static const char body[] =
        "{ \"message\" : {\"parts\": [ {\"type\":\"text\",\"value\":\"\\u00e4\"} ] , \"x\":1}}";
    struct send_request request;
    ck_assert_int_eq(send_request_read(&request, body, sizeof body - 1, false), 0);
    ck_assert_uint_eq(request.parts_bytes, strlen("[ {\"type\":\"text\",\"value\":\"\\u00e4\"} ]"));
    ck_assert(memcmp(request.parts, "[ {\"type\":\"text\",\"value\":\"\\u00e4\"} ]", request.parts_bytes) == 0);
    ck_assert_str_eq(request.text, "\xC3\xA4");
    send_request_free(&request);
}
END_TEST

/* ---- faults ---- */

static const char *set(struct faults *faults, const char *json)
{
    static char wrong[64];
    cJSON *tree = json_parse(json, strlen(json), NULL);
    ck_assert_ptr_nonnull(tree);
    const char *name = faults_set(faults, tree);
    if (name != NULL)
        snprintf(wrong, sizeof wrong, "%s", name);
    cJSON_Delete(tree);
    return name == NULL ? NULL : wrong;
}

START_TEST(a_seed_draws_the_same_faults_again_at_the_asked_rate)
{
    struct faults one, two;
    int drawn[FAULT_COUNT] = {0};
    faults_init(&one, 42, 0);
    faults_init(&two, 42, 0);
    ck_assert_ptr_null(set(&one, "{\"rate_429\":0.1,\"rate_timeout\":0.2}"));
    ck_assert_ptr_null(set(&two, "{\"rate_429\":0.1,\"rate_timeout\":0.2}"));
    for (int i = 0; i < 100000; i++) {
        enum fault fault = faults_draw(&one, true, NULL);
        ck_assert_int_eq(fault, faults_draw(&two, true, NULL));
        drawn[fault]++;
    }
    ck_assert_int_lt(abs(drawn[FAULT_RATE_LIMITED] - 10000), 500);
    ck_assert_int_lt(abs(drawn[FAULT_TIMEOUT] - 20000), 700);
    ck_assert_int_eq(drawn[FAULT_NONE] + drawn[FAULT_RATE_LIMITED] + drawn[FAULT_TIMEOUT], 100000);
}
END_TEST

START_TEST(faults_hit_only_whom_they_are_meant_for)
{
    struct faults faults;
    faults_init(&faults, 1, 0);
    ck_assert_ptr_null(set(&faults, "{\"rate_500\":1,\"only_line\":\"+12025550101\",\"latency_ms\":7}"));
    ck_assert_int_eq(faults_draw(&faults, true, "+12025550101"), FAULT_SERVER_ERROR);
    ck_assert_int_eq(faults_draw(&faults, true, "+12025550102"), FAULT_NONE);
    ck_assert_int_eq(faults_draw(&faults, true, NULL), FAULT_NONE);
    ck_assert_int_eq(faults_draw(&faults, false, "+12025550101"), FAULT_NONE);
    ck_assert_int_eq(faults_delay_ms(&faults, true, "+12025550101"), 7);
    ck_assert_int_eq(faults_delay_ms(&faults, true, "+12025550102"), 0);
    ck_assert_ptr_null(set(&faults, "{\"on\":\"reads\",\"only_line\":null}"));
    ck_assert_int_eq(faults_draw(&faults, true, "+12025550101"), FAULT_NONE);
    ck_assert_int_eq(faults_draw(&faults, false, NULL), FAULT_SERVER_ERROR);
    ck_assert_ptr_null(set(&faults, "{\"down\":true}"));
    ck_assert_int_eq(faults_draw(&faults, true, NULL), FAULT_RESET);
}
END_TEST

START_TEST(a_wrong_member_changes_nothing_and_is_named)
{
    struct faults faults;
    faults_init(&faults, 1, 0);
    ck_assert_str_eq(set(&faults, "{\"rate_429\":1,\"rate_418\":1}"), "rate_418");
    ck_assert_str_eq(set(&faults, "{\"rate_429\":1.5}"), "rate_429");
    ck_assert_str_eq(set(&faults, "{\"rate_429\":\"1\"}"), "rate_429");
    ck_assert_str_eq(set(&faults, "{\"latency_ms\":-1}"), "latency_ms");
    ck_assert_str_eq(set(&faults, "{\"down\":1}"), "down");
    ck_assert_str_eq(set(&faults, "{\"on\":\"x\"}"), "on");
    ck_assert_str_eq(set(&faults, "{\"only_line\":\"x\"}"), "only_line");
    ck_assert_int_eq(faults_draw(&faults, true, NULL), FAULT_NONE);
}
END_TEST

/* ---- options ---- */

static enum options_outcome read_options(struct sandbox_options *options, const char *const *words, int count)
{
    char *argv[16], problem[256];
    argv[0] = "lineward-sandbox";
    for (int i = 0; i < count; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    argv[count + 1] = NULL;
    return sandbox_options_read(options, count + 1, argv, problem, sizeof problem);
}

#define READ(options, ...)                                                                                           \
    read_options(options, (const char *const[]){__VA_ARGS__},                                                        \
                 (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

START_TEST(options_are_read_with_their_defaults)
{
    struct sandbox_options options;
    ck_assert_int_eq(READ(&options, "--listen", "localhost:0", "--line", "+12025550101=at_risk", "--line",
                          "+12025550102=FLAGGED", "--seed", "9"),
                     OPTIONS_GOOD);
    ck_assert_str_eq(options.listen.address, "127.0.0.1");
    ck_assert(!options.has_control);
    ck_assert_uint_eq(options.line_count, 2);
    ck_assert_int_eq(options.lines[0].reputation, REPUTATION_AT_RISK);
    ck_assert_int_eq(options.lines[1].service, SERVICE_FLAGGED);
    ck_assert_int_eq(options.seed, 9);
    ck_assert_int_eq(options.pair_limit, 30);
    sandbox_options_free(&options);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:7000"), OPTIONS_GOOD);
    ck_assert_uint_eq(options.line_count, 3);
    ck_assert_uint_eq(options.listen.port, 7000);
    sandbox_options_free(&options);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
    struct sandbox_options options;
    ck_assert_int_eq(READ(&options, "--seed", "1"), OPTIONS_BAD); /* no --listen */
    ck_assert_int_eq(READ(&options, "--listen", "nowhere"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:65536"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "--control", "0.0.0.0:0"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "--line", "+1202=GOOD"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "--seed", "x"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "--threads", "0"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "--speed", "1"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen", "127.0.0.1:0", "more"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--listen"), OPTIONS_BAD);
    ck_assert_int_eq(READ(&options, "--help"), OPTIONS_HELP);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_request");
    TCase *tests = tcase_create("request");
    tcase_add_test(tests, the_fixtures_are_judged_as_their_manifest_says);
    tcase_add_test(tests, a_body_that_is_no_object_is_1003);
    tcase_add_test(tests, an_override_of_another_type_is_1003_and_not_overlooked);
    tcase_add_test(tests, missing_fields_are_1001);
    tcase_add_test(tests, handles_that_are_none_are_1002);
    tcase_add_test(tests, recipients_are_1_to_31);
    tcase_add_test(tests, recipients_become_a_sorted_set_in_lower_case);
    tcase_add_test(tests, bad_parts_are_1004);
    tcase_add_test(tests, texts_may_surround_media);
    tcase_add_test(tests, a_text_has_at_most_10000_characters_not_bytes);
    tcase_add_test(tests, values_out_of_range_are_1005);
    tcase_add_test(tests, the_parts_are_kept_byte_for_byte);
    tcase_add_test(tests, a_seed_draws_the_same_faults_again_at_the_asked_rate);
    tcase_add_test(tests, faults_hit_only_whom_they_are_meant_for);
    tcase_add_test(tests, a_wrong_member_changes_nothing_and_is_named);
    tcase_add_test(tests, options_are_read_with_their_defaults);
    tcase_add_test(tests, wrong_options_are_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
