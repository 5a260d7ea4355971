/* outcome_told.c — what is said of a job by others than the try that has it: a late RESULT, a webhook that echoes its
 * key, a person (PROTOCOL, Workers, Result; DESIGN traps 10 and 12). */
#include "broker/core/backup.h"
#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/outcome.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

/* May a try of it have gone out, even if its answer said that it failed, or if it was one that a restored backup does
 * not know? */
static bool may_have_gone_out(const struct job *job)
{
    return job->attempts > 0 || (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0;
}

/* Of one that is leased: may an earlier try have gone out? */
static bool tried_before(const struct job *job)
{
    return job->attempts > 1 || (job->flags & JOB_UNSETTLED) != 0;
}

/* The job, which is not leased, ends as sent; `where`: the line where that was, NO_LINE: where its conversation
 * lives. */
static void believe_sent(struct core *core, uint32_t slot, uint32_t where, const struct core_result *result,
                         struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    struct conversation *conversation = &core->conversations[job->conversation];
    bool elsewhere = where != NO_LINE && conversation->line != where;
    bool bound = (conversation->flags & CONVERSATION_BOUND) != 0;
    bool named = (conversation->flags & CONVERSATION_PINNED) != 0 && (job->flags & JOB_PINNED) != 0;
    if (elsewhere || (!bound && !named)) {
        /* Its conversation has left the line where that was: what it did there says nothing of where it will live. */
        const struct job_ending ending = {.event = EV_SENT,
                                          .result = result->result,
                                          .message_hash = result->message_hash,
                                          .line = where == NO_LINE ? 0 : core->lines[where].known.number};
        job_end(core, slot, &ending, now, out);
        return;
    }
    if (!bound) /* it names its line, and can only have been sent there */
        move_home(core, job->conversation, conversation->line, now, out);
    uint32_t line = conversation->line;
    core->lines[line].sent_total++;
    recipient_set_out(core, conversation, moment_of(now.wall_ms)); /* a failed try may have set it back */
    outcome_sent(core, slot, result, now, out);
    turns_touch_line(core, line, now);
}

void outcome_settle_told(struct core *core, uint32_t slot, struct told told, struct span result, struct instant now,
                         struct effects *out)
{
    const struct core_result settled = {
        .outcome = OUTCOME_SENT, .retry_after_ms = -1, .result = result, .message_hash = told.message_hash};
    believe_sent(core, slot, told.line, &settled, now, out);
}

/* Were the job over now, the next one of its conversation would go out beside the request that may be under way
 * (promise P2). What was told is kept with the lease, over a restart too, for that one may come back unbegun. A first
 * try will tell by itself. */
static void tell_lease(struct core *core, uint32_t slot, struct told told, struct instant now, struct effects *out)
{
    struct lease *lease = &core->leases[core->jobs[slot].left];
    if (lease->told.sent || !tried_before(&core->jobs[slot]))
        return;
    lease->told = told;
    job_record_try(core, slot, lease, 0, 0, TOPIC_NONE, now, out);
    lease_revoke(core, lease, now, out);
}

void outcome_late_result(struct core *core, struct lease *lease, const struct core_result *result, struct instant now,
                         struct effects *out)
{
    uint32_t slot = job_find(core, lease->number);
    if (slot == NOBODY || result->outcome != OUTCOME_SENT || result->malformed)
        return;
    if (core->jobs[slot].state != JOB_LEASED) {
        believe_sent(core, slot, lease->line, result, now, out);
        return;
    }
    const struct lease *current = &core->leases[core->jobs[slot].left];
    if (current->line == lease->line)
        outcome_learn_chat(core, slot, result, now, out);
    const struct told told = {.sent = true, .line = lease->line, .message_hash = result->message_hash};
    tell_lease(core, slot, told, now, out);
}

void outcome_settled_sent(struct core *core, uint32_t slot, struct span result, uint64_t message_hash,
                          struct instant now, struct effects *out)
{
    const struct job *job = &core->jobs[slot];
    const struct told told = {.sent = true, .line = NO_LINE, .message_hash = message_hash};
    if (job->state == JOB_LEASED)
        tell_lease(core, slot, told, now, out);
    else if (job->state == JOB_QUEUED && may_have_gone_out(job))
        outcome_settle_told(core, slot, told, result, now, out);
}

/* A person says that no try of it went out: it waits like any job, on its line and with its key all the same. */
static void settled_unsent(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    bool fixed = (job->flags & JOB_UNSETTLED) != 0; /* a doubtful one waits in its place already */
    if (backup_holds(job)) {
        job_set_due(job, 0);
        job_timer(core, slot);
    }
    campaign_forget_doubt(core, slot);
    job->flags &= (uint8_t)~(JOB_UNSETTLED | JOB_DOUBTFUL);
    if (job->state == JOB_LEASED) { /* the try under way tells by itself, if it has begun */
        struct lease *lease = &core->leases[job->left];
        job_record_try(core, slot, lease, 0, 0, TOPIC_NONE, now, out);
        lease_revoke_if_barred(core, lease, now, out); /* an unknown outcome withstood that, and nothing does now */
        return;
    }
    if (fixed) {
        turns_withdraw(core, job->conversation, slot);
        if (!conversation_fixes(job))
            conversation_unfix(core, &core->conversations[job->conversation]);
    }
    outcome_go_on(core, slot, (struct told){.sent = false}, 0, 0, now, out);
}

void core_settle(struct core *core, uint64_t token, uint64_t number, bool was_sent, struct span result,
                 struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY || (core->jobs[slot].flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0) {
        effect_answer(out, token, slot == NOBODY ? CODE_NOT_FOUND : CODE_NOT_ALLOWED);
        return;
    }
    const struct told told = {.sent = true, .line = NO_LINE};
    if (!was_sent)
        settled_unsent(core, slot, now, out);
    else if (core->jobs[slot].state == JOB_LEASED)
        tell_lease(core, slot, told, now, out);
    else
        outcome_settle_told(core, slot, told, result, now, out);
    effect_answer(out, token, CODE_NONE);
}
