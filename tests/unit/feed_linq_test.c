/* feed_linq_test.c — every fixture of the provider's lists and events is read as its manifest says. */
#include "broker/feed/feed_linq.h"

#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/feed_fixture.h"

#define ARRIVAL_MS INT64_C(1795432000000) /* 2026-11-23T11:06:40Z: after every time in the fixtures */
#define NINE_MS    INT64_C(1795424400000) /* 2026-11-23T09:00:00Z */
#define TEN_MS     INT64_C(1795428000000) /* 2026-11-23T10:00:00Z */

static enum err read_list(const char *text, struct linq_list *out)
{
    const char *why = NULL;
    enum err err = linq_read_lines(text, strlen(text), out, &why);
    ck_assert_msg(err == ERR_NONE || why != NULL, "an error without a reason");
    return err;
}

static enum linq_reading read_event(const char *text, struct feed_webhook *out)
{
    return linq_read_webhook(text, strlen(text), ARRIVAL_MS, out);
}

static enum linq_reading read_fixture(const char *name, struct feed_webhook *out)
{
    struct fixture fixture = fixture_read(name);
    enum linq_reading reading = linq_read_webhook(fixture.text, fixture.bytes, ARRIVAL_MS, out);
    fixture_free(&fixture);
    return reading;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- lists ---- */

static void check_list(const char *name, const cJSON *expected)
{
    struct linq_list list = {0};
    struct fixture fixture = fixture_read(name);
    const char *why = NULL;
    enum err err = linq_read_lines(fixture.text, fixture.bytes, &list, &why);
    if (expected == NULL) {
        ck_assert_msg(err == ERR_BAD_INPUT, "%s was read", name);
        ck_assert_ptr_nonnull(why);
    } else {
        ck_assert_msg(err == ERR_NONE, "%s was refused: %s", name, why);
        ck_assert_msg((int)list.count == cJSON_GetArraySize(expected), "%s: %zu lines", name, list.count);
        for (size_t i = 0; i < list.count; i++) {
            const char *status = json_string(expected, list.lines[i].number);
            ck_assert_msg(status != NULL && strcmp(status, reputation_name(list.lines[i].reputation)) == 0,
                          "%s: %s is %s", name, list.lines[i].number, reputation_name(list.lines[i].reputation));
        }
    }
    linq_list_clear(&list);
    fixture_free(&fixture);
}

START_TEST(every_list_fixture_reads_as_its_manifest_says)
{
    cJSON *manifest = fixture_json("manifest.json");
    const cJSON *entry = NULL;
    int seen = 0;
    cJSON_ArrayForEach(entry, json_get(manifest, "files"))
    {
        const char *name = json_string(entry, "file");
        if (!begins(name, "lines/"))
            continue;
        check_list(name, json_get(entry, "expect_lines"));
        seen++;
    }
    ck_assert_int_eq(seen, 14);
    cJSON_Delete(manifest);
}
END_TEST

START_TEST(a_status_in_the_list_is_the_service_status)
{
    struct fixture fixture = fixture_read("lines/extra_members.json");
    struct linq_list list = {0};
    ck_assert_int_eq(read_list(fixture.text, &list), ERR_NONE);
    ck_assert_int_eq(list.lines[0].service, SERVICE_ACTIVE);
    ck_assert_int_eq(list.lines[1].service, SERVICE_FLAGGED);
    linq_list_clear(&list);
    fixture_free(&fixture);
}
END_TEST

START_TEST(a_duplicate_takes_the_worse_of_reputation_and_service_in_any_order)
{
    static const char *const lists[] = {
        "{\"phone_numbers\":[{\"phone_number\":\"+12025550101\",\"reputation\":\"CRITICAL\"},"
        "{\"phone_number\":\"+12025550101\",\"reputation\":\"HEALTHY\",\"status\":\"FLAGGED\"}]}",
        "{\"phone_numbers\":[{\"phone_number\":\"+12025550101\",\"reputation\":\"HEALTHY\",\"status\":\"FLAGGED\"},"
        "{\"phone_number\":\"+12025550101\",\"reputation\":\"CRITICAL\",\"status\":\"ACTIVE\"}]}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct linq_list list = {0};
        ck_assert_int_eq(read_list(lists[i], &list), ERR_NONE);
        ck_assert_uint_eq(list.count, 1);
        ck_assert_int_eq(list.lines[0].reputation, REPUTATION_CRITICAL);
        ck_assert_int_eq(list.lines[0].service, SERVICE_FLAGGED);
        linq_list_clear(&list);
    }
}
END_TEST

START_TEST(a_list_of_another_format_never_looks_as_if_the_lines_were_gone)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"phone_numbers\":{}}",
        "{\"phone_numbers\":null}",
        "{\"phone_numbers\":[{\"number\":\"+12025550101\"}]}",
        "{\"phone_numbers\":[\"+12025550101\"]}",
        "{\"phone_numbers\":[{\"phone_number\":\"+1 202 555 0101\"}]}",
        "{\"phone_numbers\":[{\"phone_number\":\"+12025550101\"},{\"phone_number\":7}]}",
        "{\"phone_numbers\":[]} x",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct linq_list list = {0};
        ck_assert_msg(read_list(bodies[i], &list) == ERR_BAD_INPUT, "read: %s", bodies[i]);
        ck_assert_ptr_null(list.lines);
    }
}
END_TEST

START_TEST(an_entry_that_is_no_e164_is_left_out_and_counted)
{
    struct linq_list list = {0};
    ck_assert_int_eq(read_list("{\"phone_numbers\":[{\"phone_number\":\"12345\"},{\"phone_number\":\"+12025550101\","
                               "\"reputation\":\"SPLENDID\"}]}",
                               &list),
                     ERR_NONE);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.unreadable, 1);
    ck_assert_uint_eq(list.unknown_values, 1);
    linq_list_clear(&list);
}
END_TEST

START_TEST(a_body_of_countless_values_is_refused_before_it_costs_memory)
{
    size_t bytes = 2 * (size_t)LINQ_VALUES_MAX + 64;
    char *body = malloc(bytes);
    ck_assert_ptr_nonnull(body);
    memset(body, ',', bytes);
    struct linq_list list = {0};
    const char *why = NULL;
    ck_assert_int_eq(linq_read_lines(body, bytes, &list, &why), ERR_BAD_INPUT);
    ck_assert_str_eq(why, "the list is too large");
    free(body);
}
END_TEST

START_TEST(a_list_cut_anywhere_is_an_error)
{
    struct fixture fixture = fixture_read("lines/current.json");
    size_t bytes = fixture.bytes;
    while (fixture.text[bytes - 1] != '}')
        bytes--;
    for (size_t cut = 0; cut < bytes; cut++) {
        struct linq_list list = {0};
        const char *why = NULL;
        ck_assert_int_eq(linq_read_lines(fixture.text, cut, &list, &why), ERR_BAD_INPUT);
    }
    fixture_free(&fixture);
}
END_TEST

/* ---- status events ---- */

static void check_status(const char *name, const cJSON *expected)
{
    struct feed_webhook event = {0};
    enum linq_reading reading = read_fixture(name, &event);
    if (strcmp(name, "status_updated/no_line.json") == 0) {
        ck_assert_int_eq(reading, LINQ_NO_LINE);
        return;
    }
    ck_assert_msg(reading == LINQ_TAKEN, "%s was not taken", name);
    ck_assert_int_eq(event.event, FEED_EVENT_STATUS);
    ck_assert_msg(event.changed_at_ms > 0, "%s: no changed_at", name);
    if (expected == NULL || json_get(expected, "ignored_after") != NULL)
        return;
    ck_assert_str_eq(event.line, json_string(expected, "line"));
    const char *reputation = json_string(expected, "reputation");
    const char *service = json_string(expected, "service");
    ck_assert_msg(event.has_reputation == (reputation != NULL), "%s: has_reputation", name);
    ck_assert_msg(event.has_service == (service != NULL), "%s: has_service", name);
    if (reputation != NULL)
        ck_assert_msg(strcmp(reputation, reputation_name(event.reputation)) == 0, "%s: reputation is %s", name,
                      reputation_name(event.reputation));
    if (service != NULL)
        ck_assert_msg(strcmp(service, service_name(event.service)) == 0, "%s: service is %s", name,
                      service_name(event.service));
}

START_TEST(every_status_fixture_reads_as_its_manifest_says)
{
    cJSON *manifest = fixture_json("manifest.json");
    const cJSON *entry = NULL;
    int seen = 0;
    cJSON_ArrayForEach(entry, json_get(manifest, "files"))
    {
        const char *name = json_string(entry, "file");
        if (!begins(name, "status_updated/"))
            continue;
        check_status(name, json_get(entry, "expect"));
        seen++;
    }
    ck_assert_int_eq(seen, 17);
    cJSON_Delete(manifest);
}
END_TEST

START_TEST(a_status_event_keeps_its_id_its_previous_word_and_its_time)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("status_updated/reputation.json", &event), LINQ_TAKEN);
    ck_assert_str_eq(event.event_id, "00000000-0000-4000-8000-000000009001");
    ck_assert_int_eq(event.previous, REPUTATION_HEALTHY);
    ck_assert_int_eq(event.changed_at_ms, TEN_MS - 1000);
}
END_TEST

START_TEST(a_time_ahead_of_us_is_cut_to_five_minutes_after_arrival)
{
    struct feed_webhook event = {0};
    const char *text = "{\"event_type\":\"phone_number.status_updated\",\"data\":{\"phone_number\":\"+12025550101\","
                       "\"new_reputation\":\"CRITICAL\",\"changed_at\":\"2099-01-01T00:00:00Z\"}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert_int_eq(event.changed_at_ms, ARRIVAL_MS + 5 * 60 * 1000);
}
END_TEST

START_TEST(an_unreadable_time_is_absent_and_the_event_stands)
{
    struct feed_webhook event = {0};
    const char *text = "{\"event_type\":\"phone_number.status_updated\",\"data\":{\"phone_number\":\"+12025550101\","
                       "\"new_reputation\":\"CRITICAL\",\"changed_at\":\"yesterday\"}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert_int_eq(event.changed_at_ms, 0);
    ck_assert_int_eq(event.reputation, REPUTATION_CRITICAL);
}
END_TEST

START_TEST(a_status_event_without_a_pair_says_nothing_about_its_line)
{
    struct feed_webhook event = {0};
    const char *text = "{\"event_type\":\"phone_number.status_updated\",\"data\":{\"phone_number\":\"+12025550101\","
                       "\"new_reputation\":null}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_NO_LINE);
}
END_TEST

START_TEST(what_is_no_event_is_malformed)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "7",
        "{}",
        "{\"event_type\":7,\"data\":{}}",
        "{\"event_type\":\"message.sent\"}",
        "{\"event_type\":\"phone_number.status_updated\",\"data\":[]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct feed_webhook event = {0};
        ck_assert_msg(read_event(bodies[i], &event) == LINQ_MALFORMED, "taken: %s", bodies[i]);
    }
}
END_TEST

/* ---- message events ---- */

START_TEST(what_somebody_wrote_never_makes_an_event_malformed)
{
    static const char *const texts[] = {"half a smile \\ud83d", "\\ude00 the other half", "a \\u0000 b",
                                        "\\ud83d\\u0041"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char body[512];
        struct feed_webhook event = {0};
        snprintf(body, sizeof body,
                 "{\"event_type\":\"message.received\",\"data\":{\"id\":\"m\",\"sender_handle\":\"+14155550111\","
                 "\"parts\":[{\"type\":\"text\",\"value\":\"%s\"}]}}",
                 texts[i]);
        ck_assert_msg(read_event(body, &event) == LINQ_TAKEN, "not taken: %s", texts[i]);
        ck_assert_str_eq(event.message_id, "m");
        ck_assert_str_eq(event.sender, "+14155550111");
    }
}
END_TEST

START_TEST(every_message_fixture_is_taken_and_unknown_types_are_unused)
{
    cJSON *manifest = fixture_json("manifest.json");
    const cJSON *entry = NULL;
    int seen = 0;
    cJSON_ArrayForEach(entry, json_get(manifest, "files"))
    {
        const char *name = json_string(entry, "file");
        if (!begins(name, "messages/"))
            continue;
        struct feed_webhook event = {0};
        enum linq_reading reading = read_fixture(name, &event);
        bool unknown = strcmp(name, "messages/unknown_event.json") == 0;
        ck_assert_msg(reading == (unknown ? LINQ_UNUSED : LINQ_TAKEN), "%s: %d", name, (int)reading);
        ck_assert_msg(unknown || event.event_id[0] != '\0', "%s: no event id", name);
        const cJSON *expect = json_get(entry, "expect");
        bool stop = json_bool(expect, "opt_out_conservative", json_bool(expect, "opt_out", false));
        ck_assert_msg(event.opt_out_keyword == stop, "%s: opt_out_keyword", name);
        const char *health = json_string(expect, "chat_health");
        ck_assert_msg(health == NULL || strcmp(health, chat_health_name(event.chat_health)) == 0, "%s: health", name);
        seen++;
    }
    ck_assert_int_eq(seen, 28);
    cJSON_Delete(manifest);
}
END_TEST

START_TEST(a_sent_event_names_message_chat_line_and_our_key)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/sent.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.event, FEED_EVENT_SENT);
    ck_assert_str_eq(event.message_id, "00000000-0000-4000-8000-000000000401");
    ck_assert_str_eq(event.chat_id, "00000000-0000-4000-8000-000000000301");
    ck_assert_str_eq(event.idempotency_key, "job-000001");
    ck_assert_str_eq(event.line, "+12025550101");
    ck_assert(!event.inbound && !event.group && !event.reconciled);
    ck_assert(event.has_chat_health);
    ck_assert_int_eq(event.chat_health, CHAT_HEALTHY);
    ck_assert_int_eq(event.chat_health_at_ms, NINE_MS);
    ck_assert_int_eq(event.at_ms, TEN_MS + 100);
}
END_TEST

START_TEST(both_payload_versions_say_the_same)
{
    struct feed_webhook now = {0}, old = {0};
    ck_assert_int_eq(read_fixture("messages/sent.json", &now), LINQ_TAKEN);
    ck_assert_int_eq(read_fixture("messages/sent_2025-01-01.json", &old), LINQ_TAKEN);
    ck_assert_str_eq(old.message_id, now.message_id);
    ck_assert_str_eq(old.chat_id, now.chat_id);
    ck_assert_str_eq(old.idempotency_key, now.idempotency_key);
    ck_assert_str_eq(old.line, now.line);
    ck_assert_str_eq(old.sender, now.sender);
    ck_assert_int_eq(old.inbound, now.inbound);
    ck_assert_int_eq(old.at_ms, now.at_ms);
    ck_assert(!old.has_chat_health);
    ck_assert_int_eq(read_fixture("messages/delivered.json", &now), LINQ_TAKEN);
    ck_assert_int_eq(read_fixture("messages/delivered_2025-01-01.json", &old), LINQ_TAKEN);
    ck_assert_str_eq(old.message_id, now.message_id);
    ck_assert_str_eq(old.chat_id, now.chat_id);
    ck_assert_int_eq(old.at_ms, now.at_ms);
    ck_assert_int_eq(old.at_ms, TEN_MS + 2000);
}
END_TEST

START_TEST(each_kind_of_message_event_carries_its_own_time)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/read.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.event, FEED_EVENT_READ);
    ck_assert_int_eq(event.at_ms, TEN_MS + 300000);
    ck_assert_int_eq(read_fixture("messages/received.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.at_ms, TEN_MS + 100);
    ck_assert_int_eq(read_fixture("messages/failed_3007.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.at_ms, TEN_MS + 9000);
}
END_TEST

START_TEST(an_answer_names_who_wrote_and_on_which_line)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/received.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.event, FEED_EVENT_RECEIVED);
    ck_assert(event.inbound);
    ck_assert_str_eq(event.sender, "+14155550111");
    ck_assert_str_eq(event.line, "+12025550101");
    ck_assert_str_eq(event.idempotency_key, "");
}
END_TEST

START_TEST(a_late_recovered_message_is_marked_as_history)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/received_reconciled.json", &event), LINQ_TAKEN);
    ck_assert(event.reconciled);
}
END_TEST

START_TEST(an_older_answer_finds_its_line_at_the_receiving_end)
{
    struct feed_webhook event = {0};
    const char *text = "{\"event_type\":\"message.received\",\"data\":{\"chat_id\":\"c\",\"is_from_me\":false,"
                       "\"from_handle\":{\"handle\":\"Ann@Example.com\"},\"recipient_phone\":\"+12025550101\","
                       "\"is_group\":true,\"message\":{\"id\":\"m\",\"parts\":[{\"type\":\"text\","
                       "\"value\":\"Quit\"}]}}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert(event.inbound && event.group && event.opt_out_keyword);
    ck_assert_str_eq(event.sender, "ann@example.com");
    ck_assert_str_eq(event.line, "+12025550101");
    ck_assert_str_eq(event.message_id, "m");
}
END_TEST

START_TEST(a_stop_is_found_where_the_other_place_is_null)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(
        read_event("{\"event_type\":\"message.received\",\"data\":{\"parts\":null,\"message\":{\"id\":\"m\","
                   "\"parts\":[{\"type\":\"text\",\"value\":\"STOP\"}]}}}",
                   &event),
        LINQ_TAKEN);
    ck_assert(event.opt_out_keyword);
}
END_TEST

START_TEST(our_own_stop_is_no_opt_out)
{
    struct feed_webhook event = {0};
    const char *text = "{\"event_type\":\"message.sent\",\"data\":{\"id\":\"m\",\"direction\":\"outbound\","
                       "\"parts\":[{\"type\":\"text\",\"value\":\"STOP\"}]}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert(!event.opt_out_keyword);
}
END_TEST

START_TEST(a_failure_carries_its_code_and_what_it_is_about)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/failed_4002.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.event, FEED_EVENT_FAILED);
    ck_assert_int_eq(event.code, 4002);
    ck_assert_str_eq(event.message_id, "00000000-0000-4000-8000-000000000401");
    ck_assert_str_eq(event.chat_id, "00000000-0000-4000-8000-000000000301");
    ck_assert_int_eq(read_fixture("messages/failed_minimal.json", &event), LINQ_TAKEN);
    ck_assert_str_eq(event.message_id, "");
    const char *text = "{\"event_type\":\"message.failed\",\"data\":{\"code\":\"4001\"}}";
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert_int_eq(event.code, 4001);
}
END_TEST

START_TEST(a_new_chat_names_its_line_and_the_other_end)
{
    struct feed_webhook event = {0};
    ck_assert_int_eq(read_fixture("messages/chat_created.json", &event), LINQ_TAKEN);
    ck_assert_int_eq(event.event, FEED_EVENT_CHAT);
    ck_assert_str_eq(event.chat_id, "00000000-0000-4000-8000-000000000301");
    ck_assert_str_eq(event.line, "+12025550101");
    ck_assert_str_eq(event.sender, "+14155550111");
    ck_assert(event.has_chat_health);
    ck_assert_int_eq(event.chat_health, CHAT_HEALTHY);
}
END_TEST

START_TEST(an_id_that_does_not_fit_is_left_out_not_cut)
{
    char text[1024];
    char id[FEED_TEXT_MAX + 1];
    struct feed_webhook event = {0};
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    snprintf(text, sizeof text, "{\"event_type\":\"message.sent\",\"data\":{\"id\":\"%s\"}}", id);
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert_str_eq(event.message_id, "");
    snprintf(text, sizeof text, "{\"event_type\":\"message.sent\",\"data\":{\"id\":\"%s\"}}", id + 1);
    ck_assert_int_eq(read_event(text, &event), LINQ_TAKEN);
    ck_assert_str_eq(event.message_id, id + 1);
    ck_assert_int_eq(read_event("{\"event_type\":\"message.sent\",\"data\":{\"id\":\"a\\u001b[2Jb\"}}", &event),
                     LINQ_TAKEN);
    ck_assert_str_eq(event.message_id, "");
}
END_TEST

/* ---- opt-out words ---- */

START_TEST(an_opt_out_keyword_is_the_whole_message_in_any_case)
{
    static const char *const yes[] = {"STOP", "stop",    " Stop\r\n", "UNSUBSCRIBE", "OptOut",    "CANCEL",    "end",
                                      "QUIT", "OPT OUT", "opt-out",   "Opt  Out",    "OPT - OUT", "\topt out "};
    static const char *const no[] = {"",      "please stop", "stop it", "STOPP",   "sto",         "opt", "out",
                                     "optin", "opt_out",     "opt.out", "the end", "opt out now", "-"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        ck_assert_msg(linq_is_opt_out(yes[i]), "not taken: '%s'", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        ck_assert_msg(!linq_is_opt_out(no[i]), "taken: '%s'", no[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_linq");
    TCase *lists = tcase_create("lists");
    tcase_add_test(lists, every_list_fixture_reads_as_its_manifest_says);
    tcase_add_test(lists, a_status_in_the_list_is_the_service_status);
    tcase_add_test(lists, a_duplicate_takes_the_worse_of_reputation_and_service_in_any_order);
    tcase_add_test(lists, a_list_of_another_format_never_looks_as_if_the_lines_were_gone);
    tcase_add_test(lists, an_entry_that_is_no_e164_is_left_out_and_counted);
    tcase_add_test(lists, a_body_of_countless_values_is_refused_before_it_costs_memory);
    tcase_add_test(lists, a_list_cut_anywhere_is_an_error);
    suite_add_tcase(suite, lists);
    TCase *status = tcase_create("status events");
    tcase_add_test(status, every_status_fixture_reads_as_its_manifest_says);
    tcase_add_test(status, a_status_event_keeps_its_id_its_previous_word_and_its_time);
    tcase_add_test(status, a_time_ahead_of_us_is_cut_to_five_minutes_after_arrival);
    tcase_add_test(status, an_unreadable_time_is_absent_and_the_event_stands);
    tcase_add_test(status, a_status_event_without_a_pair_says_nothing_about_its_line);
    tcase_add_test(status, what_is_no_event_is_malformed);
    suite_add_tcase(suite, status);
    TCase *messages = tcase_create("message events");
    tcase_add_test(messages, what_somebody_wrote_never_makes_an_event_malformed);
    tcase_add_test(messages, every_message_fixture_is_taken_and_unknown_types_are_unused);
    tcase_add_test(messages, a_sent_event_names_message_chat_line_and_our_key);
    tcase_add_test(messages, both_payload_versions_say_the_same);
    tcase_add_test(messages, each_kind_of_message_event_carries_its_own_time);
    tcase_add_test(messages, an_answer_names_who_wrote_and_on_which_line);
    tcase_add_test(messages, a_late_recovered_message_is_marked_as_history);
    tcase_add_test(messages, an_older_answer_finds_its_line_at_the_receiving_end);
    tcase_add_test(messages, a_stop_is_found_where_the_other_place_is_null);
    tcase_add_test(messages, our_own_stop_is_no_opt_out);
    tcase_add_test(messages, a_failure_carries_its_code_and_what_it_is_about);
    tcase_add_test(messages, a_new_chat_names_its_line_and_the_other_end);
    tcase_add_test(messages, an_id_that_does_not_fit_is_left_out_not_cut);
    tcase_add_test(messages, an_opt_out_keyword_is_the_whole_message_in_any_case);
    suite_add_tcase(suite, messages);
    return suite_run(suite);
}
