/* cache_sentinel.c — see cache_sentinel.h. */
#include "broker/cache/cache_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_end.h"
#include "lineward/clock.h"

#define ASK_MS   1000 /* so often is each of them asked ... */
#define HURRY_MS 200  /* ... and while there is no master */
#define OPEN_MS  1000 /* so often is one tried that is away */
#define FRESH_MS 3000 /* an answer that is older is none */
#define WAIT_MS  300  /* after the first answer, for those of the others */

struct sentinel {
    struct cache_end end;
    int64_t open_at_ms, ask_at_ms;
    bool asked; /* and not answered yet */
    bool knows; /* since `at_ms`: */
    int64_t at_ms;
    int64_t epoch;
    struct redis_host master;
};

struct cache_sentinel {
    const struct redis_url *url;
    const char *password_file;
    struct sentinel all[REDIS_HOSTS_MAX];
    int64_t now_ms, first_ms; /* first: since when there is an answer */
    bool decided;
    struct redis_host master;
    char why[160];
};

/* ---- what they answer ---- */

static struct cache_sentinel *user_of(const redisAsyncContext *context)
{
    return ((struct cache_end *)context->data)->self;
}

static struct sentinel *one_of(const redisAsyncContext *context)
{
    struct cache_sentinel *sentinel = user_of(context);
    size_t i = 0;
    while (&sentinel->all[i].end != context->data)
        i++;
    return &sentinel->all[i];
}

/* A string, as one of `reply`'s elements. */
static const char *string_at(const redisReply *reply, size_t i)
{
    bool is_there = i < reply->elements && reply->element[i]->type == REDIS_REPLY_STRING;
    return is_there ? reply->element[i]->str : NULL;
}

/* SENTINEL MASTER: names and values in turn. */
static void on_epoch(redisAsyncContext *context, void *data, void *self)
{
    struct sentinel *one = one_of(context);
    const redisReply *reply = cache_end_reply(&one->end, data, self);
    if (reply == NULL)
        return;
    one->epoch = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const char *name = string_at(reply, i), *value = string_at(reply, i + 1);
        if (name != NULL && value != NULL && strcmp(name, "config-epoch") == 0)
            one->epoch = (int64_t)strtoll(value, NULL, 10);
    }
}

static void on_address(redisAsyncContext *context, void *data, void *self)
{
    struct sentinel *one = one_of(context);
    const redisReply *reply = cache_end_reply(&one->end, data, self);
    one->asked = false;
    if (reply == NULL)
        return;
    const char *host = reply->type == REDIS_REPLY_ARRAY ? string_at(reply, 0) : NULL;
    const char *port = reply->type == REDIS_REPLY_ARRAY ? string_at(reply, 1) : NULL;
    long number = port == NULL ? 0 : strtol(port, NULL, 10);
    one->knows =
        host != NULL && *host != '\0' && strlen(host) <= REDIS_HOST_MAX_BYTES && number > 0 && number <= 65535;
    if (!one->knows) {
        cache_end_lose(&one->end, "it knows no master of that name");
        return;
    }
    one->at_ms = one->end.now_ms;
    one->master.port = (uint16_t)number;
    memcpy(one->master.name, host, strlen(host) + 1);
}

/* ---- asking ---- */

static void ask(struct cache_sentinel *sentinel, struct sentinel *one, int64_t after_ms)
{
    static char what[] = "SENTINEL";
    one->asked = true;
    one->ask_at_ms = sentinel->now_ms + after_ms;
    cache_end_due(&one->end, sentinel->now_ms);
    redisAsyncCommand(one->end.context, on_epoch, what, "SENTINEL MASTER %s", sentinel->url->master);
    cache_end_due(&one->end, sentinel->now_ms);
    redisAsyncCommand(one->end.context, on_address, what, "SENTINEL GET-MASTER-ADDR-BY-NAME %s",
                      sentinel->url->master);
}

static void on_opened(struct cache_end *end)
{
    (void)end; /* asked in the turn */
}

static void open_one(struct cache_sentinel *sentinel, struct sentinel *one, const struct redis_host *host)
{
    const struct cache_end_to to = {.host = host, .user = "", .password_file = sentinel->password_file};
    one->asked = false;
    one->open_at_ms = sentinel->now_ms + OPEN_MS;
    one->ask_at_ms = 0;
    cache_end_open(&one->end, &to, sentinel->now_ms);
}

static void turn_one(struct cache_sentinel *sentinel, size_t i, bool hurry)
{
    struct sentinel *one = &sentinel->all[i];
    if (one->end.is_lost) {
        snprintf(sentinel->why, sizeof sentinel->why, "the Sentinel at %.60s: %.80s", sentinel->url->hosts[i].name,
                 one->end.problem);
        cache_end_close(&one->end);
    }
    if (!cache_end_is_there(&one->end)) {
        if (sentinel->now_ms >= one->open_at_ms)
            open_one(sentinel, one, &sentinel->url->hosts[i]);
        return;
    }
    int64_t after_ms = hurry ? HURRY_MS : ASK_MS;
    if (one->ask_at_ms > sentinel->now_ms + after_ms)
        one->ask_at_ms = sentinel->now_ms + after_ms;
    if (one->end.context != NULL && !one->asked && sentinel->now_ms >= one->ask_at_ms)
        ask(sentinel, one, after_ms);
}

/* ---- what follows from it ---- */

static bool is_fresh(const struct cache_sentinel *sentinel, const struct sentinel *one)
{
    return one->knows && sentinel->now_ms - one->at_ms <= FRESH_MS;
}

static void decide(struct cache_sentinel *sentinel)
{
    const struct sentinel *best = NULL;
    size_t fresh = 0;
    for (size_t i = 0; i < sentinel->url->host_count; i++) {
        const struct sentinel *one = &sentinel->all[i];
        if (!is_fresh(sentinel, one))
            continue;
        fresh++;
        if (best == NULL || one->epoch > best->epoch)
            best = one;
    }
    if (best == NULL) {
        sentinel->decided = false;
        sentinel->first_ms = TIME_NEVER;
        return;
    }
    if (sentinel->first_ms == TIME_NEVER)
        sentinel->first_ms = sentinel->now_ms;
    if (fresh < sentinel->url->host_count && sentinel->now_ms < sentinel->first_ms + WAIT_MS)
        return;
    sentinel->decided = true;
    sentinel->master = best->master;
}

bool cache_sentinel_master(const struct cache_sentinel *sentinel, struct redis_host *out, const char **why)
{
    *why = sentinel->why[0] == '\0' ? NULL : sentinel->why;
    if (sentinel->decided)
        *out = sentinel->master;
    return sentinel->decided;
}

void cache_sentinel_turn(struct cache_sentinel *sentinel, bool hurry, int64_t now_ms)
{
    sentinel->now_ms = now_ms;
    for (size_t i = 0; i < sentinel->url->host_count; i++)
        turn_one(sentinel, i, hurry);
    decide(sentinel);
}

size_t cache_sentinel_ends(struct cache_sentinel *sentinel, struct cache_end *out[REDIS_HOSTS_MAX])
{
    for (size_t i = 0; i < sentinel->url->host_count; i++)
        out[i] = &sentinel->all[i].end;
    return sentinel->url->host_count;
}

int64_t cache_sentinel_next_ms(const struct cache_sentinel *sentinel)
{
    int64_t next = !sentinel->decided && sentinel->first_ms != TIME_NEVER ? sentinel->first_ms + WAIT_MS : TIME_NEVER;
    for (size_t i = 0; i < sentinel->url->host_count; i++) {
        const struct sentinel *one = &sentinel->all[i];
        next = time_sooner(next, cache_end_next_ms(&one->end));
        if (!cache_end_is_there(&one->end))
            next = time_sooner(next, one->open_at_ms);
        else if (one->end.context != NULL && !one->asked)
            next = time_sooner(next, one->ask_at_ms);
    }
    return next;
}

struct cache_sentinel *cache_sentinel_new(const struct redis_url *url, const char *password_file)
{
    struct cache_sentinel *sentinel = calloc(1, sizeof *sentinel);
    if (sentinel == NULL)
        return NULL;
    sentinel->url = url;
    sentinel->password_file = password_file;
    sentinel->first_ms = TIME_NEVER;
    for (size_t i = 0; i < REDIS_HOSTS_MAX; i++) {
        sentinel->all[i].end.opened = on_opened;
        sentinel->all[i].end.self = sentinel;
    }
    return sentinel;
}

void cache_sentinel_free(struct cache_sentinel **sentinel_p)
{
    struct cache_sentinel *sentinel = *sentinel_p;
    *sentinel_p = NULL;
    if (sentinel == NULL)
        return;
    for (size_t i = 0; i < REDIS_HOSTS_MAX; i++)
        cache_end_close(&sentinel->all[i].end);
    free(sentinel);
}
