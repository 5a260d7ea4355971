/* oldest.h — since when the oldest job of each line, and of all, waits, and how many wait with an outcome that nobody
 * knows. Nobody keeps that: it is found by a walk over the waiting jobs, a slice at a time over turns of the owner, when
 * somebody asks, and kept for a moment. */
#ifndef LINEWARD_EDGE_OLDEST_H
#define LINEWARD_EDGE_OLDEST_H

#include "broker/core/core.h"

#define OLDEST_WAIT_MS 100 /* who asks waits so long for it at most */

struct oldest;

struct oldest *oldest_new(void); /* NULL: out of memory */
void oldest_free(struct oldest **oldest_p);

/* Somebody asks: begins a walk, unless one is under way or the last one is fresh. False: out of memory. */
bool oldest_ask(struct oldest *oldest, const struct core *core, struct instant now);
/* One slice of it, well under a millisecond. False: there is no more to do. */
bool oldest_slice(struct oldest *oldest, const struct core *core);
bool oldest_runs(const struct oldest *oldest);
/* What the last whole walk found for the line (an index): the minute in which the job was accepted, or fell due; of one
 * that has waited for longer than is remembered the earliest such minute. 0: none waits, or nobody has looked yet. */
int64_t oldest_at_ms(const struct oldest *oldest, size_t line);
/* Of all jobs that wait, those without a line included. False: nobody has looked yet. */
struct oldest_of_all {
    int64_t at_ms; /* as above */
    uint64_t unknown; /* outcomes */
};
bool oldest_of_all(const struct oldest *oldest, struct oldest_of_all *out);

#endif
