/* store_void_test.c — a batch whose end was never written is void, and stays so; a whole one is not taken for it. On real
 * files. */
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

static struct store_io torn;
static _Atomic unsigned frame_wait_ms;

static int64_t counted_write(void *self, int file, const struct iovec *parts, int count, uint64_t offset)
{
    if (count == 3) /* a frame */
        poll(NULL, 0, (int)atomic_load(&frame_wait_ms));
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

int main(void)
{
    const TTest *const tests[] = {
        what_a_batch_of_several_segments_left_unfinished_stays_void_with_index_files_too,
        what_was_left_unfinished_stays_void_when_it_is_cleaned_after_another_restart,
        a_segment_that_ends_an_earlier_ones_batch_is_not_given_back_before_it,
        a_segment_whose_last_batch_ends_in_the_next_one_has_its_index_file_when_that_is_durable,
    };
    return run_suite("store_void", tests, sizeof tests / sizeof *tests);
}
