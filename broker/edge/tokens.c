/* tokens.c — the token file, and finding a token by its hash. */
#include "broker/edge/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_BYTES     32
#define LINE_BYTES_MAX (TOKEN_POOLS_BYTES_MAX + 512)

struct entry {
    unsigned char hash[HASH_BYTES];
    struct grant grant;
};

struct table {
    struct entry *entries;
    size_t count, room;
};

struct tokens {
    atomic_uint generation;
    pthread_rwlock_t lock;
    struct table table;
    struct table next; /* prepared; the owner's */
    bool has_next;
};

static const char *const role_names[] = {
    [ROLE_PRODUCER] = "producer", [ROLE_VIEWER] = "viewer", [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin"};
_Static_assert(sizeof role_names / sizeof *role_names == ROLE_COUNT, "name every role");

const char *role_name(enum role role)
{
    return role < ROLE_COUNT ? role_names[role] : "?";
}

static bool role_parse(const char *text, enum role *out)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (strcmp(text, role_names[role]) == 0) {
            *out = role;
            return true;
        }
    }
    return false;
}

void grant_free(struct grant *grant)
{
    free(grant->pools);
    *grant = (struct grant){0};
}

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        grant_free(&table->entries[i].grant);
    free(table->entries);
    *table = (struct table){0};
}

/* ---- reading ---- */

static bool pools_are_valid(const char *list)
{
    char name[NAME_MAX_BYTES + 1];
    for (const char *at = list;; at++) {
        size_t bytes = strcspn(at, ",");
        if (bytes > NAME_MAX_BYTES)
            return false;
        memcpy(name, at, bytes);
        name[bytes] = '\0';
        if (!name_is_valid(name))
            return false;
        at += bytes;
        if (*at == '\0')
            return true;
    }
}

static bool hash_parse(const char *text, unsigned char out[HASH_BYTES])
{
    size_t bytes = 0;
    const char *end = NULL;
    return strlen(text) == 2 * (size_t)HASH_BYTES &&
           sodium_hex2bin(out, HASH_BYTES, text, 2 * (size_t)HASH_BYTES, NULL, &bytes, &end) == 0 &&
           bytes == HASH_BYTES;
}

static struct entry *table_room(struct table *table)
{
    if (table->count == table->room) {
        size_t room = table->room == 0 ? 16 : 2 * table->room;
        struct entry *entries = realloc(table->entries, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        table->entries = entries;
        table->room = room;
    }
    return &table->entries[table->count];
}

/* Adds what a line says; NULL, or what is wrong with it. */
static const char *add_line(struct table *table, char *line)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t", &rest);
    const char *role = strtok_r(NULL, " \t", &rest);
    const char *pools = strtok_r(NULL, " \t", &rest);
    const char *hash = strtok_r(NULL, " \t", &rest);
    const char *beyond = strtok_r(NULL, " \t", &rest);
    struct entry entry = {0};
    if (hash == NULL || beyond != NULL)
        return "a line is: name role pools blake2b-256-hex";
    if (!name_is_valid(name))
        return "the name must match [A-Za-z0-9_.-]{1,64}";
    if (!role_parse(role, &entry.grant.role))
        return "the role must be producer, viewer, operator or admin";
    if (strcmp(pools, "*") != 0 && !pools_are_valid(pools))
        return "the pools must be * or names with commas between them";
    if (!hash_parse(hash, entry.hash))
        return "the hash must be 64 hex digits";
    if (table->count == TOKENS_MAX)
        return "there are too many tokens";
    struct entry *added = table_room(table);
    if (added == NULL)
        return "out of memory";
    memcpy(entry.grant.name, name, strlen(name) + 1);
    if (strcmp(pools, "*") != 0 && (entry.grant.pools = strdup(pools)) == NULL)
        return "out of memory";
    *added = entry;
    table->count++;
    return NULL;
}

static enum err read_lines(FILE *file, const char *path, struct table *table, struct tokens_problem *problem)
{
    char line[LINE_BYTES_MAX];
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        const char *wrong = strchr(line, '\n') == NULL && !feof(file) ? "the line is too long" : NULL;
        line[strcspn(line, "#\r\n")] = '\0';
        if (wrong == NULL && line[strspn(line, " \t")] != '\0')
            wrong = add_line(table, line);
        if (wrong != NULL) {
            snprintf(problem->text, sizeof problem->text, "%s:%u: %s", path, number, wrong);
            return ERR_BAD_INPUT;
        }
    }
    return ferror(file) ? ERR_IO : ERR_NONE;
}

static enum err read_file(const char *path, struct table *out, struct tokens_problem *problem)
{
    struct table table = {0};
    FILE *file = fopen(path, "re");
    enum err err = file != NULL ? ERR_NONE : errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (file != NULL) {
        err = read_lines(file, path, &table, problem);
        (void)fclose(file);
    }
    if (err == ERR_IO || err == ERR_NOT_FOUND)
        snprintf(problem->text, sizeof problem->text, "%s: cannot be read: %s", path, strerror(errno));
    if (err != ERR_NONE) {
        table_free(&table);
        return err;
    }
    *out = table;
    return ERR_NONE;
}

/* ---- the first token ---- */

static bool write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text += written;
        bytes -= (size_t)written;
    }
    return true;
}

/* A file of our own, never somebody's link: what stood there before is removed, not written into. */
static bool write_secret(const char *path, const char *text, struct tokens_problem *problem)
{
    bool ok = unlink(path) == 0 || errno == ENOENT;
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    ok = fd >= 0 && write_all(fd, text, strlen(text)) && fsync(fd) == 0;
    if (!ok)
        snprintf(problem->text, sizeof problem->text, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok;
}

static void hash_token(const char *token, unsigned char out[HASH_BYTES])
{
    crypto_generichash(out, HASH_BYTES, (const unsigned char *)token, strlen(token), NULL, 0);
}

/* Whole or not at all: an empty one that a full disk left there would let nobody in, at any further start. */
static bool write_whole(const char *path, const char *text, struct tokens_problem *problem)
{
    char *new = NULL;
    if (asprintf(&new, "%s.new", path) < 0)
        return false;
    bool ok = write_secret(new, text, problem);
    if (ok && rename(new, path) != 0) {
        snprintf(problem->text, sizeof problem->text, "%s: cannot be written: %s", path, strerror(errno));
        ok = false;
    }
    if (!ok)
        unlink(new);
    free(new);
    return ok;
}

/* The plain token goes first: a crash in between leaves no token file, and the next start makes a new pair. */
static enum err make_first(const char *path, struct tokens_problem *problem)
{
    unsigned char bits[24], hash[HASH_BYTES];
    char token[64], plain[80], hex[2 * HASH_BYTES + 1], line[160];
    char *first = NULL;
    randombytes_buf(bits, sizeof bits);
    char encoded[sodium_base64_ENCODED_LEN(sizeof bits, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    sodium_bin2base64(encoded, sizeof encoded, bits, sizeof bits, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(token, sizeof token, "lw_%s", encoded);
    snprintf(plain, sizeof plain, "%s\n", token);
    hash_token(token, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof line, "first admin * %s\n", hex);
    enum err err = ERR_NONE;
    if (asprintf(&first, "%s.first", path) < 0)
        return ERR_NO_MEMORY;
    if (!write_secret(first, plain, problem) || !write_whole(path, line, problem))
        err = ERR_IO;
    sodium_memzero(bits, sizeof bits);
    sodium_memzero(encoded, sizeof encoded);
    sodium_memzero(token, sizeof token);
    sodium_memzero(plain, sizeof plain);
    free(first);
    return err;
}

/* ---- public ---- */

enum err tokens_open(struct tokens **out, const char *path, bool *made_first, struct tokens_problem *problem)
{
    *made_first = false;
    *problem = (struct tokens_problem){"out of memory"};
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL)
        return ERR_NO_MEMORY;
    pthread_rwlock_init(&tokens->lock, NULL);
    enum err err = sodium_init() >= 0 ? ERR_NONE : ERR_IO;
    if (err == ERR_NONE)
        err = read_file(path, &tokens->table, problem);
    if (err == ERR_NOT_FOUND) {
        err = make_first(path, problem);
        if (err == ERR_NONE)
            err = read_file(path, &tokens->table, problem);
        *made_first = err == ERR_NONE;
    }
    if (err == ERR_NONE)
        *out = tokens;
    else
        tokens_free(&tokens);
    return err;
}

void tokens_free(struct tokens **tokens_p)
{
    struct tokens *tokens = *tokens_p;
    if (tokens == NULL)
        return;
    *tokens_p = NULL;
    table_free(&tokens->table);
    table_free(&tokens->next);
    pthread_rwlock_destroy(&tokens->lock);
    free(tokens);
}

enum err tokens_prepare(struct tokens *tokens, const char *path, struct tokens_problem *problem)
{
    struct table table = {0};
    enum err err = read_file(path, &table, problem);
    table_free(&tokens->next);
    tokens->has_next = err == ERR_NONE;
    tokens->next = table;
    return err;
}

void tokens_commit(struct tokens *tokens)
{
    if (!tokens->has_next)
        return;
    pthread_rwlock_wrlock(&tokens->lock);
    struct table before = tokens->table;
    tokens->table = tokens->next;
    atomic_fetch_add(&tokens->generation, 1);
    pthread_rwlock_unlock(&tokens->lock);
    tokens->next = (struct table){0};
    tokens->has_next = false;
    table_free(&before);
}

unsigned tokens_generation(const struct tokens *tokens)
{
    return atomic_load(&tokens->generation);
}

static bool grant_copy(const struct grant *from, struct grant *out)
{
    struct grant copy = *from;
    if (from->pools != NULL && (copy.pools = strdup(from->pools)) == NULL)
        return false;
    *out = copy;
    return true;
}

bool tokens_find(struct tokens *tokens, const char *token, struct grant *out)
{
    unsigned char hash[HASH_BYTES];
    if (token[0] == '\0' || strlen(token) > TOKEN_BYTES_MAX)
        return false;
    hash_token(token, hash);
    const struct entry *found = NULL;
    pthread_rwlock_rdlock(&tokens->lock);
    for (size_t i = 0; i < tokens->table.count; i++) { /* all of them, whichever fits */
        const struct entry *entry = &tokens->table.entries[i];
        if (sodium_memcmp(hash, entry->hash, HASH_BYTES) == 0)
            found = entry;
    }
    bool ok = found != NULL && grant_copy(&found->grant, out);
    pthread_rwlock_unlock(&tokens->lock);
    return ok;
}
