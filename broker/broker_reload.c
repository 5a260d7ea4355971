/* broker_reload.c — SIGHUP: everything is read first, and taken over only if all of it is good, so that a bad file
 * changes nothing. No connection is dropped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker_part.h"
#include "broker/edge/admin_tls.h"
#include "broker/feed/feed_secrets.h"
#include "lineward/log.h"

#define FIXED_KEYS_MAX 32

struct reload { /* what was read, until it is taken over */
    struct conf *conf;
    struct key_pair pair;
    struct key_ring *ring;
    struct tls_identity *tls;
    const char *fixed[FIXED_KEYS_MAX]; /* keys that only a start can change, and that are changed */
    size_t fixed_count;
    char problem[600];
};

static bool refuse(struct reload *reload, const char *problem)
{
    snprintf(reload->problem, sizeof reload->problem, "%s", problem);
    return false;
}

void broker_note_secrets(struct broker *broker)
{
    for (size_t a = 0; a < broker->conf->account_count; a++) {
        struct feed_secrets secrets;
        struct conf_problem problem;
        enum err err = feed_secrets_read(&secrets, broker->conf->accounts[a].webhook_secrets_file, &problem);
        broker->believed[a] = err == ERR_NONE && secrets.count > 0;
        explicit_bzero(&secrets, sizeof secrets);
    }
}

/* ---- reading ---- */

static bool read_conf(struct reload *reload, const struct broker *broker)
{
    struct conf_problem problem;
    const struct feed_source *source = &broker->source;
    if (conf_load(&reload->conf, source->path, source->sets, source->set_count, &problem) != ERR_NONE ||
        conf_follow(reload->conf, broker->conf, &problem) != ERR_NONE)
        return refuse(reload, problem.text);
    reload->fixed_count = conf_fixed_differences(reload->conf, broker->started, reload->fixed, FIXED_KEYS_MAX);
    return conf_keep_fixed(reload->conf, broker->started, &problem) == ERR_NONE || refuse(reload, problem.text);
}

static bool read_outcome_secrets(struct reload *reload)
{
    for (size_t p = 0; p < reload->conf->pool_count; p++) {
        struct feed_secrets secrets;
        struct conf_problem problem;
        enum err err = feed_secrets_read(&secrets, reload->conf->pools[p].outcome_secrets_file, &problem);
        explicit_bzero(&secrets, sizeof secrets);
        if (err != ERR_NONE)
            return refuse(reload, problem.text);
    }
    return true;
}

/* The children read these by themselves, but by then it is too late to refuse. */
static bool read_secrets(struct reload *reload, const struct broker *broker)
{
    for (size_t a = 0; a < reload->conf->account_count; a++) {
        const struct conf_account *account = &reload->conf->accounts[a];
        struct feed_secrets secrets;
        struct conf_problem problem;
        if (account->gone)
            continue;
        char *header = feed_authorization_header(account->api_key_file);
        bool has_key = header != NULL;
        feed_secret_free(header);
        if (!has_key) {
            snprintf(reload->problem, sizeof reload->problem,
                     "accounts.%s.api_key_file: %s: holds no key that can be read", account->name,
                     account->api_key_file);
            return false;
        }
        enum err err = feed_secrets_read(&secrets, account->webhook_secrets_file, &problem);
        bool has_secret = secrets.count > 0;
        explicit_bzero(&secrets, sizeof secrets);
        if (err != ERR_NONE)
            return refuse(reload, problem.text);
        if (!has_secret && broker->believed[a] && account->webhook_secrets_file != NULL) {
            snprintf(reload->problem, sizeof reload->problem,
                     "accounts.%s.webhook_secrets_file: %s: holds no secret any more; leave the key out if no webhook "
                     "is to be believed",
                     account->name, account->webhook_secrets_file);
            return false;
        }
    }
    return true;
}

/* Whether there are keys at all is for a start to say. */
static bool read_keys(struct reload *reload, const struct broker *broker)
{
    struct conf_problem problem;
    if (broker->access == NULL || reload->conf->broker.curve_secret_key_file == NULL)
        return true;
    return broker_read_keys(reload->conf, &reload->pair, &reload->ring, &problem) || refuse(reload, problem.text);
}

static bool read_tls(struct reload *reload, const struct broker *broker)
{
    struct admin_problem problem;
    const struct conf_broker *conf = &reload->conf->broker;
    if (broker->started->broker.admin_tls_cert_file == NULL || conf->admin_tls_cert_file == NULL)
        return true;
    return tls_identity_read(&reload->tls, conf->admin_tls_cert_file, conf->admin_tls_key_file, &problem) ==
               ERR_NONE ||
           refuse(reload, problem.text);
}

static bool read_tokens(struct reload *reload, const struct broker *broker)
{
    struct tokens_problem problem;
    return tokens_prepare(broker->tokens, reload->conf->broker.admin_tokens_file, &problem) == ERR_NONE ||
           refuse(reload, problem.text);
}

static bool read_all(struct reload *reload, const struct broker *broker)
{
    return read_conf(reload, broker) && read_secrets(reload, broker) && read_outcome_secrets(reload) && read_keys(reload, broker) &&
           read_tls(reload, broker) && read_tokens(reload, broker);
}

/* ---- taking over ---- */

/* The first of them that can fail decides for all. */
static bool take_conf(struct broker *broker, struct reload *reload)
{
    switch (core_reconfigure(broker->core, reload->conf, broker->now, &broker->effects)) {
    case ERR_NONE:
        break;
    case ERR_FULL:
        return refuse(reload, "pools: there are more new ones than there is room for while running: restart");
    case ERR_NO_MEMORY:
        return refuse(reload, "the table of names, which are kept for good, has no room for the new ones");
    default:
        return refuse(reload, "pools: an earlier start left jobs of one that is named again: restart");
    }
    broker_persist(broker, broker->now, &broker->effects);
    ingress_conf_set(broker->ingress, reload->conf);
    dispatch_conf_set(broker->dispatch, reload->conf);
    admin_conf_set(broker->admin, reload->conf);
    if (feed_link_follow(broker->feed, reload->conf) != ERR_NONE ||
        outcomes_follow(broker->outcomes, reload->conf) != ERR_NONE)
        broker->out_of_memory = true; /* half of it is in force: begin again from disk */
    if (broker->cache != NULL)
        cache_link_follow(broker->cache, reload->conf);
    struct conf *before = broker->own;
    broker->conf = broker->own = reload->conf;
    reload->conf = NULL;
    conf_free(&before);
    return true;
}

static bool loses_followers(const struct key_ring *before, const struct key_ring *after)
{
    for (size_t i = 0; i < key_ring_count(before); i++) {
        const struct key_grant *old = key_ring_at(before, i);
        const struct key_grant *new = key_ring_find(after, old->key);
        if (old->role == KEY_FOLLOWER && (new == NULL || new->role != KEY_FOLLOWER))
            return true;
    }
    return false;
}

static void take_keys(struct broker *broker, struct reload *reload, bool pools_changed)
{
    if (reload->ring == NULL)
        return;
    struct key_ring *before = access_set_ring(broker->access, &reload->ring);
    dispatch_keys_changed(broker->dispatch, before, pools_changed, broker->now, &broker->effects);
    /* A message is judged when it comes, but a follower says nothing; so all of them have to show their key again. */
    if (loses_followers(before, access_ring(broker->access)) && !broker_reopen_events(broker))
        broker->stopping = broker->failed = true;
    key_ring_free(&before);
}

static void tell(const struct broker *broker, const struct reload *reload)
{
    for (size_t i = 0; i < reload->fixed_count; i++)
        log_event(LOG_WARN, "needs_restart", "key=%s", reload->fixed[i]);
    if (reload->pair.public[0] != '\0' && strcmp(reload->pair.public, access_public_key(broker->access)) != 0)
        log_event(LOG_WARN, "needs_restart", "key=broker.curve_secret_key_file reason=\"it holds another key\"");
    log_event(LOG_INFO, "reloaded", "accounts=%zu pools=%zu clients=%zu", broker->conf->account_count,
              broker->conf->pool_count, broker->access == NULL ? 0 : key_ring_count(access_ring(broker->access)));
}

void broker_reload(struct broker *broker)
{
    struct reload reload = {.conf = NULL};
    size_t pools_before = broker->conf->pool_count;
    broker->now = clock_read();
    if (read_all(&reload, broker) && take_conf(broker, &reload)) {
        tokens_commit(broker->tokens);
        tls_identity_use(&reload.tls);
        take_keys(broker, &reload, broker->conf->pool_count != pools_before);
        broker_warn_of_secrets(broker->conf);
        broker_note_secrets(broker);
        broker_warn_of_pools_left(broker);
        tell(broker, &reload);
        broker_audit(broker, "reload", NULL, CODE_NONE);
    } else {
        broker_audit(broker, "reload", reload.problem, CODE_INVALID_FIELD);
        log_event(LOG_ERROR, "not_reloaded", "reason=\"%s\"", reload.problem);
    }
    conf_free(&reload.conf);
    key_pair_clear(&reload.pair);
    key_ring_free(&reload.ring);
    tls_identity_free(&reload.tls);
}
