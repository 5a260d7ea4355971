/* conversation.h — the waiting jobs of one conversation, in the order in which they go: earlier class first, then
 * order of acceptance (PROTOCOL, Order within a conversation); and the table of conversations.
 *
 * The list is a ring through job.next, conversation.tail is the last. A first job that is leased, unsettled or
 * waits for the whole conversation is *fixed*: nothing goes before it. The jobs behind it (or all, if it is not fixed) form runs of one class, so that
 * a reply finds its place among a million campaign jobs in at most four steps: the last job of each run but the
 * first points (left) to the run's first one, which points (right) to the last one of the run before. */
#ifndef LINEWARD_CORE_CONVERSATION_H
#define LINEWARD_CORE_CONVERSATION_H

#include "broker/core/state.h"

uint32_t conversation_find(const struct core *core, uint64_t key);
bool conversation_has_room(const struct core *core); /* for one more */
/* NOBODY: the table is full. */
uint32_t conversation_new(struct core *core, uint64_t key, uint32_t pool);
/* Forgets an idle conversation that never lived anywhere. */
void conversation_drop(struct core *core, uint32_t conversation);
void conversation_set_chat(struct core *core, uint32_t conversation, uint64_t chat_hash); /* 0: forgets it */
/* The provider knows its chat no more: the next message is the first one of another. */
void conversation_lose_chat(struct core *core, uint32_t conversation);
/* It leaves its line, and its chat there: nothing was sent yet where it goes. Then something was, or may have been. */
void conversation_begin_anew(struct core *core, uint32_t conversation);
/* The same on purpose: until it begins there it waits for that line, whether a job names it or not. */
void conversation_send_away(struct core *core, uint32_t conversation);
bool conversation_was_sent_away(const struct conversation *conversation);
void conversation_begin(struct core *core, uint32_t conversation);
bool conversation_is_unbegun(const struct conversation *conversation);
/* Does it live where it is for good? Else only for the sake of a job that was tried there, or is. */
bool conversation_stays(const struct conversation *conversation);
/* The provider has a chat there after all, if we do not know its id. */
void conversation_find_begun(struct core *core, uint32_t conversation);
/* Is there a chat already, as far as we know? Else its next message is a first one. */
bool conversation_has_begun(const struct conversation *conversation);
bool conversation_has_chat(const struct conversation *conversation, uint64_t chat_hash); /* this one */
uint32_t conversation_find_chat(const struct core *core, uint64_t chat_hash);
uint32_t conversation_find_chat_next(const struct core *core, uint64_t chat_hash, uint32_t conversation);

uint32_t conversation_line_of(const struct conversation *conversation); /* that it is on; NO_LINE: on none */
/* The pool whose turns it has: that of the line it is on, which may be another's by now, or its own. */
uint32_t conversation_line_pool(const struct core *core, const struct conversation *conversation);

uint32_t conversation_first(const struct core *core, const struct conversation *conversation);
/* Would the job, standing first, stay first whatever comes? Leased, unsettled, or waiting for what the provider said of
 * the whole conversation. */
bool conversation_fixes(const struct job *job);
bool conversation_first_is_fixed(const struct core *core, const struct conversation *conversation);
/* Behind all of its class, or (`front`) before them. If that makes it the first, the one that was must not be in a
 * ready queue. */
void conversation_insert(struct core *core, struct conversation *conversation, uint32_t job, bool front);
/* Next behind one of its class that is in a run and in no ready queue. */
void conversation_insert_behind(struct core *core, struct conversation *conversation, uint32_t before, uint32_t job);
/* To where its order says, among those of its class; the first one must not be in a ready queue. Returns how many it
 * went past: none, if it goes before or behind all of them. */
uint32_t conversation_return(struct core *core, struct conversation *conversation, uint32_t job);
/* Takes out the first job (ended, or to be put elsewhere). */
void conversation_shift(struct core *core, struct conversation *conversation);
/* The first job is fixed no longer: it takes its place by class and order again. */
void conversation_unfix(struct core *core, struct conversation *conversation);

void index_conversations(struct core *core, uint32_t *key_heads, uint32_t *chat_heads, uint32_t heads_max);

#endif
