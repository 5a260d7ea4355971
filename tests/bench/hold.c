/* hold.c — what it costs the broker to close and to open a line with a great backlog, seen from outside.
 *
 *   hold PRODUCERS EVENTS CONTROL_URL LINE FLIPS
 *
 * The line is turned CRITICAL and HEALTHY by signed webhooks while a PING goes out every millisecond: what the core
 * does all at once, a PONG waits for. No worker is there, so that nothing else moves. A move counts from the control
 * call until its `line.gate` event and SETTLE_MS more. Prints `quiet_p50_us` (a PONG's usual time), and the longest
 * PONG's time of a move, as the median and the maximum over the flips: `close_p50_us`, `close_max_us`, `open_…`. */
#include "bench.h"
#include "sandbox_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <zmq.h>

#include "lineward/wire.h"

#define FLIPS_MAX   1000
#define PING_GAP_NS 1000000
#define SETTLE_NS   100000000
#define STUCK_NS    30000000000
#define PONG_MS     10000

struct hold {
    void *context, *pings, *events;
    struct message *message;
    const char *control_url, *line;
};

static void *open_socket(struct hold *hold, int type, const char *endpoint)
{
    int linger = 0;
    void *socket = zmq_socket(hold->context, type);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        (type == ZMQ_SUB && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "line.gate", 9) != 0) ||
        zmq_connect(socket, endpoint) != 0)
        die("%s: %s", endpoint, zmq_strerror(errno));
    return socket;
}

static int64_t ping_ns(struct hold *hold)
{
    struct frame frames[] = {{WIRE_VERSION, 3}, {"PING", 4}, {"", 0}};
    int64_t begin = now_ns();
    if (message_send(hold->pings, frames, 3) != ERR_NONE)
        die("PING: %s", zmq_strerror(errno));
    zmq_pollitem_t item = {.socket = hold->pings, .events = ZMQ_POLLIN};
    zmq_poll(&item, 1, PONG_MS);
    if (message_receive(hold->message, hold->pings) != ERR_NONE || !frame_is(message_frame(hold->message, 1), "PONG"))
        die("no PONG within %d s", PONG_MS / 1000);
    return now_ns() - begin;
}

/* True: the line's gate moved, as asked. */
static bool gate_moved(struct hold *hold, bool to_closed)
{
    bool moved = false;
    while (message_receive(hold->message, hold->events) == ERR_NONE) {
        struct frame event = message_frame(hold->message, 1);
        bool closed = memmem(event.data, event.bytes, "\"closed\"", 8) != NULL;
        if (memmem(event.data, event.bytes, hold->line, strlen(hold->line)) != NULL && closed == to_closed)
            moved = true;
    }
    return moved;
}

/* The longest PONG until `end_ns`. */
static int64_t longest_until(struct hold *hold, int64_t end_ns)
{
    int64_t longest = 0;
    while (now_ns() < end_ns) {
        int64_t took = ping_ns(hold);
        longest = took > longest ? took : longest;
        wait_until_ns(now_ns() + PING_GAP_NS);
    }
    return longest;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longest PONG of the move. */
static int64_t move_ns(struct hold *hold, enum reputation reputation)
{
    int64_t longest = 0;
    int64_t begin = now_ns();
    sandbox_set_line(hold->control_url, hold->line, reputation);
    while (!gate_moved(hold, reputation == REPUTATION_CRITICAL)) {
        longest = larger(longest, longest_until(hold, now_ns() + PING_GAP_NS));
        if (now_ns() > begin + STUCK_NS)
            die("line %s is %s, and its gate did not move", hold->line, reputation_name(reputation));
    }
    return larger(longest, longest_until(hold, now_ns() + SETTLE_NS));
}

static void print_us(const char *name, int64_t *spans_ns, size_t count)
{
    printf("%s_p50_us %.1f\n", name, (double)quantile(spans_ns, count, 0.5) / 1000);
    printf("%s_max_us %.1f\n", name, (double)quantile(spans_ns, count, 1.0) / 1000);
}

static void measure(struct hold *hold, size_t flips)
{
    static int64_t quiet[FLIPS_MAX];
    static int64_t closing[FLIPS_MAX];
    static int64_t opening[FLIPS_MAX];
    for (size_t i = 0; i < flips; i++) {
        quiet[i] = longest_until(hold, now_ns() + SETTLE_NS);
        closing[i] = move_ns(hold, REPUTATION_CRITICAL);
        opening[i] = move_ns(hold, REPUTATION_HEALTHY);
    }
    print_us("quiet", quiet, flips);
    print_us("close", closing, flips);
    print_us("open", opening, flips);
}

int main(int argc, char **argv)
{
    static struct hold hold;
    if (argc != 6)
        die("usage: hold PRODUCERS EVENTS CONTROL_URL LINE FLIPS");
    hold.context = zmq_ctx_new();
    hold.message = message_new();
    if (hold.context == NULL || hold.message == NULL)
        die("out of memory");
    hold.control_url = argv[3];
    hold.line = argv[4];
    hold.pings = open_socket(&hold, ZMQ_DEALER, argv[1]);
    hold.events = open_socket(&hold, ZMQ_SUB, argv[2]);
    prctl(PR_SET_TIMERSLACK, 1UL);
    measure(&hold, (size_t)number_argument(argv[5], "FLIPS", 1, FLIPS_MAX));
    message_free(&hold.message);
    zmq_close(hold.pings);
    zmq_close(hold.events);
    zmq_ctx_term(hold.context);
    return 0;
}
