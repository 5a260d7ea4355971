/* program.c — see program.h. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define PROGRAMS_MAX   32
#define TICK_MS        5
#define LOG_TAIL_BYTES 6000

static struct program *programs[PROGRAMS_MAX];
static size_t program_count;

int64_t mono_ms(void)
{
    return clock_read().mono_ms;
}

static void show_tail(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    char text[LOG_TAIL_BYTES];
    if (fseek(file, -(long)sizeof text, SEEK_END) != 0)
        rewind(file);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    printf("---- end of %s\n%.*s\n", path, (int)bytes, text);
}

void give_up(const char *format, ...)
{
    char why[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(why, sizeof why, format, values);
    va_end(values);
    for (size_t i = 0; i < program_count; i++)
        show_tail(programs[i]->log);
    fflush(stdout);
    ck_abort_msg("%s", why);
    abort();
}

const char *program_folder(void)
{
    static char folder[PROGRAM_PATH_MAX];
    const char *build = getenv("BUILD");
    if (build != NULL)
        return build;
    /* BUILD/tests/process/NAME */
    ssize_t bytes = readlink("/proc/self/exe", folder, sizeof folder - 1);
    MUST(bytes > 0, "no /proc/self/exe");
    folder[bytes] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(folder, '/');
        MUST(slash != NULL, "BUILD is not set");
        *slash = '\0';
    }
    return folder;
}

static void remember(struct program *program)
{
    for (size_t i = 0; i < program_count; i++)
        if (programs[i] == program)
            return;
    MUST(program_count < PROGRAMS_MAX, "too many programs");
    programs[program_count++] = program;
}

void program_forget(const struct program *program)
{
    for (size_t i = 0; i < program_count; i++)
        if (programs[i] == program)
            programs[i--] = programs[--program_count];
}

static void talk_to_the_log(const struct program *program)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(program->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(126);
}

static _Noreturn void become(const struct program *program, char *const *argv)
{
    talk_to_the_log(program);
    const struct rlimit files = {program->files_max, program->files_max};
    if (program->files_max != 0 && setrlimit(RLIMIT_NOFILE, &files) != 0)
        _exit(126);
    if (program->network != 0 && setns(program->network, CLONE_NEWNET) != 0)
        _exit(126);
    for (int file = STDIN_FILENO; program->mute && file <= STDERR_FILENO; file++)
        close(file);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

void program_start(struct program *program, const char *const *arguments)
{
    char path[PROGRAM_PATH_MAX * 2];
    char *argv[PROGRAM_ARGUMENTS_MAX + 2] = {path};
    size_t count = 1;
    if (strchr(program->name, '/') != NULL) /* one of the system's */
        snprintf(path, sizeof path, "%s", program->name);
    else
        snprintf(path, sizeof path, "%s/%s", program_folder(), program->name);
    for (; *arguments != NULL && count <= PROGRAM_ARGUMENTS_MAX; arguments++)
        argv[count++] = (char *)(uintptr_t)*arguments;
    MUST(*arguments == NULL, "too many arguments");
    MUST(program->pid == 0, "%s runs already", program->name);
    remember(program);
    pid_t pid = fork();
    MUST(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0)
        become(program, argv);
    program->pid = pid;
}

void program_fork(struct program *program, int (*body)(void *self), void *self)
{
    MUST(program->pid == 0, "%s runs already", program->name);
    remember(program);
    fflush(stdout);
    pid_t pid = fork();
    MUST(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        program_count = 0; /* they are its parent's */
        talk_to_the_log(program);
        _exit(body(self));
    }
    program->pid = pid;
}

void program_signal(const struct program *program, int signal)
{
    MUST(program->pid > 0 && kill(program->pid, signal) == 0, "%s: no signal %d", program->name, signal);
}

pid_t program_child(const struct program *program)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)program->pid, (int)program->pid);
    FILE *file = fopen(path, "r");
    MUST(file != NULL, "%s: can't be read", path);
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return bytes == 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

/* True: it has ended; *code as program_wait() has it. */
static bool reap(struct program *program, int options, int *code)
{
    int status = 0;
    pid_t pid;
    do {
        pid = waitpid(program->pid, &status, options);
    } while (pid < 0 && errno == EINTR);
    if (pid != program->pid)
        return false;
    program->pid = 0;
    program->dumped = WIFSIGNALED(status) && WCOREDUMP(status);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return true;
}

void program_kill(struct program *program)
{
    int code = 0;
    if (program->pid == 0)
        return;
    kill(program->pid, SIGKILL);
    reap(program, 0, &code);
}

int program_wait(struct program *program, int64_t limit_ms)
{
    int code = 0;
    int64_t until_ms = mono_ms() + limit_ms;
    while (!reap(program, WNOHANG, &code)) {
        MUST(mono_ms() < until_ms, "%s does not end", program->name);
        poll(NULL, 0, TICK_MS);
    }
    return code;
}

void program_end(struct program *program)
{
    if (program->pid == 0)
        return;
    program_signal(program, SIGTERM);
    int code = program_wait(program, LIMIT_MS);
    MUST(code == 0, "%s ended with %d", program->name, code);
}

bool program_said(const struct program *program, const char *text)
{
    static char log[1 << 20];
    FILE *file = fopen(program->log, "r");
    if (file == NULL)
        return false;
    size_t bytes = fread(log, 1, sizeof log, file);
    fclose(file);
    return memmem(log, bytes, text, strlen(text)) != NULL;
}

void programs_tick(void)
{
    poll(NULL, 0, TICK_MS);
    for (size_t i = 0; i < program_count; i++) {
        int code = 0;
        if (programs[i]->pid != 0 && reap(programs[i], WNOHANG, &code))
            give_up("%s ended by itself with %d", programs[i]->name, code);
    }
}

int run_tests(const char *name, int limit_s, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, NULL, NULL, limit_s, tests, count);
}
