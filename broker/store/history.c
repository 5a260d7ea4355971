/* history.c — history segments: what cleaning keeps of records that are not live any more, in the order in which it
 * comes upon them, victim after victim.
 *
 * The journal says how far the history is good (KIND_HISTORY_END), so what an interrupted run wrote beyond that does
 * not count, and what is missing before it is damage. History files are as long as what is in them. A new one is
 * begun when one is full, or when its oldest record is an eighth of the retention old, so that whole files become
 * too old soon after their records. */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FILES_PER_RETENTION 8

/* The file being filled, if there is one. The lock is held. */
static struct segment *last_history(const struct store *store)
{
    if (store->history.count == 0)
        return NULL;
    struct segment *last = store->history.at[store->history.count - 1];
    return last->number == store->history_end.number && last->state == SEGMENT_ACTIVE ? last : NULL;
}

static bool goes_on(const struct store *store, const struct segment *segment)
{
    const struct cleaning *cleaning = &store->cleaning;
    uint64_t end = atomic_load(&segment->end);
    int64_t age_max = store->options.history_retention_ms / FILES_PER_RETENTION;
    uint64_t more = cleaning->victim->bytes + HISTORY_HEADERS(cleaning->victim->bytes);
    return end < store->segment_bytes && end + more <= SEGMENT_BYTES_MAX &&
           segment->sums.oldest_ms >= cleaning->now_ms - age_max;
}

static uint64_t number_take(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    do {
        store->history_last++;
    } while (!segment_number_is_free(store, SEGMENT_HISTORY, store->history_last));
    uint64_t number = store->history_last;
    pthread_mutex_unlock(&store->lock);
    return number;
}

/* So that nothing can fail when what was gathered is accepted, be the file new ... */
static bool room_in_list(struct store *store)
{
    struct segments *list = &store->history;
    pthread_mutex_lock(&store->lock);
    bool room = room_for(&list->at, &list->room, list->count, 1, sizeof *list->at);
    pthread_mutex_unlock(&store->lock);
    return room;
}

/* ... or not. */
static bool run_room(struct store *store, struct segment *segment)
{
    pthread_mutex_lock(&store->lock);
    bool room = segment_run_room(segment);
    pthread_mutex_unlock(&store->lock);
    return room;
}

/* A file that never counted. One that can't be removed is written over by the next, which has its number: beside a later
 * one it would count. */
static void remove_file(struct store *store, uint64_t number)
{
    char path[PATH_BYTES_MAX];
    segment_path(path, store->folder, SEGMENT_HISTORY, number);
    if (store->io->unlink(store->io->self, path) != 0)
        store->history_last = number - 1; /* only this thread gives numbers */
}

static int new_file(struct store *store, struct segment **out)
{
    const struct store_io *io = store->io;
    uint64_t number = number_take(store);
    char path[PATH_BYTES_MAX];
    union {
        struct segment_header header;
        uint8_t bytes[SEGMENT_HEADER_BYTES];
    } block;
    memset(&block, 0, sizeof block);
    segment_header_encode(&block.header, store->id, SEGMENT_HISTORY, number, 0);
    segment_path(path, store->folder, SEGMENT_HISTORY, number);
    int file = io->open(io->self, path, true);
    if (file < 0)
        return file;
    int error = io->truncate(io->self, file, 0);
    if (error == 0)
        error = reserve(store, file, sizeof block);
    if (error == 0)
        error = file_write(io, file, &block, sizeof block, 0);
    if (error == 0)
        error = io->sync(io->self, file);
    if (error == 0)
        error = io->sync_dir(io->self, store->folder);
    struct segment *segment = error == 0 ? segment_new(store, SEGMENT_HISTORY, number, 0, file) : NULL;
    if (segment == NULL || !room_in_list(store)) {
        free(segment);
        io->close(io->self, file);
        remove_file(store, number);
        return error != 0 ? error : -ENOMEM;
    }
    segment->state = SEGMENT_READY;
    *out = segment;
    return 0;
}

/* A full file ends with its last frame: then what is missing of it will be noticed. */
static int cut(struct store *store, const struct segment *segment)
{
    int error = store->io->truncate(store->io->self, segment->file, atomic_load(&segment->end));
    return error == 0 ? store->io->sync(store->io->self, segment->file) : error;
}

/* Chooses the file that the victim's history goes to. */
static int begin(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    pthread_mutex_lock(&store->lock);
    struct segment *last = last_history(store);
    bool full = last != NULL && !goes_on(store, last);
    if (last != NULL)
        last->refs++;
    pthread_mutex_unlock(&store->lock);
    int error = 0;
    if (full) {
        error = cut(store, last);
        segment_release(store, last);
    }
    if (error == 0 && (full || last == NULL))
        error = new_file(store, &last);
    if (error != 0)
        return error;
    cleaning->history = last; /* from here on it is history_abandon()'s */
    cleaning->history_at = atomic_load(&last->end);
    cleaning->frame_used = cleaning->frame_records = 0;
    sums_clear(&cleaning->sums);
    sums_clear(&cleaning->frame_sums);
    return run_room(store, last) ? 0 : -ENOMEM;
}

static int write_frame(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *segment = cleaning->history;
    uint64_t source = cleaning->victim->number;
    struct frame frame = {.payload_bytes = (uint32_t)cleaning->frame_used,
                          .records = cleaning->frame_records,
                          .first = source,
                          .last = source,
                          .time_ms = cleaning->frame_sums.newest_ms};
    if (frame.records == 0)
        return 0;
    for (size_t at = 0; at < cleaning->frame_used;) {
        struct record *record = (struct record *)(cleaning->frame + at);
        record_seal(record, segment->seed);
        at += record_room(record);
    }
    frame.payload_check = XXH3_64bits_withSeed(cleaning->frame, frame.payload_bytes, segment->seed);
    frame_seal(&frame, segment->seed);
    uint64_t end = cleaning->history_at + sizeof frame + frame.payload_bytes;
    int error = reserve(store, segment->file, end);
    struct iovec parts[] = {{&frame, sizeof frame}, {cleaning->frame, cleaning->frame_used}};
    if (error == 0)
        error = file_write_parts(store->io, segment->file, parts, 2, cleaning->history_at);
    if (error != 0)
        return error;
    cleaning->history_at = end;
    cleaning->frame_used = cleaning->frame_records = 0;
    sums_merge(&cleaning->sums, &cleaning->frame_sums);
    sums_clear(&cleaning->frame_sums);
    return 0;
}

int history_add(struct store *store, const struct record *record, enum verdict verdict, int64_t time_ms)
{
    struct cleaning *cleaning = &store->cleaning;
    const struct store_kind *kind = &store->options.kinds[record->kind];
    unsigned mask = kind->keep == STORE_KEEP_UNUSED ? (1u << STORE_SECTIONS) - 1 : kind->sections;
    size_t room = record_room_stripped(record, mask);
    int error = cleaning->history == NULL ? begin(store) : 0;
    if (error == 0 && cleaning->frame_used + room > HISTORY_FRAME_BYTES)
        error = write_frame(store);
    if (error != 0)
        return error;
    if (!room_for(&cleaning->frame, &cleaning->frame_room, cleaning->frame_used, room, 1))
        return -ENOMEM;
    struct record *out = (struct record *)(cleaning->frame + cleaning->frame_used);
    record_strip(out, record, mask);
    out->flags = verdict == VERDICT_VALUE ? 0 : RECORD_PAST;
    cleaning->frame_used += room;
    cleaning->frame_records++;
    sums_record(&cleaning->frame_sums, out, store->options.kinds);
    sums_time(&cleaning->frame_sums, time_ms);
    return 0;
}

int history_flush(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    if (cleaning->history == NULL)
        return 0;
    int error = write_frame(store);
    if (error == 0)
        error = store->io->sync(store->io->self, cleaning->history->file);
    if (error != 0)
        return error;
    cleaning->end_next.number = cleaning->history->number;
    cleaning->end_next.end = cleaning->history_at;
    return 0;
}

void history_accept(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *segment = cleaning->history;
    uint64_t source = cleaning->victim->number;
    if (segment == NULL)
        return;
    if (segment->state == SEGMENT_READY) {
        for (size_t i = 0; i < store->history.count; i++)
            store->history.at[i]->state = SEGMENT_SEALED;
        segment->state = SEGMENT_ACTIVE;
        segment_enlist(store, segment);
    } else {
        segment->refs--;
    }
    segment->runs[segment->run_count++] = (struct source_run){atomic_load(&segment->end), source};
    segment->first = source < segment->first ? source : segment->first;
    segment->last = source > segment->last ? source : segment->last;
    sums_merge(&segment->sums, &cleaning->sums);
    segment->bytes = cleaning->history_at;
    atomic_store(&segment->end, cleaning->history_at);
    cleaning->history = NULL;
}

void history_abandon(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *segment = cleaning->history;
    cleaning->history = NULL;
    cleaning->frame_used = cleaning->frame_records = 0;
    if (segment == NULL)
        return;
    if (segment->state != SEGMENT_READY) {
        segment->refs--; /* what was written beyond its end is written over */
        return;
    }
    if (!cleaning->end_said)
        remove_file(store, segment->number);
    segment_free(store, segment);
}
