/* backup.c — see backup.h.
 *
 * Why the copy is whole: a broker that dies at any moment leaves a folder that can be started from, and this is one,
 * as if it had died when the last data segment was read. Segments are read in their order, the one being written
 * last, up to its last whole frame; history behind the data, which says how far the history counts, and nothing of
 * that is dropped meanwhile. */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "journal.h"

#define COPY_BYTES    (1024u * 1024)
#define CLAIM_TRIES   500 /* a cleaner holds it for a moment */
#define CLAIM_WAIT_MS 10
#define ROOM_SEGMENTS                                                                                                \
    4 /* left on the store's disk: beyond the reserve, so that nobody is refused for the backup's sake */

struct backup {
    const struct store_io *io;
    const char *from, *to;
    struct store_id id;
    uint64_t segment_bytes; /* of the data segment that was looked at last */
    bool (*copied)(void *self, const struct backup_file *file);
    void *self;
    struct backup_taken *out;
    struct store_problem *problem;
};

static enum err fail(struct store_problem *problem, const char *folder, const char *name, int error)
{
    return problem_say(problem, ERR_IO, "%s/%s: %s", folder, name, strerror(-error));
}

/* ---- one file ---- */

static int copy_bytes(const struct store_io *io, int in, int out, uint64_t limit, struct backup_file *file)
{
    XXH3_state_t *state = XXH3_createState();
    uint8_t *buffer = malloc(COPY_BYTES);
    uint64_t at = 0;
    int64_t got = state == NULL || buffer == NULL ? -ENOMEM : 1;
    if (got > 0)
        XXH3_128bits_reset(state);
    while (got > 0 && at < limit) {
        got = io->pread(io->self, in, buffer, limit - at < COPY_BYTES ? (size_t)(limit - at) : COPY_BYTES, at);
        if (got <= 0)
            break;
        XXH3_128bits_update(state, buffer, (size_t)got);
        int error = file_write(io, out, buffer, (size_t)got, at);
        at += (uint64_t)got;
        if (error != 0)
            got = error;
    }
    if (got >= 0) {
        XXH128_hash_t hash = XXH3_128bits_digest(state);
        snprintf(file->hash, sizeof file->hash, "%016llx%016llx", (unsigned long long)hash.high64,
                 (unsigned long long)hash.low64);
        file->bytes = at;
    }
    XXH3_freeState(state);
    free(buffer);
    return got < 0 ? (int)got : 0;
}

/* `limit` bytes of it at most; the copy has file->size bytes, all on the disk. */
static int copy_file(const struct store_io *io, int in, const char *to, uint64_t limit, bool room,
                     struct backup_file *file)
{
    char path[PATH_BYTES_MAX];
    file_path(path, to, file->name);
    int out = io->open(io->self, path, true);
    if (out < 0)
        return out;
    int error = copy_bytes(io, in, out, limit, file);
    if (error == 0 && file->size < file->bytes)
        file->size = file->bytes;
    if (error == 0)
        error = io->truncate(io->self, out, file->size);
    if (error == 0 && room && file->size > 0)
        error = io->reserve(io->self, out, file->size);
    if (error == 0)
        error = fsync(out) < 0 ? -errno : 0;
    io->close(io->self, out);
    return error;
}

static enum err backup_copied(struct backup *backup, const struct backup_file *file)
{
    backup->out->files++;
    backup->out->bytes += file->bytes;
    return backup->copied(backup->self, file) ? ERR_NONE
                                              : problem_say(backup->problem, ERR_IO, "%s: stopped", backup->to);
}

/* A whole small file; `needed` false: it need not be there. */
static enum err take_file(struct backup *backup, const char *name, bool needed)
{
    struct backup_file file = {0};
    char path[PATH_BYTES_MAX];
    snprintf(file.name, sizeof file.name, "%s", name);
    file_path(path, backup->from, name);
    int in = backup->io->open_read(backup->io->self, path);
    if (in == -ENOENT && !needed)
        return ERR_NONE;
    int error = in < 0 ? in : copy_file(backup->io, in, backup->to, UINT64_MAX, false, &file);
    if (in >= 0)
        backup->io->close(backup->io->self, in);
    return error == 0 ? backup_copied(backup, &file) : fail(backup->problem, backup->from, name, error);
}

/* ---- segments ---- */

/* The first segment of that type behind `last`. */
static bool next_of(const struct folder_list *list, enum segment_type type, uint64_t last, struct folder_file *out)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].kind != FILE_SEGMENT || list->at[i].type != type || list->at[i].number <= last)
            continue;
        *out = list->at[i];
        return true;
    }
    return false;
}

/* The header of its first frame is there. ERR_NOT_FOUND: it is empty. */
static enum err has_frames(struct backup *backup, const struct folder_file *found)
{
    const struct store_io *io = backup->io;
    struct frame frame = {0};
    char path[PATH_BYTES_MAX];
    file_path(path, backup->from, found->name);
    int file = io->open_read(io->self, path);
    int error = file < 0 ? file : file_read(io, file, &frame, sizeof frame, SEGMENT_HEADER_BYTES);
    if (file >= 0)
        io->close(io->self, file);
    if (error != 0 && error != -ENODATA)
        return ERR_IO;
    return frame_is_valid(&frame, segment_seed(backup->id, SEGMENT_DATA, found->number)) ? ERR_NONE : ERR_NOT_FOUND;
}

/* Does anything lie behind the place at which the scan of `found` has ended? ERR_NOT_FOUND: nothing does. */
static enum err look_behind(struct backup *backup, const struct folder_file *found, struct scan *scan)
{
    uint64_t at;
    struct folder_list list;
    struct folder_file next;
    enum err err = scan_successor(scan, &at);
    if (err != ERR_NOT_FOUND)
        return err;
    err = folder_list(backup->io, backup->from, &list, backup->problem);
    if (err != ERR_NONE)
        return err;
    bool there = next_of(&list, SEGMENT_DATA, found->number, &next);
    free(list.at);
    return there ? has_frames(backup, &next) : ERR_NOT_FOUND;
}

/* ERR_NOT_FOUND: the journal ends here; ERR_DAMAGED: it does not, but cannot be read. Each frame is on the disk before
 * the next one is written: what has something behind it is whole by then, if it was not when it was read. */
static enum err next_frame(struct backup *backup, const struct folder_file *found, struct scan *scan)
{
    enum err err = scan_next(scan);
    if (err != ERR_NOT_FOUND)
        return err;
    err = look_behind(backup, found, scan);
    if (err != ERR_NONE)
        return err;
    err = scan_again(scan);
    return err == ERR_NOT_FOUND ? ERR_DAMAGED : err;
}

/* Up to where a data segment has whole frames, and whether the next one goes on. */
static enum err find_end(struct backup *backup, const struct folder_file *found, int in, uint64_t size, uint64_t *end,
                         bool *sealed)
{
    struct scan scan;
    enum err err = ERR_NONE;
    *sealed = false;
    scan_begin(&scan, backup->io, in, segment_seed(backup->id, SEGMENT_DATA, found->number), SEGMENT_HEADER_BYTES,
               size);
    while (!*sealed && (err = next_frame(backup, found, &scan)) == ERR_NONE) {
        *sealed = (scan.frame.flags & FRAME_SEAL) != 0;
        if (scan.frame.records > 0)
            backup->out->last_batch = scan.frame.last;
        *end = scan.next;
    }
    if (err == ERR_DAMAGED)
        problem_say(backup->problem, err,
                    "%s/%s: damaged at offset %llu: what comes after it would be missing. "
                    "`linewardctl store check` lists all damage, once the broker has stopped",
                    backup->from, found->name, (unsigned long long)scan.offset);
    else if (err != ERR_NONE && err != ERR_NOT_FOUND)
        problem_say(backup->problem, err, "%s/%s: can't be read", backup->from, found->name);
    scan_end(&scan);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err take_segment(struct backup *backup, const struct folder_file *found, bool *sealed)
{
    const struct store_io *io = backup->io;
    struct backup_file file = {0};
    char path[PATH_BYTES_MAX];
    file_path(path, backup->from, found->name);
    snprintf(file.name, sizeof file.name, "%s", found->name);
    int in = io->open_read(io->self, path);
    if (in == -ENOENT && found->type == SEGMENT_HISTORY)
        return ERR_NONE; /* begun and given up: it never counted */
    if (in < 0)
        return fail(backup->problem, backup->from, found->name, in);
    int64_t size = io->size(io->self, in);
    uint64_t end = found->type == SEGMENT_DATA ? SEGMENT_HEADER_BYTES : (uint64_t)size;
    enum err err = ERR_NONE;
    if (found->type == SEGMENT_DATA) {
        backup->out->taken_ms = clock_read().wall_ms;
        err = find_end(backup, found, in, (uint64_t)size, &end, sealed);
    }
    file.size = (uint64_t)size;
    int error = size < 0 ? (int)size : 0;
    if (err == ERR_NONE && error == 0)
        error = copy_file(io, in, backup->to, end, false, &file);
    io->close(io->self, in);
    if (err != ERR_NONE)
        return err;
    return error == 0 ? backup_copied(backup, &file) : fail(backup->problem, backup->from, found->name, error);
}

static uint64_t size_of(const struct backup *backup, const struct folder_file *found)
{
    char path[PATH_BYTES_MAX];
    file_path(path, backup->from, found->name);
    int file = backup->io->open_read(backup->io->self, path);
    int64_t size = file < 0 ? 0 : backup->io->size(backup->io->self, file);
    if (file >= 0)
        backup->io->close(backup->io->self, file);
    return size > 0 ? (uint64_t)size : 0;
}

/* The broker can't clean meanwhile, while history is copied either: it must not run out of room for that. */
static enum err leave_room(struct backup *backup, const struct folder_file *found)
{
    struct statvfs disk;
    if (found->type == SEGMENT_DATA)
        backup->segment_bytes = size_of(backup, found);
    if (statvfs(backup->from, &disk) != 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_SEGMENTS * backup->segment_bytes)
        return ERR_NONE;
    return problem_say(backup->problem, ERR_FULL, "%s: given up: the broker needs the room that is left on its disk",
                       backup->from);
}

/* In order of their numbers, which begin with 1; listed anew each time, for the broker goes on to new ones. */
static enum err take_segments(struct backup *backup, enum segment_type type)
{
    struct folder_file found = {.number = 0};
    bool more = true;
    while (more) {
        struct folder_list list;
        enum err err = folder_list(backup->io, backup->from, &list, backup->problem);
        if (err != ERR_NONE)
            return err;
        bool there = next_of(&list, type, found.number, &found);
        free(list.at);
        if (!there)
            return ERR_NONE;
        err = leave_room(backup, &found);
        if (err == ERR_NONE)
            err = take_segment(backup, &found, &more);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

/* ---- all ---- */

static enum err claim(struct backup *backup, int *file)
{
    char path[PATH_BYTES_MAX];
    file_path(path, backup->from, "store");
    *file = backup->io->open_read(backup->io->self, path);
    if (*file < 0)
        return fail(backup->problem, backup->from, "store", *file);
    for (int i = 0; i < CLAIM_TRIES; i++) {
        if (flock(*file, LOCK_SH | LOCK_NB) == 0)
            return ERR_NONE;
        if (errno != EWOULDBLOCK)
            break;
        const struct timespec moment = {.tv_nsec = CLAIM_WAIT_MS * 1000000L};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    }
    return fail(backup->problem, backup->from, "store", -errno);
}

enum err store_backup(const char *from, const char *to, bool (*copied)(void *self, const struct backup_file *file),
                      void *self, struct backup_taken *out, struct store_problem *problem)
{
    struct backup backup = {&store_io_real, from, to, {{0, 0}}, 0, copied, self, out, problem};
    int file = -1;
    *out = (struct backup_taken){0};
    problem->text[0] = '\0';
    enum err err = folder_read(backup.io, from, &backup.id, problem);
    if (err == ERR_NONE)
        err = claim(&backup, &file);
    if (err == ERR_NONE)
        err = take_file(&backup, BACKUP_MARKER, false); /* before the data: a broker that starts meanwhile removes it */
    if (err == ERR_NONE)
        err = take_segments(&backup, SEGMENT_DATA);
    if (err == ERR_NONE)
        err = take_segments(&backup, SEGMENT_HISTORY);
    if (err == ERR_NONE)
        err = take_file(&backup, "identity", true);
    if (err == ERR_NONE)
        err = take_file(&backup, "store", true);
    int error = err == ERR_NONE ? backup.io->sync_dir(backup.io->self, to) : 0;
    if (error != 0)
        err = fail(problem, to, "", error);
    if (file >= 0)
        backup.io->close(backup.io->self, file);
    return err;
}

bool backup_name_is_good(const char *name)
{
    enum segment_type type;
    uint64_t number;
    return strlen(name) < sizeof((struct backup_file *)0)->name &&
           (strcmp(name, "store") == 0 || strcmp(name, "identity") == 0 || strcmp(name, BACKUP_MARKER) == 0 ||
            file_kind(name, &type, &number) == FILE_SEGMENT);
}

enum err backup_file_restore(const char *from, const char *to, const struct backup_file *file,
                             struct store_problem *problem)
{
    const struct store_io *io = &store_io_real;
    struct backup_file copy = *file;
    char path[PATH_BYTES_MAX];
    file_path(path, from, file->name);
    int in = io->open_read(io->self, path);
    if (in < 0)
        return fail(problem, from, file->name, in);
    int error = copy_file(io, in, to, file->bytes, true, &copy);
    io->close(io->self, in);
    if (error != 0)
        return fail(problem, to, file->name, error);
    if (copy.bytes != file->bytes || strcmp(copy.hash, file->hash) != 0)
        return problem_say(problem, ERR_DAMAGED, "%s/%s: its content is not what was backed up", from, file->name);
    return ERR_NONE;
}
