/* feed_skew_test.c — what the Date of an answer proves. */
#include "broker/feed/feed_skew.h"

#include <stdlib.h>

#include "tests/support/suite.h"

#define WALL_MS INT64_C(1795428000000)
#define GAP_MS  30000

static struct feed_skew skew;
static struct instant now;
static int64_t theirs_ms; /* their clock minus our wall clock, in truth */

static void setup(void)
{
    skew = (struct feed_skew){0};
    now = (struct instant){WALL_MS, 5000000};
    theirs_ms = 0;
}

static void pass(int64_t ms)
{
    now.wall_ms += ms;
    now.mono_ms += ms;
}

/* A poll that takes `took_ms`, whose answer was made `age_ms` before its request. */
static bool poll_once(int64_t took_ms, int64_t age_ms, int64_t *skew_ms)
{
    int64_t seen = 0;
    struct instant begun = now;
    int64_t date_ms = (begun.wall_ms + theirs_ms - age_ms) / 1000 * 1000;
    pass(took_ms);
    return feed_skew_observe(&skew, date_ms, begun, now, skew_ms == NULL ? &seen : skew_ms);
}

START_TEST(fresh_answers_are_never_called_cached)
{
    static const int64_t skews_ms[] = {0, 86400000, -86400000, 1234};
    for (int s = 0; s < 4; s++) {
        setup();
        theirs_ms = skews_ms[s];
        for (int i = 0; i < 200; i++) {
            ck_assert(!poll_once(i * 97 % 9000, 0, NULL));
            pass(GAP_MS + i * 13);
        }
    }
}
END_TEST

START_TEST(an_answer_made_before_its_request_is_called_cached)
{
    ck_assert(!poll_once(50, 0, NULL));
    pass(GAP_MS);
    ck_assert(poll_once(50, GAP_MS, NULL));
    pass(GAP_MS);
    ck_assert(!poll_once(50, 0, NULL));
}
END_TEST

START_TEST(the_same_old_answer_stays_cached_however_often_it_comes)
{
    ck_assert(!poll_once(50, 0, NULL));
    for (int i = 1; i <= 3 * SKEW_KEPT; i++) {
        pass(GAP_MS);
        ck_assert_msg(poll_once(0, 50 + (int64_t)i * GAP_MS, NULL), "poll %d", i);
    }
}
END_TEST

START_TEST(the_skew_is_told_within_the_second)
{
    int64_t seen = 0;
    theirs_ms = -7200123;
    poll_once(80, 0, &seen);
    ck_assert_int_le(llabs(seen - theirs_ms), 1000);
}
END_TEST

START_TEST(a_step_of_our_wall_clock_makes_no_answer_old)
{
    int64_t seen = 0;
    ck_assert(!poll_once(50, 0, NULL));
    now.wall_ms += 3600000;
    theirs_ms = -3600000;
    pass(GAP_MS);
    ck_assert(!poll_once(50, 0, &seen));
    ck_assert_int_le(llabs(seen - theirs_ms), 1000);
}
END_TEST

START_TEST(a_step_of_their_clock_back_is_forgotten_after_a_while)
{
    ck_assert(!poll_once(50, 0, NULL));
    theirs_ms = -3600000;
    bool cached = true;
    int polls = 0;
    for (; cached && polls <= 2 * SKEW_KEPT; polls++) {
        pass(GAP_MS);
        cached = poll_once(50, 0, NULL);
    }
    ck_assert(!cached);
    ck_assert_int_eq(polls, SKEW_KEPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_skew");
    TCase *tests = tcase_create("skew");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, fresh_answers_are_never_called_cached);
    tcase_add_test(tests, an_answer_made_before_its_request_is_called_cached);
    tcase_add_test(tests, the_same_old_answer_stays_cached_however_often_it_comes);
    tcase_add_test(tests, the_skew_is_told_within_the_second);
    tcase_add_test(tests, a_step_of_our_wall_clock_makes_no_answer_old);
    tcase_add_test(tests, a_step_of_their_clock_back_is_forgotten_after_a_while);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
