/* broker_part.h — what the broker's parts share: broker.c (the turn), broker_open.c (opening and closing) and
 * broker_answers.c (what the admin API asks of it). Only for them. */
#ifndef LINEWARD_BROKER_PART_H
#define LINEWARD_BROKER_PART_H

#include "broker/broker.h"
#include "broker/cache/cache_link.h"
#include "broker/core/core.h"
#include "broker/edge/access.h"
#include "broker/edge/admin.h"
#include "broker/edge/dispatch.h"
#include "broker/edge/events.h"
#include "broker/edge/feed_link.h"
#include "broker/edge/ingress.h"
#include "broker/edge/lookup.h"
#include "broker/edge/outbox.h"
#include "broker/edge/outcomes.h"
#include "broker/edge/timings.h"
#include "broker/edge/zones.h"
#include "broker/edge/tokens.h"
#include "broker/erase.h"
#include "broker/memory.h"
#include "broker/rest.h"
#include "broker/store/owner.h"
#include "broker/store/store.h"

#define BROKER_URGENT_MAX 65536 /* effects for at once in one go; more go the slower way */

struct broker {
    const struct conf *conf;
    const struct conf *started; /* with this one; what only a start can change is as it says */
    struct conf *own;           /* read at SIGHUP since; NULL: none */
    struct feed_source source;
    bool believed[CONF_ACCOUNTS_MAX]; /* the account has webhook secrets (broker_note_secrets) */
    struct memory memory;
    struct keyed_hash hash;
    char name[NAME_MAX_BYTES + 1];
    struct store *store;
    struct store_batch *batch;
    struct core_owner owner;
    struct core *core;
    struct effects effects;
    struct outbox *outbox;
    struct timings *timings;
    struct effect *urgent;
    size_t urgent_count;
    void *zmq, *producers, *workers, *followers;
    struct access *access; /* NULL: no keys are in force */
    struct lookup *lookup;
    struct ingress *ingress;
    struct dispatch *dispatch;
    struct events *events;
    struct cache_link *cache; /* NULL: cache.kind is memory */
    bool cache_woken; /* one of its files was ready */
    struct feed_link *feed;
    struct outcomes *outcomes;
    struct zones zones;
    struct tokens *tokens;
    struct admin *admin;
    int store_fd, signal_fd, rest_fd; /* rest_fd: a timer; -1: none */
    struct rest rest;
    uint64_t durable;
    int64_t clean_at_ms;
    int64_t end_by_ms; /* after TERM; 0: it did not come yet */
    bool cleaning, admin_busy, reading, stopping, out_of_memory;
    bool unread; /* by producers: something, as far as is known */
    bool store_full, store_waits; /* as told in the log */
    unsigned store_damaged;       /* likewise */
    bool failed; /* a socket was lost: ends with 1, to be started again */
    uint64_t commit;  /* the last that was submitted */
    struct broker_erase erase;
    uint32_t suppressed_at; /* so far have they been gone through since the start (broker_suppressed.c) ... */
    int64_t suppress_ms;    /* ... and the next slice is then, steady; TIME_NEVER: that was all */
    struct instant now;
};

/* Changes into the batch, messages into the outbox, what must not wait beside it (effects_persist). */
void broker_persist(void *self, struct instant now, struct effects *out);
bool broker_is_asked_to_stop(void); /* TERM or INT is pending */

/* ---- broker_keys.c ---- */
/* Reads the key files, if there are any, and is ready to judge clients. False: the log says why. */
bool broker_open_access(struct broker *broker);
/* The files that the configuration names; *problem says what is wrong. `pair` is to be cleared in any case. */
bool broker_read_keys(const struct conf *conf, struct key_pair *pair, struct key_ring **ring,
                      struct conf_problem *problem);
/* Tries every socket from outside. False: one let the broker in, and the log says which. */
bool broker_probe_doors(struct broker *broker);
void broker_warn_of_secrets(const struct conf *conf);
/* Ends every follower's connection; those who may come in come back by themselves. False: the log says why. */
bool broker_reopen_events(struct broker *broker);
/* A bound socket for clients of that role (broker_open.c); NULL: the log says why. */
void *broker_bind(struct broker *broker, int type, enum key_role role, const char *endpoint);
/* ---- broker_owners.c ---- */
/* Jobs are here of pools that another broker owns: the log says so, at a start and when the configuration is read anew. */
void broker_warn_of_pools_left(const struct broker *broker);

/* ---- broker_reload.c ---- */
void broker_reload(struct broker *broker); /* SIGHUP */
/* At the start: whose webhooks are believed, for a reload to know what it would take away. */
void broker_note_secrets(struct broker *broker);

/* ---- broker_restored.c ---- */
/* Is the store made of a backup? Then the core knows, before core_restored(). False: the log says why not. */
bool broker_is_restored(struct broker *broker, bool *restored);
/* After core_restored(): makes what follows from it durable. False: the log says why. */
bool broker_take_backup_over(struct broker *broker);

/* ---- broker_suppressed.c ---- */
/* The next slice of it, if it is time. */
void broker_suppress_again(struct broker *broker);

/* ---- erase.c ---- */
/* After what was submitted: a pass over the store begins, or has ended. */
void broker_erase_turn(struct broker *broker);
int64_t broker_erase_next_mono_ms(const struct broker *broker);
/* How far the store has been gone through for that order; false: it is not being gone through now. */
bool broker_erase_progress(struct broker *broker, uint64_t id, uint64_t *total, uint64_t *done);

/* ---- broker_audit.c ---- */
/* An audit record of the system's own: `what` is start, stop or reload; `reason` NULL: none. */
void broker_audit(struct broker *broker, const char *what, const char *reason, enum code code);

void broker_store_progress(void *self, uint64_t done, uint64_t total);
struct admin_shell broker_admin_shell(struct broker *broker);

#endif
