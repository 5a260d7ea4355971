/* view_conversation.c — bounded reading of conversations for the admin API. Changes nothing. */
#include "broker/core/conversation.h"
#include "broker/core/pause.h"

#define COUNTED_IN_LISTS 64

static void count_jobs(const struct core *core, const struct conversation *conversation, unsigned most,
                       struct conversation_view *out)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    out->waiting = conversation->scheduled;
    out->job_place = NOWHERE;
    if (first == NOBODY)
        return;
    for (unsigned looked = 0; looked < most; looked++) {
        const struct job *job = &core->jobs[slot];
        out->leased += job->state == JOB_LEASED;
        out->waiting += job->state == JOB_QUEUED;
        if (out->job_place == NOWHERE)
            out->job_place = job->place;
        slot = job->next;
        if (slot == first)
            return;
    }
}

/* For good: a record says so, and nobody has sent it away since. */
static bool lives(const struct conversation *conversation)
{
    unsigned both = CONVERSATION_RECORDED | CONVERSATION_BOUND;
    return (conversation->flags & both) == both;
}

static void view(const struct core *core, uint32_t at, unsigned most, struct conversation_view *out)
{
    const struct conversation *conversation = &core->conversations[at];
    bool has_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    *out = (struct conversation_view){
        .key = conversation->key,
        .place = conversation_place(conversation),
        .line = has_line ? core->lines[conversation->line].known.number : 0,
        .recorded = (conversation->flags & CONVERSATION_RECORDED) != 0,
        .placed = lives(conversation),
        .pool = conversation->pool,
        .health = (enum chat_health)conversation->health,
        .streak = conversation->streak,
        .last_out_ms = moment_ms(conversation->last_out),
        .last_in_ms = minute_ms(conversation->last_in),
    };
    count_jobs(core, conversation, most, out);
    if ((conversation->flags & CONVERSATION_PAUSED) != 0)
        pause_list(core, PAUSE_CONVERSATION, conversation->key, out->pauses, CONVERSATION_PAUSES_SHOWN);
}

bool core_conversation_view(const struct core *core, uint64_t key, struct conversation_view *out)
{
    uint32_t at = conversation_find(core, key);
    if (at == NOBODY)
        return false;
    view(core, at, CONVERSATION_COUNTED_MAX, out);
    return true;
}

bool core_conversations_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                             void (*visit)(void *self, const struct conversation_view *view), void *self)
{
    uint32_t slot = *cursor == NOBODY ? 1 : *cursor;
    uint64_t end = (uint64_t)slot + limit;
    for (; slot <= core->conversations_used && slot < end; slot++) {
        const struct conversation *conversation = &core->conversations[slot];
        if (conversation->key == 0 || !lives(conversation))
            continue;
        struct conversation_view seen;
        view(core, slot, COUNTED_IN_LISTS, &seen);
        visit(self, &seen);
    }
    *cursor = slot;
    return slot <= core->conversations_used;
}
