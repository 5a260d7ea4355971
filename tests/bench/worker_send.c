/* worker_send.c — how many sends a second one worker process does, with everything around it as cheap as possible:
 * this is the broker's side of the workers' contract without a store or a decision, and the provider is sink.h.
 *
 *   worker_send ENDPOINT HTTP_PORT SECONDS
 *
 * Waits for one worker's READY on ENDPOINT (its account's base_url must lead to HTTP_PORT), gives it as many jobs as
 * it has slots, and counts results, all of which must be `sent`. Prints `slots` and `per_s`. */
#include "bench.h"
#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/wire.h"

#define READY_TIMEOUT_NS 20000000000
#define WARM_UP_NS       700000000
#define RECIPIENTS       50000
#define LINES            10
#define WAIT_MS          100
#define JOB_TEXT_MAX     1024
#define HEARTBEAT        "{\"broker\":\"bench\",\"heartbeat_ms\":1000}"

struct stub {
    void *socket;
    struct message *message;
    char worker[256]; /* its routing id */
    size_t worker_bytes;
    size_t slots, in_hand;
    uint64_t leased, sent;
    struct document_form form;
};

static struct frame text_frame(const char *text)
{
    return (struct frame){text, strlen(text)};
}

static void send_frames(struct stub *stub, struct frame *frames, size_t count)
{
    frames[0] = (struct frame){stub->worker, stub->worker_bytes};
    frames[1] = text_frame(WIRE_VERSION);
    if (message_send(stub->socket, frames, count) != ERR_NONE)
        die("worker: %s", zmq_strerror(errno));
}

static void on_ready(struct stub *stub)
{
    struct frame id = message_frame(stub->message, 0);
    struct frame said = message_frame(stub->message, 3);
    cJSON *json = json_parse(said.data, said.bytes, NULL);
    int64_t slots = 0;
    if (id.bytes > sizeof stub->worker || json == NULL || !json_int(json, "slots", &slots) || slots < 1)
        die("worker: a READY that cannot be read");
    cJSON_Delete(json);
    memcpy(stub->worker, id.data, id.bytes);
    stub->worker_bytes = id.bytes;
    stub->slots = (size_t)slots;
    struct frame frames[4] = {[2] = text_frame("READY"), [3] = text_frame(HEARTBEAT)};
    send_frames(stub, frames, 4);
}

static void on_beat(struct stub *stub)
{
    struct frame frames[4] = {[2] = text_frame("BEAT"), [3] = message_frame(stub->message, 3)};
    send_frames(stub, frames, 4);
}

/* Every lease is named as it came; DONE at once. */
static void on_result(struct stub *stub)
{
    struct frame frames[3 + WIRE_WORKER_ITEMS_MAX] = {[2] = text_frame("DONE")};
    size_t results = (message_frame_count(stub->message) - 3) / 2;
    if (results > WIRE_WORKER_ITEMS_MAX)
        die("worker: %zu results in one message", results);
    for (size_t i = 0; i < results; i++) {
        struct frame result = message_frame(stub->message, 4 + 2 * i);
        if (memmem(result.data, result.bytes, "\"sent\"", 6) == NULL)
            die("worker: not sent: %.*s", (int)(result.bytes < 512 ? result.bytes : 512), (const char *)result.data);
        frames[3 + i] = message_frame(stub->message, 3 + 2 * i);
    }
    send_frames(stub, frames, 3 + results);
    stub->in_hand -= results;
    stub->sent += results;
}

static size_t write_job(char out[JOB_TEXT_MAX], const struct document_form *form, uint64_t number)
{
    struct document document;
    document_write(&document, form, number, recipient_of(number, RECIPIENTS), now_ns());
    const char *to = memmem(document.text, DOCUMENT_BYTES, "\"to\":\"", 6);
    const char *message = memmem(document.text, DOCUMENT_BYTES, "\"message\":", 10);
    int message_bytes = (int)(document.text + DOCUMENT_BYTES - 1 - (message + 10)); /* without the document's brace */
    int bytes = snprintf(out, JOB_TEXT_MAX,
                         "{\"job\":\"j_%llu\",\"attempt\":1,\"pool\":\"default\",\"account\":\"default\","
                         "\"line\":\"+1202555%04u\",\"to\":[\"%.12s\"],\"chat_id\":\"chat-%.11s\",\"message\":%.*s,"
                         "\"idempotency_key\":\"%llu-0123456789abcdef01234567\",\"unsettled\":false,"
                         "\"lease_ms\":60000,\"expires_at\":null}",
                         (unsigned long long)number, (unsigned)(101 + number % LINES), to + 6, to + 7, message_bytes,
                         message + 10, (unsigned long long)number);
    return (size_t)bytes;
}

static void fill_slots(struct stub *stub)
{
    static char leases[WIRE_WORKER_ITEMS_MAX][LEASE_TEXT_MAX];
    static char jobs[WIRE_WORKER_ITEMS_MAX][JOB_TEXT_MAX];
    struct frame frames[3 + 2 * WIRE_WORKER_ITEMS_MAX] = {[2] = text_frame("JOB")};
    size_t count = stub->slots - stub->in_hand;
    if (count > WIRE_WORKER_ITEMS_MAX)
        count = WIRE_WORKER_ITEMS_MAX;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        lease_format(++stub->leased, leases[i]);
        frames[3 + 2 * i] = text_frame(leases[i]);
        frames[4 + 2 * i] = (struct frame){jobs[i], write_job(jobs[i], &stub->form, stub->leased)};
    }
    send_frames(stub, frames, 3 + 2 * count);
    stub->in_hand += count;
}

/* What has come, then jobs for what became free. */
static void turn(struct stub *stub)
{
    zmq_pollitem_t item = {.socket = stub->socket, .events = ZMQ_POLLIN};
    zmq_poll(&item, 1, WAIT_MS);
    while (message_receive(stub->message, stub->socket) == ERR_NONE) {
        struct frame command = message_frame(stub->message, 2);
        if (frame_is(command, "READY"))
            on_ready(stub);
        else if (frame_is(command, "BEAT"))
            on_beat(stub);
        else if (frame_is(command, "RESULT"))
            on_result(stub);
    }
    if (stub->slots > 0)
        fill_slots(stub);
}

static void turn_until(struct stub *stub, int64_t when_ns)
{
    while (now_ns() < when_ns)
        turn(stub);
}

int main(int argc, char **argv)
{
    static struct stub stub;
    if (argc != 4)
        die("usage: worker_send ENDPOINT HTTP_PORT SECONDS");
    sink_start((uint16_t)number_argument(argv[2], "HTTP_PORT", 1, 65535));
    int64_t seconds = number_argument(argv[3], "SECONDS", 1, 3600);
    document_form_init(&stub.form, NULL);
    void *context = zmq_ctx_new();
    int linger = 0;
    stub.message = message_new();
    stub.socket = zmq_socket(context, ZMQ_ROUTER);
    if (stub.message == NULL || stub.socket == NULL || zmq_bind(stub.socket, argv[1]) != 0)
        die("%s: %s", argv[1], zmq_strerror(errno));
    zmq_setsockopt(stub.socket, ZMQ_LINGER, &linger, sizeof linger);
    for (int64_t end = now_ns() + READY_TIMEOUT_NS; stub.slots == 0; turn(&stub))
        if (now_ns() > end)
            die("no worker said READY");
    turn_until(&stub, now_ns() + WARM_UP_NS);
    uint64_t before = stub.sent;
    int64_t begin = now_ns();
    turn_until(&stub, begin + seconds * 1000000000);
    double per_s = (double)(stub.sent - before) * 1e9 / (double)(now_ns() - begin);
    if (stub.sent == before || sink_answered() < stub.sent)
        die("the worker sent nothing, or said so without sending");
    printf("slots %zu\nper_s %.0f\n", stub.slots, per_s);
    message_free(&stub.message);
    zmq_close(stub.socket);
    zmq_ctx_term(context);
    return 0;
}
