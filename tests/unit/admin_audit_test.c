/* The audit: every call that changes something, or tries to, leaves a record in the commit of the change; who may read
 * what of it, and how it is paged. */
#include "broker/edge/admin_route.h"
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define EU_LINE "/v1/lines/+12025550101"

static struct reply audit(const char *query, const char *token)
{
    char target[256];
    snprintf(target, sizeof target, "/v1/audit%s", query);
    struct reply reply = rig_ask("GET", target, token, NULL);
    ck_assert_msg(reply.status == 200, "%s: %d %s", target, reply.status, reply.body);
    return reply;
}

static int count(const char *query, const char *token)
{
    struct reply reply = audit(query, token);
    int rows = cJSON_GetArraySize(json_get(reply.json, "audit"));
    reply_free(&reply);
    return rows;
}

/* The last record, as the root token sees it; reply_free() the reply. */
static const cJSON *last(struct reply *reply)
{
    *reply = audit("?limit=1000", "admin-token");
    const cJSON *rows = json_get(reply->json, "audit");
    ck_assert_int_gt(cJSON_GetArraySize(rows), 0);
    return cJSON_GetArrayItem(rows, cJSON_GetArraySize(rows) - 1);
}

static const char *text(const cJSON *record, const char *name)
{
    const char *value = json_string(record, name);
    return value != NULL ? value : "null";
}

/* covers: call GET /v1/audit */
START_TEST(a_change_leaves_who_when_what_before_after_and_why)
{
    struct reply reply;
    rig_expect("POST", EU_LINE "/pause", "operator-token", "{\"reason\":\"being checked\",\"for_ms\":60000}", 200);
    const cJSON *record = last(&reply);
    ck_assert_str_eq(text(record, "by"), "ops");
    ck_assert_str_eq(text(record, "role"), "operator");
    ck_assert_str_eq(text(record, "call"), "POST /v1/lines/{line}/pause");
    ck_assert_str_eq(text(json_get(record, "target"), "line"), "+12025550101");
    ck_assert_str_eq(text(record, "line"), "+12025550101");
    ck_assert_str_eq(text(record, "pool"), "eu");
    ck_assert_str_eq(text(record, "reason"), "being checked");
    ck_assert_str_eq(text(record, "code"), "null");
    char at[TIME_TEXT_MAX];
    time_format(rig.now.wall_ms, at);
    ck_assert_str_eq(text(record, "at"), at);
    int64_t for_ms = 0;
    ck_assert(json_int(json_get(record, "asked"), "for_ms", &for_ms));
    ck_assert_int_eq(for_ms, 60000);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(json_get(record, "before"), "pauses")), 0);
    const cJSON *pause = cJSON_GetArrayItem(json_get(json_get(record, "after"), "pauses"), 0);
    ck_assert_str_eq(text(pause, "pause"), "p_1");
    reply_free(&reply);
}
END_TEST

START_TEST(the_record_lies_in_the_commit_of_the_change)
{
    rig.hold_effects = true; /* nothing is durable, and so nothing is answered */
    int fd = rig_ask_begin("POST", EU_LINE "/cordon", "operator-token", NULL);
    size_t before = rig.record_count;
    size_t line = 0;
    size_t record = 0;
    for (unsigned turn = 0; turn < 1000 && rig.record_count == before; turn++) {
        struct pollfd wakes = {.fd = admin_fd(rig.admin), .events = POLLIN};
        ck_assert_int_eq(poll(&wakes, 1, RIG_WAIT_MS), 1);
        rig_serve();
    }
    for (size_t i = before; i < rig.record_count; i++) { /* of one turn: what came of it is held back */
        line += rig.records[i].kind == CHANGE_LINE;
        record += rig.records[i].kind == CHANGE_AUDIT;
    }
    ck_assert_uint_eq(line, 1);
    ck_assert_uint_eq(record, 1);
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 0), 0);
    rig.hold_effects = false;
    rig_commit();
    struct reply reply = rig_receive(fd);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
}
END_TEST

START_TEST(a_refused_call_is_written_down_with_its_code_before_it_is_answered)
{
    struct reply reply;
    rig_expect("POST", "/v1/lines/+12025550199/cordon", "operator-token", NULL, 404);
    const cJSON *record = last(&reply);
    ck_assert_str_eq(text(record, "code"), "unknown_line");
    ck_assert_str_eq(text(json_get(record, "target"), "line"), "+12025550199");
    ck_assert(cJSON_IsNull(json_get(record, "before")));
    reply_free(&reply);
    rig_expect("POST", EU_LINE "/pause", "operator-token", "{\"for_ms\":-1}", 422);
    record = last(&reply);
    ck_assert_str_eq(text(record, "code"), "invalid_field");
    reply_free(&reply);
    rig_expect("POST", EU_LINE "/resume", "operator-token", NULL, 404);
    record = last(&reply);
    ck_assert_str_eq(text(record, "code"), "not_found");
    reply_free(&reply);
}
END_TEST

START_TEST(what_changes_nothing_leaves_nothing)
{
    rig_expect("GET", EU_LINE, "operator-token", NULL, 200);
    rig_expect("POST", EU_LINE "/drain", "operator-token", "{\"mode\":\"fail\",\"dry_run\":true}", 200);
    rig_expect("POST", "/v1/jobs", "operator-token",
               "{\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"message\":{}}", 200);
    rig_expect("POST", EU_LINE "/pause", "viewer-token", NULL, 403); /* its role is refused at the door */
    ck_assert_int_eq(count("", "admin-token"), 0);
}
END_TEST

/* By construction: whoever adds a call has it audited, or says here why not. */
START_TEST(every_call_that_changes_something_is_in_the_audit)
{
    static const char *const calls[][2] = {
        {"POST", "/v1/pause"},
        {"POST", "/v1/resume"},
        {"POST", "/v1/accounts/default/pause"},
        {"POST", "/v1/pools/eu/pause"},
        {"POST", "/v1/campaigns/eu/spring/pause"},
        {"POST", "/v1/conversations/eu/+14155550101/pause"},
        {"POST", EU_LINE "/cordon"},
        {"POST", EU_LINE "/uncordon"},
        {"POST", EU_LINE "/reputation"},
        {"DELETE", EU_LINE "/reputation"},
        {"POST", EU_LINE "/drain"},
        {"DELETE", EU_LINE "/drain"},
        {"DELETE", "/v1/jobs/eu%2Fa"},
        {"POST", "/v1/jobs/eu%2Fa/settle"},
        {"PUT", "/v1/conversations/eu/+14155550101/line"},
        {"PUT", "/v1/suppressions/default/+14155550109"},
        {"DELETE", "/v1/suppressions/default/+14155550109"},
        {"POST", "/v1/dead/eu%2Fa/requeue"},
        {"POST", "/v1/dead/requeue"},
        {"POST", "/v1/triage/cancel?pool=eu"},
        {"POST", "/v1/triage/expire?pool=eu"},
        {"POST", "/v1/triage/redate?pool=eu"},
        {"POST", "/v1/triage/move?pool=eu"},
        {"POST", "/v1/conversations/import"},
    };
    rig_expect("POST", "/v1/jobs", "operator-token",
               "{\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"campaign\":\"spring\",\"message\":{}}", 200);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct reply reply = rig_ask(calls[i][0], calls[i][1], "admin-token",
                                     "{\"reason\":\"r\",\"status\":\"CRITICAL\",\"for_ms\":60000,\"mode\":\"fail\","
                                     "\"line\":\"+12025550101\",\"outcome\":\"sent\","
                                     "\"conversations\":[{\"pool\":\"eu\",\"line\":\"+12025550101\","
                                     "\"to\":\"+14155550177\"}]}");
        int status = reply.status;
        reply_free(&reply);
        ck_assert_int_eq(count("?limit=1000", "admin-token"), (int)i + 1);
        const cJSON *record = last(&reply);
        ck_assert_str_eq(text(record, "by"), "root");
        ck_assert_msg((json_string(record, "code") == NULL) == (status == 200), "%s %s: %d, code %s", calls[i][0],
                      calls[i][1], status, text(record, "code"));
        reply_free(&reply);
    }
}
END_TEST

START_TEST(viewers_see_recipients_masked_and_operators_whole)
{
    rig_expect("PUT", "/v1/suppressions/default/+14155550109", "operator-token", "{\"reason\":\"asked by letter\"}", 200);
    struct reply reply = audit("", "viewer-token");
    ck_assert_ptr_null(strstr(reply.body, "4155550109"));
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(record, "to")), 1);
    reply_free(&reply);
    reply = audit("", "operator-token");
    ck_assert_ptr_nonnull(strstr(reply.body, "\"to\":[\"+14155550109\"]"));
    reply_free(&reply);
}
END_TEST

START_TEST(a_token_of_some_pools_sees_only_what_was_about_them)
{
    rig_expect("POST", EU_LINE "/cordon", "operator-eu-token", NULL, 200);
    rig_expect("POST", "/v1/lines/+12025550102/cordon", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pools/us/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pause", "operator-token", NULL, 200);
    ck_assert_int_eq(count("", "admin-token"), 4);
    ck_assert_int_eq(count("", "operator-eu-token"), 1);
    ck_assert_int_eq(count("", "viewer-us-token"), 2);
    ck_assert_int_eq(count("", "viewer-elsewhere-token"), 0);
    rig_expect("GET", "/v1/audit?pool=us", "operator-eu-token", NULL, 404);
    rig_expect("GET", "/v1/audit", "producer-eu-token", NULL, 403);
}
END_TEST

/* A job that ends by the call is its pool's matter all the same, and so is what a token of one pool does to all it sees. */
START_TEST(a_cancelled_job_is_its_pools_matter)
{
    char target[64];
    rig_expect("POST", "/v1/jobs", "operator-token",
               "{\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"message\":{}}", 200);
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token",
                                 "{\"id\":\"b\",\"pool\":\"eu\",\"to\":\"+14155550102\",\"message\":{}}");
    const cJSON *job = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
    snprintf(target, sizeof target, "/v1/jobs/%s", json_string(job, "job"));
    reply_free(&reply);
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    rig_expect("DELETE", target, "operator-token", NULL, 200);
    rig_expect("POST", "/v1/dead/requeue", "operator-eu-token", NULL, 200);
    ck_assert_int_eq(count("", "operator-eu-token"), 3);
    ck_assert_int_eq(count("?pool=eu", "admin-token"), 3);
    ck_assert_int_eq(count("", "viewer-us-token"), 0);
}
END_TEST

/* Whoever is refused again and again must not use up what a full disk keeps for gates and results. */
START_TEST(on_a_full_disk_what_is_refused_or_changes_nothing_leaves_nothing)
{
    rig.store_full = true;
    rig_expect("POST", "/v1/pools/us/pause", "operator-eu-token", NULL, 404);
    rig_expect("POST", EU_LINE "/pause", "operator-token", "{\"for_ms\":-1}", 422);
    ck_assert_int_eq(count("", "admin-token"), 0);
    rig_expect("POST", EU_LINE "/cordon", "operator-token", NULL, 200);
    ck_assert_int_eq(count("", "admin-token"), 1);
    rig_expect("POST", EU_LINE "/cordon", "operator-token", NULL, 200); /* granted, and all is as it was */
    ck_assert_int_eq(count("", "admin-token"), 1);
    rig_expect("POST", EU_LINE "/uncordon", "operator-token", NULL, 200);
    ck_assert_int_eq(count("", "admin-token"), 2);
    rig_expect("POST", EU_LINE "/cordon", "operator-token", NULL, 200);
    rig.store_full = false;
    rig_expect("POST", EU_LINE "/cordon", "operator-token", NULL, 200); /* with room it is told who said it again */
    ck_assert_int_eq(count("", "admin-token"), 4);
    rig_expect("POST", "/v1/pools/us/pause", "operator-eu-token", NULL, 404);
    ck_assert_int_eq(count("", "admin-token"), 5);
}
END_TEST

START_TEST(a_name_that_is_none_is_not_kept_whole)
{
    char target[2048];
    struct reply reply;
    int bytes = snprintf(target, sizeof target, "/v1/campaigns/eu/");
    memset(target + bytes, 'a', 1500);
    snprintf(target + bytes + 1500, sizeof target - (size_t)bytes - 1500, "/pause");
    rig_expect("POST", target, "operator-token", NULL, 404);
    const char *kept = json_string(json_get(last(&reply), "target"), "campaign");
    ck_assert_uint_lt(strlen(kept), 200);
    reply_free(&reply);
}
END_TEST

START_TEST(filters_by_whom_what_and_when)
{
    char query[128];
    rig_expect("POST", EU_LINE "/cordon", "operator-eu-token", NULL, 200);
    rig.now.wall_ms += 60000;
    char then[TIME_TEXT_MAX];
    time_format(rig.now.wall_ms, then);
    rig_expect("POST", EU_LINE "/uncordon", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/lines/+12025550102/cordon", "operator-token", NULL, 200);
    ck_assert_int_eq(count("?by=ops", "viewer-token"), 2);
    ck_assert_int_eq(count("?line=%2B12025550101", "viewer-token"), 2);
    ck_assert_int_eq(count("?pool=eu&by=ops", "viewer-token"), 1);
    snprintf(query, sizeof query, "?since=%s", then);
    ck_assert_int_eq(count(query, "viewer-token"), 2);
    snprintf(query, sizeof query, "?until=%s", then);
    ck_assert_int_eq(count(query, "viewer-token"), 1);
    struct reply reply = audit("?order=newest&limit=1", "viewer-token");
    ck_assert_str_eq(text(cJSON_GetArrayItem(json_get(reply.json, "audit"), 0), "line"), "+12025550102");
    reply_free(&reply);
    rig_expect("GET", "/v1/audit?order=best", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/audit?since=yesterday", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/audit?line=7", "viewer-token", NULL, 422);
}
END_TEST

/* Past one shelf, and a page may begin anywhere. */
START_TEST(pages_have_each_record_once_in_order_over_shelves)
{
    const unsigned changes = 3 * AUDIT_SHELF + 10;
    for (unsigned i = 0; i < changes; i++) {
        rig_expect("POST", i % 2 == 0 ? EU_LINE "/cordon" : EU_LINE "/uncordon", "operator-token", NULL, 200);
        rig.now.wall_ms += 1000;
    }
    char query[96] = "?limit=100";
    int64_t expected = 1;
    for (bool more = true; more;) {
        struct reply reply = audit(query, "viewer-token");
        const cJSON *record;
        cJSON_ArrayForEach(record, json_get(reply.json, "audit"))
        {
            int64_t number = 0;
            ck_assert(json_int(record, "audit", &number));
            ck_assert_int_eq(number, expected);
            expected++;
        }
        const char *next = json_string(reply.json, "next");
        more = next != NULL;
        if (more)
            snprintf(query, sizeof query, "?limit=100&after=%s", next);
        reply_free(&reply);
    }
    ck_assert_int_eq(expected, changes + 1);
    char since[TIME_TEXT_MAX];
    time_format(rig.now.wall_ms - 5000, since);
    snprintf(query, sizeof query, "?since=%s", since);
    ck_assert_int_eq(count(query, "viewer-token"), 5);
    ck_assert_int_eq(count("?order=newest&limit=3&after=999999999999", "viewer-token"), 3); /* no walk from there */
}
END_TEST

START_TEST(numbers_go_on_after_a_restart)
{
    rig_expect("POST", EU_LINE "/cordon", "operator-token", NULL, 200);
    rig_expect("POST", EU_LINE "/uncordon", "operator-token", NULL, 200);
    uint64_t next = core_next_audit(rig.core);
    struct core *before = rig.core;
    const struct core_limits limits = {.jobs_max = 5000, .conversations_max = 5000, .lines_max = 64, .leases_max = 256,
                                       .workers_max = 16, .pauses_max = 64, .names_max = 256, .remembered_max = 5000};
    const struct core_memory memory = {rig_take, NULL};
    struct core *after;
    ck_assert_int_eq(core_new(&after, &limits, &memory, rig.conf, 43), ERR_NONE);
    for (size_t i = 0; i < rig.record_count; i++)
        ck_assert_int_eq(core_restore(after, &rig.records[i], false, i), ERR_NONE);
    ck_assert_uint_eq(core_next_audit(after), next);
    rig.core = before;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_audit");
    TCase *tests = tcase_create("admin_audit");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, a_change_leaves_who_when_what_before_after_and_why);
    tcase_add_test(tests, the_record_lies_in_the_commit_of_the_change);
    tcase_add_test(tests, a_refused_call_is_written_down_with_its_code_before_it_is_answered);
    tcase_add_test(tests, what_changes_nothing_leaves_nothing);
    tcase_add_test(tests, every_call_that_changes_something_is_in_the_audit);
    tcase_add_test(tests, viewers_see_recipients_masked_and_operators_whole);
    tcase_add_test(tests, a_token_of_some_pools_sees_only_what_was_about_them);
    tcase_add_test(tests, a_cancelled_job_is_its_pools_matter);
    tcase_add_test(tests, on_a_full_disk_what_is_refused_or_changes_nothing_leaves_nothing);
    tcase_add_test(tests, a_name_that_is_none_is_not_kept_whole);
    tcase_add_test(tests, filters_by_whom_what_and_when);
    tcase_add_test(tests, pages_have_each_record_once_in_order_over_shelves);
    tcase_add_test(tests, numbers_go_on_after_a_restart);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
