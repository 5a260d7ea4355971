/* import.c — see import.h. */
#include "import.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "lineward/clock.h"

#define AWAY_RETRY_MS 500

volatile sig_atomic_t import_interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    import_interrupted = 1;
}

static uint64_t passed(const struct import *import)
{
    return import->imported + import->known + import->refusals.total;
}

void import_draw(struct import *import, const char *waiting)
{
    struct progress_state state = {import->done, import->total, passed(import), import->refusals.total, waiting};
    progress_draw(&import->progress, &state, clock_read().mono_ms, waiting != NULL);
}

void import_stop(struct import *import, enum exit_code code, const char *why)
{
    snprintf(import->stopped, sizeof import->stopped, "%s", why);
    import->code = (int)code;
}

bool import_wait(struct import *import, int64_t ms, const char *why, enum exit_code code)
{
    char text[400];
    if (clock_read().mono_ms + ms > import->patience_mono_ms) {
        snprintf(text, sizeof text, "gave up waiting: %.300s", why);
        import_stop(import, code, text);
        return false;
    }
    import_draw(import, why);
    if (!import_interrupted)
        poll(NULL, 0, (int)ms);
    if (import_interrupted)
        import_stop(import, EXIT_REFUSED, "interrupted");
    return !import_interrupted;
}

/* ---- the batch in hand ---- */

struct json_out *import_begin(struct import *import, uint64_t line, const char *id)
{
    struct json_out *body = &import->body;
    if (import->count == 0) {
        json_out_clear(body);
        json_open(body, '{');
        json_key(body, "conversations");
        json_open(body, '[');
    }
    import->items[import->count].line = line;
    import->items[import->count].done = false;
    snprintf(import->items[import->count].id, sizeof import->items->id, "%s", id != NULL ? id : "");
    json_open(body, '{');
    return body;
}

void import_add(struct import *import)
{
    json_close(&import->body, '}');
    import->count++;
}

static void refuse(struct import *import, uint64_t line, const char *id, const char *code, const char *why)
{
    struct job_line place = {.number = line};
    snprintf(place.id, sizeof place.id, "%s", id);
    refusals_add(&import->refusals, &place, code, why);
}

void import_skip(struct import *import, uint64_t line, const char *id, const char *code, const char *why)
{
    refuse(import, line, id != NULL ? id : "", code, why);
}

/* Counts what is settled. Returns the error of one that should be sent again, NULL if none: to send the whole batch
 * again does no harm. */
static const cJSON *take_results(struct import *import, const cJSON *results)
{
    const cJSON *again = NULL;
    const cJSON *result = NULL;
    size_t i = 0;
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *error = json_get(result, "error");
        const char *code = json_string(error, "code");
        const char *message = json_string(error, "message");
        const char *state = json_string(result, "state");
        if (i == import->count)
            break;
        if (import->items[i++].done)
            continue;
        if (code != NULL && refusal_may_pass(code)) {
            again = error;
            continue;
        }
        import->items[i - 1].done = true;
        import->patience_mono_ms = clock_read().mono_ms + import->wait_ms;
        if (error == NULL && state != NULL) {
            import->imported += strcmp(state, "known") != 0;
            import->known += strcmp(state, "known") == 0;
            continue;
        }
        code = code != NULL ? code : "malformed";
        import->failed = true;
        import->conflicts += strcmp(code, "line_conflict") == 0;
        refuse(import, import->items[i - 1].line, import->items[i - 1].id, code, message != NULL ? message : "");
    }
    return again;
}

/* The request as a whole was refused. False: stopped. */
static bool take_refusal(struct import *import, const struct http_answer *answer)
{
    const cJSON *error = json_get(answer->json, "error");
    const char *code = json_string(error, "code");
    const char *message = json_string(error, "message");
    char text[400];
    snprintf(text, sizeof text, "%.40s: %.300s", code != NULL ? code : "malformed",
             message != NULL ? message : "no answer of this API");
    if (code != NULL && refusal_may_pass(code))
        return import_wait(import, refusal_retry_ms(error), text, EXIT_REFUSED);
    import_stop(import, EXIT_REFUSED, text);
    return false;
}

/* One request. False: stopped; else *again says whether it has to be sent once more. */
static bool send_once(struct import *import, const struct json_out *body, bool *again)
{
    struct http_answer answer = {0};
    enum http_end end =
        http_call(import->ctl, "POST", "/v1/conversations/import", body->text, body->bytes, &answer);
    bool on = true;
    *again = true;
    if (end != HTTP_ANSWERED && !import->was_answered) {
        import_stop(import, EXIT_UNREACHABLE, answer.problem);
        on = false;
    } else if (end != HTTP_ANSWERED) {
        on = import_wait(import, AWAY_RETRY_MS, answer.problem, EXIT_UNREACHABLE);
    } else {
        const cJSON *results = json_get(answer.json, "results");
        import->was_answered = true;
        if ((size_t)cJSON_GetArraySize(results) != import->count) {
            on = take_refusal(import, &answer);
        } else {
            const cJSON *error = take_results(import, results);
            *again = error != NULL;
            if (error != NULL)
                on = import_wait(import, refusal_retry_ms(error), json_string(error, "code"), EXIT_REFUSED);
        }
    }
    http_answer_free(&answer);
    return on;
}

bool import_flush(struct import *import)
{
    struct json_out *body = &import->body;
    bool again = import->count > 0;
    bool on = true;
    if (again) {
        json_close(body, ']');
        json_close(body, '}');
    }
    if (again && body->failed) {
        import_stop(import, EXIT_REFUSED, "out of memory");
        on = false;
    }
    while (on && again)
        on = send_once(import, body, &again);
    import->count = 0;
    import_draw(import, NULL);
    if (on && import_interrupted)
        import_stop(import, EXIT_REFUSED, "interrupted");
    return on && !import_interrupted;
}

/* ---- the report ---- */

static void put_count(struct json_out *out, const char *name, uint64_t count)
{
    json_key(out, name);
    json_put_int(out, (int64_t)count);
}

static void report_json(const struct import *import, int64_t took_ms)
{
    struct json_out out = {0};
    json_open(&out, '{');
    put_count(&out, "imported", import->imported);
    put_count(&out, "known", import->known);
    put_count(&out, "conflicts", import->conflicts);
    put_count(&out, "skipped", import->refusals.total - import->conflicts);
    put_count(&out, "took_ms", (uint64_t)took_ms);
    json_key(&out, "stopped");
    json_put_string(&out, import->stopped[0] != '\0' ? import->stopped : NULL);
    refusals_write(&import->refusals, &out);
    if (import->add_report != NULL)
        import->add_report(import->self, import, &out);
    json_close(&out, '}');
    ctl_print_json(import->ctl, &out);
}

static void report_text(const struct import *import, int64_t took_ms)
{
    const uint64_t counts[] = {import->imported, import->known, import->conflicts,
                               import->refusals.total - import->conflicts};
    char text[4][32];
    char rate[32];
    for (size_t i = 0; i < 4; i++)
        count_format((int64_t)counts[i], text[i], sizeof text[i]);
    count_format(took_ms > 0 ? (int64_t)passed(import) * 1000 / took_ms : (int64_t)passed(import), rate, sizeof rate);
    fprintf(import->ctl->out, "%s imported, %s already there, %s conflicts, %s skipped, in %" PRId64 ".%" PRId64 " s (%s/s)\n",
            text[0], text[1], text[2], text[3], took_ms / 1000, took_ms % 1000 / 100, rate);
    refusals_print(&import->refusals, import->ctl);
    if (import->add_report != NULL)
        import->add_report(import->self, import, NULL);
    if (import->stopped[0] == '\0')
        return;
    char clean[sizeof import->stopped];
    text_clean(import->stopped, clean, sizeof clean);
    fprintf(import->ctl->err, "linewardctl: stopped: %s\n", clean);
}

/* ---- the whole ---- */

static int run(struct import *import, bool (*source)(void *self, struct import *import), void *self)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND}; /* a second one ends at once */
    struct sigaction before;
    int64_t begun_ms = clock_read().mono_ms;
    import->patience_mono_ms = begun_ms + import->wait_ms;
    import->progress = (struct progress){.begun_ms = begun_ms, .noun = "conversations"};
    import->progress.out = import->ctl->progress && !import->ctl->json ? import->ctl->err : NULL;
    import->progress.plain = import->progress.out == NULL ? import->ctl->err : NULL;
    import_interrupted = 0;
    sigaction(SIGINT, &action, &before);
    if (source(self, import))
        import_flush(import);
    sigaction(SIGINT, &before, NULL);
    progress_end(&import->progress);
    int64_t took_ms = clock_read().mono_ms - begun_ms;
    if (import->ctl->json)
        report_json(import, took_ms);
    else
        report_text(import, took_ms);
    return import->code == EXIT_DONE && import->failed ? EXIT_REFUSED : import->code;
}

int import_run(const struct ctl *ctl, const struct args *args, bool (*source)(void *self, struct import *import),
               void *self)
{
    const char *wait = args_option(args, "wait");
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    import->ctl = ctl;
    import->wait_ms = 60000;
    import->refusals.keeps_no_lines = true;
    int code = EXIT_DONE;
    if (wait != NULL && !duration_parse(wait, &import->wait_ms))
        code = ctl_fail(ctl, EXIT_USAGE, "usage", "--wait is a span as 90s or 5m");
    else
        code = run(import, source, self);
    json_out_free(&import->body);
    refusals_free(&import->refusals);
    free(import);
    return code;
}
