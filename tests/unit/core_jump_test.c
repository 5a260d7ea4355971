/* core_jump_test.c — the wall clock was a year ahead for a while and is right again: nothing waits a year for it, and
 * what was spent stays spent. The simulation found it (docs/reliability.md). */
#include "broker/core/core_views.h"
#include "tests/unit/core_jump_rig.h"

#define CONF POLICY_CONF("pace_per_min: 0, ramp_step_ms: 1000, retry_base_ms: 1000, retry_cap_ms: 20000, cadence_ms: [5000]")

static void begin_ahead(const char *conf)
{
    begin_with(conf, 1);
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
}

static const struct effect *last_job(void)
{
    size_t jobs = rig_count(rig, EFFECT_JOB);
    ck_assert_uint_gt(jobs, 0);
    return rig_told(rig, EFFECT_JOB, jobs - 1);
}

START_TEST(a_ramp_begun_in_a_wrong_year_goes_on)
{
    begin_ahead(CONF);
    relapse();
    jump(-YEAR_MS);
    rig_pass(rig, 5000);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 100);
}
END_TEST

START_TEST(over_a_restart_too)
{
    begin_ahead(CONF);
    relapse();
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_pass(rig, 5000);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 100);
}
END_TEST

/* Found by the simulation, seed 70505: nothing was heard, sent or opened in that year, but a step of the ramp ended. */
START_TEST(over_a_restart_too_if_only_a_step_of_it_is_of_that_year)
{
    begin_with(CONF, 1);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    relapse();
    uint32_t percent = rig_line(rig, 0).ramp_percent;
    jump(YEAR_MS);
    rig_pass(rig, 1000);
    ck_assert_uint_gt(rig_line(rig, 0).ramp_percent, percent);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    ck_assert_uint_lt(rig_line(rig, 0).ramp_percent, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_pass(rig, 5000);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 100);
}
END_TEST

START_TEST(a_next_try_set_in_a_wrong_year_comes_within_the_longest_wait)
{
    begin_ahead(CONF);
    uint64_t number = rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    struct core_result failed = rig_result(last_job(), OUTCOME_RETRY);
    rig_answer(rig, &failed);
    jump(-YEAR_MS);
    rig_forget(rig);
    rig_pass(rig, 601000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_LEASED);
}
END_TEST

START_TEST(the_cadence_counts_from_now_for_a_message_of_a_wrong_year)
{
    begin_ahead(CONF);
    rig_send(rig, 1, CLASS_CAMPAIGN);
    rig_tick(rig);
    rig_sent(rig, last_job());
    uint64_t next = rig_send(rig, 1, CLASS_CAMPAIGN);
    jump(-YEAR_MS);
    rig_pass(rig, 7000);
    ck_assert_int_eq(rig_view(rig, next).state, JOB_LEASED);
}
END_TEST

/* Found by the simulation, seed 156536: the lines are right again on the disk, conversations and next tries are not. */
START_TEST(each_restart_brings_back_what_lies_in_a_wrong_year)
{
    begin_ahead(CONF);
    uint64_t retried = rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    struct core_result failed = rig_result(last_job(), OUTCOME_RETRY);
    rig_answer(rig, &failed);
    rig_send(rig, 2, CLASS_CAMPAIGN);
    rig_tick(rig);
    rig_sent(rig, last_job());
    jump(-YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_AT_RISK);
    for (size_t i = 0, count = rig->record_count; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    for (uint32_t start = 2; start <= 3; start++) {
        rig_restart(rig, 100);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        rig_worker(rig, start, 8);
    }
    uint64_t next = rig_send(rig, 2, CLASS_CAMPAIGN);
    rig_pass(rig, 20000);
    ck_assert_int_eq(rig_view(rig, next).state, JOB_LEASED);
    rig_pass(rig, 601000);
    ck_assert_int_ne(rig_view(rig, retried).reason, REASON_RETRY_BACKOFF);
}
END_TEST

START_TEST(what_was_spent_in_a_wrong_year_stays_spent_and_what_comes_counts)
{
    begin_ahead(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 3"));
    for (uint64_t conversation = 1; conversation <= 2; conversation++) {
        rig_send(rig, conversation, CLASS_REPLY);
        rig_tick(rig);
        rig_sent(rig, last_job());
    }
    jump(-YEAR_MS);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 2);
    for (uint64_t conversation = 3; conversation <= 5; conversation++)
        rig_send(rig, conversation, CLASS_REPLY);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 3);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 3);
}
END_TEST

/* Found by the simulation, seed 1782. */
START_TEST(what_is_spent_after_the_clock_went_back_is_known_to_a_restart)
{
    begin_ahead(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 3"));
    rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    struct effect job = *last_job();
    rig_sent(rig, &job);
    jump(-YEAR_MS);
    for (uint64_t conversation = 2; conversation <= 3; conversation++) {
        rig_send(rig, conversation, CLASS_REPLY);
        rig_tick(rig);
        job = *last_job();
        rig_sent(rig, &job);
    }
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 3);
    rig_restart(rig, 1000);
    ck_assert_uint_ge(rig_line(rig, 0).fresh_used, 3);
}
END_TEST

/* Found by the simulation, seed 2347: tries after the clock had gone back hid that a conversation was still ahead. */
START_TEST(a_cadence_of_a_wrong_year_is_brought_back_by_a_restart_though_tries_came_since)
{
    begin_ahead(CONF);
    rig_send(rig, 1, CLASS_CAMPAIGN);
    rig_tick(rig);
    struct effect job = *last_job();
    rig_sent(rig, &job);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
    rig_send(rig, 2, CLASS_REPLY);
    rig_pass(rig, 1000);
    rig_restart(rig, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 3, 8);
    uint64_t next = rig_send(rig, 1, CLASS_CAMPAIGN);
    rig_pass(rig, 60000);
    ck_assert_int_eq(rig_view(rig, next).state, JOB_LEASED);
}
END_TEST

START_TEST(recipients_written_to_in_a_wrong_year_are_spent_for_an_hour_only)
{
    begin_ahead(POLICY_CONF("pace_per_min: 0, distinct_recipients_per_hour: 1"));
    rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    rig_sent(rig, last_job());
    jump(-YEAR_MS);
    uint64_t next = rig_send(rig, 2, CLASS_REPLY);
    rig_pass(rig, 1000);
    ck_job(next, JOB_QUEUED, REASON_BUDGET_RECIPIENTS);
    for (int minutes = 0; minutes < 75; minutes++) {
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        rig_pass(rig, 60000);
    }
    ck_assert_int_ne(rig_view(rig, next).reason, REASON_BUDGET_RECIPIENTS);
}
END_TEST

#define RECIPIENTS_CONF                                                                                              \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, daily_messages: 0, "                                  \
                "distinct_recipients_per_hour: 100, daily_growth_factor: 0")

static void send_to_twenty(void)
{
    for (uint64_t conversation = 1; conversation <= 20; conversation++) {
        rig_send(rig, conversation, CLASS_REPLY);
        ck_assert_uint_ne(next_sent(), 0);
    }
}

static void minutes(int count)
{
    for (int minute = 0; minute < count; minute++) {
        rig_pass(rig, 60000);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    }
}

START_TEST(recipients_who_are_written_to_again_after_a_clock_went_back_are_spent_for_an_hour)
{
    begin_with(RECIPIENTS_CONF, 1);
    rig_worker(rig, 1, 8);
    send_to_twenty();
    minutes(50);
    rig_send(rig, 100, CLASS_REPLY);
    ck_assert_uint_ne(next_sent(), 0);
    jump(-7200000);
    rig_pass(rig, 1000);
    send_to_twenty();
    minutes(30);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 21);
    minutes(45);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 0);
}
END_TEST

START_TEST(a_restart_knows_the_recipients_of_both_years)
{
    begin_with(RECIPIENTS_CONF, 1);
    rig_worker(rig, 1, 8);
    send_to_twenty();
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_send(rig, 100, CLASS_REPLY);
    ck_assert_uint_ne(next_sent(), 0);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_tick(rig);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 21);
}
END_TEST

#define PAIR_CONF                                                                                                    \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, daily_messages: 0, distinct_recipients_per_hour: 0, " \
                "pair_per_min: 5, daily_growth_factor: 0")

/* Sends to conversation 1 that go out, of as many as may go within this time, one a second. */
static unsigned sent_within(int seconds)
{
    unsigned sent = 0;
    for (int s = 0; s < seconds; s++) {
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        sent += next_sent() != 0;
        rig_pass(rig, 1000);
    }
    return sent;
}

START_TEST(the_pair_limit_counts_what_was_sent_in_a_wrong_year_and_what_comes)
{
    begin_ahead(PAIR_CONF);
    ck_assert_uint_eq(sent_within(2), 2);
    jump(-YEAR_MS);
    ck_assert_uint_eq(sent_within(30), 3);
}
END_TEST

START_TEST(the_pair_limit_holds_over_a_restart_after_a_wrong_year)
{
    begin_ahead(PAIR_CONF);
    ck_assert_uint_eq(sent_within(2), 2);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
    ck_assert_uint_le(sent_within(30), 5);
}
END_TEST

static void ck_pair_holds_over_a_restart(int in_wrong_year)
{
    begin_ahead(PAIR_CONF);
    ck_assert_uint_eq(sent_within(in_wrong_year), (unsigned)in_wrong_year);
    jump(-YEAR_MS);
    rig_pass(rig, 70000);
    ck_assert_uint_eq(sent_within(5), 5);
    rig_restart(rig, 100);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
    ck_assert_uint_eq(sent_within(30), 0);
}

START_TEST(the_pair_limit_counts_over_a_restart_what_was_sent_after_a_wrong_year)
{
    ck_pair_holds_over_a_restart(1); /* which takes no entry in the table */
    ck_pair_holds_over_a_restart(2);
}
END_TEST

#define WINDOW_CONF "store: {dedupe_window_h: 24}\n" ACCOUNT_CONF

static bool is_known(uint64_t id)
{
    struct core_enqueue job = rig_job(id, CLASS_TRANSACTIONAL);
    job.id_hash = id;
    job.content_hash = 78;
    job.expires_ms = 1;
    struct effect answer = rig_enqueue(rig, &job);
    ck_assert_int_eq(answer.code, CODE_NONE);
    return answer.duplicate;
}

static void hours(int count)
{
    for (int quarter = 0; quarter < 4 * count; quarter++) {
        rig->now.wall_ms += 900000;
        rig->now.mono_ms += 900000;
        rig_tick(rig);
    }
}

/* Twice that long: that their jobs ended by the end of the window is all that is known of them. */
static void ck_forgotten_after_their_window(void)
{
    hours(23);
    ck_assert(is_known(76));
    ck_assert(is_known(77));
    hours(50);
    ck_assert(!is_known(76));
    ck_assert(!is_known(77));
}

START_TEST(ids_of_a_wrong_year_and_from_after_it_are_forgotten_after_their_window)
{
    begin_with(WINDOW_CONF, 1);
    jump(YEAR_MS);
    ck_assert(!is_known(76));
    jump(-YEAR_MS);
    ck_assert(!is_known(77));
    ck_forgotten_after_their_window();
}
END_TEST

START_TEST(ids_of_a_wrong_year_and_from_after_it_are_forgotten_after_a_restart)
{
    begin_with(WINDOW_CONF, 1);
    jump(YEAR_MS);
    ck_assert(!is_known(76));
    jump(-YEAR_MS);
    ck_assert(!is_known(77));
    rig_restart(rig, 100);
    ck_forgotten_after_their_window();
}
END_TEST

static int64_t age_ms(uint64_t number)
{
    return rig->now.wall_ms - core_order_at_ms(rig->core, rig_view(rig, number).order);
}

static void ck_ages(uint64_t of_that_year, uint64_t since)
{
    rig_pass(rig, 600000);
    uint64_t now = rig_send(rig, 3, CLASS_TRANSACTIONAL);
    ck_assert_int_ge(age_ms(of_that_year), 720000);
    ck_assert_int_lt(age_ms(of_that_year), 860000);
    ck_assert_int_ge(age_ms(since), 600000);
    ck_assert_int_lt(age_ms(since), 740000);
    ck_assert_int_lt(age_ms(now), 60000);
}

START_TEST(the_ages_of_jobs_are_known)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    uint64_t of_that_year = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    jump(-YEAR_MS);
    rig_pass(rig, 120000);
    uint64_t since = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_ages(of_that_year, since);
}
END_TEST

START_TEST(the_ages_of_jobs_are_known_after_a_restart)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    uint64_t of_that_year = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_pass(rig, 120000);
    uint64_t since = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_ages(of_that_year, since);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_ramp_begun_in_a_wrong_year_goes_on,
        over_a_restart_too,
        over_a_restart_too_if_only_a_step_of_it_is_of_that_year,
        a_next_try_set_in_a_wrong_year_comes_within_the_longest_wait,
        the_cadence_counts_from_now_for_a_message_of_a_wrong_year,
        each_restart_brings_back_what_lies_in_a_wrong_year,
        what_was_spent_in_a_wrong_year_stays_spent_and_what_comes_counts,
        what_is_spent_after_the_clock_went_back_is_known_to_a_restart,
        a_cadence_of_a_wrong_year_is_brought_back_by_a_restart_though_tries_came_since,
        recipients_written_to_in_a_wrong_year_are_spent_for_an_hour_only,
        recipients_who_are_written_to_again_after_a_clock_went_back_are_spent_for_an_hour,
        a_restart_knows_the_recipients_of_both_years,
        the_pair_limit_counts_what_was_sent_in_a_wrong_year_and_what_comes,
        the_pair_limit_holds_over_a_restart_after_a_wrong_year,
        the_pair_limit_counts_over_a_restart_what_was_sent_after_a_wrong_year,
        ids_of_a_wrong_year_and_from_after_it_are_forgotten_after_their_window,
        ids_of_a_wrong_year_and_from_after_it_are_forgotten_after_a_restart,
        the_ages_of_jobs_are_known,
        the_ages_of_jobs_are_known_after_a_restart,
    };
    return run_suite("core_jump", tests, sizeof tests / sizeof *tests);
}
