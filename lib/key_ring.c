/* key_ring.c — the folder of authorised keys, read whole or not at all, and finding a key in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lineward/keys.h"

#define LINE_BYTES_MAX (KEY_POOLS_BYTES_MAX + 256)
#define SLOTS          (2 * KEY_ENTRIES_MAX) /* of the table that finds them: never more than half full */

struct key_ring {
    struct key_grant *grants; /* by name */
    size_t count, room;
    uint16_t slots[SLOTS]; /* 1 + index; 0: free */
};

void key_ring_free(struct key_ring **ring_p)
{
    struct key_ring *ring = *ring_p;
    *ring_p = NULL;
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->count; i++)
        free(ring->grants[i].pools);
    free(ring->grants);
    free(ring);
}

size_t key_ring_count(const struct key_ring *ring)
{
    return ring->count;
}

const struct key_grant *key_ring_at(const struct key_ring *ring, size_t index)
{
    return index < ring->count ? &ring->grants[index] : NULL;
}

/* Keys are random, unless their owner went out of the way; and then there are 4096 of them at most. */
static size_t slot_of(const struct key_ring *ring, const char *key)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = key; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    size_t slot = hash % SLOTS;
    while (ring->slots[slot] != 0 && strcmp(ring->grants[ring->slots[slot] - 1].key, key) != 0)
        slot = (slot + 1) % SLOTS;
    return slot;
}

const struct key_grant *key_ring_find(const struct key_ring *ring, const char *key)
{
    size_t at = ring->slots[slot_of(ring, key)];
    return at == 0 ? NULL : &ring->grants[at - 1];
}

/* ---- reading ---- */

struct reading {
    const char *dir;
    struct key_ring *ring;
    struct conf_problem *problem;
};

static enum err refuse(struct reading *reading, enum err err, const char *name, const char *what)
{
    snprintf(reading->problem->text, sizeof reading->problem->text, "%s/%s: %s", reading->dir, name, what);
    return err;
}

static bool is_key_file(const char *file)
{
    size_t bytes = strlen(file), ending = strlen(KEY_FILE_ENDING);
    return file[0] != '.' && bytes > ending && strcmp(file + bytes - ending, KEY_FILE_ENDING) == 0;
}

/* The file's one line that is not empty. */
static enum err read_line(struct reading *reading, const char *file_name, FILE *file, char line[LINE_BYTES_MAX])
{
    char next[LINE_BYTES_MAX];
    struct stat status;
    line[0] = '\0';
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode))
        return refuse(reading, ERR_BAD_INPUT, file_name, "must be a plain file");
    if ((status.st_mode & S_IWOTH) != 0)
        return refuse(reading, ERR_BAD_INPUT, file_name, "anybody may change it: chmod o-w");
    while (fgets(next, sizeof next, file) != NULL) {
        if (next[strspn(next, " \t\r\n")] == '\0')
            continue;
        if (line[0] != '\0')
            return refuse(reading, ERR_BAD_INPUT, file_name, "holds more than one line");
        if (strchr(next, '\n') == NULL && !feof(file))
            return refuse(reading, ERR_BAD_INPUT, file_name, "its line is too long");
        memcpy(line, next, strlen(next) + 1);
    }
    return ferror(file) ? refuse(reading, ERR_IO, file_name, "cannot be read") : ERR_NONE;
}

static enum err add(struct reading *reading, const char *file_name, struct key_grant *grant)
{
    struct key_ring *ring = reading->ring;
    char what[128];
    size_t slot = slot_of(ring, grant->key);
    if (ring->slots[slot] != 0) {
        snprintf(what, sizeof what, "its key is that of %s" KEY_FILE_ENDING " too: one file a key",
                 ring->grants[ring->slots[slot] - 1].name);
        return refuse(reading, ERR_BAD_INPUT, file_name, what);
    }
    if (ring->count == KEY_ENTRIES_MAX)
        return refuse(reading, ERR_FULL, file_name, "there are more than 4096 keys");
    if (ring->count == ring->room) {
        size_t room = ring->room == 0 ? 16 : 2 * ring->room;
        struct key_grant *grants = realloc(ring->grants, room * sizeof *grants);
        if (grants == NULL)
            return refuse(reading, ERR_NO_MEMORY, file_name, "out of memory");
        ring->grants = grants;
        ring->room = room;
    }
    ring->grants[ring->count++] = *grant;
    ring->slots[slot] = (uint16_t)ring->count;
    grant->pools = NULL; /* the ring's now */
    return ERR_NONE;
}

/* Does not wait for somebody who writes, should it be a pipe. */
static FILE *open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

static enum err read_file(struct reading *reading, const char *file_name)
{
    char path[4096], line[LINE_BYTES_MAX], what[256], name[NAME_MAX_BYTES + 1];
    struct key_grant grant = {.pools = NULL};
    size_t name_bytes = strlen(file_name) - strlen(KEY_FILE_ENDING);
    snprintf(name, sizeof name, "%.*s", (int)name_bytes, file_name);
    if (name_bytes > NAME_MAX_BYTES || !name_is_valid(name))
        return refuse(reading, ERR_BAD_INPUT, file_name,
                      "its name must be NAME.key, with 1 to 64 of A-Z a-z 0-9 _ . -");
    int bytes = snprintf(path, sizeof path, "%s/%s", reading->dir, file_name);
    FILE *file = bytes > 0 && (size_t)bytes < sizeof path ? open_file(path) : NULL;
    if (file == NULL)
        return refuse(reading, ERR_IO, file_name, strerror(errno));
    enum err err = read_line(reading, file_name, file, line);
    (void)fclose(file);
    if (err != ERR_NONE)
        return err;
    const char *wrong = key_grant_parse(line, &grant);
    if (wrong != NULL) {
        snprintf(what, sizeof what, "line 1: %s", wrong);
        return refuse(reading, ERR_BAD_INPUT, file_name, what);
    }
    memcpy(grant.name, name, sizeof grant.name);
    err = add(reading, file_name, &grant);
    free(grant.pools);
    return err;
}

static enum err refuse_folder(const struct reading *reading, enum err err, const char *what)
{
    snprintf(reading->problem->text, sizeof reading->problem->text, "%s: %s", reading->dir, what);
    return err;
}

static enum err read_files(struct reading *reading)
{
    struct dirent **files = NULL;
    struct stat status;
    enum err err = ERR_NONE;
    if (stat(reading->dir, &status) != 0)
        return refuse_folder(reading, ERR_IO, strerror(errno));
    if ((status.st_mode & S_IWOTH) != 0) /* whoever writes here is let in */
        return refuse_folder(reading, ERR_BAD_INPUT, "anybody may write into it: chmod o-w");
    int count =
        scandir(reading->dir, &files, NULL, alphasort); /* in order, so that the same one is named each time */
    if (count < 0)
        return refuse_folder(reading, ERR_IO, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (err == ERR_NONE && is_key_file(files[i]->d_name))
            err = read_file(reading, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    return err;
}

enum err key_ring_read(struct key_ring **out, const char *dir, struct conf_problem *problem)
{
    struct reading reading = {.dir = dir, .ring = calloc(1, sizeof(struct key_ring)), .problem = problem};
    if (reading.ring == NULL) {
        snprintf(problem->text, sizeof problem->text, "%s: out of memory", dir);
        return ERR_NO_MEMORY;
    }
    enum err err = read_files(&reading);
    if (err == ERR_NONE)
        *out = reading.ring;
    else
        key_ring_free(&reading.ring);
    return err;
}
