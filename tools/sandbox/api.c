/* api.c — the provider's own calls (linq-api.md 2), under /v3 and /api/partner/v3: which one it is, and what
 * becomes of it.
 *
 * A request is read without the lock, judged and answered under it: the order in which sends are taken is the
 * order of their numbers in the log. */
#include "tools/sandbox/api.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/codes.h"

#define PREFIX "/api/partner"

/* ---- which call it is ---- */

static const struct api_route routes[] = {
    {"GET", "/v3/phone_numbers", API_READS, api_line_list},
    {"POST", "/v3/phone_numbers/*/reputation_audit", API_READS, api_audit_start},
    {"GET", "/v3/phone_numbers/*/reputation_audit/*", API_READS, api_audit_get},
    {"GET", "/v3/available_number", API_READS, api_available_number},
    {"POST", "/v3/chats", API_OPENS, NULL},
    {"GET", "/v3/chats", API_READS, api_chat_list},
    {"GET", "/v3/chats/*", API_READS, api_chat_get},
    {"POST", "/v3/chats/*/messages", API_SPEAKS, NULL},
    {"GET", "/v3/chats/*/messages", API_READS, api_chat_messages},
    {"GET", "/v3/messages/*", API_READS, api_message_get},
    {"GET", "/v3/blocked_handles", API_READS, api_blocked_list},
    {"POST", "/v3/blocked_handles", API_READS, api_blocked_add},
    {"DELETE", "/v3/blocked_handles", API_READS, api_blocked_remove},
    {"GET", "/v3/webhook-subscriptions", API_READS, api_subscription_list},
    {"POST", "/v3/webhook-subscriptions", API_READS, api_subscription_add},
    {"GET", "/v3/webhook-subscriptions/*", API_READS, api_subscription_get},
    {"PUT", "/v3/webhook-subscriptions/*", API_READS, api_subscription_set},
    {"DELETE", "/v3/webhook-subscriptions/*", API_READS, api_subscription_remove},
    {"GET", "/v3/webhook-events", API_READS, api_event_types},
};

static void argument_take(char out[API_ARGUMENT_ROOM], const char *text, size_t bytes)
{
    if (bytes >= API_ARGUMENT_ROOM)
        bytes = 0;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

/* Part by part; no part is empty. */
static bool path_fits(const char *pattern, const char *path, char arguments[][API_ARGUMENT_ROOM])
{
    size_t taken = 0;
    while (*pattern == '/' && *path == '/') {
        size_t wanted = strcspn(++pattern, "/"), bytes = strcspn(++path, "/");
        if (bytes == 0)
            return false;
        if (*pattern == '*')
            argument_take(arguments[taken++], path, bytes);
        else if (wanted != bytes || memcmp(pattern, path, bytes) != 0)
            return false;
        pattern += wanted;
        path += bytes;
    }
    return *pattern == '\0' && *path == '\0';
}

static void route_find(struct call *call)
{
    call->path = call->request->path;
    if (strncmp(call->path, PREFIX "/", sizeof PREFIX) == 0)
        call->path += sizeof PREFIX - 1;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].method, call->request->method) == 0 &&
            path_fits(routes[i].path, call->path, call->arguments)) {
            call->route = &routes[i];
            return;
        }
    }
}

static bool is_send(const struct call *call)
{
    return call->route != NULL && call->route->kind != API_READS;
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

uint32_t api_thing(const struct call *call, const char *id, enum world_id kind, uint32_t count)
{
    uint64_t number;
    if (!world_id_parse(call->sandbox->world->settings.seed, kind, id, &number) || number >= count)
        return WORLD_NONE;
    return (uint32_t)number;
}

/* ---- answers ---- */

void api_fail(struct call *call, int code, int64_t retry_after_s)
{
    call->code = code;
    call->answer->status = code_status(code);
    call->answer->retry_after_ms = retry_after_s < 0 ? -1 : retry_after_s * 1000;
    json_out_clear(&call->answer->body);
    sandbox_render_error(&call->answer->body, code, code_status(code), retry_after_s, call->answer->trace);
}

static void fault_follow(struct call *call)
{
    const struct faults *faults = &call->sandbox->faults;
    struct http_answer *answer = call->answer;
    call->sandbox->faulted[call->fault]++;
    switch (fault_effect(call->fault)) {
    case FAULT_ANSWERS:
        api_fail(call, fault_code(call->fault), call->fault == FAULT_RATE_LIMITED ? faults->retry_after_s : -1);
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

/* ---- errors on request ---- */

static bool rule_find(const struct call *call, uint32_t chat, const char *line, struct rule *out)
{
    const struct world *world = call->sandbox->world;
    struct rule_request about = {.path = call->path, .line = line, .is_send = is_send(call)};
    if (chat != WORLD_NONE) {
        about.recipient_count = world->chats[chat].seat_count;
        for (size_t i = 0; i < about.recipient_count; i++)
            about.recipients[i] = world->recipients[world->seats[world->chats[chat].seat + i].recipient].handle;
    } else if (is_send(call)) {
        about.recipient_count = call->send.to_count;
        for (size_t i = 0; i < about.recipient_count; i++)
            about.recipients[i] = call->send.to[i];
    }
    return rules_draw(&call->sandbox->rules, &about, out);
}

static void hint_put(struct http_answer *answer, const struct rule *rule)
{
    static const enum http_hint hints[] = {
        [RULE_HINT_BOTH] = HTTP_HINT_SECONDS, [RULE_HINT_HEADER] = HTTP_HINT_SECONDS,
        [RULE_HINT_BODY] = HTTP_HINT_NONE,    [RULE_HINT_DATE] = HTTP_HINT_DATE,
        [RULE_HINT_MS] = HTTP_HINT_MS,        [RULE_HINT_NONE] = HTTP_HINT_NONE};
    answer->hint = hints[rule->hint];
    answer->retry_after_ms = answer->hint == HTTP_HINT_NONE ? -1 : rule->retry_after_ms;
}

/* What a proxy in between would say. */
static void html_put(struct http_answer *answer, int http)
{
    char page[128];
    int bytes =
        snprintf(page, sizeof page, "<html><head><title>%d</title></head><body>Error %d</body></html>\n", http, http);
    answer->content_type = "text/html";
    json_put_raw(&answer->body, page, (size_t)bytes);
}

static void rule_follow(struct call *call, const struct rule *rule)
{
    struct http_answer *answer = call->answer;
    bool in_body = rule->hint == RULE_HINT_BOTH || rule->hint == RULE_HINT_BODY;
    int64_t hint_s = !in_body || rule->retry_after_ms < 0 ? -1 : (rule->retry_after_ms + 999) / 1000;
    call->by_rule = true;
    call->sandbox->ruled++;
    call->code = rule->code;
    answer->status = rule->http;
    hint_put(answer, rule);
    json_out_clear(&answer->body);
    if (rule->body == RULE_BODY_JSON || rule->body == RULE_BODY_TRUNCATED)
        sandbox_render_error(&answer->body, rule->code, rule->http, hint_s, answer->trace);
    if (rule->body == RULE_BODY_TRUNCATED)
        answer->body.bytes /= 2;
    if (rule->body == RULE_BODY_HTML)
        html_put(answer, rule->http);
}

/* ---- sends ---- */

static uint32_t send_chat_find(const struct call *call)
{
    bool speaks = call->route != NULL && call->route->kind == API_SPEAKS;
    return speaks ? api_thing(call, call->arguments[0], WORLD_ID_CHAT, call->sandbox->world->chat_count) : WORLD_NONE;
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
    struct world *world = call->sandbox->world;
    world_send(world, call->line, chat, &call->send, call->now, &call->result);
    if (call->result.code != WORLD_OK) {
        int64_t wait_s = (call->result.retry_after_ms + 999) / 1000;
        api_fail(call, (int)call->result.code, call->result.code == WORLD_RATE_LIMITED ? wait_s : -1);
        return;
    }
    call->taken = true;
    if (!call->result.duplicate) {
        model_run_accepted(call->sandbox, call->result.message, call->now);
        sandbox_event_accepted(call->sandbox, call->result.message, call->now);
        sandbox_ticker_wake(call->sandbox->ticker);
    }
    if (call->route->kind == API_OPENS) {
        call->answer->status = 201;
        sandbox_render_chat_opened(&call->answer->body, world, call->result.message);
    } else {
        call->answer->status = 202;
        sandbox_render_message_taken(&call->answer->body, world, call->result.message);
    }
}

/* ---- one request ---- */

static void answer_truly(struct call *call, uint32_t chat)
{
    if (!key_is_good(call))
        api_fail(call, 2004, -1);
    else if (call->route == NULL) /* the provider's code for that is not published */
        api_fail(call, WORLD_NO_CHAT, -1);
    else if (call->form_code != 0)
        api_fail(call, call->form_code, -1);
    else if (is_send(call))
        send_judge(call, chat);
    else
        call->route->answer(call);
}

static void judge(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    uint32_t chat = send_chat_find(call);
    struct rule rule;
    call->line = is_send(call) ? send_line_find(call, chat) : WORLD_NONE;
    call->result.chat = chat;
    const char *line = call->line == WORLD_NONE ? NULL : sandbox->world->lines[call->line].number;
    bool ruled = !sandbox->faults.down && rule_find(call, chat, line, &rule);
    call->fault = ruled ? FAULT_NONE : faults_draw(&sandbox->faults, is_send(call), line);
    call->answer->delay_ms = faults_delay_ms(&sandbox->faults, is_send(call), line);
    if (call->fault != FAULT_NONE && !fault_accepts(call->fault)) {
        fault_follow(call);
        return;
    }
    if (!ruled || rule.after_accept)
        answer_truly(call, chat);
    if (ruled && (!rule.after_accept || call->taken))
        rule_follow(call, &rule);
    if (call->fault == FAULT_NONE)
        return;
    if (call->taken) /* what goes wrong after acceptance needs one */
        fault_follow(call);
    else
        call->fault = FAULT_NONE;
}

/* Reads of the body what can be read without the lock. */
static void body_read(struct call *call)
{
    const struct http_request *request = call->request;
    if (is_send(call))
        call->form_code =
            send_request_read(&call->send, request->body, request->body_bytes, call->route->kind == API_OPENS);
    else if (request->body_bytes > 0 && !request->body_too_large)
        call->body = json_parse(request->body, request->body_bytes, NULL);
    if (request->body_too_large || (call->body != NULL && !cJSON_IsObject(call->body)))
        call->form_code = 1003;
}

static void handle(void *context, const struct http_request *request, struct http_answer *answer)
{
    struct sandbox *sandbox = context;
    struct call call = {.sandbox = sandbox, .request = request, .answer = answer};
    call.line = call.result.chat = call.result.message = WORLD_NONE;
    route_find(&call);
    body_read(&call);

    pthread_mutex_lock(&sandbox->lock);
    uint64_t number = ++sandbox->requests;
    call.now = clock_read();
    sandbox_render_trace(sandbox->world->settings.seed, number, answer->trace);
    judge(&call);
    api_log_begin(&call, number);
    pthread_mutex_unlock(&sandbox->lock);
    send_request_free(&call.send);
    cJSON_Delete(call.body);
}

static void done(void *context, const struct http_answer *answer, struct instant answered, bool delivered)
{
    if (answer->note != NULL)
        api_log_end(context, answer->note, answered, delivered);
}

struct http_handler sandbox_api_handler(struct sandbox *sandbox)
{
    return (struct http_handler){.context = sandbox, .handle = handle, .done = done};
}
