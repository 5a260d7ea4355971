/* core_triage_test.c — an operator's word on jobs that wait: they end as they would by themselves, over restarts, and what
 * may have been sent is kept (promises P1, P2, P7). */
#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0")

static bool ask(uint64_t number, const struct core_triage *what)
{
    bool done = core_triage(rig->core, number, what, rig->now, &rig->out);
    rig_keep(rig);
    return done;
}

static bool triage(uint64_t number, enum triage how)
{
    return ask(number, &(struct core_triage){.how = how});
}

static bool redate_due(uint64_t number, int64_t due_ms)
{
    return ask(number, &(struct core_triage){.how = TRIAGE_REDATE, .has_due = true, .due_ms = due_ms});
}

static bool redate_expiry(uint64_t number, int64_t expires_ms)
{
    return ask(number, &(struct core_triage){.how = TRIAGE_REDATE, .has_expires = true, .expires_ms = expires_ms});
}

static enum drain_stay kept(uint64_t number)
{
    enum drain_stay stay = DRAIN_STAY_COUNT;
    const struct core_triage what = {.how = TRIAGE_CANCEL};
    return core_triage_keeps(rig->core, number, &what, &stay) ? stay : DRAIN_STAY_COUNT;
}

static uint64_t totals_of(enum triage how)
{
    struct core_status status;
    core_totals_read(rig->core, rig->now, &status);
    return how == TRIAGE_CANCEL ? status.cancelled_total : status.expired_total;
}

/* From the head, the middle and the end of a conversation, and one that is not due yet: the rest goes in its order. */
static void take_out_and_send(enum triage how, bool restarts)
{
    uint64_t jobs[7];
    begin_with(FAST_CONF, 1);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_ALL, 0, 0), 0);
    for (unsigned i = 0; i < 6; i++)
        jobs[i] = rig_send(rig, 7, CLASS_TRANSACTIONAL);
    struct core_enqueue later = rig_job(7, CLASS_TRANSACTIONAL);
    later.due_ms = rig->now.wall_ms + 60000;
    jobs[6] = rig_enqueue(rig, &later).number;
    static const unsigned taken[] = {0, 2, 5, 6};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(kept(jobs[taken[i]]), DRAIN_STAY_NONE);
        ck_assert(triage(jobs[taken[i]], how));
        ck_assert(!triage(jobs[taken[i]], how));
    }
    ck_assert_uint_eq(totals_of(how), 4);
    ck_assert_uint_eq(totals_of(how == TRIAGE_CANCEL ? TRIAGE_EXPIRE : TRIAGE_CANCEL), 0);
    if (restarts)
        rig_restart(rig, 1000);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(rig_view(rig, jobs[taken[i]]).state, JOB_NONE);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, 0), CODE_NONE);
    rig_worker(rig, 1, 8);
    static const unsigned left[] = {1, 3, 4};
    for (unsigned i = 0; i < 3; i++) {
        rig_forget(rig);
        rig_pass(rig, 1000);
        ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
        struct effect job = *rig_told(rig, EFFECT_JOB, 0);
        ck_assert_uint_eq(job.number, jobs[left[i]]);
        rig_sent(rig, &job);
    }
    rig_forget(rig);
    rig_pass(rig, 120000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
}

START_TEST(what_is_leased_or_of_unknown_outcome_is_kept)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    uint64_t number = rig_send(rig, 7, CLASS_TRANSACTIONAL);
    uint64_t next = rig_send(rig, 7, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    const struct effect *lease = rig_told(rig, EFFECT_JOB, 0);
    ck_assert_ptr_nonnull(lease);
    ck_assert_int_eq(kept(number), DRAIN_STAY_LEASED);
    ck_assert(!triage(number, TRIAGE_CANCEL));
    struct core_result result = rig_result(lease, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 600000;
    rig_answer(rig, &result);
    for (int starts = 0; starts < 2; starts++) {
        ck_assert_int_eq(kept(number), DRAIN_STAY_OUTCOME_UNKNOWN);
        ck_assert(!triage(number, TRIAGE_EXPIRE));
        ck_assert(!triage(number, TRIAGE_CANCEL));
        ck_assert_int_eq(kept(next), DRAIN_STAY_NONE);
        rig_restart(rig, 1000);
    }
    ck_assert(triage(next, TRIAGE_CANCEL)); /* what waits behind it surely was not sent */
    ck_assert(rig_view(rig, number).unsettled);
}
END_TEST

START_TEST(the_mark_parts_what_is_accepted_before_and_after_it_over_restarts)
{
    begin_with(FAST_CONF, 1);
    uint64_t before = rig_send(rig, 1, CLASS_CAMPAIGN);
    uint64_t mark = core_accept_mark(rig->core);
    uint64_t after = rig_send(rig, 2, CLASS_CAMPAIGN);
    rig_restart(rig, 1000);
    uint64_t later = rig_send(rig, 3, CLASS_CAMPAIGN);
    ck_assert_uint_lt(rig_view(rig, before).sequence, mark);
    ck_assert_uint_ge(rig_view(rig, after).sequence, mark);
    ck_assert_uint_gt(rig_view(rig, later).sequence, rig_view(rig, after).sequence);
    ck_assert_int_eq(kept(0), DRAIN_STAY_COUNT);
}
END_TEST

/* ---- other dates ---- */

#define MINUTE 60000

static uint64_t dated(uint64_t conversation, int64_t due_ms, int64_t expires_ms)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.due_ms = due_ms;
    job.expires_ms = expires_ms;
    return rig_enqueue(rig, &job).number;
}

static void clean_all(void)
{
    for (size_t i = 0, count = rig->record_count; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
}

/* Later than it was, earlier, never, and for once: each as it says, whatever starts and cleans in between. */
START_TEST(another_expiry_counts_over_restarts_and_cleaning)
{
    for (int starts = 0; starts < 3; starts++) {
        begin_with(FAST_CONF, 1);
        ck_assert_uint_ne(rig_pause(rig, PAUSE_ALL, 0, 0), 0);
        int64_t now_ms = rig->now.wall_ms;
        uint64_t later = dated(1, 0, now_ms + 10 * MINUTE), sooner = dated(2, 0, now_ms + 10 * MINUTE),
                 never = dated(3, 0, now_ms + 10 * MINUTE), at_last = dated(4, 0, 0), same = dated(5, 0, now_ms + 10 * MINUTE);
        ck_assert(redate_expiry(later, now_ms + 30 * MINUTE));
        ck_assert(redate_expiry(sooner, now_ms + 5 * MINUTE));
        ck_assert(redate_expiry(never, 0));
        ck_assert(redate_expiry(at_last, now_ms + 5 * MINUTE));
        if (starts > 0)
            rig_restart(rig, 1000);
        if (starts > 1) {
            clean_all();
            rig_restart(rig, 1000);
        }
        ck_assert_int_eq(rig_view(rig, later).expires_ms, now_ms + 30 * MINUTE);
        rig_pass(rig, 7 * MINUTE);
        ck_assert_int_eq(rig_view(rig, sooner).state, JOB_NONE);
        ck_assert_int_eq(rig_view(rig, at_last).state, JOB_NONE);
        ck_assert_int_eq(rig_view(rig, same).state, JOB_QUEUED);
        rig_pass(rig, 5 * MINUTE);
        ck_assert_int_eq(rig_view(rig, same).state, JOB_NONE);
        ck_assert_int_eq(rig_view(rig, later).state, JOB_QUEUED);
        rig_pass(rig, 60 * MINUTE);
        ck_assert_int_eq(rig_view(rig, later).state, JOB_NONE);
        ck_assert_int_eq(rig_view(rig, never).state, JOB_QUEUED);
        end_rig();
    }
    begin_default();
}
END_TEST

START_TEST(what_is_not_due_yet_falls_due_at_its_new_time)
{
    for (int starts = 0; starts < 2; starts++) {
        begin_with(FAST_CONF, 1);
        int64_t now_ms = rig->now.wall_ms;
        uint64_t later = dated(1, now_ms + 10 * MINUTE, 0), sooner = dated(2, now_ms + 60 * MINUTE, 0),
                 at_once = dated(3, now_ms + 60 * MINUTE, 0), both = dated(4, now_ms + 60 * MINUTE, 0);
        ck_assert(redate_due(later, now_ms + 30 * MINUTE));
        ck_assert(redate_due(sooner, now_ms + 5 * MINUTE));
        ck_assert(redate_due(at_once, 0));
        ck_assert(ask(both, &(struct core_triage){.how = TRIAGE_REDATE, .has_due = true, .due_ms = now_ms + 30 * MINUTE,
                                                  .has_expires = true, .expires_ms = now_ms + 20 * MINUTE}));
        if (starts > 0)
            rig_restart(rig, 1000);
        rig_pass(rig, MINUTE);
        ck_assert_int_eq(rig_view(rig, at_once).state, JOB_QUEUED);
        ck_assert_int_eq(rig_view(rig, sooner).state, JOB_SCHEDULED);
        rig_pass(rig, 5 * MINUTE);
        ck_assert_int_eq(rig_view(rig, sooner).state, JOB_QUEUED);
        rig_pass(rig, 15 * MINUTE);
        ck_assert_int_eq(rig_view(rig, later).state, JOB_SCHEDULED);
        ck_assert_int_eq(rig_view(rig, both).state, JOB_NONE);
        rig_pass(rig, 10 * MINUTE);
        ck_assert_int_eq(rig_view(rig, later).state, JOB_QUEUED);
        end_rig();
    }
    begin_default();
}
END_TEST

/* As one worker gets them, one by one. */
static void expect_order(const uint64_t *jobs, unsigned count)
{
    rig_worker(rig, 1, 1);
    for (unsigned i = 0; i < count; i++) {
        rig_forget(rig);
        rig_pass(rig, 1000);
        const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
        ck_assert_ptr_nonnull(job);
        ck_assert_uint_eq(job->number, jobs[i]);
        struct effect copy = *job;
        rig_sent(rig, &copy);
    }
}

/* Of several that fall due in the same moment the one that was accepted first goes first, be that how they came or how they
 * were re-dated, and over a start. */
START_TEST(jobs_of_one_moment_go_in_the_order_in_which_they_were_accepted)
{
    enum { JOBS = 9 };
    for (int how = 0; how < 4; how++) {
        uint64_t jobs[JOBS];
        begin_with(FAST_CONF, 1);
        int64_t now_ms = rig->now.wall_ms;
        bool redated = how >= 2;
        for (int i = 0; i < JOBS; i++)
            jobs[i] = dated(7, now_ms + (redated ? (10 + (i * 5) % JOBS) * MINUTE : 5 * MINUTE), 0);
        for (int i = JOBS; redated && i-- > 0;)
            ck_assert(redate_due(jobs[i], now_ms + 5 * MINUTE));
        if (how % 2 == 1)
            rig_restart(rig, 1000);
        rig_pass(rig, 6 * MINUTE);
        if (how % 2 == 1)
            rig_restart(rig, 1000);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        expect_order(jobs, JOBS);
        end_rig();
    }
    begin_default();
}
END_TEST

/* It has its place already; another one would be behind what came later. */
START_TEST(what_is_due_gets_no_new_due_time_but_another_expiry)
{
    begin_with(FAST_CONF, 1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert(!redate_due(number, rig->now.wall_ms + MINUTE));
    enum drain_stay stay = DRAIN_STAY_NONE;
    const struct core_triage what = {.how = TRIAGE_REDATE, .has_due = true};
    ck_assert(core_triage_keeps(rig->core, number, &what, &stay));
    ck_assert_int_eq(stay, DRAIN_STAY_DUE);
    ck_assert(redate_expiry(number, rig->now.wall_ms + MINUTE));
    size_t records = rig->record_count;
    ck_assert(redate_expiry(number, rig->now.wall_ms + MINUTE)); /* again: nothing is written */
    ck_assert_uint_eq(rig->record_count, records);
}
END_TEST

/* The earliest deadline goes first, also when it has changed while the conversation stood ready. */
START_TEST(a_new_deadline_changes_whose_turn_it_is)
{
    begin_with(POLICY_CONF("pace_per_min: 60, new_conversations_per_day: 0"), 1);
    int64_t now_ms = rig->now.wall_ms;
    uint64_t first = dated(1, 0, now_ms + 10 * MINUTE), second = dated(2, 0, now_ms + 20 * MINUTE);
    ck_assert(redate_expiry(second, now_ms + 5 * MINUTE));
    rig_worker(rig, 1, 1);
    rig_tick(rig);
    ck_assert_uint_eq(rig_told(rig, EFFECT_JOB, 0)->number, second);
    (void)first;
}
END_TEST

static enum drain_stay keeps_pool(uint64_t number)
{
    enum drain_stay stay = DRAIN_STAY_COUNT;
    const struct core_triage what = {.how = TRIAGE_MOVE};
    return core_triage_keeps(rig->core, number, &what, &stay) ? stay : DRAIN_STAY_COUNT;
}

/* What was tried has its line and key, what was sent its chat, and nobody overtakes. */
START_TEST(only_the_first_job_of_a_conversation_that_was_never_begun_may_leave_its_pool)
{
    begin_with(FAST_CONF, 1);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_ALL, 0, 0), 0);
    uint64_t second = rig_send(rig, 1, CLASS_CAMPAIGN), third = rig_send(rig, 1, CLASS_CAMPAIGN),
             first = rig_send(rig, 1, CLASS_REPLY), known = send_known(0, 2, CLASS_REPLY), before[4];
    struct core_enqueue pinned = rig_job(3, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    uint64_t named = rig_enqueue(rig, &pinned).number, later = dated(1, rig->now.wall_ms + MINUTE, 0);
    ck_assert_int_eq(keeps_pool(first), DRAIN_STAY_NONE);
    ck_assert_int_eq(keeps_pool(second), DRAIN_STAY_BEHIND);
    ck_assert_int_eq(keeps_pool(later), DRAIN_STAY_NONE); /* it has no place yet */
    ck_assert_int_eq(keeps_pool(named), DRAIN_STAY_PINNED);
    ck_assert_int_eq(keeps_pool(known), DRAIN_STAY_PINNED);
    ck_assert_uint_eq(core_triage_before(rig->core, third, before, 4), 2);
    ck_assert_uint_eq(before[0], first);
    ck_assert_uint_eq(before[1], second);
    ck_assert_uint_eq(core_triage_before(rig->core, third, before, 1), SIZE_MAX);
    ck_assert(!triage(second, TRIAGE_MOVE));
    ck_assert(triage(first, TRIAGE_MOVE));
    ck_assert_int_eq(keeps_pool(second), DRAIN_STAY_NONE);
    rig_restart(rig, 1000);
    ck_assert_int_eq(rig_view(rig, first).state, JOB_NONE);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, 0), CODE_NONE);
    rig_worker(rig, 1, 8);
    rig_tick(rig);
    for (size_t n = 0; rig_told(rig, EFFECT_JOB, n) != NULL; n++) { /* surely made nothing, but was tried */
        struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, n), OUTCOME_RETRY);
        result.retry_after_ms = 600000;
        if (rig_told(rig, EFFECT_JOB, n)->number == second)
            rig_answer(rig, &result);
    }
    ck_assert_int_eq(keeps_pool(second), DRAIN_STAY_BEGUN);
}
END_TEST

/* Nobody knows yet what will stand before it, so a rehearsal must not say that it goes. */
START_TEST(what_has_stepped_aside_for_its_campaign_stays_and_nobody_tells_what_goes_before_it)
{
    begin_with(FAST_CONF, 1);
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    job.campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    uint64_t before[4], of_it = rig_enqueue(rig, &job).number, other = rig_send(rig, 1, CLASS_REPLY);
    ck_assert_uint_eq(core_triage_before(rig->core, of_it, before, 4), 0);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_CAMPAIGN, job.campaign, 0), 0);
    rig_tick(rig);
    ck_assert(rig_view(rig, of_it).yielded);
    ck_assert_int_eq(keeps_pool(of_it), DRAIN_STAY_BEHIND);
    ck_assert_uint_eq(core_triage_before(rig->core, of_it, before, 4), SIZE_MAX);
    ck_assert_int_eq(keeps_pool(other), DRAIN_STAY_NONE);
}
END_TEST

/* It steps aside when those before it have been moved; then it stays, and those behind it go. Found by the simulation. */
START_TEST(what_will_step_aside_for_its_campaign_stays_and_holds_back_nobody)
{
    begin_with(FAST_CONF, 1);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_ALL, 0, 0), 0);
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    job.campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    uint64_t before[4], first = rig_send(rig, 1, CLASS_REPLY), of_it = rig_enqueue(rig, &job).number,
             last = rig_send(rig, 1, CLASS_REPLY);
    ck_assert_uint_eq(core_triage_before(rig->core, last, before, 4), 2);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_CAMPAIGN, job.campaign, 0), 0);
    rig_tick(rig);
    ck_assert(!rig_view(rig, of_it).yielded);
    ck_assert_uint_eq(core_triage_before(rig->core, of_it, before, 4), SIZE_MAX);
    ck_assert_uint_eq(core_triage_before(rig->core, last, before, 4), 1);
    ck_assert_uint_eq(before[0], first);
    ck_assert(triage(first, TRIAGE_MOVE));
    ck_assert_int_eq(keeps_pool(of_it), DRAIN_STAY_BEHIND);
    ck_assert_int_eq(keeps_pool(last), DRAIN_STAY_NONE);
}
END_TEST

START_TEST(cancelled_jobs_are_not_sent_and_the_rest_keeps_its_order)
{
    take_out_and_send(TRIAGE_CANCEL, false);
    end_rig();
    take_out_and_send(TRIAGE_CANCEL, true);
}
END_TEST

START_TEST(expired_jobs_are_not_sent_and_the_rest_keeps_its_order)
{
    take_out_and_send(TRIAGE_EXPIRE, false);
    end_rig();
    take_out_and_send(TRIAGE_EXPIRE, true);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        cancelled_jobs_are_not_sent_and_the_rest_keeps_its_order,
        expired_jobs_are_not_sent_and_the_rest_keeps_its_order,
        another_expiry_counts_over_restarts_and_cleaning,
        what_is_not_due_yet_falls_due_at_its_new_time,
        what_is_due_gets_no_new_due_time_but_another_expiry,
        jobs_of_one_moment_go_in_the_order_in_which_they_were_accepted,
        a_new_deadline_changes_whose_turn_it_is,
        only_the_first_job_of_a_conversation_that_was_never_begun_may_leave_its_pool,
        what_has_stepped_aside_for_its_campaign_stays_and_nobody_tells_what_goes_before_it,
        what_will_step_aside_for_its_campaign_stays_and_holds_back_nobody,
        what_is_leased_or_of_unknown_outcome_is_kept,
        the_mark_parts_what_is_accepted_before_and_after_it_over_restarts,
    };
    return run_suite("core_triage", tests, sizeof tests / sizeof *tests);
}
