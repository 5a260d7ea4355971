/* start.c — starts a queue (or anything else) and says how long it took until it answered.
 *
 *   start lineward|redis ADDRESS TIMEOUT_S PIDFILE LOGFILE COMMAND...
 *
 * The command goes on running after this; its number is in PIDFILE, what it says in LOGFILE. Prints `ready_ms`. */
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_MS   1000
#define PAUSE_NS 1000000

static _Noreturn void become(char **command, const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
        dup2(fd, STDERR_FILENO) < 0)
        die("%s:", log);
    if (fd > STDERR_FILENO)
        close(fd);
    if (null > STDERR_FILENO)
        close(null);
    execvp(command[0], command);
    die("%s:", command[0]);
}

static void write_pid(const char *path, pid_t pid)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file) != 0)
        die("%s:", path);
}

/* The end of its log, before the next run clears it away. */
static void show_log(const char *path)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fseek(file, -(long)sizeof text, SEEK_END) != 0)
        rewind(file); /* shorter than that */
    fwrite(text, 1, fread(text, 1, sizeof text, file), stderr);
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 7)
        die("usage: start QUEUE ADDRESS TIMEOUT_S PIDFILE LOGFILE COMMAND...");
    const struct queue *queue = queue_named(argv[1]);
    struct queue_address address = {.producers = argv[2]};
    int64_t timeout_s = number_argument(argv[3], "TIMEOUT_S", 1, 3600);
    int64_t begin = now_ns();
    pid_t pid = fork();
    if (pid < 0)
        die("fork:");
    if (pid == 0)
        become(argv + 6, argv[5]);
    write_pid(argv[4], pid);
    while (!queue->answers(&address, ASK_MS)) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            show_log(argv[5]);
            die("%s ended before it answered: see %s", argv[6], argv[5]);
        }
        if (now_ns() > begin + timeout_s * 1000000000)
            die("%s did not answer within %d s: see %s", argv[6], (int)timeout_s, argv[5]);
        wait_until_ns(now_ns() + PAUSE_NS);
    }
    printf("ready_ms %.1f\n", (double)(now_ns() - begin) / 1e6);
    return 0;
}
