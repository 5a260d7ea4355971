/* core_gate_test.c — closing and opening: what is revoked, the ramp, the operator's pauses, and that none of it costs
 * anything per job (DESIGN traps 1, 5, 13; promise P3). */
#include <string.h>

#include "tests/unit/core_suite.h"

#define RAMP_CONF POLICY_CONF("ramp_step_ms: 1000")

/* One job of conversation 1 is with worker 1. */
static uint64_t lease_one(void)
{
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
    return number;
}

/* ---- revoking ---- */

START_TEST(closing_revokes_before_anything_is_durable)
{
    lease_one();
    uint64_t lease = rig_told(rig, EFFECT_JOB, 0)->lease;
    rig->options.hold_commits = true;
    rig_forget(rig);
    told(REPUTATION_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, lease);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->peer, 1);
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 0); /* the webhook's 200 waits */
    rig_commit(rig, rig->record_count);
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1);
}
END_TEST

START_TEST(closing_takes_back_what_never_left_and_its_job_is_never_told)
{
    rig->options.hold_commits = true;
    uint64_t number = lease_one();
    told(REPUTATION_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 0);
    ck_assert_uint_eq(rig_view(rig, number).attempts, 0);
    ck_job(number, JOB_QUEUED, REASON_NO_HEALTHY_LINE); /* it lives nowhere yet */
    rig_commit(rig, rig->record_count);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_assert_uint_eq(rig_line(rig, 0).messages_used, 0); /* nothing was spent */
}
END_TEST

START_TEST(a_closed_line_gets_no_further_lease)
{
    rig_worker(rig, 1, 4);
    uint64_t number = send_known(0, 1, CLASS_REPLY);
    told(REPUTATION_CRITICAL);
    rig_forget(rig);
    uint64_t next = send_known(0, 2, CLASS_REPLY);
    rig_pass(rig, 30000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_job(next, JOB_QUEUED, REASON_LINE_CRITICAL);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_LEASED); /* began before: its worker must tell */
}
END_TEST

START_TEST(a_lease_revoked_and_given_back_waits_at_the_closed_line)
{
    rig_worker(rig, 1, 4);
    uint64_t number = send_known(0, 1, CLASS_REPLY);
    rig_tick(rig);
    told(REPUTATION_CRITICAL);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETURNED);
    rig_answer(rig, &result);
    ck_job(number, JOB_QUEUED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_view(rig, number).attempts, 0);
}
END_TEST

START_TEST(slowing_takes_back_new_conversations_and_leaves_known_ones)
{
    rig_worker(rig, 1, 4);
    send_known(0, 1, CLASS_REPLY);
    rig_pass(rig, 5000);
    rig_send(rig, 2, CLASS_REPLY);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 2);
    told(REPUTATION_AT_RISK);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, rig_told(rig, EFFECT_JOB, 1)->lease);
}
END_TEST

START_TEST(another_line_closing_revokes_nothing_here)
{
    lease_one();
    rig_tell(rig, 1, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 0);
}
END_TEST

/* ---- ramp ---- */

START_TEST(the_ramp_goes_by_its_steps_to_the_whole_pace)
{
    static const unsigned percent[] = {10, 25, 50};
    begin_with(RAMP_CONF, 1);
    relapse();
    for (size_t step = 0; step < sizeof percent / sizeof *percent; step++) {
        ck_gate(0, GATE_SLOW, REASON_RAMP);
        ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, percent[step]);
        ck_assert_double_eq_tol(rig_line(rig, 0).pace_per_min, 30.0 * percent[step] / 100, 1e-9);
        rig_pass(rig, 999);
        ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, percent[step]);
        rig_pass(rig, 1);
    }
    ck_gate(0, GATE_OPEN, REASON_NONE);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 100);
}
END_TEST

/* Else what was held in the meantime would go at the whole pace at once. */
START_TEST(a_ramp_does_not_climb_while_its_line_is_gone)
{
    begin_with(POLICY_CONF("pace_per_min: 30"), 1);
    relapse();
    for (int minute = 0; minute < 100; minute++) {
        rig_pass(rig, 60000);
        rig_poll_all(rig, 0, REPUTATION_HEALTHY);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_pass(rig, 1000);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
}
END_TEST

START_TEST(a_ramp_does_not_climb_while_its_line_is_paused)
{
    begin_with(RAMP_CONF, 1);
    relapse();
    uint64_t pause = rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pass(rig, 10000);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, pause), CODE_NONE);
    rig_pass(rig, 900);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    rig_restart(rig, 1); /* which knows that, too */
    rig_pass(rig, 98);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 25);
}
END_TEST

START_TEST(in_the_ramp_known_conversations_go_and_new_ones_wait)
{
    relapse();
    rig_worker(rig, 1, 4);
    uint64_t fresh = rig_send(rig, 1, CLASS_REPLY);
    uint64_t known = send_known(0, 2, CLASS_CAMPAIGN);
    rig_pass(rig, 30000);
    ck_assert_int_eq(rig_view(rig, known).state, JOB_LEASED);
    ck_job(fresh, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
}
END_TEST

START_TEST(a_ramp_broken_off_closes_at_once_and_begins_anew)
{
    begin_with(RAMP_CONF, 1);
    relapse();
    rig_pass(rig, 1500);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 25);
    told(REPUTATION_AT_RISK);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    rig_pass(rig, 5000);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING); /* no step opens it */
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
}
END_TEST

START_TEST(the_ramp_goes_on_after_a_restart_where_it_was)
{
    begin_with(RAMP_CONF, 1);
    relapse();
    rig_pass(rig, 1200);
    rig_restart(rig, 100);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 25);
    rig_pass(rig, 700);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 50);
}
END_TEST

START_TEST(a_restart_forgets_no_hold_and_takes_no_half_proof_for_a_whole_one)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    rig_restart(rig, 100);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    rig_pass(rig, 30000);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(after_a_restart_what_was_known_is_as_old_as_it_is)
{
    rig_restart(rig, 200000);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    rig_restart(rig, 700001);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
}
END_TEST

START_TEST(a_clock_that_is_behind_after_a_restart_makes_nothing_younger)
{
    rig->now.wall_ms -= 7200000;
    rig_restart(rig, 0);
    rig_pass(rig, 200000);
    ck_assert_int_eq(rig_line(rig, 0).gate, GATE_SLOW);
    rig_pass(rig, 700001);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
}
END_TEST

START_TEST(of_a_held_backlog_the_reply_goes_first)
{
    uint64_t campaign = send_known(0, 1, CLASS_CAMPAIGN);
    uint64_t reply = send_known(0, 2, CLASS_REPLY);
    told(REPUTATION_CRITICAL);
    rig_worker(rig, 1, 1);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    rig_pass(rig, 30000);
    ck_assert_int_eq(rig_view(rig, reply).state, JOB_LEASED);
    ck_assert_int_eq(rig_view(rig, campaign).state, JOB_QUEUED);
}
END_TEST

/* ---- pauses ---- */

static const enum pause_scope scopes[] = {PAUSE_LINE, PAUSE_POOL, PAUSE_ACCOUNT, PAUSE_ALL};
static const enum reason reasons[] = {REASON_LINE_PAUSED, REASON_POOL_PAUSED, REASON_ACCOUNT_PAUSED, REASON_PAUSED};
#define SCOPES (sizeof scopes / sizeof *scopes)

static uint64_t target_of(enum pause_scope scope)
{
    return scope == PAUSE_LINE ? RIG_LINE : 0;
}

START_TEST(a_pause_of_any_scope_revokes_and_holds_until_resumed)
{
    for (size_t s = 0; s < SCOPES; s++) {
        begin_default();
        rig_worker(rig, 1, 4);
        send_known(0, 1, CLASS_REPLY);
        rig_tick(rig);
        rig_forget(rig);
        uint64_t pause = rig_pause(rig, scopes[s], target_of(scopes[s]), 0);
        ck_assert_uint_ne(pause, 0);
        ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
        uint64_t number = send_known(0, 2, CLASS_REPLY);
        rig_pass(rig, 10000);
        ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
        ck_job(number, JOB_QUEUED, reasons[s]);
        ck_assert_uint_eq(rig_view(rig, number).pause, pause);
        ck_assert_int_eq(rig_resume(rig, scopes[s], target_of(scopes[s]), pause), CODE_NONE);
        rig_pass(rig, 1);
        ck_job(number, JOB_LEASED, REASON_NONE);
    }
}
END_TEST

static void ck_backlog(enum reason reason, bool held)
{
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    for (int r = 0; r < REASON_COUNT; r++)
        ck_assert_uint_eq(status.backlog_by_reason[r], r == (int)reason ? 1 : 0);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, held ? 1 : 0);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_queued, held ? 0 : 1);
}

START_TEST(a_lines_backlog_is_told_under_the_reason_that_its_jobs_have)
{
    uint64_t number = send_known(0, 1, CLASS_REPLY);
    ck_job(number, JOB_QUEUED, REASON_NO_WORKER);
    ck_backlog(REASON_NO_WORKER, false);
    struct core_poll refused = {.account = 0, .poll = 77, .key_refused = true};
    core_poll_ended(rig->core, &refused, rig->now, &rig->out);
    rig_keep(rig);
    ck_job(number, JOB_QUEUED, REASON_PROVIDER_DOWN);
    ck_backlog(REASON_PROVIDER_DOWN, false);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_backlog(REASON_LINE_PAUSED, true);
    static const struct { enum pause_scope scope; enum reason reason; } pauses[] = {
        {PAUSE_POOL, REASON_POOL_PAUSED}, {PAUSE_ACCOUNT, REASON_ACCOUNT_PAUSED}, {PAUSE_ALL, REASON_PAUSED}};
    for (size_t p = 0; p < sizeof pauses / sizeof *pauses; p++) {
        rig_pause(rig, pauses[p].scope, 0, 0);
        ck_job(number, JOB_QUEUED, pauses[p].reason);
        ck_backlog(pauses[p].reason, true);
    }
}
END_TEST

START_TEST(a_paused_line_opens_without_a_ramp)
{
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_gate(0, GATE_CLOSED, REASON_LINE_PAUSED);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(of_several_pauses_on_one_thing_the_last_to_go_opens_it)
{
    for (size_t s = 0; s < SCOPES; s++) {
        begin_default();
        rig_worker(rig, 1, 4);
        uint64_t target = target_of(scopes[s]);
        uint64_t first = rig_pause(rig, scopes[s], target, 0);
        uint64_t second = rig_pause(rig, scopes[s], target, 0);
        ck_assert_uint_ne(first, second);
        uint64_t number = send_known(0, 1, CLASS_REPLY);
        rig_resume(rig, scopes[s], target, first);
        ck_assert_int_eq(rig_resume(rig, scopes[s], target, first), CODE_NOT_FOUND);
        rig_pass(rig, 1000);
        ck_job(number, JOB_QUEUED, reasons[s]);
        rig_resume(rig, scopes[s], target, second);
        rig_pass(rig, 1000);
        ck_job(number, JOB_LEASED, REASON_NONE);
    }
}
END_TEST

START_TEST(resuming_without_a_number_lifts_all_of_that_thing_and_nothing_else)
{
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pause(rig, PAUSE_POOL, 0, 0);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, 0), CODE_NONE);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    ck_job(send_known(0, 1, CLASS_REPLY), JOB_QUEUED, REASON_POOL_PAUSED);
}
END_TEST

START_TEST(what_does_not_exist_is_neither_paused_nor_resumed)
{
    ck_assert_uint_eq(rig_pause(rig, PAUSE_LINE, RIG_LINE + 9, 0), 0);
    ck_assert_int_eq(rig_told(rig, EFFECT_ANSWER, 0)->code, CODE_UNKNOWN_LINE);
    ck_assert_uint_eq(rig_pause(rig, PAUSE_POOL, 9, 0), 0);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, 0), CODE_NOT_FOUND);
}
END_TEST

START_TEST(a_timed_pause_ends_by_itself)
{
    for (size_t s = 0; s < SCOPES; s++) {
        begin_default();
        rig_worker(rig, 1, 4);
        rig_pause(rig, scopes[s], target_of(scopes[s]), 5000);
        uint64_t number = send_known(0, 1, CLASS_REPLY);
        rig_pass(rig, 4999);
        ck_job(number, JOB_QUEUED, reasons[s]);
        rig_pass(rig, 1);
        ck_job(number, JOB_LEASED, REASON_NONE);
    }
}
END_TEST

START_TEST(pauses_outlive_a_restart_and_timed_ones_their_time_only)
{
    for (size_t s = 0; s < SCOPES; s++) {
        begin_default();
        uint64_t pause = rig_pause(rig, scopes[s], target_of(scopes[s]), 0);
        rig_pause(rig, scopes[s], target_of(scopes[s]), 5000);
        uint64_t number = send_known(0, 1, CLASS_REPLY);
        rig_restart(rig, 1000);
        rig_worker(rig, 1, 4);
        rig_pass(rig, 10000);
        ck_job(number, JOB_QUEUED, reasons[s]);
        ck_assert_int_eq(rig_resume(rig, scopes[s], target_of(scopes[s]), pause), CODE_NONE);
        rig_pass(rig, 1);
        ck_job(number, JOB_LEASED, REASON_NONE); /* the timed one is over */
    }
}
END_TEST

START_TEST(a_pause_lifted_before_a_restart_stays_lifted)
{
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_restart(rig, 1000);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

/* ---- cost ---- */

#define HELD 200000u

static void *snapshot(void)
{
    void *copy = malloc(rig->memory_used);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, rig->memory, rig->memory_used);
    return copy;
}

/* Bytes of the core's memory, in 64s, that are no longer as they were. */
static size_t touched_since(void *before)
{
    size_t touched = 0;
    for (size_t at = 0; at + 64 <= rig->memory_used; at += 64)
        touched += memcmp((const char *)before + at, (const char *)rig->memory + at, 64) != 0 ? 64 : 0;
    free(before);
    return touched;
}

static void hold_many(void)
{
    struct rig_options options = {.seed = 1, .limits = {.jobs_max = HELD + 100, .conversations_max = HELD + 100}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    told(REPUTATION_CRITICAL);
    for (uint64_t conversation = 1; conversation <= HELD; conversation++) {
        send_known(0, conversation, CLASS_TRANSACTIONAL);
        rig_forget(rig);
    }
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, HELD);
    rig_worker(rig, 1, 1);
    rig_pass(rig, 2000);
}

static void expect_little_work(void *before, size_t changes)
{
    ck_assert_uint_le(rig->out.change_count, changes);
    ck_assert_uint_le(rig->out.effect_count, 4);
    rig_keep(rig);
    ck_assert_uint_le(touched_since(before), 16384);
}

static struct core_line_fact told_now(enum reputation word)
{
    rig->now.wall_ms++;
    rig->now.mono_ms++;
    return (struct core_line_fact){.number = RIG_LINE,
                                   .has_reputation = true,
                                   .reputation = word,
                                   .changed_at_ms = rig->now.wall_ms,
                                   .arrived_mono_ms = rig->now.mono_ms};
}

START_TEST(opening_and_closing_a_line_with_200000_held_jobs_is_no_work_per_job)
{
    hold_many();
    struct core_line_fact healthy = told_now(REPUTATION_HEALTHY);
    core_line_told(rig->core, 1, &healthy, rig->now, &rig->out);
    rig_keep(rig);
    void *before = snapshot();
    struct core_line_fact poll = {.number = RIG_LINE,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_HEALTHY,
                                  .poll = ++rig->polls,
                                  .begun_mono_ms = ++rig->now.mono_ms};
    core_line_polled(rig->core, &poll, rig->now, &rig->out);
    core_tick(rig->core, rig->now, &rig->out);
    expect_little_work(before, 8);
    ck_gate(0, GATE_SLOW, REASON_RAMP);

    before = snapshot();
    struct core_line_fact critical = told_now(REPUTATION_CRITICAL);
    core_line_told(rig->core, 2, &critical, rig->now, &rig->out);
    core_tick(rig->core, rig->now, &rig->out);
    expect_little_work(before, 8);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(holding_200000_jobs_wakes_nobody)
{
    hold_many();
    void *before = snapshot();
    size_t records = rig->record_count;
    rig_pass(rig, 60000);
    ck_assert_uint_le(rig->record_count - records, 2);
    ck_assert_uint_le(touched_since(before), 16384);
    ck_assert_int_ge(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms + 1000);
}
END_TEST

START_TEST(pausing_and_resuming_a_pool_with_200000_jobs_is_no_work_per_job)
{
    hold_many();
    void *before = snapshot();
    struct core_pause pause = {.token = 1, .scope = PAUSE_POOL, .reason = "r", .by = "b"};
    core_pause(rig->core, &pause, rig->now, &rig->out);
    core_resume(rig->core, 2, PAUSE_POOL, 0, 0, rig->now, &rig->out);
    core_tick(rig->core, rig->now, &rig->out);
    expect_little_work(before, 8);
}
END_TEST

/* The policy takes the word AT_RISK for good enough, and not that nothing has been heard for stale_after_ms. */
START_TEST(a_silent_line_takes_no_new_conversation_whatever_the_policy_says_of_at_risk)
{
    begin_with(POLICY_CONF("pace_per_min: 0, allow_at_risk_new: true"), 1);
    rig_worker(rig, 1, 8);
    told(REPUTATION_AT_RISK);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
    rig_pass(rig, 181000);
    number = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    struct core_enqueue ask = rig_job(3, CLASS_TRANSACTIONAL);
    ask.from_line = RIG_LINE;
    uint64_t named = accepted(&ask);
    rig_pass(rig, 1000);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
    ck_job(number, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
    ck_job(named, JOB_QUEUED, REASON_LINE_AT_RISK);
    rig_restart(rig, 1000);
    rig_worker(rig, 2, 8);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
    poll_says(REPUTATION_AT_RISK);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

static bool line_0_says(enum reason reason)
{
    struct cause causes[CAUSES_MAX];
    size_t count = core_line_causes(rig->core, 0, rig->now, causes);
    bool says = false;
    for (size_t i = 0; i < count; i++)
        says = says || causes[i].reason == reason;
    return says;
}

START_TEST(a_line_that_takes_new_conversations_at_risk_does_not_say_that_it_takes_none)
{
    begin_with(POLICY_CONF("pace_per_min: 0, allow_at_risk_new: true"), 1);
    rig_worker(rig, 1, 8);
    told(REPUTATION_AT_RISK);
    ck_assert(!line_0_says(REASON_LINE_AT_RISK));
    told(REPUTATION_HEALTHY); /* which is not proven yet, but makes it no worse */
    ck_assert(!line_0_says(REASON_LINE_AT_RISK));
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
    rig_pass(rig, 181000);
    ck_assert(line_0_says(REASON_LINE_AT_RISK));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        closing_revokes_before_anything_is_durable,
        closing_takes_back_what_never_left_and_its_job_is_never_told,
        a_closed_line_gets_no_further_lease,
        a_lease_revoked_and_given_back_waits_at_the_closed_line,
        slowing_takes_back_new_conversations_and_leaves_known_ones,
        another_line_closing_revokes_nothing_here,
        the_ramp_goes_by_its_steps_to_the_whole_pace,
        a_ramp_does_not_climb_while_its_line_is_gone,
        a_ramp_does_not_climb_while_its_line_is_paused,
        in_the_ramp_known_conversations_go_and_new_ones_wait,
        a_ramp_broken_off_closes_at_once_and_begins_anew,
        the_ramp_goes_on_after_a_restart_where_it_was,
        a_restart_forgets_no_hold_and_takes_no_half_proof_for_a_whole_one,
        after_a_restart_what_was_known_is_as_old_as_it_is,
        a_clock_that_is_behind_after_a_restart_makes_nothing_younger,
        of_a_held_backlog_the_reply_goes_first,
        a_pause_of_any_scope_revokes_and_holds_until_resumed,
        a_lines_backlog_is_told_under_the_reason_that_its_jobs_have,
        a_paused_line_opens_without_a_ramp,
        of_several_pauses_on_one_thing_the_last_to_go_opens_it,
        resuming_without_a_number_lifts_all_of_that_thing_and_nothing_else,
        what_does_not_exist_is_neither_paused_nor_resumed,
        a_timed_pause_ends_by_itself,
        pauses_outlive_a_restart_and_timed_ones_their_time_only,
        a_pause_lifted_before_a_restart_stays_lifted,
        opening_and_closing_a_line_with_200000_held_jobs_is_no_work_per_job,
        holding_200000_jobs_wakes_nobody,
        pausing_and_resuming_a_pool_with_200000_jobs_is_no_work_per_job,
        a_silent_line_takes_no_new_conversation_whatever_the_policy_says_of_at_risk,
        a_line_that_takes_new_conversations_at_risk_does_not_say_that_it_takes_none,
    };
    return run_suite("core_gate", tests, sizeof tests / sizeof *tests);
}
