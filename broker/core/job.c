/* job.c — see job.h. */
#include "broker/core/job.h"

#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/chat.h"
#include "broker/core/collapse.h"
#include "broker/core/conversation.h"
#include "broker/core/line.h"
#include "broker/core/replied.h"
#include "broker/core/settle.h"

#define WITHDRAWN [EV_EXPIRE] = JOB_EXPIRED, [EV_CANCEL] = JOB_CANCELLED, [EV_SUPPRESS] = JOB_SUPPRESSED
/* A queued job can still be told `sent`: a late result, or the webhook that echoes its key, settles an unknown
 * outcome. A leased one is never withdrawn; what was asked meanwhile takes effect when it comes back. */
static const enum job_state next_state[JOB_STATE_COUNT][JOB_EVENTS] = {
    [JOB_NONE] = {[EV_ACCEPT_LATER] = JOB_SCHEDULED, [EV_ACCEPT] = JOB_QUEUED},
    [JOB_SCHEDULED] = {[EV_DUE] = JOB_QUEUED, WITHDRAWN},
    [JOB_QUEUED] = {[EV_LEASE] = JOB_LEASED, [EV_SENT] = JOB_SENT, [EV_GIVE_UP] = JOB_FAILED, WITHDRAWN},
    [JOB_LEASED] = {[EV_SENT] = JOB_SENT,
                    [EV_RETRY] = JOB_QUEUED,
                    [EV_RETURNED] = JOB_QUEUED,
                    [EV_LAPSE] = JOB_QUEUED,
                    [EV_REJECTED] = JOB_FAILED,
                    [EV_SUPPRESS] = JOB_SUPPRESSED},
};

enum err job_apply(struct job *job, enum job_event event)
{
    enum job_state to = next_state[job->state][event];
    if (to == JOB_NONE)
        return ERR_FORBIDDEN_MOVE;
    job->state = (uint8_t)to & 0xF;
    return ERR_NONE;
}

void job_move(struct job *job, enum job_event event)
{
    enum err err = job_apply(job, event);
    assert(err == ERR_NONE);
    (void)err;
}

static uint64_t number_of(const void *core, uint32_t slot)
{
    return ((const struct core *)core)->jobs[slot].number;
}

static uint32_t *revived_next_of(void *core, uint32_t slot)
{
    return &((struct core *)core)->revived_next[slot];
}

void index_revived(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_revived, heads, heads_max, core, number_of, revived_next_of);
}

void job_renumber(struct core *core, uint32_t slot, uint64_t number)
{
    struct job *job = &core->jobs[slot];
    if (job->number != 0 && (job->number & JOB_SLOT_MAX) != slot)
        index_remove(&core->by_revived, slot);
    job->number = number;
    if (number != 0 && (number & JOB_SLOT_MAX) != slot)
        index_insert(&core->by_revived, slot);
}

bool job_has_room(const struct core *core)
{
    return core->jobs_free != NOBODY || core->jobs_used < core->limits.jobs_max;
}

static uint32_t take_slot(struct core *core, uint32_t conversation)
{
    uint32_t slot = core->jobs_free;
    if (!job_has_room(core))
        return NOBODY;
    if (slot != NOBODY)
        core->jobs_free = core->jobs[slot].next;
    else
        slot = ++core->jobs_used;
    struct job *job = &core->jobs[slot];
    memset(job, 0, sizeof *job);
    job->place = NOWHERE;
    job->conversation = conversation;
    core->areas[slot] = 0;
    core->jobs_live++;
    return slot;
}

uint32_t job_new(struct core *core, uint32_t conversation)
{
    uint32_t slot = take_slot(core, conversation);
    if (slot != NOBODY)
        core->jobs[slot].number = core->next_job++ << JOB_SLOT_BITS | slot;
    return slot;
}

/* The free slots form a chain with one end, and its own is seldom that end: any other does as well. */
uint32_t job_revive(struct core *core, uint32_t conversation, uint64_t number)
{
    uint32_t slot = take_slot(core, conversation);
    if (slot != NOBODY)
        job_renumber(core, slot, number);
    return slot;
}

void job_free(struct core *core, uint32_t slot)
{
    struct job *job = &core->jobs[slot];
    job_renumber(core, slot, 0);
    job->state = JOB_NONE;
    job_timer(core, slot);
    job->next = core->jobs_free;
    core->jobs_free = slot;
}

uint32_t job_slot_of(const struct core *core, uint64_t number)
{
    uint32_t slot = (uint32_t)(number & JOB_SLOT_MAX);
    if (number == 0)
        return NOBODY;
    bool own = slot <= core->jobs_used && core->jobs[slot].number == number;
    if (own && !job_state_is_final(core->jobs[slot].state))
        return slot;
    /* What ended may still lie in its conversation's list when it lives again elsewhere. */
    uint32_t ended = own ? slot : NOBODY;
    uint32_t at = core->by_revived.entries == 0 ? NOBODY : index_find(&core->by_revived, number);
    for (; at != NOBODY; at = index_find_next(&core->by_revived, number, at)) {
        if (!job_state_is_final(core->jobs[at].state))
            return at;
        ended = at;
    }
    return ended;
}

uint32_t job_find(const struct core *core, uint64_t number)
{
    uint32_t slot = job_slot_of(core, number);
    return slot != NOBODY && !job_state_is_final(core->jobs[slot].state) ? slot : NOBODY;
}

bool job_is_waiting(const struct job *job)
{
    return job->state == JOB_QUEUED || job->state == JOB_SCHEDULED;
}

bool job_was_tried(const struct job *job)
{
    return job->attempts > 0 || job->state == JOB_LEASED || (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0;
}

bool job_is_listed(const struct job *job)
{
    return job->next != NOBODY;
}

void job_timer(struct core *core, uint32_t slot)
{
    const struct job *job = &core->jobs[slot];
    int64_t at_ms = TIME_NEVER;
    if (job_is_waiting(job)) { /* a leased one is looked at when it comes back */
        int64_t due = job_due_ms(job);
        int64_t expires = job_expires_ms(job);
        if (due != 0)
            at_ms = due;
        if (expires != 0 && expires < at_ms)
            at_ms = expires;
    }
    wall_timer(core, WALL_JOB, slot, at_ms);
}

void job_set_order(struct core *core, struct job *job, uint64_t order)
{
    job->flags |= JOB_ORDERED;
    core->job_orders[job_slot(core, job)] = order;
}

uint64_t job_order(const struct core *core, const struct job *job)
{
    return (job->flags & JOB_ORDERED) != 0 ? core->job_orders[job_slot(core, job)] : job_sequence(job);
}

uint64_t job_came(const struct core *core, const struct job *job)
{
    return job->life > 0 ? job_order(core, job) : job_sequence(job);
}

/* A lease is of the moment in which it was given, unless the clock went back since. */
static int64_t bucket_told(const struct lease *lease, struct instant now)
{
    int64_t bucket = now.wall_ms / BUDGET_BUCKET_MS;
    return lease != NULL && lease->bucket < bucket ? lease->bucket : bucket;
}

void job_record_try(struct core *core, uint32_t slot, const struct lease *lease, int http_status, int64_t code,
                    enum topic topic, struct instant now, struct effects *out)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    struct change *change = change_add(out, CHANGE_TRY);
    change->try = (struct change_try){
        .number = job->number,
        .order = job_order(core, job),
        .due_ms = job_due_ms(job),
        .state = job->state,
        .attempts = job->attempts,
        .failures = job->failures,
        .unsettled = (job->flags & JOB_UNSETTLED) != 0,
        .wide = (job->flags & JOB_WIDE) != 0,
        .cancel = (job->flags & JOB_CANCEL) != 0,
        .doubtful = (job->flags & JOB_DOUBTFUL) != 0,
        .http_status = (uint16_t)http_status,
        .code = code,
        .expires_told = 1 + job_expires_ms(job),
    };
    if ((conversation->flags & CONVERSATION_BOUND) != 0) {
        const struct line *line = &core->lines[conversation->line];
        int64_t bucket = bucket_told(lease, now);
        change->try.line = line->known.number;
        change->try.bucket = bucket;
        change->try.bucket_messages = line->known.messages.count[bucket % BUDGET_BUCKETS];
        change->try.bucket_new = line->known.fresh.count[bucket % BUDGET_BUCKETS];
        change->try.bucket_out = line->known.out.count[bucket % BUDGET_BUCKETS];
    }
    if (lease != NULL) {
        change->try.lease = lease->id;
        change->try.instance = lease->instance;
        change->try.placed_told = lease->placed ? 2 : 1;
        change->try.told_sent = lease->told.sent;
        if (lease->out != 0)
            change->try.before_ms = lease->last_out == 0 ? -1 : moment_ms(lease->last_out);
    }
    if (topic != TOPIC_NONE)
        change_mark(core, change, topic, now);
    else
        change->event.at_ms = now.wall_ms;
}

void job_renew_try(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    const struct lease *lease = job->state == JOB_LEASED ? &core->leases[job->left] : NULL;
    job_record_try(core, slot, lease, 0, 0, TOPIC_NONE, now, out);
    out->changes[out->change_count - 1].try.out_ms = conversation->last_out == 0 ? -1 : moment_ms(conversation->last_out);
}

static enum topic topic_of_end(enum job_state state)
{
    static const enum topic topics[JOB_STATE_COUNT] = {
        [JOB_SENT] = TOPIC_JOB_SENT,           [JOB_FAILED] = TOPIC_JOB_FAILED,
        [JOB_EXPIRED] = TOPIC_JOB_EXPIRED,     [JOB_CANCELLED] = TOPIC_JOB_CANCELLED,
        [JOB_SUPPRESSED] = TOPIC_JOB_SUPPRESSED,
    };
    return topics[state];
}

static void count_end(struct core *core, enum job_state state)
{
    switch (state) {
    case JOB_SENT:
        core->totals.sent_total++;
        break;
    case JOB_FAILED:
        core->totals.failed_total++;
        break;
    case JOB_EXPIRED:
        core->totals.expired_total++;
        break;
    case JOB_CANCELLED:
        core->totals.cancelled_total++;
        break;
    case JOB_SUPPRESSED:
        core->totals.suppressed_total++;
        break;
    case JOB_NONE:
    case JOB_SCHEDULED:
    case JOB_QUEUED:
    case JOB_LEASED:
    case JOB_STATE_COUNT:
        assert(false);
    }
}

static void record_end(struct core *core, const struct job *job, const struct job_ending *ending, struct instant now,
                       struct effects *out)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    struct change *change = change_add(out, CHANGE_END);
    change->end = (struct change_end){
        .number = job->number,
        .conversation = conversation->key,
        .state = job->state,
        .attempts = job->attempts,
        .code = (uint8_t)ending->code,
        .dead = ending->dead,
        .life = job->life,
        .message_hash = ending->message_hash,
        .provider_code = ending->provider_code,
        .streak_told = (uint8_t)(conversation->streak + 1),
        .out_ago_s = chat_out_ago_s(conversation, now),
        .expires_told = 1 + job_expires_ms(job),
    };
    if (job->campaign != 0)
        campaign_end(core, job, &change->end);
    bool out_here = ending->line == 0; /* else what its line has sent by now says nothing of that one */
    if (out_here && (job->state == JOB_SENT || ending->code == CODE_OUTCOME_UNKNOWN))
        replied_tell(core, job, &change->end, now);
    change->end.line = ending->line;
    if (ending->line == 0 && (conversation->flags & CONVERSATION_BOUND) != 0)
        change->end.line = core->lines[conversation->line].known.number;
    change->sections[SECTION_RESULT] = ending->result;
    if (ending->dead) {
        change->copy_mask = 1u << SECTION_RECIPIENTS | 1u << SECTION_ENVELOPE | 1u << SECTION_PAYLOAD;
        change->copy_kind = CHANGE_JOB;
        change->copy_key = job->number;
        change->copy_place = job->place;
    }
    change->release_kind = CHANGE_JOB;
    change->release_place = job->place;
    change_mark(core, change, topic_of_end(job->state), now);
}

void job_end(struct core *core, uint32_t slot, const struct job_ending *ending, struct instant now,
             struct effects *out)
{
    struct job *job = &core->jobs[slot];
    bool scheduled = job->state == JOB_SCHEDULED;
    bool tried = job_was_tried(job);
    if ((job->flags & JOB_YIELDED) != 0)
        campaign_leave(core, slot);
    collapse_remove(core, slot);
    turns_withdraw(core, job->conversation, slot);
    backlog_remove(core, slot);
    job_move(job, ending->event);
    job_timer(core, slot);
    count_end(core, job->state);
    record_end(core, job, ending, now, out);
    core->jobs_live--;
    uint32_t was = job->conversation;
    if (!job_is_listed(job)) {
        core->conversations[was].scheduled -= scheduled;
        job_free(core, slot);
    }
    if (tried) /* looks at all that waits there: what was not is no reason to */
        conversation_loosen(core, was, now);
    else
        conversation_unpin(core, was, now);
    conversation_settle(core, was, now); /* also when it had just lost the first place to another */
}
