/* ahead.c — how many jobs go before one, see forecast.h. The queues are heaps of conversations' first jobs: those before
 * a job are counted one by one as long as they are few, and beyond that told from its place in the order of acceptance. */
#include "broker/core/forecast.h"

#include "broker/core/job.h"
#include "broker/core/ready.h"

#define LOOK_MAX 2048 /* jobs counted one by one for one forecast: some tens of microseconds */

static const double class_weight[CLASS_COUNT] = {
    [CLASS_REPLY] = 16, [CLASS_TRANSACTIONAL] = 8, [CLASS_FOLLOWUP] = 2, [CLASS_CAMPAIGN] = 1}; /* as in turns.c */

double ahead_by_shares(const double waiting[CLASS_COUNT], unsigned class, double ahead)
{
    double left[CLASS_COUNT];
    double before = 0;
    double own = ahead + 0.5; /* its turn comes somewhere in the middle of a round */
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        left[c] = c == class ? 0 : waiting[c];
    while (own > 0) { /* until its turn, or until one class more has nothing left */
        double step = own;
        for (unsigned c = 0; c < CLASS_COUNT; c++)
            if (left[c] > 0 && left[c] * class_weight[class] / class_weight[c] < step)
                step = left[c] * class_weight[class] / class_weight[c];
        for (unsigned c = 0; c < CLASS_COUNT; c++) {
            double went = step * class_weight[c] / class_weight[class];
            went = went < left[c] ? went : left[c];
            left[c] = left[c] - went < 1e-9 ? 0 : left[c] - went;
            before += went;
        }
        own = own - step < 1e-9 ? 0 : own - step;
    }
    return before + ahead;
}

struct counting {
    uint32_t job;  /* those before it; NOBODY: all */
    double count;
    unsigned left; /* to look at; 0: it was given up */
};

static bool counts(const struct core *core, const struct counting *counting, uint32_t slot)
{
    return slot != counting->job && (counting->job == NOBODY || ready_goes_first(core, slot, counting->job));
}

/* A first job in a queue, and those behind it in its conversation that are of its class and go before, too. */
static void count_conversation(const struct core *core, struct counting *counting, uint32_t first)
{
    uint32_t slot = first;
    do {
        const struct job *job = &core->jobs[slot];
        if (job->class != core->jobs[first].class || !counts(core, counting, slot))
            return;
        counting->count += !job_state_is_final(job->state);
        counting->left--;
        slot = job->next;
    } while (slot != first && counting->left > 0);
}

/* The next one of the heap when nothing below `at` is wanted; NOBODY: it was the last. */
static uint32_t past(const struct core *core, uint32_t at)
{
    for (uint32_t above; (above = core->jobs[at].parent) != NOBODY; at = above)
        if (core->jobs[above].left == at && core->jobs[above].right != NOBODY)
            return core->jobs[above].right;
    return NOBODY;
}

/* What goes after a job stands below it, so a part of the heap that goes after ours is left alone. */
static void count_queue(const struct core *core, struct counting *counting, const struct ready_queue *queue)
{
    for (uint32_t at = queue->root; at != NOBODY && counting->left > 0;) {
        const struct job *job = &core->jobs[at];
        bool before = counts(core, counting, at);
        if (before)
            count_conversation(core, counting, at);
        at = before && job->left != NOBODY ? job->left : past(core, at);
    }
}

/* Where the job stands among `waiting` ones that came one after the other since the first of these queues. */
static double place_by_order(const struct core *core, const struct ready_queue *const queues[], size_t count, uint32_t job,
                             double waiting)
{
    uint64_t oldest = core->next_job;
    for (size_t i = 0; i < count; i++)
        if (queues[i]->root != NOBODY && job_order(core, &core->jobs[queues[i]->root]) < oldest)
            oldest = job_order(core, &core->jobs[queues[i]->root]);
    if (job == NOBODY || oldest >= core->next_job)
        return waiting;
    uint64_t order = job_order(core, &core->jobs[job]);
    double since = order > oldest ? (double)(order - oldest) : 0;
    return waiting * since / (double)(core->next_job - oldest);
}

static double before_in(const struct core *core, const struct ready_queue *const queues[], size_t count, uint32_t job,
                        double waiting)
{
    struct counting counting = {.job = job, .left = LOOK_MAX};
    for (size_t i = 0; i < count; i++)
        count_queue(core, &counting, queues[i]);
    return counting.left > 0 ? counting.count : place_by_order(core, queues, count, job, waiting);
}

void ahead_on_line(const struct core *core, const struct line *line, uint32_t job, unsigned class,
                   double waiting[CLASS_COUNT], double *own)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        const struct ready_queue *const queues[] = {&line->ready.queue[c], &line->rested.queue[c], &line->fresh.queue[c]};
        double before = before_in(core, queues, 3, c == class ? job : NOBODY, line->waiting[c]);
        waiting[c] += before;
        if (c == class)
            *own += before;
    }
}

void ahead_in_pool(const struct core *core, const struct pool *pool, uint32_t job, unsigned class,
                   double waiting[CLASS_COUNT], double *own)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        const struct ready_queue *const queues[] = {&pool->fresh.queue[c]};
        double before = before_in(core, queues, 1, c == class ? job : NOBODY, pool->unplaced_by_class[c]);
        waiting[c] += before;
        if (c == class)
            *own += before;
    }
}
