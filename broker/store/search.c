/* search.c — finding what is not in memory any more: records by key, and events by number. For any thread but the
 * owner's, for it reads from the disk.
 *
 * Sealed segments are searched by the sorted lists of their index files, others by lists in memory: search_cache.c.
 */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

#include "search_cache.h"

struct hit {
    uint64_t seq;    /* of an event */
    uint64_t source; /* the data segment that it was written to at first */
    store_place place;
    struct segment *segment; /* counted by the search */
};

struct hits {
    struct hit *at;
    size_t count, room;
};

/* ---- segments with an index file ---- */

/* The first event in `file` whose number is not before `seq`. */
static enum err event_first(const struct store_io *io, int file, const struct index_header *header, uint64_t seq,
                            uint64_t *found)
{
    uint64_t low = 0, high = header->event_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct event_entry entry;
        if (file_read(io, file, &entry, sizeof entry, index_event_offset(header) + middle * sizeof entry) != 0)
            return ERR_IO;
        if (event_entry_seq(&entry) < seq)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low;
    return ERR_NONE;
}

/* ---- hits ---- */

static enum err hit_add(struct hits *hits, uint64_t seq, struct segment *segment, uint32_t unit)
{
    if (!room_for(&hits->at, &hits->room, hits->count, 1, sizeof *hits->at))
        return ERR_NO_MEMORY;
    hits->at[hits->count++] = (struct hit){seq, 0, segment_place(segment, (uint64_t)unit * 8), segment};
    return ERR_NONE;
}

static enum err hit_found(void *self, uint64_t seq, struct segment *segment, uint32_t unit)
{
    return hit_add(self, seq, segment, unit);
}

/* A part of a sorted list of finder entries, read at once: the hashes are spread evenly, so what is sought lies near
 * where it should, and one or two reads find it in a list of any length. */
#define WINDOW_ENTRIES 512
#define NEAR_STEPS     4 /* looks beside the first place so often, then anywhere */

struct window {
    const struct store_io *io;
    int file;
    uint64_t offset, count; /* of the whole list */
    uint64_t first;
    size_t held;
    struct finder_entry at[WINDOW_ENTRIES];
};

/* Moves the window so that it holds as much as it can of low..high, from `first` on if that leaves it full. */
static enum err window_move(struct window *window, uint64_t first, uint64_t low, uint64_t high)
{
    uint64_t latest = high - low > WINDOW_ENTRIES ? high - WINDOW_ENTRIES : low;
    window->first = first < low ? low : first > latest ? latest : first;
    window->held = (size_t)(high - window->first < WINDOW_ENTRIES ? high - window->first : WINDOW_ENTRIES);
    uint64_t offset = window->offset + window->first * sizeof *window->at;
    int result = file_read(window->io, window->file, window->at, window->held * sizeof *window->at, offset);
    return result == 0 ? ERR_NONE : ERR_IO;
}

static size_t window_first(const struct window *window, uint32_t hash)
{
    size_t low = 0, high = window->held;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (window->at[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first entry that is not before `hash`, or the list's end. */
static enum err finder_first(struct window *window, uint32_t hash, uint64_t *found)
{
    uint64_t low = 0, high = window->count, expected = hash * window->count >> 32;
    uint64_t next = expected > WINDOW_ENTRIES / 2 ? expected - WINDOW_ENTRIES / 2 : 0;
    for (unsigned step = 1; low < high; step++) {
        enum err err = window_move(window, next, low, high);
        if (err != ERR_NONE)
            return err;
        size_t at = window_first(window, hash);
        uint64_t end = window->first + window->held;
        if (at == 0)
            high = window->first;
        else if (at == window->held)
            low = end;
        else
            low = high = window->first + at;
        next = at == 0 ? window->first - (window->first < WINDOW_ENTRIES ? window->first : WINDOW_ENTRIES) : end;
        if (step >= NEAR_STEPS)
            next = low + (high - low) / 2;
    }
    *found = low;
    return ERR_NONE;
}

static enum err find_indexed(const struct store_io *io, const struct index_header *header, int file,
                             struct segment *segment, uint32_t hash, struct hits *hits)
{
    struct window window;
    uint64_t at = 0;
    window.io = io;
    window.file = file;
    window.offset = index_finder_offset(header);
    window.count = header->finder_count;
    window.first = window.held = 0;
    enum err err = finder_first(&window, hash, &at);
    for (; err == ERR_NONE && at < window.count; at++) {
        if (at < window.first || at >= window.first + window.held)
            err = window_move(&window, at, 0, window.count);
        if (err != ERR_NONE || window.at[at - window.first].hash != hash)
            break;
        err = hit_add(hits, 0, segment, window.at[at - window.first].unit);
    }
    return err;
}

static enum err events_indexed(const struct store_io *io, const struct index_header *header, int file,
                               struct segment *segment, uint64_t after, size_t limit, struct hits *hits)
{
    uint64_t offset = index_event_offset(header), at, last = after;
    enum err err = event_first(io, file, header, after + 1, &at);
    for (size_t taken = 0; err == ERR_NONE && at < header->event_count; at++) {
        struct event_entry entry;
        if (file_read(io, file, &entry, sizeof entry, offset + at * sizeof entry) != 0)
            return ERR_IO;
        if (event_entry_seq(&entry) == last)
            continue; /* a moved copy has the number of its first one */
        if (taken++ == limit)
            break;
        last = event_entry_seq(&entry);
        err = hit_add(hits, last, segment, entry.unit);
    }
    return err;
}

/* ---- a search ---- */

struct search {
    struct store *store;
    struct segment **segments; /* counted; history first, then data, each in order */
    size_t count;
    uint64_t durable_seq; /* events up to this number, in all of them, are what is looked for */
    struct hits hits;
};

/* All segments at one moment: from then on they stay, though they may be given up. */
static enum err search_begin(struct search *search, struct store *store, uint64_t *oldest)
{
    *search = (struct search){.store = store};
    pthread_mutex_lock(&store->lock);
    size_t count = store->history.count + store->data.count;
    uint64_t dropped = store->history_end.dropped_seq;
    search->durable_seq = atomic_load(&store->durable_seq);
    *oldest = UINT64_MAX;
    search->segments = malloc((count + 1) * sizeof *search->segments);
    for (size_t i = 0; search->segments != NULL && i < count; i++) {
        struct segment *segment =
            i < store->history.count ? store->history.at[i] : store->data.at[i - store->history.count];
        if (segment->state == SEGMENT_RETIRED)
            continue;
        segment->refs++;
        search->segments[search->count++] = segment;
        if (segment->sums.seq_max > dropped && segment->sums.seq_min < *oldest)
            *oldest = segment->sums.seq_min > dropped ? segment->sums.seq_min : dropped + 1;
    }
    pthread_mutex_unlock(&store->lock);
    if (*oldest > search->durable_seq)
        *oldest = 0;
    return search->segments != NULL ? ERR_NONE : ERR_NO_MEMORY;
}

static void search_end(struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        segment_release(search->store, search->segments[i]);
    free(search->segments);
    free(search->hits.at);
}

/* The header of the segment's index file, which is then open; false: it has none. */
static bool open_index(struct store *store, const struct segment *segment, struct index_header *header, int *file)
{
    pthread_mutex_lock(&store->lock);
    bool has = segment->index_bytes > 0;
    pthread_mutex_unlock(&store->lock);
    return has && index_read_header(store->io, store->folder, store->id, segment->type, segment->number, header,
                                    file) == ERR_NONE;
}

static enum err read_hit(struct store *store, const struct hit *hit, struct store_record *out)
{
    struct record *record;
    enum err err = record_read(store, hit->segment, hit->place, &record);
    if (err == ERR_DAMAGED) /* somebody must hear of it */
        damage_met(store, hit->segment, place_offset(hit->place));
    if (err != ERR_NONE)
        return err;
    record_show(out, record, hit->place);
    out->memory = record;
    return ERR_NONE;
}

/* ---- by key ---- */

static bool same_content(const struct store_record *a, const struct store_record *b)
{
    if (a->seq != b->seq || a->head_bytes != b->head_bytes || memcmp(a->head, b->head, a->head_bytes) != 0)
        return false;
    for (unsigned i = 0; i < STORE_SECTIONS; i++)
        if (a->sections[i].bytes != b->sections[i].bytes)
            return false;
    return true;
}

static bool is_copy(const struct store_record *record)
{
    return (((const struct record *)record->memory)->flags & RECORD_COPY) != 0;
}

/* Reads the hits that really have this key into `records`, leaving out those of which a copy follows. ERR_DAMAGED: one of
 * them cannot be read any more; the others are there. */
static enum err read_found(struct search *search, unsigned kind, uint64_t key, struct store_record *records,
                           size_t *count)
{
    enum err found = ERR_NONE;
    for (size_t i = 0; i < search->hits.count; i++) {
        struct store_record record;
        enum err err = read_hit(search->store, &search->hits.at[i], &record);
        if (err == ERR_DAMAGED) {
            found = err;
            continue;
        }
        if (err != ERR_NONE)
            return err;
        if (record.kind != kind || record.key != key) {
            store_record_free(&record);
            continue;
        }
        for (size_t j = 0; is_copy(&record) && j < *count; j++)
            if (records[j].memory != NULL && same_content(&records[j], &record))
                store_record_free(&records[j]);
        records[(*count)++] = record;
    }
    return found;
}

static enum err find_all(struct search *search, unsigned kind, uint64_t key)
{
    uint32_t hash = finder_hash(kind, key);
    enum err err = ERR_NONE;
    for (size_t i = 0; i < search->count && err == ERR_NONE; i++) {
        struct segment *segment = search->segments[i];
        struct index_header header;
        int file;
        if (!open_index(search->store, segment, &header, &file)) {
            err = search_cache_find(search->store, segment, hash, hit_found, &search->hits);
            continue;
        }
        err = find_indexed(search->store->io, &header, file, segment, hash, &search->hits);
        search->store->io->close(search->store->io->self, file);
    }
    return err;
}

static int compare_age(const void *a, const void *b)
{
    const struct hit *left = a, *right = b;
    if (left->source != right->source)
        return left->source < right->source ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* As they were written: what has become history may be younger than what lies in data segments. */
static void order_by_age(struct search *search)
{
    struct hits *hits = &search->hits;
    pthread_mutex_lock(&search->store->lock);
    for (size_t i = 0; i < hits->count; i++)
        hits->at[i].source = segment_source(hits->at[i].segment, place_offset(hits->at[i].place));
    pthread_mutex_unlock(&search->store->lock);
    if (hits->count > 1)
        qsort(hits->at, hits->count, sizeof *hits->at, compare_age);
}

enum err store_find(struct store *store, unsigned kind, uint64_t key,
                    bool (*visit)(void *self, const struct store_record *record), void *self)
{
    struct search search;
    uint64_t oldest;
    size_t count = 0;
    enum err err = search_begin(&search, store, &oldest);
    if (err == ERR_NONE)
        err = find_all(&search, kind, key);
    order_by_age(&search);
    struct store_record *records = calloc(search.hits.count + 1, sizeof *records);
    if (err == ERR_NONE)
        err = records != NULL ? read_found(&search, kind, key, records, &count) : ERR_NO_MEMORY;
    bool going = err == ERR_NONE || err == ERR_DAMAGED;
    for (size_t i = 0; i < count; i++) {
        if (going && records[i].memory != NULL)
            going = visit(self, &records[i]);
        store_record_free(&records[i]);
    }
    free(records);
    search_end(&search);
    return err;
}

/* ---- events ---- */

static int compare_hits(const void *a, const void *b)
{
    const struct hit *left = a, *right = b;
    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    return 0;
}

/* Only the `limit` first of all numbers found so far can be wanted, and none that was not durable when the search began:
 * its batch may reach over a segment that has been looked at already. */
static void keep_first(struct hits *hits, size_t limit, uint64_t durable_seq)
{
    if (hits->count > 1)
        qsort(hits->at, hits->count, sizeof *hits->at, compare_hits);
    size_t kept = 0;
    for (size_t i = 0; i < hits->count; i++) {
        if (kept > 0 && hits->at[kept - 1].seq == hits->at[i].seq)
            continue; /* a copy */
        if (kept == limit || hits->at[i].seq > durable_seq)
            break;
        hits->at[kept++] = hits->at[i];
    }
    hits->count = kept;
}

static enum err find_events(struct search *search, uint64_t after, size_t limit)
{
    struct hits *hits = &search->hits;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < search->count && err == ERR_NONE; i++) {
        struct segment *segment = search->segments[i];
        struct index_header header;
        int file;
        if (!open_index(search->store, segment, &header, &file)) {
            err = search_cache_events(search->store, segment, after, hit_found, hits);
        } else {
            bool wanted = header.sums.seq_max > after &&
                          (hits->count < limit || header.sums.seq_min < hits->at[hits->count - 1].seq);
            if (wanted)
                err = events_indexed(search->store->io, &header, file, segment, after, limit, hits);
            search->store->io->close(search->store->io->self, file);
        }
        keep_first(hits, limit, search->durable_seq);
    }
    return err;
}

/* *going: nobody has had enough; *seq: of the last one. How many were visited is counted in *count. One that cannot
 * be read any more is left out, or nobody would ever hear of what comes after it. */
static enum err visit_hits(struct search *search, bool (*visit)(void *self, const struct store_record *record),
                           void *self, bool *going, uint64_t *seq, size_t *count)
{
    for (size_t i = 0; *going && i < search->hits.count; i++) {
        struct store_record record;
        enum err err = read_hit(search->store, &search->hits.at[i], &record);
        *seq = search->hits.at[i].seq;
        if (err == ERR_DAMAGED)
            continue;
        if (err != ERR_NONE)
            return err;
        ++*count;
        *going = visit(self, &record);
        store_record_free(&record);
    }
    return ERR_NONE;
}

enum err store_events(struct store *store, uint64_t after, size_t limit, uint64_t *oldest,
                      bool (*visit)(void *self, const struct store_record *record), void *self)
{
    struct search search;
    size_t count = 0, found;
    bool going = limit > 0;
    enum err err = search_begin(&search, store, oldest);
    while (err == ERR_NONE && going) {
        size_t before = count;
        search.hits.count = 0;
        err = find_events(&search, after, limit - count);
        found = search.hits.count;
        if (err == ERR_NONE)
            err = visit_hits(&search, visit, self, &going, &after, &count);
        going = going && count < limit && count - before < found; /* some were left out: others take their place */
    }
    search_end(&search);
    return err;
}
