/* held.c — what pauses hold: a walk over the waiting jobs, in slices that the caller bounds. */
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/pause.h"
#include "broker/core/state.h"

struct walk {
    const struct core *core;
    /* Of each scope, the last target that was looked for: a line's jobs often lie side by side. */
    uint64_t target[PAUSE_SCOPE_COUNT];
    uint32_t slot[PAUSE_SCOPE_COUNT];
};

static uint32_t oldest_pause(struct walk *walk, enum pause_scope scope, uint64_t target)
{
    if (walk->target[scope] != target || walk->slot[scope] == 0) {
        walk->slot[scope] = pause_find(walk->core, scope, target);
        walk->target[scope] = target;
    }
    return walk->slot[scope];
}

static uint32_t campaign_pause_of(struct walk *walk, const struct pool *pool, const struct job *job)
{
    bool any = job->campaign != 0 && walk->core->campaigns_paused > 0;
    return any ? oldest_pause(walk, PAUSE_CAMPAIGN, (uint64_t)pool->name << 16 | job->campaign) : 0;
}

/* Fills in what lies on the job; false: nothing does. */
static bool look(struct walk *walk, const struct job *job, struct held_job *out)
{
    const struct core *core = walk->core;
    const struct conversation *conversation = &core->conversations[job->conversation];
    const struct pool *pool = &core->pools[conversation->pool];
    uint32_t there = conversation_line_pool(core, conversation);
    uint32_t paused;
    *out = (struct held_job){.number = job->number, .conversation = job->conversation};
    if (core->pauses_all > 0)
        out->pauses[PAUSE_ALL] = oldest_pause(walk, PAUSE_ALL, 0);
    if ((paused = pause_holds_either(core, PAUSE_ACCOUNT, conversation->pool, there)) != NO_POOL)
        out->pauses[PAUSE_ACCOUNT] = oldest_pause(walk, PAUSE_ACCOUNT, core->accounts[core->pools[paused].account].name);
    if ((paused = pause_holds_either(core, PAUSE_POOL, conversation->pool, there)) != NO_POOL)
        out->pauses[PAUSE_POOL] = oldest_pause(walk, PAUSE_POOL, core->pools[paused].name);
    out->pauses[PAUSE_CAMPAIGN] = campaign_pause_of(walk, pool, job);
    if ((conversation->flags & CONVERSATION_PAUSED) != 0)
        out->pauses[PAUSE_CONVERSATION] = oldest_pause(walk, PAUSE_CONVERSATION, conversation->key);
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (on_line && core->lines[conversation->line].pauses > 0)
        out->pauses[PAUSE_LINE] = oldest_pause(walk, PAUSE_LINE, core->lines[conversation->line].known.number);
    uint32_t any = 0;
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        any |= out->pauses[scope];
    return any != 0;
}

bool core_held_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                    void (*visit)(void *self, const struct held_job *job), void *self)
{
    struct walk walk = {.core = core};
    uint32_t slot = *cursor == NOBODY ? 1 : *cursor;
    uint64_t end = (uint64_t)slot + limit;
    for (; slot <= core->jobs_used && slot < end; slot++) {
        const struct job *job = &core->jobs[slot];
        struct held_job held;
        job_conversation_prefetch(core, slot + JOBS_AHEAD);
        if (job->number != 0 && job->state == JOB_QUEUED && look(&walk, job, &held))
            visit(self, &held);
    }
    *cursor = slot;
    return slot <= core->jobs_used;
}

uint32_t core_held_conversations(const struct core *core)
{
    return core->conversations_used + 1;
}

uint64_t core_pause_id(const struct core *core, uint32_t slot)
{
    return core->pauses[slot].change.id;
}

uint32_t core_pauses_max(const struct core *core)
{
    return core->limits.pauses_max;
}

uint64_t core_next_pause(const struct core *core)
{
    return core->next_pause;
}
