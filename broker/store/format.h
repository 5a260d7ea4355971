/* format.h — the journal's bytes on disk (docs/store.md): segment headers, frames, records, and their checksums.
 * PURE. All numbers are little-endian; everything begins on a multiple of 8 bytes.
 *
 *   segment = header block (4096), then frames one after the other; what follows the last frame means nothing
 *   frame   = header (64), records
 *   record  = header (40), head, sections, zeros up to a multiple of 8
 *
 * Every checksum is seeded with the store's random id and the number of the segment, so that what an earlier use
 * of the file left behind never looks like a part of this one. */
#ifndef LINEWARD_STORE_FORMAT_H
#define LINEWARD_STORE_FORMAT_H

#include <string.h>

#include "store.h"

#define BLOCK_BYTES          4096u
#define SEGMENT_HEADER_BYTES BLOCK_BYTES
#define FRAME_HEADER_BYTES   64u
#define RECORD_HEADER_BYTES  40u
#define FRAME_PAYLOAD_MAX    (4u * 1024 * 1024)
#define HISTORY_FRAME_BYTES  (256u * 1024) /* of payload, so many are full */
#define SEGMENT_BYTES_MIN    (1024u * 1024)
#define SEGMENT_BYTES_MAX    (1024u * 1024 * 1024)
/* Of headers, where so much is kept whole as history: of its frames two together are more than a full one. */
#define HISTORY_HEADERS(bytes) (((bytes) / (HISTORY_FRAME_BYTES / 2) + 1) * FRAME_HEADER_BYTES)
#define DATA_BYTES_MAX         (SEGMENT_BYTES_MAX - SEGMENT_BYTES_MAX / 1024) /* its history must fit a file */
_Static_assert(DATA_BYTES_MAX + HISTORY_HEADERS(DATA_BYTES_MAX) <= SEGMENT_BYTES_MAX, "whatever of it is kept");
/* A record must fit into the smallest segment, beside its headers and the seal. */
#define RECORD_BYTES_MAX (SEGMENT_BYTES_MIN - 2 * BLOCK_BYTES)

#define FRAME_MAGIC 0x4d52464cu /* "LFRM" */

#define KIND_HISTORY_END STORE_KINDS_MAX /* the store's own record: how far the history is valid */
#define KIND_COUNT       (STORE_KINDS_MAX + 1)

#define ROUND8(n) (((n) + 7u) & ~(size_t)7u)

struct store_id {
    uint64_t half[2];
};

enum segment_type { SEGMENT_DATA = 1, SEGMENT_HISTORY = 2 };

struct segment_header {
    uint64_t magic;
    uint32_t format, type;
    uint64_t number;
    uint64_t bytes; /* of the whole file; 0 in a history segment, which grows */
    struct store_id id;
    uint64_t reserved;
    uint64_t check; /* of all before it */
};

enum frame_flag {
    FRAME_MORE = 1,  /* its one batch goes on in the next frame */
    FRAME_SEAL = 2,  /* empty: nothing follows in this segment */
    FRAME_CLEAN = 4, /* empty: the store was closed here */
};

struct frame {
    uint32_t magic, flags;
    uint32_t payload_bytes, records;
    uint64_t first, last; /* batches in it; in history: the segment its records come from, twice */
    int64_t time_ms;      /* wall time of writing; in history: of its newest record's writing */
    uint32_t part;        /* of a batch that takes more than one frame */
    uint32_t reserved;
    uint64_t payload_check;
    uint64_t check; /* of all before it */
};

enum record_flag {
    RECORD_PAST = 1, /* gathered as history */
    RECORD_COPY = 2, /* moved forward by cleaning: the same record as an older one */
};

struct record {
    uint32_t check; /* of all after it */
    uint32_t bytes; /* without the padding */
    uint64_t key, seq;
    uint8_t kind, flags;
    uint16_t head_bytes;
    uint32_t section_bytes[STORE_SECTIONS - 1]; /* the last one takes what is left */
};

_Static_assert(sizeof(struct segment_header) == 64, "layout of the segment header");
_Static_assert(sizeof(struct frame) == FRAME_HEADER_BYTES, "layout of the frame header");
_Static_assert(sizeof(struct record) == RECORD_HEADER_BYTES, "layout of the record header");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they lie in memory");

uint64_t segment_seed(struct store_id id, enum segment_type type, uint64_t number);

void segment_header_encode(struct segment_header *header, struct store_id id, enum segment_type type, uint64_t number,
                           uint64_t bytes);
/* ERR_DAMAGED; ERR_TOO_NEW when it is whole but of a newer format; ERR_NOT_FOUND when it belongs to another store
 * (of another id), type or number. */
enum err segment_header_check(const struct segment_header *header, struct store_id id, enum segment_type type,
                              uint64_t number);

void frame_seal(struct frame *frame, uint64_t seed); /* sets magic and check */
bool frame_is_valid(const struct frame *frame, uint64_t seed);
/* Could these FRAME_HEADER_BYTES be a frame's header? A first look, much cheaper than the one above. */
static inline bool frame_may_begin(const void *bytes)
{
    uint32_t magic;
    memcpy(&magic, bytes, sizeof magic);
    return magic == FRAME_MAGIC;
}

/* Fills in the record's checksum; `record` is followed by its bytes. */
void record_seal(struct record *record, uint64_t seed);
/* Is this a whole record within `room` bytes, whose lengths agree? Does not look at the checksum. */
bool record_is_sane(const struct record *record, size_t room);
bool record_is_valid(const struct record *record, uint64_t seed);
static inline size_t record_room(const struct record *record)
{
    return ROUND8((size_t)record->bytes);
}
static inline const uint8_t *record_head(const struct record *record)
{
    return (const uint8_t *)record + RECORD_HEADER_BYTES;
}
/* Finds the sections of a sane record. */
void record_sections(const struct record *record, struct store_section out[STORE_SECTIONS]);
/* Fills in head and sections behind the header (head_bytes is set already), lengths and padding; not sealed. */
void record_put(struct record *out, const void *head, const struct store_section sections[STORE_SECTIONS]);
/* Size of the record with only the sections in `mask`, padding included. */
size_t record_room_stripped(const struct record *record, unsigned mask);
/* Writes the record with only the sections in `mask` to `out` (room for record_room_stripped()), not sealed. */
void record_strip(struct record *out, const struct record *record, unsigned mask);

/* What a caller of store.h sees; pointers go into `record`. */
void record_show(struct store_record *out, const struct record *record, store_place place);

/* ---- places: 21 bits of the segment's tag (segment.c), 27 bits of offset in units of 8 bytes ---- */

#define PLACE_UNIT_BITS 27
#define PLACE_TAG_BITS  21
#define PLACE_TAG_MASK  ((1u << PLACE_TAG_BITS) - 1)

static inline uint32_t place_tag(store_place place)
{
    return (uint32_t)(place >> PLACE_UNIT_BITS) & PLACE_TAG_MASK;
}
static inline uint64_t place_offset(store_place place)
{
    return (place & ((1u << PLACE_UNIT_BITS) - 1)) * 8;
}

#endif
