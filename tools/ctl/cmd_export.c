/* cmd_export.c — `linewardctl triage export` and `import`: jobs that wait, as lines that can be enqueued again. An export
 * changes nothing. What is then cancelled is imported once: the ids of its lines are made of the jobs' numbers, and a line
 * whose job was sent after all, or waits still, is not submitted. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "job_lines.h"
#include "lineward/json.h"
#include "triage.h"

struct exported { /* one line, and its place */
    int64_t order;
    char *text;
};

struct export {
    struct exported *lines;
    size_t count, room;
    int64_t stay, unread;
    char next[64], until[32];
};

static void export_free(struct export *export)
{
    for (size_t i = 0; i < export->count; i++)
        free(export->lines[i].text);
    free(export->lines);
}

/* ---- reading ---- */

/* {"exported":"j_…", …the document}: an enqueue does not know that member, and lets it pass. */
static char *line_of(const cJSON *item)
{
    struct json_out out = {0};
    const cJSON *member;
    json_open(&out, '{');
    json_key(&out, "exported");
    json_put_string(&out, json_string(item, "job"));
    cJSON_ArrayForEach(member, json_get(item, "document"))
    {
        json_key(&out, member->string);
        json_put_value(&out, member);
    }
    json_close(&out, '}');
    char *text = out.failed ? NULL : strndup(out.text, out.bytes);
    json_out_free(&out);
    return text;
}

static bool keep(struct export *export, const cJSON *item)
{
    if (export->count == export->room) {
        size_t room = export->room == 0 ? 1024 : export->room * 2;
        struct exported *lines = realloc(export->lines, room * sizeof *lines);
        if (lines == NULL)
            return false;
        export->lines = lines;
        export->room = room;
    }
    struct exported *line = &export->lines[export->count];
    line->order = 0;
    line->text = line_of(item);
    json_int(item, "order", &line->order);
    export->count += line->text != NULL;
    return line->text != NULL;
}

static int read_page(const struct ctl *ctl, const char *filtered, struct export *export)
{
    struct http_answer answer = {0};
    const cJSON *item;
    int64_t stay = 0, unread = 0;
    char *path = strdup(filtered);
    bool whole = path != NULL && http_query(&path, "after", export->next[0] != '\0' ? export->next : NULL);
    int code = whole ? http_ask(ctl, "GET", path, NULL, &answer) : ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    free(path);
    cJSON_ArrayForEach(item, json_get(answer.json, "export"))
    {
        if (code == EXIT_DONE && !keep(export, item))
            code = ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    }
    const char *next = json_string(answer.json, "next"), *until = json_string(answer.json, "until");
    export->stay += json_int(answer.json, "stay", &stay) ? stay : 0;
    export->unread += json_int(json_get(answer.json, "stays"), "busy", &unread) ? unread : 0;
    snprintf(export->next, sizeof export->next, "%s", next != NULL ? next : "");
    if (code == EXIT_DONE)
        snprintf(export->until, sizeof export->until, "%s", until != NULL ? until : "");
    http_answer_free(&answer);
    return code;
}

/* ---- writing ---- */

/* As they were accepted: what is imported in this order keeps the order of each conversation. */
static int by_order(const void *left, const void *right)
{
    int64_t a = ((const struct exported *)left)->order, b = ((const struct exported *)right)->order;
    return (a > b) - (a < b);
}

static bool write_lines(const struct export *export, FILE *file)
{
    bool ok = true;
    for (size_t i = 0; ok && i < export->count; i++)
        ok = fputs(export->lines[i].text, file) >= 0 && fputc('\n', file) != EOF;
    return ok;
}

static void print_done(const struct ctl *ctl, const char *name, const struct export *export)
{
    char until[sizeof export->until];
    text_clean(export->until, until, sizeof until);
    if (ctl->json)
        fprintf(ctl->out, "{\"jobs\":%zu,\"stay\":%" PRId64 ",\"until\":\"%s\"}\n", export->count, export->stay, until);
    else
        fprintf(ctl->out, "%zu jobs are in %s, %" PRId64 " stay; --until %s means these\n", export->count, name, export->stay,
                until);
}

/* On disk before anybody is told: what it holds is cancelled next. */
static int write_file(const struct ctl *ctl, const char *name, FILE *file, struct export *export)
{
    if (export->count > 0)
        qsort(export->lines, export->count, sizeof *export->lines, by_order);
    bool own = file != ctl->out;
    bool ok = write_lines(export, file) && fflush(file) == 0 && (!own || fsync(fileno(file)) == 0);
    if (own && fclose(file) != 0)
        ok = false;
    if (!ok)
        return ctl_fail(ctl, EXIT_REFUSED, "not_written", "%s could not be written to its end", name);
    if (own)
        print_done(ctl, name, export);
    return EXIT_DONE;
}

int command_triage_export(const struct ctl *ctl, const struct args *args)
{
    const char *name = args->positional[0];
    struct export export = {0};
    char *path = NULL;
    int code = triage_path(ctl, args, args->command->path, &path);
    if (code != EXIT_DONE)
        return code;
    FILE *file = ctl_create(ctl, name);
    if (file == NULL)
        code = ctl_fail(ctl, EXIT_REFUSED, "not_written", "%s: is there already, or cannot be made", name);
    while (code == EXIT_DONE && (code = read_page(ctl, path, &export)) == EXIT_DONE && export.next[0] != '\0')
        continue;
    if (code == EXIT_DONE && export.unread > 0) /* they would be cancelled with the rest, and be nowhere */
        code = ctl_fail(ctl, EXIT_REFUSED, "busy", "%" PRId64 " jobs could not be read: say it again", export.unread);
    if (code == EXIT_DONE) {
        code = write_file(ctl, name, file, &export);
    } else if (file != NULL && file != ctl->out) { /* nothing rather than a part */
        fclose(file);
        unlink(name);
    }
    export_free(&export);
    free(path);
    return code;
}

/* ---- import ---- */

/* What the job of a line has become; "": nobody knows it. */
struct fate {
    char state[16];
    bool superseded;
};

static bool read_fate(const struct ctl *ctl, const char *job, struct fate *fate)
{
    struct http_answer answer = {0};
    char *path = http_path("/v1/jobs/{}", job);
    *fate = (struct fate){.superseded = false};
    bool ok = path != NULL && http_call(ctl, "GET", path, NULL, 0, &answer) == HTTP_ANSWERED &&
              (answer.status == 200 || answer.status == 404);
    if (ok && answer.status == 200) {
        const char *state = json_string(answer.json, "state"), *code = json_string(json_get(answer.json, "error"), "code");
        snprintf(fate->state, sizeof fate->state, "%s", state != NULL ? state : "");
        fate->superseded = code != NULL && strcmp(code, "superseded") == 0;
    }
    http_answer_free(&answer);
    free(path);
    return ok;
}

static enum job_read judge(const struct fate *fate, const char **code, const char **why)
{
    static const char *const over[] = {"sent", "failed", "suppressed"};
    *code = "already_final";
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        if (strcmp(fate->state, over[i]) == 0) {
            *why = "the job that it was exported from was sent, failed or is suppressed";
            return JOB_READ_BAD;
        }
    }
    *why = "a newer job with its collapse_key has taken the place of the one that it was exported from";
    if (fate->superseded)
        return JOB_READ_BAD;
    if (strcmp(fate->state, "cancelled") == 0 || strcmp(fate->state, "expired") == 0)
        return JOB_READ_GOOD;
    bool unknown = fate->state[0] == '\0';
    *code = unknown ? "not_found" : "not_allowed";
    *why = unknown ? "nobody here knows the job that it was exported from: --elsewhere submits it to another broker"
                   : "the job that it was exported from waits still: cancel it first";
    return JOB_READ_BAD;
}

/* A line that was never exported is none of ours. */
static enum job_read admit(const struct ctl *ctl, const struct job_line *line, const char **code, const char **why)
{
    struct fate fate;
    cJSON *json = json_parse(line->text, line->bytes, NULL);
    const char *job = json_string(json, "exported");
    enum job_read read = job == NULL ? JOB_READ_BAD : read_fate(ctl, job, &fate) ? JOB_READ_GOOD : JOB_READ_FAILED;
    cJSON_Delete(json);
    if (read == JOB_READ_GOOD)
        return judge(&fate, code, why);
    *code = "malformed";
    *why = read == JOB_READ_FAILED ? "the broker does not say what became of its job"
                                   : "it has no `exported`: `linewardctl enqueue` submits jobs that were never exported";
    return read;
}

int command_triage_import(const struct ctl *ctl, const struct args *args)
{
    return enqueue_lines(ctl, args, args_flag(args, "elsewhere") ? NULL : admit);
}
