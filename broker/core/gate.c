/* gate.c — may this line send? The worst of the operator's pause, service status, presence in the list, reputation
 * with its hold, and freshness (DESIGN section 3, the table; traps 5, 6, 11). */
#include "broker/core/line.h"
#include "broker/core/leases.h"
#include "broker/core/move.h"
#include "broker/core/operate.h"
#include "broker/core/turns.h"

#define RELAPSE_WINDOW_MS (7LL * 86400 * 1000) /* a relapse within 7 days doubles the next ramp's steps ... */
#define RELAPSE_FACTOR_MAX 8                   /* ... up to this (DESIGN trap 11) */

static bool silent_for(const struct line *line, int64_t limit_ms, struct instant now)
{
    return now.mono_ms - line->heard_mono_ms > limit_ms;
}

bool ramp_is_on(const struct core *core, const struct line *line)
{
    return line->known.ramp_step > 0 && line->known.ramp_step <= line_policy(core, line)->ramp_steps;
}

unsigned ramp_percent(const struct core *core, const struct line *line)
{
    return ramp_is_on(core, line) ? line_policy(core, line)->ramp_percent[line->known.ramp_step - 1] : 100;
}

void ramp_hold(struct line *line, struct instant now)
{
    if (line->known.hold)
        return;
    bool relapse = line->known.relapsed_at_ms != 0 && now.wall_ms - line->known.relapsed_at_ms < RELAPSE_WINDOW_MS;
    line->known.relapses = (uint8_t)(relapse && line->known.relapses < 3 ? line->known.relapses + 1 :
                                     relapse ? line->known.relapses : 0);
    line->known.relapsed_at_ms = now.wall_ms;
    line->known.hold = true;
    line->known.ramp_step = 0;
}

int64_t ramp_step_ms(const struct core *core, const struct line *line)
{
    int64_t factor = 1LL << line->known.relapses;
    return line_policy(core, line)->ramp_step_ms * (factor > RELAPSE_FACTOR_MAX ? RELAPSE_FACTOR_MAX : factor);
}

void ramp_start(const struct core *core, struct line *line, struct instant now)
{
    line->known.hold = false;
    ramp_climb(core, line, now);
}

void ramp_climb(const struct core *core, struct line *line, struct instant now)
{
    line->known.ramp_step = 1;
    line->known.ramp_until_ms = now.wall_ms + ramp_step_ms(core, line);
    pace_begin(core, line, now);
}

bool ramp_step(const struct core *core, struct line *line, struct instant now)
{
    bool sends = line_has_pool(line) && line->gate != GATE_CLOSED;
    if (!sends || !ramp_is_on(core, line) || now.wall_ms < line->known.ramp_until_ms)
        return false;
    line->known.ramp_step++;
    line->known.ramp_until_ms = now.wall_ms + ramp_step_ms(core, line);
    if (!ramp_is_on(core, line) || ramp_percent(core, line) >= 100)
        line->known.ramp_step = 0;
    return true;
}

static struct gate_state closed(enum reason reason)
{
    return (struct gate_state){.gate = GATE_CLOSED, .reason = reason};
}

/* What closes the line besides pause and flag; NONE: nothing. */
static enum reason closed_otherwise(const struct core *core, const struct line *line, struct instant now)
{
    if (line->known.gone)
        return REASON_LINE_GONE;
    struct stand stand = line_stand(core, line);
    if (stand_closes(&stand))
        return stand.word == REPUTATION_CRITICAL ? REASON_LINE_CRITICAL : REASON_LINE_RECOVERING;
    if (silent_for(line, core->accounts[line->account].blind_after_ms, now))
        return REASON_LINE_STALE;
    return REASON_NONE;
}

size_t gate_closers(const struct core *core, const struct line *line, struct instant now, enum reason out[GATE_CLOSERS_MAX])
{
    size_t count = 0;
    struct stand stand = line_stand(core, line);
    if (line->pauses > 0)
        out[count++] = REASON_LINE_PAUSED;
    if (line->known.service == SERVICE_FLAGGED)
        out[count++] = REASON_LINE_FLAGGED;
    if (line->known.gone)
        out[count++] = REASON_LINE_GONE;
    if (stand_closes(&stand))
        out[count++] = stand.word == REPUTATION_CRITICAL ? REASON_LINE_CRITICAL : REASON_LINE_RECOVERING;
    if (silent_for(line, core->accounts[line->account].blind_after_ms, now))
        out[count++] = REASON_LINE_STALE;
    return count;
}

int64_t ramp_ends_ms(const struct core *core, const struct line *line)
{
    const struct policy *policy = line_policy(core, line);
    int64_t ends_ms = line->known.ramp_until_ms;
    if (line->gate == GATE_CLOSED)
        return 0;
    for (unsigned step = line->known.ramp_step; step < policy->ramp_steps && policy->ramp_percent[step] < 100; step++)
        ends_ms += ramp_step_ms(core, line);
    return ends_ms;
}

bool gate_lets_probe(const struct core *core, const struct line *line, struct instant now)
{
    return line_has_pool(line) && line->probe_due && line->pauses == 0 && line->known.service == SERVICE_FLAGGED &&
           closed_otherwise(core, line, now) == REASON_NONE;
}

struct gate_state gate_of(const struct core *core, const struct line *line, struct instant now)
{
    bool paused = line->pauses > 0 && line_has_pool(line);
    return paused ? closed(REASON_LINE_PAUSED) : gate_beneath(core, line, now);
}

struct gate_state gate_beneath(const struct core *core, const struct line *line, struct instant now)
{
    const struct account *account = &core->accounts[line->account];
    if (!line_has_pool(line))
        return closed(REASON_POOL_PAUSED); /* by nobody, as a pool that is not in the configuration */
    if (line->known.service == SERVICE_FLAGGED)
        return closed(REASON_LINE_FLAGGED);
    enum reason otherwise = closed_otherwise(core, line, now);
    if (otherwise != REASON_NONE)
        return closed(otherwise);

    struct gate_state gate = {.gate = GATE_OPEN, .factor = 1.0};
    enum reputation proven = line_stand(core, line).proven;
    gate.silent = silent_for(line, account->stale_after_ms, now);
    bool doubtful = proven != REPUTATION_HEALTHY || gate.silent;
    if (doubtful)
        gate.factor = line_policy(core, line)->at_risk_factor;
    gate.factor *= ramp_percent(core, line) / 100.0;
    if (!doubtful && !ramp_is_on(core, line))
        return gate;
    gate.gate = GATE_SLOW;
    gate.reason = proven == REPUTATION_AT_RISK ? REASON_LINE_AT_RISK
                  : ramp_is_on(core, line)                 ? REASON_RAMP
                                                           : REASON_PACE;
    return gate;
}

int64_t gate_next_ms(const struct core *core, const struct line *line, struct instant now)
{
    const struct account *account = &core->accounts[line->account];
    int64_t next = TIME_NEVER;
    struct gate_state gate = gate_of(core, line, now);
    if (gate.gate != line->gate || gate.reason != line->gate_reason)
        return now.mono_ms; /* it is time, and nobody has looked yet */
    if (!silent_for(line, account->stale_after_ms, now))
        next = line->heard_mono_ms + account->stale_after_ms + 1;
    else if (!silent_for(line, account->blind_after_ms, now))
        next = line->heard_mono_ms + account->blind_after_ms + 1;
    if (ramp_is_on(core, line) && gate.gate != GATE_CLOSED) {
        int64_t step = now.mono_ms + line->known.ramp_until_ms - now.wall_ms;
        next = step < next ? step : next;
    }
    if (line->known.service == SERVICE_FLAGGED && line->known.service_source == SOURCE_ERROR && !line->probe_due) {
        int64_t probe = now.mono_ms + line->known.flagged_at_ms + line_policy(core, line)->flag_probe_ms - now.wall_ms;
        next = probe < next ? probe : next;
    }
    int64_t order = operate_next_ms(core, line, now);
    return order < next ? order : next;
}

static void tell_gate(struct core *core, const struct line *line, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_GATE);
    change->gate = (struct change_gate){
        .line = line->known.number, .gate = (uint8_t)line->gate, .reason = (uint8_t)line->gate_reason};
    change_mark(core, change, TOPIC_LINE_GATE, now);
}

void gate_update(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct gate_state gate = gate_of(core, line, now);
    bool moved = gate.gate != line->gate || gate.reason != line->gate_reason;
    if (line->gate == GATE_CLOSED && gate.gate != GATE_CLOSED && ramp_is_on(core, line))
        line->known.ramp_until_ms = now.wall_ms + ramp_step_ms(core, line); /* what was held is in no step yet */
    bool takes_less = gate.silent && !line->silent;
    line_set_gate(core, line, &gate);
    if (line->probing && !gate_lets_probe(core, line, now))
        line->probing = false;
    move_touch(core, at);
    if (moved) {
        line->known.gate_since_ms = now.wall_ms;
        line_record(core, at, now, out);
        tell_gate(core, line, now, out);
    }
    turns_touch_line(core, at, now);
    bool revokes = moved || takes_less || line->revokes || leases_must_stop(core, at);
    line->revokes = false;
    if (line->leases != NOBODY && revokes)
        leases_revoke_line(core, at, now, out);
}
