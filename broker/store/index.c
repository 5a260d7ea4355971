/* index.c — see index.h. */
#include "index.h"

#include "pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define CHECK_BYTES (64u * 1024)
#define INDEX_MAGIC 0x32584449574c0d0aull /* "\n\rLWIDX2"; 1 did not know `tail_void` */

uint32_t finder_hash(unsigned kind, uint64_t key)
{
    return (uint32_t)XXH3_64bits_withSeed(&key, sizeof key, kind);
}

/* ---- sorted lists ---- */

struct lists {
    struct finder_entry *finder;
    struct event_entry *events;
    size_t finder_count, event_count;
    size_t finder_room, event_room; /* of the buffers, in bytes */
};

#define DIGIT_BITS 16

static uint32_t digit(const uint8_t *item, size_t word, unsigned half)
{
    uint32_t value;
    memcpy(&value, item + word * sizeof value, sizeof value);
    return value >> half * DIGIT_BITS & ((1u << DIGIT_BITS) - 1);
}

/* One pass of a radix sort, by half a 32-bit word of each item, keeping the order of equal ones. False: they are all
 * equal, and nothing was done. */
static bool sort_pass(const uint8_t *from, uint8_t *to, size_t count, size_t size, size_t word, unsigned half,
                      uint32_t *places)
{
    memset(places, 0, sizeof *places << DIGIT_BITS);
    for (size_t i = 0; i < count; i++)
        places[digit(from + i * size, word, half)]++;
    if (places[digit(from, word, half)] == count)
        return false;
    uint32_t sum = 0;
    for (size_t i = 0; i < 1u << DIGIT_BITS; i++) {
        uint32_t here = places[i];
        places[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(to + places[digit(from + i * size, word, half)]++ * size, from + i * size, size);
    return true;
}

/* Sorts by the first `words` 32-bit words, of which the last counts most. Linear, and without the allocator. */
static bool sort(void *items, size_t count, size_t size, size_t words)
{
    uint8_t *other = NULL;
    uint32_t *places = NULL;
    size_t other_room = 0, places_room = 0;
    bool room = count == 0 || (pages_grow(&other, &other_room, count * size) &&
                               pages_grow(&places, &places_room, sizeof *places << DIGIT_BITS));
    uint8_t *from = items, *to = other;
    for (size_t pass = 0; room && count > 0 && pass < words * 2; pass++) {
        if (!sort_pass(from, to, count, size, pass / 2, pass % 2, places))
            continue;
        uint8_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * size);
    pages_free(other, other_room);
    pages_free(places, places_room);
    return room;
}

static void lists_free(struct lists *lists)
{
    pages_free(lists->finder, lists->finder_room);
    pages_free(lists->events, lists->event_room);
}

/* Entries come in the order of the journal, so equal ones stay in it. */
static enum err lists_make(struct lists *lists, const struct heads *heads)
{
    size_t at = 0, records = heads->sums.records + 1;
    *lists = (struct lists){0};
    if (!pages_grow(&lists->finder, &lists->finder_room, records * sizeof *lists->finder) ||
        !pages_grow(&lists->events, &lists->event_room, records * sizeof *lists->events))
        return ERR_NO_MEMORY;
    for (const struct head_entry *entry; (entry = heads_next(heads, &at, heads->open)) != NULL;) {
        if (entry->kind >= STORE_KINDS_MAX)
            continue;
        lists->finder[lists->finder_count++] =
            (struct finder_entry){finder_hash(entry->kind, entry->key), entry->unit};
        if (entry->seq != 0)
            lists->events[lists->event_count++] =
                (struct event_entry){(uint32_t)entry->seq, (uint32_t)(entry->seq >> 32), entry->unit};
    }
    bool sorted = sort(lists->finder, lists->finder_count, sizeof *lists->finder, 1) &&
                  sort(lists->events, lists->event_count, sizeof *lists->events, 2);
    return sorted ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- the file ---- */

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
    struct lists lists;
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
                                  .tail_void = heads->tail_void,
                                  .heads_bytes = type == SEGMENT_DATA ? heads->open : 0};
    enum err err = lists_make(&lists, heads);
    if (err != ERR_NONE) {
        lists_free(&lists);
        return err;
    }
    header.finder_count = lists.finder_count;
    header.event_count = lists.event_count;
    header.has_history_end = heads_history_end(heads, 0, heads->open, &header.history_end);
    header.heads_check = check(&header, heads->bytes, header.heads_bytes);
    header.finder_check = check(&header, lists.finder, header.finder_count * sizeof *lists.finder);
    header.event_check = check(&header, lists.events, header.event_count * sizeof *lists.events);
    header.check = check(&header, &header, offsetof(struct index_header, check));
    struct iovec parts[] = {{&header, sizeof header},
                            {heads->bytes, header.heads_bytes},
                            {lists.finder, header.finder_count * sizeof *lists.finder},
                            {lists.events, header.event_count * sizeof *lists.events}};
    char path[PATH_BYTES_MAX];
    index_path(path, folder, type, number);
    if (write_file(io, path, parts, 4) != 0)
        err = ERR_IO;
    else
        *bytes = index_size(&header);
    lists_free(&lists);
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
    if (!pages_grow(&heads->bytes, &heads->room, header.heads_bytes)) {
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
    heads->used = heads->open = header.heads_bytes;
    heads->first = header.first;
    heads->last = header.last;
    heads->end = header.end;
    heads->frames = header.frames;
    heads->sums = header.sums;
    heads->history_end = header.history_end;
    heads->has_history_end = header.has_history_end != 0;
    heads->has_lead = header.has_lead != 0;
    heads->lead_void = header.lead_void != 0;
    heads->tail_void = header.tail_void != 0;
    heads->sealed = true;
    *bytes = index_size(&header);
    return ERR_NONE;
}

/* The same sum as check(), of what lies in the file. */
static bool list_is_good(const struct store_io *io, int file, const struct index_header *header, uint64_t from,
                         uint64_t to, uint64_t expected)
{
    uint8_t bytes[CHECK_BYTES];
    XXH3_state_t *state = XXH3_createState();
    bool good = state != NULL;
    if (good)
        XXH3_64bits_reset_withSeed(state, segment_seed(header->id, (enum segment_type)header->type, header->number));
    for (uint64_t at = from; good && at < to; at += sizeof bytes) {
        size_t step = to - at < sizeof bytes ? (size_t)(to - at) : sizeof bytes;
        good = file_read(io, file, bytes, step, at) == 0;
        if (good)
            XXH3_64bits_update(state, bytes, step);
    }
    good = good && XXH3_64bits_digest(state) == expected;
    XXH3_freeState(state);
    return good;
}

bool index_lists_are_good(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                          uint64_t number)
{
    struct index_header header;
    int file;
    if (index_read_header(io, folder, id, type, number, &header, &file) != ERR_NONE)
        return false;
    uint64_t finder = index_finder_offset(&header), events = index_event_offset(&header);
    bool good = list_is_good(io, file, &header, finder, events, header.finder_check) &&
                list_is_good(io, file, &header, events, index_size(&header), header.event_check);
    io->close(io->self, file);
    return good;
}
