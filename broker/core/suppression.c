/* suppression.c — see suppression.h. */
#include "broker/core/suppression.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"

static uint64_t key_of(const void *slots, uint32_t slot)
{
    return ((const struct suppressed *)slots)[slot].change.key;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct suppressed *)slots)[slot].next;
}

void index_suppressed(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_suppressed, heads, heads_max, core->suppressed, key_of, next_of);
}

bool suppression_has(const struct core *core, uint64_t recipient)
{
    return recipient != 0 && index_find(&core->by_suppressed, recipient) != 0;
}

void suppression_restore(struct core *core, const struct change_suppression *change)
{
    uint32_t slot = index_find(&core->by_suppressed, change->key);
    if (change->over) {
        if (slot == 0)
            return;
        index_remove(&core->by_suppressed, slot);
        core->suppressed[slot].change.key = 0;
        core->suppressed[slot].next = core->suppressed_free;
        core->suppressed_free = slot;
        return;
    }
    if (slot != 0) {
        core->suppressed[slot].change = *change;
        return;
    }
    slot = core->suppressed_free;
    if (slot != 0)
        core->suppressed_free = core->suppressed[slot].next;
    else if (core->suppressed_used < core->limits.conversations_max)
        slot = ++core->suppressed_used;
    else
        return;
    core->suppressed[slot].change = *change;
    index_insert(&core->by_suppressed, slot);
}

static void record(struct core *core, const struct change_suppression *value, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_SUPPRESSION);
    change->suppression = *value;
    change->event.at_ms = now.wall_ms;
    suppression_restore(core, value);
}

void suppression_add(struct core *core, uint32_t account, uint64_t recipient, enum suppress cause,
                     struct instant now, struct effects *out)
{
    if (recipient == 0)
        return;
    struct change_suppression value = {.key = recipient,
                                       .account = core->accounts[account].name,
                                       .cause = (uint8_t)cause,
                                       .since_ms = now.wall_ms};
    record(core, &value, now, out);
}

void suppression_lift(struct core *core, uint64_t recipient, struct instant now, struct effects *out)
{
    uint32_t slot = recipient == 0 ? 0 : index_find(&core->by_suppressed, recipient);
    if (slot == 0 || core->suppressed[slot].change.cause != SUPPRESS_OPTED_OUT)
        return;
    struct change_suppression value = core->suppressed[slot].change;
    value.over = true;
    record(core, &value, now, out);
}

static bool can_end(const struct job *job)
{
    return job_is_waiting(job) && (job->flags & JOB_UNSETTLED) == 0;
}

void suppression_purge(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    static const struct job_ending ending = {.event = EV_SUPPRESS, .code = CODE_OPTED_OUT};
    uint32_t first = conversation_first(core, &core->conversations[at]);
    if (first == NOBODY)
        return;
    /* Those behind the first leave husks, so the list stays as it is; the first one's end sweeps them up. */
    for (uint32_t slot = core->jobs[first].next; slot != first && effects_have_room(out); slot = core->jobs[slot].next)
        if (can_end(&core->jobs[slot]))
            job_end(core, slot, &ending, now, out);
    if (can_end(&core->jobs[first]) && effects_have_room(out))
        job_end(core, first, &ending, now, out);
}
