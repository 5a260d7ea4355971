/* oldest.c — see oldest.h. */
#include "broker/edge/oldest.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_PER_SLICE 8192
#define FRESH_MS        1000
#define SLOTS_A_MS      500 /* the longer a walk was, the longer it is good for: a tenth of the owner's time at most */

struct found {
    uint64_t *first; /* by line; 0: none waits */
    size_t lines;
    uint64_t first_of_all, unknown;
};

struct oldest {
    struct found done, under_way;
    bool running, whole; /* whole: `done` says something */
    uint32_t cursor, walked;
    int64_t begun_mono_ms;
    int64_t *at_ms; /* of `done`, as the core told the numbers then */
    int64_t all_at_ms;
};

struct oldest *oldest_new(void)
{
    return calloc(1, sizeof(struct oldest));
}

void oldest_free(struct oldest **oldest_p)
{
    struct oldest *oldest = *oldest_p;
    if (oldest == NULL)
        return;
    *oldest_p = NULL;
    free(oldest->done.first);
    free(oldest->under_way.first);
    free(oldest->at_ms);
    free(oldest);
}

bool oldest_ask(struct oldest *oldest, const struct core *core, struct instant now)
{
    int64_t good_ms = FRESH_MS + oldest->walked / SLOTS_A_MS;
    if (oldest->running || (oldest->whole && now.mono_ms - oldest->begun_mono_ms < good_ms))
        return true;
    free(oldest->under_way.first);
    oldest->under_way.lines = core_line_count(core);
    oldest->under_way.first = calloc(oldest->under_way.lines + 1, sizeof *oldest->under_way.first);
    if (oldest->under_way.first == NULL)
        return false;
    oldest->under_way.first_of_all = oldest->under_way.unknown = 0;
    oldest->cursor = 0;
    oldest->begun_mono_ms = now.mono_ms;
    oldest->running = true;
    return true;
}

bool oldest_runs(const struct oldest *oldest)
{
    return oldest->running;
}

static void keep_first(uint64_t *first, uint64_t order)
{
    if (*first == 0 || order < *first)
        *first = order;
}

static void take(void *self, const struct waiting_job *job)
{
    struct found *found = self;
    keep_first(&found->first_of_all, job->order);
    if (job->line < found->lines)
        keep_first(&found->first[job->line], job->order);
    found->unknown += job->is_unknown;
}

static void finish(struct oldest *oldest, const struct core *core)
{
    struct found before = oldest->done;
    int64_t *at_ms = calloc(oldest->under_way.lines + 1, sizeof *at_ms);
    oldest->running = false;
    oldest->walked = oldest->cursor;
    if (at_ms == NULL)
        return;
    for (size_t line = 0; line < oldest->under_way.lines; line++)
        if (oldest->under_way.first[line] != 0)
            at_ms[line] = core_order_at_ms(core, oldest->under_way.first[line]);
    free(oldest->at_ms);
    oldest->at_ms = at_ms;
    oldest->all_at_ms =
        oldest->under_way.first_of_all != 0 ? core_order_at_ms(core, oldest->under_way.first_of_all) : 0;
    oldest->done = oldest->under_way;
    oldest->under_way = before;
    oldest->whole = true;
}

bool oldest_slice(struct oldest *oldest, const struct core *core)
{
    if (!oldest->running)
        return false;
    if (core_waiting_walk(core, &oldest->cursor, SLOTS_PER_SLICE, take, &oldest->under_way))
        return true;
    finish(oldest, core);
    return false;
}

int64_t oldest_at_ms(const struct oldest *oldest, size_t line)
{
    return oldest->whole && line < oldest->done.lines ? oldest->at_ms[line] : 0;
}

bool oldest_of_all(const struct oldest *oldest, struct oldest_of_all *out)
{
    *out = (struct oldest_of_all){.at_ms = oldest->all_at_ms, .unknown = oldest->done.unknown};
    return oldest->whole;
}
