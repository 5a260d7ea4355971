/* timings.h — how long jobs and gates took, for GET /metrics. Kept beside the core, which knows nothing of it: by the
 * turn's clock (timings_turn()), which is read twice a turn and never for a job.
 *
 * A commit's jobs are counted together; a lease's beginning is remembered in a table of fixed size, where a newer
 * lease may take an older one's place, which is then not measured. */
#ifndef LINEWARD_EDGE_TIMINGS_H
#define LINEWARD_EDGE_TIMINGS_H

#include "broker/core/core.h"
#include "lineward/histogram.h"

enum timed_outcome { /* as in a RESULT; a `retry` with `unknown` stands by itself */
                     TIMED_SENT,
                     TIMED_RETRY,
                     TIMED_UNKNOWN,
                     TIMED_REJECTED,
                     TIMED_RETURNED,
                     TIMED_OUTCOMES
};
const char *timed_outcome_name(enum timed_outcome outcome);

struct timings_read {                        /* lent by timings_read() */
    struct histogram enqueue;                /* a job was read until its ACK may go */
    struct histogram wait;                   /* accepted, or due where that is later, until its first JOB goes */
    struct histogram result[TIMED_OUTCOMES]; /* its JOB went until its RESULT came */
    struct histogram gate;                   /* a webhook came until the gate that it moved had moved */
};

struct timings;
struct timings *timings_new(void); /* NULL: out of memory */
void timings_free(struct timings **timings_p);

/* The turn begins, or comes to its end: what happens from here on happened then. */
void timings_turn(struct timings *timings, int64_t now_us);

/* One job more was accepted; all of them since the last call of timings_submitted() are of that commit; those of the
 * commits up to `durable` are answered now. */
void timings_accepted(struct timings *timings);
void timings_submitted(struct timings *timings, uint64_t commit);
void timings_durable(struct timings *timings, uint64_t durable);

/* ---- to all of these NULL is fine: nothing is kept ---- */

/* The JOB of a lease goes. `waited_ms` below 0: it is not its job's first. */
void timings_leased(struct timings *timings, uint64_t lease, int64_t waited_ms);
void timings_result(struct timings *timings, const struct core_result *result);

void timings_gate(struct timings *timings, int64_t took_ms);

const struct timings_read *timings_read(const struct timings *timings);

#endif
