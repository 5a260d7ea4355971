/* cmd_conversations.c — conversations: shown, imported, exported; and recipients that must not be sent to. */
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "ctl.h"
#include "http.h"
#include "import_sources.h"
#include "lineward/json.h"

#define PAGE_ROWS_MAX   1000
#define DEFAULT_ACCOUNT "default"

/* ---- one conversation ---- */

/* "/v1/…/{}/{}" with both parts. NULL: out of memory. */
static char *path_of(const char *pattern, const char *first, const char *second)
{
    char *half = http_path(pattern, first);
    char *path = half != NULL ? http_path(half, second) : NULL;
    free(half);
    return path;
}

int command_conversation(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    char *path = path_of(args->command->path, args->positional[0], args->positional[1]);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(ctl, "GET", path, NULL, &answer);
    free(path);
    if (code != EXIT_DONE)
        return code;
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        view_tree(ctl->out, &ctl->view, answer.json, 0);
    http_answer_free(&answer);
    return EXIT_DONE;
}

/* ---- import and export ---- */

int command_conversations_import(const struct ctl *ctl, const struct args *args)
{
    static const char *const of_provider[] = {"config", "account", "api-key-file", "base-url", "line", "state", NULL};
    bool from_provider = args_flag(args, "from-provider");
    const char *lost = from_provider ? NULL : args_first_of(args, of_provider);
    if (from_provider == (args->count == 1))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "name a FILE.csv, or say --from-provider");
    if (lost != NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--%s goes with --from-provider", lost);
    return from_provider ? import_from_provider(ctl, args) : import_from_csv(ctl, args, args->positional[0]);
}

static void put_value(FILE *out, const cJSON *row, const char *column)
{
    const cJSON *value = strcmp(column, "health") == 0      ? value_at(row, "health.status")
                         : strcmp(column, "health_at") == 0 ? value_at(row, "health.since")
                                                            : json_get(row, column);
    bool first = strcmp(column, "pool") == 0;
    if (!cJSON_IsArray(value)) {
        const char *text = cJSON_IsString(value) ? value->valuestring : "";
        csv_put(out, strcmp(column, "health") == 0 && strcmp(text, "UNKNOWN") == 0 ? "" : text, first);
        return;
    }
    struct json_out joined = {0}; /* only a growing text here */
    const cJSON *to = NULL;
    cJSON_ArrayForEach(to, value)
    {
        joined.comma = false;
        if (to != value->child)
            json_put_raw(&joined, ";", 1);
        joined.comma = false;
        json_put_raw(&joined, to->valuestring, strlen(to->valuestring));
    }
    joined.comma = false;
    json_put_raw(&joined, "", 1);
    csv_put(out, joined.failed ? "" : joined.text, first);
    json_out_free(&joined);
}

static bool names_recipients(const cJSON *row)
{
    const cJSON *to = NULL, *all = json_get(row, "to");
    cJSON_ArrayForEach(to, all)
    {
        if (!cJSON_IsString(to))
            return false;
    }
    return cJSON_IsArray(all);
}

static bool is_masked(const cJSON *row)
{
    const cJSON *first = json_get(row, "to")->child;
    return first != NULL && strchr(first->valuestring, '*') != NULL;
}

/* Prints a page's rows. Returns an exit code. */
static int print_rows(const struct ctl *ctl, const cJSON *rows)
{
    const cJSON *row = NULL;
    if (!cJSON_IsArray(rows))
        return ctl_fail(ctl, EXIT_REFUSED, "malformed", "%s: the answer has no list `conversations`", ctl->admin);
    cJSON_ArrayForEach(row, rows)
    {
        if (!names_recipients(row))
            return ctl_fail(ctl, EXIT_REFUSED, "malformed", "%s: a conversation without recipients", ctl->admin);
        if (is_masked(row))
            return ctl_fail(ctl, EXIT_REFUSED, "forbidden",
                            "this token sees no whole numbers: an operator's is needed");
        for (const char *const *column = import_csv_columns; *column != NULL; column++)
            put_value(ctl->out, row, *column);
        fputc('\n', ctl->out);
    }
    return EXIT_DONE;
}

static char *page_path(const struct args *args, const char *next)
{
    char *path = strdup(args->command->path);
    if (path != NULL && http_query(&path, "limit", "1000") && http_query(&path, "after", next[0] != '\0' ? next : NULL) &&
        http_query(&path, "pool", args_option(args, "pool")) && http_query(&path, "line", args_option(args, "line")))
        return path;
    free(path);
    return NULL;
}

/* One page, and where the next one begins ("": nowhere); what it lacks is added to *unread. Returns an exit code. */
static int export_page(const struct ctl *ctl, const struct args *args, char *next, size_t room, int64_t *unread)
{
    struct http_answer answer = {0};
    int64_t lacks = 0;
    char *path = page_path(args, next);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(ctl, "GET", path, NULL, &answer);
    free(path);
    if (code != EXIT_DONE)
        return code;
    const char *after = json_string(answer.json, "next");
    *unread += json_int(answer.json, "unread", &lacks) ? lacks : 0;
    bool stuck = after != NULL && strcmp(after, next) == 0;
    code = print_rows(ctl, json_get(answer.json, "conversations"));
    snprintf(next, room, "%s", after != NULL && !stuck ? after : "");
    http_answer_free(&answer);
    return code;
}

int command_conversations_export(const struct ctl *ctl, const struct args *args)
{
    char next[64] = "";
    int64_t unread = 0;
    int code = EXIT_DONE;
    if (ctl->json)
        return command_list(ctl, args);
    for (const char *const *column = import_csv_columns; *column != NULL; column++)
        csv_put(ctl->out, *column, column == import_csv_columns);
    fputc('\n', ctl->out);
    do {
        code = export_page(ctl, args, next, sizeof next, &unread);
    } while (code == EXIT_DONE && next[0] != '\0');
    if (code == EXIT_DONE && unread > 0)
        return ctl_fail(ctl, EXIT_REFUSED, "busy", "%lld conversations are missing: the broker could not read them, see its log",
                        (long long)unread);
    return code;
}

/* ---- recipients that must not be sent to ---- */

static int change_suppression(const struct ctl *ctl, const struct args *args, const char *method, const char *what)
{
    const char *reason = args_option(args, "reason");
    const char *account = args_option(args, "account");
    struct http_answer answer = {0};
    struct json_out body = {0};
    if (reason == NULL || reason[0] == '\0')
        return ctl_fail(ctl, EXIT_USAGE, "usage", "this needs a --reason");
    json_open(&body, '{');
    json_key(&body, "reason");
    json_put_string(&body, reason);
    json_close(&body, '}');
    char *path = path_of(args->command->path, account != NULL ? account : DEFAULT_ACCOUNT, args->positional[0]);
    int code = path == NULL || body.failed ? ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "")
                                           : http_ask(ctl, method, path, &body, &answer);
    free(path);
    json_out_free(&body);
    if (code != EXIT_DONE)
        return code;
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        fprintf(ctl->out, "%s %s\n", args->positional[0], what);
    http_answer_free(&answer);
    return EXIT_DONE;
}

int command_suppress(const struct ctl *ctl, const struct args *args)
{
    return change_suppression(ctl, args, "PUT", "is suppressed: nothing is sent to it any more");
}

int command_unsuppress(const struct ctl *ctl, const struct args *args)
{
    return change_suppression(ctl, args, "DELETE", "may be sent to again");
}
