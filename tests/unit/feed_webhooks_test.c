/* feed_webhooks_test.c — the receiver over real connections on loopback: every signature vector and every refusal. What
 * becomes of a request whose answer is late: feed_webhooks_wait_test.c. */
#include "tests/unit/feed_webhooks_rig.h"

#include "broker/feed/feed_address.h"

/* ---- the vectors ---- */

START_TEST(every_signature_vector_is_judged_right_over_http)
{
    cJSON *vectors = fixture_json("signed/vectors.json");
    const cJSON *vector = NULL;
    int seen = 0;
    cJSON_ArrayForEach(vector, json_get(vectors, "vectors"))
    {
        char name[256];
        int64_t now_s = 0;
        bool accept = json_bool(vector, "accept", false);
        const cJSON *headers = json_get(vector, "headers");
        snprintf(name, sizeof name, "signed/%s", json_string(vector, "body_file"));
        struct fixture body = fixture_read(name);
        ck_assert(json_int(vector, "now", &now_s));
        rig.now.wall_ms = now_s * 1000;
        rig.events = 0;
        rig_start(json_string(vector, "secret"));
        struct post post = {"/webhooks/linq?version=2026-02-03",
                            json_string(headers, "webhook-id"),
                            json_string(headers, "webhook-timestamp"),
                            json_string(headers, "webhook-signature"),
                            body.text,
                            body.bytes};
        int status = send_post(&post);
        ck_assert_msg(status == (accept ? 200 : 401), "%s: %d", json_string(vector, "name"), status);
        ck_assert_msg(rig.events == (accept ? 1 : 0), "%s: %d events", json_string(vector, "name"), rig.events);
        if (accept)
            ck_assert_str_eq(rig.last.webhook.webhook_id, post.id);
        feed_webhooks_close(&rig.hooks);
        fixture_free(&body);
        seen++;
    }
    ck_assert_int_eq(seen, 32);
    cJSON_Delete(vectors);
}
END_TEST

START_TEST(the_whole_requests_of_the_fixtures_are_judged_right)
{
    static const struct {
        const char *name;
        int status;
    } requests[] = {
        {"status_reputation", 200}, {"status_alias_only", 200}, {"body_changed", 401}, {"no_signature", 401}};
    rig_start(SECRET "\n");
    for (size_t i = 0; i < 4; i++) {
        static const char theirs[] = "POST /hooks/linq?", ours[] = "POST /webhooks/linq?";
        char name[64], text[4096];
        snprintf(name, sizeof name, "signed/http/%s.txt", requests[i].name);
        struct fixture request = fixture_read(name);
        ck_assert_int_eq(strncmp(request.text, theirs, sizeof theirs - 1), 0);
        int bytes = snprintf(text, sizeof text, "%s%s", ours, request.text + sizeof theirs - 1);
        ck_assert_msg(exchange(text, (size_t)bytes) == requests[i].status, "%s", requests[i].name);
        fixture_free(&request);
    }
    ck_assert_int_eq(rig.events, 2);
    ck_assert_int_eq(rig.last.webhook.reputation, REPUTATION_CRITICAL);
}
END_TEST

START_TEST(any_secret_of_the_file_will_do)
{
    rig_start("\n" OTHER_SECRET "\n\n  " SECRET " \n");
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, critical), 200);
    ck_assert_int_eq(send_signed("/webhooks/linq", OTHER_SECRET, critical), 200);
}
END_TEST

START_TEST(one_accounts_secret_opens_no_other_account)
{
    rig_start(SECRET);
    ck_assert_int_eq(send_signed("/webhooks/linq/second", OTHER_SECRET, critical), 200);
    ck_assert_str_eq(rig.last.account, "second");
    ck_assert_int_eq(send_signed("/webhooks/linq/default", SECRET, critical), 200);
    ck_assert_str_eq(rig.last.account, "default");
    ck_assert_int_eq(send_signed("/webhooks/linq/second", SECRET, critical), 401);
    ck_assert_int_eq(send_signed("/webhooks/linq", OTHER_SECRET, critical), 401);
    ck_assert_int_eq(rig.events, 2);
}
END_TEST

START_TEST(an_account_without_secrets_accepts_nothing)
{
    rig.accounts[0].webhook_secrets_file = NULL;
    struct conf_problem problem;
    ck_assert_int_eq(rig_open(&problem), ERR_NONE);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, critical), 401);
}
END_TEST

/* ---- refusals ---- */

START_TEST(everything_but_a_post_to_an_account_is_not_found)
{
    static const char *const requests[] = {
        "GET /webhooks/linq HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /webhooks/linq HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /webhooks/linq HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/default/more HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linqx HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    rig_start(SECRET);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        ck_assert_msg(exchange(requests[i], strlen(requests[i])) == 404, "%s", requests[i]);
}
END_TEST

START_TEST(garbage_is_unauthorized_unsigned_and_malformed_signed)
{
    rig_start(SECRET);
    struct post unsigned_garbage = {"/webhooks/linq", NULL, NULL, NULL, "{", 1};
    ck_assert_int_eq(send_post(&unsigned_garbage), 401);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{"), 400);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, ""), 400);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{\"data\":{}}"), 400);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_UNSIGNED), 1);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_MALFORMED), 3);
}
END_TEST

START_TEST(what_the_router_does_not_use_is_answered_at_once_and_not_handed_on)
{
    rig_start(SECRET);
    rig.answer_status = 0;
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{\"event_type\":\"call.ended\",\"data\":{}}"), 200);
    struct fixture no_line = fixture_read("status_updated/no_line.json");
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, no_line.text), 200);
    fixture_free(&no_line);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_UNUSED), 1);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_NO_LINE), 1);
}
END_TEST

START_TEST(a_body_may_be_one_mebibyte_and_not_a_byte_more)
{
    static char body[WEBHOOK_BODY_BYTES_MAX + 1];
    static const char start[] = "{\"event_type\":\"call.ended\"}";
    memset(body, ' ', sizeof body);
    memcpy(body, start, sizeof start - 1);
    rig_start(SECRET);
    struct post post = signed_post("/webhooks/linq", SECRET, body, WEBHOOK_BODY_BYTES_MAX, 0);
    ck_assert_int_eq(send_post(&post), 200);
    post = signed_post("/webhooks/linq", SECRET, body, sizeof body, 0);
    ck_assert_int_eq(send_post(&post), 413);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_TOO_LARGE), 1);
}
END_TEST

START_TEST(a_chunked_body_has_the_same_bound)
{
    static char text[WEBHOOK_BODY_BYTES_MAX + 4096];
    size_t bytes =
        (size_t)sprintf(text, "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "100001\r\n");
    memset(text + bytes, 'x', 0x100001);
    bytes += 0x100001;
    bytes += (size_t)sprintf(text + bytes, "\r\n0\r\n\r\n");
    rig_start(SECRET);
    ck_assert_int_eq(exchange(text, bytes), 413);
}
END_TEST

START_TEST(an_announced_flood_is_refused_unread)
{
    const char *text = "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    rig_start(SECRET);
    ck_assert_int_eq(exchange(text, strlen(text)), 413);
}
END_TEST

START_TEST(a_true_but_old_signature_is_refused_and_wants_one_poll_in_five_seconds)
{
    rig_start(SECRET);
    for (int i = 0; i < 3; i++) {
        struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 301);
        ck_assert_int_eq(send_post(&post), 401);
    }
    ck_assert_int_eq(rig.polls, 1);
    rig.now.mono_ms += WEBHOOK_STALE_POLL_GAP_MS;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 301);
    ck_assert_int_eq(send_post(&post), 401);
    ck_assert_int_eq(rig.polls, 2);
    post = signed_post("/webhooks/linq", OTHER_SECRET, critical, strlen(critical), 301);
    rig.now.mono_ms += WEBHOOK_STALE_POLL_GAP_MS;
    ck_assert_int_eq(send_post(&post), 401);
    ck_assert_int_eq(rig.polls, 2);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_STALE), 4);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_BAD_SIGNATURE), 1);
}
END_TEST

START_TEST(unknown_words_are_handed_on_as_unknown_and_counted)
{
    struct fixture unknown = fixture_read("status_updated/unknown_value.json");
    rig_start(SECRET);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, unknown.text), 200);
    ck_assert(rig.last.webhook.has_reputation && rig.last.webhook.has_service);
    ck_assert_int_eq(rig.last.webhook.reputation, REPUTATION_UNKNOWN);
    ck_assert_uint_eq(counted(FEED_NOTE_UNKNOWN_VALUE), 1);
    fixture_free(&unknown);
}
END_TEST

/* ---- opening ---- */

START_TEST(a_secrets_file_that_will_not_do_is_named_with_its_line_and_not_its_content)
{
    struct conf_problem problem;
    write_file(rig.paths[0], SECRET "\nwhsec_!!!\n");
    ck_assert_int_eq(rig_open(&problem), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(problem.text, rig.paths[0]));
    ck_assert_ptr_nonnull(strstr(problem.text, ":2:"));
    ck_assert_ptr_null(strstr(problem.text, "!!!"));
    unlink(rig.paths[0]);
    ck_assert_int_eq(rig_open(&problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, rig.paths[0]));
}
END_TEST

START_TEST(an_address_may_be_of_either_kind_or_everywhere)
{
    static const struct {
        const char *endpoint;
        int family;
    } good[] = {{"127.0.0.1:7780", AF_INET}, {"[::1]:7780", AF_INET6}, {"*:0", AF_UNSPEC}, {":0", AF_UNSPEC}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct addrinfo *address = feed_address_resolve(good[i].endpoint);
        ck_assert_msg(address != NULL, "%s", good[i].endpoint);
        ck_assert(good[i].family == AF_UNSPEC || address->ai_family == good[i].family);
        freeaddrinfo(address);
    }
}
END_TEST

START_TEST(an_address_that_cannot_be_bound_is_said)
{
    static const char *const wrong[] = {"7780", "[::1:7780", "[", "]:1", "127.0.0.1:http"};
    struct conf_problem problem;
    write_file(rig.paths[0], SECRET);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        strcpy(rig.endpoint, wrong[i]);
        ck_assert_msg(rig_open(&problem) == ERR_BAD_INPUT, "%s", wrong[i]);
    }
    strcpy(rig.endpoint, "192.0.2.1:7780");
    ck_assert_int_eq(rig_open(&problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "192.0.2.1:7780"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_signature_vector_is_judged_right_over_http,
        the_whole_requests_of_the_fixtures_are_judged_right,
        any_secret_of_the_file_will_do,
        one_accounts_secret_opens_no_other_account,
        an_account_without_secrets_accepts_nothing,
        everything_but_a_post_to_an_account_is_not_found,
        garbage_is_unauthorized_unsigned_and_malformed_signed,
        what_the_router_does_not_use_is_answered_at_once_and_not_handed_on,
        a_body_may_be_one_mebibyte_and_not_a_byte_more,
        a_chunked_body_has_the_same_bound,
        an_announced_flood_is_refused_unread,
        a_true_but_old_signature_is_refused_and_wants_one_poll_in_five_seconds,
        unknown_words_are_handed_on_as_unknown_and_counted,
        a_secrets_file_that_will_not_do_is_named_with_its_line_and_not_its_content,
        an_address_may_be_of_either_kind_or_everywhere,
        an_address_that_cannot_be_bound_is_said,
    };
    return run_suite("feed_webhooks", tests, sizeof tests / sizeof *tests);
}
