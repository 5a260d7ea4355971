/* strangers.c — see strangers.h. */
#include "strangers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES     16
#define DRIP_EVERY_MS 300

/* -1: not now. */
static int come_one(const struct strangers *strangers, size_t index)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % ADDRESSES)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(strangers->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    MUST(fd >= 0, "no more sockets for strangers: %s", strerror(errno));
    if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

static void say(int fd, const char *text, size_t bytes)
{
    ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* who is not listened to finds out when reading */
}

static bool was_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

static void renew(struct strangers *strangers, size_t index)
{
    int *fd = &strangers->fds[index];
    if (*fd >= 0)
        close(*fd);
    *fd = come_one(strangers, index);
    if (*fd >= 0 && strangers->head != NULL)
        say(*fd, strangers->head, strlen(strangers->head));
}

void strangers_come(struct strangers *strangers, uint16_t port, size_t count, enum drip drip, const char *head)
{
    struct rlimit files;
    *strangers = (struct strangers){.port = port, .count = count, .drip = drip, .head = head};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    MUST(count <= STRANGERS_MAX, "too many strangers");
    for (size_t i = 0; i < count; i++) {
        strangers->fds[i] = -1;
        renew(strangers, i);
    }
}

void strangers_turn(struct strangers *strangers)
{
    int64_t now = mono_ms();
    if (now < strangers->next_ms)
        return;
    strangers->next_ms = now + DRIP_EVERY_MS;
    for (size_t i = 0; i < strangers->count; i++) {
        if (strangers->fds[i] < 0 || was_ended(strangers->fds[i])) {
            strangers->refused++;
            renew(strangers, i);
        } else if (strangers->drip == DRIP_HEADERS) {
            say(strangers->fds[i], "x: y\r\n", 6);
        } else if (strangers->drip == DRIP_BODY) {
            say(strangers->fds[i], " ", 1);
        }
    }
}

void strangers_go(struct strangers *strangers)
{
    for (size_t i = 0; i < strangers->count; i++)
        if (strangers->fds[i] >= 0)
            close(strangers->fds[i]);
    strangers->count = 0;
}
