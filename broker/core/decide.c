/* decide.c — reads like the contract's list of reasons, from top to bottom. */
#include "broker/core/decide.h"

#include "broker/core/backup.h"
#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/pair.h"
#include "broker/core/pause.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

static int64_t wall_of(int64_t mono_ms, struct instant now)
{
    return mono_ms <= now.mono_ms ? now.wall_ms : now.wall_ms + mono_ms - now.mono_ms;
}

static struct verdict because(enum reason reason)
{
    return (struct verdict){.reason = reason};
}

static struct verdict because_until(enum reason reason, int64_t until_ms)
{
    return (struct verdict){.reason = reason, .until_ms = until_ms};
}

struct verdict decide_pause(const struct core *core, enum reason reason, enum pause_scope scope, uint64_t target)
{
    uint32_t slot = pause_find(core, scope, target);
    const struct change_pause *pause = &core->pauses[slot].change; /* slot 0 is all zeros */
    return (struct verdict){.reason = reason,
                            .pause_slot = slot,
                            .until_ms = pause_until_ms(core, scope, target),
                            .pause = pause->id,
                            .pause_since_ms = pause->since_ms};
}

static bool is_on_line_without_pool(const struct core *core, const struct conversation *conversation)
{
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    return on_line && !line_has_pool(&core->lines[conversation->line]);
}

static struct verdict by_pause(const struct core *core, const struct job *job, const struct conversation *conversation)
{
    const struct pool *pool = &core->pools[conversation->pool];
    uint32_t there = conversation_line_pool(core, conversation); /* another pool's line is stopped by that one's, too */
    uint32_t paused;
    if (core->pauses_all > 0)
        return decide_pause(core, REASON_PAUSED, PAUSE_ALL, 0);
    if ((paused = pause_holds_either(core, PAUSE_ACCOUNT, conversation->pool, there)) != NO_POOL)
        return decide_pause(core, REASON_ACCOUNT_PAUSED, PAUSE_ACCOUNT, core->accounts[core->pools[paused].account].name);
    if ((paused = pause_holds_either(core, PAUSE_POOL, conversation->pool, there)) != NO_POOL)
        return decide_pause(core, REASON_POOL_PAUSED, PAUSE_POOL, core->pools[paused].name);
    if (!pool->configured || is_on_line_without_pool(core, conversation))
        return because(REASON_POOL_PAUSED); /* by nobody: the configuration does not have it */
    if (campaign_holds(core, job))
        return decide_pause(core, REASON_CAMPAIGN_PAUSED, PAUSE_CAMPAIGN, (uint64_t)pool->name << 16 | job->campaign);
    if ((conversation->flags & CONVERSATION_PAUSED) != 0)
        return decide_pause(core, REASON_CONVERSATION_PAUSED, PAUSE_CONVERSATION, conversation->key);
    return because(REASON_NONE);
}

static struct verdict by_line_gate(const struct core *core, const struct line *line, struct instant now)
{
    struct gate_state gate = gate_of(core, line, now);
    if (gate.gate != GATE_CLOSED)
        return because(REASON_NONE);
    if (gate.reason == REASON_LINE_PAUSED)
        return decide_pause(core, gate.reason, PAUSE_LINE, line->known.number);
    return because(gate.reason);
}

struct verdict decide_provider(const struct core *core, uint32_t account_at, struct instant now)
{
    const struct account *account = &core->accounts[account_at];
    if (account->key_refused)
        return because(REASON_PROVIDER_DOWN);
    if (account->broken)
        return because_until(REASON_PROVIDER_DOWN, wall_of(account->probe_at_ms, now));
    return because(REASON_NONE);
}

struct verdict decide_limit(const struct core *core, const struct line *line, struct instant now)
{
    int64_t until = core->accounts[line->account].limited_until_ms;
    if (line->limited_until_ms > until)
        until = line->limited_until_ms;
    return until > now.mono_ms ? because_until(REASON_RATE_LIMITED, wall_of(until, now)) : because(REASON_NONE);
}

struct verdict decide_spent(const struct core *core, const struct line *line, enum budget budget, struct instant now)
{
    static const enum reason reasons[BUDGET_COUNT] = {
        [BUDGET_NEW_CONVERSATIONS] = REASON_BUDGET_NEW_CONVERSATIONS, [BUDGET_RECIPIENTS] = REASON_BUDGET_RECIPIENTS,
        [BUDGET_DAILY] = REASON_BUDGET_DAILY,                         [BUDGET_GROWTH] = REASON_BUDGET_GROWTH,
        [BUDGET_PAIR] = REASON_BUDGET_PAIR};
    return (struct verdict){.reason = reasons[budget],
                            .until_ms = budget_free_at(core, line, budget, now),
                            .budget = budget_state(core, line, budget, now)};
}

struct verdict decide_pair(const struct core *core, uint32_t at, struct instant now)
{
    int64_t until_ms = pair_free_at(core, at, now);
    if (until_ms <= now.wall_ms)
        return because(REASON_NONE);
    return (struct verdict){
        .reason = REASON_BUDGET_PAIR, .until_ms = until_ms, .budget = pair_state(core, at, now)};
}

/* A budget stops only what spends it. `conversation`: NOBODY for one that would be placed on the line. */
static struct verdict by_budgets(const struct core *core, const struct line *line, uint32_t conversation,
                                 const struct job *job, struct instant now)
{
    bool places = conversation == NOBODY;
    bool rested = places || job->rested ||
                  !recipient_is_spent(core, &core->conversations[conversation], now);
    bool spends[BUDGET_PAIR] = {[BUDGET_NEW_CONVERSATIONS] = places,
                                [BUDGET_RECIPIENTS] = rested,
                                [BUDGET_DAILY] = true,
                                [BUDGET_GROWTH] = places || job->class != CLASS_REPLY};
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++)
        if (spends[budget] && !budget_left(core, line, budget, now))
            return decide_spent(core, line, budget, now);
    return places ? because(REASON_NONE) : decide_pair(core, conversation, now);
}

struct verdict decide_pace(const struct core *core, const struct line *line, struct instant now)
{
    if (line->next_send_us <= now.mono_ms * 1000)
        return because(REASON_NONE);
    return because_until(ramp_is_on(core, line) ? REASON_RAMP : REASON_PACE, wall_of((line->next_send_us + 999) / 1000, now));
}

static struct verdict by_line_speed(const struct core *core, const struct line *line, struct instant now)
{
    struct verdict pace = decide_pace(core, line, now);
    return pace.reason != REASON_NONE ? pace : decide_limit(core, line, now);
}

/* Why no line of the pool takes a new conversation now: the least bad one answers. */
static struct verdict least_bad_line(const struct core *core, uint32_t pool_at, struct instant now)
{
    struct verdict best = because(REASON_NO_HEALTHY_LINE);
    for (uint32_t l = 0; l < core->line_count; l++) {
        const struct line *line = &core->lines[l];
        if (line->pool != pool_at || !line_welcomes_fresh(core, line))
            continue;
        struct verdict here = by_budgets(core, line, NOBODY, NULL, now);
        if (here.reason == REASON_NONE)
            here = by_line_speed(core, line, now);
        bool first = best.reason == REASON_NO_HEALTHY_LINE;
        bool sooner = here.reason > best.reason ||
                      (here.reason == best.reason && here.until_ms != 0 && here.until_ms < best.until_ms);
        if (first || sooner)
            best = here;
    }
    return best;
}

/* Looking at every line for every job would make a closed pool the slowest one: the answer is kept until a line of
 * the pool is touched, which is whenever anything about it changes. */
static struct verdict by_placement(const struct core *core, uint32_t pool_at, struct instant now)
{
    struct pool *pool = &core->pools[pool_at];
    if (pool->placement_count > 0)
        return because(REASON_NONE);
    if (pool->why == REASON_NONE || pool->why_touches != pool->touches) {
        struct verdict fresh = least_bad_line(core, pool_at, now);
        pool->why = fresh.reason;
        pool->why_until_ms = fresh.until_ms;
        pool->why_budget = fresh.budget;
        pool->why_touches = pool->touches;
    }
    return (struct verdict){.reason = pool->why, .until_ms = pool->why_until_ms, .budget = pool->why_budget};
}

static struct verdict by_pinned_placement(const struct core *core, const struct line *line, struct instant now)
{
    assert(line != NULL);
    if (!line_welcomes_fresh(core, line)) {
        if (line->known.cordoned)
            return because(REASON_LINE_CORDONED);
        if (ramp_is_on(core, line))
            return because_until(REASON_RAMP, line->known.ramp_until_ms);
        return because(REASON_LINE_AT_RISK);
    }
    return because(REASON_NONE);
}

/* As if the job stood first in the conversation, which has the slot `at` (NOBODY: none yet); `first_unsettled`: an
 * attempt of it is unsettled. */
static struct verdict judge(const struct core *core, const struct job *job, const struct conversation *conversation,
                            uint32_t at, bool first_unsettled, struct instant now)
{
    const struct pool *pool = &core->pools[conversation->pool];
    bool bound = (conversation->flags & CONVERSATION_BOUND) != 0;
    bool pinned = !bound && (conversation->flags & CONVERSATION_PINNED) != 0;
    const struct line *line = bound || pinned ? &core->lines[conversation->line] : NULL;
    bool waits = job_due_ms(job) > now.wall_ms;
    struct verdict verdict;

    if (job->state == JOB_SCHEDULED)
        return because_until(REASON_NOT_YET_DUE, job_due_ms(job));
    if ((verdict = by_pause(core, job, conversation)).reason != REASON_NONE)
        return verdict;
    if (backup_holds(job))
        return because(REASON_OUTCOME_UNKNOWN);
    if (first_unsettled)
        return because_until(REASON_OUTCOME_UNKNOWN, waits ? job_due_ms(job) : 0);
    struct chat_wait wait = chat_wait(core, conversation, job, now);
    if (wait.reason == REASON_CONVERSATION_CRITICAL)
        return because(wait.reason);
    if (line != NULL && (verdict = by_line_gate(core, line, now)).reason != REASON_NONE)
        return verdict;
    if ((verdict = decide_provider(core, line != NULL ? line->account : pool->account, now)).reason != REASON_NONE)
        return verdict;
    if (waits && (job->flags & JOB_WIDE) == 0)
        return because_until(REASON_RETRY_BACKOFF, job_due_ms(job));
    if (wait.reason != REASON_NONE)
        return because_until(wait.reason, wait.until_ms == TIME_NEVER ? 0 : wait.until_ms);
    if (line == NULL && (verdict = by_placement(core, conversation->pool, now)).reason != REASON_NONE)
        return verdict;
    if (pinned && (verdict = by_pinned_placement(core, line, now)).reason != REASON_NONE)
        return verdict;
    if (line != NULL && (verdict = by_budgets(core, line, bound ? at : NOBODY, job, now)).reason != REASON_NONE)
        return verdict;
    if (!bound && (verdict = decide_pair(core, at, now)).reason != REASON_NONE)
        return verdict; /* it was tried, and was taken back from its line since, or never began there */
    if (line != NULL && (verdict = by_line_speed(core, line, now)).reason != REASON_NONE)
        return verdict;
    if (waits)
        return because_until(REASON_RATE_LIMITED, job_due_ms(job));
    uint32_t there = conversation_line_pool(core, conversation);
    return because(turns_can_lease(core, there, conversation->pool) ? REASON_NONE : REASON_NO_WORKER);
}

static bool is_live(const struct job *job)
{
    return !job_state_is_final(job->state);
}

/* One that is first already steps out of the way at once, but for one that waits for its next try. */
static bool gives_way(const struct core *core, const struct job *job, bool first, struct instant now)
{
    return campaign_sets_aside(core, job) && !(first && job_due_ms(job) > now.wall_ms);
}

/* What the job behind `first` says: its own reason, if all before it have the same. */
static struct verdict shared(const struct core *core, const struct conversation *conversation, uint32_t first,
                             uint32_t slot, struct verdict own, uint32_t look, struct instant now)
{
    bool unsettled = (core->jobs[first].flags & JOB_UNSETTLED) != 0 && is_live(&core->jobs[first]);
    uint32_t ahead = 0;
    bool same = true;
    for (uint32_t at = first; at != slot && look > 0; at = core->jobs[at].next, look--) {
        const struct job *before = &core->jobs[at];
        bool yields = gives_way(core, before, at == first, now);
        if (!is_live(before) || (yields && own.reason != REASON_CAMPAIGN_PAUSED))
            continue;
        ahead++;
        /* Only the first one, those with a wait of their own, another class, which the chat may let go, and those of
         * another campaign can have a reason that the others do not share. */
        bool special = at == first || job_due_ms(before) > now.wall_ms || before->class != core->jobs[slot].class ||
                       before->zone != core->jobs[slot].zone ||
                       own.reason == REASON_CAMPAIGN_PAUSED;
        if (before->state == JOB_LEASED ||
            (special && judge(core, before, conversation, before->conversation, unsettled, now).reason != own.reason))
            same = false;
    }
    if (!same)
        own = because(REASON_CONVERSATION_BUSY);
    own.ahead = ahead;
    return own;
}

struct verdict decide_alone(const struct core *core, uint32_t slot, struct instant now)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    uint32_t first = conversation_first(core, conversation);
    if (job->state == JOB_LEASED)
        return because(REASON_NONE);
    bool unsettled = first != NOBODY && (core->jobs[first].flags & JOB_UNSETTLED) != 0 && is_live(&core->jobs[first]);
    return judge(core, job, conversation, job->conversation, unsettled && job->state != JOB_SCHEDULED, now);
}

struct verdict decide(const struct core *core, uint32_t slot, uint32_t look, struct instant now)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    uint32_t first = conversation_first(core, conversation);
    struct verdict own = decide_alone(core, slot, now);
    if (job->state == JOB_LEASED)
        return own;
    if (first == slot || !job_is_listed(job))
        return own;
    return shared(core, conversation, first, slot, own, look, now);
}

struct verdict decide_for(const struct core *core, const struct job *job, const struct conversation *conversation,
                       const struct newcomer *who, struct instant now)
{
    struct conversation home = {.pool = (uint16_t)who->pool, .line = NO_LINE};
    uint32_t at = conversation == NULL ? NOBODY : (uint32_t)(conversation - core->conversations);
    if (conversation != NULL)
        home = *conversation;
    else if (core->conversations_paused > 0 && pause_find(core, PAUSE_CONVERSATION, who->conversation) != 0)
        home.flags = CONVERSATION_PAUSED;
    if (who->from_line == 0 && conversation != NULL && conversation_pin_ends(core, conversation, who->replaces))
        home.flags &= (uint8_t)~CONVERSATION_PINNED;
    if (who->from_line == 0 && conversation != NULL && move_would_leave(core, conversation, who->replaces, now)) {
        home.flags &= (uint8_t)~CONVERSATION_BOUND;
    } else if (who->from_line != 0 && (home.flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) == 0) {
        at = NOBODY; /* not the one that waits for any line */
        home.line = line_find(core, who->from_line) & NO_LINE;
        home.flags |= CONVERSATION_PINNED;
    }
    uint32_t first = conversation_first(core, &home);
    bool unsettled = first != NOBODY && (core->jobs[first].flags & JOB_UNSETTLED) != 0;
    return judge(core, job, &home, at, unsettled, now);
}

enum reason decide_unplaced(const struct core *core, uint32_t pool, struct instant now)
{
    struct job probe = {.state = JOB_QUEUED};
    return decide_for(core, &probe, NULL, &(struct newcomer){.pool = pool}, now).reason;
}

enum reason decide_line(const struct core *core, const struct line *line, struct instant now)
{
    const struct job probe = {.state = JOB_QUEUED};
    const struct conversation home = {.pool = line->pool & UINT16_MAX};
    struct verdict verdict;
    if (line_has_pool(line) && (verdict = by_pause(core, &probe, &home)).reason != REASON_NONE)
        return verdict.reason;
    if ((verdict = by_line_gate(core, line, now)).reason != REASON_NONE)
        return verdict.reason;
    if ((verdict = decide_provider(core, line->account, now)).reason != REASON_NONE)
        return verdict.reason;
    if (!budget_left(core, line, BUDGET_DAILY, now))
        return REASON_BUDGET_DAILY;
    if (!budget_left(core, line, BUDGET_GROWTH, now))
        return REASON_BUDGET_GROWTH;
    verdict = by_line_speed(core, line, now);
    return verdict.reason != REASON_NONE ? verdict.reason : REASON_NO_WORKER;
}
