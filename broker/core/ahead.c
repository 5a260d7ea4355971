/* ahead.c — how many jobs go before one, see forecast.h. The queues are heaps of conversations' first jobs: those
 * before a job are counted one by one as long as they are few, and beyond that told from its place in the order of
 * acceptance. */
#include "broker/core/forecast.h"

#include "broker/core/conversation.h"
#include "broker/core/job.h"
#include "broker/core/ready.h"
#include "broker/core/turns.h"

#define LOOK_MAX 2048 /* jobs counted one by one for one forecast: some tens of microseconds */

struct ahead_queues { /* of a line, or of a pool */
    const struct ready_set *set[3];
    size_t count;
    const uint32_t *waiting; /* all jobs, by class: those set aside as well */
};

struct counting {
    uint32_t job;   /* those before it; NOBODY: all */
    unsigned class; /* of it */
    enum drain_order order;
    uint64_t from[CLASS_COUNT], until[CLASS_COUNT]; /* of each class, by the order of acceptance, those that matter */
    double turns[CLASS_COUNT];                      /* until all of them have gone, if the classes share the turns */
    struct rivals found;
    double firsts, all; /* conversations, of all jobs that were looked at */
    unsigned left;      /* to look at; 0: it was given up */
};

static bool by_order(enum drain_order order)
{
    return order == DRAIN_ORDER_OLDEST || order == DRAIN_ORDER_DEADLINE;
}

/* Those of its own class that go before the job; of the others all, if not age or deadline decide between classes. */
static bool counts(const struct core *core, const struct counting *counting, uint32_t slot)
{
    const struct job *job = &core->jobs[slot];
    if (job_state_is_final(job->state) || slot == counting->job)
        return false;
    if (counting->job == NOBODY)
        return true;
    if (counting->order == DRAIN_ORDER_OLDEST && job->class != counting->class)
        return job_order(core, job) < job_order(core, &core->jobs[counting->job]);
    if (counting->order == DRAIN_ORDER_DEADLINE || job->class == counting->class)
        return ready_goes_first(core, slot, counting->job);
    return true;
}

/* Where it stands among those of its class, from 0 to 1; beyond: behind all that matter. */
static double place_of(const struct core *core, const struct counting *counting, const struct job *job)
{
    uint64_t from = counting->from[job->class], until = counting->until[job->class], order = job_order(core, job);
    if (order < from)
        return 0;
    return order >= until ? 1 : (double)(order - from) / (double)(until - from);
}

/* The part of its class that it goes with. It goes no sooner than the last of the better class before it in its
 * conversation, which is so many turns off (*turns: and now it is), whatever its own place. */
static unsigned part_of(const struct core *core, const struct counting *counting, const struct job *job,
                        double *turns)
{
    double all = counting->turns[job->class], own = place_of(core, counting, job) * all;
    *turns = own > *turns ? own : *turns;
    return all <= 0 ? 0 : *turns >= all ? RIVAL_PARTS : (unsigned)(*turns * RIVAL_PARTS / all);
}

/* A first job in a queue, and those behind it in its conversation, which wait for those of the better class before
 * them. */
static void count_conversation(const struct core *core, struct counting *counting, uint32_t first)
{
    uint32_t slot = first;
    unsigned class = core->jobs[first].class, behind = class, part = 0;
    double turns = 0;
    const struct job *before = &core->jobs[first];
    counting->firsts++;
    do {
        const struct job *job = &core->jobs[slot];
        if (job->class != class) {
            behind = class;
            part = part_of(core, counting, before, &turns);
        }
        class = job->class;
        before = job;
        bool goes = counts(core, counting, slot);
        counting->all++;
        if (behind == class)
            counting->found.free[class] += goes;
        else if (part < RIVAL_PARTS)
            counting->found.behind[behind][class][part] += goes;
        else if (behind != counting->class) /* else it is free when our job has gone */
            counting->found.behind[behind][class][RIVAL_PARTS - 1] += goes;
        counting->left--;
        if (!goes && by_order(counting->order))
            return; /* and so do those behind it */
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

/* What goes after a job stands below it, so a part of the heap that goes after ours is left alone where `ordered`. */
static void count_queue(const struct core *core, struct counting *counting, const struct ready_queue *queue,
                        bool ordered)
{
    for (uint32_t at = queue->root; at != NOBODY && counting->left > 0;) {
        const struct job *job = &core->jobs[at];
        bool deeper = !ordered || counts(core, counting, at) || at == counting->job;
        if (deeper)
            count_conversation(core, counting, at);
        at = deeper && job->left != NOBODY ? job->left : past(core, at);
    }
}

/* The first of the class by acceptance; those that will be accepted next if there is none. */
static uint64_t oldest_of(const struct core *core, const struct ahead_queues *queues, unsigned class)
{
    uint64_t oldest = core->next_job;
    for (size_t i = 0; i < queues->count; i++) {
        uint32_t root = queues->set[i]->queue[class].root;
        if (root != NOBODY && job_order(core, &core->jobs[root]) < oldest)
            oldest = job_order(core, &core->jobs[root]);
    }
    return oldest;
}

/* Where the job stands among `waiting` ones that came one after the other since the first of these queues. */
static double place_by_order(const struct core *core, uint64_t oldest, uint32_t job, double waiting)
{
    if (job == NOBODY || oldest >= core->next_job)
        return waiting;
    uint64_t order = job_order(core, &core->jobs[job]);
    double since = order > oldest ? (double)(order - oldest) : 0;
    return waiting * since / (double)(core->next_job - oldest);
}

/* What was not looked at is like what was. */
static void fill_up(struct rivals *found, unsigned class, double told)
{
    double sum = rivals_of(found, class);
    if (sum <= 0)
        found->free[class] = told;
    else
        found->free[class] *= told / sum;
    for (unsigned h = 0; h < CLASS_COUNT && sum > 0; h++)
        for (unsigned p = 0; p < RIVAL_PARTS; p++)
            found->behind[h][class][p] *= told / sum;
}

/* Returns how many conversations there are to a job. */
static double ahead_count(const struct core *core, const struct ahead_queues *queues, uint32_t job, unsigned class,
                          enum drain_order order, struct rivals *out)
{
    struct counting counting = {.job = job, .class = class, .order = order};
    bool too_many = false;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        counting.from[c] = oldest_of(core, queues, c);
        counting.until[c] = core->next_job;
    }
    if (job != NOBODY && !by_order(order)) /* what stands behind those of its class behind it does not go before it */
        counting.until[class] = job_order(core, &core->jobs[job]);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        counting.turns[c] = place_by_order(core, counting.from[c], c == class ? job : NOBODY, queues->waiting[c]) /
                            (double)class_weight[c];
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        bool ordered = job != NOBODY && (c == class || order == DRAIN_ORDER_DEADLINE);
        counting.left = LOOK_MAX;
        for (size_t i = 0; i < queues->count; i++)
            count_queue(core, &counting, &queues->set[i]->queue[c], ordered);
        too_many = too_many || counting.left == 0;
    }
    for (unsigned c = 0; too_many && c < CLASS_COUNT; c++)
        fill_up(&counting.found, c,
                c == class || by_order(order) ? place_by_order(core, counting.from[c], job, queues->waiting[c])
                                              : queues->waiting[c]);
    rivals_add(out, &counting.found, 1);
    return counting.all > 0 ? counting.firsts / counting.all : 1;
}

double ahead_on_line(const struct core *core, const struct line *line, uint32_t job, unsigned class,
                     enum drain_order order, struct rivals *out)
{
    const struct ahead_queues queues = {
        .set = {&line->ready, &line->rested, &line->fresh}, .count = 3, .waiting = line->waiting};
    return ahead_count(core, &queues, job, class, order, out);
}

double ahead_in_pool(const struct core *core, const struct pool *pool, uint32_t job, unsigned class,
                     enum drain_order order, struct rivals *out)
{
    const struct ahead_queues queues = {.set = {&pool->fresh}, .count = 1, .waiting = pool->unplaced_by_class};
    return ahead_count(core, &queues, job, class, order, out);
}

void ahead_in_conversation(const struct core *core, uint32_t job, uint32_t last[CLASS_COUNT])
{
    const struct conversation *conversation = &core->conversations[core->jobs[job].conversation];
    uint32_t first = conversation_first(core, conversation), at = first;
    uint32_t found[CLASS_COUNT] = {NOBODY, NOBODY, NOBODY, NOBODY};
    for (unsigned looked = 0; at != NOBODY && at != job && looked < LOOK_MAX; looked++) {
        if (core->jobs[at].class != core->jobs[job].class && core->jobs[at].state != JOB_LEASED)
            found[core->jobs[at].class] = at;
        at = core->jobs[at].next == first ? NOBODY : core->jobs[at].next;
    }
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        last[c] = at == job ? found[c] : NOBODY;
}

/* ---- sums ---- */

double rivals_of(const struct rivals *rivals, unsigned class)
{
    double sum = rivals->free[class];
    for (unsigned h = 0; h < CLASS_COUNT; h++)
        for (unsigned p = 0; p < RIVAL_PARTS; p++)
            sum += rivals->behind[h][class][p];
    return sum;
}

double rivals_sum(const struct rivals *rivals)
{
    double sum = 0;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        sum += rivals_of(rivals, c);
    return sum;
}

void rivals_add(struct rivals *to, const struct rivals *more, double share)
{
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        to->free[c] += more->free[c] * share;
        for (unsigned h = 0; h < CLASS_COUNT; h++)
            for (unsigned p = 0; p < RIVAL_PARTS; p++)
                to->behind[h][c][p] += more->behind[h][c][p] * share;
    }
}
