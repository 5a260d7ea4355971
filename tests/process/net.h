/* net.h — machines of a test: network namespaces that hang on one bridge, each by a cable that can be pulled out.
 *
 * The test itself moves into a network of its own first, so that nothing of it is seen outside or left behind. */
#ifndef PROCESS_NET_H
#define PROCESS_NET_H

#include "program.h"

#define NET_MACHINES_MAX 8

struct net {
    size_t count;
    int ours, machine[NET_MACHINES_MAX]; /* descriptors of namespaces, for program.network */
};

/* Before anything else, and before any thread. False: it is not allowed here (it takes root). */
bool net_is_allowed(void);
void net_open(struct net *net, size_t machines);
/* Its address on the bridge: 10.78.0.(1 + machine); the test's own is 10.78.0.254. */
void net_address(size_t machine, char out[16]);
void net_cut(const struct net *net, size_t machine); /* nothing comes through any more, and nobody is told */
void net_mend(const struct net *net, size_t machine);

/* Connections to loopback of one namespace, passed on to the same port of loopback in another. */
struct net_pass {
    int from, to;
    uint16_t port;
};
/* In a process of its own, until the test ends. `log` is its log. */
void net_pass_on(struct program *program, const char *log, const struct net_pass *passes, size_t count);

#endif
