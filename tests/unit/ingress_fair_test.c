/* Producers that ask for much: they wait for themselves, hear of it, and hold up nobody else. */
#include "edge_rig.h"

#include "broker/edge/replies.h"
#include "tests/support/suite.h"

#define META_BYTES 4000 /* of a view: a thousand of them are four megabytes */

static void *asker, *other;
static struct heard heard;

static void setup(void)
{
    edge_setup();
    asker = edge_connect("inproc://producers", "asker");
    other = edge_connect("inproc://producers", "other");
    ck_assert_uint_ne(replies_bucket((struct frame){"asker", 5}), replies_bucket((struct frame){"other", 5}));
}

static void teardown(void)
{
    edge_forget(&heard);
    zmq_close(asker);
    zmq_close(other);
    edge_teardown();
}

static void hear(void *peer, const char *command, const char *request_id, size_t frames)
{
    edge_hear(peer, &heard);
    ck_assert_uint_eq(heard.count, 3 + frames);
    ck_assert_str_eq(heard.frames[1], command);
    ck_assert_str_eq(heard.frames[2], request_id);
}

/* Reads one message and nothing further. */
static void take(void)
{
    edge_await(edge.producers);
    ck_assert(ingress_read(edge.ingress, edge.store_full, edge.now, &edge.effects));
    edge_save();
}

/* STATUS of so many jobs, all of them the same one. */
static void ask(const char *request_id, const char *job, int count)
{
    const char *const heads[] = {"LW1", "STATUS", request_id};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_ge(zmq_send(asker, heads[i], strlen(heads[i]), ZMQ_SNDMORE), 0);
    for (int i = 1; i <= count; i++)
        ck_assert_int_ge(zmq_send(asker, job, strlen(job), i < count ? ZMQ_SNDMORE : 0), 0);
    take();
}

static void collect_one(void)
{
    struct lookup_answer answer;
    struct pollfd waiting = {.fd = lookup_fd(edge.lookup), .events = POLLIN};
    ck_assert_int_eq(poll(&waiting, 1, EDGE_WAIT_MS), 1);
    ck_assert(lookup_collect(edge.lookup, &answer));
    ingress_looked_up(edge.ingress, &answer, edge.now);
}

START_TEST(who_asks_much_waits_for_itself_and_others_take_their_turn)
{
    for (int i = 0; i < 8; i++)
        ask("many", "j_zzz", 1);
    SAY(other, "LW1", "STATUS", "one", "j_zzz");
    take();
    edge_settle();
    for (int i = 0; i < 3; i++) /* two of the eight, and the other's */
        collect_one();
    hear(other, "ACK", "one", 1);
    for (int i = 0; i < 2; i++)
        hear(asker, "ACK", "many", 1);
    ck_assert(edge_is_silent(asker));
    for (int i = 0; i < 6; i++) {
        collect_one();
        hear(asker, "ACK", "many", 1);
    }
}
END_TEST

/* covers: code busy */
START_TEST(more_items_of_a_peer_than_may_wait_are_busy_and_others_are_answered)
{
    int full = INGRESS_PEER_ASKED_MAX / WIRE_ENQUEUE_JOBS_MAX;
    for (int i = 0; i < full; i++)
        ask("taken", "j_zzz", WIRE_ENQUEUE_JOBS_MAX);
    ask("more", "j_zzz", 1);
    ck_assert(ingress_refused(edge.ingress));
    hear(asker, "ERR", "more", 1);
    ck_assert_has(heard.frames[3], "\"code\":\"busy\"");
    ck_assert_has(heard.frames[3], "retry_after_ms");
    SAY(other, "LW1", "CANCEL", "one", "j_zzz");
    take();
    ck_assert(!ingress_refused(edge.ingress));
    edge_settle();
    for (int i = 0; i < full + 1; i++)
        collect_one();
    hear(other, "ACK", "one", 1);
    for (int i = 0; i < full; i++)
        hear(asker, "ACK", "taken", WIRE_ENQUEUE_JOBS_MAX);
    ask("again", "j_zzz", WIRE_ENQUEUE_JOBS_MAX); /* there is room again */
    edge_settle();
    collect_one();
    hear(asker, "ACK", "again", WIRE_ENQUEUE_JOBS_MAX);
}
END_TEST

static void enqueue_known(void)
{
    static char job[META_BYTES + 256];
    int head = snprintf(job, sizeof job,
                        "{\"id\":\"known\",\"to\":\"+14155550101\",\"message\":{\"v\":1},\"meta\":{\"m\":\"");
    memset(job + head, 'm', META_BYTES);
    memcpy(job + head + META_BYTES, "\"}}", 4);
    SAY(other, "LW1", "ENQUEUE", "r", job);
    take();
    edge_settle();
    hear(other, "ACK", "r", 1);
}

START_TEST(for_who_reads_no_answers_nothing_more_is_looked_up)
{
    enqueue_known();
    ask("first", "known", WIRE_ENQUEUE_JOBS_MAX);  /* its answer goes as far as the peer */
    ask("second", "known", WIRE_ENQUEUE_JOBS_MAX); /* its answer waits to be read */
    ask("third", "known", WIRE_ENQUEUE_JOBS_MAX);  /* was under way when that was known */
    ask("fourth", "known", WIRE_ENQUEUE_JOBS_MAX);
    edge_settle();
    for (int i = 0; i < 3; i++)
        collect_one();
    struct lookup_answer none;
    ck_assert(!lookup_collect(edge.lookup, &none));
    hear(asker, "ACK", "first", WIRE_ENQUEUE_JOBS_MAX); /* now it reads */
    edge_forget(&heard);
    edge.now.mono_ms += 1000;
    ingress_retry(edge.ingress, edge.now);
    hear(asker, "ACK", "second", WIRE_ENQUEUE_JOBS_MAX);
    hear(asker, "ERR", "fourth", 1);
    ck_assert_has(heard.frames[3], "\"code\":\"busy\"");
    ck_assert_has(heard.frames[3], "read them");
    edge_forget(&heard);
    edge.now.mono_ms += 1000;
    ingress_retry(edge.ingress, edge.now);
    hear(asker, "ACK", "third", WIRE_ENQUEUE_JOBS_MAX);
}
END_TEST

START_TEST(what_is_refused_as_a_whole_is_known_to_be)
{
    SAY(asker, "LW1", "STATUE", "r", "j_zzz");
    take();
    ck_assert(ingress_refused(edge.ingress));
    SAY(asker, "LW1", "ENQUEUE", "r", "no job", "none either");
    take();
    ck_assert(ingress_refused(edge.ingress));
    SAY(asker, "LW1", "ENQUEUE", "r", "no job", "{\"to\":\"+14155550101\",\"message\":{\"v\":1}}");
    take();
    ck_assert(!ingress_refused(edge.ingress));
    SAY(asker, "LW1", "PING", "r");
    take();
    ck_assert(!ingress_refused(edge.ingress));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingress_fair");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, who_asks_much_waits_for_itself_and_others_take_their_turn);
    tcase_add_test(tcase, more_items_of_a_peer_than_may_wait_are_busy_and_others_are_answered);
    tcase_add_test(tcase, for_who_reads_no_answers_nothing_more_is_looked_up);
    tcase_add_test(tcase, what_is_refused_as_a_whole_is_known_to_be);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
