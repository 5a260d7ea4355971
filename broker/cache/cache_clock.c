/* cache_clock.c — see cache_clock.h. */
#include "broker/cache/cache_clock.h"

void cache_clock_set(struct cache_clock *clock, int64_t ahead_ms, int64_t now_mono_ms)
{
    if (!clock->is_known)
        *clock = (struct cache_clock){.is_known = true,
                                      .low_ms = ahead_ms,
                                      .low_before_ms = ahead_ms,
                                      .since_ms = now_mono_ms,
                                      .before_ms = now_mono_ms};
    clock->ahead_ms = ahead_ms;
    if (now_mono_ms - clock->since_ms >= CACHE_CLOCK_WINDOW_MS) {
        clock->low_before_ms = clock->low_ms;
        clock->before_ms = clock->since_ms;
        clock->low_ms = ahead_ms;
        clock->since_ms = now_mono_ms;
    }
    if (ahead_ms < clock->low_ms)
        clock->low_ms = ahead_ms;
}

static int64_t low(const struct cache_clock *clock)
{
    return clock->low_before_ms < clock->low_ms ? clock->low_before_ms : clock->low_ms;
}

bool cache_clock_at(const struct cache_clock *clock, int64_t mono_ms, int64_t *out_ms)
{
    if (!clock->is_known || mono_ms < clock->before_ms)
        return false;
    *out_ms = mono_ms + low(clock);
    return true;
}

int64_t cache_clock_after(const struct cache_clock *clock, int64_t shared_ms)
{
    return shared_ms - low(clock) + 1;
}
