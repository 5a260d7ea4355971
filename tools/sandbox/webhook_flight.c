/* webhook_flight.c — see its header. */
#include "tools/sandbox/webhook_flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/conf.h"

void queued_free(struct queued *queued)
{
    if (queued == NULL)
        return;
    webhook_target_release(&queued->target);
    json_out_free(&queued->event.body);
    free(queued);
}

/* ---- beginning ---- */

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

void flight_clear(struct flight *flight)
{
    curl_slist_free_all(flight->headers);
    flight->headers = NULL;
    flight->queued = NULL;
}

bool flight_begin(CURLM *multi, struct flight *flight, struct queued *queued, const char *url,
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
    curl_easy_setopt(flight->easy, CURLOPT_NOPROXY, conf_endpoint_is_local(url) ? "*" : NULL);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDS, queued->event.body.text);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)queued->event.body.bytes);
    curl_easy_setopt(flight->easy, CURLOPT_HTTPHEADER, flight->headers);
    if (curl_multi_add_handle(multi, flight->easy) != CURLM_OK) {
        flight_clear(flight);
        return false;
    }
    return true;
}

/* ---- what came of it ---- */

long flight_end(CURLM *multi, struct flight *flight, CURLcode result)
{
    long status = 0;
    if (result == CURLE_OK)
        curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
    else
        flight->answered = clock_read();
    curl_multi_remove_handle(multi, flight->easy);
    return status;
}

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

void flight_log(struct request_log *log, const struct flight *flight, long status)
{
    if (log == NULL)
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
    request_log_add(log, line.text, line.bytes);
    json_out_free(&line);
}

bool flight_worth_another(CURLcode result, long status)
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

/* ---- the transfer itself ---- */

bool flight_open(struct flight *flight, int64_t timeout_ms)
{
    flight->easy = curl_easy_init();
    if (flight->easy == NULL)
        return false;
    curl_easy_setopt(flight->easy, CURLOPT_PRIVATE, flight);
    curl_easy_setopt(flight->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(flight->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(flight->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(flight->easy, CURLOPT_WRITEFUNCTION, body_ignored);
    curl_easy_setopt(flight->easy, CURLOPT_HEADERFUNCTION, header_seen);
    curl_easy_setopt(flight->easy, CURLOPT_HEADERDATA, flight);
    return true;
}

void flight_close(CURLM *multi, struct flight *flight)
{
    if (flight->queued != NULL)
        curl_multi_remove_handle(multi, flight->easy);
    queued_free(flight->queued);
    flight_clear(flight);
    curl_easy_cleanup(flight->easy);
}
