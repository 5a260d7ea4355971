/* RFC 3339 both ways, and the two clocks. */
#include "lineward/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/suite.h"

START_TEST(known_moments_are_read_and_written)
{
    static const struct {
        const char *text;
        int64_t wall_ms;
    } moments[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"2026-11-23T10:00:00.000Z", 1795428000000},
        {"2000-02-29T23:59:59.000Z", 951868799000},
        {"1969-12-31T23:59:59.000Z", -1000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"1900-03-01T00:00:00.000Z", -2203891200000},
        {"2100-02-28T12:00:00.000Z", 4107499200000},
        {"0000-01-01T00:00:00.000Z", -62167219200000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        char text[TIME_TEXT_MAX];
        int64_t wall_ms = 12345;
        time_format(moments[i].wall_ms, text);
        ck_assert_str_eq(text, moments[i].text);
        ck_assert(time_parse(moments[i].text, &wall_ms));
        ck_assert_int_eq(wall_ms, moments[i].wall_ms);
    }
}
END_TEST

START_TEST(the_calendar_agrees_with_the_c_library)
{
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t wall_ms = (int64_t)(seed >> 20) % 253402300800000 - 62135596800000 * (i % 2);
        time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
        struct tm parts;
        char expected[TIME_TEXT_MAX + 32], text[TIME_TEXT_MAX];
        ck_assert_ptr_nonnull(gmtime_r(&seconds, &parts));
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 (int)(wall_ms - (int64_t)seconds * 1000));
        time_format(wall_ms, text);
        ck_assert_str_eq(text, expected);
        int64_t back = 0;
        ck_assert(time_parse(text, &back));
        ck_assert_int_eq(back, wall_ms);
    }
}
END_TEST

START_TEST(offsets_fractions_and_small_letters_are_understood)
{
    static const struct {
        const char *text;
        int64_t wall_ms;
    } moments[] = {
        {"2026-11-23T10:00:00Z", 1795428000000},
        {"2026-11-23t10:00:00z", 1795428000000},
        {"2026-11-23T11:30:00+01:30", 1795428000000},
        {"2026-11-23T00:00:00-10:00", 1795428000000},
        {"2026-11-23T10:00:00-00:00", 1795428000000},
        {"2026-11-23T10:00:00.5Z", 1795428000500},
        {"2026-11-23T10:00:00.05Z", 1795428000050},
        {"2026-11-23T10:00:00.1239999999999999999999999999Z", 1795428000123},
        {"2026-11-23T10:00:00.000001+00:00", 1795428000000},
        {"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second */
        {"2024-02-29T00:00:00Z", 1709164800000},
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t wall_ms = 0;
        ck_assert_msg(time_parse(moments[i].text, &wall_ms), "%s", moments[i].text);
        ck_assert_int_eq(wall_ms, moments[i].wall_ms);
    }
}
END_TEST

START_TEST(what_is_no_time_is_refused_and_touches_nothing)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23 10:00:00Z",
        "2026-11-23T10:00:00",
        "2026-11-23T10:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:00:61Z",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+01:60",
        "2026-11-23T10:00:00+0100",
        "2026-11-23T10:00:00+1:00",
        "2026-11-23T10:00:00ZZ",
        "2026-11-23T10:00:00Z ",
        " 2026-11-23T10:00:00Z",
        "+2026-11-23T10:00:00Z",
        "12026-11-23T10:00:00Z",
        "-026-11-23T10:00:00Z",
        "2026-1a-23T10:00:00Z",
        "1795428000000",
    };
    int64_t wall_ms = 77;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!time_parse(texts[i], &wall_ms), "%s", texts[i]);
        ck_assert_int_eq(wall_ms, 77);
    }
    ck_assert(!time_parse(NULL, &wall_ms));
}
END_TEST

START_TEST(a_time_cut_anywhere_is_refused)
{
    static const char whole[] = "2026-11-23T10:00:00.123+01:30";
    for (size_t bytes = 0; bytes < sizeof whole - 1; bytes++) {
        char *cut = strndup(whole, bytes); /* exactly so long, that reading on would be noticed */
        int64_t wall_ms = 0;
        ck_assert_msg(!time_parse(cut, &wall_ms), "%s", cut);
        free(cut);
    }
}
END_TEST

START_TEST(moments_beyond_four_digits_of_year_are_written_as_the_last_one)
{
    char text[TIME_TEXT_MAX];
    time_format(TIME_NEVER, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    time_format(INT64_MIN, text);
    ck_assert_str_eq(text, "0000-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(the_steady_clock_is_the_one_that_runs_while_suspended)
{
    struct timespec before, after;
    clock_gettime(CLOCK_BOOTTIME, &before);
    struct instant now = clock_read();
    clock_gettime(CLOCK_BOOTTIME, &after);
    ck_assert_int_ge(now.mono_ms, (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000);
    ck_assert_int_le(now.mono_ms, (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000);
    ck_assert_int_ge(now.wall_ms, 1700000000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, known_moments_are_read_and_written);
    tcase_add_test(tests, the_calendar_agrees_with_the_c_library);
    tcase_add_test(tests, offsets_fractions_and_small_letters_are_understood);
    tcase_add_test(tests, what_is_no_time_is_refused_and_touches_nothing);
    tcase_add_test(tests, a_time_cut_anywhere_is_refused);
    tcase_add_test(tests, moments_beyond_four_digits_of_year_are_written_as_the_last_one);
    tcase_add_test(tests, the_steady_clock_is_the_one_that_runs_while_suspended);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
