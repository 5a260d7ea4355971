/* sandbox_log.h — the sandbox from outside: its controls, and its log as it grows (docs/sandbox.md). */
#ifndef BENCH_SANDBOX_LOG_H
#define BENCH_SANDBOX_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/ids.h"
#include "lineward/words.h"

enum sandbox_record_kind {
    SANDBOX_SEND,   /* a send came in: line, mono_ms */
    SANDBOX_STATUS, /* a status event was answered 2xx: line, reputation, began_mono_ms, mono_ms of the answer */
};

struct sandbox_record {
    enum sandbox_record_kind kind;
    char line[E164_MAX_BYTES + 1];
    enum reputation reputation;
    int64_t began_mono_ms, mono_ms; /* as clock_read() counts */
};

struct sandbox_log;

/* Starts at the end of what is there. die() if it can't be read. */
struct sandbox_log *sandbox_log_follow(const char *path);
void sandbox_log_close(struct sandbox_log **log_p);
/* The next send or answered status event; false: none yet. Lines of other kinds are passed over. */
bool sandbox_log_next(struct sandbox_log *log, struct sandbox_record *out);

/* Sets a line's reputation; the webhook goes its own way. die() if refused. */
void sandbox_set_line(const char *control_url, const char *line, enum reputation reputation);

#endif
