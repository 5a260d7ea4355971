/* cmd_erase.c — `linewardctl erase`: says what erasing a recipient would touch, and with --yes does it and waits for its
 * end. What was ordered goes on whether or not anybody waits. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/json.h"

#define LOOK_MS   500
#define VIEW_PATH "/v1/erasures/{}"
#define PLAIN_MS  10000 /* between two lines of progress where nothing can be drawn over */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static const char *spell(const cJSON *view, const char *key, char out[32])
{
    int64_t count = 0;
    json_int(view, key, &count);
    count_format(count, out, 32);
    return out;
}

static bool is_done(const cJSON *view)
{
    const char *state = json_string(view, "state");
    return state != NULL && strcmp(state, "done") == 0;
}

/* ---- progress and end ---- */

static void show_progress(const struct ctl *ctl, const cJSON *view, int64_t *drawn_ms)
{
    int64_t now_ms = clock_read().mono_ms;
    char state[32], jobs[32], out[32], percent[48] = "";
    if (ctl->json || (!ctl->progress && *drawn_ms != 0 && now_ms - *drawn_ms < PLAIN_MS))
        return;
    *drawn_ms = now_ms;
    text_clean(json_string(view, "state") != NULL ? json_string(view, "state") : "", state, sizeof state);
    if (cJSON_IsNumber(json_get(view, "percent")))
        snprintf(percent, sizeof percent, " %s%% of the store", spell(view, "percent", out));
    fprintf(ctl->err, "%s%s:%s, %s jobs ended, %s still with a worker or of unknown outcome", ctl->progress ? "\r" : "",
            state, percent, spell(view, "jobs", jobs), spell(view, "jobs_out", out));
    fputs(ctl->progress ? "\033[K" : "\n", ctl->err);
    fflush(ctl->err);
}

static void print_elsewhere(const struct ctl *ctl, const cJSON *view)
{
    const cJSON *place;
    char text[200];
    fputs("What no call reaches and may still name them:\n", ctl->out);
    cJSON_ArrayForEach(place, json_get(view, "elsewhere"))
    {
        text_clean(cJSON_IsString(place) ? place->valuestring : "", text, sizeof text);
        fprintf(ctl->out, "  %s\n", text);
    }
}

static void tell(const struct ctl *ctl, const struct http_answer *answer, bool dry)
{
    const cJSON *view = answer->json;
    char jobs[32], conversations[32], records[32], out[32];
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
        return;
    }
    spell(view, "jobs", jobs);
    spell(view, "conversations", conversations);
    spell(view, "records", records);
    spell(view, "jobs_out", out);
    if (dry) {
        fprintf(ctl->out, "would end      %s jobs that wait (%s more are with a worker, or of unknown outcome)\n", jobs, out);
        fprintf(ctl->out, "would forget   %s conversations, groups included\n", conversations);
        fprintf(ctl->out, "would overwrite %s records\n", records);
        print_elsewhere(ctl, view);
        fputs("Nothing was changed: the same with --yes and --reason does it.\n", ctl->out);
        return;
    }
    char id[48];
    text_clean(json_string(view, "erasure") != NULL ? json_string(view, "erasure") : "", id, sizeof id);
    fprintf(ctl->out, "%s: done; %s jobs ended, %s conversations forgotten, %s records overwritten\n", id, jobs,
            conversations, records);
    print_elsewhere(ctl, view);
}

static int look(const struct ctl *ctl, const char *id, struct http_answer *answer)
{
    char *path = http_path(VIEW_PATH, id);
    int code =
        path == NULL ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "") : http_ask(ctl, "GET", path, NULL, answer);
    free(path);
    return code;
}

static int await_end(const struct ctl *ctl, const char *id, bool dry)
{
    int64_t drawn_ms = 0;
    while (!interrupted) {
        struct http_answer answer = {0};
        int code = look(ctl, id, &answer);
        if (code != EXIT_DONE)
            return code;
        bool over = is_done(answer.json);
        if (over && ctl->progress && drawn_ms != 0)
            fputs("\r\033[K", ctl->err);
        if (over)
            tell(ctl, &answer, dry);
        else
            show_progress(ctl, answer.json, &drawn_ms);
        http_answer_free(&answer);
        if (over)
            return EXIT_DONE;
        poll(NULL, 0, LOOK_MS);
    }
    return ctl_fail(ctl, EXIT_REFUSED, "interrupted", "%s goes on without you; `linewardctl erasures` shows how far it is", id);
}

static int watch(const struct ctl *ctl, const char *id, bool dry)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, before;
    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    int code = await_end(ctl, id, dry);
    sigaction(SIGINT, &before, NULL);
    return code;
}

/* ---- the order ---- */

/* `-`: a line of the standard input, which is in no list of processes and no history. False: there is none. */
static bool read_recipient(const char *given, char out[HANDLE_MAX_BYTES + 2])
{
    if (strcmp(given, "-") != 0) {
        snprintf(out, HANDLE_MAX_BYTES + 2, "%s", given);
        return strlen(given) <= HANDLE_MAX_BYTES;
    }
    if (fgets(out, HANDLE_MAX_BYTES + 2, stdin) == NULL)
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

static int order(const struct ctl *ctl, const struct args *args, const char *to, bool dry, struct http_answer *answer)
{
    struct json_out body = {0};
    const char *reason = args_option(args, "reason");
    json_open(&body, '{');
    json_key(&body, "to");
    json_put_string(&body, to);
    json_key(&body, "dry_run");
    json_put_bool(&body, dry);
    if (reason != NULL) {
        json_key(&body, "reason");
        json_put_string(&body, reason);
    }
    json_close(&body, '}');
    int code = body.failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                           : http_ask(ctl, "POST", args->command->path, &body, answer);
    json_out_free(&body);
    return code;
}

int command_erase(const struct ctl *ctl, const struct args *args)
{
    bool dry = !args_flag(args, "yes");
    char to[HANDLE_MAX_BYTES + 2], id[48];
    struct http_answer answer = {0};
    if (!dry && args_option(args, "reason") == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--yes needs a --reason, which the audit keeps");
    if (!read_recipient(args->positional[0], to))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "no recipient was given");
    int code = order(ctl, args, to, dry, &answer);
    if (code != EXIT_DONE)
        return code;
    const char *given = json_string(answer.json, "erasure");
    snprintf(id, sizeof id, "%s", given != NULL ? given : "");
    bool waits = !args_flag(args, "no-wait");
    if (!waits && ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else if (!waits)
        fprintf(ctl->out, "%s is under way; `linewardctl erasures` shows how far it is\n", id);
    http_answer_free(&answer);
    return waits ? watch(ctl, id, dry) : EXIT_DONE;
}
