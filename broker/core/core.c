/* core.c — the core's memory and its clockwork: everything that is due, then turns. */
#include "broker/core/core.h"

#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/collapse.h"
#include "broker/core/conf_take.h"
#include "broker/core/conversation.h"
#include "broker/core/crews.h"
#include "broker/core/dedupe.h"
#include "broker/core/enqueue.h"
#include "broker/core/erase.h"
#include "broker/core/job.h"
#include "broker/core/jump.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/names.h"
#include "broker/core/operate.h"
#include "broker/core/pair.h"
#include "broker/core/pause.h"
#include "broker/core/purge.h"
#include "broker/core/replied.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"
#include "broker/core/turns.h"

#define TICK_TIMERS_MAX 4096
#define TEXT_CELLS      3u /* of a suppressed recipient: a number takes two, an e-mail address mostly three */

static void take_conf(struct core *core, const struct conf *conf)
{
    core->conf = conf;
    core->heartbeat_ms = conf->broker.heartbeat_ms;
    core->restart_wait_ms = conf->broker.restart_wait_ms;
    core->dedupe_window_ms = conf_ms_of_hours(conf->store.dedupe_window_h);
    core->jobs_max = (uint64_t)conf->broker.jobs_max;
    core->account_count = (uint32_t)conf->account_count;
    core->pool_count = CONF_POOLS_MAX;
    core->pool_room = (uint32_t)conf->pool_count + POOLS_SPARE;
    if (core->pool_room > CONF_POOLS_MAX)
        core->pool_room = CONF_POOLS_MAX;
    for (uint32_t a = 0; a < core->account_count; a++)
        conf_take_account(core, a);
    for (uint32_t p = 0; p < conf->pool_count; p++)
        conf_take_pool(core, p);
}

/* Takes `count` things of `size` bytes; notes a failure, so that the caller looks only once. */
struct taker {
    const struct core_memory *memory;
    bool failed;
};

static void *take(struct taker *taker, uint64_t count, size_t size)
{
    void *got = taker->failed ? NULL : taker->memory->take(taker->memory->self, (size_t)count * size);
    taker->failed = taker->failed || got == NULL;
    return got;
}

static void take_timers(struct taker *taker, struct timers *timers, uint64_t owners)
{
    timers->heap = take(taker, owners, sizeof *timers->heap);
    timers->at = take(taker, owners, sizeof *timers->at);
}

static void number_mono_timers(struct core *core)
{
    const struct core_limits *limits = &core->limits;
    const uint32_t owners[MONO_KINDS] = {
        [MONO_LINE] = limits->lines_max,          [MONO_LEASE] = limits->leases_max + 1,
        [MONO_WORKER] = limits->workers_max + 1,  [MONO_ACCOUNT] = CONF_ACCOUNTS_MAX,
        [MONO_POLL_SOON] = CONF_ACCOUNTS_MAX, [MONO_FORGET] = 1,
        [MONO_AHEAD] = 1, [MONO_PURGE] = 1, [MONO_RECONSIDER] = 1, [MONO_ERASE] = 1,
        [MONO_JUMP] = 1, [MONO_PAUSE] = limits->pauses_max};
    for (int kind = 0; kind < MONO_KINDS; kind++)
        core->mono_first[kind + 1] = core->mono_first[kind] + owners[kind];
}

static void take_tables(struct core *core, struct taker *taker)
{
    const struct core_limits *limits = &core->limits;
    core->jobs = take(taker, limits->jobs_max + 1ull, sizeof *core->jobs);
    core->revived_next = take(taker, limits->jobs_max + 1ull, sizeof *core->revived_next);
    core->areas = take(taker, limits->jobs_max + 1ull, sizeof *core->areas);
    core->collapse = take(taker, limits->jobs_max + 1ull, sizeof *core->collapse);
    core->job_orders = take(taker, limits->jobs_max + 1ull, sizeof *core->job_orders);
    core->conversations = take(taker, limits->conversations_max + 1ull, sizeof *core->conversations);
    core->last_outs = take(taker, limits->conversations_max + 1ull, sizeof *core->last_outs);
    core->lines = take(taker, limits->lines_max, sizeof *core->lines);
    core->orders = take(taker, limits->lines_max, sizeof *core->orders);
    core->pools = take(taker, limits->names_max + CONF_POOLS_MAX, sizeof *core->pools);
    core->accounts = take(taker, CONF_ACCOUNTS_MAX, sizeof *core->accounts);
    core->leases = take(taker, limits->leases_max + 1ull, sizeof *core->leases);
    core->workers = take(taker, limits->workers_max + 1ull, sizeof *core->workers);
    core->pauses = take(taker, limits->pauses_max, sizeof *core->pauses);
    core->campaigns = take(taker, limits->names_max, sizeof *core->campaigns);
    core->erasures = take(taker, ERASURES_MAX, sizeof *core->erasures);
    core->replies = take(taker, limits->names_max, sizeof *core->replies);
    core->outcomes = take(taker, limits->names_max, sizeof *core->outcomes);
    core->pause_changes = take(taker, limits->pauses_max, sizeof *core->pause_changes);
    core->names = take(taker, limits->names_max, sizeof *core->names);
    core->suppressed = take(taker, limits->conversations_max + 1ull, sizeof *core->suppressed);
    core->texts.cells = take(taker, TEXT_CELLS * (limits->conversations_max + 1ull), sizeof *core->texts.cells);
    core->texts.cells_max = TEXT_CELLS * limits->conversations_max;
    core->starts = take(taker, STARTS_MAX, sizeof *core->starts);
    core->dedupe.ring = take(taker, limits->remembered_max + 1, sizeof *core->dedupe.ring);
    core->dedupe.room = limits->remembered_max;
    core->pairs = take(taker, PAIRS_MAX + 1ull, sizeof *core->pairs);
    take_timers(taker, &core->wall, limits->jobs_max + 1ull + limits->pauses_max + limits->conversations_max + 1ull);
    take_timers(taker, &core->mono, core->mono_first[MONO_KINDS]);
}

static uint32_t heads_for(uint64_t entries)
{
    uint64_t heads = 128 + entries;
    return heads > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)heads;
}

static void take_indexes(struct core *core, struct taker *taker)
{
    uint32_t conversations = heads_for(core->limits.conversations_max);
    uint32_t remembered = heads_for(core->limits.remembered_max);
    uint32_t lines = heads_for(core->limits.lines_max);
    uint32_t *by_key = take(taker, conversations, sizeof *by_key);
    uint32_t *by_chat = take(taker, conversations, sizeof *by_chat);
    uint32_t *by_suppressed = take(taker, conversations, sizeof *by_suppressed);
    uint32_t *by_id = take(taker, remembered, sizeof *by_id);
    uint32_t *by_number = take(taker, lines, sizeof *by_number);
    uint32_t jobs = heads_for(core->limits.jobs_max);
    uint32_t *by_revived = take(taker, jobs, sizeof *by_revived);
    uint32_t names = heads_for(core->limits.names_max);
    uint32_t *by_name = take(taker, names, sizeof *by_name);
    uint32_t *by_pair = take(taker, heads_for(PAIRS_MAX), sizeof *by_pair);
    uint32_t *by_collapse = take(taker, jobs, sizeof *by_collapse);
    uint32_t *by_campaign = take(taker, names, sizeof *by_campaign);
    uint32_t *by_tried = take(taker, jobs, sizeof *by_tried);
    uint32_t pauses = heads_for(core->limits.pauses_max);
    uint32_t *by_pause = take(taker, pauses, sizeof *by_pause);
    if (taker->failed)
        return;
    index_conversations(core, by_key, by_chat, conversations);
    index_suppressed(core, by_suppressed, conversations);
    index_dedupe(core, by_id, remembered);
    index_lines(core, by_number, lines);
    index_names(core, by_name, names);
    index_pairs(core, by_pair, heads_for(PAIRS_MAX));
    index_revived(core, by_revived, jobs);
    index_collapse(core, by_collapse, jobs);
    index_campaigns(core, by_campaign, names);
    index_tried(core, by_tried, jobs);
    index_pauses(core, by_pause, pauses);
}

enum err core_new(struct core **out, const struct core_limits *limits, const struct core_memory *memory,
                  const struct conf *conf, uint64_t seed)
{
    if (limits->jobs_max > JOB_SLOT_MAX || limits->leases_max > LEASE_SLOT_MAX || limits->lines_max > NO_LINE ||
        limits->names_max > 1u << 15)
        return ERR_BAD_INPUT;
    struct taker taker = {.memory = memory};
    struct core *core = take(&taker, 1, sizeof *core);
    if (core == NULL)
        return ERR_NO_MEMORY;
    core->limits = *limits;
    core->random = seed;
    core->next_job = core->next_lease = core->next_seq = core->next_pause = core->next_audit = core->next_erasure = 1;
    core->pauses_end = 1;
    core->name_count = 1;
    core->crew_count = core->lane_count = 1;
    core->crews[CREW_ALL].used = true;
    core->lanes[0].crews = UINT64_C(1) << CREW_ALL;
    number_mono_timers(core);
    take_tables(core, &taker);
    take_indexes(core, &taker);
    if (taker.failed)
        return ERR_NO_MEMORY;
    take_conf(core, conf);
    for (uint32_t p = 0; p < core->pool_room; p++) {
        core->pools[p].placement = take(&taker, limits->lines_max, sizeof *core->pools[p].placement);
        if (core->pools[p].placement == NULL)
            return ERR_NO_MEMORY;
    }
    *out = core;
    return ERR_NONE;
}

/* ---- what is due ---- */

static void wake_wall(struct core *core, uint32_t owner, struct instant now, struct effects *out)
{
    uint32_t first_pause = core->limits.jobs_max + 1;
    uint32_t first_conversation = first_pause + core->limits.pauses_max;
    if (owner < first_pause)
        enqueue_wake(core, owner, now, out);
    else if (owner < first_conversation)
        pause_wake(core, owner - first_pause, now, out);
    else
        conversation_settle(core, owner - first_conversation, now);
}

static void wake_line(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    operate_wake(core, at, now, out);
    if (ramp_step(core, line, now))
        line_record(core, at, now, out);
    int64_t probe_ms = line->known.flagged_at_ms + line_policy(core, line)->flag_probe_ms;
    if (line->known.service == SERVICE_FLAGGED && line->known.service_source == SOURCE_ERROR && probe_ms <= now.wall_ms)
        line->probe_due = true;
    gate_update(core, at, now, out);
}

static void wake_mono(struct core *core, uint32_t owner, struct instant now, struct effects *out)
{
    int kind = 0;
    while (owner >= core->mono_first[kind + 1])
        kind++;
    uint32_t slot = owner - core->mono_first[kind];
    switch ((enum mono_timer)kind) {
    case MONO_LINE:
        wake_line(core, slot, now, out);
        break;
    case MONO_LEASE:
        lease_wake(core, slot, now, out);
        break;
    case MONO_WORKER:
        worker_wake(core, slot, now, out);
        break;
    case MONO_ACCOUNT:
        account_wake(core, slot, now, out);
        break;
    case MONO_POLL_SOON:
        effect_add(out, EFFECT_POLL)->account = slot;
        break;
    case MONO_FORGET:
        dedupe_forget(core, now);
        start_refresh(core, now, out);
        if (!campaigns_refresh(core, now, out) || !replied_refresh(core, now, out))
            mono_timer(core, MONO_FORGET, 0, now.mono_ms + 1);
        break;
    case MONO_AHEAD:
        chats_catch_up(core, now, out);
        break;
    case MONO_PURGE:
        purge_slice(core, now, out);
        break;
    case MONO_RECONSIDER:
        conversations_reconsider_slice(core, now);
        break;
    case MONO_ERASE:
        erase_wake(core, now, out);
        break;
    case MONO_JUMP:
        jump_slice(core, now);
        break;
    case MONO_PAUSE:
        pause_wake(core, slot, now, out);
        break;
    case MONO_KINDS:
        assert(false);
    }
}

void core_tick(struct core *core, struct instant now, struct effects *out)
{
    struct timer timer;
    jump_notice(core, now);
    for (int i = 0; i < TICK_TIMERS_MAX && effects_have_room(out) && timers_take(&core->wall, now.wall_ms, &timer); i++)
        wake_wall(core, timer.owner, now, out);
    for (int i = 0; i < TICK_TIMERS_MAX && effects_have_room(out) && timers_take(&core->mono, now.mono_ms, &timer); i++)
        wake_mono(core, timer.owner, now, out);
    leases_sweep(core, false, now, out);
    campaigns_return(core, now);
    turns_run(core, now, out);
}

int64_t core_next_mono_ms(const struct core *core, struct instant now)
{
    if (turns_wait(core) || core->sweep != 0 || core->returning != NOBODY)
        return now.mono_ms;
    int64_t next = timers_next(&core->mono);
    int64_t wall = timers_next(&core->wall);
    if (wall != TIME_NEVER && wall - now.wall_ms + now.mono_ms < next)
        next = wall - now.wall_ms + now.mono_ms;
    return next;
}
