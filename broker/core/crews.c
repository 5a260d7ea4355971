/* crews.c — see crews.h. */
#include "broker/core/crews.h"

#include <string.h>

#include "broker/core/rings.h"

static uint64_t bit(uint32_t n)
{
    return UINT64_C(1) << n;
}

/* ---- free workers ---- */

static void serve_lanes(struct core *core)
{
    core->lanes_served = 0;
    for (uint32_t l = 0; l < core->lane_count; l++)
        if ((core->lanes[l].crews & core->crews_free) != 0)
            core->lanes_served |= bit(l);
}

static void crew_is_free(struct core *core, uint32_t crew, bool free)
{
    if (free)
        core->crews_free |= bit(crew);
    else
        core->crews_free &= ~bit(crew);
    serve_lanes(core);
}

void crew_ring_add(struct core *core, uint32_t w)
{
    struct worker *worker = &core->workers[w];
    struct crew *crew = &core->crews[worker->crew];
    if (worker->in_ring)
        return;
    worker->in_ring = true;
    if (crew->ring == NOBODY) {
        worker->ring_next = worker->ring_prev = w;
        crew->ring = w;
        crew_is_free(core, worker->crew, true);
        return;
    }
    struct worker *first = &core->workers[crew->ring];
    worker->ring_next = crew->ring;
    worker->ring_prev = first->ring_prev;
    core->workers[first->ring_prev].ring_next = w;
    first->ring_prev = w;
}

void crew_ring_remove(struct core *core, uint32_t w)
{
    struct worker *worker = &core->workers[w];
    struct crew *crew = &core->crews[worker->crew];
    if (!worker->in_ring)
        return;
    worker->in_ring = false;
    if (worker->ring_next == w) {
        crew->ring = NOBODY;
        crew_is_free(core, worker->crew, false);
        return;
    }
    core->workers[worker->ring_prev].ring_next = worker->ring_next;
    core->workers[worker->ring_next].ring_prev = worker->ring_prev;
    if (crew->ring == w)
        crew->ring = worker->ring_next;
}

uint32_t crew_next_worker(const struct core *core, uint32_t line_pool, uint32_t pool)
{
    uint64_t free = crews_of_both(core, line_pool, pool) & core->crews_free;
    for (uint32_t c = CREWS_MAX; c-- > 0;) /* crew 0, which may do all, comes last */
        if ((free & bit(c)) != 0)
            return core->crews[c].ring;
    return NOBODY;
}

bool crews_have_worker(const struct core *core, uint32_t line_pool, uint32_t pool)
{
    uint64_t crews = crews_of_both(core, line_pool, pool);
    for (uint32_t w = 1; w <= core->workers_used; w++) {
        const struct worker *worker = &core->workers[w];
        if (worker->used && !worker->leaving && (crews & bit(worker->crew)) != 0)
            return true;
    }
    return false;
}

void crew_ring_turn(struct core *core, uint32_t crew)
{
    struct crew *it = &core->crews[crew];
    it->ring = it->ring == NOBODY ? NOBODY : core->workers[it->ring].ring_next;
}

/* ---- lanes ---- */

bool crew_has_pool(const struct core *core, uint32_t crew, uint32_t pool)
{
    if (crew == CREW_ALL)
        return true;
    return pool < CONF_POOLS_MAX && (core->crews[crew].pools[pool / 64] & bit(pool % 64)) != 0;
}

static uint64_t crews_of(const struct core *core, uint32_t pool)
{
    uint64_t crews = bit(CREW_ALL);
    for (uint32_t c = 1; c < core->crew_count; c++)
        if (core->crews[c].used && crew_has_pool(core, c, pool))
            crews |= bit(c);
    return crews;
}

static uint32_t lane_of_crews(const struct core *core, uint32_t count, uint64_t crews)
{
    uint32_t l = 0;
    while (l < count && core->lanes_next[l] != crews)
        l++;
    return l;
}

/* The kinds of lane there will be, into lanes_next; more than LANES_MAX: too many. */
static uint32_t plan_lanes(struct core *core)
{
    uint32_t count = 1;
    core->lanes_next[0] = bit(CREW_ALL); /* of pools that no limited crew serves */
    for (uint32_t p = 0; p < core->pool_count; p = pool_after(core, p)) {
        uint64_t crews = crews_of(core, p);
        if (lane_of_crews(core, count, crews) < count)
            continue;
        if (count == LANES_MAX)
            return LANES_MAX + 1;
        core->lanes_next[count++] = crews;
    }
    return count;
}

bool lanes_sort(struct core *core)
{
    uint32_t count = plan_lanes(core);
    if (count > LANES_MAX)
        return false;
    uint32_t chain = rings_take_all(core);
    for (uint32_t p = 0; p < core->pool_count; p = pool_after(core, p))
        core->pools[p].lane = (uint8_t)lane_of_crews(core, count, crews_of(core, p));
    core->lane_count = count;
    core->lane = core->lane_turns = 0;
    for (uint32_t l = 0; l < count; l++)
        core->lanes[l] = (struct lane){.crews = core->lanes_next[l]};
    serve_lanes(core);
    rings_put_back(core, chain);
    return true;
}

/* ---- crews ---- */

static bool has_these(const struct crew *crew, const uint64_t pools[CREW_POOL_WORDS])
{
    return crew->used && memcmp(crew->pools, pools, sizeof crew->pools) == 0;
}

/* Those that nobody belongs to any more: only now, for mostly somebody comes back. */
static void retire_crews(struct core *core)
{
    for (uint32_t c = 1; c < core->crew_count; c++)
        core->crews[c].used = core->crews[c].used && core->crews[c].workers > 0;
}

static uint32_t crew_room(const struct core *core)
{
    for (uint32_t c = 1; c < core->crew_count; c++)
        if (!core->crews[c].used)
            return c;
    return core->crew_count < CREWS_MAX ? core->crew_count : CREW_NONE;
}

uint8_t crew_for(struct core *core, const uint32_t *pools, size_t count)
{
    struct crew fresh = {.used = true};
    for (size_t i = 0; i < count; i++)
        if (pools[i] < CONF_POOLS_MAX)
            fresh.pools[pools[i] / 64] |= bit(pools[i] % 64);
    for (uint32_t c = 1; c < core->crew_count; c++)
        if (has_these(&core->crews[c], fresh.pools))
            return (uint8_t)c;
    retire_crews(core);
    uint32_t at = crew_room(core);
    if (at == CREW_NONE)
        return CREW_NONE;
    struct crew before = core->crews[at];
    uint32_t count_before = core->crew_count;
    core->crews[at] = fresh;
    if (at == core->crew_count)
        core->crew_count++;
    if (lanes_sort(core))
        return (uint8_t)at;
    core->crews[at] = before;
    core->crew_count = count_before;
    return CREW_NONE;
}
