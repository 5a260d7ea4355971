/* turns.c — see turns.h. */
#include "broker/core/turns.h"

#include <limits.h>

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/crews.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/operate.h"
#include "broker/core/pair.h"
#include "broker/core/placement.h"
#include "broker/core/ready.h"
#include "broker/core/wait.h"

static const int32_t class_weight[CLASS_COUNT] = {
    [CLASS_REPLY] = 16, [CLASS_TRANSACTIONAL] = 8, [CLASS_FOLLOWUP] = 2, [CLASS_CAMPAIGN] = 1};

#define YIELDS_MAX     512  /* of a step: jobs of paused campaigns that step out of the way */
#define VAIN_TURNS_MAX 1024 /* of a step, in which nobody goes: what has stopped many is put aside by and by */

/* ---- the rings, one a lane: 1 + line, or POOL_BIT | 1 + pool; 0 is nobody ---- */

#define POOL_BIT    0x80000000u
#define STRANGER_MS 1000 /* a conversation on another pool's line, while no worker may do both */

struct link {
    uint32_t *next, *prev;
    bool *in_ring;
};

static struct link link_of(struct core *core, uint32_t who)
{
    uint32_t at = (who & ~POOL_BIT) - 1;
    if ((who & POOL_BIT) != 0)
        return (struct link){&core->pools[at].ring_next, &core->pools[at].ring_prev, &core->pools[at].in_ring};
    return (struct link){&core->lines[at].ring_next, &core->lines[at].ring_prev, &core->lines[at].in_ring};
}

static uint32_t lane_of(const struct core *core, uint32_t who)
{
    uint32_t at = (who & ~POOL_BIT) - 1;
    return core->pools[(who & POOL_BIT) != 0 ? at : core->lines[at].pool].lane;
}

static void ring_add(struct core *core, uint32_t who)
{
    struct link me = link_of(core, who);
    if (*me.in_ring)
        return;
    uint32_t at = lane_of(core, who);
    struct lane *lane = &core->lanes[at];
    *me.in_ring = true;
    if (lane->count++ == 0) {
        *me.next = *me.prev = who;
        lane->ring = who;
        core->lanes_waiting |= UINT64_C(1) << at;
        return;
    }
    struct link first = link_of(core, lane->ring);
    struct link last = link_of(core, *first.prev);
    *me.next = lane->ring;
    *me.prev = *first.prev;
    *last.next = who;
    *first.prev = who;
}

static void ring_remove(struct core *core, uint32_t who)
{
    struct link me = link_of(core, who);
    if (!*me.in_ring)
        return;
    uint32_t at = lane_of(core, who);
    struct lane *lane = &core->lanes[at];
    *me.in_ring = false;
    if (--lane->count == 0) {
        lane->ring = 0;
        core->lanes_waiting &= ~(UINT64_C(1) << at);
        return;
    }
    *link_of(core, *me.prev).next = *me.next;
    *link_of(core, *me.next).prev = *me.prev;
    if (lane->ring == who)
        lane->ring = *me.next;
}

uint32_t turns_take_all(struct core *core)
{
    uint32_t chain = 0;
    for (uint32_t l = 0; l < core->lane_count; l++) {
        while (core->lanes[l].count > 0) {
            uint32_t who = core->lanes[l].ring;
            ring_remove(core, who);
            *link_of(core, who).next = chain;
            chain = who;
        }
    }
    return chain;
}

void turns_put_back(struct core *core, uint32_t chain)
{
    while (chain != 0) {
        uint32_t who = chain;
        chain = *link_of(core, who).next;
        ring_add(core, who);
    }
}

/* ---- ready queues ---- */

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

static void push(struct core *core, uint32_t at, uint32_t slot, struct instant now)
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

static bool may_go(const struct core *core, const struct conversation *conversation, const struct job *job,
                   struct instant now)
{
    return core->pools[conversation->pool].configured && job->state == JOB_QUEUED &&
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

/* TIME_NEVER: not, or until something happens. */
static void set_aside(struct core *core, uint32_t at, int64_t until_ms)
{
    struct conversation *conversation = &core->conversations[at];
    if (until_ms == TIME_NEVER && (conversation->flags & CONVERSATION_ASIDE) == 0)
        return;
    conversation->flags &= (uint8_t)~CONVERSATION_ASIDE;
    if (until_ms != TIME_NEVER)
        conversation->flags |= CONVERSATION_ASIDE;
    wall_timer(core, WALL_CONVERSATION, at, until_ms);
}

/* Jobs of paused campaigns step out of the way of those behind them. */
static void yield_to_others(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    for (;;) {
        uint32_t first = conversation_first(core, conversation);
        const struct job *job = &core->jobs[first];
        if (first == NOBODY || job->state != JOB_QUEUED || (job->flags & JOB_YIELDED) != 0 ||
            !campaign_holds(core, job) || conversation->scheduled == CONVERSATION_SCHEDULED_MAX)
            return;
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
        set_aside(core, at, TIME_NEVER);
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
    set_aside(core, at, waits ? until_ms : TIME_NEVER);
    if (ready == (goes && !waits))
        return;
    if (ready) {
        turns_withdraw(core, at, first);
    } else {
        push(core, at, first, now);
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
    conversation->flags &= (uint8_t)~CONVERSATION_BOUND;
    if ((conversation->flags & (CONVERSATION_PINNED | CONVERSATION_RECORDED)) == 0)
        conversation->line = NO_LINE;
    count_conversation(core, conversation, 1);
}

void conversation_let_go(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    count_conversation(core, conversation, -1);
    conversation->flags &= (uint8_t)~(CONVERSATION_BOUND | CONVERSATION_PINNED);
    count_conversation(core, conversation, 1);
}

/* ---- who can send ---- */

bool line_welcomes_fresh(const struct core *core, const struct line *line)
{
    if (!line_has_pool(line) || line->known.cordoned || line->moving || line->gate == GATE_CLOSED || ramp_is_on(core, line))
        return false;
    struct stand stand = line_stand(core, line);
    bool healthy =
        stand.proven == REPUTATION_HEALTHY && stand.word == REPUTATION_HEALTHY && line->gate == GATE_OPEN;
    return healthy || (line_policy(core, line)->at_risk_new && stand.word == REPUTATION_AT_RISK);
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

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When a spent budget is to be looked at again (steady ms). */
static int64_t next_budget_ms(const struct core *core, const struct line *line, struct instant now)
{
    int64_t next = TIME_NEVER;
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++)
        if (!budget_left(core, line, budget, now))
            next = sooner(next, now.mono_ms + budget_free_at(core, line, budget, now) - now.wall_ms);
    return next;
}

static bool pool_has_work(const struct pool *pool)
{
    return pool->placement_count > 0 && has_any(&pool->fresh, ALL_CLASSES);
}

void turns_touch_pool(struct core *core, uint32_t at)
{
    if (pool_has_work(&core->pools[at]))
        ring_add(core, POOL_BIT | (at + 1));
    else
        ring_remove(core, POOL_BIT | (at + 1));
}

void turns_forget_line(struct core *core, uint32_t at)
{
    ring_remove(core, at + 1);
    if (line_has_pool(&core->lines[at]))
        placement_remove(core, at);
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
        core->pools[line->pool].touches++;
        turns_touch_pool(core, line->pool);
    }

    int64_t next = line->revokes ? now.mono_ms : gate_next_ms(core, line, now);
    if (line->limited_until_ms > now.mono_ms)
        next = sooner(next, line->limited_until_ms);
    else if (allowance.classes != 0 && !in_time)
        next = sooner(next, (line->next_send_us + 999) / 1000);
    if (open)
        next = sooner(next, next_budget_ms(core, line, now));
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
            push(core, of, job, now);
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

/* Debits everything that the lease spends, in the same step as the lease itself. */
static void spend(struct core *core, struct lease *lease, uint32_t at, struct instant now)
{
    struct line *line = &core->lines[lease->line];
    struct conversation *conversation = &core->conversations[at];
    level_begin_day(line, now);
    budget_add(&line->known.messages, now.wall_ms, 1, lease->bucket);
    budget_add(&line->known.out, now.wall_ms, 1, lease->bucket);
    if (lease->placed)
        budget_add(&line->known.fresh, now.wall_ms, 1, lease->bucket);
    pair_spend(core, at, now);
    lease->last_out = conversation->last_out;
    lease->out = moment_of(now.wall_ms);
    recipient_set_out(core, conversation, lease->out);
    pace_spend(core, line, now);
}

static void grant(struct core *core, uint32_t slot, uint32_t at, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    struct conversation *conversation = &core->conversations[job->conversation];
    struct line *line = &core->lines[at];
    bool places = (conversation->flags & CONVERSATION_BOUND) == 0;
    bool moved = places && (conversation->flags & CONVERSATION_RECORDED) != 0;

    turns_withdraw(core, job->conversation, slot);
    if (places) {
        assert(line_takes_fresh(core, line, now)); /* promise P5 */
        placement_remove(core, at);
        placement_charge(core, at, now);
        bool back = conversation->line == at && (conversation->flags & CONVERSATION_PINNED) == 0;
        if (moved && !back)
            recipient_leaves(core, conversation, now, out);
        conversation_bind(core, job->conversation, at, false);
        if (moved && !back) /* else its chat is there */
            move_arrive(core, job->conversation, now, out);
    }
    uint32_t worker = crew_next_worker(core, line->pool, conversation->pool);
    struct lease *lease = lease_grant(core, slot, at, worker, now);
    assert(lease != NULL);
    crew_ring_turn(core, core->workers[worker].crew);
    lease->placed = places;
    lease->moved = moved;
    lease->probe_line = line->gate == GATE_CLOSED;
    line->probing = line->probing || lease->probe_line;
    lease->probe_account = core->accounts[line->account].broken;
    core->accounts[line->account].probing = core->accounts[line->account].probing || lease->probe_account;
    if (lease->probe_account)
        core->accounts[line->account].probed = job->conversation;

    backlog_remove(core, slot);
    job_move(job, EV_LEASE);
    job_set_due(job, 0);
    job_timer(core, slot);
    backlog_add(core, slot);
    if (job->attempts < UINT8_MAX)
        job->attempts++;
    if ((job->flags & JOB_DOUBTFUL) != 0) /* from now on it goes first until that is settled */
        job->flags |= JOB_UNSETTLED;
    job->flags &= (uint8_t)~(JOB_WIDE | JOB_DOUBTFUL);
    spend(core, lease, job->conversation, now);
    line->spent = true;
    if (line->recorded_bucket != lease->bucket) /* tries tell of the bucket under way, the line of those before it */
        line_record(core, at, now, out);
    job_record_try(core, slot, lease, 0, 0, TOPIC_JOB_LEASED, now, out);

    struct effect *effect = effect_add(out, EFFECT_JOB);
    effect->peer = core->workers[lease->peer_slot].peer;
    effect->lease = lease->id;
    effect->number = job->number;
    if (lease->probe_account)
        account_touch_lines(core, line->account, now);
    turns_touch_line(core, at, now);
}

/* One that must step out of the way; NOBODY: none. */
static uint32_t held_candidate(const struct core *core, const struct candidates *candidates)
{
    for (unsigned c = 0; core->campaigns_paused > 0 && c < CLASS_COUNT; c++)
        if ((candidates->classes & 1u << c) != 0 && campaign_holds(core, &core->jobs[candidates->job[c]]))
            return candidates->job[c];
    return NOBODY;
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
    uint32_t held = held_candidate(core, &candidates);
    if (held != NOBODY) { /* its campaign was paused since it came first */
        conversation_settle(core, core->jobs[held].conversation, now);
        return false;
    }
    if (candidates.classes == 0) { /* what made it stand here was withdrawn */
        ring_remove(core, at + 1);
        return false;
    }
    const struct shares before = line->shares;
    unsigned rank;
    uint32_t slot = account->broken ? probe_of(core, &candidates, account->probed, &rank)
                                    : candidates.job[choose_class(&line->shares, candidates.classes)];
    uint32_t class = core->jobs[slot].class;
    uint32_t of = core->jobs[slot].conversation;
    const struct conversation *conversation = &core->conversations[of];
    if (outcome_withdraw(core, slot, now, out) || outcome_bar(core, slot, now, out))
        return false; /* expired while it waited (its timer may be a moment late): never sent (promise P7) */
    if (!core->pools[conversation->pool].configured || conversation_waits_until(core, of, now) > now.wall_ms) {
        line->shares = before;
        conversation_settle(core, of, now); /* what let it go is over */
        return false;
    }
    if (crew_next_worker(core, line->pool, conversation->pool) == NOBODY) { /* the line is another pool's now: seldom */
        line->shares = before;
        turns_withdraw(core, of, slot);
        set_aside(core, of, now.wall_ms + STRANGER_MS);
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
        if (to != at)
            charge_class(&core->lines[to].shares, candidates_of(core, to, now).classes, class);
    }
    grant(core, slot, to, now, out);
    return true;
}

/* The pool's turn is one more for the line that takes its next conversation: whether that goes first there is a
 * question of the line's own shares. */
static bool pool_turn(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    if (pool_has_work(&core->pools[at]))
        return line_turn(core, placement_best(core, at), now, out);
    ring_remove(core, POOL_BIT | (at + 1));
    return false;
}

static bool lease_is_free(const struct core *core)
{
    bool room = core->leases_free != NOBODY || core->leases_used < core->limits.leases_max || core->over_first != NOBODY;
    return room && !core->ending;
}

bool turns_can_lease(const struct core *core, uint32_t pool)
{
    return pool_has_free_worker(core, pool) && lease_is_free(core);
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
        lane->ring = *link_of(core, who).next;
        bool went = (who & POOL_BIT) != 0 ? pool_turn(core, (who & ~POOL_BIT) - 1, now, out)
                                          : line_turn(core, who - 1, now, out);
        vain += !went;
    }
}
