/* looks.c — see looks.h. */
#include "tests/sim/looks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/calls.h"
#include "tests/sim/cast.h"
#include "tests/sim/provider.h"
#include "tests/sim/reference.h"

static struct {
    bool here, forgotten;
    bool counted[CAST_JOBS_MAX];
    int64_t sent; /* surely */
    int64_t by_line_sent, by_line_answered; /* of the last answer by line; -1: none to compare with */
    int64_t surely_sent; /* when it was asked for */
} looks;

struct counts {
    int64_t sent, answered;
};

static struct counts counts_of(const cJSON *row)
{
    struct counts counts = {-1, -1};
    json_int(row, "sent", &counts.sent);
    json_int(row, "answered", &counts.answered);
    if (counts.sent < 0 || counts.answered < 0 || counts.answered > counts.sent)
        breach("P10", NOBODY_ABOUT, "%" PRId64 " of %" PRId64 " messages are told to be answered", counts.answered,
               counts.sent);
    return counts;
}

/* Rows add up to the total. */
static struct counts total_of(const cJSON *answer)
{
    struct counts total = counts_of(json_get(answer, "total")), sum = {0};
    int64_t left_off = -1;
    const cJSON *row;
    cJSON_ArrayForEach(row, json_get(answer, "replies"))
    {
        struct counts counts = counts_of(row);
        sum.sent += counts.sent;
        sum.answered += counts.answered;
    }
    json_int(answer, "left_off", &left_off);
    if (left_off != 0 || sum.sent != total.sent || sum.answered != total.answered)
        breach("P10", NOBODY_ABOUT, "replies in total: %" PRId64 " of %" PRId64 "; its rows: %" PRId64 " of %" PRId64,
               total.answered, total.sent, sum.answered, sum.sent);
    return total;
}

/* What has expired with its outcome unknown counts, too, for it may have been sent; and may then have been
 * requeued. */
static int64_t most_sent(void)
{
    int64_t count = 0;
    for (int job = 0; job < cast_job_count; job++)
        count += provider_has(job) + (reference_may_have_expired(job) || cast_jobs[job].requeued);
    return count;
}

/* Each job has one message at most, and each lapsed or unknown try may have made it. */
static void check_sent(int64_t sent)
{
    if (looks.forgotten)
        return;
    if (sent < looks.surely_sent)
        breach("P10", NOBODY_ABOUT, "replies tell of %" PRId64 " messages, and %" PRId64 " were surely sent by then", sent,
               looks.surely_sent);
    if (sent > most_sent())
        breach("P10", NOBODY_ABOUT, "replies tell of %" PRId64 " messages, and there are %" PRId64 " at most", sent,
               most_sent());
}

static void by_line(void *self, uint64_t arg, int status, const cJSON *answer)
{
    (void)self;
    (void)arg;
    looks.by_line_sent = -1;
    if (status != 200)
        return;
    fault(FAULT_ANSWERS_COUNTED);
    struct counts total = total_of(answer);
    check_sent(total.sent);
    looks.by_line_sent = total.sent;
    looks.by_line_answered = total.answered;
}

static void by_class(void *self, uint64_t arg, int status, const cJSON *answer)
{
    (void)self;
    (void)arg;
    if (status != 200)
        return;
    struct counts total = total_of(answer);
    check_sent(total.sent);
    if (looks.by_line_sent >= 0 && !looks.forgotten &&
        (total.sent != looks.by_line_sent || total.answered != looks.by_line_answered))
        breach("P10", NOBODY_ABOUT,
               "replies by class: %" PRId64 " of %" PRId64 " messages; in the same moment by line: %" PRId64 " of %" PRId64,
               total.answered, total.sent, looks.by_line_answered, looks.by_line_sent);
    looks.by_line_sent = -1;
}

static void by_campaign(void *self, uint64_t arg, int status, const cJSON *answer)
{
    (void)self;
    (void)arg;
    if (status == 200)
        total_of(answer);
}

void looks_mishap(struct stream *stream)
{
    static const struct call line = {.method = "GET", .target = "/v1/replies?by=line", .answered = by_line},
                             class = {.method = "GET", .target = "/v1/replies?by=class", .answered = by_class},
                             campaign = {
                                 .method = "GET", .target = "/v1/replies?by=campaign&limit=1000", .answered = by_campaign};
    bool campaigns = chance(stream, 200);
    if (!looks.here)
        return;
    looks.surely_sent = looks.sent;
    if (campaigns)
        calls_ask(&campaign);
    else
        calls_ask_both(&line, &class, 1);
}

void looks_sent(int job)
{
    if (looks.counted[job] || cast_jobs[job].forgiven)
        return;
    looks.counted[job] = true;
    looks.sent++;
}

void looks_forget(void)
{
    looks.forgotten = true;
}

void looks_begin(void)
{
    struct stream luck = stream_of("looks");
    looks.here = chance(&luck, 250);
    looks.by_line_sent = -1;
}
