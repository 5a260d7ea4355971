/* wraps.c — the calls by which the product would wait, tell the time, draw at random or reach the machine it runs on
 * (the linker puts these in their place: WRAPPED in the Makefile). In a fiber they mean the simulated ones. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "broker/feed/feed_secrets.h"
#include "broker/identity.h"
#include "broker/store/store.h"
#include "lineward/conf.h"
#include "lineward/log.h"
#include "tests/sim/child.h"
#include "tests/sim/disk.h"
#include "tests/sim/fiber.h"
#include "tests/sim/ground.h"
#include "tests/sim/hooks.h"
#include "tests/sim/house.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned flags);
void __wrap_randombytes_buf(void *out, size_t bytes);
pid_t __wrap_getpid(void);
int __wrap_nice(int more);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_gethostname(char *name, size_t bytes);
int __wrap___gethostname_chk(char *name, size_t bytes, size_t room);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms);
int __wrap_poll(struct pollfd *files, nfds_t count, int timeout_ms);
int __wrap___poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room);
int __real_poll(struct pollfd *files, nfds_t count, int timeout_ms);
ssize_t __real_write(int file, const void *data, size_t bytes);
ssize_t __wrap_write(int file, const void *data, size_t bytes);
int __real_eventfd_write(int file, eventfd_t value);
int __wrap_eventfd_write(int file, eventfd_t value);
ssize_t __real_send(int file, const void *data, size_t bytes, int flags);
ssize_t __wrap_send(int file, const void *data, size_t bytes, int flags);
int __real_socketpair(int domain, int type, int protocol, int pair[2]);
int __wrap_socketpair(int domain, int type, int protocol, int pair[2]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old);
enum err __wrap_identity_open(const char *store_path, bool created, struct keyed_hash *out,
                              struct identity_problem *problem);
enum err __real_store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                           struct store_problem *problem);
enum err __wrap_store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                           struct store_problem *problem);
enum err __wrap_conf_load(struct conf **out, const char *path, const char *const *sets, size_t set_count,
                          struct conf_problem *problem);
enum err __wrap_feed_secrets_read(struct feed_secrets *out, const char *path, struct conf_problem *problem);
char *__wrap_conf_read_secret(const char *path);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define LOCK_AGAIN_US 5

/* ---- threads ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg)
{
    struct process *process = process_current();
    if (process == NULL)
        return __real_pthread_create(thread, attr, body, arg);
    *thread = (pthread_t)(uintptr_t)fiber_start(process, body, arg);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    const struct fiber *fiber = (const struct fiber *)(uintptr_t)thread;
    if (result != NULL)
        *result = NULL;
    while (!fiber_is_done(fiber))
        fiber_wait_on(fiber, US_NEVER);
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    while (pthread_mutex_trylock(mutex) != 0)
        fiber_wait(now_us() + LOCK_AGAIN_US);
    return 0;
}

static int wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_us)
{
    pthread_mutex_unlock(mutex);
    fiber_wait_on(condition, until_us);
    __wrap_pthread_mutex_lock(mutex);
    return until_us != US_NEVER && now_us() >= until_us ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    return wait_on(condition, mutex, US_NEVER);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
    int64_t left_us = until->tv_sec * US_S + until->tv_nsec / 1000 - machine_mono_us(process_current()->machine);
    return wait_on(condition, mutex, now_us() + (left_us > 0 ? left_us : 0));
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    fiber_signal(condition);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    fiber_signal(condition);
    return 0;
}

/* ---- clocks, chance and names ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    const struct process *process = process_current();
    if (process == NULL)
        return __real_clock_gettime(clock, out);
    int64_t us = clock == CLOCK_REALTIME ? machine_wall_us(process->machine) : machine_mono_us(process->machine);
    *out = (struct timespec){.tv_sec = us / US_S, .tv_nsec = us % US_S * 1000};
    return 0;
}

static void fill(void *out, size_t bytes)
{
    static struct stream stream;
    static bool begun;
    uint8_t *at = out;
    if (!begun)
        stream = stream_of("random bytes");
    begun = true;
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)draw(&stream, 256);
}

ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned flags)
{
    (void)flags;
    fill(out, bytes);
    return (ssize_t)bytes;
}

void __wrap_randombytes_buf(void *out, size_t bytes)
{
    fill(out, bytes);
}

pid_t __wrap_getpid(void)
{
    return 4711;
}

/* Fibers have no priority, and there are no timers of the system's: who wants one does with its timeout. */
int __wrap_nice(int more)
{
    return more;
}

int __wrap_timerfd_create(int clock, int flags)
{
    (void)clock;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

int __wrap_gethostname(char *name, size_t bytes)
{
    snprintf(name, bytes, "sim");
    return 0;
}

int __wrap___gethostname_chk(char *name, size_t bytes, size_t room)
{
    (void)room;
    return __wrap_gethostname(name, bytes);
}

/* ---- waiting for files ---- */

/* A worker waits for its socket to the broker, which wakes its process, and for the time; the simulated sockets
 * have no file of their own. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    (void)epoll;
    (void)events;
    (void)max;
    if (timeout_ms != 0)
        fiber_wait(timeout_ms < 0 ? US_NEVER : now_us() + timeout_ms * US_MS);
    return 0;
}

int __wrap_poll(struct pollfd *files, nfds_t count, int timeout_ms)
{
    if (fiber_current() == NULL)
        return __real_poll(files, count, timeout_ms);
    int got = __real_poll(files, count, 0);
    if (got != 0 || timeout_ms == 0)
        return got;
    fiber_wait(timeout_ms < 0 ? US_NEVER : now_us() + timeout_ms * US_MS);
    return __real_poll(files, count, 0);
}

int __wrap___poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room)
{
    (void)room;
    return __wrap_poll(files, count, timeout_ms);
}

/* A thread that writes to a file wakes the one of its process that waits for it. */
static void wake_main(void)
{
    if (fiber_current() != NULL)
        process_wake(process_current());
}

ssize_t __wrap_write(int file, const void *data, size_t bytes)
{
    ssize_t written = __real_write(file, data, bytes);
    wake_main();
    return written;
}

int __wrap_eventfd_write(int file, eventfd_t value)
{
    int result = __real_eventfd_write(file, value);
    wake_main();
    return result;
}

/* ---- the broker's child ---- */

ssize_t __wrap_send(int file, const void *data, size_t bytes, int flags)
{
    ssize_t sent = __real_send(file, data, bytes, flags);
    if (fiber_current() != NULL)
        child_poke();
    return sent;
}

static int child_end = -1;

int __wrap_socketpair(int domain, int type, int protocol, int pair[2])
{
    int result = __real_socketpair(domain, type, protocol, pair);
    if (result == 0 && fiber_current() != NULL)
        child_end = dup(pair[1]);
    return result;
}

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
    (void)path;
    (void)actions;
    (void)attributes;
    (void)argv;
    (void)environment;
    *pid = 4712;
    house_child_started(child_end);
    return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    if (fiber_current() == NULL)
        return __real_waitpid(pid, status, options);
    if (status != NULL)
        *status = 0;
    house_child_gone();
    return pid;
}

int __wrap_kill(pid_t pid, int number)
{
    return fiber_current() == NULL ? __real_kill(pid, number) : 0;
}

int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how;
    (void)set;
    (void)old;
    return 0;
}

/* ---- the store's folder, and files beside it ---- */

enum err __wrap_identity_open(const char *store_path, bool created, struct keyed_hash *out,
                              struct identity_problem *problem)
{
    (void)store_path;
    (void)created;
    (void)problem;
    memcpy(out->key, "the hash's secret", sizeof out->key);
    return ERR_NONE;
}

enum err __wrap_store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                           struct store_problem *problem)
{
    struct store_options with_disk = *options;
    with_disk.path = DISK_FOLDER;
    with_disk.io = disk_io();
    enum err err = __real_store_open(out, &with_disk, opened, problem);
    house_store_opened(err, opened, problem->text);
    return err;
}

enum err __wrap_conf_load(struct conf **out, const char *path, const char *const *sets, size_t set_count,
                          struct conf_problem *problem)
{
    (void)path;
    (void)sets;
    (void)set_count;
    return house_load(out, problem);
}

enum err __wrap_feed_secrets_read(struct feed_secrets *out, const char *path, struct conf_problem *problem)
{
    (void)problem;
    *out = (struct feed_secrets){0};
    if (path != NULL)
        out->count = webhook_secret_parse(hooks_secrets[0], &out->secrets[0]) ? 1 : 0;
    return ERR_NONE;
}

char *__wrap_conf_read_secret(const char *path)
{
    return strdup(strstr(path, "second") != NULL ? "key-of-second" : "key-of-default");
}

/* ---- the log ---- */

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    char text[400];
    const struct process *process = process_current();
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (level >= LOG_INFO)
        note_world("%s: %s %s", process == NULL ? "-" : process->name, event, text);
}
