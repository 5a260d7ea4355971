/* ports.c — see ports.h. */
#include "ports.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_FIRST 12000
#define PORTS      20000

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return bound;
}

/* Nobody uses the UDP port of that number, so it says to other tests that this one has it, for as long as the test lives;
 * a look alone is not enough, for the port is not bound before a program starts. */
static bool is_taken_for_us(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    if (fd >= 0)
        close(fd);
    return false;
}

uint16_t port_free(void)
{
    static uint32_t next;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (next == 0)
        next = (uint32_t)getpid() * 16 + (uint32_t)(now.tv_nsec % 7919);
    for (int tries = 0; tries < PORTS; tries++) {
        uint16_t port = (uint16_t)(PORT_FIRST + next++ % PORTS);
        if (is_free(port) && is_taken_for_us(port))
            return port;
    }
    return 0;
}
