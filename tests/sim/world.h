/* world.h — one seed from its beginning to its end: a first phase in which everything may go wrong (safety), then one
 * in which everything is healed and all that may go goes (liveness). */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/ground.h"
#include "tests/sim/plan.h"

void world_run(uint64_t seed, const struct plan *plan); /* returns when all went well */

/* For who cuts a world down: counts[PLAN_KIND_COUNT] gets how many mishaps of each kind there were, in the process that
 * runs it; and how many jobs the seed draws at most. */
void world_count_mishaps(unsigned *counts);
int world_jobs_max(uint64_t seed);

#endif
