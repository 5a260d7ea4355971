/* outcomes.c — see outcomes.h. */
#include "broker/core/outcomes.h"

static void record(struct core *core, uint16_t pool, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_OUTCOMES);
    change->outcomes = &core->outcomes[pool];
    change->event.at_ms = now.wall_ms;
}

const struct change_outcomes *core_outcomes(const struct core *core, uint32_t pool)
{
    uint16_t name = core->pools[pool].name;
    return name != 0 && core->outcomes[name].pool != 0 ? &core->outcomes[name] : NULL;
}

void core_outcomes_set(struct core *core, uint32_t pool, const struct change_outcomes *mark, struct instant now,
                       struct effects *out)
{
    uint16_t name = core->pools[pool].name;
    if (name == 0)
        return;
    core->outcomes[name] = *mark;
    core->outcomes[name].pool = name;
    record(core, name, now, out);
}

void outcomes_restore(struct core *core, const struct change_outcomes *mark)
{
    if (mark->pool != 0 && mark->pool < core->limits.names_max)
        core->outcomes[mark->pool] = *mark;
}

void outcomes_renew(struct core *core, uint16_t pool, struct instant now, struct effects *out)
{
    if (pool < core->limits.names_max && core->outcomes[pool].pool != 0)
        record(core, pool, now, out);
}
