/* webhook_history.c — a ring of attempts. */
#include "tools/sandbox/webhook_history.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 256

struct webhook_attempt {
    uint64_t number;
    const char *type;
    char id[WORLD_ID_TEXT_MAX], line[E164_MAX_BYTES + 1];
    bool is_status;
    enum reputation reputation;
    enum service service;
    unsigned attempt;
    long status;
    struct instant began, answered;
};

static bool history_grow(struct webhook_history *history)
{
    if (history->count < history->room || history->room == WEBHOOK_HISTORY_MAX)
        return true;
    size_t room = history->room == 0 ? ROOM_FIRST : history->room * 2;
    struct webhook_attempt *grown = realloc(history->attempts, room * sizeof *grown);
    if (grown == NULL)
        return false;
    history->attempts = grown;
    history->room = room;
    return true;
}

void webhook_history_add(struct webhook_history *history, const struct webhook_event *event, unsigned attempt,
                         long status, struct instant began, struct instant answered)
{
    if (!history_grow(history))
        return;
    struct webhook_attempt *entry = &history->attempts[history->count % history->room];
    *entry = (struct webhook_attempt){.number = ++history->count,
                                      .type = event->type,
                                      .is_status = event->is_status,
                                      .reputation = event->reputation,
                                      .service = event->service,
                                      .attempt = attempt,
                                      .status = status,
                                      .began = began,
                                      .answered = answered};
    memcpy(entry->id, event->id, sizeof entry->id);
    memcpy(entry->line, event->line, sizeof entry->line);
}

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

static void put_attempt(struct json_out *out, const struct webhook_attempt *attempt)
{
    json_open(out, '{');
    put_int(out, "n", (int64_t)attempt->number);
    put_text(out, "event", attempt->type);
    put_text(out, "event_id", attempt->id);
    put_text(out, "line", attempt->line);
    if (attempt->is_status) {
        put_text(out, "reputation", reputation_name(attempt->reputation));
        put_text(out, "service", service_name(attempt->service));
    }
    put_int(out, "attempt", attempt->attempt);
    put_int(out, "http", attempt->status);
    put_int(out, "began_mono_ms", attempt->began.mono_ms);
    put_int(out, "answered_mono_ms", attempt->answered.mono_ms);
    put_int(out, "answered_wall_ms", attempt->answered.wall_ms);
    json_close(out, '}');
}

void webhook_history_view(const struct webhook_history *history, uint64_t after, size_t limit, const char *type,
                          struct json_out *out)
{
    uint64_t oldest = history->count - (history->count < history->room ? history->count : history->room);
    uint64_t at = after > oldest ? after : oldest;
    json_key(out, "attempts");
    json_open(out, '[');
    for (; at < history->count && limit > 0; at++) {
        const struct webhook_attempt *attempt = &history->attempts[at % history->room];
        if (type != NULL && strcmp(attempt->type, type) != 0)
            continue;
        put_attempt(out, attempt);
        limit--;
    }
    json_close(out, ']');
    put_int(out, "next", (int64_t)at);
}

void webhook_history_free(struct webhook_history *history)
{
    free(history->attempts);
    *history = (struct webhook_history){0};
}
