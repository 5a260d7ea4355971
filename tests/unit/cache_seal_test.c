/* cache_seal_test.c — what Redis holds of a recipient tells nobody who they are, but for who has the secret. */
#include <sodium.h>
#include <string.h>

#include "broker/cache/cache_seal.h"
#include "tests/support/suite.h"

#define SECRET "one line that all the brokers of an account have"
#define NUMBER "+14155550107"

static struct cache_seal seal, other;
static char id[CACHE_ID_TEXT], sealed[CACHE_SEALED_TEXT], handle[HANDLE_MAX_BYTES + 1];

static void begin(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert(cache_seal_make(&seal, SECRET));
    ck_assert(cache_seal_make(&other, SECRET "."));
    cache_seal_id(&seal, "default", NUMBER, id);
    cache_seal_close(&seal, NUMBER, sealed);
}

START_TEST(who_has_the_secret_opens_it_and_another_does_not)
{
    struct cache_seal same;
    begin();
    ck_assert(cache_seal_make(&same, SECRET));
    ck_assert(cache_seal_open(&same, "default", id, sealed, handle));
    ck_assert_str_eq(handle, NUMBER);
    ck_assert(!cache_seal_open(&other, "default", id, sealed, handle));
    ck_assert(!cache_seal_make(&same, "thirty-one characters, not more"));
}
END_TEST

START_TEST(it_is_opened_under_its_own_id_and_account_only)
{
    char another[CACHE_ID_TEXT];
    begin();
    cache_seal_id(&seal, "default", "+14155550108", another);
    ck_assert_str_ne(another, id);
    ck_assert(!cache_seal_open(&seal, "default", another, sealed, handle));
    ck_assert(!cache_seal_open(&seal, "second", id, sealed, handle));
    cache_seal_id(&other, "default", NUMBER, another);
    ck_assert_str_ne(another, id);
    cache_seal_id(&seal, "defaul", "t" NUMBER, another); /* account and recipient do not slide into each other */
    ck_assert_str_ne(another, id);
}
END_TEST

START_TEST(two_seals_differ_and_numbers_are_of_one_length)
{
    char again[CACHE_SEALED_TEXT];
    begin();
    cache_seal_close(&seal, NUMBER, again);
    ck_assert_str_ne(again, sealed);
    cache_seal_close(&seal, "+4930555", again);
    ck_assert_uint_eq(strlen(again), strlen(sealed));
    ck_assert_ptr_null(strstr(sealed, "4155550107"));
}
END_TEST

START_TEST(a_byte_that_was_turned_over_opens_nothing)
{
    begin();
    for (size_t i = 0; i < strlen(sealed); i++) {
        char spoilt[CACHE_SEALED_TEXT];
        memcpy(spoilt, sealed, sizeof spoilt);
        spoilt[i] = spoilt[i] == 'A' ? 'B' : 'A';
        ck_assert(!cache_seal_open(&seal, "default", id, spoilt, handle));
        memcpy(spoilt, sealed, sizeof spoilt);
        spoilt[i] = '\0';
        ck_assert(!cache_seal_open(&seal, "default", id, spoilt, handle));
    }
    char huge[4096];
    memset(huge, 'A', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    ck_assert(!cache_seal_open(&seal, "default", id, huge, handle));
}
END_TEST

START_TEST(the_longest_address_fits)
{
    char longest[HANDLE_MAX_BYTES + 1], its_id[CACHE_ID_TEXT];
    begin();
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 60, "@", 1);
    for (size_t i = 100; i < HANDLE_MAX_BYTES - 4; i += 40)
        longest[i] = '.';
    memcpy(longest + HANDLE_MAX_BYTES - 4, ".com", 5);
    ck_assert(handle_normalize(longest, handle));
    cache_seal_id(&seal, "default", longest, its_id);
    cache_seal_close(&seal, longest, sealed);
    ck_assert(cache_seal_open(&seal, "default", its_id, sealed, handle));
    ck_assert_str_eq(handle, longest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_seal");
    TCase *tcase = tcase_create("core");
    tcase_add_test(tcase, who_has_the_secret_opens_it_and_another_does_not);
    tcase_add_test(tcase, it_is_opened_under_its_own_id_and_account_only);
    tcase_add_test(tcase, two_seals_differ_and_numbers_are_of_one_length);
    tcase_add_test(tcase, a_byte_that_was_turned_over_opens_nothing);
    tcase_add_test(tcase, the_longest_address_fits);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
