/* when.c — what goes before the job against what can be sent: the moment, or what nobody can say (forecast.h). */
#include "broker/core/forecast.h"

#include "broker/core/line.h"
#include "broker/core/quiet.h"

#define BURST_FACTOR 2 /* what comes so many times as fast as it can be sent is a burst */
#define LADDER_MAX   64

void forecast_end(struct forecast *forecast, int64_t at_ms, enum reason unknown)
{
    forecast->done = true;
    forecast->said.at_ms = at_ms;
    forecast->said.unknown = unknown;
}

/* Messages before it in its conversation make it wait for answers that may not come. */
static bool climb_ladder(const struct core *core, struct forecast *forecast)
{
    const struct conversation *conversation = &core->conversations[forecast->job.conversation];
    const struct policy *policy = &core->pools[forecast->job.pool].policy;
    bool ladder = policy->cadence_steps > 0 && forecast->job.class >= CLASS_FOLLOWUP;
    bool at_risk = conversation->health == CHAT_AT_RISK && forecast->job.class != CLASS_REPLY;
    unsigned streak = conversation->streak;
    for (uint32_t i = 0;
         forecast->job.conversation != NOBODY && (ladder || at_risk) && i < forecast->job.before && i < LADDER_MAX;
         i++) {
        streak++;
        if (ladder && streak > policy->cadence_steps)
            return false;
        forecast->said.at_ms += ladder ? policy->cadence_ms[streak - 1] : policy->at_risk_chat_gap_ms;
    }
    return true;
}

static void at(const struct core *core, struct forecast *forecast, int64_t at_ms)
{
    const struct job probe = {.class = forecast->job.class & 3, .zone = forecast->job.zone & ZONES_MAX};
    forecast->said.at_ms = at_ms > forecast->floor_ms ? at_ms : forecast->floor_ms;
    if (!climb_ladder(core, forecast)) {
        forecast_end(forecast, 0, REASON_CONVERSATION_CADENCE);
        return;
    }
    const struct instant then = {.wall_ms = forecast->said.at_ms};
    forecast_end(forecast, quiet_until(core, &core->pools[forecast->job.pool].policy, &probe, then), REASON_NONE);
}

/* The moment at which so much is sent; 0: not within the forecast. */
static int64_t moment_of_sends(const struct forecast *forecast, double sends)
{
    int64_t from_ms = forecast->now.wall_ms;
    double sum = 0;
    sends = sends > 0 ? sends : 0;
    for (unsigned slot = 0; slot < FORECAST_SLOTS; slot++) {
        int64_t end_ms = supply_slot_end_ms(slot, forecast->now);
        double here = forecast->supply[slot], rate = forecast->rate[slot];
        if (here > 0 && sum + here >= sends) {
            double span = (sends - sum) / here * (double)(end_ms - from_ms);
            double busy = rate > 0 ? (sends - sum) / rate : span; /* a budget may be spent before the slot is over */
            return from_ms + (int64_t)(here < rate * 0.98 * (double)(end_ms - from_ms) ? busy : span);
        }
        sum += here;
        from_ms = end_ms;
    }
    return 0;
}

void forecast_weigh(const struct core *core, struct forecast *forecast)
{
    if (forecast->said.per_min <= 0 && forecast->unlimited > 0)
        forecast->said.per_min = -1;
    if (forecast->sending <= 0) {
        enum reason reason = REASON_NO_HEALTHY_LINE;
        if (forecast->job.line != NO_LINE)
            reason = gate_beneath(core, &core->lines[forecast->job.line], forecast->now).reason;
        forecast_end(forecast, 0, reason);
        return;
    }
    double coming_per_min = 0;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        coming_per_min += forecast->coming_per_ms[c] * 60000;
    if (coming_per_min > forecast->said.per_min * BURST_FACTOR) /* nobody goes on like that */
        forecast->coming_until_ms = 0;
    if (forecast->need < forecast->at_once) {
        at(core, forecast, forecast->now.wall_ms);
        return;
    }
    /* Each line sends as soon as its gap is over, so of many half a gap is over on the average. */
    double head_start = forecast->saved + (forecast->sending - 1) / 2;
    int64_t moment = moment_of_sends(forecast, forecast_ahead(forecast, true) * forecast->turns - head_start);
    if (moment == 0) /* with all that may come it would never go */
        moment = moment_of_sends(forecast, forecast->need * forecast->turns - head_start);
    if (moment == 0)
        forecast_end(forecast, 0, REASON_NONE);
    else
        at(core, forecast, moment);
}
