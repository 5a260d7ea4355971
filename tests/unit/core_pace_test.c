/* How fast a line may send and how much a day: pace, factors, ramp, budgets, shares of the classes, waits between
 * tries (promise P6; DESIGN traps 5 and 8). */
#include <stdio.h>

#include "broker/core/retry.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define KNOWN UINT64_C(9) /* a conversation that lives on line 0 */

static void send_many(struct play *play, uint64_t first, unsigned count, enum job_class class)
{
    for (unsigned i = 0; i < count; i++)
        rig_send(play->rig, first + i, class);
}

/* Makes line 0 HEALTHY and the conversation KNOWN live there, then gives that one `count` jobs more. */
static void send_known(struct play *play, unsigned count)
{
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    rig_send(play->rig, KNOWN, CLASS_TRANSACTIONAL);
    play_for(play, 1);
    ck_assert_uint_eq(play->count, 1);
    for (unsigned i = 0; i < count; i++)
        rig_send(play->rig, KNOWN, CLASS_TRANSACTIONAL);
}

/* Two good polls one interval apart: proof enough for a line that was closed. */
static void prove_healthy(struct play *play)
{
    for (int poll = 0; poll < 2; poll++) {
        play_for(play, MINUTE);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    }
}

static void tell(struct play *play, enum reputation word)
{
    rig_tell(play->rig, 0, word, play->rig->now.wall_ms);
}

/* ---- pace ---- */

/* covers: key policies.pace_per_min, policies.burst */
START_TEST(no_minute_holds_more_than_the_pace_and_the_burst_and_hardly_fewer)
{
    static const unsigned paces[] = {1, 7, 30, 61, 600};
    static const unsigned bursts[] = {1, 5};
    for (size_t p = 0; p < sizeof paces / sizeof *paces; p++) {
        for (size_t b = 0; b < sizeof bursts / sizeof *bursts; b++) {
            char policy[128];
            snprintf(policy, sizeof policy,
                     "pace_per_min: %u, burst: %u, daily_messages: 0, new_conversations_per_day: 0", paces[p],
                     bursts[b]);
            struct play *play = play_policy(policy);
            int64_t start = play->rig->now.mono_ms;
            rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
            send_many(play, 100, 6 * paces[p] + 2 * bursts[b], CLASS_TRANSACTIONAL);
            play_for(play, 5 * MINUTE);
            ck_assert_uint_le(play_most(play, 0, 0, INT64_MAX, MINUTE), paces[p] + bursts[b] - 1);
            if (paces[p] > 1)
                ck_assert_uint_ge(play_count(play, 0, start, start + 5 * MINUTE), paces[p] * 5 * 9 / 10);
            play_free(&play);
        }
    }
}
END_TEST

/* covers: key policies.burst */
START_TEST(a_burst_goes_at_once_only_after_a_rest)
{
    struct play *play = play_policy("pace_per_min: 30, burst: 5, daily_messages: 0, new_conversations_per_day: 0");
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    play_for(play, HOUR);
    for (unsigned round = 0; round < 2; round++) {
        int64_t now = play->rig->now.mono_ms;
        send_many(play, 100 + 1000 * round, 6, CLASS_TRANSACTIONAL);
        play_for(play, 0);
        ck_assert_uint_eq(play_count(play, 0, now, now + 1), 5); /* an hour of rest saves up no more */
        play_for(play, HOUR);
    }
    play_free(&play);
}
END_TEST

START_TEST(gaps_differ_but_are_never_shorter_than_the_pace_says)
{
    struct play *play = play_policy("pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 0");
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    send_many(play, 100, 100, CLASS_TRANSACTIONAL);
    play_for(play, 3 * MINUTE);
    unsigned longer = 0;
    for (size_t i = 1; i < play->count; i++) {
        int64_t gap = play->sends[i].mono_ms - play->sends[i - 1].mono_ms;
        ck_assert_int_ge(gap, 2000);
        ck_assert_int_le(gap, 2202);
        longer += gap > 2020;
    }
    ck_assert_uint_ge(play->count, 80);
    ck_assert_uint_ge(longer, play->count / 2);
    play_free(&play);
}
END_TEST

/* covers: key policies.at_risk_factor */
START_TEST(an_at_risk_line_goes_on_at_its_factor)
{
    struct play *play =
        play_policy("pace_per_min: 60, at_risk_factor: 0.25, daily_messages: 0, new_conversations_per_day: 0");
    send_known(play, 300);
    tell(play, REPUTATION_AT_RISK);
    ck_assert_double_eq_tol(rig_line(play->rig, 0).pace_per_min, 15, 0.001);
    int64_t start = play->rig->now.mono_ms;
    play_for(play, 5 * MINUTE);
    ck_assert_uint_le(play_most(play, 0, start, INT64_MAX, MINUTE), 15);
    ck_assert_uint_ge(play_count(play, 0, start, INT64_MAX), 15 * 5 * 9 / 10);
    play_free(&play);
}
END_TEST

/* covers: key policies.pace_per_min */
START_TEST(a_pace_without_limit_has_factors_of_60000_a_minute)
{
    struct play *play = play_policy("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0");
    send_known(play, 0);
    ck_assert_double_eq_tol(rig_line(play->rig, 0).pace_per_min, -1, 0.001);
    for (unsigned i = 0; i < 2000; i++)
        rig_send(play->rig, KNOWN, CLASS_TRANSACTIONAL);
    int64_t start = play->rig->now.mono_ms;
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 0, start, start + 1), 2000);

    for (unsigned i = 0; i < 2000; i++)
        rig_send(play->rig, KNOWN, CLASS_TRANSACTIONAL);
    tell(play, REPUTATION_AT_RISK);
    ck_assert_double_eq_tol(rig_line(play->rig, 0).pace_per_min, 15000, 0.001);
    start = play->rig->now.mono_ms + 1;
    play_for(play, 4000);
    ck_assert_uint_le(play_most(play, 0, start, INT64_MAX, 1000), 250);
    ck_assert_uint_ge(play_count(play, 0, start, INT64_MAX), 780); /* the clock counts in ms, rounded up */
    play_free(&play);
}
END_TEST

/* ---- ramp ---- */

#define RAMP                                                                                                         \
    "pace_per_min: 120, ramp_step_ms: 300000, ramp_percent: [10, 25, 50, 100], daily_messages: 0, "                  \
    "new_conversations_per_day: 0"

/* covers: key policies.ramp_percent, policies.ramp_step_ms */
START_TEST(a_released_line_ramps_up_step_by_step)
{
    static const unsigned percent[] = {10, 25, 50, 100};
    struct play *play = play_policy(RAMP);
    send_known(play, 2000);
    tell(play, REPUTATION_CRITICAL);
    size_t before = play->count;
    prove_healthy(play);
    ck_assert_uint_eq(play->count, before); /* nothing while closed */
    for (unsigned step = 0; step < 4; step++) {
        int64_t start = play->rig->now.mono_ms;
        ck_assert_uint_eq(rig_line(play->rig, 0).ramp_percent, percent[step]);
        ck_assert_int_eq(rig_line(play->rig, 0).gate, percent[step] == 100 ? GATE_OPEN : GATE_SLOW);
        play_for(play, 5 * MINUTE);
        unsigned a_minute = 120 * percent[step] / 100;
        ck_assert_uint_le(play_most(play, 0, start, start + 5 * MINUTE, MINUTE), a_minute);
        ck_assert_uint_ge(play_count(play, 0, start, start + 5 * MINUTE), a_minute * 5 * 85 / 100);
    }
    play_free(&play);
}
END_TEST

START_TEST(a_downgrade_breaks_the_ramp_off_and_the_next_one_is_slower)
{
    struct play *play = play_policy(RAMP);
    send_known(play, 2000);
    tell(play, REPUTATION_CRITICAL);
    prove_healthy(play);
    play_for(play, 6 * MINUTE);
    ck_assert_uint_eq(rig_line(play->rig, 0).ramp_percent, 25);
    tell(play, REPUTATION_CRITICAL);
    size_t before = play->count;
    prove_healthy(play);
    ck_assert_uint_eq(play->count, before);
    play_for(play, 10 * MINUTE - 1);
    ck_assert_uint_eq(rig_line(play->rig, 0).ramp_percent, 10);
    play_for(play, 1);
    ck_assert_uint_eq(rig_line(play->rig, 0).ramp_percent, 25);
    play_free(&play);
}
END_TEST

/* ---- budgets ---- */

/* covers: key policies.daily_messages; reason budget_daily */
START_TEST(no_day_holds_more_messages_than_the_daily_budget)
{
    struct play *play = play_policy("pace_per_min: 0, daily_messages: 20, new_conversations_per_day: 0");
    send_known(play, 0);
    for (unsigned slot = 0; slot < 20; slot++) {
        for (unsigned i = 0; i < 4; i++)
            rig_send(play->rig, KNOWN, CLASS_REPLY);
        play_for(play, 170 * MINUTE); /* 56 hours in all */
        ck_assert_uint_le(rig_line(play->rig, 0).messages_used, 20);
    }
    ck_assert_uint_le(play_most(play, 0, 0, INT64_MAX, DAY), 20);
    ck_assert_uint_ge(play->count, 40);
    uint64_t number = rig_send(play->rig, KNOWN, CLASS_REPLY);
    ck_assert_int_eq(rig_view(play->rig, number).reason, REASON_BUDGET_DAILY);
    play_free(&play);
}
END_TEST

/* covers: key policies.new_conversations_per_day; reason budget_new_conversations */
START_TEST(the_budget_of_new_conversations_stops_only_these)
{
    struct play *play = play_policy("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 3");
    send_known(play, 0); /* the first of them */
    send_many(play, 100, 10, CLASS_TRANSACTIONAL);
    int64_t start = play->rig->now.mono_ms;
    play_for(play, HOUR);
    ck_assert_uint_eq(play->count, 3);
    uint64_t fresh = rig_send(play->rig, 500, CLASS_REPLY);
    ck_assert_int_eq(rig_view(play->rig, fresh).reason, REASON_BUDGET_NEW_CONVERSATIONS);
    rig_send(play->rig, KNOWN, CLASS_CAMPAIGN);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 4);

    play_for(play, DAY - HOUR - 1);
    ck_assert_uint_eq(play->count, 4);
    play_for(play, 11 * MINUTE); /* counts up to a bucket too much, never too little */
    ck_assert_uint_eq(play->count, 7);
    ck_assert_uint_eq(play_count(play, 0, start + DAY, INT64_MAX), 3);
    play_free(&play);
}
END_TEST

static struct effect lease_one(struct rig *rig, uint64_t conversation)
{
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    return rig_job_told(rig);
}

START_TEST(what_never_began_is_not_counted_and_what_may_have_is)
{
    static const struct {
        enum outcome outcome;
        bool unknown;
        unsigned left;
    } cases[] = {{OUTCOME_RETURNED, false, 0},
                 {OUTCOME_REJECTED, false, 0},
                 {OUTCOME_RETRY, true, 1},
                 {OUTCOME_SENT, false, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct play *play = play_policy("pace_per_min: 0, daily_messages: 9, new_conversations_per_day: 9");
        struct rig *rig = play->rig;
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        struct effect job = lease_one(rig, 100);
        ck_assert_uint_eq(rig_line(rig, 0).messages_used, 1);
        ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 1);
        rig->now.wall_ms += 15 * MINUTE; /* another bucket is under way */
        rig->now.mono_ms += 15 * MINUTE;
        rig_beat(rig, 1);
        struct core_result result = rig_result(&job, cases[c].outcome);
        result.unknown = cases[c].unknown;
        rig_answer(rig, &result);
        ck_assert_uint_eq(rig_line(rig, 0).messages_used, cases[c].left);
        ck_assert_uint_eq(rig_line(rig, 0).fresh_used, cases[c].left);
        play_free(&play);
    }
}
END_TEST

START_TEST(a_returned_debit_serves_the_next_conversation)
{
    struct play *play = play_policy("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 1");
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    struct effect job = lease_one(play->rig, 100);
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(play->rig, &result);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 1);
    play_free(&play);
}
END_TEST

/* ---- shares ---- */

static void check_shares(const struct play *play, size_t from, const enum job_class *class_of, uint64_t first_number)
{
    static const unsigned share[CLASS_COUNT] = {16, 8, 2, 1};
    unsigned sends[CLASS_COUNT] = {0};
    for (size_t i = from; i < play->count; i++) {
        sends[class_of[(play->sends[i].number >> 25) - (first_number >> 25)]]++; /* job numbers count up there */
        unsigned total = (unsigned)(i - from + 1);
        for (unsigned c = 0; c < CLASS_COUNT && total % 27 == 0; c++)
            ck_assert_uint_eq(sends[c], share[c] * total / 27);
    }
    ck_assert_uint_ge(play->count - from, 108);
}

/* Among the conversations of a class the earliest deadline goes first; within one, nothing but order of acceptance. */
START_TEST(the_earliest_deadline_goes_first_between_conversations_and_never_within_one)
{
    static const struct {
        uint64_t conversation;
        int64_t by_s; /* 0: none */
    } jobs[] = {{1, 0}, {1, 600}, {2, 9000}, {3, 7000}, {3, 5000}, {4, 8000}};
    const unsigned count = sizeof jobs / sizeof *jobs;
    uint64_t numbers[sizeof jobs / sizeof *jobs];
    struct play *play = play_policy("pace_per_min: 60, daily_messages: 0, new_conversations_per_day: 0, pair_per_min: 0");
    for (unsigned i = 0; i < count; i++) {
        struct core_enqueue job = rig_job(jobs[i].conversation, CLASS_TRANSACTIONAL);
        job.expires_ms = jobs[i].by_s == 0 ? 0 : play->rig->now.wall_ms + jobs[i].by_s * 1000;
        numbers[i] = rig_enqueue(play->rig, &job).number;
    }
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    play_for(play, MINUTE);
    /* 3: its first job, due by 7000 s, then the one by 5000 s, which is the earliest; then 4, 2 and 1. */
    const unsigned order[] = {3, 4, 5, 2, 0, 1};
    ck_assert_uint_eq(play->count, count);
    for (unsigned i = 0; i < count; i++)
        ck_assert_uint_eq(play->sends[i].number, numbers[order[i]]);
    play_free(&play);
}
END_TEST

/* covers: field class */
START_TEST(classes_share_a_slow_line_16_8_2_1_in_sends)
{
    enum { EACH = 100 };
    static enum job_class class_of[CLASS_COUNT * EACH];
    struct play *play = play_policy("pace_per_min: 60, daily_messages: 0, new_conversations_per_day: 0");
    uint64_t first = 0;
    for (unsigned i = 0; i < CLASS_COUNT * EACH; i++) { /* the least urgent came first */
        class_of[i] = (enum job_class)(CLASS_COUNT - 1 - i / EACH);
        uint64_t number = rig_send(play->rig, 100 + i, class_of[i]);
        first = i == 0 ? number : first;
    }
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    play_for(play, 2 * MINUTE + 5000);
    check_shares(play, 0, class_of, first);
    play_free(&play);
}
END_TEST

START_TEST(a_backlog_held_for_hours_is_released_in_the_same_shares)
{
    enum { EACH = 100 };
    static enum job_class class_of[CLASS_COUNT * EACH];
    struct play *play = play_policy("pace_per_min: 60, daily_messages: 0, new_conversations_per_day: 0");
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    send_many(play, 100, CLASS_COUNT, CLASS_TRANSACTIONAL); /* one conversation a class, all on the line */
    play_for(play, MINUTE);
    tell(play, REPUTATION_CRITICAL);
    uint64_t first = 0;
    for (unsigned i = 0; i < CLASS_COUNT * EACH; i++) {
        class_of[i] = (enum job_class)(CLASS_COUNT - 1 - i / EACH);
        uint64_t number = rig_send(play->rig, 100 + (uint64_t)class_of[i], class_of[i]);
        first = i == 0 ? number : first;
    }
    play_for(play, 3 * HOUR);
    size_t before = play->count;
    ck_assert_uint_eq(before, CLASS_COUNT);
    prove_healthy(play);
    play_for(play, 26 * MINUTE); /* at a tenth of its pace */
    check_shares(play, before, class_of, first);
    play_free(&play);
}
END_TEST

/* ---- waits between tries ---- */

START_TEST(waits_lie_between_base_and_cap_and_grow_apart)
{
    uint64_t random = 1;
    for (unsigned tries = 1; tries <= 60; tries++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;
        for (unsigned i = 0; i < 500; i++) {
            int64_t wait = retry_wait_ms(&random, tries, 1000, 300000);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        int64_t bound = 300000;
        if (tries < 6) {
            static const int64_t bounds[] = {3000, 9000, 27000, 81000, 243000};
            bound = bounds[tries - 1];
        }
        ck_assert_int_ge(least, 1000);
        ck_assert_int_le(most, bound);
        ck_assert_int_le(least, 1000 + (bound - 1000) / 20);
        ck_assert_int_ge(most, bound - (bound - 1000) / 20);
    }
    ck_assert_int_eq(retry_wait_ms(&random, 3, 5000, 5000), 5000);
    ck_assert_int_eq(retry_wait_ms(&random, 3, 5000, 700), 700);
}
END_TEST

/* covers: key policies.retry_base_ms, policies.retry_cap_ms */
START_TEST(a_retry_waits_by_itself_unless_the_provider_said_how_long)
{
    struct play *play = play_policy("pace_per_min: 0, retry_base_ms: 2000, retry_cap_ms: 7000");
    struct rig *rig = play->rig;
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct effect job = lease_one(rig, 100);
    for (unsigned tries = 1; tries < 8; tries++) {
        bool told = tries == 4;
        struct core_result result = rig_result(&job, OUTCOME_RETRY);
        result.retry_after_ms = told ? 60000 : -1;
        rig_answer(rig, &result);
        struct job_view view = rig_view(rig, job.number);
        ck_assert_int_eq(view.reason, REASON_RETRY_BACKOFF);
        ck_assert_int_ge(view.due_ms - rig->now.wall_ms, told ? 60000 : 2000);
        ck_assert_int_le(view.due_ms - rig->now.wall_ms, told ? 60000 : 7000);
        rig_forget(rig);
        rig_pass(rig, view.due_ms - rig->now.wall_ms - 1);
        ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
        rig_pass(rig, 1);
        ck_assert_ptr_nonnull(rig_told(rig, EFFECT_JOB, 0));
        job = *rig_told(rig, EFFECT_JOB, 0);
    }
    play_free(&play);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_pace");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_minute_holds_more_than_the_pace_and_the_burst_and_hardly_fewer);
    tcase_add_test(tcase, a_burst_goes_at_once_only_after_a_rest);
    tcase_add_test(tcase, gaps_differ_but_are_never_shorter_than_the_pace_says);
    tcase_add_test(tcase, an_at_risk_line_goes_on_at_its_factor);
    tcase_add_test(tcase, a_pace_without_limit_has_factors_of_60000_a_minute);
    tcase_add_test(tcase, a_released_line_ramps_up_step_by_step);
    tcase_add_test(tcase, a_downgrade_breaks_the_ramp_off_and_the_next_one_is_slower);
    tcase_add_test(tcase, no_day_holds_more_messages_than_the_daily_budget);
    tcase_add_test(tcase, the_budget_of_new_conversations_stops_only_these);
    tcase_add_test(tcase, what_never_began_is_not_counted_and_what_may_have_is);
    tcase_add_test(tcase, a_returned_debit_serves_the_next_conversation);
    tcase_add_test(tcase, the_earliest_deadline_goes_first_between_conversations_and_never_within_one);
    tcase_add_test(tcase, classes_share_a_slow_line_16_8_2_1_in_sends);
    tcase_add_test(tcase, a_backlog_held_for_hours_is_released_in_the_same_shares);
    tcase_add_test(tcase, waits_lie_between_base_and_cap_and_grow_apart);
    tcase_add_test(tcase, a_retry_waits_by_itself_unless_the_provider_said_how_long);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
