/* cmd_operate.c — an operator's word on jobs and lines: settle, cordon, reputation, move. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

/* The answer as JSON if that was asked for. True: it was, and is printed. */
static bool printed(const struct ctl *ctl, const struct http_answer *answer)
{
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
    return ctl->json;
}

static void put(struct json_out *body, const char *name, const char *text)
{
    if (text == NULL)
        return;
    json_key(body, name);
    json_put_string(body, text);
}

/* Closes and sends the body, and frees it. */
static int send_body(const struct ctl *ctl, const struct args *args, const char *method, struct json_out *body,
                     struct http_answer *answer)
{
    json_close(body, '}');
    int code = body->failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                            : ctl_change(ctl, args, method, args->positional[0], body, answer);
    json_out_free(body);
    return code;
}

/* EXIT_DONE, or it was said that one is needed. */
static int want_reason(const struct ctl *ctl, const struct args *args, const char **reason)
{
    *reason = args_option(args, "reason");
    if (*reason != NULL && **reason != '\0')
        return EXIT_DONE;
    return ctl_fail(ctl, EXIT_USAGE, "usage", "%s needs a --reason", args->command->name);
}

int command_settle(const struct ctl *ctl, const struct args *args)
{
    const char *reason, *outcome = args->positional[1];
    struct json_out body = {0};
    struct http_answer answer = {0};
    int code = want_reason(ctl, args, &reason);
    if (code != EXIT_DONE)
        return code;
    if (strcmp(outcome, "sent") != 0 && strcmp(outcome, "unsent") != 0)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "the outcome is sent or unsent, not %s", outcome);
    json_open(&body, '{');
    put(&body, "outcome", outcome);
    put(&body, "reason", reason);
    code = send_body(ctl, args, "POST", &body, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!printed(ctl, &answer)) {
        const char *state = json_string(answer.json, "state");
        char clean[64];
        text_clean(state != NULL ? state : "?", clean, sizeof clean);
        fprintf(ctl->out, "%s: settled as %s; it is %s now\n", args->positional[0], outcome, clean);
    }
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_cordon(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    int code = ctl_change(ctl, args, "POST", args->positional[0], NULL, &answer);
    if (code != EXIT_DONE)
        return code;
    bool on = strcmp(args->command->name, "cordon") == 0;
    if (!printed(ctl, &answer))
        fprintf(ctl->out, "%s %s\n", args->positional[0], on ? "takes no new conversations" : "takes new conversations again");
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_reputation_set(const struct ctl *ctl, const struct args *args)
{
    const char *reason, *span = args_option(args, "for");
    int64_t for_ms = 0;
    struct json_out body = {0};
    struct http_answer answer = {0};
    int code = want_reason(ctl, args, &reason);
    if (code != EXIT_DONE)
        return code;
    if (span == NULL || !duration_parse(span, &for_ms))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "reputation set needs --for, a span as 90s, 30m, 2h or 1d");
    json_open(&body, '{');
    put(&body, "status", args->positional[1]);
    json_key(&body, "for_ms");
    json_put_int(&body, for_ms);
    put(&body, "reason", reason);
    code = send_body(ctl, args, "POST", &body, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!printed(ctl, &answer))
        fprintf(ctl->out, "%s counts as %s for %s\n", args->positional[0], args->positional[1], span);
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_reputation_end(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    int code = ctl_change(ctl, args, "DELETE", args->positional[0], NULL, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!printed(ctl, &answer))
        fprintf(ctl->out, "%s: the provider's word counts again\n", args->positional[0]);
    http_answer_free(&answer);
    return EXIT_DONE;
}

static int show(const struct ctl *ctl, const struct http_answer *answer)
{
    if (!printed(ctl, answer))
        view_tree(ctl->out, &ctl->view, answer->json, 0);
    return EXIT_DONE;
}

int command_move(const struct ctl *ctl, const struct args *args)
{
    const char *reason;
    struct json_out body = {0};
    struct http_answer answer = {0};
    int code = want_reason(ctl, args, &reason);
    if (code != EXIT_DONE)
        return code;
    char *half = http_path(args->command->path, args->positional[0]);
    char *path = half != NULL ? http_path(half, args->positional[1]) : NULL;
    free(half);
    json_open(&body, '{');
    put(&body, "line", args->positional[2]);
    put(&body, "reason", reason);
    json_close(&body, '}');
    code = path == NULL || body.failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                                       : http_ask(ctl, "PUT", path, &body, &answer);
    if (code == EXIT_DONE)
        show(ctl, &answer);
    http_answer_free(&answer);
    json_out_free(&body);
    free(path);
    return code;
}
