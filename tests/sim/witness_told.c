/* witness_told.c — what each job was told last, and what it then waits for. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/cast.h"
#include "tests/sim/house.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_lines.h"
#include "tests/sim/witness_part.h"

void told_change(int job, const char *state, const char *reason, const char *line)
{
    struct seen *seen = seen_of(job);
    char told[80];
    snprintf(told, sizeof told, "%s %s on %d", state, reason == NULL ? "-" : reason, cast_line_of(line));
    seen->told_line = cast_line_of(line);
    if (reason == NULL || !reason_parse(reason, &seen->told_reason))
        seen->told_reason = REASON_NONE;
    if (strcmp(told, seen->told) == 0)
        return;
    memcpy(seen->told, told, sizeof told);
    note(about_job(job), "job %d is %s", job, told);
}

bool witness_is_told_unknown(int job)
{
    return cast_jobs[job].acked && !cast_jobs[job].final && seen_of(job)->told_reason == REASON_OUTCOME_UNKNOWN;
}

/* Not behind another one. Where messages are few, the next try of an unknown one waits for their budget, too, and so
 * does the probe that would find the provider well. */
static bool waits_for_budget(int job)
{
    const struct seen *seen = seen_of(job);
    switch (seen->told_reason) {
    case REASON_BUDGET_NEW_CONVERSATIONS:
    case REASON_BUDGET_DAILY:
    case REASON_BUDGET_GROWTH:
        return true;
    case REASON_OUTCOME_UNKNOWN:
        return house_is_tight() && lines_may_be_spent(seen->told_line);
    case REASON_PROVIDER_DOWN:
        return house_is_tight();
    default:
        return false;
    }
}

/* Of one that the disk has lied about, or that nobody knows of yet, nobody asks. */
static bool may_wait(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return known->forgiven || !known->acked ? !known->refused : !known->final && waits_for_budget(job);
}

bool witness_waits_for_budget(int job)
{
    if (seen_of(job)->told_reason != REASON_CONVERSATION_BUSY)
        return waits_for_budget(job);
    for (int other = 0; other < cast_job_count; other++)
        if (other != job && cast_jobs[other].conversation == cast_jobs[job].conversation && may_wait(other))
            return true;
    return false;
}

bool witness_waits_for_answer(int job)
{
    enum reason reason = seen_of(job)->told_reason;
    return reason == REASON_CONVERSATION_CRITICAL || reason == REASON_CONVERSATION_AT_RISK ||
           reason == REASON_CONVERSATION_CADENCE;
}
