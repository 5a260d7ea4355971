/* admin_triage.c — POST /v1/triage/…: ends the waiting jobs that the query's filters choose, or only says which those are;
 * GET /v1/triage/export: shows them as documents that can be enqueued again.
 *
 * A call looks at a bounded part of the backlog and goes through it in slices; `next` says where to go on, and up to which
 * job: what is accepted after the first call is none of its. So a call may be repeated, after a crash as well. A
 * rehearsal goes the same way, but for the word to the core. */
#include "broker/edge/admin_triage.h"

#include <inttypes.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_triage_move.h"
#include "lineward/log.h"

#define BEFORE_MAX 64 /* jobs of its conversation before one that is to be moved */

/* What a step may take, counted in bytes of documents: a job costs about as much as so many of its own. Well under a
 * millisecond, but for a document of 256 KiB or of thousands of values: that costs what its enqueue did. */
#define STEP_COST   32768
#define TOUCH_COST  256
#define MOVE_COST   2048
#define BEFORE_COST 8192 /* a rehearsal of a move: looks at those before it */

enum { TRIAGE_DURABLE = 1, TRIAGE_WALK, TRIAGE_CHECK, TRIAGE_CHECKED, TRIAGE_TOUCH, TRIAGE_READ, TRIAGE_OLDEST, TRIAGE_DONE };

static const char unread[] = "the jobs could not be read from disk";

/* ---- what becomes of a job ---- */

static void count_recipients(struct triage_work *work, uint32_t conversation)
{
    if (work->seen == NULL || conversation >= work->seen_max)
        return;
    uint8_t *byte = &work->seen[conversation / 8], bit = (uint8_t)(1u << conversation % 8);
    work->recipients += (*byte & bit) == 0;
    *byte |= bit;
}

static void count(struct triage_work *work, struct pick *job)
{
    job->goes = true;
    if (work->touched < TRIAGE_SAMPLE_MAX)
        work->sample[work->touched] = job->number;
    if (work->touched == 0 || job->sequence < work->oldest.sequence)
        work->oldest = *job;
    work->touched++;
    work->by_class[job->class]++;
    work->by_reason[job->reason]++;
    count_recipients(work, job->conversation);
}

/* Of those in hand it was said; those of another handful are not read again. */
static bool would_go(struct admin_turn *turn, const struct triage_work *work, uint64_t number)
{
    struct job_view view;
    enum drain_stay stay;
    if (!core_job_glance(turn->core, number, turn->now, &view))
        return false;
    const struct pick *job = triage_in_hand(work, &view);
    if (job != NULL)
        return job->goes;
    return triage_is_chosen(work, &view) && core_triage_keeps(turn->core, number, &work->what, &stay) &&
           (stay == DRAIN_STAY_NONE || stay == DRAIN_STAY_BEHIND);
}

/* A rehearsal moves nothing, so what goes first is still before what goes behind it. */
static bool goes_with_those_before(struct admin_turn *turn, const struct triage_work *work, uint64_t number)
{
    uint64_t before[BEFORE_MAX];
    size_t count = core_triage_before(turn->core, number, before, BEFORE_MAX);
    bool goes = count <= BEFORE_MAX;
    for (size_t i = 0; goes && i < count; i++)
        goes = would_go(turn, work, before[i]);
    return goes;
}

/* What the core is told of a job that nothing keeps; false: it stays as it is all the same. */
static bool act(struct admin_turn *turn, struct triage_work *work, uint64_t number, struct span read)
{
    if (work->what.how == TRIAGE_MOVE) {
        enum code code = triage_move(turn, work->x, work->pool, number, read, work->dry);
        work->refused[code]++;
        return code == CODE_NONE;
    }
    return work->dry || core_triage(turn->core, number, &work->what, turn->now, turn->out);
}

/* `read`: what the lookup has of it. False: it stays as it is, or has ended meanwhile: requeued since, it is none of those
 * that were meant. What a worker has may come back, and the cancel behind the export would take it: so that one is shown as
 * well; not what ends as soon as it comes back. */
static bool touch(struct admin_turn *turn, struct triage_work *work, struct pick *job, struct span read)
{
    struct job_view view;
    enum drain_stay stay;
    if (!core_job_glance(turn->core, job->number, turn->now, &view) || view.came >= work->mark ||
        !core_triage_keeps(turn->core, job->number, &work->what, &stay))
        return false;
    if (stay == DRAIN_STAY_BEHIND && work->dry && goes_with_those_before(turn, work, job->number))
        stay = DRAIN_STAY_NONE;
    work->stays[stay]++;
    bool takes = work->exports ? !view.cancel_asked : stay == DRAIN_STAY_NONE && act(turn, work, job->number, read);
    if (!takes)
        return false;
    count(work, job);
    return true;
}

static size_t cost_of(const struct triage_work *work, size_t bytes)
{
    if (work->what.how != TRIAGE_MOVE || work->exports)
        return TOUCH_COST + bytes / 4; /* is copied, at most */
    return bytes + (work->dry ? BEFORE_COST : MOVE_COST);
}

/* ---- those in hand ---- */

static void touch_some(struct admin_turn *turn, struct triage_work *work)
{
    for (size_t cost = 0; work->pick_at < work->pick_count && cost < STEP_COST; cost += cost_of(work, 0))
        touch(turn, work, &work->picks[work->pick_at++], (struct span){NULL, 0});
}

void triage_count_unread(struct admin_turn *turn, struct triage_work *work, uint64_t number)
{
    struct job_view view;
    work->refused[CODE_BUSY] += core_job_glance(turn->core, number, turn->now, &view);
}

/* One of those whose records were read; how many bytes it took. */
static size_t touch_read(struct admin_turn *turn, struct triage_work *work, const struct lookup_answer *lookup)
{
    const struct lookup_item *item = &lookup->items[work->item_at];
    struct pick *job = &work->picks[work->asked[work->item_at++]];
    struct span read = {item->bytes > 0 ? lookup->text.text + work->text_at : NULL, item->bytes};
    work->text_at += item->bytes;
    if (item->code != CODE_NONE && item->bytes > 0)
        triage_count_unread(turn, work, job->number);
    else if (item->bytes > 0 && touch(turn, work, job, read) && work->exports)
        json_put_raw(&work->x->answer.text, read.data, read.bytes);
    return item->bytes;
}

/* All that was read is dealt with; what the answer had no more room for is asked for again. */
static void end_reading(struct exchange *x, struct triage_work *work)
{
    size_t read = x->lookup.item_count;
    work->pick_at = read < work->asked_count ? work->asked[read] : work->asked[work->asked_count - 1] + 1;
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
    x->phase = TRIAGE_TOUCH;
}

/* ---- the call ---- */

/* An export, too, waits for the disk: what it left out, because others had just ended it, lives again if the broker dies
 * before that is durable; then nobody may have an answer that lacks it. */
static enum admin_step end(struct admin_turn *turn, struct exchange *x, const struct triage_work *work)
{
    if (work->dry && work->touched == 0 && !work->exports)
        return triage_answer(x, work);
    if (work->dry && !work->exports) {
        x->phase = TRIAGE_OLDEST;
        return triage_ask_oldest(turn, x, work);
    }
    if (!work->exports)
        log_event(LOG_INFO, "triaged", "by=%s what=%s jobs=%" PRIu64 " stay=%" PRIu64, x->grant.name,
                  triage_name(work->what.how), work->touched, triage_kept(work));
    x->phase = TRIAGE_DONE;
    x->trail.looks = work->exports;
    core_answer(turn->out, x->token);
    return STEP_WAIT;
}

/* A step has dealt with some: on, or to the end. */
static enum admin_step go_on(struct admin_turn *turn, struct exchange *x, struct triage_work *work, uint64_t before)
{
    if (!work->exports)
        triage_tell(x, work);
    if (triage_is_over(work) && !x->has_lookup)
        return end(turn, x, work);
    x->trail.part = !work->dry && !work->exports && work->touched > before;
    return STEP_MORE;
}

static enum admin_step walk(struct triage_work *work, struct exchange *x)
{
    if (triage_pick(work))
        x->phase = TRIAGE_CHECK;
    return STEP_MORE;
}

static enum admin_step check(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    enum admin_step step = triage_check(turn, x, work);
    if (step != STEP_MORE)
        x->phase = TRIAGE_CHECKED;
    else
        x->phase = triage_has_picked(work) ? TRIAGE_TOUCH : TRIAGE_WALK;
    return step;
}

static enum admin_step take_checked(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, unread, NULL);
    triage_take_checked(turn, work, &x->lookup);
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
    x->phase = TRIAGE_CHECK;
    return STEP_MORE;
}

static enum admin_step deal(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    uint64_t before = work->touched;
    if (work->pick_at == work->pick_count) { /* none is left in hand: more of them, or the end */
        work->pick_at = work->pick_count = work->check_at = work->checked = 0;
        x->phase = TRIAGE_WALK;
        return go_on(turn, x, work, before);
    }
    if (triage_reads_all(work)) {
        x->phase = TRIAGE_READ;
        enum admin_step step = triage_read(turn, x, work);
        if (step == STEP_MORE)
            x->phase = TRIAGE_TOUCH;
        return step;
    }
    touch_some(turn, work);
    return go_on(turn, x, work, before);
}

static enum admin_step read_disk(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    uint64_t before = work->touched;
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, unread, NULL);
    for (size_t cost = 0; work->item_at < x->lookup.item_count && cost < STEP_COST;)
        cost += cost_of(work, touch_read(turn, work, &x->lookup));
    if (work->item_at == x->lookup.item_count)
        end_reading(x, work);
    return go_on(turn, x, work, before);
}

/* What was accepted before the mark may not be on disk yet, where it is looked for; and the mark must not be told before
 * they are: after a crash their numbers would be given again, to others. */
static enum admin_step begin(struct admin_turn *turn, struct exchange *x)
{
    const struct triage_work *work;
    if (!triage_ask(turn, x))
        return STEP_DONE;
    work = x->memory;
    if (work->exports) {
        json_open(&x->answer.text, '{');
        json_key(&x->answer.text, "export");
        json_open(&x->answer.text, '[');
    }
    x->phase = TRIAGE_DURABLE;
    x->trail.looks = true;
    core_answer(turn->out, x->token);
    return STEP_WAIT;
}

enum admin_step call_triage(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0)
        return begin(turn, x);
    struct triage_work *work = x->memory;
    work->turn = turn; /* of this step: what the one before lent is gone */
    switch (x->phase) {
    case TRIAGE_DURABLE:
        x->trail.looks = false;
        x->phase = TRIAGE_WALK;
        return STEP_MORE;
    case TRIAGE_WALK:
        return walk(work, x);
    case TRIAGE_CHECK:
        return check(turn, x, work);
    case TRIAGE_CHECKED:
        return take_checked(turn, x, work);
    case TRIAGE_TOUCH:
        return deal(turn, x, work);
    case TRIAGE_READ:
        return read_disk(turn, x, work);
    case TRIAGE_OLDEST:
        triage_take_oldest(x, work);
        return triage_answer(x, work);
    default:
        return work->exports ? triage_answer_export(x, work) : triage_answer(x, work);
    }
}

enum admin_step call_export(struct admin_turn *turn, struct exchange *x)
{
    return call_triage(turn, x);
}
