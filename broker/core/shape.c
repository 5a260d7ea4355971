/* shape.c — the backlog job by job for GET /v1/shape: where each waits, how old it is and what stops it, as far as that can
 * be told without looking at the jobs around it. Changes nothing. */
#include "broker/core/ages.h"
#include "broker/core/backup.h"
#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/decide.h"
#include "broker/core/job.h"

void core_shape_begin(const struct core *core, struct instant now, struct core_shape *shape)
{
    static const int64_t minutes[SHAPE_LIMITS] = SHAPE_MINUTES;
    *shape = (struct core_shape){.now = now};
    for (unsigned i = 0; i < SHAPE_LIMITS; i++)
        shape->younger[i] = ages_first(&core->ages, now.wall_ms, minutes[i]);
}

size_t core_shape_lines(const struct core *core, struct core_shape *shape, uint8_t *reasons, size_t room, size_t count)
{
    size_t end = core->line_count < room ? core->line_count : room;
    for (; count > 0 && shape->line < end; count--, shape->line++)
        reasons[shape->line] = (uint8_t)decide_line(core, &core->lines[shape->line], shape->now);
    return end - shape->line;
}

static unsigned age_of(const struct core *core, const struct core_shape *shape, const struct job *job)
{
    uint64_t order = job_order(core, job);
    unsigned age = 0;
    while (age < SHAPE_LIMITS && order < shape->younger[age])
        age++;
    return age;
}

static bool is_unknown(const struct job *job)
{
    return (job->flags & JOB_UNSETTLED) != 0 || backup_holds(job);
}

/* What stops the job or its conversation alone; NONE: nothing does. */
static enum reason own_reason(const struct core *core, const struct conversation *conversation, const struct job *job,
                              struct instant now)
{
    if (job->state == JOB_SCHEDULED)
        return REASON_NOT_YET_DUE;
    if (campaign_holds(core, job))
        return REASON_CAMPAIGN_PAUSED;
    if ((conversation->flags & CONVERSATION_PAUSED) != 0)
        return REASON_CONVERSATION_PAUSED;
    if (is_unknown(job))
        return REASON_OUTCOME_UNKNOWN;
    if (conversation->health == CHAT_CRITICAL || conversation->health == CHAT_OPTED_OUT)
        return REASON_CONVERSATION_CRITICAL;
    if (job_due_ms(job) > now.wall_ms && (job->flags & JOB_WIDE) == 0)
        return REASON_RETRY_BACKOFF;
    bool for_answer = conversation->streak > core->pools[conversation->pool].policy.cadence_steps; /* sets no timer */
    if ((conversation->flags & CONVERSATION_ASIDE) == 0 && !for_answer)
        return REASON_NONE;
    enum reason chat = chat_wait(core, conversation, job, now).reason;
    return chat != REASON_NONE ? chat : decide_pair(core, job->conversation, now).reason;
}

static enum reason unplaced_reason(const struct core *core, struct core_shape *shape, uint32_t pool)
{
    if (shape->waits == REASON_NONE || shape->pool != pool)
        shape->waits = decide_unplaced(core, pool, shape->now);
    shape->pool = pool;
    return shape->waits;
}

bool core_shape_walk(struct core *core, struct core_shape *shape, const uint8_t *reasons, size_t room, uint32_t slots,
                     void (*visit)(void *self, const struct shape_job *job), void *self)
{
    uint32_t slot = shape->slot == NOBODY ? 1 : shape->slot;
    for (; slot <= core->jobs_used && slots > 0; slot++, slots--) {
        const struct job *job = &core->jobs[slot];
        job_conversation_prefetch(core, slot + JOBS_AHEAD);
        if (job->number == 0 || !job_is_waiting(job))
            continue;
        const struct conversation *conversation = &core->conversations[job->conversation];
        bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
        enum reason own = own_reason(core, conversation, job, shape->now);
        enum reason shared = REASON_NONE;
        if (on_line && conversation->line < room)
            shared = (enum reason)reasons[conversation->line];
        else if (own == REASON_NONE || own > REASON_CAMPAIGN_PAUSED)
            shared = unplaced_reason(core, shape, conversation->pool);
        bool is_own = own != REASON_NONE && (shared == REASON_NONE || own < shared || own == REASON_NOT_YET_DUE);
        const struct shape_job found = {.pool = conversation->pool,
                                        .line = on_line ? conversation->line : SIZE_MAX,
                                        .campaign = job->campaign,
                                        .reason = is_own ? own : shared,
                                        .age = age_of(core, shape, job)};
        visit(self, &found);
    }
    shape->slot = slot;
    return slot <= core->jobs_used;
}

bool core_waiting_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                       void (*visit)(void *self, const struct waiting_job *job), void *self)
{
    uint32_t slot = *cursor == NOBODY ? 1 : *cursor;
    uint64_t end = (uint64_t)slot + limit;
    for (; slot <= core->jobs_used && slot < end; slot++) {
        const struct job *job = &core->jobs[slot];
        job_conversation_prefetch(core, slot + JOBS_AHEAD);
        if (job->number == 0 || job->state != JOB_QUEUED)
            continue;
        const struct conversation *conversation = &core->conversations[job->conversation];
        bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
        const struct waiting_job waiting = {.line = on_line ? conversation->line : SIZE_MAX,
                                            .order = job_order(core, job),
                                            .is_unknown = is_unknown(job)};
        visit(self, &waiting);
    }
    *cursor = slot;
    return slot <= core->jobs_used;
}

int64_t core_order_at_ms(const struct core *core, uint64_t order)
{
    return ages_at_ms(&core->ages, order);
}
