/* supply.c — what a line can send in each slot of a forecast, see forecast.h. */
#include "broker/core/forecast.h"

#include "broker/core/drain.h"
#include "broker/core/line.h"
#include "broker/core/turns.h"

#define WITHOUT_END 1e9 /* sends a ms of a line whose pace has no limit */

int64_t supply_slot_end_ms(unsigned slot, struct instant from)
{
    if (slot < FORECAST_FINE)
        return from.wall_ms + (slot + 1) * (int64_t)FORECAST_FINE_MS;
    int64_t fine_ms = from.wall_ms + FORECAST_FINE * (int64_t)FORECAST_FINE_MS;
    return (fine_ms / BUDGET_BUCKET_MS + 1 + (slot - FORECAST_FINE)) * BUDGET_BUCKET_MS; /* budgets move there */
}

struct future { /* of one line */
    const struct core *core;
    const struct line *real;
    struct line line; /* a copy, whose budgets are spent as the forecast goes on */
    struct gate_state gate;
    double base; /* the gate's factor without the ramp's share */
    unsigned step; /* of the ramp, 0: none is on */
    int64_t step_ends_ms;
    bool fresh, spends_recipient, grows;
    double begun; /* of the sends, so many begin a conversation, if `fresh` */
    double begun_owed;
    int64_t from_ms; /* it sends nothing before */
    double owed;     /* sends that are less than one yet */
    int64_t cap;     /* of a drain, a minute; 0: none */
};

static int64_t interval_us(const struct future *future)
{
    return pace_capped_us(future->core, future->real, &future->gate, future->cap);
}

static bool future_begin(struct future *future, const struct core *core, const struct line *line,
                         const struct forecast *forecast)
{
    struct gate_state gate = gate_beneath(core, line, forecast->now);
    bool goes = forecast->job.fresh ? line_welcomes_after_ramp(core, line) : gate.gate != GATE_CLOSED;
    if (!goes || !line_has_pool(line) || gate.gate == GATE_CLOSED)
        return false;
    *future = (struct future){.core = core,
                              .real = line,
                              .line = *line,
                              .gate = gate,
                              .base = gate.factor * 100.0 / ramp_percent(core, line),
                              .step = ramp_is_on(core, line) ? line->known.ramp_step : 0,
                              .step_ends_ms = line->gate != GATE_CLOSED
                                                  ? line->known.ramp_until_ms /* else it is paused, and what if not */
                                                  : forecast->now.wall_ms + ramp_step_ms(core, line),
                              .fresh = forecast->job.fresh,
                              .begun = forecast->begun > 0.01 ? forecast->begun : 0.01,
                              .spends_recipient = forecast->job.fresh || forecast->job.rested,
                              .grows = forecast->job.fresh || forecast->job.class != CLASS_REPLY,
                              .from_ms = forecast->from_ms,
                              .cap = forecast->cap > 0 ? forecast->cap : drain_pace_per_min(core, line)};
    int64_t limited = line->limited_until_ms;
    if (core->accounts[line->account].limited_until_ms > limited)
        limited = core->accounts[line->account].limited_until_ms;
    limited += forecast->now.wall_ms - forecast->now.mono_ms;
    future->from_ms = limited > future->from_ms ? limited : future->from_ms;
    return true;
}

/* The ramp climbs by itself, as long as nothing falls. */
static void climb(struct future *future, int64_t wall_ms)
{
    const struct policy *policy = line_policy(future->core, future->real);
    while (future->step > 0 && wall_ms >= future->step_ends_ms) {
        future->step++;
        future->step_ends_ms += ramp_step_ms(future->core, future->real);
        if (future->step > policy->ramp_steps || policy->ramp_percent[future->step - 1] >= 100)
            future->step = 0;
    }
    double share = future->step == 0 ? 1.0 : policy->ramp_percent[future->step - 1] / 100.0;
    future->gate.factor = future->base * share;
    future->gate.gate = future->gate.factor >= 1.0 ? GATE_OPEN : GATE_SLOW;
}

/* Sends that the budgets leave at that moment. */
static double room_at(const struct future *future, int64_t wall_ms)
{
    const bool spends[BUDGET_PAIR] = {[BUDGET_NEW_CONVERSATIONS] = future->fresh,
                                      [BUDGET_RECIPIENTS] = future->spends_recipient,
                                      [BUDGET_DAILY] = true,
                                      [BUDGET_GROWTH] = future->grows};
    const struct instant then = {.wall_ms = wall_ms};
    double room = WITHOUT_END;
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++) {
        if (!spends[budget])
            continue;
        struct budget_state state = budget_state(future->core, &future->line, budget, then);
        double left = state.limit == 0 ? WITHOUT_END : (double)state.limit - state.used;
        if (future->fresh && (budget == BUDGET_NEW_CONVERSATIONS || budget == BUDGET_RECIPIENTS))
            left /= future->begun;
        room = left < room ? left : room;
    }
    return room < 0 ? 0 : room;
}

static void spend(struct future *future, int64_t wall_ms, double sends)
{
    if (sends >= WITHOUT_END)
        return;
    future->owed += sends;
    unsigned whole = (unsigned)future->owed;
    future->owed -= whole;
    if (whole == 0)
        return;
    level_begin_day(&future->line, (struct instant){.wall_ms = wall_ms});
    budget_add_many(&future->line.known.messages, wall_ms, whole);
    budget_add_many(&future->line.known.out, wall_ms, whole);
    unsigned begun = whole;
    if (future->fresh) {
        future->begun_owed += whole * future->begun;
        begun = (unsigned)future->begun_owed;
        future->begun_owed -= begun;
        budget_add_many(&future->line.known.fresh, wall_ms, begun);
    }
    if (future->spends_recipient)
        budget_add_many(&future->line.recipients, wall_ms, begun);
}

/* Between two moments of one pace. Returns the sends, and adds to *rate. */
static double stretch(struct future *future, int64_t from_ms, int64_t to_ms, double *rate)
{
    double gap_ms = pace_gap_ms(interval_us(future));
    double room = room_at(future, from_ms) - future->owed;
    double per_ms = gap_ms <= 0 ? WITHOUT_END : 1 / gap_ms;
    double sends = gap_ms <= 0 ? WITHOUT_END : (double)(to_ms - from_ms) * per_ms;
    sends = sends < room ? sends : room;
    if (sends <= 0)
        return 0;
    *rate = per_ms;
    spend(future, from_ms, sends);
    return sends;
}

/* A slot, cut where the ramp climbs. */
static double slot_sends(struct future *future, int64_t from_ms, int64_t to_ms, double *rate)
{
    double sends = 0;
    from_ms = from_ms < future->from_ms ? future->from_ms : from_ms;
    while (from_ms < to_ms) {
        climb(future, from_ms);
        int64_t end_ms = future->step > 0 && future->step_ends_ms < to_ms ? future->step_ends_ms : to_ms;
        if (!future->fresh || future->step == 0)
            sends += stretch(future, from_ms, end_ms, rate);
        from_ms = end_ms;
    }
    return sends;
}

/* What it has saved up may go at once, and its next turn may be some time off. Returns the sends that may go at once,
 * the very next one not counted. */
static double begin_pace(struct future *future, const struct forecast *forecast)
{
    climb(future, future->from_ms);
    int64_t gap_us = interval_us(future);
    int64_t burst = future->cap > 0 ? 0 : pace_burst(future->core, future->real) - 1;
    int64_t now_us = forecast->now.mono_ms * 1000;
    int64_t next_us = future->real->next_send_us;
    int64_t wait_ms = next_us > now_us ? (next_us - now_us + 999) / 1000 : 0;
    if (future->from_ms < forecast->now.wall_ms + wait_ms)
        future->from_ms = forecast->now.wall_ms + wait_ms;
    if (gap_us == 0 || wait_ms > 0)
        return 0;
    double saved = (double)(now_us - next_us) / (double)gap_us;
    double room = room_at(future, forecast->now.wall_ms) - 1;
    saved = saved < (double)burst ? saved : (double)burst;
    return saved < room ? saved : room < 0 ? 0 : room;
}

bool supply_add(const struct core *core, const struct line *line, double weight, struct forecast *forecast)
{
    struct future future;
    if (!future_begin(&future, core, line, forecast))
        return false;
    double saved = begin_pace(&future, forecast);
    bool now = future.from_ms <= forecast->now.wall_ms && !forecast->night[0] && room_at(&future, future.from_ms) >= 1 &&
               !(future.fresh && future.step > 0);
    int64_t gap_us = interval_us(&future);
    double per_min = gap_us == 0 ? -1 : 60000 / pace_gap_ms(gap_us);
    forecast->unlimited += per_min < 0 ? weight : 0;
    forecast->said.per_min += per_min > 0 ? per_min * weight : 0;
    forecast->sending += weight;
    forecast->at_once += now ? weight * (1 + saved) : 0;
    forecast->saved += saved * weight;
    if (saved > 0)
        spend(&future, forecast->now.wall_ms, saved);
    double sum = 0, most = (forecast->need + forecast->coming) * forecast->turns;
    int64_t from_ms = forecast->now.wall_ms;
    for (unsigned slot = 0; slot < FORECAST_SLOTS && sum * weight <= most; slot++) {
        int64_t end_ms = supply_slot_end_ms(slot, forecast->now);
        double rate = 0;
        double sends = forecast->night[slot] ? 0 : slot_sends(&future, from_ms, end_ms, &rate);
        forecast->supply[slot] += (float)(sends * weight);
        forecast->rate[slot] += (float)(rate * weight);
        sum += sends;
        from_ms = end_ms;
    }
    return true;
}
