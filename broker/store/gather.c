/* gather.c — cleaning, the helper's share: reading the old segment, writing what has become history, and giving the
 * file back when all that hangs on it is durable and nobody reads it any more. */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES  (256u * 1024)
#define READ_TRIES   5 /* of a segment that can't be read for want of memory, or once */

/* ---- ends of a step; the lock is held ---- */

static void to_owner(struct store *store, enum clean_step step)
{
    store->cleaning.turn = CLEAN_OWNER;
    store->cleaning.step = step;
    store->cleaning.at = 0;
    store_wake(store);
}

static struct segment *first_retired(const struct segments *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i]->state == SEGMENT_RETIRED)
            return list->at[i];
    return NULL;
}

void clean_retired(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *victim = first_retired(&store->data);
    if (victim == NULL)
        victim = first_retired(&store->history);
    if (victim == NULL)
        return;
    victim->refs++;
    cleaning->victim = victim;
    cleaning->turn = CLEAN_HELPER;
    cleaning->step = STEP_GIVE_BACK;
}

static void finish(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    if (cleaning->victim != NULL)
        cleaning->victim->refs--;
    cleaning->victim = NULL;
    cleaning->turn = CLEAN_IDLE;
    cleaning->look = true;
    clean_retired(store);
    store_wake(store);
}

/* The victim is left as it is; copies already made of its records do no harm. */
static void give_up(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    if (cleaning->scanning)
        scan_end(&cleaning->scan);
    cleaning->scanning = false;
    history_abandon(store);
    finish(store);
    cleaning->look = false; /* not at once again */
}

/* ---- survey ---- */

static void leave_alone(struct store *store, struct segment *segment, uint64_t offset)
{
    segment->damaged = true;
    damage_found(store, segment, offset, "it is left alone, and not cleaned");
}

/* It is taken for live as a whole. */
static void survey_never(struct store *store, struct segment *segment)
{
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        segment->live[kind] += segment->assumed[kind];
    segment->survey_at = segment->survey_end;
    leave_alone(store, segment, SEGMENT_HEADER_BYTES);
}

static void read_survey(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *segment = cleaning->victim;
    uint64_t bytes;
    pthread_mutex_unlock(&store->lock);
    enum err err =
        index_read(store->io, store->folder, store->id, segment->type, segment->number, &cleaning->heads, &bytes);
    if (err == ERR_NOT_FOUND)
        err = segment_heads(store, segment, &cleaning->heads);
    pthread_mutex_lock(&store->lock);
    if (err == ERR_NONE) {
        to_owner(store, STEP_SURVEY);
        return;
    }
    bool again = err != ERR_DAMAGED && ++segment->unread < READ_TRIES; /* nothing else is cleaned meanwhile */
    if (!again)
        survey_never(store, segment);
    finish(store);
    if (again)
        cleaning->look = false; /* not at once */
}

/* ---- reading the victim ---- */

/* VERDICT_DROP: nobody needs to be asked. */
static enum verdict first_verdict(const struct store *store, const struct record *record, bool old, bool older)
{
    if (record->kind >= STORE_KINDS_MAX)
        return VERDICT_DROP;
    switch (store->options.kinds[record->kind].keep) {
    case STORE_KEEP_WHILE_LIVE:
    case STORE_KEEP_RENEW:
        return VERDICT_ASK;
    case STORE_KEEP_HISTORY:
    case STORE_KEEP_UNUSED: /* of a kind that this version does not know */
        break;
    }
    return old && !older ? VERDICT_DROP : VERDICT_PAST;
}

static bool chunk_add(struct chunk *chunk, const struct record *record, store_place place, bool old,
                      enum verdict verdict)
{
    if (!room_for(&chunk->bytes, &chunk->room, chunk->used, record_room(record), 1) ||
        !room_for(&chunk->items, &chunk->item_room, chunk->count, 1, sizeof *chunk->items))
        return false;
    chunk->items[chunk->count++] = (struct chunk_item){chunk->used, place, old, verdict};
    memcpy(chunk->bytes + chunk->used, record, record_room(record));
    chunk->used += record_room(record);
    return true;
}

static bool chunk_add_frame(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    const struct scan *scan = &cleaning->scan;
    struct chunk *chunk = &cleaning->chunk;
    int64_t time_ms = scan->frame.time_ms;
    bool old = time_ms + store->options.history_retention_ms < cleaning->now_ms;
    chunk->count = open_batch_frame(&cleaning->open, &scan->frame, chunk->count);
    if (time_ms > chunk->newest_ms)
        chunk->newest_ms = time_ms;
    size_t at = 0;
    for (const struct record *record; (record = scan_record(scan, &at)) != NULL;) {
        enum verdict verdict = first_verdict(store, record, old, cleaning->older);
        store_place place = segment_place(cleaning->victim, scan_record_offset(scan, record));
        if (verdict == VERDICT_DROP && old && record->seq > cleaning->dropped_seq)
            cleaning->dropped_seq = record->seq;
        if (verdict != VERDICT_DROP && !chunk_add(chunk, record, place, old, verdict))
            return false;
    }
    return true;
}

/* Fills the chunk with whole batches. */
static enum err read_chunk(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *victim = cleaning->victim;
    struct chunk *chunk = &cleaning->chunk;
    uint64_t end = atomic_load(&victim->end);
    chunk->used = chunk->count = 0;
    chunk->newest_ms = INT64_MIN;
    cleaning->open.begins = 0;
    if (!cleaning->scanning) {
        scan_begin(&cleaning->scan, store->io, victim->file, victim->seed, SEGMENT_HEADER_BYTES, end);
        cleaning->scanning = true;
        cleaning->scanned = false;
        cleaning->open.more = false;
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && (chunk->used < CHUNK_BYTES || cleaning->open.more)) {
        err = scan_next(&cleaning->scan);
        if (err == ERR_NONE && !chunk_add_frame(store))
            err = ERR_NO_MEMORY;
    }
    if (err != ERR_NOT_FOUND)
        return err;
    if (cleaning->scan.offset != end)
        return ERR_DAMAGED;
    if (cleaning->open.more && victim->void_tail)
        chunk->count = cleaning->open.begins;
    cleaning->scanned = true;
    return ERR_NONE;
}

static bool asks(const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        if (chunk->items[i].verdict == VERDICT_ASK)
            return true;
    return false;
}

static int gather_chunk(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    const struct chunk *chunk = &cleaning->chunk;
    int error = 0;
    for (size_t i = 0; i < chunk->count && error == 0; i++) {
        const struct chunk_item *item = &chunk->items[i];
        const struct record *record = (const struct record *)(chunk->bytes + item->record);
        assert(item->verdict != VERDICT_ASK);
        int64_t time_ms = item->verdict == VERDICT_WANTED ? cleaning->now_ms : chunk->newest_ms;
        if (item->verdict != VERDICT_DROP)
            error = history_add(store, record, item->verdict, time_ms);
        else if (item->old && record->seq > cleaning->dropped_seq)
            cleaning->dropped_seq = record->seq;
    }
    return error;
}

/* A full disk is no failed write: the victim is tried again later, after the others (deadest). */
static void history_failed(struct store *store, int error)
{
    if (error == -ENOMEM || is_no_room(error)) {
        store->cleaning.victim->refused++;
        give_up(store);
        return;
    }
    pthread_mutex_unlock(&store->lock);
    store_fail(store, "%s: writing history: %s; nothing more will be durable. Mend the disk and start again",
               store->folder, strerror(-error));
    pthread_mutex_lock(&store->lock);
    give_up(store);
}

/* It is tried again after the others (deadest); a disk that cannot read it now may never. */
static void unreadable(struct store *store, enum err err)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *victim = cleaning->victim;
    victim->refused++;
    if (err == ERR_DAMAGED || (err == ERR_IO && ++victim->unread >= READ_TRIES))
        leave_alone(store, victim, cleaning->scan.offset);
}

/* Goes on until the owner has to be asked, or the victim has been read. */
static void read_and_gather(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    bool gather = cleaning->step == STEP_GATHER, read = false;
    enum err err = ERR_NONE;
    int error = 0;
    pthread_mutex_unlock(&store->lock);
    for (;;) {
        if (gather && (error = gather_chunk(store)) != 0)
            break;
        read = gather && cleaning->scanned;
        if (read)
            break;
        if ((err = read_chunk(store)) != ERR_NONE || asks(&cleaning->chunk))
            break;
        gather = true;
    }
    if (read)
        error = history_flush(store);
    pthread_mutex_lock(&store->lock);
    if (error != 0) {
        history_failed(store, error);
    } else if (err != ERR_NONE) {
        unreadable(store, err);
        give_up(store);
    } else if (read) {
        scan_end(&cleaning->scan);
        cleaning->scanning = false;
        to_owner(store, STEP_END);
    } else {
        to_owner(store, STEP_JUDGE);
    }
}

/* ---- giving back ---- */

static void retire(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *victim = cleaning->victim;
    assert(cleaning->scanned || victim->type == SEGMENT_HISTORY);
    store->history_end = cleaning->end_next;
    if (victim->type == SEGMENT_DATA)
        history_accept(store);
    victim->state = SEGMENT_RETIRED;
    segment_hide(store, victim);
    store->counts.cleaned_segments += victim->type == SEGMENT_DATA;
    cleaning->step = STEP_GIVE_BACK;
}

/* The name must be gone from the disk before its number stops to hold history back (choose_history). */
static int remove_segment(struct store *store, struct segment *segment)
{
    const struct store_io *io = store->io;
    char path[PATH_BYTES_MAX], spare[PATH_BYTES_MAX];
    if (segment->index_bytes > 0) {
        index_path(path, store->folder, segment->type, segment->number);
        io->unlink(io->self, path);
    }
    segment_path(path, store->folder, segment->type, segment->number);
    pthread_mutex_lock(&store->lock);
    bool keep =
        segment->type == SEGMENT_DATA && segment->bytes == store->segment_bytes && store->spare_count < SPARES_MAX;
    uint64_t id = ++store->spare_last;
    pthread_mutex_unlock(&store->lock);
    spare_path(spare, store->folder, id);
    int error = keep ? io->rename(io->self, path, spare) : io->unlink(io->self, path);
    if (keep && is_no_room(error)) { /* for another name: then it becomes room itself */
        keep = false;
        error = io->unlink(io->self, path);
    }
    if (error == 0)
        error = io->sync_dir(io->self, store->folder);
    if (error != 0)
        return error;
    pthread_mutex_lock(&store->lock);
    if (keep) {
        store->spares[store->spare_count++] = (struct spare){id, segment->file};
        segment->file = -1;
    }
    segment_delist(store, segment);
    pthread_mutex_unlock(&store->lock);
    return 0;
}

int segment_give_back(struct store *store, struct segment *segment)
{
    int error = remove_segment(store, segment);
    if (error == 0)
        segment_free(store, segment);
    return error;
}

/* False: a backup is being made, and may still want to read the file. */
static bool give_back(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    struct segment *victim = cleaning->victim;
    int claim = -1;
    pthread_mutex_unlock(&store->lock);
    bool claimed = folder_claim(store->io, store->folder, &claim);
    pthread_mutex_lock(&store->lock);
    store->pinned = !claimed;
    if (!claimed)
        return false;
    cleaning->victim = NULL;
    pthread_mutex_unlock(&store->lock);
    int error = segment_give_back(store, victim);
    store->io->close(store->io->self, claim);
    if (error != 0)
        store_fail(store, "%s: giving segment %llx back: %s", store->folder, (unsigned long long)victim->number,
                   strerror(-error));
    pthread_mutex_lock(&store->lock);
    finish(store);
    return true;
}

static void trim(struct store *store)
{
    while (store->spare_count + (store->ready != NULL) > RESERVE_SEGMENTS && store->spare_count > 0)
        if (!spare_drop(store))
            break;
    finish(store);
    store->cleaning.look = false;
}

bool clean_help(struct store *store)
{
    const struct cleaning *cleaning = &store->cleaning;
    if (cleaning->turn != CLEAN_HELPER)
        return false;
    switch (cleaning->step) {
    case STEP_SURVEY_READ:
        read_survey(store);
        return true;
    case STEP_READ:
    case STEP_GATHER:
        read_and_gather(store);
        return true;
    case STEP_RETIRE:
        retire(store);
        return true;
    case STEP_GIVE_BACK:
        if (cleaning->victim->refs > 1)
            return false; /* the last reader wakes us */
        return give_back(store);
    case STEP_TRIM:
        trim(store);
        return true;
    case STEP_SURVEY:
    case STEP_JUDGE:
    case STEP_END:
        break;
    }
    return false;
}
