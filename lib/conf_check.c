/* conf_check.c — what no single value shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_read.h"
#include "lineward/outcome_target.h"

/* Where the file sets a key, NULL where it leaves the default. `entry` NULL: the section has no names. */
static const struct conf_node *node_of(const struct conf_reader *reader, const char *section, const char *entry,
                                       const char *key)
{
    const struct conf_node *map = conf_node_get(reader->root, section);
    if (entry != NULL)
        map = conf_node_get(map, entry);
    return conf_node_get(map, key);
}

static int seen_compare(const void *a, const void *b)
{
    const struct conf_line_seen *left = a, *right = b;
    int order = strcmp(left->number, right->number);
    return order != 0 ? order : left->line < right->line ? -1 : left->line > right->line;
}

/* A line belongs to one pool, whatever the account: a number is one number. */
static enum err check_lines(struct conf_reader *reader)
{
    const struct conf_pool *pools = reader->whole->conf.pools;
    if (reader->seen_count > 1)
        qsort(reader->seen, reader->seen_count, sizeof *reader->seen, seen_compare);
    for (size_t i = 1; i < reader->seen_count; i++) {
        const struct conf_line_seen *first = &reader->seen[i - 1], *second = &reader->seen[i];
        if (strcmp(first->number, second->number) != 0)
            continue;
        const struct conf_node place = {.line = second->line};
        char masked[HANDLE_MAX_BYTES + 1];
        handle_mask(second->number, masked);
        return conf_refuse(reader, &place, "pools",
                           "line %s (in pool %s) is named twice, first in pool %s, line %zu of the file", masked,
                           pools[second->pool].name, pools[first->pool].name, first->line);
    }
    return ERR_NONE;
}

static enum err check_all_once(struct conf_reader *reader)
{
    const struct conf *conf = &reader->whole->conf;
    const struct conf_pool *takers[CONF_ACCOUNTS_MAX] = {NULL};
    for (size_t i = 0; i < conf->pool_count; i++) {
        const struct conf_pool *pool = &conf->pools[i];
        if (!pool->all_lines)
            continue;
        if (takers[pool->account] != NULL)
            return conf_refuse(reader, node_of(reader, "pools", pool->name, "lines"), "pools",
                               "pool %s: lines: all is taken by pool %s of the same account: name the lines",
                               pool->name, takers[pool->account]->name);
        takers[pool->account] = pool;
    }
    return ERR_NONE;
}

static enum err check_policies(struct conf_reader *reader)
{
    const struct conf *conf = &reader->whole->conf;
    int64_t least = conf->worker.request_timeout_ms + 3 * conf->broker.heartbeat_ms;
    for (size_t i = 0; i < conf->policy_count; i++) {
        const struct conf_policy *policy = &conf->policies[i];
        if (policy->lease_ms <= least)
            return conf_refuse(reader, node_of(reader, "policies", policy->name, "lease_ms"), "policies",
                               "%s: lease_ms is %lld, but must be above worker.request_timeout_ms + 3 x "
                               "broker.heartbeat_ms = %lld",
                               policy->name, (long long)policy->lease_ms, (long long)least);
        if (policy->retry_cap_ms < policy->retry_base_ms)
            return conf_refuse(reader, node_of(reader, "policies", policy->name, "retry_cap_ms"), "policies",
                               "%s: retry_cap_ms is %lld, below retry_base_ms %lld", policy->name,
                               (long long)policy->retry_cap_ms, (long long)policy->retry_base_ms);
    }
    return ERR_NONE;
}

/* One of them alone would look like protection, and be none. */
static enum err check_pairs(struct conf_reader *reader)
{
    const struct conf_broker *broker = &reader->whole->conf.broker;
    const struct conf_worker *worker = &reader->whole->conf.worker;
    const struct {
        const char *section, *key[2];
        const char *value[2];
    } pairs[] = {
        {"broker",
         {"curve_secret_key_file", "authorized_keys_dir"},
         {broker->curve_secret_key_file, broker->authorized_keys_dir}},
        {"broker",
         {"admin_tls_cert_file", "admin_tls_key_file"},
         {broker->admin_tls_cert_file, broker->admin_tls_key_file}},
        {"worker",
         {"curve_secret_key_file", "broker_public_key_file"},
         {worker->curve_secret_key_file, worker->broker_public_key_file}},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t given = pairs[i].value[0] == NULL ? 1 : 0;
        if ((pairs[i].value[0] == NULL) == (pairs[i].value[1] == NULL))
            continue;
        return conf_refuse(reader, node_of(reader, pairs[i].section, NULL, pairs[i].key[given]), pairs[i].section,
                           "%s is set without %s: they go together", pairs[i].key[given], pairs[i].key[1 - given]);
    }
    return ERR_NONE;
}

static enum err refuse_open(struct conf_reader *reader, const struct conf_node *node, const char *where,
                            const char *needs)
{
    return conf_refuse(reader, node, where, "not on loopback: that needs %s, or broker.insecure: true", needs);
}

static enum err check_exposure(struct conf_reader *reader)
{
    const struct conf *conf = &reader->whole->conf;
    const struct conf_broker *broker = &conf->broker;
    const struct {
        const char *key, *where, *endpoint;
    } sockets[] = {{"producers", "broker.producers", broker->producers},
                   {"workers", "broker.workers", broker->workers},
                   {"events", "broker.events", broker->events}};
    if (broker->insecure)
        return ERR_NONE;
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        if (broker->curve_secret_key_file == NULL && !conf_endpoint_is_local(sockets[i].endpoint))
            return refuse_open(reader, node_of(reader, "broker", NULL, sockets[i].key), sockets[i].where,
                               "curve_secret_key_file and authorized_keys_dir");
    }
    for (size_t i = 0; i < conf->worker.broker_count; i++) {
        if (conf->worker.curve_secret_key_file == NULL && !conf_endpoint_is_local(conf->worker.brokers[i]))
            return refuse_open(reader, node_of(reader, "worker", NULL, "broker"), "worker.broker",
                               "curve_secret_key_file and broker_public_key_file");
    }
    if (broker->admin_tls_cert_file == NULL && !conf_endpoint_is_local(broker->admin))
        return refuse_open(reader, node_of(reader, "broker", NULL, "admin"), "broker.admin",
                           "admin_tls_cert_file and admin_tls_key_file");
    return ERR_NONE;
}

/* The host and port, or the path: two kinds of socket would meet at the same. */
static const char *address_of(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0 ? endpoint + 6 : endpoint;
}

static bool is_any_port(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL && (strcmp(colon, ":0") == 0 || strcmp(colon, ":*") == 0);
}

static enum err check_addresses(struct conf_reader *reader)
{
    static const char *const keys[] = {"producers", "workers", "events", "webhooks", "admin"};
    const struct conf_broker *broker = &reader->whole->conf.broker;
    const char *const given[] = {broker->producers, broker->workers, broker->events, broker->webhooks, broker->admin};
    for (size_t i = 1; i < sizeof keys / sizeof *keys; i++) {
        for (size_t j = 0; j < i; j++) {
            char where[32];
            if (is_any_port(given[i]) || strcmp(address_of(given[i]), address_of(given[j])) != 0)
                continue;
            snprintf(where, sizeof where, "broker.%s", keys[i]);
            return conf_refuse(reader, node_of(reader, "broker", NULL, keys[i]), where,
                               "%s is broker.%s' address: each needs its own", given[i], keys[j]);
        }
    }
    return ERR_NONE;
}

/* One file may serve all brokers: a pool whose owner is this broker's own address is ours. */
static enum err find_owners(struct conf_reader *reader)
{
    struct conf *conf = &reader->whole->conf;
    const struct conf_broker *broker = &conf->broker;
    const char *own = broker->producers_address != NULL ? broker->producers_address : broker->producers;
    for (size_t i = 0; i < conf->pool_count; i++) {
        struct conf_pool *pool = &conf->pools[i];
        if (pool->owner_admin != NULL && pool->owner == NULL)
            return conf_refuse(reader, node_of(reader, "pools", pool->name, "owner_admin"), "pools",
                               "%s: owner_admin is set without owner, the address for producers", pool->name);
        pool->elsewhere = pool->owner != NULL && strcmp(pool->owner, own) != 0;
    }
    return ERR_NONE;
}

/* Signed, or not at all; and only to where the owner of the machine allows. */
static enum err check_outcomes(struct conf_reader *reader)
{
    const struct conf *conf = &reader->whole->conf;
    const char *const *hosts = (const char *const *)conf->broker.outcome_hosts;
    for (size_t i = 0; i < conf->pool_count; i++) {
        const struct conf_pool *pool = &conf->pools[i];
        struct outcome_target target;
        const char *why = NULL;
        bool has_url = pool->outcome_url != NULL;
        const char *key = has_url ? "outcome_url" : "outcome_secrets_file";
        if (has_url != (pool->outcome_secrets_file != NULL))
            return conf_refuse(reader, node_of(reader, "pools", pool->name, key), "pools",
                               "%s: %s is set without %s: they go together", pool->name, key,
                               has_url ? "outcome_secrets_file" : "outcome_url");
        if (!has_url || !outcome_url_parse(pool->outcome_url, &target, &why) ||
            outcome_host_is_allowed(hosts, conf->broker.outcome_host_count, &target))
            continue;
        return conf_refuse(reader, node_of(reader, "pools", pool->name, key), "pools",
                           "%s: outcome_url: broker.outcome_hosts does not name %s%s: add it there if outcomes may go there",
                           pool->name, target.plain ? "http://" : "", target.host);
    }
    return ERR_NONE;
}

enum err conf_check(struct conf_reader *reader)
{
    enum err err = ERR_NONE;
    if (strcmp(reader->whole->conf.store.kind, "redis") == 0)
        return conf_refuse(reader, node_of(reader, "store", NULL, "kind"), "store.kind",
                           "redis is not in this version yet: embedded");
    if ((err = check_lines(reader)) != ERR_NONE)
        return err;
    if ((err = check_all_once(reader)) != ERR_NONE)
        return err;
    if ((err = check_policies(reader)) != ERR_NONE)
        return err;
    if ((err = check_pairs(reader)) != ERR_NONE)
        return err;
    if ((err = check_addresses(reader)) != ERR_NONE)
        return err;
    if ((err = find_owners(reader)) != ERR_NONE)
        return err;
    if ((err = check_outcomes(reader)) != ERR_NONE)
        return err;
    return check_exposure(reader);
}
