/* identity.c — see identity.h. */
#include "broker/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEX_BYTES (2 * KEYED_HASH_KEY_BYTES + 1)

static enum err fail(struct identity_problem *problem, enum err err, const char *path, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "%s: %s", path, what);
    return err;
}

static enum err read_key(const char *path, struct keyed_hash *out, struct identity_problem *problem)
{
    char hex[HEX_BYTES + 1] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : fail(problem, ERR_IO, path, strerror(errno));
    ssize_t got = read(fd, hex, HEX_BYTES);
    close(fd);
    size_t bytes = 0;
    if (got < HEX_BYTES - 1 ||
        sodium_hex2bin(out->key, sizeof out->key, hex, HEX_BYTES - 1, NULL, &bytes, NULL) != 0 ||
        bytes != sizeof out->key)
        return fail(problem, ERR_DAMAGED, path, "is not the 32 hex digits that it was; restore it from a backup");
    return ERR_NONE;
}

static bool write_key(const char *path, const struct keyed_hash *hash)
{
    char hex[HEX_BYTES + 1];
    sodium_bin2hex(hex, sizeof hex, hash->key, sizeof hash->key);
    hex[HEX_BYTES - 1] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, hex, HEX_BYTES) == HEX_BYTES && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

enum err identity_open(const char *store_path, bool created, struct keyed_hash *out, struct identity_problem *problem)
{
    char path[4096];
    char fresh[4096 + 8];
    if (snprintf(path, sizeof path, "%s/identity", store_path) >= (int)sizeof path)
        return fail(problem, ERR_BAD_INPUT, store_path, "the path is too long");
    snprintf(fresh, sizeof fresh, "%s.new", path);
    enum err err = read_key(path, out, problem);
    if (err != ERR_NOT_FOUND)
        return err;
    if (!created)
        return fail(problem, ERR_DAMAGED, path,
                    "is missing, and without it the store's hashes mean nothing; restore it from a backup");
    randombytes_buf(out->key, sizeof out->key);
    if (!write_key(fresh, out) || rename(fresh, path) != 0 || !sync_folder(store_path))
        return fail(problem, ERR_IO, path, strerror(errno));
    return ERR_NONE;
}
