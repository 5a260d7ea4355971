/* net_pass.c — passing connections on between namespaces, see net.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define PASSES_MAX 32
#define PAIRS_MAX  256
#define ROOM       65536

struct way { /* bytes on their way from one socket to the other */
    size_t begun, end;
    bool is_over; /* nothing more comes */
    char bytes[ROOM];
};

struct pair {
    int fd[2];         /* -1: free */
    struct way way[2]; /* from fd[i] to fd[1 - i] */
};

static struct net_pass passes[PASSES_MAX];
static int listeners[PASSES_MAX];
static size_t pass_count;
static struct pair pairs[PAIRS_MAX];

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* A socket belongs to the namespace that it was made in. */
static int socket_in(int network)
{
    int on = 1;
    if (setns(network, CLONE_NEWNET) != 0)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

static bool listen_all(void)
{
    for (size_t i = 0; i < pass_count; i++) {
        const struct sockaddr_in address = loopback(passes[i].port);
        listeners[i] = socket_in(passes[i].from);
        if (bind(listeners[i], (const struct sockaddr *)&address, sizeof address) != 0 ||
            listen(listeners[i], 64) != 0)
            return false;
    }
    return true;
}

static void close_pair(struct pair *pair)
{
    close(pair->fd[0]);
    close(pair->fd[1]);
    pair->fd[0] = pair->fd[1] = -1;
}

static void take_one(size_t at)
{
    int on = 1;
    int fd = accept4(listeners[at], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const struct sockaddr_in address = loopback(passes[at].port);
    struct pair *pair = pairs;
    while (pair < pairs + PAIRS_MAX && pair->fd[0] >= 0)
        pair++;
    int other = fd < 0 || pair == pairs + PAIRS_MAX ? -1 : socket_in(passes[at].to);
    if (other < 0 || connect(other, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(other);
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)fcntl(other, F_SETFL, O_NONBLOCK);
    pair->fd[0] = fd;
    pair->fd[1] = other;
    for (size_t i = 0; i < 2; i++)
        pair->way[i].begun = pair->way[i].end = pair->way[i].is_over = 0;
}

/* False: the connection is broken. */
static bool move_on(struct pair *pair, size_t i)
{
    struct way *way = &pair->way[i];
    if (way->begun == way->end && !way->is_over) {
        ssize_t got = read(pair->fd[i], way->bytes, ROOM);
        if (got < 0)
            return errno == EAGAIN;
        way->begun = 0;
        way->end = (size_t)got;
        way->is_over = got == 0;
        if (way->is_over)
            (void)shutdown(pair->fd[1 - i], SHUT_WR);
    }
    if (way->begun == way->end)
        return true;
    ssize_t sent = send(pair->fd[1 - i], way->bytes + way->begun, way->end - way->begun, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    way->begun += (size_t)sent;
    return true;
}

static short events_of(const struct pair *pair, size_t i)
{
    const struct way *out = &pair->way[i], *in = &pair->way[1 - i];
    short events = 0;
    if (out->begun == out->end && !out->is_over)
        events |= POLLIN;
    if (in->begun != in->end)
        events |= POLLOUT;
    return events;
}

static int pass_all(void *self)
{
    (void)self;
    static struct pollfd fds[PASSES_MAX + 2 * PAIRS_MAX];
    for (size_t p = 0; p < PAIRS_MAX; p++)
        pairs[p].fd[0] = pairs[p].fd[1] = -1;
    if (!listen_all())
        return 1;
    for (;;) {
        for (size_t i = 0; i < pass_count; i++)
            fds[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
        for (size_t p = 0; p < PAIRS_MAX; p++)
            for (size_t i = 0; i < 2; i++)
                fds[pass_count + 2 * p + i] =
                    (struct pollfd){.fd = pairs[p].fd[i], .events = pairs[p].fd[i] < 0 ? 0 : events_of(&pairs[p], i)};
        if (poll(fds, pass_count + 2 * PAIRS_MAX, -1) < 0)
            continue;
        for (size_t p = 0; p < PAIRS_MAX; p++) {
            const struct pollfd *at = &fds[pass_count + 2 * p];
            if (pairs[p].fd[0] < 0 || (at[0].revents == 0 && at[1].revents == 0))
                continue;
            bool done = pairs[p].way[0].is_over && pairs[p].way[1].is_over;
            if (done || !move_on(&pairs[p], 0) || !move_on(&pairs[p], 1))
                close_pair(&pairs[p]);
        }
        for (size_t i = 0; i < pass_count; i++)
            if (fds[i].revents != 0)
                take_one(i);
    }
}

void net_pass_on(struct program *program, const char *log, const struct net_pass *all, size_t count)
{
    MUST(count <= PASSES_MAX, "too many ports to pass on");
    memcpy(passes, all, count * sizeof *all);
    pass_count = count;
    *program = (struct program){.name = "passing on"};
    snprintf(program->log, sizeof program->log, "%s", log);
    program_fork(program, pass_all, NULL);
}
