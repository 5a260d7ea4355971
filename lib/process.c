/* process.c — see process.h. */
#include "lineward/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_UNKNOWN 1024 /* as most systems have it */

/* Descriptors of nothing, held so that there is one to let go of when a file must be opened and connections have
 * taken all others. */
static struct {
    pthread_mutex_t lock;
    int count, wanted;
    int held[PROCESS_FILES_RESERVE];
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

void process_keep_secrets(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a core that is piped to a program knows no limit */
}

void process_hold_standard(void)
{
    int file;
    do
        file = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest that is free */
    while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0)
        close(file);
}

void process_become_child(size_t files_max)
{
    struct rlimit files = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    process_keep_secrets();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < files_max ? files.rlim_max : files_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    /* Signals to the whole group are the broker's to answer: it still needs its children while it ends its work, and
     * closing its end of a socket is how it lets one go. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static bool hold_one(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file >= 0)
        reserve.held[reserve.count++] = file;
    return file >= 0;
}

void process_take_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void process_reserve_files(void)
{
    size_t files = process_files_max();
    pthread_mutex_lock(&reserve.lock);
    reserve.wanted = files / 4 < PROCESS_FILES_RESERVE ? (int)(files / 4) : PROCESS_FILES_RESERVE;
    while (reserve.count < reserve.wanted && hold_one())
        continue;
    pthread_mutex_unlock(&reserve.lock);
}

/* Whoever accepts a connection at this very moment may be quicker: then it takes another one. */
static int open_instead(const char *path, int flags, mode_t mode)
{
    int file = -1;
    errno = EMFILE;
    while (file < 0 && errno == EMFILE && reserve.count > 1) { /* the last one is to be copied */
        close(reserve.held[--reserve.count]);
        file = open(path, flags, mode);
    }
    return file;
}

int process_open_file(const char *path, int flags, mode_t mode)
{
    int file = open(path, flags, mode);
    int why = errno;
    pthread_mutex_lock(&reserve.lock);
    if (file >= 0 && reserve.count < reserve.wanted)
        hold_one(); /* there are some again */
    else if (file < 0 && why == EMFILE) {
        file = open_instead(path, flags, mode);
        why = errno;
    }
    pthread_mutex_unlock(&reserve.lock);
    errno = why;
    return file;
}

int process_close_file(int file)
{
    bool kept = false;
    pthread_mutex_lock(&reserve.lock);
    if (reserve.count > 0 && reserve.count < reserve.wanted)
        kept = dup3(reserve.held[0], file, O_CLOEXEC) == file; /* closes it without letting go of its number */
    if (kept)
        reserve.held[reserve.count++] = file;
    pthread_mutex_unlock(&reserve.lock);
    return kept ? 0 : close(file);
}

size_t process_files_max(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (size_t)limit.rlim_cur : FILES_UNKNOWN;
}
