/* owners.c — see owners.h. */
#include "broker/edge/owners.h"

#include <stdio.h>
#include <string.h>

#include "broker/edge/lookup.h"

enum code owners_find_pool(const struct conf *conf, const char *pools, const char *name, uint32_t *pool,
                           struct owner_place *out)
{
    *out = (struct owner_place){NULL, NULL};
    for (size_t p = 0; p < conf->pool_count; p++) {
        const struct conf_pool *at = &conf->pools[p];
        if (strcmp(at->name, name) != 0 || at->gone || !name_in_list(pools, name))
            continue;
        *pool = (uint32_t)p;
        if (!at->elsewhere)
            return CODE_NONE;
        *out = (struct owner_place){at->owner, at->owner_admin};
        return CODE_NOT_OWNER;
    }
    return CODE_UNKNOWN_POOL;
}

void owners_say(const struct owner_place *place, char *out, size_t room)
{
    snprintf(out, room, "pool: another broker owns it, at %s", place->producers);
}
