/* random.h — the core's only randomness: splitmix64 (Steele, Lea, Flood 2014) from the seed given, so that the same
 * inputs give the same decisions (promise P11). Not for secrets. */
#ifndef LINEWARD_CORE_RANDOM_H
#define LINEWARD_CORE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif
