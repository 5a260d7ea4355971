/* redis.h — a Redis of the test's own, on a socket in a folder of its own. */
#ifndef PROCESS_REDIS_H
#define PROCESS_REDIS_H

#include <hiredis/hiredis.h>

#include "program.h"

struct redis {
    struct program program;
    char folder[64], socket[96];
};

/* Starts it, and waits until it answers. */
void redis_start(struct redis *redis);
void redis_end(struct redis *redis);
/* A connection to it; fails the test if there is none. */
redisContext *redis_connect(const struct redis *redis);

#endif
