/* commit.c — the commit thread. It takes what was submitted while it was busy, writes it as one frame and syncs once;
 * at a segment's end it goes on in the next one, which lies ready.
 *
 * Never more than one frame is on its way to the disk: each is synced before the next is written, also over the end
 * of a segment. Recovery relies on it (scan_successor). */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct committer {           /* belongs to the commit thread */
    uint64_t last;           /* batch written last */
    uint64_t seq_max;        /* of the records written */
    struct told_list told;   /* of the batch being written */
    struct told_list recent; /* first places that the owner may not have known when it filled the next batches */
    uint64_t forget_through, forget_at; /* recent ones up to that commit can go when this one is written */
    struct store_batch *whole;          /* batches with their copies filled in */
    struct placed *placed;              /* records of the frame being written */
    size_t placed_count, placed_room;
    struct sums sums; /* of them */
};

struct placed {
    uint64_t key;
    uint32_t room, kind;
};

enum err committer_new(struct store *store)
{
    store->committer = calloc(1, sizeof *store->committer);
    if (store->committer == NULL)
        return ERR_NO_MEMORY;
    sums_clear(&store->committer->sums);
    store->committer->whole = store_batch_new();
    return store->committer->whole != NULL ? ERR_NONE : ERR_NO_MEMORY;
}

void committer_free(struct store *store)
{
    struct committer *committer = store->committer;
    if (committer == NULL)
        return;
    free(committer->told.at);
    free(committer->recent.at);
    free(committer->placed);
    store_batch_free(&committer->whole);
    free(committer);
    store->committer = NULL;
}

void committer_start(struct store *store, uint64_t last)
{
    store->committer->last = last;
    store->committer->seq_max = atomic_load(&store->durable_seq);
}

static bool failed(struct store *store)
{
    return atomic_load(&store->failed);
}

static void fail_io(struct store *store, const char *doing, int error)
{
    store_fail(store,
               "%s/data-%016llx.seg: %s failed at offset %llu: %s; nothing after it is durable. "
               "Mend the disk and start again",
               store->folder, (unsigned long long)store->active->number, doing,
               (unsigned long long)atomic_load(&store->active->end), strerror(-error));
}

static bool out_of_memory(struct store *store)
{
    store_fail(store, "out of memory while writing the journal");
    return false;
}

/* ---- one frame ---- */

static bool tell(struct store *store, struct told_list *list, struct told told)
{
    if (!room_for(&list->at, &list->room, list->count, 1, sizeof *list->at))
        return out_of_memory(store);
    list->at[list->count++] = told;
    return true;
}

/* Gives each record its place and its checksum. `moves` are those of these records, in order. */
static bool place_records(struct store *store, uint8_t *payload, size_t bytes, uint64_t offset, uint64_t commit,
                          size_t base, const struct batch_move **move, const struct batch_move *moves_end)
{
    struct committer *committer = store->committer;
    const struct segment *segment = store->active;
    for (size_t at = 0; at < bytes;) {
        struct record *record = (struct record *)(payload + at);
        const struct store_kind *kind = record->kind < STORE_KINDS_MAX ? &store->options.kinds[record->kind] : NULL;
        store_place from = STORE_NOWHERE;
        if (*move < moves_end && (*move)->record == base + at)
            from = (*move)++->from;
        if (kind != NULL && kind->keep == STORE_KEEP_WHILE_LIVE &&
            !tell(store, &committer->told,
                  (struct told){record->key, from, segment_place(segment, offset + at), commit, record->kind}))
            return false;
        if (!room_for(&committer->placed, &committer->placed_room, committer->placed_count, 1,
                      sizeof *committer->placed))
            return out_of_memory(store);
        committer->placed[committer->placed_count++] =
            (struct placed){record->key, (uint32_t)record_room(record), record->kind};
        committer->seq_max = record->seq > committer->seq_max ? record->seq : committer->seq_max;
        sums_record(&committer->sums, record, store->options.kinds);
        record_seal(record, segment->seed);
        at += record_room(record);
    }
    return true;
}

/* The records of the frame just written belong to the segment now. */
static bool account(struct store *store, struct segment *segment, int64_t time_ms)
{
    struct committer *committer = store->committer;
    bool booked = true;
    for (size_t i = 0; i < committer->placed_count && booked; i++) {
        const struct placed *placed = &committer->placed[i];
        booked = books_place(store, segment, placed->kind, placed->key, placed->room);
    }
    sums_time(&committer->sums, time_ms);
    sums_merge(&segment->sums, &committer->sums);
    store->counts.records += committer->sums.records;
    sums_clear(&committer->sums);
    committer->placed_count = 0;
    return booked;
}

/* Writes the frame behind what is there and syncs. Rewrites the rest of the last block with zeros: whole blocks need
 * not be read before they are written. */
static bool write_frame(struct store *store, struct frame *frame, void *payload)
{
    struct segment *segment = store->active;
    int64_t begun = clock_us();
    static const uint8_t zeros[BLOCK_BYTES];
    uint64_t offset = atomic_load(&segment->end);
    uint64_t end = offset + FRAME_HEADER_BYTES + frame->payload_bytes;
    assert(end <= segment->bytes);
    uint64_t fill = (BLOCK_BYTES - end % BLOCK_BYTES) % BLOCK_BYTES;
    if (fill > segment->bytes - end)
        fill = segment->bytes - end;
    frame->time_ms = store->wall_ms();
    frame->payload_check = XXH3_64bits_withSeed(payload, frame->payload_bytes, segment->seed);
    frame_seal(frame, segment->seed);
    struct iovec parts[] = {
        {frame, sizeof *frame}, {payload, frame->payload_bytes}, {(void *)(uintptr_t)zeros, (size_t)fill}};
    int error = file_write_parts(store->io, segment->file, parts, 3, offset);
    if (error != 0) {
        fail_io(store, "writing", error);
        return false;
    }
    int64_t before = clock_us();
    error = store->io->sync(store->io->self, segment->file);
    uint64_t took = (uint64_t)(clock_us() - before);
    if (error != 0) {
        fail_io(store, "syncing", error);
        return false;
    }
    bool booked = true;
    pthread_mutex_lock(&store->lock);
    store->counts.syncs++;
    store->counts.sync_us_total += took;
    store->counts.sync_us_max = took > store->counts.sync_us_max ? took : store->counts.sync_us_max;
    store->counts.bytes_written += end - offset;
    atomic_store(&segment->end, end);
    if (frame->records > 0) {
        histogram_add(&store->counts.commit_times, before - begun + (int64_t)took, 1);
        segment->first = frame->first < segment->first ? frame->first : segment->first;
        segment->last = frame->last;
        segment->void_tail = false; /* this frame is what it ends with now */
        booked = account(store, segment, frame->time_ms);
    }
    pthread_mutex_unlock(&store->lock);
    return booked || out_of_memory(store);
}

/* An empty frame that says something. */
static bool write_mark(struct store *store, enum frame_flag flag)
{
    struct frame frame = {.flags = (uint32_t)flag, .first = store->committer->last, .last = store->committer->last};
    return write_frame(store, &frame, NULL);
}

/* ---- going on to the next segment ---- */

static uint64_t room_left(const struct segment *segment)
{
    uint64_t used = atomic_load(&segment->end) + 2 * FRAME_HEADER_BYTES; /* a frame's, and the seal */
    return used < segment->bytes ? segment->bytes - used : 0;
}

/* The helper may take a while to find that there is no room for the reserve; new jobs must not eat it up meanwhile.
 */
static void look_for_room(struct store *store)
{
    int64_t room = store->io->free_bytes(store->io->self, store->folder);
    pthread_mutex_lock(&store->lock);
    size_t reserve = store->spare_count + (store->ready != NULL);
    bool short_of = reserve < RESERVE_SEGMENTS && room >= 0 &&
                    (uint64_t)room < (RESERVE_SEGMENTS - reserve) * store->segment_bytes;
    bool news = short_of && !atomic_exchange(&store->full, true); /* before the helper can find that there is room */
    pthread_mutex_unlock(&store->lock);
    if (news)
        store_wake(store);
}

/* The owner hears when it begins and when it is over. */
static void say_waiting(struct store *store, bool waits)
{
    if (atomic_exchange(&store->waits, waits) != waits)
        store_wake(store);
}

static bool next_segment(struct store *store)
{
    if (!write_mark(store, FRAME_SEAL))
        return false;
    pthread_mutex_lock(&store->lock);
    while (store->ready == NULL && !failed(store) && !(store->closing && store->no_room != 0)) {
        say_waiting(store, store->no_room != 0);
        pthread_cond_wait(&store->commit_wake, &store->lock);
    }
    say_waiting(store, false);
    struct segment *ready = store->ready;
    if (ready != NULL) {
        store->active->state = SEGMENT_SEALED;
        store->cleaning.look = true;
        ready->state = SEGMENT_ACTIVE;
        store->active = ready;
        store->ready = NULL;
        pthread_cond_signal(&store->helper_wake);
    }
    pthread_mutex_unlock(&store->lock);
    if (ready != NULL)
        look_for_room(store);
    else
        store_fail(store, "%s: no room for another segment: %s", store->folder, strerror(-store->no_room));
    return ready != NULL;
}

/* ---- batches ---- */

/* Tells the owner about all batches up to `commit`. */
static bool publish(struct store *store, uint64_t commit)
{
    struct committer *committer = store->committer;
    struct told_list *told = &committer->told;
    for (size_t i = 0; i < told->count; i++)
        if (told->at[i].from == STORE_NOWHERE && !tell(store, &committer->recent, told->at[i]))
            return false;
    pthread_mutex_lock(&store->lock);
    bool kept = room_for(&store->told.at, &store->told.room, store->told.count, told->count, sizeof *told->at);
    if (kept) {
        if (told->count > 0)
            memcpy(store->told.at + store->told.count, told->at, told->count * sizeof *told->at);
        store->told.count += told->count;
        store->counts.commits += commit - committer->last;
        atomic_store(&store->durable, commit);
        atomic_store(&store->durable_seq, committer->seq_max);
        atomic_store(&store->news, true);
    }
    pthread_mutex_unlock(&store->lock);
    told->count = 0;
    committer->last = commit;
    if (!kept)
        return out_of_memory(store);
    store_wake(store);
    return true;
}

struct writing { /* a row of submitted batches */
    const struct store_batch *batches;
    const struct batch_move *move, *moves_end; /* not placed yet */
    size_t from;                               /* bytes written */
};

/* Writes the bytes up to `to` as one frame. */
static bool write_part(struct store *store, struct writing *writing, size_t to, struct frame frame)
{
    uint8_t *payload = writing->batches->bytes + writing->from;
    uint64_t offset = atomic_load(&store->active->end) + FRAME_HEADER_BYTES;
    frame.payload_bytes = (uint32_t)(to - writing->from);
    if (!place_records(store, payload, frame.payload_bytes, offset, frame.last, writing->from, &writing->move,
                       writing->moves_end) ||
        !write_frame(store, &frame, payload))
        return false;
    writing->from = to;
    return true;
}

static size_t frame_room(const struct store *store)
{
    uint64_t left = room_left(store->active);
    return left < FRAME_PAYLOAD_MAX ? (size_t)left : FRAME_PAYLOAD_MAX;
}

/* One batch that does not fit into what is left of the segment, or into any frame. */
static bool write_in_parts(struct store *store, struct writing *writing, const struct batch_end *end)
{
    uint32_t part = 0;
    while (writing->from < end->bytes) {
        size_t room = frame_room(store), to = writing->from;
        uint32_t records = 0;
        for (; to < end->bytes; records++) {
            size_t next = to + record_room((const struct record *)(writing->batches->bytes + to));
            if (next - writing->from > room)
                break;
            to = next;
        }
        if (records == 0) {
            if (!next_segment(store))
                return false;
            continue;
        }
        struct frame frame = {.flags = to < end->bytes ? FRAME_MORE : 0,
                              .records = records,
                              .first = end->commit,
                              .last = end->commit,
                              .part = part++};
        if (!write_part(store, writing, to, frame))
            return false;
    }
    if (!publish(store, end->commit))
        return false;
    pthread_mutex_lock(&store->lock);
    pthread_cond_signal(&store->helper_wake); /* the segments that it began in can have their index files now */
    pthread_mutex_unlock(&store->lock);
    return true;
}

static bool write_batches(struct store *store, const struct store_batch *batches)
{
    const struct batch_move *moves_end = batches->move_count > 0 ? batches->moves + batches->move_count : NULL;
    struct writing writing = {batches, moves_end != NULL ? batches->moves : NULL, moves_end, 0};
    size_t records = 0;
    for (size_t i = 0; i < batches->end_count;) {
        const struct batch_end *ends = batches->ends;
        size_t room = frame_room(store), n = i;
        while (n < batches->end_count && ends[n].bytes - writing.from <= room)
            n++;
        if (n > i) {
            struct frame frame = {.records = (uint32_t)(ends[n - 1].records - records),
                                  .first = ends[i].commit,
                                  .last = ends[n - 1].commit};
            if (!write_part(store, &writing, ends[n - 1].bytes, frame) || !publish(store, frame.last))
                return false;
            i = n;
        } else if (room < (store->active->bytes - SEGMENT_HEADER_BYTES) / 16) {
            if (!next_segment(store))
                return false;
        } else {
            if (!write_in_parts(store, &writing, &ends[i]))
                return false;
            i++;
        }
        records = i > 0 ? ends[i - 1].records : 0;
    }
    return true;
}

/* ---- the thread ---- */

/* Drops the first places that no batch to come can ask for. */
static void forget(struct store *store)
{
    struct committer *committer = store->committer;
    struct told_list *recent = &committer->recent;
    if (committer->last < committer->forget_at)
        return;
    size_t gone = 0;
    while (gone < recent->count && recent->at[gone].commit <= committer->forget_through)
        gone++;
    if (gone > 0)
        memmove(recent->at, recent->at + gone, (recent->count - gone) * sizeof *recent->at);
    recent->count -= gone;
    pthread_mutex_lock(&store->lock);
    committer->forget_through = store->collected_through;
    committer->forget_at = store->collected_at + 2;
    pthread_mutex_unlock(&store->lock);
}

static bool write_row(struct store *store, struct store_batch *row)
{
    struct committer *committer = store->committer;
    if (row->copy_count > 0) {
        if (!copies_fill(store, row, &committer->recent, committer->whole))
            return false;
        row = committer->whole;
    }
    return write_batches(store, row);
}

static void unpin(struct store *store, const struct store_batch *row)
{
    for (size_t i = 0; i < row->copy_count; i++)
        if (row->copies[i].pinned != NULL)
            segment_release(store, row->copies[i].pinned);
}

/* Somebody wants what is durable to lie in full segments. The lock is held, and let go of meanwhile. */
static void seal(struct store *store)
{
    pthread_mutex_unlock(&store->lock);
    if (!failed(store))
        next_segment(store);
    pthread_mutex_lock(&store->lock);
    store->seal_wanted = false;
    pthread_cond_signal(&store->helper_wake);
}

static struct store_batch *next_row(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    for (;;) {
        if (store->seal_wanted)
            seal(store);
        if (store->queue != NULL || store->closing)
            break;
        pthread_cond_wait(&store->commit_wake, &store->lock);
    }
    struct store_batch *row = store->queue;
    if (row != NULL) {
        store->queue = row->next;
        if (store->queue == NULL)
            store->queue_last = NULL;
        row->next = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    return row;
}

/* Says that nothing is missing behind it. The room that the seal needs must be left, so it may have to be the seal.
 */
static void write_last_mark(struct store *store)
{
    const struct segment *segment = store->active;
    uint64_t end = atomic_load(&segment->end);
    if (failed(store) || end == SEGMENT_HEADER_BYTES)
        return;
    write_mark(store, end + 2 * FRAME_HEADER_BYTES <= segment->bytes ? FRAME_CLEAN : FRAME_SEAL);
}

void *commit_run(void *arg)
{
    struct store *store = arg;
    for (struct store_batch *row; (row = next_row(store)) != NULL;) {
        bool going = !failed(store);
        if (going)
            write_row(store, row);
        unpin(store, row);
        queue_recycle(store, row);
        if (going)
            forget(store);
    }
    write_last_mark(store);
    return NULL;
}
