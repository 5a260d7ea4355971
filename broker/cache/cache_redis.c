/* cache_redis.c — see cache_redis.h. */
#include "broker/cache/cache_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_end.h"
#include "broker/cache/cache_line.h"
#include "broker/cache/cache_sentinel.h"
#include "lineward/redis_url.h"

#define RETRY_FIRST_MS 100
#define RETRY_CAP_MS   2000
#define SHA_MAX        41
#define READ_COUNT     "500"
#define SETUP_LEFT     3 /* replies that must come before it is up: the role, the script's trial, the subscription */
#define TRIAL          "{\"what\":\"trial\"}" /* changes nothing but the clock: may we write here? */

struct cache_redis {
    struct cache_redis_options options;
    struct cache_end runs, listens;
    struct cache_sentinel *sentinel; /* NULL: the address says where it is */
    struct redis_url url;
    struct redis_host target; /* where it is, or was looked for last */
    char *password_file, *sentinel_password_file;
    unsigned setup_left;
    bool is_up;
    char sha[SHA_MAX], problem[256], told_problem[256];
    int64_t retry_ms, retry_at_ms;
    int64_t now_ms;
};

struct ask { /* one command under way */
    struct cache_redis *redis;
    uint64_t tag;
    uint32_t account;
};

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const char *name_of(const struct cache_redis *redis, size_t account)
{
    return redis->options.accounts + account * redis->options.name_room;
}

bool cache_redis_is_up(const struct cache_redis *redis)
{
    return redis->is_up;
}

const char *cache_redis_problem(const struct cache_redis *redis)
{
    return redis->problem;
}

static bool is_lost(const struct cache_redis *redis)
{
    return redis->runs.is_lost || redis->listens.is_lost;
}

static void lose(struct cache_redis *redis, const char *why)
{
    cache_end_lose(&redis->runs, why);
}

static void tell_down(struct cache_redis *redis, bool was_up)
{
    if (!was_up && strcmp(redis->problem, redis->told_problem) == 0)
        return; /* said already */
    memcpy(redis->told_problem, redis->problem, sizeof redis->told_problem);
    redis->options.told.down(redis->options.told.self);
}

static void close_both(struct cache_redis *redis)
{
    bool was_up = redis->is_up;
    const struct cache_end *lost = redis->runs.is_lost ? &redis->runs : &redis->listens;
    if (redis->sentinel != NULL)
        snprintf(redis->problem, sizeof redis->problem, "%.80s:%u, the master: %s", redis->target.name,
                 redis->target.port, lost->problem);
    else
        snprintf(redis->problem, sizeof redis->problem, "%s", lost->problem);
    redis->is_up = false;
    cache_end_close(&redis->runs);
    cache_end_close(&redis->listens);
    redis->retry_at_ms = redis->now_ms + redis->retry_ms;
    redis->retry_ms = redis->retry_ms == 0                ? RETRY_FIRST_MS
                      : redis->retry_ms * 2 > RETRY_CAP_MS ? RETRY_CAP_MS
                                                           : redis->retry_ms * 2;
    tell_down(redis, was_up);
}

void cache_redis_free(struct cache_redis **redis_p)
{
    struct cache_redis *redis = *redis_p;
    *redis_p = NULL;
    if (redis == NULL)
        return;
    cache_end_close(&redis->runs);
    cache_end_close(&redis->listens);
    cache_sentinel_free(&redis->sentinel);
    free(redis->password_file);
    free(redis->sentinel_password_file);
    free(redis);
}

static void on_opened_runs(struct cache_end *end);
static void on_opened_listens(struct cache_end *end);

static char *copy(const char *text, bool *failed)
{
    char *out = text == NULL ? NULL : strdup(text);
    *failed |= text != NULL && out == NULL;
    return out;
}

struct cache_redis *cache_redis_new(const struct cache_redis_options *options)
{
    struct cache_redis *redis = calloc(1, sizeof *redis);
    const char *why;
    bool failed = false;
    if (redis == NULL)
        return NULL;
    redis->options = *options;
    redis->password_file = copy(options->password_file, &failed);
    redis->sentinel_password_file = copy(options->sentinel_password_file, &failed);
    failed |= !redis_url_parse(options->url, &redis->url, &why);
    if (redis->url.kind == REDIS_SENTINEL)
        failed |= (redis->sentinel = cache_sentinel_new(&redis->url, redis->sentinel_password_file)) == NULL;
    else
        redis->target = redis->url.hosts[0];
    redis->runs = (struct cache_end){.opened = on_opened_runs, .self = redis};
    redis->listens = (struct cache_end){.opened = on_opened_listens, .self = redis};
    redis->retry_ms = RETRY_FIRST_MS;
    snprintf(redis->problem, sizeof redis->problem, "not connected yet");
    if (failed)
        cache_redis_free(&redis);
    return redis;
}

void cache_redis_follow(struct cache_redis *redis, size_t account_count)
{
    redis->options.account_count = account_count;
    redis->retry_ms = 0;
    lose(redis, "there are other accounts");
}

/* ---- setting up ---- */

static int send_script(struct cache_redis *redis, uint32_t account, const char *fact, size_t bytes,
                       redisCallbackFn *answered, void *self)
{
    const char *name = name_of(redis, account);
    int sent = redisAsyncCommand(redis->runs.context, answered, self,
                                 "EVALSHA %s 4 " CACHE_REDIS_PREFIX "{%s}:lines " CACHE_REDIS_PREFIX
                                 "{%s}:meta " CACHE_REDIS_PREFIX "{%s}:events " CACHE_REDIS_PREFIX
                                 "{%s}:poller %b " CACHE_REDIS_PREFIX "{%s}:news",
                                 redis->sha, name, name, name, name, fact, bytes, name);
    if (sent == REDIS_OK)
        cache_end_due(&redis->runs, redis->now_ms);
    return sent;
}

static void step(struct cache_redis *redis)
{
    if (redis->setup_left == 0 || --redis->setup_left > 0)
        return;
    redis->is_up = true;
    redis->retry_ms = RETRY_FIRST_MS;
    redis->options.told.up(redis->options.told.self);
}

/* After a failover the old master may still answer, as a replica or about to be one. */
static void on_role(redisAsyncContext *context, void *data, void *self)
{
    const redisReply *reply = cache_end_reply(context->data, data, "ROLE");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || reply->element[0]->type != REDIS_REPLY_STRING ||
        strcmp(reply->element[0]->str, "master") != 0)
        lose(self, "it is no master");
    else
        step(self);
}

/* A master may refuse writes: it has lost its replicas, its disk is full, its ACL knows us not. */
static void on_trial(redisAsyncContext *context, void *data, void *self)
{
    if (cache_end_reply(context->data, data, "the script") != NULL)
        step(self);
}

static void on_script(redisAsyncContext *context, void *data, void *self)
{
    struct cache_redis *redis = self;
    struct cache_end *end = context->data;
    const redisReply *reply = cache_end_reply(end, data, "SCRIPT LOAD");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STRING || reply->len + 1 != SHA_MAX) {
        lose(redis, "it takes no script");
        return;
    }
    memcpy(redis->sha, reply->str, SHA_MAX);
    cache_end_due(end, redis->now_ms);
    send_script(redis, 0, TRIAL, strlen(TRIAL), on_trial, redis);
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

static void on_opened_runs(struct cache_end *end)
{
    struct cache_redis *redis = end->self;
    cache_end_due(end, redis->now_ms);
    redisAsyncCommand(end->context, on_role, redis, "ROLE");
    cache_end_due(end, redis->now_ms);
    redisAsyncCommand(end->context, on_script, redis, "SCRIPT LOAD %s", cache_script);
}

static void on_opened_listens(struct cache_end *end)
{
    struct cache_redis *redis = end->self;
    for (size_t a = 0; a < redis->options.account_count; a++)
        redisAsyncCommand(end->context, on_news, redis, "SUBSCRIBE " CACHE_REDIS_PREFIX "{%s}:news",
                          name_of(redis, a));
}

static void set_up(struct cache_redis *redis)
{
    const struct cache_end_to to = {.path = redis->url.kind == REDIS_UNIX ? redis->url.path : NULL,
                                    .host = &redis->target,
                                    .user = redis->url.user,
                                    .password_file = redis->password_file,
                                    .db = redis->url.db};
    redis->setup_left = SETUP_LEFT;
    cache_end_open(&redis->runs, &to, redis->now_ms);
    cache_end_open(&redis->listens, &to, redis->now_ms);
}

/* ---- the turn ---- */

/* Asks the Sentinels on, and whether they name another one than it is or was tried last. */
static bool is_elsewhere(struct cache_redis *redis)
{
    struct redis_host master;
    const char *why;
    cache_sentinel_turn(redis->sentinel, !redis->is_up, redis->now_ms);
    if (!cache_sentinel_master(redis->sentinel, &master, &why)) {
        if (why != NULL && !cache_end_is_there(&redis->runs)) {
            snprintf(redis->problem, sizeof redis->problem, "%s", why);
            tell_down(redis, false);
        }
        return false;
    }
    if (master.port == redis->target.port && strcmp(master.name, redis->target.name) == 0)
        return false;
    redis->target = master;
    return true;
}

static bool may_open(const struct cache_redis *redis)
{
    return redis->now_ms >= redis->retry_at_ms && (redis->sentinel == NULL || redis->target.port != 0);
}

static size_t all_ends(const struct cache_redis *redis, struct cache_end *out[CACHE_REDIS_FDS])
{
    struct cache_redis *it = (struct cache_redis *)redis;
    size_t count = 0;
    out[count++] = &it->runs;
    out[count++] = &it->listens;
    return redis->sentinel == NULL ? count : count + cache_sentinel_ends(redis->sentinel, out + count);
}

/* One call of the system for all. */
static void serve(struct cache_redis *redis)
{
    struct cache_end *ends[CACHE_REDIS_FDS];
    struct pollfd fds[CACHE_REDIS_FDS];
    size_t count = all_ends(redis, ends);
    for (size_t i = 0; i < count; i++)
        if (!cache_end_fd(ends[i], &fds[i]))
            fds[i] = (struct pollfd){.fd = -1};
    if (poll(fds, count, 0) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        cache_end_turn(ends[i], fds[i].revents, redis->now_ms);
}

void cache_redis_turn(struct cache_redis *redis, struct instant now)
{
    redis->now_ms = now.mono_ms;
    serve(redis);
    if (redis->sentinel != NULL && is_elsewhere(redis)) {
        redis->retry_ms = 0;
        if (cache_end_is_there(&redis->runs))
            lose(redis, "the Sentinels name another one");
        else
            redis->retry_at_ms = redis->now_ms;
    }
    if (is_lost(redis))
        close_both(redis);
    else if (!cache_end_is_there(&redis->runs) && may_open(redis))
        set_up(redis);
}

size_t cache_redis_fds(const struct cache_redis *redis, struct pollfd out[CACHE_REDIS_FDS])
{
    struct cache_end *ends[CACHE_REDIS_FDS];
    size_t count = 0, all = all_ends(redis, ends);
    for (size_t i = 0; i < all; i++)
        count += cache_end_fd(ends[i], &out[count]);
    return count;
}

int64_t cache_redis_next_mono_ms(const struct cache_redis *redis)
{
    struct cache_end *ends[CACHE_REDIS_FDS];
    int64_t next = redis->sentinel == NULL ? TIME_NEVER : cache_sentinel_next_ms(redis->sentinel);
    size_t all = all_ends(redis, ends);
    for (size_t i = 0; i < all; i++)
        next = sooner(next, cache_end_next_ms(ends[i]));
    bool waits = !cache_end_is_there(&redis->runs) && (redis->sentinel == NULL || redis->target.port != 0);
    return waits ? sooner(next, redis->retry_at_ms) : next;
}

/* ---- facts ---- */

static void on_answer(redisAsyncContext *context, void *data, void *self)
{
    struct ask ask = *(struct ask *)self;
    free(self);
    const redisReply *reply = cache_end_reply(context->data, data, "the script");
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
    struct ask *ask = redis->is_up && !is_lost(redis) ? new_ask(redis, account, tag) : NULL;
    if (ask == NULL)
        return false;
    redis->now_ms = now.mono_ms;
    if (send_script(redis, account, fact, bytes, on_answer, ask) == REDIS_OK)
        return true;
    free(ask);
    return false;
}

static void read_from(struct cache_redis *redis, struct ask *ask, const char *cursor);

static void on_lines(redisAsyncContext *context, void *data, void *self)
{
    struct ask *ask = self;
    struct cache_redis *redis = ask->redis;
    const redisReply *reply = cache_end_reply(context->data, data, "HSCAN");
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
    int sent = is_lost(redis) ? REDIS_ERR
                              : redisAsyncCommand(redis->runs.context, on_lines, ask,
                                                  "HSCAN " CACHE_REDIS_PREFIX "{%s}:lines %s COUNT " READ_COUNT,
                                                  name_of(redis, ask->account), cursor);
    if (sent == REDIS_OK)
        cache_end_due(&redis->runs, redis->now_ms);
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
