/* move.h — conversations that leave their line: one on an operator's word, or all of a line that cannot send (on_flagged,
 * on_gone, a drain). DESIGN trap 2: nothing else moves a conversation.
 *
 * A conversation that left lives nowhere until a line takes it: it stands with the new ones of its pool, spends a
 * new-conversation budget where it goes, and forgets its chat then, for chats live on a line. Its record goes on saying
 * where it was, so a restart in between finds it there and lets it leave again. What that means for the flags: RECORDED
 * and not BOUND. As soon as a line takes it, its record says so, and that nothing was sent there yet (enum unbegun): until
 * something was, or may have been, it lives there only for the sake of a try that did not come back unbegun. Those with
 * a job that names the line (`from`), or that may have been sent, stay. */
#ifndef LINEWARD_CORE_MOVE_H
#define LINEWARD_CORE_MOVE_H

#include "broker/core/effects.h"

/* Do the conversations of the line leave it now? */
bool move_is_on(const struct core *core, const struct line *line);
/* May it leave: has it something to send, nothing that names the line, nothing under way or of unknown outcome? */
bool move_may_leave(const struct core *core, uint32_t conversation);
/* One job of it was of unknown outcome when it was requeued: that is tried on no other line. */
bool move_has_doubtful(const struct core *core, uint32_t conversation);
/* Would it leave with a next job that names no line, if its job `without` (NOBODY: none) were gone then? */
bool move_would_leave(const struct core *core, const struct conversation *conversation, uint32_t without,
                      struct instant now);
/* Its first job may have changed, and it is not in a ready queue: it leaves if its line lets go of all and it may. */
void move_settle(struct core *core, uint32_t conversation, struct instant now);
/* Leaves, whatever for. */
void move_leave(struct core *core, uint32_t conversation, struct instant now);
/* Taken by that line, would it begin there anew, for it had left another, and its chat there? */
bool move_begins_anew(const struct conversation *conversation, uint32_t line);
/* It lives on that line from now on. True: it had left another, and has forgotten the chat there, which its record does
 * not say yet. */
bool move_bind(struct core *core, uint32_t conversation, uint32_t line, struct instant now, struct effects *out);
/* What was on another line is over: nothing was sent yet where it is now, or goes. */
void move_lose_chat(struct core *core, uint32_t conversation);
/* Its record says where it is, and that the chat is forgotten. */
void move_record(struct core *core, uint32_t conversation, struct instant now, struct effects *out);
/* The same, whatever waits in it, and its record says so; it is to be settled then. */
void move_home(struct core *core, uint32_t conversation, uint32_t line, struct instant now, struct effects *out);

/* Is there more for move_slice() to look at, and no probe that those would go for that leave? */
bool move_is_due(const struct core *core, const struct line *line, struct instant now);
/* Looks for conversations that have something to send, a slice a call; true: there is more to look at. */
bool move_slice(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* What decides move_is_on() may have changed. */
void move_touch(struct core *core, uint32_t line);

#endif
