/* jump.h — the wall clock goes back. What was noted while it was ahead (a retry's due time, a ramp's next step, a line's
 * spent budgets, when a chat was written to last, what a webhook told last, an opt-out) would then lie in a time that may
 * be a year away: lines would stand still in their ramp, jobs wait for their next try, budgets count nothing and webhooks
 * say nothing until then. So whatever lies further ahead than it could from now on is brought back. Moments that somebody
 * gave (send_after, expires_at) stay; what somebody said for a while (a pause, a reputation) ends when that has gone by on
 * the steady clock. */
#ifndef LINEWARD_CORE_JUMP_H
#define LINEWARD_CORE_JUMP_H

#include "broker/core/state.h"

/* With each tick: has the wall clock gone back against the steady one, by more than a minute? */
void jump_notice(struct core *core, struct instant now);
/* While replaying: it was that late, and then that late. */
void jump_replayed(struct core *core, int64_t from_ms, int64_t to_ms);
/* After a restart, before which it may have. */
void jump_restored(struct core *core, struct instant now);
/* A slice of looking at conversations, jobs and the suppressed (MONO_JUMP). */
void jump_slice(struct core *core, struct instant now);

#endif
