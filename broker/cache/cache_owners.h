/* cache_owners.h — which broker owns which pool, as the brokers of an account tell each other through Redis (cache.lua): each
 * says of itself where producers find it and which pools it owns, and says so again before that lapses. What the others
 * say is kept here until they say otherwise; while Redis is away it stands. Of one that is not heard of any more Redis
 * keeps the word for a day, for pools that nobody else says to own. */
#ifndef LINEWARD_CACHE_OWNERS_H
#define LINEWARD_CACHE_OWNERS_H

#include <cjson/cJSON.h>

#include "broker/cache/cache_redis.h"
#include "lineward/conf.h"

#define CACHE_OWNERS_MAX       256  /* brokers; what comes beyond that is not heard */
#define CACHE_OWNERS_POOLS_MAX 4096 /* of all of them */

struct cache_owners_options {
    const struct conf *conf;
    struct cache_redis *redis; /* lent */
    uint64_t tag;              /* of what it asks of Redis; the account is added */
    const char *nonce;         /* of this process; lent */
};

struct cache_owners;
struct cache_owners *cache_owners_new(const struct cache_owners_options *options); /* NULL: out of memory */
void cache_owners_free(struct cache_owners **owners_p);
/* Another configuration: what we own now is told at once. */
void cache_owners_follow(struct cache_owners *owners, const struct conf *conf, struct instant now);

/* The connection is up. */
void cache_owners_up(struct cache_owners *owners, struct instant now);
/* While it is up. */
void cache_owners_turn(struct cache_owners *owners, struct instant now);
int64_t cache_owners_next_mono_ms(const struct cache_owners *owners);
/* What the script has said of the account, to us or to all; NULL: nothing. */
void cache_owners_answered(struct cache_owners *owners, uint32_t account, const cJSON *answer);

struct cache_owner { /* lent until the next answer */
    const char *producers; /* ZeroMQ endpoint */
    const char *admin;     /* URL; NULL: not told */
    bool has_lapsed;       /* it has not been heard of for a while, and nobody else says so */
};
/* False: none of the others says that it owns this pool. Of two that both go on saying so, the one that our configuration
 * names, else always the same. */
bool cache_owners_find(const struct cache_owners *owners, const char *pool, struct cache_owner *out);

#endif
