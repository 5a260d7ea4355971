/* books.c — what of each segment is still needed, for the cleaner to choose by.
 *
 * Exact for kinds that are renewed: the newest record of each key is known. Counted for kinds that are live until
 * released: all records of a kind in a segment are taken for equally long. What is found when opening is taken for
 * live until the owner has been asked (STEP_SURVEY). History counts until it is too old. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define TABLE_MIN 1024

static size_t home(const struct renewed_table *table, unsigned kind, uint64_t key)
{
    return XXH3_64bits_withSeed(&key, sizeof key, kind) & table->mask;
}

static struct renewed *find(const struct renewed_table *table, unsigned kind, uint64_t key)
{
    size_t i = home(table, kind, key);
    while (table->at[i].used && (table->at[i].key != key || table->at[i].kind != kind))
        i = (i + 1) & table->mask;
    return &table->at[i];
}

static struct segment *data_segment(const struct store *store, uint64_t number)
{
    size_t low = 0, high = store->data.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (store->data.at[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < store->data.count && store->data.at[low]->number == number ? store->data.at[low] : NULL;
}

/* Twice the room, without the keys whose newest record is not in a data segment any more: missing means the same. */
static bool grow(struct store *store)
{
    struct renewed_table *table = &store->renewed;
    struct renewed_table grown = {.mask = table->at == NULL ? TABLE_MIN - 1 : table->mask * 2 + 1};
    grown.at = calloc(grown.mask + 1, sizeof *grown.at);
    if (grown.at == NULL)
        return false;
    for (size_t i = 0; table->at != NULL && i <= table->mask; i++) {
        const struct renewed *entry = &table->at[i];
        if (!entry->used || data_segment(store, entry->segment) == NULL)
            continue;
        *find(&grown, entry->kind, entry->key) = *entry;
        grown.count++;
    }
    free(table->at);
    *table = grown;
    return true;
}

static bool renew(struct store *store, struct segment *segment, unsigned kind, uint64_t key, size_t room)
{
    struct renewed_table *table = &store->renewed;
    if ((table->at == NULL || (table->count + 1) * 10 > table->mask * 7) && !grow(store))
        return false;
    struct renewed *entry = find(table, kind, key);
    struct segment *before = entry->used ? data_segment(store, entry->segment) : NULL;
    if (before != NULL)
        before->renew_bytes -= (uint64_t)entry->room * 8;
    bool alone = !entry->used;
    table->count += alone;
    if (store->options.kinds[kind].history)
        room = 0; /* counted as history */
    *entry = (struct renewed){.key = key,
                              .segment = segment->number & ((1ull << 46) - 1),
                              .room = (room / 8) & 0x1ff,
                              .kind = kind & 0x3f,
                              .used = 1,
                              .alone = alone};
    segment->renew_bytes += (uint64_t)entry->room * 8;
    return true;
}

bool books_place(struct store *store, struct segment *segment, unsigned kind, uint64_t key, size_t room)
{
    switch (kind < STORE_KINDS_MAX ? store->options.kinds[kind].keep : STORE_KEEP_UNUSED) {
    case STORE_KEEP_WHILE_LIVE:
        segment->live[kind]++;
        return true;
    case STORE_KEEP_RENEW:
        return renew(store, segment, kind, key, room);
    case STORE_KEEP_HISTORY:
    case STORE_KEEP_UNUSED:
        return true;
    }
    return true;
}

void books_release(struct store *store, unsigned kind, store_place place)
{
    struct segment *segment = segment_at(store, place);
    if (segment == NULL)
        return;
    uint64_t offset = place_offset(place);
    bool asked = offset < segment->survey_at || offset >= segment->survey_end;
    if (asked && segment->live[kind] > 0)
        segment->live[kind]--;
}

bool books_newest(const struct store *store, const struct segment *segment, unsigned kind, uint64_t key,
                  struct renewed *out)
{
    if (store->renewed.at == NULL)
        return false;
    *out = *find(&store->renewed, kind, key);
    return out->used && out->segment == segment->number;
}

void books_mark_asked(struct store *store, const struct segment *segment, unsigned kind, uint64_t key, bool ended)
{
    struct renewed *entry = find(&store->renewed, kind, key);
    if (!entry->used || entry->segment != segment->number)
        return;
    entry->asked = 1;
    entry->ended = ended;
}

void books_forget(struct store *store, unsigned kind, uint64_t key)
{
    struct renewed_table *table = &store->renewed;
    if (table->at == NULL)
        return;
    struct renewed *entry = find(table, kind, key);
    if (!entry->used)
        return;
    struct segment *segment = data_segment(store, entry->segment);
    if (segment != NULL)
        segment->renew_bytes -= (uint64_t)entry->room * 8;
    /* Entries behind the gap that it leaves move up, unless they are at home between. */
    size_t gap = (size_t)(entry - table->at);
    for (size_t i = (gap + 1) & table->mask; table->at[i].used; i = (i + 1) & table->mask) {
        size_t from_home = (i - home(table, table->at[i].kind, table->at[i].key)) & table->mask;
        if (from_home < ((i - gap) & table->mask))
            continue;
        table->at[gap] = table->at[i];
        gap = i;
    }
    table->at[gap] = (struct renewed){0};
    table->count--;
}

static uint64_t share(uint64_t part, uint64_t whole, uint64_t bytes)
{
    return whole == 0 ? 0 : (uint64_t)((double)bytes * (double)part / (double)whole);
}

uint64_t segment_total(const struct segment *segment)
{
    return (segment->type == SEGMENT_DATA ? segment->bytes : atomic_load(&segment->end)) + segment->index_bytes;
}

uint64_t books_live(const struct store *store, const struct segment *segment, int64_t now_ms)
{
    if (segment->type == SEGMENT_HISTORY)
        return segment_total(segment);
    bool young = segment->sums.newest_ms + store->options.history_retention_ms >= now_ms;
    bool surveyed = segment->survey_at >= segment->survey_end;
    uint64_t live = segment->renew_bytes, all = 0;
    for (unsigned i = 0; i < STORE_KINDS_MAX; i++) {
        const struct store_kind *kind = &store->options.kinds[i];
        const struct kind_use *use = &segment->sums.use[i];
        all += use->bytes;
        uint64_t records = segment->live[i] + (surveyed ? 0 : segment->assumed[i]);
        if (records > use->records)
            records = use->records;
        if (kind->keep == STORE_KEEP_WHILE_LIVE) {
            live += share(records, use->records, use->bytes);
            live += kind->history && young ? share(use->records - records, use->records, use->stripped_bytes) : 0;
        } else if (young && (kind->keep != STORE_KEEP_RENEW || kind->history)) {
            live += use->stripped_bytes;
        }
    }
    if (live > all)
        live = all;
    return live + share(live, all, segment->index_bytes);
}

void books_free(struct store *store)
{
    free(store->renewed.at);
    store->renewed = (struct renewed_table){0};
}
