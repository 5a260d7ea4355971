/* zones.c — see zones.h. */
#include "broker/edge/zones.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/edge/phone_zone.h"
#include "broker/edge/tz_file.h"
#include "lineward/log.h"

#define AHEAD_MS   (400 * INT64_C(86400000)) /* as far as anybody waits for a morning, and more */
#define PAIR_BYTES (2 * TZ_NAME_BYTES_MAX + 2)
#define WHOLE_WORLD "Pacific/Kiritimati,Pacific/Pago_Pago" /* where a day begins first, and last */

bool zones_knows(const struct core *core, const char *tz)
{
    struct zone_rules rules;
    if (!tz_name_is_valid(tz))
        return false;
    if (core_zone_is_known(core, tz))
        return true;
    return tz_rules(TZ_FOLDER, tz, 0, 0, &rules) || access(TZ_FOLDER "/UTC", R_OK) != 0;
}

/* ---- a group: the first and the last of its recipients to see the sun ---- */

static bool offset_today(const char *name, int32_t *out)
{
    struct zone_rules rules;
    struct instant now = clock_read();
    if (!tz_rules(TZ_FOLDER, name, now.wall_ms, now.wall_ms, &rules) || rules.count == 0)
        return false;
    *out = rules.offset_s[0];
    return true;
}

struct widest {
    char east[TZ_NAME_BYTES_MAX + 1], west[TZ_NAME_BYTES_MAX + 1];
    int32_t east_s, west_s;
};

static void widen(struct widest *widest, const char *name)
{
    int32_t offset_s = 0;
    if (strcmp(name, widest->east) == 0 || strcmp(name, widest->west) == 0 || !offset_today(name, &offset_s))
        return;
    if (widest->east[0] == '\0' || offset_s > widest->east_s) {
        snprintf(widest->east, sizeof widest->east, "%s", name);
        widest->east_s = offset_s;
    }
    if (widest->west[0] == '\0' || offset_s < widest->west_s) {
        snprintf(widest->west, sizeof widest->west, "%s", name);
        widest->west_s = offset_s;
    }
}

/* "A" or "A,B" in its names; the second is "" if there is but one. */
static void split(const char *zones, char names[2][TZ_NAME_BYTES_MAX + 1])
{
    const char *comma = strchr(zones, ',');
    int first = comma == NULL ? (int)strlen(zones) : (int)(comma - zones);
    snprintf(names[0], sizeof names[0], "%.*s", first, zones);
    snprintf(names[1], sizeof names[1], "%s", comma == NULL ? "" : comma + 1);
}

static bool zones_of_group(const struct recipients *recipients, char out[PAIR_BYTES])
{
    struct widest widest = {.east = ""};
    char names[2][TZ_NAME_BYTES_MAX + 1];
    for (size_t i = 0; i < recipients->count; i++) {
        const char *zones = phone_zone(recipients->handles[i]);
        if (zones == NULL)
            continue;
        split(zones, names);
        widen(&widest, names[0]);
        if (names[1][0] != '\0')
            widen(&widest, names[1]);
    }
    if (widest.east[0] == '\0')
        return false;
    if (strcmp(widest.east, widest.west) == 0 || widest.east_s == widest.west_s)
        snprintf(out, PAIR_BYTES, "%s", widest.east);
    else
        snprintf(out, PAIR_BYTES, "%s,%s", widest.east, widest.west);
    return true;
}

/* ---- rules ---- */

/* Of the name or the two of them; how many are known to the system. */
static size_t read_rules(const char *zones, struct instant now, struct zone_rules rules[ZONE_PARTS_MAX])
{
    char names[2][TZ_NAME_BYTES_MAX + 1];
    size_t parts = 0;
    split(zones, names);
    for (size_t i = 0; i < 2 && names[i][0] != '\0'; i++) {
        if (tz_rules(TZ_FOLDER, names[i], now.wall_ms, now.wall_ms + AHEAD_MS, &rules[parts]))
            parts++;
        else
            log_event(LOG_WARN, "zone_not_known", "zone=%s folder=%s", names[i], TZ_FOLDER);
    }
    return parts;
}

static void tell(struct core *core, unsigned at, const char *zones, struct instant now)
{
    struct zone_rules rules[ZONE_PARTS_MAX];
    size_t parts = read_rules(zones, now, rules);
    if (parts > 0)
        core_zone_rules(core, at, rules, parts, now);
}

/* ---- the table of the core, which must have room for whoever comes last ---- */

/* Told at once: the next job may ask whether it is alike. */
static uint16_t add(struct core *core, const char *zones, struct effects *out)
{
    uint16_t number = core_zone(core, zones, out);
    unsigned last = 0;
    while (core_zone_at(core, last + 1) != NULL)
        last++;
    if (number != 0 && strcmp(core_zone_at(core, last), zones) == 0)
        tell(core, last, zones, clock_read());
    return number;
}

/* Names have room while there are few. Then a new one is that of a zone with the same clocks, of which there are some
 * hundred in the world and so always room for another; two of them are those of a zone whose night has theirs. */
static uint16_t number_of(struct core *core, const char *zones, struct effects *out)
{
    struct zone_rules rules[ZONE_PARTS_MAX];
    int32_t excess_s = 0;
    if (out == NULL)
        return core_zone_find(core, zones);
    if (core_zone_is_known(core, zones) || core_zone_at(core, ZONES_BY_NAME) == NULL)
        return core_zone(core, zones, out);
    size_t parts = read_rules(zones, clock_read(), rules);
    uint16_t like = parts == 0 ? 0 : core_zone_like(core, rules, parts, clock_read(), &excess_s);
    if (parts < 2)
        return like != 0 && excess_s == 0 ? like : add(core, zones, out);
    return like != 0 ? like : add(core, WHOLE_WORLD, out);
}

/* ---- a job's ---- */

uint16_t zones_of_job(struct core *core, const char *tz, const struct recipients *recipients, struct effects *out)
{
    char pair[PAIR_BYTES];
    if (tz != NULL)
        return number_of(core, tz, out);
    if (recipients->count == 1) {
        const char *zones = phone_zone(recipients->handles[0]);
        return zones == NULL ? 0 : number_of(core, zones, out);
    }
    if (!zones_of_group(recipients, pair) || strlen(pair) > NAME_MAX_BYTES)
        return 0;
    return number_of(core, pair, out);
}

/* ---- once a turn ---- */

/* New ones all at once, for their jobs wait for nothing else; the rest one a turn. */
void zones_turn(struct zones *zones, struct core *core, struct instant now)
{
    const char *name = NULL;
    while ((name = core_zone_at(core, zones->told + 1)) != NULL)
        tell(core, ++zones->told, name, now);
    bool again = now.wall_ms < zones->told_wall_ms || now.wall_ms >= zones->told_wall_ms + ZONES_TOLD_MS;
    if (again) {
        zones->told_wall_ms = now.wall_ms;
        zones->again = zones->told;
    }
    if (zones->again > 0) {
        unsigned at = zones->again--;
        tell(core, at, core_zone_at(core, at), now);
    }
}
