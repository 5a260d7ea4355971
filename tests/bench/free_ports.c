/* free_ports.c — `free_ports N` prints N loopback TCP ports that nobody listens on, all different, on one line. */
#include "bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#define PORTS_MAX 64

int main(int argc, char **argv)
{
    int64_t count = number_argument(argc == 2 ? argv[1] : "", "N", 1, PORTS_MAX);
    for (int64_t i = 0; i < count; i++) { /* all stay bound until the end: so they differ */
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t bytes = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
            getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
            die("no free port:");
        printf("%s%u", i > 0 ? " " : "", (unsigned)ntohs(address.sin_port));
    }
    putchar('\n');
    return 0;
}
