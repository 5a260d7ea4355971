/* line.c — the table of lines and their backlog; see line.h. */
#include "broker/core/line.h"

#include <string.h>

#include "broker/core/campaign.h"

#define SAID_AGAIN_MS 60000

static uint64_t number_of(const void *slots, uint32_t slot)
{
    return ((const struct line *)slots)[slot - 1].known.number;
}

static uint32_t *number_next_of(void *slots, uint32_t slot)
{
    return &((struct line *)slots)[slot - 1].number_next;
}

void index_lines(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_number, heads, heads_max, core->lines, number_of, number_next_of);
}

uint32_t line_find(const struct core *core, uint64_t number)
{
    uint32_t slot = index_find(&core->by_number, number);
    return slot == 0 ? NO_LINE : slot - 1;
}

uint32_t line_of_account(const struct core *core, uint32_t account, uint64_t number)
{
    uint32_t at = line_find(core, number);
    return at != NO_LINE && line_is_of(core, &core->lines[at], account) ? at : NO_LINE;
}

static uint64_t digits_of(const char *number)
{
    uint64_t digits = 0;
    for (const char *c = number + 1; *c != '\0'; c++)
        digits = digits * 10 + (uint64_t)(*c - '0');
    return digits;
}

uint32_t line_rest_pool(const struct core *core, uint32_t account)
{
    for (uint32_t p = 0; p < core->conf->pool_count; p++)
        if (core->pools[p].account == account && core->pools[p].all_lines)
            return p;
    return NO_POOL;
}

static void count(struct core *core, const struct line *line, int delta)
{
    core->lines_by_gate[line->gate] += (uint32_t)delta;
    if (line_has_pool(line))
        core->pools[line->pool].lines_by_gate[line->gate] += (uint32_t)delta;
}

void line_set_pool(struct core *core, struct line *line, uint32_t pool)
{
    count(core, line, -1);
    line->pool = pool;
    count(core, line, 1);
}

void line_set_gate(struct core *core, struct line *line, const struct gate_state *gate)
{
    count(core, line, -1);
    line->gate = gate->gate;
    line->gate_reason = gate->reason;
    line->silent = gate->silent;
    count(core, line, 1);
}

static void join(struct core *core, struct line *line, uint32_t account, uint32_t pool)
{
    line->account = account;
    line->known.account = core->accounts[account].name;
    line_set_pool(core, line, pool);
}

static void say_full(struct core *core, uint32_t at, uint64_t number, struct instant now, struct effects *out)
{
    struct account *account = &core->accounts[at];
    if (account->lines_full_said && now.mono_ms < account->lines_full_ms + SAID_AGAIN_MS)
        return; /* each poll lists all of them */
    account->lines_full_said = true;
    account->lines_full_ms = now.mono_ms;
    effect_alert(out, ALERT_LINES_FULL, number, at);
}

static uint32_t get_or_say(struct core *core, uint32_t account, uint64_t number, struct instant now, struct effects *out)
{
    uint32_t at = line_get(core, account, number, now);
    if (at == NO_LINE)
        say_full(core, account, number, now, out);
    return at;
}

uint32_t line_get_configured(struct core *core, uint32_t pool, const struct conf_pool_line *conf, struct instant now,
                             struct effects *out)
{
    return get_or_say(core, core->pools[pool].account, digits_of(conf->number), now, out);
}

int64_t line_configured_level(const struct conf_pool_line *conf)
{
    return conf->daily_level > 0 ? conf->daily_level : 0;
}

void line_add_configured(struct core *core, uint32_t pool, const struct conf_pool_line *conf, struct instant now,
                         struct effects *out)
{
    uint32_t at = line_get_configured(core, pool, conf, now, out);
    if (at == NO_LINE)
        return;
    join(core, &core->lines[at], core->pools[pool].account, pool);
    core->lines[at].daily_level = line_configured_level(conf);
}

uint32_t line_heard_of(struct core *core, uint32_t account, uint64_t number, struct instant now, struct effects *out)
{
    uint32_t at = get_or_say(core, account, number, now, out);
    if (at == NO_LINE)
        return NO_LINE;
    struct line *line = &core->lines[at];
    uint32_t rest = line_rest_pool(core, account);
    if (!line_has_pool(line) && (line_is_of(core, line, account) || rest != NO_POOL))
        join(core, line, account, rest);
    return line_of_account(core, account, number);
}

uint32_t line_get(struct core *core, uint32_t account, uint64_t number, struct instant now)
{
    uint32_t at = line_find(core, number);
    if (at != NO_LINE)
        return at;
    if (core->line_count == core->limits.lines_max)
        return NO_LINE;
    at = core->line_count++;
    struct line *line = &core->lines[at];
    memset(line, 0, sizeof *line);
    line->known.number = number;
    line->known.first_seen_ms = now.wall_ms;
    line->known.gate_since_ms = now.wall_ms;
    line->pool = NO_POOL;
    line->gate = GATE_SLOW;
    count(core, line, 1);
    join(core, line, account, line_rest_pool(core, account));
    moments_begin(&line->moments);
    line->heard_mono_ms = now.mono_ms;
    line->ring_next = line->ring_prev = 0;
    index_insert(&core->by_number, at + 1);
    return at;
}

const struct policy *line_policy(const struct core *core, const struct line *line)
{
    /* Nothing goes on it; what comes back meanwhile ends by no policy that it never had. */
    static const struct policy none = {.pace_per_min = 1, .burst = 1, .at_risk_factor = 1.0, .ramp_steps = 1,
                                       .ramp_percent = {100}, .ramp_step_ms = 1000, .lease_ms = 60000,
                                       .attempts_max = FAILURES_MAX + 1, .flag_probe_ms = 900000};
    return line_has_pool(line) ? &core->pools[line->pool].policy : &none;
}

void line_record(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct change *change = change_add(out, CHANGE_LINE);
    change->line = &line->known;
    change->event.at_ms = now.wall_ms;
    line->recorded_heard_ms = line->known.heard_at_ms;
    line->recorded_bucket = now.wall_ms / BUDGET_BUCKET_MS;
    line->spent = false;
}

static void count_unplaced(struct pool *pool, unsigned class, int delta)
{
    pool->unplaced += (uint64_t)(int64_t)delta;
    pool->unplaced_by_class[class] += (uint32_t)delta;
}

static void backlog_count(struct core *core, uint32_t slot, int delta)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    struct pool *pool = &core->pools[conversation->pool];
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    struct line *line = on_line ? &core->lines[conversation->line] : NULL;
    if (job->state == JOB_LEASED) {
        pool->leased += (uint64_t)(int64_t)delta;
        if (line != NULL)
            line->in_flight += (uint32_t)delta;
        if (job->campaign != 0)
            core->campaigns[campaign_of(core, job)].leased += (uint64_t)(int64_t)delta; /* of slot 0 if it has none */
        return;
    }
    if (job->state == JOB_SCHEDULED) {
        core->totals.scheduled += (uint64_t)(int64_t)delta; /* where it will wait is open until it falls due */
        pool->scheduled += (uint64_t)(int64_t)delta;
        return;
    }
    pool->waiting += (uint64_t)(int64_t)delta;
    pool->waiting_by_class[job->class] += (uint32_t)delta;
    if ((job->flags & JOB_YIELDED) != 0) { /* its campaign's, until that goes on */
        pool->yielded += (uint64_t)(int64_t)delta;
        return;
    }
    if (line != NULL)
        line->waiting[job->class] += (uint32_t)delta;
    else
        count_unplaced(pool, job->class, delta);
}

void backlog_add(struct core *core, uint32_t job)
{
    backlog_count(core, job, 1);
}

void backlog_remove(struct core *core, uint32_t job)
{
    backlog_count(core, job, -1);
}
