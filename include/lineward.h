/* lineward.h — the client of a Lineward broker for C: hand in send jobs, ask after them, take them back.
 *
 *   struct lineward *client = NULL;
 *   const char *job = "{\"id\":\"order-17\",\"to\":\"+12025550101\","
 *                     "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"Hello\"}]}}";
 *   if (lineward_connect(&client, "tcp://127.0.0.1:7710") != LINEWARD_OK)
 *       return 1;
 *   if (lineward_enqueue(client, &job, 1, 10000) == LINEWARD_OK)
 *       puts(lineward_result(client, 0));      // {"id":"order-17","job":"j_1","state":"queued",...}
 *   else
 *       fputs(lineward_error(client), stderr);
 *   lineward_close(&client);
 *
 * Where several brokers own pools, any of them may be named: one that does not own a job's pool says who does, and the
 * client goes there, and remembers it.
 *
 * Jobs and answers are JSON texts, as docs/protocol.md describes them; use any JSON library. A client is a socket
 * with a thread of its own behind it (one for each broker that it was led to), which connects, and connects again, by
 * itself: keep one and use it for many calls, from one thread at a time. Link with -llineward -lzmq -lcjson -lm. */
#ifndef LINEWARD_H
#define LINEWARD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LINEWARD_BATCH_MAX       1024              /* jobs or ids in one call */
#define LINEWARD_BATCH_BYTES_MAX (8 * 1024 * 1024) /* all of them together */

enum lineward_status {
    LINEWARD_OK = 0,
    LINEWARD_INVALID,     /* not sent: what was passed breaks a limit of this header */
    LINEWARD_REFUSED,     /* the broker refused the whole request, nothing changed; lineward_error() is its JSON */
    LINEWARD_UNREACHABLE, /* no broker until the time was up: surely not sent */
    LINEWARD_TIMEOUT,     /* sent, but no answer until the time was up: it may have been done. Of several brokers: one of
                             them did not answer, or was not there, and what has no lineward_result() is to be handed in
                             again; with the same ids, so may all of it */
    LINEWARD_NO_MEMORY,
    LINEWARD_IO, /* the socket failed; lineward_error() says how */
};

struct lineward;

/* Makes a client of the broker's producer endpoint ("tcp://HOST:PORT" or "ipc://PATH"). Succeeds whether or not the
 * broker runs by now. *out is untouched on failure; LINEWARD_INVALID: no such endpoint. Release it with
 * lineward_close(). */
enum lineward_status lineward_connect(struct lineward **out, const char *endpoint);
/* The same with CURVE: this client's secret key and the broker's public key, both 40 characters of Z85; kept until
 * lineward_close(), for the other brokers that the client is led to: they must have the same key. LINEWARD_INVALID also
 * if one of them is none. */
enum lineward_status lineward_connect_curve(struct lineward **out, const char *endpoint, const char *secret_key,
                                            const char *broker_key);
void lineward_close(struct lineward **client_p); /* sets *client_p to NULL; NULL is fine */

/* Hands in `count` jobs in one request and waits for the broker's word on each, which comes only when those it took
 * are durable. LINEWARD_OK: there is one result a job, in the same order; each is either taken ("job", "state") or
 * refused ("error"). Once one is refused `busy` or `store_full`, so are all after it: hand those in again, in that
 * order and before any later ones, after `retry_after_ms`.
 *
 * If no answer comes the request is sent again, until `timeout_ms` is over: the broker knows a job by its `id` and
 * takes it once (`"state":"duplicate"`). A request in which a job has no `id` is therefore sent only once. Of several
 * copies each must be refused for LINEWARD_REFUSED: while one is not, it may still be taken. After LINEWARD_TIMEOUT hand
 * in the same jobs with the same ids again.
 *
 * What a broker refuses `not_owner` is handed in again, the same job, at the broker that it names; "all after it" above
 * means those for the same broker. A result with `not_owner` is left where there was nobody to follow: a pool that is
 * being moved, an address that lineward_follow() does not allow. Nothing of that job is stored: hand it in again later.
 * An owner that is not there until the time is up is LINEWARD_UNREACHABLE or, if other jobs of the call were answered,
 * LINEWARD_TIMEOUT. */
enum lineward_status lineward_enqueue(struct lineward *client, const char *const *jobs, size_t count, int timeout_ms);

/* Asks after jobs, or takes them back if they are not on their way yet. `ids` are job numbers ("j_..."), producer
 * ids, or POOL/ID; where there are several brokers only POOL/ID says which of them is meant. One result each: the job's view, or {"id":...,"error":...}. Both are sent again like
 * lineward_enqueue(); a cancel that was done but whose answer was lost then answers `already_final`. */
enum lineward_status lineward_get(struct lineward *client, const char *const *ids, size_t count, int timeout_ms);
enum lineward_status lineward_cancel(struct lineward *client, const char *const *ids, size_t count, int timeout_ms);

/* Is the broker there? One result: {"version","broker","time","queued","jobs_max"}. */
enum lineward_status lineward_ping(struct lineward *client, int timeout_ms);

/* What the last call brought, lent until the next one: JSON texts with their terminators. NULL beyond the last, and for
 * what no broker answered. */
size_t lineward_result_count(const struct lineward *client);
const char *lineward_result(const struct lineward *client, size_t index);

/* Why the last call was not LINEWARD_OK, lent until the next one; never NULL. */
const char *lineward_error(const struct lineward *client);

/* How often a job may be sent on to another broker: 3 if never set, at most 16; 0: never. A client only goes where the
 * address has the scheme ("tcp", "ipc") of its own endpoint, and one without keys that was made for an endpoint of this
 * machine only to others of this machine. */
void lineward_follow(struct lineward *client, int hops_max);

/* How long to wait for an answer before a request is sent again (1000 ms if never set; at least 10); the wait then
 * doubles up to eight times that. */
void lineward_resend_after(struct lineward *client, int resend_ms);

#ifdef __cplusplus
}
#endif

#endif
