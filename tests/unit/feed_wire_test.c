/* feed_wire_test.c — what one side writes the other reads, and nothing else is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/feed/feed.h"
#include "tests/support/suite.h"

static struct feed_buffer buffer;

static void clear_buffer(void)
{
    feed_buffer_free(&buffer);
}

static struct feed_message webhook_message(void)
{
    struct feed_message message = {.kind = FEED_WEBHOOK, .account = "acme"};
    struct feed_webhook *event = &message.webhook;
    *event = (struct feed_webhook){.request = 77,
                                   .event = FEED_EVENT_RECEIVED,
                                   .event_id = "event \"1\"\\",
                                   .webhook_id = "msg_2",
                                   .arrived_mono_ms = 123456789,
                                   .line = "+12025550101",
                                   .has_reputation = true,
                                   .has_service = true,
                                   .reputation = REPUTATION_CRITICAL,
                                   .previous = REPUTATION_AT_RISK,
                                   .service = SERVICE_FLAGGED,
                                   .changed_at_ms = 1795428000000,
                                   .message_id = "m",
                                   .chat_id = "c",
                                   .idempotency_key = "j_1-00",
                                   .sender = "ann@example.com",
                                   .inbound = true,
                                   .group = true,
                                   .opt_out_keyword = true,
                                   .reconciled = true,
                                   .has_chat_health = true,
                                   .chat_health = CHAT_OPTED_OUT,
                                   .chat_health_at_ms = 5,
                                   .at_ms = 6,
                                   .code = 4002};
    return message;
}

static struct feed_message round_trip(const struct feed_message *message)
{
    struct feed_message out;
    size_t used = 0;
    clear_buffer();
    ck_assert_int_eq(feed_encode(&buffer, message), ERR_NONE);
    ck_assert_int_eq(feed_decode(buffer.data, buffer.bytes, &used, &out), ERR_NONE);
    ck_assert_uint_eq(used, buffer.bytes);
    ck_assert_int_eq(out.kind, message->kind);
    return out;
}

START_TEST(every_member_of_a_webhook_comes_back)
{
    struct feed_message message = webhook_message();
    struct feed_message out = round_trip(&message);
    struct feed_webhook *a = &message.webhook, *b = &out.webhook;
    ck_assert_str_eq(out.account, "acme");
    ck_assert_uint_eq(b->request, a->request);
    ck_assert_int_eq(b->event, a->event);
    ck_assert_str_eq(b->event_id, a->event_id);
    ck_assert_str_eq(b->webhook_id, a->webhook_id);
    ck_assert_int_eq(b->arrived_mono_ms, a->arrived_mono_ms);
    ck_assert_str_eq(b->line, a->line);
    ck_assert(b->has_reputation && b->has_service);
    ck_assert_int_eq(b->reputation, a->reputation);
    ck_assert_int_eq(b->previous, a->previous);
    ck_assert_int_eq(b->service, a->service);
    ck_assert_int_eq(b->changed_at_ms, a->changed_at_ms);
    ck_assert_str_eq(b->message_id, a->message_id);
    ck_assert_str_eq(b->chat_id, a->chat_id);
    ck_assert_str_eq(b->idempotency_key, a->idempotency_key);
    ck_assert_str_eq(b->sender, a->sender);
    ck_assert(b->inbound && b->group && b->opt_out_keyword && b->reconciled && b->has_chat_health);
    ck_assert_int_eq(b->chat_health, a->chat_health);
    ck_assert_int_eq(b->chat_health_at_ms, a->chat_health_at_ms);
    ck_assert_int_eq(b->at_ms, a->at_ms);
    ck_assert_int_eq(b->code, a->code);
}
END_TEST

START_TEST(the_other_kinds_come_back)
{
    struct feed_message ready = {.kind = FEED_READY, .port = 7780};
    ck_assert_int_eq(round_trip(&ready).port, 7780);
    struct feed_message end = {.kind = FEED_POLL_END,
                               .account = "acme",
                               .poll = 9,
                               .begun_mono_ms = 1000,
                               .ok = true,
                               .cached = true,
                               .key_refused = true,
                               .skew_ms = -2500,
                               .http_status = 401,
                               .problem = "answered 401"};
    struct feed_message out = round_trip(&end);
    ck_assert(out.ok && out.cached && out.key_refused);
    ck_assert_uint_eq(out.poll, 9);
    ck_assert_int_eq(out.begun_mono_ms, 1000);
    ck_assert_int_eq(out.skew_ms, -2500);
    ck_assert_int_eq(out.http_status, 401);
    ck_assert_str_eq(out.problem, "answered 401");
    struct feed_message now = {.kind = FEED_POLL_NOW, .account = "acme"};
    ck_assert_str_eq(round_trip(&now).account, "acme");
    struct feed_message answer = {.kind = FEED_ANSWER, .request = 3, .http_status = 200};
    out = round_trip(&answer);
    ck_assert_uint_eq(out.request, 3);
    ck_assert_int_eq(out.http_status, 200);
    struct feed_message reload = {.kind = FEED_RELOAD};
    ck_assert_int_eq(round_trip(&reload).kind, FEED_RELOAD);
    for (int i = 0; i < FEED_NOTE_COUNT; i++) {
        struct feed_message note = {.kind = FEED_NOTE, .account = "acme", .note = (enum feed_note)i, .count = 5};
        out = round_trip(&note);
        ck_assert_int_eq(out.note, i);
        ck_assert_uint_eq(out.count, 5);
    }
}
END_TEST

START_TEST(a_long_list_comes_in_parts_and_in_order)
{
    enum { LINES = 2 * FEED_LINES_PER_MESSAGE + 3 };
    static struct feed_line lines[LINES];
    for (int i = 0; i < LINES; i++) {
        snprintf(lines[i].number, sizeof lines[i].number, "+1202%07d", i);
        lines[i].reputation = (enum reputation)(i % REPUTATION_COUNT);
        lines[i].service = (enum service)(i % SERVICE_COUNT);
    }
    struct feed_message message = {.kind = FEED_POLL_LINES, .account = "a", .poll = 4, .lines = lines};
    message.line_count = LINES;
    ck_assert_int_eq(feed_encode(&buffer, &message), ERR_NONE);
    size_t at = 0, seen = 0, parts = 0;
    while (at < buffer.bytes) {
        struct feed_message part;
        size_t used = 0;
        ck_assert_int_eq(feed_decode(buffer.data + at, buffer.bytes - at, &used, &part), ERR_NONE);
        ck_assert_uint_le(part.line_count, FEED_LINES_PER_MESSAGE);
        ck_assert_uint_eq(part.poll, 4);
        for (size_t i = 0; i < part.line_count; i++, seen++) {
            ck_assert_str_eq(part.lines[i].number, lines[seen].number);
            ck_assert_int_eq(part.lines[i].reputation, lines[seen].reputation);
            ck_assert_int_eq(part.lines[i].service, lines[seen].service);
        }
        feed_message_clear(&part);
        at += used;
        parts++;
    }
    ck_assert_uint_eq(seen, LINES);
    ck_assert_uint_eq(parts, 3);
}
END_TEST

START_TEST(an_empty_list_is_a_message_too)
{
    struct feed_message message = {.kind = FEED_POLL_LINES, .account = "a"};
    struct feed_message out = round_trip(&message);
    ck_assert_uint_eq(out.line_count, 0);
    ck_assert_ptr_null(out.lines);
}
END_TEST

START_TEST(messages_are_taken_one_by_one_from_a_stream)
{
    struct feed_message a = {.kind = FEED_READY, .port = 1}, b = {.kind = FEED_READY, .port = 2}, out;
    size_t first = 0, second = 0;
    ck_assert_int_eq(feed_encode(&buffer, &a), ERR_NONE);
    ck_assert_int_eq(feed_encode(&buffer, &b), ERR_NONE);
    ck_assert_int_eq(feed_decode(buffer.data, buffer.bytes, &first, &out), ERR_NONE);
    ck_assert_int_eq(out.port, 1);
    ck_assert_int_eq(feed_decode(buffer.data + first, buffer.bytes - first, &second, &out), ERR_NONE);
    ck_assert_int_eq(out.port, 2);
    ck_assert_uint_eq(first + second, buffer.bytes);
}
END_TEST

START_TEST(what_is_not_all_here_yet_is_waited_for)
{
    struct feed_message message = webhook_message(), out;
    ck_assert_int_eq(feed_encode(&buffer, &message), ERR_NONE);
    for (size_t cut = 0; cut < buffer.bytes; cut++) {
        uint8_t *copy = malloc(cut + 1); /* of that size, so that a sanitizer sees a read beyond it */
        size_t used = 0;
        memcpy(copy, buffer.data, cut);
        ck_assert_int_eq(feed_decode(copy, cut, &used, &out), ERR_NOT_FOUND);
        ck_assert_uint_eq(used, 0);
        free(copy);
    }
}
END_TEST

static enum err decode_text(const char *text)
{
    size_t length = strlen(text), used = 0;
    uint8_t *data = malloc(length + 4);
    struct feed_message out;
    for (int i = 0; i < 4; i++)
        data[i] = (uint8_t)(length >> (24 - 8 * i));
    memcpy(data + 4, text, length);
    enum err err = feed_decode(data, length + 4, &used, &out);
    if (err == ERR_NONE)
        feed_message_clear(&out);
    free(data);
    return err;
}

START_TEST(a_broken_stream_is_said_to_be_broken)
{
    static const char *const texts[] = {
        "x",
        "{}",
        "[]",
        "{\"kind\":7}",
        "{\"kind\":\"unheard_of\"}",
        "{\"kind\":\"ready\"}",
        "{\"kind\":\"ready\",\"port\":\"7780\"}",
        "{\"kind\":\"ready\",\"port\":65536}",
        "{\"kind\":\"ready\",\"port\":-1}",
        "{\"kind\":\"ready\",\"port\":1.5}",
        "{\"kind\":\"poll_now\",\"account\":\"\"}",
        "{\"kind\":\"poll_now\",\"account\":\"a b\"}",
        "{\"kind\":\"answer\",\"request\":-1,\"http_status\":200}",
        "{\"kind\":\"answer\",\"request\":1e300,\"http_status\":200}",
        "{\"kind\":\"answer\",\"request\":1,\"http_status\":1000}",
        "{\"kind\":\"note\",\"account\":\"a\",\"note\":\"unheard_of\",\"count\":1}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1,\"lines\":[7]}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1,\"lines\":[[\"+12025550101\",\"HEALTHY\"]]}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1,\"lines\":[[\"12025550101\",\"HEALTHY\",\"ACTIVE\"]]}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1,\"lines\":[[\"+12025550101\",\"healthy\",\"ACTIVE\"]]"
        "}",
        "{\"kind\":\"poll_lines\",\"account\":\"a\",\"poll\":1,"
        "\"lines\":[[\"+12025550101\",\"HEALTHY\",\"ACTIVE\",\"more\"]]}",
        "{\"kind\":\"ready\",\"port\":1} ,",
    };
    ck_assert_int_eq(decode_text("{\"kind\":\"ready\",\"port\":1}"), ERR_NONE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(decode_text(texts[i]) == ERR_BAD_INPUT, "read: %s", texts[i]);
}
END_TEST

START_TEST(a_length_beyond_the_bound_or_none_is_refused_at_once)
{
    static const uint8_t lengths[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 0x40, 0, 1}};
    struct feed_message out;
    size_t used = 0;
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(feed_decode(lengths[i], 4, &used, &out), ERR_BAD_INPUT);
}
END_TEST

START_TEST(no_flipped_byte_is_read_as_something_ill_formed)
{
    struct feed_message message = webhook_message();
    ck_assert_int_eq(feed_encode(&buffer, &message), ERR_NONE);
    for (size_t i = 0; i < buffer.bytes; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct feed_message out;
            size_t used = 0;
            buffer.data[i] ^= (uint8_t)(1 << bit);
            enum err err = feed_decode(buffer.data, buffer.bytes, &used, &out);
            if (err == ERR_NONE) {
                ck_assert(name_is_valid(out.account) || out.account[0] == '\0');
                ck_assert(out.webhook.line[0] == '\0' || e164_is_valid(out.webhook.line));
                ck_assert_uint_lt(out.webhook.event, FEED_EVENT_COUNT);
                feed_message_clear(&out);
            }
            buffer.data[i] ^= (uint8_t)(1 << bit);
        }
    }
}
END_TEST

START_TEST(a_member_the_reader_would_refuse_is_not_written)
{
    struct feed_message good = webhook_message();
    struct feed_message bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    strcpy(bad[0].account, "a b");
    strcpy(bad[1].webhook.line, "12025550101");
    strcpy(bad[2].webhook.sender, "Ann@Example.com");
    strcpy(bad[3].webhook.event_id, "\xc3\xa9");
    memset(bad[4].webhook.chat_id, 'x', sizeof bad[4].webhook.chat_id);
    bad[5].webhook.reputation = REPUTATION_COUNT;
    bad[6].webhook.at_ms = INT64_MAX;
    bad[7].webhook.request = UINT64_C(1) << 60;
    ck_assert_int_eq(feed_encode(&buffer, &good), ERR_NONE);
    size_t bytes = buffer.bytes;
    for (int i = 0; i < 8; i++) {
        ck_assert_msg(feed_encode(&buffer, &bad[i]) == ERR_BAD_INPUT, "written: bad[%d]", i);
        ck_assert_uint_eq(buffer.bytes, bytes);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_wire");
    TCase *tests = tcase_create("messages");
    tcase_add_checked_fixture(tests, clear_buffer, clear_buffer);
    tcase_add_test(tests, every_member_of_a_webhook_comes_back);
    tcase_add_test(tests, the_other_kinds_come_back);
    tcase_add_test(tests, a_long_list_comes_in_parts_and_in_order);
    tcase_add_test(tests, an_empty_list_is_a_message_too);
    tcase_add_test(tests, messages_are_taken_one_by_one_from_a_stream);
    tcase_add_test(tests, what_is_not_all_here_yet_is_waited_for);
    tcase_add_test(tests, a_broken_stream_is_said_to_be_broken);
    tcase_add_test(tests, a_length_beyond_the_bound_or_none_is_refused_at_once);
    tcase_add_test(tests, no_flipped_byte_is_read_as_something_ill_formed);
    tcase_add_test(tests, a_member_the_reader_would_refuse_is_not_written);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
