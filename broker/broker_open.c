/* broker_open.c — opening, in the order in which things need each other, and closing. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/archive.h"
#include "broker/broker_part.h"
#include "broker/edge/named.h"
#include "broker/identity.h"
#include "broker/store/record.h"
#include "lineward/log.h"

#define LINES_MAX         131072
#define CONVERSATIONS_MAX 67108864
#define LEASES_MAX        262144
#define WORKERS_MAX       1024
#define PAUSES_MAX        4096
#define NAMES_MAX         32768
#define LOOKUP_THREADS    1
#define HANDSHAKE_MS      10000
#define LINGER_MS         1000
#define REQUESTS_HWM      64 /* of a producer, in libzmq's hands: each may be 8 MiB */
#define TOPIC_BYTES_MAX   1024 /* of a follower's subscription */
#define FOLLOWED_HWM      (8 * LOOKUP_EVENTS_MAX) /* events that wait for a follower; they come as many at a time as are read */
#define EFFECTS_ROOM      (2u * EFFECTS_MAX)

/* As an answer. */
static bool no_memory(const char *what)
{
    log_event(LOG_ERROR, "no_memory", "reason=\"none left for %s\"", what);
    return false;
}

static bool open_core(struct broker *broker)
{
    const struct conf *conf = broker->conf;
    struct core_limits limits = {.jobs_max = (uint32_t)(conf->broker.jobs_max + conf->broker.jobs_max / 8 + 65536),
                                 .conversations_max = CONVERSATIONS_MAX,
                                 .lines_max = LINES_MAX,
                                 .leases_max = LEASES_MAX,
                                 .workers_max = WORKERS_MAX,
                                 .pauses_max = PAUSES_MAX,
                                 .names_max = NAMES_MAX,
                                 .remembered_max = (uint64_t)conf->store.dedupe_max};
    struct core_memory memory = {.take = memory_take, .self = &broker->memory};
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    if (limits.jobs_max > (1u << 25) - 1)
        limits.jobs_max = (1u << 25) - 1;
    broker->effects.change_room = broker->effects.effect_room = EFFECTS_ROOM;
    broker->effects.changes = memory_take(&broker->memory, EFFECTS_ROOM * sizeof *broker->effects.changes);
    broker->effects.effects = memory_take(&broker->memory, EFFECTS_ROOM * sizeof *broker->effects.effects);
    broker->urgent = memory_take(&broker->memory, BROKER_URGENT_MAX * sizeof *broker->urgent);
    if (broker->effects.changes == NULL || broker->effects.effects == NULL || broker->urgent == NULL ||
        core_new(&broker->core, &limits, &memory, conf, seed) != ERR_NONE) {
        log_event(LOG_ERROR, "no_memory", "reason=\"the tables' address space was refused\"");
        return false;
    }
    return true;
}

static bool open_store(struct broker *broker)
{
    const struct conf_store *conf = &broker->conf->store;
    broker->owner = (struct core_owner){broker->core, &broker->now, &broker->effects, &broker->out_of_memory};
    struct store_options options = {.path = conf->path,
                                    .segment_bytes = (uint64_t)conf->segment_mb << 20,
                                    .history_retention_ms = conf_history_ms(conf),
                                    .kinds = record_kinds(),
                                    .owner = core_owner(&broker->owner),
                                    .progress = broker_store_progress,
                                    .wake_fd = broker->store_fd};
    struct store_opened opened;
    struct store_problem problem;
    enum err err = store_open(&broker->store, &options, &opened, &problem);
    if (err != ERR_NONE) {
        log_event(LOG_ERROR, "store_not_opened", "err=%s reason=\"%s\"", err_name(err), problem.text);
        return false;
    }
    log_event(LOG_INFO, "store_open",
              "created=%d segments=%llu records=%llu mib=%llu torn_bytes_cut=%llu took_ms=%lld", opened.created,
              (unsigned long long)opened.segments, (unsigned long long)opened.records,
              (unsigned long long)(opened.bytes >> 20), (unsigned long long)opened.torn_bytes_cut,
              (long long)opened.took_ms);
    struct identity_problem lost;
    if (identity_open(conf->path, opened.records == 0, &broker->hash, &lost) != ERR_NONE) {
        log_event(LOG_ERROR, "identity_not_read", "reason=\"%s\"", lost.text);
        return false;
    }
    return true;
}

/* What this start adds must be durable before anything is said: the random bits of its keys above all. */
static bool begin_start(struct broker *broker)
{
    uint8_t random[KEY_RANDOM_BYTES];
    bool restored = false;
    randombytes_buf(random, sizeof random);
    broker->now = clock_read();
    if (!broker_is_restored(broker, &restored))
        return false;
    if (!core_names_fit(broker->core)) {
        log_event(LOG_ERROR, "names_full",
                  "reason=\"the table of names, which are kept for good, has no room for the new ones\"");
        return false;
    }
    core_restored(broker->core, random, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    broker_audit(broker, "start", "version " LINEWARD_VERSION, CODE_NONE);
    struct core_status status;
    core_totals_read(broker->core, broker->now, &status);
    log_event(LOG_INFO, "recovered", "jobs=%llu conversations=%llu lines=%u leases=%u",
              (unsigned long long)status.jobs, (unsigned long long)status.conversations, status.lines, status.leases);
    broker_warn_of_pools_left(broker);
    if (restored && !broker_take_backup_over(broker))
        return false;
    return !broker->out_of_memory || no_memory("what the store said");
}

void *broker_bind(struct broker *broker, int type, enum key_role role, const char *endpoint)
{
    void *socket = zmq_socket(broker->zmq, type);
    int one = 1;
    int zero = 0;
    int handshake = HANDSHAKE_MS;
    int requests = REQUESTS_HWM;
    int followed = FOLLOWED_HWM;
    int64_t bytes_max = type == ZMQ_XPUB ? TOPIC_BYTES_MAX : WIRE_REQUEST_BYTES_MAX;
    if (socket == NULL)
        return NULL;
    if (type == ZMQ_ROUTER)
        zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    if (type == ZMQ_XPUB)
        zmq_setsockopt(socket, ZMQ_SNDHWM, &followed, sizeof followed);
    if (role == KEY_PRODUCER)
        zmq_setsockopt(socket, ZMQ_RCVHWM, &requests, sizeof requests);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max); /* of one frame; the whole is checked too */
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &handshake, sizeof handshake);
    zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE, &one, sizeof one);
    bool secured = broker->access == NULL || access_secure(broker->access, socket, role);
    if (secured && zmq_bind(socket, endpoint) == 0)
        return socket;
    log_event(LOG_ERROR, "not_bound", "endpoint=%s reason=\"%s\"", endpoint, zmq_strerror(errno));
    zmq_close(socket);
    return NULL;
}

static bool open_sockets(struct broker *broker)
{
    const struct conf_broker *conf = &broker->conf->broker;
    broker->producers = broker_bind(broker, ZMQ_ROUTER, KEY_PRODUCER, conf->producers);
    broker->workers = broker_bind(broker, ZMQ_ROUTER, KEY_WORKER, conf->workers);
    broker->followers = broker_bind(broker, ZMQ_XPUB, KEY_FOLLOWER, conf->events);
    return broker->producers != NULL && broker->workers != NULL && broker->followers != NULL &&
           broker_probe_doors(broker);
}

static void poll_for_cache(void *self, uint32_t account)
{
    struct broker *broker = self;
    feed_link_poll(broker->feed, account);
}

static size_t keys_of(void *self, uint32_t account, const char *handle, struct cache_person *out,
                      uint64_t conversations[CONF_POOLS_MAX])
{
    const struct broker *broker = self;
    const char *name = broker->conf->accounts[account].name;
    out->person = named_person(&broker->hash, handle);
    out->recipient = keyed_hash(&broker->hash, KEYED_RECIPIENT, name, handle, strlen(handle));
    return recipients_homes(&broker->hash, broker->conf, account, handle, conversations);
}

/* False: the file that is named is no good. */
static bool read_cache_secret(const struct broker *broker, struct cache_seal *seal)
{
    const char *path = broker->conf->cache.secret_file;
    if (path == NULL) {
        log_event(LOG_WARN, "cache_people_apart",
                  "reason=\"without cache.secret_file who opted out at one broker is not closed at the others\"");
        return true;
    }
    char *secret = conf_read_secret(path);
    bool good = secret != NULL && cache_seal_make(seal, secret);
    if (secret == NULL)
        log_event(LOG_ERROR, "cache_secret_not_read", "file=%s reason=\"%s\"", path, strerror(errno));
    else if (!good)
        log_event(LOG_ERROR, "cache_secret_not_read", "file=%s reason=\"one line of %d or more characters is needed\"", path,
                  CACHE_SECRET_MIN);
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
    return good;
}

/* What other brokers know of lines and recipients; memory: there is none. */
static bool open_cache(struct broker *broker)
{
    struct cache_seal seal = {{0}, {0}};
    bool sealed = broker->conf->cache.secret_file != NULL;
    const struct cache_link_options options = {.conf = broker->conf,
                                               .core = broker->core,
                                               .persist = broker_persist,
                                               .persist_self = broker,
                                               .poll = poll_for_cache,
                                               .poll_self = broker,
                                               .seal = sealed ? &seal : NULL,
                                               .keys = keys_of,
                                               .keys_self = broker};
    if (strcmp(broker->conf->cache.kind, "redis") != 0)
        return true;
    if (!read_cache_secret(broker, &seal))
        return false;
    broker->cache = cache_link_new(&options);
    explicit_bzero(&seal, sizeof seal);
    return broker->cache != NULL || no_memory("the shared cache");
}

static const struct cache_owners *owners_of(const struct broker *broker)
{
    return broker->cache == NULL ? NULL : cache_link_owners(broker->cache);
}

static bool open_edges(struct broker *broker, const struct broker_options *options)
{
    struct archive archive = archive_of(broker->store);
    if (lookup_open(&broker->lookup, &archive, LOOKUP_THREADS) != ERR_NONE)
        return no_memory("the store's readers");
    struct ingress_options ingress = {.socket = broker->producers,
                                      .conf = broker->conf,
                                      .hash = &broker->hash,
                                      .core = broker->core,
                                      .lookup = broker->lookup,
                                      .owners = owners_of(broker),
                                      .access = broker->access,
                                      .version = LINEWARD_VERSION,
                                      .broker = broker->name,
                                      .persist = broker_persist,
                                      .persist_self = broker};
    struct dispatch_options dispatch = {.socket = broker->workers,
                                        .conf = broker->conf,
                                        .hash = &broker->hash,
                                        .core = broker->core,
                                        .archive = archive,
                                        .access = broker->access,
                                        .broker = broker->name,
                                        .timings = broker->timings,
                                        .persist = broker_persist,
                                        .persist_self = broker};
    struct feed_link_options feed = {.conf = broker->conf,
                                     .hash = &broker->hash,
                                     .core = broker->core,
                                     .child_argv = options->feed_argv,
                                     .timings = broker->timings,
                                     .cache = broker->cache,
                                     .persist = broker_persist,
                                     .persist_self = broker};
    struct outcomes_options outcomes = {.conf = broker->conf,
                                        .hash = &broker->hash,
                                        .core = broker->core,
                                        .lookup = broker->lookup,
                                        .child_argv = options->outcomes_argv,
                                        .persist = broker_persist,
                                        .persist_self = broker};
    broker->ingress = ingress_new(&ingress);
    broker->dispatch = dispatch_new(&dispatch);
    broker->events = events_new(broker->followers, broker->lookup);
    broker->feed = feed_link_new(&feed);
    broker->outcomes = outcomes_new(&outcomes);
    return (broker->ingress != NULL && broker->dispatch != NULL && broker->events != NULL && broker->feed != NULL &&
            broker->outcomes != NULL) ||
           no_memory("the sockets' edges");
}

static bool open_admin(struct broker *broker)
{
    const struct conf_broker *conf = &broker->conf->broker;
    struct tokens_problem tokens_problem;
    bool made_first = false;
    if (tokens_open(&broker->tokens, conf->admin_tokens_file, &made_first, &tokens_problem) != ERR_NONE) {
        log_event(LOG_ERROR, "tokens_not_read", "reason=\"%s\"", tokens_problem.text);
        return false;
    }
    if (made_first)
        log_event(LOG_WARN, "first_admin_token", "file=%s.first", conf->admin_tokens_file);
    struct admin_options options = {.listen = conf->admin,
                                    .tls_cert_file = conf->admin_tls_cert_file,
                                    .tls_key_file = conf->admin_tls_key_file,
                                    .version = LINEWARD_VERSION,
                                    .broker = broker->name,
                                    .conf = broker->conf,
                                    .hash = &broker->hash,
                                    .owners = owners_of(broker),
                                    .tokens = broker->tokens,
                                    .lookup = broker->lookup,
                                    .shell = broker_admin_shell(broker),
                                    .timings = timings_read(broker->timings),
                                    .started = broker->now};
    struct admin_problem problem;
    if (admin_open(&broker->admin, &options, &problem) != ERR_NONE) {
        log_event(LOG_ERROR, "admin_not_bound", "reason=\"%s\"", problem.text);
        return false;
    }
    return true;
}

bool broker_is_asked_to_stop(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static bool open_wakers(struct broker *broker)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread starts: all inherit it */
    signal(SIGPIPE, SIG_IGN);
    broker->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    broker->store_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    broker->rest_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return broker->signal_fd >= 0 && broker->store_fd >= 0;
}

static void warn_of_conf(const struct broker *broker)
{
    const char *const *names = NULL;
    size_t count = conf_idle_keys(broker->conf, &names);
    for (size_t i = 0; i < count; i++)
        log_event(LOG_WARN, "key_does_nothing_yet", "key=%s", names[i]);
    broker_warn_of_secrets(broker->conf);
}

static bool open_memory(struct broker *broker)
{
    broker->batch = store_batch_new();
    broker->outbox = outbox_new();
    broker->timings = timings_new();
    broker->zmq = zmq_ctx_new();
    return (broker->batch != NULL && broker->outbox != NULL && broker->timings != NULL && broker->zmq != NULL) || no_memory("the start");
}

struct broker *broker_open(const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        no_memory("the start");
        return NULL;
    }
    broker->conf = broker->started = options->conf;
    broker->source = options->source;
    broker->signal_fd = broker->store_fd = broker->rest_fd = -1;
    if (gethostname(broker->name, sizeof broker->name - 1) != 0 || !name_is_valid(broker->name))
        snprintf(broker->name, sizeof broker->name, "broker");
    warn_of_conf(broker);
    broker_note_secrets(broker);
    if (!open_memory(broker) || !open_wakers(broker) || !broker_open_access(broker) || !open_core(broker) ||
        !open_store(broker) || !begin_start(broker) || !open_sockets(broker) ||
        !open_cache(broker) || !open_edges(broker, options) || !open_admin(broker)) {
        broker_close(&broker);
        return NULL;
    }
    log_event(LOG_INFO, "ready", "version=%s producers=%s workers=%s events=%s admin_port=%u", LINEWARD_VERSION,
              broker->conf->broker.producers, broker->conf->broker.workers, broker->conf->broker.events,
              admin_port(broker->admin));
    return broker;
}

/* What was said may still be on its way; nobody is waited for longer than a moment. */
static void close_socket(void *socket)
{
    int linger = LINGER_MS;
    if (socket == NULL)
        return;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(socket);
}

void broker_close(struct broker **broker_p)
{
    struct broker *broker = *broker_p;
    *broker_p = NULL;
    if (broker == NULL)
        return;
    admin_close(&broker->admin);
    cache_link_free(&broker->cache);
    feed_link_free(&broker->feed);
    outcomes_free(&broker->outcomes);
    dispatch_free(&broker->dispatch);
    ingress_free(&broker->ingress);
    events_free(&broker->events);
    lookup_close(&broker->lookup);
    tokens_free(&broker->tokens);
    close_socket(broker->producers);
    close_socket(broker->workers);
    close_socket(broker->followers);
    access_free(&broker->access);
    if (broker->zmq != NULL)
        zmq_ctx_term(broker->zmq);
    store_close(&broker->store);
    store_batch_free(&broker->batch);
    outbox_free(&broker->outbox);
    timings_free(&broker->timings);
    if (broker->store_fd >= 0)
        close(broker->store_fd);
    if (broker->signal_fd >= 0)
        close(broker->signal_fd);
    if (broker->rest_fd >= 0)
        close(broker->rest_fd);
    memory_give_back(&broker->memory);
    conf_free(&broker->own);
    free(broker);
}
