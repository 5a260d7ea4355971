/* net.c — see net.h: what lies between two sockets. */
#include "tests/sim/net_part.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define CONNECT_AGAIN_US (100 * US_MS)
#define HANDSHAKE_US     (2 * US_MS)
#define SOCKETS_MAX      256

static struct net_socket *sockets[SOCKETS_MAX];
static size_t socket_count;
static uint32_t routing_ids = 1000;
static struct stream delays, losses;
static bool calm; /* healed */
void (*net_broker_says)(const char *to, const struct frame *frames, size_t count);
void (*net_worker_reads)(const struct process *worker, const struct frame *frames, size_t count);
void (*net_client_says)(const char *from, const struct frame *frames, size_t count);

void net_begin(void)
{
    delays = stream_of("network delays");
    losses = stream_of("network losses");
}

/* ---- packets ---- */

static struct packet *packet_new(const struct frame *frames, size_t count)
{
    size_t bytes = sizeof(struct packet) + count * sizeof(struct frame);
    for (size_t i = 0; i < count; i++)
        bytes += frames[i].bytes;
    struct packet *packet = malloc(bytes);
    assert(packet != NULL);
    *packet = (struct packet){.count = count, .parts = (struct frame *)(packet + 1)};
    char *at = (char *)(packet->parts + count);
    for (size_t i = 0; i < count; i++) {
        packet->parts[i] = (struct frame){at, frames[i].bytes};
        if (frames[i].bytes > 0)
            memcpy(at, frames[i].data, frames[i].bytes);
        at += frames[i].bytes;
    }
    return packet;
}

void packet_free(struct packet *packet)
{
    free(packet);
}

static void queue_add(struct queue *queue, struct packet *packet)
{
    packet->next = NULL;
    if (queue->first == NULL)
        queue->last = &queue->first;
    *queue->last = packet;
    queue->last = &packet->next;
    queue->count++;
}

static struct packet *queue_take(struct queue *queue)
{
    struct packet *packet = queue->first;
    if (packet == NULL)
        return NULL;
    queue->first = packet->next;
    queue->count--;
    return packet;
}

/* ---- who hears of it ---- */

static void tell(const struct net_socket *socket)
{
    if (socket->readable != NULL)
        socket->readable(socket->self);
    else if (socket->process != NULL && socket->process->alive)
        process_wake(socket->process);
}

struct net_socket *net_socket_new(int type)
{
    struct net_socket *socket = calloc(1, sizeof *socket);
    assert(socket != NULL && socket_count < SOCKETS_MAX);
    socket->type = type;
    socket->process = process_current();
    sockets[socket_count++] = socket;
    return socket;
}

static void forget_socket(struct net_socket *socket)
{
    for (size_t i = 0; i < socket_count; i++)
        if (sockets[i] == socket)
            sockets[i] = sockets[--socket_count];
    for (struct packet *packet; (packet = queue_take(&socket->inbox)) != NULL;)
        packet_free(packet);
    socket->closed = true;
}

/* ---- connections ---- */

static void connect_later(struct net_socket *client, int64_t in_us);

static void drop_from(struct net_socket *socket, const struct connection *connection)
{
    for (size_t i = 0; i < socket->connection_count; i++) {
        if (socket->connections[i] != connection)
            continue;
        for (size_t j = i + 1; j < socket->connection_count; j++)
            socket->connections[j - 1] = socket->connections[j];
        socket->connection_count--;
        return;
    }
}

static void client_notices(void *self, uint64_t arg)
{
    struct connection *connection = self;
    struct net_socket *client = connection->client.socket;
    (void)arg;
    if (client == NULL || client->closed || !connection->client.up)
        return;
    connection->client.up = false;
    drop_from(client, connection);
    note_world("net: %s has lost its connection", connection->name);
    connect_later(client, CONNECT_AGAIN_US);
    tell(client);
}

static void server_notices(void *self, uint64_t arg)
{
    struct connection *connection = self;
    struct net_socket *server = connection->server.socket;
    (void)arg;
    if (server == NULL || server->closed || !connection->server.up)
        return;
    connection->server.up = false;
    drop_from(server, connection);
}

static void lose(struct connection *connection, int64_t client_in_us, int64_t server_in_us)
{
    connection->lost = true;
    ground_in(client_in_us, client_notices, connection, 0);
    ground_in(server_in_us, server_notices, connection, 0);
}

static struct net_socket *server_at(const char *endpoint)
{
    for (size_t i = 0; i < socket_count; i++)
        if (sockets[i]->type == ZMQ_ROUTER && strcmp(sockets[i]->endpoint, endpoint) == 0)
            return sockets[i];
    return NULL;
}

static void connect_now(void *self, uint64_t arg)
{
    struct net_socket *client = self;
    (void)arg;
    if (client->closed || client->connection_count > 0)
        return;
    struct net_socket *server = server_at(client->endpoint);
    if (server == NULL || server->connection_count == CONNECTIONS_MAX) {
        connect_later(client, CONNECT_AGAIN_US + draw_delay_us(&delays, 0, 2 * US_S));
        return;
    }
    struct connection *connection = calloc(1, sizeof *connection);
    assert(connection != NULL);
    connection->client = (struct end){.socket = client, .up = true};
    connection->server = (struct end){.socket = server, .up = true};
    uint32_t id = ++routing_ids;
    memcpy(connection->id + 1, &id, sizeof id);
    memcpy(connection->name, client->name, sizeof connection->name);
    client->connections[client->connection_count++] = connection;
    server->connections[server->connection_count++] = connection;
    note_world("net: %s is connected as %u", connection->name, id);
    tell(client);
}

static void connect_later(struct net_socket *client, int64_t in_us)
{
    ground_in(in_us, connect_now, client, 0);
}

void net_connect(struct net_socket *socket, const char *name, const char *endpoint)
{
    snprintf(socket->endpoint, sizeof socket->endpoint, "%s", endpoint);
    snprintf(socket->name, sizeof socket->name, "%s", name);
    connect_later(socket, HANDSHAKE_US);
}

bool net_has_room(const struct net_socket *client)
{
    return client->connection_count > 0 && client->connections[0]->client.up &&
           client->connections[0]->server.on_its_way.count < QUEUE_MAX;
}

/* ---- on its way ---- */

struct flight { /* an arrival: of whatever is next in order */
    struct connection *connection;
    bool to_server;
};

static void arrive(void *self, uint64_t arg)
{
    struct flight *flight = self;
    struct connection *connection = flight->connection;
    struct end *end = flight->to_server ? &connection->server : &connection->client;
    (void)arg;
    if (connection->lost || !end->up || end->socket == NULL || end->socket->closed) {
        packet_free(queue_take(&end->on_its_way));
        fault(FAULT_MESSAGE_LOST);
    } else if (now_us() < end->held_until_us) {
        ground_at(end->held_until_us + 1, arrive, flight, 0);
        return;
    } else {
        queue_add(&end->socket->inbox, queue_take(&end->on_its_way));
        tell(end->socket);
    }
    free(flight);
}

static void fly(struct connection *connection, struct end *to, struct packet *packet)
{
    struct flight *flight = malloc(sizeof *flight);
    assert(flight != NULL);
    int64_t delay_us = 50 + draw_delay_us(&delays, 0, 2 * US_MS);
    if (!calm && chance(&delays, 4)) {
        delay_us += draw_delay_us(&delays, 10 * US_MS, 4 * US_S);
        fault(FAULT_MESSAGE_DELAYED);
    }
    int64_t at_us = now_us() + delay_us;
    if (at_us <= to->last_us)
        at_us = to->last_us + 1;
    if (at_us < to->held_until_us)
        at_us = to->held_until_us + 1;
    to->last_us = at_us;
    queue_add(&to->on_its_way, packet);
    *flight = (struct flight){connection, to == &connection->server};
    ground_at(at_us, arrive, flight, 0);
}

bool net_send(struct net_socket *socket, const struct frame *frames, size_t count)
{
    if (!net_has_room(socket))
        return false;
    struct connection *connection = socket->connections[0];
    if (net_client_says != NULL)
        net_client_says(connection->name, frames, count);
    struct frame with_id[NET_PARTS_MAX + 1];
    with_id[0] = (struct frame){connection->id, sizeof connection->id};
    memcpy(with_id + 1, frames, count * sizeof *frames);
    fly(connection, &connection->server, packet_new(with_id, count + 1));
    return true;
}

struct connection *net_connection_of(const struct net_socket *server, const void *id, size_t bytes)
{
    for (size_t i = 0; i < server->connection_count; i++) {
        struct connection *connection = server->connections[i];
        if (bytes == sizeof connection->id && memcmp(id, connection->id, bytes) == 0)
            return connection;
    }
    return NULL;
}

int net_send_from_server(struct net_socket *socket, const struct frame *frames, size_t count)
{
    struct connection *connection = net_connection_of(socket, frames[0].data, frames[0].bytes);
    if (connection == NULL)
        return EHOSTUNREACH;
    if (connection->client.on_its_way.count >= QUEUE_MAX)
        return EAGAIN;
    if (net_broker_says != NULL)
        net_broker_says(connection->name, frames + 1, count - 1);
    fly(connection, &connection->client, packet_new(frames + 1, count - 1));
    return 0;
}

/* ---- for models ---- */

struct net_socket *net_dealer(const char *name, const char *endpoint, void (*readable)(void *self), void *self)
{
    struct net_socket *socket = net_socket_new(ZMQ_DEALER);
    socket->readable = readable;
    socket->self = self;
    net_connect(socket, name, endpoint);
    return socket;
}

bool net_is_up(const struct net_socket *socket)
{
    return socket->connection_count > 0;
}

struct packet *net_receive(struct net_socket *socket)
{
    return queue_take(&socket->inbox);
}

void net_socket_gone(struct net_socket *socket, bool in_silence)
{
    int64_t heard_us = in_silence ? draw_delay_us(&losses, US_S, 40 * US_S) : draw_delay_us(&losses, 100, 5 * US_MS);
    while (socket->connection_count > 0) {
        struct connection *connection = socket->connections[0];
        bool is_client = connection->client.socket == socket;
        struct end *own = is_client ? &connection->client : &connection->server;
        own->up = false;
        own->socket = NULL;
        drop_from(socket, connection);
        connection->lost = connection->lost || !is_client; /* what a dead client said still arrives */
        ground_in(heard_us, is_client ? server_notices : client_notices, connection, 0);
    }
    forget_socket(socket);
}

void net_process_gone(const struct process *process, bool in_silence)
{
    for (size_t i = 0; i < socket_count;)
        if (sockets[i]->process == process)
            net_socket_gone(sockets[i], in_silence);
        else
            i++;
}

/* ---- faults ---- */

static void hold(struct end *end, int64_t for_us)
{
    if (end->held_until_us < now_us() + for_us)
        end->held_until_us = now_us() + for_us;
}

void net_mishap(struct stream *stream)
{
    struct net_socket *socket = socket_count == 0 ? NULL : sockets[draw(stream, socket_count)];
    uint64_t what = draw(stream, 5);
    int64_t for_us = draw_delay_us(stream, 20 * US_MS, 30 * US_S);
    if (socket == NULL || socket->type != ZMQ_DEALER || socket->connection_count == 0)
        return;
    struct connection *connection = socket->connections[0];
    switch (what) {
    case 0:
        fault(FAULT_CONNECTION_RESET);
        note_world("net: the connection of %s is reset", connection->name);
        lose(connection, 100, 100);
        break;
    case 1: /* one end goes on believing in it */
        fault(FAULT_UNSEEN_RECONNECT);
        note_world("net: %s connects anew unseen", connection->name);
        lose(connection, 100, for_us);
        break;
    case 2:
        fault(FAULT_PARTITION_ONE_WAY);
        note_world("net: nothing reaches the broker from %s for %lld ms", connection->name,
                   (long long)(for_us / US_MS));
        hold(&connection->server, for_us);
        break;
    case 3:
        fault(FAULT_PARTITION_ONE_WAY);
        note_world("net: nothing reaches %s for %lld ms", connection->name, (long long)(for_us / US_MS));
        hold(&connection->client, for_us);
        break;
    default:
        fault(FAULT_PARTITION_BOTH_WAYS);
        note_world("net: %s is cut off for %lld ms", connection->name, (long long)(for_us / US_MS));
        hold(&connection->server, for_us);
        hold(&connection->client, for_us);
        break;
    }
}

void net_cut_off(const struct process *process, int64_t for_us)
{
    for (size_t i = 0; i < socket_count; i++) {
        struct net_socket *socket = sockets[i];
        if (socket->process != process || socket->type != ZMQ_DEALER || socket->connection_count == 0)
            continue;
        hold(&socket->connections[0]->server, for_us);
        hold(&socket->connections[0]->client, for_us);
    }
}

void net_heal(void)
{
    calm = true;
    for (size_t i = 0; i < socket_count; i++) {
        for (size_t j = 0; j < sockets[i]->connection_count; j++) {
            sockets[i]->connections[j]->client.held_until_us = 0;
            sockets[i]->connections[j]->server.held_until_us = 0;
        }
    }
}
