/* index.h — finds a slot by its hash: linear hashing over chains that run through the slots themselves.
 *
 * It grows by one bucket an insert, so that no insert ever pays for a whole table; two slots a bucket on average,
 * so that finding costs two bytes a slot besides the chain. Slot 0 is nobody. Pure; memory is the caller's. */
#ifndef LINEWARD_CORE_INDEX_H
#define LINEWARD_CORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct index {
    uint32_t *heads;
    uint32_t heads_max;
    uint32_t buckets; /* in use; the table doubles from `base` to 2 * `base` one bucket at a time */
    uint32_t base;
    uint64_t entries;
    void *slots; /* lent */
    uint64_t (*hash)(const void *slots, uint32_t slot);
    uint32_t *(*next)(void *slots, uint32_t slot);
};

void index_init(struct index *index, uint32_t *heads, uint32_t heads_max, void *slots,
                uint64_t (*hash)(const void *slots, uint32_t slot), uint32_t *(*next)(void *slots, uint32_t slot));
/* First slot with that hash, 0: none. Go on with index_find_next() where hashes may be shared. */
uint32_t index_find(const struct index *index, uint64_t hash);
uint32_t index_find_next(const struct index *index, uint64_t hash, uint32_t slot);
void index_insert(struct index *index, uint32_t slot);
void index_remove(struct index *index, uint32_t slot); /* must be in it */

#endif
