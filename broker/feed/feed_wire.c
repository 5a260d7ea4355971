/* feed_wire.c — the messages of feed.h as bytes: the only reader and writer of that format.
 *
 * One table names every member: which kinds of message carry it, where it lies in the struct, and what it may
 * hold. Writing and reading both walk it, so they cannot drift apart, and both refuse what it does not allow: the
 * broker must be able to believe the shape of a message even if the child has been taken over. */
#include <stdlib.h>
#include <string.h>

#include "broker/feed/feed.h"
#include "lineward/json.h"

#define LENGTH_BYTES 4
#define COUNT_MAX    (UINT64_C(1) << 53) /* what a JSON number carries exactly */

enum type { TYPE_NAME, TYPE_LINE, TYPE_HANDLE, TYPE_TEXT, TYPE_FLAG, TYPE_INT, TYPE_COUNT, TYPE_SMALL, TYPE_WORD };

typedef const char *word_fn(unsigned value);

struct field {
    const char *name;
    unsigned kinds; /* a bit for each kind of message that has it */
    enum type type;
    size_t offset;
    size_t room;      /* texts: of the array; TYPE_SMALL: greatest value; TYPE_WORD: how many words */
    word_fn *word_of; /* TYPE_WORD */
};

#define WORDS(name, type)                                                                                            \
    static const char *name##_word(unsigned value)                                                                   \
    {                                                                                                                \
        return name##_name((type)value);                                                                             \
    }

static const char *kind_name(enum feed_kind kind)
{
    static const char *const names[] = {
        [FEED_READY] = "ready",       [FEED_POLL_LINES] = "poll_lines",
        [FEED_POLL_END] = "poll_end", [FEED_WEBHOOK] = "webhook",
        [FEED_NOTE] = "note",         [FEED_POLL_NOW] = "poll_now",
        [FEED_ANSWER] = "answer",     [FEED_POLL_ALLOW] = "poll_allow",
        [FEED_RELOAD] = "reload",
    };
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static const char *event_name(enum feed_event event)
{
    static const char *const names[FEED_EVENT_COUNT] = {
        [FEED_EVENT_STATUS] = "status",     [FEED_EVENT_SENT] = "sent",     [FEED_EVENT_DELIVERED] = "delivered",
        [FEED_EVENT_READ] = "read",         [FEED_EVENT_FAILED] = "failed", [FEED_EVENT_RECEIVED] = "received",
        [FEED_EVENT_CHAT] = "chat_created",
    };
    return (unsigned)event < FEED_EVENT_COUNT ? names[event] : "?";
}

const char *feed_note_name(enum feed_note note)
{
    static const char *const names[FEED_NOTE_COUNT] = {
#define X(name, text) text,
        FEED_NOTE_LIST(X)
#undef X
    };
    return (unsigned)note < FEED_NOTE_COUNT ? names[note] : "?";
}

WORDS(kind, enum feed_kind)
WORDS(event, enum feed_event)
WORDS(feed_note, enum feed_note)
WORDS(reputation, enum reputation)
WORDS(service, enum service)
WORDS(chat_health, enum chat_health)

#define KIND(kind)        (1u << FEED_##kind)
#define POLLED            (KIND(POLL_LINES) | KIND(POLL_END))
#define IN(member)        offsetof(struct feed_message, member), sizeof((struct feed_message *)0)->member
#define AT(member, limit) offsetof(struct feed_message, member), (limit)

static const struct field fields[] = {
    {"port", KIND(READY), TYPE_SMALL, AT(port, 65535), NULL},
    {"account", POLLED | KIND(WEBHOOK) | KIND(NOTE) | KIND(POLL_NOW) | KIND(POLL_ALLOW), TYPE_NAME, IN(account),
     NULL},
    {"poll", POLLED, TYPE_COUNT, IN(poll), NULL},
    {"begun_mono_ms", KIND(POLL_END), TYPE_INT, IN(begun_mono_ms), NULL},
    {"ok", KIND(POLL_END) | KIND(POLL_ALLOW), TYPE_FLAG, IN(ok), NULL},
    {"cached", KIND(POLL_END), TYPE_FLAG, IN(cached), NULL},
    {"key_refused", KIND(POLL_END), TYPE_FLAG, IN(key_refused), NULL},
    {"skew_ms", KIND(POLL_END), TYPE_INT, IN(skew_ms), NULL},
    {"problem", KIND(POLL_END), TYPE_TEXT, IN(problem), NULL},
    {"http_status", KIND(POLL_END) | KIND(ANSWER), TYPE_SMALL, AT(http_status, 999), NULL},
    {"note", KIND(NOTE), TYPE_WORD, AT(note, FEED_NOTE_COUNT), feed_note_word},
    {"count", KIND(NOTE), TYPE_COUNT, IN(count), NULL},
    {"request", KIND(ANSWER), TYPE_COUNT, IN(request), NULL},
    {"request", KIND(WEBHOOK), TYPE_COUNT, IN(webhook.request), NULL},
    {"event", KIND(WEBHOOK), TYPE_WORD, AT(webhook.event, FEED_EVENT_COUNT), event_word},
    {"event_id", KIND(WEBHOOK), TYPE_TEXT, IN(webhook.event_id), NULL},
    {"webhook_id", KIND(WEBHOOK), TYPE_TEXT, IN(webhook.webhook_id), NULL},
    {"arrived_mono_ms", KIND(WEBHOOK), TYPE_INT, IN(webhook.arrived_mono_ms), NULL},
    {"line", KIND(WEBHOOK), TYPE_LINE, IN(webhook.line), NULL},
    {"has_reputation", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.has_reputation), NULL},
    {"has_service", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.has_service), NULL},
    {"reputation", KIND(WEBHOOK), TYPE_WORD, AT(webhook.reputation, REPUTATION_COUNT), reputation_word},
    {"previous", KIND(WEBHOOK), TYPE_WORD, AT(webhook.previous, REPUTATION_COUNT), reputation_word},
    {"service", KIND(WEBHOOK), TYPE_WORD, AT(webhook.service, SERVICE_COUNT), service_word},
    {"changed_at_ms", KIND(WEBHOOK), TYPE_INT, IN(webhook.changed_at_ms), NULL},
    {"message_id", KIND(WEBHOOK), TYPE_TEXT, IN(webhook.message_id), NULL},
    {"chat_id", KIND(WEBHOOK), TYPE_TEXT, IN(webhook.chat_id), NULL},
    {"idempotency_key", KIND(WEBHOOK), TYPE_TEXT, IN(webhook.idempotency_key), NULL},
    {"sender", KIND(WEBHOOK), TYPE_HANDLE, IN(webhook.sender), NULL},
    {"inbound", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.inbound), NULL},
    {"group", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.group), NULL},
    {"opt_out_keyword", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.opt_out_keyword), NULL},
    {"reconciled", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.reconciled), NULL},
    {"has_chat_health", KIND(WEBHOOK), TYPE_FLAG, IN(webhook.has_chat_health), NULL},
    {"chat_health", KIND(WEBHOOK), TYPE_WORD, AT(webhook.chat_health, CHAT_HEALTH_COUNT), chat_health_word},
    {"chat_health_at_ms", KIND(WEBHOOK), TYPE_INT, IN(webhook.chat_health_at_ms), NULL},
    {"at_ms", KIND(WEBHOOK), TYPE_INT, IN(webhook.at_ms), NULL},
    {"code", KIND(WEBHOOK), TYPE_INT, IN(webhook.code), NULL},
};

_Static_assert(sizeof(enum feed_note) == sizeof(unsigned) && sizeof(enum feed_event) == sizeof(unsigned) &&
                   sizeof(enum reputation) == sizeof(unsigned) && sizeof(enum service) == sizeof(unsigned) &&
                   sizeof(enum chat_health) == sizeof(unsigned) && sizeof(int) == sizeof(unsigned),
               "TYPE_WORD and TYPE_SMALL copy their members as unsigned");

/* ---- what a member may hold ---- */

static bool is_plain_text(const char *text, size_t room)
{
    size_t bytes = strnlen(text, room);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    return bytes < room;
}

static bool is_handle_or_none(const char *text)
{
    char normal[HANDLE_MAX_BYTES + 1];
    return text[0] == '\0' || (handle_normalize(text, normal) && strcmp(text, normal) == 0);
}

static bool text_is_good(enum type type, const char *text, size_t room)
{
    if (!is_plain_text(text, room))
        return false;
    switch (type) {
    case TYPE_NAME:
        return name_is_valid(text);
    case TYPE_LINE:
        return text[0] == '\0' || e164_is_valid(text);
    case TYPE_HANDLE:
        return is_handle_or_none(text);
    default:
        return true;
    }
}

static bool word_find(word_fn *word_of, size_t count, const char *text, unsigned *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(word_of(i), text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

/* False: the member holds what its type does not allow. */
static bool write_field(struct json_out *out, const struct field *field, const void *at)
{
    uint64_t count = 0;
    unsigned small = 0;
    int64_t value = 0;
    bool flag = false;
    json_key(out, field->name);
    switch (field->type) {
    case TYPE_NAME:
    case TYPE_LINE:
    case TYPE_HANDLE:
    case TYPE_TEXT:
        if (!text_is_good(field->type, at, field->room))
            return false;
        json_put_string(out, at);
        return true;
    case TYPE_FLAG:
        memcpy(&flag, at, sizeof flag);
        json_put_bool(out, flag);
        return true;
    case TYPE_INT:
        memcpy(&value, at, sizeof value);
        json_put_int(out, value);
        return value < (int64_t)COUNT_MAX && value > -(int64_t)COUNT_MAX;
    case TYPE_COUNT:
        memcpy(&count, at, sizeof count);
        json_put_int(out, (int64_t)count);
        return count < COUNT_MAX;
    case TYPE_SMALL:
        memcpy(&small, at, sizeof small);
        json_put_int(out, small);
        return small <= field->room;
    case TYPE_WORD:
        memcpy(&small, at, sizeof small);
        json_put_string(out, field->word_of(small));
        return small < field->room;
    }
    return false;
}

static bool write_line(struct json_out *out, const struct feed_line *line)
{
    if (!text_is_good(TYPE_LINE, line->number, sizeof line->number) || line->number[0] == '\0' ||
        (unsigned)line->reputation >= REPUTATION_COUNT || (unsigned)line->service >= SERVICE_COUNT)
        return false;
    json_open(out, '[');
    json_put_string(out, line->number);
    json_put_string(out, reputation_name(line->reputation));
    json_put_string(out, service_name(line->service));
    json_close(out, ']');
    return true;
}

static bool write_document(struct json_out *out, const struct feed_message *message, const struct feed_line *lines,
                           size_t count)
{
    bool good = true;
    json_open(out, '{');
    json_key(out, "kind");
    json_put_string(out, kind_name(message->kind));
    for (size_t i = 0; good && i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].kinds & (1u << message->kind))
            good = write_field(out, &fields[i], (const char *)message + fields[i].offset);
    }
    if (message->kind == FEED_POLL_LINES) {
        json_key(out, "lines");
        json_open(out, '[');
        for (size_t i = 0; good && i < count; i++)
            good = write_line(out, &lines[i]);
        json_close(out, ']');
    }
    json_close(out, '}');
    return good;
}

static bool buffer_reserve(struct feed_buffer *buffer, size_t bytes)
{
    if (buffer->room - buffer->bytes >= bytes)
        return true;
    size_t room = buffer->room == 0 ? 4096 : buffer->room;
    while (room - buffer->bytes < bytes)
        room *= 2;
    uint8_t *data = realloc(buffer->data, room);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

static enum err append_frame(struct feed_buffer *out, const struct feed_message *message,
                             const struct feed_line *lines, size_t count)
{
    struct json_out text = {0};
    enum err err = ERR_BAD_INPUT;
    bool good = write_document(&text, message, lines, count);
    if (text.failed)
        err = ERR_NO_MEMORY;
    if (!good || text.failed || text.bytes > FEED_MESSAGE_BYTES_MAX)
        goto done;
    err = ERR_NO_MEMORY;
    if (!buffer_reserve(out, LENGTH_BYTES + text.bytes))
        goto done;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        out->data[out->bytes++] = (uint8_t)(text.bytes >> (8 * (LENGTH_BYTES - 1 - i)));
    memcpy(out->data + out->bytes, text.text, text.bytes);
    out->bytes += text.bytes;
    err = ERR_NONE;
done:
    json_out_free(&text);
    return err;
}

enum err feed_encode(struct feed_buffer *out, const struct feed_message *message)
{
    if ((unsigned)message->kind >= FEED_KIND_COUNT)
        return ERR_BAD_INPUT;
    size_t before = out->bytes;
    size_t total = message->kind == FEED_POLL_LINES ? message->line_count : 0;
    size_t written = 0;
    do {
        size_t count = total - written < FEED_LINES_PER_MESSAGE ? total - written : FEED_LINES_PER_MESSAGE;
        enum err err = append_frame(out, message, count > 0 ? message->lines + written : NULL, count);
        if (err != ERR_NONE) {
            out->bytes = before;
            return err;
        }
        written += count;
    } while (written < total);
    return ERR_NONE;
}

void feed_buffer_free(struct feed_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct feed_buffer){0};
}

/* ---- reading ---- */

static bool read_text(const cJSON *root, const struct field *field, char *at)
{
    const char *text = json_string(root, field->name);
    if (text == NULL || !text_is_good(field->type, text, field->room))
        return false;
    memcpy(at, text, strlen(text) + 1);
    return true;
}

static bool read_number(const cJSON *root, const struct field *field, void *at)
{
    int64_t value = 0;
    if (!json_int(root, field->name, &value))
        return false;
    if (field->type == TYPE_INT) {
        memcpy(at, &value, sizeof value);
        return true;
    }
    if (value < 0 || (field->type == TYPE_SMALL && value > (int64_t)field->room))
        return false;
    uint64_t count = (uint64_t)value;
    unsigned small = (unsigned)value;
    if (field->type == TYPE_COUNT)
        memcpy(at, &count, sizeof count);
    else
        memcpy(at, &small, sizeof small);
    return true;
}

static bool read_field(const cJSON *root, const struct field *field, void *at)
{
    switch (field->type) {
    case TYPE_NAME:
    case TYPE_LINE:
    case TYPE_HANDLE:
    case TYPE_TEXT:
        return read_text(root, field, at);
    case TYPE_FLAG: {
        bool flag = json_bool(root, field->name, false);
        memcpy(at, &flag, sizeof flag);
        return cJSON_IsBool(json_get(root, field->name));
    }
    case TYPE_INT:
    case TYPE_COUNT:
    case TYPE_SMALL:
        return read_number(root, field, at);
    case TYPE_WORD: {
        const char *text = json_string(root, field->name);
        unsigned value = 0;
        if (text == NULL || !word_find(field->word_of, field->room, text, &value))
            return false;
        memcpy(at, &value, sizeof value);
        return true;
    }
    }
    return false;
}

static bool read_line(const cJSON *item, struct feed_line *line)
{
    const cJSON *number = cJSON_IsArray(item) ? item->child : NULL;
    const cJSON *reputation = number != NULL ? number->next : NULL;
    const cJSON *service = reputation != NULL ? reputation->next : NULL;
    if (service == NULL || service->next != NULL)
        return false;
    if (!cJSON_IsString(number) || !cJSON_IsString(reputation) || !cJSON_IsString(service))
        return false;
    unsigned reputation_value = 0, service_value = 0;
    if (!e164_is_valid(number->valuestring) ||
        !word_find(reputation_word, REPUTATION_COUNT, reputation->valuestring, &reputation_value) ||
        !word_find(service_word, SERVICE_COUNT, service->valuestring, &service_value))
        return false;
    memcpy(line->number, number->valuestring, strlen(number->valuestring) + 1); /* an E.164 fits by its definition */
    line->reputation = (enum reputation)reputation_value;
    line->service = (enum service)service_value;
    return true;
}

static enum err read_lines(const cJSON *root, struct feed_message *out)
{
    const cJSON *list = json_get(root, "lines");
    const cJSON *item = NULL;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > FEED_LINES_PER_MESSAGE)
        return ERR_BAD_INPUT;
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count == 0)
        return ERR_NONE;
    out->lines = calloc(count, sizeof *out->lines);
    if (out->lines == NULL)
        return ERR_NO_MEMORY;
    cJSON_ArrayForEach(item, list)
    {
        if (!read_line(item, &out->lines[out->line_count++]))
            return ERR_BAD_INPUT;
    }
    return ERR_NONE;
}

static enum err read_document(const cJSON *root, struct feed_message *out)
{
    const char *word = json_string(root, "kind");
    unsigned kind = 0;
    if (word == NULL || !word_find(kind_word, FEED_KIND_COUNT, word, &kind))
        return ERR_BAD_INPUT;
    out->kind = (enum feed_kind)kind;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if ((fields[i].kinds & (1u << kind)) && !read_field(root, &fields[i], (char *)out + fields[i].offset))
            return ERR_BAD_INPUT;
    }
    return out->kind == FEED_POLL_LINES ? read_lines(root, out) : ERR_NONE;
}

enum err feed_decode(const uint8_t *data, size_t bytes, size_t *used, struct feed_message *out)
{
    if (bytes < LENGTH_BYTES)
        return ERR_NOT_FOUND;
    size_t length = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    if (length == 0 || length > FEED_MESSAGE_BYTES_MAX)
        return ERR_BAD_INPUT;
    if (bytes - LENGTH_BYTES < length)
        return ERR_NOT_FOUND;
    cJSON *root = json_parse((const char *)data + LENGTH_BYTES, length, NULL);
    if (root == NULL)
        return ERR_BAD_INPUT;
    struct feed_message message = {0};
    enum err err = read_document(root, &message);
    cJSON_Delete(root);
    if (err != ERR_NONE) {
        feed_message_clear(&message);
        return err;
    }
    *out = message;
    *used = LENGTH_BYTES + length;
    return ERR_NONE;
}

void feed_message_clear(struct feed_message *message)
{
    free(message->lines);
    *message = (struct feed_message){0};
}
