/* past.c — see past.h. */
#include "broker/core/past.h"

#define DAY_MS INT64_C(86400000)

/* Today's place: what was noted before moves back by as many days as went by since. */
static void turn_to(struct line *line, int64_t day)
{
    int64_t gap = day - line->past_day;
    if (gap <= 0)
        return;
    for (int64_t i = PAST_DAYS - 1; i >= 0; i--)
        line->past[i] = i >= gap ? line->past[i - gap] : 0;
    line->past_day = day;
}

void past_note(struct line *line, int64_t last_out_ms, struct instant now)
{
    int64_t day = now.wall_ms / DAY_MS;
    int64_t ago = day - last_out_ms / DAY_MS;
    turn_to(line, day);
    if (last_out_ms > 0 && ago >= 1 && ago < PAST_DAYS)
        line->past[ago]++;
}

double past_level(const struct line *line, struct instant now)
{
    int64_t gap = now.wall_ms / DAY_MS - line->past_day; /* days on which nothing was noted */
    uint64_t sum = 0;
    for (int64_t i = 0; i < PAST_DAYS; i++) {
        int64_t ago = i + gap;
        if (ago >= 1 && ago < PAST_DAYS)
            sum += line->past[i];
    }
    return (double)sum / (PAST_DAYS - 1);
}

void pasts_restored(struct core *core, struct instant now)
{
    for (uint32_t at = 1; at <= core->conversations_used; at++) {
        const struct conversation *conversation = &core->conversations[at];
        if (conversation->key != 0 && (conversation->flags & CONVERSATION_BOUND) != 0)
            past_note(&core->lines[conversation->line], moment_ms(conversation->last_out), now);
    }
}
