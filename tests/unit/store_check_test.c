/* store_check_test.c — what stops the start is found by `linewardctl store check`, too: backups are verified by it.
 */
#include <errno.h>
#include <fcntl.h>

#include "broker/store/batch.h"
#include "tests/unit/store_rig.h"

static void path_of(char out[400], const char *name)
{
    snprintf(out, 400, "%s/%s", folder, name);
}

static void flip_byte(const char *name, off_t at)
{
    char path[400], byte;
    path_of(path, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pread(file, &byte, 1, at), 1);
    byte ^= 0x20;
    ck_assert_int_eq(pwrite(file, &byte, 1, at), 1);
    close(file);
}

static enum err check_folder(void)
{
    struct store_check check;
    return store_inspect(folder, model_kinds, &check, NULL, NULL, NULL, &problem);
}

static void make_history(void)
{
    fill_segments();
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(files_named("hist-"), 1);
    store_close(&store);
    ck_assert_msg(check_folder() == ERR_NONE, "%s", problem.text);
}

static void check_finds_what_stops_the_start(const char *what)
{
    enum err checked = check_folder();
    ck_assert_ptr_nonnull(strstr(problem.text, what));
    ck_assert_int_eq(checked, ERR_DAMAGED);
    ck_assert_int_eq(open_it(), ERR_DAMAGED);
    ck_assert_ptr_nonnull(strstr(problem.text, what));
}

START_TEST(a_history_file_that_is_missing_is_found)
{
    make_history();
    remove_file("hist-0000000000000001.seg");
    check_finds_what_stops_the_start("hist-0000000000000001.seg: damaged at offset 0: the file is missing");
}
END_TEST

START_TEST(a_damaged_header_of_history_is_found)
{
    make_history();
    flip_byte("hist-0000000000000001.seg", 20);
    check_finds_what_stops_the_start("hist-0000000000000001.seg: damaged at offset 0: unreadable header");
}
END_TEST

START_TEST(a_data_file_that_became_shorter_is_found)
{
    char path[400];
    add_job(1, 100);
    commit();
    store_close(&store);
    path_of(path, "data-0000000000000001.seg");
    ck_assert_int_eq(truncate(path, 512 * 1024), 0);
    check_finds_what_stops_the_start("the file has not its full length");
}
END_TEST

/* Nor is what would not stop it: history that was dropped, and was the newest, has no file. */
START_TEST(history_that_was_dropped_is_not_missing)
{
    make_history();
    ck_assert_int_eq(open_it(), ERR_NONE);
    cleaned_ms += 3 * 3600 * 1000;
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(files_named("hist-"), 0);
    store_close(&store);
    ck_assert_msg(check_folder() == ERR_NONE, "%s", problem.text);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
}
END_TEST

static bool says_history_end(void)
{
    for (size_t at = 0; at < batch->used;) {
        const struct record *record = (const struct record *)(batch->bytes + at);
        if (record->kind == KIND_HISTORY_END)
            return true;
        at += record_room(record);
    }
    return false;
}

static void remove_data(uint64_t from, const char *ending)
{
    char name[64];
    for (uint64_t number = from; number < from + 40; number++) {
        snprintf(name, sizeof name, "data-%016llx.%s", (unsigned long long)number, ending);
        remove_file(name);
    }
}

/* Nor history that a batch tells of of which only the first part was written: the start removes it. */
START_TEST(history_of_a_batch_that_was_never_whole_is_not_missing)
{
    fill_segments();
    for (unsigned i = 0; i < 3000 && !says_history_end(); i++) {
        commit();
        poll(NULL, 0, 1);
        store_clean(store, batch, cleaned_ms + 50 * i, 1000);
    }
    ck_assert(says_history_end());
    for (uint64_t key = 1000; key < 1040; key++)
        add_job(key, 200000);
    commit();
    uint64_t first = place_tag(owner.places[1000]) / 2; /* the segment that holds its first part */
    store_close(&store);
    remove_data(first + 1, "seg");
    remove_data(1, "idx");
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(files_named("hist-"), 0);
    store_close(&store);
    ck_assert_msg(check_folder() == ERR_NONE, "%s", problem.text);
}
END_TEST

/* A broker that runs finds it too, when it cleans, and goes on; but somebody must hear of it. */
START_TEST(damage_that_cleaning_finds_is_told)
{
    fill_segments();
    ck_assert_uint_eq(store_damaged(store, &problem), 0);
    flip_byte("data-0000000000000001.seg", 300000);
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(store_damaged(store, &problem), 1);
    ck_assert_ptr_nonnull(strstr(problem.text, "data-0000000000000001.seg: damaged or unreadable at offset"));
    ck_assert(has_file("data-0000000000000001.seg"));
}
END_TEST

static bool count_event(void *self, const struct store_record *record)
{
    (*(unsigned *)self)++;
    return true;
}

/* Else nobody would ever hear of anything that was said after it. */
START_TEST(an_event_whose_record_is_damaged_is_left_out_and_told_and_all_others_are_found)
{
    uint64_t oldest;
    unsigned count = 0;
    fill_segments();
    flip_byte("data-0000000000000001.seg", 300000); /* within one job's body */
    ck_assert_int_eq(store_events(store, 0, 400, &oldest, count_event, &count), ERR_NONE);
    ck_assert_uint_eq(count, 399);
    count = 0;
    ck_assert_int_eq(store_events(store, 0, 300, &oldest, count_event, &count), ERR_NONE);
    ck_assert_uint_eq(count, 300); /* a page is as full as it can be */
    ck_assert_uint_eq(store_damaged(store, &problem), 1);
    ck_assert_ptr_nonnull(strstr(problem.text, "data-0000000000000001.seg: damaged or unreadable at offset"));
}
END_TEST

/* What is asked for by key, or by place, fails without a word of why: that must come from here. */
static void damage_is_told(bool by_place)
{
    unsigned damaged = 0, found = 0;
    fill_segments();
    flip_byte("data-0000000000000001.seg", 300000); /* within one job's body */
    for (uint64_t key = 1; key <= 400; key++) {
        struct store_record record = {0};
        damaged += (by_place ? store_read(store, owner.places[key], &record)
                             : store_find(store, MODEL_JOB, key, count_event, &found)) == ERR_DAMAGED;
        store_record_free(&record);
    }
    ck_assert_uint_eq(damaged, 1);
    ck_assert_uint_eq(store_damaged(store, &problem), 1);
    ck_assert_ptr_nonnull(strstr(problem.text, "data-0000000000000001.seg: damaged or unreadable at offset"));
}

START_TEST(a_record_that_is_damaged_when_it_is_asked_for_by_key_is_told)
{
    damage_is_told(false);
}
END_TEST

START_TEST(a_record_that_is_damaged_when_it_is_asked_for_by_place_is_told)
{
    damage_is_told(true);
}
END_TEST

/* Of what has a key, all that can be read is shown: a page of the audit needs 256 records under one. */
START_TEST(of_a_key_all_records_but_the_damaged_one_are_found)
{
    unsigned count = 0;
    uint64_t places[3];
    for (unsigned i = 0; i < 3; i++) {
        add_job(1007, 1000 + i);
        commit();
        places[i] = owner.places[1007];
    }
    fill_segments();
    flip_byte("data-0000000000000001.seg", (off_t)place_offset(places[1]) + 500);
    ck_assert_int_eq(store_find(store, MODEL_JOB, 1007, count_event, &count), ERR_DAMAGED);
    ck_assert_uint_eq(count, 2);
}
END_TEST

static struct store_io worn; /* a disk that cannot read a part of the first segment */
static int worn_file = -1;

static int worn_open(void *self, const char *path, bool create)
{
    int file = store_io_real.open(self, path, create);
    if (strstr(path, "data-0000000000000001.seg") != NULL)
        worn_file = file;
    return file;
}

static int64_t worn_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    bool hit = file == worn_file && offset <= 300000 && offset + bytes > 300000;
    return hit ? -EIO : store_io_real.pread(self, file, out, bytes, offset);
}

START_TEST(a_segment_that_the_disk_can_not_read_keeps_no_other_from_being_cleaned_and_is_told)
{
    struct store_status status;
    fill_segments();
    ck_assert(has_file("data-0000000000000003.seg"));
    for (unsigned i = 0; i < 3000 && !has_file("data-0000000000000001.idx"); i++)
        poll(NULL, 0, 1);
    worn = store_io_real;
    worn.open = worn_open;
    worn.pread = worn_pread;
    watched = &worn;
    reopen();
    for (uint64_t key = 1; key <= 270; key++)
        owner.dead[key] = true;
    for (unsigned rests = 0; rests < 10 && store_damaged(store, &problem) == 0; rests++) /* as many as it tries, at most */
        ck_assert(cleaning_comes_to_rest());
    store_status_read(store, &status);
    ck_assert_uint_ge(status.cleaned_segments, 1); /* the second one */
    ck_assert_uint_eq(store_damaged(store, &problem), 1);
    ck_assert_ptr_nonnull(strstr(problem.text, "data-0000000000000001.seg: damaged or unreadable at offset"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_history_file_that_is_missing_is_found,
        a_damaged_header_of_history_is_found,
        a_data_file_that_became_shorter_is_found,
        history_that_was_dropped_is_not_missing,
        history_of_a_batch_that_was_never_whole_is_not_missing,
        damage_that_cleaning_finds_is_told,
        an_event_whose_record_is_damaged_is_left_out_and_told_and_all_others_are_found,
        a_record_that_is_damaged_when_it_is_asked_for_by_key_is_told,
        a_record_that_is_damaged_when_it_is_asked_for_by_place_is_told,
        of_a_key_all_records_but_the_damaged_one_are_found,
        a_segment_that_the_disk_can_not_read_keeps_no_other_from_being_cleaned_and_is_told,
    };
    return run_suite("store_check", tests, sizeof tests / sizeof *tests);
}
