/* witness_part.h — what the parts of the witness share about each job: witness.c (who says what to whom),
 * witness_told.c (what producers were told last), witness_ends.c (that an end has a cause), witness_order.c (who goes
 * out first), witness_lines.c and witness_stops.c (what must stop). Only for them. */
#ifndef TESTS_SIM_WITNESS_PART_H
#define TESTS_SIM_WITNESS_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/words.h"

/* Within that, a worker has heard that it is to stop, or begins nothing because it is not in touch: three heartbeats, and
 * what clocks differ. */
#define BEATS_US INT64_C(3100000)

struct seen { /* of a job */
    uint64_t body_hash;
    char key[80];
    int conversation, line; /* of its first try */
    unsigned arrivals;
    int64_t made_us;    /* its message; 0: none */
    int64_t given_us;   /* out, for the first time; 0: never */
    int given_line;     /* the latest time */
    int64_t begun_us;   /* the latest time */
    int64_t requeued_us;
    bool requeue_may_be_lost; /* the broker died before anybody could see it */
    int64_t refused_us; /* when a try of it was last answered with an error */
    bool begun, superseded;
    bool made_late; /* after that: a retry with the same key settles, so nobody reckons with it any more */
    char told[80];  /* state, reason and line as last told */
    enum reason told_reason;
    int told_line;
};

struct seen *seen_of(int job);

/* ---- witness_told.c ---- */
void told_change(int job, const char *state, const char *reason, const char *line);

/* ---- witness_ends.c ---- */
void ends_told(int job, enum job_state state, const char *code); /* code NULL: none */

/* ---- witness_order.c ---- */
void order_made(int job); /* its message */

#endif
