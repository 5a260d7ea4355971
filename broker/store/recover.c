/* recover.c — from the files of a stopped store to segments in memory, telling the owner all that is in them.
 *
 * Records are replayed in the order in which they were written: data segments by number, and what was gathered from
 * a data segment in its place. Sealed data segments are read from their index files, all else from itself. The
 * segment that was being written may end in a frame that never became whole: it was never durable and is written
 * over. Anything else that can't be read is damage and stops the start. Nothing is changed on the disk here. */
#include "recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_US 1000000

struct pending { /* entries of a batch that goes on in the next segment */
    struct segment *segment;
    uint8_t *bytes;
    size_t used;
};

/* One way through all data segments, batch by batch. */
struct replay {
    struct recovery *recovery;
    enum err (*take)(struct recovery *recovery, struct segment *segment, const uint8_t *bytes, size_t used);
    struct pending *pending;
    size_t pending_count, pending_room;
    uint64_t pending_batch;
    const struct segment *before; /* the last segment with frames, and how it ended: */
    bool before_sealed, before_open, before_known, before_void;
    const struct segment *empty; /* the first segment without frames */
    uint64_t last;               /* batch */
};

/* ---- what is done with entries ---- */

static enum err note_history_end(struct recovery *recovery, struct segment *segment, const uint8_t *bytes,
                                 size_t used)
{
    struct heads heads = {.bytes = (uint8_t *)(uintptr_t)bytes};
    if (heads_history_end(&heads, 0, used, &recovery->history_end))
        recovery->has_history_end = true;
    return ERR_NONE;
}

static void note_seq(struct store *store, uint64_t seq)
{
    if (seq > atomic_load(&store->durable_seq))
        atomic_store(&store->durable_seq, seq);
}

static bool book(struct store *store, struct segment *segment, const struct head_entry *entry)
{
    if (store->options.kinds[entry->kind].keep != STORE_KEEP_RENEW)
        return true;
    if (segment->type == SEGMENT_DATA)
        return books_place(store, segment, entry->kind, entry->key, entry->bytes);
    books_forget(store, entry->kind, entry->key);
    return true;
}

static enum err not_taken(struct recovery *recovery, const struct segment *segment, uint64_t offset, unsigned kind,
                          enum err err)
{
    const char *why =
        err == ERR_TOO_NEW ? "written by a newer version of this program, which must be used" : err_name(err);
    return problem_say(recovery->problem, err,
                       "%s: segment %" PRIx64 ", offset %" PRIu64 ": a record of kind %u was not taken: %s",
                       recovery->store->folder, segment->number, offset, kind, why);
}

static enum err tell_owner(struct recovery *recovery, struct segment *segment, const uint8_t *bytes, size_t used)
{
    struct store *store = recovery->store;
    const struct store_owner *owner = &store->options.owner;
    struct heads heads = {.bytes = (uint8_t *)(uintptr_t)bytes};
    size_t at = 0;
    for (const struct head_entry *entry; (entry = heads_next(&heads, &at, used)) != NULL;) {
        recovery->opened->records++;
        if (entry->kind >= STORE_KINDS_MAX)
            continue;
        uint64_t offset = (uint64_t)entry->unit * 8;
        note_seq(store, entry->seq);
        if (!book(store, segment, entry))
            return ERR_NO_MEMORY;
        enum err err =
            owner->replay(owner->self, entry->kind, entry->key, entry->seq, (entry->flags & RECORD_PAST) != 0,
                          entry + 1, entry->head_bytes, segment_place(segment, offset));
        if (err != ERR_NONE)
            return not_taken(recovery, segment, offset, entry->kind, err);
    }
    return ERR_NONE;
}

/* ---- batches that reach over segments ---- */

static enum err pending_add(struct replay *replay, struct segment *segment, const struct heads *heads, size_t from)
{
    const uint8_t *bytes = heads->bytes + from;
    size_t used = heads->used - from;
    if (used == 0)
        return ERR_NONE;
    replay->pending_batch = heads->last;
    if (!room_for(&replay->pending, &replay->pending_room, replay->pending_count, 1, sizeof *replay->pending))
        return ERR_NO_MEMORY;
    uint8_t *copy = malloc(used);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, bytes, used);
    replay->pending[replay->pending_count++] = (struct pending){segment, copy, used};
    return ERR_NONE;
}

/* The batch that was waiting for its end has it (`complete`), or never will. */
static enum err pending_end(struct replay *replay, bool complete)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < replay->pending_count; i++) {
        struct pending *pending = &replay->pending[i];
        if (!complete)
            pending->segment->void_tail = true;
        else if (err == ERR_NONE)
            err = replay->take(replay->recovery, pending->segment, pending->bytes, pending->used);
        free(pending->bytes);
    }
    replay->pending_count = 0;
    return err;
}

/* A segment goes on with the batch that waits for its end, not with a later one. */
static bool ends_pending(const struct replay *replay, uint64_t first, bool has_lead, bool lead_void)
{
    return has_lead && !lead_void && first == replay->pending_batch;
}

static enum err take_heads(struct replay *replay, struct segment *segment, const struct heads *heads)
{
    if (heads->frames == 0)
        return ERR_NONE;
    if (heads->lead_goes_on)
        return pending_add(replay, segment, heads, 0);
    enum err err = pending_end(replay, ends_pending(replay, heads->first, heads->has_lead, heads->lead_void));
    if (err == ERR_NONE)
        err = replay->take(replay->recovery, segment, heads->bytes, heads->open);
    if (err == ERR_NONE)
        err = pending_add(replay, segment, heads, heads->open);
    return err;
}

/* ---- data segments ---- */

/* Does this segment go on where the one before it ended? */
static enum err check_follows(const struct replay *replay, const struct segment *segment, const struct heads *heads)
{
    struct recovery *recovery = replay->recovery;
    const struct segment *before = replay->before;
    if (heads->frames == 0 || before == NULL)
        return ERR_NONE;
    if (!replay->before_sealed)
        return recovery_damaged(recovery, before, atomic_load(&before->end),
                                "no frame, but later segments have some");
    bool same = heads->first == replay->last && (replay->before_open || !replay->before_known);
    bool next = heads->first == replay->last + 1 && !heads->has_lead;
    bool later = heads->first > replay->last && before->number + 1 != segment->number;
    if (same || next || later)
        return ERR_NONE;
    return recovery_damaged(recovery, segment, SEGMENT_HEADER_BYTES, "batches before its first are missing");
}

static enum err check_not_empty(const struct replay *replay, const struct heads *heads)
{
    if (heads->frames == 0 || replay->empty == NULL)
        return ERR_NONE;
    return recovery_damaged(replay->recovery, replay->empty, SEGMENT_HEADER_BYTES,
                            "no frames, but later segments have some");
}

static void note_segment(struct replay *replay, struct segment *segment, const struct heads *heads,
                         uint64_t index_bytes)
{
    if (heads->frames == 0) {
        replay->empty = replay->empty != NULL ? replay->empty : segment;
        return;
    }
    replay->before = segment;
    replay->before_sealed = heads->sealed;
    replay->before_open = heads->open < heads->used || heads->lead_goes_on || heads->tail_void;
    replay->before_known = index_bytes == 0 || heads->tail_void;
    replay->before_void = heads->tail_void;
    replay->last = heads->last;
    replay->recovery->store->was_closed = heads->clean;
}

static void progress(struct recovery *recovery, uint64_t bytes)
{
    const struct store *store = recovery->store;
    int64_t now = clock_us();
    recovery->bytes_done += bytes;
    if (store->options.progress == NULL || now - recovery->told_us < PROGRESS_US)
        return;
    recovery->told_us = now;
    store->options.progress(store->options.owner.self, recovery->bytes_done, recovery->bytes_total);
}

static enum err replay_data(struct replay *replay, struct segment *segment)
{
    struct recovery *recovery = replay->recovery;
    struct heads heads;
    uint64_t index_bytes;
    enum err err = recovery_read_data(recovery, segment, &heads, &index_bytes);
    if (err != ERR_NONE)
        return err;
    segment->index_bytes = index_bytes;
    segment->void_tail = heads.tail_void; /* of others the segments behind it will say */
    segment->state = heads.sealed ? SEGMENT_SEALED : heads.frames > 0 ? SEGMENT_ACTIVE : SEGMENT_READY;
    segment_learn(segment, &heads);
    err = check_not_empty(replay, &heads);
    if (err == ERR_NONE)
        err = check_follows(replay, segment, &heads);
    if (err == ERR_NONE)
        err = take_heads(replay, segment, &heads);
    note_segment(replay, segment, &heads, index_bytes);
    heads_free(&heads);
    recovery->opened->segments++;
    recovery->opened->bytes += atomic_load(&segment->end);
    progress(recovery, segment->bytes);
    return err;
}

/* ---- first way: how far does the history count? ---- */

static enum err look_at_data(struct replay *replay, struct segment *segment)
{
    struct recovery *recovery = replay->recovery;
    const struct store *store = recovery->store;
    struct index_header header;
    int file;
    enum err err =
        index_read_header(store->io, store->folder, store->id, SEGMENT_DATA, segment->number, &header, &file);
    if (err == ERR_NONE) {
        store->io->close(store->io->self, file);
        err = pending_end(replay, ends_pending(replay, header.first, header.has_lead != 0, header.lead_void != 0));
        recovery->has_history_end |= header.has_history_end != 0;
        if (header.has_history_end != 0)
            recovery->history_end = header.history_end;
        return err;
    }
    struct heads heads;
    uint64_t index_bytes;
    err = recovery_read_data(recovery, segment, &heads, &index_bytes);
    if (err != ERR_NONE)
        return err;
    err = take_heads(replay, segment, &heads);
    if (heads.frames == 0) {
        heads_free(&heads);
        return err;
    }
    /* The last one with frames is the one that is usually without an index file: it need not be read twice. */
    if (recovery->kept_for != NULL)
        heads_free(&recovery->kept);
    recovery->kept_for = segment;
    recovery->kept = heads;
    return err;
}

static enum err find_history_end(struct recovery *recovery)
{
    const struct segments *data = &recovery->store->data;
    struct replay replay = {.recovery = recovery, .take = note_history_end};
    enum err err = ERR_NONE;
    for (size_t i = 0; i < data->count && err == ERR_NONE; i++)
        err = look_at_data(&replay, data->at[i]);
    pending_end(&replay, false);
    free(replay.pending);
    for (size_t i = 0; i < data->count; i++)
        data->at[i]->void_tail = false; /* the second way will say */
    return err;
}

/* ---- second way: everything, in order ---- */

static enum err replay_run(struct recovery *recovery, const struct history_run *run)
{
    struct heads heads;
    struct segment *segment = run->segment;
    if (!segment_run_room(segment))
        return ERR_NO_MEMORY;
    enum err err = recovery_read_run(recovery, run, &heads);
    if (err != ERR_NONE)
        return err;
    segment->runs[segment->run_count++] = (struct source_run){run->from, run->source};
    segment->first = run->source < segment->first ? run->source : segment->first;
    segment->last = run->source > segment->last ? run->source : segment->last;
    sums_merge(&segment->sums, &heads.sums);
    err = tell_owner(recovery, segment, heads.bytes, heads.used);
    heads_free(&heads);
    recovery->opened->history_bytes += run->to - run->from;
    progress(recovery, run->to - run->from);
    return err;
}

static enum err replay_all(struct recovery *recovery, uint64_t *last)
{
    const struct segments *data = &recovery->store->data;
    struct replay replay = {.recovery = recovery, .take = tell_owner};
    enum err err = ERR_NONE;
    size_t i = 0, run = 0;
    while (err == ERR_NONE && (i < data->count || run < recovery->run_count)) {
        bool history =
            run < recovery->run_count && (i == data->count || recovery->runs[run].source <= data->at[i]->number);
        if (!history) {
            err = replay_data(&replay, data->at[i++]);
            continue;
        }
        /* Gathered, but its file was not given back any more. */
        if (i < data->count && recovery->runs[run].source == data->at[i]->number)
            data->at[i++]->state = SEGMENT_RETIRED;
        err = replay_run(recovery, &recovery->runs[run++]);
    }
    *last =
        replay.last - (replay.pending_count > 0 || replay.before_void); /* a number that was not used in the end */
    pending_end(&replay, false);
    free(replay.pending);
    return err;
}

/* The segment to go on in, and the one after it. */
static void choose_active(struct store *store)
{
    for (size_t i = 0; i < store->data.count; i++) {
        struct segment *segment = store->data.at[i];
        if (segment->state == SEGMENT_ACTIVE)
            store->active = segment;
        else if (segment->state == SEGMENT_READY && store->ready == NULL)
            store->ready = segment;
    }
}

static void learn_history(struct recovery *recovery)
{
    struct store *store = recovery->store;
    store->history_end = recovery->history_end;
    note_seq(store, store->history_end.dropped_seq);
    if (store->history_end.number > store->history_last)
        store->history_last = store->history_end.number;
    for (size_t i = 0; i < store->history.count; i++) {
        struct segment *segment = store->history.at[i];
        struct index_header header;
        int file;
        if (segment->state != SEGMENT_SEALED || index_read_header(store->io, store->folder, store->id, segment->type,
                                                                  segment->number, &header, &file) != ERR_NONE)
            continue;
        store->io->close(store->io->self, file);
        segment->index_bytes = index_size(&header);
    }
}

enum err recover(struct store *store, struct store_opened *opened, struct store_problem *problem)
{
    struct recovery recovery = {.store = store, .opened = opened, .problem = problem, .told_us = clock_us()};
    uint64_t last = 0;
    enum err err = recovery_open_files(&recovery);
    if (err == ERR_NONE)
        err = find_history_end(&recovery);
    if (err == ERR_NONE)
        err = recovery_find_runs(&recovery);
    if (err == ERR_NONE)
        err = replay_all(&recovery, &last);
    if (recovery.kept_for != NULL)
        heads_free(&recovery.kept);
    free(recovery.runs);
    if (err != ERR_NONE)
        return err;
    learn_history(&recovery);
    choose_active(store);
    store->submitted = store->collected_through = last;
    store->cleaning.look = true;
    atomic_store(&store->durable, last);
    committer_start(store, last);
    return ERR_NONE;
}
