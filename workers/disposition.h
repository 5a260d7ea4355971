/* disposition.h — what an answer of the provider means for the job: one pure table over every code of
 * linq-api.md 4.2, unknown codes judged by HTTP status. Pure: no I/O, no clock, no memory of its own.
 *
 * The three that must never be mixed up (DESIGN trap 12): sent (the provider took it), not sent (it surely did
 * not), unknown (it may have: timeout, connection lost after the request went out, 504). */
#ifndef LINEWARD_DISPOSITION_H
#define LINEWARD_DISPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/words.h"

enum transport {                      /* how far the request came */
                 TRANSPORT_ANSWERED,  /* a whole HTTP answer */
                 TRANSPORT_NOT_BEGUN, /* DNS, connect or TLS failed: no byte of the request left */
                 TRANSPORT_LOST,      /* a byte may have left, and no whole answer came: timeout, reset, cut answer */
};

struct answer {
    enum transport transport;
    int http_status;        /* when answered */
    int64_t code;           /* the provider's; 0: none could be read */
    bool has_ids;           /* a 2xx carried the ids it must */
    bool unsettled;         /* an earlier try of this job had an unknown outcome */
    bool has_chat;          /* the request went to a known chat */
    unsigned attempt;       /* which try of the job this was, from 1; 0 counts as the first */
    int64_t retry_after_ms; /* header first, then body; -1: none, and 0 counts as none; clamped to 600 s */
};

struct disposition {
    enum outcome outcome;
    bool unknown; /* with retry: the provider may have taken it */
    enum scope scope;
    int64_t retry_after_ms; /* -1: the broker's own backoff */
    enum suppress suppress;
    bool line_flagged, forget_chat, key_refused;
    const char *reason; /* short text for the result's `message` when the provider gave none */
    bool documented;    /* the code stands in the table; else it was judged by status and should be reported */
};

struct disposition disposition_of(const struct answer *answer);

#endif
