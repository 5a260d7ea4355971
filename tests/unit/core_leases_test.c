/* core_leases_test.c — a worker's right to one job: silence, lapse, restart, and every outcome with its scope (DESIGN
 * traps 10 and 12, section 5; promises P1, P2, P4). */
#include "tests/unit/core_suite.h"

#define FAST_CONF    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 3")
#define PATIENT_CONF POLICY_CONF("pace_per_min: 0, attempts_max: 50")
#define LEASE_MS     60000 /* the defaults of lease_ms, restart_wait_ms and heartbeat_ms */
#define RESTART_MS   5000
#define HEARTBEAT_MS 1000

/* Time passes and no worker says anything. */
static void in_silence(int64_t ms)
{
    rig->now.wall_ms += ms;
    rig->now.mono_ms += ms;
    rig_tick(rig);
}

/* A job that worker 1 has begun, on line 0. */
static struct effect begin_job(void)
{
    begin_with(FAST_CONF, 2);
    rig_worker(rig, 1, 8);
    send_known(0, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    rig_forget(rig);
    return job;
}

static void ready_with(uint32_t peer, uint64_t instance, const uint64_t *leases, size_t count)
{
    struct core_ready ready = {
        .peer = peer, .instance = instance, .slots = 8, .leases = leases, .lease_count = count, .worker = "w"};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
}

static void answer_unknown(const struct effect *job, int64_t retry_after_ms)
{
    struct core_result result = rig_result(job, OUTCOME_RETRY);
    result.http_status = 0;
    result.unknown = true;
    result.retry_after_ms = retry_after_ms;
    rig_answer(rig, &result);
}

#define ck_ended(number, expected_state)                                                                             \
    do {                                                                                                             \
        ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);                                                     \
        ck_assert_str_eq(job_state_name(end_of(number).state), job_state_name(expected_state));                      \
    } while (0)

/* ---- READY, silence, lapse ---- */

START_TEST(ready_keeps_the_leases_it_names_and_returns_the_others)
{
    struct effect first = begin_job();
    uint64_t second = send_known(0, 2, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(second, JOB_LEASED, REASON_NONE);
    ready_with(1, 1001, &first.lease, 1);
    ck_job(first.number, JOB_LEASED, REASON_NONE);
    ck_assert_int_eq(rig_view(rig, second).state, JOB_QUEUED);
    ck_assert_uint_eq(rig_view(rig, second).attempts, 0);
    ck_assert(!rig_view(rig, second).unsettled);
}
END_TEST

START_TEST(a_worker_that_comes_back_is_told_what_was_cancelled_meanwhile)
{
    struct effect job = begin_job();
    core_cancel(rig->core, 5, 0, job.number, rig->now, &rig->out);
    rig_keep(rig);
    for (uint32_t peer = 2; peer < 4; peer++) { /* a REVOKE may get lost, and a restart forgets that there was one */
        rig_forget(rig);
        ready_with(peer, 1001, &job.lease, 1);
        ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
        ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
        ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->peer, peer);
        rig_restart(rig, 1000);
    }
    ready_with(4, 1001, NULL, 0);
    ck_ended(job.number, JOB_CANCELLED);
}
END_TEST

START_TEST(three_silent_heartbeats_and_the_worker_is_gone_but_its_lease_is_not)
{
    struct effect job = begin_job();
    struct worker_view view;
    in_silence(3 * HEARTBEAT_MS - 1);
    uint32_t cursor = 0;
    ck_assert(core_worker_view(rig->core, &cursor, rig->now, &view));
    in_silence(1);
    cursor = 0;
    ck_assert(!core_worker_view(rig->core, &cursor, rig->now, &view));
    ck_assert_uint_eq(alerts(ALERT_WORKER_GONE), 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(a_lapsed_lease_is_tried_again_with_the_same_key_on_the_same_line)
{
    struct effect job = begin_job();
    uint8_t before[KEY_RANDOM_BYTES], after[KEY_RANDOM_BYTES];
    core_key_random(rig->core, job.number, before);
    in_silence(LEASE_MS - 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
    in_silence(1);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_forget(rig);
    rig_worker(rig, 2, 1);
    rig_tick(rig);
    struct effect again = rig_job_told(rig);
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, again.lease, &view));
    ck_assert_uint_eq(view.number, job.number);
    ck_assert_uint_eq(view.line, RIG_LINE);
    ck_assert(view.unsettled);
    ck_assert_uint_eq(view.attempt, 2);
    core_key_random(rig->core, job.number, after);
    ck_assert_mem_eq(before, after, sizeof before);
}
END_TEST

START_TEST(a_lapsed_lease_waits_for_its_line_even_if_another_is_free)
{
    struct effect job = begin_job();
    told(REPUTATION_CRITICAL);
    rig_forget(rig);
    rig_pass(rig, LEASE_MS + 10000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_assert(rig_view(rig, job.number).unsettled);
    ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE);
}
END_TEST

/* Its worker is there again, and says that it was sent. */
static void must_be_believed(const struct effect *job)
{
    rig_worker(rig, 1, 0);
    rig_sent(rig, job);
    ck_ended(job->number, JOB_SENT);
    ck_assert_uint_eq(rig_count(rig, EFFECT_DONE), 1);
}

START_TEST(a_late_sent_is_believed)
{
    struct effect job = begin_job();
    in_silence(LEASE_MS);
    must_be_believed(&job);
}
END_TEST

/* Over two: the lease's own record is read both times. */
START_TEST(a_late_sent_is_believed_after_restarts)
{
    struct effect job = begin_job();
    in_silence(LEASE_MS);
    rig_restart(rig, 1000);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_restart(rig, 1000);
    must_be_believed(&job);
}
END_TEST

START_TEST(a_late_sent_revokes_the_try_under_way)
{
    struct effect job = begin_job();
    rig_pass(rig, LEASE_MS);
    struct effect again = rig_job_told(rig);
    rig_sent(rig, &job);
    ck_assert_uint_eq(rig_count(rig, EFFECT_DONE), 1);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, again.lease);
    struct core_result returned = rig_result(&again, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    ck_ended(job.number, JOB_SENT);
}
END_TEST

START_TEST(a_late_failure_settles_nothing)
{
    struct effect job = begin_job();
    in_silence(LEASE_MS);
    rig_worker(rig, 1, 0);
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(a_result_for_an_unknown_lease_is_done_and_changes_nothing)
{
    struct effect job = begin_job();
    size_t records = rig->record_count;
    struct effect stranger = {.peer = 1, .lease = job.lease + (UINT64_C(1) << 30), .number = job.number};
    rig_sent(rig, &stranger);
    ck_assert_uint_eq(rig_count(rig, EFFECT_DONE), 1);
    ck_assert_uint_eq(rig->record_count, records);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(a_worker_nobody_knows_is_told_so)
{
    struct effect job = begin_job();
    job.peer = 9;
    rig_sent(rig, &job);
    ck_assert_uint_eq(rig_count(rig, EFFECT_UNKNOWN_WORKER), 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}
END_TEST

/* ---- restart ---- */

START_TEST(a_restart_keeps_a_lease_for_its_worker)
{
    struct effect job = begin_job();
    rig_restart(rig, 1000);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
    ready_with(7, 1001, &job.lease, 1);
    rig_pass(rig, 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
    job.peer = 7;
    rig_sent(rig, &job);
    ck_ended(job.number, JOB_SENT);
}
END_TEST

START_TEST(after_a_restart_a_lease_not_named_goes_back_unbegun)
{
    struct effect job = begin_job();
    rig_restart(rig, 1000);
    ready_with(7, 1001, NULL, 0);
    ck_assert_int_eq(rig_view(rig, job.number).state, JOB_QUEUED);
    ck_assert(!rig_view(rig, job.number).unsettled);
}
END_TEST

START_TEST(after_a_restart_a_lease_nobody_claims_lapses_late)
{
    struct effect job = begin_job();
    rig_restart(rig, 1000);
    in_silence(RESTART_MS + LEASE_MS - 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
    in_silence(1);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* ---- unknown ---- */

START_TEST(an_unknown_outcome_holds_its_conversation_and_no_class_overtakes)
{
    struct effect job = begin_job();
    answer_unknown(&job, 10000);
    rig_forget(rig);
    uint64_t reply = send_known(0, 1, CLASS_REPLY);
    rig_pass(rig, 9999);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_job(reply, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_job_told(rig).number, job.number);
}
END_TEST

START_TEST(cancelling_an_unknown_outcome_does_not_end_it)
{
    struct effect job = begin_job();
    answer_unknown(&job, 10000);
    core_cancel(rig->core, 1, 0, job.number, rig->now, &rig->out);
    rig_keep(rig);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* covers: code outcome_unknown; state failed */
START_TEST(a_job_that_expires_unsettled_failed_with_its_outcome_unknown)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + 5000;
    uint64_t number = rig_enqueue(rig, &ask).number;
    rig_tick(rig);
    struct effect job = rig_job_told(rig);
    answer_unknown(&job, 60000);
    rig_pass(rig, 4999);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_pass(rig, 1);
    ck_ended(number, JOB_FAILED);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
    ck_assert(end_of(number).dead);
}
END_TEST

START_TEST(nonsense_from_a_worker_is_an_unknown_outcome)
{
    struct effect job = begin_job();
    struct core_result result = rig_result(&job, OUTCOME_SENT);
    result.malformed = true;
    rig_answer(rig, &result);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* ---- retries and their scopes ---- */

/* covers: key policies.attempts_max */
START_TEST(attempts_max_ends_a_job_that_failed_by_itself)
{
    struct effect job = begin_job();
    for (int i = 0; i < 2; i++) {
        answer_retry(&job, SCOPE_JOB, 100);
        ck_job(job.number, JOB_QUEUED, REASON_RETRY_BACKOFF);
        rig_forget(rig);
        rig_pass(rig, 100);
        job = rig_job_told(rig);
    }
    answer_retry(&job, SCOPE_JOB, 100);
    ck_ended(job.number, JOB_FAILED);
    ck_assert(end_of(job.number).dead);
}
END_TEST

/* Else it would be a dead letter, and whoever brings those back would send what was cancelled (promise P7). */
START_TEST(a_job_that_was_cancelled_during_its_last_try_ends_cancelled_when_that_fails)
{
    struct effect job = begin_job();
    for (int i = 0; i < 2; i++) {
        answer_retry(&job, SCOPE_JOB, 100);
        rig_forget(rig);
        rig_pass(rig, 100);
        job = rig_job_told(rig);
    }
    core_cancel(rig->core, 1, 0, job.number, rig->now, &rig->out);
    rig_keep(rig);
    answer_retry(&job, SCOPE_JOB, 100);
    ck_ended(job.number, JOB_CANCELLED);
    ck_assert(!end_of(job.number).dead);
}
END_TEST

START_TEST(attempts_max_does_not_count_what_was_not_the_jobs_fault)
{
    static const enum scope wider[] = {SCOPE_CONVERSATION, SCOPE_LINE, SCOPE_ACCOUNT};
    struct effect job = begin_job();
    for (int i = 0; i < 6; i++) {
        answer_retry(&job, wider[i % 3], 100);
        rig_forget(rig);
        rig_pass(rig, 100);
        job = rig_job_told(rig);
    }
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(attempts_max_never_ends_a_job_that_may_have_been_sent)
{
    struct effect job = begin_job();
    for (int i = 0; i < 6; i++) {
        answer_unknown(&job, 100);
        rig_forget(rig);
        rig_pass(rig, 100);
        job = rig_job_told(rig);
    }
    answer_retry(&job, SCOPE_JOB, 100);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* After a retry of conversation 1 on line 0 for 5 s: who may go? */
static void expect_going(enum scope scope, bool other_conversation, bool other_line)
{
    struct effect job = begin_job();
    answer_retry(&job, scope, 5000);
    uint64_t here = send_known(0, 2, CLASS_REPLY);
    uint64_t there = send_known(1, 3, CLASS_REPLY);
    rig_pass(rig, 4999);
    ck_job(job.number, JOB_QUEUED, scope == SCOPE_JOB ? REASON_RETRY_BACKOFF : REASON_RATE_LIMITED);
    ck_assert_int_eq(rig_view(rig, here).state, other_conversation ? JOB_LEASED : JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, there).state, other_line ? JOB_LEASED : JOB_QUEUED);
    rig_pass(rig, 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}

START_TEST(retry_after_stops_as_much_as_its_scope_says)
{
    expect_going(SCOPE_JOB, true, true);
    expect_going(SCOPE_CONVERSATION, true, true);
    expect_going(SCOPE_LINE, false, true);
    expect_going(SCOPE_ACCOUNT, false, false);
}
END_TEST

START_TEST(a_refused_key_stops_the_account_until_a_good_poll)
{
    struct effect job = begin_job();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 401;
    result.scope = SCOPE_ACCOUNT;
    result.retry_after_ms = 0;
    result.key_refused = true;
    rig_answer(rig, &result);
    rig_forget(rig);
    ck_job(job.number, JOB_QUEUED, REASON_PROVIDER_DOWN);
    struct core_poll failed = {.poll = ++rig->polls, .begun_mono_ms = rig->now.mono_ms};
    core_poll_ended(rig->core, &failed, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 60000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_job_told(rig).number, job.number);
}
END_TEST

/* ---- message webhooks ---- */

static void told_message(int what, uint64_t number, uint64_t message_hash)
{
    struct core_message_fact fact = {
        .token = 5, .event = ++rig->polls + (UINT64_C(1) << 41), .number = number, .message_hash = message_hash};
    fact.what = what;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

START_TEST(the_echo_of_its_key_settles_an_unknown_outcome)
{
    struct effect job = begin_job();
    answer_unknown(&job, 10000);
    told_message(MESSAGE_FAILED, job.number, 0);
    ck_job(job.number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    told_message(MESSAGE_SENT, job.number, 0);
    ck_ended(job.number, JOB_SENT);
}
END_TEST

/* Else the next one of its conversation would go out beside the request (promise P2). */
START_TEST(the_echo_of_its_key_ends_nothing_while_another_try_is_under_way)
{
    struct effect job = begin_job();
    answer_unknown(&job, 0);
    rig_pass(rig, 1);
    struct effect again = *rig_told(rig, EFFECT_JOB, 0);
    ck_assert_uint_eq(again.number, job.number);
    uint64_t next = send_known(0, 1, CLASS_TRANSACTIONAL);
    told_message(MESSAGE_DELIVERED, job.number, 99);
    rig_pass(rig, 100);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
    ck_assert_int_eq(rig_view(rig, next).state, JOB_QUEUED);
    rig_sent(rig, &again);
    ck_ended(job.number, JOB_SENT);
}
END_TEST

START_TEST(what_becomes_of_a_sent_message_is_told_of_its_job)
{
    struct effect job = begin_job();
    rig_sent(rig, &job);
    uint64_t message = job.number * 17 + (UINT64_C(1) << 50); /* as rig_sent() names it */
    told_message(MESSAGE_DELIVERED, 0, message);
    told_message(MESSAGE_DELIVERED, 0, message + 1); /* nobody's */
    ck_assert_uint_eq(rig_records(rig, CHANGE_DELIVERY, 0, 0), 1);
    ck_assert_uint_eq(rig_records(rig, CHANGE_DELIVERY, job.number, 0), 1);
}
END_TEST

START_TEST(a_delivery_never_goes_back_and_is_told_once)
{
    struct effect job = begin_job();
    rig_sent(rig, &job);
    uint64_t message = job.number * 17 + (UINT64_C(1) << 50);
    static const struct {
        int what;
        size_t events;
    } told[] = {{MESSAGE_FAILED, 1},    {MESSAGE_FAILED, 1}, {MESSAGE_DELIVERED, 2}, {MESSAGE_FAILED, 2},
                {MESSAGE_DELIVERED, 2}, {MESSAGE_READ, 3},   {MESSAGE_DELIVERED, 3}, {MESSAGE_FAILED, 3}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        told_message(told[i].what, 0, message);
        ck_assert_uint_eq(rig_records(rig, CHANGE_DELIVERY, job.number, 0), told[i].events);
        if (i % 2 == 1)
            rig_restart(rig, 10);
    }
}
END_TEST

START_TEST(a_message_that_is_only_known_by_its_key_is_delivered_once_too)
{
    struct effect job = begin_job();
    rig_sent(rig, &job);
    told_message(MESSAGE_READ, job.number, 4711); /* another message id than the answer named */
    told_message(MESSAGE_DELIVERED, 0, 4711);
    ck_assert_uint_eq(rig_records(rig, CHANGE_DELIVERY, job.number, 0), 1);
}
END_TEST

START_TEST(a_broker_that_ends_grants_nothing_takes_back_what_was_not_begun_and_hears_the_rest)
{
    rig_worker(rig, 1, 2);
    for (uint64_t conversation = 1; conversation <= 3; conversation++)
        send_known(0, conversation, CLASS_REPLY);
    rig_pass(rig, 10000);
    struct effect begun = *rig_told(rig, EFFECT_JOB, 0);
    struct effect other = *rig_told(rig, EFFECT_JOB, 1);
    rig_forget(rig);
    ck_assert_uint_eq(core_in_flight(rig->core), 2);
    core_end(rig->core, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 2);
    struct core_result returned = rig_result(&other, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    rig_pass(rig, 2000);
    ck_assert_uint_eq(core_in_flight(rig->core), 1);
    rig_sent(rig, &begun);
    rig_pass(rig, 10000);
    ck_assert_uint_eq(core_in_flight(rig->core), 0);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_job(begun.number, JOB_NONE, REASON_NONE);
    ck_job(other.number, JOB_QUEUED, REASON_NO_WORKER);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 2);
    rig_pass(rig, 10000);
    ck_job(other.number, JOB_LEASED, REASON_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_broker_that_ends_grants_nothing_takes_back_what_was_not_begun_and_hears_the_rest,
        ready_keeps_the_leases_it_names_and_returns_the_others,
        a_worker_that_comes_back_is_told_what_was_cancelled_meanwhile,
        three_silent_heartbeats_and_the_worker_is_gone_but_its_lease_is_not,
        a_lapsed_lease_is_tried_again_with_the_same_key_on_the_same_line,
        a_lapsed_lease_waits_for_its_line_even_if_another_is_free,
        a_late_sent_is_believed,
        a_late_sent_is_believed_after_restarts,
        a_late_sent_revokes_the_try_under_way,
        a_late_failure_settles_nothing,
        a_result_for_an_unknown_lease_is_done_and_changes_nothing,
        a_worker_nobody_knows_is_told_so,
        a_restart_keeps_a_lease_for_its_worker,
        after_a_restart_a_lease_not_named_goes_back_unbegun,
        after_a_restart_a_lease_nobody_claims_lapses_late,
        an_unknown_outcome_holds_its_conversation_and_no_class_overtakes,
        cancelling_an_unknown_outcome_does_not_end_it,
        a_job_that_expires_unsettled_failed_with_its_outcome_unknown,
        nonsense_from_a_worker_is_an_unknown_outcome,
        attempts_max_ends_a_job_that_failed_by_itself,
        a_job_that_was_cancelled_during_its_last_try_ends_cancelled_when_that_fails,
        attempts_max_does_not_count_what_was_not_the_jobs_fault,
        attempts_max_never_ends_a_job_that_may_have_been_sent,
        retry_after_stops_as_much_as_its_scope_says,
        a_refused_key_stops_the_account_until_a_good_poll,
        the_echo_of_its_key_settles_an_unknown_outcome,
        the_echo_of_its_key_ends_nothing_while_another_try_is_under_way,
        what_becomes_of_a_sent_message_is_told_of_its_job,
        a_delivery_never_goes_back_and_is_told_once,
        a_message_that_is_only_known_by_its_key_is_delivered_once_too,
    };
    return run_suite("core_leases", tests, sizeof tests / sizeof *tests);
}
