/* witness_views.h — the witness's eye on what views say (promise P10): a reason that surely stands above must be said, and
 * one that is said must have a cause. */
#ifndef TESTS_SIM_WITNESS_VIEWS_H
#define TESTS_SIM_WITNESS_VIEWS_H

#include <stdint.h>

#include "lineward/words.h"

/* The view of a job that waits, which was asked for then; line -1: it has none. */
void views_check(int job, enum job_state state, const char *reason, int line, int64_t asked_us);

#endif
