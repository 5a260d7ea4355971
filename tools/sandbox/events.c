/* events.c — what happened, told to the receiver and to the log. */
#include <stdio.h>
#include <string.h>

#include "tools/sandbox/render.h"
#include "tools/sandbox/sandbox.h"

#define STATUS_EVENT "phone_number.status_updated"
#define FAILED_EVENT "message.failed"
#define CHAT_EVENT   "chat.created"

static void event_name(struct sandbox *sandbox, struct webhook_event *event, const char *type, uint32_t line)
{
    event->type = type;
    world_id_format(sandbox->world->settings.seed, WORLD_ID_EVENT, sandbox->events, event->id);
    snprintf(event->line, sizeof event->line, "%s", sandbox->world->lines[line].number);
}

/* The receiver of the options is a router's: it asks for no chat.created, and for status events alone if told so. */
static bool own_wants(const struct sandbox *sandbox, const char *type)
{
    if (strcmp(type, CHAT_EVENT) == 0)
        return false;
    if (sandbox->options->status_events_only && strcmp(type, STATUS_EVENT) != 0)
        return false;
    return sandbox_webhooks_has_target(sandbox->webhooks);
}

/* Does anybody want such an event? Else it need not be written. */
static bool wanted(const struct sandbox *sandbox, const char *type, uint32_t line)
{
    const struct subscriptions *all = &sandbox->subscriptions;
    for (size_t i = 0; i < all->count; i++) {
        if (subscription_wants(&all->list[i], type, sandbox->world->lines[line].number))
            return true;
    }
    return own_wants(sandbox, type);
}

/* To all who want it; ends the event. */
static void send_out(struct sandbox *sandbox, struct webhook_event *event, int64_t due_mono_ms)
{
    const struct subscriptions *all = &sandbox->subscriptions;
    for (size_t i = 0; i < all->count; i++) {
        if (subscription_wants(&all->list[i], event->type, event->line))
            sandbox_webhooks_push(sandbox->webhooks, event, all->list[i].target, due_mono_ms);
    }
    if (own_wants(sandbox, event->type))
        sandbox_webhooks_push(sandbox->webhooks, event, NULL, due_mono_ms);
    json_out_free(&event->body);
}

static uint32_t line_of(const struct sandbox *sandbox, uint32_t message)
{
    return sandbox->world->chats[sandbox->world->messages[message].chat].line;
}

static void message_event(struct sandbox *sandbox, const char *type, uint32_t message, int64_t at_wall_ms,
                          int64_t due_mono_ms)
{
    struct webhook_event event = {0};
    if (!wanted(sandbox, type, line_of(sandbox, message)))
        return;
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, type, line_of(sandbox, message));
    sandbox_render_message_event(&event.body, sandbox->world, number, type, message, at_wall_ms);
    send_out(sandbox, &event, due_mono_ms);
}

static void chat_event(struct sandbox *sandbox, uint32_t chat, struct instant now)
{
    struct webhook_event event = {0};
    if (!wanted(sandbox, CHAT_EVENT, sandbox->world->chats[chat].line))
        return;
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, CHAT_EVENT, sandbox->world->chats[chat].line);
    sandbox_render_chat_event(&event.body, sandbox->world, number, CHAT_EVENT, chat, now.wall_ms);
    send_out(sandbox, &event, now.mono_ms);
}

void sandbox_event_accepted(struct sandbox *sandbox, uint32_t message, struct instant now)
{
    const struct world *world = sandbox->world;
    uint32_t chat = world->messages[message].chat;
    bool delivers = world->chats[chat].seat_count == 1 && world->messages[message].delivered_wall_ms != TIME_NEVER;
    int64_t sent_ms = world->settings.sent_ms, delivered_ms = world->settings.delivered_ms;
    if (world->messages[message].opened_chat)
        chat_event(sandbox, chat, now);
    message_event(sandbox, "message.sent", message, now.wall_ms + sent_ms, now.mono_ms + sent_ms);
    if (delivers)
        message_event(sandbox, "message.delivered", message, now.wall_ms + delivered_ms, now.mono_ms + delivered_ms);
}

void sandbox_event_message(struct sandbox *sandbox, const char *type, uint32_t message, struct instant now)
{
    message_event(sandbox, type, message, now.wall_ms, now.mono_ms);
}

void sandbox_event_failed(struct sandbox *sandbox, uint32_t message, int code, struct instant now)
{
    struct webhook_event event = {0};
    if (!wanted(sandbox, FAILED_EVENT, line_of(sandbox, message)))
        return;
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, FAILED_EVENT, line_of(sandbox, message));
    sandbox_render_failed_event(&event.body, sandbox->world, number, message, code, now.wall_ms);
    send_out(sandbox, &event, now.mono_ms);
}

void sandbox_event_status(struct sandbox *sandbox, const struct line_change *change, struct instant now)
{
    if (!wanted(sandbox, STATUS_EVENT, change->line))
        return;
    const struct world_line *line = &sandbox->world->lines[change->line];
    struct webhook_event event = {.is_status = true,
                                  .is_lie = change->lie,
                                  .reputation = change->after,
                                  .service = change->service_after,
                                  .change = line->change};
    uint64_t number = ++sandbox->events;
    event_name(sandbox, &event, STATUS_EVENT, change->line);
    sandbox_render_status_event(&event.body, sandbox->world, number, line->number, change->before, change->after,
                                change->service_before, change->service_after, change->changed_wall_ms, now.wall_ms);
    send_out(sandbox, &event, now.mono_ms);
}

void sandbox_change_line(struct sandbox *sandbox, const struct line_change *change, bool listed, bool tell,
                         struct instant now)
{
    if (!change->lie) {
        world_line_set(sandbox->world, change->line, change->after, change->service_after, listed,
                       (struct instant){change->changed_wall_ms, now.mono_ms});
        sandbox_log_line(sandbox, change->line, now);
    }
    if (tell)
        sandbox_event_status(sandbox, change, now);
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
