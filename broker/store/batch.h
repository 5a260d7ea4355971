/* batch.h — what lies inside a batch, for the store's own files. A batch holds its records as they will lie on disk
 * (without checksums, which depend on the segment), and beside them what is to be done with some of them.
 * Submitted batches are strung together in batches too: `ends` says where each one ends. */
#ifndef LINEWARD_STORE_BATCH_H
#define LINEWARD_STORE_BATCH_H

#include "format.h"

struct batch_copy { /* the record at `record` still wants these sections of another one */
    size_t record;
    unsigned mask, from_kind;
    uint64_t from_key;
    store_place from;
    struct segment *pinned; /* once submitted: the segment of `from`, counted */
};

struct batch_move { /* the record at `record` is a copy of the one at `from` */
    size_t record;
    store_place from;
};

struct batch_release {
    unsigned kind;
    uint64_t key;
    store_place place;
};

struct batch_end {
    uint64_t commit;
    size_t bytes, records;
};

struct store_batch {
    uint8_t *bytes;
    size_t used, room, records;
    struct batch_copy *copies;
    size_t copy_count, copy_room;
    struct batch_move *moves;
    size_t move_count, move_room;
    struct batch_release *releases;
    size_t release_count, release_room;
    struct batch_end *ends;
    size_t end_count, end_room;
    bool cleaned;             /* cleaning decided something that depends on this batch */
    struct store_batch *next; /* in the queue */
};

/* Makes room for `more` items of `size` bytes behind `count`; false: out of memory, nothing changed. */
bool room_for(void *items_p, size_t *room, size_t count, size_t more, size_t size);

/* Adds a record as it lies on disk, as a copy of the one at `from`. */
enum err batch_add_moved(struct store_batch *batch, const struct record *record, store_place from);
/* Adds a record of the store's own. */
enum err batch_add_own(struct store_batch *batch, unsigned kind, uint64_t key, const void *head, size_t head_bytes);
/* Takes over all of `from`, behind what is there; `from` is empty afterwards. */
enum err batch_append(struct store_batch *batch, struct store_batch *from);
void batch_swap(struct store_batch *a, struct store_batch *b);

#endif
