/* ready.h — conversations that may send now, by their first job: a leftist heap that runs through the jobs
 * themselves. Earliest deadline first, then order of acceptance. Insert, remove and take cost O(log n) at worst,
 * never more: a line with a million ready conversations opens without a stall. Pure. */
#ifndef LINEWARD_CORE_READY_H
#define LINEWARD_CORE_READY_H

#include "broker/core/state.h"

bool ready_goes_first(const struct core *core, uint32_t a, uint32_t b);
void ready_push(struct core *core, struct ready_queue *queue, uint32_t job);
void ready_remove(struct core *core, struct ready_queue *queue, uint32_t job); /* must be in it */

#endif
