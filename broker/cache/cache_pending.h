/* cache_pending.h — webhooks that Redis was told of and has not answered yet, found by their line. Pure, and bounded. */
#ifndef LINEWARD_CACHE_PENDING_H
#define LINEWARD_CACHE_PENDING_H

#include "broker/core/core.h"

#define CACHE_PENDING_MAX 1024

struct cache_pending_fact {
    uint64_t token;
    struct core_line_fact fact;
    bool warned; /* it has made the line worse here already */
    uint32_t next; /* of its chain, or free; 0: none */
};

struct cache_pending {
    struct cache_pending_fact facts[CACHE_PENDING_MAX + 1]; /* from 1 on */
    uint32_t heads[CACHE_PENDING_MAX];
    uint32_t used, free;
};

/* Its place; 0: there is no room. */
uint32_t cache_pending_add(struct cache_pending *pending, uint64_t token, const struct core_line_fact *fact);
struct cache_pending_fact *cache_pending_at(struct cache_pending *pending, uint32_t place);
void cache_pending_remove(struct cache_pending *pending, uint32_t place);
/* Is there one of that line? */
bool cache_pending_has(const struct cache_pending *pending, uint64_t number);

#endif
