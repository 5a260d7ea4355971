/* options.h — the command line of lineward-sandbox, read and checked. */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"
#include "lineward/words.h"

#define OPTIONS_LINES_MAX 100000

struct sandbox_endpoint {
    char address[16]; /* numeric IPv4 */
    uint16_t port;    /* 0: any free one */
};

struct sandbox_option_line {
    char number[E164_MAX_BYTES + 1];
    enum reputation reputation;
    enum service service;
};

struct sandbox_options {
    struct sandbox_endpoint listen, control;
    bool has_control;
    const char *api_key;                                 /* NULL: any key is taken */
    const char *webhook_url, *webhook_secret, *log_path; /* NULL: none */
    struct sandbox_option_line *lines;
    size_t line_count;
    int64_t seed, latency_ms, webhook_retry_ms, webhook_timeout_ms, sent_ms, delivered_ms;
    int64_t pair_limit, messages_max, threads, audit_ms, audit_cooldown_ms;
    cJSON *config; /* of --config; NULL: none. Texts above may be lent from it */
    bool status_events_only, model;
    int64_t model_speed;
};

enum options_outcome { OPTIONS_GOOD, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

/* What the command line says goes before the file of --config, lines excepted: they add up. Texts in *out are lent
 * from argv or the file's tree; free the rest with sandbox_options_free(), whatever the outcome.
 * OPTIONS_BAD: *problem says what is wrong. */
enum options_outcome sandbox_options_read(struct sandbox_options *out, int argc, char **argv, char *problem,
                                          size_t room);
void sandbox_options_free(struct sandbox_options *options);

extern const char sandbox_options_help[];

#endif
