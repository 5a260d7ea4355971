/* preload.c — see its header. */
#include "tools/sandbox/preload.h"

#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tools/sandbox/members.h"

#define PRELOAD_MAX      5000000
#define PRELOAD_FIRST    "+19990000000" /* an area code that is nobody's */
#define PRELOAD_DAYS_MAX 3650
#define DAY_MS           (INT64_C(24) * 3600 * 1000)

struct preload {
    struct world_past past;
    uint64_t first;  /* recipient's number */
    uint32_t *lines; /* owned */
    uint32_t line_count;
};

/* The lines named, or all there are. NULL, or the member that is wrong. */
static const char *preload_lines(const struct world *world, const cJSON *named, struct preload *out)
{
    size_t room = cJSON_IsArray(named) ? (size_t)cJSON_GetArraySize(named) : world->line_count;
    const cJSON *item;
    if (room == 0 || (named != NULL && !cJSON_IsArray(named)) ||
        (out->lines = calloc(room, sizeof *out->lines)) == NULL)
        return "lines";
    for (uint32_t i = 0; named == NULL && i < world->line_count; i++) {
        if (!world->lines[i].removed)
            out->lines[out->line_count++] = i;
    }
    cJSON_ArrayForEach(item, named)
    {
        uint32_t line = cJSON_IsString(item) ? world_line_find(world, item->valuestring) : WORLD_NONE;
        if (line == WORLD_NONE)
            return "lines";
        out->lines[out->line_count++] = line;
    }
    return out->line_count == 0 ? "lines" : NULL;
}

/* NULL, or the member that is wrong. */
static const char *preload_read(const struct world *world, const cJSON *body, struct preload *out)
{
    static const char *const names[] = {"count",   "lines",    "first",     "days", "group",
                                        "at_risk", "critical", "opted_out", NULL};
    const char *strange = members_stranger(body, names);
    int64_t count = 0, days = 90;
    const char *first = json_get(body, "first") == NULL ? PRELOAD_FIRST : json_string(body, "first");
    if (strange != NULL)
        return strange;
    if (!member_number(body, "count", 1, PRELOAD_MAX, &count) || count == 0)
        return "count";
    if (!member_number(body, "days", 0, PRELOAD_DAYS_MAX, &days))
        return "days";
    /* The last number must still be one. */
    if (first == NULL || !e164_is_valid(first) || strlen(first) == E164_MAX_BYTES)
        return "first";
    const struct {
        const char *name;
        double *share;
    } shares[] = {{"group", &out->past.group},
                  {"at_risk", &out->past.at_risk},
                  {"critical", &out->past.critical},
                  {"opted_out", &out->past.opted_out}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (!member_share(body, shares[i].name, shares[i].share))
            return shares[i].name;
    }
    out->past.count = (uint32_t)count;
    out->past.span_ms = days * DAY_MS;
    out->first = strtoull(first + 1, NULL, 10);
    return preload_lines(world, json_get(body, "lines"), out);
}

/* Lines take turns, so that each gets its share and none gets its chats all at one time of the past. */
static void preload_do(struct world *world, const struct preload *preload, int64_t now_wall_ms,
                       struct preload_result *out)
{
    *out = (struct preload_result){.next = preload->first};
    for (uint32_t n = 0; n < preload->past.count; n++) {
        enum err err = world_chat_preload(world, preload->lines[n % preload->line_count], &preload->past, n,
                                          &out->next, now_wall_ms);
        out->made += err == ERR_NONE;
        out->known += err == ERR_EXISTS;
        if (err != ERR_NONE && err != ERR_EXISTS) {
            out->err = err;
            return;
        }
    }
}

const char *sandbox_preload(struct world *world, const cJSON *body, int64_t now_wall_ms, struct preload_result *out)
{
    struct preload preload = {0};
    const char *wrong = preload_read(world, body, &preload);
    if (wrong == NULL)
        preload_do(world, &preload, now_wall_ms, out);
    free(preload.lines);
    return wrong;
}
