/* cache_pending_test.c — webhooks that Redis has not answered yet: found by line, any number one after the other. */
#include <string.h>

#include "broker/cache/cache_pending.h"
#include "tests/support/suite.h"

static struct cache_pending pending;

static uint32_t add(uint64_t number)
{
    const struct core_line_fact fact = {.number = number};
    return cache_pending_add(&pending, number + 1, &fact);
}

START_TEST(a_line_has_one_as_long_as_one_of_its_is_there)
{
    memset(&pending, 0, sizeof pending);
    uint32_t first = add(7), other = add(7 + CACHE_PENDING_MAX), second = add(7); /* all of one chain */
    ck_assert_uint_eq(cache_pending_at(&pending, other)->token, 8 + CACHE_PENDING_MAX);
    cache_pending_remove(&pending, first);
    ck_assert(cache_pending_has(&pending, 7));
    cache_pending_remove(&pending, other);
    ck_assert(!cache_pending_has(&pending, 7 + CACHE_PENDING_MAX));
    ck_assert(cache_pending_has(&pending, 7));
    cache_pending_remove(&pending, second);
    ck_assert(!cache_pending_has(&pending, 7));
}
END_TEST

START_TEST(so_many_at_once_and_any_number_one_after_the_other)
{
    uint32_t places[CACHE_PENDING_MAX];
    memset(&pending, 0, sizeof pending);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < CACHE_PENDING_MAX; i++)
            ck_assert_uint_ne(places[i] = add(i * 3), 0);
        ck_assert_uint_eq(add(1), 0);
        for (uint64_t i = 0; i < CACHE_PENDING_MAX; i++) {
            ck_assert(cache_pending_has(&pending, i * 3));
            cache_pending_remove(&pending, places[i]);
            ck_assert(!cache_pending_has(&pending, i * 3));
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_pending");
    TCase *tcase = tcase_create("core");
    tcase_add_test(tcase, a_line_has_one_as_long_as_one_of_its_is_there);
    tcase_add_test(tcase, so_many_at_once_and_any_number_one_after_the_other);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
