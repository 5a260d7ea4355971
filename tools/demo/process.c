/* process.c — see process.h. */
#include "tools/demo/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lineward/clock.h"

#define ASK_MS 10 /* how often a program is asked whether it has ended */

/* Between fork and exec of a program with threads: only what is safe in a signal handler. */
static _Noreturn void become(const char *const *arguments, int log, int null, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0)
        execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

bool process_start(struct process *process, const char *const *arguments)
{
    pid_t parent = getpid();
    int log = open(process->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = log >= 0 && null >= 0 ? fork() : -1;
    if (pid == 0)
        become(arguments, log, null, parent);
    int error = errno;
    if (log >= 0)
        close(log);
    if (null >= 0)
        close(null);
    errno = error;
    process->pid = pid > 0 ? pid : 0;
    return pid > 0;
}

bool process_runs(struct process *process)
{
    int status = 0;
    if (process->pid == 0)
        return false;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return true;
    process->pid = 0;
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return false;
}

bool process_wait(struct process *process, int timeout_ms)
{
    int64_t deadline_ms = clock_read().mono_ms + timeout_ms;
    while (process_runs(process)) {
        if (clock_read().mono_ms >= deadline_ms)
            return false;
        poll(NULL, 0, ASK_MS);
    }
    return true;
}

void process_signal(const struct process *process, int signal)
{
    if (process->pid != 0)
        kill(process->pid, signal);
}

void process_kill(struct process *process)
{
    int status = 0;
    if (process->pid == 0)
        return;
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    process->pid = 0;
}

void process_tail(const struct process *process, int lines, FILE *out)
{
    FILE *file = fopen(process->log, "re");
    char *line = NULL;
    size_t room = 0;
    long count = 0;
    if (file == NULL)
        return;
    while (getline(&line, &room, file) > 0)
        count++;
    rewind(file);
    fprintf(out, "%s (%s):\n", process->name, process->log);
    for (long i = 0; getline(&line, &room, file) > 0; i++) {
        if (i >= count - lines)
            fprintf(out, "    %s", line);
    }
    free(line);
    fclose(file);
}
