/* suppression.h — recipients that must not be sent to, account-wide as the provider's opt-out (linq-api.md 5.4);
 * direct messages only, never groups. Several causes may hold at once. */
#ifndef LINEWARD_CORE_SUPPRESSION_H
#define LINEWARD_CORE_SUPPRESSION_H

#include "broker/core/effects.h"

bool suppression_has(const struct core *core, uint64_t recipient);
/* Nothing is to be sent to the recipient (0: a group), or in that conversation, which opted out before it was forgotten. */
bool suppression_stops(const struct core *core, uint64_t recipient, uint64_t conversation);
/* What is said of a whole conversation, a group's too, outlives it: by its key, without a name. False: there is no room. */
bool suppression_keep(struct core *core, uint32_t account, uint64_t conversation, int64_t since_ms, struct instant now,
                      struct effects *out);
/* What a person will read of it; NULL: not known. Cut to the room there is. */
void suppression_text_set(struct suppression_text *text, const char *recipient, const char *reason, const char *by);
/* One more cause. What is known of it already is not written again, unless an operator gives another reason. False:
 * there is no room, and nothing stops what is sent to them. */
bool suppression_add(struct core *core, uint32_t account, uint64_t recipient, enum suppress cause,
                     int64_t since_ms, const struct suppression_text *text, struct instant now, struct effects *out);
/* The same of an account by the number of its name, which need not be in the configuration. */
bool suppression_add_named(struct core *core, uint16_t account, uint64_t recipient, enum suppress cause,
                           int64_t since_ms, const struct suppression_text *text, struct instant now, struct effects *out);
/* It holds on, but nobody's name is kept with it, nor why. */
void suppression_hide(struct core *core, uint64_t recipient, struct instant now, struct effects *out);
/* It holds on with other words (core_reword()). */
bool suppression_reword(struct core *core, uint32_t slot, bool (*mask)(void *self, char *text), void *self,
                        struct instant now, struct effects *out);
/* The recipient (`handle` NULL: not told) wrote again, at `at_ms`: lifts their own older word, not a block of ours. True:
 * nothing is left. */
bool suppression_lift(struct core *core, uint64_t recipient, const char *handle, int64_t at_ms, struct instant now,
                      struct effects *out);
/* Likewise of their direct conversations that were forgotten. */
void suppression_lift_kept(struct core *core, const uint64_t *conversations, size_t count, int64_t at_ms,
                           struct instant now, struct effects *out);
void suppression_restore(struct core *core, const struct change_suppression *change, int64_t recorded_ms);
/* Who is in that slot of the table. False: nobody, or of an account that is not configured. */
bool suppression_read(const struct core *core, uint32_t slot, struct suppression_view *out);
/* Writes its present value anew, if it still holds. */
void suppression_renew(struct core *core, uint64_t recipient, struct instant now, struct effects *out);
void index_suppressed(struct core *core, uint32_t *heads, uint32_t heads_max);

#endif
