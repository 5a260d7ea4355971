/* Who a text names: found by a keyed hash alone, and masked byte for byte without touching anybody else. */
#include "broker/edge/named.h"

#include <string.h>

#include "tests/support/suite.h"

static const struct keyed_hash hash = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void check(const char *handle, const char *text, const char *masked, size_t count)
{
    char copy[256];
    uint64_t person = named_person(&hash, handle);
    memcpy(copy, text, strlen(text) + 1);
    ck_assert_uint_eq(named_in(&hash, person, copy, strlen(copy), false), count);
    ck_assert_str_eq(copy, text); /* only looked at */
    ck_assert_uint_eq(named_in(&hash, person, copy, strlen(copy), true), count);
    ck_assert_str_eq(copy, masked);
}

START_TEST(a_number_is_found_however_it_is_written)
{
    check("+14155550190", "+14155550190", "+***********", 1);
    check("+14155550190", "[\"+14155550190\",\"+14155550191\"]", "[\"+***********\",\"+14155550191\"]", 1);
    check("+14155550190", "cust-14155550190: %2B14155550190", "cust-***********: %2B***********", 2);
    check("+14155550190", "asked by 14155550190, twice", "asked by ***********, twice", 1);
    check("+4930123", "+4930123 4930123", "+******* *******", 2);
}
END_TEST

START_TEST(a_number_that_is_a_part_of_another_is_another)
{
    check("+1415555019", "+14155550190", "+14155550190", 0);
    check("+14155550190", "+141555501900", "+141555501900", 0);
    check("+14155550190", "914155550190", "914155550190", 0);
    check("+4912", "4912 jobs", "4912 jobs", 0); /* without a plus a short one is just a number */
    check("+4912", "+4912", "+****", 1);
}
END_TEST

START_TEST(an_address_is_found_in_any_case_and_whatever_stands_around_it)
{
    check("ann.b+x@mail.example", "[\"Ann.B+x@Mail.Example\"]", "[\"********************\"]", 1);
    check("ann.b+x@mail.example", "wrote to ann.b+x@mail.example.", "wrote to ********************.", 1);
    check("b@mail.example", "ann.b@mail.example", "ann.b@mail.example", 0);
    check("o'hara/x=1@mail.example", "a,o'hara/x=1@mail.example,b", "a,***********************,b", 1);
    check("ann@mail.example", "@ @@ ann@ @mail", "@ @@ ann@ @mail", 0);
}
END_TEST

/* As people write it. */
START_TEST(a_number_is_found_whatever_stands_between_its_digits)
{
    check("+14155550190", "asked +1 (415) 555-0190.", "asked +****************.", 1);
    check("+14155550190", "1-415-555-0190, 1.415.555.0190; 1 415 5550190", "**************, **************; *************", 3);
    check("+14155550190", "(+1) 415/555/0190, 1_415_555_0190, [415] 555.0190", "(+***************, **************, [*************", 3);
    check("+14155550190", "+1\xc2\xa0" "415\xe2\x80\x91" "555 - 0190", "+*******************", 1);
    check("+14155550190", "0014155550190 011 1 415 555 0190", "************* ******************", 2);
    check("+14155550190", "call (415) 555-0190 or 4155550190", "call (************* or **********", 2);
    check("+442079460018", "+44 (0)20 7946 0018", "+******************", 1);
    check("+4930123", "+49 30/123", "+*********", 1);
    check("+14155550190", "job 12 +1 415 555 0190 3 times", "job 12 +************** 3 times", 1);
}
END_TEST

START_TEST(digits_that_are_no_number_of_theirs_are_left_alone)
{
    check("+14155550190", "+1 (415) 555-0191", "+1 (415) 555-0191", 0);
    check("+14155550190", "1 415, 555 0190", "1 415, 555 0190", 0); /* two of a list */
    check("+14155550190", "1 415 ----- 555 0190", "1 415 ----- 555 0190", 0);
    check("+14155550190", "+1 415 555 01901", "+1 415 555 01901", 0);
    check("+4912", "49 12 jobs", "49 12 jobs", 0);
}
END_TEST

START_TEST(an_address_is_found_whatever_marks_touch_it)
{
    check("ann@mail.example", "<ANN@mail.example>, (Ann@Mail.Example): *ann@mail.example*!",
          "<****************>, (****************): ******************!", 3);
    check("ann@mail.example", "mailto:ann@mail.example; it is ann@mail.example's -", "mailto:****************; it is ****************'s -",
          2);
    check("ann@mail.example", "\xe2\x80\x9c" "ann@mail.example\xe2\x80\x9d...ann@mail.example...",
          "\xe2\x80\x9c" "****************\xe2\x80\x9d...****************...", 2);
    check("ann@mail.example", "\xc3\xa4" "ann@mail.example _ann@mail.example", "\xc3\xa4" "ann@mail.example _ann@mail.example", 0);
    check("a\"b@mail.example", "+4912345678,a\"b@mail.example", "+4912345678,****************", 1);
}
END_TEST

START_TEST(a_document_stays_json)
{
    static const char json[] = "{\"to\":[\"a\\\"b@mail.example\",\"+14155550190\"],\"n\":14155550190,\"s\":\"1 415\",\"t\":"
                               "\"555 0190\",\"reason\":\"says \\\"1 (415) 555-0190\\\"\"}";
    char text[256];
    memcpy(text, json, sizeof json);
    ck_assert_uint_eq(named_in_json(&hash, named_person(&hash, "+14155550190"), text, sizeof json - 1, true), 2);
    ck_assert_uint_eq(named_in_json(&hash, named_person(&hash, "a\"b@mail.example"), text, sizeof json - 1, true), 1);
    ck_assert_str_eq(text, "{\"to\":[\"*****************\",\"+***********\"],\"n\":14155550190,\"s\":\"1 415\",\"t\":"
                           "\"555 0190\",\"reason\":\"says \\\"****************\\\"\"}");
    static const char cut[] = "\"1 415 555 0190 \\";
    memcpy(text, cut, sizeof cut);
    ck_assert_uint_eq(named_in_json(&hash, named_person(&hash, "+14155550190"), text, sizeof cut - 1, true), 1);
}
END_TEST

START_TEST(a_list_of_recipients_is_read_as_json)
{
    static const char list[] = "[\"+14155550190\",\"a\\\"b@mail.example\"]";
    struct span span = {list, sizeof list - 1};
    ck_assert(named_among(&hash, named_person(&hash, "+14155550190"), span));
    ck_assert(named_among(&hash, named_person(&hash, "a\"b@mail.example"), span));
    ck_assert(!named_among(&hash, named_person(&hash, "+14155550191"), span));
    ck_assert(!named_among(&hash, named_person(&hash, "+14155550190"), (struct span){NULL, 0}));
    ck_assert(!named_among(&hash, named_person(&hash, "+14155550190"), (struct span){"null   ", 7}));
}
END_TEST

/* Whatever stands beside what: once masked, nothing is found any more, and a document is one still. */
START_TEST(what_is_masked_is_masked_whole)
{
    static const char *const pieces[] = {"+1",   "1",    "415",  "555",          "0190", "(415)", "5550190", "00", "011", " ",
                                         "-",    ".",    ") ",   "+",            "@",    "ann",   "ANN",     ",",  "<",   "\xc2\xa0",
                                         "(0)",  "x",    "9",    "mail.example", "*",    "_",     "\\\"",    "/",  "\xe2\x80\x93", "0"};
    static const char *const names[] = {"+14155550190", "ann@mail.example"};
    unsigned found = 0;
    uint32_t x = 7;
    for (unsigned round = 0; round < 50000; round++) {
        char text[256] = "\"", copy[256];
        for (unsigned n = 0; n < 12; n++)
            strcat(text, pieces[((x = x * 1664525 + 1013904223) >> 16) % (sizeof pieces / sizeof *pieces)]);
        strcat(text, "\"");
        size_t bytes = strlen(text);
        uint64_t person = named_person(&hash, names[round % 2]);
        memcpy(copy, text, bytes + 1);
        size_t count = named_in_json(&hash, person, text, bytes, false);
        ck_assert_uint_eq(named_in_json(&hash, person, text, bytes, true), count);
        ck_assert_msg(named_in_json(&hash, person, text, bytes, false) == 0, "%s: %s", copy, text);
        bool same = true;
        for (size_t i = 0; i < bytes; i++)
            same = same && (text[i] == copy[i] || text[i] == '*');
        ck_assert_msg(same, "%s: %s", copy, text);
        cJSON *json = json_parse(text, bytes, NULL);
        ck_assert_msg(json != NULL, "%s: %s", copy, text);
        cJSON_Delete(json);
        found += count > 0;
    }
    ck_assert_uint_gt(found, 20);
}
END_TEST

START_TEST(bytes_of_any_kind_are_no_names)
{
    char bytes[4096];
    uint64_t person = named_person(&hash, "+14155550190");
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    ck_assert_uint_eq(named_in(&hash, person, bytes, sizeof bytes, true), 0);
    memset(bytes, '1', sizeof bytes);
    ck_assert_uint_eq(named_in(&hash, person, bytes, sizeof bytes, true), 0);
    memset(bytes, '@', sizeof bytes);
    ck_assert_uint_eq(named_in(&hash, person, bytes, sizeof bytes, true), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)("1 \xe2\x80\x93" "@."[(x = x * 1664525 + 1013904223) >> 24 & 7]);
    ck_assert_uint_eq(named_in(&hash, person, bytes, sizeof bytes, true), 0);
    ck_assert_uint_eq(named_in_json(&hash, person, bytes, sizeof bytes, true), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("named");
    TCase *tcase = tcase_create("named");
    tcase_add_test(tcase, a_number_is_found_however_it_is_written);
    tcase_add_test(tcase, a_number_that_is_a_part_of_another_is_another);
    tcase_add_test(tcase, an_address_is_found_in_any_case_and_whatever_stands_around_it);
    tcase_add_test(tcase, a_number_is_found_whatever_stands_between_its_digits);
    tcase_add_test(tcase, digits_that_are_no_number_of_theirs_are_left_alone);
    tcase_add_test(tcase, an_address_is_found_whatever_marks_touch_it);
    tcase_add_test(tcase, a_document_stays_json);
    tcase_add_test(tcase, a_list_of_recipients_is_read_as_json);
    tcase_add_test(tcase, what_is_masked_is_masked_whole);
    tcase_add_test(tcase, bytes_of_any_kind_are_no_names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
