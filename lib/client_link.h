/* client_link.h — inside lib/: the C client's connection to one broker, and the one request that is on its way there,
 * sent again with the same request id and the same items until it is answered. */
#ifndef LINEWARD_CLIENT_LINK_H
#define LINEWARD_CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "lineward.h"
#include "lineward/wire.h"

#define CLIENT_KEY_TEXT    41 /* Z85 of a key, and its terminator */
#define CLIENT_ERROR_BYTES 1024

struct client_keys {
    char secret[CLIENT_KEY_TEXT], broker[CLIENT_KEY_TEXT]; /* "": no CURVE */
};

struct client_link;

/* Connects to the broker, whether or not it is there by now. LINEWARD_NO_MEMORY; LINEWARD_INVALID: no such endpoint, or
 * the keys are none. The endpoint is copied, the context lent. */
enum lineward_status client_link_open(struct client_link **out, void *context, const char *endpoint,
                                      const struct client_keys *keys);
void client_link_free(struct client_link **link_p);
const char *client_link_endpoint(const struct client_link *link);

/* What is asked, and how long. */
struct client_request {
    const char *command, *answer; /* and the command that answers it */
    const char *const *items;     /* texts, lent until it is over; NULL: none, and one result */
    size_t count;                 /* results */
    uint64_t id;
    bool repeatable;             /* a second copy changes nothing */
    int resend_ms;               /* how long after the first copy the second one goes; then twice as long, up to eight times */
    int64_t now_ms, deadline_ms; /* on the steady clock */
    int64_t away_until_ms;       /* given up then if there is no broker to take it, or a second copy of it */
};

/* Begins one; whatever was on its way is forgotten. */
void client_link_begin(struct client_link *link, const struct client_request *request);
/* What to wait for, and how long at most. */
void client_link_wait(const struct client_link *link, zmq_pollitem_t *out, int64_t *wake_ms);
/* Sends what is due and reads what has come. False: it is still on its way. True: it is over, *out says how:
 * LINEWARD_OK (client_link_result()), LINEWARD_REFUSED, LINEWARD_UNREACHABLE (it was surely not sent), LINEWARD_TIMEOUT
 * or LINEWARD_IO; client_link_error() says why. */
bool client_link_turn(struct client_link *link, int64_t now_ms, enum lineward_status *out);

/* Result `index` of an answered request, lent until the next turn. */
struct frame client_link_result(const struct client_link *link, size_t index);
const char *client_link_error(const struct client_link *link);

#endif
