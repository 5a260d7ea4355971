/* ages.h — how old a waiting job is, to the minute, without a byte in the job: numbers are given in the order of
 * acceptance (and of falling due), so the first one of each minute of the last day or so tells. Pure. */
#ifndef LINEWARD_CORE_AGES_H
#define LINEWARD_CORE_AGES_H

#include "broker/core/state.h"

/* That number is, or was, given at that moment: before the next one is drawn, and for each job that a start finds. */
void ages_note(struct ages *ages, int64_t wall_ms, uint64_t number);
/* The wall clock went back to that moment: what seems to be of a later minute is of this one. */
void ages_back(struct ages *ages, int64_t wall_ms);
/* The minute in which that number was given; the earliest that is remembered if that is younger. 0: nothing is. */
int64_t ages_at_ms(const struct ages *ages, uint64_t number);
/* The first number that is younger than so many minutes; UINT64_MAX: none is. */
uint64_t ages_first(const struct ages *ages, int64_t wall_ms, int64_t minutes);

#endif
