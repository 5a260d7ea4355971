/* outcomes.h — how far each pool's outcome webhooks were taken. The core only remembers it, under the pool's name: what
 * is told, and when, is the edge's. Its calls are in core.h. */
#ifndef LINEWARD_CORE_OUTCOMES_H
#define LINEWARD_CORE_OUTCOMES_H

#include "broker/core/effects.h"

void outcomes_restore(struct core *core, const struct change_outcomes *mark);
void outcomes_renew(struct core *core, uint16_t pool, struct instant now, struct effects *out);

#endif
