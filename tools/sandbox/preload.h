/* preload.h — chats that were there before, as a person asks for them: at the controls or in the configuration. Pure
 * but for memory. */
#ifndef SANDBOX_PRELOAD_H
#define SANDBOX_PRELOAD_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "tools/sandbox/world.h"

struct preload_result {
    uint32_t made, known; /* known: were there already */
    uint64_t next;        /* the first recipient's number that was not used */
    enum err err;         /* no room for so many: some were made */
};

/* NULL, or the member that is wrong, and then nothing changed. */
const char *sandbox_preload(struct world *world, const cJSON *body, int64_t now_wall_ms, struct preload_result *out);

#endif
