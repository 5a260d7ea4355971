/* replied.c — see replied.h. */
#include "broker/core/replied.h"

#include "broker/core/campaign.h"
#include "broker/core/line.h"
#include "broker/core/reply_days.h"

/* NULL: a campaign for which there was no room. It counts with its pool all the same. */
static struct reply_group *group_of(struct core *core, uint16_t pool, uint16_t campaign, unsigned class)
{
    if (campaign == 0)
        return pool < core->limits.names_max ? &core->replies[pool].of[class] : NULL;
    uint32_t slot = campaign_find(core, pool, campaign);
    return slot != NOBODY ? &core->campaigns[slot].replies.of[class] : NULL;
}

static void count_out(struct reply_group *group, uint32_t today)
{
    if (group == NULL)
        return;
    reply_days_out(&group->days, today);
    group->unrecorded = true;
}

void replied_count_out(struct core *core, uint32_t slot, struct instant now)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    uint32_t today = reply_day(now.wall_ms);
    uint16_t pool = core->pools[conversation->pool].name;
    if ((conversation->flags & CONVERSATION_BOUND) == 0)
        return;
    reply_days_out(&core->lines[conversation->line].known.replies, today);
    count_out(group_of(core, pool, 0, job->class), today);
    if (job->campaign != 0)
        count_out(group_of(core, pool, job->campaign, job->class), today);
    core->last_outs[job->conversation] = (struct last_out){
        .day = today & 0x3FFF, .class = job->class, .campaign = job->campaign, .waits = true};
}

void replied_tell(const struct core *core, const struct job *job, struct change_end *end, struct instant now)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    uint32_t today = reply_day(now.wall_ms);
    if ((conversation->flags & CONVERSATION_BOUND) == 0)
        return;
    end->pool = core->pools[conversation->pool].name;
    end->class = job->class;
    end->line_sent = reply_days_sent(&core->lines[conversation->line].known.replies, today);
    end->pool_sent = reply_days_sent(&core->replies[end->pool].of[job->class].days, today);
    uint32_t campaign = campaign_find(core, end->pool, job->campaign);
    if (campaign != NOBODY)
        end->campaign_sent = reply_days_sent(&core->campaigns[campaign].replies.of[job->class].days, today);
}

static void count_in(struct core *core, uint16_t pool, uint16_t campaign, const struct last_out *last,
                     struct instant now, struct effects *out)
{
    struct reply_group *group = group_of(core, pool, campaign, last->class);
    if (group != NULL && reply_days_answered(&group->days, last->day))
        replied_record(core, pool, campaign, last->class, now, out);
}

void replied_count_in(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    const struct last_out last = core->last_outs[at];
    core->last_outs[at].waits = false;
    if (!last.waits || (conversation->flags & CONVERSATION_BOUND) == 0)
        return;
    reply_days_answered(&core->lines[conversation->line].known.replies, last.day); /* recorded with its budget */
    uint16_t pool = core->pools[conversation->pool].name;
    count_in(core, pool, 0, &last, now, out);
    if (last.campaign != 0)
        count_in(core, pool, last.campaign, &last, now, out);
}

/* ---- records ---- */

void replied_record(struct core *core, uint16_t pool, uint16_t campaign, unsigned class, struct instant now,
                    struct effects *out)
{
    struct reply_group *group = group_of(core, pool, campaign, class);
    if (group == NULL)
        return;
    struct change *change = change_add(out, CHANGE_REPLIES);
    change->replies = (struct change_replies){
        .pool = pool, .campaign = campaign, .class = (uint8_t)class, .days = group->days};
    change->event.at_ms = now.wall_ms;
    group->unrecorded = false;
}

static bool refresh(struct core *core, uint16_t pool, uint16_t campaign, const struct reply_groups *groups,
                    struct instant now, struct effects *out)
{
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        if (!groups->of[class].unrecorded)
            continue;
        if (!effects_have_room(out))
            return false;
        replied_record(core, pool, campaign, class, now, out);
    }
    return true;
}

bool replied_refresh(struct core *core, struct instant now, struct effects *out)
{
    bool whole = true;
    for (uint32_t name = 1; name < core->name_count && whole; name++)
        whole = refresh(core, (uint16_t)name, 0, &core->replies[name], now, out);
    for (uint32_t slot = 1; slot <= core->campaigns_used && whole; slot++) {
        const struct campaign *campaign = &core->campaigns[slot];
        whole = refresh(core, campaign->pool, campaign->name, &campaign->replies, now, out);
    }
    return whole;
}

void replied_restore(struct core *core, const struct change_replies *value)
{
    if (value->campaign != 0)
        campaign_get(core, value->pool, value->campaign);
    struct reply_group *group = group_of(core, value->pool, value->campaign, value->class);
    if (group != NULL)
        reply_days_merge(&group->days, &value->days);
}

static void restore_sent(struct core *core, uint16_t campaign, const struct change_end *end, uint32_t day, uint32_t sent)
{
    struct reply_group *group = sent > 0 ? group_of(core, end->pool, campaign, end->class) : NULL;
    if (group == NULL)
        return;
    reply_days_restore(&group->days, day, sent);
    group->unrecorded = true;
}

void replied_restore_end(struct core *core, const struct change_end *end, int64_t at_ms)
{
    uint32_t day = reply_day(at_ms);
    uint32_t line = end->line_sent > 0 ? line_get(core, 0, end->line, (struct instant){0}) : NO_LINE;
    if (line != NO_LINE) /* its own record may come later */
        reply_days_restore(&core->lines[line].known.replies, day, end->line_sent);
    restore_sent(core, 0, end, day, end->pool_sent);
    if (end->campaign != 0)
        restore_sent(core, end->campaign, end, day, end->campaign_sent);
}

struct last_out replied_last(const struct change_end *end, int64_t at_ms)
{
    return (struct last_out){.day = reply_day(at_ms) & 0x3FFF,
                             .class = end->class & 3,
                             .campaign = end->campaign & 0x7FFF,
                             .waits = end->line_sent > 0};
}

/* ---- views ---- */

bool core_line_replies(const struct core *core, size_t at, struct instant now, uint32_t *pool, struct reply_counts *out)
{
    if (at >= core->line_count)
        return false;
    const struct line *line = &core->lines[at];
    *pool = line_has_pool(line) ? line->pool : UINT32_MAX;
    *out = reply_days_sum(&line->known.replies, reply_day(now.wall_ms));
    return true;
}

bool core_campaign_replies(const struct core *core, uint32_t at, struct instant now, uint32_t *pool,
                           struct reply_counts *out)
{
    if (at >= core->campaigns_used)
        return false;
    const struct campaign *campaign = &core->campaigns[at + 1];
    *pool = core_pool_of_name(core, campaign->pool);
    *out = (struct reply_counts){0};
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        struct reply_counts of = reply_days_sum(&campaign->replies.of[class].days, reply_day(now.wall_ms));
        out->sent += of.sent;
        out->answered += of.answered;
    }
    return true;
}

struct reply_counts core_pool_replies(const struct core *core, uint32_t pool, enum job_class class, struct instant now)
{
    return reply_days_sum(&core->replies[core->pools[pool].name].of[class].days, reply_day(now.wall_ms));
}
