/* admin_stream.h — followers of GET /v1/events/stream: the events that GET /v1/events reads, as Server-Sent Events.
 *
 * Events come from disk through the lookup, one page of one stream at a time, so that however many follow, others'
 * questions wait for one page at most. A stream that still has much to send is asked nothing for: a slow reader costs
 * its buffer and falls behind on disk; one that takes nothing for a while is cut and told why. Nobody follows: no work.
 *
 * The owner's thread fills the buffers, the HTTP thread empties them; a connection without anything to send is
 * suspended. */
#ifndef LINEWARD_EDGE_ADMIN_STREAM_H
#define LINEWARD_EDGE_ADMIN_STREAM_H

#include "broker/edge/lookup.h"

#define STREAM_TOKEN_TAG     0xAE
#define STREAMS_MAX          64
#define STREAMS_OF_NAME_MAX  32    /* of one token, so that others find room */
#define STREAM_PAGE          100   /* events of one question */
#define STREAM_BUFFER_BYTES  65536 /* with so much to send, nothing more is asked for */
#define STREAM_HEARTBEAT_MS  15000
#define STREAM_STUCK_MS      20000 /* sooner than the server gives the connection up */

struct MHD_Connection;
struct MHD_Response;
struct streams;
struct stream;

struct stream_ask { /* the texts are copied */
    uint64_t after;
    const char *topic; /* prefix; NULL: all */
    const char *name;  /* of the token */
    const char *pools; /* comma list of what the follower may see; NULL: all */
    bool mask_handles;
};

/* ---- owner's thread ---- */
struct streams *streams_new(struct lookup *lookup); /* NULL: out of memory */
/* Every stream ends, with `why`; they may connect again. */
void streams_end(struct streams *streams, const char *why);
void streams_free(struct streams **streams_p); /* the HTTP thread must be gone */
/* NULL: too many follow, or out of memory. */
struct stream *stream_open(struct streams *streams, const struct stream_ask *ask, struct instant now);
/* Asks for what is new: all events up to `next_seq` - 1 exist, though perhaps not yet durable. Heartbeats. */
void streams_turn(struct streams *streams, uint64_t next_seq, bool durable_moved, struct instant now);
int64_t streams_next_mono_ms(const struct streams *streams);
bool streams_own(uint64_t token);
void streams_looked_up(struct streams *streams, struct lookup_answer *answer); /* taken over */

/* ---- HTTP thread ---- */
/* The answer to its request, to be queued and let go of. NULL: out of memory. */
struct MHD_Response *stream_response(struct stream *stream, struct MHD_Connection *connection);
void stream_left(struct stream *stream); /* the request is over; the stream is not the caller's any more */

#endif
