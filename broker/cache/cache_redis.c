/* cache_redis.c — see cache_redis.h. */
#include "broker/cache/cache_redis.h"

#include <arpa/inet.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_line.h"
#include "lineward/conf.h"

#define RETRY_FIRST_MS 100
#define RETRY_CAP_MS   2000
#define HOST_MAX       256
#define SHA_MAX        41
#define READ_COUNT     "500"
#define SETUP_LEFT     3 /* replies that must come before it is up: the role, the script, the subscription */

struct end { /* of one connection, as hiredis sees it */
    struct cache_redis *redis;
    redisAsyncContext *context;
    bool wants_write;
};

struct cache_redis {
    struct cache_redis_options options;
    struct end runs, listens;
    char *url, *password_file;
    unsigned setup_left;
    bool is_up, is_lost; /* lost: to be closed at the end of the turn, outside of hiredis */
    char sha[SHA_MAX], problem[128], told_problem[128];
    unsigned waiting;            /* answers that are due ... */
    int64_t heard_ms;            /* ... and when one came last, or the first was asked for */
    int64_t retry_ms, retry_at_ms;
    int64_t now_ms;
};

struct ask { /* one command under way */
    struct cache_redis *redis;
    uint64_t tag;
    uint32_t account;
};

static const char *name_of(const struct cache_redis *redis, size_t account)
{
    return redis->options.accounts + account * redis->options.name_room;
}

struct cache_redis *cache_redis_new(const struct cache_redis_options *options)
{
    struct cache_redis *redis = calloc(1, sizeof *redis);
    if (redis == NULL)
        return NULL;
    redis->options = *options;
    redis->options.url = redis->url = strdup(options->url);
    if (options->password_file != NULL)
        redis->options.password_file = redis->password_file = strdup(options->password_file);
    if (redis->url == NULL || (options->password_file != NULL && redis->password_file == NULL))
        cache_redis_free(&redis);
    if (redis == NULL)
        return NULL;
    redis->runs.redis = redis->listens.redis = redis;
    redis->retry_ms = RETRY_FIRST_MS;
    snprintf(redis->problem, sizeof redis->problem, "not connected yet");
    return redis;
}

bool cache_redis_is_up(const struct cache_redis *redis)
{
    return redis->is_up;
}

const char *cache_redis_problem(const struct cache_redis *redis)
{
    return redis->problem;
}

/* ---- the two ends ---- */

static void add_write(void *data)
{
    ((struct end *)data)->wants_write = true;
}

static void del_write(void *data)
{
    ((struct end *)data)->wants_write = false;
}

static void nothing(void *data)
{
    (void)data;
}

static void lose(struct cache_redis *redis, const char *why)
{
    if (!redis->is_lost)
        snprintf(redis->problem, sizeof redis->problem, "%s", why == NULL || *why == '\0' ? "the connection ended" : why);
    redis->is_lost = true;
}

/* hiredis frees the context after this. */
static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct end *end = context->data;
    end->context = NULL;
    lose(end->redis, context->errstr);
    (void)status;
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct end *end = context->data;
    if (status == REDIS_OK)
        return;
    end->context = NULL;
    lose(end->redis, context->errstr);
}

static bool split(const char *rest, char host[HOST_MAX], int *port, int *db)
{
    size_t bytes = strcspn(rest, ":/");
    *port = 6379;
    *db = 0;
    if (bytes == 0 || bytes >= HOST_MAX)
        return false;
    snprintf(host, HOST_MAX, "%.*s", (int)bytes, rest);
    if (strcmp(host, "localhost") == 0) /* looking names up would hold the broker up */
        snprintf(host, HOST_MAX, "127.0.0.1");
    if (rest[bytes] == ':')
        *port = (int)strtol(rest + bytes + 1, NULL, 10);
    const char *slash = strchr(rest, '/');
    if (slash != NULL)
        *db = (int)strtol(slash + 1, NULL, 10);
    struct in_addr address;
    return inet_pton(AF_INET, host, &address) == 1;
}

static bool open_end(struct end *end, int *db)
{
    static const char unix_scheme[] = "redis+unix://", tcp_scheme[] = "redis://";
    const char *url = end->redis->options.url;
    char host[HOST_MAX];
    int port = 0;
    *db = 0;
    if (strncmp(url, unix_scheme, sizeof unix_scheme - 1) == 0)
        end->context = redisAsyncConnectUnix(url + sizeof unix_scheme - 1);
    else if (strncmp(url, tcp_scheme, sizeof tcp_scheme - 1) == 0 && split(url + sizeof tcp_scheme - 1, host, &port, db))
        end->context = redisAsyncConnect(host, port);
    if (end->context == NULL)
        return false;
    if (end->context->err != 0) {
        lose(end->redis, end->context->errstr);
        redisAsyncFree(end->context);
        end->context = NULL;
        return false;
    }
    end->context->data = end;
    end->context->ev.data = end;
    end->context->ev.addRead = end->context->ev.delRead = end->context->ev.cleanup = nothing;
    end->context->ev.addWrite = add_write;
    end->context->ev.delWrite = del_write;
    end->wants_write = true; /* the end of connecting shows as writable */
    redisAsyncSetConnectCallback(end->context, on_connect);
    redisAsyncSetDisconnectCallback(end->context, on_disconnect);
    return true;
}

static void close_end(struct end *end)
{
    redisAsyncContext *context = end->context;
    end->context = NULL;
    if (context != NULL)
        redisAsyncFree(context); /* calls back what is under way, without an answer */
}

static void close_both(struct cache_redis *redis)
{
    bool was_up = redis->is_up;
    redis->is_up = false;
    close_end(&redis->runs);
    close_end(&redis->listens);
    redis->is_lost = false;
    redis->waiting = 0;
    redis->retry_at_ms = redis->now_ms + redis->retry_ms;
    redis->retry_ms = redis->retry_ms == 0                ? RETRY_FIRST_MS
                      : redis->retry_ms * 2 > RETRY_CAP_MS ? RETRY_CAP_MS
                                                           : redis->retry_ms * 2;
    if (!was_up && strcmp(redis->problem, redis->told_problem) == 0)
        return; /* said already */
    memcpy(redis->told_problem, redis->problem, sizeof redis->told_problem);
    redis->options.told.down(redis->options.told.self);
}

void cache_redis_free(struct cache_redis **redis_p)
{
    struct cache_redis *redis = *redis_p;
    *redis_p = NULL;
    if (redis == NULL)
        return;
    close_end(&redis->runs);
    close_end(&redis->listens);
    free(redis->url);
    free(redis->password_file);
    free(redis);
}

void cache_redis_follow(struct cache_redis *redis, size_t account_count)
{
    redis->options.account_count = account_count;
    redis->retry_ms = 0;
    lose(redis, "there are other accounts");
}

/* ---- setting up ---- */

static const redisReply *good(struct cache_redis *redis, const void *data, const char *what)
{
    const redisReply *reply = data;
    redis->heard_ms = redis->now_ms;
    if (redis->waiting > 0)
        redis->waiting--;
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return reply;
    char why[120];
    snprintf(why, sizeof why, "%s: %s", what, reply->str);
    lose(redis, why);
    return NULL;
}

static void due(struct cache_redis *redis)
{
    if (redis->waiting++ == 0)
        redis->heard_ms = redis->now_ms;
}

static void step(struct cache_redis *redis)
{
    if (redis->setup_left == 0 || --redis->setup_left > 0)
        return;
    redis->is_up = true;
    redis->retry_ms = RETRY_FIRST_MS;
    redis->options.told.up(redis->options.told.self);
}

static void on_plain(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    (void)good(self, data, "refused");
}

/* After a failover the old master may still answer, as a replica or about to be one. */
static void on_role(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    const redisReply *reply = good(self, data, "ROLE");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || reply->element[0]->type != REDIS_REPLY_STRING ||
        strcmp(reply->element[0]->str, "master") != 0)
        lose(self, "it is no master");
    else
        step(self);
}

static void on_script(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    struct cache_redis *redis = self;
    const redisReply *reply = good(redis, data, "SCRIPT LOAD");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STRING || reply->len + 1 != SHA_MAX) {
        lose(redis, "it takes no script");
        return;
    }
    memcpy(redis->sha, reply->str, SHA_MAX);
    step(redis);
}

static uint32_t account_of_channel(const struct cache_redis *redis, const char *channel)
{
    char expected[NAME_MAX_BYTES + 32];
    for (uint32_t a = 0; a < redis->options.account_count; a++) {
        snprintf(expected, sizeof expected, CACHE_REDIS_PREFIX "{%s}:news", name_of(redis, a));
        if (strcmp(channel, expected) == 0)
            return a;
    }
    return UINT32_MAX;
}

static void on_news(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    struct cache_redis *redis = self;
    const redisReply *reply = data;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return;
    const redisReply *kind = reply->element[0], *channel = reply->element[1], *text = reply->element[2];
    uint32_t account = channel->type == REDIS_REPLY_STRING ? account_of_channel(redis, channel->str) : UINT32_MAX;
    if (account == UINT32_MAX || kind->type != REDIS_REPLY_STRING)
        return;
    if (strcmp(kind->str, "subscribe") == 0 && account == redis->options.account_count - 1)
        step(redis); /* the last one asked for: they are answered in order */
    else if (strcmp(kind->str, "message") == 0 && text->type == REDIS_REPLY_STRING)
        redis->options.told.changed(redis->options.told.self, account, text->str, text->len);
}

static void log_in(struct cache_redis *redis, struct end *end, const char *password, int db)
{
    if (password != NULL) {
        due(redis);
        redisAsyncCommand(end->context, on_plain, redis, "AUTH %s", password);
    }
    if (db != 0) {
        due(redis);
        redisAsyncCommand(end->context, on_plain, redis, "SELECT %d", db);
    }
}

static void set_up(struct cache_redis *redis)
{
    int db = 0;
    char *password = NULL;
    redis->setup_left = SETUP_LEFT;
    if (redis->options.password_file != NULL) {
        password = conf_read_secret(redis->options.password_file);
        if (password == NULL)
            lose(redis, "cache.redis_password_file cannot be read");
    }
    bool opened = !redis->is_lost && open_end(&redis->runs, &db) && open_end(&redis->listens, &db);
    if (!opened) {
        lose(redis, "this address cannot be connected to");
        free(password);
        return;
    }
    log_in(redis, &redis->runs, password, db);
    log_in(redis, &redis->listens, password, db);
    free(password);
    due(redis);
    redisAsyncCommand(redis->runs.context, on_role, redis, "ROLE");
    due(redis);
    redisAsyncCommand(redis->runs.context, on_script, redis, "SCRIPT LOAD %s", cache_script);
    for (size_t a = 0; a < redis->options.account_count; a++)
        redisAsyncCommand(redis->listens.context, on_news, redis, "SUBSCRIBE " CACHE_REDIS_PREFIX "{%s}:news",
                          name_of(redis, a));
}

/* ---- the turn ---- */

static void serve(struct end *end)
{
    if (end->context == NULL)
        return;
    struct pollfd fd = {.fd = end->context->c.fd, .events = (short)(POLLIN | (end->wants_write ? POLLOUT : 0))};
    if (poll(&fd, 1, 0) <= 0)
        return;
    if ((fd.revents & POLLOUT) != 0)
        redisAsyncHandleWrite(end->context);
    if (end->context != NULL && (fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        redisAsyncHandleRead(end->context);
}

void cache_redis_turn(struct cache_redis *redis, struct instant now)
{
    redis->now_ms = now.mono_ms;
    if (redis->runs.context == NULL && now.mono_ms >= redis->retry_at_ms)
        set_up(redis);
    serve(&redis->runs);
    serve(&redis->listens);
    if (redis->waiting > 0 && now.mono_ms - redis->heard_ms > CACHE_REDIS_SILENT_MS)
        lose(redis, "it does not answer");
    if (redis->is_lost)
        close_both(redis);
}

size_t cache_redis_fds(const struct cache_redis *redis, struct pollfd out[CACHE_REDIS_FDS])
{
    const struct end *const ends[] = {&redis->runs, &redis->listens};
    size_t count = 0;
    for (size_t i = 0; i < CACHE_REDIS_FDS; i++)
        if (ends[i]->context != NULL)
            out[count++] = (struct pollfd){.fd = ends[i]->context->c.fd,
                                           .events = (short)(POLLIN | (ends[i]->wants_write ? POLLOUT : 0))};
    return count;
}

int64_t cache_redis_next_mono_ms(const struct cache_redis *redis)
{
    if (redis->runs.context == NULL)
        return redis->retry_at_ms;
    return redis->waiting > 0 ? redis->heard_ms + CACHE_REDIS_SILENT_MS + 1 : TIME_NEVER;
}

/* ---- facts ---- */

static void on_answer(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    struct ask ask = *(struct ask *)self;
    free(self);
    const redisReply *reply = good(ask.redis, data, "the script");
    bool text = reply != NULL && reply->type == REDIS_REPLY_STRING;
    ask.redis->options.told.answered(ask.redis->options.told.self, ask.tag, text ? reply->str : NULL,
                                     text ? reply->len : 0);
}

static struct ask *new_ask(struct cache_redis *redis, uint32_t account, uint64_t tag)
{
    struct ask *ask = malloc(sizeof *ask);
    if (ask != NULL)
        *ask = (struct ask){.redis = redis, .account = account, .tag = tag};
    return ask;
}

bool cache_redis_run(struct cache_redis *redis, uint32_t account, const char *fact, size_t bytes, uint64_t tag,
                     struct instant now)
{
    const char *name = name_of(redis, account);
    struct ask *ask = redis->is_up && !redis->is_lost ? new_ask(redis, account, tag) : NULL;
    if (ask == NULL)
        return false;
    redis->now_ms = now.mono_ms;
    int sent = redisAsyncCommand(redis->runs.context, on_answer, ask,
                                 "EVALSHA %s 4 " CACHE_REDIS_PREFIX "{%s}:lines " CACHE_REDIS_PREFIX
                                 "{%s}:meta " CACHE_REDIS_PREFIX "{%s}:events " CACHE_REDIS_PREFIX
                                 "{%s}:poller %b " CACHE_REDIS_PREFIX "{%s}:news",
                                 redis->sha, name, name, name, name, fact, bytes, name);
    if (sent != REDIS_OK) {
        free(ask);
        return false;
    }
    due(redis);
    return true;
}

static void read_from(struct cache_redis *redis, struct ask *ask, const char *cursor);

static void on_lines(redisAsyncContext *context, void *data, void *self)
{
    (void)context;
    struct ask *ask = self;
    struct cache_redis *redis = ask->redis;
    const redisReply *reply = good(redis, data, "HSCAN");
    bool whole = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                 reply->element[0]->type == REDIS_REPLY_STRING && reply->element[1]->type == REDIS_REPLY_ARRAY;
    for (size_t i = 1; whole && i < reply->element[1]->elements; i += 2) {
        const redisReply *value = reply->element[1]->element[i];
        if (value->type == REDIS_REPLY_STRING)
            redis->options.told.line(redis->options.told.self, ask->account, value->str, value->len);
    }
    if (whole && strcmp(reply->element[0]->str, "0") != 0)
        read_from(redis, ask, reply->element[0]->str);
    else
        free(ask);
}

static void read_from(struct cache_redis *redis, struct ask *ask, const char *cursor)
{
    int sent = redis->is_lost ? REDIS_ERR
                              : redisAsyncCommand(redis->runs.context, on_lines, ask,
                                                  "HSCAN " CACHE_REDIS_PREFIX "{%s}:lines %s COUNT " READ_COUNT,
                                                  name_of(redis, ask->account), cursor);
    if (sent == REDIS_OK)
        due(redis);
    else
        free(ask);
}

void cache_redis_read(struct cache_redis *redis, uint32_t account, struct instant now)
{
    struct ask *ask = redis->is_up ? new_ask(redis, account, 0) : NULL;
    redis->now_ms = now.mono_ms;
    if (ask != NULL)
        read_from(redis, ask, "0");
}
