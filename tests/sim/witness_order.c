/* witness_order.c — jobs of a conversation and class go out in the order in which they were accepted (promise P2),
 * and who takes another's place goes out when that would have. */
#include "tests/sim/cast.h"
#include "tests/sim/operators.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_part.h"

/* Of two calls under way at once nobody knows which moved its jobs first. */
static bool may_have_changed_places(const struct cast_job *a, const struct cast_job *b)
{
    return a->copied_us > b->first_sent_us && a->first_sent_us != b->first_sent_us;
}

/* Jobs of one conversation and class whose order their producer, or who moved them, defined. */
static bool are_in_order(const struct cast_job *a, const struct cast_job *b)
{
    return !may_have_changed_places(a, b) && !a->forgiven && !b->forgiven && a->source == b->source && a->source != CAST_LOOSE &&
           a->conversation == b->conversation && a->class == b->class && !a->has_due && !b->has_due &&
           a->pinned < 0 && b->pinned < 0 && /* else a line not known yet may refuse the one, and then take it */
           !a->fails_if_held && /* else it may be refused once, unheard, and be taken when it comes again */
           a->collapse == '\0' && b->collapse == '\0' && !a->requeued && !b->requeued;
}

/* A request that was under way when its job expired, when a later try of it was refused for good, or when an operator
 * said that it was not sent, may still arrive when those behind it, which wait for it no longer, are through. */
static bool may_arrive_late(int job, int other)
{
    const struct seen *seen = seen_of(job);
    bool may_expire = reference_may_have_expired(job) || triage_may_have_redated(job);
    bool called_unsent = cast_jobs[job].called_unsent_us > seen->begun_us;
    return (may_expire || seen->made_late || called_unsent) && seen->begun_us < seen_of(other)->given_us;
}

void order_made(int job)
{
    for (int other = job + 1; other < cast_job_count; other++)
        if (seen_of(other)->made_us != 0 && are_in_order(&cast_jobs[job], &cast_jobs[other]) &&
            !operators_may_have_held_back(job) && !may_arrive_late(job, other))
            breach("P2", about_job(job), "job %d goes out after job %d of its conversation and class", job, other);
}

/* ---- looked at when all is over ---- */

static bool has_plain_place(const struct cast_job *job)
{
    return job->acked && !job->forgiven && job->source == 0 && !job->has_due && !job->has_expiry && job->pinned < 0 &&
           job->campaign == '\0' && !job->requeued;
}

/* The next one with its key, -1: none that stands where it stood. */
static int heir_of(int job)
{
    const struct cast_job *old = &cast_jobs[job];
    int heir = job + 1;
    for (int other = 0; other < cast_job_count; other++) /* it came when nobody knows */
        if (cast_jobs[other].source != 0 && cast_jobs[other].conversation == old->conversation &&
            cast_jobs[other].collapse == old->collapse)
            return -1;
    while (heir < cast_job_count && !(cast_jobs[heir].acked && cast_jobs[heir].conversation == old->conversation &&
                                      cast_jobs[heir].collapse == old->collapse))
        heir++;
    bool stands = heir < cast_job_count && has_plain_place(&cast_jobs[heir]) && cast_jobs[heir].class == old->class &&
                  seen_of(heir)->given_us != 0;
    return stands ? heir : -1;
}

static void check_place(int old, int heir)
{
    for (int job = old + 1; job < heir; job++) {
        const struct cast_job *between = &cast_jobs[job];
        if (between->conversation == cast_jobs[old].conversation && between->class == cast_jobs[old].class &&
            between->collapse == '\0' && has_plain_place(between) &&
            seen_of(job)->given_us > cast_jobs[heir].acked_us + 1 && seen_of(job)->given_us < seen_of(heir)->given_us)
            breach("P2", about_job(heir),
                   "job %d took the place of job %d, and job %d, which came later, went out first", heir, old, job);
    }
}

void witness_settle(void)
{
    for (int job = 0; job < cast_job_count; job++) {
        int heir = seen_of(job)->superseded && has_plain_place(&cast_jobs[job]) ? heir_of(job) : -1;
        if (heir >= 0)
            check_place(job, heir);
    }
}
