/* Large requests: read a slice at a time, so that one peer's hold up nobody else's; each peer's in their order; and
 * bounded, also while nobody reads the answers. */
#include "edge_rig.h"
#include "tests/support/suite.h"

#define FILLER_BYTES (100u * 1024) /* of a job: more than a slice */
#define LARGE_JOBS   20
#define MORE_JOBS    70 /* 7 MB */

static void *large, *small;
static struct heard heard;
static char filler[FILLER_BYTES + 256];

static void setup(void)
{
    edge_setup();
    large = edge_connect("inproc://producers", NULL);
    small = edge_connect("inproc://producers", NULL);
}

static void teardown(void)
{
    edge_forget(&heard);
    zmq_close(large);
    zmq_close(small);
    edge_teardown();
}

static const char *large_job(const char *id)
{
    int head = snprintf(filler, sizeof filler, "{\"id\":\"%s\",\"to\":\"+14155550101\",\"message\":{\"v\":\"", id);
    memset(filler + head, 'x', FILLER_BYTES);
    memcpy(filler + head + FILLER_BYTES, "\"}}", 4);
    return filler;
}

/* ENQUEUE of `count` large jobs. */
static void say_large(const char *request_id, int count)
{
    const char *const heads[] = {"LW1", "ENQUEUE", request_id};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_ge(zmq_send(large, heads[i], strlen(heads[i]), ZMQ_SNDMORE), 0);
    for (int i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s-%d", request_id, i);
        const char *job = large_job(id);
        ck_assert_int_ge(zmq_send(large, job, strlen(job), i + 1 < count ? ZMQ_SNDMORE : 0), 0);
    }
}

#define SMALL_JOB(id) "{\"id\":\"" id "\",\"to\":\"+14155550102\",\"message\":{\"v\":1}}"

/* Reads one message and nothing further. */
static void take(void)
{
    edge_await(edge.producers);
    ck_assert(ingress_read(edge.ingress, edge.store_full, edge.now, &edge.effects));
    edge_save();
}

static bool work(void)
{
    bool more = ingress_work(edge.ingress, edge.store_full, edge.now, &edge.effects);
    edge_save();
    return more;
}

static void hear(void *peer, const char *command, const char *request_id, size_t frames)
{
    edge_hear(peer, &heard);
    ck_assert_str_eq(heard.frames[1], command);
    ck_assert_str_eq(heard.frames[2], request_id);
    ck_assert_uint_eq(heard.count, 3 + frames);
}

START_TEST(a_large_request_is_read_in_slices_and_holds_up_nobody_else)
{
    say_large("big", LARGE_JOBS);
    take();
    size_t before = edge.record_count;
    ck_assert(work());
    ck_assert_uint_gt(edge.record_count, before);
    before = edge.record_count;
    SAY(small, "LW1", "ENQUEUE", "r", SMALL_JOB("s"));
    take();
    edge_settle();
    hear(small, "ACK", "r", 1);
    int slices = 2;
    for (; work(); slices++)
        ck_assert(edge_is_silent(large));
    ck_assert_int_eq(slices, LARGE_JOBS); /* one job is more than a slice */
    edge_settle();
    hear(large, "ACK", "big", LARGE_JOBS);
    for (size_t i = 3; i < heard.count; i++)
        ck_assert_has(heard.frames[i], "\"state\":\"queued\"");
}
END_TEST

START_TEST(what_a_peer_asks_behind_a_large_request_waits_for_it)
{
    say_large("big", 2);
    SAY(large, "LW1", "ENQUEUE", "next", SMALL_JOB("n"));
    SAY(large, "LW1", "STATUS", "how", "big-1", "n");
    SAY(large, "LW1", "CANCEL", "no", "n");
    for (int i = 0; i < 4; i++)
        take();
    edge_settle();
    ck_assert(edge_is_silent(large));
    while (work())
        continue;
    edge_settle();
    edge_look_up();
    hear(large, "ACK", "big", 2);
    hear(large, "ACK", "next", 1);
    while (edge_is_silent(large))
        edge_look_up();
    hear(large, "ACK", "how", 2);
    ck_assert_has(heard.frames[3], "\"id\":\"big-1\"");
    ck_assert_has(heard.frames[4], "\"id\":\"n\"");
    while (edge_is_silent(large))
        edge_look_up();
    hear(large, "ACK", "no", 1);
    ck_assert_has(heard.frames[3], "\"state\":\"cancelled\"");
    SAY(large, "LW1", "ENQUEUE", "free", SMALL_JOB("f")); /* nothing is left in its way */
    take();
    edge_settle();
    hear(large, "ACK", "free", 1);
}
END_TEST

START_TEST(large_requests_of_several_peers_take_turns)
{
    say_large("long", LARGE_JOBS);
    take();
    void *first = large;
    large = small; /* the other one sends a large one too, much later and much shorter */
    say_large("short", 2);
    large = first;
    take();
    for (int i = 0; i < 4; i++)
        ck_assert(work());
    edge_settle();
    hear(small, "ACK", "short", 2);
    ck_assert(edge_is_silent(large));
    while (work())
        continue;
    edge_settle();
    hear(large, "ACK", "long", LARGE_JOBS);
}
END_TEST

/* covers: code busy */
START_TEST(once_refused_busy_all_later_slices_are_too)
{
    say_large("big", 3);
    take();
    ck_assert(work());
    edge.store_full = true;
    ck_assert(work());
    edge.store_full = false;
    ck_assert(!work());
    edge_settle();
    hear(large, "ACK", "big", 3);
    ck_assert_has(heard.frames[3], "\"state\":\"queued\"");
    ck_assert_has(heard.frames[4], "\"code\":\"store_full\"");
    ck_assert_has(heard.frames[5], "\"code\":\"store_full\"");
}
END_TEST

/* The last slice has nothing for the core, whose word on the others is there already. */
START_TEST(a_duplicate_in_a_large_request_is_answered_though_its_last_slice_is_refused)
{
    say_large("big", 1);
    take();
    ck_assert(!work());
    edge_settle();
    hear(large, "ACK", "big", 1);
    SAY(large, "LW1", "CANCEL", "no", "big-0");
    take();
    edge_settle();
    edge_look_up();
    hear(large, "ACK", "no", 1);
    say_large("big", 3);
    take();
    ck_assert(work());
    edge.store_full = true;
    ck_assert(work());
    edge_settle();
    ck_assert(!work());
    edge_settle();
    edge_look_up();
    hear(large, "ACK", "big", 3);
    ck_assert_has(heard.frames[3], "\"state\":\"duplicate\",\"current\":\"cancelled\"");
    ck_assert_has(heard.frames[4], "\"code\":\"store_full\"");
    ck_assert_has(heard.frames[5], "\"code\":\"store_full\"");
}
END_TEST

START_TEST(more_than_may_wait_is_busy_and_the_rest_is_carried_out)
{
    int taken = 0;
    say_large("one", MORE_JOBS);
    say_large("two", MORE_JOBS);
    say_large("three", MORE_JOBS); /* 21 MB; a peer may have 16 MiB */
    for (int i = 0; i < 3; i++)
        take();
    hear(large, "ERR", "three", 1);
    ck_assert_has(heard.frames[3], "\"code\":\"busy\"");
    ck_assert_has(heard.frames[3], "retry_after_ms");
    while (work())
        taken++;
    ck_assert_int_eq(taken, 2 * MORE_JOBS - 1);
    edge_settle();
    hear(large, "ACK", "one", MORE_JOBS);
    hear(large, "ACK", "two", MORE_JOBS);
}
END_TEST

START_TEST(a_peer_gone_amid_its_large_request_harms_nobody)
{
    void *gone = large;
    say_large("gone", LARGE_JOBS);
    take();
    ck_assert(work());
    zmq_close(gone);
    large = edge_connect("inproc://producers", NULL);
    while (work())
        continue;
    edge_settle();
    SAY(small, "LW1", "ENQUEUE", "r", SMALL_JOB("s"));
    take();
    edge_settle();
    hear(small, "ACK", "r", 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingress_large");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_large_request_is_read_in_slices_and_holds_up_nobody_else);
    tcase_add_test(tcase, what_a_peer_asks_behind_a_large_request_waits_for_it);
    tcase_add_test(tcase, large_requests_of_several_peers_take_turns);
    tcase_add_test(tcase, once_refused_busy_all_later_slices_are_too);
    tcase_add_test(tcase, a_duplicate_in_a_large_request_is_answered_though_its_last_slice_is_refused);
    tcase_add_test(tcase, more_than_may_wait_is_busy_and_the_rest_is_carried_out);
    tcase_add_test(tcase, a_peer_gone_amid_its_large_request_harms_nobody);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
