/* broker_link.h — one broker, seen from a worker (PROTOCOL, Workers): one DEALER, READY, JOB, RESULT, DONE, REVOKE,
 * BEAT, BYE. Holds the leases of that broker; what a job asks for is the worker's business, through the hooks.
 *
 * READY is said as soon as there is a connection, when the broker no longer knows us or our key, and over a new
 * connection when it stays silent. Before saying it every lease not begun is dropped, and no JOB is taken before the
 * answer: what READY did not name was never begun, and the broker counts on that. At most one READY is unanswered on a
 * connection, so an answer cannot be taken for that of another. */
#ifndef LINEWARD_BROKER_LINK_H
#define LINEWARD_BROKER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leases.h"
#include "lineward/clock.h"
#include "lineward/err.h"
#include "lineward/wire.h"

#define LINK_RESULTS_KEPT_MAX 16384 /* results without DONE; jobs beyond that go back */

struct broker_link;

struct link_hooks {
    /* A new lease, waiting. The hook sends it, or answers it with broker_link_answer(). `json` is lent. */
    void (*job)(void *context, struct lease *lease, struct frame json);
    /* The request of a waiting lease is taken back before a byte of it leaves: the hook stops it for good. */
    void (*withdraw)(void *context, struct lease *lease);
};

struct link_settings {
    const char *endpoint;
    const char *worker, *instance; /* label, and random per process and broker */
    size_t slots;
    int64_t heartbeat_ms;                /* until the broker tells its own */
    const char *secret_key, *broker_key; /* Z85; NULL: no CURVE */
    int epoll_fd;
    uint64_t epoll_data; /* what the link's events carry */
};

/* All strings are copied; `zmq` and hooks' `context` are lent. ERR_IO: the endpoint or a key is no good. */
enum err broker_link_open(struct broker_link **out, void *zmq, const struct link_settings *settings,
                          const struct link_hooks *hooks, void *context);
void broker_link_free(struct broker_link **link_p); /* no hook is called any more */

/* Reads what has come. Call it each turn: ZeroMQ's descriptor tells of a change only once. */
void broker_link_read(struct broker_link *link, struct instant now);
/* Says what is due: READY, BEAT, results. True: more has come meanwhile, read again before waiting. */
bool broker_link_write(struct broker_link *link, struct instant now);
/* When broker_link_write() is needed at the latest; INT64_MAX: not without an event. */
int64_t broker_link_due_mono_ms(const struct broker_link *link);

/* May a request of this broker's begin now? The last BEAT answered was sent less than three heartbeats ago. */
bool broker_link_is_fresh(const struct broker_link *link, int64_t now_mono_ms);

/* The process was stopped until now (beats_doubt()). */
void broker_link_doubt(struct broker_link *link, int64_t now_mono_ms);

/* The lease's result, taken over: malloc'ed JSON. Goes out with the next broker_link_write(). NULL (out of memory):
 * the lease is forgotten here and lapses at the broker. */
void broker_link_answer(struct broker_link *link, struct lease *lease, char *result, size_t bytes);

/* No more jobs: says BYE, and gives back what has not begun. */
void broker_link_end(struct broker_link *link);
/* Leases without DONE. */
size_t broker_link_leases(const struct broker_link *link);
size_t broker_link_in_hand(const struct broker_link *link);

#endif
