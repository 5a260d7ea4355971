/* strangers.h — connections that cost those who hold them next to nothing: silent ones, and HTTP that drips. */
#ifndef PROCESS_STRANGERS_H
#define PROCESS_STRANGERS_H

#include "rig.h"

#define STRANGERS_MAX 2048

enum drip {
    DRIP_NOTHING, /* connects, and is silent */
    DRIP_HEADERS, /* a request whose headers never end */
    DRIP_BODY,    /* a body, byte by byte */
};

struct strangers {
    uint16_t port;
    enum drip drip;
    const char *head; /* what is sent first */
    size_t count;
    int fds[STRANGERS_MAX];
    int64_t next_ms;
    uint64_t refused; /* connections that the other side ended; each is made anew */
};

/* `count` connections to a port, from 16 addresses of this machine. */
void strangers_come(struct strangers *strangers, uint16_t port, size_t count, enum drip drip, const char *head);
/* Whatever is due: a byte each now and then, and new connections for those that were ended. */
void strangers_turn(struct strangers *strangers);
void strangers_go(struct strangers *strangers);

#endif
