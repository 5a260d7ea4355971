/* plan.h — what a demo does, all of it drawn from one seed: who is written to, when and how, and what becomes of the
 * lines meanwhile. Pure: the same seed, the same plan. */
#ifndef LINEWARD_DEMO_PLAN_H
#define LINEWARD_DEMO_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "lineward/words.h"

#define PLAN_LINES      10
#define PLAN_POOLS      2
#define PLAN_RECIPIENTS 2000
#define PLAN_GROUP      3 /* recipients of a group conversation */
#define PLAN_JOBS_MIN   5000
#define PLAN_STEPS_MAX  12
#define PLAN_TEXT_MAX   32

struct plan_line {
    char number[PLAN_TEXT_MAX]; /* E.164, of the range kept for fiction */
    size_t pool;
};

struct plan_conversation {
    size_t pool;
    size_t recipients[PLAN_GROUP];
    size_t recipient_count;
    int begins_ms; /* 0: with the backlog */
};

struct plan_job {
    int at_ms; /* since the flow began: when its producer hands it in */
    size_t conversation;
    enum job_class class;
    unsigned n; /* counts the jobs of this conversation and class, from 1 */
};

enum plan_step_kind {
    PLAN_TURN, /* the provider gives a line another reputation and says so by webhook */
    PLAN_KILL, /* the broker gets SIGKILL */
    PLAN_START /* and is started again */
};

struct plan_step {
    int at_ms;
    enum plan_step_kind kind;
    size_t line;                /* of PLAN_TURN */
    enum reputation reputation; /* of PLAN_TURN */
};

struct plan_faults { /* probabilities, see docs/sandbox.md */
    double reset_after_accept, rate_500, rate_429;
    int latency_ms, jitter_ms;
};

struct plan {
    uint64_t seed;
    const char *pools[PLAN_POOLS];
    struct plan_line lines[PLAN_LINES];
    char recipients[PLAN_RECIPIENTS][PLAN_TEXT_MAX];
    struct plan_conversation *conversations;
    size_t conversation_count;
    struct plan_job *jobs; /* by at_ms */
    size_t job_count;
    size_t backlog_count; /* the first ones, handed in at the start */
    struct plan_step steps[PLAN_STEPS_MAX]; /* by at_ms */
    size_t step_count;
    struct plan_faults faults;
    int flow_ms; /* when the last job is handed in, at the latest */
};

/* NULL: out of memory. Release with plan_free(). */
struct plan *plan_new(uint64_t seed);
/* The same jobs one after the other, evenly, with no backlog. */
void plan_spread(struct plan *plan);
void plan_free(struct plan **plan_p); /* sets *plan_p to NULL; NULL is fine */

#endif
