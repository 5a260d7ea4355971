/* enqueue.h — what the rest of the core needs of a job's beginning; producers' calls are in core.h. */
#ifndef LINEWARD_CORE_ENQUEUE_H
#define LINEWARD_CORE_ENQUEUE_H

#include "broker/core/effects.h"

struct refusal {
    enum code code;
    const char *field; /* static; NULL: none */
};

/* Does the pool have the line that the job names, if it names one? */
bool enqueue_line_is_known(const struct core *core, const struct core_enqueue *job);
/* Has the job's id been used? Then *out says what that means: a duplicate, or another job's. */
bool enqueue_find_twin(const struct core *core, const struct core_enqueue *job, struct instant now, struct effect *out);
/* What depends on the state of things, in the contract's order: suppression, stickiness, first-message rules, holds,
 * room. Changes nothing, and what it has nothing against is not refused afterwards. */
struct refusal enqueue_judge(const struct core *core, const struct core_enqueue *job, bool store_full, struct instant now);
/* The job that ends for it (collapse.h); NOBODY: none does. */
uint32_t enqueue_replaces(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation);
/* The conversation of a job that was judged so: made if need be, and pinned if the job says so. */
uint32_t enqueue_house(struct core *core, const struct core_enqueue *job, struct instant now, struct effects *out);
/* CHANGE_JOB, not marked as an event yet; with the conversation, if the job makes it a known one. */
struct change *enqueue_record(struct core *core, uint32_t slot, const struct core_enqueue *job, int64_t accepted_at_ms,
                              struct instant now, struct effects *out);

/* An accepted job takes its place: scheduled, in its conversation, or expired at once. */
void enqueue_start(struct core *core, uint32_t job, struct instant now, struct effects *out);
/* Asked for by whoever: ends it if it surely was not sent, else asks for it back. True: it has ended. */
bool job_cancel(struct core *core, uint32_t job, struct instant now, struct effects *out);
void enqueue_wake(struct core *core, uint32_t job, struct instant now, struct effects *out); /* WALL_JOB */

#endif
