/* provider_chats.c — see provider_chats.h. One connection, kept; no redirects; the key in clear to nobody but loopback. */
#include "provider_chats.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/retry_after.h"

#define PAGE_CHATS_MAX     100 /* as many as the provider gives at once */
#define ANSWER_BYTES_MAX   (16u * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 10000L
#define CALL_TIMEOUT_MS    60000L

struct provider_chats {
    CURL *curl;
    struct curl_slist *headers;
    char *base_url;
    char *text;
    size_t bytes;
};

static size_t take_bytes(char *data, size_t size, size_t count, void *self)
{
    struct provider_chats *chats = self;
    size_t bytes = size * count;
    char *text = chats->bytes + bytes <= ANSWER_BYTES_MAX ? realloc(chats->text, chats->bytes + bytes + 1) : NULL;
    if (text == NULL)
        return 0;
    memcpy(text + chats->bytes, data, bytes);
    chats->text = text;
    chats->bytes += bytes;
    return bytes;
}

static struct curl_slist *headers_with(const char *key)
{
    size_t room = strlen(key) + sizeof "Authorization: Bearer ";
    char *line = malloc(room);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (line != NULL) {
        snprintf(line, room, "Authorization: Bearer %s", key);
        headers = curl_slist_append(headers, line);
    }
    free(line);
    return line == NULL ? NULL : headers;
}

struct provider_chats *provider_chats_open(const char *base_url, const char *key, const char *ca)
{
    bool local = conf_endpoint_is_local(base_url);
    struct provider_chats *chats = calloc(1, sizeof *chats);
    if (chats == NULL)
        return NULL;
    chats->curl = curl_easy_init();
    chats->headers = headers_with(key);
    chats->base_url = strdup(base_url);
    if (chats->curl == NULL || chats->headers == NULL || chats->base_url == NULL) {
        provider_chats_close(&chats);
        return NULL;
    }
    for (size_t end = strlen(chats->base_url); end > 0 && chats->base_url[end - 1] == '/'; end--)
        chats->base_url[end - 1] = '\0';
    curl_easy_setopt(chats->curl, CURLOPT_HTTPHEADER, chats->headers);
    curl_easy_setopt(chats->curl, CURLOPT_PROTOCOLS_STR, local ? "http,https" : "https");
    curl_easy_setopt(chats->curl, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes nowhere else */
    curl_easy_setopt(chats->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(chats->curl, CURLOPT_USERAGENT, "lineward");
    curl_easy_setopt(chats->curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(chats->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(chats->curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
    curl_easy_setopt(chats->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(chats->curl, CURLOPT_WRITEDATA, chats);
    if (local)
        curl_easy_setopt(chats->curl, CURLOPT_NOPROXY, "*");
    if (ca != NULL)
        curl_easy_setopt(chats->curl, CURLOPT_CAINFO, ca);
    return chats;
}

void provider_chats_close(struct provider_chats **chats_p)
{
    struct provider_chats *chats = *chats_p;
    *chats_p = NULL;
    if (chats == NULL)
        return;
    curl_easy_cleanup(chats->curl);
    curl_slist_free_all(chats->headers);
    free(chats->base_url);
    free(chats->text);
    free(chats);
}

void chats_page_free(struct chats_page *page)
{
    cJSON_Delete(page->json);
    page->json = NULL;
    page->chats = NULL;
    page->next = NULL;
}

static char *page_url(const struct provider_chats *chats, const char *line, const char *cursor)
{
    char *from = curl_easy_escape(chats->curl, line, 0);
    char *at = cursor != NULL ? curl_easy_escape(chats->curl, cursor, 0) : NULL;
    char *url = NULL;
    if (from != NULL && (cursor == NULL || at != NULL)) {
        size_t room = strlen(chats->base_url) + strlen(from) + (at != NULL ? strlen(at) : 0) + 64;
        url = malloc(room);
        if (url != NULL)
            snprintf(url, room, "%s/v3/chats?from=%s&limit=%d%s%s", chats->base_url, from, PAGE_CHATS_MAX,
                     at != NULL ? "&cursor=" : "", at != NULL ? at : "");
    }
    curl_free(from);
    curl_free(at);
    return url;
}

static enum chats_end take_page(struct chats_page *out)
{
    const char *next = json_string(out->json, "next_cursor");
    out->chats = json_get(out->json, "chats");
    out->next = next != NULL && *next != '\0' ? next : NULL;
    if (cJSON_IsArray(out->chats))
        return CHATS_PAGE;
    snprintf(out->problem, sizeof out->problem, "the provider's answer has no list `chats`");
    return CHATS_REFUSED;
}

/* What the provider's error means here (linq-api.md 4.2): judged by status and code, told in its own words. */
static enum chats_end take_error(struct provider_chats *chats, long status, bool has_cursor, struct chats_page *out)
{
    const cJSON *error = json_get(out->json, "error");
    const char *message = json_string(error, "message");
    int64_t code = 0;
    json_int(error, "code", &code);
    snprintf(out->problem, sizeof out->problem, "the provider answered %ld%s%.180s", status,
             message != NULL ? ": " : "", message != NULL ? message : "");
    if (status == 429 || status == 408 || status >= 500) {
        struct curl_header *header = NULL;
        const cJSON *body = json_get(error, "retry_after");
        int64_t said_ms = -1;
        if (curl_easy_header(chats->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
            said_ms = retry_after_parse(header->value, clock_read().wall_ms);
        out->wait_ms = said_ms < 0 && cJSON_IsNumber(body) ? retry_after_clamp(body->valuedouble) : said_ms;
        return CHATS_AGAIN;
    }
    if (status == 401 || code == 2004) {
        snprintf(out->problem, sizeof out->problem, "the provider does not accept the API key (401)");
        return CHATS_REFUSED;
    }
    if (status == 403 || status == 404)
        return CHATS_NO_LINE;
    return status == 400 && has_cursor ? CHATS_NO_CURSOR : CHATS_REFUSED;
}

enum chats_end provider_chats_read(struct provider_chats *chats, const char *line, const char *cursor,
                                   struct chats_page *out)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    *out = (struct chats_page){.wait_ms = -1};
    char *url = page_url(chats, line, cursor);
    if (url == NULL) {
        snprintf(out->problem, sizeof out->problem, "out of memory");
        return CHATS_REFUSED;
    }
    chats->bytes = 0;
    curl_easy_setopt(chats->curl, CURLOPT_URL, url);
    curl_easy_setopt(chats->curl, CURLOPT_ERRORBUFFER, why);
    CURLcode rc = curl_easy_perform(chats->curl);
    curl_easy_setopt(chats->curl, CURLOPT_ERRORBUFFER, NULL);
    free(url);
    if (rc != CURLE_OK) {
        snprintf(out->problem, sizeof out->problem, "the provider: %.200s",
                 why[0] != '\0' ? why : curl_easy_strerror(rc));
        return CHATS_AGAIN;
    }
    curl_easy_getinfo(chats->curl, CURLINFO_RESPONSE_CODE, &status);
    out->json = chats->bytes > 0 ? json_parse(chats->text, chats->bytes, NULL) : NULL;
    return status == 200 ? take_page(out) : take_error(chats, status, cursor != NULL, out);
}
