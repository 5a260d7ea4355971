/* forget.h — a conversation is forgotten, as if it had never been, for a recipient of it is erased (erase.h). */
#ifndef LINEWARD_CORE_FORGET_H
#define LINEWARD_CORE_FORGET_H

#include "broker/core/effects.h"

/* Without jobs. False: not yet, for its record is just being written; or it opted out and there is no room to keep that. */
bool forget_conversation(struct core *core, uint32_t at, struct instant now, struct effects *out);
/* While replaying: that conversation lived nowhere any more. */
void forget_restore(struct core *core, uint64_t key);

#endif
