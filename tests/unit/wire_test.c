/* Whole messages over real sockets: all frames or none, never waiting, every size bounded. */
#include "lineward/wire.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "tests/support/suite.h"

static void *context;
static void *router, *dealer;
static struct message *message;

static void set_int(void *socket, int option, int value)
{
    ck_assert_int_eq(zmq_setsockopt(socket, option, &value, sizeof value), 0);
}

/* A router that refuses strangers, and one dealer called "peer"; over inproc, where nothing is in between. */
static void open_sockets(void)
{
    context = zmq_ctx_new();
    router = zmq_socket(context, ZMQ_ROUTER);
    dealer = zmq_socket(context, ZMQ_DEALER);
    set_int(router, ZMQ_ROUTER_MANDATORY, 1);
    set_int(router, ZMQ_LINGER, 0);
    set_int(dealer, ZMQ_LINGER, 0);
    set_int(router, ZMQ_SNDHWM, 2);
    set_int(dealer, ZMQ_RCVHWM, 2);
    ck_assert_int_eq(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, "peer", 4), 0);
    ck_assert_int_eq(zmq_bind(router, "inproc://wire"), 0);
    ck_assert_int_eq(zmq_connect(dealer, "inproc://wire"), 0);
    message = message_new();
    ck_assert_ptr_nonnull(message);
}

static void close_sockets(void)
{
    message_free(&message);
    ck_assert_ptr_null(message);
    zmq_close(dealer);
    zmq_close(router);
    zmq_ctx_term(context);
}

static struct frame frame_of(const char *text)
{
    return (struct frame){text, strlen(text)};
}

/* Waits for what the other end has sent; a test that waits for nothing fails after a second. */
static enum err receive(void *socket)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    ck_assert_int_eq(zmq_poll(&item, 1, 1000), 1);
    return message_receive(message, socket);
}

START_TEST(a_message_arrives_with_all_its_frames)
{
    struct frame frames[] = {frame_of(WIRE_VERSION), frame_of("PING"), {NULL, 0}, {"a\0b", 3}};
    ck_assert_int_eq(message_send(dealer, frames, 4), ERR_NONE);
    ck_assert_int_eq(receive(router), ERR_NONE);
    ck_assert_uint_eq(message_frame_count(message), 5);
    ck_assert(frame_is(message_frame(message, 0), "peer"));
    ck_assert(frame_is(message_frame(message, 1), "LW1"));
    ck_assert(frame_is(message_frame(message, 3), ""));
    ck_assert_uint_eq(message_frame(message, 4).bytes, 3);
    ck_assert_int_eq(memcmp(message_frame(message, 4).data, "a\0b", 3), 0);
    ck_assert_uint_eq(message_bytes(message), 4 + 3 + 4 + 0 + 3);
    ck_assert_ptr_null(message_frame(message, 5).data);
    ck_assert_uint_eq(message_frame(message, 5).bytes, 0);
}
END_TEST

START_TEST(reading_an_empty_queue_does_not_wait)
{
    ck_assert_int_eq(message_receive(message, router), ERR_NOT_FOUND);
    ck_assert_uint_eq(message_frame_count(message), 0);
}
END_TEST

START_TEST(the_next_message_takes_the_place_of_the_last)
{
    struct frame first[] = {frame_of("one"), frame_of("two")}, second[] = {frame_of("three")};
    ck_assert_int_eq(message_send(dealer, first, 2), ERR_NONE);
    ck_assert_int_eq(message_send(dealer, second, 1), ERR_NONE);
    ck_assert_int_eq(receive(router), ERR_NONE);
    ck_assert_int_eq(receive(router), ERR_NONE);
    ck_assert_uint_eq(message_frame_count(message), 2);
    ck_assert(frame_is(message_frame(message, 1), "three"));
    ck_assert_uint_eq(message_bytes(message), 4 + 5);
    ck_assert_int_eq(message_receive(message, router), ERR_NOT_FOUND);
    ck_assert_uint_eq(message_frame_count(message), 0);
}
END_TEST

START_TEST(the_largest_request_fits)
{
    static struct frame frames[WIRE_FRAMES_MAX];
    for (size_t i = 0; i < WIRE_FRAMES_MAX; i++)
        frames[i] = frame_of("x");
    ck_assert_int_eq(message_send(dealer, frames, WIRE_FRAMES_MAX - 1), ERR_NONE);
    ck_assert_int_eq(receive(router), ERR_NONE);
    ck_assert_uint_eq(message_frame_count(message), WIRE_FRAMES_MAX);
}
END_TEST

START_TEST(a_message_of_too_many_frames_is_read_to_its_end_and_its_head_kept)
{
    static struct frame frames[WIRE_FRAMES_MAX + 5];
    for (size_t i = 0; i < WIRE_FRAMES_MAX + 5; i++)
        frames[i] = frame_of("x");
    struct frame next[] = {frame_of("next")};
    ck_assert_int_eq(message_send(dealer, frames, WIRE_FRAMES_MAX + 5), ERR_NONE);
    ck_assert_int_eq(message_send(dealer, next, 1), ERR_NONE);
    ck_assert_int_eq(receive(router), ERR_FULL);
    ck_assert_uint_eq(message_frame_count(message), WIRE_FRAMES_MAX);
    ck_assert(frame_is(message_frame(message, 0), "peer"));
    ck_assert_int_eq(receive(router), ERR_NONE);
    ck_assert(frame_is(message_frame(message, 1), "next"));
}
END_TEST

START_TEST(a_stranger_cannot_be_sent_to)
{
    struct frame frames[] = {frame_of("stranger"), frame_of("hello")};
    ck_assert_int_eq(message_send(router, frames, 2), ERR_NOT_FOUND);
    struct frame known[] = {frame_of("peer"), frame_of("hello")};
    ck_assert_int_eq(message_send(router, known, 2), ERR_NONE);
    ck_assert_int_eq(receive(dealer), ERR_NONE);
    ck_assert_uint_eq(message_frame_count(message), 1);
    ck_assert(frame_is(message_frame(message, 0), "hello"));
}
END_TEST

START_TEST(a_full_queue_is_busy_and_holds_only_whole_messages)
{
    struct frame frames[] = {frame_of("peer"), frame_of("a"), frame_of("b")};
    size_t sent = 0;
    enum err err = ERR_NONE;
    while (sent < 100 && (err = message_send(router, frames, 3)) == ERR_NONE)
        sent++;
    ck_assert_int_eq(err, ERR_BUSY);
    ck_assert_uint_gt(sent, 0);
    for (size_t i = 0; i < sent; i++) {
        ck_assert_int_eq(receive(dealer), ERR_NONE);
        ck_assert_uint_eq(message_frame_count(message), 2);
        ck_assert(frame_is(message_frame(message, 1), "b"));
    }
    ck_assert_int_eq(message_receive(message, dealer), ERR_NOT_FOUND);
    int events = 0;
    size_t bytes = sizeof events;
    zmq_getsockopt(router, ZMQ_EVENTS, &events, &bytes); /* lets the router hear at once that there is room */
    ck_assert_int_eq(message_send(router, frames, 3), ERR_NONE);
}
END_TEST

START_TEST(nothing_cannot_be_sent_and_no_socket_is_an_error)
{
    ck_assert_int_eq(message_send(dealer, NULL, 0), ERR_BAD_INPUT);
    void *publisher = zmq_socket(context, ZMQ_PUB);
    ck_assert_int_eq(message_receive(message, publisher), ERR_IO);
    zmq_close(publisher);
    struct frame frames[] = {frame_of("x")};
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    ck_assert_int_eq(message_send(subscriber, frames, 1), ERR_IO);
    zmq_close(subscriber);
}
END_TEST

START_TEST(frames_are_compared_and_copied_within_their_bounds)
{
    char out[4] = "old";
    ck_assert(frame_is((struct frame){"LW1X", 3}, "LW1"));
    ck_assert(!frame_is((struct frame){"LW1", 3}, "LW"));
    ck_assert(!frame_is((struct frame){"LW1", 3}, "LW12"));
    ck_assert(frame_is((struct frame){NULL, 0}, ""));
    ck_assert(frame_text((struct frame){"abc", 3}, out, sizeof out));
    ck_assert_str_eq(out, "abc");
    ck_assert(!frame_text((struct frame){"abcd", 4}, out, sizeof out));
    ck_assert(!frame_text((struct frame){"a\0", 2}, out, sizeof out));
    ck_assert_str_eq(out, "abc");
    ck_assert(frame_text((struct frame){NULL, 0}, out, sizeof out));
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("wire");
    tcase_add_checked_fixture(tests, open_sockets, close_sockets);
    tcase_add_test(tests, a_message_arrives_with_all_its_frames);
    tcase_add_test(tests, reading_an_empty_queue_does_not_wait);
    tcase_add_test(tests, the_next_message_takes_the_place_of_the_last);
    tcase_add_test(tests, the_largest_request_fits);
    tcase_add_test(tests, a_message_of_too_many_frames_is_read_to_its_end_and_its_head_kept);
    tcase_add_test(tests, a_stranger_cannot_be_sent_to);
    tcase_add_test(tests, a_full_queue_is_busy_and_holds_only_whole_messages);
    tcase_add_test(tests, nothing_cannot_be_sent_and_no_socket_is_an_error);
    tcase_add_test(tests, frames_are_compared_and_copied_within_their_bounds);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
