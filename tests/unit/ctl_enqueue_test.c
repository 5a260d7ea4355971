/* linewardctl enqueue: order, retries, what is refused, over the admin API and over ZeroMQ. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/wire.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"
#include "tools/ctl/job_lines.h"

static char jobs_path[] = "/tmp/lineward-jobs-XXXXXX";
static char refused_path[] = "/tmp/lineward-refused-XXXXXX";

static void setup(void)
{
    snprintf(jobs_path, sizeof jobs_path, "%s", "/tmp/lineward-jobs-XXXXXX");
    snprintf(refused_path, sizeof refused_path, "%s", "/tmp/lineward-refused-XXXXXX");
    close(mkstemp(jobs_path));
    close(mkstemp(refused_path));
}

static void teardown(void)
{
    remove(jobs_path);
    remove(refused_path);
    said_free();
}

static void write_jobs(const char *text)
{
    FILE *file = fopen(jobs_path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static char *read_refused(char *out, size_t room)
{
    FILE *file = fopen(refused_path, "r");
    ck_assert_ptr_nonnull(file);
    out[fread(out, 1, room - 1, file)] = '\0';
    fclose(file);
    return out;
}

#define OK(job)           "{\"id\":null,\"job\":\"" job "\",\"state\":\"queued\",\"line\":null,\"reason\":null}"
#define NO(code, message) "{\"id\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define BUSY              "{\"id\":null,\"error\":{\"code\":\"busy\",\"message\":\"full\",\"retry_after_ms\":50}}"
#define RESULTS(list)     "{\"results\":[" list "]}"

/* ---- reading the file ---- */

START_TEST(lines_keep_their_numbers_over_blank_and_bad_ones)
{
    struct job_reader reader;
    struct job_line line;
    const char *code = NULL;
    const char *why = NULL;
    write_jobs("\n{\"id\":\"a\"}\r\n  \n{bad\n[1]\n{\"id\":7}");
    ck_assert(job_reader_open(&reader, jobs_path));
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_GOOD);
    ck_assert_uint_eq(line.number, 2);
    ck_assert_str_eq(line.id, "a");
    job_line_free(&line);
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_BAD);
    ck_assert_uint_eq(line.number, 4);
    ck_assert_str_eq(code, "malformed");
    job_line_free(&line);
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_BAD);
    ck_assert_uint_eq(line.number, 5);
    job_line_free(&line);
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_GOOD);
    ck_assert_uint_eq(line.number, 6);
    ck_assert_str_eq(line.id, ""); /* the broker will say what is wrong with it */
    job_line_free(&line);
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_END);
    job_reader_close(&reader);
}
END_TEST

START_TEST(an_exported_line_may_be_a_little_longer)
{
    static const char *const heads[] = {"{\"exported\":\"j_1\",\"a\":\"", "{\"a\":\""};
    for (int i = 0; i < 2; i++) {
        struct job_reader reader;
        struct job_line line;
        const char *code = NULL;
        const char *why = NULL;
        FILE *file = fopen(jobs_path, "w");
        fputs(heads[i], file);
        for (unsigned n = 0; n < WIRE_JOB_BYTES_MAX; n++)
            fputc('x', file);
        fputs("\"}\n", file);
        fclose(file);
        ck_assert(job_reader_open(&reader, jobs_path));
        ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), i == 0 ? JOB_READ_GOOD : JOB_READ_BAD);
        ck_assert(i == 0 || strcmp(code, "too_large") == 0);
        job_line_free(&line);
        job_reader_close(&reader);
    }
}
END_TEST

START_TEST(a_line_beyond_the_limit_is_refused_and_the_next_one_read)
{
    struct job_reader reader;
    struct job_line line;
    const char *code = NULL;
    const char *why = NULL;
    FILE *file = fopen(jobs_path, "w");
    for (unsigned i = 0; i < 2 * WIRE_JOB_BYTES_MAX; i++)
        fputc('x', file);
    fputs("\n{}\n", file);
    fclose(file);
    ck_assert(job_reader_open(&reader, jobs_path));
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_BAD);
    ck_assert_str_eq(code, "too_large");
    job_line_free(&line);
    ck_assert_int_eq(job_reader_next(&reader, &line, &code, &why), JOB_READ_GOOD);
    ck_assert_uint_eq(line.number, 2);
    job_line_free(&line);
    job_reader_close(&reader);
}
END_TEST

START_TEST(a_folder_or_a_missing_file_is_wrong_usage)
{
    RUN("enqueue", W("/tmp"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN("enqueue", W("/nowhere/jobs.jsonl"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

/* ---- over the admin API ---- */

START_TEST(jobs_go_out_byte_for_byte_in_the_order_of_the_file)
{
    static const struct reply script[] = {{200, RESULTS(OK("j_1") "," OK("j_2"))}, {200, RESULTS(OK("j_3"))}};
    SERVER_START(script);
    write_jobs("{\"to\": \"+1\", \"message\":{\"n\":1.0}}\n{\"to\":\"+2\"}\n{\"to\":\"+3\"}\n");
    RUN_ADMIN("enqueue", jobs_path, W("--batch"), W("2"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 2);
    ck_assert_str_eq(server.seen[0].method, "POST");
    ck_assert_str_eq(server.seen[0].url, "/v1/jobs");
    ck_assert_str_eq(server.seen[0].body, "{\"jobs\":[{\"to\": \"+1\", \"message\":{\"n\":1.0}},{\"to\":\"+2\"}]}");
    ck_assert_str_eq(server.seen[1].body, "{\"jobs\":[{\"to\":\"+3\"}]}");
    assert_says(said.out, "3 accepted, 0 refused");
    server_stop();
}
END_TEST

START_TEST(what_is_refused_is_named_by_line_id_and_reason)
{
    static const struct reply script[] = {{200, RESULTS(OK("j_1") "," NO("invalid_recipient", "to[0]: x"))}};
    char text[256];
    SERVER_START(script);
    write_jobs("{\"id\":\"a\"}\n{oops\n{\"id\":\"b\"}\n");
    RUN_ADMIN("enqueue", jobs_path, W("--refused"), refused_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "1 accepted, 2 refused");
    assert_says(said.out, "line 2: malformed");
    assert_says(said.out, "line 3, id b: invalid_recipient: to[0]: x");
    ck_assert_str_eq(read_refused(text, sizeof text), "{oops\n{\"id\":\"b\"}\n");
    server_stop();
}
END_TEST

START_TEST(a_duplicate_counts_as_accepted)
{
    static const struct reply script[] = {
        {200, RESULTS("{\"id\":\"a\",\"job\":\"j_1\",\"state\":\"duplicate\",\"current\":\"sent\"}")}};
    SERVER_START(script);
    write_jobs("{\"id\":\"a\"}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "1 accepted (1 of them were there before)");
    server_stop();
}
END_TEST

START_TEST(a_busy_broker_gets_the_rest_again_in_order)
{
    static const struct reply script[] = {{200, RESULTS(OK("j_1") "," BUSY "," BUSY)},
                                          {429, RESULTS(BUSY "," BUSY)},
                                          {200, RESULTS(OK("j_2") "," OK("j_3"))}};
    SERVER_START(script);
    write_jobs("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(server.seen_count, 3);
    ck_assert_str_eq(server.seen[1].body, "{\"jobs\":[{\"n\":2},{\"n\":3}]}");
    ck_assert_str_eq(server.seen[2].body, "{\"jobs\":[{\"n\":2},{\"n\":3}]}");
    assert_says(said.out, "3 accepted, 0 refused");
    server_stop();
}
END_TEST

START_TEST(patience_with_a_busy_broker_ends)
{
    static const struct reply script[] = {{200, RESULTS(OK("j_1") "," BUSY)}, {429, RESULTS(BUSY)}};
    SERVER_START(script);
    write_jobs("{\"n\":1}\n{\"n\":2}\n");
    RUN_ADMIN("enqueue", jobs_path, W("--wait"), W("120ms"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "1 accepted, 0 refused");
    assert_says(said.err, "gave up waiting: busy");
    assert_says(said.err, "line 2 and what follows was not accepted");
    server_stop();
}
END_TEST

START_TEST(a_request_refused_as_a_whole_stops)
{
    static const struct reply script[] = {{403, "{\"error\":{\"code\":\"forbidden\",\"message\":\"viewer\"}}"}};
    SERVER_START(script);
    write_jobs("{\"n\":1}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_says(said.err, "forbidden: viewer");
    server_stop();
}
END_TEST

START_TEST(a_lost_answer_repeats_only_jobs_that_have_ids)
{
    static const struct reply script[] = {{200, RESULTS("")}, {200, RESULTS(OK("j_1"))}};
    SERVER_START(script);
    write_jobs("{\"id\":\"a\"}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_str_eq(server.seen[1].body, "{\"jobs\":[{\"id\":\"a\"}]}");
    server_stop();
    SERVER_START(script);
    write_jobs("{\"n\":1}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    ck_assert_uint_eq(server.seen_count, 1);
    assert_says(said.err, "lines 1 to 1 may have been accepted");
    server_stop();
}
END_TEST

START_TEST(no_broker_is_said_at_once)
{
    static const struct reply script[] = {{200, "{}"}};
    SERVER_START(script);
    server_stop();
    write_jobs("{\"n\":1}\n");
    RUN_ADMIN("enqueue", jobs_path);
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
}
END_TEST

START_TEST(the_report_in_json_has_every_count)
{
    static const struct reply script[] = {{200, RESULTS(OK("j_1") "," NO("opted_out", "stop"))}};
    SERVER_START(script);
    write_jobs("{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
    RUN_ADMIN("enqueue", jobs_path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "{\"accepted\":1,\"duplicates\":0,\"refused\":1,");
    assert_says(said.out, "\"stopped\":null,\"first_line_left\":null,\"by_code\":{\"opted_out\":1},\"refusals\":"
                          "[{\"line\":2,\"id\":\"b\",\"code\":\"opted_out\",\"message\":\"stop\"}]}");
    server_stop();
}
END_TEST

START_TEST(many_refusals_are_summed_up_by_code)
{
    enum { JOBS = 500 };
    struct json_out body = {0};
    json_open(&body, '{');
    json_key(&body, "results");
    json_open(&body, '[');
    FILE *file = fopen(jobs_path, "w");
    for (int i = 0; i < JOBS; i++) {
        json_put_raw(&body, NO("unknown_pool", "x"), sizeof NO("unknown_pool", "x") - 1);
        fputs("{}\n", file);
    }
    fclose(file);
    json_close(&body, ']');
    json_close(&body, '}');
    char *text = strndup(body.text, body.bytes);
    struct reply script[] = {{200, text}};
    SERVER_START(script);
    RUN_ADMIN("enqueue", jobs_path, W("--batch"), W("500"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "and 480 more");
    assert_says(said.out, "unknown_pool: 500");
    server_stop();
    json_out_free(&body);
    free(text);
}
END_TEST

/* ---- over ZeroMQ ---- */

struct broker { /* a ROUTER that answers PING with PONG and ENQUEUE by its script, then ends */
    void *context, *socket;
    const char *const *answers; /* the result that every job of the n-th request gets; NULL ends the list */
    char endpoint[128];
    pthread_t thread;
    size_t jobs;
};

struct part {
    char text[256]; /* terminated; an identity holds zero bytes of its own */
    size_t bytes;
};
enum { IDENTITY, VERSION, COMMAND, REQUEST_ID, FIRST_JOB, PARTS_MAX = 16 };

static void send_text(void *socket, const char *text, int flags)
{
    zmq_send(socket, text, strlen(text), flags);
}

static void send_head(void *socket, const struct part *request, const char *command)
{
    zmq_send(socket, request[IDENTITY].text, request[IDENTITY].bytes, ZMQ_SNDMORE);
    send_text(socket, "LW1", ZMQ_SNDMORE);
    send_text(socket, command, ZMQ_SNDMORE);
    send_text(socket, request[REQUEST_ID].text, ZMQ_SNDMORE);
}

static void answer_enqueue(struct broker *broker, const struct part *request, int count, const char *result)
{
    send_head(broker->socket, request, "ACK");
    for (int i = FIRST_JOB; i < count; i++)
        send_text(broker->socket, result, i + 1 < count ? ZMQ_SNDMORE : 0);
    broker->jobs += (size_t)(count - FIRST_JOB);
}

static int receive_parts(void *socket, struct part *parts)
{
    int count = 0;
    int more = 1;
    size_t bytes = sizeof more;
    while (more && count < PARTS_MAX) {
        struct part *part = &parts[count++];
        int got = zmq_recv(socket, part->text, sizeof part->text - 1, 0);
        if (got < 0)
            return -1;
        part->bytes = (size_t)got;
        part->text[got] = '\0';
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &bytes);
    }
    return count;
}

static void *broker_run(void *self)
{
    struct broker *broker = self;
    struct part request[PARTS_MAX];
    int count = 0;
    while (*broker->answers != NULL && (count = receive_parts(broker->socket, request)) > 0) {
        if (strcmp(request[COMMAND].text, "PING") == 0) {
            send_head(broker->socket, request, "PONG");
            send_text(broker->socket, "{}", 0);
        } else {
            answer_enqueue(broker, request, count, *broker->answers++);
        }
    }
    return NULL;
}

static void broker_prepare(struct broker *broker, const char *const *answers)
{
    memset(broker, 0, sizeof *broker);
    broker->answers = answers;
    broker->context = zmq_ctx_new();
    broker->socket = zmq_socket(broker->context, ZMQ_ROUTER);
}

static void broker_run_thread(struct broker *broker)
{
    size_t bytes = sizeof broker->endpoint;
    ck_assert_int_eq(zmq_bind(broker->socket, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(broker->socket, ZMQ_LAST_ENDPOINT, broker->endpoint, &bytes);
    ck_assert_int_eq(pthread_create(&broker->thread, NULL, broker_run, broker), 0);
}

static void broker_start(struct broker *broker, const char *const *answers)
{
    broker_prepare(broker, answers);
    broker_run_thread(broker);
}

static void write_key(const char *path, const char *key)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\n", key);
    fclose(file);
}

static void broker_stop(struct broker *broker)
{
    pthread_join(broker->thread, NULL);
    zmq_close(broker->socket);
    zmq_ctx_term(broker->context);
}

START_TEST(zeromq_is_used_when_an_endpoint_is_given)
{
    static const char *const answers[] = {OK("j_1"), OK("j_2"), NULL};
    struct broker broker;
    broker_start(&broker, answers);
    write_jobs("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    RUN("enqueue", jobs_path, W("--batch"), W("2"), W("--producers"), broker.endpoint);
    broker_stop(&broker);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(broker.jobs, 3);
    assert_says(said.out, "3 accepted, 0 refused");
}
END_TEST

START_TEST(zeromq_refusals_are_reported_alike)
{
    static const char *const answers[] = {NO("line_conflict", "lives on +1"), NULL};
    struct broker broker;
    broker_start(&broker, answers);
    write_jobs("{\"id\":\"a\"}\n");
    RUN("enqueue", jobs_path, W("--producers"), broker.endpoint);
    broker_stop(&broker);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "line 1, id a: line_conflict: lives on +1");
}
END_TEST

START_TEST(a_zeromq_answer_that_is_no_json_is_not_taken_for_an_ack)
{
    static const char *const answers[] = {"oops", NULL};
    struct broker broker;
    broker_start(&broker, answers);
    write_jobs("{\"n\":1}\n");
    RUN("enqueue", jobs_path, W("--producers"), broker.endpoint);
    broker_stop(&broker);
    ck_assert_int_eq(said.code, EXIT_UNREACHABLE);
    assert_says(said.err, "may have been accepted");
    assert_says(said.out, "0 accepted");
}
END_TEST

/* With CURVE a broker and a client with the right keys understand each other; strangers get no answer. */
START_TEST(with_keys_it_speaks_curve)
{
    static const char *const answers[] = {OK("j_1"), NULL};
    char broker_public[41], broker_secret[41], public_key[41], secret[41];
    int yes = 1;
    struct broker broker;
    zmq_curve_keypair(broker_public, broker_secret);
    zmq_curve_keypair(public_key, secret);
    broker_prepare(&broker, answers);
    zmq_setsockopt(broker.socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    zmq_setsockopt(broker.socket, ZMQ_CURVE_SECRETKEY, broker_secret, sizeof broker_secret);
    broker_run_thread(&broker);
    write_key(refused_path, secret);
    write_jobs("{}\n");
    char broker_path[] = "/tmp/lineward-key-XXXXXX";
    close(mkstemp(broker_path));
    write_key(broker_path, broker_public);
    RUN("enqueue", jobs_path, W("--producers"), broker.endpoint, W("--curve-secret-key-file"), refused_path,
        W("--broker-public-key-file"), broker_path);
    broker_stop(&broker);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_uint_eq(broker.jobs, 1);
    write_key(broker_path, "too short");
    RUN("enqueue", jobs_path, W("--producers"), broker.endpoint, W("--curve-secret-key-file"), refused_path,
        W("--broker-public-key-file"), broker_path);
    ck_assert_int_eq(said.code, EXIT_USAGE);
    remove(broker_path);
}
END_TEST

START_TEST(keys_belong_together_and_to_zeromq)
{
    write_jobs("{}\n");
    RUN("enqueue", jobs_path, W("--curve-secret-key-file"), W("/tmp/k"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN("enqueue", jobs_path, W("--curve-secret-key-file"), W("/tmp/k"), W("--producers"), W("tcp://127.0.0.1:1"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    RUN("enqueue", jobs_path, W("--producers"), W("nonsense"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_enqueue");
    TCase *file = tcase_create("the file");
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_test(file, lines_keep_their_numbers_over_blank_and_bad_ones);
    tcase_add_test(file, a_line_beyond_the_limit_is_refused_and_the_next_one_read);
    tcase_add_test(file, an_exported_line_may_be_a_little_longer);
    tcase_add_test(file, a_folder_or_a_missing_file_is_wrong_usage);
    suite_add_tcase(suite, file);
    TCase *http = tcase_create("over the admin API");
    tcase_add_checked_fixture(http, setup, teardown);
    tcase_add_test(http, jobs_go_out_byte_for_byte_in_the_order_of_the_file);
    tcase_add_test(http, what_is_refused_is_named_by_line_id_and_reason);
    tcase_add_test(http, a_duplicate_counts_as_accepted);
    tcase_add_test(http, a_busy_broker_gets_the_rest_again_in_order);
    tcase_add_test(http, patience_with_a_busy_broker_ends);
    tcase_add_test(http, a_request_refused_as_a_whole_stops);
    tcase_add_test(http, a_lost_answer_repeats_only_jobs_that_have_ids);
    tcase_add_test(http, no_broker_is_said_at_once);
    tcase_add_test(http, the_report_in_json_has_every_count);
    tcase_add_test(http, many_refusals_are_summed_up_by_code);
    suite_add_tcase(suite, http);
    TCase *zmq = tcase_create("over ZeroMQ");
    tcase_add_checked_fixture(zmq, setup, teardown);
    tcase_set_timeout(zmq, 30);
    tcase_add_test(zmq, zeromq_is_used_when_an_endpoint_is_given);
    tcase_add_test(zmq, zeromq_refusals_are_reported_alike);
    tcase_add_test(zmq, a_zeromq_answer_that_is_no_json_is_not_taken_for_an_ack);
    tcase_add_test(zmq, with_keys_it_speaks_curve);
    tcase_add_test(zmq, keys_belong_together_and_to_zeromq);
    suite_add_tcase(suite, zmq);
    return suite_run(suite);
}
