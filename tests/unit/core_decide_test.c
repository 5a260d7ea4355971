/* core_decide_test.c — why a job is not moving: each reason provoked, with the state it goes with, and which comes
 * first when several apply (PROTOCOL, Reasons; promise P10). */
#include "tests/unit/core_suite.h"

static uint64_t known_job(void)
{
    return send_known(0, 1, CLASS_TRANSACTIONAL);
}

#define ck_held(number, reason)   ck_why(number, reason, true)
#define ck_queued(number, reason) ck_why(number, reason, false)
#define ck_why(number, reason, held)                                                                                 \
    do {                                                                                                             \
        ck_job(number, JOB_QUEUED, reason);                                                                          \
        ck_assert(reason_holds(reason) == (held));                                                                   \
    } while (0)

static struct effect lease_of(uint64_t number)
{
    const struct effect *job = NULL;
    for (size_t n = 0; (job = rig_told(rig, EFFECT_JOB, n)) != NULL; n++)
        if (job->number == number)
            return *job;
    ck_abort_msg("the job was not handed out");
}

static void chat_is(uint64_t chat_hash, enum chat_health health)
{
    struct core_message_fact fact = {
        .token = 3, .event = ++rig->polls + 5000, .chat_hash = chat_hash, .has_health = true, .health = health};
    fact.what = MESSAGE_CHAT;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void key_refused(void)
{
    struct core_poll poll = {.poll = ++rig->polls, .begun_mono_ms = rig->now.mono_ms, .key_refused = true};
    core_poll_ended(rig->core, &poll, rig->now, &rig->out);
    rig_keep(rig);
}

static void list_nothing(void)
{
    rig_poll(rig, 0, NULL);
    rig_poll(rig, 0, NULL);
}

/* covers: reason not_yet_due; state scheduled */
START_TEST(not_yet_due)
{
    struct core_enqueue job = rig_job(1, CLASS_CAMPAIGN);
    job.due_ms = rig->now.wall_ms + 5000;
    struct effect answer = rig_enqueue(rig, &job);
    rig_pause(rig, PAUSE_ALL, 0, 0); /* nothing else counts before it is due */
    ck_job(answer.number, JOB_SCHEDULED, REASON_NOT_YET_DUE);
    ck_assert_int_eq(rig_view(rig, answer.number).release_at_ms, job.due_ms);
    rig_pass(rig, 5000);
    ck_held(answer.number, REASON_PAUSED);
}
END_TEST

/* covers: reason paused, account_paused, pool_paused, line_paused */
START_TEST(paused_by_the_operator_at_each_scope)
{
    uint64_t number = known_job();
    ck_queued(number, REASON_NO_WORKER);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_held(number, REASON_LINE_PAUSED);
    rig_pause(rig, PAUSE_POOL, 0, 0);
    ck_held(number, REASON_POOL_PAUSED);
    rig_pause(rig, PAUSE_ACCOUNT, 0, 0);
    ck_held(number, REASON_ACCOUNT_PAUSED);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_held(number, REASON_PAUSED);
}
END_TEST

/* covers: reason line_flagged, line_gone, line_critical, line_stale, provider_down */
START_TEST(of_all_that_closes_a_line_the_first_of_the_list_is_told)
{
    uint64_t number = known_job();
    key_refused();
    ck_queued(number, REASON_PROVIDER_DOWN);
    rig_pass(rig, 900001);
    ck_held(number, REASON_LINE_STALE);
    told(REPUTATION_CRITICAL);
    ck_held(number, REASON_LINE_CRITICAL);
    list_nothing();
    ck_held(number, REASON_LINE_GONE);
    told_service(SERVICE_FLAGGED);
    ck_held(number, REASON_LINE_FLAGGED);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_held(number, REASON_LINE_PAUSED);
    chat_is(1 * 2 + 1, CHAT_CRITICAL); /* as send_known() names it */
    ck_held(number, REASON_CONVERSATION_CRITICAL);
    rig_pause(rig, PAUSE_POOL, 0, 0);
    ck_held(number, REASON_POOL_PAUSED);
}
END_TEST

/* covers: reason line_recovering */
START_TEST(line_recovering_once_the_word_is_better)
{
    uint64_t number = known_job();
    told(REPUTATION_CRITICAL);
    ck_held(number, REASON_LINE_CRITICAL);
    told(REPUTATION_AT_RISK);
    ck_held(number, REASON_LINE_RECOVERING);
}
END_TEST

/* covers: reason conversation_critical */
START_TEST(conversation_critical_is_that_conversations_only)
{
    uint64_t number = known_job();
    uint64_t other = send_known(0, 2, CLASS_REPLY);
    chat_is(3, CHAT_CRITICAL);
    ck_held(number, REASON_CONVERSATION_CRITICAL);
    ck_queued(other, REASON_NO_WORKER);
    rig_pass(rig, 1000); /* of two words of one second the worse counts */
    chat_is(3, CHAT_HEALTHY);
    ck_queued(number, REASON_NO_WORKER);
}
END_TEST

/* A worker has it, and is to say that it must be tried again. */
static uint64_t tried_job(struct core_result *result)
{
    rig_worker(rig, 1, 4);
    uint64_t number = known_job();
    rig_tick(rig);
    struct effect job = lease_of(number);
    *result = rig_result(&job, OUTCOME_RETRY);
    return number;
}

/* covers: reason outcome_unknown */
START_TEST(outcome_unknown_comes_before_the_lines_own)
{
    struct core_result result;
    uint64_t number = tried_job(&result);
    result.unknown = true;
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    told(REPUTATION_CRITICAL);
    ck_queued(number, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* covers: reason retry_backoff */
START_TEST(retry_backoff_until_its_time)
{
    struct core_result result;
    uint64_t number = tried_job(&result);
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    ck_queued(number, REASON_RETRY_BACKOFF);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, rig->now.wall_ms + 60000);
    told(REPUTATION_CRITICAL);
    ck_held(number, REASON_LINE_CRITICAL);
}
END_TEST

/* covers: reason conversation_busy */
START_TEST(conversation_busy_behind_one_that_is_out)
{
    rig_worker(rig, 1, 4);
    known_job();
    rig_pass(rig, 1);
    uint64_t second = send_known(0, 1, CLASS_TRANSACTIONAL);
    uint64_t third = send_known(0, 1, CLASS_TRANSACTIONAL);
    ck_queued(second, REASON_CONVERSATION_BUSY);
    ck_queued(third, REASON_CONVERSATION_BUSY);
    ck_assert_uint_eq(rig_view(rig, second).ahead, 1);
    ck_assert_uint_eq(rig_view(rig, third).ahead, 2);
}
END_TEST

START_TEST(jobs_behind_one_that_waits_for_the_same_share_its_reason)
{
    known_job();
    uint64_t second = send_known(0, 1, CLASS_TRANSACTIONAL);
    told(REPUTATION_CRITICAL);
    ck_held(second, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_view(rig, second).ahead, 1);
}
END_TEST

/* covers: reason no_healthy_line */
START_TEST(no_healthy_line_for_a_new_conversation)
{
    uint64_t number = rig_send(rig, 1, CLASS_REPLY);
    ck_queued(number, REASON_NO_WORKER);
    told(REPUTATION_AT_RISK);
    ck_queued(number, REASON_NO_HEALTHY_LINE);
    told(REPUTATION_CRITICAL);
    ck_queued(number, REASON_NO_HEALTHY_LINE);
}
END_TEST

/* covers: reason line_at_risk */
START_TEST(line_at_risk_for_a_new_conversation_pinned_to_it)
{
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    job.from_line = RIG_LINE;
    uint64_t number = rig_enqueue(rig, &job).number;
    told(REPUTATION_AT_RISK);
    ck_queued(number, REASON_LINE_AT_RISK);
}
END_TEST

/* Uses up the line by one conversation, and says why the next, a new one, waits. */
static void expect_after_one(const char *conf, enum reason reason)
{
    begin_with(conf, 1);
    rig_worker(rig, 1, 4);
    rig_send(rig, 1, CLASS_REPLY);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    uint64_t number = rig_send(rig, 2, CLASS_REPLY);
    rig_tick(rig);
    ck_queued(number, reason);
}

/* covers: reason budget_new_conversations, budget_daily, pace */
START_TEST(budgets_and_pace_each_by_their_name)
{
    expect_after_one(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1"), REASON_BUDGET_NEW_CONVERSATIONS);
    expect_after_one(POLICY_CONF("pace_per_min: 0, daily_messages: 1"), REASON_BUDGET_DAILY);
    expect_after_one(NULL, REASON_PACE);
}
END_TEST

START_TEST(a_known_conversation_never_waits_for_the_budget_of_new_ones)
{
    expect_after_one(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1"), REASON_BUDGET_NEW_CONVERSATIONS);
    uint64_t known = send_known(0, 9, CLASS_CAMPAIGN);
    rig_tick(rig);
    ck_job(known, JOB_LEASED, REASON_NONE);
}
END_TEST

/* covers: reason ramp */
START_TEST(ramp_while_the_line_recovers_its_pace)
{
    relapse();
    rig_worker(rig, 1, 4);
    known_job();
    rig_pass(rig, 3000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    uint64_t number = send_known(0, 2, CLASS_REPLY);
    ck_queued(number, REASON_RAMP);
}
END_TEST

/* covers: reason rate_limited */
START_TEST(rate_limited_until_the_provider_said)
{
    begin_with(POLICY_CONF("pace_per_min: 0"), 1);
    struct core_result result;
    uint64_t number = tried_job(&result);
    result.http_status = 429;
    result.scope = SCOPE_LINE;
    result.retry_after_ms = 7000;
    rig_answer(rig, &result);
    ck_queued(number, REASON_RATE_LIMITED);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, rig->now.wall_ms + 7000);
}
END_TEST

/* covers: reason no_worker */
START_TEST(no_worker_when_all_slots_are_taken)
{
    begin_with(POLICY_CONF("pace_per_min: 0"), 1);
    rig_worker(rig, 1, 1);
    known_job();
    rig_tick(rig);
    uint64_t number = send_known(0, 2, CLASS_REPLY);
    rig_tick(rig);
    ck_queued(number, REASON_NO_WORKER);
}
END_TEST

/* covers: field if_held; code held */
START_TEST(fail_if_held_is_refused_by_what_holds_and_by_nothing_else)
{
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    job.fail_if_held = true;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE); /* no worker: queued, not held */
    told(REPUTATION_CRITICAL);
    job.conversation = 2;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        not_yet_due,
        paused_by_the_operator_at_each_scope,
        of_all_that_closes_a_line_the_first_of_the_list_is_told,
        line_recovering_once_the_word_is_better,
        conversation_critical_is_that_conversations_only,
        outcome_unknown_comes_before_the_lines_own,
        retry_backoff_until_its_time,
        conversation_busy_behind_one_that_is_out,
        jobs_behind_one_that_waits_for_the_same_share_its_reason,
        no_healthy_line_for_a_new_conversation,
        line_at_risk_for_a_new_conversation_pinned_to_it,
        budgets_and_pace_each_by_their_name,
        a_known_conversation_never_waits_for_the_budget_of_new_ones,
        ramp_while_the_line_recovers_its_pace,
        rate_limited_until_the_provider_said,
        no_worker_when_all_slots_are_taken,
        fail_if_held_is_refused_by_what_holds_and_by_nothing_else,
    };
    return run_suite("core_decide", tests, sizeof tests / sizeof *tests);
}
