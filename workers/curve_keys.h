/* curve_keys.h — what a worker needs to speak CURVE with its brokers. */
#ifndef LINEWARD_CURVE_KEYS_H
#define LINEWARD_CURVE_KEYS_H

#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/keys.h"

struct curve_keys {
    bool in_force;
    struct key_pair own;
    char broker[KEY_TEXT_BYTES + 1];
};

/* Reads the key files that the configuration names. Else *problem says which file lacks what; `keys` is to be cleared
 * in any case. */
enum err curve_keys_read(struct curve_keys *keys, const struct conf *conf, struct conf_problem *problem);
void curve_keys_clear(struct curve_keys *keys);

#endif
