/* A pool that another broker owns, over HTTP: every way to it says where that one is, and nothing is done. */
#define RIG_MORE_POOLS                                                                                               \
    "  far: {lines: [\"+12025550108\"], owner: \"tcp://10.0.0.2:7710\", owner_admin: \"https://10.0.0.2:7781\"}\n"
#include "admin_rig.h"
#include "tests/support/suite.h"

#define JOB(pool, id) "{\"pool\":\"" pool "\",\"id\":\"" id "\",\"to\":\"+14155550101\",\"message\":{\"parts\":[]}}"

static void ck_not_owner(const cJSON *error)
{
    ck_assert_str_eq(json_string(error, "code"), "not_owner");
    ck_assert_str_eq(json_string(error, "message"), "pool: another broker owns it, at tcp://10.0.0.2:7710");
    ck_assert_str_eq(json_string(error, "owner"), "tcp://10.0.0.2:7710");
    ck_assert_str_eq(json_string(error, "owner_admin"), "https://10.0.0.2:7781");
}

/* covers: code not_owner; call POST /v1/jobs */
START_TEST(jobs_of_another_brokers_pool_are_refused_with_its_addresses)
{
    static const char *const paths[] = {"/v1/jobs", "/v1/jobs?dry_run=1"};
    for (size_t i = 0; i < 2; i++) {
        struct reply reply = rig_ask("POST", paths[i], "operator-token", JOB("far", "a"));
        ck_assert_int_eq(reply.status, 421);
        const cJSON *results = json_get(reply.json, "results");
        ck_assert_int_eq(cJSON_GetArraySize(results), 1);
        ck_assert_str_eq(json_string(cJSON_GetArrayItem(results, 0), "id"), "a");
        ck_not_owner(json_get(cJSON_GetArrayItem(results, 0), "error"));
        reply_free(&reply);
    }
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token",
                                 "{\"jobs\":[" JOB("far", "a") "," JOB("eu", "a") "," JOB("far", "b") "]}");
    ck_assert_int_eq(reply.status, 200); /* some of it was done */
    const cJSON *results = json_get(reply.json, "results");
    ck_not_owner(json_get(cJSON_GetArrayItem(results, 0), "error"));
    ck_assert_ptr_nonnull(json_string(cJSON_GetArrayItem(results, 1), "job"));
    ck_not_owner(json_get(cJSON_GetArrayItem(results, 2), "error"));
    reply_free(&reply);
    reply = rig_ask("POST", "/v1/jobs", "producer-eu-token", JOB("far", "a"));
    ck_assert_int_eq(reply.status, 200);
    results = json_get(reply.json, "results");
    ck_assert_str_eq(json_string(json_get(cJSON_GetArrayItem(results, 0), "error"), "code"), "unknown_pool");
    reply_free(&reply);
}
END_TEST

START_TEST(a_job_of_another_brokers_pool_is_asked_after_there)
{
    static const struct {
        const char *method, *path;
    } calls[] = {{"GET", "/v1/jobs/far%2Fa"}, {"DELETE", "/v1/jobs/far%2Fa"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct reply reply = rig_ask(calls[i].method, calls[i].path, "operator-token", NULL);
        ck_assert_int_eq(reply.status, 421);
        ck_not_owner(json_get(reply.json, "error"));
        reply_free(&reply);
        rig_expect(calls[i].method, calls[i].path, "producer-eu-token", NULL, 404); /* learns nothing */
    }
    rig_expect("GET", "/v1/jobs/nowhere%2Fa", "operator-token", NULL, 404);
}
END_TEST

START_TEST(pools_say_who_owns_them)
{
    struct reply reply = rig_ask("GET", "/v1/pools", "operator-token", NULL);
    const cJSON *pools = json_get(reply.json, "pools");
    ck_assert_int_eq(cJSON_GetArraySize(pools), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *pool = cJSON_GetArrayItem(pools, i);
        const char *owner = json_string(pool, "owner");
        if (strcmp(json_string(pool, "pool"), "far") == 0)
            ck_assert_str_eq(owner, "tcp://10.0.0.2:7710");
        else
            ck_assert_ptr_null(owner);
    }
    reply_free(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_owner");
    TCase *tests = tcase_create("admin_owner");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, jobs_of_another_brokers_pool_are_refused_with_its_addresses);
    tcase_add_test(tests, a_job_of_another_brokers_pool_is_asked_after_there);
    tcase_add_test(tests, pools_say_who_owns_them);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
