/* linewardctl conversations: import from a file, export, one conversation; and suppressions. Import from the provider:
 * ctl_import_provider_test.c. */
#include "tests/support/suite.h"
#include "tests/unit/ctl_import_rig.h"
#include "tools/ctl/csv.h"
#include "tools/ctl/progress.h"

/* ---- rows ---- */

static size_t split(const char *row, char *fields[CSV_FIELDS_MAX], const char **why)
{
    static char text[512];
    snprintf(text, sizeof text, "%s", row);
    return csv_split(text, fields, why);
}

START_TEST(a_row_is_split_as_spreadsheets_write_it)
{
    char *fields[CSV_FIELDS_MAX];
    const char *why = NULL;
    ck_assert_uint_eq(split("a, b ,\"c,\"\"d\"\"\" ,,\r", fields, &why), 5);
    ck_assert_str_eq(fields[0], "a");
    ck_assert_str_eq(fields[1], "b");
    ck_assert_str_eq(fields[2], "c,\"d\"");
    ck_assert_str_eq(fields[3], "");
    ck_assert_str_eq(fields[4], "");
    ck_assert_uint_eq(split("\"\",\"x\"", fields, &why), 2);
    ck_assert_str_eq(fields[0], "");
    ck_assert_str_eq(fields[1], "x");
    ck_assert_uint_eq(split("a,\"b", fields, &why), 0);
    assert_says(why, "not closed");
    ck_assert_uint_eq(split("\"a\"b,c", fields, &why), 0);
    assert_says(why, "between");
    ck_assert_uint_eq(split(",,,,,,,,,,,,,,,,", fields, &why), 0);
    assert_says(why, "more fields");
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    static const char *const texts[] = {"plain", "a,b", "say \"hi\"", " blank first", "blank last\t", "", "+14155550101"};
    char *written = NULL;
    size_t bytes = 0;
    char *fields[CSV_FIELDS_MAX];
    const char *why = NULL;
    FILE *out = open_memstream(&written, &bytes);
    for (size_t i = 0; i < 7; i++)
        csv_put(out, texts[i], i == 0);
    fclose(out);
    ck_assert_uint_eq(csv_split(written, fields, &why), 7);
    for (size_t i = 0; i < 7; i++)
        ck_assert_str_eq(fields[i], texts[i]);
    free(written);
}
END_TEST

START_TEST(without_a_terminal_progress_is_a_line_every_few_seconds)
{
    char *written = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&written, &bytes);
    struct progress progress = {.plain = out, .noun = "conversations", .begun_ms = 1000};
    for (int64_t ms = 1000; ms <= 12000; ms += 50)
        progress_draw(&progress, &(struct progress_state){ms - 1000, 22000, (uint64_t)ms, 3, NULL}, ms, true);
    progress_end(&progress);
    fclose(out);
    ck_assert_str_eq(written, " 22%  6,000 conversations  1,200/s  3 refused\n"
                              " 45%  11,000 conversations  1,100/s  3 refused\n");
    free(written);
}
END_TEST

/* ---- from a file ---- */

#define BUSY "{\"error\":{\"code\":\"busy\",\"message\":\"full\",\"retry_after_ms\":50}}"

START_TEST(a_file_is_imported_and_its_bad_rows_are_reported)
{
    static const struct reply script[] = {
        {200, RESULTS(IMPORTED "," KNOWN "," CONFLICT ",{\"error\":{\"code\":\"invalid_recipient\",\"message\":\"to: no\"}}")}};
    write_file(file_path, "pool,line,to,chat_id,last_out\n"
                          "default,+12025550101,+14155550101,chat-1,2026-11-20T10:00:00Z\n"
                          "\n"
                          "# a remark\n"
                          "default,+12025550101,+14155550102;Ann@example.com,,\n"
                          "default,+12025550101,\"+14155550103\n"
                          "default,+12025550101,+14155550104\n"
                          "default,+12025550101,nobody\n");
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_url(0, "/v1/conversations/import");
    ck_asked(0, "{\"pool\":\"default\",\"line\":\"+12025550101\",\"to\":[\"+14155550101\"],\"chat_id\":\"chat-1\","
                "\"last_out\":\"2026-11-20T10:00:00Z\"}");
    ck_asked(0, "\"to\":[\"+14155550102\",\"Ann@example.com\"]}");
    assert_says(said.out, "1 imported, 1 already there, 1 conflicts, 2 skipped");
    assert_says(said.out, "line 6: malformed: a quote is opened");
    assert_says(said.out, "line 7: line_conflict: lives elsewhere");
    assert_says(said.out, "line 8: invalid_recipient: to: no");
    server_stop();
}
END_TEST

/* Else who has opted out by a word that nobody knows would be written to. */
START_TEST(a_row_whose_health_is_no_word_for_it_is_reported_and_not_imported)
{
    static const struct reply script[] = {{200, RESULTS(IMPORTED "," IMPORTED)}};
    write_file(file_path, "line,to,health\n"
                          "+12025550101,+14155550101,unsubscribed\n"
                          "+12025550101,+14155550102,opted-out\n"
                          "+12025550101,+14155550103,Unknown\n");
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "2 imported, 0 already there, 0 conflicts, 1 skipped");
    assert_says(said.out, "line 2: invalid_field: health");
    assert_silent(server.seen[0].body, "+14155550101");
    server_stop();
}
END_TEST

START_TEST(columns_come_in_the_order_of_the_first_row_or_in_their_own)
{
    static const struct reply script[] = {{200, RESULTS(IMPORTED)}};
    write_file(file_path, "to,chat_id,line\n+14155550101,chat-1,+12025550101\n");
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_asked(0, "{\"line\":\"+12025550101\",\"to\":[\"+14155550101\"],\"chat_id\":\"chat-1\"}");
    server_stop();
    write_file(file_path, "eu,+12025550101,+14155550101,chat-1,,2026-11-20T10:00:00Z,AT_RISK\n");
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_asked(0, "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":[\"+14155550101\"],\"chat_id\":\"chat-1\","
                "\"last_in\":\"2026-11-20T10:00:00Z\",\"health\":\"AT_RISK\"}");
    server_stop();
}
END_TEST

START_TEST(the_first_row_may_stand_behind_a_mark_or_a_remark)
{
    static const struct reply script[] = {{200, RESULTS(IMPORTED)}};
    static const char *const files[] = {"\xef\xbb\xbfto,line\r\n+14155550101,+12025550101\r\n",
                                        "# of last year\n\nto,line\n+14155550101,+12025550101\n",
                                        "\xef\xbb\xbf# of last year\nto,line\n+14155550101,+12025550101\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_file(file_path, files[i]);
        SERVER_START(script);
        RUN_ADMIN("conversations", W("import"), file_path);
        ck_assert_msg(said.code == EXIT_DONE, "%zu: %s", i, said.out);
        ck_asked(0, "[{\"line\":\"+12025550101\",\"to\":[\"+14155550101\"]}]");
        server_stop();
    }
}
END_TEST

START_TEST(a_busy_broker_is_waited_for_and_each_row_counted_once)
{
    static const struct reply script[] = {{200, RESULTS(IMPORTED "," BUSY)}, {200, RESULTS(KNOWN "," IMPORTED)}};
    write_file(file_path, "default,+12025550101,+14155550101\ndefault,+12025550101,+14155550102\n");
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_assert_str_eq(server.seen[0].body, server.seen[1].body);
    assert_says(said.out, "\"imported\":2,\"known\":0,\"conflicts\":0,\"skipped\":0");
    server_stop();
}
END_TEST

START_TEST(a_broker_that_stays_busy_or_refuses_ends_the_import)
{
    static const struct reply busy[] = {{200, RESULTS(BUSY)}};
    static const struct reply forbidden[] = {{403, "{\"error\":{\"code\":\"forbidden\",\"message\":\"not you\"}}"}};
    write_file(file_path, "default,+12025550101,+14155550101\n");
    SERVER_START(busy);
    RUN_ADMIN("conversations", W("import"), file_path, W("--wait"), W("120ms"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "gave up waiting: busy");
    server_stop();
    SERVER_START(forbidden);
    RUN_ADMIN("conversations", W("import"), file_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "forbidden: not you");
    server_stop();
    RUN_ADMIN("conversations", W("import"), file_path); /* nobody there any more */
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
}
END_TEST

START_TEST(a_long_file_goes_in_batches_of_a_thousand)
{
    char *results = calloc(1, 100000);
    char *last = calloc(1, 100000);
    struct reply script[] = {{200, results}, {200, last}};
    FILE *file = fopen(file_path, "we");
    ck_assert_ptr_nonnull(results);
    ck_assert_ptr_nonnull(last);
    for (int i = 0; i < 1500; i++) {
        char *to = i < 1000 ? results : last;
        strcat(to, i % 1000 == 0 ? "{\"results\":[" IMPORTED : "," IMPORTED);
        fprintf(file, "default,+12025550101,+1415555%04d,chat-%d\n", i, i);
    }
    strcat(results, "]}");
    strcat(last, "]}");
    fclose(file);
    server_start(script, 2);
    RUN_ADMIN("conversations", W("import"), file_path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_asked(0, "chat-999\"");
    ck_asked(1, "chat-1000\"");
    assert_says(said.out, "\"imported\":1500");
    server_stop();
    free(results);
    free(last);
}
END_TEST

/* ---- export, one conversation, suppressions ---- */

START_TEST(an_export_is_what_import_takes)
{
    static const struct reply script[] = {
        {200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[\"+14155550101\"],\"line\":\"+12025550101\",\"chat_id\":\"c1\","
              "\"health\":{\"status\":\"HEALTHY\",\"since\":\"2026-11-20T09:12:44.000Z\"},\"last_out\":null,"
              "\"last_in\":\"2026-11-21T09:00:00.000Z\"}],\"next\":\"7\"}"},
        {200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[\"+14155550101\",\"ann@example.com\"],"
              "\"line\":\"+12025550101\",\"chat_id\":null,\"health\":{\"status\":\"UNKNOWN\",\"since\":null},"
              "\"last_out\":null,\"last_in\":null}],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("export"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_url(0, "/v1/conversations?limit=1000&pool=eu");
    ck_url(1, "/v1/conversations?limit=1000&after=7&pool=eu");
    ck_assert_str_eq(said.out, "pool,line,to,chat_id,last_out,last_in,health,health_at\n"
                               "eu,+12025550101,+14155550101,c1,,2026-11-21T09:00:00.000Z,HEALTHY,"
                               "2026-11-20T09:12:44.000Z\n"
                               "eu,+12025550101,+14155550101;ann@example.com,,,,,\n");
    server_stop();
    static const struct reply masked[] = {
        {200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[\"+1415*****01\"],\"line\":\"+12025550101\"}],\"next\":null}"}};
    SERVER_START(masked);
    RUN_ADMIN("conversations", W("export"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "operator");
    server_stop();
}
END_TEST

START_TEST(an_export_that_lacks_what_is_damaged_says_so)
{
    static const struct reply script[] = {
        {200, "{\"conversations\":[],\"next\":\"7\",\"unread\":2}"},
        {200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[\"+14155550101\"],\"line\":\"+12025550101\"}],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("export"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "+14155550101"); /* the rest is there */
    assert_says(said.err, "2 ");
    server_stop();
}
END_TEST

START_TEST(an_export_in_json_says_what_it_lacks_too)
{
    static const struct reply script[] = {{200, "{\"conversations\":[],\"next\":\"7\",\"unread\":2}"},
                                          {200, "{\"conversations\":[],\"next\":\"9\"}"},
                                          {200, "{\"conversations\":[],\"next\":null,\"unread\":1}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("export"), W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_str_eq(said.out, "{\"conversations\":[],\"next\":null,\"unread\":3}\n");
    server_stop();
}
END_TEST

START_TEST(an_export_in_json_that_cannot_be_whole_says_so)
{
    enum { ROWS = 1000000 };
    static const char head[] = "{\"conversations\":[{}", tail[] = "],\"next\":\"7\"}";
    char *page = malloc(sizeof head + 3 * (size_t)ROWS + sizeof tail);
    ck_assert_ptr_nonnull(page);
    char *at = stpcpy(page, head);
    for (int i = 1; i < ROWS; i++)
        at = stpcpy(at, ",{}");
    stpcpy(at, tail);
    const struct reply script[] = {{200, page}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("export"), W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said.out, "],\"next\":\"7\"}"));
    server_stop();
    free(page);
}
END_TEST

START_TEST(an_export_of_an_answer_that_is_none_is_refused)
{
    static const struct reply empty[] = {{200, "{}"}};
    SERVER_START(empty);
    RUN_ADMIN("conversations", W("export"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "malformed");
    server_stop();
    static const struct reply numbers[] = {{200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[7]}],\"next\":null}"}};
    SERVER_START(numbers);
    RUN_ADMIN("conversations", W("export"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "malformed");
    server_stop();
}
END_TEST

START_TEST(an_import_of_a_file_takes_nothing_that_is_of_the_provider)
{
    write_file(file_path, "pool,line,to\neu,+12025550101,+14155550101\n");
    static const struct reply script[] = {{200, "{\"results\":[{\"result\":\"imported\"}]}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("import"), file_path, W("--line"), W("+12025550102"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "--line goes with --from-provider");
    RUN_ADMIN("conversations", W("import"), file_path, W("--account"), W("a"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    server_stop();
}
END_TEST

START_TEST(one_conversation_is_shown)
{
    static const struct reply script[] = {{200, "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"placed\":true}"}};
    SERVER_START(script);
    RUN_ADMIN("conversation", W("eu"), W("+14155550101,ann@example.com"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_url(0, "/v1/conversations/eu/%2B14155550101%2Cann%40example.com");
    assert_says(said.out, "+12025550101");
    server_stop();
}
END_TEST

START_TEST(suppressions_are_listed_set_and_lifted)
{
    static const struct reply script[] = {
        {200, "{\"suppressions\":[{\"to\":\"+14155550101\",\"cause\":\"operator\",\"reason\":\"asked\"}],\"next\":null}"},
        {200, "{\"suppressed\":true}"},
        {200, "{\"suppressed\":false}"}};
    SERVER_START(script);
    RUN_ADMIN("suppressions");
    ck_url(0, "/v1/suppressions/default?limit=1000");
    assert_says(said.out, "operator");
    RUN_ADMIN("suppress", W("+14155550101"), W("--reason"), W("asked"), W("--account"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(server.seen[1].method, "PUT");
    ck_url(1, "/v1/suppressions/eu/%2B14155550101");
    ck_assert_str_eq(server.seen[1].body, "{\"reason\":\"asked\"}");
    RUN_ADMIN("unsuppress", W("+14155550101"), W("--reason"), W("wrote"));
    ck_assert_str_eq(server.seen[2].method, "DELETE");
    ck_url(2, "/v1/suppressions/default/%2B14155550101");
    RUN_ADMIN("suppress", W("+14155550101"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_import");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_row_is_split_as_spreadsheets_write_it);
    tcase_add_test(tcase, what_is_written_is_read_again);
    tcase_add_test(tcase, without_a_terminal_progress_is_a_line_every_few_seconds);
    tcase_add_test(tcase, a_file_is_imported_and_its_bad_rows_are_reported);
    tcase_add_test(tcase, a_row_whose_health_is_no_word_for_it_is_reported_and_not_imported);
    tcase_add_test(tcase, columns_come_in_the_order_of_the_first_row_or_in_their_own);
    tcase_add_test(tcase, the_first_row_may_stand_behind_a_mark_or_a_remark);
    tcase_add_test(tcase, a_busy_broker_is_waited_for_and_each_row_counted_once);
    tcase_add_test(tcase, a_broker_that_stays_busy_or_refuses_ends_the_import);
    tcase_add_test(tcase, a_long_file_goes_in_batches_of_a_thousand);
    tcase_add_test(tcase, an_export_is_what_import_takes);
    tcase_add_test(tcase, an_export_that_lacks_what_is_damaged_says_so);
    tcase_add_test(tcase, an_export_in_json_says_what_it_lacks_too);
    tcase_add_test(tcase, an_export_in_json_that_cannot_be_whole_says_so);
    tcase_add_test(tcase, an_export_of_an_answer_that_is_none_is_refused);
    tcase_add_test(tcase, an_import_of_a_file_takes_nothing_that_is_of_the_provider);
    tcase_add_test(tcase, one_conversation_is_shown);
    tcase_add_test(tcase, suppressions_are_listed_set_and_lifted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
