/* linewardctl triage: what it asks for, that it does nothing without --yes, and how it adds up what it is told. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"
#include "tests/unit/ctl_synced.h"

#define ANSWER(dry, jobs, recipients, oldest, class, stay, sample, next)                                             \
    "{\"action\":\"cancel\",\"dry_run\":" dry ",\"jobs\":" jobs ",\"recipients\":" recipients ",\"oldest_at\":" oldest \
    ",\"by_class\":{\"reply\":0,\"campaign\":" class "},\"by_reason\":{\"line_critical\":" class "},\"stay\":" stay    \
    ",\"stays\":{\"leased\":" stay "},\"sample\":[" sample "],\"next\":" next "}"

START_TEST(without_yes_it_only_says_what_it_would_do)
{
    static const struct reply script[] = {
        {200, ANSWER("true", "1200", "800", "\"2026-11-22T10:00:00.000Z\"", "1200", "2", "\"j_1\",\"j_2\"", "\"5.7\"")},
        {200, ANSWER("true", "3", "2", "\"2026-11-21T10:00:00.000Z\"", "3", "0", "\"j_3\"", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("cancel"), W("--line"), W("+1202"), W("--class"), W("campaign"), W("--waits-for"),
              W("line_critical"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    assert_asked(0, "POST", "/v1/triage/cancel?line=%2B1202&class=campaign&reason=line_critical&dry_run=1");
    assert_asked(1, "POST", "/v1/triage/cancel?line=%2B1202&class=campaign&reason=line_critical&after=5.7&dry_run=1");
    assert_says(said.out, "would cancel  1,203 jobs to 802 conversations");
    assert_says(said.out, "by class      campaign 1,203\n");
    assert_says(said.out, "stay 2:       leased 2\n");
    assert_says(said.out, "such as       j_1 j_2 j_3\n");
    assert_says(said.out, "Nothing was changed");
    assert_silent(said.out, "reply");
    server_stop();
}
END_TEST

START_TEST(with_yes_it_goes_on_until_none_is_left_and_needs_a_reason)
{
    static const struct reply script[] = {{200, ANSWER("false", "1000", "null", "null", "1000", "0", "", "\"9.7\"")},
                                          {200, ANSWER("false", "5", "null", "null", "5", "1", "", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--yes"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--yes"), W("--reason"), W(""));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--yes"), W("--reason"), W("too old"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/triage/cancel?pool=eu");
    assert_asked(1, "POST", "/v1/triage/cancel?pool=eu&after=9.7");
    ck_assert_str_eq(server.seen[1].body, "{\"reason\":\"too old\"}");
    assert_says(said.out, "cancelled     1,005 jobs\n");
    server_stop();
}
END_TEST

START_TEST(ages_are_times_or_spans_and_one_filter_is_needed)
{
    static const struct reply script[] = {{200, ANSWER("true", "0", "0", "null", "0", "0", "", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("expire"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("triage", W("expire"), W("--older-than"), W("long"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("triage", W("expire"), W("--older-than"), W("2026-11-23T10:00:00Z"), W("--expires-before"),
              W("2026-11-24T10:00:00Z"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/triage/expire?accepted_before=2026-11-23T10%3A00%3A00.000Z&"
                            "expires_before=2026-11-24T10%3A00%3A00.000Z&dry_run=1");
    assert_says(said.out, "would expire  0 jobs");
    assert_silent(said.out, "--yes");
    RUN_ADMIN("triage", W("expire"), W("--younger-than"), W("2h"));
    assert_says(server.seen[1].url, "accepted_after=20");
    server_stop();
}
END_TEST

START_TEST(what_was_done_before_a_refusal_is_told_and_json_is_one_object)
{
    static const struct reply script[] = {{200, ANSWER("false", "1000", "null", "null", "1000", "0", "\"j_1\"", "\"9.7\"")},
                                          {429, "{\"error\":{\"code\":\"busy\",\"message\":\"later\"}}"},
                                          {200, ANSWER("true", "4", "4", "null", "4", "0", "\"j_1\"", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--yes"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "cancelled     1,000 jobs\n");
    assert_says(said.err, "busy");
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--json"));
    cJSON *json = cJSON_Parse(said.out);
    int64_t jobs = 0;
    ck_assert(json_int(json, "jobs", &jobs) && jobs == 4);
    ck_assert(json_bool(json, "dry_run", false));
    ck_assert(cJSON_IsNull(json_get(json, "next")));
    cJSON_Delete(json);
    server_stop();
}
END_TEST

START_TEST(a_redate_says_the_dates_it_means)
{
    static const struct reply script[] = {{200, ANSWER("true", "4", "4", "null", "4", "0", "", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("redate"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("triage", W("redate"), W("--pool"), W("eu"), W("--send-after"), W("soon"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("triage", W("redate"), W("--pool"), W("eu"), W("--send-after"), W("now"), W("--expires-at"),
              W("2026-11-24T10:00:00Z"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/triage/redate?pool=eu&dry_run=1");
    ck_assert_str_eq(server.seen[0].body, "{\"send_after\":null,\"expires_at\":\"2026-11-24T10:00:00.000Z\"}");
    RUN_ADMIN("triage", W("redate"), W("--pool"), W("eu"), W("--expires-at"), W("never"), W("--yes"), W("--reason"), W("x"));
    ck_assert_str_eq(server.seen[1].body, "{\"reason\":\"x\",\"expires_at\":null}");
    assert_says(said.out, "re-dated      4 jobs\n");
    server_stop();
}
END_TEST

#define MOVED(jobs, behind)                                                                                            \
    "{\"action\":\"move\",\"dry_run\":false,\"jobs\":" jobs ",\"by_class\":{\"reply\":" jobs "},\"by_reason\":{},\"stay\":" behind  \
    ",\"stays\":{\"behind\":" behind "},\"sample\":[],\"next\":null,\"until\":\"9\"}"

/* ... and with that alone: what comes meanwhile is not meant. */
START_TEST(a_move_goes_on_while_what_was_behind_others_still_goes)
{
    static const struct reply script[] = {{200, MOVED("5", "3")}, {200, MOVED("2", "1")}, {200, MOVED("0", "1")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("move"), W("--pool"), W("eu"), W("--yes"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("triage", W("move"), W("--pool"), W("eu"), W("--to-pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "they are there already");
    RUN_ADMIN("triage", W("move"), W("--pool"), W("eu"), W("--to-pool"), W("us"), W("--yes"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 3);
    assert_asked(0, "POST", "/v1/triage/move?pool=eu");
    assert_asked(1, "POST", "/v1/triage/move?pool=eu&until=9");
    assert_asked(2, "POST", "/v1/triage/move?pool=eu&until=9");
    ck_assert_str_eq(server.seen[0].body, "{\"reason\":\"x\",\"pool\":\"us\"}");
    assert_says(said.out, "moved         7 jobs\n");
    assert_says(said.out, "stay 1:       behind 1\n");
    server_stop();
}
END_TEST

START_TEST(what_a_move_says_of_its_jobs_is_of_all_of_them)
{
    static const struct reply script[] = {{200, MOVED("5", "3")}, {200, MOVED("2", "1")}, {200, MOVED("0", "1")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("move"), W("--pool"), W("eu"), W("--to-pool"), W("us"), W("--yes"), W("--reason"), W("x"),
              W("--json"));
    assert_says(said.out, "\"jobs\":7");
    assert_says(said.out, "\"by_class\":{\"reply\":7}");
    assert_says(said.out, "\"stays\":{\"behind\":1}");
    server_stop();
}
END_TEST

/* ---- export and import ---- */

static char file_name[] = "/tmp/lineward-export-XXXXXX";

static void fresh_name(void)
{
    memcpy(strrchr(file_name, '-') + 1, "XXXXXX", 6);
    int fd = mkstemp(file_name);
    ck_assert_int_ge(fd, 0);
    close(fd);
    unlink(file_name);
}

static char *file_text(void)
{
    static char text[2048];
    FILE *file = fopen(file_name, "re");
    ck_assert_ptr_nonnull(file);
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return text;
}

#define ITEM(job, order, id) \
    "{\"job\":\"" job "\",\"accepted_at\":null,\"order\":" order                                                          \
    ",\"document\":{\"exported\":\"" job "\",\"id\":\"" id "\",\"to\":[\"+1415\"]}}"

#define PAGE(items, stay, stays, next)                                                                                \
    "{\"export\":[" items "],\"stay\":" stay ",\"stays\":{" stays "},\"next\":" next ",\"until\":\"9\"}"

static void export_to_file(void)
{
    fresh_name();
    RUN_ADMIN("triage", W("export"), W(file_name), W("--pool"), W("eu"));
}

START_TEST(an_export_is_written_in_the_order_of_acceptance_into_a_new_file)
{
    static const struct reply script[] = {
        {200, PAGE(ITEM("j_3", "30", "c") "," ITEM("j_1", "10", "a"), "1", "", "\"4.9\"")},
        {200, PAGE(ITEM("j_2", "20", "b"), "0", "", "null")}};
    SERVER_START(script);
    fresh_name();
    files_synced = folders_synced = 0;
    RUN_ADMIN("triage", W("export"), W(file_name), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(files_synced, 1); /* and its name: what it holds is cancelled next */
    ck_assert_uint_eq(folders_synced, 1);
    assert_asked(0, "GET", "/v1/triage/export?pool=eu");
    assert_asked(1, "GET", "/v1/triage/export?pool=eu&after=4.9");
    assert_says(said.out, "3 jobs are in ");
    assert_silent(said.out, " of them");
    assert_says(said.out, "; --until 9 means these\n");
    ck_assert_str_eq(file_text(), "{\"exported\":\"j_1\",\"id\":\"a\",\"to\":[\"+1415\"]}\n"
                                  "{\"exported\":\"j_2\",\"id\":\"b\",\"to\":[\"+1415\"]}\n"
                                  "{\"exported\":\"j_3\",\"id\":\"c\",\"to\":[\"+1415\"]}\n");
    struct stat info;
    ck_assert_int_eq(stat(file_name, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    RUN_ADMIN("triage", W("export"), W(file_name), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "is there already");
    ck_assert_uint_eq(server.seen_count, 2);
    unlink(file_name);
    server_stop();
}
END_TEST

/* As deep as a producer may make it; the answer is deeper. */
START_TEST(an_export_takes_a_document_as_deep_as_there_are)
{
    static char body[1000] = "{\"export\":[{\"job\":\"j_1\",\"order\":1,\"document\":{\"message\":";
    static const char end[] = "}}],\"stay\":0,\"stays\":{},\"next\":null,\"until\":\"9\"}";
    const struct reply script[] = {{200, body}};
    memset(body + strlen(body), '[', JSON_DEPTH_MAX - 1);
    memset(body + strlen(body), ']', JSON_DEPTH_MAX - 1);
    memcpy(body + strlen(body), end, sizeof end);
    SERVER_START(script);
    RUN_ADMIN("triage", W("export"), W("-"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "{\"message\":[[");
    server_stop();
}
END_TEST

START_TEST(an_export_to_the_output_tells_its_mark_beside_it)
{
    static const struct reply script[] = {{200, PAGE(ITEM("j_1", "10", "a"), "0", "", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("export"), W("-"), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"exported\":\"j_1\",\"id\":\"a\",\"to\":[\"+1415\"]}\n");
    assert_says(said.err, "--until 9");
    server_stop();
}
END_TEST

START_TEST(an_export_that_there_is_no_room_for_leaves_no_file)
{
    static char body[20000] = "{\"export\":[{\"job\":\"j_1\",\"order\":1,\"document\":{\"text\":\"";
    static const char end[] = "\"}}],\"stay\":0,\"stays\":{},\"next\":null,\"until\":\"9\"}";
    const struct reply script[] = {{200, body}};
    struct rlimit limit = {8192, RLIM_INFINITY};
    memset(body + strlen(body), 'x', 12000);
    memcpy(body + strlen(body), end, sizeof end);
    SERVER_START(script);
    fresh_name();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    RUN_ADMIN("triage", W("export"), W(file_name), W("--pool"), W("eu"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "not_written");
    ck_assert_int_ne(access(file_name, F_OK), 0);
    server_stop();
}
END_TEST

START_TEST(an_export_of_which_jobs_could_not_be_read_leaves_no_file)
{
    static const struct reply script[] = {{200, PAGE(ITEM("j_1", "10", "a"), "2", "\"busy\":2", "null")}};
    SERVER_START(script);
    export_to_file();
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "2 jobs could not be read");
    ck_assert_int_ne(access(file_name, F_OK), 0);
    server_stop();
}
END_TEST

START_TEST(what_is_exported_is_cancelled_by_the_mark_that_the_export_told)
{
    static const struct reply script[] = {{200, ANSWER("false", "3", "null", "null", "3", "0", "", "null")}};
    SERVER_START(script);
    RUN_ADMIN("triage", W("cancel"), W("--until"), W("9"), W("--yes"), W("--reason"), W("exported"));
    ck_assert_int_eq(said.code, EXIT_USAGE); /* a mark alone chooses nothing */
    RUN_ADMIN("triage", W("cancel"), W("--pool"), W("eu"), W("--until"), W("9"), W("--yes"), W("--reason"), W("exported"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_asked(0, "POST", "/v1/triage/cancel?pool=eu&until=9");
    server_stop();
}
END_TEST

/* Numbers that no double has, escapes, odd spaces: what goes out is what came in. But a line is a line. */
START_TEST(an_export_passes_on_every_byte_of_a_document)
{
#define ODD "\"meta\":{ \"big\" : 1.00000000000000000001, \"e\":1E3,\"u\":\"\\u00e9\\/\",\"i\":90071992547409931.0}"
    static const struct reply script[] = {
        {200, "{\"export\": [ {\"job\":\"j_1\",\"order\":1,\"document\":{\"exported\":\"j_1\"," ODD "," "\n\t\"to\":[]\r\n}} ],"
              "\"stay\":0,\"stays\":{},\"next\":null,\"until\":\"9\"}"}};
    SERVER_START(script);
    export_to_file();
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(file_text(), "{\"exported\":\"j_1\"," ODD ", \t\"to\":[]  }\n");
    unlink(file_name);
    server_stop();
}
END_TEST

START_TEST(an_export_that_breaks_off_leaves_no_file)
{
    static const struct reply script[] = {
        {200, "{\"export\":[" ITEM("j_1", "10", "a") "],\"stay\":0,\"stays\":{},\"next\":\"4.9\"}"},
        {429, "{\"error\":{\"code\":\"busy\",\"message\":\"later\"}}"}};
    SERVER_START(script);
    export_to_file();
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_int_ne(access(file_name, F_OK), 0);
    server_stop();
}
END_TEST

static void write_lines(const char *lines)
{
    fresh_name();
    FILE *file = fopen(file_name, "we");
    ck_assert_ptr_nonnull(file);
    fputs(lines, file);
    fclose(file);
}

/* Only what surely is not sent any more; the rest is told by its line. */
START_TEST(an_import_submits_only_what_was_cancelled_or_has_expired)
{
    static const struct reply script[] = {{200, "{\"state\":\"cancelled\",\"error\":null}"},
                                          {200, "{\"state\":\"held\"}"},
                                          {200, "{\"state\":\"sent\"}"},
                                          {404, "{\"error\":{\"code\":\"not_found\"}}"},
                                          {200, "{\"state\":\"cancelled\",\"error\":{\"code\":\"superseded\"}}"},
                                          {200, "{\"state\":\"expired\"}"},
                                          {200, "{\"results\":[{\"id\":\"a\",\"job\":\"j_7\",\"state\":\"held\"},"
                                                "{\"id\":\"f\",\"job\":\"j_8\",\"state\":\"duplicate\",\"current\":\"held\"}]}"}};
    SERVER_START(script);
    write_lines("{\"exported\":\"j_1\",\"id\":\"a\"}\n{\"exported\":\"j_2\",\"id\":\"b\"}\n"
                "{\"exported\":\"j_3\",\"id\":\"c\"}\n{\"exported\":\"j_4\",\"id\":\"d\"}\n"
                "{\"exported\":\"j_5\",\"id\":\"e\"}\n{\"exported\":\"j_6\",\"id\":\"f\"}\n{\"id\":\"g\"}\n");
    RUN_ADMIN("triage", W("import"), W(file_name));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_uint_eq(server.seen_count, 7);
    assert_asked(1, "GET", "/v1/jobs/j_2");
    assert_asked(6, "POST", "/v1/jobs");
    assert_says(server.seen[6].body, "\"j_1\"");
    assert_says(server.seen[6].body, "\"j_6\"");
    assert_silent(server.seen[6].body, "\"id\":\"b\"");
    assert_silent(server.seen[6].body, "\"id\":\"g\"");
    assert_says(said.out, "2 accepted (1 of them were there before), 5 refused");
    assert_says(said.out, "cancel it first");
    unlink(file_name);
    server_stop();
}
END_TEST

/* It may come back and be cancelled, so it is in the file; or be sent, so only its own broker may take it again. */
START_TEST(what_a_worker_had_is_exported_with_that_word_and_imported_where_its_end_is_known)
{
#define LEASED_LINE "{\"stay\":\"leased\",\"exported\":\"j_1\",\"id\":\"a\"}\n"
    static const struct reply script[] = {
        {200, "{\"export\":[{\"job\":\"j_1\",\"order\":1,\"stay\":\"leased\",\"document\":{\"exported\":\"j_1\",\"id\":\"a\"}},"
              "{\"job\":\"j_2\",\"order\":2,\"stay\":null,\"document\":{\"exported\":\"j_2\",\"id\":\"b\"}}],"
              "\"stay\":1,\"stays\":{\"leased\":1},\"next\":null,\"until\":\"9\"}"},
        {200, "{\"results\":[{\"id\":\"b\",\"job\":\"j_8\",\"state\":\"queued\"}]}"},
        {200, "{\"state\":\"cancelled\",\"error\":null}"},
        {200, "{\"state\":\"sent\"}"},
        {200, "{\"results\":[{\"id\":\"a\",\"job\":\"j_7\",\"state\":\"queued\"}]}"}};
    SERVER_START(script);
    export_to_file();
    assert_says(said.out, ", 1 of them with a worker or perhaps sent; --until 9 means these\n");
    ck_assert_str_eq(file_text(), LEASED_LINE "{\"exported\":\"j_2\",\"id\":\"b\"}\n");
    RUN_ADMIN("triage", W("import"), W(file_name), W("--elsewhere"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "1 accepted, 1 refused");
    assert_says(said.out, "only the broker that had it can say");
    assert_silent(server.seen[1].body, "\"id\":\"a\"");
    RUN_ADMIN("triage", W("import"), W(file_name));
    assert_says(said.out, "1 accepted, 1 refused");
    ck_assert_uint_eq(server.seen_count, 5);
    assert_says(server.seen[4].body, "{\"exported\":\"j_1\",\"id\":\"a\"}");
    assert_silent(server.seen[4].body, "stay");
    unlink(file_name);
    server_stop();
}
END_TEST

START_TEST(an_import_stops_where_it_is_not_told_what_became_of_a_job)
{
    static const struct reply script[] = {{500, "{}"}};
    SERVER_START(script);
    write_lines("{\"exported\":\"j_1\",\"id\":\"a\"}\n");
    RUN_ADMIN("triage", W("import"), W(file_name));
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_says(said.err, "line 1: ");
    unlink(file_name);
    server_stop();
}
END_TEST

/* As for a batch: --wait says how long. */
START_TEST(an_import_waits_for_a_broker_that_is_busy_when_it_is_asked_what_became_of_a_job)
{
    static const struct reply script[] = {{429, "{\"error\":{\"code\":\"busy\",\"message\":\"later\"}}"},
                                          {200, "{\"state\":\"cancelled\",\"error\":null}"},
                                          {200, "{\"results\":[{\"id\":\"a\",\"job\":\"j_7\",\"state\":\"held\"}]}"}};
    SERVER_START(script);
    write_lines("{\"stay\":\"leased\",\"exported\":\"j_1\",\"id\":\"a\"}\n");
    RUN_ADMIN("triage", W("import"), W(file_name));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(1, "GET", "/v1/jobs/j_1");
    assert_says(server.seen[2].body, "{\"exported\":\"j_1\",\"id\":\"a\"}");
    unlink(file_name);
    server_stop();
}
END_TEST

START_TEST(elsewhere_nobody_is_asked_what_became_of_a_job)
{
    static const struct reply script[] = {{200, "{\"results\":[{\"id\":\"a\",\"job\":\"j_7\",\"state\":\"queued\"}]}"}};
    SERVER_START(script);
    write_lines("{\"exported\":\"j_1\",\"id\":\"a\"}\n");
    RUN_ADMIN("triage", W("import"), W(file_name), W("--elsewhere"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_says(server.seen[0].body, "{\"exported\":\"elsewhere\",\"id\":\"a\"}"); /* its number means nothing there */
    unlink(file_name);
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_triage");
    TCase *tests = tcase_create("triage");
    tcase_add_checked_fixture(tests, NULL, said_free);
    tcase_add_test(tests, without_yes_it_only_says_what_it_would_do);
    tcase_add_test(tests, with_yes_it_goes_on_until_none_is_left_and_needs_a_reason);
    tcase_add_test(tests, ages_are_times_or_spans_and_one_filter_is_needed);
    tcase_add_test(tests, what_was_done_before_a_refusal_is_told_and_json_is_one_object);
    tcase_add_test(tests, a_redate_says_the_dates_it_means);
    tcase_add_test(tests, a_move_goes_on_while_what_was_behind_others_still_goes);
    tcase_add_test(tests, what_a_move_says_of_its_jobs_is_of_all_of_them);
    tcase_add_test(tests, an_export_is_written_in_the_order_of_acceptance_into_a_new_file);
    tcase_add_test(tests, an_export_passes_on_every_byte_of_a_document);
    tcase_add_test(tests, an_export_takes_a_document_as_deep_as_there_are);
    tcase_add_test(tests, an_export_to_the_output_tells_its_mark_beside_it);
    tcase_add_test(tests, an_export_that_there_is_no_room_for_leaves_no_file);
    tcase_add_test(tests, an_export_that_breaks_off_leaves_no_file);
    tcase_add_test(tests, an_export_of_which_jobs_could_not_be_read_leaves_no_file);
    tcase_add_test(tests, what_is_exported_is_cancelled_by_the_mark_that_the_export_told);
    tcase_add_test(tests, an_import_submits_only_what_was_cancelled_or_has_expired);
    tcase_add_test(tests, what_a_worker_had_is_exported_with_that_word_and_imported_where_its_end_is_known);
    tcase_add_test(tests, an_import_waits_for_a_broker_that_is_busy_when_it_is_asked_what_became_of_a_job);
    tcase_add_test(tests, an_import_stops_where_it_is_not_told_what_became_of_a_job);
    tcase_add_test(tests, elsewhere_nobody_is_asked_what_became_of_a_job);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
