/* pass.c — going over everything that is durable, the helper's work: each record is shown, and where one is to be
 * overwritten its segment's file is written anew, with every record at the place where it was.
 *
 *   wait     what is due to be cleaned is cleaned first, or passes that follow each other would keep the store from
 * it; then nothing is before the pass is over: a record that moves could slip from where nobody has looked yet to
 * where nobody looks again files    (a pass that writes) spare files are given up, and the one that is used next
 * holds nothing but zeros seal     (likewise) the segment in use is left for that one: what was durable before lies
 * in full segments read     segment after segment: shown, written to a file of its own, which then takes the place of
 * the old one
 *
 * Killed at any moment it leaves each segment's file as it was, or whole as it is to be; begun again it does the same
 * again. When a pass that wrote is over, what was overwritten is in no file of the store: neither in a segment, nor
 * behind its end, nor in a spare one, nor in an index file. */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#define WIPE_STEP_BYTES (64u * 1024)

/* ---- one record ---- */

/* Its sections' bytes become one that says nothing: JSON all the same, for whoever shows it. */
static void blank(struct record *record)
{
    static const char nothing[] = "null";
    uint8_t *to = (uint8_t *)record + RECORD_HEADER_BYTES + record->head_bytes;
    size_t bytes = record->bytes - RECORD_HEADER_BYTES - record->head_bytes;
    memset(record->section_bytes, 0, sizeof record->section_bytes);
    memset(to, ' ', bytes);
    if (bytes >= sizeof nothing - 1)
        memcpy(to, nothing, sizeof nothing - 1);
    else if (bytes > 0)
        *to = '0';
}

/* True: it is another one now. */
static bool show(struct store *store, const struct segment *segment, const struct scan *scan, struct record *record)
{
    const struct store_pass *ask = &store->pass.ask;
    struct store_record shown;
    uint8_t *sections[STORE_SECTIONS];
    if (record->kind >= STORE_KINDS_MAX)
        return false;
    record_show(&shown, record, segment_place(segment, scan_record_offset(scan, record)));
    uint8_t *at = (uint8_t *)record + RECORD_HEADER_BYTES + record->head_bytes;
    for (unsigned i = 0; i < STORE_SECTIONS; i++) {
        sections[i] = at;
        at += shown.sections[i].bytes;
    }
    enum store_passed passed = ask->visit(ask->self, &shown, (uint8_t *)record + RECORD_HEADER_BYTES, sections);
    if (passed == STORE_PASSED_BLANK)
        blank(record);
    if (passed == STORE_PASSED_AS_IT_IS)
        return false;
    record_seal(record, segment->seed);
    return true;
}

static uint32_t show_frame(struct store *store, const struct segment *segment, const struct scan *scan)
{
    uint32_t changed = 0;
    size_t at = 0;
    for (struct record *record; (record = scan_record(scan, &at)) != NULL;)
        changed += show(store, segment, scan, record);
    return changed;
}

/* ---- one segment ---- */

/* Each frame is shown and, if there is a file for it, written where it was. */
static int go_through(struct store *store, const struct segment *segment, int file, uint32_t *changed)
{
    struct scan scan;
    enum err err = ERR_NONE;
    int error = 0;
    uint64_t end = atomic_load(&segment->end);
    *changed = 0;
    scan_begin(&scan, store->io, segment->file, segment->seed, SEGMENT_HEADER_BYTES, end);
    while (error == 0 && (err = scan_next(&scan)) == ERR_NONE) {
        struct frame frame = scan.frame;
        uint32_t now = show_frame(store, segment, &scan);
        *changed += now;
        if (file < 0)
            continue;
        if (now > 0) {
            frame.payload_check = XXH3_64bits_withSeed(scan.payload, frame.payload_bytes, segment->seed);
            frame_seal(&frame, segment->seed);
        }
        struct iovec parts[] = {{&frame, sizeof frame}, {scan.payload, frame.payload_bytes}};
        error = file_write_parts(store->io, file, parts, 2, scan.offset);
    }
    if (error == 0 && (err != ERR_NOT_FOUND || scan.offset != end))
        error = err == ERR_NO_MEMORY ? -ENOMEM : err == ERR_IO ? scan.error : -EIO;
    scan_end(&scan);
    return error;
}

/* What lies behind the last frame means nothing, but may be what an earlier use of the file left there. */
static int wipe_behind(struct store *store, int file, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[WIPE_STEP_BYTES];
    uint8_t bytes[WIPE_STEP_BYTES];
    for (uint64_t at = from; at < to; at += sizeof bytes) {
        size_t step = to - at < sizeof bytes ? (size_t)(to - at) : sizeof bytes;
        int error = file_read(store->io, file, bytes, step, at);
        if (error == 0 && memcmp(bytes, zeros, step) == 0)
            continue;
        if (error == 0)
            error = file_write_zeros(store->io, file, at, to);
        return error == 0 ? store->io->sync(store->io->self, file) : error;
    }
    return 0;
}

/* A history file ends with what counts, but for what an interrupted cleaning left in it. */
static int cut_behind(struct store *store, int file, uint64_t end)
{
    int64_t bytes = store->io->size(store->io->self, file);
    if (bytes < 0 || (uint64_t)bytes <= end)
        return bytes < 0 ? (int)bytes : 0;
    int error = store->io->truncate(store->io->self, file, end);
    return error == 0 ? store->io->sync(store->io->self, file) : error;
}

static void new_path(const struct store *store, const struct segment *segment, char out[PATH_BYTES_MAX])
{
    segment_path(out, store->folder, segment->type, segment->number);
    assert(strlen(out) + sizeof ".tmp" <= PATH_BYTES_MAX);
    memcpy(out + strlen(out), ".tmp", sizeof ".tmp");
}

static int fill_new(struct store *store, const struct segment *segment, int file)
{
    const struct store_io *io = store->io;
    uint8_t header[SEGMENT_HEADER_BYTES];
    uint32_t changed;
    uint64_t end = atomic_load(&segment->end);
    uint64_t bytes = segment->type == SEGMENT_DATA ? segment->bytes : end;
    int error = io->truncate(io->self, file, 0);
    if (error == 0)
        error = io->reserve(io->self, file, bytes);
    if (error == 0)
        error = file_read(io, segment->file, header, sizeof header, 0);
    if (error == 0)
        error = file_write(io, file, header, sizeof header, 0);
    if (error == 0)
        error = go_through(store, segment, file, &changed);
    if (error == 0)
        error = file_write_zeros(io, file, end, bytes); /* blocks that exist: the file may become a spare one */
    return error == 0 ? io->sync(io->self, file) : error;
}

static int write_new(struct store *store, const struct segment *segment)
{
    const struct store_io *io = store->io;
    char path[PATH_BYTES_MAX];
    new_path(store, segment, path);
    int file = io->open(io->self, path, true);
    if (file < 0)
        return file;
    int error = fill_new(store, segment, file);
    if (error == 0) {
        store->pass.file = file;
        return 0;
    }
    io->close(io->self, file);
    io->unlink(io->self, path);
    return error;
}

/* It has heads of what was: a new one is made of the new file. */
static int remove_index(struct store *store, const struct segment *segment)
{
    char path[PATH_BYTES_MAX];
    index_path(path, store->folder, segment->type, segment->number);
    int error = segment->index_bytes > 0 ? store->io->unlink(store->io->self, path) : 0;
    return error == -ENOENT ? 0 : error;
}

static int take_place(struct store *store, const struct segment *segment)
{
    const struct store_io *io = store->io;
    char path[PATH_BYTES_MAX];
    char from[PATH_BYTES_MAX];
    if (segment->index_bytes > 0) {
        int error = sync_names(store); /* never an old index file beside a new segment */
        if (error != 0)
            return error;
    }
    new_path(store, segment, from);
    segment_path(path, store->folder, segment->type, segment->number);
    int error = io->rename(io->self, from, path);
    return error == 0 ? sync_names(store) : error;
}

/* ---- the steps; the lock is held, and let go of meanwhile ---- */

static void end_pass(struct store *store, int error)
{
    struct pass *pass = &store->pass;
    if (pass->segment != NULL)
        pass->segment->refs--;
    pass->segment = NULL;
    pass->step = PASS_OVER;
    pass->state.error = error;
    store->cleaning.look = true;
    store_wake(store);
}

static bool go_on(struct store *store, int error, enum pass_step next)
{
    if (error != 0)
        end_pass(store, error);
    else
        store->pass.step = next;
    return true;
}

static bool make_files_clean(struct store *store)
{
    int error = 0;
    while (spare_drop(store))
        ;
    if (store->spare_count > 0) {
        end_pass(store, -EIO);
        return true;
    }
    struct segment *ready = store->ready;
    store->ready = NULL;
    pthread_mutex_unlock(&store->lock);
    error = store->io->sync_dir(store->io->self, store->folder); /* the spare ones are gone for good */
    if (ready != NULL && error == 0)
        error = wipe_behind(store, ready->file, SEGMENT_HEADER_BYTES, ready->bytes);
    pthread_mutex_lock(&store->lock);
    store->ready = ready;
    pthread_cond_signal(&store->commit_wake);
    return go_on(store, error, PASS_ASK_SEAL);
}

/* Not while the next segment would have to be waited for. */
static bool ask_seal(struct store *store)
{
    struct pass *pass = &store->pass;
    if (store->no_room != 0 || atomic_load(&store->full)) {
        end_pass(store, -ENOSPC);
        return true;
    }
    if (store->ready == NULL)
        return false;
    if (atomic_load(&store->active->end) == SEGMENT_HEADER_BYTES) { /* whatever is written next will do */
        end_pass(store, -EAGAIN);
        return true;
    }
    pass->through = store->active->number;
    store->seal_wanted = true;
    pass->step = PASS_SEAL;
    pthread_cond_signal(&store->commit_wake);
    return true;
}

static bool is_meant(const struct store *store, const struct segment *segment)
{
    const struct pass *pass = &store->pass;
    if (segment->state == SEGMENT_READY || segment->state == SEGMENT_RETIRED)
        return false;
    if (segment->type == SEGMENT_HISTORY)
        return true;
    return !pass->ask.writes || segment->number <= pass->through;
}

/* The first one behind the last that was looked at; NULL: that was all. */
static struct segment *next_of(const struct store *store, const struct segments *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i]->number > store->pass.last && is_meant(store, list->at[i]))
            return list->at[i];
    return NULL;
}

static struct segment *next_segment(struct store *store)
{
    struct pass *pass = &store->pass;
    struct segment *next = pass->history ? NULL : next_of(store, &store->data);
    if (next == NULL && !pass->history) {
        pass->history = true;
        pass->last = 0;
    }
    return next != NULL ? next : next_of(store, &store->history);
}

static void count_bytes(struct store *store)
{
    struct pass *pass = &store->pass;
    const struct segments *lists[] = {&store->data, &store->history};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (is_meant(store, lists[l]->at[i]))
                pass->state.bytes_total += atomic_load(&lists[l]->at[i]->end);
}

static bool look_at_next(struct store *store)
{
    struct pass *pass = &store->pass;
    struct segment *segment = next_segment(store);
    uint32_t changed = 0;
    if (store->no_room != 0 ||
        atomic_load(&store->full)) { /* nothing is cleaned meanwhile, and only that makes room */
        end_pass(store, -ENOSPC);
        return true;
    }
    if (pass->state.bytes_total == 0)
        count_bytes(store);
    if (segment == NULL) {
        end_pass(store, 0);
        return true;
    }
    segment->refs++;
    pass->segment = segment;
    pthread_mutex_unlock(&store->lock);
    int error = go_through(store, segment, -1, &changed);
    if (error == 0 && pass->ask.writes && changed > 0)
        error = write_new(store, segment);
    else if (error == 0 && pass->ask.writes && segment->type == SEGMENT_DATA)
        error = wipe_behind(store, segment->file, atomic_load(&segment->end), segment->bytes);
    else if (error == 0 && pass->ask.writes)
        error = cut_behind(store, segment->file, atomic_load(&segment->end));
    pthread_mutex_lock(&store->lock);
    pass->state.records += changed;
    pass->written = pass->ask.writes && changed > 0;
    return go_on(store, error, PASS_TAKE_PLACE);
}

static void segment_done(struct store *store)
{
    struct pass *pass = &store->pass;
    pass->state.bytes_done += atomic_load(&pass->segment->end);
    pass->last = pass->segment->number;
    pass->segment->refs--;
    pass->segment = NULL;
    pass->step = PASS_READ;
    store_wake(store);
}

/* The disk had no room for the name, or keeps the index file: the old file stays. */
static void drop_new(struct store *store)
{
    struct pass *pass = &store->pass;
    char path[PATH_BYTES_MAX];
    new_path(store, pass->segment, path);
    store->io->close(store->io->self, pass->file);
    store->io->unlink(store->io->self, path);
    pass->file = -1;
}

/* As soon as no backup is being made. False: that ended the pass. */
static bool give_name(struct store *store)
{
    struct pass *pass = &store->pass;
    struct segment *segment = pass->segment;
    int claim = -1;
    pthread_mutex_unlock(&store->lock);
    bool claimed = folder_claim(store->io, store->folder, &claim);
    int error = claimed ? remove_index(store, segment) : 0;
    bool stays = !claimed || error != 0;
    if (!stays)
        error = take_place(store, segment);
    if (claimed)
        store->io->close(store->io->self, claim);
    if (is_no_room(error) || (stays && error != 0))
        drop_new(store);
    else if (error != 0)
        store_fail(store, "%s: giving segment %llx its new file: %s", store->folder,
                   (unsigned long long)segment->number, strerror(-error));
    pthread_mutex_lock(&store->lock);
    store->pinned = !claimed;
    segment->index_bytes = stays ? segment->index_bytes : 0;
    pass->named = claimed;
    if (error != 0)
        end_pass(store, error);
    return error == 0;
}

/* Under its name, then in memory, as soon as nobody reads the old one. */
static bool put_in_place(struct store *store)
{
    struct pass *pass = &store->pass;
    struct segment *segment = pass->segment;
    int old = segment->file;
    if (!pass->written) {
        segment_done(store);
        return true;
    }
    if (!pass->named && !give_name(store))
        return true;
    store->pinned = !pass->named || segment->refs > 1; /* looked at again soon */
    if (store->pinned)
        return false;
    segment->file = pass->file;
    pass->file = -1;
    pass->named = false;
    segment->index_failed = false;
    segment->bytes = segment->type == SEGMENT_DATA ? segment->bytes : atomic_load(&segment->end);
    search_cache_free(store, segment);
    segment_done(store);
    pthread_mutex_unlock(&store->lock);
    store->io->close(store->io->self, old);
    pthread_mutex_lock(&store->lock);
    return true;
}

bool pass_help(struct store *store)
{
    struct pass *pass = &store->pass;
    switch (pass->step) {
    case PASS_WAIT:
        if (store->cleaning.turn != CLEAN_IDLE || (pass->cleanings > 0 && store->cleaning.look))
            return false;
        pass->step = pass->ask.writes ? PASS_FILES : PASS_READ;
        return true;
    case PASS_FILES:
        return make_files_clean(store);
    case PASS_ASK_SEAL:
        return ask_seal(store);
    case PASS_SEAL:
        if (store->seal_wanted)
            return false;
        pass->step = PASS_READ;
        return true;
    case PASS_READ:
        return look_at_next(store);
    case PASS_TAKE_PLACE:
        return put_in_place(store);
    case PASS_NONE:
    case PASS_OVER:
        break;
    }
    return false;
}

bool pass_is_on(const struct store *store)
{
    return store->pass.step != PASS_NONE && store->pass.step != PASS_OVER;
}

void pass_free(struct store *store)
{
    if (store->pass.file >= 0)
        store->io->close(store->io->self, store->pass.file);
    store->pass.file = -1;
}

/* ---- the owner's side ---- */

enum err store_pass_begin(struct store *store, const struct store_pass *ask)
{
    pthread_mutex_lock(&store->lock);
    bool busy = pass_is_on(store);
    if (!busy) {
        store->pass = (struct pass){.ask = *ask, .step = PASS_WAIT, .file = -1};
        store->pass.cleanings = store->data.count + store->history.count + 1; /* each once, and not for ever */
        store->cleaning.look = true;
        store_wake(store);
    }
    pthread_mutex_unlock(&store->lock);
    return busy ? ERR_BUSY : ERR_NONE;
}

void store_pass_state(const struct store *store, struct store_pass_state *out)
{
    struct store *locked = (struct store *)(uintptr_t)store;
    pthread_mutex_lock(&locked->lock);
    *out = locked->pass.state;
    out->on = pass_is_on(locked);
    pthread_mutex_unlock(&locked->lock);
}
