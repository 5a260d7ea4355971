/* linewardctl conversations import --from-provider: every chat of the account's lines, what it waits for, and where it
 * goes on. The scripted server plays both, the broker and the provider. */
#include "lineward/clock.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl_import_rig.h"

#define LINES                                                                                                        \
    "{\"lines\":[{\"line\":\"+12025550101\",\"account\":\"default\",\"pool\":\"eu\"},"                               \
    "{\"line\":\"+12025550102\",\"account\":\"other\",\"pool\":\"eu\"},"                                             \
    "{\"line\":\"+12025550103\",\"account\":\"default\",\"pool\":\"us\"}],\"next\":null}"
#define CHAT(id, handle)                                                                                             \
    "{\"id\":\"" id "\",\"is_group\":false,\"updated_at\":\"2026-11-20T10:00:00+00:00\","                            \
    "\"health_status\":{\"status\":\"AT_RISK\",\"updated_at\":\"2026-11-19T10:00:00Z\"},\"handles\":["               \
    "{\"handle\":\"+12025550101\",\"is_me\":true},{\"handle\":\"" handle "\",\"is_me\":false}]}"
#define GROUP                                                                                                        \
    "{\"id\":\"group\",\"is_group\":true,\"handles\":[{\"handle\":\"+12025550101\"},{\"handle\":\"+14155550103\"},"  \
    "{\"handle\":\"us@example.com\",\"is_me\":true},{\"handle\":\"+14155550104\",\"status\":\"left\"},{\"handle\":\"Ann@example.com\",\"status\":\"active\"}]}"
#define PAGE(chats, next) "{\"chats\":[" chats "],\"next_cursor\":" next "}"

#define RUN_PROVIDER(...)                                                                                            \
    RUN_ADMIN("conversations", W("import"), W("--from-provider"), W("--api-key-file"), key_path, W("--base-url"),    \
              server.admin, W("--state"), state_path, __VA_ARGS__)

START_TEST(every_chat_of_every_line_of_the_account_is_imported)
{
    static const struct reply script[] = {
        {200, LINES},
        {200, PAGE(CHAT("c1", "+14155550101") "," GROUP, "\"next page\"")},
        {200, RESULTS(IMPORTED "," IMPORTED)},
        {200, PAGE(CHAT("c2", "+14155550102") "," CHAT("c3", "12345") "," CHAT("c4", "+12025550101"), "null")},
        {200, RESULTS(CONFLICT)},
        {200, PAGE("", "\"\"")},
    };
    SERVER_START(script);
    RUN_PROVIDER(W("--account"), W("default"));
    ck_assert_uint_eq(server.seen_count, 6);
    ck_url(1, "/v3/chats?from=%2B12025550101&limit=100");
    ck_assert_str_eq(server.seen[1].authorization, "Bearer the-key");
    ck_asked(2, "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":[\"+14155550101\"],\"chat_id\":\"c1\","
                "\"health\":\"AT_RISK\",\"last_out\":\"2026-11-20T10:00:00.000Z\","
                "\"health_at\":\"2026-11-19T10:00:00.000Z\"}");
    ck_asked(2, "\"to\":[\"+14155550103\",\"Ann@example.com\"],\"chat_id\":\"group\"");
    ck_assert_str_ne(server.seen[2].authorization, "Bearer the-key"); /* the broker never sees the provider's key */
    ck_url(3, "/v3/chats?from=%2B12025550101&limit=100&cursor=next%20page");
    ck_asked(4, "\"chat_id\":\"c2\"");
    ck_url(5, "/v3/chats?from=%2B12025550103&limit=100");
    assert_says(said.out, "2 imported, 0 already there, 1 conflicts, 2 skipped");
    assert_says(said.out, "chat c3: invalid_recipient");
    assert_says(said.out, "chat c4: no_recipient");
    assert_says(said.out, "chat c2: line_conflict");
    ck_assert_int_eq(said.code, EXIT_REFUSED); /* the conflict */
    ck_assert_int_ne(access(state_path, F_OK), 0);
    server_stop();
}
END_TEST

START_TEST(a_provider_that_says_later_is_waited_for)
{
    static const struct reply script[] = {
        {200, LINES},
        {429, "{\"error\":{\"code\":1007,\"message\":\"slow down\",\"retry_after\":0.02}}"},
        {500, "{\"error\":{\"code\":3001,\"message\":\"oops\"}}"},
        {200, PAGE(CHAT("c1", "+14155550101"), "null")},
        {200, RESULTS(IMPORTED)},
    };
    SERVER_START(script);
    RUN_PROVIDER(W("--line"), W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 5);
    server_stop();
    static const struct reply never[] = {
        {200, LINES}, {429, "{\"error\":{\"code\":1007,\"message\":\"slow down\",\"retry_after\":100}}"}};
    SERVER_START(never);
    RUN_PROVIDER(W("--wait"), W("1s"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "gave up waiting: the provider answered 429: slow down");
    server_stop();
}
END_TEST

START_TEST(a_retry_after_that_nobody_can_read_hides_no_other)
{
    static const struct reply never[] = {
        {200, LINES}, {429, "{\"error\":{\"code\":1007,\"message\":\"slow down\",\"retry_after\":100}}"}};
    server_retry_after = "soon";
    SERVER_START(never);
    RUN_PROVIDER(W("--wait"), W("1s"));
    ck_assert_uint_eq(server.seen_count, 2);
    assert_says(said.err, "gave up waiting: the provider answered 429: slow down");
    server_stop();
    server_retry_after = NULL;
}
END_TEST

START_TEST(an_interrupted_import_goes_on_where_it_was)
{
    static const struct reply first[] = {
        {200, LINES},
        {200, PAGE(CHAT("c1", "+14155550101"), "\"k2\"")},
        {200, RESULTS(IMPORTED)},
        {401, "{\"error\":{\"code\":2004,\"message\":\"bad token\"}}"},
    };
    SERVER_START(first);
    RUN_PROVIDER(W("--account"), W("default"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "does not accept the API key");
    server_stop();
    ck_assert_int_eq(access(state_path, F_OK), 0);
    static const struct reply second[] = {
        {200, LINES},
        {400, "{\"error\":{\"code\":1002,\"message\":\"no such cursor\"}}"},
        {200, PAGE(CHAT("c1", "+14155550101"), "null")},
        {200, RESULTS(KNOWN)},
        {403, "{\"error\":{\"code\":2006,\"message\":\"not yours\"}}"},
    };
    SERVER_START(second);
    RUN_PROVIDER(W("--account"), W("default"));
    ck_assert_int_eq(said.code, EXIT_USAGE); /* of another provider */
    assert_says(said.err, "name another file with --state");
    ck_assert_uint_eq(server.seen_count, 1);
    server_stop();
    char text[512];
    SERVER_START(second);
    snprintf(text, sizeof text,
             "{\"account\":\"default\",\"base_url\":\"%s\",\"line\":\"+12025550101\",\"cursor\":\"k2\",\"done\":[]}",
             server.admin);
    write_file(state_path, text);
    RUN_PROVIDER(W("--account"), W("default"));
    ck_url(1, "/v3/chats?from=%2B12025550101&limit=100&cursor=k2");
    ck_url(2, "/v3/chats?from=%2B12025550101&limit=100"); /* its cursor is forgotten: once more from the beginning */
    ck_url(4, "/v3/chats?from=%2B12025550103&limit=100");
    assert_says(said.out, "0 imported, 1 already there, 0 conflicts, 1 skipped");
    assert_says(said.out, "unknown_line");
    assert_says(said.err, "taken up again");
    server_stop();
}
END_TEST

/* What is not in would be opened as new conversations, so nobody may take such an import for a whole one. */
START_TEST(a_line_that_could_not_be_read_is_a_failure)
{
    static const struct reply script[] = {{200, LINES}, {404, "no such page"}};
    SERVER_START(script);
    RUN_PROVIDER(W("--line"), W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "0 imported, 0 already there, 0 conflicts, 1 skipped");
    assert_says(said.out, "unknown_line: the provider answered 404");
    server_stop();
}
END_TEST

START_TEST(a_list_that_does_not_go_on_is_not_taken_for_its_end)
{
    static const struct reply again[] = {
        {200, LINES},
        {200, PAGE(CHAT("c1", "+14155550101"), "\"k1\"")},
        {200, RESULTS(IMPORTED)},
        {200, PAGE(CHAT("c2", "+14155550102"), "\"k1\"")},
        {200, RESULTS(IMPORTED)},
    };
    static char page[4096];
    struct reply too_long[] = {{200, LINES}, {200, page}, {200, RESULTS(IMPORTED)}};
    SERVER_START(again);
    RUN_PROVIDER(W("--line"), W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "+12025550101: the provider's next_cursor");
    ck_assert_int_eq(access(state_path, F_OK), 0); /* the line is not done */
    server_stop();
    remove(state_path);
    snprintf(page, sizeof page, PAGE(CHAT("c1", "+14155550101"), "\"%03000d\""), 7);
    server_start(too_long, 3);
    RUN_PROVIDER(W("--line"), W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "+12025550101: the provider's next_cursor");
    server_stop();
}
END_TEST

START_TEST(a_cursor_is_forgotten_once_a_line_and_not_for_ever)
{
    static const struct reply script[] = {
        {200, LINES},
        {200, PAGE(CHAT("c1", "+14155550101"), "\"k1\"")},
        {200, RESULTS(IMPORTED)},
        {400, "{\"error\":{\"code\":1005,\"message\":\"no such cursor\"}}"},
        {200, PAGE(CHAT("c1", "+14155550101"), "\"k2\"")},
        {200, RESULTS(KNOWN)},
        {400, "{\"error\":{\"code\":1005,\"message\":\"no such cursor\"}}"},
    };
    SERVER_START(script);
    RUN_PROVIDER(W("--line"), W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_uint_eq(server.seen_count, 7);
    assert_says(said.err, "the provider answered 400: no such cursor");
    server_stop();
}
END_TEST

START_TEST(a_line_that_was_asked_for_and_is_not_there_is_told)
{
    static const struct reply script[] = {{200, LINES}};
    SERVER_START(script);
    RUN_PROVIDER(W("--line"), W("+12025550101"), W("--line"), W("+12025550109"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "knows no such line of account default: +12025550109");
    ck_assert_uint_eq(server.seen_count, 1);
    server_stop();
}
END_TEST

START_TEST(what_the_lines_are_used_to_is_told)
{
    static const int active[] = {5, 2, 2, 2, 0, 0, 0}; /* chats, on each of the days before this one */
    static char chats[8192], results[2048];
    struct json_out out = {0};
    int count = 0;
    strcpy(results, "{\"results\":[");
    json_open(&out, '{');
    json_key(&out, "chats");
    json_open(&out, '[');
    for (int d = 0; d < 7; d++)
        for (int n = 0; n < active[d]; n++, count++) {
            char chat[256], text[32];
            snprintf(text, sizeof text, "c%d", count);
            snprintf(chat, sizeof chat, "{\"id\":\"%s\",\"handles\":[{\"handle\":\"+1415555%04d\"}],\"updated_at\":", text,
                     count);
            struct json_out time = {0};
            json_put_time(&time, (clock_read().wall_ms / 86400000 - 1 - d) * 86400000 + 3600000);
            json_put_raw(&out, chat, strlen(chat));
            out.comma = false;
            json_put_raw(&out, time.text, time.bytes);
            out.comma = false;
            json_put_raw(&out, "}", 1);
            json_out_free(&time);
            strcat(results, count > 0 ? "," IMPORTED : IMPORTED);
        }
    json_close(&out, ']');
    json_close(&out, '}');
    strcat(results, "]}");
    snprintf(chats, sizeof chats, "%.*s", (int)out.bytes, out.text);
    json_out_free(&out);
    struct reply script[] = {{200, LINES}, {200, chats}, {200, results}, {200, PAGE("", "null")}};
    server_start(script, 4);
    RUN_PROVIDER(W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "\"active_chats_per_day\":{\"+12025550101\":2}");
    server_stop();
    server_start(script, 4);
    RUN_PROVIDER(W("--account"), W("default"));
    assert_says(said.out, "  +12025550101: 2\n");
    server_stop();
}
END_TEST

START_TEST(a_line_that_was_done_is_passed_over)
{
    static const struct reply script[] = {{200, LINES}, {200, PAGE("", "null")}};
    char text[512];
    SERVER_START(script);
    snprintf(text, sizeof text, "{\"account\":\"default\",\"base_url\":\"%s\",\"line\":null,\"done\":[\"+12025550101\"]}",
             server.admin);
    write_file(state_path, text);
    RUN_PROVIDER(W("--account"), W("default"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_url(1, "/v3/chats?from=%2B12025550103&limit=100");
    server_stop();
}
END_TEST

START_TEST(what_cannot_work_is_said_before_anything_is_asked)
{
    static const struct reply script[] = {{200, LINES}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("conversations", W("import"), W("--from-provider"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "--config");
    RUN_ADMIN("conversations", W("import"), W("--from-provider"), W("--api-key-file"), key_path, W("--base-url"),
              W("http://192.0.2.1/"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "https");
    RUN_ADMIN("conversations", W("import"), W("/nowhere/at/all.csv"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_PROVIDER(W("--account"), W("third"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "no such line of account third");
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_import_provider");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_chat_of_every_line_of_the_account_is_imported);
    tcase_add_test(tcase, a_provider_that_says_later_is_waited_for);
    tcase_add_test(tcase, a_retry_after_that_nobody_can_read_hides_no_other);
    tcase_add_test(tcase, an_interrupted_import_goes_on_where_it_was);
    tcase_add_test(tcase, a_line_that_could_not_be_read_is_a_failure);
    tcase_add_test(tcase, a_list_that_does_not_go_on_is_not_taken_for_its_end);
    tcase_add_test(tcase, a_cursor_is_forgotten_once_a_line_and_not_for_ever);
    tcase_add_test(tcase, a_line_that_was_asked_for_and_is_not_there_is_told);
    tcase_add_test(tcase, what_the_lines_are_used_to_is_told);
    tcase_add_test(tcase, a_line_that_was_done_is_passed_over);
    tcase_add_test(tcase, what_cannot_work_is_said_before_anything_is_asked);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
