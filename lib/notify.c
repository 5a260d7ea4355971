/* notify.c — see notify.h. */
#include "lineward/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lineward/clock.h"

static struct {
    int fd; /* 0: nobody listens */
    struct sockaddr_un to;
    socklen_t to_bytes;
    int64_t watch_ms, next_ms; /* 0: no watchdog */
} manager;

static void say(const char *text)
{
    if (manager.fd == 0)
        return;
    ssize_t sent = sendto(manager.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&manager.to, manager.to_bytes);
    (void)sent; /* a manager that does not listen ends us, or does not: nothing that we could do about it */
}

/* A path, or with '@' an abstract name. False: neither. */
static bool address(const char *name)
{
    size_t bytes = strlen(name);
    if ((*name != '/' && *name != '@') || bytes < 2 || bytes >= sizeof manager.to.sun_path)
        return false;
    manager.to.sun_family = AF_UNIX;
    memcpy(manager.to.sun_path, name, bytes + 1);
    if (*name == '@')
        manager.to.sun_path[0] = '\0';
    manager.to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    return true;
}

/* Half of the time after which we would be taken for stuck, if it is us who is watched. */
static int64_t watch_ms(const char *usec, const char *pid)
{
    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    int64_t half = strtoll(usec, NULL, 10) / 2000;
    return half < 0 ? 0 : half;
}

void notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (name != NULL && address(name)) {
        manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (manager.fd < 0)
            manager.fd = 0;
        manager.watch_ms = watch_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
    if (manager.fd != 0)
        close(manager.fd);
    memset(&manager, 0, sizeof manager);
}

void notify_ready(void)
{
    say("READY=1");
}

void notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_us());
    say(text);
}

void notify_stopping(void)
{
    say("STOPPING=1");
}

void notify_starting(int64_t more_ms)
{
    char text[64];
    snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%" PRId64, more_ms * 1000);
    say(text);
}

void notify_turn(int64_t mono_ms)
{
    if (manager.watch_ms == 0 || mono_ms < manager.next_ms)
        return;
    manager.next_ms = mono_ms + manager.watch_ms;
    say("WATCHDOG=1");
}

int64_t notify_next_mono_ms(void)
{
    return manager.watch_ms == 0 ? TIME_NEVER : manager.next_ms;
}
