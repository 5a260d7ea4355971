/* The doors when keys are in force: who is let in, whose a message is, and whether the broker would notice an open
 * one. Real sockets on loopback; the handler is served by the test, as by the broker's turn. */
#include "broker/edge/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/support/removal.h"
#include "tests/support/suite.h"

#define WAIT_MS 20000 /* longer than any handshake takes */

static char folder[64];
static struct key_pair server, producer, worker, stranger;
static void *zmq;
static struct access *doors;
static char monitor_name[32]; /* of the last knock */

static void write_key(const char *name, const struct key_pair *pair, const char *rest)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s %s\n", pair->public, rest);
    fclose(file);
    chmod(path, 0644);
}

static struct key_ring *read_ring(void)
{
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    ck_assert_msg(key_ring_read(&ring, folder, &problem) == ERR_NONE, "%s", problem.text);
    return ring;
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/lineward-access-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert(key_pair_make(&server) && key_pair_make(&producer) && key_pair_make(&worker) &&
              key_pair_make(&stranger));
    write_key("shop", &producer, "producer shop");
    write_key("sender", &worker, "worker *");
    struct key_ring *ring = read_ring();
    zmq = zmq_ctx_new();
    doors = access_new(zmq, &server, &ring);
    ck_assert_ptr_nonnull(doors);
}

static void teardown(void)
{
    access_free(&doors);
    zmq_ctx_term(zmq);
    folder_remove(folder);
}

static void *open_socket(int type)
{
    int zero = 0;
    void *socket = zmq_socket(zmq, type);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    return socket;
}

static void *bind_door(enum key_role role)
{
    void *socket = open_socket(role == KEY_FOLLOWER ? ZMQ_XPUB : ZMQ_ROUTER);
    int handshake_ms = 2000; /* who gets no answer is not kept longer */
    zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &handshake_ms, sizeof handshake_ms);
    ck_assert(access_secure(doors, socket, role));
    ck_assert_int_eq(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    return socket;
}

static void connect_to(void *socket, void *door)
{
    char endpoint[128];
    size_t bytes = sizeof endpoint;
    zmq_getsockopt(door, ZMQ_LAST_ENDPOINT, endpoint, &bytes);
    ck_assert_int_eq(zmq_connect(socket, endpoint), 0);
}

/* `own` NULL: a client without CURVE. */
static void *knock(void *door, const struct key_pair *own)
{
    static unsigned knocks;
    void *socket = open_socket(ZMQ_DEALER);
    snprintf(monitor_name, sizeof monitor_name, "inproc://knock-%u", ++knocks);
    if (own != NULL) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server.public, KEY_TEXT_BYTES + 1);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public, KEY_TEXT_BYTES + 1);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret, KEY_TEXT_BYTES + 1);
    }
    ck_assert_int_eq(zmq_socket_monitor(socket, monitor_name, ZMQ_EVENT_ALL), 0);
    connect_to(socket, door);
    return socket;
}

/* Serves the handler until the client's handshake is over. True: it was let in. */
static bool is_let_in(void *socket)
{
    void *monitor = open_socket(ZMQ_PAIR);
    struct message *message = message_new();
    ck_assert_int_eq(zmq_connect(monitor, monitor_name), 0);
    uint16_t event = 0;
    const unsigned over = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                          ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                          ZMQ_EVENT_DISCONNECTED;
    for (int64_t end = clock_read().mono_ms + WAIT_MS; (event & over) == 0;) {
        ck_assert_int_lt(clock_read().mono_ms, end);
        zmq_pollitem_t items[] = {{monitor, 0, ZMQ_POLLIN, 0},
                                  {doors == NULL ? monitor : access_socket(doors), 0, ZMQ_POLLIN, 0}};
        zmq_poll(items, 2, 100);
        if (doors != NULL)
            access_serve(doors, clock_read());
        if (message_receive(message, monitor) == ERR_NONE)
            memcpy(&event, message_frame(message, 0).data, sizeof event);
    }
    message_free(&message);
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(monitor);
    return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
}

static bool knocks_in(void *door, const struct key_pair *own)
{
    void *socket = knock(door, own);
    bool in = is_let_in(socket);
    zmq_close(socket);
    return in;
}

static void receive(void *door, struct message *message)
{
    zmq_pollitem_t item = {door, 0, ZMQ_POLLIN, 0};
    ck_assert_int_eq(zmq_poll(&item, 1, WAIT_MS), 1);
    ck_assert_int_eq(message_receive(message, door), ERR_NONE);
}

START_TEST(a_key_opens_the_door_of_its_role_only)
{
    void *producers = bind_door(KEY_PRODUCER), *workers = bind_door(KEY_WORKER), *followers = bind_door(KEY_FOLLOWER);
    ck_assert(knocks_in(producers, &producer));
    ck_assert(!knocks_in(workers, &producer));
    ck_assert(!knocks_in(followers, &producer));
    ck_assert(knocks_in(workers, &worker));
    ck_assert(!knocks_in(producers, &worker));
    zmq_close(producers);
    zmq_close(workers);
    zmq_close(followers);
}
END_TEST

START_TEST(strangers_are_turned_away_with_a_key_or_without)
{
    void *producers = bind_door(KEY_PRODUCER);
    ck_assert(!knocks_in(producers, &stranger));
    ck_assert(!knocks_in(producers, NULL));
    zmq_close(producers);
}
END_TEST

/* libzmq's own default is the other way round. */
START_TEST(without_a_handler_nobody_is_let_in)
{
    void *producers = bind_door(KEY_PRODUCER);
    access_free(&doors);
    ck_assert(!knocks_in(producers, &producer));
    zmq_close(producers);
}
END_TEST

START_TEST(each_message_says_whose_it_is)
{
    struct message *message = message_new();
    void *producers = bind_door(KEY_PRODUCER), *client = knock(producers, &producer);
    ck_assert(is_let_in(client));
    ck_assert_int_eq(zmq_send(client, "hello", 5, 0), 5);
    receive(producers, message);
    const struct key_grant *grant = access_grant(doors, message, KEY_PRODUCER);
    ck_assert_ptr_nonnull(grant);
    ck_assert_str_eq(grant->name, "shop");
    ck_assert_str_eq(grant->pools, "shop");
    ck_assert_ptr_null(access_grant(doors, message, KEY_WORKER));
    ck_assert(access_gave_routing_id(message_frame(message, 0)));
    message_free(&message);
    zmq_close(client);
    zmq_close(producers);
}
END_TEST

START_TEST(a_revoked_key_is_nobody_s_though_its_connection_stands)
{
    char path[128];
    struct message *message = message_new();
    void *producers = bind_door(KEY_PRODUCER), *client = knock(producers, &producer);
    ck_assert(is_let_in(client));
    snprintf(path, sizeof path, "%s/shop.key", folder);
    ck_assert_int_eq(unlink(path), 0);
    write_key("shop", &stranger, "producer shop"); /* the name now is another one's */
    struct key_ring *ring = read_ring(), *before = access_set_ring(doors, &ring);
    key_ring_free(&before);
    ck_assert_int_eq(zmq_send(client, "hello", 5, 0), 5);
    receive(producers, message);
    ck_assert_ptr_null(access_grant(doors, message, KEY_PRODUCER));
    ck_assert(knocks_in(producers, &stranger));
    ck_assert(!knocks_in(producers, &producer));
    message_free(&message);
    zmq_close(client);
    zmq_close(producers);
}
END_TEST

START_TEST(a_chosen_routing_id_is_told_from_a_given_one)
{
    ck_assert(access_gave_routing_id((struct frame){"\0abcd", 5}));
    ck_assert(!access_gave_routing_id((struct frame){"alice", 5}));
    ck_assert(!access_gave_routing_id((struct frame){"\0abc", 4}));
}
END_TEST

START_TEST(the_probe_finds_shut_doors_shut)
{
    char why[256];
    void *producers = bind_door(KEY_PRODUCER), *followers = bind_door(KEY_FOLLOWER);
    ck_assert_msg(access_probe(doors, zmq, producers, KEY_PRODUCER, why), "%s", why);
    ck_assert_msg(access_probe(doors, zmq, followers, KEY_FOLLOWER, why), "%s", why);
    zmq_close(producers);
    zmq_close(followers);
}
END_TEST

START_TEST(the_probe_notices_a_door_without_keys)
{
    char why[256];
    void *open = open_socket(ZMQ_ROUTER);
    ck_assert_int_eq(zmq_bind(open, "tcp://127.0.0.1:*"), 0);
    ck_assert(!access_probe(doors, zmq, open, KEY_PRODUCER, why));
    ck_assert_str_ne(why, "");
    zmq_close(open);
}
END_TEST

/* Encrypted, and open to everybody: what libzmq does when nobody is asked. */
START_TEST(the_probe_notices_that_nobody_is_asked)
{
    char why[256];
    int one = 1;
    void *open = open_socket(ZMQ_ROUTER);
    zmq_setsockopt(open, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(open, ZMQ_CURVE_SECRETKEY, server.secret, KEY_TEXT_BYTES + 1);
    zmq_setsockopt(open, 93, &one, sizeof one); /* enforce the domain, of which there is none */
    ck_assert_int_eq(zmq_bind(open, "tcp://127.0.0.1:*"), 0);
    ck_assert(!access_probe(doors, zmq, open, KEY_PRODUCER, why));
    ck_assert_str_eq(why, "a client with a random key was let in");
    zmq_close(open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tests = tcase_create("doors");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_key_opens_the_door_of_its_role_only);
    tcase_add_test(tests, strangers_are_turned_away_with_a_key_or_without);
    tcase_add_test(tests, without_a_handler_nobody_is_let_in);
    tcase_add_test(tests, each_message_says_whose_it_is);
    tcase_add_test(tests, a_revoked_key_is_nobody_s_though_its_connection_stands);
    tcase_add_test(tests, a_chosen_routing_id_is_told_from_a_given_one);
    tcase_add_test(tests, the_probe_finds_shut_doors_shut);
    tcase_add_test(tests, the_probe_notices_a_door_without_keys);
    tcase_add_test(tests, the_probe_notices_that_nobody_is_asked);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
