/* net_part.h — what net.c (the network) and net_zmq.c (libzmq's calls) share, and nobody else. */
#ifndef TESTS_SIM_NET_PART_H
#define TESTS_SIM_NET_PART_H

#include "tests/sim/net.h"

#define QUEUE_MAX       1000 /* libzmq's high-water mark */
#define CONNECTIONS_MAX 64   /* of a ROUTER that it still believes in */

struct queue {
    struct packet *first, **last;
    size_t count;
};

struct end { /* of a connection: what comes to it */
    struct net_socket *socket; /* NULL: gone */
    bool up;                   /* it believes in the connection */
    int64_t last_us;           /* when the newest packet on its way to it arrives */
    int64_t held_until_us;     /* nothing arrives before */
    struct queue on_its_way;   /* arrives in the order in which it was sent, whatever held it up */
};

struct connection {
    struct end client, server;
    uint8_t id[5]; /* by which the ROUTER knows it */
    char name[24]; /* the client's */
    bool lost;     /* nothing arrives any more, at either end */
};

struct net_socket {
    int type;
    char endpoint[64], name[24];
    struct process *process; /* NULL: a model's */
    void (*readable)(void *self);
    void *self;
    struct fiber *owner;
    struct queue inbox;
    struct packet *reading; /* its parts are handed out one by one */
    size_t read;
    struct frame writing[NET_PARTS_MAX];
    size_t written;
    struct connection *connections[CONNECTIONS_MAX]; /* a DEALER has one */
    size_t connection_count;
    bool closed;
};

struct net_socket *net_socket_new(int type);
/* It is gone, and so are its connections. `in_silence`: the other ends do not hear of it for a while. */
void net_socket_gone(struct net_socket *socket, bool in_silence);
void net_connect(struct net_socket *socket, const char *name, const char *endpoint);
/* By the id that a message's first part has; NULL: none. */
struct connection *net_connection_of(const struct net_socket *server, const void *id, size_t bytes);
bool net_has_room(const struct net_socket *client); /* its connection is up, and takes another message */
/* 0, or an errno. */
int net_send_from_server(struct net_socket *socket, const struct frame *frames, size_t count);

#endif
