/* reply_days.c — see reply_days.h. */
#include "broker/core/reply_days.h"

#define EPOCH_MS INT64_C(1704067200000) /* 2024, as conversations keep their moments */
#define DAY_LAST 0x3FFF                 /* fits struct last_out */

uint32_t reply_day(int64_t wall_ms)
{
    int64_t day = (wall_ms - EPOCH_MS) / LEVEL_DAY_MS;
    return day < 1 ? 1 : day > DAY_LAST ? DAY_LAST : (uint32_t)day;
}

static bool is_within(const struct reply_days *days, uint32_t day)
{
    return day <= days->newest && day + REPLY_DAYS > days->newest;
}

static void advance(struct reply_days *days, uint32_t day)
{
    uint32_t gap = day > days->newest ? day - days->newest : 0;
    for (uint32_t i = 0; i < gap && i < REPLY_DAYS; i++)
        days->sent[(day - i) % REPLY_DAYS] = days->answered[(day - i) % REPLY_DAYS] = 0;
    days->newest += gap;
}

/* The clock went back: what was counted ahead of it is as old as it was, seen from today. */
static void go_back(struct reply_days *days, uint32_t today)
{
    const struct reply_days before = *days;
    *days = (struct reply_days){.newest = today};
    for (uint32_t ago = 0; ago < REPLY_DAYS && ago < today; ago++) {
        days->sent[(today - ago) % REPLY_DAYS] = before.sent[(before.newest - ago) % REPLY_DAYS];
        days->answered[(today - ago) % REPLY_DAYS] = before.answered[(before.newest - ago) % REPLY_DAYS];
    }
}

void reply_days_out(struct reply_days *days, uint32_t today)
{
    if (today < days->newest)
        go_back(days, today);
    advance(days, today);
    days->sent[today % REPLY_DAYS]++;
}

bool reply_days_answered(struct reply_days *days, uint32_t day)
{
    if (!is_within(days, day) || days->answered[day % REPLY_DAYS] >= days->sent[day % REPLY_DAYS])
        return false;
    days->answered[day % REPLY_DAYS]++;
    return true;
}

uint32_t reply_days_sent(const struct reply_days *days, uint32_t day)
{
    return is_within(days, day) ? days->sent[day % REPLY_DAYS] : 0;
}

void reply_days_restore(struct reply_days *days, uint32_t day, uint32_t sent)
{
    advance(days, day);
    if (is_within(days, day) && days->sent[day % REPLY_DAYS] < sent)
        days->sent[day % REPLY_DAYS] = sent;
}

void reply_days_merge(struct reply_days *days, const struct reply_days *other)
{
    advance(days, other->newest);
    for (uint32_t ago = 0; ago < REPLY_DAYS && ago < other->newest; ago++) {
        uint32_t day = other->newest - ago;
        reply_days_restore(days, day, other->sent[day % REPLY_DAYS]);
        if (is_within(days, day) && days->answered[day % REPLY_DAYS] < other->answered[day % REPLY_DAYS])
            days->answered[day % REPLY_DAYS] = other->answered[day % REPLY_DAYS];
    }
}

struct reply_counts reply_days_sum(const struct reply_days *days, uint32_t today)
{
    struct reply_counts sum = {0};
    for (uint32_t ago = 0; ago < REPLY_DAYS && ago < days->newest; ago++) {
        uint32_t day = days->newest - ago;
        if (day + REPLY_DAYS <= today)
            continue;
        sum.sent += days->sent[day % REPLY_DAYS];
        sum.answered += days->answered[day % REPLY_DAYS];
    }
    return sum;
}
