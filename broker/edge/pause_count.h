/* pause_count.h — what each pause holds: jobs, recipients, the oldest. Nobody keeps these counts: they are made by a walk
 * over the waiting jobs, a slice at a time over turns of the owner, when somebody asks, and kept for a moment. */
#ifndef LINEWARD_EDGE_PAUSE_COUNT_H
#define LINEWARD_EDGE_PAUSE_COUNT_H

#include "broker/core/core.h"

/* A count that old, of the same pauses, is good enough; the longer it took, the longer, so that a screen that asks each
 * second costs the owner a tenth of its time at most. */
#define PAUSE_COUNT_FRESH_MS      1000
#define PAUSE_COUNT_SLOTS_A_MS    500

struct pause_sum {
    uint64_t id; /* of the pause that the walk met; 0: it met none here */
    uint64_t jobs;
    int64_t recipients; /* conversations; -1: not counted, there are too many paused campaigns */
    uint64_t oldest;    /* number of the job accepted first */
};

struct pause_count;

struct pause_count *pause_count_new(void); /* NULL: out of memory */
void pause_count_free(struct pause_count **count_p);

/* Somebody asks: begins a walk, unless one is under way or the last one is fresh. False: out of memory. */
bool pause_count_ask(struct pause_count *count, const struct core *core, struct instant now);
/* Is a walk under way? */
bool pause_count_runs(const struct pause_count *count);
/* One slice of it, well under a millisecond. False: there is no more to do. */
bool pause_count_slice(struct pause_count *count, const struct core *core);
/* What the last whole walk found for that pause; false: it lay otherwise then, and is still to be counted. */
bool pause_count_find(const struct pause_count *count, const struct core *core, const struct pause_view *pause,
                      struct pause_sum *out);
int64_t pause_count_at_ms(const struct pause_count *count); /* when that walk began; 0: there was none */

#endif
