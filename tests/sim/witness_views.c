/* witness_views.c — see witness_views.h. */
#include "tests/sim/witness_views.h"

#include <string.h>

#include "tests/sim/cast.h"
#include "tests/sim/operators.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness_lines.h"

#define SILENT_US     (40 * US_S) /* without a reason, from view to view */

static int64_t silent_since_us[CAST_JOBS_MAX];

#define SLACK_US (15 * US_S) /* clocks drift, timers and words from elsewhere come a little late */

struct look {
    int job, line;
    enum reason reason;
    int64_t asked_us; /* the view is no older */
    const struct cast_job *known;
};

static void wrong(const struct look *look, const char *why)
{
    breach("P10", ((struct about){look->job, look->known->conversation, look->line}), "job %d says %s on line %d, but %s",
           look->job, reason_name(look->reason), look->line, why);
}

/* A pause's reason is said only while there may be such a pause. */
static void check_pauses(const struct look *look)
{
    static const struct {
        enum reason reason;
        enum pause_scope scope;
    } pairs[] = {{REASON_PAUSED, PAUSE_ALL},
                 {REASON_ACCOUNT_PAUSED, PAUSE_ACCOUNT},
                 {REASON_POOL_PAUSED, PAUSE_POOL},
                 {REASON_CAMPAIGN_PAUSED, PAUSE_CAMPAIGN},
                 {REASON_CONVERSATION_PAUSED, PAUSE_CONVERSATION},
                 {REASON_LINE_PAUSED, PAUSE_LINE}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (look->reason == pairs[i].reason &&
            !operators_may_have_paused(pairs[i].scope, look->line, look->known->conversation, look->known->campaign,
                                       look->asked_us - SLACK_US))
            wrong(look, "no such pause can be in force");
}

static void check_causes(const struct look *look)
{
    if (look->reason == REASON_LINE_CRITICAL && !lines_was_ever_critical(look->line) &&
        !operators_may_have_set(look->line, look->asked_us - SLACK_US))
        wrong(look, "nobody ever called the line CRITICAL");
    if ((look->reason == REASON_BUDGET_DAILY || look->reason == REASON_BUDGET_GROWTH) &&
        !lines_may_be_spent(look->line))
        wrong(look, "the line has not sent so much");
    if (look->reason == REASON_LINE_GONE && !lines_was_ever_missing(look->line))
        wrong(look, "each list has the line");
    if (look->reason == REASON_QUIET_HOURS && !wants_may_be_night(look->known->conversation, look->asked_us))
        wrong(look, "it is day");
    if (look->reason == REASON_LINE_FLAGGED && !lines_was_ever_flagged(look->line))
        wrong(look, "nobody ever called the line FLAGGED");
}

/* What surely stops all of a line is said, or something that stands above it, or that it waits behind another. */
static void check_stopped(const struct look *look)
{
    int64_t since_us;
    bool excused = look->reason == REASON_CONVERSATION_BUSY || look->reason == REASON_NOT_YET_DUE;
    if (look->line < 0 || excused)
        return;
    bool set = operators_may_have_set(look->line, look->asked_us - SLACK_US); /* a better word, which may just have ended */
    if (!set && lines_is_surely_critical(look->line, &since_us) && look->asked_us > since_us + SLACK_US &&
        look->reason > REASON_LINE_RECOVERING)
        wrong(look, "the line was accepted to be CRITICAL");
    since_us = operators_paused_since_us(look->line, look->known->conversation, look->known->campaign);
    if (since_us != US_NEVER && look->asked_us > since_us + SLACK_US && look->reason > REASON_LINE_PAUSED)
        wrong(look, "a pause of it was accepted");
}

void views_check(int job, enum job_state state, const char *reason, int line, int64_t asked_us)
{
    struct look look = {.job = job, .line = line, .asked_us = asked_us, .known = &cast_jobs[job]};
    if (state == JOB_LEASED || state == JOB_NONE)
        return;
    if (reason == NULL) { /* it goes next, or has ended and the disk does not have it yet */
        if (silent_since_us[job] == 0)
            silent_since_us[job] = now_us();
        if (now_us() > silent_since_us[job] + SILENT_US)
            breach("P10", about_job(job), "job %d waits and does not say why", job);
        return;
    }
    silent_since_us[job] = 0;
    if (!reason_parse(reason, &look.reason))
        breach("P10", about_job(job), "job %d gives a reason that is none: %s", job, reason);
    check_pauses(&look);
    check_causes(&look);
    check_stopped(&look);
}
