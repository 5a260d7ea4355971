/* The status page of a broker with more pools than it names: which of them it names, and to whom. */
#define MANY_1(n) "  p" n ": {account: default, lines: []}\n"
#define MANY_4(n) MANY_1(n "0") MANY_1(n "1") MANY_1(n "2") MANY_1(n "3")
#define MANY_16(n) MANY_4(n "0") MANY_4(n "1") MANY_4(n "2") MANY_4(n "3")
#define MANY_64(n) MANY_16(n "0") MANY_16(n "1") MANY_16(n "2") MANY_16(n "3")
#define RIG_MORE_POOLS MANY_64("0") MANY_64("1") MANY_64("2") MANY_64("3") "  elsewhere: {account: default, lines: []}\n"
#define RIG_NAMES_MAX 512
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define NAMED_MAX 256 /* pools on the page */

/* covers: call GET /v1/status */
START_TEST(who_may_see_one_of_many_pools_finds_it_on_the_status_page)
{
    struct reply reply = rig_ask("GET", "/v1/status", "viewer-elsewhere-token", NULL);
    const cJSON *pools = json_get(reply.json, "pools");
    ck_assert_int_eq(cJSON_GetArraySize(pools), 1);
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(pools, 0), "pool"), "elsewhere");
    reply_free(&reply);
    rig_expect("GET", "/v1/status", "producer-eu-token", NULL, 403);
    reply = rig_ask("GET", "/v1/status", "viewer-token", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "pools")), NAMED_MAX);
    reply_free(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_pools");
    TCase *tests = tcase_create("admin_pools");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, who_may_see_one_of_many_pools_finds_it_on_the_status_page);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
