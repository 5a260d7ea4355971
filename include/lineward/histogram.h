/* histogram.h — how long things took: counts in buckets, for GET /metrics (Prometheus: seconds, bounds that rise,
 * each sample in the first bucket whose bound is not below it). Plain memory, no lock: one thread writes, and whoever
 * else reads does so under the writer's lock. */
#ifndef LINEWARD_HISTOGRAM_H
#define LINEWARD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 16

struct histogram_bounds {
    size_t count;
    int64_t us[HISTOGRAM_BOUNDS_MAX]; /* rising */
};
extern const struct histogram_bounds histogram_disk;     /* 100 us to 10 s: what waits for a disk or for a turn */
extern const struct histogram_bounds histogram_provider; /* 5 ms to 120 s: what waits for an answer */
extern const struct histogram_bounds histogram_queue;    /* 1 ms to 3 days: what waits for its line */

struct histogram {
    const struct histogram_bounds *bounds;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* each bucket's own; the last: beyond all bounds */
    uint64_t sum_us;
};

/* `count` things took `us` each (below 0: 0). */
void histogram_add(struct histogram *histogram, int64_t us, uint64_t count);
uint64_t histogram_count(const struct histogram *histogram);

#endif
