/* drain.c — see drain.h. Jobs and conversations are looked at in the order of their slots, a slice a call, so that a line
 * with a million jobs stalls nobody; a restart begins to look anew, which is harmless. What a dry run counts and what
 * the drain does is judged by the same functions. */
#include "broker/core/drain.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/operate.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

#define SLOTS_PER_SLICE 4096

static struct change_orders *orders_of(const struct core *core, const struct line *line)
{
    return &core->orders[line - core->lines].change;
}

int64_t drain_pace_per_min(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    return orders->drain == DRAIN_RAMP ? orders->drain_pace_per_min : 0;
}

static bool has_backlog(const struct line *line)
{
    for (int c = 0; c < CLASS_COUNT; c++)
        if (line->waiting[c] > 0)
            return true;
    return line->in_flight > 0;
}

bool drain_is_due(const struct core *core, const struct line *line)
{
    switch ((enum drain)orders_of(core, line)->drain) {
    case DRAIN_RAMP:
        return !has_backlog(line);
    case DRAIN_REPLACE:
    case DRAIN_FAIL:
        return true;
    case DRAIN_MOVE: /* goes on until it is stopped */
    case DRAIN_NONE:
    case DRAIN_COUNT:
        break;
    }
    return false;
}

void drain_count_move(struct core *core, uint32_t line)
{
    struct change_orders *orders = &core->orders[line].change;
    if (orders->drain == DRAIN_MOVE)
        orders->drain_conversations++;
}

/* ---- who is meant ---- */

static bool is_of(const struct conversation *conversation, uint32_t line)
{
    return (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0 && conversation->line == line;
}

/* Not one that may have been sent: a person or the provider has to say. */
static bool may_fail(const struct job *job)
{
    return job->state == JOB_QUEUED && (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0;
}

/* Placed on the line, and nothing was ever sent there. */
static bool is_unbegun(const struct core *core, uint32_t at)
{
    unsigned flags = core->conversations[at].flags;
    return (flags & (CONVERSATION_RECORDED | CONVERSATION_CHAT)) == 0 && move_may_leave(core, at);
}

static bool conversation_is_meant(const struct core *core, enum drain mode, uint32_t at)
{
    return mode == DRAIN_REPLACE ? is_unbegun(core, at) : mode == DRAIN_MOVE && move_may_leave(core, at);
}

static uint64_t jobs_in(const struct core *core, const struct conversation *conversation)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    uint64_t count = 0;
    do {
        count += job_is_waiting(&core->jobs[slot]);
        slot = core->jobs[slot].next;
    } while (slot != first);
    return count;
}

static void look_at(const struct core *core, enum drain mode, uint32_t slot, struct drain_count *count)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool first = conversation_first(core, conversation) == slot;
    if (mode == DRAIN_FAIL || mode == DRAIN_RAMP) {
        bool meant = mode == DRAIN_RAMP || may_fail(job);
        count->jobs += meant;
        count->stay += !meant;
        count->conversations += first;
    } else if (first) {
        bool meant = conversation_is_meant(core, mode, job->conversation);
        uint64_t jobs = jobs_in(core, conversation);
        count->jobs += meant ? jobs : 0;
        count->stay += meant ? 0 : jobs;
        count->conversations += meant;
    }
}

bool core_drain_look(const struct core *core, size_t line, enum drain mode, uint32_t *cursor, uint32_t limit,
                     struct drain_count *count)
{
    uint32_t slot = *cursor == NOBODY ? 1 : *cursor;
    uint64_t end = (uint64_t)slot + limit;
    for (; slot <= core->jobs_used && slot < end; slot++) {
        const struct job *job = &core->jobs[slot];
        bool listed = job->number != 0 && (job->state == JOB_QUEUED || job->state == JOB_LEASED);
        if (listed && is_of(&core->conversations[job->conversation], (uint32_t)line))
            look_at(core, mode, slot, count);
    }
    *cursor = slot;
    return slot <= core->jobs_used;
}

bool core_line_room(const struct core *core, size_t line, struct instant now, int64_t *out)
{
    const struct line *at = &core->lines[line];
    int64_t limit = line_policy(core, at)->fresh_per_day;
    *out = limit == 0 ? -1 : limit - (int64_t)budget_used(&at->known.fresh, now.wall_ms);
    return line_takes_fresh(core, at, now);
}

/* ---- what is done ---- */

static void end(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    core->orders[at].change.drain = DRAIN_NONE;
    core->lines[at].drain_at = 0;
    orders_record(core, at, now, out);
    gate_update(core, at, now, out);
}

static void replace(struct core *core, uint32_t line, uint32_t at, struct instant now)
{
    if (core->conversations[at].key == 0 || !is_of(&core->conversations[at], line) || !is_unbegun(core, at))
        return;
    core->orders[line].change.drain_conversations++;
    move_leave(core, at, now);
    conversation_settle(core, at, now);
}

static void fail(struct core *core, uint32_t line, uint32_t slot, struct instant now, struct effects *out)
{
    static const char why[] = "{\"error\":{\"code\":\"held\",\"message\":\"an operator failed what waited on its line\"}}";
    static const struct job_ending ending = {
        .event = EV_GIVE_UP, .code = CODE_HELD, .dead = true, .result = {why, sizeof why - 1}};
    const struct job *job = &core->jobs[slot];
    struct change_orders *orders = &core->orders[line].change;
    bool meant = job->number != 0 && may_fail(job) && is_of(&core->conversations[job->conversation], line) &&
                 job_sequence(job) < orders->drain_before;
    if (!meant)
        return;
    orders->drain_jobs++;
    job_end(core, slot, &ending, now, out);
}

void drain_slice(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    enum drain mode = (enum drain)core->orders[at].change.drain;
    bool walks = mode == DRAIN_REPLACE || mode == DRAIN_FAIL;
    if (!walks && mode != DRAIN_RAMP)
        return;
    uint32_t used = mode == DRAIN_FAIL ? core->jobs_used : core->conversations_used;
    if (line->drain_at == 0)
        line->drain_at = 1;
    uint64_t stop = (uint64_t)line->drain_at + SLOTS_PER_SLICE;
    for (; walks && line->drain_at <= used && line->drain_at < stop && effects_have_room(out); line->drain_at++) {
        if (mode == DRAIN_FAIL)
            fail(core, at, line->drain_at, now, out);
        else
            replace(core, at, line->drain_at, now);
    }
    bool over = mode == DRAIN_RAMP ? !has_backlog(line) : walks && line->drain_at > used;
    if (over)
        end(core, at, now, out);
}

void core_drain(struct core *core, const struct core_drain *ask, struct instant now, struct effects *out)
{
    uint32_t at = line_find(core, ask->line);
    if (at == NO_LINE) {
        effect_answer(out, ask->token, CODE_UNKNOWN_LINE);
        return;
    }
    struct change_orders *orders = &core->orders[at].change;
    if (ask->mode == DRAIN_NONE && orders->drain == DRAIN_NONE) {
        effect_answer(out, ask->token, CODE_NOT_FOUND);
        return;
    }
    orders->drain = (uint8_t)ask->mode;
    orders->drain_pace_per_min = ask->mode == DRAIN_RAMP ? ask->pace_per_min : 0;
    orders->drain_since_ms = now.wall_ms;
    orders->drain_before = core->next_job;
    orders->drain_jobs = orders->drain_conversations = 0;
    orders_copy_text(orders->drain_by, sizeof orders->drain_by, ask->by);
    core->lines[at].drain_at = 0;
    orders_record(core, at, now, out);
    gate_update(core, at, now, out);
    leases_revoke_line(core, at, now, out); /* new conversations that were to begin on a line that all leave */
    effect_answer(out, ask->token, CODE_NONE);
}
