/* timers.c — a binary heap, see timers.h. */
#include "broker/core/timers.h"

bool timers_add(struct timers *timers, int64_t at_ms, uint32_t what, uint32_t slot)
{
    if (timers->count == timers->room)
        return false;
    uint32_t i = timers->count++;
    while (i > 0 && timers->heap[(i - 1) / 2].at_ms > at_ms) {
        timers->heap[i] = timers->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    timers->heap[i] = (struct timer){.at_ms = at_ms, .what = what, .slot = slot};
    return true;
}

int64_t timers_next(const struct timers *timers)
{
    return timers->count == 0 ? INT64_MAX : timers->heap[0].at_ms;
}

static void sift_down(struct timers *timers, uint32_t i, struct timer timer)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1].at_ms < timers->heap[child].at_ms)
            child++;
        if (timers->heap[child].at_ms >= timer.at_ms)
            break;
        timers->heap[i] = timers->heap[child];
        i = child;
    }
    timers->heap[i] = timer;
}

bool timers_take(struct timers *timers, int64_t now_ms, struct timer *out)
{
    if (timers->count == 0 || timers->heap[0].at_ms > now_ms)
        return false;
    *out = timers->heap[0];
    struct timer last = timers->heap[--timers->count];
    if (timers->count > 0)
        sift_down(timers, 0, last);
    return true;
}

void timers_sweep(struct timers *timers, bool (*counts)(const void *self, const struct timer *timer), const void *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < timers->count; i++)
        if (counts(self, &timers->heap[i]))
            timers->heap[kept++] = timers->heap[i];
    timers->count = kept;
    for (uint32_t i = kept / 2; i-- > 0;)
        sift_down(timers, i, timers->heap[i]);
}
