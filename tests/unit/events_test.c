/* Followers on XPUB: what is durable, in order, once, and only while somebody listens. */
#include "broker/edge/events.h"

#include "edge_rig.h"
#include "tests/support/suite.h"

static void *publisher, *follower;
static struct events *events;
static struct heard heard;

static void setup(void)
{
    int zero = 0;
    edge_setup();
    publisher = zmq_socket(edge.zmq, ZMQ_XPUB);
    follower = zmq_socket(edge.zmq, ZMQ_SUB);
    zmq_setsockopt(publisher, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(follower, ZMQ_LINGER, &zero, sizeof zero);
    ck_assert_int_eq(zmq_bind(publisher, "inproc://events"), 0);
    ck_assert_int_eq(zmq_connect(follower, "inproc://events"), 0);
    events = events_new(publisher, edge.lookup);
    ck_assert_ptr_nonnull(events);
}

static void teardown(void)
{
    edge_forget(&heard);
    events_free(&events);
    zmq_close(publisher);
    zmq_close(follower);
    edge_teardown();
}

static void subscribe(const char *topic)
{
    ck_assert_int_eq(zmq_setsockopt(follower, ZMQ_SUBSCRIBE, topic, strlen(topic)), 0);
    edge_await(publisher);
}

static void turn(bool durable_moved)
{
    events_turn(events, core_next_seq(edge.core), durable_moved, edge.now);
}

static bool was_asked(void)
{
    struct pollfd waiting = {.fd = lookup_fd(edge.lookup), .events = POLLIN};
    return poll(&waiting, 1, 100) == 1;
}

static void look_up(void)
{
    struct lookup_answer answer;
    struct pollfd waiting = {.fd = lookup_fd(edge.lookup), .events = POLLIN};
    ck_assert_int_eq(poll(&waiting, 1, EDGE_WAIT_MS), 1);
    while (lookup_collect(edge.lookup, &answer)) {
        ck_assert(events_owns(answer.token));
        events_looked_up(events, &answer);
    }
}

static void enqueue(int number)
{
    edge_enqueue(number, "{\"secret\":1}");
}

static void check_queued(int number)
{
    char id[32];
    snprintf(id, sizeof id, "\"id\":\"n%d\"", number);
    edge_hear(follower, &heard);
    ck_assert_uint_eq(heard.count, 2);
    ck_assert_str_eq(heard.frames[0], "job.queued");
    ck_assert_has(heard.frames[1], id);
    ck_assert_lacks(heard.frames[1], "secret");
    ck_assert_lacks(heard.frames[1], "+1415555");
}

START_TEST(nobody_listening_costs_nothing)
{
    enqueue(1);
    edge_settle();
    turn(true);
    ck_assert(!was_asked());
}
END_TEST

START_TEST(a_follower_hears_what_comes_after_it_subscribed_in_order)
{
    enqueue(0);
    edge_settle();
    subscribe("job.");
    turn(false);
    for (int i = 1; i <= 3; i++)
        enqueue(i);
    edge_settle();
    turn(true);
    look_up();
    for (int i = 1; i <= 3; i++)
        check_queued(i);
    ck_assert(edge_is_silent(follower));
}
END_TEST

START_TEST(what_is_not_durable_is_not_told)
{
    subscribe("");
    turn(false);
    enqueue(1);
    turn(true);
    look_up();
    ck_assert(edge_is_silent(follower));
    edge_settle();
    turn(true);
    look_up();
    check_queued(1);
}
END_TEST

START_TEST(what_comes_while_the_disk_is_read_is_told_next)
{
    subscribe("");
    turn(false);
    enqueue(1);
    edge_settle();
    turn(true);
    enqueue(2);
    edge_settle();
    turn(true);
    look_up();
    turn(false);
    look_up();
    check_queued(1);
    check_queued(2);
    ck_assert(edge_is_silent(follower));
}
END_TEST

/* Nothing else need happen, and a disk that goes on failing is not asked all the time. */
START_TEST(what_the_disk_could_not_give_is_asked_for_again_soon)
{
    subscribe("");
    turn(false);
    ck_assert_int_eq(events_next_mono_ms(events), TIME_NEVER);
    enqueue(1);
    edge_settle();
    edge.unreadable = true;
    turn(true);
    look_up();
    ck_assert(edge_is_silent(follower));
    turn(false);
    ck_assert(!was_asked());
    ck_assert_int_eq(events_next_mono_ms(events), edge.now.mono_ms + LOOKUP_AGAIN_MS);
    edge.unreadable = false;
    edge.now.mono_ms += LOOKUP_AGAIN_MS;
    turn(false);
    look_up();
    check_queued(1);
    ck_assert_int_eq(events_next_mono_ms(events), TIME_NEVER);
}
END_TEST

START_TEST(more_events_than_an_answer_holds_all_arrive)
{
    int many = 2500;
    int zero = 0;
    zmq_setsockopt(publisher, ZMQ_SNDHWM, &zero, sizeof zero);
    subscribe("job.queued");
    turn(false);
    for (int i = 0; i < many; i++)
        enqueue(i);
    edge_settle();
    int told = 0;
    turn(true);
    while (told < many) {
        look_up();
        for (; !edge_is_silent(follower); told++)
            edge_hear(follower, &heard);
        turn(false);
    }
    ck_assert_int_eq(told, many);
}
END_TEST

START_TEST(once_nobody_listens_any_more_nothing_is_read)
{
    subscribe("job.");
    turn(false);
    ck_assert_int_eq(zmq_setsockopt(follower, ZMQ_UNSUBSCRIBE, "job.", 4), 0);
    edge_await(publisher);
    turn(false);
    enqueue(1);
    edge_settle();
    turn(true);
    ck_assert(!was_asked());
}
END_TEST

START_TEST(a_flood_of_subscriptions_is_read_in_parts)
{
    for (int i = 0; i < 1500; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "t%d", i);
        zmq_setsockopt(follower, ZMQ_SUBSCRIBE, topic, strlen(topic));
    }
    edge_await(publisher);
    turn(false);
    edge_await(publisher); /* the rest is left for later turns */
    for (int i = 0; i < 10; i++)
        turn(false);
    subscribe("job.");
    turn(false);
    enqueue(1);
    edge_settle();
    turn(true);
    look_up();
    check_queued(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nobody_listening_costs_nothing);
    tcase_add_test(tcase, a_follower_hears_what_comes_after_it_subscribed_in_order);
    tcase_add_test(tcase, what_is_not_durable_is_not_told);
    tcase_add_test(tcase, what_comes_while_the_disk_is_read_is_told_next);
    tcase_add_test(tcase, what_the_disk_could_not_give_is_asked_for_again_soon);
    tcase_add_test(tcase, more_events_than_an_answer_holds_all_arrive);
    tcase_add_test(tcase, once_nobody_listens_any_more_nothing_is_read);
    tcase_add_test(tcase, a_flood_of_subscriptions_is_read_in_parts);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
