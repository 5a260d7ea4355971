/* enqueue.h — what the rest of the core needs of a job's beginning; producers' calls are in core.h. */
#ifndef LINEWARD_CORE_ENQUEUE_H
#define LINEWARD_CORE_ENQUEUE_H

#include "broker/core/effects.h"

/* An accepted job takes its place: scheduled, in its conversation, or expired at once. */
void enqueue_start(struct core *core, uint32_t job, struct instant now, struct effects *out);
void enqueue_wake(struct core *core, uint32_t job, struct instant now, struct effects *out); /* WALL_JOB */

#endif
