/* decide.h — why a job is not moving: exactly one reason, the first of the contract's list that applies (PROTOCOL,
 * Reasons). Used by views, by `if_held` and by tests; the turns act on the same facts. Pure: changes nothing. */
#ifndef LINEWARD_CORE_DECIDE_H
#define LINEWARD_CORE_DECIDE_H

#include "broker/core/state.h"

struct verdict {
    enum reason reason;   /* NONE: leased, or about to be */
    int64_t until_ms;     /* wall: when it may change by itself; 0: unknown */
    uint64_t pause;       /* that stops it, 0: none ... */
    uint32_t pause_slot;  /* ... 0: none */
    int64_t pause_since_ms; /* ... and when it began */
    struct budget_state budget; /* that stops it, if the reason is one */
    uint32_t ahead;       /* jobs before it in its conversation */
};

/* How far to look at the jobs before it: a view of one job counts them, what is asked of many jobs must not. */
enum { DECIDE_QUICK = 64, DECIDE_FULL = 20000 }; /* `ahead` is never told larger than this */

/* A live job in its place. */
struct verdict decide(const struct core *core, uint32_t job, uint32_t look, struct instant now);

/* The same as if it stood first. */
struct verdict decide_alone(const struct core *core, uint32_t job, struct instant now);

/* ---- single rules; NONE: it lets go ---- */
/* A pause that lies there, told as that reason. */
struct verdict decide_pause(const struct core *core, enum reason reason, enum pause_scope scope, uint64_t target);
struct verdict decide_provider(const struct core *core, uint32_t account, struct instant now); /* breaker and key */
struct verdict decide_spent(const struct core *core, const struct line *line, enum budget budget, struct instant now);
struct verdict decide_pair(const struct core *core, uint32_t conversation, struct instant now);
struct verdict decide_pace(const struct core *core, const struct line *line, struct instant now);  /* its next turn */
struct verdict decide_limit(const struct core *core, const struct line *line, struct instant now); /* Retry-After */

struct newcomer {
    uint32_t pool;
    uint64_t conversation; /* its key */
    uint64_t from_line;    /* 0: any */
    uint32_t replaces;     /* the job of `conversation` that ends for it (collapse.h); NOBODY: none */
};
/* A job that is not there yet, as if it stood first: `conversation` may be NULL (a new one). One that lives nowhere yet
 * is pinned by it to `from_line`. */
struct verdict decide_for(const struct core *core, const struct job *job, const struct conversation *conversation,
                       const struct newcomer *who, struct instant now);

/* Why what waits on the line waits, as far as that is the line's, the pool's or the account's doing. */
enum reason decide_line(const struct core *core, const struct line *line, struct instant now);
/* Why the pool's new conversations wait. */
enum reason decide_unplaced(const struct core *core, uint32_t pool, struct instant now);

#endif
