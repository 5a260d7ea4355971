/* api.c — the provider's own calls (linq-api.md 2), under /v3 and /api/partner/v3.
 *
 * A request is read without the lock, judged and answered under it: the order in which sends are taken is the
 * order of their numbers in the log. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/render.h"
#include "tools/sandbox/sandbox.h"

#define PREFIX                "/api/partner"
#define TEXT_IN_LOG_BYTES_MAX 256
#define LIST_LIMIT_DEFAULT    20
#define LIST_LIMIT_MAX        100

enum route {
    ROUTE_NONE,
    ROUTE_LINES,
    ROUTE_CHAT_OPEN,
    ROUTE_CHAT_LIST,
    ROUTE_CHAT,
    ROUTE_MESSAGE_SEND,
    ROUTE_MESSAGE
};

struct call {
    struct sandbox *sandbox;
    const struct http_request *request;
    struct http_answer *answer;
    enum route route;
    char id[WORLD_ID_TEXT_MAX]; /* from the path; "": none, or none that fits */
    struct instant now;
    struct send_request send; /* of the two sends */
    int form_code;
    uint32_t line;
    struct world_send_result result;
    bool taken; /* accepted now, or a duplicate of what was */
    enum fault fault;
    int code;
};

/* ---- which call it is ---- */

static bool is_send(enum route route)
{
    return route == ROUTE_CHAT_OPEN || route == ROUTE_MESSAGE_SEND;
}

/* Takes the id out of "ID" or "ID" + `rest`. An id too long is none, and then not found. */
static bool path_id(const char *path, const char *rest, char id[WORLD_ID_TEXT_MAX])
{
    size_t bytes = strcspn(path, "/");
    if (bytes == 0 || strcmp(path + bytes, rest) != 0)
        return false;
    id[0] = '\0';
    if (bytes < WORLD_ID_TEXT_MAX)
        snprintf(id, WORLD_ID_TEXT_MAX, "%.*s", (int)bytes, path);
    return true;
}

static enum route route_of(const struct http_request *request, char id[WORLD_ID_TEXT_MAX])
{
    const char *path = request->path;
    bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
    if (strncmp(path, PREFIX "/", sizeof PREFIX) == 0)
        path += sizeof PREFIX - 1;
    if (get && strcmp(path, "/v3/phone_numbers") == 0)
        return ROUTE_LINES;
    if (strcmp(path, "/v3/chats") == 0)
        return get ? ROUTE_CHAT_LIST : post ? ROUTE_CHAT_OPEN : ROUTE_NONE;
    if (get && strncmp(path, "/v3/messages/", 13) == 0 && path_id(path + 13, "", id))
        return ROUTE_MESSAGE;
    if (strncmp(path, "/v3/chats/", 10) != 0)
        return ROUTE_NONE;
    if (get && path_id(path + 10, "", id))
        return ROUTE_CHAT;
    return post && path_id(path + 10, "/messages", id) ? ROUTE_MESSAGE_SEND : ROUTE_NONE;
}

static bool key_is_good(const struct call *call)
{
    const char *wanted = call->sandbox->options->api_key;
    const char *header = sandbox_http_header(call->request, "Authorization");
    if (header == NULL || strncmp(header, "Bearer ", 7) != 0)
        return false;
    if (wanted == NULL)
        return true;
    return strlen(header + 7) == strlen(wanted) && sodium_memcmp(header + 7, wanted, strlen(wanted)) == 0;
}

static uint32_t thing_find(const struct call *call, enum world_id kind, uint32_t count)
{
    uint64_t number;
    if (!world_id_parse(call->sandbox->world->settings.seed, kind, call->id, &number) || number >= count)
        return WORLD_NONE;
    return (uint32_t)number;
}

/* ---- answers ---- */

static void fail(struct call *call, int code, int64_t retry_after_s)
{
    call->code = code;
    call->answer->status = sandbox_render_code_status(code);
    call->answer->retry_after_s = retry_after_s;
    json_out_clear(&call->answer->body);
    sandbox_render_error(&call->answer->body, code, retry_after_s, call->answer->trace);
}

static void fault_follow(struct call *call)
{
    const struct faults *faults = &call->sandbox->faults;
    struct http_answer *answer = call->answer;
    call->sandbox->faulted[call->fault]++;
    switch (fault_effect(call->fault)) {
    case FAULT_ANSWERS:
        fail(call, fault_code(call->fault), call->fault == FAULT_RATE_LIMITED ? faults->retry_after_s : -1);
        break;
    case FAULT_RESETS:
        answer->manner = HTTP_RESET;
        break;
    case FAULT_IS_SILENT:
        answer->manner = HTTP_CLOSED;
        answer->delay_ms = faults->silence_ms;
        break;
    }
}

/* ---- sends ---- */

static uint32_t send_chat_find(const struct call *call)
{
    return call->route == ROUTE_MESSAGE_SEND ? thing_find(call, WORLD_ID_CHAT, call->sandbox->world->chat_count)
                                             : WORLD_NONE;
}

static uint32_t send_line_find(const struct call *call, uint32_t chat)
{
    const struct world *world = call->sandbox->world;
    if (chat != WORLD_NONE)
        return world->chats[chat].line;
    return call->send.from == NULL ? WORLD_NONE : world_line_find(world, call->send.from);
}

static void send_judge(struct call *call, uint32_t chat)
{
    if (call->form_code != 0) {
        fail(call, call->form_code, -1);
        return;
    }
    struct world *world = call->sandbox->world;
    world_send(world, call->line, chat, &call->send, call->now, &call->result);
    if (call->result.code != WORLD_OK) {
        int64_t wait_s = (call->result.retry_after_ms + 999) / 1000;
        fail(call, (int)call->result.code, call->result.code == WORLD_RATE_LIMITED ? wait_s : -1);
        return;
    }
    call->taken = true;
    if (call->route == ROUTE_CHAT_OPEN) {
        call->answer->status = 201;
        sandbox_render_chat_opened(&call->answer->body, world, call->result.message);
    } else {
        call->answer->status = 202;
        sandbox_render_message_taken(&call->answer->body, world, call->result.message);
    }
    if (!call->result.duplicate)
        sandbox_event_accepted(call->sandbox, call->result.message, call->now);
}

/* ---- reads ---- */

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
        sandbox_render_chat(out, world, at);
        limit--;
    }
    json_close(out, ']');
    char cursor[WORLD_ID_TEXT_MAX];
    if (at != WORLD_NONE)
        world_id_format(world->settings.seed, WORLD_ID_CHAT, at, cursor);
    json_key(out, "next_cursor");
    json_put_string(out, at == WORLD_NONE ? NULL : cursor);
    json_close(out, '}');
}

static void chats_list(struct call *call)
{
    const struct world *world = call->sandbox->world;
    const char *from = sandbox_http_query(call->request, "from");
    const char *to = sandbox_http_query(call->request, "to");
    const char *cursor = sandbox_http_query(call->request, "cursor");
    char handle[HANDLE_MAX_BYTES + 1];
    uint32_t limit, line = WORLD_NONE, recipient = WORLD_NONE, at = WORLD_NONE;
    if (!limit_read(call, &limit)) {
        fail(call, 1005, -1);
        return;
    }
    if ((from != NULL && !e164_is_valid(from)) || (to != NULL && !handle_normalize(to, handle))) {
        fail(call, 1002, -1);
        return;
    }
    if (from != NULL && (line = world_line_find(world, from)) == WORLD_NONE) {
        fail(call, 2006, -1);
        return;
    }
    bool nobody = to != NULL && (recipient = world_recipient_find(world, handle)) == WORLD_NONE;
    if (cursor != NULL && cursor[0] != '\0') {
        uint64_t number;
        if (!world_id_parse(world->settings.seed, WORLD_ID_CHAT, cursor, &number) || number >= world->chat_count) {
            fail(call, 1005, -1);
            return;
        }
        at = (uint32_t)number;
        if ((line != WORLD_NONE && world->chats[at].line != line) ||
            (to != NULL && (nobody || !world_chat_has(world, at, recipient)))) {
            fail(call, 1005, -1);
            return;
        }
    } else if (!nobody) {
        at = chat_newest(world, line, recipient);
    }
    chats_put(call, line, recipient, nobody ? WORLD_NONE : at, limit);
}

static void read_answer(struct call *call)
{
    const struct world *world = call->sandbox->world;
    struct json_out *out = &call->answer->body;
    uint32_t thing;
    switch (call->route) {
    case ROUTE_LINES:
        sandbox_render_line_list(out, world);
        return;
    case ROUTE_CHAT_LIST:
        chats_list(call);
        return;
    case ROUTE_CHAT:
        if ((thing = thing_find(call, WORLD_ID_CHAT, world->chat_count)) == WORLD_NONE)
            fail(call, WORLD_NO_CHAT, -1);
        else
            sandbox_render_chat(out, world, thing);
        return;
    case ROUTE_MESSAGE:
        if ((thing = thing_find(call, WORLD_ID_MESSAGE, world->message_count)) == WORLD_NONE)
            fail(call, WORLD_NO_MESSAGE, -1);
        else
            sandbox_render_message(out, world, thing, call->now.wall_ms);
        return;
    default: /* no such call: the provider's code for that is not published */
        fail(call, 2001, -1);
        return;
    }
}

/* ---- the log ---- */

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
    if (is_send(call->route))
        put_send(out, call);
    put_int(out, "http", call->answer->manner == HTTP_ANSWERED ? call->answer->status : 0);
    put_int(out, "code", call->code);
    put_text(out, "fault", fault_name(call->fault));
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

static void record_begin(struct call *call, uint64_t number)
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

static void done(void *context, const struct http_answer *answer, struct instant answered, bool delivered)
{
    if (answer->note != NULL)
        record_close(context, answer->note, &answered, delivered);
}

/* ---- one request ---- */

static void judge(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    uint32_t chat = send_chat_find(call);
    bool sends = is_send(call->route);
    call->line = sends ? send_line_find(call, chat) : WORLD_NONE;
    call->result.chat = chat;
    const char *line = call->line == WORLD_NONE ? NULL : sandbox->world->lines[call->line].number;
    call->fault = faults_draw(&sandbox->faults, sends, line);
    call->answer->delay_ms = faults_delay_ms(&sandbox->faults, sends, line);
    if (call->fault != FAULT_NONE && !fault_accepts(call->fault)) {
        fault_follow(call);
        return;
    }
    if (!key_is_good(call))
        fail(call, 2004, -1);
    else if (sends)
        send_judge(call, chat);
    else
        read_answer(call);
    if (call->fault == FAULT_NONE)
        return;
    if (call->taken) /* what goes wrong after acceptance needs one */
        fault_follow(call);
    else
        call->fault = FAULT_NONE;
}

static void handle(void *context, const struct http_request *request, struct http_answer *answer)
{
    struct sandbox *sandbox = context;
    struct call call = {.sandbox = sandbox, .request = request, .answer = answer};
    call.line = call.result.chat = call.result.message = WORLD_NONE;
    call.route = route_of(request, call.id);
    if (is_send(call.route))
        call.form_code =
            send_request_read(&call.send, request->body, request->body_bytes, call.route == ROUTE_CHAT_OPEN);
    if (request->body_too_large)
        call.form_code = 1003;

    pthread_mutex_lock(&sandbox->lock);
    uint64_t number = ++sandbox->requests;
    call.now = clock_read();
    sandbox_render_trace(sandbox->world->settings.seed, number, answer->trace);
    judge(&call);
    record_begin(&call, number);
    pthread_mutex_unlock(&sandbox->lock);
    send_request_free(&call.send);
}

struct http_handler sandbox_api_handler(struct sandbox *sandbox)
{
    return (struct http_handler){.context = sandbox, .handle = handle, .done = done};
}
