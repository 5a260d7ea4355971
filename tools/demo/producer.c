/* producer.c — see producer.h. One request at a time, so that the order of handing in is defined (docs/protocol.md,
 * Producers). */
#include "tools/demo/producer.h"

#include <lineward.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"

#define BATCH_MAX  64
#define PAUSE_MS   20  /* between looking what is due */
#define RESEND_MS  250 /* a request is sent again after this long without an answer */
#define TIMEOUT_MS 1000
#define BUSY_MS    100 /* when a refusal names no time */

struct producer {
    pthread_t thread;
    atomic_bool stop, waits;
    const struct plan *plan;
    size_t pool;
    FILE *acked;
    struct estimates *estimates;
    struct lineward *client;
    int64_t begun_ms;
    size_t next; /* in plan->jobs: all of this pool before it are acked */
    pthread_mutex_t lock;
    struct producer_count count; /* under the lock */
};

struct batch {
    size_t jobs[BATCH_MAX]; /* in plan->jobs */
    char *texts[BATCH_MAX];
    size_t count;
};

static void give_up(struct producer *producer, const char *what, const char *why)
{
    pthread_mutex_lock(&producer->lock);
    snprintf(producer->count.problem, sizeof producer->count.problem, "%s: %.200s", what, why);
    pthread_mutex_unlock(&producer->lock);
    atomic_store(&producer->stop, true);
}

/* ---- documents ---- */

static void job_id(const struct producer *producer, size_t job, char out[32])
{
    snprintf(out, 32, "%s-%zu", producer->plan->pools[producer->pool], job);
}

static void put_recipients(const struct plan *plan, const struct plan_job *job, struct json_out *out)
{
    const struct plan_conversation *conversation = &plan->conversations[job->conversation];
    json_key(out, "to");
    json_open(out, '[');
    for (size_t i = 0; i < conversation->recipient_count; i++)
        json_put_string(out, plan->recipients[conversation->recipients[i]]);
    json_close(out, ']');
}

static void put_text(struct json_out *out, const char *key, const char *text)
{
    json_key(out, key);
    json_put_string(out, text);
}

/* What is in it begins with the auditor's marker (docs/sandbox.md). */
static void put_message(const struct producer *producer, size_t at, struct json_out *out)
{
    char id[32], text[128];
    job_id(producer, at, id);
    snprintf(text, sizeof text, "#%u %s/%s Hello from the demo.", producer->plan->jobs[at].n,
             producer->plan->pools[producer->pool], id);
    json_key(out, "message");
    json_open(out, '{');
    json_key(out, "parts");
    json_open(out, '[');
    json_open(out, '{');
    put_text(out, "type", "text");
    put_text(out, "value", text);
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
}

/* NULL: out of memory; free(). */
static char *job_text(const struct producer *producer, size_t at)
{
    const struct plan *plan = producer->plan;
    struct json_out out = {0};
    char id[32];
    job_id(producer, at, id);
    json_open(&out, '{');
    put_text(&out, "id", id);
    put_text(&out, "pool", plan->pools[producer->pool]);
    put_recipients(plan, &plan->jobs[at], &out);
    put_text(&out, "class", job_class_name(plan->jobs[at].class));
    put_message(producer, at, &out);
    json_close(&out, '}');
    char *text = out.failed ? NULL : strndup(out.text, out.bytes);
    json_out_free(&out);
    return text;
}

static void note_ack(struct producer *producer, size_t at, const cJSON *result)
{
    const struct plan_job *job = &producer->plan->jobs[at];
    struct json_out out = {0};
    char id[32];
    job_id(producer, at, id);
    json_open(&out, '{');
    put_text(&out, "job", json_string(result, "job"));
    put_text(&out, "id", id);
    put_text(&out, "pool", producer->plan->pools[producer->pool]);
    put_recipients(producer->plan, job, &out);
    put_text(&out, "class", job_class_name(job->class));
    json_key(&out, "n");
    json_put_int(&out, job->n);
    json_key(&out, "acked_mono_ms");
    json_put_int(&out, clock_read().mono_ms);
    json_close(&out, '}');
    if (out.failed || fprintf(producer->acked, "%.*s\n", (int)out.bytes, out.text) < 0)
        give_up(producer, "the file of acked jobs", "could not be written");
    json_out_free(&out);
}

/* ---- batches ---- */

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->texts[i]);
    batch->count = 0;
}

/* What is due by now and not acked. */
static void batch_fill(struct producer *producer, struct batch *batch)
{
    const struct plan *plan = producer->plan;
    int64_t now_ms = clock_read().mono_ms - producer->begun_ms;
    for (size_t at = producer->next; at < plan->job_count && batch->count < BATCH_MAX; at++) {
        const struct plan_job *job = &plan->jobs[at];
        if (job->at_ms > now_ms)
            break;
        if (plan->conversations[job->conversation].pool != producer->pool)
            continue;
        char *text = job_text(producer, at);
        if (text == NULL) {
            give_up(producer, "a job's document", "out of memory");
            break;
        }
        batch->jobs[batch->count] = at;
        batch->texts[batch->count++] = text;
    }
}

/* Reads one result. False: refused for now (*wait_ms: so long), as are all after it. */
static bool take_result(struct producer *producer, size_t at, const char *text, int64_t *wait_ms)
{
    cJSON *result = json_parse(text, strlen(text), NULL);
    const cJSON *error = json_get(result, "error");
    const char *code = json_string(error, "code"), *state = json_string(result, "state");
    bool for_now = code != NULL && (strcmp(code, "busy") == 0 || strcmp(code, "store_full") == 0);
    bool taken = json_string(result, "job") != NULL && state != NULL;
    if (taken) {
        note_ack(producer, at, result);
        estimates_ask(producer->estimates, at, json_string(result, "job"));
        pthread_mutex_lock(&producer->lock);
        producer->count.acked++;
        producer->count.repeated += strcmp(state, "duplicate") == 0;
        pthread_mutex_unlock(&producer->lock);
        producer->next = at + 1;
    } else if (for_now) {
        if (!json_int(error, "retry_after_ms", wait_ms))
            *wait_ms = BUSY_MS;
    } else {
        give_up(producer, "a job was refused", text);
    }
    cJSON_Delete(result);
    return taken;
}

/* Hands the batch in. What is not acked afterwards is in the next one. */
static void batch_send(struct producer *producer, const struct batch *batch)
{
    const char *texts[BATCH_MAX];
    int64_t wait_ms = 0;
    for (size_t i = 0; i < batch->count; i++)
        texts[i] = batch->texts[i];
    atomic_store(&producer->waits, true);
    enum lineward_status status = lineward_enqueue(producer->client, texts, batch->count, TIMEOUT_MS);
    atomic_store(&producer->waits, false);
    if (status == LINEWARD_UNREACHABLE || status == LINEWARD_TIMEOUT) {
        pthread_mutex_lock(&producer->lock);
        producer->count.unanswered += status == LINEWARD_TIMEOUT;
        pthread_mutex_unlock(&producer->lock);
        return;
    }
    if (status != LINEWARD_OK) {
        give_up(producer, "the broker refused a request", lineward_error(producer->client));
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!take_result(producer, batch->jobs[i], lineward_result(producer->client, i), &wait_ms))
            break;
    }
    if (wait_ms > 0)
        poll(NULL, 0, (int)(wait_ms < TIMEOUT_MS ? wait_ms : TIMEOUT_MS));
}

static bool is_done(struct producer *producer)
{
    const struct plan *plan = producer->plan;
    while (producer->next < plan->job_count &&
           plan->conversations[plan->jobs[producer->next].conversation].pool != producer->pool)
        producer->next++;
    return producer->next == plan->job_count;
}

static void *produce(void *self)
{
    struct producer *producer = self;
    while (!atomic_load(&producer->stop) && !is_done(producer)) {
        struct batch batch = {.count = 0};
        batch_fill(producer, &batch);
        if (batch.count > 0)
            batch_send(producer, &batch);
        batch_clear(&batch);
        poll(NULL, 0, PAUSE_MS);
    }
    pthread_mutex_lock(&producer->lock);
    producer->count.done = true;
    pthread_mutex_unlock(&producer->lock);
    return NULL;
}

/* Signals are main()'s. */
static bool start_thread(struct producer *producer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool started = pthread_create(&producer->thread, NULL, produce, producer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct producer *producer_start(const struct plan *plan, size_t pool, const char *endpoint, FILE *acked,
                                struct estimates *estimates)
{
    struct producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL)
        return NULL;
    producer->plan = plan;
    producer->pool = pool;
    producer->acked = acked;
    producer->estimates = estimates;
    producer->begun_ms = clock_read().mono_ms;
    pthread_mutex_init(&producer->lock, NULL);
    if (lineward_connect(&producer->client, endpoint) == LINEWARD_OK) {
        lineward_resend_after(producer->client, RESEND_MS);
        if (start_thread(producer))
            return producer;
    }
    lineward_close(&producer->client);
    pthread_mutex_destroy(&producer->lock);
    free(producer);
    return NULL;
}

struct producer_count producer_count(struct producer *producer)
{
    pthread_mutex_lock(&producer->lock);
    struct producer_count count = producer->count;
    pthread_mutex_unlock(&producer->lock);
    return count;
}

bool producer_waits(struct producer *producer)
{
    return atomic_load(&producer->waits);
}

void producer_stop(struct producer **producer_p)
{
    struct producer *producer = *producer_p;
    if (producer == NULL)
        return;
    atomic_store(&producer->stop, true);
    pthread_join(producer->thread, NULL);
    lineward_close(&producer->client);
    pthread_mutex_destroy(&producer->lock);
    free(producer);
    *producer_p = NULL;
}
