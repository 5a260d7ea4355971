/* retry.h — when the next try comes: exponential backoff with decorrelated jitter (each wait is drawn between the
 * base and three times the last bound, capped), so that jobs that failed together do not come back together. */
#ifndef LINEWARD_CORE_RETRY_H
#define LINEWARD_CORE_RETRY_H

#include <stdint.h>

/* Wait before try number `tries` + 1, in ms; tries >= 1. */
int64_t retry_wait_ms(uint64_t *random, unsigned tries, int64_t base_ms, int64_t cap_ms);

#endif
