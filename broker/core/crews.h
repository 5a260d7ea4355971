/* crews.h — which workers may be given leases of which pools. Workers with the same set of pools are a crew; crew 0
 * is allowed all. Pools served by the same crews share a lane: what can send stands in its lane's ring (rings.h), and
 * lanes whose crews are all busy cost nothing. Both are few, so that a set of them is one number. */
#ifndef LINEWARD_CORE_CREWS_H
#define LINEWARD_CORE_CREWS_H

#include "broker/core/state.h"

/* The crew of a worker that may be given leases of these pools only; CREW_NONE: there are too many kinds already. A
 * new crew changes the lanes. Whoever asks counts the worker into core->crews[crew].workers. */
#define CREW_ALL  0u
#define CREW_NONE UINT8_MAX
uint8_t crew_for(struct core *core, const uint32_t *pools, size_t count);

bool crew_has_pool(const struct core *core, uint32_t crew, uint32_t pool);

/* A worker with a free slot of the crew, in turn; NOBODY: none. */
void crew_ring_add(struct core *core, uint32_t worker);
void crew_ring_remove(struct core *core, uint32_t worker);
/* Who takes the next lease on a line of that pool for a conversation of the other one (crews_of_both()): those who can
 * do least else first. NOBODY: no one is free. */
uint32_t crew_next_worker(const struct core *core, uint32_t line_pool, uint32_t pool);
/* Is there anybody for it, if busy now? One that leaves takes no more. */
bool crews_have_worker(const struct core *core, uint32_t line_pool, uint32_t pool);
/* It had its turn. */
void crew_ring_turn(struct core *core, uint32_t crew);

/* Sorts pools into lanes anew: pools were added, too. False: there would be too many lanes, nothing changed. */
bool lanes_sort(struct core *core);

/* Those that may be given leases on a line of that pool for a conversation of the other one: mostly the same, but a line
 * may have been given to another pool since. */
static inline uint64_t crews_of_both(const struct core *core, uint32_t line_pool, uint32_t pool)
{
    return core->lanes[core->pools[line_pool].lane].crews & core->lanes[core->pools[pool].lane].crews;
}

/* Is a worker free for that pool? */
static inline bool pool_has_free_worker(const struct core *core, uint32_t pool)
{
    return (core->lanes[core->pools[pool].lane].crews & core->crews_free) != 0;
}

/* Lanes in which something can send, and for which a worker is free. */
static inline uint64_t lanes_that_go(const struct core *core)
{
    return core->lanes_waiting & core->lanes_served;
}

#endif
