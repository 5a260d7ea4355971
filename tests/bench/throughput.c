/* throughput.c — how many jobs a second, with WINDOW of them under way.
 *
 *   throughput enqueue    QUEUE PRODUCERS WORKERS CLIENTS WINDOW REQUEST RECIPIENTS SECONDS
 *   throughput end-to-end QUEUE PRODUCERS WORKERS CLIENTS WINDOW REQUEST RECIPIENTS SECONDS
 *   throughput fill       QUEUE PRODUCERS WORKERS CLIENTS WINDOW REQUEST RECIPIENTS JOBS [FROM]
 *
 * enqueue: jobs acked (durable) a second; WINDOW is how many are sent and not acked, REQUEST how many are sent at
 * once. end-to-end: jobs whose result is durable a second; producers have WINDOW not acked, consumers WINDOW in
 * hand, and producers stop while BACKLOG_WINDOWS windows wait, so that it measures a stream and not a pile. Both are
 * counted over SECONDS after a start that does not count. fill: puts JOBS in and leaves them there. CLIENTS producers
 * (and consumers), each in a thread and with a connection of its own, share WINDOW evenly. Prints `per_s`, and
 * `jobs`: all that got through from start to end, for who wants to know what one cost. */
#include "queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CLIENTS_MAX     16
#define WARM_UP_NS      700000000
#define BACKLOG_WINDOWS 4
#define TURN_MS         20
#define PAUSE_NS        50000
#define STUCK_NS        20000000000

enum measure { ENQUEUE, END_TO_END, FILL };

struct load { /* what all clients share */
    enum measure measure;
    const struct queue *queue;
    struct queue_address address;
    size_t clients, window, request; /* window and request of one client */
    uint64_t recipients, jobs;       /* jobs: of one client, when filling */
    struct document_form form;
    atomic_uint_fast64_t acked, finished;
    atomic_bool over;
};

struct producer {
    struct load *load;
    void *connection;
    size_t index;
    uint64_t sent, acked;
    int64_t acked_at_ns;
};

static void put_some(struct producer *producer, size_t count)
{
    const struct load *load = producer->load;
    struct document documents[BENCH_BATCH_MAX];
    int64_t now = now_ns();
    for (size_t i = 0; i < count; i++) {
        uint64_t number = (producer->sent + i) * load->clients + producer->index;
        document_write(&documents[i], &load->form, number, recipient_of(number, load->recipients), now);
    }
    load->queue->put(producer->connection, documents, count);
    producer->sent += count;
}

/* Fills the window with whole requests, as long as `limit` jobs in all are not passed: crumbs would cost the queue
 * as much as a batch. */
static void fill_window(struct producer *producer, uint64_t limit)
{
    const struct load *load = producer->load;
    while (producer->sent < limit && producer->sent - producer->acked + load->request <= load->window) {
        uint64_t left = limit - producer->sent;
        put_some(producer, left < load->request ? (size_t)left : load->request);
    }
}

static void take_acks(struct producer *producer)
{
    struct load *load = producer->load;
    size_t count = load->queue->acked(producer->connection, TURN_MS);
    if (count > 0)
        producer->acked_at_ns = now_ns();
    else if (now_ns() - producer->acked_at_ns > STUCK_NS)
        die("%s: no ack for %d s", load->queue->name, (int)(STUCK_NS / 1000000000));
    producer->acked += count;
    atomic_fetch_add(&load->acked, count);
}

/* How far a producer may go. */
static uint64_t limit_now(struct load *load)
{
    if (load->measure == FILL)
        return load->jobs;
    if (load->measure == ENQUEUE)
        return UINT64_MAX;
    return atomic_load(&load->finished) / load->clients + BACKLOG_WINDOWS * load->window;
}

static void *produce(void *self)
{
    struct producer *producer = self;
    struct load *load = producer->load;
    producer->connection = load->queue->producer_new(&load->address);
    producer->acked_at_ns = now_ns();
    while (!atomic_load(&load->over) && producer->acked < (load->measure == FILL ? load->jobs : UINT64_MAX)) {
        fill_window(producer, limit_now(load));
        if (producer->sent > producer->acked) {
            take_acks(producer);
        } else { /* the consumers are behind: leave them the processor */
            wait_until_ns(now_ns() + PAUSE_NS);
            producer->acked_at_ns = now_ns();
        }
    }
    load->queue->producer_free(producer->connection);
    return NULL;
}

static void ignore_job(void *self, const char *text, size_t bytes)
{
    (void)self, (void)text, (void)bytes;
}

static void *consume(void *self)
{
    struct load *load = self;
    void *consumer = load->queue->consumer_new(&load->address, load->window);
    while (!atomic_load(&load->over))
        atomic_fetch_add(&load->finished, load->queue->turn(consumer, TURN_MS, ignore_job, NULL));
    load->queue->consumer_free(consumer);
    return NULL;
}

static pthread_t begin_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0)
        die("pthread_create failed");
    return thread;
}

/* Jobs a second over `seconds`, after the warm-up. */
static double watch(atomic_uint_fast64_t *counter, int64_t seconds)
{
    wait_until_ns(now_ns() + WARM_UP_NS);
    uint64_t before = atomic_load(counter);
    int64_t begin = now_ns();
    wait_until_ns(begin + seconds * 1000000000);
    return (double)(atomic_load(counter) - before) * 1e9 / (double)(now_ns() - begin);
}

static double run(struct load *load, int64_t amount)
{
    static struct producer producers[CLIENTS_MAX];
    pthread_t threads[2 * CLIENTS_MAX];
    size_t count = 0;
    double per_s = 0;
    int64_t begin = now_ns();
    for (size_t i = 0; i < load->clients && load->measure == END_TO_END; i++)
        threads[count++] = begin_thread(consume, load);
    for (size_t i = 0; i < load->clients; i++) {
        producers[i] = (struct producer){.load = load, .index = i};
        threads[count++] = begin_thread(produce, &producers[i]);
    }
    if (load->measure != FILL) {
        per_s = watch(load->measure == ENQUEUE ? &load->acked : &load->finished, amount);
        atomic_store(&load->over, true);
    }
    while (count > 0)
        pthread_join(threads[--count], NULL);
    return load->measure == FILL ? (double)amount * 1e9 / (double)(now_ns() - begin) : per_s;
}

static enum measure measure_named(const char *name)
{
    static const char *const names[] = {[ENQUEUE] = "enqueue", [END_TO_END] = "end-to-end", [FILL] = "fill"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return (enum measure)i;
    die("no such measure: %s", name);
}

int main(int argc, char **argv)
{
    if (argc < 10 || argc > 11)
        die("usage: throughput enqueue|end-to-end|fill QUEUE PRODUCERS WORKERS CLIENTS WINDOW REQUEST RECIPIENTS "
            "SECONDS|JOBS [FROM]");
    static struct load load;
    load.measure = measure_named(argv[1]);
    load.queue = queue_named(argv[2]);
    load.address = (struct queue_address){.producers = argv[3], .workers = argv[4]};
    load.clients = (size_t)number_argument(argv[5], "CLIENTS", 1, CLIENTS_MAX);
    load.window = (size_t)number_argument(argv[6], "WINDOW", (int64_t)load.clients, 65536) / load.clients;
    load.request = (size_t)number_argument(argv[7], "REQUEST", 1, BENCH_BATCH_MAX);
    load.recipients = (uint64_t)number_argument(argv[8], "RECIPIENTS", 1, 10000000);
    int64_t amount = number_argument(argv[9], "SECONDS or JOBS", 1, 100000000);
    load.jobs = (uint64_t)amount / load.clients;
    document_form_init(&load.form, argc > 10 ? argv[10] : NULL);
    if (load.request > load.window)
        load.request = load.window;
    double per_s = run(&load, amount);
    if (per_s <= 0)
        die("%s: nothing got through (%llu acked)", load.queue->name, (unsigned long long)atomic_load(&load.acked));
    printf("per_s %.0f\njobs %llu\n", per_s,
           (unsigned long long)atomic_load(load.measure == END_TO_END ? &load.finished : &load.acked));
    return 0;
}
