/* http.c — one call, one connection: commands ask once or twice, and a batch of jobs is large. */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl.h"
#include "lineward/conf.h"
#include "lineward/json.h"

#define CONNECT_TIMEOUT_S 5L
#define CALL_TIMEOUT_S    60L

void http_answer_free(struct http_answer *answer)
{
    cJSON_Delete(answer->json);
    free(answer->text);
    answer->json = NULL;
    answer->text = NULL;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *self)
{
    struct http_answer *answer = self;
    size_t bytes = size * count;
    if (answer->bytes + bytes > HTTP_ANSWER_BYTES_MAX)
        return 0;
    char *text = realloc(answer->text, answer->bytes + bytes + 1);
    if (text == NULL)
        return 0;
    memcpy(text + answer->bytes, data, bytes);
    answer->text = text;
    answer->bytes += bytes;
    text[answer->bytes] = '\0';
    return bytes;
}

/* Nothing was asked when the connection itself failed. */
static bool was_never_asked(CURL *curl, const struct ctl *ctl)
{
    bool tls = strncasecmp(ctl->admin, "https", 5) == 0;
    curl_off_t connected_us = 0;
    curl_easy_getinfo(curl, tls ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T, &connected_us);
    return connected_us == 0;
}

/* An ETag is a quoted text; people see and say it without the quotes. */
static struct curl_slist *add_if_match(struct curl_slist *headers, const char *etag)
{
    char line[IF_MATCH_MAX + 16];
    bool quoted = etag[0] == '"' || strcmp(etag, "*") == 0;
    snprintf(line, sizeof line, quoted ? "If-Match: %s" : "If-Match: \"%s\"", etag);
    return curl_slist_append(headers, line);
}

static struct curl_slist *headers_for(const struct ctl *ctl, const char *method, bool with_body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (with_body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:"); /* no round trip before a large body */
    if (ctl->if_match != NULL && strcmp(method, "GET") != 0)
        headers = add_if_match(headers, ctl->if_match);
    if (ctl->token == NULL)
        return headers;
    size_t room = strlen(ctl->token) + sizeof "Authorization: Bearer ";
    char *line = malloc(room);
    if (line != NULL) {
        snprintf(line, room, "Authorization: Bearer %s", ctl->token);
        headers = curl_slist_append(headers, line);
    }
    free(line);
    return headers;
}

/* Asked once a second at least, whatever the server does. */
static int is_given_up(void *self, curl_off_t to_load, curl_off_t loaded, curl_off_t to_send, curl_off_t sent)
{
    const struct ctl *ctl = self;
    (void)to_load, (void)loaded, (void)to_send, (void)sent;
    return *ctl->interrupted != 0;
}

static void set_options(CURL *curl, const struct ctl *ctl, const char *method, const char *url, const char *body,
                        size_t body_bytes, struct http_answer *out)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a name may be `..`, which is no folder there */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, CALL_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (ctl->interrupted != NULL) {
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_given_up);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, ctl);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    }
    if (conf_endpoint_is_local(ctl->admin))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (ctl->ca != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ctl->ca);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_bytes);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static enum http_end perform(CURL *curl, const struct ctl *ctl, struct http_answer *out)
{
    char error[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    CURLcode rc = curl_easy_perform(curl);
    if (rc != CURLE_OK) {
        snprintf(out->problem, sizeof out->problem, "%.100s: %.140s", ctl->admin,
                 error[0] != '\0' ? error : curl_easy_strerror(rc));
        return was_never_asked(curl, ctl) ? HTTP_UNREACHABLE : HTTP_LOST;
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    if (out->text != NULL)
        out->json = json_parse_answer(out->text, out->bytes, NULL);
    return HTTP_ANSWERED;
}

enum http_end http_call(const struct ctl *ctl, const char *method, const char *path, const char *body,
                        size_t body_bytes, struct http_answer *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->problem, sizeof out->problem, "out of memory");
    enum http_end end = HTTP_UNREACHABLE;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_for(ctl, method, body != NULL);
    size_t room = strlen(ctl->admin) + strlen(path) + 1;
    char *url = malloc(room);
    if (curl != NULL && url != NULL && headers != NULL) {
        snprintf(url, room, "%s%s", ctl->admin, path);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        set_options(curl, ctl, method, url, body, body_bytes, out);
        end = perform(curl, ctl, out);
    }
    free(url);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return end;
}

/* ---- line by line ---- */

#define LINE_BYTES_MAX (1024u * 1024)

struct lines {
    CURL *curl;
    bool (*take)(void *self, const char *line);
    void *self;
    struct http_answer *answer; /* of one that is no 2xx; and of the line that is not whole yet */
    bool too_long;              /* that line is: what comes of it is not kept */
    bool stopped;
};

static bool take_line(struct lines *lines)
{
    struct http_answer *answer = lines->answer;
    char *end;
    while ((end = memchr(answer->text, '\n', answer->bytes)) != NULL) {
        size_t used = (size_t)(end - answer->text) + 1;
        *end = '\0';
        if (!lines->too_long && !lines->take(lines->self, answer->text))
            return false;
        lines->too_long = false;
        answer->bytes -= used;
        memmove(answer->text, answer->text + used, answer->bytes + 1);
    }
    bool told = lines->too_long;
    lines->too_long = told || answer->bytes > LINE_BYTES_MAX;
    if (lines->too_long)
        answer->bytes = 0;
    return told || !lines->too_long || lines->take(lines->self, NULL);
}

static size_t take_lines(char *data, size_t size, size_t count, void *self)
{
    struct lines *lines = self;
    long status = 0;
    curl_easy_getinfo(lines->curl, CURLINFO_RESPONSE_CODE, &status);
    size_t taken = take_bytes(data, size, count, lines->answer);
    if (taken == 0 || status < 200 || status > 299)
        return taken;
    lines->stopped = !take_line(lines);
    return lines->stopped ? 0 : taken;
}

enum http_end http_lines(const struct ctl *ctl, const char *path, long silent_s, bool (*take)(void *self, const char *line),
                         void *self, struct http_answer *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->problem, sizeof out->problem, "out of memory");
    struct lines lines = {.curl = curl_easy_init(), .take = take, .self = self, .answer = out};
    enum http_end end = HTTP_UNREACHABLE;
    struct curl_slist *headers = headers_for(ctl, "GET", false);
    size_t room = strlen(ctl->admin) + strlen(path) + 1;
    char *url = malloc(room);
    if (lines.curl != NULL && url != NULL && headers != NULL) {
        snprintf(url, room, "%s%s", ctl->admin, path);
        set_options(lines.curl, ctl, "GET", url, NULL, 0, out);
        curl_easy_setopt(lines.curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(lines.curl, CURLOPT_TIMEOUT, 0L);
        curl_easy_setopt(lines.curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(lines.curl, CURLOPT_LOW_SPEED_TIME, silent_s);
        curl_easy_setopt(lines.curl, CURLOPT_WRITEFUNCTION, take_lines);
        curl_easy_setopt(lines.curl, CURLOPT_WRITEDATA, &lines);
        end = perform(lines.curl, ctl, out);
        end = lines.stopped ? HTTP_ANSWERED : end;
    }
    free(url);
    curl_slist_free_all(headers);
    curl_easy_cleanup(lines.curl);
    return end;
}

/* Somebody was quicker: how it stands now is what people need to decide anew, and the whole answer what programs do. */
static int tell_changed(const struct ctl *ctl, const struct http_answer *answer, const cJSON *now)
{
    char clean[CELL_BYTES_MAX];
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer->text);
        return EXIT_REFUSED;
    }
    char *text = cJSON_PrintUnformatted(now);
    text_clean(text != NULL ? text : "?", clean, sizeof clean);
    cJSON_free(text);
    return ctl_fail(ctl, EXIT_REFUSED, "changed", "somebody has changed it since; now it is %s", clean);
}

/* {"error":{"code","message"}} of the contract, or what else the server said. */
int http_refused(const struct ctl *ctl, const struct http_answer *answer)
{
    const cJSON *error = value_at(answer->json, "error");
    const char *code = json_string(error, "code");
    const char *message = json_string(error, "message");
    if (code == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "malformed", "%s answered with HTTP status %d and no %s", ctl->admin,
                        answer->status, answer->status < 300 ? "JSON" : "reason");
    if (strcmp(code, "changed") == 0 && json_get(error, "now") != NULL)
        return tell_changed(ctl, answer, json_get(error, "now"));
    if (answer->status == 401 && ctl->token == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, code, "a token is needed: set LINEWARD_TOKEN or give --token-file");
    return ctl_fail(ctl, EXIT_REFUSED, code, "%s", message != NULL ? message : "");
}

int http_judge(const struct ctl *ctl, const char *method, enum http_end end, struct http_answer *out)
{
    int code = EXIT_DONE;
    bool may_be_done = end == HTTP_LOST && strcmp(method, "GET") != 0;
    if (end != HTTP_ANSWERED)
        code = ctl_fail(ctl, EXIT_UNREACHABLE, "unreachable", "%s%s", out->problem,
                        may_be_done ? "; it may have been done all the same" : "");
    else if (out->status < 200 || out->status > 299 || (out->json == NULL && out->bytes > 0))
        code = http_refused(ctl, out);
    if (code != EXIT_DONE)
        http_answer_free(out);
    return code;
}

int http_ask(const struct ctl *ctl, const char *method, const char *path, const struct json_out *body,
             struct http_answer *out)
{
    enum http_end end =
        http_call(ctl, method, path, body != NULL ? body->text : NULL, body != NULL ? body->bytes : 0, out);
    return http_judge(ctl, method, end, out);
}

char *http_path(const char *pattern, const char *part)
{
    const char *hole = strstr(pattern, "{}");
    char *escaped = curl_easy_escape(NULL, part, 0);
    char *path = NULL;
    if (escaped != NULL && hole != NULL) {
        size_t room = strlen(pattern) + strlen(escaped) + 1;
        path = malloc(room);
        if (path != NULL)
            snprintf(path, room, "%.*s%s%s", (int)(hole - pattern), pattern, escaped, hole + 2);
    }
    curl_free(escaped);
    return path;
}

bool http_query(char **path, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    char *escaped = curl_easy_escape(NULL, value, 0);
    char *longer = NULL;
    if (escaped != NULL) {
        size_t room = strlen(*path) + strlen(name) + strlen(escaped) + 3;
        longer = malloc(room);
        if (longer != NULL)
            snprintf(longer, room, "%s%c%s=%s", *path, strchr(*path, '?') != NULL ? '&' : '?', name, escaped);
    }
    curl_free(escaped);
    if (longer == NULL)
        return false;
    free(*path);
    *path = longer;
    return true;
}
