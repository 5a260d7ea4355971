/* conf_take.c — see conf_take.h, and core_reconfigure(). */
#include "broker/core/conf_take.h"

#include <string.h>

#include "broker/core/crews.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/names.h"
#include "broker/core/pause.h"
#include "broker/core/placement.h"
#include "broker/core/quiet.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

static int64_t minute_of_day(const char *text) /* "21:00", checked when it was read; NULL: none */
{
    if (text == NULL)
        return 0;
    return ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
}

static void take_policy(struct policy *policy, const struct conf_policy *conf)
{
    *policy = (struct policy){
        .pace_per_min = conf->pace_per_min,
        .burst = conf->burst,
        .at_risk_factor = conf->at_risk_factor,
        .ramp_steps = (uint8_t)conf->ramp_steps,
        .ramp_step_ms = conf->ramp_step_ms,
        .daily_messages = conf->daily_messages,
        .fresh_per_day = conf->new_conversations_per_day,
        .recipients_per_hour = conf->distinct_recipients_per_hour,
        .pair_per_min = conf->pair_per_min,
        .growth_factor = conf->daily_growth_factor,
        .growth_floor = conf->growth_floor,
        .at_risk_new = conf->allow_at_risk_new,
        .links_allowed = conf->first_message_links_allowed,
        .moves_flagged = conf->on_flagged == ON_CLOSED_MOVE,
        .moves_gone = conf->on_gone == ON_CLOSED_MOVE,
        .cadence_steps = (uint8_t)conf->cadence_steps,
        .at_risk_chat_gap_ms = conf->at_risk_chat_gap_ms,
        .flag_probe_ms = conf->flag_probe_ms,
        .attempts_max = conf->attempts_max,
        .retry_base_ms = conf->retry_base_ms,
        .retry_cap_ms = conf->retry_cap_ms,
        .lease_ms = conf->lease_ms,
    };
    for (size_t i = 0; i < conf->ramp_steps; i++)
        policy->ramp_percent[i] = (uint16_t)conf->ramp_percent[i];
    for (size_t i = 0; i < conf->cadence_steps; i++)
        policy->cadence_ms[i] = conf->cadence_ms[i];
    policy->is_quiet = conf->quiet_from != NULL;
    policy->quiet_from_min = minute_of_day(conf->quiet_from);
    policy->quiet_to_min = minute_of_day(conf->quiet_to);
}

void conf_take_account(struct core *core, uint32_t a)
{
    const struct conf_account *conf = &core->conf->accounts[a];
    struct account *account = &core->accounts[a];
    account->poll_interval_ms = conf->poll_interval_ms;
    account->stale_after_ms = conf->stale_after_ms;
    account->blind_after_ms = conf->blind_after_ms;
    account->gone = conf->gone;
}

/* A pool gone keeps account and policy: its leases under way still end by them. One that another broker owns keeps its
 * lines as well, so that no pool of ours takes them. */
void conf_take_pool(struct core *core, uint32_t p)
{
    const struct conf_pool *conf = &core->conf->pools[p];
    struct pool *pool = &core->pools[p];
    pool->configured = !conf->gone && !conf->elsewhere;
    pool->all_lines = !conf->gone && conf->all_lines;
    if (conf->gone)
        return;
    pool->account = (uint32_t)conf->account;
    take_policy(&pool->policy, &core->conf->policies[conf->policy]);
}

/* ---- another configuration, while running ---- */

static bool is_left_behind(const struct core *core, const char *name)
{
    for (uint32_t p = CONF_POOLS_MAX; p < core->pool_count; p++) {
        const char *known = core_name(core, NAME_POOL, core->pools[p].name);
        if (core->pools[p].moved_to == p && known != NULL && strcmp(known, name) == 0)
            return true;
    }
    return false;
}

static enum err check(const struct core *core, const struct conf *conf)
{
    if (conf->pool_count > core->pool_room)
        return ERR_FULL;
    if (!names_fit(core, conf))
        return ERR_NO_MEMORY;
    for (size_t p = core->conf->pool_count; p < conf->pool_count; p++)
        if (is_left_behind(core, conf->pools[p].name))
            return ERR_BUSY;
    return ERR_NONE;
}

static void take_accounts(struct core *core, struct effects *out)
{
    for (uint32_t a = 0; a < core->conf->account_count; a++) {
        conf_take_account(core, a);
        if (a < core->account_count)
            continue;
        core->accounts[a].name = name_number(core, NAME_ACCOUNT, core->conf->accounts[a].name, out);
        core->accounts[a].pauses = pause_number_on(core, PAUSE_ACCOUNT, core->accounts[a].name);
    }
    core->account_count = (uint32_t)core->conf->account_count;
}

/* Conversations of a pool that is in the configuration again may go. */
static void wake_conversations(struct core *core, uint32_t pool, struct instant now)
{
    for (uint32_t at = 1; at <= core->conversations_used; at++)
        if (core->conversations[at].key != 0 && core->conversations[at].pool == pool)
            conversation_settle(core, at, now);
}

static void take_pools(struct core *core, uint32_t count_before, struct instant now, struct effects *out)
{
    for (uint32_t p = 0; p < core->conf->pool_count; p++) {
        bool was_there = core->pools[p].configured;
        conf_take_pool(core, p);
        if (p >= count_before) {
            core->pools[p].name = name_number(core, NAME_POOL, core->conf->pools[p].name, out);
            core->pools[p].pauses = pause_number_on(core, PAUSE_POOL, core->pools[p].name);
        } else if (!was_there && core->pools[p].configured) {
            wake_conversations(core, p, now);
        }
    }
}

/* Where each line belongs now: the rest of its account, unless a pool names it. */
static void plan_lines(struct core *core, struct instant now, struct effects *out)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        struct line *line = &core->lines[l];
        uint32_t account = core_account_named(core, line->known.account);
        line->next_account = account == UINT32_MAX ? line->account : account;
        line->next_pool = account == UINT32_MAX ? NO_POOL : line_rest_pool(core, account);
        line->daily_level = 0;
    }
    for (uint32_t p = 0; p < core->conf->pool_count; p++) {
        for (size_t i = 0; i < core->conf->pools[p].line_count; i++) {
            uint32_t at = line_get_configured(core, p, &core->conf->pools[p].lines[i], now, out);
            if (at == NO_LINE)
                continue;
            core->lines[at].next_account = core->pools[p].account;
            core->lines[at].next_pool = p;
            core->lines[at].daily_level = line_configured_level(&core->conf->pools[p].lines[i]);
        }
    }
}

static void move_lines(struct core *core)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        struct line *line = &core->lines[l];
        if (line->pool == line->next_pool && line->account == line->next_account)
            continue;
        turns_forget_line(core, l); /* out of the rings and the heap of the pool that it leaves */
        line->account = line->next_account;
        line->known.account = core->accounts[line->account].name;
        line_set_pool(core, line, line->next_pool);
        line->pass = 0; /* what it took in the other pool is no debt here */
    }
}

/* Gate and pace follow from the next tick on, in slices, and what may not begin there any more is called back. */
static void wake_lines(struct core *core, struct instant now)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        core->lines[l].revokes = true;
        turns_touch_line(core, l, now);
        mono_timer(core, MONO_LINE, l, now.mono_ms);
    }
}

enum err core_reconfigure(struct core *core, const struct conf *conf, struct instant now, struct effects *out)
{
    enum err err = check(core, conf);
    uint32_t count_before = (uint32_t)core->conf->pool_count;
    if (err != ERR_NONE)
        return err;
    core->conf = conf;
    take_accounts(core, out);
    take_pools(core, count_before, now, out);
    quiet_take_policies(core, out);
    conversations_reconsider(core, now);
    plan_lines(core, now, out);
    move_lines(core);
    wake_lines(core, now);
    leases_sweep(core, true, now, out); /* of pools that are gone, or stand by a pause of the account they have come to */
    for (uint32_t p = 0; p < conf->pool_count; p++)
        turns_touch_pool(core, p);
    return ERR_NONE;
}
