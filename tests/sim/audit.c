/* audit.c — see audit.h. Counts the jobs that there are, one by one, and holds what status, lines and pools say of them
 * against that. */
#include "tests/sim/audit.h"

#include <inttypes.h>
#include <string.h>

#include "broker/broker_part.h"
#include "tests/sim/cast.h"
#include "tests/sim/ground.h"
#include "tests/sim/house.h"
#include "tests/sim/reference.h"

#define ALL_EVERY 64 /* turns */
#define LINES_MAX 64
#define POOLS_MAX 8

struct tally {
    struct core *core;
    uint64_t jobs, by_state[JOB_STATE_COUNT];
    uint32_t line_waiting[LINES_MAX], line_leased[LINES_MAX];
    uint64_t pool_waiting[POOLS_MAX], pool_leased[POOLS_MAX], pool_unplaced[POOLS_MAX];
};

static struct stream luck;

void audit_begin(void)
{
    luck = stream_of("audit");
}

static void count(void *self, const struct job_view *view)
{
    struct tally *tally = self;
    size_t line;
    tally->jobs++;
    tally->by_state[view->state]++;
    reference_audit_job(view);
    bool waits = view->state == JOB_QUEUED, leased = view->state == JOB_LEASED;
    if (view->pool < POOLS_MAX) {
        tally->pool_waiting[view->pool] += waits;
        tally->pool_leased[view->pool] += leased;
        tally->pool_unplaced[view->pool] += waits && view->line == 0 && !view->yielded;
    }
    if (view->line == 0 || view->yielded || !core_line_find(tally->core, view->line, &line) || line >= LINES_MAX)
        return;
    tally->line_waiting[line] += waits;
    tally->line_leased[line] += leased;
}

static void check_status(const struct tally *tally, struct broker *broker)
{
    struct core_status status;
    core_status_read(broker->core, broker->now, &status);
    if (status.jobs != tally->jobs || status.scheduled != tally->by_state[JOB_SCHEDULED] ||
        status.queued != tally->by_state[JOB_QUEUED] || status.leased != tally->by_state[JOB_LEASED])
        breach("audit", NOBODY_ABOUT,
               "status counts %" PRIu64 " jobs (%" PRIu64 " scheduled, %" PRIu64 " queued, %" PRIu64
               " leased); there are %" PRIu64 " (%" PRIu64 ", %" PRIu64 ", %" PRIu64 ")",
               status.jobs, status.scheduled, status.queued, status.leased, tally->jobs,
               tally->by_state[JOB_SCHEDULED], tally->by_state[JOB_QUEUED], tally->by_state[JOB_LEASED]);
}

static void check_lines(const struct tally *tally, struct broker *broker)
{
    for (size_t line = 0; line < core_line_count(broker->core) && line < LINES_MAX; line++) {
        struct line_view view;
        if (!core_line_view(broker->core, line, broker->now, &view))
            continue;
        if (view.backlog_queued + view.backlog_held != tally->line_waiting[line] ||
            view.backlog_leased != tally->line_leased[line])
            breach("audit", NOBODY_ABOUT, "line %" PRIu64 " counts %u waiting and %u leased; there are %u and %u",
                   view.number, view.backlog_queued + view.backlog_held, view.backlog_leased,
                   tally->line_waiting[line], tally->line_leased[line]);
    }
}

static void check_pools(const struct tally *tally, struct broker *broker)
{
    for (uint32_t pool = 0; pool < CAST_POOLS; pool++) {
        struct pool_view view;
        if (!core_pool_view(broker->core, pool, &view))
            continue;
        if (view.waiting != tally->pool_waiting[pool] || view.leased != tally->pool_leased[pool] ||
            view.unplaced != tally->pool_unplaced[pool])
            breach("audit", NOBODY_ABOUT,
                   "pool %u counts %" PRIu64 " waiting, %" PRIu64 " leased, %" PRIu64 " unplaced; there are %" PRIu64
                   ", %" PRIu64 ", %" PRIu64,
                   pool, view.waiting, view.leased, view.unplaced, tally->pool_waiting[pool],
                   tally->pool_leased[pool], tally->pool_unplaced[pool]);
    }
}

static void audit_all(struct broker *broker)
{
    static struct tally tally;
    uint32_t cursor = 0;
    memset(&tally, 0, sizeof tally);
    tally.core = broker->core;
    reference_audit_begin();
    while (core_jobs_walk(broker->core, &cursor, 100000, broker->now, count, &tally))
        continue;
    reference_audit_end();
    check_status(&tally, broker);
    check_lines(&tally, broker);
    check_pools(&tally, broker);
}

/* After every turn: what memory holds is bounded (promise P8). */
static void audit_little(struct broker *broker)
{
    struct core_status status;
    core_status_read(broker->core, broker->now, &status);
    if (status.jobs != status.scheduled + status.queued + status.leased)
        breach("audit", NOBODY_ABOUT, "%" PRIu64 " jobs, but %" PRIu64 " scheduled, %" PRIu64 " queued, %" PRIu64 " leased",
               status.jobs, status.scheduled, status.queued, status.leased);
    if (status.jobs > (uint64_t)broker->conf->broker.jobs_max)
        breach("P8", NOBODY_ABOUT, "%" PRIu64 " jobs, though there may be %" PRId64, status.jobs,
               broker->conf->broker.jobs_max);
}

void audit_turn(void)
{
    struct broker *broker = house_broker();
    if (broker == NULL)
        return;
    audit_little(broker);
    if (draw(&luck, ALL_EVERY) == 0)
        audit_all(broker);
}

void audit_settle(void)
{
    struct broker *broker = house_broker();
    if (broker == NULL)
        return;
    audit_all(broker);
    reference_settle();
}
