/* What goes to the provider, and what is made of each way in which a request can end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lineward/json.h"
#include "worker_rig.h"
#include "tests/support/suite.h"

static struct rig rig;

static void start(void)
{
    rig_open(&rig, NULL);
    cJSON_Delete(rig_ready(&rig));
}

static void start_hasty(void)
{
    static const char *const sets[] = {"worker.request_timeout_ms=60", NULL};
    rig_open(&rig, sets);
    rig_clock_runs = true; /* libcurl's timeouts are */
    cJSON_Delete(rig_ready(&rig));
}

static void start_on_real_time(void)
{
    rig_open(&rig, NULL);
    rig_clock_runs = true;
    cJSON_Delete(rig_ready(&rig));
}

static void stop(void)
{
    rig_close(&rig);
}

static void assert_result(const char *lease, const char *outcome, bool unknown)
{
    cJSON *result = rig_next_result(&rig, lease);
    ck_assert_str_eq(rig_outcome(result), outcome);
    ck_assert_int_eq(json_bool(result, "unknown", false), unknown);
    cJSON_Delete(result);
}

START_TEST(the_request_carries_key_type_and_message)
{
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "sent", false);
    const char *request = rig.stub.requests[0];
    ck_assert_ptr_eq(strstr(request, "POST /api/v3/chats HTTP/1.1\r\n"), request);
    ck_assert_ptr_nonnull(strstr(request, "\r\nAuthorization: Bearer secret-key\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_null(strcasestr(request, "\r\nExpect:"));
    ck_assert_ptr_nonnull(strstr(request, "\"idempotency_key\":\"1-00\""));
    ck_assert_ptr_nonnull(strstr(request, "\"from\":\"+12025550101\""));
}
END_TEST

START_TEST(a_known_chat_is_written_into)
{
    struct rig_job job = {.chat_id = "chat-1"};
    rig_give_job(&rig, "l_1", &job);
    assert_result("l_1", "sent", false);
    ck_assert_ptr_eq(strstr(rig.stub.requests[0], "POST /api/v3/chats/chat-1/messages HTTP/1.1\r\n"),
                     rig.stub.requests[0]);
}
END_TEST

START_TEST(connections_are_kept)
{
    for (int i = 0; i < 3; i++) {
        char lease[16];
        snprintf(lease, sizeof lease, "l_%d", i);
        rig_give_job(&rig, lease, NULL);
        assert_result(lease, "sent", false);
    }
    ck_assert_uint_eq(rig.stub.connection_count, 1);
    ck_assert_uint_eq(rig.stub.request_count, 3);
}
END_TEST

START_TEST(a_refused_connection_is_surely_unsent)
{
    close(rig.stub.fd);
    rig.stub.fd = -1;
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", false);
}
END_TEST

START_TEST(a_refused_connection_does_not_settle_an_earlier_try)
{
    struct rig_job job = {.unsettled = true, .attempt = 2};
    close(rig.stub.fd);
    rig.stub.fd = -1;
    rig_give_job(&rig, "l_1", &job);
    assert_result("l_1", "retry", true);
}
END_TEST

START_TEST(a_connection_closed_after_the_request_is_unknown)
{
    rig.stub.action = STUB_CLOSE;
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", true);
    rig.stub.action = STUB_RESET;
    rig_give_job(&rig, "l_2", NULL);
    assert_result("l_2", "retry", true);
}
END_TEST

START_TEST(half_an_answer_is_unknown)
{
    rig.stub.action = STUB_CUT;
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", true);
}
END_TEST

/* Writes until the worker has had enough, or everything is written. */
static void flood(int fd, const char *text, size_t bytes)
{
    size_t written = 0;
    for (int turns = 0; turns < 5000 && written < bytes; turns++) {
        ssize_t some = send(fd, text + written, bytes - written, MSG_NOSIGNAL);
        written += some > 0 ? (size_t)some : 0;
        worker_turn(rig.worker, 1);
    }
}

START_TEST(an_answer_beyond_a_mebibyte_is_unknown)
{
    static char text[(2 << 20) + 1];
    size_t room = sizeof text - 1;
    int head = snprintf(text, sizeof text, "HTTP/1.1 202 X\r\nContent-Length: %zu\r\n\r\n" RIG_OK, (size_t)2 << 20);
    memset(text + head, ' ', room - (size_t)head); /* a good answer, were it not for the blanks after it */
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    flood(rig.stub.connections[0].fd, text, room);
    assert_result("l_1", "retry", true);
}
END_TEST

START_TEST(an_answer_of_half_a_mebibyte_is_read)
{
    static char text[1 << 19];
    int head = snprintf(text, sizeof text, "HTTP/1.1 202 X\r\nContent-Length: %zu\r\n\r\n" RIG_OK,
                        sizeof text - strlen("HTTP/1.1 202 X\r\nContent-Length: 524243\r\n\r\n"));
    memset(text + head, ' ', sizeof text - (size_t)head);
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    flood(rig.stub.connections[0].fd, text, sizeof text);
    assert_result("l_1", "sent", false);
}
END_TEST

START_TEST(a_dead_kept_connection_is_replaced_and_the_begun_rule_holds_again)
{
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "sent", false);
    rig.stub.close_reused = true; /* reads the second request and closes: libcurl writes it once more */
    rig_give_job(&rig, "l_2", NULL);
    assert_result("l_2", "sent", false);
    ck_assert_uint_eq(rig.stub.request_count, 3);
    ck_assert_uint_eq(rig.stub.connection_count, 2);
    ck_assert_ptr_nonnull(strstr(rig.stub.requests[1], "1-00"));
    ck_assert_ptr_nonnull(strstr(rig.stub.requests[2], "1-00"));
}
END_TEST

START_TEST(a_request_is_not_written_again_once_the_broker_is_out_of_reach)
{
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "sent", false);
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_2", NULL);
    rig_requests(&rig, 2);
    rig.echo_beats = false;
    rig_now.mono_ms += 3000;
    close(rig.stub.connections[0].fd); /* before any byte of an answer */
    rig.stub.connections[0].fd = -1;
    assert_result("l_2", "retry", true);
    ck_assert_uint_eq(rig.stub.request_count, 2);
}
END_TEST

START_TEST(a_request_is_not_written_again_after_a_revoke)
{
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "sent", false);
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_2", NULL);
    rig_requests(&rig, 2);
    rig_say(&rig, "REVOKE", "l_2", NULL);
    rig_turns(&rig, 10);
    close(rig.stub.connections[0].fd);
    rig.stub.connections[0].fd = -1;
    assert_result("l_2", "retry", true);
    ck_assert_uint_eq(rig.stub.request_count, 2);
}
END_TEST

START_TEST(an_answer_to_the_second_writing_is_read_as_one_after_an_unsettled_try)
{
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "sent", false);
    rig.stub.close_reused = true;
    rig.stub.status = 404;
    rig.stub.body = "{\"error\":{\"code\":2002}}";
    rig_give_job(&rig, "l_2", NULL);
    assert_result("l_2", "sent", false);
    rig_give_job(&rig, "l_3", NULL); /* written once: the same answer means something else */
    assert_result("l_3", "rejected", false);
}
END_TEST

START_TEST(redirects_are_not_followed)
{
    char location[64];
    snprintf(location, sizeof location, "Location: http://127.0.0.1:%d/elsewhere\r\n", rig.stub.port);
    rig.stub.status = 307;
    rig.stub.headers = location;
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", false);
    ck_assert_uint_eq(rig.stub.request_count, 1);
}
END_TEST

START_TEST(a_rate_limit_is_told_with_its_scope_and_wait)
{
    struct rig_job job = {.chat_id = "chat-1"};
    int64_t number = 0;
    rig.stub.status = 429;
    rig.stub.headers = "Retry-After: 7\r\nX-Trace-ID: abc\r\n";
    rig.stub.body = "{\"error\":{\"code\":1007,\"message\":\"Slow down\",\"retry_after\":45}}";
    rig_give_job(&rig, "l_1", &job);
    cJSON *result = rig_next_result(&rig, "l_1");
    ck_assert_str_eq(rig_outcome(result), "retry");
    ck_assert_str_eq(json_string(result, "scope"), "conversation");
    ck_assert(json_int(result, "retry_after_ms", &number) && number == 7000);
    ck_assert(json_int(result, "http_status", &number) && number == 429);
    ck_assert(json_int(result, "code", &number) && number == 1007);
    ck_assert_str_eq(json_string(result, "message"), "Slow down");
    ck_assert_str_eq(json_string(result, "trace_id"), "abc");
    cJSON_Delete(result);
}
END_TEST

START_TEST(a_wait_until_a_date_is_measured_on_the_providers_clock)
{
    int64_t number = 0;
    rig.stub.status = 503; /* the rig's own clock is years away from these */
    rig.stub.headers = "Date: Mon, 23 Nov 2020 10:00:00 GMT\r\nRetry-After: Mon, 23 Nov 2020 10:01:00 GMT\r\n";
    rig.stub.body = "{\"error\":{\"code\":4004}}";
    rig_give_job(&rig, "l_1", NULL);
    cJSON *result = rig_next_result(&rig, "l_1");
    ck_assert(json_int(result, "retry_after_ms", &number) && number == 60000);
    cJSON_Delete(result);
}
END_TEST

START_TEST(flags_that_follow_are_told)
{
    static const struct {
        int status;
        const char *body, *outcome, *flag;
    } cases[] = {{403, "{\"error\":{\"code\":2027}}", "retry", "line_flagged"},
                 {401, "{\"error\":{\"code\":2004}}", "retry", "key_refused"},
                 {404, "{\"error\":{\"code\":2001}}", "retry", "forget_chat"}};
    struct rig_job job = {.chat_id = "chat-1"};
    for (size_t i = 0; i < 3; i++) {
        char lease[16];
        snprintf(lease, sizeof lease, "l_%zu", i);
        rig.stub.status = cases[i].status;
        rig.stub.body = cases[i].body;
        rig_give_job(&rig, lease, &job);
        cJSON *result = rig_next_result(&rig, lease);
        ck_assert_str_eq(rig_outcome(result), cases[i].outcome);
        ck_assert(json_bool(result, cases[i].flag, false));
        cJSON_Delete(result);
    }
    rig.stub.status = 403;
    rig.stub.body = "{\"error\":{\"code\":2024}}";
    rig_give_job(&rig, "l_out", &job);
    cJSON *result = rig_next_result(&rig, "l_out");
    ck_assert_str_eq(rig_outcome(result), "rejected");
    ck_assert_str_eq(json_string(result, "suppress"), "opted_out");
    cJSON_Delete(result);
}
END_TEST

START_TEST(an_account_that_is_not_configured_waits_and_is_not_lost)
{
    struct rig_job job = {.account = "other"};
    rig_give_job(&rig, "l_1", &job);
    cJSON *result = rig_next_result(&rig, "l_1");
    ck_assert_str_eq(rig_outcome(result), "retry");
    ck_assert_str_eq(json_string(result, "scope"), "account");
    cJSON_Delete(result);
}
END_TEST

START_TEST(a_message_with_its_own_key_is_never_sent)
{
    struct rig_job job = {.message = "{\"parts\":[],\"idempotency_key\":\"mine\"}"};
    rig_give_job(&rig, "l_1", &job);
    assert_result("l_1", "rejected", false);
    ck_assert_uint_eq(rig.stub.request_count, 0);
}
END_TEST

START_TEST(a_chat_id_of_dots_does_not_leave_its_place)
{
    static const char *const ids[] = {".", ".."};
    for (int i = 0; i < 2; i++) {
        struct rig_job job = {.chat_id = ids[i]};
        rig_give_job(&rig, ids[i], &job);
        assert_result(ids[i], "rejected", false);
    }
    ck_assert_uint_eq(rig.stub.request_count, 0);
}
END_TEST

START_TEST(a_provider_that_never_answers_ends_unknown)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", true);
    ck_assert_uint_eq(rig.stub.request_count, 1);
}
END_TEST

START_TEST(a_connection_that_never_comes_ends_unsent)
{
    rig_block_provider(&rig);
    rig_give_job(&rig, "l_1", NULL);
    assert_result("l_1", "retry", false);
}
END_TEST

START_TEST(a_request_ends_by_the_end_of_its_lease)
{
    struct rig_job job = {.lease_ms = 1000}; /* enough to begin, on any machine */
    rig.stub.action = STUB_SILENT;
    int64_t begun = clock_read().mono_ms;
    rig_give_job(&rig, "l_1", &job);
    assert_result("l_1", "retry", true);
    ck_assert_int_lt(clock_read().mono_ms - begun, 15000); /* half of request_timeout_ms */
}
END_TEST

/* The clock of leases goes on while the machine sleeps; libcurl's stands still. */
START_TEST(a_request_under_way_when_the_machine_slept_past_its_end_is_cut)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    rig_now.mono_ms += 30000; /* worker.request_timeout_ms */
    cJSON_Delete(rig_ready(&rig)); /* over a new connection: nothing was heard for as long */
    assert_result("l_1", "retry", true);
    rig_turns(&rig, 10);
    ck_assert_int_lt(rig.stub.connections[0].fd, 0);
}
END_TEST

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Most slots rest over many reloads; the memory of a route that they used last may be another's by then. */
START_TEST(a_slot_that_rested_over_reloads_sends_with_the_key_in_force)
{
    char folder[] = "/tmp/worker-send-XXXXXX";
    char conf[64], key_file[64], text[256];
    unsigned key = 0;
    struct conf *started = NULL;
    struct conf_problem problem;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(conf, sizeof conf, "%s/conf.yaml", folder);
    snprintf(key_file, sizeof key_file, "%s/key", folder);
    snprintf(text, sizeof text, "accounts: {default: {base_url: 'http://127.0.0.1:%d/api', api_key_file: key}}\n",
             rig.stub.port);
    write_text(conf, text);
    write_text(key_file, "key-0-1\n");
    ck_assert_int_eq(conf_load(&started, conf, NULL, 0, &problem), ERR_NONE);
    for (unsigned round = 0; round < 60; round++) {
        struct worker_source source = {.path = conf, .started = started};
        char lease[16], header[64];
        for (unsigned reload = 0; reload < 1 + round % 9; reload++) {
            key++;
            snprintf(text, sizeof text, "key-%u-%0*u\n", key, (int)(key * 7 % 60), 1u); /* of many lengths */
            write_text(key_file, text);
            worker_reload(rig.worker, &source);
        }
        snprintf(lease, sizeof lease, "l_%u", round);
        rig_give_job(&rig, lease, NULL);
        assert_result(lease, "sent", false);
        snprintf(header, sizeof header, "\r\nAuthorization: Bearer key-%u-", key);
        ck_assert_msg(strstr(rig.stub.requests[round], header) != NULL, "round %u, not key-%u: %s", round, key,
                      rig.stub.requests[round]);
    }
    conf_free(&started);
    unlink(conf);
    unlink(key_file);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_send");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, the_request_carries_key_type_and_message);
    tcase_add_test(tests, a_known_chat_is_written_into);
    tcase_add_test(tests, connections_are_kept);
    tcase_add_test(tests, a_refused_connection_is_surely_unsent);
    tcase_add_test(tests, a_refused_connection_does_not_settle_an_earlier_try);
    tcase_add_test(tests, a_connection_closed_after_the_request_is_unknown);
    tcase_add_test(tests, half_an_answer_is_unknown);
    tcase_add_test(tests, an_answer_beyond_a_mebibyte_is_unknown);
    tcase_add_test(tests, an_answer_of_half_a_mebibyte_is_read);
    tcase_add_test(tests, a_dead_kept_connection_is_replaced_and_the_begun_rule_holds_again);
    tcase_add_test(tests, a_request_is_not_written_again_once_the_broker_is_out_of_reach);
    tcase_add_test(tests, a_request_is_not_written_again_after_a_revoke);
    tcase_add_test(tests, an_answer_to_the_second_writing_is_read_as_one_after_an_unsettled_try);
    tcase_add_test(tests, redirects_are_not_followed);
    tcase_add_test(tests, a_rate_limit_is_told_with_its_scope_and_wait);
    tcase_add_test(tests, a_wait_until_a_date_is_measured_on_the_providers_clock);
    tcase_add_test(tests, flags_that_follow_are_told);
    tcase_add_test(tests, an_account_that_is_not_configured_waits_and_is_not_lost);
    tcase_add_test(tests, a_message_with_its_own_key_is_never_sent);
    tcase_add_test(tests, a_chat_id_of_dots_does_not_leave_its_place);
    tcase_add_test(tests, a_request_under_way_when_the_machine_slept_past_its_end_is_cut);
    tcase_add_test(tests, a_slot_that_rested_over_reloads_sends_with_the_key_in_force);
    suite_add_tcase(suite, tests);
    TCase *hasty = tcase_create("timeouts");
    tcase_add_checked_fixture(hasty, start_hasty, stop);
    tcase_set_timeout(hasty, 30);
    tcase_add_test(hasty, a_provider_that_never_answers_ends_unknown);
    tcase_add_test(hasty, a_connection_that_never_comes_ends_unsent);
    suite_add_tcase(suite, hasty);
    TCase *timed = tcase_create("lease");
    tcase_add_checked_fixture(timed, start_on_real_time, stop);
    tcase_set_timeout(timed, 30);
    tcase_add_test(timed, a_request_ends_by_the_end_of_its_lease);
    suite_add_tcase(suite, timed);
    return suite_run(suite);
}
