/* recipients.c — see recipients.h. */
#include "broker/edge/recipients.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static bool refuse(struct job_refusal *refusal, enum code code,
                                                         const char *field, const char *format, ...)
{
    va_list args;
    refusal->code = code;
    snprintf(refusal->field, sizeof refusal->field, "%s", field);
    va_start(args, format);
    vsnprintf(refusal->message, sizeof refusal->message, format, args);
    va_end(args);
    return false;
}

static bool add(struct recipients *out, const cJSON *value, const char *field, struct job_refusal *refusal)
{
    if (!cJSON_IsString(value))
        return refuse(refusal, CODE_INVALID_FIELD, field, "%s: must be a string", field);
    if (!handle_normalize(value->valuestring, out->handles[out->count]))
        return refuse(refusal, CODE_INVALID_RECIPIENT, field,
                      "%s: must be E.164 such as +14155550111, or an e-mail address", field);
    out->count++;
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* False: one is there twice. */
static bool sort(struct recipients *out)
{
    qsort(out->handles, out->count, sizeof out->handles[0], compare);
    for (size_t i = 1; i < out->count; i++)
        if (strcmp(out->handles[i - 1], out->handles[i]) == 0)
            return false;
    return true;
}

bool recipients_read(const cJSON *to, struct recipients *out, struct job_refusal *refusal)
{
    out->count = 0;
    if (to == NULL)
        return refuse(refusal, CODE_INVALID_FIELD, "to", "to: is missing; one recipient or an array of them");
    if (!cJSON_IsArray(to)) {
        if (!cJSON_IsString(to))
            return refuse(refusal, CODE_INVALID_FIELD, "to", "to: must be a string or an array of strings");
        return add(out, to, "to", refusal);
    }
    int count = cJSON_GetArraySize(to);
    if (count < 1 || count > WIRE_RECIPIENTS_MAX)
        return refuse(refusal, CODE_INVALID_FIELD, "to", "to: %d recipients, 1 to %d", count, WIRE_RECIPIENTS_MAX);
    int i = 0;
    for (const cJSON *item = to->child; item != NULL; item = item->next, i++) {
        char field[16];
        snprintf(field, sizeof field, "to[%d]", i);
        if (!add(out, item, field, refusal))
            return false;
    }
    return sort(out) || refuse(refusal, CODE_INVALID_RECIPIENT, "to", "to: names a recipient twice");
}

bool recipients_split(const char *text, struct recipients *out)
{
    out->count = 0;
    for (const char *at = text;; at++) {
        char one[HANDLE_MAX_BYTES + 1];
        size_t bytes = strcspn(at, ",");
        if (bytes > HANDLE_MAX_BYTES || out->count == WIRE_RECIPIENTS_MAX)
            return false;
        memcpy(one, at, bytes);
        one[bytes] = '\0';
        if (!handle_normalize(one, out->handles[out->count]))
            return false;
        out->count++;
        at += bytes;
        if (*at == '\0')
            return sort(out);
    }
}

void recipients_write(const struct recipients *recipients, struct json_out *out)
{
    json_out_clear(out);
    json_open(out, '[');
    for (size_t i = 0; i < recipients->count; i++)
        json_put_string(out, recipients->handles[i]);
    json_close(out, ']');
}

/* No handle has a comma, or a mark that JSON escapes otherwise than with a backslash before it. */
bool recipients_sole(struct span json, char out[HANDLE_MAX_BYTES + 1])
{
    const char *at = json.data;
    if (json.bytes < 4 || memcmp(at, "[\"", 2) != 0 || memchr(at, ',', json.bytes) != NULL)
        return false;
    const char *end = at + json.bytes - 2;
    size_t bytes = 0;
    for (at += 2; at < end && bytes < HANDLE_MAX_BYTES; at++) {
        at += *at == '\\';
        out[bytes++] = *at;
    }
    out[bytes] = '\0';
    return at == end;
}

uint64_t recipients_conversation(const struct keyed_hash *hash, const char *pool, struct span json)
{
    return keyed_hash(hash, KEYED_CONVERSATION, pool, json.data, json.bytes);
}

uint64_t recipients_direct(const struct keyed_hash *hash, const char *account, const struct recipients *recipients)
{
    if (recipients->count != 1)
        return 0;
    return keyed_hash(hash, KEYED_RECIPIENT, account, recipients->handles[0], strlen(recipients->handles[0]));
}

static size_t in_pools(const struct keyed_hash *hash, const struct conf *conf, uint32_t account, const struct json_out *text,
                       uint64_t out[CONF_POOLS_MAX])
{
    size_t count = 0;
    for (size_t p = 0; !text->failed && p < conf->pool_count; p++)
        if (conf->pools[p].account == account)
            out[count++] = recipients_conversation(hash, conf->pools[p].name, (struct span){text->text, text->bytes});
    return count;
}

size_t recipients_conversations(const struct keyed_hash *hash, const struct conf *conf, uint32_t account,
                                const struct recipients *recipients, uint64_t out[CONF_POOLS_MAX])
{
    struct json_out text = {0};
    recipients_write(recipients, &text);
    size_t count = in_pools(hash, conf, account, &text, out);
    json_out_free(&text);
    return count;
}

size_t recipients_homes(const struct keyed_hash *hash, const struct conf *conf, uint32_t account, const char *handle,
                        uint64_t out[CONF_POOLS_MAX])
{
    struct json_out text = {0};
    json_open(&text, '[');
    json_put_string(&text, handle);
    json_close(&text, ']');
    size_t count = in_pools(hash, conf, account, &text, out);
    json_out_free(&text);
    return count;
}

uint64_t chat_id_hash(const struct keyed_hash *hash, const char *chat_id)
{
    return keyed_hash(hash, KEYED_CHAT, NULL, chat_id, strlen(chat_id));
}
