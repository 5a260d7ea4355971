/* outcomes.c — see outcomes.h. */
#include "broker/edge/outcomes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/edge/keyed_hash.h"
#include "broker/edge/outcomes_part.h"
#include "broker/feed/feed_secrets.h"
#include "lineward/log.h"
#include "lineward/outcome_target.h"

#define MARK_MS     200 /* a pool's progress is written down no more often */
#define TELL_TRIES  3   /* an event that fails so often is told of in the log, and again each TELL_AGAIN tries */
#define TELL_AGAIN  10
#define RESULTS_MAX 256 /* read in one turn */

_Static_assert(CONF_POOLS_MAX <= UINT16_MAX, "a pool's index is part of a request's number");

/* ---- opening and closing ---- */

static void hook_free(struct hook *hook)
{
    if (hook != NULL)
        outcome_queue_clear(&hook->queue);
    free(hook);
}

/* A comma list. */
static void put_topics(struct hook *hook, const struct conf_pool *pool)
{
    size_t used = 0;
    hook->topics[0] = '\0';
    for (size_t i = 0; i < pool->outcome_topic_count && used < sizeof hook->topics; i++)
        used += (size_t)snprintf(hook->topics + used, sizeof hook->topics - used, "%s%s", i > 0 ? "," : "",
                                 pool->outcome_topics[i]);
}

/* Where it was left; a pool that never had one begins with what happens from now on. */
static void take_mark(struct outcomes *outcomes, struct hook *hook)
{
    const struct change_outcomes *mark = core_outcomes(outcomes->options.core, hook->pool);
    hook->again = true;
    if (mark == NULL) {
        hook->read_to = core_next_seq(outcomes->options.core) - 1;
        hook->dirty = true;
        return;
    }
    hook->read_to = mark->read_to;
    hook->confirmed = mark->confirmed;
    hook->missed = mark->missed;
    for (unsigned i = 0; i < mark->count; i++)
        outcome_queue_add(&hook->queue, mark->waiting[i], 0, NULL, 0, 0);
}

static struct hook *hook_new(struct outcomes *outcomes, uint32_t pool)
{
    struct hook *hook = calloc(1, sizeof *hook);
    if (hook == NULL)
        return NULL;
    hook->pool = pool;
    outcome_queue_init(&hook->queue, 1, core_next_seq(outcomes->options.core) * CONF_POOLS_MAX + pool);
    take_mark(outcomes, hook);
    return hook;
}

static struct hook *find(const struct outcomes *outcomes, uint32_t pool)
{
    for (size_t i = 0; i < outcomes->count; i++)
        if (outcomes->hooks[i]->pool == pool)
            return outcomes->hooks[i];
    return NULL;
}

/* Those of `conf`: the ones that were there go on where they are. */
static enum err take_conf(struct outcomes *outcomes, const struct conf *conf)
{
    struct hook **hooks = calloc(conf->pool_count + 1, sizeof *hooks);
    size_t count = 0;
    bool ok = hooks != NULL;
    for (uint32_t p = 0; ok && p < conf->pool_count; p++) {
        const struct conf_pool *pool = &conf->pools[p];
        if (pool->outcome_url == NULL)
            continue;
        struct hook *hook = find(outcomes, p);
        if (hook == NULL && (hook = hook_new(outcomes, p)) == NULL) {
            ok = false;
            break;
        }
        put_topics(hook, pool);
        hook->queue.in_flight_max = (size_t)pool->outcome_in_flight;
        outcome_queue_try_now(&hook->queue);
        hooks[count++] = hook;
    }
    for (size_t i = 0; ok && i < outcomes->count; i++)
        if (conf->pools[outcomes->hooks[i]->pool].outcome_url == NULL)
            hook_free(outcomes->hooks[i]);
    if (!ok) {
        for (size_t i = 0; i < count; i++)
            if (find(outcomes, hooks[i]->pool) != hooks[i])
                hook_free(hooks[i]);
        free(hooks);
        return ERR_NO_MEMORY;
    }
    free(outcomes->hooks);
    outcomes->hooks = hooks;
    outcomes->count = count;
    outcomes->options.conf = conf;
    return ERR_NONE;
}

struct outcomes *outcomes_new(const struct outcomes_options *options)
{
    struct outcomes *outcomes = calloc(1, sizeof *outcomes);
    if (outcomes == NULL)
        return NULL;
    outcomes->options = *options;
    child_init(&outcomes->child, "outcomes_not_started");
    outcomes->held = malloc(OUTCOME_PACKET_BYTES_MAX);
    if (outcomes->held == NULL || take_conf(outcomes, options->conf) != ERR_NONE)
        outcomes_free(&outcomes);
    return outcomes;
}

void outcomes_free(struct outcomes **outcomes_p)
{
    struct outcomes *outcomes = *outcomes_p;
    *outcomes_p = NULL;
    if (outcomes == NULL)
        return;
    child_end(&outcomes->child);
    for (size_t i = 0; i < outcomes->count; i++)
        hook_free(outcomes->hooks[i]);
    free(outcomes->hooks);
    free(outcomes->held);
    free(outcomes);
}

/* Of one pool: what the child goes by, its secrets included. */
static bool put_settings(const struct outcomes *outcomes, const struct conf_pool *pool, struct json_out *out)
{
    struct feed_secrets secrets;
    struct conf_problem problem;
    memset(&secrets, 0, sizeof secrets); /* its padding is hashed as well */
    bool good = feed_secrets_read(&secrets, pool->outcome_secrets_file, &problem) == ERR_NONE;
    json_open(out, '[');
    json_put_string(out, pool->name);
    json_put_string(out, pool->outcome_url);
    json_put_int(out, pool->outcome_timeout_ms);
    json_put_int(out, (int64_t)keyed_hash(outcomes->options.hash, KEYED_STATE, NULL, &secrets, sizeof secrets));
    json_close(out, ']');
    explicit_bzero(&secrets, sizeof secrets);
    return good;
}

/* 0: a file cannot be read, or there is no memory. */
static uint64_t settings_hash(const struct outcomes *outcomes, const struct conf *conf)
{
    struct json_out out = {0};
    bool good = true;
    json_open(&out, '[');
    for (size_t i = 0; i < conf->broker.outcome_host_count; i++)
        json_put_string(&out, conf->broker.outcome_hosts[i]);
    for (size_t p = 0; p < conf->pool_count && good; p++)
        good = conf->pools[p].outcome_url == NULL || put_settings(outcomes, &conf->pools[p], &out);
    json_close(&out, ']');
    uint64_t hash = good && !out.failed ? keyed_hash(outcomes->options.hash, KEYED_STATE, NULL, out.text, out.bytes) : 0;
    json_out_free(&out);
    return hash;
}

enum err outcomes_follow(struct outcomes *outcomes, const struct conf *conf)
{
    uint64_t settings = settings_hash(outcomes, conf);
    bool knows = settings != 0 && settings == outcomes->child_knows;
    outcomes->asking = NULL; /* what was asked by the old topics is asked again */
    for (size_t i = 0; i < outcomes->count; i++)
        outcomes->hooks[i]->again = true;
    enum err err = take_conf(outcomes, conf);
    if (err == ERR_NONE && outcomes->child.fd >= 0 && !knows) {
        shutdown(outcomes->child.fd, SHUT_WR);
        outcomes->letting_go = true;
    }
    return err;
}

/* ---- what was done, for a restart ---- */

static void note(struct outcomes *outcomes, struct hook *hook, struct instant now, struct effects *out)
{
    struct change_outcomes mark = {.read_to = hook->read_to,
                                   .confirmed = hook->confirmed,
                                   .missed = hook->missed,
                                   .count = (uint16_t)hook->queue.count};
    for (size_t i = 0; i < hook->queue.count; i++)
        mark.waiting[i] = hook->queue.events[i].seq;
    core_outcomes_set(outcomes->options.core, hook->pool, &mark, now, out);
    outcomes->options.persist(outcomes->options.persist_self, now, out);
    hook->dirty = false;
    hook->mark_at_ms = now.mono_ms + MARK_MS;
}

void outcomes_note(struct outcomes *outcomes, struct instant now, struct effects *out)
{
    for (size_t i = 0; i < outcomes->count; i++)
        if (outcomes->hooks[i]->dirty)
            note(outcomes, outcomes->hooks[i], now, out);
}

/* ---- posting ---- */

/* The same for each try, and another for another event, also of a store that was restored from an older copy. */
static void put_id(const struct outcomes *outcomes, uint64_t seq, struct span event, char out[OUTCOME_ID_MAX + 1])
{
    char at[TIME_TEXT_MAX], topic[32], job[JOB_NUMBER_TEXT_MAX], text[160];
    outcomes_text(view_member(event, "at"), at, sizeof at);
    outcomes_text(view_member(event, "topic"), topic, sizeof topic);
    outcomes_text(view_member(event, "job"), job, sizeof job);
    int bytes = snprintf(text, sizeof text, "%" PRIu64 " %s %s %s", seq, at, topic, job);
    uint64_t hash = keyed_hash(outcomes->options.hash, KEYED_OUTCOME, NULL, text, (size_t)bytes);
    snprintf(out, OUTCOME_ID_MAX + 1, "evt_%" PRIu64 "_%016" PRIx64, seq, hash);
}

/* {"type","timestamp","data"}, as Standard Webhooks has it. */
static void put_body(struct json_out *out, struct span event)
{
    struct span topic = view_member(event, "topic"), at = view_member(event, "at");
    json_open(out, '{');
    json_key(out, "type");
    json_put_raw(out, topic.data, topic.bytes);
    json_key(out, "timestamp");
    json_put_raw(out, at.data, at.bytes);
    json_key(out, "data");
    json_put_raw(out, event.data, event.bytes);
    json_close(out, '}');
}

static void hold(struct outcomes *outcomes, const struct hook *hook, const struct outcome_event *event)
{
    struct outcome_post post = {.request =
                                    (uint64_t)hook->pool << OUTCOMES_POOL_SHIFT | (event->seq & OUTCOMES_SEQ_MASK)};
    struct span text = {event->text, event->bytes};
    struct json_out body = {0};
    memcpy(post.pool, outcomes->options.conf->pools[hook->pool].name, sizeof post.pool);
    put_id(outcomes, event->seq, text, post.id);
    put_body(&body, text);
    post.body = body.text;
    post.bytes = body.bytes;
    outcomes->held_bytes = body.failed ? 0 : outcome_post_encode(&post, outcomes->held);
    json_out_free(&body);
}

/* False: the child is gone. */
static bool send_held(struct outcomes *outcomes)
{
    while (outcomes->held_bytes > 0) {
        if (send(outcomes->child.fd, outcomes->held, outcomes->held_bytes, MSG_NOSIGNAL) >= 0)
            outcomes->held_bytes = 0;
        else if (errno != EINTR)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
    }
    return true;
}

static void failed(struct outcomes *outcomes, struct hook *hook, uint64_t seq, const struct outcome_result *result,
                   struct instant now);

/* One event of each pool in turn, so that none waits for another's. False: the child is gone. */
static bool post(struct outcomes *outcomes, struct instant now)
{
    size_t idle = 0;
    if (outcomes->letting_go)
        return true;
    for (size_t at = outcomes->turn; idle < outcomes->count && outcomes->held_bytes == 0; at++) {
        struct hook *hook = outcomes->hooks[at % outcomes->count];
        const struct outcome_event *event = outcome_queue_next(&hook->queue, now.mono_ms);
        idle = event == NULL ? idle + 1 : 0;
        if (event == NULL)
            continue;
        uint64_t seq = event->seq;
        hold(outcomes, hook, event);
        if (outcomes->held_bytes == 0) {
            const struct outcome_result none = {.problem = OUTCOME_PROBLEM_NO_MEMORY};
            failed(outcomes, hook, seq, &none, now);
        } else if (!send_held(outcomes)) {
            return false;
        }
    }
    return true;
}

/* ---- results ---- */

static void tell_state(struct outcomes *outcomes, struct hook *hook, struct instant now)
{
    const struct conf_pool *pool = &outcomes->options.conf->pools[hook->pool];
    bool down = outcome_queue_is_down(&hook->queue);
    if (down == hook->down)
        return;
    hook->down = down;
    struct outcome_target target;
    const char *why = NULL;
    const char *host = outcome_url_parse(pool->outcome_url, &target, &why) ? target.host : "?";
    if (down)
        log_event(LOG_WARN, "outcomes_down", "pool=%s host=%s problem=%s http=%d waiting=%zu next_try_in_ms=%lld",
                  pool->name, host, outcome_problem_name(hook->problem), hook->status, hook->queue.count,
                  (long long)(hook->queue.rest_until_ms - now.mono_ms));
    else
        log_event(LOG_INFO, "outcomes_up", "pool=%s host=%s waiting=%zu", pool->name, host, hook->queue.count);
}

static uint32_t tries_of(const struct hook *hook, uint64_t seq)
{
    for (size_t i = 0; i < hook->queue.count; i++)
        if (hook->queue.events[i].seq == seq)
            return hook->queue.events[i].tries;
    return 0;
}

static void failed(struct outcomes *outcomes, struct hook *hook, uint64_t seq, const struct outcome_result *result,
                   struct instant now)
{
    if (!outcome_queue_failed(&hook->queue, seq, result->status, result->retry_after_ms, now.mono_ms))
        return;
    hook->failed++;
    hook->problem = result->problem;
    hook->status = result->status;
    hook->problem_at_ms = now.wall_ms;
    uint32_t tries = tries_of(hook, seq);
    if (!outcome_queue_is_down(&hook->queue) && (tries == TELL_TRIES || tries % TELL_AGAIN == 0))
        log_event(LOG_WARN, "outcome_not_taken", "pool=%s seq=%" PRIu64 " tries=%u problem=%s http=%d",
                  outcomes->options.conf->pools[hook->pool].name, seq, tries, outcome_problem_name(result->problem),
                  result->status);
    if (outcome_queue_is_down(&hook->queue)) /* HUP forgets failures; that alone makes nothing `up` */
        tell_state(outcomes, hook, now);
}

static void ended(struct outcomes *outcomes, const struct outcome_result *result, struct instant now)
{
    struct hook *hook = find(outcomes, (uint32_t)(result->request >> OUTCOMES_POOL_SHIFT));
    uint64_t seq = result->request & OUTCOMES_SEQ_MASK;
    child_well(&outcomes->child);
    if (hook == NULL)
        return;
    if (result->problem != OUTCOME_PROBLEM_NONE) {
        failed(outcomes, hook, seq, result, now);
    } else if (outcome_queue_confirmed(&hook->queue, seq)) {
        hook->confirmed++;
        hook->confirmed_at_ms = now.wall_ms;
        hook->dirty = true;
        tell_state(outcomes, hook, now);
    }
}

/* False: the child is gone, or does not speak our language. */
static bool read_results(struct outcomes *outcomes, struct instant now)
{
    for (int i = 0; i < RESULTS_MAX; i++) {
        uint8_t packet[OUTCOME_RESULT_BYTES + 1];
        struct outcome_result result;
        ssize_t got = recv(outcomes->child.fd, packet, sizeof packet, 0);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0 || !outcome_result_decode(packet, (size_t)got, &result))
            return false;
        ended(outcomes, &result, now);
    }
    return true;
}

/* ---- the turn ---- */

static void lose_child(struct outcomes *outcomes, struct instant now)
{
    bool as_asked = outcomes->letting_go;
    child_lost(&outcomes->child, now);
    if (as_asked) {
        outcomes->child.start_at_ms = now.mono_ms;
        child_well(&outcomes->child);
    } else {
        log_event(LOG_ERROR, "outcomes_child_gone", "restart_in_ms=%lld",
                  (long long)(outcomes->child.start_at_ms - now.mono_ms));
    }
    outcomes->letting_go = false;
    outcomes->held_bytes = 0;
    for (size_t i = 0; i < outcomes->count; i++)
        outcome_queue_lost(&outcomes->hooks[i]->queue);
}

void outcomes_turn(struct outcomes *outcomes, bool durable_moved, struct instant now, struct effects *out)
{
    if (outcomes->count == 0 && outcomes->child.fd < 0)
        return;
    bool had_child = outcomes->child.fd >= 0;
    if (outcomes->count > 0)
        child_start(&outcomes->child, outcomes->options.child_argv, SOCK_SEQPACKET, outcomes->options.conf, now);
    if (!had_child && outcomes->child.fd >= 0)
        outcomes->child_knows = settings_hash(outcomes, outcomes->options.conf);
    outcomes_ask(outcomes, durable_moved, now);
    if (outcomes->child.fd >= 0 && !(read_results(outcomes, now) && send_held(outcomes) && post(outcomes, now)))
        lose_child(outcomes, now);
    for (size_t i = 0; i < outcomes->count; i++) {
        struct hook *hook = outcomes->hooks[i];
        if (hook->dirty && now.mono_ms >= hook->mark_at_ms)
            note(outcomes, hook, now, out);
    }
}

int outcomes_fd(const struct outcomes *outcomes)
{
    return outcomes->child.fd;
}

bool outcomes_wants_write(const struct outcomes *outcomes)
{
    return outcomes->child.fd >= 0 && outcomes->held_bytes > 0;
}

int64_t outcomes_next_mono_ms(const struct outcomes *outcomes, struct instant now)
{
    if (outcomes->count == 0)
        return TIME_NEVER;
    int64_t next = child_next_mono_ms(&outcomes->child);
    for (size_t i = 0; i < outcomes->count; i++) {
        const struct hook *hook = outcomes->hooks[i];
        if (hook->dirty)
            next = time_sooner(next, hook->mark_at_ms);
        if (outcomes->asking == NULL && outcomes_has_question(hook))
            next = time_sooner(next, hook->ask_at_ms);
        if (outcomes->child.fd >= 0 && outcomes->held_bytes == 0 && !outcomes->letting_go)
            next = time_sooner(next, outcome_queue_due_ms(&hook->queue, now.mono_ms));
    }
    return next;
}

/* ---- views ---- */

bool outcomes_view(const struct outcomes *outcomes, uint32_t pool, struct instant now, struct outcome_view *out)
{
    const struct hook *hook = find(outcomes, pool);
    if (hook == NULL)
        return false;
    struct outcome_target target;
    const char *why = NULL;
    int64_t due_ms = outcome_queue_due_ms(&hook->queue, now.mono_ms);
    uint64_t newest = core_next_seq(outcomes->options.core) - 1;
    *out =
        (struct outcome_view){.down = outcome_queue_is_down(&hook->queue),
                              .waiting = hook->queue.count,
                              .in_flight = hook->queue.in_flight,
                              .unread = newest > hook->read_to ? newest - hook->read_to : 0,
                              .confirmed = hook->confirmed,
                              .failed = hook->failed,
                              .missed = hook->missed,
                              .oldest_at_ms = hook->queue.count > 0 ? hook->queue.events[0].at_ms : 0,
                              .confirmed_at_ms = hook->confirmed_at_ms,
                              .problem_at_ms = hook->problem_at_ms,
                              .problem = outcome_problem_name(hook->problem),
                              .status = hook->status,
                              .next_try_ms = due_ms == TIME_NEVER || hook->queue.failed == 0
                                                 ? 0
                                                 : now.wall_ms + (due_ms > now.mono_ms ? due_ms - now.mono_ms : 0)};
    if (outcome_url_parse(outcomes->options.conf->pools[pool].outcome_url, &target, &why))
        memcpy(out->host, target.host, sizeof out->host);
    return true;
}
