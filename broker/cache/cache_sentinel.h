/* cache_sentinel.h — Sentinels, asked again and again which Redis is the master. Each may be away, behind a partition
 * or out of date: the answer is that of the one which knows of the latest failover (its config epoch). */
#ifndef LINEWARD_CACHE_SENTINEL_H
#define LINEWARD_CACHE_SENTINEL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/redis_url.h"

struct cache_sentinel;
/* `url` is of kind REDIS_SENTINEL; it and the file's name (NULL: no password) are lent. NULL: out of memory. */
struct cache_sentinel *cache_sentinel_new(const struct redis_url *url, const char *password_file);
void cache_sentinel_free(struct cache_sentinel **sentinel_p);

/* The master by what was answered lately. False: nobody has, or not yet enough of them; *why says what went wrong
 * last, NULL: nothing did. */
bool cache_sentinel_master(const struct cache_sentinel *sentinel, struct redis_host *out, const char **why);

/* Asks what it is time to ask; more often while `hurry`. `revents` of the fds below, in their order. */
void cache_sentinel_turn(struct cache_sentinel *sentinel, bool hurry, int64_t now_ms);
struct cache_end;
size_t cache_sentinel_ends(struct cache_sentinel *sentinel, struct cache_end *out[REDIS_HOSTS_MAX]);
int64_t cache_sentinel_next_ms(const struct cache_sentinel *sentinel);

#endif
