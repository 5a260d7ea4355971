/* store_io_test.c — the real file system behind the store, where simulated ones cannot stand in for it. */
#include "broker/store/store_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define FILES_MAX 256

static int taken[FILES_MAX], taken_count;
static char first[] = "/tmp/lineward-io-XXXXXX", second[] = "/tmp/lineward-io-XXXXXX";

static int sync_dir(const char *path)
{
    return store_io_real.sync_dir(store_io_real.self, path);
}

/* As when connections have taken all that there are. */
static void take_all_descriptors(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_cur < FILES_MAX ? limit.rlim_cur : FILES_MAX;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((taken[taken_count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        taken_count++;
    ck_assert_int_eq(errno, EMFILE);
}

static void give_them_back(void)
{
    while (taken_count > 0)
        close(taken[--taken_count]);
}

START_TEST(the_stores_folder_is_synced_without_a_descriptor_to_be_had)
{
    ck_assert_ptr_nonnull(mkdtemp(first));
    ck_assert_ptr_nonnull(mkdtemp(second));
    ck_assert_int_eq(sync_dir(second), 0);
    ck_assert_int_eq(sync_dir(first), 0);
    take_all_descriptors();
    ck_assert_int_eq(sync_dir(first), 0);
    ck_assert_int_eq(sync_dir(second), -EMFILE); /* never another one's instead */
    ck_assert_int_eq(sync_dir(first), 0);
    ck_assert_int_eq(rmdir(first), 0);
    ck_assert_int_eq(rmdir(second), 0);
    ck_assert_int_eq(sync_dir(first), -ENOENT);
    give_them_back(); /* a sanitizer that looks for leaks at the end wants some */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_io");
    TCase *tests = tcase_create("store_io");
    tcase_add_test(tests, the_stores_folder_is_synced_without_a_descriptor_to_be_had);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
