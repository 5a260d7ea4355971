/* web.c — a libcurl handle, its connection kept. */
#include "tools/demo/web.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000L
#define ANSWER_MAX (4u * 1024 * 1024)
#define URL_MAX    1024

struct web {
    CURL *curl;
    struct curl_slist *headers;
    char *base_url;
    char *text;
    size_t bytes;
};

struct web *web_new(const char *base_url, const char *token)
{
    char bearer[300];
    struct web *web = calloc(1, sizeof *web);
    if (web == NULL)
        return NULL;
    web->curl = curl_easy_init();
    web->base_url = strdup(base_url);
    web->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (token != NULL) {
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
        curl_slist_append(web->headers, bearer);
    }
    if (web->curl == NULL || web->base_url == NULL || web->headers == NULL)
        web_free(&web);
    return web;
}

void web_free(struct web **web_p)
{
    struct web *web = *web_p;
    if (web == NULL)
        return;
    curl_easy_cleanup(web->curl);
    curl_slist_free_all(web->headers);
    free(web->base_url);
    free(web->text);
    free(web);
    *web_p = NULL;
}

static size_t take(char *data, size_t size, size_t count, void *self)
{
    struct web *web = self;
    size_t bytes = size * count;
    char *text = web->bytes + bytes <= ANSWER_MAX ? realloc(web->text, web->bytes + bytes) : NULL;
    if (text == NULL)
        return 0;
    memcpy(text + web->bytes, data, bytes);
    web->text = text;
    web->bytes += bytes;
    return bytes;
}

int web_call(struct web *web, const char *method, const char *path, const char *body, cJSON **out)
{
    char url[URL_MAX];
    long status = 0;
    snprintf(url, sizeof url, "%s%s", web->base_url, path);
    web->bytes = 0;
    curl_easy_reset(web->curl);
    curl_easy_setopt(web->curl, CURLOPT_URL, url);
    curl_easy_setopt(web->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(web->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(web->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(web->curl, CURLOPT_HTTPHEADER, web->headers);
    curl_easy_setopt(web->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(web->curl, CURLOPT_WRITEDATA, web);
    if (body != NULL)
        curl_easy_setopt(web->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(web->curl, CURLOPT_CUSTOMREQUEST, method);
    if (curl_easy_perform(web->curl) == CURLE_OK)
        curl_easy_getinfo(web->curl, CURLINFO_RESPONSE_CODE, &status);
    if (out != NULL)
        *out = status != 0 && web->bytes > 0 ? json_parse(web->text, web->bytes, NULL) : NULL;
    return (int)status;
}
