/* reference.c — see reference.h. */
#include "tests/sim/reference.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/erasures.h"
#include "tests/sim/house.h"
#include "tests/sim/looks.h"
#include "tests/sim/operators.h"
#include "tests/sim/provider.h"
#include "tests/sim/reference_part.h"
#include "tests/sim/triage.h"
#include "tests/sim/witness_stops.h"

#define LEASES_MAX      65536
#define WORKERS_MAX     1024
#define SURELY_US       (40 * US_S) /* of a lease of 45 s, with clocks that drift: by then it has not lapsed */
#define KEPT_LEAST_US   (INT64_C(48) * US_H) /* so long a job is known after its end, and its id */

struct worker { /* one process */
    char name[WORKER_NAME_MAX];
    bool asks; /* it has said READY, and has no answer yet */
};

static struct {
    struct entry jobs[CAST_JOBS_MAX];
    struct worker workers[WORKERS_MAX];
    int worker_count;
    struct given given[LEASES_MAX];
    int given_count;
    int64_t down_us; /* when the broker ended last */
    int64_t wall_most_ms; /* that the broker's clock has said before it jumped */
    bool wall_jumped_far;
} reference;

struct entry *entry_of(int job)
{
    return &reference.jobs[job];
}

struct given *given_of(struct frame lease)
{
    for (int i = reference.given_count - 1; i >= 0; i--)
        if (strlen(reference.given[i].lease) == lease.bytes &&
            memcmp(reference.given[i].lease, lease.data, lease.bytes) == 0)
            return &reference.given[i];
    return NULL;
}

struct given *given_last(int job)
{
    int last = entry_of(job)->last;
    return last == NOTHING ? NULL : &reference.given[last];
}

static struct worker *worker_of(const char *name)
{
    for (int i = 0; i < reference.worker_count; i++)
        if (strcmp(reference.workers[i].name, name) == 0)
            return &reference.workers[i];
    assert(reference.worker_count < WORKERS_MAX);
    struct worker *worker = &reference.workers[reference.worker_count++];
    snprintf(worker->name, sizeof worker->name, "%s", name);
    return worker;
}

void given_add(const char *worker, int job, int line, struct frame lease, bool unsettled)
{
    assert(reference.given_count < LEASES_MAX);
    struct given *given = &reference.given[reference.given_count];
    *given = (struct given){
        .job = job, .line = line, .at_us = now_us(), .unsettled = unsettled, .named_anew = worker_of(worker)->asks};
    memcpy(given->lease, lease.data, lease.bytes);
    snprintf(given->worker, sizeof given->worker, "%s", worker);
    entry_of(job)->last = reference.given_count++;
}

/* ---- what is sure of a job ---- */

bool entry_is_judged(int job)
{
    return !cast_jobs[job].forgiven && !cast_jobs[job].requeued;
}

static void over(int job, const char *why)
{
    struct entry *entry = entry_of(job);
    if (entry->over_us != 0)
        return;
    entry->why_over = why;
    entry->over_us = now_us();
}

/* The latest time that the broker has ever seen, if its clock was ahead for a while: then it may have done by then
 * what was to be done at that time. */
int64_t reference_wall_most_ms(void)
{
    int64_t wall_ms = machine_wall_us(house_machine()) / US_MS;
    return wall_ms > reference.wall_most_ms ? wall_ms : reference.wall_most_ms;
}

bool reference_may_have_expired(int job)
{
    int64_t expires_ms = cast_expires_ms(job);
    return triage_dates_are_open(job) || (expires_ms != 0 && reference_wall_most_ms() + DUE_MS >= expires_ms);
}

/* That the provider has its message ends no job by itself: the broker has to hear of it. */
static bool may_be_over(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    const struct entry *entry = entry_of(job);
    return entry->over_us != 0 || known->final || reference_may_have_expired(job) || known->cancel_asked || known->settle_asked ||
           known->requeued || entry->may_be_replaced || entry->may_have_failed || operators_may_have_failed(job) ||
           stops_may_have_ended(job) || erasures_may_have_ended(job) || triage_may_have_ended(job) ||
           triage_may_bring_another(job) || entry->may_be_told;
}

bool reference_may_be_over(int job)
{
    return !cast_jobs[job].acked || !entry_is_judged(job) || may_be_over(job);
}

bool entry_surely_lives(int job)
{
    return cast_jobs[job].acked && entry_is_judged(job) && !may_be_over(job);
}

static bool is_current(const struct given *given)
{
    return !given->named_anew && now_us() < given->at_us + SURELY_US;
}

/* Nothing but its lapse or its worker's word takes a job from a worker that has it. */
bool entry_surely_leased(int job)
{
    const struct given *given = given_last(job);
    return given != NULL && entry_is_judged(job) && given->heard == HEARD_NOTHING && is_current(given);
}

bool entry_surely_hangs(int job)
{
    const struct given *given = given_last(job);
    return given != NULL && given->heard == HEARD_NOTHING && !given->named_anew;
}

/* ---- what workers say ---- */

static enum heard heard_of(const struct frame *json, bool *stops)
{
    cJSON *document = json_parse(json->data, json->bytes, NULL);
    const char *outcome = json_string(document, "outcome");
    enum heard heard = HEARD_REJECTED;
    *stops = json_get(document, "suppress") != NULL;
    if (outcome != NULL && strcmp(outcome, "sent") == 0)
        heard = HEARD_SENT;
    else if (outcome != NULL && strcmp(outcome, "returned") == 0)
        heard = HEARD_RETURNED;
    else if (outcome != NULL && strcmp(outcome, "retry") == 0)
        heard = json_bool(document, "unknown", false) ? HEARD_UNKNOWN : HEARD_RETRY;
    cJSON_Delete(document);
    return heard;
}

static void result_said(struct frame lease, const struct frame *json)
{
    struct given *given = given_of(lease);
    if (given == NULL)
        return;
    struct entry *entry = entry_of(given->job);
    bool again = given->heard != HEARD_NOTHING;
    if (!again)
        given->cancelled = entry->cancel_told;
    bool stopped = given->stops;
    given->heard = heard_of(json, &given->stops);
    if (given->stops && !stopped && !given->done)
        stops_result_said(cast_jobs[given->job].conversation);
    if (given->heard == HEARD_RETRY && !again && !entry->is_unknown)
        entry->failures++;
    unsigned attempts = house_attempts_least(cast_pool_of(cast_jobs[given->job].conversation));
    if (given->heard == HEARD_REJECTED || given->heard == HEARD_SENT || entry->failures >= attempts)
        entry->may_have_failed = true;
}

static bool is_of_key(int other, const struct cast_job *known)
{
    return cast_jobs[other].conversation == known->conversation && cast_jobs[other].collapse == known->collapse;
}

/* As soon as a newer one may have come, the older may be over. */
void reference_offered(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    for (int other = 0; known->collapse != '\0' && other < job; other++) {
        if (!is_of_key(other, known))
            continue;
        entry_of(other)->may_be_replaced = true;
        if (cast_jobs[other].source != known->source) /* which of them comes first, nobody knows */
            entry_of(job)->may_be_replaced = true;
    }
}

/* Until its answer, a READY frees what it does not name, JOBs too that cross it. */
static void renew(const char *name, bool asks)
{
    struct worker *worker = worker_of(name);
    worker->asks = asks;
    for (int i = 0; i < reference.given_count; i++)
        if (strcmp(reference.given[i].worker, name) == 0)
            reference.given[i].named_anew = true;
}

static void client_says(const char *from, const struct frame *frames, size_t count)
{
    char command[16] = "";
    if (count > 1)
        frame_text(frames[1], command, sizeof command);
    for (size_t i = 2; strcmp(command, "RESULT") == 0 && i + 1 < count; i += 2)
        result_said(frames[i], &frames[i + 1]);
    if (strcmp(command, "READY") == 0)
        renew(from, true);
}

void reference_ready(const char *worker)
{
    renew(worker, false);
}

/* The result is durable, or no longer matters; that of a lease which is surely in force does. */
void reference_done(struct frame lease)
{
    struct given *given = given_of(lease);
    if (given == NULL || given->done)
        return;
    given->done = true;
    if (given->stops)
        stops_result_done(cast_jobs[given->job].conversation);
    struct entry *entry = entry_of(given->job);
    bool matters = is_current(given) && given == given_last(given->job);
    if (given->heard == HEARD_SENT && !given->forgotten)
        entry->is_sent = true;
    if (entry->is_sent && given_last(given->job)->done) {
        looks_sent(given->job);
        over(given->job, "its RESULT sent was answered DONE, and so was that of the try behind it, if any");
    } else if (matters && given->heard == HEARD_RETURNED && given->cancelled && !given->unsettled) {
        over(given->job, "its CANCEL was answered, then it was returned");
    } else if (matters && given->heard == HEARD_UNKNOWN) {
        entry->is_unknown = true;
    }
}

/* ---- what producers hear ---- */

/* It waited for its first try when a newer one of its key came, and nothing but that can have ended it. */
static bool was_there_to_replace(int old, int job)
{
    const struct cast_job *was = &cast_jobs[old], *known = &cast_jobs[job];
    entry_of(old)->may_be_replaced = false;
    bool lives = entry_surely_lives(old);
    entry_of(old)->may_be_replaced = true;
    bool seen_all = was->first_sent_us > reference.down_us; /* else a lease may be durable whose JOB was never said */
    return lives && seen_all && entry_of(old)->last == NOTHING && was->class == known->class && !was->has_due &&
           cast_expires_ms(job) == 0;
}

/* A newer job with a collapse key has the place of the one that waited. */
static int place_of(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    int nearest = NOTHING, place = job;
    bool another_came = false; /* and is over; it may have ended one that came before it, and nobody was told yet */
    for (int other = job - 1; other >= 0 && known->collapse != '\0'; other--) {
        const struct cast_job *at = &cast_jobs[other];
        int64_t over_us = entry_of(other)->over_us;
        if (!is_of_key(other, known))
            continue;
        if (at->source != 0 || at->requeued) /* nobody knows where that one stood */
            return NOTHING;
        if (at->refused)
            continue;
        if (over_us != 0 && over_us < known->first_sent_us) {
            another_came = true;
            continue;
        }
        if (nearest != NOTHING || another_came || !was_there_to_replace(other, job))
            return NOTHING;
        nearest = other;
        place = entry_of(other)->place;
    }
    if (nearest != NOTHING)
        over(nearest, "a newer one took its place");
    return place;
}

void entry_number(int job, uint64_t number)
{
    struct entry *entry = entry_of(job);
    if (entry->number != 0 && entry->number != number && entry_is_judged(job) && !reference_may_be_forgotten(job))
        breach("P1", about_job(job), "job %d is two jobs in the broker", job);
    entry->number = number;
}

void reference_acked(int job)
{
    struct entry *entry = entry_of(job);
    entry_number(job, cast_jobs[job].number);
    if (entry->is_placed)
        return;
    entry->is_placed = true;
    /* A refusal as held may have got lost: what was taken at the second asking stands behind what was at the first. */
    const struct cast_job *known = &cast_jobs[job];
    bool vague = known->has_due || known->fails_if_held || known->source != 0 || !entry_is_judged(job);
    entry->place = vague ? NOTHING : place_of(job);
}

int reference_job(uint64_t number)
{
    for (int job = cast_job_count - 1; job >= 0; job--)
        if (entry_of(job)->number == number && !cast_jobs[job].forgiven)
            return job;
    return NOTHING;
}

void reference_ended(int job, const char *why)
{
    over(job, why);
}

void reference_viewed(int job, const cJSON *view)
{
    const char *cancel = json_string(view, "cancel");
    if (cancel != NULL && strcmp(cancel, "asked") == 0)
        entry_of(job)->cancel_told = true;
    if (cast_jobs[job].final && entry_is_judged(job))
        over(job, "its end was told");
}

void reference_hook_arrives(const struct hook *hook)
{
    if (hook->job >= 0)
        entry_of(hook->job)->may_be_told = true;
}

void reference_broker_down(void)
{
    reference.down_us = now_us();
    for (int i = 0; i < reference.given_count; i++)
        reference.given[i].forgotten = reference.given[i].forgotten || !is_current(&reference.given[i]);
}

void reference_wall_jumps(int64_t by_us)
{
    reference.wall_most_ms = reference_wall_most_ms();
    if (by_us > KEPT_LEAST_US || by_us < -KEPT_LEAST_US)
        reference.wall_jumped_far = true;
}

bool entry_may_be_forgotten(int job)
{
    return reference.wall_jumped_far && reference_may_be_over(job);
}

bool reference_may_be_forgotten(int job)
{
    bool may_be = entry_may_be_forgotten(job);
    cast_jobs[job].forgiven = cast_jobs[job].forgiven || may_be;
    return may_be;
}

void reference_begin(void)
{
    for (int job = 0; job < CAST_JOBS_MAX; job++)
        reference.jobs[job].last = reference.jobs[job].place = NOTHING;
    net_client_says = client_says;
}
