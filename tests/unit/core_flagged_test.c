/* core_flagged_test.c — flags and their probes, lines that are gone, silence that is never good, and relapses (DESIGN traps
 * 5, 6, 7 and 11). */
#include "tests/unit/core_word_rig.h"

/* ---- FLAGGED ---- */

/* covers: key policies.on_flagged */
START_TEST(a_flag_closes_and_only_a_newer_active_lifts_it_into_the_ramp)
{
    rig_pass(rig, 1000);
    told_service(SERVICE_FLAGGED);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_tell_service(rig, 0, SERVICE_ACTIVE, rig->now.wall_ms - 500);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    told_service(SERVICE_UNKNOWN);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    told_service(SERVICE_ACTIVE);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(polls_never_lift_a_flag)
{
    told_service(SERVICE_FLAGGED);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, POLL_MS);
        struct core_line_fact fact = {.number = RIG_LINE,
                                      .has_reputation = true,
                                      .reputation = REPUTATION_HEALTHY,
                                      .has_service = true,
                                      .service = SERVICE_ACTIVE,
                                      .poll = ++rig->polls,
                                      .begun_mono_ms = rig->now.mono_ms};
        core_line_polled(rig->core, &fact, rig->now, &rig->out);
        rig_keep(rig);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(lifting_the_flag_of_a_critical_line_leaves_it_closed)
{
    told(REPUTATION_CRITICAL);
    told_service(SERVICE_FLAGGED);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    told_service(SERVICE_ACTIVE);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

#define PROBE_CONF POLICY_CONF("flag_probe_ms: 60000")

/* An error flags the line; two more conversations of it wait. The job that was refused. */
static uint64_t flag_by_error(void)
{
    begin_with(PROBE_CONF, 1);
    rig_worker(rig, 1, 8);
    for (uint64_t conversation = 1; conversation <= 3; conversation++) { /* they live here from now on */
        rig_send(rig, conversation, CLASS_TRANSACTIONAL);
        rig_pass(rig, 5000);
        rig_sent(rig, rig_told(rig, EFFECT_JOB, conversation - 1));
    }
    rig_forget(rig);
    uint64_t refused = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_pass(rig, 5000);
    rig_send(rig, 2, CLASS_TRANSACTIONAL);
    rig_send(rig, 3, CLASS_TRANSACTIONAL);
    struct core_result result = refused_as_flagged(rig_told(rig, EFFECT_JOB, 0));
    result.code = 2027;
    rig_answer(rig, &result);
    rig_forget(rig);
    return refused;
}

/* covers: key policies.flag_probe_ms */
START_TEST(an_error_flags_the_line_and_one_job_probes_it_after_a_while)
{
    flag_by_error();
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_pass(rig, 59999);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_pass(rig, 10000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(a_probe_that_goes_through_lifts_the_flag_into_the_ramp)
{
    flag_by_error();
    rig_pass(rig, 60000);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(a_probe_lifts_no_flag_that_was_set_after_it_began)
{
    flag_by_error();
    rig_pass(rig, 60000);
    struct effect probe = *rig_told(rig, EFFECT_JOB, 0);
    told_service(SERVICE_ACTIVE); /* the provider lifts it meanwhile ... */
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    rig_forget(rig);
    rig_pass(rig, 30000);
    struct effect other = *rig_told(rig, EFFECT_JOB, 0);
    ck_assert_uint_ne(other.number, probe.number);
    struct core_result result = refused_as_flagged(&other); /* ... and a later try shows it flagged anew */
    result.code = 2027;
    rig_answer(rig, &result);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_sent(rig, &probe);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(an_active_from_before_the_error_lifts_no_flag)
{
    flag_by_error();
    rig_pass(rig, 1000);
    rig_tell_service(rig, 0, SERVICE_ACTIVE, rig->now.wall_ms - 5000);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_pass(rig, 70000); /* the probe goes all the same */
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    told_service(SERVICE_ACTIVE);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(a_probe_that_fails_waits_as_long_again)
{
    flag_by_error();
    rig_pass(rig, 60000);
    struct core_result result = refused_as_flagged(rig_told(rig, EFFECT_JOB, 0));
    rig_answer(rig, &result);
    rig_forget(rig);
    rig_pass(rig, 59999);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
}
END_TEST

/* The last event was of a clock that has gone back since: the webhook looks older, and counts. */
START_TEST(a_flag_that_a_webhook_set_beside_an_event_that_lies_ahead_is_never_probed)
{
    flag_by_error();
    rig_tell(rig, 0, REPUTATION_HEALTHY, 0);
    rig->now.wall_ms -= 200000;
    rig_pass(rig, 1000);
    told_service(SERVICE_FLAGGED);
    rig_pass(rig, 120000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    told_service(SERVICE_ACTIVE);
    ck_assert_int_ne(rig_line(rig, 0).reason, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(a_flag_that_a_webhook_set_is_never_probed)
{
    flag_by_error();
    told_service(SERVICE_FLAGGED);
    rig_pass(rig, 120000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
}
END_TEST

START_TEST(a_flagged_line_that_is_critical_too_is_not_probed)
{
    flag_by_error();
    told(REPUTATION_CRITICAL);
    rig_pass(rig, 120000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
}
END_TEST

/* ---- gone ---- */

/* covers: key policies.on_gone */
START_TEST(a_line_missing_from_two_good_polls_is_gone_until_listed_again)
{
    rig_forget(rig);
    poll_of_nothing(true);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    poll_of_nothing(false); /* a failed poll says nothing */
    ck_gate(0, GATE_OPEN, REASON_NONE);
    poll_of_nothing(true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    ck_assert_uint_eq(alerts(ALERT_LINE_GONE), 1);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(polls_missed_apart_do_not_add_up)
{
    poll_of_nothing(true);
    poll_says(REPUTATION_HEALTHY);
    poll_of_nothing(true);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(a_critical_line_that_comes_back_is_critical_still)
{
    told(REPUTATION_CRITICAL);
    poll_of_nothing(true);
    poll_of_nothing(true);
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

/* ---- silence ---- */

START_TEST(silence_first_slows_and_then_closes)
{
    rig_pass(rig, STALE_MS);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    rig_pass(rig, 1);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    ck_assert_double_eq_tol(rig_line(rig, 0).pace_per_min, 7.5, 1e-9);
    rig_pass(rig, BLIND_MS - STALE_MS - 1);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    size_t gates = rig_records(rig, CHANGE_GATE, RIG_LINE, 0);
    rig_pass(rig, 1);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
    ck_assert_uint_eq(rig_records(rig, CHANGE_GATE, RIG_LINE, 0), gates + 1); /* noticed without being asked */
}
END_TEST

START_TEST(one_good_poll_that_lists_it_ends_the_silence_and_nothing_less)
{
    rig_pass(rig, BLIND_MS + 1);
    poll_of_nothing(true);
    poll_of_nothing(false);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(a_status_event_ends_the_silence)
{
    rig_pass(rig, BLIND_MS + 1);
    told_service(SERVICE_ACTIVE);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(the_end_of_silence_loosens_nothing_that_was_proven_bad)
{
    told(REPUTATION_CRITICAL);
    rig_pass(rig, BLIND_MS + 1);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

/* ---- relapses ---- */

#define RAMP_CONF POLICY_CONF("ramp_step_ms: 1000")

/* Until the first step of the ramp ends. */
static int64_t first_step_ms(void)
{
    int64_t from = rig->now.wall_ms;
    while (rig_line(rig, 0).ramp_percent == 10 && rig->now.wall_ms < from + 20000)
        rig_pass(rig, 1);
    return rig->now.wall_ms - from;
}

START_TEST(each_relapse_within_a_week_doubles_the_ramp_up_to_eight_times)
{
    static const int64_t steps_ms[] = {1000, 2000, 4000, 8000, 8000};
    begin_with(RAMP_CONF, 1);
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        relapse();
        ck_assert_int_eq(first_step_ms(), steps_ms[i]);
    }
}
END_TEST

START_TEST(a_relapse_after_a_week_begins_with_the_short_ramp_again)
{
    begin_with(RAMP_CONF, 1);
    relapse();
    relapse();
    rig->now.wall_ms += 7LL * 86400 * 1000;
    rig->now.mono_ms += 7LL * 86400 * 1000;
    relapse();
    ck_assert_int_eq(first_step_ms(), 1000);
}
END_TEST

START_TEST(a_downgrade_in_the_ramp_holds_until_healthy_and_counts_as_a_relapse)
{
    begin_with(RAMP_CONF, 1);
    relapse();
    told(REPUTATION_AT_RISK);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    ck_assert_int_eq(first_step_ms(), 2000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_flag_closes_and_only_a_newer_active_lifts_it_into_the_ramp,
        polls_never_lift_a_flag,
        lifting_the_flag_of_a_critical_line_leaves_it_closed,
        an_error_flags_the_line_and_one_job_probes_it_after_a_while,
        a_probe_that_goes_through_lifts_the_flag_into_the_ramp,
        a_probe_lifts_no_flag_that_was_set_after_it_began,
        an_active_from_before_the_error_lifts_no_flag,
        a_probe_that_fails_waits_as_long_again,
        a_flag_that_a_webhook_set_is_never_probed,
        a_flag_that_a_webhook_set_beside_an_event_that_lies_ahead_is_never_probed,
        a_flagged_line_that_is_critical_too_is_not_probed,
        a_line_missing_from_two_good_polls_is_gone_until_listed_again,
        polls_missed_apart_do_not_add_up,
        a_critical_line_that_comes_back_is_critical_still,
        silence_first_slows_and_then_closes,
        one_good_poll_that_lists_it_ends_the_silence_and_nothing_less,
        a_status_event_ends_the_silence,
        the_end_of_silence_loosens_nothing_that_was_proven_bad,
        each_relapse_within_a_week_doubles_the_ramp_up_to_eight_times,
        a_relapse_after_a_week_begins_with_the_short_ramp_again,
        a_downgrade_in_the_ramp_holds_until_healthy_and_counts_as_a_relapse,
    };
    return run_suite("core_flagged", tests, sizeof tests / sizeof *tests);
}
