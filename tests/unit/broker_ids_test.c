/* A producer's id over restarts: a real core on a real journal, which cleans, grows old and is opened again. The promise
 * counts from a job's end, whenever it was written (PROTOCOL, id). */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/store/owner.h"
#include "broker/store/record.h"
#include "tests/support/core_rig.h"
#include "tests/support/store_sim.h"
#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define JOBS          1400 /* more than fill a segment */
#define PAYLOAD_BYTES 900
#define HOUR_MS       INT64_C(3600000)
#define RETENTION_MS  HOUR_MS

static const char conf_text[] = "accounts:\n  default:\n    api_key_file: key\nstore: {dedupe_window_h: 1}\n";

static struct shell {
    struct rig *rig;
    struct store *store;
    struct store_batch *batch;
    struct core_owner owner;
    struct sim *sim;
    int wake_fd;
} shell;
static uint64_t numbers[JOBS];
static _Atomic int64_t wall_now_ms;

static int64_t wall_ms(void)
{
    return wall_now_ms;
}

/* ---- between core and store ---- */

static void persist(void *self, const struct effects *out)
{
    (void)self;
    for (size_t i = 0; i < out->change_count; i++)
        ck_assert_int_eq(record_add(shell.batch, &out->changes[i]), ERR_NONE);
}

static bool open_store(void *self, struct rig *rig)
{
    static bool out_of_memory;
    (void)self;
    shell.owner = (struct core_owner){rig->core, &rig->now, &rig->out, &out_of_memory};
    struct store_options options = {.path = SIM_FOLDER,
                                    .segment_bytes = SEGMENT_BYTES,
                                    .history_retention_ms = RETENTION_MS,
                                    .kinds = record_kinds(),
                                    .owner = core_owner(&shell.owner),
                                    .io = &shell.sim->io,
                                    .wall_ms = wall_ms,
                                    .wake_fd = shell.wake_fd};
    struct store_opened opened;
    struct store_problem problem;
    shell.rig = rig;
    return store_open(&shell.store, &options, &opened, &problem) == ERR_NONE;
}

/* ---- time passes ---- */

static void start(struct instant now, uint64_t starts)
{
    struct rig_options options = {.conf = conf_text, .seed = 1, .persist = persist, .self = &shell};
    wall_now_ms = now.wall_ms;
    ck_assert_ptr_nonnull(rig_replayed(&options, now, starts, open_store));
}

static void stop(void)
{
    store_close(&shell.store);
    rig_free(&shell.rig);
}

static void settle(void)
{
    uint64_t durable = 0, count;
    uint64_t submitted = store_submit(shell.store, shell.batch);
    for (;;) {
        struct pollfd wake = {.fd = shell.wake_fd, .events = POLLIN};
        ck_assert_int_eq(store_collect(shell.store, &durable), ERR_NONE);
        if (durable >= submitted)
            return;
        if (poll(&wake, 1, 10000) > 0)
            ck_assert_int_eq(read(shell.wake_fd, &count, sizeof count), sizeof count);
    }
}

static void pass(int64_t ms)
{
    shell.rig->now.wall_ms += ms;
    shell.rig->now.mono_ms += ms;
    wall_now_ms = shell.rig->now.wall_ms;
    rig_tick(shell.rig);
    settle();
}

/* Until there has been nothing to do for a while. */
static uint64_t clean(void)
{
    struct store_status status;
    for (unsigned quiet = 0; quiet < 3;) {
        struct pollfd wake = {.fd = shell.wake_fd, .events = POLLIN};
        uint64_t count;
        store_clean(shell.store, shell.batch, wall_now_ms, 1000);
        settle();
        store_status_read(shell.store, &status);
        if (status.cleaning && poll(&wake, 1, 5) > 0)
            ck_assert_int_eq(read(shell.wake_fd, &count, sizeof count), sizeof count);
        if (status.cleaning)
            continue;
        pass(2000);
        quiet++;
    }
    return status.cleaned_segments;
}

static struct core_enqueue job_at(uint32_t index)
{
    static char payload[PAYLOAD_BYTES];
    memset(payload, 'x', sizeof payload);
    struct core_enqueue job = rig_job(1 + index % 40, CLASS_TRANSACTIONAL);
    job.id_hash = UINT64_C(0x1234567) * (index + 1);
    job.content_hash = index + 1;
    job.payload = (struct span){payload, sizeof payload};
    return job;
}

static void enqueue_all(void)
{
    for (uint32_t i = 0; i < JOBS; i++) {
        struct core_enqueue job = job_at(i);
        numbers[i] = rig_enqueue(shell.rig, &job).number;
        ck_assert_uint_ne(numbers[i], 0);
        rig_forget(shell.rig);
        if (i % 100 == 0)
            settle();
    }
    settle();
}

static void cancel_all(void)
{
    for (uint32_t i = 0; i < JOBS; i++) {
        core_cancel(shell.rig->core, 1, 0, numbers[i], shell.rig->now, &shell.rig->out);
        rig_keep(shell.rig);
        rig_forget(shell.rig);
        if (i % 100 == 0)
            settle();
    }
    settle();
}

static unsigned count_duplicates(void)
{
    unsigned duplicates = 0;
    for (uint32_t i = 0; i < JOBS; i++) {
        struct core_enqueue job = job_at(i);
        struct effect answer = rig_enqueue(shell.rig, &job);
        duplicates += answer.duplicate && answer.number == numbers[i];
        rig_forget(shell.rig);
    }
    return duplicates;
}

static void restart(void)
{
    struct instant now = {.wall_ms = shell.rig->now.wall_ms + 1000, .mono_ms = 1000000};
    uint64_t starts = shell.rig->starts;
    stop();
    start(now, starts + 1);
    pass(1000);
}

static void setup(void)
{
    shell = (struct shell){.sim = sim_new(), .batch = store_batch_new()};
    shell.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    start((struct instant){.wall_ms = RIG_START_MS, .mono_ms = 5000000}, 0);
    rig_poll_all(shell.rig, 1, REPUTATION_HEALTHY);
}

static void teardown(void)
{
    stop();
    store_batch_free(&shell.batch);
    sim_free(&shell.sim);
    close(shell.wake_fd);
}

/* covers: key store.dedupe_window_h; field id */
START_TEST(the_id_of_a_job_that_waited_longer_than_history_is_kept_is_known_after_a_restart)
{
    enqueue_all();
    for (int i = 0; i < 3; i++)
        pass(HOUR_MS); /* a line stood still, or they were due only now */
    cancel_all();
    ck_assert_uint_gt(clean(), 0);
    restart();
    ck_assert_uint_eq(count_duplicates(), JOBS);
}
END_TEST

START_TEST(an_id_is_known_after_a_restart_for_the_whole_window_after_the_end)
{
    enqueue_all();
    pass(RETENTION_MS * 3 / 4);
    cancel_all();
    ck_assert_uint_gt(clean(), 0);
    pass(RETENTION_MS / 2); /* half of the window that began with the end */
    clean();
    restart();
    ck_assert_uint_eq(count_duplicates(), JOBS);
}
END_TEST

START_TEST(ids_do_not_keep_history_for_ever)
{
    struct store_status status;
    enqueue_all();
    cancel_all();
    ck_assert_uint_gt(clean(), 0);
    for (int i = 0; i < 12; i++) {
        pass(HOUR_MS / 2);
        clean();
    }
    store_status_read(shell.store, &status);
    ck_assert_uint_eq(status.history_segments, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker_ids");
    TCase *tcase = tcase_create("ids");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_id_of_a_job_that_waited_longer_than_history_is_kept_is_known_after_a_restart);
    tcase_add_test(tcase, an_id_is_known_after_a_restart_for_the_whole_window_after_the_end);
    tcase_add_test(tcase, ids_do_not_keep_history_for_ever);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
