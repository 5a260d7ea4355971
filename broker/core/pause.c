/* pause.c — the operator's pauses: several may lie on one thing, and it goes on when none is left. */
#include <string.h>

#include "broker/core/campaign.h"
#include "broker/core/conversation.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/pause.h"
#include "broker/core/settle.h"
#include "broker/core/turns.h"

static uint64_t hash_of(enum pause_scope scope, uint64_t target)
{
    return target ^ (uint64_t)scope << 60;
}

static uint64_t key_of(const void *slots, uint32_t slot)
{
    const struct change_pause *pause = &((const struct pause *)slots)[slot].change;
    return hash_of((enum pause_scope)pause->scope, pause->target);
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct pause *)slots)[slot].next;
}

void index_pauses(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_pause, heads, heads_max, core->pauses, key_of, next_of);
}

/* Each that begins or ends turns the mark to another one, and back if that is undone. */
static void turn_mark(struct core *core, uint64_t id)
{
    uint64_t bits = id * UINT64_C(0x9E3779B97F4A7C15);
    core->pauses_mark ^= bits ^ bits >> 29;
}

uint64_t core_pauses_mark(const struct core *core)
{
    return core->pauses_mark;
}

uint32_t pause_find(const struct core *core, enum pause_scope scope, uint64_t target)
{
    uint64_t hash = hash_of(scope, target);
    uint32_t oldest = 0;
    for (uint32_t p = index_find(&core->by_pause, hash); p != 0; p = index_find_next(&core->by_pause, hash, p)) {
        const struct change_pause *pause = &core->pauses[p].change;
        bool meant = pause->scope == scope && pause->target == target;
        if (meant && (oldest == 0 || pause->id < core->pauses[oldest].change.id))
            oldest = p;
    }
    return oldest;
}

size_t pause_list(const struct core *core, enum pause_scope scope, uint64_t target, uint64_t *out, size_t room)
{
    uint64_t hash = hash_of(scope, target);
    size_t count = 0;
    for (uint32_t p = index_find(&core->by_pause, hash); p != 0 && count < room;
         p = index_find_next(&core->by_pause, hash, p)) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (pause->scope == scope && pause->target == target)
            out[count++] = pause->id;
    }
    return count;
}

int64_t pause_until_ms(const struct core *core, enum pause_scope scope, uint64_t target)
{
    uint64_t hash = hash_of(scope, target);
    int64_t until_ms = 0;
    for (uint32_t p = index_find(&core->by_pause, hash); p != 0; p = index_find_next(&core->by_pause, hash, p)) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (pause->scope != scope || pause->target != target)
            continue;
        if (pause->until_ms == 0)
            return 0;
        if (pause->until_ms > until_ms)
            until_ms = pause->until_ms;
    }
    return until_ms;
}

/* A campaign is one once a job named it in that pool, so that a pause does not lie on a misspelt name. */
static bool campaign_target(const struct core *core, uint64_t given, uint64_t *target)
{
    uint64_t pool = given >> 16;
    if (pool >= core->pool_count || campaign_find(core, core->pools[pool].name, (uint16_t)given) == NOBODY)
        return false;
    *target = (uint64_t)core->pools[pool].name << 16 | (uint16_t)given;
    return true;
}

/* Pauses name their target so that it survives a restart: digits of a line, number of a name, a hash. */
static bool target_of(const struct core *core, enum pause_scope scope, uint64_t given, uint64_t *target)
{
    *target = given;
    if (scope == PAUSE_ALL)
        *target = 0;
    else if (scope == PAUSE_LINE)
        return line_find(core, given) != NO_LINE;
    else if (scope == PAUSE_POOL && given < core->conf->pool_count)
        *target = core->pools[given].name;
    else if (scope == PAUSE_ACCOUNT && given < core->account_count)
        *target = core->accounts[given].name;
    else if (scope == PAUSE_CAMPAIGN)
        return campaign_target(core, given, target);
    else
        return scope == PAUSE_CONVERSATION && given != 0;
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
    for (uint32_t p = 0; p < core->pool_count; p = pool_after(core, p))
        if (core->pools[p].name == name)
            return p;
    return NO_POOL;
}

/* What the pause lies on: its count and its index. NULL: nothing that is here. */
static uint32_t *count_of(struct core *core, const struct change_pause *pause, uint32_t *at)
{
    switch ((enum pause_scope)pause->scope) {
    case PAUSE_ALL:
        return &core->pauses_all;
    case PAUSE_ACCOUNT:
        *at = core_account_named(core, pause->target);
        return *at == UINT32_MAX ? NULL : &core->accounts[*at].pauses;
    case PAUSE_POOL:
        *at = pool_by_name(core, pause->target);
        return *at == NO_POOL ? NULL : &core->pools[*at].pauses;
    case PAUSE_LINE:
        *at = line_find(core, pause->target);
        return *at == NO_LINE ? NULL : &core->lines[*at].pauses;
    case PAUSE_CAMPAIGN: /* these two count in their own ways */
    case PAUSE_CONVERSATION:
    case PAUSE_SCOPE_COUNT:
        break;
    }
    return NULL;
}

static bool is_of_pools(const struct change_pause *pause)
{
    return pause->scope == PAUSE_POOL || pause->scope == PAUSE_ACCOUNT;
}

static void count_campaign(struct core *core, const struct change_pause *pause, int delta)
{
    uint32_t campaign = campaign_get(core, (uint16_t)(pause->target >> 16), (uint16_t)pause->target);
    if (campaign != NOBODY)
        campaign_pause(core, campaign, delta);
}

/* One that nobody has written to yet learns of it when it is made. */
static uint32_t count_conversation(struct core *core, const struct change_pause *pause, int delta)
{
    uint32_t at = conversation_find(core, pause->target);
    core->conversations_paused += (uint32_t)delta;
    if (at == NOBODY)
        return NOBODY;
    core->conversations[at].flags &= (uint8_t)~CONVERSATION_PAUSED;
    if (pause_find(core, PAUSE_CONVERSATION, pause->target) != 0)
        core->conversations[at].flags |= CONVERSATION_PAUSED;
    return at;
}

void pause_count(struct core *core, uint32_t slot)
{
    const struct change_pause *pause = &core->pauses[slot].change;
    uint32_t at = 0;
    uint32_t *count = count_of(core, pause, &at);
    index_insert(&core->by_pause, slot);
    turn_mark(core, pause->id);
    core->pools_paused += is_of_pools(pause);
    if (count != NULL)
        (*count)++;
    else if (pause->scope == PAUSE_CAMPAIGN)
        count_campaign(core, pause, 1);
    else if (pause->scope == PAUSE_CONVERSATION)
        count_conversation(core, pause, 1);
}

static void apply_to_conversation(struct core *core, const struct change_pause *pause, int delta, struct instant now,
                                  struct effects *out)
{
    uint32_t at = count_conversation(core, pause, delta);
    uint32_t first = at == NOBODY ? NOBODY : conversation_first(core, &core->conversations[at]);
    if (first == NOBODY)
        return;
    if (delta > 0)
        leases_revoke_conversation(core, at, now, out);
    if (core->conversations[at].key == pause->target) /* it may have been nothing but a job that came back and ended */
        conversation_settle(core, at, now);
}

static uint32_t pauses_on(const struct core *core, enum pause_scope scope, uint32_t at)
{
    const struct pool *pool = &core->pools[at];
    return scope == PAUSE_ACCOUNT ? core->accounts[pool->account].pauses : pool->pauses;
}

bool pause_holds_pool(const struct core *core, uint32_t pool)
{
    return pauses_on(core, PAUSE_POOL, pool) + pauses_on(core, PAUSE_ACCOUNT, pool) > 0;
}

uint32_t pause_holds_either(const struct core *core, enum pause_scope scope, uint32_t own, uint32_t other)
{
    if (core->pools_paused == 0)
        return NO_POOL;
    if (pauses_on(core, scope, own) > 0)
        return own;
    return pauses_on(core, scope, other) > 0 ? other : NO_POOL;
}

/* What is on lines that other pools have now, where its own pool's pauses stop nobody else. */
static void apply_to_strangers(struct core *core, int delta, struct instant now, struct effects *out)
{
    if (delta > 0) {
        leases_sweep(core, true, now, out);
    } else if (core->strangers_wait) {
        core->strangers_wait = false;
        conversations_reconsider(core, now);
    }
}

static void apply_to_campaign(struct core *core, const struct change_pause *pause, int delta, struct instant now,
                              struct effects *out)
{
    count_campaign(core, pause, delta);
    if (delta > 0)
        leases_sweep(core, true, now, out);
    else
        campaigns_return(core, now);
    /* Whose first one waits for something else steps aside now, too; one that found no place to has its own. */
    if (delta > 0 || core->crowded_wait)
        conversations_reconsider(core, now);
    core->crowded_wait &= delta > 0;
}

/* The pause begins (delta 1) or ends (-1) to count. */
static void apply(struct core *core, const struct change_pause *pause, int delta, struct instant now,
                  struct effects *out)
{
    uint32_t at = 0;
    uint32_t *count = count_of(core, pause, &at);
    bool of_pools = is_of_pools(pause);
    core->pools_paused += of_pools ? (uint32_t)delta : 0;
    if (pause->scope == PAUSE_CAMPAIGN) {
        apply_to_campaign(core, pause, delta, now, out);
    } else if (pause->scope == PAUSE_CONVERSATION) {
        apply_to_conversation(core, pause, delta, now, out);
    }
    if (count == NULL)
        return;
    *count += (uint32_t)delta;
    bool matters = *count == (delta > 0 ? 1u : 0u); /* the first one, or the last */
    if (pause->scope == PAUSE_LINE)
        gate_update(core, at, now, out);
    else if (matters)
        touch_all(core, (enum pause_scope)pause->scope, at, now, out);
    if (matters && of_pools)
        apply_to_strangers(core, delta, now, out);
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

/* By number, which is by age; the youngest `room` of them stay. */
static void sort_in(const struct change_pause **out, size_t kept, size_t room, const struct change_pause *pause)
{
    size_t at = kept;
    for (; at > 0 && out[at - 1]->id < pause->id; at--)
        if (at < room)
            out[at] = out[at - 1];
    if (at < room)
        out[at] = pause;
}

size_t core_pauses_on(const struct core *core, enum pause_scope scope, uint64_t given, const struct change_pause **out,
                      size_t room)
{
    uint64_t target = 0;
    size_t count = 0;
    if (!target_of(core, scope, given, &target))
        return 0;
    uint64_t hash = hash_of(scope, target);
    for (uint32_t p = index_find(&core->by_pause, hash); p != 0; p = index_find_next(&core->by_pause, hash, p)) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (pause->scope == scope && pause->target == target) {
            sort_in(out, count < room ? count : room, room, pause);
            count++;
        }
    }
    return count;
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
    for (uint32_t p = 1; p < core->pauses_end; p++)
        if (!core->pauses[p].used)
            return p;
    return core->pauses_end < core->limits.pauses_max ? core->pauses_end : 0;
}

static struct pause *use_slot(struct core *core, uint32_t slot)
{
    struct pause *pause = &core->pauses[slot];
    if (slot == core->pauses_end)
        core->pauses_end++;
    memset(pause, 0, sizeof *pause);
    pause->used = true;
    return pause;
}

static uint64_t lay(struct core *core, uint32_t slot, const struct core_pause *ask, uint64_t target, struct instant now,
                    struct effects *out)
{
    struct pause *pause = use_slot(core, slot);
    pause->change.id = core->next_pause++;
    pause->change.scope = (uint8_t)ask->scope;
    pause->change.target = target;
    pause->change.since_ms = now.wall_ms;
    pause->change.until_ms = ask->for_ms > 0 ? now.wall_ms + ask->for_ms : 0;
    copy_text(pause->change.reason, sizeof pause->change.reason, ask->reason);
    copy_text(pause->change.by, sizeof pause->change.by, ask->by);
    if (ask->scope == PAUSE_CONVERSATION) {
        pause->change.pool = core->pools[ask->pool].name;
        copy_text(pause->change.name, sizeof pause->change.name, ask->name);
    }
    index_insert(&core->by_pause, slot);
    turn_mark(core, pause->change.id);
    if (pause->change.until_ms != 0)
        wall_timer(core, WALL_PAUSE, slot, pause->change.until_ms);
    pause_record(core, &pause->change, true, now, out);
    apply(core, &pause->change, 1, now, out);
    return pause->change.id;
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
    uint64_t id = lay(core, slot, ask, target, now, out);
    effect_answer(out, ask->token, CODE_NONE);
    out->effects[out->effect_count - 1].pause = id;
}

uint64_t pause_lay(struct core *core, uint64_t line, const char *reason, const char *by, struct instant now,
                   struct effects *out)
{
    const struct core_pause ask = {.scope = PAUSE_LINE, .target = line, .reason = reason, .by = by};
    uint32_t slot = free_slot(core);
    return slot == 0 ? 0 : lay(core, slot, &ask, line, now, out);
}

static void lift(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct pause *pause = &core->pauses[slot];
    pause->used = false;
    index_remove(&core->by_pause, slot);
    turn_mark(core, pause->change.id);
    wall_timer(core, WALL_PAUSE, slot, TIME_NEVER);
    mono_timer(core, MONO_PAUSE, slot, TIME_NEVER);
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
    for (uint32_t p = 1; known && p < core->pauses_end; p++) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (!core->pauses[p].used || pause->scope != scope || pause->target != target || (id != 0 && pause->id != id))
            continue;
        lift(core, p, now, out);
        lifted++;
    }
    effect_answer(out, token, lifted == 0 ? CODE_NOT_FOUND : CODE_NONE);
}

void pause_lift(struct core *core, uint64_t line, uint64_t id, struct instant now, struct effects *out)
{
    for (uint32_t p = 1; id != 0 && p < core->pauses_end; p++) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (core->pauses[p].used && pause->id == id && pause->scope == PAUSE_LINE && pause->target == line)
            lift(core, p, now, out);
    }
}

void pause_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    assert(core->pauses[slot].used);
    lift(core, slot, now, out);
}

void pauses_back(struct core *core, struct instant now)
{
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        const struct change_pause *pause = &core->pauses[p].change;
        if (core->pauses[p].used && pause->until_ms != 0 && pause->since_ms > now.wall_ms)
            mono_timer(core, MONO_PAUSE, p, now.mono_ms + pause->until_ms - pause->since_ms);
    }
}

void pause_restore(struct core *core, const struct change_pause *change, bool past)
{
    uint32_t slot = 0;
    if (change->id >= core->next_pause)
        core->next_pause = change->id + 1;
    for (uint32_t p = 1; p < core->pauses_end && slot == 0; p++)
        if (core->pauses[p].used && core->pauses[p].change.id == change->id)
            slot = p;
    if (change->over) /* as history too: what it ended may still lie there as it began */
        core->pauses[slot].used = false;
    if (slot == 0)
        slot = free_slot(core);
    if (slot == 0 || past || change->over)
        return;
    use_slot(core, slot)->change = *change;
}

uint32_t pause_number_on(const struct core *core, enum pause_scope scope, uint16_t name)
{
    uint32_t count = 0;
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        const struct pause *pause = &core->pauses[p];
        count += pause->used && pause->change.scope == scope && pause->change.target == name;
    }
    return count;
}

bool pause_reword(struct core *core, uint32_t slot, bool (*mask)(void *self, char *text), void *self, struct instant now,
                  struct effects *out)
{
    struct change_pause *pause = &core->pauses[slot].change;
    if (!core->pauses[slot].used)
        return false;
    bool reworded = mask(self, pause->name);
    reworded = mask(self, pause->reason) || reworded;
    if (reworded)
        pause_record(core, pause, false, now, out);
    return reworded;
}
