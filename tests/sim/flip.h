/* flip.h — a bit of the disk turns over while the broker is away: on a copy, which the store then opens and reads from
 * end to end. Damage must be told, or what is read must be what was written: never another thing in silence. */
#ifndef TESTS_SIM_FLIP_H
#define TESTS_SIM_FLIP_H

#include "tests/sim/ground.h"

void flip_begin(void);
/* Perhaps it happens now: the disk is closed. */
void flip_perhaps(void);

#endif
