/* curve_keys.c — see curve_keys.h. */
#include "curve_keys.h"

#include <string.h>

enum err curve_keys_read(struct curve_keys *keys, const struct conf *conf, struct conf_problem *problem)
{
    const struct conf_worker *worker = &conf->worker;
    memset(keys, 0, sizeof *keys);
    if (worker->curve_secret_key_file == NULL) /* then the other one is not there either: conf_check() */
        return ERR_NONE;
    enum err err = key_pair_read(worker->curve_secret_key_file, "worker.curve_secret_key_file", &keys->own, problem);
    if (err == ERR_NONE)
        err = key_public_read(worker->broker_public_key_file, "worker.broker_public_key_file", keys->broker, problem);
    keys->in_force = err == ERR_NONE;
    return err;
}

void curve_keys_clear(struct curve_keys *keys)
{
    key_pair_clear(&keys->own);
    memset(keys, 0, sizeof *keys);
}
