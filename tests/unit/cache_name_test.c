/* Names of Redis' hosts: which need not be asked for, and what a thread makes of the others. */
#include "broker/cache/cache_name.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>

#include "tests/support/suite.h"

#define TRIES 3000 /* of ten milliseconds: a name server may be slow to say no */

static char address[INET6_ADDRSTRLEN];
static const char *why;

static enum cache_name_state await(const struct cache_name *name, unsigned turn)
{
    enum cache_name_state state = CACHE_NAME_ASKED;
    for (int i = 0; i < TRIES && state == CACHE_NAME_ASKED; i++) {
        state = cache_name_state(name, turn, address, &why);
        if (state == CACHE_NAME_ASKED)
            (void)poll(NULL, 0, 10);
    }
    return state;
}

START_TEST(addresses_and_localhost_are_not_asked_for)
{
    ck_assert(cache_name_is_address("10.1.0.11", address));
    ck_assert_str_eq(address, "10.1.0.11");
    ck_assert(cache_name_is_address("2001:db8::1", address));
    ck_assert_str_eq(address, "2001:db8::1");
    ck_assert(cache_name_is_address("localhost", address));
    ck_assert_str_eq(address, "127.0.0.1");
    ck_assert(!cache_name_is_address("redis.example.com", address));
    ck_assert(!cache_name_is_address("10.1.0", address));
    ck_assert(!cache_name_is_address("", address));
}
END_TEST

START_TEST(a_name_is_found_and_any_turn_has_an_address)
{
    struct cache_name *name = cache_name_new("LocalHost");
    ck_assert_int_eq(await(name, 0), CACHE_NAME_FOUND);
    for (unsigned turn = 0; turn < 20; turn++) {
        ck_assert_int_eq(await(name, turn), CACHE_NAME_FOUND);
        ck_assert_msg(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0, "%s", address);
    }
    cache_name_free(&name);
    ck_assert_ptr_null(name);
}
END_TEST

START_TEST(a_name_that_nobody_has_is_told_by_name)
{
    struct cache_name *name = cache_name_new("no-such-host.invalid");
    ck_assert_int_eq(await(name, 0), CACHE_NAME_FAILED);
    ck_assert_msg(strstr(why, "the name no-such-host.invalid is not found") != NULL, "%s", why);
    cache_name_free(&name);
}
END_TEST

static unsigned threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* Whoever lost interest does not wait: the thread ends by itself, and frees what it wrote into. The test waits, for what a
 * resolver has in hand when the program ends looks lost. */
START_TEST(one_may_be_left_while_it_is_being_asked_for)
{
    unsigned before = threads();
    for (int i = 0; i < 50; i++) {
        struct cache_name *name = cache_name_new(i % 2 == 0 ? "LocalHost" : "no-such-host.invalid");
        cache_name_free(&name);
    }
    cache_name_free(&(struct cache_name *){NULL});
    for (int i = 0; i < TRIES && threads() > before; i++)
        (void)poll(NULL, 0, 10);
    ck_assert_uint_le(threads(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_name");
    TCase *tests = tcase_create("names");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, addresses_and_localhost_are_not_asked_for);
    tcase_add_test(tests, a_name_is_found_and_any_turn_has_an_address);
    tcase_add_test(tests, a_name_that_nobody_has_is_told_by_name);
    tcase_add_test(tests, one_may_be_left_while_it_is_being_asked_for);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
