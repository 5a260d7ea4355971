/* pace.c — how fast a line may send: GCRA with even, jittered spacing. The jitter only ever lengthens a gap, so that
 * no minute holds more than the pace (promise P6); a burst of n lets n - 1 more go at once. */
#include "broker/core/drain.h"
#include "broker/core/line.h"
#include "broker/core/random.h"

#define UNLIMITED_PER_MIN 60000 /* what factors and ramp count from when the pace has no limit (PROTOCOL) */
#define JITTER_SHARE 10         /* a gap is up to a tenth longer */

static double capped(double per_min, int64_t cap) /* 0: none */
{
    return cap > 0 && (double)cap < per_min ? (double)cap : per_min;
}

double pace_per_min(const struct core *core, const struct line *line, struct instant now)
{
    struct gate_state gate = gate_of(core, line, now);
    if (gate.gate == GATE_CLOSED)
        return 0;
    const struct policy *policy = line_policy(core, line);
    int64_t cap = drain_pace_per_min(core, line);
    if (policy->pace_per_min == 0 && gate.factor >= 1.0)
        return cap > 0 ? (double)cap : -1;
    return capped((double)(policy->pace_per_min == 0 ? UNLIMITED_PER_MIN : policy->pace_per_min) * gate.factor, cap);
}

int64_t pace_burst(const struct core *core, const struct line *line)
{
    return drain_pace_per_min(core, line) > 0 ? 1 : line_policy(core, line)->burst; /* a drain's bound is one */
}

int64_t pace_interval_us(const struct core *core, const struct line *line, const struct gate_state *gate)
{
    return pace_capped_us(core, line, gate, drain_pace_per_min(core, line));
}

int64_t pace_capped_us(const struct core *core, const struct line *line, const struct gate_state *gate, int64_t cap)
{
    const struct policy *policy = line_policy(core, line);
    if (policy->pace_per_min == 0 && gate->factor >= 1.0 && cap == 0)
        return 0;
    /* Rounded up: a minute must not hold one more. */
    double factor = gate->gate == GATE_CLOSED ? policy->at_risk_factor : gate->factor; /* closed: only a probe goes */
    double per_min = (double)(policy->pace_per_min == 0 ? UNLIMITED_PER_MIN : policy->pace_per_min) * factor;
    per_min = capped(per_min, cap);
    /* 60 s over a pace so small that it would round to never still ends: an hour at most between two sends */
    return per_min < 1.0 / 60 ? 3600000000 : (int64_t)(60e6 / per_min) + 1;
}

double pace_gap_ms(int64_t interval_us)
{
    return (double)interval_us * (1 + 0.5 / JITTER_SHARE) / 1000;
}

void pace_begin(const struct core *core, struct line *line, struct instant now)
{
    static const struct gate_state full = {.gate = GATE_OPEN, .factor = 1.0};
    int64_t interval = pace_interval_us(core, line, &full); /* a drain's bound holds all the same */
    int64_t latest = now.mono_ms * 1000 + interval + interval / JITTER_SHARE;
    if (line->next_send_us > latest)
        line->next_send_us = latest;
}

void pace_restore(const struct core *core, struct line *line, struct instant now)
{
    struct gate_state gate = gate_of(core, line, now);
    int64_t interval = pace_interval_us(core, line, &gate);
    if (line->last_try_ms == 0 || interval == 0)
        return;
    int64_t ago_ms = now.wall_ms - line->last_try_ms;
    line->next_send_us = (now.mono_ms - (ago_ms < 0 ? 0 : ago_ms)) * 1000 + interval + interval / JITTER_SHARE;
}

void pace_spend(struct core *core, struct line *line, struct instant now)
{
    struct gate_state gate = gate_of(core, line, now);
    int64_t interval = pace_interval_us(core, line, &gate);
    if (interval == 0) {
        line->next_send_us = now.mono_ms * 1000;
        return;
    }
    int64_t credit = interval * (pace_burst(core, line) - 1);
    int64_t from = line->next_send_us + credit; /* the theoretical arrival time */
    if (from < now.mono_ms * 1000)
        from = now.mono_ms * 1000;
    int64_t jitter = (int64_t)(random_next(&core->random) % (uint64_t)(interval / JITTER_SHARE + 1));
    int64_t next = from + interval - credit;
    line->next_send_us = next <= now.mono_ms * 1000 ? next : next + jitter; /* what is left of a burst needs no gap */
}
