/* Names, numbers, keys: what is one, how it is written, and that it reads back. */
#include "lineward/ids.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

/* `count` times `c`, in a buffer of its own size. */
static char *repeat(char c, size_t count)
{
    char *text = malloc(count + 1);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

static void check_length(bool (*is_valid)(const char *), char c, size_t longest)
{
    char *fits = repeat(c, longest), *too_long = repeat(c, longest + 1);
    ck_assert(is_valid(fits));
    ck_assert(!is_valid(too_long));
    free(fits);
    free(too_long);
}

START_TEST(names_have_1_to_64_safe_characters)
{
    ck_assert(name_is_valid("default"));
    ck_assert(name_is_valid("A-z_0.9"));
    ck_assert(!name_is_valid(""));
    ck_assert(!name_is_valid(NULL));
    ck_assert(!name_is_valid("a b"));
    ck_assert(!name_is_valid("a/b"));
    ck_assert(!name_is_valid("caf\xc3\xa9"));
    ck_assert(!name_is_valid("a\n"));
    check_length(name_is_valid, 'x', 64);
}
END_TEST

START_TEST(producer_ids_are_printable_and_never_look_like_job_numbers)
{
    ck_assert(producer_id_is_valid("order 17/a"));
    ck_assert(producer_id_is_valid("j"));
    ck_assert(producer_id_is_valid("J_1"));
    ck_assert(!producer_id_is_valid("j_1"));
    ck_assert(!producer_id_is_valid("j_"));
    ck_assert(!producer_id_is_valid(""));
    ck_assert(!producer_id_is_valid(NULL));
    ck_assert(!producer_id_is_valid("a\tb"));
    ck_assert(!producer_id_is_valid("a\x7f"));
    ck_assert(!producer_id_is_valid("\xc3\xa9"));
    check_length(producer_id_is_valid, '~', 128);
}
END_TEST

START_TEST(numbers_are_e164)
{
    ck_assert(e164_is_valid("+12025550101"));
    ck_assert(e164_is_valid("+12"));
    ck_assert(e164_is_valid("+123456789012345"));
    static const char *const wrong[] = {"",
                                        "+",
                                        "+1",
                                        "12025550101",
                                        "+02025550101",
                                        "+1 202555",
                                        "+1202-5550",
                                        "+12025550101 ",
                                        "++12",
                                        "+1234567890123456"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!e164_is_valid(wrong[i]), "%s", wrong[i]);
    ck_assert(!e164_is_valid(NULL));
}
END_TEST

START_TEST(handles_are_compared_in_lower_case)
{
    char out[HANDLE_MAX_BYTES + 1];
    ck_assert(handle_normalize("+12025550101", out));
    ck_assert_str_eq(out, "+12025550101");
    ck_assert(handle_normalize("Ann.B+x@Example.COM", out));
    ck_assert_str_eq(out, "ann.b+x@example.com");
}
END_TEST

START_TEST(what_is_no_handle_is_refused_and_touches_nothing)
{
    static const char *const wrong[] = {"",      "ann",   "@example.com", "ann@",       "a@b@c",       "a b@c",
                                        "a@b c", "a,b@c", "a@b\n",        "\xc3\xa9@b", "12025550101", "+1x@"};
    char out[HANDLE_MAX_BYTES + 1] = "kept";
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!handle_normalize(wrong[i], out), "%s", wrong[i]);
    ck_assert(!handle_normalize(NULL, out));
    char *longest = repeat('x', HANDLE_MAX_BYTES), *longer = repeat('x', HANDLE_MAX_BYTES + 1);
    longest[1] = longer[1] = '@';
    ck_assert(!handle_normalize(longer, out));
    ck_assert_str_eq(out, "kept");
    ck_assert(handle_normalize(longest, out));
    free(longest);
    free(longer);
}
END_TEST

START_TEST(a_masked_handle_never_shows_the_whole)
{
    static const struct {
        const char *handle, *masked;
    } masks[] = {
        {"+12025550111", "+1202*****11"},
        {"+1234567890", "+1234****90"},
        {"+123456789", "+1234***89"},
        {"+12345678", "+1*******"},
        {"+12", "+1*"},
        {"ann@example.com", "a***@***"},
        {"a@b", "a***@***"},
        {"no handle", "***"},
        {"", "***"},
    };
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char out[HANDLE_MAX_BYTES + 1];
        handle_mask(masks[i].handle, out);
        ck_assert_str_eq(out, masks[i].masked);
    }
    char out[HANDLE_MAX_BYTES + 1];
    handle_mask(NULL, out);
    ck_assert_str_eq(out, "***");
    /* so long that it would not fit, and with an escape in front: neither a handle nor shown */
    char *hostile = repeat('\x1b', 5000);
    handle_mask(hostile, out);
    ck_assert_str_eq(out, "***");
    free(hostile);
}
END_TEST

START_TEST(job_numbers_and_leases_read_back)
{
    static const uint64_t numbers[] = {0, 1, 35, 36, 1295, 1296, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[JOB_NUMBER_TEXT_MAX], lease[LEASE_TEXT_MAX];
        uint64_t back = 99;
        job_number_format(numbers[i], text);
        ck_assert(job_number_parse(text, &back));
        ck_assert_uint_eq(back, numbers[i]);
        lease_format(numbers[i], lease);
        ck_assert(lease_parse(lease, &back));
        ck_assert_uint_eq(back, numbers[i]);
    }
    char text[JOB_NUMBER_TEXT_MAX];
    job_number_format(UINT64_MAX, text);
    ck_assert_str_eq(text, "j_3w5e11264sgsf");
    job_number_format(36, text);
    ck_assert_str_eq(text, "j_10");
}
END_TEST

START_TEST(a_job_number_is_written_in_one_way_only)
{
    static const char *const wrong[] = {"",
                                        "j",
                                        "j_",
                                        "j_01",
                                        "j_00",
                                        "J_1",
                                        "j_A",
                                        "j_1 ",
                                        "l_1",
                                        "j_-1",
                                        "1",
                                        "j_1\x80",
                                        "j_3w5e11264sgsg",
                                        "j_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
    uint64_t number = 7;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!job_number_parse(wrong[i], &number), "%s", wrong[i]);
    ck_assert(!job_number_parse(NULL, &number));
    ck_assert(!lease_parse("j_1", &number));
    ck_assert(!lease_parse(NULL, &number));
    ck_assert_uint_eq(number, 7);
}
END_TEST

START_TEST(idempotency_keys_read_back)
{
    const uint8_t random[KEY_RANDOM_BYTES] = {0x00, 0xff, 0x10, 0x0a, 1, 2, 3, 4, 5, 6, 7, 0xfe};
    char key[IDEMPOTENCY_KEY_TEXT_MAX];
    uint8_t back[KEY_RANDOM_BYTES] = {0};
    uint64_t number = 0;
    idempotency_key_format(UINT64_MAX, random, key);
    ck_assert_str_eq(key, "j_3w5e11264sgsf-00ff100a01020304050607fe");
    ck_assert(idempotency_key_parse(key, &number, back));
    ck_assert_uint_eq(number, UINT64_MAX);
    ck_assert_mem_eq(back, random, sizeof random);
}
END_TEST

START_TEST(a_foreign_idempotency_key_is_refused_and_touches_nothing)
{
    static const char *const wrong[] = {
        "",
        "j_1",
        "j_1-",
        "j_1-00ff100a01020304050607f",
        "j_1-00ff100a01020304050607fe0",
        "j_1-00FF100a01020304050607fe",
        "j_1-00gf100a01020304050607fe",
        "j_-00ff100a01020304050607fe",
        "1-00ff100a01020304050607fe",
        "j_3w5e11264sgsg-00ff100a01020304050607fe",
        "550e8400-e29b-41d4-a716-446655440000",
    };
    uint8_t random[KEY_RANDOM_BYTES];
    uint64_t number = 7;
    memset(random, 0x55, sizeof random);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!idempotency_key_parse(wrong[i], &number, random), "%s", wrong[i]);
    ck_assert(!idempotency_key_parse(NULL, &number, random));
    ck_assert_uint_eq(number, 7);
    ck_assert_uint_eq(random[0], 0x55);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ids");
    TCase *tests = tcase_create("ids");
    tcase_add_test(tests, names_have_1_to_64_safe_characters);
    tcase_add_test(tests, producer_ids_are_printable_and_never_look_like_job_numbers);
    tcase_add_test(tests, numbers_are_e164);
    tcase_add_test(tests, handles_are_compared_in_lower_case);
    tcase_add_test(tests, what_is_no_handle_is_refused_and_touches_nothing);
    tcase_add_test(tests, a_masked_handle_never_shows_the_whole);
    tcase_add_test(tests, job_numbers_and_leases_read_back);
    tcase_add_test(tests, a_job_number_is_written_in_one_way_only);
    tcase_add_test(tests, idempotency_keys_read_back);
    tcase_add_test(tests, a_foreign_idempotency_key_is_refused_and_touches_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
