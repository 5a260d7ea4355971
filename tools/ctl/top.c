/* top.c — see top.h. */
#include "top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"

#define REASONS_SHOWN 6

const char *const top_order_names[TOP_ORDER_COUNT] = {
    [TOP_HELD] = "held", [TOP_RATE] = "rate", [TOP_ETA] = "eta", [TOP_LINE] = "line"};

static const struct column columns[] = {
    {"LINE", "line", true},       {"REPUTATION", "reputation", true}, {"GATE", "gate", true},
    {"WHY", "reason", true},      {"QUEUED", "queued", true},         {"HELD", "held", true},
    {"SENT/MIN", "rate", true},   {"ETA", "eta_ms", true},            {"PACE/MIN", "pace", false},
    {"POOL", "pool", false},      {"LEASED", "leased", false},        {"OLDEST", "oldest_at", false},
    {"RAMP %", "ramp", false},    {"DRAIN", "drain", false},          {NULL, NULL, false},
};

bool top_order_parse(const char *name, enum top_order *out)
{
    for (int order = 0; order < TOP_ORDER_COUNT; order++) {
        if (strcmp(name, top_order_names[order]) == 0) {
            *out = (enum top_order)order;
            return true;
        }
    }
    return false;
}

static void look_free(struct top_look *look)
{
    cJSON_Delete(look->status);
    cJSON_Delete(look->lines);
    *look = (struct top_look){0};
}

void top_take(struct top *top, const struct top_look *look)
{
    look_free(&top->before);
    top->before = top->now;
    top->now = *look;
}

void top_free(struct top *top)
{
    look_free(&top->now);
    look_free(&top->before);
}

/* ---- how fast ---- */

static double number_in(const cJSON *object, const char *path)
{
    const cJSON *value = value_at(object, path);
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

/* What a counter grew by in a minute since the look before; below 0: that can't be told. */
static double growth_per_min(const struct top *top, const cJSON *now, const cJSON *before, const char *path)
{
    double ms = (double)(top->now.mono_ms - top->before.mono_ms);
    double more = number_in(now, path) - number_in(before, path);
    bool known = before != NULL && ms > 0 && more >= 0 && value_at(now, path) != NULL;
    return known ? more * 60000 / ms : -1;
}

/* The same line as before; the lists are in one order, but for lines that have come or gone. */
static const cJSON *line_before(const cJSON **guess, const cJSON *first, const char *line)
{
    const cJSON *at = *guess;
    if (at == NULL || line == NULL || strcmp(line, json_string(at, "line") != NULL ? json_string(at, "line") : "") != 0)
        for (at = first; at != NULL && line != NULL; at = at->next)
            if (json_string(at, "line") != NULL && strcmp(json_string(at, "line"), line) == 0)
                break;
    *guess = at == NULL ? NULL : at->next;
    return at;
}

/* ---- rows ---- */

struct row {
    cJSON *shown;
    const char *line;
    double held, waiting, rate, eta_ms; /* below 0: not known */
};

/* At the pace of now, or as fast as it goes now where there is no limit. */
static double eta_of(const struct row *row, const cJSON *line)
{
    const cJSON *pace = value_at(line, "pace_per_min");
    double per_min = cJSON_IsNumber(pace) ? pace->valuedouble : row->rate;
    const char *gate = json_string(line, "gate");
    bool goes = gate != NULL && strcmp(gate, "closed") != 0 && per_min > 0;
    return row->waiting == 0 ? 0 : goes ? row->waiting * 60000 / per_min : -1;
}

static void copy(cJSON *to, const char *name, const cJSON *from, const char *path)
{
    const cJSON *value = value_at(from, path);
    cJSON_AddItemToObject(to, name, value == NULL ? cJSON_CreateNull() : cJSON_Duplicate(value, true));
}

static void put_number(cJSON *to, const char *name, double value)
{
    cJSON_AddItemToObject(to, name, value < 0 ? cJSON_CreateNull() : cJSON_CreateNumber((double)(int64_t)(value + 0.5)));
}

static struct row row_of(const struct top *top, const cJSON *line, const cJSON *before)
{
    struct row row = {.shown = cJSON_CreateObject(),
                      .line = json_string(line, "line") != NULL ? json_string(line, "line") : "",
                      .held = number_in(line, "backlog.held"),
                      .rate = growth_per_min(top, line, before, "budgets.daily_messages.used")};
    row.waiting = row.held + number_in(line, "backlog.queued");
    row.eta_ms = eta_of(&row, line);
    copy(row.shown, "line", line, "line");
    copy(row.shown, "pool", line, "pool");
    copy(row.shown, "reputation", line, "reputation.status");
    copy(row.shown, "gate", line, "gate");
    copy(row.shown, "reason", line, "reason");
    copy(row.shown, "queued", line, "backlog.queued");
    copy(row.shown, "held", line, "backlog.held");
    put_number(row.shown, "rate", row.rate);
    copy(row.shown, "pace", line, "pace_per_min");
    put_number(row.shown, "eta_ms", row.waiting == 0 ? -1 : row.eta_ms);
    copy(row.shown, "leased", line, "backlog.leased");
    copy(row.shown, "oldest_at", line, "oldest_at");
    copy(row.shown, "ramp", line, "ramp_percent");
    copy(row.shown, "drain", line, "drain.mode");
    return row;
}

static int larger(double a, double b)
{
    return (a < b) - (a > b);
}

/* Lines whose backlog ends never, as it stands, come before those that take long. */
static double eta_weight(const struct row *row)
{
    return row->eta_ms < 0 ? 1e300 : row->eta_ms;
}

static int by_line(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->line, ((const struct row *)b)->line);
}

static int by_held(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    int held = larger(left->held, right->held);
    int waiting = held != 0 ? held : larger(left->waiting, right->waiting);
    return waiting != 0 ? waiting : by_line(a, b);
}

static int by_rate(const void *a, const void *b)
{
    int rate = larger(((const struct row *)a)->rate, ((const struct row *)b)->rate);
    return rate != 0 ? rate : by_held(a, b);
}

static int by_eta(const void *a, const void *b)
{
    int eta = larger(eta_weight(a), eta_weight(b));
    return eta != 0 ? eta : by_held(a, b);
}

static void draw_lines(const struct top *top, FILE *out, const struct screen *screen, int from, int room)
{
    static int (*const orders[TOP_ORDER_COUNT])(const void *, const void *) = {
        [TOP_HELD] = by_held, [TOP_RATE] = by_rate, [TOP_ETA] = by_eta, [TOP_LINE] = by_line};
    int count = cJSON_GetArraySize(top->now.lines), used = 0;
    struct screen people = *screen;
    people.no_json = true;
    struct row *rows = calloc((size_t)(count > 0 ? count : 1), sizeof *rows);
    cJSON *shown = cJSON_CreateArray();
    const cJSON *first = top->before.lines != NULL ? top->before.lines->child : NULL, *guess = first, *line;
    if (rows == NULL)
        count = 0;
    cJSON_ArrayForEach(line, top->now.lines)
    {
        if (used < count) {
            rows[used] = row_of(top, line, line_before(&guess, first, json_string(line, "line")));
            used++;
        }
    }
    if (rows != NULL)
        qsort(rows, (size_t)used, sizeof *rows, orders[top->order]);
    for (int i = 0; i < used; i++) {
        if (i >= from && i < from + room)
            cJSON_AddItemToArray(shown, rows[i].shown);
        else
            cJSON_Delete(rows[i].shown);
    }
    if (cJSON_GetArraySize(shown) > 0)
        view_table(out, &people, columns, shown, 0);
    cJSON_Delete(shown);
    free(rows);
}

/* ---- the head ---- */

static void put_count(FILE *out, const cJSON *object, const char *path)
{
    char text[32];
    count_format((int64_t)number_in(object, path), text, sizeof text);
    fputs(text, out);
}

static void draw_first(const struct top *top, FILE *out, const struct screen *screen)
{
    char span[32], broker[128], version[64];
    const cJSON *status = top->now.status;
    duration_format((int64_t)number_in(status, "uptime_ms"), span, sizeof span);
    text_clean(json_string(status, "broker") != NULL ? json_string(status, "broker") : "", broker, sizeof broker);
    text_clean(json_string(status, "version") != NULL ? json_string(status, "version") : "?", version, sizeof version);
    fprintf(out, "%sLineward %s on %s, up %s%s%s%s\n", screen->colour ? COLOUR_BOLD : "", version, broker, span,
            screen->colour ? COLOUR_OFF : "", json_bool(status, "ready", true) ? "" : ", NOT READY",
            json_bool(value_at(status, "store"), "full", false) ? ", STORE FULL" : "");
}

/* New conversations, which no line has yet. */
static double unplaced(const cJSON *status)
{
    const cJSON *pool;
    double jobs = 0;
    cJSON_ArrayForEach(pool, cJSON_GetObjectItemCaseSensitive(status, "pools"))
    {
        jobs += number_in(pool, "backlog.unplaced");
    }
    return jobs;
}

static void draw_jobs(const struct top *top, FILE *out)
{
    const cJSON *status = top->now.status;
    double sent = growth_per_min(top, status, top->before.status, "totals.sent");
    double taken = growth_per_min(top, status, top->before.status, "totals.accepted");
    fputs("jobs ", out);
    put_count(out, status, "backlog.jobs");
    fputs(" of ", out);
    put_count(out, status, "backlog.jobs_max");
    if (sent >= 0 && taken >= 0)
        fprintf(out, "; %.1f/s taken, %.1f/s sent", taken / 60, sent / 60);
    fputs("; workers ", out);
    put_count(out, status, "workers.total");
    fputs(", slots ", out);
    put_count(out, status, "workers.free_slots");
    fputs(" of ", out);
    put_count(out, status, "workers.slots");
    fputs(" free\nlines ", out);
    put_count(out, status, "lines.total");
    fputs(": ", out);
    put_count(out, status, "lines.open");
    fputs(" open, ", out);
    put_count(out, status, "lines.slow");
    fputs(" slow, ", out);
    put_count(out, status, "lines.closed");
    fprintf(out, " closed%s", top->now.more ? "; not all of them are in the table" : "");
    if (unplaced(status) > 0)
        fprintf(out, "; %.0f jobs wait for a line", unplaced(status));
    fputc('\n', out);
}

static int by_count(const void *a, const void *b)
{
    return larger((*(const cJSON *const *)a)->valuedouble, (*(const cJSON *const *)b)->valuedouble);
}

static void draw_reasons(const struct top *top, FILE *out)
{
    const cJSON *reasons = value_at(top->now.status, "backlog_by_reason"), *reason;
    const cJSON *sorted[64] = {NULL};
    size_t count = 0;
    cJSON_ArrayForEach(reason, reasons)
    {
        if (count < sizeof sorted / sizeof *sorted && cJSON_IsNumber(reason))
            sorted[count++] = reason;
    }
    qsort(sorted, count, sizeof *sorted, by_count);
    fputs(count == 0 ? "nothing waits" : "waits for: ", out);
    for (size_t i = 0; i < count && i < REASONS_SHOWN; i++) {
        char name[64], number[32];
        text_clean(sorted[i]->string, name, sizeof name);
        count_format((int64_t)sorted[i]->valuedouble, number, sizeof number);
        fprintf(out, "%s%s %s", i > 0 ? ", " : "", name, number);
    }
    fputs(count > REASONS_SHOWN ? ", …\n" : "\n", out);
}

/* Of text with long lines: at most so many, none wider than the screen. */
static void put_cut(FILE *out, char *text, const struct screen *screen, int lines)
{
    for (char *line = text, *next; *line != '\0' && lines > 0; line = next, lines--) {
        next = line + strcspn(line, "\n");
        if (*next == '\n')
            *next++ = '\0';
        if (screen->width == 0)
            fputs(line, out);
        else
            text_print(out, line, screen->width);
        fputc('\n', out);
    }
}

#define HEAD_LINES 5
int top_draw(const struct top *top, FILE *out, const struct screen *screen, int height, int from, const char *notice)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    if (page == NULL)
        return 0;
    draw_first(top, page, screen);
    draw_jobs(top, page);
    draw_reasons(top, page);
    fprintf(page, "%s\n", notice != NULL ? notice : " ");
    draw_lines(top, page, screen, from, height - HEAD_LINES - 1);
    fclose(page);
    put_cut(out, text, screen, height);
    free(text);
    return cJSON_GetArraySize(top->now.lines);
}
