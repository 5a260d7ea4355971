/* The table of leases in hand: phases, queues of results, bounds. */
#include "workers/leases.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static struct leases *leases;

static void start(void)
{
    leases = leases_new(4);
    ck_assert_ptr_nonnull(leases);
}

static void stop(void)
{
    leases_free(&leases);
    ck_assert_ptr_null(leases);
}

static struct lease *answered(const char *id)
{
    struct lease *lease = leases_add(leases, id);
    ck_assert_ptr_nonnull(lease);
    leases_answer(leases, lease, strdup("{}"), 2);
    return lease;
}

START_TEST(a_lease_is_found_until_it_is_removed)
{
    struct lease *lease = leases_add(leases, "l_1");
    ck_assert_ptr_eq(leases_find(leases, "l_1"), lease);
    ck_assert_ptr_null(leases_find(leases, "l_2"));
    leases_remove(leases, lease);
    ck_assert_ptr_null(leases_find(leases, "l_1"));
    ck_assert_uint_eq(leases_count(leases), 0);
}
END_TEST

START_TEST(the_same_lease_is_not_added_twice)
{
    ck_assert_ptr_nonnull(leases_add(leases, "l_1"));
    ck_assert_ptr_null(leases_add(leases, "l_1"));
    ck_assert_uint_eq(leases_count(leases), 1);
}
END_TEST

START_TEST(a_full_table_takes_no_more_until_one_is_done)
{
    char id[16];
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof id, "l_%d", i);
        ck_assert_ptr_nonnull(leases_add(leases, id));
    }
    ck_assert_ptr_null(leases_add(leases, "l_5"));
    leases_remove(leases, leases_find(leases, "l_0"));
    ck_assert_ptr_nonnull(leases_add(leases, "l_5"));
}
END_TEST

START_TEST(an_id_too_long_is_refused)
{
    char id[LEASE_TEXT_MAX + 1];
    memset(id, 'x', LEASE_TEXT_MAX);
    id[LEASE_TEXT_MAX] = '\0';
    ck_assert_ptr_null(leases_add(leases, id));
    id[LEASE_TEXT_MAX - 1] = '\0';
    ck_assert_ptr_nonnull(leases_add(leases, id));
}
END_TEST

START_TEST(only_unanswered_leases_are_in_hand)
{
    leases_add(leases, "l_1");
    lease_begin(leases_add(leases, "l_2"));
    answered("l_3");
    ck_assert_uint_eq(leases_in_hand(leases), 2);
    ck_assert_uint_eq(leases_count(leases), 3);
    leases_remove(leases, leases_find(leases, "l_3"));
    ck_assert_uint_eq(leases_in_hand(leases), 2);
    leases_remove(leases, leases_find(leases, "l_2"));
    ck_assert_uint_eq(leases_in_hand(leases), 1);
}
END_TEST

START_TEST(results_are_said_in_order_and_again_when_old_enough)
{
    struct lease *first = answered("l_1");
    struct lease *second = answered("l_2");
    ck_assert_int_eq(leases_oldest_said_mono_ms(leases), INT64_MAX);
    ck_assert_ptr_eq(leases_to_say(leases), first);
    leases_said(leases, first, 100);
    ck_assert_ptr_eq(leases_to_say(leases), second);
    leases_said(leases, second, 200);
    ck_assert_ptr_null(leases_to_say(leases));
    ck_assert_int_eq(leases_oldest_said_mono_ms(leases), 100);
    leases_say_again(leases, 99);
    ck_assert_ptr_null(leases_to_say(leases));
    leases_say_again(leases, 100);
    ck_assert_ptr_eq(leases_to_say(leases), first);
    ck_assert_int_eq(leases_oldest_said_mono_ms(leases), 200);
}
END_TEST

START_TEST(a_said_or_unsaid_result_can_be_removed)
{
    struct lease *first = answered("l_1");
    answered("l_2");
    leases_said(leases, first, 100);
    leases_remove(leases, first);
    leases_remove(leases, leases_find(leases, "l_2"));
    ck_assert_ptr_null(leases_to_say(leases));
    ck_assert_int_eq(leases_oldest_said_mono_ms(leases), INT64_MAX);
}
END_TEST

static void count_named(void *context, const struct lease *lease)
{
    int *count = context;
    ck_assert_str_ne(lease->id, "l_waiting");
    (*count)++;
}

START_TEST(ready_names_what_has_begun_and_what_is_not_done)
{
    int count = 0;
    leases_add(leases, "l_waiting");
    lease_begin(leases_add(leases, "l_begun"));
    answered("l_unsaid");
    struct lease *said = leases_to_say(leases);
    leases_said(leases, said, 1);
    answered("l_other");
    leases_each_named(leases, count_named, &count);
    ck_assert_int_eq(count, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_leases");
    TCase *tests = tcase_create("leases");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, a_lease_is_found_until_it_is_removed);
    tcase_add_test(tests, the_same_lease_is_not_added_twice);
    tcase_add_test(tests, a_full_table_takes_no_more_until_one_is_done);
    tcase_add_test(tests, an_id_too_long_is_refused);
    tcase_add_test(tests, only_unanswered_leases_are_in_hand);
    tcase_add_test(tests, results_are_said_in_order_and_again_when_old_enough);
    tcase_add_test(tests, a_said_or_unsaid_result_can_be_removed);
    tcase_add_test(tests, ready_names_what_has_begun_and_what_is_not_done);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
