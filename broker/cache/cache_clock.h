/* cache_clock.h — the clock that the brokers of an account share (Redis's, only ever forward), as seen from ours. Pure. */
#ifndef LINEWARD_CACHE_CLOCK_H
#define LINEWARD_CACHE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_CLOCK_WINDOW_MS 60000

struct cache_clock {
    bool is_known;    /* since the connection is up */
    int64_t ahead_ms; /* the shared clock less our steady one, or a little less than that: an answer was under way */
    /* The smallest since `since_ms`, and since `before_ms`: it may have been set forward since. */
    int64_t low_ms, low_before_ms, since_ms, before_ms;
};

/* An answer that was asked for has come, and says so. */
void cache_clock_set(struct cache_clock *clock, int64_t ahead_ms, int64_t now_mono_ms);
/* What the shared clock said at that moment, or a little less; false: it was longer ago than that is known. Never more,
 * even if the clock has been set forward in between: a poll must not seem begun after what it does not know. */
bool cache_clock_at(const struct cache_clock *clock, int64_t mono_ms, int64_t *out_ms);
/* From when on that says something later than this moment of the shared clock, on our steady one. */
int64_t cache_clock_after(const struct cache_clock *clock, int64_t shared_ms);

#endif
