/* provider_linq.c — the Linq Partner API v3: requests of linq-api.md 2.2 and 2.3, answers of 2.7 and 4.1. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "lineward/retry_after.h"
#include "provider.h"

static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || strchr("-._~", c) != NULL;
}

/* The provider's ids are opaque, so a hostile one must not leave its place in the path. */
static char *chat_url(const char *base_url, const char *chat_id)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char path[] = "/v3/chats/";
    static const char tail[] = "/messages";
    size_t base_bytes = strlen(base_url);
    char *url = malloc(base_bytes + sizeof path + 3 * strlen(chat_id) + sizeof tail);
    if (url == NULL)
        return NULL;
    char *at = url;
    memcpy(at, base_url, base_bytes);
    at += base_bytes;
    memcpy(at, path, sizeof path - 1);
    at += sizeof path - 1;
    for (; *chat_id != '\0'; chat_id++) {
        unsigned char byte = (unsigned char)*chat_id;
        if (is_unreserved(*chat_id)) {
            *at++ = *chat_id;
        } else {
            *at++ = '%';
            *at++ = hex[byte >> 4];
            *at++ = hex[byte & 15];
        }
    }
    memcpy(at, tail, sizeof tail);
    return url;
}

/* Whoever reads a path, libcurl first, takes these for its folders, however they are written (RFC 3986, 5.2.4): the
 * message would go to another call. No chat of the provider's is called so. */
static bool is_folder(const char *chat_id)
{
    return chat_id != NULL && (strcmp(chat_id, ".") == 0 || strcmp(chat_id, "..") == 0);
}

static char *new_chat_url(const char *base_url)
{
    char *url = NULL;
    return asprintf(&url, "%s/v3/chats", base_url) < 0 ? NULL : url;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The producer's object with the key as its first member; all other bytes as they came. */
static enum err put_message(struct json_out *out, const struct provider_job *job)
{
    const char *at = job->message;
    const char *end = at + job->message_bytes;
    const char *value = NULL;
    size_t value_bytes = 0;
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    if (end - at < 2 || *at != '{' || end[-1] != '}' ||
        json_raw_member(at, (size_t)(end - at), "idempotency_key", &value, &value_bytes))
        return ERR_BAD_INPUT;
    const char *members = at + 1;
    const char *members_end = end - 1;
    while (members < members_end && is_blank(*members))
        members++;
    json_open(out, '{');
    json_key(out, "idempotency_key");
    json_put_string(out, job->idempotency_key);
    if (members < members_end)
        json_put_raw(out, members, (size_t)(members_end - members));
    json_close(out, '}');
    return ERR_NONE;
}

static enum err put_body(struct json_out *out, const struct provider_job *job)
{
    json_open(out, '{');
    if (job->chat_id == NULL) {
        json_key(out, "from");
        json_put_string(out, job->line);
        json_key(out, "to");
        json_open(out, '[');
        for (size_t i = 0; i < job->to_count; i++)
            json_put_string(out, job->to[i]);
        json_close(out, ']');
    }
    json_key(out, "message");
    enum err err = put_message(out, job);
    json_close(out, '}');
    return err != ERR_NONE ? err : out->failed ? ERR_NO_MEMORY : ERR_NONE;
}

static enum err linq_request(const char *base_url, const struct provider_job *job, struct provider_request *out)
{
    struct json_out body = {0};
    enum err err = is_folder(job->chat_id) ? ERR_BAD_INPUT : put_body(&body, job);
    if (err != ERR_NONE)
        goto fail;
    char *url = job->chat_id == NULL ? new_chat_url(base_url) : chat_url(base_url, job->chat_id);
    if (url == NULL) {
        err = ERR_NO_MEMORY;
        goto fail;
    }
    *out = (struct provider_request){.url = url, .body = body.text, .body_bytes = body.bytes};
    return ERR_NONE;
fail:
    json_out_free(&body);
    return err;
}

/* Copies what fits, cut between characters. */
static void copy_text(char *out, size_t room, const char *text)
{
    size_t bytes = strnlen(text, room - 1);
    if (text[bytes] != '\0') {
        while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
            bytes--;
    }
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

/* An id that does not fit is no id: a part of one would name something else. */
static void copy_id(char *out, size_t room, const char *id)
{
    if (id != NULL && strlen(id) < room)
        memcpy(out, id, strlen(id) + 1);
}

/* A whole number, also where it was written as a string (linq-api.md 6). */
static bool read_number(const cJSON *object, const char *name, double *out)
{
    const cJSON *member = json_get(object, name);
    if (cJSON_IsNumber(member)) {
        *out = member->valuedouble;
        return true;
    }
    if (!cJSON_IsString(member) || !isdigit((unsigned char)member->valuestring[0]))
        return false;
    char *end = NULL;
    double value = strtod(member->valuestring, &end);
    if (*end != '\0')
        return false;
    *out = value;
    return true;
}

/* 2.2 answers {"chat":{"id","message":{"id"}}}, 2.3 answers {"chat_id","message":{"id"}}. */
static void read_ids(const cJSON *body, struct provider_answer *out)
{
    const cJSON *chat = json_get(body, "chat");
    bool is_new = cJSON_IsObject(chat);
    const cJSON *message = json_get(is_new ? chat : body, "message");
    copy_id(out->chat_id, sizeof out->chat_id, is_new ? json_string(chat, "id") : json_string(body, "chat_id"));
    copy_id(out->message_id, sizeof out->message_id, json_string(message, "id"));
    out->answer.has_ids = out->chat_id[0] != '\0' && out->message_id[0] != '\0';
}

static void read_error(const cJSON *body, struct provider_answer *out)
{
    const cJSON *error = json_get(body, "error");
    double number = 0;
    if (read_number(error, "code", &number) && number > 0 && number < 1e9)
        out->answer.code = (int64_t)number;
    if (json_string(error, "message") != NULL)
        copy_text(out->message, sizeof out->message, json_string(error, "message"));
    if (out->answer.retry_after_ms < 0 && read_number(error, "retry_after", &number))
        out->answer.retry_after_ms = retry_after_clamp(number);
}

static void linq_read(int http_status, const char *body, size_t bytes, const char *retry_after, const char *trace,
                      int64_t now_wall_ms, struct provider_answer *out)
{
    *out = (struct provider_answer){.answer = {.transport = TRANSPORT_ANSWERED, .http_status = http_status}};
    out->answer.retry_after_ms = retry_after_parse(retry_after, now_wall_ms);
    copy_id(out->trace_id, sizeof out->trace_id, trace);
    cJSON *document = json_parse_foreign(body, bytes, NULL);
    if (document == NULL)
        return;
    if (out->trace_id[0] == '\0')
        copy_id(out->trace_id, sizeof out->trace_id, json_string(document, "trace_id"));
    if (http_status >= 200 && http_status < 300)
        read_ids(document, out);
    else
        read_error(document, out);
    cJSON_Delete(document);
}

const struct provider provider_linq = {.name = "linq", .request = linq_request, .read = linq_read};
