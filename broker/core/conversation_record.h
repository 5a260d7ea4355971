/* conversation_record.h — writing down where a conversation lives, its chat and its health. */
#ifndef LINEWARD_CORE_CONVERSATION_RECORD_H
#define LINEWARD_CORE_CONVERSATION_RECORD_H

#include "broker/core/effects.h"

struct conversation_news {
    uint32_t job;        /* one of its jobs, whose record has the recipients, while it has no record of its own */
    uint64_t chat_hash;  /* of the chat it has now; 0: none */
    struct span chat_id; /* JSON string; empty with keep_chat */
    bool keep_chat;      /* the chat id stays as recorded */
    bool forgotten_chat;
    struct span recipients; /* JSON; empty: they are copied from what is written already */
};
/* Writes CHANGE_CONVERSATION: the new value takes the recipients (and the chat id) from the old record. */
void conversation_record(struct core *core, uint32_t conversation, const struct conversation_news *news,
                         struct instant now, struct effects *out);

#endif
