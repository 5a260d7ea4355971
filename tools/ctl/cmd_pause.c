/* cmd_pause.c — pause and resume: of a line, a pool, an account, a campaign, a conversation, or everything. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

#define WHAT "say what: LINE, or line LINE, pool POOL, account ACCOUNT, campaign POOL NAME, conversation POOL TO, all"

struct target {
    const char *path;
    const char *const *parts; /* of the path */
    int part_count;
    char shown[512];
};

static const struct {
    const char *word;
    int part_count;
    const char *path;
} scopes[] = {
    {"line", 1, "/v1/lines/{}"},
    {"pool", 1, "/v1/pools/{}"},
    {"account", 1, "/v1/accounts/{}"},
    {"campaign", 2, "/v1/campaigns/{}/{}"},
    {"conversation", 2, "/v1/conversations/{}/{}"},
    {"all", 0, "/v1"},
    {"everything", 0, "/v1"},
};

/* A single argument that is no such word is a line. */
static bool read_target(const struct args *args, struct target *target)
{
    *target = (struct target){.path = "/v1/lines/{}", .parts = args->positional, .part_count = 1};
    size_t at = 0;
    while (at < sizeof scopes / sizeof *scopes && strcmp(scopes[at].word, args->positional[0]) != 0)
        at++;
    if (at < sizeof scopes / sizeof *scopes) {
        target->path = scopes[at].path;
        target->part_count = scopes[at].part_count;
        target->parts++;
    }
    if (target->parts + target->part_count != args->positional + args->count)
        return false;
    for (int i = 0; i < args->count; i++) {
        size_t bytes = strlen(target->shown);
        char clean[256];
        text_clean(args->positional[i], clean, sizeof clean);
        snprintf(target->shown + bytes, sizeof target->shown - bytes, "%s%s", i > 0 ? " " : "", clean);
    }
    return true;
}

/* Free with free(); NULL: out of memory. */
static char *target_path(const struct target *target, const char *verb)
{
    size_t room = strlen(target->path) + strlen(verb) + 1;
    char *path = malloc(room);
    if (path != NULL)
        snprintf(path, room, "%s%s", target->path, verb);
    for (int i = 0; path != NULL && i < target->part_count; i++) {
        char *whole = http_path(path, target->parts[i]);
        free(path);
        path = whole;
    }
    return path;
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

static int post(const struct ctl *ctl, const struct target *target, const char *verb, struct json_out *body,
                struct http_answer *answer)
{
    char *path = target_path(target, verb);
    int code = body->failed || path == NULL ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                                            : http_ask(ctl, "POST", path, body, answer);
    free(path);
    json_out_free(body);
    return code;
}

int command_pause(const struct ctl *ctl, const struct args *args)
{
    const char *reason = args_option(args, "reason");
    const char *span = args_option(args, "for");
    int64_t for_ms = -1;
    struct target target;
    if (!read_target(args, &target))
        return ctl_fail(ctl, EXIT_USAGE, "usage", WHAT);
    if (reason == NULL || reason[0] == '\0')
        return ctl_fail(ctl, EXIT_USAGE, "usage", "a pause needs a --reason");
    if (span != NULL && !duration_parse(span, &for_ms))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--for is a span as 90s, 30m, 2h or 1d");
    struct json_out body = {0};
    struct http_answer answer = {0};
    write_body(&body, reason, for_ms, NULL);
    int code = post(ctl, &target, "/pause", &body, &answer);
    if (code != EXIT_DONE)
        return code;
    const char *pause = json_string(answer.json, "pause");
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    } else {
        char clean[128];
        text_clean(pause != NULL ? pause : "?", clean, sizeof clean);
        fprintf(ctl->out, "%s is paused%s%s; pause %s\n", target.shown, span != NULL ? " for " : "",
                span != NULL ? span : " until resumed", clean);
    }
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_resume(const struct ctl *ctl, const struct args *args)
{
    const char *pause = args_option(args, "pause");
    struct target target;
    if (!read_target(args, &target))
        return ctl_fail(ctl, EXIT_USAGE, "usage", WHAT);
    struct json_out body = {0};
    struct http_answer answer = {0};
    write_body(&body, NULL, -1, pause);
    int code = post(ctl, &target, "/resume", &body, &answer);
    if (code != EXIT_DONE)
        return code;
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        fprintf(ctl->out, "%s: %s lifted\n", target.shown, pause != NULL ? "the pause is" : "all pauses are");
    http_answer_free(&answer);
    return EXIT_DONE;
}
