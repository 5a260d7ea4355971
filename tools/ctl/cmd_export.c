/* cmd_export.c — `linewardctl triage export` and `import`: jobs that wait, as lines that can be enqueued again. An export
 * changes nothing. What is then cancelled is imported once: the ids of its lines are made of the jobs' numbers, and a line
 * whose job was sent after all, or waits still, is not submitted. A line of what a worker had, or may have sent, begins with
 * that word, so that it goes nowhere where nobody can say what became of it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "job_lines.h"
#include "lineward/json.h"
#include "triage.h"

struct exported { /* one line: its place, and where it lies in the spool */
    int64_t order;
    off_t at;
    size_t bytes;
};

struct export {
    FILE *spool; /* lines as they came, which may be more than fit into memory; it has no name */
    off_t spooled;
    struct exported *lines;
    size_t count, room, longest;
    size_t stayed; /* lines of what a cancel would leave now */
    int64_t stay, unread;
    char next[64], until[32];
};

static void export_free(struct export *export)
{
    if (export->spool != NULL)
        fclose(export->spool);
    free(export->lines);
}

/* Beside the file, where there is room for as much again; it holds what that one holds. */
static FILE *spool_open(const char *name)
{
    char *path = NULL;
    if (strcmp(name, "-") == 0)
        return tmpfile();
    if (asprintf(&path, "%s.XXXXXX", name) < 0)
        return NULL;
    int fd = mkostemp(path, O_CLOEXEC);
    FILE *spool = fd < 0 ? NULL : fdopen(fd, "w+");
    if (fd >= 0)
        unlink(path);
    if (fd >= 0 && spool == NULL)
        close(fd);
    free(path);
    return spool;
}

/* ---- reading ---- */

static const char stay_before[] = "{\"stay\":\"", stay_behind[] = "\",";

/* The document with the word for what keeps its job in front. */
static char *told_of(const char *stay, size_t stay_bytes, const char *document, size_t bytes)
{
    char *text = NULL;
    return bytes < 2 || asprintf(&text, "%s%.*s%s%.*s", stay_before, (int)stay_bytes - 2, stay + 1, stay_behind, (int)bytes - 1,
                    document + 1) < 0 ? NULL : text;
}

/* The document as the broker has it, byte for byte, but that it is one line: an end of a line in JSON is a blank. */
static char *line_of(const char *item, size_t bytes, bool *stays)
{
    static const char ends[] = "\r\n";
    const char *document, *stay = "";
    size_t document_bytes, stay_bytes = 0;
    if (!json_raw_member(item, bytes, "document", &document, &document_bytes))
        return NULL;
    (void)json_raw_member(item, bytes, "stay", &stay, &stay_bytes);
    *stays = stay_bytes > 2 && *stay == '"';
    char *text = *stays ? told_of(stay, stay_bytes, document, document_bytes) : strndup(document, document_bytes);
    for (char *at = text != NULL ? strpbrk(text, ends) : NULL; at != NULL; at = strpbrk(at, ends))
        *at = ' ';
    return text;
}

static int64_t order_of(const char *item, size_t bytes)
{
    const char *order;
    size_t order_bytes;
    return json_raw_member(item, bytes, "order", &order, &order_bytes) ? strtoll(order, NULL, 10) : 0;
}

/* False: no room, in memory or on disk. */
static bool keep(struct export *export, const char *item, size_t bytes)
{
    if (export->count == export->room) {
        size_t room = export->room == 0 ? 1024 : export->room * 2;
        struct exported *lines = realloc(export->lines, room * sizeof *lines);
        if (lines == NULL)
            return false;
        export->lines = lines;
        export->room = room;
    }
    bool stays = false;
    char *text = line_of(item, bytes, &stays);
    size_t length = text != NULL ? strlen(text) : 0;
    bool ok = length > 0 && fwrite(text, 1, length, export->spool) == length;
    free(text);
    export->lines[export->count] = (struct exported){order_of(item, bytes), export->spooled, length};
    export->count += ok;
    export->stayed += ok && stays;
    export->spooled += (off_t)length;
    export->longest = length > export->longest ? length : export->longest;
    return ok;
}

static bool keep_all(struct export *export, const struct http_answer *answer)
{
    const char *list, *item;
    size_t list_bytes, item_bytes, at = 0;
    if (!json_raw_member(answer->text, answer->bytes, "export", &list, &list_bytes))
        return true;
    while (json_next_item(list, list_bytes, &at, &item, &item_bytes))
        if (!keep(export, item, item_bytes))
            return false;
    return true;
}

static int read_page(const struct ctl *ctl, const char *filtered, struct export *export)
{
    struct http_answer answer = {0};
    int64_t stay = 0, unread = 0;
    char *path = strdup(filtered);
    bool whole = path != NULL && http_query(&path, "after", export->next[0] != '\0' ? export->next : NULL);
    int code = whole ? http_ask(ctl, "GET", path, NULL, &answer) : ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    free(path);
    if (code == EXIT_DONE && answer.text != NULL && !keep_all(export, &answer))
        code = ctl_fail(ctl, EXIT_REFUSED, "not_written", "there is no room for what was exported");
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
    char *text = malloc(export->longest + 1);
    bool ok = text != NULL && fflush(export->spool) == 0;
    for (size_t i = 0; ok && i < export->count; i++) {
        const struct exported *line = &export->lines[i];
        ok = pread(fileno(export->spool), text, line->bytes, line->at) == (ssize_t)line->bytes &&
             fwrite(text, 1, line->bytes, file) == line->bytes && fputc('\n', file) != EOF;
    }
    free(text);
    return ok;
}

static void print_done(const struct ctl *ctl, const char *name, const struct export *export)
{
    char until[sizeof export->until];
    text_clean(export->until, until, sizeof until);
    bool own = strcmp(name, "-") != 0; /* else the lines are what goes to the output */
    FILE *out = own ? ctl->out : ctl->err;
    char stayed[64] = "";
    if (export->stayed > 0)
        snprintf(stayed, sizeof stayed, ", %zu of them with a worker or perhaps sent", export->stayed);
    if (ctl->json)
        fprintf(out, "{\"jobs\":%zu,\"stay\":%" PRId64 ",\"until\":\"%s\"}\n", export->count, export->stay, until);
    else
        fprintf(out, "%zu %s in %s%s; --until %s means %s\n", export->count, export->count == 1 ? "job is" : "jobs are",
                own ? name : "the output", stayed, until, export->count == 1 ? "it" : "these");
}

/* On disk, name and all, before anybody is told: what it holds is cancelled next. */
static int write_file(const struct ctl *ctl, const char *name, FILE *file, struct export *export)
{
    if (export->count > 0)
        qsort(export->lines, export->count, sizeof *export->lines, by_order);
    bool own = file != ctl->out;
    bool ok = write_lines(export, file) && fflush(file) == 0 && (!own || fsync(fileno(file)) == 0);
    if (own && fclose(file) != 0)
        ok = false;
    ok = ok && (!own || ctl_sync_name(name));
    if (!ok && own)
        unlink(name);
    if (!ok)
        return ctl_fail(ctl, EXIT_REFUSED, "not_written", "%s could not be written to its end", name);
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
    if (code == EXIT_DONE && (export.spool = spool_open(name)) == NULL)
        code = ctl_fail(ctl, EXIT_REFUSED, "not_written", "%s: no file can be made beside it", name);
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

/* False: it was not told; *code: whether it may be asked again. */
static bool read_fate(const struct ctl *ctl, const char *job, struct fate *fate, const char **code)
{
    struct http_answer answer = {0};
    char *path = http_path("/v1/jobs/{}", job);
    *fate = (struct fate){.superseded = false};
    bool answered = path != NULL && http_call(ctl, "GET", path, NULL, 0, &answer) == HTTP_ANSWERED;
    bool ok = answered && (answer.status == 200 || answer.status == 404);
    *code = !answered ? "unreachable" : answer.status == 429 || answer.status == 503 ? "busy" : "malformed";
    if (ok && answer.status == 200) {
        const char *state = json_string(answer.json, "state"), *error = json_string(json_get(answer.json, "error"), "code");
        snprintf(fate->state, sizeof fate->state, "%s", state != NULL ? state : "");
        fate->superseded = error != NULL && strcmp(error, "superseded") == 0;
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

/* The document without the word in front of it. */
static void take_word_out(struct job_line *line)
{
    bool is_there = strncmp(line->text, stay_before, sizeof stay_before - 1) == 0;
    const char *behind = is_there ? strstr(line->text, stay_behind) : NULL;
    if (behind == NULL)
        return;
    size_t bytes = (size_t)(behind - line->text) + sizeof stay_behind - 1;
    memmove(line->text + 1, line->text + bytes, line->bytes - bytes + 1); /* its end as well */
    line->bytes -= bytes - 1;
}

/* A line that was never exported is none of ours. */
static enum job_read admit(const struct ctl *ctl, struct job_line *line, const char **code, const char **why)
{
    struct fate fate;
    cJSON *json = json_parse(line->text, line->bytes, NULL);
    const char *job = json_string(json, "exported");
    *code = "malformed";
    enum job_read read = job == NULL                        ? JOB_READ_BAD
                         : read_fate(ctl, job, &fate, code) ? JOB_READ_GOOD
                                                            : JOB_READ_FAILED;
    cJSON_Delete(json);
    take_word_out(line);
    if (read == JOB_READ_GOOD)
        return judge(&fate, code, why);
    *why = read == JOB_READ_FAILED ? "the broker does not say what became of its job"
                                   : "it has no `exported`: `linewardctl enqueue` submits jobs that were never exported";
    return read;
}

/* The number is another broker's: it says nothing of how old the job is beside those that are there. */
static enum job_read admit_elsewhere(const struct ctl *ctl, struct job_line *line, const char **code, const char **why)
{
    static const char instead[] = "\"elsewhere\"";
    const char *number;
    size_t bytes;
    (void)ctl;
    if (json_raw_member(line->text, line->bytes, "stay", &number, &bytes)) {
        *code = "not_allowed";
        *why = "a worker had it when it was exported, or it may have been sent: only the broker that had it can say";
        return JOB_READ_BAD;
    }
    if (!json_raw_member(line->text, line->bytes, "exported", &number, &bytes))
        return JOB_READ_GOOD;
    size_t before = (size_t)(number - line->text), behind = line->bytes - before - bytes;
    char *text = malloc(before + sizeof instead + behind);
    *code = "no_memory";
    *why = "out of memory";
    if (text == NULL)
        return JOB_READ_FAILED;
    memcpy(text, line->text, before);
    memcpy(text + before, instead, sizeof instead - 1);
    memcpy(text + before + sizeof instead - 1, number + bytes, behind + 1); /* its end as well */
    free(line->text);
    line->text = text;
    line->bytes = before + sizeof instead - 1 + behind;
    return JOB_READ_GOOD;
}

int command_triage_import(const struct ctl *ctl, const struct args *args)
{
    return enqueue_lines(ctl, args, args_flag(args, "elsewhere") ? admit_elsewhere : admit);
}
