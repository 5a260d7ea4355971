/* enqueue.c — accepting and refusing jobs, and cancelling them (PROTOCOL, Producers). Form was checked by the edge;
 * here come pool and line, duplicates, suppression, stickiness, first-message rules, holds and room, in the
 * contract's order. */
#include "broker/core/ages.h"
#include "broker/core/campaign.h"
#include "broker/core/collapse.h"
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/decide.h"
#include "broker/core/dedupe.h"
#include "broker/core/enqueue.h"
#include "broker/core/flow.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/purge.h"
#include "broker/core/quiet.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"

static struct refusal refuse(enum code code, const char *field)
{
    return (struct refusal){code, field};
}

/* A line that the job names must belong to its pool; lines of an `all` pool are known once heard of. */
static bool pool_has_line(const struct core *core, uint32_t pool, uint64_t number)
{
    uint32_t at = line_find(core, number);
    return at != NO_LINE && core->lines[at].pool == pool;
}

bool enqueue_find_twin(const struct core *core, const struct core_enqueue *job, struct instant now, struct effect *out)
{
    const struct remembered *known = dedupe_find(core, job->id_hash);
    if (known == NULL)
        return false;
    out->number = known->number;
    if (known->content_hash != job->content_hash) {
        out->code = CODE_ID_CONFLICT;
        out->field = "id";
        return true;
    }
    out->duplicate = true;
    uint32_t slot = job_find(core, known->number);
    if (slot != NOBODY) { /* else it is final: the edge looks its end up */
        out->state = (enum job_state)core->jobs[slot].state;
        out->reason = decide(core, slot, DECIDE_FULL, now).reason;
    }
    return true;
}

static bool answers_duplicate(struct core *core, const struct core_enqueue *job, struct instant now,
                              struct effects *out)
{
    struct effect twin = {.kind = EFFECT_ENQUEUED, .token = job->token, .index = job->index};
    if (!enqueue_find_twin(core, job, now, &twin))
        return false;
    *effect_add(out, EFFECT_ENQUEUED) = twin;
    return true;
}

static struct refusal judge_line(const struct core *core, const struct core_enqueue *job,
                                 const struct conversation *conversation)
{
    if (job->from_line == 0 || conversation == NULL)
        return refuse(CODE_NONE, NULL);
    bool placed = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (placed && core->lines[conversation->line].known.number != job->from_line)
        return refuse(CODE_LINE_CONFLICT, "from");
    return refuse(CODE_NONE, NULL);
}

/* One that was accepted long ago takes the place of nobody who is newer. */
static bool is_superseded(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation)
{
    return job->exported && conversation != NULL &&
           collapse_waits(core, (uint32_t)(conversation - core->conversations), job->collapse,
                          job->exported_as >> JOB_SLOT_BITS);
}

/* Is there room for it, and for what is new with it? */
static struct refusal judge_room(const struct core *core, const struct core_enqueue *job,
                                 const struct conversation *conversation)
{
    bool housed = conversation == NULL ? conversation_has_room(core)
                                       : conversation->scheduled < CONVERSATION_SCHEDULED_MAX;
    if (core->jobs_live >= core->jobs_max)
        return refuse(CODE_BUSY, NULL);
    if (!housed || !job_has_room(core))
        return refuse(CODE_BUSY, NULL);
    if (!campaign_has_room(core, core->pools[job->pool].name, job->campaign))
        return refuse(CODE_BUSY, "campaign");
    return refuse(CODE_NONE, NULL);
}

/* What depends on the state of things, in the contract's order. */
static struct refusal judge(const struct core *core, const struct core_enqueue *job,
                            const struct conversation *conversation, bool store_full)
{
    struct refusal refusal;
    if (suppression_stops(core, job->recipient, job->conversation) ||
        (conversation != NULL && conversation->health == CHAT_OPTED_OUT))
        return refuse(CODE_OPTED_OUT, "to");
    if ((refusal = judge_line(core, job, conversation)).code != CODE_NONE)
        return refusal;
    bool begun = conversation != NULL && conversation_has_begun(conversation);
    bool knows_chat = begun || (job->chat_hash != 0 && job->from_line != 0);
    if (job->has_link && !knows_chat && !core->pools[job->pool].policy.links_allowed)
        return refuse(CODE_NOT_ALLOWED, "message");
    if (is_superseded(core, job, conversation))
        return refuse(CODE_SUPERSEDED, "collapse_key");
    if ((refusal = judge_room(core, job, conversation)).code != CODE_NONE)
        return refusal;
    if (store_full)
        return refuse(CODE_STORE_FULL, NULL);
    return refuse(CODE_NONE, NULL);
}

static void answer_refusal(struct core *core, const struct core_enqueue *job, struct refusal refusal,
                           struct effects *out)
{
    struct effect *effect = effect_add(out, EFFECT_ENQUEUED);
    effect->token = job->token;
    effect->index = job->index;
    effect->code = refusal.code;
    effect->field = refusal.field;
    core->totals.refused_total++;
}

/* A chat that the producer knows makes the conversation a known one, on the line it names. */
static void adopt_chat(struct core *core, uint32_t at, const struct core_enqueue *job, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    uint32_t first = conversation_first(core, conversation);
    if (job->chat_hash == 0 || job->from_line == 0 ||
        (conversation->flags & (CONVERSATION_CHAT | CONVERSATION_RECORDED)) != 0)
        return; /* one that has a record is known without it, and the record would not have it */
    if (first != NOBODY)
        turns_withdraw(core, at, first); /* whoever waits in it waits as a known one from now on */
    conversation_set_chat(core, at, job->chat_hash);
    if ((conversation->flags & CONVERSATION_BOUND) == 0) /* else its first try is out, or was in vain */
        conversation_bind(core, at, line_find(core, job->from_line), false);
    if (first != NOBODY)
        conversation_settle(core, at, now);
}

uint32_t enqueue_house(struct core *core, const struct core_enqueue *job, struct instant now, struct effects *out)
{
    uint32_t at = conversation_find(core, job->conversation);
    if (at == NOBODY)
        at = conversation_new(core, job->conversation, job->pool);
    assert(at != NOBODY);
    adopt_chat(core, at, job, now);
    struct conversation *conversation = &core->conversations[at];
    bool placed = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    uint32_t first = conversation_first(core, conversation);
    if (job->from_line != 0 && placed) {
        conversation->flags |= CONVERSATION_PINNED;
    } else if (job->from_line != 0) {
        if (first != NOBODY)
            turns_withdraw(core, at, first); /* it waits for the pinned line from now on, with all before it */
        recipient_leaves(core, conversation, now, out);
        conversation_bind(core, at, line_find(core, job->from_line), true);
        if (first != NOBODY) /* a new one has no job yet, and would be dropped */
            conversation_settle(core, at, now);
    }
    purge_end(core, at); /* nobody is suppressed, or it would not be accepted */
    return at;
}

static void insert(struct core *core, uint32_t slot, struct instant now)
{
    uint32_t at = core->jobs[slot].conversation;
    struct conversation *conversation = &core->conversations[at];
    uint32_t first = conversation_first(core, conversation);
    bool ordered = (core->jobs[slot].flags & JOB_ORDERED) != 0;
    if (first != NOBODY && (ordered || core->jobs[slot].class < core->jobs[first].class))
        turns_withdraw(core, at, first);
    if (ordered)
        conversation_return(core, conversation, slot);
    else
        conversation_insert(core, conversation, slot, false);
    backlog_add(core, slot);
    flow_note(core, slot, now);
    conversation_unpin(core, at, now); /* the last that was in no list may be now */
    conversation_settle(core, at, now);
}

/* What the producer said of a chat outlives the job that said it, which may end unsent. */
static void record_chat(struct core *core, uint32_t at, const struct core_enqueue *job, struct instant now,
                        struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    const struct conversation_news news = {
        .chat_hash = job->chat_hash, .chat_id = job->chat_id, .recipients = job->recipients};
    bool known = (conversation->flags & CONVERSATION_RECORDED) == 0 && (conversation->flags & CONVERSATION_BOUND) != 0 &&
                 (conversation->flags & CONVERSATION_CHAT) != 0;
    if (known && job->from_line != 0 && job->chat_hash != 0 && conversation_has_chat(conversation, job->chat_hash))
        conversation_record(core, at, &news, now, out);
}

struct change *enqueue_record(struct core *core, uint32_t slot, const struct core_enqueue *job, int64_t accepted_at_ms,
                              struct instant now, struct effects *out)
{
    const struct job *accepted = &core->jobs[slot];
    if (accepted->campaign != 0)
        campaign_accept(core, accepted);
    if (job->collapse != 0)
        collapse_add(core, slot, job->collapse);
    struct change *change = change_add(out, CHANGE_JOB);
    change->job = (struct change_job){
        .number = accepted->number,
        .conversation = job->conversation,
        .id_hash = job->id_hash,
        .content_hash = job->content_hash,
        .from_line = job->from_line,
        .accepted_at_ms = accepted_at_ms,
        .due_ms = accepted->state == JOB_SCHEDULED ? job->due_ms : 0,
        .expires_ms = job->expires_ms,
        .pool = core->pools[job->pool].name,
        .campaign = job->campaign,
        .class = (uint8_t)job->class,
        .flags = (uint8_t)((accepted->flags & JOB_PINNED) | (job->exported ? CHANGE_JOB_EXPORTED : 0)),
        .life = accepted->life,
        .order = (accepted->flags & JOB_ORDERED) != 0 ? job_order(core, accepted) : 0,
        .collapse = job->collapse,
        .slot = (accepted->number & JOB_SLOT_MAX) == slot ? 0 : slot,
        .has_link = job->has_link,
        .zone = job->zone,
        .area = job->area,
    };
    change->sections[SECTION_RECIPIENTS] = job->recipients;
    change->sections[SECTION_ENVELOPE] = job->envelope;
    change->sections[SECTION_PAYLOAD] = job->payload;
    record_chat(core, accepted->conversation, job, now, out);
    return change;
}

static uint32_t accept(struct core *core, uint32_t at, const struct core_enqueue *job, struct instant now)
{
    ages_note(&core->ages, now.wall_ms, core->next_job);
    uint32_t slot = job_new(core, at);
    assert(slot != NOBODY);
    struct job *accepted = job_at(core, slot);
    accepted->class = job->class;
    accepted->campaign = job->campaign & 0x7FFF;
    accepted->has_link = job->has_link;
    accepted->zone = quiet_zone(core, job->zone) & ZONES_MAX;
    core->areas[slot] = job->area;
    accepted->flags = job->from_line != 0 ? JOB_PINNED : 0;
    bool later = job->due_ms > now.wall_ms;
    if (later)
        job_set_due(accepted, job->due_ms);
    job_set_expires(accepted, job->expires_ms);
    job_move(accepted, later ? EV_ACCEPT_LATER : EV_ACCEPT);
    if (job->id_hash != 0)
        dedupe_remember(core, job->id_hash, accepted->number, job->content_hash, now.wall_ms);
    if (job->exported)
        dedupe_keep(core, job->id_hash, now.wall_ms);
    return slot;
}

uint32_t enqueue_replaces(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation)
{
    if (conversation == NULL || job->collapse == 0)
        return NOBODY;
    return collapse_oldest(core, (uint32_t)(conversation - core->conversations), job->collapse);
}

/* `if_held: fail`. The reasons that count here are all the line's, the pool's or the conversation's. What is not due
 * yet is held by nothing now, and what is past its expiry ends at once. */
static bool would_be_held(const struct core *core, const struct core_enqueue *job, const struct conversation *conversation,
                          struct instant now)
{
    if (job->due_ms > now.wall_ms || (job->expires_ms != 0 && job->expires_ms <= now.wall_ms))
        return false;
    uint32_t campaign = campaign_find(core, core->pools[job->pool].name, job->campaign);
    if (campaign != NOBODY && core->campaigns[campaign].pauses > 0)
        return true;
    struct job probe = {.state = JOB_QUEUED, .class = (unsigned)job->class & 3};
    const struct newcomer who = {.pool = job->pool, .conversation = job->conversation, .from_line = job->from_line,
                                 .replaces = enqueue_replaces(core, job, conversation)};
    enum reason reason = decide_for(core, &probe, conversation, &who, now).reason;
    return reason_holds(reason) || reason == REASON_NO_HEALTHY_LINE;
}

static void answer_accepted(struct core *core, uint32_t slot, const struct core_enqueue *job, uint64_t number,
                            struct instant now, struct effects *out)
{
    struct effect *effect = effect_add(out, EFFECT_ENQUEUED);
    effect->token = job->token;
    effect->index = job->index;
    effect->number = number;
    effect->state = JOB_EXPIRED;
    if (job_find(core, number) == NOBODY)
        return;
    struct verdict verdict = decide(core, slot, DECIDE_QUICK, now);
    const struct conversation *conversation = &core->conversations[core->jobs[slot].conversation];
    effect->reason = verdict.reason;
    effect->state = (enum job_state)core->jobs[slot].state;
    if ((conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0)
        effect->line = core->lines[conversation->line].known.number;
}

struct refusal enqueue_judge(const struct core *core, const struct core_enqueue *job, bool store_full, struct instant now)
{
    uint32_t at = conversation_find(core, job->conversation);
    const struct conversation *known = at == NOBODY ? NULL : &core->conversations[at];
    struct refusal refusal = judge(core, job, known, store_full);
    if ((refusal.code == CODE_NONE || refusal.code == CODE_BUSY || refusal.code == CODE_STORE_FULL) &&
        job->fail_if_held && would_be_held(core, job, known, now))
        refusal = refuse(CODE_HELD, "if_held");
    return refusal;
}

bool enqueue_line_is_known(const struct core *core, const struct core_enqueue *job)
{
    return job->from_line == 0 || pool_has_line(core, job->pool, job->from_line);
}

void core_enqueue(struct core *core, const struct core_enqueue *job, bool store_full, struct instant now,
                  struct effects *out)
{
    if (!enqueue_line_is_known(core, job)) {
        answer_refusal(core, job, refuse(CODE_UNKNOWN_LINE, "from"), out);
        return;
    }
    if (answers_duplicate(core, job, now, out))
        return;
    struct refusal refusal = enqueue_judge(core, job, store_full, now);
    if (refusal.code != CODE_NONE) {
        answer_refusal(core, job, refusal, out);
        return;
    }
    uint32_t slot = accept(core, enqueue_house(core, job, now, out), job, now);
    uint64_t number = core->jobs[slot].number;
    uint32_t old = job->collapse == 0 ? NOBODY : collapse_find(core, slot, job->collapse, now);
    core->totals.accepted_total++;
    struct change *change = enqueue_record(core, slot, job, now.wall_ms, now, out);
    change_mark(core, change, core->jobs[slot].state == JOB_SCHEDULED ? TOPIC_JOB_SCHEDULED : TOPIC_JOB_QUEUED, now);
    if (old == NOBODY || !collapse_replace(core, old, slot, now, out))
        enqueue_start(core, slot, now, out);
    answer_accepted(core, slot, job, number, now, out);
}

void enqueue_start(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    int64_t expires = job_expires_ms(job);
    if (job->state == JOB_SCHEDULED) {
        core->conversations[job->conversation].scheduled++;
        backlog_add(core, slot);
    } else {
        insert(core, slot, now);
    }
    job_timer(core, slot);
    if (expires != 0 && expires <= now.wall_ms)
        outcome_withdraw(core, slot, now, out);
}

/* Expires, falls due, or its wait is over. */
void enqueue_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    assert(job_is_waiting(job));
    if (outcome_withdraw(core, slot, now, out))
        return;
    if (job_due_ms(job) == 0 || job_due_ms(job) > now.wall_ms) {
        job_timer(core, slot);
        return;
    }
    bool waited = job->state == JOB_QUEUED;
    if (!waited) {
        backlog_remove(core, slot);
        core->conversations[job->conversation].scheduled--;
        job_move(job, EV_DUE);
    }
    bool fixed = conversation_fixes(job);
    job_set_due(job, 0);
    job_timer(core, slot);
    if (waited) {
        turns_withdraw(core, job->conversation, slot);
        if (fixed && !conversation_fixes(job))
            conversation_unfix(core, &core->conversations[job->conversation]);
        conversation_settle(core, job->conversation, now);
        return;
    }
    ages_note(&core->ages, now.wall_ms, core->next_job);
    job_set_order(core, job, core->next_job++); /* its place is where it fell due */
    insert(core, slot, now);
    job_record_try(core, slot, NULL, 0, 0, TOPIC_JOB_QUEUED, now, out);
}

bool job_cancel(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    bool asked = (core->jobs[slot].flags & JOB_CANCEL) != 0; /* and then each record since has it */
    core->jobs[slot].flags |= JOB_CANCEL;
    struct lease *lease = core->jobs[slot].state == JOB_LEASED ? &core->leases[core->jobs[slot].left] : NULL;
    bool ended = lease == NULL && outcome_withdraw(core, slot, now, out);
    if (!ended && !asked)
        job_record_try(core, slot, lease, 0, 0, TOPIC_NONE, now, out); /* asked: a restart must not forget it */
    if (lease == NULL)
        return ended;
    uint64_t number = core->jobs[slot].number;
    lease_revoke(core, lease, now, out);
    return job_find(core, number) == NOBODY; /* its JOB had not left */
}

void core_cancel(struct core *core, uint64_t token, uint32_t index, uint64_t number, struct instant now,
                 struct effects *out)
{
    uint32_t slot = job_find(core, number);
    if (slot != NOBODY)
        job_cancel(core, slot, now, out);
    struct effect *effect = effect_add(out, EFFECT_CANCELLED);
    effect->token = token;
    effect->index = index;
    effect->number = number;
    effect->code = slot == NOBODY ? CODE_NOT_FOUND : CODE_NONE;
}
