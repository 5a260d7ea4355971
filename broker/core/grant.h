/* grant.h — a job whose turn it is becomes a lease: its conversation is placed if it lives nowhere yet, what the message
 * spends is debited in the same step, and its JOB goes out once that is durable. */
#ifndef LINEWARD_CORE_GRANT_H
#define LINEWARD_CORE_GRANT_H

#include "broker/core/effects.h"

/* `job` stands first in its conversation, in a ready queue; the line can send, and a worker is free for both. */
void grant(struct core *core, uint32_t job, uint32_t line, struct instant now, struct effects *out);

#endif
