/* plan.c — drawing the plan. */
#include "tools/demo/plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS_LEAST    6900 /* what the lines send in half a minute, at the pace that stage.c gives them */
#define JOBS_SPREAD   100  /* few more: as much is left when lines fall, whatever the seed */
#define GROUPS        40
#define BACKLOG_MS    1000  /* what a night has gathered is handed in at once ... */
#define BACKLOG_SHARE 0.985 /* ... and is most of it; the rest comes one by one */
#define BEGUN_SHARE   0.96  /* of the conversations begin with it */
#define FLOW_MS       38500
#define SPREAD_MS     30000 /* without a backlog: the lines send a little more in that time */
#define STEP_SHIFT_MS 300   /* steps come so much earlier or later, at most */
#define EMAIL_SHARE   0.05

/* ---- chance ---- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t end)
{
    assert(end > 0);
    return (size_t)(draw(state) % end);
}

static double share(uint64_t *state)
{
    return (double)(draw(state) >> 11) / 9007199254740992.0; /* 2^53 */
}

static double between(uint64_t *state, double low, double high)
{
    return low + (high - low) * share(state);
}

/* ---- who ---- */

static void plan_lines(struct plan *plan)
{
    static const size_t pool_of[PLAN_LINES] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    plan->pools[0] = "care";
    plan->pools[1] = "news";
    for (size_t i = 0; i < PLAN_LINES; i++) {
        snprintf(plan->lines[i].number, sizeof plan->lines[i].number, "+120255501%02zu", i + 1);
        plan->lines[i].pool = pool_of[i];
    }
}

/* Numbers that belong to nobody: 555-0100 to 555-0199 of twenty area codes. */
static void plan_recipients(struct plan *plan, uint64_t *random)
{
    for (size_t i = 0; i < PLAN_RECIPIENTS; i++) {
        char *text = plan->recipients[i];
        if (share(random) < EMAIL_SHARE)
            snprintf(text, PLAN_TEXT_MAX, "reader%04zu@example.org", i);
        else
            snprintf(text, PLAN_TEXT_MAX, "+1%zu55501%02zu", 301 + i / 100, i % 100);
    }
}

static void plan_conversations(struct plan *plan, uint64_t *random)
{
    double care_share = between(random, 0.38, 0.41); /* it has four of the ten lines */
    for (size_t i = 0; i < PLAN_RECIPIENTS; i++)
        plan->conversations[plan->conversation_count++] = (struct plan_conversation){
            .pool = share(random) < care_share ? 0 : 1, .recipients = {i}, .recipient_count = 1};
    for (size_t g = 0; g < GROUPS; g++) { /* neighbours, no two groups the same */
        size_t first = g * (PLAN_RECIPIENTS / GROUPS) + below(random, PLAN_RECIPIENTS / GROUPS - PLAN_GROUP);
        struct plan_conversation *group = &plan->conversations[plan->conversation_count++];
        *group = (struct plan_conversation){.pool = below(random, PLAN_POOLS), .recipient_count = PLAN_GROUP};
        for (size_t i = 0; i < PLAN_GROUP; i++)
            group->recipients[i] = first + i;
    }
}

/* ---- what they are sent ---- */

static int by_time(const void *a, const void *b)
{
    const struct plan_job *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->conversation > y->conversation) - (x->conversation < y->conversation);
}

/* The order of handing in is the order in which they must go out. */
static bool number_jobs(struct plan *plan)
{
    unsigned *counts = calloc(plan->conversation_count * CLASS_COUNT, sizeof *counts);
    if (counts == NULL)
        return false;
    qsort(plan->jobs, plan->job_count, sizeof *plan->jobs, by_time);
    for (size_t i = 0; i < plan->job_count; i++)
        plan->jobs[i].n = ++counts[plan->jobs[i].conversation * CLASS_COUNT + plan->jobs[i].class];
    free(counts);
    while (plan->backlog_count < plan->job_count && plan->jobs[plan->backlog_count].at_ms < BACKLOG_MS)
        plan->backlog_count++;
    return true;
}

static bool plan_jobs(struct plan *plan, uint64_t *random)
{
    double reply = between(random, 0.10, 0.20), transactional = between(random, 0.35, 0.50);
    double followup = between(random, 0.10, 0.20); /* campaigns are the rest */
    for (size_t i = 0; i < plan->job_count; i++) {
        struct plan_job *job = &plan->jobs[i];
        bool is_first = i < plan->conversation_count;
        double kind = share(random);
        job->conversation = is_first ? i : below(random, plan->conversation_count);
        struct plan_conversation *conversation = &plan->conversations[job->conversation];
        bool later = share(random) >= (is_first ? BEGUN_SHARE : BACKLOG_SHARE);
        int from_ms = conversation->begins_ms > BACKLOG_MS ? conversation->begins_ms : BACKLOG_MS;
        job->at_ms = !later && conversation->begins_ms == 0
                         ? (int)(share(random) * BACKLOG_MS)
                         : from_ms + (int)(share(random) * (plan->flow_ms - from_ms));
        if (is_first && later)
            conversation->begins_ms = job->at_ms;
        job->class = kind < reply                              ? CLASS_REPLY
                     : kind < reply + transactional            ? CLASS_TRANSACTIONAL
                     : kind < reply + transactional + followup ? CLASS_FOLLOWUP
                                                               : CLASS_CAMPAIGN;
    }
    return number_jobs(plan);
}

/* ---- what happens meanwhile ---- */

static void add_step(struct plan *plan, uint64_t *random, struct plan_step step)
{
    step.at_ms += (int)below(random, 2 * STEP_SHIFT_MS + 1) - STEP_SHIFT_MS;
    plan->steps[plan->step_count++] = step;
}

static void add_turn(struct plan *plan, uint64_t *random, int at_ms, size_t line, enum reputation reputation)
{
    add_step(plan, random,
             (struct plan_step){.at_ms = at_ms, .kind = PLAN_TURN, .line = line, .reputation = reputation});
}

/* When most of the backlog has gone, one line of each pool turns CRITICAL, another one AT_RISK; the broker dies while
 * all three are down. One of the CRITICAL ones becomes AT_RISK first, which is no recovery. The spans between steps
 * are wider than two shifts. */
static void plan_steps(struct plan *plan, uint64_t *random)
{
    size_t critical_care = below(random, 4), critical_news = 4 + below(random, 6);
    size_t at_risk = 4 + (critical_news - 4 + 1 + below(random, 5)) % 6; /* of the same pool, but another one */
    add_turn(plan, random, 24800, critical_news, REPUTATION_CRITICAL);
    add_turn(plan, random, 26200, critical_care, REPUTATION_CRITICAL);
    add_turn(plan, random, 27600, at_risk, REPUTATION_AT_RISK);
    add_step(plan, random, (struct plan_step){.at_ms = 29000, .kind = PLAN_KILL});
    struct plan_step start = plan->steps[plan->step_count - 1];
    start.kind = PLAN_START;
    start.at_ms += 1000;
    plan->steps[plan->step_count++] = start;
    add_turn(plan, random, 32800, critical_news, REPUTATION_AT_RISK);
    add_turn(plan, random, 34200, at_risk, REPUTATION_HEALTHY);
    add_turn(plan, random, 35600, critical_news, REPUTATION_HEALTHY);
    add_turn(plan, random, 37000, critical_care, REPUTATION_HEALTHY);
}

struct plan *plan_new(uint64_t seed)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return NULL;
    uint64_t random = seed;
    plan->seed = seed;
    plan->flow_ms = FLOW_MS;
    plan->job_count = JOBS_LEAST + below(&random, JOBS_SPREAD);
    plan->jobs = calloc(plan->job_count, sizeof *plan->jobs);
    plan->conversations = calloc(PLAN_RECIPIENTS + GROUPS, sizeof *plan->conversations);
    if (plan->jobs == NULL || plan->conversations == NULL) {
        plan_free(&plan);
        return NULL;
    }
    plan_lines(plan);
    plan_recipients(plan, &random);
    plan_conversations(plan, &random);
    plan_steps(plan, &random);
    plan->faults = (struct plan_faults){.reset_after_accept = between(&random, 0.005, 0.015),
                                        .rate_500 = between(&random, 0.005, 0.015),
                                        .rate_429 = between(&random, 0.0, 0.005),
                                        .latency_ms = 5 + (int)below(&random, 30),
                                        .jitter_ms = 5 + (int)below(&random, 30)};
    if (!plan_jobs(plan, &random))
        plan_free(&plan);
    return plan;
}

void plan_free(struct plan **plan_p)
{
    struct plan *plan = *plan_p;
    if (plan == NULL)
        return;
    free(plan->jobs);
    free(plan->conversations);
    free(plan);
    *plan_p = NULL;
}

void plan_spread(struct plan *plan)
{
    for (size_t i = 0; i < plan->job_count; i++)
        plan->jobs[i].at_ms = (int)(i * SPREAD_MS / plan->job_count);
    plan->backlog_count = 0;
}
