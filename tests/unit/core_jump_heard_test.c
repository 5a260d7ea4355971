/* core_jump_heard_test.c — the wall clock was a year ahead for a while and is right again: what was said meanwhile
 * ends when it was to end, and does not keep what is said since from being heard. */
#include "broker/core/core_views.h"
#include "tests/unit/core_jump_rig.h"

#define CONF POLICY_CONF("pace_per_min: 0")

/* As a line's last webhook does, or its changed_at: both may be of that year. */
static void told_in_that_year(int64_t (*changed_at_ms)(void))
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_tell(rig, 0, REPUTATION_HEALTHY, changed_at_ms());
}

static int64_t just_now(void)
{
    return rig->now.wall_ms;
}

static int64_t nobody_says(void)
{
    return 0;
}

START_TEST(a_webhook_closes_a_line)
{
    told_in_that_year(just_now);
    jump(-YEAR_MS);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_webhook_closes_a_line_though_the_one_before_had_no_moment)
{
    told_in_that_year(nobody_says);
    jump(-YEAR_MS);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_webhook_closes_a_line_after_a_restart)
{
    told_in_that_year(just_now);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

/* The provider's clock is right, ours is some minutes behind, and goes back once more. */
START_TEST(an_active_of_before_lifts_no_flag_though_both_lie_ahead)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin_with(CONF, 1);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        int64_t flagged_ms = rig->now.wall_ms + 200000;
        rig_tell_service(rig, 0, SERVICE_FLAGGED, flagged_ms);
        if (restarts == 0)
            jump(-70000);
        rig->now.wall_ms -= restarts == 1 ? 70000 : 0;
        if (restarts == 1)
            rig_restart(rig, 100);
        rig_tell_service(rig, 0, SERVICE_ACTIVE, flagged_ms - 7000);
        ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
        rig_tell_service(rig, 0, SERVICE_ACTIVE, flagged_ms + 1000);
        ck_assert_int_ne(rig_line(rig, 0).reason, REASON_LINE_FLAGGED);
    }
}
END_TEST

/* These words, one after the other; then the clock goes back, a HEALTHY of before them comes, and one poll agrees. Where
 * one of after them has come that is enough; else there must be two. */
static void told_before_a_late_healthy(const enum reputation *words, size_t count)
{
    begin_with(CONF, 1);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    int64_t first_ms = rig->now.wall_ms;
    for (size_t i = 0; i < count; i++)
        rig_tell(rig, 0, words[i], first_ms + (int64_t)i * 10);
    jump(-70000);
    rig_pass(rig, 1000);
    rig_tell(rig, 0, REPUTATION_HEALTHY, first_ms - 10000);
    rig_pass(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
}

START_TEST(a_healthy_of_before_a_critical_is_none_after_it_though_the_clock_went_back)
{
    static const enum reputation words[] = {REPUTATION_CRITICAL, REPUTATION_AT_RISK};
    for (size_t count = 1; count <= 2; count++) {
        told_before_a_late_healthy(words, count);
        ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    }
}
END_TEST

/* The same for a line that only takes no new conversations. */
START_TEST(nor_is_one_of_before_an_at_risk)
{
    told_before_a_late_healthy((const enum reputation[]){REPUTATION_AT_RISK}, 1);
    ck_assert_int_eq(rig_line(rig, 0).proven, REPUTATION_AT_RISK);
}
END_TEST

/* No list lifts it: if the ACTIVE were older than an event of a clock that was wrong, the line would stay so for good. */
START_TEST(a_flag_that_is_heard_though_the_last_event_lies_ahead_is_lifted)
{
    begin_with(CONF, 1);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_tell(rig, 0, REPUTATION_HEALTHY, 0);
    jump(-200000);
    int64_t flagged_ms = rig->now.wall_ms;
    rig_tell_service(rig, 0, SERVICE_FLAGGED, flagged_ms);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_pass(rig, 10000);
    rig_tell_service(rig, 0, SERVICE_ACTIVE, flagged_ms - 5000);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    rig_tell_service(rig, 0, SERVICE_ACTIVE, flagged_ms + 5000);
    ck_assert_int_ne(rig_line(rig, 0).reason, REASON_LINE_FLAGGED);
}
END_TEST

/* An event without a moment is of our clock's: where that went back by a little, what comes with one looks older. */
START_TEST(a_critical_is_heard_though_the_last_event_lies_ahead)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin_with(CONF, 1);
        rig_poll_all(rig, 1, REPUTATION_HEALTHY);
        rig_tell(rig, 0, REPUTATION_HEALTHY, 0);
        if (restarts == 0)
            jump(-200000);
        rig->now.wall_ms -= restarts == 1 ? 200000 : 0;
        if (restarts == 1)
            rig_restart(rig, 100);
        rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
        ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
        rig_tell_service(rig, 0, SERVICE_FLAGGED, rig->now.wall_ms);
        ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    }
}
END_TEST

/* Else a restart would take each line that it lists no more for one that was heard of just now. */
START_TEST(it_is_recorded_by_and_by_that_a_line_was_heard_of)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_AT_RISK);
    jump(-YEAR_MS);
    rig_pass(rig, 120000); /* more than half of stale_after_ms */
    rig_poll_all(rig, 1, REPUTATION_AT_RISK);
    struct record_storage storage;
    struct change change;
    ck_assert(rig_last(rig, CHANGE_LINE, RIG_LINE, &storage, &change));
    ck_assert_int_eq(change.line->heard_at_ms, rig->now.wall_ms);
}
END_TEST

/* What the provider says of the chat of conversation 1, with an event that bears no moment. */
static void chat_says(enum chat_health health)
{
    static uint64_t event = 9000;
    struct core_message_fact fact = {.token = 3,
                                     .event = ++event,
                                     .what = MESSAGE_DELIVERED,
                                     .chat_hash = 3,
                                     .line = RIG_LINE,
                                     .has_health = true,
                                     .health = health};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void chat_told_in_that_year(void)
{
    begin_with(CONF, 1);
    rig_worker(rig, 1, 8);
    send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_SENT);
    result.chat_hash = 3;
    rig_answer(rig, &result);
    jump(YEAR_MS);
    chat_says(CHAT_AT_RISK);
}

static void ck_chat(enum chat_health health)
{
    struct conversation_view chat;
    ck_assert(core_conversation_view(rig->core, 1, &chat));
    ck_assert_int_eq(chat.health, health);
}

START_TEST(a_chat_that_turns_critical_is_heard)
{
    chat_told_in_that_year();
    jump(-YEAR_MS);
    rig_pass(rig, 2000);
    chat_says(CHAT_CRITICAL);
    ck_chat(CHAT_CRITICAL);
}
END_TEST

START_TEST(a_chat_that_turns_healthy_is_heard_after_a_restart)
{
    chat_told_in_that_year();
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    ck_chat(CHAT_AT_RISK);
    rig_pass(rig, 2000);
    chat_says(CHAT_HEALTHY);
    ck_chat(CHAT_HEALTHY);
}
END_TEST

/* ---- what a recipient said ---- */

#define OF_ONE UINT64_C(1000001) /* the recipient of conversation 1 */

static void refused_as_opted_out_in_that_year(void)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    result.suppress = SUPPRESS_OPTED_OUT;
    result.recipient = OF_ONE;
    rig_answer(rig, &result);
}

static void recipient_writes(int64_t at_ms)
{
    struct core_message_fact fact = {.token = 3,
                                     .event = 9000 + rig->polls,
                                     .what = MESSAGE_RECEIVED,
                                     .chat_hash = 3,
                                     .inbound = true,
                                     .recipient = OF_ONE,
                                     .line = RIG_LINE,
                                     .at_ms = at_ms};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static enum code code_of_next(void)
{
    struct core_enqueue next = job_known(0, 1, CLASS_TRANSACTIONAL);
    return rig_enqueue(rig, &next).code;
}

START_TEST(a_recipient_lifts_an_opt_out)
{
    refused_as_opted_out_in_that_year();
    jump(-YEAR_MS);
    ck_assert_int_eq(code_of_next(), CODE_OPTED_OUT);
    rig_pass(rig, 1000);
    recipient_writes(rig->now.wall_ms);
    ck_assert_int_eq(code_of_next(), CODE_NONE);
}
END_TEST

START_TEST(a_recipient_lifts_an_opt_out_after_a_restart)
{
    refused_as_opted_out_in_that_year();
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    rig_pass(rig, 1000);
    recipient_writes(rig->now.wall_ms);
    ck_assert_int_eq(code_of_next(), CODE_NONE);
}
END_TEST

/* It was written before, and comes late. */
START_TEST(an_opt_out_is_not_lifted_by_what_was_written_before_it)
{
    refused_as_opted_out_in_that_year();
    jump(-YEAR_MS);
    rig_pass(rig, 1000);
    recipient_writes(rig->now.wall_ms - 3600000);
    ck_assert_int_eq(code_of_next(), CODE_OPTED_OUT);
}
END_TEST

/* ---- what an operator said ---- */

#define HOUR_MS INT64_C(3600000)

static void minutes(int64_t count)
{
    rig->now.wall_ms += count * 60000;
    rig->now.mono_ms += count * 60000;
    rig_tick(rig);
}

static void pause_for_an_hour(void)
{
    ck_assert_uint_ne(rig_pause(rig, PAUSE_LINE, RIG_LINE, HOUR_MS), 0);
}

static bool is_paused(void)
{
    const struct change_pause *pause = NULL;
    return core_pauses_on(rig->core, PAUSE_LINE, RIG_LINE, &pause, 1) > 0;
}

static void ck_paused_for_an_hour(void)
{
    minutes(59);
    ck_assert(is_paused());
    minutes(2);
    ck_assert(!is_paused());
}

START_TEST(a_pause_ends_when_its_time_has_gone_by)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    pause_for_an_hour();
    jump(-YEAR_MS);
    ck_paused_for_an_hour();
}
END_TEST

START_TEST(a_pause_ends_when_its_time_has_gone_by_since_a_restart)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    pause_for_an_hour();
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    ck_paused_for_an_hour();
}
END_TEST

START_TEST(a_pause_without_an_end_has_none)
{
    begin_with(CONF, 1);
    jump(YEAR_MS);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_LINE, RIG_LINE, 0), 0);
    jump(-YEAR_MS);
    minutes(1000);
    ck_assert(is_paused());
}
END_TEST

/* It was the clock after the jump that was wrong, and it is right again. */
START_TEST(a_pause_does_not_end_early_if_the_clock_was_behind_for_a_while)
{
    begin_with(CONF, 1);
    pause_for_an_hour();
    jump(-YEAR_MS);
    rig_pass(rig, 1000);
    rig_restart(rig, 100);
    rig->now.wall_ms += YEAR_MS;
    ck_paused_for_an_hour();
}
END_TEST

static void word(enum reputation status)
{
    const struct core_word word = {.token = 1,
                                   .line = RIG_LINE,
                                   .status = status,
                                   .for_ms = HOUR_MS,
                                   .reason = "r",
                                   .by = "b",
                                   .may_better = true};
    core_reputation(rig->core, &word, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(answered(), CODE_NONE);
}

static void ck_word_for_an_hour(void)
{
    minutes(59);
    rig_poll_all(rig, 1, REPUTATION_CRITICAL);
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    minutes(2);
    rig_poll_all(rig, 1, REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}

START_TEST(a_better_word_ends_when_its_time_has_gone_by)
{
    begin_with(CONF, 1);
    told(REPUTATION_CRITICAL);
    jump(YEAR_MS);
    word(REPUTATION_HEALTHY);
    jump(-YEAR_MS);
    ck_word_for_an_hour();
}
END_TEST

START_TEST(a_better_word_ends_when_its_time_has_gone_by_since_a_restart)
{
    begin_with(CONF, 1);
    told(REPUTATION_CRITICAL);
    jump(YEAR_MS);
    word(REPUTATION_HEALTHY);
    rig->now.wall_ms -= YEAR_MS;
    rig_restart(rig, 100);
    ck_word_for_an_hour();
}
END_TEST

/* And one that is said anew counts from then on. */
START_TEST(a_word_said_after_the_clock_went_back_lasts_as_long_as_it_says)
{
    begin_with(CONF, 1);
    told(REPUTATION_CRITICAL);
    jump(YEAR_MS);
    word(REPUTATION_HEALTHY);
    jump(-YEAR_MS);
    minutes(30);
    word(REPUTATION_HEALTHY);
    ck_word_for_an_hour();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_webhook_closes_a_line,
        a_webhook_closes_a_line_though_the_one_before_had_no_moment,
        a_webhook_closes_a_line_after_a_restart,
        an_active_of_before_lifts_no_flag_though_both_lie_ahead,
        a_healthy_of_before_a_critical_is_none_after_it_though_the_clock_went_back,
        nor_is_one_of_before_an_at_risk,
        a_flag_that_is_heard_though_the_last_event_lies_ahead_is_lifted,
        a_critical_is_heard_though_the_last_event_lies_ahead,
        it_is_recorded_by_and_by_that_a_line_was_heard_of,
        a_chat_that_turns_critical_is_heard,
        a_chat_that_turns_healthy_is_heard_after_a_restart,
        a_recipient_lifts_an_opt_out,
        a_recipient_lifts_an_opt_out_after_a_restart,
        an_opt_out_is_not_lifted_by_what_was_written_before_it,
        a_pause_ends_when_its_time_has_gone_by,
        a_pause_ends_when_its_time_has_gone_by_since_a_restart,
        a_pause_without_an_end_has_none,
        a_pause_does_not_end_early_if_the_clock_was_behind_for_a_while,
        a_better_word_ends_when_its_time_has_gone_by,
        a_better_word_ends_when_its_time_has_gone_by_since_a_restart,
        a_word_said_after_the_clock_went_back_lasts_as_long_as_it_says,
    };
    return run_suite("core_jump_heard", tests, sizeof tests / sizeof *tests);
}
