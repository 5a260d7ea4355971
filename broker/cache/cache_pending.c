/* cache_pending.c — see cache_pending.h. */
#include "broker/cache/cache_pending.h"

#include <assert.h>

static uint32_t *chain(struct cache_pending *pending, uint64_t number)
{
    return &pending->heads[number % CACHE_PENDING_MAX];
}

uint32_t cache_pending_add(struct cache_pending *pending, uint64_t token, const struct core_line_fact *fact)
{
    uint32_t place = pending->free;
    if (place != 0)
        pending->free = pending->facts[place].next;
    else if (pending->used < CACHE_PENDING_MAX)
        place = ++pending->used;
    else
        return 0;
    uint32_t *head = chain(pending, fact->number);
    pending->facts[place] = (struct cache_pending_fact){.token = token, .fact = *fact, .next = *head};
    *head = place;
    return place;
}

struct cache_pending_fact *cache_pending_at(struct cache_pending *pending, uint32_t place)
{
    assert(place != 0 && place <= pending->used);
    return &pending->facts[place];
}

void cache_pending_remove(struct cache_pending *pending, uint32_t place)
{
    struct cache_pending_fact *fact = cache_pending_at(pending, place);
    uint32_t *link = chain(pending, fact->fact.number);
    while (*link != place)
        link = &pending->facts[*link].next;
    *link = fact->next;
    fact->next = pending->free;
    pending->free = place;
}

bool cache_pending_has(const struct cache_pending *pending, uint64_t number)
{
    uint32_t place = pending->heads[number % CACHE_PENDING_MAX];
    while (place != 0 && pending->facts[place].fact.number != number)
        place = pending->facts[place].next;
    return place != 0;
}
