/* control.c — the controls: calls of our own, told in docs/sandbox.md. Each answers at once; what it sets in
 * motion (webhooks) goes its own way. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/control_view.h"
#include "tools/sandbox/members.h"

/* ---- answers ---- */

void control_fail(struct control *control, int status, const char *code, const char *message)
{
    struct json_out *out = &control->answer->body;
    control->answer->status = status;
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "error");
    json_open(out, '{');
    json_key(out, "code");
    json_put_string(out, code);
    json_key(out, "message");
    json_put_string(out, message);
    json_close(out, '}');
    json_close(out, '}');
}

void control_fail_field(struct control *control, const char *field)
{
    char message[160];
    snprintf(message, sizeof message, "%.100s: unknown, or not such a value", field);
    control_fail(control, 400, "invalid_field", message);
}

void control_done(struct control *control)
{
    json_open(&control->answer->body, '{');
    json_key(&control->answer->body, "mono_ms");
    json_put_int(&control->answer->body, control->now.mono_ms);
    json_close(&control->answer->body, '}');
}

/* ---- the rest ---- */

static void stats_get(struct control *control)
{
    sandbox_view_stats(&control->answer->body, control->sandbox, control->now);
}

static void quit_post(struct control *control)
{
    static const char *const names[] = {NULL};
    const char *wrong = members_stranger(control->body, names);
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    control_done(control);
    control->answer->note = control->sandbox;
}

/* ---- which call it is ---- */

static const struct {
    const char *method, *path; /* a path that ends in '/' takes an argument */
    void (*call)(struct control *control);
} calls[] = {
    {"GET", "/stats", stats_get},
    {"GET", "/lines", control_lines_get},
    {"POST", "/lines/", control_line_post},
    {"DELETE", "/lines/", control_line_delete},
    {"POST", "/recipients/", control_recipient_post},
    {"POST", "/answers", control_answer_post},
    {"POST", "/chats/preload", control_preload_post}, /* before the ids: no id is called so */
    {"POST", "/chats/", control_chat_post},
    {"POST", "/messages/", control_message_post},
    {"GET", "/faults", control_faults_get},
    {"POST", "/faults", control_faults_post},
    {"DELETE", "/faults", control_faults_delete},
    {"GET", "/rules", control_rules_get},
    {"POST", "/rules", control_rules_post},
    {"DELETE", "/rules", control_rules_delete},
    {"DELETE", "/rules/", control_rules_delete},
    {"GET", "/model", control_model_get},
    {"POST", "/model", control_model_post},
    {"GET", "/list", control_listing_get},
    {"POST", "/list", control_listing_post},
    {"GET", "/webhooks/faults", control_webhook_faults_get},
    {"POST", "/webhooks/faults", control_webhook_faults_post},
    {"DELETE", "/webhooks/faults", control_webhook_faults_delete},
    {"GET", "/webhooks", control_webhooks_get},
    {"POST", "/webhooks", control_webhooks_post},
    {"POST", "/quit", quit_post},
};
#define NO_CALL (sizeof calls / sizeof *calls)

static size_t call_find(const struct http_request *request, const char **argument)
{
    for (size_t i = 0; i < NO_CALL; i++) {
        size_t bytes = strlen(calls[i].path);
        bool takes = calls[i].path[bytes - 1] == '/';
        if (strcmp(request->method, calls[i].method) != 0 || strncmp(request->path, calls[i].path, bytes) != 0)
            continue;
        *argument = request->path + bytes;
        if (takes ? **argument != '\0' && strchr(*argument, '/') == NULL : **argument == '\0')
            return i;
    }
    return NO_CALL;
}

static void handle(void *context, const struct http_request *request, struct http_answer *answer)
{
    struct control control = {.sandbox = context, .answer = answer, .request = request, .now = clock_read()};
    size_t call = call_find(request, &control.argument);
    if (call == NO_CALL) {
        control_fail(&control, 404, "not_found", "no such call; see docs/sandbox.md");
        return;
    }
    cJSON *body = NULL;
    if (request->body_bytes > 0 &&
        (request->body_too_large || (body = json_parse(request->body, request->body_bytes, NULL)) == NULL ||
         !cJSON_IsObject(body))) {
        cJSON_Delete(body);
        control_fail(&control, 400, "malformed", "the body is no JSON object");
        return;
    }
    control.body = body;
    pthread_mutex_lock(&control.sandbox->lock);
    control.now = clock_read(); /* of the change, not of the wait for the lock */
    calls[call].call(&control);
    pthread_mutex_unlock(&control.sandbox->lock);
    cJSON_Delete(body);
}

/* Only quit_post() leaves a note. The answer has gone out by now; main() waits for the signal. */
static void over(void *context, const struct http_answer *answer, struct instant answered, bool delivered)
{
    if (answer->note != NULL)
        kill(getpid(), SIGTERM);
}

struct http_handler sandbox_control_handler(struct sandbox *sandbox)
{
    return (struct http_handler){.context = sandbox, .handle = handle, .done = over};
}
