/* connections.h — the connections of an HTTP port, so that silent and slow ones keep nobody out: when they get crowded
 * the oldest ends, strangers first. The server itself (libmicrohttpd) bounds only their number and their silence.
 *
 * One is ended by shutting it down; the server sees its end, closes it and says so. All of one thread. */
#ifndef LINEWARD_CONNECTIONS_H
#define LINEWARD_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection {
    TAILQ_ENTRY(connection) others;
    int fd; /* the server's */
    bool known;
    int64_t deadline_mono_ms; /* of a stranger; TIME_NEVER: none */
};
TAILQ_HEAD(connection_list, connection);

struct connections {
    struct connection_list strangers, known; /* oldest first; strangers so by deadline */
    size_t count, max, spare;                /* crowded: fewer than `spare` of `max` are left */
};

void connections_init(struct connections *connections, size_t max, size_t spare);
bool connections_are_crowded(const struct connections *connections);
/* A new one, a stranger; if that makes it crowded, the oldest other one ends. NULL: no memory, and it is not counted. */
struct connection *connections_add(struct connections *connections, int fd, int64_t deadline_mono_ms);
void connections_remove(struct connections *connections, struct connection **connection); /* closed; NULL is fine */
/* It has proven who it is, once and for all, or has begun anew: nobody of its kind is younger. */
void connections_know(struct connections *connections, struct connection *connection);
void connections_renew(struct connections *connections, struct connection *connection, int64_t deadline_mono_ms);
/* Ends strangers whose time is over. `next_mono_ms`: when to look at them again if they are not closed by then. */
void connections_end_late(struct connections *connections, int64_t now_mono_ms, int64_t next_mono_ms);
int64_t connections_due(const struct connections *connections); /* the first deadline; TIME_NEVER: none */

#endif
