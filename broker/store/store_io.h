/* store_io.h — the file system as the journal sees it, so that tests can put a faulty or recorded one in its place.
 *
 * All functions answer 0 (or a count, or a handle >= 0), or a negative errno. Handles are the implementation's own.
 * They are called from several threads at once, but never two writers on one file. */
#ifndef LINEWARD_STORE_IO_H
#define LINEWARD_STORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct store_io {
    void *self; /* passed to each call */

    int (*open)(void *self, const char *path,
                bool create);                       /* for reading and writing; a new file is private (0600) */
    int (*open_read)(void *self, const char *path); /* for reading only */
    int (*close)(void *self, int file);

    int64_t (*pread)(void *self, int file, void *out, size_t bytes, uint64_t offset); /* may be short */
    int64_t (*pwritev)(void *self, int file, const struct iovec *parts, int count,
                       uint64_t offset); /* may be short */
    int (*sync)(void *self, int file);   /* content, and what is needed to read it back: fdatasync */

    int (*reserve)(void *self, int file,
                   uint64_t bytes); /* room on the disk for bytes 0..bytes; the file grows to it */
    int (*truncate)(void *self, int file, uint64_t bytes);
    int64_t (*size)(void *self, int file);

    int (*rename)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*make_dir)(void *self, const char *path);
    int (*sync_dir)(void *self, const char *path); /* names made, changed and removed in this folder */
    int (*list_dir)(void *self, const char *path, void (*visit)(void *context, const char *name), void *context);

    int (*lock)(void *self, int file);                   /* exclusive, until closed; -EWOULDBLOCK: somebody has it */
    int64_t (*free_bytes)(void *self, const char *path); /* of the folder's file system */
};

/* The real one. */
extern const struct store_io store_io_real;

#endif
