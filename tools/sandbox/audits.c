/* audits.c — see its header. */
#include "tools/sandbox/audits.h"

#include <stddef.h>

const struct audit *audits_find(const struct audits *audits, uint64_t number)
{
    bool kept = number < audits->count && audits->count - number <= AUDITS_MAX;
    return kept ? &audits->ring[number % AUDITS_MAX] : NULL;
}

bool audit_is_over(const struct audits *audits, const struct audit *audit, int64_t now_mono_ms)
{
    return now_mono_ms - audit->began.mono_ms >= audits->duration_ms;
}

static const struct audit *latest_of(const struct audits *audits, uint32_t line)
{
    const struct audit *audit;
    for (uint64_t number = audits->count; number > 0; number--) {
        if ((audit = audits_find(audits, number - 1)) == NULL || audit->line == line)
            return audit;
    }
    return NULL;
}

enum audit_start audits_start(struct audits *audits, uint32_t line, struct instant now, uint64_t *number,
                              int64_t *wait_ms)
{
    const struct audit *latest = latest_of(audits, line);
    if (latest != NULL && !audit_is_over(audits, latest, now.mono_ms))
        return AUDIT_RUNNING;
    if (latest != NULL) {
        *wait_ms = latest->began.mono_ms + audits->duration_ms + audits->cooldown_ms - now.mono_ms;
        if (*wait_ms > 0)
            return AUDIT_COOLING;
    }
    *number = audits->count++;
    audits->ring[*number % AUDITS_MAX] = (struct audit){.line = line, .began = now};
    return AUDIT_STARTED;
}
