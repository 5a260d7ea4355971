/* net.h — the network between broker, workers and producers: libzmq's calls, with connections that delay, hold back,
 * lose and come again, unseen by one end or both (net_zmq.c has the calls themselves).
 *
 * A connection keeps the order of what it carries, as TCP does; what is lost with one, and what an old one still
 * carries beside a new one, is lost and comes late. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/wire.h"
#include "tests/sim/fiber.h"
#include "tests/sim/ground.h"

#define NET_PARTS_MAX 2100

struct packet { /* a whole message */
    struct packet *next;
    size_t count;
    struct frame *parts;
};

struct net_socket;

/* For models that are no process of the product: a DEALER that calls `readable` when something came, or when its
 * connection came or went. */
struct net_socket *net_dealer(const char *name, const char *endpoint, void (*readable)(void *self), void *self);
bool net_is_up(const struct net_socket *socket);
bool net_send(struct net_socket *socket, const struct frame *frames, size_t count); /* false: not taken */
struct packet *net_receive(struct net_socket *socket);                              /* NULL: nothing there */
void packet_free(struct packet *packet);

/* All sockets of the process are gone. `in_silence`: the other ends do not hear of it for a while. */
void net_process_gone(const struct process *process, bool in_silence);

/* What a broker says to a worker or a producer, the moment it says it. */
extern void (*net_broker_says)(const char *to, const struct frame *frames, size_t count);
/* What a worker reads, the moment it does. */
extern void (*net_worker_reads)(const struct process *worker, const struct frame *frames, size_t count);
/* What a worker or a producer says, when it leaves. */
extern void (*net_client_says)(const char *from, const struct frame *frames, size_t count);

/* ---- faults ---- */
void net_begin(void);
/* One draw: something happens to some connection. */
void net_mishap(struct stream *stream);
/* Everything passes again. */
void net_heal(void);
void net_cut_off(const struct process *process, int64_t for_us); /* both ways, unseen */

#endif
