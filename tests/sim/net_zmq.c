/* net_zmq.c — libzmq's calls, as the product makes them, over the network of net.c. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <zmq.h>

#include "tests/sim/house.h"
#include "tests/sim/net_part.h"

#define POLL_MAX 16

struct fake_message { /* what a zmq_msg_t holds */
    void *data;
    size_t bytes;
    bool more;
    zmq_free_fn *let_go; /* NULL: it is ours */
    void *hint;
};
_Static_assert(sizeof(struct fake_message) <= sizeof(zmq_msg_t), "it fits");

/* ---- sockets ---- */

void *zmq_ctx_new(void)
{
    return malloc(1);
}

int zmq_ctx_term(void *context)
{
    free(context);
    return 0;
}

void *zmq_socket(void *context, int type)
{
    (void)context;
    return net_socket_new(type);
}

int zmq_close(void *at)
{
    net_socket_gone(at, false);
    return 0;
}

int zmq_bind(void *at, const char *endpoint)
{
    struct net_socket *socket = at;
    snprintf(socket->endpoint, sizeof socket->endpoint, "%s", endpoint);
    return 0;
}

int zmq_connect(void *at, const char *endpoint)
{
    net_connect(at, process_current()->name, endpoint);
    return 0;
}

int zmq_setsockopt(void *at, int option, const void *value, size_t bytes)
{
    (void)at;
    (void)option;
    (void)value;
    (void)bytes;
    return 0;
}

static int events_of(const struct net_socket *socket)
{
    int events = socket->inbox.first != NULL || socket->reading != NULL ? ZMQ_POLLIN : 0;
    if (socket->type == ZMQ_DEALER && net_has_room(socket))
        events |= ZMQ_POLLOUT;
    return events;
}

/* A file that is never ready: whoever waits is woken by name. */
static int idle_file(void)
{
    static int file = -1;
    if (file < 0)
        file = eventfd(0, EFD_CLOEXEC);
    return file;
}

int zmq_getsockopt(void *at, int option, void *value, size_t *bytes)
{
    int answer = option == ZMQ_FD ? idle_file() : events_of(at);
    assert(*bytes == sizeof answer && (option == ZMQ_FD || option == ZMQ_EVENTS));
    memcpy(value, &answer, sizeof answer);
    return 0;
}

int zmq_msg_init(zmq_msg_t *message)
{
    *(struct fake_message *)message = (struct fake_message){NULL, 0, false, NULL, NULL};
    return 0;
}

int zmq_msg_close(zmq_msg_t *message)
{
    struct fake_message *fake = (struct fake_message *)message;
    if (fake->let_go != NULL)
        fake->let_go(fake->data, fake->hint);
    else
        free(fake->data);
    *fake = (struct fake_message){NULL, 0, false, NULL, NULL};
    return 0;
}

int zmq_msg_init_size(zmq_msg_t *message, size_t bytes)
{
    void *data = malloc(bytes + 1);
    assert(data != NULL);
    *(struct fake_message *)message = (struct fake_message){data, bytes, false, NULL, NULL};
    return 0;
}

int zmq_msg_init_data(zmq_msg_t *message, void *data, size_t bytes, zmq_free_fn *let_go, void *hint)
{
    *(struct fake_message *)message = (struct fake_message){data, bytes, false, let_go, hint};
    return 0;
}

void *zmq_msg_data(zmq_msg_t *message)
{
    return ((struct fake_message *)message)->data;
}

size_t zmq_msg_size(const zmq_msg_t *message)
{
    return ((const struct fake_message *)message)->bytes;
}

int zmq_msg_more(const zmq_msg_t *message)
{
    return ((const struct fake_message *)message)->more;
}

const char *zmq_msg_gets(const zmq_msg_t *message, const char *property)
{
    (void)message;
    (void)property;
    return NULL;
}

int zmq_msg_recv(zmq_msg_t *message, void *at, int flags)
{
    struct net_socket *socket = at;
    (void)flags;
    if (socket->reading == NULL) {
        socket->reading = net_receive(socket);
        socket->read = 0;
    }
    if (socket->reading == NULL) {
        errno = EAGAIN;
        return -1;
    }
    if (socket->read == 0 && socket->type == ZMQ_DEALER)
        net_worker_reads(process_current(), socket->reading->parts, socket->reading->count);
    struct frame part = socket->reading->parts[socket->read++];
    struct fake_message *fake = (struct fake_message *)message;
    fake->let_go = NULL;
    fake->data = malloc(part.bytes + 1);
    assert(fake->data != NULL);
    if (part.bytes > 0)
        memcpy(fake->data, part.data, part.bytes);
    fake->bytes = part.bytes;
    fake->more = socket->read < socket->reading->count;
    if (!fake->more) {
        packet_free(socket->reading);
        socket->reading = NULL;
    }
    return (int)part.bytes;
}

static void forget_written(struct net_socket *socket)
{
    for (size_t i = 0; i < socket->written; i++)
        free((void *)(uintptr_t)socket->writing[i].data);
    socket->written = 0;
}

static int send_whole(struct net_socket *socket)
{
    if (socket->type == ZMQ_ROUTER)
        return net_send_from_server(socket, socket->writing, socket->written);
    if (socket->type == ZMQ_DEALER)
        return net_send(socket, socket->writing, socket->written) ? 0 : EAGAIN;
    return 0; /* XPUB: nobody follows */
}

/* Whether it can be sent is known at the first part of a message. */
static int refusal(const struct net_socket *socket, const void *id, size_t bytes)
{
    if (socket->type == ZMQ_DEALER)
        return (events_of(socket) & ZMQ_POLLOUT) != 0 ? 0 : EAGAIN;
    const struct connection *connection = net_connection_of(socket, id, bytes);
    if (connection != NULL)
        return connection->client.on_its_way.count >= QUEUE_MAX ? EAGAIN : 0;
    return socket->type == ZMQ_ROUTER ? EHOSTUNREACH : 0;
}

static int send_part(void *at, const void *data, size_t bytes, int flags)
{
    struct net_socket *socket = at;
    assert(socket->written < NET_PARTS_MAX);
    if (socket->written == 0) {
        int why = refusal(socket, data, bytes);
        if (why != 0) {
            errno = why;
            return -1;
        }
    }
    void *copy = malloc(bytes + 1);
    assert(copy != NULL);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    socket->writing[socket->written++] = (struct frame){copy, bytes};
    if ((flags & ZMQ_SNDMORE) != 0)
        return (int)bytes;
    int why = send_whole(socket);
    forget_written(socket);
    errno = why;
    return why == 0 ? (int)bytes : -1;
}

int zmq_msg_send(zmq_msg_t *message, void *at, int flags)
{
    int sent = send_part(at, zmq_msg_data(message), zmq_msg_size(message), flags);
    if (sent >= 0)
        zmq_msg_close(message);
    return sent;
}

static int look(zmq_pollitem_t *items, int count)
{
    struct pollfd files[POLL_MAX];
    nfds_t file_count = 0;
    int found = 0;
    for (int i = 0; i < count; i++) {
        items[i].revents = 0;
        if (items[i].socket != NULL)
            items[i].revents = (short)(events_of(items[i].socket) & items[i].events);
        else
            files[file_count++] = (struct pollfd){.fd = items[i].fd, .events = POLLIN};
        found += items[i].revents != 0;
    }
    poll(files, file_count, 0);
    for (int i = 0, at = 0; i < count; i++) {
        if (items[i].socket != NULL)
            continue;
        items[i].revents = (files[at++].revents & POLLIN) != 0 ? ZMQ_POLLIN : 0;
        found += items[i].revents != 0;
    }
    return found;
}

int zmq_poll(zmq_pollitem_t *items, int count, long timeout_ms)
{
    assert(count <= POLL_MAX);
    int found = look(items, count);
    if (found > 0 || timeout_ms == 0)
        return found;
    fiber_wait(timeout_ms < 0 ? US_NEVER : now_us() + timeout_ms * US_MS);
    house_in_wait();
    return look(items, count);
}

const char *zmq_strerror(int number)
{
    return strerror(number);
}

/* ---- what it calls only where keys are in force, which they are not here ---- */

int zmq_has(const char *capability)
{
    (void)capability;
    abort();
}

int zmq_curve_public(char *public_key, const char *secret_key)
{
    (void)public_key;
    (void)secret_key;
    abort();
}

int zmq_curve_keypair(char *public_key, char *secret_key)
{
    (void)public_key;
    (void)secret_key;
    abort();
}

int zmq_socket_monitor(void *at, const char *endpoint, int events)
{
    (void)at;
    (void)endpoint;
    (void)events;
    abort();
}

int zmq_unbind(void *at, const char *endpoint)
{
    (void)at;
    (void)endpoint;
    abort();
}

char *zmq_z85_encode(char *out, const uint8_t *data, size_t bytes)
{
    (void)out;
    (void)data;
    (void)bytes;
    abort();
}

uint8_t *zmq_z85_decode(uint8_t *out, const char *text)
{
    (void)out;
    (void)text;
    abort();
}
