/* rings.h — who can send now stands in a ring, one a lane (crews.h), and takes turns: lines, and pools with new
 * conversations that a line can take now. A member is 1 + line, or RING_POOL | 1 + pool; 0 is nobody. Adding one that is
 * there, and removing one that is not, changes nothing. */
#ifndef LINEWARD_CORE_RINGS_H
#define LINEWARD_CORE_RINGS_H

#include "broker/core/state.h"

#define RING_POOL 0x80000000u

void ring_add(struct core *core, uint32_t who);
void ring_remove(struct core *core, uint32_t who);
uint32_t ring_next(struct core *core, uint32_t who); /* must be in one */

/* While pools change their lanes: takes everybody out of the rings, and puts them in again. */
uint32_t rings_take_all(struct core *core);
void rings_put_back(struct core *core, uint32_t chain);

#endif
