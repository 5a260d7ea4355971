/* cache_owed.c — see cache_owed.h. */
#include "broker/cache/cache_owed.h"

#include <string.h>

static struct cache_owed_fact *at(struct cache_owed *owed, uint32_t number)
{
    return &owed->facts[number % CACHE_OWED_MAX];
}

static bool is_there(const struct cache_owed *owed, uint32_t number)
{
    return number - owed->from < owed->end - owed->from;
}

void cache_owed_add(struct cache_owed *owed, const struct cache_owed_fact *fact)
{
    if (owed->end - owed->from == CACHE_OWED_MAX) {
        if (owed->next == owed->from)
            owed->next++;
        owed->from++;
    }
    *at(owed, owed->end) = *fact;
    at(owed, owed->end)->tries = 0;
    at(owed, owed->end++)->is_answered = false;
}

const struct cache_owed_fact *cache_owed_next(struct cache_owed *owed, int64_t now_mono_ms, uint32_t *number)
{
    while (owed->next != owed->end && at(owed, owed->next)->is_answered)
        owed->next++;
    if (owed->next == owed->end || owed->in_flight >= CACHE_OWED_IN_FLIGHT || now_mono_ms < owed->not_before_ms)
        return NULL;
    owed->in_flight++;
    *number = owed->next++;
    return at(owed, *number);
}

static void land(struct cache_owed *owed)
{
    if (owed->in_flight > 0)
        owed->in_flight--;
}

void cache_owed_answered(struct cache_owed *owed, uint32_t number)
{
    land(owed);
    if (is_there(owed, number))
        at(owed, number)->is_answered = true;
    while (owed->from != owed->end && at(owed, owed->from)->is_answered) {
        if (owed->next == owed->from)
            owed->next++;
        owed->from++;
    }
}

void cache_owed_unanswered(struct cache_owed *owed, uint32_t number, int64_t now_mono_ms)
{
    land(owed);
    if (!is_there(owed, number))
        return;
    if (number - owed->from < owed->next - owed->from)
        owed->next = number;
    owed->not_before_ms = now_mono_ms + CACHE_OWED_AGAIN_MS;
}

bool cache_owed_failed(struct cache_owed *owed, uint32_t number, int64_t now_mono_ms)
{
    if (is_there(owed, number) && ++at(owed, number)->tries >= CACHE_OWED_TRIES) {
        cache_owed_answered(owed, number);
        return true;
    }
    cache_owed_unanswered(owed, number, now_mono_ms);
    return false;
}

void cache_owed_lost(struct cache_owed *owed)
{
    for (uint32_t number = owed->from; number != owed->end; number++)
        at(owed, number)->tries = 0;
    owed->next = owed->from;
    owed->in_flight = 0;
    owed->not_before_ms = 0;
}

int64_t cache_owed_next_mono_ms(const struct cache_owed *owed)
{
    bool waits = owed->next != owed->end && owed->in_flight < CACHE_OWED_IN_FLIGHT;
    return waits ? owed->not_before_ms : TIME_NEVER;
}

bool cache_owed_ends(const struct cache_owed *owed, const char *id)
{
    for (uint32_t number = owed->from; number != owed->end; number++) {
        const struct cache_owed_fact *fact = &owed->facts[number % CACHE_OWED_MAX];
        if (fact->kind == OWED_ENDED && !fact->is_answered && strcmp(fact->id, id) == 0)
            return true;
    }
    return false;
}
