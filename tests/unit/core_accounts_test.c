/* core_accounts_test.c — two accounts, each with a list, webhooks and secrets of its own: what the one hears moves
 * nothing of the other's, though both may list one number (it was taken over, or both are of one partner). */
#include "broker/core/merge.h"
#include "tests/unit/core_suite.h"

enum { ACCOUNT_A, ACCOUNT_B };
#define ACCOUNTS "accounts:\n  a: {api_key_file: key}\n  b: {api_key_file: key}\n"
#define POOL_B   "  pb: {account: b, lines: [\"+12025550200\"]}\n"

/* Line 0 is the first account's, which has spoken of it. */
static void begin_two(void)
{
    begin_with(ACCOUNTS "pools:\n  pa: {account: a, lines: [\"+12025550100\"]}\n" POOL_B, 1);
}

static void poll_of(uint32_t account, uint32_t line, enum reputation word)
{
    struct core_line_fact fact = {.account = account,
                                  .number = RIG_LINE + line,
                                  .has_reputation = true,
                                  .reputation = word,
                                  .poll = ++rig->polls,
                                  .begun_mono_ms = rig->now.mono_ms};
    struct core_poll end = {.account = account, .poll = fact.poll, .begun_mono_ms = fact.begun_mono_ms, .ok = true};
    core_line_polled(rig->core, &fact, rig->now, &rig->out);
    core_poll_ended(rig->core, &end, rig->now, &rig->out);
    rig_keep(rig);
}

static struct core_line_fact flagged_of_b(void)
{
    return (struct core_line_fact){.account = ACCOUNT_B,
                                   .number = RIG_LINE,
                                   .has_reputation = true,
                                   .reputation = REPUTATION_CRITICAL,
                                   .has_service = true,
                                   .service = SERVICE_FLAGGED,
                                   .changed_at_ms = rig->now.wall_ms,
                                   .arrived_mono_ms = rig->now.mono_ms,
                                   .event = 77};
}

static void hear(struct core_message_fact *fact)
{
    fact->token = 1;
    fact->event = ++rig->polls + (UINT64_C(1) << 41);
    fact->at_ms = rig->now.wall_ms;
    core_message_told(rig->core, fact, rig->now, &rig->out);
    rig_keep(rig);
}

/* ---- lines ---- */

START_TEST(the_list_of_one_account_opens_no_critical_line_of_another)
{
    begin_two();
    told(REPUTATION_CRITICAL);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, 31000);
        poll_of(ACCOUNT_B, 0, REPUTATION_HEALTHY);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(an_event_signed_for_one_account_closes_no_line_of_another)
{
    begin_two();
    struct core_line_fact fact = flagged_of_b();
    core_line_told(rig->core, 1, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(answered(), CODE_NONE);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    fact.event++;
    ck_assert(!core_line_warned(rig->core, &fact, rig->now, &rig->out));
    rig_keep(rig);
    ck_gate(0, GATE_OPEN, REASON_NONE);
}
END_TEST

START_TEST(another_broker_s_word_on_one_account_closes_no_line_of_another)
{
    begin_two();
    struct line_words words;
    ck_assert(!core_line_words(rig->core, ACCOUNT_B, RIG_LINE, &words));
    ck_assert(core_line_words(rig->core, ACCOUNT_A, RIG_LINE, &words));
    struct change_line known = *words.known;
    struct moments moments = *words.moments;
    known.service = SERVICE_FLAGGED;
    moments.tightened = rig->now.mono_ms;
    struct core_line_shared shared = {
        .account = ACCOUNT_B, .known = &known, .moments = &moments, .heard_mono_ms = rig->now.mono_ms, .version = 1};
    core_line_shared(rig->core, &shared, rig->now, &rig->out);
    rig_keep(rig);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    shared.account = ACCOUNT_A;
    core_line_shared(rig->core, &shared, rig->now, &rig->out);
    rig_keep(rig);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
}
END_TEST

START_TEST(a_line_gone_from_its_account_s_list_is_gone_though_another_s_has_it)
{
    begin_two();
    for (int i = 0; i < 2; i++) {
        rig_pass(rig, 31000);
        poll_of(ACCOUNT_B, 0, REPUTATION_HEALTHY);
        poll_of(ACCOUNT_A, 1, REPUTATION_HEALTHY);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    poll_of(ACCOUNT_B, 0, REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
}
END_TEST

/* Else it would wait in its old account's name for a pool that says what the other one heard of it. */
START_TEST(a_line_in_no_pool_goes_only_to_an_account_that_has_a_pool_for_it)
{
    begin_two();
    poll_of(ACCOUNT_A, 7, REPUTATION_CRITICAL);
    poll_of(ACCOUNT_B, 7, REPUTATION_HEALTHY);
    ck_assert_uint_eq(rig_line(rig, 7).account, ACCOUNT_A);
    ck_assert_int_eq(rig_line(rig, 7).status, REPUTATION_CRITICAL);

    begin_with(ACCOUNTS "pools:\n  pa: {account: a, lines: [\"+12025550100\"]}\n  pb: {account: b, lines: all}\n", 1);
    poll_of(ACCOUNT_A, 7, REPUTATION_CRITICAL);
    poll_of(ACCOUNT_B, 7, REPUTATION_HEALTHY);
    ck_assert_uint_eq(rig_line(rig, 7).account, ACCOUNT_B);
    ck_gate(7, GATE_CLOSED, REASON_LINE_RECOVERING);
}
END_TEST

/* ---- messages ---- */

START_TEST(an_event_signed_for_one_account_spends_no_budget_of_anothers_line)
{
    begin_two();
    struct core_message_fact fact = {.account = ACCOUNT_B, .line = RIG_LINE, .inbound = true};
    fact.what = MESSAGE_RECEIVED;
    hear(&fact);
    ck_assert_uint_eq(rig_line(rig, 0).messages_used, 0);
    fact.account = ACCOUNT_A;
    hear(&fact);
    ck_assert_uint_eq(rig_line(rig, 0).messages_used, 1);
}
END_TEST

START_TEST(an_event_signed_for_one_account_settles_no_job_of_another)
{
    begin_two();
    uint64_t number = rig_send(rig, 5, CLASS_TRANSACTIONAL);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 5000);
    struct effect job = rig_job_told(rig);
    struct core_result unknown = rig_result(&job, OUTCOME_RETRY);
    unknown.unknown = true;
    rig_answer(rig, &unknown);
    struct core_message_fact fact = {.account = ACCOUNT_B, .number = number};
    fact.what = MESSAGE_DELIVERED;
    hear(&fact);
    ck_assert(rig_view(rig, number).unsettled);
    ck_assert_uint_eq(rig_records(rig, CHANGE_DELIVERY, 0, 0), 0);
    fact.account = ACCOUNT_A;
    hear(&fact);
    ck_job(number, JOB_NONE, REASON_NONE); /* it has ended */
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}
END_TEST

/* What the account is told of a message of that job, which may be echoed (0: it is not). Returns how many deliveries are
 * recorded by now. */
static size_t delivered(uint32_t account, uint64_t echoed, uint64_t message, int what)
{
    struct core_message_fact fact = {.account = account, .number = echoed, .message_hash = message};
    fact.what = what;
    hear(&fact);
    ck_assert_int_eq(answered(), CODE_NONE);
    return rig_records(rig, CHANGE_DELIVERY, 0, 0);
}

START_TEST(an_event_signed_for_one_account_tells_nothing_of_an_ended_job_of_another)
{
    begin_two();
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, 5, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_SENT);
    result.message_hash = 99;
    rig_answer(rig, &result);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
    ck_assert_uint_eq(delivered(ACCOUNT_B, 0, 99, MESSAGE_FAILED), 0);
    ck_assert_uint_eq(delivered(ACCOUNT_B, number, 99, MESSAGE_FAILED), 0);
    ck_assert_uint_eq(delivered(ACCOUNT_B, number, 98, MESSAGE_FAILED), 0); /* one that it made up */
    ck_assert_uint_eq(delivered(ACCOUNT_A, 0, 99, MESSAGE_DELIVERED), 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(delivered(ACCOUNT_B, number, 99, MESSAGE_READ), 1);
    ck_assert_uint_eq(delivered(ACCOUNT_A, number, 99, MESSAGE_READ), 2);
}
END_TEST

START_TEST(an_event_that_comes_before_the_result_leaves_the_job_to_its_account)
{
    begin_two();
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, 5, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    ck_assert_uint_eq(delivered(ACCOUNT_A, number, 99, MESSAGE_DELIVERED), 1);
    struct core_result result = rig_result(&job, OUTCOME_SENT);
    result.message_hash = 99;
    rig_answer(rig, &result);
    ck_assert_uint_eq(delivered(ACCOUNT_B, number, 99, MESSAGE_READ), 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(delivered(ACCOUNT_A, 0, 99, MESSAGE_READ), 2);
}
END_TEST

START_TEST(an_event_signed_for_one_account_says_nothing_of_a_chat_of_another)
{
    begin_two();
    struct core_enqueue job = job_known(0, 5, CLASS_TRANSACTIONAL);
    accepted(&job);
    static const uint64_t lines[] = {RIG_LINE, 0}; /* an event may name none */
    struct core_message_fact fact = {
        .account = ACCOUNT_B, .chat_hash = job.chat_hash, .has_health = true, .health = CHAT_OPTED_OUT};
    fact.what = MESSAGE_CHAT;
    struct conversation_view view;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        fact.line = lines[i];
        hear(&fact);
        ck_assert(core_conversation_view(rig->core, 5, &view));
        ck_assert_int_eq(view.health, CHAT_UNKNOWN);
    }
    fact.account = ACCOUNT_A;
    hear(&fact);
    ck_assert(core_conversation_view(rig->core, 5, &view));
    ck_assert_int_eq(view.health, CHAT_OPTED_OUT);
}
END_TEST

/* Another broker polls: it has heard of the line at that moment. */
static void heard_elsewhere(int64_t mono_ms)
{
    static uint64_t version;
    struct change_line known = {.number = RIG_LINE,
                                .heard = true,
                                .heard_at_ms = rig->now.wall_ms - (rig->now.mono_ms - mono_ms)};
    struct moments moments;
    moments_begin(&moments);
    struct core_line_shared shared = {
        .account = ACCOUNT_A, .known = &known, .moments = &moments, .version = ++version, .heard_mono_ms = mono_ms};
    core_line_shared(rig->core, &shared, rig->now, &rig->out);
    rig_keep(rig);
    rig_tick(rig);
}

START_TEST(a_key_that_a_worker_found_refused_is_tried_again_when_another_broker_has_polled)
{
    begin_two();
    rig_worker(rig, 1, 8);
    uint64_t number = send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 401;
    result.scope = SCOPE_ACCOUNT;
    result.key_refused = true;
    int64_t before_ms = rig->now.mono_ms;
    rig_pass(rig, 1000);
    rig_answer(rig, &result);
    rig_pass(rig, 30000);
    heard_elsewhere(before_ms); /* tells nothing of the key */
    ck_job(number, JOB_QUEUED, REASON_PROVIDER_DOWN);
    heard_elsewhere(rig->now.mono_ms);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_list_of_one_account_opens_no_critical_line_of_another,
        an_event_signed_for_one_account_closes_no_line_of_another,
        another_broker_s_word_on_one_account_closes_no_line_of_another,
        a_line_gone_from_its_account_s_list_is_gone_though_another_s_has_it,
        a_line_in_no_pool_goes_only_to_an_account_that_has_a_pool_for_it,
        an_event_signed_for_one_account_spends_no_budget_of_anothers_line,
        an_event_signed_for_one_account_settles_no_job_of_another,
        an_event_signed_for_one_account_tells_nothing_of_an_ended_job_of_another,
        an_event_that_comes_before_the_result_leaves_the_job_to_its_account,
        an_event_signed_for_one_account_says_nothing_of_a_chat_of_another,
        a_key_that_a_worker_found_refused_is_tried_again_when_another_broker_has_polled,
    };
    return run_suite("core_accounts", tests, sizeof tests / sizeof *tests);
}
