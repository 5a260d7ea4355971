/* turns.c — see turns.h. */
#include "broker/core/turns.h"

#include <limits.h>

#include "broker/core/campaign.h"
#include "broker/core/crews.h"
#include "broker/core/drain.h"
#include "broker/core/grant.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"
#include "broker/core/placement.h"
#include "broker/core/ready.h"
#include "broker/core/rings.h"
#include "broker/core/settle.h"
#include "broker/core/wait.h"

const int32_t class_weight[CLASS_COUNT] = {
    [CLASS_REPLY] = 16, [CLASS_TRANSACTIONAL] = 8, [CLASS_FOLLOWUP] = 2, [CLASS_CAMPAIGN] = 1};

#define YIELDS_MAX     512  /* of a step: jobs of paused campaigns that step out of the way */
#define VAIN_TURNS_MAX 1024 /* of a step, in which nobody goes: what has stopped many is put aside by and by */
#define UNLIMITED_MPM  INT64_C(60000000)
#define STRANGER_MS    1000 /* a conversation on another pool's line, while no worker may do both */

/* ---- who can send ---- */

bool line_welcomes_at_risk(const struct core *core, const struct line *line)
{
    struct stand stand = line_stand(core, line);
    bool at_risk = stand.word == REPUTATION_AT_RISK || /* or said to be better, which is not proven yet */
                   (stand.word == REPUTATION_HEALTHY && stand.proven == REPUTATION_AT_RISK);
    return at_risk && !line->silent && line_policy(core, line)->at_risk_new;
}

static bool welcomes(const struct core *core, const struct line *line, bool in_ramp)
{
    if (!line_has_pool(line) || line->known.cordoned || line->moving || line->gate == GATE_CLOSED)
        return false;
    struct stand stand = line_stand(core, line);
    bool open = line->gate == GATE_OPEN || (in_ramp && line->gate_reason == REASON_RAMP);
    bool healthy = stand.proven == REPUTATION_HEALTHY && stand.word == REPUTATION_HEALTHY && open;
    return healthy || line_welcomes_at_risk(core, line);
}

bool line_welcomes_fresh(const struct core *core, const struct line *line)
{
    return !ramp_is_on(core, line) && welcomes(core, line, false);
}

bool line_welcomes_after_ramp(const struct core *core, const struct line *line)
{
    return welcomes(core, line, ramp_is_on(core, line));
}

bool line_takes_fresh(const struct core *core, const struct line *line, struct instant now)
{
    return line_welcomes_fresh(core, line) && budget_left(core, line, BUDGET_NEW_CONVERSATIONS, now) &&
           budget_left(core, line, BUDGET_RECIPIENTS, now) && budget_left(core, line, BUDGET_GROWTH, now);
}

static bool is_open(const struct core *core, const struct line *line, struct instant now)
{
    if (!line_has_pool(line) || core->pauses_all > 0 || core->pools[line->pool].pauses > 0)
        return false;
    if (!account_may_send(core, line->account, now) || line->limited_until_ms > now.mono_ms)
        return false;
    return line->gate != GATE_CLOSED || gate_lets_probe(core, line, now);
}

/* What an open line may send, by what its budgets still hold. */
struct allowance {
    unsigned classes; /* bit mask, of known conversations */
    bool rested;      /* of these, to recipients that it did not write to within the hour */
    bool fresh;
};
#define ALL_CLASSES ((1u << CLASS_COUNT) - 1)

static struct allowance allowance_of(const struct core *core, const struct line *line, struct instant now)
{
    struct allowance allowance = {.classes = 0};
    if (!budget_left(core, line, BUDGET_DAILY, now))
        return allowance;
    bool growth = budget_left(core, line, BUDGET_GROWTH, now);
    allowance.classes = growth ? ALL_CLASSES : 1u << CLASS_REPLY; /* an answer is no growth of the line's own making */
    allowance.rested = budget_left(core, line, BUDGET_RECIPIENTS, now);
    allowance.fresh = line->gate != GATE_CLOSED && line_takes_fresh(core, line, now);
    return allowance;
}

static bool has_any(const struct ready_set *set, unsigned classes)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        if ((classes & 1u << c) != 0 && set->queue[c].root != NOBODY)
            return true;
    return false;
}

static bool has_work(const struct line *line, struct allowance allowance)
{
    return has_any(&line->ready, allowance.classes) ||
           (allowance.rested && has_any(&line->rested, allowance.classes)) ||
           (allowance.fresh && has_any(&line->fresh, ALL_CLASSES));
}

/* When a spent budget is to be looked at again (steady ms). */
static int64_t next_budget_ms(const struct core *core, const struct line *line, struct instant now)
{
    int64_t next = TIME_NEVER;
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++)
        if (!budget_left(core, line, budget, now))
            next = time_sooner(next, now.mono_ms + budget_free_at(core, line, budget, now) - now.wall_ms);
    return next;
}

static bool pool_has_work(const struct pool *pool)
{
    return pool->placement_count > 0 && has_any(&pool->fresh, ALL_CLASSES);
}

void turns_touch_pool(struct core *core, uint32_t at)
{
    if (pool_has_work(&core->pools[at]))
        ring_add(core, RING_POOL | (at + 1));
    else
        ring_remove(core, RING_POOL | (at + 1));
}

/* The pool knows how many of its lines take new conversations, and how fast these are. */
static void welcome(struct core *core, uint32_t at, bool welcomes, double per_min)
{
    struct line *line = &core->lines[at];
    struct pool *pool = &core->pools[line->pool];
    int64_t mpm = !welcomes ? 0 : per_min < 0 ? UNLIMITED_MPM : (int64_t)(per_min * 1000);
    pool->welcoming += (uint32_t)welcomes - (uint32_t)line->welcomes;
    pool->welcoming_mpm += mpm - line->welcome_mpm;
    line->welcomes = welcomes;
    line->welcome_mpm = mpm;
}

void turns_forget_line(struct core *core, uint32_t at)
{
    ring_remove(core, at + 1);
    if (!line_has_pool(&core->lines[at]))
        return;
    welcome(core, at, false, 0);
    placement_remove(core, at);
    core->pools[core->lines[at].pool].touches++;
}

void turns_touch_line(struct core *core, uint32_t at, struct instant now)
{
    if (!core->restored)
        return; /* once for all when everything is in its place */
    struct line *line = &core->lines[at];
    bool open = is_open(core, line, now);
    struct allowance allowance = {.classes = 0};
    if (open)
        allowance = allowance_of(core, line, now);
    bool in_time = line->next_send_us <= now.mono_ms * 1000;
    bool now_ok = in_time && allowance.classes != 0;
    bool probe = line->gate == GATE_CLOSED; /* open all the same: one job may go */
    if (probe && line->probing)
        now_ok = false;

    if (now_ok && has_work(line, allowance))
        ring_add(core, at + 1);
    else
        ring_remove(core, at + 1);
    if (line_has_pool(line)) {
        if (now_ok && allowance.fresh)
            placement_add(core, at);
        else
            placement_remove(core, at);
        bool welcomes = open && allowance.fresh;
        welcome(core, at, welcomes, welcomes ? pace_per_min(core, line, now) : 0);
        core->pools[line->pool].touches++;
        turns_touch_pool(core, line->pool);
    }

    int64_t next = line->revokes ? now.mono_ms : gate_next_ms(core, line, now);
    if (line->limited_until_ms > now.mono_ms)
        next = time_sooner(next, line->limited_until_ms);
    else if (allowance.classes != 0 && !in_time)
        next = time_sooner(next, (line->next_send_us + 999) / 1000);
    if (open)
        next = time_sooner(next, next_budget_ms(core, line, now));
    mono_timer(core, MONO_LINE, at, next);
}

/* ---- one turn ---- */

/* Who might go, by class: the first of each of the queues looked at. */
struct candidates {
    uint32_t job[CLASS_COUNT];
    unsigned classes; /* bit mask */
};

static void consider(const struct core *core, struct candidates *candidates, const struct ready_set *set,
                     unsigned classes)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        uint32_t job = set->queue[c].root;
        bool any = (candidates->classes & 1u << c) != 0;
        if ((classes & 1u << c) == 0 || job == NOBODY || (any && !ready_goes_first(core, job, candidates->job[c])))
            continue;
        candidates->job[c] = job;
        candidates->classes |= 1u << c;
    }
}

/* A conversation whose last message has left the hour since it came here stands in the wrong queue, which matters once
 * no recipient is left to spend. Each is moved at most once, and there are never more of them than the budget lets
 * through in an hour. */
static void move_rested(struct core *core, struct line *line, struct instant now)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        uint32_t job;
        while ((job = line->ready.queue[c].root) != NOBODY) {
            uint32_t of = core->jobs[job].conversation;
            if (recipient_is_spent(core, &core->conversations[of], now))
                break;
            turns_withdraw(core, of, job);
            turns_push(core, of, job, now);
        }
    }
}

static struct candidates candidates_of(struct core *core, uint32_t at, struct instant now)
{
    struct line *line = &core->lines[at];
    struct candidates candidates = {.classes = 0};
    struct allowance allowance = allowance_of(core, line, now);
    if (!allowance.rested)
        move_rested(core, line, now);
    consider(core, &candidates, &line->ready, allowance.classes);
    if (allowance.rested)
        consider(core, &candidates, &line->rested, allowance.classes);
    if (allowance.fresh)
        consider(core, &candidates, &line->fresh, ALL_CLASSES);
    if (line->placement != 0 && allowance.fresh)
        consider(core, &candidates, &core->pools[line->pool].fresh, ALL_CLASSES);
    return candidates;
}

/* Smooth weighted turns: every class that waits gains its weight, the one that goes pays for all. */
static uint32_t choose_class(struct shares *shares, unsigned classes)
{
    int32_t total = 0;
    uint32_t best = CLASS_COUNT;
    assert(classes != 0);
    for (uint32_t c = 0; c < CLASS_COUNT; c++) {
        if ((classes & 1u << c) == 0)
            continue;
        shares->credit[c] += class_weight[c];
        total += class_weight[c];
        if (best == CLASS_COUNT || shares->credit[c] > shares->credit[best])
            best = c;
    }
    shares->credit[best] -= total;
    return best;
}

/* While a line is drained the operator says which class goes next. */
static uint32_t class_in_turn(const struct core *core, struct line *line, const struct candidates *candidates)
{
    enum drain_order order = drain_order(core, line);
    uint32_t best = CLASS_COUNT;
    if (order == DRAIN_ORDER_SHARES)
        return choose_class(&line->shares, candidates->classes);
    for (uint32_t c = 0; c < CLASS_COUNT; c++) {
        if ((candidates->classes & 1u << c) == 0)
            continue;
        uint32_t job = candidates->job[c];
        bool better = best == CLASS_COUNT;
        if (!better && order == DRAIN_ORDER_OLDEST)
            better = job_order(core, &core->jobs[job]) < job_order(core, &core->jobs[candidates->job[best]]);
        else if (!better && order == DRAIN_ORDER_DEADLINE)
            better = ready_goes_first(core, job, candidates->job[best]);
        best = better ? c : best;
    }
    return best;
}

/* Another line's turn sent a job of this class here: it counts among this line's sends. */
static void charge_class(struct shares *shares, unsigned classes, uint32_t class)
{
    for (uint32_t c = 0; c < CLASS_COUNT; c++) {
        if ((classes & 1u << c) == 0)
            continue;
        shares->credit[c] += class_weight[c];
        shares->credit[class] -= class_weight[c];
    }
}

/* ---- the breaker's probes: the first by class, another conversation each time (DESIGN section 5) ---- */

/* `slot`, unless it is of that conversation: then the next in its queue. NOBODY: there is no other. */
static uint32_t of_another(const struct core *core, uint32_t slot, uint32_t conversation)
{
    const struct job *job = &core->jobs[slot];
    if (job->conversation != conversation)
        return slot;
    if (job->left == NOBODY || job->right == NOBODY)
        return job->left | job->right;
    return ready_goes_first(core, job->left, job->right) ? job->left : job->right;
}

/* The candidate that probes; the smaller *rank, the better it is for that. NOBODY: there is none. */
static uint32_t probe_of(const struct core *core, const struct candidates *candidates, uint32_t last, unsigned *rank)
{
    uint32_t again = NOBODY;
    *rank = CLASS_COUNT;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        uint32_t slot = (candidates->classes & 1u << c) == 0 ? NOBODY : of_another(core, candidates->job[c], last);
        if (slot != NOBODY) {
            *rank = c;
            return slot;
        }
        if (again == NOBODY && (candidates->classes & 1u << c) != 0)
            again = candidates->job[c];
    }
    return again;
}

/* The line of the account, `at` or another that could have its turn, that has the best job to probe with. */
static uint32_t probe_line(struct core *core, uint32_t at, struct instant now)
{
    uint32_t account = core->lines[at].account;
    uint32_t best = at;
    unsigned best_rank = UINT_MAX;
    for (uint32_t l = 0; l < core->line_count; l++) {
        const struct line *line = &core->lines[l];
        bool stands = line->in_ring || line->placement != 0;
        if (line->account != account || !stands || !pool_has_free_worker(core, line->pool))
            continue;
        const struct candidates candidates = candidates_of(core, l, now);
        unsigned rank;
        if (probe_of(core, &candidates, core->accounts[account].probed, &rank) != NOBODY && rank < best_rank) {
            best_rank = rank;
            best = l;
        }
    }
    return best;
}

/* A line that takes new conversations may have spent its budgets without a word to it: a clock went back, or its own
 * level is another since midnight. True: it takes none any more. */
static bool welcome_is_over(struct core *core, uint32_t at, struct instant now)
{
    const struct line *line = &core->lines[at];
    if (line->placement == 0 || allowance_of(core, line, now).fresh)
        return false;
    turns_touch_line(core, at, now);
    return true;
}

/* False: nobody went, but somebody was put out of the way. */
static bool line_turn(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct account *account = &core->accounts[core->lines[at].account];
    if (account->broken)
        at = probe_line(core, at, now);
    struct line *line = &core->lines[at];
    if (welcome_is_over(core, at, now))
        return false;
    struct candidates candidates = candidates_of(core, at, now);
    if (candidates.classes == 0) { /* what made it stand here was withdrawn */
        ring_remove(core, at + 1);
        return false;
    }
    const struct shares before = line->shares;
    unsigned rank;
    uint32_t slot = account->broken ? probe_of(core, &candidates, account->probed, &rank)
                                    : candidates.job[class_in_turn(core, line, &candidates)];
    uint32_t class = core->jobs[slot].class;
    uint32_t of = core->jobs[slot].conversation;
    const struct conversation *conversation = &core->conversations[of];
    if (core->campaigns_paused > 0 && campaign_holds(core, &core->jobs[slot])) { /* since it came first */
        line->shares = before;
        conversation_settle(core, of, now);
        return false;
    }
    if (outcome_withdraw(core, slot, now, out))
        return false; /* expired while it waited (its timer may be a moment late): never sent (promise P7) */
    if (!conversation_pool_lets_go(core, conversation) || conversation_waits_until(core, of, now) > now.wall_ms) {
        line->shares = before;
        conversation_settle(core, of, now); /* what let it go is over */
        return false;
    }
    if (crew_next_worker(core, line->pool, conversation->pool) == NOBODY) { /* the line is another pool's now: seldom */
        line->shares = before;
        turns_withdraw(core, of, slot);
        conversation_set_aside(core, of, now.wall_ms + STRANGER_MS);
        return false;
    }
    uint32_t to = at;
    if ((conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) == 0) {
        /* A new conversation goes where the score says, which need not be here. */
        to = placement_near(core, line->pool, core->areas[slot], now);
        if (to != at && welcome_is_over(core, to, now)) {
            line->shares = before;
            return false;
        }
    }
    if (outcome_bar(core, slot, to, now, out))
        return false;
    if (to != at)
        charge_class(&core->lines[to].shares, candidates_of(core, to, now).classes, class);
    grant(core, slot, to, now, out);
    return true;
}

/* The pool's turn is one more for the line that takes its next conversation: whether that goes first there is a
 * question of the line's own shares. */
static bool pool_turn(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    if (pool_has_work(&core->pools[at]))
        return line_turn(core, placement_best(core, at), now, out);
    ring_remove(core, RING_POOL | (at + 1));
    return false;
}

static bool lease_is_free(const struct core *core)
{
    bool room = core->leases_free != NOBODY || core->leases_used < core->limits.leases_max || core->over_first != NOBODY;
    return room && !core->ending;
}

bool turns_can_lease(const struct core *core, uint32_t line_pool, uint32_t pool)
{
    return (crews_of_both(core, line_pool, pool) & core->crews_free) != 0 && lease_is_free(core);
}

bool turns_wait(const struct core *core)
{
    return lanes_that_go(core) != 0 && lease_is_free(core);
}

/* A lane has as many turns in a row as it has members, so that lines share workers alike whatever lane they are in. */
static struct lane *lane_in_turn(struct core *core)
{
    uint64_t going = lanes_that_go(core);
    if (core->lane_turns == 0 || (going >> core->lane & 1) == 0) {
        do
            core->lane = (core->lane + 1) % LANES_MAX;
        while ((going >> core->lane & 1) == 0);
        core->lane_turns = core->lanes[core->lane].count;
    }
    core->lane_turns--;
    return &core->lanes[core->lane];
}

void turns_run(struct core *core, struct instant now, struct effects *out)
{
    unsigned vain = 0;
    uint64_t yields = core->yields; /* a turn may put many of one conversation out of the way */
    while (turns_wait(core) && effects_have_room(out) && vain < VAIN_TURNS_MAX && core->yields - yields < YIELDS_MAX) {
        struct lane *lane = lane_in_turn(core);
        uint32_t who = lane->ring;
        lane->ring = ring_next(core, who);
        bool went = (who & RING_POOL) != 0 ? pool_turn(core, (who & ~RING_POOL) - 1, now, out)
                                          : line_turn(core, who - 1, now, out);
        vain += !went;
    }
}
