/* cmd_events.c — events from the broker's journal: pages (GET /v1/events), or as they come (GET /v1/events/stream).
 * Following begins anew from the last number seen whenever it is cut off: what the journal has cannot be missed,
 * whatever happens to a connection. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

#define PAGE_EVENTS_MAX  1000
#define LIMIT_MAX        1000000
#define AGAIN_MS         2000 /* after a stream was cut off, unless it says itself (`retry`) */
#define AGAIN_MS_MAX     60000
#define SILENT_S         45L  /* three heartbeats */

struct reader {
    const struct ctl *ctl;
    const char *topic;
    int64_t after, left; /* events that may still be shown */
    bool follow;
    int64_t told; /* following: the number that the event under way goes by; 0: it has none */
    bool lacks;   /* following: an event was left out */
    int again_ms;
    bool began;      /* following: the stream is there */
    bool in_error;   /* the event under way is the stream's last word */
    bool is_over;    /* what was asked for is gone, or all that was asked for was shown */
    int code;
    struct json_out page; /* JSON of all that is shown, when not following */
};

static char *events_path(const struct reader *reader)
{
    char after[24];
    char limit[24];
    char *path = strdup("/v1/events");
    int64_t page = reader->left < PAGE_EVENTS_MAX ? reader->left : PAGE_EVENTS_MAX;
    snprintf(after, sizeof after, "%" PRId64, reader->after);
    snprintf(limit, sizeof limit, "%" PRId64, page);
    if (path != NULL && http_query(&path, "after", after) && http_query(&path, "limit", limit) &&
        http_query(&path, "topic", reader->topic))
        return path;
    free(path);
    return NULL;
}

/* Members that every line shows in its own way, or that only programs need. */
static bool is_shown_apart(const char *name)
{
    static const char *const names[] = {"seq", "prev", "at", "topic", "log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static void print_event(const struct ctl *ctl, const cJSON *event)
{
    int64_t seq = 0;
    char at[40];
    char topic[64];
    const cJSON *item = NULL;
    const char *text = json_string(event, "at");
    json_int(event, "seq", &seq);
    text_clean(text != NULL ? text : "-", at, sizeof at);
    text = json_string(event, "topic");
    text_clean(text != NULL ? text : "-", topic, sizeof topic);
    fprintf(ctl->out, "%8" PRId64 "  %s  %-16s", seq, at, topic);
    cJSON_ArrayForEach(item, event)
    {
        char name[64];
        char value[CELL_BYTES_MAX];
        if (is_shown_apart(item->string) || cJSON_IsNull(item))
            continue;
        text_clean(item->string, name, sizeof name);
        value_format(&ctl->view, name, item, true, value, sizeof value);
        const char *colour = ctl->view.colour ? word_colour(value) : "";
        fprintf(ctl->out, "  %s=%s%s%s", name, colour, value, colour[0] != '\0' ? COLOUR_OFF : "");
    }
    fputc('\n', ctl->out);
}

static int show_event(struct reader *reader, const cJSON *event)
{
    if (!reader->ctl->json) {
        print_event(reader->ctl, event);
        return EXIT_DONE;
    }
    if (!reader->follow) {
        json_put_value(&reader->page, event);
        return EXIT_DONE;
    }
    struct json_out text = {0};
    json_put_value(&text, event);
    if (!text.failed)
        fprintf(reader->ctl->out, "%.*s\n", (int)text.bytes, text.text);
    int code = text.failed ? ctl_fail(reader->ctl, EXIT_REFUSED, "no_memory", "%s", "") : EXIT_DONE;
    json_out_free(&text);
    return code;
}

/* One page. *count: how many events it had. */
static int read_page(struct reader *reader, int *count)
{
    struct http_answer answer = {0};
    char *path = events_path(reader);
    if (path == NULL)
        return ctl_fail(reader->ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(reader->ctl, "GET", path, NULL, &answer);
    free(path);
    if (code != EXIT_DONE)
        return code;
    const cJSON *events = value_at(answer.json, "events");
    const cJSON *event = NULL;
    if (!cJSON_IsArray(events))
        code = ctl_fail(reader->ctl, EXIT_REFUSED, "malformed", "%s: the answer has no list `events`",
                        reader->ctl->admin);
    *count = cJSON_GetArraySize(events);
    cJSON_ArrayForEach(event, events)
    {
        if (code == EXIT_DONE)
            code = show_event(reader, event);
    }
    json_int(answer.json, "next", &reader->after);
    reader->left -= *count;
    http_answer_free(&answer);
    fflush(reader->ctl->out);
    return code;
}

/* The number of the last event that there is. */
static int find_last(const struct reader *reader, int64_t *out)
{
    struct http_answer answer = {0};
    int code = http_ask(reader->ctl, "GET", "/v1/status", NULL, &answer);
    if (code != EXIT_DONE)
        return code;
    int64_t next = 1;
    json_int(answer.json, "next_seq", &next);
    *out = next - 1;
    http_answer_free(&answer);
    return EXIT_DONE;
}

/* A page that is empty is the last one only where `next` does not move, or has come to where the log ended: it grows, and
 * what is not shown would be run after without an end. */
static int read_events(struct reader *reader)
{
    int64_t last = INT64_MAX;
    for (;;) {
        int count = 0;
        int64_t before = reader->after;
        int code = read_page(reader, &count);
        if (code != EXIT_DONE || reader->left <= 0)
            return code;
        if (count > 0)
            continue;
        if (reader->after > before && last == INT64_MAX)
            code = find_last(reader, &last);
        if (code != EXIT_DONE || reader->after <= before || reader->after >= last)
            return code;
    }
}

/* ---- following ---- */

/* It would be no other when asked for again: what follows it is shown. */
static void leave_out(struct reader *reader, const char *why)
{
    char number[32] = "";
    if (reader->told > 0)
        snprintf(number, sizeof number, " %" PRId64, reader->told);
    if (reader->told > reader->after)
        reader->after = reader->told;
    fprintf(reader->ctl->err, "linewardctl: event%s is left out: %s\n", number, why);
    reader->lacks = true;
}

static void take_data(struct reader *reader, const char *text)
{
    cJSON *event = json_parse(text, strlen(text), NULL);
    if (reader->in_error) {
        int64_t oldest = 0;
        const cJSON *error = value_at(event, "error");
        const char *message = json_string(error, "message");
        reader->is_over = json_int(error, "oldest", &oldest);
        if (reader->is_over)
            reader->code = ctl_fail(reader->ctl, EXIT_REFUSED, "not_found", "%s: --after %" PRId64,
                                    message != NULL ? message : "", oldest - 1);
    } else if (!cJSON_IsObject(event)) {
        leave_out(reader, "it is no JSON object");
    } else {
        json_int(event, "seq", &reader->after);
        reader->code = show_event(reader, event);
        reader->left--;
        reader->is_over = fflush(reader->ctl->out) != 0; /* what cannot be written is not read away */
    }
    cJSON_Delete(event);
}

static void take_retry(struct reader *reader, const char *text)
{
    long ms = strtol(text, NULL, 10);
    if (ms > 0 && ms <= AGAIN_MS_MAX)
        reader->again_ms = (int)ms;
}

/* A line of the stream: a field, or (empty) the end of an event; NULL: one that is too long. */
static bool take_line(void *self, const char *line)
{
    struct reader *reader = self;
    reader->began = true;
    if (line == NULL)
        leave_out(reader, "it is longer than 1 MiB");
    else if (line[0] == '\0')
        reader->told = 0;
    else if (strncmp(line, "id: ", 4) == 0)
        reader->told = strtoll(line + 4, NULL, 10);
    else if (strncmp(line, "event: ", 7) == 0)
        reader->in_error = strcmp(line + 7, "error") == 0;
    else if (strncmp(line, "retry: ", 7) == 0)
        take_retry(reader, line + 7);
    else if (strncmp(line, "data: ", 6) == 0)
        take_data(reader, line + 6);
    return reader->code == EXIT_DONE && !reader->is_over && reader->left > 0;
}

static char *stream_path(const struct reader *reader)
{
    char after[24];
    char *path = strdup("/v1/events/stream");
    snprintf(after, sizeof after, "%" PRId64, reader->after);
    if (path != NULL && http_query(&path, "after", after) && http_query(&path, "topic", reader->topic))
        return path;
    free(path);
    return NULL;
}

/* Too many streams, or a proxy whose broker is away. */
static bool may_pass(int status)
{
    return status == 429 || (status >= 502 && status <= 504);
}

/* One connection. Returns an exit code; EXIT_DONE: go on, unless it is over. */
static int follow_once(struct reader *reader)
{
    struct http_answer answer = {0};
    char *path = stream_path(reader);
    if (path == NULL)
        return ctl_fail(reader->ctl, EXIT_REFUSED, "no_memory", "%s", "");
    enum http_end end = http_lines(reader->ctl, path, SILENT_S, take_line, reader, &answer);
    free(path);
    int code = reader->code;
    if (end == HTTP_ANSWERED && answer.status > 299) {
        code = reader->began && may_pass(answer.status) ? EXIT_DONE : http_refused(reader->ctl, &answer);
    } else if (end != HTTP_ANSWERED && !reader->began) {
        code = ctl_fail(reader->ctl, EXIT_UNREACHABLE, "unreachable", "%s", answer.problem);
    }
    http_answer_free(&answer);
    return code;
}

static int follow(struct reader *reader)
{
    int code = EXIT_DONE;
    while ((code = follow_once(reader)) == EXIT_DONE && !reader->is_over && reader->left > 0)
        poll(NULL, 0, reader->again_ms);
    return code;
}

int command_events(const struct ctl *ctl, const struct args *args)
{
    struct reader reader = {.ctl = ctl, .topic = args_option(args, "topic"), .follow = args_flag(args, "follow"), .again_ms = AGAIN_MS};
    reader.left = reader.follow ? INT64_MAX : 100;
    if (!args_number(args, "limit", 1, LIMIT_MAX, &reader.left))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--limit is a number from 1 to %d", LIMIT_MAX);
    if (!args_number(args, "after", 0, INT64_MAX, &reader.after))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--after is the number of an event");
    if (reader.follow && args_option(args, "after") == NULL) { /* what happens from now on */
        int code = find_last(&reader, &reader.after);
        if (code != EXIT_DONE)
            return code;
    }
    json_open(&reader.page, '{');
    json_key(&reader.page, "events");
    json_open(&reader.page, '[');
    int code = reader.follow ? follow(&reader) : read_events(&reader);
    if (code == EXIT_DONE && reader.lacks)
        code = EXIT_REFUSED;
    json_close(&reader.page, ']');
    json_key(&reader.page, "next");
    json_put_int(&reader.page, reader.after);
    json_close(&reader.page, '}');
    if (code == EXIT_DONE && ctl->json && !reader.follow)
        ctl_print_json(ctl, &reader.page);
    else
        json_out_free(&reader.page);
    return code;
}
