/* disk.h — a store's folder in memory for fuzz targets: a good one to begin with, changed by the input, its checksums made
 * right again if the input says so, and then opened, read, cleaned and closed as a broker does. What the store says of
 * it is its own affair: it must only not break. */
#ifndef LINEWARD_TESTS_FUZZ_DISK_H
#define LINEWARD_TESTS_FUZZ_DISK_H

#include "fuzz.h"
#include "tests/support/store_sim.h"

/* Of one segment; or of several, with index files and history. */
enum disk_size { DISK_SMALL, DISK_LARGE };

/* A copy; sim_free(). */
struct sim *disk_new(enum disk_size size);
/* Changes files whose name ends in `ending` ("": any) as the input says. */
void disk_change(struct sim *disk, const char *ending, struct input *input);
/* Makes all checksums right that can be: of segments' headers, frames and records, and of index files. */
void disk_seal(struct sim *disk);
/* Opens it; if that goes, uses all of it. */
void disk_use(struct sim *disk);

#endif
