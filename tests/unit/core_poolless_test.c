/* A line that a reload took out of its pool and that no other pool has: nothing goes on it, and nothing is lost. */
#include "broker/core/core_views.h"
#include "tests/unit/core_reconfigure_rig.h"

#define WITH_LINE(pace)    ACCOUNTS "pools:\n" POOL_A POLICY(pace)
#define WITHOUT_LINE(pace) ACCOUNTS "pools:\n  a: {lines: [\"+12025550101\"]}\n" POLICY(pace)

/* What is under way meanwhile has as many attempts as any of its pool. */
START_TEST(a_failed_try_on_a_line_without_a_pool_is_tried_again)
{
    begin(WITH_LINE(0), 1);
    uint64_t number = enqueue("a", 1).number;
    const struct effect job = *lease_of(number);
    ck_assert_int_eq(change_to(WITHOUT_LINE(0)), ERR_NONE);
    answer_retry(&job, SCOPE_JOB, -1);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
}
END_TEST

/* Likewise where its pool is in the file no more, and a start knows nothing of its policy. */
START_TEST(a_failed_try_of_a_pool_that_is_not_there_is_tried_again)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 2);
    uint64_t number = enqueue("a", 1).number;
    const struct effect job = *lease_of(number);
    restart_with(ACCOUNTS "pools:\n" POOL_B POLICY(0));
    const struct core_ready ready = {
        .peer = 1, .instance = 1001, .slots = 64, .worker = "w", .leases = &job.lease, .lease_count = 1};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
    answer_retry(&job, SCOPE_JOB, -1);
    ck_job(number, JOB_QUEUED, REASON_POOL_PAUSED);
}
END_TEST

/* ---- its ramp ---- */

static void pass_minutes(int count)
{
    for (int i = 0; i < count; i++) {
        rig_pass(rig, 60000);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    }
}

START_TEST(a_line_that_recovers_without_a_pool_goes_through_its_ramp)
{
    begin_with(WITH_LINE(30), 1);
    told(REPUTATION_CRITICAL);
    ck_assert_int_eq(change_to(WITHOUT_LINE(30)), ERR_NONE);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    pass_minutes(2);
    ck_assert_int_eq(change_to(WITH_LINE(30)), ERR_NONE);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

/* The steps are of half an hour. */
START_TEST(a_ramp_goes_on_where_it_was_after_a_while_without_a_pool)
{
    begin_with(WITH_LINE(30), 1);
    relapse();
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    ck_assert_int_eq(change_to(WITHOUT_LINE(30)), ERR_NONE);
    pass_minutes(32);
    ck_assert_int_eq(change_to(WITH_LINE(30)), ERR_NONE);
    pass_minutes(29);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    pass_minutes(2);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 25);
}
END_TEST

START_TEST(a_ramp_goes_on_where_it_was_after_a_restart_without_a_pool)
{
    begin_with(WITH_LINE(30), 1);
    relapse();
    restart_with(WITHOUT_LINE(30));
    pass_minutes(62);
    restart_with(WITH_LINE(30));
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_pass(rig, 1000);
    ck_assert_uint_le(rig_line(rig, 0).ramp_percent, 25);
}
END_TEST

/* ---- what is under way, and what waits ---- */

/* As a cordon does. */
START_TEST(a_new_conversation_on_a_line_that_left_its_pool_is_called_back)
{
    begin(WITH_LINE(0), 1);
    ck_assert(is_leased(enqueue("a", 1).number));
    ck_assert_int_eq(change_to(WITHOUT_LINE(0)), ERR_NONE);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
}
END_TEST

/* One that lives there has a job that waits, and its line is well, but in no pool. */
static uint64_t leave_waiting(void)
{
    begin(WITH_LINE(0), 1);
    end_lease(enqueue("a", 1).number);
    ck_assert_int_eq(change_to(WITHOUT_LINE(0)), ERR_NONE);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    return enqueue("a", 1).number;
}

START_TEST(what_waits_for_a_line_without_a_pool_says_why)
{
    uint64_t waits = leave_waiting();
    pass_minutes(10);
    ck_assert(!is_leased(waits));
    ck_job(waits, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_assert_uint_eq(rig_view(rig, waits).pause, 0); /* nobody's */
}
END_TEST

START_TEST(what_names_a_line_without_a_pool_says_why)
{
    begin_with(WITH_LINE(0), 1);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE;
    uint64_t waits = accepted(&job);
    ck_assert_int_eq(change_to(WITHOUT_LINE(0)), ERR_NONE);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_job(waits, JOB_QUEUED, REASON_POOL_PAUSED);
}
END_TEST

START_TEST(a_line_without_a_pool_is_closed_and_says_what_stops_it)
{
    struct cause causes[CAUSES_MAX];
    leave_waiting();
    pass_minutes(1);
    ck_gate(0, GATE_CLOSED, REASON_POOL_PAUSED);
    ck_assert_uint_eq(core_line_causes(rig->core, 0, rig->now, causes), 1);
    ck_assert_int_eq(causes[0].reason, REASON_POOL_PAUSED);
    ck_assert_int_eq(change_to(WITH_LINE(0)), ERR_NONE);
    rig_pass(rig, 1000);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(a_line_that_left_its_pool_can_be_drained_by_moving)
{
    uint64_t waits = leave_waiting();
    struct core_drain drain = {.token = 1, .line = RIG_LINE, .mode = DRAIN_MOVE, .by = "ops"};
    core_drain(rig->core, &drain, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(answered(), CODE_NONE);
    rig_pass(rig, 5000);
    ck_assert_uint_eq(rig_view(rig, waits).line, RIG_LINE + 1);
    ck_assert(is_leased(waits));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_failed_try_on_a_line_without_a_pool_is_tried_again,
        a_failed_try_of_a_pool_that_is_not_there_is_tried_again,
        a_line_that_recovers_without_a_pool_goes_through_its_ramp,
        a_ramp_goes_on_where_it_was_after_a_while_without_a_pool,
        a_ramp_goes_on_where_it_was_after_a_restart_without_a_pool,
        a_new_conversation_on_a_line_that_left_its_pool_is_called_back,
        what_waits_for_a_line_without_a_pool_says_why,
        what_names_a_line_without_a_pool_says_why,
        a_line_without_a_pool_is_closed_and_says_what_stops_it,
        a_line_that_left_its_pool_can_be_drained_by_moving,
    };
    return run_suite("core_poolless", tests, sizeof tests / sizeof *tests);
}
