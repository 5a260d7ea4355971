/* edge_rig.h — producers' and workers' edges over real ZeroMQ sockets (inproc) with a real core; the broker around
 * them is played: changes become records in an array, effects wait until edge_settle() calls them durable, and the
 * clock stands where the test puts it. */
#ifndef LINEWARD_TESTS_EDGE_RIG_H
#define LINEWARD_TESTS_EDGE_RIG_H

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "broker/edge/dispatch.h"
#include "broker/edge/ingress.h"
#include "broker/edge/job_parse.h"
#include "broker/edge/lookup.h"
#include "broker/edge/outbox.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* not every test needs all of it */

#define EDGE_LINE    12025550101
#ifndef EDGE_RECORDS
#define EDGE_RECORDS 40000
#endif
#ifndef EDGE_ROOM
#define EDGE_ROOM 65536
#endif
#define EDGE_WAIT_MS 20000 /* longer than any test may take */

static const char edge_conf_text[] = "broker:\n  jobs_max: 3000\n"
                                     "accounts:\n  default:\n    api_key_file: key\n"
                                     "pools:\n"
                                     "  default: {account: default, lines: all}\n"
                                     "  other: {account: default, lines: [\"+12025550109\"]}\n"
                                     "  far: {lines: [\"+12025550108\"], owner: \"tcp://10.0.0.2:7710\"}\n"
                                     "policies:\n  default: {pace_per_min: 0, new_conversations_per_day: 0,\n"
                                     "            daily_messages: 0, daily_growth_factor: 0, pair_per_min: 0, distinct_recipients_per_hour: 0}\n";

static struct edge_rig {
    struct conf *conf;
    struct core *core;
    struct keyed_hash hash;
    struct instant now;
    struct effects effects;
    struct outbox *outbox;
    uint64_t commit;
    struct lookup *lookup;
    struct ingress *ingress;
    struct dispatch *dispatch;
    void *zmq, *producers, *workers;
    bool store_full, unreadable;
    pthread_mutex_t mutex; /* of the records: the lookup's thread reads them */
    struct change records[EDGE_RECORDS];
    size_t record_count, durable;
    void *memory[4096];
    size_t memory_count;
} edge;

/* ---- the store's part ---- */

static void *edge_copy(const void *data, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    return copy;
}

static void edge_copy_sections(struct change *record, const struct change *change)
{
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        struct span from = change->sections[s];
        for (size_t i = edge.record_count; (change->copy_mask & 1u << s) != 0 && from.bytes == 0 && i-- > 0;) {
            const struct change *older = &edge.records[i];
            if (older->kind == change->copy_kind && change_key(older) == change->copy_key)
                from = older->sections[s];
        }
        record->sections[s] = (struct span){from.bytes > 0 ? edge_copy(from.data, from.bytes) : NULL, from.bytes};
    }
}

static void edge_record(const struct change *change)
{
    ck_assert_uint_lt(edge.record_count, EDGE_RECORDS);
    struct change *record = &edge.records[edge.record_count];
    *record = *change;
    edge_copy_sections(record, change);
    if (change->kind == CHANGE_PAUSE)
        record->pause = edge_copy(change->pause, sizeof *change->pause);
    if (change->kind == CHANGE_NAME)
        record->name = edge_copy(change->name, sizeof *change->name);
    if (change->kind == CHANGE_LINE)
        record->line = edge_copy(change->line, sizeof *change->line);
    if (change->kind == CHANGE_START)
        record->start = edge_copy(change->start, sizeof *change->start);
    edge.record_count++;
}

/* What edges call persist: changes are copied at once, effects for at once are carried out, the others wait. */
static void edge_persist(void *self, struct instant now, struct effects *out)
{
    struct effect urgent[1024];
    size_t urgent_count = 0;
    (void)self;
    pthread_mutex_lock(&edge.mutex);
    for (size_t i = 0; i < out->change_count; i++)
        edge_record(&out->changes[i]);
    pthread_mutex_unlock(&edge.mutex);
    for (size_t i = 0; i < out->effect_count; i++) {
        if (outbox_waits(out->effects[i].kind))
            ck_assert_int_eq(outbox_add(edge.outbox, &out->effects[i]), ERR_NONE);
        else if (urgent_count < sizeof urgent / sizeof *urgent)
            urgent[urgent_count++] = out->effects[i];
    }
    out->change_count = out->effect_count = 0;
    for (size_t i = 0; i < urgent_count; i++)
        dispatch_effect(edge.dispatch, &urgent[i], now, out);
    if (out->change_count + out->effect_count > 0)
        edge_persist(self, now, out);
}

static void edge_save(void)
{
    edge_persist(NULL, edge.now, &edge.effects);
}

static enum err edge_read(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    (void)self;
    pthread_mutex_lock(&edge.mutex);
    bool there = place < edge.durable && !edge.unreadable;
    if (there)
        visit(visitor, &edge.records[place]);
    pthread_mutex_unlock(&edge.mutex);
    return there ? ERR_NONE : ERR_DAMAGED;
}

static enum err edge_find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    (void)self;
    pthread_mutex_lock(&edge.mutex);
    bool more = true;
    for (size_t i = 0; more && i < edge.durable; i++)
        if (edge.records[i].kind == kind && change_key(&edge.records[i]) == key)
            more = visit(visitor, &edge.records[i]);
    pthread_mutex_unlock(&edge.mutex);
    return ERR_NONE;
}

static enum err edge_events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit,
                            void *visitor)
{
    (void)self;
    *oldest = 1;
    pthread_mutex_lock(&edge.mutex);
    bool there = !edge.unreadable;
    for (size_t i = 0; there && limit > 0 && i < edge.durable; i++)
        if (edge.records[i].event.seq > after && limit-- > 0 && !visit(visitor, &edge.records[i]))
            break;
    pthread_mutex_unlock(&edge.mutex);
    return there ? ERR_NONE : ERR_DAMAGED;
}

static void *edge_take(void *self, size_t bytes)
{
    (void)self;
    ck_assert_uint_lt(edge.memory_count, sizeof edge.memory / sizeof *edge.memory);
    void *memory = calloc(1, bytes + 1);
    edge.memory[edge.memory_count++] = memory;
    return memory;
}

/* ---- the turn ---- */

static void edge_speak(void)
{
    struct effect effect;
    while (outbox_take(edge.outbox, edge.commit, &effect)) {
        if (ingress_owns(effect.token))
            ingress_effect(edge.ingress, &effect, edge.now);
        else
            dispatch_effect(edge.dispatch, &effect, edge.now, &edge.effects);
        edge_save();
    }
    dispatch_flush(edge.dispatch, edge.now, &edge.effects);
    edge_save();
}

/* Everything so far is durable: places are told, messages go out. */
static void edge_settle(void)
{
    edge_save();
    pthread_mutex_lock(&edge.mutex);
    size_t from = edge.durable;
    edge.durable = edge.record_count;
    pthread_mutex_unlock(&edge.mutex);
    for (size_t i = from; i < edge.durable; i++)
        core_moved(edge.core, edge.records[i].kind, change_key(&edge.records[i]), UINT64_MAX, i);
    outbox_bind(edge.outbox, ++edge.commit);
    edge_speak();
}

static void edge_tick(void)
{
    core_tick(edge.core, edge.now, &edge.effects);
    edge_settle();
}

static void edge_look_up(void)
{
    struct lookup_answer answer;
    struct pollfd waiting = {.fd = lookup_fd(edge.lookup), .events = POLLIN};
    ck_assert_int_eq(poll(&waiting, 1, EDGE_WAIT_MS), 1);
    while (lookup_collect(edge.lookup, &answer))
        ingress_looked_up(edge.ingress, &answer, edge.now);
}

/* Has the socket something to read? Waits for it: what was sent over inproc is there at once or soon. */
static void edge_await(void *socket)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    ck_assert_int_eq(zmq_poll(&item, 1, EDGE_WAIT_MS), 1);
}

static void edge_read_producers(void)
{
    edge_await(edge.producers);
    ck_assert(ingress_read(edge.ingress, edge.store_full, edge.now, &edge.effects));
    edge_save();
    while (ingress_work(edge.ingress, edge.store_full, edge.now, &edge.effects))
        edge_save();
    edge_save();
}

static void edge_read_workers(void)
{
    edge_await(edge.workers);
    ck_assert(dispatch_read(edge.dispatch, edge.now, &edge.effects));
    edge_save();
}

/* ---- setting up ---- */

static void edge_poll_line(uint64_t number, enum reputation reputation)
{
    static uint64_t poll;
    struct core_line_fact fact = {.number = number,
                                  .has_reputation = true,
                                  .reputation = reputation,
                                  .poll = ++poll,
                                  .begun_mono_ms = edge.now.mono_ms};
    core_line_polled(edge.core, &fact, edge.now, &edge.effects);
    struct core_poll end = {.poll = poll, .begun_mono_ms = edge.now.mono_ms, .ok = true};
    core_poll_ended(edge.core, &end, edge.now, &edge.effects);
    edge_settle();
}

static void edge_open_core(void)
{
    const struct core_limits limits = {.jobs_max = 4000,
                                       .conversations_max = 5000,
                                       .lines_max = 64,
                                       .leases_max = 4096,
                                       .workers_max = 8,
                                       .pauses_max = 64,
                                       .names_max = 64,
                                       .remembered_max = 20000};
    const struct core_memory memory = {edge_take, NULL};
    struct conf_problem problem;
    ck_assert_msg(conf_parse(&edge.conf, edge_conf_text, sizeof edge_conf_text - 1, "rig.yaml", "/tmp", NULL, 0,
                             &problem) == ERR_NONE,
                  "%s", problem.text);
    edge.effects = (struct effects){.changes = calloc(EDGE_ROOM, sizeof(struct change)),
                                    .change_room = EDGE_ROOM,
                                    .effects = calloc(EDGE_ROOM, sizeof(struct effect)),
                                    .effect_room = EDGE_ROOM};
    ck_assert_int_eq(core_new(&edge.core, &limits, &memory, edge.conf, 42), ERR_NONE);
}

static void *edge_bind(const char *endpoint)
{
    int one = 1;
    int zero = 0;
    void *socket = zmq_socket(edge.zmq, ZMQ_ROUTER);
    zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    ck_assert_int_eq(zmq_bind(socket, endpoint), 0);
    return socket;
}

static void edge_setup(void)
{
    const uint8_t random[KEY_RANDOM_BYTES] = {1};
    memset(&edge, 0, sizeof edge);
    edge.now = (struct instant){.wall_ms = INT64_C(1795428000000), .mono_ms = 1000000};
    pthread_mutex_init(&edge.mutex, NULL);
    ck_assert_int_ge(sodium_init(), 0);
    edge_open_core();
    edge.zmq = zmq_ctx_new();
    edge.producers = edge_bind("inproc://producers");
    edge.workers = edge_bind("inproc://workers");
    edge.outbox = outbox_new();
    const struct archive archive = {.read = edge_read, .find = edge_find, .events = edge_events};
    ck_assert_int_eq(lookup_open(&edge.lookup, &archive, 1), ERR_NONE);
    const struct ingress_options ingress = {.socket = edge.producers,
                                            .conf = edge.conf,
                                            .hash = &edge.hash,
                                            .core = edge.core,
                                            .lookup = edge.lookup,
                                            .version = "0.1.0",
                                            .broker = "rig",
                                            .persist = edge_persist};
    const struct dispatch_options dispatch = {.socket = edge.workers,
                                              .conf = edge.conf,
                                              .hash = &edge.hash,
                                              .core = edge.core,
                                              .archive = archive,
                                              .broker = "rig",
                                              .persist = edge_persist};
    edge.ingress = ingress_new(&ingress);
    edge.dispatch = dispatch_new(&dispatch);
    ck_assert_ptr_nonnull(edge.ingress);
    ck_assert_ptr_nonnull(edge.dispatch);
    core_restored(edge.core, random, edge.now, &edge.effects);
    edge_settle();
    edge_poll_line(EDGE_LINE, REPUTATION_HEALTHY);
}

static void edge_free_records(void)
{
    for (size_t i = 0; i < edge.record_count; i++) {
        struct change *record = &edge.records[i];
        for (unsigned s = 0; s < SECTION_COUNT; s++)
            free((void *)record->sections[s].data);
        if (record->kind == CHANGE_PAUSE || record->kind == CHANGE_NAME || record->kind == CHANGE_LINE ||
            record->kind == CHANGE_START)
            free((void *)record->line); /* the union's pointers lie at one place */
    }
}

static void edge_teardown(void)
{
    lookup_close(&edge.lookup);
    ingress_free(&edge.ingress);
    dispatch_free(&edge.dispatch);
    outbox_free(&edge.outbox);
    zmq_close(edge.producers);
    zmq_close(edge.workers);
    zmq_ctx_term(edge.zmq);
    edge_free_records();
    for (size_t i = 0; i < edge.memory_count; i++)
        free(edge.memory[i]);
    free(edge.effects.changes);
    free(edge.effects.effects);
    conf_free(&edge.conf);
}

/* ---- peers ---- */

/* A job "n1" with that message is accepted; its records are kept, and not durable yet. */
static inline void edge_enqueue(int number, const char *message)
{
    char text[160];
    struct core_enqueue job;
    struct job_texts texts = {0};
    struct job_refusal refusal;
    struct span id;
    struct job_parser parser = {.conf = edge.conf, .hash = &edge.hash, .core = edge.core};
    snprintf(text, sizeof text, "{\"id\":\"n%d\",\"to\":\"+1415555%04d\",\"message\":%s}", number, number, message);
    ck_assert(job_parse(&parser, text, strlen(text), &job, &texts, &id, &refusal, &edge.effects));
    core_enqueue(edge.core, &job, false, edge.now, &edge.effects);
    edge.effects.effect_count = 0;
    edge_save();
    job_texts_free(&texts);
}

static void *edge_connect(const char *endpoint, const char *id)
{
    int zero = 0;
    void *socket = zmq_socket(edge.zmq, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    if (id != NULL)
        zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, strlen(id));
    ck_assert_int_eq(zmq_connect(socket, endpoint), 0);
    return socket;
}

/* Texts up to a NULL, one a frame. */
static void edge_say(void *socket, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        ck_assert_int_ge(zmq_send(socket, *texts, strlen(*texts), texts[1] != NULL ? ZMQ_SNDMORE : 0), 0);
}
#define SAY(socket, ...) edge_say((socket), (const char *const[]){__VA_ARGS__, NULL})

struct heard { /* a message, its frames as texts */
    size_t count;
    char *frames[WIRE_FRAMES_MAX];
};

static void edge_forget(struct heard *heard)
{
    for (size_t i = 0; i < heard->count; i++)
        free(heard->frames[i]);
    heard->count = 0;
}

static void edge_hear(void *socket, struct heard *heard)
{
    int more = 1;
    size_t size = sizeof more;
    edge_forget(heard);
    edge_await(socket);
    while (more) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        ck_assert_int_ge(zmq_msg_recv(&message, socket, 0), 0);
        char *text = edge_copy(zmq_msg_data(&message), zmq_msg_size(&message));
        text[zmq_msg_size(&message)] = '\0';
        heard->frames[heard->count++] = text;
        zmq_msg_close(&message);
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    }
}

static bool edge_is_silent(void *socket)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, 0) == 0;
}

#define ck_assert_has(text, part)   ck_assert_msg(strstr((text), (part)) != NULL, "%s lacks %s", (text), (part))
#define ck_assert_lacks(text, part) ck_assert_msg(strstr((text), (part)) == NULL, "%s has %s", (text), (part))

#endif
