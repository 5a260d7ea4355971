/* file.c — see file.h. */
#include "file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err problem_say(struct store_problem *problem, enum err err, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(problem->text, sizeof problem->text, format, values);
    va_end(values);
    return err;
}

int file_read(const struct store_io *io, int file, void *out, size_t bytes, uint64_t offset)
{
    uint8_t *to = out;
    while (bytes > 0) {
        int64_t got = io->pread(io->self, file, to, bytes, offset);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return -ENODATA;
        to += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

int file_write_parts(const struct store_io *io, int file, struct iovec *parts, int count, uint64_t offset)
{
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        int64_t put = io->pwritev(io->self, file, parts, count, offset);
        if (put < 0)
            return (int)put;
        if (put == 0)
            return -EIO;
        offset += (uint64_t)put;
        size_t left = (size_t)put;
        for (; count > 0 && parts->iov_len <= left; count--)
            left -= parts++->iov_len;
        if (left > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

int file_write(const struct store_io *io, int file, const void *data, size_t bytes, uint64_t offset)
{
    struct iovec part = {(void *)(uintptr_t)data, bytes};
    return file_write_parts(io, file, &part, 1, offset);
}

int file_write_zeros(const struct store_io *io, int file, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[64 * 1024];
    enum { PARTS = 16 };
    while (from < to) {
        struct iovec parts[PARTS];
        int count = 0;
        uint64_t at = from;
        for (; count < PARTS && at < to; count++) {
            size_t step = to - at < sizeof zeros ? (size_t)(to - at) : sizeof zeros;
            parts[count] = (struct iovec){(void *)(uintptr_t)zeros, step};
            at += step;
        }
        int error = file_write_parts(io, file, parts, count, from);
        if (error != 0)
            return error;
        from = at;
    }
    return 0;
}

void file_path(char out[PATH_BYTES_MAX], const char *folder, const char *name)
{
    snprintf(out, PATH_BYTES_MAX, "%s/%s", folder, name);
}

static void numbered_path(char out[PATH_BYTES_MAX], const char *folder, enum segment_type type, uint64_t number,
                          const char *ending)
{
    snprintf(out, PATH_BYTES_MAX, "%s/%s-%016llx.%s", folder, type == SEGMENT_DATA ? "data" : "hist",
             (unsigned long long)number, ending);
}

void segment_path(char out[PATH_BYTES_MAX], const char *folder, enum segment_type type, uint64_t number)
{
    numbered_path(out, folder, type, number, "seg");
}

void index_path(char out[PATH_BYTES_MAX], const char *folder, enum segment_type type, uint64_t number)
{
    numbered_path(out, folder, type, number, "idx");
}

void spare_path(char out[PATH_BYTES_MAX], const char *folder, uint64_t spare)
{
    snprintf(out, PATH_BYTES_MAX, "%s/spare-%016llx.seg", folder, (unsigned long long)spare);
}

enum file_kind file_kind(const char *name, enum segment_type *type, uint64_t *number)
{
    static const struct {
        const char *prefix, *ending;
        enum segment_type type;
        enum file_kind kind;
    } names[] = {
        {"data-", ".seg", SEGMENT_DATA, FILE_SEGMENT},    {"data-", ".idx", SEGMENT_DATA, FILE_INDEX},
        {"hist-", ".seg", SEGMENT_HISTORY, FILE_SEGMENT}, {"hist-", ".idx", SEGMENT_HISTORY, FILE_INDEX},
        {"spare-", ".seg", SEGMENT_DATA, FILE_SPARE},
    };
    enum { DIGITS = 16 };
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".tmp") == 0)
        return FILE_LEFTOVER;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t prefix = strlen(names[i].prefix);
        if (strncmp(name, names[i].prefix, prefix) != 0 || length != prefix + DIGITS + strlen(names[i].ending) ||
            strspn(name + prefix, "0123456789abcdef") != DIGITS ||
            strcmp(name + prefix + DIGITS, names[i].ending) != 0)
            continue;
        *type = names[i].type;
        *number = strtoull(name + prefix, NULL, 16);
        return names[i].kind;
    }
    return FILE_OTHER;
}
