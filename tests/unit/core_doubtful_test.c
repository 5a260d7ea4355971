/* core_doubtful_test.c — dead letters of which nobody knows whether they were sent come back unsettled, and go where they may
 * have been sent (DESIGN traps 10 and 12; promise P4). */
#include "tests/unit/core_requeue_rig.h"

/* A job that expired while nobody knew whether it had been sent. */
static uint64_t doubtful_job_of(uint16_t campaign)
{
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.campaign = campaign;
    ask.expires_ms = rig->now.wall_ms + 30000;
    uint64_t number = accepted(&ask);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    rig_pass(rig, 30000);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_forget(rig);
    return number;
}

static uint64_t doubtful_job(void)
{
    begin();
    return doubtful_job_of(0);
}

START_TEST(a_requeued_unknown_outcome_waits_its_turn_and_is_unsettled_when_it_is_tried)
{
    uint64_t number = doubtful_job();
    uint64_t line = end_of(number).line;
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t before = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    ck_assert(rig_view(rig, number).unsettled);
    come_back();
    ck_assert(rig_view(rig, number).unsettled);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect first = leased();
    ck_assert_uint_eq(first.number, before);
    rig_sent(rig, &first);
    struct effect job = leased();
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, job.lease, &view));
    ck_assert_uint_eq(view.number, number);
    ck_assert_uint_eq(view.line, line);
    ck_assert(view.unsettled);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    come_back();
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* It came back while nothing is leased. */
static uint64_t requeued_doubtful_job(void)
{
    uint64_t number = doubtful_job();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    return number;
}

START_TEST(a_requeued_unknown_outcome_is_settled_by_a_person_or_a_webhook_before_it_is_tried)
{
    uint64_t number = requeued_doubtful_job();
    core_settle(rig->core, 9, number, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);

    number = requeued_doubtful_job();
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);

    number = requeued_doubtful_job();
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED); /* it may have been sent: cancelling is no answer */
    core_settle(rig->core, 9, number, false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(number).state, JOB_CANCELLED);
}
END_TEST

/* ---- where it may go ---- */

static uint64_t other_than(uint64_t line)
{
    return line == RIG_LINE ? RIG_LINE + 1 : RIG_LINE;
}

static enum code move_to(uint64_t line)
{
    core_move(rig->core, 90, 1, line, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

static void ck_leased_on(uint64_t number, uint64_t line)
{
    rig_forget(rig);
    struct effect job = leased();
    struct lease_view view;
    ck_assert_uint_eq(job.number, number);
    ck_assert(core_lease_view(rig->core, job.lease, &view));
    ck_assert_uint_eq(view.line, line);
    ck_assert(view.unsettled);
}

/* Moved there by a person. */
START_TEST(an_unknown_outcome_is_refused_where_its_conversation_was_moved_until_that_is_back)
{
    uint64_t number = doubtful_job(), line = end_of(number).line;
    ck_assert_int_eq(move_to(other_than(line)), CODE_NONE);
    ck_assert_int_eq(requeue(number, 1), CODE_LINE_CONFLICT);
    come_back();
    ck_assert_int_eq(requeue(number, 1), CODE_LINE_CONFLICT);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    ck_assert_int_eq(move_to(line), CODE_NONE);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    ck_leased_on(number, line);
}
END_TEST

/* It left a flagged line by itself, and was written to from another. */
START_TEST(an_unknown_outcome_is_not_tried_where_its_conversation_lives_now)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, cadence_ms: []"), 2);
    rig_worker(rig, 1, 8);
    uint64_t number = doubtful_job_of(0), line = end_of(number).line;
    rig_tell_service(rig, (uint32_t)(line - RIG_LINE), SERVICE_FLAGGED, rig->now.wall_ms);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect next = leased();
    rig_sent(rig, &next);
    ck_assert_uint_eq(end_of(next.number).line, other_than(line));
    ck_assert_int_eq(requeue(number, 1), CODE_LINE_CONFLICT);
    come_back();
    ck_assert_int_eq(requeue(number, 1), CODE_LINE_CONFLICT);
}
END_TEST

START_TEST(a_job_that_names_its_line_goes_nowhere_else_though_a_doubtful_letter_comes_back)
{
    uint64_t number = doubtful_job(), other = other_than(end_of(number).line);
    ck_assert_int_eq(move_to(other), CODE_NONE);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = other;
    uint64_t names_other = accepted(&pinned);
    ck_assert_int_eq(requeue(number, 1), CODE_LINE_CONFLICT);
    ck_assert_uint_eq(rig_view(rig, names_other).line, other);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect next = leased();
    ck_assert_uint_eq(next.number, names_other);
    rig_sent(rig, &next);
    ck_assert_uint_eq(end_of(names_other).line, other);
}
END_TEST

/* ---- while it waits for its campaign, out of the way of its conversation ---- */

static uint64_t aside_here(uint16_t *campaign)
{
    *campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    uint64_t number = doubtful_job_of(*campaign);
    rig_pause(rig, PAUSE_CAMPAIGN, *campaign, 0);
    struct core_requeue letter = letter_of(number, 1);
    letter.job.campaign = *campaign;
    ck_assert_int_eq(offer(&letter), CODE_NONE);
    ck_assert(rig_view(rig, number).yielded);
    return number;
}

static uint64_t aside(uint16_t *campaign)
{
    begin();
    return aside_here(campaign);
}

START_TEST(a_conversation_whose_doubtful_job_stepped_aside_is_not_moved)
{
    for (int restart = 0; restart < 2; restart++) {
        uint16_t campaign;
        uint64_t number = aside(&campaign), line = rig_view(rig, number).line;
        if (restart == 1)
            come_back();
        ck_assert_int_eq(move_to(other_than(line)), CODE_OUTCOME_UNKNOWN);
        rig_pause(rig, PAUSE_LINE, line, 0);
        uint64_t other = rig_send(rig, 1, CLASS_TRANSACTIONAL); /* which changes nothing */
        ck_assert_int_eq(move_to(other_than(line)), CODE_OUTCOME_UNKNOWN);
        rig_resume(rig, PAUSE_LINE, line, 0);
        ck_assert_uint_eq(next_sent(), other);
        rig_resume(rig, PAUSE_CAMPAIGN, campaign, 0);
        ck_leased_on(number, line);
    }
}
END_TEST

START_TEST(a_conversation_whose_doubtful_job_stepped_aside_stays_on_a_flagged_line)
{
    uint16_t campaign;
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, cadence_ms: []"), 2);
    rig_worker(rig, 1, 8);
    uint64_t number = aside_here(&campaign), line = rig_view(rig, number).line;
    rig_tell_service(rig, (uint32_t)(line - RIG_LINE), SERVICE_FLAGGED, rig->now.wall_ms);
    uint64_t other = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(other, JOB_QUEUED, REASON_LINE_FLAGGED);
    core_settle(rig->core, 9, number, false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig); /* surely unsent: nothing keeps it there */
    struct effect job = leased();
    ck_assert_uint_eq(job.number, other);
    rig_sent(rig, &job);
    ck_assert_uint_eq(end_of(other).line, other_than(line));
}
END_TEST

START_TEST(a_conversation_whose_doubtful_job_was_settled_while_it_stood_aside_moves)
{
    for (int sent = 0; sent < 2; sent++) {
        uint16_t campaign;
        uint64_t number = aside(&campaign), line = rig_view(rig, number).line;
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        next_sent(); /* so that it lives there for good */
        ck_assert_int_eq(move_to(other_than(line)), CODE_OUTCOME_UNKNOWN);
        core_settle(rig->core, 9, number, sent == 1, (struct span){"{}", 2}, rig->now, &rig->out);
        rig_keep(rig);
        ck_assert_int_eq(move_to(other_than(line)), CODE_NONE);
        rig_resume(rig, PAUSE_CAMPAIGN, campaign, 0);
        ck_assert_uint_eq(next_sent(), sent == 1 ? 0 : number);
    }
}
END_TEST

static void flag(uint64_t line, enum service service)
{
    rig_pass(rig, 1);
    rig_tell_service(rig, (uint32_t)(line - RIG_LINE), service, rig->now.wall_ms);
    rig_pass(rig, 100); /* a ramp is over */
}

/* It left that line and came back to it: the try that was to begin there comes back, and says nothing of the earlier one. */
START_TEST(an_unknown_outcome_keeps_its_conversation_on_its_line_though_a_first_try_there_never_began)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, cadence_ms: [], ramp_step_ms: 10, "
                           "ramp_percent: [100]"), 2);
    rig_worker(rig, 1, 8);
    uint64_t number = doubtful_job_of(0), line = end_of(number).line;
    flag(line, SERVICE_FLAGGED);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    rig_sent(rig, &job);
    ck_assert_uint_eq(end_of(job.number).line, other_than(line));
    flag(line, SERVICE_ACTIVE);
    flag(other_than(line), SERVICE_FLAGGED);
    uint64_t back = rig_send(rig, 1, CLASS_REPLY);
    rig_forget(rig);
    job = leased();
    ck_assert_uint_eq(job.number, back);
    ck_assert_uint_eq(rig_view(rig, back).line, line);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    flag(other_than(line), SERVICE_ACTIVE);
    rig_tell(rig, (uint32_t)(line - RIG_LINE), REPUTATION_CRITICAL, rig->now.wall_ms);
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, number).line, line);
    ck_job(number, JOB_QUEUED, REASON_LINE_CRITICAL);
    come_back();
    rig_tell(rig, (uint32_t)(line - RIG_LINE), REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_assert_uint_eq(rig_view(rig, number).line, line);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_requeued_unknown_outcome_waits_its_turn_and_is_unsettled_when_it_is_tried,
        a_requeued_unknown_outcome_is_settled_by_a_person_or_a_webhook_before_it_is_tried,
        an_unknown_outcome_is_refused_where_its_conversation_was_moved_until_that_is_back,
        an_unknown_outcome_is_not_tried_where_its_conversation_lives_now,
        a_job_that_names_its_line_goes_nowhere_else_though_a_doubtful_letter_comes_back,
        a_conversation_whose_doubtful_job_stepped_aside_is_not_moved,
        a_conversation_whose_doubtful_job_stepped_aside_stays_on_a_flagged_line,
        a_conversation_whose_doubtful_job_was_settled_while_it_stood_aside_moves,
        an_unknown_outcome_keeps_its_conversation_on_its_line_though_a_first_try_there_never_began,
    };
    return run_suite("core_doubtful", tests, sizeof tests / sizeof *tests);
}
