/* sandbox_run_test.c — a whole sandbox over real sockets: answers, webhooks, faults that lose answers, the log. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/sandbox_rig.h"

/* ---- the API ---- */

START_TEST(a_chat_is_opened_spoken_into_and_found)
{
    char chat[64], path[128];
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_ptr_nonnull(strstr(answer_headers, "X-Trace-ID: "));
    answer_member("id", chat, sizeof chat);
    snprintf(path, sizeof path, "/api/partner/v3/chats/%s/messages", chat);
    ck_assert_int_eq(api("POST", path, "{\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"more\"}]}}"), 202);
    char chat_again[64];
    answer_member("chat_id", chat_again, sizeof chat_again);
    ck_assert_str_eq(chat, chat_again);
    snprintf(path, sizeof path, "/v3/chats/%s", chat);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"is_group\":false"));
    ck_assert_int_eq(api("GET", "/v3/chats?from=%2B12025550101&to=%2B14155550111", NULL), 200);
    ck_assert(answer_has(chat));
    ck_assert(answer_has("\"next_cursor\":null"));
    ck_assert_int_eq(api("GET", "/v3/chats?to=%2B14155550119", NULL), 200);
    ck_assert(answer_has("\"chats\":[]"));
}
END_TEST

START_TEST(a_message_can_be_read_back)
{
    char chat[64], path[128], message[64];
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    answer_member("id", chat, sizeof chat);
    snprintf(path, sizeof path, "/v3/chats/%s/messages", chat);
    ck_assert_int_eq(api("POST", path, "{\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"more\"}]}}"), 202);
    const char *at = strstr(answer_text, "\"message\":{\"id\":\"");
    ck_assert_ptr_nonnull(at);
    snprintf(message, sizeof message, "%.36s", at + strlen("\"message\":{\"id\":\""));
    snprintf(path, sizeof path, "/v3/messages/%s", message);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"value\":\"more\""));
    ck_assert(answer_has("\"is_from_me\":true"));
}
END_TEST

START_TEST(chats_come_in_pages)
{
    char to[32], key[16], path[256], cursor[64], seen[3][64];
    for (int i = 0; i < 3; i++) {
        snprintf(to, sizeof to, "+1415555011%d", i);
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(send_one("+12025550101", to, key), 201);
    }
    snprintf(path, sizeof path, "/v3/chats?from=%%2B12025550101&limit=1");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(api("GET", path, NULL), 200);
        answer_member("id", seen[i], sizeof seen[i]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(seen[i], seen[j]);
        if (i == 2)
            break;
        answer_member("next_cursor", cursor, sizeof cursor);
        snprintf(path, sizeof path, "/v3/chats?from=%%2B12025550101&limit=1&cursor=%s", cursor);
    }
    ck_assert(answer_has("\"next_cursor\":null"));
    ck_assert_int_eq(api("GET", "/v3/chats?limit=0", NULL), 400);
    ck_assert_int_eq(api("GET", "/v3/chats?cursor=x", NULL), 400);
}
END_TEST

static int chats_listed(const char *line)
{
    char path[256], cursor[64] = "";
    int listed = 0;
    do {
        snprintf(path, sizeof path, "/v3/chats?from=%%2B%s&limit=100&cursor=%s", line + 1, cursor);
        ck_assert_int_eq(api("GET", path, NULL), 200);
        for (const char *at = answer_text; (at = strstr(at, "\"is_group\":")) != NULL; at++)
            listed++;
        cursor[0] = '\0';
        if (!answer_has("\"next_cursor\":null"))
            answer_member("next_cursor", cursor, sizeof cursor);
    } while (cursor[0] != '\0');
    return listed;
}

START_TEST(chats_that_were_there_before_are_listed_by_line_and_used)
{
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":901,\"first\":\"+14155550000\",\"days\":30}"),
                     200);
    ck_assert(answer_has("\"made\":901,\"known\":0,\"next\":\"+14155550901\""));
    ck_assert_int_eq(chats_listed("+12025550101"), 451);
    ck_assert_int_eq(chats_listed("+12025550102"), 450);
    ck_assert_int_eq(send_one("+12025550101", "+14155550000", "k1"), 201);
    ck_assert_int_eq(send_one("+12025550101", "+14155550001", "k2"), 201); /* lives on the other line */
    ck_assert_int_eq(chats_listed("+12025550101"), 452);
    ck_assert_int_eq(
        control("POST", "/chats/preload", "{\"count\":2,\"first\":\"+14155550000\",\"lines\":[\"+12025550101\"]}"),
        200);
    ck_assert(answer_has("\"made\":0,\"known\":2"));
}
END_TEST

START_TEST(a_cursor_of_another_list_is_refused)
{
    char path[256], cursor[64];
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":8}"), 200);
    ck_assert_int_eq(api("GET", "/v3/chats?from=%2B12025550101&limit=1", NULL), 200);
    answer_member("next_cursor", cursor, sizeof cursor);
    snprintf(path, sizeof path, "/v3/chats?from=%%2B12025550102&limit=1&cursor=%s", cursor);
    ck_assert_int_eq(api("GET", path, NULL), 400);
}
END_TEST

START_TEST(refusals_carry_the_providers_body)
{
    ck_assert_int_eq(send_one("+12025550199", "+14155550111", "k1"), 403);
    ck_assert(answer_has("\"success\":false"));
    ck_assert(answer_has("\"status\":403"));
    ck_assert(answer_has("\"code\":2006"));
    ck_assert(answer_has("\"trace_id\":\""));
    ck_assert_int_eq(api("GET", "/v3/chats/00000000-0000-4000-8000-000000000301", NULL), 404);
    ck_assert(answer_has("\"code\":2001"));
    ck_assert_int_eq(api("GET", "/v3/messages/00000000-0000-4000-8000-000000000401", NULL), 404);
    ck_assert(answer_has("\"code\":2002"));
    ck_assert_int_eq(api("POST", "/v3/chats", "{"), 400);
    ck_assert(answer_has("\"code\":1003"));
    ck_assert_int_eq(api("GET", "/v3/nothing", NULL), 404);
    ck_assert_int_eq(api("DELETE", "/v3/chats", NULL), 404);
}
END_TEST

START_TEST(the_pair_limit_answers_429_with_a_hint_in_header_and_body)
{
    char key[16];
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(send_one("+12025550101", "+14155550111", key), 201);
    }
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "one more"), 429);
    ck_assert(answer_has("\"code\":1007"));
    ck_assert(answer_has("\"retry_after\":"));
    ck_assert_ptr_nonnull(strstr(answer_headers, "Retry-After: "));
}
END_TEST

START_TEST(a_wrong_key_is_refused)
{
    options.api_key = "another";
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 401);
    ck_assert(answer_has("\"code\":2004"));
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 401);
    ck_assert_uint_eq(sandbox->world->accepted, 0);
}
END_TEST

START_TEST(a_body_beyond_the_limit_is_refused_and_the_connection_lives)
{
    size_t bytes = HTTP_BODY_BYTES_MAX + 1000;
    char *body = malloc(bytes + 1);
    memset(body, ' ', bytes);
    memcpy(body, "{}", 2);
    body[bytes] = '\0';
    ck_assert_int_eq(api("POST", "/v3/chats", body), 400);
    ck_assert(answer_has("\"code\":1003"));
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    free(body);
}
END_TEST

/* ---- webhooks ---- */

START_TEST(a_change_of_reputation_is_told_signed_and_listed)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    const struct received *event = event_wait(0);
    ck_assert_int_eq(event->verdict, SIGNATURE_GOOD);
    ck_assert_ptr_nonnull(strstr(event->body, "\"event_type\":\"phone_number.status_updated\""));
    ck_assert_ptr_nonnull(strstr(event->body, "\"phone_number\":\"+12025550101\""));
    ck_assert_ptr_nonnull(strstr(event->body, "\"previous_reputation\":\"HEALTHY\",\"new_reputation\":\"CRITICAL\""));
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(answer_has("\"CRITICAL\""));
}
END_TEST

START_TEST(the_list_can_be_left_stale_and_the_webhook_be_kept_back)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\",\"webhook\":false}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550102", "{\"reputation\":\"CRITICAL\",\"list\":false}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "+12025550102"));
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(answer_has("\"AT_RISK\""));
    ck_assert(!answer_has("\"CRITICAL\""));
}
END_TEST

START_TEST(a_lie_is_told_and_changes_nothing)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"service\":\"FLAGGED\",\"lie\":true}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "\"new_status\":\"FLAGGED\""));
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
}
END_TEST

START_TEST(a_send_is_followed_by_sent_and_delivered_with_its_key)
{
    hear_webhooks();
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "\"idempotency_key\":\"k1\""));
    event_wait(1);
    bool sent = false, delivered = false;
    for (int i = 0; i < 2; i++) {
        sent = sent || strstr(receiver.events[i].body, "\"message.sent\"") != NULL;
        delivered = delivered || strstr(receiver.events[i].body, "\"message.delivered\"") != NULL;
        ck_assert_int_eq(receiver.events[i].verdict, SIGNATURE_GOOD);
    }
    ck_assert(sent && delivered);
}
END_TEST

START_TEST(an_event_refused_with_503_comes_again_with_the_same_id_and_a_400_does_not)
{
    hear_webhooks();
    receiver.statuses[0] = 503;
    receiver.statuses[1] = 429;
    receiver.statuses[3] = 400;
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    event_wait(2);
    ck_assert_str_eq(receiver.events[0].id, receiver.events[1].id);
    ck_assert_str_eq(receiver.events[0].id, receiver.events[2].id);
    ck_assert_int_eq(receiver.events[2].verdict, SIGNATURE_GOOD);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"AT_RISK\"}"), 200);
    event_wait(3); /* 400: dropped */
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"HEALTHY\"}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(4)->body, "\"new_reputation\":\"HEALTHY\""));
}
END_TEST

START_TEST(an_event_for_this_machine_goes_through_no_proxy)
{
    hear_webhooks();
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    ck_assert_ptr_nonnull(strstr(event_wait(0)->body, "\"new_reputation\":\"CRITICAL\""));
}
END_TEST

START_TEST(events_gather_while_paused_and_may_come_twice_or_badly_signed)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/webhooks", "{\"paused\":true,\"copies\":2}"), 200);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    ck_assert_int_eq(control("GET", "/webhooks", NULL), 200);
    ck_assert(answer_has("\"queued\":2"));
    ck_assert_int_eq(control("POST", "/webhooks", "{\"bad_signature\":true}"), 200);
    ck_assert_str_eq(event_wait(0)->id, event_wait(1)->id);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"HEALTHY\"}"), 200);
    ck_assert_int_eq(event_wait(2)->verdict, SIGNATURE_BAD);
}
END_TEST

START_TEST(an_answer_reaches_the_receiver_and_stop_blocks_the_next_send)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"hi\"}"), 404);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    event_wait(1);
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"STOP\"}"), 200);
    const struct received *event = event_wait(2);
    ck_assert_ptr_nonnull(strstr(event->body, "\"message.received\""));
    ck_assert_ptr_nonnull(strstr(event->body, "\"direction\":\"inbound\""));
    ck_assert_ptr_nonnull(strstr(event->body, "\"OPTED_OUT\""));
    ck_assert_int_eq(send_one("+12025550102", "+14155550111", "k2"), 403);
    ck_assert(answer_has("\"code\":2024"));
}
END_TEST

/* ---- faults ---- */

START_TEST(an_answer_lost_after_acceptance_is_a_duplicate_the_next_time)
{
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_reset_after_accept\":1}"), 200);
    ck_assert_int_lt(send_one("+12025550101", "+14155550111", "k1"), 0);
    ck_assert_int_eq(control("DELETE", "/faults", NULL), 200);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_uint_eq(sandbox->world->accepted, 1);
    ck_assert_uint_eq(sandbox->world->duplicates, 1);
    sandbox_rig_stop();
    const char *text = log_read();
    ck_assert_ptr_nonnull(strstr(text, "\"accepted\":true,\"duplicate\":false,\"body_differs\":false,\"http\":0,"
                                       "\"code\":0,\"fault\":\"reset_after_accept\""));
    ck_assert_ptr_nonnull(strstr(text, "\"accepted\":false,\"duplicate\":true"));
}
END_TEST

START_TEST(a_reset_before_acceptance_leaves_nothing)
{
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_reset\":1}"), 200);
    ck_assert_int_lt(send_one("+12025550101", "+14155550111", "k1"), 0);
    ck_assert_uint_eq(sandbox->world->accepted, 0);
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_reset\":0,\"rate_500\":1}"), 200);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 500);
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_500\":0,\"rate_429\":1,\"retry_after_s\":-1}"), 200);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 429);
    ck_assert_ptr_null(strstr(answer_headers, "Retry-After"));
    ck_assert_uint_eq(sandbox->world->accepted, 0);
}
END_TEST

START_TEST(silence_after_acceptance_ends_when_the_sandbox_stops)
{
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_timeout\":1,\"silence_ms\":60000}"), 200);
    give_up_after(300);
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), -CURLE_OPERATION_TIMEDOUT);
    sandbox_rig_stop(); /* at once, not after a minute: the suite's limit would notice */
    const char *text = log_read();
    ck_assert_ptr_nonnull(strstr(text, "\"accepted\":true"));
    ck_assert_ptr_nonnull(strstr(text, "\"fault\":\"timeout\",\"answered_mono_ms\":null,\"delivered\":false"));
    ck_assert_ptr_nonnull(strstr(text, "\"type\":\"stop\""));
}
END_TEST

START_TEST(a_late_answer_was_accepted_at_once)
{
    ck_assert_int_eq(control("POST", "/faults", "{\"latency_ms\":30}"), 200);
    int64_t before = clock_read().mono_ms;
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_int_ge(clock_read().mono_ms - before, 29);
    ck_assert_int_eq(control("POST", "/faults", "{\"down\":true}"), 200);
    ck_assert_int_lt(api("GET", "/v3/phone_numbers", NULL), 0);
}
END_TEST

/* ---- controls ---- */

START_TEST(lines_come_and_go)
{
    ck_assert_int_eq(control("POST", "/lines/+12025550155", "{}"), 200);
    ck_assert_int_eq(send_one("+12025550155", "+14155550111", "k1"), 201);
    ck_assert_int_eq(control("DELETE", "/lines/%2B12025550155", NULL), 200);
    ck_assert_int_eq(send_one("+12025550155", "+14155550111", "k2"), 403);
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(!answer_has("+12025550155"));
    ck_assert_int_eq(control("DELETE", "/lines/+12025550155", NULL), 404);
}
END_TEST

START_TEST(wrong_controls_are_named_and_change_nothing)
{
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"GOOD\"}"), 400);
    ck_assert(answer_has("reputation"));
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputatio\":\"CRITICAL\"}"), 400);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"webhook\":1}"), 400);
    ck_assert_int_eq(control("POST", "/lines/nonsense", "{}"), 400);
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "["), 400);
    ck_assert_int_eq(control("POST", "/webhooks", "{\"url\":\"ftp://a\"}"), 400);
    ck_assert_int_eq(control("POST", "/webhooks", "{\"secret\":\"%%%\"}"), 400);
    ck_assert_int_eq(control("POST", "/faults", "{\"rate_500\":7}"), 400);
    ck_assert_int_eq(control("POST", "/chats/preload", "{}"), 400);
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":1,\"first\":\"4155550111\"}"), 400);
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":1,\"lines\":[\"+12025550199\"]}"), 400);
    ck_assert_int_eq(control("POST", "/chats/preload", "{\"count\":1,\"group\":1.5}"), 400);
    ck_assert_uint_eq(sandbox->world->chat_count, 0);
    ck_assert_int_eq(control("POST", "/nothing", "{}"), 404);
    ck_assert_int_eq(sandbox->world->lines[0].reputation, REPUTATION_HEALTHY);
}
END_TEST

static void must_name(const char *method, const char *path, const char *body, const char *name)
{
    char message[64];
    snprintf(message, sizeof message, "\"%s: unknown", name);
    ck_assert_msg(control(method, path, body) == 400, "%s %s %s: %s", method, path, body, answer_text);
    ck_assert_msg(answer_has(message), "%s %s %s: %s", method, path, body, answer_text);
}

START_TEST(what_no_control_knows_is_named_at_each_of_them)
{
    char id[64], path[128];
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    world_id_format(1, WORLD_ID_CHAT, 0, id);
    snprintf(path, sizeof path, "/chats/%s", id);
    must_name("POST", path, "{\"health\":\"CRITICAL\",\"healt\":1}", "healt");
    ck_assert_int_eq(sandbox->world->chats[0].health, CHAT_HEALTHY);
    world_id_format(1, WORLD_ID_MESSAGE, 0, id);
    snprintf(path, sizeof path, "/messages/%s", id);
    must_name("POST", path, "{\"delivery\":\"failed\",\"cod\":4005}", "cod");
    ck_assert_int_ne(sandbox->world->messages[0].mark, WORLD_FAILED);
    must_name("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"hi\",\"line\":5}", "line");
    must_name("POST", "/webhooks", "{\"url\":5}", "url or secret");
    must_name("POST", "/webhooks", "{\"secret\":5}", "url or secret");
    must_name("GET", "/webhooks?after=now", NULL, "after");
    must_name("GET", "/webhooks?limit=all", NULL, "limit");
    must_name("GET", "/webhooks?limit=-1", NULL, "limit");
    must_name("GET", "/webhooks?event=message.sen", NULL, "event");
    must_name("POST", "/recipients/+14155550112", "{\"opted_out\":\"yes\"}", "opted_out or blocked");
    ck_assert_uint_eq(sandbox->world->recipient_count, 1);
    ck_assert_int_eq(control("POST", "/rules", "{\"code\":2027}"), 200);
    ck_assert_int_eq(control("DELETE", "/rules/1st", NULL), 404);
    ck_assert_uint_eq(sandbox->rules.count, 1);
    must_name("POST", "/quit", "{\"after_ms\":1000}", "after_ms");
}
END_TEST

START_TEST(a_changed_line_and_its_webhook_stand_in_the_log_with_the_same_change)
{
    hear_webhooks();
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    event_wait(0);
    /* the 200 is on its way: once the attempt is in the history, its line is in the log */
    struct instant from = clock_read();
    while (control("GET", "/webhooks?event=phone_number.status_updated", NULL) == 200 && !answer_has("\"http\":200"))
        ck_assert_int_lt(clock_read().mono_ms - from.mono_ms, WAIT_S * 1000);
    sandbox_rig_stop();
    const char *text = log_read();
    ck_assert_ptr_nonnull(strstr(text, "{\"type\":\"line\",\"line\":\"+12025550101\",\"reputation\":\"CRITICAL\","
                                       "\"service\":\"ACTIVE\",\"removed\":false,\"change\":3"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"reputation\":\"CRITICAL\",\"service\":\"ACTIVE\",\"change\":3,\"lie\":false"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_run");
    TCase *tests = tcase_create("run");
    tcase_add_checked_fixture(tests, sandbox_rig_setup, sandbox_rig_teardown);
    tcase_set_timeout(tests, 2 * WAIT_S);
    tcase_add_test(tests, a_chat_is_opened_spoken_into_and_found);
    tcase_add_test(tests, a_message_can_be_read_back);
    tcase_add_test(tests, chats_come_in_pages);
    tcase_add_test(tests, chats_that_were_there_before_are_listed_by_line_and_used);
    tcase_add_test(tests, a_cursor_of_another_list_is_refused);
    tcase_add_test(tests, refusals_carry_the_providers_body);
    tcase_add_test(tests, the_pair_limit_answers_429_with_a_hint_in_header_and_body);
    tcase_add_test(tests, a_wrong_key_is_refused);
    tcase_add_test(tests, a_body_beyond_the_limit_is_refused_and_the_connection_lives);
    tcase_add_test(tests, a_change_of_reputation_is_told_signed_and_listed);
    tcase_add_test(tests, the_list_can_be_left_stale_and_the_webhook_be_kept_back);
    tcase_add_test(tests, a_lie_is_told_and_changes_nothing);
    tcase_add_test(tests, a_send_is_followed_by_sent_and_delivered_with_its_key);
    tcase_add_test(tests, an_event_refused_with_503_comes_again_with_the_same_id_and_a_400_does_not);
    tcase_add_test(tests, an_event_for_this_machine_goes_through_no_proxy);
    tcase_add_test(tests, events_gather_while_paused_and_may_come_twice_or_badly_signed);
    tcase_add_test(tests, an_answer_reaches_the_receiver_and_stop_blocks_the_next_send);
    tcase_add_test(tests, an_answer_lost_after_acceptance_is_a_duplicate_the_next_time);
    tcase_add_test(tests, a_reset_before_acceptance_leaves_nothing);
    tcase_add_test(tests, silence_after_acceptance_ends_when_the_sandbox_stops);
    tcase_add_test(tests, a_late_answer_was_accepted_at_once);
    tcase_add_test(tests, lines_come_and_go);
    tcase_add_test(tests, wrong_controls_are_named_and_change_nothing);
    tcase_add_test(tests, what_no_control_knows_is_named_at_each_of_them);
    tcase_add_test(tests, a_changed_line_and_its_webhook_stand_in_the_log_with_the_same_change);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
