/* timings.c — see timings.h. */
#include "broker/edge/timings.h"

#include <stdlib.h>

#define COMMITS    1024u  /* under way at once; more are counted with the last one. A power of two */
#define LEASE_ROOM 65536u /* a power of two */

struct commit {
    uint64_t number, jobs;
    int64_t begun_us;
};

struct begun {
    uint64_t lease;
    int64_t at_us;
};

struct timings {
    struct timings_read read;
    int64_t now_us;
    uint64_t accepted; /* since the last commit was submitted */
    struct commit commits[COMMITS];
    uint32_t first, end; /* count on and on; taken modulo COMMITS */
    struct begun leases[LEASE_ROOM];
};

const char *timed_outcome_name(enum timed_outcome outcome)
{
    static const char *const names[TIMED_OUTCOMES] = {[TIMED_SENT] = "sent",
                                                      [TIMED_RETRY] = "retry",
                                                      [TIMED_UNKNOWN] = "unknown",
                                                      [TIMED_REJECTED] = "rejected",
                                                      [TIMED_RETURNED] = "returned"};
    return names[outcome];
}

struct timings *timings_new(void)
{
    struct timings *timings = calloc(1, sizeof *timings);
    if (timings == NULL)
        return NULL;
    timings->read.enqueue.bounds = timings->read.gate.bounds = &histogram_disk;
    timings->read.wait.bounds = &histogram_queue;
    for (int o = 0; o < TIMED_OUTCOMES; o++)
        timings->read.result[o].bounds = &histogram_provider;
    return timings;
}

void timings_free(struct timings **timings_p)
{
    free(*timings_p);
    *timings_p = NULL;
}

void timings_turn(struct timings *timings, int64_t now_us)
{
    timings->now_us = now_us;
}

/* ---- enqueue ---- */

void timings_accepted(struct timings *timings)
{
    timings->accepted++;
}

void timings_submitted(struct timings *timings, uint64_t commit)
{
    if (timings->accepted == 0)
        return;
    if (timings->end - timings->first < COMMITS)
        timings->commits[timings->end++ % COMMITS] = (struct commit){.begun_us = timings->now_us};
    struct commit *last = &timings->commits[(timings->end - 1) % COMMITS];
    last->number = commit;
    last->jobs += timings->accepted;
    timings->accepted = 0;
}

void timings_durable(struct timings *timings, uint64_t durable)
{
    for (; timings->first != timings->end; timings->first++) {
        const struct commit *commit = &timings->commits[timings->first % COMMITS];
        if (commit->number > durable)
            return;
        histogram_add(&timings->read.enqueue, timings->now_us - commit->begun_us, commit->jobs);
    }
}

/* ---- leases ---- */

/* A lease's lower bits say its slot (the core's), so that leases held at the same time rarely share a place. */
static struct begun *place_of(struct timings *timings, uint64_t lease)
{
    return &timings->leases[lease % LEASE_ROOM];
}

void timings_leased(struct timings *timings, uint64_t lease, int64_t waited_ms)
{
    if (timings == NULL)
        return;
    *place_of(timings, lease) = (struct begun){lease, timings->now_us};
    if (waited_ms >= 0)
        histogram_add(&timings->read.wait, waited_ms * 1000, 1);
}

static enum timed_outcome outcome_of(const struct core_result *result)
{
    if (result->malformed || (result->outcome == OUTCOME_RETRY && result->unknown))
        return TIMED_UNKNOWN;
    switch (result->outcome) {
    case OUTCOME_SENT:
        return TIMED_SENT;
    case OUTCOME_REJECTED:
        return TIMED_REJECTED;
    case OUTCOME_RETURNED:
        return TIMED_RETURNED;
    default:
        return TIMED_RETRY;
    }
}

void timings_result(struct timings *timings, const struct core_result *result)
{
    if (timings == NULL)
        return;
    struct begun *begun = place_of(timings, result->lease);
    if (result->lease == 0 || begun->lease != result->lease)
        return; /* it came before, or an earlier start gave it out */
    histogram_add(&timings->read.result[outcome_of(result)], timings->now_us - begun->at_us, 1);
    begun->lease = 0;
}

void timings_gate(struct timings *timings, int64_t took_ms)
{
    if (timings != NULL)
        histogram_add(&timings->read.gate, took_ms * 1000, 1);
}

const struct timings_read *timings_read(const struct timings *timings)
{
    return &timings->read;
}
