/* What an echoed BEAT proves, and for how long. */
#include "workers/beats.h"


#include "tests/support/suite.h"

#define HEARTBEAT 1000

static struct beats beats;

static void start(void)
{
    beats = (struct beats){.heartbeat_ms = HEARTBEAT, .number = 1};
    beats_restart(&beats, 10000, 10000);
}

START_TEST(an_answered_ready_is_as_good_as_an_echo)
{
    ck_assert(beats_are_fresh(&beats, 10000 + 3 * HEARTBEAT - 1));
    ck_assert(!beats_are_fresh(&beats, 10000 + 3 * HEARTBEAT));
}
END_TEST

START_TEST(an_echo_proves_the_moment_its_beat_was_sent)
{
    beats_sent(&beats, true, 11000);
    beats_sent(&beats, true, 12000);
    beats_echoed(&beats, "1"); /* whenever it comes */
    ck_assert(beats_are_fresh(&beats, 13999));
    ck_assert(!beats_are_fresh(&beats, 14000));
    beats_echoed(&beats, "2");
    ck_assert(beats_are_fresh(&beats, 14999));
}
END_TEST

START_TEST(an_older_echo_after_a_newer_one_takes_nothing_back)
{
    beats_sent(&beats, true, 11000);
    beats_sent(&beats, true, 12000);
    beats_echoed(&beats, "2");
    beats_echoed(&beats, "1");
    ck_assert(beats_are_fresh(&beats, 14999));
}
END_TEST

START_TEST(what_was_never_sent_or_is_no_number_proves_nothing)
{
    static const char *const bad[] = {"", "0", "2", "-1", " 1", "1x", "0x1", "18446744073709551617", "99"};
    beats_sent(&beats, true, 13000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        beats_echoed(&beats, bad[i]);
    ck_assert(!beats_are_fresh(&beats, 13000));
    beats_echoed(&beats, "1");
    ck_assert(beats_are_fresh(&beats, 13000));
}
END_TEST

START_TEST(an_echo_of_a_beat_no_longer_kept_is_not_taken_for_a_newer_one)
{
    for (int i = 0; i < BEATS_KEPT + 1; i++)
        beats_sent(&beats, true, 20000 + i);
    beats_echoed(&beats, "1"); /* its place holds another's time now */
    ck_assert(!beats_are_fresh(&beats, 20000));
    beats_echoed(&beats, "2");
    ck_assert(beats_are_fresh(&beats, 20000));
}
END_TEST

START_TEST(a_beat_that_could_not_go_out_keeps_its_number)
{
    char number[BEAT_TEXT_MAX];
    beats_sent(&beats, false, 11000);
    ck_assert_int_eq(beats.next_mono_ms, 12000);
    beats_number(&beats, number);
    ck_assert_str_eq(number, "1");
    beats_echoed(&beats, "1");
    ck_assert(!beats_are_fresh(&beats, 13000));
}
END_TEST

START_TEST(after_a_stop_only_a_beat_sent_since_proves_anything)
{
    beats_sent(&beats, true, 10100);
    beats_doubt(&beats, 10200);
    ck_assert(!beats_are_fresh(&beats, 10200));
    ck_assert_int_eq(beats.next_mono_ms, 10200);
    beats_echoed(&beats, "1"); /* from before the stop */
    ck_assert(!beats_are_fresh(&beats, 10200));
    beats_sent(&beats, true, 10201);
    beats_echoed(&beats, "2");
    ck_assert(beats_are_fresh(&beats, 10202));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_beats");
    TCase *tests = tcase_create("beats");
    tcase_add_checked_fixture(tests, start, NULL);
    tcase_add_test(tests, an_answered_ready_is_as_good_as_an_echo);
    tcase_add_test(tests, an_echo_proves_the_moment_its_beat_was_sent);
    tcase_add_test(tests, an_older_echo_after_a_newer_one_takes_nothing_back);
    tcase_add_test(tests, what_was_never_sent_or_is_no_number_proves_nothing);
    tcase_add_test(tests, an_echo_of_a_beat_no_longer_kept_is_not_taken_for_a_newer_one);
    tcase_add_test(tests, a_beat_that_could_not_go_out_keeps_its_number);
    tcase_add_test(tests, after_a_stop_only_a_beat_sent_since_proves_anything);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
