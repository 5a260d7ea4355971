/* feed_poll_test.c — the poller against a small provider on loopback: good and bad answers, and when it asks.
 * The poller's clock is the test's; only libcurl's own timeouts run on the real one. */
#include "broker/feed/feed_poll.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define WALL_MS     INT64_C(1795428000000) /* 2026-11-23T10:00:00Z */
#define INTERVAL_MS 30000
#define BOUND_BYTES 4096
#define TURNS_MAX   2000

static const char good[] = "{\"phone_numbers\":["
                           "{\"phone_number\":\"+12025550101\",\"reputation\":{\"status\":\"HEALTHY\"}},"
                           "{\"phone_number\":\"+12025550102\",\"reputation\":{\"status\":\"CRITICAL\"}}]}";

/* ---- the provider ---- */

static struct provider {
    struct MHD_Daemon *daemon;
    int port;
    pthread_mutex_t lock;
    int requests;            /* to any path */
    int elsewhere;           /* to the place that a redirect points to */
    char authorization[128]; /* of the last request */
    char path[128];
    char date[64], age[16], retry_after[16]; /* headers to send; "" none */
} provider = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t endless(void *cls, uint64_t position, char *buffer, size_t room)
{
    memset(buffer, ' ', room);
    return (ssize_t)room;
}

static ssize_t breaks_off(void *cls, uint64_t position, char *buffer, size_t room)
{
    if (position >= 20)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    memcpy(buffer, good + position, 20);
    return 20;
}

static struct MHD_Response *text_response(const char *text)
{
    return MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
}

/* What stands between the base URL's slash and /v3 says how to behave. */
static struct MHD_Response *make_response(const char *path, unsigned *status)
{
    static char oversized[BOUND_BYTES + 2];
    *status = 200;
    if (strncmp(path, "/empty/", 7) == 0)
        return text_response("{\"phone_numbers\":[]}");
    if (strncmp(path, "/wrong/", 7) == 0)
        return text_response("{\"data\":[]}");
    if (strncmp(path, "/truncated/", 11) == 0)
        return text_response("{\"phone_numbers\":[{\"phone_number\":\"+12025550101\",\"reputation\":{\"st");
    if (strncmp(path, "/broken/", 8) == 0)
        return MHD_create_response_from_callback(sizeof good - 1, 32, breaks_off, NULL, NULL);
    if (strncmp(path, "/endless/", 9) == 0)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, endless, NULL, NULL);
    if (strncmp(path, "/oversized/", 11) == 0) {
        memset(oversized, ' ', sizeof oversized - 1);
        return text_response(oversized);
    }
    if (strncmp(path, "/status", 7) == 0)
        *status = (unsigned)atoi(path + 7);
    return text_response(good);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value[0] != '\0')
        MHD_add_response_header(response, name, value);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *bytes, void **con_cls)
{
    unsigned status = 200;
    const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    struct MHD_Response *response = make_response(path, &status);
    pthread_mutex_lock(&provider.lock);
    provider.requests++;
    provider.elsewhere += strcmp(path, "/elsewhere") == 0;
    snprintf(provider.authorization, sizeof provider.authorization, "%s", authorization == NULL ? "" : authorization);
    snprintf(provider.path, sizeof provider.path, "%s %s", method, path);
    add_header(response, "Date", provider.date);
    add_header(response, "Age", provider.age);
    add_header(response, "Retry-After", provider.retry_after);
    pthread_mutex_unlock(&provider.lock);
    if (status / 100 == 3)
        add_header(response, "Location", "/elsewhere");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static int requests(void)
{
    pthread_mutex_lock(&provider.lock);
    int count = provider.requests;
    pthread_mutex_unlock(&provider.lock);
    return count;
}

static void set_header(char *header, size_t room, const char *value)
{
    pthread_mutex_lock(&provider.lock);
    snprintf(header, room, "%s", value);
    pthread_mutex_unlock(&provider.lock);
}

/* ---- the poller, whose broker is the test ---- */

static struct rig {
    char key_file[64];
    char urls[2][128];
    struct conf_account accounts[2];
    struct conf conf;
    struct feed_notes *notes;
    struct feed_poll *poll;
    struct instant now;
    bool refusing_lines;
    int ends;
    struct feed_message end; /* the last */
    int lists;
    struct feed_line lines[8]; /* of the last list */
    size_t line_count;
    uint64_t list_poll;
} rig;

static bool take(void *context, const struct feed_message *message)
{
    if (message->kind == FEED_POLL_LINES && rig.refusing_lines)
        return false;
    if (message->kind == FEED_POLL_LINES) {
        ck_assert_uint_le(message->line_count, 8);
        memcpy(rig.lines, message->lines, message->line_count * sizeof *rig.lines);
        rig.line_count = message->line_count;
        rig.list_poll = message->poll;
        rig.lists++;
    } else if (message->kind == FEED_POLL_END) {
        rig.end = *message;
        rig.ends++;
    }
    return true;
}

static void write_key(const char *text)
{
    FILE *file = fopen(rig.key_file, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
}

static void setup(void)
{
    static const char *const names[] = {"default", "second"};
    memset(&rig, 0, sizeof rig);
    ck_assert_int_ge(sodium_init(), 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    provider.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL,
                                       NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    ck_assert_ptr_nonnull(provider.daemon);
    provider.port = MHD_get_daemon_info(provider.daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    provider.requests = provider.elsewhere = 0;
    strcpy(rig.key_file, "/tmp/lineward-key-XXXXXX");
    int fd = mkstemp(rig.key_file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    write_key("the-key\n");
    for (int i = 0; i < 2; i++) {
        strcpy(rig.accounts[i].name, names[i]);
        rig.accounts[i].base_url = rig.urls[i];
        rig.accounts[i].api_key_file = rig.key_file;
        rig.accounts[i].poll_interval_ms = INTERVAL_MS;
    }
    rig.conf.accounts = rig.accounts;
    rig.conf.account_count = 1;
    rig.now = (struct instant){WALL_MS, 1000000};
    rig.notes = feed_notes_new(&rig.conf, take, NULL);
}

static void teardown(void)
{
    feed_poll_close(&rig.poll);
    feed_notes_free(&rig.notes);
    MHD_stop_daemon(provider.daemon);
    unlink(rig.key_file);
    curl_global_cleanup();
}

static enum err rig_open(struct conf_problem *problem)
{
    struct feed_poll_options options = {
        .emit = take, .notes = rig.notes, .timeout_ms = 5000, .answer_bytes_max = BOUND_BYTES};
    return feed_poll_open(&rig.poll, &rig.conf, &options, rig.now, problem);
}

/* Starts with a provider that behaves as `behaviour` says. */
static void rig_start(const char *behaviour)
{
    struct conf_problem problem = {{0}};
    snprintf(rig.urls[0], sizeof rig.urls[0], "http://127.0.0.1:%d/%s", provider.port, behaviour);
    ck_assert_msg(rig_open(&problem) == ERR_NONE, "%s", problem.text);
}

static void turn(void)
{
    feed_poll_step(rig.poll, rig.now);
    feed_poll_wait(rig.poll, NULL, 0, 5);
}

static void run_until_ends(int ends)
{
    for (int i = 0; i < TURNS_MAX && rig.ends < ends; i++)
        turn();
    ck_assert_int_eq(rig.ends, ends);
}

static void pass(int64_t ms)
{
    rig.now.wall_ms += ms;
    rig.now.mono_ms += ms;
}

static void one_bad_poll(const char *behaviour)
{
    rig_start(behaviour);
    run_until_ends(1);
    ck_assert_msg(!rig.end.ok, "%s is ok", behaviour);
    ck_assert_int_eq(rig.lists, 0);
    ck_assert_str_ne(rig.end.problem, "");
    ck_assert_ptr_null(strstr(rig.end.problem, "the-key"));
}

/* ---- answers ---- */

START_TEST(a_good_list_is_told_with_its_poll)
{
    rig_start("good");
    int64_t begun = rig.now.mono_ms;
    run_until_ends(1);
    ck_assert(rig.end.ok && !rig.end.cached && !rig.end.key_refused);
    ck_assert_str_eq(rig.end.account, "default");
    ck_assert_str_eq(rig.end.problem, "");
    ck_assert_int_eq(rig.end.http_status, 200);
    ck_assert_int_eq(rig.end.begun_mono_ms, begun);
    ck_assert_uint_eq(rig.end.poll, 1);
    ck_assert_uint_eq(rig.list_poll, 1);
    ck_assert_uint_eq(rig.line_count, 2);
    ck_assert_str_eq(rig.lines[1].number, "+12025550102");
    ck_assert_int_eq(rig.lines[1].reputation, REPUTATION_CRITICAL);
    ck_assert_str_eq(provider.path, "GET /good/v3/phone_numbers");
    ck_assert_str_eq(provider.authorization, "Bearer the-key");
}
END_TEST

START_TEST(an_empty_list_is_good)
{
    rig_start("empty");
    run_until_ends(1);
    ck_assert(rig.end.ok);
    ck_assert_int_eq(rig.lists, 0);
}
END_TEST

START_TEST(a_refused_key_is_said)
{
    one_bad_poll("status401");
    ck_assert(rig.end.key_refused);
    ck_assert_int_eq(rig.end.http_status, 401);
}
END_TEST

START_TEST(errors_are_no_list)
{
    one_bad_poll("status500");
    ck_assert_int_eq(rig.end.http_status, 500);
    ck_assert(!rig.end.key_refused);
}
END_TEST

START_TEST(only_a_200_is_a_list)
{
    one_bad_poll("status202");
}
END_TEST

START_TEST(a_cut_list_is_no_list)
{
    one_bad_poll("truncated");
    ck_assert_int_eq(rig.end.http_status, 200);
}
END_TEST

START_TEST(a_wrong_root_is_no_list)
{
    one_bad_poll("wrong");
}
END_TEST

START_TEST(a_connection_lost_within_the_answer_is_no_list)
{
    one_bad_poll("broken");
    ck_assert_int_eq(rig.end.http_status, 0);
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    one_bad_poll("status302");
    ck_assert_int_eq(rig.end.http_status, 302);
    ck_assert_int_eq(requests(), 1);
    ck_assert_int_eq(provider.elsewhere, 0);
}
END_TEST

START_TEST(an_announced_answer_beyond_the_bound_is_refused)
{
    one_bad_poll("oversized");
    ck_assert_str_eq(rig.end.problem, "the answer is too large");
}
END_TEST

START_TEST(an_endless_answer_is_broken_off_at_the_bound)
{
    one_bad_poll("endless");
    ck_assert_str_eq(rig.end.problem, "the answer is too large");
}
END_TEST

START_TEST(a_provider_that_never_answers_is_given_up)
{
    struct conf_problem problem;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(silent, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(silent, 4), 0);
    ck_assert_int_eq(getsockname(silent, (struct sockaddr *)&address, &length), 0);
    snprintf(rig.urls[0], sizeof rig.urls[0], "http://127.0.0.1:%d", ntohs(address.sin_port));
    struct feed_poll_options options = {.emit = take, .notes = rig.notes, .timeout_ms = 100, .answer_bytes_max = 1};
    ck_assert_int_eq(feed_poll_open(&rig.poll, &rig.conf, &options, rig.now, &problem), ERR_NONE);
    run_until_ends(1);
    ck_assert(!rig.end.ok);
    ck_assert_int_eq(rig.end.http_status, 0);
    close(silent);
    /* Nobody there at all is the next poll's finding. */
    pass(INTERVAL_MS);
    run_until_ends(2);
    ck_assert(!rig.end.ok);
    ck_assert_uint_eq(rig.end.poll, 2);
}
END_TEST

START_TEST(a_list_the_broker_does_not_take_is_not_called_good)
{
    rig_start("good");
    rig.refusing_lines = true;
    run_until_ends(1);
    ck_assert(!rig.end.ok);
}
END_TEST

/* ---- age ---- */

START_TEST(an_answer_older_than_its_request_is_called_cached)
{
    set_header(provider.date, sizeof provider.date, "Mon, 23 Nov 2026 10:00:00 GMT");
    rig_start("good");
    run_until_ends(1);
    ck_assert(rig.end.ok && !rig.end.cached);
    ck_assert_int_le(llabs(rig.end.skew_ms), 1000);
    pass(INTERVAL_MS);
    run_until_ends(2);
    ck_assert(rig.end.ok && rig.end.cached);
    pass(INTERVAL_MS);
    set_header(provider.date, sizeof provider.date, "Mon, 23 Nov 2026 10:01:00 GMT");
    run_until_ends(3);
    ck_assert(rig.end.ok && !rig.end.cached);
}
END_TEST

START_TEST(an_age_is_believed)
{
    set_header(provider.age, sizeof provider.age, "7");
    rig_start("good");
    run_until_ends(1);
    ck_assert(rig.end.ok && rig.end.cached);
}
END_TEST

/* ---- when ---- */

START_TEST(polls_come_at_their_interval)
{
    rig_start("good");
    run_until_ends(1);
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + INTERVAL_MS);
    pass(INTERVAL_MS - 1);
    turn();
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + 1);
    pass(1);
    run_until_ends(2);
    ck_assert_int_eq(requests(), 2);
    ck_assert_uint_eq(rig.end.poll, 2);
}
END_TEST

START_TEST(a_failed_poll_is_repeated_at_its_interval_too)
{
    rig_start("status500");
    run_until_ends(1);
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + INTERVAL_MS);
}
END_TEST

START_TEST(told_to_poll_it_polls_at_once)
{
    rig_start("good");
    run_until_ends(1);
    feed_poll_now(rig.poll, 0);
    ck_assert_int_le(feed_poll_due(rig.poll), rig.now.mono_ms);
    pass(10);
    int64_t begun = rig.now.mono_ms;
    run_until_ends(2);
    ck_assert_int_eq(rig.end.begun_mono_ms, begun);
}
END_TEST

START_TEST(told_often_while_one_is_under_way_it_polls_once_more)
{
    rig_start("good");
    feed_poll_step(rig.poll, rig.now); /* begun */
    for (int i = 0; i < 5; i++)
        feed_poll_now(rig.poll, 0);
    pass(3);
    run_until_ends(2);
    ck_assert_int_eq(rig.end.begun_mono_ms, rig.now.mono_ms);
    for (int i = 0; i < 5; i++)
        turn();
    ck_assert_int_eq(requests(), 2);
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + INTERVAL_MS);
}
END_TEST

START_TEST(a_retry_after_is_granted_within_bounds_even_when_told_to_poll)
{
    set_header(provider.retry_after, sizeof provider.retry_after, "20");
    rig_start("status429");
    run_until_ends(1);
    feed_poll_now(rig.poll, 0);
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + 20000);
    set_header(provider.retry_after, sizeof provider.retry_after, "86400");
    pass(20000);
    run_until_ends(2);
    ck_assert_int_eq(feed_poll_due(rig.poll), rig.now.mono_ms + POLL_RETRY_AFTER_MS_MAX);
}
END_TEST

START_TEST(a_missing_key_is_said_and_found_once_it_is_there)
{
    rig_start("good");
    unlink(rig.key_file);
    run_until_ends(1);
    ck_assert(!rig.end.ok);
    ck_assert_int_eq(requests(), 0);
    write_key("new-key");
    pass(INTERVAL_MS);
    run_until_ends(2);
    ck_assert(rig.end.ok);
    ck_assert_str_eq(provider.authorization, "Bearer new-key");
}
END_TEST

START_TEST(a_key_that_cannot_stand_in_a_header_is_not_sent)
{
    write_key("a\001b\n");
    rig_start("good");
    run_until_ends(1);
    ck_assert(!rig.end.ok);
    ck_assert_int_eq(requests(), 0);
}
END_TEST

START_TEST(a_dead_account_does_not_delay_another)
{
    struct conf_problem problem;
    snprintf(rig.urls[1], sizeof rig.urls[1], "http://127.0.0.1:%d/good/", provider.port);
    snprintf(rig.urls[0], sizeof rig.urls[0], "http://127.0.0.1:1");
    rig.conf.account_count = 2;
    ck_assert_int_eq(rig_open(&problem), ERR_NONE);
    run_until_ends(2);
    ck_assert_int_eq(rig.lists, 1);
    ck_assert_str_eq(provider.path, "GET /good/v3/phone_numbers");
}
END_TEST

START_TEST(closing_in_the_middle_of_a_poll_leaves_nothing_behind)
{
    rig_start("good");
    feed_poll_step(rig.poll, rig.now);
    feed_poll_close(&rig.poll);
    ck_assert_ptr_null(rig.poll);
}
END_TEST

START_TEST(plain_http_is_for_loopback_only)
{
    static const char *const urls[] = {"http://192.0.2.1/api", "ftp://127.0.0.1/", "127.0.0.1:80",
                                       "http://127.0.0.1.example.com/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct conf_problem problem = {{0}};
        strcpy(rig.urls[0], urls[i]);
        ck_assert_msg(rig_open(&problem) == ERR_BAD_INPUT, "%s", urls[i]);
        ck_assert_ptr_nonnull(strstr(problem.text, "accounts.default.base_url"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_poll");
    TCase *tests = tcase_create("poller");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_good_list_is_told_with_its_poll);
    tcase_add_test(tests, an_empty_list_is_good);
    tcase_add_test(tests, a_refused_key_is_said);
    tcase_add_test(tests, errors_are_no_list);
    tcase_add_test(tests, only_a_200_is_a_list);
    tcase_add_test(tests, a_cut_list_is_no_list);
    tcase_add_test(tests, a_wrong_root_is_no_list);
    tcase_add_test(tests, a_connection_lost_within_the_answer_is_no_list);
    tcase_add_test(tests, a_redirect_is_not_followed);
    tcase_add_test(tests, an_announced_answer_beyond_the_bound_is_refused);
    tcase_add_test(tests, an_endless_answer_is_broken_off_at_the_bound);
    tcase_add_test(tests, a_provider_that_never_answers_is_given_up);
    tcase_add_test(tests, a_list_the_broker_does_not_take_is_not_called_good);
    tcase_add_test(tests, an_answer_older_than_its_request_is_called_cached);
    tcase_add_test(tests, an_age_is_believed);
    tcase_add_test(tests, polls_come_at_their_interval);
    tcase_add_test(tests, a_failed_poll_is_repeated_at_its_interval_too);
    tcase_add_test(tests, told_to_poll_it_polls_at_once);
    tcase_add_test(tests, told_often_while_one_is_under_way_it_polls_once_more);
    tcase_add_test(tests, a_retry_after_is_granted_within_bounds_even_when_told_to_poll);
    tcase_add_test(tests, a_missing_key_is_said_and_found_once_it_is_there);
    tcase_add_test(tests, a_key_that_cannot_stand_in_a_header_is_not_sent);
    tcase_add_test(tests, a_dead_account_does_not_delay_another);
    tcase_add_test(tests, closing_in_the_middle_of_a_poll_leaves_nothing_behind);
    tcase_add_test(tests, plain_http_is_for_loopback_only);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
