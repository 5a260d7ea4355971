/* outcomes.h — the outcome webhooks of each pool that has an outcome_url: events are read from disk, as GET /v1/events
 * reads them, queued (outcome_queue.h), handed to the child that posts them (broker/outcomes), and confirmed. How far
 * that went is a record of the core, so that a restart goes on there: an event may be posted twice, under the same
 * webhook-id, and is never passed over while it is kept.
 *
 * No pool has one: no child, no work. */
#ifndef LINEWARD_EDGE_OUTCOMES_H
#define LINEWARD_EDGE_OUTCOMES_H

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/lookup.h"
#include "broker/edge/persist.h"
#include "broker/edge/view.h"

#define OUTCOMES_TOKEN_TAG 0x0C

struct outcomes_options {
    const struct conf *conf;
    const struct keyed_hash *hash;
    struct core *core;
    struct lookup *lookup;
    char *const *child_argv; /* what this program is started with to be the child; lent */
    effects_persist persist;
    void *persist_self;
};

struct outcomes;
struct outcomes *outcomes_new(const struct outcomes_options *options); /* NULL: out of memory */
void outcomes_free(struct outcomes **outcomes_p);

/* Another configuration, in which the pools that were there keep their index. If anything that the child goes by is
 * another, it ends what is under way, and the next one begins with what the files say now; else it goes on. Rests are
 * forgotten. ERR_NO_MEMORY: half of it is in force. */
enum err outcomes_follow(struct outcomes *outcomes, const struct conf *conf);

/* Events up to the core's next number exist, though perhaps not yet durable. */
void outcomes_turn(struct outcomes *outcomes, bool durable_moved, struct instant now, struct effects *out);
/* Before the end: what is known is written down. */
void outcomes_note(struct outcomes *outcomes, struct instant now, struct effects *out);
int outcomes_fd(const struct outcomes *outcomes); /* -1: no child runs */
bool outcomes_wants_write(const struct outcomes *outcomes);
int64_t outcomes_next_mono_ms(const struct outcomes *outcomes, struct instant now);

bool outcomes_owns(uint64_t token);
void outcomes_looked_up(struct outcomes *outcomes, struct lookup_answer *answer, struct instant now); /* taken over */

/* Of the pool at that index; false: it has no outcome_url. */
bool outcomes_view(const struct outcomes *outcomes, uint32_t pool, struct instant now, struct outcome_view *out);

#endif
