/* client_link.c — see client_link.h. */
#include "client_link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"

#define RESEND_GROWTH 8
#define HEAD_FRAMES   3 /* version, command, request id */

struct client_link {
    char *endpoint;
    void *socket;
    bool has_keys;
    struct message *answer;
    struct client_request request;
    char id[24];
    struct frame frames[HEAD_FRAMES + LINEWARD_BATCH_MAX];
    size_t frame_count;
    int64_t send_at_ms, wait_ms; /* the next copy, and how long after it the one after that */
    size_t sent, refused; /* copies of it */
    bool was_tried, is_blocked;
    char error[CLIENT_ERROR_BYTES];
};

static enum lineward_status fail(struct client_link *link, enum lineward_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum lineward_status fail(struct client_link *link, enum lineward_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(link->error, sizeof link->error, format, values);
    va_end(values);
    return status;
}

/* ---- the connection ---- */

static void set_option(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value); /* fails only for options that do not exist */
}

static bool use_keys(void *socket, const struct client_keys *keys)
{
    char public_key[CLIENT_KEY_TEXT];
    return zmq_curve_public(public_key, keys->secret) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->broker, CLIENT_KEY_TEXT) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, CLIENT_KEY_TEXT) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret, CLIENT_KEY_TEXT) == 0;
}

static enum lineward_status open_socket(struct client_link *link, void *context, const struct client_keys *keys)
{
    link->socket = zmq_socket(context, ZMQ_DEALER);
    if (link->socket == NULL)
        return LINEWARD_NO_MEMORY;
    /* What was not sent is ours to send again, so nothing may wait inside the socket: neither for a broker that
     * is not there, nor when we close. */
    set_option(link->socket, ZMQ_IMMEDIATE, 1);
    set_option(link->socket, ZMQ_LINGER, 0);
    set_option(link->socket, ZMQ_RECONNECT_IVL, 100);
    set_option(link->socket, ZMQ_RECONNECT_IVL_MAX, 2000);
    /* A broker's machine that went away without a word is noticed, too. */
    set_option(link->socket, ZMQ_HEARTBEAT_IVL, 3000);
    set_option(link->socket, ZMQ_HEARTBEAT_TIMEOUT, 10000);
    if (link->has_keys && !use_keys(link->socket, keys))
        return LINEWARD_INVALID;
    return zmq_connect(link->socket, link->endpoint) == 0 ? LINEWARD_OK : LINEWARD_INVALID;
}

enum lineward_status client_link_open(struct client_link **out, void *context, const char *endpoint,
                                      const struct client_keys *keys)
{
    enum lineward_status status = LINEWARD_NO_MEMORY;
    struct client_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return status;
    link->has_keys = keys->secret[0] != '\0';
    link->answer = message_new();
    link->endpoint = strdup(endpoint);
    if (link->answer != NULL && link->endpoint != NULL)
        status = open_socket(link, context, keys);
    if (status == LINEWARD_OK)
        *out = link;
    else
        client_link_free(&link);
    return status;
}

void client_link_free(struct client_link **link_p)
{
    struct client_link *link = *link_p;
    if (link == NULL)
        return;
    message_free(&link->answer);
    if (link->socket != NULL)
        zmq_close(link->socket);
    free(link->endpoint);
    free(link);
    *link_p = NULL;
}

const char *client_link_endpoint(const struct client_link *link)
{
    return link->endpoint;
}

const char *client_link_error(const struct client_link *link)
{
    return link->error;
}

/* ---- one request ---- */

void client_link_begin(struct client_link *link, const struct client_request *request)
{
    link->request = *request;
    link->error[0] = '\0';
    snprintf(link->id, sizeof link->id, "%llu", (unsigned long long)request->id);
    link->frames[0] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    link->frames[1] = (struct frame){request->command, strlen(request->command)};
    link->frames[2] = (struct frame){link->id, strlen(link->id)};
    link->frame_count = HEAD_FRAMES;
    for (size_t i = 0; request->items != NULL && i < request->count; i++)
        link->frames[link->frame_count++] = (struct frame){request->items[i], strlen(request->items[i])};
    link->send_at_ms = request->now_ms;
    link->wait_ms = request->resend_ms;
    link->sent = link->refused = 0;
    link->was_tried = link->is_blocked = false;
}

static int64_t give_up_ms(const struct client_link *link)
{
    bool early = link->is_blocked && link->request.away_until_ms < link->request.deadline_ms;
    return early ? link->request.away_until_ms : link->request.deadline_ms;
}

void client_link_wait(const struct client_link *link, zmq_pollitem_t *out, int64_t *wake_ms)
{
    int64_t end_ms = give_up_ms(link);
    *out = (zmq_pollitem_t){.socket = link->socket, .events = (short)(ZMQ_POLLIN | (link->is_blocked ? ZMQ_POLLOUT : 0))};
    *wake_ms = !link->is_blocked && link->send_at_ms < end_ms ? link->send_at_ms : end_ms;
}

/* Sends a copy if one is due and there is a broker to take it. False: the socket failed. */
static bool send_due(struct client_link *link, int64_t now_ms)
{
    link->was_tried = true;
    if (now_ms < link->send_at_ms)
        return true;
    enum err err = message_send(link->socket, link->frames, link->frame_count);
    link->is_blocked = err != ERR_NONE;
    if (err != ERR_NONE)
        return err == ERR_BUSY;
    int64_t wait_ms_max = (int64_t)link->request.resend_ms * RESEND_GROWTH, away_until_ms = link->request.away_until_ms;
    link->sent++;
    link->send_at_ms = link->request.repeatable ? now_ms + link->wait_ms : TIME_NEVER;
    if (link->request.repeatable && now_ms < away_until_ms && away_until_ms < link->send_at_ms)
        link->send_at_ms = away_until_ms; /* is it still there? */
    link->wait_ms = link->wait_ms * 2 < wait_ms_max ? link->wait_ms * 2 : wait_ms_max;
    return true;
}

/* A result that holds a zero byte is no JSON text. */
static enum lineward_status check_results(struct client_link *link)
{
    size_t count = message_frame_count(link->answer) - HEAD_FRAMES;
    if (count != link->request.count)
        return fail(link, LINEWARD_IO, "the broker answered %zu results where %zu were asked for", count,
                    link->request.count);
    for (size_t i = 0; i < count; i++) {
        struct frame frame = client_link_result(link, i);
        if (frame.bytes > 0 && memchr(frame.data, '\0', frame.bytes) != NULL)
            return fail(link, LINEWARD_IO, "the broker's answer is no text");
    }
    return LINEWARD_OK;
}

struct frame client_link_result(const struct client_link *link, size_t index)
{
    return message_frame(link->answer, HEAD_FRAMES + index);
}

/* Is the received message the answer to the request? Late answers to requests given up are none; nor is the refusal of
 * one copy while another may still be carried out. */
static bool read_answer(struct client_link *link, enum lineward_status *out)
{
    const struct message *answer = link->answer;
    if (message_frame_count(answer) < HEAD_FRAMES || !frame_is(message_frame(answer, 0), WIRE_VERSION) ||
        !frame_is(message_frame(answer, 2), link->id))
        return false;
    if (frame_is(message_frame(answer, 1), "ERR")) {
        if (++link->refused < link->sent)
            return false;
        struct frame error = message_frame(answer, HEAD_FRAMES);
        *out = fail(link, LINEWARD_REFUSED, "%.*s", (int)(error.bytes < 1000 ? error.bytes : 1000),
                    error.data != NULL ? (const char *)error.data : "");
        return true;
    }
    if (!frame_is(message_frame(answer, 1), link->request.answer))
        return false;
    *out = check_results(link);
    return true;
}

/* Reads what has come. True: the answer is among it, or the socket failed. */
static bool receive_answer(struct client_link *link, enum lineward_status *out)
{
    for (;;) {
        enum err err = message_receive(link->answer, link->socket);
        if (err == ERR_NOT_FOUND)
            return false;
        if (err == ERR_IO) {
            *out = fail(link, LINEWARD_IO, "receiving failed: %s", zmq_strerror(errno));
            return true;
        }
        if (err == ERR_NONE && read_answer(link, out))
            return true;
    }
}

static enum lineward_status give_up(struct client_link *link)
{
    if (link->sent == 0)
        return fail(link, LINEWARD_UNREACHABLE, "no broker at %.200s%s", link->endpoint,
                    link->has_keys ? " that lets this key in as a producer, and whose own key is the one given" : "");
    return fail(link, LINEWARD_TIMEOUT, "no answer from %.200s: it may have been done", link->endpoint);
}

bool client_link_turn(struct client_link *link, int64_t now_ms, enum lineward_status *out)
{
    if (receive_answer(link, out))
        return true;
    if (link->was_tried && now_ms >= link->request.deadline_ms) {
        *out = give_up(link);
        return true;
    }
    if (!send_due(link, now_ms)) {
        *out = fail(link, LINEWARD_IO, "sending failed: %s", zmq_strerror(errno));
        return true;
    }
    if (now_ms < give_up_ms(link))
        return false;
    *out = give_up(link);
    return true;
}
