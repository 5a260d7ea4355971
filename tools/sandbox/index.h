/* index.h — finds numbered things by a 64-bit hash: open addressing, linear probing, nothing is ever removed.
 *
 * A hash only finds candidates; the caller compares what they stand for. Pure, but for memory. */
#ifndef SANDBOX_INDEX_H
#define SANDBOX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_INDEX_NONE UINT32_MAX

struct sandbox_index {
    uint64_t *hashes;
    uint32_t *values; /* SANDBOX_INDEX_NONE: an empty place */
    size_t room;      /* a power of two, or 0 */
    size_t used;
};

/* A walk over the values stored under `hash`: start with *place = SIZE_MAX, end at SANDBOX_INDEX_NONE. */
uint32_t sandbox_index_next(const struct sandbox_index *index, uint64_t hash, size_t *place);

/* Makes sure that the next sandbox_index_add() finds room. False: out of memory, nothing changed. */
bool sandbox_index_reserve(struct sandbox_index *index);
void sandbox_index_add(struct sandbox_index *index, uint64_t hash, uint32_t value);
void sandbox_index_free(struct sandbox_index *index);

#endif
