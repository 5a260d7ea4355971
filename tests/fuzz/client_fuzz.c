/* What a broker answers to the C client: lines are frames, a line "%%" ends a message, a line "%id" stands for the
 * request's id. Behind them comes a good answer, unless one of them was taken for the answer. */
#include <pthread.h>
#include <zmq.h>

#include "fuzz.h"
#include "lineward.h"
#include "lineward/wire.h"

#define MESSAGES_MAX 32
#define FRAMES_MAX   1100
#define ITEMS        2

static struct {
    pthread_t thread;
    void *zmq, *router;
    char endpoint[128];
    struct input script; /* written before the request is sent */
    uint64_t told;
} broker;

static void answer(const struct message *request)
{
    struct input input = broker.script;
    struct frame peer = message_frame(request, 0), id = message_frame(request, 3);
    for (unsigned i = 0; input.left > 0 && i < MESSAGES_MAX; i++) {
        struct frame frames[FRAMES_MAX] = {peer};
        size_t count = 1;
        while (input.left > 0 && count < FRAMES_MAX) {
            struct input line = input_line(&input);
            if (line.left == 2 && memcmp(line.at, "%%", 2) == 0)
                break;
            bool is_id = line.left == 3 && memcmp(line.at, "%id", 3) == 0;
            frames[count++] = is_id ? id : (struct frame){line.at, line.left};
        }
        (void)message_send(broker.router, frames, count);
    }
    struct frame good[] = {peer, {WIRE_VERSION, 3}, {"ACK", 3}, id, {"{}", 2}, {"{}", 2}};
    (void)message_send(broker.router, good, 4 + ITEMS);
}

static void *serve(void *self)
{
    struct message *request = message_new();
    zmq_pollitem_t item = {broker.router, 0, ZMQ_POLLIN, 0};
    while (zmq_poll(&item, 1, -1) > 0)
        while (message_receive(request, broker.router) == ERR_NONE)
            answer(request);
    message_free(&request);
    return NULL;
}

static struct lineward *connect_client(void)
{
    struct lineward *client = NULL;
    int one = 1;
    snprintf(broker.endpoint, sizeof broker.endpoint, "ipc://%s/broker", fuzz_folder());
    broker.zmq = zmq_ctx_new();
    broker.router = zmq_socket(broker.zmq, ZMQ_ROUTER);
    zmq_setsockopt(broker.router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    fuzz_check(broker.router != NULL && zmq_bind(broker.router, broker.endpoint) == 0);
    fuzz_check(pthread_create(&broker.thread, NULL, serve, NULL) == 0);
    fuzz_check(lineward_connect(&client, broker.endpoint) == LINEWARD_OK);
    lineward_follow(client, 0); /* nobody is there; owner_fuzz.c reads where it would go */
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct lineward *client;
    static const char *const ids[ITEMS] = {"a", "b"};
    if (client == NULL)
        client = connect_client();
    broker.script = (struct input){data, bytes};
    enum lineward_status status = lineward_get(client, ids, ITEMS, 5000);
    fuzz_check(status == LINEWARD_OK || status == LINEWARD_REFUSED || status == LINEWARD_IO);
    fuzz_check((status == LINEWARD_OK) == (lineward_result_count(client) == ITEMS));
    for (size_t i = 0; i < lineward_result_count(client); i++)
        fuzz_check(lineward_result(client, i) != NULL && strlen(lineward_result(client, i)) <= bytes + 2);
    fuzz_check(status == LINEWARD_OK || lineward_error(client)[0] != '\0' || status == LINEWARD_REFUSED);
    /* What is left of this talk must not meet the next one. */
    broker.script = (struct input){NULL, 0};
    do
        status = lineward_get(client, ids, ITEMS, 5000);
    while (status != LINEWARD_OK);
    return 0;
}
