/* timers.h — what is due when: a binary heap with at most one entry an owner, who can move it or take it out. So it
 * never holds more than there are owners, however long it runs. Pure; memory is the caller's. */
#ifndef LINEWARD_CORE_TIMERS_H
#define LINEWARD_CORE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#define TIMERS_RANK_BITS 40 /* of a job's sequence */
#define TIMERS_FAR_MS    ((INT64_C(1) << 55) - 1) /* nothing is due later */

struct timer { /* 16 bytes: there is one for each job */
    int64_t at_ms : 56;
    uint64_t rank_high : TIMERS_RANK_BITS - 32;
    uint32_t rank_low;
    uint32_t owner;
};

struct timers {
    struct timer *heap; /* room for every owner */
    uint32_t *at;       /* of each owner: 1 + its place in the heap; 0: not in it */
    uint32_t count;
};

/* The owner is due at `at_ms` and at no other moment; TIME_NEVER: not at all. Of those that are due in the same moment the
 * one with the smallest rank goes first. */
void timers_set(struct timers *timers, uint32_t owner, int64_t at_ms, uint64_t rank);
int64_t timers_of(const struct timers *timers, uint32_t owner); /* TIME_NEVER: none */
int64_t timers_next(const struct timers *timers);               /* TIME_NEVER: none */
/* Takes out the earliest that is due at `now_ms`; false: none. */
bool timers_take(struct timers *timers, int64_t now_ms, struct timer *out);

#endif
