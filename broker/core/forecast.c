/* forecast.c — see forecast.h. First what nobody can foresee (a person, the provider's next word), then what goes
 * before the job, then what the lines that it waits for can send: when they have sent that much is when.c's. */
#include "broker/core/forecast.h"

#include <string.h>

#include "broker/core/conversation.h"
#include "broker/core/crews.h"
#include "broker/core/decide.h"
#include "broker/core/drain.h"
#include "broker/core/flow.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/quiet.h"
#include "broker/core/turns.h"

#define LINES_PER_STEP  2048 /* lines passed over in one slice ... */
#define SUPPLY_PER_STEP 4    /* ... and those of them that are looked at: up to 0.1 ms each */
#define CHAIN_MAX       8    /* jobs before it in its conversation that are looked at */
#define COUNTED_LINES   8    /* of a pool's lines, whose queues are looked at job by job ... */
#define COUNTED_MAX     2048 /* ... if there are no more in them */

enum { PHASE_GATES, PHASE_COUNT, PHASE_SUPPLY };

/* ---- what stops the job itself ---- */

/* True: nobody can say when that is over. */
static bool is_open_ended(struct forecast *forecast)
{
    int64_t until_ms = forecast->job.until_ms;
    switch (forecast->job.alone) {
    case REASON_PROVIDER_DOWN: /* its next probe may fail like the last one */
    case REASON_LINE_AT_RISK:
    case REASON_LINE_CORDONED:
        return true;
    case REASON_PAUSED:
    case REASON_ACCOUNT_PAUSED:
    case REASON_POOL_PAUSED:
    case REASON_LINE_PAUSED: /* stops those before it as well */
        forecast->from_ms = until_ms > forecast->from_ms ? until_ms : forecast->from_ms;
        return until_ms == 0;
    case REASON_NOT_YET_DUE:
    case REASON_CAMPAIGN_PAUSED:
    case REASON_CONVERSATION_PAUSED:
    case REASON_OUTCOME_UNKNOWN:
    case REASON_RETRY_BACKOFF:
    case REASON_CONVERSATION_AT_RISK:
    case REASON_CONVERSATION_CADENCE:
    case REASON_QUIET_HOURS:
    case REASON_RATE_LIMITED:
    case REASON_BUDGET_PAIR:
        forecast->floor_ms = until_ms > forecast->floor_ms ? until_ms : forecast->floor_ms;
        return until_ms == 0;
    default:
        return reason_holds(forecast->job.alone);
    }
}

static bool has_worker(const struct core *core, const struct prospect *prospect)
{
    bool away = prospect->line != NO_LINE && line_has_pool(&core->lines[prospect->line]);
    return crews_have_worker(core, away ? core->lines[prospect->line].pool : prospect->pool, prospect->pool);
}

static double turns_per_job(const struct core *core, uint32_t pool, struct instant now)
{
    return tries_per_job(&core->accounts[core->pools[pool].account].tries, now);
}

static void find_nights(const struct core *core, struct forecast *forecast)
{
    const struct policy *policy = &core->pools[forecast->job.pool].policy;
    const struct job probe = {.class = forecast->job.class & 3, .zone = forecast->job.zone & ZONES_MAX};
    struct instant at = forecast->now;
    for (unsigned slot = 0; policy->is_quiet && slot < FORECAST_SLOTS; slot++) {
        forecast->night[slot] = quiet_until(core, policy, &probe, at) > at.wall_ms;
        at.wall_ms = supply_slot_end_ms(slot, forecast->now);
    }
}

/* ---- what goes before ---- */

/* What comes as it has come of late goes before a job of a lesser class, too. */
static void count_coming(const struct flow *flow, double share, struct forecast *forecast)
{
    int64_t until_ms = forecast->now.wall_ms + flow_lasts_ms(flow, forecast->now);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        forecast->coming_per_ms[c] += flow_per_ms(flow, c, forecast->now) * share;
    forecast->coming_until_ms = until_ms > forecast->coming_until_ms ? until_ms : forecast->coming_until_ms;
}

/* New conversations of the pool take turns of the line, too, as far as its budget of them goes. */
static void count_newcomers(const struct core *core, const struct line *line, struct forecast *forecast)
{
    const struct pool *pool = &core->pools[line->pool];
    struct rivals rivals = {.free = {0}};
    if (!line->welcomes || pool->welcoming_mpm <= 0)
        return;
    double begun = ahead_in_pool(core, pool, forecast->job.job, forecast->job.class, forecast->order, &rivals);
    double share = (double)line->welcome_mpm / (double)pool->welcoming_mpm;
    double begin = rivals_sum(&rivals) * share * begun;
    struct budget_state fresh = budget_state(core, line, BUDGET_NEW_CONVERSATIONS, forecast->now);
    double left = fresh.limit == 0 ? begin : (double)fresh.limit - fresh.used;
    if (begin > left)
        share *= left / begin;
    rivals_add(&forecast->rivals, &rivals, share);
    forecast->of_class += pool->unplaced_by_class[forecast->job.class] * share;
    count_coming(&pool->flow, share, forecast);
    forecast->newcomers = share;
}

/* What of the line's own work goes before `job`, a new conversation's, of that class: counted, or as in the pool,
 * where `before` of `all` do. */
static void rivals_on(const struct core *core, const struct line *line, bool look, uint32_t job, unsigned class,
                      double before, double all, struct rivals *out)
{
    if (look)
        ahead_on_line(core, line, job, class, DRAIN_ORDER_SHARES, out);
    for (unsigned c = 0; !look && c < CLASS_COUNT; c++)
        out->free[c] = c != class || job == NOBODY || all <= 0 ? line->waiting[c] : line->waiting[c] * before / all;
}

/* ... and before those that our job waits behind in its conversation. */
static void count_gates_on(const struct core *core, const struct line *line, bool look, struct forecast *forecast)
{
    const uint32_t *unplaced = core->pools[forecast->job.pool].unplaced_by_class;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        struct rivals rivals = {.free = {0}};
        if (forecast->gates[c].sends <= 0)
            continue;
        rivals_on(core, line, look, forecast->gates[c].job, c, forecast->gates[c].need, unplaced[c], &rivals);
        forecast->gates[c].sends += rivals_of(&rivals, c);
    }
}

/* Lines of the pool that may take it have work of their own. True: their queues were looked at. */
static bool count_line(const struct core *core, const struct line *line, struct forecast *forecast)
{
    const uint32_t *unplaced = core->pools[forecast->job.pool].unplaced_by_class;
    double waiting = 0;
    struct rivals rivals = {.free = {0}};
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        waiting += line->waiting[c];
    bool look = waiting > 0 && waiting <= COUNTED_MAX && forecast->counted < COUNTED_LINES;
    rivals_on(core, line, look, forecast->job.job, forecast->job.class, forecast->need, unplaced[forecast->job.class],
              &rivals);
    rivals_add(&forecast->rivals, &rivals, 1);
    if (waiting > 0)
        count_gates_on(core, line, look, forecast);
    forecast->counted += look;
    forecast->of_class += line->waiting[forecast->job.class];
    count_coming(&line->flow, 1, forecast);
    forecast->said.lines++;
    return look;
}

/* What goes before that job, of its own class or of all: among the pool's new conversations, or on its line. */
static double count_before(const struct core *core, const struct forecast *forecast, uint32_t job, bool all,
                           bool in_pool)
{
    struct rivals rivals = {.free = {0}};
    unsigned class = core->jobs[job].class;
    if (in_pool && forecast->newcomers > 0)
        ahead_in_pool(core, &core->pools[forecast->job.pool], job, class, forecast->order, &rivals);
    if (!in_pool && forecast->job.line != NO_LINE)
        ahead_on_line(core, &core->lines[forecast->job.line], job, class, forecast->order, &rivals);
    return (all ? rivals_sum(&rivals) : rivals_of(&rivals, class)) * (in_pool ? forecast->newcomers : 1);
}

static uint32_t first_of(const struct core *core, uint32_t job)
{
    return conversation_first(core, &core->conversations[core->jobs[job].conversation]);
}

static bool goes_by_order(const struct forecast *forecast)
{
    return forecast->order == DRAIN_ORDER_OLDEST || forecast->order == DRAIN_ORDER_DEADLINE;
}

/* It cannot go before those before it in its conversation: the last of each better class. */
static void find_gates(const struct core *core, struct forecast *forecast)
{
    uint32_t last[CLASS_COUNT] = {NOBODY, NOBODY, NOBODY, NOBODY};
    if (forecast->job.job != NOBODY && !goes_by_order(forecast))
        ahead_in_conversation(core, forecast->job.job, last);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        forecast->gates[c].job = last[c];
}

/* The job in that place of its conversation; NOBODY: our job, or the end, comes first. */
static uint32_t nth_before(const struct core *core, uint32_t job, unsigned n)
{
    uint32_t before = job != NOBODY && n < CHAIN_MAX ? first_of(core, job) : NOBODY;
    for (; n > 0 && before != NOBODY && before != job; n--)
        before = core->jobs[before].next;
    return before == job ? NOBODY : before;
}

/* And these not before what goes before them: the next of them is looked at, in the pool first and then on the line.
 * False: there is none. */
static bool count_gate(const struct core *core, struct forecast *forecast)
{
    bool by_order = goes_by_order(forecast), in_pool = forecast->gate_at % 2 == 0;
    unsigned at = forecast->gate_at / 2;
    while (!by_order && at < CLASS_COUNT && forecast->gates[at].job == NOBODY)
        at++;
    uint32_t job = by_order           ? nth_before(core, forecast->job.job, at)
                   : at < CLASS_COUNT ? forecast->gates[at].job
                                      : NOBODY;
    forecast->gate_at = 2 * at + (in_pool ? 1 : 2);
    if (job == NOBODY)
        return false;
    double count = count_before(core, forecast, job, by_order, in_pool);
    if (by_order) {
        forecast->chain = in_pool ? 1 + count : forecast->chain + count;
        forecast->behind = forecast->chain > forecast->behind ? forecast->chain : forecast->behind;
    } else {
        forecast->gates[at].need += count;
        forecast->gates[at].sends = 1 + forecast->gates[at].need;
    }
    return true;
}

static bool waits_in_conversation(const struct forecast *forecast)
{
    bool waits = forecast->behind > 0;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        waits = waits || forecast->gates[c].sends > 0;
    return waits;
}

double forecast_ahead(const struct forecast *forecast, bool coming)
{
    double all = rivals_sum(&forecast->rivals);
    if (goes_by_order(forecast))
        return all > forecast->behind ? all : forecast->behind; /* what comes later goes later */
    return ahead_in_race(forecast, coming);
}

static void count_done(struct forecast *forecast)
{
    unsigned class = forecast->job.class;
    int64_t coming_ms = forecast->coming_until_ms - forecast->now.wall_ms;
    if (rivals_of(&forecast->rivals, class) < forecast->job.before && !waits_in_conversation(forecast))
        forecast->rivals.free[class] = forecast->job.before; /* a conversation that waits behind its own first job */
    forecast->later = forecast->of_class - 1 - rivals_of(&forecast->rivals, class);
    forecast->later = forecast->later > 0 ? forecast->later : 0;
    forecast->need = forecast_ahead(forecast, false);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        forecast->coming += c != class && coming_ms > 0 ? forecast->coming_per_ms[c] * (double)coming_ms : 0;
    double all = rivals_sum(&forecast->rivals);
    if (forecast->coming > 0 && all > forecast->need)
        forecast->coming += all - forecast->need; /* while it waits for these, more of the others have their turns */
    if (all > 0 && forecast->job.line == NO_LINE) /* what the lines have of their own begins none */
        forecast->begun *= forecast->unplaced / all;
    forecast->said.ahead = (uint64_t)(forecast->need + 0.5);
    forecast->every = forecast->said.lines / FORECAST_LINES_MAX + 1;
    forecast->phase = PHASE_SUPPLY;
    forecast->line_at = 0;
}

/* ---- the steps ---- */

static void begin(const struct core *core, const struct prospect *prospect, struct instant now,
                  struct forecast *forecast)
{
    memset(forecast, 0, sizeof *forecast);
    forecast->now = now;
    forecast->job = *prospect;
    forecast->from_ms = forecast->floor_ms = now.wall_ms;
    forecast->begun = 1;
    forecast->turns = turns_per_job(core, prospect->pool, now);
    forecast->number = prospect->job != NOBODY ? core->jobs[prospect->job].number : 0;
    if (prospect->leased) {
        forecast_end(forecast, now.wall_ms, REASON_NONE);
        return;
    }
    if (is_open_ended(forecast)) {
        forecast_end(forecast, 0, prospect->alone);
        return;
    }
    if (!has_worker(core, prospect)) {
        forecast_end(forecast, 0, REASON_NO_WORKER);
        return;
    }
    find_nights(core, forecast);
    if (prospect->line == NO_LINE) {
        const struct pool *pool = &core->pools[prospect->pool];
        forecast->begun =
            ahead_in_pool(core, pool, prospect->job, prospect->class, forecast->order, &forecast->rivals);
        forecast->unplaced = rivals_sum(&forecast->rivals);
        forecast->of_class = pool->unplaced_by_class[prospect->class];
        count_coming(&pool->flow, 1, forecast);
        forecast->newcomers = 1;
        find_gates(core, forecast);
        return;
    }
    const struct line *line = &core->lines[prospect->line];
    forecast->order = drain_order(core, line);
    ahead_on_line(core, line, prospect->job, prospect->class, forecast->order, &forecast->rivals);
    forecast->of_class = line->waiting[prospect->class];
    count_coming(&line->flow, 1, forecast);
    find_gates(core, forecast);
    forecast->said.lines = 1;
}

bool core_forecast_begin(const struct core *core, uint64_t number, struct instant now, struct forecast *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY)
        return false;
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    const struct verdict alone = decide_alone(core, slot, now);
    const struct prospect prospect = {.pool = conversation->pool,
                                      .line = on_line ? (uint32_t)conversation->line : NO_LINE,
                                      .job = slot,
                                      .conversation = job->conversation,
                                      .class = job->class,
                                      .zone = job->zone,
                                      .before = decide(core, slot, DECIDE_QUICK, now).ahead,
                                      .fresh = (conversation->flags & CONVERSATION_BOUND) == 0,
                                      .rested = !recipient_is_spent(core, conversation, now),
                                      .leased = job->state == JOB_LEASED,
                                      .alone = alone.reason,
                                      .until_ms = alone.until_ms};
    begin(core, &prospect, now, out);
    return true;
}

void core_forecast_would(const struct core *core, const struct core_would *would, struct instant now,
                         struct forecast *out)
{
    begin(core, &would->prospect, now, out);
}

static void step_pool(const struct core *core, struct forecast *forecast)
{
    unsigned supplied = 0;
    for (unsigned i = 0; i < LINES_PER_STEP && forecast->line_at < core->line_count && supplied < SUPPLY_PER_STEP;
         i++, forecast->line_at++) {
        const struct line *line = &core->lines[forecast->line_at];
        if (line->pool != forecast->job.pool || !line_welcomes_after_ramp(core, line))
            continue;
        if (forecast->phase == PHASE_COUNT) {
            supplied += count_line(core, line, forecast) ? SUPPLY_PER_STEP : 0;
        } else if (forecast->seen++ % forecast->every == 0) {
            supply_add(core, line, forecast->every, forecast);
            supplied++;
        }
    }
    if (forecast->line_at < core->line_count)
        return;
    if (forecast->phase == PHASE_COUNT)
        count_done(forecast);
    else
        forecast_weigh(core, forecast);
}

/* One count a slice: with long queues each takes some tenths of a millisecond. */
static void step_gates(const struct core *core, struct forecast *forecast)
{
    if (forecast->job.line != NO_LINE && !forecast->met) {
        forecast->met = true;
        if (line_has_pool(&core->lines[forecast->job.line]))
            count_newcomers(core, &core->lines[forecast->job.line], forecast);
        return;
    }
    if (count_gate(core, forecast))
        return;
    if (forecast->job.line != NO_LINE) {
        count_done(forecast);
        return;
    }
    forecast->need =
        rivals_of(&forecast->rivals, forecast->job.class); /* of the new ones, while the lines' own are counted */
    forecast->phase = PHASE_COUNT;
}

void core_forecast_step(const struct core *core, struct forecast *forecast)
{
    if (forecast->done)
        return;
    if (forecast->number != 0 && core->jobs[forecast->job.job].number != forecast->number) { /* meanwhile it went */
        forecast_end(forecast, forecast->now.wall_ms, REASON_NONE);
        return;
    }
    if (forecast->phase == PHASE_GATES) {
        step_gates(core, forecast);
        return;
    }
    if (forecast->job.line == NO_LINE) {
        step_pool(core, forecast);
        return;
    }
    supply_add(core, &core->lines[forecast->job.line], 1, forecast);
    forecast_weigh(core, forecast);
}

/* ---- a line's drain ---- */

int64_t core_drain_eta(const struct core *core, size_t at, int64_t pace_per_min, uint64_t jobs, struct instant now)
{
    const struct line *line = &core->lines[at];
    bool rested = false;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        rested = rested || line->rested.queue[c].root != NOBODY;
    if (jobs == 0)
        return now.wall_ms;
    bool held = reason_holds(decide_line(core, line, now));
    if (held || !line_has_pool(line) || !crews_have_worker(core, line->pool, line->pool))
        return 0;
    struct forecast forecast = {.now = now,
                                .job = {.pool = line->pool,
                                        .line = (uint32_t)at,
                                        .job = NOBODY,
                                        .conversation = NOBODY,
                                        .class = CLASS_CAMPAIGN,
                                        .rested = rested},
                                .from_ms = now.wall_ms,
                                .floor_ms = now.wall_ms,
                                .cap = pace_per_min,
                                .begun = 1,
                                .turns = turns_per_job(core, line->pool, now),
                                .order = DRAIN_ORDER_OLDEST,
                                .rivals.free[0] = (double)jobs - 1, /* that go before its last one */
                                .need = (double)jobs - 1,
                                .said.lines = 1};
    supply_add(core, line, 1, &forecast);
    forecast_weigh(core, &forecast);
    return forecast.said.at_ms;
}
