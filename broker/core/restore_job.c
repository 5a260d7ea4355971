/* restore_job.c — a job comes back: that it was accepted, what its tries did, how it ended. */
#include "broker/core/restore.h"

#include <string.h>

#include "broker/core/ages.h"
#include "broker/core/campaign.h"
#include "broker/core/collapse.h"
#include "broker/core/conversation.h"
#include "broker/core/dedupe.h"
#include "broker/core/job.h"
#include "broker/core/jump.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/pair.h"
#include "broker/core/quiet.h"
#include "broker/core/replied.h"

static void note_sequence(struct core *core, uint64_t number)
{
    if (number >> JOB_SLOT_BITS >= core->next_job)
        core->next_job = (number >> JOB_SLOT_BITS) + 1;
}

/* That it was ever accepted. */
static void note_job(struct core *core, const struct change_job *job, bool past)
{
    note_sequence(core, job->number);
    if (!past)
        ages_note(&core->ages, job->accepted_at_ms, job->number >> JOB_SLOT_BITS);
    dedupe_restore(core, job->id_hash, job->number, job->content_hash, job->accepted_at_ms);
    if ((job->flags & CHANGE_JOB_EXPORTED) != 0)
        dedupe_keep(core, job->id_hash, job->accepted_at_ms);
}

/* Does what is known of its slot say more than this record? Of the same life, where that lies is noted; an earlier life
 * leaves its slot. */
static bool is_outdated(struct core *core, const struct change_job *job, uint32_t slot, uint64_t place)
{
    uint32_t known = job_slot_of(core, job->number);
    if (known != NOBODY && core->jobs[known].life >= job->life) { /* moved by the cleaner, or of an earlier life */
        if (core->jobs[known].life == job->life)
            core->jobs[known].place = place;
        return true;
    }
    if (known != NOBODY) /* it ended, and was requeued: it begins anew */
        job_renumber(core, known, 0);
    return job->life == 0 && job_at(core, slot)->number > job->number; /* an older tenant of the slot: ended long ago */
}

static void fill_job(struct core *core, uint32_t slot, const struct change_job *job, uint64_t place)
{
    struct job *at = job_at(core, slot);
    if (slot > core->jobs_used)
        core->jobs_used = slot;
    job_renumber(core, slot, 0);
    memset(at, 0, sizeof *at);
    job_renumber(core, slot, job->number);
    at->life = job->life;
    at->place = place;
    at->class = job->class & 3;
    at->campaign = job->campaign;
    at->flags = job->flags & JOB_PINNED;
    at->has_link = job->has_link;
    at->zone = quiet_zone(core, job->zone) & ZONES_MAX;
    core->areas[slot] = job->area;
    at->state = job->due_ms != 0 ? JOB_SCHEDULED : JOB_QUEUED;
    job_set_due(at, job->due_ms);
    job_set_expires(at, job->expires_ms);
    restore_set_order(at, job->order != 0 ? job->order : job_sequence(at));
    if (job->order >= core->next_job)
        core->next_job = job->order + 1;
    if (job->collapse != 0)
        collapse_note(core, slot, job->collapse);
    restore_set_id(core, at, job->id_hash);
    dedupe_live_again(core, job->id_hash, job->number);
}

/* The line that its producer named, and the chat. */
static enum err restore_pin(struct core *core, struct job *at, const struct change_job *job)
{
    uint32_t line = line_get(core, 0, job->from_line, (struct instant){.wall_ms = job->accepted_at_ms});
    if (line == NO_LINE)
        return ERR_FULL;
    at->next = line + 1; /* see restore_finish.c */
    struct conversation *home = &core->conversations[at->conversation];
    if (job->chat_hash != 0 && (home->flags & CONVERSATION_BOUND) == 0) {
        home->line = line & NO_LINE;
        home->flags |= CONVERSATION_BOUND;
        conversation_set_chat(core, at->conversation, job->chat_hash);
    }
    return ERR_NONE;
}

enum err restore_job(struct core *core, const struct change_job *job, bool past, uint64_t place)
{
    note_job(core, job, past);
    if (past)
        return ERR_NONE;
    uint32_t slot = job->slot != 0 ? job->slot : (uint32_t)(job->number & JOB_SLOT_MAX);
    if (slot == NOBODY || slot > core->limits.jobs_max)
        return ERR_FULL;
    if (is_outdated(core, job, slot, place))
        return ERR_NONE;
    uint32_t conversation = restore_home(core, job->conversation, job->pool);
    if (conversation == NOBODY)
        return ERR_FULL;
    fill_job(core, slot, job, place);
    job_at(core, slot)->conversation = conversation;
    return job->from_line == 0 ? ERR_NONE : restore_pin(core, job_at(core, slot), job);
}

static struct job *restored(struct core *core, uint64_t number)
{
    uint32_t slot = job_slot_of(core, number);
    note_sequence(core, number);
    return slot == NOBODY ? NULL : &core->jobs[slot];
}

/* A try was leased then, or not much before. */
static void restore_out(struct core *core, uint32_t at, int64_t at_ms)
{
    struct conversation *conversation = &core->conversations[at];
    int64_t latest_ms = core->tries_ms + BUDGET_BUCKETS * BUDGET_BUCKET_MS; /* as in bucket_now() */
    if (core->tries_ms > 0 && moment_ms(conversation->last_out) > latest_ms)
        conversation->last_out = moment_of(core->tries_ms);
    pair_restore(core, at, at_ms);
    if (moment_of(at_ms) > conversation->last_out)
        conversation->last_out = moment_of(at_ms);
}

/* The wall clock may have gone back since the bucket of a try was counted. What was counted by then was brought back with
 * it (jump.h), here as there: else buckets of a time that may be a year away would count, and none from after it. */
static int64_t bucket_now(struct core *core, int64_t bucket, const struct event_mark *event)
{
    bool later = event->seq > core->tries_seq && event->at_ms > 0;
    if (later) {
        jump_replayed(core, core->tries_ms, event->at_ms);
        core->tries_seq = event->seq;
        core->tries_ms = event->at_ms;
    }
    /* One that is said anew may well be younger than the newest try that is still there, but not by a day. */
    int64_t latest = core->tries_ms / BUDGET_BUCKET_MS + 1;
    return core->tries_ms > 0 && bucket > latest + BUDGET_BUCKETS ? latest : bucket;
}

/* What the job was leased for surely made nothing: its conversation was not written to then. */
static void restore_undone(struct core *core, const struct job *job)
{
    struct conversation *conversation = &core->conversations[job->conversation];
    if (!lease_is_restored(core, job->parent, job->number))
        return;
    const struct lease *lease = &core->leases[job->parent];
    if (lease->out == 0 || conversation->last_out != lease->out)
        return;
    pair_return(core, job->conversation);
    conversation->last_out = lease->last_out & 0x3FFFFFFF;
}

/* Which line a conversation lives on follows in the end from those of its jobs that were tried (restore_finish.c): here
 * each only remembers its own (`next`: 1 + line), for it may not be the last word. */
void restore_try(struct core *core, const struct change_try *try, const struct event_mark *event, bool past)
{
    bool anew = event->seq == 0;
    int64_t at_ms = event->at_ms;
    int64_t bucket = bucket_now(core, try->bucket, event);
    uint32_t line = try->line == 0 ? NO_LINE : line_find(core, try->line);
    if (try->lease >> LEASE_SLOT_BITS >= core->next_lease)
        core->next_lease = (try->lease >> LEASE_SLOT_BITS) + 1;
    if (try->order >= core->next_job)
        core->next_job = try->order + 1;
    struct job *job = restored(core, try->number);
    if (job != NULL && line == NO_LINE && try->line != 0)
        line = line_get(core, 0, try->line, (struct instant){0}); /* its own record comes later */
    if (line != NO_LINE) {
        budget_restore(&core->lines[line].known.messages, bucket, try->bucket_messages);
        budget_restore(&core->lines[line].known.fresh, bucket, try->bucket_new);
        budget_restore(&core->lines[line].known.out, bucket, try->bucket_out);
        if (try->state == JOB_LEASED && at_ms > core->lines[line].last_try_ms)
            core->lines[line].last_try_ms = at_ms;
    }
    /* What is said anew may stand for a lease whose own record is gone, and is younger than that. */
    int64_t out_ms = try->out_ms != 0 ? try->out_ms : at_ms;
    if (job != NULL && out_ms > 0 && (try->state == JOB_LEASED || (anew && try->attempts > 0)))
        restore_out(core, job->conversation, out_ms);
    if (past || job == NULL || job_state_is_final(job->state))
        return;
    bool back = job->state == JOB_LEASED && try->state != JOB_LEASED;
    if (back && !try->unsettled)
        restore_undone(core, job);
    if (back && try->unsettled)
        lease_lapse_restored(core, job->parent, job->number);
    else if (job->state == JOB_LEASED)
        lease_forget_restored(core, job->parent, job->number);
    job->state = try->state == JOB_LEASED || try->state == JOB_SCHEDULED ? (uint8_t)(try->state & 0xF) : JOB_QUEUED;
    job->attempts = try->attempts;
    job->failures = try->failures;
    job->flags = (uint8_t)((job->flags & JOB_PINNED) | (try->unsettled ? JOB_UNSETTLED : 0) | (try->wide ? JOB_WIDE : 0) |
                           (try->cancel ? JOB_CANCEL : 0) | (try->doubtful ? JOB_DOUBTFUL : 0));
    job->parent = 0;
    job->rank = try->line != 0;
    if (line != NO_LINE)
        job->next = line + 1;
    else if ((job->flags & JOB_PINNED) == 0)
        job->next = 0;
    job_set_due(job, try->due_ms);
    if (try->expires_told != 0)
        job_set_expires(job, try->expires_told - 1);
    restore_set_order(job, try->order);
    if (job->state == JOB_LEASED && line != NO_LINE) {
        lease_restore(core, try, out_ms, line);
        job->parent = (uint32_t)(try->lease & LEASE_SLOT_MAX);
    }
}

/* Where the job's own records are gone, its end tells that its conversation was written to. That one's record may come
 * later: if none does, an empty conversation is forgotten in the end. */
static void restore_end_out(struct core *core, const struct change_end *end, int64_t at_ms)
{
    bool out = end->state == JOB_SENT || end->code == CODE_OUTCOME_UNKNOWN;
    uint32_t at = !out ? NOBODY : conversation_find(core, end->conversation);
    if (out && at == NOBODY)
        at = conversation_new(core, end->conversation, 0);
    for (unsigned try = 0; at != NOBODY && try < end->attempts; try++)
        restore_out(core, at, at_ms);
}

/* A message that went out, or may have. Its conversation's record may come later: if none does, it is forgotten. */
static void restore_streak(struct core *core, const struct change_end *end, uint64_t seq, int64_t at_ms)
{
    if ((end->state != JOB_SENT && end->code != CODE_OUTCOME_UNKNOWN) || end->streak_told == 0)
        return;
    uint32_t at = conversation_find(core, end->conversation);
    if (at == NOBODY)
        at = conversation_new(core, end->conversation, 0);
    struct conversation *conversation = &core->conversations[at];
    unsigned streak = end->streak_told - 1u;
    uint32_t ended = moment_of(at_ms);
    uint32_t out = ended > end->out_ago_s ? ended - end->out_ago_s : 0;
    if (at != NOBODY && out > conversation->last_out)
        conversation->last_out = out & 0x3FFFFFFF;
    if (at == NOBODY || seq < restore_known_to(conversation))
        return;
    if (conversation->streak != streak || seq > restore_known_to(conversation))
        conversation->flags |= CONVERSATION_AHEAD;
    conversation->streak = streak & STREAK_MAX;
    core->last_outs[at] = replied_last(end, at_ms);
    restore_set_known_to(conversation, seq + 1);
}

static void restore_message(struct core *core, const struct change_end *end, int64_t at_ms)
{
    uint32_t line = end->line == 0 ? NO_LINE : line_get(core, 0, end->line, (struct instant){0});
    dedupe_remember_message(core, end->message_hash, end->number, line, at_ms);
}

void restore_end(struct core *core, const struct change_end *end, uint64_t seq, int64_t at_ms)
{
    struct job *job = restored(core, end->number);
    restore_streak(core, end, seq, at_ms);
    if (end->campaign != 0)
        campaign_restore(core, end->pool, end->campaign, (enum job_state)end->state, end->campaign_ended);
    replied_restore_end(core, end, at_ms);
    if (end->message_hash != 0)
        restore_message(core, end, at_ms);
    if (job == NULL) {
        restore_end_out(core, end, at_ms);
        return;
    }
    if (end->life < job->life) /* requeued since */
        return;
    bool out = end->state == JOB_SENT || end->code == CODE_OUTCOME_UNKNOWN;
    if (job->state == JOB_LEASED && !out)
        restore_undone(core, job);
    if (job->state == JOB_LEASED)
        lease_forget_restored(core, job->parent, job->number);
    job->state = end->state & 0xF;
    job->parent = 0;
    dedupe_restore_end(core, restore_id(core, job), end->number, at_ms);
}
