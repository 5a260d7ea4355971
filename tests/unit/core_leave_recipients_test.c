/* core_leave_recipients_test.c — whom a line wrote to within the hour counts there, wherever their conversation has gone, and
 * on no line that did not (promise P6). */
#include "tests/unit/core_move_rig.h"

#define ck_recipients(line, live)                                                                                     \
    do {                                                                                                             \
        ck_assert_uint_eq(rig_line(rig, line).recipients_used, live);                                                 \
        rig_restart(rig, 1);                                                                                          \
        ck_assert_uint_eq(rig_line(rig, line).recipients_used, live);                                                 \
    } while (0)

/* Line 0 wrote to them within the hour, wherever they go, and no other line did. */
START_TEST(whom_a_line_wrote_to_counts_there_over_a_restart_though_a_job_names_another)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    accepted(&pinned);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_worker(rig, 1, 8);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
    ck_assert_uint_eq(rig_line(rig, 1).recipients_used, 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
    ck_assert_uint_eq(rig_line(rig, 1).recipients_used, 1);
}
END_TEST

START_TEST(who_was_written_to_counts_on_the_line_that_it_left_though_a_job_names_another)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_enqueue named = rig_job(1, CLASS_REPLY);
    named.from_line = RIG_LINE + 1;
    accepted(&named);
    ck_recipients(0, 1);
    ck_recipients(1, 0);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    rig_sent(rig, &job);
    ck_recipients(0, 1);
    ck_recipients(1, 1);
}
END_TEST

START_TEST(who_was_moved_on_purpose_counts_once_on_each_of_both_lines)
{
    begin(FREE_CONF);
    placed_on_0(1);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    ck_assert_int_eq(move(1, 2), CODE_NONE);
    rig_send(rig, 1, CLASS_REPLY);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
    rig_sent(rig, &job);
    ck_recipients(0, 1);
    ck_recipients(1, 0);
    ck_recipients(2, 1);
}
END_TEST

START_TEST(who_is_written_to_counts_once_though_a_job_names_the_chat_meanwhile)
{
    begin(FREE_CONF);
    leased_on(0, 1);
    send_known(0, 1, CLASS_TRANSACTIONAL);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
}
END_TEST

/* Who left a line counts where they were; of the line that was to take them nothing has reached them. */
START_TEST(who_moved_counts_on_no_line_whose_try_came_back_unbegun)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    for (int times = 0; times < 3; times++) {
        rig_forget(rig);
        struct effect job = leased();
        uint32_t line = (uint32_t)(line_of(&job) - RIG_LINE);
        ck_assert_uint_eq(rig_line(rig, line).recipients_used, 1);
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        rig_pause(rig, PAUSE_ALL, 0, 0);
        rig_answer(rig, &result);
        ck_assert_uint_eq(rig_line(rig, line).recipients_used, 0);
        rig_resume(rig, PAUSE_ALL, 0, 0);
    }
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
}
END_TEST

START_TEST(who_goes_back_to_the_line_that_they_left_counts_there_once)
{
    begin(SHORT_RAMP_CONF);
    left_line_0(1);
    told_service(SERVICE_ACTIVE);
    rig_pass(rig, 1000); /* the ramp is over */
    cordon_all_but(0, true);
    rig_forget(rig);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    ck_recipients(0, 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        whom_a_line_wrote_to_counts_there_over_a_restart_though_a_job_names_another,
        who_was_written_to_counts_on_the_line_that_it_left_though_a_job_names_another,
        who_was_moved_on_purpose_counts_once_on_each_of_both_lines,
        who_is_written_to_counts_once_though_a_job_names_the_chat_meanwhile,
        who_moved_counts_on_no_line_whose_try_came_back_unbegun,
        who_goes_back_to_the_line_that_they_left_counts_there_once,
    };
    return run_suite("core_leave_recipients", tests, sizeof tests / sizeof *tests);
}
