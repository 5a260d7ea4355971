/* index.c — linear hashing, see index.h. */
#include "broker/core/index.h"

#include <assert.h>

#define BASE_BUCKETS 64u
#define SLOTS_PER_BUCKET 2u

static uint32_t bucket_of(const struct index *index, uint64_t hash)
{
    /* Keyed hashes are even in all their bits, but E.164 digits are not: fold the high half in. */
    uint32_t mixed = (uint32_t)((hash * 0x9E3779B97F4A7C15u) >> 32);
    uint32_t bucket = mixed & (2 * index->base - 1);
    return bucket < index->buckets ? bucket : bucket - index->base;
}

void index_init(struct index *index, uint32_t *heads, uint32_t heads_max, void *slots,
                uint64_t (*hash)(const void *, uint32_t), uint32_t *(*next)(void *, uint32_t))
{
    *index = (struct index){.heads = heads, .heads_max = heads_max, .slots = slots, .hash = hash, .next = next};
    index->base = BASE_BUCKETS;
    index->buckets = BASE_BUCKETS;
    assert(heads_max >= BASE_BUCKETS);
}

uint32_t index_find(const struct index *index, uint64_t hash)
{
    uint32_t slot = index->heads[bucket_of(index, hash)];
    while (slot != 0 && index->hash(index->slots, slot) != hash)
        slot = *index->next(index->slots, slot);
    return slot;
}

uint32_t index_find_next(const struct index *index, uint64_t hash, uint32_t slot)
{
    do {
        slot = *index->next(index->slots, slot);
    } while (slot != 0 && index->hash(index->slots, slot) != hash);
    return slot;
}

/* Splits the oldest unsplit bucket in two. */
static void grow(struct index *index)
{
    if (index->buckets == index->heads_max)
        return;
    uint32_t from = index->buckets - index->base;
    uint32_t to = index->buckets++;
    uint32_t slot = index->heads[from];
    index->heads[from] = 0;
    index->heads[to] = 0;
    while (slot != 0) {
        uint32_t *next = index->next(index->slots, slot);
        uint32_t rest = *next;
        uint32_t *head = &index->heads[bucket_of(index, index->hash(index->slots, slot))];
        *next = *head;
        *head = slot;
        slot = rest;
    }
    if (index->buckets == 2 * index->base)
        index->base *= 2;
}

void index_insert(struct index *index, uint32_t slot)
{
    assert(slot != 0);
    uint32_t *head = &index->heads[bucket_of(index, index->hash(index->slots, slot))];
    *index->next(index->slots, slot) = *head;
    *head = slot;
    index->entries++;
    if (index->entries > (uint64_t)index->buckets * SLOTS_PER_BUCKET)
        grow(index);
}

void index_remove(struct index *index, uint32_t slot)
{
    uint32_t *link = &index->heads[bucket_of(index, index->hash(index->slots, slot))];
    while (*link != slot) {
        assert(*link != 0);
        link = index->next(index->slots, *link);
    }
    *link = *index->next(index->slots, slot);
    index->entries--;
}
