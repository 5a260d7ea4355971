/* witness_hands.h — the witness's eye on what each worker has in hand: what it has read of the broker's JOBs and REVOKEs,
 * and whether it then still may begin (promises P2, P3). */
#ifndef TESTS_SIM_WITNESS_HANDS_H
#define TESTS_SIM_WITNESS_HANDS_H

#include "lineward/wire.h"
#include "tests/sim/fiber.h"

void hands_begin(void);
/* A request for the job begins there. */
void hands_begun(const struct process *worker, int job);

#endif
