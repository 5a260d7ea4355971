/* core_reputation_test.c — what webhooks and polls do to a line: worse at once, better only when proven (DESIGN traps 5, 6,
 * 7 and 11). */
#include "tests/unit/core_word_rig.h"

/* ---- tightening ---- */

START_TEST(a_critical_webhook_closes_at_once)
{
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_CRITICAL);
    ck_assert_int_eq(rig_line(rig, 0).previous, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).source, SOURCE_WEBHOOK);
}
END_TEST

START_TEST(a_critical_poll_closes_at_once)
{
    poll_says(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_int_eq(rig_line(rig, 0).source, SOURCE_POLL);
}
END_TEST

START_TEST(even_a_cached_poll_tightens)
{
    rig_pass(rig, 1);
    polled(REPUTATION_CRITICAL, rig->now.mono_ms, true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(at_risk_slows_at_once)
{
    ck_assert_double_eq_tol(rig_line(rig, 0).pace_per_min, 30.0, 1e-9);
    told(REPUTATION_AT_RISK);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
    ck_assert_double_eq_tol(rig_line(rig, 0).pace_per_min, 7.5, 1e-9);
}
END_TEST

START_TEST(a_word_nobody_knows_slows_and_is_told)
{
    rig_forget(rig);
    told(REPUTATION_UNKNOWN);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    ck_assert_uint_eq(alerts(ALERT_LINE_UNKNOWN_WORD), 1);
}
END_TEST

START_TEST(a_change_of_word_is_one_event_and_a_repeated_word_none)
{
    size_t before = rig_records(rig, CHANGE_REPUTATION, RIG_LINE, 0);
    told(REPUTATION_AT_RISK);
    told(REPUTATION_AT_RISK);
    poll_says(REPUTATION_AT_RISK);
    ck_assert_uint_eq(rig_records(rig, CHANGE_REPUTATION, RIG_LINE, 0) - before, 1);
}
END_TEST

/* ---- loosening after a webhook ---- */

START_TEST(a_healthy_webhook_alone_opens_nothing_and_asks_for_a_poll)
{
    told(REPUTATION_CRITICAL);
    rig_forget(rig);
    told(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).proven, REPUTATION_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 1);
    rig_pass(rig, 120000);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(a_poll_begun_after_the_webhook_opens_through_the_ramp)
{
    relapse();
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    ck_assert_int_eq(rig_line(rig, 0).proven, REPUTATION_HEALTHY);
}
END_TEST

START_TEST(a_poll_under_way_when_the_webhook_came_opens_nothing)
{
    told(REPUTATION_CRITICAL);
    rig_pass(rig, 1000);
    int64_t begun = rig->now.mono_ms;
    told(REPUTATION_HEALTHY);
    rig_pass(rig, 500);
    polled(REPUTATION_HEALTHY, begun, false);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(a_poll_begun_in_the_moment_of_the_webhook_opens_nothing)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    polled(REPUTATION_HEALTHY, rig->now.mono_ms, false);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(a_cached_poll_opens_nothing)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    rig_pass(rig, 1000);
    polled(REPUTATION_HEALTHY, rig->now.mono_ms, true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(an_empty_list_opens_nothing)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    rig_pass(rig, 1);
    poll_of_nothing(true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(an_unknown_word_opens_nothing)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_UNKNOWN);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    poll_says(REPUTATION_UNKNOWN);
    rig_pass(rig, POLL_MS);
    poll_says(REPUTATION_UNKNOWN);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(at_risk_is_left_only_when_proven_and_without_a_ramp)
{
    told(REPUTATION_AT_RISK);
    told(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(worse_news_after_the_healthy_webhook_ends_the_wait_for_its_poll)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    told(REPUTATION_CRITICAL);
    poll_says(REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_CLOSED);
}
END_TEST

START_TEST(while_polls_disagree_they_are_repeated_after_1_2_and_5_seconds)
{
    static const int64_t waits_ms[] = {1000, 2000, 5000};
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        poll_says(REPUTATION_CRITICAL);
        ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_HEALTHY); /* the list lags: the webhook's word stays */
        rig_forget(rig);
        rig_pass(rig, waits_ms[i] - 1);
        ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
        rig_pass(rig, 1);
        ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 1);
    }
    poll_says(REPUTATION_CRITICAL); /* no lag any more: the newer word */
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    rig_forget(rig);
    rig_pass(rig, 20000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
    poll_says(REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_CLOSED);
}
END_TEST

START_TEST(a_repeated_poll_that_agrees_opens)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_CRITICAL);
    rig_pass(rig, 1000);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

/* ---- loosening without a webhook ---- */

START_TEST(without_a_webhook_two_polls_an_interval_apart_open)
{
    poll_says(REPUTATION_CRITICAL);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    rig_pass(rig, POLL_MS - 2);
    poll_says(REPUTATION_HEALTHY); /* a millisecond too early */
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(a_poll_begun_before_the_tightening_is_not_the_first_of_two)
{
    rig_pass(rig, 1000);
    poll_says(REPUTATION_CRITICAL);
    polled(REPUTATION_HEALTHY, rig->now.mono_ms - 100, false);
    rig_pass(rig, POLL_MS - 1);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(a_cached_poll_is_not_the_second_of_two)
{
    poll_says(REPUTATION_CRITICAL);
    poll_says(REPUTATION_HEALTHY);
    rig_pass(rig, POLL_MS);
    polled(REPUTATION_HEALTHY, rig->now.mono_ms, true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(a_poll_that_disagrees_between_two_breaks_them_apart)
{
    static const enum reputation between[] = {REPUTATION_CRITICAL, REPUTATION_AT_RISK, REPUTATION_UNKNOWN};
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        begin_default();
        poll_says(REPUTATION_CRITICAL);
        poll_says(REPUTATION_HEALTHY);
        rig_pass(rig, POLL_MS / 2);
        poll_says(between[i]);
        rig_pass(rig, POLL_MS / 2);
        poll_says(REPUTATION_HEALTHY);
        ck_assert_int_eq(rig_line(rig, 0).gate, GATE_CLOSED);
    }
}
END_TEST

START_TEST(a_list_without_the_line_between_two_polls_breaks_them_apart)
{
    poll_says(REPUTATION_CRITICAL);
    poll_says(REPUTATION_HEALTHY);
    poll_of_nothing(true);
    rig_pass(rig, POLL_MS);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    rig_pass(rig, POLL_MS);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

/* ---- CRITICAL -> AT_RISK is not recovery ---- */

/* covers: key policies.release_at */
START_TEST(from_critical_to_at_risk_the_word_changes_and_the_gate_does_not)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_AT_RISK);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_AT_RISK);
    ck_assert_int_eq(rig_line(rig, 0).proven, REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, POLL_MS);
        poll_says(REPUTATION_AT_RISK);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(polls_alone_that_go_from_critical_to_at_risk_open_nothing)
{
    poll_says(REPUTATION_CRITICAL);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, POLL_MS);
        poll_says(REPUTATION_AT_RISK);
    }
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_AT_RISK);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

START_TEST(at_risk_and_unknown_are_alike)
{
    told(REPUTATION_AT_RISK);
    told(REPUTATION_UNKNOWN);
    ck_assert_int_eq(rig_line(rig, 0).proven, REPUTATION_UNKNOWN);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    told(REPUTATION_AT_RISK);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
}
END_TEST

/* ---- late, twice, out of order ---- */

START_TEST(a_replayed_event_changes_nothing_and_is_answered)
{
    struct core_line_fact fact = {.number = RIG_LINE, .has_reputation = true, .event = 4711};
    fact.reputation = REPUTATION_HEALTHY;
    fact.changed_at_ms = rig->now.wall_ms + 60000; /* the newest, if it counted */
    fact.arrived_mono_ms = rig->now.mono_ms;
    core_line_told(rig->core, 1, &fact, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 1);
    rig_tell(rig, 0, REPUTATION_CRITICAL, fact.changed_at_ms + 1);
    rig_forget(rig);
    rig_pass(rig, 1);
    fact.arrived_mono_ms = rig->now.mono_ms;
    fact.changed_at_ms += 1000;
    core_line_told(rig->core, 2, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_ANSWER, 0)->token, 2);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
}
END_TEST

START_TEST(a_late_event_changes_nothing)
{
    told(REPUTATION_CRITICAL);
    int64_t critical_at = rig->now.wall_ms;
    rig_forget(rig);
    rig_pass(rig, 1000);
    rig_tell(rig, 0, REPUTATION_HEALTHY, critical_at - 1);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
    poll_says(REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_CLOSED);
}
END_TEST

START_TEST(a_late_critical_does_not_overrule_newer_news)
{
    rig_pass(rig, 1000);
    told(REPUTATION_HEALTHY);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms - 500);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(of_two_words_of_one_moment_the_worse_wins_in_both_orders)
{
    told(REPUTATION_CRITICAL);
    rig_forget(rig);
    rig_tell(rig, 0, REPUTATION_HEALTHY, rig->now.wall_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);

    begin_default();
    told(REPUTATION_HEALTHY);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

/* Each part of an event for itself. Found by the simulation: two events came while the clock stood behind both, which made
 * their moments one, and that the line was flagged got lost with its better word. */
START_TEST(of_one_moment_a_better_word_takes_no_flag_with_it)
{
    told(REPUTATION_CRITICAL);
    rig_tell_both(rig, 0, REPUTATION_HEALTHY, SERVICE_FLAGGED, rig->now.wall_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_CRITICAL);
}
END_TEST

START_TEST(of_flagged_and_active_in_one_moment_flagged_wins_in_both_orders)
{
    told_service(SERVICE_FLAGGED);
    rig_tell_service(rig, 0, SERVICE_ACTIVE, rig->now.wall_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);

    begin_default();
    told_service(SERVICE_ACTIVE);
    rig_tell_service(rig, 0, SERVICE_FLAGGED, rig->now.wall_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(a_poll_never_overwrites_an_event_that_came_after_its_start)
{
    rig_pass(rig, 1000);
    int64_t begun = rig->now.mono_ms;
    told(REPUTATION_AT_RISK);
    rig_pass(rig, 1000);
    polled(REPUTATION_HEALTHY, begun, false);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_AT_RISK);
    polled(REPUTATION_CRITICAL, begun, false);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
    ck_assert_int_eq(rig_line(rig, 0).source, SOURCE_WEBHOOK);
}
END_TEST

/* ---- the first word ---- */

START_TEST(the_first_word_is_taken_at_once_and_an_unheard_line_asks_for_a_poll)
{
    rig_forget(rig);
    rig_tell(rig, 5, REPUTATION_HEALTHY, rig->now.wall_ms);
    ck_gate(5, GATE_OPEN, REASON_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 1);
    rig_tell(rig, 6, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_gate(6, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_line_whose_first_word_was_critical_recovers_like_any_other)
{
    rig_tell(rig, 6, REPUTATION_CRITICAL, rig->now.wall_ms);
    rig_pass(rig, 1);
    rig_tell(rig, 6, REPUTATION_HEALTHY, rig->now.wall_ms);
    ck_gate(6, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

static void begin_with_room_for_two_lines(void)
{
    struct rig_options options = {.seed = 1, .limits.lines_max = 2};
    rig_free(&rig);
    rig = rig_new(&options);
}

START_TEST(lines_that_find_no_room_are_told_of_once_a_minute)
{
    begin_with_room_for_two_lines();
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    ck_assert_uint_eq(alerts(ALERT_LINES_FULL), 0);
    rig_poll_all(rig, 4, REPUTATION_HEALTHY);
    ck_assert_uint_eq(alerts(ALERT_LINES_FULL), 1);
    rig_tell(rig, 5, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_assert_int_eq(answered(), CODE_NONE);
    ck_assert_uint_eq(alerts(ALERT_LINES_FULL), 1);
    rig_pass(rig, 60000);
    rig_tell(rig, 5, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_assert_uint_eq(alerts(ALERT_LINES_FULL), 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        lines_that_find_no_room_are_told_of_once_a_minute,
        a_critical_webhook_closes_at_once,
        a_critical_poll_closes_at_once,
        even_a_cached_poll_tightens,
        at_risk_slows_at_once,
        a_word_nobody_knows_slows_and_is_told,
        a_change_of_word_is_one_event_and_a_repeated_word_none,
        a_healthy_webhook_alone_opens_nothing_and_asks_for_a_poll,
        a_poll_begun_after_the_webhook_opens_through_the_ramp,
        a_poll_under_way_when_the_webhook_came_opens_nothing,
        a_poll_begun_in_the_moment_of_the_webhook_opens_nothing,
        a_cached_poll_opens_nothing,
        an_empty_list_opens_nothing,
        an_unknown_word_opens_nothing,
        at_risk_is_left_only_when_proven_and_without_a_ramp,
        worse_news_after_the_healthy_webhook_ends_the_wait_for_its_poll,
        while_polls_disagree_they_are_repeated_after_1_2_and_5_seconds,
        a_repeated_poll_that_agrees_opens,
        without_a_webhook_two_polls_an_interval_apart_open,
        a_poll_begun_before_the_tightening_is_not_the_first_of_two,
        a_cached_poll_is_not_the_second_of_two,
        a_poll_that_disagrees_between_two_breaks_them_apart,
        a_list_without_the_line_between_two_polls_breaks_them_apart,
        from_critical_to_at_risk_the_word_changes_and_the_gate_does_not,
        polls_alone_that_go_from_critical_to_at_risk_open_nothing,
        at_risk_and_unknown_are_alike,
        a_replayed_event_changes_nothing_and_is_answered,
        a_late_event_changes_nothing,
        a_late_critical_does_not_overrule_newer_news,
        of_two_words_of_one_moment_the_worse_wins_in_both_orders,
        of_one_moment_a_better_word_takes_no_flag_with_it,
        of_flagged_and_active_in_one_moment_flagged_wins_in_both_orders,
        a_poll_never_overwrites_an_event_that_came_after_its_start,
        the_first_word_is_taken_at_once_and_an_unheard_line_asks_for_a_poll,
        a_line_whose_first_word_was_critical_recovers_like_any_other,
    };
    return run_suite("core_reputation", tests, sizeof tests / sizeof *tests);
}
