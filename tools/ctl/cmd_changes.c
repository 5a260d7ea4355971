/* cmd_changes.c — commands that change something through the admin API: cancel, pause, resume. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

int ctl_change(const struct ctl *ctl, const struct args *args, const char *method, const char *name,
               const struct json_out *body, struct http_answer *answer)
{
    char *path = http_path(args->command->path, name);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(ctl, method, path, body, answer);
    free(path);
    return code;
}

static void print_cancelled(const struct ctl *ctl, const char *id, const struct http_answer *answer)
{
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
        return;
    }
    const char *state = json_string(answer->json, "state");
    const char *cancel = json_string(answer->json, "cancel");
    char clean[64];
    text_clean(state != NULL ? state : "?", clean, sizeof clean);
    if (cancel != NULL)
        fprintf(ctl->out, "%s: asked; a worker has it (%s)\n", id, clean);
    else
        fprintf(ctl->out, "%s: %s\n", id, clean);
}

int command_cancel(const struct ctl *ctl, const struct args *args)
{
    int worst = EXIT_DONE;
    for (int i = 0; i < args->count && worst != EXIT_UNREACHABLE; i++) {
        struct http_answer answer = {0};
        int code = ctl_change(ctl, args, "DELETE", args->positional[i], NULL, &answer);
        worst = code > worst ? code : worst;
        if (code != EXIT_DONE)
            continue;
        print_cancelled(ctl, args->positional[i], &answer);
        http_answer_free(&answer);
    }
    return worst;
}

/* {"reason":…,"for_ms":…} or {"pause":…}; what is NULL or negative is left out. Free with json_out_free(). */
static void write_body(struct json_out *out, const char *reason, int64_t for_ms, const char *pause)
{
    json_open(out, '{');
    if (reason != NULL) {
        json_key(out, "reason");
        json_put_string(out, reason);
    }
    if (for_ms >= 0) {
        json_key(out, "for_ms");
        json_put_int(out, for_ms);
    }
    if (pause != NULL) {
        json_key(out, "pause");
        json_put_string(out, pause);
    }
    json_close(out, '}');
}

static int post(const struct ctl *ctl, const struct args *args, struct json_out *body, struct http_answer *answer)
{
    int code = body->failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                            : ctl_change(ctl, args, "POST", args->positional[0], body, answer);
    json_out_free(body);
    return code;
}

int command_pause(const struct ctl *ctl, const struct args *args)
{
    const char *reason = args_option(args, "reason");
    const char *span = args_option(args, "for");
    int64_t for_ms = -1;
    if (reason == NULL || reason[0] == '\0')
        return ctl_fail(ctl, EXIT_USAGE, "usage", "a pause needs a --reason");
    if (span != NULL && !duration_parse(span, &for_ms))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--for is a span as 90s, 30m, 2h or 1d");
    struct json_out body = {0};
    struct http_answer answer = {0};
    write_body(&body, reason, for_ms, NULL);
    int code = post(ctl, args, &body, &answer);
    if (code != EXIT_DONE)
        return code;
    const char *pause = json_string(answer.json, "pause");
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    } else {
        char clean[128];
        text_clean(pause != NULL ? pause : "?", clean, sizeof clean);
        fprintf(ctl->out, "%s is paused%s%s; pause %s\n", args->positional[0], span != NULL ? " for " : "",
                span != NULL ? span : " until resumed", clean);
    }
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_resume(const struct ctl *ctl, const struct args *args)
{
    const char *pause = args_option(args, "pause");
    struct json_out body = {0};
    struct http_answer answer = {0};
    write_body(&body, NULL, -1, pause);
    int code = post(ctl, args, &body, &answer);
    if (code != EXIT_DONE)
        return code;
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        fprintf(ctl->out, "%s: %s lifted\n", args->positional[0], pause != NULL ? "the pause is" : "all pauses are");
    http_answer_free(&answer);
    return EXIT_DONE;
}
