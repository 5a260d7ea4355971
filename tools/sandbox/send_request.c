/* send_request.c — form of a send: fields, handles, parts. Codes as linq-api.md 4.2 has them. */
#include "tools/sandbox/send_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lineward/json.h"

enum { OK = 0, MISSING_FIELD = 1001, NOT_E164 = 1002, BAD_BODY = 1003, BAD_CONTENT = 1004, BAD_VALUE = 1005 };

static size_t utf8_length(const char *text)
{
    size_t characters = 0;
    for (; *text != '\0'; text++)
        characters += ((unsigned char)*text & 0xC0) != 0x80;
    return characters;
}

static bool has_url(const char *text)
{
    return strcasestr(text, "http://") != NULL || strcasestr(text, "https://") != NULL ||
           strcasestr(text, "www.") != NULL;
}

static int handle_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int to_read(struct send_request *out, const cJSON *to)
{
    if (to == NULL)
        return MISSING_FIELD;
    if (!cJSON_IsArray(to))
        return BAD_BODY;
    int count = cJSON_GetArraySize(to);
    if (count < 1 || count > SEND_RECIPIENTS_MAX)
        return BAD_VALUE;
    const cJSON *item;
    cJSON_ArrayForEach(item, to)
    {
        if (!cJSON_IsString(item))
            return BAD_BODY;
        if (!handle_normalize(item->valuestring, out->to[out->to_count]))
            return NOT_E164;
        out->to_count++;
    }
    qsort(out->to, out->to_count, sizeof out->to[0], handle_order);
    size_t kept = 1;
    for (size_t i = 1; i < out->to_count; i++) {
        if (strcmp(out->to[i], out->to[kept - 1]) != 0)
            memmove(out->to[kept++], out->to[i], sizeof out->to[0]);
    }
    out->to_count = kept;
    return OK;
}

static int text_part_read(struct send_request *out, const cJSON *part, bool after_text)
{
    const char *value = json_string(part, "value");
    if (after_text || value == NULL || value[0] == '\0' || utf8_length(value) > SEND_TEXT_CHARACTERS_MAX)
        return BAD_CONTENT;
    if (out->text == NULL)
        out->text = value;
    out->has_link = out->has_link || has_url(value);
    return OK;
}

static int media_part_read(const cJSON *part, int *by_url)
{
    const char *url = json_string(part, "url");
    const char *attachment = json_string(part, "attachment_id");
    if ((url == NULL) == (attachment == NULL))
        return BAD_CONTENT;
    if (url != NULL && (strncasecmp(url, "https://", 8) != 0 || ++*by_url > SEND_URL_MEDIA_MAX))
        return BAD_CONTENT;
    return OK;
}

static int link_part_read(struct send_request *out, const cJSON *part, int count)
{
    const char *value = json_string(part, "value");
    if (count != 1 || value == NULL || value[0] == '\0' || strlen(value) > SEND_LINK_BYTES_MAX)
        return BAD_CONTENT;
    out->has_link = true;
    return OK;
}

static int parts_read(struct send_request *out, const cJSON *parts)
{
    if (!cJSON_IsArray(parts))
        return BAD_CONTENT;
    int count = cJSON_GetArraySize(parts);
    if (count < 1 || count > SEND_PARTS_MAX)
        return BAD_CONTENT;
    bool after_text = false;
    int by_url = 0;
    const cJSON *part;
    cJSON_ArrayForEach(part, parts)
    {
        const char *type = json_string(part, "type");
        int code = BAD_CONTENT;
        if (type != NULL && strcmp(type, "text") == 0)
            code = text_part_read(out, part, after_text);
        else if (type != NULL && strcmp(type, "media") == 0)
            code = media_part_read(part, &by_url);
        else if (type != NULL && strcmp(type, "link") == 0)
            code = link_part_read(out, part, count);
        if (code != OK)
            return code;
        after_text = strcmp(type, "text") == 0;
    }
    return OK;
}

static bool service_is_known(const char *text)
{
    return strcmp(text, "iMessage") == 0 || strcmp(text, "RCS") == 0 || strcmp(text, "SMS") == 0;
}

static bool given(const cJSON *object, const char *name)
{
    const cJSON *member = json_get(object, name);
    return member != NULL && !cJSON_IsNull(member);
}

static int message_read(struct send_request *out, const cJSON *message)
{
    if (message == NULL)
        return MISSING_FIELD;
    if (!cJSON_IsObject(message))
        return BAD_BODY;
    int code = parts_read(out, json_get(message, "parts"));
    if (code != OK)
        return code;
    out->key = json_string(message, "idempotency_key");
    if (given(message, "idempotency_key") &&
        (out->key == NULL || out->key[0] == '\0' || utf8_length(out->key) > SEND_KEY_CHARACTERS_MAX))
        return BAD_VALUE;
    const char *service = json_string(message, "preferred_service");
    if (given(message, "preferred_service") && (service == NULL || !service_is_known(service)))
        return BAD_VALUE;
    out->has_effect_or_reply = given(message, "effect") || given(message, "reply_to");
    return OK;
}

static int envelope_read(struct send_request *out)
{
    const cJSON *from = json_get(out->tree, "from");
    if (from == NULL)
        return MISSING_FIELD;
    if (!cJSON_IsString(from) || !e164_is_valid(from->valuestring))
        return NOT_E164;
    out->from = from->valuestring;
    return to_read(out, json_get(out->tree, "to"));
}

int send_request_read(struct send_request *out, const char *body, size_t bytes, bool opens_chat)
{
    out->tree = NULL;
    out->from = out->key = out->text = out->parts = NULL;
    out->to_count = out->parts_bytes = 0;
    out->has_link = out->has_effect_or_reply = out->override_optout = false;

    out->tree = json_parse(body, bytes, NULL);
    if (out->tree == NULL || !cJSON_IsObject(out->tree))
        return BAD_BODY;
    int code = opens_chat ? envelope_read(out) : OK;
    if (code == OK)
        code = message_read(out, json_get(out->tree, "message"));
    if (code != OK)
        return code;
    if (given(out->tree, "override_optout") && !cJSON_IsBool(json_get(out->tree, "override_optout")))
        return BAD_BODY;
    out->override_optout = json_bool(out->tree, "override_optout", false);

    const char *message;
    size_t message_bytes;
    if (!json_raw_member(body, bytes, "message", &message, &message_bytes) ||
        !json_raw_member(message, message_bytes, "parts", &out->parts, &out->parts_bytes))
        return BAD_BODY;
    return OK;
}

void send_request_free(struct send_request *request)
{
    cJSON_Delete(request->tree);
    request->tree = NULL;
}
