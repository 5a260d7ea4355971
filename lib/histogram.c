/* histogram.c — see histogram.h. */
#include "lineward/histogram.h"

#define MS      1000LL
#define SECONDS (1000 * MS)
#define HOURS   (3600 * SECONDS)

const struct histogram_bounds histogram_disk = {.count = 16,
                                                .us = {100, 250, 500, 1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS,
                                                       100 * MS, 250 * MS, 500 * MS, 1 * SECONDS, 2500 * MS,
                                                       5 * SECONDS, 10 * SECONDS}};
const struct histogram_bounds histogram_provider = {.count = 14,
                                                    .us = {5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
                                                           500 * MS, 1 * SECONDS, 2500 * MS, 5 * SECONDS,
                                                           10 * SECONDS, 30 * SECONDS, 60 * SECONDS, 120 * SECONDS}};
const struct histogram_bounds histogram_queue = {.count = 14,
                                                 .us = {1 * MS, 10 * MS, 100 * MS, 1 * SECONDS, 5 * SECONDS,
                                                        15 * SECONDS, 60 * SECONDS, 300 * SECONDS, 900 * SECONDS,
                                                        1 * HOURS, 4 * HOURS, 12 * HOURS, 24 * HOURS, 72 * HOURS}};

void histogram_add(struct histogram *histogram, int64_t us, uint64_t count)
{
    const struct histogram_bounds *bounds = histogram->bounds;
    size_t bucket = 0;
    if (us < 0)
        us = 0;
    while (bucket < bounds->count && us > bounds->us[bucket])
        bucket++;
    histogram->counts[bucket] += count;
    histogram->sum_us += (uint64_t)us * count;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= histogram->bounds->count; i++)
        count += histogram->counts[i];
    return count;
}
