/* random.h — numbers that follow from a seed and two numbers of the caller's: no state, so that the order of
 * questions does not matter. Pure. */
#ifndef SANDBOX_MODEL_RANDOM_H
#define SANDBOX_MODEL_RANDOM_H

#include <stdint.h>

uint64_t model_random(uint64_t seed, uint64_t a, uint64_t b);
double model_random_unit(uint64_t seed, uint64_t a, uint64_t b); /* 0 <= x < 1 */

#endif
