/* keys.c — see keys.h: reading keys and what a client's key is good for. The folder of them is in key_ring.c. */
#include "lineward/keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#define MODE_BITS 07777u

static enum err fail(struct conf_problem *problem, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err fail(struct conf_problem *problem, enum err err, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(problem->text, sizeof problem->text, format, values);
    va_end(values);
    return err;
}

bool key_text_is_valid(const char *text)
{
    uint8_t key[KEY_BYTES];
    char again[KEY_TEXT_BYTES + 1];
    bool valid = strlen(text) == KEY_TEXT_BYTES && zmq_z85_decode(key, text) != NULL &&
                 zmq_z85_encode(again, key, sizeof key) != NULL && strcmp(text, again) == 0;
    explicit_bzero(key, sizeof key);
    explicit_bzero(again, sizeof again);
    return valid;
}

bool key_pair_make(struct key_pair *out)
{
    return zmq_curve_keypair(out->public, out->secret) == 0;
}

void key_pair_clear(struct key_pair *pair)
{
    explicit_bzero(pair, sizeof *pair);
}

bool secret_mode_is_safe(unsigned mode)
{
    return (mode & (S_IWGRP | S_IRWXO)) == 0;
}

static enum err check_mode(const char *path, const char *what, struct conf_problem *problem)
{
    struct stat file;
    if (stat(path, &file) != 0)
        return fail(problem, ERR_IO, "%s: %s: %s", what, path, strerror(errno));
    if (!secret_mode_is_safe(file.st_mode))
        return fail(problem, ERR_BAD_INPUT,
                    "%s: %s: its mode is %04o, so others than its owner can read or change it: chmod 600", what, path,
                    file.st_mode & MODE_BITS);
    return ERR_NONE;
}

/* *out is to be freed with free_text(), also on error. */
static enum err read_key_text(const char *path, const char *what, char **out, struct conf_problem *problem)
{
    *out = conf_read_secret(path);
    if (*out == NULL)
        return fail(problem, ERR_IO, "%s: %s: %s", what, path, errno == EINVAL ? "is empty" : strerror(errno));
    if (!key_text_is_valid(*out))
        return fail(problem, ERR_BAD_INPUT,
                    "%s: %s:1: must be a key in Z85, 40 characters; `linewardctl keygen` makes one", what, path);
    return ERR_NONE;
}

static void free_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

enum err key_pair_read(const char *path, const char *what, struct key_pair *out, struct conf_problem *problem)
{
    char *text = NULL;
    struct key_pair pair = {.secret = ""};
    enum err err = check_mode(path, what, problem);
    if (err == ERR_NONE)
        err = read_key_text(path, what, &text, problem);
    if (err == ERR_NONE) {
        memcpy(pair.secret, text, sizeof pair.secret);
        if (zmq_curve_public(pair.public, pair.secret) == 0)
            *out = pair;
        else
            err = fail(problem, ERR_BAD_INPUT, "%s: libzmq was built without CURVE", what);
    }
    key_pair_clear(&pair);
    free_text(text);
    return err;
}

enum err key_public_read(const char *path, const char *what, char out[KEY_TEXT_BYTES + 1],
                         struct conf_problem *problem)
{
    char *text = NULL;
    enum err err = read_key_text(path, what, &text, problem);
    if (err == ERR_NONE)
        memcpy(out, text, KEY_TEXT_BYTES + 1);
    free_text(text);
    return err;
}

/* ---- what a key is good for ---- */

static const char *const role_names[] = {
    [KEY_PRODUCER] = "producer", [KEY_WORKER] = "worker", [KEY_FOLLOWER] = "follower"};
_Static_assert(sizeof role_names / sizeof *role_names == KEY_ROLES, "name every role");

const char *key_role_name(enum key_role role)
{
    return role < KEY_ROLES ? role_names[role] : "?";
}

bool key_role_parse(const char *text, enum key_role *out)
{
    for (enum key_role role = 0; role < KEY_ROLES; role++) {
        if (strcmp(text, role_names[role]) == 0) {
            *out = role;
            return true;
        }
    }
    return false;
}

bool key_pools_are_valid(const char *pools)
{
    char name[NAME_MAX_BYTES + 1];
    if (strcmp(pools, "*") == 0)
        return true;
    if (strlen(pools) > KEY_POOLS_BYTES_MAX)
        return false;
    for (;; pools++) {
        size_t bytes = strcspn(pools, ",");
        if (bytes > NAME_MAX_BYTES)
            return false;
        memcpy(name, pools, bytes);
        name[bytes] = '\0';
        if (!name_is_valid(name))
            return false;
        pools += bytes;
        if (*pools == '\0')
            return true;
    }
}

const char *key_grant_parse(char *line, struct key_grant *out)
{
    char *rest = NULL;
    const char *key = strtok_r(line, " \t\r\n", &rest);
    const char *role = strtok_r(NULL, " \t\r\n", &rest);
    const char *pools = strtok_r(NULL, " \t\r\n", &rest);
    const char *beyond = strtok_r(NULL, " \t\r\n", &rest);
    struct key_grant grant = {.role = KEY_PRODUCER};
    if (role == NULL || beyond != NULL)
        return "one line is needed: public-key-in-Z85 role pools";
    if (!key_text_is_valid(key))
        return "the public key must be 40 characters of Z85";
    if (!key_role_parse(role, &grant.role))
        return "the role must be producer, worker or follower";
    if (pools != NULL && !key_pools_are_valid(pools))
        return "the pools must be * or names with commas between them";
    if (grant.role == KEY_FOLLOWER && pools != NULL && strcmp(pools, "*") != 0)
        return "a follower's key cannot be limited to pools: it hears of all, so say * or none";
    memcpy(grant.key, key, sizeof grant.key);
    bool all = pools != NULL && strcmp(pools, "*") == 0;
    if (!all && (grant.pools = strdup(pools == NULL ? "" : pools)) == NULL)
        return "out of memory";
    *out = grant;
    return NULL;
}
