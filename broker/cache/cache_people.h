/* cache_people.h — who must not be sent to, as the brokers of an account know it together (cache.lua): what one is told,
 * the others take over into their own stores, under their own hashes. Redis holds no recipient in clear (cache_seal.h).
 *
 * After each connection a broker first tells all that it knows, a part at a time, and then reads what has changed since
 * ever, a part at a time; from then on it reads what has changed since, every few seconds, so that a lost message costs no
 * more than that. What has ended is told by cache_owed.h. */
#ifndef LINEWARD_CACHE_PEOPLE_H
#define LINEWARD_CACHE_PEOPLE_H

#include <cjson/cJSON.h>

#include "broker/cache/cache_link.h"
#include "broker/cache/cache_owed.h"
#include "broker/cache/cache_redis.h"
#include "broker/cache/cache_seal.h"
#include "broker/core/core.h"

struct cache_people;

struct cache_people_options {
    const struct conf *conf;
    struct core *core;
    struct cache_seal seal;
    struct cache_redis *redis; /* lent */
    struct cache_owed *owed;   /* lent */
    uint64_t tag;              /* of what it asks of Redis; the lower 32 bits are its own */
    cache_keys keys;
    void *keys_self;
    cache_persist persist;
    void *persist_self;
};

struct cache_people *cache_people_new(const struct cache_people_options *options); /* NULL: out of memory */
void cache_people_free(struct cache_people **people_p);
void cache_people_follow(struct cache_people *people, const struct conf *conf);

/* The core has changed what it knows of a recipient. */
void cache_people_changed(struct cache_people *people, const struct change_suppression *change, struct instant now);
/* The connection is up. */
void cache_people_up(struct cache_people *people);
/* What Redis knows of the account may not be all that it was told. */
void cache_people_moved(struct cache_people *people, uint32_t account);
/* While it is up. */
void cache_people_turn(struct cache_people *people, struct instant now);
int64_t cache_people_next_mono_ms(const struct cache_people *people);
/* What the script has said, to all (`news`) or in answer to us; NULL: nothing. `out` NULL: the broker ends. */
void cache_people_heard(struct cache_people *people, uint32_t account, const cJSON *news, struct instant now,
                        struct effects *out);
void cache_people_answered(struct cache_people *people, uint64_t tag, const cJSON *answer, struct instant now,
                           struct effects *out);

#endif
