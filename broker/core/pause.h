/* pause.h — what the rest of the core needs of pauses; the operator's calls are in core.h. */
#ifndef LINEWARD_CORE_PAUSE_H
#define LINEWARD_CORE_PAUSE_H

#include "broker/core/effects.h"

/* The pause begins (delta 1) or ends (-1) to count for what it lies on. */
void pause_apply(struct core *core, const struct change_pause *pause, int delta, struct instant now,
                 struct effects *out);
void pause_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out); /* WALL_PAUSE */
void pause_restore(struct core *core, const struct change_pause *change); /* without applying it */

#endif
