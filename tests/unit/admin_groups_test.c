/* Campaigns and conversations over HTTP: their pauses, who may lay and see them, and what a campaign's jobs came to. */
#include "admin_rig.h"
#include "tests/support/suite.h"

/* Enqueues a job of pool `eu` over HTTP. */
static void offer(const char *id, const char *to, const char *campaign)
{
    char body[400];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"pool\":\"eu\",\"to\":%s,\"campaign\":\"%s\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             id, to, campaign);
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
}

static void ck_reason(const char *id, const char *state, const char *reason)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/jobs/eu%%2F%s", id);
    struct reply reply = rig_ask("GET", target, "operator-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "state"), state);
    ck_assert_str_eq(json_string(reply.json, "reason"), reason);
    const cJSON *why = json_get(reply.json, "why");
    ck_assert(strcmp(state, "held") != 0 || json_string(why, "pause") != NULL);
    reply_free(&reply);
}

/* The first pause of the list, as that token sees it; NULL: none. Free with free(). */
static char *first_pause(const char *token)
{
    struct reply reply = rig_ask("GET", "/v1/pauses", token, NULL);
    ck_assert_int_eq(reply.status, 200);
    const cJSON *pause = cJSON_GetArrayItem(json_get(reply.json, "pauses"), 0);
    char *shown = NULL;
    if (pause != NULL && asprintf(&shown, "%s %s", json_string(pause, "scope"), json_string(pause, "name")) < 0)
        abort();
    reply_free(&reply);
    return shown;
}

static void ck_first_pause(const char *token, const char *expected)
{
    char *shown = first_pause(token);
    if (expected == NULL)
        ck_assert_ptr_null(shown);
    else
        ck_assert_str_eq(shown, expected);
    free(shown);
}

/* covers: call POST /v1/campaigns/{pool}/{campaign}/pause, POST /v1/campaigns/{pool}/{campaign}/resume; reason
 * campaign_paused; field campaign */
START_TEST(a_campaign_is_paused_in_its_pool_by_those_who_may)
{
    static const char pause[] = "/v1/campaigns/eu/spring%2F1/pause", resume[] = "/v1/campaigns/eu/spring%2F1/resume";
    rig_expect("POST", pause, "operator-token", "{}", 404); /* nobody ever named it */
    offer("a", "\"+14155550101\"", "spring/1");
    rig_expect("POST", pause, "viewer-token", "{}", 403);
    rig_expect("POST", "/v1/campaigns/us/spring%2F1/pause", "operator-eu-token", "{}", 404);
    rig_expect("POST", "/v1/campaigns/us/spring%2F1/pause", "operator-token", "{}", 404);
    rig_expect("POST", "/v1/campaigns/nowhere/spring%2F1/pause", "operator-token", "{}", 404);
    rig_expect("POST", pause, "operator-eu-token", "{\"reason\":\"wrong link\"}", 200);
    ck_reason("a", "held", "campaign_paused");
    ck_first_pause("viewer-token", "campaign eu/spring/1");
    ck_first_pause("viewer-us-token", NULL);
    rig_expect("POST", resume, "operator-eu-token", "{}", 200);
    rig_expect("POST", resume, "operator-eu-token", "{}", 404);
    ck_reason("a", "queued", "no_worker");
}
END_TEST

/* covers: call POST /v1/conversations/{pool}/{to}/pause, POST /v1/conversations/{pool}/{to}/resume; reason
 * conversation_paused */
START_TEST(a_conversation_is_paused_by_its_recipients_in_any_order_and_spelling)
{
    rig_expect("POST", "/v1/conversations/eu/Ann@example.com,+14155550101/pause", "operator-token", "{}", 200);
    offer("a", "[\"+14155550101\",\"ann@example.com\"]", "");
    ck_reason("a", "held", "conversation_paused");
    ck_first_pause("operator-token", "conversation eu/+14155550101,ann@example.com");
    ck_first_pause("viewer-token", "conversation eu/***");
    ck_first_pause("viewer-us-token", NULL);
    offer("b", "\"+14155550101\"", ""); /* another conversation */
    ck_reason("b", "queued", "no_worker");
    rig_expect("POST", "/v1/conversations/eu/+14155550101%2Cann@EXAMPLE.com/resume", "operator-token", NULL, 200);
    ck_reason("a", "queued", "no_worker");
    rig_expect("POST", "/v1/conversations/eu/nobody/pause", "operator-token", "{}", 422);
    rig_expect("POST", "/v1/conversations/eu/+14155550101,+14155550101/pause", "operator-token", "{}", 422);
    rig_expect("POST", "/v1/conversations/us/+14155550101/pause", "operator-eu-token", "{}", 404);
}
END_TEST

/* The names of other pools' campaigns cannot be guessed at: an unknown one and another's are answered alike. */
START_TEST(anothers_campaign_is_answered_as_one_that_nobody_named)
{
    static const char *const calls[] = {"pause", "resume"};
    static const char job[] = "{\"id\":\"x\",\"pool\":\"us\",\"to\":\"+14155550101\",\"campaign\":\"secret\","
                              "\"message\":{\"parts\":[]}}";
    rig_expect("POST", "/v1/jobs", "operator-token", job, 200);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char theirs[64], nobodys[64];
        snprintf(theirs, sizeof theirs, "/v1/campaigns/eu/secret/%s", calls[i]);
        snprintf(nobodys, sizeof nobodys, "/v1/campaigns/eu/guess1/%s", calls[i]);
        struct reply one = rig_ask("POST", theirs, "operator-eu-token", "{}");
        struct reply other = rig_ask("POST", nobodys, "operator-eu-token", "{}");
        ck_assert_int_eq(one.status, 404);
        ck_assert_int_eq(other.status, 404);
        ck_assert_str_eq(one.body, other.body);
        reply_free(&one);
        reply_free(&other);
    }
}
END_TEST

/* A page of one, so that every step of it is taken. */
static int count_campaigns(const char *query, const char *token)
{
    int count = 0;
    for (char after[64] = "";;) {
        char target[200];
        snprintf(target, sizeof target, "/v1/campaigns?limit=1%s%s", query, after);
        struct reply reply = rig_ask("GET", target, token, NULL);
        ck_assert_int_eq(reply.status, 200);
        count += cJSON_GetArraySize(json_get(reply.json, "campaigns"));
        const char *next = json_string(reply.json, "next");
        snprintf(after, sizeof after, "&after=%s", next != NULL ? next : "");
        bool over = next == NULL;
        reply_free(&reply);
        if (over)
            return count;
    }
}

/* covers: call GET /v1/campaigns */
START_TEST(a_campaign_s_jobs_are_counted_and_shown_to_those_who_see_its_pool)
{
    offer("a", "\"+14155550101\"", "spring");
    offer("b", "\"+14155550102\"", "spring");
    offer("c", "\"+14155550103\"", "summer");
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    struct reply reply = rig_ask("GET", "/v1/campaigns?pool=eu", "viewer-token", NULL);
    const cJSON *spring = cJSON_GetArrayItem(json_get(reply.json, "campaigns"), 0);
    char *text = cJSON_PrintUnformatted(spring);
    static const char expected[] =
        "{\"pool\":\"eu\",\"campaign\":\"spring\",\"paused\":false,\"accepted\":2,\"waiting\":1,"
        "\"leased\":0,\"sent\":0,\"failed\":0,\"expired\":0,\"cancelled\":1,\"suppressed\":0,\"etag\":";
    ck_assert_msg(strncmp(text, expected, sizeof expected - 1) == 0, "%s", text);
    cJSON_free(text);
    reply_free(&reply);
    ck_assert_int_eq(count_campaigns("", "viewer-token"), 2);
    ck_assert_int_eq(count_campaigns("&pool=us", "viewer-token"), 0);
    ck_assert_int_eq(count_campaigns("", "viewer-us-token"), 0);
    rig_expect("GET", "/v1/campaigns?pool=eu", "viewer-us-token", NULL, 404);
    rig_expect("GET", "/v1/campaigns?pool=nowhere", "viewer-token", NULL, 404);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_groups");
    TCase *tests = tcase_create("admin_groups");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, a_campaign_is_paused_in_its_pool_by_those_who_may);
    tcase_add_test(tests, a_conversation_is_paused_by_its_recipients_in_any_order_and_spelling);
    tcase_add_test(tests, anothers_campaign_is_answered_as_one_that_nobody_named);
    tcase_add_test(tests, a_campaign_s_jobs_are_counted_and_shown_to_those_who_see_its_pool);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
