/* The provider's hard limit: so many messages a minute to one conversation of a line, and not one more, over bursts,
 * refusals, full tables and restarts (promise P6; linq-api.md 4.3). */
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/pair.h"
#include "broker/core/random.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define MINUTE INT64_C(60000)

#define PAIR "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0, pair_per_min: "

static struct play *play_pair(const char *policy)
{
    struct play *play = play_policy(policy);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    return play;
}

static void send_many(struct play *play, uint64_t conversation, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        rig_send(play->rig, conversation, CLASS_TRANSACTIONAL);
}

/* The most sends in any 60 s, over restarts too, which the steady clock does not survive. */
static size_t most(const struct play *play)
{
    size_t most = 0;
    for (size_t first = 0, i = 0; i < play->count; i++) {
        while (play->sends[i].wall_ms - play->sends[first].wall_ms >= MINUTE)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

/* covers: reason budget_pair; key policies.pair_per_min */
START_TEST(no_minute_holds_more_messages_to_one_conversation_than_the_pair_limit)
{
    static const unsigned limits[] = {1, 2, 7, 30};
    for (size_t l = 0; l < 4; l++) {
        char policy[200];
        snprintf(policy, sizeof policy, PAIR "%u", limits[l]);
        struct play *play = play_pair(policy);
        send_many(play, 100, 5 * limits[l]);
        play_for(play, 0);
        ck_assert_uint_eq(play->count, limits[l]); /* these at once */
        play_for(play, 5 * MINUTE);
        ck_assert_uint_le(most(play), limits[l]);
        ck_assert_uint_ge(play->count, 4 * limits[l]); /* and hardly fewer */
        play_free(&play);
    }
}
END_TEST

START_TEST(a_spent_pair_stops_its_own_conversation_only_and_says_until_when)
{
    struct play *play = play_pair(PAIR "3");
    send_many(play, 100, 4);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 3);
    uint64_t waits = rig_send(play->rig, 100, CLASS_REPLY); /* even a reply: the provider would refuse it */
    struct job_view view = rig_view(play->rig, waits);
    ck_assert_int_eq(view.state, JOB_QUEUED);
    ck_assert_int_eq(view.reason, REASON_BUDGET_PAIR);
    ck_assert_int_ge(view.release_at_ms, play->rig->now.wall_ms + MINUTE);
    ck_assert_int_le(view.release_at_ms, play->rig->now.wall_ms + MINUTE + 5000);
    ck_assert_int_eq(rig_shape_reason(play->rig), REASON_BUDGET_PAIR);
    send_many(play, 200, 3);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 6);

    int64_t until = view.release_at_ms - play->rig->now.wall_ms;
    ck_assert_int_ge(core_next_mono_ms(play->rig->core, play->rig->now), play->rig->now.mono_ms); /* no polling */
    play_for(play, until - 1);
    ck_assert_uint_eq(play->count, 6);
    play_for(play, 1);
    ck_assert_uint_eq(play->count, 8);
    play_free(&play);
}
END_TEST

START_TEST(what_surely_made_nothing_does_not_count)
{
    struct play *play = play_pair(PAIR "2");
    struct rig *rig = play->rig;
    for (unsigned i = 0; i < 5; i++) {
        send_many(play, 100, 1);
        rig_tick(rig);
        const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
        ck_assert_ptr_nonnull(job);
        struct core_result result = rig_result(job, i % 2 == 0 ? OUTCOME_RETURNED : OUTCOME_REJECTED);
        rig_forget(rig);
        rig_answer(rig, &result);
        rig_tick(rig);
        const struct effect *again = rig_told(rig, EFFECT_JOB, 0);
        if (again == NULL)
            continue;
        result = rig_result(again, OUTCOME_REJECTED);
        rig_forget(rig);
        rig_answer(rig, &result);
    }
    send_many(play, 100, 3);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 2);
    play_free(&play);
}
END_TEST

/* Any history of sends, pauses and restarts. */
START_TEST(no_minute_holds_more_over_any_history_with_restarts)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        unsigned limit = (unsigned)(1 + seed * 3 % 8);
        char policy[200];
        snprintf(policy, sizeof policy, PAIR "%u", limit);
        struct play *play = play_pair(policy);
        uint64_t random = seed;
        for (unsigned step = 0; step < 400; step++) {
            send_many(play, 100, (unsigned)(random_next(&random) % 3));
            play_for(play, (int64_t)(random_next(&random) % (step % 7 == 0 ? 90000 : 9000)));
            if (random_next(&random) % 20 != 0)
                continue;
            rig_restart(play->rig, (int64_t)(random_next(&random) % 20000));
            rig_worker(play->rig, 1, 1024);
            rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
        }
        ck_assert_uint_le(most(play), limit);
        ck_assert_uint_ge(play->count, 100);
        play_free(&play);
    }
}
END_TEST

START_TEST(after_a_restart_the_last_minute_is_known)
{
    struct play *play = play_pair(PAIR "4");
    send_many(play, 100, 6);
    send_many(play, 200, 1);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 5);
    rig_restart(play->rig, 1000);
    rig_worker(play->rig, 1, 1024);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    send_many(play, 200, 4);
    play_for(play, 1000);
    ck_assert_uint_eq(play->count, 8); /* three more to the one, none to the other */
    play_for(play, 2 * MINUTE);
    ck_assert_uint_eq(play->count, 11);
    play_free(&play);
}
END_TEST

START_TEST(a_try_that_never_began_spends_nothing_of_the_pair_after_a_restart)
{
    struct play *play = play_pair(PAIR "1");
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_worker(rig, 1, 8);
    rig_tick(rig);
    ck_assert_uint_eq(rig_told(rig, EFFECT_JOB, 0)->number, number);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_forget(rig);
    rig_worker(rig, 1, 8); /* names no lease */
    rig_tick(rig);
    ck_assert_uint_eq(rig_job_told(rig).number, number);
    play_free(&play);
}
END_TEST

/* It is new where it was moved to, and its pin is all that it has; but it was written to within the minute. */
START_TEST(one_that_was_moved_says_that_it_waits_for_the_pair)
{
    struct play *play = play_pair(PAIR "1");
    struct rig *rig = play->rig;
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    struct effect job = rig_job_told(rig);
    rig_sent(rig, &job);
    for (uint64_t line = RIG_LINE; line <= RIG_LINE + 1; line++) /* to the one where it is not */
        core_move(rig->core, 9, 100, line, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    struct job_view view = rig_view(rig, number);
    ck_assert_int_eq(view.state, JOB_QUEUED);
    ck_assert_int_eq(view.reason, REASON_BUDGET_PAIR);
    play_free(&play);
}
END_TEST

static struct effect leased(struct rig *rig)
{
    rig_tick(rig);
    return rig_job_told(rig);
}

/* The first one's tries were unknown, until a person said that nothing had gone out: it is forgotten with its job. */
START_TEST(who_is_new_owes_nothing_of_what_was_sent_to_somebody_who_is_forgotten)
{
    struct play *play = play_pair(PAIR "2");
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    for (unsigned i = 0; i < 2; i++) {
        struct effect job = leased(rig);
        struct core_result result = rig_result(&job, OUTCOME_RETRY);
        result.unknown = true;
        result.retry_after_ms = 0;
        rig_answer(rig, &result);
    }
    core_settle(rig->core, 9, number, false, (struct span){"{}", 2}, rig->now, &rig->out);
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    struct conversation_view view;
    ck_assert(!core_conversation_view(rig->core, 100, &view));
    rig_forget(rig);
    send_many(play, 200, 2);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 2);
    play_free(&play);
}
END_TEST

START_TEST(where_the_table_is_full_the_rest_send_once_a_minute)
{
    struct rig_options options = {
        .conf = "accounts:\n  default: {api_key_file: key, stale_after_ms: 604800000, blind_after_ms: 604800000}\n"
                "policies:\n  default: {" PAIR "30, distinct_recipients_per_hour: 0, daily_growth_factor: 0}\n",
        .seed = 1,
        .limits = {.jobs_max = 300000, .conversations_max = 100000, .remembered_max = 1000}};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    for (uint64_t conversation = 1; conversation <= PAIRS_MAX; conversation++) {
        rig_send(rig, 1000 + conversation, CLASS_TRANSACTIONAL);
        rig_send(rig, 1000 + conversation, CLASS_TRANSACTIONAL);
        if (conversation % 512 != 0)
            continue;
        play_for(play, 0);
        MUST(play->count == 1024);
        play->count = 0;
    }
    for (unsigned i = 0; i < 3; i++)
        rig_send(rig, 500, CLASS_TRANSACTIONAL);
    rig_send(rig, 1001, CLASS_TRANSACTIONAL); /* it has its entry */
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 2);
    play_for(play, 66000); /* by then the others are over, and there is room again */
    ck_assert_uint_eq(play->count, 4);
    play_free(&play);
}
END_TEST

/* What was cancelled while it was out never began, and nothing had been sent before: the next one is the first, and counts
 * like any. */
START_TEST(the_first_send_after_tries_that_never_began_counts_after_a_restart)
{
    struct play *play = play_pair(PAIR "1");
    struct rig *rig = play->rig;
    rig_worker(rig, 1, 8);
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    struct effect job = rig_job_told(rig);
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 2 * MINUTE);
    rig_forget(rig);
    rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    job = rig_job_told(rig);
    rig_sent(rig, &job);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_pass(rig, 5000);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, number).reason, REASON_BUDGET_PAIR);
    play_free(&play);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_pair");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_minute_holds_more_messages_to_one_conversation_than_the_pair_limit);
    tcase_add_test(tcase, a_spent_pair_stops_its_own_conversation_only_and_says_until_when);
    tcase_add_test(tcase, what_surely_made_nothing_does_not_count);
    tcase_add_test(tcase, no_minute_holds_more_over_any_history_with_restarts);
    tcase_add_test(tcase, after_a_restart_the_last_minute_is_known);
    tcase_add_test(tcase, a_try_that_never_began_spends_nothing_of_the_pair_after_a_restart);
    tcase_add_test(tcase, the_first_send_after_tries_that_never_began_counts_after_a_restart);
    tcase_add_test(tcase, one_that_was_moved_says_that_it_waits_for_the_pair);
    tcase_add_test(tcase, who_is_new_owes_nothing_of_what_was_sent_to_somebody_who_is_forgotten);
    tcase_add_test(tcase, where_the_table_is_full_the_rest_send_once_a_minute);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
