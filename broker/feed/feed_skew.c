/* feed_skew.c — see feed_skew.h. */
#include "broker/feed/feed_skew.h"

#define HALF_SECOND_MS 500 /* a `Date` is cut to the second: half a second too early on average */

bool feed_skew_observe(struct feed_skew *skew, int64_t date_ms, struct instant begun, struct instant now,
                       int64_t *skew_ms)
{
    skew->offsets_ms[skew->count++ % SKEW_KEPT] = date_ms - now.mono_ms;
    size_t kept = skew->count < SKEW_KEPT ? skew->count : SKEW_KEPT;
    int64_t best_ms = skew->offsets_ms[0];
    for (size_t i = 1; i < kept; i++) {
        if (skew->offsets_ms[i] > best_ms)
            best_ms = skew->offsets_ms[i];
    }
    *skew_ms = best_ms + HALF_SECOND_MS + now.mono_ms - now.wall_ms;
    return date_ms + SKEW_SLACK_MS < begun.mono_ms + best_ms;
}
