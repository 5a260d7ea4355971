/* core_backup_test.c — a start from a restored backup: no number and no key is given twice, what may have been sent
 * since goes out with its own key and unsettled, or waits for a person (promise P4). How it ends is told in
 * core_backup_end_test.c. */
#include <string.h>

#include "tests/unit/core_backup_rig.h"

static bool key_differs(uint64_t one, uint64_t other)
{
    uint8_t first[KEY_RANDOM_BYTES], second[KEY_RANDOM_BYTES];
    core_key_random(rig->core, one, first);
    core_key_random(rig->core, other, second);
    return memcmp(first, second, sizeof first) != 0;
}

START_TEST(numbers_go_on_far_behind_those_of_the_backup_and_keys_are_others)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t before = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint8_t key[KEY_RANDOM_BYTES], same[KEY_RANDOM_BYTES];
    core_key_random(rig->core, before, key);
    restore(HOUR_MS, 24 * HOUR_MS);
    core_key_random(rig->core, before, same);
    ck_assert_mem_eq(key, same, sizeof key);
    uint64_t after = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_assert_uint_gt(after >> 25, (before >> 25) + 1000000000);
    ck_assert(key_differs(before, after));
}
END_TEST

START_TEST(what_waited_goes_out_in_order_and_unsettled_over_another_restart_too)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t second = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_restart(rig, 1000);
    come_back();
    ck_assert(rig_view(rig, first).unsettled);
    ck_assert(rig_view(rig, second).unsettled);
    uint64_t fresh = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_assert(!rig_view(rig, fresh).unsettled);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    const struct effect *job = job_now();
    ck_assert_ptr_nonnull(job);
    struct lease_view view;
    for (size_t n = 0; (job = rig_told(rig, EFFECT_JOB, n)) != NULL; n++) {
        ck_assert(core_lease_view(rig->core, job->lease, &view));
        ck_assert_uint_ne(view.number, second);
        ck_assert(view.unsettled == (view.number == first));
    }
    ck_assert_int_eq(rig_view(rig, first).state, JOB_LEASED);
}
END_TEST

START_TEST(what_may_have_been_sent_longer_ago_than_keys_live_waits_until_it_is_settled)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t unsent = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t behind = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t sent = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    restore(2 * HOUR_MS, HOUR_MS);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_forget(rig);
    rig_pass(rig, 24 * HOUR_MS);
    ck_job(unsent, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_restart(rig, 1000);
    come_back();
    rig_pass(rig, HOUR_MS);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_job(unsent, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_job(behind, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    core_settle(rig->core, 9, unsent, false, (struct span){"{}", 2}, rig->now, &rig->out);
    core_settle(rig->core, 9, sent, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, sent).state, JOB_NONE);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY); /* it was silent that long */
    const struct effect *job = job_now();
    ck_assert_ptr_nonnull(job);
    ck_assert_uint_eq(job->number, unsent);
    struct effect copy = *job;
    rig_forget(rig);
    rig_sent(rig, &copy);
    rig_pass(rig, 60000);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0)); /* the one behind it is to be settled by itself */
    ck_job(behind, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(what_was_under_way_in_an_old_backup_is_not_tried_by_itself)
{
    begin();
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_ptr_nonnull(job_now());
    rig_forget(rig);
    restore(2 * HOUR_MS, HOUR_MS);
    rig_pass(rig, 24 * HOUR_MS);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* Its lease was out when the backup was taken. The worker, which has lived on, may since have been told DONE of it. */
static uint64_t leased_in_backup(int64_t key_life_ms, struct effect *job)
{
    begin();
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    *job = *job_now();
    rig_forget(rig);
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = key_life_ms;
    rig_restart(rig, HOUR_MS);
    return number;
}

static void is_tried_again_as_unsettled(bool again)
{
    struct effect job;
    uint64_t number = leased_in_backup(24 * HOUR_MS, &job);
    uint32_t spent = rig_line(rig, 0).messages_used;
    if (again)
        rig_restart(rig, 1000);
    come_back(); /* naming no lease */
    struct job_view view = rig_view(rig, number);
    ck_assert_int_eq(view.state, JOB_QUEUED);
    ck_assert(view.unsettled);
    ck_assert_uint_eq(view.line, RIG_LINE);
    ck_assert(again || rig_line(rig, 0).messages_used == spent);
    const struct effect *next = job_now();
    ck_assert_ptr_nonnull(next);
    struct lease_view lease;
    ck_assert(core_lease_view(rig->core, next->lease, &lease));
    ck_assert(lease.unsettled);
}

START_TEST(what_was_under_way_may_have_been_sent_though_its_worker_does_not_know_it_any_more)
{
    is_tried_again_as_unsettled(false);
}
END_TEST

START_TEST(what_was_under_way_may_have_been_sent_over_another_restart_too)
{
    is_tried_again_as_unsettled(true);
}
END_TEST

/* It has not been told DONE, and goes on saying so. */
static void late_result_is_believed(bool again)
{
    struct effect job;
    uint64_t number = leased_in_backup(60000, &job);
    if (again)
        rig_restart(rig, 1000);
    come_back();
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_sent(rig, &job);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}

START_TEST(the_result_of_what_waits_for_a_person_is_believed)
{
    late_result_is_believed(false);
}
END_TEST

START_TEST(the_result_of_what_waits_for_a_person_is_believed_after_another_restart)
{
    late_result_is_believed(true);
}
END_TEST

START_TEST(when_a_conversation_was_written_to_last_is_no_other_moment_after_another_restart)
{
    begin();
    uint64_t number = send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect first = leased();
    struct core_result result = rig_result(&first, OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    int64_t out_ms = rig_view(rig, number).chat.last_out_ms;
    restore(HOUR_MS, 60000);
    ck_assert_int_eq(rig_view(rig, number).chat.last_out_ms, out_ms);
    rig_restart(rig, 1000);
    ck_assert_int_eq(rig_view(rig, number).chat.last_out_ms, out_ms);
}
END_TEST

START_TEST(what_was_not_due_yet_cannot_have_been_sent)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + 3 * HOUR_MS;
    uint64_t later = rig_enqueue(rig, &ask).number;
    ask = rig_job(2, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS + HOUR_MS / 2;
    uint64_t since = rig_enqueue(rig, &ask).number;
    rig_pause(rig, PAUSE_ALL, 0, 0);
    restore(2 * HOUR_MS, HOUR_MS);
    ck_job(later, JOB_SCHEDULED, REASON_NOT_YET_DUE);
    ck_assert(!rig_view(rig, later).unsettled);
    rig_tick(rig);
    ck_assert(rig_view(rig, since).unsettled); /* within the life of its key: it goes out with it */
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_tick(rig);
    ck_assert_int_eq(rig_view(rig, since).state, JOB_LEASED);
}
END_TEST

START_TEST(what_fell_due_and_expired_while_the_store_was_away_ends_as_unknown)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    ask.expires_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t number = accepted(&ask);
    restore(3 * HOUR_MS, 24 * HOUR_MS);
    rig_pass(rig, 1000);
    ck_assert_int_eq(end_of(number).state, JOB_FAILED);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(what_fell_due_while_the_store_was_away_can_be_settled_before_anything_else)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t sent = accepted(&ask);
    ask = rig_job(2, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t echoed = accepted(&ask);
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = 24 * HOUR_MS;
    rig_restart(rig, 2 * HOUR_MS);
    core_settle(rig->core, 9, sent, true, (struct span){"{}", 2}, rig->now, &rig->out);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = echoed, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(sent).state, JOB_SENT);
    ck_assert_int_eq(end_of(echoed).state, JOB_SENT);
}
END_TEST

/* The second of three to be accepted fell due first, and the third waited already. */
static void fall_due_in_order(int64_t key_life_ms)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t last = accepted(&ask);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t middle = accepted(&ask);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(4 * HOUR_MS, key_life_ms);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    const uint64_t order[] = {first, middle, last};
    for (size_t i = 0; i < 3; i++) {
        if (key_life_ms < HOUR_MS)
            core_settle(rig->core, 9, order[i], false, (struct span){"{}", 2}, rig->now, &rig->out);
        rig_keep(rig);
        ck_assert_uint_eq(next_sent(), order[i]);
    }
}

START_TEST(what_fell_due_while_the_store_was_away_goes_out_in_that_order)
{
    fall_due_in_order(24 * HOUR_MS);
}
END_TEST

START_TEST(what_waits_for_a_person_stands_in_the_order_in_which_it_fell_due)
{
    fall_due_in_order(60000);
}
END_TEST

START_TEST(a_clock_that_is_behind_the_backup_makes_nothing_sure)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig->options.backup_ms = rig->now.wall_ms + HOUR_MS; /* the clock of the machine that it was taken on */
    rig->options.key_life_ms = 24 * HOUR_MS;
    rig_restart(rig, 1000);
    come_back();
    ck_assert(rig_view(rig, waits).unsettled);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        numbers_go_on_far_behind_those_of_the_backup_and_keys_are_others,
        what_waited_goes_out_in_order_and_unsettled_over_another_restart_too,
        what_may_have_been_sent_longer_ago_than_keys_live_waits_until_it_is_settled,
        what_was_under_way_in_an_old_backup_is_not_tried_by_itself,
        what_was_under_way_may_have_been_sent_though_its_worker_does_not_know_it_any_more,
        what_was_under_way_may_have_been_sent_over_another_restart_too,
        the_result_of_what_waits_for_a_person_is_believed,
        the_result_of_what_waits_for_a_person_is_believed_after_another_restart,
        when_a_conversation_was_written_to_last_is_no_other_moment_after_another_restart,
        what_was_not_due_yet_cannot_have_been_sent,
        what_fell_due_and_expired_while_the_store_was_away_ends_as_unknown,
        what_fell_due_while_the_store_was_away_can_be_settled_before_anything_else,
        what_fell_due_while_the_store_was_away_goes_out_in_that_order,
        what_waits_for_a_person_stands_in_the_order_in_which_it_fell_due,
        a_clock_that_is_behind_the_backup_makes_nothing_sure,
    };
    return run_suite("core_backup", tests, sizeof tests / sizeof *tests);
}
