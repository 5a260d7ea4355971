/* core_drain_test.c — a backlog that goes at a pace: the bound, the order, what stops it, what it says of its end (PROTOCOL,
 * POST /v1/lines/{line}/drain; promise P6). */
#include <string.h>

#include "tests/unit/core_suite.h"

#define MANY_CONF  "broker:\n  jobs_max: 200000\n" CONF
#define CONF                                                                                                          \
    POLICY_CONF("cadence_ms: [], pace_per_min: 0, burst: 20, new_conversations_per_day: 0, pair_per_min: 0, "          \
                "daily_messages: 0, distinct_recipients_per_hour: 0, daily_growth_factor: 0, attempts_max: 3")
#define PACE       600
#define MANY       100000
#define FAILS_NONE 0

static enum code ask(enum drain mode, int64_t pace, enum drain_order order, unsigned percent)
{
    const struct core_drain drain = {.token = 91, .line = RIG_LINE, .mode = mode, .pace_per_min = pace, .order = order,
                                     .stop_percent = percent, .by = "ann"};
    rig_forget(rig);
    core_drain(rig->core, &drain, rig->now, &rig->out);
    rig_keep(rig);
    const struct effect *answer = rig_told(rig, EFFECT_ANSWER, 0);
    ck_assert_ptr_nonnull(answer);
    enum code code = answer->code;
    rig_forget(rig);
    return code;
}

static const struct change_orders *orders(void)
{
    return rig_line(rig, 0).orders;
}

/* What went, in its order. */
static struct went {
    int64_t at_ms[MANY + 1000];
    uint64_t number[MANY + 1000];
    size_t count;
} went;

/* Time passes; all that is handed out is answered at once, every nth of them (0: none) badly. */
static void run(int64_t ms, unsigned nth)
{
    for (int64_t end_ms = rig->now.mono_ms + ms; rig->now.mono_ms < end_ms && orders()->drain != DRAIN_NONE;) {
        rig_pass(rig, 100);
        size_t jobs = rig_count(rig, EFFECT_JOB);
        struct effect handed[64];
        ck_assert_uint_le(jobs, 64);
        for (size_t i = 0; i < jobs; i++)
            handed[i] = *rig_told(rig, EFFECT_JOB, i);
        rig_forget(rig);
        for (size_t i = 0; i < jobs; i++) {
            struct lease_view view;
            ck_assert(core_lease_view(rig->core, handed[i].lease, &view));
            went.at_ms[went.count] = rig->now.mono_ms;
            went.number[went.count++] = view.number;
            bool bad = nth != 0 && went.count % nth == 0;
            struct core_result result = rig_result(&handed[i], bad ? OUTCOME_REJECTED : OUTCOME_SENT);
            rig_answer(rig, &result);
        }
        rig_tick(rig);
    }
}

static size_t most_in_a_minute(void)
{
    size_t most = 0;
    for (size_t i = 0, first = 0; i < went.count; i++) {
        while (went.at_ms[i] - went.at_ms[first] >= 60000)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

static void held(const char *conf)
{
    begin_with(conf, 1);
    went.count = 0;
    rig_worker(rig, 1, 32);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
}

static void resume(void)
{
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, 0), CODE_NONE);
    rig_forget(rig);
}

/* covers: call POST /v1/lines/{line}/drain */
START_TEST(a_hundred_thousand_jobs_go_at_the_bound_replies_first_and_in_the_time_that_was_said)
{
    struct rig_options options = {.conf = MANY_CONF, .seed = 1, .limits = {.jobs_max = MANY + 10, .conversations_max = MANY + 10}};
    static uint64_t replies[1000];
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    went.count = 0;
    rig_worker(rig, 1, 32);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t i = 0; i < MANY; i++) {
        bool reply = i % 100 == 99;
        uint64_t number = send_known(0, i + 1, reply ? CLASS_REPLY : (enum job_class)(1 + i % 3));
        if (reply)
            replies[i / 100] = number;
        if (i % 1000 == 0)
            rig_forget(rig);
    }
    ck_assert_int_eq(ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20), CODE_NONE);
    resume();
    int64_t begun_ms = rig->now.wall_ms;
    int64_t said_ms = rig_line(rig, 0).drain_eta_ms - begun_ms;
    for (int64_t poll = 0; orders()->drain != DRAIN_NONE && poll < 24 * 60; poll++) {
        run(60000, FAILS_NONE);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        rig_forget(rig);
    }
    ck_assert_uint_eq(went.count, MANY);
    ck_assert_uint_le(most_in_a_minute(), PACE);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(went.number[i], replies[i]);
    int64_t took_ms = went.at_ms[went.count - 1] - went.at_ms[0];
    ck_assert_msg(llabs(said_ms - took_ms) * 10 <= took_ms, "%lld ms said, %lld taken", (long long)said_ms, (long long)took_ms);
    ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_DONE);
    ck_assert_uint_eq(orders()->drain_sent, MANY);
    ck_assert_uint_eq(orders()->drain_total, MANY);
}
END_TEST

START_TEST(the_operator_says_which_class_goes_next)
{
    /* In the order of acceptance; the deadlines run the other way. */
    static const enum job_class classes[] = {CLASS_CAMPAIGN, CLASS_FOLLOWUP, CLASS_TRANSACTIONAL, CLASS_REPLY};
    static const struct {
        enum drain_order order;
        unsigned goes[4];
    } cases[] = {{DRAIN_ORDER_REPLIES, {3, 2, 1, 0}}, {DRAIN_ORDER_OLDEST, {0, 1, 2, 3}}, {DRAIN_ORDER_DEADLINE, {1, 0, 2, 3}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint64_t numbers[4];
        held(CONF);
        for (unsigned i = 0; i < 4; i++) {
            struct core_enqueue job = rig_job(i + 1, classes[i]);
            job.from_line = RIG_LINE;
            job.chat_hash = i + 100;
            job.expires_ms = i < 2 ? rig->now.wall_ms + (i == 0 ? 7200000 : 3600000) : 0;
            numbers[i] = rig_enqueue(rig, &job).number;
        }
        ask(DRAIN_RAMP, PACE, cases[c].order, 0);
        resume();
        run(10000, FAILS_NONE);
        ck_assert_uint_eq(went.count, 4);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_msg(went.number[i] == numbers[cases[c].goes[i]], "%s: place %u", drain_order_name(cases[c].order), i);
    }
}
END_TEST

static void drain_a_hundred(void)
{
    held(CONF);
    for (uint64_t i = 1; i <= 100; i++)
        send_known(0, i, CLASS_TRANSACTIONAL);
    ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20);
    resume();
}

START_TEST(a_line_that_goes_down_again_stops_its_drain_for_good)
{
    drain_a_hundred();
    run(2000, FAILS_NONE);
    size_t before = went.count;
    ck_assert_uint_ge(before, 15);
    ck_assert_uint_le(before, 21); /* the policy's burst is none of a drain */
    told(REPUTATION_CRITICAL);
    rig_forget(rig);
    rig_pass(rig, 10);
    ck_assert_int_eq(orders()->drain, DRAIN_NONE);
    ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_STOPPED);
    ck_assert_str_eq(orders()->drain_why, "line_critical");
    ck_assert_uint_eq(alerts(ALERT_DRAIN_STOPPED), 1);
    struct pause_view pauses[4];
    uint32_t cursor = 0;
    ck_assert_uint_eq(core_pauses(rig->core, &cursor, pauses, 4), 1);
    ck_assert_str_eq(pauses[0].pause.reason, "drain stopped: line_critical");
    ck_assert_str_eq(pauses[0].pause.by, "ann");
    rig_restart(rig, 1000);
    rig_worker(rig, 2, 32);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    rig_forget(rig);
    rig_pass(rig, 60000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0); /* not by itself */
    ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_STOPPED);
    ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20);
    cursor = 0;
    ck_assert_uint_eq(core_pauses(rig->core, &cursor, pauses, 4), 0);
    run(600000, FAILS_NONE);
    ck_assert_uint_eq(went.count, 100);
    ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_DONE);
}
END_TEST

START_TEST(a_drain_that_can_lay_no_pause_keeps_its_bound_until_it_can)
{
    struct rig_options options = {.conf = CONF, .seed = 1, .limits = {.pauses_max = 2}}; /* room for one */
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 32);
    went.count = 0;
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t i = 1; i <= 100; i++)
        send_known(0, i, CLASS_TRANSACTIONAL);
    ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20);
    resume();
    run(1000, FAILS_NONE);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_CONVERSATION, 9999, 0), 0);
    told(REPUTATION_CRITICAL);
    rig_pass(rig, 5000);
    ck_assert_int_eq(orders()->drain, DRAIN_RAMP);
    ck_assert_int_eq(rig_resume(rig, PAUSE_CONVERSATION, 9999, 0), CODE_NONE);
    rig_pass(rig, 1100);
    ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_STOPPED);
}
END_TEST

START_TEST(a_drain_waits_for_a_closed_line_and_is_not_stopped_by_it)
{
    begin_with(CONF, 1);
    went.count = 0;
    rig_worker(rig, 1, 32);
    told(REPUTATION_CRITICAL);
    send_known(0, 1, CLASS_REPLY);
    ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20);
    rig_pass(rig, 1000);
    ck_assert_int_eq(orders()->drain, DRAIN_RAMP);
    ck_assert_int_eq(rig_line(rig, 0).drain_eta_ms, 0); /* nobody can say */
    rig_restart(rig, 3600000); /* and not by a start that has heard of nobody */
    rig_pass(rig, 1000);
    ck_assert_int_eq(orders()->drain, DRAIN_RAMP);
}
END_TEST

START_TEST(a_drain_stops_when_too_much_fails_and_not_when_little_does)
{
    for (unsigned nth = 3; nth <= 6; nth += 3) { /* a third fails, then a sixth */
        drain_a_hundred();
        run(60000, nth);
        if (nth == 6) {
            ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_DONE);
            ck_assert_uint_eq(went.count, 100);
            ck_assert_uint_eq(orders()->drain_failed, 16);
            continue;
        }
        ck_assert_int_eq(orders()->drain_state, DRAIN_STATE_STOPPED);
        ck_assert_str_eq(orders()->drain_why, "6 of 20 sends failed");
        ck_assert_uint_eq(went.count, 20);
        ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 80);
    }
}
END_TEST

static struct drain_count look(enum drain mode)
{
    struct drain_count count = {0};
    uint32_t cursor = 0;
    while (core_drain_look(rig->core, 0, mode, &cursor, 3, &count))
        ;
    return count;
}

START_TEST(a_rehearsal_says_what_goes_by_class_and_what_keeps_the_rest)
{
    begin_with(CONF, 1);
    went.count = 0;
    rig_worker(rig, 1, 1);
    send_known(0, 1, CLASS_REPLY);
    rig_tick(rig); /* leased */
    rig_pause(rig, PAUSE_CONVERSATION, rig_job(2, CLASS_REPLY).conversation, 0);
    send_known(0, 2, CLASS_REPLY);
    send_known(0, 3, CLASS_CAMPAIGN);
    struct core_enqueue pinned = rig_job(4, CLASS_FOLLOWUP);
    pinned.from_line = RIG_LINE;
    rig_enqueue(rig, &pinned);
    struct drain_count ramp = look(DRAIN_RAMP), fail = look(DRAIN_FAIL), move = look(DRAIN_MOVE), replace = look(DRAIN_REPLACE);
    ck_assert_uint_eq(ramp.jobs, 3);
    ck_assert_uint_eq(ramp.by_class[CLASS_REPLY], 1);
    ck_assert_uint_eq(ramp.stays[DRAIN_STAY_CONVERSATION_PAUSED], 1);
    ck_assert_uint_eq(fail.jobs, 3);
    ck_assert_uint_eq(fail.stays[DRAIN_STAY_LEASED], 1);
    ck_assert_uint_eq(move.jobs + move.stay, 3); /* what a worker has is nobody's to move */
    ck_assert_uint_eq(replace.jobs, 0);
    ck_assert_uint_ge(move.stays[DRAIN_STAY_PINNED], 1);
    int64_t eta_ms = core_drain_eta(rig->core, 0, 60, 11, rig->now) - rig->now.wall_ms;
    ck_assert_msg(eta_ms >= 10000 && eta_ms <= 11500, "%lld ms", (long long)eta_ms);
}
END_TEST

START_TEST(a_drain_that_is_cancelled_leaves_no_pause_and_no_bound)
{
    held(CONF);
    for (uint64_t i = 1; i <= 50; i++)
        send_known(0, i, CLASS_TRANSACTIONAL);
    ask(DRAIN_RAMP, PACE, DRAIN_ORDER_REPLIES, 20);
    resume();
    run(1000, FAILS_NONE);
    ck_assert_int_eq(ask(DRAIN_NONE, 0, DRAIN_ORDER_SHARES, 0), CODE_NONE);
    ck_assert(rig_line(rig, 0).pace_per_min == -1);
    ck_assert_int_eq(orders()->drain, DRAIN_NONE);
    ck_assert_int_eq(orders()->drain_past, DRAIN_NONE);
    rig_pass(rig, 1000);
    ck_assert_uint_ge(rig_count(rig, EFFECT_JOB), 32);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_hundred_thousand_jobs_go_at_the_bound_replies_first_and_in_the_time_that_was_said,
        the_operator_says_which_class_goes_next,
        a_line_that_goes_down_again_stops_its_drain_for_good,
        a_drain_that_can_lay_no_pause_keeps_its_bound_until_it_can,
        a_drain_waits_for_a_closed_line_and_is_not_stopped_by_it,
        a_drain_stops_when_too_much_fails_and_not_when_little_does,
        a_rehearsal_says_what_goes_by_class_and_what_keeps_the_rest,
        a_drain_that_is_cancelled_leaves_no_pause_and_no_bound,
    };
    return run_suite("core_drain", tests, sizeof tests / sizeof *tests);
}
