/* search_cache.c — see search_cache.h. */
#include "search_cache.h"

#include <stdlib.h>
#include <string.h>

#define HEADS_MIN 1024
#define NOWHERE   UINT32_MAX

struct search_cache { /* entries in the order of the journal */
    struct finder_entry *finder;
    size_t finder_count, finder_room;
    /* Those of one hash lie in the chain that begins at its head: the newest first. */
    uint32_t *heads, *before; /* indexes; `before` has one for each entry */
    size_t head_count, before_room, chained;
    struct event_entry *events;
    size_t event_count, event_room;
    uint64_t end;  /* of what is in them */
    uint64_t last; /* batch */
    struct open_batch open_finder, open_events;
};

void search_cache_free(struct store *store, struct segment *segment)
{
    pthread_mutex_lock(&store->cache_lock);
    struct search_cache *cache = segment->cache;
    segment->cache = NULL;
    pthread_mutex_unlock(&store->cache_lock);
    if (cache == NULL)
        return;
    free(cache->finder);
    free(cache->heads);
    free(cache->before);
    free(cache->events);
    free(cache);
}

/* ---- chains; the cache's lock is held ---- */

static uint32_t *head_of(const struct search_cache *cache, size_t entry)
{
    return &cache->heads[cache->finder[entry].hash & (cache->head_count - 1)];
}

/* The newest entries are to be written over: they lead their chains. */
static void unchain(struct search_cache *cache, size_t keep)
{
    for (; cache->chained > keep; cache->chained--)
        *head_of(cache, cache->chained - 1) = cache->before[cache->chained - 1];
}

static bool grow_heads(struct search_cache *cache)
{
    size_t count = cache->head_count > 0 ? cache->head_count : HEADS_MIN;
    while (count < cache->finder_count)
        count *= 2;
    if (count == cache->head_count)
        return true;
    uint32_t *heads = malloc(count * sizeof *heads);
    if (heads == NULL)
        return false;
    memset(heads, 0xff, count * sizeof *heads); /* NOWHERE */
    free(cache->heads);
    cache->heads = heads;
    cache->head_count = count;
    cache->chained = 0;
    return true;
}

static bool chain_all(struct search_cache *cache)
{
    if (!grow_heads(cache) || !room_for(&cache->before, &cache->before_room, cache->chained,
                                        cache->finder_count - cache->chained, sizeof *cache->before))
        return false;
    for (; cache->chained < cache->finder_count; cache->chained++) {
        uint32_t *head = head_of(cache, cache->chained);
        cache->before[cache->chained] = *head;
        *head = (uint32_t)cache->chained;
    }
    return true;
}

/* ---- lists of segments without an index file; the cache's lock is held ---- */

static bool cache_record(struct search_cache *cache, const struct record *record, uint64_t offset)
{
    uint32_t unit = (uint32_t)(offset / 8);
    if (record->kind >= STORE_KINDS_MAX)
        return true;
    if (!room_for(&cache->finder, &cache->finder_room, cache->finder_count, 1, sizeof *cache->finder) ||
        !room_for(&cache->events, &cache->event_room, cache->event_count, 1, sizeof *cache->events))
        return false;
    cache->finder[cache->finder_count++] = (struct finder_entry){finder_hash(record->kind, record->key), unit};
    if (record->seq != 0)
        cache->events[cache->event_count++] =
            (struct event_entry){(uint32_t)record->seq, (uint32_t)(record->seq >> 32), unit};
    return true;
}

static enum err cache_frame(struct search_cache *cache, const struct scan *scan, bool data)
{
    size_t at = 0;
    if (data) {
        cache->finder_count = open_batch_frame(&cache->open_finder, &scan->frame, cache->finder_count);
        unchain(cache, cache->finder_count);
        cache->event_count = open_batch_frame(&cache->open_events, &scan->frame, cache->event_count);
        cache->last = scan->frame.records > 0 ? scan->frame.last : cache->last;
    }
    for (const struct record *record; (record = scan_record(scan, &at)) != NULL;)
        if (!cache_record(cache, record, scan_record_offset(scan, record)))
            return ERR_NO_MEMORY;
    cache->end = scan->next;
    return ERR_NONE;
}

static enum err cache_continue(struct store *store, struct segment *segment, uint64_t end, bool void_tail)
{
    if (segment->cache == NULL) {
        segment->cache = calloc(1, sizeof *segment->cache);
        if (segment->cache == NULL)
            return ERR_NO_MEMORY;
        segment->cache->end = SEGMENT_HEADER_BYTES;
    }
    struct search_cache *cache = segment->cache;
    if (cache->end >= end)
        return ERR_NONE;
    struct scan scan;
    enum err err;
    scan_begin(&scan, store->io, segment->file, segment->seed, cache->end, end);
    while ((err = scan_next(&scan)) == ERR_NONE)
        if ((err = cache_frame(cache, &scan, segment->type == SEGMENT_DATA)) != ERR_NONE)
            break;
    if (err == ERR_NOT_FOUND)
        err = scan.offset == end ? ERR_NONE : ERR_DAMAGED;
    scan_end(&scan);
    if (err == ERR_NONE && void_tail && cache->open_finder.more) {
        cache->finder_count = cache->open_finder.begins;
        cache->event_count = cache->open_events.begins;
        unchain(cache, cache->finder_count);
    }
    return err;
}

/* ---- asking ---- */

/* Takes the lock of the caches and brings this one up to date. How the segment ends is asked for first, at one moment:
 * the commit thread goes on. */
static enum err cache_open(struct store *store, struct segment *segment)
{
    pthread_mutex_lock(&store->lock);
    uint64_t end = atomic_load(&segment->end);
    bool void_tail = segment->void_tail;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_lock(&store->cache_lock);
    return cache_continue(store, segment, end, void_tail);
}

/* How many entries count: the last ones may be of a batch that is not whole on the disk yet. */
static size_t finder_counted(const struct store *store, const struct search_cache *cache)
{
    bool whole = !cache->open_finder.more || cache->last <= atomic_load(&store->durable);
    return whole ? cache->finder_count : cache->open_finder.begins;
}

enum err search_cache_find(struct store *store, struct segment *segment, uint32_t hash, search_add add, void *self)
{
    enum err err = cache_open(store, segment);
    struct search_cache *cache = segment->cache;
    if (err == ERR_NONE && !chain_all(cache))
        err = ERR_NO_MEMORY;
    size_t count = err == ERR_NONE ? finder_counted(store, cache) : 0;
    for (uint32_t i = err == ERR_NONE ? cache->heads[hash & (cache->head_count - 1)] : NOWHERE;
         err == ERR_NONE && i != NOWHERE; i = cache->before[i])
        if (i < count && cache->finder[i].hash == hash)
            err = add(self, 0, segment, cache->finder[i].unit);
    pthread_mutex_unlock(&store->cache_lock);
    return err;
}

enum err search_cache_events(struct store *store, struct segment *segment, uint64_t after, search_add add, void *self)
{
    enum err err = cache_open(store, segment);
    const struct search_cache *cache = segment->cache;
    for (size_t i = 0; err == ERR_NONE && i < cache->event_count; i++)
        if (event_entry_seq(&cache->events[i]) > after)
            err = add(self, event_entry_seq(&cache->events[i]), segment, cache->events[i].unit);
    pthread_mutex_unlock(&store->cache_lock);
    return err;
}
