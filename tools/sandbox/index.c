/* index.c — open addressing at no more than half full, doubled when it is. */
#include "tools/sandbox/index.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_FIRST 64

uint32_t sandbox_index_next(const struct sandbox_index *index, uint64_t hash, size_t *place)
{
    if (index->room == 0)
        return SANDBOX_INDEX_NONE;
    size_t mask = index->room - 1;
    size_t at = *place == SIZE_MAX ? hash & mask : (*place + 1) & mask;
    for (; index->values[at] != SANDBOX_INDEX_NONE; at = (at + 1) & mask) {
        if (index->hashes[at] != hash)
            continue;
        *place = at;
        return index->values[at];
    }
    return SANDBOX_INDEX_NONE;
}

void sandbox_index_add(struct sandbox_index *index, uint64_t hash, uint32_t value)
{
    assert(index->used < index->room);
    assert(value != SANDBOX_INDEX_NONE);
    size_t mask = index->room - 1;
    size_t at = hash & mask;
    while (index->values[at] != SANDBOX_INDEX_NONE)
        at = (at + 1) & mask;
    index->hashes[at] = hash;
    index->values[at] = value;
    index->used++;
}

static bool index_make(struct sandbox_index *index, size_t room)
{
    index->hashes = malloc(room * sizeof *index->hashes);
    index->values = malloc(room * sizeof *index->values);
    if (index->hashes == NULL || index->values == NULL) {
        sandbox_index_free(index);
        return false;
    }
    index->room = room;
    for (size_t i = 0; i < room; i++)
        index->values[i] = SANDBOX_INDEX_NONE;
    return true;
}

bool sandbox_index_reserve(struct sandbox_index *index)
{
    if (index->room > 0 && index->used * 2 < index->room)
        return true;
    struct sandbox_index bigger = {0};
    if (!index_make(&bigger, index->room == 0 ? ROOM_FIRST : index->room * 2))
        return false;
    for (size_t i = 0; i < index->room; i++) {
        if (index->values[i] != SANDBOX_INDEX_NONE)
            sandbox_index_add(&bigger, index->hashes[i], index->values[i]);
    }
    sandbox_index_free(index);
    *index = bigger;
    return true;
}

void sandbox_index_free(struct sandbox_index *index)
{
    free(index->hashes);
    free(index->values);
    *index = (struct sandbox_index){0};
}
