/* Hashes that only the holder of the key can foresee, and that see JSON values, not their spelling. */
#include "broker/edge/keyed_hash.h"

#include <sodium.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/support/suite.h"

static const struct keyed_hash one = {{1}};
static const struct keyed_hash other = {{2}};

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
}

static uint64_t of(enum keyed_kind kind, const char *scope, const char *text)
{
    return keyed_hash(&one, kind, scope, text, strlen(text));
}

START_TEST(a_hash_depends_on_key_kind_scope_and_text_and_on_nothing_else)
{
    uint64_t hash = of(KEYED_ID, "default", "a");
    ck_assert_uint_ne(hash, 0);
    ck_assert_uint_eq(hash, of(KEYED_ID, "default", "a"));
    ck_assert_uint_ne(hash, keyed_hash(&other, KEYED_ID, "default", "a", 1));
    ck_assert_uint_ne(hash, of(KEYED_EVENT, "default", "a"));
    ck_assert_uint_ne(hash, of(KEYED_ID, "eu", "a"));
    ck_assert_uint_ne(hash, of(KEYED_ID, NULL, "a"));
    ck_assert_uint_ne(hash, of(KEYED_ID, "default", "b"));
    ck_assert_uint_ne(of(KEYED_ID, "ab", "c"), of(KEYED_ID, "a", "bc"));
    ck_assert_uint_ne(of(KEYED_ID, "", "a"), of(KEYED_ID, NULL, "a"));
}
END_TEST

START_TEST(long_texts_and_short_ones_are_hashed_alike_to_the_last_byte)
{
    char text[600];
    uint64_t hashes[600];
    memset(text, 'x', sizeof text);
    for (size_t bytes = 0; bytes < sizeof text; bytes++) {
        hashes[bytes] = keyed_hash(&one, KEYED_CONVERSATION, "default", text, bytes);
        for (size_t before = 0; before < bytes; before++)
            ck_assert_uint_ne(hashes[before], hashes[bytes]);
        if (bytes == 0)
            continue;
        text[bytes - 1] = 'y';
        ck_assert_uint_ne(keyed_hash(&one, KEYED_CONVERSATION, "default", text, bytes), hashes[bytes]);
        text[bytes - 1] = 'x';
    }
}
END_TEST

static uint64_t json(const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);
    ck_assert_msg(value != NULL, "%s", text);
    uint64_t hash = keyed_hash_json(&one, value);
    cJSON_Delete(value);
    return hash;
}

START_TEST(equal_values_are_equal_however_they_are_written)
{
    static const char *const pairs[][2] = {{"{\"a\":1,\"b\":2}", " { \"b\" : 2.0 , \"a\" : 1e0 } "},
                                           {"\"\\u0041\\/\"", "\"A/\""},
                                           {"-0", "0"},
                                           {"[[],{}]", "[ [ ] , { } ]"},
                                           {"{\"x\":{\"p\":[1,2],\"q\":null}}", "{\"x\":{\"q\":null,\"p\":[1,2]}}"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        ck_assert_msg(json(pairs[i][0]) == json(pairs[i][1]), "%s", pairs[i][0]);
}
END_TEST

START_TEST(different_values_differ)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "1",
                                         "\"\"",
                                         "\"0\"",
                                         "[]",
                                         "{}",
                                         "[0]",
                                         "[[0]]",
                                         "[0,1]",
                                         "[1,0]",
                                         "[0,0]",
                                         "{\"a\":0}",
                                         "{\"b\":0}",
                                         "{\"a\":1}",
                                         "{\"a\":0,\"b\":0}",
                                         "{\"a\":{\"b\":0}}",
                                         "{\"a\":[0]}",
                                         "[{\"a\":0}]",
                                         "[\"a\",0]",
                                         "{\"a\":1,\"b\":0}",
                                         "{\"a\":null}",
                                         "[null]",
                                         "[null,null]",
                                         "[[],[]]",
                                         "[[[]]]"};
    size_t count = sizeof values / sizeof *values;
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            ck_assert_msg(json(values[i]) != json(values[k]), "%s and %s", values[i], values[k]);
}
END_TEST

START_TEST(values_of_two_members_cannot_change_places)
{
    ck_assert_uint_ne(json("{\"a\":1,\"b\":2}"), json("{\"a\":2,\"b\":1}"));
    ck_assert_uint_ne(json("{\"a\":{\"x\":1},\"b\":{\"y\":2}}"), json("{\"a\":{\"y\":2},\"b\":{\"x\":1}}"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed_hash");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_hash_depends_on_key_kind_scope_and_text_and_on_nothing_else);
    tcase_add_test(tcase, long_texts_and_short_ones_are_hashed_alike_to_the_last_byte);
    tcase_add_test(tcase, equal_values_are_equal_however_they_are_written);
    tcase_add_test(tcase, different_values_differ);
    tcase_add_test(tcase, values_of_two_members_cannot_change_places);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
