/* When a job goes, as its view says while it waits (issue 5: 90 % go within a fifth of what was said). */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/core_play.h"
#include "tests/support/suite.h"
#include "tools/demo/plan.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define SAID_MAX 20000
#define PACED                                                                                                        \
    "pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 0, distinct_recipients_per_hour: 0, "           \
    "growth_floor: 0"

static struct forecast forecast_of(struct play *play, uint64_t number)
{
    static struct forecast forecast;
    ck_assert(core_forecast_begin(play->rig->core, number, play->rig->now, &forecast));
    for (unsigned step = 0; !forecast.done; step++) {
        MUST(step < 1000);
        core_forecast_step(play->rig->core, &forecast);
    }
    return forecast;
}

static int64_t wait_of(struct play *play, uint64_t number) /* -1: nothing can be said */
{
    struct forecast forecast = forecast_of(play, number);
    return forecast.said.at_ms == 0 ? -1 : forecast.said.at_ms - play->rig->now.wall_ms;
}

/* ---- what was said of many jobs, against what became of them ---- */

struct said {
    uint64_t number;
    int64_t at_ms, wait_ms; /* when it was said, and what */
};

struct saying {
    struct play *play;
    size_t count;
    struct said said[SAID_MAX];
};

static struct saying *saying_new(struct play *play)
{
    struct saying *saying = calloc(1, sizeof *saying);
    ck_assert_ptr_nonnull(saying);
    saying->play = play;
    return saying;
}

static uint64_t send_and_say(struct saying *saying, const struct core_enqueue *job)
{
    struct effect effect = rig_enqueue(saying->play->rig, job);
    MUST(effect.code == CODE_NONE && saying->count < SAID_MAX);
    saying->said[saying->count++] = (struct said){
        effect.number, saying->play->rig->now.wall_ms, wait_of(saying->play, effect.number)};
    return effect.number;
}

static int64_t waited(const struct saying *saying, const struct said *said) /* -1: it waits still */
{
    for (size_t i = 0; i < saying->play->count; i++)
        if (saying->play->sends[i].number == said->number)
            return saying->play->sends[i].wall_ms - said->at_ms;
    return -1;
}

/* The share of jobs that went within a fifth of what was said, or within a turn of the line's pace. */
static double share_right(const struct saying *saying, const char *what, int64_t turn_ms)
{
    size_t right = 0;
    for (size_t i = 0; i < saying->count; i++) {
        const struct said *said = &saying->said[i];
        int64_t real = waited(saying, said);
        int64_t off = real > said->wait_ms ? real - said->wait_ms : said->wait_ms - real;
        bool good = real >= 0 && said->wait_ms >= 0 && (off * 5 <= said->wait_ms || off <= turn_ms);
        right += good;
        if (!good && getenv("SHOW") != NULL)
            printf("# %zu: said %lld ms, was %lld ms\n", i, (long long)said->wait_ms, (long long)real);
    }
    double share = saying->count == 0 ? 0 : (double)right / (double)saying->count;
    printf("# %s: %.1f %% of %zu jobs went within a fifth of what was said\n", what, 100 * share, saying->count);
    return share;
}

static void saying_free(struct saying **saying_p)
{
    play_free(&(*saying_p)->play);
    free(*saying_p);
    *saying_p = NULL;
}

static struct core_enqueue on_line(uint64_t conversation, enum job_class class, uint32_t line)
{
    struct core_enqueue job = rig_job(conversation, class);
    job.from_line = RIG_LINE + line;
    job.chat_hash = conversation * 7919 + 1; /* known there: no new conversation */
    return job;
}

START_TEST(a_backlog_of_known_conversations_goes_when_their_views_said)
{
    struct saying *saying = saying_new(play_policy(PACED));
    rig_poll_all(saying->play->rig, 1, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 600; i++) {
        struct core_enqueue job = on_line(100 + i, CLASS_TRANSACTIONAL, 0);
        send_and_say(saying, &job);
    }
    play_for(saying->play, 30 * MINUTE);
    ck_assert_double_ge(share_right(saying, "one line, one class", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

START_TEST(classes_are_told_apart)
{
    struct saying *saying = saying_new(play_policy(PACED));
    rig_poll_all(saying->play->rig, 1, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 400; i++) { /* the last ones know of all that is ahead of them */
        struct core_enqueue job = on_line(100 + i, i % 2 == 0 ? CLASS_CAMPAIGN : CLASS_TRANSACTIONAL, 0);
        struct effect effect = rig_enqueue(saying->play->rig, &job);
        MUST(effect.code == CODE_NONE);
    }
    for (unsigned i = 0; i < 40; i++) {
        struct core_enqueue job = on_line(1000 + i, i % 2 == 0 ? CLASS_CAMPAIGN : CLASS_TRANSACTIONAL, 0);
        send_and_say(saying, &job);
    }
    play_for(saying->play, 30 * MINUTE);
    ck_assert_double_ge(share_right(saying, "one line, two classes", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

START_TEST(new_conversations_go_on_all_lines_of_their_pool_when_their_views_said)
{
    struct saying *saying = saying_new(play_policy(PACED));
    rig_poll_all(saying->play->rig, 8, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 2000; i++) {
        struct core_enqueue job = rig_job(100 + i, CLASS_TRANSACTIONAL);
        send_and_say(saying, &job);
    }
    play_for(saying->play, 30 * MINUTE);
    ck_assert_double_ge(share_right(saying, "eight lines, new conversations", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

/* A line that comes back from CRITICAL: what waits for it is known, the provider's next word is not. */
START_TEST(a_line_that_ramps_up_is_foreseen_step_by_step)
{
    struct saying *saying = saying_new(play_policy(PACED ", ramp_step_ms: 300000"));
    struct play *play = saying->play;
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    rig_tell(play->rig, 0, REPUTATION_CRITICAL, play->rig->now.wall_ms);
    struct core_enqueue job = on_line(99, CLASS_TRANSACTIONAL, 0);
    uint64_t held = rig_enqueue(play->rig, &job).number;
    ck_assert_int_eq(wait_of(play, held), -1);
    ck_assert_int_eq(forecast_of(play, held).said.unknown, REASON_LINE_CRITICAL);
    for (int poll = 0; poll < 2; poll++) {
        play_for(play, MINUTE);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    }
    ck_assert_uint_eq(rig_line(play->rig, 0).ramp_percent, 10);
    for (unsigned i = 0; i < 500; i++) {
        job = on_line(100 + i, CLASS_TRANSACTIONAL, 0);
        send_and_say(saying, &job);
    }
    play_for(play, HOUR);
    ck_assert_double_ge(share_right(saying, "a ramp", 22000), 0.9);
    saying_free(&saying);
}
END_TEST

START_TEST(a_line_at_risk_is_foreseen_at_its_factor)
{
    struct saying *saying = saying_new(play_policy(PACED ", at_risk_factor: 0.25"));
    rig_poll_all(saying->play->rig, 1, REPUTATION_AT_RISK);
    for (unsigned i = 0; i < 300; i++) {
        struct core_enqueue job = on_line(100 + i, CLASS_TRANSACTIONAL, 0);
        send_and_say(saying, &job);
    }
    play_for(saying->play, HOUR);
    ck_assert_double_ge(share_right(saying, "at risk", 8800), 0.9);
    saying_free(&saying);
}
END_TEST

/* Budgets of the rolling day stop the line for hours, and fill up again bucket by bucket. */
START_TEST(budgets_are_foreseen_until_the_day_after_tomorrow)
{
    static const char *const policies[] = {
        "pace_per_min: 30, daily_messages: 200, new_conversations_per_day: 0, distinct_recipients_per_hour: 0, "
        "growth_floor: 0",
        "pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 0, distinct_recipients_per_hour: 100, "
        "growth_floor: 0",
        "pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 0, distinct_recipients_per_hour: 0, "
        "growth_floor: 100, daily_growth_factor: 2.0"};
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++) {
        struct saying *saying = saying_new(play_policy(policies[p]));
        rig_poll_all(saying->play->rig, 1, REPUTATION_HEALTHY);
        play_for(saying->play, 7 * MINUTE);
        for (unsigned i = 0; i < 500; i++) {
            struct core_enqueue job = on_line(100 + i, CLASS_TRANSACTIONAL, 0);
            send_and_say(saying, &job);
        }
        play_for(saying->play, 5 * DAY);
        ck_assert_double_ge(share_right(saying, policies[p], 2200), 0.9);
        saying_free(&saying);
    }
}
END_TEST

START_TEST(new_conversations_beyond_the_day_s_budget_are_foreseen)
{
    struct saying *saying = saying_new(play_policy("pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 50"));
    rig_poll_all(saying->play->rig, 4, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 500; i++) {
        struct core_enqueue job = rig_job(100 + i, CLASS_TRANSACTIONAL);
        send_and_say(saying, &job);
    }
    play_for(saying->play, 4 * DAY);
    ck_assert_double_ge(share_right(saying, "fifty new conversations a day", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

/* A day of a small platform: four lines (one AT_RISK), known and new conversations of every class, by chance, with a
 * campaign let loose in the morning. */
START_TEST(nine_of_ten_jobs_of_a_mixed_day_go_within_a_fifth_of_what_was_said)
{
    struct saying *saying = saying_new(play_policy("pace_per_min: 30, daily_messages: 0, new_conversations_per_day: 0, "
                                                   "distinct_recipients_per_hour: 0, growth_floor: 0"));
    struct play *play = saying->play;
    const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_HEALTHY, REPUTATION_HEALTHY, REPUTATION_AT_RISK};
    uint64_t chance = 7;
    rig_poll(play->rig, 4, words);
    for (unsigned i = 0; i < 1500; i++) {
        struct core_enqueue job = rig_job(50000 + i, CLASS_CAMPAIGN);
        send_and_say(saying, &job);
    }
    for (unsigned minute = 0; minute < 60; minute++) {
        for (unsigned i = 0; i < 12; i++) { /* a third of what the lines can send */
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            unsigned pick = (unsigned)(chance >> 33);
            enum job_class class = pick % 8 == 0 ? CLASS_REPLY : pick % 8 < 6 ? CLASS_TRANSACTIONAL : CLASS_FOLLOWUP;
            struct core_enqueue job = on_line(100 + pick % 1000, class, pick % 1000 % 4);
            send_and_say(saying, &job);
            play_for(play, 5000);
        }
    }
    play_for(play, 2 * HOUR);
    ck_assert_double_ge(share_right(saying, "a mixed day", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

static uint64_t draw(uint64_t *chance)
{
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return *chance >> 33;
}

/* As a platform hands it in: several jobs a conversation, of all classes, so that many stand behind others of their own
 * conversation, which no queue shows. */
START_TEST(conversations_with_jobs_of_several_classes_are_foreseen)
{
    struct saying *saying = saying_new(play_policy(PACED));
    struct play *play = saying->play;
    uint64_t chance = 11, numbers[2000];
    rig_poll_all(play->rig, 6, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 2000; i++) {
        unsigned kind = (unsigned)(draw(&chance) % 100);
        enum job_class class = kind < 15 ? CLASS_REPLY : kind < 55 ? CLASS_TRANSACTIONAL : kind < 70 ? CLASS_FOLLOWUP : CLASS_CAMPAIGN;
        struct core_enqueue job = rig_job(100 + (i < 600 ? i : draw(&chance) % 600), class);
        struct effect effect = rig_enqueue(play->rig, &job);
        MUST(effect.code == CODE_NONE);
        numbers[i] = effect.number;
    }
    for (unsigned i = 0; i < 2000; i++)
        saying->said[saying->count++] = (struct said){numbers[i], play->rig->now.wall_ms, wait_of(play, numbers[i])};
    play_for(play, 2 * HOUR);
    ck_assert_double_ge(share_right(saying, "several jobs a conversation", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

static struct saying *saying_of_quick_lines(void)
{
    return saying_new(play_policy("pace_per_min: 1500, daily_messages: 0, new_conversations_per_day: 0, "
                                  "distinct_recipients_per_hour: 0, growth_floor: 0"));
}

/* The same when the lines are at it already: then half of what goes before a new conversation's job waits on lines, and each
 * class alone is foreseen, that with the smallest share of the turns as well. */
START_TEST(a_backlog_under_way_is_foreseen_in_each_class)
{
    static const double least[CLASS_COUNT] = {0.95, 0.97, 0.9, 0.92};
    struct saying *saying = saying_of_quick_lines();
    struct play *play = saying->play;
    enum job_class class = (enum job_class)_i;
    uint64_t chance = 11, numbers[2100], classes[2100];
    rig_poll_all(play->rig, 4, REPUTATION_HEALTHY);
    for (unsigned i = 0; i < 2100; i++) {
        unsigned kind = (unsigned)(draw(&chance) % 100);
        classes[i] = kind < 15 ? CLASS_REPLY : kind < 57 ? CLASS_TRANSACTIONAL : kind < 72 ? CLASS_FOLLOWUP : CLASS_CAMPAIGN;
        struct core_enqueue job = rig_job(100 + draw(&chance) % 900, (enum job_class)classes[i]);
        struct effect effect = rig_enqueue(play->rig, &job);
        MUST(effect.code == CODE_NONE);
        numbers[i] = effect.number;
    }
    for (unsigned moment = 1; moment <= 3; moment++) {
        play_for(play, 1000);
        for (unsigned i = moment; i < 2100; i += 3) {
            struct job_view view;
            if (classes[i] == class && core_job_view(play->rig->core, numbers[i], play->rig->now, &view))
                saying->said[saying->count++] =
                    (struct said){numbers[i], play->rig->now.wall_ms, wait_of(play, numbers[i])};
        }
    }
    play_for(play, 2 * MINUTE);
    ck_assert_double_ge(share_right(saying, job_class_name(class), 44), least[class]);
    saying_free(&saying);
}
END_TEST

/* What the demo hands in at once to one of its pools, asked a second later: all of it, or only followups that begin a
 * conversation, which go on the first line that has nothing of their class before them, and pass what waits on others. */
static double share_of_demo(uint64_t seed, size_t pool, bool begin)
{
    struct saying *saying = saying_of_quick_lines();
    struct play *play = saying->play;
    struct plan *plan = plan_new(seed);
    uint64_t numbers[8000];
    enum job_class classes[8000];
    size_t count = 0;
    ck_assert_ptr_nonnull(plan);
    rig_poll_all(play->rig, pool == 0 ? 4 : 6, REPUTATION_HEALTHY);
    for (size_t i = 0; i < plan->backlog_count; i++) {
        const struct plan_job *planned = &plan->jobs[i];
        if (plan->conversations[planned->conversation].pool != pool)
            continue;
        while (play->rig->now.mono_ms % 100000 < planned->at_ms)
            play_for(play, 20);
        struct core_enqueue job = rig_job(100 + planned->conversation, planned->class);
        classes[count] = planned->class;
        numbers[count++] = rig_enqueue(play->rig, &job).number;
    }
    play_for(play, 1000);
    for (size_t i = 0; i < count; i++) {
        struct job_view view;
        if (core_job_view(play->rig->core, numbers[i], play->rig->now, &view) &&
            (!begin || (classes[i] == CLASS_FOLLOWUP && view.line == 0 && view.ahead == 0)))
            saying->said[saying->count++] = (struct said){numbers[i], play->rig->now.wall_ms, wait_of(play, numbers[i])};
    }
    play_for(play, 2 * MINUTE);
    double share = share_right(saying, begin ? "followups that begin a conversation" : "the demo's backlog", 44);
    plan_free(&plan);
    saying_free(&saying);
    return share;
}

START_TEST(the_demo_s_backlog_is_foreseen)
{
    ck_assert_double_ge(share_of_demo(1, (size_t)_i, false), 0.94);
    ck_assert_double_ge(share_of_demo(1, (size_t)_i, true), 0.6);
}
END_TEST

/* So many seconds in which one job of the class comes at a chance of two in five each two seconds. */
static void flow_for(struct play *play, int64_t span_ms, enum job_class class, uint64_t *chance)
{
    static uint64_t conversation = 5000;
    for (int64_t gone = 0; gone < span_ms; gone += 2000) {
        struct core_enqueue job = on_line(conversation++, class, 0);
        if (draw(chance) % 5 < 2)
            MUST(rig_enqueue(play->rig, &job).code == CODE_NONE);
        play_for(play, 2000);
    }
}

/* What goes before it and is not there yet: the jobs of a better class that come as they have come of late. */
START_TEST(a_flow_that_goes_first_is_reckoned_with)
{
    struct saying *saying = saying_new(play_policy(PACED));
    uint64_t chance = 5;
    rig_poll_all(saying->play->rig, 1, REPUTATION_HEALTHY);
    flow_for(saying->play, 15 * MINUTE, CLASS_TRANSACTIONAL, &chance);
    for (unsigned i = 0; i < 120; i++) {
        struct core_enqueue job = on_line(100 + i, CLASS_CAMPAIGN, 0);
        send_and_say(saying, &job);
    }
    flow_for(saying->play, HOUR, CLASS_TRANSACTIONAL, &chance);
    ck_assert_double_ge(share_right(saying, "a flow that goes first", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

START_TEST(a_burst_is_no_flow_and_a_flow_that_ended_is_none_any_more)
{
    struct saying *saying = saying_new(play_policy(PACED));
    struct play *play = saying->play;
    uint64_t chance = 5;
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    flow_for(play, 5 * MINUTE, CLASS_TRANSACTIONAL, &chance);
    play_for(play, 5 * MINUTE); /* silence */
    for (unsigned i = 0; i < 160; i++) { /* within eight seconds */
        struct core_enqueue job = on_line(i % 2 == 0 ? 1000 + i : 100 + i, i % 2 == 0 ? CLASS_REPLY : CLASS_CAMPAIGN, 0);
        MUST(rig_enqueue(play->rig, &job).code == CODE_NONE);
        play_for(play, 50);
    }
    for (unsigned i = 0; i < 40; i++) {
        struct core_enqueue job = on_line(2000 + i, CLASS_CAMPAIGN, 0);
        send_and_say(saying, &job);
    }
    play_for(play, HOUR);
    ck_assert_double_ge(share_right(saying, "after a burst", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

/* What fails goes again and has another turn: one of four does here, and after a while that is known, and later forgotten. */
START_TEST(tries_that_fail_are_reckoned_with)
{
    struct saying *saying = saying_new(play_policy(PACED));
    struct play *play = saying->play;
    uint64_t numbers[600];
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    play->fail_each = 4;
    for (unsigned i = 0; i < 600; i++) {
        struct core_enqueue job = on_line(100 + i, CLASS_TRANSACTIONAL, 0);
        numbers[i] = rig_enqueue(play->rig, &job).number;
    }
    play_for(play, 10 * MINUTE);
    for (unsigned i = 300; i < 600; i++)
        saying->said[saying->count++] = (struct said){numbers[i], play->rig->now.wall_ms, wait_of(play, numbers[i])};
    play_for(play, HOUR);
    ck_assert_double_ge(share_right(saying, "one of four tries fails", 2200), 0.9);
    play->fail_each = 0;
    saying->count = 0;
    play_for(play, HOUR);
    for (unsigned i = 0; i < 300; i++) {
        struct core_enqueue job = on_line(1000 + i, CLASS_TRANSACTIONAL, 0);
        send_and_say(saying, &job);
    }
    play_for(play, HOUR);
    ck_assert_double_ge(share_right(saying, "and none does any more", 2200), 0.9);
    saying_free(&saying);
}
END_TEST

/* An operator lets a held line go in an order of his own: what goes first by it comes first in the estimate as well. */
START_TEST(a_drain_s_order_is_foreseen)
{
    static const enum drain_order orders[] = {DRAIN_ORDER_REPLIES, DRAIN_ORDER_OLDEST, DRAIN_ORDER_DEADLINE};
    struct saying *saying = saying_new(play_policy(PACED ", ramp_percent: [100]"));
    struct play *play = saying->play;
    uint64_t chance = 3, numbers[400];
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    rig_tell(play->rig, 0, REPUTATION_CRITICAL, play->rig->now.wall_ms);
    for (unsigned i = 0; i < 400; i++) {
        struct core_enqueue job = on_line(100 + draw(&chance) % 300, (enum job_class)(draw(&chance) % CLASS_COUNT), 0);
        if (draw(&chance) % 2 == 0 && orders[_i] != DRAIN_ORDER_OLDEST)
            job.expires_ms = play->rig->now.wall_ms + DAY + (int64_t)(draw(&chance) % (unsigned)DAY);
        struct effect effect = rig_enqueue(play->rig, &job);
        MUST(effect.code == CODE_NONE);
        numbers[i] = effect.number;
    }
    for (int poll = 0; poll < 2; poll++) {
        play_for(play, MINUTE);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    }
    const struct core_drain drain = {
        .token = 91, .line = RIG_LINE, .mode = DRAIN_RAMP, .pace_per_min = 20, .order = orders[_i], .by = "ann"};
    core_drain(play->rig->core, &drain, play->rig->now, &play->rig->out);
    rig_keep(play->rig);
    for (unsigned i = 0; i < 400; i++)
        saying->said[saying->count++] = (struct said){numbers[i], play->rig->now.wall_ms, wait_of(play, numbers[i])};
    play_for(play, HOUR);
    ck_assert_double_ge(share_right(saying, drain_order_name(orders[_i]), 3300), 0.9);
    saying_free(&saying);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_forecast");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_backlog_of_known_conversations_goes_when_their_views_said);
    tcase_add_test(tcase, classes_are_told_apart);
    tcase_add_test(tcase, new_conversations_go_on_all_lines_of_their_pool_when_their_views_said);
    tcase_add_test(tcase, a_line_that_ramps_up_is_foreseen_step_by_step);
    tcase_add_test(tcase, a_line_at_risk_is_foreseen_at_its_factor);
    tcase_add_test(tcase, budgets_are_foreseen_until_the_day_after_tomorrow);
    tcase_add_test(tcase, new_conversations_beyond_the_day_s_budget_are_foreseen);
    tcase_add_test(tcase, conversations_with_jobs_of_several_classes_are_foreseen);
    tcase_add_loop_test(tcase, a_backlog_under_way_is_foreseen_in_each_class, 0, CLASS_COUNT);
    tcase_add_loop_test(tcase, the_demo_s_backlog_is_foreseen, 0, 2);
    tcase_add_test(tcase, a_flow_that_goes_first_is_reckoned_with);
    tcase_add_test(tcase, a_burst_is_no_flow_and_a_flow_that_ended_is_none_any_more);
    tcase_add_test(tcase, tries_that_fail_are_reckoned_with);
    tcase_add_loop_test(tcase, a_drain_s_order_is_foreseen, 0, 3);
    tcase_add_test(tcase, nine_of_ten_jobs_of_a_mixed_day_go_within_a_fifth_of_what_was_said);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
