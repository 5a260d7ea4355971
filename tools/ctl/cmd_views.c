/* cmd_views.c — commands that show something and change nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

#define PAGE_ROWS_MAX 1000 /* PROTOCOL, Admin API: `limit` */
#define ROWS_MAX      1000000

/* The columns that matter most stand first: the others go on a narrow terminal. */
static const struct column line_columns[] = {
    {"LINE", "line", true},
    {"POOL", "pool", false},
    {"REPUTATION", "reputation.status", true},
    {"GATE", "gate", true},
    {"WHY", "reason", true},
    {"QUEUED", "backlog.queued", false},
    {"HELD", "backlog.held", false},
    {"LEASED", "backlog.leased", false},
    {"OLDEST", "oldest_at", false},
    {"PACE/MIN", "pace_per_min", false},
    {"RAMP %", "ramp_percent", false},
    {"SERVICE", "service", false},
    {"CORDONED", "cordoned", false},
    {"HEARD", "reputation.heard_at", false},
    {"SOURCE", "reputation.source", false},
    {NULL, NULL, false},
};
static const struct column job_columns[] = {
    {"JOB", "job", true},
    {"STATE", "state", true},
    {"REASON", "reason", true},
    {"SINCE", "since", true},
    {"LINE", "line", false},
    {"TO", "to", false},
    {"POOL", "pool", false},
    {"CLASS", "class", false},
    {"ATTEMPTS", "attempts", false},
    {"ID", "id", false},
    {"DUE", "due_at", false},
    {"DELIVERY", "delivery", false},
    {"ERROR", "error.code", false},
    {NULL, NULL, false},
};
static const struct column dead_columns[] = {
    {"JOB", "job", true},
    {"CODE", "error.code", true},
    {"ENDED", "ended_at", true},
    {"LINE", "line", false},
    {"TO", "to", false},
    {"POOL", "pool", false},
    {"ATTEMPTS", "attempts", false},
    {"ID", "id", false},
    {"MESSAGE", "error.message", false},
    {NULL, NULL, false},
};
static const struct column pool_columns[] = {
    {"POOL", "pool", true},
    {"ACCOUNT", "account", false},
    {"POLICY", "policy", false},
    {"OWNER", "owner", false}, /* of another broker's */
    {"PAUSED", "paused", false},
    {"LINES", "lines", true},
    {"OPEN", "lines_by_gate.open", true},
    {"SLOW", "lines_by_gate.slow", true},
    {"CLOSED", "lines_by_gate.closed", true},
    {"WAITING", "backlog.waiting", true},
    {"LEASED", "backlog.leased", false},
    {"UNPLACED", "backlog.unplaced", false},
    {"UNTOLD", "outcomes.waiting", false}, /* outcome webhooks */
    {"TARGET DOWN", "outcomes.down", false},
    {"PROBLEM", "outcomes.problem", false},
    {"NEXT TRY", "outcomes.next_try_at", false},
    {NULL, NULL, false},
};
static const struct column campaign_columns[] = {
    {"CAMPAIGN", "campaign", true},
    {"POOL", "pool", true},
    {"PAUSED", "paused", true},
    {"ACCEPTED", "accepted", true},
    {"WAITING", "waiting", true},
    {"SENT", "sent", true},
    {"FAILED", "failed", false},
    {"LEASED", "leased", false},
    {"EXPIRED", "expired", false},
    {"CANCELLED", "cancelled", false},
    {"SUPPRESSED", "suppressed", false},
    {NULL, NULL, false},
};
static const struct column pause_columns[] = {
    {"PAUSE", "pause", true},
    {"SCOPE", "scope", true},
    {"NAME", "name", true},
    {"JOBS", "jobs", true},
    {"RECIPIENTS", "recipients", false},
    {"OLDEST", "oldest_at", false},
    {"REASON", "reason", false},
    {"BY", "by", false},
    {"SINCE", "since", false},
    {"UNTIL", "until", false},
    {NULL, NULL, false},
};

static const struct column conversation_columns[] = {
    {"TO", "to", true},
    {"HEALTH", "health.status", true},
    {"SINCE", "health.since", true},
    {"UNANSWERED", "streak", false},
    {"LAST OUT", "last_out", false},
    {"LAST IN", "last_in", false},
    {"WAITING", "waiting", false},
    {"LEASED", "leased", false},
    {"POOL", "pool", false},
    {"CHAT", "chat_id", false},
    {NULL, NULL, false},
};

static const struct column suppression_columns[] = {
    {"TO", "to", true},          {"CAUSE", "cause", true}, {"SINCE", "since", true}, {"REASON", "reason", false},
    {"CAUSES", "causes", false}, {"BY", "by", false},      {NULL, NULL, false},
};

static const struct column erasure_columns[] = {
    {"ERASURE", "erasure", true},
    {"STATE", "state", true},
    {"DRY RUN", "dry_run", false},
    {"PERCENT", "percent", true},
    {"JOBS", "jobs", true},
    {"STILL OUT", "jobs_out", true},
    {"CONVERSATIONS", "conversations", true},
    {"RECORDS", "records", false},
    {"BY", "by", false},
    {"BEGUN", "begun_at", true},
    {"DONE", "done_at", true},
    {NULL, NULL, false},
};

static const struct column *columns_for(const char *list)
{
    static const struct {
        const char *list;
        const struct column *columns;
    } tables[] = {
        {"lines", line_columns},
        {"jobs", job_columns},
        {"dead", dead_columns},
        {"pools", pool_columns},
        {"campaigns", campaign_columns},
        {"pauses", pause_columns},
        {"conversations", conversation_columns},
        {"suppressions", suppression_columns},
        {"erasures", erasure_columns},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].list, list) == 0)
            return tables[i].columns;
    return NULL;
}

int command_show(const struct ctl *ctl, const struct args *args)
{
    struct http_answer answer = {0};
    char *path = args->count > 0 ? http_path(args->command->path, args->positional[0]) : strdup(args->command->path);
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

/* ---- lists, page by page ---- */

struct list {
    const char *name; /* its member in the answer */
    cJSON *rows;
    char *next; /* NULL: the end was reached */
    bool counting; /* some of what it tells is still being counted */
    int64_t unread; /* rows that the broker could not read */
};

static void list_free(struct list *list)
{
    cJSON_Delete(list->rows);
    free(list->next);
}

/* A path with a place in it gets the one argument there is, or `default`. */
static char *list_path(const struct args *args)
{
    if (strstr(args->command->path, "{}") == NULL)
        return strdup(args->command->path);
    return http_path(args->command->path, args->count > 0 ? args->positional[0] : "default");
}

/* What the list is called: the last fixed word of the path (PROTOCOL, Admin API). */
static const char *list_name(const char *path)
{
    return strstr(path, "/suppressions") != NULL ? "suppressions" : strrchr(path, '/') + 1;
}

static char *page_path(const struct args *args, const char *next, int64_t limit)
{
    char number[24];
    char *path = list_path(args);
    snprintf(number, sizeof number, "%" PRId64, limit);
    bool whole = path != NULL && http_query(&path, "limit", number) && http_query(&path, "after", next);
    for (const struct option_spec *spec = args->command->options; whole && spec->name != NULL; spec++) {
        if (strcmp(spec->name, "limit") != 0 && strcmp(spec->name, "after") != 0)
            whole = http_query(&path, spec->name, args_option(args, spec->name));
    }
    if (whole)
        return path;
    free(path);
    return NULL;
}

/* Moves a page's rows into the list and remembers where the next one begins. */
static int take_page(const struct ctl *ctl, struct list *list, const cJSON *page)
{
    cJSON *rows = cJSON_GetObjectItemCaseSensitive(page, list->name);
    const char *next = json_string(page, "next");
    int64_t unread = 0;
    if (!cJSON_IsArray(rows))
        return ctl_fail(ctl, EXIT_REFUSED, "malformed", "%s: the answer has no list `%s`", ctl->admin, list->name);
    while (rows->child != NULL)
        cJSON_AddItemToArray(list->rows, cJSON_DetachItemFromArray(rows, 0));
    bool stuck = next != NULL && list->next != NULL && strcmp(next, list->next) == 0;
    free(list->next);
    list->next = next != NULL && !stuck ? strdup(next) : NULL;
    list->counting = json_bool(page, "counting", false);
    list->unread += json_int(page, "unread", &unread) ? unread : 0;
    return EXIT_DONE;
}

/* A page may be short or empty: only `next` says whether there is more. */
static int read_list(const struct ctl *ctl, const struct args *args, int64_t limit, struct list *list)
{
    int code = EXIT_DONE;
    const char *after = args_option(args, "after");
    int64_t rows = 0;
    list->name = list_name(args->command->path);
    list->rows = cJSON_CreateArray();
    do {
        struct http_answer answer = {0};
        int64_t left = limit - rows;
        char *path =
            page_path(args, list->next != NULL ? list->next : after, left < PAGE_ROWS_MAX ? left : PAGE_ROWS_MAX);
        if (path == NULL || list->rows == NULL) {
            free(path);
            return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
        }
        code = http_ask(ctl, "GET", path, NULL, &answer);
        free(path);
        if (code != EXIT_DONE)
            return code;
        code = take_page(ctl, list, answer.json);
        http_answer_free(&answer);
        rows = cJSON_GetArraySize(list->rows);
    } while (code == EXIT_DONE && list->next != NULL && rows < limit);
    return code;
}

static void print_list_json(const struct ctl *ctl, const struct list *list)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, list->name);
    json_put_value(&out, list->rows);
    json_key(&out, "next");
    json_put_string(&out, list->next);
    if (list->counting) {
        json_key(&out, "counting");
        json_put_bool(&out, true);
    }
    if (list->unread > 0) {
        json_key(&out, "unread");
        json_put_int(&out, list->unread);
    }
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

/* Only some commands take --after. */
static bool may_go_on(const struct args *args)
{
    const struct option_spec *spec = args->command->options;
    while (spec->name != NULL && strcmp(spec->name, "after") != 0)
        spec++;
    return spec->name != NULL;
}

static void print_list(const struct ctl *ctl, const struct list *list, bool goes_on)
{
    if (list->rows->child == NULL)
        fprintf(ctl->out, "no %s\n", list->name);
    else
        view_table(ctl->out, &ctl->view, columns_for(list->name), list->rows, 0);
    if (list->next != NULL && !goes_on) {
        fprintf(ctl->out, "(there are more: at most %d are shown)\n", ROWS_MAX);
    } else if (list->next != NULL) {
        char next[CELL_BYTES_MAX];
        text_clean(list->next, next, sizeof next);
        fprintf(ctl->out, "(there are more: --limit, or --after %s)\n", next);
    }
    if (list->counting)
        fputs("(what they hold is still being counted: ask again in a moment)\n", ctl->out);
    if (list->unread > 0)
        fprintf(ctl->out, "(%" PRId64 " are missing: the broker could not read them, see its log)\n", list->unread);
}

static int list_up_to(const struct ctl *ctl, const struct args *args, int64_t limit)
{
    struct list list = {0};
    bool goes_on = may_go_on(args);
    int code = read_list(ctl, args, limit, &list);
    bool lacks = list.unread > 0 || (list.next != NULL && !goes_on);
    if (code == EXIT_DONE && ctl->json)
        print_list_json(ctl, &list);
    else if (code == EXIT_DONE)
        print_list(ctl, &list, goes_on);
    list_free(&list);
    return code == EXIT_DONE && lacks ? EXIT_REFUSED : code;
}

int command_list(const struct ctl *ctl, const struct args *args)
{
    return list_up_to(ctl, args, ROWS_MAX);
}

int command_jobs(const struct ctl *ctl, const struct args *args)
{
    int64_t limit = 100;
    if (!args_number(args, "limit", 1, ROWS_MAX, &limit))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--limit is a number from 1 to %d", ROWS_MAX);
    return list_up_to(ctl, args, limit);
}
