/* The worker's side of the contract with a broker: READY, JOB, RESULT, DONE, REVOKE, BEAT, BYE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/log.h"
#include "worker_rig.h"
#include "tests/support/suite.h"

static struct rig rig;

static void start(void)
{
    rig_open(&rig, NULL);
}

static void start_ready(void)
{
    rig_open(&rig, NULL);
    cJSON_Delete(rig_ready(&rig));
}

static void stop(void)
{
    rig_close(&rig);
}

static void start_curve(void)
{
    rig_open_curve(&rig, true);
}

static void start_wrong_curve(void)
{
    rig_open_curve(&rig, false);
}

static int leases_named(const cJSON *ready)
{
    return cJSON_GetArraySize(json_get(ready, "leases"));
}

static bool names(const cJSON *ready, const char *lease)
{
    const cJSON *one = NULL;
    cJSON_ArrayForEach(one, json_get(ready, "leases"))
    {
        if (strcmp(one->valuestring, lease) == 0)
            return true;
    }
    return false;
}

START_TEST(ready_tells_who_it_is_and_how_much_it_takes)
{
    cJSON *ready = rig_ready(&rig);
    int64_t slots = 0;
    ck_assert_ptr_nonnull(json_string(ready, "worker"));
    ck_assert_uint_ge(strlen(json_string(ready, "instance")), 16);
    ck_assert(json_int(ready, "slots", &slots));
    ck_assert_int_eq(slots, 4);
    ck_assert_int_eq(leases_named(ready), 0);
    cJSON_Delete(ready);
}
END_TEST

START_TEST(two_workers_are_two_instances)
{
    struct rig other;
    cJSON *first = rig_ready(&rig);
    rig_open(&other, NULL);
    cJSON *second = rig_ready(&other);
    ck_assert_str_ne(json_string(first, "instance"), json_string(second, "instance"));
    cJSON_Delete(first);
    cJSON_Delete(second);
    rig_close(&other);
}
END_TEST

START_TEST(a_job_is_sent_and_its_result_told)
{
    rig_give_job(&rig, "l_1", NULL);
    cJSON *result = rig_next_result(&rig, "l_1");
    ck_assert_str_eq(rig_outcome(result), "sent");
    ck_assert_str_eq(json_string(result, "chat_id"), "chat-1");
    ck_assert_str_eq(json_string(result, "message_id"), "message-1");
    cJSON_Delete(result);
}
END_TEST

START_TEST(a_batch_of_jobs_is_answered_in_full)
{
    static const char *const leases[] = {"l_1", "l_2", "l_3", "l_4"};
    bool seen[4] = {false};
    for (size_t i = 0; i < 4; i++)
        rig_give_job(&rig, leases[i], NULL);
    while (!seen[0] || !seen[1] || !seen[2] || !seen[3]) {
        const struct heard *heard = rig_hear(&rig, "RESULT");
        for (size_t frame = 1; frame < heard->count; frame += 2) {
            for (size_t i = 0; i < 4; i++)
                seen[i] = seen[i] || strcmp(heard->frames[frame], leases[i]) == 0;
        }
    }
    ck_assert_uint_eq(rig.stub.request_count, 4);
}
END_TEST

START_TEST(the_same_lease_twice_is_sent_once)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    rig_give_job(&rig, "l_1", NULL);
    rig_turns(&rig, 30);
    ck_assert_uint_eq(rig.stub.request_count, 1);
}
END_TEST

START_TEST(jobs_beyond_the_slots_are_returned_unsent)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_give_job(&rig, "l_2", NULL);
    rig_give_job(&rig, "l_3", NULL);
    rig_give_job(&rig, "l_4", NULL);
    rig_give_job(&rig, "l_5", NULL);
    rig_expect_outcome(&rig, "l_5", "returned");
    rig_requests(&rig, 4);
}
END_TEST

START_TEST(a_revoke_before_the_request_begins_returns_the_job)
{
    rig_block_provider(&rig);
    rig_give_job(&rig, "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
    rig_say(&rig, "REVOKE", "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "returned");
}
END_TEST

START_TEST(a_revoke_after_the_request_began_is_ignored)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    rig_say(&rig, "REVOKE", "l_1", "l_unknown", NULL);
    ck_assert(!rig_hears(&rig, "RESULT"));
}
END_TEST

START_TEST(a_worker_cut_off_for_three_heartbeats_begins_nothing)
{
    rig.echo_beats = false;
    rig_now.mono_ms += 3 * RIG_HEARTBEAT_MS;
    rig_give_job(&rig, "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "returned");
    rig_turns(&rig, 10);
    ck_assert_uint_eq(rig.stub.request_count, 0);
}
END_TEST

START_TEST(just_under_three_heartbeats_is_still_fresh)
{
    rig.echo_beats = false;
    rig_turns(&rig, 10); /* the echo of the first BEAT, sent at the time of READY, is in */
    rig_now.mono_ms += 3 * RIG_HEARTBEAT_MS - 1;
    rig_give_job(&rig, "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "sent");
}
END_TEST

START_TEST(an_echo_counts_from_when_its_beat_was_sent)
{
    rig.echo_beats = false;
    rig_now.mono_ms += 1000;
    char beat[32];
    snprintf(beat, sizeof beat, "%s", rig_hear(&rig, "BEAT")->frames[1]);
    rig_now.mono_ms += 2500; /* the echo comes late, and proves only that old moment */
    rig_say(&rig, "BEAT", beat, NULL);
    rig_turns(&rig, 10);
    rig_now.mono_ms += 500;
    rig_give_job(&rig, "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "returned");
}
END_TEST

START_TEST(a_beat_never_sent_proves_nothing)
{
    rig.echo_beats = false;
    rig_now.mono_ms += 3 * RIG_HEARTBEAT_MS;
    rig_say(&rig, "BEAT", "999999", NULL);
    rig_say(&rig, "BEAT", "0", NULL);
    rig_say(&rig, "BEAT", "-1", NULL);
    rig_say(&rig, "BEAT", "", NULL);
    rig_give_job(&rig, "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "returned");
}
END_TEST

START_TEST(beats_count_up_each_heartbeat)
{
    long last = strtol(rig.heard.frames[1], NULL, 10);
    for (int i = 0; i < 3; i++) {
        ck_assert(!rig_hears(&rig, "BEAT"));
        rig_now.mono_ms += RIG_HEARTBEAT_MS;
        long number = strtol(rig_hear(&rig, "BEAT")->frames[1], NULL, 10);
        ck_assert_int_eq(number, last + 1);
        last = number;
    }
}
END_TEST

START_TEST(a_result_is_told_again_until_done)
{
    rig_give_job(&rig, "l_1", NULL);
    cJSON_Delete(rig_next_result(&rig, "l_1"));
    ck_assert(!rig_hears(&rig, "RESULT"));
    rig_now.mono_ms += 3 * RIG_HEARTBEAT_MS;
    cJSON_Delete(rig_next_result(&rig, "l_1"));
    rig_say(&rig, "DONE", "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 0);
    rig_now.mono_ms += 3 * RIG_HEARTBEAT_MS;
    ck_assert(!rig_hears(&rig, "RESULT"));
}
END_TEST

START_TEST(done_does_not_forget_what_is_under_way)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_1", NULL);
    rig_requests(&rig, 1);
    rig_say(&rig, "DONE", "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
}
END_TEST

START_TEST(an_unknown_worker_says_ready_with_what_it_began_and_what_is_unacknowledged)
{
    rig_give_job(&rig, "l_told", NULL);
    cJSON_Delete(rig_next_result(&rig, "l_told"));
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_begun", NULL);
    rig_requests(&rig, 2);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unknown_worker\",\"message\":\"READY first\"}}", NULL);
    cJSON *ready = rig_ready(&rig);
    ck_assert_int_eq(leases_named(ready), 2);
    ck_assert(names(ready, "l_told"));
    ck_assert(names(ready, "l_begun"));
    cJSON_Delete(ready);
    cJSON_Delete(rig_next_result(&rig, "l_told")); /* told again, for the new broker cannot know it */
}
END_TEST

START_TEST(saying_ready_drops_what_was_not_begun)
{
    rig_block_provider(&rig);
    rig_give_job(&rig, "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unknown_worker\"}}", NULL);
    cJSON *ready = rig_ready(&rig);
    ck_assert_int_eq(leases_named(ready), 0);
    cJSON_Delete(ready);
    ck_assert(!rig_hears(&rig, "RESULT"));
    ck_assert_uint_eq(worker_leases(rig.worker), 0);
}
END_TEST

START_TEST(a_worker_whose_key_was_taken_away_drops_what_was_not_begun)
{
    size_t before = rig.readies;
    rig_block_provider(&rig);
    rig_give_job(&rig, "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unauthorized\"}}", NULL);
    rig_turns(&rig, 10);
    ck_assert_uint_eq(worker_leases(rig.worker), 0);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unauthorized\"}}", NULL); /* to its READY, which it does not repeat */
    rig_turns(&rig, 30);
    ck_assert_uint_eq(rig.readies, before + 1);
}
END_TEST

START_TEST(jobs_before_the_answer_to_ready_are_dropped)
{
    rig_hear(&rig, "READY");
    rig_give_job(&rig, "l_early", NULL);
    rig_say(&rig, "READY", "{\"broker\":\"test\",\"heartbeat_ms\":1000}", NULL);
    rig_give_job(&rig, "l_later", NULL);
    rig_expect_outcome(&rig, "l_later", "sent");
    ck_assert_uint_eq(rig.stub.request_count, 1);
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
}
END_TEST

START_TEST(several_unknown_worker_errors_ask_for_one_ready)
{
    size_t before = rig.readies;
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unknown_worker\"}}", NULL);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unknown_worker\"}}", NULL);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"unknown_worker\"}}", NULL);
    cJSON_Delete(rig_ready(&rig));
    rig_turns(&rig, 30);
    ck_assert_uint_eq(rig.readies, before + 1);
}
END_TEST

START_TEST(a_broker_that_comes_back_is_told_ready_and_the_results)
{
    int linger = 0;
    rig_give_job(&rig, "l_1", NULL);
    cJSON_Delete(rig_next_result(&rig, "l_1"));
    zmq_close(rig.router);
    rig.router = zmq_socket(rig.zmq, ZMQ_ROUTER);
    zmq_setsockopt(rig.router, ZMQ_LINGER, &linger, sizeof linger);
    for (int i = 0; i < 1000 && zmq_bind(rig.router, rig.endpoint) != 0; i++)
        rig_turns(&rig, 1);
    cJSON *ready = rig_ready(&rig);
    ck_assert(names(ready, "l_1"));
    cJSON_Delete(ready);
    cJSON_Delete(rig_next_result(&rig, "l_1"));
}
END_TEST

START_TEST(a_silent_broker_is_tried_over_a_new_connection)
{
    unsigned char before[256];
    size_t bytes = rig.peer_bytes;
    memcpy(before, rig.peer, bytes);
    rig.echo_beats = false;
    rig_turns(&rig, 10);
    rig_now.mono_ms += 10 * RIG_HEARTBEAT_MS;
    cJSON_Delete(rig_ready(&rig));
    ck_assert(rig.peer_bytes != bytes || memcmp(before, rig.peer, bytes) != 0);
}
END_TEST

START_TEST(an_expired_job_is_returned_unsent)
{
    struct rig_job job = {.expires_at = "2026-11-23T09:59:59.999Z"};
    ck_assert(time_parse("2026-11-23T10:00:00Z", &rig_now.wall_ms));
    rig_give_job(&rig, "l_1", &job);
    rig_expect_outcome(&rig, "l_1", "returned");
    ck_assert_uint_eq(rig.stub.request_count, 0);
}
END_TEST

START_TEST(malformed_jobs_are_rejected_and_never_sent)
{
    static const char *const bad[] = {"", "{", "[]", "{\"job\":\"j_1\"}"};
    char lease[16];
    for (int i = 0; i < 4; i++) {
        snprintf(lease, sizeof lease, "l_%d", i);
        rig_say(&rig, "JOB", lease, bad[i], NULL);
        rig_expect_outcome(&rig, lease, "rejected");
    }
    ck_assert_uint_eq(rig.stub.request_count, 0);
}
END_TEST

START_TEST(malformed_messages_change_nothing)
{
    rig_say(&rig, "JOB", NULL);
    rig_say(&rig, "JOB", "l_1", NULL);
    rig_say(&rig, "JOB", "", "{}", NULL);
    rig_say(&rig, "JOB", "with blank", "{}", NULL);
    rig_say(&rig, "NONSENSE", "l_1", NULL);
    rig_say(&rig, "ERR", "not json", NULL);
    rig_say(&rig, "DONE", "l_9", NULL);
    rig_turns(&rig, 20);
    ck_assert_uint_eq(worker_leases(rig.worker), 0);
    rig_give_job(&rig, "l_2", NULL);
    rig_expect_outcome(&rig, "l_2", "sent");
}
END_TEST

START_TEST(ending_says_bye_takes_no_more_and_finishes_what_began)
{
    rig.stub.action = STUB_SILENT;
    rig_give_job(&rig, "l_begun", NULL);
    rig_requests(&rig, 1);
    worker_end(rig.worker);
    rig_hear(&rig, "BYE");
    rig_give_job(&rig, "l_late", NULL);
    rig_expect_outcome(&rig, "l_late", "returned");
    ck_assert(!worker_has_ended(rig.worker));
    rig.stub.action = STUB_ANSWER;
    rig.stub.connections[0].in_bytes = 0;
    rig_say(&rig, "DONE", "l_late", NULL);
    const char *answer = "HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n";
    ck_assert_int_gt(send(rig.stub.connections[0].fd, answer, strlen(answer), 0), 0);
    cJSON_Delete(rig_next_result(&rig, "l_begun"));
    ck_assert(!worker_has_ended(rig.worker));
    rig_say(&rig, "DONE", "l_begun", NULL);
    rig_turns(&rig, 20);
    ck_assert(worker_has_ended(rig.worker));
}
END_TEST

START_TEST(ending_returns_what_has_not_begun)
{
    rig_block_provider(&rig);
    rig_give_job(&rig, "l_1", NULL);
    rig_turns(&rig, 10);
    worker_end(rig.worker);
    rig_expect_outcome(&rig, "l_1", "returned");
    rig_say(&rig, "DONE", "l_1", NULL);
    rig_turns(&rig, 10);
    ck_assert(worker_has_ended(rig.worker));
}
END_TEST

START_TEST(ending_does_not_wait_for_ever_for_done)
{
    rig_give_job(&rig, "l_1", NULL);
    cJSON_Delete(rig_next_result(&rig, "l_1"));
    worker_end(rig.worker);
    rig_turns(&rig, 10);
    ck_assert(!worker_has_ended(rig.worker));
    rig_now.mono_ms += 6000;
    rig_turns(&rig, 10);
    ck_assert(worker_has_ended(rig.worker));
    ck_assert_uint_eq(worker_leases(rig.worker), 1);
}
END_TEST

/* A name is a name, or it is not said. */
START_TEST(what_a_broker_says_is_no_other_value_in_the_log)
{
    static const struct rig_job job = {.account = "x job=j_9"};
    int kept = dup(STDERR_FILENO), ends[2];
    char log[8192];
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_level_set(LOG_INFO);
    rig_hear(&rig, "READY");
    rig_say(&rig, "READY", "{\"broker\":\"b leases=9\",\"heartbeat_ms\":1000}", NULL);
    rig_say(&rig, "ERR", "{\"error\":{\"code\":\"malformed broker=other\"}}", NULL);
    rig_give_job(&rig, "l_1", &job);
    rig_expect_outcome(&rig, "l_1", "retry");
    dup2(kept, STDERR_FILENO);
    close(ends[1]);
    ssize_t bytes = read(ends[0], log, sizeof log - 1);
    log[bytes > 0 ? bytes : 0] = '\0';
    close(ends[0]);
    close(kept);
    ck_assert_msg(strstr(log, "event=ready ") != NULL && strstr(log, " broker=? heartbeat_ms=1000 leases=0\n") != NULL &&
                      strstr(log, " code=?\n") != NULL && strstr(log, "event=account_unknown ") != NULL &&
                      strstr(log, " account=?\n") != NULL, "%s", log);
}
END_TEST

START_TEST(with_keys_it_speaks_curve)
{
    cJSON_Delete(rig_ready(&rig));
    rig_give_job(&rig, "l_1", NULL);
    rig_expect_outcome(&rig, "l_1", "sent");
}
END_TEST

START_TEST(a_broker_with_another_key_hears_nothing)
{
    ck_assert(!rig_hears(&rig, "READY"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_broker");
    TCase *fresh = tcase_create("before READY");
    tcase_add_checked_fixture(fresh, start, stop);
    tcase_add_test(fresh, ready_tells_who_it_is_and_how_much_it_takes);
    tcase_add_test(fresh, two_workers_are_two_instances);
    tcase_add_test(fresh, jobs_before_the_answer_to_ready_are_dropped);
    tcase_add_test(fresh, what_a_broker_says_is_no_other_value_in_the_log);
    suite_add_tcase(suite, fresh);
    TCase *ready = tcase_create("after READY");
    tcase_add_checked_fixture(ready, start_ready, stop);
    tcase_set_timeout(ready, 30);
    tcase_add_test(ready, a_job_is_sent_and_its_result_told);
    tcase_add_test(ready, a_batch_of_jobs_is_answered_in_full);
    tcase_add_test(ready, the_same_lease_twice_is_sent_once);
    tcase_add_test(ready, jobs_beyond_the_slots_are_returned_unsent);
    tcase_add_test(ready, a_revoke_before_the_request_begins_returns_the_job);
    tcase_add_test(ready, a_revoke_after_the_request_began_is_ignored);
    tcase_add_test(ready, a_worker_cut_off_for_three_heartbeats_begins_nothing);
    tcase_add_test(ready, just_under_three_heartbeats_is_still_fresh);
    tcase_add_test(ready, an_echo_counts_from_when_its_beat_was_sent);
    tcase_add_test(ready, a_beat_never_sent_proves_nothing);
    tcase_add_test(ready, beats_count_up_each_heartbeat);
    tcase_add_test(ready, a_result_is_told_again_until_done);
    tcase_add_test(ready, done_does_not_forget_what_is_under_way);
    tcase_add_test(ready, an_unknown_worker_says_ready_with_what_it_began_and_what_is_unacknowledged);
    tcase_add_test(ready, saying_ready_drops_what_was_not_begun);
    tcase_add_test(ready, a_worker_whose_key_was_taken_away_drops_what_was_not_begun);
    tcase_add_test(ready, several_unknown_worker_errors_ask_for_one_ready);
    tcase_add_test(ready, a_broker_that_comes_back_is_told_ready_and_the_results);
    tcase_add_test(ready, a_silent_broker_is_tried_over_a_new_connection);
    tcase_add_test(ready, an_expired_job_is_returned_unsent);
    tcase_add_test(ready, malformed_jobs_are_rejected_and_never_sent);
    tcase_add_test(ready, malformed_messages_change_nothing);
    tcase_add_test(ready, ending_says_bye_takes_no_more_and_finishes_what_began);
    tcase_add_test(ready, ending_returns_what_has_not_begun);
    tcase_add_test(ready, ending_does_not_wait_for_ever_for_done);
    suite_add_tcase(suite, ready);
    TCase *curve = tcase_create("CURVE");
    tcase_add_checked_fixture(curve, start_curve, stop);
    tcase_add_test(curve, with_keys_it_speaks_curve);
    suite_add_tcase(suite, curve);
    TCase *wrong = tcase_create("wrong key");
    tcase_add_checked_fixture(wrong, start_wrong_curve, stop);
    tcase_add_test(wrong, a_broker_with_another_key_hears_nothing);
    suite_add_tcase(suite, wrong);
    return suite_run(suite);
}
