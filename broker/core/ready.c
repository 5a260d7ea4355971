/* ready.c — a leftist heap with parent links, see ready.h. */
#include "broker/core/ready.h"

#include "broker/core/job.h"

static bool goes_first(const struct core *core, const struct job *a, const struct job *b)
{
    int64_t a_by = job_expires_ms(a);
    int64_t b_by = job_expires_ms(b);
    if (a_by != b_by)
        return a_by != 0 && (b_by == 0 || a_by < b_by);
    return job_order(core, a) < job_order(core, b);
}

bool ready_goes_first(const struct core *core, uint32_t a, uint32_t b)
{
    return goes_first(core, &core->jobs[a], &core->jobs[b]);
}

static unsigned rank_of(const struct core *core, uint32_t job)
{
    return job == NOBODY ? 0 : core->jobs[job].rank;
}

/* Restores "left is at least as deep as right" at `job`. True: its own rank changed. */
static bool settle(struct core *core, uint32_t job)
{
    struct job *at = job_at(core, job);
    if (rank_of(core, at->left) < rank_of(core, at->right)) {
        uint32_t left = at->left;
        at->left = at->right;
        at->right = left;
    }
    uint8_t rank = (uint8_t)(rank_of(core, at->right) + 1);
    bool changed = rank != at->rank;
    at->rank = rank;
    return changed;
}

/* Walks down the two right spines (each at most log2 n long), then settles them on the way back up. */
static uint32_t merge(struct core *core, uint32_t a, uint32_t b)
{
    uint32_t root = NOBODY;
    uint32_t above = NOBODY;
    while (a != NOBODY && b != NOBODY) {
        if (!goes_first(core, job_at(core, a), job_at(core, b))) {
            uint32_t other = a;
            a = b;
            b = other;
        }
        if (above == NOBODY)
            root = a;
        else
            core->jobs[above].right = a;
        core->jobs[a].parent = above;
        above = a;
        a = core->jobs[a].right;
    }
    uint32_t rest = a != NOBODY ? a : b;
    if (above == NOBODY) {
        if (rest != NOBODY)
            core->jobs[rest].parent = NOBODY;
        return rest;
    }
    core->jobs[above].right = rest;
    if (rest != NOBODY)
        core->jobs[rest].parent = above;
    while (above != NOBODY) {
        settle(core, above);
        above = core->jobs[above].parent;
    }
    return root;
}

void ready_push(struct core *core, struct ready_queue *queue, uint32_t job)
{
    struct job *at = job_at(core, job);
    assert((at->flags & JOB_READY) == 0);
    at->left = at->right = at->parent = NOBODY;
    at->rank = 1;
    at->flags |= JOB_READY;
    queue->root = merge(core, queue->root, job);
}

void ready_remove(struct core *core, struct ready_queue *queue, uint32_t job)
{
    struct job *at = job_at(core, job);
    assert((at->flags & JOB_READY) != 0);
    uint32_t above = at->parent;
    uint32_t rest = merge(core, at->left, at->right);
    at->flags &= (uint8_t)~JOB_READY;
    at->left = at->right = at->parent = NOBODY;
    if (rest != NOBODY)
        core->jobs[rest].parent = above;
    if (above == NOBODY) {
        queue->root = rest;
        return;
    }
    if (core->jobs[above].left == job)
        core->jobs[above].left = rest;
    else
        core->jobs[above].right = rest;
    while (above != NOBODY && settle(core, above))
        above = core->jobs[above].parent;
}
