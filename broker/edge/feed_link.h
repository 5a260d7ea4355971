/* feed_link.h — the broker's end of the feed child (DESIGN section 2): starts it, reads the facts it states, asks it
 * to poll, answers its webhooks, and starts it again should it die. What it says is checked like anything from
 * outside. */
#ifndef LINEWARD_EDGE_FEED_LINK_H
#define LINEWARD_EDGE_FEED_LINK_H

#include "broker/cache/cache_link.h"
#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/persist.h"
#include "broker/edge/timings.h"
#include "broker/feed/feed.h"

#define FEED_TOKEN_TAG 0xFE

struct feed_link_options {
    const struct conf *conf;
    const struct keyed_hash *hash;
    struct core *core;
    char *const *child_argv; /* what this program is started with to be the child; lent */
    struct timings *timings; /* lent; NULL: none are kept */
    struct cache_link *cache; /* lent; NULL: the core merges what is told of lines by itself */
    effects_persist persist;
    void *persist_self;
};

struct feed_link;
struct feed_link *feed_link_new(const struct feed_link_options *options); /* NULL: out of memory */
/* Closes the socket, which ends the child, and waits for it; after two seconds it is killed. */
void feed_link_free(struct feed_link **link_p);

/* Another configuration, in which the accounts that were there keep their index; tells the child to read it as well.
 * ERR_NO_MEMORY: nothing changed. */
enum err feed_link_follow(struct feed_link *link, const struct conf *conf);

/* Starts the child if it is not running and its time has come. */
void feed_link_start(struct feed_link *link, struct instant now);
int feed_link_fd(const struct feed_link *link); /* -1: not running */
bool feed_link_wants_write(const struct feed_link *link);
int64_t feed_link_next_mono_ms(const struct feed_link *link); /* when to start it again; TIME_NEVER: it runs */
bool feed_link_is_bound(const struct feed_link *link);
unsigned feed_link_port(const struct feed_link *link);
/* Reads what is there, carries it out. */
void feed_link_turn(struct feed_link *link, struct instant now, struct effects *out);
bool feed_link_owns(uint64_t token);
/* Polls the account as soon as none is under way. */
void feed_link_poll(struct feed_link *link, uint32_t account);
/* A durable EFFECT_ANSWER, or an EFFECT_POLL at once. */
void feed_link_effect(struct feed_link *link, const struct effect *effect);

#endif
