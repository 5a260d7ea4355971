/* purge.c — see purge.h. */
#include "broker/core/purge.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/suppression.h"

#define LIST_MAX     2048  /* jobs of one list that are ended at once */
#define LOOK_MAX     16384 /* jobs looked at in a slice */
#define SLICE_GAP_MS 1
#define AGAIN_MAX    512  /* homes that are looked for in a slice, after a start ... */
#define AGAIN_ENDS   4096 /* ... and about as many jobs ended */

static const struct job_ending ending = {.event = EV_SUPPRESS, .code = CODE_OPTED_OUT};

static bool can_end(const struct job *job)
{
    return job_is_waiting(job) && (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0;
}

/* Ends what waits behind the first, whose end comes last: those behind it leave husks, which its end sweeps up. An end may
 * also make the first step out of the way (its campaign is paused), and the husks behind it go at once: then what is left
 * is walked anew. True: nothing is left of the list that could end. */
static bool end_list(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    uint64_t key = conversation->key;
    uint32_t first = conversation_first(core, conversation);
    unsigned ended = 0;
    for (uint32_t slot = first == NOBODY ? NOBODY : core->jobs[first].next; slot != first;) {
        uint32_t next = core->jobs[slot].next;
        if (can_end(&core->jobs[slot])) {
            if (ended++ == LIST_MAX || !effects_have_room(out))
                return false;
            job_end(core, slot, &ending, now, out);
            if (conversation->key != key)
                return true;
            if (conversation_first(core, conversation) != first) {
                first = conversation_first(core, conversation);
                next = first == NOBODY ? NOBODY : core->jobs[first].next;
            }
        }
        slot = next;
    }
    if (first == NOBODY || !can_end(&core->jobs[first]))
        return true;
    if (!effects_have_room(out)) /* many conversations may be purged at once */
        return false;
    job_end(core, first, &ending, now, out);
    return true;
}

static void walk_jobs(struct core *core, struct instant now)
{
    core->purge_left = core->jobs_used;
    mono_timer(core, MONO_PURGE, 0, now.mono_ms);
}

void purge_begin(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct conversation *conversation = &core->conversations[at];
    uint64_t key = conversation->key;
    conversation->flags |= CONVERSATION_SUPPRESSED;
    bool whole = end_list(core, at, now, out);
    if (conversation->key == key && effects_have_room(out))
        leases_revoke_conversation(core, at, now, out);
    else
        whole = false;
    if (conversation->key == key && (!whole || conversation->scheduled > 0))
        walk_jobs(core, now); /* else it was nothing but its jobs, or nothing is left of them */
}

void purge_restored(struct core *core, struct instant now)
{
    bool waits = false;
    for (uint32_t at = 1; at <= core->conversations_used; at++) {
        struct conversation *conversation = &core->conversations[at];
        if (conversation->key == 0 || conversation->health != CHAT_OPTED_OUT)
            continue;
        conversation->flags |= CONVERSATION_SUPPRESSED;
        waits = waits || conversation->tail != NOBODY || conversation->scheduled > 0;
    }
    if (waits)
        walk_jobs(core, now);
}

void purge_end(struct core *core, uint32_t at)
{
    if (core->conversations[at].health != CHAT_OPTED_OUT) /* else it is stopped all the same */
        core->conversations[at].flags &= (uint8_t)~CONVERSATION_SUPPRESSED;
}

void purge_all(struct core *core, const uint64_t *keys, size_t count, struct instant now, struct effects *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = conversation_find(core, keys[i]);
        if (at != NOBODY)
            purge_begin(core, at, now, out);
    }
}

void purge_stop(struct core *core, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = conversation_find(core, keys[i]);
        if (at != NOBODY)
            purge_end(core, at);
    }
}

bool purge_ends(const struct core *core, const struct job *job)
{
    return can_end(job) && (core->conversations[job->conversation].flags & CONVERSATION_SUPPRESSED) != 0;
}

void purge_slice(struct core *core, struct instant now, struct effects *out)
{
    for (unsigned looked = 0; core->purge_left > 0 && looked < LOOK_MAX && effects_have_room(out); looked++) {
        core->purge_left--;
        core->purge_at = core->purge_at >= core->jobs_used ? 1 : core->purge_at + 1;
        const struct job *job = &core->jobs[core->purge_at];
        if (job->number != 0 && purge_ends(core, job))
            job_end(core, core->purge_at, &ending, now, out);
        else if (job->number != 0 && job->state == JOB_LEASED)
            leases_revoke_conversation(core, job->conversation, now, out);
    }
    if (core->purge_left > 0)
        mono_timer(core, MONO_PURGE, 0, now.mono_ms + SLICE_GAP_MS);
}

bool core_suppress_again(struct core *core, uint32_t *at, core_homes *homes, void *self, struct instant now,
                         struct effects *out)
{
    uint64_t keys[CONF_POOLS_MAX];
    size_t full = out->change_count + AGAIN_ENDS;
    for (size_t looked = 0; looked < AGAIN_MAX && out->change_count < full && effects_have_room(out); looked++) {
        struct suppression_view view;
        if (core->jobs_live == 0 || *at >= core->suppressed_used)
            return false;
        if (!suppression_read(core, ++*at, &view) || view.text.recipient[0] == '\0')
            continue;
        size_t count = homes(self, view.account, view.text.recipient, keys);
        purge_all(core, keys, count, now, out);
        looked += count;
    }
    return true;
}
