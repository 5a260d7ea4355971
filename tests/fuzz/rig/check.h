/* check.h — stands in for Check's header, so that the rigs of the unit tests can serve fuzz targets: what does not hold
 * aborts. */
#ifndef LINEWARD_TESTS_FUZZ_CHECK_H
#define LINEWARD_TESTS_FUZZ_CHECK_H

#include "tests/fuzz/fuzz.h"

#define ck_assert(condition)          fuzz_check(condition)
#define ck_assert_msg(condition, ...) fuzz_check(condition)
#define ck_assert_int_eq(a, b)        fuzz_check((a) == (b))
#define ck_assert_int_ne(a, b)        fuzz_check((a) != (b))
#define ck_assert_int_lt(a, b)        fuzz_check((a) < (b))
#define ck_assert_int_le(a, b)        fuzz_check((a) <= (b))
#define ck_assert_int_gt(a, b)        fuzz_check((a) > (b))
#define ck_assert_int_ge(a, b)        fuzz_check((a) >= (b))
#define ck_assert_uint_eq             ck_assert_int_eq
#define ck_assert_uint_ne             ck_assert_int_ne
#define ck_assert_uint_lt             ck_assert_int_lt
#define ck_assert_uint_le             ck_assert_int_le
#define ck_assert_uint_gt             ck_assert_int_gt
#define ck_assert_uint_ge             ck_assert_int_ge
#define ck_assert_ptr_nonnull(p)      fuzz_check((p) != NULL)
#define ck_assert_ptr_null(p)         fuzz_check((p) == NULL)
#define ck_assert_str_eq(a, b)        fuzz_check(strcmp((a), (b)) == 0)

#endif
