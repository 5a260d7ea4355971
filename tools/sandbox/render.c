/* render.c — the provider's JSON, written without building trees. */
#include "tools/sandbox/render.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/codes.h"

#define DOCS "https://docs.linqapp.com"

void sandbox_render_trace(uint64_t seed, uint64_t n, char out[TRACE_TEXT_MAX])
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(&n, sizeof n, seed);
    snprintf(out, TRACE_TEXT_MAX, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

static void put(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_bool(struct json_out *out, const char *name, bool value)
{
    json_key(out, name);
    json_put_bool(out, value);
}

static void put_null(struct json_out *out, const char *name)
{
    json_key(out, name);
    json_put_null(out);
}

static void put_time(struct json_out *out, const char *name, int64_t wall_ms)
{
    json_key(out, name);
    json_put_time(out, wall_ms);
}

static void put_id(struct json_out *out, const char *name, const struct world *world, enum world_id kind,
                   uint64_t number)
{
    char id[WORLD_ID_TEXT_MAX];
    world_id_format(world->settings.seed, kind, number, id);
    put(out, name, id);
}

/* ---- errors ---- */

void sandbox_render_error(struct json_out *out, int code, int http, int64_t retry_after_s, const char *trace)
{
    char doc_url[96];
    snprintf(doc_url, sizeof doc_url, DOCS "/error/codes/%dxxx/%d/", code / 1000, code);
    json_open(out, '{');
    put_bool(out, "success", false);
    json_key(out, "error");
    json_open(out, '{');
    json_key(out, "status");
    json_put_int(out, http);
    if (code != 0) {
        json_key(out, "code");
        json_put_int(out, code);
    }
    put(out, "message", code_message(code));
    if (code != 0)
        put(out, "doc_url", doc_url);
    if (retry_after_s >= 0) {
        json_key(out, "retry_after");
        json_put_int(out, retry_after_s);
    }
    json_close(out, '}');
    put(out, "trace_id", trace);
    json_close(out, '}');
}

/* ---- lines ---- */

static void put_reputation(struct json_out *out, const char *name, enum reputation reputation)
{
    static const char *const anchors[REPUTATION_COUNT] = {[REPUTATION_UNKNOWN] = "",
                                                          [REPUTATION_HEALTHY] = "#healthy",
                                                          [REPUTATION_AT_RISK] = "#at-risk",
                                                          [REPUTATION_CRITICAL] = "#critical"};
    char doc_url[96];
    snprintf(doc_url, sizeof doc_url, DOCS "/guides/phone-numbers/phone-reputation/%s", anchors[reputation]);
    json_key(out, name);
    json_open(out, '{');
    put(out, "status", reputation_name(reputation));
    put(out, "doc_url", doc_url);
    json_close(out, '}');
}

void sandbox_render_line_list(struct json_out *out, const struct world *world, int64_t as_of_mono_ms)
{
    json_open(out, '{');
    json_key(out, "phone_numbers");
    json_open(out, '[');
    for (uint32_t i = 0; i < world->line_count; i++) {
        const struct world_line *line = &world->lines[i];
        if (line->removed)
            continue;
        json_open(out, '{');
        put_id(out, "id", world, WORLD_ID_LINE, i);
        put(out, "phone_number", line->number);
        enum reputation listed = world_line_listed(world, i, as_of_mono_ms);
        put_reputation(out, "reputation", listed);
        put_reputation(out, "health_status", listed);
        put_null(out, "forwarding_number");
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

/* ---- chats ---- */

static void put_handle_body(struct json_out *out, const struct world *world, enum world_id kind, uint64_t number,
                            const char *handle, int64_t joined_wall_ms)
{
    json_open(out, '{');
    put_id(out, "id", world, kind, number);
    put(out, "handle", handle);
    put(out, "service", "iMessage");
    put_time(out, "joined_at", joined_wall_ms);
    put_null(out, "left_at");
    put_bool(out, "is_me", kind == WORLD_ID_LINE);
    put(out, "status", "active");
    json_close(out, '}');
}

static void put_own_handle(struct json_out *out, const char *name, const struct world *world, uint32_t chat)
{
    const struct world_chat *entry = &world->chats[chat];
    json_key(out, name);
    put_handle_body(out, world, WORLD_ID_LINE, entry->line, world->lines[entry->line].number, entry->created_wall_ms);
}

static void put_recipient_handle(struct json_out *out, const struct world *world, uint32_t chat, uint32_t recipient)
{
    put_handle_body(out, world, WORLD_ID_HANDLE, recipient, world->recipients[recipient].handle,
                    world->chats[chat].created_wall_ms);
}

static void put_handles(struct json_out *out, const struct world *world, uint32_t chat)
{
    const struct world_chat *entry = &world->chats[chat];
    json_key(out, "handles");
    json_open(out, '[');
    put_handle_body(out, world, WORLD_ID_LINE, entry->line, world->lines[entry->line].number, entry->created_wall_ms);
    for (uint32_t i = 0; i < entry->seat_count; i++)
        put_recipient_handle(out, world, chat, world->seats[entry->seat + i].recipient);
    json_close(out, ']');
}

static void put_health(struct json_out *out, const struct world_chat *chat)
{
    static const char *const anchors[CHAT_HEALTH_COUNT] = {[CHAT_UNKNOWN] = "",
                                                           [CHAT_HEALTHY] = "#healthy",
                                                           [CHAT_AT_RISK] = "#at-risk",
                                                           [CHAT_CRITICAL] = "#critical",
                                                           [CHAT_OPTED_OUT] = "#opted-out"};
    char doc_url[96];
    snprintf(doc_url, sizeof doc_url, DOCS "/guides/chats/chat-health/%s", anchors[chat->health]);
    json_key(out, "health_status");
    json_open(out, '{');
    put(out, "status", chat_health_name(chat->health));
    put(out, "doc_url", doc_url);
    put_time(out, "updated_at", chat->health_wall_ms);
    json_close(out, '}');
}

static void put_display_name(struct json_out *out, const struct world *world, const struct world_chat *chat)
{
    const char *name = world->recipients[world->seats[chat->seat].recipient].handle;
    put(out, "display_name", chat->seat_count == 1 ? name : NULL);
}

static void put_chat_members(struct json_out *out, const struct world *world, uint32_t chat)
{
    const struct world_chat *entry = &world->chats[chat];
    put_id(out, "id", world, WORLD_ID_CHAT, chat);
    put_time(out, "created_at", entry->created_wall_ms);
    put_time(out, "updated_at", entry->updated_wall_ms);
    put_display_name(out, world, entry);
    put_handles(out, world, chat);
    put_health(out, entry);
    put_bool(out, "is_archived", false);
    put_bool(out, "is_group", entry->seat_count > 1);
    put_null(out, "group_chat_icon");
    put(out, "service", "iMessage");
}

void sandbox_render_chat(struct json_out *out, const struct world *world, uint32_t chat)
{
    json_open(out, '{');
    put_chat_members(out, world, chat);
    json_close(out, '}');
}

/* ---- messages ---- */

static void put_parts(struct json_out *out, const struct world_message *message)
{
    json_key(out, "parts");
    json_put_raw(out, message->parts, message->parts_bytes);
}

static void put_sent_message(struct json_out *out, const struct world *world, uint32_t message)
{
    const struct world_message *entry = &world->messages[message];
    json_key(out, "message");
    json_open(out, '{');
    put_id(out, "id", world, WORLD_ID_MESSAGE, message);
    put_time(out, "created_at", entry->accepted_wall_ms);
    put(out, "delivery_status", "pending");
    put_bool(out, "is_read", false);
    put_parts(out, entry);
    put_null(out, "sent_at");
    put_null(out, "delivered_at");
    put_null(out, "effect");
    put_own_handle(out, "from_handle", world, entry->chat);
    put_null(out, "preferred_service");
    put_null(out, "reply_to");
    put_null(out, "service");
    json_close(out, '}');
}

void sandbox_render_chat_opened(struct json_out *out, const struct world *world, uint32_t message)
{
    uint32_t chat = world->messages[message].chat;
    const struct world_chat *entry = &world->chats[chat];
    json_open(out, '{');
    json_key(out, "chat");
    json_open(out, '{');
    put_id(out, "id", world, WORLD_ID_CHAT, chat);
    put_display_name(out, world, entry);
    put_handles(out, world, chat);
    put_health(out, entry);
    put_bool(out, "is_group", entry->seat_count > 1);
    put(out, "service", "iMessage");
    put_sent_message(out, world, message);
    json_close(out, '}');
    json_close(out, '}');
}

void sandbox_render_message_taken(struct json_out *out, const struct world *world, uint32_t message)
{
    json_open(out, '{');
    put_id(out, "chat_id", world, WORLD_ID_CHAT, world->messages[message].chat);
    put_sent_message(out, world, message);
    json_close(out, '}');
}

static void put_sender(struct json_out *out, const char *name, const struct world *world,
                       const struct world_message *message)
{
    if (message->sender == WORLD_NONE) {
        put_own_handle(out, name, world, message->chat);
        return;
    }
    json_key(out, name);
    put_recipient_handle(out, world, message->chat, message->sender);
}

static const char *sender_name(const struct world *world, const struct world_message *message)
{
    return message->sender == WORLD_NONE ? world->lines[world->chats[message->chat].line].number
                                         : world->recipients[message->sender].handle;
}

void sandbox_render_message(struct json_out *out, const struct world *world, uint32_t message, int64_t now_wall_ms)
{
    static const char *const names[] = {
        [WORLD_PENDING] = "pending",   [WORLD_SENT] = "sent",     [WORLD_DELIVERED] = "delivered",
        [WORLD_RECEIVED] = "received", [WORLD_WAS_READ] = "read", [WORLD_FAILED_NOW] = "failed"};
    const struct world_message *entry = &world->messages[message];
    enum world_delivery delivery = world_message_delivery(world, message, now_wall_ms);
    bool ours = entry->sender == WORLD_NONE;
    bool delivered = delivery == WORLD_DELIVERED || delivery == WORLD_WAS_READ;
    bool sent = delivered || delivery == WORLD_SENT;
    json_open(out, '{');
    put_id(out, "id", world, WORLD_ID_MESSAGE, message);
    put_id(out, "chat_id", world, WORLD_ID_CHAT, entry->chat);
    put_time(out, "created_at", entry->accepted_wall_ms);
    put_time(out, "updated_at", entry->marked_wall_ms != 0 ? entry->marked_wall_ms : entry->accepted_wall_ms);
    put(out, "delivery_status", names[delivery]);
    put_bool(out, "is_delivered", delivered);
    put_bool(out, "is_from_me", ours);
    put_bool(out, "is_read", delivery == WORLD_WAS_READ);
    put_parts(out, entry);
    put_time(out, "sent_at",
             !ours  ? entry->accepted_wall_ms
             : sent ? entry->accepted_wall_ms + world->settings.sent_ms
                    : 0);
    put_time(out, "delivered_at", delivered ? entry->delivered_wall_ms : 0);
    put_time(out, "read_at", delivery == WORLD_WAS_READ ? entry->marked_wall_ms : 0);
    put(out, "from", sender_name(world, entry));
    put_sender(out, "from_handle", world, entry);
    put_null(out, "preferred_service");
    put(out, "service", "iMessage");
    put_null(out, "reply_to");
    put_null(out, "effect");
    json_close(out, '}');
}

/* ---- events ---- */

static void event_open(struct json_out *out, const struct world *world, uint64_t number, const char *type,
                       int64_t now_wall_ms)
{
    char trace[TRACE_TEXT_MAX];
    sandbox_render_trace(world->settings.seed ^ WORLD_ID_EVENT, number, trace);
    json_open(out, '{');
    put(out, "api_version", "v3");
    put(out, "webhook_version", "2026-02-03");
    put(out, "event_type", type);
    put_id(out, "event_id", world, WORLD_ID_EVENT, number);
    put_time(out, "created_at", now_wall_ms);
    put(out, "trace_id", trace);
    put(out, "partner_id", "partner_sandbox");
    json_key(out, "data");
    json_open(out, '{');
}

static void event_close(struct json_out *out)
{
    json_close(out, '}');
    json_close(out, '}');
}

void sandbox_render_status_event(struct json_out *out, const struct world *world, uint64_t number, const char *line,
                                 enum reputation before, enum reputation after, enum service service_before,
                                 enum service service_after, int64_t changed_wall_ms, int64_t now_wall_ms)
{
    event_open(out, world, number, "phone_number.status_updated", now_wall_ms);
    put(out, "phone_number", line);
    put_time(out, "changed_at", changed_wall_ms);
    put(out, "previous_reputation", reputation_name(before));
    put(out, "new_reputation", reputation_name(after));
    put(out, "previous_health_status", reputation_name(before));
    put(out, "new_health_status", reputation_name(after));
    put(out, "previous_status", service_name(service_before));
    put(out, "new_status", service_name(service_after));
    event_close(out);
}

void sandbox_render_message_event(struct json_out *out, const struct world *world, uint64_t number, const char *type,
                                  uint32_t message, int64_t at_wall_ms)
{
    const struct world_message *entry = &world->messages[message];
    const struct world_chat *chat = &world->chats[entry->chat];
    bool ours = entry->sender == WORLD_NONE;
    bool read = strcmp(type, "message.read") == 0;
    bool delivered = read || strcmp(type, "message.delivered") == 0;
    event_open(out, world, number, type, at_wall_ms);
    put_id(out, "id", world, WORLD_ID_MESSAGE, message);
    json_key(out, "chat");
    json_open(out, '{');
    put_id(out, "id", world, WORLD_ID_CHAT, entry->chat);
    put_health(out, chat);
    put_bool(out, "is_group", chat->seat_count > 1);
    put_own_handle(out, "owner_handle", world, entry->chat);
    json_close(out, '}');
    put(out, "direction", ours ? "outbound" : "inbound");
    put_parts(out, entry);
    put_sender(out, "sender_handle", world, entry);
    put(out, "service", "iMessage");
    put(out, "preferred_service", ours ? "auto" : NULL);
    put(out, "idempotency_key", entry->key);
    put_time(out, "sent_at", entry->accepted_wall_ms + (ours ? world->settings.sent_ms : 0));
    put_time(out, "delivered_at", delivered ? entry->delivered_wall_ms : 0);
    put_time(out, "read_at", read ? at_wall_ms : 0);
    put_null(out, "reply_to");
    put_null(out, "effect");
    event_close(out);
}

void sandbox_render_chat_event(struct json_out *out, const struct world *world, uint64_t number, const char *type,
                               uint32_t chat, int64_t at_wall_ms)
{
    event_open(out, world, number, type, at_wall_ms);
    put_chat_members(out, world, chat);
    event_close(out);
}

void sandbox_render_failed_event(struct json_out *out, const struct world *world, uint64_t number, uint32_t message,
                                 int code, int64_t at_wall_ms)
{
    event_open(out, world, number, "message.failed", at_wall_ms);
    json_key(out, "code");
    json_put_int(out, code);
    put_time(out, "failed_at", at_wall_ms);
    put_id(out, "chat_id", world, WORLD_ID_CHAT, world->messages[message].chat);
    put_id(out, "message_id", world, WORLD_ID_MESSAGE, message);
    put(out, "reason", "Message could not be delivered");
    put_null(out, "detail_code");
    put(out, "preferred_service", "auto");
    put(out, "service", "iMessage");
    event_close(out);
}
