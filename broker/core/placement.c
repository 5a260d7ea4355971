/* placement.c — a heap of lines by pass, see placement.h. */
#include "broker/core/placement.h"

#include "broker/core/line.h"
#include "broker/core/past.h"

#define WARM_AT 100.0 /* messages a day at which a line counts as half warm, where no growth floor says it */
#define COLD_SCORE 0.1
#define AREA_END 10000u
#define PLACEMENT_LOOK 15u /* the top of the heap: bounded, and nearly those whose turn comes next */

double placement_score(const struct core *core, const struct line *line, struct instant now)
{
    int64_t floor = line_policy(core, line)->growth_floor;
    double half_warm = floor > 0 ? (double)floor : WARM_AT;
    double level = (double)level_of(line, now);
    double today = budget_used(&line->known.out, now.wall_ms);
    double past = past_level(line, now);
    level = today > level ? today : level;
    level = past > level ? past : level;
    double score = COLD_SCORE + (1.0 - COLD_SCORE) * level / (level + half_warm);
    for (enum budget budget = 0; budget < BUDGET_PAIR; budget++) {
        struct budget_state state = budget_state(core, line, budget, now);
        if (state.limit > 0)
            score *= 1.0 - (double)state.used / (double)state.limit;
    }
    return score < 0.001 ? 0.001 : score;
}

static bool goes_first(const struct core *core, uint32_t a, uint32_t b)
{
    return core->lines[a].pass < core->lines[b].pass || (core->lines[a].pass == core->lines[b].pass && a < b);
}

static void put(struct core *core, struct pool *pool, uint32_t i, uint32_t line)
{
    pool->placement[i] = line;
    core->lines[line].placement = i + 1;
}

static void sift_up(struct core *core, struct pool *pool, uint32_t i, uint32_t line)
{
    while (i > 0 && goes_first(core, line, pool->placement[(i - 1) / 2])) {
        put(core, pool, i, pool->placement[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(core, pool, i, line);
}

static void sift_down(struct core *core, struct pool *pool, uint32_t i, uint32_t line)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= pool->placement_count)
            break;
        if (child + 1 < pool->placement_count &&
            goes_first(core, pool->placement[child + 1], pool->placement[child]))
            child++;
        if (!goes_first(core, pool->placement[child], line))
            break;
        put(core, pool, i, pool->placement[child]);
        i = child;
    }
    put(core, pool, i, line);
}

void placement_add(struct core *core, uint32_t at)
{
    struct line *line = &core->lines[at];
    struct pool *pool = &core->pools[line->pool];
    if (line->placement != 0)
        return;
    if (line->pass < pool->pass)
        line->pass = pool->pass; /* time out of the heap saves nothing up */
    sift_up(core, pool, pool->placement_count++, at);
}

void placement_remove(struct core *core, uint32_t at)
{
    struct line *line = &core->lines[at];
    if (line->placement == 0)
        return;
    struct pool *pool = &core->pools[line->pool];
    uint32_t hole = line->placement - 1;
    line->placement = 0;
    uint32_t last = pool->placement[--pool->placement_count];
    if (last == at)
        return;
    if (hole > 0 && goes_first(core, last, pool->placement[(hole - 1) / 2]))
        sift_up(core, pool, hole, last);
    else
        sift_down(core, pool, hole, last);
}

uint32_t placement_best(const struct core *core, uint32_t pool)
{
    return core->pools[pool].placement_count == 0 ? NO_LINE : core->pools[pool].placement[0];
}

static unsigned area_of(uint64_t number)
{
    while (number >= AREA_END)
        number /= 10;
    return (unsigned)number;
}

/* How many leading digits two areas share. */
static unsigned area_match(unsigned a, unsigned b)
{
    unsigned match = AREA_DIGITS;
    for (; a != b; a /= 10, b /= 10)
        match--;
    return match;
}

uint32_t placement_near(const struct core *core, uint32_t pool_at, unsigned area, struct instant now)
{
    const struct pool *pool = &core->pools[pool_at];
    uint32_t best = placement_best(core, pool_at);
    if (best == NO_LINE || area == 0)
        return best;
    double turn = core->lines[best].pass;
    unsigned match = area_match(area, area_of(core->lines[best].known.number));
    for (uint32_t i = 1; i < pool->placement_count && i < PLACEMENT_LOOK && match < AREA_DIGITS; i++) {
        const struct line *line = &core->lines[pool->placement[i]];
        unsigned here = area_match(area, area_of(line->known.number));
        if (here <= match || line->pass - turn > 0.5 / placement_score(core, line, now))
            continue;
        best = pool->placement[i];
        match = here;
    }
    return best;
}

void placement_charge(struct core *core, uint32_t at, struct instant now)
{
    struct line *line = &core->lines[at];
    assert(line->placement == 0);
    struct pool *pool = &core->pools[line->pool];
    /* It may have gone a little before its turn: the others' is not over for that. */
    uint32_t first = placement_best(core, line->pool);
    double turn = first != NO_LINE && core->lines[first].pass < line->pass ? core->lines[first].pass : line->pass;
    if (pool->pass < turn)
        pool->pass = turn;
    line->pass += 1.0 / placement_score(core, line, now);
}
