/* drain.h — what an operator does with the backlog of a line (PROTOCOL, POST /v1/lines/{line}/drain). Its calls are in
 * core.h; what is ordered is kept with the line's other orders (operate.h). */
#ifndef LINEWARD_CORE_DRAIN_H
#define LINEWARD_CORE_DRAIN_H

#include "broker/core/effects.h"

/* DRAIN_RAMP: no more than so many a minute; 0: no such limit. */
int64_t drain_pace_per_min(const struct core *core, const struct line *line);
/* Which class goes next; shares, but for a drain that says otherwise. */
enum drain_order drain_order(const struct core *core, const struct line *line);
/* The line has the result of a try. */
void drain_count_try(struct core *core, uint32_t line, bool failed, struct instant now, struct effects *out);
/* Something is to be done, or it is over. */
bool drain_is_due(const struct core *core, const struct line *line, struct instant now);
void drain_slice(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* A conversation leaves (move.h), if that is the drain's doing. */
void drain_count_move(struct core *core, uint32_t line);

#endif
