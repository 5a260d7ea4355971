/* child.c — see child.h. */
#include "broker/edge/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
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

/* A file of that text, read from its start; -1: there is none, errno says why. */
static int file_of(const char *text, size_t bytes)
{
    int file = memfd_create("configuration", MFD_CLOEXEC);
    ssize_t put = 0;
    for (size_t done = 0; file >= 0 && done < bytes; done += (size_t)put) {
        put = pwrite(file, text + done, bytes - done, (off_t)done);
        if (put <= 0) {
            close(file);
            return -1;
        }
    }
    return file;
}

/* Only the standard streams, its socket and its configuration (-1: none) reach the child. Ours are close-on-exec; what
 * this process itself was started with may not be. */
static int plan_files(posix_spawn_file_actions_t *actions, int theirs, int conf)
{
    int last = conf < 0 ? CHILD_FD : CHILD_CONF_FD;
    int err = posix_spawn_file_actions_adddup2(actions, theirs, CHILD_FD); /* `conf` is another: it was opened later */
    if (err == 0 && conf >= 0)
        err = posix_spawn_file_actions_adddup2(actions, conf, CHILD_CONF_FD);
    return err != 0 ? err : posix_spawn_file_actions_addclosefrom_np(actions, last + 1);
}

/* Ours are blocked, for the signalfd. */
static int plan_signals(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigemptyset(&none);
    int err = posix_spawnattr_setsigmask(attributes, &none);
    return err != 0 ? err : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
}

static bool spawn(struct child *child, char *const *argv, int theirs, const struct conf *conf)
{
    size_t bytes = 0;
    const char *text = conf_file_text(conf, &bytes);
    int file = text == NULL ? -1 : file_of(text, bytes);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int err = text != NULL && file < 0 ? errno : plan_files(&actions, theirs, file);
    if (err == 0)
        err = plan_signals(&attributes);
    if (err == 0)
        err = posix_spawn(&child->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (file >= 0)
        close(file);
    if (err != 0)
        log_event(LOG_ERROR, child->failed, "error=\"%s\"", strerror(err));
    return err == 0;
}

bool child_start(struct child *child, char *const *argv, int type, const struct conf *conf, struct instant now)
{
    int pair[2];
    if (child->fd >= 0 || now.mono_ms < child->start_at_ms)
        return false;
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) {
        plan_restart(child, now);
        return false;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    bool started = spawn(child, argv, pair[1], conf);
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
