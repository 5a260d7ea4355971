/* curve_keys.c — see curve_keys.h. */
#include "curve_keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Z85_KEY_BYTES 40

static enum err fail(struct conf_problem *problem, enum err err, const char *key, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "%s: %s", key, what);
    return err;
}

static enum err read_key(char **out, const char *path, const char *key, struct conf_problem *problem)
{
    *out = conf_read_secret(path);
    if (*out == NULL)
        return fail(problem, ERR_IO, key, strerror(errno));
    if (strlen(*out) != Z85_KEY_BYTES)
        return fail(problem, ERR_BAD_INPUT, key, "must hold a key in Z85, 40 characters");
    return ERR_NONE;
}

enum err curve_keys_read(struct curve_keys *keys, const struct conf *conf, struct conf_problem *problem)
{
    const struct conf_worker *worker = &conf->worker;
    *keys = (struct curve_keys){NULL, NULL};
    if (worker->curve_secret_key_file == NULL)
        return ERR_NONE;
    if (worker->broker_public_key_file == NULL)
        return fail(problem, ERR_BAD_INPUT, "worker.broker_public_key_file", "needed with a secret key");
    enum err err = read_key(&keys->secret, worker->curve_secret_key_file, "worker.curve_secret_key_file", problem);
    if (err != ERR_NONE)
        return err;
    return read_key(&keys->broker, worker->broker_public_key_file, "worker.broker_public_key_file", problem);
}

void curve_keys_clear(struct curve_keys *keys)
{
    if (keys->secret != NULL)
        sodium_memzero(keys->secret, strlen(keys->secret));
    free(keys->secret);
    free(keys->broker);
    *keys = (struct curve_keys){NULL, NULL};
}
