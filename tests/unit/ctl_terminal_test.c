/* linewardctl on a terminal, as a person has it: what keys end, and how it leaves the screen. */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_server.h"

#define TERMINAL_ENDS_MS 20000 /* generous, for a slow machine: what is not given up hangs for a minute */
#define TERMINAL_LOOKS   1000  /* of 20 ms, for what should take a moment */

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

/* The program runs until the server has been asked `asked` times. */
static void await_asked(int terminal, pid_t pid, size_t asked)
{
    for (int i = 0; i < TERMINAL_LOOKS && server.seen_count < asked; i++)
        ck_assert_int_eq(end_on_terminal(terminal, pid, 20), -1);
    ck_assert_uint_ge(server.seen_count, asked);
}

/* What it ends with after these keys (none: by itself). */
static int ends_with(int terminal, pid_t pid, const char *keys)
{
    ck_assert_int_eq(write(terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
    int status = end_on_terminal(terminal, pid, TERMINAL_ENDS_MS);
    kill(pid, SIGKILL);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(top_ends_at_an_interrupt_while_a_broker_says_nothing)
{
    static const struct reply script[] = {{200, "{}"}, {200, "{\"lines\":[],\"next\":null}"}, {1, NULL}};
    char *words[] = {W("linewardctl"), W("top"), W("--admin"), server.admin, NULL};
    int terminal = -1;
    SERVER_START(script);
    pid_t pid = start_on_terminal(words, &terminal);
    await_asked(terminal, pid, 3);
    ck_assert_int_eq(ends_with(terminal, pid, "\003"), EXIT_DONE);
}
END_TEST

START_TEST(top_leaves_a_terminal_as_it_was_however_it_is_ended)
{
    static const struct reply script[] = {{200, "{\"lines\":[],\"next\":null}"}};
    static const char *const keys[] = {"\032\034", "\003", "q"}; /* the first of them, to stop it, does nothing */
    char *words[] = {W("linewardctl"), W("top"), W("--admin"), server.admin, W("--every"), W("100ms"), NULL};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int terminal = -1;
        struct termios mode;
        SERVER_START(script);
        pid_t pid = start_on_terminal(words, &terminal);
        await_asked(terminal, pid, 3);
        ck_assert_int_eq(tcgetattr(terminal, &mode), 0);
        ck_assert_uint_eq(mode.c_lflag & ECHO, 0);
        ck_assert_int_eq(ends_with(terminal, pid, keys[i]), EXIT_DONE);
        ck_assert_int_eq(tcgetattr(terminal, &mode), 0);
        ck_assert_uint_ne(mode.c_lflag & ECHO, 0);
        close(terminal);
        server_stop();
    }
}
END_TEST

#define DRAIN(state, reason, left)                                                                                   \
    "{\"line\":\"+1202\",\"pace_per_min\":600,\"reason\":null,\"drain\":{\"mode\":\"ramp\",\"state\":\"" state "\",\"reason\":" reason       \
    ",\"total\":3000,\"sent\":1250,\"failed\":10,\"left\":" left ",\"eta_at\":null}}"

#define BAR_WIPED "\r\033[K"

START_TEST(watching_a_drain_ends_at_the_first_interrupt_while_a_broker_says_nothing)
{
    static const struct reply script[] = {{200, DRAIN("running", "null", "1740")}, {1, NULL}};
    char *words[] = {W("linewardctl"), W("drain"), W("+1202"), W("--watch"), W("--admin"), server.admin, NULL};
    int terminal = -1;
    SERVER_START(script);
    pid_t pid = start_on_terminal(words, &terminal);
    await_asked(terminal, pid, 2);
    ck_assert_int_eq(ends_with(terminal, pid, "\003"), EXIT_REFUSED);
    assert_says(terminal_text, BAR_WIPED "linewardctl: interrupted: the drain goes on without you");
    assert_silent(terminal_text, "unreachable");
}
END_TEST

START_TEST(a_drain_that_is_no_longer_seen_says_so_on_a_line_of_its_own)
{
    static const struct reply script[] = {{200, DRAIN("running", "null", "1740")}, {0, NULL}};
    char *words[] = {W("linewardctl"), W("drain"), W("+1202"), W("--watch"), W("--admin"), server.admin, NULL};
    int terminal = -1;
    SERVER_START(script);
    pid_t pid = start_on_terminal(words, &terminal);
    ck_assert_int_eq(ends_with(terminal, pid, ""), EXIT_UNREACHABLE);
    assert_says(terminal_text, "1,740 left");
    assert_says(terminal_text, BAR_WIPED "linewardctl: unreachable: ");
    server_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_terminal");
    TCase *tests = tcase_create("ctl_terminal");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, top_ends_at_an_interrupt_while_a_broker_says_nothing);
    tcase_add_test(tests, top_leaves_a_terminal_as_it_was_however_it_is_ended);
    tcase_add_test(tests, watching_a_drain_ends_at_the_first_interrupt_while_a_broker_says_nothing);
    tcase_add_test(tests, a_drain_that_is_no_longer_seen_says_so_on_a_line_of_its_own);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
