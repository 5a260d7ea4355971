/* linewardctl's why, why-line, why-not and would-send: what they ask, and what they show. */
#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

START_TEST(why_shows_the_reason_and_when)
{
    static const struct reply script[] = {
        {200, "{\"job\":\"j_1\",\"state\":\"queued\",\"why\":{\"reason\":\"pace\",\"rule\":\"its line's pace\","
              "\"estimated_at\":\"2036-01-01T00:00:00.000Z\",\"queue\":{\"ahead\":12,\"lines\":1,\"per_min\":28.6}}}"},
        {200, "{\"job\":\"j_2\",\"state\":\"sent\",\"why\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("why", W("order-1"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/jobs/order-1");
    assert_says(said.out, "j_1 is queued");
    assert_says(said.out, "its line's pace");
    assert_says(said.out, "12");
    RUN_ADMIN("why", W("order-2"));
    assert_says(said.out, "j_2 is sent: it waits for nothing");
    server_stop();
}
END_TEST

START_TEST(why_line_and_why_not_show_all_that_stops)
{
    static const struct reply script[] = {
        {200, "{\"line\":\"+1202\",\"gate\":\"closed\",\"why\":[{\"reason\":\"line_paused\",\"rule\":\"r\",\"release\":\"resume\","
              "\"release_at\":null,\"paused\":{\"by\":\"ann\",\"reason\":\"storm\"}}]}"},
        {200, "{\"line\":\"+1202\",\"gate\":\"open\",\"why\":[]}"},
        {200, "{\"job\":\"j_1\",\"against\":[{\"code\":\"line_conflict\",\"rule\":\"lives elsewhere\",\"release\":null}]}"},
        {200, "{\"job\":\"j_1\",\"against\":[]}"}};
    SERVER_START(script);
    RUN_ADMIN("why-line", W("+1202"));
    assert_asked(0, "GET", "/v1/lines/%2B1202");
    assert_says(said.out, "+1202 is closed");
    assert_says(said.out, "line_paused");
    assert_says(said.out, "ann");
    RUN_ADMIN("why-line", W("+1202"));
    assert_says(said.out, "nothing stops it");
    RUN_ADMIN("why-not", W("order-1"), W("+1202"));
    assert_asked(2, "GET", "/v1/jobs/order-1/why-not/%2B1202");
    assert_says(said.out, "lives elsewhere");
    RUN_ADMIN("why-not", W("order-1"), W("+1202"));
    assert_says(said.out, "nothing speaks against it");
    ck_assert_int_eq(said.code, EXIT_DONE);
    server_stop();
}
END_TEST

START_TEST(would_send_asks_for_a_dry_run_and_fails_if_one_is_refused)
{
    static const struct reply script[] = {
        {200, "{\"results\":[{\"id\":\"a\",\"state\":\"queued\",\"line\":\"+1202\",\"reason\":null,"
              "\"estimated_at\":\"2036-01-01T00:00:00.000Z\"},{\"id\":\"b\",\"error\":{\"code\":\"opted_out\"}}]}"}};
    char path[] = "/tmp/lineward-would-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    fputs("{\"id\":\"a\",\"to\":\"+1\"}\n\n{\"id\":\"b\",\"to\":\"+2\"}\n", file);
    fclose(file);
    SERVER_START(script);
    RUN_ADMIN("would-send", W(path));
    ck_assert_uint_eq(server.seen_count, 1);
    assert_asked(0, "POST", "/v1/jobs?dry_run=1");
    ck_assert_str_eq(server.seen[0].body, "{\"jobs\":[{\"id\":\"a\",\"to\":\"+1\"},{\"id\":\"b\",\"to\":\"+2\"}]}");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "+1202");
    assert_says(said.out, "opted_out");
    server_stop();
    unlink(path);
}
END_TEST

START_TEST(shape_shows_a_column_for_each_age)
{
    static const struct reply script[] = {
        {200, "{\"minutes\":[5,10],\"total\":{\"jobs\":7,\"ages\":[4,2,1]},\"shape\":[{\"pool\":\"eu\",\"line\":\"+1202\","
              "\"reason\":\"line_critical\",\"jobs\":7,\"ages\":[4,2,1]}],\"left_off\":3}"}};
    SERVER_START(script);
    RUN_ADMIN("shape", W("--by"), W("line"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/shape?by=line&pool=eu");
    assert_says(said.out, "1280+");
    assert_says(said.out, "+1202  eu  line_critical");
    assert_says(said.out, "3 smaller rows");
    server_stop();
}
END_TEST

START_TEST(replies_show_how_many_were_answered)
{
    static const struct reply script[] = {
        {200, "{\"days\":7,\"total\":{\"sent\":40,\"answered\":5,\"share\":0.125},\"replies\":[{\"pool\":\"eu\",\"class\":"
              "\"campaign\",\"sent\":30,\"answered\":2,\"share\":0.0667}],\"left_off\":3}"},
        {200, "{\"days\":7,\"total\":{\"sent\":0,\"answered\":0,\"share\":null},\"replies\":[],\"left_off\":0}"}};
    SERVER_START(script);
    RUN_ADMIN("replies", W("--by"), W("class"), W("--below"), W("15"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/replies?by=class&below=15");
    assert_says(said.out, "the last 7 days: 40 sent, 5 answered (12.5 %)");
    assert_says(said.out, "CLASS      SHARE  ANSWERED  SENT  POOL");
    assert_says(said.out, "campaign  0.0667         2    30  eu");
    assert_says(said.out, "3 more");
    RUN_ADMIN("replies");
    ck_assert_str_eq(said.out, "the last 7 days: 0 sent, 0 answered\n");
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_why");
    TCase *tests = tcase_create("ctl_why");
    tcase_add_checked_fixture(tests, NULL, said_free);
    tcase_add_test(tests, why_shows_the_reason_and_when);
    tcase_add_test(tests, why_line_and_why_not_show_all_that_stops);
    tcase_add_test(tests, would_send_asks_for_a_dry_run_and_fails_if_one_is_refused);
    tcase_add_test(tests, shape_shows_a_column_for_each_age);
    tcase_add_test(tests, replies_show_how_many_were_answered);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
