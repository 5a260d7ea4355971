/* ask.c — HTTP to the broker and to the sandbox, and reading what they answer. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "rig.h"

#define TIMEOUT_MS 20000L
#define URL_MAX    1024

struct text {
    char *bytes;
    size_t count;
};

static size_t keep(char *data, size_t size, size_t count, void *self)
{
    struct text *text = self;
    char *grown = realloc(text->bytes, text->count + size * count + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + text->count, data, size * count);
    text->bytes = grown;
    text->count += size * count;
    grown[text->count] = '\0';
    return size * count;
}

/* The HTTP status, 0: no answer. The answer goes into *out. */
static long call(const char *method, const char *url, const char *body, const struct curl_slist *headers,
                 long limit_ms, struct text *out)
{
    CURL *curl = curl_easy_init();
    long status = 0;
    MUST(curl != NULL, "curl_easy_init");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK || (code == CURLE_OPERATION_TIMEDOUT && limit_ms != TIMEOUT_MS))
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

char *rig_fetch(struct rig *rig, const char *token, const char *method, const char *path, const char *body,
                long limit_ms, long *status)
{
    char url[URL_MAX], bearer[sizeof rig->token + 32];
    struct text text = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", rig->port.admin, path);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token == NULL ? "" : token);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (token != NULL)
        headers = curl_slist_append(headers, bearer);
    *status = call(method, url, body, headers, limit_ms == 0 ? TIMEOUT_MS : limit_ms, &text);
    curl_slist_free_all(headers);
    if (text.bytes == NULL)
        text.bytes = strdup("");
    MUST(text.bytes != NULL, "out of memory");
    return text.bytes;
}

cJSON *rig_ask(struct rig *rig, const char *method, const char *path, const char *body, long *status_out)
{
    long status = 0;
    char *text = rig_fetch(rig, rig->token, method, path, body, 0, &status);
    cJSON *answer = *text == '\0' ? NULL : json_parse(text, strlen(text), NULL);
    free(text);
    if (status_out != NULL)
        *status_out = status;
    return answer;
}

cJSON *rig_operate(struct rig *rig, const char *method, const char *path, const char *body)
{
    long status = 0;
    cJSON *answer = rig_ask(rig, method, path, body, &status);
    MUST(status == 200 && answer != NULL, "%s %s: %ld", method, path, status);
    return answer;
}

cJSON *rig_control(struct rig *rig, const char *method, const char *path, const char *body)
{
    char url[URL_MAX];
    struct text text = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", rig->port.control, path);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    long status = call(method, url, body, headers, TIMEOUT_MS, &text);
    cJSON *answer = text.count == 0 ? NULL : json_parse(text.bytes, text.count, NULL);
    curl_slist_free_all(headers);
    MUST(status == 200 && answer != NULL, "sandbox: %s %s: %ld %s", method, path, status,
         text.count == 0 ? "" : text.bytes);
    free(text.bytes);
    return answer;
}

void rig_faults(struct rig *rig, const char *faults)
{
    cJSON_Delete(rig_control(rig, faults == NULL ? "DELETE" : "POST", "/faults", faults));
}

void rig_set_line(struct rig *rig, size_t line, const char *members)
{
    char path[64], body[256];
    snprintf(path, sizeof path, "/lines/%s", rig->lines[line]);
    snprintf(body, sizeof body, "{%s}", members);
    cJSON_Delete(rig_control(rig, "POST", path, body));
}

long rig_post_webhook(struct rig *rig, const char *path, const char *body, const char *const *headers)
{
    char url[URL_MAX];
    struct text text = {0};
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    for (; headers != NULL && *headers != NULL; headers++)
        list = curl_slist_append(list, *headers);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", rig->port.webhooks, path);
    long status = call("POST", url, body, list, TIMEOUT_MS, &text);
    curl_slist_free_all(list);
    free(text.bytes);
    return status;
}

/* ---- reading ---- */

static const cJSON *member_at(const cJSON *json, const char *path)
{
    char name[64];
    while (json != NULL && *path != '\0') {
        size_t bytes = strcspn(path, ".");
        MUST(bytes < sizeof name, "%s: too long", path);
        memcpy(name, path, bytes);
        name[bytes] = '\0';
        json = json_get(json, name);
        path += bytes + (path[bytes] == '.');
    }
    return json;
}

static _Noreturn void not_there(const cJSON *json, const char *path)
{
    char *text = cJSON_PrintUnformatted(json);
    give_up("no %s in %s", path, text == NULL ? "nothing" : text);
}

int64_t number_at(const cJSON *json, const char *path)
{
    const cJSON *member = member_at(json, path);
    if (!cJSON_IsNumber(member))
        not_there(json, path);
    return (int64_t)member->valuedouble;
}

const char *text_at(const cJSON *json, const char *path)
{
    const cJSON *member = member_at(json, path);
    if (!cJSON_IsString(member) && !cJSON_IsNull(member))
        not_there(json, path);
    return member->valuestring;
}

static cJSON *line_view(struct rig *rig, size_t line)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/lines/%s", rig->lines[line]);
    long status = 0;
    cJSON *view = rig_ask(rig, "GET", path, NULL, &status);
    MUST(status == 200 && view != NULL, "GET %s: %ld", path, status);
    return view;
}

bool rig_line_is(struct rig *rig, size_t line, const char *gate, const char *reason)
{
    cJSON *view = line_view(rig, line);
    const char *why = text_at(view, "reason");
    bool is =
        strcmp(text_at(view, "gate"), gate) == 0 && (reason == NULL || (why != NULL && strcmp(why, reason) == 0));
    cJSON_Delete(view);
    return is;
}

bool rig_line_was_closed(const struct rig *rig, size_t line)
{
    char said[64];
    snprintf(said, sizeof said, "event=line_gate line=+1202*****%02zu gate=closed", line + 1);
    return program_said(&rig->broker, said);
}

int64_t rig_stat(struct rig *rig, const char *path)
{
    cJSON *stats = rig_control(rig, "GET", "/stats", NULL);
    int64_t value = number_at(stats, path);
    cJSON_Delete(stats);
    return value;
}

int64_t rig_accepted(struct rig *rig)
{
    return rig_stat(rig, "accepted");
}

size_t rig_workers_there(struct rig *rig)
{
    cJSON *view = rig_ask(rig, "GET", "/v1/workers", NULL, NULL);
    int count = cJSON_GetArraySize(json_get(view, "workers"));
    cJSON_Delete(view);
    return (size_t)count;
}
