/* core_collapse_test.c — a newer job with the same collapse key takes the place of the one that waits. */
#include "broker/core/core_forecast.h"
#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0, pair_per_min: 0")
#define KEY       UINT64_C(4711) /* the edge hashes conversation and key into one */

static struct core_enqueue job_of(uint64_t conversation, uint64_t key)
{
    struct core_enqueue job = job_known(0, conversation, CLASS_TRANSACTIONAL);
    job.collapse = key;
    return job;
}

static uint64_t offer(uint64_t conversation, uint64_t key)
{
    struct core_enqueue job = job_of(conversation, key);
    return accepted(&job);
}

static void ck_sent_in_order(const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(next_sent(), numbers[i]);
    ck_assert_uint_eq(next_sent(), 0);
}

static void begin_fast(void)
{
    begin_with(FAST_CONF, 1);
}

/* covers: field collapse_key; code superseded */
START_TEST(the_newer_one_takes_the_place_and_the_older_one_ends)
{
    for (int at = 0; at < 4; at++) { /* first, in the middle, last; over a restart too */
        begin_fast();
        uint64_t jobs[3];
        for (int i = 0; i < 3; i++)
            jobs[i] = offer(1, i == at % 3 ? KEY : 0);
        uint64_t newer = offer(1, KEY);
        ck_job(jobs[at % 3], JOB_NONE, REASON_NONE);
        struct core_status status;
        core_status_read(rig->core, rig->now, &status);
        ck_assert_uint_eq(status.cancelled_total, 1);
        ck_assert_uint_eq(status.jobs, 3);
        jobs[at % 3] = newer;
        if (at == 3)
            rig_restart(rig, 1000);
        rig_worker(rig, 1, 1);
        ck_sent_in_order(jobs, 3);
    }
}
END_TEST

START_TEST(it_keeps_the_place_through_tries_and_restarts)
{
    begin_fast();
    offer(1, KEY);
    uint64_t behind = offer(1, 0);
    offer(1, KEY);
    uint64_t newest = offer(1, KEY);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 1);
    rig_tick(rig);
    ck_job(newest, JOB_LEASED, REASON_NONE);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.retry_after_ms = 5000;
    rig_answer(rig, &result);
    rig_restart(rig, 1000); /* it waits for its next try */
    rig_worker(rig, 1, 1);
    rig_pass(rig, 3000);
    ck_job(behind, JOB_QUEUED, REASON_CONVERSATION_BUSY);
    rig_forget(rig);
    rig_pass(rig, 2000);
    ck_job(newest, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(between_conversations_it_keeps_the_place_too)
{
    begin_fast();
    offer(1, KEY);
    uint64_t other = offer(2, 0);
    uint64_t newer = offer(1, KEY);
    rig_worker(rig, 1, 1);
    const uint64_t order[] = {newer, other};
    ck_sent_in_order(order, 2);
}
END_TEST

START_TEST(one_that_is_leased_or_may_have_been_sent_is_left_alone)
{
    begin_fast();
    rig_worker(rig, 1, 1);
    uint64_t first = offer(1, KEY);
    rig_tick(rig);
    uint64_t second = offer(1, KEY);
    ck_job(first, JOB_LEASED, REASON_NONE);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    uint64_t third = offer(1, KEY); /* takes the second one's place */
    ck_job(first, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_job(second, JOB_NONE, REASON_NONE);
    rig_forget(rig);
    rig_pass(rig, 20000);
    ck_assert_uint_eq(rig_told(rig, EFFECT_JOB, 0)->number, first);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    ck_assert_uint_eq(next_sent(), third);
}
END_TEST

START_TEST(other_keys_conversations_and_jobs_without_one_are_none_of_its_business)
{
    begin_fast();
    uint64_t jobs[] = {offer(1, KEY), offer(1, KEY + 1), offer(1, 0), offer(1, 0)};
    uint64_t elsewhere = offer(2, KEY + 2);
    uint64_t last = offer(1, KEY);
    ck_job(jobs[0], JOB_NONE, REASON_NONE);
    ck_job(elsewhere, JOB_QUEUED, REASON_NO_WORKER);
    rig_worker(rig, 1, 1);
    const uint64_t order[] = {last, jobs[1], jobs[2], jobs[3], elsewhere};
    ck_sent_in_order(order, 5);
}
END_TEST

START_TEST(of_another_class_it_stands_behind_that_class)
{
    begin_fast();
    uint64_t ordinary[2], reply[2];
    for (int i = 0; i < 2; i++) {
        struct core_enqueue job = job_of(1, i == 0 ? KEY : 0);
        ordinary[i] = rig_enqueue(rig, &job).number;
    }
    for (int i = 0; i < 2; i++) {
        struct core_enqueue job = job_of(1, i == 1 ? KEY : 0);
        job.class = CLASS_REPLY;
        reply[i] = rig_enqueue(rig, &job).number;
    }
    ck_job(ordinary[0], JOB_NONE, REASON_NONE);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 1);
    const uint64_t order[] = {reply[0], reply[1], ordinary[1]};
    ck_sent_in_order(order, 3);
}
END_TEST

START_TEST(a_scheduled_one_gives_way_and_takes_the_place_when_it_falls_due)
{
    begin_fast();
    struct core_enqueue later = job_of(1, KEY);
    later.due_ms = rig->now.wall_ms + 5000;
    uint64_t scheduled = rig_enqueue(rig, &later).number;
    uint64_t first = offer(1, 0);
    uint64_t newer = offer(1, KEY);
    ck_job(scheduled, JOB_NONE, REASON_NONE);
    later.due_ms = rig->now.wall_ms + 2000;
    uint64_t again = rig_enqueue(rig, &later).number;
    ck_job(newer, JOB_NONE, REASON_NONE);
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), first);
    rig_pass(rig, 2000);
    ck_job(again, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(an_expired_one_takes_nobody_s_place)
{
    begin_fast();
    uint64_t waits = offer(1, KEY);
    struct core_enqueue late = job_of(1, KEY);
    late.expires_ms = rig->now.wall_ms - 1;
    ck_assert_int_eq(rig_enqueue(rig, &late).state, JOB_EXPIRED);
    ck_job(waits, JOB_QUEUED, REASON_NO_WORKER);
}
END_TEST

START_TEST(in_a_paused_campaign_it_keeps_the_place)
{
    begin_fast();
    uint16_t campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    struct core_enqueue job = job_of(1, KEY);
    job.campaign = campaign;
    rig_enqueue(rig, &job);
    job.collapse = 0;
    uint64_t second = rig_enqueue(rig, &job).number;
    rig_pause(rig, PAUSE_CAMPAIGN, campaign, 0);
    rig_worker(rig, 1, 1);
    ck_assert_uint_eq(next_sent(), 0); /* both stepped out of the way */
    job.collapse = KEY;
    uint64_t newer = rig_enqueue(rig, &job).number;
    ck_assert_uint_eq(next_sent(), 0);
    rig_resume(rig, PAUSE_CAMPAIGN, campaign, 0);
    const uint64_t order[] = {newer, second};
    ck_sent_in_order(order, 2);
}
END_TEST

/* What is imported, or moved, was accepted before it came: only who is older still gives way to it. */
/* covers: field exported */
START_TEST(an_exported_job_takes_the_place_of_older_ones_only)
{
    begin_fast();
    uint64_t old = offer(1, KEY), other = offer(2, 0), newer = offer(3, KEY + 1);
    struct core_enqueue job = job_of(1, KEY);
    struct core_would would;
    job.exported = true;
    job.exported_as = other;
    core_would_enqueue(rig->core, &job, false, rig->now, &would);
    ck_assert_int_eq(would.effect.code, CODE_NONE);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    ck_job(old, JOB_NONE, REASON_NONE);
    job = job_of(3, KEY + 1);
    job.exported = true;
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        job.exported_as = elsewhere ? 0 : other;
        core_would_enqueue(rig->core, &job, false, rig->now, &would);
        ck_assert_int_eq(would.effect.code, CODE_SUPERSEDED);
        struct effect answer = rig_enqueue(rig, &job);
        ck_assert_int_eq(answer.code, CODE_SUPERSEDED);
        ck_assert_str_eq(answer.field, "collapse_key");
    }
    ck_assert_int_eq(rig_view(rig, newer).state, JOB_QUEUED);
    job.collapse = KEY + 2; /* no such one waits */
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
}
END_TEST

/* What it replaces is the last job that names the line; of other lines none is healthy. */
START_TEST(fail_if_held_is_judged_as_if_the_one_that_is_replaced_were_gone)
{
    for (int later = 0; later < 2; later++) { /* one that stands in the list, and one that is not due yet */
        begin_fast();
        struct core_enqueue old = rig_job(1, CLASS_TRANSACTIONAL);
        old.from_line = RIG_LINE;
        old.collapse = KEY;
        old.due_ms = later ? rig->now.wall_ms + 3600000 : 0;
        uint64_t number = accepted(&old);
        core_cordon(rig->core, 82, RIG_LINE, true, rig->now, &rig->out);
        rig_keep(rig);
        struct core_enqueue newer = rig_job(1, CLASS_REPLY);
        newer.collapse = KEY;
        newer.fail_if_held = true;
        ck_assert_int_eq(rig_enqueue(rig, &newer).code, CODE_HELD);
        ck_assert_int_ne(rig_view(rig, number).state, JOB_NONE);
    }
}
END_TEST

/* What it replaces is all that keeps the conversation on its flagged line: it names that, or waits for the provider. */
START_TEST(fail_if_held_is_judged_as_if_what_keeps_the_conversation_on_its_line_were_gone)
{
    for (int names = 0; names < 2; names++) {
        begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move"), 2);
        uint64_t number = offer(1, KEY);
        if (!names) {
            rig_worker(rig, 1, 1);
            ck_assert_uint_eq(next_sent(), number);
            struct core_enqueue old = rig_job(1, CLASS_TRANSACTIONAL);
            old.collapse = KEY;
            rig_forget(rig);
            number = accepted(&old);
            struct effect job = leased();
            answer_retry(&job, SCOPE_CONVERSATION, 60000);
        }
        told_service(SERVICE_FLAGGED);
        rig_worker(rig, 1, 1);
        ck_job(number, JOB_QUEUED, REASON_LINE_FLAGGED);
        struct core_enqueue newer = rig_job(1, CLASS_TRANSACTIONAL);
        newer.collapse = KEY;
        newer.fail_if_held = true;
        struct effect answer = rig_enqueue(rig, &newer);
        ck_assert_int_eq(answer.code, CODE_NONE);
        ck_job(answer.number, JOB_QUEUED, REASON_NONE);
        ck_assert_uint_eq(next_sent(), answer.number);
    }
}
END_TEST

/* Neither the line that only the one that ends for it names is its own, nor does that one go before it. */
START_TEST(a_rehearsal_says_what_becomes_of_a_job_that_takes_a_place)
{
    begin_fast();
    struct core_enqueue old = rig_job(1, CLASS_TRANSACTIONAL);
    old.from_line = RIG_LINE;
    old.collapse = KEY;
    accepted(&old);
    core_cordon(rig->core, 82, RIG_LINE, true, rig->now, &rig->out);
    rig_keep(rig);
    struct core_enqueue newer = rig_job(1, CLASS_TRANSACTIONAL);
    newer.collapse = KEY;
    struct core_would would;
    core_would_enqueue(rig->core, &newer, false, rig->now, &would);
    ck_assert_int_eq(would.effect.code, CODE_NONE);
    struct effect answer = rig_enqueue(rig, &newer);
    ck_assert_uint_eq(would.effect.line, answer.line);
    ck_assert_str_eq(reason_name(would.effect.reason), reason_name(answer.reason));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_newer_one_takes_the_place_and_the_older_one_ends,
        fail_if_held_is_judged_as_if_the_one_that_is_replaced_were_gone,
        fail_if_held_is_judged_as_if_what_keeps_the_conversation_on_its_line_were_gone,
        a_rehearsal_says_what_becomes_of_a_job_that_takes_a_place,
        an_exported_job_takes_the_place_of_older_ones_only,
        it_keeps_the_place_through_tries_and_restarts,
        between_conversations_it_keeps_the_place_too,
        one_that_is_leased_or_may_have_been_sent_is_left_alone,
        other_keys_conversations_and_jobs_without_one_are_none_of_its_business,
        of_another_class_it_stands_behind_that_class,
        a_scheduled_one_gives_way_and_takes_the_place_when_it_falls_due,
        an_expired_one_takes_nobody_s_place,
        in_a_paused_campaign_it_keeps_the_place,
    };
    return run_suite("core_collapse", tests, sizeof tests / sizeof *tests);
}
