/* restore.h — what restore.c and restore_job.c share while the store is replayed. */
#ifndef LINEWARD_CORE_RESTORE_H
#define LINEWARD_CORE_RESTORE_H

#include "broker/core/state.h"

/* The conversation of that key in that pool, begun if it has to be; NOBODY: there is no room. */
uint32_t restore_home(struct core *core, uint64_t key, uint16_t pool_name);

/* While replaying, `scheduled` and `tail` of a conversation are the number of the event up to which its streak is
 * known: its own record may have been moved behind ends of jobs that know more. */
static inline uint64_t restore_known_to(const struct conversation *conversation)
{
    return (uint64_t)conversation->scheduled << 25 | conversation->tail;
}

static inline void restore_set_known_to(struct conversation *conversation, uint64_t seq)
{
    conversation->tail = seq & JOB_SLOT_MAX;
    conversation->scheduled = seq >> 25 & UINT16_MAX;
}

/* While replaying, a job's `left` and `right` hold its order, `parent` the slot of its lease, `rank` whether its newest
 * try was on a line and `next` 1 + the line (restore_finish.c). */
static inline uint64_t restore_order(const struct job *job)
{
    return (uint64_t)job->right << 32 | job->left;
}

static inline void restore_set_order(struct job *job, uint64_t order)
{
    job->left = (uint32_t)order;
    job->right = (uint32_t)(order >> 32);
}

/* And its place among the orders, of which there are none yet, its producer's id. */
static inline uint64_t restore_id(const struct core *core, const struct job *job)
{
    return core->job_orders[job_slot(core, job)];
}

static inline void restore_set_id(struct core *core, const struct job *job, uint64_t id_hash)
{
    core->job_orders[job_slot(core, job)] = id_hash;
}

/* restore_job.c. `past`: it counts no more, but for what is remembered of what is over. ERR_FULL: there is no room. */
enum err restore_job(struct core *core, const struct change_job *job, bool past, uint64_t place);
void restore_try(struct core *core, const struct change_try *try, const struct event_mark *event, bool past);
void restore_end(struct core *core, const struct change_end *end, uint64_t seq, int64_t at_ms);

#endif
