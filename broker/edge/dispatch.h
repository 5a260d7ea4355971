/* dispatch.h — workers on 7711 (PROTOCOL, Workers): READY, RESULT, BEAT and BYE in; READY, JOB, DONE, REVOKE, BEAT
 * and ERR out. A JOB is composed from the store when its commit is durable and the core still says so; JOBs and DONEs
 * of one turn travel together, up to 256 a message. */
#ifndef LINEWARD_EDGE_DISPATCH_H
#define LINEWARD_EDGE_DISPATCH_H

#include "broker/core/core.h"
#include "broker/edge/access.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/lookup.h"
#include "broker/edge/persist.h"
#include "broker/edge/timings.h"
#include "lineward/conf.h"

#define DISPATCH_PEERS_MAX 4096

struct dispatch_options {
    void *socket; /* ROUTER, bound; lent */
    const struct conf *conf;
    const struct keyed_hash *hash;
    struct core *core;
    struct archive archive; /* read() is used on the owner's thread: what is leased was written or read lately */
    struct access *access; /* lent; NULL: no keys are in force, everybody is let in */
    const char *broker;
    struct timings *timings; /* lent; NULL: none are kept */
    effects_persist persist;
    void *persist_self;
};

struct dispatch;
struct dispatch *dispatch_new(const struct dispatch_options *options); /* NULL: out of memory */
void dispatch_free(struct dispatch **dispatch_p);

/* Reads and carries out one message. False: nothing there. What is left in `out` is lent until the next call. */
bool dispatch_read(struct dispatch *dispatch, struct instant now, struct effects *out);
/* A durable EFFECT_JOB, EFFECT_DONE or EFFECT_READY, or an EFFECT_REVOKE or EFFECT_UNKNOWN_WORKER at once. */
void dispatch_effect(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out);
/* Another configuration, in which pools and accounts that were there keep their index; lent like the one before. */
void dispatch_conf_set(struct dispatch *dispatch, const struct conf *conf);
/* Other keys are in force since, or other pools are there: who lost its key, or has another set of pools now, is gone as
 * far as leases go, and has to say READY again. `before`: the keys until now. */
void dispatch_keys_changed(struct dispatch *dispatch, const struct key_ring *before, bool pools_changed,
                           struct instant now, struct effects *out);
/* Sends what has gathered. What a worker does not take goes back to the core. */
void dispatch_flush(struct dispatch *dispatch, struct instant now, struct effects *out);
/* Once a turn: tries again what peers did not take, when it is time; and when that is next, TIME_NEVER: not at all.
 */
void dispatch_retry(struct dispatch *dispatch, struct instant now);
int64_t dispatch_next_mono_ms(const struct dispatch *dispatch);

#endif
