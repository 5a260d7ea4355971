/* witness_lines.c — see witness_lines.h. */
#include "tests/sim/witness_lines.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/cast.h"
#include "tests/sim/fiber.h"
#include "tests/sim/house.h"
#include "tests/sim/operators.h"
#include "tests/sim/witness_part.h"

#define GIVEN_MAX   4096
#define PLACED_MAX  512
#define MADE_MAX    4096
#define DAY_US      (24 * US_H)
#define FIRST_DAY_US (13 * US_H) /* the world begins at ten */
#define UNSAID_MOST  16          /* JOBs of one start: a worker has as many slots */
#define STALL_S     6 /* commits may take so long, and what was leased meanwhile is said together */

struct word { /* that is surely in force */
    bool sure;
    int64_t since_us;     /* it was answered */
    int64_t changed_ms;    /* its event's changed_at */
    int64_t heard_mono_ms; /* it arrived, for the first time */
    bool healthy_told;     /* a later event says HEALTHY */
    int64_t healthy_mono_ms;
    unsigned healthy_polls;
};

struct eye {
    int64_t newest_ms; /* changed_at of the newest event that arrived */
    struct word critical, at_risk, flagged;
    int64_t given_us[GIVEN_MAX], placed_us[PLACED_MAX];
    int64_t made_us[MADE_MAX]; /* messages, by the provider */
    unsigned given, placed, made;
    unsigned written; /* by recipients */
    bool ever_critical, ever_flagged, ever_missing, refused;
    int64_t bettered_us;  /* when a list said so last; what had arrived by then may have been overtaken */
    int64_t recovered_us; /* surely CRITICAL until then, and not opened before; 0: not known */
    unsigned recovered_starts, recovered_given; /* of the broker by then, of JOBs since */
};

static struct eye eyes[CAST_LINES];
static int64_t forgotten_us = -1, jumped_us = -1;

static int64_t mono_ms(void)
{
    return machine_mono_us(house_machine()) / US_MS;
}

/* ---- what is given out and begins ---- */

/* An operator's word stands above the provider's, as long as it lasts. It lifts no flag, which is another matter. */
static bool is_critical(int line)
{
    return eyes[line].critical.sure && !operators_may_have_bettered(line, REPUTATION_CRITICAL);
}

static bool is_at_risk(int line)
{
    return eyes[line].at_risk.sure && !operators_may_have_bettered(line, REPUTATION_AT_RISK);
}

static void check_closed(int job, int line, int64_t grace_us, const char *what)
{
    const struct eye *eye = &eyes[line];
    const struct cast_job *known = &cast_jobs[job];
    struct about about = {job, known->conversation, line};
    if (is_critical(line) && now_us() > eye->critical.since_us + grace_us)
        breach("P3", about, "job %d %s on line %d, which was accepted to be CRITICAL at %.6f", job, what, line,
               (double)eye->critical.since_us / 1e6);
    if (eye->flagged.sure && now_us() > eye->flagged.since_us + grace_us)
        breach("P3", about, "job %d %s on line %d, which was accepted to be FLAGGED at %.6f", job, what, line,
               (double)eye->flagged.since_us / 1e6);
    int64_t paused_us = operators_paused_since_us(line, known->conversation, known->campaign);
    if (paused_us != US_NEVER && now_us() > paused_us + grace_us)
        breach("P3", about, "job %d %s on line %d, though a pause of it was accepted at %.6f", job, what, line,
               (double)paused_us / 1e6);
}

static void check_new(int job, int line)
{
    const struct eye *eye = &eyes[line];
    struct about about = {job, cast_jobs[job].conversation, line};
    int64_t cordoned_us;
    if (!house_places_at_risk() && is_at_risk(line) && now_us() > eye->at_risk.since_us)
        breach("P5", about, "job %d begins a conversation on line %d, accepted to be AT_RISK at %.6f", job, line,
               (double)eye->at_risk.since_us / 1e6);
    if (operators_surely_cordoned(line, &cordoned_us) && now_us() > cordoned_us)
        breach("P5", about, "job %d begins a conversation on line %d, cordoned at %.6f", job, line,
               (double)cordoned_us / 1e6);
}

/* No minute has more than pace and burst, and what the disk held back. */
static void check_pace(int job, int line)
{
    struct eye *eye = &eyes[line];
    unsigned pace = house_pace_most(cast_pool_of_line(line)), count = 0;
    eye->given_us[eye->given++ % GIVEN_MAX] = now_us();
    for (unsigned i = eye->given; i-- > 0 && eye->given - i < GIVEN_MAX && eye->given_us[i % GIVEN_MAX] > now_us() - US_MIN;)
        count++;
    if (count > pace + pace * STALL_S / 60 + HOUSE_BURST_MOST + 1)
        breach("P6", ((struct about){job, cast_jobs[job].conversation, line}),
               "%u jobs are given out on line %d in a minute, at a pace of at most %u", count, line, pace);
}

static bool operators_leave_alone(int line, int64_t since_us)
{
    return !operators_may_have_set(line, since_us) && !operators_ever_drained_line(line);
}

/* A line that was CRITICAL begins with a part of its pace: for a step at least. */
static void check_ramp(int job, int line)
{
    struct eye *eye = &eyes[line];
    int pool = cast_pool_of_line(line);
    int64_t span_us = now_us() - eye->recovered_us;
    if (eye->recovered_us == 0 || span_us > house_ramp_step_us(pool) || !operators_leave_alone(line, eye->recovered_us))
        return;
    unsigned starts = 1 + house_starts() - eye->recovered_starts;
    unsigned paced = (unsigned)(house_pace_most(pool) * house_ramp_percent(pool) * (uint64_t)span_us / 100 / US_MIN);
    if (++eye->recovered_given > paced + starts * (HOUSE_BURST_MOST + 1) + 1)
        breach("P6", ((struct about){job, cast_jobs[job].conversation, line}),
               "%u jobs are given out on line %d in %.1f s from when it was CRITICAL, at %u %% of at most %u a minute",
               eye->recovered_given, line, (double)span_us / 1e6, house_ramp_percent(pool), house_pace_most(pool));
}

static unsigned made_in_a_day(const struct eye *eye)
{
    unsigned count = 0;
    for (unsigned i = eye->made; i-- > 0 && eye->made - i < MADE_MAX && eye->made_us[i % MADE_MAX] > now_us() - DAY_US;)
        count++;
    return count;
}

/* Replies go past it. Another day may know another level, and so may a clock that was in one. */
static void check_growth(int job, int line)
{
    unsigned limit = house_growth_most(line), made = made_in_a_day(&eyes[line]);
    if (limit > 0 && made >= limit && cast_jobs[job].class != CLASS_REPLY && now_us() < FIRST_DAY_US && forgotten_us < 0)
        breach("P6", ((struct about){job, cast_jobs[job].conversation, line}),
               "job %d is given out on line %d, which has sent %u messages of the %u that its level allows", job, line, made,
               limit);
}

void lines_given(int job, int line, bool fresh)
{
    check_growth(job, line);
    check_closed(job, line, 0, "is given out");
    check_ramp(job, line);
    if (fresh)
        check_new(job, line);
    check_pace(job, line);
}

void lines_begun(int job, int line)
{
    check_closed(job, line, BEATS_US, "begins");
}

void lines_placed(int job, int line)
{
    struct eye *eye = &eyes[line];
    unsigned limit = house_new_conversations_most(cast_pool_of_line(line)), count = 0;
    eye->placed_us[eye->placed++ % PLACED_MAX] = now_us();
    for (unsigned i = eye->placed; i-- > 0 && eye->placed - i < PLACED_MAX && eye->placed_us[i % PLACED_MAX] > now_us() - DAY_US;)
        count++;
    if (count > limit)
        breach("P5", ((struct about){job, cast_jobs[job].conversation, line}),
               "%u conversations begin on line %d within a day, %u may", count, line, limit);
}

void lines_message(int job, int line)
{
    struct eye *eye = &eyes[line];
    unsigned limit = house_daily_most(cast_pool_of_line(line));
    eye->made_us[eye->made++ % MADE_MAX] = now_us();
    unsigned count = made_in_a_day(eye);
    if (limit > 0 && count > limit)
        breach("P6", ((struct about){job, cast_jobs[job].conversation, line}),
               "%u messages are made on line %d within a day, %u may", count, line, limit);
}

/* What recipients write counts as well. JOBs count from their lease on: some of those may have got lost with the
 * broker that granted them. */
bool lines_may_be_spent(int line)
{
    for (int any = 0; line < 0 && any < CAST_LINES; any++)
        if (lines_may_be_spent(any))
            return true;
    unsigned daily = line < 0 ? 0 : house_daily_most(cast_pool_of_line(line)),
             growth = line < 0 ? 0 : house_growth_most(line);
    unsigned most = daily == 0 || (growth > 0 && growth < daily) ? growth : daily;
    return line >= 0 && most > 0 && eyes[line].given + eyes[line].written + UNSAID_MOST * house_starts() >= most;
}

void lines_refused(int line)
{
    eyes[line].refused = true;
}

/* ---- what is told ---- */

/* Delivered again after a restart it may be known already: a poll begun in between counts. */
static void begin(struct word *word, const struct hook *hook)
{
    *word = (struct word){.sure = true, .since_us = now_us(), .changed_ms = hook->changed_ms,
                          .heard_mono_ms = mono_ms() - (now_us() - hook->arrived_us) / US_MS};
}

static void hear_healthy(struct word *word, const struct hook *hook)
{
    if (hook->changed_ms <= word->changed_ms)
        return;
    if (!word->healthy_told)
        word->healthy_mono_ms = mono_ms();
    word->healthy_told = true;
}

void lines_hook_arrives(const struct hook *hook)
{
    struct eye *eye = hook->line < 0 ? NULL : &eyes[hook->line];
    if (hook->wrote_on >= 0 && !hook->forged)
        eyes[hook->wrote_on].written++;
    if (eye == NULL || hook->forged)
        return;
    eye->ever_critical = eye->ever_critical || hook->word == REPUTATION_CRITICAL;
    eye->ever_flagged = eye->ever_flagged || hook->flagged;
    if (hook->changed_ms > eye->newest_ms) /* the broker may have died before it knew: what follows is measured by its word */
        eye->newest_ms = hook->changed_ms;
    if (!hook->flagged && hook->changed_ms > eye->flagged.changed_ms)
        eye->flagged.sure = false;
    if (hook->word == REPUTATION_HEALTHY) {
        hear_healthy(&eye->critical, hook);
        hear_healthy(&eye->at_risk, hook);
    }
    /* is worse: what may be known of AT_RISK ends */
    if (hook->word == REPUTATION_CRITICAL && hook->changed_ms > eye->at_risk.changed_ms)
        eye->at_risk.sure = false;
}

void lines_hook_taken(const struct hook *hook)
{
    struct eye *eye = hook->line < 0 ? NULL : &eyes[hook->line];
    if (eye == NULL || hook->changed_ms != eye->newest_ms || eye->bettered_us >= hook->arrived_us)
        return;
    if (hook->word == REPUTATION_CRITICAL)
        begin(&eye->critical, hook);
    if (hook->word == REPUTATION_AT_RISK)
        begin(&eye->at_risk, hook);
    if (hook->flagged)
        begin(&eye->flagged, hook);
}

static void weigh_poll(struct word *word, int64_t begun_mono_ms, bool cached, bool healthy)
{
    if (!healthy)
        word->healthy_polls = 0;
    if (!healthy || cached || begun_mono_ms < word->heard_mono_ms)
        return;
    word->healthy_polls++;
    if ((word->healthy_told && begun_mono_ms >= word->healthy_mono_ms) || word->healthy_polls >= 2)
        word->sure = false;
}

static void recovers(int line)
{
    struct eye *eye = &eyes[line];
    bool alone = operators_leave_alone(line, eye->critical.since_us);
    eye->recovered_us = alone ? now_us() : 0;
    eye->recovered_starts = house_starts();
    eye->recovered_given = 0;
}

void lines_listed_none(int account)
{
    for (int line = 0; line < CAST_LINES; line++)
        eyes[line].ever_missing = eyes[line].ever_missing || cast_account_of_line(line) == account;
}

void lines_polled(int account, int64_t begun_mono_ms, bool cached, const enum reputation words[])
{
    for (int line = 0; line < CAST_LINES; line++) {
        if (cast_account_of_line(line) != account)
            continue;
        bool healthy = words[line] == REPUTATION_HEALTHY;
        if (healthy)
            eyes[line].bettered_us = now_us();
        eyes[line].ever_critical = eyes[line].ever_critical || words[line] == REPUTATION_CRITICAL;
        eyes[line].ever_missing = eyes[line].ever_missing || words[line] == REPUTATION_UNKNOWN;
        bool was_sure = eyes[line].critical.sure;
        weigh_poll(&eyes[line].critical, begun_mono_ms, cached, healthy);
        if (was_sure && !eyes[line].critical.sure)
            recovers(line);
        weigh_poll(&eyes[line].at_risk, begun_mono_ms, cached, healthy);
    }
}

int64_t lines_forgotten_us(void)
{
    return forgotten_us;
}

/* What was heard stands, whatever time it is. */
void lines_wall_jumps(bool far)
{
    jumped_us = now_us();
    for (int line = 0; line < CAST_LINES; line++)
        eyes[line].recovered_us = 0;
    if (!far)
        return;
    forgotten_us = now_us();
    for (int line = 0; line < CAST_LINES; line++)
        eyes[line].placed = eyes[line].made = 0; /* a clock that was a day ahead has let a day's budget pass */
}

int64_t lines_jumped_us(void)
{
    return jumped_us;
}

void lines_deceived(void)
{
    lines_wall_jumps(true);
    for (int line = 0; line < CAST_LINES; line++) {
        eyes[line].critical.sure = eyes[line].at_risk.sure = eyes[line].flagged.sure = false;
        eyes[line].ever_flagged = true;
    }
}

bool lines_is_surely_critical(int line, int64_t *since_us)
{
    *since_us = eyes[line].critical.since_us;
    return is_critical(line);
}

bool lines_was_ever_critical(int line)
{
    return eyes[line].ever_critical;
}

bool lines_was_ever_missing(int line)
{
    return eyes[line].ever_missing;
}

bool lines_was_ever_flagged(int line)
{
    return eyes[line].ever_flagged || eyes[line].refused;
}
