/* GET /v1/pauses: what each pause holds, counted over turns of the owner; who is told. */
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define LINE "/v1/lines/+12025550101"

static void enqueue(const char *pool, unsigned n, unsigned recipient, const char *more)
{
    char body[320];
    snprintf(body, sizeof body, "{\"id\":\"n%u\",\"pool\":\"%s\",\"to\":\"+1415555%04u\"%s,\"message\":{}}", n, pool,
             recipient, more);
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
    rig.now.wall_ms += 1000;
}

/* The only pause of that scope, as a copy; cJSON_Delete(). */
static cJSON *pause_of(const char *scope, const char *token)
{
    struct reply reply = rig_ask("GET", "/v1/pauses", token, NULL);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    const cJSON *pause;
    cJSON *found = NULL;
    cJSON_ArrayForEach(pause, json_get(reply.json, "pauses"))
    {
        if (strcmp(json_string(pause, "scope"), scope) == 0 && found == NULL)
            found = cJSON_Duplicate(pause, true);
    }
    reply_free(&reply);
    ck_assert_ptr_nonnull(found);
    return found;
}

static void expect_held(const char *scope, int64_t jobs, int64_t recipients, int64_t oldest_ms)
{
    int64_t said = -1;
    char oldest[TIME_TEXT_MAX] = "null";
    cJSON *pause = pause_of(scope, "viewer-token");
    ck_assert_msg(json_int(pause, "jobs", &said) && said == jobs, "%s: %lld jobs, not %lld", scope, (long long)said,
                  (long long)jobs);
    ck_assert_msg(json_int(pause, "recipients", &said) && said == recipients, "%s: %lld recipients, not %lld", scope,
                  (long long)said, (long long)recipients);
    if (oldest_ms != 0)
        time_format(oldest_ms, oldest);
    const char *at = json_string(pause, "oldest_at");
    ck_assert_msg(strcmp(at != NULL ? at : "null", oldest) == 0, "%s: oldest %s, not %s", scope, at, oldest);
    ck_assert(!json_bool(pause, "counting", true));
    cJSON_Delete(pause);
}

/* covers: call GET /v1/pauses */
START_TEST(each_pause_says_how_many_jobs_and_recipients_it_holds_and_since_when)
{
    int64_t begun_ms = rig.now.wall_ms;
    enqueue("eu", 1, 1, "");                                        /* + 0 s */
    enqueue("eu", 2, 1, ",\"campaign\":\"spring\"");                /* + 1 s */
    enqueue("eu", 3, 2, ",\"campaign\":\"spring\"");                /* + 2 s */
    enqueue("eu", 4, 3, ",\"from\":\"+12025550101\"");              /* + 3 s: that line's, the others may go on any */
    enqueue("us", 5, 1, "");                                        /* + 4 s */
    enqueue("us", 6, 1, ",\"send_after\":\"2099-01-01T00:00:00Z\""); /* not due: nobody holds it */
    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", NULL, 200);
    expect_held("pool", 4, 3, begun_ms);
    rig_expect("POST", "/v1/campaigns/eu/spring/pause", "operator-token", NULL, 200);
    expect_held("campaign", 2, 2, begun_ms + 1000);
    rig_expect("POST", LINE "/pause", "operator-token", NULL, 200);
    expect_held("line", 1, 1, begun_ms + 3000);
    rig_expect("POST", "/v1/conversations/eu/+14155550001/pause", "operator-token", NULL, 200);
    expect_held("conversation", 2, 1, begun_ms);
    rig_expect("POST", "/v1/accounts/default/pause", "operator-token", NULL, 200);
    expect_held("account", 5, 4, begun_ms);
    rig_expect("POST", "/v1/pause", "operator-token", NULL, 200);
    expect_held("all", 5, 4, begun_ms);
    expect_held("pool", 4, 3, begun_ms); /* and the first one still */
}
END_TEST

static void expect_oldest(const char *line, int64_t oldest_ms)
{
    char oldest[TIME_TEXT_MAX] = "null";
    struct reply reply = rig_ask("GET", line, "viewer-token", NULL);
    ck_assert_msg(reply.status == 200, "%s", reply.body);
    const char *at = json_string(reply.json, "oldest_at");
    if (oldest_ms != 0)
        time_format(oldest_ms, oldest);
    ck_assert_msg(strcmp(at != NULL ? at : "null", oldest) == 0, "oldest %s, not %s", at, oldest);
    reply_free(&reply);
}

START_TEST(a_line_says_since_when_its_oldest_job_waits_to_the_minute)
{
    rig_expect("POST", LINE "/pause", "operator-token", NULL, 200);
    expect_oldest(LINE, 0);
    rig.now.mono_ms += 2000;
    rig.now.wall_ms += 60000 - rig.now.wall_ms % 60000 + 30000; /* half past a minute */
    int64_t minute_ms = rig.now.wall_ms - 30000;
    enqueue("eu", 1, 1, ",\"from\":\"+12025550101\"");
    rig.now.wall_ms += 5 * 60000;
    enqueue("eu", 2, 2, ",\"from\":\"+12025550101\"");
    expect_oldest(LINE, minute_ms);
    rig_expect("DELETE", "/v1/jobs/eu%2Fn1", "operator-token", NULL, 200);
    expect_oldest(LINE, minute_ms); /* what was found is good for a second */
    rig.now.mono_ms += 2000;
    expect_oldest(LINE, minute_ms + 5 * 60000);
}
END_TEST

START_TEST(a_pause_that_holds_nothing_says_so)
{
    rig_expect("POST", "/v1/pools/us/pause", "operator-token", NULL, 200);
    enqueue("eu", 1, 1, "");
    expect_held("pool", 0, 0, 0);
}
END_TEST

START_TEST(several_pauses_on_one_thing_hold_the_same_and_the_younger_one_goes_on_alone)
{
    char body[64];
    enqueue("eu", 1, 1, "");
    struct reply reply = rig_ask("POST", "/v1/pools/eu/pause", "operator-token", NULL);
    snprintf(body, sizeof body, "{\"pause\":\"%s\"}", json_string(reply.json, "pause"));
    reply_free(&reply);
    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", NULL, 200);
    reply = rig_ask("GET", "/v1/pauses", "viewer-token", NULL);
    const cJSON *pause;
    cJSON_ArrayForEach(pause, json_get(reply.json, "pauses"))
    {
        int64_t jobs = 0;
        ck_assert(json_int(pause, "jobs", &jobs));
        ck_assert_int_eq(jobs, 1);
    }
    reply_free(&reply);
    rig_expect("POST", "/v1/pools/eu/resume", "operator-token", body, 200);
    expect_held("pool", 1, 1, rig.now.wall_ms - 1000);
}
END_TEST

START_TEST(a_count_is_made_anew_when_it_is_old_or_the_pauses_are_others)
{
    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", NULL, 200);
    expect_held("pool", 0, 0, 0);
    enqueue("eu", 1, 1, "");
    expect_held("pool", 0, 0, 0); /* that was a moment ago */
    rig.now.mono_ms += 1000;
    expect_held("pool", 1, 1, rig.now.wall_ms - 1000);
    enqueue("eu", 2, 2, "");
    rig_expect("POST", "/v1/pools/us/pause", "operator-token", NULL, 200);
    expect_held("pool", 2, 2, rig.now.wall_ms - 2000);
}
END_TEST

static void await_arrival(void)
{
    struct pollfd wakes = {.fd = admin_fd(rig.admin), .events = POLLIN};
    ck_assert_int_eq(poll(&wakes, 1, RIG_WAIT_MS), 1);
}

START_TEST(a_long_count_is_said_to_be_under_way_and_goes_on_by_itself)
{
    for (unsigned n = 1; n <= 4500; n++)
        enqueue("eu", n, n % 100, "");
    rig_expect("POST", "/v1/pools/eu/pause", "operator-token", NULL, 200);
    int fd = rig_ask_begin("GET", "/v1/pauses", "viewer-token", NULL);
    await_arrival();
    ck_assert(admin_serve(rig.admin, rig.core, rig.now, &rig.effects)); /* one slice is not enough */
    rig.now.mono_ms += 10000;                                           /* and a busy owner takes its time */
    ck_assert(admin_serve(rig.admin, rig.core, rig.now, &rig.effects));
    rig_serve(); /* nobody asks any more, and it comes to its end */
    struct reply reply = rig_receive(fd);
    ck_assert_int_eq(reply.status, 200);
    ck_assert(json_bool(reply.json, "counting", false));
    const cJSON *pause = cJSON_GetArrayItem(json_get(reply.json, "pauses"), 0);
    ck_assert(cJSON_IsNull(json_get(pause, "jobs")));
    ck_assert(json_bool(pause, "counting", false));
    reply_free(&reply);
    expect_held("pool", 4500, 100, INT64_C(1795428000000));
    enqueue("eu", 4501, 1, "");
    rig.now.mono_ms += 1004; /* it took longer than a short one, and is good for longer */
    expect_held("pool", 4500, 100, INT64_C(1795428000000));
    rig.now.mono_ms += 10;
    expect_held("pool", 4501, 100, INT64_C(1795428000000));
}
END_TEST

START_TEST(a_pause_that_began_while_others_were_counted_is_counted_before_it_is_told)
{
    const struct core_pause pause = {.scope = PAUSE_POOL, .target = 0, .name = "", .reason = "", .by = "ops"};
    int64_t jobs = 0;
    for (unsigned n = 1; n <= 4500; n++)
        enqueue("eu", n, n % 100, "");
    int first = rig_ask_begin("GET", "/v1/pauses", "viewer-token", NULL);
    await_arrival();
    ck_assert(admin_serve(rig.admin, rig.core, rig.now, &rig.effects)); /* one slice of it */
    core_pause(rig.core, &pause, rig.now, &rig.effects);
    rig_commit();
    int second = rig_ask_begin("GET", "/v1/pauses", "viewer-token", NULL);
    await_arrival();
    struct reply reply = rig_receive(second);
    const cJSON *told = cJSON_GetArrayItem(json_get(reply.json, "pauses"), 0);
    ck_assert_msg(json_int(told, "jobs", &jobs) && jobs == 4500, "%s", reply.body);
    ck_assert(!json_bool(told, "counting", true));
    reply_free(&reply);
    reply = rig_receive(first);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
}
END_TEST

START_TEST(who_is_limited_to_pools_is_not_told_what_others_have_waiting)
{
    enqueue("eu", 1, 1, "");
    rig_expect("POST", "/v1/pause", "operator-token", NULL, 200);
    rig_expect("POST", "/v1/pools/us/pause", "operator-token", NULL, 200);
    cJSON *pause = pause_of("all", "viewer-us-token");
    ck_assert(cJSON_IsNull(json_get(pause, "jobs")));
    ck_assert(cJSON_IsNull(json_get(pause, "recipients")));
    ck_assert(cJSON_IsNull(json_get(pause, "oldest_at")));
    ck_assert(!json_bool(pause, "counting", true));
    cJSON_Delete(pause);
    pause = pause_of("pool", "viewer-us-token");
    ck_assert(!cJSON_IsNull(json_get(pause, "jobs")));
    cJSON_Delete(pause);
}
END_TEST

START_TEST(pages_of_pauses_have_each_once)
{
    unsigned seen = 0;
    char target[64] = "/v1/pauses?limit=7";
    for (unsigned i = 0; i < 40; i++)
        rig_expect("POST", "/v1/pools/eu/pause", "operator-token", NULL, 200);
    for (bool more = true; more;) {
        struct reply reply = rig_ask("GET", target, "viewer-token", NULL);
        const char *next = json_string(reply.json, "next");
        seen += (unsigned)cJSON_GetArraySize(json_get(reply.json, "pauses"));
        more = next != NULL;
        if (more)
            snprintf(target, sizeof target, "/v1/pauses?limit=7&after=%s", next);
        reply_free(&reply);
    }
    ck_assert_uint_eq(seen, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_pauses");
    TCase *tests = tcase_create("admin_pauses");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, each_pause_says_how_many_jobs_and_recipients_it_holds_and_since_when);
    tcase_add_test(tests, a_line_says_since_when_its_oldest_job_waits_to_the_minute);
    tcase_add_test(tests, a_pause_that_holds_nothing_says_so);
    tcase_add_test(tests, several_pauses_on_one_thing_hold_the_same_and_the_younger_one_goes_on_alone);
    tcase_add_test(tests, a_count_is_made_anew_when_it_is_old_or_the_pauses_are_others);
    tcase_add_test(tests, a_long_count_is_said_to_be_under_way_and_goes_on_by_itself);
    tcase_add_test(tests, a_pause_that_began_while_others_were_counted_is_counted_before_it_is_told);
    tcase_add_test(tests, who_is_limited_to_pools_is_not_told_what_others_have_waiting);
    tcase_add_test(tests, pages_of_pauses_have_each_once);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
