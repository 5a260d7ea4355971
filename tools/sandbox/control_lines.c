/* control_lines.c — the controls of lines, and chats that were there before. */
#include <stdio.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/control_view.h"
#include "tools/sandbox/members.h"
#include "tools/sandbox/preload.h"

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

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

void control_preload_post(struct control *control)
{
    struct json_out *out = &control->answer->body;
    struct preload_result result;
    const char *wrong = sandbox_preload(control->sandbox->world, control->body, control->now.wall_ms, &result);
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    if (result.err != ERR_NONE) {
        control_fail(control, 507, err_name(result.err), "no room for so many chats; some were made");
        return;
    }
    char number[32];
    snprintf(number, sizeof number, "+%llu", (unsigned long long)result.next);
    json_open(out, '{');
    put_int(out, "made", result.made);
    put_int(out, "known", result.known);
    json_key(out, "next");
    json_put_string(out, number);
    put_int(out, "mono_ms", control->now.mono_ms);
    json_close(out, '}');
}
