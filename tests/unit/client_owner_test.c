/* The C client among several brokers: whom it hands a job to, what it remembers, where it does not let itself be led, and
 * that no job is lost or handed in twice. The brokers are a few lines each, over real sockets, in one thread. */
#include "lineward.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/client_owners.h"
#include "lineward/json.h"
#include "lineward/wire.h"
#include "tests/support/ports.h"

#define LONG_MS     20000 /* far more than anything takes that succeeds */
#define SHORT_MS    400
#define BROKERS_MAX 20
#define POOL_ROOM   32
#define JOBS_MAX    64

enum stub_order { ORDER_NONE, ORDER_LEAVE, ORDER_COME_BACK };

struct stub { /* a broker: of a pool that begins with its letter it takes jobs, of another one it says `owner` */
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
    struct stub stubs[BROKERS_MAX];
    size_t count;
    struct message *message;
} farm = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static struct lineward *client;

/* ---- the brokers ---- */

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
        zmq_pollitem_t items[BROKERS_MAX];
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
static void free_endpoint(char out[128])
{
    uint16_t port = port_free();
    ck_assert_uint_ne(port, 0);
    snprintf(out, 128, "tcp://127.0.0.1:%u", port);
}

static struct stub *add(char letter)
{
    struct stub *stub = &farm.stubs[farm.count++];
    int linger = 0;
    *stub = (struct stub){.letter = letter, .router = zmq_socket(farm.context, ZMQ_ROUTER)};
    free_endpoint(stub->endpoint);
    zmq_setsockopt(stub->router, ZMQ_LINGER, &linger, sizeof linger);
    ck_assert_int_eq(zmq_bind(stub->router, stub->endpoint), 0);
    return stub;
}

static void says(struct stub *stub, const char *address)
{
    pthread_mutex_lock(&farm.mutex);
    snprintf(stub->owner, sizeof stub->owner, "\"%s\"", address);
    pthread_mutex_unlock(&farm.mutex);
}

static void start(void)
{
    farm.message = message_new();
    ck_assert_int_eq(pthread_create(&farm.thread, NULL, farm_run, NULL), 0);
    ck_assert_int_eq(lineward_connect(&client, farm.stubs[0].endpoint), LINEWARD_OK);
    lineward_resend_after(client, LONG_MS); /* each request once, however slow the machine */
}

/* Gone from its address, or there again; its thread does it, for its socket is that one's. */
static void order(struct stub *stub, enum stub_order what)
{
    pthread_mutex_lock(&farm.mutex);
    stub->order = what;
    while (stub->order != ORDER_NONE)
        pthread_cond_wait(&farm.done, &farm.mutex);
    pthread_mutex_unlock(&farm.mutex);
}

static int requests_of(const struct stub *stub)
{
    pthread_mutex_lock(&farm.mutex);
    int requests = stub->requests;
    pthread_mutex_unlock(&farm.mutex);
    return requests;
}

static void set_silent(struct stub *stub, bool silent)
{
    pthread_mutex_lock(&farm.mutex);
    stub->silent = silent;
    pthread_mutex_unlock(&farm.mutex);
}

static void setup(void)
{
    farm.context = zmq_ctx_new();
    farm.count = 0;
}

static void teardown(void)
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

#define JOB(pool, id) "{\"id\":\"" id "\",\"pool\":\"" pool "\"}"

static enum lineward_status hand_in(const char *job, int timeout_ms)
{
    return lineward_enqueue(client, &job, 1, timeout_ms);
}

static void ck_by(size_t index, char letter)
{
    char expected[16];
    snprintf(expected, sizeof expected, "\"by\":\"%c\"", letter);
    const char *result = lineward_result(client, index);
    ck_assert_ptr_nonnull(result);
    ck_assert_msg(strstr(result, expected) != NULL, "%s, not by %c", result, letter);
}

/* ---- following ---- */

START_TEST(a_job_goes_to_the_owner_of_its_pool_as_it_is_and_the_next_one_at_once)
{
    struct stub *home = add('a'), *other = add('b');
    says(home, other->endpoint);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_assert_str_eq(lineward_error(client), "");
    ck_assert_int_eq(requests_of(home), 1);
    ck_assert_int_eq(hand_in(JOB("b", "2"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_assert_int_eq(requests_of(home), 1); /* not asked again */
    ck_assert_int_eq(requests_of(other), 2);
    ck_assert_int_eq(other->jobs, 2);
    ck_assert_str_eq(other->taken[0], JOB("b", "1"));
    ck_assert_str_eq(other->taken[1], JOB("b", "2"));
    ck_assert_int_eq(hand_in(JOB("a", "3"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'a');
}
END_TEST

START_TEST(of_a_call_each_job_has_the_result_of_its_own_broker_and_their_order_stays)
{
    struct stub *home = add('a'), *second = add('b'), *third = add('c');
    const char *jobs[] = {JOB("c", "1"), JOB("a", "1"), JOB("b", "1"), JOB("c", "2"), JOB("a", "2"), JOB("b", "2")};
    const char by[] = "cabcab";
    says(home, second->endpoint); /* which says more of c */
    says(second, third->endpoint);
    start();
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(lineward_enqueue(client, jobs, 6, LONG_MS), LINEWARD_OK);
        ck_assert_uint_eq(lineward_result_count(client), 6);
        for (size_t i = 0; i < 6; i++)
            ck_by(i, by[i]);
    }
    struct stub *stubs[] = {home, second, third};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(stubs[i]->jobs, 4);
        ck_assert_ptr_nonnull(strstr(stubs[i]->taken[0], "\"1\""));
        ck_assert_ptr_nonnull(strstr(stubs[i]->taken[1], "\"2\""));
    }
    ck_assert_int_eq(requests_of(home), 2);
    ck_assert_int_eq(requests_of(third), 2);
}
END_TEST

START_TEST(jobs_are_asked_after_and_taken_back_at_the_owner_of_their_pool)
{
    struct stub *home = add('a'), *other = add('b');
    const char *ids[] = {"b/1", "a/1"};
    says(home, other->endpoint);
    start();
    ck_assert_int_eq(lineward_get(client, ids, 2, LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_by(1, 'a');
    ck_assert_int_eq(lineward_cancel(client, ids, 2, LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_assert_str_eq(other->taken[1], "b/1");
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(requests_of(home), 3);
}
END_TEST

START_TEST(who_is_sent_in_a_circle_stops_and_says_so)
{
    struct stub *home = add('a'), *other = add('b');
    says(home, other->endpoint);
    says(other, home->endpoint);
    start();
    ck_assert_int_eq(hand_in(JOB("c", "1"), LONG_MS), LINEWARD_OK);
    ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
    ck_assert_int_eq(requests_of(home) + requests_of(other), 4); /* the first, and three hops */
    lineward_follow(client, 1);
    ck_assert_int_eq(hand_in(JOB("c", "1"), LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(requests_of(home) + requests_of(other), 6);
    lineward_follow(client, 0);
    ck_assert_int_eq(hand_in(JOB("d", "1"), LONG_MS), LINEWARD_OK);
    ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
    ck_assert_int_eq(requests_of(home) + requests_of(other), 7);
    says(other, other->endpoint); /* it sends to itself */
    lineward_follow(client, 16);
    ck_assert_int_eq(hand_in(JOB("e", "1"), LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(requests_of(home) + requests_of(other), 9);
}
END_TEST

/* ---- hostile words ---- */

START_TEST(a_client_is_not_led_where_it_was_not_meant_to_go)
{
    static const char *const owners[] = {
        "\"\"", "5", "null", "{}", "\"http://127.0.0.1:1\"", "\"inproc://x\"", "\"ipc:///tmp/x\"", "\"tcp://*:1\"",
        "\"tcp://127.0.0.1:0\"", "\"tcp://127.0.0.1:1;127.0.0.1:2\"", "\"tcp://u@127.0.0.1:1\"", "\"tcp://127.0.0.1\"",
        "\"tcp:\\/\\/127.0.0.1:1\"", "\"udp://127.0.0.1:1\"", "\"tcp://127.0.0.1:99999\"",
        "\"tcp://10.1.2.3:7710\"", /* off the machine, without a key to know the broker by */
        "\"tcp://example.com:7710\"", "\"tcp://127.0.0.1@10.1.2.3:7710\""};
    struct stub *home = add('a');
    start();
    for (size_t i = 0; i <= sizeof owners / sizeof *owners; i++) {
        pthread_mutex_lock(&farm.mutex);
        if (i < sizeof owners / sizeof *owners)
            snprintf(home->owner, sizeof home->owner, "%s", owners[i]);
        else
            snprintf(home->owner, sizeof home->owner, "\"tcp://%0270d:1\"", 1);
        pthread_mutex_unlock(&farm.mutex);
        ck_assert_msg(hand_in(JOB("b", "1"), LONG_MS) == LINEWARD_OK, "%s: %s", home->owner, lineward_error(client));
        ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
        ck_assert_int_eq(requests_of(home), (int)i + 1);
    }
}
END_TEST

START_TEST(what_only_mentions_not_owner_is_no_such_refusal)
{
    static const char *const results[] = {
        "{\"error\":{\"code\":\"busy\",\"message\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}}",
        "{\"meta\":{\"code\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}}",
        "{\"error\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}",
        "{\"error\":[\"not_owner\"]}",
        "[\"not_owner\"]",
        "\"not_owner\"",
        "{\"error\":{\"code\":\"not_owner\"",
        ""};
    char address[CONF_ADDRESS_MAX + 1];
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        ck_assert_msg(!client_result_owner(results[i], strlen(results[i]), address), "%s", results[i]);
    static const char good[] = "{\"id\":\"a\",\"error\":{\"owner\":\"ipc:///run/b\",\"code\":\"not_owner\"}}";
    ck_assert(client_result_owner(good, sizeof good - 1, address));
    ck_assert_str_eq(address, "ipc:///run/b");
}
END_TEST

START_TEST(with_keys_or_from_off_the_machine_a_client_may_go_off_it)
{
    ck_assert(client_may_follow("tcp://127.0.0.1:1", false, "tcp://localhost:2"));
    ck_assert(!client_may_follow("tcp://127.0.0.1:1", false, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("tcp://127.0.0.1:1", true, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("tcp://10.0.0.1:1", false, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("ipc:///a", false, "ipc:///b"));
    ck_assert(!client_may_follow("ipc:///a", true, "tcp://10.0.0.2:2"));
    ck_assert(!client_may_follow("tcp://10.0.0.1:1", true, "ipc:///a"));
    ck_assert(!client_may_follow("inproc://a", true, "inproc://b"));
}
END_TEST

/* ---- owners that are not there ---- */

START_TEST(an_owner_that_is_not_there_is_said_and_nothing_was_sent)
{
    char dead[128];
    struct stub *home = add('a');
    free_endpoint(dead);
    says(home, dead);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), SHORT_MS), LINEWARD_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), dead));
    ck_assert_uint_eq(lineward_result_count(client), 0);
    const char *jobs[] = {JOB("a", "1"), JOB("b", "1")}; /* some of it is done: nobody may think that none is */
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), dead));
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "an answer to 1 of 2"));
    ck_assert_uint_eq(lineward_result_count(client), 2);
    ck_by(0, 'a');
    ck_assert_ptr_null(lineward_result(client, 1));
}
END_TEST

START_TEST(when_a_pool_has_moved_whoever_was_its_owner_is_given_up_for_the_new_one)
{
    struct stub *home = add('a'), *new = add('b');
    char gone[128];
    void *old = zmq_socket(farm.context, ZMQ_ROUTER);
    int linger = 0;
    zmq_setsockopt(old, ZMQ_LINGER, &linger, sizeof linger);
    free_endpoint(gone);
    ck_assert_int_eq(zmq_bind(old, gone), 0);
    says(home, gone);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), SHORT_MS), LINEWARD_TIMEOUT); /* it took it, and says nothing */
    ck_assert_ptr_nonnull(strstr(lineward_error(client), gone));
    says(home, new->endpoint);
    zmq_close(old);
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK); /* asked anew after it did not answer */
    ck_by(0, 'b');
    ck_assert_int_eq(requests_of(home), 2);
}
END_TEST

/* It answered, so it is remembered; then it is gone without having got the next one. */
START_TEST(a_remembered_owner_that_has_gone_is_asked_for_anew_within_the_same_call)
{
    struct stub *home = add('a'), *old = add('b'), *new = add('b');
    says(home, old->endpoint);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(requests_of(old), 1);
    says(home, new->endpoint);
    order(old, ORDER_LEAVE);
    ck_assert_int_eq(hand_in(JOB("b", "2"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_assert_str_eq(new->taken[0], JOB("b", "2"));
}
END_TEST

START_TEST(a_home_that_is_silent_does_not_hold_up_what_another_broker_owns)
{
    struct stub *home = add('a'), *other = add('b');
    const char *jobs[] = {JOB("a", "1"), JOB("b", "2")};
    says(home, other->endpoint);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK);
    set_silent(home, true);
    ck_assert_int_eq(hand_in(JOB("b", "3"), LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_null(lineward_result(client, 0));
    ck_by(1, 'b');
    set_silent(home, false);
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_OK);
    ck_by(0, 'a');
}
END_TEST

/* Whoever was made for a broker that has gone for good still reaches the others, also after one of them was away. */
START_TEST(with_nobody_to_ask_the_known_owner_stays_known)
{
    struct stub *home = add('a'), *owner = add('b');
    says(home, owner->endpoint);
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK);
    order(home, ORDER_LEAVE);
    set_silent(owner, true);
    ck_assert_int_eq(hand_in(JOB("b", "2"), SHORT_MS), LINEWARD_TIMEOUT);
    set_silent(owner, false);
    ck_assert_int_eq(hand_in(JOB("b", "2"), LONG_MS), LINEWARD_OK); /* asks the one that is not there, then this one */
    ck_by(0, 'b');
    order(owner, ORDER_LEAVE);
    ck_assert_int_ne(hand_in(JOB("b", "3"), SHORT_MS), LINEWARD_OK);
    order(owner, ORDER_COME_BACK);
    ck_assert_int_eq(hand_in(JOB("b", "3"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
    ck_assert_int_eq(hand_in(JOB("b", "4"), LONG_MS), LINEWARD_OK);
    ck_by(0, 'b');
}
END_TEST

START_TEST(a_job_without_an_id_is_handed_to_its_owner_once_whatever_comes_of_it)
{
    struct stub *home = add('a'), *other = add('b');
    says(home, other->endpoint);
    start();
    lineward_resend_after(client, 20);
    other->silent = true;
    ck_assert_int_eq(hand_in("{\"pool\":\"b\"}", SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "it may have been done"));
    set_silent(other, false);
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_OK); /* behind whatever was sent before */
    ck_assert_int_eq(requests_of(other), 2);
}
END_TEST

START_TEST(an_owner_that_refuses_the_request_is_heard)
{
    struct stub *home = add('a'), *other = add('b');
    const char *jobs[] = {JOB("a", "1"), JOB("b", "1")};
    says(home, other->endpoint);
    other->refuses = true;
    start();
    ck_assert_int_eq(hand_in(JOB("b", "1"), LONG_MS), LINEWARD_REFUSED);
    ck_assert_str_eq(lineward_error(client), "{\"error\":{\"code\":\"busy\"}}");
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_TIMEOUT); /* not all of it was refused */
    ck_by(0, 'a');
    ck_assert_ptr_null(lineward_result(client, 1));
}
END_TEST

/* ---- bounds ---- */

/* Fifteen at a time besides the first; those of earlier calls make room. */
START_TEST(more_owners_than_there_is_room_for_take_turns)
{
    struct stub *home = add('a');
    char job[64];
    for (char letter = 'b'; letter < 'b' + BROKERS_MAX - 1; letter++)
        add(letter);
    start();
    for (int round = 0; round < 2; round++)
        for (size_t i = 1; i < BROKERS_MAX; i++) {
            says(home, farm.stubs[i].endpoint);
            snprintf(job, sizeof job, "{\"id\":\"1\",\"pool\":\"%c\"}", farm.stubs[i].letter);
            ck_assert_int_eq(hand_in(job, LONG_MS), LINEWARD_OK);
            ck_by(0, farm.stubs[i].letter);
        }
    for (size_t i = 1; i < BROKERS_MAX; i++)
        ck_assert_int_eq(farm.stubs[i].jobs, 2);
}
END_TEST

START_TEST(pools_are_remembered_within_bounds)
{
    struct client_owners owners = {.count = 0};
    struct client_pool pool;
    bool doubted;
    for (unsigned i = 0; i < CLIENT_POOLS_MAX + 10; i++) {
        snprintf(pool.name, sizeof pool.name, "p%u", i);
        client_owners_learn(&owners, &pool, 1 + i % 2);
    }
    ck_assert_uint_eq(owners.count, CLIENT_POOLS_MAX);
    ck_assert_uint_eq(client_owners_find(&owners, &pool, &doubted), 1 + (CLIENT_POOLS_MAX + 9) % 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p9"}, &doubted), 0); /* the oldest went */
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 1);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){""}, &doubted), 0);
    client_owners_doubt(&owners, 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 1);
    ck_assert(!doubted);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert(doubted);
    client_owners_learn(&owners, &(struct client_pool){"p11"}, 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert(!doubted);
    client_owners_forget(&owners, 1);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 0);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert_uint_eq(owners.count, CLIENT_POOLS_MAX / 2);
}
END_TEST

START_TEST(the_pool_is_read_as_the_broker_reads_it)
{
    static const struct {
        const char *text, *pool;
    } jobs[] = {{"{}", "default"},
                {"{\"pool\":null}", "default"},
                {"{\"pool\":\"eu.1\"}", "eu.1"},
                {"{\"meta\":{\"pool\":\"x\"},\"pool\":\"eu\",\"pool\":\"us\"}", "eu"},
                {"{\"pool\":5}", ""},
                {"{\"pool\":\"\"}", ""},
                {"{\"pool\":\"\\u0065u\"}", ""}, /* asked of whoever the client was made for, each time */
                {"{\"pool\":\"eu\"", ""},
                {"", ""},
                {"[]", ""}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        ck_assert_msg(strcmp(client_pool_of_job(jobs[i].text).name, jobs[i].pool) == 0, "%s", jobs[i].text);
    ck_assert_str_eq(client_pool_of_id("eu/a/b").name, "eu");
    ck_assert_str_eq(client_pool_of_id("j_1").name, "");
    ck_assert_str_eq(client_pool_of_id("/a").name, "");
    ck_assert_str_eq(client_pool_of_id("e u/a").name, "");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_job_goes_to_the_owner_of_its_pool_as_it_is_and_the_next_one_at_once,
        of_a_call_each_job_has_the_result_of_its_own_broker_and_their_order_stays,
        jobs_are_asked_after_and_taken_back_at_the_owner_of_their_pool,
        who_is_sent_in_a_circle_stops_and_says_so,
        a_client_is_not_led_where_it_was_not_meant_to_go,
        what_only_mentions_not_owner_is_no_such_refusal,
        with_keys_or_from_off_the_machine_a_client_may_go_off_it,
        an_owner_that_is_not_there_is_said_and_nothing_was_sent,
        when_a_pool_has_moved_whoever_was_its_owner_is_given_up_for_the_new_one,
        a_remembered_owner_that_has_gone_is_asked_for_anew_within_the_same_call,
        a_home_that_is_silent_does_not_hold_up_what_another_broker_owns,
        with_nobody_to_ask_the_known_owner_stays_known,
        a_job_without_an_id_is_handed_to_its_owner_once_whatever_comes_of_it,
        an_owner_that_refuses_the_request_is_heard,
        more_owners_than_there_is_room_for_take_turns,
        pools_are_remembered_within_bounds,
        the_pool_is_read_as_the_broker_reads_it,
    };
    Suite *suite = suite_create("client_owner");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
