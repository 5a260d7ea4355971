/* index.c — see index.h. */
#include "index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define INDEX_MAGIC 0x31584449574c0d0aull /* "\n\rLWIDX1" */

uint32_t finder_hash(unsigned kind, uint64_t key)
{
    return (uint32_t)XXH3_64bits_withSeed(&key, sizeof key, kind);
}

static int compare_finder(const void *a, const void *b)
{
    const struct finder_entry *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->unit < right->unit ? -1 : left->unit > right->unit;
}

static int compare_events(const void *a, const void *b)
{
    const struct event_entry *left = a, *right = b;
    uint64_t x = event_entry_seq(left), y = event_entry_seq(right);
    if (x != y)
        return x < y ? -1 : 1;
    return left->unit < right->unit ? -1 : left->unit > right->unit;
}

enum err index_lists(const struct heads *heads, struct finder_entry **finder_out, size_t *finder_count,
                     struct event_entry **events_out, size_t *event_count)
{
    struct finder_entry *finder = malloc((heads->sums.records + 1) * sizeof *finder);
    struct event_entry *events = malloc((heads->sums.records + 1) * sizeof *events);
    if (finder == NULL || events == NULL) {
        free(finder);
        free(events);
        return ERR_NO_MEMORY;
    }
    size_t found = 0, happened = 0, at = 0;
    for (const struct head_entry *entry; (entry = heads_next(heads, &at, heads->open)) != NULL;) {
        if (entry->kind >= STORE_KINDS_MAX)
            continue;
        finder[found++] = (struct finder_entry){finder_hash(entry->kind, entry->key), entry->unit};
        if (entry->seq != 0)
            events[happened++] =
                (struct event_entry){(uint32_t)entry->seq, (uint32_t)(entry->seq >> 32), entry->unit};
    }
    qsort(finder, found, sizeof *finder, compare_finder);
    qsort(events, happened, sizeof *events, compare_events);
    *finder_out = finder;
    *finder_count = found;
    *events_out = events;
    *event_count = happened;
    return ERR_NONE;
}

/* The index has the same seed as its segment: it dies with the segment's number. */
static uint64_t check(const struct index_header *header, const void *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes,
                                segment_seed(header->id, (enum segment_type)header->type, header->number));
}

static int write_file(const struct store_io *io, const char *path, struct iovec *parts, int count)
{
    char temporary[PATH_BYTES_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    int file = io->open(io->self, temporary, true);
    if (file < 0)
        return file;
    int error = io->truncate(io->self, file, 0);
    if (error == 0)
        error = file_write_parts(io, file, parts, count, 0);
    if (error == 0)
        error = io->sync(io->self, file);
    io->close(io->self, file);
    if (error == 0)
        error = io->rename(io->self, temporary, path);
    if (error != 0)
        io->unlink(io->self, temporary);
    return error;
}

enum err index_write(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                     uint64_t number, const struct heads *heads, uint64_t *bytes)
{
    struct finder_entry *finder = NULL;
    struct event_entry *events = NULL;
    struct index_header header = {.magic = INDEX_MAGIC,
                                  .format = STORE_FORMAT,
                                  .type = (uint32_t)type,
                                  .number = number,
                                  .id = id,
                                  .end = heads->end,
                                  .first = heads->first,
                                  .last = heads->last,
                                  .frames = heads->frames,
                                  .sums = heads->sums,
                                  .has_lead = heads->has_lead,
                                  .lead_void = heads->lead_void,
                                  .heads_bytes = type == SEGMENT_DATA ? heads->open : 0};
    enum err err = index_lists(heads, &finder, &header.finder_count, &events, &header.event_count);
    if (err != ERR_NONE)
        return err;
    header.has_history_end = heads_history_end(heads, 0, heads->open, &header.history_end);
    header.heads_check = check(&header, heads->bytes, header.heads_bytes);
    header.finder_check = check(&header, finder, header.finder_count * sizeof *finder);
    header.event_check = check(&header, events, header.event_count * sizeof *events);
    header.check = check(&header, &header, offsetof(struct index_header, check));
    struct iovec parts[] = {{&header, sizeof header},
                            {heads->bytes, header.heads_bytes},
                            {finder, header.finder_count * sizeof *finder},
                            {events, header.event_count * sizeof *events}};
    char path[PATH_BYTES_MAX];
    index_path(path, folder, type, number);
    if (write_file(io, path, parts, 4) != 0)
        err = ERR_IO;
    else
        *bytes = index_size(&header);
    free(finder);
    free(events);
    return err;
}

enum err index_read_header(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                           uint64_t number, struct index_header *header, int *file_out)
{
    char path[PATH_BYTES_MAX];
    index_path(path, folder, type, number);
    int file = io->open_read(io->self, path);
    if (file < 0)
        return ERR_NOT_FOUND;
    if (file_read(io, file, header, sizeof *header, 0) != 0 || header->magic != INDEX_MAGIC ||
        header->format != STORE_FORMAT || header->type != (uint32_t)type || header->number != number ||
        memcmp(&header->id, &id, sizeof id) != 0 ||
        header->check != check(header, header, offsetof(struct index_header, check)) ||
        io->size(io->self, file) != (int64_t)index_size(header)) {
        io->close(io->self, file);
        return ERR_NOT_FOUND;
    }
    *file_out = file;
    return ERR_NONE;
}

enum err index_read(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                    uint64_t number, struct heads *heads, uint64_t *bytes)
{
    struct index_header header;
    int file;
    enum err err = index_read_header(io, folder, id, type, number, &header, &file);
    if (err != ERR_NONE)
        return err;
    heads_begin(heads);
    heads->bytes = malloc(header.heads_bytes + 1);
    if (heads->bytes == NULL) {
        err = ERR_NO_MEMORY;
    } else if (file_read(io, file, heads->bytes, header.heads_bytes, sizeof header) != 0 ||
               header.heads_check != check(&header, heads->bytes, header.heads_bytes)) {
        err = ERR_NOT_FOUND;
    }
    io->close(io->self, file);
    if (err != ERR_NONE) {
        heads_free(heads);
        return err;
    }
    heads->used = heads->open = heads->room = header.heads_bytes;
    heads->first = header.first;
    heads->last = header.last;
    heads->end = header.end;
    heads->frames = header.frames;
    heads->sums = header.sums;
    heads->history_end = header.history_end;
    heads->has_history_end = header.has_history_end != 0;
    heads->has_lead = header.has_lead != 0;
    heads->lead_void = header.lead_void != 0;
    heads->sealed = true;
    *bytes = index_size(&header);
    return ERR_NONE;
}
