/* request_log.c — two buffers: one is filled while the other is written. */
#include "tools/sandbox/request_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lineward/log.h"

#define UNWRITTEN_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define WRITE_AT_BYTES      ((size_t)256 * 1024)
#define GATHER_NS           (20 * 1000 * 1000)

struct buffer {
    char *text;
    size_t bytes, room;
};

struct request_log {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct buffer filling, writing;
    bool closing;
};

static void fail(const char *what)
{
    log_event(LOG_ERROR, "request_log_failed", "doing=%s error=\"%s\"", what, strerror(errno));
    _exit(1);
}

static void write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            fail("write");
        text += written;
        bytes -= (size_t)written;
    }
}

/* Waits for something to write, then a moment longer, so that a busy server costs few writes. */
static bool buffer_take(struct request_log *log)
{
    pthread_mutex_lock(&log->lock);
    while (log->filling.bytes == 0 && !log->closing)
        pthread_cond_wait(&log->filled, &log->lock);
    if (!log->closing && log->filling.bytes < WRITE_AT_BYTES) {
        pthread_mutex_unlock(&log->lock);
        nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
        pthread_mutex_lock(&log->lock);
    }
    struct buffer full = log->filling;
    log->filling = log->writing;
    log->filling.bytes = 0;
    log->writing = full;
    pthread_cond_broadcast(&log->emptied);
    pthread_mutex_unlock(&log->lock);
    return full.bytes > 0;
}

static void *writer(void *context)
{
    struct request_log *log = context;
    while (buffer_take(log)) /* empty only when closing */
        write_all(log->fd, log->writing.text, log->writing.bytes);
    return NULL;
}

enum err request_log_open(struct request_log **out, const char *path)
{
    struct request_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return ERR_NO_MEMORY;
    log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log->fd < 0) {
        free(log);
        return ERR_IO;
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->filled, NULL);
    pthread_cond_init(&log->emptied, NULL);
    if (pthread_create(&log->thread, NULL, writer, log) != 0) {
        close(log->fd);
        free(log);
        return ERR_NO_MEMORY;
    }
    *out = log;
    return ERR_NONE;
}

void request_log_close(struct request_log **log_p)
{
    struct request_log *log = *log_p;
    if (log == NULL)
        return;
    pthread_mutex_lock(&log->lock);
    log->closing = true;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    if (close(log->fd) != 0)
        fail("close");
    free(log->filling.text);
    free(log->writing.text);
    pthread_cond_destroy(&log->filled);
    pthread_cond_destroy(&log->emptied);
    pthread_mutex_destroy(&log->lock);
    free(log);
    *log_p = NULL;
}

static void buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->room - buffer->bytes >= bytes)
        return;
    size_t room = buffer->room == 0 ? 2 * WRITE_AT_BYTES : buffer->room * 2;
    while (room - buffer->bytes < bytes)
        room *= 2;
    char *text = realloc(buffer->text, room);
    if (text == NULL)
        fail("grow");
    buffer->text = text;
    buffer->room = room;
}

void request_log_add(struct request_log *log, const char *line, size_t bytes)
{
    if (log == NULL)
        return;
    pthread_mutex_lock(&log->lock);
    while (log->filling.bytes > UNWRITTEN_BYTES_MAX)
        pthread_cond_wait(&log->emptied, &log->lock);
    bool was_empty = log->filling.bytes == 0;
    buffer_reserve(&log->filling, bytes + 1);
    memcpy(log->filling.text + log->filling.bytes, line, bytes);
    log->filling.text[log->filling.bytes + bytes] = '\n';
    log->filling.bytes += bytes + 1;
    if (was_empty)
        pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
}
