/* dispatch.c — see dispatch.h. */
#include "broker/edge/dispatch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/job_frame.h"
#include "broker/edge/replies.h"
#include "broker/edge/view.h"
#include "broker/edge/worker_result.h"
#include "lineward/json.h"
#include "lineward/log.h"

#define SLOTS_MAX 65536
#define LEASES_NAMED_MAX 65536

struct outgoing { /* JOBs or DONEs of one peer, gathered */
    struct json_out text;
    uint64_t lease[WIRE_WORKER_ITEMS_MAX];
    uint32_t end[WIRE_WORKER_ITEMS_MAX]; /* of each job's JSON in text */
    size_t count;
};

struct peer {
    uint8_t id[256];
    uint16_t id_bytes; /* 0: free */
    uint32_t used_at;  /* for forgetting the one that was silent longest */
    struct outgoing *jobs, *done;
    bool touched;
};

struct dispatch {
    struct dispatch_options options;
    struct replies *replies;
    struct message *message;
    struct result_texts texts;
    struct peer *peers;
    uint32_t peer_count, clock;
    uint32_t touched[DISPATCH_PEERS_MAX], touched_count;
    uint64_t *named;
};

struct dispatch *dispatch_new(const struct dispatch_options *options)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL)
        return NULL;
    dispatch->options = *options;
    dispatch->replies = replies_new(options->socket, "workers");
    dispatch->message = message_new();
    dispatch->peers = calloc(DISPATCH_PEERS_MAX, sizeof *dispatch->peers);
    dispatch->named = calloc(LEASES_NAMED_MAX, sizeof *dispatch->named);
    dispatch->peer_count = 1; /* 0 is nobody */
    if (dispatch->replies == NULL || dispatch->message == NULL || dispatch->peers == NULL || dispatch->named == NULL)
        dispatch_free(&dispatch);
    return dispatch;
}

static void outgoing_free(struct outgoing **outgoing_p)
{
    if (*outgoing_p != NULL)
        json_out_free(&(*outgoing_p)->text);
    free(*outgoing_p);
    *outgoing_p = NULL;
}

void dispatch_free(struct dispatch **dispatch_p)
{
    struct dispatch *dispatch = *dispatch_p;
    *dispatch_p = NULL;
    if (dispatch == NULL)
        return;
    for (uint32_t p = 0; dispatch->peers != NULL && p < dispatch->peer_count; p++) {
        outgoing_free(&dispatch->peers[p].jobs);
        outgoing_free(&dispatch->peers[p].done);
    }
    replies_free(&dispatch->replies);
    message_free(&dispatch->message);
    result_texts_free(&dispatch->texts);
    free(dispatch->peers);
    free(dispatch->named);
    free(dispatch);
}

/* ---- peers ---- */

static uint32_t silent_longest(const struct dispatch *dispatch)
{
    uint32_t oldest = 1;
    for (uint32_t p = 2; p < dispatch->peer_count; p++)
        if (dispatch->peers[p].used_at < dispatch->peers[oldest].used_at)
            oldest = p;
    return oldest;
}

static uint32_t peer_of(struct dispatch *dispatch, struct frame id, struct instant now, struct effects *out)
{
    uint32_t at = 0;
    for (uint32_t p = 1; p < dispatch->peer_count && at == 0; p++)
        if (dispatch->peers[p].id_bytes == id.bytes && memcmp(dispatch->peers[p].id, id.data, id.bytes) == 0)
            at = p;
    if (at == 0 && dispatch->peer_count < DISPATCH_PEERS_MAX)
        at = dispatch->peer_count++;
    if (at == 0) {
        at = silent_longest(dispatch);
        core_worker_gone(dispatch->options.core, at, now, out);
    }
    struct peer *peer = &dispatch->peers[at];
    memcpy(peer->id, id.data, id.bytes);
    peer->id_bytes = (uint16_t)id.bytes;
    peer->used_at = ++dispatch->clock;
    return at;
}

static size_t put_head(const struct dispatch *dispatch, uint32_t peer, const char *command, struct frame *frames)
{
    frames[0] = (struct frame){dispatch->peers[peer].id, dispatch->peers[peer].id_bytes};
    frames[1] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    frames[2] = (struct frame){command, strlen(command)};
    return 3;
}

static void send_text(struct dispatch *dispatch, uint32_t peer, const char *command, const void *text, size_t bytes)
{
    struct frame frames[4];
    size_t count = put_head(dispatch, peer, command, frames);
    frames[count++] = (struct frame){text, bytes};
    replies_send(dispatch->replies, frames, count);
}

static void send_error(struct dispatch *dispatch, uint32_t peer, enum code code, const char *message)
{
    struct json_out text = {0};
    struct error_view error = {.code = code, .message = message};
    view_error_body(&text, &error);
    send_text(dispatch, peer, "ERR", text.text, text.bytes);
    json_out_free(&text);
}

/* ---- what workers say ---- */

static void read_leases(struct dispatch *dispatch, const cJSON *list, struct core_ready *ready)
{
    ready->leases = dispatch->named;
    for (const cJSON *item = list == NULL ? NULL : list->child; item != NULL; item = item->next) {
        uint64_t lease = 0;
        if (cJSON_IsString(item) && lease_parse(item->valuestring, &lease) && ready->lease_count < LEASES_NAMED_MAX)
            dispatch->named[ready->lease_count++] = lease;
    }
}

static const char *read_ready(struct dispatch *dispatch, const cJSON *root, struct core_ready *ready)
{
    const char *worker = json_string(root, "worker");
    const char *instance = json_string(root, "instance");
    const cJSON *leases = json_get(root, "leases");
    int64_t slots = 0;
    if (worker == NULL || !name_is_valid(worker))
        return "READY: worker must match [A-Za-z0-9_.-]{1,64}";
    if (instance == NULL || *instance == '\0' || strlen(instance) > 128)
        return "READY: instance must be 1 to 128 bytes, random for each process";
    if (!json_int(root, "slots", &slots) || slots < 1 || slots > SLOTS_MAX)
        return "READY: slots must be 1 to 65536";
    if (leases != NULL && !cJSON_IsArray(leases) && !cJSON_IsNull(leases))
        return "READY: leases must be an array of strings";
    ready->slots = (uint32_t)slots;
    ready->instance = keyed_hash(dispatch->options.hash, KEYED_INSTANCE, NULL, instance, strlen(instance));
    memcpy(ready->worker, worker, strlen(worker) + 1);
    read_leases(dispatch, leases, ready);
    return NULL;
}

static void take_ready(struct dispatch *dispatch, uint32_t peer, struct frame text, struct instant now,
                       struct effects *out)
{
    cJSON *root = json_parse(text.data, text.bytes, NULL);
    struct core_ready ready = {.peer = peer};
    const char *wrong = root == NULL || !cJSON_IsObject(root) ? "READY: not a JSON object"
                                                              : read_ready(dispatch, root, &ready);
    if (wrong != NULL)
        send_error(dispatch, peer, CODE_MALFORMED, wrong);
    else
        core_worker_ready(dispatch->options.core, &ready, now, out);
    cJSON_Delete(root);
}

struct recipient {
    const struct dispatch *dispatch;
    const char *account;
    uint64_t hash;
};

static bool take_recipient(void *self, const struct change *change)
{
    struct recipient *recipient = self;
    struct span to = change->sections[SECTION_RECIPIENTS];
    cJSON *list = json_parse(to.data, to.bytes, NULL);
    if (cJSON_GetArraySize(list) == 1 && cJSON_IsString(list->child))
        recipient->hash = keyed_hash(recipient->dispatch->options.hash, KEYED_RECIPIENT, recipient->account,
                                     list->child->valuestring, strlen(list->child->valuestring));
    cJSON_Delete(list);
    return false;
}

/* Whom the provider will not be sent to again: only the store knows the job's recipients. */
static uint64_t recipient_of(const struct dispatch *dispatch, uint64_t lease)
{
    struct lease_view view;
    if (!core_lease_view(dispatch->options.core, lease, &view))
        return 0;
    struct recipient recipient = {.dispatch = dispatch,
                                  .account = dispatch->options.conf->accounts[view.account].name};
    dispatch->options.archive.read(dispatch->options.archive.self, view.place, take_recipient, &recipient);
    return recipient.hash;
}

static void take_results(struct dispatch *dispatch, uint32_t peer, size_t first, struct instant now,
                         struct effects *out)
{
    size_t frames = message_frame_count(dispatch->message);
    if (frames <= first || (frames - first) % 2 != 0 || (frames - first) / 2 > WIRE_WORKER_ITEMS_MAX) {
        send_error(dispatch, peer, CODE_MALFORMED, "RESULT: 1 to 256 pairs of lease and result");
        return;
    }
    for (size_t i = first; i < frames; i += 2) {
        struct frame text = message_frame(dispatch->message, i + 1);
        struct core_result result;
        char lease[LEASE_TEXT_MAX];
        uint64_t id = 0;
        if (!frame_text(message_frame(dispatch->message, i), lease, sizeof lease) || !lease_parse(lease, &id)) {
            send_error(dispatch, peer, CODE_MALFORMED, "RESULT: that is no lease of this broker");
            continue;
        }
        if (!worker_result_parse(dispatch->options.hash, text.data, text.bytes, &result, &dispatch->texts))
            send_error(dispatch, peer, CODE_MALFORMED, "RESULT: outcome must be sent, retry, rejected or returned");
        result.peer = peer;
        result.lease = id;
        if (result.suppress != SUPPRESS_NONE)
            result.recipient = recipient_of(dispatch, id);
        core_worker_result(dispatch->options.core, &result, now, out);
        dispatch->options.persist(dispatch->options.persist_self, now, out);
    }
}

static void take_beat(struct dispatch *dispatch, uint32_t peer, struct frame n, struct instant now,
                      struct effects *out)
{
    bool number = n.bytes >= 1 && n.bytes <= 20;
    for (size_t i = 0; number && i < n.bytes; i++)
        number = isdigit(((const unsigned char *)n.data)[i]);
    if (!number)
        send_error(dispatch, peer, CODE_MALFORMED, "BEAT: n is a decimal number");
    else if (core_worker_alive(dispatch->options.core, peer, now, out))
        send_text(dispatch, peer, "BEAT", n.data, n.bytes);
}

bool dispatch_read(struct dispatch *dispatch, struct instant now, struct effects *out)
{
    enum err err = message_receive(dispatch->message, dispatch->options.socket);
    if (err != ERR_NONE && err != ERR_FULL)
        return false;
    const struct message *message = dispatch->message;
    struct frame id = message_frame(message, 0);
    if (id.bytes == 0 || id.bytes > 255)
        return true;
    uint32_t peer = peer_of(dispatch, id, now, out);
    struct frame command = message_frame(message, 2);
    if (!frame_is(message_frame(message, 1), WIRE_VERSION)) {
        send_error(dispatch, peer, CODE_UNSUPPORTED_VERSION, "the first frame must be LW1");
    } else if (err == ERR_FULL) {
        send_error(dispatch, peer, CODE_TOO_MANY, "more frames than any message has");
    } else if (frame_is(command, "READY")) {
        take_ready(dispatch, peer, message_frame(message, 3), now, out);
    } else if (frame_is(command, "RESULT")) {
        take_results(dispatch, peer, 3, now, out);
    } else if (frame_is(command, "BEAT")) {
        take_beat(dispatch, peer, message_frame(message, 3), now, out);
    } else if (frame_is(command, "BYE")) {
        if (core_worker_alive(dispatch->options.core, peer, now, out))
            core_worker_bye(dispatch->options.core, peer, now, out);
    } else {
        send_error(dispatch, peer, CODE_UNKNOWN_COMMAND, "the command must be READY, RESULT, BEAT or BYE");
    }
    return true;
}

/* ---- what workers are told ---- */

static struct outgoing *outgoing_of(struct dispatch *dispatch, uint32_t at, bool jobs)
{
    struct peer *peer = &dispatch->peers[at];
    struct outgoing **outgoing = jobs ? &peer->jobs : &peer->done;
    if (*outgoing == NULL)
        *outgoing = calloc(1, sizeof **outgoing);
    if (!peer->touched) {
        peer->touched = true;
        dispatch->touched[dispatch->touched_count++] = at;
    }
    return *outgoing;
}

/* JOBs and DONEs share their frames' form but for the JSON. */
static void send_outgoing(struct dispatch *dispatch, uint32_t peer, struct outgoing *outgoing, bool jobs,
                          struct instant now, struct effects *out)
{
    static struct frame frames[3 + 2 * WIRE_WORKER_ITEMS_MAX]; /* one thread owns the core and its edges */
    static char leases[WIRE_WORKER_ITEMS_MAX][LEASE_TEXT_MAX];
    if (outgoing == NULL || outgoing->count == 0)
        return;
    size_t count = put_head(dispatch, peer, jobs ? "JOB" : "DONE", frames);
    uint32_t from = 0;
    for (size_t i = 0; i < outgoing->count; i++) {
        lease_format(outgoing->lease[i], leases[i]);
        frames[count++] = (struct frame){leases[i], strlen(leases[i])};
        if (!jobs)
            continue;
        frames[count++] = (struct frame){outgoing->text.text + from, outgoing->end[i] - from};
        from = outgoing->end[i];
    }
    enum err err = jobs ? replies_try(dispatch->replies, frames, count) : replies_send(dispatch->replies, frames, count);
    if (jobs && err != ERR_NONE)
        for (size_t i = 0; i < outgoing->count; i++)
            core_lease_unsent(dispatch->options.core, outgoing->lease[i], now, out);
    if (err == ERR_NOT_FOUND)
        core_worker_gone(dispatch->options.core, peer, now, out);
    outgoing->count = 0;
    json_out_clear(&outgoing->text);
}

/* A hash only finds: other recipients are behind it than the conversation's. Never send into a stranger's chat. */
static void refuse_collision(struct dispatch *dispatch, const struct effect *effect, struct instant now,
                             struct effects *out)
{
    static const char text[] = "{\"error\":{\"code\":\"invalid_recipient\",\"message\":"
                               "\"its conversation's hash belongs to other recipients\"}}";
    struct core_result result = {.peer = effect->peer, .lease = effect->lease, .outcome = OUTCOME_REJECTED,
                                 .retry_after_ms = -1, .result = {text, sizeof text - 1}};
    log_event(LOG_ERROR, "conversation_collision", "lease=%llu", (unsigned long long)effect->lease);
    core_worker_result(dispatch->options.core, &result, now, out);
}

static void add_job(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out)
{
    struct lease_view view;
    if (!core_lease_view(dispatch->options.core, effect->lease, &view) ||
        !core_lease_send(dispatch->options.core, effect->lease, now))
        return;
    struct outgoing *jobs = outgoing_of(dispatch, effect->peer, true);
    enum err err = ERR_NO_MEMORY;
    if (jobs != NULL) {
        size_t before = jobs->text.bytes;
        jobs->text.comma = false;
        err = job_frame_write(&dispatch->options.archive, dispatch->options.conf, dispatch->options.core, &view,
                              &jobs->text);
        if (err == ERR_NONE && !jobs->text.failed) {
            jobs->lease[jobs->count] = effect->lease;
            jobs->end[jobs->count++] = (uint32_t)jobs->text.bytes;
        } else {
            jobs->text.bytes = before;
        }
    }
    if (err == ERR_EXISTS) {
        refuse_collision(dispatch, effect, now, out);
    } else if (err != ERR_NONE) {
        log_event(LOG_ERROR, "job_unreadable", "err=%s", err_name(err));
        core_lease_unsent(dispatch->options.core, effect->lease, now, out);
    }
    if (jobs != NULL && jobs->count == WIRE_WORKER_ITEMS_MAX)
        send_outgoing(dispatch, effect->peer, jobs, true, now, out);
}

static void add_done(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out)
{
    struct outgoing *done = outgoing_of(dispatch, effect->peer, false);
    if (done == NULL)
        return; /* the worker sends its result again */
    done->lease[done->count++] = effect->lease;
    if (done->count == WIRE_WORKER_ITEMS_MAX)
        send_outgoing(dispatch, effect->peer, done, false, now, out);
}

static void send_ready(struct dispatch *dispatch, uint32_t peer)
{
    struct json_out text = {0};
    json_open(&text, '{');
    json_key(&text, "broker");
    json_put_string(&text, dispatch->options.broker);
    json_key(&text, "heartbeat_ms");
    json_put_int(&text, dispatch->options.conf->broker.heartbeat_ms);
    json_close(&text, '}');
    send_text(dispatch, peer, "READY", text.text, text.bytes);
    json_out_free(&text);
}

static void send_revoke(struct dispatch *dispatch, const struct effect *effect)
{
    char lease[LEASE_TEXT_MAX];
    lease_format(effect->lease, lease);
    send_text(dispatch, effect->peer, "REVOKE", lease, strlen(lease));
}

void dispatch_effect(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out)
{
    switch (effect->kind) {
    case EFFECT_JOB:
        add_job(dispatch, effect, now, out);
        break;
    case EFFECT_DONE:
        add_done(dispatch, effect, now, out);
        break;
    case EFFECT_READY:
        dispatch_flush(dispatch, now, out); /* what came before it must not follow it */
        send_ready(dispatch, effect->peer);
        break;
    case EFFECT_REVOKE:
        dispatch_flush(dispatch, now, out); /* a JOB gathered but not sent must not overtake its REVOKE */
        send_revoke(dispatch, effect);
        break;
    case EFFECT_UNKNOWN_WORKER:
        send_error(dispatch, effect->peer, CODE_UNKNOWN_WORKER, "say READY again");
        break;
    case EFFECT_ENQUEUED:
    case EFFECT_CANCELLED:
    case EFFECT_ANSWER:
    case EFFECT_POLL:
    case EFFECT_ALERT:
        break;
    }
}

void dispatch_flush(struct dispatch *dispatch, struct instant now, struct effects *out)
{
    for (uint32_t i = 0; i < dispatch->touched_count; i++) {
        uint32_t at = dispatch->touched[i];
        struct peer *peer = &dispatch->peers[at];
        peer->touched = false;
        send_outgoing(dispatch, at, peer->done, false, now, out);
        send_outgoing(dispatch, at, peer->jobs, true, now, out);
    }
    dispatch->touched_count = 0;
}

void dispatch_retry(struct dispatch *dispatch, struct instant now)
{
    replies_retry(dispatch->replies, now);
}

int64_t dispatch_next_mono_ms(const struct dispatch *dispatch)
{
    return replies_next_mono_ms(dispatch->replies);
}
