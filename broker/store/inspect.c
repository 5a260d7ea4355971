/* inspect.c — reading every byte of a stopped store for `linewardctl store check|dump`: unlike recovery it trusts no
 * index file, goes on behind damage, and changes nothing. */
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct inspection {
    const struct store_io *io;
    const char *folder;
    struct store_id id;
    struct store_check *out;
    bool (*dump)(void *self, const struct store_record *record);
    void *self;
    bool dumping;
    FILE *report;
    struct store_problem *problem;
    struct history_end history_end; /* the last one seen, of a whole batch */
    struct history_end open_end;    /* of the one being read */
    bool has_history_end, has_open_end;
    bool has_last_history; /* the file that the last one tells of */
    bool ended;            /* the last data segment had no seal: only empty ones may follow */
};

static enum err finding(struct inspection *inspection, bool damage, const char *file, uint64_t offset,
                        const char *what)
{
    inspection->out->damaged += damage;
    if (inspection->report != NULL)
        fprintf(inspection->report, "%s: offset %" PRIu64 ": %s\n", file, offset, what);
    if (damage && inspection->problem->text[0] == '\0')
        problem_say(inspection->problem, ERR_DAMAGED, "%s/%s: damaged at offset %" PRIu64 ": %s", inspection->folder,
                    file, offset, what);
    return ERR_NONE;
}

static enum err cant_read(struct inspection *inspection, const char *file, int error)
{
    return problem_say(inspection->problem, ERR_IO, "%s/%s: %s", inspection->folder, file, strerror(-error));
}

/* ---- one frame ---- */

static void inspect_record(struct inspection *inspection, const struct scan *scan, const char *file,
                           struct segment *segment, const struct record *record)
{
    uint64_t offset = scan_record_offset(scan, record);
    inspection->out->records++;
    if (!record_is_valid(record, scan->seed))
        finding(inspection, true, file, offset, "a record's own checksum is wrong");
    if (record->kind == KIND_HISTORY_END && record->head_bytes == sizeof inspection->open_end) {
        memcpy(&inspection->open_end, record_head(record), sizeof inspection->open_end);
        inspection->has_open_end = true;
    }
    if (!inspection->dumping || record->kind >= STORE_KINDS_MAX)
        return;
    struct store_record shown;
    record_show(&shown, record, segment_place(segment, offset));
    inspection->dumping = inspection->dump(inspection->self, &shown);
}

static void inspect_frame(struct inspection *inspection, const struct scan *scan, const char *file,
                          struct segment *segment)
{
    const struct frame *frame = &scan->frame;
    size_t at = 0;
    if (frame->records == 0)
        return;
    inspection->out->batches++;
    if (frame->part == 0)
        inspection->has_open_end = false; /* a batch that was never completed says nothing */
    for (const struct record *record; (record = scan_record(scan, &at)) != NULL;)
        inspect_record(inspection, scan, file, segment, record);
    if (!inspection->has_open_end || (frame->flags & FRAME_MORE) != 0)
        return;
    inspection->history_end = inspection->open_end;
    inspection->has_history_end = true;
    inspection->has_open_end = false;
}

/* ---- one segment ---- */

struct ending {
    bool any, sealed, clean;
    uint64_t last; /* batch */
    bool more;
};

static void check_order(struct inspection *inspection, const struct scan *scan, const char *file,
                        const struct ending *ending)
{
    const struct frame *frame = &scan->frame;
    if (ending->sealed)
        finding(inspection, true, file, scan->offset, "a frame behind the seal");
    if (!ending->any || frame->records == 0)
        return;
    if (frame->first != ending->last + 1 && !(ending->more && frame->first == ending->last))
        finding(inspection, true, file, scan->offset, "a frame does not follow the one before it");
}

static void note_frame(struct ending *ending, const struct frame *frame)
{
    ending->sealed = (frame->flags & FRAME_SEAL) != 0;
    ending->clean = (frame->flags & FRAME_CLEAN) != 0;
    if (frame->records == 0)
        return;
    ending->any = true;
    ending->last = frame->last;
    ending->more = (frame->flags & FRAME_MORE) != 0;
}

/* Reads up to the last valid frame. */
static enum err inspect_frames(struct inspection *inspection, struct segment *segment, const char *file,
                               uint64_t limit, struct ending *ending)
{
    struct scan scan;
    enum err err;
    scan_begin(&scan, inspection->io, segment->file, segment->seed, SEGMENT_HEADER_BYTES, limit);
    for (;;) {
        err = scan_next(&scan);
        if (err == ERR_NONE) {
            if (segment->type == SEGMENT_DATA)
                check_order(inspection, &scan, file, ending);
            inspect_frame(inspection, &scan, file, segment);
            note_frame(ending, &scan.frame);
            if (ending->sealed && segment->type == SEGMENT_DATA)
                break;
            continue;
        }
        if (err != ERR_NOT_FOUND)
            break;
        uint64_t found = 0;
        bool header = frame_is_valid(&scan.frame, segment->seed) && scan.offset + FRAME_HEADER_BYTES <= limit;
        err = scan_successor(&scan, &found);
        if (err == ERR_NOT_FOUND && header && segment->type == SEGMENT_DATA) {
            inspection->out->torn_bytes += FRAME_HEADER_BYTES + scan.frame.payload_bytes;
            finding(inspection, false, file, scan.offset, "a torn frame, which the next start writes over");
        }
        if (err != ERR_NONE)
            break;
        finding(inspection, true, file, scan.offset, "unreadable frame");
        ending->any = false; /* its batches are missing from here to the next frame */
        scan.next = found;
    }
    atomic_store(&segment->end, scan.offset);
    inspection->out->bytes += scan.offset;
    int error = scan.error;
    scan_end(&scan);
    if (err == ERR_IO)
        return cant_read(inspection, file, error);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static void inspect_header(struct inspection *inspection, const struct segment *segment, const char *file,
                           const struct segment_header *header)
{
    if (segment_header_check(header, inspection->id, segment->type, segment->number) != ERR_NONE)
        finding(inspection, true, file, 0, "unreadable header");
    else if (segment->type == SEGMENT_DATA && header->bytes != segment->bytes)
        finding(inspection, true, file, segment->bytes, "the file has not its full length");
}

static enum err inspect_data(struct inspection *inspection, struct segment *segment, const char *file,
                             const struct segment_header *header)
{
    struct ending ending = {0};
    inspect_header(inspection, segment, file, header);
    enum err err = inspect_frames(inspection, segment, file, segment->bytes, &ending);
    if (err != ERR_NONE)
        return err;
    bool used = ending.any || ending.sealed || ending.clean;
    if (inspection->ended && used)
        finding(inspection, true, file, SEGMENT_HEADER_BYTES, "frames, but the segment before it has no seal");
    if (!ending.sealed)
        inspection->ended = true;
    return ERR_NONE;
}

static enum err inspect_history(struct inspection *inspection, struct segment *segment, const char *file,
                                const struct segment_header *header)
{
    const struct history_end *last = &inspection->history_end;
    bool is_last = segment->number == last->number;
    if (!inspection->has_history_end || segment->number > last->number || (is_last && last->end == 0))
        return finding(inspection, false, file, 0,
                       "left over from an interrupted cleaning, the next start removes it");
    struct ending ending = {0};
    inspect_header(inspection, segment, file, header);
    inspection->has_last_history |= is_last;
    uint64_t limit = is_last && last->end < segment->bytes ? last->end : segment->bytes;
    if (is_last && last->end > segment->bytes)
        finding(inspection, true, file, segment->bytes, "the file has not its full length");
    enum err err = inspect_frames(inspection, segment, file, limit, &ending);
    if (err == ERR_NONE && atomic_load(&segment->end) != limit)
        finding(inspection, true, file, atomic_load(&segment->end), "unreadable frame");
    return err;
}

static enum err inspect_segment(struct inspection *inspection, const struct folder_file *found)
{
    const struct store_io *io = inspection->io;
    char path[PATH_BYTES_MAX];
    struct segment_header header = {0};
    file_path(path, inspection->folder, found->name);
    int file = io->open_read(io->self, path);
    if (file < 0)
        return cant_read(inspection, found->name, file);
    int64_t bytes = io->size(io->self, file);
    int error = bytes < 0 ? (int)bytes : file_read(io, file, &header, sizeof header, 0);
    enum err err = ERR_NONE;
    if (error != 0 && error != -ENODATA) {
        err = cant_read(inspection, found->name, error);
    } else {
        struct segment segment = {.type = found->type,
                                  .number = found->number,
                                  .seed = segment_seed(inspection->id, found->type, found->number),
                                  .bytes = (uint64_t)bytes,
                                  .file = file};
        inspection->out->segments++;
        err = found->type == SEGMENT_DATA ? inspect_data(inspection, &segment, found->name, &header)
                                          : inspect_history(inspection, &segment, found->name, &header);
    }
    io->close(io->self, file);
    return err;
}

static void inspect_index(struct inspection *inspection, const struct folder_file *found)
{
    struct heads heads;
    uint64_t bytes;
    enum err err =
        index_read(inspection->io, inspection->folder, inspection->id, found->type, found->number, &heads, &bytes);
    if (err == ERR_NONE)
        heads_free(&heads);
    if (err != ERR_NONE ||
        !index_lists_are_good(inspection->io, inspection->folder, inspection->id, found->type, found->number))
        finding(inspection, false, found->name, 0, "an index file that is not good, and will be made anew");
}

/* ---- all ---- */

static void find_missing_history(struct inspection *inspection)
{
    const struct history_end *last = &inspection->history_end;
    char file[sizeof "hist-0123456789abcdef.seg"];
    if (!inspection->has_history_end || last->end == 0 || inspection->has_last_history)
        return;
    snprintf(file, sizeof file, "hist-%016" PRIx64 ".seg", last->number);
    finding(inspection, true, file, 0, "the file is missing");
}

static enum err inspect_all(struct inspection *inspection)
{
    struct folder_list list;
    enum err err = folder_list(inspection->io, inspection->folder, &list, inspection->problem);
    for (size_t i = 0; i < list.count && err == ERR_NONE; i++) {
        if (list.at[i].kind == FILE_SEGMENT)
            err = inspect_segment(inspection, &list.at[i]);
        else if (list.at[i].kind == FILE_INDEX)
            inspect_index(inspection, &list.at[i]);
    }
    free(list.at);
    if (err == ERR_NONE)
        find_missing_history(inspection);
    return err;
}

enum err store_inspect(const char *path, const struct store_kind *kinds, struct store_check *out,
                       bool (*dump)(void *self, const struct store_record *record), void *self, FILE *report,
                       struct store_problem *problem)
{
    struct inspection inspection = {.io = &store_io_real,
                                    .folder = path,
                                    .out = out,
                                    .dump = dump,
                                    .self = self,
                                    .dumping = dump != NULL,
                                    .report = report,
                                    .problem = problem};
    int lock_file;
    *out = (struct store_check){0};
    problem->text[0] = '\0';
    enum err err = folder_read(inspection.io, path, &inspection.id, problem);
    if (err == ERR_NONE)
        err = folder_lock(inspection.io, path, true, &lock_file, problem);
    if (err != ERR_NONE)
        return err;
    err = inspect_all(&inspection);
    inspection.io->close(inspection.io->self, lock_file);
    if (err != ERR_NONE)
        return err;
    return out->damaged > 0 ? ERR_DAMAGED : ERR_NONE;
}
