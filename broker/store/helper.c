/* helper.c — the helper thread: keeps the reserve of prepared segments, writes index files of sealed ones, and looks
 * once at those that it found. */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILL_STEP_BYTES (4u * 1024 * 1024)
#define RETRY_MS        250 /* between tries to get a segment while the disk is full */

/* Descriptors come back as disk space does: when others let go of them. */
bool is_no_room(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EMFILE || error == -ENFILE;
}

/* ---- getting segments ---- */

/* Blocks that were reserved but never written cost each sync a change of the file's map: so zeros are written once.
 */
static int spare_fill(struct store *store, int file)
{
    int error = store->io->reserve(store->io->self, file, store->segment_bytes);
    if (error == 0)
        error = file_write_zeros(store->io, file, 0, store->segment_bytes);
    if (error == 0)
        error = store->io->sync(store->io->self, file);
    return error;
}

/* Makes a new file. */
static int spare_new(struct store *store, struct spare *out)
{
    char path[PATH_BYTES_MAX];
    pthread_mutex_lock(&store->lock);
    uint64_t id = ++store->spare_last;
    pthread_mutex_unlock(&store->lock);
    spare_path(path, store->folder, id);
    int file = store->io->open(store->io->self, path, true);
    if (file < 0)
        return file;
    int error = spare_fill(store, file);
    if (error != 0) {
        store->io->close(store->io->self, file);
        store->io->unlink(store->io->self, path);
        return error;
    }
    *out = (struct spare){id, file};
    return 0;
}

bool spare_drop(struct store *store)
{
    if (store->spare_count == 0)
        return false;
    struct spare spare = store->spares[--store->spare_count];
    char path[PATH_BYTES_MAX];
    pthread_mutex_unlock(&store->lock);
    spare_path(path, store->folder, spare.id);
    int error = store->io->unlink(store->io->self, path);
    if (error == 0)
        store->io->close(store->io->self, spare.file);
    pthread_mutex_lock(&store->lock);
    if (error != 0)
        store->spares[store->spare_count++] = spare;
    return error == 0;
}

int reserve(struct store *store, int file, uint64_t bytes)
{
    for (;;) {
        int error = store->io->reserve(store->io->self, file, bytes);
        if (error != -ENOSPC && error != -EDQUOT)
            return error;
        pthread_mutex_lock(&store->lock);
        bool dropped = store->ready != NULL && spare_drop(store); /* commits need at least one */
        pthread_mutex_unlock(&store->lock);
        if (!dropped)
            return error;
    }
}

/* It was not used after all: the room that it has is needed most when none is to be had. */
static void spare_put_back(struct store *store, struct spare spare)
{
    pthread_mutex_lock(&store->lock);
    assert(store->spare_count < SPARES_MAX); /* only this thread adds some */
    store->spares[store->spare_count++] = spare;
    pthread_mutex_unlock(&store->lock);
}

static bool spare_take(struct store *store, struct spare *out)
{
    pthread_mutex_lock(&store->lock);
    bool taken = store->spare_count > 0;
    if (taken)
        *out = store->spares[--store->spare_count];
    pthread_mutex_unlock(&store->lock);
    return taken;
}

static uint64_t number_take(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    do {
        store->number_last++;
    } while (!segment_number_is_free(store, SEGMENT_DATA, store->number_last));
    uint64_t number = store->number_last;
    pthread_mutex_unlock(&store->lock);
    return number;
}

/* The header is on the disk before the file has its name, and the name before the first frame: so a segment with a
 * bad header is a damaged one. After an error it is a spare file as before, and all of that is done anew. */
static int spare_name(struct store *store, struct spare spare, uint64_t number)
{
    union {
        struct segment_header header;
        uint8_t bytes[SEGMENT_HEADER_BYTES + BLOCK_BYTES]; /* and no first frame */
    } block;
    char from[PATH_BYTES_MAX], to[PATH_BYTES_MAX];
    memset(&block, 0, sizeof block);
    segment_header_encode(&block.header, store->id, SEGMENT_DATA, number, store->segment_bytes);
    int error = file_write(store->io, spare.file, &block, sizeof block, 0);
    if (error == 0)
        error = store->io->sync(store->io->self, spare.file);
    spare_path(from, store->folder, spare.id);
    segment_path(to, store->folder, SEGMENT_DATA, number);
    return error == 0 ? store->io->rename(store->io->self, from, to) : error;
}

int sync_names(struct store *store)
{
    int error = store->io->sync_dir(store->io->self, store->folder);
    return is_no_room(error) ? -EIO : error;
}

/* A segment that has its name: it can't be left out any more, for an empty one among others is damage. */
static int segment_list(struct store *store, uint64_t number, int file, struct segment **out)
{
    int error = sync_names(store);
    if (error != 0)
        return error;
    struct segment *segment = segment_new(store, SEGMENT_DATA, number, store->segment_bytes, file);
    if (segment == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&store->lock);
    segment->state = SEGMENT_READY;
    bool listed = segment_enlist(store, segment);
    pthread_mutex_unlock(&store->lock);
    if (!listed) {
        free(segment);
        return -ENOMEM;
    }
    *out = segment;
    return 0;
}

int segment_prepare(struct store *store, struct segment **out)
{
    struct spare spare;
    int error = spare_take(store, &spare) ? 0 : spare_new(store, &spare);
    if (error != 0)
        return error;
    uint64_t number = number_take(store);
    error = spare_name(store, spare, number);
    if (error != 0) {
        spare_put_back(store, spare);
        return error;
    }
    error = segment_list(store, number, spare.file, out);
    if (error != 0)
        store->io->close(store->io->self, spare.file);
    return error;
}

/* ---- what there is to do; each is called with the lock held and returns true if it did something ---- */

static void note_room(struct store *store, int error)
{
    bool full = is_no_room(error);
    store->no_room = error;
    if (atomic_exchange(&store->full, full) != full)
        store_wake(store);
    if (full)
        store->cleaning.look = true;
    if (error != 0 && !full) {
        pthread_mutex_unlock(&store->lock);
        store_fail(store, "%s: can't make a segment: %s", store->folder, strerror(-error));
        pthread_mutex_lock(&store->lock);
    }
    pthread_cond_signal(&store->commit_wake);
}

/* Where there is room for a segment there may be some for an index file, too. */
static void index_again(const struct segments *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->at[i]->index_failed = false;
}

static bool make_ready(struct store *store)
{
    if (store->ready != NULL)
        return false;
    struct segment *segment = NULL;
    pthread_mutex_unlock(&store->lock);
    int error = segment_prepare(store, &segment);
    pthread_mutex_lock(&store->lock);
    if (error != 0) {
        note_room(store, error);
        return false;
    }
    store->ready = segment;
    index_again(&store->data);
    index_again(&store->history);
    pthread_cond_signal(&store->commit_wake);
    return true;
}

static bool make_spare(struct store *store)
{
    if (store->spare_count + 1 >= RESERVE_SEGMENTS) {
        if (store->ready != NULL && (store->no_room != 0 || atomic_load(&store->full)))
            note_room(store, 0); /* what cleaning gave back is the room that was missing */
        return false;
    }
    struct spare spare;
    pthread_mutex_unlock(&store->lock);
    int error = spare_new(store, &spare);
    pthread_mutex_lock(&store->lock);
    if (error == 0)
        store->spares[store->spare_count++] = spare;
    note_room(store, error);
    return error == 0;
}

static bool wants_index(const struct store *store, const struct segment *segment)
{
    return segment != store->pass.segment && segment->state == SEGMENT_SEALED && segment->index_bytes == 0 && !segment->index_failed &&
           !segment->damaged;
}

/* Sealed, without an index file, and the batch at its end is durable wherever it ends. */
struct segment *helper_to_index(const struct store *store)
{
    uint64_t durable = atomic_load(&store->durable);
    for (size_t i = 0; i < store->data.count; i++)
        if (wants_index(store, store->data.at[i]) && store->data.at[i]->last <= durable)
            return store->data.at[i];
    for (size_t i = 0; i < store->history.count; i++)
        if (wants_index(store, store->history.at[i]))
            return store->history.at[i];
    return NULL;
}

static bool make_index(struct store *store)
{
    struct segment *segment = helper_to_index(store);
    if (segment == NULL)
        return false;
    segment->refs++;
    pthread_mutex_unlock(&store->lock);
    struct heads heads;
    uint64_t bytes = 0;
    enum err err = segment_heads(store, segment, &heads);
    if (err == ERR_NONE) {
        err = index_write(store->io, store->folder, store->id, segment->type, segment->number, &heads, &bytes);
        heads_free(&heads);
    }
    pthread_mutex_lock(&store->lock);
    segment->index_bytes = bytes;
    segment->index_failed = err != ERR_NONE; /* tried again with the next segment; a restart reads all of this */
    segment->index_looked = true;
    segment->refs--;
    if (bytes > 0)
        search_cache_free(store, segment);
    return true;
}

static struct segment *to_look_at(const struct segments *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i]->state == SEGMENT_SEALED && list->at[i]->index_bytes > 0 && !list->at[i]->index_looked)
            return list->at[i];
    return NULL;
}

/* The start took the heads only: where the lists are damaged, something would not be found. */
static bool look_at_index(struct store *store)
{
    char path[PATH_BYTES_MAX];
    struct segment *segment = to_look_at(&store->data);
    if (segment == NULL)
        segment = to_look_at(&store->history);
    if (segment == NULL)
        return false;
    segment->refs++;
    pthread_mutex_unlock(&store->lock);
    bool good = index_lists_are_good(store->io, store->folder, store->id, segment->type, segment->number);
    index_path(path, store->folder, segment->type, segment->number);
    if (!good)
        store->io->unlink(store->io->self, path);
    pthread_mutex_lock(&store->lock);
    segment->index_looked = true;
    if (!good)
        segment->index_bytes = 0;
    segment->refs--;
    return true;
}

static void wait_for_work(struct store *store)
{
    if (store->no_room == 0 && !store->pinned) {
        pthread_cond_wait(&store->helper_wake, &store->lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RETRY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&store->helper_wake, &store->lock, &until);
}

void *helper_run(void *arg)
{
    struct store *store = arg;
    pthread_mutex_lock(&store->lock);
    while (!store->helper_closing && !atomic_load(&store->failed)) {
        if (make_ready(store) || make_spare(store) || clean_help(store) || make_index(store) ||
            look_at_index(store) || pass_help(store))
            continue;
        if (!store->helper_closing)
            wait_for_work(store);
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}
