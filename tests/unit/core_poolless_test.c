/* A line that a reload took out of its pool, and that no other pool has: nothing is sent on it, and nothing of it is lost. */
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

int main(void)
{
    const TTest *const tests[] = {
        a_failed_try_on_a_line_without_a_pool_is_tried_again,
        a_failed_try_of_a_pool_that_is_not_there_is_tried_again,
    };
    return run_suite("core_poolless", tests, sizeof tests / sizeof *tests);
}
