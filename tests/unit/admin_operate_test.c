/* What an operator says over the admin API: settle, dead letters, cordon; who may, what is refused, what comes back. */
#define RIG_MORE_POOLS "  two: {account: default, lines: [\"+12025550103\", \"+12025550104\"]}\n"
#include "tests/support/suite.h"
#include "tests/unit/admin_work_rig.h"

static void enqueue(const char *pool, const char *id, unsigned recipient, const char *more)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"+1415555%04u\",\"meta\":{\"n\":1}%s,"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}}",
             id, pool, recipient, more);
    rig_expect("POST", "/v1/jobs", "admin-token", body, 200);
}

static void answer(uint64_t lease, enum outcome outcome, bool unknown, const char *result)
{
    const struct core_result said = {.peer = 1,
                                     .lease = lease,
                                     .outcome = outcome,
                                     .unknown = unknown,
                                     .retry_after_ms = unknown ? 600000 : -1,
                                     .http_status = unknown ? 0 : 400,
                                     .result = {result, strlen(result)}};
    core_worker_result(rig.core, &said, rig.now, &rig.effects);
    rig_commit();
}

#define REFUSED(code) "{\"error\":{\"code\":\"" code "\",\"message\":\"no\"}}"

static void fail_one(const char *result)
{
    answer(lease_one(), OUTCOME_REJECTED, false, result);
}

static void expect_job(const char *id, const char *state, const char *reason)
{
    char target[128];
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    struct reply reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "state"), state);
    const char *said = json_string(reply.json, "reason");
    ck_assert_str_eq(said != NULL ? said : "", reason);
    reply_free(&reply);
}

static void expect_sample(const char *token, const char *sample)
{
    struct reply reply = rig_ask("GET", "/metrics", token, NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_msg(strstr(reply.body, sample) != NULL, "no %s in %s", sample, reply.body);
    reply_free(&reply);
}

/* covers: call GET /metrics */
START_TEST(metrics_tell_since_when_the_oldest_job_waits_and_how_many_outcomes_nobody_knows)
{
    char sample[128];
    worker_ready(64);
    expect_sample("viewer-token", "\nlineward_oldest_job_timestamp_seconds 0\n");
    long long minute_s = rig.now.wall_ms / 60000 * 60;
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    rig.now.wall_ms += 180000;
    rig.now.mono_ms += 180000;
    enqueue("eu", "b", 2, ",\"from\":\"+12025550101\"");
    snprintf(sample, sizeof sample, "\nlineward_oldest_job_timestamp_seconds %lld\n", minute_s);
    expect_sample("viewer-token", sample);
    expect_sample("viewer-token", "\nlineward_jobs_outcome_unknown 1\n");
    snprintf(sample, sizeof sample, "\nlineward_line_oldest_job_timestamp_seconds{line=\"+12025550101\"} %lld\n", minute_s);
    expect_sample("viewer-token", sample);
    rig_expect("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"sent\"}", 200);
    rig.now.mono_ms += 2000;
    expect_sample("viewer-token", "\nlineward_jobs_outcome_unknown 0\n");
    snprintf(sample, sizeof sample, "\nlineward_line_oldest_job_timestamp_seconds{line=\"+12025550101\"} %lld\n",
             minute_s + 180);
    expect_sample("viewer-token", sample);
}
END_TEST

/* covers: call POST /v1/jobs/{id}/settle */
START_TEST(a_person_settles_an_unknown_outcome)
{
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    expect_job("eu%2Fa", "queued", "outcome_unknown");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"maybe\"}", 422, "invalid_field");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{}", 422, "invalid_field");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"sent\",\"reason\":7}", 422,
                "invalid_field");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "viewer-token", "{\"outcome\":\"sent\"}", 403, "forbidden");
    struct reply reply = rig_ask("POST", "/v1/jobs/eu%2Fa/settle", "operator-eu-token",
                                 "{\"outcome\":\"sent\",\"reason\":\"the recipient has it\"}");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "state"), "sent");
    reply_free(&reply);
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"sent\"}", 409, "already_final");
    expect_code("POST", "/v1/jobs/nobody/settle", "operator-token", "{\"outcome\":\"sent\"}", 404, "not_found");
}
END_TEST

START_TEST(settling_as_unsent_lets_the_job_wait_again_and_only_unknown_ones_can_be_settled)
{
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    rig_expect("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"unsent\"}", 200);
    expect_job("eu%2Fa", "queued", "retry_backoff");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"unsent\"}", 422, "not_allowed");
    enqueue("us", "b", 2, "");
    expect_code("POST", "/v1/jobs/us%2Fb/settle", "operator-eu-token", "{\"outcome\":\"sent\"}", 404, "not_found");
}
END_TEST

/* covers: call POST /v1/lines/{line}/cordon, POST /v1/lines/{line}/uncordon */
START_TEST(a_line_is_cordoned_and_uncordoned)
{
    rig_expect("POST", "/v1/lines/+12025550101/cordon", "viewer-token", NULL, 403);
    rig_expect("POST", "/v1/lines/+12025550102/cordon", "operator-eu-token", NULL, 404);
    rig_expect("POST", "/v1/lines/+12025550199/cordon", "operator-token", NULL, 404);
    struct reply reply = rig_ask("POST", "/v1/lines/+12025550101/cordon", "operator-eu-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert(json_bool(reply.json, "cordoned", false));
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert(json_bool(reply.json, "cordoned", false));
    reply_free(&reply);
    enqueue("eu", "a", 1, ",\"from\":\"+12025550101\"");
    expect_job("eu%2Fa", "queued", "line_cordoned");
    rig_expect("POST", "/v1/lines/+12025550101/uncordon", "operator-token", NULL, 200);
    worker_ready(64);
    lease_one();
}
END_TEST

/* covers: call POST /v1/lines/{line}/reputation, DELETE /v1/lines/{line}/reputation */
START_TEST(an_operator_may_call_a_line_worse_and_only_an_admin_better)
{
    static const char worse[] = "{\"status\":\"CRITICAL\",\"for_ms\":60000,\"reason\":\"drill\"}";
    static const char better[] = "{\"status\":\"HEALTHY\",\"for_ms\":60000,\"reason\":\"they said so\"}";
    static const char eu[] = "/v1/lines/+12025550101/reputation", us[] = "/v1/lines/+12025550102/reputation";
    rig_expect("POST", eu, "viewer-token", worse, 403);
    rig_expect("POST", us, "operator-eu-token", worse, 404);
    expect_code("POST", eu, "operator-token", "{\"status\":\"UNKNOWN\",\"for_ms\":1}", 422, "invalid_field");
    expect_code("POST", eu, "operator-token", "{\"status\":\"CRITICAL\"}", 422, "invalid_field");
    expect_code("POST", eu, "operator-token", "{\"status\":\"CRITICAL\",\"for_ms\":9999999999}", 422, "invalid_field");
    struct reply reply = rig_ask("POST", eu, "operator-eu-token", worse);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    const cJSON *reputation = json_get(reply.json, "reputation");
    ck_assert_str_eq(json_string(reputation, "status"), "CRITICAL");
    ck_assert_str_eq(json_string(reputation, "source"), "operator");
    ck_assert_str_eq(json_string(json_get(reputation, "override"), "provider"), "HEALTHY");
    ck_assert_str_eq(json_string(json_get(reputation, "override"), "reason"), "drill");
    ck_assert_str_eq(json_string(json_get(reputation, "override"), "by"), "ops-eu");
    reply_free(&reply);
    expect_code("POST", us, "operator-token", better, 403, "forbidden");
    rig_expect("POST", us, "admin-token", better, 200);
    reply = rig_ask("GET", "/v1/lines/+12025550102", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "gate"), "slow");
    ck_assert_str_eq(json_string(reply.json, "reason"), "ramp");
    reply_free(&reply);
    rig_expect("DELETE", us, "operator-token", NULL, 200); /* back to the worse */
    expect_code("DELETE", us, "operator-token", NULL, 404, "not_found");
    reply = rig_ask("GET", "/v1/lines/+12025550102", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "reason"), "line_critical");
    reply_free(&reply);
}
END_TEST

/* covers: call POST /v1/lines/{line}/drain, DELETE /v1/lines/{line}/drain */
START_TEST(a_drain_is_rehearsed_begun_seen_and_stopped)
{
    static const char path[] = "/v1/lines/+12025550101/drain";
    rig_expect("POST", path, "viewer-token", "{\"mode\":\"fail\"}", 403);
    rig_expect("POST", "/v1/lines/+12025550102/drain", "operator-eu-token", "{\"mode\":\"fail\"}", 404);
    expect_code("POST", path, "operator-token", "{\"mode\":\"none\"}", 422, "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"ramp\"}", 422, "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"fail\",\"pace_per_min\":5}", 422, "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"fail\",\"dry_run\":1}", 422, "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"fail\",\"order\":\"replies\"}", 422, "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"ramp\",\"pace_per_min\":5,\"order\":\"newest\"}", 422,
                "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"ramp\",\"pace_per_min\":5,\"stop_error_percent\":100}", 422,
                "invalid_field");
    expect_code("POST", path, "operator-token", "{\"mode\":\"move\"}", 403, "forbidden");
    expect_code("DELETE", path, "operator-token", NULL, 404, "not_found");
    for (unsigned i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "w%u", i);
        enqueue("eu", id, 20 + i, ",\"from\":\"+12025550101\"");
    }
    struct reply reply = rig_ask("POST", path, "operator-token", "{\"mode\":\"fail\",\"dry_run\":true}");
    int64_t number = 0;
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    ck_assert(json_int(reply.json, "jobs", &number));
    ck_assert_int_eq(number, 3);
    ck_assert(json_bool(reply.json, "dry_run", false));
    ck_assert(json_int(json_get(reply.json, "by_class"), "transactional", &number));
    ck_assert_int_eq(number, 3);
    ck_assert(cJSON_IsNull(json_get(reply.json, "takes_ms")));
    reply_free(&reply);
    reply = rig_ask("POST", path, "operator-eu-token", "{\"mode\":\"ramp\",\"pace_per_min\":2}");
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "mode"), "ramp");
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "by"), "ops-eu");
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "state"), "running");
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "order"), "replies");
    ck_assert(json_int(json_get(reply.json, "drain"), "stop_error_percent", &number));
    ck_assert_int_eq(number, 20);
    ck_assert(json_int(json_get(reply.json, "drain"), "total", &number));
    ck_assert_int_eq(number, 3);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert(json_int(json_get(reply.json, "drain"), "waiting", &number));
    ck_assert_int_eq(number, 3);
    ck_assert(json_int(reply.json, "pace_per_min", &number));
    ck_assert_int_eq(number, 2);
    reply_free(&reply);
    rig_expect("DELETE", path, "operator-token", NULL, 200);
    rig_expect("POST", path, "operator-token", "{\"mode\":\"fail\"}", 200);
    for (int tick = 0; tick < 10; tick++) {
        rig.now.mono_ms++;
        core_tick(rig.core, rig.now, &rig.effects);
        rig_commit();
    }
    expect_job("eu%2Fw1", "failed", "");
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "state"), "done");
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "mode"), "fail");
    ck_assert(json_int(json_get(reply.json, "drain"), "left", &number));
    ck_assert_int_eq(number, 0);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/dead?code=held", "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "dead")), 3);
    reply_free(&reply);
}
END_TEST

START_TEST(a_rehearsed_move_says_which_lines_would_take_how_many)
{
    static const char path[] = "/v1/lines/+12025550101/drain";
    expect_code("POST", path, "operator-token", "{\"mode\":\"move\",\"dry_run\":true}", 403, "forbidden");
    struct reply reply = rig_ask("POST", path, "admin-token", "{\"mode\":\"move\",\"dry_run\":true}");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "to")), 0); /* its pool has no other */
    reply_free(&reply);
    rig_expect("POST", path, "admin-token", "{\"mode\":\"move\"}", 200);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_str_eq(json_string(json_get(reply.json, "drain"), "mode"), "move");
    reply_free(&reply);
}
END_TEST

/* covers: call PUT /v1/conversations/{pool}/{to}/line */
START_TEST(a_conversation_is_moved_on_purpose_or_it_is_said_why_not)
{
    static const char path[] = "/v1/conversations/eu/+14155550001/line";
    static const char there[] = "{\"line\":\"+12025550101\",\"reason\":\"asked for\"}";
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_SENT, false, "{}");
    rig_expect("PUT", path, "viewer-token", there, 403);
    expect_code("PUT", path, "operator-token", "{}", 422, "invalid_field");
    expect_code("PUT", path, "operator-token", "{\"line\":\"+12025550102\"}", 404, "unknown_line"); /* of us */
    expect_code("PUT", path, "operator-token", "{\"line\":\"rubbish\"}", 404, "unknown_line");
    expect_code("PUT", "/v1/conversations/eu/rubbish/line", "operator-token", there, 422, "invalid_recipient");
    expect_code("PUT", "/v1/conversations/eu/+14155559999/line", "operator-token", there, 404, "not_found");
    expect_code("PUT", "/v1/conversations/us/+14155550001/line", "operator-eu-token", there, 404, "not_found");
    struct reply reply = rig_ask("PUT", path, "operator-eu-token", there);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    ck_assert_str_eq(json_string(reply.json, "line"), "+12025550101");
    reply_free(&reply);
    enqueue("eu", "b", 1, "");
    uint64_t lease = lease_one();
    expect_code("PUT", path, "operator-token", there, 429, "busy");
    answer(lease, OUTCOME_RETRY, true, "{}");
    expect_code("PUT", path, "operator-token", there, 409, "outcome_unknown");
}
END_TEST

/* ---- done, though the disk does not say how it looks now ---- */

/* The answer to a call that was done while nothing can be read from disk: "" is null. */
static void expect_unread(const char *method, const char *target, const char *body, const char *name, const char *value)
{
    rig.damaged = SIZE_MAX;
    struct reply reply = rig_ask(method, target, "operator-token", body);
    rig.damaged = 0;
    ck_assert_msg(reply.status == 200, "%s: %d %s", target, reply.status, reply.body);
    const char *text = json_string(reply.json, name);
    ck_assert_msg(strcmp(text == NULL ? "" : text, value) == 0, "%s", reply.body);
    ck_assert_ptr_null(json_string(reply.json, "chat_id"));
    ck_assert_ptr_null(json_get(reply.json, "error"));
    reply_free(&reply);
}

START_TEST(what_is_done_is_never_busy_because_it_cannot_be_read)
{
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    expect_unread("POST", "/v1/jobs/eu%2Fa/settle", "{\"outcome\":\"unsent\"}", "state", "queued");
    expect_unread("PUT", "/v1/conversations/eu/+14155550001/line", "{\"line\":\"+12025550101\"}", "line", "+12025550101");
    expect_unread("DELETE", "/v1/jobs/eu%2Fa", NULL, "state", "");
    expect_job("eu%2Fa", "cancelled", "");
    enqueue("eu", "b", 2, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    expect_unread("POST", "/v1/jobs/eu%2Fb/settle", "{\"outcome\":\"sent\"}", "state", "");
    expect_job("eu%2Fb", "sent", "");
    rig.damaged = SIZE_MAX; /* what only asks is told so */
    rig_expect("GET", "/v1/jobs/eu%2Fb", "operator-token", NULL, 429);
    rig_expect("GET", "/v1/conversations/eu/+14155550002", "operator-token", NULL, 429);
}
END_TEST

/* ---- what the log says of all that ---- */

static int stderr_kept, log_ends[2];

static void log_watch(void)
{
    stderr_kept = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(log_ends), 0);
    dup2(log_ends[1], STDERR_FILENO);
}

/* The lines since, which are fewer than a pipe holds. */
static void log_read(char *out, size_t room)
{
    dup2(stderr_kept, STDERR_FILENO);
    close(log_ends[1]);
    ssize_t bytes = read(log_ends[0], out, room - 1);
    out[bytes > 0 ? bytes : 0] = '\0';
    close(log_ends[0]);
    close(stderr_kept);
}

static const char calm[] = "{\"status\":\"HEALTHY\",\"for_ms\":60000}";
static const char storm[] = "{\"status\":\"CRITICAL\",\"for_ms\":60000}";
static const char eu_line[] = "{\"line\":\"+12025550101\"}";

START_TEST(what_is_refused_is_not_logged_as_done)
{
    char log[4096];
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    uint64_t lease = lease_one();
    log_watch();
    expect_code("POST", "/v1/lines/+12025550102/reputation", "operator-token", calm, 403, "forbidden");
    expect_code("DELETE", "/v1/lines/+12025550101/reputation", "operator-token", NULL, 404, "not_found");
    expect_code("DELETE", "/v1/lines/+12025550101/drain", "operator-token", NULL, 404, "not_found");
    expect_code("PUT", "/v1/conversations/eu/+14155550001/line", "operator-token", eu_line, 429, "busy");
    expect_code("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"sent\"}", 422, "not_allowed");
    log_read(log, sizeof log);
    ck_assert_str_eq(log, "");
    answer(lease, OUTCOME_RETRY, true, "{}");
}
END_TEST

START_TEST(what_is_done_is_logged_once_with_who_and_what)
{
    static const char *const said[] = {
        " event=reputation_set by=ops line=+1202*****01\n", " event=reputation_ended by=ops line=+1202*****01\n",
        " event=drain_begun by=ops line=+1202*****01 mode=ramp\n",
        " event=drain_cancelled by=ops line=+1202*****01 mode=none\n",
        " event=settled by=ops job=j_", " outcome=sent\n", " event=conversation_moved by=ops pool=eu line=+1202*****01\n"};
    char log[4096];
    worker_ready(64);
    enqueue("eu", "a", 1, "");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    log_watch();
    rig_expect("POST", "/v1/lines/+12025550101/reputation", "operator-token", storm, 200);
    rig_expect("DELETE", "/v1/lines/+12025550101/reputation", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/lines/+12025550101/drain", "operator-token", "{\"mode\":\"ramp\",\"pace_per_min\":5}", 200);
    rig_expect("DELETE", "/v1/lines/+12025550101/drain", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", "{\"outcome\":\"sent\"}", 200);
    rig_expect("PUT", "/v1/conversations/eu/+14155550001/line", "operator-token", eu_line, 200);
    log_read(log, sizeof log);
    const char *at = log;
    unsigned lines = 0;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        const char *found = strstr(at, said[i]);
        ck_assert_msg(found != NULL, "no%s in %s", said[i], log);
        at = found + strlen(said[i]);
    }
    for (at = log; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_msg(lines == 6, "%s", log);
}
END_TEST

START_TEST(a_campaigns_name_is_one_value_in_the_log_whatever_it_says)
{
    char log[4096];
    enqueue("eu", "a", 1, ",\"campaign\":\"spring\\\" by=root name=\\\"all\"");
    log_watch();
    rig_expect("POST", "/v1/campaigns/eu/spring%22%20by=root%20name=%22all/pause", "operator-token", NULL, 200);
    log_read(log, sizeof log);
    ck_assert_msg(strstr(log, " by=ops scope=campaign name=\"eu/spring\\\" by=root name=\\\"all\"\n") != NULL, "%s", log);
}
END_TEST

/* ---- dead letters ---- */

static int count_dead(const char *query, const char *token)
{
    char target[256], after[32] = "";
    int count = 0;
    for (;;) {
        snprintf(target, sizeof target, "/v1/dead?limit=2%s%s%s", query, after[0] != '\0' ? "&after=" : "", after);
        struct reply reply = rig_ask("GET", target, token, NULL);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        count += cJSON_GetArraySize(json_get(reply.json, "dead"));
        const char *next = json_string(reply.json, "next");
        snprintf(after, sizeof after, "%s", next != NULL ? next : "");
        reply_free(&reply);
        if (after[0] == '\0')
            return count;
    }
}

/* Five jobs of eu that failed: three with code 1003, one with 2006, one with http_500. */
static void five_dead(void)
{
    static const char *const results[] = {REFUSED("1003"), REFUSED("2006"), REFUSED("1003"), REFUSED("http_500"),
                                          REFUSED("1003")};
    worker_ready(64);
    for (unsigned i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "d%u", i);
        enqueue("eu", id, 10 + i, "");
        fail_one(results[i]);
    }
}

/* covers: call GET /v1/dead */
START_TEST(dead_letters_are_listed_by_pool_and_code_page_by_page)
{
    five_dead();
    ck_assert_int_eq(count_dead("", "viewer-token"), 5);
    ck_assert_int_eq(count_dead("&code=1003", "viewer-token"), 3);
    ck_assert_int_eq(count_dead("&code=100", "viewer-token"), 0);
    ck_assert_int_eq(count_dead("&code=http_500", "viewer-token"), 1);
    ck_assert_int_eq(count_dead("&pool=eu&code=2006", "viewer-token"), 1);
    ck_assert_int_eq(count_dead("&pool=us", "viewer-token"), 0);
    ck_assert_int_eq(count_dead("", "viewer-us-token"), 0);
    expect_code("GET", "/v1/dead?pool=nowhere", "viewer-token", NULL, 404, "unknown_pool");
    expect_code("GET", "/v1/dead?pool=eu", "viewer-us-token", NULL, 404, "unknown_pool");
    expect_code("GET", "/v1/dead?after=x", "viewer-token", NULL, 422, "invalid_field");
    rig_expect("GET", "/v1/dead", "producer-eu-token", NULL, 403);
    struct reply reply = rig_ask("GET", "/v1/dead?limit=1", "viewer-token", NULL);
    const cJSON *first = cJSON_GetArrayItem(json_get(reply.json, "dead"), 0);
    ck_assert_str_eq(json_string(first, "id"), "d0");
    ck_assert_str_eq(json_string(json_get(first, "error"), "code"), "1003");
    ck_assert_ptr_nonnull(strstr(reply.body, "*")); /* a viewer sees no numbers */
    reply_free(&reply);
}
END_TEST

/* covers: call POST /v1/dead/{id}/requeue */
START_TEST(a_dead_letter_comes_back_by_name_with_all_it_had)
{
    five_dead();
    struct reply before = rig_ask("GET", "/v1/jobs/eu%2Fd1", "admin-token", NULL);
    struct reply reply = rig_ask("POST", "/v1/dead/eu%2Fd1/requeue", "operator-eu-token", NULL);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    ck_assert_str_eq(json_string(reply.json, "job"), json_string(before.json, "job"));
    ck_assert_str_eq(json_string(reply.json, "state"), "queued");
    ck_assert_str_eq(json_string(reply.json, "accepted_at"), json_string(before.json, "accepted_at"));
    ck_assert(cJSON_Compare(json_get(reply.json, "meta"), json_get(before.json, "meta"), true));
    ck_assert(cJSON_Compare(json_get(reply.json, "to"), json_get(before.json, "to"), true));
    reply_free(&reply);
    reply_free(&before);
    ck_assert_int_eq(count_dead("", "viewer-token"), 4);
    expect_code("POST", "/v1/dead/eu%2Fd1/requeue", "operator-token", NULL, 404, "not_found");
    uint64_t lease = lease_one();
    struct lease_view view;
    ck_assert(core_lease_view(rig.core, lease, &view));
    ck_assert_uint_eq(view.attempt, 2);
    answer(lease, OUTCOME_SENT, false, "{\"message_id\":\"m\"}");
    expect_job("eu%2Fd1", "sent", "");
    ck_assert_int_eq(count_dead("", "viewer-token"), 4);
    expect_code("POST", "/v1/dead/eu%2Fd1/requeue", "operator-token", NULL, 404, "not_found");
}
END_TEST

START_TEST(a_requeued_job_that_is_cancelled_does_not_show_what_it_failed_with_before)
{
    five_dead();
    rig_expect("POST", "/v1/dead/eu%2Fd1/requeue", "operator-token", NULL, 200);
    rig_expect("DELETE", "/v1/jobs/eu%2Fd1", "operator-token", NULL, 200);
    struct reply view = rig_ask("GET", "/v1/jobs/eu%2Fd1", "viewer-token", NULL);
    ck_assert_str_eq(json_string(view.json, "state"), "cancelled");
    ck_assert_msg(json_get(view.json, "error") == NULL, "%s", view.body);
    reply_free(&view);
}
END_TEST

START_TEST(only_who_may_see_a_dead_letter_brings_it_back)
{
    five_dead();
    rig_expect("POST", "/v1/dead/eu%2Fd0/requeue", "viewer-token", NULL, 403);
    rig_expect("POST", "/v1/dead/eu%2Fd0/requeue", "producer-eu-token", NULL, 403);
    expect_code("POST", "/v1/dead/nobody/requeue", "operator-token", NULL, 404, "not_found");
    enqueue("eu", "live", 99, "");
    expect_code("POST", "/v1/dead/eu%2Flive/requeue", "operator-token", NULL, 404, "not_found");
    expect_code("POST", "/v1/dead/eu%2Fd0/requeue", "operator-token", "{\"expires_at\":5}", 422, "invalid_field");
    expect_code("POST", "/v1/dead/eu%2Fd0/requeue", "operator-token", "[]", 400, "malformed");
    ck_assert_int_eq(count_dead("", "viewer-token"), 5);
}
END_TEST

START_TEST(what_has_expired_comes_back_only_with_a_new_expiry)
{
    worker_ready(64);
    enqueue("eu", "late", 1, ",\"expires_at\":\"2026-11-23T11:00:00Z\"");
    fail_one(REFUSED("1003"));
    rig.now.wall_ms += 7200000; /* the rig began at ten o'clock */
    rig.now.mono_ms += 7200000;
    expect_code("POST", "/v1/dead/eu%2Flate/requeue", "operator-token", NULL, 409, "already_final");
    struct reply many = rig_ask("POST", "/v1/dead/requeue", "operator-token", NULL);
    ck_assert_msg(strstr(many.body, "\"refused\":{\"expired\":1}") != NULL, "%s", many.body);
    reply_free(&many);
    expect_code("POST", "/v1/dead/eu%2Flate/requeue", "operator-token", "{\"expires_at\":\"2026-11-23T11:00:00Z\"}",
                422, "invalid_field");
    struct reply reply = rig_ask("POST", "/v1/dead/eu%2Flate/requeue", "operator-token",
                                 "{\"expires_at\":\"2026-11-24T00:00:00Z\"}");
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    ck_assert_str_eq(json_string(reply.json, "expires_at"), "2026-11-24T00:00:00.000Z");
    reply_free(&reply);
}
END_TEST

/* Moves the conversation of recipient 1 in the pool of two lines. */
static void move_to(const char *line)
{
    char body[64];
    snprintf(body, sizeof body, "{\"line\":\"%s\",\"reason\":\"asked for\"}", line);
    rig_expect("PUT", "/v1/conversations/two/+14155550001/line", "operator-token", body, 200);
}

/* The dead letter must be refused for its line, in a sentence that has these words. */
static void expect_line_conflict(const char *id, const char *words, const char *more_words)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/dead/two%%2F%s/requeue", id);
    struct reply reply = rig_ask("POST", target, "operator-token", "{\"expires_at\":null}");
    const cJSON *error = json_get(reply.json, "error");
    ck_assert_msg(reply.status == 409, "%s", reply.body);
    ck_assert_str_eq(json_string(error, "code"), "line_conflict");
    ck_assert_msg(strstr(json_string(error, "message"), words) != NULL, "%s", reply.body);
    ck_assert_msg(strstr(json_string(error, "message"), more_words) != NULL, "%s", reply.body);
    reply_free(&reply);
}

START_TEST(what_may_have_been_sent_by_a_line_is_refused_on_another_and_it_is_said_what_would_be_right)
{
    rig_poll_line(12025550103, REPUTATION_HEALTHY);
    worker_ready(64);
    enqueue("two", "known", 1, "");
    answer(lease_one(), OUTCOME_SENT, false, "{}");
    enqueue("two", "named", 1, ",\"from\":\"+12025550103\"");
    fail_one(REFUSED("1003"));
    enqueue("two", "unknown", 1, ",\"expires_at\":\"2026-11-23T11:00:00Z\"");
    answer(lease_one(), OUTCOME_RETRY, true, "{}");
    rig.now.wall_ms += 7200000; /* the rig began at ten o'clock */
    rig.now.mono_ms += 7200000;
    core_tick(rig.core, rig.now, &rig.effects);
    rig_commit();
    move_to("+12025550104");
    expect_line_conflict("unknown", "may have been sent by +12025550103", "its conversation is on +12025550104 now");
    expect_line_conflict("named", "(`from`) than +12025550104", "move that back first");
    struct reply many = rig_ask("POST", "/v1/dead/requeue", "operator-token", "{\"expires_at\":null}");
    ck_assert_msg(strstr(many.body, "\"refused\":{\"line_conflict\":2}") != NULL, "%s", many.body);
    reply_free(&many);
    move_to("+12025550103");
    rig_expect("POST", "/v1/dead/two%2Funknown/requeue", "operator-token", "{\"expires_at\":null}", 200);
    rig_expect("POST", "/v1/dead/two%2Fnamed/requeue", "operator-token", NULL, 200);
}
END_TEST

/* covers: call POST /v1/dead/requeue */
START_TEST(dead_letters_of_a_code_come_back_in_slices_that_can_be_gone_on_with)
{
    char target[256], after[64] = "";
    int64_t requeued = 0, count = 0;
    five_dead();
    do {
        snprintf(target, sizeof target, "/v1/dead/requeue?code=1003&limit=1%s%s", after[0] != '\0' ? "&after=" : "",
                 after);
        struct reply reply = rig_ask("POST", target, "operator-token", NULL);
        ck_assert_msg(reply.status == 200, "%s", reply.body);
        ck_assert(json_int(reply.json, "requeued", &count));
        ck_assert_int_le(count, 1);
        requeued += count;
        const char *next = json_string(reply.json, "next");
        snprintf(after, sizeof after, "%s", next != NULL ? next : "");
        reply_free(&reply);
    } while (after[0] != '\0');
    ck_assert_int_eq(requeued, 3);
    ck_assert_int_eq(count_dead("", "viewer-token"), 2);
    expect_job("eu%2Fd0", "queued", "pace");
    expect_code("POST", "/v1/dead/requeue?after=7", "operator-token", NULL, 422, "invalid_field");
    expect_code("POST", "/v1/dead/requeue?after=7.x", "operator-token", NULL, 422, "invalid_field");
    rig_expect("POST", "/v1/dead/requeue", "viewer-token", NULL, 403);
}
END_TEST

START_TEST(a_requeue_of_many_ends_though_what_it_brings_back_dies_at_once)
{
    five_dead();
    struct reply reply = rig_ask("POST", "/v1/dead/requeue?limit=2", "operator-token", NULL);
    char target[128];
    snprintf(target, sizeof target, "/v1/dead/requeue?limit=100&after=%s", json_string(reply.json, "next"));
    reply_free(&reply);
    for (int i = 0; i < 2; i++)
        fail_one(REFUSED("1003"));
    reply = rig_ask("POST", target, "operator-token", NULL);
    int64_t count = 0;
    ck_assert(json_int(reply.json, "requeued", &count));
    ck_assert_int_eq(count, 3); /* not those that died since */
    ck_assert_ptr_null(json_string(reply.json, "next"));
    reply_free(&reply);
    ck_assert_int_eq(count_dead("", "viewer-token"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_operate");
    TCase *tests = tcase_create("admin_operate");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, metrics_tell_since_when_the_oldest_job_waits_and_how_many_outcomes_nobody_knows);
    tcase_add_test(tests, a_person_settles_an_unknown_outcome);
    tcase_add_test(tests, settling_as_unsent_lets_the_job_wait_again_and_only_unknown_ones_can_be_settled);
    tcase_add_test(tests, a_line_is_cordoned_and_uncordoned);
    tcase_add_test(tests, an_operator_may_call_a_line_worse_and_only_an_admin_better);
    tcase_add_test(tests, a_drain_is_rehearsed_begun_seen_and_stopped);
    tcase_add_test(tests, a_rehearsed_move_says_which_lines_would_take_how_many);
    tcase_add_test(tests, a_conversation_is_moved_on_purpose_or_it_is_said_why_not);
    tcase_add_test(tests, what_is_done_is_never_busy_because_it_cannot_be_read);
    tcase_add_test(tests, what_is_refused_is_not_logged_as_done);
    tcase_add_test(tests, what_is_done_is_logged_once_with_who_and_what);
    tcase_add_test(tests, a_campaigns_name_is_one_value_in_the_log_whatever_it_says);
    tcase_add_test(tests, dead_letters_are_listed_by_pool_and_code_page_by_page);
    tcase_add_test(tests, a_dead_letter_comes_back_by_name_with_all_it_had);
    tcase_add_test(tests, a_requeued_job_that_is_cancelled_does_not_show_what_it_failed_with_before);
    tcase_add_test(tests, only_who_may_see_a_dead_letter_brings_it_back);
    tcase_add_test(tests, what_has_expired_comes_back_only_with_a_new_expiry);
    tcase_add_test(tests,
                   what_may_have_been_sent_by_a_line_is_refused_on_another_and_it_is_said_what_would_be_right);
    tcase_add_test(tests, dead_letters_of_a_code_come_back_in_slices_that_can_be_gone_on_with);
    tcase_add_test(tests, a_requeue_of_many_ends_though_what_it_brings_back_dies_at_once);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
