/* owners.h — whose is a pool: ours, another broker's and then where that one is, or nobody's. The configuration says so,
 * and, where brokers share a cache, they tell each other: what a living one says of itself is the newer word; what a dead one
 * said is the last one, of a pool that is not in the file. So its jobs wait for it, and are not refused for good. */
#ifndef LINEWARD_EDGE_OWNERS_H
#define LINEWARD_EDGE_OWNERS_H

#include <stdint.h>

#include "broker/cache/cache_owners.h"
#include "lineward/conf.h"
#include "lineward/words.h"

struct owner_place { /* of another broker; lent for the turn */
    const char *producers; /* ZeroMQ endpoint; NULL: there is none */
    const char *admin;     /* URL; NULL: not known */
};

/* CODE_NONE: *pool is its index, and it is ours. CODE_NOT_OWNER: *out says whose it is. CODE_UNKNOWN_POOL: nobody's, or
 * not among `pools` (comma list of what the asker may use; NULL: all). `told` NULL: only the configuration knows. */
enum code owners_find_pool(const struct conf *conf, const struct cache_owners *told, const char *pools, const char *name,
                           uint32_t *pool, struct owner_place *out);

/* The sentence for a person. */
void owners_say(const struct owner_place *place, char *out, size_t room);

#endif
