/* requeue.c — dead letters come back (PROTOCOL, POST /v1/dead/{id}/requeue).
 *
 * A requeued job keeps its number, for its idempotency key is made of it and the provider's webhooks name it by that.
 * Its end stays in the journal as history; a new CHANGE_JOB with the next `life` begins it again behind that, and whoever
 * replays takes an end for the life that it names only (docs/store.md). Its old slot may be another job's by now: then
 * it lives in any other and is found by an index (job_slot_of). */
#include "broker/core/collapse.h"
#include "broker/core/conversation.h"
#include "broker/core/dedupe.h"
#include "broker/core/enqueue.h"
#include "broker/core/erase.h"
#include "broker/core/job.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/quiet.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

uint64_t core_requeue_mark(const struct core *core)
{
    return core->requeue_count;
}

void core_answer(struct effects *out, uint64_t token)
{
    effect_answer(out, token, CODE_NONE);
}

/* What the records said when they were read may be overtaken: requeued since, and perhaps ended again. */
static enum code judge_mark(const struct core *core, const struct core_requeue *letter)
{
    if (core->requeue_count - letter->mark > REQUEUED_MEMORY)
        return CODE_BUSY;
    for (uint64_t i = letter->mark; i < core->requeue_count; i++)
        if (core->requeued[i % REQUEUED_MEMORY] == letter->number)
            return CODE_NOT_FOUND;
    return CODE_NONE;
}

static enum code judge(const struct core *core, const struct core_requeue *letter)
{
    if (erase_holds(core, letter->job.conversation))
        return CODE_NOT_ALLOWED;
    if (job_find(core, letter->number) != NOBODY)
        return CODE_NOT_FOUND;
    /* One of a restored backup may have been sent where nobody knows. */
    bool lost = letter->doubtful && letter->line != 0 && line_find(core, letter->line) == NO_LINE;
    if (!enqueue_line_is_known(core, &letter->job) || lost)
        return CODE_UNKNOWN_LINE;
    if (letter->life == UINT8_MAX)
        return CODE_NOT_ALLOWED;
    return judge_mark(core, letter);
}

/* As an enqueue is judged. What may have been sent is judged as if it named its line: it is tried nowhere else (promise P4),
 * nor is its conversation fetched back from a line that a person or another job has named. */
static enum code judge_as_job(const struct core *core, const struct core_requeue *letter, const struct core_enqueue *ask,
                              bool store_full, struct instant now)
{
    struct core_enqueue judged = *ask;
    if (letter->doubtful && letter->line != 0) /* else of a restored backup: nobody knows where it was tried */
        judged.from_line = letter->line;
    enum code code = enqueue_judge(core, &judged, store_full, now).code;
    if (code != CODE_NONE)
        return code;
    bool newer = collapse_waits(core, conversation_find(core, ask->conversation), ask->collapse, 0);
    return newer ? CODE_SUPERSEDED : CODE_NONE;
}

/* A second attempt has the first one's line (promise P4), so what was tried binds its conversation again if that was
 * forgotten meanwhile. */
static void take_line(struct core *core, uint32_t at, uint32_t line, struct instant now, struct effects *out)
{
    const struct conversation *conversation = &core->conversations[at];
    if ((conversation->flags & CONVERSATION_BOUND) != 0)
        return;
    move_home(core, at, line, now, out);
    if (conversation_first(core, conversation) != NOBODY)
        conversation_settle(core, at, now);
}

/* The slot of the job, not in its conversation yet. */
static uint32_t revive(struct core *core, uint32_t at, const struct core_requeue *letter)
{
    uint32_t slot = job_revive(core, at, letter->number);
    assert(slot != NOBODY);
    struct job *job = job_at(core, slot);
    job->class = letter->job.class;
    job->campaign = letter->job.campaign & 0x7FFF;
    job->has_link = letter->job.has_link;
    job->zone = quiet_zone(core, letter->job.zone) & ZONES_MAX;
    core->areas[slot] = letter->job.area;
    job->life = (uint8_t)(letter->life + 1);
    job->flags = (letter->job.from_line != 0 ? JOB_PINNED : 0) | (letter->doubtful ? JOB_DOUBTFUL : 0);
    job_set_expires(job, letter->job.expires_ms);
    job_move(job, EV_ACCEPT);
    job_set_order(core, job, core->next_job++); /* behind all that were accepted before the requeue */
    return slot;
}

enum code core_requeue(struct core *core, const struct core_requeue *letter, bool store_full, struct instant now,
                       struct effects *out)
{
    enum code code = judge(core, letter);
    if (code != CODE_NONE)
        return code;
    struct core_enqueue ask = letter->job;
    ask.fail_if_held = false;
    ask.due_ms = 0;
    code = judge_as_job(core, letter, &ask, store_full, now);
    if (code != CODE_NONE)
        return code;
    uint32_t at = enqueue_house(core, &ask, now, out);
    uint32_t line = letter->attempts > 0 || letter->doubtful ? line_find(core, letter->line) : NO_LINE;
    const struct conversation *home = &core->conversations[at];
    bool has_home = (home->flags & (CONVERSATION_PINNED | CONVERSATION_RECORDED)) != 0;
    bool bound = (home->flags & CONVERSATION_BOUND) != 0;
    bool elsewhere = !bound && has_home && home->line != line;
    bool fresh = !bound && line != NO_LINE && !letter->doubtful;
    /* That another job is beginning it may come to nothing; then these tries must not keep it there without a debit. */
    bool unsure = bound && !conversation_stays(home);
    /* Its tries surely made nothing: it goes where its conversation waits, or begins it like any (promise P5). */
    if (!letter->doubtful && (elsewhere || unsure || (fresh && !line_takes_fresh(core, &core->lines[line], now))))
        line = NO_LINE;
    if (line != NO_LINE)
        take_line(core, at, line, now, out);
    if (fresh && line != NO_LINE) {
        budget_add(&core->lines[line].known.fresh, now.wall_ms, 1, now.wall_ms / BUDGET_BUCKET_MS);
        core->lines[line].spent = true; /* its try tells of that, until it is written anew */
    }
    uint32_t slot = revive(core, at, letter);
    if (line != NO_LINE)
        core->jobs[slot].attempts = letter->attempts > UINT8_MAX ? UINT8_MAX : (uint8_t)letter->attempts;
    if (ask.id_hash != 0 && dedupe_find(core, ask.id_hash) == NULL)
        dedupe_remember(core, ask.id_hash, letter->number, ask.content_hash, now.wall_ms);
    dedupe_live_again(core, ask.id_hash, letter->number);
    core->requeued[core->requeue_count++ % REQUEUED_MEMORY] = letter->number;
    enqueue_record(core, slot, &ask, letter->accepted_at_ms, now, out)->event.at_ms = now.wall_ms;
    job_record_try(core, slot, NULL, 0, 0, TOPIC_JOB_QUEUED, now, out);
    enqueue_start(core, slot, now, out); /* behind its records: it may end at once */
    return CODE_NONE;
}
