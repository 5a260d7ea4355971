/* linewardctl backup and restore: what is copied is checked, and what is not whole, not empty or not what it was is
 * refused. A broker that runs meanwhile: tests/process/backup_test.c. */
#include <dirent.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/store/restored.h"
#include "lineward/clock.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl_run.h"
#include "tests/unit/ctl_store.h"

#define JOBS 3

static char folder[64], backup[96], target[96];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static const char *in(const char *where, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", where, name);
    return path;
}

/* Three jobs, one of which has ended. */
static void fill(struct store *store)
{
    struct store_batch *batch = store_batch_new();
    for (uint64_t number = 1; number <= JOBS; number++) {
        struct change job = {.kind = CHANGE_JOB,
                             .job = {.number = number, .accepted_at_ms = 1764000000000 + (int64_t)number}};
        ck_assert_int_eq(record_add(batch, &job), ERR_NONE);
    }
    struct change end = {.kind = CHANGE_END, .end = {.number = 1, .state = JOB_SENT}};
    ck_assert_int_eq(record_add(batch, &end), ERR_NONE);
    store_submit(store, batch);
    store_batch_free(&batch);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "%s", "/tmp/lineward-ctl-backup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(store_path, sizeof store_path, "%s/data", folder);
    snprintf(backup, sizeof backup, "%s/backup", folder);
    snprintf(target, sizeof target, "%s/new", folder);
    struct store *store = open_store();
    fill(store);
    store_close(&store);
    write_file(in(store_path, "identity"), "00112233445566778899aabbccddeeff\n");
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir))
        unlink(in(path, entry->d_name));
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static void teardown(void)
{
    remove_all(store_path);
    remove_all(backup);
    remove_all(target);
    rmdir(folder);
    said_free();
}

static void make_backup(void)
{
    RUN(W("backup"), backup, W("--store"), store_path);
    ck_assert_msg(said.code == EXIT_DONE, "%s%s", said.out, said.err);
}

static void restore_is_refused(const char *word)
{
    RUN(W("restore"), backup, W("--to"), target);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, word);
}

START_TEST(a_backup_says_what_it_holds_and_can_be_restored)
{
    make_backup();
    assert_says(said.out, "2 jobs wait, the oldest accepted at 2025-11-24T16:00:00.002Z");
    RUN(W("restore"), backup, W("--to"), target, W("--dry-run"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.err, "2 jobs wait in it");
    ck_assert_int_ne(access(target, F_OK), 0);
    RUN(W("restore"), backup, W("--to"), target);
    ck_assert_msg(said.code == EXIT_DONE, "%s%s", said.out, said.err);
    ck_assert_int_eq(access(in(target, "identity"), F_OK), 0);
    ck_assert_int_eq(access(in(target, "restored"), F_OK), 0);
    ck_assert_int_eq(access(in(target, "lock"), F_OK), 0); /* a broker may hold it by now: it is not taken away */
    ck_assert_int_ne(access(in(backup, "lock"), F_OK), 0);
    RUN("store", W("check"), target);
    ck_assert_msg(said.code == EXIT_DONE, "%s%s", said.out, said.err);
    assert_says(said.out, "4 records");
}
END_TEST

START_TEST(a_store_in_use_is_backed_up_with_what_was_durable)
{
    struct store *store = open_store();
    struct store_batch *batch = store_batch_new();
    struct change job = {.kind = CHANGE_JOB, .job = {.number = 9, .accepted_at_ms = 1764000009000}};
    ck_assert_int_eq(record_add(batch, &job), ERR_NONE);
    uint64_t commit = store_submit(store, batch), durable = 0;
    while (durable < commit)
        ck_assert_int_eq(store_collect(store, &durable), ERR_NONE);
    make_backup();
    assert_says(said.out, "3 jobs wait");
    store_batch_free(&batch);
    store_close(&store);
}
END_TEST

START_TEST(what_is_private_stays_private)
{
    struct stat found;
    make_backup();
    ck_assert_int_eq(stat(backup, &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(in(backup, "identity"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(in(backup, "manifest.json"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_folder_that_has_something_in_it_is_left_alone)
{
    mkdir(backup, 0700);
    write_file(in(backup, "mine"), "mine");
    RUN(W("backup"), backup, W("--store"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "not_empty");
    unlink(in(backup, "mine"));
    make_backup();
    mkdir(target, 0700);
    write_file(in(target, "mine"), "mine");
    restore_is_refused("not_empty");
    ck_assert_int_ne(access(in(target, "store"), F_OK), 0);
}
END_TEST

/* What destroys the store's folder would take the backup with it. */
START_TEST(a_backup_is_not_made_in_the_store_s_own_folder)
{
    char inside[128], link[128], around[160];
    snprintf(inside, sizeof inside, "%s/backup", store_path);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(around, sizeof around, "%s/link/backup/", folder);
    ck_assert_int_eq(symlink(store_path, link), 0);
    const char *const targets[] = {inside, around};
    for (int made = 0; made < 2; made++) {
        for (size_t i = 0; i < 2; i++) {
            RUN(W("backup"), W(targets[i]), W("--store"), store_path);
            ck_assert_int_eq(said.code, EXIT_REFUSED);
            assert_says(said.err, "within the store's folder");
        }
        if (made == 0)
            ck_assert_int_eq(mkdir(inside, 0700), 0); /* it was not */
    }
    rmdir(inside);
    unlink(link);
    snprintf(backup, sizeof backup, "%s/data-2", folder); /* a name that only begins alike */
    make_backup();
}
END_TEST

START_TEST(a_backup_that_is_not_whole_is_refused)
{
    make_backup();
    write_file(in(backup, "identity"), "10112233445566778899aabbccddeeff\n");
    restore_is_refused("damaged");
    ck_assert_int_ne(access(in(target, "store"), F_OK), 0); /* no broker takes that for a store */
    remove_all(target);
    unlink(in(backup, "identity"));
    restore_is_refused("identity");
    remove_all(target);
    unlink(in(backup, "manifest.json"));
    restore_is_refused("one that was not finished");
    ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

#define HEAD                                                                                                         \
    "{\"lineward_backup\":1,\"taken_at\":\"2026-11-27T10:00:00.000Z\","                                                  \
    "\"holds\":{\"jobs\":0,\"scheduled\":0,\"tried\":0,\"oldest_at\":null},\"files\":"

START_TEST(a_manifest_cannot_name_what_lies_elsewhere)
{
    static const char elsewhere[] =
        HEAD "[{\"name\":\"../store\",\"bytes\":1,\"size\":1,\"xxh3_128\":\"00000000000000000000000000000000\"}]}";
    static const char nothing[] = HEAD "[]}";
    static const char *const wrong[] = {
        elsewhere, nothing, "{\"lineward_backup\":2}", "{}", "[]", "{", "{\"lineward_backup\":1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        mkdir(backup, 0700);
        write_file(in(backup, "manifest.json"), wrong[i]);
        restore_is_refused("damaged");
        ck_assert_int_ne(access(target, F_OK), 0);
    }
}
END_TEST

START_TEST(a_manifest_says_how_many_jobs_wait)
{
    char text[2048] = "", *jobs;
    make_backup();
    FILE *file = fopen(in(backup, "manifest.json"), "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    ck_assert_ptr_nonnull(jobs = strstr(text, "\"jobs\""));
    jobs[1] = 'J';
    write_file(in(backup, "manifest.json"), text);
    restore_is_refused("is no backup's manifest");
}
END_TEST

START_TEST(a_damaged_store_gives_no_backup)
{
    FILE *file = fopen(in(store_path, "data-0000000000000001.seg"), "r+");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_SET);
    fputc('x', file);
    fclose(file);
    RUN(W("backup"), backup, W("--store"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_int_ne(access(in(backup, "manifest.json"), F_OK), 0);
}
END_TEST

/* Restored, and before a broker has started on it backed up and restored once more (another machine, or the first start
 * failed): what waits may have been sent since the FIRST backup was taken. */
START_TEST(a_backup_of_a_store_that_was_restored_and_not_started_is_as_old_as_the_first)
{
    char again[120], there[120], text[128];
    struct restored found = {0};
    int64_t first_ms = clock_read().wall_ms - 5 * INT64_C(86400000);
    snprintf(again, sizeof again, "%s/backup2", folder);
    snprintf(there, sizeof there, "%s/new2", folder);
    make_backup();
    RUN(W("restore"), backup, W("--to"), target);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    snprintf(text, sizeof text, "lineward restored 1\ntaken_ms %" PRId64 "\nkey_life_ms 86400000\n", first_ms);
    write_file(in(target, "restored"), text); /* as if it had been taken five days ago */
    RUN(W("backup"), again, W("--store"), target);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    RUN(W("restore"), again, W("--to"), there);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    enum err err = restored_read(there, &found);
    remove_all(again);
    remove_all(there);
    ck_assert_int_eq(err, ERR_NONE);
    ck_assert_msg(found.taken_ms <= first_ms,
                  "what may have been sent for five days is taken for sent since %" PRId64 " ms ago: it goes out again",
                  clock_read().wall_ms - found.taken_ms);
}
END_TEST

START_TEST(where_the_store_is_must_be_said)
{
    RUN(W("backup"), backup);
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN(W("restore"), backup);
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN(W("restore"), backup, W("--to"), target, W("--key-life"), W("long"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_backup");
    TCase *tc = tcase_create("backup");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_backup_says_what_it_holds_and_can_be_restored);
    tcase_add_test(tc, a_backup_of_a_store_that_was_restored_and_not_started_is_as_old_as_the_first);
    tcase_add_test(tc, a_store_in_use_is_backed_up_with_what_was_durable);
    tcase_add_test(tc, what_is_private_stays_private);
    tcase_add_test(tc, a_folder_that_has_something_in_it_is_left_alone);
    tcase_add_test(tc, a_backup_is_not_made_in_the_store_s_own_folder);
    tcase_add_test(tc, a_backup_that_is_not_whole_is_refused);
    tcase_add_test(tc, a_manifest_cannot_name_what_lies_elsewhere);
    tcase_add_test(tc, a_manifest_says_how_many_jobs_wait);
    tcase_add_test(tc, a_damaged_store_gives_no_backup);
    tcase_add_test(tc, where_the_store_is_must_be_said);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
