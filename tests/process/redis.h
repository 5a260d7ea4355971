/* redis.h — a Redis of the test's own, on a socket in a folder of its own and perhaps a port. */
#ifndef PROCESS_REDIS_H
#define PROCESS_REDIS_H

#include <hiredis/hiredis.h>

#include "program.h"

struct redis {
    struct program program;
    char folder[64], socket[96];
    char host[16]; /* "": 127.0.0.1 */
    uint16_t port; /* 0: only the socket */
};

/* Starts it, and waits until it answers. */
void redis_start(struct redis *redis);
/* The same on a port of 127.0.0.1, with more arguments (NULL last). */
void redis_start_with(struct redis *redis, uint16_t port, const char *const *more);
/* In two steps: its folder and the name of its log; then these arguments (NULL last) and no others, as often as
 * wanted. */
void redis_open(struct redis *redis, const char *name);
void redis_run(struct redis *redis, const char *const *arguments);
/* ... or those of a server that keeps nothing, at its host and port, and more (NULL: none). */
void redis_run_server(struct redis *redis, const char *const *more);
/* A Sentinel on a port of its own, that watches the master on that one under the name `main`; `more` lines of its
 * configuration. Two of three must agree. */
void redis_start_sentinel(struct redis *redis, uint16_t master_port, const char *more);
void redis_end(struct redis *redis);
/* A connection to it; fails the test if there is none. */
redisContext *redis_connect(const struct redis *redis);
/* A command that must not fail; the answer is the caller's, freeReplyObject(). */
redisReply *redis_ask(redisContext *context, const char *format, ...);

#endif
