/* broker_reload.c — SIGHUP: everything is read first, and taken over only if all of it is good, so that a bad file
 * changes nothing. No connection is dropped. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/broker_part.h"
#include "broker/edge/admin_tls.h"
#include "lineward/log.h"

struct reload { /* what was read, until it is taken over */
    struct key_pair pair;
    struct key_ring *ring;
    struct tls_identity *tls;
    char problem[600];
};

static bool refuse(struct reload *reload, const char *problem)
{
    snprintf(reload->problem, sizeof reload->problem, "%s", problem);
    return false;
}

static bool read_keys(struct reload *reload, const struct broker *broker, const struct conf *conf)
{
    struct conf_problem problem;
    if (broker->access == NULL)
        return true;
    return broker_read_keys(conf, &reload->pair, &reload->ring, &problem) || refuse(reload, problem.text);
}

static bool read_tls(struct reload *reload, const struct broker *broker, const struct conf *conf)
{
    struct admin_problem problem;
    if (broker->conf->broker.admin_tls_cert_file == NULL)
        return true;
    return tls_identity_read(&reload->tls, conf->broker.admin_tls_cert_file, conf->broker.admin_tls_key_file,
                             &problem) == ERR_NONE ||
           refuse(reload, problem.text);
}

static bool read_tokens(struct reload *reload, const struct broker *broker, const struct conf *conf)
{
    struct tokens_problem problem;
    return tokens_prepare(broker->tokens, conf->broker.admin_tokens_file, &problem) == ERR_NONE ||
           refuse(reload, problem.text);
}

/* Tokens come last: what was prepared is taken over or read anew, never left behind. */
static bool read_all(struct reload *reload, const struct broker *broker)
{
    return read_keys(reload, broker, broker->conf) && read_tls(reload, broker, broker->conf) &&
           read_tokens(reload, broker, broker->conf);
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

static void take_keys(struct broker *broker, struct reload *reload)
{
    if (broker->access == NULL)
        return;
    struct key_ring *before = access_set_ring(broker->access, &reload->ring);
    dispatch_keys_changed(broker->dispatch, before, false, broker->now, &broker->effects);
    /* A message is judged when it comes, but a follower says nothing; so all of them have to show their key again. */
    if (loses_followers(before, access_ring(broker->access)) && !broker_reopen_events(broker))
        broker->stopping = broker->failed = true;
    key_ring_free(&before);
}

void broker_reload(struct broker *broker)
{
    struct reload reload = {.ring = NULL};
    broker->now = clock_read();
    if (read_all(&reload, broker)) {
        tokens_commit(broker->tokens);
        tls_identity_use(&reload.tls);
        take_keys(broker, &reload);
        log_event(LOG_INFO, "reloaded", "clients=%zu",
                  broker->access == NULL ? 0 : key_ring_count(access_ring(broker->access)));
    } else {
        log_event(LOG_ERROR, "not_reloaded", "reason=\"%s\"", reload.problem);
    }
    key_pair_clear(&reload.pair);
    key_ring_free(&reload.ring);
    tls_identity_free(&reload.tls);
}
