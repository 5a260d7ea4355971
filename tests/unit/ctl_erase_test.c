/* linewardctl erase: says what it would touch before it does it, waits for the end, and tells where else somebody may be. */
#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

#define VIEW(state, dry)                                                                                             \
    "{\"erasure\":\"e_7\",\"state\":\"" state "\",\"dry_run\":" dry ",\"jobs\":3,\"jobs_out\":1,\"conversations\":2,"       \
    "\"records\":1670,\"percent\":null,\"elsewhere\":[\"old backups\"]}"

START_TEST(without_yes_it_says_what_it_would_touch)
{
    static const struct reply script[] = {{202, VIEW("finding", "true")}, {200, VIEW("done", "true")}};
    SERVER_START(script);
    RUN_ADMIN("erase", W("+14155550190"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/erasures");
    ck_assert_str_eq(server.seen[0].body, "{\"to\":\"+14155550190\",\"dry_run\":true}");
    assert_asked(1, "GET", "/v1/erasures/e_7");
    assert_says(said.out, "would end      3 jobs");
    assert_says(said.out, "1,670 records");
    assert_says(said.out, "Nothing was changed");
    server_stop();
}
END_TEST

START_TEST(with_yes_it_does_it_and_waits_for_the_end)
{
    static const struct reply script[] = {
        {202, VIEW("finding", "false")}, {200, VIEW("rewriting", "false")}, {200, VIEW("done", "false")}};
    SERVER_START(script);
    RUN_ADMIN("erase", W("+14155550190"), W("--yes"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("erase", W("+14155550190"), W("--yes"), W("--reason"), W("a letter"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(server.seen[0].body, "{\"to\":\"+14155550190\",\"dry_run\":false,\"reason\":\"a letter\"}");
    ck_assert_uint_eq(server.seen_count, 3);
    assert_says(said.err, "rewriting");
    assert_says(said.out, "e_7: done; 3 jobs ended, 2 conversations forgotten");
    assert_says(said.out, "old backups");
    ck_assert_ptr_null(strstr(said.out, "0190"));
    server_stop();
}
END_TEST

START_TEST(it_need_not_be_waited_for)
{
    static const struct reply script[] = {{202, VIEW("finding", "false")}};
    SERVER_START(script);
    RUN_ADMIN("erase", W("+14155550190"), W("--yes"), W("--no-wait"), W("--reason"), W("a letter"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_says(said.out, "e_7 is under way");
    server_stop();
}
END_TEST

START_TEST(a_refusal_is_said_and_ends_it)
{
    static const struct reply script[] = {
        {422, "{\"error\":{\"code\":\"invalid_recipient\",\"message\":\"to must be one recipient\"}}"}};
    SERVER_START(script);
    RUN_ADMIN("erase", W("nobody"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "to must be one recipient");
    server_stop();
}
END_TEST

START_TEST(the_list_shows_how_far_each_is)
{
    static const struct reply script[] = {{200, "{\"erasures\":[" VIEW("ending", "false") "],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("erasures");
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "e_7");
    assert_says(said.out, "ending");
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_erase");
    TCase *tcase = tcase_create("erase");
    tcase_add_checked_fixture(tcase, NULL, said_free);
    tcase_add_test(tcase, without_yes_it_says_what_it_would_touch);
    tcase_add_test(tcase, with_yes_it_does_it_and_waits_for_the_end);
    tcase_add_test(tcase, it_need_not_be_waited_for);
    tcase_add_test(tcase, a_refusal_is_said_and_ends_it);
    tcase_add_test(tcase, the_list_shows_how_far_each_is);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
