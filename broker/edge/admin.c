/* admin.c — the owner's side: the queue from the HTTP thread, the exchanges under way and their turns. */
#include "broker/edge/admin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_stream.h"
#include "broker/edge/audit_trail.h"
#include "broker/edge/oldest.h"
#include "broker/edge/pause_count.h"

#define STEPS_PER_SERVE 16 /* handler calls in one slice, at most one of which has more to do */
#define ROOM_NEEDED     (8u * WIRE_ENQUEUE_JOBS_MAX) /* changes and effects that one handler call may add */
#define TAG_SHIFT       56
#define SLOT_BITS       10 /* of a token: tag, generation, slot */
_Static_assert(ADMIN_CONNECTIONS_MAX <= 1u << SLOT_BITS, "a slot for every connection");

struct queue {
    struct exchange *first, **last;
};

struct admin {
    struct admin_options options;
    struct admin_http *http;
    struct streams *streams;
    int wake_fd;
    pthread_mutex_t mutex;
    struct queue arrived; /* under the mutex, as is `closing` */
    bool closing;
    atomic_size_t body_bytes, large_bytes;
    /* the owner's */
    struct queue running;
    struct pause_count *count;
    struct oldest *oldest;
    struct exchange *slots[ADMIN_CONNECTIONS_MAX];
    uint64_t generation;
    size_t next_slot;
};

static void queue_add(struct queue *queue, struct exchange *x)
{
    x->next = NULL;
    *queue->last = x;
    queue->last = &x->next;
}

static struct exchange *queue_take(struct queue *queue)
{
    struct exchange *x = queue->first;
    if (x == NULL)
        return NULL;
    queue->first = x->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return x;
}

/* ---- the HTTP thread's side ---- */

const struct admin_options *admin_options(const struct admin *admin)
{
    return &admin->options;
}

bool exchange_hand_over(struct admin *admin, struct exchange *x)
{
    pthread_mutex_lock(&admin->mutex);
    bool open = !admin->closing;
    if (open)
        queue_add(&admin->arrived, x);
    pthread_mutex_unlock(&admin->mutex);
    if (open)
        eventfd_write(admin->wake_fd, 1);
    return open;
}

static bool reserve(atomic_size_t *reserved, size_t bytes, size_t most)
{
    size_t before = atomic_fetch_add(reserved, bytes);
    if (before + bytes <= most)
        return true;
    atomic_fetch_sub(reserved, bytes);
    return false;
}

bool admin_body_reserve(struct admin *admin, size_t bytes)
{
    return reserve(&admin->body_bytes, bytes, ADMIN_BODIES_BYTES_MAX);
}

void admin_body_release(struct admin *admin, size_t bytes)
{
    atomic_fetch_sub(&admin->body_bytes, bytes);
}

bool admin_large_reserve(struct admin *admin, size_t bytes)
{
    return reserve(&admin->large_bytes, bytes, ADMIN_LARGE_BYTES_MAX);
}

void admin_large_release(struct admin *admin, size_t bytes)
{
    atomic_fetch_sub(&admin->large_bytes, bytes);
}

/* ---- open and close ---- */

enum err admin_open(struct admin **out, const struct admin_options *options, struct admin_problem *problem)
{
    *problem = (struct admin_problem){"out of memory"};
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return ERR_NO_MEMORY;
    admin->options = *options;
    admin->arrived.last = &admin->arrived.first;
    admin->running.last = &admin->running.first;
    pthread_mutex_init(&admin->mutex, NULL);
    admin->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    admin->streams = streams_new(options->lookup);
    admin->count = pause_count_new();
    admin->oldest = oldest_new();
    bool has_memory = admin->streams != NULL && admin->count != NULL && admin->oldest != NULL;
    enum err err = !has_memory ? ERR_NO_MEMORY : admin->wake_fd < 0 ? ERR_IO : admin_http_open(&admin->http, admin, problem);
    if (err != ERR_NONE) {
        admin_close(&admin);
        return err;
    }
    *out = admin;
    return ERR_NONE;
}

/* The exchange is answered: back to the HTTP thread. */
static void finish(struct admin *admin, struct exchange *x)
{
    admin->slots[x->token & ((1u << SLOT_BITS) - 1)] = NULL;
    admin_http_resume(x);
}

static void answer_closing(struct exchange *x)
{
    answer_error(x, CODE_BUSY, "the broker is stopping", NULL);
    x->answer.status = 503;
}

void admin_close(struct admin **admin_p)
{
    struct admin *admin = *admin_p;
    if (admin == NULL)
        return;
    *admin_p = NULL;
    if (admin->http != NULL)
        admin_http_quiesce(admin->http);
    pthread_mutex_lock(&admin->mutex);
    admin->closing = true;
    pthread_mutex_unlock(&admin->mutex);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        if (admin->slots[i] == NULL)
            continue;
        answer_closing(admin->slots[i]);
        finish(admin, admin->slots[i]);
    }
    for (struct exchange *x; (x = queue_take(&admin->arrived)) != NULL;) {
        answer_closing(x);
        admin_http_resume(x);
    }
    if (admin->streams != NULL)
        streams_end(admin->streams, "the broker is stopping; go on from the last id");
    admin_http_close(&admin->http);
    streams_free(&admin->streams);
    pause_count_free(&admin->count);
    oldest_free(&admin->oldest);
    pthread_mutex_destroy(&admin->mutex);
    if (admin->wake_fd >= 0)
        close(admin->wake_fd);
    free(admin);
}

unsigned admin_port(const struct admin *admin)
{
    return admin_http_port(admin->http);
}

int admin_fd(const struct admin *admin)
{
    return admin->wake_fd;
}

void admin_conf_set(struct admin *admin, const struct conf *conf)
{
    admin->options.conf = conf;
    streams_end(admin->streams, "the configuration was read anew: connect again"); /* who may see what has changed */
}

/* ---- turns ---- */

static void run_later(struct admin *admin, struct exchange *x)
{
    if (x->is_running)
        return;
    x->is_running = true;
    queue_add(&admin->running, x);
}

/* There is a slot for every connection, and a connection waits for one exchange at a time. */
static void take_slot(struct admin *admin, struct exchange *x)
{
    while (admin->slots[admin->next_slot] != NULL)
        admin->next_slot = (admin->next_slot + 1) % ADMIN_CONNECTIONS_MAX;
    const uint64_t generations = (UINT64_C(1) << (TAG_SHIFT - SLOT_BITS)) - 1;
    admin->generation = (admin->generation + 1) & generations;
    x->token = (uint64_t)ADMIN_TOKEN_TAG << TAG_SHIFT | admin->generation << SLOT_BITS | admin->next_slot;
    admin->slots[admin->next_slot] = x;
}

static void take_arrived(struct admin *admin, struct instant now)
{
    eventfd_t count;
    struct queue arrived = {.last = &arrived.first};
    pthread_mutex_lock(&admin->mutex);
    (void)eventfd_read(admin->wake_fd, &count);
    for (struct exchange *x; (x = queue_take(&admin->arrived)) != NULL;)
        queue_add(&arrived, x);
    pthread_mutex_unlock(&admin->mutex);
    for (struct exchange *x; (x = queue_take(&arrived)) != NULL;) {
        take_slot(admin, x);
        x->begun_mono_ms = now.mono_ms;
        run_later(admin, x);
    }
}

/* One step of the exchange. */
static enum admin_step step(struct admin_turn *turn, struct exchange *x)
{
    if (!trail_wants(x->route))
        return x->route->handle(turn, x);
    if (x->trail.ends) /* only its record was waited for */
        return STEP_DONE;
    return trail_end(turn, x, trail_begin(turn, x) ? x->route->handle(turn, x) : STEP_DONE);
}

bool admin_serve(struct admin *admin, struct core *core, struct instant now, struct effects *out)
{
    struct admin_turn turn = {.admin = admin,
                              .streams = admin->streams,
                              .count = admin->count,
                              .oldest = admin->oldest,
                              .options = &admin->options,
                              .core = core,
                              .now = now,
                              .out = out};
    take_arrived(admin, now);
    if (out->effect_room - out->effect_count < ROOM_NEEDED || out->change_room - out->change_count < ROOM_NEEDED)
        return admin->running.first != NULL;
    size_t used = out->effect_count;
    for (unsigned steps = 0; steps < STEPS_PER_SERVE; steps++) {
        struct exchange *x = queue_take(&admin->running);
        if (x == NULL) /* walks go on though nobody waits for them any more */
            return pause_count_slice(admin->count, core) || oldest_slice(admin->oldest, core) ||
                   oldest_runs(admin->oldest);
        x->is_running = false;
        switch (step(&turn, x)) {
        case STEP_DONE:
            finish(admin, x);
            break;
        case STEP_MORE: /* a slice of its own is enough for one turn of the owner */
            run_later(admin, x);
            return true;
        case STEP_WAIT:
            break;
        }
        if (out->effect_count != used) /* a change is enough for one slice: there must be room in `out` */
            break;
    }
    return admin->running.first != NULL || pause_count_runs(admin->count) || oldest_runs(admin->oldest);
}

bool admin_owns(uint64_t token)
{
    return token >> TAG_SHIFT == ADMIN_TOKEN_TAG || streams_own(token);
}

/* The exchange that still waits under this token; NULL: it was answered meanwhile. */
static struct exchange *waiting(const struct admin *admin, uint64_t token)
{
    size_t slot = token & ((1u << SLOT_BITS) - 1);
    struct exchange *x = slot < ADMIN_CONNECTIONS_MAX ? admin->slots[slot] : NULL;
    return x != NULL && x->token == token ? x : NULL;
}

void admin_effect(struct admin *admin, const struct effect *effect)
{
    struct exchange *x = waiting(admin, effect->token);
    if (x == NULL)
        return;
    if ((effect->kind == EFFECT_ENQUEUED && !enqueue_take_effect(x, effect)) ||
        (effect->kind == EFFECT_ADOPTED && !import_take_effect(x, effect)))
        return; /* others of the request are still missing */
    x->has_effect = true;
    x->effect = *effect;
    run_later(admin, x);
    eventfd_write(admin->wake_fd, 1);
}

void admin_follow(struct admin *admin, uint64_t next_seq, bool durable_moved, struct instant now)
{
    streams_turn(admin->streams, next_seq, durable_moved, now);
}

int64_t admin_next_mono_ms(const struct admin *admin)
{
    return streams_next_mono_ms(admin->streams);
}

void admin_looked_up(struct admin *admin, struct lookup_answer *answer)
{
    if (streams_own(answer->token)) {
        streams_looked_up(admin->streams, answer);
        return;
    }
    struct exchange *x = waiting(admin, answer->token);
    if (x == NULL || x->has_lookup) {
        lookup_answer_free(answer);
        return;
    }
    x->has_lookup = true;
    x->lookup = *answer;
    *answer = (struct lookup_answer){0};
    run_later(admin, x);
    eventfd_write(admin->wake_fd, 1);
}
