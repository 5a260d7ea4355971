/* conf_follow.c — a configuration read anew beside the one in force: what has a number there keeps it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/conf.h"

static enum err fail(struct conf_problem *problem, enum err err, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "%s", what);
    return err;
}

static size_t find_account(const struct conf *conf, const char *name)
{
    size_t a = 0;
    while (a < conf->account_count && strcmp(conf->accounts[a].name, name) != 0)
        a++;
    return a;
}

static size_t find_pool(const struct conf *conf, const char *name)
{
    size_t p = 0;
    while (p < conf->pool_count && strcmp(conf->pools[p].name, name) != 0)
        p++;
    return p;
}

/* Not in the file any more: nothing but its name and its place. */
static bool account_left_behind(struct conf_account *out, const struct conf_account *before)
{
    *out = *before;
    out->api_key_file = out->webhook_secrets_file = NULL;
    out->gone = true;
    out->base_url = strdup(before->base_url);
    return out->base_url != NULL;
}

static void pool_left_behind(struct conf_pool *out, const struct conf_pool *before)
{
    *out = (struct conf_pool){.account = before->account, .gone = true};
    memcpy(out->name, before->name, sizeof out->name);
}

/* Accounts in their new order; `place` gets where each of those now in the file went. */
static enum err order_accounts(struct conf *conf, const struct conf *before, size_t *place)
{
    size_t count = before->account_count;
    struct conf_account *out = calloc(before->account_count + conf->account_count, sizeof *out);
    if (out == NULL)
        return ERR_NO_MEMORY;
    bool ok = true;
    for (size_t a = 0; a < before->account_count; a++)
        if (find_account(conf, before->accounts[a].name) == conf->account_count)
            ok = account_left_behind(&out[a], &before->accounts[a]) && ok;
    for (size_t a = 0; a < conf->account_count; a++) {
        size_t old = find_account(before, conf->accounts[a].name);
        place[a] = old < before->account_count ? old : count++;
        out[place[a]] = conf->accounts[a];
    }
    free(conf->accounts);
    conf->accounts = out;
    conf->account_count = count;
    return ok ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err order_pools(struct conf *conf, const struct conf *before, const size_t *account_place)
{
    size_t count = before->pool_count;
    struct conf_pool *out = calloc(before->pool_count + conf->pool_count, sizeof *out);
    if (out == NULL)
        return ERR_NO_MEMORY;
    for (size_t p = 0; p < before->pool_count; p++)
        if (find_pool(conf, before->pools[p].name) == conf->pool_count)
            pool_left_behind(&out[p], &before->pools[p]);
    for (size_t p = 0; p < conf->pool_count; p++) {
        size_t old = find_pool(before, conf->pools[p].name);
        struct conf_pool *pool = &out[old < before->pool_count ? old : count++];
        *pool = conf->pools[p];
        pool->account = account_place[conf->pools[p].account];
    }
    free(conf->pools);
    conf->pools = out;
    conf->pool_count = count;
    return ERR_NONE;
}

enum err conf_follow(struct conf *conf, const struct conf *before, struct conf_problem *problem)
{
    size_t place[CONF_ACCOUNTS_MAX];
    enum err err = order_accounts(conf, before, place);
    if (err == ERR_NONE)
        err = order_pools(conf, before, place);
    if (err != ERR_NONE)
        return fail(problem, err, "out of memory");
    if (conf->account_count > CONF_ACCOUNTS_MAX || conf->pool_count > CONF_POOLS_MAX)
        return fail(problem, ERR_FULL, "more accounts and pools have come and gone than there is room for: restart");
    return ERR_NONE;
}

/* ---- what only a start can change ---- */

struct difference {
    const char **names;
    size_t room, count;
};

static void note(struct difference *out, const char *name, bool differs)
{
    if (differs && out->count < out->room)
        out->names[out->count++] = name;
}

static bool differ(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

size_t conf_fixed_differences(const struct conf *conf, const struct conf *before, const char **names, size_t room)
{
    struct difference out = {.names = names, .room = room};
    const struct conf_broker *b = &conf->broker, *old = &before->broker;
#define TEXT(key)   note(&out, "broker." #key, differ(b->key, old->key))
#define NUMBER(key) note(&out, "broker." #key, b->key != old->key)
    TEXT(producers);
    TEXT(workers);
    TEXT(events);
    TEXT(webhooks);
    TEXT(admin);
    note(&out, "broker.admin_tls_cert_file", (b->admin_tls_cert_file == NULL) != (old->admin_tls_cert_file == NULL));
    note(&out, "broker.authorized_keys_dir", (b->authorized_keys_dir == NULL) != (old->authorized_keys_dir == NULL));
    TEXT(curve_secret_key_file);
    NUMBER(jobs_max);
    NUMBER(heartbeat_ms);
    NUMBER(restart_wait_ms);
#undef TEXT
#undef NUMBER
    const struct conf_store *s = &conf->store, *was = &before->store;
    note(&out, "store.path", differ(s->path, was->path));
    note(&out, "store.segment_mb", s->segment_mb != was->segment_mb);
    note(&out, "store.history_retention_h", s->history_retention_h != was->history_retention_h);
    note(&out, "store.dedupe_window_h", s->dedupe_window_h != was->dedupe_window_h);
    note(&out, "store.dedupe_max", s->dedupe_max != was->dedupe_max);
    note(&out, "cache.kind", differ(conf->cache.kind, before->cache.kind));
    note(&out, "cache.redis", differ(conf->cache.redis, before->cache.redis));
    note(&out, "cache.redis_password_file", differ(conf->cache.redis_password_file, before->cache.redis_password_file));
    note(&out, "cache.sentinel_password_file",
         differ(conf->cache.sentinel_password_file, before->cache.sentinel_password_file));
    note(&out, "cache.secret_file", differ(conf->cache.secret_file, before->cache.secret_file));
    return out.count;
}

static bool other_brokers(const struct conf_worker *worker, const struct conf_worker *before)
{
    if (worker->broker_count != before->broker_count)
        return true;
    for (size_t i = 0; i < worker->broker_count; i++)
        if (differ(worker->brokers[i], before->brokers[i]))
            return true;
    return false;
}

size_t conf_worker_fixed_differences(const struct conf_worker *worker, const struct conf_worker *before,
                                     const char **names, size_t room)
{
    struct difference out = {.names = names, .room = room};
    note(&out, "worker.broker", other_brokers(worker, before));
    note(&out, "worker.slots", worker->slots != before->slots);
    note(&out, "worker.name", differ(worker->name, before->name));
    note(&out, "worker.curve_secret_key_file", differ(worker->curve_secret_key_file, before->curve_secret_key_file));
    note(&out, "worker.broker_public_key_file", differ(worker->broker_public_key_file, before->broker_public_key_file));
    return out.count;
}

/* A worker goes by the heartbeat that it was told, whatever the file says now. */
static enum err check_leases(const struct conf *conf, struct conf_problem *problem)
{
    int64_t least = conf->worker.request_timeout_ms + 3 * conf->broker.heartbeat_ms;
    for (size_t i = 0; i < conf->policy_count; i++) {
        const struct conf_policy *policy = &conf->policies[i];
        if (policy->lease_ms > least)
            continue;
        snprintf(problem->text, sizeof problem->text,
                 "policies.%s.lease_ms is %lld, but must be above %lld while broker.heartbeat_ms is %lld: another one "
                 "needs a restart",
                 policy->name, (long long)policy->lease_ms, (long long)least, (long long)conf->broker.heartbeat_ms);
        return ERR_BAD_INPUT;
    }
    return ERR_NONE;
}

enum err conf_keep_fixed(struct conf *conf, const struct conf *before, struct conf_problem *problem)
{
    conf->broker.jobs_max = before->broker.jobs_max;
    conf->broker.heartbeat_ms = before->broker.heartbeat_ms;
    conf->broker.restart_wait_ms = before->broker.restart_wait_ms;
    conf->store.segment_mb = before->store.segment_mb;
    conf->store.history_retention_h = before->store.history_retention_h;
    conf->store.dedupe_window_h = before->store.dedupe_window_h;
    conf->store.dedupe_max = before->store.dedupe_max;
    return check_leases(conf, problem);
}
