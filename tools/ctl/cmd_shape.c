/* cmd_shape.c — shape: the backlog as a table, a column for each age; replies: how many messages are answered. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

/* With the options that were given. NULL: out of memory. */
static char *path_of(const struct args *args)
{
    char *path = strdup(args->command->path);
    bool whole = path != NULL;
    for (const struct option_spec *spec = args->command->options; whole && spec->name != NULL; spec++)
        whole = http_query(&path, spec->name, args_option(args, spec->name));
    if (whole)
        return path;
    free(path);
    return NULL;
}

static void put_ages(FILE *out, const cJSON *row)
{
    const cJSON *age;
    fprintf(out, "%9.0f", cJSON_GetNumberValue(json_get(row, "jobs")));
    cJSON_ArrayForEach(age, json_get(row, "ages"))
    {
        fprintf(out, "%8.0f", cJSON_GetNumberValue(age));
    }
}

static void put_name(FILE *out, const cJSON *row, const char *name)
{
    char clean[64];
    const char *text = json_string(row, name);
    if (text == NULL)
        return;
    text_clean(text, clean, sizeof clean);
    fprintf(out, "  %s", clean);
}

static void put_row(FILE *out, const cJSON *row)
{
    static const char *const names[] = {"line", "pool", "campaign", "reason"};
    put_ages(out, row);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put_name(out, row, names[i]);
    fputc('\n', out);
}

static void show(const struct ctl *ctl, const cJSON *answer)
{
    const cJSON *minute, *row;
    fprintf(ctl->out, "%9s", "T");
    cJSON_ArrayForEach(minute, json_get(answer, "minutes"))
    {
        fprintf(ctl->out, "%8.0f", cJSON_GetNumberValue(minute));
    }
    fprintf(ctl->out, "   1280+\n");
    put_ages(ctl->out, json_get(answer, "total"));
    fprintf(ctl->out, "  TOTAL\n");
    cJSON_ArrayForEach(row, json_get(answer, "shape"))
    {
        put_row(ctl->out, row);
    }
    double left_off = cJSON_GetNumberValue(json_get(answer, "left_off"));
    if (left_off > 0)
        fprintf(ctl->out, "(%.0f smaller rows: --limit)\n", left_off);
}

/* What the command asks, in JSON or as `print` shows it. */
static int ask(const struct ctl *ctl, const struct args *args, void (*print)(const struct ctl *ctl, const cJSON *answer))
{
    struct http_answer answer = {0};
    char *path = path_of(args);
    int code = path == NULL ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "") : http_ask(ctl, "GET", path, NULL, &answer);
    free(path);
    if (code != EXIT_DONE)
        return code;
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        print(ctl, answer.json);
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_shape(const struct ctl *ctl, const struct args *args)
{
    return ask(ctl, args, show);
}

/* ---- replies ---- */

/* A column for what the rows are by, then the counts. */
static void show_reply_rows(const struct ctl *ctl, const cJSON *rows)
{
    static const struct column by[] = {{"LINE", "line", true}, {"CLASS", "class", true}, {"CAMPAIGN", "campaign", true}};
    struct column columns[] = {by[0], {"SHARE", "share", true}, {"ANSWERED", "answered", true},
                               {"SENT", "sent", true}, {"POOL", "pool", false}, {NULL, NULL, false}};
    for (size_t i = 0; i < sizeof by / sizeof *by; i++)
        if (json_get(rows->child, by[i].path) != NULL)
            columns[0] = by[i];
    view_table(ctl->out, &ctl->view, columns, rows, 0);
}

static void show_replies(const struct ctl *ctl, const cJSON *answer)
{
    const cJSON *total = json_get(answer, "total"), *rows = json_get(answer, "replies");
    double sent = cJSON_GetNumberValue(json_get(total, "sent"));
    fprintf(ctl->out, "the last %.0f days: %.0f sent, %.0f answered", cJSON_GetNumberValue(json_get(answer, "days")), sent,
            cJSON_GetNumberValue(json_get(total, "answered")));
    if (sent > 0)
        fprintf(ctl->out, " (%.1f %%)", 100 * cJSON_GetNumberValue(json_get(total, "share")));
    fputc('\n', ctl->out);
    if (rows != NULL && rows->child != NULL)
        show_reply_rows(ctl, rows);
    double left_off = cJSON_GetNumberValue(json_get(answer, "left_off"));
    if (left_off > 0)
        fprintf(ctl->out, "(%.0f more: --limit)\n", left_off);
}

int command_replies(const struct ctl *ctl, const struct args *args)
{
    return ask(ctl, args, show_replies);
}
