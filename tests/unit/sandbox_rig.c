/* sandbox_rig.c — see its header. */
#include "tests/unit/sandbox_rig.h"

#include <check.h>
#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_1 "+12025550101"
#define LINE_2 "+12025550102"

struct receiver receiver;
struct sandbox_options options;
struct sandbox *sandbox;
char answer_text[262144], answer_headers[4096];

static char log_path[64];
static CURL *client;

/* ---- a receiver of webhooks ---- */

static void event_came(void *context, const struct http_request *request, struct http_answer *answer)
{
    struct webhook_secret secret;
    ck_assert(webhook_secret_parse(SECRET, &secret));
    pthread_mutex_lock(&receiver.lock);
    if (receiver.count == EVENTS_MAX) { /* enough for any test: the rest is taken and forgotten */
        pthread_mutex_unlock(&receiver.lock);
        return;
    }
    struct received *event = &receiver.events[receiver.count];
    const char *id = sandbox_http_header(request, "webhook-id");
    snprintf(event->body, sizeof event->body, "%.*s", (int)request->body_bytes, request->body);
    snprintf(event->id, sizeof event->id, "%s", id == NULL ? "" : id);
    event->verdict = signature_verify(&secret, 1, id, sandbox_http_header(request, "webhook-timestamp"),
                                      sandbox_http_header(request, "webhook-signature"), request->body,
                                      request->body_bytes, clock_read().wall_ms / 1000);
    if (receiver.statuses[receiver.count] != 0)
        answer->status = receiver.statuses[receiver.count];
    receiver.count++;
    pthread_cond_broadcast(&receiver.came);
    pthread_mutex_unlock(&receiver.lock);
}

const struct received *event_wait(int index)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&receiver.lock);
    while (receiver.count <= index)
        ck_assert_msg(pthread_cond_timedwait(&receiver.came, &receiver.lock, &until) == 0, "no event %d", index);
    pthread_mutex_unlock(&receiver.lock);
    return &receiver.events[index];
}

/* ---- a sandbox and a client ---- */

static size_t keep(char *data, size_t size, size_t count, void *context)
{
    char *text = context;
    size_t room = text == answer_text ? sizeof answer_text : sizeof answer_headers;
    if (strlen(text) + size * count < room)
        strncat(text, data, size * count);
    return size * count;
}

void sandbox_rig_start(const char *const *more)
{
    char problem[256];
    const char *argv[64] = {"lineward-sandbox",
                            "--listen",
                            "127.0.0.1:0",
                            "--control",
                            "127.0.0.1:0",
                            "--api-key",
                            "k",
                            "--line",
                            LINE_1,
                            "--line",
                            LINE_2,
                            "--webhook-secret",
                            SECRET,
                            "--log",
                            log_path,
                            "--webhook-retry-ms",
                            "1",
                            "--delivered-ms",
                            "1"};
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    for (; *more != NULL; more++)
        argv[argc++] = *more;
    ck_assert_int_ge(sodium_init(), 0);
    memset(&receiver, 0, sizeof receiver);
    pthread_mutex_init(&receiver.lock, NULL);
    pthread_cond_init(&receiver.came, NULL);
    ck_assert_int_eq(
        sandbox_http_start(&receiver.server, "127.0.0.1", 0, 1, (struct http_handler){.handle = event_came}),
        ERR_NONE);
    snprintf(log_path, sizeof log_path, "/tmp/lineward-sandbox-test-%d.jsonl", (int)getpid());
    ck_assert_msg(sandbox_options_read(&options, argc, (char **)(void *)argv, problem, sizeof problem) ==
                      OPTIONS_GOOD,
                  "%s", problem);
    ck_assert_msg(sandbox_start(&sandbox, &options, problem, sizeof problem) == ERR_NONE, "%s", problem);
    client = curl_easy_init();
    curl_easy_setopt(client, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(client, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(client, CURLOPT_WRITEDATA, answer_text);
    curl_easy_setopt(client, CURLOPT_HEADERDATA, answer_headers);
    curl_easy_setopt(client, CURLOPT_TIMEOUT, (long)WAIT_S);
}

void sandbox_rig_setup(void)
{
    static const char *const nothing[] = {NULL};
    sandbox_rig_start(nothing);
}

void sandbox_rig_stop(void)
{
    curl_easy_reset(client);
    curl_easy_cleanup(client);
    client = NULL;
    sandbox_stop(&sandbox);
}

void sandbox_rig_teardown(void)
{
    if (sandbox != NULL)
        sandbox_rig_stop();
    sandbox_http_stop(&receiver.server);
    sandbox_options_free(&options);
    unlink(log_path);
}

static long call(uint16_t port, const char *method, const char *path, const char *body)
{
    char url[512];
    struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer k");
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    answer_text[0] = answer_headers[0] = '\0';
    curl_easy_setopt(client, CURLOPT_URL, url);
    curl_easy_setopt(client, CURLOPT_HTTPHEADER, headers);
    if (body != NULL)
        curl_easy_setopt(client, CURLOPT_POSTFIELDS, body);
    else
        curl_easy_setopt(client, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(client, CURLOPT_CUSTOMREQUEST, method);
    CURLcode result = curl_easy_perform(client);
    long status = 0;
    curl_easy_getinfo(client, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return result == CURLE_OK ? status : -(long)result;
}

long api(const char *method, const char *path, const char *body)
{
    return call(sandbox_http_port(sandbox->api), method, path, body);
}

long control(const char *method, const char *path, const char *body)
{
    return call(sandbox_http_port(sandbox->control), method, path, body);
}

long send_one(const char *line, const char *to, const char *key)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":[\"%s\"],\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 p/a hi\"}],"
             "\"idempotency_key\":\"%s\"}}",
             line, to, key);
    return api("POST", "/v3/chats", body);
}

void give_up_after(long ms)
{
    curl_easy_setopt(client, CURLOPT_TIMEOUT_MS, ms);
}

void hear_webhooks(void)
{
    char body[128];
    snprintf(body, sizeof body, "{\"url\":\"http://127.0.0.1:%u/hook\"}", sandbox_http_port(receiver.server));
    ck_assert_int_eq(control("POST", "/webhooks", body), 200);
}

void answer_member(const char *name, char *out, size_t room)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *at = strstr(answer_text, quoted);
    ck_assert_msg(at != NULL, "%s in %s", name, answer_text);
    at += strlen(quoted);
    snprintf(out, room, "%.*s", (int)strcspn(at, "\""), at);
}

bool answer_has(const char *text)
{
    return strstr(answer_text, text) != NULL;
}

char *log_read(void)
{
    static char text[65536];
    FILE *file = fopen(log_path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}
