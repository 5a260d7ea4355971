/* store_backup_restart_test.c — the broker is started again while a backup of its store is made: what the backup may
 * still want stays where it is. */
#include <fcntl.h>
#include <sys/file.h>

#include "broker/store/backup.h"
#include "tests/unit/store_rig.h"

#define HOUR_MS 3600000

static bool clean_until_one_waits_for_the_backup(void)
{
    for (unsigned i = 0; i < 3000; i++)
        if (clean_once().cleaned_segments > 0)
            return true;
    return false;
}

static int open_file(const char *name, int flags)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, flags | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    return file;
}

START_TEST(a_restart_gives_no_segment_back_before_the_backup_is_made)
{
    static const char name[] = "data-0000000000000001.seg";
    char first[4096], later[4096];
    fill_segments();
    int claim = open_file("store", O_RDONLY); /* as store_backup() holds it */
    ck_assert_int_eq(flock(claim, LOCK_SH | LOCK_NB), 0);
    int copying = open_file(name, O_RDONLY); /* ... and is about to copy this one */
    ck_assert_int_eq(pread(copying, first, sizeof first, 0), sizeof first);
    ck_assert(clean_until_one_waits_for_the_backup());
    ck_assert(has_file(name));
    reopen();
    ck_assert(has_file(name));
    for (uint64_t key = 1000; key < 1400; key++) {
        add_job(key, 9000);
        commit();
        clean_once(); /* nothing is cleaned before that one is given back */
    }
    ck_assert_int_eq(pread(copying, later, sizeof later, 0), sizeof later);
    ck_assert(has_file(name));
    ck_assert_msg(memcmp(first, later, sizeof first) == 0, "the segment that the backup is copying was used again");
    close(copying);
    close(claim);
    ck_assert(cleaning_comes_to_rest());
    ck_assert(!has_file(name)); /* and now it is given back */
    reopen();
    check_job(400, 9000);
    check_job(1000, 9000);
}
END_TEST

static unsigned data_copied, data_wanted;
static bool restarted;

/* The newest history becomes too old and is dropped, as far as that goes, when the data have been copied. */
static bool restart_behind_the_data(void *self, const struct backup_file *file)
{
    data_copied += strncmp(file->name, "data-", 5) == 0;
    if (restarted || data_copied < data_wanted)
        return true;
    restarted = true;
    cleaned_ms += 3 * HOUR_MS;
    for (unsigned i = 0; i < 400; i++)
        clean_once();
    reopen();
    return true;
}

START_TEST(a_backup_that_a_restart_came_between_can_be_started_from)
{
    struct backup_taken taken;
    struct store_check check;
    char live[sizeof folder], target[] = "/tmp/lineward-store-XXXXXX";
    fill_segments();
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(files_named("hist-"), 1);
    close(open_file("identity", O_WRONLY | O_CREAT));
    data_wanted = files_named("data-") - 1; /* the one that is ready is not copied, or is empty */
    ck_assert_ptr_nonnull(mkdtemp(target));
    ck_assert_msg(store_backup(folder, target, restart_behind_the_data, NULL, &taken, &problem) == ERR_NONE, "%s",
                  problem.text);
    ck_assert(restarted);
    ck_assert_msg(store_inspect(target, model_kinds, &check, NULL, NULL, NULL, &problem) == ERR_NONE, "%s",
                  problem.text);
    ck_assert(cleaning_comes_to_rest());
    ck_assert_uint_eq(files_named("hist-"), 0); /* what was kept for the backup goes when it is made */
    store_close(&store);
    strcpy(live, folder);
    strcpy(folder, target);
    enum err err = open_it(); /* what was restored is copied so, byte for byte */
    store_close(&store);
    remove_folder();
    strcpy(folder, live);
    ck_assert_msg(err == ERR_NONE, "the backup was checked and is good; started from it, the store says: %s",
                  problem.text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_restart_gives_no_segment_back_before_the_backup_is_made,
        a_backup_that_a_restart_came_between_can_be_started_from,
    };
    return run_suite("store_backup_restart", tests, sizeof tests / sizeof *tests);
}
