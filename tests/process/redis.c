/* redis.c — see redis.h. */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool answers(const struct redis *redis)
{
    redisContext *context = redisConnectUnix(redis->socket);
    redisReply *reply = context == NULL || context->err != 0 ? NULL : redisCommand(context, "PING");
    bool up = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    if (reply != NULL)
        freeReplyObject(reply);
    if (context != NULL)
        redisFree(context);
    return up;
}

void redis_start(struct redis *redis)
{
    snprintf(redis->folder, sizeof redis->folder, "/tmp/lineward-redis-XXXXXX");
    MUST(mkdtemp(redis->folder) != NULL, "no folder for Redis");
    snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->folder);
    redis->program = (struct program){.name = "/usr/bin/redis-server"};
    snprintf(redis->program.log, sizeof redis->program.log, "%s/log", redis->folder);
    const char *const arguments[] = {"--port",     "0",  "--unixsocket", redis->socket, "--save", "", "--appendonly",
                                     "no",         "--dir", redis->folder, NULL};
    program_start(&redis->program, arguments);
    AWAIT(answers(redis), "Redis does not answer on %s", redis->socket);
}

void redis_end(struct redis *redis)
{
    program_end(&redis->program);
    unlink(redis->socket);
    unlink(redis->program.log);
    rmdir(redis->folder);
}

redisContext *redis_connect(const struct redis *redis)
{
    redisContext *context = redisConnectUnix(redis->socket);
    MUST(context != NULL && context->err == 0, "no connection to Redis");
    return context;
}
