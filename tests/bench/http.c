/* http.c — a libcurl handle, kept for the life of the program. */
#include "http.h"

#include <curl/curl.h>
#include <string.h>

#include "bench.h"

#define TIMEOUT_MS 10000L

static size_t take(char *data, size_t size, size_t count, void *self)
{
    struct http_reply *reply = self;
    size_t room = sizeof reply->text - 1 - reply->bytes;
    size_t bytes = size * count < room ? size * count : room;
    memcpy(reply->text + reply->bytes, data, bytes);
    reply->bytes += bytes;
    return size * count;
}

void http_call(const char *method, const char *url, const char *body, struct http_reply *out)
{
    static CURL *curl;
    static struct curl_slist *headers;
    if (curl == NULL) {
        curl = curl_easy_init();
        headers = curl_slist_append(NULL, "Content-Type: application/json");
    }
    if (curl == NULL || headers == NULL)
        die("out of memory");
    out->status = 0;
    out->bytes = 0;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
    out->text[out->bytes] = '\0';
}
