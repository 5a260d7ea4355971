/* grant.c — see grant.h. */
#include "broker/core/grant.h"

#include "broker/core/crews.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/pair.h"
#include "broker/core/placement.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

/* Debits everything that the lease spends, in the same step as the lease itself. */
static void spend(struct core *core, struct lease *lease, uint32_t at, struct instant now)
{
    struct line *line = &core->lines[lease->line];
    struct conversation *conversation = &core->conversations[at];
    level_begin_day(line, now);
    budget_add(&line->known.messages, now.wall_ms, 1, lease->bucket);
    budget_add(&line->known.out, now.wall_ms, 1, lease->bucket);
    if (lease->placed)
        budget_add(&line->known.fresh, now.wall_ms, 1, lease->bucket);
    pair_spend(core, at, now);
    lease->out = moment_of(now.wall_ms);
    lease->last_out = conversation->last_out < lease->out ? (uint32_t)conversation->last_out : lease->out; /* jump.h */
    recipient_set_out(core, conversation, lease->out);
    pace_spend(core, line, now);
}

void grant(struct core *core, uint32_t slot, uint32_t at, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    struct conversation *conversation = &core->conversations[job->conversation];
    struct line *line = &core->lines[at];
    bool places = (conversation->flags & CONVERSATION_BOUND) == 0;

    turns_withdraw(core, job->conversation, slot);
    if (places) {
        assert(line_takes_fresh(core, line, now)); /* promise P5 */
        placement_remove(core, at);
        placement_charge(core, at, now);
        if (move_bind(core, job->conversation, at, now, out))
            move_record(core, job->conversation, now, out);
    }
    uint32_t worker = crew_next_worker(core, line->pool, conversation->pool);
    struct lease *lease = lease_grant(core, slot, at, worker, now);
    assert(lease != NULL);
    crew_ring_turn(core, core->workers[worker].crew);
    lease->placed = places;
    lease->probe_line = line->gate == GATE_CLOSED;
    line->probing = line->probing || lease->probe_line;
    lease->probe_account = core->accounts[line->account].broken;
    core->accounts[line->account].probing = core->accounts[line->account].probing || lease->probe_account;
    if (lease->probe_account)
        core->accounts[line->account].probed = job->conversation;

    backlog_remove(core, slot);
    job_move(job, EV_LEASE);
    job_set_due(job, 0);
    job_timer(core, slot);
    backlog_add(core, slot);
    if (job->attempts < UINT8_MAX)
        job->attempts++;
    if ((job->flags & JOB_DOUBTFUL) != 0) /* from now on it goes first until that is settled */
        job->flags |= JOB_UNSETTLED;
    job->flags &= (uint8_t)~(JOB_WIDE | JOB_DOUBTFUL);
    spend(core, lease, job->conversation, now);
    line->spent = true;
    if (line->recorded_bucket != lease->bucket) /* tries tell of the bucket under way, the line of those before it */
        line_record(core, at, now, out);
    job_record_try(core, slot, lease, 0, 0, TOPIC_JOB_LEASED, now, out);

    struct effect *effect = effect_add(out, EFFECT_JOB);
    effect->peer = core->workers[lease->peer_slot].peer;
    effect->lease = lease->id;
    effect->number = job->number;
    if (lease->probe_account)
        account_touch_lines(core, line->account, now);
    turns_touch_line(core, at, now);
}
