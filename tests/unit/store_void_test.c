/* store_void_test.c — a batch whose end was never written is void, and stays so; a whole one is not taken for it. On real
 * files. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "broker/store/store_io.h"
#include "tests/unit/store_rig.h"

static void remove_index_files(void)
{
    char name[64];
    for (unsigned number = 0; number < 40; number++) {
        snprintf(name, sizeof name, "data-%016x.idx", number);
        remove_file(name);
    }
}

/* As a broker that dies before it has written these, or the index files of those before them. */
static void open_without_segments_from(unsigned first)
{
    char name[64];
    store_close(&store);
    remove_index_files();
    for (unsigned number = first; number < 40; number++) {
        snprintf(name, sizeof name, "data-%016x.seg", number);
        remove_file(name);
    }
    ck_assert_int_eq(open_it(), ERR_NONE);
}

/* Some segments are all of a batch whose end was never written; their index files are made when its number is in use
 * again. Found by the simulation. */
START_TEST(what_a_batch_of_several_segments_left_unfinished_stays_void_with_index_files_too)
{
    for (uint64_t key = 1; key <= 60; key++)
        add_job(key, 100000);
    commit();
    open_without_segments_from(5);
    ck_assert_uint_eq(opened.records, 0);
    add_job(100, 10);
    ck_assert_uint_eq(commit(), 1);
    for (unsigned tries = 0; tries < 2000 && !has_file("data-0000000000000003.idx"); tries++)
        poll(NULL, 0, 1);
    reopen();
    ck_assert_uint_eq(opened.records, 1);
    check_job(100, 10);
}
END_TEST

static void clean_until_gone(const char *name)
{
    for (unsigned tries = 0; tries < 20000 && has_file(name); tries++) {
        store_clean(store, batch, 1000 * (int64_t)tries, 1000000);
        commit();
        poll(NULL, 0, 1);
    }
    ck_assert(!has_file(name));
}

/* The start after that knows the segment from its index file only, and cleaning reads it itself. Found by the simulation:
 * a job that was never acknowledged was history all at once, and its producer, who handed it in again, heard of a
 * duplicate. */
START_TEST(what_was_left_unfinished_stays_void_when_it_is_cleaned_after_another_restart)
{
    add_job(1, 100000);
    commit();
    for (uint64_t key = 2; key <= 60; key++)
        add_job(key, 100000);
    commit();
    open_without_segments_from(3);
    ck_assert_uint_eq(opened.records, 1);
    add_job(100, 10);
    ck_assert_uint_eq(commit(), 2);
    for (unsigned tries = 0; tries < 2000 && !has_file("data-0000000000000002.idx"); tries++)
        poll(NULL, 0, 1);
    ck_assert(has_file("data-0000000000000001.idx"));
    reopen();
    end(1);
    clean_until_gone("data-0000000000000001.seg");
    clean_until_gone("data-0000000000000002.seg");
    reopen();
    for (uint64_t key = 2; key <= 60; key++)
        ck_assert_uint_eq(owner.places[key], 0);
    check_job(100, 10);
}
END_TEST

/* What a segment begins only the next one can say to be whole: a backup has no index files, and a broker may be killed
 * before one is made. Found by the simulation. */
START_TEST(a_segment_that_ends_an_earlier_ones_batch_is_not_given_back_before_it)
{
    for (uint64_t key = 1; key <= 18; key++)
        add_job(key, 100000);
    commit();
    for (uint64_t key = 100; key <= 140; key++) {
        add_job(key, 100000);
        commit();
    }
    for (uint64_t key = 11; key <= 18; key++) /* all that the second segment holds of it */
        end(key);
    for (uint64_t key = 100; key <= 140; key++)
        end(key);
    clean_until_gone("data-0000000000000002.seg");
    store_close(&store);
    remove_index_files();
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    for (uint64_t key = 1; key <= 10; key++)
        check_job(key, 100000);
}
END_TEST

/* ---- a segment in use in which a batch was torn, and that is gone on with ---- */

static struct store_io torn;
static _Atomic int writes_let; /* < 0: any number */
static _Atomic unsigned frame_wait_ms;

static int64_t counted_write(void *self, int file, const struct iovec *parts, int count, uint64_t offset)
{
    if (atomic_load(&writes_let) == 0)
        return -EIO;
    if (count == 3) /* a frame */
        poll(NULL, 0, (int)atomic_load(&frame_wait_ms));
    if (atomic_load(&writes_let) > 0)
        atomic_fetch_sub(&writes_let, 1);
    return store_io_real.pwritev(NULL, file, parts, count, offset);
}

static void wait_for_reserve(void)
{
    struct store_status status = {0};
    for (unsigned tries = 0; tries < 5000 && status.free_segments < 2; tries++) {
        store_status_read(store, &status);
        poll(NULL, 0, 1);
    }
    ck_assert_uint_ge(status.free_segments, 2);
    poll(NULL, 0, 50);
}

static void watch_writes(void)
{
    torn = store_io_real;
    torn.pwritev = counted_write;
    atomic_store(&writes_let, -1);
    atomic_store(&frame_wait_ms, 0);
    watched = &torn;
    reopen();
}

static void wait_for_file(const char *name)
{
    for (unsigned tries = 0; tries < 5000 && !has_file(name); tries++)
        poll(NULL, 0, 1);
    ck_assert(has_file(name));
}

/* The first part of a batch is on the disk, its second never comes there. */
static void tear_a_batch(void)
{
    uint64_t durable;
    watch_writes();
    add_job(1, 100000);
    commit();
    wait_for_reserve();
    atomic_store(&writes_let, 1);
    add_job(2, 500000);
    add_job(3, 600000);
    store_submit(store, batch);
    for (unsigned tries = 0; tries < 5000 && store_collect(store, &durable) == ERR_NONE; tries++)
        poll(NULL, 0, 1);
    ck_assert_int_eq(store_collect(store, &durable), ERR_IO); /* the machine is off */
    watched = NULL;
    reopen();
    ck_assert_uint_eq(owner.replayed, 1);
}

/* The last batch in the segment is one of two parts again: whole, acknowledged. */
static void tear_and_go_on(void)
{
    tear_a_batch();
    add_job(100, 10);
    commit();
    for (uint64_t key = 10; key <= 12; key++)
        add_job(key, 200000);
    commit();
    for (uint64_t key = 10; key <= 12; key++)
        check_job(key, 200000);
    wait_for_file("data-0000000000000001.idx");
}

START_TEST(a_whole_batch_at_the_end_of_a_segment_in_which_one_was_torn_is_there_after_a_restart)
{
    tear_and_go_on();
    reopen();
    check_job(1, 100000);
    check_job(100, 10);
    ck_assert_uint_ne(owner.places[10], 0);
    ck_assert_uint_ne(owner.places[11], 0);
    for (uint64_t key = 10; key <= 12; key++)
        check_job(key, 200000);
}
END_TEST

START_TEST(a_whole_batch_at_the_end_of_a_segment_in_which_one_was_torn_outlives_cleaning)
{
    tear_and_go_on();
    for (uint64_t key = 200; key < 209; key++) { /* two segments more, which die */
        add_job(key, 200000);
        commit();
    }
    for (uint64_t key = 200; key < 209; key++)
        end(key);
    end(1);
    commit();
    clean_until_gone("data-0000000000000001.seg");
    for (uint64_t key = 10; key <= 12; key++)
        check_job(key, 200000);
}
END_TEST

/* The helper has looked for segments without one before that. */
START_TEST(a_segment_whose_last_batch_ends_in_the_next_one_has_its_index_file_when_that_is_durable)
{
    watch_writes();
    wait_for_reserve();
    atomic_store(&frame_wait_ms, 300); /* the disk is slow with these only */
    for (uint64_t key = 10; key <= 16; key++)
        add_job(key, 200000);
    commit();
    wait_for_file("data-0000000000000001.idx");
    atomic_store(&frame_wait_ms, 0);
}
END_TEST

/* ---- a batch of which only the first part is on the disk ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moves = PTHREAD_COND_INITIALIZER;
static unsigned syncs_let, syncs_asked;
static bool gated, then_fails;

static int gated_sync(void *self, int file)
{
    pthread_mutex_lock(&gate);
    bool holds = gated;
    if (holds) {
        syncs_asked++;
        pthread_cond_broadcast(&gate_moves);
        while (gated && syncs_let < syncs_asked)
            pthread_cond_wait(&gate_moves, &gate);
    }
    bool fails = holds && then_fails && syncs_asked > 1;
    pthread_mutex_unlock(&gate);
    return fails ? -EIO : store_io_real.sync(NULL, file);
}

static void open_gate(bool fail)
{
    pthread_mutex_lock(&gate);
    then_fails = fail;
    gated = false;
    pthread_cond_broadcast(&gate_moves);
    pthread_mutex_unlock(&gate);
}

/* Twenty jobs are durable; of a hundred more, one batch, those that the segment has room for are synced, and what follows
 * (a seal, then the rest) waits for its sync. */
static void write_half_a_batch(void)
{
    torn = store_io_real;
    torn.sync = gated_sync;
    watched = &torn;
    reopen();
    for (uint64_t key = 1; key <= 20; key++)
        add_job(key, 9000);
    commit();
    wait_for_reserve();
    pthread_mutex_lock(&gate);
    gated = true;
    syncs_let = 1;
    syncs_asked = 0;
    pthread_mutex_unlock(&gate);
    for (uint64_t key = 100; key < 220; key++)
        add_job(key, 9000);
    store_submit(store, batch);
    pthread_mutex_lock(&gate);
    while (syncs_asked < 2)
        pthread_cond_wait(&gate_moves, &gate);
    pthread_mutex_unlock(&gate);
}

static bool count_found(void *self, const struct store_record *record)
{
    ++*(unsigned *)self;
    return true;
}

static unsigned events_told(void)
{
    unsigned told = 0;
    uint64_t oldest;
    ck_assert_int_eq(store_events(store, 21, 1000, &oldest, count_found, &told), ERR_NONE);
    ck_assert_uint_eq(oldest, 2);
    return told;
}

static unsigned jobs_found(uint64_t key)
{
    unsigned found = 0;
    ck_assert_int_eq(store_find(store, MODEL_JOB, key, count_found, &found), ERR_NONE);
    return found;
}

static void check_half_is_untold(void)
{
    ck_assert_uint_eq(events_told(), 0);
    ck_assert_uint_eq(jobs_found(100), 0);
    ck_assert_uint_eq(jobs_found(20), 1);
    ck_assert_uint_eq(store_durable_seq(store), 21);
}

START_TEST(events_of_a_batch_that_is_not_durable_are_told_to_nobody)
{
    write_half_a_batch();
    uint64_t before = store_durable(store);
    check_half_is_untold();
    open_gate(false);
    commit();
    ck_assert_uint_eq(store_durable(store), before + 1);
    ck_assert_uint_eq(events_told(), 120);
    ck_assert_uint_eq(jobs_found(100), 1);
    ck_assert_uint_eq(store_durable_seq(store), 220);
}
END_TEST

/* Its numbers are used again; what lies behind the newest one that counts is not durable. */
START_TEST(numbers_of_a_batch_that_was_never_whole_are_not_called_durable_after_a_restart)
{
    write_half_a_batch();
    open_gate(true);
    store_close(&store);
    watched = NULL;
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(owner.last_seq, 21);
    check_half_is_untold();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_a_batch_of_several_segments_left_unfinished_stays_void_with_index_files_too,
        what_was_left_unfinished_stays_void_when_it_is_cleaned_after_another_restart,
        a_segment_that_ends_an_earlier_ones_batch_is_not_given_back_before_it,
        a_whole_batch_at_the_end_of_a_segment_in_which_one_was_torn_is_there_after_a_restart,
        a_whole_batch_at_the_end_of_a_segment_in_which_one_was_torn_outlives_cleaning,
        a_segment_whose_last_batch_ends_in_the_next_one_has_its_index_file_when_that_is_durable,
        events_of_a_batch_that_is_not_durable_are_told_to_nobody,
        numbers_of_a_batch_that_was_never_whole_are_not_called_durable_after_a_restart,
    };
    return run_suite("store_void", tests, sizeof tests / sizeof *tests);
}
