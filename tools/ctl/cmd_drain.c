/* cmd_drain.c — `linewardctl drain`: begins, rehearses, watches and ends what is done with a line's backlog. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/clock.h"
#include "lineward/json.h"

#define LOOK_MS      500
#define PLAIN_MS     10000 /* between two lines where nothing can be drawn over */
#define BAR_COLUMNS  24
#define LINE_PATH    "/v1/lines/{}"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- what to ask for ---- */

/* False: it is none, and *code says so. */
static bool put_number(const struct ctl *ctl, const struct args *args, struct json_out *body, const char *option,
                       const char *key, int64_t least, int64_t most, int *code)
{
    int64_t number = 0;
    if (args_option(args, option) == NULL)
        return true;
    if (!args_number(args, option, least, most, &number)) {
        *code = ctl_fail(ctl, EXIT_USAGE, "usage", "--%s is a number from %" PRId64 " to %" PRId64, option, least, most);
        return false;
    }
    json_key(body, key);
    json_put_int(body, number);
    return true;
}

/* False: what was said makes no sense, and *code says so. */
static bool write_drain(const struct ctl *ctl, const struct args *args, struct json_out *body, int *code)
{
    const char *order = args_option(args, "order");
    json_open(body, '{');
    json_key(body, "mode");
    json_put_string(body, args_option(args, "mode"));
    if (!put_number(ctl, args, body, "pace", "pace_per_min", 1, 60000, code) ||
        !put_number(ctl, args, body, "stop-errors", "stop_error_percent", 0, 99, code))
        return false;
    if (order != NULL) {
        json_key(body, "order");
        json_put_string(body, order);
    }
    if (args_flag(args, "dry-run")) {
        json_key(body, "dry_run");
        json_put_bool(body, true);
    }
    json_close(body, '}');
    return true;
}

static int begin(const struct ctl *ctl, const struct args *args, struct http_answer *answer)
{
    struct json_out body = {0};
    int code = EXIT_DONE;
    if (write_drain(ctl, args, &body, &code))
        code = body.failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                           : ctl_change(ctl, args, "POST", args->positional[0], &body, answer);
    json_out_free(&body);
    return code;
}

/* ---- watching ---- */

static int64_t count_of(const cJSON *drain, const char *key)
{
    int64_t count = 0;
    json_int(drain, key, &count);
    return count;
}

static const char *spell(int64_t count, char out[32])
{
    count_format(count, out, 32);
    return out;
}

/* What a drain has done: only a ramp sends. */
static void print_done(FILE *out, const cJSON *drain)
{
    const char *mode = json_string(drain, "mode");
    char first[32], second[32];
    if (mode != NULL && strcmp(mode, "fail") == 0)
        fprintf(out, "%s jobs failed", spell(count_of(drain, "jobs"), first));
    else if (mode != NULL && strcmp(mode, "ramp") != 0)
        fprintf(out, "%s conversations gone", spell(count_of(drain, "conversations"), first));
    else
        fprintf(out, "%s sent, %s failed", spell(count_of(drain, "sent"), first),
                spell(count_of(drain, "failed"), second));
}

/* What became of its total: whatever is not left. Newcomers may make that less than nothing. */
static int64_t gone(const cJSON *drain)
{
    int64_t done = count_of(drain, "total") - count_of(drain, "left");
    return done < 0 ? 0 : done;
}

static void draw_bar(FILE *out, int64_t done, int64_t total)
{
    int filled = total > 0 ? (int)(done * BAR_COLUMNS / total) : BAR_COLUMNS;
    fputc('[', out);
    for (int i = 0; i < BAR_COLUMNS; i++)
        fputc(i < filled ? '#' : '.', out);
    fprintf(out, "] %3" PRId64 "%%  ", total > 0 ? done * 100 / total : 100);
}

static void draw(const struct ctl *ctl, const cJSON *line, bool bar)
{
    const cJSON *drain = json_get(line, "drain"), *pace = json_get(line, "pace_per_min");
    int64_t total = count_of(drain, "total"), done = gone(drain);
    char text[64], left[32];
    if (bar)
        draw_bar(ctl->err, done, total);
    fprintf(ctl->err, "%s left, ", spell(count_of(drain, "left"), left));
    print_done(ctl->err, drain);
    if (cJSON_IsNumber(pace))
        fprintf(ctl->err, ", %g/min", pace->valuedouble);
    if (cJSON_IsString(json_get(drain, "eta_at"))) {
        value_format(&ctl->view, "eta_at", json_get(drain, "eta_at"), true, text, sizeof text);
        fprintf(ctl->err, ", over %s", text);
    } else {
        text_clean(json_string(line, "reason") != NULL ? json_string(line, "reason") : "nobody knows when it is over", text,
                   sizeof text);
        fprintf(ctl->err, ", %s", text);
    }
}

static void show_progress(const struct ctl *ctl, const cJSON *line, int64_t *drawn_ms)
{
    int64_t now_ms = clock_read().mono_ms;
    if (ctl->json || (!ctl->progress && *drawn_ms != 0 && now_ms - *drawn_ms < PLAIN_MS))
        return;
    *drawn_ms = now_ms;
    if (ctl->progress)
        fputc('\r', ctl->err);
    draw(ctl, line, ctl->progress);
    fputs(ctl->progress ? "\033[K" : "\n", ctl->err);
    fflush(ctl->err);
}

/* The drain is over, or was ended by somebody. */
static int tell_end(const struct ctl *ctl, const char *name, const cJSON *drain)
{
    const char *state = json_string(drain, "state"), *reason = json_string(drain, "reason");
    bool done = state != NULL && strcmp(state, "done") == 0;
    char why[64], left[32];
    if (ctl->json) {
        char *text = cJSON_PrintUnformatted(drain);
        fprintf(ctl->out, "%s\n", text != NULL ? text : "null");
        cJSON_free(text);
    } else if (state == NULL) {
        fprintf(ctl->out, "%s: no drain is under way\n", name);
    } else {
        text_clean(reason != NULL ? reason : "", why, sizeof why);
        fprintf(ctl->out, "%s: %s%s%s; ", name, done ? "done" : "stopped", reason != NULL ? ": " : "", why);
        print_done(ctl->out, drain);
        fprintf(ctl->out, ", %s left\n", spell(count_of(drain, "left"), left));
        if (!done)
            fputs("A pause keeps what is left; drain it again when that is mended, or resume the line.\n", ctl->out);
    }
    return done ? EXIT_DONE : EXIT_REFUSED;
}

static void wipe_progress(const struct ctl *ctl, int64_t drawn_ms)
{
    if (ctl->progress && drawn_ms != 0)
        fputs("\r\033[K", ctl->err);
}

/* False: it is under way, or the look was given up. */
static bool is_over(const struct ctl *ctl, const char *name, const char *path, int64_t *drawn_ms, int *code)
{
    struct http_answer answer;
    enum http_end end = http_call(ctl, "GET", path, NULL, 0, &answer);
    const cJSON *drain = json_get(answer.json, "drain");
    const char *state = json_string(drain, "state");
    bool given_up = interrupted && end != HTTP_ANSWERED;
    bool running = state != NULL && strcmp(state, "running") == 0;
    if (running) {
        show_progress(ctl, answer.json, drawn_ms);
    } else if (!given_up) {
        wipe_progress(ctl, *drawn_ms);
        *code = http_judge(ctl, "GET", end, &answer);
        if (*code == EXIT_DONE)
            *code = tell_end(ctl, name, drain);
    }
    http_answer_free(&answer);
    return !running && !given_up;
}

static int watch_until_over(const struct ctl *ctl, const char *name, const char *path)
{
    int64_t drawn_ms = 0;
    int code = EXIT_DONE;
    while (!interrupted) {
        if (is_over(ctl, name, path, &drawn_ms, &code))
            return code;
        poll(NULL, 0, LOOK_MS);
    }
    wipe_progress(ctl, drawn_ms);
    return ctl_fail(ctl, EXIT_REFUSED, "interrupted",
                    "the drain goes on without you; `linewardctl drain %s --stop` ends it", name);
}

static int watch(const struct ctl *ctl, const char *name)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, before;
    struct ctl watching = *ctl;
    char *path = http_path(LINE_PATH, name);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    interrupted = 0;
    watching.interrupted = &interrupted;
    sigaction(SIGINT, &action, &before);
    int code = watch_until_over(&watching, name, path);
    sigaction(SIGINT, &before, NULL);
    free(path);
    return code;
}

/* ---- the command ---- */

static void tell_begun(const struct ctl *ctl, const struct args *args, const struct http_answer *answer)
{
    const char *mode = args_option(args, "mode");
    char count[32];
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
        return;
    }
    if (mode != NULL && strcmp(mode, "fail") == 0 && !args_flag(args, "dry-run"))
        fprintf(ctl->out, "%s: up to %s jobs that wait become dead letters; requeue --all --code held undoes it\n",
                args->positional[0], spell(count_of(json_get(answer->json, "drain"), "waiting"), count));
    view_tree(ctl->out, &ctl->view, answer->json, 0);
}

int command_drain(const struct ctl *ctl, const struct args *args)
{
    bool stop = args_flag(args, "stop"), watches = args_flag(args, "watch"), begins = args_option(args, "mode") != NULL;
    static const char *const of_new[] = {"pace", "order", "stop-errors", "dry-run", NULL};
    const char *lost = begins ? NULL : args_first_of(args, of_new);
    struct http_answer answer = {0};
    int code = EXIT_DONE;
    if ((stop && (begins || watches)) || !(stop || begins || watches))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "drain needs a --mode, or --stop, or --watch");
    if (lost != NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--%s is about a drain that --mode begins", lost);
    if (watches && args_flag(args, "dry-run"))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--dry-run does nothing that could be watched");
    if (stop)
        code = ctl_change(ctl, args, "DELETE", args->positional[0], NULL, &answer);
    else if (begins)
        code = begin(ctl, args, &answer);
    if (code == EXIT_DONE && !watches)
        tell_begun(ctl, args, &answer);
    http_answer_free(&answer);
    return code == EXIT_DONE && watches ? watch(ctl, args->positional[0]) : code;
}
