/* ctl_terminal.h — for the tests of linewardctl: the program on a terminal, as a person has it. Included once per test
 * program. */
#ifndef LINEWARD_TESTS_CTL_TERMINAL_H
#define LINEWARD_TESTS_CTL_TERMINAL_H

#include <check.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"

static char terminal_text[65536]; /* what was shown on the one that was started last; what is beyond is not kept */
static size_t terminal_bytes;

/* Runs linewardctl with these words on a new terminal. */
static pid_t start_on_terminal(char **argv, int *terminal)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    terminal_bytes = 0;
    terminal_text[0] = '\0';
    pid_t pid = forkpty(terminal, NULL, NULL, NULL);
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(ctl_run(argc, argv, stdout, stderr));
    return pid;
}

/* False: nothing came for `ms`, or nothing comes any more. */
static bool read_terminal(int terminal, int ms)
{
    struct pollfd shown = {.fd = terminal, .events = POLLIN};
    char text[4096];
    ssize_t bytes = poll(&shown, 1, ms) > 0 ? read(terminal, text, sizeof text) : 0;
    if (bytes < 0)
        poll(NULL, 0, ms); /* the other end is closed */
    if (bytes <= 0)
        return false;
    size_t room = sizeof terminal_text - 1 - terminal_bytes;
    size_t kept = (size_t)bytes < room ? (size_t)bytes : room;
    memcpy(terminal_text + terminal_bytes, text, kept);
    terminal_bytes += kept;
    terminal_text[terminal_bytes] = '\0';
    return true;
}

/* What a terminal shows is read away, for up to so long, until the program has ended: how it did; -1: it has not. */
static int end_on_terminal(int terminal, pid_t pid, int ms)
{
    for (int status = 0; ms > 0; ms -= 20) {
        read_terminal(terminal, 20);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            while (read_terminal(terminal, 0))
                ;
            return status;
        }
    }
    return -1;
}

#endif
