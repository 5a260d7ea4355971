/* triage_marks.c — which jobs triage may have touched, as far as anybody outside can say. */
#include <assert.h>

#include "tests/sim/cast.h"
#include "tests/sim/triage.h"
#include "tests/sim/triage_part.h"

#define LOST_MAX 512

static struct {
    bool here;
    uint8_t touched[CAST_JOBS_MAX]; /* a bit for each enum triage_what */
    struct lost {
        enum triage_what what;
        struct pick pick;
        int64_t from_us, until_us; /* the first time, the last time */
        bool strangers; /* only such as nobody had been told of */
    } lost[LOST_MAX];
    int lost_count;
} marks;

void marks_begin(bool here)
{
    marks.here = here;
}

bool marks_match(const struct pick *pick, int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return cast_pool_of(known->conversation) == pick->pool &&
           (pick->conversation < 0 || cast_base(known->conversation) == cast_base(pick->conversation)) &&
           (pick->class < 0 || (int)known->class == pick->class) &&
           (pick->campaign == '\0' || known->campaign == pick->campaign);
}

static bool are_same(const struct pick *a, const struct pick *b)
{
    return a->pool == b->pool && a->conversation == b->conversation && a->class == b->class &&
           a->campaign == b->campaign;
}

void marks_touched(enum triage_what what, int job)
{
    marks.touched[job] |= (uint8_t)(1u << what);
}

/* One that is asked again and again, of a broker that is not there, is lost once: from the first time until the last. */
static void lose(enum triage_what what, const struct pick *pick, bool strangers)
{
    int i = 0;
    while (i < marks.lost_count && (marks.lost[i].what != what || marks.lost[i].strangers != strangers ||
                                    !are_same(&marks.lost[i].pick, pick)))
        i++;
    assert(i < LOST_MAX);
    int64_t from_us = i < marks.lost_count ? marks.lost[i].from_us : now_us();
    marks.lost[i] = (struct lost){
        .what = what, .pick = *pick, .from_us = from_us, .until_us = now_us(), .strangers = strangers};
    marks.lost_count += i == marks.lost_count;
}

void marks_lost(enum triage_what what, const struct pick *pick)
{
    lose(what, pick, false);
}

void marks_strangers(enum triage_what what, const struct pick *pick)
{
    lose(what, pick, true);
}

static bool may_be_meant(const struct lost *lost, int job)
{
    const struct cast_job *known = &cast_jobs[job];
    bool was_known = known->acked && !known->forgiven && known->acked_us < lost->from_us;
    return known->first_sent_us <= lost->until_us && !(lost->strangers && was_known) && marks_match(&lost->pick, job);
}

static bool was_lost(enum triage_what what, int job)
{
    for (int i = 0; i < marks.lost_count; i++)
        if (marks.lost[i].what == what && may_be_meant(&marks.lost[i], job))
            return true;
    return false;
}

static bool is_under_way(enum triage_what what, int job)
{
    for (int i = 0; i < SORTING_RUNS; i++) {
        const struct run *run = &sorting_runs[i];
        if (run->used && run->is_open && run->what == what && marks_match(&run->pick, job))
            return true;
    }
    return false;
}

static bool may_have(enum triage_what what, int job)
{
    return marks.here &&
           ((marks.touched[job] & 1u << what) != 0 || is_under_way(what, job) || was_lost(what, job));
}

bool triage_may_have_cancelled(int job)
{
    return may_have(SORT_CANCEL, job);
}

bool triage_may_have_expired(int job)
{
    return may_have(SORT_EXPIRE, job);
}

bool triage_may_have_moved(int job)
{
    return may_have(SORT_MOVE, job);
}

bool triage_may_bring_another(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    for (int other = 0; marks.here && known->collapse != '\0' && other < cast_job_count; other++)
        if (cast_jobs[other].collapse == known->collapse && cast_twin(cast_jobs[other].conversation) == known->conversation &&
            (is_under_way(SORT_MOVE, other) || was_lost(SORT_MOVE, other)))
            return true;
    return false;
}

/* Or the job that it was made from. */
bool triage_may_have_redated(int job)
{
    int from = cast_jobs[job].copy_of;
    return may_have(SORT_REDATE, job) || (marks.here && from >= 0 && triage_may_have_redated(from));
}

bool triage_may_have_ended(int job)
{
    return marks.here && (triage_may_have_cancelled(job) || triage_may_have_expired(job) || triage_may_have_moved(job));
}

/* A copy came with those of the job that it was made from. */
bool triage_dates_are_open(int job)
{
    if (!marks.here)
        return false;
    bool open = cast_jobs[job].dates_vague || is_under_way(SORT_REDATE, job) || was_lost(SORT_REDATE, job);
    return open || (cast_jobs[job].copy_of >= 0 && triage_dates_are_open(cast_jobs[job].copy_of));
}
