/* admin_jobs_test.c — jobs and events over the admin API: sent, found, cancelled, listed, and read as they come. */
#include "tests/support/suite.h"
#include "tests/unit/admin_pages_rig.h"

static const char *job_body(const char *pool, const char *id, unsigned recipient)
{
    static char text[512];
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"+1415555%04u\",\"message\":{\"parts\":[{\"type\":\"text\","
             "\"value\":\"hello there\"}]},\"meta\":{\"n\":%u}}",
             id, pool, recipient, recipient);
    return text;
}

static void enqueue(const char *pool, const char *id, unsigned recipient)
{
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", job_body(pool, id, recipient));
    const cJSON *result = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
    ck_assert_msg(reply.status == 200 && json_string(result, "job") != NULL, "%s", reply.body);
    reply_free(&reply);
}

/* covers: call POST /v1/jobs, GET /v1/jobs/{id} */
START_TEST(a_job_sent_over_http_is_accepted_and_found_under_all_its_names)
{
    struct reply reply = rig_ask("POST", "/v1/jobs", "producer-eu-token", job_body("eu", "order/1", 111));
    const cJSON *result = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(result, "id"), "order/1");
    char number[64], target[128];
    snprintf(number, sizeof number, "%s", json_string(result, "job"));
    reply_free(&reply);
    const char *names[] = {number, "eu%2Forder%2F1"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(target, sizeof target, "/v1/jobs/%s", names[i]);
        reply = rig_ask("GET", target, "producer-eu-token", NULL);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        ck_assert_str_eq(json_string(reply.json, "job"), number);
        ck_assert_str_eq(json_string(reply.json, "pool"), "eu");
        ck_assert_ptr_nonnull(json_string(json_get(reply.json, "why"), "rule"));
        ck_assert_int_ge(cJSON_GetArraySize(json_get(reply.json, "history")), 1);
        ck_assert_ptr_null(strstr(reply.body, "hello there"));
        reply_free(&reply);
    }
    rig_expect("GET", "/v1/jobs/order%2F1", "operator-token", NULL, 404); /* pool `order` has no id `1` */
    rig_expect("GET", "/v1/jobs/j_zzz", "operator-token", NULL, 404);
    rig_expect("GET", target, "viewer-us-token", NULL, 404);
}
END_TEST

START_TEST(the_message_is_for_operators_who_ask_and_recipients_are_masked_for_viewers)
{
    enqueue("eu", "a", 111);
    rig_expect("GET", "/v1/jobs/eu%2Fa?body=1", "viewer-token", NULL, 403);
    rig_expect("GET", "/v1/jobs/eu%2Fa?body=1", "producer-eu-token", NULL, 403);
    struct reply reply = rig_ask("GET", "/v1/jobs/eu%2Fa?body=1", "operator-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "hello there"));
    ck_assert_ptr_nonnull(strstr(reply.body, "+14155550111"));
    reply_free(&reply);
    static const char *const paths[] = {"/v1/jobs/eu%2Fa", "/v1/jobs"};
    for (size_t i = 0; i < 2; i++) {
        reply = rig_ask("GET", paths[i], "viewer-token", NULL);
        ck_assert_int_eq(reply.status, 200);
        ck_assert_ptr_nonnull(strstr(reply.body, "\"to\":"));
        ck_assert_ptr_null(strstr(reply.body, "4155550111"));
        reply_free(&reply);
    }
}
END_TEST

/* covers: call POST /v1/jobs */
START_TEST(a_batch_answers_each_job_in_its_place)
{
    char body[2048];
    snprintf(body, sizeof body,
             " { \"jobs\" : [ {\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550111\",\"message\":{\"parts\":[]}} , "
             "{\"id\":\"b\",\"pool\":\"eu\",\"to\":\"nobody\",\"message\":{}},\n"
             "{\"id\":\"c\",\"pool\":\"us\",\"to\":\"+14155550113\",\"message\":{\"parts\":[{\"type\":\"text\","
             "\"value\":\"}],[{\\\"\"}]}} ] }");
    struct reply reply = rig_ask("POST", "/v1/jobs", "producer-eu-token", body);
    const cJSON *results = json_get(reply.json, "results");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(cJSON_GetArraySize(results), 3);
    static const char *const ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(json_string(cJSON_GetArrayItem(results, i), "id"), ids[i]);
    ck_assert_str_eq(json_string(json_get(cJSON_GetArrayItem(results, 1), "error"), "code"), "invalid_recipient");
    ck_assert_str_eq(json_string(json_get(cJSON_GetArrayItem(results, 2), "error"), "code"), "unknown_pool");
    reply_free(&reply);
    rig_expect("POST", "/v1/jobs", "operator-token", "", 400);
    rig_expect("POST", "/v1/jobs", "operator-token", "[]", 400);
    rig_expect("POST", "/v1/jobs", "operator-token", "{\"jobs\":[]}", 422);
    rig_expect("POST", "/v1/jobs", "operator-token", "{\"jobs\":{}}", 422);
    rig_expect("POST", "/v1/jobs", "operator-token", "{\"jobs\":[1", 400);
}
END_TEST

/* covers: code too_many */
START_TEST(more_jobs_than_a_request_may_have_are_too_many)
{
    struct json_out body = {0};
    json_open(&body, '{');
    json_key(&body, "jobs");
    json_open(&body, '[');
    for (int i = 0; i <= WIRE_ENQUEUE_JOBS_MAX; i++)
        json_put_int(&body, i);
    json_close(&body, ']');
    json_close(&body, '}');
    json_put_raw(&body, "", 0);
    body.text[body.bytes - 1] = '\0'; /* the comma before nothing */
    rig_expect("POST", "/v1/jobs", "operator-token", body.text, 413);
    json_out_free(&body);
}
END_TEST

/* covers: code busy; call POST /v1/jobs */
START_TEST(all_busy_is_429_with_retry_after)
{
    rig.refuse_busy = true;
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", job_body("eu", "a", 111));
    ck_assert_int_eq(reply.status, 429);
    ck_assert_ptr_nonnull(strstr(reply.text, "Retry-After: 1\r\n"));
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "results")), 1);
    reply_free(&reply);
}
END_TEST

START_TEST(the_same_job_again_is_a_duplicate_even_after_its_end)
{
    enqueue("eu", "a", 111);
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", job_body("eu", "a", 111));
    const cJSON *result = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
    ck_assert_str_eq(json_string(result, "state"), "duplicate");
    ck_assert_ptr_nonnull(json_string(result, "current"));
    reply_free(&reply);
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    reply = rig_ask("POST", "/v1/jobs", "operator-token", job_body("eu", "a", 111));
    result = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
    ck_assert_str_eq(json_string(result, "state"), "duplicate");
    ck_assert_str_eq(json_string(result, "current"), "cancelled");
    reply_free(&reply);
}
END_TEST

/* covers: call DELETE /v1/jobs/{id}; code already_final */
START_TEST(a_cancelled_job_says_so_and_can_not_be_cancelled_again)
{
    enqueue("us", "a", 111);
    rig_expect("DELETE", "/v1/jobs/us%2Fa", "producer-eu-token", NULL, 404);
    rig_expect("DELETE", "/v1/jobs/us%2Fa", "viewer-token", NULL, 403);
    struct reply reply = rig_ask("DELETE", "/v1/jobs/us%2Fa", "operator-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "state"), "cancelled");
    reply_free(&reply);
    rig_expect("DELETE", "/v1/jobs/us%2Fa", "operator-token", NULL, 409);
    rig_expect("DELETE", "/v1/jobs/nobody", "operator-token", NULL, 404);
}
END_TEST

/* It was done, and then refused. */
START_TEST(a_cancel_that_asks_for_the_message_too_answers_what_it_did)
{
    enqueue("eu", "a", 111);
    rig_expect("DELETE", "/v1/jobs/eu%2Fa?body=1", "producer-eu-token", NULL, 200);
    rig_expect("GET", "/v1/jobs/eu%2Fa?body=1", "producer-eu-token", NULL, 403);
}
END_TEST

/* covers: call GET /v1/jobs */
START_TEST(a_long_backlog_is_walked_in_pages_that_miss_and_repeat_nothing)
{
    for (unsigned i = 0; i < 30; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%u", i);
        enqueue("eu", id, i);
        snprintf(id, sizeof id, "u%u", i);
        enqueue("us", id, 100 + i);
    }
    ck_assert_int_eq(count_pages("/v1/jobs", "jobs", "viewer-token", 7), 60);
    ck_assert_int_eq(count_pages("/v1/jobs?pool=eu", "jobs", "viewer-token", 7), 30);
    ck_assert_int_eq(count_pages("/v1/jobs", "jobs", "producer-eu-token", 1000), 30);
    ck_assert_int_eq(count_pages("/v1/jobs?to=%2B14155550103", "jobs", "viewer-token", 7), 1);
    ck_assert_int_eq(count_pages("/v1/jobs?to=+14155550103", "jobs", "viewer-token", 7), 1);
    ck_assert_int_eq(count_pages("/v1/jobs?reason=no_healthy_line", "jobs", "viewer-token", 7), 30);
    ck_assert_int_eq(count_pages("/v1/jobs?state=sent", "jobs", "viewer-token", 7), 0);
}
END_TEST

START_TEST(finished_jobs_are_listed_too)
{
    enqueue("eu", "a", 1);
    enqueue("eu", "b", 2);
    enqueue("us", "c", 3);
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    rig_expect("DELETE", "/v1/jobs/us%2Fc", "operator-token", NULL, 200);
    for (int limit = 1; limit <= 10; limit += 9) {
        ck_assert_int_eq(count_pages("/v1/jobs", "jobs", "viewer-token", limit), 3);
        ck_assert_int_eq(count_pages("/v1/jobs?state=cancelled", "jobs", "viewer-token", limit), 2);
        ck_assert_int_eq(count_pages("/v1/jobs?state=cancelled&pool=us", "jobs", "viewer-token", limit), 1);
        ck_assert_int_eq(count_pages("/v1/jobs?state=cancelled", "jobs", "producer-eu-token", limit), 1);
    }
}
END_TEST

/* ---- events ---- */

/* covers: call GET /v1/events */
START_TEST(events_are_read_in_order_by_topic_and_by_those_who_may)
{
    enqueue("eu", "a", 1);
    enqueue("us", "b", 2);
    struct reply reply = rig_ask("GET", "/v1/events?topic=job.&limit=10", "viewer-token", NULL);
    const cJSON *events = json_get(reply.json, "events");
    int64_t last = 0, next = 0;
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(cJSON_GetArraySize(events), 2);
    const cJSON *event;
    cJSON_ArrayForEach(event, events)
    {
        int64_t seq = 0;
        ck_assert(json_int(event, "seq", &seq));
        ck_assert_int_gt(seq, last);
        last = seq;
    }
    ck_assert(json_int(reply.json, "next", &next));
    ck_assert_int_ge(next, last);
    reply_free(&reply);
    char target[64];
    snprintf(target, sizeof target, "/v1/events?after=%lld", (long long)next);
    reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "events")), 0);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/events?topic=job.", "viewer-us-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "events")), 1);
    reply_free(&reply);
}
END_TEST

/* Of what it has looked at, a token of some pools may see none. */
START_TEST(a_page_of_events_may_be_empty_and_not_the_last)
{
    int64_t next = 0;
    for (unsigned i = 0; i < 4; i++)
        enqueue("eu", (char[2]){(char)('a' + i), '\0'}, i);
    struct reply reply = rig_ask("GET", "/v1/events?limit=2", "viewer-us-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "events")), 0);
    ck_assert(json_int(reply.json, "next", &next));
    ck_assert_int_gt(next, 0);
    ck_assert_int_lt(next, (int64_t)core_next_seq(rig.core) - 1);
    reply_free(&reply);
}
END_TEST

START_TEST(events_that_are_gone_are_410_with_the_oldest)
{
    enqueue("eu", "a", 1);
    char target[64];
    snprintf(target, sizeof target, "/v1/events?after=%llu", (unsigned long long)core_next_seq(rig.core) - 1);
    rig_expect("GET", target, "viewer-token", NULL, 200);
    snprintf(target, sizeof target, "/v1/events?after=%llu", (unsigned long long)core_next_seq(rig.core));
    rig_expect("GET", target, "viewer-token", NULL, 410); /* another log's */
    for (size_t i = 0; i < rig.record_count; i++) {
        if (rig.records[i].event.seq > 0 && rig.records[i].event.seq < 3)
            rig.records[i].event.seq = 0;
    }
    struct reply reply = rig_ask("GET", "/v1/events?after=1", "viewer-token", NULL);
    int64_t oldest = 0;
    ck_assert_int_eq(reply.status, 410);
    ck_assert(json_int(json_get(reply.json, "error"), "oldest", &oldest));
    ck_assert_int_eq(oldest, 3);
    reply_free(&reply);
    rig_expect("GET", "/v1/events", "viewer-token", NULL, 200);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_job_sent_over_http_is_accepted_and_found_under_all_its_names,
        the_message_is_for_operators_who_ask_and_recipients_are_masked_for_viewers,
        a_batch_answers_each_job_in_its_place,
        more_jobs_than_a_request_may_have_are_too_many,
        all_busy_is_429_with_retry_after,
        the_same_job_again_is_a_duplicate_even_after_its_end,
        a_cancelled_job_says_so_and_can_not_be_cancelled_again,
        a_cancel_that_asks_for_the_message_too_answers_what_it_did,
        a_long_backlog_is_walked_in_pages_that_miss_and_repeat_nothing,
        finished_jobs_are_listed_too,
        events_are_read_in_order_by_topic_and_by_those_who_may,
        a_page_of_events_may_be_empty_and_not_the_last,
        events_that_are_gone_are_410_with_the_oldest,
    };
    return suite_run_all("admin_jobs", rig_setup, rig_teardown, 60, tests, sizeof tests / sizeof *tests);
}
