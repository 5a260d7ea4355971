/* purge.h — ending what waits for a recipient who must not be sent to: at once, in slices.
 *
 * The conversation is marked: whatever of it comes back, falls due or has its turn from now on ends as `suppressed`
 * (outcome_withdraw()). What stands in its list is ended here and now as far as there is room; for what is left, and
 * for what is not in its list, the table of jobs is walked once, a slice at a time, for all marked conversations. */
#ifndef LINEWARD_CORE_PURGE_H
#define LINEWARD_CORE_PURGE_H

#include "broker/core/effects.h"

void purge_begin(struct core *core, uint32_t conversation, struct instant now, struct effects *out);
/* After the last record, when the jobs are linked: what waits, or comes back, in chats that opted out by themselves. */
void purge_restored(struct core *core, struct instant now);
/* The recipient may be sent to again: what still waits goes, unless the chat says otherwise. */
void purge_end(struct core *core, uint32_t conversation);
/* The same for conversations by their keys; those that are not there are nothing. */
void purge_all(struct core *core, const uint64_t *keys, size_t count, struct instant now, struct effects *out);
void purge_stop(struct core *core, const uint64_t *keys, size_t count);
/* Is the job to end as suppressed, for its conversation's sake? */
bool purge_ends(const struct core *core, const struct job *job);
void purge_slice(struct core *core, struct instant now, struct effects *out);

#endif
