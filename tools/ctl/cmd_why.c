/* cmd_why.c — why something waits, and when it goes: why, why-line, why-not, would-send. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "job_lines.h"
#include "lineward/json.h"

#define WOULD_JOBS_MAX  1024 /* PROTOCOL: jobs in a request ... */
#define WOULD_BYTES_MAX (8 * 1024 * 1024 - 4096) /* ... and its bytes */

static const struct column cause_columns[] = {
    {"REASON", "reason", true},    {"RULE", "rule", true}, {"RELEASE", "release", false},  {"AT", "release_at", true},
    {"USED", "budget.used", false}, {"LIMIT", "budget.limit", false}, {"BY", "paused.by", false},
    {"BECAUSE", "paused.reason", false}, {NULL, NULL, false},
};
static const struct column would_columns[] = {
    {"ID", "id", true},     {"STATE", "state", true},          {"REASON", "reason", true},
    {"LINE", "line", true}, {"GOES", "estimated_at", true},    {"UNKNOWN", "estimate_unknown", false},
    {"AHEAD", "queue.ahead", false}, {"REFUSED", "error.code", true}, {"WHY", "error.message", false},
    {NULL, NULL, false},
};

/* GET, answered and printed as JSON if that was asked for. EXIT_DONE and *shown false: the caller shows it. */
static int ask(const struct ctl *ctl, const struct args *args, struct http_answer *answer, bool *shown)
{
    char *half = http_path(args->command->path, args->positional[0]);
    char *path = half != NULL && args->count > 1 ? http_path(half, args->positional[1]) : NULL;
    const char *whole = args->count > 1 ? path : half;
    int code = whole == NULL ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "") : http_ask(ctl, "GET", whole, NULL, answer);
    free(half);
    free(path);
    *shown = code == EXIT_DONE && ctl->json;
    if (*shown)
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
    return code;
}

static void put_clean(const struct ctl *ctl, const char *text, const char *otherwise)
{
    char clean[256];
    text_clean(text != NULL ? text : otherwise, clean, sizeof clean);
    fputs(clean, ctl->out);
}

int command_why(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    bool shown;
    int code = ask(ctl, args, &answer, &shown);
    if (code != EXIT_DONE)
        return code;
    const cJSON *why = json_get(answer.json, "why");
    if (!shown) {
        put_clean(ctl, json_string(answer.json, "job"), "?");
        fputs(" is ", ctl->out);
        put_clean(ctl, json_string(answer.json, "state"), "?");
        fputs(cJSON_IsObject(why) ? "\n" : ": it waits for nothing\n", ctl->out);
        if (cJSON_IsObject(why))
            view_tree(ctl->out, &ctl->view, why, 0);
    }
    http_answer_free(&answer);
    return EXIT_DONE;
}

static void show_causes(const struct ctl *ctl, const cJSON *causes, const char *none)
{
    if (cJSON_IsArray(causes) && causes->child != NULL)
        view_table(ctl->out, &ctl->view, cause_columns, causes, 0);
    else
        fprintf(ctl->out, "%s\n", none);
}

int command_why_line(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    bool shown;
    int code = ask(ctl, args, &answer, &shown);
    if (code != EXIT_DONE)
        return code;
    if (!shown) {
        put_clean(ctl, json_string(answer.json, "line"), "?");
        fputs(" is ", ctl->out);
        put_clean(ctl, json_string(answer.json, "gate"), "?");
        fputc('\n', ctl->out);
        show_causes(ctl, json_get(answer.json, "why"), "nothing stops it");
    }
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_why_not(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    bool shown;
    int code = ask(ctl, args, &answer, &shown);
    if (code != EXIT_DONE)
        return code;
    if (!shown)
        show_causes(ctl, json_get(answer.json, "against"), "nothing speaks against it");
    http_answer_free(&answer);
    return EXIT_DONE;
}

/* ---- would-send ---- */

struct batch {
    struct json_out body;
    size_t count;
    bool refused; /* a job of any batch so far */
    cJSON *results;
};

static void batch_open(struct batch *batch)
{
    json_out_clear(&batch->body);
    json_open(&batch->body, '{');
    json_key(&batch->body, "jobs");
    json_open(&batch->body, '[');
    batch->count = 0;
}

static int batch_ask(const struct ctl *ctl, const struct args *args, struct batch *batch)
{
    struct http_answer answer = {0};
    if (batch->count == 0)
        return EXIT_DONE;
    json_close(&batch->body, ']');
    json_close(&batch->body, '}');
    int code = batch->body.failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                                  : http_ask(ctl, "POST", args->command->path, &batch->body, &answer);
    if (code != EXIT_DONE)
        return code;
    cJSON *results = cJSON_GetObjectItemCaseSensitive(answer.json, "results");
    while (cJSON_IsArray(results) && results->child != NULL) {
        cJSON *result = cJSON_DetachItemFromArray(results, 0);
        batch->refused = batch->refused || json_get(result, "error") != NULL;
        cJSON_AddItemToArray(batch->results, result);
    }
    http_answer_free(&answer);
    batch_open(batch);
    return EXIT_DONE;
}

static int ask_all(const struct ctl *ctl, const struct args *args, struct job_reader *reader, struct batch *batch)
{
    int code = EXIT_DONE;
    for (;;) {
        struct job_line line = {0};
        const char *word, *why;
        enum job_read read = job_reader_next(reader, &line, &word, &why);
        if (read == JOB_READ_END)
            return batch_ask(ctl, args, batch);
        if (read == JOB_READ_FAILED)
            return ctl_fail(ctl, EXIT_REFUSED, "file", "%s: cannot be read on", args->positional[0]);
        if (read == JOB_READ_BAD)
            code = ctl_fail(ctl, EXIT_REFUSED, word, "%s:%llu: %s", args->positional[0], (unsigned long long)line.number, why);
        else if (batch->count == WOULD_JOBS_MAX || batch->body.bytes + line.bytes > WOULD_BYTES_MAX)
            code = batch_ask(ctl, args, batch);
        if (code == EXIT_DONE) {
            json_put_raw(&batch->body, line.text, line.bytes);
            batch->count++;
        }
        job_line_free(&line);
        if (code != EXIT_DONE)
            return code;
    }
}

static void show_results(const struct ctl *ctl, const struct batch *batch)
{
    if (!ctl->json) {
        view_table(ctl->out, &ctl->view, would_columns, batch->results, 0);
        return;
    }
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "results");
    json_put_value(&out, batch->results);
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

int command_would_send(const struct ctl *ctl, const struct args *args)
{
    struct job_reader reader;
    struct batch batch = {.results = cJSON_CreateArray()};
    if (!job_reader_open(&reader, args->positional[0])) {
        cJSON_Delete(batch.results);
        return ctl_fail(ctl, EXIT_REFUSED, "file", "%s: cannot be read", args->positional[0]);
    }
    batch_open(&batch);
    int code = ask_all(ctl, args, &reader, &batch);
    if (code == EXIT_DONE && cJSON_GetArraySize(batch.results) > 0) {
        show_results(ctl, &batch);
        code = batch.refused ? EXIT_REFUSED : EXIT_DONE;
    }
    job_reader_close(&reader);
    json_out_free(&batch.body);
    cJSON_Delete(batch.results);
    return code;
}
