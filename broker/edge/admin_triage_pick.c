/* admin_triage_pick.c — which jobs a triage means: it walks over the backlog in slices until it has a handful, sorts them
 * as they stand in their conversations, and reads of their records what is needed.
 *
 * Other due times are given in the order of acceptance, for in the same moment jobs go out in that order, and the first of
 * a conversation that got its new one would go before the rest: so each such call goes through the whole backlog and
 * takes the first so many of all that are left. */
#include <stdlib.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_triage.h"

#define SLOTS_PER_STEP 256     /* of the core, looked at in one turn */
#define SLOTS_PER_CALL 65536   /* by a call that changes something */
#define SLOTS_PER_LOOK 1048576 /* by one that does not */
#define EXPORT_BYTES   1048576 /* of an answer: no job is added beyond */
#define SORTED_PER_STEP 1024

bool triage_reads_all(const struct triage_work *work)
{
    return work->exports || work->what.how == TRIAGE_MOVE;
}

bool triage_asks_disk(const struct triage_work *work)
{
    return triage_reads_all(work) || selection_asks_disk(&work->selection);
}

bool triage_is_chosen(const struct triage_work *work, const struct job_view *view)
{
    bool there = work->what.how == TRIAGE_MOVE && view->pool == work->pool_index;
    return view->came < work->mark && !there && selection_takes(work->turn, work->x, &work->selection, view);
}

static uint32_t slots_max(const struct triage_work *work)
{
    if (work->in_order)
        return UINT32_MAX;
    return work->dry ? SLOTS_PER_LOOK : SLOTS_PER_CALL;
}

static bool is_full(const struct triage_work *work)
{
    return work->exports && work->x->answer.text.bytes >= EXPORT_BYTES;
}

static bool has_looked(const struct triage_work *work)
{
    return work->walk_over || work->walked >= slots_max(work);
}

bool triage_is_over(const struct triage_work *work)
{
    bool in_hand = work->pick_at < work->pick_count;
    return is_full(work) || (!in_hand && (has_looked(work) || work->left == 0));
}

static bool has_room(const struct triage_work *work)
{
    return work->in_order || (work->pick_count < work->pick_max && work->pick_count < work->left);
}

/* ---- the first ones of all: a heap with the last of them on top ---- */

static void swap(struct pick *a, struct pick *b)
{
    struct pick was = *a;
    *a = *b;
    *b = was;
}

static void sift_up(struct pick *heap, size_t at)
{
    for (; at > 0 && heap[(at - 1) / 2].sequence < heap[at].sequence; at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

static void sift_down(struct pick *heap, size_t count)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && heap[child + 1].sequence > heap[child].sequence;
        if (heap[child].sequence <= heap[at].sequence)
            return;
        swap(&heap[at], &heap[child]);
    }
}

static void keep_first(struct triage_work *work, const struct pick *pick)
{
    if (work->pick_count < work->pick_max) {
        work->picks[work->pick_count] = *pick;
        sift_up(work->picks, work->pick_count++);
    } else {
        work->dropped = true;
        if (pick->sequence > work->picks[0].sequence)
            return;
        work->picks[0] = *pick;
        sift_down(work->picks, work->pick_count);
    }
    work->heap_count = work->pick_count;
}

/* True: they all stand in their order. */
static bool sort_some(struct triage_work *work)
{
    for (unsigned i = 0; i < SORTED_PER_STEP && work->heap_count > 1; i++) {
        swap(&work->picks[0], &work->picks[--work->heap_count]);
        sift_down(work->picks, work->heap_count);
    }
    if (work->heap_count > 1)
        return false;
    work->last = work->pick_count > 0 ? work->picks[work->pick_count - 1].sequence : 0;
    return true;
}

/* What stands in its conversation's line already takes no room: it is only counted, once. */
static bool is_passed_over(struct triage_work *work, const struct job_view *view)
{
    enum drain_stay stay;
    if (view->state == JOB_SCHEDULED || triage_asks_disk(work))
        return view->sequence < work->from;
    if (work->from == 0 && core_triage_keeps(work->turn->core, view->number, &work->what, &stay))
        work->stays[stay]++;
    return true;
}

/* ---- the walk ---- */

static void choose(void *self, const struct job_view *view)
{
    struct triage_work *work = self;
    if (!triage_is_chosen(work, view) || (work->in_order && is_passed_over(work, view)))
        return;
    struct pick pick = {.number = view->number,
                        .sequence = view->sequence,
                        .order = view->order,
                        .conversation = view->conversation,
                        .slot = work->slot,
                        .class = (uint8_t)view->class,
                        .reason = (uint8_t)view->reason};
    if (work->in_order)
        keep_first(work, &pick);
    else
        work->picks[work->pick_count++] = pick;
}

/* As they stand in a conversation: by class, then by place. */
static int by_place(const void *left, const void *right)
{
    const struct pick *a = left, *b = right;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* The next slots, one by one, so that an answer that gets full can say at which of them to go on. An export is sorted by
 * whoever reads it, for it is more than one answer. */
bool triage_pick(struct triage_work *work)
{
    for (unsigned i = 0; i < SLOTS_PER_STEP && has_room(work) && !has_looked(work); i++) {
        uint32_t next = work->slot;
        work->walk_over = !core_jobs_walk(work->turn->core, &next, 1, work->turn->now, choose, work);
        work->slot = next;
        work->walked++;
    }
    if (has_room(work) && !has_looked(work))
        return false;
    if (work->in_order)
        return sort_some(work);
    if (!work->exports)
        qsort(work->picks, work->pick_count, sizeof *work->picks, by_place);
    return true;
}

/* ---- what the disk knows of them ---- */

static size_t asked_max(const struct triage_work *work)
{
    return triage_reads_all(work) ? TRIAGE_READ_MAX : TRIAGE_ASKED_MAX;
}

/* What is not there any more, or not meant any more, is passed over. */
static void fill_jobs(struct admin_turn *turn, struct triage_work *work)
{
    work->asked_count = work->item_at = work->text_at = 0;
    for (size_t at = work->pick_at; at < work->pick_count && work->asked_count < asked_max(work); at++) {
        struct job_view view;
        if (!core_job_glance(turn->core, work->picks[at].number, turn->now, &view) || !triage_is_chosen(work, &view))
            continue;
        struct lookup_job *job = &work->jobs[work->asked_count];
        *job = (struct lookup_job){0};
        exchange_fill_job(turn, &view, false, job);
        work->asked[work->asked_count++] = (uint32_t)at;
    }
}

enum admin_step triage_read(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    bool all = triage_reads_all(work);
    if (work->jobs == NULL && (work->jobs = calloc(TRIAGE_ASKED_MAX, sizeof *work->jobs)) == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    fill_jobs(turn, work);
    if (work->asked_count == 0) {
        work->pick_at = work->pick_count;
        return STEP_MORE;
    }
    struct lookup_request request = {.what = LOOKUP_JOBS,
                                     .form = all ? LOOKUP_EXPORT : LOOKUP_CHECK,
                                     .with_message = all,
                                     .bytes_max = all ? TRIAGE_READ_BYTES : 0,
                                     .jobs = work->jobs,
                                     .job_count = work->asked_count,
                                     .to = selection_to(&work->selection),
                                     .since_ms = work->selection.accepted_from_ms,
                                     .until_ms = work->selection.accepted_to_ms};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        work->jobs = NULL; /* the lookup's now */
    return step;
}
