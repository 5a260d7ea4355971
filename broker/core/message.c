/* message.c — what the provider's message webhooks say: an outcome that was unknown, how a sent job fared, the health
 * of a chat, an answer (DESIGN traps 8 and 10; linq-api.md 3.4, 5.3, 5.4). */
#include "broker/core/chat.h"
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

static void record_known(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct conversation_news news = {.keep_chat = true};
    if ((core->conversations[at].flags & CONVERSATION_RECORDED) != 0)
        conversation_record(core, at, &news, now, out);
}

/* Chats are found by 32 bits: among millions of them others answer too, but seldom on the same line. */
static bool is_meant(const struct core *core, uint32_t at, const struct core_message_fact *fact)
{
    return fact->line == 0 || core->conversations[at].line == line_find(core, fact->line);
}

static int64_t moment_or(int64_t told_ms, struct instant now)
{
    return told_ms != 0 ? told_ms : now.wall_ms;
}

/* Chat health rides on every message event; its own `updated_at` orders it. One without is as old as the event. */
static int64_t health_moment(const struct core_message_fact *fact, struct instant now)
{
    return fact->health_at_ms != 0 ? fact->health_at_ms : moment_or(fact->at_ms, now);
}

static bool is_answer(const struct core_message_fact *fact)
{
    return fact->what == MESSAGE_RECEIVED && !fact->reconciled;
}

/* All that the event says of one conversation, in one record. */
static void hear_in(struct core *core, uint32_t at, const struct core_message_fact *fact, bool has_health,
                    struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    uint64_t was = conversation->health_at;
    bool changed = has_health && chat_hear(conversation, fact->health, health_moment(fact, now));
    if (is_answer(fact) && chat_count_in(conversation, moment_or(fact->at_ms, now)))
        changed = true;
    if (changed)
        record_known(core, at, now, out);
    else if (is_answer(fact) || conversation->health_at != was)
        chat_fall_behind(core, at, now);
    bool ends = (has_health && changed && conversation->health == CHAT_OPTED_OUT) ||
                (is_answer(fact) && fact->opt_out && fact->recipient != 0);
    conversation_settle(core, at, now);
    if (ends)
        suppression_purge(core, at, now, out);
}

static void hear_chat(struct core *core, const struct core_message_fact *fact, struct instant now, struct effects *out)
{
    bool has_health = fact->has_health && !(fact->reconciled && fact->health_at_ms == 0);
    uint32_t next = NOBODY;
    if (!has_health && !is_answer(fact))
        return;
    for (uint32_t at = fact->chat_hash == 0 ? NOBODY : conversation_find_chat(core, fact->chat_hash); at != NOBODY;
         at = next) {
        next = conversation_find_chat_next(core, fact->chat_hash, at);
        if (is_meant(core, at, fact))
            hear_in(core, at, fact, has_health, now, out);
    }
    for (size_t i = 0; is_answer(fact) && i < fact->home_count; i++) { /* its chat id may not be known (any more) */
        uint32_t at = conversation_find(core, fact->homes[i]);
        if (at != NOBODY && fact->line != 0 && is_meant(core, at, fact) &&
            !(fact->chat_hash != 0 && conversation_has_chat(&core->conversations[at], fact->chat_hash)))
            hear_in(core, at, fact, false, now, out);
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
    hear_chat(core, fact, now, out);
    if (is_answer(fact))
        hear_answer(core, fact, now, out);
    if (fact->what == MESSAGE_RECEIVED)
        return;
    uint64_t number = fact->number != 0 ? fact->number : dedupe_message_job(core, fact->message_hash);
    if (number == 0)
        return;
    uint32_t slot = job_find(core, number);
    if (slot != NOBODY && fact->what != MESSAGE_FAILED && fact->what != MESSAGE_CHAT)
        outcome_settled_sent(core, slot, fact->result, fact->message_hash, now, out);
    deliver(core, number, fact, now, out);
}
