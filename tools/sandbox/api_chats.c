/* api_chats.c — reading chats and messages (linq-api.md 2.5, 2.6). */
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/api.h"

#define LIST_LIMIT_DEFAULT 20
#define LIST_LIMIT_MAX     100

static bool limit_read(const struct call *call, uint32_t *out)
{
    const char *text = sandbox_http_query(call->request, "limit");
    *out = LIST_LIMIT_DEFAULT;
    if (text == NULL)
        return true;
    char *end;
    long value = strtol(text, &end, 10);
    *out = (uint32_t)value;
    return end != text && *end == '\0' && value >= 1 && value <= LIST_LIMIT_MAX;
}

static void cursor_put(struct json_out *out, const struct world *world, enum world_id kind, uint32_t at)
{
    char cursor[WORLD_ID_TEXT_MAX];
    if (at != WORLD_NONE)
        world_id_format(world->settings.seed, kind, at, cursor);
    json_key(out, "next_cursor");
    json_put_string(out, at == WORLD_NONE ? NULL : cursor);
}

/* ---- chats ---- */

/* The chat before `chat` (newest first) that the filter looks at: of one recipient, of one line, or of all. */
static uint32_t chat_step(const struct world *world, uint32_t line, uint32_t recipient, uint32_t chat)
{
    if (recipient == WORLD_NONE && line != WORLD_NONE)
        return world->chats[chat].older;
    if (recipient == WORLD_NONE)
        return chat == 0 ? WORLD_NONE : chat - 1;
    const struct world_chat *entry = &world->chats[chat];
    for (uint32_t i = 0; i < entry->seat_count; i++) {
        const struct world_seat *seat = &world->seats[entry->seat + i];
        if (seat->recipient == recipient)
            return seat->older == WORLD_NONE ? WORLD_NONE : world->seats[seat->older].chat;
    }
    return WORLD_NONE;
}

static uint32_t chat_newest(const struct world *world, uint32_t line, uint32_t recipient)
{
    if (recipient == WORLD_NONE && line != WORLD_NONE)
        return world->lines[line].newest_chat;
    if (recipient == WORLD_NONE)
        return world->chat_count == 0 ? WORLD_NONE : world->chat_count - 1;
    uint32_t seat = world->recipients[recipient].seat;
    return seat == WORLD_NONE ? WORLD_NONE : world->seats[seat].chat;
}

static void chats_put(struct call *call, uint32_t line, uint32_t recipient, uint32_t at, uint32_t limit)
{
    const struct world *world = call->sandbox->world;
    struct json_out *out = &call->answer->body;
    json_open(out, '{');
    json_key(out, "chats");
    json_open(out, '[');
    for (; at != WORLD_NONE && limit > 0; at = chat_step(world, line, recipient, at)) {
        if (line != WORLD_NONE && world->chats[at].line != line)
            continue;
        model_run_look(call->sandbox, at, call->now);
        sandbox_render_chat(out, world, at);
        limit--;
    }
    json_close(out, ']');
    cursor_put(out, world, WORLD_ID_CHAT, at);
    json_close(out, '}');
}

void api_chat_list(struct call *call)
{
    const struct world *world = call->sandbox->world;
    const char *from = sandbox_http_query(call->request, "from");
    const char *to = sandbox_http_query(call->request, "to");
    const char *cursor = sandbox_http_query(call->request, "cursor");
    char handle[HANDLE_MAX_BYTES + 1];
    uint32_t limit, line = WORLD_NONE, recipient = WORLD_NONE, at = WORLD_NONE;
    if (!limit_read(call, &limit)) {
        api_fail(call, 1005, -1);
        return;
    }
    if ((from != NULL && !e164_is_valid(from)) || (to != NULL && !handle_normalize(to, handle))) {
        api_fail(call, 1002, -1);
        return;
    }
    if (from != NULL && (line = world_line_find(world, from)) == WORLD_NONE) {
        api_fail(call, 2006, -1);
        return;
    }
    bool nobody = to != NULL && (recipient = world_recipient_find(world, handle)) == WORLD_NONE;
    if (cursor != NULL && cursor[0] != '\0') {
        at = api_thing(call, cursor, WORLD_ID_CHAT, world->chat_count);
        if (at == WORLD_NONE || (line != WORLD_NONE && world->chats[at].line != line) ||
            (to != NULL && (nobody || !world_chat_has(world, at, recipient)))) {
            api_fail(call, 1005, -1);
            return;
        }
    } else if (!nobody) {
        at = chat_newest(world, line, recipient);
    }
    chats_put(call, line, recipient, nobody ? WORLD_NONE : at, limit);
}

void api_chat_get(struct call *call)
{
    uint32_t chat = api_thing(call, call->arguments[0], WORLD_ID_CHAT, call->sandbox->world->chat_count);
    if (chat == WORLD_NONE) {
        api_fail(call, WORLD_NO_CHAT, -1);
    } else {
        model_run_look(call->sandbox, chat, call->now);
        sandbox_render_chat(&call->answer->body, call->sandbox->world, chat);
    }
}

/* ---- messages ---- */

void api_message_get(struct call *call)
{
    uint32_t message = api_thing(call, call->arguments[0], WORLD_ID_MESSAGE, call->sandbox->world->message_count);
    if (message == WORLD_NONE)
        api_fail(call, WORLD_NO_MESSAGE, -1);
    else
        sandbox_render_message(&call->answer->body, call->sandbox->world, message, call->now.wall_ms);
}

static void messages_put(struct call *call, uint32_t at, uint32_t limit)
{
    const struct world *world = call->sandbox->world;
    struct json_out *out = &call->answer->body;
    json_open(out, '{');
    json_key(out, "messages");
    json_open(out, '[');
    for (; at != WORLD_NONE && limit > 0; at = world->messages[at].older, limit--)
        sandbox_render_message(out, world, at, call->now.wall_ms);
    json_close(out, ']');
    cursor_put(out, world, WORLD_ID_MESSAGE, at);
    json_close(out, '}');
}

void api_chat_messages(struct call *call)
{
    const struct world *world = call->sandbox->world;
    uint32_t chat = api_thing(call, call->arguments[0], WORLD_ID_CHAT, world->chat_count), limit;
    const char *cursor = sandbox_http_query(call->request, "cursor");
    if (chat == WORLD_NONE || !limit_read(call, &limit)) {
        api_fail(call, chat == WORLD_NONE ? WORLD_NO_CHAT : WORLD_BAD_VALUE, -1);
        return;
    }
    uint32_t at = world->chats[chat].newest_message;
    if (cursor != NULL && cursor[0] != '\0') {
        at = api_thing(call, cursor, WORLD_ID_MESSAGE, world->message_count);
        if (at == WORLD_NONE || world->messages[at].chat != chat) {
            api_fail(call, WORLD_BAD_VALUE, -1);
            return;
        }
    }
    messages_put(call, at, limit);
}
