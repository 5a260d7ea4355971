/* outcomes.h — the poster of outcome webhooks: a child of the broker that signs what the broker gives it, posts it, and
 * says what became of it. It reads answers of the open network and holds the pools' secrets, and has neither the store's
 * files nor any say in what is posted when: that is the broker's (edge/outcomes.h).
 *
 * They speak over a socketpair that keeps messages apart (SOCK_SEQPACKET), in this program's own layout: both ends are
 * one program. What the child says is checked all the same. */
#ifndef LINEWARD_OUTCOMES_H
#define LINEWARD_OUTCOMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/conf.h"
#include "lineward/err.h"

#define OUTCOME_BODY_BYTES_MAX   65536 /* an event is far smaller: its `meta` is 4 KiB at most */
#define OUTCOME_ID_MAX           63
#define OUTCOME_PACKET_BYTES_MAX (OUTCOME_BODY_BYTES_MAX + 512)
#define OUTCOME_ANSWER_BYTES_MAX 65536 /* of an answer's body, which nobody reads; more is cut off */
#define OUTCOME_CONNECT_MS       5000

/* Why there was no 2xx. Words of the API. */
#define OUTCOME_PROBLEM_LIST(X)                                                                                      \
    X(NONE, "none")                                                                                                  \
    X(STATUS, "status")                 /* an answer, but no 2xx */                                                  \
    X(NOT_RESOLVED, "not_resolved")     /* the host's name has no address */                                         \
    X(ADDRESS_REFUSED, "address_refused") /* it has, but none that broker.outcome_hosts allows */                    \
    X(NOT_CONNECTED, "not_connected")                                                                                \
    X(TLS, "tls")                       /* no trusted connection */                                                  \
    X(TIMEOUT, "timeout")                                                                                            \
    X(BROKEN, "broken")                 /* the connection ended, or what came is no HTTP */                          \
    X(NO_SECRET, "no_secret")           /* outcome_secrets_file holds none that can be read */                       \
    X(NOT_CONFIGURED, "not_configured") /* the child's configuration has no such pool: it changed meanwhile */       \
    X(NO_MEMORY, "no_memory")

enum outcome_problem {
#define X(name, text) OUTCOME_PROBLEM_##name,
    OUTCOME_PROBLEM_LIST(X)
#undef X
        OUTCOME_PROBLEM_COUNT
};
const char *outcome_problem_name(enum outcome_problem problem); /* never NULL, "?" outside the enum */

struct outcome_post { /* broker → child; what it points to is lent */
    uint64_t request;
    char pool[NAME_MAX_BYTES + 1];
    char id[OUTCOME_ID_MAX + 1]; /* the header webhook-id */
    const char *body;
    size_t bytes;
};

struct outcome_result { /* child → broker */
    uint64_t request;
    enum outcome_problem problem; /* NONE: 2xx */
    int status;                   /* 0: no answer */
    int64_t retry_after_ms;       /* 0: none */
};

/* Into packet[OUTCOME_PACKET_BYTES_MAX]; the bytes, 0: it does not fit. */
size_t outcome_post_encode(const struct outcome_post *post, uint8_t *packet);
/* `body` points into the packet. False: it is none of ours. */
bool outcome_post_decode(const uint8_t *packet, size_t bytes, struct outcome_post *out);
#define OUTCOME_RESULT_BYTES 32
size_t outcome_result_encode(const struct outcome_result *result, uint8_t packet[OUTCOME_RESULT_BYTES]);
bool outcome_result_decode(const uint8_t *packet, size_t bytes, struct outcome_result *out);

/* Runs the child on `fd` until the broker's end closes, or closes for writing: then what is under way is ended first. Its
 * exit code. In a process of its own, as feed_run(). */
int outcomes_run(int fd, const struct conf *conf);

#endif
