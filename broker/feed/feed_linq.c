/* feed_linq.c — see feed_linq.h. Lists first, then webhook events. */
#include "broker/feed/feed_linq.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lineward/json.h"

/* ---- values in all their shapes ---- */

/* Absent for us: not there, null, or an object without a status of its own. Then the alias speaks. */
static bool says_nothing(const cJSON *value)
{
    if (value == NULL || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsObject(value))
        return false;
    const cJSON *status = json_get(value, "status");
    return status == NULL || cJSON_IsNull(status);
}

/* The newer name if it says anything, else the alias if that does, else NULL. */
static const cJSON *status_value(const cJSON *object, const char *name, const char *alias)
{
    const cJSON *value = json_get(object, name);
    if (says_nothing(value) && alias != NULL)
        value = json_get(object, alias);
    return says_nothing(value) ? NULL : value;
}

/* The word itself; NULL if it is of the wrong type, which the readers in words.h take for UNKNOWN. */
static const char *status_word(const cJSON *value)
{
    if (cJSON_IsObject(value))
        value = json_get(value, "status");
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static enum reputation read_reputation(const cJSON *object, const char *name, const char *alias)
{
    return reputation_read(status_word(status_value(object, name, alias)));
}

static enum service read_service(const cJSON *object, const char *name)
{
    return service_read(status_word(status_value(object, name, NULL)));
}

void linq_copy_id(char *out, size_t room, const char *text)
{
    if (text == NULL || strlen(text) >= room)
        return;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            return;
    }
    memcpy(out, text, strlen(text) + 1);
}

static void copy_number(char out[E164_MAX_BYTES + 1], const char *text)
{
    if (text != NULL && e164_is_valid(text))
        memcpy(out, text, strlen(text) + 1); /* an E.164 fits by its definition */
}

/* A time of theirs, 0 if absent or unreadable. Cut, so that a clock of theirs that runs ahead cannot make its last
 * word outlive all later ones. */
static int64_t read_time(const cJSON *object, const char *name, int64_t arrival_wall_ms)
{
    const char *text = json_string(object, name);
    int64_t wall_ms = 0;
    if (text == NULL || !time_parse(text, &wall_ms) || wall_ms < 0)
        return 0;
    int64_t latest = arrival_wall_ms + LINQ_AHEAD_MS_MAX;
    return wall_ms < latest ? wall_ms : latest;
}

/* ---- line lists ---- */

/* From good to bad (DESIGN trap 11). AT_RISK and UNKNOWN weigh alike for the gate; of two that disagree we keep the
 * one that claims less. */
static int reputation_rank(enum reputation reputation)
{
    static const int rank[REPUTATION_COUNT] = {
        [REPUTATION_HEALTHY] = 0, [REPUTATION_AT_RISK] = 1, [REPUTATION_UNKNOWN] = 2, [REPUTATION_CRITICAL] = 3};
    return rank[reputation];
}

static int service_rank(enum service service)
{
    static const int rank[SERVICE_COUNT] = {[SERVICE_ACTIVE] = 0, [SERVICE_UNKNOWN] = 1, [SERVICE_FLAGGED] = 2};
    return rank[service];
}

static int by_number(const void *a, const void *b)
{
    return strcmp(((const struct feed_line *)a)->number, ((const struct feed_line *)b)->number);
}

static void merge_worse(struct feed_line *line, const struct feed_line *other)
{
    if (reputation_rank(other->reputation) > reputation_rank(line->reputation))
        line->reputation = other->reputation;
    if (service_rank(other->service) > service_rank(line->service))
        line->service = other->service;
}

static void merge_duplicates(struct linq_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->lines, list->count, sizeof *list->lines, by_number);
    size_t kept = 0;
    for (size_t i = 1; i < list->count; i++) {
        if (by_number(&list->lines[kept], &list->lines[i]) == 0)
            merge_worse(&list->lines[kept], &list->lines[i]);
        else
            list->lines[++kept] = list->lines[i];
    }
    list->count = kept + 1;
}

/* False: the entry has no number at all. */
static bool read_entry(const cJSON *entry, struct linq_list *list)
{
    const char *number = cJSON_IsObject(entry) ? json_string(entry, "phone_number") : NULL;
    if (number == NULL)
        return false;
    if (!e164_is_valid(number)) {
        list->unreadable++;
        return true;
    }
    struct feed_line *line = &list->lines[list->count++];
    copy_number(line->number, number);
    line->reputation = read_reputation(entry, "reputation", "health_status");
    line->service = read_service(entry, "status");
    if (line->reputation == REPUTATION_UNKNOWN && status_value(entry, "reputation", "health_status") != NULL)
        list->unknown_values++;
    return true;
}

static const char *read_entries(const cJSON *entries, size_t count, struct linq_list *list)
{
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, entries)
    {
        if (!read_entry(entry, list))
            return "an entry has no phone_number";
    }
    if (count > 0 && list->count == 0)
        return "no entry has a number that can be read";
    return NULL;
}

/* Over-estimates, since it also counts within strings: it only has to be bounded. */
static bool holds_too_many_values(const char *body, size_t bytes)
{
    size_t values = 0;
    for (size_t i = 0; i < bytes; i++)
        values += body[i] == ',' || body[i] == ':' || body[i] == '[' || body[i] == '{';
    return values > LINQ_VALUES_MAX;
}

enum err linq_read_lines(const char *body, size_t bytes, struct linq_list *out, const char **why)
{
    struct linq_list list = {0};
    enum err err = ERR_BAD_INPUT;
    if (holds_too_many_values(body, bytes)) {
        *why = "the list is too large";
        return ERR_BAD_INPUT;
    }
    cJSON *root = json_parse_foreign(body, bytes, why);
    if (root == NULL)
        return ERR_BAD_INPUT;
    const cJSON *entries = json_get(root, "phone_numbers");
    *why = "the answer has no list phone_numbers";
    if (!cJSON_IsArray(entries))
        goto done;
    size_t count = (size_t)cJSON_GetArraySize(entries);
    *why = "the list is too large";
    if (count > LINQ_LINES_MAX)
        goto done;
    list.lines = calloc(count + 1, sizeof *list.lines);
    if (list.lines == NULL) {
        err = ERR_NO_MEMORY;
        *why = "out of memory";
        goto done;
    }
    *why = read_entries(entries, count, &list);
    if (*why != NULL)
        goto done;
    merge_duplicates(&list);
    *out = list;
    list.lines = NULL;
    err = ERR_NONE;
done:
    linq_list_clear(&list);
    cJSON_Delete(root);
    return err;
}

void linq_list_clear(struct linq_list *list)
{
    free(list->lines);
    *list = (struct linq_list){0};
}

/* ---- webhook events ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* "opt out" spaced, hyphened or joined. */
static bool is_opt_out_phrase(const char *word, size_t bytes)
{
    if (bytes < 6 || strncasecmp(word, "opt", 3) != 0 || strncasecmp(word + bytes - 3, "out", 3) != 0)
        return false;
    for (size_t i = 3; i < bytes - 3; i++) {
        if (!is_blank(word[i]) && word[i] != '-')
            return false;
    }
    return true;
}

bool linq_is_opt_out(const char *text)
{
    static const char *const words[] = {"STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"};
    while (is_blank(*text))
        text++;
    size_t bytes = strlen(text);
    while (bytes > 0 && is_blank(text[bytes - 1]))
        bytes--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == bytes && strncasecmp(text, words[i], bytes) == 0)
            return true;
    }
    return is_opt_out_phrase(text, bytes);
}

/* A handle is an object with `handle`, or in older places the bare text. */
static const char *handle_text(const cJSON *value)
{
    if (cJSON_IsObject(value))
        value = json_get(value, "handle");
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static const char *first_handle(const cJSON *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = handle_text(json_get(object, names[i]));
        if (text != NULL)
            return text;
    }
    return NULL;
}

static void read_chat(const cJSON *chat, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    const cJSON *health = status_value(chat, "health_status", NULL);
    linq_copy_id(out->chat_id, sizeof out->chat_id, json_string(chat, "id"));
    out->group = json_bool(chat, "is_group", false);
    out->has_chat_health = health != NULL;
    out->chat_health = chat_health_read(status_word(health));
    out->chat_health_at_ms = cJSON_IsObject(health) ? read_time(health, "updated_at", arrival_wall_ms) : 0;
    copy_number(out->line, handle_text(json_get(chat, "owner_handle")));
}

static enum linq_reading read_chat_created(const cJSON *data, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    read_chat(data, arrival_wall_ms, out);
    out->at_ms = read_time(data, "created_at", arrival_wall_ms);
    const cJSON *handle = NULL;
    const char *other = NULL;
    size_t others = 0;
    cJSON_ArrayForEach(handle, json_get(data, "handles"))
    {
        const char *text = handle_text(handle);
        if (json_bool(handle, "is_me", false)) {
            copy_number(out->line, text);
        } else {
            other = text;
            others++;
        }
    }
    if (others == 1 && other != NULL && !out->group)
        handle_normalize(other, out->sender);
    return out->chat_id[0] == '\0' ? LINQ_MALFORMED : LINQ_TAKEN;
}

static bool parts_opt_out(const cJSON *parts)
{
    const cJSON *part = NULL;
    const char *text = NULL;
    size_t texts = 0;
    cJSON_ArrayForEach(part, parts)
    {
        const char *type = json_string(part, "type");
        if (type == NULL || strcmp(type, "text") != 0)
            continue;
        text = json_string(part, "value");
        texts++;
    }
    return texts == 1 && text != NULL && linq_is_opt_out(text);
}

static bool read_inbound(const cJSON *data, enum feed_event event)
{
    const char *direction = json_string(data, "direction");
    if (direction != NULL)
        return strcasecmp(direction, "inbound") == 0;
    return !json_bool(data, "is_from_me", event != FEED_EVENT_RECEIVED);
}

/* Who wrote, and which line it was: the owner handle where the payload has one, else the end that is ours. */
static void read_ends(const cJSON *data, struct feed_webhook *out)
{
    static const char *const from[] = {"sender_handle", "from_handle", "from"};
    static const char *const to[] = {"recipient_handle", "recipient_phone"};
    const char *sender = first_handle(data, from, sizeof from / sizeof *from);
    if (sender != NULL)
        handle_normalize(sender, out->sender);
    if (out->line[0] == '\0')
        copy_number(out->line, out->inbound ? first_handle(data, to, sizeof to / sizeof *to) : sender);
}

/* When it happened; the 2025-01-01 payload keeps some of the times in `message`. */
static int64_t read_moment(const cJSON *data, const cJSON *message, enum feed_event event, int64_t arrival_wall_ms)
{
    static const char *const names[FEED_EVENT_COUNT][2] = {
        [FEED_EVENT_SENT] = {"sent_at", "sent_at"},
        [FEED_EVENT_DELIVERED] = {"delivered_at", "delivered_at"},
        [FEED_EVENT_READ] = {"read_at", "read_at"},
        [FEED_EVENT_RECEIVED] = {"sent_at", "received_at"},
    };
    for (size_t i = 0; i < 2; i++) {
        int64_t at_ms = read_time(data, names[event][i], arrival_wall_ms);
        if (at_ms == 0)
            at_ms = read_time(message, names[event][i], arrival_wall_ms);
        if (at_ms != 0)
            return at_ms;
    }
    return 0;
}

/* 2026-02-03 has id and chat, 2025-01-01 has message_id or message.id and chat_id. */
static void read_ids(const cJSON *data, const cJSON *message, struct feed_webhook *out)
{
    const char *id = json_string(data, "message_id");
    if (id == NULL)
        id = json_string(message, "id");
    if (id == NULL)
        id = json_string(data, "id");
    linq_copy_id(out->message_id, sizeof out->message_id, id);
    if (out->chat_id[0] == '\0')
        linq_copy_id(out->chat_id, sizeof out->chat_id, json_string(data, "chat_id"));
}

static enum linq_reading read_message(const cJSON *data, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    const cJSON *message = json_get(data, "message");
    read_chat(json_get(data, "chat"), arrival_wall_ms, out);
    out->group = out->group || json_bool(data, "is_group", false);
    read_ids(data, message, out);
    linq_copy_id(out->idempotency_key, sizeof out->idempotency_key, json_string(data, "idempotency_key"));
    out->inbound = read_inbound(data, out->event);
    read_ends(data, out);
    const cJSON *reconciled = json_get(data, "reconciled_at");
    out->reconciled = reconciled != NULL && !cJSON_IsNull(reconciled);
    out->at_ms = read_moment(data, message, out->event, arrival_wall_ms);
    const cJSON *parts = json_get(data, "parts");
    out->opt_out_keyword = out->inbound && out->event == FEED_EVENT_RECEIVED &&
                           parts_opt_out(cJSON_IsArray(parts) ? parts : json_get(message, "parts"));
    return LINQ_TAKEN;
}

/* Error numbers come as text in some places (linq-api.md 6). */
static int64_t read_code(const cJSON *data)
{
    int64_t code = 0;
    const char *text = json_string(data, "code");
    if (text != NULL && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 9)
        code = strtol(text, NULL, 10);
    else if (!json_int(data, "code", &code))
        code = 0;
    return code;
}

static enum linq_reading read_failed(const cJSON *data, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    read_ids(data, json_get(data, "message"), out);
    linq_copy_id(out->idempotency_key, sizeof out->idempotency_key, json_string(data, "idempotency_key"));
    out->code = read_code(data);
    out->at_ms = read_time(data, "failed_at", arrival_wall_ms);
    return LINQ_TAKEN;
}

static enum linq_reading read_status(const cJSON *data, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    copy_number(out->line, json_string(data, "phone_number"));
    out->has_reputation = status_value(data, "new_reputation", "new_health_status") != NULL;
    out->reputation = read_reputation(data, "new_reputation", "new_health_status");
    out->previous = read_reputation(data, "previous_reputation", "previous_health_status");
    out->has_service = status_value(data, "new_status", NULL) != NULL;
    out->service = read_service(data, "new_status");
    out->changed_at_ms = read_time(data, "changed_at", arrival_wall_ms);
    bool empty = out->line[0] == '\0' || (!out->has_reputation && !out->has_service);
    return empty ? LINQ_NO_LINE : LINQ_TAKEN;
}

typedef enum linq_reading reader(const cJSON *data, int64_t arrival_wall_ms, struct feed_webhook *out);

static const struct {
    const char *type;
    enum feed_event event;
    reader *read;
} events[] = {
    {"phone_number.status_updated", FEED_EVENT_STATUS, read_status},
    {"message.sent", FEED_EVENT_SENT, read_message},
    {"message.delivered", FEED_EVENT_DELIVERED, read_message},
    {"message.read", FEED_EVENT_READ, read_message},
    {"message.received", FEED_EVENT_RECEIVED, read_message},
    {"message.failed", FEED_EVENT_FAILED, read_failed},
    {"chat.created", FEED_EVENT_CHAT, read_chat_created},
};

static enum linq_reading read_event(const cJSON *root, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    const char *type = json_string(root, "event_type");
    if (type == NULL)
        return LINQ_MALFORMED;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (strcmp(type, events[i].type) != 0)
            continue;
        const cJSON *data = json_get(root, "data");
        if (!cJSON_IsObject(data))
            return LINQ_MALFORMED;
        out->event = events[i].event;
        linq_copy_id(out->event_id, sizeof out->event_id, json_string(root, "event_id"));
        return events[i].read(data, arrival_wall_ms, out);
    }
    return LINQ_UNUSED;
}

enum linq_reading linq_read_webhook(const char *body, size_t bytes, int64_t arrival_wall_ms, struct feed_webhook *out)
{
    const char *why = NULL;
    cJSON *root = json_parse_foreign(body, bytes, &why);
    if (root == NULL)
        return LINQ_MALFORMED;
    *out = (struct feed_webhook){0};
    enum linq_reading reading = read_event(root, arrival_wall_ms, out);
    cJSON_Delete(root);
    return reading;
}
