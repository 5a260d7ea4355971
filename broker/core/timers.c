/* timers.c — a binary heap that knows where each owner stands, see timers.h. */
#include "broker/core/timers.h"

#include "lineward/clock.h"

_Static_assert(sizeof(struct timer) == 16, "a job costs what it did");

static uint64_t rank_of(struct timer timer)
{
    return (uint64_t)timer.rank_high << 32 | timer.rank_low;
}

static bool before(struct timer a, struct timer b)
{
    return a.at_ms != b.at_ms ? a.at_ms < b.at_ms : rank_of(a) < rank_of(b);
}

static void put(struct timers *timers, uint32_t i, struct timer timer)
{
    timers->heap[i] = timer;
    timers->at[timer.owner] = i + 1;
}

/* `timer` belongs at or above the hole `i`. */
static void sift_up(struct timers *timers, uint32_t i, struct timer timer)
{
    while (i > 0 && before(timer, timers->heap[(i - 1) / 2])) {
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
        if (child + 1 < timers->count && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        put(timers, i, timers->heap[child]);
        i = child;
    }
    put(timers, i, timer);
}

static void place(struct timers *timers, uint32_t hole, struct timer timer)
{
    if (hole > 0 && before(timer, timers->heap[(hole - 1) / 2]))
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

void timers_set(struct timers *timers, uint32_t owner, int64_t at_ms, uint64_t rank)
{
    uint32_t at = timers->at[owner];
    struct timer timer = {.at_ms = at_ms < TIMERS_FAR_MS ? at_ms : TIMERS_FAR_MS,
                          .rank_high = rank >> 32 & 0xFF,
                          .rank_low = (uint32_t)rank,
                          .owner = owner};
    if (at_ms == TIME_NEVER) {
        if (at != 0)
            take_out(timers, at - 1);
    } else if (at == 0) {
        sift_up(timers, timers->count++, timer);
    } else if (before(timers->heap[at - 1], timer) || before(timer, timers->heap[at - 1])) {
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
