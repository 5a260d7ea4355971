/* recover_read.c — recovery: opening segment files, reading their frames, telling a torn end from damage. */
#include "recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum err recovery_damaged(struct recovery *recovery, const struct segment *segment, uint64_t offset, const char *what)
{
    return problem_say(recovery->problem, ERR_DAMAGED,
                       "%s/%s-%016" PRIx64 ".seg: damaged at offset %" PRIu64 ": %s; nothing was changed. "
                       "`linewardctl store check` lists all damage",
                       recovery->store->folder, segment->type == SEGMENT_DATA ? "data" : "hist", segment->number,
                       offset, what);
}

static enum err failed_read(struct recovery *recovery, const struct segment *segment, int error)
{
    return problem_say(recovery->problem, ERR_IO, "%s/%s-%016" PRIx64 ".seg: reading: %s", recovery->store->folder,
                       segment->type == SEGMENT_DATA ? "data" : "hist", segment->number, strerror(-error));
}

/* ---- files ---- */

static enum err check_header(struct recovery *recovery, const struct segment *segment,
                             const struct segment_header *header)
{
    const struct store *store = recovery->store;
    enum err err = segment_header_check(header, store->id, segment->type, segment->number);
    if (err == ERR_TOO_NEW)
        return problem_say(recovery->problem, err,
                           "%s: segment %" PRIx64
                           " was written by a newer version of this program, which must be used",
                           store->folder, segment->number);
    if (err != ERR_NONE)
        return recovery_damaged(recovery, segment, 0,
                                err == ERR_NOT_FOUND ? "it belongs elsewhere" : "unreadable header");
    if (segment->type == SEGMENT_DATA && header->bytes != segment->bytes)
        return recovery_damaged(recovery, segment, segment->bytes, "the file has not its full length");
    return ERR_NONE;
}

static enum err open_file(struct recovery *recovery, const struct folder_file *found)
{
    struct store *store = recovery->store;
    char path[PATH_BYTES_MAX];
    file_path(path, store->folder, found->name);
    int file = store->io->open(store->io->self, path, false);
    if (file < 0)
        return problem_say(recovery->problem, ERR_IO, "%s: %s", path, strerror(-file));
    int64_t bytes = store->io->size(store->io->self, file);
    struct segment *segment = segment_new(store, found->type, found->number, bytes > 0 ? (uint64_t)bytes : 0, file);
    if (segment == NULL) {
        store->io->close(store->io->self, file);
        return ERR_NO_MEMORY;
    }
    if (!segment_enlist(store, segment)) {
        segment_free(store, segment);
        return ERR_NO_MEMORY;
    }
    uint64_t *last = found->type == SEGMENT_DATA ? &store->number_last : &store->history_last;
    if (found->number > *last)
        *last = found->number;
    recovery->bytes_total += segment->bytes;
    return bytes < 0 ? failed_read(recovery, segment, (int)bytes) : ERR_NONE;
}

/* A history file is made before the journal says that it counts; until then it may be anything. */
static enum err check_headers(struct recovery *recovery)
{
    const struct store *store = recovery->store;
    for (size_t i = 0; i < store->data.count; i++) {
        struct segment_header header = {0};
        const struct segment *segment = store->data.at[i];
        int error = file_read(store->io, segment->file, &header, sizeof header, 0);
        if (error != 0 && error != -ENODATA)
            return failed_read(recovery, segment, error);
        enum err err = check_header(recovery, segment, &header);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

enum err recovery_open_files(struct recovery *recovery)
{
    struct store *store = recovery->store;
    struct folder_list list;
    enum err err = folder_list(store->io, store->folder, &list, recovery->problem);
    for (size_t i = 0; err == ERR_NONE && i < list.count; i++)
        if (list.at[i].kind == FILE_SEGMENT)
            err = open_file(recovery, &list.at[i]);
    store->own_bytes = recovery->bytes_total;
    free(list.at);
    return err == ERR_NONE ? check_headers(recovery) : err;
}

/* ---- data ---- */

/* The scan has ended without a seal: at a torn frame, or at a damaged one. */
static enum err judge_end(struct recovery *recovery, const struct segment *segment, struct scan *scan)
{
    uint64_t found = 0;
    enum err err = scan_successor(scan, &found);
    if (err == ERR_NONE)
        return recovery_damaged(recovery, segment, scan->offset, "a frame is unreadable but has a successor");
    if (err == ERR_IO)
        return failed_read(recovery, segment, scan->error);
    if (err != ERR_NOT_FOUND)
        return err;
    if (frame_is_valid(&scan->frame, segment->seed) && scan->next == scan->offset)
        recovery->opened->torn_bytes_cut = FRAME_HEADER_BYTES + scan->frame.payload_bytes;
    return ERR_NONE;
}

static enum err read_frames(struct recovery *recovery, const struct segment *segment, struct heads *heads)
{
    const struct store *store = recovery->store;
    struct scan scan;
    enum err err;
    scan_begin(&scan, store->io, segment->file, segment->seed, SEGMENT_HEADER_BYTES, segment->bytes);
    heads_begin(heads);
    while ((err = scan_next(&scan)) == ERR_NONE) {
        err = heads_add(heads, &scan, segment->type, store->options.kinds);
        if (err == ERR_DAMAGED)
            err = recovery_damaged(recovery, segment, scan.offset, "a frame does not follow the one before it");
        if (err != ERR_NONE || heads->sealed)
            break;
    }
    if (err == ERR_NOT_FOUND)
        err = judge_end(recovery, segment, &scan);
    else if (err == ERR_IO)
        err = failed_read(recovery, segment, scan.error);
    scan_end(&scan);
    if (err != ERR_NONE)
        heads_free(heads);
    return err;
}

enum err recovery_read_data(struct recovery *recovery, struct segment *segment, struct heads *heads,
                            uint64_t *index_bytes)
{
    const struct store *store = recovery->store;
    *index_bytes = 0;
    if (recovery->kept_for == segment) {
        *heads = recovery->kept;
        recovery->kept_for = NULL;
        return ERR_NONE;
    }
    enum err err =
        index_read(store->io, store->folder, store->id, segment->type, segment->number, heads, index_bytes);
    return err == ERR_NOT_FOUND ? read_frames(recovery, segment, heads) : err;
}

/* ---- history ---- */

static enum err add_frame(struct recovery *recovery, struct segment *segment, const struct frame *frame,
                          uint64_t from)
{
    uint64_t to = from + sizeof *frame + frame->payload_bytes;
    struct history_run *last = recovery->run_count > 0 ? &recovery->runs[recovery->run_count - 1] : NULL;
    if (last != NULL && last->segment == segment && last->source == frame->first) {
        last->to = to;
        return ERR_NONE;
    }
    if (!room_for(&recovery->runs, &recovery->run_room, recovery->run_count, 1, sizeof *recovery->runs))
        return ERR_NO_MEMORY;
    recovery->runs[recovery->run_count++] = (struct history_run){frame->first, segment, from, to};
    return ERR_NONE;
}

static enum err find_runs(struct recovery *recovery, struct segment *segment, uint64_t end)
{
    const struct store *store = recovery->store;
    struct segment_header header = {0};
    int error = file_read(store->io, segment->file, &header, sizeof header, 0);
    if (error != 0 && error != -ENODATA)
        return failed_read(recovery, segment, error);
    enum err err = check_header(recovery, segment, &header);
    if (err == ERR_NONE && segment->bytes < end)
        err = recovery_damaged(recovery, segment, segment->bytes, "the file has not its full length");
    for (uint64_t at = SEGMENT_HEADER_BYTES; err == ERR_NONE && at < end;) {
        struct frame frame = {0};
        error = file_read(store->io, segment->file, &frame, sizeof frame, at);
        if (error != 0 && error != -ENODATA)
            return failed_read(recovery, segment, error);
        uint64_t size = sizeof frame + (uint64_t)frame.payload_bytes;
        if (!frame_is_valid(&frame, segment->seed) || frame.records == 0 || size > end - at)
            return recovery_damaged(recovery, segment, at, "unreadable frame");
        err = add_frame(recovery, segment, &frame, at);
        at += size;
    }
    atomic_store(&segment->end, end);
    return err;
}

static int compare_runs(const void *a, const void *b)
{
    const struct history_run *left = a, *right = b;
    return left->source < right->source ? -1 : left->source > right->source;
}

/* History counts up to where the journal says; files before that one end with their last frame. */
enum err recovery_find_runs(struct recovery *recovery)
{
    struct store *store = recovery->store;
    const struct history_end *last = &recovery->history_end;
    bool wanted = recovery->has_history_end && last->end > 0;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < store->history.count && err == ERR_NONE; i++) {
        struct segment *segment = store->history.at[i];
        bool is_last = segment->number == last->number;
        if (!recovery->has_history_end || segment->number > last->number || (is_last && last->end == 0)) {
            segment->state = SEGMENT_RETIRED;
            continue;
        }
        wanted &= !is_last;
        segment->state = is_last ? SEGMENT_ACTIVE : SEGMENT_SEALED;
        err = find_runs(recovery, segment, is_last ? last->end : segment->bytes);
    }
    if (err == ERR_NONE && wanted)
        return problem_say(recovery->problem, ERR_DAMAGED,
                           "%s/hist-%016" PRIx64
                           ".seg: damaged at offset 0: the file is missing; nothing was changed",
                           store->folder, last->number);
    if (recovery->run_count > 0)
        qsort(recovery->runs, recovery->run_count, sizeof *recovery->runs, compare_runs);
    return err;
}

enum err recovery_read_run(struct recovery *recovery, const struct history_run *run, struct heads *heads)
{
    const struct store *store = recovery->store;
    struct scan scan;
    enum err err;
    scan_begin(&scan, store->io, run->segment->file, run->segment->seed, run->from, run->to);
    heads_begin(heads);
    while ((err = scan_next(&scan)) == ERR_NONE)
        if ((err = heads_add(heads, &scan, SEGMENT_HISTORY, store->options.kinds)) != ERR_NONE)
            break;
    if (err == ERR_NOT_FOUND)
        err = scan.offset == run->to ? ERR_NONE
                                     : recovery_damaged(recovery, run->segment, scan.offset, "unreadable frame");
    else if (err == ERR_IO)
        err = failed_read(recovery, run->segment, scan.error);
    scan_end(&scan);
    if (err != ERR_NONE)
        heads_free(heads);
    return err;
}
