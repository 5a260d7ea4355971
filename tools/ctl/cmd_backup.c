/* cmd_backup.c — backup copies the store of a broker, which may run meanwhile; restore makes a store of such a copy.
 * Both work on folders of this machine, as the broker's user: nothing of it goes over the admin API. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/store/backup.h"
#include "broker/store/record.h"
#include "broker/store/restored.h"
#include "ctl.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/json.h"
#include "lineward/version.h"
#include "survey.h"

#define MANIFEST            "manifest.json"
#define LOCK                "lock"
#define MANIFEST_BYTES_MAX  (64u * 1024 * 1024)
#define MANIFEST_FORMAT     1
#define PATH_BYTES          4096
#define KEY_LIFE_DEFAULT_MS (24 * INT64_C(3600000))

struct backup_list {
    struct backup_file *at;
    size_t count;
};

struct manifest {
    struct backup_list files;
    struct backup_taken taken;
    struct survey_result holds;
    char version[32];
};

static const struct backup_file *file_named(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->files.count; i++)
        if (strcmp(manifest->files.at[i].name, name) == 0)
            return &manifest->files.at[i];
    return NULL;
}

static void path_in(char out[PATH_BYTES], const char *folder, const char *name)
{
    snprintf(out, PATH_BYTES, "%s/%s", folder, name);
}

static bool list_add(void *self, const struct backup_file *file)
{
    struct backup_list *list = self;
    struct backup_file *grown = realloc(list->at, (list->count + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    list->at = grown;
    list->at[list->count++] = *file;
    return true;
}

static int refuse(const struct ctl *ctl, enum err err, const char *text)
{
    return ctl_fail(ctl, EXIT_REFUSED, err_name(err), "%s", text);
}

static int refuse_errno(const struct ctl *ctl, const char *path)
{
    return ctl_fail(ctl, EXIT_REFUSED, "io", "%s: %s", path, strerror(errno));
}

/* ---- folders and small files ---- */

/* Made if it is absent; refused unless it is empty. */
static int make_empty(const struct ctl *ctl, const char *folder)
{
    size_t entries = 0;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return refuse_errno(ctl, folder);
    DIR *list = opendir(folder);
    if (list == NULL)
        return refuse_errno(ctl, folder);
    while (readdir(list) != NULL)
        entries++;
    closedir(list);
    if (entries > 2) /* itself and the one above */
        return ctl_fail(ctl, EXIT_REFUSED, "not_empty", "%s: has something in it; name a folder that is empty or new",
                        folder);
    return EXIT_DONE;
}

/* Durable, under its name only when it is whole. */
static bool write_small(const char *folder, const char *name, const char *text, size_t bytes)
{
    char path[PATH_BYTES], fresh[PATH_BYTES + 8];
    path_in(path, folder, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good && rename(fresh, path) == 0 && ctl_sync_folder(folder);
}

/* ---- the manifest ---- */

static void put_holds(struct json_out *out, const struct survey_result *holds)
{
    json_open(out, '{');
    json_key(out, "jobs");
    json_put_int(out, holds->jobs);
    json_key(out, "scheduled");
    json_put_int(out, holds->scheduled);
    json_key(out, "tried");
    json_put_int(out, holds->tried);
    json_key(out, "oldest_at");
    json_put_time(out, holds->oldest_ms);
    json_close(out, '}');
}

static void put_manifest(struct json_out *out, const struct manifest *manifest)
{
    json_open(out, '{');
    json_key(out, "lineward_backup");
    json_put_int(out, MANIFEST_FORMAT);
    json_key(out, "version");
    json_put_string(out, LINEWARD_VERSION);
    json_key(out, "taken_at");
    json_put_time(out, manifest->taken.taken_ms);
    json_key(out, "last_batch");
    json_put_int(out, (int64_t)manifest->taken.last_batch);
    json_key(out, "bytes");
    json_put_int(out, (int64_t)manifest->taken.bytes);
    json_key(out, "holds");
    put_holds(out, &manifest->holds);
    json_key(out, "files");
    json_open(out, '[');
    for (size_t i = 0; i < manifest->files.count; i++) {
        const struct backup_file *file = &manifest->files.at[i];
        json_open(out, '{');
        json_key(out, "name");
        json_put_string(out, file->name);
        json_key(out, "bytes");
        json_put_int(out, (int64_t)file->bytes);
        json_key(out, "size");
        json_put_int(out, (int64_t)file->size);
        json_key(out, "xxh3_128");
        json_put_string(out, file->hash);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

static int64_t int_of(const cJSON *object, const char *name)
{
    const cJSON *value = json_get(object, name);
    return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < 9e15 ? (int64_t)value->valuedouble
                                                                                         : -1;
}

static bool time_of(const cJSON *object, const char *name, int64_t *out_ms)
{
    const cJSON *value = json_get(object, name);
    *out_ms = 0;
    return cJSON_IsNull(value) || (cJSON_IsString(value) && time_parse(value->valuestring, out_ms));
}

static bool file_of(const cJSON *json, struct backup_file *out)
{
    const cJSON *name = json_get(json, "name"), *hash = json_get(json, "xxh3_128");
    int64_t bytes = int_of(json, "bytes"), size = int_of(json, "size");
    if (!cJSON_IsString(name) || !backup_name_is_good(name->valuestring) || !cJSON_IsString(hash) ||
        strlen(hash->valuestring) != BACKUP_HASH_TEXT - 1 || bytes < 0 || size < bytes)
        return false;
    *out = (struct backup_file){.bytes = (uint64_t)bytes, .size = (uint64_t)size};
    snprintf(out->name, sizeof out->name, "%s", name->valuestring);
    memcpy(out->hash, hash->valuestring, sizeof out->hash);
    return true;
}

/* What is wrong with it; NULL: nothing. */
static const char *manifest_of(const cJSON *json, struct manifest *out)
{
    const cJSON *holds = json_get(json, "holds"), *file;
    int64_t format = int_of(json, "lineward_backup");
    out->holds.jobs = int_of(holds, "jobs");
    out->holds.tried = int_of(holds, "tried");
    out->holds.scheduled = int_of(holds, "scheduled");
    if (format > MANIFEST_FORMAT)
        return "made by a newer version of this program, which must be used";
    if (format != MANIFEST_FORMAT || !time_of(json, "taken_at", &out->taken.taken_ms) || out->taken.taken_ms == 0 ||
        !time_of(holds, "oldest_at", &out->holds.oldest_ms) || out->holds.jobs < 0 || out->holds.tried < 0 ||
        out->holds.scheduled < 0)
        return "is no backup's manifest";
    cJSON_ArrayForEach(file, json_get(json, "files"))
    {
        struct backup_file found;
        if (!file_of(file, &found))
            return "names a file that no backup has";
        if (!list_add(&out->files, &found))
            return "is too large for the memory that there is";
    }
    return file_named(out, "store") != NULL ? NULL : "does not name all that a store needs";
}

static int read_manifest(const struct ctl *ctl, const char *folder, struct manifest *out)
{
    char path[PATH_BYTES];
    char *text = NULL;
    size_t room = 0;
    path_in(path, folder, MANIFEST);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? ctl_fail(ctl, EXIT_REFUSED, "not_found",
                                          "%s: not there: no backup, or one that was not finished", path)
                               : refuse_errno(ctl, path);
    ssize_t got = getdelim(&text, &room, '\0', file);
    fclose(file);
    cJSON *json = got > 0 && (size_t)got < MANIFEST_BYTES_MAX ? json_parse(text, (size_t)got, NULL) : NULL;
    const char *wrong = json == NULL ? "is no JSON" : manifest_of(json, out);
    cJSON_Delete(json);
    free(text);
    return wrong == NULL ? EXIT_DONE : ctl_fail(ctl, EXIT_REFUSED, "damaged", "%s: %s", path, wrong);
}

/* ---- backup ---- */

/* Every byte is read back, by the checksums that the store itself goes by. */
static enum err verify(const char *folder, int64_t at_ms, struct survey_result *holds, struct store_problem *problem)
{
    struct survey survey = {0};
    struct store_check check;
    enum err err = store_inspect(folder, record_kinds(), &check, survey_record, &survey, NULL, problem);
    if (err == ERR_NONE && survey.failed)
        err = ERR_NO_MEMORY;
    survey_end(&survey, at_ms, holds);
    return err;
}

/* A file of the backup that is none of it: looking at it has made it. */
static void remove_lock(const char *folder)
{
    char lock[PATH_BYTES];
    path_in(lock, folder, LOCK);
    unlink(lock);
}

static int print_backup(const struct ctl *ctl, const char *target, const struct manifest *manifest)
{
    char jobs[32], bytes[32], at[TIME_TEXT_MAX], oldest[TIME_TEXT_MAX];
    if (ctl->json) {
        struct json_out out = {0};
        put_manifest(&out, manifest);
        ctl_print_json(ctl, &out);
        return EXIT_DONE;
    }
    count_format(manifest->holds.jobs, jobs, sizeof jobs);
    count_format((int64_t)manifest->taken.bytes, bytes, sizeof bytes);
    time_format(manifest->taken.taken_ms, at);
    fprintf(ctl->out, "%s: as of %s, %s bytes in %" PRIu64 " files, every checksum read back\n", target, at, bytes,
            manifest->taken.files);
    fprintf(ctl->out, "%s jobs wait", jobs);
    if (manifest->holds.jobs > 0) {
        time_format(manifest->holds.oldest_ms, oldest);
        fprintf(ctl->out,
                ", the oldest accepted at %s; %" PRId64 " not due yet, %" PRId64 " under way or of unknown outcome",
                oldest, manifest->holds.scheduled, manifest->holds.tried);
    }
    fprintf(ctl->out,
            "\nIt holds numbers, messages and the key of the store's hashes: keep it as safe as the store.\n"
            "Not in it: the configuration, tokens, API keys, secrets and CURVE keys.\n");
    return EXIT_DONE;
}

static int make_backup(const struct ctl *ctl, const char *store, const char *target, struct manifest *manifest)
{
    struct store_problem problem = {""};
    struct json_out text = {0};
    enum err err = store_backup(store, target, list_add, &manifest->files, &manifest->taken, &problem);
    if (err == ERR_NONE)
        err = verify(target, manifest->taken.taken_ms, &manifest->holds, &problem);
    if (err != ERR_BUSY)
        remove_lock(target);
    if (err != ERR_NONE)
        return refuse(ctl, err, problem.text);
    put_manifest(&text, manifest);
    bool written = !text.failed && write_small(target, MANIFEST, text.text, text.bytes);
    json_out_free(&text);
    return written ? print_backup(ctl, target, manifest) : refuse_errno(ctl, target);
}

/* As the kernel finds it: where `path` is, or will be made. NULL: nowhere. */
static char *place_of(const char *path)
{
    char *place = realpath(path, NULL);
    if (place != NULL || errno != ENOENT)
        return place;
    char *copy = strdup(path);
    place = copy == NULL ? NULL : realpath(dirname(copy), NULL);
    free(copy);
    return place;
}

/* A folder that cannot be found is refused by what opens it. */
static bool lies_within(const char *path, const char *folder)
{
    char *inner = place_of(path), *outer = realpath(folder, NULL);
    size_t bytes = outer == NULL ? 0 : strlen(outer);
    bool within = inner != NULL && outer != NULL && strncmp(inner, outer, bytes) == 0 &&
                  (inner[bytes] == '\0' || inner[bytes] == '/');
    free(inner);
    free(outer);
    return within;
}

int command_backup(const struct ctl *ctl, const struct args *args)
{
    const char *target = args->positional[0], *store = args_option(args, "store"),
               *file = args_option(args, "config");
    struct conf *conf = NULL;
    struct conf_problem problem;
    if ((store == NULL) == (file == NULL))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "say where the store is: --config FILE or --store PATH");
    if (file != NULL && conf_load(&conf, file, NULL, 0, &problem) != ERR_NONE)
        return ctl_fail(ctl, EXIT_REFUSED, "config", "%s", problem.text);
    struct manifest manifest = {0};
    int code = EXIT_DONE;
    if (store == NULL)
        store = conf->store.path;
    if (lies_within(target, store))
        code = ctl_fail(ctl, EXIT_REFUSED, "in_store",
                        "%s: is within the store's folder, and what takes that away takes the backup with it", target);
    if (code == EXIT_DONE)
        code = make_empty(ctl, target);
    if (code == EXIT_DONE)
        code = make_backup(ctl, store, target, &manifest);
    free(manifest.files.at);
    conf_free(&conf);
    return code;
}

/* ---- restore ---- */

static void say_what_follows(const struct ctl *ctl, const struct manifest *manifest, int64_t life_ms)
{
    char jobs[32], at[TIME_TEXT_MAX], oldest[TIME_TEXT_MAX];
    int64_t age_ms = clock_read().wall_ms - manifest->taken.taken_ms;
    count_format(manifest->holds.jobs, jobs, sizeof jobs);
    time_format(manifest->taken.taken_ms, at);
    fprintf(ctl->err, "The backup is of %s.\n%s jobs wait in it", at, jobs);
    if (manifest->holds.jobs > 0) {
        time_format(manifest->holds.oldest_ms, oldest);
        fprintf(ctl->err, ", the oldest accepted at %s; %" PRId64 " were under way or of unknown outcome", oldest,
                manifest->holds.tried);
    }
    fprintf(ctl->err, ".\nEach may have been sent since. ");
    if (age_ms > life_ms)
        fprintf(
            ctl->err,
            "The backup is older than the provider's memory of keys (--key-life): they are held as outcome_unknown\n"
            "until a person settles them, but for those that fell due less than that ago.\n");
    else
        fprintf(ctl->err, "They go out with the same idempotency key, which the provider answers\n"
                          "with its first answer; those that it has forgotten by then would be sent twice.\n");
    fprintf(ctl->err,
            "Lost: jobs acknowledged since (not sent, if they were not sent by then; producers that repeat them\n"
            "with their ids get them sent anew, under a new key); cancellations, opt-outs, pauses and settings made\n"
            "since. Everything is paused when the broker starts: look first, then `linewardctl resume all`.\n");
}

/* As root, what belongs to the folder's owner. */
static void own_like(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    struct stat owner;
    path_in(path, folder, name);
    if (geteuid() == 0 && stat(folder, &owner) == 0 && lchown(path, owner.st_uid, owner.st_gid) != 0)
        return; /* the broker will say that it cannot open it */
}

static enum err restore_one(const char *from, const char *to, const struct backup_file *file,
                            struct store_problem *problem)
{
    enum err err = backup_file_restore(from, to, file, problem);
    own_like(to, file->name);
    return err;
}

/* The store's file last: without it no broker starts on what is not whole. */
static enum err restore_files(const char *from, const char *to, const struct manifest *manifest,
                              struct store_problem *problem)
{
    enum err err = ERR_NONE;
    const struct backup_file *last = file_named(manifest, "store");
    for (size_t i = 0; i < manifest->files.count && err == ERR_NONE; i++) {
        const struct backup_file *file = &manifest->files.at[i];
        if (file != last && strcmp(file->name, BACKUP_MARKER) != 0)
            err = restore_one(from, to, file, problem);
    }
    return err == ERR_NONE ? restore_one(from, to, last, problem) : err;
}

/* What was backed up may have been restored itself, and no broker have started on it: then what waits may have been sent
 * since the first backup was taken. */
static int take_first(const struct ctl *ctl, const char *from, struct manifest *manifest)
{
    struct restored first;
    if (file_named(manifest, BACKUP_MARKER) == NULL)
        return EXIT_DONE;
    enum err err = restored_read(from, &first);
    if (err != ERR_NONE)
        return ctl_fail(ctl, EXIT_REFUSED, err_name(err), "%s/" BACKUP_MARKER ": can't be read", from);
    if (first.taken_ms < manifest->taken.taken_ms)
        manifest->taken.taken_ms = first.taken_ms;
    return EXIT_DONE;
}

static bool mark_restored(const char *to, const struct manifest *manifest, int64_t life_ms)
{
    char text[128];
    int bytes = snprintf(text, sizeof text, "lineward restored 1\ntaken_ms %" PRId64 "\nkey_life_ms %" PRId64 "\n",
                         manifest->taken.taken_ms, life_ms);
    bool good = write_small(to, BACKUP_MARKER, text, (size_t)bytes);
    own_like(to, BACKUP_MARKER);
    return good;
}

static int do_restore(const struct ctl *ctl, const char *from, const char *to, const struct manifest *manifest,
                      int64_t life_ms)
{
    struct store_problem problem = {""};
    struct survey_result holds;
    const struct backup_file *first = file_named(manifest, BACKUP_MARKER);
    enum err err = first != NULL ? restore_one(from, to, first, &problem) : ERR_NONE; /* for its sum's sake */
    if (err != ERR_NONE)
        return refuse(ctl, err, problem.text);
    if (!mark_restored(to, manifest, life_ms))
        return refuse_errno(ctl, to);
    err = restore_files(from, to, manifest, &problem);
    if (err == ERR_NONE)
        err = verify(to, manifest->taken.taken_ms, &holds, &problem);
    own_like(to, LOCK); /* it stays: a broker may have begun here, and hold it */
    if (err == ERR_NONE && !ctl_sync_folder(to))
        return refuse_errno(ctl, to);
    if (err != ERR_NONE)
        return refuse(ctl, err, problem.text);
    if (ctl->json)
        return EXIT_DONE;
    fprintf(ctl->out, "%s: restored and checked; start the broker\n", to);
    return EXIT_DONE;
}

static void print_restore_json(const struct ctl *ctl, const struct manifest *manifest, const char *to,
                               int64_t life_ms, bool done)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "restored");
    json_put_string(&out, done ? to : NULL);
    json_key(&out, "taken_at");
    json_put_time(&out, manifest->taken.taken_ms);
    json_key(&out, "holds");
    put_holds(&out, &manifest->holds);
    json_key(&out, "held_as_unknown");
    json_put_bool(&out, clock_read().wall_ms - manifest->taken.taken_ms > life_ms);
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

int command_restore(const struct ctl *ctl, const struct args *args)
{
    const char *from = args->positional[0], *to = args_option(args, "to"), *life = args_option(args, "key-life");
    bool dry = args_flag(args, "dry-run");
    int64_t life_ms = KEY_LIFE_DEFAULT_MS;
    if (to == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "say where to: --to FOLDER, which store.path names");
    if (life != NULL && !duration_parse(life, &life_ms))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--key-life: %s is no duration such as 24h", life);
    struct manifest manifest = {0};
    int code = read_manifest(ctl, from, &manifest);
    if (code == EXIT_DONE)
        code = take_first(ctl, from, &manifest);
    if (code == EXIT_DONE && !ctl->json)
        say_what_follows(ctl, &manifest, life_ms);
    if (code == EXIT_DONE && !dry)
        code = make_empty(ctl, to);
    if (code == EXIT_DONE && !dry)
        code = do_restore(ctl, from, to, &manifest, life_ms);
    if (code == EXIT_DONE && ctl->json)
        print_restore_json(ctl, &manifest, to, life_ms, !dry);
    free(manifest.files.at);
    return code;
}
