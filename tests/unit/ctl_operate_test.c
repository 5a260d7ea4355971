/* linewardctl, an operator's word: what it asks of the admin API, what it insists on, and how it ends. */
#include <signal.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

START_TEST(settle_needs_a_reason_and_an_outcome)
{
    static const struct reply script[] = {{200, "{\"job\":\"j_1\",\"state\":\"sent\"}"}};
    SERVER_START(script);
    RUN_ADMIN("settle", W("j_1"), W("sent"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("settle", W("j_1"), W("lost"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("settle", W("j_1"), W("sent"), W("--reason"), W("seen on the phone"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/jobs/j_1/settle");
    ck_assert_str_eq(server.seen[0].body, "{\"outcome\":\"sent\",\"reason\":\"seen on the phone\"}");
    assert_says(said.out, "j_1: settled as sent; it is sent now");
    server_stop();
}
END_TEST

START_TEST(cordon_and_uncordon_name_the_line)
{
    static const struct reply script[] = {{200, "{\"line\":\"+1202\",\"cordoned\":true}"}};
    SERVER_START(script);
    RUN_ADMIN("cordon", W("+1202"));
    RUN_ADMIN("uncordon", W("+1202"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/cordon");
    assert_asked(1, "POST", "/v1/lines/%2B1202/uncordon");
    server_stop();
}
END_TEST

START_TEST(the_conversations_of_a_line_are_listed_by_their_health)
{
    static const struct reply script[] = {
        {200, "{\"conversations\":[],\"next\":\"65536\"}"},
        {200, "{\"conversations\":[{\"pool\":\"eu\",\"to\":[\"+14155550001\"],\"chat_id\":\"c1\",\"health\":{\"status\":"
              "\"CRITICAL\",\"since\":null},\"streak\":4}],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("of"), W("+1202"), W("--health"), W("CRITICAL,AT_RISK"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/lines/%2B1202/conversations?limit=100&health=CRITICAL%2CAT_RISK");
    assert_asked(1, "GET", "/v1/lines/%2B1202/conversations?limit=100&after=65536&health=CRITICAL%2CAT_RISK");
    assert_says(said.out, "+14155550001");
    assert_says(said.out, "CRITICAL");
    server_stop();
}
END_TEST

START_TEST(the_list_of_lines_says_which_are_cordoned)
{
    static const struct reply script[] = {
        {200, "{\"lines\":[{\"line\":\"+1202\",\"gate\":\"open\",\"cordoned\":true}],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("lines");
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "CORDONED");
    assert_says(said.out, "yes");
    server_stop();
}
END_TEST

START_TEST(a_reputation_is_set_for_a_while_with_a_reason_and_ended)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    RUN_ADMIN("reputation", W("set"), W("+1202"), W("CRITICAL"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("reputation", W("set"), W("+1202"), W("CRITICAL"), W("--for"), W("2h"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("reputation", W("set"), W("+1202"), W("CRITICAL"), W("--for"), W("2h"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/reputation");
    ck_assert_str_eq(server.seen[0].body, "{\"status\":\"CRITICAL\",\"for_ms\":7200000,\"reason\":\"x\"}");
    RUN_ADMIN("reputation", W("end"), W("+1202"));
    assert_asked(1, "DELETE", "/v1/lines/%2B1202/reputation");
    server_stop();
}
END_TEST

START_TEST(a_drain_says_how_and_may_be_dry)
{
    static const struct reply script[] = {{200, "{\"line\":\"+1202\",\"drain\":{\"mode\":\"ramp\",\"jobs\":3}}"}};
    SERVER_START(script);
    RUN_ADMIN("drain", W("+1202"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--stop"), W("--mode"), W("fail"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--mode"), W("ramp"), W("--pace"), W("0"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--mode"), W("ramp"), W("--pace"), W("20"), W("--dry-run"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/drain");
    ck_assert_str_eq(server.seen[0].body, "{\"mode\":\"ramp\",\"pace_per_min\":20,\"dry_run\":true}");
    assert_says(said.out, "ramp");
    RUN_ADMIN("drain", W("+1202"), W("--stop"));
    assert_asked(1, "DELETE", "/v1/lines/%2B1202/drain");
    server_stop();
}
END_TEST

START_TEST(ending_or_watching_a_drain_takes_nothing_of_a_new_one)
{
    static const struct reply script[] = {{200, "{\"line\":\"+1202\",\"drain\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("drain", W("+1202"), W("--stop"), W("--dry-run")); /* was ended */
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "--dry-run is about a drain that --mode begins");
    RUN_ADMIN("drain", W("+1202"), W("--stop"), W("--pace"), W("5"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--watch"), W("--stop-errors"), W("5"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--watch"), W("--order"), W("oldest"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    server_stop();
}
END_TEST

#define DRAIN(state, reason, left)                                                                                   \
    "{\"line\":\"+1202\",\"pace_per_min\":600,\"reason\":null,\"drain\":{\"mode\":\"ramp\",\"state\":\"" state "\",\"reason\":" reason       \
    ",\"total\":3000,\"sent\":1250,\"failed\":10,\"left\":" left ",\"eta_at\":null}}"

START_TEST(a_drain_is_watched_until_it_is_over_and_the_exit_code_says_how)
{
    static const struct reply done[] = {{200, "{}"}, {200, DRAIN("running", "null", "1740")}, {200, DRAIN("done", "null", "0")}};
    SERVER_START(done);
    RUN_ADMIN("drain", W("+1202"), W("--mode"), W("ramp"), W("--pace"), W("600"), W("--order"), W("oldest"), W("--stop-errors"),
              W("5"), W("--watch"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(server.seen[0].body,
                     "{\"mode\":\"ramp\",\"pace_per_min\":600,\"stop_error_percent\":5,\"order\":\"oldest\"}");
    assert_asked(1, "GET", "/v1/lines/%2B1202");
    assert_says(said.err, "1,740 left, 1,250 sent, 10 failed, 600/min");
    assert_says(said.out, "+1202: done; 1,250 sent, 10 failed, 0 left");
    server_stop();
    static const struct reply stopped[] = {{200, DRAIN("stopped", "\"line_critical\"", "1740")}};
    SERVER_START(stopped);
    RUN_ADMIN("drain", W("+1202"), W("--watch"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_asked(0, "GET", "/v1/lines/%2B1202"); /* nothing is begun */
    assert_says(said.out, "+1202: stopped: line_critical; 1,250 sent, 10 failed, 1,740 left");
    RUN_ADMIN("drain", W("+1202"), W("--watch"), W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "\"state\":\"stopped\"");
    server_stop();
    static const struct reply none[] = {{200, "{\"line\":\"+1202\",\"drain\":null}"}};
    SERVER_START(none);
    RUN_ADMIN("drain", W("+1202"), W("--watch"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    RUN_ADMIN("drain", W("+1202"), W("--watch"), W("--stop"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("drain", W("+1202"), W("--mode"), W("ramp"), W("--pace"), W("5"), W("--watch"), W("--dry-run"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    server_stop();
}
END_TEST

START_TEST(a_drain_that_sends_nothing_tells_what_it_has_done)
{
    static const struct reply script[] = {
        {200, "{\"line\":\"+1202\",\"reason\":\"line_critical\",\"drain\":{\"mode\":\"fail\",\"state\":\"running\","
              "\"sent\":0,\"failed\":0,\"jobs\":1200,\"conversations\":0,\"total\":3000,\"left\":1800}}"},
        {200, "{\"line\":\"+1202\",\"drain\":{\"mode\":\"fail\",\"state\":\"done\",\"sent\":0,\"failed\":0,"
              "\"jobs\":3000,\"conversations\":0,\"total\":3000,\"left\":0}}"},
        {200, "{\"line\":\"+1202\",\"drain\":{\"mode\":\"replace\",\"state\":\"done\",\"sent\":0,\"failed\":0,"
              "\"jobs\":0,\"conversations\":30,\"total\":41,\"left\":1}}"}};
    SERVER_START(script);
    RUN_ADMIN("drain", W("+1202"), W("--watch"));
    assert_says(said.err, "1,800 left, 1,200 jobs failed, line_critical");
    ck_assert_str_eq(said.out, "+1202: done; 3,000 jobs failed, 0 left\n");
    RUN_ADMIN("drain", W("+1202"), W("--watch"));
    ck_assert_str_eq(said.out, "+1202: done; 30 conversations gone, 1 left\n");
    server_stop();
}
END_TEST

START_TEST(a_conversation_is_moved_by_pool_and_recipients_with_a_reason)
{
    static const struct reply script[] = {{200, "{\"line\":\"+1303\"}"}};
    SERVER_START(script);
    RUN_ADMIN("conversations", W("move"), W("eu"), W("+1415,a@b.c"), W("+1303"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("conversations", W("move"), W("eu"), W("+1415,a@b.c"), W("+1303"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "PUT", "/v1/conversations/eu/%2B1415%2Ca%40b.c/line");
    ck_assert_str_eq(server.seen[0].body, "{\"line\":\"+1303\",\"reason\":\"x\"}");
    server_stop();
}
END_TEST

START_TEST(dead_letters_are_shown_with_their_codes)
{
    static const struct reply script[] = {
        {200, "{\"dead\":[{\"job\":\"j_7\",\"error\":{\"code\":\"2006\",\"message\":\"line not yours\"},"
              "\"ended_at\":null}],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("dead", W("--code"), W("2006"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/dead?limit=100&pool=eu&code=2006");
    assert_says(said.out, "j_7");
    assert_says(said.out, "2006");
    server_stop();
}
END_TEST

START_TEST(requeue_goes_on_after_a_refusal)
{
    static const struct reply script[] = {
        {404, "{\"error\":{\"code\":\"not_found\",\"message\":\"there is no dead letter of this name\"}}"},
        {200, "{\"job\":\"j_2\",\"state\":\"queued\"}"}};
    SERVER_START(script);
    RUN_ADMIN("requeue");
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("requeue", W("j_1"), W("--all"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("requeue", W("j_1"), W("j_2"), W("--expires-at"), W("never"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_asked(1, "POST", "/v1/dead/j_2/requeue");
    ck_assert_str_eq(server.seen[1].body, "{\"expires_at\":null}");
    assert_says(said.out, "j_2: requeued; it is queued now");
    server_stop();
}
END_TEST

START_TEST(requeue_of_named_ones_takes_nothing_that_chooses)
{
    static const struct reply script[] = {{200, "{\"job\":\"j_1\",\"state\":\"queued\"}"}};
    SERVER_START(script);
    RUN_ADMIN("requeue", W("j_1"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "--pool chooses among all: it goes with --all, not with names");
    RUN_ADMIN("requeue", W("j_1"), W("--code"), W("2006"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("requeue", W("j_1"), W("--after"), W("40.99"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    server_stop();
}
END_TEST

START_TEST(requeue_of_all_goes_on_until_none_is_left)
{
    static const struct reply script[] = {
        {200, "{\"requeued\":100,\"refused\":{},\"next\":\"40.99\"}"},
        {200, "{\"requeued\":7,\"refused\":{\"opted_out\":2,\"expired\":1},\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("requeue", W("--all"), W("--code"), W("1003"));
    ck_assert_int_eq(said.code, EXIT_REFUSED); /* some were refused */
    assert_asked(0, "POST", "/v1/dead/requeue?code=1003");
    assert_asked(1, "POST", "/v1/dead/requeue?code=1003&after=40.99");
    assert_says(said.out, "107 requeued, 3 refused");
    server_stop();
}
END_TEST

START_TEST(requeue_of_all_takes_no_other_answer_for_its_own)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    RUN_ADMIN("requeue", W("--all"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "malformed");
    assert_silent(said.out, "0 requeued");
    server_stop();
}
END_TEST

START_TEST(requeue_of_all_stops_when_there_is_no_room)
{
    static const struct reply script[] = {{200, "{\"requeued\":0,\"refused\":{\"busy\":1},\"next\":\"40.99\"}"}};
    SERVER_START(script);
    RUN_ADMIN("requeue", W("--all"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_uint_eq(server.seen_count, 2);
    assert_says(said.err, "--after 40.99");
    server_stop();
}
END_TEST

START_TEST(pauses_are_shown_with_what_they_hold_as_far_as_it_is_counted)
{
    static const struct reply script[] = {
        {200, "{\"pauses\":[{\"pause\":\"p_1\",\"scope\":\"pool\",\"name\":\"eu\",\"jobs\":1204,\"recipients\":311,"
              "\"counting\":false},{\"pause\":\"p_2\",\"scope\":\"all\",\"name\":null,\"jobs\":null,\"counting\":true}],"
              "\"next\":null,\"counting\":true}"}};
    SERVER_START(script);
    RUN_ADMIN("pauses");
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "RECIPIENTS");
    assert_says(said.out, "1204");
    assert_says(said.out, "still being counted");
    server_stop();
}
END_TEST

START_TEST(if_match_goes_along_with_changes_only)
{
    static const struct reply script[] = {
        {200, "{\"line\":\"+1202\",\"cordoned\":true}"},
        {200, "{\"line\":\"+1202\"}"},
        {412, "{\"error\":{\"code\":\"changed\",\"message\":\"it is not what If-Match says\","
              "\"now\":{\"cordoned\":true}}}"}};
    SERVER_START(script);
    RUN_ADMIN("cordon", W("+1202"), W("--if-match"), W("00ff"));
    ck_assert_str_eq(server.seen[0].if_match, "\"00ff\"");
    RUN_ADMIN("line", W("+1202"), W("--if-match"), W("00ff"));
    ck_assert_str_eq(server.seen[1].if_match, "");
    RUN_ADMIN("cordon", W("+1202"), W("--if-match"), W("*"));
    ck_assert_str_eq(server.seen[2].if_match, "*");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "changed: somebody has changed it since; now it is {\"cordoned\":true}");
    RUN_ADMIN("cordon", W("+1202"), W("--if-match"), W("a\r\nX: y"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 3);
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_operate");
    TCase *tests = tcase_create("ctl_operate");
    tcase_add_checked_fixture(tests, NULL, said_free);
    tcase_add_test(tests, settle_needs_a_reason_and_an_outcome);
    tcase_add_test(tests, cordon_and_uncordon_name_the_line);
    tcase_add_test(tests, the_conversations_of_a_line_are_listed_by_their_health);
    tcase_add_test(tests, the_list_of_lines_says_which_are_cordoned);
    tcase_add_test(tests, a_reputation_is_set_for_a_while_with_a_reason_and_ended);
    tcase_add_test(tests, a_drain_says_how_and_may_be_dry);
    tcase_add_test(tests, ending_or_watching_a_drain_takes_nothing_of_a_new_one);
    tcase_add_test(tests, a_drain_is_watched_until_it_is_over_and_the_exit_code_says_how);
    tcase_add_test(tests, a_drain_that_sends_nothing_tells_what_it_has_done);
    tcase_add_test(tests, a_conversation_is_moved_by_pool_and_recipients_with_a_reason);
    tcase_add_test(tests, dead_letters_are_shown_with_their_codes);
    tcase_add_test(tests, requeue_goes_on_after_a_refusal);
    tcase_add_test(tests, requeue_of_named_ones_takes_nothing_that_chooses);
    tcase_add_test(tests, requeue_of_all_goes_on_until_none_is_left);
    tcase_add_test(tests, requeue_of_all_takes_no_other_answer_for_its_own);
    tcase_add_test(tests, requeue_of_all_stops_when_there_is_no_room);
    tcase_add_test(tests, pauses_are_shown_with_what_they_hold_as_far_as_it_is_counted);
    tcase_add_test(tests, if_match_goes_along_with_changes_only);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
