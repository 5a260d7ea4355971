/* feed_skew.h — what the `Date` of an answer tells: how far their clock is from ours, and whether the answer came
 * from a cache (DESIGN, The reputation cache). Pure.
 *
 * A `Date` is written before the answer arrives, so `Date` minus our arrival time never exceeds the true difference
 * of the clocks, and the greatest one seen is the best estimate. An answer whose `Date` is well before its request
 * by that estimate was made before it was asked for. The steady clock is the yardstick: a step of our wall clock must
 * not make every answer look old. Old observations are forgotten, so that a step of theirs does not do so for long.
 */
#ifndef LINEWARD_FEED_SKEW_H
#define LINEWARD_FEED_SKEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"

#define SKEW_KEPT     32
#define SKEW_SLACK_MS 3000 /* `Date` counts whole seconds, and their servers' clocks differ a little */

struct feed_skew {
    int64_t offsets_ms[SKEW_KEPT]; /* their clock minus our steady clock, at most */
    size_t count;                  /* ever seen */
};

/* Takes the `Date` (Unix ms) of an answer to a request begun at `begun` that arrived at `now`. Writes their clock
 * minus our wall clock, roughly. True: the answer was made before its request was begun. */
bool feed_skew_observe(struct feed_skew *skew, int64_t date_ms, struct instant begun, struct instant now,
                       int64_t *skew_ms);

#endif
