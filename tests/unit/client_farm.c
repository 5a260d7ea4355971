/* client_farm.c — see client_farm.h. */
#include "tests/unit/client_farm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lib/client_owners.h"
#include "lineward/wire.h"
#include "tests/support/ports.h"
#include "tests/support/suite.h"

#define JOBS_MAX 64

enum stub_order { ORDER_NONE, ORDER_LEAVE, ORDER_COME_BACK };

/* All of it is the farm's thread's once that runs, but under the mutex; the endpoint stays as it is. */
struct stub {
    char letter;
    char owner[400]; /* as JSON; "": unknown_pool */
    bool silent, refuses;
    enum stub_order order;
    void *router;
    char endpoint[128];
    int requests, jobs;
    char taken[JOBS_MAX][128]; /* the jobs, byte for byte */
};

static struct {
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t done; /* an order */
    atomic_bool stop;
    struct stub stubs[FARM_MAX];
    size_t count;
    struct message *message;
} farm = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

struct lineward *client;

static void send_text(void *router, const char *text, bool more)
{
    zmq_send(router, text, strlen(text), more ? ZMQ_SNDMORE : 0);
}

static char pool_letter(const char *item)
{
    struct client_pool pool = *item == '{' ? client_pool_of_job(item) : client_pool_of_id(item);
    return pool.name[0];
}

static void answer_item(struct stub *stub, struct frame frame, bool more)
{
    char item[256], text[700];
    ck_assert(frame_text(frame, item, sizeof item));
    bool ours = pool_letter(item) == stub->letter;
    if (ours && stub->jobs < JOBS_MAX)
        snprintf(stub->taken[stub->jobs++], sizeof stub->taken[0], "%.127s", item);
    if (ours)
        snprintf(text, sizeof text, "{\"by\":\"%c\",\"job\":\"j_1\"}", stub->letter);
    else if (stub->owner[0] == '\0')
        snprintf(text, sizeof text, "{\"error\":{\"code\":\"unknown_pool\",\"message\":\"not_owner\"}}");
    else
        snprintf(text, sizeof text, "{\"id\":null,\"error\":{\"code\":\"not_owner\",\"message\":\"x\",\"owner\":%s}}", stub->owner);
    send_text(stub->router, text, more);
}

static void answer(struct stub *stub)
{
    const struct message *message = farm.message;
    struct frame peer = message_frame(message, 0), id = message_frame(message, 3);
    size_t frames = message_frame_count(message);
    stub->requests++;
    if (stub->silent)
        return;
    zmq_send(stub->router, peer.data, peer.bytes, ZMQ_SNDMORE);
    send_text(stub->router, "LW1", true);
    bool pings = frame_is(message_frame(message, 2), "PING");
    send_text(stub->router, stub->refuses ? "ERR" : pings ? "PONG" : "ACK", true);
    zmq_send(stub->router, id.data, id.bytes, ZMQ_SNDMORE);
    if (stub->refuses || pings)
        send_text(stub->router, stub->refuses ? "{\"error\":{\"code\":\"busy\"}}" : "{}", false);
    for (size_t i = 4; !stub->refuses && i < frames; i++)
        answer_item(stub, message_frame(message, i), i + 1 < frames);
}

static void carry_out(struct stub *stub)
{
    int linger = 0;
    if (stub->order == ORDER_LEAVE) {
        zmq_close(stub->router);
        stub->router = zmq_socket(farm.context, ZMQ_ROUTER);
        zmq_setsockopt(stub->router, ZMQ_LINGER, &linger, sizeof linger);
    } else if (zmq_bind(stub->router, stub->endpoint) != 0) {
        return; /* libzmq has not let go of it yet */
    }
    stub->order = ORDER_NONE;
    pthread_cond_signal(&farm.done);
}

static void *farm_run(void *self)
{
    (void)self;
    while (!farm.stop) {
        zmq_pollitem_t items[FARM_MAX];
        for (size_t i = 0; i < farm.count; i++)
            items[i] = (zmq_pollitem_t){.socket = farm.stubs[i].router, .events = ZMQ_POLLIN};
        (void)zmq_poll(items, (int)farm.count, 10);
        pthread_mutex_lock(&farm.mutex);
        for (size_t i = 0; i < farm.count; i++)
            if (farm.stubs[i].order != ORDER_NONE)
                carry_out(&farm.stubs[i]);
        for (size_t i = 0; i < farm.count; i++)
            while (message_receive(farm.message, farm.stubs[i].router) == ERR_NONE)
                answer(&farm.stubs[i]);
        pthread_mutex_unlock(&farm.mutex);
    }
    return NULL;
}

/* Where nobody listens; and where no attempt to connect meets itself while nobody does. */
void farm_free_endpoint(char out[128])
{
    uint16_t port = port_free();
    ck_assert_uint_ne(port, 0);
    snprintf(out, 128, "tcp://127.0.0.1:%u", port);
}

struct stub *farm_add(char letter)
{
    struct stub *stub = &farm.stubs[farm.count++];
    int linger = 0;
    *stub = (struct stub){.letter = letter, .router = zmq_socket(farm.context, ZMQ_ROUTER)};
    farm_free_endpoint(stub->endpoint);
    zmq_setsockopt(stub->router, ZMQ_LINGER, &linger, sizeof linger);
    ck_assert_int_eq(zmq_bind(stub->router, stub->endpoint), 0);
    return stub;
}

void farm_says_raw(struct stub *stub, const char *owner)
{
    pthread_mutex_lock(&farm.mutex);
    snprintf(stub->owner, sizeof stub->owner, "%s", owner);
    pthread_mutex_unlock(&farm.mutex);
}

void farm_says(struct stub *stub, const char *address)
{
    char owner[sizeof stub->owner];
    snprintf(owner, sizeof owner, "\"%s\"", address);
    farm_says_raw(stub, owner);
}

void farm_start(void)
{
    farm.message = message_new();
    ck_assert_int_eq(pthread_create(&farm.thread, NULL, farm_run, NULL), 0);
    ck_assert_int_eq(lineward_connect(&client, farm.stubs[0].endpoint), LINEWARD_OK);
    lineward_resend_after(client, FARM_LONG_MS); /* each request once, however slow the machine */
}

/* Its thread does it, for its socket is that one's. */
static void order(struct stub *stub, enum stub_order what)
{
    pthread_mutex_lock(&farm.mutex);
    stub->order = what;
    while (stub->order != ORDER_NONE)
        pthread_cond_wait(&farm.done, &farm.mutex);
    pthread_mutex_unlock(&farm.mutex);
}

void farm_leave(struct stub *stub)
{
    order(stub, ORDER_LEAVE);
}

void farm_come_back(struct stub *stub)
{
    order(stub, ORDER_COME_BACK);
}

const char *farm_endpoint(const struct stub *stub)
{
    return stub->endpoint;
}

int farm_requests(const struct stub *stub)
{
    pthread_mutex_lock(&farm.mutex);
    int requests = stub->requests;
    pthread_mutex_unlock(&farm.mutex);
    return requests;
}

int farm_jobs(const struct stub *stub)
{
    pthread_mutex_lock(&farm.mutex);
    int jobs = stub->jobs;
    pthread_mutex_unlock(&farm.mutex);
    return jobs;
}

const char *farm_taken(const struct stub *stub, int nth)
{
    static char text[sizeof stub->taken[0]];
    pthread_mutex_lock(&farm.mutex);
    ck_assert_int_lt(nth, stub->jobs);
    memcpy(text, stub->taken[nth], sizeof text);
    pthread_mutex_unlock(&farm.mutex);
    return text;
}

void farm_set(struct stub *stub, bool silent, bool refuses)
{
    pthread_mutex_lock(&farm.mutex);
    stub->silent = silent;
    stub->refuses = refuses;
    pthread_mutex_unlock(&farm.mutex);
}

static void begin(void)
{
    farm.context = zmq_ctx_new();
    farm.count = 0;
}

static void end(void)
{
    lineward_close(&client);
    farm.stop = true;
    if (farm.message != NULL)
        pthread_join(farm.thread, NULL);
    for (size_t i = 0; i < farm.count; i++)
        zmq_close(farm.stubs[i].router);
    message_free(&farm.message);
    zmq_ctx_term(farm.context);
}

void *farm_context(void)
{
    return farm.context;
}

enum lineward_status farm_hand_in(const char *job, int timeout_ms)
{
    return lineward_enqueue(client, &job, 1, timeout_ms);
}

void farm_ck_by(size_t index, char letter)
{
    char expected[16];
    snprintf(expected, sizeof expected, "\"by\":\"%c\"", letter);
    const char *result = lineward_result(client, index);
    ck_assert_ptr_nonnull(result);
    ck_assert_msg(strstr(result, expected) != NULL, "%s, not by %c", result, letter);
}

int farm_run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, begin, end, 60, tests, count);
}
