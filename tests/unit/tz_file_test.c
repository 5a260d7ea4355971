/* tz_file_test.c — the offsets of time zones: from files made here, to the byte, and from the system's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/phone_zone.h"
#include "broker/edge/tz_file.h"
#include "lineward/clock.h"
#include "tests/support/suite.h"

#define DAY_MS INT64_C(86400000)

static uint8_t file[4096];
static size_t file_bytes;
static struct zone_rules rules;

static int64_t ms(const char *time)
{
    int64_t out = 0;
    ck_assert(time_parse(time, &out));
    return out;
}

static void put(const void *data, size_t bytes)
{
    memcpy(file + file_bytes, data, bytes);
    file_bytes += bytes;
}

static void put_number(uint64_t value, size_t bytes)
{
    while (bytes-- > 0)
        file[file_bytes++] = (uint8_t)(value >> bytes * 8);
}

/* A block with so many changes, all of them by an hour to and fro, a day apart, from the moment on. */
static void put_block(size_t time_bytes, uint32_t times, int64_t first_s)
{
    const uint32_t counts[] = {0, 0, 0, times, 2, 4};
    put("TZif2", 5);
    put((const uint8_t[15]){0}, 15);
    for (int i = 0; i < 6; i++)
        put_number(counts[i], 4);
    for (uint32_t i = 0; i < times; i++)
        put_number((uint64_t)(first_s + i * 86400), time_bytes);
    for (uint32_t i = 0; i < times; i++)
        put_number(i % 2 == 0, 1);
    for (uint64_t i = 0; i < 2; i++) {
        put_number(3600 * (i + 1), 4);
        put_number(0, 2);
    }
    put("ABC", 4);
}

static void make(uint32_t times, int64_t first_s, const char *footer)
{
    file_bytes = 0;
    put_block(4, 0, 0);
    put_block(8, times, first_s);
    put("\n", 1);
    put(footer, strlen(footer));
    put("\n", 1);
}

static bool reads(int64_t from_ms, int64_t to_ms)
{
    return tz_read(file, file_bytes, from_ms, to_ms, &rules);
}

START_TEST(the_rule_behind_the_last_change_goes_on_for_ever)
{
    make(0, 0, "EST5EDT,M3.2.0,M11.1.0");
    ck_assert(reads(ms("2026-11-27T00:00:00Z"), ms("2027-11-27T00:00:00Z")));
    ck_assert_uint_eq(rules.count, 3);
    ck_assert_int_eq(rules.offset_s[0], -5 * 3600);
    ck_assert_int_eq(rules.from_ms[1], ms("2027-03-14T07:00:00Z"));
    ck_assert_int_eq(rules.offset_s[1], -4 * 3600);
    ck_assert_int_eq(rules.from_ms[2], ms("2027-11-07T06:00:00Z"));
    ck_assert_int_eq(rules.offset_s[2], -5 * 3600);
}
END_TEST

START_TEST(in_the_south_summer_spans_the_years_end)
{
    make(0, 0, "AEST-10AEDT,M10.1.0,M4.1.0/3");
    ck_assert(reads(ms("2026-12-31T00:00:00Z"), ms("2027-12-31T00:00:00Z")));
    ck_assert_int_eq(rules.offset_s[0], 11 * 3600);
    ck_assert_int_eq(rules.from_ms[1], ms("2027-04-03T16:00:00Z"));
    ck_assert_int_eq(rules.offset_s[1], 10 * 3600);
    ck_assert_int_eq(rules.from_ms[2], ms("2027-10-02T16:00:00Z"));
}
END_TEST

START_TEST(names_in_brackets_and_odd_offsets_are_read)
{
    make(0, 0, "<+0330>-3:30");
    ck_assert(reads(ms("2026-11-27T00:00:00Z"), ms("2027-11-27T00:00:00Z")));
    ck_assert_uint_eq(rules.count, 1);
    ck_assert_int_eq(rules.offset_s[0], 12600);
}
END_TEST

START_TEST(changes_of_the_file_count_and_the_last_before_the_beginning)
{
    int64_t from_ms = ms("2026-11-27T00:00:00Z");
    make(4, from_ms / 1000 - 2 * 86400 + 60, "ABC-2");
    ck_assert(reads(from_ms, from_ms + 10 * DAY_MS));
    ck_assert_uint_eq(rules.count, 3);
    ck_assert_int_eq(rules.offset_s[0], 3600);
    ck_assert_int_eq(rules.from_ms[1], from_ms + 60000);
    ck_assert_int_eq(rules.offset_s[1], 7200);
}
END_TEST

START_TEST(no_part_of_a_file_is_taken_for_the_whole)
{
    make(4, 0, "EST5EDT,M3.2.0,M11.1.0");
    size_t whole = file_bytes;
    for (size_t bytes = 0; bytes < whole; bytes++) {
        uint8_t *cut = malloc(bytes + 1); /* so that a sanitizer sees each byte too many */
        memcpy(cut, file, bytes);
        ck_assert(!tz_read(cut, bytes, 0, DAY_MS, &rules));
        free(cut);
    }
}
END_TEST

START_TEST(nonsense_is_refused)
{
    static const char *const footers[] = {"", "E5", "EST", "EST5EDT", "EST5EDT,J60,J300", "EST5EDT,M13.1.0,M11.1.0",
                                          "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,M11.1.0,", "EST999999999999"};
    for (size_t i = 0; i < sizeof footers / sizeof *footers; i++) {
        make(0, 0, footers[i]);
        ck_assert_msg(!reads(0, DAY_MS), "%s", footers[i]);
    }
    make(2, 0, "ABC-2");
    file[44 + 12 + 4 + 44 + 16] = 7; /* a type that is not there */
    ck_assert(!reads(0, DAY_MS));
}
END_TEST

START_TEST(a_zones_name_leads_nowhere_else)
{
    static const char *const bad[] = {"", "../passwd", "/etc/passwd", "Europe/../../x", "Europe/", "a//b", "Europe Berlin", "é"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!tz_name_is_valid(bad[i]), "%s", bad[i]);
        ck_assert(!tz_rules(TZ_FOLDER, bad[i], 0, DAY_MS, &rules));
    }
    ck_assert(tz_name_is_valid("America/Argentina/Buenos_Aires"));
    ck_assert(!tz_rules(TZ_FOLDER, "Europe/Nowhere", 0, DAY_MS, &rules));
}
END_TEST

START_TEST(the_systems_own_data_are_read)
{
    ck_assert(tz_rules(TZ_FOLDER, "Europe/Berlin", ms("2026-11-27T00:00:00Z"), ms("2027-11-27T00:00:00Z"), &rules));
    ck_assert_uint_eq(rules.count, 3);
    ck_assert_int_eq(rules.offset_s[0], 3600);
    ck_assert_int_eq(rules.from_ms[1], ms("2027-03-28T01:00:00Z"));
    ck_assert_int_eq(rules.from_ms[2], ms("2027-10-31T01:00:00Z"));
}
END_TEST

/* ---- numbers ---- */

START_TEST(a_number_lies_where_its_longest_known_prefix_does)
{
    static const struct {
        const char *handle, *zone;
    } numbers[] = {{"+14155550111", "America/Los_Angeles"},
                   {"+12125550111", "America/New_York"},
                   {"+18505550111", "America/New_York,America/Chicago"}, /* a code with two */
                   {"+19995550111", "America/St_Johns,Pacific/Honolulu"}, /* one that nobody knows yet */
                   {"+493012345678", "Europe/Paris"},                     /* the same clocks */
                   {"+34612345678", "Europe/Paris"},
                   {"+919812345678", "Asia/Kolkata"},
                   {"someone@example.org", NULL},
                   {"+0", NULL}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *zone = phone_zone(numbers[i].handle);
        if (numbers[i].zone == NULL)
            ck_assert_ptr_null(zone);
        else
            ck_assert_str_eq(zone, numbers[i].zone);
    }
}
END_TEST

/* Every zone that a number can lie in is one that the system knows. */
START_TEST(every_zone_of_the_table_is_a_zone)
{
    for (unsigned prefix = 1; prefix < 100000; prefix++) {
        char handle[16], names[80];
        snprintf(handle, sizeof handle, "+%u", prefix);
        const char *zones = phone_zone(handle);
        if (zones == NULL)
            continue;
        ck_assert_uint_lt(strlen(zones), sizeof names);
        strcpy(names, zones);
        for (char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ","))
            ck_assert_msg(prefix % 97 != 0 || tz_rules(TZ_FOLDER, name, 0, DAY_MS, &rules), "%s", name);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_rule_behind_the_last_change_goes_on_for_ever, in_the_south_summer_spans_the_years_end,
        names_in_brackets_and_odd_offsets_are_read,       changes_of_the_file_count_and_the_last_before_the_beginning,
        no_part_of_a_file_is_taken_for_the_whole,         nonsense_is_refused,
        a_zones_name_leads_nowhere_else,                  the_systems_own_data_are_read,
        a_number_lies_where_its_longest_known_prefix_does, every_zone_of_the_table_is_a_zone,
    };
    Suite *suite = suite_create("tz_file");
    TCase *all = tcase_create("all");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
