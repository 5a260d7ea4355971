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
#include "tools/sandbox/webhook_history.h"

#define POLL_MS_MAX 60000
/* Of the flights, so many are kept for line events: a receiver that is slow with messages still hears of lines. */
#define LINE_FLIGHTS 4

struct queued {
    struct webhook_event event;
    unsigned attempt; /* the one under way, from 1 */
    bool bad_signature;
};

struct flight {
    struct webhooks *hooks;
    CURL *easy;
    struct curl_slist *headers;
    struct queued *queued; /* NULL: free */
    struct instant began, answered;
};

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
    uint64_t answered, dropped;
    struct webhook_history history;
};

static void queued_free(struct queued *queued)
{
    if (queued == NULL)
        return;
    json_out_free(&queued->event.body);
    free(queued);
}

/* ---- one attempt ---- */

static size_t body_ignored(char *data, size_t size, size_t count, void *context)
{
    return size * count;
}

/* The moment that counts for auditors is when the status line came, not when the transfer was tidied up. */
static size_t header_seen(char *data, size_t size, size_t count, void *context)
{
    struct flight *flight = context;
    if (size * count >= 5 && memcmp(data, "HTTP/", 5) == 0)
        flight->answered = clock_read();
    return size * count;
}

static bool header_add(struct flight *flight, const char *name, const char *value)
{
    char line[256];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(flight->headers, line);
    if (longer == NULL)
        return false;
    flight->headers = longer;
    return true;
}

static bool headers_make(struct flight *flight, const struct webhook_secret *secret)
{
    const struct webhook_event *event = &flight->queued->event;
    char timestamp[24], signature[SIGNATURE_TEXT_MAX];
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(flight->began.wall_ms / 1000));
    if (!header_add(flight, "Content-Type", "application/json") || !header_add(flight, "Expect", ""))
        return false;
    if (secret == NULL)
        return true;
    signature_make(secret, event->id, timestamp, event->body.text, event->body.bytes, signature);
    if (flight->queued->bad_signature) /* still base64 of 32 bytes, but of others */
        signature[4] = signature[4] == 'A' ? 'B' : 'A';
    return header_add(flight, "webhook-id", event->id) && header_add(flight, "webhook-timestamp", timestamp) &&
           header_add(flight, "webhook-signature", signature);
}

static void flight_clear(struct flight *flight)
{
    curl_slist_free_all(flight->headers);
    flight->headers = NULL;
    flight->queued = NULL;
}

/* False: nothing was begun, the event is still the caller's. */
static bool flight_begin(struct webhooks *hooks, struct flight *flight, struct queued *queued, const char *url,
                         const struct webhook_secret *secret)
{
    flight->queued = queued;
    flight->began = flight->answered = clock_read();
    queued->attempt++;
    if (!headers_make(flight, secret)) {
        flight_clear(flight);
        return false;
    }
    curl_easy_setopt(flight->easy, CURLOPT_URL, url);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDS, queued->event.body.text);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)queued->event.body.bytes);
    curl_easy_setopt(flight->easy, CURLOPT_HTTPHEADER, flight->headers);
    if (curl_multi_add_handle(hooks->multi, flight->easy) != CURLM_OK) {
        flight_clear(flight);
        return false;
    }
    return true;
}

/* ---- what came of it ---- */

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void log_answered(const struct webhooks *hooks, const struct flight *flight, long status)
{
    if (hooks->log == NULL)
        return;
    const struct webhook_event *event = &flight->queued->event;
    struct json_out line = {0};
    json_open(&line, '{');
    put_text(&line, "type", "webhook");
    put_text(&line, "event", event->type);
    put_text(&line, "event_id", event->id);
    put_text(&line, "line", event->line);
    if (event->is_status) {
        put_text(&line, "reputation", reputation_name(event->reputation));
        put_text(&line, "service", service_name(event->service));
        put_int(&line, "change", (int64_t)event->change);
        json_key(&line, "lie");
        json_put_bool(&line, event->is_lie);
    }
    put_int(&line, "attempt", flight->queued->attempt);
    put_int(&line, "http", status);
    put_int(&line, "began_mono_ms", flight->began.mono_ms);
    put_int(&line, "mono_ms", flight->answered.mono_ms);
    put_int(&line, "wall_ms", flight->answered.wall_ms);
    json_close(&line, '}');
    request_log_add(hooks->log, line.text, line.bytes);
    json_out_free(&line);
}

static bool worth_another_try(CURLcode result, long status)
{
    switch (result) {
    case CURLE_OK:
        return status >= 500 || status == 429;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return false;
    default:
        return true;
    }
}

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

static void flight_end(struct webhooks *hooks, struct flight *flight, CURLcode result)
{
    long status = 0;
    if (result == CURLE_OK)
        curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
    else
        flight->answered = clock_read();
    curl_multi_remove_handle(hooks->multi, flight->easy);
    bool good = status >= 200 && status < 300;
    if (good)
        log_answered(hooks, flight, status);

    struct queued *queued = flight->queued;
    pthread_mutex_lock(&hooks->lock);
    webhook_history_add(&hooks->history, &queued->event, queued->attempt, status, flight->began, flight->answered);
    hooks->in_flight--;
    hooks->answered += good;
    if (good) {
        queued_free(queued);
    } else if (queued->attempt < WEBHOOK_ATTEMPTS_MAX && worth_another_try(result, status)) {
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

/* Begins what is due while there is room. Returns how long the thread may sleep, or -1: stop. */
static int begin_due(struct webhooks *hooks)
{
    int64_t now = clock_read().mono_ms, next = INT64_MAX;
    pthread_mutex_lock(&hooks->lock);
    struct flight *flight;
    struct queued *queued;
    while (!hooks->paused && !hooks->stopping && (flight = flight_free(hooks)) != NULL &&
           (queued = queue_take(hooks, now)) != NULL) {
        if (hooks->url[0] != '\0' &&
            flight_begin(hooks, flight, queued, hooks->url, hooks->has_secret ? &hooks->secret : NULL)) {
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
            flight_end(hooks, flight, message->data.result);
            ended = true;
        }
        if (!ended)
            curl_multi_poll(hooks->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

/* ---- for other threads ---- */

void sandbox_webhooks_push(struct webhooks *hooks, struct webhook_event *event, int64_t due_mono_ms)
{
    pthread_mutex_lock(&hooks->lock);
    bool wanted = hooks->url[0] != '\0' && !event->body.failed;
    for (unsigned i = 0; wanted && i < hooks->copies; i++) {
        struct queued *queued = calloc(1, sizeof *queued);
        if (queued == NULL)
            break;
        queued->event = *event;
        queued->bad_signature = hooks->bad_signature;
        if (i + 1 < hooks->copies) { /* the last copy takes the body itself */
            queued->event.body = (struct json_out){0};
            json_put_raw(&queued->event.body, event->body.text, event->body.bytes);
        } else {
            event->body = (struct json_out){0};
        }
        queue_insert(hooks, queued, due_mono_ms);
    }
    hooks->dropped += !wanted;
    pthread_mutex_unlock(&hooks->lock);
    json_out_free(&event->body);
    curl_multi_wakeup(hooks->multi);
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
    put_int(out, "queued", (int64_t)hooks->queued);
    put_int(out, "in_flight", hooks->in_flight);
    put_int(out, "answered", (int64_t)hooks->answered);
    put_int(out, "dropped", (int64_t)hooks->dropped);
    webhook_history_view(&hooks->history, after, limit, type, out);
    json_close(out, '}');
    pthread_mutex_unlock(&hooks->lock);
}

/* ---- start and stop ---- */

static bool flight_open(struct webhooks *hooks, struct flight *flight)
{
    flight->hooks = hooks;
    flight->easy = curl_easy_init();
    if (flight->easy == NULL)
        return false;
    curl_easy_setopt(flight->easy, CURLOPT_PRIVATE, flight);
    curl_easy_setopt(flight->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(flight->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(flight->easy, CURLOPT_TIMEOUT_MS, (long)hooks->settings.timeout_ms);
    curl_easy_setopt(flight->easy, CURLOPT_WRITEFUNCTION, body_ignored);
    curl_easy_setopt(flight->easy, CURLOPT_HEADERFUNCTION, header_seen);
    curl_easy_setopt(flight->easy, CURLOPT_HEADERDATA, flight);
    return true;
}

static void hooks_free(struct webhooks *hooks)
{
    for (unsigned i = 0; hooks->flights != NULL && i < hooks->settings.in_flight_max; i++) {
        struct flight *flight = &hooks->flights[i];
        if (flight->queued != NULL)
            curl_multi_remove_handle(hooks->multi, flight->easy);
        queued_free(flight->queued);
        flight_clear(flight);
        curl_easy_cleanup(flight->easy);
    }
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
    pthread_mutex_init(&hooks->lock, NULL);
    hooks->multi = curl_multi_init();
    hooks->flights = calloc(settings->in_flight_max, sizeof *hooks->flights);
    bool made = hooks->multi != NULL && hooks->flights != NULL;
    for (unsigned i = 0; made && i < settings->in_flight_max; i++)
        made = flight_open(hooks, &hooks->flights[i]);
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
