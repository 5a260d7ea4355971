/* client.c — the C client: one request at a time over a DEALER, sent again with the same request id and the same
 * jobs until it is answered. */
#include "lineward.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "json_scan.h"
#include "lineward/clock.h"
#include "lineward/json.h"
#include "lineward/wire.h"

#define RESEND_MS     1000
#define RESEND_MS_MIN 10
#define RESEND_GROWTH 8
#define HEAD_FRAMES   3  /* version, command, request id */
#define KEY_TEXT      41 /* Z85 of a key, and its terminator */

_Static_assert(LINEWARD_BATCH_MAX == WIRE_ENQUEUE_JOBS_MAX, "one call is one request");
_Static_assert(LINEWARD_BATCH_BYTES_MAX == WIRE_REQUEST_BYTES_MAX, "one call is one request");

struct lineward {
    char *endpoint;
    void *context, *socket;
    uint64_t requests; /* counts the request ids */
    int resend_ms;
    bool has_keys;
    struct message *answer;
    char *results; /* result_count texts one behind the other, each with its terminator */
    size_t result_at[LINEWARD_BATCH_MAX];
    size_t result_count;
    char error[1024];
};

/* One request and what is known of it so far. */
struct request {
    struct frame frames[HEAD_FRAMES + LINEWARD_BATCH_MAX];
    size_t frame_count;
    char id[24];
    const char *answer;  /* the command that answers it */
    size_t answer_count; /* with that many results */
    bool repeatable;     /* a second copy changes nothing */
};

static enum lineward_status fail(struct lineward *client, enum lineward_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum lineward_status fail(struct lineward *client, enum lineward_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(client->error, sizeof client->error, format, values);
    va_end(values);
    return status;
}

static void set_option(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value); /* fails only for options that do not exist */
}

struct curve_keys {
    const char *secret, *broker; /* NULL: no CURVE */
};

static bool use_keys(void *socket, const struct curve_keys *keys)
{
    char public_key[KEY_TEXT];
    return strlen(keys->secret) == KEY_TEXT - 1 && strlen(keys->broker) == KEY_TEXT - 1 &&
           zmq_curve_public(public_key, keys->secret) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->broker, KEY_TEXT) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, KEY_TEXT) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret, KEY_TEXT) == 0;
}

static enum lineward_status open_socket(struct lineward *client, const struct curve_keys *keys)
{
    client->context = zmq_ctx_new();
    client->socket = client->context != NULL ? zmq_socket(client->context, ZMQ_DEALER) : NULL;
    if (client->socket == NULL)
        return LINEWARD_NO_MEMORY;
    /* What was not sent is ours to send again, so nothing may wait inside the socket: neither for a broker that
     * is not there, nor when we close. */
    set_option(client->socket, ZMQ_IMMEDIATE, 1);
    set_option(client->socket, ZMQ_LINGER, 0);
    set_option(client->socket, ZMQ_RECONNECT_IVL, 100);
    set_option(client->socket, ZMQ_RECONNECT_IVL_MAX, 2000);
    /* A broker's machine that went away without a word is noticed, too. */
    set_option(client->socket, ZMQ_HEARTBEAT_IVL, 3000);
    set_option(client->socket, ZMQ_HEARTBEAT_TIMEOUT, 10000);
    if (keys->secret != NULL && !use_keys(client->socket, keys))
        return LINEWARD_INVALID;
    return zmq_connect(client->socket, client->endpoint) == 0 ? LINEWARD_OK : LINEWARD_INVALID;
}

static enum lineward_status connect_with(struct lineward **out, const char *endpoint, const struct curve_keys *keys)
{
    enum lineward_status status = LINEWARD_NO_MEMORY;
    struct lineward *client = calloc(1, sizeof *client);
    if (client == NULL)
        return LINEWARD_NO_MEMORY;
    client->resend_ms = RESEND_MS;
    client->has_keys = keys->secret != NULL;
    client->answer = message_new();
    client->endpoint = strdup(endpoint);
    if (client->answer != NULL && client->endpoint != NULL)
        status = open_socket(client, keys);
    if (status == LINEWARD_OK)
        *out = client;
    else
        lineward_close(&client);
    return status;
}

enum lineward_status lineward_connect(struct lineward **out, const char *endpoint)
{
    struct curve_keys none = {NULL, NULL};
    return connect_with(out, endpoint, &none);
}

enum lineward_status lineward_connect_curve(struct lineward **out, const char *endpoint, const char *secret_key,
                                            const char *broker_key)
{
    struct curve_keys keys = {secret_key, broker_key};
    return connect_with(out, endpoint, &keys);
}

void lineward_close(struct lineward **client_p)
{
    struct lineward *client = *client_p;
    if (client == NULL)
        return;
    message_free(&client->answer);
    if (client->socket != NULL)
        zmq_close(client->socket);
    if (client->context != NULL)
        zmq_ctx_term(client->context);
    free(client->endpoint);
    free(client->results);
    free(client);
    *client_p = NULL;
}

void lineward_resend_after(struct lineward *client, int resend_ms)
{
    client->resend_ms = resend_ms < RESEND_MS_MIN ? RESEND_MS_MIN : resend_ms;
}

/* Answers */

/* Copies the results out of the frames, with terminators. A result that holds a zero byte is no JSON text. */
static enum lineward_status take_results(struct lineward *client, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += message_frame(client->answer, HEAD_FRAMES + i).bytes + 1;
    char *results = malloc(bytes + 1);
    if (results == NULL)
        return fail(client, LINEWARD_NO_MEMORY, "no memory for the answer");
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct frame frame = message_frame(client->answer, HEAD_FRAMES + i);
        if (!frame_text(frame, results + at, frame.bytes + 1)) {
            free(results);
            return fail(client, LINEWARD_IO, "the broker's answer is no text");
        }
        client->result_at[i] = at;
        at += frame.bytes + 1;
    }
    client->results = results;
    client->result_count = count;
    return LINEWARD_OK;
}

/* Is the received message the answer to `request`? Late answers to requests given up are none. */
static bool read_answer(struct lineward *client, const struct request *request, enum lineward_status *out)
{
    const struct message *answer = client->answer;
    size_t frames = message_frame_count(answer);
    if (frames < HEAD_FRAMES || !frame_is(message_frame(answer, 0), WIRE_VERSION) ||
        !frame_is(message_frame(answer, 2), request->id))
        return false;
    if (frame_is(message_frame(answer, 1), "ERR")) {
        struct frame error = message_frame(answer, HEAD_FRAMES);
        *out = fail(client, LINEWARD_REFUSED, "%.*s", (int)(error.bytes < 1000 ? error.bytes : 1000),
                    error.data != NULL ? (const char *)error.data : "");
        return true;
    }
    if (!frame_is(message_frame(answer, 1), request->answer))
        return false;
    if (frames != HEAD_FRAMES + request->answer_count)
        *out = fail(client, LINEWARD_IO, "the broker answered %zu results where %zu were asked for",
                    frames - HEAD_FRAMES, request->answer_count);
    else
        *out = take_results(client, request->answer_count);
    return true;
}

/* Reads what has come. True: the answer is among it, or the socket failed. */
static bool receive_answer(struct lineward *client, const struct request *request, enum lineward_status *out)
{
    for (;;) {
        enum err err = message_receive(client->answer, client->socket);
        if (err == ERR_NOT_FOUND)
            return false;
        if (err == ERR_IO) {
            *out = fail(client, LINEWARD_IO, "receiving failed: %s", zmq_strerror(errno));
            return true;
        }
        if (err == ERR_NONE && read_answer(client, request, out))
            return true;
    }
}

/* Requests */

/* When to send, when to stop; all on the steady clock. */
struct effort {
    int64_t now_ms, deadline_ms;
    int64_t send_at_ms, wait_ms; /* the next copy, and how long after it the one after that */
    bool was_sent;
};

static enum lineward_status give_up(struct lineward *client, bool was_sent)
{
    if (!was_sent)
        return fail(client, LINEWARD_UNREACHABLE, "no broker at %.200s%s", client->endpoint,
                    client->has_keys ? " that lets this key in as a producer, and whose own key is the one given" : "");
    return fail(client, LINEWARD_TIMEOUT, "no answer from %.200s: it may have been done", client->endpoint);
}

/* Sends a copy if one is due and there is a broker to take it. */
static enum err send_due(struct lineward *client, const struct request *request, struct effort *effort)
{
    if (effort->now_ms < effort->send_at_ms)
        return ERR_NONE;
    enum err err = message_send(client->socket, request->frames, request->frame_count);
    if (err != ERR_NONE)
        return err;
    int64_t wait_ms_max = (int64_t)client->resend_ms * RESEND_GROWTH;
    effort->was_sent = true;
    effort->send_at_ms = request->repeatable ? effort->now_ms + effort->wait_ms : TIME_NEVER;
    effort->wait_ms = effort->wait_ms * 2 < wait_ms_max ? effort->wait_ms * 2 : wait_ms_max;
    return ERR_NONE;
}

static enum lineward_status exchange(struct lineward *client, const struct request *request, int timeout_ms)
{
    int64_t now_ms = clock_read().mono_ms;
    struct effort effort = {.now_ms = now_ms,
                            .deadline_ms = now_ms + (timeout_ms > 0 ? timeout_ms : 0),
                            .send_at_ms = now_ms,
                            .wait_ms = client->resend_ms};
    for (;;) {
        enum lineward_status status = LINEWARD_OK;
        enum err err = send_due(client, request, &effort);
        if (err == ERR_IO)
            return fail(client, LINEWARD_IO, "sending failed: %s", zmq_strerror(errno));
        bool is_blocked = err != ERR_NONE;
        int64_t wake_ms =
            !is_blocked && effort.send_at_ms < effort.deadline_ms ? effort.send_at_ms : effort.deadline_ms;
        zmq_pollitem_t item = {.socket = client->socket,
                               .events = (short)(ZMQ_POLLIN | (is_blocked ? ZMQ_POLLOUT : 0))};
        if (zmq_poll(&item, 1, (long)(wake_ms > effort.now_ms ? wake_ms - effort.now_ms : 0)) < 0 && errno != EINTR)
            return fail(client, LINEWARD_IO, "waiting failed: %s", zmq_strerror(errno));
        if (receive_answer(client, request, &status))
            return status;
        effort.now_ms = clock_read().mono_ms;
        if (effort.now_ms >= effort.deadline_ms)
            return give_up(client, effort.was_sent);
    }
}

static void begin(struct lineward *client, struct request *request, const char *command, const char *answer,
                  size_t answer_count)
{
    free(client->results);
    client->results = NULL;
    client->result_count = 0;
    client->error[0] = '\0';
    snprintf(request->id, sizeof request->id, "%llu", (unsigned long long)++client->requests);
    request->frames[0] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    request->frames[1] = (struct frame){command, strlen(command)};
    request->frames[2] = (struct frame){request->id, strlen(request->id)};
    request->frame_count = HEAD_FRAMES;
    request->answer = answer;
    request->answer_count = answer_count;
    request->repeatable = true;
}

static enum lineward_status add_items(struct lineward *client, struct request *request, const char *const *items,
                                      size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < HEAD_FRAMES; i++)
        bytes += request->frames[i].bytes;
    for (size_t i = 0; i < count; i++) {
        struct frame frame = {items[i], strlen(items[i])};
        request->frames[request->frame_count++] = frame;
        bytes += frame.bytes;
        if (bytes > LINEWARD_BATCH_BYTES_MAX)
            return fail(client, LINEWARD_INVALID, "more than %d bytes in one request", LINEWARD_BATCH_BYTES_MAX);
    }
    return LINEWARD_OK;
}

static enum lineward_status check_count(struct lineward *client, size_t count)
{
    if (count < 1 || count > LINEWARD_BATCH_MAX)
        return fail(client, LINEWARD_INVALID, "%zu in one request: 1 to %d are allowed", count, LINEWARD_BATCH_MAX);
    return LINEWARD_OK;
}

/* Would a second copy of this job be known for one? Without an id it would not; what is no JSON object is refused
 * each time, which is just as well. */
static bool job_is_repeatable(const char *job)
{
    const char *value = NULL;
    size_t bytes = strlen(job), value_bytes = 0;
    if (json_scan_fault(job, bytes) != NULL || *json_skip_blanks(job, job + bytes) != '{')
        return true;
    return json_raw_member(job, bytes, "id", &value, &value_bytes) && *value == '"';
}

enum lineward_status lineward_enqueue(struct lineward *client, const char *const *jobs, size_t count, int timeout_ms)
{
    struct request request;
    begin(client, &request, "ENQUEUE", "ACK", count);
    enum lineward_status status = check_count(client, count);
    if (status == LINEWARD_OK)
        status = add_items(client, &request, jobs, count);
    if (status != LINEWARD_OK)
        return status;
    for (size_t i = 0; i < count && request.repeatable; i++)
        request.repeatable = job_is_repeatable(jobs[i]);
    return exchange(client, &request, timeout_ms);
}

static enum lineward_status ask(struct lineward *client, const char *command, const char *const *ids, size_t count,
                                int timeout_ms)
{
    struct request request;
    begin(client, &request, command, "ACK", count);
    enum lineward_status status = check_count(client, count);
    if (status == LINEWARD_OK)
        status = add_items(client, &request, ids, count);
    return status == LINEWARD_OK ? exchange(client, &request, timeout_ms) : status;
}

enum lineward_status lineward_get(struct lineward *client, const char *const *ids, size_t count, int timeout_ms)
{
    return ask(client, "STATUS", ids, count, timeout_ms);
}

enum lineward_status lineward_cancel(struct lineward *client, const char *const *ids, size_t count, int timeout_ms)
{
    return ask(client, "CANCEL", ids, count, timeout_ms);
}

enum lineward_status lineward_ping(struct lineward *client, int timeout_ms)
{
    struct request request;
    begin(client, &request, "PING", "PONG", 1);
    return exchange(client, &request, timeout_ms);
}

size_t lineward_result_count(const struct lineward *client)
{
    return client->result_count;
}

const char *lineward_result(const struct lineward *client, size_t index)
{
    return index < client->result_count ? client->results + client->result_at[index] : NULL;
}

const char *lineward_error(const struct lineward *client)
{
    return client->error;
}
