/* ingress.h — producers on 7710 (PROTOCOL, Producers): frames in, core calls, and the ACK when every part of it is
 * durable. Parsing, deciding and answering stay apart: ingress_read() parses and asks the core, ingress_effect() and
 * ingress_looked_up() collect results, the ACK goes when the last one is there. */
#ifndef LINEWARD_EDGE_INGRESS_H
#define LINEWARD_EDGE_INGRESS_H

#include "broker/core/core.h"
#include "broker/edge/access.h"
#include "broker/edge/admin.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/lookup.h"
#include "broker/edge/owners.h"
#include "broker/edge/persist.h"
#include "lineward/conf.h"

#define INGRESS_TOKEN_TAG             0x17
#define INGRESS_REQUESTS_MAX          4096                 /* not answered yet; more: ERR busy */
#define INGRESS_HELD_BYTES_MAX        (256u * 1024 * 1024) /* of these; more: ERR busy */
#define INGRESS_SLICE_BYTES           (64u * 1024) /* of an ENQUEUE read at a time; a larger one waits for its turns */
#define INGRESS_QUEUED_BYTES_MAX      (128u * 1024 * 1024) /* of requests that wait for their turns; more: ERR busy */
#define INGRESS_PEER_QUEUED_BYTES_MAX (16u * 1024 * 1024)  /* of one peer's */
#define INGRESS_PEER_ASKED_MAX        4096 /* items of one peer's STATUS and CANCEL not answered yet; more: ERR busy */
#define INGRESS_NAME_BYTES_MAX        256                  /* echoed of what STATUS or CANCEL was asked of */

struct ingress_options {
    void *socket; /* ROUTER, bound; lent */
    const struct conf *conf;
    const struct keyed_hash *hash;
    struct core *core;
    struct lookup *lookup;
    const struct cache_owners *owners; /* lent; NULL: other brokers tell nothing */
    struct access *access; /* lent; NULL: no keys are in force, everybody is let in */
    const char *version, *broker;
    effects_persist persist;
    void *persist_self;
};

struct ingress;
struct ingress *ingress_new(const struct ingress_options *options); /* NULL: out of memory */
void ingress_free(struct ingress **ingress_p);

/* Another configuration, in which pools and accounts that were there keep their index; lent like the one before. */
void ingress_conf_set(struct ingress *ingress, const struct conf *conf);

/* Reads one request and carries it out, or puts it where large ones wait. False: nothing there. */
bool ingress_read(struct ingress *ingress, bool store_full, struct instant now, struct effects *out);
/* Goes on with a large one, by a slice. False: none is left. */
bool ingress_work(struct ingress *ingress, bool store_full, struct instant now, struct effects *out);
/* Did the last call of these two nothing but refuse? */
bool ingress_refused(const struct ingress *ingress);
bool ingress_owns(uint64_t token);
/* A durable EFFECT_ENQUEUED, EFFECT_CANCELLED or EFFECT_ANSWER. */
void ingress_effect(struct ingress *ingress, const struct effect *effect, struct instant now);
/* A lookup's answer; taken over. */
void ingress_looked_up(struct ingress *ingress, struct lookup_answer *answer, struct instant now);
/* Once a turn: tries again what peers did not take, when it is time; and when that is next, TIME_NEVER: not at all.
 */
void ingress_retry(struct ingress *ingress, struct instant now);
int64_t ingress_next_mono_ms(const struct ingress *ingress);

/* HTTP's way in: the same parsing and the same core call (admin_shell.enqueue). */
void ingress_enqueue_http(struct ingress *ingress, const struct admin_enqueue *request, bool store_full,
                          struct instant now, struct effects *out);
/* A dead letter's document likewise (admin_shell.requeue). */
enum code ingress_requeue(struct ingress *ingress, const struct admin_requeue *ask, bool store_full,
                          struct instant now, struct effects *out);

#endif
