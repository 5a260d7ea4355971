/* child.c — see child.h. */
#include "broker/edge/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lineward/log.h"

#define RESTART_CAP_MS 10000
#define ENDING_MS      2000

extern char **environ;

void child_init(struct child *child, const char *failed)
{
    *child = (struct child){.failed = failed, .fd = -1, .restart_ms = CHILD_RESTART_MS};
}

/* Nothing it may still do is waited for. */
static void kill_it(struct child *child)
{
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    child->pid = 0;
}

static void plan_restart(struct child *child, struct instant now)
{
    child->start_at_ms = now.mono_ms + child->restart_ms;
    child->restart_ms = child->restart_ms * 2 > RESTART_CAP_MS ? RESTART_CAP_MS : child->restart_ms * 2;
}

void child_lost(struct child *child, struct instant now)
{
    kill_it(child);
    plan_restart(child, now);
}

void child_well(struct child *child)
{
    child->restart_ms = CHILD_RESTART_MS;
}

/* The end of its socket ends it; should it not hear that, it is killed. */
void child_end(struct child *child)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
    for (int waited_ms = 0; child->pid > 0 && waited_ms < ENDING_MS; waited_ms += 2) {
        if (waitpid(child->pid, NULL, WNOHANG) != 0)
            child->pid = 0;
        else
            nanosleep(&moment, NULL);
    }
    kill_it(child);
}

/* ---- the process ---- */

/* Only the standard streams and its socket reach the child. Ours are close-on-exec; what this process itself was
 * started with may not be. */
static int plan_files(posix_spawn_file_actions_t *actions, int theirs)
{
    int err = posix_spawn_file_actions_adddup2(actions, theirs, CHILD_FD);
    return err != 0 ? err : posix_spawn_file_actions_addclosefrom_np(actions, CHILD_FD + 1);
}

/* Ours are blocked, for the signalfd. */
static int plan_signals(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigemptyset(&none);
    int err = posix_spawnattr_setsigmask(attributes, &none);
    return err != 0 ? err : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
}

static bool spawn(struct child *child, char *const *argv, int theirs)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int err = plan_files(&actions, theirs);
    if (err == 0)
        err = plan_signals(&attributes);
    if (err == 0)
        err = posix_spawn(&child->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (err != 0)
        log_event(LOG_ERROR, child->failed, "error=\"%s\"", strerror(err));
    return err == 0;
}

bool child_start(struct child *child, char *const *argv, int type, struct instant now)
{
    int pair[2];
    if (child->fd >= 0 || now.mono_ms < child->start_at_ms)
        return false;
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) {
        plan_restart(child, now);
        return false;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    bool started = spawn(child, argv, pair[1]);
    close(pair[1]);
    if (started) {
        child->fd = pair[0];
        child->starts++;
        return true;
    }
    child->pid = 0;
    close(pair[0]);
    plan_restart(child, now);
    return false;
}

int64_t child_next_mono_ms(const struct child *child)
{
    return child->fd >= 0 ? TIME_NEVER : child->start_at_ms;
}
