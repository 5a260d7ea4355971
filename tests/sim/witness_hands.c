/* witness_hands.c — see witness_hands.h. */
#include "tests/sim/witness_hands.h"

#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/house.h"
#include "tests/sim/net.h"

#define HANDS 8 /* leases of one job that somebody may still act on */

struct hand { /* a lease that a worker has read of */
    const struct process *worker;
    int64_t over_mono_us; /* on the worker's own clock */
    char lease[65];
    bool revoked;
};

/* Not the last one only: who was stopped, or cut off, and goes on when another has the job long since, is what it is
 * about. */
static struct {
    struct hand last[HANDS];
    unsigned count;
} hands[CAST_JOBS_MAX];

static struct hand *hand_of(const struct process *worker, int job)
{
    for (unsigned i = hands[job].count; i-- > 0 && hands[job].count - i <= HANDS;)
        if (hands[job].last[i % HANDS].worker == worker)
            return &hands[job].last[i % HANDS];
    return NULL;
}

static void take_job(const struct process *worker, const struct frame *lease, const struct frame *json)
{
    cJSON *document = json_parse(json->data, json->bytes, NULL);
    int job = cast_job_of_message(document, cast_line_of(json_string(document, "line")));
    int64_t lease_ms = 0;
    struct hand hand = {.worker = worker};
    if (job >= 0 && json_int(document, "lease_ms", &lease_ms) && frame_text(*lease, hand.lease, sizeof hand.lease)) {
        int64_t time_ms = house_conf()->worker.request_timeout_ms;
        time_ms = lease_ms < time_ms ? lease_ms : time_ms;
        hand.over_mono_us = machine_mono_us(worker->machine) + time_ms * US_MS;
        hands[job].last[hands[job].count++ % HANDS] = hand;
    }
    cJSON_Delete(document);
}

static void take_revoke(const struct process *worker, const struct frame *lease)
{
    char text[65] = "";
    frame_text(*lease, text, sizeof text);
    for (int job = 0; job < cast_job_count; job++)
        for (unsigned i = 0; i < HANDS; i++)
            if (hands[job].last[i].worker == worker && strcmp(hands[job].last[i].lease, text) == 0)
                hands[job].last[i].revoked = true;
}

static void worker_reads(const struct process *worker, const struct frame *frames, size_t count)
{
    if (count < 2)
        return;
    for (size_t i = 2; frame_is(frames[1], "JOB") && i + 1 < count; i += 2)
        take_job(worker, &frames[i], &frames[i + 1]);
    for (size_t i = 2; frame_is(frames[1], "REVOKE") && i < count; i++)
        take_revoke(worker, &frames[i]);
}

/* Neither the first time nor when a request is written again. */
void hands_begun(const struct process *worker, int job)
{
    const struct hand *hand = hand_of(worker, job);
    if (hand == NULL && hands[job].count <= HANDS)
        breach("P2", about_job(job), "%s begins job %d, and has never read of a lease of it", worker->name, job);
    if (hand == NULL)
        return;
    if (hand->revoked)
        breach("P3", about_job(job), "%s begins job %d, and has read that its lease is revoked", worker->name, job);
    if (machine_mono_us(worker->machine) > hand->over_mono_us + US_MS)
        breach("P2", about_job(job), "%s begins job %d after its time for it has run out", worker->name, job);
}

void hands_begin(void)
{
    net_worker_reads = worker_reads;
}
