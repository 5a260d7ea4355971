/* store_open_test.c — who may open a store, and what can be read of a stopped one. On real files. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/store_rig.h"

/* ---- who may open it ---- */

START_TEST(a_second_broker_is_refused_with_the_pid_of_the_first)
{
    struct store_options wanted = options();
    struct store *second = NULL;
    struct store_opened facts;
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    add_job(1, 10);
    commit();
    ck_assert_int_eq(store_open(&second, &wanted, &facts, &problem), ERR_BUSY);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(problem.text, pid));
    struct store_check check;
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, NULL, NULL, NULL, &problem), ERR_BUSY);
    check_job(1, 10); /* the first goes on */
    add_job(2, 10);
    commit();
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

/* Names, sizes and times of change of all files, as one number. */
static uint64_t fingerprint(void)
{
    uint64_t sum = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[400];
        struct stat stat_now;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ck_assert_int_eq(stat(path, &stat_now), 0);
        if (S_ISREG(stat_now.st_mode))
            sum += (uint64_t)stat_now.st_ino * 31 + (uint64_t)stat_now.st_size * 7 +
                   (uint64_t)stat_now.st_mtim.tv_nsec + (uint64_t)stat_now.st_mtim.tv_sec;
    }
    closedir(dir);
    return sum;
}

START_TEST(a_newer_format_is_refused_and_not_touched)
{
    add_job(1, 10);
    commit();
    store_close(&store);
    write_file("store", "lineward store 2\nand whatever a later version writes here\n");
    uint64_t before = fingerprint();
    ck_assert_int_eq(open_it(), ERR_TOO_NEW);
    ck_assert_ptr_nonnull(strstr(problem.text, "newer"));
    ck_assert_uint_eq(fingerprint(), before);
    struct store_check check;
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, NULL, NULL, NULL, &problem), ERR_TOO_NEW);
    ck_assert_uint_eq(fingerprint(), before);
}
END_TEST

START_TEST(segments_without_their_store_file_are_not_taken_for_a_new_store)
{
    char path[400];
    add_job(1, 10);
    commit();
    store_close(&store);
    snprintf(path, sizeof path, "%s/store", folder);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(open_it(), ERR_DAMAGED);
    ck_assert_ptr_nonnull(strstr(problem.text, "missing"));
}
END_TEST

START_TEST(a_folder_that_can_not_be_made_says_why)
{
    struct store_options wanted = options();
    struct store *other = NULL;
    struct store_opened facts;
    wanted.path = "/proc/nowhere/store";
    ck_assert_int_eq(store_open(&other, &wanted, &facts, &problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "/proc/nowhere/store"));
}
END_TEST

/* ---- a stopped store ---- */

static bool count_dumped(void *self, const struct store_record *record)
{
    unsigned *count = self;
    return ++*count < 100000 && record->kind == MODEL_JOB;
}

START_TEST(a_stopped_store_is_checked_and_dumped)
{
    struct store_check check;
    unsigned dumped = 0;
    for (uint64_t key = 1; key <= 4000; key++) {
        add_job(key, 500);
        if (key % 100 == 0)
            commit();
    }
    store_close(&store);
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, count_dumped, &dumped, NULL, &problem), ERR_NONE);
    ck_assert_uint_eq(check.records, 4000);
    ck_assert_uint_ge(check.batches, 40);
    ck_assert_uint_eq(check.damaged, 0);
    ck_assert_uint_eq(dumped, 4000);
    char path[400];
    snprintf(path, sizeof path, "%s/data-0000000000000001.seg", folder);
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pwrite(file, "damage", 6, 200000), 6);
    ck_assert_int_eq(pwrite(file, "damage", 6, 600000), 6);
    close(file);
    dumped = 0;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *report = open_memstream(&text, &text_bytes);
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, count_dumped, &dumped, report, &problem),
                     ERR_DAMAGED);
    fclose(report);
    ck_assert_uint_eq(check.damaged, 2);
    ck_assert_ptr_nonnull(strstr(text, "data-0000000000000001.seg"));
    ck_assert_ptr_nonnull(strstr(problem.text, "offset"));
    ck_assert_uint_gt(dumped, 3000); /* what is behind damage is dumped too */
    ck_assert_uint_lt(dumped, 4000);
    free(text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_second_broker_is_refused_with_the_pid_of_the_first,
        a_newer_format_is_refused_and_not_touched,
        segments_without_their_store_file_are_not_taken_for_a_new_store,
        a_folder_that_can_not_be_made_says_why,
        a_stopped_store_is_checked_and_dumped,
    };
    return run_suite("store_open", tests, sizeof tests / sizeof *tests);
}
