/* What is refused is rationed. */
#include "broker/rest.h"
#include "tests/support/suite.h"

START_TEST(without_a_refusal_there_is_no_rest)
{
    struct rest rest = {0};
    rest_begin(&rest, 1000);
    ck_assert_int_eq(rest_left_us(&rest, 1000), 0);
}
END_TEST

START_TEST(a_rest_lasts_a_few_times_as_long_as_the_refusing)
{
    struct rest rest = {0};
    ck_assert(!rest_refused(&rest, 30));
    ck_assert(!rest_refused(&rest, 20));
    rest_begin(&rest, 1000);
    ck_assert_int_eq(rest_left_us(&rest, 1000), 50 * REST_TIMES);
    ck_assert_int_eq(rest_left_us(&rest, 1050), 50 * REST_TIMES - 50);
    ck_assert_int_eq(rest_left_us(&rest, 1000 + 50 * REST_TIMES), 0);
    rest_begin(&rest, 5000); /* and is not taken twice */
    ck_assert_int_eq(rest_left_us(&rest, 5000), 0);
}
END_TEST

START_TEST(a_turn_refuses_for_so_long_and_no_longer)
{
    struct rest rest = {0};
    ck_assert(!rest_refused(&rest, REST_SPEND_US - 1));
    ck_assert(rest_refused(&rest, 1));
    rest_begin(&rest, 1000);
    ck_assert(!rest_refused(&rest, REST_SPEND_US - 1)); /* of the next turn */
}
END_TEST

START_TEST(no_refusal_however_long_holds_others_up_for_more_than_a_moment)
{
    struct rest rest = {0};
    ck_assert(rest_refused(&rest, INT64_C(3000000)));
    rest_begin(&rest, 1000);
    ck_assert_int_eq(rest_left_us(&rest, 1000), REST_MAX_US);
}
END_TEST

START_TEST(a_clock_that_stands_still_or_goes_back_gives_no_rest)
{
    struct rest rest = {0};
    ck_assert(!rest_refused(&rest, 0));
    ck_assert(!rest_refused(&rest, -5));
    rest_begin(&rest, 1000);
    ck_assert_int_eq(rest_left_us(&rest, 1000), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rest");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, without_a_refusal_there_is_no_rest);
    tcase_add_test(tcase, a_rest_lasts_a_few_times_as_long_as_the_refusing);
    tcase_add_test(tcase, a_turn_refuses_for_so_long_and_no_longer);
    tcase_add_test(tcase, no_refusal_however_long_holds_others_up_for_more_than_a_moment);
    tcase_add_test(tcase, a_clock_that_stands_still_or_goes_back_gives_no_rest);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
