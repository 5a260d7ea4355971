/* store_io.c — the real file system behind store_io.h: thin, one call each. */
#include "store_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lineward/process.h"

static int real_open(void *self, const char *path, bool create)
{
    int file = process_open_file(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    return file < 0 ? -errno : file;
}

static int real_open_read(void *self, const char *path)
{
    int file = process_open_file(path, O_RDONLY | O_CLOEXEC, 0);
    return file < 0 ? -errno : file;
}

static int real_close(void *self, int file)
{
    return process_close_file(file) < 0 ? -errno : 0;
}

static int64_t real_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    ssize_t got;
    do {
        got = pread(file, out, bytes, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int64_t real_pwritev(void *self, int file, const struct iovec *parts, int count, uint64_t offset)
{
    ssize_t put;
    do {
        put = pwritev(file, parts, count, (off_t)offset);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

static int real_sync(void *self, int file)
{
    /* Not repeated on error: after a failed sync the kernel may have dropped the pages and would answer 0. */
    return fdatasync(file) < 0 ? -errno : 0;
}

static int real_reserve(void *self, int file, uint64_t bytes)
{
    int error;
    do {
        error = posix_fallocate(file, 0, (off_t)bytes);
    } while (error == EINTR);
    return -error;
}

static int real_truncate(void *self, int file, uint64_t bytes)
{
    return ftruncate(file, (off_t)bytes) < 0 ? -errno : 0;
}

static int64_t real_size(void *self, int file)
{
    struct stat stat;
    return fstat(file, &stat) < 0 ? -errno : stat.st_size;
}

static int real_rename(void *self, const char *from, const char *to)
{
    return rename(from, to) < 0 ? -errno : 0;
}

static int real_unlink(void *self, const char *path)
{
    return unlink(path) < 0 ? -errno : 0;
}

static int real_make_dir(void *self, const char *path)
{
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

/* The folder that was synced last stays open: connections may have taken all other descriptors, the reserve too, and a
 * name that cannot be synced ends the broker. From any thread. */
static struct {
    pthread_mutex_t lock;
    int file;
    dev_t device;
    ino_t number;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER, .file = -1};

static int hold_folder(const char *path)
{
    struct stat is;
    if (stat(path, &is) < 0)
        return -errno;
    if (held.file >= 0 && is.st_dev == held.device && is.st_ino == held.number)
        return 0;
    int file = process_open_file(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (file < 0)
        return -errno;
    if (held.file >= 0)
        process_close_file(held.file);
    held.file = file;
    held.device = is.st_dev;
    held.number = is.st_ino;
    return 0;
}

static int real_sync_dir(void *self, const char *path)
{
    pthread_mutex_lock(&held.lock);
    int error = hold_folder(path);
    if (error == 0 && fsync(held.file) < 0)
        error = -errno;
    pthread_mutex_unlock(&held.lock);
    return error;
}

static int real_list_dir(void *self, const char *path, void (*visit)(void *context, const char *name), void *context)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(context, entry->d_name);
    }
    int error = -errno;
    closedir(folder);
    return error;
}

static int real_lock(void *self, int file)
{
    return flock(file, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int64_t real_free_bytes(void *self, const char *path)
{
    struct statvfs space;
    if (statvfs(path, &space) < 0)
        return -errno;
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

const struct store_io store_io_real = {
    .open = real_open,
    .open_read = real_open_read,
    .close = real_close,
    .pread = real_pread,
    .pwritev = real_pwritev,
    .sync = real_sync,
    .reserve = real_reserve,
    .truncate = real_truncate,
    .size = real_size,
    .rename = real_rename,
    .unlink = real_unlink,
    .make_dir = real_make_dir,
    .sync_dir = real_sync_dir,
    .list_dir = real_list_dir,
    .lock = real_lock,
    .free_bytes = real_free_bytes,
};
