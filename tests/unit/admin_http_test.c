/* The admin API over HTTP: who gets in, what is bounded, and each call against a real core. */
#include "admin_rig.h"
#include "tests/support/suite.h"

/* ---- getting in ---- */

/* covers: code unauthorized; call GET /healthz, GET /readyz */
START_TEST(without_a_good_token_every_path_but_health_is_401)
{
    static const char *const closed[] = {"/metrics",  "/v1/status", "/v1/jobs",    "/v1/jobs/x",
                                         "/v1/lines", "/v1/events", "/v1/nothing", "/nothing"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        rig_expect("GET", closed[i], NULL, NULL, 401);
        rig_expect("GET", closed[i], "wrong-token", NULL, 401);
    }
    rig_expect("PUT", "/v1/status", NULL, NULL, 401);
    rig_expect("GET", "/healthz", NULL, NULL, 200);
    rig_expect("GET", "/readyz", NULL, NULL, 200);
    rig_expect("GET", "/", NULL, NULL, 200);
    struct reply reply = rig_ask("GET", "/v1/status", NULL, NULL);
    ck_assert_ptr_nonnull(strstr(reply.text, "WWW-Authenticate: Bearer"));
    reply_free(&reply);
}
END_TEST

/* covers: code forbidden, unknown_command */
START_TEST(a_role_that_may_not_is_forbidden_and_a_wrong_method_is_405_with_allow)
{
    rig_expect("POST", "/v1/lines/+12025550101/pause", "viewer-token", "{}", 403);
    rig_expect("POST", "/v1/jobs", "viewer-token", "{}", 403);
    rig_expect("GET", "/v1/status", "producer-eu-token", NULL, 403);
    rig_expect("GET", "/v1/nothing", "viewer-token", NULL, 404);
    struct reply reply = rig_ask("PUT", "/v1/jobs", "admin-token", "{}");
    ck_assert_int_eq(reply.status, 405);
    ck_assert_ptr_nonnull(strstr(reply.text, "Allow: GET, POST\r\n"));
    reply_free(&reply);
}
END_TEST

START_TEST(a_token_taken_out_of_the_file_is_out_after_the_reload)
{
    struct tokens_problem problem;
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 200);
    FILE *file = fopen(rig.tokens_path, "we");
    ck_assert_ptr_nonnull(file);
    rig_add_token(file, "root", "admin", "*", "admin-token");
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(tokens_prepare(rig.tokens, rig.tokens_path, &problem), ERR_NONE);
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 200);
    tokens_commit(rig.tokens);
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 401);
    rig_expect("GET", "/v1/status", "admin-token", NULL, 200);
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    char *body = malloc(ADMIN_BODY_BYTES_MAX + 64);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', ADMIN_BODY_BYTES_MAX + 63);
    body[0] = '{';
    body[ADMIN_BODY_BYTES_MAX + 62] = '}';
    body[ADMIN_BODY_BYTES_MAX + 63] = '\0';
    rig_expect("POST", "/v1/lines/+12025550101/pause", "operator-token", body, 413);
    free(body);
    char target[3000] = "/v1/jobs?to=";
    memset(target + 12, 'x', 2900);
    rig_expect("GET", target, "operator-token", NULL, 422);
}
END_TEST

START_TEST(a_body_in_chunks_is_counted_as_it_comes)
{
    static const char head[] = "POST /v1/lines/+12025550101/pause HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n"
                               "Authorization: Bearer operator-token\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[4096];
    int fd = rig_connect();
    rig_send(fd, head, sizeof head - 1);
    int bytes = snprintf(chunk, sizeof chunk, "%x\r\n", 3000);
    memset(chunk + bytes, ' ', 3000);
    memcpy(chunk + bytes + 3000, "\r\n", 2);
    for (unsigned i = 0; i < 2 + ADMIN_BODY_BYTES_MAX / 3000; i++)
        rig_send(fd, chunk, (size_t)bytes + 3002);
    rig_send(fd, "0\r\n\r\n", 5);
    struct reply reply = rig_receive(fd);
    ck_assert_int_eq(reply.status, 413);
    reply_free(&reply);
}
END_TEST

START_TEST(a_broken_query_is_refused)
{
    rig_expect("GET", "/v1/jobs?state=%zz", "viewer-token", NULL, 400);
    rig_expect("GET", "/v1/jobs?limit=0", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?limit=1001", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?limit=1x", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?limit=-1", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?after=x", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?state=parked", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?reason=none", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?line=1202", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?to=", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?to=+14155550101,", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?pool=nowhere", "viewer-token", NULL, 404);
    rig_expect("GET", "/v1/lines?after=99999999999999999999", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/events?after=x", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/jobs?unknown=1", "viewer-token", NULL, 200);
}
END_TEST

/* ---- status, lines, pools ---- */

/* covers: call GET /readyz */
START_TEST(readiness_follows_the_shell_and_the_reputation)
{
    struct reply reply = rig_ask("GET", "/readyz", NULL, NULL);
    ck_assert(json_bool(reply.json, "ready", false));
    reply_free(&reply);
    rig.ready = false;
    reply = rig_ask("GET", "/readyz", NULL, NULL);
    ck_assert_int_eq(reply.status, 503);
    ck_assert(!json_bool(reply.json, "ready", true));
    reply_free(&reply);
}
END_TEST

/* covers: call GET /v1/status */
START_TEST(status_is_one_page_of_what_there_is)
{
    struct reply reply = rig_ask("GET", "/v1/status", "viewer-token", NULL);
    int64_t number = 0;
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "version"), "0.1.0");
    ck_assert(json_int(json_get(reply.json, "lines"), "total", &number));
    ck_assert_int_eq(number, 2);
    ck_assert(json_int(json_get(reply.json, "store"), "commits", &number));
    ck_assert_int_eq(number, 12);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "pools")), (int)rig.conf->pool_count);
    reply_free(&reply);
}
END_TEST

/* covers: call GET /v1/lines/{line} */
START_TEST(a_line_is_shown_with_its_reputation_and_gate)
{
    struct reply reply = rig_ask("GET", "/v1/lines/+12025550102", "viewer-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(json_get(reply.json, "reputation"), "status"), "CRITICAL");
    ck_assert_str_eq(json_string(reply.json, "gate"), "closed");
    ck_assert_str_eq(json_string(reply.json, "pool"), "us");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/%2B12025550101", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "gate"), "open");
    reply_free(&reply);
    rig_expect("GET", "/v1/lines/+12025550199", "viewer-token", NULL, 404);
    rig_expect("GET", "/v1/lines/rubbish", "viewer-token", NULL, 404);
}
END_TEST

/* Walks all pages of a list; how many items there are. */
static int count_pages(const char *path, const char *list, const char *token, int limit)
{
    char target[256], after[64] = "";
    int count = 0;
    for (;;) {
        snprintf(target, sizeof target, "%s%climit=%d%s%s", path, strchr(path, '?') != NULL ? '&' : '?', limit,
                 after[0] != '\0' ? "&after=" : "", after);
        struct reply reply = rig_ask("GET", target, token, NULL);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        int items = cJSON_GetArraySize(json_get(reply.json, list));
        ck_assert_int_le(items, limit);
        count += items;
        const char *next = json_string(reply.json, "next");
        snprintf(after, sizeof after, "%s", next != NULL ? next : "");
        bool over = next == NULL;
        reply_free(&reply);
        if (over)
            return count;
    }
}

/* covers: call GET /v1/lines, GET /v1/pools */
START_TEST(lists_come_in_pages_and_each_sees_only_its_pools)
{
    for (uint64_t line = 0; line < 20; line++)
        rig_poll_line(13005550100 + line, REPUTATION_HEALTHY);
    ck_assert_int_eq(count_pages("/v1/lines", "lines", "viewer-token", 1000), 22);
    ck_assert_int_eq(count_pages("/v1/lines", "lines", "viewer-token", 3), 22);
    ck_assert_int_eq(count_pages("/v1/lines", "lines", "viewer-us-token", 3), 1);
    ck_assert_int_eq(count_pages("/v1/pools", "pools", "viewer-token", 1), (int)rig.conf->pool_count);
    ck_assert_int_eq(count_pages("/v1/pools", "pools", "viewer-us-token", 1), 1);
    ck_assert_int_eq(count_pages("/v1/workers", "workers", "viewer-token", 1), 0);
    rig_expect("GET", "/v1/lines/+12025550101", "viewer-us-token", NULL, 404);
}
END_TEST

/* covers: call GET /v1/workers */
START_TEST(workers_are_named_to_those_whose_pools_they_serve)
{
    const uint32_t us = 1;
    struct core_ready all = {.peer = 1, .instance = 11, .worker = "of-all", .slots = 2};
    struct core_ready some = {
        .peer = 2, .instance = 12, .worker = "of-us", .slots = 2, .some_pools = true, .pools = &us, .pool_count = 1};
    ck_assert_str_eq(rig.conf->pools[us].name, "us");
    core_worker_ready(rig.core, &all, rig.now, &rig.effects);
    core_worker_ready(rig.core, &some, rig.now, &rig.effects);
    rig_commit();
    ck_assert_int_eq(count_pages("/v1/workers", "workers", "viewer-token", 1), 2);
    ck_assert_int_eq(count_pages("/v1/workers", "workers", "viewer-us-token", 1), 2);
    ck_assert_int_eq(count_pages("/v1/workers", "workers", "operator-eu-token", 1), 1);
    ck_assert_int_eq(count_pages("/v1/workers", "workers", "viewer-elsewhere-token", 1), 0);
    struct reply reply = rig_ask("GET", "/v1/workers", "operator-eu-token", NULL);
    ck_assert_ptr_null(strstr(reply.body, "of-us"));
    reply_free(&reply);
}
END_TEST

/* covers: call GET /v1/pauses */
START_TEST(an_accounts_pause_is_shown_to_those_with_a_pool_of_it)
{
    rig_expect("POST", "/v1/accounts/default/pause", "operator-token", "{\"reason\":\"unpaid\"}", 200);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-us-token", 1), 1);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-elsewhere-token", 1), 0);
    rig_expect("POST", "/v1/pause", "operator-token", "{}", 200);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-elsewhere-token", 1), 1);
}
END_TEST

START_TEST(a_path_beyond_measure_is_refused_with_a_word)
{
    char target[7001] = "/v1/jobs/";
    memset(target + 9, 'a', sizeof target - 10);
    struct reply reply = rig_ask("GET", target, "admin-token", NULL);
    ck_assert_int_eq(reply.status, 414);
    ck_assert_str_eq(json_string(json_get(reply.json, "error"), "code"), "too_large");
    ck_assert_str_eq(json_string(json_get(reply.json, "error"), "message"), "a path with its query of 7000 bytes, at most 4096");
    reply_free(&reply);
    reply = rig_ask("POST", target, NULL, "{}"); /* whoever asks learns nothing from it */
    ck_assert_int_eq(reply.status, 414);
    reply_free(&reply);
}
END_TEST

/* covers: call GET /metrics */
START_TEST(metrics_are_text_with_the_lines_that_one_may_see)
{
    struct reply reply = rig_ask("GET", "/metrics", "viewer-us-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_nonnull(strstr(reply.text, "Content-Type: text/plain; version=0.0.4"));
    ck_assert_ptr_nonnull(strstr(reply.body, "lineward_line_gate{line=\"+12025550102\"} 0\n"));
    ck_assert_ptr_null(strstr(reply.body, "+12025550101"));
    ck_assert_ptr_nonnull(strstr(reply.body, "lineward_account_key_refused{account=\"default\"} 0\n"));
    reply_free(&reply);
}
END_TEST

/* covers: key broker.metrics_by_line */
START_TEST(metrics_name_no_line_if_told_so)
{
    rig.conf->broker.metrics_by_line = false;
    struct reply reply = rig_ask("GET", "/metrics", "admin-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_null(strstr(reply.body, "+1202"));
    ck_assert_ptr_null(strstr(reply.body, "line=\""));
    ck_assert_ptr_nonnull(strstr(reply.body, "\nlineward_lines_not_shown 2\n"));
    reply_free(&reply);
}
END_TEST

/* ---- pauses ---- */

/* covers: call POST /v1/lines/{line}/pause, POST /v1/lines/{line}/resume, GET /v1/pauses; reason line_paused */
START_TEST(a_pause_closes_its_line_until_it_is_lifted)
{
    struct reply reply = rig_ask("POST", "/v1/lines/+12025550101/pause", "operator-token", "{\"reason\":\"storm\"}");
    ck_assert_int_eq(reply.status, 200);
    char body[64];
    snprintf(body, sizeof body, "{\"pause\":\"%s\"}", json_string(reply.json, "pause"));
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    const cJSON *pause = cJSON_GetArrayItem(json_get(reply.json, "pauses"), 0);
    ck_assert_str_eq(json_string(reply.json, "gate"), "closed");
    ck_assert_str_eq(json_string(reply.json, "reason"), "line_paused");
    ck_assert_str_eq(json_string(pause, "reason"), "storm");
    ck_assert_str_eq(json_string(pause, "by"), "ops");
    reply_free(&reply);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-token", 10), 1);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-us-token", 10), 0);
    rig_expect("POST", "/v1/lines/+12025550101/resume", "operator-token", "{\"pause\":\"p_999\"}", 404);
    rig_expect("POST", "/v1/lines/+12025550101/resume", "operator-token", "{\"pause\":7}", 422);
    rig_expect("POST", "/v1/lines/+12025550101/resume", "operator-token", body, 200);
    rig_expect("POST", "/v1/lines/+12025550101/resume", "operator-token", NULL, 404);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "gate"), "open");
    reply_free(&reply);
}
END_TEST

/* covers: call POST /v1/pools/{pool}/pause, POST /v1/pools/{pool}/resume, POST /v1/accounts/{account}/pause,
 * POST /v1/accounts/{account}/resume, POST /v1/pause, POST /v1/resume */
START_TEST(pools_accounts_and_everything_can_be_paused_by_those_who_may)
{
    rig_expect("POST", "/v1/pools/eu/pause", "operator-eu-token", "{}", 200);
    rig_expect("POST", "/v1/pools/us/pause", "operator-eu-token", "{}", 404);
    rig_expect("POST", "/v1/lines/+12025550102/pause", "operator-eu-token", "{}", 404);
    rig_expect("POST", "/v1/accounts/default/pause", "operator-eu-token", "{}", 403);
    rig_expect("POST", "/v1/pause", "operator-eu-token", "{}", 403);
    rig_expect("POST", "/v1/accounts/default/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/accounts/nobody/pause", "operator-token", NULL, 404);
    rig_expect("POST", "/v1/pools/nobody/pause", "operator-token", NULL, 404);
    rig_expect("POST", "/v1/pause", "operator-token", "{\"for_ms\":60000}", 200);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-token", 2), 3);
    rig_expect("POST", "/v1/resume", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/accounts/default/resume", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pools/eu/resume", "operator-eu-token", NULL, 200);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-token", 2), 0);
}
END_TEST

START_TEST(a_pause_with_a_body_that_makes_no_sense_changes_nothing)
{
    static const struct {
        const char *body;
        int status;
    } bodies[] = {{"{", 400},
                  {"[]", 400},
                  {"\"x\"", 400},
                  {"{}x", 400},
                  {"{\"for_ms\":0}", 422},
                  {"{\"for_ms\":1.5}", 422},
                  {"{\"for_ms\":\"1\"}", 422},
                  {"{\"reason\":1}", 422},
                  {"{\"for_ms\":1e300}", 422}};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        rig_expect("POST", "/v1/lines/+12025550101/pause", "operator-token", bodies[i].body, bodies[i].status);
    ck_assert_int_eq(count_pages("/v1/pauses", "pauses", "viewer-token", 10), 0);
}
END_TEST

/* And nothing becomes durable. */
static int pause_told_to_the_core(void)
{
    rig.hold_effects = true;
    int fd = rig_ask_begin("POST", "/v1/lines/+12025550101/pause", "operator-token", "{}");
    while (rig.effects.effect_count == 0) {
        struct pollfd fds = {.fd = admin_fd(rig.admin), .events = POLLIN};
        ck_assert_int_eq(poll(&fds, 1, RIG_WAIT_MS), 1);
        rig_serve();
    }
    return fd;
}

START_TEST(a_change_is_answered_only_when_it_is_durable)
{
    int fd = pause_told_to_the_core(); /* which has it ... */
    char one;
    ck_assert_int_lt(recv(fd, &one, 1, MSG_DONTWAIT | MSG_PEEK), 0); /* ... and nobody was told */
    rig.hold_effects = false;
    rig_commit();
    struct reply reply = rig_receive(fd);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
}
END_TEST

START_TEST(closing_answers_what_is_still_open)
{
    int fd = pause_told_to_the_core();
    admin_close(&rig.admin);
    ck_assert_ptr_null(rig.admin);
    char text[256] = "";
    ssize_t got = recv(fd, text, sizeof text - 1, 0); /* the answer if there was time for it, else the end */
    ck_assert(got <= 0 || strncmp(text, "HTTP/1.1 503", 12) == 0);
    close(fd);
}
END_TEST

/* ---- jobs ---- */

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

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, without_a_good_token_every_path_but_health_is_401);
    tcase_add_test(tests, a_role_that_may_not_is_forbidden_and_a_wrong_method_is_405_with_allow);
    tcase_add_test(tests, a_token_taken_out_of_the_file_is_out_after_the_reload);
    tcase_add_test(tests, what_is_too_large_is_refused);
    tcase_add_test(tests, a_body_in_chunks_is_counted_as_it_comes);
    tcase_add_test(tests, a_broken_query_is_refused);
    tcase_add_test(tests, readiness_follows_the_shell_and_the_reputation);
    tcase_add_test(tests, status_is_one_page_of_what_there_is);
    tcase_add_test(tests, a_line_is_shown_with_its_reputation_and_gate);
    tcase_add_test(tests, lists_come_in_pages_and_each_sees_only_its_pools);
    tcase_add_test(tests, workers_are_named_to_those_whose_pools_they_serve);
    tcase_add_test(tests, an_accounts_pause_is_shown_to_those_with_a_pool_of_it);
    tcase_add_test(tests, a_path_beyond_measure_is_refused_with_a_word);
    tcase_add_test(tests, metrics_are_text_with_the_lines_that_one_may_see);
    tcase_add_test(tests, metrics_name_no_line_if_told_so);
    tcase_add_test(tests, a_pause_closes_its_line_until_it_is_lifted);
    tcase_add_test(tests, pools_accounts_and_everything_can_be_paused_by_those_who_may);
    tcase_add_test(tests, a_pause_with_a_body_that_makes_no_sense_changes_nothing);
    tcase_add_test(tests, a_change_is_answered_only_when_it_is_durable);
    tcase_add_test(tests, closing_answers_what_is_still_open);
    tcase_add_test(tests, a_job_sent_over_http_is_accepted_and_found_under_all_its_names);
    tcase_add_test(tests, the_message_is_for_operators_who_ask_and_recipients_are_masked_for_viewers);
    tcase_add_test(tests, a_batch_answers_each_job_in_its_place);
    tcase_add_test(tests, more_jobs_than_a_request_may_have_are_too_many);
    tcase_add_test(tests, all_busy_is_429_with_retry_after);
    tcase_add_test(tests, the_same_job_again_is_a_duplicate_even_after_its_end);
    tcase_add_test(tests, a_cancelled_job_says_so_and_can_not_be_cancelled_again);
    tcase_add_test(tests, a_long_backlog_is_walked_in_pages_that_miss_and_repeat_nothing);
    tcase_add_test(tests, finished_jobs_are_listed_too);
    tcase_add_test(tests, events_are_read_in_order_by_topic_and_by_those_who_may);
    tcase_add_test(tests, events_that_are_gone_are_410_with_the_oldest);
}

int main(void)
{
    Suite *suite = suite_create("admin_http");
    TCase *tests = tcase_create("admin_http");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
