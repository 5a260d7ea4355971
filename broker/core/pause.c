/* pause.c — the operator's pauses: several may lie on one thing, and it goes on when none is left. */
#include <string.h>

#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/pause.h"
#include "broker/core/turns.h"

/* Pauses name their target so that it survives a restart: digits of a line, number of a name. */
static bool target_of(const struct core *core, enum pause_scope scope, uint64_t given, uint64_t *target)
{
    *target = given;
    if (scope == PAUSE_ALL)
        *target = 0;
    else if (scope == PAUSE_LINE)
        return line_find(core, given) != NO_LINE;
    else if (scope == PAUSE_POOL && given < core->pool_count)
        *target = core->pools[given].name;
    else if (scope == PAUSE_ACCOUNT && given < core->account_count)
        *target = core->accounts[given].name;
    else
        return false;
    return true;
}

static void touch_all(struct core *core, enum pause_scope scope, uint32_t at, struct instant now,
                       struct effects *out)
{
    for (uint32_t l = 0; l < core->line_count; l++) {
        const struct line *line = &core->lines[l];
        bool meant = scope == PAUSE_ALL || (scope == PAUSE_POOL && line->pool == at) ||
                     (scope == PAUSE_ACCOUNT && line->account == at);
        if (!meant)
            continue;
        turns_touch_line(core, l, now);
        if (leases_must_stop(core, l))
            leases_revoke_line(core, l, now, out);
    }
}

static uint32_t pool_by_name(const struct core *core, uint64_t name)
{
    for (uint32_t p = 0; p < core->pool_count; p++)
        if (core->pools[p].name == name)
            return p;
    return NO_POOL;
}

static uint32_t account_by_name(const struct core *core, uint64_t name)
{
    for (uint32_t a = 0; a < core->account_count; a++)
        if (core->accounts[a].name == name)
            return a;
    return UINT32_MAX;
}

/* What the pause lies on: its count and its index. NULL: nothing that is here. */
static uint32_t *count_of(struct core *core, const struct change_pause *pause, uint32_t *at)
{
    switch ((enum pause_scope)pause->scope) {
    case PAUSE_ALL:
        return &core->pauses_all;
    case PAUSE_ACCOUNT:
        *at = account_by_name(core, pause->target);
        return *at == UINT32_MAX ? NULL : &core->accounts[*at].pauses;
    case PAUSE_POOL:
        *at = pool_by_name(core, pause->target);
        return *at == NO_POOL ? NULL : &core->pools[*at].pauses;
    case PAUSE_LINE:
        *at = line_find(core, pause->target);
        return *at == NO_LINE ? NULL : &core->lines[*at].pauses;
    case PAUSE_CAMPAIGN:
    case PAUSE_CONVERSATION:
    case PAUSE_SCOPE_COUNT:
        break;
    }
    return NULL;
}

void pause_count(struct core *core, const struct change_pause *pause)
{
    uint32_t at = 0;
    uint32_t *count = count_of(core, pause, &at);
    if (count != NULL)
        (*count)++;
}

/* The pause begins (delta 1) or ends (-1) to count. */
static void apply(struct core *core, const struct change_pause *pause, int delta, struct instant now,
                  struct effects *out)
{
    uint32_t at = 0;
    uint32_t *count = count_of(core, pause, &at);
    if (count == NULL)
        return;
    *count += (uint32_t)delta;
    if (pause->scope == PAUSE_LINE)
        gate_update(core, at, now, out);
    else if (*count == (delta > 0 ? 1u : 0u))
        touch_all(core, (enum pause_scope)pause->scope, at, now, out);
}

void pause_record(struct core *core, const struct change_pause *pause, bool news, struct instant now,
                  struct effects *out)
{
    struct change_pause *value = &core->pause_changes[core->pause_change_next++ % core->limits.pauses_max];
    *value = *pause; /* its slot may be another pause's before this is encoded */
    struct change *change = change_add(out, CHANGE_PAUSE);
    change->pause = value;
    if (pause->scope == PAUSE_POOL && news)
        change_mark(core, change, pause->over ? TOPIC_POOL_RESUMED : TOPIC_POOL_PAUSED, now);
    else
        change->event.at_ms = now.wall_ms;
}

static void copy_text(char *to, size_t room, const char *from)
{
    size_t bytes = from == NULL ? 0 : strlen(from);
    if (bytes >= room)
        bytes = room - 1;
    memcpy(to, from == NULL ? "" : from, bytes);
    to[bytes] = '\0';
}

static uint32_t free_slot(const struct core *core)
{
    for (uint32_t p = 1; p < core->limits.pauses_max; p++)
        if (!core->pauses[p].used)
            return p;
    return 0;
}

void core_pause(struct core *core, const struct core_pause *ask, struct instant now, struct effects *out)
{
    uint64_t target = 0;
    uint32_t slot = free_slot(core);
    if (!target_of(core, ask->scope, ask->target, &target)) {
        effect_answer(out, ask->token, ask->scope == PAUSE_LINE ? CODE_UNKNOWN_LINE : CODE_NOT_FOUND);
        return;
    }
    if (slot == 0) {
        effect_answer(out, ask->token, CODE_BUSY);
        return;
    }
    struct pause *pause = &core->pauses[slot];
    memset(pause, 0, sizeof *pause);
    pause->used = true;
    pause->change.id = core->next_pause++;
    pause->change.scope = (uint8_t)ask->scope;
    pause->change.target = target;
    pause->change.since_ms = now.wall_ms;
    pause->change.until_ms = ask->for_ms > 0 ? now.wall_ms + ask->for_ms : 0;
    copy_text(pause->change.reason, sizeof pause->change.reason, ask->reason);
    copy_text(pause->change.by, sizeof pause->change.by, ask->by);
    if (pause->change.until_ms != 0)
        wall_timer(core, WALL_PAUSE, slot, pause->change.until_ms);
    pause_record(core, &pause->change, true, now, out);
    apply(core, &pause->change, 1, now, out);
    effect_answer(out, ask->token, CODE_NONE);
    out->effects[out->effect_count - 1].pause = pause->change.id;
}

static void lift(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct pause *pause = &core->pauses[slot];
    pause->used = false;
    wall_timer(core, WALL_PAUSE, slot, TIME_NEVER);
    pause->change.over = true;
    pause_record(core, &pause->change, true, now, out);
    apply(core, &pause->change, -1, now, out);
}

void core_resume(struct core *core, uint64_t token, enum pause_scope scope, uint64_t given, uint64_t id,
                 struct instant now, struct effects *out)
{
    uint64_t target = 0;
    unsigned lifted = 0;
    bool known = target_of(core, scope, given, &target);
    for (uint32_t p = 1; known && p < core->limits.pauses_max; p++) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (!core->pauses[p].used || pause->scope != scope || pause->target != target || (id != 0 && pause->id != id))
            continue;
        lift(core, p, now, out);
        lifted++;
    }
    effect_answer(out, token, lifted == 0 ? CODE_NOT_FOUND : CODE_NONE);
}

void pause_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    assert(core->pauses[slot].used);
    lift(core, slot, now, out);
}

void pause_restore(struct core *core, const struct change_pause *change, bool past)
{
    uint32_t slot = 0;
    if (change->id >= core->next_pause)
        core->next_pause = change->id + 1;
    for (uint32_t p = 1; p < core->limits.pauses_max && slot == 0; p++)
        if (core->pauses[p].used && core->pauses[p].change.id == change->id)
            slot = p;
    if (change->over) /* as history too: what it ended may still lie there as it began */
        core->pauses[slot].used = false;
    if (slot == 0)
        slot = free_slot(core);
    if (slot == 0 || past || change->over)
        return;
    core->pauses[slot].used = true;
    core->pauses[slot].change = *change;
}
