/* core_purge_test.c — a keyword stops everything that waits for its sender, wherever it waits, and the later of two words
 * counts (linq-api.md 5.4); so does a chat that opted out. What was to end does so over a restart, too. */
#include <string.h>

#include "broker/core/effects.h"
#include "tests/unit/core_suite.h"

#define RECIPIENT 7000
#define HANDLE    "+14155550107"
#define HOUR_MS   INT64_C(3600000)

/* The direct conversations of one recipient: pools a and b; 3 is a group with them in pool a. */
static const uint64_t homes[] = {1, 2};
#define POOLS                                                                                                        \
    ACCOUNT_CONF "pools:\n  a: {lines: all}\n  b: {lines: ['+12025550101']}\n"                                        \
                 "policies:\n  default: {pace_per_min: 0, cadence_ms: []}\n"

static struct effect send_to(uint64_t conversation, int64_t due_ms)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.pool = conversation == 2;
    job.recipient = conversation < 3 ? RECIPIENT : 0;
    job.due_ms = due_ms;
    return rig_enqueue(rig, &job);
}

static void writes(bool keyword, int64_t at_ms, bool reconciled)
{
    struct core_message_fact fact = {.token = 3,
                                     .event = ++rig->polls + (UINT64_C(1) << 43),
                                     .recipient = RECIPIENT,
                                     .handle = HANDLE,
                                     .homes = homes,
                                     .home_count = 2,
                                     .line = RIG_LINE,
                                     .at_ms = at_ms,
                                     .inbound = true,
                                     .opt_out = keyword,
                                     .reconciled = reconciled};
    fact.what = MESSAGE_RECEIVED;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void chat_says(uint64_t conversation, enum chat_health health)
{
    struct core_message_fact fact = {.token = 3,
                                     .event = ++rig->polls + (UINT64_C(1) << 43),
                                     .recipient = RECIPIENT,
                                     .chat_hash = job_known(0, conversation, CLASS_TRANSACTIONAL).chat_hash,
                                     .line = RIG_LINE,
                                     .has_health = true,
                                     .health = health,
                                     .health_at_ms = rig->now.wall_ms,
                                     .at_ms = rig->now.wall_ms};
    fact.what = MESSAGE_CHAT;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static bool is_suppressed(void)
{
    return send_to(1, 0).code == CODE_OPTED_OUT;
}

static size_t ended(enum job_state state)
{
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    return state == JOB_SUPPRESSED ? status.suppressed_total : status.sent_total;
}

/* covers: state suppressed; code opted_out */
START_TEST(a_keyword_ends_what_waits_in_every_pool_of_the_account_but_in_no_group)
{
    begin_with(POOLS, 2);
    uint64_t here = send_to(1, 0).number;
    uint64_t there = send_to(2, 0).number;
    uint64_t later = send_to(2, rig->now.wall_ms + HOUR_MS).number;
    uint64_t group = send_to(3, 0).number;
    writes(true, rig->now.wall_ms, false);
    rig_pass(rig, 10);
    ck_job(here, JOB_NONE, REASON_NONE);
    ck_job(there, JOB_NONE, REASON_NONE);
    ck_job(later, JOB_NONE, REASON_NONE); /* at once, not when it falls due */
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), 3);
    ck_job(group, JOB_QUEUED, REASON_NO_WORKER);
    ck_assert_int_eq(send_to(2, 0).code, CODE_OPTED_OUT);
    ck_assert_int_eq(send_to(3, 0).code, CODE_NONE);
}
END_TEST

START_TEST(a_long_backlog_ends_in_slices_and_all_of_it)
{
    enum { JOBS = 9000 };
    begin_with(POOLS, 2);
    for (int i = 0; i < JOBS; i++)
        send_to(1, i % 3 == 0 ? rig->now.wall_ms + HOUR_MS : 0);
    size_t before = rig->record_count;
    writes(true, rig->now.wall_ms, false);
    ck_assert_uint_lt(rig->record_count - before, 3000); /* the webhook is not kept waiting */
    rig_pass(rig, 100);
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), JOBS);
}
END_TEST

/* A recipient may have a conversation in each of thousands of pools. */
START_TEST(conversations_for_which_there_is_no_room_are_ended_by_and_by)
{
    enum { HOMES = 300, ROOM = 100 };
    uint64_t all[HOMES];
    begin_with(POOLS, 2);
    for (int i = 0; i < HOMES; i++) {
        struct core_enqueue job = rig_job(100 + (uint64_t)i, CLASS_TRANSACTIONAL);
        all[i] = job.conversation;
        rig_enqueue(rig, &job);
    }
    const struct core_suppress suppress = {
        .token = 5, .recipient = RECIPIENT, .reason = "by letter", .by = "ops", .conversations = all, .conversation_count = HOMES};
    size_t room = rig->out.change_room;
    rig->out.change_room = EFFECTS_ROOM_STEP + ROOM;
    core_suppress(rig->core, &suppress, rig->now, &rig->out);
    ck_assert_uint_lt(rig->out.change_count, HOMES);
    rig_keep(rig);
    rig->out.change_room = room;
    rig_pass(rig, 100);
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), HOMES);
}
END_TEST

START_TEST(all_ends_though_the_first_steps_out_of_the_way_meanwhile)
{
    enum { JOBS = 5 };
    begin_with(POOLS, 2);
    uint16_t campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.recipient = RECIPIENT;
    job.campaign = campaign;
    rig_enqueue(rig, &job);
    for (int i = 1; i < JOBS; i++)
        send_to(1, 0);
    rig_pause(rig, PAUSE_CAMPAIGN, campaign, 0);
    writes(true, rig->now.wall_ms, false); /* in the same instant: the paused one is still first */
    rig_pass(rig, 10);
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), JOBS);
}
END_TEST

START_TEST(what_was_leased_ends_when_it_comes_back_unsent)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 1);
    uint64_t number = send_to(1, 0).number;
    rig_tick(rig);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    writes(true, rig->now.wall_ms, false);
    ck_job(number, JOB_LEASED, REASON_NONE);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    rig_answer(rig, &result);
    ck_job(number, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), 1);
}
END_TEST

/* Else it would be a dead letter, and might come back. */
START_TEST(what_was_leased_ends_so_too_when_that_was_its_last_try)
{
    begin_with(ACCOUNT_CONF "policies:\n  default: {pace_per_min: 0, attempts_max: 1}\n", 2);
    rig_worker(rig, 1, 1);
    uint64_t number = send_to(1, 0).number;
    rig_tick(rig);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    writes(true, rig->now.wall_ms, false);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    rig_answer(rig, &result);
    ck_job(number, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(ended(JOB_SUPPRESSED), 1);
    ck_assert(!end_of(number).dead);
}
END_TEST

START_TEST(an_unknown_outcome_is_settled_though_its_recipient_opted_out)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 1);
    uint64_t number = send_to(1, 0).number;
    rig_tick(rig);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = HOUR_MS;
    rig_answer(rig, &result);
    writes(true, rig->now.wall_ms, false);
    rig_pass(rig, 10);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(their_next_message_lets_them_be_written_to_again)
{
    begin_with(POOLS, 2);
    writes(true, rig->now.wall_ms, false);
    ck_assert(is_suppressed());
    rig_pass(rig, 1000);
    writes(false, rig->now.wall_ms, false);
    rig_worker(rig, 1, 8);
    uint64_t number = send_to(1, 0).number;
    rig_pass(rig, 10);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(of_two_words_that_cross_the_later_counts)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 8);
    rig_pass(rig, 10 * 60000);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    int64_t now_ms = rig->now.wall_ms;
    writes(true, now_ms - 60000, false);
    writes(false, now_ms - 120000, false); /* older than the keyword */
    ck_assert(is_suppressed());
    writes(false, now_ms, false);
    ck_assert(!is_suppressed());
    rig_pass(rig, 100); /* the conversation lives on the line, and heard them there */
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    writes(false, rig->now.wall_ms, false);
    writes(true, now_ms - 120000, false); /* a keyword that comes late */
    ck_assert(!is_suppressed());
}
END_TEST

/* Two machines of the provider's stamp them, and one runs ahead: what came before a keyword makes it no late one. */
START_TEST(a_message_from_the_future_overtakes_no_keyword)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 8);
    send_to(1, 0);
    rig_pass(rig, 100);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0)); /* it lives on the line, and hears them there */
    writes(false, rig->now.wall_ms + 240000, false);
    rig_pass(rig, 60000);
    writes(true, rig->now.wall_ms, false);
    ck_assert(is_suppressed());
    writes(false, rig->now.wall_ms - 1000, false); /* written before it, whoever stamped it */
    ck_assert(is_suppressed());
}
END_TEST

START_TEST(a_keyword_that_was_recovered_counts_and_a_recovered_message_lifts_nothing)
{
    begin_with(POOLS, 2);
    writes(true, rig->now.wall_ms, true);
    ck_assert(is_suppressed());
    rig_pass(rig, 1000);
    writes(false, rig->now.wall_ms, true);
    ck_assert(is_suppressed());
}
END_TEST

/* ---- two who stop ---- */

static void an_operator_stops(bool stops)
{
    const struct core_suppress suppress = {.token = 5,
                                           .recipient = RECIPIENT,
                                           .handle = HANDLE,
                                           .reason = "by letter",
                                           .by = "ops",
                                           .conversations = homes,
                                           .conversation_count = 2};
    if (stops)
        core_suppress(rig->core, &suppress, rig->now, &rig->out);
    else
        core_unsuppress(rig->core, &suppress, rig->now, &rig->out);
    rig_keep(rig);
}

static struct effect leased_of_known_chat(void)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 1);
    struct core_enqueue ask = job_known(0, 1, CLASS_TRANSACTIONAL);
    ask.recipient = RECIPIENT;
    accepted(&ask);
    return leased();
}

static void ck_ends_when_it_comes_back(const struct effect *job)
{
    struct core_result result = rig_result(job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    ck_job(job->number, JOB_NONE, REASON_NONE);
    ck_assert_int_eq(end_of(job->number).state, JOB_SUPPRESSED);
}

START_TEST(a_chat_that_opted_out_stays_so_though_a_suppression_ends)
{
    struct effect job = leased_of_known_chat();
    chat_says(1, CHAT_OPTED_OUT);
    an_operator_stops(true);
    an_operator_stops(false);
    ck_ends_when_it_comes_back(&job);
}
END_TEST

START_TEST(a_suppression_holds_on_though_the_chat_opts_in_again)
{
    struct effect job = leased_of_known_chat();
    an_operator_stops(true);
    chat_says(1, CHAT_OPTED_OUT);
    rig_pass(rig, 1000);
    chat_says(1, CHAT_HEALTHY);
    ck_ends_when_it_comes_back(&job);
}
END_TEST

/* ---- over a restart ---- */

static unsigned asked; /* for whose homes */

static size_t homes_of(void *self, uint32_t account, const char *handle, uint64_t *out)
{
    (void)self;
    (void)account;
    asked++;
    bool theirs = strcmp(handle, HANDLE) == 0;
    memcpy(out, homes, theirs ? sizeof homes : 0);
    return theirs ? sizeof homes / sizeof *homes : 0;
}

static void restart(void)
{
    rig->options.homes_of = homes_of;
    rig_restart(rig, 1000);
}

START_TEST(a_long_backlog_ends_though_a_restart_comes_between)
{
    enum { JOBS = 9000 };
    begin_with(POOLS, 2);
    for (int i = 0; i < JOBS; i++)
        send_to(1 + (uint64_t)i % 2, i % 3 == 0 ? rig->now.wall_ms + HOUR_MS : 0);
    writes(true, rig->now.wall_ms, false);
    ck_assert_uint_lt(rig_records(rig, CHANGE_END, 0, 0), JOBS);
    restart();
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, 0, 0), JOBS);
}
END_TEST

START_TEST(what_was_leased_ends_when_it_comes_back_after_a_restart)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 1);
    uint64_t number = send_to(2, 0).number;
    rig_tick(rig);
    ck_assert_uint_eq(rig_job_told(rig).number, number);
    writes(true, rig->now.wall_ms, false);
    rig_tell(rig, 1, REPUTATION_CRITICAL, rig->now.wall_ms); /* else it would end when it has its turn */
    restart();
    rig_worker(rig, 1, 1);
    ck_job(number, JOB_NONE, REASON_NONE);
    ck_assert_int_eq(end_of(number).state, JOB_SUPPRESSED);
}
END_TEST

START_TEST(who_comes_back_after_a_restart_is_told_again_of_an_opt_out)
{
    begin_with(POOLS, 2);
    rig_worker(rig, 1, 1);
    send_to(1, 0);
    struct effect job = leased();
    writes(true, rig->now.wall_ms, false);
    restart();
    rig_forget(rig);
    const struct core_ready ready = {
        .peer = 1, .instance = 1001, .slots = 1, .leases = &job.lease, .lease_count = 1, .worker = "w"};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
}
END_TEST

static void suppress_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct core_suppress suppress = {
            .token = 5, .recipient = RECIPIENT + i, .handle = HANDLE, .reason = "by letter", .by = "ops"};
        core_suppress(rig->core, &suppress, rig->now, &rig->out);
        rig_keep(rig);
    }
}

START_TEST(after_a_restart_the_suppressed_are_gone_through_in_slices)
{
    enum { COUNT = 2000, HOMES_AT_ONCE = 600 };
    begin_with(POOLS, 2);
    suppress_many(COUNT);
    send_to(3, 0);
    rig_restart(rig, 1000);
    uint32_t at = 0;
    asked = 0;
    for (bool more = true; more;) {
        unsigned before = asked;
        more = core_suppress_again(rig->core, &at, homes_of, NULL, rig->now, &rig->out);
        ck_assert_uint_lt((asked - before) * sizeof homes / sizeof *homes, HOMES_AT_ONCE);
        rig_keep(rig);
    }
    ck_assert_uint_eq(asked, COUNT);
}
END_TEST

START_TEST(after_a_restart_nobody_is_asked_for_while_nothing_waits)
{
    begin_with(POOLS, 2);
    suppress_many(10);
    asked = 0;
    restart();
    ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(what_waits_in_a_chat_that_opted_out_ends_though_a_restart_comes_between)
{
    enum { JOBS = 5000 };
    begin_with(POOLS, 2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    for (int i = 0; i < JOBS; i++)
        send_known(0, 1, CLASS_TRANSACTIONAL);
    chat_says(1, CHAT_OPTED_OUT);
    ck_assert_uint_lt(rig_records(rig, CHANGE_END, 0, 0), JOBS);
    rig_restart(rig, 10);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, 0, 0), JOBS);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_keyword_ends_what_waits_in_every_pool_of_the_account_but_in_no_group,
        a_long_backlog_ends_in_slices_and_all_of_it,
        conversations_for_which_there_is_no_room_are_ended_by_and_by,
        all_ends_though_the_first_steps_out_of_the_way_meanwhile,
        what_was_leased_ends_when_it_comes_back_unsent,
        what_was_leased_ends_so_too_when_that_was_its_last_try,
        an_unknown_outcome_is_settled_though_its_recipient_opted_out,
        their_next_message_lets_them_be_written_to_again,
        of_two_words_that_cross_the_later_counts,
        a_message_from_the_future_overtakes_no_keyword,
        a_keyword_that_was_recovered_counts_and_a_recovered_message_lifts_nothing,
        a_chat_that_opted_out_stays_so_though_a_suppression_ends,
        a_suppression_holds_on_though_the_chat_opts_in_again,
        a_long_backlog_ends_though_a_restart_comes_between,
        what_was_leased_ends_when_it_comes_back_after_a_restart,
        who_comes_back_after_a_restart_is_told_again_of_an_opt_out,
        after_a_restart_the_suppressed_are_gone_through_in_slices,
        after_a_restart_nobody_is_asked_for_while_nothing_waits,
        what_waits_in_a_chat_that_opted_out_ends_though_a_restart_comes_between,
    };
    return run_suite("core_purge", tests, sizeof tests / sizeof *tests);
}
