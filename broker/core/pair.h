/* pair.h — at most pair_per_min sends in any 60 s to one conversation of a line: the provider's own hard limit
 * (linq-api.md 4.3).
 *
 * While a conversation sends at most once within a minute, its last-out moment says all; only one that sends again
 * within it has an entry in a small table, however many others the broker sends to. The table is bounded: where it is
 * full, a conversation without an entry sends once a minute until there is room. Pure. */
#ifndef LINEWARD_CORE_PAIR_H
#define LINEWARD_CORE_PAIR_H

#include "broker/core/state.h"

#define PAIRS_MAX 65536u

void index_pairs(struct core *core, uint32_t *heads, uint32_t heads_max);

/* When the conversation may send again (wall ms), as far as this limit goes; 0: now. */
int64_t pair_free_at(const struct core *core, uint32_t conversation, struct instant now);
/* Sends that count within the minute, and how many may. Limit 0: none. */
struct budget_state pair_state(const struct core *core, uint32_t conversation, struct instant now);
/* A try is leased now; conversation.last_out still is the one before. */
void pair_spend(struct core *core, uint32_t conversation, struct instant now);
/* The try that was leased at conversation.last_out surely made nothing. */
void pair_return(struct core *core, uint32_t conversation);
/* The conversation is forgotten: its slot may be another's soon. */
void pair_forget(struct core *core, uint32_t conversation);
/* While replaying, in any order, before conversation.last_out is told: a try was leased then. */
void pair_restore(struct core *core, uint32_t conversation, int64_t at_ms);
/* The wall clock went back to that moment: what counts at a later one counts now. */
void pairs_back(struct core *core, int64_t wall_ms);

#endif
