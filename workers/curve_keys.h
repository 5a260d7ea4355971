/* curve_keys.h — what a worker needs to speak CURVE with its brokers. */
#ifndef LINEWARD_CURVE_KEYS_H
#define LINEWARD_CURVE_KEYS_H

#include "lineward/conf.h"
#include "lineward/err.h"

struct curve_keys {
    char *secret, *broker; /* Z85; NULL: no CURVE */
};

/* Reads the key files that the configuration names. Without keys, brokers must be on this machine, unless the
 * configuration says `insecure` (PROTOCOL, Endpoints). Else *problem says which key lacks what; `keys` is to be
 * cleared in any case. */
enum err curve_keys_read(struct curve_keys *keys, const struct conf *conf, struct conf_problem *problem);
void curve_keys_clear(struct curve_keys *keys);

#endif
