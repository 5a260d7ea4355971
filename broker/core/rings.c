/* rings.c — see rings.h. */
#include "broker/core/rings.h"

struct link {
    uint32_t *next, *prev;
    bool *in_ring;
};

static struct link link_of(struct core *core, uint32_t who)
{
    uint32_t at = (who & ~RING_POOL) - 1;
    if ((who & RING_POOL) != 0)
        return (struct link){&core->pools[at].ring_next, &core->pools[at].ring_prev, &core->pools[at].in_ring};
    return (struct link){&core->lines[at].ring_next, &core->lines[at].ring_prev, &core->lines[at].in_ring};
}

static uint32_t lane_of(const struct core *core, uint32_t who)
{
    uint32_t at = (who & ~RING_POOL) - 1;
    return core->pools[(who & RING_POOL) != 0 ? at : core->lines[at].pool].lane;
}

void ring_add(struct core *core, uint32_t who)
{
    struct link me = link_of(core, who);
    if (*me.in_ring)
        return;
    uint32_t at = lane_of(core, who);
    struct lane *lane = &core->lanes[at];
    *me.in_ring = true;
    if (lane->count++ == 0) {
        *me.next = *me.prev = who;
        lane->ring = who;
        core->lanes_waiting |= UINT64_C(1) << at;
        return;
    }
    struct link first = link_of(core, lane->ring);
    struct link last = link_of(core, *first.prev);
    *me.next = lane->ring;
    *me.prev = *first.prev;
    *last.next = who;
    *first.prev = who;
}

void ring_remove(struct core *core, uint32_t who)
{
    struct link me = link_of(core, who);
    if (!*me.in_ring)
        return;
    uint32_t at = lane_of(core, who);
    struct lane *lane = &core->lanes[at];
    *me.in_ring = false;
    if (--lane->count == 0) {
        lane->ring = 0;
        core->lanes_waiting &= ~(UINT64_C(1) << at);
        return;
    }
    *link_of(core, *me.prev).next = *me.next;
    *link_of(core, *me.next).prev = *me.prev;
    if (lane->ring == who)
        lane->ring = *me.next;
}

uint32_t rings_take_all(struct core *core)
{
    uint32_t chain = 0;
    for (uint32_t l = 0; l < core->lane_count; l++) {
        while (core->lanes[l].count > 0) {
            uint32_t who = core->lanes[l].ring;
            ring_remove(core, who);
            *link_of(core, who).next = chain;
            chain = who;
        }
    }
    return chain;
}

void rings_put_back(struct core *core, uint32_t chain)
{
    while (chain != 0) {
        uint32_t who = chain;
        chain = *link_of(core, who).next;
        ring_add(core, who);
    }
}

uint32_t ring_next(struct core *core, uint32_t who)
{
    return *link_of(core, who).next;
}
