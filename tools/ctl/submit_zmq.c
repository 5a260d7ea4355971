/* submit_zmq.c — batches over ZeroMQ (PROTOCOL, Producers): one request at a time, for between two requests order is
 * defined only when the second was sent after the first one's ACK. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "ctl.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/json.h"
#include "lineward/wire.h"
#include "submit.h"

#define CONNECT_TIMEOUT_MS 5000
#define ANSWER_TIMEOUT_MS  20000
#define HEAD_FRAMES        3 /* version, command, request id */
#define Z85_KEY_TEXT       41

struct zmq_link {
    void *context, *socket;
    struct message *message;
    uint64_t requests;
    char request_id[24]; /* of the request that an answer is awaited for */
};

static void zmq_link_close(void *self)
{
    struct zmq_link *link = self;
    message_free(&link->message);
    if (link->socket != NULL)
        zmq_close(link->socket);
    if (link->context != NULL)
        zmq_ctx_term(link->context);
    free(link);
}

/* Waits until the socket is ready for `events`. False: not within the time. */
static bool wait_for(struct zmq_link *link, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clock_read().mono_ms;
        zmq_pollitem_t item = {.socket = link->socket, .events = events};
        int ready = zmq_poll(&item, 1, left > 0 ? left : 0);
        if (ready > 0)
            return true;
        if (left <= 0 || (ready < 0 && errno != EINTR))
            return false;
    }
}

static bool send_request(struct zmq_link *link, const char *command, const struct job_line *jobs, size_t count)
{
    struct frame frames[HEAD_FRAMES + WIRE_ENQUEUE_JOBS_MAX];
    snprintf(link->request_id, sizeof link->request_id, "%" PRIu64, ++link->requests);
    frames[0] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    frames[1] = (struct frame){command, strlen(command)};
    frames[2] = (struct frame){link->request_id, strlen(link->request_id)};
    for (size_t i = 0; i < count; i++)
        frames[HEAD_FRAMES + i] = (struct frame){jobs[i].text, jobs[i].bytes};
    return wait_for(link, ZMQ_POLLOUT, clock_read().mono_ms + CONNECT_TIMEOUT_MS) &&
           message_send(link->socket, frames, HEAD_FRAMES + count) == ERR_NONE;
}

/* Receives until the answer to the last request is there; answers to older ones are late and of no use. */
static bool receive_answer(struct zmq_link *link, int64_t timeout_ms)
{
    int64_t deadline = clock_read().mono_ms + timeout_ms;
    while (wait_for(link, ZMQ_POLLIN, deadline)) {
        if (message_receive(link->message, link->socket) == ERR_NONE &&
            frame_is(message_frame(link->message, 0), WIRE_VERSION) &&
            frame_is(message_frame(link->message, 2), link->request_id))
            return true;
    }
    return false;
}

static bool read_results(const struct message *message, size_t count, struct submit_answer *out)
{
    if (message_frame_count(message) != HEAD_FRAMES + count || (out->results = cJSON_CreateArray()) == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct frame frame = message_frame(message, HEAD_FRAMES + i);
        cJSON *result = json_parse(frame.data, frame.bytes, NULL);
        if (result == NULL)
            return false;
        cJSON_AddItemToArray(out->results, result);
    }
    return true;
}

static enum submit_end read_answer(const struct message *message, size_t count, struct submit_answer *out)
{
    struct frame command = message_frame(message, 1);
    struct frame last = message_frame(message, HEAD_FRAMES);
    if (frame_is(command, "ACK") && read_results(message, count, out))
        return SUBMIT_ANSWERED;
    if (frame_is(command, "ERR")) {
        cJSON *body = json_parse(last.data, last.bytes, NULL);
        out->error = cJSON_DetachItemFromObjectCaseSensitive(body, "error");
        cJSON_Delete(body);
        if (cJSON_IsObject(out->error))
            return SUBMIT_REFUSED;
    }
    snprintf(out->problem, sizeof out->problem, "the broker's answer made no sense");
    return SUBMIT_LOST;
}

static enum submit_end zmq_submit(void *self, const struct job_line *jobs, size_t count, struct submit_answer *out)
{
    struct zmq_link *link = self;
    memset(out, 0, sizeof *out);
    if (!send_request(link, "ENQUEUE", jobs, count)) {
        snprintf(out->problem, sizeof out->problem, "no connection to the broker");
        return SUBMIT_AWAY;
    }
    if (!receive_answer(link, ANSWER_TIMEOUT_MS)) {
        snprintf(out->problem, sizeof out->problem, "no answer within %d s", ANSWER_TIMEOUT_MS / 1000);
        return SUBMIT_LOST;
    }
    return read_answer(link->message, count, out);
}

static int use_curve(const struct ctl *ctl, struct zmq_link *link, const struct submit_zmq_options *options)
{
    char public_key[Z85_KEY_TEXT];
    int code = EXIT_DONE;
    if (options->secret_key_file == NULL && options->broker_key_file == NULL)
        return EXIT_DONE;
    if (options->secret_key_file == NULL || options->broker_key_file == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage",
                        "--curve-secret-key-file and --broker-public-key-file belong together");
    char *secret = conf_read_secret(options->secret_key_file);
    char *broker = conf_read_secret(options->broker_key_file);
    if (secret == NULL || broker == NULL)
        code = ctl_fail(ctl, EXIT_USAGE, "key", "%s: %s",
                        secret == NULL ? options->secret_key_file : options->broker_key_file, strerror(errno));
    else if (zmq_curve_public(public_key, secret) != 0 ||
             zmq_setsockopt(link->socket, ZMQ_CURVE_SERVERKEY, broker, strlen(broker) + 1) != 0 ||
             zmq_setsockopt(link->socket, ZMQ_CURVE_PUBLICKEY, public_key, sizeof public_key) != 0 ||
             zmq_setsockopt(link->socket, ZMQ_CURVE_SECRETKEY, secret, strlen(secret) + 1) != 0)
        code = ctl_fail(ctl, EXIT_USAGE, "key", "a key is 40 characters of Z85");
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
    free(broker);
    return code;
}

static int connect_socket(const struct ctl *ctl, struct zmq_link *link, const char *endpoint)
{
    int no = 0;
    int yes = 1;
    zmq_setsockopt(link->socket, ZMQ_LINGER, &no, sizeof no);
    zmq_setsockopt(link->socket, ZMQ_IMMEDIATE, &yes, sizeof yes); /* no queue for a broker that is not there */
    if (zmq_connect(link->socket, endpoint) != 0)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "%s: %s", endpoint, zmq_strerror(errno));
    if (!send_request(link, "PING", NULL, 0) || !receive_answer(link, CONNECT_TIMEOUT_MS))
        return ctl_fail(ctl, EXIT_UNREACHABLE, "unreachable", "%s: no broker answers", endpoint);
    return EXIT_DONE;
}

static struct zmq_link *zmq_link_new(void)
{
    struct zmq_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->message = message_new();
    link->context = zmq_ctx_new();
    link->socket = link->context != NULL ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
    if (link->message != NULL && link->socket != NULL)
        return link;
    zmq_link_close(link);
    return NULL;
}

int submit_over_zmq(const struct ctl *ctl, const struct submit_zmq_options *options, struct submit_link *out)
{
    struct zmq_link *link = zmq_link_new();
    if (link == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = use_curve(ctl, link, options);
    if (code == EXIT_DONE)
        code = connect_socket(ctl, link, options->endpoint);
    if (code == EXIT_DONE)
        *out = (struct submit_link){link, zmq_submit, zmq_link_close};
    else
        zmq_link_close(link);
    return code;
}
