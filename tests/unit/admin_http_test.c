/* admin_http_test.c — the admin API over HTTP: who gets in, what is bounded, and lines and pauses against a real core. Jobs
 * and events: admin_jobs_test.c. */
#include "tests/support/suite.h"
#include "tests/unit/admin_pages_rig.h"

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

/* The file is read anew, and has root's token and, with a role, the operator's; in force with tokens_commit(). */
static void prepare_tokens(const char *role, const char *pools)
{
    struct tokens_problem problem;
    FILE *file = fopen(rig.tokens_path, "we");
    ck_assert_ptr_nonnull(file);
    rig_add_token(file, "root", "admin", "*", "admin-token");
    if (role != NULL)
        rig_add_token(file, "ops", role, pools, "operator-token");
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(tokens_prepare(rig.tokens, rig.tokens_path, &problem), ERR_NONE);
}

START_TEST(a_token_taken_out_of_the_file_is_out_after_the_reload)
{
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 200);
    prepare_tokens(NULL, NULL);
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 200);
    tokens_commit(rig.tokens);
    rig_expect("GET", "/v1/status", "viewer-token", NULL, 401);
    rig_expect("GET", "/v1/status", "admin-token", NULL, 200);
}
END_TEST

/* The head of a pause by the operator is sent and found good; the body is still to come. */
static int begin_pause(const char *path, const char *body)
{
    char head[400], part[512];
    int fd = rig_connect();
    int bytes = snprintf(head, sizeof head,
                         "POST %s HTTP/1.1\r\nHost: rig\r\nConnection: close\r\nExpect: 100-continue\r\n"
                         "Authorization: Bearer operator-token\r\nContent-Length: %zu\r\n\r\n",
                         path, strlen(body));
    rig_send(fd, head, (size_t)bytes);
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&waits, 1, RIG_WAIT_MS), 1);
    ssize_t got = recv(fd, part, sizeof part - 1, 0);
    ck_assert_int_gt(got, 0);
    part[got] = '\0';
    ck_assert_ptr_nonnull(strstr(part, " 100 "));
    return fd;
}

/* Whoever has sent a head may take as long as they like over the body. */
START_TEST(a_token_taken_back_or_narrowed_before_the_body_came_changes_nothing)
{
    static const char body[] = "{\"reason\":\"still me\"}";
    static const struct {
        const char *role, *pools, *path;
        int status, pauses;
    } cases[] = {{"operator", "*", "/v1/pause", 200, 1},
                 {"operator", "us", "/v1/pools/eu/pause", 404, 1},
                 {"operator", "eu", "/v1/pools/eu/pause", 200, 2},
                 {"viewer", "*", "/v1/lines/+12025550101/pause", 403, 2},
                 {NULL, NULL, "/v1/accounts/default/pause", 401, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prepare_tokens("operator", "*");
        tokens_commit(rig.tokens);
        int fd = begin_pause(cases[i].path, body);
        prepare_tokens(cases[i].role, cases[i].pools);
        tokens_commit(rig.tokens);
        rig_send(fd, body, sizeof body - 1);
        struct reply reply = rig_receive(fd);
        ck_assert_msg(reply.status == cases[i].status, "case %zu: %d: %s", i, reply.status, reply.body);
        reply_free(&reply);
        reply = rig_ask("GET", "/v1/pauses", "admin-token", NULL);
        ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "pauses")), cases[i].pauses);
        reply_free(&reply);
    }
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

static void ready(uint32_t peer, const char *name)
{
    struct core_ready one = {.peer = peer, .instance = 70 + peer, .slots = 4};
    snprintf(one.worker, sizeof one.worker, "%s", name);
    core_worker_ready(rig.core, &one, rig.now, &rig.effects);
    rig_commit();
}

START_TEST(a_worker_that_stays_is_seen_though_another_leaves_between_two_pages)
{
    char target[96];
    ready(1, "first");
    ready(2, "second");
    ready(3, "third");
    struct reply reply = rig_ask("GET", "/v1/workers?limit=1", "viewer-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "\"first\""));
    ck_assert_ptr_nonnull(json_string(reply.json, "next"));
    snprintf(target, sizeof target, "/v1/workers?after=%s", json_string(reply.json, "next"));
    reply_free(&reply);
    core_worker_gone(rig.core, 1, rig.now, &rig.effects);
    rig_commit();
    reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_msg(strstr(reply.body, "\"second\"") != NULL, "it was there all the time, and is on neither page");
    ck_assert_ptr_nonnull(strstr(reply.body, "\"third\""));
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "workers")), 2);
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

int main(void)
{
    const TTest *const tests[] = {
        without_a_good_token_every_path_but_health_is_401,
        a_role_that_may_not_is_forbidden_and_a_wrong_method_is_405_with_allow,
        a_token_taken_out_of_the_file_is_out_after_the_reload,
        a_token_taken_back_or_narrowed_before_the_body_came_changes_nothing,
        what_is_too_large_is_refused,
        a_body_in_chunks_is_counted_as_it_comes,
        a_broken_query_is_refused,
        readiness_follows_the_shell_and_the_reputation,
        status_is_one_page_of_what_there_is,
        a_line_is_shown_with_its_reputation_and_gate,
        lists_come_in_pages_and_each_sees_only_its_pools,
        workers_are_named_to_those_whose_pools_they_serve,
        a_worker_that_stays_is_seen_though_another_leaves_between_two_pages,
        an_accounts_pause_is_shown_to_those_with_a_pool_of_it,
        a_path_beyond_measure_is_refused_with_a_word,
        metrics_are_text_with_the_lines_that_one_may_see,
        metrics_name_no_line_if_told_so,
        a_pause_closes_its_line_until_it_is_lifted,
        pools_accounts_and_everything_can_be_paused_by_those_who_may,
        a_pause_with_a_body_that_makes_no_sense_changes_nothing,
        a_change_is_answered_only_when_it_is_durable,
        closing_answers_what_is_still_open,
    };
    return suite_run_all("admin_http", rig_setup, rig_teardown, 60, tests, sizeof tests / sizeof *tests);
}
