/* Another configuration while running: what is in force at once, what waits, and that nothing loses its place. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/core_reconfigure_rig.h"

START_TEST(a_pace_is_in_force_at_once)
{
    begin(ACCOUNTS "pools:\n" POOL_A POLICY(1), 1);
    uint64_t first = enqueue("a", 1).number, second = enqueue("a", 2).number;
    ck_assert(is_leased(first));
    rig_pass(rig, 5000);
    ck_assert(!is_leased(second));
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POLICY(0)), ERR_NONE);
    uint64_t third = enqueue("a", 3).number;
    rig_pass(rig, 61000); /* what the old pace had set apart is over within its minute */
    ck_assert(is_leased(second));
    ck_assert(is_leased(third));
    for (uint64_t i = 10; i < 30; i++)
        ck_assert(is_leased(enqueue("a", i).number));
}
END_TEST

/* Its worker reckons with the time that the lease was given out with: till then its request may be under way. */
START_TEST(a_lease_that_was_given_out_keeps_its_time_though_its_worker_says_ready_again)
{
    begin(ACCOUNTS "pools:\n" POOL_A "policies:\n  default: {pace_per_min: 0, lease_ms: 60000, " FREE "}\n", 1);
    uint64_t number = enqueue("a", 1).number;
    rig_tick(rig);
    struct effect job = *rig_told(rig, EFFECT_JOB, rig_count(rig, EFFECT_JOB) - 1);
    ck_assert_uint_eq(job.number, number);
    ck_assert_int_eq(change_to("worker: {request_timeout_ms: 5000}\n" ACCOUNTS "pools:\n" POOL_A
                               "policies:\n  default: {pace_per_min: 0, lease_ms: 10000, " FREE "}\n"),
                     ERR_NONE);
    struct core_ready ready = {.peer = job.peer, .instance = job.peer + 1000, .slots = 8, .leases = &job.lease,
                               .lease_count = 1, .worker = "w"};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 59000);
    ck_assert(!rig_view(rig, number).unsettled);
    rig_pass(rig, 1000);
    ck_assert(rig_view(rig, number).unsettled);
}
END_TEST

START_TEST(a_new_pool_takes_jobs_and_old_ones_keep_their_place)
{
    begin(ACCOUNTS "pools:\n" POOL_A POLICY(0), 2);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_B POOL_A POLICY(0)), ERR_NONE);
    ck_assert_uint_eq(pool_of("a"), 0);
    ck_assert_uint_eq(pool_of("b"), 1);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    uint64_t of_b = enqueue("b", 1).number, of_a = enqueue("a", 2).number;
    ck_assert(is_leased(of_a));
    ck_assert(is_leased(of_b));
    ck_assert_uint_eq(rig_view(rig, of_b).line, RIG_LINE + 1);
    ck_assert_uint_eq(rig_view(rig, of_a).line, RIG_LINE);
}
END_TEST

/* Also what lives on a line that now is another pool's. */
START_TEST(a_pool_gone_keeps_its_jobs_and_gives_them_back)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_REST POLICY(0), 2);
    uint64_t before = enqueue("a", 1).number;
    end_lease(before);
    rig_forget(rig);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_REST POLICY(0)), ERR_NONE);
    uint64_t bound = enqueue("a", 1).number, fresh = enqueue("a", 2).number, other = enqueue("rest", 3).number;
    rig_pass(rig, 10000);
    ck_assert(is_leased(other));
    ck_assert(!is_leased(bound));
    ck_assert(!is_leased(fresh));
    ck_job(bound, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_job(fresh, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_assert_uint_eq(rig_view(rig, fresh).pause, 0); /* nobody's */
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_REST POOL_A POLICY(0)), ERR_NONE);
    rig_pass(rig, 1000);
    ck_assert(is_leased(bound));
    ck_assert(is_leased(fresh));
}
END_TEST

START_TEST(a_pool_gone_is_shown_while_a_job_of_it_is_left_though_not_due_yet)
{
    struct pool_view view;
    begin(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 2);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.pool = pool_of("b");
    job.due_ms = rig->now.wall_ms + 3600000;
    uint64_t number = accepted(&job);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POLICY(0)), ERR_NONE);
    ck_assert(core_pool_view(rig->core, pool_of("b"), &view));
    ck_assert_uint_eq(view.scheduled, 1);
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(!core_pool_view(rig->core, pool_of("b"), &view));
}
END_TEST

START_TEST(jobs_that_wait_when_their_pool_goes_are_not_sent)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_REST POLICY(1), 2);
    enqueue("a", 1);
    uint64_t waits = enqueue("a", 2).number;
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_REST POLICY(0)), ERR_NONE);
    rig_pass(rig, 200000);
    ck_assert(!is_leased(waits));
    ck_job(waits, JOB_QUEUED, REASON_POOL_PAUSED);
    rig_restart(rig, 1000); /* the same to a start that finds them */
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 64);
    rig_pass(rig, 20000);
    ck_assert(!is_leased(waits));
    ck_job(waits, JOB_QUEUED, REASON_POOL_PAUSED);
}
END_TEST

#define POOL_A_OWNED "  a: {lines: [\"+12025550100\"], owner: \"tcp://10.0.0.2:7710\"}\n"

/* Its lines stay its own: a pool of ours that takes all that is left does not take them. */
START_TEST(a_pool_that_another_broker_owns_sends_nothing_and_lends_no_line)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_REST POLICY(0), 2);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A_OWNED POOL_REST POLICY(0)), ERR_NONE);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    uint64_t left = enqueue("a", 1).number; /* as one that was here before */
    for (uint64_t i = 10; i < 20; i++) {
        uint64_t other = enqueue("rest", i).number;
        ck_assert(is_leased(other));
        ck_assert_uint_eq(rig_view(rig, other).line, RIG_LINE + 1);
        end_lease(other);
        rig_forget(rig);
    }
    rig_pass(rig, 200000);
    ck_assert(!is_leased(left));
    ck_job(left, JOB_QUEUED, REASON_POOL_PAUSED);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 64);
    rig_pass(rig, 20000);
    ck_assert(!is_leased(left));
    ck_job(left, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POOL_REST POLICY(0)), ERR_NONE);
    rig_pass(rig, 1000);
    ck_assert(is_leased(left));
    ck_assert_uint_eq(rig_view(rig, left).line, RIG_LINE);
}
END_TEST

START_TEST(a_pool_that_goes_calls_back_what_no_worker_has_begun)
{
    static const char *const after[] = {ACCOUNTS "pools:\n" POOL_REST POLICY(0), ACCOUNTS "pools:\n" POOL_B POLICY(0),
                                        ACCOUNTS "pools:\n" POOL_A_OWNED POOL_REST POLICY(0)};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        begin(ACCOUNTS "pools:\n" POOL_A POOL_REST POLICY(0), 2);
        end_lease(enqueue("a", 1).number);
        rig_forget(rig);
        uint64_t number = enqueue("a", 1).number;
        ck_assert(is_leased(number));
        ck_assert_int_eq(change_to(after[i]), ERR_NONE);
        ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
        struct core_result returned = rig_result(lease_of(number), OUTCOME_RETURNED);
        rig_answer(rig, &returned);
        rig_forget(rig);
        rig_pass(rig, 1000);
        ck_assert(!is_leased(number));
        ck_job(number, JOB_QUEUED, REASON_POOL_PAUSED);
    }
}
END_TEST

/* What pools count of their lines is what their lines say. */
static void ck_line_counts(void)
{
    struct core_status status;
    uint32_t all[GATE_COUNT] = {0};
    core_totals_read(rig->core, rig->now, &status);
    for (uint32_t p = 0; p < 8; p++) {
        struct pool_view pool;
        uint32_t lines[GATE_COUNT] = {0};
        if (!core_pool_view(rig->core, p, &pool))
            continue;
        for (size_t l = 0; l < core_line_count(rig->core); l++) {
            struct line_view line;
            ck_assert(core_line_view(rig->core, l, rig->now, &line));
            lines[line.gate] += line.pool == p;
            all[line.gate] += p == 0;
        }
        ck_assert_uint_eq(pool.lines_open, lines[GATE_OPEN]);
        ck_assert_uint_eq(pool.lines_slow, lines[GATE_SLOW]);
        ck_assert_uint_eq(pool.lines_closed, lines[GATE_CLOSED]);
        ck_assert_uint_eq(pool.lines, lines[GATE_OPEN] + lines[GATE_SLOW] + lines[GATE_CLOSED]);
    }
    for (int g = 0; g < GATE_COUNT; g++)
        ck_assert_uint_eq(status.lines_by_gate[g], all[g]);
}

START_TEST(lines_are_counted_by_pool_and_gate_wherever_they_go)
{
    begin(ACCOUNTS
          "pools:\n  a: {lines: [\"+12025550100\", \"+12025550101\"]}\n  c: {lines: [\"+12025550102\"]}\n" POLICY(0),
          3);
    ck_line_counts();
    rig_pause(rig, PAUSE_LINE, RIG_LINE + 1, 0);
    ck_line_counts();
    ck_assert_int_eq(
        change_to(ACCOUNTS "pools:\n" POOL_A "  c: {lines: [\"+12025550101\", \"+12025550102\"]}\n" POLICY(0)),
        ERR_NONE);
    ck_line_counts();
    rig_pass(rig, 1000);
    ck_line_counts();
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE + 1, 0), CODE_NONE);
    ck_line_counts();
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POLICY(0)), ERR_NONE); /* they belong to no pool any more */
    rig_pass(rig, 1000);
    ck_line_counts();
}
END_TEST

START_TEST(a_line_goes_to_the_pool_that_names_it)
{
    begin(ACCOUNTS
          "pools:\n  a: {lines: [\"+12025550100\", \"+12025550101\"]}\n  c: {lines: [\"+12025550102\"]}\n" POLICY(0),
          3);
    ck_assert_int_eq(
        change_to(ACCOUNTS "pools:\n" POOL_A "  c: {lines: [\"+12025550101\", \"+12025550102\"]}\n" POLICY(0)),
        ERR_NONE);
    bool used[3] = {false};
    for (uint64_t i = 0; i < 30; i++) {
        ck_assert_uint_eq(rig_view(rig, enqueue("a", 100 + i).number).line, RIG_LINE);
        used[rig_view(rig, enqueue("c", 200 + i).number).line - RIG_LINE] = true;
    }
    ck_assert(!used[0] && used[1] && used[2]);
}
END_TEST

static void limited_worker(uint32_t peer, uint32_t pool)
{
    struct core_ready ready = {.peer = peer,
                               .instance = peer + 1000,
                               .slots = 8,
                               .worker = "w",
                               .some_pools = true,
                               .pools = &pool,
                               .pool_count = 1};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
}

/* What a worker's key does not name it does not get, though the line is its own now. */
START_TEST(a_conversation_left_on_another_pools_line_is_for_workers_of_both)
{
    begin_with(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 2);
    rig_worker(rig, 9, 64);
    end_lease(enqueue("a", 1).number);
    core_worker_gone(rig->core, 9, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n  a: {lines: [\"+12025550103\"]}\n"
                                        "  b: {lines: [\"+12025550100\", \"+12025550101\"]}\n" POLICY(0)),
                     ERR_NONE);
    limited_worker(1, pool_of("a"));
    limited_worker(2, pool_of("b"));
    uint64_t of_a = enqueue("a", 1).number, of_b = enqueue("b", 2).number;
    rig_pass(rig, 5000);
    ck_assert(is_leased(of_b));
    ck_assert(!is_leased(of_a));
    ck_job(of_a, JOB_QUEUED, REASON_NO_WORKER);
    struct cause causes[CAUSES_MAX];
    size_t count = 0;
    ck_assert(core_job_causes(rig->core, of_a, 0, rig->now, causes, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(causes[0].reason, REASON_NO_WORKER);
    rig_worker(rig, 9, 64);
    rig_pass(rig, 2000);
    ck_assert(is_leased(of_a));
}
END_TEST

/* Its commit is under way when the configuration says that such lines take no new conversations any more. */
START_TEST(a_new_conversation_that_may_begin_no_more_comes_back_before_it_leaves)
{
    static const char conf[] =
        ACCOUNTS "policies:\n  default: {pace_per_min: 0, " FREE ", allow_at_risk_new: %s}\npools:\n" POOL_REST;
    char allows[512], forbids[512];
    snprintf(allows, sizeof allows, conf, "true");
    snprintf(forbids, sizeof forbids, conf, "false");
    begin(allows, 1);
    rig_tell(rig, 0, REPUTATION_AT_RISK, rig->now.wall_ms + 1);
    rig_commit(rig, rig->record_count);
    rig->options.hold_commits = true;
    struct core_enqueue job = rig_job(7, CLASS_TRANSACTIONAL);
    uint64_t number = rig_enqueue(rig, &job).number;
    rig_commit(rig, rig->record_count);
    rig_tick(rig);
    ck_job(number, JOB_LEASED, REASON_NONE);
    ck_assert_int_eq(change_to(forbids), ERR_NONE);
    rig_commit(rig, rig->record_count);
    ck_assert(!is_leased(number));
    ck_job(number, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
}
END_TEST

/* The same of one that a worker has, as a cordon does it. */
START_TEST(a_new_conversation_that_may_begin_no_more_is_called_back)
{
    static const char conf[] = ACCOUNTS "pools:\n" POOL_REST "policies:\n  default: {pace_per_min: 0, " FREE ", ";
    char allows[512], forbids[512];
    snprintf(allows, sizeof allows, "%s%s", conf, "allow_at_risk_new: true}\n");
    snprintf(forbids, sizeof forbids, "%s%s", conf, "allow_at_risk_new: false}\n");
    begin(allows, 1);
    told(REPUTATION_AT_RISK);
    ck_assert(is_leased(enqueue("rest", 7).number));
    ck_assert_int_eq(change_to(forbids), ERR_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
}
END_TEST

/* Conversation 1 of pool a lives on a line that is pool b's now; of which accounts these are. */
#define LEFT_BEHIND(a, b)                                                                                            \
    ACCOUNTS "  other: {api_key_file: key}\n"                                                                        \
             "pools:\n  a: {account: " a ", lines: [\"+12025550103\"]}\n"                                             \
             "  b: {account: " b ", lines: [\"+12025550100\", \"+12025550101\"]}\n" POLICY(0)

static void leave_behind(const char *conf)
{
    begin(ACCOUNTS "  other: {api_key_file: key}\n"
                   "pools:\n" POOL_A "  b: {account: other, lines: [\"+12025550101\"]}\n" POLICY(0),
          1);
    end_lease(enqueue("a", 1).number);
    ck_assert_int_eq(change_to(conf), ERR_NONE);
    rig_pass(rig, 1000);
    rig_forget(rig);
}

/* What waits for it there says so, goes when it is over, and not before. */
static void ck_held_until_resumed(enum pause_scope scope, uint64_t target, enum reason reason)
{
    uint64_t held = enqueue("a", 1).number;
    rig_pass(rig, 5000);
    ck_job(held, JOB_QUEUED, reason);
    ck_assert_uint_ne(rig_view(rig, held).pause, 0);
    ck_assert(!is_leased(held));
    ck_assert_int_eq(rig_resume(rig, scope, target, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert(is_leased(held));
}

START_TEST(a_paused_pool_sends_nothing_on_lines_that_are_another_pool_s_now)
{
    leave_behind(LEFT_BEHIND("default", "default"));
    rig_pause(rig, PAUSE_POOL, pool_of("a"), 0);
    ck_assert(is_leased(enqueue("b", 2).number));
    ck_held_until_resumed(PAUSE_POOL, pool_of("a"), REASON_POOL_PAUSED);
}
END_TEST

START_TEST(what_stands_on_another_pool_s_line_already_waits_for_its_own_pool_s_pause)
{
    leave_behind(LEFT_BEHIND("default", "default"));
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t held = enqueue("a", 1).number, other = enqueue("a", 3).number;
    rig_pause(rig, PAUSE_POOL, pool_of("a"), 0);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, 0), CODE_NONE);
    rig_pass(rig, 5000);
    ck_job(held, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_job(other, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_assert_int_eq(rig_resume(rig, PAUSE_POOL, pool_of("a"), 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert(is_leased(held));
}
END_TEST

START_TEST(a_paused_pool_s_pause_holds_on_another_pool_s_line_after_a_restart_too)
{
    leave_behind(LEFT_BEHIND("default", "default"));
    rig_pause(rig, PAUSE_POOL, pool_of("a"), 0);
    rig_restart(rig, 1000);
    rig_worker(rig, 1, 64);
    ck_held_until_resumed(PAUSE_POOL, pool_of("a"), REASON_POOL_PAUSED);
}
END_TEST

/* A try may be of before, and what is waited for of after. */
START_TEST(on_a_line_that_is_another_account_s_now_both_may_tell_what_became_of_a_job)
{
    for (uint32_t account = 0; account < 2; account++) {
        leave_behind(LEFT_BEHIND("default", "other"));
        uint64_t number = enqueue("a", 1).number;
        struct effect job = rig_job_told(rig);
        struct core_result unknown = rig_result(&job, OUTCOME_RETRY);
        unknown.unknown = true;
        rig_answer(rig, &unknown);
        struct core_message_fact fact = {.token = 1, .event = 91, .account = account, .number = number};
        fact.what = MESSAGE_SENT;
        core_message_told(rig->core, &fact, rig->now, &rig->out);
        rig_keep(rig);
        ck_assert_int_eq(end_of(number).state, JOB_SENT);
    }
}
END_TEST

START_TEST(a_line_that_is_another_account_s_now_hears_that_one_only)
{
    leave_behind(LEFT_BEHIND("default", "other"));
    told(REPUTATION_CRITICAL); /* says the account that had it */
    ck_gate(0, GATE_OPEN, REASON_NONE);
    struct core_line_fact fact = {.account = 1,
                                  .number = RIG_LINE,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_CRITICAL,
                                  .changed_at_ms = rig->now.wall_ms,
                                  .arrived_mono_ms = rig->now.mono_ms,
                                  .event = 92};
    core_line_told(rig->core, 1, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_paused_account_sends_nothing_on_lines_that_are_another_account_s_now)
{
    leave_behind(LEFT_BEHIND("default", "other"));
    rig_pause(rig, PAUSE_ACCOUNT, 0, 0);
    ck_assert(is_leased(enqueue("b", 2).number));
    ck_held_until_resumed(PAUSE_ACCOUNT, 0, REASON_ACCOUNT_PAUSED);
}
END_TEST

/* The line's own pause stops whoever lives there. */
START_TEST(what_lives_on_another_pool_s_line_waits_for_that_pool_s_pause_too)
{
    leave_behind(LEFT_BEHIND("default", "default"));
    rig_pause(rig, PAUSE_POOL, pool_of("b"), 0);
    ck_held_until_resumed(PAUSE_POOL, pool_of("b"), REASON_POOL_PAUSED);
    rig_forget(rig);
    leave_behind(LEFT_BEHIND("default", "other"));
    rig_pause(rig, PAUSE_ACCOUNT, 1, 0);
    ck_held_until_resumed(PAUSE_ACCOUNT, 1, REASON_ACCOUNT_PAUSED);
}
END_TEST

START_TEST(a_pause_calls_back_what_is_under_way_on_lines_that_are_another_s_now)
{
    for (int account = 0; account < 2; account++) {
        leave_behind(LEFT_BEHIND("default", "other"));
        uint64_t of_a = enqueue("a", 1).number, of_b = enqueue("b", 2).number;
        ck_assert(is_leased(of_a));
        ck_assert(is_leased(of_b));
        rig_pause(rig, account ? PAUSE_ACCOUNT : PAUSE_POOL, account ? 0 : pool_of("a"), 0);
        rig_tick(rig);
        ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    }
}
END_TEST

START_TEST(a_pool_that_comes_to_a_paused_account_calls_back_what_it_has_on_another_pool_s_line)
{
    leave_behind(LEFT_BEHIND("default", "default"));
    rig_pause(rig, PAUSE_ACCOUNT, 1, 0);
    uint64_t number = enqueue("a", 1).number;
    ck_assert(is_leased(number));
    ck_assert_int_eq(change_to(LEFT_BEHIND("other", "default")), ERR_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    end_lease(number);
    ck_held_until_resumed(PAUSE_ACCOUNT, 1, REASON_ACCOUNT_PAUSED);
}
END_TEST

START_TEST(what_lives_on_another_account_s_line_waits_for_that_account_s_key)
{
    leave_behind(LEFT_BEHIND("default", "other"));
    uint64_t refused = enqueue("b", 2).number;
    ck_assert(is_leased(refused));
    struct effect job = rig_job_told(rig);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 401;
    result.scope = SCOPE_ACCOUNT;
    result.key_refused = true;
    rig_answer(rig, &result);
    uint64_t held = enqueue("a", 1).number;
    rig_pass(rig, 5000);
    ck_job(held, JOB_QUEUED, REASON_PROVIDER_DOWN);
}
END_TEST

START_TEST(a_pool_whose_last_line_leaves_has_no_healthy_line_and_no_other_reason)
{
    static const char policy[] = "policies:\n  default: {pace_per_min: 0, new_conversations_per_day: 1}\n";
    char before[512], after[512];
    snprintf(before, sizeof before, ACCOUNTS "pools:\n" POOL_A "%s", policy);
    snprintf(after, sizeof after, ACCOUNTS "pools:\n  a: {lines: []}\n" POOL_REST "%s", policy);
    begin(before, 1);
    end_lease(enqueue("a", 1).number);
    uint64_t waits = enqueue("a", 2).number;
    ck_job(waits, JOB_QUEUED, REASON_BUDGET_NEW_CONVERSATIONS);
    ck_assert_int_eq(change_to(after), ERR_NONE);
    rig_pass(rig, 1000);
    ck_job(waits, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
}
END_TEST

START_TEST(a_line_from_another_pool_has_its_part_of_the_new_conversations_at_once)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 2);
    for (uint64_t c = 1; c <= 200; c++) {
        end_lease(enqueue("a", c).number);
        rig_forget(rig);
    }
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n  a: {lines: [\"+12025550103\"]}\n"
                                        "  b: {lines: [\"+12025550100\", \"+12025550101\"]}\n" POLICY(0)),
                     ERR_NONE);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    unsigned here = 0;
    for (uint64_t c = 1001; c <= 1040; c++) {
        uint64_t job = enqueue("b", c).number;
        here += rig_view(rig, job).line == RIG_LINE;
        end_lease(job);
        rig_forget(rig);
    }
    ck_assert_uint_ge(here, 10);
}
END_TEST

START_TEST(what_lives_on_another_account_s_line_does_not_wait_for_its_own_account_s_key)
{
    leave_behind(LEFT_BEHIND("default", "other"));
    struct core_poll refused = {.account = 0, .poll = ++rig->polls, .key_refused = true};
    core_poll_ended(rig->core, &refused, rig->now, &rig->out);
    core_worker_gone(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t waits = enqueue("a", 1).number;
    ck_job(waits, JOB_QUEUED, REASON_NO_WORKER);
    rig_worker(rig, 2, 64);
    rig_tick(rig);
    ck_assert(is_leased(waits));
}
END_TEST

START_TEST(pauses_stay_where_they_are)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 2);
    rig_pause(rig, PAUSE_POOL, pool_of("b"), 0);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POLICY(0)), ERR_NONE);
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_B POOL_A POLICY(0)), ERR_NONE);
    uint64_t held = enqueue("b", 1).number;
    ck_job(held, JOB_QUEUED, REASON_POOL_PAUSED);
    ck_assert_uint_ne(rig_view(rig, held).pause, 0);
    ck_assert(!is_leased(held));
    ck_assert_int_eq(rig_resume(rig, PAUSE_POOL, pool_of("b"), 0), CODE_NONE);
    rig_tick(rig);
    ck_assert(is_leased(held));
}
END_TEST

START_TEST(too_many_new_pools_change_nothing)
{
    static char conf[16384];
    begin(ACCOUNTS "pools:\n" POOL_A POLICY(0), 1);
    snprintf(conf, sizeof conf, "%s", ACCOUNTS POLICY(1) "pools:\n" POOL_A);
    for (int p = 0; p < 70; p++) {
        size_t bytes = strlen(conf);
        snprintf(conf + bytes, sizeof conf - bytes, "  p%d: {lines: [\"+1202556%04d\"]}\n", p, p);
    }
    ck_assert_int_eq(change_to(conf), ERR_FULL);
    for (uint64_t i = 0; i < 5; i++)
        ck_assert(is_leased(enqueue("a", i + 1).number));
}
END_TEST

START_TEST(a_pool_of_which_an_earlier_start_left_jobs_needs_a_restart)
{
    begin(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0), 0);
    enqueue("b", 1);
    restart_with(ACCOUNTS "pools:\n" POOL_A POLICY(0));
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_A POOL_B POLICY(0)), ERR_BUSY);
}
END_TEST

START_TEST(silence_is_judged_by_the_new_measure)
{
    begin("accounts:\n  default: {api_key_file: key, stale_after_ms: 600000, blind_after_ms: 1200000}\n"
          "pools:\n" POOL_A POLICY(0),
          1);
    rig_pass(rig, 60000);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    ck_assert_int_eq(
        change_to("accounts:\n  default: {api_key_file: key, stale_after_ms: 10000, blind_after_ms: 20000}\n"
                  "pools:\n" POOL_A POLICY(0)),
        ERR_NONE);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
}
END_TEST

#define GROWS       "policies:\n  default: {growth_floor: 100, daily_growth_factor: 3}\n"
#define POOL_A_WITH "  a: {lines: {\"+12025550100\": {daily_level: %d}}}\n"

/* covers: key pools.lines */
START_TEST(a_lines_daily_level_is_in_force_at_once)
{
    begin(ACCOUNTS "pools:\n" POOL_A GROWS, 1);
    ck_assert_int_eq(rig_line(rig, 0).growth_limit, 100);
    for (int level = 5000; level >= 1000; level -= 4000) {
        char text[300];
        snprintf(text, sizeof text, ACCOUNTS "pools:\n" POOL_A_WITH GROWS, level);
        ck_assert_int_eq(change_to(text), ERR_NONE);
        ck_assert_int_eq(rig_line(rig, 0).growth_limit, 3 * level);
    }
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n" POOL_REST GROWS), ERR_NONE);
    ck_assert_int_eq(rig_line(rig, 0).growth_limit, 100);
}
END_TEST

#define TIGHT                                                                                                        \
    "  tight: {pace_per_min: 0, new_conversations_per_day: 0, daily_messages: 0, distinct_recipients_per_hour: 2, "  \
    "pair_per_min: 0, daily_growth_factor: 0, cadence_ms: []}\n"

START_TEST(the_recipients_budget_of_a_line_holds_for_conversations_of_another_pool)
{
    begin(ACCOUNTS "pools:\n" POOL_A "  b: {policy: tight, lines: [\"+12025550101\"]}\n" POLICY(0) TIGHT, 2);
    for (uint64_t c = 1; c <= 6; c++)
        end_lease(enqueue("a", c).number);
    for (int i = 0; i < 75; i++) {
        rig_pass(rig, 60000);
        rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    }
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t c = 1; c <= 3; c++)
        enqueue("a", c); /* these wait already */
    ck_assert_int_eq(change_to(ACCOUNTS "pools:\n  a: {lines: [\"+12025550102\"]}\n"
                                        "  b: {policy: tight, lines: [\"+12025550100\", \"+12025550101\"]}\n"
                                        POLICY(0) TIGHT), ERR_NONE);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_forget(rig);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t c = 4; c <= 6; c++)
        enqueue("a", c);
    rig_tick(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 2);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 2);
}
END_TEST

/* covers: key policies.pair_per_min */
START_TEST(a_pair_limit_counts_the_minute_before_it_was_set)
{
    const char *limited = ACCOUNTS "pools:\n" POOL_A "policies:\n  default: {pace_per_min: 0, pair_per_min: 2, "
                                   "new_conversations_per_day: 0, daily_messages: 0, distinct_recipients_per_hour: 0, "
                                   "daily_growth_factor: 0}\n";
    begin(ACCOUNTS "pools:\n" POOL_A POLICY(0), 1);
    for (int i = 0; i < 3; i++) {
        uint64_t number = enqueue("a", 1).number;
        ck_assert(is_leased(number));
        end_lease(number);
        rig_pass(rig, 1000);
    }
    ck_assert_int_eq(change_to(limited), ERR_NONE);
    uint64_t waits = enqueue("a", 1).number;
    ck_job(waits, JOB_QUEUED, REASON_BUDGET_PAIR);
    rig_pass(rig, 57000);
    ck_job(waits, JOB_QUEUED, REASON_BUDGET_PAIR);
    rig_pass(rig, 10000);
    ck_assert(is_leased(waits));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_pace_is_in_force_at_once,
        a_lease_that_was_given_out_keeps_its_time_though_its_worker_says_ready_again,
        a_new_pool_takes_jobs_and_old_ones_keep_their_place,
        a_pool_gone_keeps_its_jobs_and_gives_them_back,
        a_pool_gone_is_shown_while_a_job_of_it_is_left_though_not_due_yet,
        jobs_that_wait_when_their_pool_goes_are_not_sent,
        a_pool_that_another_broker_owns_sends_nothing_and_lends_no_line,
        a_pool_that_goes_calls_back_what_no_worker_has_begun,
        lines_are_counted_by_pool_and_gate_wherever_they_go,
        a_line_goes_to_the_pool_that_names_it,
        a_conversation_left_on_another_pools_line_is_for_workers_of_both,
        a_new_conversation_that_may_begin_no_more_comes_back_before_it_leaves,
        a_new_conversation_that_may_begin_no_more_is_called_back,
        a_paused_pool_sends_nothing_on_lines_that_are_another_pool_s_now,
        what_stands_on_another_pool_s_line_already_waits_for_its_own_pool_s_pause,
        a_paused_pool_s_pause_holds_on_another_pool_s_line_after_a_restart_too,
        on_a_line_that_is_another_account_s_now_both_may_tell_what_became_of_a_job,
        a_line_that_is_another_account_s_now_hears_that_one_only,
        a_paused_account_sends_nothing_on_lines_that_are_another_account_s_now,
        what_lives_on_another_pool_s_line_waits_for_that_pool_s_pause_too,
        a_pause_calls_back_what_is_under_way_on_lines_that_are_another_s_now,
        a_pool_that_comes_to_a_paused_account_calls_back_what_it_has_on_another_pool_s_line,
        what_lives_on_another_account_s_line_waits_for_that_account_s_key,
        what_lives_on_another_account_s_line_does_not_wait_for_its_own_account_s_key,
        a_pool_whose_last_line_leaves_has_no_healthy_line_and_no_other_reason,
        a_line_from_another_pool_has_its_part_of_the_new_conversations_at_once,
        pauses_stay_where_they_are,
        too_many_new_pools_change_nothing,
        a_pool_of_which_an_earlier_start_left_jobs_needs_a_restart,
        silence_is_judged_by_the_new_measure,
        a_lines_daily_level_is_in_force_at_once,
        the_recipients_budget_of_a_line_holds_for_conversations_of_another_pool,
        a_pair_limit_counts_the_minute_before_it_was_set,
    };
    return run_suite("core_reconfigure", tests, sizeof tests / sizeof *tests);
}
