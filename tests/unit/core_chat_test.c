/* core_chat_test.c — what a conversation lets go after its last messages: the gap of a chat AT_RISK, the ladder of messages
 * that nobody answered, and that a restart knows as much (DESIGN section 3, Conversation rules; linq-api.md 5.3, 5.5). */
#include "broker/core/change.h"
#include "tests/unit/core_chat_rig.h"

/* ---- AT_RISK ---- */

/* covers: reason conversation_at_risk; key policies.at_risk_chat_gap_ms */
START_TEST(an_at_risk_chat_gets_one_message_a_gap_until_an_answer)
{
    begin_quick(POLICY_CONF(QUICK));
    uint64_t first = next(1, CLASS_TRANSACTIONAL);
    uint64_t second = next(1, CLASS_TRANSACTIONAL);
    uint64_t third = next(1, CLASS_TRANSACTIONAL);
    chat_is(1, CHAT_AT_RISK, rig->now.wall_ms);
    goes(first, 1, 1); /* nothing is unanswered yet */
    int64_t out_ms = rig_view(rig, second).chat.last_out_ms;
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    ck_job(third, JOB_QUEUED, REASON_CONVERSATION_AT_RISK); /* as all before it */
    ck_assert_int_eq(rig_view(rig, second).release_at_ms, out_ms + HOUR_MS + 999); /* moments are whole seconds */
    ck_assert_int_eq(rig_view(rig, second).since_ms, out_ms);
    ck_assert_int_eq(rig_view(rig, second).chat.unanswered, 1);
    later(out_ms + HOUR_MS + 998 - rig->now.wall_ms);
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    goes(second, 1, 1);
    ck_job(third, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    they_answer(1);
    goes(third, 1, 1);
}
END_TEST

START_TEST(a_reply_goes_past_what_an_at_risk_chat_keeps)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    chat_is(1, CHAT_AT_RISK, rig->now.wall_ms);
    uint64_t waits = next(1, CLASS_TRANSACTIONAL);
    ck_job(waits, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    uint64_t reply = next(1, CLASS_REPLY);
    goes(reply, 1, 1);
    ck_job(waits, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    uint64_t other = next(2, CLASS_TRANSACTIONAL); /* it is that chat's alone */
    goes(other, 2, 1);
}
END_TEST

START_TEST(a_word_reaches_what_stands_ready)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t number = next(1, CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_NO_WORKER);
    chat_is(1, CHAT_AT_RISK, rig->now.wall_ms);
    rig_worker(rig, 1, 8);
    rig_pass(rig, 1000);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    goes(number, 1, HOUR_MS);
}
END_TEST

START_TEST(what_waits_for_its_chat_expires_all_the_same)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    chat_is(1, CHAT_AT_RISK, rig->now.wall_ms);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.expires_ms = rig->now.wall_ms + 5000;
    size_t handed_out = rig_count(rig, EFFECT_JOB);
    uint64_t number = rig_enqueue(rig, &job).number;
    later(4000);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_AT_RISK);
    later(2000);
    ck_job(number, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), handed_out);
}
END_TEST

/* ---- the ladder ---- */

/* covers: reason conversation_cadence; key policies.cadence_ms */
START_TEST(unanswered_messages_make_campaigns_wait_longer_and_then_for_an_answer)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_CAMPAIGN), 1, 1);
    uint64_t second = next(1, CLASS_CAMPAIGN);
    uint64_t third = next(1, CLASS_CAMPAIGN);
    uint64_t fourth = next(1, CLASS_CAMPAIGN);
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    later(DAY_MS - 2000);
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    goes(second, 1, 3000);
    later(3 * DAY_MS - 3000);
    ck_job(third, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    ck_assert_int_eq(rig_shape_reason(rig), REASON_CONVERSATION_CADENCE);
    goes(third, 1, 5000);
    later(30 * DAY_MS);
    ck_job(fourth, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    ck_assert_int_eq(rig_shape_reason(rig), REASON_CONVERSATION_CADENCE);
    ck_assert_int_eq(rig_view(rig, fourth).release_at_ms, 0); /* an answer, and nothing else */
    ck_assert_int_eq(rig_view(rig, fourth).chat.unanswered, 3);
    they_answer(1);
    goes(fourth, 1, 1);
}
END_TEST

START_TEST(the_ladder_counts_every_message_but_stops_only_what_asks_for_attention)
{
    begin_quick(POLICY_CONF(QUICK));
    for (int i = 0; i < 3; i++)
        goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    uint64_t followup = next(1, CLASS_FOLLOWUP);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    goes(next(1, CLASS_REPLY), 1, 1);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    goes(next(2, CLASS_FOLLOWUP), 2, 1);
}
END_TEST

START_TEST(an_empty_ladder_stops_nothing)
{
    begin_quick(POLICY_CONF("pace_per_min: 0, cadence_ms: []"));
    for (int i = 0; i < 20; i++)
        goes(next(1, CLASS_CAMPAIGN), 1, 1);
    uint64_t number = next(1, CLASS_CAMPAIGN);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, number).chat.unanswered, CHAT_UNANSWERED_MAX);
}
END_TEST

START_TEST(an_answer_that_came_before_the_last_message_answers_only_those_before_it)
{
    begin_quick(POLICY_CONF(QUICK));
    struct core_message_fact late = fact_of(MESSAGE_RECEIVED, 1);
    late.inbound = true;
    goes(next(1, CLASS_TRANSACTIONAL), 1, HOUR_MS);
    goes(next(1, CLASS_TRANSACTIONAL), 1, HOUR_MS);
    uint64_t followup = next(1, CLASS_FOLLOWUP);
    late.at_ms = rig->now.wall_ms - HOUR_MS / 2; /* between the two */
    tell(&late);
    ck_assert_int_eq(rig_view(rig, followup).chat.unanswered, 1);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
}
END_TEST

START_TEST(an_answer_is_heard_though_the_chat_id_is_not_known)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    uint64_t followup = next(1, CLASS_FOLLOWUP);
    const uint64_t homes[] = {1};
    struct core_message_fact fact = fact_of(MESSAGE_RECEIVED, 1);
    fact.inbound = true;
    fact.chat_hash = 999;
    fact.homes = homes;
    fact.home_count = 1;
    fact.line = RIG_LINE + 5; /* somewhere else */
    tell(&fact);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    fact.event++;
    fact.line = RIG_LINE;
    tell(&fact);
    goes(followup, 1, 1);
}
END_TEST

START_TEST(what_may_have_been_sent_counts_as_sent)
{
    begin_quick(POLICY_CONF(QUICK ", lease_ms: 40000"));
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE;
    job.chat_hash = CHAT(1);
    job.expires_ms = rig->now.wall_ms + 60000;
    rig_enqueue(rig, &job);
    uint64_t followup = next(1, CLASS_FOLLOWUP);
    rig_pass(rig, 1);
    struct effect lease = last_job();
    struct core_result result = rig_result(&lease, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = DAY_MS;
    rig_answer(rig, &result);
    later(61000);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    ck_assert_int_eq(rig_view(rig, followup).chat.unanswered, 1);
}
END_TEST

/* ---- the first message ---- */

/* covers: code not_allowed; key policies.first_message_links */
START_TEST(a_link_that_became_a_first_message_is_not_sent_but_kept_for_a_person)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    uint64_t plain = next(1, CLASS_TRANSACTIONAL);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.has_link = true;
    uint64_t link = rig_enqueue(rig, &job).number;
    job.class = CLASS_CAMPAIGN;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    rig_pass(rig, 1);
    struct effect lease = last_job();
    ck_assert_uint_eq(lease.number, plain);
    struct core_result result = rig_result(&lease, OUTCOME_RETRY); /* the provider knows the chat no more */
    result.forget_chat = true;
    result.retry_after_ms = HOUR_MS;
    result.scope = SCOPE_JOB;
    rig_answer(rig, &result);
    struct effect refused = rig_enqueue(rig, &job);
    ck_assert_int_eq(refused.code, CODE_NOT_ALLOWED);
    rig_restart(rig, 100); /* and a restart knows that */
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_forget(rig);
    core_cancel(rig->core, 9, 0, plain, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 10);
    ck_job(link, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    ck_assert_uint_eq(status.failed_total, 1);
}
END_TEST

START_TEST(a_restart_knows_that_a_forgotten_chat_was_found_by_an_import)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_TRANSACTIONAL), 1, 1);
    next(1, CLASS_TRANSACTIONAL);
    rig_pass(rig, 1);
    struct effect lease = last_job();
    struct core_result result = rig_result(&lease, OUTCOME_RETRY);
    result.forget_chat = true;
    rig_answer(rig, &result);
    struct core_adopt found = {
        .token = 8, .pool = 0, .conversation = 1, .line = RIG_LINE, .recipients = {"[]", 2}}; /* its id is not told */
    core_adopt(rig->core, &found, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_restart(rig, 100);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.has_link = true;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
}
END_TEST

/* ---- restarts ---- */

/* Three messages, of which only the first is in the conversation's own record. */
static uint64_t three_sent(void)
{
    begin_quick(POLICY_CONF(QUICK));
    for (int i = 0; i < 3; i++)
        goes(next(1, CLASS_TRANSACTIONAL), 1, 60000);
    ck_assert_uint_eq(rig_records(rig, CHANGE_CONVERSATION, 1, 0), 1);
    return next(1, CLASS_FOLLOWUP);
}

static void restart_knows_three(uint64_t followup, int64_t out_ms)
{
    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_job(followup, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    ck_assert_int_eq(rig_view(rig, followup).chat.unanswered, 3);
    ck_assert_int_eq(rig_view(rig, followup).chat.last_out_ms, out_ms);
}

START_TEST(a_restart_counts_messages_that_no_record_of_the_conversation_tells)
{
    uint64_t followup = three_sent();
    int64_t out_ms = rig_view(rig, followup).chat.last_out_ms;
    restart_knows_three(followup, out_ms);
    restart_knows_three(followup, out_ms); /* and again */
}
END_TEST

START_TEST(a_record_that_was_moved_behind_newer_ones_takes_nothing_back)
{
    uint64_t followup = three_sent();
    int64_t out_ms = rig_view(rig, followup).chat.last_out_ms;
    size_t durable = rig->durable;
    for (size_t i = 0; i < durable; i++)
        rig_clean(rig, i);
    rig_keep(rig);
    restart_knows_three(followup, out_ms);
}
END_TEST

START_TEST(a_restart_remembers_an_answer)
{
    uint64_t followup = three_sent();
    they_answer(1);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    ck_assert_int_eq(rig_view(rig, followup).chat.unanswered, 0);
    ck_assert_int_ne(rig_view(rig, followup).chat.last_in_ms, 0);
    goes(followup, 1, 1);
}
END_TEST

START_TEST(what_only_ends_of_jobs_tell_is_recorded_before_those_are_dropped)
{
    uint64_t followup = three_sent();
    size_t before = rig->record_count;
    later(7 * HOUR_MS);
    ck_assert_uint_eq(rig_records(rig, CHANGE_CONVERSATION, 1, before), 1);
    before = rig->record_count;
    later(DAY_MS); /* nothing new, nothing written */
    ck_assert_uint_eq(rig_records(rig, CHANGE_CONVERSATION, 1, before), 0);
    int64_t out_ms = rig_view(rig, followup).chat.last_out_ms;
    for (size_t i = 0; i < rig->record_count; i++) /* the history is gone */
        if (rig->records[i].kind == CHANGE_END)
            rig->records[i].copied_to = rig->records[i].copied_to == 0 ? 1 : rig->records[i].copied_to;
    restart_knows_three(followup, out_ms);
}
END_TEST

static int64_t last_out_ms(uint64_t conversation)
{
    struct conversation_view view;
    ck_assert(core_conversation_view(rig->core, conversation, &view));
    return view.last_out_ms;
}

START_TEST(what_the_cleaner_says_anew_makes_no_message_younger)
{
    begin_quick(POLICY_CONF(QUICK));
    uint64_t number = next(1, CLASS_TRANSACTIONAL);
    later(0);
    ck_job(number, JOB_LEASED, REASON_NONE);
    struct effect job = last_job();
    struct core_result unknown = rig_result(&job, OUTCOME_RETRY);
    unknown.unknown = true;
    unknown.retry_after_ms = 10 * HOUR_MS;
    rig_answer(rig, &unknown);
    int64_t out_ms = last_out_ms(1);
    later(5 * HOUR_MS);
    ck_assert_int_eq(last_out_ms(1), out_ms);
    size_t count = rig->record_count;
    for (size_t i = 0; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
    rig_restart(rig, 1000);
    ck_assert_int_eq(last_out_ms(1), out_ms);
}
END_TEST

START_TEST(a_wait_goes_on_after_a_restart_and_ends_when_it_would_have)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_CAMPAIGN), 1, 1);
    uint64_t number = next(1, CLASS_CAMPAIGN);
    int64_t at_ms = rig_view(rig, number).release_at_ms;
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 8);
    later(at_ms - rig->now.wall_ms - 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CADENCE);
    goes(number, 1, 1000);
}
END_TEST

/* Nobody was written to by a try that never began, whether it came back before the start or after it. */
START_TEST(what_never_began_makes_no_wait_longer_after_a_restart)
{
    enum { BEFORE, AFTER, AFTER_AND_CLEANED, KINDS };
    for (int kind = 0; kind < KINDS; kind++) {
        begin_quick(POLICY_CONF(QUICK));
        goes(next(1, CLASS_CAMPAIGN), 1, 1);
        int64_t out_ms = last_out_ms(1);
        uint64_t number = next(1, CLASS_CAMPAIGN);
        later(DAY_MS + 2000);
        ck_job(number, JOB_LEASED, REASON_NONE);
        struct effect job = last_job();
        rig_pause(rig, PAUSE_ALL, 0, 0);
        struct core_result result = rig_result(&job, OUTCOME_RETURNED);
        if (kind == BEFORE)
            rig_answer(rig, &result);
        size_t count = kind == AFTER_AND_CLEANED ? rig->record_count : 0;
        for (size_t i = 0; i < count; i++) {
            rig_clean(rig, i);
            rig_keep(rig);
        }
        rig_restart(rig, 1000);
        rig_worker(rig, 1, 8); /* it names no lease */
        ck_assert_int_eq(last_out_ms(1), out_ms);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        goes(number, 1, 3000);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_at_risk_chat_gets_one_message_a_gap_until_an_answer,
        a_reply_goes_past_what_an_at_risk_chat_keeps,
        a_word_reaches_what_stands_ready,
        what_waits_for_its_chat_expires_all_the_same,
        unanswered_messages_make_campaigns_wait_longer_and_then_for_an_answer,
        the_ladder_counts_every_message_but_stops_only_what_asks_for_attention,
        an_empty_ladder_stops_nothing,
        an_answer_that_came_before_the_last_message_answers_only_those_before_it,
        an_answer_is_heard_though_the_chat_id_is_not_known,
        what_may_have_been_sent_counts_as_sent,
        a_link_that_became_a_first_message_is_not_sent_but_kept_for_a_person,
        a_restart_knows_that_a_forgotten_chat_was_found_by_an_import,
        a_restart_counts_messages_that_no_record_of_the_conversation_tells,
        a_record_that_was_moved_behind_newer_ones_takes_nothing_back,
        a_restart_remembers_an_answer,
        what_only_ends_of_jobs_tell_is_recorded_before_those_are_dropped,
        what_the_cleaner_says_anew_makes_no_message_younger,
        a_wait_goes_on_after_a_restart_and_ends_when_it_would_have,
        what_never_began_makes_no_wait_longer_after_a_restart,
    };
    return run_suite("core_chat", tests, sizeof tests / sizeof *tests);
}
