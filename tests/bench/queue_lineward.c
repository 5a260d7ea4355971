/* queue_lineward.c — Lineward through the wire contract: ENQUEUE and ACK on one side; READY, JOB, RESULT, DONE and
 * BEAT on the other, with every job answered `sent` at once. */
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/wire.h"

#define ANSWER_TIMEOUT_MS 10000
#define PEER_TEXT_MAX     512 /* of an error that is shown */
#define RESULT_BYTES_MAX  256

struct link {
    void *context, *socket;
    struct message *message;
};

static void link_open(struct link *link, const char *endpoint)
{
    int linger = 0;
    int reconnect_ms = 1; /* a broker that is being started is seen at once */
    link->context = zmq_ctx_new();
    link->socket = link->context != NULL ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
    link->message = message_new();
    if (link->socket == NULL || link->message == NULL)
        die("zmq:");
    zmq_setsockopt(link->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(link->socket, ZMQ_RECONNECT_IVL, &reconnect_ms, sizeof reconnect_ms);
    if (zmq_connect(link->socket, endpoint) != 0)
        die("%s: %s", endpoint, zmq_strerror(errno));
}

static void link_close(struct link *link)
{
    message_free(&link->message);
    zmq_close(link->socket);
    zmq_ctx_term(link->context);
}

static struct frame text_frame(const char *text)
{
    return (struct frame){text, strlen(text)};
}

static void send_frames(struct link *link, const struct frame *frames, size_t count)
{
    while (message_send(link->socket, frames, count) != ERR_NONE) {
        if (errno != EAGAIN)
            die("zmq: %s", zmq_strerror(errno));
        zmq_pollitem_t item = {.socket = link->socket, .events = ZMQ_POLLOUT};
        if (zmq_poll(&item, 1, ANSWER_TIMEOUT_MS) == 0)
            die("lineward: takes nothing any more");
    }
}

/* True: a message is in link->message, at least version and command. */
static bool receive(struct link *link, int timeout_ms)
{
    enum err err = message_receive(link->message, link->socket);
    if (err == ERR_NOT_FOUND && timeout_ms != 0) {
        zmq_pollitem_t item = {.socket = link->socket, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, timeout_ms);
        err = message_receive(link->message, link->socket);
    }
    if (err == ERR_NOT_FOUND)
        return false;
    if (err != ERR_NONE)
        die("lineward: a message of %zu frames that cannot be read", message_frame_count(link->message));
    if (!frame_is(message_frame(link->message, 0), WIRE_VERSION))
        die("lineward: not the protocol's version");
    return true;
}

static bool command_is(const struct link *link, const char *command)
{
    return frame_is(message_frame(link->message, 1), command);
}

/* Ends the driver with what the broker said. */
static _Noreturn void refused(struct frame frame)
{
    int bytes = frame.bytes < PEER_TEXT_MAX ? (int)frame.bytes : PEER_TEXT_MAX;
    die("lineward: refused: %.*s", bytes, (const char *)frame.data);
}

static bool answers(const struct queue_address *address, int timeout_ms)
{
    struct link link;
    link_open(&link, address->producers);
    struct frame ping[] = {text_frame(WIRE_VERSION), text_frame("PING"), text_frame("")};
    send_frames(&link, ping, 3);
    bool up = receive(&link, timeout_ms) && command_is(&link, "PONG");
    link_close(&link);
    return up;
}

/* ---- producer ---- */

static void *producer_new(const struct queue_address *address)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        die("out of memory");
    link_open(link, address->producers);
    return link;
}

static void producer_free(void *producer)
{
    link_close(producer);
    free(producer);
}

static void put(void *producer, const struct document *documents, size_t count)
{
    struct frame frames[3 + BENCH_BATCH_MAX] = {text_frame(WIRE_VERSION), text_frame("ENQUEUE"), text_frame("b")};
    for (size_t i = 0; i < count; i++)
        frames[3 + i] = (struct frame){documents[i].text, DOCUMENT_BYTES};
    send_frames(producer, frames, 3 + count);
}

static size_t acked(void *producer, int timeout_ms)
{
    struct link *link = producer;
    size_t count = 0;
    while (receive(link, count == 0 ? timeout_ms : 0)) {
        size_t frames = message_frame_count(link->message);
        if (!command_is(link, "ACK"))
            refused(message_frame(link->message, frames - 1));
        for (size_t i = 3; i < frames; i++) {
            struct frame result = message_frame(link->message, i);
            if (memmem(result.data, result.bytes, "\"error\"", 7) != NULL)
                refused(result);
        }
        count += frames - 3;
    }
    return count;
}

/* ---- consumer ---- */

struct consumer {
    struct link link;
    size_t slots;
    int64_t heartbeat_ns, next_beat_ns;
    uint64_t beats, answered;
};

static void say_ready(struct consumer *consumer)
{
    uint64_t instance = 0;
    char ready[160];
    if (getrandom(&instance, sizeof instance, 0) != (ssize_t)sizeof instance)
        die("getrandom:");
    snprintf(ready, sizeof ready, "{\"worker\":\"bench\",\"instance\":\"%016llx\",\"slots\":%zu,\"leases\":[]}",
             (unsigned long long)instance, consumer->slots);
    struct frame frames[] = {text_frame(WIRE_VERSION), text_frame("READY"), text_frame(ready)};
    send_frames(&consumer->link, frames, 3);
}

static void *consumer_new(const struct queue_address *address, size_t slots)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL)
        die("out of memory");
    consumer->slots = slots;
    link_open(&consumer->link, address->workers);
    say_ready(consumer);
    if (!receive(&consumer->link, ANSWER_TIMEOUT_MS) || !command_is(&consumer->link, "READY"))
        die("lineward: no answer to READY");
    struct frame answer = message_frame(consumer->link.message, 2);
    cJSON *json = json_parse(answer.data, answer.bytes, NULL);
    int64_t heartbeat_ms = 0;
    if (json == NULL || !json_int(json, "heartbeat_ms", &heartbeat_ms) || heartbeat_ms < 1)
        die("lineward: READY answered without a heartbeat");
    cJSON_Delete(json);
    consumer->heartbeat_ns = heartbeat_ms * 1000000;
    consumer->next_beat_ns = now_ns() + consumer->heartbeat_ns;
    return consumer;
}

static void consumer_free(void *self)
{
    struct consumer *consumer = self;
    link_close(&consumer->link);
    free(consumer);
}

/* A provider's answer, as long as a real one: the chat is the recipient's, so that it stays the same. */
static size_t write_result(char out[RESULT_BYTES_MAX], struct frame job, uint64_t number)
{
    static const char to[] = "\"to\":[\"+";
    const char *recipient = memmem(job.data, job.bytes, to, sizeof to - 1);
    if (recipient == NULL)
        die("lineward: leased a job that is not ours: %.*s", (int)job.bytes, (const char *)job.data);
    int bytes = snprintf(out, RESULT_BYTES_MAX,
                         "{\"outcome\":\"sent\",\"http_status\":202,\"chat_id\":\"chat-%.11s\","
                         "\"message_id\":\"00000000-0000-4000-8000-%012llu\"}",
                         recipient + sizeof to - 1, (unsigned long long)number);
    return (size_t)bytes;
}

/* [LW1][JOB]([lease][job]) × n, answered by one [LW1][RESULT]([lease][result]) × n. */
static void answer_jobs(struct consumer *consumer, queue_on_job *on_job, void *self)
{
    static _Thread_local char results[WIRE_WORKER_ITEMS_MAX][RESULT_BYTES_MAX];
    struct frame frames[2 + 2 * WIRE_WORKER_ITEMS_MAX] = {text_frame(WIRE_VERSION), text_frame("RESULT")};
    const struct message *message = consumer->link.message;
    size_t jobs = (message_frame_count(message) - 2) / 2;
    if (jobs > WIRE_WORKER_ITEMS_MAX)
        die("lineward: %zu jobs in one message", jobs);
    for (size_t i = 0; i < jobs; i++) {
        struct frame job = message_frame(message, 3 + 2 * i);
        on_job(self, job.data, job.bytes);
        frames[2 + 2 * i] = message_frame(message, 2 + 2 * i);
        frames[3 + 2 * i] = (struct frame){results[i], write_result(results[i], job, ++consumer->answered)};
    }
    send_frames(&consumer->link, frames, 2 + 2 * jobs);
}

static void beat_if_due(struct consumer *consumer)
{
    if (now_ns() < consumer->next_beat_ns)
        return;
    char count[24];
    snprintf(count, sizeof count, "%llu", (unsigned long long)++consumer->beats);
    struct frame frames[] = {text_frame(WIRE_VERSION), text_frame("BEAT"), text_frame(count)};
    send_frames(&consumer->link, frames, 3);
    consumer->next_beat_ns += consumer->heartbeat_ns;
}

static size_t turn(void *self, int timeout_ms, queue_on_job *on_job, void *on_job_self)
{
    struct consumer *consumer = self;
    struct link *link = &consumer->link;
    size_t durable = 0;
    beat_if_due(consumer);
    while (receive(link, timeout_ms)) {
        timeout_ms = 0;
        if (command_is(link, "JOB"))
            answer_jobs(consumer, on_job, on_job_self);
        else if (command_is(link, "DONE"))
            durable += message_frame_count(link->message) - 2;
        else if (command_is(link, "ERR"))
            refused(message_frame(link->message, 2));
        beat_if_due(consumer);
    }
    return durable;
}

const struct queue lineward_queue = {.name = "lineward",
                                     .answers = answers,
                                     .producer_new = producer_new,
                                     .producer_free = producer_free,
                                     .put = put,
                                     .acked = acked,
                                     .consumer_new = consumer_new,
                                     .consumer_free = consumer_free,
                                     .turn = turn};
