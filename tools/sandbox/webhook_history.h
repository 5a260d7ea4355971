/* webhook_history.h — every attempt to deliver an event, the latest WEBHOOK_HISTORY_MAX of them. No lock: its owner
 * lets one caller in at a time. */
#ifndef SANDBOX_WEBHOOK_HISTORY_H
#define SANDBOX_WEBHOOK_HISTORY_H

#include "tools/sandbox/webhooks.h"

#define WEBHOOK_HISTORY_MAX 65536

struct webhook_attempt;

struct webhook_history {              /* all zero: empty */
    struct webhook_attempt *attempts; /* a ring, grown as needed */
    size_t room;
    uint64_t count; /* ever added */
};

/* `status` 0: there was no answer. Out of memory: the attempt is left out. */
void webhook_history_add(struct webhook_history *history, const struct webhook_event *event, unsigned attempt,
                         long status, struct instant began, struct instant answered);
/* Writes the members "attempts" and "next" into the open object: see sandbox_webhooks_view(). */
void webhook_history_view(const struct webhook_history *history, uint64_t after, size_t limit, const char *type,
                          struct json_out *out);
void webhook_history_free(struct webhook_history *history);

#endif
