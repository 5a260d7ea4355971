/* cache_link_test.c — the broker's end of the shared cache: its connection, and what it tells, when Redis takes it twice,
 * by halves, or answers nothing at all. */
#include "broker/core/merge.h"
#include "lineward/log.h"
#include "tests/unit/cache_suite.h"

START_TEST(what_is_seen_of_it_is_how_many_there_are_and_whether_it_is_away_and_why)
{
    begin();
    fake.hold = "\"refused\":false,\"brokers\":[]";
    pass(15000);
    ck_assert(view().up);
    ck_assert_uint_eq(view().brokers, 1);
    ck_assert(!view().versions_differ);
    fake.hold = "\"refused\":false,\"brokers\":[{\"version\":\"0.0.9\",\"rules\":\"other\"},{\"version\":7}]";
    pass(15000);
    ck_assert_uint_eq(view().brokers, 3);
    ck_assert(view().versions_differ);
    fake.hold = "\"refused\":false,\"brokers\":[]";
    pass(15000);
    ck_assert(!view().versions_differ);
    fake.mute = true;
    pass(15000);
    pass(5000); /* it is noticed */
    pass(5000);
    tell_word(REPUTATION_AT_RISK, 9);
    ck_assert(!view().up);
    ck_assert_int_ge(view().away_ms, 5000);
    ck_assert_ptr_nonnull(strstr(view().problem, "answer"));
    ck_assert_uint_eq(view().owed, 1);
    end();
}
END_TEST

START_TEST(a_connection_over_which_nothing_is_to_be_said_stays)
{
    begin();
    unsigned connections = fake.connections;
    for (int i = 0; i < 30; i++)
        pass(1000);
    ck_assert_uint_eq(fake.connections, connections);
    ck_assert(cache_link_is_up(link));
    end();
}
END_TEST

/* ---- errors ---- */

#define OOM      "-OOM command not allowed when used memory > 'maxmemory'. script: 0123456789, on @user_script:1.\r\n"
#define HALF_WAY "-ERR user_script:123: attempt to index a nil value script: 0123456789, on @user_script:123.\r\n"

START_TEST(a_redis_that_has_forgotten_the_script_gets_it_and_what_was_told_again)
{
    begin();
    unsigned connections = fake.connections;
    fake.no_script = true;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1); /* the journal has it */
    pass(1500);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(fake.connections, connections);
    end();
}
END_TEST

START_TEST(a_script_that_is_forgotten_while_it_is_tried_is_tried_again)
{
    begin();
    fake_redis_drop(&fake);
    turn();
    fake.forgets = 1;
    for (int i = 0; i < 5; i++)
        pass(1000);
    ck_assert(cache_link_is_up(link));
    end();
}
END_TEST

#define QUOTING "-ERR user_script:1: near '\"x\" event=ready script': it\r\n"

START_TEST(what_a_redis_fails_with_is_one_value_in_the_log)
{
    char path[128], log[4096] = "";
    begin();
    snprintf(path, sizeof path, "%s.log", fake.path);
    ck_assert_ptr_nonnull(freopen(path, "w", stderr));
    log_level_set(LOG_ERROR);
    fake.error = QUOTING;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    FILE *file = fopen(path, "r");
    ck_assert_uint_gt(fread(log, 1, sizeof log - 1, file), 0);
    fclose(file);
    remove(path);
    ck_assert_msg(strstr(log, " near '\\\"x\\\" event=ready ") != NULL, "%s", log);
    end();
}
END_TEST

START_TEST(a_fact_that_the_script_fails_on_does_not_stop_the_others)
{
    begin();
    unsigned connections = fake.connections;
    fake.error = HALF_WAY;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    ck_assert(cache_link_is_up(link));
    fake.error = NULL;
    fake_redis_forget(&fake);
    pass(1500);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(fake.connections, connections);
    ck_assert_uint_eq(view().owed, 0);
    end();
}
END_TEST

START_TEST(a_redis_that_takes_nothing_is_away_until_it_does_and_says_what_would_help)
{
    begin();
    fake.error = OOM;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    for (int i = 0; i < 10; i++) {
        pass(1000);
        ck_assert(!cache_link_is_up(link));
        ck_assert_ptr_nonnull(strstr(view().problem, "raise maxmemory"));
    }
    fake_redis_forget(&fake);
    fake.error = NULL;
    pass(3000);
    pass(1000);
    ck_assert(cache_link_is_up(link));
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    end();
}
END_TEST

START_TEST(all_lines_are_read_every_few_seconds_and_one_account_at_a_time)
{
    begin_accounts(TWO_ACCOUNTS);
    unsigned scans = fake.scans;
    pass(5000);
    ck_assert_uint_eq(fake.scans, scans + 2);
    fake.endless = true;
    for (int i = 0; i < 4; i++)
        pass(5000);
    ck_assert_uint_eq(fake.scans, scans + 3);
    fake.endless = false;
    pass(1);
    ck_assert_uint_eq(fake.scans, scans + 4); /* the other account's turn */
    end();
}
END_TEST

/* ---- what is told ---- */

START_TEST(what_redis_took_and_did_not_answer_is_told_again)
{
    begin();
    tell_service(SERVICE_ACTIVE, 5);
    fake.no_facts = true; /* it takes it, and the connection ends */
    turn();
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1); /* the journal has it */
    for (int i = 0; i < 3; i++) { /* and again while it is told again */
        fake_redis_forget(&fake);
        pass(5000);
        ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    }
    fake.no_facts = false;
    fake.answer = "\"lines\":[]";
    pass(5000);
    fake_redis_forget(&fake);
    reconnect();
    ck_assert_ptr_null(fake_redis_fact(&fake, "told", 0)); /* it was answered */
    end();
}
END_TEST

/* The provider repeats what it was not answered, or what it thinks so; by now the line is proven HEALTHY by polls. */
START_TEST(a_repeated_critical_closes_nothing_once_any_broker_has_heard_of_it)
{
    begin();
    char members[1400];
    int64_t critical_ms = fake.clock_ms;
    snprintf(members, sizeof members, "\"event\":\"5\",%s",
             lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 5, .tightened = critical_ms}));
    fake_redis_publish(&fake, "default", members); /* another broker was told event 5 */
    turn();
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    pass(60000);
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 6, .tightened = critical_ms});
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    fake.mute = true;
    tell_word(REPUTATION_CRITICAL, 5);
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    end();
}
END_TEST

/* Its message was lost: here it is news, and Redis says that it is none. */
START_TEST(what_redis_knows_again_is_taken_back_and_not_told_as_something_that_it_lost)
{
    begin();
    char members[1400];
    snprintf(members, sizeof members, "\"again\":true,\"event\":\"5\",%s",
             lines((struct redis_line){"HEALTHY", "HEALTHY", .version = 6, .tightened = fake.clock_ms - 9000}));
    fake.answer = members;
    tell_word(REPUTATION_CRITICAL, 5);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    turn();
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    ck_assert_ptr_null(fake_redis_fact(&fake, "known", 0));
    end();
}
END_TEST

START_TEST(of_a_webhook_that_makes_one_thing_worse_nothing_else_is_taken_before_redis_has_judged_it)
{
    begin();
    fake.answer = "\"lines\":[]";
    tell_word(REPUTATION_CRITICAL, 4);
    fake.mute = true;
    tell_both(REPUTATION_HEALTHY, SERVICE_FLAGGED, 5);
    struct line_view view = rig_line(rig, 0);
    ck_assert_int_eq(view.service, SERVICE_FLAGGED);
    ck_assert_int_eq(view.status, REPUTATION_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
    end();
}
END_TEST

START_TEST(a_webhook_that_closes_a_line_does_not_lift_its_flag_by_itself)
{
    begin();
    news((struct redis_line){"HEALTHY", "HEALTHY", "FLAGGED", .version = 5, .flagged_at = fake.clock_ms});
    fake.mute = true;
    tell_both(REPUTATION_CRITICAL, SERVICE_ACTIVE, 5);
    ck_assert_int_eq(rig_line(rig, 0).service, SERVICE_FLAGGED);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_CRITICAL);
    end();
}
END_TEST

/* ---- away ---- */

static void go_away(void)
{
    fake_redis_drop(&fake);
    fake.mute = true;
    turn();
    ck_assert(!cache_link_is_up(link));
}

START_TEST(while_it_is_away_a_broker_polls_by_itself_after_a_while_that_is_not_every_brokers)
{
    int64_t first = INT64_MAX, last = 0;
    for (int broker = 0; broker < 8; broker++) {
        begin();
        fake.hold = "\"refused\":true";
        pass(15000);
        ck_assert(!cache_link_may_poll(link, 0, rig->now)); /* another one does */
        go_away();
        int64_t waits_ms = 0;
        for (; !cache_link_may_poll(link, 0, rig->now); waits_ms += 500) {
            rig->now.mono_ms += 500;
            ck_assert_int_le(waits_ms, 180000 * 5 / 4 + 500);
        }
        ck_assert_int_ge(waits_ms, 180000);
        first = waits_ms < first ? waits_ms : first;
        last = waits_ms > last ? waits_ms : last;
        end();
    }
    ck_assert_int_gt(last, first);
}
END_TEST

START_TEST(while_it_is_away_webhooks_close_at_once_and_open_only_when_a_poll_agrees)
{
    begin();
    go_away();
    tell_word(REPUTATION_CRITICAL, 5);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    rig->now.mono_ms += 1000;
    rig->now.wall_ms += 1000;
    tell_word(REPUTATION_HEALTHY, 6);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    ck_assert_uint_gt(rig_count(rig, EFFECT_POLL), 0);
    rig->now.mono_ms += 1000;
    rig->now.wall_ms += 1000;
    const struct core_poll poll = {.poll = 9, .begun_mono_ms = rig->now.mono_ms, .ok = true};
    const struct cache_polled polled = {.number = NUMBER, .reputation = REPUTATION_HEALTHY};
    ck_assert(!cache_link_polled(link, &poll, &polled, 1, rig->now)); /* it is merged here */
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    fake.mute = false;
    fake.answer = "\"lines\":[]";
    pass(5000);
    pass(5000);
    ck_assert_int_eq(number_of(fake_redis_fact(&fake, "told", 0), "changed_at"), RIG_START_MS);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 1)); /* in their order */
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_seen_of_it_is_how_many_there_are_and_whether_it_is_away_and_why,
        a_connection_over_which_nothing_is_to_be_said_stays,
        a_redis_that_has_forgotten_the_script_gets_it_and_what_was_told_again,
        a_script_that_is_forgotten_while_it_is_tried_is_tried_again,
        what_a_redis_fails_with_is_one_value_in_the_log,
        a_fact_that_the_script_fails_on_does_not_stop_the_others,
        a_redis_that_takes_nothing_is_away_until_it_does_and_says_what_would_help,
        all_lines_are_read_every_few_seconds_and_one_account_at_a_time,
        what_redis_took_and_did_not_answer_is_told_again,
        a_repeated_critical_closes_nothing_once_any_broker_has_heard_of_it,
        what_redis_knows_again_is_taken_back_and_not_told_as_something_that_it_lost,
        of_a_webhook_that_makes_one_thing_worse_nothing_else_is_taken_before_redis_has_judged_it,
        a_webhook_that_closes_a_line_does_not_lift_its_flag_by_itself,
        while_it_is_away_a_broker_polls_by_itself_after_a_while_that_is_not_every_brokers,
        while_it_is_away_webhooks_close_at_once_and_open_only_when_a_poll_agrees,
    };
    return run_suite("cache_link", tests, sizeof tests / sizeof *tests);
}
