/* cache_cluster.h — what a Redis Cluster says about who has which keys, read. Pure.
 *
 * All keys of an account share a hash tag, so they live in one slot and the script may touch them all. */
#ifndef LINEWARD_CACHE_CLUSTER_H
#define LINEWARD_CACHE_CLUSTER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "lineward/redis_url.h"

uint16_t cache_cluster_slot(const char *tag); /* of all keys with {tag} */

/* The slot's master by an answer to CLUSTER SLOTS; `asked` gave it, and is meant where no address stands.
 * False: it names none. */
bool cache_cluster_find(const redisReply *slots, uint16_t slot, const struct redis_host *asked,
                        struct redis_host *out);

enum cache_redirect {
    CACHE_STAYS, /* it is another error */
    CACHE_MOVED, /* ask *out, and from now on always */
    CACHE_ASK,   /* ask *out, this once and after ASKING */
    CACHE_AGAIN  /* the keys are between two nodes: the same again, in a moment */
};
enum cache_redirect cache_cluster_redirect(const char *error, const struct redis_host *asked, struct redis_host *out);

#endif
