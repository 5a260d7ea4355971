/* forget.c — see forget.h. */
#include "broker/core/forget.h"

#include "broker/core/conversation.h"
#include "broker/core/line.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"

/* Nobody who opted out is written to again, now that their chat is not there to say so. False: there is no room for it. */
static bool keep_word(struct core *core, const struct conversation *conversation, struct instant now, struct effects *out)
{
    uint32_t account = core->pools[conversation->pool].account;
    return conversation->health != CHAT_OPTED_OUT ||
           suppression_keep(core, account, conversation->key, moment_ms(conversation->health_at), now, out);
}

/* What was sent there within the hour still counts for its line. */
bool forget_conversation(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    uint64_t key = conversation->key;
    uint64_t place = conversation_place(conversation);
    bool recorded = (conversation->flags & CONVERSATION_RECORDED) != 0;
    if ((recorded && place == NOWHERE) || !keep_word(core, conversation, now, out))
        return false;
    recipient_leaves(core, conversation, now, out);
    struct change *change = change_add(out, CHANGE_FORGOTTEN);
    change->event.at_ms = now.wall_ms;
    change->conversation = (struct change_conversation){.key = key};
    if (recorded) {
        change->release_kind = CHANGE_CONVERSATION;
        change->release_place = place;
    }
    if ((conversation->flags & CONVERSATION_AHEAD) != 0)
        core->ahead_count--;
    conversation_set_aside(core, at, TIME_NEVER);
    conversation_drop(core, at);
    return true;
}

void forget_restore(struct core *core, uint64_t key)
{
    uint32_t at = conversation_find(core, key);
    if (at == NOBODY)
        return;
    struct conversation *conversation = &core->conversations[at];
    conversation_set_chat(core, at, 0);
    conversation_find_begun(core, at);
    conversation->flags &= CONVERSATION_PAUSED;
    conversation->place = NOWHERE_48;
    conversation->line = NO_LINE;
    conversation->health = CHAT_UNKNOWN;
    conversation->health_at = conversation->last_out = conversation->streak = 0;
    conversation->last_in = 0;
    core->last_outs[at] = (struct last_out){0};
}
