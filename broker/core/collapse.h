/* collapse.h — a newer job of a conversation with the same collapse key takes the place of the one that waits, which
 * ends as cancelled, code `superseded`; never of one that is leased or may have been sent (PROTOCOL, Job).
 *
 * Jobs with a key are found by the keyed hash of conversation and key, in a table beside the jobs that costs nothing
 * where there is none. */
#ifndef LINEWARD_CORE_COLLAPSE_H
#define LINEWARD_CORE_COLLAPSE_H

#include "broker/core/effects.h"

void index_collapse(struct core *core, uint32_t *heads, uint32_t heads_max);
/* The job can be found by this hash until it ends. */
void collapse_add(struct core *core, uint32_t job, uint64_t hash);
void collapse_note(struct core *core, uint32_t job, uint64_t hash); /* while replaying; in the index at the end */
void collapse_restored(struct core *core, uint32_t job);
void collapse_remove(struct core *core, uint32_t job);
/* Does a job of the conversation wait that this hash is the key of, and that came (job_came()) at `since` or later? */
bool collapse_waits(const struct core *core, uint32_t conversation, uint64_t hash, uint64_t since);
uint64_t collapse_hash(const struct core *core, const struct job *job); /* 0: it has no key */

/* The waiting job whose place one with that key would take. NOBODY: none. */
uint32_t collapse_oldest(const struct core *core, uint32_t conversation, uint64_t hash);
/* The waiting job whose place the new one takes, which is not in its conversation yet and gets its order; NOBODY:
 * none. */
uint32_t collapse_find(struct core *core, uint32_t job, uint64_t hash, struct instant now);
/* `old` ends, and the new one stands in its place, if it is not to be scheduled and of the same class: true. Else false:
 * it is still to be put into its conversation. */
bool collapse_replace(struct core *core, uint32_t old, uint32_t job, struct instant now, struct effects *out);

#endif
