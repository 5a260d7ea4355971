/* What a line may spend: recipients an hour, growth over its own level, and every rolling window over random
 * histories and restarts (promise P6; DESIGN traps 3, 4, 8). */
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/line.h"
#include "broker/core/random.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define BUCKET (10 * MINUTE)

#define FREE "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0"

static struct play *play_one(const char *policy)
{
    struct play *play = play_policy(policy);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    return play;
}

static void send_each(struct play *play, uint64_t first, unsigned count, enum job_class class)
{
    for (unsigned i = 0; i < count; i++)
        rig_send(play->rig, first + i, class);
}

/* The core starts anew from its records. */
static void restart(struct play *play, int64_t down_ms)
{
    rig_restart(play->rig, down_ms);
    rig_forget(play->rig);
    rig_worker(play->rig, 1, 1024);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
}

static void jump(struct rig *rig, int64_t ms)
{
    rig->now.wall_ms += ms;
    rig->now.mono_ms += ms;
    rig_beat(rig, 1);
}

/* ---- windows ---- */

enum { PEOPLE = 40 };

struct history {
    int64_t wall_ms[20000];
    uint32_t person[20000];
    bool opened[20000];
    size_t count;
    bool known[PEOPLE];
    uint32_t person_of[1 << 16]; /* by the sequence of a job's number */
};

static void note_sends(struct history *history, struct play *play, size_t from)
{
    for (size_t i = from; i < play->count; i++) {
        uint32_t person = history->person_of[play->sends[i].number >> 25 & 0xFFFF];
        MUST(history->count < 20000);
        history->wall_ms[history->count] = play->sends[i].wall_ms;
        history->person[history->count] = person;
        history->opened[history->count++] = !history->known[person];
        history->known[person] = true;
    }
}

/* No window that ends with a send holds more than the limits. */
static void check_windows(const struct history *history, unsigned people, unsigned messages, unsigned opened)
{
    for (size_t last = 0; last < history->count; last++) {
        bool written[PEOPLE] = {false};
        unsigned hour = 0, day = 0, fresh = 0;
        for (size_t i = last + 1; i-- > 0 && history->wall_ms[last] - history->wall_ms[i] < DAY;) {
            day++;
            fresh += history->opened[i];
            if (history->wall_ms[last] - history->wall_ms[i] >= HOUR || written[history->person[i]])
                continue;
            written[history->person[i]] = true;
            hour++;
        }
        MUST(hour <= people);
        MUST(day <= messages);
        MUST(fresh <= opened);
    }
}

/* covers: key policies.distinct_recipients_per_hour */
START_TEST(no_window_of_any_budget_is_overspent_over_any_history_with_restarts)
{
    static struct history history;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        unsigned people = (unsigned)(2 + seed % 5), messages = (unsigned)(60 + 30 * seed),
                 opened = (unsigned)(1 + seed % 7);
        char policy[200];
        snprintf(
            policy, sizeof policy,
            "pace_per_min: 0, daily_messages: %u, new_conversations_per_day: %u, distinct_recipients_per_hour: %u",
            messages, opened, people);
        struct play *play = play_one(policy);
        uint64_t random = seed;
        history = (struct history){.count = 0};
        for (unsigned step = 0; step < 1500; step++) {
            uint32_t person = (uint32_t)(random_next(&random) % PEOPLE);
            enum job_class class = (enum job_class)(random_next(&random) % CLASS_COUNT);
            uint64_t number = rig_send(play->rig, 100 + person, class);
            history.person_of[number >> 25 & 0xFFFF] = person;
            size_t before = play->count;
            play_for(play, (int64_t)(random_next(&random) % (step % 50 == 0 ? 10 * HOUR : 6 * MINUTE)));
            note_sends(&history, play, before);
            if (random_next(&random) % 30 == 0)
                restart(play, (int64_t)(random_next(&random) % 20000));
        }
        check_windows(&history, people, messages, opened);
        ck_assert_uint_ge(history.count, 200);
        play_free(&play);
    }
}
END_TEST

/* ---- recipients ---- */

/* covers: reason budget_recipients */
START_TEST(only_those_not_written_to_within_the_hour_wait_for_the_recipients_budget)
{
    struct play *play = play_one(FREE ", distinct_recipients_per_hour: 3");
    struct rig *rig = play->rig;
    send_each(play, 100, 5, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 3);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 3);
    ck_assert_int_eq(rig_line(rig, 0).recipients_limit, 3);
    uint64_t fresh = rig_send(rig, 200, CLASS_REPLY);
    struct job_view view = rig_view(rig, fresh);
    ck_assert_int_eq(view.reason, REASON_BUDGET_RECIPIENTS);
    ck_assert_uint_eq(view.budget.used, 3);
    ck_assert_int_eq(view.budget.limit, 3);
    ck_assert_int_gt(view.release_at_ms, rig->now.wall_ms + HOUR - 1);
    ck_assert_int_le(view.release_at_ms, rig->now.wall_ms + HOUR + BUCKET);

    for (unsigned i = 0; i < 20; i++) { /* those three talk on, whatever waits before them */
        rig_send(rig, 100 + i % 3, CLASS_CAMPAIGN);
        play_for(play, MINUTE);
    }
    ck_assert_uint_eq(play->count, 23);
    play_for(play, HOUR - BUCKET); /* the last of their messages still counts */
    ck_assert_uint_eq(play->count, 23);
    play_for(play, 2 * BUCKET + MINUTE);
    ck_assert_uint_eq(play->count, 26);
    play_free(&play);
}
END_TEST

/* Known conversations of ten thousand people stand in the line's queue; the three of this hour go past them. */
START_TEST(a_recent_conversation_goes_past_any_number_that_wait_for_the_recipients_budget)
{
    enum { CROWD = 10000 };
    struct play *play = play_one(FREE ", distinct_recipients_per_hour: 3");
    struct rig *rig = play->rig;
    for (unsigned i = 0; i < CROWD; i++) {
        struct core_enqueue job = rig_job(1000 + i, CLASS_REPLY);
        job.from_line = RIG_LINE;
        job.chat_hash = 50000 + i;
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    }
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 3);
    uint64_t last = rig_send(rig, 1000, CLASS_CAMPAIGN); /* the first of the crowd has had its turn */
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 4);
    ck_assert_uint_eq(play->sends[3].number, last);
    ck_assert_int_eq(core_next_mono_ms(rig->core, rig->now) > rig->now.mono_ms,
                     true); /* nobody asks again and again */
    play_free(&play);
}
END_TEST

START_TEST(a_conversation_whose_hour_passes_while_it_waits_spends_a_recipient_again)
{
    struct play *play = play_one(FREE ", distinct_recipients_per_hour: 2, ramp_percent: [100], ramp_step_ms: 10");
    struct rig *rig = play->rig;
    send_each(play, 100, 1, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    uint64_t pause = rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_send(rig, 100, CLASS_TRANSACTIONAL); /* ready, and written to just now */
    play_for(play, 2 * HOUR);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, pause);
    rig_tick(rig);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
    play_for(play, 0);
    send_each(play, 200, 1, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 2);
    pause = rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t aged = rig_send(rig, 100, CLASS_CAMPAIGN);
    play_for(play, HOUR + BUCKET);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, pause);
    rig_forget(rig);
    send_each(play, 300, 2, CLASS_REPLY); /* both recipients go to others, who go first */
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 5);
    ck_assert_int_eq(rig_view(rig, aged).reason, REASON_BUDGET_RECIPIENTS);
    play_free(&play);
}
END_TEST

/* ---- growth ---- */

/* Sends within the UTC day that is so many days after that of the start. */
static size_t on_day(const struct play *play, int64_t day)
{
    size_t count = 0;
    for (size_t i = 0; i < play->count; i++)
        count += play->sends[i].wall_ms / DAY == RIG_START_MS / DAY + day;
    return count;
}

/* To 00:00 UTC. */
static void end_day(struct play *play)
{
    play_for(play, DAY - play->rig->now.wall_ms % DAY);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY); /* not silent for a week */
}

/* covers: reason budget_growth; key policies.daily_growth_factor, policies.growth_floor */
START_TEST(a_young_line_grows_by_and_by_over_restarts)
{
    static const unsigned days[] = {10, 30, 60, 99}; /* three times the mean of those before; the floor at first */
    struct play *play = play_one(FREE ", daily_growth_factor: 3, growth_floor: 10");
    struct rig *rig = play->rig;
    send_each(play, 100, 300, CLASS_TRANSACTIONAL);
    for (int64_t day = 0; day < 4; day++) {
        play_for(play, MINUTE);
        ck_assert_int_eq(rig_line(rig, 0).growth_limit, days[day]);
        ck_assert_uint_eq(rig_line(rig, 0).out_used, days[day]);
        if (day % 2 == 1)
            restart(play, 1000);
        ck_assert_int_eq(rig_line(rig, 0).growth_limit, days[day]);
        end_day(play);
        ck_assert_uint_eq(on_day(play, day), days[day]);
    }
    play_free(&play);
}
END_TEST

START_TEST(a_reply_counts_for_growth_and_is_not_stopped_by_it)
{
    struct play *play = play_one(FREE ", daily_growth_factor: 3, growth_floor: 5");
    struct rig *rig = play->rig;
    send_each(play, 100, 5, CLASS_REPLY); /* new conversations are no replies to anything */
    play_for(play, 0);
    uint64_t fresh = rig_send(rig, 200, CLASS_REPLY);
    uint64_t known = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 5);
    ck_assert_int_eq(rig_view(rig, fresh).reason, REASON_BUDGET_GROWTH);
    struct job_view view = rig_view(rig, known);
    ck_assert_int_eq(view.reason, REASON_BUDGET_GROWTH);
    ck_assert_uint_eq(view.budget.used, 5);
    ck_assert_int_eq(view.budget.limit, 5);
    ck_assert_int_gt(view.release_at_ms, rig->now.wall_ms);
    ck_assert_int_le(view.release_at_ms, rig->now.wall_ms + DAY + BUCKET);
    send_each(play, 100, 3, CLASS_REPLY);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 8);
    ck_assert_uint_eq(rig_line(rig, 0).out_used, 8);
    play_free(&play);
}
END_TEST

START_TEST(growth_has_no_limit_where_factor_or_floor_is_0)
{
    static const char *const policies[] = {FREE ", daily_growth_factor: 0",
                                           FREE ", daily_growth_factor: 3, growth_floor: 0"};
    for (int p = 0; p < 2; p++) {
        struct play *play = play_one(policies[p]);
        send_each(play, 100, 200, CLASS_CAMPAIGN);
        play_for(play, 0);
        ck_assert_uint_eq(play->count, 200);
        ck_assert_int_eq(rig_line(play->rig, 0).growth_limit, 0);
        play_free(&play);
    }
}
END_TEST

START_TEST(the_level_is_the_mean_of_the_days_of_a_week_on_which_the_line_sent)
{
    struct play *play = play_one(FREE ", daily_growth_factor: 1.5, growth_floor: 40");
    struct rig *rig = play->rig;
    const struct line *line = &rig->core->lines[line_find(rig->core, RIG_LINE)];
    rig_send(rig, 100, CLASS_TRANSACTIONAL);
    for (unsigned day = 1; day <= 10; day++) {
        for (unsigned i = 0; i < 4 * day && day % 3 != 0; i++) /* each third day is quiet */
            rig_send(rig, 100, CLASS_REPLY);
        play_for(play, 0);
        end_day(play);
        unsigned sum = 0, sent = 0;
        for (unsigned d = day < 7 ? 1 : day - 6; d <= day; d++) {
            sum += d % 3 != 0 ? 4 * d + (d == 1) : 0;
            sent += d % 3 != 0;
        }
        ck_assert_int_eq(level_of(line, rig->now), sum / sent);
    }
    for (unsigned day = 0; day < 7; day++) { /* after a week of silence it is as good as new */
        ck_assert_int_gt(level_of(line, rig->now), 0);
        end_day(play);
    }
    ck_assert_int_eq(level_of(line, rig->now), 0);
    ck_assert_int_eq(rig_line(rig, 0).growth_limit, 40);
    play_free(&play);
}
END_TEST

/* ---- lines with a past, cold lines ---- */

#define TWO_LINES                                                                                                    \
    "accounts:\n  default: {api_key_file: key, stale_after_ms: 604800000, blind_after_ms: 604800000}\n"              \
    "pools:\n  default: {lines: {'+12025550100': {daily_level: 5000}, '+12025550101': {daily_level: 0}}}\n"          \
    "policies:\n  default: {" FREE ", pair_per_min: 0, distinct_recipients_per_hour: 0, growth_floor: 100}\n"

/* covers: key pools.lines */
START_TEST(a_line_with_a_past_has_its_level_and_is_warm)
{
    struct rig_options options = {.conf = TWO_LINES, .seed = 5};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).growth_limit, 15000);
    ck_assert_int_eq(rig_line(rig, 1).growth_limit, 100);
    send_each(play, 1000, 200, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    size_t cold = play_count(play, 1, 0, INT64_MAX);
    ck_assert_uint_eq(play->count, 200);
    ck_assert_uint_ge(cold, 10); /* not none ... */
    ck_assert_uint_le(cold, 50); /* ... and not half: the cold-line trap */
    play_free(&play);
}
END_TEST

/* ---- what made nothing ---- */

static struct effect lease_one(struct rig *rig, uint64_t conversation)
{
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    rig_forget(rig);
    rig_tick(rig);
    const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
    ck_assert_ptr_nonnull(job);
    return *job;
}

START_TEST(more_messages_than_ten_minutes_have_room_for_are_counted)
{
    struct budget_window window = {0};
    int64_t now = RIG_START_MS;
    for (unsigned i = 0; i < 200000; i++)
        budget_add(&window, now, 1, now / BUCKET);
    ck_assert_uint_eq(budget_used(&window, now), 200000);
    ck_assert_uint_eq(budget_used(&window, now + DAY + BUCKET), 0);
}
END_TEST

START_TEST(a_try_that_surely_made_nothing_spends_nothing)
{
    static const struct {
        enum outcome outcome;
        bool unknown;
        unsigned used, fresh_used; /* a second try comes back to the line that the first one was placed on */
    } cases[] = {{OUTCOME_RETURNED, false, 0, 0},
                 {OUTCOME_REJECTED, false, 0, 0},
                 {OUTCOME_RETRY, false, 0, 1},
                 {OUTCOME_RETRY, true, 1, 1},
                 {OUTCOME_SENT, false, 1, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (unsigned known = 0; known < 2; known++) {
            struct play *play =
                play_one("pace_per_min: 0, distinct_recipients_per_hour: 9, daily_growth_factor: 3, growth_floor: 9");
            struct rig *rig = play->rig;
            if (known == 1) { /* its last message was this hour's: that count comes back */
                send_each(play, 100, 1, CLASS_TRANSACTIONAL);
                play_for(play, 25 * MINUTE);
            }
            struct effect job = lease_one(rig, 100);
            ck_assert_uint_eq(rig_line(rig, 0).recipients_used, 1);
            ck_assert_uint_eq(rig_line(rig, 0).out_used, 1 + known);
            jump(rig, 15 * MINUTE);
            struct core_result result = rig_result(&job, cases[c].outcome);
            result.unknown = cases[c].unknown;
            result.retry_after_ms = HOUR;
            rig_answer(rig, &result);
            struct line_view line = rig_line(rig, 0);
            ck_assert_uint_eq(line.recipients_used, known == 1 ? 1 : cases[c].used);
            ck_assert_uint_eq(line.out_used, known + cases[c].used);
            ck_assert_uint_eq(line.messages_used, known + cases[c].used);
            ck_assert_uint_eq(line.fresh_used, known == 1 ? 1 : cases[c].fresh_used);
            jump(rig, 15 * MINUTE); /* 55 after the first one, 30 after the other */
            jump(rig, 20 * MINUTE);
            ck_assert_uint_eq(rig_line(rig, 0).recipients_used, cases[c].used);
            play_free(&play);
        }
    }
}
END_TEST

START_TEST(a_second_try_goes_out_on_the_first_ones_line)
{
    struct play *play = play_one(FREE);
    struct rig *rig = play->rig;
    struct effect job = lease_one(rig, 100);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.scope = SCOPE_LINE;
    result.line_flagged = true; /* 403/2027: nothing was created, and yet promise P4 holds */
    rig_answer(rig, &result);
    uint64_t line = rig_line(rig, 0).number;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        struct job_view view = rig_view(rig, job.number);
        ck_assert_uint_eq(view.line, line);
        ck_assert_int_eq(view.reason, REASON_LINE_FLAGGED);
        ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 1);
        restart(play, 1000);
    }
    play_free(&play);
}
END_TEST

/* Its conversation never began there: those behind it may go anywhere, and the debit comes back. */
START_TEST(a_job_that_ends_with_a_first_try_that_made_nothing_gives_its_place_back)
{
    for (unsigned late = 0; late < 2; late++) {
        struct play *play = play_one(late == 1 ? FREE : FREE ", attempts_max: 1");
        struct rig *rig = play->rig;
        struct core_enqueue ask = rig_job(100, CLASS_TRANSACTIONAL);
        ask.expires_ms = late == 1 ? rig->now.wall_ms + MINUTE : 0;
        rig_enqueue(rig, &ask);
        rig_tick(rig);
        struct effect job = *rig_told(rig, EFFECT_JOB, 0);
        uint64_t behind = rig_send(rig, 100, CLASS_TRANSACTIONAL);
        jump(rig, 2 * MINUTE);
        struct core_result result = rig_result(&job, OUTCOME_RETRY);
        result.retry_after_ms = HOUR;
        core_worker_bye(rig->core, 1, rig->now, &rig->out);
        rig_answer(rig, &result);
        struct job_view view;
        ck_assert(!core_job_view(rig->core, job.number, rig->now, &view)); /* over */
        ck_assert_uint_eq(rig_view(rig, behind).line, 0);
        ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 0);
        play_free(&play);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_budget");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_window_of_any_budget_is_overspent_over_any_history_with_restarts);
    tcase_add_test(tcase, only_those_not_written_to_within_the_hour_wait_for_the_recipients_budget);
    tcase_add_test(tcase, a_recent_conversation_goes_past_any_number_that_wait_for_the_recipients_budget);
    tcase_add_test(tcase, a_conversation_whose_hour_passes_while_it_waits_spends_a_recipient_again);
    tcase_add_test(tcase, a_young_line_grows_by_and_by_over_restarts);
    tcase_add_test(tcase, a_reply_counts_for_growth_and_is_not_stopped_by_it);
    tcase_add_test(tcase, growth_has_no_limit_where_factor_or_floor_is_0);
    tcase_add_test(tcase, the_level_is_the_mean_of_the_days_of_a_week_on_which_the_line_sent);
    tcase_add_test(tcase, a_line_with_a_past_has_its_level_and_is_warm);
    tcase_add_test(tcase, more_messages_than_ten_minutes_have_room_for_are_counted);
    tcase_add_test(tcase, a_try_that_surely_made_nothing_spends_nothing);
    tcase_add_test(tcase, a_second_try_goes_out_on_the_first_ones_line);
    tcase_add_test(tcase, a_job_that_ends_with_a_first_try_that_made_nothing_gives_its_place_back);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
