/* restore_finish.c — after the last record: names and pools find each other, jobs are linked in their order, leases
 * and pauses count again; then this start's own record. And the store's other questions while running. */
#include <string.h>

#include "broker/core/backup.h"
#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/collapse.h"
#include "broker/core/conversation.h"
#include "broker/core/dedupe.h"
#include "broker/core/enqueue.h"
#include "broker/core/erase.h"
#include "broker/core/job.h"
#include "broker/core/jump.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/names.h"
#include "broker/core/operate.h"
#include "broker/core/outcomes.h"
#include "broker/core/past.h"
#include "broker/core/pause.h"
#include "broker/core/purge.h"
#include "broker/core/quiet.h"
#include "broker/core/replied.h"
#include "broker/core/restore.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"
#include "broker/core/turns.h"

/* 2^44 numbers last for 130,000 starts. */
#define LEASES_SKIPPED_MAX (UINT32_C(1) << 28)

/* Pools replayed by number move to the place of the configured pool of that name. */
static void match_pools(struct core *core, struct effects *out)
{
    const uint32_t first = CONF_POOLS_MAX, configured = (uint32_t)core->conf->pool_count;
    for (uint32_t p = 0; p < configured; p++)
        core->pools[p].name = name_number(core, NAME_POOL, core->conf->pools[p].name, out);
    for (uint32_t a = 0; a < core->account_count; a++)
        core->accounts[a].name = name_number(core, NAME_ACCOUNT, core->conf->accounts[a].name, out);
    for (uint32_t replayed = first; replayed < core->pool_count; replayed++) {
        core->pools[replayed].moved_to = replayed;
        for (uint32_t p = 0; p < configured; p++)
            if (core->pools[p].name == core->pools[replayed].name)
                core->pools[replayed].moved_to = p;
    }
    for (uint32_t at = 1; at <= core->conversations_used; at++) {
        struct conversation *conversation = &core->conversations[at];
        conversation->tail = NOBODY; /* restore.c had a use for them */
        conversation->scheduled = 0;
        if (conversation->key != 0 && conversation->pool >= first)
            conversation->pool = core->pools[conversation->pool].moved_to & UINT16_MAX;
    }
}

/* The account that a line's record names. A line without one (never heard of) is the only account's, if there is one. */
static uint32_t account_of(const struct core *core, const struct line *line)
{
    if (line->known.account == 0)
        return core->account_count == 1 ? 0 : UINT32_MAX;
    return core_account_named(core, line->known.account);
}

static void match_lines(struct core *core)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        struct line *line = &core->lines[l];
        uint32_t account = account_of(core, line);
        line->account = account == UINT32_MAX ? 0 : account;
        line_set_pool(core, line, account == UINT32_MAX ? NO_POOL : line_rest_pool(core, account));
        if (account != UINT32_MAX)
            line->known.account = core->accounts[account].name;
        line->known.missed_polls = 0; /* gone is what two polls in a row do not list */
    }
}

static void add_configured_lines(struct core *core, struct instant now, struct effects *out)
{
    for (uint32_t p = 0; p < core->conf->pool_count; p++)
        for (size_t i = 0; i < core->conf->pools[p].line_count; i++)
            line_add_configured(core, p, &core->conf->pools[p].lines[i], now, out);
}

static void wake_lines(struct core *core, struct instant now)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        struct line *line = &core->lines[l];
        int64_t heard = line->known.heard_at_ms != 0 ? line->known.heard_at_ms : line->known.first_seen_ms;
        int64_t ago_ms = now.wall_ms - heard;
        line->heard_mono_ms = now.mono_ms - (ago_ms < 0 ? 0 : ago_ms); /* a clock may have gone back */
        line->recorded_heard_ms = line->known.heard_at_ms;
        bool is_new = line->known.heard_at_ms > core->accounts[line->account].heard_at_ms;
        if (is_new && line_is_of(core, line, line->account))
            core->accounts[line->account].heard_at_ms = line->known.heard_at_ms;
        struct gate_state gate = gate_of(core, line, now);
        line_set_gate(core, line, &gate);
        move_touch(core, l);
        pace_restore(core, line, now);
    }
}

/* A conversation without a record of its own lives where one of its jobs was tried: until a try is surely over without
 * having begun, nothing moves it. Else it waits for the line that one of them names. */
static bool has_line(const struct job *job)
{
    return job->number != 0 && !job_state_is_final(job->state) && job->next != 0;
}

static void find_tried(struct core *core)
{
    for (uint32_t slot = 1; slot <= core->jobs_used; slot++) {
        const struct job *job = &core->jobs[slot];
        struct conversation *conversation = &core->conversations[job->conversation];
        bool tried = has_line(job) && job->rank != 0 && (job->attempts > 0 || job->state == JOB_LEASED);
        bool lives = (conversation->flags & CONVERSATION_RECORDED) != 0;
        if (tried && !lives)
            conversation->line = (job->next - 1) & NO_LINE;
        if (tried && (!lives || conversation->line == job->next - 1)) /* else it was moved since */
            conversation->flags |= CONVERSATION_BOUND;
    }
}

/* Where it lived elsewhere, the job that names a line was accepted because it had left, which nothing else says. */
static void find_pinned(struct core *core)
{
    for (uint32_t slot = 1; slot <= core->jobs_used; slot++) {
        const struct job *job = &core->jobs[slot];
        struct conversation *conversation = &core->conversations[job->conversation];
        if (!has_line(job) || (job->flags & JOB_PINNED) == 0)
            continue;
        if (conversation->line != job->next - 1) {
            conversation->line = (job->next - 1) & NO_LINE;
            conversation->flags &= (uint8_t)~CONVERSATION_BOUND;
        }
        conversation->flags |= CONVERSATION_PINNED;
    }
}

/* What it waited for has ended: see conversation_loosen(). */
static void find_unpinned(struct core *core)
{
    for (uint32_t at = 1; at <= core->conversations_used; at++) {
        const struct conversation *conversation = &core->conversations[at];
        unsigned home = CONVERSATION_BOUND | CONVERSATION_PINNED;
        bool left = (conversation->flags & (home | CONVERSATION_RECORDED)) == CONVERSATION_RECORDED;
        if (conversation->key != 0 && left && !conversation_is_unbegun(conversation))
            move_lose_chat(core, at);
    }
}

static void find_homes(struct core *core)
{
    find_tried(core);
    find_pinned(core);
    find_unpinned(core);
    /* A try that is under way or of unknown outcome says more than others, which surely made nothing. */
    for (uint32_t slot = 1; slot <= core->jobs_used; slot++) {
        const struct job *job = &core->jobs[slot];
        struct conversation *conversation = &core->conversations[job->conversation];
        bool counts = job->state == JOB_LEASED || (job->flags & JOB_UNSETTLED) != 0;
        if (counts && has_line(job) && (conversation->flags & CONVERSATION_RECORDED) == 0) {
            conversation->line = job->next - 1;
            conversation->flags |= CONVERSATION_BOUND;
        }
    }
}

static void link_job(struct core *core, uint32_t slot)
{
    struct job *job = job_at(core, slot);
    uint32_t lease = job->parent;
    uint64_t order = restore_order(job);
    job->left = job->right = job->parent = NOBODY;
    if (order != job_sequence(job))
        job_set_order(core, job, order);
    conversation_insert(core, &core->conversations[job->conversation], slot, false);
    if (job->state == JOB_LEASED)
        job->left = lease;
}

/* Only one job of a conversation waits with all others behind it, and none while another is out: a wait on the disk
 * that another job went past was over by then, whatever the clock says now. */
static void link_waiting(struct core *core)
{
    for (uint32_t slot = core->jobs_used; slot > 0; slot--) {
        struct job *job = job_at(core, slot);
        if (job->number == 0 || job->state != JOB_QUEUED || (job->flags & JOB_UNSETTLED) != 0 || !conversation_fixes(job))
            continue;
        if (!conversation_first_is_fixed(core, &core->conversations[job->conversation])) {
            link_job(core, slot);
            continue;
        }
        job_set_due(job, 0);
        wall_timer(core, WALL_JOB, slot, (int64_t)restore_order(job));
    }
}

/* Those that go first whatever their class are linked first; the rest in their order, for which the memory of the
 * timers serves, which are all still to be set. */
static void link_jobs(struct core *core, struct instant now)
{
    for (uint32_t slot = core->jobs_used; slot > 0; slot--) {
        struct job *job = job_at(core, slot);
        if (job->number == 0 || job_state_is_final(job->state)) {
            job_free(core, slot);
            continue;
        }
        core->jobs_live++;
        if (job->state == JOB_LEASED && !lease_is_restored(core, job->parent, job->number)) { /* no room for it */
            job->state = JOB_QUEUED;
            job->flags |= JOB_UNSETTLED;
        }
        if (job->state == JOB_QUEUED && job_due_ms(job) <= now.wall_ms)
            job_set_due(job, 0); /* its wait is over: it may have been overtaken since */
        if (job->state == JOB_LEASED || (job->flags & JOB_UNSETTLED) != 0)
            link_job(core, slot);
        else if (job->state != JOB_SCHEDULED && !conversation_fixes(job))
            wall_timer(core, WALL_JOB, slot, (int64_t)restore_order(job));
    }
    link_waiting(core);
    struct timer next;
    assert(core->wall.count <= core->jobs_live); /* only they are in it yet */
    while (timers_take(&core->wall, TIME_NEVER, &next))
        link_job(core, next.owner);
}

/* As far as one sees, where an older broker's record of the lease does not tell. */
static bool is_first_try(const struct core *core, uint32_t slot)
{
    const struct conversation *conversation = &core->conversations[core->jobs[slot].conversation];
    bool recorded = (conversation->flags & CONVERSATION_RECORDED) != 0 && !conversation_is_unbegun(conversation);
    if (recorded || (conversation->flags & CONVERSATION_CHAT) != 0 || core->jobs[slot].attempts != 1)
        return false;
    for (uint32_t other = core->jobs[slot].next; other != slot; other = core->jobs[other].next)
        if (core->jobs[other].attempts > 0)
            return false;
    return true;
}

/* A lease that placed its conversation takes that back if it never began, before a restart and after it. What may have been
 * sent by then stays where it is. */
static void find_placements(struct core *core)
{
    for (uint32_t slot = 1; slot <= core->leases_used; slot++) {
        struct lease *lease = &core->leases[slot];
        uint32_t job = lease->id == 0 || lease->over ? NOBODY : job_find(core, lease->number);
        if (job == NOBODY)
            continue;
        bool unsettled = (core->jobs[job].flags & JOB_UNSETTLED) != 0;
        lease->placed = !unsettled && (lease->placed_told ? lease->placed : is_first_try(core, job));
    }
}

static void start_jobs(struct core *core, struct instant now)
{
    for (uint32_t slot = 1; slot <= core->jobs_used; slot++) {
        struct job *job = job_at(core, slot);
        if (job->number == 0)
            continue;
        if (job->campaign != 0)
            campaign_accept(core, job);
        collapse_restored(core, slot);
        backlog_add(core, slot);
        if (job->state == JOB_SCHEDULED) {
            job->next = NOBODY; /* in no list */
            core->conversations[job->conversation].scheduled++;
        }
        job_timer(core, slot);
    }
    for (uint32_t at = 1; at <= core->conversations_used; at++)
        if (core->conversations[at].key != 0)
            conversation_settle(core, at, now);
}

static void count_pauses(struct core *core)
{
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        if (core->pauses[p].used)
            pause_count(core, p);
    }
}

/* Not before the jobs are linked, which empties the timers. */
static void time_pauses(struct core *core)
{
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        if (core->pauses[p].used && core->pauses[p].change.until_ms != 0)
            wall_timer(core, WALL_PAUSE, p, core->pauses[p].change.until_ms);
    }
}

/* A disk that lied may have lost leases that are still out, and with them their numbers. Each start gives its own from
 * somewhere further on, so that a late result of such a lease is not taken for another job's. */
static void skip_lost_leases(struct core *core, const uint8_t random[KEY_RANDOM_BYTES])
{
    uint32_t far;
    memcpy(&far, random, sizeof far);
    core->next_lease += far % LEASES_SKIPPED_MAX;
}

static void begin(struct core *core, const uint8_t random[KEY_RANDOM_BYTES], struct instant now, struct effects *out)
{
    uint64_t last = core->start_count == 0 ? 0 : core->starts[core->start_count - 1].start;
    if (core->start_count == STARTS_MAX) {
        memmove(core->starts, core->starts + 1, (STARTS_MAX - 1) * sizeof *core->starts);
        core->start_count--;
    }
    struct start *mine = &core->starts[core->start_count++];
    *mine = (struct start){.start = last + 1, .first_job = core->next_job};
    memcpy(mine->random, random, sizeof mine->random);
    skip_lost_leases(core, random);
    start_record(core, mine, now, out);
}

void core_restored(struct core *core, const uint8_t random[KEY_RANDOM_BYTES], struct instant now,
                   struct effects *out)
{
    match_pools(core, out);
    match_lines(core);
    quiet_take_policies(core, out);
    add_configured_lines(core, now, out);
    count_pauses(core);
    wake_lines(core, now);
    find_homes(core);
    backup_doubt(core, now);
    recipients_restore(core, now);
    leases_restored(core, now);
    link_jobs(core, now);
    time_pauses(core);
    chats_restored(core, now);
    pasts_restored(core, now);
    find_placements(core);
    start_jobs(core, now);
    purge_restored(core, now);
    backup_skip_numbers(core);
    begin(core, random, now, out);
    core->restored = true;
    for (uint32_t l = 0; l < core->line_count; l++)
        turns_touch_line(core, l, now);
    jump_restored(core, now);
    erase_restored(core, now);
    mono_timer(core, MONO_FORGET, 0, now.mono_ms);
}

/* ---- while running ---- */

bool core_is_live(const struct core *core, enum change_kind kind, uint64_t key, uint64_t place)
{
    if (kind == CHANGE_JOB) {
        uint32_t slot = job_find(core, key);
        return slot != NOBODY && core->jobs[slot].place == place;
    }
    if (kind != CHANGE_CONVERSATION)
        return false;
    uint32_t at = conversation_find(core, key);
    return at != NOBODY && conversation_place(&core->conversations[at]) == place;
}

bool core_wants(const struct core *core, const struct change *change)
{
    if (change->kind != CHANGE_JOB)
        return false;
    const struct remembered *known = dedupe_find(core, change->job.id_hash);
    return known != NULL && known->number == change->job.number;
}

void core_moved(struct core *core, enum change_kind kind, uint64_t key, uint64_t from, uint64_t to)
{
    if (kind == CHANGE_JOB) {
        uint32_t slot = job_find(core, key);
        if (slot != NOBODY && core->jobs[slot].place == from)
            core->jobs[slot].place = to;
    } else if (kind == CHANGE_CONVERSATION) {
        uint32_t at = conversation_find(core, key);
        /* The newest of several that were under way at once is told last. */
        if (at != NOBODY && (from == NOWHERE || conversation_place(&core->conversations[at]) == from))
            core->conversations[at].place = to & NOWHERE_48;
    }
}

static void renew_start(struct core *core, uint64_t start, struct instant now, struct effects *out)
{
    for (uint32_t i = 0; i < core->start_count; i++)
        if (core->starts[i].start == start)
            start_record(core, &core->starts[i], now, out);
}

static void renew_pause(struct core *core, uint64_t id, struct instant now, struct effects *out)
{
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        if (core->pauses[p].used && core->pauses[p].change.id == id)
            pause_record(core, &core->pauses[p].change, false, now, out);
    }
}

void core_renew(struct core *core, enum change_kind kind, uint64_t key, struct instant now, struct effects *out)
{
    if (kind == CHANGE_TRY) {
        uint32_t slot = job_find(core, key);
        if (slot == NOBODY)
            return;
        const struct conversation *conversation = &core->conversations[core->jobs[slot].conversation];
        job_renew_try(core, slot, now, out);
        /* The record that goes also told what its line had spent by then. */
        if ((conversation->flags & CONVERSATION_BOUND) != 0 && core->lines[conversation->line].spent)
            line_record(core, conversation->line, now, out);
    } else if (kind == CHANGE_LINE) {
        uint32_t line = line_find(core, key);
        if (line != NO_LINE)
            line_record(core, line, now, out);
    } else if (kind == CHANGE_NAME) {
        name_record(core, (uint16_t)key, now, out);
    } else if (kind == CHANGE_START) {
        renew_start(core, key, now, out);
    } else if (kind == CHANGE_ORDERS) {
        uint32_t line = line_find(core, key);
        if (line != NO_LINE && core->orders[line].used)
            orders_record(core, line, now, out);
    } else if (kind == CHANGE_PAUSE) {
        renew_pause(core, key, now, out);
    } else if (kind == CHANGE_CAMPAIGN) {
        uint32_t campaign = campaign_find(core, (uint16_t)(key >> 16), (uint16_t)key);
        if (campaign != NOBODY)
            campaign_record(core, campaign, now, out);
    } else if (kind == CHANGE_REPLIES) {
        replied_record(core, (uint16_t)(key >> 16), (uint16_t)key, (unsigned)(key >> 32), now, out);
    } else if (kind == CHANGE_OUTCOMES) {
        outcomes_renew(core, (uint16_t)key, now, out);
    } else if (kind == CHANGE_ERASURE) {
        erase_renew(core, key, now, out);
    } else if (kind == CHANGE_SUPPRESSION) {
        suppression_renew(core, key, now, out);
    }
}
