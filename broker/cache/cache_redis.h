/* cache_redis.h — connections to Redis: one that listens, and to each master that an account lives on one that runs
 * cache.lua (cache_nodes.h). Opened, authenticated, tried, opened again when one is lost. Where they are says
 * cache.redis (redis_url.h), or Sentinels do, or a Cluster. hiredis, within the broker's own turn: nothing here
 * waits. */
#ifndef LINEWARD_CACHE_REDIS_H
#define LINEWARD_CACHE_REDIS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/cache/cache_nodes.h"
#include "lineward/clock.h"
#include "lineward/err.h"
#include "lineward/redis_url.h"

#define CACHE_REDIS_FDS    (1 + CACHE_NODES_MAX + REDIS_HOSTS_MAX)
#define CACHE_REDIS_PREFIX "lineward:" /* of every key and channel; then {account} */

/* Callbacks, within cache_redis_turn() and cache_redis_run(). */
struct cache_redis_told {
    void (*up)(void *self);
    void (*down)(void *self); /* also when it still is, for another reason (cache_redis_problem()) */
    /* The account has moved to another node of the Cluster: by a failover perhaps, without what was told last. */
    void (*moved)(void *self, uint32_t account);
    /* What another broker's fact, or our own, has changed: an answer of the script, for the account at that index. */
    void (*changed)(void *self, uint32_t account, const char *text, size_t bytes);
    /* The script's answer to cache_redis_run(); text NULL: there will be none. */
    void (*answered)(void *self, uint64_t tag, const char *text, size_t bytes);
    /* Values of an account's lines, one a call (cache_redis_read()). */
    void (*line)(void *self, uint32_t account, const char *text, size_t bytes);
    void *self;
};

struct cache_redis_options {
    const char *url, *password_file;    /* copied; NULL: no password */
    const char *sentinel_password_file; /* copied */
    const char *accounts;               /* names, each in so much room; lent */
    size_t name_room, account_count;
    struct cache_redis_told told;
};

struct cache_redis;
struct cache_redis *cache_redis_new(const struct cache_redis_options *options); /* NULL: out of memory */
void cache_redis_free(struct cache_redis **redis_p);

/* There are more accounts now: connects anew, at once. */
void cache_redis_follow(struct cache_redis *redis, size_t account_count);

bool cache_redis_is_up(const struct cache_redis *redis);
const char *cache_redis_problem(const struct cache_redis *redis); /* why it is not up; never NULL */
/* What is sent from now on is sent at that time. */
void cache_redis_at(struct cache_redis *redis, struct instant now);
/* Connects when it is time, reads and writes what there is. */
void cache_redis_turn(struct cache_redis *redis, struct instant now);
/* What to wait for. Returns how many. */
size_t cache_redis_fds(const struct cache_redis *redis, struct pollfd out[CACHE_REDIS_FDS]);
int64_t cache_redis_next_mono_ms(const struct cache_redis *redis); /* when to turn though nothing is there */

/* Runs the script on a fact of the account. False: not up; nothing was sent, and there will be no answer. */
bool cache_redis_run(struct cache_redis *redis, uint32_t account, const char *fact, size_t bytes, uint64_t tag,
                     struct instant now);
/* Reads all lines of the account, in pieces. False: not up, or the reading of another one is not over yet. */
bool cache_redis_read(struct cache_redis *redis, uint32_t account, struct instant now);

#endif
