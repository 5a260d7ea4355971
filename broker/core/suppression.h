/* suppression.h — recipients that must not be sent to, account-wide as the provider's opt-out (linq-api.md 5.4);
 * direct messages only, never groups. Several causes may hold at once. */
#ifndef LINEWARD_CORE_SUPPRESSION_H
#define LINEWARD_CORE_SUPPRESSION_H

#include "broker/core/effects.h"

bool suppression_has(const struct core *core, uint64_t recipient);
/* What a person will read of it; NULL: not known. Cut to the room there is. */
void suppression_text_set(struct suppression_text *text, const char *recipient, const char *reason, const char *by);
/* One more cause. What is known of it already is not written again, unless an operator gives another reason. */
void suppression_add(struct core *core, uint32_t account, uint64_t recipient, enum suppress cause,
                     const struct suppression_text *text, struct instant now, struct effects *out);
/* The recipient wrote again: lifts their own word, not a block of ours. */
void suppression_lift(struct core *core, uint64_t recipient, struct instant now, struct effects *out);
/* Ends what waits in the conversation; what is scheduled or leased is caught by core_lease_suppressed(). */
void suppression_purge(struct core *core, uint32_t conversation, struct instant now, struct effects *out);
void suppression_restore(struct core *core, const struct change_suppression *change);
/* Writes its present value anew, if it still holds. */
void suppression_renew(struct core *core, uint64_t recipient, struct instant now, struct effects *out);
void index_suppressed(struct core *core, uint32_t *heads, uint32_t heads_max);

#endif
