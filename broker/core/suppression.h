/* suppression.h — recipients that must not be sent to, account-wide as the provider's opt-out (linq-api.md 5.4);
 * direct messages only, never groups. */
#ifndef LINEWARD_CORE_SUPPRESSION_H
#define LINEWARD_CORE_SUPPRESSION_H

#include "broker/core/effects.h"

bool suppression_has(const struct core *core, uint64_t recipient);
void suppression_add(struct core *core, uint32_t account, uint64_t recipient, enum suppress cause,
                     struct instant now, struct effects *out);
/* The recipient wrote again: lifts their own word, not a block of ours. */
void suppression_lift(struct core *core, uint64_t recipient, struct instant now, struct effects *out);
/* Ends what waits in the conversation; what is scheduled or leased is caught by core_lease_suppressed(). */
void suppression_purge(struct core *core, uint32_t conversation, struct instant now, struct effects *out);
void suppression_restore(struct core *core, const struct change_suppression *change);
void index_suppressed(struct core *core, uint32_t *heads, uint32_t heads_max);

#endif
