/* Where a new conversation goes, and that a known one stays (promise P5; DESIGN traps 2, 3, 4). */

#include "broker/core/line.h"
#include "broker/core/random.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define MINUTE INT64_C(60000)
#define DAY    (24 * 60 * MINUTE)

#define UNLIMITED "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0"

static struct play *play_lines(const char *policy, uint32_t lines)
{
    struct play *play = play_policy(policy);
    rig_poll_all(play->rig, lines, REPUTATION_HEALTHY);
    return play;
}

static void tell(struct rig *rig, uint32_t line, enum reputation word)
{
    rig_tell(rig, line, word, rig->now.wall_ms);
}

static void send_many(struct rig *rig, uint64_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        rig_send(rig, first + i, CLASS_TRANSACTIONAL);
}

static enum reason reason_of(struct rig *rig, uint64_t number)
{
    return rig_view(rig, number).reason;
}

static void cordon(struct rig *rig, uint32_t line)
{
    core_cordon(rig->core, 0, RIG_LINE + line, true, rig->now, &rig->out);
    rig_keep(rig);
}

/* Closed, and opened again by two good polls: the line is in its ramp. */
static void make_ramp(struct play *play, uint32_t lines, uint32_t line)
{
    tell(play->rig, line, REPUTATION_CRITICAL);
    for (int poll = 0; poll < 2; poll++) {
        play_for(play, MINUTE);
        rig_poll_all(play->rig, lines, REPUTATION_HEALTHY);
    }
}

/* ---- where to: who is nearer ---- */

#define FAR_LINE 10000000u /* RIG_LINE and this: another area code */

/* So many new conversations to that area, one after the other: how many went to the near line. */
static size_t sent_near(struct play *play, uint64_t first, unsigned count, uint16_t area, uint32_t near)
{
    size_t before = play->count;
    size_t hits = 0;
    for (unsigned i = 0; i < count; i++) {
        struct core_enqueue job = rig_job(first + i, CLASS_TRANSACTIONAL);
        job.area = area;
        rig_enqueue(play->rig, &job);
    }
    play_for(play, 0);
    ck_assert_uint_eq(play->count, before + count);
    for (size_t s = before; s < play->count; s++)
        hits += play->sends[s].line == near;
    return hits;
}

START_TEST(of_lines_whose_turn_is_as_good_the_one_of_the_recipients_area_takes_the_conversation)
{
    struct play *play = play_policy(UNLIMITED);
    tell(play->rig, 0, REPUTATION_HEALTHY);
    tell(play->rig, FAR_LINE, REPUTATION_HEALTHY);
    for (unsigned pair = 0; pair < 20; pair++) { /* whose turn it is first changes with each */
        ck_assert_uint_eq(sent_near(play, 100 + 4 * pair, 1, 1203, FAR_LINE), 1);
        ck_assert_uint_eq(sent_near(play, 101 + 4 * pair, 1, 1202, 0), 1);
        ck_assert_uint_eq(sent_near(play, 102 + 4 * pair, 1, 1202, 0), 1);
        ck_assert_uint_eq(sent_near(play, 103 + 4 * pair, 1, 1203, FAR_LINE), 1);
    }
    play_free(&play);
}
END_TEST

START_TEST(an_area_alone_does_not_flood_its_line)
{
    struct play *play = play_policy(UNLIMITED);
    tell(play->rig, 0, REPUTATION_HEALTHY);
    tell(play->rig, FAR_LINE, REPUTATION_HEALTHY);
    size_t near = sent_near(play, 100, 200, 1203, FAR_LINE);
    ck_assert_uint_ge(near, 95);
    ck_assert_uint_le(near, 105);
    play_free(&play);
}
END_TEST

START_TEST(an_area_is_known_over_a_restart)
{
    struct play *play = play_policy(UNLIMITED);
    struct rig *rig = play->rig;
    tell(rig, 0, REPUTATION_HEALTHY);
    tell(rig, FAR_LINE, REPUTATION_HEALTHY);
    cordon(rig, 0);
    cordon(rig, FAR_LINE);
    struct core_enqueue job = rig_job(100, CLASS_TRANSACTIONAL);
    job.area = 1203;
    rig_enqueue(rig, &job);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 0);
    rig_restart(rig, 1000);
    rig_worker(rig, 2, 64);
    for (uint32_t line = 0; line <= FAR_LINE; line += FAR_LINE)
        core_cordon(rig->core, 0, RIG_LINE + line, false, rig->now, &rig->out);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 1);
    ck_assert_uint_eq(play->sends[0].line, FAR_LINE);
    play_free(&play);
}
END_TEST

/* ---- where to (P5) ---- */

START_TEST(new_conversations_go_only_to_lines_that_are_open_healthy_uncordoned_and_out_of_the_ramp)
{
    enum { LINES = 8 };
    struct play *play = play_lines(UNLIMITED, LINES);
    struct rig *rig = play->rig;
    make_ramp(play, LINES, 6);
    tell(rig, 0, REPUTATION_AT_RISK);
    tell(rig, 1, REPUTATION_CRITICAL);
    tell(rig, 2, REPUTATION_UNKNOWN);
    rig_tell_service(rig, 3, SERVICE_FLAGGED, rig->now.wall_ms);
    ck_assert_uint_ne(rig_pause(rig, PAUSE_LINE, RIG_LINE + 4, 0), 0);
    cordon(rig, 5);
    ck_assert_uint_eq(rig_line(rig, 6).ramp_percent, 10);
    send_many(rig, 100, 500);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 500);
    ck_assert_uint_eq(play_count(play, 7, 0, INT64_MAX), 500);
    play_free(&play);
}
END_TEST

START_TEST(no_line_takes_more_new_conversations_than_its_budget)
{
    enum { LINES = 3 };
    struct play *play = play_lines("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 5", LINES);
    send_many(play->rig, 100, 40);
    play_for(play, DAY);
    for (uint32_t line = 0; line < LINES; line++) {
        ck_assert_uint_eq(play_count(play, line, 0, INT64_MAX), 5);
        ck_assert_uint_eq(rig_line(play->rig, line).fresh_used, 5);
    }
    play_free(&play);
}
END_TEST

/* A clock that goes back makes a budget spent again without a word to the line (promise P5). */
START_TEST(a_clock_that_goes_back_places_nothing_beyond_the_budget)
{
    static const char *const policies[] = {
        "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 2",
        "pace_per_min: 0, daily_messages: 2, new_conversations_per_day: 0",
    };
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++) {
        struct play *play = play_lines(policies[p], 1);
        send_many(play->rig, 100, 2);
        play_for(play, MINUTE);
        ck_assert_uint_eq(play->count, 2);
        play_for(play, DAY + 20 * MINUTE);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
        play->rig->now.wall_ms -= 60 * MINUTE;
        uint64_t number = rig_send(play->rig, 200, CLASS_TRANSACTIONAL);
        play_for(play, 1000);
        ck_assert_uint_eq(play->count, 2);
        ck_assert_int_eq(reason_of(play->rig, number), p == 0 ? REASON_BUDGET_NEW_CONVERSATIONS : REASON_BUDGET_DAILY);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
        play_for(play, 90 * MINUTE);
        rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
        play_for(play, MINUTE);
        ck_assert_uint_eq(play->count, 3);
        play_free(&play);
    }
}
END_TEST

/* Words, flags, pauses at random; whatever is placed must have been welcome at that moment. */
START_TEST(under_any_weather_only_a_healthy_open_line_takes_a_new_conversation)
{
    enum { LINES = 6 };
    static const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_HEALTHY, REPUTATION_AT_RISK,
                                            REPUTATION_CRITICAL, REPUTATION_UNKNOWN};
    struct play *play = play_lines(
        "pace_per_min: 600, daily_messages: 0, new_conversations_per_day: 200, ramp_step_ms: 60000", LINES);
    struct rig *rig = play->rig;
    uint64_t random = 11;
    enum reputation word[LINES];
    for (uint32_t line = 0; line < LINES; line++)
        word[line] = REPUTATION_HEALTHY;
    size_t placed = 0;
    for (uint64_t step = 0; step < 1500; step++) {
        uint32_t line = (uint32_t)(random_next(&random) % LINES);
        rig->now.wall_ms += 20000;
        rig->now.mono_ms += 20000;
        rig_beat(rig, 1);
        if (random_next(&random) % 4 == 0) {
            word[line] = words[random_next(&random) % 5];
            tell(rig, line, word[line]);
        } else {
            rig_poll(rig, LINES, word);
        }
        rig_send(rig, 1000 + step, CLASS_TRANSACTIONAL);
        rig_forget(rig);
        rig_tick(rig);
        struct line_view before[LINES];
        for (uint32_t l = 0; l < LINES; l++)
            before[l] = rig_line(rig, l);
        for (size_t i = 0; i < rig->told_count; i++) {
            struct effect job = rig->told[i];
            if (job.kind != EFFECT_JOB)
                continue;
            const struct line_view *at = &before[play_line_of(rig, &job)];
            MUST(at->gate == GATE_OPEN && at->status == REPUTATION_HEALTHY && at->proven == REPUTATION_HEALTHY);
            MUST(at->ramp_percent == 100 && at->fresh_used <= 200);
            placed++;
            rig_sent(rig, &job);
        }
    }
    ck_assert_uint_gt(placed, 500);
    play_free(&play);
}
END_TEST

/* covers: key policies.allow_at_risk_new */
START_TEST(an_at_risk_line_takes_new_conversations_only_if_the_policy_says_so)
{
    for (int allowed = 0; allowed < 2; allowed++) {
        struct play *play = play_lines(allowed ? UNLIMITED ", allow_at_risk_new: true" : UNLIMITED, 1);
        tell(play->rig, 0, REPUTATION_AT_RISK);
        uint64_t number = rig_send(play->rig, 100, CLASS_REPLY);
        ck_assert_int_eq(reason_of(play->rig, number), allowed ? REASON_NONE : REASON_NO_HEALTHY_LINE);
        play_for(play, MINUTE);
        ck_assert_uint_eq(play->count, allowed ? 1 : 0);
        tell(play->rig, 0, REPUTATION_HEALTHY); /* which is not proven yet, but makes it no worse */
        number = rig_send(play->rig, 101, CLASS_REPLY);
        ck_assert_int_eq(reason_of(play->rig, number), allowed ? REASON_NONE : REASON_NO_HEALTHY_LINE);
        play_free(&play);
    }
}
END_TEST

/* ---- the cold-line trap ---- */

START_TEST(warm_lines_take_more_than_cold_ones_which_still_take_some)
{
    struct play *play = play_lines(UNLIMITED, 1);
    struct rig *rig = play->rig;
    send_many(rig, 100, 1); /* line 0 alone: it grows warm */
    play_for(play, 0);
    for (unsigned i = 0; i < 400; i++)
        rig_send(rig, 100, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 0, 0, INT64_MAX), 401);

    rig_poll_all(rig, 3, REPUTATION_HEALTHY); /* two new lines, idle and HEALTHY */
    int64_t start = ++rig->now.mono_ms;
    send_many(rig, 1000, 300);
    play_for(play, 0);
    size_t warm = play_count(play, 0, start, INT64_MAX);
    size_t cold = play_count(play, 1, start, INT64_MAX) + play_count(play, 2, start, INT64_MAX);
    ck_assert_uint_eq(warm + cold, 300);
    ck_assert_uint_gt(warm, 150); /* 0.82 against 0.1 twice, which then warm up */
    ck_assert_uint_ge(cold, 30);
    play_free(&play);
}
END_TEST

START_TEST(a_line_that_was_away_has_saved_nothing_up)
{
    struct play *play = play_lines(UNLIMITED, 2);
    struct rig *rig = play->rig;
    uint64_t pause = rig_pause(rig, PAUSE_LINE, RIG_LINE + 1, 0);
    send_many(rig, 100, 200);
    play_for(play, MINUTE);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE + 1, pause), CODE_NONE);
    int64_t start = rig->now.mono_ms;
    send_many(rig, 1000, 50);
    play_for(play, 0);
    ck_assert_uint_lt(play_count(play, 1, start, INT64_MAX), 25); /* cold: fewer than the warm one, not all */
    ck_assert_uint_ge(play_count(play, 1, start, INT64_MAX), 1);
    play_free(&play);
}
END_TEST

START_TEST(a_line_with_more_budget_left_takes_more)
{
    struct play *play = play_lines("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 100", 1);
    struct rig *rig = play->rig;
    send_many(rig, 100, 80); /* line 0 has a fifth left */
    play_for(play, 0);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    /* As warm as the other: 80 messages in its one conversation. */
    struct core_enqueue pinned = rig_job(5000, CLASS_TRANSACTIONAL);
    pinned.from_line = RIG_LINE + 1;
    for (unsigned i = 0; i < 80; i++)
        rig_enqueue(rig, &pinned);
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 1, 0, INT64_MAX), 80);
    int64_t start = ++rig->now.mono_ms;
    send_many(rig, 1000, 30);
    play_for(play, 0);
    ck_assert_uint_ge(play_count(play, 1, start, INT64_MAX), 2 * play_count(play, 0, start, INT64_MAX));
    play_free(&play);
}
END_TEST

/* ---- late binding ---- */

START_TEST(a_new_conversation_is_nobodys_until_it_is_leased)
{
    struct play *play = play_policy(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(reason_of(rig, number), REASON_NO_HEALTHY_LINE);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_eq(reason_of(rig, number), REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    tell(rig, 0, REPUTATION_CRITICAL); /* before anybody was free to take it */
    ck_assert_int_eq(reason_of(rig, number), REASON_NO_HEALTHY_LINE);
    struct pool_view pool;
    ck_assert(core_pool_view(rig->core, 0, &pool));
    ck_assert_uint_eq(pool.unplaced, 1);

    enum reputation words[] = {REPUTATION_CRITICAL, REPUTATION_HEALTHY};
    rig_poll(rig, 2, words);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    ck_assert(core_pool_view(rig->core, 0, &pool));
    ck_assert_uint_eq(pool.unplaced, 0);
    play_free(&play);
}
END_TEST

START_TEST(a_placement_that_never_began_is_undone)
{
    struct play *play = play_lines(UNLIMITED, 1);
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_forget(rig);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    tell(rig, 0, REPUTATION_AT_RISK);
    enum reputation words[] = {REPUTATION_AT_RISK, REPUTATION_HEALTHY};
    rig_poll(rig, 2, words);
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 1, 0, INT64_MAX), 1);
    play_free(&play);
}
END_TEST

/* ---- stickiness ---- */

START_TEST(neither_at_risk_nor_critical_moves_a_conversation)
{
    struct play *play = play_lines(UNLIMITED ", ramp_step_ms: 10", 1);
    struct rig *rig = play->rig;
    rig_send(rig, 100, CLASS_TRANSACTIONAL);
    play_for(play, 0);
    rig_poll_all(rig, 4, REPUTATION_HEALTHY); /* there are others now */
    tell(rig, 0, REPUTATION_AT_RISK);
    rig_send(rig, 100, CLASS_TRANSACTIONAL);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 2);
    tell(rig, 0, REPUTATION_CRITICAL);
    uint64_t held = rig_send(rig, 100, CLASS_REPLY);
    play_for(play, 10 * MINUTE);
    ck_assert_uint_eq(play->count, 2);
    ck_assert_int_eq(reason_of(rig, held), REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_view(rig, held).line, RIG_LINE);
    make_ramp(play, 4, 0);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 3);
    ck_assert_uint_eq(play_count(play, 0, 0, INT64_MAX), 3);
    play_free(&play);
}
END_TEST

START_TEST(an_unknown_outcome_stays_on_its_line_however_it_fares)
{
    struct play *play = play_lines(UNLIMITED, 1);
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    rig_forget(rig);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    tell(rig, 0, REPUTATION_CRITICAL);
    play_for(play, 10 * MINUTE);
    ck_assert_uint_eq(play->count, 0);
    ck_assert_int_eq(reason_of(rig, number), REASON_OUTCOME_UNKNOWN);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
    play_free(&play);
}
END_TEST

/* ---- pinned by `from` ---- */

static struct effect send_from(struct rig *rig, uint64_t conversation, uint32_t line, uint64_t chat)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE + line;
    job.chat_hash = chat;
    return rig_enqueue(rig, &job);
}

START_TEST(a_pinned_conversation_waits_for_its_line_with_the_lines_reason)
{
    struct play *play = play_lines(UNLIMITED, 5);
    struct rig *rig = play->rig;
    make_ramp(play, 5, 3);
    tell(rig, 0, REPUTATION_AT_RISK);
    tell(rig, 1, REPUTATION_CRITICAL);
    cordon(rig, 2);
    static const enum reason reasons[] = {REASON_LINE_AT_RISK, REASON_LINE_CRITICAL, REASON_LINE_CORDONED,
                                          REASON_RAMP};
    for (uint32_t line = 0; line < 4; line++) {
        struct effect answer = send_from(rig, 100 + line, line, 0);
        ck_assert_int_eq(answer.code, CODE_NONE);
        ck_assert_uint_eq(answer.line, RIG_LINE + line);
        ck_assert_int_eq(answer.reason, reasons[line]);
    }
    send_from(rig, 104, 4, 0);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 1);
    ck_assert_uint_eq(play_count(play, 4, 0, INT64_MAX), 1);
    tell(rig, 0, REPUTATION_HEALTHY);
    rig_poll_all(rig, 5, REPUTATION_HEALTHY);
    play_for(play, MINUTE);
    rig_poll_all(rig, 5, REPUTATION_HEALTHY);
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 0, 0, INT64_MAX), 1);
    play_free(&play);
}
END_TEST

/* covers: field from; code line_conflict, unknown_line */
START_TEST(another_line_than_the_conversations_is_a_conflict_and_one_outside_the_pool_unknown)
{
    struct play *play = play_lines(UNLIMITED, 2);
    struct rig *rig = play->rig;
    ck_assert_int_eq(send_from(rig, 100, 7, 0).code, CODE_UNKNOWN_LINE);
    ck_assert_int_eq(send_from(rig, 100, 0, 0).code, CODE_NONE);
    struct effect answer = send_from(rig, 100, 1, 0); /* pinned, not yet bound */
    ck_assert_int_eq(answer.code, CODE_LINE_CONFLICT);
    ck_assert_str_eq(answer.field, "from");
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 0, 0, INT64_MAX), 1);
    ck_assert_int_eq(send_from(rig, 100, 1, 0).code, CODE_LINE_CONFLICT); /* bound */
    ck_assert_int_eq(send_from(rig, 100, 0, 0).code, CODE_NONE);
    play_free(&play);
}
END_TEST

START_TEST(one_pinned_job_pins_those_that_already_wait)
{
    struct play *play = play_lines(UNLIMITED, 3);
    struct rig *rig = play->rig;
    uint64_t pause = rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    ck_assert_uint_eq(rig_view(rig, first).line, 0);
    send_from(rig, 100, 2, 0);
    ck_assert_uint_eq(rig_view(rig, first).line, RIG_LINE + 2);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, pause), CODE_NONE);
    play_for(play, 0);
    ck_assert_uint_eq(play_count(play, 2, 0, INT64_MAX), 2);
    ck_assert_uint_eq(play->sends[0].number, first);
    play_free(&play);
}
END_TEST

/* What waits for any line yet is pinned by it, so the line it names says whether it is held. */
START_TEST(fail_if_held_asks_the_line_that_the_job_names)
{
    struct play *play = play_lines(UNLIMITED, 2);
    cordon(play->rig, 1);
    tell(play->rig, 0, REPUTATION_CRITICAL);
    uint64_t first = rig_send(play->rig, 100, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(reason_of(play->rig, first), REASON_NO_HEALTHY_LINE);
    struct core_enqueue job = rig_job(100, CLASS_TRANSACTIONAL);
    job.fail_if_held = true;
    job.from_line = RIG_LINE; /* CRITICAL */
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_HELD);
    job.from_line = RIG_LINE + 1; /* cordoned: it would wait, and not as held */
    struct effect answer = rig_enqueue(play->rig, &job);
    ck_assert_int_eq(answer.code, CODE_NONE);
    ck_assert_int_eq(answer.reason, REASON_LINE_CORDONED);
    play_free(&play);

    play = play_lines(UNLIMITED, 2);
    uint64_t waiting = rig_send(play->rig, 100, CLASS_TRANSACTIONAL);
    tell(play->rig, 0, REPUTATION_CRITICAL);
    ck_assert_int_eq(rig_view(play->rig, waiting).line, 0);
    job.from_line = RIG_LINE;
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_HELD);
    play_free(&play);
}
END_TEST

/* covers: field chat_id */
START_TEST(a_chat_the_producer_knows_lives_on_the_line_it_names_and_costs_no_new_conversation)
{
    struct play *play = play_lines("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 1", 2);
    struct rig *rig = play->rig;
    tell(rig, 1, REPUTATION_AT_RISK); /* a known conversation goes there all the same */
    struct core_enqueue job = rig_job(100, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE + 1;
    job.chat_hash = 4242;
    job.has_link = true; /* allowed: it is no first message */
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play_count(play, 1, 0, INT64_MAX), 1);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 0);
    ck_assert_int_eq(send_from(rig, 100, 0, 0).code, CODE_LINE_CONFLICT);
    play_free(&play);
}
END_TEST

/* ---- why a pool waits ---- */

START_TEST(a_pool_without_a_welcoming_line_says_why)
{
    static const struct {
        enum reputation words[2];
        const char *policy;
        unsigned before; /* conversations placed first */
        enum reason reason;
    } cases[] = {
        {{REPUTATION_CRITICAL, REPUTATION_CRITICAL}, UNLIMITED, 0, REASON_NO_HEALTHY_LINE},
        {{REPUTATION_AT_RISK, REPUTATION_UNKNOWN}, UNLIMITED, 0, REASON_NO_HEALTHY_LINE},
        {{REPUTATION_HEALTHY, REPUTATION_CRITICAL},
         "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 2",
         2,
         REASON_BUDGET_NEW_CONVERSATIONS},
        {{REPUTATION_HEALTHY, REPUTATION_AT_RISK},
         "pace_per_min: 0, daily_messages: 2, new_conversations_per_day: 0",
         2,
         REASON_BUDGET_DAILY},
        {{REPUTATION_HEALTHY, REPUTATION_CRITICAL},
         "pace_per_min: 1, daily_messages: 0, new_conversations_per_day: 0",
         1,
         REASON_PACE},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct play *play = play_policy(cases[c].policy);
        rig_poll(play->rig, 2, cases[c].words);
        send_many(play->rig, 100, cases[c].before);
        play_for(play, 100);
        ck_assert_uint_eq(play->count, cases[c].before);
        uint64_t number = rig_send(play->rig, 500, CLASS_TRANSACTIONAL);
        play_for(play, 100);
        ck_assert_int_eq(reason_of(play->rig, number), cases[c].reason);
        play_free(&play);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_placement");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, of_lines_whose_turn_is_as_good_the_one_of_the_recipients_area_takes_the_conversation);
    tcase_add_test(tcase, an_area_alone_does_not_flood_its_line);
    tcase_add_test(tcase, an_area_is_known_over_a_restart);
    tcase_add_test(tcase, new_conversations_go_only_to_lines_that_are_open_healthy_uncordoned_and_out_of_the_ramp);
    tcase_add_test(tcase, no_line_takes_more_new_conversations_than_its_budget);
    tcase_add_test(tcase, a_clock_that_goes_back_places_nothing_beyond_the_budget);
    tcase_add_test(tcase, under_any_weather_only_a_healthy_open_line_takes_a_new_conversation);
    tcase_add_test(tcase, an_at_risk_line_takes_new_conversations_only_if_the_policy_says_so);
    tcase_add_test(tcase, warm_lines_take_more_than_cold_ones_which_still_take_some);
    tcase_add_test(tcase, a_line_that_was_away_has_saved_nothing_up);
    tcase_add_test(tcase, a_line_with_more_budget_left_takes_more);
    tcase_add_test(tcase, a_new_conversation_is_nobodys_until_it_is_leased);
    tcase_add_test(tcase, a_placement_that_never_began_is_undone);
    tcase_add_test(tcase, neither_at_risk_nor_critical_moves_a_conversation);
    tcase_add_test(tcase, an_unknown_outcome_stays_on_its_line_however_it_fares);
    tcase_add_test(tcase, a_pinned_conversation_waits_for_its_line_with_the_lines_reason);
    tcase_add_test(tcase, another_line_than_the_conversations_is_a_conflict_and_one_outside_the_pool_unknown);
    tcase_add_test(tcase, one_pinned_job_pins_those_that_already_wait);
    tcase_add_test(tcase, fail_if_held_asks_the_line_that_the_job_names);
    tcase_add_test(tcase, a_chat_the_producer_knows_lives_on_the_line_it_names_and_costs_no_new_conversation);
    tcase_add_test(tcase, a_pool_without_a_welcoming_line_says_why);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
