/* feed_webhooks.h — the provider's webhooks over HTTP (PROTOCOL, Webhook listener): POST /webhooks/linq[/{account}],
 * everything else is 404.
 *
 * One thread: libmicrohttpd does nothing but within feed_webhooks_step(), so there are no locks. A signed event that
 * the router uses is handed to the broker and its connection suspended until feed_webhooks_answer() says that the
 * event is durable, or the wait is over (503, the provider sends it again). Nothing of a body is ever logged. */
#ifndef LINEWARD_FEED_WEBHOOKS_H
#define LINEWARD_FEED_WEBHOOKS_H

#include "broker/feed/feed.h"
#include "broker/feed/feed_notes.h"
#include "lineward/clock.h"
#include "lineward/err.h"

#define WEBHOOK_BODY_BYTES_MAX         (1024u * 1024)      /* PROTOCOL: more is 413 */
#define WEBHOOK_BODIES_BYTES_MAX       (64u * 1024 * 1024) /* of all requests together, before any is verified */
#define WEBHOOK_DRAIN_BYTES_MAX        (8u * 1024 * 1024)  /* what is read and dropped so that a 4xx can be heard */
#define WEBHOOK_CONNECTIONS_MAX        512   /* or as many as the limit of files leaves room for */
#define WEBHOOK_CONNECTIONS_SPARE      32   /* with fewer left, each new one ends the oldest */
#define WEBHOOK_FILES_SPARE            64    /* of that limit: polls, the broker, libraries */
#define WEBHOOK_IDLE_S                 10    /* silence on a connection */
#define WEBHOOK_REQUEST_MS_MAX         20000 /* a whole request, however slowly its bytes drip */
#define WEBHOOK_ANSWER_MS              5000  /* how long the broker may take */
#define WEBHOOK_STALE_POLL_GAP_MS      5000  /* PROTOCOL: at most one poll in 5 s for true but old signatures */
#define WEBHOOK_SECRETS_MAX            16    /* an account */

struct feed_webhooks;

struct feed_webhooks_options {
    feed_emit *emit;
    void (*poll_now)(void *context, size_t account); /* a stale signature wants a poll */
    struct feed_notes *notes;
    void *context; /* of emit and poll_now */
    int64_t answer_ms;
};

/* Binds conf.broker.webhooks and reads the accounts' secrets. `conf` must outlive it. On error *problem is a
 * sentence for a person. */
enum err feed_webhooks_open(struct feed_webhooks **out, const struct conf *conf,
                            const struct feed_webhooks_options *options, struct conf_problem *problem);
/* Another configuration, in which the accounts that were there keep their index: other secrets, other accounts. On error
 * nothing changed, and *problem says which file is wrong. */
enum err feed_webhooks_follow(struct feed_webhooks *hooks, const struct conf *conf, struct conf_problem *problem);
void feed_webhooks_close(struct feed_webhooks **hooks_p);

int feed_webhooks_port(const struct feed_webhooks *hooks);
int feed_webhooks_fd(const struct feed_webhooks *hooks); /* readable: step() has something to do */
/* When step() has something to do without that, on the steady clock; TIME_NEVER: nothing. */
int64_t feed_webhooks_due(struct feed_webhooks *hooks, struct instant now);
/* Reads, judges and answers what is there. `now` is the moment of arrival of all of it. */
void feed_webhooks_step(struct feed_webhooks *hooks, struct instant now);

/* The broker's answer to FEED_WEBHOOK `request`: 200, or anything else for 503. An unknown request is ignored: its
 * wait was over. */
void feed_webhooks_answer(struct feed_webhooks *hooks, uint64_t request, int http_status);

#endif
