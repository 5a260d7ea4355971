#include "worker_rig.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/log.h"

#define TURNS_MAX 20000 /* some ten seconds at worst */
#define FEW_TURNS 30

struct instant rig_now;
bool rig_clock_runs;

static struct instant rig_clock(void)
{
    return rig_clock_runs ? clock_read() : rig_now;
}

/* ---- the provider ------------------------------------------------------------------------------------------ */

static void stub_open(struct stub *stub)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    *stub = (struct stub){.filler_fd = -1, .status = 202, .headers = "", .body = RIG_OK};
    stub->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(stub->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(stub->fd, 64), 0);
    ck_assert_int_eq(getsockname(stub->fd, (struct sockaddr *)&address, &bytes), 0);
    stub->port = ntohs(address.sin_port);
    for (size_t i = 0; i < RIG_CONNECTIONS_MAX; i++)
        stub->connections[i].fd = -1;
}

static void stub_close(struct stub *stub)
{
    for (size_t i = 0; i < RIG_CONNECTIONS_MAX; i++) {
        if (stub->connections[i].fd >= 0)
            close(stub->connections[i].fd);
    }
    for (size_t i = 0; i < stub->request_count; i++)
        free(stub->requests[i]);
    if (stub->filler_fd >= 0)
        close(stub->filler_fd);
    if (stub->fd >= 0)
        close(stub->fd);
}

/* With the queue of a listening socket full, the kernel drops what asks for a connection. */
void rig_block_provider(struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)rig->stub.port)};
    ck_assert_int_eq(listen(rig->stub.fd, 0), 0);
    rig->stub.filler_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(rig->stub.filler_fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void stub_accept(struct stub *stub)
{
    int fd = -1;
    while (stub->filler_fd < 0 && (fd = accept4(stub->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        size_t i = 0;
        while (i < RIG_CONNECTIONS_MAX && stub->connections[i].fd >= 0)
            i++;
        ck_assert_uint_lt(i, RIG_CONNECTIONS_MAX);
        stub->connections[i].fd = fd;
        stub->connections[i].served = 0;
        stub->connections[i].in_bytes = 0;
        stub->connection_count++;
    }
}

static void connection_end(struct stub_connection *connection, bool reset)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(connection->fd);
    connection->fd = -1;
}

static void connection_answer(const struct stub *stub, struct stub_connection *connection, bool cut)
{
    char text[4096];
    int bytes = snprintf(text, sizeof text,
                         "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                         stub->status, stub->headers, strlen(stub->body), stub->body);
    if (cut)
        bytes -= (int)strlen(stub->body) / 2;
    ck_assert_int_eq(send(connection->fd, text, (size_t)bytes, MSG_NOSIGNAL), bytes);
    if (cut)
        connection_end(connection, false);
}

static void connection_act(struct stub *stub, struct stub_connection *connection)
{
    enum stub_action action = stub->action;
    if (stub->close_reused && connection->served > 0) {
        stub->close_reused = false;
        action = STUB_CLOSE;
    }
    connection->served++;
    connection->in_bytes = 0;
    if (action == STUB_ANSWER || action == STUB_CUT)
        connection_answer(stub, connection, action == STUB_CUT);
    else if (action == STUB_CLOSE || action == STUB_RESET)
        connection_end(connection, action == STUB_RESET);
}

static bool request_is_whole(const struct stub_connection *connection)
{
    const char *end = strstr(connection->in, "\r\n\r\n");
    const char *length = strcasestr(connection->in, "content-length:");
    return end != NULL && length != NULL &&
           connection->in_bytes >= (size_t)(end + 4 - connection->in) + strtoul(length + 15, NULL, 10);
}

static void stub_turn(struct stub *stub)
{
    stub_accept(stub);
    for (size_t i = 0; i < RIG_CONNECTIONS_MAX; i++) {
        struct stub_connection *connection = &stub->connections[i];
        if (connection->fd < 0)
            continue;
        ssize_t bytes = recv(connection->fd, connection->in + connection->in_bytes,
                             sizeof connection->in - connection->in_bytes - 1, 0);
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) {
            connection_end(connection, false);
            continue;
        }
        connection->in_bytes += bytes > 0 ? (size_t)bytes : 0;
        connection->in[connection->in_bytes] = '\0';
        if (bytes <= 0 || !request_is_whole(connection))
            continue;
        ck_assert_uint_lt(stub->request_count, RIG_REQUESTS_MAX);
        stub->requests[stub->request_count++] = strdup(connection->in);
        connection_act(stub, connection);
    }
}

/* ---- the broker -------------------------------------------------------------------------------------------- */

static void heard_clear(struct heard *heard)
{
    for (size_t i = 0; i < heard->count; i++)
        free(heard->frames[i]);
    heard->count = 0;
}

static bool router_receive(struct rig *rig)
{
    zmq_msg_t frame;
    struct heard *heard = &rig->heard;
    size_t index = 0;
    bool more = true;
    heard_clear(heard);
    for (; more; index++) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, rig->router, ZMQ_DONTWAIT) < 0)
            return false;
        more = zmq_msg_more(&frame);
        if (index == 0) {
            heard->peer_bytes = zmq_msg_size(&frame);
            memcpy(heard->peer, zmq_msg_data(&frame), heard->peer_bytes);
        } else if (index == 1) {
            ck_assert(zmq_msg_size(&frame) == 3 && memcmp(zmq_msg_data(&frame), "LW1", 3) == 0);
        } else {
            ck_assert_uint_lt(heard->count, RIG_FRAMES_MAX);
            heard->frames[heard->count++] = strndup(zmq_msg_data(&frame), zmq_msg_size(&frame));
        }
        zmq_msg_close(&frame);
    }
    return true;
}

static void router_send(struct rig *rig, const char *const *frames, size_t count)
{
    ck_assert_int_ge(zmq_send(rig->router, rig->peer, rig->peer_bytes, ZMQ_SNDMORE), 0);
    ck_assert_int_ge(zmq_send(rig->router, "LW1", 3, ZMQ_SNDMORE), 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_ge(zmq_send(rig->router, frames[i], strlen(frames[i]), i + 1 < count ? ZMQ_SNDMORE : 0), 0);
}

void rig_say(struct rig *rig, const char *command, ...)
{
    const char *frames[RIG_FRAMES_MAX] = {command};
    size_t count = 1;
    va_list rest;
    va_start(rest, command);
    while ((frames[count] = va_arg(rest, const char *)) != NULL)
        count++;
    va_end(rest);
    router_send(rig, frames, count);
}

/* ---- turns ------------------------------------------------------------------------------------------------- */

/* True: the worker has said something, it is in rig->heard. */
static bool turn(struct rig *rig)
{
    worker_turn(rig->worker, 0);
    stub_turn(&rig->stub);
    if (!router_receive(rig))
        return false;
    if (strcmp(rig->heard.frames[0], "READY") == 0) {
        rig->readies++;
        rig->peer_bytes = rig->heard.peer_bytes;
        memcpy(rig->peer, rig->heard.peer, rig->peer_bytes);
    }
    if (strcmp(rig->heard.frames[0], "BEAT") == 0) {
        rig->beats++;
        if (rig->echo_beats)
            rig_say(rig, "BEAT", rig->heard.frames[1], NULL);
    }
    return true;
}

/* Sockets and threads in between need real time, though never a fixed one. */
static void breathe(void)
{
    poll(NULL, 0, 1);
}

void rig_turns(struct rig *rig, int turns)
{
    for (int i = 0; i < turns; i++) {
        turn(rig);
        breathe();
    }
}

static bool hear_within(struct rig *rig, const char *command, int turns)
{
    for (int i = 0; i < turns; i++) {
        if (!turn(rig))
            breathe();
        else if (strcmp(rig->heard.frames[0], command) == 0)
            return true;
    }
    return false;
}

const struct heard *rig_hear(struct rig *rig, const char *command)
{
    ck_assert_msg(hear_within(rig, command, TURNS_MAX), "no %s came", command);
    return &rig->heard;
}

bool rig_hears(struct rig *rig, const char *command)
{
    return hear_within(rig, command, FEW_TURNS);
}

void rig_requests(struct rig *rig, size_t count)
{
    for (int i = 0; i < TURNS_MAX && rig->stub.request_count < count; i++) {
        if (!turn(rig))
            breathe();
    }
    ck_assert_uint_ge(rig->stub.request_count, count);
}

/* ---- what tests say most ----------------------------------------------------------------------------------- */

cJSON *rig_ready(struct rig *rig)
{
    const struct heard *heard = rig_hear(rig, "READY");
    cJSON *document = json_parse(heard->frames[1], strlen(heard->frames[1]), NULL);
    ck_assert_ptr_nonnull(document);
    rig_say(rig, "READY", "{\"broker\":\"test\",\"heartbeat_ms\":1000}", NULL);
    rig_hear(rig, "BEAT"); /* which shows that the answer was read */
    return document;
}

void rig_give_job(struct rig *rig, const char *lease, const struct rig_job *job)
{
    static const struct rig_job usual;
    struct json_out out = {0};
    job = job != NULL ? job : &usual;
    json_open(&out, '{');
    json_key(&out, "job");
    json_put_string(&out, "j_1");
    json_key(&out, "attempt");
    json_put_int(&out, job->attempt > 0 ? job->attempt : 1);
    json_key(&out, "pool");
    json_put_string(&out, "default");
    json_key(&out, "account");
    json_put_string(&out, job->account != NULL ? job->account : "default");
    json_key(&out, "line");
    json_put_string(&out, "+12025550101");
    json_key(&out, "to");
    json_put_raw(&out, "[\"+14155550111\"]", 16);
    json_key(&out, "chat_id");
    json_put_string(&out, job->chat_id);
    json_key(&out, "message");
    const char *message = job->message != NULL ? job->message : "{\"parts\":[{\"type\":\"text\",\"value\":\"Hi\"}]}";
    json_put_raw(&out, message, strlen(message));
    json_key(&out, "idempotency_key");
    json_put_string(&out, "1-00");
    json_key(&out, "unsettled");
    json_put_bool(&out, job->unsettled);
    json_key(&out, "lease_ms");
    json_put_int(&out, job->lease_ms > 0 ? job->lease_ms : 60000);
    json_key(&out, "expires_at");
    json_put_string(&out, job->expires_at);
    json_close(&out, '}');
    char *text = strndup(out.text, out.bytes);
    rig_say(rig, "JOB", lease, text, NULL);
    free(text);
    json_out_free(&out);
}

cJSON *rig_next_result(struct rig *rig, const char *lease)
{
    for (;;) {
        const struct heard *heard = rig_hear(rig, "RESULT");
        for (size_t i = 1; i + 1 < heard->count; i += 2) {
            if (strcmp(heard->frames[i], lease) == 0) {
                cJSON *result = json_parse(heard->frames[i + 1], strlen(heard->frames[i + 1]), NULL);
                ck_assert_ptr_nonnull(result);
                return result;
            }
        }
    }
}

const char *rig_outcome(const cJSON *result)
{
    const char *outcome = json_string(result, "outcome");
    return outcome != NULL ? outcome : "";
}

void rig_expect_outcome(struct rig *rig, const char *lease, const char *outcome)
{
    cJSON *result = rig_next_result(rig, lease);
    ck_assert_str_eq(rig_outcome(result), outcome);
    cJSON_Delete(result);
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"key", "worker.secret", "broker.public"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static struct worker *worker_make(const struct rig *rig, const char *folder, const char *const *sets)
{
    char text[512];
    struct conf *conf = NULL;
    struct conf_problem problem = {""};
    struct worker *worker = NULL;
    size_t set_count = 0;
    int bytes = snprintf(text, sizeof text,
                         "accounts: {default: {base_url: 'http://127.0.0.1:%d/api/', api_key_file: key}}\n"
                         "worker: {broker: ['%s'], slots: 4}\n",
                         rig->stub.port, rig->endpoint);
    write_file(folder, "key", "secret-key\n");
    while (sets != NULL && sets[set_count] != NULL)
        set_count++;
    enum err err = conf_parse(&conf, text, (size_t)bytes, "rig.yaml", folder, sets, set_count, &problem);
    ck_assert_msg(err == ERR_NONE, "%s", problem.text);
    err = worker_open(&worker, conf, rig_clock, &problem);
    ck_assert_msg(err == ERR_NONE, "%s", problem.text);
    conf_free(&conf);
    remove_folder(folder);
    return worker;
}

static void rig_prepare(struct rig *rig)
{
    int linger = 0;
    int mandatory = 1;
    *rig = (struct rig){.echo_beats = true};
    log_level_set(LOG_ERROR);
    ck_assert_int_ge(sodium_init(), 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rig_clock_runs = false;
    rig_now = (struct instant){.wall_ms = 1795428000000, .mono_ms = 1000000};
    stub_open(&rig->stub);
    rig->zmq = zmq_ctx_new();
    rig->router = zmq_socket(rig->zmq, ZMQ_ROUTER);
    zmq_setsockopt(rig->router, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(rig->router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory);
}

static void rig_bind(struct rig *rig)
{
    size_t bytes = sizeof rig->endpoint;
    ck_assert_int_eq(zmq_bind(rig->router, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(rig->router, ZMQ_LAST_ENDPOINT, rig->endpoint, &bytes);
}

void rig_open(struct rig *rig, const char *const *sets)
{
    char folder[] = "/tmp/worker-rig-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    rig_prepare(rig);
    rig_bind(rig);
    rig->worker = worker_make(rig, folder, sets);
}

void rig_open_curve(struct rig *rig, bool right_key)
{
    static const char *const sets[] = {"worker.curve_secret_key_file=worker.secret",
                                       "worker.broker_public_key_file=broker.public", NULL};
    char folder[] = "/tmp/worker-rig-XXXXXX";
    char broker_public[41], broker_secret[41], worker_public[41], worker_secret[41];
    int on = 1;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    rig_prepare(rig);
    ck_assert_int_eq(zmq_curve_keypair(broker_public, broker_secret), 0);
    ck_assert_int_eq(zmq_curve_keypair(worker_public, worker_secret), 0);
    zmq_setsockopt(rig->router, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(rig->router, ZMQ_CURVE_SECRETKEY, broker_secret, sizeof broker_secret);
    rig_bind(rig);
    write_file(folder, "worker.secret", worker_secret);
    write_file(folder, "broker.public", right_key ? broker_public : worker_public);
    rig->worker = worker_make(rig, folder, sets);
}

void rig_close(struct rig *rig)
{
    worker_free(&rig->worker);
    heard_clear(&rig->heard);
    zmq_close(rig->router);
    zmq_ctx_term(rig->zmq);
    stub_close(&rig->stub);
    curl_global_cleanup();
}
