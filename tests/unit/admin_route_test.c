/* Which call a request means: methods, paths, escapes, roles. */
#include "broker/edge/admin_route.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static char path[256];

static struct route_match find(const char *method, const char *text)
{
    snprintf(path, sizeof path, "%s", text);
    return route_find(method, path);
}

START_TEST(a_call_is_found_by_method_and_path)
{
    static const struct {
        const char *method, *path, *route;
    } calls[] = {
        {"GET", "/", "/"},
        {"GET", "/healthz", "/healthz"},
        {"HEAD", "/readyz", "/readyz"},
        {"GET", "/v1/jobs", "/v1/jobs"},
        {"POST", "/v1/jobs", "/v1/jobs"},
        {"GET", "/v1/jobs/j_1", "/v1/jobs/{id}"},
        {"DELETE", "/v1/jobs/j_1", "/v1/jobs/{id}"},
        {"POST", "/v1/lines/+12025550101/pause", "/v1/lines/{line}/pause"},
        {"POST", "/v1/pause", "/v1/pause"},
        {"POST", "/v1/jobs/j_1/settle", "/v1/jobs/{id}/settle"},
        {"POST", "/v1/dead/requeue", "/v1/dead/requeue"},
        {"POST", "/v1/dead/j_1/requeue", "/v1/dead/{id}/requeue"},
        {"GET", "/v1/l%69nes", "/v1/lines"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct route_match match = find(calls[i].method, calls[i].path);
        ck_assert_msg(match.route != NULL, "%s %s", calls[i].method, calls[i].path);
        ck_assert_str_eq(match.route->path, calls[i].route);
    }
}
END_TEST

START_TEST(a_path_is_split_before_it_is_decoded)
{
    struct route_match match = find("GET", "/v1/jobs/eu%2Forder%2f1");
    ck_assert_ptr_nonnull(match.route);
    ck_assert_str_eq(match.parts[0], "eu/order/1");
    match = find("GET", "/v1/lines/%2B12025550101");
    ck_assert_str_eq(match.parts[0], "+12025550101");
    match = find("GET", "/v1/lines/+12025550101");
    ck_assert_str_eq(match.parts[0], "+12025550101");
    ck_assert_ptr_null(find("GET", "/v1/jobs/eu/order/1").route);
    ck_assert_ptr_null(find("GET", "/v1%2Fjobs").route);
}
END_TEST

START_TEST(what_is_no_path_of_ours_is_nothing)
{
    static const char *const paths[] = {"",
                                        "v1/jobs",
                                        "//",
                                        "/v1",
                                        "/v1/",
                                        "/v1/jobs/",
                                        "/v1/job",
                                        "/v1/jobsx",
                                        "/v1/jobs/%",
                                        "/v1/jobs/%0",
                                        "/v1/jobs/%zz",
                                        "/v1/jobs/a%00b",
                                        "/v1/lines//pause",
                                        "/V1/jobs",
                                        "/a/b/c/d/e/f/g/h/i/j",
                                        "/v1/events/streams",
                                        "*"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct route_match match = find("GET", paths[i]);
        ck_assert_msg(match.route == NULL && match.allow[0] == '\0', "%s", paths[i]);
    }
}
END_TEST

START_TEST(a_wrong_method_learns_the_right_ones)
{
    struct route_match match = find("PUT", "/v1/jobs");
    ck_assert_ptr_null(match.route);
    ck_assert_str_eq(match.allow, "GET, POST");
    match = find("get", "/v1/jobs/j_1");
    ck_assert_str_eq(match.allow, "GET, DELETE");
}
END_TEST

START_TEST(roles_may_do_what_the_contract_gives_them)
{
    static const struct {
        const char *method, *path;
        bool may[ROLE_COUNT]; /* producer, viewer, operator, admin */
    } calls[] = {
        {"POST", "/v1/jobs", {true, false, true, true}},
        {"GET", "/v1/jobs", {true, true, true, true}},
        {"GET", "/v1/jobs/x", {true, true, true, true}},
        {"DELETE", "/v1/jobs/x", {true, false, true, true}},
        {"GET", "/v1/status", {false, true, true, true}},
        {"GET", "/metrics", {false, true, true, true}},
        {"GET", "/v1/events", {false, true, true, true}},
        {"POST", "/v1/lines/+1/pause", {false, false, true, true}},
        {"POST", "/v1/lines/+1/resume", {false, false, true, true}},
        {"POST", "/v1/pause", {false, false, true, true}},
        {"POST", "/v1/lines/+1/drain", {false, false, true, true}},
        {"DELETE", "/v1/lines/+1/drain", {false, false, true, true}},
        {"PUT", "/v1/conversations/eu/+1/line", {false, false, true, true}},
        {"POST", "/v1/lines/+1/reputation", {false, false, true, true}},
        {"DELETE", "/v1/lines/+1/reputation", {false, false, true, true}},
        {"POST", "/v1/lines/+1/cordon", {false, false, true, true}},
        {"POST", "/v1/lines/+1/uncordon", {false, false, true, true}},
        {"POST", "/v1/jobs/x/settle", {false, false, true, true}},
        {"GET", "/v1/dead", {false, true, true, true}},
        {"POST", "/v1/dead/x/requeue", {false, false, true, true}},
        {"POST", "/v1/dead/requeue", {false, false, true, true}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct route_match match = find(calls[i].method, calls[i].path);
        for (enum role role = 0; role < ROLE_COUNT; role++)
            ck_assert_msg(route_allows(match.route, role) == calls[i].may[role], "%s %s as %s", calls[i].method,
                          calls[i].path, role_name(role));
    }
}
END_TEST

START_TEST(only_health_and_the_front_page_need_no_token)
{
    static const char *const open[] = {"/", "/healthz", "/readyz"};
    static const char *const closed[] = {"/metrics",     "/v1/status", "/v1/jobs",    "/v1/jobs/x", "/v1/lines",
                                         "/v1/lines/+1", "/v1/pools",  "/v1/workers", "/v1/pauses", "/v1/events"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        ck_assert_uint_eq(find("GET", open[i]).route->roles, 0);
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        ck_assert_uint_ne(find("GET", closed[i]).route->roles, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_route");
    TCase *tests = tcase_create("admin_route");
    tcase_add_test(tests, a_call_is_found_by_method_and_path);
    tcase_add_test(tests, a_path_is_split_before_it_is_decoded);
    tcase_add_test(tests, what_is_no_path_of_ours_is_nothing);
    tcase_add_test(tests, a_wrong_method_learns_the_right_ones);
    tcase_add_test(tests, roles_may_do_what_the_contract_gives_them);
    tcase_add_test(tests, only_health_and_the_front_page_need_no_token);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
