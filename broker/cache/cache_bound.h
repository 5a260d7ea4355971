/* cache_bound.h — how much one answer of a Redis may be: hiredis takes whatever is said to come. */
#ifndef LINEWARD_CACHE_BOUND_H
#define LINEWARD_CACHE_BOUND_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#define CACHE_BOUND_BYTES (16u << 20) /* what is asked for at once is well below a megabyte */

struct cache_bound {
    const redisReplyObjectFunctions *plain; /* hiredis's own */
    redisReplyObjectFunctions bounded;
    size_t bytes; /* of the answer that is being read, so far */
    bool is_over;
};

/* From now on `reader` fails on an answer that is larger. The bound is lent to it. */
void cache_bound_set(struct cache_bound *bound, redisReader *reader);
/* The same for what has come of it and is no whole text yet. */
bool cache_bound_holds(const struct cache_bound *bound, const redisReader *reader);

#endif
