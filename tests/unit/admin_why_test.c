/* Why and when, over the admin API: estimates, all that speaks against a line, and what would become of a job. */
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define EU "\"pool\":\"eu\","
#define TEXT "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}"

static void ready(void)
{
    struct core_ready ready = {.peer = 1, .instance = 77, .slots = 64, .worker = "w"};
    core_worker_ready(rig.core, &ready, rig.now, &rig.effects);
    rig_commit();
}

static void enqueue(const char *id, const char *to, const char *more)
{
    char body[512];
    snprintf(body, sizeof body, "{\"id\":\"%s\"," EU "\"to\":\"%s\"%s," TEXT "}", id, to, more);
    rig_expect("POST", "/v1/jobs", "admin-token", body, 200);
}

static void tick(int64_t ms)
{
    rig.now.mono_ms += ms;
    rig.now.wall_ms += ms;
    core_tick(rig.core, rig.now, &rig.effects);
    rig_commit();
}

/* The words of a list of causes, with commas. */
static void words_of(const cJSON *list, char *out, size_t room)
{
    const cJSON *item;
    out[0] = '\0';
    cJSON_ArrayForEach(item, list)
    {
        const char *word = json_string(item, "reason") != NULL ? json_string(item, "reason") : json_string(item, "code");
        size_t bytes = strlen(out);
        snprintf(out + bytes, room - bytes, "%s%s", bytes > 0 ? "," : "", word);
        ck_assert_ptr_nonnull(json_string(item, "rule"));
    }
}

static void expect_words(const char *target, const char *member, const char *words)
{
    char found[512];
    struct reply reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
    words_of(json_get(reply.json, member), found, sizeof found);
    ck_assert_str_eq(found, words);
    reply_free(&reply);
}

static struct reply would(const char *job)
{
    struct reply reply = rig_ask("POST", "/v1/jobs?dry_run=1", "admin-token", job);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    return reply;
}

static const cJSON *result(const struct reply *reply, int at)
{
    return cJSON_GetArrayItem(json_get(reply->json, "results"), at);
}

/* ---- when ---- */

/* covers: call GET /v1/jobs/{id} */
START_TEST(a_job_s_view_says_when_it_goes_and_how_many_go_before)
{
    int64_t number = 0;
    ready();
    for (unsigned i = 0; i < 10; i++) {
        char id[8], to[16];
        snprintf(id, sizeof id, "j%u", i);
        snprintf(to, sizeof to, "+1415555000%u", i);
        enqueue(id, to, "");
    }
    tick(0); /* the first one goes */
    struct reply reply = rig_ask("GET", "/v1/jobs/eu%2Fj9", "viewer-token", NULL);
    const cJSON *why = json_get(reply.json, "why");
    ck_assert(json_int(json_get(why, "queue"), "ahead", &number));
    ck_assert_int_eq(number, 8);
    ck_assert(json_int(json_get(why, "queue"), "lines", &number));
    ck_assert_int_eq(number, 1);
    int64_t at = 0;
    ck_assert(time_parse(json_string(why, "estimated_at"), &at));
    ck_assert_int_ge(at - rig.now.wall_ms, 9 * 2000); /* 30 a minute */
    ck_assert_int_le(at - rig.now.wall_ms, 9 * 2200);
    ck_assert(cJSON_IsNull(json_get(why, "estimate_unknown")));
    reply_free(&reply);

    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", "{\"reason\":\"storm\"}", 200);
    reply = rig_ask("GET", "/v1/jobs/eu%2Fj9", "viewer-token", NULL);
    why = json_get(reply.json, "why");
    ck_assert_str_eq(json_string(why, "estimate_unknown"), "pool_paused");
    ck_assert(cJSON_IsNull(json_get(why, "estimated_at")));
    ck_assert_str_eq(json_string(json_get(why, "paused"), "by"), "ops");
    ck_assert_str_eq(json_string(json_get(why, "paused"), "reason"), "storm");
    reply_free(&reply);

    rig_expect("POST", "/v1/pools/eu/resume", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", "{\"for_ms\":3600000}", 200);
    reply = rig_ask("GET", "/v1/jobs/eu%2Fj9", "viewer-token", NULL);
    why = json_get(reply.json, "why");
    ck_assert(time_parse(json_string(why, "estimated_at"), &at));
    ck_assert_int_ge(at - rig.now.wall_ms, 3600000);
    ck_assert_int_le(at - rig.now.wall_ms, 3600000 + 10 * 2200);
    reply_free(&reply);
}
END_TEST

/* ---- why not ---- */

/* covers: call GET /v1/lines/{line} */
START_TEST(a_line_says_all_that_keeps_it_from_being_open)
{
    static const char path[] = "/v1/lines/+12025550101";
    expect_words(path, "why", "no_worker");
    ready();
    expect_words(path, "why", "");
    rig_expect("POST", "/v1/lines/+12025550101/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/lines/+12025550101/cordon", "operator-token", NULL, 200);
    rig.now.wall_ms++, rig.now.mono_ms++;
    rig_poll_line(RIG_LINE_EU, REPUTATION_CRITICAL);
    expect_words(path, "why", "paused,line_paused,line_critical,line_cordoned");
    rig_expect("POST", "/v1/resume", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/lines/+12025550101/resume", "operator-token", NULL, 200);
    expect_words(path, "why", "line_critical,line_cordoned");
}
END_TEST

START_TEST(a_line_that_is_slow_for_want_of_word_says_what_is_wanted)
{
    ready();
    tick(200000); /* beyond stale_after_ms */
    core_worker_alive(rig.core, 1, rig.now, &rig.effects);
    rig_commit();
    struct reply reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "gate"), "slow");
    const cJSON *cause = cJSON_GetArrayItem(json_get(reply.json, "why"), 0);
    for (int i = 0; i < 2; i++) { /* why it takes no new conversations, and why it is slow */
        ck_assert_str_eq(json_string(cause, "reason"), i == 0 ? "line_at_risk" : "pace");
        ck_assert_msg(strstr(json_string(cause, "rule"), "stale_after_ms") != NULL, "%s", json_string(cause, "rule"));
        ck_assert_msg(strstr(json_string(cause, "release"), "poll") != NULL, "%s", json_string(cause, "release"));
        cause = cause->next;
    }
    reply_free(&reply);
}
END_TEST

START_TEST(a_line_that_is_drained_by_move_takes_new_conversations_again_when_that_ends)
{
    ready();
    rig_expect("POST", "/v1/lines/+12025550101/drain", "admin-token", "{\"mode\":\"move\"}", 200);
    struct reply reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    const cJSON *cause = cJSON_GetArrayItem(json_get(reply.json, "why"), 0);
    ck_assert_str_eq(json_string(cause, "reason"), "line_cordoned");
    ck_assert_msg(strstr(json_string(cause, "release"), "drain") != NULL, "%s", json_string(cause, "release"));
    reply_free(&reply);
}
END_TEST

/* covers: call GET /v1/jobs/{id}/why-not/{line} */
START_TEST(everything_that_keeps_a_job_from_a_line_is_named_in_order)
{
    ready();
    enqueue("a", "+14155550001", "");
    expect_words("/v1/jobs/eu%2Fa/why-not/+12025550101", "against", "");
    expect_words("/v1/jobs/eu%2Fa/why-not/+12025550102", "against", "unknown_line,line_critical");
    rig_expect("POST", "/v1/lines/+12025550101/cordon", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/conversations/eu/+14155550001/pause", "operator-token", NULL, 200);
    expect_words("/v1/jobs/eu%2Fa/why-not/+12025550101", "against", "conversation_paused,line_cordoned");
    enqueue("b", "+14155550002", ",\"from\":\"+12025550101\",\"class\":\"campaign\",\"campaign\":\"may\"");
    rig_expect("POST", "/v1/campaigns/eu/may/pause", "operator-token", NULL, 200);
    expect_words("/v1/jobs/eu%2Fb/why-not/+12025550101", "against", "campaign_paused,line_cordoned");
    expect_words("/v1/jobs/eu%2Fb/why-not/+12025550102", "against", "line_conflict,campaign_paused,line_critical");
    rig_expect("GET", "/v1/jobs/eu%2Fnobody/why-not/+12025550101", "viewer-token", NULL, 404);
    rig_expect("GET", "/v1/jobs/eu%2Fa/why-not/+12025559999", "viewer-token", NULL, 404);
    rig_expect("GET", "/v1/jobs/eu%2Fa/why-not/+12025550101", "viewer-us-token", NULL, 404);
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    rig_expect("GET", "/v1/jobs/eu%2Fa/why-not/+12025550101", "viewer-token", NULL, 409);
}
END_TEST

/* What is told under `word` must say that the operator's reputation has to end, and when it does by itself. */
static void expect_word_ends(const cJSON *told, int64_t until_ms)
{
    char until[TIME_TEXT_MAX];
    time_format(until_ms, until);
    ck_assert_str_eq(json_string(told, "reason"), "line_critical");
    ck_assert_str_eq(json_string(told, "release"), "the end of an operator's reputation of the line");
    ck_assert_str_eq(json_string(told, "release_at"), until);
}

START_TEST(what_an_operator_s_reputation_holds_is_released_by_its_end)
{
    static const char line[] = "/v1/lines/+12025550101", why_not[] = "/v1/jobs/eu%2Fa/why-not/+12025550101";
    ready();
    enqueue("a", "+14155550001", ",\"from\":\"+12025550101\"");
    rig_expect("POST", "/v1/lines/+12025550101/reputation", "operator-token",
               "{\"status\":\"CRITICAL\",\"for_ms\":60000,\"reason\":\"drill\"}", 200);
    int64_t until_ms = rig.now.wall_ms + 60000;
    struct reply reply = rig_ask("GET", "/v1/jobs/eu%2Fa", "viewer-token", NULL);
    expect_word_ends(json_get(reply.json, "why"), until_ms);
    reply_free(&reply);
    reply = rig_ask("GET", why_not, "viewer-token", NULL);
    expect_word_ends(cJSON_GetArrayItem(json_get(reply.json, "against"), 0), until_ms);
    reply_free(&reply);
    reply = rig_ask("GET", line, "viewer-token", NULL);
    expect_word_ends(cJSON_GetArrayItem(json_get(reply.json, "why"), 0), until_ms);
    reply_free(&reply);
    rig.now.wall_ms++, rig.now.mono_ms++;
    rig_poll_line(RIG_LINE_EU, REPUTATION_CRITICAL); /* now it is the provider's word */
    reply = rig_ask("GET", "/v1/jobs/eu%2Fa", "viewer-token", NULL);
    const cJSON *why = json_get(reply.json, "why");
    ck_assert_str_eq(json_string(why, "release"), "the line's recovery to HEALTHY, proven by a poll");
    ck_assert(cJSON_IsNull(json_get(why, "release_at")));
    reply_free(&reply);
}
END_TEST

/* ---- what would become of it ---- */

/* covers: call POST /v1/jobs */
START_TEST(a_dry_run_says_what_would_become_of_a_job_and_leaves_no_trace)
{
    ready();
    size_t records = rig.record_count;
    struct reply reply = would("{\"jobs\":[{\"id\":\"x\"," EU "\"to\":\"+14155550001\",\"campaign\":\"new one\"," TEXT "},"
                               "{\"id\":\"y\"," EU "\"to\":\"nobody\"," TEXT "},"
                               "{\"id\":\"z\"," EU "\"to\":\"+14155550002\",\"from\":\"+12025550102\"," TEXT "},"
                               "{" EU "\"to\":\"+14155550003\",\"send_after\":\"2036-01-01T00:00:00Z\"," TEXT "}]}");
    ck_assert_str_eq(json_string(result(&reply, 0), "id"), "x");
    ck_assert_str_eq(json_string(result(&reply, 0), "state"), "queued");
    ck_assert_str_eq(json_string(result(&reply, 0), "line"), "+12025550101");
    ck_assert(cJSON_IsNull(json_get(result(&reply, 0), "reason")));
    ck_assert_ptr_nonnull(json_string(result(&reply, 0), "estimated_at"));
    ck_assert_ptr_null(json_get(result(&reply, 0), "job"));
    ck_assert_str_eq(json_string(json_get(result(&reply, 1), "error"), "code"), "invalid_recipient");
    ck_assert_str_eq(json_string(json_get(result(&reply, 2), "error"), "code"), "unknown_line");
    ck_assert_str_eq(json_string(result(&reply, 3), "state"), "scheduled");
    ck_assert_str_eq(json_string(result(&reply, 3), "reason"), "not_yet_due");
    ck_assert_str_eq(json_string(result(&reply, 3), "estimated_at"), "2036-01-01T00:00:00.000Z");
    reply_free(&reply);
    ck_assert_uint_eq(rig.record_count, records);
    rig_expect("GET", "/v1/jobs/eu%2Fx", "viewer-token", NULL, 404);
    reply = rig_ask("GET", "/v1/campaigns", "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "campaigns")), 0);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101", "viewer-token", NULL);
    int64_t used = -1;
    ck_assert(json_int(json_get(json_get(reply.json, "budgets"), "new_conversations_per_day"), "used", &used));
    ck_assert_int_eq(used, 0);
    reply_free(&reply);
    enqueue("x", "+14155550099", ""); /* the id is free: another job may have it */
    reply = would("{\"id\":\"x\"," EU "\"to\":\"+14155550001\"," TEXT "}");
    ck_assert_str_eq(json_string(json_get(result(&reply, 0), "error"), "code"), "id_conflict");
    reply_free(&reply);
    reply = would("{\"id\":\"x\"," EU "\"to\":\"+14155550099\"," TEXT "}");
    ck_assert_str_eq(json_string(result(&reply, 0), "state"), "duplicate");
    reply_free(&reply);
}
END_TEST

START_TEST(a_dry_run_says_what_a_real_one_would)
{
    ready();
    rig_expect("PUT", "/v1/suppressions/default/+14155550009", "operator-token", "{\"cause\":\"operator\",\"reason\":\"asked\"}", 200);
    enqueue("one", "+14155550001", ",\"campaign\":\"may\"");
    rig_expect("POST", "/v1/campaigns/eu/may/pause", "operator-token", NULL, 200);
    static const char *const jobs[] = {
        "{" EU "\"to\":\"+14155550009\"," TEXT "}", /* opted out */
        "{" EU "\"to\":\"+14155550001\"," TEXT "}", /* behind a paused campaign's */
        "{" EU "\"to\":\"+14155550002\",\"campaign\":\"may\"," TEXT "}",
        "{" EU "\"to\":\"+14155550003\",\"if_held\":\"fail\",\"campaign\":\"may\"," TEXT "}",
        "{" EU "\"to\":\"+14155550004\",\"expires_at\":\"2020-01-01T00:00:00Z\"," TEXT "}",
        "{\"pool\":\"us\",\"to\":\"+14155550001\",\"from\":\"+12025550102\"," TEXT "}",
        "{" EU "\"to\":\"+14155550005\",\"message\":{\"parts\":[{\"type\":\"link\",\"value\":\"https://a.example\"}]}}",
    };
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct reply dry = would(jobs[i]);
        struct reply real = rig_ask("POST", "/v1/jobs", "admin-token", jobs[i]);
        const cJSON *said = result(&dry, 0), *was = result(&real, 0);
        const char *code = json_string(json_get(was, "error"), "code");
        if (code != NULL) {
            ck_assert_str_eq(json_string(json_get(said, "error"), "code"), code);
        } else {
            const char *reason = json_string(was, "reason"), *told = json_string(said, "reason");
            ck_assert_str_eq(json_string(said, "state"), json_string(was, "state"));
            ck_assert_str_eq(told != NULL ? told : "", reason != NULL ? reason : "");
        }
        reply_free(&dry);
        reply_free(&real);
    }
}
END_TEST

/* ---- the shape of the backlog ---- */

static int64_t age(const cJSON *row, int at)
{
    return (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(json_get(row, "ages"), at));
}

/* covers: call GET /v1/shape */
START_TEST(the_backlog_is_counted_by_age_and_reason)
{
    rig_expect("POST", "/v1/pools/us/pause", "operator-token", NULL, 200);
    enqueue("old", "+14155550001", "");
    tick(90 * 60000); /* 160: less than that, more than 80 */
    enqueue("new1", "+14155550002", ",\"campaign\":\"may\"");
    enqueue("new2", "+14155550003", ",\"campaign\":\"may\"");
    rig_expect("POST", "/v1/campaigns/eu/may/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/jobs", "admin-token", "{\"pool\":\"us\",\"to\":\"+14155550004\"," TEXT "}", 200);
    struct reply reply = rig_ask("GET", "/v1/shape?by=pool", "viewer-token", NULL);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    const cJSON *rows = json_get(reply.json, "shape"), *total = json_get(reply.json, "total");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(total, "ages")), SHAPE_AGES);
    ck_assert_int_eq(age(total, 0), 3);
    ck_assert_int_eq(age(total, 5), 1);
    ck_assert_int_eq(cJSON_GetArraySize(rows), 3);
    const cJSON *largest = cJSON_GetArrayItem(rows, 0);
    ck_assert_str_eq(json_string(largest, "pool"), "eu");
    ck_assert_str_eq(json_string(largest, "reason"), "campaign_paused");
    ck_assert_int_eq(age(largest, 0), 2);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/shape?by=campaign&limit=1&pool=eu", "viewer-token", NULL);
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(json_get(reply.json, "shape"), 0), "campaign"), "may");
    int64_t left_off = 0;
    ck_assert(json_int(reply.json, "left_off", &left_off));
    ck_assert_int_eq(left_off, 1);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/shape", "viewer-us-token", NULL); /* of its own pool only */
    ck_assert_int_eq(age(json_get(reply.json, "total"), 0), 1);
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(json_get(reply.json, "shape"), 0), "reason"), "pool_paused");
    reply_free(&reply);
    rig_expect("GET", "/v1/shape?by=moon", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/shape?pool=eu", "viewer-us-token", NULL, 404);
}
END_TEST

/* covers: call GET /v1/lines/{line}/conversations */
START_TEST(the_conversations_of_a_line_are_listed_by_the_health_of_their_chats)
{
    static const char *const health[] = {"CRITICAL", "AT_RISK", "HEALTHY", "CRITICAL"};
    for (unsigned i = 0; i < 4; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"conversations\":[{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"+1415555000%u\",\"chat_id\":\"c%u\","
                 "\"health\":\"%s\"}]}", i, i, health[i]);
        rig_expect("POST", "/v1/conversations/import", "operator-token", body, 200);
    }
    struct reply reply = rig_ask("GET", "/v1/lines/+12025550101/conversations?health=CRITICAL", "viewer-token", NULL);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "conversations")), 2);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101/conversations", "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "conversations")), 4);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/lines/+12025550101/conversations?health=AT_RISK,CRITICAL", "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "conversations")), 3);
    reply_free(&reply);
    rig_expect("GET", "/v1/lines/+12025550101/conversations?health=CRITICAL,", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/lines/+12025550101/conversations?health=fine", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/lines/+12025550101/conversations", "viewer-us-token", NULL, 404);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_why");
    TCase *tests = tcase_create("admin_why");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, a_job_s_view_says_when_it_goes_and_how_many_go_before);
    tcase_add_test(tests, a_line_says_all_that_keeps_it_from_being_open);
    tcase_add_test(tests, a_line_that_is_slow_for_want_of_word_says_what_is_wanted);
    tcase_add_test(tests, a_line_that_is_drained_by_move_takes_new_conversations_again_when_that_ends);
    tcase_add_test(tests, everything_that_keeps_a_job_from_a_line_is_named_in_order);
    tcase_add_test(tests, what_an_operator_s_reputation_holds_is_released_by_its_end);
    tcase_add_test(tests, a_dry_run_says_what_would_become_of_a_job_and_leaves_no_trace);
    tcase_add_test(tests, a_dry_run_says_what_a_real_one_would);
    tcase_add_test(tests, the_backlog_is_counted_by_age_and_reason);
    tcase_add_test(tests, the_conversations_of_a_line_are_listed_by_the_health_of_their_chats);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
