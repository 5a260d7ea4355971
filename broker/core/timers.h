/* timers.h — what is due when: a binary heap of (moment, thing). Nothing is ever taken out early: whoever is woken
 * looks whether it still concerns him, which keeps a timer at 16 bytes and cancelling free. Pure. */
#ifndef LINEWARD_CORE_TIMERS_H
#define LINEWARD_CORE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t at_ms;
    uint32_t what; /* the owner's kind */
    uint32_t slot;
};

struct timers {
    struct timer *heap;
    uint32_t count, room;
};

/* False: no room; the caller must keep within it (see core.c, TIMERS_PER_JOB). */
bool timers_add(struct timers *timers, int64_t at_ms, uint32_t what, uint32_t slot);
int64_t timers_next(const struct timers *timers); /* TIME_NEVER: none */
/* Takes the earliest that is due at `now_ms`; false: none. */
bool timers_take(struct timers *timers, int64_t now_ms, struct timer *out);

/* Drops those that `counts` says no longer count; O(n), so call it when most do not. */
void timers_sweep(struct timers *timers, bool (*counts)(const void *self, const struct timer *timer), const void *self);

#endif
