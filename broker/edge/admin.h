/* admin.h — the admin API (PROTOCOL, Admin API): an HTTP server in a thread of its own, which parses, authenticates
 * and bounds, and the owner's side, which answers in bounded slices on the thread that owns the core.
 *
 * A request that changes something is answered when its effect is durable: broker.c hands EFFECT_ANSWER,
 * EFFECT_CANCELLED and EFFECT_ENQUEUED whose token admin_owns() to admin_effect() once their commit is durable, and
 * lookup answers whose token it owns to admin_looked_up(). */
#ifndef LINEWARD_EDGE_ADMIN_H
#define LINEWARD_EDGE_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/lookup.h"
#include "broker/edge/tokens.h"
#include "broker/edge/view.h"
#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/wire.h"

#define ADMIN_TOKEN_TAG              0xAD /* the top byte of every token that the admin API gives to the core or the lookup */
#define ADMIN_CONNECTIONS_MAX        512 /* or a quarter of the files that there may be */
#define ADMIN_CONNECTIONS_SPARE      16  /* with fewer left, each new one ends the oldest, strangers first */
#define ADMIN_TIMEOUT_S              30  /* of silence, while a request is read or an answer written */
#define ADMIN_BODY_BYTES_MAX         (64u * 1024)
#define ADMIN_BODIES_BYTES_MAX       (64u * 1024 * 1024) /* of all bodies being read at once; more: 429 */
#define ADMIN_LARGE_BYTES_MAX        (64u * 1024 * 1024) /* of all exports at once; more: 429 */
#define ADMIN_TARGET_BYTES_MAX       4096
#define ADMIN_PAGE_MAX               1000
#define ADMIN_PAGE_DEFAULT           100
#define ADMIN_IMPORT_MAX             1000 /* conversations in one request */

struct admin_enqueue { /* what POST /v1/jobs asks of the ingress */
    uint64_t token;
    const struct frame *jobs; /* lent until all have answered */
    size_t count;             /* 1..WIRE_ENQUEUE_JOBS_MAX */
    const char *pools;        /* comma list of the pools that the caller may use; NULL: all */
    /* To be called, within the call, for each job that is refused before the core sees it. The texts are copied. */
    void (*refuse)(void *self, uint64_t token, uint32_t index, const struct error_view *error);
    void *refuse_self;
    /* A dry run: to be called, within the call, for each job that is not refused before; nothing is changed. NULL: none. */
    void (*would)(void *self, uint64_t token, uint32_t index, const struct core_would *would);
    /* To be called, within the call, for each job that the core was asked: what EFFECT_ENQUEUED will say. NULL: nobody asks. */
    void (*said)(void *self, uint64_t token, uint32_t index, const struct effect *effect);
};

struct admin_requeue {
    const struct core_requeue *letter; /* its `job` is what `document` says */
    struct frame document;
    const char *pools;  /* comma list of the pools that the caller may use; NULL: all */
    int64_t expires_ms; /* 0: never */
    uint64_t *home;     /* is told, with line_conflict, on which line its conversation lives, or waits for */
};

struct admin_shell { /* what the admin API asks of the broker; called on the owner's thread */
    void *self;
    /* For each job either refuse() is called now, or EFFECT_ENQUEUED (token, index) comes to admin_effect(). */
    void (*enqueue)(void *self, const struct admin_enqueue *request, struct instant now, struct effects *out);
    /* Offers a dead letter to the core (core_requeue); all lent texts are taken in within the call. */
    enum code (*requeue)(void *self, const struct admin_requeue *ask, struct instant now, struct effects *out);
    /* The keyed hash of a producer id, as in core_enqueue.id_hash. */
    uint64_t (*id_hash)(void *self, uint32_t pool, const char *id);
    void (*store_facts)(void *self, struct store_facts *out);
    /* Of the pool's outcome webhooks; false: it has none. */
    bool (*outcomes)(void *self, uint32_t pool, struct instant now, struct outcome_view *out);
    /* Of an order to erase: how far the store has been gone through; false: it is not being gone through now. */
    bool (*erasing)(void *self, uint64_t id, uint64_t *total, uint64_t *done);
    /* Of the cache that brokers share; false: there is none. NULL: the same. */
    bool (*cache)(void *self, struct instant now, struct cache_facts *out);
    /* Store open and sockets bound? */
    bool (*ready)(void *self);
};

struct admin_options {
    const char *listen;                       /* HOST:PORT; port 0: any free one */
    const char *tls_cert_file, *tls_key_file; /* PEM; both NULL: plain HTTP */
    const char *version, *broker;             /* lent for the admin's life; for /v1/status */
    const struct conf *conf;                  /* lent until admin_conf_set() */
    struct tokens *tokens;                    /* lent */
    struct lookup *lookup;                    /* lent */
    const struct keyed_hash *hash;            /* lent */
    const struct cache_owners *owners;              /* lent; NULL: other brokers tell nothing */
    struct admin_shell shell;
    const struct timings_read *timings; /* lent; NULL: none are kept */
    struct instant started;
};

struct admin;

struct admin_problem {
    char text[256];
};

/* Binds and starts to answer; requests wait for admin_serve(). ERR_BAD_INPUT (address, certificate), ERR_IO,
 * ERR_NO_MEMORY: *problem says. */
enum err admin_open(struct admin **out, const struct admin_options *options, struct admin_problem *problem);
/* Answers what is open with 503, then stops. NULL is fine. */
void admin_close(struct admin **admin_p);
unsigned admin_port(const struct admin *admin);
/* An eventfd, readable when admin_serve() has something to do. */
int admin_fd(const struct admin *admin);
/* After SIGHUP: conf's pools and accounts in their new form (indices as the core has them). */
void admin_conf_set(struct admin *admin, const struct conf *conf);

/* ---- owner's thread ---- */

/* One bounded slice of work, well under a millisecond but for an enqueue; changes and effects go into `out`, which
 * needs room for 8192 of each, else nothing is done. True: there is more to do now. */
bool admin_serve(struct admin *admin, struct core *core, struct instant now, struct effects *out);
bool admin_owns(uint64_t token);
/* A durable effect. The fd becomes readable: the answer itself is made by the next admin_serve(). */
void admin_effect(struct admin *admin, const struct effect *effect);
/* After the commits of a turn: followers of the event stream get what is new (see events_turn()). */
void admin_follow(struct admin *admin, uint64_t next_seq, bool durable_moved, struct instant now);
int64_t admin_next_mono_ms(const struct admin *admin); /* when to call that at the latest */
/* A lookup's answer; taken over. */
void admin_looked_up(struct admin *admin, struct lookup_answer *answer);

#endif
