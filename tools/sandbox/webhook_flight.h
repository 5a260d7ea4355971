/* webhook_flight.h — one attempt to deliver an event: a transfer of libcurl's, its headers and signature, and what is
 * told of it afterwards. Private to webhooks.c; all on its thread. */
#ifndef SANDBOX_WEBHOOK_FLIGHT_H
#define SANDBOX_WEBHOOK_FLIGHT_H

#include <curl/curl.h>

#include "lineward/signature.h"
#include "tools/sandbox/webhooks.h"

struct queued {
    struct webhook_event event;
    struct webhook_target *target; /* NULL: the receiver of the options or the controls */
    unsigned attempt;              /* the one under way, from 1 */
    bool bad_signature;
};

struct flight {
    CURL *easy;
    struct curl_slist *headers;
    struct queued *queued; /* NULL: free */
    struct instant began, answered;
};

void queued_free(struct queued *queued); /* NULL is fine */

bool flight_open(struct flight *flight, int64_t timeout_ms);
void flight_close(CURLM *multi, struct flight *flight); /* what is under way is dropped */

/* Takes `queued` into the air. `secret` NULL: unsigned. False: nothing was begun, the event is still the caller's. */
bool flight_begin(CURLM *multi, struct flight *flight, struct queued *queued, const char *url,
                  const struct webhook_secret *secret);
/* After the transfer is over: the HTTP status, 0: none; the moment of the answer. The event stays until
 * flight_clear(). */
long flight_end(CURLM *multi, struct flight *flight, CURLcode result);
void flight_clear(struct flight *flight); /* forgets the event without freeing it */

/* The log's line of an event that was taken. */
void flight_log(struct request_log *log, const struct flight *flight, long status);
/* 5xx, 429 and what never was answered come again, other refusals do not (linq-api.md 3.6). */
bool flight_worth_another(CURLcode result, long status);

#endif
