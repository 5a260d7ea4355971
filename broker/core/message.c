/* message.c — what the provider's message webhooks say: an outcome that was unknown, how a sent job fared, the health
 * of a chat, an answer (DESIGN traps 8 and 10; linq-api.md 3.4, 5.3, 5.4). */
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/dedupe.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/purge.h"
#include "broker/core/replied.h"
#include "broker/core/settle.h"
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

static void deliver(struct core *core, uint64_t number, uint32_t line, const struct core_message_fact *fact,
                    struct instant now, struct effects *out)
{
    enum delivery delivery = delivery_of(fact);
    if (delivery == DELIVERY_NONE || !dedupe_deliver(core, fact->message_hash, number, line, delivery, now.wall_ms))
        return;
    struct change *change = change_add(out, CHANGE_DELIVERY);
    change->delivery = (struct change_delivery){.number = number, .delivery = (uint8_t)delivery, .code = fact->code, .message_hash = fact->message_hash};
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

/* The account that speaks is that of its pool, or that of its line, which may be another one's since a reload. Whose a pool
 * is that only the store knows, nobody says but its line. */
static bool is_of_account(const struct core *core, uint32_t at, uint32_t account)
{
    const struct conversation *conversation = &core->conversations[at];
    uint32_t line = conversation_line_of(conversation);
    bool own = conversation->pool < CONF_POOLS_MAX && core->pools[conversation->pool].account == account;
    return own || (line != NO_LINE && line_is_of(core, &core->lines[line], account));
}

/* One that has left its line, and waits for the one that its job names: its chat is where it was. */
static bool has_left(const struct core *core, uint32_t at)
{
    unsigned flags = core->conversations[at].flags;
    return (flags & (CONVERSATION_RECORDED | CONVERSATION_BOUND)) == CONVERSATION_RECORDED;
}

static int64_t moment_or(int64_t told_ms, struct instant now)
{
    return told_ms != 0 ? told_ms : now.wall_ms;
}

/* When they wrote last. A stamp that runs ahead must not make a keyword that comes after it a late one. */
static int64_t wrote_ms(const struct core_message_fact *fact, struct instant now)
{
    int64_t at_ms = moment_or(fact->at_ms, now);
    return at_ms > now.wall_ms ? now.wall_ms : at_ms;
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

/* The recipient's own word lifts what the chat says of them, unless the provider says so still, and later. */
static bool lifts_opt_out(const struct conversation *conversation, const struct core_message_fact *fact,
                          struct instant now)
{
    return is_answer(fact) && !fact->opt_out && conversation->health == CHAT_OPTED_OUT &&
           moment_of(moment_or(fact->at_ms, now)) >= conversation->health_at;
}

/* All that the event says of one conversation, in one record. */
static void hear_in(struct core *core, uint32_t at, const struct core_message_fact *fact, bool has_health,
                    struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    uint64_t was_at = conversation->health_at;
    bool was_out = conversation->health == CHAT_OPTED_OUT;
    bool changed = has_health && chat_hear(conversation, fact->health, health_moment(fact, now));
    if (lifts_opt_out(conversation, fact, now)) {
        conversation->health = CHAT_UNKNOWN;
        changed = true;
    }
    unsigned unanswered = conversation->streak;
    if (is_answer(fact) && chat_count_in(conversation, wrote_ms(fact, now)))
        changed = true;
    if (unanswered > 0 && conversation->streak == 0)
        replied_count_in(core, at, now, out);
    if (changed)
        record_known(core, at, now, out);
    else if (is_answer(fact) || conversation->health_at != was_at)
        chat_fall_behind(core, at, now);
    bool is_out = conversation->health == CHAT_OPTED_OUT;
    if (was_out && !is_out && !suppression_stops(core, fact->recipient, conversation->key))
        purge_end(core, at);
    conversation_settle(core, at, now);
    if (is_out && !was_out)
        purge_begin(core, at, now, out);
    else if (conversation->health == CHAT_CRITICAL)
        leases_revoke_conversation(core, at, now, out);
}

/* Conversations that the event is about: those of its chat, and where that is not known (any more), the one with its
 * sender on its line. Returns how many; the first is tried first. */
enum { MEANT_MAX = 8 }; /* conversations whose chats share 32 bits, on one line */

static size_t find_meant(const struct core *core, const struct core_message_fact *fact, uint32_t meant[MEANT_MAX])
{
    size_t count = 0;
    uint32_t at = fact->chat_hash == 0 ? NOBODY : conversation_find_chat(core, fact->chat_hash);
    for (; at != NOBODY && count < MEANT_MAX; at = conversation_find_chat_next(core, fact->chat_hash, at))
        if (is_of_account(core, at, fact->account) && (is_meant(core, at, fact) || has_left(core, at)))
            meant[count++] = at;
    for (size_t i = 0; fact->line != 0 && i < fact->home_count && count < MEANT_MAX; i++) {
        at = conversation_find(core, fact->homes[i]);
        bool has_chat = at != NOBODY && fact->chat_hash != 0 &&
                        conversation_has_chat(&core->conversations[at], fact->chat_hash);
        if (at != NOBODY && !has_chat && is_meant(core, at, fact))
            meant[count++] = at;
    }
    return count;
}

/* Is what the event says of its chat said of this conversation? A word that an import brought without naming its chat is
 * about the one that its recipient writes in: nothing else could ever lift it. An opt-out they lift by writing at all, if
 * it is no keyword, whatever the chat is called. */
static bool is_its_chat(const struct conversation *conversation, const struct core_message_fact *fact)
{
    if (fact->chat_hash == 0)
        return false;
    bool has_chat = (conversation->flags & CONVERSATION_CHAT) != 0;
    bool has_word = conversation->health != CHAT_UNKNOWN && conversation->health != CHAT_OPTED_OUT;
    return conversation_has_chat(conversation, fact->chat_hash) || (!has_chat && has_word && is_answer(fact));
}

static void hear_chat(struct core *core, const struct core_message_fact *fact, const uint32_t *meant, size_t count,
                      struct instant now, struct effects *out)
{
    bool has_health = fact->has_health && !(fact->reconciled && fact->health_at_ms == 0);
    if (!has_health && !is_answer(fact))
        return;
    for (size_t i = 0; i < count; i++) {
        bool its_chat = is_its_chat(&core->conversations[meant[i]], fact);
        hear_in(core, meant[i], fact, has_health && its_chat, now, out);
    }
}

static void count_in(struct core *core, const struct core_message_fact *fact, struct instant now, struct effects *out)
{
    uint32_t line = line_of_account(core, fact->account, fact->line);
    if (line == NO_LINE)
        return;
    budget_add(&core->lines[line].known.messages, now.wall_ms, 1, now.wall_ms / BUDGET_BUCKET_MS);
    line_record(core, line, now, out); /* a restart must not count too little */
    turns_touch_line(core, line, now);
}

/* A keyword stops every direct message to its sender, on every line and in every pool of the account; any other message
 * of theirs lets them go again. The later of the two counts, whichever comes first. False: it finds no room. */
static bool hear_word(struct core *core, const struct core_message_fact *fact, const uint32_t *meant, size_t count,
                      struct instant now, struct effects *out)
{
    int64_t at_ms = moment_or(fact->at_ms, now);
    struct suppression_text text;
    if (fact->opt_out) {
        suppression_text_set(&text, fact->handle, NULL, NULL);
        bool taken = suppression_add(core, fact->account, fact->recipient, SUPPRESS_OPTED_OUT, at_ms, &text, now, out);
        for (size_t i = 0; i < count; i++)
            purge_begin(core, meant[i], now, out);
        purge_all(core, fact->homes, fact->home_count, now, out);
        return taken;
    }
    suppression_lift_kept(core, fact->homes, fact->home_count, at_ms, now, out);
    if (suppression_lift(core, fact->recipient, fact->handle, at_ms, now, out)) {
        purge_stop(core, fact->homes, fact->home_count);
        for (size_t i = 0; i < count; i++)
            purge_end(core, meant[i]);
    }
    return true;
}

/* A later message than a keyword that comes late. */
static bool is_overtaken(const struct core *core, const struct core_message_fact *fact, const uint32_t *meant,
                         size_t count, struct instant now)
{
    for (size_t i = 0; i < count; i++)
        if (core->conversations[meant[i]].last_in > minute_of(moment_or(fact->at_ms, now)))
            return true;
    return false;
}

static bool received(struct core *core, const struct core_message_fact *fact, struct instant now, struct effects *out)
{
    uint32_t meant[MEANT_MAX];
    size_t count = find_meant(core, fact, meant);
    bool overtaken = is_overtaken(core, fact, meant, count, now);
    hear_chat(core, fact, meant, count, now, out);
    if (is_answer(fact))
        count_in(core, fact, now, out);
    bool is_live = is_answer(fact) || fact->opt_out; /* a keyword that was recovered is one all the same */
    if (fact->recipient != 0 && is_live && !(fact->opt_out && overtaken)) /* a group is never suppressed */
        return hear_word(core, fact, meant, count, now, out);
    return true;
}

/* Of a job that has ended only its message still says whose line it went out on: where there are several accounts, one
 * that names another message, or only the job, says nothing of it (promise P9). */
static bool ended_in_account(const struct core *core, uint64_t number, const struct core_message_fact *fact)
{
    uint32_t line = dedupe_message_line(core, fact->message_hash, number);
    return core->account_count == 1 || (line != NO_LINE && line_is_of(core, &core->lines[line], fact->account));
}

/* What it says of a message of ours, and of the chat. */
static void told_of_ours(struct core *core, const struct core_message_fact *fact, struct instant now,
                         struct effects *out)
{
    uint32_t meant[MEANT_MAX];
    hear_chat(core, fact, meant, find_meant(core, fact, meant), now, out);
    uint64_t number = fact->number != 0 ? fact->number : dedupe_message_job(core, fact->message_hash);
    if (number == 0)
        return;
    uint32_t slot = job_find(core, number);
    uint32_t conversation = slot == NOBODY ? NOBODY : core->jobs[slot].conversation;
    if (slot == NOBODY ? !ended_in_account(core, number, fact) : !is_of_account(core, conversation, fact->account))
        return;
    uint32_t line = slot == NOBODY ? NO_LINE : conversation_line_of(&core->conversations[conversation]);
    if (slot != NOBODY && fact->what != MESSAGE_FAILED && fact->what != MESSAGE_CHAT)
        outcome_settled_sent(core, slot, fact->result, fact->message_hash, now, out);
    deliver(core, number, line, fact, now, out);
}

void core_message_told(struct core *core, const struct core_message_fact *fact, struct instant now,
                       struct effects *out)
{
    if (fact->event != 0 && dedupe_find(core, fact->event) != NULL) {
        effect_answer(out, fact->token, CODE_NONE);
        return;
    }
    bool taken = true;
    if (fact->what == MESSAGE_RECEIVED)
        taken = received(core, fact, now, out);
    else
        told_of_ours(core, fact, now, out);
    effect_answer(out, fact->token, taken ? CODE_NONE : CODE_BUSY);
    if (!taken) /* it is not remembered, so that it may come again */
        effect_alert(out, ALERT_SUPPRESSIONS_FULL, 0, fact->account);
    else if (fact->event != 0)
        (void)dedupe_remember_event(core, fact->event, now, out);
}
