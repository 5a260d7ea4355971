/* leases.h — the leases that a worker has in hand with one broker, until their result is durable there. Pure.
 *
 * A lease is waiting until a byte of its request may have left, then begun, then answered; it is forgotten with
 * DONE. Answered leases stand in a queue: what is to be said first, what was said longest ago next. */
#ifndef LINEWARD_LEASES_H
#define LINEWARD_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lineward/ids.h"

struct send;
struct broker_link;

enum lease_phase { LEASE_WAITING, LEASE_BEGUN, LEASE_ANSWERED };

struct lease {
    char id[LEASE_TEXT_MAX];
    enum lease_phase phase; /* written by leases.c and lease_begin() only */
    bool revoked;           /* after it had begun: nothing of it is written a second time */

    /* Of the worker, from the job as leased: */
    struct broker_link *link;
    struct send *send; /* while waiting or begun */
    char job[JOB_NUMBER_TEXT_MAX];
    char line[E164_MAX_BYTES + 1];
    int64_t attempt;
    bool has_chat, unsettled;
    int64_t expires_wall_ms;  /* TIME_NEVER: not */
    int64_t deadline_mono_ms; /* by then the request has ended */

    /* Of the table: */
    char *result; /* JSON, when answered */
    size_t result_bytes;
    int64_t said_mono_ms; /* when the result went out last; -1: not on this connection */
    LIST_ENTRY(lease) same_bucket;
    TAILQ_ENTRY(lease) place; /* among those in hand, to say, or said */
};
TAILQ_HEAD(lease_queue, lease);

struct leases;

/* Room for `max` leases, all told. NULL: out of memory. */
struct leases *leases_new(size_t max);
void leases_free(struct leases **leases_p); /* with all leases in it */

/* A new lease, waiting. NULL: `id` is there already, the table is full, or out of memory. */
struct lease *leases_add(struct leases *leases, const char *id);
struct lease *leases_find(const struct leases *leases, const char *id); /* NULL: not here */
void leases_remove(struct leases *leases, struct lease *lease);         /* frees it */

/* A byte may have left: no way back. */
void lease_begin(struct lease *lease);
/* The lease's result, taken over (malloc'ed JSON); it is now to be said. */
void leases_answer(struct leases *leases, struct lease *lease, char *result, size_t bytes);

/* The next result to say, or NULL; leases_said() moves it on. */
struct lease *leases_to_say(const struct leases *leases);
void leases_said(struct leases *leases, struct lease *lease, int64_t now_mono_ms);
/* Results said at or before `said_mono_ms` are to be said again. */
void leases_say_again(struct leases *leases, int64_t said_mono_ms);
/* When the result said longest ago was said; INT64_MAX: none. */
int64_t leases_oldest_said_mono_ms(const struct leases *leases);

size_t leases_count(const struct leases *leases);
size_t leases_in_hand(const struct leases *leases); /* waiting or begun */

/* Walk those in hand, or all that READY names (begun or answered). `next` may be removed meanwhile. */
struct lease *leases_first_in_hand(const struct leases *leases);
struct lease *leases_next_in_hand(const struct lease *lease);
void leases_each_named(const struct leases *leases, void (*visit)(void *context, const struct lease *lease),
                       void *context);

#endif
