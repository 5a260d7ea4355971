/* store_backup_test.c — copying a store that runs: the copy is whole, or there is none. What linewardctl makes of it:
 * ctl_backup_test.c. On real files. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

#include "broker/store/backup.h"
#include "tests/unit/store_rig.h"

#define JOBS      400 /* four segments */
#define JOB_BYTES 9000

static char target[80];

static void path_of(char out[400], const char *where, const char *name)
{
    snprintf(out, 400, "%s/%s", where, name);
}

static bool take_note(void *self, const struct backup_file *file)
{
    return true;
}

static void write_identity(void)
{
    char path[400];
    path_of(path, folder, "identity");
    int identity = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(identity, 0);
    close(identity);
}

static void remove_target(void)
{
    char path[400];
    DIR *dir = opendir(target);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        path_of(path, target, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(target);
}

/* A copy, read back as `linewardctl backup` does; it is gone afterwards. */
static enum err back_up(uint64_t *records, struct store_problem *why)
{
    struct backup_taken taken;
    struct store_check check = {0};
    strcpy(target, "/tmp/lineward-backup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(target));
    enum err err = store_backup(folder, target, take_note, NULL, &taken, why);
    if (err == ERR_NONE)
        err = store_inspect(target, model_kinds, &check, NULL, NULL, NULL, why);
    remove_target();
    *records = check.records;
    return err;
}

static void fill(void)
{
    for (uint64_t key = 1; key <= JOBS; key++) {
        add_job(key, JOB_BYTES);
        commit();
    }
    ck_assert(has_file("data-0000000000000003.seg"));
    write_identity();
}

/* ---- damage that a broker which runs does not notice ---- */

static int open_segment(unsigned number)
{
    char name[64], path[400];
    snprintf(name, sizeof name, "data-%016x.seg", number);
    path_of(path, folder, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    return file;
}

static void flip_byte(int file, off_t at)
{
    char byte;
    ck_assert_int_eq(pread(file, &byte, 1, at), 1);
    byte ^= 0x20;
    ck_assert_int_eq(pwrite(file, &byte, 1, at), 1);
}

static off_t last_byte(int file)
{
    static char bytes[SEGMENT_BYTES];
    ck_assert_int_eq(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    off_t at = sizeof bytes;
    while (at > 0 && bytes[at - 1] == 0)
        at--;
    return at - 1;
}

static void check_refused(void)
{
    uint64_t records;
    enum err err = back_up(&records, &problem);
    ck_assert_msg(err == ERR_DAMAGED, "%s: a backup of %u jobs holds %llu", err_name(err), JOBS,
                  (unsigned long long)records);
    ck_assert_ptr_nonnull(strstr(problem.text, "data-0000000000000001.seg: damaged at offset"));
}

START_TEST(a_backup_does_not_end_at_a_damaged_frame_as_if_nothing_came_after_it)
{
    fill();
    int file = open_segment(1);
    flip_byte(file, 300000); /* in a body */
    close(file);
    check_refused();
}
END_TEST

START_TEST(a_backup_does_not_end_at_a_damaged_seal_as_if_no_segment_came_after_it)
{
    fill();
    int file = open_segment(1);
    flip_byte(file, last_byte(file));
    close(file);
    check_refused();
}
END_TEST

START_TEST(a_frame_that_is_torn_at_the_end_of_the_journal_does_not_stop_a_backup)
{
    uint64_t records;
    add_job(1, JOB_BYTES);
    commit();
    add_job(2, JOB_BYTES);
    commit();
    write_identity();
    int file = open_segment(1);
    flip_byte(file, last_byte(file));
    close(file);
    ck_assert_msg(back_up(&records, &problem) == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(records, 1);
}
END_TEST

/* ---- a broker that goes on meanwhile ---- */

static _Atomic bool copying;
static uint64_t copied; /* records */

static void *copy_again_and_again(void *why)
{
    uint64_t before;
    do {
        before = copied;
    } while (back_up(&copied, why) == ERR_NONE && copied >= before && copied < 3000);
    atomic_store(&copying, false);
    return NULL;
}

START_TEST(a_store_that_is_written_to_meanwhile_is_not_taken_for_a_damaged_one)
{
    pthread_t copier;
    struct store_problem why = {""};
    write_identity();
    atomic_store(&copying, true);
    ck_assert_int_eq(pthread_create(&copier, NULL, copy_again_and_again, &why), 0);
    for (uint64_t key = 1; atomic_load(&copying); key = key % 1000 + 1) {
        add_job(key, key % 7 * 1000);
        commit();
    }
    pthread_join(copier, NULL);
    ck_assert_msg(copied >= 3000, "%s", why.text);
}
END_TEST

/* ---- a disk that becomes full meanwhile ---- */

static _Atomic bool room_is_out;

/* The system's. */
int statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = 4096, .f_bavail = atomic_load(&room_is_out) ? 1 : 1 << 20};
    return 0;
}

static unsigned data_copied, data_room; /* of its files; for so many there is room */

static bool lose_room(void *self, const struct backup_file *file)
{
    data_copied += strncmp(file->name, "data-", 5) == 0;
    atomic_store(&room_is_out, data_copied == data_room);
    return true;
}

static enum err back_up_with_room(unsigned data_files)
{
    struct backup_taken taken;
    strcpy(target, "/tmp/lineward-backup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(target));
    data_copied = 0;
    data_room = data_files;
    enum err err = store_backup(folder, target, lose_room, NULL, &taken, &problem);
    remove_target();
    return err;
}

/* For as long as it copies nothing is cleaned. */
START_TEST(a_backup_is_given_up_when_the_broker_needs_the_room_though_only_history_is_left)
{
    fill_segments();
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(files_named("hist-"), 1);
    write_identity();
    ck_assert_msg(back_up_with_room(UINT_MAX) == ERR_NONE, "%s", problem.text);
    for (unsigned files = data_copied; files > 0; files--)
        ck_assert_int_eq(back_up_with_room(files), ERR_FULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_backup_does_not_end_at_a_damaged_frame_as_if_nothing_came_after_it,
        a_backup_does_not_end_at_a_damaged_seal_as_if_no_segment_came_after_it,
        a_frame_that_is_torn_at_the_end_of_the_journal_does_not_stop_a_backup,
        a_store_that_is_written_to_meanwhile_is_not_taken_for_a_damaged_one,
        a_backup_is_given_up_when_the_broker_needs_the_room_though_only_history_is_left,
    };
    return run_suite("store_backup", tests, sizeof tests / sizeof *tests);
}
