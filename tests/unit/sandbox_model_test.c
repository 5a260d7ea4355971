/* sandbox_model_test.c — how a line's reputation moves in the sandbox's model, and how its people answer. No clock:
 * days pass in a loop. */
#include <string.h>

#include "tests/support/suite.h"
#include "tools/sandbox/model/model.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct model_params params;
static struct model_line line;
static int64_t now;

static void setup(void)
{
    model_params_init(&params, 7);
    ck_assert(model_params_set(&params, "spread", 0));
    now = 20000 * DAY + 3 * HOUR;
    model_line_init(&line, &params, 1, 0, now);
}

/* `count` sends spread over `span_ms`, each to somebody new (or all to those of `chats`), of which every `answered`th
 * is answered at once (0: none). */
struct traffic {
    int count;
    int64_t span_ms;
    int answered;
    struct model_chat *chats;
    int chat_count;
};

static void go(const struct traffic *traffic)
{
    for (int i = 0; i < traffic->count; i++) {
        struct model_chat fresh, *chat = &fresh;
        model_chat_init(&fresh);
        if (traffic->chats != NULL)
            chat = &traffic->chats[i % traffic->chat_count];
        model_sent(&line, chat, &params, chat == &fresh, now);
        if (traffic->answered > 0 && i % traffic->answered == 0)
            model_received(&line, chat, &params, false, now);
        now += traffic->span_ms / traffic->count;
        model_line_advance(&line, &params, now);
    }
}

static void rest(int64_t span_ms)
{
    now += span_ms;
    model_line_advance(&line, &params, now);
}

static double pressure(enum model_driver driver)
{
    double each[MODEL_DRIVERS];
    model_line_pressures(&line, &params, each);
    return each[driver];
}

/* ---- lines ---- */

START_TEST(a_line_that_is_answered_and_keeps_its_limits_stays_healthy_for_weeks)
{
    for (int day = 0; day < 30; day++) {
        go(&(struct traffic){.count = 45, .span_ms = DAY, .answered = 3});
        ck_assert_int_eq(line.reputation, REPUTATION_HEALTHY);
        ck_assert_int_eq(line.service, SERVICE_ACTIVE);
    }
}
END_TEST

START_TEST(many_new_conversations_in_a_day_make_a_line_at_risk_and_then_critical)
{
    go(&(struct traffic){.count = 120, .span_ms = 6 * HOUR, .answered = 2});
    ck_assert(pressure(MODEL_NEW_CHATS) > 1);
    ck_assert_int_eq(line.reputation, REPUTATION_AT_RISK);
    go(&(struct traffic){.count = 120, .span_ms = 6 * HOUR, .answered = 2});
    ck_assert_int_eq(line.reputation, REPUTATION_CRITICAL);
}
END_TEST

START_TEST(the_same_number_of_sends_into_known_chats_harms_nothing)
{
    struct model_chat chats[40];
    for (int i = 0; i < 40; i++)
        model_chat_init(&chats[i]);
    params.growth_floor = 1000;
    go(&(struct traffic){.count = 240, .span_ms = 12 * HOUR, .answered = 2, .chats = chats, .chat_count = 40});
    ck_assert_int_eq(line.reputation, REPUTATION_HEALTHY);
    ck_assert(pressure(MODEL_NEW_CHATS) <= 0);
}
END_TEST

START_TEST(many_recipients_within_an_hour_press_and_the_same_over_a_day_do_not)
{
    params.new_chats_per_day = params.growth_floor = 1e6;
    go(&(struct traffic){.count = 500, .span_ms = HOUR - MINUTE, .answered = 2});
    ck_assert(pressure(MODEL_RECIPIENTS) > 1);
    rest(2 * HOUR);
    ck_assert(pressure(MODEL_RECIPIENTS) <= 0);
    setup();
    params.new_chats_per_day = params.growth_floor = 1e6;
    go(&(struct traffic){.count = 500, .span_ms = DAY, .answered = 2});
    ck_assert(pressure(MODEL_RECIPIENTS) <= 0);
}
END_TEST

START_TEST(a_recipient_written_to_again_within_the_hour_counts_once)
{
    struct model_chat chat;
    model_chat_init(&chat);
    uint32_t counted = 0;
    for (int i = 0; i < 5; i++)
        model_sent(&line, &chat, &params, i == 0, now + i * MINUTE);
    for (int i = 0; i < MODEL_MINUTES; i++)
        counted += line.recipients[i];
    ck_assert_uint_eq(counted, 1);
}
END_TEST

START_TEST(a_jump_above_its_own_level_presses_a_young_line_and_not_one_that_is_used_to_it)
{
    params.new_chats_per_day = params.recipients_per_hour = 1e6;
    go(&(struct traffic){.count = 1000, .span_ms = 12 * HOUR, .answered = 2});
    ck_assert_int_ne(line.reputation, REPUTATION_HEALTHY);
    model_line_init(&line, &params, 1, 1000, now);
    go(&(struct traffic){.count = 1000, .span_ms = 12 * HOUR, .answered = 2});
    ck_assert_int_eq(line.reputation, REPUTATION_HEALTHY);
    ck_assert(pressure(MODEL_GROWTH) <= 0);
}
END_TEST

START_TEST(a_line_grows_into_its_level)
{
    params.new_chats_per_day = params.recipients_per_hour = 1e6;
    for (int day = 0; day < 20; day++)
        go(&(struct traffic){.count = 90, .span_ms = DAY, .answered = 2});
    ck_assert(line.level > 80 && line.level < 95);
}
END_TEST

START_TEST(nobody_answering_makes_a_line_at_risk)
{
    for (int day = 0; day < 3; day++)
        go(&(struct traffic){.count = 45, .span_ms = DAY});
    ck_assert(pressure(MODEL_REPLIES) > 1);
    ck_assert_int_eq(line.reputation, REPUTATION_AT_RISK);
}
END_TEST

START_TEST(opt_outs_press_and_a_send_after_one_presses_more)
{
    struct model_chat chat;
    go(&(struct traffic){.count = 45, .span_ms = DAY, .answered = 2});
    model_chat_init(&chat);
    model_sent(&line, &chat, &params, true, now);
    model_received(&line, &chat, &params, true, now);
    double once = line.opt_outs;
    model_sent(&line, &chat, &params, false, now);
    ck_assert(line.opt_outs > once + 4);
    ck_assert(pressure(MODEL_OPT_OUTS) > 1);
}
END_TEST

START_TEST(quiet_time_heals_step_by_step)
{
    go(&(struct traffic){.count = 400, .span_ms = 12 * HOUR});
    ck_assert_int_eq(line.reputation, REPUTATION_CRITICAL);
    bool was_at_risk = false;
    int hours = 0;
    for (; line.reputation != REPUTATION_HEALTHY; hours++) {
        ck_assert_int_lt(hours, 14 * 24);
        ck_assert(!was_at_risk || line.reputation == REPUTATION_AT_RISK);
        was_at_risk = was_at_risk || line.reputation == REPUTATION_AT_RISK;
        rest(HOUR);
    }
    ck_assert(was_at_risk);
    ck_assert_int_gt(hours, 12); /* not at once */
}
END_TEST

START_TEST(a_hot_line_that_goes_on_sending_is_flagged_for_its_time_and_one_that_stops_is_not)
{
    params.flags_per_day = 1e6; /* chance is no matter here */
    params.growth_floor = 1;
    go(&(struct traffic){.count = 2000, .span_ms = 6 * HOUR});
    ck_assert_int_eq(line.service, SERVICE_FLAGGED);
    rest(DAY - 6 * HOUR);
    ck_assert_int_eq(line.service, SERVICE_FLAGGED);
    rest(7 * HOUR);
    ck_assert_int_eq(line.service, SERVICE_ACTIVE);
    setup();
    model_line_set(&line, &params, REPUTATION_CRITICAL, SERVICE_ACTIVE, now);
    line.heat = 4;
    params.flags_per_day = 1e6;
    rest(DAY);
    ck_assert_int_eq(line.service, SERVICE_ACTIVE);
}
END_TEST

START_TEST(what_the_person_at_the_controls_says_holds_until_the_model_moves_it)
{
    model_line_set(&line, &params, REPUTATION_CRITICAL, SERVICE_ACTIVE, now);
    rest(MINUTE);
    ck_assert_int_eq(line.reputation, REPUTATION_CRITICAL);
    model_line_set(&line, &params, REPUTATION_HEALTHY, SERVICE_FLAGGED, now);
    rest(HOUR);
    ck_assert_int_eq(line.reputation, REPUTATION_HEALTHY);
    ck_assert_int_eq(line.service, SERVICE_FLAGGED);
    model_line_set(&line, &params, REPUTATION_HEALTHY, SERVICE_ACTIVE, now);
    rest(HOUR);
    ck_assert_int_eq(line.service, SERVICE_ACTIVE);
}
END_TEST

START_TEST(lines_differ_by_seed_and_number_and_the_same_ones_do_not)
{
    struct model_line other;
    params.spread = 0.2;
    model_line_init(&line, &params, 1, 0, now);
    model_line_init(&other, &params, 2, 0, now);
    ck_assert(line.bears != other.bears);
    ck_assert(line.bears > 0.8 && line.bears < 1.2);
    model_line_init(&other, &params, 1, 0, now);
    ck_assert_mem_eq(&line, &other, sizeof line);
}
END_TEST

START_TEST(steps_give_the_same_course_however_often_one_asks)
{
    struct model_line often = line;
    go(&(struct traffic){.count = 100, .span_ms = HOUR, .answered = 2});
    struct model_line rarely = line;
    often = line;
    for (int64_t at = now; at <= now + 6 * HOUR; at += 1000)
        model_line_advance(&often, &params, at);
    model_line_advance(&rarely, &params, now + 6 * HOUR);
    ck_assert_mem_eq(&often, &rarely, sizeof often);
}
END_TEST

START_TEST(years_of_silence_cost_no_years_of_steps)
{
    go(&(struct traffic){.count = 400, .span_ms = 12 * HOUR});
    uint64_t steps = line.steps;
    rest(5000 * DAY);
    ck_assert_uint_lt(line.steps - steps, 60000);
    ck_assert_int_eq(line.reputation, REPUTATION_HEALTHY);
    ck_assert(pressure(MODEL_NEW_CHATS) <= 0);
}
END_TEST

/* ---- chats ---- */

START_TEST(a_chat_nobody_answers_in_gets_worse_an_answer_mends_it_and_stop_ends_it)
{
    struct model_chat chat;
    model_chat_init(&chat);
    for (int i = 0; i < 3; i++)
        model_sent(&line, &chat, &params, i == 0, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now), CHAT_HEALTHY);
    model_sent(&line, &chat, &params, false, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now), CHAT_AT_RISK);
    for (int i = 0; i < 4; i++)
        model_sent(&line, &chat, &params, false, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now), CHAT_CRITICAL);
    ck_assert_int_eq(model_chat_health(&chat, &params, now + 8 * DAY), CHAT_AT_RISK);
    model_received(&line, &chat, &params, false, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now), CHAT_HEALTHY);
    model_received(&line, &chat, &params, true, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now + 100 * DAY), CHAT_OPTED_OUT);
    model_received(&line, &chat, &params, false, now);
    ck_assert_int_eq(model_chat_health(&chat, &params, now), CHAT_HEALTHY);
}
END_TEST

/* ---- people ---- */

struct crowd {
    int fails, reads, answers, opts_out;
};

static struct crowd crowd_ask(uint32_t unanswered)
{
    struct crowd crowd = {0};
    struct model_chat chat;
    model_chat_init(&chat);
    chat.unanswered = unanswered;
    for (uint64_t person = 0; person < 10000; person++) {
        struct model_reaction reaction;
        model_react(&params, person, 0, &chat, &reaction);
        crowd.fails += reaction.fails;
        crowd.reads += reaction.read_ms >= 0;
        crowd.answers += reaction.answer != MODEL_SILENT;
        crowd.opts_out += reaction.answer == MODEL_OPTS_OUT;
        ck_assert(reaction.answer == MODEL_SILENT || reaction.answer_ms >= reaction.read_ms);
        ck_assert(reaction.read_ms < 0 || reaction.read_ms >= reaction.deliver_ms);
    }
    return crowd;
}

START_TEST(people_fail_read_answer_and_opt_out_in_their_shares)
{
    params.opt_out_share = 0.1;
    params.fail_share = 0.02;
    struct crowd crowd = crowd_ask(0);
    ck_assert(crowd.fails > 150 && crowd.fails < 250);
    ck_assert(crowd.answers > 3200 && crowd.answers < 3700);
    ck_assert(crowd.opts_out > 270 && crowd.opts_out < 420);
    ck_assert(crowd.reads > 7500 && crowd.reads < 8300);
    struct crowd tired = crowd_ask(2);
    ck_assert(tired.answers > 700 && tired.answers < 1050);
}
END_TEST

START_TEST(a_person_does_the_same_whatever_else_happens_and_another_seed_is_another_world)
{
    struct model_chat chat;
    struct model_reaction once, again;
    int differ = 0;
    model_chat_init(&chat);
    for (uint64_t person = 0; person < 100; person++) {
        params.seed = 7;
        model_react(&params, person, 3, &chat, &once);
        model_react(&params, person, 3, &chat, &again);
        ck_assert_mem_eq(&once, &again, sizeof once);
        params.seed = 8;
        model_react(&params, person, 3, &chat, &again);
        differ += once.deliver_ms != again.deliver_ms;
    }
    ck_assert_int_gt(differ, 90);
}
END_TEST

START_TEST(delays_lie_around_their_median_and_without_spread_on_it)
{
    struct model_chat chat;
    struct model_reaction reaction;
    int below = 0;
    model_chat_init(&chat);
    for (uint64_t person = 0; person < 2000; person++) {
        model_react(&params, person, 0, &chat, &reaction);
        below += (double)reaction.deliver_ms < params.deliver_ms;
    }
    ck_assert(below > 900 && below < 1100);
    params.delay_spread = 0;
    model_react(&params, 1, 0, &chat, &reaction);
    ck_assert_int_eq(reaction.deliver_ms, (int64_t)params.deliver_ms);
}
END_TEST

START_TEST(the_longest_delays_that_may_be_set_are_long_and_none_is_over_before_it_began)
{
    struct model_chat chat;
    struct model_reaction reaction;
    model_chat_init(&chat);
    static const char *const longest[] = {"deliver_ms", "read_ms", "answer_ms"};
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++)
        ck_assert(model_params_set(&params, longest[i], 1e12));
    ck_assert(model_params_set(&params, "delay_spread", 4));
    ck_assert(model_params_set(&params, "fail_share", 0));
    ck_assert(model_params_set(&params, "answer_share", 1));
    for (uint64_t recipient = 0; recipient < 200000; recipient++) {
        model_react(&params, recipient, 0, &chat, &reaction);
        ck_assert_int_ge(reaction.deliver_ms, 0);
        ck_assert_int_ge(reaction.read_ms, reaction.deliver_ms);
        ck_assert_int_ge(reaction.answer_ms, reaction.read_ms);
    }
}
END_TEST

START_TEST(parameters_have_names_and_bounds)
{
    ck_assert(model_params_set(&params, "new_chats_per_day", 10));
    ck_assert(params.new_chats_per_day == 10);
    ck_assert(!model_params_set(&params, "new_chats_per_day", 0));
    ck_assert(!model_params_set(&params, "answer_share", 1.1));
    ck_assert(!model_params_set(&params, "answer_share", 0.0 / 0.0));
    ck_assert(!model_params_set(&params, "nothing", 1));
    ck_assert(params.new_chats_per_day == 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_model");
    TCase *tests = tcase_create("model");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_line_that_is_answered_and_keeps_its_limits_stays_healthy_for_weeks);
    tcase_add_test(tests, many_new_conversations_in_a_day_make_a_line_at_risk_and_then_critical);
    tcase_add_test(tests, the_same_number_of_sends_into_known_chats_harms_nothing);
    tcase_add_test(tests, many_recipients_within_an_hour_press_and_the_same_over_a_day_do_not);
    tcase_add_test(tests, a_recipient_written_to_again_within_the_hour_counts_once);
    tcase_add_test(tests, a_jump_above_its_own_level_presses_a_young_line_and_not_one_that_is_used_to_it);
    tcase_add_test(tests, a_line_grows_into_its_level);
    tcase_add_test(tests, nobody_answering_makes_a_line_at_risk);
    tcase_add_test(tests, opt_outs_press_and_a_send_after_one_presses_more);
    tcase_add_test(tests, quiet_time_heals_step_by_step);
    tcase_add_test(tests, a_hot_line_that_goes_on_sending_is_flagged_for_its_time_and_one_that_stops_is_not);
    tcase_add_test(tests, what_the_person_at_the_controls_says_holds_until_the_model_moves_it);
    tcase_add_test(tests, lines_differ_by_seed_and_number_and_the_same_ones_do_not);
    tcase_add_test(tests, steps_give_the_same_course_however_often_one_asks);
    tcase_add_test(tests, years_of_silence_cost_no_years_of_steps);
    tcase_add_test(tests, a_chat_nobody_answers_in_gets_worse_an_answer_mends_it_and_stop_ends_it);
    tcase_add_test(tests, people_fail_read_answer_and_opt_out_in_their_shares);
    tcase_add_test(tests, a_person_does_the_same_whatever_else_happens_and_another_seed_is_another_world);
    tcase_add_test(tests, delays_lie_around_their_median_and_without_spread_on_it);
    tcase_add_test(tests, the_longest_delays_that_may_be_set_are_long_and_none_is_over_before_it_began);
    tcase_add_test(tests, parameters_have_names_and_bounds);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
