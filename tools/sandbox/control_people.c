/* control_people.c — the controls of recipients, their answers, chats and messages. */
#include <string.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/members.h"

static bool flags_read(const cJSON *body, bool *opted_out, bool *blocked)
{
    return member_flag(body, "opted_out", opted_out) && member_flag(body, "blocked", blocked);
}

void control_recipient_post(struct control *control)
{
    static const char *const names[] = {"opted_out", "blocked", NULL};
    char handle[HANDLE_MAX_BYTES + 1];
    const char *wrong = members_stranger(control->body, names);
    bool opted_out, blocked;
    struct world *world = control->sandbox->world;
    uint32_t recipient = WORLD_NONE;
    if (wrong == NULL && !flags_read(control->body, &opted_out, &blocked))
        wrong = "opted_out or blocked";
    if (wrong == NULL && handle_normalize(control->argument, handle))
        recipient = world_recipient_add(world, handle);
    if (recipient == WORLD_NONE) {
        control_fail_field(control, wrong != NULL ? wrong : "recipient");
        return;
    }
    opted_out = world->recipients[recipient].opted_out;
    blocked = world->recipients[recipient].blocked;
    flags_read(control->body, &opted_out, &blocked);
    world->recipients[recipient].opted_out = opted_out;
    if (blocked && !world->recipients[recipient].blocked)
        world->recipients[recipient].blocked_wall_ms = control->now.wall_ms;
    world->recipients[recipient].blocked = blocked;
    control_done(control);
}

/* The recipient's newest direct chat, on `line` ("": any). */
static uint32_t direct_chat(const struct world *world, uint32_t recipient, const char *line)
{
    for (uint32_t seat = world->recipients[recipient].seat; seat != WORLD_NONE; seat = world->seats[seat].older) {
        const struct world_chat *chat = &world->chats[world->seats[seat].chat];
        if (chat->seat_count == 1 && (line[0] == '\0' || strcmp(world->lines[chat->line].number, line) == 0))
            return world->seats[seat].chat;
    }
    return WORLD_NONE;
}

void control_answer_post(struct control *control)
{
    static const char *const names[] = {"recipient", "text", "line", NULL};
    struct world *world = control->sandbox->world;
    const char *wrong = members_stranger(control->body, names);
    const char *from = json_string(control->body, "recipient"), *text = json_string(control->body, "text");
    char handle[HANDLE_MAX_BYTES + 1], line[E164_MAX_BYTES + 1] = "";
    if (wrong == NULL && (from == NULL || text == NULL || !handle_normalize(from, handle)))
        wrong = "recipient or text";
    if (wrong == NULL && !member_text(control->body, "line", line, sizeof line))
        wrong = "line";
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    uint32_t recipient = world_recipient_find(world, handle), message;
    uint32_t chat = recipient == WORLD_NONE ? WORLD_NONE : direct_chat(world, recipient, line);
    if (chat == WORLD_NONE) {
        control_fail(control, 404, "not_found", "no direct chat with this recipient");
        return;
    }
    if (world->recipients[recipient].blocked) { /* linq-api.md 2.8: it gets nowhere */
        control_done(control);
        return;
    }
    enum err err = world_receive(world, chat, recipient, text, control->now, &message);
    if (err != ERR_NONE) {
        control_fail(control, 507, err_name(err), "no room for it");
        return;
    }
    model_run_received(control->sandbox, message, control->now);
    sandbox_event_message(control->sandbox, "message.received", message, control->now);
    control_done(control);
}

static uint32_t thing_find(const struct control *control, enum world_id kind, uint32_t count)
{
    uint64_t number;
    if (!world_id_parse(control->sandbox->world->settings.seed, kind, control->argument, &number) || number >= count)
        return WORLD_NONE;
    return (uint32_t)number;
}

void control_chat_post(struct control *control)
{
    static const char *const names[] = {"health", NULL};
    struct world *world = control->sandbox->world;
    const char *wrong = members_stranger(control->body, names);
    uint32_t chat = thing_find(control, WORLD_ID_CHAT, world->chat_count);
    const char *health = json_string(control->body, "health");
    if (chat == WORLD_NONE) {
        control_fail(control, 404, "not_found", "no such chat");
        return;
    }
    if (wrong == NULL && (health == NULL || chat_health_read(health) == CHAT_UNKNOWN))
        wrong = "health";
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    world->chats[chat].health = chat_health_read(health);
    world->chats[chat].health_wall_ms = control->now.wall_ms;
    control_done(control);
}

void control_message_post(struct control *control)
{
    static const char *const names[] = {"delivery", "code", NULL};
    struct sandbox *sandbox = control->sandbox;
    const char *wrong = members_stranger(control->body, names);
    uint32_t message = thing_find(control, WORLD_ID_MESSAGE, sandbox->world->message_count);
    const char *delivery = json_string(control->body, "delivery");
    int64_t code = 4001;
    if (message == WORLD_NONE || sandbox->world->messages[message].sender != WORLD_NONE) {
        control_fail(control, 404, "not_found", "no such message of ours");
        return;
    }
    bool read = delivery != NULL && strcmp(delivery, "read") == 0;
    bool failed = delivery != NULL && strcmp(delivery, "failed") == 0;
    if (wrong == NULL && ((!read && !failed) || !member_number(control->body, "code", 1, 99999, &code)))
        wrong = "delivery or code";
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    world_message_mark(sandbox->world, message, read ? WORLD_READ : WORLD_FAILED, control->now.wall_ms);
    if (read)
        sandbox_event_message(sandbox, "message.read", message, control->now);
    else
        sandbox_event_failed(sandbox, message, (int)code, control->now);
    control_done(control);
}
