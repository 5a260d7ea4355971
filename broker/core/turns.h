/* turns.h — who sends next. Lines that can send now, and pools with new conversations that a line can take now,
 * stand in one ring and take turns; what waits for anything else is in no ring and costs nothing.
 *
 * Within a turn the class is chosen by shares, 16 : 8 : 2 : 1 of a line's sends (DESIGN section 3, Classes). */
#ifndef LINEWARD_CORE_TURNS_H
#define LINEWARD_CORE_TURNS_H

#include "broker/core/effects.h"

/* The conversation's first job may have changed: reaps husks, puts the first one into the ready queue if it may go,
 * sees to its timer, and forgets a conversation that was nothing but its jobs. */
void conversation_settle(struct core *core, uint32_t conversation, struct instant now);
/* What conversations wait for by themselves may have changed for all of them: looked at anew, a slice at a time. */
void conversations_reconsider(struct core *core, struct instant now);
void conversations_reconsider_slice(struct core *core, struct instant now);
/* Takes `job` out of the ready queue if it stands there. */
void turns_withdraw(struct core *core, uint32_t conversation, uint32_t job);

/* Gate, pace, budget, pause or backlog of the line changed: in the ring or not, takes new conversations or not. */
void turns_touch_line(struct core *core, uint32_t line, struct instant now);
void turns_touch_pool(struct core *core, uint32_t pool);
/* Before the line leaves its pool. */
void turns_forget_line(struct core *core, uint32_t line);

bool turns_can_lease(const struct core *core, uint32_t pool); /* a worker is free for that pool */
/* Somebody can send now, and a worker is free for it. */
bool turns_wait(const struct core *core);
/* Grants leases while that is so and there is room. */
void turns_run(struct core *core, struct instant now, struct effects *out);

/* While pools change their lanes: takes everybody out of the rings, and puts them in again. */
uint32_t turns_take_all(struct core *core);
void turns_put_back(struct core *core, uint32_t chain);

/* May a new conversation be placed on the line as far as gate, ramp and cordon go? And its budget of them too (but not
 * its pace)? */
bool line_welcomes_fresh(const struct core *core, const struct line *line);
bool line_takes_fresh(const struct core *core, const struct line *line, struct instant now);
/* The conversation moves in on the line, or is pinned to it; or moves out again (nothing was ever begun there), to its
 * pool or to where it waits for the line that it is pinned to. */
void conversation_bind(struct core *core, uint32_t conversation, uint32_t line, bool pinned);
void conversation_unbind(struct core *core, uint32_t conversation);
/* The same for one that has begun there (move.h): it is pinned to nothing any more, and its line is where it was. */
void conversation_let_go(struct core *core, uint32_t conversation);

#endif
