/* reference_audit.c — the broker's own list of jobs, held against the naive queue both ways. */
#include <inttypes.h>

#include "tests/sim/cast.h"
#include "tests/sim/reference.h"
#include "tests/sim/reference_part.h"
#include "tests/sim/triage.h"

static uint64_t strangers; /* jobs of the list whose number nobody was told */

void reference_audit_begin(void)
{
    strangers = 0;
    for (int job = 0; job < cast_job_count; job++)
        entry_of(job)->in_list = false;
}

static void check_state(int job, const struct job_view *view)
{
    const struct cast_job *known = &cast_jobs[job];
    int64_t due_ms = cast_due_ms(job);
    const char *state = job_state_name(view->state);
    if (entry_surely_leased(job) && view->state != JOB_LEASED)
        breach("audit", about_job(job), "job %d is %s, but %s has it", job, state, given_last(job)->worker);
    if (entry_of(job)->last != NOTHING)
        return;
    if (!known->has_due && view->state == JOB_SCHEDULED)
        breach("audit", about_job(job), "job %d is scheduled, but is due at once", job);
    if (due_ms != 0 && !triage_dates_are_open(job) && reference_wall_most_ms() < due_ms - DUE_MS &&
        view->state != JOB_SCHEDULED)
        breach("audit", about_job(job), "job %d is %s, but not due yet", job, state);
}

void reference_audit_job(const struct job_view *view)
{
    int job = reference_job(view->number);
    if (job == NOTHING) {
        strangers++;
        return;
    }
    struct entry *entry = entry_of(job);
    const struct cast_job *known = &cast_jobs[job];
    if (entry->in_list)
        breach("audit", about_job(job), "job %d is in the broker's list twice", job);
    entry->in_list = true;
    if (!entry_is_judged(job))
        return;
    if (entry->over_us != 0)
        breach("audit", about_job(job), "job %d lives, but is over: %s", job, entry->why_over);
    if (view->pool != (uint32_t)cast_pool_of(known->conversation) ||
        (view->expires_ms != cast_expires_ms(job) && !triage_dates_are_open(job)))
        breach("audit", about_job(job), "job %d lives with another pool or expiry", job);
    check_state(job, view);
}

/* It may be there without anybody having been told its number: it was never told, or the producer, who had not heard of
 * it, handed it in again when nobody knew it any more. */
static bool may_be_stranger(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    bool untold = entry_of(job)->number == 0 || (known->handed_in_again && !known->acked && entry_may_be_forgotten(job));
    return known->forgiven || (known->sent_ever && untold && !known->refused);
}

void reference_audit_end(void)
{
    uint64_t may_be = 0;
    for (int job = 0; job < cast_job_count; job++) {
        if (entry_surely_lives(job) && !entry_of(job)->in_list)
            breach("audit", about_job(job), "job %d was acknowledged, nothing has ended it, and it is not there",
                   job);
        may_be += may_be_stranger(job);
        may_be += cast_jobs[job].moved_to == 0 && triage_may_have_moved(job); /* its copy, which nobody has seen */
    }
    if (strangers > may_be)
        breach("audit", NOBODY_ABOUT, "there are %" PRIu64 " jobs that nobody knows; %" PRIu64 " may be", strangers,
               may_be);
}

void reference_settle(void)
{
    for (int job = 0; job < cast_job_count; job++)
        if (entry_is_judged(job) && cast_jobs[job].final && entry_of(job)->in_list)
            breach("audit", about_job(job), "job %d is left in the broker though its end was told", job);
}
