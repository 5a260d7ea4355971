/* reputation.h — what reputation.c needs of accounts; its own calls are in core.h. */
#ifndef LINEWARD_CORE_REPUTATION_H
#define LINEWARD_CORE_REPUTATION_H

#include "broker/core/effects.h"
#include "broker/core/merge.h"

/* Lines that the last good poll did not list; goes on at the next tick when there is no more room. */
void reputation_miss_rest(struct core *core, uint32_t account, struct instant now, struct effects *out);

/* 401/2004: nothing of this account is sent until a poll with the key succeeds (account.c). */
void account_refuse_key(struct core *core, uint32_t account, struct instant now, struct effects *out);
void account_accept_key(struct core *core, uint32_t account, struct instant now);

#endif
