/* recover.c — from the files of a stopped store to segments in memory, telling the owner all that is in them.
 *
 * Sealed segments are read from their index files, others from themselves. The segment that was being written may end
 * in a frame that never became whole: it was never durable and is written over. Anything else that can't be read is
 * damage, and stops the start. Until recover_tidy() nothing is changed on the disk. */
#include "journal.h"

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

struct recovery {
    struct store *store;
    struct store_opened *opened;
    struct store_problem *problem;
    struct pending *pending;
    size_t pending_count, pending_room;
    const struct segment *before; /* the last segment with frames */
    bool before_sealed, before_open, before_known;
    uint64_t last;               /* batch */
    const struct segment *empty; /* the first segment without frames */
    uint64_t bytes_done, bytes_total;
    int64_t began_us, told_us;
};

static enum err damaged(struct recovery *recovery, const struct segment *segment, uint64_t offset, const char *what)
{
    return problem_say(recovery->problem, ERR_DAMAGED,
                       "%s/%s-%016" PRIx64 ".seg: damaged at offset %" PRIu64 ": %s; nothing was changed. "
                       "`linewardctl store check` lists all damage",
                       recovery->store->folder, segment->type == SEGMENT_DATA ? "data" : "hist", segment->number,
                       offset, what);
}

static enum err failed_read(struct recovery *recovery, const struct segment *segment, int error)
{
    return problem_say(recovery->problem, ERR_IO, "%s/data-%016" PRIx64 ".seg: reading: %s", recovery->store->folder,
                       segment->number, strerror(-error));
}

/* ---- telling the owner ---- */

static enum err replay(struct recovery *recovery, const struct segment *segment, const uint8_t *bytes, size_t used)
{
    const struct store_owner *owner = &recovery->store->options.owner;
    struct heads heads = {.bytes = (uint8_t *)(uintptr_t)bytes};
    size_t at = 0;
    for (const struct head_entry *entry; (entry = heads_next(&heads, &at, used)) != NULL;) {
        recovery->opened->records++;
        if (entry->kind >= STORE_KINDS_MAX)
            continue;
        enum err err =
            owner->replay(owner->self, entry->kind, entry->key, entry->seq, (entry->flags & RECORD_PAST) != 0,
                          entry + 1, entry->head_bytes, segment_place(segment, (uint64_t)entry->unit * 8));
        if (err != ERR_NONE) {
            return problem_say(recovery->problem, err,
                               "%s: record %s %" PRIu64 " in segment %" PRIx64 " at offset %" PRIu64
                               " was not taken: %s",
                               recovery->store->folder, recovery->store->options.kinds[entry->kind].name, entry->key,
                               segment->number, (uint64_t)entry->unit * 8, err_name(err));
        }
    }
    return ERR_NONE;
}

static enum err pending_add(struct recovery *recovery, struct segment *segment, const uint8_t *bytes, size_t used)
{
    if (used == 0)
        return ERR_NONE;
    if (!room_for(&recovery->pending, &recovery->pending_room, recovery->pending_count, 1, sizeof *recovery->pending))
        return ERR_NO_MEMORY;
    uint8_t *copy = malloc(used);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, bytes, used);
    recovery->pending[recovery->pending_count++] = (struct pending){segment, copy, used};
    return ERR_NONE;
}

/* The batch that was waiting for its end has it (`complete`), or never will. */
static enum err pending_end(struct recovery *recovery, bool complete)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < recovery->pending_count; i++) {
        struct pending *pending = &recovery->pending[i];
        if (complete && err == ERR_NONE)
            err = replay(recovery, pending->segment, pending->bytes, pending->used);
        else
            pending->segment->void_tail = true;
        free(pending->bytes);
    }
    recovery->pending_count = 0;
    return err;
}

static enum err replay_heads(struct recovery *recovery, struct segment *segment, const struct heads *heads)
{
    if (heads->lead_goes_on)
        return pending_add(recovery, segment, heads->bytes, heads->used);
    enum err err = pending_end(recovery, heads->lead > 0 && !heads->lead_void);
    if (err == ERR_NONE)
        err = replay(recovery, segment, heads->bytes, heads->open);
    if (err == ERR_NONE)
        err = pending_add(recovery, segment, heads->bytes + heads->open, heads->used - heads->open);
    return err;
}

/* ---- reading segments ---- */

/* Reads all frames. ERR_NONE also for one that ends without a seal. */
static enum err read_frames(struct recovery *recovery, const struct segment *segment, struct heads *heads)
{
    struct store *store = recovery->store;
    struct scan scan;
    scan_begin(&scan, store->io, segment->file, segment->seed, SEGMENT_HEADER_BYTES, segment->bytes);
    heads_begin(heads, segment->type);
    enum err err;
    while ((err = scan_next(&scan)) == ERR_NONE) {
        err = heads_add(heads, &scan, segment->type, store->options.kinds);
        if (err == ERR_DAMAGED)
            err = damaged(recovery, segment, scan.offset, "a frame does not follow the one before it");
        if (err != ERR_NONE || heads->sealed)
            break;
    }
    if (err == ERR_NOT_FOUND) {
        uint64_t found = 0;
        err = scan_successor(&scan, &found);
        if (err == ERR_NONE)
            err = damaged(recovery, segment, scan.offset, "a frame is unreadable but has a successor");
        else if (err == ERR_NOT_FOUND)
            err = ERR_NONE;
        if (frame_is_valid(&scan.frame, segment->seed) && scan.offset == scan.next)
            recovery->opened->torn_bytes_cut += FRAME_HEADER_BYTES + scan.frame.payload_bytes;
    }
    if (err == ERR_IO)
        err = failed_read(recovery, segment, scan.error);
    scan_end(&scan);
    return err;
}

/* Does this segment go on where the one before it ended? */
static enum err check_follows(struct recovery *recovery, const struct segment *segment, const struct heads *heads)
{
    if (heads->frames == 0)
        return ERR_NONE;
    if (recovery->empty != NULL)
        return damaged(recovery, recovery->empty, SEGMENT_HEADER_BYTES, "no frames, but later segments have some");
    if (recovery->before != NULL && !recovery->before_sealed)
        return damaged(recovery, recovery->before, atomic_load(&recovery->before->end),
                       "no frame, but later segments have some");
    if (recovery->before == NULL || recovery->before->number + 1 != segment->number)
        return heads->first > recovery->last || heads->lead > 0 || heads->lead_void || recovery->before == NULL
                   ? ERR_NONE
                   : damaged(recovery, segment, SEGMENT_HEADER_BYTES, "its batches are older than the ones before");
    bool leads = heads->lead > 0 || heads->lead_void;
    bool same = heads->first == recovery->last && (recovery->before_open || !recovery->before_known);
    bool next = heads->first == recovery->last + 1 && !leads;
    return same || next ? ERR_NONE
                        : damaged(recovery, segment, SEGMENT_HEADER_BYTES, "batches before its first are missing");
}

static void progress(struct recovery *recovery)
{
    const struct store *store = recovery->store;
    int64_t now = clock_us();
    if (store->options.progress == NULL || now - recovery->told_us < PROGRESS_US)
        return;
    recovery->told_us = now;
    store->options.progress(store->options.owner.self, recovery->bytes_done, recovery->bytes_total);
}

static enum err recover_segment(struct recovery *recovery, struct segment *segment)
{
    struct store *store = recovery->store;
    struct heads heads;
    uint64_t index_bytes = 0;
    enum err err =
        index_read(store->io, store->folder, store->id, segment->type, segment->number, &heads, &index_bytes);
    if (err == ERR_NOT_FOUND)
        err = read_frames(recovery, segment, &heads);
    if (err != ERR_NONE)
        return err;
    err = check_follows(recovery, segment, &heads);
    segment->index_bytes = index_bytes;
    segment->state = heads.sealed ? SEGMENT_SEALED : heads.frames > 0 ? SEGMENT_ACTIVE : SEGMENT_READY;
    segment_learn(segment, &heads);
    if (err == ERR_NONE)
        err = replay_heads(recovery, segment, &heads);
    if (heads.frames > 0) {
        recovery->before = segment;
        recovery->before_sealed = heads.sealed;
        recovery->before_open = heads.open < heads.used || heads.lead_goes_on;
        recovery->before_known = index_bytes == 0;
        recovery->last = heads.last;
    } else if (recovery->empty == NULL && !heads.clean) {
        recovery->empty = segment;
    }
    heads_free(&heads);
    recovery->bytes_done += segment->bytes;
    recovery->opened->segments++;
    recovery->opened->bytes += atomic_load(&segment->end);
    progress(recovery);
    return err;
}

/* ---- files ---- */

static enum err open_segment(struct recovery *recovery, const struct folder_file *found)
{
    struct store *store = recovery->store;
    char path[PATH_BYTES_MAX];
    struct segment_header header = {0};
    file_path(path, store->folder, found->name);
    int file = store->io->open(store->io->self, path, false);
    int64_t bytes = file < 0 ? file : store->io->size(store->io->self, file);
    int error = bytes < 0 ? (int)bytes : file_read(store->io, file, &header, sizeof header, 0);
    if (error != 0 && error != -ENODATA) {
        if (file >= 0)
            store->io->close(store->io->self, file);
        return problem_say(recovery->problem, ERR_IO, "%s: %s", path, strerror(-error));
    }
    struct segment *segment = segment_new(store, found->type, found->number, (uint64_t)bytes, file);
    if (segment == NULL || !segment_enlist(store, segment)) {
        if (segment != NULL)
            segment_free(store, segment);
        else
            store->io->close(store->io->self, file);
        return ERR_NO_MEMORY;
    }
    if (found->type == SEGMENT_DATA && found->number > store->number_last)
        store->number_last = found->number;
    recovery->bytes_total += (uint64_t)bytes;
    enum err err = segment_header_check(&header, store->id, found->type, found->number);
    if (err == ERR_TOO_NEW) {
        return problem_say(recovery->problem, err,
                           "%s: written by a newer version of this program, which must be used", path);
    }
    if (err != ERR_NONE)
        return damaged(recovery, segment, 0, err == ERR_NOT_FOUND ? "it belongs elsewhere" : "unreadable header");
    if (found->type == SEGMENT_DATA && header.bytes != (uint64_t)bytes)
        return damaged(recovery, segment, (uint64_t)bytes, "the file has not its full length");
    return ERR_NONE;
}

static enum err open_segments(struct recovery *recovery)
{
    struct store *store = recovery->store;
    struct folder_list list;
    enum err err = folder_list(store->io, store->folder, &list, recovery->problem);
    for (size_t i = 0; err == ERR_NONE && i < list.count; i++)
        if (list.at[i].kind == FILE_SEGMENT)
            err = open_segment(recovery, &list.at[i]);
    store->own_bytes = recovery->bytes_total;
    free(list.at);
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

enum err recover(struct store *store, struct store_opened *opened, struct store_problem *problem)
{
    struct recovery recovery = {.store = store, .opened = opened, .problem = problem};
    recovery.began_us = recovery.told_us = clock_us();
    enum err err = open_segments(&recovery);
    for (size_t i = 0; err == ERR_NONE && i < store->data.count; i++)
        err = recover_segment(&recovery, store->data.at[i]);
    if (err == ERR_NONE && recovery.pending_count > 0)
        recovery.last--; /* the number of a batch that never was */
    pending_end(&recovery, false);
    free(recovery.pending);
    if (err != ERR_NONE)
        return err;
    choose_active(store);
    store->submitted = recovery.last;
    atomic_store(&store->durable, recovery.last);
    committer_start(store, recovery.last);
    return ERR_NONE;
}

/* ---- making the disk fit for going on ---- */

/* What was read may still be only in the system's memory, if the last run was killed; the answers to come will rely
 * on it. Only the last two segments with frames can be in that state. */
static int sync_recovered(struct store *store)
{
    int error = 0;
    size_t left = 2;
    for (size_t i = store->data.count; i-- > 0 && left > 0 && error == 0;) {
        if (store->data.at[i]->state == SEGMENT_READY)
            continue;
        error = store->io->sync(store->io->self, store->data.at[i]->file);
        left--;
    }
    return error != 0 ? error : store->io->sync_dir(store->io->self, store->folder);
}

/* A segment prepared but never used, or retired: its file becomes a spare. */
static int make_spare(struct store *store, struct segment *segment)
{
    char from[PATH_BYTES_MAX], to[PATH_BYTES_MAX];
    segment_path(from, store->folder, segment->type, segment->number);
    bool keep = segment->bytes == store->segment_bytes && store->spare_count < SPARES_MAX;
    struct spare spare = {++store->spare_last, segment->file};
    spare_path(to, store->folder, spare.id);
    int error = keep ? store->io->rename(store->io->self, from, to) : store->io->unlink(store->io->self, from);
    if (error != 0)
        return error;
    if (keep) {
        store->spares[store->spare_count++] = spare;
        segment->file = -1;
    }
    segment_delist(store, segment);
    segment_free(store, segment);
    return 0;
}

static int take_spare(struct store *store, const struct folder_file *found)
{
    char path[PATH_BYTES_MAX];
    file_path(path, store->folder, found->name);
    if (found->number > store->spare_last)
        store->spare_last = found->number;
    int file = store->spare_count < SPARES_MAX ? store->io->open(store->io->self, path, false) : -1;
    if (file >= 0 && store->io->size(store->io->self, file) == (int64_t)store->segment_bytes) {
        store->spares[store->spare_count++] = (struct spare){found->number, file};
        return 0;
    }
    if (file >= 0)
        store->io->close(store->io->self, file);
    return store->io->unlink(store->io->self, path);
}

static bool index_is_wanted(const struct store *store, const struct folder_file *found)
{
    const struct segments *list = found->type == SEGMENT_DATA ? &store->data : &store->history;
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i]->number == found->number)
            return list->at[i]->index_bytes > 0;
    return false;
}

static int tidy_files(struct store *store, const struct folder_list *list)
{
    int error = 0;
    for (size_t i = 0; i < list->count && error == 0; i++) {
        const struct folder_file *found = &list->at[i];
        char path[PATH_BYTES_MAX];
        file_path(path, store->folder, found->name);
        if (found->kind == FILE_SPARE)
            error = take_spare(store, found);
        else if (found->kind == FILE_LEFTOVER || (found->kind == FILE_INDEX && !index_is_wanted(store, found)))
            error = store->io->unlink(store->io->self, path);
    }
    return error;
}

static int tidy_segments(struct store *store)
{
    int error = 0;
    for (size_t i = store->data.count; i-- > 0 && error == 0;) {
        struct segment *segment = store->data.at[i];
        bool odd = segment->bytes != store->segment_bytes;
        if (segment->state != SEGMENT_READY || (segment == store->ready && !odd))
            continue;
        if (segment == store->ready)
            store->ready = NULL;
        error = make_spare(store, segment);
    }
    return error;
}

enum err recover_tidy(struct store *store, struct store_problem *problem)
{
    struct folder_list list;
    enum err err = folder_list(store->io, store->folder, &list, problem);
    if (err != ERR_NONE)
        return err;
    int error = sync_recovered(store);
    if (error == 0)
        error = tidy_files(store, &list);
    if (error == 0)
        error = tidy_segments(store);
    if (error == 0)
        error = store->io->sync_dir(store->io->self, store->folder);
    free(list.at);
    if (error == 0)
        return ERR_NONE;
    return problem_say(problem, ERR_IO, "%s: making it fit for going on: %s", store->folder, strerror(-error));
}
