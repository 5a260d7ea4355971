/* settle.c — see settle.h. */
#include "broker/core/settle.h"

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/pause.h"
#include "broker/core/ready.h"
#include "broker/core/turns.h"
#include "broker/core/wait.h"

#define LOOK_MAX     4096 /* conversations in one slice ... */
#define YIELDS_MAX   512  /* ... and jobs of paused campaigns that step aside in it */
#define SLICE_GAP_MS 1
#define PIN_LOOK_MAX 256 /* jobs, at one that may have been the last to name its conversation's line */

/* Where the job stands as first of its conversation, or would. */
static struct ready_set *set_of(struct core *core, const struct conversation *conversation, const struct job *job)
{
    if ((conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) == 0)
        return &core->pools[conversation->pool].fresh;
    struct line *line = &core->lines[conversation->line];
    if ((conversation->flags & CONVERSATION_BOUND) == 0)
        return &line->fresh;
    return job->rested ? &line->rested : &line->ready;
}

void turns_push(struct core *core, uint32_t at, uint32_t slot, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    struct job *job = job_at(core, slot);
    if (!recipient_is_spent(core, conversation, now))
        job->rested = true;
    ready_push(core, &set_of(core, conversation, job)->queue[job->class], slot);
}

void turns_withdraw(struct core *core, uint32_t at, uint32_t slot)
{
    const struct conversation *conversation = &core->conversations[at];
    struct job *job = job_at(core, slot);
    if ((job->flags & JOB_READY) == 0)
        return;
    ready_remove(core, &set_of(core, conversation, job)->queue[job->class], slot);
    job->rested = false;
}

bool conversation_pool_lets_go(struct core *core, const struct conversation *conversation)
{
    uint32_t own = conversation->pool;
    if (core->pools_paused > 0 && conversation_line_pool(core, conversation) != own && pause_holds_pool(core, own)) {
        core->strangers_wait = true;
        return false;
    }
    return core->pools[own].configured;
}

static bool may_go(struct core *core, const struct conversation *conversation, const struct job *job,
                   struct instant now)
{
    return conversation_pool_lets_go(core, conversation) && job->state == JOB_QUEUED &&
           job_due_ms(job) <= now.wall_ms && conversation->health != CHAT_CRITICAL &&
           conversation->health != CHAT_OPTED_OUT && (conversation->flags & CONVERSATION_PAUSED) == 0 &&
           !campaign_holds(core, job);
}

static void reap(struct core *core, struct conversation *conversation)
{
    for (;;) {
        uint32_t first = conversation_first(core, conversation);
        if (first == NOBODY || !job_state_is_final(core->jobs[first].state))
            return;
        conversation_shift(core, conversation);
        job_free(core, first);
    }
}

void conversation_set_aside(struct core *core, uint32_t at, int64_t until_ms)
{
    struct conversation *conversation = &core->conversations[at];
    if (until_ms == TIME_NEVER && (conversation->flags & CONVERSATION_ASIDE) == 0)
        return;
    conversation->flags &= (uint8_t)~CONVERSATION_ASIDE;
    if (until_ms != TIME_NEVER)
        conversation->flags |= CONVERSATION_ASIDE;
    wall_timer(core, WALL_CONVERSATION, at, until_ms);
}

/* Jobs of paused campaigns step out of the way of those behind them, but not into the last place: a job that has been
 * judged, and is taking its own, finds that free. */
static void yield_to_others(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    for (;;) {
        uint32_t first = conversation_first(core, conversation);
        const struct job *job = &core->jobs[first];
        if (first == NOBODY || job->state != JOB_QUEUED || (job->flags & JOB_YIELDED) != 0 || !campaign_holds(core, job))
            return;
        if (conversation->scheduled >= CONVERSATION_SCHEDULED_MAX - 1) {
            core->crowded_wait = true;
            return;
        }
        turns_withdraw(core, at, first);
        campaign_yield(core, first);
        reap(core, conversation);
    }
}

void conversation_settle(struct core *core, uint32_t at, struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    reap(core, conversation);
    yield_to_others(core, at);
    uint32_t first = conversation_first(core, conversation);
    if (first == NOBODY) {
        conversation_set_aside(core, at, TIME_NEVER);
        bool lives = (conversation->flags & (CONVERSATION_RECORDED | CONVERSATION_CHAT)) != 0;
        if (!lives && conversation->scheduled == 0)
            conversation_drop(core, at);
        return;
    }
    struct job *job = job_at(core, first);
    move_settle(core, at, now);
    bool ready = (job->flags & JOB_READY) != 0;
    bool goes = may_go(core, conversation, job, now);
    int64_t until_ms = goes ? conversation_waits_until(core, at, now) : 0;
    bool waits = until_ms > now.wall_ms;
    conversation_set_aside(core, at, waits ? until_ms : TIME_NEVER);
    if (ready == (goes && !waits))
        return;
    if (ready) {
        turns_withdraw(core, at, first);
    } else {
        turns_push(core, at, first, now);
    }
    if ((conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0)
        turns_touch_line(core, conversation->line, now);
    else
        turns_touch_pool(core, conversation->pool);
}

static void count_conversation(struct core *core, const struct conversation *conversation, int delta)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    if (first == NOBODY)
        return;
    do {
        if (!job_state_is_final(core->jobs[slot].state)) {
            if (delta > 0)
                backlog_add(core, slot);
            else
                backlog_remove(core, slot);
        }
        slot = core->jobs[slot].next;
    } while (slot != first);
}

/* Both walk the waiting jobs of one conversation that has not begun: seldom more than a few. */
void conversation_bind(struct core *core, uint32_t at, uint32_t line, bool pinned)
{
    struct conversation *conversation = &core->conversations[at];
    count_conversation(core, conversation, -1);
    conversation->line = line & NO_LINE;
    conversation->flags |= pinned ? CONVERSATION_PINNED : CONVERSATION_BOUND;
    recipient_arrives(core, conversation);
    count_conversation(core, conversation, 1);
}

void conversation_unbind(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    count_conversation(core, conversation, -1);
    recipient_unarrives(core, conversation);
    conversation->flags &= (uint8_t)~CONVERSATION_BOUND;
    if ((conversation->flags & (CONVERSATION_PINNED | CONVERSATION_RECORDED)) == 0)
        conversation->line = NO_LINE;
    count_conversation(core, conversation, 1);
}

void conversation_let_go(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    count_conversation(core, conversation, -1);
    if (conversation_is_unbegun(conversation)) /* else that line has written to them, and goes on counting them */
        recipient_unarrives(core, conversation);
    conversation->flags &= (uint8_t)~(CONVERSATION_BOUND | CONVERSATION_PINNED);
    count_conversation(core, conversation, 1);
}

/* May a job of it that waits name its line? Of what is not in its list, or far behind, nobody knows. */
static bool may_name_line(const struct core *core, const struct conversation *conversation, uint32_t without)
{
    bool beside = without != NOBODY && !job_is_listed(&core->jobs[without]);
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    unsigned looked = 0;
    if (conversation->scheduled > beside)
        return true;
    while (slot != NOBODY) {
        const struct job *job = &core->jobs[slot];
        bool names = slot != without && (job->flags & JOB_PINNED) != 0 && !job_state_is_final(job->state);
        if (looked++ == PIN_LOOK_MAX || names)
            return true;
        slot = job->next == first ? NOBODY : job->next;
    }
    return false;
}

/* Not what an operator has moved and is still to begin there, which no job says; nor while what waits for the line is
 * to fail, which means all of it. */
bool conversation_pin_ends(const struct core *core, const struct conversation *conversation, uint32_t without)
{
    bool pinned = (conversation->flags & CONVERSATION_PINNED) != 0 && !conversation_was_sent_away(conversation);
    return pinned && !may_name_line(core, conversation, without) &&
           core->orders[conversation->line].change.drain != DRAIN_FAIL;
}

void conversation_unpin(struct core *core, uint32_t at, struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    uint32_t line = conversation->line;
    uint32_t first = conversation_first(core, conversation);
    if (!conversation_pin_ends(core, conversation, NOBODY))
        return;
    if ((conversation->flags & CONVERSATION_BOUND) != 0) {
        conversation->flags &= (uint8_t)~CONVERSATION_PINNED;
        return;
    }
    if (first != NOBODY)
        turns_withdraw(core, at, first);
    conversation_let_go(core, at);
    if ((conversation->flags & CONVERSATION_RECORDED) != 0)
        move_lose_chat(core, at); /* it had left another line, which nothing but its record knows any more */
    else
        conversation->line = NO_LINE;
    turns_touch_line(core, line, now);
}

/* One of its jobs has a second try to come, which goes out on the first one's line (promise P4), or may have been sent. Of
 * those that are not in its list none was that is not due yet. */
static bool may_be_tried(const struct core *core, const struct conversation *conversation)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    while (slot != NOBODY) {
        const struct job *job = &core->jobs[slot];
        if (job_was_tried(job) && !job_state_is_final(job->state))
            return true;
        slot = job->next == first ? NOBODY : job->next;
    }
    return campaign_tried(core, (uint32_t)(conversation - core->conversations)) != NOBODY;
}

/* One that has not begun there, new or moved (move.h): it lives there only for the sake of such a job. */
static void leave_unbegun(struct core *core, uint32_t at, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    uint32_t line = conversation->line;
    uint32_t first = conversation_first(core, conversation);
    bool lives = (conversation->flags & CONVERSATION_BOUND) != 0;
    if (!lives || conversation_stays(conversation) || may_be_tried(core, conversation))
        return;
    if (first != NOBODY)
        turns_withdraw(core, at, first);
    conversation_unbind(core, at);
    turns_touch_line(core, line, now);
}

void conversation_loosen(struct core *core, uint32_t at, struct instant now)
{
    leave_unbegun(core, at, now);
    conversation_unpin(core, at, now);
}

/* ---- what waits by rules that have changed ---- */

void conversations_reconsider(struct core *core, struct instant now)
{
    core->reconsider_left = core->conversations_used;
    if (core->reconsider_left > 0)
        mono_timer(core, MONO_RECONSIDER, 0, now.mono_ms);
}

void conversations_reconsider_slice(struct core *core, struct instant now)
{
    uint64_t yields = core->yields; /* one may put many jobs out of the way */
    for (unsigned looked = 0; core->reconsider_left > 0 && looked < LOOK_MAX && core->yields - yields < YIELDS_MAX;
         looked++) {
        core->reconsider_left--;
        core->reconsider_at = core->reconsider_at >= core->conversations_used ? 1 : core->reconsider_at + 1;
        const struct conversation *conversation = &core->conversations[core->reconsider_at];
        if (conversation->key == 0 || conversation->tail == NOBODY)
            continue;
        conversation_unpin(core, core->reconsider_at, now); /* a drain may have kept it (conversation_pin_ends()) */
        conversation_settle(core, core->reconsider_at, now);
    }
    if (core->reconsider_left > 0)
        mono_timer(core, MONO_RECONSIDER, 0, now.mono_ms + SLICE_GAP_MS);
}
