/* broker_keys.c — keys at the start: read before anything else is touched, on the sockets before they are bound, and
 * tried from outside before anybody is served. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "broker/broker_part.h"
#include "lineward/log.h"

static bool refuse(const char *event, const char *reason)
{
    log_event(LOG_ERROR, event, "reason=\"%s\"", reason);
    return false;
}

/* What is no key of ours but secret all the same; such files may be older than the rule, so it is only said. */
static void warn_of_open_file(const char *key, const char *path)
{
    struct stat file;
    if (path != NULL && stat(path, &file) == 0 && !secret_mode_is_safe(file.st_mode))
        log_event(LOG_WARN, "secret_readable", "key=%s file=%s mode=%04o", key, path, file.st_mode & 07777u);
}

void broker_warn_of_secrets(const struct conf *conf)
{
    for (size_t a = 0; a < conf->account_count; a++) {
        warn_of_open_file("api_key_file", conf->accounts[a].api_key_file);
        warn_of_open_file("webhook_secrets_file", conf->accounts[a].webhook_secrets_file);
    }
    for (size_t p = 0; p < conf->pool_count; p++)
        warn_of_open_file("outcome_secrets_file", conf->pools[p].outcome_secrets_file);
    warn_of_open_file("cache.secret_file", conf->cache.secret_file);
    if (conf->broker.admin_tls_cert_file == NULL && !conf_endpoint_is_local(conf->broker.admin))
        log_event(LOG_WARN, "no_tls", "reason=\"insecure: tokens go over the network in clear\"");
}

bool broker_read_keys(const struct conf *conf, struct key_pair *pair, struct key_ring **ring,
                      struct conf_problem *problem)
{
    return key_pair_read(conf->broker.curve_secret_key_file, "broker.curve_secret_key_file", pair, problem) ==
               ERR_NONE &&
           key_ring_read(ring, conf->broker.authorized_keys_dir, problem) == ERR_NONE;
}

static bool all_are_local(const struct conf_broker *conf)
{
    return conf_endpoint_is_local(conf->producers) && conf_endpoint_is_local(conf->workers) &&
           conf_endpoint_is_local(conf->events);
}

bool broker_open_access(struct broker *broker)
{
    struct key_pair pair = {.secret = ""};
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    if (broker->conf->broker.curve_secret_key_file == NULL) {
        log_event(LOG_WARN, "no_keys", "reason=\"%s is trusted as producer, worker and follower\"",
                  all_are_local(&broker->conf->broker) ? "every local user" : "insecure: whoever reaches them");
        return true;
    }
    if (zmq_has("curve") == 0)
        return refuse("keys_not_read", "this libzmq was built without CURVE");
    bool read = broker_read_keys(broker->conf, &pair, &ring, &problem);
    if (!read) {
        key_pair_clear(&pair);
        return refuse("keys_not_read", problem.text);
    }
    size_t count = key_ring_count(ring);
    broker->access = access_new(broker->zmq, &pair, &ring);
    if (broker->access != NULL)
        log_event(LOG_INFO, "keys_in_force", "public_key=%s clients=%zu", pair.public, count);
    key_pair_clear(&pair);
    key_ring_free(&ring);
    return broker->access != NULL || refuse("keys_not_read", zmq_strerror(errno));
}

bool broker_probe_doors(struct broker *broker)
{
    const struct {
        enum key_role role;
        const char *key;
        void *socket;
    } doors[] = {{KEY_PRODUCER, "broker.producers", broker->producers},
                 {KEY_WORKER, "broker.workers", broker->workers},
                 {KEY_FOLLOWER, "broker.events", broker->followers}};
    char why[256];
    for (size_t i = 0; broker->access != NULL && i < sizeof doors / sizeof *doors; i++) {
        if (access_probe(broker->access, broker->zmq, doors[i].socket, doors[i].role, why))
            continue;
        log_event(LOG_ERROR, "door_not_shut", "socket=%s reason=\"%s\"", doors[i].key, why);
        return false;
    }
    return true;
}

/* ---- followers: ZeroMQ cannot end one connection, but all of a socket's ---- */

#define CLOSED_MS 2000

/* Until libzmq's own thread has let go of the address: a new socket in its place would lose its ipc file to it. */
static bool unbind(struct broker *broker, const char *endpoint)
{
    static const char name[] = "inproc://events-closing";
    void *monitor = zmq_socket(broker->zmq, ZMQ_PAIR);
    bool closed = false;
    if (monitor != NULL && zmq_socket_monitor(broker->followers, name, ZMQ_EVENT_CLOSED) == 0 &&
        zmq_connect(monitor, name) == 0 && zmq_unbind(broker->followers, endpoint) == 0) {
        zmq_pollitem_t item = {monitor, 0, ZMQ_POLLIN, 0};
        closed = zmq_poll(&item, 1, CLOSED_MS) == 1;
    }
    zmq_socket_monitor(broker->followers, NULL, 0);
    if (monitor != NULL)
        zmq_close(monitor);
    return closed;
}

bool broker_reopen_events(struct broker *broker)
{
    char endpoint[256];
    size_t bytes = sizeof endpoint;
    if (zmq_getsockopt(broker->followers, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0 || !unbind(broker, endpoint))
        return refuse("not_bound", "the followers' socket could not be closed");
    zmq_close(broker->followers);
    broker->followers = broker_bind(broker, ZMQ_XPUB, KEY_FOLLOWER, endpoint);
    if (broker->followers == NULL)
        return false;
    events_move(broker->events, broker->followers);
    return true;
}
