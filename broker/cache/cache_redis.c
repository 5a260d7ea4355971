/* cache_redis.c — see cache_redis.h. */
#include "broker/cache/cache_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_cluster.h"
#include "broker/cache/cache_end.h"
#include "broker/cache/cache_nodes.h"
#include "broker/cache/cache_sentinel.h"
#include "lineward/redis_url.h"

#define RETRY_FIRST_MS 100
#define RETRY_CAP_MS   2000
#define BEAT_MS        1000 /* so often the one that listens says something, to hear whether it is still there */
#define READ_COUNT     "500"
#define TRIAL          "{\"what\":\"trial\"}" /* changes nothing but the clock: may we write here? */

struct cache_redis {
    struct cache_redis_options options;
    struct cache_nodes *nodes; /* which run the script */
    struct cache_end listens;
    struct cache_sentinel *sentinel; /* NULL: the address says where it is */
    struct redis_url url;
    struct redis_host target; /* where it is, or was looked for last */
    struct cache_end_to to;   /* the same, as whom */
    unsigned seed;            /* which of a Cluster's nodes is asked ... */
    unsigned seeds_lost;      /* ... and how many did not answer, in turn */
    char *password_file, *sentinel_password_file;
    size_t setup_left; /* answers before it is up: to each account's trial, and to the subscription */
    bool is_up, reading;
    char problem[256], told_problem[256];
    int64_t retry_ms, retry_at_ms, beat_at_ms;
    int64_t now_ms;
};

struct ask { /* what the answer to a command is for */
    struct cache_redis *redis;
    uint64_t tag;
    uint32_t account;
};

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
    return redis->listens.is_lost || cache_nodes_lost(redis->nodes) != NULL;
}

/* Opened, or about to be. */
static bool is_there(const struct cache_redis *redis)
{
    return cache_end_is_there(&redis->listens) || cache_nodes_are_open(redis->nodes);
}

static void lose(struct cache_redis *redis, const char *why)
{
    cache_end_lose(&redis->listens, why);
}

static void tell_down(struct cache_redis *redis, bool was_up)
{
    if (!was_up && strcmp(redis->problem, redis->told_problem) == 0)
        return; /* said already */
    memcpy(redis->told_problem, redis->problem, sizeof redis->told_problem);
    redis->options.told.down(redis->options.told.self);
}

static void say_problem(struct cache_redis *redis, const struct cache_end *lost)
{
    if (redis->url.kind == REDIS_SENTINEL || redis->url.kind == REDIS_CLUSTER)
        snprintf(redis->problem, sizeof redis->problem, "%s:%.80s:%u: %s",
                 redis->url.kind == REDIS_SENTINEL ? "the master" : "the Cluster's node", lost->host.name,
                 lost->host.port, lost->problem);
    else
        snprintf(redis->problem, sizeof redis->problem, "%s", lost->problem);
}

static void close_all(struct cache_redis *redis)
{
    const struct cache_end *lost = cache_nodes_lost(redis->nodes);
    bool was_up = redis->is_up;
    say_problem(redis, lost != NULL ? lost : &redis->listens);
    /* one of a Cluster's nodes that is not there says nothing about the Cluster */
    bool next_seed = redis->url.kind == REDIS_CLUSTER && lost == NULL && ++redis->seeds_lost < redis->url.host_count;
    redis->is_up = false;
    redis->seed++;
    cache_nodes_close(redis->nodes);
    cache_end_close(&redis->listens);
    if (next_seed && !was_up)
        return;
    redis->retry_at_ms = redis->now_ms + redis->retry_ms;
    redis->retry_ms = redis->retry_ms == 0                 ? RETRY_FIRST_MS
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
    if (redis->nodes != NULL)
        cache_nodes_free(&redis->nodes);
    cache_end_close(&redis->listens);
    cache_sentinel_free(&redis->sentinel);
    free(redis->password_file);
    free(redis->sentinel_password_file);
    free(redis);
}

static void on_ready(void *self);
static void on_moved(void *self, uint32_t account);
static void on_opened(struct cache_end *end);

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
    const struct cache_nodes_options nodes = {redis->url.kind == REDIS_CLUSTER, on_ready, on_moved, redis};
    failed |= (redis->nodes = cache_nodes_new(&nodes)) == NULL;
    redis->listens = (struct cache_end){.opened = on_opened, .self = redis};
    redis->to = (struct cache_end_to){.path = redis->url.kind == REDIS_UNIX ? redis->url.path : NULL,
                                      .host = &redis->target,
                                      .user = redis->url.user,
                                      .password_file = redis->password_file,
                                      .db = redis->url.db};
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

static bool send_script(struct cache_redis *redis, uint32_t account, const char *fact, size_t bytes,
                        void (*answered)(void *self, const redisReply *reply), void *self)
{
    const char *name = name_of(redis, account);
    struct cache_command command = {.account = account, .what = "the script", .answered = answered, .self = self};
#define KEY(what) CACHE_REDIS_PREFIX "{%s}:" what " "
    command.bytes = redisFormatCommand(&command.text,
                                       "EVALSHA %s 7 " KEY("lines") KEY("meta") KEY("events") KEY("poller") KEY("people")
                                           KEY("changed") KEY("ended") "%b " CACHE_REDIS_PREFIX "{%s}:news",
                                       cache_nodes_sha(redis->nodes), name, name, name, name, name, name, name, fact,
                                       bytes, name);
#undef KEY
    return cache_nodes_send(redis->nodes, &command, redis->now_ms);
}

static void step(struct cache_redis *redis)
{
    if (redis->setup_left == 0 || --redis->setup_left > 0)
        return;
    redis->is_up = true;
    redis->retry_ms = RETRY_FIRST_MS;
    redis->beat_at_ms = redis->now_ms + BEAT_MS;
    redis->options.told.up(redis->options.told.self);
}

/* A master may refuse writes: it has lost its replicas, its disk is full, its ACL knows us not. */
static void on_trial(void *self, const redisReply *reply)
{
    if (reply != NULL)
        step(self);
    else
        lose(self, "the script's trial went wrong"); /* unless it is lost for a better reason */
}

static void on_ready(void *self)
{
    struct cache_redis *redis = self;
    for (uint32_t a = 0; a < redis->options.account_count; a++)
        if (!send_script(redis, a, TRIAL, strlen(TRIAL), on_trial, redis))
            lose(redis, "the script cannot be sent");
}

static void on_moved(void *self, uint32_t account)
{
    const struct cache_redis *redis = self;
    redis->options.told.moved(redis->options.told.self, account);
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
    if (strcmp(kind->str, "message") == 0 && text->type == REDIS_REPLY_STRING)
        redis->options.told.changed(redis->options.told.self, account, text->str, text->len);
    if (strcmp(kind->str, "subscribe") != 0)
        return;
    (void)cache_end_any_reply(&redis->listens, reply);
    if (account == redis->options.account_count - 1)
        step(redis); /* the last one asked for: they are answered in order */
}

static void subscribe(struct cache_redis *redis, size_t account)
{
    cache_end_due(&redis->listens, redis->now_ms);
    redisAsyncCommand(redis->listens.context, on_news, redis, "SUBSCRIBE " CACHE_REDIS_PREFIX "{%s}:news",
                      name_of(redis, account));
}

static void subscribe_all(struct cache_redis *redis)
{
    for (size_t a = 0; a < redis->options.account_count; a++)
        subscribe(redis, a);
}

/* A subscription that is there already is answered all the same. */
static void beat(struct cache_redis *redis)
{
    redis->beat_at_ms = redis->now_ms + BEAT_MS;
    subscribe(redis, redis->options.account_count - 1);
}

/* Where does each account live? A channel is heard at every node. */
static void on_slots(redisAsyncContext *context, void *data, void *self)
{
    struct cache_redis *redis = self;
    const redisReply *reply = cache_end_reply(context->data, data, "CLUSTER SLOTS");
    struct cache_end_to to = redis->to;
    struct redis_host host;
    if (reply == NULL)
        return;
    to.host = &host;
    redis->seeds_lost = 0;
    for (uint32_t a = 0; a < redis->options.account_count; a++) {
        if (!cache_cluster_find(reply, cache_cluster_slot(name_of(redis, a)), &redis->target, &host)) {
            lose(redis, "no node has an account's slot");
            return;
        }
        if (!cache_nodes_place(redis->nodes, a, &to, redis->now_ms)) {
            lose(redis, "accounts on more than 16 nodes");
            return;
        }
    }
    subscribe_all(redis);
}

static void on_opened(struct cache_end *end)
{
    struct cache_redis *redis = end->self;
    if (redis->url.kind != REDIS_CLUSTER) {
        subscribe_all(redis);
        return;
    }
    cache_end_due(end, redis->now_ms);
    redisAsyncCommand(end->context, on_slots, redis, "CLUSTER SLOTS");
}

static void set_up(struct cache_redis *redis)
{
    redis->setup_left = redis->options.account_count + 1;
    if (redis->url.kind == REDIS_CLUSTER)
        redis->target = redis->url.hosts[redis->seed % redis->url.host_count];
    cache_end_open(&redis->listens, &redis->to, redis->now_ms);
    for (uint32_t a = 0; redis->url.kind != REDIS_CLUSTER && a < redis->options.account_count; a++)
        if (!cache_nodes_place(redis->nodes, a, &redis->to, redis->now_ms))
            lose(redis, "it cannot be connected to");
}

/* ---- the turn ---- */

/* Asks the Sentinels on, and whether they name another one than it is or was tried last. */
static bool is_elsewhere(struct cache_redis *redis)
{
    struct redis_host master;
    const char *why;
    cache_sentinel_turn(redis->sentinel, !redis->is_up, redis->now_ms);
    if (!cache_sentinel_master(redis->sentinel, &master, &why)) {
        if (why != NULL && !is_there(redis)) {
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
    out[count++] = &it->listens;
    count += cache_nodes_ends(redis->nodes, out + count);
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

void cache_redis_at(struct cache_redis *redis, struct instant now)
{
    redis->now_ms = now.mono_ms;
}

void cache_redis_turn(struct cache_redis *redis, struct instant now)
{
    cache_redis_at(redis, now);
    serve(redis);
    cache_nodes_turn(redis->nodes, now.mono_ms);
    if (redis->sentinel != NULL && is_elsewhere(redis)) {
        redis->retry_ms = 0;
        redis->retry_at_ms = now.mono_ms;
        if (is_there(redis))
            lose(redis, "the Sentinels name another one");
    }
    if (is_lost(redis))
        close_all(redis);
    else if (!is_there(redis) && may_open(redis))
        set_up(redis);
    else if (redis->is_up && now.mono_ms >= redis->beat_at_ms)
        beat(redis);
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
        next = time_sooner(next, cache_end_next_ms(ends[i]));
    next = time_sooner(next, cache_nodes_next_ms(redis->nodes));
    if (redis->is_up)
        next = time_sooner(next, redis->beat_at_ms);
    bool waits = !is_there(redis) && (redis->sentinel == NULL || redis->target.port != 0);
    return waits ? time_sooner(next, redis->retry_at_ms) : next;
}

/* ---- facts ---- */

static void on_answer(void *self, const redisReply *reply)
{
    struct ask ask = *(struct ask *)self;
    free(self);
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
    if (send_script(redis, account, fact, bytes, on_answer, ask))
        return true;
    free(ask);
    return false;
}

static void read_from(struct cache_redis *redis, struct ask *ask, const char *cursor);

static void on_lines(void *self, const redisReply *reply)
{
    struct ask *ask = self;
    struct cache_redis *redis = ask->redis;
    redis->reading = false;
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
    struct cache_command command = {.account = ask->account, .what = "HSCAN", .answered = on_lines, .self = ask};
    command.bytes = is_lost(redis) ? 0
                                   : redisFormatCommand(&command.text,
                                                        "HSCAN " CACHE_REDIS_PREFIX "{%s}:lines %s COUNT " READ_COUNT,
                                                        name_of(redis, ask->account), cursor);
    redis->reading = cache_nodes_send(redis->nodes, &command, redis->now_ms);
    if (!redis->reading)
        free(ask);
}

bool cache_redis_read(struct cache_redis *redis, uint32_t account, struct instant now)
{
    struct ask *ask = redis->is_up && !redis->reading ? new_ask(redis, account, 0) : NULL;
    redis->now_ms = now.mono_ms;
    if (ask == NULL)
        return false;
    read_from(redis, ask, "0");
    return true;
}
