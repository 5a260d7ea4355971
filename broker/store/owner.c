/* owner.c — see owner.h. */
#include "broker/store/owner.h"

#include "broker/store/record.h"

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    struct core_owner *owner = self;
    struct record_storage storage;
    struct change change;
    if (!record_decode(kind, key, seq, head, head_bytes, &storage, &change))
        return record_is_newer(kind, head, head_bytes) ? ERR_TOO_NEW : ERR_DAMAGED;
    return core_restore(owner->core, &change, past, place);
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct core_owner *owner = self;
    return core_is_live(owner->core, (enum change_kind)kind, key, place);
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    struct core_owner *owner = self;
    core_moved(owner->core, (enum change_kind)kind, key, from, to);
}

static void renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    struct core_owner *owner = self;
    struct effects *effects = owner->effects;
    core_renew(owner->core, (enum change_kind)kind, key, *owner->now, effects);
    for (size_t i = 0; i < effects->change_count; i++)
        if (record_add(batch, &effects->changes[i]) != ERR_NONE)
            *owner->out_of_memory = true;
    effects->change_count = 0;
}

static bool is_wanted(void *self, unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes)
{
    const struct core_owner *owner = self;
    struct record_storage storage;
    struct change change;
    return record_decode(kind, key, seq, head, head_bytes, &storage, &change) && core_wants(owner->core, &change);
}

struct store_owner core_owner(struct core_owner *owner)
{
    return (struct store_owner){
        .self = owner, .replay = replay, .is_live = is_live, .moved = moved, .renew = renew, .is_wanted = is_wanted};
}
