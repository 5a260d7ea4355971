/* connections.c — see connections.h. */
#include "lineward/connections.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "lineward/clock.h"

void connections_init(struct connections *connections, size_t max, size_t spare)
{
    *connections = (struct connections){.max = max, .spare = spare};
    TAILQ_INIT(&connections->strangers);
    TAILQ_INIT(&connections->known);
}

bool connections_are_crowded(const struct connections *connections)
{
    return connections->count > connections->max - connections->spare;
}

static struct connection_list *list_of(struct connections *connections, const struct connection *connection)
{
    return connection->known ? &connections->known : &connections->strangers;
}

void connections_renew(struct connections *connections, struct connection *connection, int64_t deadline_mono_ms)
{
    TAILQ_REMOVE(list_of(connections, connection), connection, others);
    connection->deadline_mono_ms = deadline_mono_ms;
    TAILQ_INSERT_TAIL(list_of(connections, connection), connection, others);
}

/* It goes to the end of its list: the next time another one's turn has come, though this one is not closed yet. */
static void end(struct connections *connections, struct connection *connection, int64_t deadline_mono_ms)
{
    shutdown(connection->fd, SHUT_RDWR);
    connections_renew(connections, connection, deadline_mono_ms);
}

struct connection *connections_add(struct connections *connections, int fd, int64_t deadline_mono_ms)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    *connection = (struct connection){.fd = fd, .deadline_mono_ms = deadline_mono_ms};
    bool strange = !TAILQ_EMPTY(&connections->strangers);
    struct connection *oldest = TAILQ_FIRST(strange ? &connections->strangers : &connections->known);
    connections->count++;
    if (connections_are_crowded(connections) && oldest != NULL)
        end(connections, oldest, deadline_mono_ms);
    TAILQ_INSERT_TAIL(&connections->strangers, connection, others);
    return connection;
}

void connections_remove(struct connections *connections, struct connection **connection_p)
{
    struct connection *connection = *connection_p;
    if (connection == NULL)
        return;
    *connection_p = NULL;
    TAILQ_REMOVE(list_of(connections, connection), connection, others);
    connections->count--;
    free(connection);
}

void connections_know(struct connections *connections, struct connection *connection)
{
    if (connection->known)
        return;
    TAILQ_REMOVE(&connections->strangers, connection, others);
    connection->known = true;
    connection->deadline_mono_ms = TIME_NEVER;
    TAILQ_INSERT_TAIL(&connections->known, connection, others);
}

void connections_end_late(struct connections *connections, int64_t now_mono_ms, int64_t next_mono_ms)
{
    struct connection *oldest = TAILQ_FIRST(&connections->strangers);
    while (oldest != NULL && oldest->deadline_mono_ms <= now_mono_ms) {
        end(connections, oldest, next_mono_ms);
        oldest = TAILQ_FIRST(&connections->strangers);
    }
}

int64_t connections_due(const struct connections *connections)
{
    const struct connection *oldest = TAILQ_FIRST(&connections->strangers);
    return oldest == NULL ? TIME_NEVER : oldest->deadline_mono_ms;
}
