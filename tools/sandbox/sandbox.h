/* sandbox.h — one running sandbox: the provider's world, what goes wrong in it, and who hears of it.
 *
 * api.c answers the provider's own calls, control.c those of the person at the controls, events.c makes webhooks
 * and log lines of what happened. `lock` guards world, faults and the counters; whoever holds it may call
 * webhooks and log, which never call back. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <pthread.h>
#include <stdint.h>

#include "tools/sandbox/audits.h"
#include "tools/sandbox/faults.h"
#include "tools/sandbox/http_server.h"
#include "tools/sandbox/listing.h"
#include "tools/sandbox/model_run.h"
#include "tools/sandbox/options.h"
#include "tools/sandbox/request_log.h"
#include "tools/sandbox/rules.h"
#include "tools/sandbox/subscriptions.h"
#include "tools/sandbox/ticker.h"
#include "tools/sandbox/webhooks.h"
#include "tools/sandbox/world.h"

struct sandbox {
    const struct sandbox_options *options;
    pthread_mutex_t lock;
    struct world *world;
    struct faults faults;
    struct rules rules;
    struct listing listing;
    struct audits audits;
    struct subscriptions subscriptions;
    struct model_run model;
    struct ticker *ticker;
    uint64_t requests, events, faulted[FAULT_COUNT], ruled;
    struct request_log *log; /* NULL: none asked for */
    struct webhooks *webhooks;
    struct sandbox_http *api, *control; /* control NULL: none asked for */
};

/* Starts everything that `options` (lent) asks for. On error *problem is a sentence for the person. */
enum err sandbox_start(struct sandbox **out, const struct sandbox_options *options, char *problem, size_t room);
/* Ends in order: no more requests, all answers logged, the log closed. */
void sandbox_stop(struct sandbox **sandbox_p);

/* api.c, control.c */
struct http_handler sandbox_api_handler(struct sandbox *sandbox);
struct http_handler sandbox_control_handler(struct sandbox *sandbox);

#define SANDBOX_DRIVERS_MAX 8
/* What an audit of the line names as its drivers, the strongest first; static texts. Returns how many. */
size_t sandbox_line_drivers(const struct sandbox *sandbox, uint32_t line, const char *out[SANDBOX_DRIVERS_MAX]);

/* ---- events.c: all with the lock held ---- */

/* chat.created (to subscriptions) of a chat that was not there, message.sent, and message.delivered for direct chats,
 * of a message just accepted. */
void sandbox_event_accepted(struct sandbox *sandbox, uint32_t message, struct instant now);
/* message.read or message.received now. */
void sandbox_event_message(struct sandbox *sandbox, const char *type, uint32_t message, struct instant now);
void sandbox_event_failed(struct sandbox *sandbox, uint32_t message, int code, struct instant now);

struct line_change {
    uint32_t line;
    enum reputation before, after;
    enum service service_before, service_after;
    int64_t changed_wall_ms; /* as the webhook tells it */
    bool lie;                /* the world did not change */
};
void sandbox_event_status(struct sandbox *sandbox, const struct line_change *change, struct instant now);
/* Makes it so (unless it is a lie), logs it, tells the list and the receivers if asked. */
void sandbox_change_line(struct sandbox *sandbox, const struct line_change *change, bool listed, bool tell,
                         struct instant now);
/* The log's record of what a line truly is now. */
void sandbox_log_line(struct sandbox *sandbox, uint32_t line, struct instant now);

#endif
