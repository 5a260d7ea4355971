/* leases.c — see leases.h. */
#include "broker/core/leases.h"

#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/pause.h"
#include "broker/core/turns.h"

#define SWEEP_MAX 4096 /* leases looked at in one go */

static uint32_t slot_of(const struct core *core, const struct lease *lease)
{
    return (uint32_t)(lease - core->leases);
}

static void link_line(struct core *core, struct lease *lease)
{
    struct line *line = &core->lines[lease->line];
    uint32_t slot = slot_of(core, lease);
    lease->line_prev = NOBODY;
    lease->line_next = line->leases;
    if (line->leases != NOBODY)
        core->leases[line->leases].line_prev = slot;
    line->leases = slot;
}

static void unlink_line(struct core *core, struct lease *lease)
{
    if (lease->line_prev != NOBODY)
        core->leases[lease->line_prev].line_next = lease->line_next;
    else
        core->lines[lease->line].leases = lease->line_next;
    if (lease->line_next != NOBODY)
        core->leases[lease->line_next].line_prev = lease->line_prev;
}

static void link_worker(struct core *core, struct lease *lease, uint32_t worker)
{
    lease->peer_slot = worker;
    if (worker == NOBODY)
        return;
    struct worker *holder = &core->workers[worker];
    uint32_t slot = slot_of(core, lease);
    lease->worker_prev = NOBODY;
    lease->worker_next = holder->leases;
    if (holder->leases != NOBODY)
        core->leases[holder->leases].worker_prev = slot;
    holder->leases = slot;
    holder->in_flight++;
    worker_ring_touch(core, worker);
}

static void unlink_worker(struct core *core, struct lease *lease)
{
    if (lease->peer_slot == NOBODY)
        return;
    struct worker *holder = &core->workers[lease->peer_slot];
    if (lease->worker_prev != NOBODY)
        core->leases[lease->worker_prev].worker_next = lease->worker_next;
    else
        holder->leases = lease->worker_next;
    if (lease->worker_next != NOBODY)
        core->leases[lease->worker_next].worker_prev = lease->worker_prev;
    holder->in_flight--;
    worker_ring_touch(core, lease->peer_slot);
    lease->peer_slot = NOBODY;
}

static void free_slot(struct core *core, struct lease *lease)
{
    lease->id = 0;
    lease->over = false;
    lease->free_next = core->leases_free;
    core->leases_free = slot_of(core, lease);
}

/* The oldest lapsed one: after so many others nobody will come back to it. */
static void forget_oldest_over(struct core *core)
{
    uint32_t slot = core->over_first;
    struct lease *lease = &core->leases[slot];
    core->over_first = lease->free_next;
    if (core->over_first == NOBODY)
        core->over_last = NOBODY;
    free_slot(core, lease);
}

static uint32_t take_slot(struct core *core)
{
    if (core->leases_free == NOBODY && core->leases_used == core->limits.leases_max && core->over_first != NOBODY)
        forget_oldest_over(core);
    uint32_t slot = core->leases_free;
    if (slot != NOBODY) {
        core->leases_free = core->leases[slot].free_next;
        return slot;
    }
    return core->leases_used < core->limits.leases_max ? ++core->leases_used : NOBODY;
}

struct lease *lease_grant(struct core *core, uint32_t job, uint32_t line, uint32_t worker, struct instant now)
{
    uint32_t slot = take_slot(core);
    if (slot == NOBODY)
        return NULL;
    struct lease *lease = &core->leases[slot];
    memset(lease, 0, sizeof *lease);
    lease->id = core->next_lease++ << LEASE_SLOT_BITS | slot;
    lease->number = core->jobs[job].number;
    lease->instance = core->workers[worker].instance;
    lease->line = line;
    lease->account = line_account(core, &core->lines[line]);
    lease->pool = core->conversations[core->jobs[job].conversation].pool;
    lease->until_ms = now.mono_ms + line_policy(core, &core->lines[line])->lease_ms;
    lease->bucket = now.wall_ms / BUDGET_BUCKET_MS;
    link_line(core, lease);
    link_worker(core, lease, worker);
    core->jobs[job].left = slot;
    core->leases_live++;
    lease_timer(core, lease);
    return lease;
}

uint16_t lease_account_name(const struct core *core, const struct lease *lease)
{
    return lease->account != NO_ACCOUNT ? core->accounts[lease->account].name : core->lines[lease->line].known.account;
}

struct lease *lease_find(const struct core *core, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & LEASE_SLOT_MAX);
    if (id == 0 || slot == NOBODY || slot > core->leases_used)
        return NULL;
    return core->leases[slot].id == id ? &core->leases[slot] : NULL;
}

/* Behind the others that are over. */
static void remember(struct core *core, struct lease *lease)
{
    uint32_t slot = slot_of(core, lease);
    lease->over = true;
    lease->free_next = NOBODY;
    if (core->over_last != NOBODY)
        core->leases[core->over_last].free_next = slot;
    else
        core->over_first = slot;
    core->over_last = slot;
}

void lease_close(struct core *core, struct lease *lease, bool remembered)
{
    assert(!lease->over);
    unlink_line(core, lease);
    unlink_worker(core, lease);
    core->leases_live--;
    mono_timer(core, MONO_LEASE, slot_of(core, lease), TIME_NEVER);
    if (remembered)
        remember(core, lease);
    else
        free_slot(core, lease);
}

void lease_restore(struct core *core, const struct change_try *try, int64_t out_ms, uint32_t line)
{
    uint32_t slot = (uint32_t)(try->lease & LEASE_SLOT_MAX);
    if (slot == NOBODY || slot > core->limits.leases_max)
        return; /* the job then waits unleased, but unsettled: see restore_finish.c */
    struct lease *lease = &core->leases[slot];
    if (lease->id > try->lease)
        return; /* the cleaner moved this one behind it: a newer one has had the slot since */
    memset(lease, 0, sizeof *lease);
    lease->id = try->lease;
    lease->number = try->number;
    lease->instance = try->instance;
    lease->line = line;
    lease->sent = true; /* it may have been */
    lease->restored = true;
    lease->placed_told = try->placed_told != 0;
    lease->placed = try->placed_told == 2;
    lease->bucket = try->bucket;
    lease->told = (struct told){.sent = try->told_sent, .line = NO_LINE};
    if (try->before_ms != 0) {
        lease->out = moment_of(out_ms);
        lease->last_out = try->before_ms < 0 ? 0 : moment_of(try->before_ms);
    }
    if (slot > core->leases_used)
        core->leases_used = slot;
}

bool lease_is_restored(const struct core *core, uint32_t slot, uint64_t number)
{
    return slot != NOBODY && slot <= core->leases_used && core->leases[slot].id != 0 &&
           core->leases[slot].number == number && !core->leases[slot].over;
}

void lease_forget_restored(struct core *core, uint32_t slot, uint64_t number)
{
    if (lease_is_restored(core, slot, number))
        core->leases[slot].id = 0;
}

void lease_lapse_restored(struct core *core, uint32_t slot, uint64_t number)
{
    if (lease_is_restored(core, slot, number))
        core->leases[slot].over = true;
}

void leases_restored(struct core *core, struct instant now)
{
    for (uint32_t slot = core->leases_used; slot > 0; slot--) {
        struct lease *lease = &core->leases[slot];
        uint32_t job = lease->id == 0 ? NOBODY : job_find(core, lease->number);
        bool is_late = lease->over && job != NOBODY;
        if (lease->id == 0 || (lease->over && !is_late)) {
            free_slot(core, lease);
            continue;
        }
        const struct line *line = &core->lines[lease->line];
        lease->account = line_account(core, line);
        lease->pool = core->conversations[core->jobs[job].conversation].pool;
        if (is_late) {
            remember(core, lease);
            continue;
        }
        lease->until_ms = now.mono_ms + core->restart_wait_ms + line_policy(core, line)->lease_ms;
        link_line(core, lease);
        core->leases_live++;
        lease_timer(core, lease);
    }
}

void lease_timer(struct core *core, struct lease *lease)
{
    mono_timer(core, MONO_LEASE, slot_of(core, lease), lease->until_ms);
}

void lease_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct lease *lease = &core->leases[slot];
    assert(lease->id != 0 && !lease->over);
    if (lease->sent)
        outcome_lapsed(core, lease, now, out);
    else
        outcome_returned(core, lease, now, out); /* its JOB never left */
}

void lease_revoke(struct core *core, struct lease *lease, struct instant now, struct effects *out)
{
    if (!lease->sent) {
        outcome_returned(core, lease, now, out);
        return;
    }
    if (lease->revoked || lease->peer_slot == NOBODY)
        return;
    lease->revoked = true;
    struct effect *effect = effect_add(out, EFFECT_REVOKE);
    effect->peer = core->workers[lease->peer_slot].peer;
    effect->lease = lease->id;
}

bool leases_must_stop(const struct core *core, uint32_t at)
{
    const struct line *line = &core->lines[at];
    bool paused = core->pauses_all > 0 || core->accounts[line->account].pauses > 0 ||
                  (line_has_pool(line) && core->pools[line->pool].pauses > 0);
    return paused || (line->gate == GATE_CLOSED && !line->probing);
}

/* What stops it besides its line and that one's pool. */
static bool job_must_stop(const struct core *core, const struct lease *lease)
{
    bool stranger = core->pools_paused > 0 && lease->pool != core->lines[lease->line].pool;
    if (core->ending || !core->pools[lease->pool].configured || (stranger && pause_holds_pool(core, lease->pool)))
        return true;
    uint32_t slot = core->campaigns_paused + core->conversations_paused == 0 ? NOBODY : job_find(core, lease->number);
    if (slot == NOBODY)
        return false;
    const struct job *job = &core->jobs[slot];
    return (core->conversations[job->conversation].flags & CONVERSATION_PAUSED) != 0 || campaign_holds(core, job);
}

/* Coming back now, it would end, or wait until the chat is well. What may be sent already is not ended by asking. */
static bool is_barred(const struct core *core, const struct job *job)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool ends = (job->flags & JOB_CANCEL) != 0 || (conversation->flags & CONVERSATION_SUPPRESSED) != 0;
    bool may_be_sent = (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0;
    return (ends && !may_be_sent) || conversation->health == CHAT_CRITICAL;
}

bool lease_must_stop(const struct core *core, const struct lease *lease)
{
    return leases_must_stop(core, lease->line) ||
           (lease->placed && !line_welcomes_fresh(core, &core->lines[lease->line])) || job_must_stop(core, lease);
}

void lease_revoke_if_barred(struct core *core, struct lease *lease, struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, lease->number);
    if (lease_must_stop(core, lease) || (slot != NOBODY && is_barred(core, &core->jobs[slot])))
        lease_revoke(core, lease, now, out);
}

void leases_revoke_conversation(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    uint32_t first = conversation_first(core, &core->conversations[at]);
    if (first != NOBODY && core->jobs[first].state == JOB_LEASED)
        lease_revoke_if_barred(core, &core->leases[core->jobs[first].left], now, out);
}

void leases_sweep(struct core *core, bool anew, struct instant now, struct effects *out)
{
    if (anew)
        core->sweep = 1;
    for (uint32_t seen = 0; core->sweep != 0 && seen < SWEEP_MAX && effects_have_room(out); seen++) {
        struct lease *lease = &core->leases[core->sweep];
        core->sweep = core->sweep < core->leases_used ? core->sweep + 1 : 0;
        if (lease->id != 0 && !lease->over)
            lease_revoke_if_barred(core, lease, now, out);
    }
}

void leases_revoke_line(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    uint32_t slot = core->lines[at].leases;
    while (slot != NOBODY && effects_have_room(out)) {
        uint32_t next = core->leases[slot].line_next;
        if (lease_must_stop(core, &core->leases[slot]))
            lease_revoke(core, &core->leases[slot], now, out);
        slot = next;
    }
    core->lines[at].revokes = slot != NOBODY;
    if (slot != NOBODY)
        mono_timer(core, MONO_LINE, at, now.mono_ms);
}

void core_end(struct core *core, struct instant now, struct effects *out)
{
    core->ending = true;
    leases_sweep(core, true, now, out);
}

uint32_t core_in_flight(const struct core *core)
{
    uint32_t count = 0;
    for (uint32_t w = 1; w <= core->workers_used; w++)
        count += core->workers[w].used ? core->workers[w].in_flight : 0;
    return count;
}

void lease_hand_over(struct core *core, struct lease *lease, uint32_t worker)
{
    unlink_worker(core, lease);
    link_worker(core, lease, worker);
}

bool core_lease_send(struct core *core, uint64_t id, struct instant now, struct effects *out)
{
    struct lease *lease = lease_find(core, id);
    if (lease == NULL || lease->over)
        return false;
    if (lease_must_stop(core, lease)) { /* since its commit began */
        outcome_returned(core, lease, now, out);
        return false;
    }
    lease->sent = true;
    lease->until_ms = now.mono_ms + line_policy(core, &core->lines[lease->line])->lease_ms;
    lease_timer(core, lease);
    return true;
}

void core_lease_unsent(struct core *core, uint64_t id, struct instant now, struct effects *out)
{
    struct lease *lease = lease_find(core, id);
    if (lease != NULL && !lease->over)
        outcome_returned(core, lease, now, out);
}
