/* message.c — what the provider's message webhooks say: an outcome that was unknown, how a sent job fared, the health
 * of a chat, an answer (DESIGN traps 8 and 10; linq-api.md 3.4, 5.3, 5.4). */
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/dedupe.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/suppression.h"
#include "broker/core/turns.h"

static enum delivery delivery_of(const struct core_message_fact *fact)
{
    if (fact->what == MESSAGE_DELIVERED)
        return DELIVERY_DELIVERED;
    if (fact->what == MESSAGE_READ)
        return DELIVERY_READ;
    return fact->what == MESSAGE_FAILED ? DELIVERY_FAILED : DELIVERY_NONE;
}

static void deliver(struct core *core, uint64_t number, const struct core_message_fact *fact, struct instant now,
                    struct effects *out)
{
    enum delivery delivery = delivery_of(fact);
    if (delivery == DELIVERY_NONE)
        return;
    struct change *change = change_add(out, CHANGE_DELIVERY);
    change->delivery = (struct change_delivery){.number = number, .delivery = (uint8_t)delivery, .code = fact->code};
    change_mark(core, change, TOPIC_JOB_DELIVERY, now);
}

/* Chats are found by 32 bits: among millions of them others answer too, but seldom on the same line. */
static bool is_meant(const struct core *core, uint32_t at, const struct core_message_fact *fact)
{
    return fact->line == 0 || core->conversations[at].line == line_find(core, fact->line);
}

/* Chat health rides on every message event; `updated_at` orders it. */
static void hear_health(struct core *core, const struct core_message_fact *fact, struct instant now,
                        struct effects *out)
{
    if (!fact->has_health || fact->chat_hash == 0 || fact->reconciled)
        return;
    uint32_t next = NOBODY;
    for (uint32_t at = conversation_find_chat(core, fact->chat_hash); at != NOBODY; at = next) {
        struct conversation *conversation = &core->conversations[at];
        next = conversation_find_chat_next(core, fact->chat_hash, at);
        if (conversation->health == (uint8_t)fact->health || !is_meant(core, at, fact))
            continue;
        conversation->health = (uint8_t)(fact->health & 7);
        if ((conversation->flags & CONVERSATION_RECORDED) != 0) {
            struct conversation_news news = {.chat_hash = fact->chat_hash, .keep_chat = true};
            conversation_record(core, at, &news, now, out);
        }
        if (fact->health == CHAT_OPTED_OUT)
            suppression_purge(core, at, now, out);
        conversation_settle(core, at, now);
    }
}

static void hear_answer(struct core *core, const struct core_message_fact *fact, struct instant now,
                        struct effects *out)
{
    uint32_t line = line_find(core, fact->line);
    if (line != NO_LINE) {
        budget_add(&core->lines[line].known.messages, now.wall_ms, 1, now.wall_ms / BUDGET_BUCKET_MS);
        line_record(core, line, now, out); /* a restart must not count too little */
        turns_touch_line(core, line, now);
    }
    uint32_t next = NOBODY;
    for (uint32_t at = fact->chat_hash == 0 ? NOBODY : conversation_find_chat(core, fact->chat_hash); at != NOBODY;
         at = next) {
        next = conversation_find_chat_next(core, fact->chat_hash, at);
        if (!is_meant(core, at, fact))
            continue;
        core->conversations[at].last_in_s = (uint32_t)(now.wall_ms / 1000);
        core->conversations[at].streak = 0;
        if (fact->opt_out && fact->recipient != 0)
            suppression_purge(core, at, now, out);
    }
    if (fact->recipient == 0)
        return; /* a group: never suppressed */
    struct suppression_text text;
    suppression_text_set(&text, fact->handle, NULL, NULL);
    if (fact->opt_out)
        suppression_add(core, fact->account, fact->recipient, SUPPRESS_OPTED_OUT, &text, now, out);
    else
        suppression_lift(core, fact->recipient, now, out);
}

void core_message_told(struct core *core, const struct core_message_fact *fact, struct instant now,
                       struct effects *out)
{
    effect_answer(out, fact->token, CODE_NONE);
    if (fact->event != 0 && !dedupe_remember_event(core, fact->event, now, out))
        return;
    hear_health(core, fact, now, out);
    if (fact->what == MESSAGE_RECEIVED) {
        if (!fact->reconciled)
            hear_answer(core, fact, now, out);
        return;
    }
    uint64_t number = fact->number != 0 ? fact->number : dedupe_message_job(core, fact->message_hash);
    if (number == 0)
        return;
    uint32_t slot = job_find(core, number);
    if (slot != NOBODY && fact->what != MESSAGE_FAILED && fact->what != MESSAGE_CHAT)
        outcome_settled_sent(core, slot, fact->result, fact->message_hash, now, out);
    deliver(core, number, fact, now, out);
}
