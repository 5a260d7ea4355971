/* ingress.c — see ingress.h. Reading: what is a request, and whose; the work is in ingress_enqueue.c, ingress_ask.c
 * and ingress_look.c, the answering in ingress_request.c. */
#include "broker/edge/ingress.h"

#include <stdlib.h>
#include <string.h>

#include "broker/edge/ingress_request.h"

#define LOOK_AGAIN_MS 2 /* when the readers are busy with others */

struct ingress *ingress_new(const struct ingress_options *options)
{
    struct ingress *ingress = calloc(1, sizeof *ingress);
    if (ingress == NULL)
        return NULL;
    ingress->options = *options;
    ingress->replies = replies_new(options->socket, "producers");
    ingress->message = message_new();
    ingress_looks_init(ingress);
    ingress->queues_last = &ingress->queues_first;
    for (uint32_t i = 0; i < INGRESS_REQUESTS_MAX; i++)
        ingress->free_slots[ingress->free_count++] = INGRESS_REQUESTS_MAX - 1 - i;
    if (ingress->replies == NULL || ingress->message == NULL)
        ingress_free(&ingress);
    return ingress;
}

void ingress_free(struct ingress **ingress_p)
{
    struct ingress *ingress = *ingress_p;
    *ingress_p = NULL;
    if (ingress == NULL)
        return;
    for (uint32_t i = 0; i < INGRESS_REQUESTS_MAX; i++) {
        json_out_free(&ingress->requests[i].text);
        free(ingress->requests[i].results);
        free(ingress->requests[i].pools);
    }
    ingress_queues_free(ingress);
    replies_free(&ingress->replies);
    message_free(&ingress->message);
    job_texts_free(&ingress->texts);
    free(ingress);
}

void ingress_conf_set(struct ingress *ingress, const struct conf *conf)
{
    ingress->options.conf = conf;
}

/* ---- reading ---- */

/* Peer, an empty delimiter (REQ) or none (DEALER). Returns the index of the version frame; 0: no request at all. */
static size_t read_peer(const struct message *message, struct request *head)
{
    struct frame peer = message_frame(message, 0);
    if (peer.bytes == 0 || peer.bytes > sizeof head->peer)
        return 0;
    memcpy(head->peer, peer.data, peer.bytes);
    head->peer_bytes = (uint8_t)peer.bytes;
    head->delimiter = message_frame_count(message) > 1 && message_frame(message, 1).bytes == 0;
    return head->delimiter ? 2 : 1;
}

enum command {
    COMMAND_ENQUEUE = ASK_ENQUEUE,
    COMMAND_STATUS = ASK_STATUS,
    COMMAND_CANCEL = ASK_CANCEL,
    COMMAND_PING
};

struct form { /* what is wrong with a message as a whole, or what it asks */
    enum code code;
    const char *message;
    enum command command;
};

static struct form wrong(enum code code, const char *message)
{
    return (struct form){.code = code, .message = message};
}

/* Wherever a request id stands, it is echoed; true: there is a good one. */
static bool read_request_id(const struct message *message, size_t at, struct request *head)
{
    struct frame id = message_frame(message, at + 2);
    if (message_frame_count(message) <= at + 2 || id.bytes > sizeof head->request_id)
        return false;
    memcpy(head->request_id, id.bytes == 0 ? "" : id.data, id.bytes);
    head->request_id_bytes = (uint8_t)id.bytes;
    return true;
}

static struct form read_command(struct frame command)
{
    static const struct {
        const char *text;
        enum command command;
    } commands[] = {
        {"ENQUEUE", COMMAND_ENQUEUE}, {"STATUS", COMMAND_STATUS}, {"CANCEL", COMMAND_CANCEL}, {"PING", COMMAND_PING}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (frame_is(command, commands[i].text))
            return (struct form){.command = commands[i].command};
    return wrong(CODE_UNKNOWN_COMMAND, "the command must be ENQUEUE, STATUS, CANCEL or PING");
}

static struct form read_form(const struct message *message, size_t at, bool too_many, struct request *head)
{
    size_t frames = message_frame_count(message);
    bool has_id = read_request_id(message, at, head);
    if (!frame_is(message_frame(message, at), WIRE_VERSION))
        return wrong(CODE_UNSUPPORTED_VERSION, "the first frame must be LW1");
    if (!has_id)
        return wrong(CODE_MALFORMED, frames > at + 2 ? "the request id is longer than 64 bytes"
                                                     : "a request has at least LW1, a command and a request id");
    if (message_bytes(message) - head->peer_bytes > WIRE_REQUEST_BYTES_MAX)
        return wrong(CODE_TOO_LARGE, "a request is at most 8 MiB");
    struct form form = read_command(message_frame(message, at + 1));
    if (form.code != CODE_NONE || form.command == COMMAND_PING)
        return form;
    if (too_many || frames - at - 3 > WIRE_ENQUEUE_JOBS_MAX)
        return wrong(CODE_TOO_MANY, "a request has at most 1024 items");
    if (frames == at + 3)
        return wrong(CODE_MALFORMED, "a request has at least one item");
    return form;
}

/* Whether the peer may be heard at all comes before what it asks: a stranger does not even learn what is well formed.
 * From here on its key says which pools there are for it. */
static struct form admit(struct ingress *ingress)
{
    const struct access *access = ingress->options.access;
    ingress->pools = NULL;
    if (access == NULL)
        return wrong(CODE_NONE, NULL);
    const struct key_grant *grant = access_grant(access, ingress->message, KEY_PRODUCER);
    if (grant == NULL)
        return wrong(CODE_UNAUTHORIZED, "the key is not authorized any more");
    if (!access_gave_routing_id(message_frame(ingress->message, 0)))
        return wrong(CODE_FORBIDDEN, "with a key, leave the routing id to the broker");
    ingress->pools = grant->pools;
    return wrong(CODE_NONE, NULL);
}

static void send_pong(struct ingress *ingress, const struct request *head, struct instant now)
{
    struct core_status status;
    struct json_out text = {0};
    core_totals_read(ingress->options.core, now, &status);
    json_open(&text, '{');
    json_key(&text, "version");
    json_put_string(&text, ingress->options.version);
    json_key(&text, "broker");
    json_put_string(&text, ingress->options.broker);
    json_key(&text, "time");
    json_put_time(&text, now.wall_ms);
    json_key(&text, "queued");
    json_put_int(&text, (int64_t)status.jobs);
    json_key(&text, "jobs_max");
    json_put_int(&text, ingress->options.conf->broker.jobs_max);
    json_close(&text, '}');
    request_send_text(ingress, head, "PONG", &text);
    json_out_free(&text);
}

struct request *ingress_begin(struct ingress *ingress, const struct request *head, enum ask ask, size_t first)
{
    size_t count = message_frame_count(ingress->message) - first;
    struct request *request = request_new(ingress, head, ask, count, message_bytes(ingress->message));
    if (request == NULL)
        request_send_error(ingress, head, CODE_BUSY, "too many requests wait for their answer");
    return request;
}

void ingress_carry_out(struct ingress *ingress, const struct request *head, enum ask ask, size_t first,
                       bool store_full, struct instant now, struct effects *out)
{
    struct enqueuing at = {0};
    struct request *request = ingress_begin(ingress, head, ask, first);
    if (request == NULL)
        return;
    if (ask == ASK_STATUS)
        ingress_status(ingress, request, first, out);
    else if (ask == ASK_CANCEL)
        ingress_cancel(ingress, request, first, now, out);
    else /* of one slice, or else it would have been queued */
        ingress_enqueue(ingress, request, first, &at, store_full, now, out);
}

static void take_up(struct ingress *ingress, const struct request *head, enum ask ask, size_t first, bool store_full,
                    struct instant now, struct effects *out)
{
    if (replies_is_behind(ingress->replies, message_frame(ingress->message, 0)))
        request_send_error(ingress, head, CODE_BUSY, "too many answers wait for you to read them");
    else if (!ingress_must_queue(ingress, head, ask))
        ingress_carry_out(ingress, head, ask, first, store_full, now, out);
    else if (!ingress_queue(ingress, head, ask, first))
        request_send_error(ingress, head, CODE_BUSY, "too much of large requests waits to be read");
}

bool ingress_read(struct ingress *ingress, bool store_full, struct instant now, struct effects *out)
{
    ingress->refused = false;
    enum err err = message_receive(ingress->message, ingress->options.socket);
    if (err != ERR_NONE && err != ERR_FULL)
        return false;
    struct request head = {0};
    size_t at = read_peer(ingress->message, &head);
    if (at == 0) {
        ingress->refused = true;
        return true;
    }
    struct form form = read_form(ingress->message, at, err == ERR_FULL, &head);
    struct form admitted = admit(ingress);
    if (admitted.code != CODE_NONE)
        form = admitted;
    if (form.code != CODE_NONE)
        request_send_error(ingress, &head, form.code, form.message);
    else if (form.command == COMMAND_PING)
        send_pong(ingress, &head, now);
    else
        take_up(ingress, &head, (enum ask)form.command, at + 3, store_full, now, out);
    return true;
}

bool ingress_refused(const struct ingress *ingress)
{
    return ingress->refused;
}

/* ---- what comes back ---- */

void ingress_effect(struct ingress *ingress, const struct effect *effect, struct instant now)
{
    enum look look;
    struct request *request = request_of_token(ingress, effect->token, &look);
    if (request == NULL || effect->index >= request->count || effect->kind == EFFECT_CANCELLED)
        return; /* a CANCEL's own EFFECT_ANSWER follows them all */
    if (effect->kind == EFFECT_ENQUEUED)
        ingress_enqueued(ingress, request, effect);
    ingress_go_on(ingress, request, now);
}

/* ---- once a turn ---- */

void ingress_retry(struct ingress *ingress, struct instant now)
{
    ingress->now_ms = now.mono_ms;
    replies_retry(ingress->replies, now);
    ingress_look_on(ingress, now);
}

int64_t ingress_next_mono_ms(const struct ingress *ingress)
{
    int64_t next = replies_next_mono_ms(ingress->replies);
    bool looks = ingress->waiting > 0 && ingress->lookups == 0; /* else their answer wakes us */
    int64_t again = looks ? ingress->now_ms + LOOK_AGAIN_MS : TIME_NEVER;
    return again < next ? again : next;
}
