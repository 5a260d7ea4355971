/* faults.h — what goes wrong on purpose: which requests, how, how often, drawn from a seed. Pure.
 *
 * A fault is drawn once for each request that it may hit, in the order in which they come, so that a run with
 * one client repeats itself exactly. */
#ifndef SANDBOX_FAULTS_H
#define SANDBOX_FAULTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"

/* name in the log, key at the control port, taken before it goes wrong, provider's code (0: none), what follows */
#define FAULT_LIST(X)                                                                                                \
    X(NONE, NULL, NULL, false, 0, FAULT_ANSWERS)                                                                     \
    X(RATE_LIMITED, "429", "rate_429", false, 1007, FAULT_ANSWERS)                                                   \
    X(SERVER_ERROR, "500", "rate_500", false, 3001, FAULT_ANSWERS)                                                   \
    X(UNAVAILABLE, "503", "rate_503", false, 4004, FAULT_ANSWERS)                                                    \
    X(RESET, "reset", "rate_reset", false, 0, FAULT_RESETS)                                                          \
    X(SILENCE, "silence", "rate_silence", false, 0, FAULT_IS_SILENT)                                                 \
    X(RESET_AFTER_ACCEPT, "reset_after_accept", "rate_reset_after_accept", true, 0, FAULT_RESETS)                    \
    X(TIMEOUT, "timeout", "rate_timeout", true, 0, FAULT_IS_SILENT)                                                  \
    X(GATEWAY_TIMEOUT, "504_after_accept", "rate_504_after_accept", true, 3005, FAULT_ANSWERS)

enum fault {
#define X(name, text, key, accepts, code, effect) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_COUNT
};

enum fault_effect {
    FAULT_ANSWERS,   /* an error answer, or none of its own */
    FAULT_RESETS,    /* the connection is reset, unanswered */
    FAULT_IS_SILENT, /* no answer for `silence_ms`, then closed */
};

enum fault_target { FAULT_ON_SENDS, FAULT_ON_READS, FAULT_ON_ALL };

struct faults {
    double rate[FAULT_COUNT];           /* probabilities; their sum counts up to 1 */
    bool down;                          /* every request is reset before it is looked at */
    enum fault_target target;           /* whom all this hits, latency too */
    char only_line[E164_MAX_BYTES + 1]; /* "": all */
    int64_t latency_ms, jitter_ms;      /* answers wait latency_ms plus 0..jitter_ms */
    int64_t retry_after_s;              /* with 429; -1: no hint */
    int64_t silence_ms;
    uint64_t random;
};

void faults_init(struct faults *faults, uint64_t seed, int64_t latency_ms);

/* Takes over the members given in `changes`; NULL, or the name of the member that is unknown or out of range (it
 * lives as long as `changes`), and then nothing changed. */
const char *faults_set(struct faults *faults, const cJSON *changes);

/* The fault of the next request. `line` NULL: it is about no line (then `only_line` excludes it). */
enum fault faults_draw(struct faults *faults, bool is_send, const char *line);
/* How long its answer must wait. */
int64_t faults_delay_ms(struct faults *faults, bool is_send, const char *line);

const char *fault_name(enum fault fault); /* NULL for FAULT_NONE */
const char *fault_rate_key(enum fault fault);
bool fault_accepts(enum fault fault);
int fault_code(enum fault fault);
enum fault_effect fault_effect(enum fault fault);

#endif
