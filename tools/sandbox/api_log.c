/* api_log.c — what the log says of a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/api.h"

#define TEXT_IN_LOG_BYTES_MAX 256

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void put_bool(struct json_out *out, const char *name, bool value)
{
    json_key(out, name);
    json_put_bool(out, value);
}

static void put_to(struct json_out *out, const struct call *call)
{
    const struct world *world = call->sandbox->world;
    uint32_t chat = call->result.chat;
    json_key(out, "to");
    json_open(out, '[');
    if (chat != WORLD_NONE) {
        for (uint32_t i = 0; i < world->chats[chat].seat_count; i++)
            json_put_string(out, world->recipients[world->seats[world->chats[chat].seat + i].recipient].handle);
    } else {
        for (size_t i = 0; i < call->send.to_count; i++)
            json_put_string(out, call->send.to[i]);
    }
    json_close(out, ']');
}

static void put_send(struct json_out *out, const struct call *call)
{
    const struct world *world = call->sandbox->world;
    char id[WORLD_ID_TEXT_MAX] = "";
    put_text(out, "line", call->line == WORLD_NONE ? call->send.from : world->lines[call->line].number);
    put_to(out, call);
    if (call->result.chat != WORLD_NONE)
        world_id_format(world->settings.seed, WORLD_ID_CHAT, call->result.chat, id);
    put_text(out, "chat", id[0] == '\0' ? NULL : id);
    put_bool(out, "new_chat", call->result.new_chat);
    put_text(out, "key", call->send.key);
    if (call->send.parts != NULL) {
        char hash[17];
        snprintf(hash, sizeof hash, "%016llx",
                 (unsigned long long)XXH3_64bits(call->send.parts, call->send.parts_bytes));
        put_text(out, "text_hash", hash);
    }
    json_key(out, "text");
    if (call->send.text == NULL)
        json_put_null(out);
    else
        json_put_bytes(out, call->send.text, strnlen(call->send.text, TEXT_IN_LOG_BYTES_MAX));
    put_bool(out, "accepted", call->taken && !call->result.duplicate);
    put_bool(out, "duplicate", call->result.duplicate);
    put_bool(out, "body_differs", call->result.body_differs);
}

/* Opens the record of this request; record_close() ends it once it is known how the answer went. */
static struct json_out *record_open(const struct call *call, uint64_t number)
{
    struct json_out *out = calloc(1, sizeof *out);
    if (out == NULL)
        return NULL;
    json_open(out, '{');
    put_text(out, "type", "request");
    put_int(out, "n", (int64_t)number);
    put_int(out, "mono_ms", call->request->began.mono_ms);
    put_int(out, "wall_ms", call->request->began.wall_ms);
    json_key(out, "method");
    json_put_bytes(out, call->request->method, strlen(call->request->method));
    json_key(out, "path");
    json_put_bytes(out, call->request->path, strlen(call->request->path));
    if (call->route != NULL && call->route->kind != API_READS)
        put_send(out, call);
    put_int(out, "http", call->answer->manner == HTTP_ANSWERED ? call->answer->status : 0);
    put_int(out, "code", call->code);
    put_text(out, "fault", call->by_rule ? "rule" : fault_name(call->fault));
    return out;
}

static void record_close(struct sandbox *sandbox, struct json_out *record, const struct instant *answered,
                         bool delivered)
{
    json_key(record, "answered_mono_ms");
    if (answered == NULL)
        json_put_null(record);
    else
        json_put_int(record, answered->mono_ms);
    put_bool(record, "delivered", delivered);
    json_close(record, '}');
    request_log_add(sandbox->log, record->text, record->bytes);
    json_out_free(record);
    free(record);
}

void api_log_begin(struct call *call, uint64_t number)
{
    if (call->sandbox->log == NULL)
        return;
    struct json_out *record = record_open(call, number);
    /* Silence can last long, and an auditor wants to know of the send now. */
    if (record != NULL && call->answer->manner == HTTP_CLOSED)
        record_close(call->sandbox, record, NULL, false);
    else
        call->answer->note = record;
}

void api_log_end(struct sandbox *sandbox, void *record, struct instant answered, bool delivered)
{
    record_close(sandbox, record, &answered, delivered);
}
