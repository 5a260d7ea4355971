/* folder.c — the store's folder: who has it, whose it is, what lies in it.
 *
 *   store   three lines of text: format, random id, checksum. Written first, never changed
 *   lock    held for as long as a broker runs; its text is that broker's pid
 *   data-*.seg, data-*.idx, hist-*.seg, hist-*.idx, spare-*.seg */
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#define STORE_FILE           "store"
#define LOCK_FILE            "lock"
#define STORE_FILE_FIRST     "lineward store "
#define STORE_FILE_BYTES_MAX 256

static enum err say(struct store_problem *problem, enum err err, const char *folder, const char *file,
                    const char *text)
{
    return problem_say(problem, err, "%s/%s: %s", folder, file, text);
}

/* ---- the store's file ---- */

static size_t store_file_text(char out[STORE_FILE_BYTES_MAX], struct store_id id)
{
    int bytes = snprintf(out, STORE_FILE_BYTES_MAX, STORE_FILE_FIRST "%d\nid %016" PRIx64 "%016" PRIx64 "\n",
                         STORE_FORMAT, id.half[0], id.half[1]);
    bytes += snprintf(out + bytes, STORE_FILE_BYTES_MAX - (size_t)bytes, "check %016" PRIx64 "\n",
                      (uint64_t)XXH3_64bits(out, (size_t)bytes));
    return (size_t)bytes;
}

/* Whatever else a newer format changes, its first line stays like this. */
static enum err store_file_parse(const char *text, struct store_id *id)
{
    size_t first = strlen(STORE_FILE_FIRST);
    if (strncmp(text, STORE_FILE_FIRST, first) != 0 || text[first] < '1' || text[first] > '9')
        return ERR_DAMAGED;
    char *end;
    unsigned long format = strtoul(text + first, &end, 10);
    if (*end != '\n')
        return ERR_DAMAGED;
    if (format > STORE_FORMAT)
        return ERR_TOO_NEW;
    struct store_id found;
    char again[STORE_FILE_BYTES_MAX];
    if (sscanf(end, "\nid %16" SCNx64 "%16" SCNx64 "\n", &found.half[0], &found.half[1]) != 2)
        return ERR_DAMAGED;
    store_file_text(again, found);
    if (strcmp(again, text) != 0)
        return ERR_DAMAGED;
    *id = found;
    return ERR_NONE;
}

enum err folder_read(const struct store_io *io, const char *folder, struct store_id *id,
                     struct store_problem *problem)
{
    char path[PATH_BYTES_MAX], text[STORE_FILE_BYTES_MAX] = "";
    file_path(path, folder, STORE_FILE);
    int file = io->open_read(io->self, path);
    if (file == -ENOENT)
        return say(problem, ERR_NOT_FOUND, folder, STORE_FILE, "not there");
    if (file < 0)
        return say(problem, ERR_IO, folder, STORE_FILE, strerror(-file));
    int64_t got = io->pread(io->self, file, text, sizeof text - 1, 0);
    io->close(io->self, file);
    if (got < 0)
        return say(problem, ERR_IO, folder, STORE_FILE, strerror((int)-got));
    enum err err = store_file_parse(text, id);
    if (err == ERR_TOO_NEW)
        say(problem, err, folder, STORE_FILE, "written by a newer version of this program, which must be used");
    if (err == ERR_DAMAGED)
        say(problem, err, folder, STORE_FILE, "damaged at offset 0; nothing was changed");
    return err;
}

static enum err store_file_write(const struct store_io *io, const char *folder, struct store_id id,
                                 struct store_problem *problem)
{
    char path[PATH_BYTES_MAX], temporary[PATH_BYTES_MAX], text[STORE_FILE_BYTES_MAX];
    file_path(path, folder, STORE_FILE);
    file_path(temporary, folder, STORE_FILE ".tmp");
    size_t bytes = store_file_text(text, id);
    int file = io->open(io->self, temporary, true);
    int error = file < 0 ? file : io->truncate(io->self, file, 0);
    if (error == 0)
        error = file_write(io, file, text, bytes, 0);
    if (error == 0)
        error = io->sync(io->self, file);
    if (file >= 0)
        io->close(io->self, file);
    if (error == 0)
        error = io->rename(io->self, temporary, path);
    if (error == 0)
        error = io->sync_dir(io->self, folder);
    return error == 0 ? ERR_NONE : say(problem, ERR_IO, folder, STORE_FILE, strerror(-error));
}

/* ---- the lock ---- */

static void lock_note_pid(const struct store_io *io, int file)
{
    char text[32];
    int bytes = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* For people only: a failure does not matter. */
    if (io->truncate(io->self, file, 0) == 0)
        file_write(io, file, text, (size_t)bytes, 0);
}

enum err folder_lock(const struct store_io *io, const char *folder, bool create, int *file_out,
                     struct store_problem *problem)
{
    char path[PATH_BYTES_MAX], pid[32] = "";
    file_path(path, folder, LOCK_FILE);
    int file = io->open(io->self, path, create);
    if (file < 0)
        return say(problem, ERR_IO, folder, LOCK_FILE, strerror(-file));
    int error = io->lock(io->self, file);
    if (error == 0) {
        *file_out = file;
        return ERR_NONE;
    }
    int64_t got = io->pread(io->self, file, pid, sizeof pid - 1, 0);
    io->close(io->self, file);
    if (error != -EWOULDBLOCK)
        return say(problem, ERR_IO, folder, LOCK_FILE, strerror(-error));
    pid[got > 0 ? got : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return problem_say(problem, ERR_BUSY, "%s: in use by another broker, pid %s", folder,
                       pid[0] != '\0' ? pid : "unknown");
}

bool folder_claim(const struct store_io *io, const char *folder, int *file)
{
    char path[PATH_BYTES_MAX];
    file_path(path, folder, STORE_FILE);
    *file = io->open_read(io->self, path);
    if (*file < 0) /* no descriptor to be had: asked again */
        return false;
    if (io->lock(io->self, *file) == 0)
        return true;
    io->close(io->self, *file);
    return false;
}

/* ---- what lies there ---- */

static void note_file(void *context, const char *name)
{
    struct folder_list *list = context;
    struct folder_file found = {.type = SEGMENT_DATA};
    if (strlen(name) >= sizeof found.name)
        return;
    found.kind = file_kind(name, &found.type, &found.number);
    if (found.kind == FILE_OTHER)
        return;
    if (!room_for(&list->at, &list->room, list->count, 1, sizeof *list->at)) {
        list->failed = true;
        return;
    }
    memcpy(found.name, name, strlen(name) + 1);
    list->at[list->count++] = found;
}

static int compare_files(const void *a, const void *b)
{
    const struct folder_file *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->type != right->type)
        return left->type < right->type ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

enum err folder_list(const struct store_io *io, const char *folder, struct folder_list *list,
                     struct store_problem *problem)
{
    *list = (struct folder_list){0};
    int error = io->list_dir(io->self, folder, note_file, list);
    if (error != 0 || list->failed) {
        free(list->at);
        *list = (struct folder_list){0};
        return problem_say(problem, ERR_IO, "%s: can't be listed: %s", folder,
                           strerror(error != 0 ? -error : ENOMEM));
    }
    if (list->count > 0)
        qsort(list->at, list->count, sizeof *list->at, compare_files);
    return ERR_NONE;
}

/* ---- opening ---- */

/* A folder without a store's file is new, or its file was lost: then it must not be taken for an empty store. */
static enum err check_is_new(struct store *store, struct store_problem *problem)
{
    struct folder_list list;
    enum err err = folder_list(store->io, store->folder, &list, problem);
    if (err != ERR_NONE)
        return err;
    for (size_t i = 0; i < list.count && err == ERR_NONE; i++)
        if (list.at[i].kind == FILE_SEGMENT)
            err = say(problem, ERR_DAMAGED, store->folder, STORE_FILE, "missing, but there are segments beside it");
    free(list.at);
    return err;
}

static int make_folder(const struct store_io *io, const char *folder)
{
    int error = io->make_dir(io->self, folder);
    if (error == -EEXIST)
        return 0;
    if (error != 0)
        return error;
    char parent[PATH_BYTES_MAX];
    snprintf(parent, sizeof parent, "%s/..", folder);
    return io->sync_dir(io->self, parent);
}

enum err folder_open(struct store *store, bool *created, struct store_problem *problem)
{
    const struct store_io *io = store->io;
    if (strlen(store->folder) > PATH_BYTES_MAX - 128)
        return say(problem, ERR_BAD_INPUT, "store.path", "", "too long");
    int error = make_folder(io, store->folder);
    if (error != 0)
        return say(problem, ERR_IO, store->folder, "", strerror(-error));
    /* Before anything is touched, for a newer format may not even lock like this one. */
    enum err err = folder_read(io, store->folder, &store->id, problem);
    if (err != ERR_NONE && err != ERR_NOT_FOUND)
        return err;
    enum err locked = folder_lock(io, store->folder, true, &store->lock_file, problem);
    if (locked != ERR_NONE)
        return locked;
    lock_note_pid(io, store->lock_file);
    err = folder_read(io, store->folder, &store->id, problem);
    if (err != ERR_NOT_FOUND)
        return err;
    err = check_is_new(store, problem);
    if (err != ERR_NONE)
        return err;
    if (getrandom(&store->id, sizeof store->id, 0) != sizeof store->id)
        return say(problem, ERR_IO, store->folder, STORE_FILE, "no random numbers to be had");
    *created = true;
    return store_file_write(io, store->folder, store->id, problem);
}
