/* store.c — the embedded store's front: opening and closing, handing batches to the commit thread and telling the
 * owner what became of them. */
#include "journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_BYTES_MAX    (1024u * 1024) /* batches are strung together up to here */
#define POOL_MAX         3
#define POOLED_BYTES_MAX (2u * 1024 * 1024)

static int64_t real_wall_ms(void)
{
    return clock_read().wall_ms;
}

void store_wake(struct store *store)
{
    uint64_t one = 1;
    if (store->options.wake_fd >= 0 && write(store->options.wake_fd, &one, sizeof one) < 0)
        return; /* the counter is at its end: it is readable anyway */
}

void store_fail(struct store *store, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    pthread_mutex_lock(&store->lock);
    if (!atomic_load(&store->failed)) {
        vsnprintf(store->problem.text, sizeof store->problem.text, format, values);
        atomic_store(&store->failed, true);
        atomic_store(&store->news, true);
    }
    pthread_cond_broadcast(&store->commit_wake);
    pthread_cond_broadcast(&store->helper_wake);
    pthread_mutex_unlock(&store->lock);
    va_end(values);
    store_wake(store);
}

/* ---- opening and closing ---- */

static enum err problem_io(struct store_problem *problem, const char *folder, const char *what, int error)
{
    return problem_say(problem, ERR_IO, "%s: %s: %s", folder, what, strerror(-error));
}

static uint64_t segment_size(const struct store *store, const struct store_options *options)
{
    uint64_t bytes = options->segment_bytes;
    int64_t room = store->io->free_bytes(store->io->self, store->folder);
    if (room >= 0 && bytes > ((uint64_t)room + store->own_bytes) / 8)
        bytes = ((uint64_t)room + store->own_bytes) / 8;
    bytes -= bytes % BLOCK_BYTES;
    if (bytes < SEGMENT_BYTES_MIN)
        return SEGMENT_BYTES_MIN;
    return bytes < DATA_BYTES_MAX ? bytes : DATA_BYTES_MAX;
}

static enum err store_new(struct store **out, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return ERR_NO_MEMORY;
    pthread_condattr_t steady;
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->cache_lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&store->commit_wake, &steady);
    pthread_cond_init(&store->helper_wake, &steady);
    pthread_condattr_destroy(&steady);
    store->io = options->io != NULL ? options->io : &store_io_real;
    store->wall_ms = options->wall_ms != NULL ? options->wall_ms : real_wall_ms;
    store->options = *options;
    store->counts.commit_times.bounds = &histogram_disk;
    store->folder = strdup(options->path);
    store->lock_file = store->pass.file = -1;
    *out = store;
    return store->folder != NULL ? committer_new(store) : ERR_NO_MEMORY;
}

static void rows_free(struct store_batch *row)
{
    while (row != NULL) {
        struct store_batch *next = row->next;
        store_batch_free(&row);
        row = next;
    }
}

static void segments_free(struct store *store, struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        segment_free(store, segments->at[i]);
    free(segments->at);
}

static void store_free(struct store *store)
{
    rows_free(store->queue);
    rows_free(store->pool);
    segments_free(store, &store->data);
    segments_free(store, &store->history);
    for (size_t i = 0; i < store->spare_count; i++)
        store->io->close(store->io->self, store->spares[i].file);
    if (store->lock_file >= 0)
        store->io->close(store->io->self, store->lock_file);
    committer_free(store);
    clean_free(store);
    pass_free(store);
    books_free(store);
    free(store->told.at);
    free(store->collecting.at);
    pthread_cond_destroy(&store->commit_wake);
    pthread_cond_destroy(&store->helper_wake);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->cache_lock);
    free(store->folder);
    free(store);
}

/* The first segment of a new store, or the next one when the last was full. */
static enum err ensure_active(struct store *store, struct store_problem *problem)
{
    if (store->active != NULL)
        return ERR_NONE;
    struct segment *segment = store->ready;
    store->ready = NULL;
    if (segment == NULL) {
        int error = segment_prepare(store, &segment);
        if (error != 0)
            return problem_io(problem, store->folder, "can't make a segment", error);
    }
    segment->state = SEGMENT_ACTIVE;
    store->active = segment;
    return ERR_NONE;
}

static enum err start_threads(struct store *store, struct store_problem *problem)
{
    int error = pthread_create(&store->commit_thread, NULL, commit_run, store);
    store->commit_started = error == 0;
    if (error == 0) {
        error = pthread_create(&store->helper_thread, NULL, helper_run, store);
        store->helper_started = error == 0;
    }
    return error == 0 ? ERR_NONE : problem_io(problem, store->folder, "can't start a thread", -error);
}

enum err store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                    struct store_problem *problem)
{
    struct store *store = NULL;
    int64_t began = clock_us();
    *opened = (struct store_opened){0};
    problem->text[0] = '\0';
    enum err err = store_new(&store, options);
    if (err == ERR_NONE)
        err = folder_open(store, &opened->created, problem);
    if (err == ERR_NONE)
        err = recover(store, opened, problem);
    if (err == ERR_NONE) {
        store->segment_bytes = segment_size(store, options);
        err = recover_tidy(store, problem);
    }
    if (err == ERR_NONE)
        err = ensure_active(store, problem);
    if (err == ERR_NONE)
        err = start_threads(store, problem);
    if (err != ERR_NONE) {
        if (problem->text[0] == '\0')
            problem_say(problem, ERR_IO, "%s: %s", options->path, err_name(err));
        store_close(&store);
        return err;
    }
    opened->took_ms = (clock_us() - began) / 1000;
    *out = store;
    return ERR_NONE;
}

void store_close(struct store **store_p)
{
    struct store *store = *store_p;
    if (store == NULL)
        return;
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_cond_broadcast(&store->commit_wake);
    pthread_mutex_unlock(&store->lock);
    if (store->commit_started)
        pthread_join(store->commit_thread, NULL);
    pthread_mutex_lock(&store->lock);
    store->helper_closing = true;
    pthread_cond_broadcast(&store->helper_wake);
    pthread_mutex_unlock(&store->lock);
    if (store->helper_started)
        pthread_join(store->helper_thread, NULL);
    history_abandon(store);
    store_free(store);
    *store_p = NULL;
}

/* ---- submitting ---- */

static struct store_batch *row_new(struct store *store)
{
    struct store_batch *row = store->pool;
    if (row == NULL)
        return store_batch_new();
    store->pool = row->next;
    store->pool_count--;
    row->next = NULL;
    return row;
}

void queue_recycle(struct store *store, struct store_batch *row)
{
    store_batch_clear(row);
    pthread_mutex_lock(&store->lock);
    bool kept = store->pool_count < POOL_MAX && row->room <= POOLED_BYTES_MAX;
    if (kept) {
        row->next = store->pool;
        store->pool = row;
        store->pool_count++;
    }
    pthread_mutex_unlock(&store->lock);
    if (!kept)
        store_batch_free(&row);
}

/* Copies are read later: until then their segments must stay. */
static void pin_sources(struct store *store, struct store_batch *batch)
{
    for (size_t i = 0; i < batch->copy_count; i++) {
        struct segment *segment = segment_at(store, batch->copies[i].from);
        batch->copies[i].pinned = segment;
        if (segment != NULL)
            segment->refs++;
    }
}

/* Behind what waits; in a row of its own if the last one is long. The lock is held. */
static enum err enqueue(struct store *store, struct store_batch *batch)
{
    struct store_batch *last = store->queue_last;
    if (last != NULL && last->used + batch->used <= ROW_BYTES_MAX)
        return batch_append(last, batch);
    struct store_batch *row = row_new(store);
    if (row == NULL)
        return ERR_NO_MEMORY;
    batch_swap(row, batch);
    if (last != NULL)
        last->next = row;
    else
        store->queue = row;
    store->queue_last = row;
    return ERR_NONE;
}

/* The lock is held. */
static enum err take_batch(struct store *store, struct store_batch *batch)
{
    store->submitted++;
    if (atomic_load(&store->failed))
        return ERR_NONE;
    if (!room_for(&batch->ends, &batch->end_room, 0, 1, sizeof *batch->ends))
        return ERR_NO_MEMORY;
    pin_sources(store, batch);
    batch->ends[0] = (struct batch_end){store->submitted, batch->used, batch->records};
    batch->end_count = 1;
    enum err err = enqueue(store, batch);
    pthread_cond_signal(&store->commit_wake);
    return err;
}

uint64_t store_submit(struct store *store, struct store_batch *batch)
{
    pthread_mutex_lock(&store->lock);
    bool cleaned = batch->cleaned;
    for (size_t i = 0; i < batch->release_count; i++)
        books_release(store, batch->releases[i].kind, batch->releases[i].place);
    batch->release_count = 0;
    enum err err = batch->records > 0 ? take_batch(store, batch) : ERR_NONE;
    uint64_t commit = store->submitted;
    if (cleaned)
        clean_submitted(store, commit);
    pthread_mutex_unlock(&store->lock);
    store_batch_clear(batch);
    if (err != ERR_NONE)
        store_fail(store, "out of memory: a batch could not be queued");
    return commit;
}

/* ---- collecting ---- */

/* Which place of the record is not needed any more; STORE_NOWHERE: none. */
static store_place tell_owner(struct store *store, const struct told *told)
{
    const struct store_owner *owner = &store->options.owner;
    if (told->from == STORE_NOWHERE) {
        owner->moved(owner->self, told->kind, told->key, told->from, told->to);
        return owner->is_live(owner->self, told->kind, told->key, told->to) ? STORE_NOWHERE : told->to;
    }
    store->cleaning.moves_told++;
    if (!owner->is_live(owner->self, told->kind, told->key, told->from))
        return told->to;
    owner->moved(owner->self, told->kind, told->key, told->from, told->to);
    return told->from;
}

static void tell_all(struct store *store, const struct told_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->at[i].from = tell_owner(store, &list->at[i]);
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].from != STORE_NOWHERE)
            books_release(store, list->at[i].kind, list->at[i].from);
    pthread_mutex_unlock(&store->lock);
}

enum err store_collect(struct store *store, uint64_t *durable)
{
    if (atomic_load(&store->news)) {
        struct told_list *list = &store->collecting;
        pthread_mutex_lock(&store->lock);
        struct told_list told = store->told;
        store->told = *list;
        store->told.count = 0;
        *list = told;
        atomic_store(&store->news, false);
        store->collected_through = atomic_load(&store->durable);
        store->collected_at = store->submitted;
        pthread_mutex_unlock(&store->lock);
        tell_all(store, list);
        list->count = 0;
    }
    *durable = atomic_load(&store->durable);
    return atomic_load(&store->failed) ? ERR_IO : ERR_NONE;
}

uint64_t store_durable(const struct store *store)
{
    return atomic_load(&store->durable);
}

uint64_t store_durable_seq(const struct store *store)
{
    return atomic_load(&store->durable_seq);
}

void store_problem(const struct store *store, struct store_problem *out)
{
    struct store *locked = (struct store *)(uintptr_t)store;
    pthread_mutex_lock(&locked->lock);
    *out = store->problem;
    pthread_mutex_unlock(&locked->lock);
}

void damage_found(struct store *store, const struct segment *segment, uint64_t offset, const char *so)
{
    char path[PATH_BYTES_MAX];
    segment_path(path, store->folder, segment->type, segment->number);
    problem_say(&store->damage, ERR_DAMAGED, "%.400s: damaged or unreadable at offset %llu: %s", path,
                (unsigned long long)offset, so);
    atomic_fetch_add(&store->damaged, 1);
    store_wake(store);
}

void damage_met(struct store *store, struct segment *segment, uint64_t offset)
{
    pthread_mutex_lock(&store->lock);
    if (!segment->read_damaged)
        damage_found(store, segment, offset, "what is damaged of it is left out where it is asked for");
    segment->read_damaged = true;
    pthread_mutex_unlock(&store->lock);
}

unsigned store_damaged(const struct store *store, struct store_problem *out)
{
    struct store *locked = (struct store *)(uintptr_t)store;
    unsigned count = atomic_load(&store->damaged);
    if (count == 0)
        return 0;
    pthread_mutex_lock(&locked->lock);
    *out = store->damage;
    pthread_mutex_unlock(&locked->lock);
    return count;
}

bool store_is_full(const struct store *store)
{
    return atomic_load(&store->full);
}

bool store_waits(const struct store *store)
{
    return atomic_load(&store->waits);
}

static void status_add(const struct store *store, const struct segment *segment, int64_t now_ms,
                       struct store_status *out)
{
    out->bytes_live += books_live(store, segment, now_ms);
    out->bytes_total += segment_total(segment);
    if (segment->type == SEGMENT_HISTORY)
        out->bytes_history += segment_total(segment);
}

void store_status_read(const struct store *store, struct store_status *out)
{
    struct store *locked = (struct store *)(uintptr_t)store;
    int64_t now_ms = store->wall_ms();
    int64_t room = store->io->free_bytes(store->io->self, store->folder);
    pthread_mutex_lock(&locked->lock);
    *out = store->counts;
    out->disk_free_bytes = room < 0 ? -1 : room;
    out->segments = store->data.count;
    out->history_segments = store->history.count;
    out->free_segments = store->spare_count + (store->ready != NULL);
    for (size_t i = 0; i < store->data.count; i++)
        status_add(store, store->data.at[i], now_ms, out);
    for (size_t i = 0; i < store->history.count; i++)
        status_add(store, store->history.at[i], now_ms, out);
    out->bytes_total += store->spare_count * store->segment_bytes;
    out->full = atomic_load(&store->full);
    out->waits = atomic_load(&store->waits);
    out->cleaning = store->cleaning.turn != CLEAN_IDLE || store->cleaning.look;
    out->indexing = helper_to_index(store) != NULL;
    pthread_mutex_unlock(&locked->lock);
}
