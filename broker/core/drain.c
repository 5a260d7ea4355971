/* drain.c — see drain.h. Jobs and conversations are looked at in the order of their slots, a slice a call, so that a line
 * with a million jobs stalls nobody; a restart begins to look anew, which is harmless. What a dry run counts and what
 * the drain does is judged by the same functions. */
#include "broker/core/drain.h"

#include <stdio.h>
#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/operate.h"
#include "broker/core/pause.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

#define SLOTS_PER_SLICE 4096
#define TRIES_JUDGED    20   /* of fewer nothing is said */
#define TRIES_BLOCK     50   /* the last one to two blocks count */
#define COUNTS_EVERY_MS 5000 /* how far it is, is recorded: a SIGKILL may forget so much of the counts */
#define AGAIN_MS        1000

static struct change_orders *orders_of(const struct core *core, const struct line *line)
{
    return &core->orders[line - core->lines].change;
}

int64_t drain_pace_per_min(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    return orders->drain == DRAIN_RAMP ? orders->drain_pace_per_min : 0;
}

enum drain_order drain_order(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    return orders->drain == DRAIN_RAMP ? (enum drain_order)orders->drain_order : DRAIN_ORDER_SHARES;
}

static uint64_t backlog_of(const struct line *line)
{
    uint64_t jobs = line->in_flight;
    for (int c = 0; c < CLASS_COUNT; c++)
        jobs += line->waiting[c];
    return jobs;
}

static bool has_backlog(const struct line *line)
{
    return backlog_of(line) > 0;
}

/* ---- a bad signal ---- */

void drain_count_try(struct core *core, uint32_t line, bool failed, struct instant now, struct effects *out)
{
    struct orders *orders = &core->orders[line];
    if (orders->change.drain != DRAIN_RAMP)
        return;
    orders->change.drain_sent += !failed;
    orders->change.drain_failed += failed;
    if (orders->tries[0] == TRIES_BLOCK) {
        orders->tries[1] = orders->tries[0];
        orders->failed[1] = orders->failed[0];
        orders->tries[0] = orders->failed[0] = 0;
    }
    orders->tries[0]++;
    orders->failed[0] = (uint16_t)(orders->failed[0] + failed);
    if (now.mono_ms - orders->counts_recorded_ms < COUNTS_EVERY_MS)
        return;
    orders->counts_recorded_ms = now.mono_ms;
    orders_record(core, line, now, out);
}

static unsigned sum(const uint16_t blocks[2])
{
    return (unsigned)blocks[0] + blocks[1];
}

static bool too_much_fails(const struct orders *orders)
{
    unsigned tries = sum(orders->tries), percent = orders->change.drain_stop_percent;
    return percent > 0 && tries >= TRIES_JUDGED && sum(orders->failed) * 100 > tries * percent;
}

/* What closes it, after it was open under the drain; NONE: nothing does. After a start nobody has been heard of for a
 * while, which is no bad sign, and neither is that it belongs to no pool. */
static enum reason closed_again(const struct orders *orders, const struct gate_state *beneath)
{
    if (beneath->gate != GATE_CLOSED || !orders->change.drain_opened)
        return REASON_NONE;
    bool unheard = beneath->reason == REASON_LINE_STALE && !orders->opened;
    return unheard || beneath->reason == REASON_POOL_PAUSED ? REASON_NONE : beneath->reason;
}

static bool ramp_is_due(const struct core *core, const struct line *line, struct instant now)
{
    const struct orders *orders = &core->orders[line - core->lines];
    struct gate_state beneath = gate_beneath(core, line, now);
    bool opens = beneath.gate != GATE_CLOSED && !(orders->opened && orders->change.drain_opened);
    return !has_backlog(line) || opens || too_much_fails(orders) || closed_again(orders, &beneath) != REASON_NONE;
}

bool drain_is_due(const struct core *core, const struct line *line, struct instant now)
{
    switch ((enum drain)orders_of(core, line)->drain) {
    case DRAIN_RAMP:
        return ramp_is_due(core, line, now);
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

static enum drain_stay keeps_chat(const struct core *core, const struct job *job)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    if (conversation->health == CHAT_CRITICAL || conversation->health == CHAT_OPTED_OUT)
        return DRAIN_STAY_CONVERSATION_CRITICAL;
    return DRAIN_STAY_NONE;
}

/* It would wait although its line sends. */
static enum drain_stay keeps_here(const struct core *core, const struct job *job)
{
    if (job->state == JOB_LEASED)
        return DRAIN_STAY_NONE;
    if ((core->conversations[job->conversation].flags & CONVERSATION_PAUSED) != 0)
        return DRAIN_STAY_CONVERSATION_PAUSED;
    return campaign_holds(core, job) ? DRAIN_STAY_CAMPAIGN_PAUSED : keeps_chat(core, job);
}

/* Of a conversation that is not meant. */
static enum drain_stay keeps_conversation(const struct core *core, enum drain mode, const struct job *first)
{
    const struct conversation *conversation = &core->conversations[first->conversation];
    if ((conversation->flags & CONVERSATION_PINNED) != 0)
        return DRAIN_STAY_PINNED;
    if (first->state == JOB_LEASED)
        return DRAIN_STAY_LEASED;
    if (keeps_chat(core, first) != DRAIN_STAY_NONE)
        return DRAIN_STAY_CONVERSATION_CRITICAL;
    bool begun = (conversation->flags & (CONVERSATION_RECORDED | CONVERSATION_CHAT)) != 0;
    return mode == DRAIN_REPLACE && begun ? DRAIN_STAY_BEGUN : DRAIN_STAY_OUTCOME_UNKNOWN;
}

static void count_job(const struct job *job, enum drain_stay stay, struct drain_count *count)
{
    bool meant = stay == DRAIN_STAY_NONE;
    count->jobs += meant;
    count->by_class[job->class] += meant;
    count->stay += !meant;
    count->stays[stay] += !meant;
}

static void count_jobs_in(const struct core *core, uint32_t first, enum drain_stay stay, struct drain_count *count)
{
    uint32_t slot = first;
    do {
        if (job_is_waiting(&core->jobs[slot]))
            count_job(&core->jobs[slot], stay, count);
        slot = core->jobs[slot].next;
    } while (slot != first);
}

static void look_at(const struct core *core, enum drain mode, uint32_t slot, struct drain_count *count)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool first = conversation_first(core, conversation) == slot;
    if (mode == DRAIN_RAMP) {
        count_job(job, keeps_here(core, job), count);
        count->conversations += first;
    } else if (mode == DRAIN_FAIL) {
        enum drain_stay kept = job->state == JOB_LEASED ? DRAIN_STAY_LEASED : DRAIN_STAY_OUTCOME_UNKNOWN;
        count_job(job, may_fail(job) ? DRAIN_STAY_NONE : kept, count);
        count->conversations += first;
    } else if (first) {
        bool meant = conversation_is_meant(core, mode, job->conversation);
        count_jobs_in(core, slot, meant ? DRAIN_STAY_NONE : keeps_conversation(core, mode, job), count);
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

static void end(struct core *core, uint32_t at, enum drain_state state, struct instant now, struct effects *out)
{
    struct change_orders *orders = &core->orders[at].change;
    if (orders->drain == DRAIN_FAIL)
        conversations_reconsider(core, now);
    orders->drain_past = orders->drain;
    orders->drain = DRAIN_NONE;
    orders->drain_state = (uint8_t)state;
    orders->drain_ended_ms = now.wall_ms;
    core->lines[at].drain_at = 0;
    orders_record(core, at, now, out);
    gate_update(core, at, now, out);
    effect_alert(out, state == DRAIN_STATE_STOPPED ? ALERT_DRAIN_STOPPED : ALERT_DRAIN_DONE, core->lines[at].known.number,
                 core->lines[at].account);
}

/* What is left goes nowhere before a person has looked. */
static void stop(struct core *core, uint32_t at, enum reason closed, struct instant now, struct effects *out)
{
    struct orders *orders = &core->orders[at];
    struct change_orders *change = &orders->change;
    char reason[DRAIN_WHY_BYTES + 16];
    if (closed != REASON_NONE)
        snprintf(change->drain_why, sizeof change->drain_why, "%s", reason_name(closed));
    else
        snprintf(change->drain_why, sizeof change->drain_why, "%u of %u sends failed", sum(orders->failed),
                 sum(orders->tries));
    snprintf(reason, sizeof reason, "drain stopped: %s", change->drain_why);
    change->drain_pause = pause_lay(core, core->lines[at].known.number, reason, change->drain_by, now, out);
    if (change->drain_pause == 0) /* no room for one more: the bound stays in force, and it is tried again */
        core->lines[at].slice_ms = now.mono_ms + AGAIN_MS;
    else
        end(core, at, DRAIN_STATE_STOPPED, now, out);
}

static void ramp(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct orders *orders = &core->orders[at];
    struct gate_state beneath = gate_beneath(core, line, now);
    enum reason closed = closed_again(orders, &beneath);
    if (!has_backlog(line)) {
        end(core, at, DRAIN_STATE_DONE, now, out);
    } else if (closed != REASON_NONE || too_much_fails(orders)) {
        stop(core, at, closed, now, out);
    } else if (beneath.gate != GATE_CLOSED) {
        bool known = orders->change.drain_opened;
        orders->opened = orders->change.drain_opened = true;
        if (!known)
            orders_record(core, at, now, out);
    }
}

static void replace(struct core *core, uint32_t line, uint32_t at, struct instant now)
{
    if (core->conversations[at].key == 0 || !is_of(&core->conversations[at], line) || !is_unbegun(core, at))
        return;
    core->orders[line].change.drain_conversations++;
    move_leave(core, at, now);
    conversation_settle(core, at, now);
}

/* Of a conversation that has left: a restart would find it where its jobs say that they were tried. */
static void tell_left(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    const struct job *job = &core->jobs[slot];
    unsigned flags = core->conversations[job->conversation].flags;
    bool lives = (flags & (CONVERSATION_BOUND | CONVERSATION_RECORDED | CONVERSATION_CHAT)) != 0;
    if (job->number != 0 && job_is_waiting(job) && job->attempts > 0 && !lives)
        job_renew_try(core, slot, now, out);
}

static void fail(struct core *core, uint32_t line, uint32_t slot, struct instant now, struct effects *out)
{
    static const char why[] = "{\"error\":{\"code\":\"held\",\"message\":\"an operator failed what waited on its line\"}}";
    static const struct job_ending ending = {
        .event = EV_GIVE_UP, .code = CODE_HELD, .dead = true, .result = {why, sizeof why - 1}};
    const struct job *job = &core->jobs[slot];
    struct change_orders *orders = &core->orders[line].change;
    bool meant = job->number != 0 && may_fail(job) && is_of(&core->conversations[job->conversation], line) &&
                 job_came(core, job) < orders->drain_before;
    if (!meant)
        return;
    orders->drain_jobs++;
    job_end(core, slot, &ending, now, out);
}

/* `replace` looks at the conversations first, and then at the jobs. True: there is more to look at. */
static bool walk(struct core *core, uint32_t at, enum drain mode, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct orders *orders = &core->orders[at];
    bool leaves = mode == DRAIN_REPLACE && !orders->replaced;
    uint32_t used = leaves ? core->conversations_used : core->jobs_used;
    if (line->drain_at == 0)
        line->drain_at = 1;
    uint64_t stop = (uint64_t)line->drain_at + SLOTS_PER_SLICE;
    for (; line->drain_at <= used && line->drain_at < stop && effects_have_room(out); line->drain_at++) {
        if (mode == DRAIN_FAIL)
            fail(core, at, line->drain_at, now, out);
        else if (leaves)
            replace(core, at, line->drain_at, now);
        else
            tell_left(core, line->drain_at, now, out);
    }
    if (line->drain_at <= used)
        return true;
    orders->replaced = leaves;
    line->drain_at = 0;
    if (leaves && line->spent) /* what the tries told of that goes with what the jobs say now */
        line_record(core, at, now, out);
    return leaves;
}

void drain_slice(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    enum drain mode = (enum drain)core->orders[at].change.drain;
    if (mode == DRAIN_RAMP)
        ramp(core, at, now, out);
    if ((mode == DRAIN_REPLACE || mode == DRAIN_FAIL) && !walk(core, at, mode, now, out))
        end(core, at, DRAIN_STATE_DONE, now, out);
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
    if (orders->drain == DRAIN_FAIL) /* what has come meanwhile may be pinned to the line by nobody any more */
        conversations_reconsider(core, now);
    orders->drain = (uint8_t)ask->mode;
    orders->drain_pace_per_min = ask->mode == DRAIN_RAMP ? ask->pace_per_min : 0;
    orders->drain_since_ms = now.wall_ms;
    orders->drain_before = core->next_job;
    orders->drain_jobs = orders->drain_conversations = 0;
    orders->drain_order = (uint8_t)ask->order;
    orders->drain_stop_percent = (uint8_t)ask->stop_percent;
    orders->drain_state = DRAIN_STATE_RUNNING;
    orders->drain_past = DRAIN_NONE;
    orders->drain_opened = false;
    orders->drain_sent = orders->drain_failed = 0;
    orders->drain_total = backlog_of(&core->lines[at]);
    orders->drain_ended_ms = 0;
    orders->drain_why[0] = '\0';
    core->orders[at].opened = core->orders[at].replaced = false;
    memset(core->orders[at].tries, 0, sizeof core->orders[at].tries);
    memset(core->orders[at].failed, 0, sizeof core->orders[at].failed);
    orders_copy_text(orders->drain_by, sizeof orders->drain_by, ask->by);
    core->lines[at].drain_at = 0;
    uint64_t pause = orders->drain_pause;
    if (ask->mode == DRAIN_RAMP)
        orders->drain_pause = 0;
    orders_record(core, at, now, out);
    gate_update(core, at, now, out);
    if (ask->mode == DRAIN_RAMP) /* another mode needs no open line */
        pause_lift(core, ask->line, pause, now, out);
    leases_revoke_line(core, at, now, out); /* new conversations that were to begin on a line that all leave */
    effect_answer(out, ask->token, CODE_NONE);
}
