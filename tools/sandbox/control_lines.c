/* control_lines.c — the controls of lines, and chats that were there before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/control_view.h"
#include "tools/sandbox/members.h"

struct line_order {
    bool has_reputation, has_service, webhook, listed, lie;
    enum reputation reputation;
    enum service service;
    int64_t changed_wall_ms;
};

/* NULL, or the member that is wrong. */
static const char *line_order_read(const cJSON *body, bool is_new, int64_t now_wall_ms, struct line_order *out)
{
    static const char *const names[] = {"reputation", "service", "webhook", "list", "lie", "changed_at", NULL};
    *out = (struct line_order){.webhook = !is_new, .listed = true, .changed_wall_ms = now_wall_ms};
    const char *strange = members_stranger(body, names);
    if (strange != NULL)
        return strange;
    const char *reputation = json_string(body, "reputation"), *service = json_string(body, "service");
    out->has_reputation = json_get(body, "reputation") != NULL;
    out->has_service = json_get(body, "service") != NULL;
    if (out->has_reputation &&
        (reputation == NULL || (out->reputation = reputation_read(reputation)) == REPUTATION_UNKNOWN))
        return "reputation";
    if (out->has_service && (service == NULL || (out->service = service_read(service)) == SERVICE_UNKNOWN))
        return "service";
    if (!member_flag(body, "webhook", &out->webhook))
        return "webhook";
    if (!member_flag(body, "list", &out->listed))
        return "list";
    if (!member_flag(body, "lie", &out->lie))
        return "lie";
    const char *changed_at = json_string(body, "changed_at");
    if (json_get(body, "changed_at") != NULL &&
        (changed_at == NULL || !time_parse(changed_at, &out->changed_wall_ms)))
        return "changed_at";
    return NULL;
}

static void line_change(struct control *control, uint32_t line, const struct line_order *order)
{
    struct sandbox *sandbox = control->sandbox;
    const struct world_line *entry = &sandbox->world->lines[line];
    struct line_change change = {.line = line,
                                 .before = entry->reputation,
                                 .after = order->has_reputation ? order->reputation : entry->reputation,
                                 .service_before = entry->service,
                                 .service_after = order->has_service ? order->service : entry->service,
                                 .changed_wall_ms = order->changed_wall_ms,
                                 .lie = order->lie};
    sandbox_change_line(sandbox, &change, order->listed, order->webhook, control->now);
    model_run_line_set(sandbox, line, control->now);
    sandbox_view_line(&control->answer->body, sandbox->world, line, control->now);
}

void control_line_post(struct control *control)
{
    struct world *world = control->sandbox->world;
    uint32_t line = world_line_find(world, control->argument);
    bool is_new = line == WORLD_NONE;
    struct line_order order;
    const char *wrong = line_order_read(control->body, is_new, control->now.wall_ms, &order);
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    enum err err = is_new ? world_line_add(world, control->argument, control->now, &line) : ERR_NONE;
    if (err != ERR_NONE)
        control_fail(control, err == ERR_BAD_INPUT ? 400 : 507, err_name(err), "no such number, or no room for it");
    else
        line_change(control, line, &order);
}

void control_line_delete(struct control *control)
{
    uint32_t line = world_line_find(control->sandbox->world, control->argument);
    if (line == WORLD_NONE) {
        control_fail(control, 404, "not_found", "no such line");
        return;
    }
    world_line_remove(control->sandbox->world, line);
    sandbox_log_line(control->sandbox, line, control->now);
    control_done(control);
}

void control_lines_get(struct control *control)
{
    sandbox_view_lines(&control->answer->body, control->sandbox->world, control->now);
}

/* ---- chats that were there before ---- */

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

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void put_preloaded(struct control *control, uint32_t made, uint32_t known, uint64_t next)
{
    struct json_out *out = &control->answer->body;
    char number[32];
    snprintf(number, sizeof number, "+%llu", (unsigned long long)next);
    json_open(out, '{');
    put_int(out, "made", made);
    put_int(out, "known", known);
    json_key(out, "next");
    json_put_string(out, number);
    put_int(out, "mono_ms", control->now.mono_ms);
    json_close(out, '}');
}

/* Lines take turns, so that each gets its share and none gets its chats all at one time of the past. */
static void preload_do(struct control *control, const struct preload *preload)
{
    uint64_t number = preload->first;
    uint32_t made = 0, known = 0;
    for (uint32_t n = 0; n < preload->past.count; n++) {
        enum err err = world_chat_preload(control->sandbox->world, preload->lines[n % preload->line_count],
                                          &preload->past, n, &number, control->now.wall_ms);
        if (err != ERR_NONE && err != ERR_EXISTS) {
            control_fail(control, 507, err_name(err), "no room for so many chats; some were made");
            return;
        }
        made += err == ERR_NONE;
        known += err == ERR_EXISTS;
    }
    put_preloaded(control, made, known, number);
}

void control_preload_post(struct control *control)
{
    struct preload preload = {0};
    const char *wrong = preload_read(control->sandbox->world, control->body, &preload);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        preload_do(control, &preload);
    free(preload.lines);
}
