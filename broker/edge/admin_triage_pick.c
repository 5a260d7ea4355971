/* admin_triage_pick.c — which jobs a triage means: it walks over the backlog in slices until it has a handful, sorts them
 * as they stand in their conversations, and reads of their records what is needed. */
#include <stdlib.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_triage.h"

#define SLOTS_PER_STEP 256     /* of the core, looked at in one turn */
#define SLOTS_PER_CALL 65536   /* by a call that changes something */
#define SLOTS_PER_LOOK 1048576 /* by one that does not */
#define EXPORT_BYTES   1048576 /* of an answer: no job is added beyond */

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

static size_t room_of(const struct triage_work *work)
{
    return (work->left < TRIAGE_PICKS_MAX ? work->left : TRIAGE_PICKS_MAX) - work->pick_count;
}

static void choose(void *self, const struct job_view *view)
{
    struct triage_work *work = self;
    if (!triage_is_chosen(work, view))
        return;
    work->picks[work->pick_count++] = (struct pick){.number = view->number,
                                                    .sequence = view->sequence,
                                                    .order = view->order,
                                                    .conversation = view->conversation,
                                                    .slot = work->slot,
                                                    .class = (uint8_t)view->class,
                                                    .reason = (uint8_t)view->reason};
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
    for (unsigned i = 0; i < SLOTS_PER_STEP && room_of(work) > 0 && !has_looked(work); i++) {
        uint32_t next = work->slot;
        work->walk_over = !core_jobs_walk(work->turn->core, &next, 1, work->turn->now, choose, work);
        work->slot = next;
        work->walked++;
    }
    bool whole = room_of(work) == 0 || has_looked(work);
    if (whole && !work->exports)
        qsort(work->picks, work->pick_count, sizeof *work->picks, by_place);
    return whole;
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
