/* Every field of the contract's Job table, with what is right and what is not. */
#include "broker/edge/job_parse.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/wire.h"
#include "tests/support/suite.h"

#define ROOM  64
#define NAMES 8

static const char conf_text[] = "accounts:\n  default:\n    api_key_file: key\n"
                                "pools:\n"
                                "  default: {account: default, lines: all}\n"
                                "  eu.1: {account: default, lines: [\"+12025550109\"]}\n"
                                "  far: {lines: [\"+12025550108\"], owner: \"tcp://10.0.0.2:7710\", owner_admin: \"https://h\"}\n";

static struct conf *conf;
static struct core *core;
static struct keyed_hash hash;
static struct job_parser parser;
static struct job_texts texts;
static struct core_enqueue job;
static struct job_refusal refusal;
static struct span id;
static struct change changes[ROOM];
static struct effect effects[ROOM];
static void *memory[256];
static size_t memory_count;

static void *take(void *self, size_t bytes)
{
    (void)self;
    ck_assert_uint_lt(memory_count, sizeof memory / sizeof *memory);
    return memory[memory_count++] = calloc(1, bytes + 1);
}

static void setup(void)
{
    const struct core_limits limits = {.jobs_max = 10,
                                       .conversations_max = 10,
                                       .lines_max = 4,
                                       .leases_max = 4,
                                       .workers_max = 2,
                                       .pauses_max = 2,
                                       .names_max = NAMES,
                                       .remembered_max = 16};
    const struct core_memory source = {take, NULL};
    struct conf_problem problem;
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert_int_eq(conf_parse(&conf, conf_text, sizeof conf_text - 1, "t.yaml", "/tmp", NULL, 0, &problem),
                     ERR_NONE);
    ck_assert_int_eq(core_new(&core, &limits, &source, conf, 1), ERR_NONE);
    parser = (struct job_parser){.conf = conf, .hash = &hash, .core = core};
}

static void teardown(void)
{
    while (memory_count > 0)
        free(memory[--memory_count]);
    job_texts_free(&texts);
    conf_free(&conf);
}

static bool parse_bytes(const char *text, size_t bytes)
{
    struct effects out = {.changes = changes, .change_room = ROOM, .effects = effects, .effect_room = ROOM};
    memset(&refusal, 0, sizeof refusal);
    return job_parse(&parser, text, bytes, &job, &texts, &id, &refusal, &out);
}

/* The bytes lie in memory of exactly their size, so that a sanitizer sees one read too many. The job's spans point
 * into it, so it lives until the next parse. */
static char *document;
static bool parse(const char *text)
{
    free(document);
    document = malloc(strlen(text) + 1);
    ck_assert_ptr_nonnull(document);
    memcpy(document, text, strlen(text));
    return parse_bytes(document, strlen(text));
}

/* A good job with `members` in front. */
static bool parse_with(const char *members)
{
    char text[2048];
    snprintf(text, sizeof text, "{%s%s\"to\":\"+14155550101\",\"message\":{\"parts\":[]}}", members,
             *members == '\0' ? "" : ",");
    return parse(text);
}

static bool span_is(struct span span, const char *text)
{
    return span.bytes == strlen(text) && memcmp(span.data, text, span.bytes) == 0;
}

/* covers: field id, pool, from, chat_id, campaign, collapse_key, tz, class, send_after, expires_at, if_held,
 * meta */
START_TEST(every_good_value_of_every_field_is_taken)
{
    static const char *const members[] = {
        "",
        "\"id\":\"a\"",
        "\"id\":\"Order 7/3 ~!\"",
        "\"id\":null",
        "\"pool\":\"default\"",
        "\"pool\":\"eu.1\"",
        "\"pool\":null",
        "\"from\":\"+12025550101\"",
        "\"from\":\"+12025550101\",\"chat_id\":\"c-1\"",
        "\"chat_id\":\"c-1\"",
        "\"campaign\":\"summer sale\"",
        "\"campaign\":\"\"",
        "\"collapse_key\":\"k\"",
        "\"tz\":\"Europe/Vienna\"",
        "\"class\":\"reply\"",
        "\"class\":\"transactional\"",
        "\"class\":\"followup\"",
        "\"class\":\"campaign\"",
        "\"send_after\":\"2026-11-23T10:00:00.000Z\"",
        "\"send_after\":\"2026-11-23T10:00:00+02:00\"",
        "\"expires_at\":\"2026-11-23T10:00:00Z\"",
        "\"expires_at\":null",
        "\"if_held\":\"wait\"",
        "\"if_held\":\"fail\"",
        "\"meta\":{}",
        "\"meta\":{\"a\":[1,2,{\"b\":null}]}",
        "\"whatever\":[1,\"x\",{\"to\":5}]",
        "\"idempotency_key\":\"only in the message it is ours\"",
        "\"n\":9007199254740992",
        "\"n\":-9007199254740992,\"m\":0.1",
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ck_assert_msg(parse_with(members[i]), "%s: %s", members[i], refusal.message);
}
END_TEST

/* covers: field chat_id */
START_TEST(a_chat_id_is_handed_on_as_it_was_given)
{
    ck_assert(parse_with("\"from\":\"+12025550101\",\"chat_id\":\"c\\u002d1\""));
    ck_assert_uint_eq(job.chat_id.bytes, strlen("\"c\\u002d1\""));
    ck_assert_int_eq(memcmp(job.chat_id.data, "\"c\\u002d1\"", job.chat_id.bytes), 0);
    uint64_t chat = job.chat_hash;
    ck_assert(parse_with("\"from\":\"+12025550101\",\"chat_id\":\"c-1\""));
    ck_assert_uint_eq(job.chat_hash, chat); /* it is one and the same chat */
    ck_assert(parse_with("\"from\":\"+12025550101\",\"chat_id\":null"));
    ck_assert_uint_eq(job.chat_id.bytes, 0);
}
END_TEST

struct bad {
    const char *members, *field;
    enum code code;
};

/* covers: field id, pool, from, chat_id, campaign, collapse_key, tz, class, send_after, expires_at, if_held,
 * meta; code invalid_field, unknown_pool */
START_TEST(every_bad_value_of_every_field_is_refused_by_name)
{
    static const struct bad bad[] = {
        {"\"id\":\"\"", "id", CODE_INVALID_FIELD},
        {"\"id\":\"j_1\"", "id", CODE_INVALID_FIELD},
        {"\"id\":7", "id", CODE_INVALID_FIELD},
        {"\"id\":{}", "id", CODE_INVALID_FIELD},
        {"\"id\":\"caf\\u00e9\"", "id", CODE_INVALID_FIELD},
        {"\"id\":\"line\\nbreak\"", "id", CODE_INVALID_FIELD},
        {"\"pool\":1", "pool", CODE_INVALID_FIELD},
        {"\"pool\":[\"default\"]", "pool", CODE_INVALID_FIELD},
        {"\"pool\":\"nowhere\"", "pool", CODE_UNKNOWN_POOL},
        {"\"pool\":\"\"", "pool", CODE_UNKNOWN_POOL},
        {"\"pool\":\"DEFAULT\"", "pool", CODE_UNKNOWN_POOL},
        {"\"from\":12025550101", "from", CODE_INVALID_FIELD},
        {"\"from\":\"12025550101\"", "from", CODE_INVALID_FIELD},
        {"\"from\":\"\"", "from", CODE_INVALID_FIELD},
        {"\"from\":\"+1202555010122222\"", "from", CODE_INVALID_FIELD},
        {"\"from\":[\"+12025550101\"]", "from", CODE_INVALID_FIELD},
        {"\"chat_id\":5", "chat_id", CODE_INVALID_FIELD},
        {"\"chat_id\":\"\"", "chat_id", CODE_INVALID_FIELD},
        {"\"campaign\":true", "campaign", CODE_INVALID_FIELD},
        {"\"collapse_key\":{}", "collapse_key", CODE_INVALID_FIELD},
        {"\"tz\":1", "tz", CODE_INVALID_FIELD},
        {"\"tz\":\"Europe/Nowhere\"", "tz", CODE_INVALID_FIELD},
        {"\"tz\":\"../etc/passwd\"", "tz", CODE_INVALID_FIELD},
        {"\"tz\":\"Europe\"", "tz", CODE_INVALID_FIELD}, /* a folder of zones */
        {"\"tz\":\"America/Argentina\"", "tz", CODE_INVALID_FIELD},
        {"\"tz\":\"leapseconds\"", "tz", CODE_INVALID_FIELD}, /* a file beside them */
        {"\"tz\":\"\"", "tz", CODE_INVALID_FIELD},
        {"\"class\":\"Reply\"", "class", CODE_INVALID_FIELD},
        {"\"class\":\"\"", "class", CODE_INVALID_FIELD},
        {"\"class\":2", "class", CODE_INVALID_FIELD},
        {"\"send_after\":1795428000000", "send_after", CODE_INVALID_FIELD},
        {"\"send_after\":\"tomorrow\"", "send_after", CODE_INVALID_FIELD},
        {"\"send_after\":\"2026-11-23 10:00\"", "send_after", CODE_INVALID_FIELD},
        {"\"expires_at\":\"2026-13-01T00:00:00Z\"", "expires_at", CODE_INVALID_FIELD},
        {"\"expires_at\":false", "expires_at", CODE_INVALID_FIELD},
        {"\"if_held\":\"maybe\"", "if_held", CODE_INVALID_FIELD},
        {"\"if_held\":true", "if_held", CODE_INVALID_FIELD},
        {"\"meta\":[]", "meta", CODE_INVALID_FIELD},
        {"\"meta\":\"x\"", "meta", CODE_INVALID_FIELD},
        {"\"n\":9007199254740993", "", CODE_INVALID_FIELD},
        {"\"n\":{\"deep\":[-9007199254740993]}", "", CODE_INVALID_FIELD},
        {"\"n\":1e300", "", CODE_INVALID_FIELD},
        {"\"n\":1e999", "", CODE_INVALID_FIELD},
        {"\"n\":1000000000000000000000000000000000000000000000000000000000000000000000", "", CODE_INVALID_FIELD},
        {"\"n\":\"a\\u0000b\"", "", CODE_INVALID_FIELD},
        {"\"a\\u0000b\":1", "", CODE_INVALID_FIELD},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!parse_with(bad[i].members), "%s was taken", bad[i].members);
        ck_assert_msg(refusal.code == bad[i].code, "%s: %s", bad[i].members, code_name(refusal.code));
        ck_assert_msg(strcmp(refusal.field, bad[i].field) == 0, "%s: field %s", bad[i].members, refusal.field);
        ck_assert_int_ne(refusal.message[0], '\0');
    }
}
END_TEST

#define MESSAGE "\"message\":{\"parts\":[]}"

/* covers: field to; code invalid_recipient */
START_TEST(recipients_are_one_or_an_array_of_at_most_31_different_ones)
{
    static const struct bad bad[] = {
        {"{" MESSAGE "}", "to", CODE_INVALID_FIELD},
        {"{\"to\":null," MESSAGE "}", "to", CODE_INVALID_FIELD},
        {"{\"to\":14155550101," MESSAGE "}", "to", CODE_INVALID_FIELD},
        {"{\"to\":{}," MESSAGE "}", "to", CODE_INVALID_FIELD},
        {"{\"to\":[]," MESSAGE "}", "to", CODE_INVALID_FIELD},
        {"{\"to\":\"\"," MESSAGE "}", "to", CODE_INVALID_RECIPIENT},
        {"{\"to\":\"4155550101\"," MESSAGE "}", "to", CODE_INVALID_RECIPIENT},
        {"{\"to\":\"+0155550101\"," MESSAGE "}", "to", CODE_INVALID_RECIPIENT},
        {"{\"to\":\"a b@example.com\"," MESSAGE "}", "to", CODE_INVALID_RECIPIENT},
        {"{\"to\":[\"+14155550101\",\"nobody\"]," MESSAGE "}", "to[1]", CODE_INVALID_RECIPIENT},
        {"{\"to\":[\"+14155550101\",5]," MESSAGE "}", "to[1]", CODE_INVALID_FIELD},
        {"{\"to\":[\"+14155550101\",null]," MESSAGE "}", "to[1]", CODE_INVALID_FIELD},
        {"{\"to\":[[\"+14155550101\"]]," MESSAGE "}", "to[0]", CODE_INVALID_FIELD},
        {"{\"to\":[\"a@b.example\",\"A@B.example\"]," MESSAGE "}", "to", CODE_INVALID_RECIPIENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!parse(bad[i].members), "%s was taken", bad[i].members);
        ck_assert_msg(refusal.code == bad[i].code, "%s: %s", bad[i].members, code_name(refusal.code));
        ck_assert_msg(strcmp(refusal.field, bad[i].field) == 0, "%s: field %s", bad[i].members, refusal.field);
    }
    ck_assert(parse("{\"to\":[\"+14155550101\"]," MESSAGE "}"));
    uint64_t one = job.conversation;
    ck_assert(parse("{\"to\":\"+14155550101\"," MESSAGE "}"));
    ck_assert_uint_eq(job.conversation, one);
    ck_assert_uint_ne(job.recipient, 0);
}
END_TEST

START_TEST(thirty_one_recipients_are_a_group_and_thirty_two_are_refused)
{
    char text[1024];
    for (int count = 31; count <= 32; count++) {
        size_t at = (size_t)snprintf(text, sizeof text, "{" MESSAGE ",\"to\":[");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s\"+1415555%04d\"", i == 0 ? "" : ",", i);
        snprintf(text + at, sizeof text - at, "]}");
        ck_assert_int_eq(parse(text), count == 31);
    }
    ck_assert_str_eq(refusal.field, "to");
    ck_assert_int_eq(refusal.code, CODE_INVALID_FIELD);
}
END_TEST

/* covers: field to */
START_TEST(recipients_are_a_set_in_lower_case)
{
    ck_assert(parse("{\"to\":[\"Bob@Example.com\",\"+14155550101\"]," MESSAGE "}"));
    uint64_t conversation = job.conversation;
    ck_assert(span_is(job.recipients, "[\"+14155550101\",\"bob@example.com\"]"));
    ck_assert_uint_eq(job.recipient, 0); /* a group's opt-outs are nobody's */
    ck_assert(parse("{\"to\":[\"+14155550101\",\"bob@example.com\"]," MESSAGE "}"));
    ck_assert_uint_eq(job.conversation, conversation);
    ck_assert(parse("{\"pool\":\"eu.1\",\"to\":[\"+14155550101\",\"bob@example.com\"]," MESSAGE "}"));
    ck_assert_uint_ne(job.conversation, conversation);
}
END_TEST

/* covers: field message */
START_TEST(the_message_is_an_object_without_a_key_of_its_own)
{
    static const struct bad bad[] = {
        {"{\"to\":\"+14155550101\"}", "message", CODE_INVALID_FIELD},
        {"{\"to\":\"+14155550101\",\"message\":null}", "message", CODE_INVALID_FIELD},
        {"{\"to\":\"+14155550101\",\"message\":\"hello\"}", "message", CODE_INVALID_FIELD},
        {"{\"to\":\"+14155550101\",\"message\":[]}", "message", CODE_INVALID_FIELD},
        {"{\"to\":\"+14155550101\",\"message\":{\"idempotency_key\":\"k\"}}", "message.idempotency_key",
         CODE_INVALID_FIELD},
        {"{\"to\":\"+14155550101\",\"message\":{\"idempotency\\u005fkey\":null}}", "message.idempotency_key",
         CODE_INVALID_FIELD},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!parse(bad[i].members), "%s was taken", bad[i].members);
        ck_assert_int_eq(refusal.code, bad[i].code);
        ck_assert_str_eq(refusal.field, bad[i].field);
    }
}
END_TEST

/* covers: field message */
START_TEST(the_message_goes_on_byte_for_byte)
{
    ck_assert(parse("{\"to\":\"+14155550101\",\"message\": { \"b\":1.0, \"a\":\"\\u00e9\" } }"));
    ck_assert(span_is(job.payload, "{ \"b\":1.0, \"a\":\"\\u00e9\" }"));
}
END_TEST

START_TEST(names_spelt_with_escapes_and_many_unknown_members_change_nothing)
{
    char text[8192];
    size_t at = (size_t)snprintf(text, sizeof text, "{");
    for (int i = 0; i < 200; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "\"x%d\":[{\"to\":%d}],", i, i);
    snprintf(text + at, sizeof text - at,
             "\"i\\u0064\":\"a\",\"t\\u006f\":\"+14155550101\",\"m\\u0065ssage\":{\"parts\":[]},\"meta\":{\"k\":1}}");
    ck_assert_msg(parse(text), "%s", refusal.message);
    ck_assert(span_is(job.payload, "{\"parts\":[]}"));
    ck_assert(span_is(job.envelope, "{\"id\":\"a\",\"meta\":{\"k\":1},\"pool\":\"default\"}"));
    ck_assert(span_is(id, "\"a\""));
}
END_TEST

START_TEST(of_two_members_of_one_name_the_first_counts_everywhere)
{
    ck_assert(
        parse("{\"id\":\"a\",\"id\":\"b\",\"to\":\"+14155550101\",\"to\":5,\"message\":{\"n\":1},\"message\":7}"));
    ck_assert(span_is(job.payload, "{\"n\":1}"));
    ck_assert(span_is(id, "\"a\""));
}
END_TEST

/* covers: code malformed */
START_TEST(what_is_no_object_is_malformed)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[]",
                                      "\"x\"",
                                      "null",
                                      "{}x",
                                      "{\"a\"}",
                                      "{,}",
                                      "\xff\xfe",
                                      "{\"a\":\"\xc3\"}",
                                      "{\"a\":01}",
                                      "{\"a\":tru}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!parse(bad[i]), "%s was taken", bad[i]);
        ck_assert_msg(refusal.code == CODE_MALFORMED, "%s: %s", bad[i], code_name(refusal.code));
        ck_assert_uint_eq(id.bytes, 0);
    }
    char deep[400];
    memset(deep, '[', sizeof deep);
    ck_assert(!parse_bytes(deep, sizeof deep));
    ck_assert_int_eq(refusal.code, CODE_MALFORMED);
}
END_TEST

START_TEST(every_cut_of_a_good_job_is_refused_and_none_is_read_beyond_its_end)
{
    static const char good[] =
        "{\"id\":\"a\",\"to\":[\"+14155550101\"],\"message\":{\"parts\":[{\"type\":\"text\","
        "\"value\":\"caf\xc3\xa9 \\ud83d\\ude00\"}]},\"meta\":{\"n\":-1.5e3},\"class\":\"reply\"}";
    ck_assert(parse(good));
    char text[sizeof good];
    for (size_t cut = 0; cut < sizeof good - 1; cut++) {
        memcpy(text, good, cut);
        text[cut] = '\0';
        ck_assert_msg(!parse(text), "cut at %zu", cut);
    }
}
END_TEST

/* A job that was accepted is not refused for what its export has added. */
START_TEST(an_exported_document_may_be_a_little_longer)
{
    const size_t most = WIRE_JOB_BYTES_MAX + WIRE_EXPORTED_BYTES_MORE;
    static const char *const heads[] = {"{\"exported\":\"j_abc\",\"to\":\"+14155550101\",\"message\":{\"v\":\"",
                                        "{\"exported\":null,\"to\":\"+14155550101\",\"message\":{\"v\":\""};
    char *text = malloc(most + 8);
    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < 2; i++) {
        memset(text, 'x', most + 8);
        memcpy(text, heads[i], strlen(heads[i]));
        memcpy(text + most - 3, "\"}}", 3);
        ck_assert_int_eq(parse_bytes(text, most), i == 0);
        memcpy(text + most - 3, "x\"}}", 4);
        ck_assert(!parse_bytes(text, most + 1));
        ck_assert_int_eq(refusal.code, CODE_TOO_LARGE);
    }
    free(text);
}
END_TEST

START_TEST(sizes_are_bounded_exactly)
{
    size_t room = WIRE_JOB_BYTES_MAX + 8;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    static const char head[] = "{\"to\":\"+14155550101\",\"message\":{\"v\":\"";
    memcpy(text, head, sizeof head - 1);
    memset(text + sizeof head - 1, 'x', room - sizeof head + 1);
    memcpy(text + WIRE_JOB_BYTES_MAX - 3, "\"}}", 3);
    ck_assert(parse_bytes(text, WIRE_JOB_BYTES_MAX));
    memcpy(text + WIRE_JOB_BYTES_MAX - 3, "x\"}}", 4);
    ck_assert(!parse_bytes(text, WIRE_JOB_BYTES_MAX + 1));
    ck_assert_int_eq(refusal.code, CODE_TOO_LARGE);
    for (int bytes = WIRE_META_BYTES_MAX; bytes <= WIRE_META_BYTES_MAX + 1; bytes++) {
        snprintf(text, room, "{\"to\":\"+14155550101\"," MESSAGE ",\"meta\":{\"k\":\"%0*d\"}}", bytes - 8, 0);
        ck_assert_int_eq(parse(text), bytes == WIRE_META_BYTES_MAX);
    }
    ck_assert_str_eq(refusal.field, "meta");
    free(text);
}
END_TEST

START_TEST(values_are_bounded_exactly)
{
    static const char head[] = "{\"to\":\"+14155550101\",\"message\":{\"v\":[0", tail[] = "]}}";
    static char text[sizeof head + 2 * JOB_VALUES_MAX + sizeof tail];
    size_t bytes = sizeof head - 1;
    memcpy(text, head, bytes);
    for (int values = 5; values < JOB_VALUES_MAX; values++, bytes += 2) /* the job, to, message, v and its first */
        memcpy(text + bytes, ",0", 2);
    memcpy(text + bytes, tail, sizeof tail);
    ck_assert(parse(text));
    memcpy(text + bytes, ",0]}}", 6);
    ck_assert(!parse(text));
    ck_assert_int_eq(refusal.code, CODE_INVALID_FIELD);
}
END_TEST

START_TEST(commas_in_a_text_are_no_values)
{
    static char text[4 * JOB_VALUES_MAX];
    int head = snprintf(text, sizeof text, "{\"to\":\"+14155550101\",\"message\":{\"v\":\"");
    memset(text + head, ',', 3 * JOB_VALUES_MAX);
    memcpy(text + head + 3 * JOB_VALUES_MAX, "\"}}", 4);
    ck_assert(parse(text));
}
END_TEST

START_TEST(texts_are_bounded_exactly)
{
    static const struct {
        const char *name;
        int bytes_max;
    } fields[] = {{"id", 128}, {"campaign", 64}, {"collapse_key", 64}, {"chat_id", 128}};
    char members[512];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (int over = 0; over <= 1; over++) {
            snprintf(members, sizeof members, "\"%s\":\"%0*d\"", fields[i].name, fields[i].bytes_max + over, 7);
            ck_assert_msg(parse_with(members) == (over == 0), "%s and %d", fields[i].name, over);
        }
}
END_TEST

static const char *zone_of(uint16_t number)
{
    return number == 0 ? NULL : core_name(core, NAME_ZONE, number);
}

/* covers: field tz */
START_TEST(a_jobs_zone_is_its_own_word_else_its_recipients)
{
    ck_assert(parse_with("\"tz\":\"Europe/Berlin\""));
    ck_assert_str_eq(zone_of(job.zone), "Europe/Berlin");
    ck_assert(parse("{\"to\":\"+12125550101\"," MESSAGE "}"));
    ck_assert_str_eq(zone_of(job.zone), "America/New_York");
    ck_assert(parse("{\"to\":[\"+12125550101\",\"+13125550101\",\"+14155550101\",\"a@example.org\"]," MESSAGE "}"));
    ck_assert_str_eq(zone_of(job.zone), "America/New_York,America/Los_Angeles");
    ck_assert(parse("{\"to\":\"a@example.org\"," MESSAGE "}"));
    ck_assert_uint_eq(job.zone, 0);
}
END_TEST

START_TEST(a_direct_messages_area_is_how_its_number_begins)
{
    ck_assert(parse("{\"to\":\"+12125550101\"," MESSAGE "}"));
    ck_assert_uint_eq(job.area, 1212);
    ck_assert(parse("{\"to\":\"+49301234567\"," MESSAGE "}"));
    ck_assert_uint_eq(job.area, 4930);
    ck_assert(parse("{\"to\":\"a@example.org\"," MESSAGE "}"));
    ck_assert_uint_eq(job.area, 0);
    ck_assert(parse("{\"to\":[\"+12125550101\",\"+12125550102\"]," MESSAGE "}"));
    ck_assert_uint_eq(job.area, 0);
}
END_TEST

START_TEST(form_comes_before_pool_and_line)
{
    static const char *const bad[] = {"\"pool\":\"nowhere\",\"from\":5", "\"pool\":\"nowhere\",\"chat_id\":5",
                                      "\"pool\":\"nowhere\",\"campaign\":5", "\"pool\":\"nowhere\",\"n\":1e300",
                                      "\"pool\":\"nowhere\",\"meta\":5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!parse_with(bad[i]));
        ck_assert_msg(refusal.code == CODE_INVALID_FIELD, "%s: %s", bad[i], code_name(refusal.code));
    }
}
END_TEST

START_TEST(pools_that_the_producer_may_not_use_are_unknown)
{
    parser.pools = "eu.1,us";
    ck_assert(!parse_with(""));
    ck_assert_int_eq(refusal.code, CODE_UNKNOWN_POOL);
    ck_assert(parse_with("\"pool\":\"eu.1\""));
    parser.pools = "";
    ck_assert(!parse_with("\"pool\":\"eu.1\""));
}
END_TEST

/* covers: code not_owner */
START_TEST(a_pool_of_another_broker_is_refused_with_that_ones_address)
{
    ck_assert(!parse_with("\"pool\":\"far\""));
    ck_assert_int_eq(refusal.code, CODE_NOT_OWNER);
    ck_assert_str_eq(refusal.field, "pool");
    ck_assert_str_eq(refusal.message, "pool: another broker owns it, at tcp://10.0.0.2:7710");
    ck_assert_str_eq(refusal.owner.producers, "tcp://10.0.0.2:7710");
    ck_assert_str_eq(refusal.owner.admin, "https://h");
    parser.pools = "eu.1,far";
    ck_assert(!parse_with("\"pool\":\"far\""));
    ck_assert_int_eq(refusal.code, CODE_NOT_OWNER);
    parser.pools = "eu.1"; /* who may not use it learns nothing */
    ck_assert(!parse_with("\"pool\":\"far\""));
    ck_assert_int_eq(refusal.code, CODE_UNKNOWN_POOL);
    ck_assert_ptr_null(refusal.owner.producers);
    ck_assert(!parse_with("\"pool\":\"far\",\"meta\":5")); /* form first */
    ck_assert_int_eq(refusal.code, CODE_INVALID_FIELD);
}
END_TEST

START_TEST(moments_long_past_and_far_away_are_moments_all_the_same)
{
    ck_assert(parse_with("\"expires_at\":\"1969-12-31T23:59:59Z\",\"send_after\":\"1970-01-01T00:00:00Z\""));
    ck_assert_int_eq(job.expires_ms, 1);
    ck_assert_int_eq(job.due_ms, 1);
    ck_assert(parse_with("\"expires_at\":\"9999-12-31T23:59:59Z\""));
    ck_assert_int_eq(job.expires_ms, (1LL << 47) - 1);
    ck_assert(parse_with("\"send_after\":\"2026-11-23T10:00:00.123Z\""));
    ck_assert_int_eq(job.due_ms, 1795428000123);
    ck_assert_int_eq(job.expires_ms, 0);
}
END_TEST

static bool message_has_link(const char *value)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"to\":\"+14155550101\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"%s\"}]}}", value);
    ck_assert(parse(text));
    return job.has_link;
}

START_TEST(a_link_is_seen_wherever_it_stands_and_nothing_else_is_one)
{
    static const char *const links[] = {"see http://a.example", "HTTPS://A.EXAMPLE",     "www.a.example",
                                        "(www.a.example)",      "x https://a.example y", "end WWW.",
                                        "a.b http://c"};
    static const char *const none[] = {
        "", "hello", "http is a word", "http:/one slash", "awww. sweet", "3:00 p.m. ok", "ftp://a.example", "://"};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        ck_assert_msg(message_has_link(links[i]), "%s", links[i]);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(!message_has_link(none[i]), "%s", none[i]);
    ck_assert(parse("{\"to\":\"+14155550101\",\"message\":{\"parts\":[{\"type\":\"link\",\"value\":\"x\"}]}}"));
    ck_assert(job.has_link);
    ck_assert(parse("{\"to\":\"+14155550101\",\"message\":{\"parts\":\"http://x\"}}"));
    ck_assert(!job.has_link);
}
END_TEST

static uint64_t content_of(const char *members)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"id\":\"a\",%s}", members);
    ck_assert_msg(parse(text), "%s", refusal.message);
    return job.content_hash;
}

START_TEST(the_same_job_written_otherwise_is_the_same_and_another_is_not)
{
    uint64_t one = content_of("\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":1,\"b\":[\"x\",null]}");
    ck_assert_uint_eq(one, content_of("\"message\":{ \"b\":[\"\\u0078\",null],\"a\":1.0},"
                                      "\"to\":[\"a@b.example\",\"+14155550101\"],\"class\":\"reply\",\"meta\":{}"));
    static const char *const others[] = {
        "\"to\":[\"+14155550101\"],\"message\":{\"a\":1,\"b\":[\"x\",null]}",
        "\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":2,\"b\":[\"x\",null]}",
        "\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":1,\"b\":[null,\"x\"]}",
        ("\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":1,\"b\":[\"x\",null]},"
         "\"from\":\"+12025550101\""),
        "\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":true,\"b\":[\"x\",null]}",
        "\"to\":[\"+14155550101\",\"A@b.example\"],\"message\":{\"a\":\"1\",\"b\":[\"x\",null]}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(content_of(others[i]) != one, "%s", others[i]);
}
END_TEST

/* As a dry run does: without effects. */
static bool rehearse_with(const char *members)
{
    char text[256];
    int bytes = snprintf(text, sizeof text, "{%s,\"to\":\"+14155550101\"," MESSAGE "}", members);
    memset(&refusal, 0, sizeof refusal);
    return job_parse(&parser, text, (size_t)bytes, &job, &texts, &id, &refusal, NULL);
}

START_TEST(a_name_too_many_is_busy_and_a_known_one_is_not)
{
    char members[64];
    int taken = 0;
    ck_assert(rehearse_with("\"campaign\":\"c0\""));
    do
        snprintf(members, sizeof members, "\"campaign\":\"c%d\"", taken);
    while (parse_with(members) && ++taken < 100);
    ck_assert_int_gt(taken, 0);
    ck_assert_int_lt(taken, NAMES);
    ck_assert_int_eq(refusal.code, CODE_BUSY);
    ck_assert(!rehearse_with(members));
    ck_assert_int_eq(refusal.code, CODE_BUSY);
    ck_assert_str_eq(refusal.field, "campaign");
    ck_assert(parse_with("\"campaign\":\"c0\""));
    ck_assert_uint_ne(job.campaign, 0);
    ck_assert(rehearse_with("\"campaign\":\"c0\""));
}
END_TEST

START_TEST(a_refused_job_names_no_campaign)
{
    struct effects out = {.changes = changes, .change_room = ROOM, .effects = effects, .effect_room = ROOM};
    static const char text[] = "{\"to\":\"+14155550101\",\"campaign\":\"c\",\"pool\":\"nowhere\"," MESSAGE "}";
    ck_assert(!job_parse(&parser, text, sizeof text - 1, &job, &texts, &id, &refusal, &out));
    ck_assert_uint_eq(out.change_count, 0);
}
END_TEST

START_TEST(no_refusal_repeats_a_recipient_or_a_text)
{
    ck_assert(!parse("{\"to\":\"4155550199\",\"message\":{}}"));
    ck_assert_ptr_null(strstr(refusal.message, "4155550199"));
    ck_assert(!parse("{\"to\":\"+14155550101\",\"message\":\"secret words\"}"));
    ck_assert_ptr_null(strstr(refusal.message, "secret"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_parse");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_good_value_of_every_field_is_taken);
    tcase_add_test(tcase, a_chat_id_is_handed_on_as_it_was_given);
    tcase_add_test(tcase, every_bad_value_of_every_field_is_refused_by_name);
    tcase_add_test(tcase, recipients_are_one_or_an_array_of_at_most_31_different_ones);
    tcase_add_test(tcase, thirty_one_recipients_are_a_group_and_thirty_two_are_refused);
    tcase_add_test(tcase, recipients_are_a_set_in_lower_case);
    tcase_add_test(tcase, the_message_is_an_object_without_a_key_of_its_own);
    tcase_add_test(tcase, the_message_goes_on_byte_for_byte);
    tcase_add_test(tcase, names_spelt_with_escapes_and_many_unknown_members_change_nothing);
    tcase_add_test(tcase, of_two_members_of_one_name_the_first_counts_everywhere);
    tcase_add_test(tcase, what_is_no_object_is_malformed);
    tcase_add_test(tcase, every_cut_of_a_good_job_is_refused_and_none_is_read_beyond_its_end);
    tcase_add_test(tcase, sizes_are_bounded_exactly);
    tcase_add_test(tcase, an_exported_document_may_be_a_little_longer);
    tcase_add_test(tcase, values_are_bounded_exactly);
    tcase_add_test(tcase, commas_in_a_text_are_no_values);
    tcase_add_test(tcase, texts_are_bounded_exactly);
    tcase_add_test(tcase, a_jobs_zone_is_its_own_word_else_its_recipients);
    tcase_add_test(tcase, a_direct_messages_area_is_how_its_number_begins);
    tcase_add_test(tcase, form_comes_before_pool_and_line);
    tcase_add_test(tcase, pools_that_the_producer_may_not_use_are_unknown);
    tcase_add_test(tcase, a_pool_of_another_broker_is_refused_with_that_ones_address);
    tcase_add_test(tcase, moments_long_past_and_far_away_are_moments_all_the_same);
    tcase_add_test(tcase, a_link_is_seen_wherever_it_stands_and_nothing_else_is_one);
    tcase_add_test(tcase, the_same_job_written_otherwise_is_the_same_and_another_is_not);
    tcase_add_test(tcase, a_name_too_many_is_busy_and_a_known_one_is_not);
    tcase_add_test(tcase, a_refused_job_names_no_campaign);
    tcase_add_test(tcase, no_refusal_repeats_a_recipient_or_a_text);
    suite_add_tcase(suite, tcase);
    int status = suite_run(suite);
    free(document);
    return status;
}
