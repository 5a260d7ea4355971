/* batch.c — records on their way to the journal: encoding and stringing together. */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

bool room_for(void *items_p, size_t *room, size_t count, size_t more, size_t size)
{
    if (count + more <= *room)
        return true;
    size_t wanted = *room * 2 > count + more ? *room * 2 : count + more + 16;
    void *items;
    memcpy(&items, items_p, sizeof items);
    void *grown = realloc(items, wanted * size);
    if (grown == NULL)
        return false;
    memcpy(items_p, &grown, sizeof grown);
    *room = wanted;
    return true;
}

struct store_batch *store_batch_new(void)
{
    return calloc(1, sizeof(struct store_batch));
}

void store_batch_free(struct store_batch **batch_p)
{
    struct store_batch *batch = *batch_p;
    if (batch == NULL)
        return;
    free(batch->bytes);
    free(batch->copies);
    free(batch->moves);
    free(batch->releases);
    free(batch->ends);
    free(batch);
    *batch_p = NULL;
}

void store_batch_clear(struct store_batch *batch)
{
    batch->used = batch->records = 0;
    batch->copy_count = batch->move_count = batch->release_count = batch->end_count = 0;
    batch->cleaned = false;
}

size_t store_batch_records(const struct store_batch *batch)
{
    return batch->records;
}

size_t store_batch_bytes(const struct store_batch *batch)
{
    return batch->used;
}

/* Room for one more record of `bytes`; NULL: out of memory. */
static struct record *next_record(struct store_batch *batch, size_t bytes)
{
    if (!room_for(&batch->bytes, &batch->room, batch->used, ROUND8(bytes), 1))
        return NULL;
    return (struct record *)(batch->bytes + batch->used);
}

static void take_record(struct store_batch *batch, const struct record *record)
{
    batch->used += record_room(record);
    batch->records++;
}

static enum err add(struct store_batch *batch, unsigned kind, uint64_t key, uint64_t seq, const void *head,
                    size_t head_bytes, const struct store_section *sections)
{
    static const struct store_section none[STORE_SECTIONS];
    if (sections == NULL)
        sections = none;
    if (head_bytes > STORE_HEAD_BYTES_MAX)
        return ERR_BAD_INPUT;
    size_t bytes = RECORD_HEADER_BYTES + head_bytes;
    for (unsigned i = 0; i < STORE_SECTIONS; i++) {
        if (sections[i].bytes > RECORD_BYTES_MAX)
            return ERR_BAD_INPUT;
        bytes += sections[i].bytes;
    }
    if (bytes > RECORD_BYTES_MAX)
        return ERR_BAD_INPUT;
    struct record *record = next_record(batch, bytes);
    if (record == NULL)
        return ERR_NO_MEMORY;
    *record = (struct record){.key = key, .seq = seq, .kind = (uint8_t)kind, .head_bytes = (uint16_t)head_bytes};
    record_put(record, head, sections);
    take_record(batch, record);
    return ERR_NONE;
}

enum err store_batch_add(struct store_batch *batch, unsigned kind, uint64_t key, uint64_t seq, const void *head,
                         size_t head_bytes, const struct store_section sections[STORE_SECTIONS])
{
    if (kind >= STORE_KINDS_MAX)
        return ERR_BAD_INPUT;
    return add(batch, kind, key, seq, head, head_bytes, sections);
}

enum err store_batch_add_copy(struct store_batch *batch, unsigned kind, uint64_t key, uint64_t seq, const void *head,
                              size_t head_bytes, const struct store_section sections[STORE_SECTIONS], unsigned mask,
                              unsigned from_kind, uint64_t from_key, store_place from)
{
    if (kind >= STORE_KINDS_MAX || from_kind >= STORE_KINDS_MAX || mask >= 1u << STORE_SECTIONS)
        return ERR_BAD_INPUT;
    for (unsigned i = 0; sections != NULL && i < STORE_SECTIONS; i++)
        if ((mask & 1u << i) != 0 && sections[i].bytes > 0)
            return ERR_BAD_INPUT; /* given and copied at once */
    if (mask == 0)
        return add(batch, kind, key, seq, head, head_bytes, sections);
    if (!room_for(&batch->copies, &batch->copy_room, batch->copy_count, 1, sizeof *batch->copies))
        return ERR_NO_MEMORY;
    struct batch_copy copy = {batch->used, mask, from_kind, from_key, from, NULL};
    enum err err = add(batch, kind, key, seq, head, head_bytes, sections);
    if (err != ERR_NONE)
        return err;
    batch->copies[batch->copy_count++] = copy;
    return ERR_NONE;
}

enum err store_batch_release(struct store_batch *batch, unsigned kind, uint64_t key, store_place place)
{
    if (kind >= STORE_KINDS_MAX)
        return ERR_BAD_INPUT;
    if (!room_for(&batch->releases, &batch->release_room, batch->release_count, 1, sizeof *batch->releases))
        return ERR_NO_MEMORY;
    batch->releases[batch->release_count++] = (struct batch_release){kind, key, place};
    return ERR_NONE;
}

enum err batch_add_moved(struct store_batch *batch, const struct record *record, store_place from)
{
    if (!room_for(&batch->moves, &batch->move_room, batch->move_count, 1, sizeof *batch->moves))
        return ERR_NO_MEMORY;
    struct record *copy = next_record(batch, record->bytes);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, record, record_room(record));
    copy->flags |= RECORD_COPY;
    batch->moves[batch->move_count++] = (struct batch_move){batch->used, from};
    take_record(batch, copy);
    return ERR_NONE;
}

enum err batch_add_own(struct store_batch *batch, unsigned kind, uint64_t key, const void *head, size_t head_bytes)
{
    return add(batch, kind, key, 0, head, head_bytes, NULL);
}

enum err batch_append(struct store_batch *batch, struct store_batch *from)
{
    if (!room_for(&batch->bytes, &batch->room, batch->used, from->used, 1) ||
        !room_for(&batch->copies, &batch->copy_room, batch->copy_count, from->copy_count, sizeof *batch->copies) ||
        !room_for(&batch->moves, &batch->move_room, batch->move_count, from->move_count, sizeof *batch->moves) ||
        !room_for(&batch->releases, &batch->release_room, batch->release_count, from->release_count,
                  sizeof *batch->releases) ||
        !room_for(&batch->ends, &batch->end_room, batch->end_count, from->end_count, sizeof *batch->ends))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < from->copy_count; i++) {
        batch->copies[batch->copy_count] = from->copies[i];
        batch->copies[batch->copy_count++].record += batch->used;
    }
    for (size_t i = 0; i < from->move_count; i++) {
        batch->moves[batch->move_count] = from->moves[i];
        batch->moves[batch->move_count++].record += batch->used;
    }
    for (size_t i = 0; i < from->release_count; i++)
        batch->releases[batch->release_count++] = from->releases[i];
    for (size_t i = 0; i < from->end_count; i++) {
        batch->ends[batch->end_count] = from->ends[i];
        batch->ends[batch->end_count].bytes += batch->used;
        batch->ends[batch->end_count++].records += batch->records;
    }
    if (from->used > 0)
        memcpy(batch->bytes + batch->used, from->bytes, from->used);
    batch->used += from->used;
    batch->records += from->records;
    batch->cleaned |= from->cleaned;
    store_batch_clear(from);
    return ERR_NONE;
}

void batch_swap(struct store_batch *a, struct store_batch *b)
{
    struct store_batch held = *a;
    *a = *b;
    *b = held;
    struct store_batch *next = a->next;
    a->next = b->next;
    b->next = next;
}
