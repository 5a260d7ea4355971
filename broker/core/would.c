/* would.c — what would become of a job that is not enqueued (POST /v1/jobs?dry_run=1): the same judgement as enqueue.c's,
 * and then where it would stand. Changes nothing. */
#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/decide.h"
#include "broker/core/enqueue.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/pause.h"
#include "broker/core/placement.h"
#include "broker/core/quiet.h"
#include "broker/core/settle.h"

#define BEFORE_MAX 64u

/* Would it leave its line, which lets all go? */
static bool leaves(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation,
                   struct instant now)
{
    return conversation != NULL && job->from_line == 0 &&
           move_would_leave(core, conversation, enqueue_replaces(core, job, conversation), now);
}

/* The line that it lives on, waits for, or would be placed on now. NO_LINE: none. */
static uint32_t line_of(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation,
                        struct instant now)
{
    unsigned flags = conversation == NULL ? 0 : conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED);
    bool freed = flags == CONVERSATION_PINNED && job->from_line == 0 &&
                 conversation_pin_ends(core, conversation, enqueue_replaces(core, job, conversation));
    if (flags != 0 && !freed && !leaves(core, job, conversation, now))
        return conversation->line;
    return job->from_line != 0 ? line_find(core, job->from_line) : NO_LINE;
}

/* Would it know its chat, and so be no new conversation? */
static bool is_known(const struct core_enqueue *job, const struct conversation *conversation)
{
    bool bound = conversation != NULL && (conversation->flags & CONVERSATION_BOUND) != 0;
    bool has_record = conversation != NULL && (conversation->flags & (CONVERSATION_CHAT | CONVERSATION_RECORDED)) != 0;
    return bound || (job->chat_hash != 0 && job->from_line != 0 && !has_record);
}

/* How many would go before it in its conversation, and the first of them; those of a paused campaign step out of the
 * way, and the one that it replaces ends. */
static uint32_t count_before(const struct core *core, const struct core_enqueue *ask,
                             const struct conversation *conversation, uint32_t *front)
{
    uint32_t replaced = enqueue_replaces(core, ask, conversation);
    uint32_t first = conversation == NULL ? NOBODY : conversation_first(core, conversation);
    uint32_t count = 0;
    if (first == NOBODY)
        return 0;
    uint32_t slot = first;
    for (unsigned looked = 0; looked < BEFORE_MAX; looked++) {
        const struct job *job = &core->jobs[slot];
        bool fixed = slot == first && conversation_fixes(job);
        bool yields = campaign_sets_aside(core, job) || slot == replaced;
        bool goes_before = !job_state_is_final(job->state) && !yields && (fixed || job->class <= ask->class);
        if (goes_before && count++ == 0)
            *front = slot;
        slot = job->next;
        if (slot == first)
            break;
    }
    return count;
}

static struct verdict judge_alone(const struct core *core, const struct core_enqueue *job,
                                  const struct conversation *conversation, struct instant now)
{
    uint16_t pool = core->pools[job->pool].name;
    uint32_t campaign = campaign_find(core, pool, job->campaign);
    const struct job probe = {.state = JOB_QUEUED,
                              .class = (unsigned)job->class & 3,
                              .zone = quiet_zone_find(core, job->zone) & ZONES_MAX};
    const struct newcomer who = {.pool = job->pool, .conversation = job->conversation, .from_line = job->from_line,
                                 .replaces = enqueue_replaces(core, job, conversation)};
    if (job->due_ms > now.wall_ms)
        return (struct verdict){.reason = REASON_NOT_YET_DUE, .until_ms = job->due_ms};
    struct verdict verdict = decide_for(core, &probe, conversation, &who, now);
    bool paused_above = verdict.reason != REASON_NONE && verdict.reason < REASON_CAMPAIGN_PAUSED;
    if (campaign == NOBODY || core->campaigns[campaign].pauses == 0 || paused_above)
        return verdict;
    uint64_t target = (uint64_t)pool << 16 | job->campaign;
    return (struct verdict){.reason = REASON_CAMPAIGN_PAUSED, .until_ms = pause_until_ms(core, PAUSE_CAMPAIGN, target)};
}

static void foresee(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation,
                    struct instant now, struct core_would *out)
{
    const struct verdict alone = judge_alone(core, job, conversation, now);
    bool known = is_known(job, conversation) && !leaves(core, job, conversation, now);
    uint32_t front = NOBODY;
    out->prospect = (struct prospect){
        .pool = job->pool,
        .line = line_of(core, job, conversation, now),
        .job = NOBODY,
        .conversation = conversation == NULL ? NOBODY : (uint32_t)(conversation - core->conversations),
        .class = job->class,
        .zone = quiet_zone_find(core, job->zone),
        .before = count_before(core, job, conversation, &front),
        .fresh = !known,
        .rested = conversation == NULL || !recipient_is_spent(core, conversation, now),
        .alone = alone.reason,
        .until_ms = alone.until_ms};
    out->effect.state = alone.reason == REASON_NOT_YET_DUE ? JOB_SCHEDULED : JOB_QUEUED;
    out->effect.reason = alone.reason;
    if (front == NOBODY || alone.reason == REASON_NOT_YET_DUE || alone.reason == REASON_CAMPAIGN_PAUSED)
        return;
    if (core->jobs[front].state == JOB_LEASED || decide_alone(core, front, now).reason != alone.reason)
        out->effect.reason = REASON_CONVERSATION_BUSY;
}

void core_would_enqueue(const struct core *core, const struct core_enqueue *job, bool store_full, struct instant now,
                        struct core_would *out)
{
    uint32_t at = conversation_find(core, job->conversation);
    const struct conversation *conversation = at == NOBODY ? NULL : &core->conversations[at];
    struct effect *effect = &out->effect;
    *out = (struct core_would){.effect = {.kind = EFFECT_ENQUEUED, .token = job->token, .index = job->index}};
    if (!enqueue_line_is_known(core, job)) {
        effect->code = CODE_UNKNOWN_LINE;
        effect->field = "from";
        return;
    }
    if (enqueue_find_twin(core, job, now, effect))
        return;
    struct refusal refusal = enqueue_judge(core, job, store_full, now);
    effect->code = refusal.code;
    effect->field = refusal.field;
    if (refusal.code != CODE_NONE)
        return;
    if (job->expires_ms != 0 && job->expires_ms <= now.wall_ms) {
        effect->state = JOB_EXPIRED;
        return;
    }
    foresee(core, job, conversation, now, out);
    uint32_t line = out->prospect.line;
    effect->line = line == NO_LINE ? 0 : core->lines[line].known.number;
    if (line == NO_LINE)
        line = placement_near(core, job->pool, job->area, now);
    out->line = line == NO_LINE ? 0 : core->lines[line].known.number;
}
