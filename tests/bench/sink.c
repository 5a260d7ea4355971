/* sink.c — one epoll loop, a fixed buffer a connection. */
#include "sink.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define REQUEST_BYTES_MAX 16384
#define EVENTS_MAX        128

#define CHAT "00000000-0000-4000-8000-000000000001"
#define MESSAGE                                                                                                      \
    "{\"id\":\"00000000-0000-4000-8000-000000000002\",\"created_at\":\"2026-01-01T00:00:00.000Z\","                  \
    "\"delivery_status\":\"pending\",\"is_read\":false,\"parts\":[],\"sent_at\":null}"

struct connection {
    int fd;
    size_t bytes;
    char data[REQUEST_BYTES_MAX];
};

static atomic_uint_fast64_t answered;
static int poller;
static int listener;

uint64_t sink_answered(void)
{
    return atomic_load(&answered);
}

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    free(connection);
}

static void answer(struct connection *connection, bool new_chat)
{
    static const char chat_body[] = "{\"chat\":{\"id\":\"" CHAT "\",\"handles\":[],\"is_group\":false,\"service\":"
                                    "\"iMessage\",\"message\":" MESSAGE "}}";
    static const char message_body[] = "{\"chat_id\":\"" CHAT "\",\"message\":" MESSAGE "}";
    char text[1024];
    int bytes =
        snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 new_chat ? "201 Created" : "202 Accepted", (new_chat ? sizeof chat_body : sizeof message_body) - 1,
                 new_chat ? chat_body : message_body);
    if (send(connection->fd, text, (size_t)bytes, MSG_NOSIGNAL) != bytes)
        die("sink: an answer did not fit into the socket");
    atomic_fetch_add(&answered, 1);
}

/* The bytes of the first request, 0 while it is not whole. */
static size_t whole_request(const struct connection *connection)
{
    static const char name[] = "\r\nContent-Length:";
    const char *end = memmem(connection->data, connection->bytes, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t body = 0;
    for (const char *at = connection->data; at + sizeof name < end; at++)
        if (strncasecmp(at, name, sizeof name - 1) == 0)
            body = strtoul(at + sizeof name - 1, NULL, 10);
    size_t whole = (size_t)(end - connection->data) + 4 + body;
    return whole <= connection->bytes ? whole : 0;
}

static void serve(struct connection *connection)
{
    ssize_t got =
        recv(connection->fd, connection->data + connection->bytes, REQUEST_BYTES_MAX - connection->bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        hang_up(connection);
        return;
    }
    connection->bytes += (size_t)got;
    for (size_t bytes; (bytes = whole_request(connection)) > 0;) {
        answer(connection, memmem(connection->data, bytes, "/messages ", 10) == NULL);
        connection->bytes -= bytes;
        memmove(connection->data, connection->data + bytes, connection->bytes);
    }
    if (connection->bytes == REQUEST_BYTES_MAX)
        die("sink: a request of more than %d bytes", REQUEST_BYTES_MAX);
}

static void take_connection(void)
{
    int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("out of memory");
    connection->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection->fd < 0) {
        free(connection);
        return;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die("epoll:");
}

static void *loop(void *self)
{
    (void)self;
    struct epoll_event events[EVENTS_MAX];
    int count = 0;
    while ((count = epoll_wait(poller, events, EVENTS_MAX, -1)) >= 0 || errno == EINTR) {
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                take_connection();
            else
                serve(events[i].data.ptr);
        }
    }
    die("epoll:");
}

void sink_start(uint16_t port)
{
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || poller < 0)
        die("sink:");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0)
        die("sink on port %u:", (unsigned)port);
    pthread_t thread;
    if (pthread_create(&thread, NULL, loop, NULL) != 0)
        die("pthread_create failed");
}
