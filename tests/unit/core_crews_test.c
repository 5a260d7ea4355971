/* Workers whose key names pools: whose leases they get, who is preferred, and that nothing turns in circles. */
#include <stdio.h>
#include <string.h>

#include "broker/core/core_forecast.h"
#include "tests/unit/core_suite.h"

#define POOLS_CONF                                                                                                   \
    "accounts:\n  default: {api_key_file: key}\n"                                                                    \
    "pools:\n"                                                                                                       \
    "  a: {lines: [\"+12025550100\"]}\n"                                                                             \
    "  b: {lines: [\"+12025550101\"]}\n"                                                                             \
    "  c: {lines: [\"+12025550102\"]}\n"                                                                             \
    "policies:\n  default: {pace_per_min: 0, new_conversations_per_day: 0, daily_messages: 0,\n"                     \
    "            distinct_recipients_per_hour: 0, pair_per_min: 0, daily_growth_factor: 0}\n"

enum { POOL_A, POOL_B, POOL_C };

static void ready(uint32_t peer, uint32_t slots, const uint32_t *pools, size_t count)
{
    struct core_ready ready = {.peer = peer,
                               .instance = peer + 1000,
                               .slots = slots,
                               .worker = "w",
                               .some_pools = pools != NULL,
                               .pools = pools,
                               .pool_count = count};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
    rig_tick(rig);
}
#define READY(peer, slots, ...)                                                                                      \
    ready(peer, slots, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static uint64_t enqueue(uint32_t pool, uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.pool = pool;
    struct effect answer = rig_enqueue(rig, &job);
    ck_assert_int_eq(answer.code, CODE_NONE);
    rig_tick(rig);
    return answer.number;
}

/* Who got the job's lease; 0: nobody. */
static uint32_t holder(uint64_t number)
{
    const struct effect *job;
    for (size_t i = 0; (job = rig_told(rig, EFFECT_JOB, i)) != NULL; i++)
        if (job->number == number)
            return job->peer;
    return 0;
}

START_TEST(a_worker_gets_leases_of_its_pools_only)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    uint64_t of_a = enqueue(POOL_A, 1), of_b = enqueue(POOL_B, 2);
    ck_assert_uint_eq(holder(of_a), 1);
    ck_assert_uint_eq(holder(of_b), 0);
    ck_assert_int_eq(rig_view(rig, of_b).reason, REASON_NO_WORKER);
    READY(2, 8, POOL_B, POOL_C);
    ck_assert_uint_eq(holder(of_b), 2);
}
END_TEST

START_TEST(a_worker_of_no_pools_gets_nothing)
{
    begin_with(POOLS_CONF, 3);
    ready(1, 8, (const uint32_t[]){0}, 0);
    uint64_t job = enqueue(POOL_A, 1);
    ck_assert_uint_eq(holder(job), 0);
    ck_assert_int_eq(rig_view(rig, job).reason, REASON_NO_WORKER);
}
END_TEST

/* Who may do everything is left for what nobody else may do. */
START_TEST(those_who_can_do_least_else_go_first)
{
    begin_with(POOLS_CONF, 3);
    ready(1, 2, NULL, 0);
    READY(2, 2, POOL_A);
    uint64_t first = enqueue(POOL_A, 1), second = enqueue(POOL_A, 2), third = enqueue(POOL_A, 3);
    uint64_t other = enqueue(POOL_B, 4);
    ck_assert_uint_eq(holder(first), 2);
    ck_assert_uint_eq(holder(second), 2);
    ck_assert_uint_eq(holder(third), 1);
    ck_assert_uint_eq(holder(other), 1);
}
END_TEST

/* When it goes, as its view says: busy workers are foreseen, those that will never take it are not. */
static bool is_foreseen(uint64_t number)
{
    static struct forecast forecast;
    ck_assert(core_forecast_begin(rig->core, number, rig->now, &forecast));
    while (!forecast.done)
        core_forecast_step(rig->core, &forecast);
    ck_assert_int_eq(forecast.said.unknown, forecast.said.at_ms == 0 ? REASON_NO_WORKER : REASON_NONE);
    return forecast.said.at_ms != 0;
}

START_TEST(nobody_can_say_when_while_there_is_no_worker)
{
    begin_with(POOLS_CONF, 3);
    uint64_t job = enqueue(POOL_A, 1);
    ck_assert(!is_foreseen(job));
    ck_assert_int_eq(core_drain_eta(rig->core, 0, 60, 10, rig->now), 0);
    READY(1, 1, POOL_A);
    uint64_t next = enqueue(POOL_A, 2);
    ck_job(job, JOB_LEASED, REASON_NONE);
    ck_job(next, JOB_QUEUED, REASON_NO_WORKER);
    ck_assert(is_foreseen(next));
    ck_assert_int_gt(core_drain_eta(rig->core, 0, 60, 10, rig->now), rig->now.wall_ms);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(!is_foreseen(next));
    ck_assert_int_eq(core_drain_eta(rig->core, 0, 60, 10, rig->now), 0);
}
END_TEST

START_TEST(nobody_can_say_when_while_no_worker_may_serve_the_pool)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    READY(2, 8, POOL_C);
    uint64_t job = enqueue(POOL_B, 1);
    ck_assert(!is_foreseen(job));
    ck_assert_int_eq(core_drain_eta(rig->core, 1, 60, 10, rig->now), 0);
}
END_TEST

START_TEST(what_no_free_worker_may_do_costs_no_turns)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    enqueue(POOL_B, 1);
    ck_assert_int_gt(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms);
    enqueue(POOL_A, 2);
    ck_assert_int_gt(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms);
}
END_TEST

START_TEST(another_set_of_pools_takes_effect_with_the_next_ready)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    READY(1, 8, POOL_B);
    uint64_t of_a = enqueue(POOL_A, 1), of_b = enqueue(POOL_B, 2);
    ck_assert_uint_eq(holder(of_a), 0);
    ck_assert_uint_eq(holder(of_b), 1);
}
END_TEST

START_TEST(a_worker_gone_leaves_its_pools_to_others)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    core_worker_gone(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t job = enqueue(POOL_A, 1);
    ck_assert_uint_eq(holder(job), 0);
    READY(2, 8, POOL_A, POOL_B);
    ck_assert_uint_eq(holder(job), 2);
}
END_TEST

/* One worker for all, three lines in three lanes, all with much to do: each line gets a third. */
START_TEST(lines_share_workers_alike_whatever_lane_they_are_in)
{
    begin_with(POOLS_CONF, 3);
    unsigned sent[3] = {0};
    READY(2, 1, POOL_A);
    READY(3, 1, POOL_B);
    core_worker_gone(rig->core, 2, rig->now, &rig->out); /* their lanes remain */
    core_worker_gone(rig->core, 3, rig->now, &rig->out);
    rig_keep(rig);
    for (uint64_t i = 0; i < 90; i++)
        enqueue((uint32_t)(i % 3), 100 + i);
    ready(1, 1, NULL, 0);
    for (size_t i = 0; i < 60; i++) {
        const struct effect *job = rig_told(rig, EFFECT_JOB, i);
        ck_assert_ptr_nonnull(job);
        struct job_view view = rig_view(rig, job->number);
        ck_assert_uint_lt(view.pool, 3);
        sent[view.pool]++;
        rig_sent(rig, job);
        rig_tick(rig);
    }
    for (size_t p = 0; p < 3; p++)
        ck_assert_uint_eq(sent[p], 20);
}
END_TEST

START_TEST(workers_of_too_many_kinds_are_not_taken)
{
    char conf[8192] = "accounts:\n  default: {api_key_file: key}\npools:\n";
    for (int p = 0; p < 70; p++) {
        size_t bytes = strlen(conf);
        snprintf(conf + bytes, sizeof conf - bytes, "  p%d: {lines: [\"+1202555%04d\"]}\n", p, p);
    }
    struct rig_options options = {.conf = conf, .seed = 7, .limits = {.workers_max = 128}};
    rig_free(&rig);
    rig = rig_new(&options);
    for (uint32_t p = 0; p < 70; p++)
        READY(p + 1, 1, p);
    ck_assert_uint_eq(rig_count(rig, EFFECT_READY), 63);
    ck_assert_uint_eq(rig_count(rig, EFFECT_UNKNOWN_WORKER), 7);
    for (uint32_t p = 0; p < 63; p++)
        core_worker_gone(rig->core, p + 1, rig->now, &rig->out);
    rig_keep(rig);
    READY(70, 1, 69);
    ck_assert_uint_eq(rig_count(rig, EFFECT_READY), 64);
}
END_TEST

START_TEST(a_result_of_another_worker_s_lease_changes_nothing)
{
    begin_with(POOLS_CONF, 3);
    READY(1, 8, POOL_A);
    READY(2, 8, POOL_B);
    uint64_t job = enqueue(POOL_A, 1);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_REJECTED);
    result.peer = 2;
    rig_forget(rig);
    core_worker_result(rig->core, &result, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, job).state, JOB_LEASED);
    ck_assert_uint_eq(rig_count(rig, EFFECT_DONE), 1); /* it need not say it for ever */
    result.peer = 1;
    core_worker_result(rig->core, &result, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, job).state, JOB_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_worker_gets_leases_of_its_pools_only,
        a_worker_of_no_pools_gets_nothing,
        those_who_can_do_least_else_go_first,
        nobody_can_say_when_while_there_is_no_worker,
        nobody_can_say_when_while_no_worker_may_serve_the_pool,
        what_no_free_worker_may_do_costs_no_turns,
        another_set_of_pools_takes_effect_with_the_next_ready,
        a_worker_gone_leaves_its_pools_to_others,
        lines_share_workers_alike_whatever_lane_they_are_in,
        workers_of_too_many_kinds_are_not_taken,
        a_result_of_another_worker_s_lease_changes_nothing,
    };
    return run_suite("core_crews", tests, sizeof tests / sizeof *tests);
}
