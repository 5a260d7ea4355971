/* Timings: each thing is counted once, in the bucket of how long it took, and only what was seen from its beginning.
 */
#include "broker/edge/timings.h"


#include "tests/support/suite.h"

static struct timings *timings;

static void setup(void)
{
    timings = timings_new();
    ck_assert_ptr_nonnull(timings);
}

static void teardown(void)
{
    timings_free(&timings);
}

/* The bound of the one bucket that has something, 0: of none or more than one; -1: beyond all bounds. */
static int64_t bucket_of(const struct histogram *histogram)
{
    int64_t found = 0;
    for (size_t i = 0; i <= histogram->bounds->count; i++) {
        if (histogram->counts[i] == 0)
            continue;
        if (found != 0)
            return 0;
        found = i == histogram->bounds->count ? -1 : histogram->bounds->us[i];
    }
    return found;
}

START_TEST(a_sample_is_in_the_first_bucket_whose_bound_is_not_below_it)
{
    static const struct {
        int64_t us, bound;
    } samples[] = {{-5, 100},    {0, 100},      {100, 100},           {101, 250},
                   {5000, 5000}, {5001, 10000}, {10000000, 10000000}, {10000001, -1}};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct histogram histogram = {.bounds = &histogram_disk};
        histogram_add(&histogram, samples[i].us, 3);
        ck_assert_int_eq(bucket_of(&histogram), samples[i].bound);
        ck_assert_uint_eq(histogram_count(&histogram), 3);
        ck_assert_uint_eq(histogram.sum_us, samples[i].us < 0 ? 0 : 3 * (uint64_t)samples[i].us);
    }
}
END_TEST

START_TEST(bounds_rise)
{
    const struct histogram_bounds *all[] = {&histogram_disk, &histogram_provider, &histogram_queue};
    for (size_t a = 0; a < 3; a++) {
        ck_assert_uint_le(all[a]->count, HISTOGRAM_BOUNDS_MAX);
        for (size_t i = 1; i < all[a]->count; i++)
            ck_assert_int_lt(all[a]->us[i - 1], all[a]->us[i]);
    }
}
END_TEST

START_TEST(jobs_are_counted_when_their_commit_is_durable_and_not_before)
{
    const struct histogram *enqueue = &timings_read(timings)->enqueue;
    timings_turn(timings, 1000);
    timings_accepted(timings);
    timings_accepted(timings);
    timings_submitted(timings, 7);
    timings_turn(timings, 2000);
    timings_accepted(timings);
    timings_submitted(timings, 8);
    timings_durable(timings, 6);
    ck_assert_uint_eq(histogram_count(enqueue), 0);
    timings_turn(timings, 5000); /* the first two took 4 ms */
    timings_durable(timings, 7);
    ck_assert_uint_eq(histogram_count(enqueue), 2);
    ck_assert_int_eq(bucket_of(enqueue), 5000);
    ck_assert_uint_eq(enqueue->sum_us, 8000);
    timings_durable(timings, 8);
    timings_durable(timings, 8);
    ck_assert_uint_eq(histogram_count(enqueue), 3);
}
END_TEST

START_TEST(a_turn_without_jobs_counts_nothing)
{
    timings_submitted(timings, 7);
    timings_durable(timings, 9);
    ck_assert_uint_eq(histogram_count(&timings_read(timings)->enqueue), 0);
}
END_TEST

START_TEST(more_commits_than_there_is_room_for_are_still_counted)
{
    for (uint64_t commit = 1; commit <= 5000; commit++) {
        timings_accepted(timings);
        timings_submitted(timings, commit);
    }
    timings_durable(timings, 5000);
    ck_assert_uint_eq(histogram_count(&timings_read(timings)->enqueue), 5000);
}
END_TEST

static void result(uint64_t lease, enum outcome outcome, bool unknown)
{
    const struct core_result result = {.lease = lease, .outcome = outcome, .unknown = unknown};
    timings_result(timings, &result);
}

START_TEST(a_result_is_counted_once_under_its_outcome)
{
    const struct timings_read *read = timings_read(timings);
    timings_turn(timings, 0);
    for (uint64_t lease = 1; lease <= 5; lease++)
        timings_leased(timings, lease, -1);
    timings_turn(timings, 80000);
    result(1, OUTCOME_SENT, false);
    result(1, OUTCOME_SENT, false); /* sent again until DONE */
    result(2, OUTCOME_RETRY, false);
    result(3, OUTCOME_RETRY, true);
    result(4, OUTCOME_REJECTED, false);
    result(5, OUTCOME_RETURNED, false);
    result(99, OUTCOME_SENT, false); /* of an earlier start */
    for (enum timed_outcome outcome = 0; outcome < TIMED_OUTCOMES; outcome++) {
        ck_assert_uint_eq(histogram_count(&read->result[outcome]), 1);
        ck_assert_int_eq(bucket_of(&read->result[outcome]), 100000);
    }
    ck_assert_uint_eq(histogram_count(&read->wait), 0);
}
END_TEST

START_TEST(a_newer_lease_in_the_place_of_an_older_one_is_not_mistaken_for_it)
{
    const uint64_t one = 5, other = 5 + ((uint64_t)1 << 20);
    timings_leased(timings, one, 0);
    timings_leased(timings, other, 0);
    result(one, OUTCOME_SENT, false);
    ck_assert_uint_eq(histogram_count(&timings_read(timings)->result[TIMED_SENT]), 0);
    result(other, OUTCOME_SENT, false);
    ck_assert_uint_eq(histogram_count(&timings_read(timings)->result[TIMED_SENT]), 1);
}
END_TEST

START_TEST(only_a_first_lease_says_how_long_its_job_waited)
{
    timings_leased(timings, 1, 90000);
    timings_leased(timings, 2, -1);
    ck_assert_uint_eq(histogram_count(&timings_read(timings)->wait), 1);
    ck_assert_int_eq(bucket_of(&timings_read(timings)->wait), 300000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timings");
    TCase *tests = tcase_create("timings");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_sample_is_in_the_first_bucket_whose_bound_is_not_below_it);
    tcase_add_test(tests, bounds_rise);
    tcase_add_test(tests, jobs_are_counted_when_their_commit_is_durable_and_not_before);
    tcase_add_test(tests, a_turn_without_jobs_counts_nothing);
    tcase_add_test(tests, more_commits_than_there_is_room_for_are_still_counted);
    tcase_add_test(tests, a_result_is_counted_once_under_its_outcome);
    tcase_add_test(tests, a_newer_lease_in_the_place_of_an_older_one_is_not_mistaken_for_it);
    tcase_add_test(tests, only_a_first_lease_says_how_long_its_job_waited);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
