/* Replies through a ROUTER whose peers are slow, gone or stuck. */
#include "broker/edge/replies.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "tests/support/suite.h"

#define ENOUGH 1000 /* messages: more than any queue here takes */

static void *context, *router;
static struct replies *replies;
static struct instant now;
static size_t memory_for = SIZE_MAX; /* frames that memory is there for; then one finds none */

/* Stands in front of libzmq's, which asks for memory for a large frame. */
int zmq_msg_init_size(zmq_msg_t *frame, size_t bytes)
{
    int (*real)(zmq_msg_t *, size_t);
    void *found = dlsym(RTLD_NEXT, "zmq_msg_init_size");
    memcpy(&real, &found, sizeof real);
    if (memory_for-- != 0)
        return real(frame, bytes);
    errno = ENOMEM;
    return -1;
}

static void setup(void)
{
    int one = 1;
    int zero = 0;
    int few = 2;
    context = zmq_ctx_new();
    router = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(router, ZMQ_SNDHWM, &few, sizeof few);
    ck_assert_int_eq(zmq_bind(router, "inproc://replies"), 0);
    replies = replies_new(router, "test");
    now = (struct instant){.wall_ms = 1795428000000, .mono_ms = 5000};
    replies_retry(replies, now);
}

static void teardown(void)
{
    replies_free(&replies);
    zmq_close(router);
    zmq_ctx_term(context);
}

/* A peer that has said hello, so that the ROUTER knows it. */
static void *peer_new(const char *id)
{
    int zero = 0;
    int few = 2;
    char hello[8];
    void *peer = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(peer, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(peer, ZMQ_RCVHWM, &few, sizeof few);
    zmq_setsockopt(peer, ZMQ_ROUTING_ID, id, strlen(id));
    ck_assert_int_eq(zmq_connect(peer, "inproc://replies"), 0);
    ck_assert_int_eq(zmq_send(peer, "hello", 5, 0), 5);
    ck_assert_int_ge(zmq_recv(router, hello, sizeof hello, 0), 0);
    ck_assert_int_eq(zmq_recv(router, hello, sizeof hello, 0), 5);
    return peer;
}

static enum err say(const char *id, const void *text, size_t bytes)
{
    const struct frame frames[] = {{id, strlen(id)}, {text, bytes}};
    return replies_send(replies, frames, 2);
}

static enum err say_number(const char *id, int number)
{
    char text[16];
    return say(id, text, (size_t)snprintf(text, sizeof text, "%d", number));
}

/* The next number that the peer has got; -1: nothing. */
static int hear(void *peer)
{
    char text[16] = {0};
    return zmq_recv(peer, text, sizeof text - 1, ZMQ_DONTWAIT) < 0 ? -1 : atoi(text);
}

static void pass(int64_t ms)
{
    int events = 0;
    size_t size = sizeof events;
    zmq_getsockopt(router, ZMQ_EVENTS, &events, &size); /* as polling does: it hears of room that there is again */
    now.mono_ms += ms;
    replies_retry(replies, now);
}

/* libzmq's own queues would take a thousand messages, of whatever size. */
START_TEST(large_replies_that_nobody_reads_do_not_pile_up_in_libzmq)
{
    static char reply[1024 * 1024];
    int many = 1000;
    int said = 0;
    zmq_setsockopt(router, ZMQ_SNDHWM, &many, sizeof many);
    void *deaf = peer_new("deaf"), *other = peer_new("other");
    while (!replies_is_behind(replies, (struct frame){"deaf", 4})) {
        ck_assert_int_eq(say("deaf", reply, sizeof reply), ERR_NONE);
        ck_assert_int_lt(++said, 64);
    }
    ck_assert_int_le(said, (int)(REPLIES_FLIGHT_BYTES_MAX / sizeof reply) + 2);
    ck_assert(!replies_is_behind(replies, (struct frame){"other", 5}));
    ck_assert_int_eq(say_number("other", 1), ERR_NONE);
    ck_assert_int_eq(hear(other), 1);
    for (int heard = 0; heard < said; heard++) { /* it reads after all: every one of them is there */
        zmq_msg_t message;
        zmq_msg_init(&message);
        while (zmq_msg_recv(&message, deaf, ZMQ_DONTWAIT) < 0)
            pass(1);
        ck_assert_uint_eq(zmq_msg_size(&message), sizeof reply);
        zmq_msg_close(&message);
        pass(1);
    }
    ck_assert(!replies_is_behind(replies, (struct frame){"deaf", 4}));
    ck_assert_uint_eq(replies_dropped(replies), 0);
    ck_assert_int_eq(say("deaf", reply, sizeof reply), ERR_NONE); /* goes with its peer ... */
    zmq_close(deaf);
    zmq_close(other);
} /* ... and perhaps after `replies` */
END_TEST

START_TEST(all_arrives_in_order_once_the_peer_reads)
{
    void *peer = peer_new("slow");
    for (int i = 0; i < ENOUGH; i++)
        ck_assert_int_eq(say_number("slow", i), ERR_NONE);
    ck_assert_int_lt(replies_next_mono_ms(replies), TIME_NEVER);
    for (int heard = 0, rounds = 0; heard < ENOUGH; rounds++) {
        ck_assert_int_lt(rounds, 10 * ENOUGH);
        for (int number = hear(peer); number >= 0; number = hear(peer))
            ck_assert_int_eq(number, heard++);
        pass(100);
    }
    ck_assert_int_eq(replies_next_mono_ms(replies), TIME_NEVER);
    zmq_close(peer);
}
END_TEST

START_TEST(a_stuck_peer_holds_up_nobody_else)
{
    void *stuck = peer_new("stuck");
    void *slow = peer_new("slow");
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(say_number("stuck", i), ERR_NONE);
        ck_assert_int_eq(say_number("slow", i), ERR_NONE);
    }
    for (int heard = 0, rounds = 0; heard < 20; rounds++) {
        ck_assert_int_lt(rounds, 200);
        for (int number = hear(slow); number >= 0; number = hear(slow))
            ck_assert_int_eq(number, heard++);
        pass(100);
    }
    zmq_close(stuck);
    zmq_close(slow);
}
END_TEST

START_TEST(what_may_not_wait_is_told_busy_and_does_not_overtake)
{
    void *peer = peer_new("slow");
    for (int i = 0; i < 20; i++)
        say_number("slow", i);
    while (hear(peer) >= 0) /* there is room again, but what waits comes first */
        ;
    const struct frame frames[] = {{"slow", 4}, {"late", 4}};
    ck_assert_int_eq(replies_try(replies, frames, 2), ERR_BUSY);
    zmq_close(peer);
}
END_TEST

START_TEST(an_unknown_peer_is_told)
{
    ck_assert_int_eq(say("nobody", "x", 1), ERR_NOT_FOUND);
    ck_assert_int_eq(replies_next_mono_ms(replies), TIME_NEVER);
}
END_TEST

START_TEST(what_finds_no_memory_now_goes_later_and_whole)
{
    void *one = peer_new("one"), *two = peer_new("two");
    char text[16] = "";
    for (size_t frames = 0; frames < 2; frames++) {
        memory_for = frames;
        ck_assert_int_eq(say_number("one", 7), ERR_NONE);
        ck_assert_int_eq(say_number("two", 8), ERR_NONE);
        ck_assert_int_eq(hear(two), 8); /* nothing of the other's is in front of it */
        ck_assert_int_eq(hear(one), -1);
        memory_for = 0;
        pass(10); /* nor is there now */
        ck_assert_int_eq(hear(one), -1);
        pass(10);
        ck_assert_int_eq(hear(one), 7);
    }
    ck_assert_int_eq(zmq_recv(two, text, sizeof text, ZMQ_DONTWAIT), -1);
    ck_assert_uint_eq(replies_dropped(replies), 0);
    zmq_close(one);
    zmq_close(two);
}
END_TEST

START_TEST(a_peer_that_goes_takes_what_waits_with_it)
{
    void *peer = peer_new("slow");
    for (int i = 0; i < 20; i++)
        say_number("slow", i);
    ck_assert_int_lt(replies_next_mono_ms(replies), TIME_NEVER);
    ck_assert_int_eq(zmq_disconnect(peer, "inproc://replies"), 0);
    zmq_close(peer);
    for (int rounds = 0; replies_next_mono_ms(replies) != TIME_NEVER; rounds++) {
        zmq_pollitem_t item = {router, 0, ZMQ_POLLIN, 0};
        ck_assert_int_lt(rounds, 2000);
        zmq_poll(&item, 1, 10); /* the socket's own thread tells it that the peer went */
        pass(10);
    }
    ck_assert_uint_eq(replies_dropped(replies), 0); /* it has no use for them */
}
END_TEST

START_TEST(nobody_is_waited_for_for_ever)
{
    void *peer = peer_new("stuck");
    for (int i = 0; i < 20; i++)
        say_number("stuck", i);
    for (int64_t waited = 0; waited < REPLIES_STUCK_MS - 200; waited += 100)
        pass(100);
    ck_assert_int_lt(replies_next_mono_ms(replies), TIME_NEVER);
    pass(300);
    ck_assert_int_eq(replies_next_mono_ms(replies), TIME_NEVER);
    ck_assert_uint_eq(replies_dropped(replies), 1);
    zmq_close(peer);
}
END_TEST

START_TEST(one_peer_and_all_together_wait_within_bounds)
{
    size_t bytes = 1 << 20;
    char *text = calloc(1, bytes);
    void *peers[8];
    int kept[8] = {0};
    char id[16];
    ck_assert_ptr_nonnull(text);
    for (int p = 0; p < 8; p++) {
        snprintf(id, sizeof id, "p%d", p);
        peers[p] = peer_new(id);
        for (int i = 0; i < 40; i++)
            kept[p] += say(id, text, bytes) == ERR_NONE;
    }
    ck_assert_int_lt(kept[0], 24); /* the queues' four, and its own 16 MiB */
    ck_assert_int_ge(kept[0], 15);
    ck_assert_int_lt(kept[7], 8); /* all that may wait does already */
    ck_assert_uint_gt(replies_dropped(replies), 0);
    for (int p = 0; p < 8; p++)
        zmq_close(peers[p]);
    free(text);
}
END_TEST

START_TEST(asking_grows_rare_while_nothing_moves)
{
    void *peer = peer_new("stuck");
    int asked = 0;
    for (int i = 0; i < 20; i++)
        say_number("stuck", i);
    for (int64_t end = now.mono_ms + 10000; now.mono_ms < end; asked++) {
        now.mono_ms = replies_next_mono_ms(replies);
        replies_retry(replies, now);
    }
    ck_assert_int_lt(asked, 200);
    zmq_close(peer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replies");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, large_replies_that_nobody_reads_do_not_pile_up_in_libzmq);
    tcase_add_test(tcase, all_arrives_in_order_once_the_peer_reads);
    tcase_add_test(tcase, a_stuck_peer_holds_up_nobody_else);
    tcase_add_test(tcase, what_may_not_wait_is_told_busy_and_does_not_overtake);
    tcase_add_test(tcase, an_unknown_peer_is_told);
    tcase_add_test(tcase, what_finds_no_memory_now_goes_later_and_whole);
    tcase_add_test(tcase, a_peer_that_goes_takes_what_waits_with_it);
    tcase_add_test(tcase, nobody_is_waited_for_for_ever);
    tcase_add_test(tcase, one_peer_and_all_together_wait_within_bounds);
    tcase_add_test(tcase, asking_grows_rare_while_nothing_moves);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
