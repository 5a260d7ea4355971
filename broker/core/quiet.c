/* quiet.c — see quiet.h. */
#include "broker/core/quiet.h"

#include <string.h>

#include "broker/core/conversation.h"
#include "broker/core/names.h"
#include "broker/core/settle.h"

#define DAY_S        86400
#define QUIET_MAX_S  (23 * 3600) /* an hour a day is left, however wide apart a number's zones are */
#define STEPS_MAX    16
#define WEEKS_ALIKE  53
#define WEEK_MS      (7 * INT64_C(86400000))

static int32_t offset_at(const struct zone_rules *rules, int64_t wall_ms)
{
    unsigned at = 0;
    while (at + 1 < rules->count && rules->from_ms[at + 1] <= wall_ms)
        at++;
    return rules->offset_s[at];
}

static int64_t next_change(const struct zone_rules *rules, int64_t wall_ms)
{
    for (unsigned i = 1; i < rules->count; i++)
        if (rules->from_ms[i] > wall_ms)
            return rules->from_ms[i];
    return TIME_NEVER;
}

static int64_t wrapped(int64_t seconds)
{
    int64_t rest = seconds % DAY_S;
    return rest < 0 ? rest + DAY_S : rest;
}

struct span_s { /* from the last clock to the first, in seconds ahead of UTC */
    int32_t east, west;
};

static struct span_s span_at(const struct zone_rules *rules, size_t parts, int64_t wall_ms)
{
    struct span_s span = {offset_at(&rules[0], wall_ms), 0};
    span.west = span.east;
    for (size_t p = 1; p < parts; p++) {
        int32_t other = offset_at(&rules[p], wall_ms);
        span.east = other > span.east ? other : span.east;
        span.west = other < span.west ? other : span.west;
    }
    return span;
}

/* Milliseconds of night still to come by the offsets in force then; 0: it is none. */
static int64_t night_left(const struct zone *zone, const struct policy *policy, int64_t wall_ms)
{
    struct span_s span = span_at(zone->part, zone->parts, wall_ms);
    int64_t own_s = wrapped((policy->quiet_to_min - policy->quiet_from_min) * 60);
    int64_t most_s = own_s > QUIET_MAX_S ? own_s : QUIET_MAX_S; /* of what several zones make of it */
    int64_t night_s = own_s + span.east - span.west;
    int64_t since_s = wrapped(wall_ms / 1000 + span.east - policy->quiet_from_min * 60);
    if (night_s > most_s)
        night_s = most_s;
    return since_s >= night_s ? 0 : (night_s - since_s) * 1000 - wall_ms % 1000;
}

int64_t quiet_until(const struct core *core, const struct policy *policy, const struct job *job, struct instant now)
{
    unsigned at = policy->quiet_zone != 0 ? policy->quiet_zone : job->zone;
    const struct zone *zone = &core->zones[at];
    int64_t wall_ms = now.wall_ms;
    if (!policy->is_quiet || job->class == CLASS_REPLY || at == 0 || zone->parts == 0)
        return wall_ms;
    for (int step = 0; step < STEPS_MAX; step++) { /* by the offsets of each moment: clocks may change within the night */
        int64_t left_ms = night_left(zone, policy, wall_ms);
        if (left_ms == 0)
            return wall_ms;
        int64_t change_ms = next_change(&zone->part[0], wall_ms);
        if (zone->parts > 1 && next_change(&zone->part[1], wall_ms) < change_ms)
            change_ms = next_change(&zone->part[1], wall_ms);
        wall_ms = change_ms < wall_ms + left_ms ? change_ms : wall_ms + left_ms;
    }
    return wall_ms;
}

/* ---- the table ---- */

unsigned quiet_zone(struct core *core, uint16_t name)
{
    unsigned known = quiet_zone_find(core, name);
    if (known != 0)
        return known;
    if (name == 0 || core->zones_used == ZONES_MAX)
        return 0;
    core->zones[++core->zones_used] = (struct zone){.name = name};
    return core->zones_used;
}

unsigned quiet_zone_find(const struct core *core, uint16_t name)
{
    for (unsigned at = 1; name != 0 && at <= core->zones_used; at++)
        if (core->zones[at].name == name)
            return at;
    return 0;
}

uint16_t quiet_zone_name(const struct core *core, unsigned zone)
{
    return core->zones[zone].name;
}

const char *quiet_policy_zone(const struct conf_policy *policy)
{
    bool is_fixed = policy->quiet_zone != NULL && strcmp(policy->quiet_zone, "recipient") != 0;
    return is_fixed ? policy->quiet_zone : NULL;
}

void quiet_take_policies(struct core *core, struct effects *out)
{
    for (uint32_t p = 0; p < core->conf->pool_count; p++) {
        const struct conf_pool *pool = &core->conf->pools[p];
        const char *zone = pool->gone ? NULL : quiet_policy_zone(&core->conf->policies[pool->policy]);
        uint16_t name = zone != NULL ? name_number(core, NAME_ZONE, zone, out) : 0;
        core->pools[p].policy.quiet_zone = (uint8_t)quiet_zone(core, name);
    }
}

uint16_t core_zone(struct core *core, const char *name, struct effects *out)
{
    uint16_t known = name_find(core, NAME_ZONE, name);
    if (known == 0 && core->zones_used == ZONES_MAX)
        return 0;
    uint16_t number = known != 0 ? known : name_number(core, NAME_ZONE, name, out);
    return quiet_zone(core, number) == 0 ? 0 : number;
}

uint16_t core_zone_find(const struct core *core, const char *name)
{
    return name_find(core, NAME_ZONE, name);
}

bool core_zone_is_known(const struct core *core, const char *name)
{
    return name_find(core, NAME_ZONE, name) != 0;
}

/* ---- zones that are alike ---- */

/* Seconds that the zone's nights are longer, at most; -1: it lacks some. */
static int32_t excess_of(const struct zone *zone, const struct zone_rules *rules, size_t parts, int64_t wall_ms)
{
    int32_t most = 0;
    if (zone->parts == 0)
        return -1;
    for (int week = 0; week < WEEKS_ALIKE; week++, wall_ms += WEEK_MS) {
        struct span_s has = span_at(zone->part, zone->parts, wall_ms), needs = span_at(rules, parts, wall_ms);
        int32_t excess = has.east - needs.east + needs.west - has.west;
        if (has.east < needs.east || has.west > needs.west)
            return -1;
        most = excess > most ? excess : most;
    }
    return most;
}

uint16_t core_zone_like(const struct core *core, const struct zone_rules *rules, size_t parts, struct instant now,
                        int32_t *excess_s)
{
    uint16_t best = 0;
    *excess_s = INT32_MAX;
    for (unsigned at = 1; at <= core->zones_used && *excess_s > 0; at++) {
        int32_t excess = excess_of(&core->zones[at], rules, parts, now.wall_ms);
        if (excess < 0 || excess >= *excess_s)
            continue;
        best = core->zones[at].name;
        *excess_s = excess;
    }
    return best;
}

const char *core_zone_at(const struct core *core, unsigned at)
{
    if (at == 0 || at > core->zones_used)
        return NULL;
    return core_name(core, NAME_ZONE, core->zones[at].name);
}

void core_zone_rules(struct core *core, unsigned at, const struct zone_rules *rules, size_t parts, struct instant now)
{
    struct zone *zone = &core->zones[at];
    if (at == 0 || at > core->zones_used || parts > ZONE_PARTS_MAX)
        return;
    for (size_t p = 0; p < parts; p++)
        zone->part[p] = rules[p];
    zone->parts = (uint8_t)parts;
    conversations_reconsider(core, now);
}
