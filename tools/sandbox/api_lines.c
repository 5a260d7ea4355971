/* api_lines.c — the list of lines, the line advised, and reputation audits (linq-api.md 2.1, 2.8). */
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/api.h"

#define EVIDENCE_MAX     15
#define EVIDENCE_LOOK_AT 10000 /* of the line's newest chats */
#define EXCLUDED_MAX     256
#define ASKED_TO_MAX     SEND_RECIPIENTS_MAX

void api_line_list(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    listing_answer(&sandbox->listing, sandbox->world, call->now, &call->answer->body, &call->answer->date_wall_ms);
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_id(struct json_out *out, const char *name, const struct world *world, enum world_id kind,
                   uint64_t number)
{
    char id[WORLD_ID_TEXT_MAX];
    world_id_format(world->settings.seed, kind, number, id);
    put_text(out, name, id);
}

/* ---- the line advised ---- */

static int handle_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The line of the newest chat with exactly these recipients that can still send. */
static uint32_t sticky_line(const struct world *world, size_t count, const char (*handles)[HANDLE_MAX_BYTES + 1])
{
    uint32_t recipient = world_recipient_find(world, handles[0]);
    uint32_t seat = recipient == WORLD_NONE ? WORLD_NONE : world->recipients[recipient].seat;
    for (; seat != WORLD_NONE; seat = world->seats[seat].older) {
        uint32_t line = world->chats[world->seats[seat].chat].line;
        if (!world->lines[line].removed && world->lines[line].service != SERVICE_FLAGGED &&
            world_chat_find(world, line, count, handles) == world->seats[seat].chat)
            return line;
    }
    return WORLD_NONE;
}

/* False: answered already. *line is WORLD_NONE without an existing chat. */
static bool sticky_read(struct call *call, uint32_t *line)
{
    const char *values[ASKED_TO_MAX];
    char handles[ASKED_TO_MAX][HANDLE_MAX_BYTES + 1];
    size_t count = sandbox_http_query_all(call->request, "to", values, ASKED_TO_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!handle_normalize(values[i], handles[i])) {
            api_fail(call, 1002, -1);
            return false;
        }
    }
    if (count == 0)
        return true;
    qsort(handles, count, sizeof handles[0], handle_order);
    *line = sticky_line(call->sandbox->world, count, handles);
    return true;
}

static bool excluded_read(struct call *call, uint32_t lines[EXCLUDED_MAX], size_t *count)
{
    const char *values[EXCLUDED_MAX];
    size_t given = sandbox_http_query_all(call->request, "exclude_from", values, EXCLUDED_MAX);
    for (size_t i = 0; i < given; i++) {
        if (!e164_is_valid(values[i])) {
            api_fail(call, 1002, -1);
            return false;
        }
        uint32_t line = world_line_find(call->sandbox->world, values[i]); /* foreign numbers are ignored */
        if (line != WORLD_NONE)
            lines[(*count)++] = line;
    }
    return true;
}

void api_available_number(struct call *call)
{
    struct world *world = call->sandbox->world;
    struct json_out *out = &call->answer->body;
    uint32_t excluded[EXCLUDED_MAX], line = WORLD_NONE;
    size_t excluded_count = 0;
    if (!excluded_read(call, excluded, &excluded_count) || !sticky_read(call, &line))
        return;
    if (line == WORLD_NONE)
        line = world_line_advise(world, excluded, excluded_count);
    if (line == WORLD_NONE) {
        api_fail(call, WORLD_BAD_VALUE, -1);
        return;
    }
    json_open(out, '{');
    put_text(out, "phone_number", world->lines[line].number);
    put_text(out, "vcf_url", "https://sandbox.invalid/line.vcf");
    json_close(out, '}');
}

/* ---- audits ---- */

static void audit_open(struct json_out *out, const struct world *world, uint64_t number, const char *status)
{
    json_open(out, '{');
    put_id(out, "audit_id", world, WORLD_ID_AUDIT, number);
    put_text(out, "status", status);
}

void api_audit_start(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    uint32_t line = world_line_find(sandbox->world, call->arguments[0]);
    uint64_t number;
    int64_t wait_ms;
    if (line == WORLD_NONE) {
        api_fail(call, WORLD_NOT_OUR_LINE, -1);
        return;
    }
    switch (audits_start(&sandbox->audits, line, call->now, &number, &wait_ms)) {
    case AUDIT_RUNNING:
        api_fail(call, 2015, -1);
        return;
    case AUDIT_COOLING:
        api_fail(call, WORLD_RATE_LIMITED, (wait_ms + 999) / 1000);
        return;
    case AUDIT_STARTED:
        break;
    }
    call->answer->status = 202;
    audit_open(&call->answer->body, sandbox->world, number, "pending");
    json_close(&call->answer->body, '}');
}

static void put_driver(struct json_out *out, const char *key)
{
    json_open(out, '{');
    put_text(out, "key", key);
    put_text(out, "metric", "");
    put_text(out, "summary", "");
    json_close(out, '}');
}

static void put_evidence(struct json_out *out, const struct world *world, uint32_t line)
{
    int told = 0, looked_at = 0;
    json_key(out, "evidence");
    json_open(out, '{');
    json_key(out, "opt_out_chats");
    json_open(out, '[');
    json_close(out, ']');
    json_key(out, "unhealthy_chats");
    json_open(out, '[');
    for (uint32_t at = world->lines[line].newest_chat;
         at != WORLD_NONE && told < EVIDENCE_MAX && looked_at < EVIDENCE_LOOK_AT;
         at = world->chats[at].older, looked_at++) {
        if (world->chats[at].health == CHAT_HEALTHY)
            continue;
        json_open(out, '{');
        put_id(out, "chat_id", world, WORLD_ID_CHAT, at);
        put_text(out, "status", chat_health_name(world->chats[at].health));
        json_key(out, "driver_keys");
        json_open(out, '[');
        json_close(out, ']');
        json_close(out, '}');
        told++;
    }
    json_close(out, ']');
    json_close(out, '}');
}

static void put_report(struct call *call, uint32_t line)
{
    struct sandbox *sandbox = call->sandbox;
    const struct world_line *entry = &sandbox->world->lines[line];
    const char *drivers[SANDBOX_DRIVERS_MAX];
    size_t count = sandbox_line_drivers(sandbox, line, drivers);
    struct json_out *out = &call->answer->body;
    json_key(out, "report");
    json_open(out, '{');
    put_text(out, "severity", reputation_name(entry->reputation));
    put_text(out, "primary_driver", count == 0 ? "other" : drivers[0]);
    put_text(out, "summary_markdown", "");
    json_key(out, "drivers");
    json_open(out, '[');
    for (size_t i = 0; i < count; i++)
        put_driver(out, drivers[i]);
    json_close(out, ']');
    json_key(out, "action_items");
    json_open(out, '[');
    json_close(out, ']');
    put_evidence(out, sandbox->world, line);
    json_close(out, '}');
}

void api_audit_get(struct call *call)
{
    const struct sandbox *sandbox = call->sandbox;
    const struct world *world = sandbox->world;
    struct json_out *out = &call->answer->body;
    uint64_t number;
    const struct audit *audit = NULL;
    if (world_id_parse(world->settings.seed, WORLD_ID_AUDIT, call->arguments[1], &number))
        audit = audits_find(&sandbox->audits, number);
    if (audit == NULL || strcmp(world->lines[audit->line].number, call->arguments[0]) != 0) {
        api_fail(call, 2019, -1);
        return;
    }
    bool over = audit_is_over(&sandbox->audits, audit, call->now.mono_ms);
    audit_open(out, world, number, over ? "complete" : "pending");
    if (over) {
        put_text(out, "phone", world->lines[audit->line].number);
        json_key(out, "generated_at");
        json_put_time(out, audit->began.wall_ms + sandbox->audits.duration_ms);
        put_report(call, audit->line);
    }
    json_close(out, '}');
}
