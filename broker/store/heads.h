/* heads.h — what a restart and a search need of a segment: an entry for each record, in the order of the journal,
 * and a few sums. Gathered while scanning the segment, or read back from its index file (index.h).
 *
 * A batch that takes several frames may reach over segments. Until its last frame is seen its records count for
 * nothing; `lead` and `open` mark what belongs to a batch that began before this segment or goes on after it. */
#ifndef LINEWARD_STORE_HEADS_H
#define LINEWARD_STORE_HEADS_H

#include "scan.h"

struct head_entry { /* followed by the head, padded to 8 */
    uint32_t unit;  /* offset / 8 */
    uint32_t bytes; /* of the whole record, padded */
    uint64_t key, seq;
    uint8_t kind, flags;
    uint16_t head_bytes;
    uint32_t reserved;
};
_Static_assert(sizeof(struct head_entry) == 32, "layout of an index entry");

/* What the records of one kind take in a segment. */
struct kind_use {
    uint64_t records, bytes;
    uint64_t stripped_bytes; /* what would be left of them in history */
};

/* The store's own record: how far the history is valid, and which events it has dropped. */
struct history_end {
    uint64_t number, end; /* of the newest history segment; end 0: it was dropped */
    uint64_t dropped_seq; /* events up to this one are not complete any more */
};

struct sums {
    struct kind_use use[KIND_COUNT];
    uint64_t records;
    uint64_t seq_min, seq_max;    /* of records with a seq; min > max: none */
    int64_t oldest_ms, newest_ms; /* of the frames; oldest > newest: none */
};

void sums_clear(struct sums *sums);
void sums_record(struct sums *sums, const struct record *record, const struct store_kind *kinds);
void sums_time(struct sums *sums, int64_t time_ms);
void sums_merge(struct sums *sums, const struct sums *more);

struct heads {
    uint8_t *bytes;
    size_t used, room;
    size_t lead;              /* entries before this offset go on with a batch from an earlier segment */
    size_t open;              /* entries from here on belong to a batch not complete in this segment */
    bool has_lead;            /* there are such */
    bool lead_goes_on;        /* not even that batch's end is in this segment (then lead == used) */
    bool lead_void;           /* that batch was never completed */
    bool tail_void;           /* the batch it ends with was never completed: known of one with an index file only */
    uint64_t first, last;     /* batches; in history: lowest and highest source segment. first > last: none */
    uint32_t part;            /* of the last frame */
    bool more, sealed, clean; /* of the last frame */
    uint64_t end;             /* offset after the last valid frame */
    uint64_t frames;
    struct sums sums;
    struct history_end history_end; /* the last one noted, if it was read from an index file */
    bool has_history_end;
};

void heads_begin(struct heads *heads);
void heads_free(struct heads *heads);

/* Adds the frame that scan_next() has just read. ERR_DAMAGED: it does not follow the one before. */
enum err heads_add(struct heads *heads, const struct scan *scan, enum segment_type type,
                   const struct store_kind *kinds);

/* The history end noted last in bytes from..to of the heads, if any. */
bool heads_history_end(const struct heads *heads, size_t from, size_t to, struct history_end *out);

static inline const struct head_entry *heads_next(const struct heads *heads, size_t *at, size_t end)
{
    if (*at >= end)
        return NULL;
    const struct head_entry *entry = (const struct head_entry *)(heads->bytes + *at);
    *at += sizeof *entry + ROUND8((size_t)entry->head_bytes);
    return entry;
}

#endif
