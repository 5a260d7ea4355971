/* redis.c — see redis.h. */
#include "redis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/ports.h"
#include "tests/support/removal.h"

static const char *host_of(const struct redis *redis)
{
    return redis->host[0] == '\0' ? "127.0.0.1" : redis->host;
}

static redisContext *try_connect(const struct redis *redis)
{
    const struct timeval limit = {.tv_sec = 1};
    return redis->port != 0 ? redisConnectWithTimeout(host_of(redis), redis->port, limit) : redisConnectUnix(redis->socket);
}

static bool answers(const struct redis *redis)
{
    redisContext *context = try_connect(redis);
    redisReply *reply = context == NULL || context->err != 0 ? NULL : redisCommand(context, "PING");
    bool up = reply != NULL && (reply->type == REDIS_REPLY_STATUS || strstr(reply->str, "NOAUTH") != NULL);
    if (reply != NULL)
        freeReplyObject(reply);
    if (context != NULL)
        redisFree(context);
    return up;
}

void redis_open(struct redis *redis, const char *name)
{
    *redis = (struct redis){.program = {.name = "/usr/bin/redis-server"}};
    snprintf(redis->folder, sizeof redis->folder, "/tmp/lineward-redis-XXXXXX");
    MUST(mkdtemp(redis->folder) != NULL, "no folder for Redis");
    snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->folder);
    snprintf(redis->program.log, sizeof redis->program.log, "%s/%s.log", redis->folder, name);
}

static void add(const char **arguments, size_t *count, const char *const *more)
{
    for (; more != NULL && *more != NULL; more++) {
        MUST(*count < PROGRAM_ARGUMENTS_MAX, "too many arguments for Redis");
        arguments[(*count)++] = *more;
    }
}

void redis_run(struct redis *redis, const char *const *arguments)
{
    program_start(&redis->program, arguments);
    AWAIT(answers(redis), "Redis does not answer: %s, port %u", redis->socket, redis->port);
}

void redis_run_server(struct redis *redis, const char *const *more)
{
    char port[8];
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1] = {NULL};
    snprintf(port, sizeof port, "%u", redis->port);
    /* a master waits for its replicas, five seconds when they come and ten when it ends, unless it is told not to */
    const char *const usual[] = {"--port",
                                 port,
                                 "--bind",
                                 host_of(redis),
                                 "--unixsocket",
                                 redis->socket,
                                 "--save",
                                 "",
                                 "--appendonly",
                                 "no",
                                 "--dir",
                                 redis->folder,
                                 "--shutdown-timeout",
                                 "0",
                                 "--repl-diskless-sync-delay",
                                 "0",
                                 NULL};
    size_t count = 0;
    add(arguments, &count, usual);
    add(arguments, &count, more);
    redis_run(redis, arguments);
}

void redis_start_with(struct redis *redis, uint16_t port, const char *const *more)
{
    redis_open(redis, "redis");
    redis->port = port;
    redis_run_server(redis, more);
}

void redis_start(struct redis *redis)
{
    redis_start_with(redis, 0, NULL);
}

void redis_start_sentinel(struct redis *redis, uint16_t master_port, const char *more)
{
    char path[128];
    redis_open(redis, "sentinel");
    redis->port = port_free();
    snprintf(path, sizeof path, "%s/sentinel.conf", redis->folder);
    FILE *file = fopen(path, "w");
    MUST(redis->port != 0 && file != NULL, "no place for a Sentinel: %s", strerror(errno));
    fprintf(file,
            "port %u\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %u 2\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 4000\n%s",
            redis->port, redis->folder, master_port, more);
    MUST(fclose(file) == 0, "%s: %s", path, strerror(errno));
    const char *const arguments[] = {path, "--sentinel", NULL};
    redis_run(redis, arguments);
}

void redis_end(struct redis *redis)
{
    if (redis->program.pid != 0)
        program_kill(&redis->program); /* nobody reads what it leaves behind */
    program_forget(&redis->program);
    (void)folder_remove(redis->folder);
}

redisContext *redis_connect(const struct redis *redis)
{
    redisContext *context = try_connect(redis);
    MUST(context != NULL && context->err == 0, "no connection to Redis");
    return context;
}

redisReply *redis_ask(redisContext *context, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    redisReply *reply = redisvCommand(context, format, values);
    va_end(values);
    MUST(reply != NULL, "%s: %s", format, context->errstr);
    MUST(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
    return reply;
}
