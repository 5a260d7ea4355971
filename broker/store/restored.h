/* restored.h — the file that `linewardctl restore` leaves in the folder of a store that it made of a backup. The
 * first broker that starts on it takes it into account, writes that down, and removes the file. */
#ifndef LINEWARD_RESTORED_H
#define LINEWARD_RESTORED_H

#include <stdint.h>

#include "lineward/err.h"

struct restored {
    int64_t taken_ms, key_life_ms;
};

/* ERR_NOT_FOUND: the store is no restored one; ERR_DAMAGED, ERR_IO. */
enum err restored_read(const char *store_path, struct restored *out);
/* What it led to is durable. */
enum err restored_remove(const char *store_path);

#endif
