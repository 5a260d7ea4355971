/* producers.h — the producers: they enqueue, send again with the same ids until they hear, ask how their jobs stand, and
 * cancel. Each has conversations of its own and asks for one thing after the other, so that the order of its jobs is
 * defined. */
#ifndef TESTS_SIM_PRODUCERS_H
#define TESTS_SIM_PRODUCERS_H

#include "tests/sim/ground.h"

void producers_begin(int64_t until_us, int jobs); /* no new jobs after that, nor more than that */
void producers_heal(void);
bool producers_are_heavy(void); /* all jobs are large, so that segments fill and are cleaned */
/* Jobs that were acked and whose end was not told yet. */
int producers_open_jobs(int *example);
/* All of those were told to wait for a budget of a day (or behind one that does); else `*example` was not. */
bool producers_wait_for_budgets(int *example);
/* Nothing is asked any more whose answer counts. */
bool producers_are_done(void);
/* Is a job that is refused so handed in again? */
bool producers_come_again(const char *code);

#endif
