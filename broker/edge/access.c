/* access.c — see access.h: the ZAP handler, and whose a message is. */
#include "broker/edge/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/log.h"

#define ZAP_ENDPOINT       "inproc://zeromq.zap.01"
#define ZAP_VERSION        "1.0"
#define ZAP_FRAMES         7  /* version, request id, domain, address, routing id, mechanism, credentials */
#define ENFORCE_DOMAIN     93 /* ZMQ_ZAP_ENFORCE_DOMAIN, which zmq.h shows to drafts only */
#define ROUTING_ID_BYTES   5  /* of those that a ROUTER gives: a zero and a counter */
#define REFUSAL_LOG_GAP_MS 1000

struct access {
    void *handler;
    struct key_pair server;
    struct key_ring *ring;
    struct message *message;
    bool probing; /* who is turned away now is the broker itself */
    int64_t told_mono_ms;
    uint64_t untold; /* refusals since */
};

struct access *access_new(void *zmq, const struct key_pair *server, struct key_ring **ring_p)
{
    struct access *access = calloc(1, sizeof *access);
    int zero = 0;
    if (access == NULL)
        return NULL;
    access->server = *server;
    access->told_mono_ms = INT64_MIN / 2;
    access->message = message_new();
    access->handler = zmq_socket(zmq, ZMQ_REP);
    if (access->handler != NULL)
        zmq_setsockopt(access->handler, ZMQ_LINGER, &zero, sizeof zero);
    if (access->message == NULL || access->handler == NULL || zmq_bind(access->handler, ZAP_ENDPOINT) != 0) {
        access_free(&access);
        return NULL;
    }
    access->ring = *ring_p;
    *ring_p = NULL;
    return access;
}

void access_free(struct access **access_p)
{
    struct access *access = *access_p;
    *access_p = NULL;
    if (access == NULL)
        return;
    if (access->handler != NULL)
        zmq_close(access->handler);
    message_free(&access->message);
    key_ring_free(&access->ring);
    key_pair_clear(&access->server);
    free(access);
}

/* Without the last option libzmq lets everybody in while there is no handler. */
bool access_secure(const struct access *access, void *socket, enum key_role role)
{
    const char *domain = key_role_name(role);
    int one = 1;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, access->server.secret, KEY_TEXT_BYTES + 1) == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0 &&
           zmq_setsockopt(socket, ENFORCE_DOMAIN, &one, sizeof one) == 0;
}

void *access_socket(const struct access *access)
{
    return access->handler;
}

const char *access_public_key(const struct access *access)
{
    return access->server.public;
}

const struct key_ring *access_ring(const struct access *access)
{
    return access->ring;
}

struct key_ring *access_set_ring(struct access *access, struct key_ring **ring_p)
{
    struct key_ring *before = access->ring;
    access->ring = *ring_p;
    *ring_p = NULL;
    return before;
}

/* ---- judging ---- */

struct judgement {
    const char *refusal; /* NULL: let in */
    char key[KEY_TEXT_BYTES + 1];
};

static struct judgement judge(const struct access *access)
{
    const struct message *message = access->message;
    struct judgement it = {.refusal = "its request makes no sense"};
    char domain[32];
    enum key_role role;
    struct frame credentials = message_frame(message, 6);
    if (message_frame_count(message) != ZAP_FRAMES || !frame_is(message_frame(message, 0), ZAP_VERSION) ||
        !frame_text(message_frame(message, 2), domain, sizeof domain) || !key_role_parse(domain, &role))
        return it;
    it.refusal = "it shows no key";
    if (!frame_is(message_frame(message, 5), "CURVE") || credentials.bytes != KEY_BYTES ||
        zmq_z85_encode(it.key, credentials.data, KEY_BYTES) == NULL)
        return it;
    const struct key_grant *grant = key_ring_find(access->ring, it.key);
    if (grant == NULL)
        it.refusal = "its key is not authorized";
    else
        it.refusal = grant->role == role ? NULL : "its key is for another role";
    return it;
}

static void log_refusal(struct access *access, const struct judgement *it, struct instant now)
{
    char address[128], domain[32];
    access->untold++;
    if (access->probing || now.mono_ms - access->told_mono_ms < REFUSAL_LOG_GAP_MS)
        return;
    if (!frame_text(message_frame(access->message, 3), address, sizeof address))
        address[0] = '\0';
    if (!frame_text(message_frame(access->message, 2), domain, sizeof domain))
        domain[0] = '\0';
    log_event(LOG_WARN, "client_refused", "as=%s from=%s key=%s reason=\"%s\" count=%llu", domain, address,
              it->key[0] == '\0' ? "none" : it->key, it->refusal, (unsigned long long)access->untold);
    access->untold = 0;
    access->told_mono_ms = now.mono_ms;
}

/* The user id that libzmq then keeps beside each message of this connection is the key itself: a name may be given to
 * another key while this one is still connected. */
static void answer(const struct access *access, const struct judgement *it)
{
    bool in = it->refusal == NULL;
    const char *code = in ? "200" : "400";
    const char *text = in ? "" : "not authorized"; /* why is for the log, not for strangers */
    struct frame id = message_frame(access->message, 1);
    struct frame frames[] = {{ZAP_VERSION, strlen(ZAP_VERSION)},
                             {id.bytes == 0 ? "" : id.data, id.bytes},
                             {code, strlen(code)},
                             {text, strlen(text)},
                             {in ? it->key : "", in ? KEY_TEXT_BYTES : 0},
                             {"", 0}};
    message_send(access->handler, frames, sizeof frames / sizeof *frames);
}

bool access_serve(struct access *access, struct instant now)
{
    for (int i = 0; i < ACCESS_PER_TURN; i++) {
        enum err err = message_receive(access->message, access->handler);
        if (err != ERR_NONE && err != ERR_FULL)
            return false;
        struct judgement it = judge(access);
        if (it.refusal != NULL)
            log_refusal(access, &it, now);
        answer(access, &it);
    }
    return true;
}

/* ---- whose a message is ---- */

const struct key_grant *access_grant(const struct access *access, const struct message *message, enum key_role role)
{
    const char *key = message_user_id(message);
    const struct key_grant *grant = key == NULL ? NULL : key_ring_find(access->ring, key);
    return grant != NULL && grant->role == role ? grant : NULL;
}

bool access_gave_routing_id(struct frame routing_id)
{
    return routing_id.bytes == ROUTING_ID_BYTES && *(const char *)routing_id.data == '\0';
}

/* ---- the probe ---- */

#define PROBE_MS      10000
#define PROBE_TICK_MS 10
#define EVENT_BYTES   6 /* a number of the event, a value of it */

struct knock { /* a client of our own, and what libzmq tells of its connection */
    void *socket, *monitor;
};

static void knock_end(struct knock *knock)
{
    if (knock->socket != NULL) {
        zmq_socket_monitor(knock->socket, NULL, 0);
        zmq_close(knock->socket);
    }
    if (knock->monitor != NULL)
        zmq_close(knock->monitor);
}

static bool use_key(void *socket, const struct key_pair *server)
{
    struct key_pair pair;
    bool ok = key_pair_make(&pair) &&
              zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server->public, KEY_TEXT_BYTES + 1) == 0 &&
              zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, pair.public, KEY_TEXT_BYTES + 1) == 0 &&
              zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, pair.secret, KEY_TEXT_BYTES + 1) == 0;
    key_pair_clear(&pair);
    return ok;
}

static bool knock_begin(struct knock *knock, const struct access *access, void *zmq, enum key_role role,
                        const char *endpoint, bool with_key)
{
    int zero = 0;
    char name[64];
    snprintf(name, sizeof name, "inproc://probe-%s-%d", key_role_name(role), with_key);
    knock->socket = zmq_socket(zmq, role == KEY_FOLLOWER ? ZMQ_SUB : ZMQ_DEALER);
    if (knock->socket == NULL || zmq_setsockopt(knock->socket, ZMQ_LINGER, &zero, sizeof zero) != 0)
        return false;
    if ((with_key && !use_key(knock->socket, &access->server)) ||
        zmq_socket_monitor(knock->socket, name, ZMQ_EVENT_ALL) != 0)
        return false;
    knock->monitor = zmq_socket(zmq, ZMQ_PAIR);
    return knock->monitor != NULL && zmq_connect(knock->monitor, name) == 0 &&
           zmq_connect(knock->socket, endpoint) == 0;
}

enum fate { FATE_OPEN, FATE_LET_IN, FATE_TURNED_AWAY, FATE_LOST };

/* With a key only the handler's own refusal proves that it was asked; without one any failure will do. */
static enum fate fate_of(unsigned event, unsigned value, bool with_key)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return FATE_LET_IN;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return !with_key || value == 400 ? FATE_TURNED_AWAY : FATE_LOST;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return with_key ? FATE_LOST : FATE_TURNED_AWAY;
    default:
        return FATE_OPEN;
    }
}

static enum fate listen_once(const struct knock *knock, struct message *message, bool with_key)
{
    if (message_receive(message, knock->monitor) != ERR_NONE)
        return FATE_OPEN;
    struct frame frame = message_frame(message, 0);
    uint16_t event = 0;
    uint32_t value = 0;
    if (frame.bytes != EVENT_BYTES)
        return FATE_OPEN;
    memcpy(&event, frame.data, sizeof event);
    memcpy(&value, (const char *)frame.data + sizeof event, sizeof value);
    return fate_of(event, value, with_key);
}

static enum fate await_fate(struct access *access, const struct knock *knock, struct message *message, bool with_key)
{
    enum fate fate = FATE_OPEN;
    for (int64_t end = clock_read().mono_ms + PROBE_MS; fate == FATE_OPEN && clock_read().mono_ms < end;) {
        zmq_pollitem_t items[] = {{access->handler, 0, ZMQ_POLLIN, 0}, {knock->monitor, 0, ZMQ_POLLIN, 0}};
        zmq_poll(items, 2, PROBE_TICK_MS);
        access_serve(access, clock_read());
        fate = listen_once(knock, message, with_key);
    }
    return fate;
}

static bool probe(struct access *access, void *zmq, enum key_role role, const char *endpoint, bool with_key,
                  char why[256])
{
    static const char *const fates[] = {[FATE_OPEN] = "got no answer in time",
                                        [FATE_LET_IN] = "was let in",
                                        [FATE_LOST] = "failed otherwise than by its key"};
    struct knock knock = {NULL, NULL};
    struct message *message = message_new();
    enum fate fate = FATE_OPEN;
    snprintf(why, 256, "the broker could not try its own door: %s", zmq_strerror(errno));
    if (message != NULL && knock_begin(&knock, access, zmq, role, endpoint, with_key)) {
        fate = await_fate(access, &knock, message, with_key);
        if (fate != FATE_TURNED_AWAY)
            snprintf(why, 256, "a client %s %s", with_key ? "with a random key" : "without a key", fates[fate]);
    }
    knock_end(&knock);
    message_free(&message);
    return fate == FATE_TURNED_AWAY;
}

bool access_probe(struct access *access, void *zmq, void *socket, enum key_role role, char why[256])
{
    char endpoint[256];
    size_t bytes = sizeof endpoint;
    snprintf(why, 256, "its endpoint is not known");
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        return false;
    access->probing = true;
    bool shut = probe(access, zmq, role, endpoint, true, why) && probe(access, zmq, role, endpoint, false, why);
    access->probing = false;
    access->untold = 0;
    return shut;
}
