/* witness_ends.c — no job ends without a cause that somebody outside knows of (promise P10), and none against what
 * the provider has of it (P1, P7). */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cast.h"
#include "tests/sim/erasures.h"
#include "tests/sim/operators.h"
#include "tests/sim/provider.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage.h"
#include "tests/sim/witness_part.h"
#include "tests/sim/witness_stops.h"

static void uncaused(int job, enum job_state state, const char *code, const char *why)
{
    breach("P10", about_job(job), "job %d is told to be %s (%s), but %s", job, job_state_name(state),
           code == NULL ? "-" : code, why);
}

/* One that came back from the dead letters did so without its expiry. */
static bool may_have_expired(int job)
{
    bool came_back = cast_jobs[job].requeued && !seen_of(job)->requeue_may_be_lost;
    bool by_itself = came_back ? triage_may_have_redated(job) : reference_may_have_expired(job);
    return by_itself || triage_may_have_expired(job);
}

/* No job ends without a cause that somebody outside knows of. */
static void check_cause(int job, enum job_state state, const char *code)
{
    const struct cast_job *known = &cast_jobs[job];
    bool superseded = code != NULL && strcmp(code, "superseded") == 0;
    long number = code == NULL ? 0 : strtol(code, NULL, 10);
    if (state == JOB_EXPIRED && !may_have_expired(job))
        uncaused(job, state, code, "it has no expiry, or not yet");
    if (state == JOB_CANCELLED && erasures_may_have_ended(job)) /* which takes its code, too */
        return;
    if (state == JOB_CANCELLED && superseded && known->collapse == '\0' && !triage_may_have_moved(job))
        uncaused(job, state, code, "it has no collapse key");
    if (state == JOB_CANCELLED && !superseded && !known->cancel_asked && !triage_may_have_cancelled(job))
        uncaused(job, state, code, "nobody cancelled it");
    if (state == JOB_SUPPRESSED && !stops_may_have_ended(job))
        uncaused(job, state, code, "nobody stopped its recipient");
    if (state == JOB_FAILED && code != NULL && strcmp(code, "held") == 0 && !operators_may_have_failed(job))
        uncaused(job, state, code, "no line was drained to fail");
    if (state == JOB_FAILED && code != NULL && strcmp(code, "outcome_unknown") == 0 && !may_have_expired(job))
        uncaused(job, state, code, "what is unknown waits until it expires");
    if (state == JOB_FAILED && code != NULL && strncmp(code, "http_", 5) == 0 && !provider_ever_answered(job, 0))
        uncaused(job, state, code, "the provider never said so");
    if (state == JOB_FAILED && number >= 1000 && !provider_ever_answered(job, (int)number))
        uncaused(job, state, code, "the provider never said so");
}

void ends_told(int job, enum job_state state, const char *code)
{
    struct cast_job *known = &cast_jobs[job];
    bool unknown = code != NULL && strcmp(code, "outcome_unknown") == 0;
    note(about_job(job), "job %d is told to be %s%s%s", job, job_state_name(state), code == NULL ? "" : " ",
         code == NULL ? "" : code);
    known->final = true;
    known->end = state;
    known->cancelled_told = state == JOB_CANCELLED;
    seen_of(job)->superseded = state == JOB_CANCELLED && code != NULL && strcmp(code, "superseded") == 0 &&
                               known->collapse != '\0' && !triage_may_have_moved(job);
    if (known->forgiven)
        return;
    check_cause(job, state, code);
    if (state == JOB_SENT && !provider_has(job))
        breach("P1", about_job(job), "job %d is told to be sent, but the provider never had it", job);
    if (state != JOB_SENT && !unknown && known->called_unsent_us == 0 && !seen_of(job)->made_late && provider_has(job))
        breach("P7", about_job(job), "job %d is told to be %s, but the provider has its message", job,
               job_state_name(state));
}
