/* The queue of one pool's outcomes: order per job, back-off by a fixed clock, and what a dead target costs. */
#include "broker/edge/outcome_queue.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static struct outcome_queue queue;

static void setup(void)
{
    outcome_queue_init(&queue, 4, 7);
}

static void teardown(void)
{
    outcome_queue_clear(&queue);
}

static void add(uint64_t seq, uint64_t job)
{
    outcome_queue_add(&queue, seq, job, strdup("{}"), 2, 1000 + (int64_t)seq);
}

/* The seq of the event to be posted now; 0: none. */
static uint64_t post(int64_t now_ms)
{
    const struct outcome_event *event = outcome_queue_next(&queue, now_ms);
    return event == NULL ? 0 : event->seq;
}

static void take(uint64_t seq)
{
    ck_assert(outcome_queue_confirmed(&queue, seq));
}

static void refuse(uint64_t seq, int64_t now_ms)
{
    ck_assert(outcome_queue_failed(&queue, seq, 500, 0, now_ms));
}

START_TEST(a_jobs_next_event_waits_until_the_one_before_is_confirmed)
{
    add(1, 10);
    add(2, 10);
    add(3, 20);
    add(4, 10);
    ck_assert_uint_eq(post(0), 1);
    ck_assert_uint_eq(post(0), 3);
    ck_assert_uint_eq(post(0), 0);
    take(3);
    ck_assert_uint_eq(post(0), 0);
    take(1);
    ck_assert_uint_eq(post(0), 2);
    ck_assert_uint_eq(post(0), 0);
    refuse(2, 0);
    ck_assert_uint_eq(post(0), 0);
    ck_assert_uint_eq(post(OUTCOME_BASE_MS), 2);
    take(2);
    ck_assert_uint_eq(post(OUTCOME_BASE_MS), 4);
    take(4);
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(a_pools_own_events_keep_their_order_too)
{
    add(1, 0);
    add(2, 0);
    ck_assert_uint_eq(post(0), 1);
    ck_assert_uint_eq(post(0), 0);
    take(1);
    ck_assert_uint_eq(post(0), 2);
}
END_TEST

START_TEST(an_event_that_fails_waits_and_the_others_go_on)
{
    add(1, 10);
    ck_assert_uint_eq(post(0), 1);
    refuse(1, 0);
    for (uint64_t seq = 2; seq < 50; seq++) {
        add(seq, seq * 10);
        ck_assert_uint_eq(post(0), seq);
        take(seq);
    }
    ck_assert_int_ge(outcome_queue_due_ms(&queue, 0), OUTCOME_BASE_MS / 2);
    ck_assert_int_le(outcome_queue_due_ms(&queue, 0), OUTCOME_BASE_MS);
}
END_TEST

START_TEST(waits_double_up_to_an_hour_half_of_them_by_chance)
{
    int64_t now_ms = 0, whole = OUTCOME_BASE_MS, least = INT64_MAX, most = 0;
    add(1, 10);
    for (int tries = 1; tries < 60; tries++) {
        ck_assert_uint_eq(post(now_ms), 1);
        refuse(1, now_ms);
        int64_t wait = outcome_queue_due_ms(&queue, now_ms) - now_ms;
        ck_assert_int_ge(wait, whole / 2);
        ck_assert_int_le(wait, whole);
        ck_assert_uint_eq(post(now_ms + wait - 1), 0);
        now_ms += wait;
        whole = whole * 2 > OUTCOME_EVENT_CAP_MS ? OUTCOME_EVENT_CAP_MS : whole * 2;
        if (whole == OUTCOME_EVENT_CAP_MS && tries > 13) {
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
    }
    ck_assert_int_lt(least, OUTCOME_EVENT_CAP_MS * 6 / 10); /* it is spread, not one value */
    ck_assert_int_gt(most, OUTCOME_EVENT_CAP_MS * 9 / 10);
}
END_TEST

/* So many as it may have at once are answered with failures at the same moment. */
static void bring_down(int64_t now_ms)
{
    uint64_t seqs[4];
    for (int i = 0; i < 4; i++)
        ck_assert_uint_ne(seqs[i] = post(now_ms), 0);
    ck_assert_uint_eq(post(now_ms), 0); /* bounded */
    for (int i = 0; i < 4; i++)
        refuse(seqs[i], now_ms);
    ck_assert(outcome_queue_is_down(&queue));
}

START_TEST(a_target_that_is_down_is_tried_with_one_event_at_a_time_another_each_time)
{
    for (uint64_t seq = 1; seq <= 6; seq++)
        add(seq, seq);
    bring_down(0);
    ck_assert_uint_eq(queue.rest_count, 1); /* what failed together is one failure of the target */
    int64_t now_ms = outcome_queue_due_ms(&queue, 0);
    ck_assert_int_gt(now_ms, 0);
    ck_assert_uint_eq(post(now_ms - 1), 0);
    ck_assert_uint_eq(post(now_ms), 5); /* never tried yet */
    ck_assert_uint_eq(post(now_ms), 0);
    refuse(5, now_ms);
    int64_t later_ms = outcome_queue_due_ms(&queue, now_ms);
    ck_assert_int_ge(later_ms - now_ms, OUTCOME_BASE_MS);
    for (int i = 0; i < 20; i++) {
        uint64_t seq = post(later_ms);
        ck_assert_uint_eq(seq, i == 0 ? 6 : seq);
        refuse(seq, later_ms);
        later_ms = outcome_queue_due_ms(&queue, later_ms);
    }
    uint64_t taken = post(later_ms);
    take(taken);
    ck_assert(!outcome_queue_is_down(&queue));
    for (int i = 0; i < 4; i++)
        ck_assert_uint_ne(post(later_ms), 0); /* at once, as many as may: it was not their fault */
}
END_TEST

START_TEST(a_dead_target_is_asked_every_five_minutes_at_last_and_no_more_often)
{
    int64_t now_ms = 0, begun_ms = 0;
    unsigned tries = 0;
    for (uint64_t seq = 1; seq <= 4; seq++)
        add(seq, seq);
    bring_down(0);
    for (int i = 0; i < 200; i++) {
        now_ms = outcome_queue_due_ms(&queue, now_ms);
        uint64_t seq = post(now_ms);
        ck_assert_uint_ne(seq, 0);
        refuse(seq, now_ms);
        if (i == 20)
            begun_ms = now_ms;
        tries += i > 20;
    }
    int64_t mean = (now_ms - begun_ms) / tries;
    ck_assert_int_ge(mean, OUTCOME_TARGET_CAP_MS / 2);
    ck_assert_int_le(mean, OUTCOME_TARGET_CAP_MS);
}
END_TEST

START_TEST(a_retry_after_is_kept_by_all_and_cut_to_an_hour)
{
    add(1, 1);
    add(2, 2);
    ck_assert_uint_eq(post(0), 1);
    ck_assert(outcome_queue_failed(&queue, 1, 429, 30000, 0));
    ck_assert_uint_eq(post(29999), 0);
    ck_assert_int_eq(outcome_queue_due_ms(&queue, 0), 30000);
    ck_assert_uint_ne(post(30000), 0);
    outcome_queue_lost(&queue);
    ck_assert_uint_ne(post(30000), 0);
    ck_assert(outcome_queue_failed(&queue, queue.events[0].in_flight ? 1 : 2, 503, INT64_MAX, 30000));
    ck_assert_uint_eq(post(30000 + OUTCOME_EVENT_CAP_MS - 1), 0);
    ck_assert_uint_ne(post(30000 + OUTCOME_EVENT_CAP_MS), 0);
}
END_TEST

START_TEST(a_target_that_says_gone_is_asked_again_in_an_hour_or_when_told)
{
    add(1, 1);
    add(2, 2);
    ck_assert_uint_eq(post(0), 1);
    ck_assert(outcome_queue_failed(&queue, 1, 410, 0, 0));
    ck_assert(outcome_queue_is_down(&queue));
    ck_assert_uint_eq(post(OUTCOME_EVENT_CAP_MS - 1), 0);
    outcome_queue_try_now(&queue);
    ck_assert(!outcome_queue_is_down(&queue));
    ck_assert_uint_eq(post(5), 1);
    take(1);
    ck_assert_uint_eq(post(5), 2);
}
END_TEST

/* What was begun before that says nothing of what the target says since. */
START_TEST(gone_stays_its_word_though_one_begun_before_fails_otherwise_afterwards)
{
    for (uint64_t seq = 1; seq <= 4; seq++)
        add(seq, seq);
    ck_assert_uint_eq(post(0), 1);
    ck_assert_uint_eq(post(0), 2);
    ck_assert(outcome_queue_failed(&queue, 1, 410, 0, 0));
    refuse(2, 100);
    ck_assert(outcome_queue_is_down(&queue));
    ck_assert_uint_eq(post(OUTCOME_EVENT_CAP_MS - 1), 0);
    ck_assert_uint_eq(post(OUTCOME_EVENT_CAP_MS), 3);
    ck_assert_uint_eq(post(OUTCOME_EVENT_CAP_MS), 0); /* one at a time */
    refuse(3, OUTCOME_EVENT_CAP_MS);                  /* a new word: it is there again, though it fails */
    ck_assert(!queue.gone);
}
END_TEST

START_TEST(what_was_under_way_when_the_poster_died_is_posted_again)
{
    add(1, 1);
    add(2, 1);
    ck_assert_uint_eq(post(0), 1);
    outcome_queue_lost(&queue);
    ck_assert(!outcome_queue_confirmed(&queue, 1)); /* a late word of the dead one */
    ck_assert_uint_eq(post(0), 1);
    ck_assert_uint_eq(queue.in_flight, 1);
    take(1);
    ck_assert_uint_eq(post(0), 2);
}
END_TEST

START_TEST(after_a_restart_nothing_goes_before_all_of_the_window_was_read_again)
{
    for (uint64_t seq = 1; seq <= 4; seq++)
        outcome_queue_add(&queue, seq, 0, NULL, 0, 0);
    ck_assert_uint_eq(post(0), 0);
    ck_assert_int_eq(outcome_queue_due_ms(&queue, 0), INT64_MAX);
    ck_assert_uint_eq(outcome_queue_unread(&queue)->seq, 1);
    outcome_queue_read(&queue, 1, 10, strdup("{}"), 2, 5);
    outcome_queue_read(&queue, 1, 11, strdup("{}"), 2, 5); /* twice: the first counts */
    outcome_queue_read(&queue, 2, 0, NULL, 0, 0);          /* no longer kept */
    ck_assert_uint_eq(queue.count, 3);
    outcome_queue_read(&queue, 4, 10, strdup("{}"), 2, 5);
    ck_assert_uint_eq(post(0), 0);
    outcome_queue_read(&queue, 3, 20, strdup("{}"), 2, 5);
    ck_assert_uint_eq(post(0), 1);
    ck_assert_uint_eq(post(0), 3);
    ck_assert_uint_eq(post(0), 0); /* 4 is of 1's job */
    take(1);
    ck_assert_uint_eq(post(0), 4);
}
END_TEST

START_TEST(what_is_not_under_way_cannot_be_confirmed_nor_fail)
{
    add(1, 1);
    ck_assert(!outcome_queue_confirmed(&queue, 1));
    ck_assert(!outcome_queue_failed(&queue, 1, 500, 0, 0));
    ck_assert(!outcome_queue_confirmed(&queue, 9));
    ck_assert_uint_eq(post(0), 1);
    take(1);
    ck_assert(!outcome_queue_confirmed(&queue, 1));
}
END_TEST

START_TEST(one_event_that_is_never_taken_stops_only_its_job_however_many_follow)
{
    uint64_t confirmed = 0, seq = 1;
    int64_t now_ms = 0;
    add(seq++, 1);
    while (confirmed < 10000) {
        while (outcome_queue_room(&queue) > 0 && seq % 10 != 0)
            add(seq, seq + 1), seq++;
        seq++;
        for (uint64_t at; (at = post(now_ms)) != 0;) {
            if (at == 1)
                refuse(1, now_ms);
            else
                take(at), confirmed++;
        }
        now_ms += 1000;
    }
    ck_assert_uint_ge(outcome_queue_room(&queue), OUTCOME_WINDOW - 12);
    ck_assert_int_gt(queue.events[0].due_mono_ms - now_ms, -OUTCOME_EVENT_CAP_MS);
}
END_TEST

/* Any target, any deaths: of a job's events no later one is confirmed before an earlier one, never two are under way,
 * and once the target takes all, all get there. */
START_TEST(order_holds_whatever_happens)
{
    uint64_t last_of_job[8] = {0}, seq = 1, random = (uint64_t)_i * 977 + 1;
    int64_t now_ms = 0;
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned what = (unsigned)(random >> 33) % 100;
        bool ends = step > 15000;
        if (what < 30 && outcome_queue_room(&queue) > 0 && !ends) {
            add(seq++, random >> 50 & 7);
        } else if (what < 60) {
            outcome_queue_next(&queue, now_ms);
        } else if (what < 62) {
            outcome_queue_lost(&queue);
        } else if (what < 70) {
            now_ms += (int64_t)(random >> 40 & 0xffff);
        } else {
            size_t at = 0;
            for (size_t n = (size_t)(random >> 40) & 3; at < queue.count; at++)
                if (queue.events[at].in_flight && (n == 0 || n-- >= queue.in_flight))
                    break;
            if (at == queue.count)
                continue;
            struct outcome_event event = queue.events[at];
            size_t beside = 0; /* counted first: each assertion costs a call of the system */
            for (size_t i = 0; i < queue.count; i++)
                beside += i != at && queue.events[i].in_flight && queue.events[i].job == event.job;
            ck_assert_uint_eq(beside, 0);
            if (what < 85 && !ends) {
                ck_assert(
                    outcome_queue_failed(&queue, event.seq, what == 84 ? 410 : 500, what == 83 ? 5000 : 0, now_ms));
                continue;
            }
            take(event.seq);
            ck_assert_uint_lt(last_of_job[event.job], event.seq);
            last_of_job[event.job] = event.seq;
        }
        ck_assert_uint_le(queue.in_flight, 4);
    }
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcome_queue");
    TCase *tests = tcase_create("outcome_queue");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_jobs_next_event_waits_until_the_one_before_is_confirmed);
    tcase_add_test(tests, a_pools_own_events_keep_their_order_too);
    tcase_add_test(tests, an_event_that_fails_waits_and_the_others_go_on);
    tcase_add_test(tests, waits_double_up_to_an_hour_half_of_them_by_chance);
    tcase_add_test(tests, a_target_that_is_down_is_tried_with_one_event_at_a_time_another_each_time);
    tcase_add_test(tests, a_dead_target_is_asked_every_five_minutes_at_last_and_no_more_often);
    tcase_add_test(tests, a_retry_after_is_kept_by_all_and_cut_to_an_hour);
    tcase_add_test(tests, a_target_that_says_gone_is_asked_again_in_an_hour_or_when_told);
    tcase_add_test(tests, gone_stays_its_word_though_one_begun_before_fails_otherwise_afterwards);
    tcase_add_test(tests, what_was_under_way_when_the_poster_died_is_posted_again);
    tcase_add_test(tests, after_a_restart_nothing_goes_before_all_of_the_window_was_read_again);
    tcase_add_test(tests, what_is_not_under_way_cannot_be_confirmed_nor_fail);
    tcase_add_test(tests, one_event_that_is_never_taken_stops_only_its_job_however_many_follow);
    tcase_add_loop_test(tests, order_holds_whatever_happens, 0, 20);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
