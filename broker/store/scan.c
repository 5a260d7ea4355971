/* scan.c — see scan.h. */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define READ_AHEAD_BYTES (256u * 1024)

void scan_begin(struct scan *scan, const struct store_io *io, int file, uint64_t seed, uint64_t from, uint64_t limit)
{
    *scan = (struct scan){.io = io, .file = file, .seed = seed, .limit = limit, .offset = from, .next = from};
}

void scan_end(struct scan *scan)
{
    free(scan->window);
    *scan = (struct scan){0};
}

/* Makes bytes at..at+bytes readable at *out. ERR_NOT_FOUND: they go beyond the limit or the file's end. */
static enum err window(struct scan *scan, uint64_t at, size_t bytes, uint8_t **out)
{
    if (at > scan->limit || bytes > scan->limit - at)
        return ERR_NOT_FOUND;
    if (at < scan->window_at || at + bytes > scan->window_at + scan->window_bytes) {
        size_t wanted = bytes > READ_AHEAD_BYTES ? bytes : READ_AHEAD_BYTES;
        if (wanted > scan->limit - at)
            wanted = (size_t)(scan->limit - at);
        if (wanted > scan->window_room) {
            uint8_t *grown = realloc(scan->window, wanted);
            if (grown == NULL)
                return ERR_NO_MEMORY;
            scan->window = grown;
            scan->window_room = wanted;
        }
        scan->window_at = at;
        scan->window_bytes = 0;
        while (scan->window_bytes < wanted) {
            int64_t got = scan->io->pread(scan->io->self, scan->file, scan->window + scan->window_bytes,
                                          wanted - scan->window_bytes, at + scan->window_bytes);
            if (got < 0) {
                scan->error = (int)got;
                return ERR_IO;
            }
            if (got == 0)
                break;
            scan->window_bytes += (size_t)got;
        }
        if (scan->window_bytes < bytes)
            return ERR_NOT_FOUND;
    }
    *out = scan->window + (at - scan->window_at);
    return ERR_NONE;
}

static bool records_are_sane(const struct scan *scan)
{
    size_t at = 0, room = scan->frame.payload_bytes;
    uint32_t records = 0;
    for (; at < room; records++) {
        const struct record *record = (const struct record *)(scan->payload + at);
        if (!record_is_sane(record, room - at))
            return false;
        at += record_room(record);
    }
    return records == scan->frame.records;
}

enum err scan_next(struct scan *scan)
{
    uint8_t *bytes;
    scan->offset = scan->next;
    enum err err = window(scan, scan->offset, FRAME_HEADER_BYTES, &bytes);
    if (err != ERR_NONE)
        return err;
    memcpy(&scan->frame, bytes, sizeof scan->frame);
    if (!frame_is_valid(&scan->frame, scan->seed))
        return ERR_NOT_FOUND;
    err = window(scan, scan->offset, FRAME_HEADER_BYTES + scan->frame.payload_bytes, &bytes);
    if (err != ERR_NONE)
        return err;
    scan->payload = bytes + FRAME_HEADER_BYTES;
    if (XXH3_64bits_withSeed(scan->payload, scan->frame.payload_bytes, scan->seed) != scan->frame.payload_check)
        return ERR_NOT_FOUND;
    if (!records_are_sane(scan))
        return ERR_NOT_FOUND;
    scan->next = scan->offset + FRAME_HEADER_BYTES + scan->frame.payload_bytes;
    return ERR_NONE;
}

enum err scan_again(struct scan *scan)
{
    scan->next = scan->offset;
    scan->window_bytes = 0;
    return scan_next(scan);
}

/* The first valid frame header among the bytes; NULL: none. */
static const uint8_t *find_frame(const uint8_t *bytes, const uint8_t *end, uint64_t seed)
{
    for (; end - bytes >= (ptrdiff_t)FRAME_HEADER_BYTES; bytes += 8) {
        struct frame frame;
        if (!frame_may_begin(bytes))
            continue;
        memcpy(&frame, bytes, sizeof frame);
        if (frame_is_valid(&frame, seed))
            return bytes;
    }
    return NULL;
}

enum err scan_successor(struct scan *scan, uint64_t *found)
{
    uint64_t last = scan->offset + FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES;
    for (uint64_t at = scan->offset + 8; at <= last;) {
        uint8_t *bytes;
        enum err err = window(scan, at, FRAME_HEADER_BYTES, &bytes);
        if (err != ERR_NONE)
            return err;
        uint64_t there = scan->window_at + scan->window_bytes - at;
        if (there > last - at + FRAME_HEADER_BYTES)
            there = last - at + FRAME_HEADER_BYTES;
        const uint8_t *frame = find_frame(bytes, bytes + there, scan->seed);
        if (frame != NULL) {
            *found = at + (uint64_t)(frame - bytes);
            return ERR_NONE;
        }
        at += (there - FRAME_HEADER_BYTES) / 8 * 8 + 8;
    }
    return ERR_NOT_FOUND;
}

struct record *scan_record(const struct scan *scan, size_t *at)
{
    if (*at >= scan->frame.payload_bytes)
        return NULL;
    struct record *record = (struct record *)(scan->payload + *at);
    *at += record_room(record);
    return record;
}
