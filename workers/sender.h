/* sender.h — requests to the provider, many at a time: libcurl's multi interface on the caller's epoll.
 *
 * A request is sent whole or not at all as far as we can tell: `begun` counts how often a byte of it may have left.
 * libcurl (7.80 to 8.x) calls CURLOPT_PREREQFUNCTION when a connection is there and before each time that it
 * writes the request, and it writes one again by itself when a kept connection proves dead before any byte of
 * the answer, or when a server refuses an HTTP/2 stream. So may_begin() is asked before every such writing, and an
 * answer to the second is read as one after an unsettled try. The second writing
 * carries the same idempotency key, so it cannot send twice. Doing without kept connections would avoid it, at a
 * price: 9,600 instead of 33,000 sends a second over loopback, and over TLS several round trips for each.
 *
 * Knows nothing of leases. One thread; no call but sender_start() and sender_withdraw() is allowed from within
 * ended(), and none at all from within may_begin(). */
#ifndef LINEWARD_SENDER_H
#define LINEWARD_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disposition.h"
#include "lineward/err.h"
#include "provider.h"

#define SENDER_ANSWER_BYTES_MAX (1024u * 1024)

struct sender;
struct send; /* one request under way */

struct send_end {
    bool refused; /* may_begin() said no and nothing had left; transport is NOT_BEGUN */
    enum transport transport;
    unsigned begun; /* how often the request may have left */
    int http_status;
    const char *body; /* with `bytes`, `retry_after` and `trace`: lent until ended() returns */
    size_t bytes;
    const char *retry_after, *trace, *date; /* headers, or NULL */
    const char *error;                      /* for a person, when not answered */
};

struct sender_hooks {
    /* The last moment: true, and bytes leave. Asked again for each time that libcurl would write it anew. */
    bool (*may_begin)(void *context, void *owner);
    /* Once per sender_start(), unless withdrawn. */
    void (*ended)(void *context, void *owner, const struct send_end *end);
};

/* Where an account's requests go: made once, shared by its requests, outlives them. */
struct sender_route;
/* `local`: the host is loopback, so plain http is allowed and no proxy is asked; elsewhere only https goes out,
 * whatever the address says. NULL: out of memory. */
struct sender_route *sender_route_new(const char *api_key, bool local);
void sender_route_free(struct sender_route **route_p);

/* `epoll_fd` is lent; the sender's events carry `epoll_tag` in the upper 32 bits of data.u64 and the socket in the
 * lower. At most `slots` requests at a time. ERR_NO_MEMORY or ERR_IO: *out untouched. curl_global_init() is the
 * caller's. */
enum err sender_open(struct sender **out, int epoll_fd, uint32_t epoll_tag, size_t slots,
                     const struct sender_hooks *hooks, void *context);
void sender_free(struct sender **sender_p); /* what is under way is cut off without ended() */

/* Takes `request` over in any case. It ends by itself at `end_mono_ms`, connecting included. ERR_FULL: all slots
 * are taken; ERR_NO_MEMORY. Nothing happens before the next sender_turn(). */
enum err sender_start(struct sender *sender, void *owner, const struct sender_route *route,
                      struct provider_request *request, int64_t now_mono_ms, int64_t end_mono_ms, struct send **out);

/* Routes are about to be freed: no slot takes a new one in the same memory for the one that it used last. Those of
 * requests under way must stay. */
void sender_forget_routes(struct sender *sender);

/* Takes back a request of which no byte has left: true, and ended() will not be called. False: it has begun. */
bool sender_withdraw(struct sender *sender, struct send *send);

void sender_socket_event(struct sender *sender, int socket, uint32_t epoll_events);
/* Does what is due and reports what has ended. */
void sender_turn(struct sender *sender, int64_t now_mono_ms);
/* When sender_turn() is needed at the latest without an event; INT64_MAX: not at all. */
int64_t sender_due_mono_ms(const struct sender *sender);

#endif
