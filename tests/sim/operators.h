/* operators.h — the operators: what they do through the admin API, whose own place in the broker this takes. */
#ifndef TESTS_SIM_OPERATORS_H
#define TESTS_SIM_OPERATORS_H

#include "tests/sim/ground.h"

void operators_begin(void);
void operators_mishap(struct stream *stream); /* one of them does something */
void operators_heal(void);                    /* everything that was stopped may go */

#endif
