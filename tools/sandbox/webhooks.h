/* webhooks.h — events on their way to the receiver: signed, several in flight, tried again with growing waits
 * (linq-api.md 3.5, 3.6), on a thread of their own.
 *
 * Line events go before message events when both are due: at the provider one customer's traffic does not hold
 * up another event either. Safe from any thread. */
#ifndef SANDBOX_WEBHOOKS_H
#define SANDBOX_WEBHOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/err.h"
#include "lineward/json.h"
#include "lineward/words.h"
#include "tools/sandbox/request_log.h"
#include "tools/sandbox/webhook_faults.h"
#include "tools/sandbox/webhook_target.h"
#include "tools/sandbox/world.h"

#define WEBHOOK_ATTEMPTS_MAX  10
#define WEBHOOK_QUEUE_MAX     200000
#define WEBHOOK_HISTORY_MAX   65536
#define WEBHOOK_URL_BYTES_MAX 2048

/* What is sent, and what the log says of it. */
struct webhook_event {
    const char *type; /* static */
    char id[WORLD_ID_TEXT_MAX];
    char line[E164_MAX_BYTES + 1];
    bool is_status; /* phone_number.status_updated: the members below count */
    bool is_lie;    /* says what is not so, on purpose */
    enum reputation reputation;
    enum service service;
    uint64_t change;
    struct json_out body;
};

struct webhook_settings {
    uint64_t seed;    /* of what befalls events */
    int64_t retry_ms; /* the first wait; doubles with each attempt */
    int64_t timeout_ms;
    unsigned in_flight_max;
};

struct webhooks;

/* Starts without a receiver. `log` is lent (NULL: none). */
enum err sandbox_webhooks_start(struct webhooks **out, const struct webhook_settings *settings,
                                struct request_log *log);
void sandbox_webhooks_stop(struct webhooks **hooks_p); /* what is queued or in flight is dropped */

/* Sets the receiver; NULL keeps what there is, url "" takes it away (events are then dropped and counted).
 * ERR_BAD_INPUT: no http(s) URL, or no such secret. */
enum err sandbox_webhooks_target(struct webhooks *hooks, const char *url, const char *secret);
bool sandbox_webhooks_has_target(struct webhooks *hooks);

/* While paused events gather and none is begun. */
void sandbox_webhooks_pause(struct webhooks *hooks, bool paused);
/* The next events are sent `copies` times (1: once), and with a wrong signature if asked. */
void sandbox_webhooks_distort(struct webhooks *hooks, unsigned copies, bool bad_signature);

/* Sends a copy of the event when `due_mono_ms` has come, to `target` (NULL: the receiver set here), unless the faults
 * want it otherwise. A full queue drops it, and counts that. */
void sandbox_webhooks_push(struct webhooks *hooks, const struct webhook_event *event, struct webhook_target *target,
                           int64_t due_mono_ms);

/* What befalls the next events: see webhook_faults_set(). Events kept back for reversal go out when that ends. */
const char *sandbox_webhooks_spoil(struct webhooks *hooks, const cJSON *changes);
void sandbox_webhooks_mend(struct webhooks *hooks);
void sandbox_webhooks_faults_view(struct webhooks *hooks, struct json_out *out);

/* {"url_set","paused","queued","in_flight","answered","dropped","lost","attempts":[…],"next"}: attempts numbered
 * above `after`, oldest first, at most `limit`, of one type (NULL: all). */
void sandbox_webhooks_view(struct webhooks *hooks, uint64_t after, size_t limit, const char *type,
                           struct json_out *out);

#endif
