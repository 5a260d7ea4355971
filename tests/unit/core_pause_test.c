/* core_pause_test.c — pauses of campaigns and of conversations: what stops, what steps out of the way, and that all of
 * it comes back in its order (DESIGN section 3, Conversation rules; promises P2 and P3). */
#include <string.h>

#include "broker/core/state.h"
#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0")

static void begin_fast(void)
{
    begin_with(FAST_CONF, 1);
}

static uint16_t named(const char *campaign)
{
    uint16_t number = core_campaign(rig->core, campaign, &rig->out);
    rig_keep(rig);
    return number;
}

static uint64_t target_of(const char *campaign) /* in pool 0 */
{
    return named(campaign);
}

/* A job of a conversation that lives on line 0; campaign NULL: of none. */
static uint64_t send(uint64_t conversation, const char *campaign)
{
    struct core_enqueue job = job_known(0, conversation, CLASS_TRANSACTIONAL);
    job.campaign = campaign == NULL ? 0 : named(campaign);
    return accepted(&job);
}

/* ---- campaigns ---- */

/* covers: reason campaign_paused; field campaign */
START_TEST(jobs_of_a_paused_campaign_step_out_of_the_way_of_those_behind_them)
{
    begin_fast();
    uint64_t of_it = send(1, "spring");
    uint64_t other = send(1, NULL);
    uint64_t pause = rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    ck_assert_uint_ne(pause, 0);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_job(other, JOB_QUEUED, REASON_NO_WORKER); /* nothing is in its way */
    ck_assert_uint_eq(rig_view(rig, of_it).pause, pause);
    ck_assert_int_eq(rig_view(rig, of_it).since_ms, rig->now.wall_ms);
    rig_worker(rig, 1, 4);
    ck_assert_uint_eq(next_sent(), other);
    rig_pass(rig, 60000);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_assert_uint_eq(rig_view(rig, of_it).pause, pause);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), pause), CODE_NONE);
    ck_assert_uint_eq(next_sent(), of_it);
}
END_TEST

START_TEST(one_that_finds_no_place_to_step_aside_goes_when_its_campaign_goes_on)
{
    struct rig_options options = {.conf = FAST_CONF, .seed = 1, .limits.jobs_max = CONVERSATION_SCHEDULED_MAX + 10};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct core_enqueue later = job_known(0, 1, CLASS_TRANSACTIONAL);
    later.due_ms = rig->now.wall_ms + 3600000;
    for (unsigned i = 0; i < CONVERSATION_SCHEDULED_MAX - 1; i++) {
        accepted(&later);
        rig_forget(rig);
    }
    uint64_t of_it = send(1, "spring");
    uint64_t pause = rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 1000);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), pause), CODE_NONE);
    rig_pass(rig, 1000);
    ck_job(of_it, JOB_LEASED, REASON_NONE);
}
END_TEST

/* covers: field if_held; code held */
START_TEST(fail_if_held_is_refused_while_its_campaign_is_paused)
{
    begin_fast();
    send(1, "spring");
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    for (uint64_t conversation = 1; conversation <= 2; conversation++) { /* a known one and a new one */
        struct core_enqueue job = rig_job(conversation, CLASS_CAMPAIGN);
        job.fail_if_held = true;
        job.campaign = named("spring");
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD);
        job.campaign = named("summer");
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    }
}
END_TEST

/* covers: field if_held; code held */
START_TEST(fail_if_held_is_refused_by_a_pause_on_who_was_never_written_to)
{
    begin_fast();
    rig_pause(rig, PAUSE_CONVERSATION, 7, 0);
    struct core_enqueue job = rig_job(7, CLASS_REPLY);
    job.fail_if_held = true;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD);
    rig_resume(rig, PAUSE_CONVERSATION, 7, 0);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
}
END_TEST

START_TEST(what_stepped_aside_takes_its_place_by_acceptance_again)
{
    begin_fast();
    uint64_t jobs[8];
    for (int i = 0; i < 8; i++) {
        jobs[i] = send(1, i % 2 == 0 ? "spring" : NULL);
        if (i == 3)
            rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    }
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), jobs[1]);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    const int order[] = {0, 2, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        ck_assert_uint_eq(next_sent(), jobs[order[i]]);
}
END_TEST

START_TEST(campaigns_of_one_conversation_come_back_one_by_one_in_its_order)
{
    static const char *const names[] = {"a", "b", "c"};
    begin_fast();
    uint64_t jobs[9];
    for (int i = 0; i < 9; i++)
        jobs[i] = send(1, names[i % 3]);
    for (int c = 0; c < 3; c++)
        rig_pause(rig, PAUSE_CAMPAIGN, target_of(names[c]), 0);
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), 0);
    const int back[] = {1, 2, 0};
    for (int c = 0; c < 3; c++) /* without a tick between them */
        rig_resume(rig, PAUSE_CAMPAIGN, target_of(names[back[c]]), 0);
    for (int i = 0; i < 9; i++)
        ck_assert_uint_eq(next_sent(), jobs[i]);
}
END_TEST

START_TEST(a_campaign_s_jobs_fall_due_while_it_is_paused_and_keep_that_order)
{
    begin_fast();
    uint64_t first = send(1, "spring");
    struct core_enqueue later = rig_job(1, CLASS_TRANSACTIONAL);
    later.campaign = named("spring");
    later.due_ms = rig->now.wall_ms + 5000;
    uint64_t scheduled = rig_enqueue(rig, &later).number;
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_pass(rig, 1000);
    uint64_t second = send(1, "spring");
    rig_pass(rig, 10000);
    uint64_t third = send(1, "spring");
    ck_job(scheduled, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), 0);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    const uint64_t order[] = {first, second, scheduled, third};
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(next_sent(), order[i]);
}
END_TEST

START_TEST(a_paused_campaign_s_leases_are_revoked_and_others_are_not)
{
    begin_fast();
    rig_worker(rig, 1, 4);
    uint64_t of_it = send(1, "spring");
    uint64_t other = send(2, "summer");
    uint64_t none = send(3, NULL);
    rig_tick(rig);
    ck_job(of_it, JOB_LEASED, REASON_NONE);
    uint64_t lease = rig_told(rig, EFFECT_JOB, 0)->lease;
    rig->options.hold_commits = true; /* they do not wait for the disk */
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, lease);
    rig->options.hold_commits = false;
    struct core_result returned = {.peer = 1, .lease = lease, .outcome = OUTCOME_RETURNED, .retry_after_ms = -1};
    rig_answer(rig, &returned);
    rig_pass(rig, 1000);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_job(other, JOB_LEASED, REASON_NONE);
    ck_job(none, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, of_it).attempts, 0);
}
END_TEST

START_TEST(a_lease_whose_job_never_left_is_not_handed_out_after_the_pause)
{
    static const enum pause_scope scopes[] = {PAUSE_CAMPAIGN, PAUSE_CONVERSATION};
    for (int s = 0; s < 2; s++) {
        begin_fast();
        rig_worker(rig, 1, 4);
        uint64_t number = send(1, "spring");
        rig->options.hold_commits = true;
        rig_tick(rig);
        ck_job(number, JOB_LEASED, REASON_NONE);
        rig_pause(rig, scopes[s], scopes[s] == PAUSE_CAMPAIGN ? target_of("spring") : 1, 0);
        rig_commit(rig, rig->record_count);
        ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
        ck_job(number, JOB_QUEUED, s == 0 ? REASON_CAMPAIGN_PAUSED : REASON_CONVERSATION_PAUSED);
    }
}
END_TEST

/* Found by the simulation, seed 170709: the word of the pause never reached it, for it, or the broker, was away. */
START_TEST(a_worker_that_comes_back_with_a_lease_is_told_of_the_pause)
{
    static const enum pause_scope scopes[] = {PAUSE_CAMPAIGN, PAUSE_CONVERSATION};
    for (int s = 0; s < 2; s++) {
        begin_fast();
        rig_worker(rig, 1, 4);
        send(1, "spring");
        rig_tick(rig);
        const uint64_t lease = rig_told(rig, EFFECT_JOB, 0)->lease;
        const struct core_ready ready = {
            .peer = 2, .instance = 1001, .slots = 4, .leases = &lease, .lease_count = 1, .worker = "w"};
        rig_pause(rig, scopes[s], scopes[s] == PAUSE_CAMPAIGN ? target_of("spring") : 1, 0);
        rig_forget(rig);
        core_worker_ready(rig->core, &ready, rig->now, &rig->out);
        rig_keep(rig);
        ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
        ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, lease);
        ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->peer, 2);
    }
}
END_TEST

START_TEST(a_conversation_s_pause_ends_an_expired_lease_that_never_left)
{
    struct rig_options options = {.conf = FAST_CONF, .seed = 1, .hold_commits = true};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_commit(rig, rig->record_count);
    struct core_enqueue ask = rig_job(7, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + 5;
    rig_enqueue(rig, &ask);
    rig_commit(rig, rig->record_count);
    rig_tick(rig); /* leased, the commit is under way */
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig->now.wall_ms += 10; /* it expires, and nobody looks */
    rig->now.mono_ms += 10;
    rig_pause(rig, PAUSE_CONVERSATION, 7, 0);
    rig_commit(rig, rig->record_count);
    uint64_t a = rig_send(rig, 8, CLASS_TRANSACTIONAL), b = rig_send(rig, 9, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_assert_int_ne(rig_view(rig, a).state, JOB_NONE);
    ck_assert_int_ne(rig_view(rig, b).state, JOB_NONE);
}
END_TEST

START_TEST(an_unknown_outcome_of_a_paused_campaign_stays_first_and_goes_on_with_it)
{
    begin_fast();
    rig_worker(rig, 1, 4);
    uint64_t unknown = send(1, "spring");
    uint64_t behind = send(1, NULL);
    rig_tick(rig);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_forget(rig);
    rig_pass(rig, 60000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_job(unknown, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_job(behind, JOB_QUEUED, REASON_CONVERSATION_BUSY);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 60000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    ck_assert_uint_eq(next_sent(), unknown);
    ck_assert_uint_eq(next_sent(), behind);
}
END_TEST

START_TEST(a_job_that_waits_for_its_next_try_steps_aside_when_that_has_come)
{
    begin_fast();
    rig_worker(rig, 1, 4);
    uint64_t failed = send(1, "spring");
    uint64_t behind = send(1, NULL);
    rig_tick(rig);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.retry_after_ms = 20000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    ck_job(failed, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_job(behind, JOB_QUEUED, REASON_CONVERSATION_BUSY);
    rig_pass(rig, 20000);
    ck_job(behind, JOB_LEASED, REASON_NONE);
    ck_job(failed, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
}
END_TEST

START_TEST(jobs_that_stepped_aside_still_expire_and_are_cancelled)
{
    begin_fast();
    struct core_enqueue brief = rig_job(1, CLASS_CAMPAIGN);
    brief.campaign = named("spring");
    brief.expires_ms = rig->now.wall_ms + 5000;
    uint64_t expires = rig_enqueue(rig, &brief).number;
    brief.expires_ms = 0;
    uint64_t cancelled = rig_enqueue(rig, &brief).number;
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_worker(rig, 1, 1);
    rig_pass(rig, 4999);
    ck_assert(rig_view(rig, expires).yielded && rig_view(rig, cancelled).yielded);
    rig_pass(rig, 1);
    ck_job(expires, JOB_NONE, REASON_NONE);
    core_cancel(rig->core, 1, 0, cancelled, rig->now, &rig->out);
    rig_keep(rig);
    ck_job(cancelled, JOB_NONE, REASON_NONE);
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    ck_assert_uint_eq(status.jobs, 0);
    ck_assert_uint_eq(status.conversations, 0);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
}
END_TEST

START_TEST(a_campaign_s_pause_outlives_a_restart_and_ends_in_its_time)
{
    begin_fast();
    uint64_t of_it = send(1, "spring");
    uint64_t other = send(1, NULL);
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 30000);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), other);
    rig_pass(rig, 28999);
    ck_job(of_it, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    rig_pass(rig, 1);
    ck_job(of_it, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(a_campaign_is_its_pool_s_and_must_be_known)
{
    begin_with(FAST_CONF "pools:\n  a: {lines: [+12025550100]}\n  b: {lines: [+12025550101]}\n", 2);
    rig_worker(rig, 1, 4);
    uint64_t numbers[2];
    for (uint32_t pool = 0; pool < 2; pool++) {
        struct core_enqueue job = rig_job(10 + pool, CLASS_CAMPAIGN);
        job.pool = pool;
        job.campaign = named("spring");
        numbers[pool] = rig_enqueue(rig, &job).number;
    }
    ck_assert_uint_ne(rig_pause(rig, PAUSE_CAMPAIGN, UINT64_C(1) << 16 | named("spring"), 0), 0);
    rig_tick(rig);
    ck_job(numbers[0], JOB_LEASED, REASON_NONE);
    ck_job(numbers[1], JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_assert_uint_eq(rig_pause(rig, PAUSE_CAMPAIGN, named("autumn"), 0), 0);
    ck_assert_uint_eq(rig_pause(rig, PAUSE_CAMPAIGN, 0, 0), 0);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CAMPAIGN, named("spring"), 0), CODE_NOT_FOUND);
}
END_TEST

/* Counts what waits for whom: those that stepped aside with their pool and reason, with no line. */
START_TEST(what_stepped_aside_is_counted_as_such)
{
    begin_fast();
    for (uint64_t c = 1; c <= 10; c++)
        send(c, "spring");
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_worker(rig, 1, 1);
    rig_tick(rig);
    struct core_status status;
    struct pool_view pool;
    core_status_read(rig->core, rig->now, &status);
    core_pool_view(rig->core, 0, &pool);
    ck_assert_uint_eq(status.backlog_by_reason[REASON_CAMPAIGN_PAUSED], 10);
    ck_assert_uint_eq(pool.waiting, 10);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_queued, 0);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_queued, 10);
}
END_TEST

#define MANY 60000u

static void send_many(void)
{
    struct rig_options options = {
        .conf = FAST_CONF, .seed = 1, .limits = {.jobs_max = MANY + 100, .conversations_max = MANY + 100}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    for (uint64_t conversation = 1; conversation <= MANY; conversation++) {
        send(conversation, "spring");
        rig_forget(rig);
    }
}

static size_t touched_by_a_pause(void)
{
    void *before = malloc(rig->memory_used);
    ck_assert_ptr_nonnull(before);
    memcpy(before, rig->memory, rig->memory_used);
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    size_t touched = 0;
    for (size_t at = 0; at + 64 <= rig->memory_used; at += 64)
        touched += memcmp((const char *)before + at, (const char *)rig->memory + at, 64) != 0 ? 64 : 0;
    free(before);
    return touched;
}

START_TEST(closing_a_campaign_is_no_work_per_job_and_opening_it_is_done_in_slices)
{
    send_many();
    ck_assert_uint_le(touched_by_a_pause(), 16384);
    rig_worker(rig, 1, 8);
    unsigned slices = 0;
    while (core_next_mono_ms(rig->core, rig->now) <= rig->now.mono_ms) {
        rig_tick(rig);
        ck_assert_uint_lt(++slices, 1000);
    }
    ck_assert_uint_ge(slices, 20);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    uint32_t waiting = rig_line(rig, 0).backlog_queued;
    ck_assert_uint_lt(waiting, 2048);
    for (slices = 0; waiting < MANY - 8; slices++) {
        rig_tick(rig);
        waiting = rig_line(rig, 0).backlog_queued;
        ck_assert_uint_lt(slices, 1000);
    }
    ck_assert_uint_ge(slices, 20);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 8);
}
END_TEST

/* ---- conversations ---- */

/* covers: reason conversation_paused */
START_TEST(a_paused_conversation_s_jobs_wait_and_others_go)
{
    begin_fast();
    rig_worker(rig, 1, 4);
    uint64_t pause = rig_pause(rig, PAUSE_CONVERSATION, 1, 0); /* before anybody wrote to it */
    uint64_t held = send(1, NULL);
    uint64_t behind = send(1, NULL);
    uint64_t other = send(2, NULL);
    rig_pass(rig, 60000);
    ck_job(held, JOB_QUEUED, REASON_CONVERSATION_PAUSED);
    ck_job(behind, JOB_QUEUED, REASON_CONVERSATION_PAUSED);
    ck_job(other, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, held).pause, pause);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 60000);
    ck_job(held, JOB_QUEUED, REASON_CONVERSATION_PAUSED);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CONVERSATION, 1, pause), CODE_NONE);
    ck_assert_uint_eq(next_sent(), held);
    ck_assert_uint_eq(next_sent(), behind);
}
END_TEST

START_TEST(a_conversation_s_pause_revokes_its_lease_and_ends_in_its_time)
{
    begin_fast();
    rig_worker(rig, 1, 4);
    uint64_t number = send(1, NULL);
    send(2, NULL);
    rig_tick(rig);
    rig_pause(rig, PAUSE_CONVERSATION, 1, 0);
    rig_pause(rig, PAUSE_CONVERSATION, 1, 5000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    uint64_t lease = rig_told(rig, EFFECT_REVOKE, 0)->lease;
    struct core_result returned = {.peer = 1, .lease = lease, .outcome = OUTCOME_RETURNED, .retry_after_ms = -1};
    rig_answer(rig, &returned);
    rig_pass(rig, 6000);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_PAUSED); /* the other pause still holds */
    ck_assert_int_eq(rig_resume(rig, PAUSE_CONVERSATION, 1, 0), CODE_NONE);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CONVERSATION, 1, 0), CODE_NOT_FOUND);
}
END_TEST

START_TEST(one_that_comes_back_while_a_younger_one_is_under_way_goes_before_its_next_try)
{
    begin_fast();
    uint64_t older = send(1, "spring");
    rig_pause(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    uint64_t younger = send(1, NULL);
    rig_worker(rig, 1, 8);
    rig_tick(rig);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    ck_assert_uint_eq(job.number, younger);
    rig_forget(rig);
    rig_resume(rig, PAUSE_CAMPAIGN, target_of("spring"), 0);
    rig_pass(rig, 10); /* the older one stands behind the one that a worker has */
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 0;
    rig_answer(rig, &result);
    rig_forget(rig);
    rig_tick(rig);
    ck_assert_uint_eq(rig_told(rig, EFFECT_JOB, 0)->number, older);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        jobs_of_a_paused_campaign_step_out_of_the_way_of_those_behind_them,
        one_that_finds_no_place_to_step_aside_goes_when_its_campaign_goes_on,
        fail_if_held_is_refused_while_its_campaign_is_paused,
        fail_if_held_is_refused_by_a_pause_on_who_was_never_written_to,
        what_stepped_aside_takes_its_place_by_acceptance_again,
        one_that_comes_back_while_a_younger_one_is_under_way_goes_before_its_next_try,
        campaigns_of_one_conversation_come_back_one_by_one_in_its_order,
        a_campaign_s_jobs_fall_due_while_it_is_paused_and_keep_that_order,
        a_paused_campaign_s_leases_are_revoked_and_others_are_not,
        a_lease_whose_job_never_left_is_not_handed_out_after_the_pause,
        a_worker_that_comes_back_with_a_lease_is_told_of_the_pause,
        a_conversation_s_pause_ends_an_expired_lease_that_never_left,
        an_unknown_outcome_of_a_paused_campaign_stays_first_and_goes_on_with_it,
        a_job_that_waits_for_its_next_try_steps_aside_when_that_has_come,
        jobs_that_stepped_aside_still_expire_and_are_cancelled,
        a_campaign_s_pause_outlives_a_restart_and_ends_in_its_time,
        a_campaign_is_its_pool_s_and_must_be_known,
        what_stepped_aside_is_counted_as_such,
        closing_a_campaign_is_no_work_per_job_and_opening_it_is_done_in_slices,
        a_paused_conversation_s_jobs_wait_and_others_go,
        a_conversation_s_pause_revokes_its_lease_and_ends_in_its_time,
    };
    return run_suite("core_pause", tests, sizeof tests / sizeof *tests);
}
