/* cmd_audit.c — the audit: read page by page, shown one a line, or written to a file as JSON lines. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "http.h"
#include "lineward/clock.h"
#include "lineward/json.h"

#define PAGE_ROWS_MAX 1000
#define LIMIT_MAX     100000000

struct reading {
    const struct ctl *ctl;
    const struct args *args;
    char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX]; /* "": not asked for */
    FILE *file;                                      /* one JSON object a line; NULL: none */
    int64_t left, count;
    struct json_out page; /* with --json */
};

static char *page_path(const struct reading *reading, const char *after)
{
    char limit[24];
    char *path = strdup(reading->args->command->path);
    snprintf(limit, sizeof limit, "%" PRId64, reading->left < PAGE_ROWS_MAX ? reading->left : PAGE_ROWS_MAX);
    if (path != NULL && http_query(&path, "limit", limit) && http_query(&path, "after", after) &&
        http_query(&path, "since", reading->since[0] != '\0' ? reading->since : NULL) &&
        http_query(&path, "until", reading->until[0] != '\0' ? reading->until : NULL) &&
        http_query(&path, "by", args_option(reading->args, "by")) &&
        http_query(&path, "line", args_option(reading->args, "line")) &&
        http_query(&path, "pool", args_option(reading->args, "pool")) &&
        http_query(&path, "order", args_flag(reading->args, "newest") ? "newest" : NULL))
        return path;
    free(path);
    return NULL;
}

/* ---- showing one ---- */

static void print_text(const struct ctl *ctl, const char *before, const char *text)
{
    char clean[CELL_BYTES_MAX];
    if (text == NULL)
        return;
    text_clean(text, clean, sizeof clean);
    fprintf(ctl->out, "%s%s", before, clean);
}

/* "  before={…}" of what is no null and no empty object. */
static void print_value(const struct ctl *ctl, const char *name, const cJSON *value)
{
    char clean[CELL_BYTES_MAX];
    if (value == NULL || cJSON_IsNull(value) || (!cJSON_IsString(value) && value->child == NULL))
        return;
    char *text = cJSON_PrintUnformatted(value);
    text_clean(text != NULL ? text : "?", clean, sizeof clean);
    fprintf(ctl->out, "  %s=%s", name, clean);
    cJSON_free(text);
}

/* A state's member as people read it: pauses by their numbers, the rest as it is. */
static void print_state(const struct ctl *ctl, const cJSON *value)
{
    char clean[CELL_BYTES_MAX];
    const cJSON *item;
    const char *comma = "";
    if (cJSON_IsArray(value) && json_string(value->child, "pause") != NULL) {
        cJSON_ArrayForEach(item, value)
        {
            print_text(ctl, comma, json_string(item, "pause"));
            comma = ",";
        }
        return;
    }
    char *text = cJSON_PrintUnformatted(value);
    text_clean(text != NULL ? text : "?", clean, sizeof clean);
    fputs(clean, ctl->out);
    cJSON_free(text);
}

/* Only what became another: "  cordoned: false -> true". */
static void print_change(const struct ctl *ctl, const cJSON *before, const cJSON *after)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, after)
    {
        const cJSON *old = json_get(before, member->string);
        char name[64];
        if (old != NULL && cJSON_Compare(old, member, true))
            continue;
        text_clean(member->string, name, sizeof name);
        fprintf(ctl->out, "  %s: ", name);
        if (old != NULL) {
            print_state(ctl, old);
            fputs(" -> ", ctl->out);
        }
        print_state(ctl, member);
    }
}

static void print_record(const struct ctl *ctl, const cJSON *record)
{
    const char *role = json_string(record, "role");
    print_text(ctl, "", json_string(record, "at"));
    print_text(ctl, "  ", json_string(record, "by"));
    if (role != NULL)
        print_text(ctl, "/", role);
    print_text(ctl, "  ", json_string(record, "call"));
    print_value(ctl, "target", json_get(record, "target"));
    print_value(ctl, "to", json_get(record, "to"));
    print_value(ctl, "asked", json_get(record, "asked"));
    print_value(ctl, "reason", json_get(record, "reason"));
    print_change(ctl, json_get(record, "before"), json_get(record, "after"));
    if (json_string(record, "code") != NULL)
        print_text(ctl, ctl->view.colour ? "  \033[31mrefused: " : "  refused: ", json_string(record, "code"));
    if (json_string(record, "code") != NULL && ctl->view.colour)
        fputs(COLOUR_OFF, ctl->out);
    fputc('\n', ctl->out);
}

static bool show(struct reading *reading, const cJSON *record)
{
    struct json_out line = {0};
    reading->count++;
    reading->left--;
    if (reading->file == NULL && reading->ctl->json) {
        json_put_value(&reading->page, record);
        return !reading->page.failed;
    }
    if (reading->file == NULL) {
        print_record(reading->ctl, record);
        return true;
    }
    json_put_value(&line, record);
    bool ok = !line.failed && fwrite(line.text, 1, line.bytes, reading->file) == line.bytes &&
              fputc('\n', reading->file) != EOF;
    json_out_free(&line);
    return ok;
}

/* ---- page by page ---- */

static int read_page(struct reading *reading, char **next)
{
    struct http_answer answer = {0};
    const cJSON *record;
    char *path = page_path(reading, *next);
    free(*next);
    *next = NULL;
    if (path == NULL)
        return ctl_fail(reading->ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(reading->ctl, "GET", path, NULL, &answer);
    free(path);
    if (code != EXIT_DONE)
        return code;
    cJSON_ArrayForEach(record, json_get(answer.json, "audit"))
    {
        if (code == EXIT_DONE && reading->left > 0 && !show(reading, record))
            code = ctl_fail(reading->ctl, EXIT_REFUSED, "not_written", "the audit could not be written to its end");
    }
    const char *text = json_string(answer.json, "next");
    *next = text != NULL && code == EXIT_DONE && reading->left > 0 ? strdup(text) : NULL;
    http_answer_free(&answer);
    return code;
}

static int read_all(struct reading *reading)
{
    char *next = NULL;
    int code;
    json_open(&reading->page, '{');
    json_key(&reading->page, "audit");
    json_open(&reading->page, '[');
    do
        code = read_page(reading, &next);
    while (next != NULL);
    json_close(&reading->page, ']');
    json_close(&reading->page, '}');
    return code;
}

static int close_file(const struct reading *reading, const char *name, int code)
{
    FILE *file = reading->file;
    bool ok = (file == reading->ctl->out ? fflush(file) : fclose(file)) == 0;
    if (code == EXIT_DONE && !ok)
        return ctl_fail(reading->ctl, EXIT_REFUSED, "not_written", "%s could not be written to its end", name);
    if (code == EXIT_DONE && file != reading->ctl->out)
        fprintf(reading->ctl->out, "%" PRId64 " records are in %s\n", reading->count, name);
    return code;
}

int command_audit(const struct ctl *ctl, const struct args *args)
{
    struct reading reading = {.ctl = ctl, .args = args, .left = LIMIT_MAX};
    const char *name = args_option(args, "export");
    if (!args_number(args, "limit", 1, LIMIT_MAX, &reading.left))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--limit is a whole number");
    if (!ctl_moment(ctl, args_option(args, "since"), -1, reading.since) ||
        !ctl_moment(ctl, args_option(args, "until"), -1, reading.until))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--since and --until are times, or spans as 90m or 24h before now");
    if (name != NULL && (reading.file = ctl_create(ctl, name)) == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "not_written", "%s: is there already, or cannot be made", name);
    int code = read_all(&reading);
    if (reading.file != NULL)
        code = close_file(&reading, name, code);
    if (code == EXIT_DONE && ctl->json && reading.file == NULL)
        ctl_print_json(ctl, &reading.page);
    else
        json_out_free(&reading.page);
    return code;
}
