/* core_breaker_test.c — a provider in trouble: when the breaker opens, which jobs probe, and what closes it (DESIGN section
 * 5). */
#include "tests/unit/core_suite.h"

#define PATIENT_CONF POLICY_CONF("pace_per_min: 0, attempts_max: 50")

static void answer_trouble(const struct effect *job, int64_t retry_after_ms)
{
    struct core_result result = rig_result(job, OUTCOME_RETRY);
    result.retry_after_ms = retry_after_ms;
    rig_answer(rig, &result);
}

/* Every 2.5 s each conversation's job meets a 503; `good`: the round in which one was answered otherwise. */
static void storm(unsigned conversations, int rounds, int good)
{
    begin_with(PATIENT_CONF, 1);
    rig_worker(rig, 1, 32);
    for (uint64_t conversation = 1; conversation <= conversations; conversation++)
        send_known(0, conversation, CLASS_TRANSACTIONAL);
    rig_forget(rig);
    rig_tick(rig);
    for (int round = 0; round < rounds; round++) {
        struct effect jobs[32];
        size_t count = rig_count(rig, EFFECT_JOB);
        for (size_t i = 0; i < count; i++)
            jobs[i] = *rig_told(rig, EFFECT_JOB, i);
        rig_forget(rig);
        for (size_t i = 0; i < count; i++) {
            if (round == good && i == 0)
                answer_retry(&jobs[i], SCOPE_CONVERSATION, 2500);
            else
                answer_trouble(&jobs[i], 2500);
        }
        if (round < rounds - 1)
            rig_pass(rig, 2500);
    }
}

START_TEST(the_breaker_opens_after_20_troubles_over_5_conversations_in_10_seconds)
{
    storm(5, 4, -1); /* 20 of them, but in 7.5 s */
    ck_assert_uint_eq(alerts(ALERT_BREAKER_OPEN), 0);
    storm(4, 5, -1); /* 20 of them in 10 s, but over 4 conversations */
    ck_assert_uint_eq(alerts(ALERT_BREAKER_OPEN), 0);
    storm(5, 5, 2); /* another answer began the count anew */
    ck_assert_uint_eq(alerts(ALERT_BREAKER_OPEN), 0);
    storm(5, 5, -1);
    ck_assert_uint_eq(alerts(ALERT_BREAKER_OPEN), 1);
}
END_TEST

START_TEST(an_open_breaker_probes_with_one_job_after_1_2_4_up_to_30_seconds)
{
    static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    storm(5, 5, -1);
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        uint64_t waiting = send_known(0, 100 + i, CLASS_REPLY); /* ready whenever it may */
        ck_job(waiting, JOB_QUEUED, REASON_PROVIDER_DOWN);
        rig_forget(rig);
        rig_pass(rig, waits_ms[i] - 1);
        ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
        rig_pass(rig, 1);
        ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
        struct effect probe = rig_job_told(rig);
        answer_trouble(&probe, 3600000);
    }
}
END_TEST

static void note_number(void *self, const struct job_view *view)
{
    uint64_t *numbers = self;
    numbers[1 + numbers[0]++] = view->number;
}

/* The breaker is open, and nothing waits any more. */
static void storm_without_jobs(void)
{
    uint64_t numbers[32] = {0};
    uint32_t cursor = 0;
    storm(5, 5, -1);
    core_jobs_walk(rig->core, &cursor, 1000, rig->now, note_number, numbers);
    for (uint64_t i = 0; i < numbers[0]; i++)
        core_cancel(rig->core, 1, 0, numbers[1 + i], rig->now, &rig->out);
    rig_keep(rig);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
}

/* covers: reason provider_down */
START_TEST(an_open_breaker_probes_with_the_first_by_class_and_another_conversation_each_time)
{
    storm_without_jobs();
    send_known(1, 200, CLASS_CAMPAIGN); /* waits on the other line, and longer */
    uint64_t campaign = send_known(0, 201, CLASS_CAMPAIGN);
    uint64_t reply = send_known(1, 202, CLASS_REPLY);
    rig_forget(rig);
    rig_pass(rig, 1000);
    struct effect probe = rig_job_told(rig);
    ck_assert_uint_eq(probe.number, reply);
    answer_trouble(&probe, 0); /* ready again at once: but it was the last one */
    uint64_t second = send_known(0, 203, CLASS_TRANSACTIONAL);
    rig_forget(rig);
    rig_pass(rig, 2000);
    probe = rig_job_told(rig);
    ck_assert_uint_eq(probe.number, second);
    answer_trouble(&probe, 0);
    rig_forget(rig);
    rig_pass(rig, 4000);
    probe = rig_job_told(rig);
    ck_assert_uint_eq(probe.number, reply);
    rig_sent(rig, &probe);
    rig_pass(rig, 10);
    ck_job(campaign, JOB_LEASED, REASON_NONE);
}
END_TEST

/* The first by class is the conversation that probed last; the campaign of the one behind it was paused since it came
 * there. */
START_TEST(an_open_breaker_probes_with_nobody_of_a_paused_campaign)
{
    storm_without_jobs();
    for (uint64_t conversation = 1000; conversation < 6000; conversation++) { /* looked at before it, in slices */
        struct core_enqueue later = job_known(0, conversation, CLASS_CAMPAIGN);
        later.due_ms = rig->now.wall_ms + 3600000;
        accepted(&later);
    }
    uint64_t first = send_known(0, 200, CLASS_CAMPAIGN);
    struct core_enqueue ask = job_known(0, 201, CLASS_CAMPAIGN);
    ask.campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    uint64_t of_it = accepted(&ask);
    for (int probe = 0; probe < 3; probe++) {
        rig_forget(rig);
        rig_pass(rig, 1000 << probe);
        struct effect job = rig_job_told(rig);
        ck_assert_uint_eq(job.number, probe == 1 ? of_it : first);
        answer_trouble(&job, 0);
    }
    rig_forget(rig);
    rig_pass(rig, 7999);
    rig->now.wall_ms++;
    rig->now.mono_ms++;
    ck_assert_uint_ne(rig_pause(rig, PAUSE_CAMPAIGN, ask.campaign, 0), 0); /* in the very turn of the probe */
    rig_tick(rig);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_assert_uint_eq(rig_job_told(rig).number, first); /* nobody else may */
}
END_TEST

START_TEST(an_open_breaker_probes_with_the_last_conversation_if_there_is_no_other)
{
    storm_without_jobs();
    uint64_t only = send_known(0, 200, CLASS_REPLY);
    rig_forget(rig);
    rig_pass(rig, 1000);
    for (int probe = 0; probe < 3; probe++) {
        struct effect job = rig_job_told(rig);
        ck_assert_uint_eq(job.number, only);
        answer_trouble(&job, 0);
        rig_forget(rig);
        rig_pass(rig, 2000 << probe);
    }
}
END_TEST

START_TEST(the_first_good_answer_closes_the_breaker)
{
    storm(5, 5, -1);
    rig_forget(rig);
    send_known(0, 100, CLASS_REPLY);
    uint64_t other = send_known(0, 101, CLASS_REPLY);
    rig_pass(rig, 1000);
    struct effect probe = *rig_told(rig, EFFECT_JOB, 0);
    rig_sent(rig, &probe);
    ck_assert_uint_eq(alerts(ALERT_BREAKER_CLOSED), 1);
    rig_pass(rig, 1);
    ck_job(other, JOB_LEASED, REASON_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_breaker_opens_after_20_troubles_over_5_conversations_in_10_seconds,
        an_open_breaker_probes_with_one_job_after_1_2_4_up_to_30_seconds,
        an_open_breaker_probes_with_the_first_by_class_and_another_conversation_each_time,
        an_open_breaker_probes_with_nobody_of_a_paused_campaign,
        an_open_breaker_probes_with_the_last_conversation_if_there_is_no_other,
        the_first_good_answer_closes_the_breaker,
    };
    return run_suite("core_breaker", tests, sizeof tests / sizeof *tests);
}
