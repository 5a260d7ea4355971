/* cache_nodes.h — the masters that accounts live on: the one, or those of a Cluster. A command goes to where its
 * account lives, and after it when that moves (MOVED, ASK); its answer comes once, in the end. */
#ifndef LINEWARD_CACHE_NODES_H
#define LINEWARD_CACHE_NODES_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/cache/cache_end.h"

#define CACHE_NODES_MAX 16
#define CACHE_SHA_MAX   41

struct cache_nodes_options {
    bool is_cluster;
    /* All masters are there and have the script, for the first time since one was opened. In a callback. */
    void (*ready)(void *self);
    /* The account lives on another node than it did (MOVED). In a callback. */
    void (*moved)(void *self, uint32_t account);
    void *self;
};

struct cache_nodes;
struct cache_nodes *cache_nodes_new(const struct cache_nodes_options *options); /* NULL: out of memory */
void cache_nodes_free(struct cache_nodes **nodes_p);

/* The account lives there; opened if it is not yet. False: there are too many of them. */
bool cache_nodes_place(struct cache_nodes *nodes, uint32_t account, const struct cache_end_to *to, int64_t now_ms);
/* Closes them all. What is under way is answered with NULL. */
void cache_nodes_close(struct cache_nodes *nodes);
bool cache_nodes_are_open(const struct cache_nodes *nodes); /* is any? */
const struct cache_end *
cache_nodes_lost(const struct cache_nodes *nodes); /* one that an account lives on; NULL: none */
void cache_nodes_lose(struct cache_nodes *nodes, const char *why);
const char *cache_nodes_sha(const struct cache_nodes *nodes); /* of the script; after ready() */

struct cache_command {
    uint32_t account;
    const char *what; /* for errors */
    char *text;       /* of redisFormatCommand(); taken over, sent or not */
    int bytes;        /* not positive: it could not be made */
    void (*answered)(void *self,
                     const redisReply *reply); /* NULL: none, or an error, which has ended the connection */
    void *self;
};
/* False: it was not sent, and there will be no answer. */
bool cache_nodes_send(struct cache_nodes *nodes, const struct cache_command *command, int64_t now_ms);

size_t cache_nodes_ends(struct cache_nodes *nodes, struct cache_end *out[CACHE_NODES_MAX]);
void cache_nodes_turn(struct cache_nodes *nodes, int64_t now_ms); /* after the ends' */
int64_t cache_nodes_next_ms(const struct cache_nodes *nodes);

#endif
