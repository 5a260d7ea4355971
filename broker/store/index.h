/* index.h — the file beside a sealed segment: its heads for a restart, and two sorted lists for searching.
 *
 * An index file is a convenience: it is written without care, checked when read, and made anew from the segment when
 * it is missing or wrong. A history segment's leaves the heads out, for the segment itself is hardly larger. */
#ifndef LINEWARD_STORE_INDEX_H
#define LINEWARD_STORE_INDEX_H

#include "heads.h"

struct index_header {
    uint64_t magic;
    uint32_t format, type;
    uint64_t number;
    struct store_id id;
    uint64_t end; /* of the segment's last frame */
    uint64_t first, last;
    uint64_t frames;
    uint64_t heads_bytes, finder_count, event_count;
    struct sums sums;
    struct history_end history_end; /* the last one in the segment */
    uint64_t has_history_end, has_lead, lead_void, tail_void;
    uint64_t heads_check, finder_check, event_check;
    uint64_t check; /* of all before it */
};

struct finder_entry { /* sorted by hash, then unit */
    uint32_t hash, unit;
};

struct event_entry { /* sorted by seq */
    uint32_t seq_low, seq_high, unit;
};

static inline uint64_t event_entry_seq(const struct event_entry *entry)
{
    return (uint64_t)entry->seq_high << 32 | entry->seq_low;
}

uint32_t finder_hash(unsigned kind, uint64_t key);

/* Writes the index file. ERR_IO: there is none. *bytes: its size. */
enum err index_write(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                     uint64_t number, const struct heads *heads, uint64_t *bytes);
/* Reads and checks the header; ERR_NOT_FOUND: none, or none that is good. */
enum err index_read_header(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                           uint64_t number, struct index_header *header, int *file);
/* Header and heads; ERR_NOT_FOUND as above. *bytes: size of the file. */
enum err index_read(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                    uint64_t number, struct heads *heads, uint64_t *bytes);

/* Are the sorted lists as they were written? They are read a part at a time, when something is sought. */
bool index_lists_are_good(const struct store_io *io, const char *folder, struct store_id id, enum segment_type type,
                          uint64_t number);

static inline uint64_t index_finder_offset(const struct index_header *header)
{
    return sizeof *header + header->heads_bytes;
}
static inline uint64_t index_event_offset(const struct index_header *header)
{
    return index_finder_offset(header) + header->finder_count * sizeof(struct finder_entry);
}
static inline uint64_t index_size(const struct index_header *header)
{
    return index_event_offset(header) + header->event_count * sizeof(struct event_entry);
}

#endif
