/* latency.c — from the moment a job is written to the moment it is leased, at a steady rate.
 *
 *   latency QUEUE PRODUCERS WORKERS RATE SECONDS RECIPIENTS
 *
 * One request a job, sent on the beat of CLOCK_MONOTONIC whatever the queue does (a late one counts from when it
 * should have gone), one consumer that waits; the moment travels inside the job. */
#include "queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define SLOTS     256
#define WARM_UP_S 1
#define TURN_MS   20
#define DRAIN_NS  5000000000

struct watch {
    const struct queue *queue;
    struct queue_address address;
    int64_t *waits_ns; /* [jobs], each job's by its number; 0: not seen */
    uint64_t jobs;
    atomic_uint_fast64_t leased;
    atomic_bool over;
};

static void note_job(void *self, const char *text, size_t bytes)
{
    struct watch *watch = self;
    int64_t now = now_ns();
    uint64_t number = 0;
    int64_t written_ns = 0;
    if (!document_read(text, bytes, &number, &written_ns) || number >= watch->jobs)
        die("%s: leased a job that was never put in", watch->queue->name);
    watch->waits_ns[number] = now - written_ns;
    atomic_fetch_add(&watch->leased, 1);
}

static void *consume(void *self)
{
    struct watch *watch = self;
    void *consumer = watch->queue->consumer_new(&watch->address, SLOTS);
    while (!atomic_load(&watch->over))
        watch->queue->turn(consumer, TURN_MS, note_job, watch);
    watch->queue->consumer_free(consumer);
    return NULL;
}

static void produce(struct watch *watch, int64_t rate, uint64_t recipients)
{
    void *producer = watch->queue->producer_new(&watch->address);
    struct document_form form;
    document_form_init(&form, NULL);
    int64_t begin = now_ns();
    for (uint64_t number = 0; number < watch->jobs; number++) {
        int64_t due = begin + (int64_t)number * 1000000000 / rate;
        struct document document;
        wait_until_ns(due);
        document_write(&document, &form, number, recipient_of(number, recipients), due);
        watch->queue->put(producer, &document, 1);
        watch->queue->acked(producer, 0);
    }
    int64_t end = now_ns() + DRAIN_NS;
    while (atomic_load(&watch->leased) < watch->jobs && now_ns() < end)
        watch->queue->acked(producer, TURN_MS);
    if (atomic_load(&watch->leased) < watch->jobs)
        die("%s: %llu of %llu jobs leased", watch->queue->name, (unsigned long long)atomic_load(&watch->leased),
            (unsigned long long)watch->jobs);
    watch->queue->producer_free(producer);
}

int main(int argc, char **argv)
{
    if (argc != 7)
        die("usage: latency QUEUE PRODUCERS WORKERS RATE SECONDS RECIPIENTS");
    static struct watch watch;
    watch.queue = queue_named(argv[1]);
    watch.address = (struct queue_address){.producers = argv[2], .workers = argv[3]};
    int64_t rate = number_argument(argv[4], "RATE", 1, 100000);
    int64_t seconds = number_argument(argv[5], "SECONDS", 1, 3600);
    int64_t recipients = number_argument(argv[6], "RECIPIENTS", 1, 10000000);
    uint64_t warm_up = (uint64_t)(rate * WARM_UP_S);
    watch.jobs = warm_up + (uint64_t)(rate * seconds);
    watch.waits_ns = calloc(watch.jobs, sizeof *watch.waits_ns);
    if (watch.waits_ns == NULL)
        die("out of memory");
    prctl(PR_SET_TIMERSLACK, 1UL); /* the kernel would send each job up to 50 us late */
    pthread_t consumer;
    if (pthread_create(&consumer, NULL, consume, &watch) != 0)
        die("pthread_create");
    produce(&watch, rate, (uint64_t)recipients);
    atomic_store(&watch.over, true);
    pthread_join(consumer, NULL);
    int64_t *counted = watch.waits_ns + warm_up;
    size_t count = watch.jobs - warm_up;
    printf("p50_us %.1f\n", (double)quantile(counted, count, 0.50) / 1000);
    printf("p99_us %.1f\n", (double)quantile(counted, count, 0.99) / 1000);
    printf("max_us %.1f\n", (double)quantile(counted, count, 1.0) / 1000);
    free(watch.waits_ns);
    return 0;
}
