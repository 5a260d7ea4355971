/* net.c — see net.h. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IP "/usr/sbin/ip"

bool net_is_allowed(void)
{
    pid_t pid = fork(); /* to try it without doing it */
    int status = 0;
    if (pid == 0)
        _exit(access(IP, X_OK) == 0 && unshare(CLONE_NEWNET) == 0 ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int our_namespace(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    MUST(fd > 0, "no namespace: %s", strerror(errno));
    return fd;
}

/* `ip` with these words (NULL last), in that namespace. */
static void ip(int network, const char *const *words)
{
    char *argv[24] = {(char[]){IP}};
    size_t count = 1;
    int status = 0;
    for (; *words != NULL && count < 23; words++)
        argv[count++] = (char *)(uintptr_t)*words;
    pid_t pid = fork();
    if (pid == 0) {
        if (setns(network, CLONE_NEWNET) == 0)
            execv(IP, argv);
        _exit(127);
    }
    MUST(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "ip %s %s %s: status %d", argv[1], argv[2],
         argv[3], status);
}
#define IP_RUN(network, ...) ip(network, (const char *const[]){__VA_ARGS__, NULL})

void net_address(size_t machine, char out[16])
{
    snprintf(out, 16, "10.78.0.%u", 1 + ((unsigned)machine & (NET_MACHINES_MAX - 1)));
}

static void add_machine(struct net *net, size_t i)
{
    char here[16], there[16], place[64], address[24], host[16];
    snprintf(here, sizeof here, "cable%u", (unsigned)i);
    snprintf(there, sizeof there, "eth%u", (unsigned)i);
    MUST(unshare(CLONE_NEWNET) == 0, "no new network: %s", strerror(errno));
    net->machine[i] = our_namespace();
    MUST(setns(net->ours, CLONE_NEWNET) == 0, "no way back: %s", strerror(errno));
    snprintf(place, sizeof place, "/proc/%d/fd/%d", getpid(), net->machine[i]);
    net_address(i, host);
    snprintf(address, sizeof address, "%s/24", host);
    IP_RUN(net->ours, "link", "add", here, "type", "veth", "peer", "name", there);
    IP_RUN(net->ours, "link", "set", there, "netns", place);
    IP_RUN(net->ours, "link", "set", here, "master", "bridge");
    IP_RUN(net->ours, "link", "set", here, "up");
    IP_RUN(net->machine[i], "addr", "add", address, "dev", there);
    IP_RUN(net->machine[i], "link", "set", there, "up");
    IP_RUN(net->machine[i], "link", "set", "lo", "up");
}

void net_open(struct net *net, size_t machines)
{
    *net = (struct net){.count = machines};
    MUST(unshare(CLONE_NEWNET) == 0, "no network of its own: %s", strerror(errno));
    net->ours = our_namespace();
    IP_RUN(net->ours, "link", "set", "lo", "up");
    IP_RUN(net->ours, "link", "add", "bridge", "type", "bridge");
    IP_RUN(net->ours, "addr", "add", "10.78.0.254/24", "dev", "bridge");
    IP_RUN(net->ours, "link", "set", "bridge", "up");
    for (size_t i = 0; i < machines; i++)
        add_machine(net, i);
}

static void set_cable(const struct net *net, size_t machine, const char *how)
{
    char name[16];
    snprintf(name, sizeof name, "cable%u", (unsigned)machine);
    IP_RUN(net->ours, "link", "set", name, how);
}

void net_cut(const struct net *net, size_t machine)
{
    set_cable(net, machine, "down");
}

void net_mend(const struct net *net, size_t machine)
{
    set_cable(net, machine, "up");
}
