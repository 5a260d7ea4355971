/* store_room_test.c — a full disk that refuses a name: no failure, and no hole in the journal. A full disk that
 * refuses blocks is store_fault_test.c's. */
#include <errno.h>
#include <stdatomic.h>

#include "broker/store/format.h"
#include "broker/store/store_io.h"
#include "lineward/clock.h"
#include "tests/unit/store_rig.h"

static struct store_io full;
static _Atomic bool blocks_are_out, segment_refused, folder_refused, spare_refused, removing_refused, index_refused;
static _Atomic bool segment_named;

static int full_reserve(void *self, int file, uint64_t bytes)
{
    bool grows = store_io_real.size(NULL, file) < (int64_t)bytes;
    return grows && atomic_load(&blocks_are_out) ? -ENOSPC : store_io_real.reserve(NULL, file, bytes);
}

/* The folder would need a block more: once for a segment's name, always for a spare one's. */
static int full_rename(void *self, const char *from, const char *to)
{
    bool segment = strstr(to, "/data-") != NULL;
    if (segment && atomic_exchange(&segment_refused, false))
        return -ENOSPC;
    if (strstr(to, "/spare-") != NULL && atomic_load(&spare_refused))
        return -ENOSPC;
    int error = store_io_real.rename(NULL, from, to);
    if (error == 0 && segment)
        atomic_store(&segment_named, true);
    return error;
}

static int full_sync_dir(void *self, const char *path)
{
    if (atomic_exchange(&segment_named, false) && atomic_exchange(&folder_refused, false))
        return -ENOSPC;
    return store_io_real.sync_dir(NULL, path);
}

/* Some file systems want a block for that, too. */
static int full_unlink(void *self, const char *path)
{
    return atomic_load(&removing_refused) ? -ENOSPC : store_io_real.unlink(NULL, path);
}

static int full_open(void *self, const char *path, bool create)
{
    bool index = strstr(path, ".idx") != NULL && atomic_load(&index_refused);
    return index ? -ENOSPC : store_io_real.open(NULL, path, create);
}

static void fill_up(void)
{
    full = store_io_real;
    full.reserve = full_reserve;
    full.rename = full_rename;
    full.unlink = full_unlink;
    full.open = full_open;
    full.sync_dir = full_sync_dir;
    watched = &full;
    reopen();
}

static struct store_status status_now(void)
{
    struct store_status status;
    store_status_read(store, &status);
    return status;
}

static void wait_for_reserve(void)
{
    for (unsigned i = 0; i < 5000 && status_now().free_segments < 2; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_ge(status_now().free_segments, 2);
}

/* Submits, and does not wait for longer than a few seconds. */
static enum err commit_soon(void)
{
    uint64_t wanted = store_submit(store, batch), durable = 0;
    enum err err = ERR_NONE;
    for (unsigned i = 0; i < 5000 && err == ERR_NONE && durable < wanted; i++) {
        err = store_collect(store, &durable);
        if (durable < wanted)
            poll(NULL, 0, 1);
    }
    return err == ERR_NONE && durable < wanted ? ERR_FULL : err;
}

static enum err add_jobs(uint64_t first, uint64_t count)
{
    enum err err = ERR_NONE;
    for (uint64_t key = first; key < first + count && err == ERR_NONE; key++) {
        add_job(key, 9000);
        err = commit_soon();
    }
    return err;
}

START_TEST(a_spare_segment_that_could_not_be_named_once_is_not_lost)
{
    fill_up();
    wait_for_reserve();
    atomic_store(&blocks_are_out, true);
    atomic_store(&segment_refused, true);
    enum err err = add_jobs(1, 240);      /* two segments and a bit: the one in use and the reserve are three */
    atomic_store(&blocks_are_out, false); /* or it could not be closed */
    ck_assert_str_eq(err_name(err), "none");
    ck_assert(!atomic_load(&segment_refused));
}
END_TEST

/* Whether the name is there is not known then, and without it the next segment's would follow a hole. */
START_TEST(a_folder_that_could_not_be_synced_stops_the_store_and_not_its_next_start)
{
    fill_up();
    wait_for_reserve();
    atomic_store(&folder_refused, true);
    ck_assert_int_eq(add_jobs(1, 400), ERR_IO);
    store_close(&store);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    ck_assert_int_eq(add_jobs(1000, 400), ERR_NONE);
    reopen();
    check_job(1, 9000);
    check_job(1399, 9000);
}
END_TEST

static enum err clean_two(void)
{
    int64_t now_ms = clock_read().wall_ms;
    uint64_t durable;
    enum err err = ERR_NONE;
    for (unsigned i = 0; i < 3000 && err == ERR_NONE && status_now().cleaned_segments < 2; i++) {
        now_ms += 50;
        store_clean(store, batch, now_ms, 1000);
        store_submit(store, batch);
        err = store_collect(store, &durable);
        poll(NULL, 0, 1);
    }
    return err;
}

START_TEST(a_segment_that_can_not_be_renamed_is_removed)
{
    fill_up();
    ck_assert_int_eq(add_jobs(1, 400), ERR_NONE);
    for (uint64_t key = 1; key <= 270; key++)
        end(key);
    ck_assert_int_eq(commit_soon(), ERR_NONE);
    atomic_store(&spare_refused, true);
    enum err err = clean_two();
    store_problem(store, &problem);
    ck_assert_msg(err == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(status_now().cleaned_segments, 2);
    ck_assert_msg(!has_file("data-0000000000000001.seg"), "it was cleaned, and is still there");
    store_close(&store);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    check_job(400, 9000);
}
END_TEST

/* Before the journal tells of a later one it was left over, and is removed by a start; after that it would count. */
START_TEST(a_file_of_history_that_could_be_neither_filled_nor_removed_keeps_no_start_from_the_store)
{
    fill_up();
    ck_assert_int_eq(add_jobs(1, 400), ERR_NONE);
    for (uint64_t key = 1; key <= 270; key++)
        end(key);
    ck_assert_int_eq(commit_soon(), ERR_NONE);
    wait_for_reserve();
    atomic_store(&removing_refused, true);
    atomic_store(&blocks_are_out, true);
    for (unsigned i = 0; i < 3000 && !has_file("hist-0000000000000001.seg"); i++)
        clean_once();
    ck_assert(has_file("hist-0000000000000001.seg"));
    for (unsigned i = 0; i < 50; i++)
        clean_once();
    atomic_store(&blocks_are_out, false);
    atomic_store(&removing_refused, false);
    ck_assert_int_eq(clean_two(), ERR_NONE);
    ck_assert_uint_ge(status_now().history_segments, 1);
    store_close(&store);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    check_job(400, 9000);
}
END_TEST

/* Else what lies in that segment is searched by lists in memory, and read as a whole by the next start. */
START_TEST(an_index_file_that_there_was_no_room_for_is_made_once_there_is_some)
{
    fill_up();
    atomic_store(&index_refused, true);
    ck_assert_int_eq(add_jobs(1, 200), ERR_NONE);
    for (unsigned i = 0; i < 5000 && status_now().indexing; i++)
        poll(NULL, 0, 1);
    ck_assert(!has_file("data-0000000000000001.idx"));
    atomic_store(&index_refused, false);
    ck_assert_int_eq(add_jobs(201, 200), ERR_NONE);
    for (unsigned i = 0; i < 5000 && !has_file("data-0000000000000001.idx"); i++)
        poll(NULL, 0, 1);
    ck_assert(has_file("data-0000000000000001.idx"));
}
END_TEST

static _Atomic uint64_t reserved;

static int noting_reserve(void *self, int file, uint64_t bytes)
{
    atomic_store(&reserved, bytes);
    return -ENOSPC;
}

static int64_t endless(void *self, const char *path)
{
    return INT64_MAX;
}

/* Else a place in that file, counted in eights by 27 bits, could not say where its end lies. */
START_TEST(the_largest_segment_s_history_fits_a_file_though_all_of_it_is_kept)
{
    struct store_options wanted = options();
    store_close(&store);
    remove_folder();
    full = store_io_real;
    full.reserve = noting_reserve;
    full.free_bytes = endless;
    wanted.io = &full;
    wanted.segment_bytes = SEGMENT_BYTES_MAX;
    ck_assert_int_ne(store_open(&store, &wanted, &opened, &problem), ERR_NONE);
    ck_assert_uint_gt(atomic_load(&reserved), SEGMENT_BYTES_MAX / 100 * 99);
    uint64_t frames = atomic_load(&reserved) / (HISTORY_FRAME_BYTES / 2) + 1; /* two together are more than a full one */
    ck_assert_uint_le(atomic_load(&reserved) + frames * FRAME_HEADER_BYTES, SEGMENT_BYTES_MAX);
    ck_assert_int_eq(open_it(), ERR_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_spare_segment_that_could_not_be_named_once_is_not_lost,
        a_folder_that_could_not_be_synced_stops_the_store_and_not_its_next_start,
        a_segment_that_can_not_be_renamed_is_removed,
        a_file_of_history_that_could_be_neither_filled_nor_removed_keeps_no_start_from_the_store,
        an_index_file_that_there_was_no_room_for_is_made_once_there_is_some,
        the_largest_segment_s_history_fits_a_file_though_all_of_it_is_kept,
    };
    return run_suite("store_room", tests, sizeof tests / sizeof *tests);
}
