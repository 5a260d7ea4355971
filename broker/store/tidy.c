/* tidy.c — after replay: making the disk fit for going on. What was recovered is synced; what an interrupted run left
 * over is removed or used again. */
#include "recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was read may still be only in the system's memory, if the last run was killed; the answers to come will rely
 * on it. Only names, the last two data segments with frames and the history's last can be in that state. */
static int sync_recovered(struct store *store)
{
    const struct store_io *io = store->io;
    int error = io->sync_dir(io->self, store->folder);
    size_t left = 2;
    for (size_t i = store->data.count; i-- > 0 && left > 0 && error == 0;) {
        if (store->data.at[i]->state == SEGMENT_READY)
            continue;
        error = io->sync(io->self, store->data.at[i]->file);
        left--;
    }
    for (size_t i = 0; i < store->history.count && error == 0; i++)
        if (store->history.at[i]->state == SEGMENT_ACTIVE)
            error = io->sync(io->self, store->history.at[i]->file);
    return error;
}

/* What an interrupted cleaning wrote behind the history's end. */
static int cut_history(struct store *store)
{
    const struct store_io *io = store->io;
    int error = 0;
    for (size_t i = 0; i < store->history.count && error == 0; i++) {
        struct segment *segment = store->history.at[i];
        uint64_t end = atomic_load(&segment->end);
        if (segment->state != SEGMENT_ACTIVE || segment->bytes == end)
            continue;
        error = io->truncate(io->self, segment->file, end);
        segment->bytes = end;
    }
    return error;
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

static bool index_is_good(const struct store *store, const struct folder_file *found)
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
        else if (found->kind == FILE_LEFTOVER || (found->kind == FILE_INDEX && !index_is_good(store, found)))
            error = store->io->unlink(store->io->self, path);
    }
    return error;
}

/* Prepared for a use that did not come (but the one that is used next), or of another size than is wanted now. */
static bool is_unused(struct store *store, const struct segment *segment)
{
    if (segment->state == SEGMENT_RETIRED)
        return true;
    if (segment->state != SEGMENT_READY)
        return false;
    return segment != store->ready || segment->bytes != store->segment_bytes;
}

/* What counted when the last run ended may be wanted by a backup that is being made. Not what never counted; and an
 * empty segment, or history that the journal does not tell of, must be gone before there are later ones. */
static bool has_counted(const struct store *store, const struct segment *segment)
{
    return segment->state == SEGMENT_RETIRED &&
           (segment->type == SEGMENT_DATA || segment->number <= store->history_end.number);
}

static int tidy_segments(struct store *store, const struct segments *list, bool claimed)
{
    int error = 0;
    for (size_t i = list->count; i-- > 0 && error == 0;) {
        struct segment *segment = list->at[i];
        if (!is_unused(store, segment))
            continue;
        if (segment == store->ready)
            store->ready = NULL;
        segment_hide(store, segment);
        if (claimed || !has_counted(store, segment))
            error = segment_give_back(store, segment);
    }
    return error;
}

static int tidy_all_segments(struct store *store)
{
    int claim = -1;
    bool claimed = folder_claim(store->io, store->folder, &claim);
    int error = tidy_segments(store, &store->data, claimed);
    if (error == 0)
        error = tidy_segments(store, &store->history, claimed);
    if (claimed)
        store->io->close(store->io->self, claim);
    clean_retired(store);
    return error;
}

enum err recover_tidy(struct store *store, struct store_problem *problem)
{
    struct folder_list list;
    enum err err = folder_list(store->io, store->folder, &list, problem);
    if (err != ERR_NONE)
        return err;
    int error = store->was_closed ? 0 : sync_recovered(store);
    if (error == 0)
        error = cut_history(store);
    if (error == 0)
        error = tidy_files(store, &list);
    if (error == 0)
        error = tidy_all_segments(store);
    free(list.at);
    if (error == 0)
        return ERR_NONE;
    return problem_say(problem, ERR_IO, "%s: making it fit for going on: %s", store->folder, strerror(-error));
}
