/* witness_stops.c — see witness_stops.h. */
#include "tests/sim/witness_stops.h"

#include "tests/sim/cast.h"
#include "tests/sim/erasures.h"
#include "tests/sim/operators.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_part.h"

#define HANGS_US (US_S / 2) /* a worker begins at once */
#define LATE_US (2 * US_MIN) /* from a word's arrival until all that it ends has ended */

static struct {
    int64_t newest_ms;           /* of the recipient's words that have arrived */
    int64_t since_us, lifted_us; /* lifted: by an operator, maybe */
    int64_t last_us;             /* when they were stopped last, by anybody, if they may be at all */
    unsigned under_way;          /* RESULTs that say so */
    bool sure;                   /* the last of their words is STOP, and was answered 200 */
    bool may_be;
} recipients[CAST_ALL];

static bool cancel_taken[CAST_JOBS_MAX];
static int64_t cancelled_us[CAST_JOBS_MAX]; /* when that was heard first */
static bool said_settled[CAST_JOBS_MAX];    /* its last JOB was none of one that may have been sent */
static int64_t unbegun_us[CAST_JOBS_MAX];   /* since that JOB; 0: it has begun, if it was given out */

void stops_cancel_taken(int job)
{
    if (!cancel_taken[job])
        cancelled_us[job] = now_us();
    cancel_taken[job] = true;
}

/* Of one account a recipient is one, whichever pool. */
static int who(int conversation)
{
    return cast_has_second ? conversation : cast_base(conversation);
}

/* US_NEVER: not surely. */
static int64_t stopped_since_us(int conversation)
{
    int64_t since_us = operators_stopped_since_us(conversation);
    int at = who(conversation);
    if (!cast_is_group(conversation) && recipients[at].sure && recipients[at].since_us < since_us)
        since_us = recipients[at].since_us;
    return since_us;
}

bool stops_is_stopped(int conversation)
{
    return stopped_since_us(conversation) != US_NEVER;
}

void stops_may_come(int conversation)
{
    recipients[who(conversation)].may_be = true;
    recipients[who(conversation)].last_us = now_us();
}

void stops_result_said(int conversation)
{
    stops_may_come(conversation);
    recipients[who(conversation)].under_way++;
}

void stops_result_done(int conversation)
{
    stops_may_come(conversation);
    recipients[who(conversation)].under_way--;
}

/* What was handed in long after the last word that stops is none of what that ends: it would have been refused. */
bool stops_may_have_ended(int job)
{
    int at = who(cast_jobs[job].conversation);
    return recipients[at].may_be &&
           (recipients[at].under_way > 0 || recipients[at].last_us + LATE_US >= cast_jobs[job].first_sent_us);
}

void stops_given(int job, bool unsettled)
{
    const struct cast_job *known = &cast_jobs[job];
    said_settled[job] = !unsettled;
    unbegun_us[job] = now_us();
    if (known->forgiven || unsettled)
        return;
    if (cancel_taken[job] && !known->requeued) /* which it came back from */
        breach("P7", about_job(job), "job %d is given out anew, though its cancel was taken", job);
    int64_t since_us = stopped_since_us(known->conversation);
    if (now_us() > since_us)
        breach("P7", about_job(job), "job %d is given out, though its recipient was stopped at %.6f", job,
               (double)since_us / 1e6);
}

/* Its worker is called back, and begins nothing if it is not in touch. */
void stops_begun(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    unbegun_us[job] = 0;
    if (known->forgiven || !said_settled[job])
        return;
    if (cancel_taken[job] && !known->requeued && now_us() > cancelled_us[job] + BEATS_US)
        breach("P7", about_job(job), "job %d begins, though its cancel was taken at %.6f", job,
               (double)cancelled_us[job] / 1e6);
    int64_t since_us = stopped_since_us(known->conversation);
    if (since_us != US_NEVER && now_us() > since_us + BEATS_US)
        breach("P7", about_job(job), "job %d begins, though its recipient was stopped at %.6f", job,
               (double)since_us / 1e6);
}

bool witness_hangs(int job)
{
    return unbegun_us[job] != 0 && now_us() > unbegun_us[job] + HANGS_US;
}

void stops_acked(int job)
{
    int64_t since_us = stopped_since_us(cast_jobs[job].conversation);
    if (!cast_jobs[job].forgiven && cast_jobs[job].first_sent_us > since_us)
        breach("P7", about_job(job), "job %d is taken, though its recipient was stopped at %.6f", job,
               (double)since_us / 1e6);
}

/* Who stops the one account has said nothing to the other. */
static bool counts(const struct hook *hook)
{
    return hook->conversation >= 0 && !hook->forged && !cast_is_group(hook->conversation) &&
           hook->account == cast_account_of(hook->conversation);
}

void stops_hook_arrives(const struct hook *hook)
{
    if (hook->conversation >= 0 && !hook->forged)
        erasures_named(hook->conversation);
    if (!counts(hook))
        return;
    int at = who(hook->conversation);
    if (hook->opts_out)
        stops_may_come(hook->conversation);
    if (!hook->opts_out && hook->changed_ms >= recipients[at].newest_ms) /* the later of the two counts */
        recipients[at].sure = false;
    if (hook->changed_ms > recipients[at].newest_ms)
        recipients[at].newest_ms = hook->changed_ms;
}

void stops_hook_taken(const struct hook *hook)
{
    if (!counts(hook) || !hook->opts_out || recipients[who(hook->conversation)].lifted_us >= hook->arrived_us ||
        hook->changed_ms != recipients[who(hook->conversation)].newest_ms || recipients[who(hook->conversation)].sure)
        return;
    recipients[who(hook->conversation)].sure = true;
    recipients[who(hook->conversation)].since_us = now_us();
}

void stops_may_lift(int conversation)
{
    recipients[who(conversation)].sure = false;
    recipients[who(conversation)].lifted_us = now_us();
}

void stops_deceived(void)
{
    for (int conversation = 0; conversation < CAST_ALL; conversation++)
        recipients[conversation].sure = false;
    for (int conversation = 0; conversation < CAST_ALL; conversation++)
        stops_may_come(conversation);
}
