/* conversation.c — see conversation.h. */
#include "broker/core/conversation.h"

#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/job.h"
#include "broker/core/pair.h"
#include "broker/core/pause.h"

static uint64_t key_of(const void *slots, uint32_t slot)
{
    return ((const struct conversation *)slots)[slot].key;
}

static uint32_t *key_next_of(void *slots, uint32_t slot)
{
    return &((struct conversation *)slots)[slot].key_next;
}

static uint32_t chat_fold(uint64_t chat_hash)
{
    uint32_t folded = (uint32_t)(chat_hash ^ chat_hash >> 32);
    return folded == 0 ? 1 : folded;
}

static uint64_t chat_of(const void *slots, uint32_t slot)
{
    return ((const struct conversation *)slots)[slot].chat_hash;
}

static uint32_t *chat_next_of(void *slots, uint32_t slot)
{
    return &((struct conversation *)slots)[slot].chat_next;
}

void index_conversations(struct core *core, uint32_t *key_heads, uint32_t *chat_heads, uint32_t heads_max)
{
    index_init(&core->by_key, key_heads, heads_max, core->conversations, key_of, key_next_of);
    index_init(&core->by_chat, chat_heads, heads_max, core->conversations, chat_of, chat_next_of);
}

uint32_t conversation_find(const struct core *core, uint64_t key)
{
    return index_find(&core->by_key, key);
}

bool conversation_has_room(const struct core *core)
{
    return core->conversations_free != NOBODY || core->conversations_used < core->limits.conversations_max;
}

uint32_t conversation_new(struct core *core, uint64_t key, uint32_t pool)
{
    uint32_t slot = core->conversations_free;
    if (!conversation_has_room(core))
        return NOBODY;
    if (slot != NOBODY)
        core->conversations_free = core->conversations[slot].key_next;
    else
        slot = ++core->conversations_used;
    struct conversation *conversation = &core->conversations[slot];
    memset(conversation, 0, sizeof *conversation);
    core->last_outs[slot] = (struct last_out){0};
    conversation->key = key;
    conversation->place = NOWHERE_48;
    conversation->line = NO_LINE;
    conversation->pool = pool & UINT16_MAX;
    if (core->conversations_paused > 0 && pause_find(core, PAUSE_CONVERSATION, key) != 0)
        conversation->flags |= CONVERSATION_PAUSED;
    index_insert(&core->by_key, slot);
    core->totals.conversations++;
    return slot;
}

void conversation_drop(struct core *core, uint32_t slot)
{
    struct conversation *conversation = &core->conversations[slot];
    assert(conversation->tail == NOBODY);
    conversation_set_chat(core, slot, 0);
    pair_forget(core, slot);
    index_remove(&core->by_key, slot);
    conversation->key = 0;
    conversation->key_next = core->conversations_free;
    core->conversations_free = slot;
    core->totals.conversations--;
}

void conversation_set_chat(struct core *core, uint32_t slot, uint64_t chat_hash)
{
    struct conversation *conversation = &core->conversations[slot];
    uint32_t folded = chat_hash == 0 ? 0 : chat_fold(chat_hash);
    if (conversation->chat_hash == folded)
        return;
    if (conversation->chat_hash != 0)
        index_remove(&core->by_chat, slot);
    conversation->chat_hash = folded;
    conversation->flags &= (uint8_t)~CONVERSATION_CHAT;
    if (folded == 0)
        return;
    conversation->flags |= CONVERSATION_CHAT;
    index_insert(&core->by_chat, slot);
}

/* As `chat_next`, which without a chat links nothing: the chat is lost; and since then nothing was sent; and it was moved on
 * purpose. */
#define CHAT_LOST    UINT32_MAX
#define CHAT_UNBEGUN (UINT32_MAX - 1)
#define CHAT_AWAY    (UINT32_MAX - 2)

void conversation_lose_chat(struct core *core, uint32_t slot)
{
    if (conversation_is_unbegun(&core->conversations[slot]))
        return;
    conversation_set_chat(core, slot, 0);
    core->conversations[slot].chat_next = CHAT_LOST;
}

void conversation_begin_anew(struct core *core, uint32_t slot)
{
    if (conversation_was_sent_away(&core->conversations[slot]))
        return;
    conversation_set_chat(core, slot, 0);
    core->conversations[slot].chat_next = CHAT_UNBEGUN;
}

void conversation_send_away(struct core *core, uint32_t slot)
{
    conversation_set_chat(core, slot, 0);
    core->conversations[slot].chat_next = CHAT_AWAY;
}

bool conversation_was_sent_away(const struct conversation *conversation)
{
    return (conversation->flags & CONVERSATION_CHAT) == 0 && conversation->chat_next == CHAT_AWAY;
}

void conversation_begin(struct core *core, uint32_t slot)
{
    if (conversation_is_unbegun(&core->conversations[slot]))
        core->conversations[slot].chat_next = CHAT_LOST;
}

bool conversation_is_unbegun(const struct conversation *conversation)
{
    bool unbegun = conversation->chat_next == CHAT_UNBEGUN || conversation->chat_next == CHAT_AWAY;
    return (conversation->flags & CONVERSATION_CHAT) == 0 && unbegun;
}

bool conversation_stays(const struct conversation *conversation)
{
    bool known = (conversation->flags & (CONVERSATION_RECORDED | CONVERSATION_CHAT)) != 0;
    return known && !conversation_is_unbegun(conversation);
}

static bool has_lost_chat(const struct conversation *conversation)
{
    return conversation->chat_next >= CHAT_AWAY;
}

void conversation_find_begun(struct core *core, uint32_t slot)
{
    if (has_lost_chat(&core->conversations[slot]))
        core->conversations[slot].chat_next = NOBODY;
}

bool conversation_has_begun(const struct conversation *conversation)
{
    if ((conversation->flags & CONVERSATION_CHAT) != 0)
        return true;
    return (conversation->flags & CONVERSATION_RECORDED) != 0 && !has_lost_chat(conversation);
}

bool conversation_has_chat(const struct conversation *conversation, uint64_t chat_hash)
{
    return conversation->chat_hash == chat_fold(chat_hash);
}

uint32_t conversation_find_chat(const struct core *core, uint64_t chat_hash)
{
    return index_find(&core->by_chat, chat_fold(chat_hash));
}

uint32_t conversation_find_chat_next(const struct core *core, uint64_t chat_hash, uint32_t slot)
{
    return index_find_next(&core->by_chat, chat_fold(chat_hash), slot);
}

uint32_t conversation_line_of(const struct conversation *conversation)
{
    return (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0 ? conversation->line : NO_LINE;
}

uint32_t conversation_line_pool(const struct core *core, const struct conversation *conversation)
{
    uint32_t line = conversation_line_of(conversation);
    uint32_t pool = line != NO_LINE ? core->lines[line].pool : NO_POOL;
    return pool == NO_POOL ? conversation->pool : pool;
}

uint32_t conversation_first(const struct core *core, const struct conversation *conversation)
{
    return conversation->tail == NOBODY ? NOBODY : core->jobs[conversation->tail].next;
}

bool conversation_fixes(const struct job *job)
{
    bool waits_for_all = (job->flags & JOB_WIDE) != 0 && job_due_ms(job) != 0;
    return job->state == JOB_LEASED || (job->flags & JOB_UNSETTLED) != 0 || waits_for_all;
}

bool conversation_first_is_fixed(const struct core *core, const struct conversation *conversation)
{
    uint32_t first = conversation_first(core, conversation);
    return first != NOBODY && conversation_fixes(&core->jobs[first]);
}

/* The first job of the run whose last one is `last`; runs differ in class, so the class tells the first run. */
static uint32_t run_first(const struct core *core, uint32_t rest, uint32_t last)
{
    return core->jobs[last].class == core->jobs[rest].class ? rest : core->jobs[last].left;
}

/* Where a new job goes among the runs. */
struct gap {
    uint32_t before; /* the job that it follows; NOBODY: it is the first of them all */
    uint32_t after;  /* the last job of the nearest run that goes after it; NOBODY: none does */
};

/* Backwards over the runs that go after the new one. */
static struct gap find_gap(const struct core *core, uint32_t rest, uint32_t tail, const struct job *job, bool front)
{
    struct gap gap = {.before = tail, .after = NOBODY};
    while (gap.before != NOBODY) {
        unsigned class = core->jobs[gap.before].class;
        if (class < job->class || (class == job->class && !front))
            break;
        gap.after = gap.before;
        uint32_t start = run_first(core, rest, gap.before);
        gap.before = start == rest ? NOBODY : core->jobs[start].right;
    }
    return gap;
}

/* Before all the runs; `leads` is the job whose next one was the first of them: the fixed one, or else the tail. */
static void insert_before_runs(struct core *core, uint32_t leads, uint32_t rest, uint32_t slot, uint32_t after)
{
    struct job *job = job_at(core, slot);
    job->next = rest;
    core->jobs[leads].next = slot;
    if (core->jobs[rest].class != job->class) {
        core->jobs[after].left = rest;
        core->jobs[rest].right = slot;
    }
}

/* At the end of the run that it follows, or as a run of its own behind that one. */
static void insert_into_gap(struct core *core, struct conversation *conversation, uint32_t rest, uint32_t slot,
                            struct gap gap)
{
    struct job *job = job_at(core, slot);
    struct job *before = job_at(core, gap.before);
    uint32_t behind = gap.before == conversation->tail ? NOBODY : before->next;
    job->next = before->next;
    before->next = slot;
    if (behind == NOBODY)
        conversation->tail = slot;
    if (before->class != job->class) {
        job->right = gap.before;
        job->left = slot;
    } else if (before->class != core->jobs[rest].class) {
        job->left = run_first(core, rest, gap.before);
    }
    if (behind == NOBODY)
        return;
    if (core->jobs[behind].class == job->class) /* in front of its own class */
        core->jobs[gap.after].left = slot;
    else
        core->jobs[behind].right = slot;
}

void conversation_insert(struct core *core, struct conversation *conversation, uint32_t slot, bool front)
{
    struct job *job = job_at(core, slot);
    uint32_t first = conversation_first(core, conversation);
    bool fixed = conversation_first_is_fixed(core, conversation);
    if (first == NOBODY) {
        job->next = slot;
        conversation->tail = slot;
        return;
    }
    uint32_t rest = fixed ? core->jobs[first].next : first;
    if (fixed && rest == first) { /* only the fixed one is there */
        job->next = first;
        core->jobs[first].next = slot;
        conversation->tail = slot;
        return;
    }
    struct gap gap = find_gap(core, rest, conversation->tail, job, front);
    if (gap.before != NOBODY) {
        insert_into_gap(core, conversation, rest, slot, gap);
        return;
    }
    assert(fixed || (core->jobs[first].flags & JOB_READY) == 0);
    insert_before_runs(core, fixed ? first : conversation->tail, rest, slot, gap.after);
}

void conversation_insert_behind(struct core *core, struct conversation *conversation, uint32_t before, uint32_t slot)
{
    struct job *front = job_at(core, before);
    struct job *job = job_at(core, slot);
    uint32_t behind = before == conversation->tail ? NOBODY : front->next;
    assert(front->class == job->class && (front->flags & JOB_READY) == 0);
    job->next = front->next;
    front->next = slot;
    if (behind == NOBODY)
        conversation->tail = slot;
    if (behind != NOBODY && core->jobs[behind].class == job->class)
        return; /* in the middle of the run */
    job->left = front->left; /* the end of a run knows its beginning ... */
    if (behind != NOBODY)
        core->jobs[behind].right = slot; /* ... and the beginning of the next one this end */
}

/* The last job of the run of that class, and (*start) its first one; NOBODY: there is none. */
static uint32_t run_of(const struct core *core, const struct conversation *conversation, unsigned class, uint32_t *start)
{
    uint32_t first = conversation_first(core, conversation);
    if (first == NOBODY)
        return NOBODY;
    uint32_t rest = conversation_first_is_fixed(core, conversation) ? core->jobs[first].next : first;
    uint32_t last = conversation_first_is_fixed(core, conversation) && rest == first ? NOBODY : conversation->tail;
    while (last != NOBODY && core->jobs[last].class != class) {
        *start = run_first(core, rest, last);
        last = *start == rest ? NOBODY : core->jobs[*start].right;
    }
    if (last != NOBODY)
        *start = run_first(core, rest, last);
    return last;
}

uint32_t conversation_return(struct core *core, struct conversation *conversation, uint32_t slot)
{
    struct job *job = job_at(core, slot);
    uint64_t order = job_order(core, job);
    uint32_t start = NOBODY;
    uint32_t last = run_of(core, conversation, job->class, &start);
    bool front = last != NOBODY && order < job_order(core, &core->jobs[start]);
    if (last == NOBODY || front || order > job_order(core, &core->jobs[last])) {
        conversation_insert(core, conversation, slot, front);
        return 0;
    }
    uint32_t passed = 1;
    uint32_t before = start; /* neither first nor last of the run, so no run's ends move */
    for (; job_order(core, &core->jobs[core->jobs[before].next]) < order; passed++)
        before = core->jobs[before].next;
    job->next = core->jobs[before].next;
    core->jobs[before].next = slot;
    return passed;
}

void conversation_shift(struct core *core, struct conversation *conversation)
{
    uint32_t first = conversation_first(core, conversation);
    assert(first != NOBODY && (core->jobs[first].flags & JOB_READY) == 0);
    if (first == conversation->tail)
        conversation->tail = NOBODY;
    else
        core->jobs[conversation->tail].next = core->jobs[first].next;
    core->jobs[first].next = NOBODY;
}

void conversation_unfix(struct core *core, struct conversation *conversation)
{
    uint32_t first = conversation_first(core, conversation);
    uint32_t rest = core->jobs[first].next;
    assert(!conversation_first_is_fixed(core, conversation));
    if ((core->jobs[first].flags & JOB_YIELDED) != 0)
        campaign_leave(core, first); /* it could not step aside; now it can */
    if (rest == first)
        return;
    /* One that came back from its campaign meanwhile may be older than what was under way. */
    bool alike = core->jobs[rest].class == core->jobs[first].class;
    if (alike && job_order(core, &core->jobs[rest]) > job_order(core, &core->jobs[first]))
        return;
    if (alike || core->jobs[rest].class < core->jobs[first].class) {
        conversation_shift(core, conversation);
        conversation_return(core, conversation, first);
        return;
    }
    /* The run behind it was the first of the rest and had no links; now it is the second. */
    uint32_t last = conversation->tail;
    while (core->jobs[last].class != core->jobs[rest].class)
        last = core->jobs[core->jobs[last].left].right;
    core->jobs[last].left = rest;
    core->jobs[rest].right = first;
}
