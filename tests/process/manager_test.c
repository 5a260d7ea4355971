/* manager_test.c — what a service manager hears of broker and worker: ready only when serving, reloading and ready again
 * at HUP, stopping at TERM, and a sign of life in between. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rig.h"

static struct rig rig;
static int manager;

static void listen_for(const char *name, const char *watchdog_us)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s.notify", rig.folder, name);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    MUST(bind(manager, (const struct sockaddr *)&at, sizeof at) == 0, "no socket at %s", at.sun_path);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    setenv("WATCHDOG_USEC", watchdog_us, 1);
}

static void listen_no_more(void)
{
    close(manager);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
}

/* Is this what is heard next, signs of life aside? */
static bool hears(const char *start, int *beats)
{
    char text[256];
    ssize_t bytes = recv(manager, text, sizeof text - 1, MSG_DONTWAIT);
    if (bytes < 0)
        return false;
    text[bytes] = '\0';
    bool beat = strcmp(text, "WATCHDOG=1") == 0;
    *beats += beat;
    MUST(beat || strncmp(text, start, strlen(start)) == 0, "%s was heard before %s", text, start);
    return !beat;
}

static void life_of(struct program *program)
{
    int beats = 0;
    AWAIT(hears("READY=1", &beats), "it is never ready");
    MUST(beats == 0, "a sign of life came before it was ready");
    AWAIT(hears("nothing", &beats) || beats >= 3, "it gives no signs of life");
    program_signal(program, SIGHUP);
    AWAIT(hears("RELOADING=1", &beats), "HUP is not told");
    AWAIT(hears("READY=1", &beats), "the reload has no end");
    program_signal(program, SIGTERM);
    MUST(program_wait(program, LIMIT_MS) == 0, "it does not end in order");
    AWAIT(hears("STOPPING=1", &beats), "TERM is not told");
    listen_no_more();
}

START_TEST(a_brokers_life_is_told_and_ready_means_bound)
{
    rig_open(&rig, NULL);
    rig_start_sandbox(&rig);
    listen_for("broker", "400000");
    rig_start_broker(&rig);
    life_of(&rig.broker);
    MUST(program_said(&rig.broker, "event=ready"), "it was told ready and is not");
    rig_close(&rig);
}
END_TEST

START_TEST(a_workers_life_is_told_with_or_without_a_broker)
{
    rig_open(&rig, NULL);
    listen_for("worker", "400000");
    rig_start_worker(&rig, 0);
    life_of(&rig.worker[0]);
    rig_close(&rig);
}
END_TEST

START_TEST(a_start_that_fails_is_never_told_ready)
{
    int beats = 0;
    static const char *const sets[] = {"broker.insecure=true", "broker.admin=192.0.2.1:7781", NULL}; /* nobody has it */
    rig_open(&rig, sets);
    listen_for("broker", "400000");
    rig_start_broker(&rig);
    MUST(program_wait(&rig.broker, LIMIT_MS) == 1, "it starts");
    MUST(!hears("nothing", &beats) && beats == 0, "something was told");
    listen_no_more();
    rig_close(&rig);
}
END_TEST

static void write_nowhere(const struct program *program)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
        char name[64], path[PROGRAM_PATH_MAX] = "";
        snprintf(name, sizeof name, "/proc/%d/fd/%d", program->pid, file);
        MUST(readlink(name, path, sizeof path - 1) > 0, "%s is closed: the next file will be it", name);
        MUST(strcmp(path, "/dev/null") == 0, "%s: what it logs is written into %s", name, path);
    }
}

/* A supervisor may give none. The next files that a program opens would take their places, the store's among them. */
START_TEST(without_standard_files_nothing_is_logged_into_others)
{
    rig_open(&rig, NULL);
    rig.broker.mute = rig.worker[0].mute = true;
    rig_start(&rig, 1);
    write_nowhere(&rig.broker);
    write_nowhere(&rig.worker[0]);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("manager", 60, a_brokers_life_is_told_and_ready_means_bound,
                     a_workers_life_is_told_with_or_without_a_broker, a_start_that_fails_is_never_told_ready,
                     without_standard_files_nothing_is_logged_into_others);
}
