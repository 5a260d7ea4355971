/* provider.h — what a provider must offer so that the worker can send through it. Pure: builds requests and
 * reads answers, does no I/O. Linq is the first (provider_linq.c); the sandbox speaks Linq too. */
#ifndef LINEWARD_PROVIDER_H
#define LINEWARD_PROVIDER_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "disposition.h"
#include "lineward/err.h"

struct provider_job { /* what the lease says; all lent */
    const char *line;
    const char *const *to;
    size_t to_count;
    const char *chat_id; /* NULL: not started */
    const char *message; /* the producer's JSON object, byte for byte */
    size_t message_bytes;
    const char *idempotency_key;
};

struct provider_request {
    char *url;  /* base_url + path; free() */
    char *body; /* free() */
    size_t body_bytes;
};

struct provider_answer {
    struct answer answer; /* for the disposition */
    char chat_id[256], message_id[256], trace_id[65], message[256];
};

struct provider {
    const char *name;
    /* ERR_BAD_INPUT: with this message, or this chat id, there is no request. */
    enum err (*request)(const char *base_url, const struct provider_job *job, struct provider_request *out);
    /* `retry_after` and `trace` are header values or NULL. Never fails: what can't be read is left empty. */
    void (*read)(int http_status, const char *body, size_t bytes, const char *retry_after, const char *trace,
                 int64_t now_wall_ms, struct provider_answer *out);
};

extern const struct provider provider_linq;

#endif
