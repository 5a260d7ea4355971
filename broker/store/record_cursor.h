/* record_cursor.h — the fields of a head one after the other, written and read by the same list of calls: inline, for
 * there are many in each record. Of record.c, record_walk.c and record_walk_line.c alone. */
#ifndef LINEWARD_STORE_RECORD_CURSOR_H
#define LINEWARD_STORE_RECORD_CURSOR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "broker/store/record.h"

/* One cursor for both ways. Reading past the end yields zeros, so that older heads read as what they lack. */
struct cursor {
    uint8_t *write; /* NULL: reading */
    const uint8_t *read;
    size_t at, bytes;
    bool broken;   /* reading: a varint that does not end, or a value beyond its field */
    bool past_end; /* reading: something was not there */
};

static inline void cursor_put(struct cursor *cursor, uint8_t byte)
{
    assert(cursor->at < cursor->bytes);
    cursor->write[cursor->at++] = byte;
}

/* Each writes what it is given, or returns what it reads: a varint ... */
static inline uint64_t cursor_u64(struct cursor *cursor, uint64_t value)
{
    if (cursor->write != NULL) {
        for (; value >= 0x80; value >>= 7)
            cursor_put(cursor, (uint8_t)(value | 0x80));
        cursor_put(cursor, (uint8_t)value);
        return 0;
    }
    uint64_t read = 0;
    cursor->past_end |= cursor->at == cursor->bytes;
    for (unsigned shift = 0; cursor->at < cursor->bytes; shift += 7) {
        uint8_t byte = cursor->read[cursor->at++];
        if (shift < 64)
            read |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return read;
        if (cursor->at == cursor->bytes || shift > 63)
            cursor->broken = true;
    }
    return read;
}

/* ... eight bytes ... */
static inline uint64_t cursor_hash(struct cursor *cursor, uint64_t value)
{
    uint64_t read = 0;
    cursor->past_end |= cursor->write == NULL && cursor->bytes - cursor->at < 8;
    for (unsigned i = 0; i < 8; i++) {
        if (cursor->write != NULL)
            cursor_put(cursor, (uint8_t)(value >> 8 * i));
        else if (cursor->at < cursor->bytes)
            read |= (uint64_t)cursor->read[cursor->at++] << 8 * i;
    }
    return read;
}

/* Likewise where it stands. */
static inline void cursor_bytes(struct cursor *cursor, void *bytes, size_t count)
{
    cursor->past_end |= cursor->write == NULL && cursor->bytes - cursor->at < count;
    for (size_t i = 0; i < count; i++) {
        if (cursor->write != NULL)
            cursor_put(cursor, ((uint8_t *)bytes)[i]);
        else if (cursor->at < cursor->bytes)
            ((uint8_t *)bytes)[i] = cursor->read[cursor->at++];
    }
}

/* A text: its length, then its bytes; `room` holds the terminator as well. */
static inline void cursor_text(struct cursor *cursor, char *text, size_t room)
{
    size_t bytes = (size_t)cursor_u64(cursor, strnlen(text, room - 1));
    if (cursor->write != NULL)
        bytes = strnlen(text, room - 1);
    if (bytes >= room) {
        cursor->broken = true;
        return;
    }
    cursor_bytes(cursor, text, bytes);
    if (cursor->write == NULL)
        text[bytes] = '\0';
}

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* ... and a signed varint. */
static inline int64_t cursor_i64(struct cursor *cursor, int64_t value)
{
    return unzigzag(cursor_u64(cursor, zigzag(value)));
}

/* FIELD(x): written from x, or read into x; what does not fit there was never written by us. */
#define FIELD(field)                                                                                                 \
    do {                                                                                                             \
        uint64_t read_ = cursor_u64(cursor, (uint64_t)(field));                                                      \
        if (cursor->write == NULL) {                                                                                 \
            (field) = (__typeof__(field))read_;                                                                      \
            cursor->broken |= (uint64_t)(field) != read_;                                                            \
        }                                                                                                            \
    } while (0)
#define SIGNED(field) /* of an int64_t */                                                                            \
    do {                                                                                                             \
        int64_t read_ = cursor_i64(cursor, (field));                                                                 \
        if (cursor->write == NULL)                                                                                   \
            (field) = read_;                                                                                         \
    } while (0)
#define HASH(field)                                                                                                  \
    do {                                                                                                             \
        uint64_t read_ = cursor_hash(cursor, (field));                                                               \
        if (cursor->write == NULL)                                                                                   \
            (field) = read_;                                                                                         \
    } while (0)

/* The fields of the change's kind, in their order; false: there is no such kind. `storage` is NULL when writing: the
 * larger values are the change's own then, and only read. */
bool record_walk(struct cursor *cursor, struct change *change, struct record_storage *storage);

/* ---- record_walk_line.c ---- */
void record_walk_line(struct cursor *cursor, struct change_line *line);
void record_walk_pause(struct cursor *cursor, struct change_pause *pause);
void record_walk_orders(struct cursor *cursor, struct change_orders *orders);
void record_walk_reply_days(struct cursor *cursor, struct reply_days *days);

#endif
