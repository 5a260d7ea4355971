/* linewardctl against an admin API: what it asks, what it shows, and the exit code it ends with. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

static void teardown(void)
{
    said_free();
    unsetenv("LINEWARD_TOKEN");
    unsetenv("LINEWARD_ADMIN");
}

/* ---- reaching the broker ---- */

START_TEST(no_broker_is_exit_code_3)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    server_stop(); /* its port is free now */
    RUN_ADMIN("status");
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_says(said.err, "unreachable");
    ck_assert_str_eq(said.out, "");
}
END_TEST

START_TEST(a_change_whose_answer_was_lost_may_have_been_made)
{
    static const struct reply script[] = {{0, NULL}};
    SERVER_START(script);
    RUN_ADMIN("cordon", W("+1202"));
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/cordon");
    assert_says(said.err, "; it may have been done all the same");
    RUN_ADMIN("status"); /* changes nothing */
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_silent(said.err, "may have been done");
    server_stop();
    RUN_ADMIN("cordon", W("+1202"));
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_silent(said.err, "may have been done");
}
END_TEST

static void *answer_nonsense(void *self)
{
    int fd = accept(*(int *)self, NULL, NULL);
    char greeting[3];
    ck_assert_int_eq(recv(fd, greeting, sizeof greeting, MSG_WAITALL), sizeof greeting);
    ck_assert_int_eq(send(fd, "no", 2, 0), 2);
    close(fd);
    return NULL;
}

START_TEST(nothing_was_asked_where_a_proxy_led_nowhere)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char proxy[64];
    pthread_t thread;
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, bytes), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_nonsense, &listener), 0);
    snprintf(proxy, sizeof proxy, "socks5h://127.0.0.1:%u", ntohs(address.sin_port));
    setenv("https_proxy", proxy, 1);
    RUN("cordon", W("+1202"), W("--admin"), W("https://broker.invalid"));
    unsetenv("https_proxy");
    pthread_join(thread, NULL);
    close(listener);
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_silent(said.err, "may have been done");
}
END_TEST

START_TEST(the_environment_says_where_and_as_whom)
{
    static const struct reply script[] = {{200, "{\"version\":\"1\"}"}};
    SERVER_START(script);
    setenv("LINEWARD_ADMIN", server.admin, 1);
    setenv("LINEWARD_TOKEN", "lw_secret", 1);
    RUN("status");
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/status");
    ck_assert_str_eq(server.seen[0].authorization, "Bearer lw_secret");
    server_stop();
}
END_TEST

START_TEST(a_token_file_goes_before_the_environment)
{
    static const struct reply script[] = {{200, "{}"}};
    char path[] = "/tmp/lineward-ctl-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    fputs("  lw_from_file \nsecond line\n", file);
    fclose(file);
    setenv("LINEWARD_TOKEN", "lw_secret", 1);
    SERVER_START(script);
    RUN_ADMIN("status", W("--token-file"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(server.seen[0].authorization, "Bearer lw_from_file");
    server_stop();
    remove(path);
    RUN("status", W("--token-file"), path);
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

START_TEST(a_token_with_a_line_break_is_never_sent)
{
    setenv("LINEWARD_TOKEN", "lw\r\nX-Evil: 1", 1);
    RUN("status");
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_silent(said.err, "Evil");
}
END_TEST

START_TEST(the_token_never_goes_in_clear_to_another_machine)
{
    RUN("status", W("--admin"), W("http://192.0.2.1:7781"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN("status", W("--admin"), W("ftp://127.0.0.1"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

/* As a script says it whose variable is unset: it meant another broker than the one of this machine. */
START_TEST(an_address_that_is_empty_is_no_default)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    setenv("LINEWARD_ADMIN", server.admin, 1);
    RUN("status", W("--admin"), W(""));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "--admin");
    ck_assert_uint_eq(server.seen_count, 0);
    server_stop();
}
END_TEST

START_TEST(a_missing_token_is_explained)
{
    static const struct reply script[] = {{401, "{\"error\":{\"code\":\"unauthorized\",\"message\":\"no token\"}}"}};
    SERVER_START(script);
    RUN_ADMIN("lines");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "LINEWARD_TOKEN");
    server_stop();
}
END_TEST

START_TEST(a_refusal_is_exit_code_1_and_says_why)
{
    static const struct reply script[] = {
        {404, "{\"error\":{\"code\":\"not_found\",\"message\":\"no job \\u001b[2J j_9\"}}"}};
    SERVER_START(script);
    RUN_ADMIN("job", W("j_9"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "not_found: no job ?[2J j_9");
    RUN_ADMIN("job", W("j_9"), W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "{\"error\":{\"code\":\"not_found\"");
    server_stop();
}
END_TEST

START_TEST(an_answer_that_is_no_json_is_refused)
{
    static const struct reply script[] = {{200, "<html>"}, {502, "<html>bad gateway</html>"}};
    SERVER_START(script);
    RUN_ADMIN("status");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "status 200");
    RUN_ADMIN("status");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "status 502");
    server_stop();
}
END_TEST

/* ---- views ---- */

START_TEST(a_line_is_asked_for_by_its_number_encoded)
{
    static const struct reply script[] = {
        {200, "{\"line\":\"+12025550101\",\"reputation\":{\"status\":\"CRITICAL\",\"previous\":\"HEALTHY\","
              "\"source\":\"webhook\"},\"gate\":\"closed\",\"reason\":\"line_critical\",\"pauses\":[]}"}};
    SERVER_START(script);
    RUN_ADMIN("line", W("+12025550101"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/lines/%2B12025550101");
    assert_says(said.out, "line    +12025550101");
    assert_says(said.out, "status    CRITICAL");
    assert_says(said.out, "reason  line_critical");
    server_stop();
}
END_TEST

START_TEST(a_pool_and_an_id_stay_one_part_of_the_path)
{
    static const struct reply script[] = {{200, "{\"job\":\"j_1\"}"}};
    SERVER_START(script);
    RUN_ADMIN("job", W("promo/../x?y#z"));
    assert_asked(0, "GET", "/v1/jobs/promo%2F..%2Fx%3Fy%23z");
    server_stop();
}
END_TEST

START_TEST(why_and_history_of_a_job_are_shown)
{
    static const struct reply script[] = {
        {200,
         "{\"job\":\"j_1\",\"state\":\"held\",\"history\":[{\"at\":null,\"what\":\"try\",\"outcome\":\"retry\"}],"
         "\"why\":{\"reason\":\"line_critical\",\"rule\":\"its line's reputation is CRITICAL\",\"ahead\":3}}"}};
    SERVER_START(script);
    RUN_ADMIN("job", W("j_1"));
    assert_says(said.out, "state  held");
    assert_says(said.out, "its line's reputation is CRITICAL");
    assert_says(said.out, "AT  WHAT  OUTCOME");
    assert_says(said.out, "-   try   retry");
    server_stop();
}
END_TEST

START_TEST(json_is_what_the_broker_said)
{
    static const struct reply script[] = {{200, "{\"version\":\"1\",\"big\":9007199254740993}"}};
    SERVER_START(script);
    RUN_ADMIN("status", W("--json"));
    ck_assert_str_eq(said.out, "{\"version\":\"1\",\"big\":9007199254740993}\n");
    server_stop();
}
END_TEST

START_TEST(a_list_is_read_to_its_end_over_short_and_empty_pages)
{
    static const struct reply script[] = {
        {200, "{\"lines\":[{\"line\":\"+1\"}],\"next\":\"a b\"}"},
        {200, "{\"lines\":[],\"next\":\"c\"}"},
        {200, "{\"lines\":[{\"line\":\"+2\"}],\"next\":null}"},
    };
    SERVER_START(script);
    RUN_ADMIN("lines", W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"lines\":[{\"line\":\"+1\"},{\"line\":\"+2\"}],\"next\":null}\n");
    ck_assert_uint_eq(server.seen_count, 3);
    assert_asked(0, "GET", "/v1/lines?limit=1000");
    assert_asked(1, "GET", "/v1/lines?limit=1000&after=a%20b");
    server_stop();
}
END_TEST

START_TEST(a_broker_that_repeats_a_page_for_ever_is_not_followed)
{
    static const struct reply script[] = {{200, "{\"lines\":[],\"next\":\"same\"}"}};
    SERVER_START(script);
    RUN_ADMIN("lines");
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_assert_str_eq(said.out, "no lines\n");
    server_stop();
}
END_TEST

START_TEST(an_answer_without_its_list_is_refused)
{
    static const struct reply script[] = {{200, "{\"jobs\":[]}"}};
    SERVER_START(script);
    RUN_ADMIN("lines");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    server_stop();
}
END_TEST

START_TEST(top_off_a_terminal_shows_every_line)
{
    char *page = malloc(128 * 1000 + 64);
    size_t at = (size_t)sprintf(page, "{\"lines\":[");
    for (int i = 0; i < 1000; i++)
        at += (size_t)sprintf(page + at, "%s{\"line\":\"+1202%04d\"}", i > 0 ? "," : "", i);
    sprintf(page + at, "],\"next\":null}");
    const struct reply script[] = {{200, "{}"}, {200, page}, {200, "{}"}, {200, page}};
    SERVER_START(script);
    RUN_ADMIN("top", W("--sort"), W("line"), W("--every"), W("100ms"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert(strstr(said.out, "+12020000") != NULL && strstr(said.out, "+12020999") != NULL);
    server_stop();
    free(page);
}
END_TEST

START_TEST(what_a_broker_says_comes_next_is_cleaned)
{
    static const struct reply script[] = {{200, "{\"jobs\":[{\"job\":\"j_1\"}],\"next\":\"\\u001b[2J\"}"}};
    SERVER_START(script);
    RUN_ADMIN("jobs", W("--limit"), W("1"));
    assert_says(said.out, "--after ?[2J)");
    server_stop();
}
END_TEST

START_TEST(jobs_passes_its_filters_and_stops_at_its_limit)
{
    static const struct reply script[] = {
        {200, "{\"jobs\":[{\"job\":\"j_1\",\"state\":\"held\",\"reason\":\"line_critical\",\"to\":[\"+2\",\"+3\"]}],"
              "\"next\":\"n1\"}"},
        {200, "{\"jobs\":[{\"job\":\"j_2\",\"state\":\"queued\"}],\"next\":\"n2\"}"}};
    SERVER_START(script);
    RUN_ADMIN("jobs", W("--pool"), W("promo"), W("--line=+1"), W("--state"), W("held"), W("--reason"),
              W("line_critical"), W("--to"), W("a@b.c"), W("--limit"), W("2"), W("--after"), W("n0"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET",
                 "/v1/jobs?limit=2&after=n0&pool=promo&line=%2B1&state=held&reason=line_critical&to=a%40b.c");
    ck_assert_uint_eq(server.seen_count, 2);
    assert_says(server.seen[1].url, "limit=1&after=n1");
    assert_says(said.out, "JOB  STATE   REASON");
    assert_says(said.out, "j_1  held    line_critical");
    assert_says(said.out, "+2, +3");
    assert_says(said.out, "--after n2");
    server_stop();
}
END_TEST

START_TEST(a_wrong_limit_is_wrong_usage)
{
    RUN("jobs", W("--limit"), W("0"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN("events", W("--after"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

/* ---- changes ---- */

START_TEST(a_pause_needs_a_reason_and_sends_it)
{
    static const struct reply script[] = {{200, "{\"pause\":\"p_7\"}"}};
    SERVER_START(script);
    RUN_ADMIN("pause", W("+1202"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_uint_eq(server.seen_count, 0);
    RUN_ADMIN("pause", W("+1202"), W("--reason"), W("say \"hi\""), W("--for"), W("30m"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/pause");
    ck_assert_str_eq(server.seen[0].body, "{\"reason\":\"say \\\"hi\\\"\",\"for_ms\":1800000}");
    assert_says(said.out, "p_7");
    RUN_ADMIN("pause", W("+1202"), W("--reason"), W("x"), W("--for"), W("soon"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    server_stop();
}
END_TEST

START_TEST(whatever_can_be_paused_is_named_by_its_kind)
{
    static const struct reply script[] = {{200, "{\"pause\":\"p_7\"}"}};
    SERVER_START(script);
    RUN_ADMIN("pause", W("pool"), W("eu"), W("--reason"), W("x"));
    assert_asked(0, "POST", "/v1/pools/eu/pause");
    assert_says(said.out, "pool eu is paused until resumed; pause p_7");
    RUN_ADMIN("pause", W("account"), W("main"), W("--reason"), W("x"));
    assert_asked(1, "POST", "/v1/accounts/main/pause");
    RUN_ADMIN("pause", W("campaign"), W("eu"), W("spring/1"), W("--reason"), W("x"));
    assert_asked(2, "POST", "/v1/campaigns/eu/spring%2F1/pause");
    RUN_ADMIN("resume", W("conversation"), W("eu"), W("+1415,+1416"));
    assert_asked(3, "POST", "/v1/conversations/eu/%2B1415%2C%2B1416/resume");
    RUN_ADMIN("pause", W("all"), W("--reason"), W("x"));
    assert_asked(4, "POST", "/v1/pause");
    RUN_ADMIN("resume", W("line"), W("+1202"));
    assert_asked(5, "POST", "/v1/lines/%2B1202/resume");
    RUN_ADMIN("pause", W("campaign"), W("eu"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("pause", W("+1202"), W("+1203"), W("--reason"), W("x"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN_ADMIN("pause", W("everything"), W("--reason"), W("x"));
    assert_asked(6, "POST", "/v1/pause");
    assert_says(said.out, "everything is paused");
    ck_assert_uint_eq(server.seen_count, 7);
    server_stop();
}
END_TEST

START_TEST(a_name_of_dots_stays_in_its_place_in_the_path)
{
    static const struct reply script[] = {{200, "{\"resumed\":1}"}};
    SERVER_START(script);
    RUN_ADMIN("resume", W("pool"), W(".."));
    assert_asked(0, "POST", "/v1/pools/../resume"); /* and not /v1/resume, which is everything */
    RUN_ADMIN("pause", W("campaign"), W("eu"), W("."), W("--reason"), W("x"));
    assert_asked(1, "POST", "/v1/campaigns/eu/./pause");
    server_stop();
}
END_TEST

START_TEST(resume_lifts_all_pauses_or_the_one_named)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    RUN_ADMIN("resume", W("+1202"));
    RUN_ADMIN("resume", W("+1202"), W("--pause"), W("p_7"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "POST", "/v1/lines/%2B1202/resume");
    ck_assert_str_eq(server.seen[0].body, "{}");
    ck_assert_str_eq(server.seen[1].body, "{\"pause\":\"p_7\"}");
    server_stop();
}
END_TEST

START_TEST(cancel_goes_on_after_a_refusal_and_says_so_at_the_end)
{
    static const struct reply script[] = {
        {200, "{\"job\":\"j_1\",\"state\":\"cancelled\"}"},
        {409, "{\"error\":{\"code\":\"already_final\",\"message\":\"it was sent\"}}"},
        {200, "{\"job\":\"j_3\",\"state\":\"leased\",\"cancel\":\"asked\"}"},
    };
    SERVER_START(script);
    RUN_ADMIN("cancel", W("j_1"), W("j_2"), W("j_3"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_asked(2, "DELETE", "/v1/jobs/j_3");
    assert_says(said.out, "j_1: cancelled\n");
    assert_says(said.err, "already_final");
    assert_says(said.out, "j_3: asked");
    server_stop();
}
END_TEST

/* ---- events ---- */

START_TEST(events_are_read_up_to_the_last_one)
{
    static const struct reply script[] = {
        {200, "{\"events\":[{\"seq\":1,\"prev\":0,\"at\":\"2026-11-23T10:00:00.000Z\",\"topic\":\"job.sent\","
              "\"job\":\"j_1\",\"line\":null}],\"next\":1}"},
        {200, "{\"events\":[{\"seq\":2,\"topic\":\"line.gate\",\"gate\":\"closed\"}],\"next\":2}"},
        {200, "{\"events\":[],\"next\":2}"},
    };
    SERVER_START(script);
    RUN_ADMIN("events", W("--topic"), W("job."));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_asked(0, "GET", "/v1/events?after=0&limit=100&topic=job.");
    assert_asked(1, "GET", "/v1/events?after=1&limit=99&topic=job.");
    assert_says(said.out, "1  2026-11-23T10:00:00.000Z  job.sent          job=j_1\n");
    assert_says(said.out, "gate=closed");
    server_stop();
}
END_TEST

/* A page has looked at so many events of the log, and of those a token of some pools, or a topic, lets through none of
 * them, perhaps. */
START_TEST(an_empty_page_of_events_is_not_the_end_of_them)
{
    static const struct reply script[] = {
        {200, "{\"events\":[],\"next\":4096}"},
        {200, "{\"next_seq\":5000}"},
        {200, "{\"events\":[{\"seq\":4097,\"topic\":\"job.sent\"}],\"next\":4097}"},
        {200, "{\"events\":[],\"next\":4097}"},
    };
    SERVER_START(script);
    RUN_ADMIN("events", W("--json"), W("--topic"), W("job.sent"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"events\":[{\"seq\":4097,\"topic\":\"job.sent\"}],\"next\":4097}\n");
    ck_assert_uint_eq(server.seen_count, 4);
    server_stop();
}
END_TEST

/* It ends where the log did when it was asked, however fast the log grows by what is not shown. */
START_TEST(events_of_an_answer_that_has_none_are_refused)
{
    static const struct reply script[] = {{200, "{\"next\":7}"}};
    SERVER_START(script);
    RUN_ADMIN("events");
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "malformed");
    server_stop();
    RUN("events", W("--limit"), W("0"));
    assert_says(said.err, "--limit is a number from 1 to 1000000");
}
END_TEST

START_TEST(empty_pages_of_events_end_with_the_log)
{
    static const struct reply script[] = {
        {200, "{\"events\":[],\"next\":4096}"},
        {200, "{\"next_seq\":5000}"},
        {200, "{\"events\":[],\"next\":4998}"},
        {200, "{\"events\":[],\"next\":5100}"},
    };
    SERVER_START(script);
    RUN_ADMIN("events", W("--json"), W("--topic"), W("job.sent"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"events\":[],\"next\":5100}\n");
    ck_assert_uint_eq(server.seen_count, 4);
    server_stop();
}
END_TEST

START_TEST(events_in_json_are_one_document)
{
    static const struct reply script[] = {{200, "{\"events\":[{\"seq\":4},{\"seq\":5}],\"next\":5}"},
                                          {200, "{\"events\":[],\"next\":5}"}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--json"), W("--after"), W("3"));
    ck_assert_str_eq(said.out, "{\"events\":[{\"seq\":4},{\"seq\":5}],\"next\":5}\n");
    server_stop();
}
END_TEST

/* Cut off in the middle of an event: it begins anew behind the last whole one. */
START_TEST(following_begins_with_what_happens_from_now_on_and_survives_a_cut)
{
    static const struct reply script[] = {
        {200, "{\"version\":\"1\",\"next_seq\":42}"},
        {200, "retry: 10\n: events follow\n\nid: 42\nevent: job.sent\ndata: {\"seq\":42}\n\nid: 43\nevent: job."},
        {200, ": \n\nid: 43\nevent: job.sent\ndata: {\"seq\":43}\n\nevent: error\ndata: {\"error\":{\"code\":\"busy\"}}\n\n"},
        {200, "event: error\ndata: {\"error\":{\"code\":\"not_found\",\"message\":\"gone\",\"oldest\":90}}\n\n"}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--follow"), W("--json"), W("--topic"), W("job."));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_asked(1, "GET", "/v1/events/stream?after=41&topic=job.");
    assert_asked(2, "GET", "/v1/events/stream?after=42&topic=job.");
    assert_asked(3, "GET", "/v1/events/stream?after=43&topic=job.");
    assert_says(said.out, "{\"seq\":42}\n{\"seq\":43}\n");
    assert_says(said.out, "--after 89");
    server_stop();
}
END_TEST

START_TEST(following_survives_a_broker_that_is_away_behind_a_proxy)
{
    static const struct reply script[] = {{200, "retry: 10\n\nevent: job.sent\ndata: {\"seq\":7}\n\n"},
                                          {502, "<html>Bad Gateway</html>"},
                                          {200, "event: job.sent\ndata: {\"seq\":8}\n\n"}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--follow"), W("--json"), W("--after"), W("6"), W("--limit"), W("2"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"seq\":7}\n{\"seq\":8}\n");
    server_stop();
    static const struct reply never[] = {{502, "<html>Bad Gateway</html>"}};
    SERVER_START(never);
    RUN_ADMIN("events", W("--follow"), W("--after"), W("6"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    server_stop();
}
END_TEST

START_TEST(an_event_that_cannot_be_read_is_told_of_and_what_comes_behind_it_is_shown)
{
    static const struct reply script[] = {
        {200, "retry: 10\n\nid: 7\nevent: job.sent\ndata: {\"seq\":7\n\nid: 8\nevent: job.sent\ndata: 8\n\n"},
        {200, "id: 9\nevent: job.sent\ndata: {\"seq\":9}\n\n"}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--follow"), W("--json"), W("--after"), W("6"), W("--limit"), W("1"));
    ck_assert_int_eq(said.code, EXIT_REFUSED); /* something is missing */
    ck_assert_str_eq(said.out, "{\"seq\":9}\n");
    assert_says(said.err, "linewardctl: event 7 is left out: ");
    assert_says(said.err, "linewardctl: event 8 is left out: ");
    assert_asked(1, "GET", "/v1/events/stream?after=8");
    server_stop();
}
END_TEST

/* It would come again, and again be too long. */
START_TEST(an_event_that_is_too_long_is_told_of_and_not_fetched_for_ever)
{
    static const char head[] = "retry: 10\n\nid: 7\nevent: job.sent\ndata: {\"seq\":7,\"reason\":\"",
                      tail[] = "\"}\n\nid: 8\nevent: job.sent\ndata: {\"seq\":8}\n\n";
    enum { LONG = 3 * 1024 * 1024 };
    char *stream = malloc(sizeof head + LONG + sizeof tail);
    ck_assert_ptr_nonnull(stream);
    char *at = stpcpy(stream, head);
    memset(at, 'x', LONG);
    stpcpy(at + LONG, tail);
    const struct reply script[] = {{200, stream}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--follow"), W("--json"), W("--after"), W("6"), W("--limit"), W("1"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_str_eq(said.out, "{\"seq\":8}\n");
    ck_assert_str_eq(said.err, "linewardctl: event 7 is left out: it is longer than 1 MiB\n");
    ck_assert_uint_eq(server.seen_count, 1);
    server_stop();
    free(stream);
}
END_TEST

START_TEST(following_ends_where_nothing_can_be_written)
{
    static const struct reply script[] = {{200, "retry: 10\n\nevent: job.sent\ndata: {\"seq\":7}\n\n"}};
    char *words[] = {W("linewardctl"), W("events"), W("--follow"), W("--after"), W("6"),
                     W("--admin"),     server.admin, NULL};
    char *text = NULL;
    size_t bytes = 0;
    SERVER_START(script);
    FILE *full = fopen("/dev/full", "we"), *err = open_memstream(&text, &bytes);
    ck_assert_int_eq(ctl_run(7, words, full, err), EXIT_REFUSED);
    fclose(full);
    fclose(err);
    assert_says(text, "linewardctl: output: ");
    ck_assert_uint_eq(server.seen_count, 1);
    free(text);
    server_stop();
}
END_TEST

START_TEST(following_ends_with_the_limit_and_with_a_refusal)
{
    static const struct reply script[] = {{200, "data: {\"seq\":7}\n\ndata: {\"seq\":8}\n\ndata: {\"seq\":9}\n\n"},
                                          {410, "{\"error\":{\"code\":\"not_found\",\"message\":\"gone\",\"oldest\":9}}"}};
    SERVER_START(script);
    RUN_ADMIN("events", W("--follow"), W("--json"), W("--after"), W("6"), W("--limit"), W("2"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(said.out, "{\"seq\":7}\n{\"seq\":8}\n");
    RUN_ADMIN("events", W("--follow"), W("--after"), W("1"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "not_found: gone");
    server_stop();
    RUN_ADMIN("events", W("--follow"), W("--after"), W("1"));
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_admin");
    TCase *reach = tcase_create("reaching the broker");
    tcase_add_checked_fixture(reach, NULL, teardown);
    tcase_add_test(reach, no_broker_is_exit_code_3);
    tcase_add_test(reach, a_change_whose_answer_was_lost_may_have_been_made);
    tcase_add_test(reach, nothing_was_asked_where_a_proxy_led_nowhere);
    tcase_add_test(reach, the_environment_says_where_and_as_whom);
    tcase_add_test(reach, a_token_file_goes_before_the_environment);
    tcase_add_test(reach, a_token_with_a_line_break_is_never_sent);
    tcase_add_test(reach, the_token_never_goes_in_clear_to_another_machine);
    tcase_add_test(reach, an_address_that_is_empty_is_no_default);
    tcase_add_test(reach, a_missing_token_is_explained);
    tcase_add_test(reach, a_refusal_is_exit_code_1_and_says_why);
    tcase_add_test(reach, an_answer_that_is_no_json_is_refused);
    suite_add_tcase(suite, reach);
    TCase *views = tcase_create("views");
    tcase_add_checked_fixture(views, NULL, teardown);
    tcase_add_test(views, a_line_is_asked_for_by_its_number_encoded);
    tcase_add_test(views, a_pool_and_an_id_stay_one_part_of_the_path);
    tcase_add_test(views, why_and_history_of_a_job_are_shown);
    tcase_add_test(views, json_is_what_the_broker_said);
    tcase_add_test(views, a_list_is_read_to_its_end_over_short_and_empty_pages);
    tcase_add_test(views, a_broker_that_repeats_a_page_for_ever_is_not_followed);
    tcase_add_test(views, an_answer_without_its_list_is_refused);
    tcase_add_test(views, top_off_a_terminal_shows_every_line);
    tcase_add_test(views, what_a_broker_says_comes_next_is_cleaned);
    tcase_add_test(views, jobs_passes_its_filters_and_stops_at_its_limit);
    tcase_add_test(views, a_wrong_limit_is_wrong_usage);
    suite_add_tcase(suite, views);
    TCase *changes = tcase_create("changes and events");
    tcase_add_checked_fixture(changes, NULL, teardown);
    tcase_add_test(changes, a_pause_needs_a_reason_and_sends_it);
    tcase_add_test(changes, whatever_can_be_paused_is_named_by_its_kind);
    tcase_add_test(changes, a_name_of_dots_stays_in_its_place_in_the_path);
    tcase_add_test(changes, resume_lifts_all_pauses_or_the_one_named);
    tcase_add_test(changes, cancel_goes_on_after_a_refusal_and_says_so_at_the_end);
    tcase_add_test(changes, events_are_read_up_to_the_last_one);
    tcase_add_test(changes, an_empty_page_of_events_is_not_the_end_of_them);
    tcase_add_test(changes, events_of_an_answer_that_has_none_are_refused);
    tcase_add_test(changes, empty_pages_of_events_end_with_the_log);
    tcase_add_test(changes, events_in_json_are_one_document);
    tcase_add_test(changes, following_begins_with_what_happens_from_now_on_and_survives_a_cut);
    tcase_add_test(changes, following_survives_a_broker_that_is_away_behind_a_proxy);
    tcase_add_test(changes, an_event_that_cannot_be_read_is_told_of_and_what_comes_behind_it_is_shown);
    tcase_add_test(changes, an_event_that_is_too_long_is_told_of_and_not_fetched_for_ever);
    tcase_add_test(changes, following_ends_where_nothing_can_be_written);
    tcase_add_test(changes, following_ends_with_the_limit_and_with_a_refusal);
    suite_add_tcase(suite, changes);
    return suite_run(suite);
}
