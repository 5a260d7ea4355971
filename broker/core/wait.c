/* wait.c — see wait.h. */
#include "broker/core/wait.h"

#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/pair.h"

int64_t conversation_waits_until(const struct core *core, uint32_t at, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    int64_t pair_ms = pair_free_at(core, at, now);
    struct chat_wait chat = chat_wait(core, conversation, &core->jobs[conversation_first(core, conversation)], now);
    if (chat.reason == REASON_NONE)
        return pair_ms;
    return chat.until_ms > pair_ms ? chat.until_ms : pair_ms;
}
