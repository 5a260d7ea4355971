/* ages.c — see ages.h. */
#include "broker/core/ages.h"

void ages_note(struct ages *ages, int64_t wall_ms, uint64_t number)
{
    int64_t minute = wall_ms / 60000;
    if (minute <= ages->newest - AGES_MINUTES || minute <= 0)
        return;
    for (int64_t gone = 0; ages->newest < minute && gone < AGES_MINUTES; gone++)
        ages->first[++ages->newest % AGES_MINUTES] = 0;
    if (ages->newest < minute) /* longer ago than is remembered: all of it was cleared */
        ages->newest = minute;
    uint64_t *first = &ages->first[minute % AGES_MINUTES];
    if (*first == 0 || number < *first)
        *first = number;
}

static uint64_t earlier(uint64_t a, uint64_t b) /* 0: none */
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void ages_back(struct ages *ages, int64_t wall_ms)
{
    int64_t minute = wall_ms / 60000;
    uint64_t first = 0;
    if (ages->newest <= minute || minute <= 0)
        return;
    for (int64_t ahead = ages->newest; ahead >= minute && ahead > ages->newest - AGES_MINUTES; ahead--) {
        first = earlier(first, ages->first[ahead % AGES_MINUTES]);
        ages->first[ahead % AGES_MINUTES] = 0;
    }
    ages->first[minute % AGES_MINUTES] = first;
    ages->newest = minute;
}

uint64_t ages_first(const struct ages *ages, int64_t wall_ms, int64_t minutes)
{
    int64_t from = wall_ms / 60000 - minutes + 1;
    uint64_t first = UINT64_MAX;
    if (from <= ages->newest - AGES_MINUTES)
        from = ages->newest - AGES_MINUTES + 1;
    for (int64_t minute = from < 0 ? 0 : from; minute <= ages->newest; minute++) {
        uint64_t here = ages->first[minute % AGES_MINUTES];
        if (here != 0 && here < first)
            first = here;
    }
    return first;
}

int64_t ages_at_ms(const struct ages *ages, uint64_t number)
{
    int64_t earliest = 0;
    for (int64_t minute = ages->newest; minute > ages->newest - AGES_MINUTES && minute > 0; minute--) {
        uint64_t first = ages->first[minute % AGES_MINUTES];
        if (first == 0)
            continue;
        earliest = minute;
        if (first <= number)
            break;
    }
    return earliest * 60000;
}
