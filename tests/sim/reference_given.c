/* reference_given.c — a JOB is said: may this job go now, to this worker, on this line? */
#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/house.h"
#include "tests/sim/operators.h"
#include "tests/sim/reference.h"
#include "tests/sim/reference_part.h"
#include "tests/sim/triage.h"

#define SETTLED_US (10 * US_S) /* what was told so long ago was there when the broker chose */

/* Both places are known, and that one's is before this one's: earlier class first, then order of acceptance. */
static bool goes_before(int other, int job)
{
    const struct cast_job *a = &cast_jobs[other], *b = &cast_jobs[job];
    if (entry_of(other)->place == NOTHING || entry_of(job)->place == NOTHING)
        return false;
    return a->class != b->class ? a->class < b->class : entry_of(other)->place < entry_of(job)->place;
}

static void check_others(int job, bool first_try)
{
    int64_t now = now_us();
    for (int other = 0; other < cast_job_count; other++) {
        const struct cast_job *at = &cast_jobs[other];
        if (other == job || at->conversation != cast_jobs[job].conversation || !entry_is_judged(other))
            continue;
        if (entry_surely_lives(other) && entry_surely_hangs(other))
            breach("P2", about_job(job), "job %d is given out while %s has job %d of its conversation", job,
                   given_last(other)->worker, other);
        if (entry_surely_lives(other) && entry_of(other)->is_unknown)
            breach("P2", about_job(job), "job %d is given out while nobody knows whether job %d was sent", job,
                   other);
        bool stays = !operators_may_have_held_back(other) && at->pinned < 0; /* else it may wait for its line */
        if (first_try && stays && entry_surely_lives(other) && now > at->acked_us + SETTLED_US &&
            goes_before(other, job))
            breach("P2", about_job(job), "job %d is given out before job %d of its conversation, which goes first",
                   job, other);
    }
}

static void check_due(int job)
{
    int64_t due_ms = cast_due_ms(job);
    if (due_ms != 0 && !triage_dates_are_open(job) && reference_wall_most_ms() < due_ms - DUE_MS)
        breach("P2", about_job(job), "job %d is given out before it falls due", job);
}

static void check_given(int job, bool first_try)
{
    const struct entry *entry = entry_of(job);
    if (entry->over_us != 0 && now_us() > entry->over_us)
        breach("P7", about_job(job), "job %d is given out, and was over: %s", job, entry->why_over);
    if (entry_surely_leased(job))
        breach("P2", about_job(job), "job %d is given out while %s has it", job, given_last(job)->worker);
    check_due(job);
    check_others(job, first_try);
}

static bool is_first_try(const cJSON *document)
{
    int64_t attempt = 0;
    return json_int(document, "attempt", &attempt) && attempt == 1 && !json_bool(document, "unsettled", true);
}

/* What nobody knows is settled with the same key, where that is known (promise P4). */
static void check_unknown(int job, int line, bool unsettled)
{
    const struct given *last = given_last(job);
    if (!entry_is_judged(job) || !entry_of(job)->is_unknown || cast_jobs[job].settle_asked)
        return;
    if (!unsettled)
        breach("P4", about_job(job), "job %d is given out as settled, though nobody knows how its last try went",
               job);
    if (last != NULL && last->line != line)
        breach("P4", about_job(job),
               "job %d is given out on line %d, though nobody knows how its try on line %d went", job, line,
               last->line);
}

void reference_given(const char *worker, int job, int line, struct frame lease, const cJSON *document)
{
    uint64_t number = 0;
    struct entry *entry = entry_of(job);
    const char *name = json_string(document, "job");
    if (name == NULL || !job_number_parse(name, &number) || lease.bytes >= LEASE_TEXT_MAX)
        breach("form", about_job(job), "a JOB without job number or lease");
    entry_number(job, number);
    if (given_of(lease) != NULL && entry_is_judged(job))
        breach("P4", about_job(job), "a lease is given out twice: %.*s", (int)lease.bytes, (const char *)lease.data);
    bool unsettled = json_bool(document, "unsettled", false);
    entry->is_unknown = entry->is_unknown || entry_surely_hangs(job);
    check_unknown(job, line, unsettled);
    if (entry_is_judged(job))
        check_given(job, is_first_try(document));
    given_add(worker, job, line, lease, unsettled);
}
