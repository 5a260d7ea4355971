/* client_owners.h — inside lib/: what the C client reads in jobs and in refusals, and what it remembers, within bounds, of
 * who owns which pool. Knows nothing of sockets; brokers are numbers here. */
#ifndef LINEWARD_CLIENT_OWNERS_H
#define LINEWARD_CLIENT_OWNERS_H

#include <stdbool.h>
#include <stddef.h>

#include "lineward/conf.h"
#include "lineward/ids.h"

#define CLIENT_POOLS_MAX 256 /* remembered; one more takes the place of the oldest */

struct client_pool { /* "": none that could be remembered */
    char name[NAME_MAX_BYTES + 1];
};

/* Would a second copy of this job be known for one? Without an id it would not; what is no JSON object is refused
 * each time, which is just as well. */
bool client_job_is_repeatable(const char *job);
/* The pool that a job names, "default" if it names none. */
struct client_pool client_pool_of_job(const char *job);
/* The pool of a job's name: POOL/ID. "": a number or an id, which whichever broker is asked takes for its own. */
struct client_pool client_pool_of_id(const char *id);
/* Is this result a refusal `not_owner`, and if so at which address is the owner? out[0] is '\0' if there is none that
 * is well formed. */
bool client_result_owner(const char *result, size_t bytes, char out[CONF_ADDRESS_MAX + 1]);
/* May a client of `home` be led to `address`? The same scheme only; and, unless it has keys to know a broker by, from
 * this machine not to another one. */
bool client_may_follow(const char *home, bool has_keys, const char *address);

struct client_owners {
    struct client_pool pools[CLIENT_POOLS_MAX];
    unsigned brokers[CLIENT_POOLS_MAX];
    bool doubted[CLIENT_POOLS_MAX];
    size_t count, oldest;
};

/* 0: not known. *doubted: that one did not answer the last time. */
unsigned client_owners_find(const struct client_owners *owners, const struct client_pool *pool, bool *doubted);
void client_owners_learn(struct client_owners *owners, const struct client_pool *pool, unsigned broker);
/* All pools of that broker. */
void client_owners_doubt(struct client_owners *owners, unsigned broker);
void client_owners_forget(struct client_owners *owners, unsigned broker);

#endif
