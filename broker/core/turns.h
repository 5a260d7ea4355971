/* turns.h — who sends next. Lines that can send now, and pools with new conversations that a line can take now,
 * stand in one ring and take turns; what waits for anything else is in no ring and costs nothing.
 *
 * Within a turn the class is chosen by shares, 16 : 8 : 2 : 1 of a line's sends (DESIGN section 3, Classes). */
#ifndef LINEWARD_CORE_TURNS_H
#define LINEWARD_CORE_TURNS_H

#include "broker/core/effects.h"

extern const int32_t class_weight[CLASS_COUNT];

/* Gate, pace, budget, pause or backlog of the line changed: in the ring or not, takes new conversations or not. */
void turns_touch_line(struct core *core, uint32_t line, struct instant now);
void turns_touch_pool(struct core *core, uint32_t pool);
/* Before the line leaves its pool. */
void turns_forget_line(struct core *core, uint32_t line);

/* A worker is free for a conversation of that pool on a line of the other one (crews_of_both()). */
bool turns_can_lease(const struct core *core, uint32_t line_pool, uint32_t pool);
/* Somebody can send now, and a worker is free for it. */
bool turns_wait(const struct core *core);
/* Grants leases while that is so and there is room. */
void turns_run(struct core *core, struct instant now, struct effects *out);

/* May a new conversation be placed on the line as far as gate, ramp and cordon go? And its budget of them too (but not
 * its pace)? */
bool line_welcomes_after_ramp(const struct core *core, const struct line *line); /* though its ramp may be on */
bool line_welcomes_fresh(const struct core *core, const struct line *line);
bool line_takes_fresh(const struct core *core, const struct line *line, struct instant now);
/* It is AT_RISK, or is not proven to be better, and its policy takes that for good enough. */
bool line_welcomes_at_risk(const struct core *core, const struct line *line);

#endif
