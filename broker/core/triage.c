/* triage.c — an operator's word on jobs that wait, one by one: see core.h. Who chooses them is the edge's affair. They end
 * as they would by themselves, so that a restart, a follower and the producer see nothing new; other dates are kept in the
 * job's CHANGE_TRY, whose word counts over that of the record with which it was accepted. */
#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/purge.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

#define LOOK_MAX 1024u /* jobs before one, those that have ended included */

static const char moved[] = "{\"error\":{\"code\":\"superseded\",\"message\":\"an operator moved it to another pool, as a new job\"}}";
static const struct job_ending superseded = {
    .event = EV_CANCEL, .code = CODE_SUPERSEDED, .result = {moved, sizeof moved - 1}};

uint64_t core_accept_mark(const struct core *core)
{
    return core->next_job;
}

/* What was tried has its line and its key (promise P4), and what was sent its chat. */
static enum drain_stay keeps_pool(const struct core *core, const struct job *job)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    if ((job->flags & JOB_PINNED) != 0)
        return DRAIN_STAY_PINNED;
    if (job->attempts > 0 ||
        (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_RECORDED | CONVERSATION_CHAT)) != 0)
        return DRAIN_STAY_BEGUN; /* or its head is being tried, or was */
    if ((job->flags & JOB_YIELDED) != 0) /* its place among those of its campaign is known once that goes on */
        return DRAIN_STAY_BEHIND;
    bool first = !job_is_listed(job) || conversation_first(core, conversation) == job_slot(core, job);
    return first ? DRAIN_STAY_NONE : DRAIN_STAY_BEHIND;
}

static enum drain_stay keeps(const struct core *core, const struct job *job, const struct core_triage *what)
{
    if (job->state == JOB_LEASED)
        return DRAIN_STAY_LEASED;
    if ((job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0)
        return DRAIN_STAY_OUTCOME_UNKNOWN;
    if (what->how == TRIAGE_MOVE && purge_ends(core, job)) /* it ends as suppressed, and not elsewhere */
        return DRAIN_STAY_BEGUN;
    if (what->how == TRIAGE_MOVE)
        return keeps_pool(core, job);
    bool due = what->how == TRIAGE_REDATE && what->has_due && job->state != JOB_SCHEDULED;
    return due ? DRAIN_STAY_DUE : DRAIN_STAY_NONE;
}

bool core_triage_keeps(const struct core *core, uint64_t number, const struct core_triage *what, enum drain_stay *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY)
        return false;
    *out = keeps(core, &core->jobs[slot], what);
    return true;
}

/* The deadline is part of its place among the conversations that are ready. */
static void redate(struct core *core, uint32_t slot, const struct core_triage *what, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    int64_t due_ms = !what->has_due ? job_due_ms(job) : what->due_ms == 0 ? now.wall_ms : what->due_ms;
    int64_t expires_ms = what->has_expires ? what->expires_ms : job_expires_ms(job);
    if (due_ms == job_due_ms(job) && expires_ms == job_expires_ms(job))
        return;
    turns_withdraw(core, job->conversation, slot);
    job_set_due(job, due_ms);
    job_set_expires(job, expires_ms);
    job_timer(core, slot);
    core_renew(core, CHANGE_TRY, job->number, now, out);
    conversation_settle(core, job->conversation, now);
}

size_t core_triage_before(const struct core *core, uint64_t number, uint64_t *out, size_t room)
{
    uint32_t slot = job_find(core, number);
    size_t count = 0;
    if (slot != NOBODY && (core->jobs[slot].flags & JOB_YIELDED) != 0) /* those of its campaign, and whatever comes meanwhile */
        return SIZE_MAX;
    if (slot == NOBODY || !job_is_listed(&core->jobs[slot]))
        return 0;
    uint32_t first = conversation_first(core, &core->conversations[core->jobs[slot].conversation]), at = first;
    if (at != slot && campaign_sets_aside(core, &core->jobs[slot])) /* then it yields, as soon as those have gone */
        return SIZE_MAX;
    for (unsigned looked = 0; at != slot; at = core->jobs[at].next) {
        if (++looked > LOOK_MAX)
            return SIZE_MAX;
        if (job_state_is_final(core->jobs[at].state)) /* ended, and not taken out yet */
            continue;
        if (at != first && campaign_sets_aside(core, &core->jobs[at]))
            continue;
        if (count == room)
            return SIZE_MAX;
        out[count++] = core->jobs[at].number;
    }
    return count;
}

bool core_triage(struct core *core, uint64_t number, const struct core_triage *what, struct instant now,
                 struct effects *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY || keeps(core, &core->jobs[slot], what) != DRAIN_STAY_NONE)
        return false;
    if (what->how == TRIAGE_REDATE) {
        redate(core, slot, what, now, out);
        return true;
    }
    if (what->how == TRIAGE_MOVE) {
        job_end(core, slot, &superseded, now, out);
        return true;
    }
    if (what->how == TRIAGE_CANCEL)
        core->jobs[slot].flags |= JOB_CANCEL;
    else
        job_set_expires(&core->jobs[slot], now.wall_ms);
    return outcome_withdraw(core, slot, now, out);
}
