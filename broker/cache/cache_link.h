/* cache_link.h — the reputation cache in its second body: what several brokers share through Redis (DESIGN section 3, "The
 * reputation cache"). There is none where cache.kind is memory: then the core merges by itself.
 *
 * While Redis is there, it decides (cache.lua): a webhook tightens here at once and is told to Redis, and what Redis has
 * made of it is taken over by every broker; polls go to Redis alone, by the one broker that holds the account's lease.
 * While it is away each broker goes on with what it knows, merges by itself, and polls by itself once it has not heard of
 * the account for stale_after_ms and a little more. When it is back, what was told meanwhile is told to it. */
#ifndef LINEWARD_CACHE_LINK_H
#define LINEWARD_CACHE_LINK_H

#include <poll.h>

#include "broker/cache/cache_redis.h"
#include "broker/cache/cache_seal.h"
#include "broker/cache/cache_owners.h"
#include "broker/core/core.h"
#include "lineward/conf.h"

#define CACHE_LINK_FDS CACHE_REDIS_FDS

typedef void (*cache_persist)(void *self, struct instant now, struct effects *out);
struct cache_person {   /* this store's own keyed hashes of ... */
    uint64_t person;    /* the handle alone */
    uint64_t recipient; /* the account and the handle */
};
/* Likewise of the direct conversations that there may be with them; returns how many these are. */
typedef size_t (*cache_keys)(void *self, uint32_t account, const char *handle, struct cache_person *out,
                             uint64_t conversations[CONF_POOLS_MAX]);

struct cache_link_options {
    const struct conf *conf;
    struct core *core;
    cache_persist persist; /* after each call of the core; may be called often in a turn */
    void *persist_self;
    /* A poll of the account should begin now. */
    void (*poll)(void *self, uint32_t account);
    void *poll_self;
    const struct cache_seal *seal; /* copied; NULL: who must not be sent to is not shared */
    cache_keys keys;
    void *keys_self;
};

struct cache_link;
struct cache_link *cache_link_new(const struct cache_link_options *options); /* NULL: out of memory */
void cache_link_free(struct cache_link **link_p);

bool cache_link_is_up(const struct cache_link *link);
struct cache_view { /* for people */
    bool up, shares_people;
    int64_t away_ms;     /* it has not been up for so long; 0: it is */
    const char *problem; /* why; lent until the next turn */
    unsigned brokers;    /* with this one, that were heard of lately */
    bool versions_differ;
    size_t owed;         /* facts that Redis has not answered yet */
};
void cache_link_view(const struct cache_link *link, struct instant now, struct cache_view *out);
/* `woken`: one of its files is ready. Without that, and before its next moment, it does nothing but note the time. */
void cache_link_turn(struct cache_link *link, struct instant now, bool woken, struct effects *out);
size_t cache_link_fds(const struct cache_link *link, struct pollfd out[CACHE_LINK_FDS]);
int64_t cache_link_next_mono_ms(const struct cache_link *link);

/* A status webhook: EFFECT_ANSWER with `token` once it is durable here and there. What it changes at once is left in `out`,
 * for the caller to persist. */
void cache_link_told(struct cache_link *link, uint64_t token, const struct core_line_fact *fact, struct instant now,
                     struct effects *out);
/* A try has shown that the line is flagged, or is not any more. */
void cache_link_service(struct cache_link *link, uint32_t account, uint64_t number, bool flagged, struct instant now);
/* The core has changed what it knows of a recipient: to be called with each such change, when it is persisted. */
void cache_link_person(struct cache_link *link, const struct change_suppression *change, struct instant now);
/* Another configuration, in which the accounts that were there keep their index. */
void cache_link_follow(struct cache_link *link, const struct conf *conf);
/* What the other brokers say of pools and where they are; lent for the link's life. */
const struct cache_owners *cache_link_owners(const struct cache_link *link);
/* May this broker poll the account now? */
bool cache_link_may_poll(const struct cache_link *link, uint32_t account, struct instant now);
struct cache_polled {
    uint64_t number;
    enum reputation reputation;
    enum service service; /* UNKNOWN: not said */
};
/* A good list. False: Redis is away, and the core merges it. */
bool cache_link_polled(struct cache_link *link, const struct core_poll *poll, const struct cache_polled *lines,
                       size_t count, struct instant now);

#endif
