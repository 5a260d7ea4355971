/* dispatch.c — see dispatch.h. Peers, and what they say; what they are told is in dispatch_tell.c. */
#include "broker/edge/dispatch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/dispatch_part.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "lineward/json.h"

#define SLOTS_MAX 65536

struct dispatch *dispatch_new(const struct dispatch_options *options)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL)
        return NULL;
    dispatch->options = *options;
    dispatch->replies = replies_new(options->socket, "workers");
    dispatch->message = message_new();
    dispatch->peers = calloc(DISPATCH_PEERS_MAX, sizeof *dispatch->peers);
    dispatch->named = calloc(DISPATCH_LEASES_MAX, sizeof *dispatch->named);
    dispatch->pools = calloc(CONF_POOLS_MAX, sizeof *dispatch->pools);
    dispatch->peer_count = 1; /* 0 is nobody */
    if (dispatch->replies == NULL || dispatch->message == NULL || dispatch->peers == NULL ||
        dispatch->named == NULL || dispatch->pools == NULL)
        dispatch_free(&dispatch);
    return dispatch;
}

void dispatch_free(struct dispatch **dispatch_p)
{
    struct dispatch *dispatch = *dispatch_p;
    *dispatch_p = NULL;
    if (dispatch == NULL)
        return;
    for (uint32_t p = 0; dispatch->peers != NULL && p < dispatch->peer_count; p++) {
        dispatch_outgoing_free(&dispatch->peers[p].jobs);
        dispatch_outgoing_free(&dispatch->peers[p].done);
    }
    replies_free(&dispatch->replies);
    message_free(&dispatch->message);
    result_texts_free(&dispatch->texts);
    free(dispatch->peers);
    free(dispatch->named);
    free(dispatch->pools);
    free(dispatch);
}

/* ---- peers ---- */

static uint32_t *bucket_of(struct dispatch *dispatch, struct frame id)
{
    return &dispatch->buckets[keyed_hash(dispatch->options.hash, KEYED_INSTANCE, NULL, id.data, id.bytes) %
                              DISPATCH_BUCKETS];
}

/* 0: it never said READY, or was forgotten since. */
static uint32_t find_peer(struct dispatch *dispatch, struct frame id)
{
    uint32_t at = *bucket_of(dispatch, id);
    while (at != 0 &&
           (dispatch->peers[at].id_bytes != id.bytes || memcmp(dispatch->peers[at].id, id.data, id.bytes) != 0))
        at = dispatch->peers[at].next;
    if (at != 0)
        dispatch->peers[at].used_at = ++dispatch->clock;
    return at;
}

static uint32_t forget_silent_longest(struct dispatch *dispatch, struct instant now, struct effects *out)
{
    uint32_t oldest = 1;
    for (uint32_t p = 2; p < dispatch->peer_count; p++)
        if (dispatch->peers[p].used_at < dispatch->peers[oldest].used_at)
            oldest = p;
    struct peer *peer = &dispatch->peers[oldest];
    uint32_t *link = bucket_of(dispatch, (struct frame){peer->id, peer->id_bytes});
    while (*link != oldest)
        link = &dispatch->peers[*link].next;
    *link = peer->next;
    dispatch_flush(dispatch, now, out); /* what is gathered for it is not its successor's */
    dispatch_let_go(dispatch, oldest, now, out);
    return oldest;
}

static uint32_t peer_of(struct dispatch *dispatch, struct frame id, struct instant now, struct effects *out)
{
    uint32_t at = find_peer(dispatch, id);
    if (at != 0)
        return at;
    at = dispatch->peer_count < DISPATCH_PEERS_MAX ? dispatch->peer_count++
                                                   : forget_silent_longest(dispatch, now, out);
    struct peer *peer = &dispatch->peers[at];
    uint32_t *bucket = bucket_of(dispatch, id);
    memcpy(peer->id, id.data, id.bytes);
    peer->id_bytes = (uint16_t)id.bytes;
    peer->used_at = ++dispatch->clock;
    peer->next = *bucket;
    *bucket = at;
    return at;
}

void dispatch_conf_set(struct dispatch *dispatch, const struct conf *conf)
{
    dispatch->options.conf = conf;
}

static const char *key_of(const struct key_grant *grant)
{
    return grant == NULL ? "" : grant->key;
}

/* Under a routing id that had another key, nothing of the one before goes on. */
static void take_key(struct dispatch *dispatch, uint32_t at, const char *key, struct instant now, struct effects *out)
{
    struct peer *peer = &dispatch->peers[at];
    if (strcmp(peer->key, key) == 0)
        return;
    dispatch_flush(dispatch, now, out);
    core_worker_gone(dispatch->options.core, at, now, out);
    snprintf(peer->key, sizeof peer->key, "%s", key);
}

static bool keeps_its_pools(const struct key_ring *before, const struct key_ring *after, const char *key)
{
    const struct key_grant *old = key_ring_find(before, key);
    const struct key_grant *new = key_ring_find(after, key);
    if (old == NULL || new == NULL || new->role != KEY_WORKER)
        return false;
    return old->pools == NULL || new->pools == NULL ? old->pools == new->pools : strcmp(old->pools, new->pools) == 0;
}

void dispatch_keys_changed(struct dispatch *dispatch, const struct key_ring *before, bool pools_changed,
                           struct instant now, struct effects *out)
{
    const struct key_ring *after = access_ring(dispatch->options.access);
    for (uint32_t at = 1; at < dispatch->peer_count; at++) {
        const char *key = dispatch->peers[at].key;
        if (!pools_changed && keeps_its_pools(before, after, key))
            continue;
        dispatch_let_go(dispatch, at, now, out);
        dispatch->options.persist(dispatch->options.persist_self, now, out);
    }
}

/* ---- what workers say ---- */

/* One that READY did not name counts as never begun: so none may be passed over. What is no lease of ours is none. */
static bool read_leases(struct dispatch *dispatch, const cJSON *list, struct core_ready *ready)
{
    ready->leases = dispatch->named;
    for (const cJSON *item = list == NULL ? NULL : list->child; item != NULL; item = item->next) {
        uint64_t lease = 0;
        if (!cJSON_IsString(item) || ready->lease_count == DISPATCH_LEASES_MAX)
            return false;
        if (lease_parse(item->valuestring, &lease))
            dispatch->named[ready->lease_count++] = lease;
    }
    return true;
}

/* The pools of a key, as far as there are such; a key of all pools says nothing. */
static void read_pools(struct dispatch *dispatch, const struct key_grant *grant, struct core_ready *ready)
{
    const struct conf *conf = dispatch->options.conf;
    if (grant == NULL || grant->pools == NULL)
        return;
    ready->some_pools = true;
    ready->pools = dispatch->pools;
    for (uint32_t p = 0; p < conf->pool_count; p++)
        if (name_in_list(grant->pools, conf->pools[p].name))
            dispatch->pools[ready->pool_count++] = p;
}

/* An instance is whose key said it: nobody else takes over its leases by naming it. */
static uint64_t instance_of(const struct dispatch *dispatch, const struct key_grant *grant, const char *instance)
{
    const char *scope = grant == NULL ? NULL : grant->key;
    return keyed_hash(dispatch->options.hash, KEYED_INSTANCE, scope, instance, strlen(instance));
}

static const char *read_ready(struct dispatch *dispatch, const struct key_grant *grant, const cJSON *root,
                              struct core_ready *ready)
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
    if ((leases != NULL && !cJSON_IsArray(leases) && !cJSON_IsNull(leases)) || !read_leases(dispatch, leases, ready))
        return "READY: leases must be an array of at most 65536 strings";
    ready->slots = (uint32_t)slots;
    ready->instance = instance_of(dispatch, grant, instance);
    read_pools(dispatch, grant, ready);
    memcpy(ready->worker, worker, strlen(worker) + 1);
    return NULL;
}

static void take_ready(struct dispatch *dispatch, const struct key_grant *grant, struct frame id,
                       struct frame text, struct instant now, struct effects *out)
{
    cJSON *root = json_parse(text.data, text.bytes, NULL);
    struct core_ready ready = {0};
    const char *wrong =
        cJSON_IsObject(root) ? read_ready(dispatch, grant, root, &ready) : "READY: what follows must be a JSON object";
    cJSON_Delete(root);
    if (wrong != NULL) {
        dispatch_error(dispatch, id, CODE_MALFORMED, wrong);
        return;
    }
    ready.peer = peer_of(dispatch, id, now, out);
    take_key(dispatch, ready.peer, key_of(grant), now, out);
    core_worker_ready(dispatch->options.core, &ready, now, out);
    if (out->effect_count == 0 || out->effects[out->effect_count - 1].kind != EFFECT_READY)
        dispatch_error(dispatch, id, CODE_BUSY, "as many workers as there may be are here already");
}

struct recipient {
    const struct dispatch *dispatch;
    uint32_t of_account;
    const char *account;
    uint64_t hash;
    char handle[HANDLE_MAX_BYTES + 1];
};

static bool take_recipient(void *self, const struct change *change)
{
    struct recipient *recipient = self;
    if (recipients_sole(change->sections[SECTION_RECIPIENTS], recipient->handle))
        recipient->hash = keyed_hash(recipient->dispatch->options.hash, KEYED_RECIPIENT, recipient->account,
                                     recipient->handle, strlen(recipient->handle));
    return false;
}

/* Whom the provider will not be sent to again: only the store knows the job's recipients. */
static void find_recipient(const struct dispatch *dispatch, uint64_t lease, struct recipient *out)
{
    struct lease_view view;
    *out = (struct recipient){.dispatch = dispatch};
    if (!core_lease_view(dispatch->options.core, lease, &view))
        return;
    out->of_account = view.account;
    out->account = view.account_name;
    if (out->account == NULL)
        return;
    dispatch->options.archive.read(dispatch->options.archive.self, view.place, take_recipient, out);
}

/* Each stands alone: one that makes no sense is an unknown outcome (worker_result.h) and an ERR. */
static void take_result(struct dispatch *dispatch, uint32_t peer, size_t at, struct instant now, struct effects *out)
{
    struct frame name = message_frame(dispatch->message, at);
    struct frame text = message_frame(dispatch->message, at + 1);
    struct core_result result;
    struct recipient recipient;
    uint64_t homes[CONF_POOLS_MAX];
    char lease[LEASE_TEXT_MAX];
    uint64_t id = 0;
    if (!frame_text(name, lease, sizeof lease) || !lease_parse(lease, &id)) {
        dispatch_error(dispatch, dispatch_id(dispatch, peer), CODE_MALFORMED,
                       "RESULT: that is no lease of this broker");
        if (name.bytes < LEASE_TEXT_MAX) /* or it would come for ever */
            dispatch_send(dispatch, dispatch_id(dispatch, peer), "DONE", name.data, name.bytes);
        return;
    }
    if (!worker_result_parse(dispatch->options.hash, text.data, text.bytes, &result, &dispatch->texts))
        dispatch_error(dispatch, dispatch_id(dispatch, peer), CODE_MALFORMED,
                       "RESULT: outcome must be sent, retry, rejected or returned, and all else of its type");
    result.peer = peer;
    result.lease = id;
    timings_result(dispatch->options.timings, &result);
    if (result.suppress != SUPPRESS_NONE) {
        find_recipient(dispatch, id, &recipient);
        result.recipient = recipient.hash;
        result.handle = named_unless_erased(dispatch->options.core, dispatch->options.hash, recipient.handle);
        result.homes = homes;
        if (recipient.hash != 0 && recipient.of_account < dispatch->options.conf->account_count)
            result.home_count = recipients_homes(dispatch->options.hash, dispatch->options.conf, recipient.of_account,
                                                 recipient.handle, homes);
    }
    core_worker_result(dispatch->options.core, &result, now, out);
    dispatch->options.persist(dispatch->options.persist_self, now, out);
}

static void take_results(struct dispatch *dispatch, uint32_t peer, struct instant now, struct effects *out)
{
    size_t items = message_frame_count(dispatch->message) - 3;
    if (items == 0 || items % 2 != 0 || items / 2 > WIRE_WORKER_ITEMS_MAX) {
        dispatch_error(dispatch, dispatch_id(dispatch, peer), CODE_MALFORMED,
                       "RESULT: 1 to 256 pairs of lease and result");
        return;
    }
    for (size_t i = 0; i < items; i += 2)
        take_result(dispatch, peer, 3 + i, now, out);
}

static void take_beat(struct dispatch *dispatch, uint32_t peer, struct frame n)
{
    bool number = n.bytes >= 1 && n.bytes <= 20;
    for (size_t i = 0; number && i < n.bytes; i++)
        number = isdigit(((const unsigned char *)n.data)[i]);
    if (number)
        dispatch_send(dispatch, dispatch_id(dispatch, peer), "BEAT", n.data, n.bytes);
    else
        dispatch_error(dispatch, dispatch_id(dispatch, peer), CODE_MALFORMED, "BEAT: n is a decimal number");
}

/* RESULT, BEAT and BYE are for those who said READY; any of them is a sign of life. */
static void take_from_worker(struct dispatch *dispatch, const struct key_grant *grant, struct frame id,
                             struct frame command, struct instant now, struct effects *out)
{
    uint32_t peer = find_peer(dispatch, id);
    if (peer == 0 || strcmp(dispatch->peers[peer].key, key_of(grant)) != 0)
        dispatch_error(dispatch, id, CODE_UNKNOWN_WORKER, "say READY again");
    else if (!core_worker_alive(dispatch->options.core, peer, now, out))
        return; /* an EFFECT_UNKNOWN_WORKER says it */
    else if (frame_is(command, "RESULT"))
        take_results(dispatch, peer, now, out);
    else if (frame_is(command, "BEAT"))
        take_beat(dispatch, peer, message_frame(dispatch->message, 3));
    else
        core_worker_bye(dispatch->options.core, peer, now, out);
}

/* Who has no good key is not heard, and gets nothing more. */
static bool admit(struct dispatch *dispatch, struct frame id, const struct key_grant **out, struct instant now,
                  struct effects *effects)
{
    const struct access *access = dispatch->options.access;
    *out = NULL;
    if (access == NULL)
        return true;
    *out = access_grant(access, dispatch->message, KEY_WORKER);
    if (*out != NULL && access_gave_routing_id(id))
        return true;
    uint32_t peer = find_peer(dispatch, id);
    if (*out == NULL && peer != 0)
        core_worker_gone(dispatch->options.core, peer, now, effects);
    if (*out == NULL)
        dispatch_error(dispatch, id, CODE_UNAUTHORIZED, "the key is not authorized any more");
    else
        dispatch_error(dispatch, id, CODE_FORBIDDEN, "with a key, leave the routing id to the broker");
    return false;
}

bool dispatch_read(struct dispatch *dispatch, struct instant now, struct effects *out)
{
    enum err err = message_receive(dispatch->message, dispatch->options.socket);
    if (err != ERR_NONE && err != ERR_FULL)
        return false;
    const struct message *message = dispatch->message;
    struct frame id = message_frame(message, 0);
    struct frame command = message_frame(message, 2);
    const struct key_grant *grant = NULL;
    if (id.bytes == 0 || id.bytes > sizeof dispatch->peers->id || !admit(dispatch, id, &grant, now, out))
        return true;
    if (!frame_is(message_frame(message, 1), WIRE_VERSION))
        dispatch_error(dispatch, id, CODE_UNSUPPORTED_VERSION, "the first frame must be LW1");
    else if (err == ERR_FULL)
        dispatch_error(dispatch, id, CODE_TOO_MANY, "more frames than any message has");
    else if (frame_is(command, "READY"))
        take_ready(dispatch, grant, id, message_frame(message, 3), now, out);
    else if (frame_is(command, "RESULT") || frame_is(command, "BEAT") || frame_is(command, "BYE"))
        take_from_worker(dispatch, grant, id, command, now, out);
    else
        dispatch_error(dispatch, id, CODE_UNKNOWN_COMMAND, "the command must be READY, RESULT, BEAT or BYE");
    return true;
}
