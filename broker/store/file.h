/* file.h — small helpers over store_io: whole reads and writes, names of the journal's files. */
#ifndef LINEWARD_STORE_FILE_H
#define LINEWARD_STORE_FILE_H

#include "format.h"
#include "store_io.h"

#define PATH_BYTES_MAX 4096

/* Writes the sentence, cut to what fits; returns `err`. */
enum err problem_say(struct store_problem *problem, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 0, or a negative errno; a file that ends early is -ENODATA. */
int file_read(const struct store_io *io, int file, void *out, size_t bytes, uint64_t offset);
/* Writes all parts (their memory is changed: they are consumed). */
int file_write_parts(const struct store_io *io, int file, struct iovec *parts, int count, uint64_t offset);
int file_write(const struct store_io *io, int file, const void *data, size_t bytes, uint64_t offset);
int file_write_zeros(const struct store_io *io, int file, uint64_t from, uint64_t to);

/* "FOLDER/data-000000000000002a.seg" */
void file_path(char out[PATH_BYTES_MAX], const char *folder, const char *name);
void segment_path(char out[PATH_BYTES_MAX], const char *folder, enum segment_type type, uint64_t number);
void index_path(char out[PATH_BYTES_MAX], const char *folder, enum segment_type type, uint64_t number);
void spare_path(char out[PATH_BYTES_MAX], const char *folder, uint64_t spare);

enum file_kind { FILE_OTHER, FILE_SEGMENT, FILE_INDEX, FILE_SPARE, FILE_LEFTOVER };
/* What `name` says the file is. */
enum file_kind file_kind(const char *name, enum segment_type *type, uint64_t *number);

#endif
