/* events.c — what happened, told to the receiver and to the log. */
#include <stdio.h>
#include <string.h>

#include "tools/sandbox/render.h"
#include "tools/sandbox/sandbox.h"

static void event_name(struct sandbox *sandbox, struct webhook_event *event, const char *type, uint32_t line)
{
    event->type = type;
    world_id_format(sandbox->world->settings.seed, WORLD_ID_EVENT, sandbox->events, event->id);
    snprintf(event->line, sizeof event->line, "%s", sandbox->world->lines[line].number);
}

static bool wanted(const struct sandbox *sandbox, bool is_status)
{
    if (!is_status && sandbox->options->status_events_only)
        return false;
    return sandbox_webhooks_has_target(sandbox->webhooks);
}

static void message_event(struct sandbox *sandbox, const char *type, uint32_t message, int64_t at_wall_ms,
                          int64_t due_mono_ms)
{
    struct webhook_event event = {0};
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, type, sandbox->world->chats[sandbox->world->messages[message].chat].line);
    sandbox_render_message_event(&event.body, sandbox->world, number, type, message, at_wall_ms);
    sandbox_webhooks_push(sandbox->webhooks, &event, due_mono_ms);
}

void sandbox_event_accepted(struct sandbox *sandbox, uint32_t message, struct instant now)
{
    if (!wanted(sandbox, false))
        return;
    const struct world *world = sandbox->world;
    int64_t sent_ms = world->settings.sent_ms, delivered_ms = world->settings.delivered_ms;
    message_event(sandbox, "message.sent", message, now.wall_ms + sent_ms, now.mono_ms + sent_ms);
    if (world->chats[world->messages[message].chat].seat_count == 1)
        message_event(sandbox, "message.delivered", message, now.wall_ms + delivered_ms, now.mono_ms + delivered_ms);
}

void sandbox_event_message(struct sandbox *sandbox, const char *type, uint32_t message, struct instant now)
{
    if (wanted(sandbox, false))
        message_event(sandbox, type, message, now.wall_ms, now.mono_ms);
}

void sandbox_event_failed(struct sandbox *sandbox, uint32_t message, int code, struct instant now)
{
    if (!wanted(sandbox, false))
        return;
    struct webhook_event event = {0};
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, "message.failed", sandbox->world->chats[sandbox->world->messages[message].chat].line);
    sandbox_render_failed_event(&event.body, sandbox->world, number, message, code, now.wall_ms);
    sandbox_webhooks_push(sandbox->webhooks, &event, now.mono_ms);
}

void sandbox_event_status(struct sandbox *sandbox, const struct line_change *change, struct instant now)
{
    if (!wanted(sandbox, true))
        return;
    const struct world_line *line = &sandbox->world->lines[change->line];
    struct webhook_event event = {.is_status = true,
                                  .is_lie = change->lie,
                                  .reputation = change->after,
                                  .service = change->service_after,
                                  .change = line->change};
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, "phone_number.status_updated", change->line);
    sandbox_render_status_event(&event.body, sandbox->world, number, line->number, change->before, change->after,
                                change->service_before, change->service_after, change->changed_wall_ms, now.wall_ms);
    sandbox_webhooks_push(sandbox->webhooks, &event, now.mono_ms);
}

void sandbox_log_line(struct sandbox *sandbox, uint32_t number, struct instant now)
{
    if (sandbox->log == NULL)
        return;
    const struct world_line *line = &sandbox->world->lines[number];
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "type");
    json_put_string(&out, "line");
    json_key(&out, "line");
    json_put_string(&out, line->number);
    json_key(&out, "reputation");
    json_put_string(&out, reputation_name(line->reputation));
    json_key(&out, "service");
    json_put_string(&out, service_name(line->service));
    json_key(&out, "removed");
    json_put_bool(&out, line->removed);
    json_key(&out, "change");
    json_put_int(&out, (int64_t)line->change);
    json_key(&out, "mono_ms");
    json_put_int(&out, now.mono_ms);
    json_key(&out, "wall_ms");
    json_put_int(&out, now.wall_ms);
    json_close(&out, '}');
    request_log_add(sandbox->log, out.text, out.bytes);
    json_out_free(&out);
}
