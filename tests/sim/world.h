/* world.h — one seed from its beginning to its end: a first phase in which everything may go wrong (safety), then one
 * in which everything is healed and all that may go goes (liveness). */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/ground.h"

void world_run(uint64_t seed); /* returns when all went well */

#endif
