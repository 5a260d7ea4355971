/* lease_json.h — the two JSON documents between broker and worker (PROTOCOL, Workers): the job as leased, read, and
 * the result, written. Pure but for memory. */
#ifndef LINEWARD_LEASE_JSON_H
#define LINEWARD_LEASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disposition.h"
#include "lineward/err.h"
#include "lineward/wire.h"
#include "provider.h"

struct leased_job { /* texts belong to `document` and to the bytes it was read from */
    cJSON *document;
    const char *job, *account;
    int64_t attempt, lease_ms, expires_wall_ms; /* TIME_NEVER: does not expire */
    bool unsettled;
    const char *to[WIRE_RECIPIENTS_MAX];
    struct provider_job send; /* send.to is `to` above: do not copy the struct */
};

/* ERR_BAD_INPUT: not such a document, *why says what; nothing to free. Else leased_job_clear() it. */
enum err leased_job_read(const char *text, size_t bytes, struct leased_job *out, const char **why);
void leased_job_clear(struct leased_job *job);

/* The result of a try; `answer` is NULL where there was none, `error` a sentence for a person or NULL. malloc'ed,
 * NULL: out of memory. */
char *lease_result(const struct disposition *verdict, const struct provider_answer *answer, const char *error,
                   size_t *bytes);

#endif
