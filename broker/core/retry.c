/* retry.c — see retry.h. The wait is drawn afresh from the try's number, so that no job has to remember its last. */
#include "broker/core/retry.h"

#include "broker/core/random.h"

int64_t retry_wait_ms(uint64_t *random, unsigned tries, int64_t base_ms, int64_t cap_ms)
{
    int64_t bound = base_ms;
    for (unsigned i = 0; i < tries && bound < cap_ms; i++)
        bound *= 3;
    if (bound > cap_ms)
        bound = cap_ms;
    if (bound <= base_ms)
        return base_ms < cap_ms ? base_ms : cap_ms;
    return base_ms + (int64_t)(random_next(random) % (uint64_t)(bound - base_ms + 1));
}
