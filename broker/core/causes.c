/* causes.c — all that stops or slows a line, or keeps a job from it, in the contract's order of reasons: decide.c tells the
 * first one only. For views; changes nothing. */
#include "broker/core/backup.h"
#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/decide.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"
#include "broker/core/turns.h"

struct causes {
    const struct core *core;
    struct instant now;
    struct cause *list;
    size_t count;
};

static struct cause *add(struct causes *causes, enum reason reason, int64_t release_at_ms)
{
    assert(causes->count < CAUSES_MAX);
    struct cause *cause = &causes->list[causes->count++];
    *cause = (struct cause){.reason = reason, .release_at_ms = release_at_ms};
    return cause;
}

static void add_verdict(struct causes *causes, struct verdict verdict)
{
    if (verdict.reason == REASON_NONE)
        return;
    struct cause *cause = add(causes, verdict.reason, verdict.until_ms);
    cause->budget = verdict.budget;
    if (verdict.pause_slot != 0)
        cause->paused = &causes->core->pauses[verdict.pause_slot].change;
}

static void add_code(struct causes *causes, enum code code, uint64_t line)
{
    struct cause *cause = add(causes, REASON_NONE, 0);
    cause->code = code;
    cause->line = line;
}

/* ---- what lies on everything, the account, the pool ---- */

static void add_account_pause(struct causes *causes, uint32_t at)
{
    const struct account *account = &causes->core->accounts[at];
    if (account->pauses > 0)
        add_verdict(causes, decide_pause(causes->core, REASON_ACCOUNT_PAUSED, PAUSE_ACCOUNT, account->name));
}

static void add_pool_pause(struct causes *causes, uint32_t at)
{
    const struct pool *pool = at == NO_POOL ? NULL : &causes->core->pools[at];
    if (pool != NULL && pool->pauses > 0)
        add_verdict(causes, decide_pause(causes->core, REASON_POOL_PAUSED, PAUSE_POOL, pool->name));
    else if (pool == NULL || !pool->configured)
        add(causes, REASON_POOL_PAUSED, 0);
}

/* Of the line, and of the pool whose job it is (NO_POOL: the line's, or nobody's). */
static void add_pauses(struct causes *causes, const struct line *line, uint32_t pool)
{
    const struct core *core = causes->core;
    bool another = pool != NO_POOL && pool != line->pool;
    if (core->pauses_all > 0)
        add_verdict(causes, decide_pause(core, REASON_PAUSED, PAUSE_ALL, 0));
    if (another && core->pools[pool].account != line->account)
        add_account_pause(causes, core->pools[pool].account);
    add_account_pause(causes, line->account);
    if (another)
        add_pool_pause(causes, pool);
    add_pool_pause(causes, line->pool);
}

static void add_closers(struct causes *causes, const struct line *line)
{
    enum reason reasons[GATE_CLOSERS_MAX];
    size_t count = gate_closers(causes->core, line, causes->now, reasons);
    for (size_t i = 0; i < count; i++) {
        if (reasons[i] == REASON_LINE_PAUSED)
            add_verdict(causes, decide_pause(causes->core, reasons[i], PAUSE_LINE, line->known.number));
        else
            add(causes, reasons[i], 0);
    }
}

/* Why it takes no new conversations, besides its gate and its budgets. */
static void add_unwelcome(struct causes *causes, const struct line *line)
{
    const struct core *core = causes->core;
    struct stand stand = line_stand(core, line);
    bool healthy = stand.word == REPUTATION_HEALTHY && stand.proven == REPUTATION_HEALTHY && !line->silent;
    if (!stand_closes(&stand) && !healthy && !line_welcomes_at_risk(core, line))
        add(causes, REASON_LINE_AT_RISK, 0);
    if (line->known.cordoned || line->moving)
        add(causes, REASON_LINE_CORDONED, 0);
}

static void add_budgets(struct causes *causes, const struct line *line, const bool spends[BUDGET_PAIR])
{
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++)
        if (spends[budget] && !budget_left(causes->core, line, budget, causes->now))
            add_verdict(causes, decide_spent(causes->core, line, budget, causes->now));
}

/* For a job of that pool; NO_POOL: of the line's own. */
static void add_no_worker(struct causes *causes, const struct line *line, uint32_t pool)
{
    uint32_t there = line_has_pool(line) ? line->pool : pool;
    if (there != NO_POOL && !turns_can_lease(causes->core, there, pool == NO_POOL ? there : pool))
        add(causes, REASON_NO_WORKER, 0);
}

size_t core_line_causes(const struct core *core, size_t at, struct instant now, struct cause out[CAUSES_MAX])
{
    static const bool all[BUDGET_PAIR] = {true, true, true, true};
    struct causes causes = {.core = core, .now = now, .list = out};
    const struct line *line = &core->lines[at];
    bool silent = line->gate == GATE_SLOW && line->gate_reason == REASON_PACE;
    add_pauses(&causes, line, NO_POOL);
    add_closers(&causes, line);
    add_verdict(&causes, decide_provider(core, line->account, now));
    add_unwelcome(&causes, line);
    add_budgets(&causes, line, all);
    if (ramp_is_on(core, line))
        add(&causes, REASON_RAMP, ramp_ends_ms(core, line));
    if (silent) /* an unknown word, or nothing heard for stale_after_ms */
        add(&causes, REASON_PACE, 0);
    add_verdict(&causes, decide_limit(core, line, now));
    add_no_worker(&causes, line, NO_POOL);
    return causes.count;
}

/* ---- a job and a line ---- */

static void add_places(struct causes *causes, const struct conversation *conversation, uint32_t line_at)
{
    const struct core *core = causes->core;
    const struct line *line = &core->lines[line_at];
    bool placed = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (placed && conversation->line != line_at)
        add_code(causes, CODE_LINE_CONFLICT, core->lines[conversation->line].known.number);
    else if (!placed && line->pool != conversation->pool)
        add_code(causes, CODE_UNKNOWN_LINE, 0);
}

static void add_own_pauses(struct causes *causes, const struct conversation *conversation, const struct job *job)
{
    const struct core *core = causes->core;
    const struct pool *pool = &core->pools[conversation->pool];
    if (campaign_holds(core, job))
        add_verdict(causes, decide_pause(core, REASON_CAMPAIGN_PAUSED, PAUSE_CAMPAIGN, (uint64_t)pool->name << 16 | job->campaign));
    if ((conversation->flags & CONVERSATION_PAUSED) != 0)
        add_verdict(causes, decide_pause(core, REASON_CONVERSATION_PAUSED, PAUSE_CONVERSATION, conversation->key));
}

/* Its own try's, or that of the first of its conversation. */
static void add_unknown(struct causes *causes, const struct job *job, uint32_t first)
{
    const struct job *before = &causes->core->jobs[first];
    int64_t due_ms = job_due_ms(before);
    bool unsettled = first != NOBODY && (before->flags & JOB_UNSETTLED) != 0;
    if (backup_holds(job) || (unsettled && backup_holds(before)))
        add(causes, REASON_OUTCOME_UNKNOWN, 0);
    else if (unsettled)
        add(causes, REASON_OUTCOME_UNKNOWN, due_ms > causes->now.wall_ms ? due_ms : 0);
}

static void add_chat(struct causes *causes, const struct chat_wait *wait)
{
    if (wait->reason != REASON_NONE)
        add(causes, wait->reason, wait->until_ms == TIME_NEVER ? 0 : wait->until_ms);
}

static void add_order(struct causes *causes, const struct conversation *conversation, uint32_t slot)
{
    const struct core *core = causes->core;
    const struct job *job = &core->jobs[slot];
    uint32_t first = conversation_first(core, conversation);
    bool waits = job->state == JOB_QUEUED && job_due_ms(job) > causes->now.wall_ms && !backup_holds(job);
    if (waits && (job->flags & JOB_WIDE) == 0)
        add(causes, REASON_RETRY_BACKOFF, job_due_ms(job));
    if (first != slot && job_is_listed(job) && !job_state_is_final(core->jobs[first].state))
        add(causes, REASON_CONVERSATION_BUSY, 0);
}

static void add_line(struct causes *causes, const struct conversation *conversation, const struct job *job,
                     const struct line *line)
{
    const struct core *core = causes->core;
    bool fresh = (conversation->flags & CONVERSATION_BOUND) == 0;
    const bool spends[BUDGET_PAIR] = {[BUDGET_NEW_CONVERSATIONS] = fresh,
                                      [BUDGET_RECIPIENTS] = fresh || !recipient_is_spent(core, conversation, causes->now),
                                      [BUDGET_DAILY] = true,
                                      [BUDGET_GROWTH] = fresh || job->class != CLASS_REPLY};
    if (fresh)
        add_unwelcome(causes, line);
    add_budgets(causes, line, spends);
    if (!fresh)
        add_verdict(causes, decide_pair(core, (uint32_t)(conversation - core->conversations), causes->now));
    struct verdict turn = decide_pace(core, line, causes->now);
    if (fresh && ramp_is_on(core, line))
        add(causes, REASON_RAMP, ramp_ends_ms(core, line));
    else
        add_verdict(causes, turn);
    add_verdict(causes, decide_limit(core, line, causes->now));
}

bool core_job_causes(const struct core *core, uint64_t number, size_t line_at, struct instant now,
                     struct cause out[CAUSES_MAX], size_t *count)
{
    struct causes causes = {.core = core, .now = now, .list = out};
    uint32_t slot = job_find(core, number);
    *count = 0;
    if (slot == NOBODY)
        return false;
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    const struct line *line = &core->lines[line_at];
    if (job->state == JOB_LEASED)
        return true;
    uint32_t first = conversation_first(core, conversation);
    const struct chat_wait wait = chat_wait(core, conversation, job, now);
    add_places(&causes, conversation, (uint32_t)line_at);
    if (job->state == JOB_SCHEDULED)
        add(&causes, REASON_NOT_YET_DUE, job_due_ms(job));
    add_pauses(&causes, line, conversation->pool);
    add_own_pauses(&causes, conversation, job);
    add_unknown(&causes, job, first);
    if (wait.reason == REASON_CONVERSATION_CRITICAL)
        add_chat(&causes, &wait);
    add_closers(&causes, line);
    add_verdict(&causes, decide_provider(core, line->account, now));
    add_order(&causes, conversation, slot);
    if (wait.reason != REASON_CONVERSATION_CRITICAL)
        add_chat(&causes, &wait);
    add_line(&causes, conversation, job, line);
    add_no_worker(&causes, line, conversation->pool);
    *count = causes.count;
    return true;
}
