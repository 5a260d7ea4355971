/* conversation_record.c — see conversation_record.h. */
#include "broker/core/conversation_record.h"

#include "broker/core/conversation.h"

static enum unbegun unbegun_of(const struct conversation *conversation)
{
    bool bound = (conversation->flags & CONVERSATION_BOUND) != 0;
    bool pinned = (conversation->flags & CONVERSATION_PINNED) != 0;
    if (conversation_was_sent_away(conversation))
        return UNBEGUN_PINNED;
    bool waits = pinned && !bound; /* for the line that a job names, and its chat is where it was before */
    return conversation_is_unbegun(conversation) || waits ? UNBEGUN_PLACED : UNBEGUN_NOT;
}

void conversation_record(struct core *core, uint32_t at, const struct conversation_news *news, struct instant now,
                         struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    uint64_t place = conversation_place(conversation);
    assert(conversation->line < core->line_count);
    struct change *change = change_add(out, CHANGE_CONVERSATION);
    change->conversation = (struct change_conversation){
        .key = conversation->key,
        .line = core->lines[conversation->line].known.number,
        .chat_hash = news->keep_chat ? conversation->chat_hash : news->chat_hash, /* folded it finds as well */
        .pool = core->pools[conversation->pool].name,
        .health = conversation->health,
        .streak = conversation->streak,
        .health_at_ms = moment_ms(conversation->health_at),
        .last_out_ms = moment_ms(conversation->last_out),
        .last_in_ms = minute_ms(conversation->last_in),
        .forgotten_chat = news->forgotten_chat ||
                          ((conversation->flags & CONVERSATION_RECORDED) != 0 && !conversation_has_begun(conversation)),
        .unbegun = (uint8_t)unbegun_of(conversation),
        .as_of = core->next_seq,
    };
    const struct last_out *last = &core->last_outs[at];
    if (last->waits) {
        change->conversation.waits_day = last->day;
        change->conversation.waits_class = last->class;
        change->conversation.waits_campaign = last->campaign;
    }
    change->event.at_ms = now.wall_ms;
    change->sections[SECTION_RESULT] = news->chat_id;
    change->sections[SECTION_RECIPIENTS] = news->recipients;
    bool recorded = (conversation->flags & CONVERSATION_RECORDED) != 0;
    assert(recorded || !news->keep_chat);
    change->copy_mask = (news->recipients.bytes == 0 ? 1u << SECTION_RECIPIENTS : 0) |
                        (news->keep_chat ? 1u << SECTION_RESULT : 0);
    if (change->copy_mask != 0) {
        change->copy_kind = recorded ? CHANGE_CONVERSATION : CHANGE_JOB;
        change->copy_key = recorded ? conversation->key : core->jobs[news->job].number;
        change->copy_place = recorded ? place : core->jobs[news->job].place;
    }
    if (recorded) {
        change->release_kind = CHANGE_CONVERSATION;
        change->release_place = place;
    }
    conversation->place = NOWHERE_48;
    if ((conversation->flags & CONVERSATION_AHEAD) != 0)
        core->ahead_count--;
    conversation->flags = (conversation->flags | CONVERSATION_RECORDED) & ~CONVERSATION_AHEAD & 0xFF;
}
