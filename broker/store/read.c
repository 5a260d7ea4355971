/* read.c — records read back, by any thread. */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_READ_BYTES 1024 /* most records need no second read */

enum err record_read(const struct store *store, const struct segment *segment, store_place place, struct record **out)
{
    uint64_t offset = place_offset(place), end = atomic_load(&segment->end);
    if (offset < SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES || offset > end || end - offset < RECORD_HEADER_BYTES)
        return ERR_NOT_FOUND;
    size_t first = end - offset < FIRST_READ_BYTES ? (size_t)(end - offset) : FIRST_READ_BYTES;
    uint8_t *bytes = malloc(first);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    enum err err = ERR_IO;
    if (file_read(store->io, segment->file, bytes, first, offset) != 0)
        goto fail;
    err = ERR_DAMAGED;
    size_t room = record_room((const struct record *)bytes);
    if (room > end - offset || room < RECORD_HEADER_BYTES || room > RECORD_BYTES_MAX + 8)
        goto fail;
    if (room > first) {
        uint8_t *grown = realloc(bytes, room);
        if (grown == NULL) {
            err = ERR_NO_MEMORY;
            goto fail;
        }
        bytes = grown;
        err = ERR_IO;
        if (file_read(store->io, segment->file, bytes + first, room - first, offset + first) != 0)
            goto fail;
        err = ERR_DAMAGED;
    }
    struct record *record = (struct record *)bytes;
    if (!record_is_sane(record, room) || !record_is_valid(record, segment->seed))
        goto fail;
    *out = record;
    return ERR_NONE;
fail:
    free(bytes);
    return err;
}

void store_record_free(struct store_record *record)
{
    free(record->memory);
    *record = (struct store_record){0};
}

enum err store_read(struct store *store, store_place place, struct store_record *out)
{
    struct segment *segment = segment_hold(store, place);
    if (segment == NULL)
        return ERR_NOT_FOUND;
    struct record *record;
    enum err err = record_read(store, segment, place, &record);
    if (err == ERR_DAMAGED)
        damage_met(store, segment, place_offset(place));
    segment_release(store, segment);
    if (err != ERR_NONE)
        return err;
    record_show(out, record, place);
    out->memory = record;
    return ERR_NONE;
}
