/* placement.h — which line takes the next new conversation (DESIGN traps 3 and 4).
 *
 * Score = remaining budget x warmth, the line's own sending history; never idleness, which would flood the newest
 * line. New conversations are spread in proportion to the scores (stride scheduling): each line has a pass, the
 * smallest goes next, and taking one adds 1 / score. Only lines that could send now stand in the heap. */
#ifndef LINEWARD_CORE_PLACEMENT_H
#define LINEWARD_CORE_PLACEMENT_H

#include "broker/core/state.h"

double placement_score(const struct core *core, const struct line *line, struct instant now);
void placement_add(struct core *core, uint32_t line);
void placement_remove(struct core *core, uint32_t line);
uint32_t placement_best(const struct core *core, uint32_t pool); /* NO_LINE: none */
/* The same, but of lines whose turn is as good as there (half a stride) the one whose number begins most like `area`, the
 * first AREA_DIGITS digits of the recipient's; 0: not known. */
uint32_t placement_near(const struct core *core, uint32_t pool, unsigned area, struct instant now);
/* The line took a new conversation. It must not be in the heap. */
void placement_charge(struct core *core, uint32_t line, struct instant now);

#endif
