/* Names and their numbers: a table full of campaigns has room for what another configuration names. */
#include <stdio.h>

#include "tests/unit/core_reconfigure_rig.h"

#define POOLS ACCOUNTS "pools:\n" POOL_A
#define MORE_POOLS POOLS POOL_B "  c: {lines: [\"+12025550102\"]}\n"

static const char before[] = POOLS POLICY(0), after[] = MORE_POOLS POLICY(0);

/* With as many campaigns as there is room for. */
static void begin_full(uint32_t names_max)
{
    struct rig_options options = {.conf = before, .seed = 1, .limits = {.names_max = names_max}};
    char name[16];
    rig_free(&rig);
    rig = rig_new(&options);
    unsigned count = 0;
    do
        snprintf(name, sizeof name, "c%u", count++);
    while (core_campaign(rig->core, name, &rig->out) != 0);
    ck_assert_uint_gt(count, names_max / 2);
    rig_keep(rig);
}

static uint64_t send_in(uint32_t pool, uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.pool = pool;
    uint64_t number = accepted(&job);
    rig_tick(rig);
    return number;
}

START_TEST(jobs_of_a_pool_that_came_while_names_were_full_are_its_own_after_a_restart)
{
    begin_full(64);
    ck_assert_int_eq(change_to(after), ERR_NONE);
    uint64_t of_b = send_in(1, 1);
    ck_assert_uint_eq(rig_view(rig, of_b).pool, 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, of_b).pool, 1);
}
END_TEST

START_TEST(a_pause_of_a_pool_that_came_while_names_were_full_holds)
{
    begin_full(64);
    ck_assert_int_eq(change_to(after), ERR_NONE);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_POOL, 2, 0), 0);
    ck_job(send_in(2, 1), JOB_QUEUED, REASON_POOL_PAUSED);
    ck_job(send_in(1, 2), JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(quiet_hours_that_came_while_names_were_full_are_kept)
{
    static const struct zone_rules utc = {.count = 1};
    begin_full(64);
    ck_assert_int_eq(change_to(POOLS "policies:\n  default: {" FREE
                                     ", quiet_hours: {from: '00:00', to: '23:00', zone: Etc/UTC}}\n"),
                     ERR_NONE);
    for (unsigned at = 1; core_zone_at(rig->core, at) != NULL; at++)
        core_zone_rules(rig->core, at, &utc, 1, rig->now);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    ck_job(send_in(0, 1), JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

START_TEST(names_that_have_no_room_at_all_change_nothing)
{
    begin_full(12); /* which leaves one */
    ck_assert_int_eq(change_to(after), ERR_NO_MEMORY);
    ck_assert_uint_eq(rig->conf->pool_count, 1);
    ck_assert_int_eq(change_to(POOLS POOL_B POLICY(0)), ERR_NONE);
    ck_assert_int_eq(change_to(after), ERR_NO_MEMORY);
    ck_assert(core_names_fit(rig->core));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        jobs_of_a_pool_that_came_while_names_were_full_are_its_own_after_a_restart,
        a_pause_of_a_pool_that_came_while_names_were_full_holds,
        quiet_hours_that_came_while_names_were_full_are_kept,
        names_that_have_no_room_at_all_change_nothing,
    };
    return run_suite("core_names", tests, sizeof tests / sizeof *tests);
}
