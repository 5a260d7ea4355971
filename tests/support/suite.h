/* suite.h — runs the tests of a program: each in a process of its own. */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Takes the suite. What main() returns. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* All of these tests, each between `setup` and `teardown` (NULL: nothing) and within so many seconds. */
static inline int suite_run_all(const char *name, SFun setup, SFun teardown, double limit_s, const TTest *const *tests,
                                size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, limit_s);
    tcase_add_checked_fixture(all, setup, teardown);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}

#endif
