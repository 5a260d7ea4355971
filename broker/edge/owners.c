/* owners.c — see owners.h. */
#include "broker/edge/owners.h"

#include <stdio.h>
#include <string.h>

#include "broker/edge/lookup.h"

static const struct conf_pool *find_configured(const struct conf *conf, const char *name, uint32_t *at)
{
    for (size_t p = 0; p < conf->pool_count; p++) {
        if (strcmp(conf->pools[p].name, name) != 0 || conf->pools[p].gone)
            continue;
        *at = (uint32_t)p;
        return &conf->pools[p];
    }
    return NULL;
}

enum code owners_find_pool(const struct conf *conf, const struct cache_owners *told, const char *pools, const char *name,
                           uint32_t *pool, struct owner_place *out)
{
    struct cache_owner owner;
    *out = (struct owner_place){NULL, NULL};
    if (!name_in_list(pools, name))
        return CODE_UNKNOWN_POOL;
    const struct conf_pool *configured = find_configured(conf, name, pool);
    if (configured != NULL && !configured->elsewhere)
        return CODE_NONE;
    bool is_told = told != NULL && cache_owners_find(told, name, &owner);
    if (is_told && (configured == NULL || !owner.has_lapsed))
        *out = (struct owner_place){owner.producers, owner.admin};
    else if (configured != NULL)
        *out = (struct owner_place){configured->owner, configured->owner_admin};
    else
        return CODE_UNKNOWN_POOL;
    return CODE_NOT_OWNER;
}

void owners_say(const struct owner_place *place, char *out, size_t room)
{
    snprintf(out, room, "pool: another broker owns it, at %s", place->producers);
}
