/* Accounts that leave the file and come back: what lies on them, and whose their lines are meanwhile. */
#include "tests/unit/core_reconfigure_rig.h"

#define TWO_ACCOUNTS "accounts:\n  one: {api_key_file: key}\n  two: {api_key_file: key}\n"
#define ONE_ACCOUNT  "accounts:\n  one: {api_key_file: key}\n"

static const char both[] = TWO_ACCOUNTS "pools:\n  a: {account: one, lines: [\"+12025550100\"]}\n"
                                        "  b: {account: two, lines: [\"+12025550101\"]}\n" POLICY(0);
static const char only_one[] = ONE_ACCOUNT "pools:\n  a: {account: one, lines: [\"+12025550100\"]}\n" POLICY(0);

enum { ONE, TWO }; /* conf_follow() keeps their places */

static void poll_account(uint32_t account, uint32_t first, uint32_t count)
{
    uint64_t poll = ++rig->polls;
    for (uint32_t l = first; l < first + count; l++) {
        struct core_line_fact fact = {.account = account,
                                      .number = RIG_LINE + l,
                                      .has_reputation = true,
                                      .reputation = REPUTATION_HEALTHY,
                                      .poll = poll,
                                      .begun_mono_ms = rig->now.mono_ms};
        core_line_polled(rig->core, &fact, rig->now, &rig->out);
        rig_keep(rig);
    }
    struct core_poll end = {.account = account, .poll = poll, .begun_mono_ms = rig->now.mono_ms, .ok = true};
    core_poll_ended(rig->core, &end, rig->now, &rig->out);
    rig_keep(rig);
}

/* Account two is paused, a start does not know it, and a reload brings it back. */
static void pause_and_come_back(void)
{
    begin(both, 0);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_ACCOUNT, TWO, 0), 0);
    restart_with(only_one);
    rig_worker(rig, 1, 8);
    ck_assert_int_eq(change_to(both), ERR_NONE);
    poll_account(TWO, 1, 1);
}

START_TEST(a_pause_of_an_account_counts_when_the_account_is_back)
{
    pause_and_come_back();
    uint64_t held = enqueue("b", 1).number;
    rig_pass(rig, 1000);
    ck_assert(!is_leased(held));
    ck_job(held, JOB_QUEUED, REASON_ACCOUNT_PAUSED);
}
END_TEST

START_TEST(the_end_of_a_pause_of_an_account_that_is_back_ends_it)
{
    pause_and_come_back();
    ck_assert_int_eq(rig_resume(rig, PAUSE_ACCOUNT, TWO, 0), CODE_NONE);
    uint64_t number = enqueue("b", 1).number;
    rig_pass(rig, 1000);
    ck_assert(is_leased(number));
}
END_TEST

static const char both_all[] =
    TWO_ACCOUNTS "pools:\n  a: {account: one, lines: all}\n  b: {account: two, lines: all}\n" POLICY(0);
static const char only_one_all[] = ONE_ACCOUNT "pools:\n  a: {account: one, lines: all}\n" POLICY(0);

/* Each account has a line, and a start knows account one only. */
static void leave_out_account_two(void)
{
    begin(both_all, 0);
    poll_account(ONE, 0, 1);
    poll_account(TWO, 1, 1);
    restart_with(only_one_all);
    rig_worker(rig, 1, 64);
}

START_TEST(a_line_of_an_account_that_is_not_there_is_nobody_elses)
{
    leave_out_account_two();
    ck_assert_int_eq(change_to(only_one_all), ERR_NONE);
    poll_account(ONE, 0, 1);
    ck_assert_uint_eq(rig_line(rig, 1).account, UINT32_MAX);
    for (uint64_t c = 1; c <= 20; c++) {
        uint64_t number = enqueue("a", c).number;
        ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
        end_lease(number);
        rig_forget(rig);
    }
}
END_TEST

START_TEST(a_line_of_an_account_that_comes_back_is_that_accounts)
{
    leave_out_account_two();
    ck_assert_int_eq(change_to(both_all), ERR_NONE);
    poll_account(ONE, 0, 1);
    poll_account(TWO, 1, 1);
    ck_assert_uint_eq(rig_line(rig, 1).account, TWO);
    ck_assert_uint_eq(rig_line(rig, 1).pool, pool_of("b"));
    uint64_t number = enqueue("b", 1).number;
    ck_assert(is_leased(number));
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
}
END_TEST

START_TEST(a_line_of_an_account_that_is_not_there_is_not_gone_from_anothers_list)
{
    leave_out_account_two();
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, 30000);
        poll_account(ONE, 0, 1);
    }
    ck_assert_uint_eq(alerts(ALERT_LINE_GONE), 0);
}
END_TEST

/* A lease of account two is out when a start knows account one only, and its worker has begun it. */
static struct effect out_over_the_start(void)
{
    begin(both_all, 0);
    poll_account(ONE, 0, 1);
    poll_account(TWO, 1, 1);
    enqueue("b", 1);
    struct effect job = rig_job_told(rig);
    restart_with(only_one_all);
    const struct core_ready ready = {
        .peer = 1, .instance = 1001, .slots = 64, .worker = "w", .leases = &job.lease, .lease_count = 1};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
    poll_account(ONE, 0, 1);
    return job;
}

START_TEST(what_a_lease_of_an_account_that_is_not_there_hears_of_it_stops_no_other)
{
    for (int limit = 0; limit < 2; limit++) {
        struct effect job = out_over_the_start();
        struct core_result result = rig_result(&job, OUTCOME_RETRY);
        result.http_status = limit ? 429 : 401;
        result.scope = SCOPE_ACCOUNT;
        result.key_refused = !limit;
        result.retry_after_ms = 600000;
        rig_answer(rig, &result);
        ck_assert_uint_eq(alerts(ALERT_KEY_REFUSED), 0);
        ck_assert(is_leased(enqueue("a", 2).number));
    }
}
END_TEST

/* Nor is account one's recipient stopped who opted out there: it is account two's word, and counts when that is back. */
START_TEST(who_opts_out_of_an_account_that_is_not_there_is_suppressed_there)
{
    struct suppression_view view;
    struct effect job = out_over_the_start();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    result.suppress = SUPPRESS_OPTED_OUT;
    result.recipient = 4242;
    rig_answer(rig, &result);
    ck_assert(!core_suppression_view(rig->core, ONE, 4242, &view));
    restart_with(both_all);
    ck_assert(core_suppression_view(rig->core, TWO, 4242, &view));
}
END_TEST

START_TEST(a_line_of_an_account_that_is_not_there_is_told_to_be_flagged_to_no_other)
{
    struct effect job = out_over_the_start();
    struct core_result result = refused_as_flagged(&job);
    rig_answer(rig, &result);
    ck_assert_uint_eq(rig_count(rig, EFFECT_SERVICE), 0);
    ck_assert_int_eq(rig_line(rig, 1).service, SERVICE_FLAGGED);
}
END_TEST

START_TEST(webhooks_of_another_account_settle_nothing_of_one_that_is_not_there)
{
    struct effect job = out_over_the_start();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    struct core_message_fact fact = {.what = MESSAGE_SENT, .account = ONE, .number = job.number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_job(job.number, JOB_QUEUED, REASON_POOL_PAUSED);
    restart_with(both_all);
    fact.account = TWO;
    fact.event++;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(job.number).state, JOB_SENT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_pause_of_an_account_counts_when_the_account_is_back,
        the_end_of_a_pause_of_an_account_that_is_back_ends_it,
        a_line_of_an_account_that_is_not_there_is_nobody_elses,
        a_line_of_an_account_that_comes_back_is_that_accounts,
        a_line_of_an_account_that_is_not_there_is_not_gone_from_anothers_list,
        what_a_lease_of_an_account_that_is_not_there_hears_of_it_stops_no_other,
        who_opts_out_of_an_account_that_is_not_there_is_suppressed_there,
        a_line_of_an_account_that_is_not_there_is_told_to_be_flagged_to_no_other,
        webhooks_of_another_account_settle_nothing_of_one_that_is_not_there,
    };
    return run_suite("core_reconfigure_accounts", tests, sizeof tests / sizeof *tests);
}
