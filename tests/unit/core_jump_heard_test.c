/* core_jump_heard_test.c — the wall clock was a year ahead for a while and is right again: what was said meanwhile ends
 * when it was to end, and does not keep what is said since from being heard. */
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

/* What the provider says of the chat of conversation 1, with an event that bears no moment. */
static void chat_says(enum chat_health health)
{
    static uint64_t event = 9000;
    struct core_message_fact fact = {.token = 3, .event = ++event, .what = MESSAGE_DELIVERED, .chat_hash = 3,
                                     .line = RIG_LINE, .has_health = true, .health = health};
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

int main(void)
{
    const TTest *const tests[] = {
        a_webhook_closes_a_line,
        a_webhook_closes_a_line_though_the_one_before_had_no_moment,
        a_webhook_closes_a_line_after_a_restart,
        a_chat_that_turns_critical_is_heard,
        a_chat_that_turns_healthy_is_heard_after_a_restart,
    };
    return run_suite("core_jump_heard", tests, sizeof tests / sizeof *tests);
}
