/* segment.c — segments in memory: lists, finding one by place, counting its users. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

struct segment *segment_new(struct store *store, enum segment_type type, uint64_t number, uint64_t bytes, int file)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL)
        return NULL;
    segment->type = type;
    segment->number = number;
    segment->seed = segment_seed(store->id, type, number);
    segment->bytes = bytes;
    segment->file = file;
    segment->first = UINT64_MAX;
    sums_clear(&segment->sums);
    atomic_store(&segment->end, SEGMENT_HEADER_BYTES);
    return segment;
}

void segment_free(struct store *store, struct segment *segment)
{
    search_cache_free(store, segment);
    if (segment->file >= 0)
        store->io->close(store->io->self, segment->file);
    free(segment->runs);
    free(segment);
}

static struct segments *list_of(struct store *store, const struct segment *segment)
{
    return segment->type == SEGMENT_DATA ? &store->data : &store->history;
}

/* Data and history segments share the numbers of places: data has the even ones. */
static uint32_t tag(enum segment_type type, uint64_t number)
{
    return (uint32_t)((number << 1 | (type == SEGMENT_HISTORY)) & PLACE_TAG_MASK);
}

bool segment_enlist(struct store *store, struct segment *segment)
{
    struct segments *list = list_of(store, segment);
    if (!room_for(&list->at, &list->room, list->count, 1, sizeof *list->at))
        return false;
    size_t i = list->count++;
    for (; i > 0 && list->at[i - 1]->number > segment->number; i--)
        list->at[i] = list->at[i - 1];
    list->at[i] = segment;
    struct segment **bucket = &store->buckets[segment_tag(segment) % SEGMENT_BUCKETS];
    segment->bucket_next = *bucket;
    *bucket = segment;
    return true;
}

void segment_hide(struct store *store, struct segment *segment)
{
    struct segment **link = &store->buckets[segment_tag(segment) % SEGMENT_BUCKETS];
    while (*link != NULL && *link != segment)
        link = &(*link)->bucket_next;
    if (*link != NULL)
        *link = segment->bucket_next;
}

void segment_delist(struct store *store, struct segment *segment)
{
    struct segments *list = list_of(store, segment);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i] != segment)
            list->at[kept++] = list->at[i];
    list->count = kept;
}

static struct segment *find(const struct store *store, uint32_t wanted)
{
    struct segment *segment = store->buckets[wanted % SEGMENT_BUCKETS];
    while (segment != NULL && tag(segment->type, segment->number) != wanted)
        segment = segment->bucket_next;
    return segment;
}

struct segment *segment_at(struct store *store, store_place place)
{
    return place == STORE_NOWHERE ? NULL : find(store, place_tag(place));
}

bool segment_number_is_free(const struct store *store, enum segment_type type, uint64_t number)
{
    return find(store, tag(type, number)) == NULL;
}

struct segment *segment_hold(struct store *store, store_place place)
{
    pthread_mutex_lock(&store->lock);
    struct segment *segment = segment_at(store, place);
    if (segment != NULL)
        segment->refs++;
    pthread_mutex_unlock(&store->lock);
    return segment;
}

void segment_release(struct store *store, struct segment *segment)
{
    pthread_mutex_lock(&store->lock);
    if (--segment->refs <= 1 && segment->state == SEGMENT_RETIRED) /* cleaning holds the other one */
        pthread_cond_signal(&store->helper_wake);
    pthread_mutex_unlock(&store->lock);
}

store_place segment_place(const struct segment *segment, uint64_t offset)
{
    return (store_place)segment_tag(segment) << PLACE_UNIT_BITS | offset / 8;
}

uint64_t segment_source(const struct segment *segment, uint64_t offset)
{
    struct source_run found = {0, segment->number};
    for (size_t i = 0; i < segment->run_count; i++)
        if (segment->runs[i].from <= offset && segment->runs[i].from >= found.from)
            found = segment->runs[i];
    return found.source;
}

bool segment_run_room(struct segment *segment)
{
    return room_for(&segment->runs, &segment->run_room, segment->run_count, 1, sizeof *segment->runs);
}

uint32_t segment_tag(const struct segment *segment)
{
    return tag(segment->type, segment->number);
}

void segment_learn(struct segment *segment, const struct heads *heads)
{
    segment->first = heads->first;
    segment->last = heads->last;
    segment->sums = heads->sums;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        segment->assumed[kind] = heads->sums.use[kind].records;
    segment->survey_end = segment->type == SEGMENT_DATA ? heads->end : 0;
    atomic_store(&segment->end, heads->end);
}

enum err segment_heads(const struct store *store, const struct segment *segment, struct heads *heads)
{
    struct scan scan;
    enum err err;
    uint64_t end = atomic_load(&segment->end);
    scan_begin(&scan, store->io, segment->file, segment->seed, SEGMENT_HEADER_BYTES, end);
    heads_begin(heads);
    while ((err = scan_next(&scan)) == ERR_NONE &&
           (err = heads_add(heads, &scan, segment->type, store->options.kinds)) == ERR_NONE)
        ;
    if (err == ERR_NOT_FOUND)
        err = scan.offset == end ? ERR_NONE : ERR_DAMAGED;
    scan_end(&scan);
    if (err != ERR_NONE) {
        heads_free(heads);
        return err;
    }
    heads->tail_void = segment->void_tail;
    if (segment->void_tail && heads->lead_goes_on) { /* all of it is of a batch that was never completed */
        heads->lead = heads->open = heads->used = 0;
        heads->lead_void = true;
    }
    if (heads->open < heads->used && !segment->void_tail)
        heads->open = heads->used; /* its batch was completed in the next segment */
    return ERR_NONE;
}
