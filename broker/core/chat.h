/* chat.h — what a conversation's own chat lets go, and when (DESIGN section 3, Conversation rules; linq-api.md 5.3 to
 * 5.5): the provider's word about the chat, and the ladder of messages that nobody answered.
 *
 * These are rules of wait.h: a first job that its chat stops is set aside until the moment that chat_wait() tells, or
 * until an event settles the conversation anew. */
#ifndef LINEWARD_CORE_CHAT_H
#define LINEWARD_CORE_CHAT_H

#include "broker/core/effects.h"

struct chat_wait {
    enum reason reason; /* NONE: it may go */
    int64_t until_ms;   /* wall: when it may have changed by itself; TIME_NEVER: only an event ends it */
};
/* As if `job` stood first. In the contract's order of reasons. Pure. */
struct chat_wait chat_wait(const struct core *core, const struct conversation *conversation, const struct job *job,
                           struct instant now);

/* The provider's word about the chat. False: an older one than what is known, or nothing new; nothing changed. */
bool chat_hear(struct conversation *conversation, enum chat_health health, int64_t at_ms);
/* The chat is not there any more, or was another line's: what was said of it goes, but that its recipient opted out. */
void chat_forget_word(struct conversation *conversation);
/* A message went out, or may have: one more that waits for an answer. The caller records the conversation, or lets it
 * fall behind. */
void chat_count_out(struct conversation *conversation);
uint32_t chat_out_ago_s(const struct conversation *conversation, struct instant now); /* 0: now, or never */
/* The recipient wrote at `at_ms`. True: that changed what may go. */
bool chat_count_in(struct conversation *conversation, int64_t at_ms);

/* Its record lacks what has changed since; it is written anew within a part of the time for which the ends of its jobs
 * are kept, which tell a restart as much (restore_job.c). */
void chat_fall_behind(struct core *core, uint32_t conversation, struct instant now);
/* Writes those records, a slice at a time. */
void chats_catch_up(struct core *core, struct instant now, struct effects *out);
void chats_restored(struct core *core, struct instant now);

#endif
