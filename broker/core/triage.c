/* triage.c — an operator's word on jobs that wait, one by one: see core.h. Who chooses them is the edge's affair; here they
 * only end as they would by themselves, so that a restart, a follower and the producer see nothing new. */
#include "broker/core/job.h"
#include "broker/core/leases.h"

uint64_t core_accept_mark(const struct core *core)
{
    return core->next_job;
}

static enum drain_stay keeps(const struct job *job)
{
    if (job->state == JOB_LEASED)
        return DRAIN_STAY_LEASED;
    return (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0 ? DRAIN_STAY_OUTCOME_UNKNOWN : DRAIN_STAY_NONE;
}

bool core_triage_keeps(const struct core *core, uint64_t number, enum drain_stay *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY)
        return false;
    *out = keeps(&core->jobs[slot]);
    return true;
}

bool core_triage(struct core *core, uint64_t number, enum triage how, struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY || keeps(&core->jobs[slot]) != DRAIN_STAY_NONE)
        return false;
    if (how == TRIAGE_CANCEL)
        core->jobs[slot].flags |= JOB_CANCEL;
    else
        job_set_expires(&core->jobs[slot], now.wall_ms);
    return outcome_withdraw(core, slot, now, out);
}
