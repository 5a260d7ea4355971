/* shrink.h — a seed that failed, cut down: fewer mishaps, fewer jobs, a shorter time, calmer models, as long as the same
 * promise breaks. What is left is a plan (plan.h). */
#ifndef TESTS_SIM_SHRINK_H
#define TESTS_SIM_SHRINK_H

#include <stdint.h>

/* Prints what it does, the plan with the command that plays it, and the breach as it is then. 0: shrunk; 1: the seed
 * does not fail. */
int shrink_seed(uint64_t seed);

#endif
