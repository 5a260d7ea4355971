/* core_move_test.c — conversations that leave their line on purpose or by a drain, and the other modes of a drain (DESIGN
 * traps 2, 6, 11 and 12; promises P2, P4, P5). */
#include "tests/unit/core_move_rig.h"

/* ---- one, on purpose ---- */

/* covers: call PUT /v1/conversations/{pool}/{to}/line */
START_TEST(a_moved_conversation_lives_on_the_other_line_without_its_chat_over_restarts)
{
    for (int restart = 0; restart < 2; restart++) {
        begin(FREE_CONF);
        placed_on_0(1);
        ck_assert(has_chat_record(1));
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        ck_assert(!has_chat_record(1));
        if (restart == 1)
            come_back();
        unsigned used = rig_line(rig, 1).fresh_used;
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct effect job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        ck_assert_uint_eq(rig_line(rig, 1).fresh_used, used + 1); /* it is a new one there */
        rig_sent(rig, &job);
        come_back();
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        ck_assert_uint_eq(rig_line(rig, 1).fresh_used, used + 1);
    }
}
END_TEST

START_TEST(a_moved_conversation_waits_for_its_new_line_as_any_that_names_it)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_tell(rig, 1, REPUTATION_AT_RISK, rig->now.wall_ms);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    ck_assert_int_eq(move(1, 2), CODE_NONE);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
}
END_TEST

/* A person said that the first try had not gone out, and moved the conversation; now it turns out that it had. */
START_TEST(a_late_word_from_the_line_that_it_left_brings_no_chat_along)
{
    for (int waits = 0; waits < 2; waits++) {
        begin(FREE_CONF);
        struct effect first = leased_on(0, 1);
        rig_pass(rig, 60000);
        rig_poll_all(rig, 3, REPUTATION_HEALTHY);
        rig_pause(rig, PAUSE_ALL, 0, 0);
        if (rig_view(rig, first.number).state == JOB_LEASED) {
            struct effect again = *rig_told(rig, EFFECT_JOB, rig_count(rig, EFFECT_JOB) - 1);
            struct core_result returned = rig_result(&again, OUTCOME_RETURNED);
            rig_answer(rig, &returned);
        }
        core_settle(rig->core, 9, first.number, false, (struct span){0}, rig->now, &rig->out);
        rig_keep(rig);
        rig_forget(rig);
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        struct effect there = leased();
        ck_assert_uint_eq(line_of(&there), RIG_LINE + 1);
        if (waits == 1) {
            struct core_result failed = rig_result(&there, OUTCOME_RETRY);
            failed.retry_after_ms = 60000;
            rig_answer(rig, &failed);
        }
        struct core_result late = rig_result(&first, OUTCOME_SENT);
        late.chat_hash = 77;
        rig_answer(rig, &late);
        ck_assert(!has_chat_record(1));
    }
}
END_TEST

START_TEST(what_is_under_way_unknown_pinned_or_elsewhere_does_not_move)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    ck_assert_int_eq(move(1, 1), CODE_BUSY);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    ck_assert_int_eq(move(1, 1), CODE_OUTCOME_UNKNOWN);
    core_settle(rig->core, 9, job.number, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(move(1, 99), CODE_UNKNOWN_LINE);
    ck_assert_int_eq(move(77, 1), CODE_NOT_FOUND);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    ck_assert_int_eq(rig_enqueue(rig, &pinned).code, CODE_NONE);
    ck_assert_int_eq(move(1, 1), CODE_LINE_CONFLICT);
    ck_assert_int_eq(move(1, 0), CODE_NONE); /* it is there */
}
END_TEST

START_TEST(a_conversation_that_waits_moves_with_all_its_jobs_in_their_order)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t first = rig_send(rig, 1, CLASS_CAMPAIGN);
    uint64_t second = rig_send(rig, 1, CLASS_CAMPAIGN);
    uint64_t reply = rig_send(rig, 1, CLASS_REPLY);
    ck_assert_int_eq(move(1, 2), CODE_NONE);
    const uint64_t order[] = {reply, first, second};
    for (int i = 0; i < 3; i++) {
        struct effect job = leased();
        ck_assert_uint_eq(job.number, order[i]);
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
        rig_sent(rig, &job);
    }
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0);
    ck_assert_uint_eq(rig_line(rig, 2).backlog_queued, 0);
}
END_TEST

/* Found by the simulation: its end remembers when the conversation was written to last, which was on no line. */
START_TEST(a_conversation_that_a_drain_gave_back_moves_after_a_restart)
{
    begin_with(FREE_CONF, 2);
    rig_worker(rig, 1, 1);
    uint64_t first = rig_send(rig, 1, CLASS_REPLY);
    rig_send(rig, 1, CLASS_REPLY);
    struct effect job = leased();
    uint32_t from = (uint32_t)(line_of(&job) - RIG_LINE);
    struct core_result failed = rig_result(&job, OUTCOME_RETRY);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_answer(rig, &failed);
    ck_assert_int_eq(drain(from, DRAIN_REPLACE, 0), CODE_NONE);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, first).line, 0);
    core_cancel(rig->core, 92, 0, first, rig->now, &rig->out);
    rig_keep(rig);
    rig_restart(rig, 100);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    rig_forget(rig);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 1);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
}
END_TEST

/* ---- drains ---- */

/* covers: call POST /v1/lines/{line}/drain, DELETE /v1/lines/{line}/drain */
START_TEST(a_drain_by_ramp_caps_the_pace_until_the_backlog_is_gone)
{
    begin(FREE_CONF);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t i = 1; i <= 5; i++)
        send_known(0, i, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(drain(0, DRAIN_RAMP, 60), CODE_NONE);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_assert(rig_line(rig, 0).pace_per_min == 60);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    ck_assert(rig_line(rig, 0).pace_per_min == 60);
    rig_worker(rig, 2, 8);
    int64_t begun_ms = rig->now.mono_ms;
    for (int done = 0; done < 5;) {
        rig_pass(rig, 50);
        const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
        if (job == NULL)
            continue;
        rig_sent(rig, job);
        rig_forget(rig);
        done++;
    }
    ck_assert_int_ge(rig->now.mono_ms - begun_ms, 4000);
    rig_pass(rig, 10);
    ck_assert(rig_line(rig, 0).pace_per_min == -1); /* over: the policy's */
    ck_assert_int_eq(drain(0, DRAIN_NONE, 0), CODE_NOT_FOUND);
}
END_TEST

START_TEST(a_drain_by_fail_ends_what_waits_now_as_dead_letters_and_nothing_else)
{
    begin(FREE_CONF);
    live_on_0(9);
    uint64_t unknown = send_known(0, 8, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 600000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t numbers[3];
    for (uint64_t i = 0; i < 3; i++)
        numbers[i] = send_known(0, 9, CLASS_CAMPAIGN);
    uint64_t other = send_known(1, 10, CLASS_CAMPAIGN);
    struct drain_count count = {0};
    uint32_t cursor = 0;
    while (core_drain_look(rig->core, 0, DRAIN_FAIL, &cursor, 2, &count))
        ;
    ck_assert_uint_eq(count.jobs, 3);
    ck_assert_uint_eq(count.stay, 1);
    ck_assert_uint_eq(count.by_class[CLASS_CAMPAIGN], 3);
    ck_assert_uint_eq(count.stays[DRAIN_STAY_OUTCOME_UNKNOWN], 1);
    ck_assert_int_eq(drain(0, DRAIN_FAIL, 0), CODE_NONE);
    uint64_t later = send_known(0, 9, CLASS_CAMPAIGN);
    rig_pass(rig, 10);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(rig_view(rig, numbers[i]).state, JOB_NONE);
    ck_assert_int_eq(rig_view(rig, unknown).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, other).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, later).state, JOB_QUEUED);
    ck_assert_int_eq(rig_line(rig, 0).orders->drain, DRAIN_NONE);
    ck_assert_uint_eq(rig_line(rig, 0).orders->drain_jobs, 3);
}
END_TEST

START_TEST(a_drain_by_replace_gives_back_what_never_began)
{
    begin(FREE_CONF);
    live_on_0(9);
    core_cordon(rig->core, 0, RIG_LINE + 1, true, rig->now, &rig->out);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    uint64_t unbegun = rig_send(rig, 1, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY); /* surely nothing was made: it waits on the line */
    result.retry_after_ms = 5000;
    rig_answer(rig, &result);
    ck_assert_uint_eq(rig_view(rig, unbegun).line, RIG_LINE);
    told(REPUTATION_CRITICAL);
    uint64_t known = send_known(0, 9, CLASS_REPLY);
    core_cordon(rig->core, 0, RIG_LINE + 1, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    ck_assert_int_eq(drain(0, DRAIN_REPLACE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, unbegun).line, 0);
    ck_job(known, JOB_QUEUED, REASON_LINE_CRITICAL);
    rig_pass(rig, 5000);
    job = leased();
    ck_assert_uint_eq(job.number, unbegun);
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
}
END_TEST

/* Surely nothing was made of its try. */
static struct effect fails_on_0(struct core_enqueue *ask, int64_t retry_after_ms)
{
    cordon_all_but(0, true);
    accepted(ask);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    cordon_all_but(0, false);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 503;
    result.retry_after_ms = retry_after_ms;
    rig_answer(rig, &result);
    return job;
}

/* Recorded by the drain, not by what ends in it: another restart finds the same. */
static void ck_replaced_for_good(uint64_t number)
{
    for (int restarts = 0; restarts < 3; restarts++) {
        ck_assert_uint_eq(rig_view(rig, number).line, 0);
        ck_assert_int_eq(rig_line(rig, 0).orders->drain, DRAIN_NONE);
        rig_restart(rig, 1000);
    }
    rig_poll_all(rig, 3, REPUTATION_HEALTHY); /* line 0 needs more to prove that */
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_worker(rig, 2, 8);
    rig_forget(rig);
    rig_pass(rig, 60000);
    struct effect job = rig_job_told(rig);
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}

START_TEST(what_was_replaced_belongs_to_the_pool_after_a_restart)
{
    begin(FREE_CONF);
    struct core_enqueue ask = rig_job(1, CLASS_REPLY);
    struct effect job = fails_on_0(&ask, 60000);
    told(REPUTATION_CRITICAL);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE);
    ck_assert_int_eq(drain(0, DRAIN_REPLACE, 0), CODE_NONE);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_line(rig, 0).orders->drain_conversations, 1);
    ck_replaced_for_good(job.number);
}
END_TEST

START_TEST(what_was_replaced_with_a_job_that_stepped_aside_belongs_to_the_pool_after_a_restart)
{
    begin(FREE_CONF);
    struct core_enqueue ask = rig_job(1, CLASS_CAMPAIGN);
    ask.campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    struct effect aside = fails_on_0(&ask, 1000);
    told(REPUTATION_CRITICAL);
    rig_pause(rig, PAUSE_CAMPAIGN, ask.campaign, 0);
    uint64_t number = rig_send(rig, 1, CLASS_CAMPAIGN);
    rig_pass(rig, 2000);
    ck_job(aside.number, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_assert_int_eq(drain(0, DRAIN_REPLACE, 0), CODE_NONE);
    rig_pass(rig, 1000);
    ck_replaced_for_good(number);
}
END_TEST

START_TEST(a_drain_by_move_goes_on_over_restarts_until_it_is_stopped)
{
    begin(FREE_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, first).line, 0);
    ck_assert_uint_eq(rig_line(rig, 0).orders->drain_conversations, 1);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    ck_assert_int_eq(drain(0, DRAIN_NONE, 0), CODE_NONE);
    rig_forget(rig);
    uint64_t second = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(job.number, second);
    ck_assert_uint_eq(line_of(&job), RIG_LINE); /* stopped: who had nothing to send lives there still */
}
END_TEST

/* What lets its conversations go says of a new job of theirs what it would say of a new conversation. */
START_TEST(a_job_that_would_rather_fail_is_judged_where_its_conversation_would_go)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.fail_if_held = true;
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    cordon_all_but(0, true);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD); /* line 0 is open, and no other one takes it */
    cordon_all_but(0, false);
    told_service(SERVICE_FLAGGED);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE); /* line 0 is closed, and others take it */
    struct effect lease = leased();
    ck_assert_uint_ne(line_of(&lease), RIG_LINE);
}
END_TEST

START_TEST(a_dry_run_counts_what_the_drain_then_does)
{
    begin(FREE_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    for (int i = 0; i < 3; i++)
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct core_enqueue pinned = rig_job(2, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    rig_enqueue(rig, &pinned);
    struct drain_count count = {0};
    uint32_t cursor = 0;
    while (core_drain_look(rig->core, 0, DRAIN_MOVE, &cursor, 1, &count))
        ;
    ck_assert_uint_eq(count.jobs, 3);
    ck_assert_uint_eq(count.conversations, 1);
    ck_assert_uint_eq(count.stay, 1);
    uint32_t held = rig_line(rig, 0).backlog_held;
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, held - 3);
    int64_t left = 0;
    ck_assert(!core_line_room(rig->core, 0, rig->now, &left)); /* nothing comes back to it */
    ck_assert(core_line_room(rig->core, 1, rig->now, &left));
    ck_assert_int_eq(left, -1);
}
END_TEST

/* The try was made before it left: what it says is no news of where it lives now. */
START_TEST(a_conversation_that_was_moved_away_and_back_waits_for_its_line_after_a_restart_though_it_was_tried_there)
{
    begin(FREE_CONF);
    placed_on_0(7);
    uint64_t number = rig_send(rig, 7, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 1;
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_answer(rig, &result);
    ck_assert_int_eq(move(7, 1), CODE_NONE);
    ck_assert_int_eq(move(7, 0), CODE_NONE);
    core_cordon(rig->core, 0, RIG_LINE, true, rig->now, &rig->out);
    rig_keep(rig);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    for (int restart = 0; restart < 2; restart++) {
        rig_forget(rig);
        rig_pass(rig, 1000);
        ck_job(number, JOB_QUEUED, REASON_LINE_CORDONED);
        come_back();
    }
}
END_TEST

/* The same where a line lets all go: what was tried in vain waits behind one that never began, there and elsewhere. */
START_TEST(what_came_back_unbegun_from_where_another_was_tried_before_lives_nowhere_after_a_restart)
{
    begin(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, cadence_ms: [], ramp_step_ms: 10, "
                      "ramp_percent: [100]"));
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    placed_on_0(7);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t tried = rig_send(rig, 7, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 600000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, 7, CLASS_REPLY);
    for (uint32_t line = 0; line < 2; line++) { /* away, and back */
        rig_pass(rig, 100);
        rig_tell_service(rig, line, SERVICE_FLAGGED, rig->now.wall_ms);
        rig_tell_service(rig, 1 - line, SERVICE_ACTIVE, rig->now.wall_ms);
        rig_pass(rig, 100);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1 - line);
        result = rig_result(&job, OUTCOME_RETURNED);
        rig_pause(rig, PAUSE_ALL, 0, 0);
        rig_answer(rig, &result);
        ck_assert_uint_eq(rig_view(rig, tried).line, 0);
    }
    come_back();
    ck_assert_uint_eq(rig_view(rig, tried).line, 0);
}
END_TEST

/* While what waits for the line is to fail, the last job that names it takes nobody's pin along. */
START_TEST(what_a_drain_by_fail_leaves_belongs_to_the_pool_once_nothing_names_that_line)
{
    enum { MORE_THAN_A_SLICE = 5000 };
    for (int stopped = 0; stopped < 2; stopped++) {
        begin(FREE_CONF);
        core_cordon(rig->core, 0, RIG_LINE, true, rig->now, &rig->out);
        rig_keep(rig);
        struct core_enqueue named = rig_job(7, CLASS_REPLY);
        named.from_line = RIG_LINE;
        uint64_t first = accepted(&named);
        for (uint64_t i = 0; stopped && i < MORE_THAN_A_SLICE; i++)
            rig_send(rig, 5000 + i, CLASS_CAMPAIGN);
        ck_assert_int_eq(drain(0, DRAIN_FAIL, 0), CODE_NONE);
        uint64_t number = rig_send(rig, 7, CLASS_REPLY);
        rig_tick(rig);
        ck_assert_int_eq(end_of(first).state, JOB_FAILED);
        if (stopped)
            ck_assert_int_eq(drain(0, DRAIN_NONE, 0), CODE_NONE);
        rig_pass(rig, 1000);
        ck_assert_uint_ne(rig_view(rig, number).line, RIG_LINE);
    }
}
END_TEST

START_TEST(a_flag_that_a_probe_lifts_loosens_no_drains_bound)
{
    begin(POLICY_CONF("cadence_ms: [], pace_per_min: 60, new_conversations_per_day: 0, flag_probe_ms: 60000"));
    for (uint64_t conversation = 1; conversation < 6; conversation++)
        send_known(0, conversation, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = refused_as_flagged(&job);
    rig_answer(rig, &result);
    ck_assert_int_eq(drain(0, DRAIN_RAMP, 1), CODE_NONE); /* a minute */
    rig_pass(rig, 61000);
    job = leased(); /* to see whether it is still true */
    rig_sent(rig, &job);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    rig_forget(rig);
    rig_pass(rig, 58000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    rig_pass(rig, 10000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_moved_conversation_lives_on_the_other_line_without_its_chat_over_restarts,
        a_moved_conversation_waits_for_its_new_line_as_any_that_names_it,
        a_late_word_from_the_line_that_it_left_brings_no_chat_along,
        what_is_under_way_unknown_pinned_or_elsewhere_does_not_move,
        a_conversation_that_waits_moves_with_all_its_jobs_in_their_order,
        a_conversation_that_a_drain_gave_back_moves_after_a_restart,
        a_drain_by_ramp_caps_the_pace_until_the_backlog_is_gone,
        a_drain_by_fail_ends_what_waits_now_as_dead_letters_and_nothing_else,
        a_drain_by_replace_gives_back_what_never_began,
        what_was_replaced_belongs_to_the_pool_after_a_restart,
        what_was_replaced_with_a_job_that_stepped_aside_belongs_to_the_pool_after_a_restart,
        a_drain_by_move_goes_on_over_restarts_until_it_is_stopped,
        a_job_that_would_rather_fail_is_judged_where_its_conversation_would_go,
        a_dry_run_counts_what_the_drain_then_does,
        a_conversation_that_was_moved_away_and_back_waits_for_its_line_after_a_restart_though_it_was_tried_there,
        what_a_drain_by_fail_leaves_belongs_to_the_pool_once_nothing_names_that_line,
        what_came_back_unbegun_from_where_another_was_tried_before_lives_nowhere_after_a_restart,
        a_flag_that_a_probe_lifts_loosens_no_drains_bound,
    };
    return run_suite("core_move", tests, sizeof tests / sizeof *tests);
}
