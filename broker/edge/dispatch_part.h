/* dispatch_part.h — what dispatch.c (reading) and dispatch_tell.c (telling) share. Only for them. */
#ifndef LINEWARD_EDGE_DISPATCH_PART_H
#define LINEWARD_EDGE_DISPATCH_PART_H

#include "broker/edge/dispatch.h"
#include "broker/edge/replies.h"
#include "broker/edge/view.h"
#include "broker/edge/worker_result.h"

#define DISPATCH_BUCKETS    1024
#define DISPATCH_LEASES_MAX 65536 /* that a READY may name */

struct outgoing { /* JOBs or DONEs of one peer, gathered */
    struct json_out text;
    uint64_t lease[WIRE_WORKER_ITEMS_MAX];
    uint32_t end[WIRE_WORKER_ITEMS_MAX]; /* of each job's JSON in text */
    size_t count;
};

struct peer { /* who has said READY once */
    uint8_t id[256];
    uint16_t id_bytes;
    char key[KEY_TEXT_BYTES + 1]; /* with which it said READY; "": no keys are in force */
    uint32_t next;    /* in its bucket */
    uint64_t used_at; /* for forgetting the one that was silent longest */
    struct outgoing *jobs, *done;
    bool touched;
};

struct dispatch {
    struct dispatch_options options;
    struct replies *replies;
    struct message *message;
    struct result_texts texts;
    struct peer *peers;
    uint32_t peer_count, buckets[DISPATCH_BUCKETS];
    uint64_t clock;
    uint32_t touched[DISPATCH_PEERS_MAX], touched_count;
    uint64_t *named;
    uint32_t *pools; /* room for those that a key names */
    struct frame frames[3 + 2 * WIRE_WORKER_ITEMS_MAX];
    char leases[WIRE_WORKER_ITEMS_MAX][LEASE_TEXT_MAX];
};

/* A reply at once, to whoever it is. */
void dispatch_send(struct dispatch *dispatch, struct frame id, const char *command, const void *text, size_t bytes);
void dispatch_error(struct dispatch *dispatch, struct frame id, enum code code, const char *message);

static inline struct frame dispatch_id(const struct dispatch *dispatch, uint32_t peer)
{
    return (struct frame){dispatch->peers[peer].id, dispatch->peers[peer].id_bytes};
}

/* From now on it is nobody for the core, so no REVOKE reaches it any more, though its connection may stand. It is told
 * at once, and not with its next BEAT: saying READY again, it drops whatever it has not begun. */
void dispatch_let_go(struct dispatch *dispatch, uint32_t peer, struct instant now, struct effects *out);

void dispatch_outgoing_free(struct outgoing **outgoing_p);

#endif
