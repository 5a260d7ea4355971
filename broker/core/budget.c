/* budget.c — rolling-day counts in buckets of ten minutes: may count up to ten minutes too much, never too little
 * (PROTOCOL, Configuration; DESIGN trap 8). */
#include "broker/core/line.h"

static void advance(struct budget_window *window, int64_t bucket)
{
    if (bucket <= window->newest)
        return;
    int64_t steps = bucket - window->newest;
    if (steps > BUDGET_BUCKETS)
        steps = BUDGET_BUCKETS;
    for (int64_t i = 0; i < steps; i++)
        window->count[(bucket - i) % BUDGET_BUCKETS] = 0;
    window->newest = bucket;
}

unsigned budget_used(const struct budget_window *window, int64_t wall_ms)
{
    int64_t bucket = wall_ms / BUDGET_BUCKET_MS;
    unsigned used = 0;
    for (int64_t b = bucket - BUDGET_BUCKETS + 1; b <= window->newest; b++)
        if (b > window->newest - BUDGET_BUCKETS && b >= 0)
            used += window->count[b % BUDGET_BUCKETS];
    return used;
}

void budget_add(struct budget_window *window, int64_t wall_ms, int delta, int64_t bucket)
{
    advance(window, wall_ms / BUDGET_BUCKET_MS);
    if (bucket > window->newest || bucket <= window->newest - BUDGET_BUCKETS)
        return; /* the clock went back a day, or a debit to return has left the window by itself */
    uint16_t *count = &window->count[bucket % BUDGET_BUCKETS];
    if (delta > 0 && *count < UINT16_MAX)
        (*count)++;
    else if (delta < 0 && *count > 0)
        (*count)--;
}

void budget_restore(struct budget_window *window, int64_t bucket, uint16_t count)
{
    if (bucket <= 0)
        return;
    advance(window, bucket);
    if (bucket <= window->newest - BUDGET_BUCKETS)
        return;
    uint16_t *at = &window->count[bucket % BUDGET_BUCKETS];
    if (count > *at)
        *at = count;
}

bool budget_daily_left(const struct core *core, const struct line *line, struct instant now)
{
    int64_t limit = line_policy(core, line)->daily_messages;
    return limit == 0 || budget_used(&line->known.messages, now.wall_ms) < limit;
}

bool budget_fresh_left(const struct core *core, const struct line *line, struct instant now)
{
    int64_t limit = line_policy(core, line)->fresh_per_day;
    return limit == 0 || budget_used(&line->known.fresh, now.wall_ms) < limit;
}
