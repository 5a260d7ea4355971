/* JSON in: strict, bounded, and in agreement with cJSON about what it lets through. JSON out: always valid. */
#include "lineward/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"

/* Parses from a buffer of exactly that size, so that a sanitizer sees one byte too many being read. */
static cJSON *parse_bytes(const char *text, size_t bytes, const char **why)
{
    char *copy = malloc(bytes > 0 ? bytes : 1);
    memcpy(copy, text, bytes);
    cJSON *document = json_parse(copy, bytes, why);
    free(copy);
    return document;
}

static cJSON *parse(const char *text)
{
    return parse_bytes(text, strlen(text), NULL);
}

/* `depth` brackets around a number. */
static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 2);
    memset(text, '[', depth);
    text[depth] = '1';
    memset(text + depth + 1, ']', depth);
    text[2 * depth + 1] = '\0';
    return text;
}

START_TEST(documents_are_taken)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "null",
                                        "true",
                                        "false",
                                        "0",
                                        "-0",
                                        "1.5e-3",
                                        "1E+2",
                                        "\"\"",
                                        " \t\r\n[1 , 2]\n",
                                        "{\"a\":{\"b\":[null,true,{\"c\":\"\\ud83d\\ude00\\n\\/\"}]},\"\":1}",
                                        "\"caf\xc3\xa9 \xf0\x9f\x98\x80\x7f\"",
                                        "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
                                        "{\"a\":1,\"a\":2}",
                                        "12345678901234567890123456789012345678901234567890123456789012"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cJSON *document = parse(texts[i]);
        ck_assert_msg(document != NULL, "%s", texts[i]);
        cJSON_Delete(document);
    }
}
END_TEST

START_TEST(what_is_no_document_is_refused_with_a_sentence)
{
    static const char *const texts[] = {
        "",           " ",
        "{",          "[",
        "]",          "}",
        "[1",         "[1,",
        "[1,]",       "[,1]",
        "[1 2]",      "{\"a\"}",
        "{\"a\":}",   "{\"a\":1,}",
        "{a:1}",      "{1:2}",
        "{\"a\" 1}",  "{\"a\":1 \"b\":2}",
        "[1}",        "{\"a\":1]",
        "1 2",        "[] []",
        "{}x",        "nul",
        "nulL",       "True",
        "truex",      "NaN",
        "Infinity",   "-",
        "+1",         "01",
        "-01",        "1.",
        ".5",         "1e",
        "1e+",        "0x10",
        "1_000",      "1e999",
        "-1e999",     "\"",
        "\"a",        "\"\\",
        "\"\\\"",     "\"\\x41\"",
        "\"\\u12\"",  "\"\\u12g4\"",
        "\"\\u\"",    "'a'",
        "\"\t\"",     "\"\n\"",
        "\"\x1f\"",   "// c\n1",
        "/* c */ 1",  "\xef\xbb\xbf{}",
        "\x0b{}",     "{}\x0c",
        "\xc2\xa0{}", "123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *why = NULL;
        ck_assert_msg(parse_bytes(texts[i], strlen(texts[i]), &why) == NULL, "%s", texts[i]);
        ck_assert_ptr_nonnull(why);
    }
}
END_TEST

START_TEST(zero_bytes_and_their_escape_are_refused)
{
    ck_assert_ptr_null(parse("\"a\\u0000b\""));
    ck_assert_ptr_null(parse("{\"a\\u0000\":1}"));
    ck_assert_ptr_null(parse_bytes("{}\0", 3, NULL));
    ck_assert_ptr_null(parse_bytes("\"a\0b\"", 5, NULL));
    ck_assert_ptr_null(parse_bytes("\"\\\0\"", 4, NULL));
    cJSON *escaped = parse("\"\\\\u0000\""); /* a backslash and five letters */
    ck_assert_ptr_nonnull(escaped);
    cJSON_Delete(escaped);
}
END_TEST

START_TEST(bad_utf8_and_half_surrogates_are_refused)
{
    static const char *const texts[] = {"\"\x80\"",
                                        "\"\xbf\"",
                                        "\"\xc0\x80\"",
                                        "\"\xc1\xbf\"",
                                        "\"\xe0\x9f\xbf\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xf0\x8f\xbf\xbf\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xf5\x80\x80\x80\"",
                                        "\"\xff\"",
                                        "\"\xc3\"",
                                        "\"\xe2\x82\"",
                                        "\"\xf0\x9f\x98\"",
                                        "\"\xc3\x28\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\ud800x\"",
                                        "\"\\ud800\\ud800\"",
                                        "\"\\ud83d\\n\"",
                                        "{\"\xff\":1}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(parse(texts[i]) == NULL, "%zu: %s", i, texts[i]);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char *deepest = nested(JSON_DEPTH_MAX), *deeper = nested(JSON_DEPTH_MAX + 1), *absurd = nested(1000000);
    cJSON *document = parse(deepest);
    ck_assert_ptr_nonnull(document);
    cJSON_Delete(document);
    ck_assert_ptr_null(parse(deeper));
    ck_assert_ptr_null(parse(absurd));
    document = json_parse_answer(deeper, strlen(deeper), NULL);
    ck_assert_ptr_nonnull(document);
    cJSON_Delete(document);
    free(deeper);
    deeper = nested(JSON_ANSWER_DEPTH_MAX + 1);
    ck_assert_ptr_null(json_parse_answer(deeper, strlen(deeper), NULL));
    free(deepest);
    free(deeper);
    free(absurd);
}
END_TEST

START_TEST(a_document_cut_anywhere_is_refused)
{
    static const char whole[] =
        "{\"a\":[1.5e3,\"x\\u00e9\\ud83d\\ude00\\n\",{\"b\":true,\"c\":null}],\"d\":\"\xc3\xa9\"}";
    for (size_t bytes = 0; bytes < sizeof whole - 1; bytes++)
        ck_assert_msg(parse_bytes(whole, bytes, NULL) == NULL, "%zu bytes", bytes);
}
END_TEST

/* Whatever bytes are changed: what passes is walked without leaving the document, and raw members are exactly what
 * cJSON sees. */
START_TEST(changed_bytes_are_refused_or_read_alike_by_all_functions)
{
    static const char whole[] =
        "{\"id\":\"a\\u0041\",\"n\":[1,-2.5e3,{\"x\":[]}],\"\\u006dessage\":{\"t\":\"\\\"}\\\\\"},\"z\":true }";
    static const char bytes[] = "\"\\{}[]:,0u- \x80\xc3\x01";
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            char *text = malloc(sizeof whole - 1);
            memcpy(text, whole, sizeof whole - 1);
            text[at] = bytes[i];
            cJSON *document = json_parse(text, sizeof whole - 1, NULL);
            json_has_big_integer(document != NULL ? text : "", document != NULL ? sizeof whole - 1 : 0);
            const cJSON *member = NULL;
            if (cJSON_IsObject(document)) {
                cJSON_ArrayForEach(member, document)
                {
                    const char *value = NULL;
                    size_t value_bytes = 0;
                    ck_assert(json_raw_member(text, sizeof whole - 1, member->string, &value, &value_bytes));
                    cJSON *raw = json_parse(value, value_bytes, NULL);
                    ck_assert(json_equal(raw, json_get(document, member->string)));
                    cJSON_Delete(raw);
                }
            }
            cJSON_Delete(document);
            free(text);
        }
    }
}
END_TEST

START_TEST(a_raw_member_is_the_very_bytes_of_its_value)
{
    static const char text[] =
        " { \"a\" : 1 , \"message\" : { \"x\" : [ \"}\\\"]\" , {} ] }\n, \"m\":\"\\\"\", \"e\":[]}";
    static const struct {
        const char *name, *raw;
    } members[] = {{"a", "1"}, {"message", "{ \"x\" : [ \"}\\\"]\" , {} ] }"}, {"m", "\"\\\"\""}, {"e", "[]"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value = NULL;
        size_t bytes = 0;
        ck_assert(json_raw_member(text, sizeof text - 1, members[i].name, &value, &bytes));
        ck_assert_uint_eq(bytes, strlen(members[i].raw));
        ck_assert_int_eq(memcmp(value, members[i].raw, bytes), 0);
    }
}
END_TEST

START_TEST(the_items_of_an_array_are_the_very_bytes_of_each)
{
    static const char text[] = " [ {\"a\":[1,2]} , \"],\" ,3.10,[] ] ";
    static const char *const items[] = {"{\"a\":[1,2]}", "\"],\"", "3.10", "[]"};
    size_t at = 0, bytes = 0, count = 0;
    const char *item = NULL;
    for (; json_next_item(text, sizeof text - 1, &at, &item, &bytes); count++) {
        ck_assert_uint_lt(count, 4);
        ck_assert_uint_eq(bytes, strlen(items[count]));
        ck_assert_int_eq(memcmp(item, items[count], bytes), 0);
    }
    ck_assert_uint_eq(count, 4);
    static const char *const none[] = {"[]", " [ ] ", "{}", "1", "{\"a\":[1]}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        at = 0;
        ck_assert(!json_next_item(none[i], strlen(none[i]), &at, &item, &bytes));
    }
}
END_TEST

START_TEST(a_raw_member_is_found_only_at_the_top_and_by_its_spelled_name)
{
    static const char text[] =
        "{\"x\":{\"id\":1},\"y\":\"\\\"id\\\":2\",\"\\u0069\\u0064\":3,\"id\":4,\"\\ud83d\\ude00\\n\":5,"
        "\"\\u00e9\\u20ac\":6}";
    const char *value = NULL;
    size_t bytes = 0;
    ck_assert(json_raw_member(text, sizeof text - 1, "id", &value, &bytes));
    ck_assert_uint_eq(bytes, 1);
    ck_assert_int_eq(*value, '3'); /* the first of equal names, as json_get() */
    ck_assert(json_raw_member(text, sizeof text - 1, "\xf0\x9f\x98\x80\n", &value, &bytes));
    ck_assert_int_eq(*value, '5');
    ck_assert(json_raw_member(text, sizeof text - 1, "\xc3\xa9\xe2\x82\xac", &value, &bytes));
    ck_assert_int_eq(*value, '6');
    value = text;
    ck_assert(!json_raw_member(text, sizeof text - 1, "i", &value, &bytes));
    ck_assert(!json_raw_member(text, sizeof text - 1, "idd", &value, &bytes));
    ck_assert(!json_raw_member(text, sizeof text - 1, "", &value, &bytes));
    ck_assert(!json_raw_member(text, sizeof text - 1, "\xc3\xa9", &value, &bytes));
    ck_assert(!json_raw_member("[\"id\",1]", 8, "id", &value, &bytes));
    ck_assert(!json_raw_member("{}", 2, "id", &value, &bytes));
    ck_assert(!json_raw_member("{ }", 3, "id", &value, &bytes));
    ck_assert(!json_raw_member("1", 1, "id", &value, &bytes));
    ck_assert_ptr_eq(value, text);
}
END_TEST

START_TEST(integers_beyond_2_to_the_53_are_noticed_wherever_they_are)
{
    static const char *const big[] = {
        "9007199254740993", "-9007199254740993",      "[1,{\"a\":9007199254740993}]", "10000000000000000", "1e16",
        "-1.0e300",         "{\"a\":[\"9\",1E17,2]}", "[9007199254740993]",           "9007199254740994.0"};
    static const char *const small[] = {"9007199254740992",
                                        "-9007199254740992",
                                        "\"9007199254740993\"",
                                        "{\"9007199254740993\":\"\\\"9007199254740993\"}",
                                        "0.12345678901234567890123",
                                        "1e15",
                                        "1e-300",
                                        "[]",
                                        "true",
                                        "[0,-0]",
                                        "9007199254740991.25"};
    for (size_t i = 0; i < sizeof big / sizeof *big; i++)
        ck_assert_msg(json_has_big_integer(big[i], strlen(big[i])), "%s", big[i]);
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        ck_assert_msg(!json_has_big_integer(small[i], strlen(small[i])), "%s", small[i]);
}
END_TEST

START_TEST(typed_access_takes_nothing_of_another_type)
{
    cJSON *document = parse("{\"s\":\"text\",\"n\":12,\"f\":1.5,\"t\":true,\"z\":null,\"h\":1e300,\"N\":13,"
                            "\"m\":-9007199254740992,\"e\":9007199254740994}");
    int64_t value = 77;
    ck_assert_str_eq(json_string(document, "s"), "text");
    ck_assert_ptr_null(json_string(document, "n"));
    ck_assert_ptr_null(json_string(document, "z"));
    ck_assert_ptr_null(json_string(document, "S")); /* names are case-sensitive */
    ck_assert_ptr_null(json_get(document, "missing"));
    ck_assert(!json_int(document, "f", &value));
    ck_assert(!json_int(document, "h", &value));
    ck_assert(!json_int(document, "e", &value));
    ck_assert(!json_int(document, "s", &value));
    ck_assert(!json_int(document, "missing", &value));
    ck_assert_int_eq(value, 77);
    ck_assert(json_int(document, "n", &value));
    ck_assert_int_eq(value, 12);
    ck_assert(json_int(document, "m", &value));
    ck_assert_int_eq(value, -9007199254740992);
    ck_assert(json_bool(document, "t", false));
    ck_assert(json_bool(document, "n", true));
    ck_assert(!json_bool(document, "missing", false));
    ck_assert_ptr_null(json_get(NULL, "a"));
    ck_assert_ptr_null(json_get(json_get(document, "s"), "a"));
    cJSON_Delete(document);
}
END_TEST

START_TEST(of_two_equal_names_the_first_counts)
{
    cJSON *document = parse("{\"a\":1,\"a\":2}");
    int64_t value = 0;
    ck_assert(json_int(document, "a", &value));
    ck_assert_int_eq(value, 1);
    cJSON_Delete(document);
}
END_TEST

static bool texts_equal(const char *a, const char *b)
{
    cJSON *left = parse(a), *right = parse(b);
    ck_assert(left != NULL && right != NULL);
    bool equal = json_equal(left, right);
    ck_assert(json_equal(right, left) == equal);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return equal;
}

START_TEST(too_many_values_are_refused_before_they_are_read)
{
    static const char *const many[] = {"[1,2,3,4]", "{\"a\":{\"b\":[1]},\"c\":2}", "[[[[[[[[", "[\"\\\",,\",2,3,4"};
    static const char *const few[] = {"[1,2,3]", "[\",,,,\",1]", "[\"\\\"[[[[\",1]", "\"[[[[[\""};
    const char *why = NULL;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        ck_assert_ptr_null(json_parse_bounded(many[i], strlen(many[i]), 4, &why));
        ck_assert_int_eq(json_fault_of(why), JSON_FAULT_VALUE);
    }
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
        cJSON *document = json_parse_bounded(few[i], strlen(few[i]), 4, &why);
        ck_assert_ptr_nonnull(document);
        cJSON_Delete(document);
    }
    ck_assert_ptr_null(json_parse_bounded("[\"1,2,3", 7, 4, &why)); /* a string without an end is another fault */
    ck_assert_int_eq(json_fault_of(why), JSON_FAULT_FORM);
}
END_TEST

START_TEST(equality_is_of_values_not_of_spelling)
{
    ck_assert(texts_equal("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [true , null], \"a\" : 1.0e0 }"));
    ck_assert(texts_equal("\"\\u0041\\/\"", "\"A/\""));
    ck_assert(texts_equal("{\"a\":1,\"a\":2}", "{\"a\":1}"));
    ck_assert(texts_equal("{\"x\":{\"b\":1,\"a\":{}}}", "{\"x\":{\"a\":{},\"b\":1}}"));
    ck_assert(!texts_equal("[1,2]", "[2,1]"));
    ck_assert(!texts_equal("[1,2]", "[1,2,3]"));
    ck_assert(!texts_equal("{\"a\":1}", "{\"A\":1}"));
    ck_assert(!texts_equal("{\"a\":1}", "{\"a\":1,\"b\":null}"));
    ck_assert(!texts_equal("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}"));
    ck_assert(!texts_equal("1", "\"1\""));
    ck_assert(!texts_equal("true", "false"));
    ck_assert(!texts_equal("null", "false"));
    ck_assert(!texts_equal("{}", "[]"));
    ck_assert(!texts_equal("1", "1.0000000000000002")); /* one step apart is apart */
    ck_assert(json_equal(NULL, NULL));
    cJSON *document = parse("1");
    ck_assert(!json_equal(document, NULL));
    cJSON_Delete(document);
}
END_TEST

START_TEST(equality_of_very_wide_objects_takes_no_quadratic_time)
{
    enum { MEMBERS = 60000 };
    char *a = malloc(MEMBERS * 12), *b = malloc(MEMBERS * 12);
    char *at_a = a, *at_b = b;
    for (int i = 0; i < MEMBERS; i++) {
        at_a += sprintf(at_a, "%c\"%d\":1", i == 0 ? '{' : ',', i);
        at_b += sprintf(at_b, "%c\"%d\":1", i == 0 ? '{' : ',', MEMBERS - 1 - i);
    }
    strcpy(at_a, "}");
    strcpy(at_b, "}");
    struct instant before = clock_read();
    ck_assert(texts_equal(a, b));
    ck_assert_int_lt(clock_read().mono_ms - before.mono_ms, 5000); /* each with each took half a minute */
    free(a);
    free(b);
}
END_TEST

/* Out */

static const char *text_of(struct json_out *out)
{
    static char text[4096];
    ck_assert(!out->failed);
    ck_assert_uint_lt(out->bytes, sizeof text);
    memcpy(text, out->text, out->bytes);
    text[out->bytes] = '\0';
    json_out_free(out);
    return text;
}

START_TEST(commas_and_colons_come_by_themselves)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "a");
    json_open(&out, '[');
    json_close(&out, ']');
    json_key(&out, "b");
    json_open(&out, '[');
    json_put_int(&out, 1);
    json_put_bool(&out, true);
    json_put_bool(&out, false);
    json_put_null(&out);
    json_open(&out, '{');
    json_close(&out, '}');
    json_put_raw(&out, "{\"r\":0}", 7);
    json_put_string(&out, NULL);
    json_put_string(&out, "");
    json_close(&out, ']');
    json_key(&out, "c");
    json_put_string(&out, "x");
    json_close(&out, '}');
    ck_assert_str_eq(text_of(&out), "{\"a\":[],\"b\":[1,true,false,null,{},{\"r\":0},null,\"\"],\"c\":\"x\"}");
}
END_TEST

START_TEST(numbers_are_written_so_that_they_read_back)
{
    struct json_out out = {0};
    json_open(&out, '[');
    json_put_int(&out, 0);
    json_put_int(&out, -1);
    json_put_int(&out, INT64_MAX);
    json_put_int(&out, INT64_MIN);
    json_put_number(&out, 0.25);
    json_put_number(&out, 0.1);
    json_put_number(&out, 1.0 / 3);
    json_put_number(&out, 3);
    json_put_number(&out, 1e300);
    json_put_number(&out, strtod("nan", NULL));
    json_put_number(&out, strtod("-inf", NULL));
    json_close(&out, ']');
    const char *text = text_of(&out);
    ck_assert_str_eq(text, "[0,-1,9223372036854775807,-9223372036854775808,0.25,0.1,0.3333333333333333,3,1e+300,"
                           "null,null]");
}
END_TEST

START_TEST(a_whole_value_is_written_so_that_it_reads_back_equal)
{
    static const char *const texts[] = {
        "{\"id\":9007199254740991,\"less\":-9007199254740991,\"part\":0.1,\"tiny\":5e-324,\"zero\":0}",
        "[[],{},null,true,false,\"\\u0001 \\\"caf\xc3\xa9\\\"\",{\"\":[{\"a\\nb\":[1]}]}]",
        "7",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_out out = {0};
        cJSON *before = json_parse(texts[i], strlen(texts[i]), NULL);
        ck_assert_ptr_nonnull(before);
        json_put_value(&out, before);
        cJSON *after = json_parse(out.text, out.bytes, NULL);
        ck_assert_msg(after != NULL && json_equal(before, after), "%.*s", (int)out.bytes, out.text);
        cJSON_Delete(before);
        cJSON_Delete(after);
        json_out_free(&out);
    }
}
END_TEST

START_TEST(times_are_written_and_no_time_is_null)
{
    struct json_out out = {0};
    json_open(&out, '[');
    json_put_time(&out, 1795428000000);
    json_put_time(&out, 0);
    json_put_time(&out, TIME_NEVER);
    json_close(&out, ']');
    ck_assert_str_eq(text_of(&out), "[\"2026-11-23T10:00:00.000Z\",null,null]");
}
END_TEST

START_TEST(strings_are_escaped_and_bad_utf8_is_replaced)
{
    struct json_out out = {0};
    json_open(&out, '[');
    json_put_string(&out, "\"\\/\b\f\n\r\t\x01\x1f\x7f caf\xc3\xa9 \xf0\x9f\x98\x80");
    json_put_bytes(&out, "a\0b", 3);
    json_put_bytes(&out, "\xff\xc3", 2);
    json_put_bytes(&out, "\xc3\xa9", 1); /* cut within a character */
    json_put_bytes(&out, "\xed\xa0\x80", 3);
    json_close(&out, ']');
    ck_assert_str_eq(text_of(&out), "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f caf\xc3\xa9 \xf0\x9f\x98\x80\","
                                    "\"a\\u0000b\",\"\xef\xbf\xbd\xef\xbf\xbd\",\"\xef\xbf\xbd\","
                                    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
}
END_TEST

START_TEST(every_byte_at_every_place_of_a_long_string_is_written_well)
{
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            struct json_out out = {0};
            json_put_bytes(&out, text, sizeof text);
            cJSON *document = byte != 0 ? json_parse(out.text, out.bytes, NULL) : NULL;
            ck_assert_msg(byte == 0 || document != NULL, "byte %d at %zu", byte, at);
            if (byte > 0 && byte < 0x80)
                ck_assert_int_eq(memcmp(document->valuestring, text, sizeof text), 0);
            cJSON_Delete(document);
            json_out_free(&out);
        }
    }
}
END_TEST

START_TEST(a_cleared_buffer_begins_anew_and_keeps_its_memory)
{
    struct json_out out = {0};
    json_put_string(&out, "first");
    size_t room = out.room;
    json_out_clear(&out);
    json_put_int(&out, 1);
    ck_assert_uint_eq(out.room, room);
    ck_assert_str_eq(text_of(&out), "1");
}
END_TEST

START_TEST(a_buffer_grows_with_what_is_written)
{
    struct json_out out = {0};
    json_open(&out, '[');
    for (int i = 0; i < 100000; i++)
        json_put_string(&out, "\n\n\n\n"); /* each takes twice its bytes */
    json_close(&out, ']');
    ck_assert(!out.failed);
    cJSON *document = json_parse(out.text, out.bytes, NULL);
    ck_assert_int_eq(cJSON_GetArraySize(document), 100000);
    cJSON_Delete(document);
    json_out_free(&out);
}
END_TEST

START_TEST(without_memory_the_buffer_says_so_and_stays_so)
{
    struct json_out out = {0};
    json_put_raw(&out, "", SIZE_MAX - 8); /* more than there can be, refused before a byte is read */
    ck_assert(out.failed);
    json_put_int(&out, 1);
    ck_assert(out.failed);
    json_out_clear(&out);
    json_put_int(&out, 1);
    ck_assert_str_eq(text_of(&out), "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, documents_are_taken);
    tcase_add_test(tests, what_is_no_document_is_refused_with_a_sentence);
    tcase_add_test(tests, zero_bytes_and_their_escape_are_refused);
    tcase_add_test(tests, bad_utf8_and_half_surrogates_are_refused);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, a_document_cut_anywhere_is_refused);
    tcase_add_test(tests, changed_bytes_are_refused_or_read_alike_by_all_functions);
    tcase_add_test(tests, a_raw_member_is_the_very_bytes_of_its_value);
    tcase_add_test(tests, the_items_of_an_array_are_the_very_bytes_of_each);
    tcase_add_test(tests, a_raw_member_is_found_only_at_the_top_and_by_its_spelled_name);
    tcase_add_test(tests, integers_beyond_2_to_the_53_are_noticed_wherever_they_are);
    tcase_add_test(tests, typed_access_takes_nothing_of_another_type);
    tcase_add_test(tests, of_two_equal_names_the_first_counts);
    tcase_add_test(tests, too_many_values_are_refused_before_they_are_read);
    tcase_add_test(tests, equality_is_of_values_not_of_spelling);
    tcase_add_test(tests, equality_of_very_wide_objects_takes_no_quadratic_time);
    tcase_add_test(tests, commas_and_colons_come_by_themselves);
    tcase_add_test(tests, numbers_are_written_so_that_they_read_back);
    tcase_add_test(tests, a_whole_value_is_written_so_that_it_reads_back_equal);
    tcase_add_test(tests, times_are_written_and_no_time_is_null);
    tcase_add_test(tests, strings_are_escaped_and_bad_utf8_is_replaced);
    tcase_add_test(tests, every_byte_at_every_place_of_a_long_string_is_written_well);
    tcase_add_test(tests, a_cleared_buffer_begins_anew_and_keeps_its_memory);
    tcase_add_test(tests, a_buffer_grows_with_what_is_written);
    tcase_add_test(tests, without_memory_the_buffer_says_so_and_stays_so);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
