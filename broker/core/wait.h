/* wait.h — what a conversation waits for by itself, however open its line may be: its first job is set aside until a
 * moment, or until something happens.
 *
 * Nothing of that is stored: each rule looks at facts and says when it lets the job go. conversation_settle() asks
 * all of them, keeps the job out of the ready queue until then, and sets the conversation's one timer
 * (WALL_CONVERSATION); decide() asks the same rules, each at its place among the reasons. Whoever changes a fact that
 * a rule looks at calls conversation_settle(). So a conversation that waits costs nothing until its moment, and those
 * behind it in its line's queues go past. Pure. */
#ifndef LINEWARD_CORE_WAIT_H
#define LINEWARD_CORE_WAIT_H

#include "broker/core/state.h"

/* The latest moment (wall ms) of all rules, for the conversation's first job, which could go otherwise. Not later
 * than now: it may go. TIME_NEVER: only an event ends the wait. */
int64_t conversation_waits_until(const struct core *core, uint32_t conversation, struct instant now);

#endif
