/* rogue.c — see rogue.h. */
#include "rogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/wire.h"

#define OVERSIZED_BYTES (WIRE_REQUEST_BYTES_MAX + 1024u * 1024)
#define LARGE_JOBS      31u /* of the largest size: just below what a request may be */
#define LARGE_BYTES     (WIRE_JOB_BYTES_MAX - 16u)

const char *const rogue_names[ROGUE_KINDS] = {
    [ROGUE_GARBAGE] = "garbage", [ROGUE_OVERSIZED] = "oversized", [ROGUE_LARGE] = "large", [ROGUE_DEAF] = "deaf",
    [ROGUE_RAW] = "raw",
};

static char *filled(size_t bytes, char with)
{
    char *text = malloc(bytes + 1);
    if (text == NULL)
        _exit(1);
    memset(text, with, bytes);
    text[bytes] = '\0';
    return text;
}

/* Waits while the broker takes no more; what is sent is lent. */
static void say(void *socket, const void *bytes, size_t count, int flags)
{
    while (zmq_send(socket, bytes, count, flags) < 0 && errno == EINTR)
        continue;
}

static void say_head(void *socket, const char *command)
{
    say(socket, "LW1", 3, ZMQ_SNDMORE);
    say(socket, command, strlen(command), ZMQ_SNDMORE);
    say(socket, "rogue", 5, ZMQ_SNDMORE);
}

static void say_times(void *socket, const char *item, size_t bytes, unsigned times)
{
    for (unsigned i = 1; i <= times; i++)
        say(socket, item, bytes, i < times ? ZMQ_SNDMORE : 0);
}

static void garbage(void *socket)
{
    static uint64_t random = 1;
    char bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(random >> 56);
    }
    say_head(socket, "ENQUEUE");
    say_times(socket, bytes, random >> 40 & 0xfff, 1 + (random >> 33 & 0x7ff));
    say_times(socket, bytes, 64, 20);
}

static void oversized(void *socket)
{
    static char *frame;
    if (frame == NULL)
        frame = filled(OVERSIZED_BYTES, 'x');
    say(socket, frame, OVERSIZED_BYTES, 0);
}

/* Good JSON to the last byte, so that all of it is read; and then without a recipient. */
static void large(void *socket)
{
    static char *job;
    if (job == NULL) {
        static const char head[] = "{\"message\":{\"parts\":[0", tail[] = "]}}";
        job = filled(LARGE_BYTES, ' ');
        memcpy(job, head, sizeof head - 1);
        for (size_t at = sizeof head - 1; at + sizeof tail + 1 < LARGE_BYTES; at += 2)
            memcpy(job + at, ",0", 2);
        memcpy(job + LARGE_BYTES - (sizeof tail - 1), tail, sizeof tail - 1);
    }
    say_head(socket, "ENQUEUE");
    say_times(socket, job, LARGE_BYTES, LARGE_JOBS);
}

static void deaf(void *socket, const char *known)
{
    say_head(socket, "STATUS");
    say_times(socket, known, strlen(known), WIRE_ENQUEUE_JOBS_MAX);
}

static void raw(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    char bytes[512];
    memset(bytes, 0x7f, sizeof bytes);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) < 0)
        poll(NULL, 0, 1);
    if (fd >= 0)
        close(fd);
}

static _Noreturn void misbehave(uint16_t port, enum rogue_kind kind, const char *known)
{
    char endpoint[64];
    int soon_ms = 1, few = 1;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    if (setpriority(PRIO_PROCESS, 0, 19) < 0 || socket == NULL)
        _exit(1);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &soon_ms, sizeof soon_ms);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &few, sizeof few); /* answers pile up at the broker's end, not at ours */
    if (zmq_connect(socket, endpoint) != 0)
        _exit(1);
    for (;;) {
        if (kind == ROGUE_GARBAGE)
            garbage(socket);
        else if (kind == ROGUE_OVERSIZED)
            oversized(socket);
        else if (kind == ROGUE_LARGE)
            large(socket);
        else if (kind == ROGUE_DEAF)
            deaf(socket, known);
        else
            raw(port);
    }
}

/* Elsewhere it would have processors of its own: here it uses what the others leave. */
static void yield_to_all(void)
{
    const struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
}

pid_t rogue_start(uint16_t port, enum rogue_kind kind, const char *known)
{
    fflush(stdout);
    pid_t pid = fork();
    MUST(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        yield_to_all();
        misbehave(port, kind, known);
    }
    return pid;
}

/* Takes in what comes, as every ROUTER must, looks at nothing and answers nothing. */
static _Noreturn void swallow(int tell)
{
    char endpoint[64];
    size_t bytes = sizeof endpoint;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);
    int64_t largest = WIRE_REQUEST_BYTES_MAX;
    uint16_t port = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) != 0 ||
        zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        _exit(1);
    port = (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
    if (write(tell, &port, sizeof port) != sizeof port)
        _exit(1);
    for (zmq_msg_t frame;;) {
        zmq_msg_init(&frame);
        zmq_msg_recv(&frame, socket, 0);
        zmq_msg_close(&frame);
    }
}

pid_t rogue_sink_start(uint16_t *port)
{
    int ends[2];
    MUST(pipe(ends) == 0, "pipe: %s", strerror(errno));
    fflush(stdout);
    pid_t pid = fork();
    MUST(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0)
        swallow(ends[1]);
    MUST(read(ends[0], port, sizeof *port) == sizeof *port, "the sink has no port");
    close(ends[0]);
    close(ends[1]);
    return pid;
}

void rogue_end(pid_t pid)
{
    int status = 0;
    MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
             WTERMSIG(status) == SIGKILL,
         "a rogue ended by itself: %d", status);
}
