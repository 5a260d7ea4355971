/* admin_triage_pick.c — which jobs a triage means: it walks over the backlog in slices until it has as many as the call
 * touches, asks the disk which of them are meant, and sorts them as they stand in their conversations. Only then the first
 * of them is touched: what becomes of one changes the state and the reason of those behind it.
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

/* What stays whatever becomes of others takes no room: it is only counted, once. With a filter that the disk answers it is
 * not known yet whether it is meant; and an export's answer may be full before it. */
static bool is_passed_over(struct triage_work *work, const struct job_view *view)
{
    enum drain_stay stay;
    if (!selection_asks_disk(&work->selection) && !work->exports &&
        core_triage_keeps(work->turn->core, view->number, &work->what, &stay) && stay != DRAIN_STAY_NONE &&
        stay != DRAIN_STAY_BEHIND) {
        work->stays[stay] += work->from == 0;
        return true;
    }
    return work->in_order && view->sequence < work->from;
}

/* ---- the walk ---- */

static void choose(void *self, const struct job_view *view)
{
    struct triage_work *work = self;
    if (!triage_is_chosen(work, view) || is_passed_over(work, view))
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

const struct pick *triage_in_hand(const struct triage_work *work, const struct job_view *view)
{
    const struct pick key = {.class = (uint8_t)view->class, .order = view->order};
    const struct pick *pick = bsearch(&key, work->picks, work->pick_count, sizeof key, by_place);
    return pick != NULL && pick->number == view->number ? pick : NULL;
}

/* The next slots, one by one, so that an answer that gets full can say at which of them to go on. */
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
    return !work->in_order || sort_some(work);
}

/* An export is sorted by whoever reads it, for it is more than one answer. */
bool triage_has_picked(struct triage_work *work)
{
    if (!work->in_order && has_room(work) && !has_looked(work)) /* the disk has thrown some out */
        return false;
    if (!work->in_order && !work->exports)
        qsort(work->picks, work->pick_count, sizeof *work->picks, by_place);
    work->left -= work->pick_count;
    return true;
}

/* ---- what the disk knows of them ---- */

/* From `at` on; what is not there any more is passed over. The index behind the last one. */
static size_t fill_jobs(struct admin_turn *turn, struct triage_work *work, size_t at, size_t most)
{
    work->asked_count = work->item_at = work->text_at = 0;
    for (; at < work->pick_count && work->asked_count < most; at++) {
        struct job_view view;
        if (work->picks[at].is_out || !core_job_glance(turn->core, work->picks[at].number, turn->now, &view))
            continue;
        struct lookup_job *job = &work->jobs[work->asked_count];
        *job = (struct lookup_job){0};
        exchange_fill_job(turn, &view, false, job);
        work->asked[work->asked_count++] = (uint32_t)at;
    }
    return at;
}

static enum admin_step ask(struct admin_turn *turn, struct exchange *x, struct triage_work *work,
                           struct lookup_request *request)
{
    request->what = LOOKUP_JOBS;
    request->jobs = work->jobs;
    request->job_count = work->asked_count;
    enum admin_step step = exchange_look_up(turn, x, request);
    if (step == STEP_WAIT)
        work->jobs = NULL; /* the lookup's now */
    return step;
}

static bool has_jobs(struct triage_work *work)
{
    return work->jobs != NULL || (work->jobs = calloc(TRIAGE_ASKED_MAX, sizeof *work->jobs)) != NULL;
}

enum admin_step triage_check(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    struct lookup_request request = {.form = LOOKUP_CHECK,
                                     .to = selection_to(&work->selection),
                                     .since_ms = work->selection.accepted_from_ms,
                                     .until_ms = work->selection.accepted_to_ms};
    if (!selection_asks_disk(&work->selection))
        return STEP_MORE;
    if (!has_jobs(work))
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    work->check_at = fill_jobs(turn, work, work->check_at, TRIAGE_ASKED_MAX);
    if (work->asked_count > 0)
        return ask(turn, x, work, &request);
    work->pick_count = work->check_at = work->checked;
    return STEP_MORE;
}

/* A rehearsal of a move remembers that it was there: what is not meant does not go, and those behind it stay. */
void triage_take_checked(struct admin_turn *turn, struct triage_work *work, const struct lookup_answer *lookup)
{
    for (size_t i = 0; i < lookup->item_count; i++) {
        const struct lookup_item *item = &lookup->items[i];
        struct pick pick = work->picks[work->asked[i]];
        pick.is_out = item->bytes == 0 || item->code != CODE_NONE;
        if (item->code != CODE_NONE && item->bytes > 0)
            triage_count_unread(turn, work, pick.number);
        if (!pick.is_out || (work->dry && work->what.how == TRIAGE_MOVE))
            work->picks[work->checked++] = pick;
    }
}

enum admin_step triage_read(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    struct lookup_request request = {.form = LOOKUP_EXPORT, .with_message = true, .bytes_max = TRIAGE_READ_BYTES};
    if (!has_jobs(work))
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    (void)fill_jobs(turn, work, work->pick_at, TRIAGE_READ_MAX);
    if (work->asked_count > 0)
        return ask(turn, x, work, &request);
    work->pick_at = work->pick_count;
    return STEP_MORE;
}
