/* jump.c — see jump.h. */
#include "broker/core/jump.h"

#include "broker/core/ages.h"
#include "broker/core/backup.h"
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/dedupe.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"
#include "broker/core/pair.h"
#include "broker/core/pause.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

#define BACK_MS      60000  /* less than this is waited for */
#define HINT_MAX_MS  600000 /* a Retry-After is cut to this (disposition.h) */
#define EVENT_MAX_MS 300000 /* that the changed_at of a webhook may be ahead of its arrival (DESIGN trap 7) */
#define SLICE_LOOK   2048
#define SLICE_GAP_MS 10

static int64_t not_after(int64_t moment_ms, int64_t latest_ms)
{
    return moment_ms < latest_ms ? moment_ms : latest_ms;
}

static void budgets_back(struct change_line *known, int64_t bucket)
{
    budget_back(&known->messages, bucket);
    budget_back(&known->fresh, bucket);
    budget_back(&known->out, bucket);
    budget_back(&known->away, bucket);
}

void jump_replayed(struct core *core, int64_t from_ms, int64_t to_ms)
{
    bool by_a_day = from_ms - to_ms > BUDGET_BUCKETS * BUDGET_BUCKET_MS; /* more than budgets remember */
    if (from_ms - to_ms > BACK_MS)
        pairs_back(core, to_ms);
    for (uint32_t l = 0; by_a_day && l < core->line_count; l++)
        budgets_back(&core->lines[l].known, to_ms / BUDGET_BUCKET_MS);
}

/* Else all that comes is older than it. What lies no further ahead than a webhook's moment may stays, so that what is
 * of before it and better counts for nothing (merge.c): a late ACTIVE would lift a flag, a late HEALTHY be one that a
 * single poll has to agree to. */
static void event_back(struct change_line *known, struct instant now)
{
    if (known->event_at_ms > now.wall_ms + EVENT_MAX_MS)
        known->event_at_ms = now.wall_ms;
}

static void line_back(struct core *core, uint32_t at, struct instant now)
{
    struct change_line *known = &core->lines[at].known;
    int64_t bucket = now.wall_ms / BUDGET_BUCKET_MS;
    budgets_back(known, bucket);
    budget_gather(&core->lines[at].recipients, bucket); /* as conversation_back() does with who they are */
    known->day = not_after(known->day, now.wall_ms / LEVEL_DAY_MS);
    core->lines[at].past_day = not_after(core->lines[at].past_day, now.wall_ms / LEVEL_DAY_MS);
    known->ramp_until_ms = not_after(known->ramp_until_ms, now.wall_ms + ramp_step_ms(core, &core->lines[at]));
    known->flagged_at_ms = not_after(known->flagged_at_ms, now.wall_ms);
    known->relapsed_at_ms = not_after(known->relapsed_at_ms, now.wall_ms);
    known->gate_since_ms = not_after(known->gate_since_ms, now.wall_ms);
    known->heard_at_ms = not_after(known->heard_at_ms, now.wall_ms);
    event_back(known, now);
    if (core->lines[at].recorded_heard_ms > now.wall_ms)
        core->lines[at].recorded_heard_ms = 0; /* so that the next word is recorded */
    operate_back(core, at, now);
    turns_touch_line(core, at, now);
}

static void conversation_back(struct core *core, uint32_t at, struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    if (conversation->key == 0)
        return;
    if (conversation->last_out > moment_of(now.wall_ms))
        conversation->last_out = moment_of(now.wall_ms) & 0x3FFFFFFF;
    if (conversation->last_in > minute_of(now.wall_ms))
        conversation->last_in = minute_of(now.wall_ms) & 0xFFFFFF;
    if (conversation->health_at > moment_of(now.wall_ms))
        conversation->health_at = moment_of(now.wall_ms) & 0x3FFFFFFF;
    if (conversation->tail != NOBODY)
        conversation_settle(core, at, now);
}

static void suppressed_back(struct core *core, uint32_t slot, struct instant now)
{
    struct suppressed *suppressed = &core->suppressed[slot];
    suppressed->since_ms = not_after(suppressed->since_ms, now.wall_ms);
    suppressed->opted_out_ms = not_after(suppressed->opted_out_ms, now.wall_ms); /* else no word of theirs is later */
}

/* The longest that a job may wait for its next try. */
static int64_t longest_wait_ms(const struct core *core, const struct job *job)
{
    const struct policy *policy = &core->pools[core->conversations[job->conversation].pool].policy;
    return policy->retry_cap_ms > HINT_MAX_MS ? policy->retry_cap_ms : HINT_MAX_MS;
}

static bool job_is_ahead(const struct core *core, const struct job *job, struct instant now)
{
    if (job->number == 0 || job->state != JOB_QUEUED || job->attempts == 0)
        return false;
    return job_due_ms(job) > now.wall_ms + longest_wait_ms(core, job) && !backup_holds(job);
}

static void job_back(struct core *core, uint32_t slot, struct instant now)
{
    struct job *job = &core->jobs[slot];
    if (!job_is_ahead(core, job, now))
        return;
    job_set_due(job, now.wall_ms + longest_wait_ms(core, job));
    job_timer(core, slot);
    conversation_settle(core, job->conversation, now);
}

/* Small enough to be looked at whether anything lies ahead or not. */
static void tables_back(struct core *core, struct instant now)
{
    ages_back(&core->ages, now.wall_ms);
    dedupe_back(core, now.wall_ms);
    pauses_back(core, now);
}

static void begin(struct core *core, struct instant now)
{
    for (uint32_t l = 0; l < core->line_count; l++)
        line_back(core, l, now);
    pairs_back(core, now.wall_ms);
    tables_back(core, now);
    core->jump_at = 1;
    mono_timer(core, MONO_JUMP, 0, now.mono_ms);
}

void jump_notice(struct core *core, struct instant now)
{
    int64_t off_ms = now.wall_ms - now.mono_ms;
    bool back = core->wall_off_ms - off_ms > BACK_MS;
    core->wall_off_ms = off_ms;
    if (back)
        begin(core, now);
}

static bool is_ahead(int64_t moment_ms, struct instant now)
{
    return moment_ms > now.wall_ms + BACK_MS;
}

/* A line that was heard of, or spoken for, or sent, or climbed a step of its ramp after now. */
static bool line_is_ahead(const struct core *core, const struct line *line, struct instant now)
{
    const struct change_line *known = &line->known;
    return is_ahead(known->heard_at_ms, now) || is_ahead(known->gate_since_ms, now) ||
           is_ahead(known->event_at_ms - EVENT_MAX_MS, now) || operate_is_ahead(core, line, now) ||
           is_ahead(known->ramp_until_ms - ramp_step_ms(core, line), now) ||
           is_ahead((known->messages.newest - 1) * BUDGET_BUCKET_MS, now);
}

/* It was written to, or wrote, or was told of, after now. */
static bool conversation_is_ahead(const struct conversation *conversation, struct instant now)
{
    return conversation->key != 0 && (is_ahead(moment_ms(conversation->last_out), now) ||
                                      is_ahead(minute_ms(conversation->last_in), now) ||
                                      is_ahead(moment_ms(conversation->health_at), now));
}

/* Whatever was brought back before the restart is as it was recorded, and may lie ahead again. */
void jump_restored(struct core *core, struct instant now)
{
    bool ahead = false;
    core->wall_off_ms = now.wall_ms - now.mono_ms;
    tables_back(core, now);
    for (uint32_t l = 0; l < core->line_count && !ahead; l++)
        ahead = line_is_ahead(core, &core->lines[l], now);
    for (uint32_t c = 1; c <= core->conversations_used && !ahead; c++)
        ahead = conversation_is_ahead(&core->conversations[c], now);
    for (uint32_t slot = 1; slot <= core->suppressed_used && !ahead; slot++)
        ahead = is_ahead(core->suppressed[slot].since_ms, now) || is_ahead(core->suppressed[slot].opted_out_ms, now);
    for (uint32_t slot = 1; slot <= core->jobs_used && !ahead; slot++)
        ahead = job_is_ahead(core, &core->jobs[slot], now);
    if (ahead)
        begin(core, now);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void jump_slice(struct core *core, struct instant now)
{
    uint32_t last = larger(core->suppressed_used, larger(core->conversations_used, core->jobs_used));
    for (unsigned looked = 0; core->jump_at <= last && looked < SLICE_LOOK; core->jump_at++, looked++) {
        if (core->jump_at <= core->jobs_used)
            job_back(core, core->jump_at, now);
        if (core->jump_at <= core->conversations_used)
            conversation_back(core, core->jump_at, now);
        if (core->jump_at <= core->suppressed_used)
            suppressed_back(core, core->jump_at, now);
    }
    if (core->jump_at <= last) {
        mono_timer(core, MONO_JUMP, 0, now.mono_ms + SLICE_GAP_MS);
        return;
    }
    for (uint32_t l = 0; l < core->line_count; l++) /* one that had not been looked at yet may have sent meanwhile */
        line_back(core, l, now);
}
