/* core_jump_heard_test.c — the wall clock was a year ahead for a while and is right again: what was said meanwhile ends
 * when it was to end, and does not keep what is said since from being heard. */
#include "tests/unit/core_jump_rig.h"

#define CONF POLICY_CONF("pace_per_min: 0")

/* As a line's last webhook does, or its changed_at: both may be of that year. */
static void told_in_that_year(int64_t (*changed_at_ms)(void))
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_tell(rig, 0, REPUTATION_HEALTHY, changed_at_ms());
}

static int64_t just_now(void)
{
    return rig->now.wall_ms;
}

static int64_t nobody_says(void)
{
    return 0;
}

START_TEST(a_webhook_closes_a_line)
{
    told_in_that_year(just_now);
    jump(-YEAR_MS);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_webhook_closes_a_line_though_the_one_before_had_no_moment)
{
    told_in_that_year(nobody_says);
    jump(-YEAR_MS);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_webhook_closes_a_line_after_a_restart)
{
    told_in_that_year(just_now);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_webhook_closes_a_line,
        a_webhook_closes_a_line_though_the_one_before_had_no_moment,
        a_webhook_closes_a_line_after_a_restart,
    };
    return run_suite("core_jump_heard", tests, sizeof tests / sizeof *tests);
}
