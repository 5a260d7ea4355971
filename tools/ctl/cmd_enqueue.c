/* cmd_enqueue.c — jobs from a file to the broker, in the order of the file: the next batch goes out when the one
 * before was acknowledged. A broker that is busy or away is waited for; what it refuses is reported line by line. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "job_lines.h"
#include "lineward/clock.h"
#include "lineward/wire.h"
#include "progress.h"
#include "refusals.h"
#include "submit.h"

#define BATCH_BYTES_MAX (4u * 1024 * 1024) /* well under the 8 MiB of a request */
#define AWAY_RETRY_MS   500

struct enqueue {
    const struct ctl *ctl;
    admit_line admit; /* NULL: every job is submitted */
    struct submit_link link;
    struct job_reader reader;
    struct refusals refusals;
    struct progress progress;
    struct job_line jobs[WIRE_ENQUEUE_JOBS_MAX]; /* the batch in hand */
    size_t count, batch_max;
    bool at_end;
    int64_t wait_ms;          /* patience in all */
    int64_t patience_mono_ms; /* when it ends */
    bool was_answered;
    uint64_t accepted, duplicates;
    char stopped[400]; /* why it ended before the end of the file; "" if it did not */
    int code;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static uint64_t submitted(const struct enqueue *run)
{
    return run->accepted + run->refusals.total;
}

static void draw(struct enqueue *run, const char *waiting)
{
    struct progress_state state = {run->reader.bytes, run->reader.size, submitted(run), run->refusals.total, waiting};
    progress_draw(&run->progress, &state, clock_read().mono_ms, waiting != NULL);
}

static void stop(struct enqueue *run, enum exit_code code, const char *why)
{
    snprintf(run->stopped, sizeof run->stopped, "%s", why);
    run->code = (int)code;
}

/* ---- the batch in hand ---- */

static void drop_first(struct enqueue *run, size_t count)
{
    for (size_t i = 0; i < count; i++)
        job_line_free(&run->jobs[i]);
    run->count -= count;
    memmove(run->jobs, run->jobs + count, run->count * sizeof *run->jobs);
}

static bool every_job_has_an_id(const struct enqueue *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->jobs[i].id[0] == '\0')
            return false;
    }
    return true;
}

/* ---- waiting ---- */

/* Waits, unless patience or the user says otherwise. False: stopped. */
static bool wait_for_broker(struct enqueue *run, int64_t ms, const char *why, enum exit_code code)
{
    int64_t now = clock_read().mono_ms;
    char text[400];
    if (now + ms > run->patience_mono_ms) {
        snprintf(text, sizeof text, "gave up waiting: %s", why);
        stop(run, code, text);
        return false;
    }
    draw(run, why);
    poll(NULL, 0, (int)ms);
    if (interrupted)
        stop(run, EXIT_REFUSED, "interrupted");
    return !interrupted;
}

/* ---- what goes into a batch ---- */

/* The judge could not say. False: nor will it; stopped. */
static bool wait_for_judge(struct enqueue *run, const struct job_line *line, const char *code, const char *why)
{
    char text[400];
    bool busy = refusal_may_pass(code), away = run->was_answered && strcmp(code, "unreachable") == 0;
    enum exit_code end = busy ? EXIT_REFUSED : EXIT_UNREACHABLE;
    if ((busy || away) && wait_for_broker(run, AWAY_RETRY_MS, why, end))
        return true;
    snprintf(text, sizeof text, "line %" PRIu64 ": %.256s; it and what follows was not submitted", line->number, why);
    if (!interrupted)
        stop(run, end, text);
    return false;
}

/* The command's own judge. What it cannot judge, and all behind it, is not submitted. */
static enum job_read ask_admit(struct enqueue *run, struct job_line *line, const char **code, const char **why)
{
    enum job_read read;
    do {
        read = run->admit(run->ctl, line, code, why);
        if (read == JOB_READ_FAILED)
            continue;
        run->patience_mono_ms = clock_read().mono_ms + run->wait_ms;
        return read;
    } while (wait_for_judge(run, line, *code, *why));
    job_line_free(line);
    return read;
}

/* Fills the batch from the file; lines that are no jobs are refused here. */
static void fill_batch(struct enqueue *run)
{
    size_t bytes = 0;
    while (run->count < run->batch_max && bytes + WIRE_JOB_BYTES_MAX + WIRE_EXPORTED_BYTES_MORE <= BATCH_BYTES_MAX && !run->at_end) {
        struct job_line line;
        const char *code = NULL;
        const char *why = NULL;
        enum job_read read = job_reader_next(&run->reader, &line, &code, &why);
        if (read == JOB_READ_GOOD && run->admit != NULL)
            read = ask_admit(run, &line, &code, &why);
        switch (read) {
        case JOB_READ_GOOD:
            bytes += line.bytes;
            run->jobs[run->count++] = line;
            break;
        case JOB_READ_BAD:
            refusals_add(&run->refusals, &line, code, why);
            job_line_free(&line);
            break;
        case JOB_READ_FAILED:
            if (run->stopped[0] == '\0')
                stop(run, EXIT_REFUSED, strerror(errno));
            run->at_end = true;
            break;
        case JOB_READ_END:
            run->at_end = true;
            break;
        }
    }
}

/* ---- the broker's verdicts ---- */

/* Counts the results up to the first job that should be submitted again (with all after it, for the order), and drops
 * those from the batch. Returns the error of the one to be repeated, NULL if none. */
static const cJSON *take_results(struct enqueue *run, const cJSON *results)
{
    size_t taken = 0;
    const cJSON *again = NULL;
    const cJSON *result = NULL;
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *error = json_get(result, "error");
        const char *code = json_string(error, "code");
        const char *message = json_string(error, "message");
        const char *state = json_string(result, "state");
        if (json_string(result, "job") == NULL) {
            code = code != NULL ? code : "malformed";
            if (refusal_may_pass(code)) {
                again = error;
                break;
            }
            refusals_add(&run->refusals, &run->jobs[taken], code, message != NULL ? message : "");
        } else {
            run->accepted++;
            run->duplicates += state != NULL && strcmp(state, "duplicate") == 0 ? 1 : 0;
        }
        taken++;
    }
    drop_first(run, taken);
    if (taken > 0)
        run->patience_mono_ms = clock_read().mono_ms + run->wait_ms;
    return again;
}

/* The request as a whole was refused. False: stopped. */
static bool take_refusal(struct enqueue *run, const cJSON *error)
{
    const char *code = json_string(error, "code");
    const char *message = json_string(error, "message");
    char text[400];
    code = code != NULL ? code : "malformed";
    snprintf(text, sizeof text, "%.40s: %.300s", code, message != NULL ? message : "");
    if (refusal_may_pass(code))
        return wait_for_broker(run, refusal_retry_ms(error), text, EXIT_REFUSED);
    stop(run, EXIT_REFUSED, text);
    return false;
}

/* No answer: the jobs may be in. Only a job with an id may be submitted twice. False: stopped. */
static bool take_silence(struct enqueue *run, enum submit_end end, const char *problem)
{
    char text[400];
    if (end == SUBMIT_LOST && !every_job_has_an_id(run)) {
        snprintf(text, sizeof text,
                 "%.256s; lines %" PRIu64 " to %" PRIu64 " may have been accepted, and without an `id` they can't be "
                 "submitted again safely",
                 problem, run->jobs[0].number, run->jobs[run->count - 1].number);
        stop(run, EXIT_UNREACHABLE, text);
        return false;
    }
    if (end == SUBMIT_AWAY && !run->was_answered) {
        stop(run, EXIT_UNREACHABLE, problem);
        return false;
    }
    return wait_for_broker(run, AWAY_RETRY_MS, problem, EXIT_UNREACHABLE);
}

/* One request. False: stopped. */
static bool submit_once(struct enqueue *run)
{
    struct submit_answer answer;
    bool on = true;
    enum submit_end end = run->link.submit(run->link.self, run->jobs, run->count, &answer);
    run->was_answered = run->was_answered || end == SUBMIT_ANSWERED || end == SUBMIT_REFUSED;
    if (end == SUBMIT_ANSWERED) {
        const cJSON *again = take_results(run, answer.results);
        if (again != NULL)
            on = wait_for_broker(run, refusal_retry_ms(again), json_string(again, "code"), EXIT_REFUSED);
    } else if (end == SUBMIT_REFUSED) {
        on = take_refusal(run, answer.error);
    } else {
        on = take_silence(run, end, answer.problem);
    }
    submit_answer_free(&answer);
    return on;
}

static void submit_all(struct enqueue *run)
{
    bool on = true;
    while (on && (!run->at_end || run->count > 0)) {
        if (run->count == 0)
            fill_batch(run);
        if (run->count > 0)
            on = submit_once(run);
        draw(run, NULL);
        if (on && interrupted) {
            stop(run, EXIT_REFUSED, "interrupted");
            on = false;
        }
    }
}

/* ---- the report ---- */

static void report_json(const struct enqueue *run, int64_t took_ms)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "accepted");
    json_put_int(&out, (int64_t)run->accepted);
    json_key(&out, "duplicates");
    json_put_int(&out, (int64_t)run->duplicates);
    json_key(&out, "refused");
    json_put_int(&out, (int64_t)run->refusals.total);
    json_key(&out, "took_ms");
    json_put_int(&out, took_ms);
    json_key(&out, "stopped");
    json_put_string(&out, run->stopped[0] != '\0' ? run->stopped : NULL);
    json_key(&out, "first_line_left");
    if (run->count > 0)
        json_put_int(&out, (int64_t)run->jobs[0].number);
    else
        json_put_null(&out);
    refusals_write(&run->refusals, &out);
    json_close(&out, '}');
    ctl_print_json(run->ctl, &out);
}

static void report_text(const struct enqueue *run, int64_t took_ms)
{
    char accepted[32];
    char refused[32];
    char rate[32];
    count_format((int64_t)run->accepted, accepted, sizeof accepted);
    count_format((int64_t)run->refusals.total, refused, sizeof refused);
    count_format(took_ms > 0 ? (int64_t)submitted(run) * 1000 / took_ms : (int64_t)submitted(run), rate, sizeof rate);
    fprintf(run->ctl->out, "%s accepted", accepted);
    if (run->duplicates > 0)
        fprintf(run->ctl->out, " (%" PRIu64 " of them were there before)", run->duplicates);
    fprintf(run->ctl->out, ", %s refused, in %" PRId64 ".%" PRId64 " s (%s/s)\n", refused, took_ms / 1000,
            took_ms % 1000 / 100, rate);
    refusals_print(&run->refusals, run->ctl);
    if (run->stopped[0] == '\0')
        return;
    char clean[sizeof run->stopped];
    text_clean(run->stopped, clean, sizeof clean);
    fprintf(run->ctl->err, "linewardctl: stopped: %s\n", clean);
    if (run->count > 0)
        fprintf(run->ctl->err, "linewardctl: line %" PRIu64 " and what follows was not accepted\n",
                run->jobs[0].number);
}

/* ---- the command ---- */

static int read_options(struct enqueue *run, const struct args *args)
{
    const char *wait = args_option(args, "wait");
    const char *refused = args_option(args, "refused");
    int64_t batch = 512;
    run->wait_ms = 60000;
    if (wait != NULL && !duration_parse(wait, &run->wait_ms))
        return ctl_fail(run->ctl, EXIT_USAGE, "usage", "--wait is a span as 90s or 5m");
    if (!args_number(args, "batch", 1, WIRE_ENQUEUE_JOBS_MAX, &batch))
        return ctl_fail(run->ctl, EXIT_USAGE, "usage", "--batch is a number from 1 to %d", WIRE_ENQUEUE_JOBS_MAX);
    run->batch_max = (size_t)batch;
    if (!job_reader_open(&run->reader, args->positional[0]))
        return ctl_fail(run->ctl, EXIT_USAGE, "file", "%s: %s", args->positional[0], strerror(errno));
    if (refused != NULL && (run->refusals.file = fopen(refused, "we")) == NULL)
        return ctl_fail(run->ctl, EXIT_USAGE, "file", "%s: %s", refused, strerror(errno));
    return EXIT_DONE;
}

static int open_link(struct enqueue *run, const struct args *args)
{
    struct submit_zmq_options zmq = {args_option(args, "producers"), args_option(args, "curve-secret-key-file"),
                                     args_option(args, "broker-public-key-file")};
    if (zmq.endpoint != NULL)
        return submit_over_zmq(run->ctl, &zmq, &run->link);
    if (zmq.secret_key_file != NULL || zmq.broker_key_file != NULL)
        return ctl_fail(run->ctl, EXIT_USAGE, "usage", "keys are for --producers");
    run->link = submit_over_http(run->ctl);
    return EXIT_DONE;
}

static int enqueue_file(struct enqueue *run, const struct args *args)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND}; /* a second one ends at once */
    struct sigaction before;
    int code = open_link(run, args);
    if (code != EXIT_DONE)
        return code;
    int64_t begun_ms = clock_read().mono_ms;
    run->progress.begun_ms = begun_ms;
    run->progress.out = run->ctl->progress && !run->ctl->json ? run->ctl->err : NULL;
    run->patience_mono_ms = begun_ms + run->wait_ms;
    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    submit_all(run);
    sigaction(SIGINT, &before, NULL);
    run->link.close(run->link.self);
    progress_end(&run->progress);
    int64_t took_ms = clock_read().mono_ms - begun_ms;
    if (run->ctl->json)
        report_json(run, took_ms);
    else
        report_text(run, took_ms);
    return run->code == EXIT_DONE && run->refusals.total > 0 ? EXIT_REFUSED : run->code;
}

int command_enqueue(const struct ctl *ctl, const struct args *args)
{
    return enqueue_lines(ctl, args, NULL);
}

int enqueue_lines(const struct ctl *ctl, const struct args *args, admit_line admit)
{
    struct enqueue *run = calloc(1, sizeof *run);
    if (run == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    run->ctl = ctl;
    run->admit = admit;
    int code = read_options(run, args);
    if (code == EXIT_DONE)
        code = enqueue_file(run, args);
    drop_first(run, run->count);
    job_reader_close(&run->reader);
    refusals_free(&run->refusals);
    free(run);
    return code;
}
