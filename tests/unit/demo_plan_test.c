/* The demo's plan: what every seed must bring, so that its audit proves something. */
#include <stdlib.h>
#include <string.h>

#include "lineward/ids.h"
#include "tests/support/suite.h"
#include "tools/demo/plan.h"

#define SEEDS 10

static bool same_jobs(const struct plan *a, const struct plan *b)
{
    if (a->job_count != b->job_count)
        return false;
    for (size_t i = 0; i < a->job_count; i++) {
        const struct plan_job *x = &a->jobs[i], *y = &b->jobs[i];
        if (x->at_ms != y->at_ms || x->conversation != y->conversation || x->class != y->class || x->n != y->n)
            return false;
    }
    return true;
}

/* Field by field: what lies between them is nobody's. */
static bool same_steps(const struct plan *a, const struct plan *b)
{
    if (a->step_count != b->step_count)
        return false;
    for (size_t i = 0; i < a->step_count; i++) {
        const struct plan_step *x = &a->steps[i], *y = &b->steps[i];
        if (x->at_ms != y->at_ms || x->kind != y->kind || x->line != y->line || x->reputation != y->reputation)
            return false;
    }
    return true;
}

START_TEST(one_seed_is_one_plan_and_another_seed_another)
{
    struct plan *first = plan_new(1), *again = plan_new(1), *other = plan_new(2);
    ck_assert(same_jobs(first, again));
    ck_assert(same_steps(first, again));
    ck_assert(!same_jobs(first, other));
    plan_free(&first);
    plan_free(&again);
    plan_free(&other);
}
END_TEST

START_TEST(every_recipient_is_one_and_is_written_to)
{
    struct plan *plan = plan_new((uint64_t)_i);
    char handle[HANDLE_MAX_BYTES + 1];
    bool *reached = calloc(PLAN_RECIPIENTS, sizeof *reached);
    ck_assert_uint_ge(plan->job_count, PLAN_JOBS_MIN);
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct plan_conversation *conversation = &plan->conversations[plan->jobs[i].conversation];
        for (size_t r = 0; r < conversation->recipient_count; r++)
            reached[conversation->recipients[r]] = true;
    }
    for (size_t i = 0; i < PLAN_RECIPIENTS; i++) {
        ck_assert(reached[i]);
        ck_assert(handle_normalize(plan->recipients[i], handle));
        ck_assert_str_eq(handle, plan->recipients[i]);
        if (i > 0)
            ck_assert_str_ne(plan->recipients[i], plan->recipients[i - 1]);
    }
    free(reached);
    plan_free(&plan);
}
END_TEST

START_TEST(jobs_are_in_order_of_time_and_counted_by_conversation_and_class)
{
    struct plan *plan = plan_new((uint64_t)_i);
    unsigned *counts = calloc(plan->conversation_count * CLASS_COUNT, sizeof *counts);
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct plan_job *job = &plan->jobs[i];
        ck_assert(i == 0 || job->at_ms >= job[-1].at_ms);
        ck_assert_int_lt(job->at_ms, plan->flow_ms);
        ck_assert_uint_eq(job->n, ++counts[job->conversation * CLASS_COUNT + job->class]);
    }
    free(counts);
    plan_free(&plan);
}
END_TEST

/* What a line is, after the first `count` steps. */
static enum reputation reputation_after(const struct plan *plan, size_t line, size_t count)
{
    enum reputation reputation = REPUTATION_HEALTHY;
    for (size_t i = 0; i < count; i++) {
        if (plan->steps[i].kind == PLAN_TURN && plan->steps[i].line == line)
            reputation = plan->steps[i].reputation;
    }
    return reputation;
}

static size_t count_lines(const struct plan *plan, size_t steps, enum reputation reputation)
{
    size_t count = 0;
    for (size_t line = 0; line < PLAN_LINES; line++)
        count += reputation_after(plan, line, steps) == reputation;
    return count;
}

START_TEST(the_broker_dies_while_two_lines_are_critical_and_one_at_risk_and_all_recover)
{
    struct plan *plan = plan_new((uint64_t)_i);
    size_t kills = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        ck_assert(i == 0 || plan->steps[i].at_ms > plan->steps[i - 1].at_ms);
        ck_assert_int_lt(plan->steps[i].at_ms, plan->flow_ms);
        if (plan->steps[i].kind != PLAN_KILL)
            continue;
        kills++;
        ck_assert_int_eq(plan->steps[i + 1].kind, PLAN_START);
        ck_assert_uint_eq(count_lines(plan, i, REPUTATION_CRITICAL), 2);
        ck_assert_uint_eq(count_lines(plan, i, REPUTATION_AT_RISK), 1);
    }
    ck_assert_uint_eq(kills, 1);
    ck_assert_uint_eq(count_lines(plan, plan->step_count, REPUTATION_HEALTHY), PLAN_LINES);
    plan_free(&plan);
}
END_TEST

START_TEST(both_pools_keep_enough_healthy_lines)
{
    struct plan *plan = plan_new((uint64_t)_i);
    for (size_t steps = 0; steps <= plan->step_count; steps++) {
        size_t healthy[PLAN_POOLS] = {0};
        for (size_t line = 0; line < PLAN_LINES; line++)
            healthy[plan->lines[line].pool] += reputation_after(plan, line, steps) == REPUTATION_HEALTHY;
        for (size_t pool = 0; pool < PLAN_POOLS; pool++)
            ck_assert_uint_ge(healthy[pool], 3);
    }
    plan_free(&plan);
}
END_TEST

/* What a user asks is when a backlog will have gone; what the audit asks is where new conversations begin meanwhile. */
START_TEST(most_jobs_are_handed_in_at_once_and_conversations_begin_while_lines_are_down)
{
    struct plan *plan = plan_new((uint64_t)_i);
    bool *begun = calloc(plan->conversation_count, sizeof *begun);
    int down_ms = plan->steps[0].at_ms, up_ms = plan->steps[plan->step_count - 1].at_ms;
    size_t begin_then = 0;
    ck_assert_uint_gt(plan->backlog_count, plan->job_count * 9 / 10);
    ck_assert_uint_lt(plan->backlog_count, plan->job_count);
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct plan_job *job = &plan->jobs[i];
        ck_assert(i >= plan->backlog_count || job->at_ms < down_ms / 10);
        begin_then += !begun[job->conversation] && job->at_ms > down_ms && job->at_ms < up_ms;
        begun[job->conversation] = true;
    }
    ck_assert_uint_ge(begin_then, 10);
    free(begun);
    plan_free(&plan);
}
END_TEST

START_TEST(without_a_backlog_the_same_jobs_come_one_after_the_other)
{
    struct plan *plan = plan_new(1), *spread = plan_new(1);
    plan_spread(spread);
    ck_assert_uint_eq(spread->backlog_count, 0);
    ck_assert_uint_eq(spread->job_count, plan->job_count);
    for (size_t i = 0; i < plan->job_count; i++) {
        ck_assert(i == 0 || spread->jobs[i].at_ms - spread->jobs[i - 1].at_ms <= 10);
        ck_assert_uint_eq(spread->jobs[i].conversation, plan->jobs[i].conversation);
        ck_assert_uint_eq(spread->jobs[i].n, plan->jobs[i].n);
    }
    plan_free(&plan);
    plan_free(&spread);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("demo_plan");
    TCase *all = tcase_create("plan");
    tcase_add_test(all, one_seed_is_one_plan_and_another_seed_another);
    tcase_add_loop_test(all, every_recipient_is_one_and_is_written_to, 0, SEEDS);
    tcase_add_loop_test(all, jobs_are_in_order_of_time_and_counted_by_conversation_and_class, 0, SEEDS);
    tcase_add_loop_test(all, the_broker_dies_while_two_lines_are_critical_and_one_at_risk_and_all_recover, 0, SEEDS);
    tcase_add_loop_test(all, both_pools_keep_enough_healthy_lines, 0, SEEDS);
    tcase_add_loop_test(all, most_jobs_are_handed_in_at_once_and_conversations_begin_while_lines_are_down, 0, SEEDS);
    tcase_add_test(all, without_a_backlog_the_same_jobs_come_one_after_the_other);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
