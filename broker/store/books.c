/* books.c — what of each segment is still needed, for the cleaner to choose by.
 *
 * Exact for kinds that are renewed: the newest record of each key is known. Counted for kinds that are live until
 * released: all records of a kind in a segment are taken for equally long. What is found when opening is taken for
 * live until the owner has been asked (STEP_SURVEY). History counts until it is too old. */
#include "journal.h"
#include "pages.h"

#include <xxhash.h>

#define TABLE_MIN    1024
#define MOVE_AT_ONCE 16

static size_t home(const struct renewed_half *half, unsigned kind, uint64_t key)
{
    return XXH3_64bits_withSeed(&key, sizeof key, kind) & half->mask;
}

/* The entry of the key, or the slot where it would be. */
static struct renewed *slot(const struct renewed_half *half, unsigned kind, uint64_t key)
{
    size_t i = home(half, kind, key);
    while (half->at[i].used && (half->at[i].key != key || half->at[i].kind != kind))
        i = (i + 1) & half->mask;
    return &half->at[i];
}

/* NULL: no record of this key is known. */
static struct renewed *find(const struct renewed_table *table, unsigned kind, uint64_t key)
{
    if (table->now.at != NULL) {
        struct renewed *entry = slot(&table->now, kind, key);
        if (entry->used)
            return entry;
    }
    if (table->former.at != NULL) {
        struct renewed *entry = slot(&table->former, kind, key);
        if (entry->used && !entry->left)
            return entry;
    }
    return NULL;
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

/* An entry whose segment is gone says the same as a missing one: there is no newest record in a data segment. */
static bool counts(const struct store *store, const struct renewed *entry)
{
    return entry->used && !entry->left && data_segment(store, entry->segment) != NULL;
}

/* Moves a few entries from the former table to the present one. */
static void move_some(struct store *store)
{
    struct renewed_table *table = &store->renewed;
    for (unsigned n = 0; n < MOVE_AT_ONCE && table->former.at != NULL; n++) {
        struct renewed *entry = &table->former.at[table->moved];
        if (counts(store, entry)) {
            *slot(&table->now, entry->kind, entry->key) = *entry;
            table->now.count++;
        }
        entry->left = 1;
        if (table->moved++ == table->former.mask) {
            pages_free(table->former.at, table->former.room);
            table->former = (struct renewed_half){0};
        }
    }
}

/* Begins a table with room for twice what is in the present one. */
static bool grow(struct renewed_table *table)
{
    struct renewed_half grown = {0};
    size_t slots = TABLE_MIN;
    while (slots < table->now.count * 2 + 2)
        slots *= 2;
    if (!pages_grow(&grown.at, &grown.room, slots * sizeof *grown.at))
        return false;
    grown.mask = slots - 1;
    table->former = table->now;
    table->now = grown;
    table->moved = 0;
    return true;
}

/* Room for one more. The former table is empty long before the present one is full. */
static bool make_room(struct store *store)
{
    struct renewed_table *table = &store->renewed;
    move_some(store);
    bool full = table->now.at == NULL || (table->now.count + 1) * 10 > table->now.mask * 7;
    return !full || (table->former.at == NULL && grow(table));
}

static void uncount(const struct store *store, const struct renewed *entry)
{
    struct segment *segment = data_segment(store, entry->segment);
    if (segment != NULL)
        segment->renew_bytes -= (uint64_t)entry->room * 8;
}

static bool renew(struct store *store, struct segment *segment, unsigned kind, uint64_t key, size_t room)
{
    struct renewed_table *table = &store->renewed;
    if (!make_room(store))
        return false;
    struct renewed *before = find(table, kind, key);
    bool alone = before == NULL;
    if (before != NULL) {
        uncount(store, before);
        before->left = 1; /* if it is in the former table */
    }
    struct renewed *entry = slot(&table->now, kind, key);
    table->now.count += !entry->used;
    *entry = (struct renewed){.key = key,
                              .segment = segment->number & ((1ull << 44) - 1),
                              /* what is kept as history is counted as that */
                              .room = store->options.kinds[kind].history ? 0 : (room / 8) & 0x1ff,
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
    const struct renewed *entry = find(&store->renewed, kind, key);
    if (entry == NULL || entry->segment != segment->number)
        return false;
    *out = *entry;
    return true;
}

void books_mark_asked(struct store *store, const struct segment *segment, unsigned kind, uint64_t key, bool ended)
{
    struct renewed *entry = find(&store->renewed, kind, key);
    if (entry == NULL || entry->segment != segment->number)
        return;
    entry->asked = 1;
    entry->ended = ended;
}

/* Entries behind the gap move up, unless they are at home between. */
static void close_gap(struct renewed_half *half, size_t gap)
{
    for (size_t i = (gap + 1) & half->mask; half->at[i].used; i = (i + 1) & half->mask) {
        size_t from_home = (i - home(half, half->at[i].kind, half->at[i].key)) & half->mask;
        if (from_home < ((i - gap) & half->mask))
            continue;
        half->at[gap] = half->at[i];
        gap = i;
    }
    half->at[gap] = (struct renewed){0};
    half->count--;
}

void books_forget(struct store *store, unsigned kind, uint64_t key)
{
    struct renewed_table *table = &store->renewed;
    struct renewed *entry = find(table, kind, key);
    if (entry == NULL)
        return;
    uncount(store, entry);
    struct renewed *present = slot(&table->now, kind, key);
    if (present->used)
        close_gap(&table->now, (size_t)(present - table->now.at));
    else
        entry->left = 1;
}

static uint64_t share(uint64_t part, uint64_t whole, uint64_t bytes)
{
    return whole == 0 ? 0 : (uint64_t)((double)bytes * (double)part / (double)whole);
}

uint64_t segment_total(const struct segment *segment)
{
    return (segment->type == SEGMENT_DATA ? segment->bytes : atomic_load(&segment->end)) + segment->index_bytes;
}

/* `older`: what ended something counts however old it is, for older segments may still begin it. */
static uint64_t needed(const struct store *store, const struct segment *segment, int64_t now_ms, bool older)
{
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
        } else if (kind->keep == STORE_KEEP_RENEW ? young && kind->history : young || older) {
            live += use->stripped_bytes;
        }
    }
    if (live > all)
        live = all;
    return live + share(live, all, segment->index_bytes);
}

uint64_t books_live(const struct store *store, const struct segment *segment, int64_t now_ms)
{
    return segment->type == SEGMENT_HISTORY ? segment_total(segment) : needed(store, segment, now_ms, false);
}

uint64_t books_to_move(const struct store *store, const struct segment *segment, int64_t now_ms)
{
    return needed(store, segment, now_ms, segment != store->data.at[0]);
}

void books_free(struct store *store)
{
    pages_free(store->renewed.now.at, store->renewed.now.room);
    pages_free(store->renewed.former.at, store->renewed.former.room);
    store->renewed = (struct renewed_table){0};
}
