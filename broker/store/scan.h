/* scan.h — reads a segment frame by frame, each one checked. Used by recovery, cleaning, index files, searching and
 * `linewardctl store`. */
#ifndef LINEWARD_STORE_SCAN_H
#define LINEWARD_STORE_SCAN_H

#include "file.h"

struct scan {
    const struct store_io *io;
    int file;
    uint64_t seed;
    uint64_t limit;  /* nothing is read from here on */
    uint64_t offset; /* of `frame`; after the last one: where a frame should have been */
    uint64_t next;   /* where the one after it begins */
    struct frame frame;
    uint8_t *payload; /* the frame's records; until the next call */
    int error;        /* negative errno when ERR_IO was answered */
    uint8_t *window;  /* bytes window_at .. window_at + window_bytes of the file */
    uint64_t window_at;
    size_t window_bytes, window_room;
};

void scan_begin(struct scan *scan, const struct store_io *io, int file, uint64_t seed, uint64_t from, uint64_t limit);
void scan_end(struct scan *scan);

/* The next frame. ERR_NOT_FOUND: there is no whole, valid frame at scan->offset; ERR_IO; ERR_NO_MEMORY. */
enum err scan_next(struct scan *scan);

/* After ERR_NOT_FOUND: as scan_next(), at the same place, which is read from the file once more. */
enum err scan_again(struct scan *scan);

/* After ERR_NOT_FOUND: is there a valid frame header further on? Only one frame is ever on its way to the disk, so a
 * torn one is the last, and one with a successor is damaged. `found` is where. */
enum err scan_successor(struct scan *scan, uint64_t *found);

/* The records of the frame, one after the other: begin with *at = 0; NULL: no more. ERR_DAMAGED is told by
 * scan_records_are_sane(). */
struct record *scan_record(const struct scan *scan, size_t *at);
/* Keeps what belongs to a batch that was never completed out of a list made while scanning. */
struct open_batch {
    size_t begins; /* the list's length where the batch began that is not complete yet */
    bool more;
};
/* Before the frame's records are added: how much of the list counts. */
static inline size_t open_batch_frame(struct open_batch *open, const struct frame *frame, size_t count)
{
    if (frame->records == 0)
        return count;
    if (frame->part == 0) {
        count = open->more ? open->begins : count;
        open->begins = count;
    }
    open->more = (frame->flags & FRAME_MORE) != 0;
    return count;
}

static inline uint64_t scan_record_offset(const struct scan *scan, const struct record *record)
{
    return scan->offset + FRAME_HEADER_BYTES + (uint64_t)((const uint8_t *)record - scan->payload);
}

#endif
