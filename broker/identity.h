/* identity.h — what makes this store's hashes its own: a secret key drawn once, in the file `identity` beside the
 * journal. Without it nothing in the store could be found again, so its loss is an error, not a fresh start. */
#ifndef LINEWARD_BROKER_IDENTITY_H
#define LINEWARD_BROKER_IDENTITY_H

#include <stdbool.h>

#include "broker/edge/keyed_hash.h"
#include "lineward/err.h"

struct identity_problem {
    char text[4608]; /* a path and a sentence */
};

/* Reads it, or makes it durably when the store is new (`created`). */
enum err identity_open(const char *store_path, bool created, struct keyed_hash *out,
                       struct identity_problem *problem);

#endif
