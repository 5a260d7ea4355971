/* client_part.h — inside lib/: what the parts of the C client share: client.c (the calls), client_brokers.c (the brokers
 * that it is connected to). */
#ifndef LINEWARD_CLIENT_PART_H
#define LINEWARD_CLIENT_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_link.h"
#include "client_owners.h"

#define CLIENT_BROKERS_MAX 16 /* connected to at once */
#define CLIENT_HOME        0  /* the one that the client was made for */

enum item_state { ITEM_WAITS, ITEM_GOES, ITEM_ANSWERED, ITEM_FAILED };

struct item { /* one of a call's */
    enum item_state state;
    unsigned broker;   /* whom it is for */
    unsigned fallback; /* who owned its pool the last time, if CLIENT_HOME is asked who does now; CLIENT_HOME: nobody */
    int hops;
    bool told;     /* in this call, that it is that one's */
    bool searched; /* for its owner, in this call */
    bool in_doubt; /* one that went away without an answer may have done it */
    size_t at;     /* of its result's text; CLIENT_NO_RESULT */
};
#define CLIENT_NO_RESULT SIZE_MAX

struct broker { /* and which items of the call are on their way there */
    struct client_link *link;
    bool busy;
    uint64_t used; /* in this call, the last time */
    size_t count;
    uint16_t items[LINEWARD_BATCH_MAX];
    const char *texts[LINEWARD_BATCH_MAX];
};

struct lineward {
    void *context;
    const char *endpoint; /* of the one that it was made for */
    struct client_keys keys;
    struct broker *brokers[CLIENT_BROKERS_MAX]; /* NULL: free */
    struct client_owners owners;
    uint64_t calls, requests; /* counted, the second for their ids */
    int resend_ms, hops_max;
    struct item items[LINEWARD_BATCH_MAX];
    char *results; /* texts one behind the other, each with its terminator */
    size_t results_bytes, results_room, result_count;
    char error[CLIENT_ERROR_BYTES];
};

enum lineward_status client_broker_open(struct lineward *client, unsigned at, const char *endpoint);
/* The broker at this address, connected to if it was not: where none is left, in the place of the one that was not used
 * for longest, and not in this call. False: there is no place, or no memory. */
bool client_broker_at(struct lineward *client, const char *address, unsigned *out);
void client_brokers_close(struct lineward *client);

#endif
