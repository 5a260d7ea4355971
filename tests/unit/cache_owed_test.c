/* cache_owed_test.c — what a broker has to tell Redis is kept until Redis has answered it. */
#include <stdio.h>

#include "broker/cache/cache_owed.h"
#include "tests/support/suite.h"

static struct cache_owed owed;

static void begin(uint32_t first)
{
    owed = (struct cache_owed){.from = first, .end = first, .next = first};
}

static void add(uint64_t number)
{
    const struct cache_owed_fact fact = {.kind = OWED_SERVICE, .fact = {.number = number}};
    cache_owed_add(&owed, &fact);
}

/* The next one's number, or 0; *at is by what it is answered. */
static uint64_t next(uint32_t *at, int64_t now_ms)
{
    const struct cache_owed_fact *fact = cache_owed_next(&owed, now_ms, at);
    return fact == NULL ? 0 : fact->fact.number;
}

START_TEST(what_is_told_is_kept_until_it_is_answered)
{
    uint32_t first, second, again;
    begin(UINT32_MAX - 1); /* the numbers wrap around */
    add(1);
    add(2);
    add(3);
    ck_assert_uint_eq(next(&first, 0), 1);
    ck_assert_uint_eq(next(&second, 0), 2);
    cache_owed_answered(&owed, first);
    cache_owed_lost(&owed); /* the connection went before the second was answered */
    ck_assert_uint_eq(next(&again, 0), 2);
    ck_assert_uint_eq(again, second);
    ck_assert_uint_eq(next(&again, 0), 3);
    ck_assert_uint_eq(next(&again, 0), 0);
    cache_owed_answered(&owed, again);
    cache_owed_answered(&owed, second);
    cache_owed_lost(&owed);
    ck_assert_uint_eq(next(&again, 0), 0);
    ck_assert_int_eq(cache_owed_next_mono_ms(&owed), TIME_NEVER);
}
END_TEST

START_TEST(what_is_not_answered_is_told_again_a_moment_later_and_what_was_answered_is_not)
{
    uint32_t first, second, again;
    begin(0);
    add(1);
    add(2);
    next(&first, 0);
    next(&second, 0);
    cache_owed_unanswered(&owed, first, 5000);
    cache_owed_answered(&owed, second);
    ck_assert_uint_eq(next(&again, 5000), 0);
    ck_assert_int_eq(cache_owed_next_mono_ms(&owed), 5000 + CACHE_OWED_AGAIN_MS);
    ck_assert_uint_eq(next(&again, 5000 + CACHE_OWED_AGAIN_MS), 1);
    ck_assert_uint_eq(next(&again, 5000 + CACHE_OWED_AGAIN_MS), 0);
}
END_TEST

START_TEST(so_many_are_under_way_and_so_many_are_kept_and_an_answer_for_one_that_is_forgotten_is_none)
{
    uint32_t first = 0, at = 0;
    begin(0);
    for (uint64_t i = 1; i <= CACHE_OWED_MAX; i++)
        add(i);
    ck_assert_uint_eq(next(&first, 0), 1);
    for (int i = 1; i < CACHE_OWED_IN_FLIGHT; i++)
        ck_assert_uint_ne(next(&at, 0), 0);
    ck_assert_uint_eq(next(&at, 0), 0);
    add(CACHE_OWED_MAX + 1); /* takes the place of the first */
    cache_owed_answered(&owed, first);
    cache_owed_lost(&owed);
    ck_assert_uint_eq(next(&at, 0), 2);
    for (int i = 1; i < CACHE_OWED_IN_FLIGHT; i++)
        next(&at, 0);
    while (owed.from != owed.end) {
        cache_owed_answered(&owed, owed.from);
        uint64_t number = next(&at, 0);
        ck_assert(number == 0 || number > 2);
    }
}
END_TEST

START_TEST(an_end_is_known_as_long_as_it_is_owed)
{
    struct cache_owed_fact end = {.kind = OWED_ENDED, .id = "0123"};
    uint32_t at;
    begin(0);
    cache_owed_add(&owed, &end);
    ck_assert(cache_owed_ends(&owed, "0123"));
    ck_assert(!cache_owed_ends(&owed, "0124"));
    ck_assert_ptr_nonnull(cache_owed_next(&owed, 0, &at));
    ck_assert(cache_owed_ends(&owed, "0123"));
    cache_owed_answered(&owed, at);
    ck_assert(!cache_owed_ends(&owed, "0123"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_owed");
    TCase *tcase = tcase_create("core");
    tcase_add_test(tcase, what_is_told_is_kept_until_it_is_answered);
    tcase_add_test(tcase, what_is_not_answered_is_told_again_a_moment_later_and_what_was_answered_is_not);
    tcase_add_test(tcase, so_many_are_under_way_and_so_many_are_kept_and_an_answer_for_one_that_is_forgotten_is_none);
    tcase_add_test(tcase, an_end_is_known_as_long_as_it_is_owed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
