/* settle.h — where a conversation stands: on a line or in its pool, and its first job in a ready queue there, or aside
 * until something happens or a moment comes. */
#ifndef LINEWARD_CORE_SETTLE_H
#define LINEWARD_CORE_SETTLE_H

#include "broker/core/effects.h"

/* The conversation's first job may have changed: reaps husks, puts the first one into the ready queue if it may go,
 * sees to its timer, and forgets a conversation that was nothing but its jobs. */
void conversation_settle(struct core *core, uint32_t conversation, struct instant now);
/* It waits by itself until then (wait.h); TIME_NEVER: not, or until something happens. */
void conversation_set_aside(struct core *core, uint32_t conversation, int64_t until_ms);
/* What conversations wait for by themselves may have changed for all of them: looked at anew, a slice at a time. */
void conversations_reconsider(struct core *core, struct instant now);
void conversations_reconsider_slice(struct core *core, struct instant now);

/* Puts `job`, the conversation's first, into the ready queue where it belongs; takes it out if it stands there. */
void turns_push(struct core *core, uint32_t conversation, uint32_t job, struct instant now);
void turns_withdraw(struct core *core, uint32_t conversation, uint32_t job);

/* Is its pool in the configuration, and, where its line is another pool's now, not paused? Lines see to the pauses of
 * their own pool, and to no other's. Who may not go is remembered for when the pause ends. */
bool conversation_pool_lets_go(struct core *core, const struct conversation *conversation);

/* The conversation moves in on the line, or is pinned to it; or moves out again (nothing was ever begun there), to its
 * pool or to where it waits for the line that it is pinned to. */
void conversation_bind(struct core *core, uint32_t conversation, uint32_t line, bool pinned);
void conversation_unbind(struct core *core, uint32_t conversation);
/* What kept it where it is may be over: none of its jobs names the line that it is pinned to any more, or none was tried
 * where it moved and has not begun. Then it is pinned, or lives there, no longer. To be settled then. */
void conversation_loosen(struct core *core, uint32_t conversation, struct instant now);
/* The former alone: it looks at no more than a few jobs, however many wait. */
void conversation_unpin(struct core *core, uint32_t conversation, struct instant now);
/* Would it be, were that job gone? NOBODY: as things are. */
bool conversation_pin_ends(const struct core *core, const struct conversation *conversation, uint32_t without);
/* The same for one that has begun there (move.h): it is pinned to nothing any more, and its line is where it was. */
void conversation_let_go(struct core *core, uint32_t conversation);

#endif
