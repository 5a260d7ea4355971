/* What a broker says to a worker: lines are frames, a line "%%" ends a message. The worker has said READY and holds no
 * more than its slots. */
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include "fuzz.h"
#include "lineward/wire.h"
#include "workers/broker_link.h"

#define SLOTS        4
#define MESSAGES_MAX 64
#define FRAMES_MAX   300
#define ENDPOINT     "inproc://broker"

static struct {
    struct broker_link *link;
    unsigned jobs;
} worker;

/* Each second job is answered at once, the others wait. */
static void on_job(void *context, struct lease *lease, struct frame json)
{
    static const char result[] = "{\"outcome\":\"returned\"}";
    fuzz_check(lease->id[0] != '\0' && memchr(lease->id, '\0', sizeof lease->id) != NULL);
    fuzz_check(lease->phase == LEASE_WAITING && (json.data != NULL || json.bytes == 0));
    if (worker.jobs++ % 2 == 0)
        broker_link_answer(worker.link, lease, strdup(result), sizeof result - 1);
}

static void on_withdraw(void *context, struct lease *lease)
{
    fuzz_check(lease->phase == LEASE_WAITING);
}

/* Reads all that the worker says; keeps who it is. */
static void hear(void *router, struct message *message, uint8_t id[256], size_t *id_bytes)
{
    while (message_receive(message, router) == ERR_NONE) {
        struct frame peer = message_frame(message, 0);
        fuzz_check(frame_is(message_frame(message, 1), WIRE_VERSION) && peer.bytes <= 255);
        memcpy(id, peer.data, peer.bytes);
        *id_bytes = peer.bytes;
    }
}

static void say(void *router, const uint8_t *id, size_t id_bytes, struct input *input)
{
    struct frame frames[FRAMES_MAX] = {{id, id_bytes}};
    size_t count = 1;
    while (input->left > 0 && count < FRAMES_MAX) {
        struct input line = input_line(input);
        if (line.left == 2 && memcmp(line.at, "%%", 2) == 0)
            break;
        frames[count++] = (struct frame){input_copy(line), line.left};
    }
    (void)message_send(router, frames, count);
}

static void talk(void *router, struct input *input)
{
    uint8_t id[256];
    size_t id_bytes = 0;
    struct instant now = {.wall_ms = INT64_C(1795428000000), .mono_ms = 100000};
    struct message *message = message_new();
    fuzz_check(message != NULL);
    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        broker_link_read(worker.link, now);
        (void)broker_link_write(worker.link, now);
        fuzz_check(broker_link_in_hand(worker.link) <= SLOTS);
        hear(router, message, id, &id_bytes);
        if (input->left == 0 && i > 2)
            break;
        if (id_bytes > 0)
            say(router, id, id_bytes, input);
        now.mono_ms += i % 8 == 7 ? 1100 : 1;
    }
    message_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    int zero = 0;
    void *zmq = zmq_ctx_new();
    void *router = zmq_socket(zmq, ZMQ_ROUTER);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    fuzz_check(router != NULL && epoll >= 0);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    fuzz_check(zmq_bind(router, ENDPOINT) == 0);
    const struct link_settings settings = {.endpoint = ENDPOINT,
                                           .worker = "w",
                                           .instance = "0123456789abcdef",
                                           .slots = SLOTS,
                                           .heartbeat_ms = 1000,
                                           .epoll_fd = epoll};
    const struct link_hooks hooks = {on_job, on_withdraw};
    worker.jobs = 0;
    fuzz_check(broker_link_open(&worker.link, zmq, &settings, &hooks, NULL) == ERR_NONE);
    talk(router, &input);
    broker_link_end(worker.link);
    broker_link_free(&worker.link);
    zmq_close(router);
    zmq_ctx_term(zmq);
    close(epoll);
    fuzz_forget();
    return 0;
}
