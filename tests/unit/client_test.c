/* The C client against a broker of a few lines, over real sockets: what it sends, what it sends again, and what it
 * says when nobody answers. */
#include "lineward.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/wire.h"
#include "tests/support/suite.h"

#define LONG_MS        20000 /* far more than anything takes that succeeds */
#define JOB_1          "{\"id\":\"a\",\"to\":\"+12025550101\"}"
#define JOB_2          "{\"id\":\"b\",\"to\":\"+12025550102\"}"
#define JOB_WITHOUT_ID "{\"to\":\"+12025550102\"}"

/* How the broker behaves. */
struct script {
    int ignored;         /* so many requests get no answer at first */
    bool late;           /* an ignored request is answered after all, once another has come */
    bool rubbish;        /* things that are no answer come before each answer */
    bool short_answer;   /* one result is missing */
    bool zero_byte;      /* in each result */
    const char *refusal; /* instead of ACK, an ERR with this JSON */
    bool relents;        /* after one of these */
    bool restarts;       /* goes away with the first request, and comes back at the same address */
};

struct broker {
    void *context, *router;
    char endpoint[128];
    struct script script;
    pthread_t thread;
    atomic_bool stop;
    atomic_int requests;
    char first_id[32]; /* of the first request */
    char last_id[32];
    struct message *message;
};

static struct broker broker;
static struct lineward *client;

static void send_text(void *router, const char *text, bool more)
{
    zmq_send(router, text, strlen(text), more ? ZMQ_SNDMORE : 0);
}

static void answer_head(struct broker *b, struct frame peer, const char *command, const char *id)
{
    zmq_send(b->router, peer.data, peer.bytes, ZMQ_SNDMORE);
    send_text(b->router, "LW1", true);
    send_text(b->router, command, true);
    send_text(b->router, id, !!strcmp(command, "BARE"));
}

static void send_rubbish(struct broker *b, struct frame peer)
{
    zmq_send(b->router, peer.data, peer.bytes, ZMQ_SNDMORE);
    send_text(b->router, "?", false);
    answer_head(b, peer, "ACK", "another request");
    send_text(b->router, "{}", false);
    answer_head(b, peer, "JOB", b->last_id);
    send_text(b->router, "{}", false);
    answer_head(b, peer, "BARE", b->last_id);
}

/* Each result names the request, its place and what was sent, so that a mix-up would show. */
static void send_results(struct broker *b, struct frame peer, const char *id)
{
    size_t count = message_frame_count(b->message) - 4;
    size_t sent = count - b->script.short_answer;
    answer_head(b, peer, "ACK", id);
    for (size_t i = 0; i < sent; i++) {
        struct json_out out = {0};
        struct frame item = message_frame(b->message, 4 + i);
        json_open(&out, '{');
        json_key(&out, "at");
        json_put_int(&out, (int64_t)i);
        json_key(&out, "of");
        json_put_bytes(&out, item.data, item.bytes);
        json_close(&out, '}');
        if (b->script.zero_byte)
            out.text[out.bytes - 1] = '\0';
        zmq_send(b->router, out.text, out.bytes, i + 1 < sent ? ZMQ_SNDMORE : 0);
        json_out_free(&out);
    }
}

static void open_router(struct broker *b, const char *endpoint)
{
    int linger = 0;
    size_t bytes = sizeof b->endpoint;
    b->router = zmq_socket(b->context, ZMQ_ROUTER);
    zmq_setsockopt(b->router, ZMQ_LINGER, &linger, sizeof linger);
    /* the address is free again as soon as its last socket is closed behind our back */
    while (zmq_bind(b->router, endpoint) != 0)
        ck_assert_int_eq(errno, EADDRINUSE);
    zmq_getsockopt(b->router, ZMQ_LAST_ENDPOINT, b->endpoint, &bytes);
}

static void answer(struct broker *b)
{
    struct frame peer = message_frame(b->message, 0);
    bool is_request = frame_is(message_frame(b->message, 1), "LW1");
    if (!is_request || !frame_text(message_frame(b->message, 3), b->last_id, sizeof b->last_id))
        return;
    if (frame_is(message_frame(b->message, 2), "PING")) {
        answer_head(b, peer, "PONG", b->last_id);
        send_text(b->router, "{\"queued\":0}", false);
        return;
    }
    int request = ++b->requests;
    if (request == 1)
        strcpy(b->first_id, b->last_id);
    if (b->script.restarts && request == 1) {
        char endpoint[128];
        strcpy(endpoint, b->endpoint);
        zmq_close(b->router);
        open_router(b, endpoint);
        return;
    }
    if (request <= b->script.ignored)
        return;
    if (b->script.rubbish)
        send_rubbish(b, peer);
    if (b->script.late)
        send_results(b, peer, b->first_id);
    if (b->script.refusal != NULL) {
        answer_head(b, peer, "ERR", b->last_id);
        send_text(b->router, b->script.refusal, false);
        if (b->script.relents)
            b->script.refusal = NULL;
    } else if (!b->script.late) {
        send_results(b, peer, b->last_id);
    }
}

static void *broker_run(void *context)
{
    struct broker *b = context;
    while (!b->stop) {
        zmq_pollitem_t item = {.socket = b->router, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 10) > 0 && message_receive(b->message, b->router) == ERR_NONE)
            answer(b);
    }
    return NULL;
}

static void start(const char *endpoint, struct script script)
{
    broker.script = script;
    broker.context = zmq_ctx_new();
    broker.message = message_new();
    open_router(&broker, endpoint);
    ck_assert_int_eq(pthread_create(&broker.thread, NULL, broker_run, &broker), 0);
    ck_assert_int_eq(lineward_connect(&client, broker.endpoint), LINEWARD_OK);
    lineward_resend_after(client, 20);
}

static void start_tcp(struct script script)
{
    start("tcp://127.0.0.1:*", script);
}

/* What its thread noted may be read from here on. */
static void stop(void)
{
    if (broker.stop)
        return;
    broker.stop = true;
    pthread_join(broker.thread, NULL);
}

static void teardown(void)
{
    lineward_close(&client);
    ck_assert_ptr_null(client);
    lineward_close(&client);
    if (broker.context == NULL)
        return;
    stop();
    message_free(&broker.message);
    zmq_close(broker.router);
    zmq_ctx_term(broker.context);
    memset(&broker, 0, sizeof broker);
}

static void check_result(size_t index, const char *item)
{
    const char *text = lineward_result(client, index);
    ck_assert_ptr_nonnull(text);
    cJSON *result = json_parse(text, strlen(text), NULL);
    int64_t at = -1;
    ck_assert(json_int(result, "at", &at));
    ck_assert_uint_eq((size_t)at, index);
    ck_assert_str_eq(json_string(result, "of"), item);
    cJSON_Delete(result);
}

START_TEST(each_job_gets_its_result_in_order)
{
    const char *jobs[] = {JOB_1, JOB_2};
    start_tcp((struct script){0});
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_OK);
    ck_assert_uint_eq(lineward_result_count(client), 2);
    check_result(0, JOB_1);
    check_result(1, JOB_2);
    ck_assert_ptr_null(lineward_result(client, 2));
    ck_assert_str_eq(lineward_error(client), "");
}
END_TEST

START_TEST(ipc_serves_as_well_as_tcp)
{
    char endpoint[64];
    const char *job = JOB_1;
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/lineward-client-test-%d", (int)getpid());
    start(endpoint, (struct script){0});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_OK);
    check_result(0, JOB_1);
    unlink(endpoint + 6);
}
END_TEST

START_TEST(status_cancel_and_ping_are_asked_and_answered)
{
    const char *ids[] = {"j_1", "default/a"};
    start_tcp((struct script){0});
    ck_assert_int_eq(lineward_get(client, ids, 2, LONG_MS), LINEWARD_OK);
    check_result(1, "default/a");
    ck_assert_int_eq(lineward_cancel(client, ids, 1, LONG_MS), LINEWARD_OK);
    ck_assert_uint_eq(lineward_result_count(client), 1);
    check_result(0, "j_1");
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK);
    ck_assert_str_eq(lineward_result(client, 0), "{\"queued\":0}");
}
END_TEST

START_TEST(a_request_without_answer_is_sent_again_as_the_same_request)
{
    const char *jobs[] = {JOB_1, JOB_2};
    start_tcp((struct script){.ignored = 3});
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_OK);
    ck_assert_int_ge(broker.requests, 4);
    stop();
    ck_assert_str_eq(broker.first_id, broker.last_id);
    check_result(1, JOB_2);
}
END_TEST

START_TEST(a_broker_that_was_killed_and_came_back_gets_the_request_again)
{
    const char *job = JOB_1;
    start_tcp((struct script){.restarts = true});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_OK);
    ck_assert_int_ge(broker.requests, 2);
    check_result(0, JOB_1);
}
END_TEST

START_TEST(a_job_without_an_id_is_sent_only_once)
{
    const char *jobs[] = {JOB_1, JOB_WITHOUT_ID};
    start_tcp((struct script){.ignored = 1000});
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK); /* they are connected, however busy the machine */
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, 300), LINEWARD_TIMEOUT);
    ck_assert_uint_eq(lineward_result_count(client), 0);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "it may have been done"));
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK); /* behind whatever was sent before */
    ck_assert_int_eq(broker.requests, 1);
}
END_TEST

START_TEST(what_the_broker_can_only_refuse_is_sent_again)
{
    const char *jobs[] = {JOB_1, "{\"id\":", "[]"};
    start_tcp((struct script){.ignored = 1});
    ck_assert_int_eq(lineward_enqueue(client, jobs, 3, LONG_MS), LINEWARD_OK);
    ck_assert_uint_eq(lineward_result_count(client), 3);
}
END_TEST

START_TEST(an_answer_to_the_first_copy_counts_also_after_the_second_was_sent)
{
    const char *job = JOB_1;
    start_tcp((struct script){.ignored = 1, .late = true});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_OK);
    check_result(0, JOB_1);
}
END_TEST

START_TEST(a_late_answer_is_not_taken_for_that_of_the_next_request)
{
    const char *jobs[] = {JOB_1, JOB_2};
    start_tcp((struct script){.ignored = 1, .rubbish = true});
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK); /* they are connected, however busy the machine */
    ck_assert_int_eq(lineward_enqueue(client, (const char *const[]){JOB_WITHOUT_ID}, 1, 200), LINEWARD_TIMEOUT);
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK); /* it has arrived */
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_OK);
    ck_assert_uint_eq(lineward_result_count(client), 2);
    check_result(0, JOB_1);
    stop();
    ck_assert_str_ne(broker.first_id, broker.last_id);
}
END_TEST

START_TEST(a_refused_request_brings_the_brokers_own_words)
{
    const char *job = JOB_1;
    start_tcp((struct script){.refusal = "{\"error\":{\"code\":\"too_many\"}}"});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_REFUSED);
    ck_assert_str_eq(lineward_error(client), "{\"error\":{\"code\":\"too_many\"}}");
    ck_assert_uint_eq(lineward_result_count(client), 0);
}
END_TEST

START_TEST(a_refused_copy_says_nothing_of_the_one_before_that_may_still_be_taken)
{
    const char *job = JOB_1;
    start_tcp((struct script){.ignored = 1, .refusal = "{\"error\":{\"code\":\"busy\"}}", .relents = true});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_OK);
    check_result(0, JOB_1);
}
END_TEST

START_TEST(a_request_of_which_only_later_copies_were_refused_may_have_been_done)
{
    const char *job = JOB_1;
    start_tcp((struct script){.ignored = 1, .refusal = "{\"error\":{\"code\":\"busy\"}}"});
    ck_assert_int_eq(lineward_ping(client, LONG_MS), LINEWARD_OK); /* they are connected, however busy the machine */
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, 300), LINEWARD_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "it may have been done"));
}
END_TEST

START_TEST(an_answer_that_cannot_be_right_is_not_passed_on)
{
    const char *jobs[] = {JOB_1, JOB_2};
    start_tcp((struct script){.short_answer = true});
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, LONG_MS), LINEWARD_IO);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "1 results where 2 were asked for"));
    ck_assert_ptr_null(lineward_result(client, 0));
}
END_TEST

START_TEST(a_result_with_a_zero_byte_is_not_passed_on)
{
    const char *job = JOB_1;
    start_tcp((struct script){.zero_byte = true});
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, LONG_MS), LINEWARD_IO);
    ck_assert_ptr_null(lineward_result(client, 0));
}
END_TEST

START_TEST(without_a_broker_nothing_was_sent_for_sure)
{
    const char *job = JOB_1;
    ck_assert_int_eq(lineward_connect(&client, "ipc:///tmp/lineward-client-test-nobody"), LINEWARD_OK);
    ck_assert_int_eq(lineward_enqueue(client, &job, 1, 50), LINEWARD_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "no broker at ipc://"));
    ck_assert_int_eq(lineward_ping(client, 0), LINEWARD_UNREACHABLE);
    ck_assert_int_eq(lineward_ping(client, -5), LINEWARD_UNREACHABLE);
}
END_TEST

START_TEST(limits_are_checked_before_anything_is_sent)
{
    static const char *many[LINEWARD_BATCH_MAX + 1];
    for (size_t i = 0; i < LINEWARD_BATCH_MAX + 1; i++)
        many[i] = JOB_1;
    start_tcp((struct script){0});
    ck_assert_int_eq(lineward_enqueue(client, many, LINEWARD_BATCH_MAX + 1, LONG_MS), LINEWARD_INVALID);
    ck_assert_int_eq(lineward_enqueue(client, many, 0, LONG_MS), LINEWARD_INVALID);
    ck_assert_int_eq(lineward_get(client, many, 0, LONG_MS), LINEWARD_INVALID);
    char *large = malloc(LINEWARD_BATCH_BYTES_MAX + 1);
    memset(large, 'x', LINEWARD_BATCH_BYTES_MAX);
    large[LINEWARD_BATCH_BYTES_MAX] = '\0';
    many[0] = large;
    ck_assert_int_eq(lineward_enqueue(client, many, 1, LONG_MS), LINEWARD_INVALID);
    free(large);
    many[0] = JOB_2;
    lineward_resend_after(client, LONG_MS); /* a busy machine takes its time over so many */
    ck_assert_int_eq(lineward_enqueue(client, many, LINEWARD_BATCH_MAX, LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(broker.requests, 1);
    ck_assert_uint_eq(lineward_result_count(client), LINEWARD_BATCH_MAX);
    check_result(LINEWARD_BATCH_MAX - 1, JOB_1);
}
END_TEST

START_TEST(an_endpoint_that_is_none_is_refused)
{
    static const char *const endpoints[] = {"", "tcp://", "http://127.0.0.1:1", "127.0.0.1:1"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        ck_assert_int_eq(lineward_connect(&client, endpoints[i]), LINEWARD_INVALID);
        ck_assert_ptr_null(client);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tests = tcase_create("client");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, each_job_gets_its_result_in_order);
    tcase_add_test(tests, ipc_serves_as_well_as_tcp);
    tcase_add_test(tests, status_cancel_and_ping_are_asked_and_answered);
    tcase_add_test(tests, a_request_without_answer_is_sent_again_as_the_same_request);
    tcase_add_test(tests, a_broker_that_was_killed_and_came_back_gets_the_request_again);
    tcase_add_test(tests, a_job_without_an_id_is_sent_only_once);
    tcase_add_test(tests, what_the_broker_can_only_refuse_is_sent_again);
    tcase_add_test(tests, an_answer_to_the_first_copy_counts_also_after_the_second_was_sent);
    tcase_add_test(tests, a_late_answer_is_not_taken_for_that_of_the_next_request);
    tcase_add_test(tests, a_refused_request_brings_the_brokers_own_words);
    tcase_add_test(tests, a_refused_copy_says_nothing_of_the_one_before_that_may_still_be_taken);
    tcase_add_test(tests, a_request_of_which_only_later_copies_were_refused_may_have_been_done);
    tcase_add_test(tests, an_answer_that_cannot_be_right_is_not_passed_on);
    tcase_add_test(tests, a_result_with_a_zero_byte_is_not_passed_on);
    tcase_add_test(tests, without_a_broker_nothing_was_sent_for_sure);
    tcase_add_test(tests, limits_are_checked_before_anything_is_sent);
    tcase_add_test(tests, an_endpoint_that_is_none_is_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
