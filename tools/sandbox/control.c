/* control.c — the controls: calls of our own, told in docs/sandbox.md. Each answers at once; what it sets in
 * motion (webhooks) goes its own way. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/sandbox/control_view.h"
#include "tools/sandbox/sandbox.h"

struct control {
    struct sandbox *sandbox;
    struct http_answer *answer;
    const struct http_request *request;
    const char *argument; /* the path's part after the call's name; "": none */
    const cJSON *body;    /* an object, or NULL when there was none */
    struct instant now;
};

/* ---- answers ---- */

static void fail(struct control *control, int status, const char *code, const char *message)
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

static void fail_field(struct control *control, const char *field)
{
    char message[160];
    snprintf(message, sizeof message, "%.100s: unknown, or not such a value", field);
    fail(control, 400, "invalid_field", message);
}

static void done(struct control *control)
{
    json_open(&control->answer->body, '{');
    json_key(&control->answer->body, "mono_ms");
    json_put_int(&control->answer->body, control->now.mono_ms);
    json_close(&control->answer->body, '}');
}

/* The first member of the body that is not in `names` (ending with NULL), or NULL. */
static const char *stranger(const cJSON *body, const char *const *names)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, body)
    {
        const char *const *name = names;
        while (*name != NULL && strcmp(*name, member->string) != 0)
            name++;
        if (*name == NULL)
            return member->string;
    }
    return NULL;
}

static bool flag_read(const cJSON *body, const char *name, bool *flag)
{
    const cJSON *member = json_get(body, name);
    if (member == NULL)
        return true;
    *flag = cJSON_IsTrue(member);
    return cJSON_IsBool(member);
}

/* ---- lines ---- */

struct line_order {
    bool has_reputation, has_service, webhook, listed, lie;
    enum reputation reputation;
    enum service service;
    int64_t changed_wall_ms;
};

/* NULL, or the member that is wrong. */
static const char *line_order_read(const cJSON *body, bool is_new, int64_t now_wall_ms, struct line_order *out)
{
    static const char *const names[] = {"reputation", "service", "webhook", "list", "lie", "changed_at", NULL};
    *out = (struct line_order){.webhook = !is_new, .listed = true, .changed_wall_ms = now_wall_ms};
    const char *strange = stranger(body, names);
    if (strange != NULL)
        return strange;
    const char *reputation = json_string(body, "reputation"), *service = json_string(body, "service");
    out->has_reputation = json_get(body, "reputation") != NULL;
    out->has_service = json_get(body, "service") != NULL;
    if (out->has_reputation &&
        (reputation == NULL || (out->reputation = reputation_read(reputation)) == REPUTATION_UNKNOWN))
        return "reputation";
    if (out->has_service && (service == NULL || (out->service = service_read(service)) == SERVICE_UNKNOWN))
        return "service";
    if (!flag_read(body, "webhook", &out->webhook))
        return "webhook";
    if (!flag_read(body, "list", &out->listed))
        return "list";
    if (!flag_read(body, "lie", &out->lie))
        return "lie";
    const char *changed_at = json_string(body, "changed_at");
    if (json_get(body, "changed_at") != NULL &&
        (changed_at == NULL || !time_parse(changed_at, &out->changed_wall_ms)))
        return "changed_at";
    return NULL;
}

static void line_change(struct control *control, uint32_t line, const struct line_order *order)
{
    struct sandbox *sandbox = control->sandbox;
    const struct world_line *entry = &sandbox->world->lines[line];
    struct line_change change = {.line = line,
                                 .before = entry->reputation,
                                 .after = order->has_reputation ? order->reputation : entry->reputation,
                                 .service_before = entry->service,
                                 .service_after = order->has_service ? order->service : entry->service,
                                 .changed_wall_ms = order->changed_wall_ms,
                                 .lie = order->lie};
    if (!order->lie) {
        world_line_set(sandbox->world, line, change.after, change.service_after, order->listed,
                       change.changed_wall_ms);
        sandbox_log_line(sandbox, line, control->now);
    }
    if (order->webhook)
        sandbox_event_status(sandbox, &change, control->now);
    sandbox_view_line(&control->answer->body, sandbox->world, line, control->now);
}

static void line_post(struct control *control)
{
    struct world *world = control->sandbox->world;
    uint32_t line = world_line_find(world, control->argument);
    bool is_new = line == WORLD_NONE;
    struct line_order order;
    const char *wrong = line_order_read(control->body, is_new, control->now.wall_ms, &order);
    if (wrong != NULL) {
        fail_field(control, wrong);
        return;
    }
    enum err err = is_new ? world_line_add(world, control->argument, control->now.wall_ms, &line) : ERR_NONE;
    if (err != ERR_NONE)
        fail(control, err == ERR_BAD_INPUT ? 400 : 507, err_name(err), "no such number, or no room for it");
    else
        line_change(control, line, &order);
}

static void line_delete(struct control *control)
{
    uint32_t line = world_line_find(control->sandbox->world, control->argument);
    if (line == WORLD_NONE) {
        fail(control, 404, "not_found", "no such line");
        return;
    }
    world_line_remove(control->sandbox->world, line);
    sandbox_log_line(control->sandbox, line, control->now);
    done(control);
}

static void lines_get(struct control *control)
{
    sandbox_view_lines(&control->answer->body, control->sandbox->world, control->now);
}

/* ---- recipients, chats, messages ---- */

static void recipient_post(struct control *control)
{
    static const char *const names[] = {"opted_out", "blocked", NULL};
    char handle[HANDLE_MAX_BYTES + 1];
    const char *wrong = stranger(control->body, names);
    bool opted_out, blocked;
    struct world *world = control->sandbox->world;
    uint32_t recipient = WORLD_NONE;
    if (wrong == NULL && handle_normalize(control->argument, handle))
        recipient = world_recipient_add(world, handle);
    if (recipient == WORLD_NONE) {
        fail_field(control, wrong != NULL ? wrong : "recipient");
        return;
    }
    opted_out = world->recipients[recipient].opted_out;
    blocked = world->recipients[recipient].blocked;
    if (!flag_read(control->body, "opted_out", &opted_out) || !flag_read(control->body, "blocked", &blocked)) {
        fail_field(control, "opted_out or blocked");
        return;
    }
    world->recipients[recipient].opted_out = opted_out;
    world->recipients[recipient].blocked = blocked;
    done(control);
}

/* The recipient's newest direct chat, on `line` if one is named. */
static uint32_t direct_chat(const struct world *world, uint32_t recipient, const char *line)
{
    for (uint32_t seat = world->recipients[recipient].seat; seat != WORLD_NONE; seat = world->seats[seat].older) {
        const struct world_chat *chat = &world->chats[world->seats[seat].chat];
        if (chat->seat_count == 1 && (line == NULL || strcmp(world->lines[chat->line].number, line) == 0))
            return world->seats[seat].chat;
    }
    return WORLD_NONE;
}

static void answer_post(struct control *control)
{
    static const char *const names[] = {"recipient", "text", "line", NULL};
    struct world *world = control->sandbox->world;
    const char *wrong = stranger(control->body, names);
    const char *from = json_string(control->body, "recipient"), *text = json_string(control->body, "text");
    char handle[HANDLE_MAX_BYTES + 1];
    if (wrong != NULL || from == NULL || text == NULL || !handle_normalize(from, handle)) {
        fail_field(control, wrong != NULL ? wrong : "recipient or text");
        return;
    }
    uint32_t recipient = world_recipient_find(world, handle), message;
    uint32_t chat =
        recipient == WORLD_NONE ? WORLD_NONE : direct_chat(world, recipient, json_string(control->body, "line"));
    if (chat == WORLD_NONE) {
        fail(control, 404, "not_found", "no direct chat with this recipient");
        return;
    }
    enum err err = world_receive(world, chat, recipient, text, control->now, &message);
    if (err != ERR_NONE) {
        fail(control, 507, err_name(err), "no room for it");
        return;
    }
    sandbox_event_message(control->sandbox, "message.received", message, control->now);
    done(control);
}

static uint32_t thing_find(const struct control *control, enum world_id kind, uint32_t count)
{
    uint64_t number;
    if (!world_id_parse(control->sandbox->world->settings.seed, kind, control->argument, &number) || number >= count)
        return WORLD_NONE;
    return (uint32_t)number;
}

static void chat_post(struct control *control)
{
    struct world *world = control->sandbox->world;
    uint32_t chat = thing_find(control, WORLD_ID_CHAT, world->chat_count);
    const char *health = json_string(control->body, "health");
    if (chat == WORLD_NONE) {
        fail(control, 404, "not_found", "no such chat");
        return;
    }
    if (health == NULL || chat_health_read(health) == CHAT_UNKNOWN) {
        fail_field(control, "health");
        return;
    }
    world->chats[chat].health = chat_health_read(health);
    world->chats[chat].health_wall_ms = control->now.wall_ms;
    done(control);
}

static void message_post(struct control *control)
{
    struct sandbox *sandbox = control->sandbox;
    uint32_t message = thing_find(control, WORLD_ID_MESSAGE, sandbox->world->message_count);
    const char *delivery = json_string(control->body, "delivery");
    int64_t code = 4001;
    if (message == WORLD_NONE || sandbox->world->messages[message].sender != WORLD_NONE) {
        fail(control, 404, "not_found", "no such message of ours");
        return;
    }
    bool read = delivery != NULL && strcmp(delivery, "read") == 0;
    bool failed = delivery != NULL && strcmp(delivery, "failed") == 0;
    if ((!read && !failed) || (json_get(control->body, "code") != NULL &&
                               (!json_int(control->body, "code", &code) || code < 1 || code > 99999))) {
        fail_field(control, "delivery or code");
        return;
    }
    world_message_mark(sandbox->world, message, read ? WORLD_READ : WORLD_FAILED, control->now.wall_ms);
    if (read)
        sandbox_event_message(sandbox, "message.read", message, control->now);
    else
        sandbox_event_failed(sandbox, message, (int)code, control->now);
    done(control);
}

/* ---- faults and webhooks ---- */

static void faults_get(struct control *control)
{
    sandbox_view_faults(&control->answer->body, &control->sandbox->faults);
}

static void faults_post(struct control *control)
{
    const char *wrong = faults_set(&control->sandbox->faults, control->body);
    if (wrong != NULL)
        fail_field(control, wrong);
    else
        faults_get(control);
}

static void faults_delete(struct control *control)
{
    const struct sandbox_options *options = control->sandbox->options;
    uint64_t random = control->sandbox->faults.random;
    faults_init(&control->sandbox->faults, random, options->latency_ms);
    faults_get(control);
}

static void webhooks_get(struct control *control)
{
    const char *after = sandbox_http_query(control->request, "after");
    const char *limit = sandbox_http_query(control->request, "limit");
    sandbox_webhooks_view(control->sandbox->webhooks, after == NULL ? 0 : strtoull(after, NULL, 10),
                          limit == NULL ? 1000 : strtoul(limit, NULL, 10),
                          sandbox_http_query(control->request, "event"), &control->answer->body);
}

static void webhooks_post(struct control *control)
{
    static const char *const names[] = {"url", "secret", "paused", "copies", "bad_signature", NULL};
    struct webhooks *hooks = control->sandbox->webhooks;
    const char *wrong = stranger(control->body, names);
    bool paused = false, bad_signature = false;
    int64_t copies = 1;
    if (wrong == NULL &&
        (!flag_read(control->body, "paused", &paused) || !flag_read(control->body, "bad_signature", &bad_signature)))
        wrong = "paused or bad_signature";
    if (wrong == NULL && json_get(control->body, "copies") != NULL &&
        (!json_int(control->body, "copies", &copies) || copies < 1 || copies > 10))
        wrong = "copies";
    if (wrong == NULL && sandbox_webhooks_target(hooks, json_string(control->body, "url"),
                                                 json_string(control->body, "secret")) != ERR_NONE)
        wrong = "url or secret";
    if (wrong != NULL) {
        fail_field(control, wrong);
        return;
    }
    sandbox_webhooks_pause(hooks, paused);
    sandbox_webhooks_distort(hooks, (unsigned)copies, bad_signature);
    done(control);
}

/* ---- the rest ---- */

static void stats_get(struct control *control)
{
    sandbox_view_stats(&control->answer->body, control->sandbox, control->now);
}

static void quit_post(struct control *control)
{
    done(control);
    control->answer->note = control->sandbox;
}

/* ---- which call it is ---- */

static const struct {
    const char *method, *path; /* a path that ends in '/' takes an argument */
    void (*call)(struct control *control);
} calls[] = {
    {"GET", "/stats", stats_get},
    {"GET", "/lines", lines_get},
    {"POST", "/lines/", line_post},
    {"DELETE", "/lines/", line_delete},
    {"POST", "/recipients/", recipient_post},
    {"POST", "/answers", answer_post},
    {"POST", "/chats/", chat_post},
    {"POST", "/messages/", message_post},
    {"GET", "/faults", faults_get},
    {"POST", "/faults", faults_post},
    {"DELETE", "/faults", faults_delete},
    {"GET", "/webhooks", webhooks_get},
    {"POST", "/webhooks", webhooks_post},
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
        fail(&control, 404, "not_found", "no such call; see docs/sandbox.md");
        return;
    }
    cJSON *body = NULL;
    if (request->body_bytes > 0 &&
        (request->body_too_large || (body = json_parse(request->body, request->body_bytes, NULL)) == NULL ||
         !cJSON_IsObject(body))) {
        cJSON_Delete(body);
        fail(&control, 400, "malformed", "the body is no JSON object");
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
