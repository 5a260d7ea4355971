/* core_chat_word_test.c — the provider's word about a chat and its time: what it holds, until when, and that it goes with
 * the chat that it was said of (DESIGN section 3, Conversation rules; linq-api.md 5.3). */
#include "tests/unit/core_chat_rig.h"

/* covers: reason conversation_critical */
START_TEST(a_critical_chat_is_held_until_a_newer_word)
{
    int64_t at_ms = rig->now.wall_ms;
    begin_quick(POLICY_CONF(QUICK));
    uint64_t number = next(1, CLASS_REPLY);
    chat_is(1, CHAT_CRITICAL, at_ms);
    later(10 * DAY_MS);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    ck_assert_int_eq(rig_view(rig, number).since_ms, at_ms);
    chat_is(1, CHAT_HEALTHY, at_ms + 1000);
    goes(number, 1, 1);
}
END_TEST

START_TEST(a_try_of_a_critical_chat_that_no_worker_has_begun_is_called_back)
{
    begin_quick(POLICY_CONF(QUICK));
    uint64_t number = next(1, CLASS_REPLY);
    later(1);
    ck_job(number, JOB_LEASED, REASON_NONE);
    struct effect job = last_job();
    rig_forget(rig);
    chat_is(1, CHAT_AT_RISK, rig->now.wall_ms);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 0);
    chat_is(1, CHAT_CRITICAL, rig->now.wall_ms);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
    struct core_result returned = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
}
END_TEST

START_TEST(a_late_word_about_a_chat_changes_nothing)
{
    int64_t at_ms = rig->now.wall_ms;
    begin_quick(POLICY_CONF(QUICK));
    uint64_t number = next(1, CLASS_REPLY);
    chat_is(1, CHAT_CRITICAL, at_ms);
    chat_is(1, CHAT_HEALTHY, at_ms - 60000);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    chat_is(1, CHAT_HEALTHY, at_ms); /* on a tie the worse counts */
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    chat_is(1, CHAT_UNKNOWN, at_ms + 60000); /* nobody knows what that means */
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    struct chat_view chat = rig_view(rig, number).chat;
    ck_assert_int_eq(chat.health, CHAT_CRITICAL);
    ck_assert_int_eq(chat.health_at_ms, at_ms);
}
END_TEST

START_TEST(a_restart_knows_the_word_and_its_time)
{
    int64_t at_ms = rig->now.wall_ms;
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_REPLY), 1, 1);
    chat_is(1, CHAT_CRITICAL, at_ms);
    uint64_t number = next(1, CLASS_REPLY);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    chat_is(1, CHAT_HEALTHY, at_ms - 1000);
    rig_pass(rig, 1000);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    chat_is(1, CHAT_HEALTHY, at_ms + 1000);
    goes(number, 1, 1);
}
END_TEST

START_TEST(a_recovered_message_brings_the_chats_word_of_its_own_time)
{
    int64_t at_ms = rig->now.wall_ms;
    begin_quick(POLICY_CONF(QUICK));
    uint64_t number = next(1, CLASS_REPLY);
    chat_is(1, CHAT_HEALTHY, at_ms);
    struct core_message_fact fact = fact_of(MESSAGE_SENT, 1);
    fact.reconciled = fact.has_health = true;
    fact.health = CHAT_CRITICAL;
    fact.health_at_ms = at_ms - 1000;
    tell(&fact);
    ck_job(number, JOB_QUEUED, REASON_NONE);
    fact.event++;
    fact.health_at_ms = at_ms + 1000;
    tell(&fact);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
}
END_TEST

/* A try that has begun is told that its chat is not there (or, not `gone`, something else); of which the provider had
 * just said `health`. The job. */
static uint64_t tried_in_chat(enum chat_health health, bool gone)
{
    begin_quick(POLICY_CONF(QUICK));
    goes(next(1, CLASS_REPLY), 1, 1);
    uint64_t number = next(1, CLASS_REPLY);
    later(1);
    struct effect job = last_job();
    ck_assert_uint_eq(job.number, number);
    chat_is(1, health, rig->now.wall_ms);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.forget_chat = gone;
    result.retry_after_ms = 0;
    rig_answer(rig, &result);
    return number;
}

/* Nobody would ever lift it: what is said of a chat counts where the conversation has that chat. */
START_TEST(what_was_said_of_a_chat_that_is_not_there_any_more_holds_nothing)
{
    uint64_t number = tried_in_chat(CHAT_CRITICAL, true);
    ck_job(number, JOB_QUEUED, REASON_NONE);
    goes(number, 1, 1);
}
END_TEST

START_TEST(nor_does_it_after_a_restart)
{
    uint64_t number = tried_in_chat(CHAT_CRITICAL, true);
    rig_restart(rig, 1000);
    goes(number, 1, 1);
}
END_TEST

START_TEST(what_was_said_of_a_chat_outlives_any_other_answer)
{
    uint64_t number = tried_in_chat(CHAT_CRITICAL, false);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
}
END_TEST

START_TEST(an_opt_out_outlives_its_chat)
{
    tried_in_chat(CHAT_OPTED_OUT, true);
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_OPTED_OUT);
}
END_TEST

/* Conversation 1 comes by an import that names no chat. The number of a reply to it. */
static uint64_t imported_as(enum chat_health health)
{
    begin_quick(POLICY_CONF(QUICK));
    const struct core_adopt adopt = {.token = 81,
                                     .conversation = 1,
                                     .line = RIG_LINE,
                                     .health = health,
                                     .health_at_ms = rig->now.wall_ms,
                                     .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    return rig_enqueue(rig, &job).number;
}

static const uint64_t home_of_one[] = {1};

/* Its recipient writes, in a chat that is HEALTHY since `at_ms`. */
static struct core_message_fact answer_in_healthy(int64_t at_ms)
{
    struct core_message_fact fact = fact_of(MESSAGE_RECEIVED, 1);
    fact.inbound = true;
    fact.homes = home_of_one;
    fact.home_count = 1;
    fact.has_health = true;
    fact.health = CHAT_HEALTHY;
    fact.health_at_ms = at_ms;
    return fact;
}

/* Of a chat that nobody has named the recipient's own message is the first that tells. */
START_TEST(an_imported_word_without_its_chat_is_lifted_by_a_newer_one_in_an_answer)
{
    int64_t at_ms = rig->now.wall_ms;
    uint64_t number = imported_as(CHAT_CRITICAL);
    later(DAY_MS);
    struct core_message_fact older = answer_in_healthy(at_ms - 1000);
    tell(&older);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    struct core_message_fact newer = answer_in_healthy(rig->now.wall_ms);
    tell(&newer);
    rig_restart(rig, 1000);
    goes(number, 1, 1);
}
END_TEST

START_TEST(an_imported_opt_out_is_not_lifted_by_what_a_keywords_chat_is_called)
{
    imported_as(CHAT_OPTED_OUT);
    later(DAY_MS);
    struct core_message_fact stop = answer_in_healthy(rig->now.wall_ms);
    stop.opt_out = true;
    tell(&stop);
    struct conversation_view view = {0};
    ck_assert(core_conversation_view(rig->core, 1, &view));
    ck_assert_int_eq(view.health, CHAT_OPTED_OUT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_critical_chat_is_held_until_a_newer_word,
        a_try_of_a_critical_chat_that_no_worker_has_begun_is_called_back,
        a_late_word_about_a_chat_changes_nothing,
        a_restart_knows_the_word_and_its_time,
        a_recovered_message_brings_the_chats_word_of_its_own_time,
        what_was_said_of_a_chat_that_is_not_there_any_more_holds_nothing,
        nor_does_it_after_a_restart,
        what_was_said_of_a_chat_outlives_any_other_answer,
        an_opt_out_outlives_its_chat,
        an_imported_word_without_its_chat_is_lifted_by_a_newer_one_in_an_answer,
        an_imported_opt_out_is_not_lifted_by_what_a_keywords_chat_is_called,
    };
    return run_suite("core_chat_word", tests, sizeof tests / sizeof *tests);
}
