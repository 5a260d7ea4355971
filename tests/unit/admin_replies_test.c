/* GET /v1/replies: what it counts by, which rows it shows, and to whom. */
#include "tests/support/suite.h"
#include "tests/unit/admin_work_rig.h"

#define TEXT "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}"

/* A message goes out; it is answered, or not. */
static void goes_out(const char *pool, unsigned to, const char *more, bool answered)
{
    char body[512];
    snprintf(body, sizeof body, "{\"pool\":\"%s\",\"to\":\"+1415555%04u\"%s," TEXT "}", pool, to, more);
    rig_expect("POST", "/v1/jobs", "admin-token", body, 200);
    worker_ready(1);
    uint64_t lease = lease_one();
    const struct core_result sent = {
        .peer = 1, .lease = lease, .outcome = OUTCOME_SENT, .retry_after_ms = -1, .chat_hash = 1000 + to};
    core_worker_result(rig.core, &sent, rig.now, &rig.effects);
    core_worker_gone(rig.core, 1, rig.now, &rig.effects);
    rig_commit();
    if (!answered)
        return;
    const struct core_message_fact fact = {.event = 5000 + to, .what = MESSAGE_RECEIVED, .inbound = true,
                                           .chat_hash = 1000 + to, .at_ms = rig.now.wall_ms,
                                           .line = pool[0] == 'e' ? RIG_LINE_EU : RIG_LINE_US};
    core_message_told(rig.core, &fact, rig.now, &rig.effects);
    rig_commit();
}

static void setup(void)
{
    rig_setup();
    rig_expect("POST", "/v1/lines/+12025550102/reputation", "admin-token",
               "{\"status\":\"HEALTHY\",\"for_ms\":3600000,\"reason\":\"a test\"}", 200);
    goes_out("eu", 1, ",\"class\":\"campaign\",\"campaign\":\"may\"", true);
    goes_out("eu", 2, ",\"class\":\"campaign\",\"campaign\":\"may\"", false);
    goes_out("eu", 3, ",\"class\":\"campaign\",\"campaign\":\"june\"", false);
    goes_out("eu", 4, ",\"class\":\"reply\"", true);
    rig_expect("POST", "/v1/conversations/import", "operator-token", /* the line's ramp lets those go */
               "{\"conversations\":[{\"pool\":\"us\",\"line\":\"+12025550102\",\"to\":\"+14155550005\"}]}", 200);
    goes_out("us", 5, "", true);
}

/* "NAME sent/answered share" of each row, with commas; then what was left off and the total. */
static void expect_rows(const char *query, const char *token, const char *member, const char *rows)
{
    char target[128], found[512] = "";
    snprintf(target, sizeof target, "/v1/replies%s", query);
    struct reply reply = rig_ask("GET", target, token, NULL);
    ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
    const cJSON *row, *total = json_get(reply.json, "total");
    size_t at = 0;
    cJSON_ArrayForEach(row, json_get(reply.json, "replies"))
    {
        at += (size_t)snprintf(found + at, sizeof found - at, "%s %g/%g %g, ", json_string(row, member),
                               cJSON_GetNumberValue(json_get(row, "sent")),
                               cJSON_GetNumberValue(json_get(row, "answered")),
                               cJSON_GetNumberValue(json_get(row, "share")));
    }
    snprintf(found + at, sizeof found - at, "left %g of %g/%g", cJSON_GetNumberValue(json_get(reply.json, "left_off")),
             cJSON_GetNumberValue(json_get(total, "sent")), cJSON_GetNumberValue(json_get(total, "answered")));
    ck_assert_str_eq(found, rows);
    reply_free(&reply);
}

/* covers: call GET /v1/replies */
START_TEST(answers_are_counted_by_line_class_and_campaign)
{
    expect_rows("", "viewer-token", "line", "+12025550101 4/2 0.5, +12025550102 1/1 1, left 0 of 5/3");
    expect_rows("?by=class", "viewer-token", "class",
                "campaign 3/1 0.3333, reply 1/1 1, transactional 1/1 1, left 0 of 5/3");
    expect_rows("?by=campaign", "viewer-token", "campaign", "may 2/1 0.5, june 1/0 0, left 0 of 3/1");
}
END_TEST

START_TEST(only_rows_that_were_asked_for_are_shown)
{
    expect_rows("?by=campaign&below=50", "viewer-token", "campaign", "june 1/0 0, left 0 of 3/1");
    expect_rows("?by=class&limit=1", "viewer-token", "class", "campaign 3/1 0.3333, left 2 of 5/3");
    expect_rows("?pool=us", "viewer-token", "line", "+12025550102 1/1 1, left 0 of 1/1");
    expect_rows("", "viewer-us-token", "line", "+12025550102 1/1 1, left 0 of 1/1");
    expect_rows("?by=campaign", "viewer-us-token", "campaign", "left 0 of 0/0");
    rig_expect("GET", "/v1/replies?pool=eu", "viewer-us-token", NULL, 404);
    rig_expect("GET", "/v1/replies?by=moon", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/replies?below=0", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/replies?below=101", "viewer-token", NULL, 422);
}
END_TEST

/* Those with the most messages, wherever they are met, and of those with as many the ones that are met first. */
START_TEST(the_rows_with_the_most_messages_are_shown_in_order)
{
    for (unsigned i = 0; i < 4; i++) /* c0 1, c1 2, c2 1, c3 2 */
        for (unsigned n = 0; n <= i % 2; n++) {
            char more[64];
            snprintf(more, sizeof more, ",\"class\":\"campaign\",\"campaign\":\"c%u\"", i);
            goes_out("eu", 10 + i * 2 + n, more, false);
        }
    expect_rows("?by=campaign", "viewer-token", "campaign",
                "may 2/1 0.5, c1 2/0 0, c3 2/0 0, june 1/0 0, c0 1/0 0, c2 1/0 0, left 0 of 9/1");
    expect_rows("?by=campaign&limit=4", "viewer-token", "campaign",
                "may 2/1 0.5, c1 2/0 0, c3 2/0 0, june 1/0 0, left 2 of 9/1");
    expect_rows("?by=campaign&limit=2&below=50", "viewer-token", "campaign", "c1 2/0 0, c3 2/0 0, left 3 of 9/1");
}
END_TEST

/* covers: call GET /v1/lines/{line} */
START_TEST(a_line_s_view_and_the_metrics_tell_them)
{
    struct reply reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "\"replies\":{\"sent\":4,\"answered\":2,\"share\":0.5}"));
    reply_free(&reply);
    reply = rig_ask("GET", "/metrics", "viewer-us-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "\nlineward_messages_answered_week{pool=\"us\",class=\"transactional\"} 1\n"));
    ck_assert_ptr_null(strstr(reply.body, "pool=\"eu\""));
    reply_free(&reply);
    rig.now.wall_ms += 8 * 86400000LL;
    rig.now.mono_ms += 8 * 86400000LL;
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "\"replies\":{\"sent\":0,\"answered\":0,\"share\":null}"));
    reply_free(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_replies");
    TCase *tests = tcase_create("admin_replies");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, rig_teardown);
    tcase_add_test(tests, answers_are_counted_by_line_class_and_campaign);
    tcase_add_test(tests, only_rows_that_were_asked_for_are_shown);
    tcase_add_test(tests, the_rows_with_the_most_messages_are_shown_in_order);
    tcase_add_test(tests, a_line_s_view_and_the_metrics_tell_them);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
