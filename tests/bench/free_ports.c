/* free_ports.c — `free_ports N` prints N loopback TCP ports that nobody listens on, all different, on one line. */
#include "bench.h"

#include <stdio.h>

#include "tests/support/ports.h"

#define PORTS_MAX 64

int main(int argc, char **argv)
{
    int64_t count = number_argument(argc == 2 ? argv[1] : "", "N", 1, PORTS_MAX);
    for (int64_t i = 0; i < count; i++) {
        uint16_t port = port_free();
        if (port == 0)
            die("no free port");
        printf("%s%u", i > 0 ? " " : "", (unsigned)port);
    }
    putchar('\n');
    return 0;
}
