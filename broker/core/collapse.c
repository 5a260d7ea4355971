/* collapse.c — see collapse.h. */
#include "broker/core/collapse.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/settle.h"

static uint64_t hash_of(const void *slots, uint32_t slot)
{
    return ((const struct collapse *)slots)[slot].hash;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct collapse *)slots)[slot].next;
}

void index_collapse(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_collapse, heads, heads_max, core->collapse, hash_of, next_of);
}

void collapse_note(struct core *core, uint32_t slot, uint64_t hash)
{
    core->jobs[slot].collapses = true;
    core->collapse[slot].hash = hash;
}

void collapse_restored(struct core *core, uint32_t slot)
{
    if (core->jobs[slot].collapses)
        index_insert(&core->by_collapse, slot);
}

void collapse_add(struct core *core, uint32_t slot, uint64_t hash)
{
    collapse_note(core, slot, hash);
    collapse_restored(core, slot);
}

void collapse_remove(struct core *core, uint32_t slot)
{
    if (!core->jobs[slot].collapses)
        return;
    index_remove(&core->by_collapse, slot);
    core->jobs[slot].collapses = false;
}

uint64_t collapse_hash(const struct core *core, const struct job *job)
{
    return job->collapses ? core->collapse[job_slot(core, job)].hash : 0;
}

static bool can_end(const struct job *job)
{
    return job_is_waiting(job) && (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0;
}

/* It stands in its conversation's order, where the new one can stand as well. */
static bool has_place(const struct job *old, const struct job *job)
{
    return old->state == JOB_QUEUED && job->state == JOB_QUEUED && old->class == job->class;
}

static bool waits_since(const struct core *core, uint32_t slot, uint32_t conversation, uint64_t since)
{
    const struct job *job = &core->jobs[slot];
    return job->conversation == conversation && can_end(job) && job_came(core, job) >= since;
}

bool collapse_waits(const struct core *core, uint32_t conversation, uint64_t hash, uint64_t since)
{
    uint32_t slot = hash == 0 ? 0 : index_find(&core->by_collapse, hash);
    while (slot != 0 && !waits_since(core, slot, conversation, since))
        slot = index_find_next(&core->by_collapse, hash, slot);
    return slot != 0;
}

uint32_t collapse_oldest(const struct core *core, uint32_t conversation, uint64_t hash)
{
    uint32_t found = NOBODY;
    for (uint32_t old = hash == 0 ? 0 : index_find(&core->by_collapse, hash); old != 0;
         old = index_find_next(&core->by_collapse, hash, old)) {
        const struct job *at = &core->jobs[old];
        bool meant = at->conversation == conversation && can_end(at);
        if (meant && (found == NOBODY || job_order(core, at) < job_order(core, &core->jobs[found])))
            found = old;
    }
    return found;
}

uint32_t collapse_find(struct core *core, uint32_t slot, uint64_t hash, struct instant now)
{
    struct job *job = job_at(core, slot);
    int64_t expires = job_expires_ms(job);
    if (expires != 0 && expires <= now.wall_ms)
        return NOBODY; /* it ends at once, and takes nobody's place */
    uint32_t found = collapse_oldest(core, job->conversation, hash);
    if (found != NOBODY && has_place(&core->jobs[found], job))
        job_set_order(core, job, job_order(core, &core->jobs[found]));
    return found;
}

bool collapse_replace(struct core *core, uint32_t old, uint32_t slot, struct instant now, struct effects *out)
{
    static const struct job_ending ending = {.event = EV_CANCEL, .code = CODE_SUPERSEDED};
    struct job *was = job_at(core, old);
    uint32_t at = was->conversation;
    /* What stands first whatever comes, or waits for its campaign, is in no run: the order says where to go. */
    bool beside = has_place(was, &core->jobs[slot]) && job_is_listed(was) && !conversation_fixes(was);
    if (beside) {
        turns_withdraw(core, at, old);
        conversation_insert_behind(core, &core->conversations[at], old, slot);
        backlog_add(core, slot);
        job_timer(core, slot);
    } else {
        core->conversations[at].scheduled++; /* so that it is not forgotten when it is empty for a moment */
    }
    job_end(core, old, &ending, now, out);
    if (!beside)
        core->conversations[at].scheduled--;
    return beside;
}
