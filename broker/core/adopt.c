/* adopt.c — taking over conversations that exist at the provider already (an account that is switched over): where each
 * lives, without a job that says so. */
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/past.h"
#include "broker/core/purge.h"
#include "broker/core/settle.h"

struct judgement {
    enum code code;
    const char *field;
    bool known; /* nothing of it is new */
};

static struct judgement refuse(enum code code, const char *field)
{
    return (struct judgement){.code = code, .field = field};
}

/* Is there a past, and none known yet? A job may have named the chat before. */
static bool tells_a_past(const struct core_adopt *adopt, const struct conversation *known)
{
    bool tells = adopt->last_out_ms > 0 || adopt->last_in_ms > 0 || adopt->health != CHAT_UNKNOWN;
    return tells && known->last_out == 0 && known->last_in == 0 && known->health == CHAT_UNKNOWN;
}

/* What is known of the conversation already stands: we have sent there, or somebody has said so before. */
static struct judgement compare(const struct core *core, const struct core_adopt *adopt, uint32_t at)
{
    const struct conversation *known = &core->conversations[at];
    bool placed = (known->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (placed && core->lines[known->line].known.number != adopt->line)
        return refuse(CODE_LINE_CONFLICT, "line");
    if ((known->flags & CONVERSATION_BOUND) == 0)
        return (struct judgement){.known = false}; /* whatever chat it had was that of a line it left */
    bool has_chat = (known->flags & CONVERSATION_CHAT) != 0;
    if (has_chat && adopt->chat_hash != 0 && !conversation_has_chat(known, adopt->chat_hash))
        return refuse(CODE_LINE_CONFLICT, "chat_id");
    if (adopt->chat_hash == 0) /* a chat that a producer named is not lost by that */
        return (struct judgement){.known = conversation_has_begun(known)};
    return (struct judgement){.known = has_chat && (known->flags & CONVERSATION_RECORDED) != 0 &&
                                       !tells_a_past(adopt, known)};
}

static struct judgement judge(const struct core *core, const struct core_adopt *adopt, uint32_t line,
                                        uint32_t at, bool store_full)
{
    if (line == NO_LINE || core->lines[line].pool != adopt->pool)
        return refuse(CODE_UNKNOWN_LINE, "line");
    struct judgement judged = {0};
    if (at != NOBODY)
        judged = compare(core, adopt, at);
    if (judged.code == CODE_NONE && !judged.known && store_full)
        return refuse(CODE_STORE_FULL, NULL);
    return judged;
}

static int64_t not_later(int64_t ms, struct instant now)
{
    return ms > now.wall_ms ? now.wall_ms : ms;
}

/* A later moment, or a first word, says more than what is there; what we were told ourselves stands. */
static void take_past(struct core *core, uint32_t at, uint32_t line, const struct core_adopt *adopt,
                      struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    uint32_t last_out = adopt->last_out_ms <= 0 ? 0 : moment_of(not_later(adopt->last_out_ms, now));
    uint32_t last_in = adopt->last_in_ms <= 0 ? 0 : minute_of(not_later(adopt->last_in_ms, now));
    if (last_out > conversation->last_out) {
        recipient_set_out(core, conversation, last_out);
        past_note(&core->lines[line], moment_ms(last_out), now);
    }
    if (last_in > conversation->last_in)
        conversation->last_in = last_in & 0xFFFFFF;
    if (adopt->health != CHAT_UNKNOWN && conversation->health == CHAT_UNKNOWN)
        chat_hear(conversation, adopt->health, not_later(adopt->health_at_ms, now));
}

/* Whoever waited for any line, or for this one, waits as a known conversation of it from now on. True: it had left
 * another line, and its chat there. */
static bool move_in(struct core *core, uint32_t at, uint32_t line, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    uint32_t first = conversation_first(core, conversation);
    if ((conversation->flags & CONVERSATION_BOUND) != 0)
        return false;
    if (first != NOBODY)
        turns_withdraw(core, at, first);
    return move_bind(core, at, line, now, out);
}

static void take_over(struct core *core, const struct core_adopt *adopt, uint32_t at, uint32_t line,
                      struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    bool lost_chat = move_in(core, at, line, now, out);
    if (lost_chat && adopt->chat_hash == 0) /* a record that tells no chat leaves the one before it standing */
        move_record(core, at, now, out);
    take_past(core, at, line, adopt, now);
    if (adopt->chat_hash != 0)
        conversation_set_chat(core, at, adopt->chat_hash);
    else
        conversation_find_begun(core, at);
    unsigned known = CONVERSATION_RECORDED | CONVERSATION_CHAT;
    bool keeps = adopt->chat_hash == 0 && (conversation->flags & known) == known; /* it is back where that chat is */
    struct conversation_news news = {.chat_hash = adopt->chat_hash,
                                     .keep_chat = keeps,
                                     .chat_id = adopt->chat_id,
                                     .recipients = adopt->recipients};
    conversation_record(core, at, &news, now, out);
    conversation_unpin(core, at, now); /* an operator's word that it is to begin there has come true */
    if (conversation->health == CHAT_OPTED_OUT)
        purge_begin(core, at, now, out);
    else if (conversation->health == CHAT_CRITICAL)
        leases_revoke_conversation(core, at, now, out);
    conversation_settle(core, at, now);
}

void core_adopt(struct core *core, const struct core_adopt *adopt, bool store_full, struct instant now,
                struct effects *out)
{
    uint32_t line = line_find(core, adopt->line);
    uint32_t at = conversation_find(core, adopt->conversation);
    struct judgement judged = judge(core, adopt, line, at, store_full);
    if (judged.code == CODE_NONE && at == NOBODY) {
        at = conversation_new(core, adopt->conversation, adopt->pool);
        if (at == NOBODY)
            judged = refuse(CODE_BUSY, NULL);
    }
    if (judged.code == CODE_NONE && !judged.known)
        take_over(core, adopt, at, line, now, out);
    struct effect *effect = effect_add(out, EFFECT_ADOPTED);
    effect->token = adopt->token;
    effect->index = adopt->index;
    effect->code = judged.code;
    effect->field = judged.field;
    effect->duplicate = judged.known;
    bool placed = at != NOBODY && (core->conversations[at].flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (placed && judged.code != CODE_UNKNOWN_LINE)
        effect->line = core->lines[core->conversations[at].line].known.number;
}
