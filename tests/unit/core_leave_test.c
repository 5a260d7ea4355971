/* core_leave_test.c — conversations that leave a line because it cannot send, and what they take along (DESIGN traps 2, 6,
 * 11 and 12; promises P2, P4, P5). */
#include "tests/unit/core_move_rig.h"

/* ---- lines that cannot send ---- */

/* covers: key policies.on_flagged */
START_TEST(conversations_of_a_flagged_line_are_placed_anew_and_spend_a_new_conversation_there)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waiting = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, waiting).line, 0); /* it has left */
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, waiting);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    uint32_t line = (uint32_t)(line_of(&job) - RIG_LINE);
    ck_assert_uint_eq(rig_line(rig, line).fresh_used, 1);
    rig_sent(rig, &job);
    uint64_t later = rig_send(rig, 2, CLASS_TRANSACTIONAL); /* idle when the line was flagged */
    job = leased();
    ck_assert_uint_eq(job.number, later);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    told_service(SERVICE_ACTIVE);
    come_back();
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + line); /* it lives there for good */
}
END_TEST

/* covers: reason budget_pair */
START_TEST(a_conversation_that_left_says_that_it_waits_for_the_pairs_minute)
{
    begin(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, pair_per_min: 1"));
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_BUDGET_PAIR);
    rig_pass(rig, 65000);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
}
END_TEST

START_TEST(while_a_probe_waits_for_a_worker_nobody_is_woken)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = refused_as_flagged(&job);
    core_cordon(rig->core, 0, RIG_LINE + 1, true, rig->now, &rig->out);
    rig_keep(rig);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    rig_answer(rig, &result);
    rig_pass(rig, 61000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_send(rig, 2, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    core_worker_bye(rig->core, job.peer, rig->now, &rig->out);
    rig_keep(rig);
    result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 5);
    ck_assert_int_gt(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms + 10);
}
END_TEST

START_TEST(a_paused_line_keeps_its_conversations_and_lets_them_go_when_it_is_resumed)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_pass(rig, 1000);
    ck_job(number, JOB_QUEUED, REASON_LINE_PAUSED);
    rig_forget(rig);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pass(rig, 10);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

static void see_pause_of_line(void *self, const struct held_job *job)
{
    *(uint32_t *)self = job->pauses[PAUSE_LINE];
}

START_TEST(a_pause_of_a_line_holds_nothing_that_has_left_it)
{
    uint32_t cursor = 0, pause = 0;
    begin(MOVES_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waiting = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, waiting).line, 0); /* it has left */
    ck_assert_uint_ne(rig_pause(rig, PAUSE_LINE, RIG_LINE, 0), 0);
    core_held_walk(rig->core, &cursor, 1000, see_pause_of_line, &pause);
    ck_assert_uint_eq(pause, 0);
}
END_TEST

START_TEST(without_the_policy_nothing_moves)
{
    begin(FREE_CONF);
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_pass(rig, 60000);
    ck_job(number, JOB_QUEUED, REASON_LINE_FLAGGED);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
}
END_TEST

START_TEST(an_unknown_outcome_a_pinned_job_and_a_critical_chat_stay)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    uint64_t unknown = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    struct core_enqueue ask = rig_job(2, CLASS_REPLY);
    ask.from_line = RIG_LINE;
    told_service(SERVICE_FLAGGED);
    uint64_t pinned = rig_enqueue(rig, &ask).number;
    rig_pass(rig, 5000);
    ck_job(unknown, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_assert_uint_eq(rig_view(rig, unknown).line, RIG_LINE);
    ck_job(pinned, JOB_QUEUED, REASON_LINE_FLAGGED);
    core_settle(rig->core, 9, unknown, false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    job = leased(); /* settled as unsent: now it may leave */
    ck_assert_uint_eq(job.number, unknown);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

START_TEST(a_try_that_comes_back_from_a_flagged_line_leaves_it_with_its_key)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = refused_as_flagged(&job);
    rig_answer(rig, &result);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    uint64_t there = line_of(&job);
    result = rig_result(&job, OUTCOME_RETRY); /* and there nobody knows: it stays there, over a restart too */
    result.unknown = true;
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    come_back();
    rig_pass(rig, 5000);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_eq(line_of(&job), there);
}
END_TEST

/* A job that line 1 refused. */
static struct core_requeue refused_on_1(uint64_t conversation)
{
    struct effect job = leased_on(1, conversation);
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    rig_forget(rig);
    return (struct core_requeue){.number = job.number,
                                 .mark = core_requeue_mark(rig->core),
                                 .attempts = 1,
                                 .line = RIG_LINE + 1,
                                 .accepted_at_ms = RIG_START_MS,
                                 .job = rig_job(conversation, CLASS_REPLY)};
}

/* Nothing but the job that names a line says after a restart that the conversation had left the one where it was tried. */
START_TEST(a_conversation_that_left_after_a_vain_try_goes_where_its_job_names_after_a_restart)
{
    begin(MOVES_CONF);
    struct effect job = leased_on(0, 1);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    told_service(SERVICE_FLAGGED);
    rig_pass(rig, 2000);
    ck_assert_uint_eq(rig_view(rig, job.number).line, 0); /* it has left */
    struct core_enqueue named = rig_job(1, CLASS_REPLY);
    named.from_line = RIG_LINE + 1;
    struct effect taken = rig_enqueue(rig, &named);
    ck_assert_int_eq(taken.code, CODE_NONE);
    come_back();
    ck_assert_uint_eq(rig_view(rig, taken.number).line, RIG_LINE + 1);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect first = leased();
    ck_assert_uint_eq(first.number, job.number);
    ck_assert_uint_eq(line_of(&first), RIG_LINE + 1);
}
END_TEST

/* covers: call POST /v1/dead/{id}/requeue */
START_TEST(a_requeued_job_takes_no_chat_of_a_line_that_its_conversation_left)
{
    for (int doubtful = 0; doubtful < 2; doubtful++) {
        begin(MOVES_CONF);
        struct core_requeue letter = refused_on_1(1);
        letter.doubtful = doubtful != 0;
        left_line_0(1);
        ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NONE);
        rig_keep(rig);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        struct effect job = leased();
        ck_assert_uint_ne(line_of(&job), RIG_LINE);
        ck_assert(doubtful == 0 || line_of(&job) == RIG_LINE + 1); /* promise P4 */
        ck_assert(!has_chat_record(1));
    }
}
END_TEST

START_TEST(a_conversation_that_left_and_is_taken_over_elsewhere_takes_no_chat_along)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_adopt adopt = {.token = 81,
                               .conversation = 1,
                               .pool = 0,
                               .line = RIG_LINE + 1,
                               .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(!has_chat_record(1));
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    ck_assert(!has_chat_record(1));
}
END_TEST

/* Whoever takes it over says that there is a chat, if not which. */
START_TEST(a_conversation_that_left_and_is_taken_over_elsewhere_has_begun_there_over_a_restart)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_adopt adopt = {.token = 81,
                               .conversation = 1,
                               .pool = 0,
                               .line = RIG_LINE + 1,
                               .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    come_back();
    struct core_enqueue link = rig_job(1, CLASS_REPLY);
    link.has_link = true;
    ck_assert_int_eq(rig_enqueue(rig, &link).code, CODE_NONE);
    ck_assert(!has_chat_record(1));
}
END_TEST

START_TEST(a_conversation_that_left_and_is_taken_over_where_it_was_keeps_its_chat)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_adopt adopt = {.token = 81,
                               .conversation = 1,
                               .pool = 0,
                               .line = RIG_LINE,
                               .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(has_chat_record(1));
}
END_TEST

START_TEST(a_lease_that_never_began_on_the_new_line_gives_its_budget_back_and_is_placed_again)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    uint32_t line = (uint32_t)(line_of(&job) - RIG_LINE);
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    ck_assert_uint_eq(rig_line(rig, line).fresh_used, 0);
    ck_assert_uint_eq(rig_view(rig, number).attempts, 0);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_eq(rig_line(rig, (uint32_t)(line_of(&job) - RIG_LINE)).fresh_used, 1);
}
END_TEST

/* covers: key policies.on_gone */
START_TEST(conversations_of_a_line_that_is_gone_are_placed_anew)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    for (int poll = 0; poll < 2; poll++) { /* two good polls without line 0 */
        rig_pass(rig, 30000);
        for (uint32_t l = 1; l < 3; l++) {
            struct core_line_fact fact = {.number = RIG_LINE + l, .has_reputation = true,
                                          .reputation = REPUTATION_HEALTHY, .poll = 1000 + (uint64_t)poll,
                                          .begun_mono_ms = rig->now.mono_ms};
            core_line_polled(rig->core, &fact, rig->now, &rig->out);
            rig_keep(rig);
        }
        struct core_poll end = {.poll = 1000 + (uint64_t)poll, .begun_mono_ms = rig->now.mono_ms, .ok = true};
        core_poll_ended(rig->core, &end, rig->now, &rig->out);
        rig_keep(rig);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

START_TEST(a_late_word_that_the_old_line_sent_it_ends_the_job_and_moves_nothing)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = refused_as_flagged(&job);
    rig_pause(rig, PAUSE_POOL, 0, 0);
    rig_answer(rig, &result);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    struct core_message_fact fact = {.what = MESSAGE_SENT, .number = number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
}
END_TEST

/* Its chat is the old line's, too: it would lead the next message there. */
START_TEST(a_late_result_of_the_old_line_ends_the_job_and_leaves_its_chat_where_it_is)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect late = leased();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_pass(rig, 61000); /* it lapses */
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    core_settle(rig->core, 92, number, false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_forget(rig);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    answer_retry(&job, SCOPE_JOB, 600000);
    rig_sent(rig, &late);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    ck_assert_uint_eq(end_of(number).line, RIG_LINE);
    ck_assert(!has_chat_record(1));
}
END_TEST

START_TEST(the_probe_of_a_flag_set_by_an_error_goes_before_the_conversation_leaves)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    result.http_status = 403;
    core_worker_result(rig->core, &result, rig->now, &rig->out);
    rig_keep(rig);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    job = leased();
    result = rig_result(&job, OUTCOME_RETRY);
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    rig_answer(rig, &result);
    job = leased();
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    rig_forget(rig);
    rig_pass(rig, 60000);
    uint64_t probe = rig_send(rig, 2, CLASS_TRANSACTIONAL); /* lives there still, for it had nothing to send */
    job = leased();
    ck_assert_uint_eq(job.number, probe);
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(a_line_with_many_conversations_lets_them_go_in_slices)
{
    enum { MANY = 20000 };
    begin(MOVES_CONF);
    for (uint64_t i = 0; i < MANY; i++) {
        struct core_adopt adopt = {.conversation = 5000 + i, .line = RIG_LINE, .chat_hash = 90000 + i};
        core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
        rig_keep(rig);
    }
    rig_forget(rig);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    for (uint64_t i = 0; i < MANY; i++)
        rig_send(rig, 5000 + i, CLASS_CAMPAIGN);
    rig_forget(rig);
    told_service(SERVICE_FLAGGED);
    uint32_t before = rig_line(rig, 0).backlog_held;
    core_tick(rig->core, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_gt(rig_line(rig, 0).backlog_held, 0); /* not all at once ... */
    ck_assert_uint_lt(rig_line(rig, 0).backlog_held, before);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0); /* ... but all */
}
END_TEST

/* ---- a link in what becomes a first message ---- */

static uint64_t send_link(uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.has_link = true;
    return accepted(&job);
}

/* A link that was no first message on line 0, which its conversation has left. */
static uint64_t link_left_line_0(void)
{
    begin(SHORT_RAMP_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t link = send_link(1);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, link).line, 0);
    return link;
}

static void ck_not_allowed(uint64_t link)
{
    rig_forget(rig);
    rig_tick(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_assert_int_eq(end_of(link).state, JOB_FAILED);
    ck_assert_int_eq(end_of(link).code, CODE_NOT_ALLOWED);
    ck_assert(end_of(link).dead);
}

START_TEST(a_link_is_not_sent_where_its_conversation_would_begin_with_it)
{
    uint64_t link = link_left_line_0();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    ck_not_allowed(link);
}
END_TEST

START_TEST(a_link_is_not_sent_on_the_line_that_another_job_names_where_its_conversation_would_begin_with_it)
{
    uint64_t link = link_left_line_0();
    struct core_enqueue named = rig_job(1, CLASS_CAMPAIGN);
    named.from_line = RIG_LINE + 1;
    accepted(&named);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_forget(rig);
    rig_tick(rig);
    ck_assert_int_eq(end_of(link).code, CODE_NOT_ALLOWED);
}
END_TEST

/* There its chat is. */
START_TEST(a_link_is_sent_where_its_conversation_was)
{
    link_left_line_0();
    told_service(SERVICE_ACTIVE);
    rig_pass(rig, 1000); /* the ramp is over */
    cordon_all_but(0, true);
    rig_forget(rig);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    ck_assert(has_chat_record(1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        conversations_of_a_flagged_line_are_placed_anew_and_spend_a_new_conversation_there,
        a_conversation_that_left_says_that_it_waits_for_the_pairs_minute,
        while_a_probe_waits_for_a_worker_nobody_is_woken,
        a_paused_line_keeps_its_conversations_and_lets_them_go_when_it_is_resumed,
        a_pause_of_a_line_holds_nothing_that_has_left_it,
        without_the_policy_nothing_moves,
        an_unknown_outcome_a_pinned_job_and_a_critical_chat_stay,
        a_try_that_comes_back_from_a_flagged_line_leaves_it_with_its_key,
        a_conversation_that_left_after_a_vain_try_goes_where_its_job_names_after_a_restart,
        a_requeued_job_takes_no_chat_of_a_line_that_its_conversation_left,
        a_conversation_that_left_and_is_taken_over_elsewhere_takes_no_chat_along,
        a_conversation_that_left_and_is_taken_over_elsewhere_has_begun_there_over_a_restart,
        a_conversation_that_left_and_is_taken_over_where_it_was_keeps_its_chat,
        a_lease_that_never_began_on_the_new_line_gives_its_budget_back_and_is_placed_again,
        conversations_of_a_line_that_is_gone_are_placed_anew,
        a_late_word_that_the_old_line_sent_it_ends_the_job_and_moves_nothing,
        a_late_result_of_the_old_line_ends_the_job_and_leaves_its_chat_where_it_is,
        the_probe_of_a_flag_set_by_an_error_goes_before_the_conversation_leaves,
        a_line_with_many_conversations_lets_them_go_in_slices,
        a_link_is_not_sent_where_its_conversation_would_begin_with_it,
        a_link_is_not_sent_on_the_line_that_another_job_names_where_its_conversation_would_begin_with_it,
        a_link_is_sent_where_its_conversation_was,
    };
    return run_suite("core_leave", tests, sizeof tests / sizeof *tests);
}
