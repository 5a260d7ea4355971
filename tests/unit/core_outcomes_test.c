/* core_outcomes_test.c — how far a pool's outcome webhooks were taken is known after a restart, wherever the cleaner was. */
#include <string.h>

#include "tests/unit/core_suite.h"

#define TWO_POOLS ACCOUNT_CONF "pools:\n  a: {lines: [+12025550100]}\n  b: {lines: [+12025550101]}\n"

static void set(uint32_t pool, uint64_t read_to, uint16_t waiting)
{
    struct change_outcomes mark = {.read_to = read_to, .confirmed = read_to / 2, .missed = 3, .count = waiting};
    for (unsigned i = 0; i < waiting; i++)
        mark.waiting[i] = read_to - waiting + 1 + i;
    core_outcomes_set(rig->core, pool, &mark, rig->now, &rig->out);
    rig_keep(rig);
}

static void check(uint32_t pool, uint64_t read_to, uint16_t waiting)
{
    const struct change_outcomes *mark = core_outcomes(rig->core, pool);
    ck_assert_ptr_nonnull(mark);
    ck_assert_uint_eq(mark->read_to, read_to);
    ck_assert_uint_eq(mark->confirmed, read_to / 2);
    ck_assert_uint_eq(mark->missed, 3);
    ck_assert_uint_eq(mark->count, waiting);
    for (unsigned i = 0; i < waiting; i++)
        ck_assert_uint_eq(mark->waiting[i], read_to - waiting + 1 + i);
}

START_TEST(each_pools_mark_is_its_own_and_survives_a_restart)
{
    begin_with(TWO_POOLS, 2);
    ck_assert_ptr_null(core_outcomes(rig->core, 0));
    set(0, 1000, 5);
    set(1, 70, 0);
    set(0, 1200, OUTCOMES_WAITING_MAX); /* the newest counts */
    check(0, 1200, OUTCOMES_WAITING_MAX);
    rig_commit(rig, rig->record_count);
    rig_restart(rig, 1000);
    check(0, 1200, OUTCOMES_WAITING_MAX);
    check(1, 70, 0);
}
END_TEST

START_TEST(a_mark_whose_record_is_cleaned_is_said_anew)
{
    begin_with(TWO_POOLS, 2);
    set(1, 70, 2);
    rig_commit(rig, rig->record_count);
    size_t before = rig->record_count;
    for (size_t i = 0; i < before; i++)
        rig_clean(rig, i);
    rig_keep(rig);
    ck_assert_uint_eq(rig_records(rig, CHANGE_OUTCOMES, 0, before), 1);
    rig_commit(rig, rig->record_count);
    rig_restart(rig, 1000);
    check(1, 70, 2);
    ck_assert_ptr_null(core_outcomes(rig->core, 0));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_pools_mark_is_its_own_and_survives_a_restart,
        a_mark_whose_record_is_cleaned_is_said_anew,
    };
    return run_suite("core_outcomes", tests, sizeof tests / sizeof *tests);
}
