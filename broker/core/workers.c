/* workers.c — who may be given leases: READY, BEAT, BYE, and silence (PROTOCOL, Workers). Workers with free slots
 * stand in the ring of their crew (crews.h) and take turns. */
#include <string.h>

#include "broker/core/backup.h"
#include "broker/core/crews.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"

#define HEARTBEATS_UNTIL_GONE 3

uint32_t worker_find_peer(const struct core *core, uint32_t peer)
{
    for (uint32_t w = 1; w <= core->workers_used; w++)
        if (core->workers[w].used && core->workers[w].peer == peer)
            return w;
    return NOBODY;
}

void worker_ring_touch(struct core *core, uint32_t w)
{
    const struct worker *worker = &core->workers[w];
    if (worker->used && worker->ready && !worker->leaving && worker->in_flight < worker->slots)
        crew_ring_add(core, w);
    else
        crew_ring_remove(core, w);
}

static uint32_t find_instance(const struct core *core, uint64_t instance)
{
    for (uint32_t w = 1; w <= core->workers_used; w++)
        if (core->workers[w].used && core->workers[w].instance == instance)
            return w;
    return NOBODY;
}

static uint32_t new_worker(struct core *core)
{
    for (uint32_t w = 1; w <= core->workers_used; w++)
        if (!core->workers[w].used)
            return w;
    return core->workers_used < core->limits.workers_max ? ++core->workers_used : NOBODY;
}

static void forget_worker(struct core *core, uint32_t w, struct instant now, struct effects *out);

static bool names(const struct core_ready *ready, uint64_t lease)
{
    for (size_t i = 0; i < ready->lease_count; i++)
        if (ready->leases[i] == lease)
            return true;
    return false;
}

/* A lease of this instance that READY did not name. */
static void unnamed(struct core *core, struct lease *lease, struct instant now, struct effects *out)
{
    if (backup_may_have_begun(core, lease))
        outcome_lapsed(core, lease, now, out);
    else
        outcome_returned(core, lease, now, out); /* it was never begun */
}

/* Those that READY named stay its own. */
static void sort_out_leases(struct core *core, uint32_t w, const struct core_ready *ready, struct instant now,
                            struct effects *out)
{
    for (uint32_t slot = 1; slot <= core->leases_used; slot++) {
        struct lease *lease = &core->leases[slot];
        if (lease->id == 0 || lease->over || lease->instance != ready->instance)
            continue;
        if (!names(ready, lease->id)) {
            if (effects_have_room(out))
                unnamed(core, lease, now, out);
            continue;
        }
        if (lease->peer_slot != w)
            lease_hand_over(core, lease, w);
        int64_t until_ms = now.mono_ms + line_policy(core, &core->lines[lease->line])->lease_ms;
        lease->sent = true;
        if (until_ms > lease->until_ms || lease->restored) /* what it was given out with may be more, since a reload */
            lease->until_ms = until_ms;
        lease_timer(core, lease);
        lease->revoked = false;
        if (effects_have_room(out))
            lease_revoke_if_barred(core, lease, now, out);
        else
            leases_sweep(core, true, now, out);
    }
}

static void join_crew(struct core *core, uint32_t w, uint8_t crew)
{
    struct worker *worker = &core->workers[w];
    if (worker->used && worker->crew == crew)
        return; /* and keeps its place in the ring */
    crew_ring_remove(core, w);
    if (worker->used)
        core->crews[worker->crew].workers--;
    worker->crew = crew;
    core->crews[crew].workers++;
}

void core_worker_ready(struct core *core, const struct core_ready *ready, struct instant now, struct effects *out)
{
    uint32_t w = find_instance(core, ready->instance);
    uint32_t before = worker_find_peer(core, ready->peer);
    if (before != NOBODY && before != w) /* a new process behind an old connection */
        forget_worker(core, before, now, out);
    bool fresh = w == NOBODY;
    if (fresh)
        w = new_worker(core);
    if (w == NOBODY) { /* no room: the worker asks again, by when another may be gone */
        effect_add(out, EFFECT_UNKNOWN_WORKER)->peer = ready->peer;
        return;
    }
    uint8_t crew = ready->some_pools ? crew_for(core, ready->pools, ready->pool_count) : CREW_ALL;
    if (crew == CREW_NONE) { /* the same: workers of too many kinds are here */
        effect_add(out, EFFECT_UNKNOWN_WORKER)->peer = ready->peer;
        return;
    }
    struct worker *worker = &core->workers[w];
    if (fresh)
        memset(worker, 0, sizeof *worker);
    join_crew(core, w, crew);
    core->slots = core->slots - worker->slots + ready->slots;
    worker->used = true;
    worker->ready = true;
    worker->leaving = false;
    worker->peer = ready->peer;
    worker->instance = ready->instance;
    worker->slots = ready->slots;
    memcpy(worker->name, ready->worker, sizeof worker->name);
    worker->seen_mono_ms = now.mono_ms;
    mono_timer(core, MONO_WORKER, w, now.mono_ms + HEARTBEATS_UNTIL_GONE * core->heartbeat_ms);
    sort_out_leases(core, w, ready, now, out);
    worker_ring_touch(core, w);
    struct effect *effect = effect_add(out, EFFECT_READY);
    effect->peer = ready->peer;
}

bool core_worker_alive(struct core *core, uint32_t peer, struct instant now, struct effects *out)
{
    uint32_t w = worker_find_peer(core, peer);
    if (w == NOBODY) {
        effect_add(out, EFFECT_UNKNOWN_WORKER)->peer = peer;
        return false;
    }
    core->workers[w].seen_mono_ms = now.mono_ms;
    return true;
}

void core_worker_bye(struct core *core, uint32_t peer, struct instant now, struct effects *out)
{
    uint32_t w = worker_find_peer(core, peer);
    (void)now;
    (void)out;
    if (w == NOBODY)
        return;
    core->workers[w].leaving = true;
    worker_ring_touch(core, w);
}

/* Its leases stay until their time is over: what it began may still arrive at the provider. Those whose JOB never
 * left come back at once. */
static void forget_worker(struct core *core, uint32_t w, struct instant now, struct effects *out)
{
    struct worker *worker = &core->workers[w];
    while (worker->leases != NOBODY) {
        struct lease *lease = &core->leases[worker->leases];
        if (!lease->sent && effects_have_room(out))
            outcome_returned(core, lease, now, out);
        else
            lease_hand_over(core, lease, NOBODY);
    }
    core->crews[worker->crew].workers--;
    worker->ready = false;
    worker->used = false;
    core->slots -= worker->slots;
    mono_timer(core, MONO_WORKER, w, TIME_NEVER);
    worker_ring_touch(core, w);
}

void core_worker_gone(struct core *core, uint32_t peer, struct instant now, struct effects *out)
{
    uint32_t w = worker_find_peer(core, peer);
    if (w != NOBODY)
        forget_worker(core, w, now, out);
}

void worker_wake(struct core *core, uint32_t w, struct instant now, struct effects *out)
{
    const struct worker *worker = &core->workers[w];
    int64_t limit = worker->seen_mono_ms + HEARTBEATS_UNTIL_GONE * core->heartbeat_ms;
    if (now.mono_ms < limit) {
        mono_timer(core, MONO_WORKER, w, limit);
        return;
    }
    if (!worker->leaving || worker->in_flight > 0)
        effect_alert(out, ALERT_WORKER_GONE, 0, 0);
    forget_worker(core, w, now, out);
}
