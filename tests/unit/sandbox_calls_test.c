/* sandbox_calls_test.c — the account's calls over real sockets: audits, the line advised, blocked handles, messages
 * of a chat, subscriptions; errors and webhooks spoilt on request. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/sandbox_rig.h"

static bool header_has(const char *text)
{
    return strstr(answer_headers, text) != NULL;
}

/* ---- lines ---- */

START_TEST(an_audit_is_pending_then_complete_and_names_what_is_wrong)
{
    char id[64], path[128];
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":4,\"critical\":1}"), 200);
    ck_assert_int_eq(api("POST", "/v3/phone_numbers/%2B12025550101/reputation_audit", ""), 202);
    ck_assert(answer_has("\"status\":\"pending\""));
    answer_member("audit_id", id, sizeof id);
    ck_assert_int_eq(api("POST", "/v3/phone_numbers/+12025550101/reputation_audit", ""), 409);
    snprintf(path, sizeof path, "/v3/phone_numbers/+12025550101/reputation_audit/%s", id);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"status\":\"pending\""));
    sandbox->audits.duration_ms = 0; /* as if it had passed */
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"status\":\"complete\""));
    ck_assert(answer_has("\"severity\":\"AT_RISK\""));
    ck_assert(answer_has("\"status\":\"CRITICAL\"")); /* a chat of the evidence */
    ck_assert_int_eq(api("POST", "/v3/phone_numbers/+12025550101/reputation_audit", ""), 429);
    ck_assert(header_has("Retry-After: "));
    ck_assert_int_eq(api("POST", "/v3/phone_numbers/+12025550199/reputation_audit", ""), 403);
    snprintf(path, sizeof path, "/v3/phone_numbers/+12025550102/reputation_audit/%s", id);
    ck_assert_int_eq(api("GET", path, NULL), 404);
}
END_TEST

START_TEST(the_line_advised_is_the_healthiest_and_sticks_to_a_chat)
{
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    ck_assert_int_eq(api("GET", "/v3/available_number", NULL), 200);
    ck_assert(answer_has("\"phone_number\":\"+12025550102\""));
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_int_eq(api("GET", "/v3/available_number?to=%2B14155550111", NULL), 200);
    ck_assert(answer_has("\"phone_number\":\"+12025550101\""));
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"service\":\"FLAGGED\"}"), 200);
    ck_assert_int_eq(api("GET", "/v3/available_number?to=%2B14155550111", NULL), 200);
    ck_assert(answer_has("\"phone_number\":\"+12025550102\""));
    ck_assert_int_eq(api("GET", "/v3/available_number?exclude_from=%2B12025550102&exclude_from=%2B12025550101", NULL),
                     400);
    ck_assert_int_eq(api("GET", "/v3/available_number?exclude_from=5", NULL), 400);
}
END_TEST

START_TEST(equally_healthy_lines_are_advised_in_turn)
{
    char first[32], second[32];
    ck_assert_int_eq(api("GET", "/v3/available_number", NULL), 200);
    answer_member("phone_number", first, sizeof first);
    ck_assert_int_eq(api("GET", "/v3/available_number", NULL), 200);
    answer_member("phone_number", second, sizeof second);
    ck_assert_str_ne(first, second);
}
END_TEST

/* ---- chats and handles ---- */

START_TEST(the_messages_of_a_chat_come_in_pages_newest_first)
{
    char chat[64], path[256], cursor[64];
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    answer_member("id", chat, sizeof chat);
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"hello back\"}"), 200);
    ck_assert_int_eq(send_one("+12025550101", "+14155550112", "k2"), 201); /* another chat's */
    snprintf(path, sizeof path, "/v3/chats/%s/messages?limit=1", chat);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("hello back"));
    answer_member("next_cursor", cursor, sizeof cursor);
    snprintf(path, sizeof path, "/v3/chats/%s/messages?limit=1&cursor=%s", chat, cursor);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("#1 p/a hi"));
    ck_assert(answer_has("\"next_cursor\":null"));
    snprintf(path, sizeof path, "/v3/chats/%s/messages?cursor=x", chat);
    ck_assert_int_eq(api("GET", path, NULL), 400);
    ck_assert_int_eq(api("GET", "/v3/chats/x/messages", NULL), 404);
}
END_TEST

START_TEST(a_blocked_handle_gets_nothing_until_it_is_let_in_again)
{
    ck_assert_int_eq(api("POST", "/v3/blocked_handles", "{\"handle\":\"+14155550111\"}"), 201);
    ck_assert_int_eq(api("POST", "/v3/blocked_handles", "{\"handle\":\"5\"}"), 400);
    ck_assert_int_eq(api("POST", "/v3/blocked_handles", "{}"), 400);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 403);
    ck_assert(answer_has("\"code\":2026"));
    ck_assert_int_eq(api("GET", "/v3/blocked_handles", NULL), 200);
    ck_assert(answer_has("\"blocked_handles\":[{\"handle\":\"+14155550111\",\"blocked_at\":\"2"));
    ck_assert_int_eq(api("DELETE", "/v3/blocked_handles", "{\"handle\":\"+14155550111\"}"), 204);
    ck_assert_str_eq(answer_text, "");
    ck_assert_int_eq(api("GET", "/v3/blocked_handles", NULL), 200);
    ck_assert(answer_has("\"blocked_handles\":[]"));
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
}
END_TEST

START_TEST(what_a_blocked_handle_writes_is_dropped)
{
    hear_webhooks();
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_int_eq(api("POST", "/v3/blocked_handles", "{\"handle\":\"+14155550111\"}"), 201);
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"STOP\"}"), 200);
    ck_assert_uint_eq(sandbox->world->message_count, 1);
    ck_assert_int_eq(api("DELETE", "/v3/blocked_handles", "{\"handle\":\"+14155550111\"}"), 204);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k2"), 201);
}
END_TEST

START_TEST(of_many_blocked_handles_the_newest_are_listed_whoever_was_known_first)
{
    ck_assert_int_eq(control("POST", "/recipients/+14155550111", "{\"blocked\":false}"), 200);
    ck_assert_int_eq(control("POST", "/recipients/+14155550112", "{\"blocked\":true}"), 200);
    for (uint32_t i = 0; i < 1000; i++) {
        char handle[HANDLE_MAX_BYTES + 1];
        snprintf(handle, sizeof handle, "+1415556%04u", i);
        uint32_t recipient = world_recipient_add(sandbox->world, handle);
        sandbox->world->recipients[recipient].blocked = true;
        sandbox->world->recipients[recipient].blocked_wall_ms = sandbox->world->recipients[1].blocked_wall_ms + 1;
    }
    struct instant now = clock_read();
    while (clock_read().wall_ms <= sandbox->world->recipients[1].blocked_wall_ms + 1)
        ck_assert_int_lt(clock_read().mono_ms - now.mono_ms, WAIT_S * 1000);
    ck_assert_int_eq(api("POST", "/v3/blocked_handles", "{\"handle\":\"+14155550111\"}"), 201);
    ck_assert_int_eq(api("GET", "/v3/blocked_handles", NULL), 200);
    ck_assert(answer_has("\"blocked_handles\":[{\"handle\":\"+14155550111\""));
    ck_assert(!answer_has("+14155550112"));
}
END_TEST

/* ---- subscriptions ---- */

static long subscribe(const char *events, const char *more, char id[64])
{
    char body[512];
    snprintf(body, sizeof body, "{\"target_url\":\"http://127.0.0.1:%u/sub\",\"subscribed_events\":[%s]%s}",
             sandbox_http_port(receiver.server), events, more);
    long status = api("POST", "/v3/webhook-subscriptions", body);
    if (status == 201)
        answer_member("id", id, 64);
    return status;
}

START_TEST(a_subscription_gets_its_events_of_its_lines_and_shows_its_secret_once)
{
    char id[64], path[128], secret[64];
    ck_assert_int_eq(
        subscribe("\"chat.created\",\"phone_number.status_updated\"", ",\"phone_numbers\":[\"+12025550102\"]", id),
        201);
    answer_member("signing_secret", secret, sizeof secret);
    ck_assert_int_eq(strncmp(secret, "whsec_", 6), 0);
    ck_assert_int_eq(subscribe("\"chat.created\"", "", path), 409); /* that URL is used */
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_int_eq(send_one("+12025550102", "+14155550111", "k1"), 201);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "\"event_type\":\"chat.created\""));
    ck_assert_int_eq(event_wait(0)->verdict, SIGNATURE_BAD); /* that receiver knows another secret */
    ck_assert_int_eq(control("POST", "/lines/+12025550102", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(1)->body, "\"phone_number\":\"+12025550102\""));
    ck_assert_int_eq(receiver.count, 2);
    snprintf(path, sizeof path, "/v3/webhook-subscriptions/%s", id);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(!answer_has("secret"));
    ck_assert(answer_has("\"phone_numbers\":[\"+12025550102\"]"));
}
END_TEST

START_TEST(a_subscription_is_changed_listed_and_ended)
{
    char id[64], path[128];
    ck_assert_int_eq(subscribe("\"message.sent\"", "", id), 201);
    snprintf(path, sizeof path, "/v3/webhook-subscriptions/%s", id);
    ck_assert_int_eq(api("PUT", path, "{\"is_active\":false}"), 200);
    ck_assert(answer_has("\"is_active\":false"));
    ck_assert(answer_has("\"subscribed_events\":[\"message.sent\"]"));
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_int_eq(api("PUT", path, "{\"is_active\":true,\"subscribed_events\":[\"message.received\"]}"), 200);
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"yes\"}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "\"event_type\":\"message.received\""));
    ck_assert_int_eq(api("GET", "/v3/webhook-subscriptions", NULL), 200);
    ck_assert(answer_has(id));
    ck_assert_int_eq(api("DELETE", path, NULL), 204);
    ck_assert_int_eq(api("GET", path, NULL), 404);
    ck_assert(answer_has("\"code\":2010"));
    ck_assert_int_eq(api("GET", "/v3/webhook-subscriptions", NULL), 200);
    ck_assert(answer_has("\"subscriptions\":[]"));
}
END_TEST

START_TEST(wrong_subscriptions_are_refused)
{
    char id[64];
    ck_assert_int_eq(subscribe("\"message.send\"", "", id), 400);
    ck_assert_int_eq(subscribe("", "", id), 400);
    ck_assert_int_eq(subscribe("\"message.sent\"", ",\"phone_numbers\":[\"5\"]", id), 400);
    ck_assert_int_eq(api("POST", "/v3/webhook-subscriptions", "{\"target_url\":\"http://a\"}"), 400);
    ck_assert_int_eq(api("POST", "/v3/webhook-subscriptions",
                         "{\"target_url\":\"ftp://a\",\"subscribed_events\":[\"chat.created\"]}"),
                     400);
    ck_assert_int_eq(api("POST", "/v3/webhook-subscriptions", "nonsense"), 400);
    ck_assert_uint_eq(sandbox->subscriptions.count, 0);
    ck_assert_int_eq(api("GET", "/v3/webhook-events", NULL), 200);
    ck_assert(answer_has("\"phone_number.status_updated\""));
}
END_TEST

/* ---- errors on request ---- */

static void rule(const char *body)
{
    ck_assert_int_eq(control("DELETE", "/rules", NULL), 200);
    ck_assert_int_eq(control("POST", "/rules", body), 200);
}

START_TEST(any_code_can_be_asked_for_and_nothing_is_sent)
{
    rule("{\"code\":4005,\"times\":1}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 422);
    ck_assert(answer_has("\"code\":4005"));
    ck_assert_uint_eq(sandbox->world->accepted, 0);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert(answer_has("\"chat\":"));
    rule("{\"code\":2027,\"http\":409,\"recipient\":\"+14155550112\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550112", "k2"), 409);
    ck_assert_int_eq(send_one("+12025550101", "+14155550113", "k3"), 201);
    rule("{\"code\":2004,\"on\":\"reads\"}");
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 401);
}
END_TEST

START_TEST(the_hint_comes_in_each_form)
{
    rule("{\"code\":1007,\"retry_after_ms\":2000}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert(header_has("Retry-After: 2\r\n"));
    ck_assert(answer_has("\"retry_after\":2"));
    rule("{\"code\":1007,\"retry_after_ms\":1500,\"hint\":\"header\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert(header_has("Retry-After: 1.500\r\n"));
    ck_assert(!answer_has("retry_after"));
    rule("{\"code\":1007,\"retry_after_ms\":2000,\"hint\":\"body\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert(!header_has("Retry-After"));
    ck_assert(answer_has("\"retry_after\":2"));
    rule("{\"code\":1007,\"retry_after_ms\":2000,\"hint\":\"header_ms\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert(header_has("retry-after-ms: 2000\r\n"));
    rule("{\"code\":1007,\"retry_after_ms\":2000,\"hint\":\"date\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert(header_has(" GMT\r\n"));
    const char *at = strstr(answer_headers, "Retry-After: ");
    ck_assert_ptr_nonnull(at);
    /* libcurl reads HTTP's dates; this must be one, and soon */
    char date[64];
    snprintf(date, sizeof date, "%.29s", at + strlen("Retry-After: "));
    int64_t when_ms = (int64_t)curl_getdate(date, NULL) * 1000, from_now_ms = when_ms - clock_read().wall_ms;
    ck_assert(from_now_ms > -WAIT_S * 1000 && from_now_ms <= 3000);
}
END_TEST

START_TEST(a_proxys_page_an_empty_and_a_cut_body_can_be_asked_for)
{
    rule("{\"http\":502,\"body\":\"html\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 502);
    ck_assert(answer_has("<html>"));
    ck_assert(header_has("Content-Type: text/html"));
    rule("{\"code\":3001,\"body\":\"empty\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 500);
    ck_assert_str_eq(answer_text, "");
    rule("{\"code\":3001,\"body\":\"truncated\"}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 500);
    ck_assert(answer_has("{\"success\":false"));
    ck_assert(!answer_has("trace_id"));
}
END_TEST

START_TEST(an_error_after_acceptance_leaves_a_message_behind)
{
    rule("{\"code\":3005,\"after_accept\":true,\"times\":1}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 504);
    ck_assert_uint_eq(sandbox->world->accepted, 1);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_uint_eq(sandbox->world->accepted, 1);
    sandbox_rig_stop();
    ck_assert_ptr_nonnull(strstr(log_read(), "\"http\":504,\"code\":3005,\"fault\":\"rule\""));
}
END_TEST

/* ---- the list and webhooks spoilt ---- */

START_TEST(a_list_that_lags_shows_the_old_word_after_its_webhook)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/list", "{\"lag_ms\":600000}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    event_wait(0);
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(!answer_has("CRITICAL"));
    ck_assert_int_eq(control("POST", "/list", "{\"lag_ms\":0,\"date_offset_ms\":-3600000}"), 200);
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(answer_has("CRITICAL"));
    const char *at = strstr(answer_headers, "Date: ");
    ck_assert_ptr_nonnull(at);
    char date[64];
    snprintf(date, sizeof date, "%.29s", at + strlen("Date: "));
    int64_t behind_s = clock_read().wall_ms / 1000 - (int64_t)curl_getdate(date, NULL);
    ck_assert(behind_s >= 3599 && behind_s < 3600 + WAIT_S);
    ck_assert_int_eq(control("POST", "/list", "{\"lag\":1}"), 400);
}
END_TEST

START_TEST(events_are_lost_doubled_and_reversed_on_request)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/webhooks/faults", "{\"lose_next\":1,\"repeat_next\":1}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    const struct received *once = event_wait(0), *twice = event_wait(1);
    ck_assert_ptr_nonnull(strstr(once->body, "\"new_reputation\":\"CRITICAL\""));
    ck_assert_str_eq(once->id, twice->id);
    ck_assert_int_eq(control("GET", "/webhooks", NULL), 200);
    ck_assert(answer_has("\"lost\":1"));
    ck_assert_int_eq(control("POST", "/webhooks/faults", "{\"reverse_next\":2}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"HEALTHY\"}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(2)->body, "\"new_reputation\":\"HEALTHY\""));
    ck_assert_ptr_nonnull(strstr(event_wait(3)->body, "\"new_reputation\":\"AT_RISK\""));
    ck_assert_int_eq(event_wait(3)->verdict, SIGNATURE_GOOD);
}
END_TEST

START_TEST(events_kept_back_for_reversal_go_out_when_that_is_ended)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/webhooks/faults", "{\"reverse_next\":5}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    ck_assert_int_eq(control("GET", "/webhooks", NULL), 200);
    ck_assert(answer_has("\"queued\":1"));
    ck_assert_int_eq(control("DELETE", "/webhooks/faults", NULL), 200);
    event_wait(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_calls");
    TCase *tests = tcase_create("calls");
    tcase_add_checked_fixture(tests, sandbox_rig_setup, sandbox_rig_teardown);
    tcase_set_timeout(tests, 2 * WAIT_S);
    tcase_add_test(tests, an_audit_is_pending_then_complete_and_names_what_is_wrong);
    tcase_add_test(tests, the_line_advised_is_the_healthiest_and_sticks_to_a_chat);
    tcase_add_test(tests, equally_healthy_lines_are_advised_in_turn);
    tcase_add_test(tests, the_messages_of_a_chat_come_in_pages_newest_first);
    tcase_add_test(tests, a_blocked_handle_gets_nothing_until_it_is_let_in_again);
    tcase_add_test(tests, what_a_blocked_handle_writes_is_dropped);
    tcase_add_test(tests, of_many_blocked_handles_the_newest_are_listed_whoever_was_known_first);
    tcase_add_test(tests, a_subscription_gets_its_events_of_its_lines_and_shows_its_secret_once);
    tcase_add_test(tests, a_subscription_is_changed_listed_and_ended);
    tcase_add_test(tests, wrong_subscriptions_are_refused);
    tcase_add_test(tests, any_code_can_be_asked_for_and_nothing_is_sent);
    tcase_add_test(tests, the_hint_comes_in_each_form);
    tcase_add_test(tests, a_proxys_page_an_empty_and_a_cut_body_can_be_asked_for);
    tcase_add_test(tests, an_error_after_acceptance_leaves_a_message_behind);
    tcase_add_test(tests, a_list_that_lags_shows_the_old_word_after_its_webhook);
    tcase_add_test(tests, events_are_lost_doubled_and_reversed_on_request);
    tcase_add_test(tests, events_kept_back_for_reversal_go_out_when_that_is_ended);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
