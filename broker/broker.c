/* broker.c — see broker.h. The turn (broker_turn): read, decide, persist, speak. */
#include "broker/broker.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/archive.h"
#include "broker/core/core.h"
#include "broker/edge/admin.h"
#include "broker/edge/dispatch.h"
#include "broker/edge/events.h"
#include "broker/edge/feed_link.h"
#include "broker/edge/ingress.h"
#include "broker/edge/job_parse.h"
#include "broker/edge/lookup.h"
#include "broker/edge/outbox.h"
#include "broker/edge/tokens.h"
#include "broker/identity.h"
#include "broker/memory.h"
#include "broker/store/record.h"
#include "broker/store/store.h"
#include "lineward/log.h"

#define LINES_MAX 131072
#define CONVERSATIONS_MAX 67108864
#define LEASES_MAX 262144
#define WORKERS_MAX 1024
#define PAUSES_MAX 4096
#define NAMES_MAX 32768
#define MESSAGES_PER_TURN 64  /* of a socket: so that none starves the others */
#define CHANGES_PER_TURN 8192 /* before what was gathered is submitted */
#define CLEAN_US 1000
#define CLEAN_CALL_MS 60000
#define CLEAN_AGAIN_MS 1100 /* after a wake: the store looks once a second at most, and may just have looked */
#define LOOKUP_THREADS 1
#define URGENT_MAX 65536
#define HANDSHAKE_MS 10000
#define EFFECTS_ROOM (2u * EFFECTS_MAX)

struct broker {
    const struct conf *conf;
    struct memory memory;
    struct keyed_hash hash;
    char name[NAME_MAX_BYTES + 1];
    struct store *store;
    struct store_batch *batch;
    struct core *core;
    struct effects effects;
    struct outbox *outbox;
    struct effect *urgent;
    size_t urgent_count;
    void *zmq, *producers, *workers, *followers;
    struct lookup *lookup;
    struct ingress *ingress;
    struct dispatch *dispatch;
    struct events *events;
    struct feed_link *feed;
    struct tokens *tokens;
    struct admin *admin;
    int store_fd, signal_fd;
    uint64_t durable;
    int64_t clean_at_ms;
    bool cleaning, admin_busy, reading, stopping, out_of_memory;
    struct instant now;
};

/* ---- persist: changes into the batch, messages into the outbox ---- */

static void persist(void *self, struct instant now, struct effects *out)
{
    struct broker *broker = self;
    (void)now;
    for (size_t i = 0; i < out->change_count; i++)
        if (record_add(broker->batch, &out->changes[i]) != ERR_NONE)
            broker->out_of_memory = true;
    for (size_t i = 0; i < out->effect_count; i++) {
        if (!outbox_waits(out->effects[i].kind) && broker->urgent_count < URGENT_MAX)
            broker->urgent[broker->urgent_count++] = out->effects[i];
        else if (outbox_add(broker->outbox, &out->effects[i]) != ERR_NONE)
            broker->out_of_memory = true;
    }
    out->change_count = out->effect_count = 0;
}

static void log_alert(const struct broker *broker, const struct effect *effect)
{
    static const char *const events[ALERT_COUNT] = {
        [ALERT_KEY_REFUSED] = "key_refused",       [ALERT_LINE_UNKNOWN_WORD] = "line_unknown_word",
        [ALERT_BREAKER_OPEN] = "breaker_open",     [ALERT_BREAKER_CLOSED] = "breaker_closed",
        [ALERT_LEASE_LAPSED] = "lease_lapsed",     [ALERT_WORKER_GONE] = "worker_gone",
        [ALERT_LINE_FLAGGED] = "line_flagged",     [ALERT_LINE_GONE] = "line_gone",
        [ALERT_DEDUPE_FULL] = "dedupe_full"};
    char line[LINE_TEXT_MAX];
    char masked[HANDLE_MAX_BYTES + 1] = "none";
    if (effect->line != 0) {
        line_text(effect->line, line);
        handle_mask(line, masked);
    }
    log_event(LOG_WARN, events[effect->alert], "account=%s line=%s", broker->conf->accounts[effect->account].name,
              masked);
}

/* What must not wait for the disk: a closing line's REVOKEs above all (DESIGN trap 13). */
static void act_at_once(struct broker *broker)
{
    for (size_t i = 0; i < broker->urgent_count; i++) {
        const struct effect *effect = &broker->urgent[i];
        if (effect->kind == EFFECT_POLL)
            feed_link_effect(broker->feed, effect);
        else if (effect->kind == EFFECT_ALERT)
            log_alert(broker, effect);
        else
            dispatch_effect(broker->dispatch, effect, broker->now, &broker->effects);
    }
    broker->urgent_count = 0;
    persist(broker, broker->now, &broker->effects);
}

/* ---- the store's questions ---- */

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    struct broker *broker = self;
    struct record_storage storage;
    struct change change;
    if (!record_decode(kind, key, seq, head, head_bytes, &storage, &change))
        return ERR_DAMAGED;
    return core_restore(broker->core, &change, past, place);
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct broker *broker = self;
    return core_is_live(broker->core, (enum change_kind)kind, key, place);
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    struct broker *broker = self;
    core_moved(broker->core, (enum change_kind)kind, key, from, to);
}

static void renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    struct broker *broker = self;
    core_renew(broker->core, (enum change_kind)kind, key, broker->now, &broker->effects);
    for (size_t i = 0; i < broker->effects.change_count; i++)
        if (record_add(batch, &broker->effects.changes[i]) != ERR_NONE)
            broker->out_of_memory = true;
    broker->effects.change_count = 0;
}

static void show_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    log_event(LOG_INFO, "store_opening", "mib_done=%llu mib_total=%llu", (unsigned long long)(done >> 20),
              (unsigned long long)(total >> 20));
}

/* ---- the turn ---- */

static bool room_this_turn(const struct broker *broker)
{
    return store_batch_records(broker->batch) < CHANGES_PER_TURN;
}

static void read_workers(struct broker *broker)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        if (!dispatch_read(broker->dispatch, broker->now, &broker->effects))
            return;
        persist(broker, broker->now, &broker->effects);
    }
    broker->reading = true;
}

static void read_producers(struct broker *broker)
{
    bool full = store_is_full(broker->store);
    for (int i = 0; i < MESSAGES_PER_TURN && room_this_turn(broker); i++) {
        if (!ingress_read(broker->ingress, full, broker->now, &broker->effects))
            return;
        persist(broker, broker->now, &broker->effects);
    }
    broker->reading = true;
}

static void read_lookups(struct broker *broker)
{
    struct lookup_answer answer;
    while (lookup_collect(broker->lookup, &answer)) {
        if (admin_owns(answer.token))
            admin_looked_up(broker->admin, &answer);
        else if (ingress_owns(answer.token))
            ingress_looked_up(broker->ingress, &answer, broker->now);
        else
            events_looked_up(broker->events, &answer);
    }
}

static void speak(struct broker *broker)
{
    struct effect effect;
    while (outbox_take(broker->outbox, broker->durable, &effect)) {
        if (effect.kind == EFFECT_JOB || effect.kind == EFFECT_DONE || effect.kind == EFFECT_READY)
            dispatch_effect(broker->dispatch, &effect, broker->now, &broker->effects);
        else if (admin_owns(effect.token))
            admin_effect(broker->admin, &effect);
        else if (ingress_owns(effect.token))
            ingress_effect(broker->ingress, &effect, broker->now);
        else if (feed_link_owns(effect.token))
            feed_link_effect(broker->feed, &effect);
        if (broker->effects.change_count > 0 || broker->effects.effect_count > 0)
            persist(broker, broker->now, &broker->effects);
    }
    dispatch_flush(broker->dispatch, broker->now, &broker->effects);
    persist(broker, broker->now, &broker->effects);
}

static void clean(struct broker *broker)
{
    if (!broker->cleaning && broker->now.mono_ms < broker->clean_at_ms)
        return;
    bool woken = broker->clean_at_ms == 0;
    broker->cleaning = store_clean(broker->store, broker->batch, broker->now.wall_ms, CLEAN_US);
    broker->clean_at_ms = broker->now.mono_ms + (woken ? CLEAN_AGAIN_MS : CLEAN_CALL_MS);
}

/* False: the store failed, and nothing more may be said. */
static bool broker_turn(struct broker *broker)
{
    broker->now = clock_read();
    broker->reading = false;
    feed_link_start(broker->feed, broker->now);
    feed_link_turn(broker->feed, broker->now, &broker->effects);
    act_at_once(broker);
    read_workers(broker);
    act_at_once(broker);
    read_producers(broker);
    broker->admin_busy = admin_serve(broker->admin, broker->core, broker->now, &broker->effects);
    persist(broker, broker->now, &broker->effects);
    core_tick(broker->core, broker->now, &broker->effects);
    persist(broker, broker->now, &broker->effects);
    act_at_once(broker);
    clean(broker);

    outbox_bind(broker->outbox, store_submit(broker->store, broker->batch));
    uint64_t before = broker->durable;
    if (store_collect(broker->store, &broker->durable) != ERR_NONE || broker->out_of_memory)
        return false;
    read_lookups(broker);
    speak(broker);
    act_at_once(broker);
    events_turn(broker->events, core_next_seq(broker->core), broker->durable != before, broker->now);
    ingress_retry(broker->ingress, broker->now);
    dispatch_retry(broker->dispatch, broker->now);
    return true;
}

/* ---- waiting ---- */

enum { WAIT_PRODUCERS, WAIT_WORKERS, WAIT_FOLLOWERS, WAIT_STORE, WAIT_LOOKUP, WAIT_ADMIN, WAIT_SIGNAL, WAIT_FEED,
       WAIT_COUNT };

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static long timeout_ms(const struct broker *broker)
{
    if (broker->reading || broker->admin_busy || broker->cleaning || store_batch_records(broker->batch) > 0)
        return 0;
    struct instant now = clock_read();
    int64_t next = earlier(core_next_mono_ms(broker->core, now), feed_link_next_mono_ms(broker->feed));
    next = earlier(next, earlier(ingress_next_mono_ms(broker->ingress), dispatch_next_mono_ms(broker->dispatch)));
    next = earlier(next, broker->clean_at_ms);
    int64_t wait = next - now.mono_ms;
    return wait < 0 ? 0 : wait > CLEAN_CALL_MS ? CLEAN_CALL_MS : (long)wait;
}

static void drain_fd(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got; /* it only wakes */
}

static void take_signal(struct broker *broker)
{
    struct signalfd_siginfo info;
    while (read(broker->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        struct tokens_problem problem;
        if (info.ssi_signo != SIGHUP) {
            broker->stopping = true;
        } else if (tokens_reload(broker->tokens, &problem) != ERR_NONE) {
            log_event(LOG_ERROR, "tokens_not_reloaded", "reason=\"%s\"", problem.text);
        } else {
            log_event(LOG_INFO, "tokens_reloaded", "file=%s", broker->conf->broker.admin_tokens_file);
        }
    }
}

static void wait_for_work(struct broker *broker)
{
    short feed_events = ZMQ_POLLIN | (feed_link_wants_write(broker->feed) ? ZMQ_POLLOUT : 0);
    zmq_pollitem_t items[WAIT_COUNT] = {
        [WAIT_PRODUCERS] = {broker->producers, 0, ZMQ_POLLIN, 0},
        [WAIT_WORKERS] = {broker->workers, 0, ZMQ_POLLIN, 0},
        [WAIT_FOLLOWERS] = {broker->followers, 0, ZMQ_POLLIN, 0},
        [WAIT_STORE] = {NULL, broker->store_fd, ZMQ_POLLIN, 0},
        [WAIT_LOOKUP] = {NULL, lookup_fd(broker->lookup), ZMQ_POLLIN, 0},
        [WAIT_ADMIN] = {NULL, admin_fd(broker->admin), ZMQ_POLLIN, 0},
        [WAIT_SIGNAL] = {NULL, broker->signal_fd, ZMQ_POLLIN, 0},
        [WAIT_FEED] = {NULL, feed_link_fd(broker->feed), feed_events, 0},
    };
    int count = feed_link_fd(broker->feed) < 0 ? WAIT_FEED : WAIT_COUNT;
    if (zmq_poll(items, count, timeout_ms(broker)) < 0)
        return;
    if (items[WAIT_STORE].revents != 0) {
        drain_fd(broker->store_fd);
        broker->clean_at_ms = 0;
    }
    if (items[WAIT_SIGNAL].revents != 0)
        take_signal(broker);
}

int broker_run(struct broker *broker)
{
    while (!broker->stopping) {
        if (!broker_turn(broker)) {
            struct store_problem problem;
            store_problem(broker->store, &problem);
            log_event(LOG_ERROR, "store_failed", "reason=\"%s\"",
                      broker->out_of_memory ? "out of memory" : problem.text);
            return 1;
        }
        wait_for_work(broker);
    }
    log_event(LOG_INFO, "stopped", "reason=signal");
    return 0;
}

/* ---- what the admin API asks ---- */

static void admin_enqueues(void *self, const struct admin_enqueue *request, struct instant now, struct effects *out)
{
    struct broker *broker = self;
    ingress_enqueue_http(broker->ingress, request, store_is_full(broker->store), now, out);
}

static uint64_t admin_id_hash(void *self, uint32_t pool, const char *id)
{
    const struct broker *broker = self;
    return job_id_hash(&broker->hash, broker->conf->pools[pool].name, id);
}

static void admin_store_facts(void *self, struct store_facts *out)
{
    const struct broker *broker = self;
    struct store_status status;
    store_status_read(broker->store, &status);
    *out = (struct store_facts){
        .segments = status.segments,
        .history_segments = status.history_segments,
        .free_segments = status.free_segments,
        .bytes_live = status.bytes_live,
        .bytes_total = status.bytes_total,
        .bytes_history = status.bytes_history,
        .commits = status.commits,
        .records = status.records,
        .syncs = status.syncs,
        .bytes_written = status.bytes_written,
        .sync_us_total = status.sync_us_total,
        .sync_us_max = status.sync_us_max,
        .cleaned_segments = status.cleaned_segments,
        .cleaned_bytes_moved = status.cleaned_bytes_moved,
        .full = status.full,
    };
}

static bool admin_ready(void *self)
{
    const struct broker *broker = self;
    return feed_link_is_bound(broker->feed);
}

/* ---- opening ---- */

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
    broker->urgent = memory_take(&broker->memory, URGENT_MAX * sizeof *broker->urgent);
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
    struct store_options options = {.path = conf->path,
                                    .segment_bytes = (uint64_t)conf->segment_mb << 20,
                                    .history_retention_ms = conf->history_retention_h * 3600000,
                                    .kinds = record_kinds(),
                                    .owner = {.self = broker,
                                              .replay = replay,
                                              .is_live = is_live,
                                              .moved = moved,
                                              .renew = renew},
                                    .progress = show_progress,
                                    .wake_fd = broker->store_fd};
    struct store_opened opened;
    struct store_problem problem;
    enum err err = store_open(&broker->store, &options, &opened, &problem);
    if (err != ERR_NONE) {
        log_event(LOG_ERROR, "store_not_opened", "err=%s reason=\"%s\"", err_name(err), problem.text);
        return false;
    }
    log_event(LOG_INFO, "store_open", "created=%d segments=%llu records=%llu mib=%llu torn_bytes_cut=%llu took_ms=%lld",
              opened.created, (unsigned long long)opened.segments, (unsigned long long)opened.records,
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
    randombytes_buf(random, sizeof random);
    broker->now = clock_read();
    core_restored(broker->core, random, broker->now, &broker->effects);
    persist(broker, broker->now, &broker->effects);
    struct core_status status;
    core_status_read(broker->core, broker->now, &status);
    log_event(LOG_INFO, "recovered", "jobs=%llu conversations=%llu lines=%u leases=%u", (unsigned long long)status.jobs,
              (unsigned long long)status.conversations, status.lines, status.leases);
    return !broker->out_of_memory;
}

static void *bind_socket(struct broker *broker, int type, const char *endpoint)
{
    void *socket = zmq_socket(broker->zmq, type);
    int one = 1;
    int zero = 0;
    int handshake = HANDSHAKE_MS;
    int64_t bytes_max = WIRE_REQUEST_BYTES_MAX;
    if (socket == NULL)
        return NULL;
    if (type == ZMQ_ROUTER)
        zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max); /* of one frame; the whole is checked too */
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &handshake, sizeof handshake);
    zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE, &one, sizeof one);
    if (zmq_bind(socket, endpoint) == 0)
        return socket;
    log_event(LOG_ERROR, "not_bound", "endpoint=%s reason=\"%s\"", endpoint, zmq_strerror(errno));
    zmq_close(socket);
    return NULL;
}

static bool open_sockets(struct broker *broker)
{
    const struct conf_broker *conf = &broker->conf->broker;
    broker->zmq = zmq_ctx_new();
    if (broker->zmq == NULL)
        return false;
    broker->producers = bind_socket(broker, ZMQ_ROUTER, conf->producers);
    broker->workers = bind_socket(broker, ZMQ_ROUTER, conf->workers);
    broker->followers = bind_socket(broker, ZMQ_XPUB, conf->events);
    return broker->producers != NULL && broker->workers != NULL && broker->followers != NULL;
}

static bool open_edges(struct broker *broker, char *const *feed_argv)
{
    struct archive archive = archive_of(broker->store);
    if (lookup_open(&broker->lookup, &archive, LOOKUP_THREADS) != ERR_NONE)
        return false;
    struct ingress_options ingress = {.socket = broker->producers,
                                      .conf = broker->conf,
                                      .hash = &broker->hash,
                                      .core = broker->core,
                                      .lookup = broker->lookup,
                                      .version = LINEWARD_VERSION,
                                      .broker = broker->name,
                                      .persist = persist,
                                      .persist_self = broker};
    struct dispatch_options dispatch = {.socket = broker->workers,
                                        .conf = broker->conf,
                                        .hash = &broker->hash,
                                        .core = broker->core,
                                        .archive = archive,
                                        .broker = broker->name,
                                        .persist = persist,
                                        .persist_self = broker};
    struct feed_link_options feed = {.conf = broker->conf,
                                     .hash = &broker->hash,
                                     .core = broker->core,
                                     .child_argv = feed_argv,
                                     .persist = persist,
                                     .persist_self = broker};
    broker->ingress = ingress_new(&ingress);
    broker->dispatch = dispatch_new(&dispatch);
    broker->events = events_new(broker->followers, broker->lookup);
    broker->feed = feed_link_new(&feed);
    return broker->ingress != NULL && broker->dispatch != NULL && broker->events != NULL && broker->feed != NULL;
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
                                    .tokens = broker->tokens,
                                    .lookup = broker->lookup,
                                    .shell = {.self = broker,
                                              .enqueue = admin_enqueues,
                                              .id_hash = admin_id_hash,
                                              .store_facts = admin_store_facts,
                                              .ready = admin_ready},
                                    .started = broker->now};
    struct admin_problem problem;
    if (admin_open(&broker->admin, &options, &problem) != ERR_NONE) {
        log_event(LOG_ERROR, "admin_not_bound", "reason=\"%s\"", problem.text);
        return false;
    }
    return true;
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
    return broker->signal_fd >= 0 && broker->store_fd >= 0;
}

static void warn_of_conf(const struct broker *broker)
{
    const char *const *names = NULL;
    size_t count = conf_idle_keys(broker->conf, &names);
    for (size_t i = 0; i < count; i++)
        log_event(LOG_WARN, "key_does_nothing_yet", "key=%s", names[i]);
    log_event(LOG_WARN, "no_keys", "reason=\"every local user is trusted as producer, worker and follower\"");
}

struct broker *broker_open(const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        return NULL;
    broker->conf = options->conf;
    broker->signal_fd = broker->store_fd = -1;
    if (gethostname(broker->name, sizeof broker->name - 1) != 0 || !name_is_valid(broker->name))
        snprintf(broker->name, sizeof broker->name, "broker");
    broker->batch = store_batch_new();
    broker->outbox = outbox_new();
    warn_of_conf(broker);
    if (broker->batch == NULL || broker->outbox == NULL || !open_wakers(broker) || !open_core(broker) ||
        !open_store(broker) || !begin_start(broker) || !open_sockets(broker) ||
        !open_edges(broker, options->feed_argv) || !open_admin(broker)) {
        broker_close(&broker);
        return NULL;
    }
    log_event(LOG_INFO, "ready", "version=%s producers=%s workers=%s events=%s admin_port=%u", LINEWARD_VERSION,
              broker->conf->broker.producers, broker->conf->broker.workers, broker->conf->broker.events,
              admin_port(broker->admin));
    return broker;
}

static void close_socket(void *socket)
{
    if (socket != NULL)
        zmq_close(socket);
}

void broker_close(struct broker **broker_p)
{
    struct broker *broker = *broker_p;
    *broker_p = NULL;
    if (broker == NULL)
        return;
    admin_close(&broker->admin);
    feed_link_free(&broker->feed);
    dispatch_free(&broker->dispatch);
    ingress_free(&broker->ingress);
    events_free(&broker->events);
    lookup_close(&broker->lookup);
    tokens_free(&broker->tokens);
    close_socket(broker->producers);
    close_socket(broker->workers);
    close_socket(broker->followers);
    if (broker->zmq != NULL)
        zmq_ctx_term(broker->zmq);
    store_close(&broker->store);
    store_batch_free(&broker->batch);
    outbox_free(&broker->outbox);
    if (broker->store_fd >= 0)
        close(broker->store_fd);
    if (broker->signal_fd >= 0)
        close(broker->signal_fd);
    memory_give_back(&broker->memory);
    free(broker);
}
