/* timers.c — a binary heap that knows where each owner stands, see timers.h. */
#include "broker/core/timers.h"

#include "lineward/clock.h"

static void put(struct timers *timers, uint32_t i, struct timer timer)
{
    timers->heap[i] = timer;
    timers->at[timer.owner] = i + 1;
}

/* `timer` belongs at or above the hole `i`. */
static void sift_up(struct timers *timers, uint32_t i, struct timer timer)
{
    while (i > 0 && timers->heap[(i - 1) / 2].at_ms > timer.at_ms) {
        put(timers, i, timers->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(timers, i, timer);
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
        put(timers, i, timers->heap[child]);
        i = child;
    }
    put(timers, i, timer);
}

static void place(struct timers *timers, uint32_t hole, struct timer timer)
{
    if (hole > 0 && timers->heap[(hole - 1) / 2].at_ms > timer.at_ms)
        sift_up(timers, hole, timer);
    else
        sift_down(timers, hole, timer);
}

static void take_out(struct timers *timers, uint32_t hole)
{
    timers->at[timers->heap[hole].owner] = 0;
    struct timer last = timers->heap[--timers->count];
    if (hole < timers->count)
        place(timers, hole, last);
}

void timers_set(struct timers *timers, uint32_t owner, int64_t at_ms)
{
    uint32_t at = timers->at[owner];
    struct timer timer = {.at_ms = at_ms, .owner = owner};
    if (at_ms == TIME_NEVER) {
        if (at != 0)
            take_out(timers, at - 1);
    } else if (at == 0) {
        sift_up(timers, timers->count++, timer);
    } else if (timers->heap[at - 1].at_ms != at_ms) {
        place(timers, at - 1, timer);
    }
}

int64_t timers_of(const struct timers *timers, uint32_t owner)
{
    uint32_t at = timers->at[owner];
    return at == 0 ? TIME_NEVER : timers->heap[at - 1].at_ms;
}

int64_t timers_next(const struct timers *timers)
{
    return timers->count == 0 ? TIME_NEVER : timers->heap[0].at_ms;
}

bool timers_take(struct timers *timers, int64_t now_ms, struct timer *out)
{
    if (timers->count == 0 || timers->heap[0].at_ms > now_ms)
        return false;
    *out = timers->heap[0];
    take_out(timers, 0);
    return true;
}
