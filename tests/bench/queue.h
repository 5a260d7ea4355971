/* queue.h — the queues that are measured, all driven through the same few calls, so that a difference between two
 * figures is a difference between two queues and not between two drivers.
 *
 * A producer hands over documents and hears later how many are durable. A consumer takes what is leased to it,
 * answers each job as sent at once, and hears later how many of these results are durable. Neither call waits for
 * an answer to what was just handed over. A refusal of any kind ends the driver (die()). */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include "bench.h"

/* Where a queue listens. */
struct queue_address {
    const char *producers; /* ZeroMQ endpoint; for Redis the path of its socket */
    const char *workers;   /* ZeroMQ endpoint; unused for Redis */
};

/* Called for each job leased; `text` holds its message, and is valid during the call. */
typedef void queue_on_job(void *self, const char *text, size_t bytes);

struct queue {
    const char *name;

    /* Is it up and answering? Waits at most `timeout_ms`. */
    bool (*answers)(const struct queue_address *address, int timeout_ms);

    void *(*producer_new)(const struct queue_address *address);
    void (*producer_free)(void *producer);
    /* At most BENCH_BATCH_MAX documents, copied. */
    void (*put)(void *producer, const struct document *documents, size_t count);
    /* How many became durable since the last call; waits up to `timeout_ms` for the first. */
    size_t (*acked)(void *producer, int timeout_ms);

    /* At most `slots` jobs in hand. */
    void *(*consumer_new)(const struct queue_address *address, size_t slots);
    void (*consumer_free)(void *consumer);
    /* Takes and answers what is there, waiting up to `timeout_ms` for something. Returns how many results became
     * durable since the last call. */
    size_t (*turn)(void *consumer, int timeout_ms, queue_on_job *on_job, void *self);
};

extern const struct queue lineward_queue;
extern const struct queue redis_queue;

/* By its name, or die(). */
const struct queue *queue_named(const char *name);

#endif
