/* Workers that are nobody for the core while their connection stands: their keys were read anew, or they do not read.
 * No REVOKE can reach them then, so they are told at once to say READY again, before which they drop what they have
 * not begun. */
#include <sys/stat.h>
#include <unistd.h>

#include "broker/edge/dispatch_part.h"
#include "edge_rig.h"
#include "tests/support/suite.h"

#define READY_TEXT "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":4}"

static void *worker;
static struct heard heard;

static void setup(void)
{
    edge_setup();
    worker = edge_connect("inproc://workers", NULL);
    SAY(worker, "LW1", "READY", READY_TEXT);
    edge_read_workers();
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "READY");
}

static void teardown(void)
{
    edge_forget(&heard);
    zmq_close(worker);
    edge_teardown();
}

static void lease_a_job(void)
{
    edge_enqueue(1, "{\"n\":1}");
    edge_settle();
    edge_tick();
}

static void close_line(void)
{
    struct core_line_fact fact = {.number = EDGE_LINE,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_CRITICAL,
                                  .changed_at_ms = edge.now.wall_ms,
                                  .arrived_mono_ms = edge.now.mono_ms,
                                  .event = 5};
    core_line_told(edge.core, 1, &fact, edge.now, &edge.effects);
    edge_settle();
}

static void check_unknown_worker(void)
{
    ck_assert_uint_eq(heard.count, 3);
    ck_assert_str_eq(heard.frames[1], "ERR");
    ck_assert_has(heard.frames[2], "\"unknown_worker\"");
}

/* A folder without keys. */
static struct key_ring *empty_ring(void)
{
    char folder[] = "/tmp/lineward-gone-XXXXXX";
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0700), 0);
    ck_assert_int_eq(key_ring_read(&ring, folder, &problem), ERR_NONE);
    rmdir(folder);
    return ring;
}

/* SIGHUP with one pool more: its last BEAT was answered just now, so it might begin what it holds. */
START_TEST(a_line_that_closes_right_after_a_reload_still_revokes_what_has_not_begun)
{
    struct key_pair pair;
    struct key_ring *ring = empty_ring();
    struct key_ring *before = empty_ring();
    lease_a_job();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "JOB");
    ck_assert(key_pair_make(&pair));
    struct access *access = access_new(edge.zmq, &pair, &ring);
    ck_assert_ptr_nonnull(access);
    edge.dispatch->options.access = access;
    dispatch_keys_changed(edge.dispatch, before, true, edge.now, &edge.effects);
    edge_save();
    edge.dispatch->options.access = NULL;
    access_free(&access);
    key_ring_free(&before);
    close_line();
    ck_assert_msg(!edge_is_silent(worker), "the worker hears neither REVOKE nor that it is unknown");
    edge_hear(worker, &heard);
    check_unknown_worker();
}
END_TEST

/* It gets no JOB that it would not read in time; what it holds it might begin as soon as it goes on. */
START_TEST(a_worker_that_does_not_read_hears_that_it_is_unknown_before_it_goes_on)
{
    dispatch_retry(edge.dispatch, edge.now); /* which tells it the time */
    for (int i = 0; i < 4000; i++) { /* more than libzmq keeps for it */
        SAY(worker, "LW1", "BEAT", "1");
        edge_read_workers();
    }
    lease_a_job();
    close_line();
    bool told = false;
    for (int i = 0; i <= 4000 && !told; i++) {
        dispatch_retry(edge.dispatch, (struct instant){edge.now.wall_ms, ++edge.now.mono_ms});
        edge_hear(worker, &heard);
        told = strcmp(heard.frames[1], "BEAT") != 0;
    }
    ck_assert(told);
    check_unknown_worker();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_line_that_closes_right_after_a_reload_still_revokes_what_has_not_begun,
        a_worker_that_does_not_read_hears_that_it_is_unknown_before_it_goes_on,
    };
    return suite_run_all("dispatch_gone", setup, teardown, 60, tests, sizeof tests / sizeof *tests);
}
