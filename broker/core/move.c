/* move.c — see move.h. */
#include "broker/core/move.h"

#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/drain.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

#define SLOTS_PER_SLICE 4096
#define TRIES_TOLD_MAX  1024 /* of one conversation: seldom more than one of each class was tried */

bool move_is_on(const struct core *core, const struct line *line)
{
    const struct policy *policy = line_policy(core, line);
    if (line->pauses > 0)
        return false;
    return (line->known.service == SERVICE_FLAGGED && policy->moves_flagged) ||
           (line->known.gone && policy->moves_gone) ||
           core->orders[line - core->lines].change.drain == DRAIN_MOVE;
}

bool move_has_doubtful(const struct core *core, uint32_t at)
{
    uint32_t first = conversation_first(core, &core->conversations[at]);
    uint32_t slot = first;
    while (slot != NOBODY) {
        const struct job *job = &core->jobs[slot];
        if ((job->flags & JOB_DOUBTFUL) != 0 && !job_state_is_final(job->state))
            return true;
        slot = job->next == first ? NOBODY : job->next;
    }
    return campaign_has_doubtful(core, at);
}

static bool is_free(const struct conversation *conversation, bool named)
{
    bool bound = (conversation->flags & CONVERSATION_BOUND) != 0;
    return bound && !named && conversation->health != CHAT_CRITICAL && conversation->health != CHAT_OPTED_OUT;
}

static bool is_named(const struct conversation *conversation)
{
    return (conversation->flags & CONVERSATION_PINNED) != 0;
}

bool move_may_leave(const struct core *core, uint32_t at)
{
    const struct conversation *conversation = &core->conversations[at];
    return is_free(conversation, is_named(conversation)) && conversation_first(core, conversation) != NOBODY &&
           !conversation_first_is_fixed(core, conversation) && !move_has_doubtful(core, at);
}

static bool lets_go(const struct core *core, const struct line *line, struct instant now)
{
    return line->moving && !gate_lets_probe(core, line, now);
}

bool move_would_leave(const struct core *core, const struct conversation *conversation, uint32_t without,
                      struct instant now)
{
    uint32_t first = conversation_first(core, conversation);
    bool fixed = first != without && conversation_first_is_fixed(core, conversation);
    bool named = is_named(conversation) && !conversation_pin_ends(core, conversation, without);
    return is_free(conversation, named) && !fixed && lets_go(core, &core->lines[conversation->line], now) &&
           !move_has_doubtful(core, (uint32_t)(conversation - core->conversations));
}

void move_leave(struct core *core, uint32_t at, struct instant now)
{
    uint32_t line = core->conversations[at].line;
    turns_withdraw(core, at, conversation_first(core, &core->conversations[at]));
    conversation_let_go(core, at);
    turns_touch_line(core, line, now);
}

/* While a probe may go to see whether the flag is still true, it is one of those that would leave. */
void move_settle(struct core *core, uint32_t at, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    if ((conversation->flags & CONVERSATION_BOUND) == 0)
        return;
    if (!lets_go(core, &core->lines[conversation->line], now) || !move_may_leave(core, at))
        return;
    drain_count_move(core, conversation->line);
    move_leave(core, at, now);
}

void move_lose_chat(struct core *core, uint32_t at)
{
    struct conversation *conversation = &core->conversations[at];
    conversation_begin_anew(core, at);
    core->last_outs[at].waits = false; /* that was another line's */
    chat_forget_word(conversation);
}

bool move_begins_anew(const struct conversation *conversation, uint32_t line)
{
    bool left = (conversation->flags & CONVERSATION_BOUND) == 0 && (conversation->flags & CONVERSATION_RECORDED) != 0;
    bool pinned = (conversation->flags & CONVERSATION_PINNED) != 0;
    bool back = conversation->line == line && !pinned && !conversation_is_unbegun(conversation);
    return left && !back; /* else its chat is there */
}

/* It begins on a line where it does not live. That some of its jobs were tried there before, in vain, is no sign of that,
 * and a restart would take it for one (promise P5). Before it is bound. */
static void tell_tries_over(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    unsigned told = 0;
    while (slot != NOBODY && told < TRIES_TOLD_MAX) {
        const struct job *job = &core->jobs[slot];
        bool tried = job->attempts > 0 && !job_state_is_final(job->state);
        if (tried)
            job_renew_try(core, slot, now, out);
        told += tried;
        slot = job->next == first ? NOBODY : job->next;
    }
    for (slot = campaign_tried(core, at); slot != NOBODY && told < TRIES_TOLD_MAX;
         slot = campaign_tried_next(core, at, slot), told++)
        job_renew_try(core, slot, now, out);
    if (told > 0 && conversation->line != NO_LINE && core->lines[conversation->line].spent)
        line_record(core, conversation->line, now, out); /* what the tries told of that goes with what the jobs say now */
}

bool move_bind(struct core *core, uint32_t at, uint32_t line, struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    bool moves = move_begins_anew(conversation, line);
    bool left = (conversation->flags & CONVERSATION_RECORDED) != 0 && !conversation_is_unbegun(conversation);
    if (moves)
        recipient_leaves(core, conversation, now, out);
    if (moves || (conversation->flags & CONVERSATION_RECORDED) == 0) /* as new it may have been tried elsewhere as well */
        tell_tries_over(core, at, now, out);
    conversation_bind(core, at, line, false);
    if (moves)
        move_lose_chat(core, at);
    else if (left) /* this very line, which counts them still */
        recipient_unarrives(core, conversation);
    return moves;
}

void move_record(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    const struct conversation_news news = {.job = conversation_first(core, conversation), .forgotten_chat = true};
    conversation_record(core, at, &news, now, out);
}

void move_home(struct core *core, uint32_t at, uint32_t line, struct instant now, struct effects *out)
{
    uint32_t first = conversation_first(core, &core->conversations[at]);
    if (first != NOBODY)
        turns_withdraw(core, at, first);
    if (move_bind(core, at, line, now, out))
        move_record(core, at, now, out);
}

void move_touch(struct core *core, uint32_t at)
{
    struct line *line = &core->lines[at];
    bool on = move_is_on(core, line);
    if (on && !line->moving)
        line->move_at = 1;
    if (!on)
        line->move_at = 0;
    line->moving = on;
}

bool move_is_due(const struct core *core, const struct line *line, struct instant now)
{
    return line->move_at != 0 && !gate_lets_probe(core, line, now);
}

bool move_slice(struct core *core, uint32_t line_at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[line_at];
    uint64_t end = (uint64_t)line->move_at + SLOTS_PER_SLICE;
    if (!move_is_due(core, line, now))
        return false;
    for (; line->move_at <= core->conversations_used && line->move_at < end && effects_have_room(out); line->move_at++) {
        const struct conversation *conversation = &core->conversations[line->move_at];
        if (conversation->key != 0 && conversation->line == line_at && conversation->tail != NOBODY)
            conversation_settle(core, line->move_at, now);
    }
    if (line->move_at > core->conversations_used)
        line->move_at = 0;
    return line->move_at != 0;
}

/* ---- one conversation, on purpose ---- */

/* Does a job of it that waits name another line? Those that are not due yet are in no list: one that named a line may be
 * among them. */
static bool names_another(const struct core *core, const struct conversation *conversation, uint32_t line)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t slot = first;
    if ((conversation->flags & CONVERSATION_PINNED) == 0 || conversation->line == line)
        return false;
    if (conversation->scheduled > 0)
        return true;
    while (slot != NOBODY) {
        const struct job *job = &core->jobs[slot];
        if ((job->flags & JOB_PINNED) != 0 && !job_state_is_final(job->state))
            return true;
        slot = job->next == first ? NOBODY : job->next;
    }
    return false;
}

static enum code judge(const struct core *core, uint32_t at, uint32_t line)
{
    if (at == NOBODY)
        return CODE_NOT_FOUND;
    const struct conversation *conversation = &core->conversations[at];
    uint32_t first = conversation_first(core, conversation);
    if (line == NO_LINE || core->lines[line].pool != conversation->pool)
        return CODE_UNKNOWN_LINE;
    if (first != NOBODY && core->jobs[first].state == JOB_LEASED)
        return CODE_BUSY;
    if ((first != NOBODY && (core->jobs[first].flags & JOB_UNSETTLED) != 0) || move_has_doubtful(core, at))
        return CODE_OUTCOME_UNKNOWN;
    if (first == NOBODY && (conversation->flags & CONVERSATION_RECORDED) == 0)
        return CODE_NOT_FOUND; /* nothing but jobs that are not due yet: it lives nowhere */
    return names_another(core, conversation, line) ? CODE_LINE_CONFLICT : CODE_NONE;
}

void core_move(struct core *core, uint64_t token, uint64_t key, uint64_t number, struct instant now,
               struct effects *out)
{
    uint32_t at = conversation_find(core, key);
    uint32_t line = line_find(core, number);
    enum code code = judge(core, at, line);
    if (code != CODE_NONE) {
        effect_answer(out, token, code);
        return;
    }
    struct conversation *conversation = &core->conversations[at];
    bool there = (conversation->flags & CONVERSATION_BOUND) != 0 && conversation->line == line;
    if (!there) {
        bool was_on = (conversation->flags & CONVERSATION_BOUND) != 0;
        uint32_t from = conversation->line;
        if (conversation_first(core, conversation) != NOBODY)
            turns_withdraw(core, at, conversation_first(core, conversation));
        recipient_leaves(core, conversation, now, out);
        conversation_let_go(core, at);
        tell_tries_over(core, at, now, out);
        conversation_bind(core, at, line, true); /* it waits for that line as any that names it */
        move_lose_chat(core, at);
        conversation_send_away(core, at);
        move_record(core, at, now, out);
        conversation_settle(core, at, now);
        if (was_on)
            turns_touch_line(core, from, now);
    }
    effect_answer(out, token, CODE_NONE);
}
