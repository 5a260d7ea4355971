/* webhooks.c — one thread around libcurl's multi interface; a heap of what is due, and a ring of what was tried. */
#include "tools/sandbox/webhooks.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lineward/log.h"
#include "lineward/signature.h"
#include "tools/sandbox/due.h"
#include "tools/sandbox/webhook_flight.h"
#include "tools/sandbox/webhook_history.h"

#define POLL_MS_MAX 60000
/* Of the flights, so many are kept for line events: a receiver that is slow with messages still hears of lines. */
#define LINE_FLIGHTS      4
#define REVERSED_APART_MS 50

struct webhooks {
    struct webhook_settings settings;
    struct request_log *log;
    pthread_t thread;
    CURLM *multi;
    struct flight *flights; /* the thread's own; the rest is guarded by `lock` */
    unsigned in_flight;

    pthread_mutex_t lock;
    struct sandbox_due lines, messages; /* struct queued */
    size_t queued;
    char url[WEBHOOK_URL_BYTES_MAX + 1];
    struct webhook_secret secret;
    bool has_secret, paused, stopping, bad_signature;
    unsigned copies;
    struct webhook_faults faults;
    struct queued *gathered[WEBHOOK_REVERSE_MAX]; /* to go out in reverse */
    size_t gathered_count;
    uint64_t answered, dropped, lost;
    struct webhook_history history;
};

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

/* ---- the queue ---- */

static bool queue_insert(struct webhooks *hooks, struct queued *queued, int64_t due_mono_ms)
{
    struct sandbox_due *due = queued->event.is_status ? &hooks->lines : &hooks->messages;
    if (hooks->queued >= WEBHOOK_QUEUE_MAX || !sandbox_due_push(due, due_mono_ms, queued)) {
        hooks->dropped++;
        queued_free(queued);
        return false;
    }
    hooks->queued++;
    return true;
}

static void flight_over(struct webhooks *hooks, struct flight *flight, CURLcode result)
{
    long status = flight_end(hooks->multi, flight, result);
    bool good = status >= 200 && status < 300;
    if (good)
        flight_log(hooks->log, flight, status);

    struct queued *queued = flight->queued;
    pthread_mutex_lock(&hooks->lock);
    webhook_history_add(&hooks->history, &queued->event, queued->attempt, status, flight->began, flight->answered);
    hooks->in_flight--;
    hooks->answered += good;
    if (good) {
        queued_free(queued);
    } else if (queued->attempt < WEBHOOK_ATTEMPTS_MAX && flight_worth_another(result, status)) {
        queue_insert(hooks, queued, flight->answered.mono_ms + (hooks->settings.retry_ms << (queued->attempt - 1)));
    } else {
        hooks->dropped++;
        queued_free(queued);
    }
    pthread_mutex_unlock(&hooks->lock);
    flight_clear(flight);
}

/* ---- the thread ---- */

static bool messages_may_fly(const struct webhooks *hooks)
{
    return hooks->in_flight + LINE_FLIGHTS < hooks->settings.in_flight_max;
}

static struct queued *queue_take(struct webhooks *hooks, int64_t now_mono_ms)
{
    struct queued *queued = sandbox_due_pop(&hooks->lines, now_mono_ms);
    if (queued == NULL && messages_may_fly(hooks))
        queued = sandbox_due_pop(&hooks->messages, now_mono_ms);
    if (queued != NULL)
        hooks->queued--;
    return queued;
}

static struct flight *flight_free(struct webhooks *hooks)
{
    for (unsigned i = 0; i < hooks->settings.in_flight_max; i++) {
        if (hooks->flights[i].queued == NULL)
            return &hooks->flights[i];
    }
    return NULL;
}

static bool begin_one(struct webhooks *hooks, struct flight *flight, struct queued *queued)
{
    const struct webhook_target *target = queued->target;
    if (target != NULL)
        return flight_begin(hooks->multi, flight, queued, target->url, &target->secret);
    return hooks->url[0] != '\0' &&
           flight_begin(hooks->multi, flight, queued, hooks->url, hooks->has_secret ? &hooks->secret : NULL);
}

/* Begins what is due while there is room. Returns how long the thread may sleep, or -1: stop. */
static int begin_due(struct webhooks *hooks)
{
    int64_t now = clock_read().mono_ms, next = INT64_MAX;
    pthread_mutex_lock(&hooks->lock);
    struct flight *flight;
    struct queued *queued;
    while (!hooks->paused && !hooks->stopping && (flight = flight_free(hooks)) != NULL &&
           (queued = queue_take(hooks, now)) != NULL) {
        if (begin_one(hooks, flight, queued)) {
            hooks->in_flight++;
            continue;
        }
        hooks->dropped++;
        queued_free(queued);
    }
    if (!hooks->paused && flight_free(hooks) != NULL) {
        next = sandbox_due_next_ms(&hooks->lines);
        if (messages_may_fly(hooks) && sandbox_due_next_ms(&hooks->messages) < next)
            next = sandbox_due_next_ms(&hooks->messages);
    }
    bool stop = hooks->stopping;
    pthread_mutex_unlock(&hooks->lock);
    if (stop)
        return -1;
    return next == INT64_MAX || next - now > POLL_MS_MAX ? POLL_MS_MAX : next > now ? (int)(next - now) : 0;
}

static void *sender(void *context)
{
    struct webhooks *hooks = context;
    int wait_ms;
    while ((wait_ms = begin_due(hooks)) >= 0) {
        int running;
        curl_multi_perform(hooks->multi, &running);
        CURLMsg *message;
        int left;
        bool ended = false;
        while ((message = curl_multi_info_read(hooks->multi, &left)) != NULL) {
            struct flight *flight = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&flight);
            flight_over(hooks, flight, message->data.result);
            ended = true;
        }
        if (!ended)
            curl_multi_poll(hooks->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

/* ---- for other threads ---- */

static struct queued *queued_new(const struct webhooks *hooks, const struct webhook_event *event,
                                 struct webhook_target *target)
{
    struct queued *queued = calloc(1, sizeof *queued);
    if (queued == NULL)
        return NULL;
    queued->event = *event;
    queued->event.body = (struct json_out){0};
    json_put_raw(&queued->event.body, event->body.text, event->body.bytes);
    queued->target = webhook_target_keep(target);
    queued->bad_signature = hooks->bad_signature;
    return queued;
}

/* The last come goes first; far enough apart to arrive so. */
static void gathered_release(struct webhooks *hooks, int64_t now_mono_ms)
{
    size_t count = hooks->gathered_count;
    for (size_t i = 0; i < count; i++)
        queue_insert(hooks, hooks->gathered[count - 1 - i], now_mono_ms + (int64_t)i * REVERSED_APART_MS);
    hooks->gathered_count = 0;
}

static void gather(struct webhooks *hooks, struct queued *queued, bool is_last)
{
    hooks->gathered[hooks->gathered_count++] = queued;
    if (is_last || hooks->gathered_count == WEBHOOK_REVERSE_MAX)
        gathered_release(hooks, clock_read().mono_ms);
}

static void push_one(struct webhooks *hooks, const struct webhook_event *event, struct webhook_target *target,
                     int64_t due_mono_ms)
{
    struct webhook_fate fate = webhook_faults_draw(&hooks->faults, event->type);
    unsigned copies = fate.copies * hooks->copies;
    hooks->lost += copies == 0;
    for (unsigned i = 0; i < copies; i++) {
        struct queued *queued = queued_new(hooks, event, target);
        int64_t due = due_mono_ms + fate.delay_ms + (i > 0 ? hooks->faults.twice_ms : 0);
        if (queued == NULL || queued->event.body.failed) {
            hooks->dropped++;
            queued_free(queued);
        } else if (fate.reverses) {
            gather(hooks, queued, fate.is_last_reversed && i + 1 == copies);
        } else {
            queue_insert(hooks, queued, due);
        }
    }
}

void sandbox_webhooks_push(struct webhooks *hooks, const struct webhook_event *event, struct webhook_target *target,
                           int64_t due_mono_ms)
{
    pthread_mutex_lock(&hooks->lock);
    if ((target != NULL || hooks->url[0] != '\0') && !event->body.failed)
        push_one(hooks, event, target, due_mono_ms);
    else
        hooks->dropped++;
    pthread_mutex_unlock(&hooks->lock);
    curl_multi_wakeup(hooks->multi);
}

const char *sandbox_webhooks_spoil(struct webhooks *hooks, const cJSON *changes)
{
    pthread_mutex_lock(&hooks->lock);
    const char *wrong = webhook_faults_set(&hooks->faults, changes);
    if (hooks->faults.reverse_next == 0)
        gathered_release(hooks, clock_read().mono_ms);
    pthread_mutex_unlock(&hooks->lock);
    curl_multi_wakeup(hooks->multi);
    return wrong;
}

void sandbox_webhooks_mend(struct webhooks *hooks)
{
    pthread_mutex_lock(&hooks->lock);
    webhook_faults_init(&hooks->faults, hooks->faults.random);
    gathered_release(hooks, clock_read().mono_ms);
    pthread_mutex_unlock(&hooks->lock);
    curl_multi_wakeup(hooks->multi);
}

void sandbox_webhooks_faults_view(struct webhooks *hooks, struct json_out *out)
{
    pthread_mutex_lock(&hooks->lock);
    webhook_faults_view(&hooks->faults, out);
    pthread_mutex_unlock(&hooks->lock);
}

enum err sandbox_webhooks_target(struct webhooks *hooks, const char *url, const char *secret)
{
    struct webhook_secret parsed = {0};
    if (secret != NULL && !webhook_secret_parse(secret, &parsed))
        return ERR_BAD_INPUT;
    if (url != NULL &&
        (strlen(url) > WEBHOOK_URL_BYTES_MAX ||
         (url[0] != '\0' && strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)))
        return ERR_BAD_INPUT;
    pthread_mutex_lock(&hooks->lock);
    if (url != NULL)
        snprintf(hooks->url, sizeof hooks->url, "%s", url);
    if (secret != NULL) {
        hooks->secret = parsed;
        hooks->has_secret = true;
    }
    pthread_mutex_unlock(&hooks->lock);
    sodium_memzero(&parsed, sizeof parsed);
    return ERR_NONE;
}

bool sandbox_webhooks_has_target(struct webhooks *hooks)
{
    pthread_mutex_lock(&hooks->lock);
    bool has = hooks->url[0] != '\0';
    pthread_mutex_unlock(&hooks->lock);
    return has;
}

void sandbox_webhooks_pause(struct webhooks *hooks, bool paused)
{
    pthread_mutex_lock(&hooks->lock);
    hooks->paused = paused;
    pthread_mutex_unlock(&hooks->lock);
    curl_multi_wakeup(hooks->multi);
}

void sandbox_webhooks_distort(struct webhooks *hooks, unsigned copies, bool bad_signature)
{
    pthread_mutex_lock(&hooks->lock);
    hooks->copies = copies;
    hooks->bad_signature = bad_signature;
    pthread_mutex_unlock(&hooks->lock);
}

void sandbox_webhooks_view(struct webhooks *hooks, uint64_t after, size_t limit, const char *type,
                           struct json_out *out)
{
    pthread_mutex_lock(&hooks->lock);
    json_open(out, '{');
    json_key(out, "url_set");
    json_put_bool(out, hooks->url[0] != '\0');
    json_key(out, "paused");
    json_put_bool(out, hooks->paused);
    put_int(out, "queued", (int64_t)(hooks->queued + hooks->gathered_count));
    put_int(out, "in_flight", hooks->in_flight);
    put_int(out, "answered", (int64_t)hooks->answered);
    put_int(out, "dropped", (int64_t)hooks->dropped);
    put_int(out, "lost", (int64_t)hooks->lost);
    webhook_history_view(&hooks->history, after, limit, type, out);
    json_close(out, '}');
    pthread_mutex_unlock(&hooks->lock);
}

/* ---- start and stop ---- */

static void hooks_free(struct webhooks *hooks)
{
    for (unsigned i = 0; hooks->flights != NULL && i < hooks->settings.in_flight_max; i++)
        flight_close(hooks->multi, &hooks->flights[i]);
    for (size_t i = 0; i < hooks->gathered_count; i++)
        queued_free(hooks->gathered[i]);
    if (hooks->multi != NULL)
        curl_multi_cleanup(hooks->multi);
    struct queued *queued;
    hooks->in_flight = 0;
    while ((queued = queue_take(hooks, INT64_MAX)) != NULL)
        queued_free(queued);
    sandbox_due_free(&hooks->lines);
    sandbox_due_free(&hooks->messages);
    pthread_mutex_destroy(&hooks->lock);
    sodium_memzero(&hooks->secret, sizeof hooks->secret);
    webhook_history_free(&hooks->history);
    free(hooks->flights);
    free(hooks);
}

enum err sandbox_webhooks_start(struct webhooks **out, const struct webhook_settings *settings,
                                struct request_log *log)
{
    struct webhooks *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL)
        return ERR_NO_MEMORY;
    hooks->settings = *settings;
    hooks->log = log;
    hooks->copies = 1;
    webhook_faults_init(&hooks->faults, settings->seed);
    pthread_mutex_init(&hooks->lock, NULL);
    hooks->multi = curl_multi_init();
    hooks->flights = calloc(settings->in_flight_max, sizeof *hooks->flights);
    bool made = hooks->multi != NULL && hooks->flights != NULL;
    for (unsigned i = 0; made && i < settings->in_flight_max; i++)
        made = flight_open(&hooks->flights[i], settings->timeout_ms);
    if (!made || pthread_create(&hooks->thread, NULL, sender, hooks) != 0) {
        hooks_free(hooks);
        return ERR_NO_MEMORY;
    }
    *out = hooks;
    return ERR_NONE;
}

void sandbox_webhooks_stop(struct webhooks **hooks_p)
{
    struct webhooks *hooks = *hooks_p;
    if (hooks == NULL)
        return;
    pthread_mutex_lock(&hooks->lock);
    hooks->stopping = true;
    pthread_mutex_unlock(&hooks->lock);
    curl_multi_wakeup(hooks->multi);
    pthread_join(hooks->thread, NULL);
    hooks_free(hooks);
    *hooks_p = NULL;
}
