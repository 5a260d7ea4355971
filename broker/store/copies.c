/* copies.c — filling in the sections that a record takes over from an earlier one (store_batch_add_copy): from the
 * disk, or, when the earlier one has no place yet that its owner knew of, from the batches just written or from the
 * very batches being filled in. Runs on the commit thread. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define IN_ROW (1ull << 63) /* a location in the row being filled in, not on the disk */

struct known { /* where the newest record of a (kind, key) lies */
    uint64_t key, location;
    uint32_t kind;
    bool used;
};

struct known_table {
    struct known *at;
    size_t mask;
};

static struct known *slot(const struct known_table *table, unsigned kind, uint64_t key)
{
    size_t i = XXH3_64bits_withSeed(&key, sizeof key, kind) & table->mask;
    while (table->at[i].used && (table->at[i].key != key || table->at[i].kind != kind))
        i = (i + 1) & table->mask;
    return &table->at[i];
}

static void remember(const struct known_table *table, unsigned kind, uint64_t key, uint64_t location)
{
    if (table->at != NULL)
        *slot(table, kind, key) = (struct known){key, location, kind, true};
}

/* Only made when a copy asks for a record by name. */
static bool known_begin(struct known_table *table, const struct store_batch *row, const struct told_list *recent)
{
    *table = (struct known_table){0};
    bool wanted = false;
    for (size_t i = 0; i < row->copy_count; i++)
        wanted |= row->copies[i].from == STORE_NOWHERE;
    if (!wanted)
        return true;
    size_t room = 16;
    while (room < 2 * (row->records + recent->count))
        room *= 2;
    table->at = calloc(room, sizeof *table->at);
    if (table->at == NULL)
        return false;
    table->mask = room - 1;
    for (size_t i = 0; i < recent->count; i++)
        remember(table, recent->at[i].kind, recent->at[i].key, recent->at[i].to);
    return true;
}

struct filling {
    struct store *store;
    struct known_table known;
    struct store_batch *out;
};

static bool out_of_memory(struct store *store)
{
    store_fail(store, "out of memory while writing the journal");
    return false;
}

/* The record that `copy` wants sections of; *owned is to be freed (NULL: it lies in the row). */
static const struct record *source(const struct filling *filling, const struct batch_copy *copy,
                                   struct record **owned)
{
    store_place place = copy->from;
    *owned = NULL;
    if (place == STORE_NOWHERE) {
        const struct known *known = slot(&filling->known, copy->from_kind, copy->from_key);
        if (!known->used)
            return NULL;
        if ((known->location & IN_ROW) != 0)
            return (const struct record *)(filling->out->bytes + (known->location & ~IN_ROW));
        place = known->location;
    }
    struct segment *held = copy->pinned == NULL ? segment_hold(filling->store, place) : NULL;
    struct segment *segment = copy->pinned != NULL ? copy->pinned : held;
    if (segment == NULL)
        return NULL;
    enum err err = record_read(filling->store, segment, place, owned);
    if (held != NULL)
        segment_release(filling->store, held);
    if (err != ERR_NONE)
        return NULL;
    bool same = (*owned)->kind == copy->from_kind && (*owned)->key == copy->from_key;
    if (!same) {
        free(*owned);
        *owned = NULL;
    }
    return *owned;
}

static bool fill_one(struct filling *filling, const struct record *record, const struct batch_copy *copy)
{
    struct record *owned;
    const struct record *from = source(filling, copy, &owned);
    if (from == NULL) {
        store_fail(filling->store,
                   "a record of kind %u wants sections of kind %u, key %llu, place %llx, which can't "
                   "be read there",
                   record->kind, copy->from_kind, (unsigned long long)copy->from_key, (unsigned long long)copy->from);
        return false;
    }
    struct store_section sections[STORE_SECTIONS], others[STORE_SECTIONS];
    record_sections(record, sections);
    record_sections(from, others);
    /* `from` may lie in the buffer that adding the record moves. */
    size_t base = (size_t)((const uint8_t *)from - filling->out->bytes);
    enum err err = ERR_NONE;
    if (owned == NULL) {
        size_t most = record_room(record) + record_room(from);
        if (!room_for(&filling->out->bytes, &filling->out->room, filling->out->used, most, 1))
            err = ERR_NO_MEMORY;
        else
            record_sections((const struct record *)(filling->out->bytes + base), others);
    }
    for (unsigned i = 0; i < STORE_SECTIONS; i++)
        if ((copy->mask & 1u << i) != 0)
            sections[i] = others[i];
    if (err == ERR_NONE)
        err = store_batch_add(filling->out, record->kind, record->key, record->seq, record_head(record),
                              record->head_bytes, sections);
    free(owned);
    if (err == ERR_BAD_INPUT)
        store_fail(filling->store, "a record of kind %u became too large by copying from kind %u, key %llu",
                   record->kind, copy->from_kind, (unsigned long long)copy->from_key);
    return err == ERR_NONE || (err != ERR_BAD_INPUT && out_of_memory(filling->store));
}

static bool take_as_it_is(struct filling *filling, const struct record *record, const struct batch_move *move)
{
    struct store_batch *out = filling->out;
    if (!room_for(&out->bytes, &out->room, out->used, record_room(record), 1) ||
        !room_for(&out->moves, &out->move_room, out->move_count, 1, sizeof *out->moves))
        return out_of_memory(filling->store);
    if (move != NULL)
        out->moves[out->move_count++] = (struct batch_move){out->used, move->from};
    memcpy(out->bytes + out->used, record, record_room(record));
    out->used += record_room(record);
    out->records++;
    return true;
}

static bool fill(struct filling *filling, const struct store_batch *row)
{
    struct store_batch *out = filling->out;
    size_t copy = 0, move = 0, end = 0;
    for (size_t at = 0; at < row->used;) {
        const struct record *record = (const struct record *)(row->bytes + at);
        size_t begins = out->used;
        bool moved = move < row->move_count && row->moves[move].record == at;
        if (copy < row->copy_count && row->copies[copy].record == at) {
            if (!fill_one(filling, record, &row->copies[copy++]))
                return false;
        } else if (!take_as_it_is(filling, record, moved ? &row->moves[move] : NULL)) {
            return false;
        }
        move += moved;
        remember(&filling->known, record->kind, record->key, begins | IN_ROW);
        at += record_room(record);
        if (at == row->ends[end].bytes) {
            if (!room_for(&out->ends, &out->end_room, out->end_count, 1, sizeof *out->ends))
                return out_of_memory(filling->store);
            out->ends[out->end_count++] = (struct batch_end){row->ends[end++].commit, out->used, out->records};
        }
    }
    return true;
}

bool copies_fill(struct store *store, const struct store_batch *row, const struct told_list *recent,
                 struct store_batch *out)
{
    struct filling filling = {.store = store, .out = out};
    store_batch_clear(out);
    if (!known_begin(&filling.known, row, recent))
        return out_of_memory(store);
    bool filled = fill(&filling, row);
    free(filling.known.at);
    return filled;
}
