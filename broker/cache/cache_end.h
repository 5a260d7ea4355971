/* cache_end.h — one connection to a Redis or a Sentinel: its name looked up, opened, logged in, given up when it does
 * not answer. Nothing here waits. What is sent over it is its user's. */
#ifndef LINEWARD_CACHE_END_H
#define LINEWARD_CACHE_END_H

#include <hiredis/async.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/cache/cache_bound.h"
#include "broker/cache/cache_name.h"
#include "lineward/redis_url.h"

#define CACHE_END_SILENT_MS 2000 /* so long without an answer that was due, and the connection is given up */

/* To what. Texts are lent for as long as the end is open, the host is copied. */
struct cache_end_to {
    const char *path; /* of a socket; NULL: */
    const struct redis_host *host;
    const char *user;          /* "": the default one */
    const char *password_file; /* NULL: no password */
    int db;
};

struct cache_end {
    void (*opened)(struct cache_end *end); /* commands may be sent from now on, though it is not connected yet */
    void *self;                            /* its user's, as the one above */

    redisAsyncContext *context; /* NULL: not opened yet, or not any more; its `data` is the end */
    struct cache_bound bound;   /* of its answers */
    struct cache_name *name;    /* being looked up */
    struct cache_end_to to;
    struct redis_host host;
    bool wants_write, is_lost;
    char problem[128]; /* why it is lost */
    unsigned waiting;  /* answers that are due ... */
    int64_t heard_ms;  /* ... and when one came last, or the first was asked for */
    int64_t now_ms;
    unsigned tries; /* so far: which of a name's addresses */
};

void cache_end_open(struct cache_end *end, const struct cache_end_to *to, int64_t now_ms);
/* Calls back what is under way, without an answer. Nothing happens if it is not open. */
void cache_end_close(struct cache_end *end);
bool cache_end_is_there(const struct cache_end *end); /* opened, or about to be */
/* It is of no use any more: `is_lost`. To be closed outside of callbacks. */
void cache_end_lose(struct cache_end *end, const char *why);

/* Something is sent now that will be answered. */
void cache_end_due(struct cache_end *end, int64_t now_ms);
/* In a callback, first of all: what was answered. NULL: nothing, the connection ends. */
const redisReply *cache_end_any_reply(struct cache_end *end, const void *data);
/* The same; an error as an answer (to `what`) ends the connection too. */
const redisReply *cache_end_reply(struct cache_end *end, const void *data, const char *what);

bool cache_end_fd(const struct cache_end *end, struct pollfd *out); /* false: there is nothing to wait for */
/* What has come, and what is due by the clock. */
void cache_end_turn(struct cache_end *end, short revents, int64_t now_ms);
int64_t cache_end_next_ms(const struct cache_end *end);

#endif
