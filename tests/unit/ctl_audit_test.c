/* linewardctl audit: what it asks for, page by page, and what it writes. */
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

#define RECORD(n)                                                                                                      \
    "{\"audit\":" n ",\"at\":\"2026-11-23T10:00:00.000Z\",\"by\":\"ops\",\"role\":\"operator\","                       \
    "\"call\":\"POST /v1/lines/{line}/cordon\",\"target\":{\"line\":\"+1202\"},\"to\":null,\"line\":\"+1202\","        \
    "\"pool\":\"eu\",\"asked\":{},\"reason\":\"re\\u001bview\","                                                     \
    "\"before\":{\"pauses\":[],\"drain\":null,\"cordoned\":false},"                                                       \
    "\"after\":{\"pauses\":[{\"pause\":\"p_1\"},{\"pause\":\"p_2\"}],\"drain\":null,\"cordoned\":true},\"code\":null}"

static void teardown(void)
{
    said_free();
}

START_TEST(every_page_is_asked_for_with_the_filters)
{
    static const struct reply script[] = {{200, "{\"audit\":[" RECORD("1") "],\"next\":\"1\"}"},
                                          {200, "{\"audit\":[" RECORD("2") "],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("audit", W("--since"), W("2026-11-23T00:00:00Z"), W("--by"), W("ops"), W("--line"), W("+1202"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_assert_str_eq(server.seen[0].url,
                     "/v1/audit?limit=1000&since=2026-11-23T00%3A00%3A00.000Z&by=ops&line=%2B1202");
    assert_says(server.seen[1].url, "&after=1&");
    assert_says(said.out, "ops/operator  POST /v1/lines/{line}/cordon  target={\"line\":\"+1202\"}");
    assert_says(said.out, "  cordoned: false -> true\n");
    assert_says(said.out, "  pauses: [] -> p_1,p_2  ");
    assert_silent(said.out, "drain");
    assert_silent(said.out, "\033");
    server_stop();
}
END_TEST

START_TEST(an_export_is_json_lines_in_a_file_of_its_own)
{
    static const struct reply script[] = {{200, "{\"audit\":[" RECORD("1") "," RECORD("2") "],\"next\":null}"}};
    char folder[] = "/tmp/lineward-ctl-audit-XXXXXX";
    char path[64];
    char line[1024];
    int lines = 0;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/audit.jsonl", folder);
    SERVER_START(script);
    RUN_ADMIN("audit", W("--export"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "2 records");
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        cJSON *record = json_parse(line, strcspn(line, "\n"), NULL);
        ck_assert_str_eq(json_string(record, "by"), "ops");
        cJSON_Delete(record);
        lines++;
    }
    fclose(file);
    ck_assert_int_eq(lines, 2);
    RUN_ADMIN("audit", W("--export"), path); /* it is there already */
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    unlink(path);
    rmdir(folder);
    server_stop();
}
END_TEST

START_TEST(a_span_counts_back_from_now_and_anything_else_is_wrong_usage)
{
    static const struct reply script[] = {{200, "{\"audit\":[],\"next\":null}"}};
    SERVER_START(script);
    RUN_ADMIN("audit", W("--since"), W("soon"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("audit", W("--since"), W("24h"), W("--json"), W("--newest"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(server.seen[0].url, "since=20");
    assert_says(server.seen[0].url, "&order=newest");
    assert_says(said.out, "{\"audit\":[]}");
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_audit");
    TCase *tests = tcase_create("ctl_audit");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, every_page_is_asked_for_with_the_filters);
    tcase_add_test(tests, an_export_is_json_lines_in_a_file_of_its_own);
    tcase_add_test(tests, a_span_counts_back_from_now_and_anything_else_is_wrong_usage);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
