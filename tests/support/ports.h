/* ports.h — TCP ports of loopback for what a test starts. */
#ifndef TESTS_PORTS_H
#define TESTS_PORTS_H

#include <stdint.h>

/* One that nobody listens on, and that this process has not given out; 0: there is none. Below those that the kernel
 * gives to outgoing connections: nobody takes it between a program's death and its return, and no connection attempt to
 * it ever meets itself. */
uint16_t port_free(void);

#endif
