/* restore.c — replaying what was remembered (store_owner in broker/store/store.h): each change to whom it concerns. Jobs
 * are in restore_job.c, what follows after the last record in restore_finish.c. */
#include "broker/core/restore.h"

#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/dedupe.h"
#include "broker/core/erase.h"
#include "broker/core/forget.h"
#include "broker/core/line.h"
#include "broker/core/names.h"
#include "broker/core/operate.h"
#include "broker/core/outcomes.h"
#include "broker/core/pause.h"
#include "broker/core/replied.h"
#include "broker/core/reply_days.h"
#include "broker/core/suppression.h"

static uint32_t pool_by_name(struct core *core, uint16_t name)
{
    for (uint32_t p = CONF_POOLS_MAX; p < core->pool_count; p++)
        if (core->pools[p].name == name)
            return p;
    return NO_POOL;
}

/* While replaying, pools stand behind those of the configuration and are known by number only, for their names may
 * come later; restore_finish.c matches them. NO_POOL: there is no room. */
static uint32_t restore_pool(struct core *core, uint16_t name)
{
    uint32_t at = pool_by_name(core, name);
    if (at != NO_POOL || core->pool_count == core->limits.names_max + CONF_POOLS_MAX)
        return at;
    at = core->pool_count++;
    core->pools[at].name = name;
    core->pools[at].policy = *line_policy(core, &(struct line){.pool = NO_POOL}); /* until the configuration says */
    return at;
}

static void restore_name(struct core *core, const struct change_name *name)
{
    if (name->number != 0 && name->number < core->limits.names_max)
        name_set(core, name->number, name->kind, name->text);
}

/* The place of that start, in order of their numbers whatever order the cleaner left: the bits of a job's key are those
 * of the last start before it. STARTS_MAX: older than all, and no room. */
static uint32_t place_of_start(struct core *core, uint64_t number)
{
    uint32_t at = core->start_count;
    while (at > 0 && core->starts[at - 1].start > number)
        at--;
    if (at > 0 && core->starts[at - 1].start == number)
        return at - 1;
    if (core->start_count < STARTS_MAX) {
        memmove(core->starts + at + 1, core->starts + at, (core->start_count - at) * sizeof *core->starts);
        core->start_count++;
        return at;
    }
    if (at == 0)
        return STARTS_MAX;
    memmove(core->starts, core->starts + 1, (at - 1) * sizeof *core->starts); /* the oldest is forgotten */
    return at - 1;
}

static void restore_start(struct core *core, const struct change_start *start)
{
    uint32_t at = place_of_start(core, start->start);
    if (at == STARTS_MAX)
        return;
    core->starts[at].start = start->start;
    core->starts[at].first_job = start->first_job;
    memcpy(core->starts[at].random, start->random, sizeof core->starts[at].random);
    if (start->next_job > core->next_job)
        core->next_job = start->next_job;
    if (start->next_lease > core->next_lease)
        core->next_lease = start->next_lease;
    if (start->next_seq > core->next_seq)
        core->next_seq = start->next_seq;
    if (start->next_pause > core->next_pause)
        core->next_pause = start->next_pause;
    if (start->next_audit > core->next_audit)
        core->next_audit = start->next_audit;
    for (int t = 0; t < TOPIC_COUNT; t++)
        if (start->prev_seq[t] > core->prev_seq[t])
            core->prev_seq[t] = start->prev_seq[t];
}

uint32_t restore_home(struct core *core, uint64_t key, uint16_t pool_name)
{
    uint32_t pool = restore_pool(core, pool_name);
    uint32_t at = pool == NO_POOL ? NOBODY : conversation_find(core, key);
    if (pool != NO_POOL && at == NOBODY)
        at = conversation_new(core, key, pool);
    if (at != NOBODY)
        core->conversations[at].pool = pool & UINT16_MAX;
    return at;
}

static enum err restore_conversation(struct core *core, const struct change_conversation *value, uint64_t place)
{
    static const uint8_t lives[UNBEGUN_COUNT] = {
        [UNBEGUN_NOT] = CONVERSATION_BOUND,
        [UNBEGUN_PINNED] = CONVERSATION_PINNED,
        [UNBEGUN_PLACED] = 0, /* unless a job says so that was tried there, or names it (restore_finish.c) */
    };
    uint32_t at = restore_home(core, value->key, value->pool);
    uint32_t line = line_get(core, 0, value->line, (struct instant){0});
    if (at == NOBODY || line == NO_LINE)
        return ERR_FULL;
    struct conversation *conversation = &core->conversations[at];
    bool is_behind = value->as_of < restore_known_to(conversation);
    uint32_t last_out = value->last_out_ms == 0 ? 0 : moment_of(value->last_out_ms);
    conversation->line = line & NO_LINE;
    conversation->flags = lives[value->unbegun] | CONVERSATION_RECORDED | (conversation->flags & CONVERSATION_CHAT) |
                          (is_behind ? CONVERSATION_AHEAD : 0);
    conversation->place = place & NOWHERE_48;
    conversation->health = value->health & 7;
    conversation->health_at = value->health_at_ms == 0 ? 0 : moment_of(value->health_at_ms);
    if (last_out > conversation->last_out) /* tries replayed before may know more */
        conversation->last_out = last_out;
    conversation->last_in = value->last_in_ms == 0 ? 0 : minute_of(value->last_in_ms);
    if (!is_behind) {
        conversation->streak = value->streak & STREAK_MAX;
        core->last_outs[at] = (struct last_out){.day = value->waits_day & 0x3FFF,
                                                .class = value->waits_class & 3,
                                                .campaign = value->waits_campaign & 0x7FFF,
                                                .waits = value->waits_day != 0};
        restore_set_known_to(conversation, value->as_of);
    }
    conversation_find_begun(core, at); /* an older record may have lost its chat */
    if (value->forgotten_chat && value->unbegun == UNBEGUN_PINNED)
        conversation_send_away(core, at);
    else if (value->forgotten_chat && value->unbegun == UNBEGUN_PLACED)
        conversation_begin_anew(core, at);
    else if (value->forgotten_chat)
        conversation_lose_chat(core, at);
    else if (value->chat_hash != 0)
        conversation_set_chat(core, at, value->chat_hash);
    return ERR_NONE;
}

static enum err restore_line(struct core *core, const struct change_line *value)
{
    uint32_t at = line_get(core, 0, value->number, (struct instant){.wall_ms = value->first_seen_ms});
    if (at == NO_LINE)
        return ERR_FULL;
    struct line *line = &core->lines[at];
    struct budget_window messages = line->known.messages;
    struct budget_window fresh = line->known.fresh;
    struct budget_window sent = line->known.out;
    struct reply_days replies = line->known.replies;
    line->known = *value;
    budget_merge(&line->known.messages, &messages); /* tries replayed before may know more */
    budget_merge(&line->known.fresh, &fresh);
    budget_merge(&line->known.out, &sent);
    reply_days_merge(&line->known.replies, &replies);
    return ERR_NONE;
}

static void restore_mark(struct core *core, const struct event_mark *event)
{
    if (event->seq >= core->next_seq)
        core->next_seq = event->seq + 1;
    if (event->seq != 0 && event->topic < TOPIC_COUNT && event->seq > core->prev_seq[event->topic])
        core->prev_seq[event->topic] = event->seq;
}

static void restore_seen(struct core *core, const struct change_seen *seen)
{
    if (dedupe_find(core, seen->event) == NULL)
        dedupe_remember(core, seen->event, 0, 0, seen->at_ms);
}

static void restore_campaign(struct core *core, const struct change_campaign *campaign)
{
    for (unsigned end = 0; end < ENDS; end++)
        campaign_restore(core, campaign->pool, campaign->name, (enum job_state)(JOB_SENT + end), campaign->ended[end]);
}

static void restore_delivery(struct core *core, const struct change_delivery *told, int64_t at_ms)
{
    if (told->message_hash != 0)
        dedupe_deliver(core, told->message_hash, told->number, NO_LINE, (enum delivery)told->delivery, at_ms);
}

static void restore_audit(struct core *core, const struct change_audit *audit)
{
    if (audit->number >= core->next_audit)
        core->next_audit = audit->number + 1;
}

/* What always finds room: it says more of what is known, or has a place of its own. */
static void restore_told(struct core *core, const struct change *change, bool past)
{
    const struct event_mark *event = &change->event;
    switch (change->kind) {
    case CHANGE_START:
        restore_start(core, change->start);
        break;
    case CHANGE_NAME:
        restore_name(core, change->name);
        break;
    case CHANGE_TRY:
        restore_try(core, &change->try, event, past);
        break;
    case CHANGE_END:
        restore_end(core, &change->end, event->seq, event->at_ms);
        break;
    case CHANGE_PAUSE:
        pause_restore(core, change->pause, past);
        break;
    case CHANGE_OUTCOMES:
        outcomes_restore(core, change->outcomes);
        break;
    case CHANGE_ERASURE:
        erase_restore(core, change->erasure);
        break;
    case CHANGE_FORGOTTEN:
        forget_restore(core, change->conversation.key);
        break;
    case CHANGE_SEEN:
        restore_seen(core, &change->seen);
        break;
    case CHANGE_SUPPRESSION:
        if (!past || change->suppression.over) /* the end of one counts as history too: its beginning may lie there */
            suppression_restore(core, &change->suppression, change->event.at_ms);
        break;
    case CHANGE_REPLIES:
        replied_restore(core, &change->replies);
        break;
    case CHANGE_CAMPAIGN:
        restore_campaign(core, &change->campaign);
        break;
    case CHANGE_DELIVERY:
        restore_delivery(core, &change->delivery, event->at_ms);
        break;
    case CHANGE_AUDIT:
        restore_audit(core, change->audit);
        break;
    case CHANGE_JOB:
    case CHANGE_CONVERSATION:
    case CHANGE_LINE:
    case CHANGE_ORDERS: /* core_restore() */
    case CHANGE_GATE:
    case CHANGE_REPUTATION:
    case CHANGE_KIND_COUNT:
        break;
    }
}

enum err core_restore(struct core *core, const struct change *change, bool past, uint64_t place)
{
    restore_mark(core, &change->event);
    switch (change->kind) { /* what needs a slot, of which there may be none */
    case CHANGE_JOB:
        return restore_job(core, &change->job, past, place);
    case CHANGE_CONVERSATION:
        return past ? ERR_NONE : restore_conversation(core, &change->conversation, place);
    case CHANGE_LINE:
        return past ? ERR_NONE : restore_line(core, change->line);
    case CHANGE_ORDERS:
        return operate_restore(core, change->orders);
    default:
        restore_told(core, change, past);
        return ERR_NONE;
    }
}
