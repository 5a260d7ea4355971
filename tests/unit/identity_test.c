/* The store's own key: drawn once, kept, and missed when it is gone. */
#include "broker/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"

static char folder[64], path[96];
static struct identity_problem problem;

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    snprintf(folder, sizeof folder, "/tmp/lineward-identity-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/identity", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

static void put(const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_new_store_gets_a_key_that_nobody_else_can_read_and_keeps_it)
{
    struct keyed_hash first = {{0}};
    struct keyed_hash again = {{0}};
    struct keyed_hash zero = {{0}};
    struct stat status;
    ck_assert_int_eq(identity_open(folder, true, &first, &problem), ERR_NONE);
    ck_assert_int_ne(memcmp(&first, &zero, sizeof zero), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(identity_open(folder, false, &again, &problem), ERR_NONE);
    ck_assert_int_eq(memcmp(&first, &again, sizeof first), 0);
    ck_assert_int_eq(identity_open(folder, true, &again, &problem), ERR_NONE);
    ck_assert_int_eq(memcmp(&first, &again, sizeof first), 0);
}
END_TEST

START_TEST(an_old_store_without_its_key_is_refused)
{
    struct keyed_hash hash;
    ck_assert_int_eq(identity_open(folder, false, &hash, &problem), ERR_DAMAGED);
    ck_assert_ptr_nonnull(strstr(problem.text, path));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(what_is_no_key_is_refused_and_left_as_it_is)
{
    static const char *const bad[] = {"", "00112233445566778899aabbccddee", "00112233445566778899aabbccddeexx\n",
                                      "not hex at all, not hex at all, n"};
    struct keyed_hash hash;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i]);
        ck_assert_int_eq(identity_open(folder, i % 2 == 0, &hash, &problem), ERR_DAMAGED);
    }
    put("00112233445566778899aabbccddeeff");
    ck_assert_int_eq(identity_open(folder, false, &hash, &problem), ERR_NONE);
    ck_assert_int_eq(hash.key[15], 0xFF);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told_by_name)
{
    struct keyed_hash hash;
    ck_assert_int_eq(identity_open("/nonexistent/lineward", true, &hash, &problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "/nonexistent/lineward"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_new_store_gets_a_key_that_nobody_else_can_read_and_keeps_it);
    tcase_add_test(tcase, an_old_store_without_its_key_is_refused);
    tcase_add_test(tcase, what_is_no_key_is_refused_and_left_as_it_is);
    tcase_add_test(tcase, a_folder_that_is_not_there_is_told_by_name);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
