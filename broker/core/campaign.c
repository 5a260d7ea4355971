/* campaign.c — see campaign.h. */
#include "broker/core/campaign.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/settle.h"

#define RETURN_STEPS_MAX 1024 /* jobs put back, and jobs walked past, in one slice */

static uint64_t key_of(const void *slots, uint32_t slot)
{
    const struct campaign *campaign = &((const struct campaign *)slots)[slot];
    return (uint64_t)campaign->pool << 16 | campaign->name;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct campaign *)slots)[slot].key_next;
}

static uint64_t conversation_of(const void *jobs, uint32_t slot)
{
    return ((const struct job *)jobs)[slot].conversation;
}

static uint32_t *tried_next_of(void *jobs, uint32_t slot)
{
    return &((struct job *)jobs)[slot].parent;
}

void index_tried(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_tried, heads, heads_max, core->jobs, conversation_of, tried_next_of);
}

void index_campaigns(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_campaign, heads, heads_max, core->campaigns, key_of, next_of);
}

uint32_t campaign_find(const struct core *core, uint16_t pool, uint16_t name)
{
    return name == 0 ? NOBODY : index_find(&core->by_campaign, (uint64_t)pool << 16 | name);
}

static bool has_free_slot(const struct core *core)
{
    return core->campaigns_used + 1 < core->limits.names_max;
}

bool campaign_has_room(const struct core *core, uint16_t pool, uint16_t name)
{
    return name == 0 || has_free_slot(core) || campaign_find(core, pool, name) != NOBODY;
}

uint32_t campaign_get(struct core *core, uint16_t pool, uint16_t name)
{
    uint32_t slot = campaign_find(core, pool, name);
    if (slot != NOBODY || name == 0 || !has_free_slot(core))
        return slot;
    slot = ++core->campaigns_used;
    core->campaigns[slot].pool = pool;
    core->campaigns[slot].name = name;
    index_insert(&core->by_campaign, slot);
    return slot;
}

uint32_t campaign_of(const struct core *core, const struct job *job)
{
    return campaign_find(core, core->pools[core->conversations[job->conversation].pool].name, job->campaign);
}

bool campaign_holds(const struct core *core, const struct job *job)
{
    if ((job->flags & JOB_YIELDED) != 0)
        return true;
    if (job->campaign == 0 || core->campaigns_paused == 0)
        return false;
    uint32_t slot = campaign_of(core, job);
    return slot != NOBODY && core->campaigns[slot].pauses > 0;
}

bool campaign_sets_aside(const struct core *core, const struct job *job)
{
    return job->state == JOB_QUEUED && !conversation_fixes(job) && campaign_holds(core, job);
}

void campaign_pause(struct core *core, uint32_t slot, int delta)
{
    struct campaign *campaign = &core->campaigns[slot];
    bool was = campaign->pauses > 0;
    campaign->pauses += (uint32_t)delta;
    bool is = campaign->pauses > 0;
    if (was == is)
        return;
    core->campaigns_paused += is ? 1u : UINT32_MAX;
    if (is || campaign->returning || campaign->yielded_first == NOBODY)
        return;
    campaign->returning = true;
    campaign->returning_next = core->returning;
    core->returning = slot;
}

/* ---- those that were tried, or may have been sent ---- */

uint32_t campaign_tried(const struct core *core, uint32_t conversation)
{
    return index_find(&core->by_tried, conversation);
}

uint32_t campaign_tried_next(const struct core *core, uint32_t conversation, uint32_t slot)
{
    return index_find_next(&core->by_tried, conversation, slot);
}

bool campaign_has_doubtful(const struct core *core, uint32_t conversation)
{
    uint32_t slot = campaign_tried(core, conversation);
    while (slot != NOBODY && (core->jobs[slot].flags & JOB_DOUBTFUL) == 0)
        slot = campaign_tried_next(core, conversation, slot);
    return slot != NOBODY;
}

static void forget_tried(struct core *core, uint32_t slot)
{
    struct job *job = job_at(core, slot);
    if ((job->flags & JOB_YIELDED) == 0 || !job_was_tried(job) || job_is_listed(job))
        return;
    index_remove(&core->by_tried, slot);
    job->parent = NOBODY;
}

void campaign_forget_doubt(struct core *core, uint32_t slot)
{
    if (core->jobs[slot].attempts == 0)
        forget_tried(core, slot);
}

/* ---- the list ---- */

void campaign_yield(struct core *core, uint32_t slot)
{
    struct job *job = job_at(core, slot);
    struct campaign *campaign = &core->campaigns[campaign_of(core, job)];
    struct conversation *conversation = &core->conversations[job->conversation];
    assert((job->flags & (JOB_READY | JOB_YIELDED)) == 0);
    core->yields++;
    backlog_remove(core, slot);
    if (!conversation_fixes(job)) {
        conversation_shift(core, conversation);
        conversation->scheduled++;
        if (job_was_tried(job))
            index_insert(&core->by_tried, slot);
    }
    job->flags |= JOB_YIELDED;
    backlog_add(core, slot);
    job->left = campaign->yielded_last;
    job->right = NOBODY;
    if (campaign->yielded_last != NOBODY)
        core->jobs[campaign->yielded_last].right = slot;
    else
        campaign->yielded_first = slot;
    campaign->yielded_last = slot;
}

void campaign_leave(struct core *core, uint32_t slot)
{
    struct job *job = job_at(core, slot);
    struct campaign *campaign = &core->campaigns[campaign_of(core, job)];
    assert((job->flags & JOB_YIELDED) != 0);
    if (job->left != NOBODY)
        core->jobs[job->left].right = job->right;
    else
        campaign->yielded_first = job->right;
    if (job->right != NOBODY)
        core->jobs[job->right].left = job->left;
    else
        campaign->yielded_last = job->left;
    job->left = job->right = NOBODY;
    forget_tried(core, slot);
    backlog_remove(core, slot);
    job->flags &= (uint8_t)~JOB_YIELDED;
    backlog_add(core, slot);
    if (!job_is_listed(job))
        core->conversations[job->conversation].scheduled--;
}

/* ---- going on ---- */

/* Returns what it cost. */
static uint32_t put_back(struct core *core, uint32_t slot, struct instant now)
{
    struct job *job = job_at(core, slot);
    struct conversation *conversation = &core->conversations[job->conversation];
    uint32_t first = conversation_first(core, conversation);
    bool listed = job_is_listed(job);
    uint32_t cost = 1;
    campaign_leave(core, slot);
    if (!listed) {
        if (first != NOBODY)
            turns_withdraw(core, job->conversation, first);
        cost += conversation_return(core, conversation, slot);
    }
    conversation_unpin(core, job->conversation, now);
    conversation_settle(core, job->conversation, now);
    return cost;
}

void campaigns_return(struct core *core, struct instant now)
{
    uint32_t left = RETURN_STEPS_MAX;
    while (core->returning != NOBODY) {
        struct campaign *campaign = &core->campaigns[core->returning];
        while (campaign->pauses == 0 && campaign->yielded_first != NOBODY) {
            if (left == 0)
                return;
            uint32_t cost = put_back(core, campaign->yielded_first, now);
            left -= cost < left ? cost : left;
        }
        campaign->returning = false;
        core->returning = campaign->returning_next;
    }
}

/* ---- counting ---- */

void campaign_accept(struct core *core, const struct job *job)
{
    uint32_t slot = campaign_get(core, core->pools[core->conversations[job->conversation].pool].name, job->campaign);
    if (slot != NOBODY)
        core->campaigns[slot].live++;
}

void campaign_end(struct core *core, const struct job *job, struct change_end *end)
{
    uint32_t slot = campaign_of(core, job);
    if (slot == NOBODY)
        return;
    struct campaign *campaign = &core->campaigns[slot];
    assert(campaign->live > 0);
    campaign->live--;
    campaign->unrecorded = true;
    end->pool = campaign->pool;
    end->campaign = campaign->name;
    end->campaign_ended = ++campaign->ended[job->state - JOB_SENT];
}

void campaign_restore(struct core *core, uint16_t pool, uint16_t name, enum job_state state, uint64_t ended)
{
    uint32_t slot = job_state_is_final(state) ? campaign_get(core, pool, name) : NOBODY;
    if (slot == NOBODY || core->campaigns[slot].ended[state - JOB_SENT] >= ended)
        return;
    core->campaigns[slot].ended[state - JOB_SENT] = ended;
    core->campaigns[slot].unrecorded = true;
}

void campaign_record(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct campaign *campaign = &core->campaigns[slot];
    struct change *change = change_add(out, CHANGE_CAMPAIGN);
    change->campaign = (struct change_campaign){.pool = campaign->pool, .name = campaign->name};
    for (unsigned end = 0; end < ENDS; end++)
        change->campaign.ended[end] = campaign->ended[end];
    change->event.at_ms = now.wall_ms;
    campaign->unrecorded = false;
}

bool campaigns_refresh(struct core *core, struct instant now, struct effects *out)
{
    for (uint32_t slot = 1; slot <= core->campaigns_used; slot++) {
        if (!core->campaigns[slot].unrecorded)
            continue;
        if (!effects_have_room(out))
            return false;
        campaign_record(core, slot, now, out);
    }
    return true;
}

/* ---- views ---- */

bool core_campaign_view(const struct core *core, uint32_t at, struct campaign_view *out)
{
    if (at >= core->campaigns_used)
        return false;
    const struct campaign *campaign = &core->campaigns[at + 1];
    *out = (struct campaign_view){.pool = core_pool_of_name(core, campaign->pool),
                                  .name = core_name(core, NAME_CAMPAIGN, campaign->name),
                                  .paused = campaign->pauses > 0,
                                  .waiting = campaign->live - campaign->leased,
                                  .leased = campaign->leased,
                                  .accepted = campaign->live};
    for (unsigned end = 0; end < ENDS; end++) {
        out->ended[end] = campaign->ended[end];
        out->accepted += campaign->ended[end];
    }
    return true;
}
