/* job.h — a job's life: its states, its slot, its end. Only job_apply() writes job.state. */
#ifndef LINEWARD_CORE_JOB_H
#define LINEWARD_CORE_JOB_H

#include "broker/core/effects.h"

enum job_event { EV_ACCEPT_LATER, EV_ACCEPT, EV_DUE, EV_LEASE, EV_LAPSE, EV_SENT, EV_RETRY, EV_RETURNED, EV_REJECTED,
                 EV_EXPIRE, EV_CANCEL, EV_SUPPRESS, EV_GIVE_UP, JOB_EVENTS };

/* The only way to another state (a blank cell of the table is ERR_FORBIDDEN_MOVE and changes nothing). */
enum err job_apply(struct job *job, enum job_event event);
/* The same for moves that our own logic has made sure of. */
void job_move(struct job *job, enum job_event event);

/* Is there a free slot? One that has ended may keep its own for a while (job_end). */
bool job_has_room(const struct core *core);
/* A fresh slot with the next number; NOBODY: full. */
uint32_t job_new(struct core *core, uint32_t conversation);
/* The same with a number that it had before; in any free slot. */
uint32_t job_revive(struct core *core, uint32_t conversation, uint64_t number);
void job_free(struct core *core, uint32_t slot);
/* A walk over all jobs will be at that slot soon: asks the memory for its conversation, which may lie anywhere, and of
 * which what is looked at may lie in two cache lines. Inlined always: gcc takes a function that does nothing but this for
 * one without an effect, and leaves its calls out. */
#define JOBS_AHEAD 16u
__attribute__((always_inline)) static inline void job_conversation_prefetch(const struct core *core, uint32_t slot)
{
    if (slot > core->jobs_used)
        return;
    const char *conversation = (const char *)&core->conversations[core->jobs[slot].conversation];
    __builtin_prefetch(conversation + offsetof(struct conversation, key_next) - 1); /* tail, line, pool, health */
    __builtin_prefetch(conversation + sizeof(struct conversation) - 1);             /* flags */
}
/* The slot that has this number, live or not. */
uint32_t job_slot_of(const struct core *core, uint64_t number);
/* While replaying: `slot` is that number's now, or nobody's (0). */
void job_renumber(struct core *core, uint32_t slot, uint64_t number);
void index_revived(struct core *core, uint32_t *heads, uint32_t heads_max);
/* The slot of a live (not final) job, NOBODY: none. */
uint32_t job_find(const struct core *core, uint64_t number);

bool job_is_waiting(const struct job *job); /* scheduled or queued */
bool job_was_tried(const struct job *job); /* or is, or may have been */
bool job_is_listed(const struct job *job);  /* stands in the list of its conversation */
/* Its state, due time or expiry changed: when it has to be looked at again. */
void job_timer(struct core *core, uint32_t slot);

/* Its place among the waiting jobs of its class: its sequence, or another number of the same count, as the one that is
 * drawn when it falls due. */
void job_set_order(struct core *core, struct job *job, uint64_t order);
uint64_t job_order(const struct core *core, const struct job *job);
/* Of the same count: since when it waits; a dead letter since it came back. */
uint64_t job_came(const struct core *core, const struct job *job);

/* What CHANGE_TRY says of the job now. */
void job_record_try(struct core *core, uint32_t slot, const struct lease *lease, int http_status, int64_t code,
                    enum topic topic, struct instant now, struct effects *out);

/* The same for one that says nothing new. Its conversation was written to when it was. */
void job_renew_try(struct core *core, uint32_t slot, struct instant now, struct effects *out);

struct job_ending {
    enum job_event event;
    enum code code;          /* superseded, outcome_unknown ... */
    bool dead;               /* keep it whole for the dead letters */
    struct span result;      /* JSON for its view */
    uint64_t message_hash;
    int64_t provider_code;
    uint64_t line; /* where it was tried; 0: where its conversation lives */
};
/* Ends the job: writes CHANGE_END, takes it out of its conversation (or leaves a husk there that is reaped when it
 * comes first), and lets the next one of the conversation go. */
void job_end(struct core *core, uint32_t slot, const struct job_ending *ending, struct instant now,
             struct effects *out);

#endif
