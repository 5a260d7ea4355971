/* core_unbegun_test.c — a conversation that moved, and whose first try on its new line never began, or says too little:
 * where it lives then, over restarts too (DESIGN trap 3; promises P4, P5). */
#include "tests/unit/core_move_rig.h"

/* It lived on line 0, which is flagged; line 1 took it, and is AT_RISK by now: only one that is known there would go. */
static struct effect moved_to_1(uint64_t conversation)
{
    begin(MOVES_CONF_OF("new_conversations_per_day: 50"));
    placed_on_0(conversation);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    told_service(SERVICE_FLAGGED);
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 1);
    return job;
}

static void line_1_is_at_risk(void)
{
    rig_pass(rig, 1000);
    rig_tell(rig, 1, REPUTATION_AT_RISK, rig->now.wall_ms);
}

static void start_anew(void)
{
    rig_forget(rig);
    rig_restart(rig, 1000);
    rig_tell(rig, 1, REPUTATION_AT_RISK, rig->now.wall_ms);
    rig_worker(rig, 1, 8); /* names no lease: what was out never began */
    rig_pass(rig, 5000);
    ck_assert_uint_eq(rig_line(rig, 1).gate, GATE_SLOW);
}

static void ck_placed_anew(uint64_t number)
{
    ck_assert_str_eq(job_state_name(rig_view(rig, number).state), job_state_name(JOB_QUEUED));
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    core_cordon(rig->core, 0, RIG_LINE + 2, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY); /* line 1 needs another to prove that */
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
}

static void come_back_unbegun(bool before, bool after)
{
    struct effect job = moved_to_1(1);
    line_1_is_at_risk();
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    if (before) /* else it is out over the restart */
        rig_answer(rig, &result);
    if (after)
        start_anew();
    rig_pass(rig, 1000);
    if (after) /* and once more */
        start_anew();
    ck_placed_anew(job.number);
}

static void cancel(uint64_t number)
{
    core_cancel(rig->core, 9, 0, number, rig->now, &rig->out);
    rig_keep(rig);
}

START_TEST(what_came_back_unbegun_from_where_it_moved_waits_for_an_open_line)
{
    come_back_unbegun(true, false);
}
END_TEST

START_TEST(what_came_back_unbegun_from_where_it_moved_waits_for_an_open_line_after_a_restart)
{
    come_back_unbegun(true, true);
}
END_TEST

START_TEST(what_came_back_unbegun_after_a_restart_from_where_it_moved_waits_for_an_open_line)
{
    come_back_unbegun(false, true);
}
END_TEST

/* Where an operator moved it, it waits for that line. */
START_TEST(what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_for_that_line_after_a_restart)
{
    for (int before = 0; before < 2; before++) {
        begin(FREE_CONF);
        placed_on_0(1);
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct effect job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        line_1_is_at_risk();
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        if (before)
            rig_answer(rig, &result);
        start_anew();
        ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    }
}
END_TEST

/* What comes meanwhile names no line, and does not end that wait. */
START_TEST(what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_there_with_what_came_meanwhile)
{
    begin(FREE_CONF);
    placed_on_0(1);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    uint64_t later = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    line_1_is_at_risk();
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 1000);
    ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
    ck_assert_uint_eq(rig_view(rig, later).line, RIG_LINE + 1);
}
END_TEST

START_TEST(what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_there_whatever_ended_meanwhile)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin(FREE_CONF);
        placed_on_0(1);
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL), other = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct effect job = leased();
        line_1_is_at_risk();
        cancel(other);
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        rig_answer(rig, &result);
        if (restarts)
            start_anew();
        rig_pass(rig, 1000);
        ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    }
}
END_TEST

/* Though the provider told no chat, and though nobody knows whether it went out. */
START_TEST(what_was_sent_where_it_moved_lives_there_after_a_restart)
{
    for (int unknown = 0; unknown < 2; unknown++) {
        struct effect job = moved_to_1(1);
        struct core_result result = rig_result(&job, unknown ? OUTCOME_RETRY : OUTCOME_SENT);
        result.unknown = unknown != 0;
        result.retry_after_ms = 600000;
        result.chat_hash = 0;
        rig_answer(rig, &result);
        line_1_is_at_risk();
        start_anew();
        if (unknown)
            ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE + 1);
        uint64_t number = rig_send(rig, 1, CLASS_REPLY);
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
        rig_forget(rig);
        rig_pass(rig, 1000);
        struct effect next = unknown ? job : leased();
        ck_assert(unknown || line_of(&next) == RIG_LINE + 1);
    }
}
END_TEST

/* A second try has the first one's line (promise P4). */
START_TEST(what_failed_where_it_moved_is_tried_there_again_after_a_restart)
{
    struct effect job = moved_to_1(1);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 2000;
    rig_answer(rig, &result);
    line_1_is_at_risk();
    start_anew();
    ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE + 1);
    ck_job(job.number, JOB_LEASED, REASON_NONE);
}
END_TEST

/* It surely made nothing on its old line, which must not make a try that never began look like one that did. */
static struct effect moved_after_a_failure(bool begun)
{
    begin(MOVES_CONF_OF("new_conversations_per_day: 50"));
    if (begun)
        placed_on_0(1);
    struct effect job = leased_on(0, 1);
    answer_retry(&job, SCOPE_JOB, 2000);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    told_service(SERVICE_FLAGGED);
    rig_forget(rig);
    rig_pass(rig, 2000);
    job = rig_job_told(rig);
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    return job;
}

START_TEST(what_failed_on_the_old_line_and_never_began_where_it_moved_is_placed_anew_after_a_restart)
{
    for (int begun = 0; begun < 2; begun++) {
        for (int restarts = 0; restarts < 2; restarts++) {
            struct effect job = moved_after_a_failure(begun != 0);
            line_1_is_at_risk();
            struct core_result result = rig_result(&job, OUTCOME_RETURNED);
            if (restarts == 0)
                rig_answer(rig, &result);
            for (int i = 0; i < 2 * restarts; i++)
                start_anew();
            ck_placed_anew(job.number);
        }
    }
}
END_TEST

/* What failed there before it was moved away does not count any more: it begins there like any. */
START_TEST(what_was_moved_back_to_where_it_failed_waits_for_that_line_to_be_healthy_after_a_restart)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin(FREE_CONF);
        placed_on_0(1);
        uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct effect job = leased();
        answer_retry(&job, SCOPE_JOB, 2000);
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        ck_assert_int_eq(move(1, 0), CODE_NONE);
        rig_pass(rig, 1000);
        rig_tell(rig, 0, REPUTATION_AT_RISK, rig->now.wall_ms);
        if (restarts > 0)
            rig_restart(rig, 1000);
        rig_worker(rig, 1, 8);
        rig_pass(rig, 5000);
        ck_assert_uint_eq(rig_line(rig, 0).gate, GATE_SLOW);
        ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
    }
}
END_TEST

static void adopt_on_1(uint64_t conversation)
{
    const struct core_adopt adopt = {
        .token = 81, .conversation = conversation, .line = RIG_LINE + 1, .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
}

/* An import knew of a chat there while the first try was out, though not of its id. */
START_TEST(what_an_import_found_meanwhile_where_it_moved_lives_there_though_the_try_never_began)
{
    for (int restart = 0; restart < 2; restart++) {
        struct effect job = moved_to_1(1);
        adopt_on_1(1);
        line_1_is_at_risk();
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        rig_answer(rig, &result);
        if (restart)
            start_anew();
        ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE + 1);
        rig_forget(rig);
        rig_pass(rig, 1000);
        ck_assert_str_eq(job_state_name(rig_view(rig, job.number).state), job_state_name(JOB_LEASED));
    }
}
END_TEST

/* ---- nobody is left for whose vain try it would have to stay ---- */

START_TEST(what_moved_and_never_began_lives_nowhere_once_what_was_tried_there_has_ended)
{
    for (int later = 0; later < 2; later++) {
        struct effect job = moved_to_1(1);
        answer_retry(&job, SCOPE_JOB, 600000);
        uint64_t waits = later ? 0 : rig_send(rig, 1, CLASS_TRANSACTIONAL); /* or it comes when that is over */
        ck_assert_uint_eq(rig_line(rig, 1).recipients_used, 1);
        line_1_is_at_risk();
        cancel(job.number);
        if (later)
            waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        rig_pass(rig, 1000);
        ck_job(waits, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
        start_anew();
        ck_placed_anew(waits);
    }
}
END_TEST

/* It lives there for the sake of that try, and when its job has ended for nobody's: what comes later begins like any. */
START_TEST(what_failed_where_it_moved_and_was_cancelled_leaves_nothing_there)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        struct effect job = moved_to_1(1);
        answer_retry(&job, SCOPE_JOB, 600000);
        cancel(job.number);
        line_1_is_at_risk();
        if (restarts > 0)
            start_anew();
        uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        rig_pass(rig, 1000);
        ck_placed_anew(number);
    }
}
END_TEST

/* Nor does it keep there what waited behind it, and was never tried: not where it moved, and not where it was new. */
START_TEST(what_waits_behind_one_that_failed_and_ended_is_placed_anew)
{
    for (int kind = 0; kind < 8; kind++) {
        bool moved = (kind & 1) != 0, refused = (kind & 2) != 0, restarts = (kind & 4) != 0;
        struct effect job;
        if (moved) {
            job = moved_to_1(1);
        } else {
            begin(MOVES_CONF_OF("new_conversations_per_day: 50"));
            job = leased_on(1, 1);
            cordon_all_but(1, true);
        }
        answer_retry(&job, SCOPE_JOB, refused ? 1000 : 600000);
        uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        rig_forget(rig);
        if (refused) {
            rig_pass(rig, 1000);
            job = rig_job_told(rig);
            struct core_result result = rig_result(&job, OUTCOME_REJECTED);
            line_1_is_at_risk();
            rig_answer(rig, &result);
        } else {
            line_1_is_at_risk();
            cancel(job.number);
        }
        if (restarts)
            start_anew();
        rig_pass(rig, 1000);
        ck_placed_anew(number);
    }
}
END_TEST

/* The one for whose sake it lived there ended while another was out, which then never began either. */
START_TEST(what_came_back_unbegun_after_the_one_that_failed_before_it_had_ended_is_placed_anew)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        struct effect failed = moved_to_1(1);
        answer_retry(&failed, SCOPE_JOB, 600000);
        rig_send(rig, 1, CLASS_REPLY);
        rig_forget(rig);
        struct effect job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        cancel(failed.number);
        line_1_is_at_risk();
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        rig_answer(rig, &result);
        if (restarts)
            start_anew();
        rig_pass(rig, 1000);
        ck_placed_anew(job.number);
    }
}
END_TEST

/* What is not due yet was never tried anywhere. */
START_TEST(what_fell_due_after_the_one_that_failed_had_ended_is_placed_anew_whatever_else_is_not_due)
{
    struct effect failed = moved_to_1(1);
    struct core_enqueue soon = rig_job(1, CLASS_TRANSACTIONAL), late = soon;
    answer_retry(&failed, SCOPE_JOB, 600000);
    soon.due_ms = rig->now.wall_ms + 20000;
    late.due_ms = rig->now.wall_ms + 3600000;
    uint64_t number = accepted(&soon);
    accepted(&late);
    line_1_is_at_risk();
    cancel(failed.number);
    rig_pass(rig, 21000);
    ck_placed_anew(number);
}
END_TEST

/* Nor does what failed on the line that it has left, where it was as new: a second try has its first one's line (P4). */
START_TEST(what_failed_where_a_new_one_went_is_tried_there_again_whatever_failed_on_the_line_before)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin(MOVES_CONF_OF("new_conversations_per_day: 50"));
        cordon_all_but(0, true);
        uint64_t other = rig_send(rig, 2, CLASS_CAMPAIGN);
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        cancel(other);
        struct effect job = leased();
        answer_retry(&job, SCOPE_JOB, 600000);
        cordon_all_but(0, false);
        core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
        rig_keep(rig);
        rig_tell_service(rig, 0, SERVICE_FLAGGED, rig->now.wall_ms);
        uint64_t number = rig_send(rig, 1, CLASS_REPLY); /* where the cancelled one was, before the one that failed */
        rig_forget(rig);
        rig_pass(rig, 1000);
        job = rig_job_told(rig);
        ck_assert_uint_eq(job.number, number);
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        answer_retry(&job, SCOPE_JOB, 600000);
        if (restarts)
            rig_restart(rig, 1000);
        rig_pass(rig, 1000);
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    }
}
END_TEST

static void move_all(uint32_t from, bool on)
{
    ck_assert_int_eq(drain(from, on ? DRAIN_MOVE : DRAIN_NONE, 0), CODE_NONE);
    rig_forget(rig);
    rig_pass(rig, 100);
}

/* What failed there before, and has stepped aside since, makes it no known one where it comes back to. */
START_TEST(what_failed_and_stepped_aside_is_no_reason_to_live_where_its_conversation_comes_back_to)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin(FREE_CONF);
        placed_on_0(1);
        struct core_enqueue ask = rig_job(1, CLASS_CAMPAIGN);
        ask.campaign = core_campaign(rig->core, "spring", &rig->out);
        rig_keep(rig);
        accepted(&ask);
        struct effect job = leased();
        answer_retry(&job, SCOPE_JOB, 1000);
        rig_pause(rig, PAUSE_CAMPAIGN, ask.campaign, 0);
        rig_pass(rig, 2000);
        core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
        rig_keep(rig);
        for (uint32_t from = 0; from < 2; from++) {
            move_all(from, true);
            rig_send(rig, 1, CLASS_REPLY);
            rig_forget(rig);
            job = leased();
            ck_assert_uint_eq(line_of(&job), RIG_LINE + 1 - from);
            if (from == 0)
                rig_sent(rig, &job);
            move_all(from, false);
        }
        rig_tell(rig, 0, REPUTATION_AT_RISK, rig->now.wall_ms);
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        core_cordon(rig->core, 0, RIG_LINE + 1, true, rig->now, &rig->out);
        rig_answer(rig, &result);
        if (restarts)
            rig_restart(rig, 1000);
        rig_tell(rig, 0, REPUTATION_AT_RISK, rig->now.wall_ms);
        rig_worker(rig, 1, 8);
        rig_pass(rig, 5000);
        ck_job(job.number, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
        ck_assert_uint_eq(rig_view(rig, job.number).line, 0);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_came_back_unbegun_after_the_one_that_failed_before_it_had_ended_is_placed_anew,
        what_fell_due_after_the_one_that_failed_had_ended_is_placed_anew_whatever_else_is_not_due,
        what_failed_where_a_new_one_went_is_tried_there_again_whatever_failed_on_the_line_before,
        what_failed_and_stepped_aside_is_no_reason_to_live_where_its_conversation_comes_back_to,
        what_came_back_unbegun_from_where_it_moved_waits_for_an_open_line,
        what_came_back_unbegun_from_where_it_moved_waits_for_an_open_line_after_a_restart,
        what_came_back_unbegun_after_a_restart_from_where_it_moved_waits_for_an_open_line,
        what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_for_that_line_after_a_restart,
        what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_there_with_what_came_meanwhile,
        what_came_back_unbegun_from_where_it_was_moved_on_purpose_waits_there_whatever_ended_meanwhile,
        what_was_sent_where_it_moved_lives_there_after_a_restart,
        what_failed_where_it_moved_is_tried_there_again_after_a_restart,
        what_failed_where_it_moved_and_was_cancelled_leaves_nothing_there,
        what_waits_behind_one_that_failed_and_ended_is_placed_anew,
        what_was_moved_back_to_where_it_failed_waits_for_that_line_to_be_healthy_after_a_restart,
        what_failed_on_the_old_line_and_never_began_where_it_moved_is_placed_anew_after_a_restart,
        what_an_import_found_meanwhile_where_it_moved_lives_there_though_the_try_never_began,
        what_moved_and_never_began_lives_nowhere_once_what_was_tried_there_has_ended,
    };
    return run_suite("core_unbegun", tests, sizeof tests / sizeof *tests);
}
