/* cast.c — see cast.h. */
#include "tools/demo/cast.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"

#define START_TIMEOUT_MS 15000
#define STOP_TIMEOUT_MS  10000
#define ASK_MS           20
#define TAIL_LINES       12
#define SANDBOX_PORTS    "127.0.0.1:0"

static bool fail(struct cast *cast, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct cast *cast, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(cast->problem, sizeof cast->problem, format, values);
    va_end(values);
    return false;
}

static const char *program_path(const struct cast *cast, const char *name, char out[STAGE_PATH_MAX])
{
    snprintf(out, STAGE_PATH_MAX, "%s/%s", cast->programs, name);
    return out;
}

static bool start(struct cast *cast, struct process *process, const char *const *arguments)
{
    return process_start(process, arguments) ||
           fail(cast, "%s could not be started: %s", process->name, strerror(errno));
}

/* Asks `ready` again and again. */
static bool await(struct cast *cast, struct process *process, bool (*ready)(struct cast *))
{
    int64_t deadline_ms = clock_read().mono_ms + START_TIMEOUT_MS;
    while (!ready(cast)) {
        if (!process_runs(process))
            return fail(cast, "%s ended before it was ready, with exit code %d", process->name, process->code);
        if (clock_read().mono_ms >= deadline_ms)
            return fail(cast, "%s was not ready within %d s", process->name, START_TIMEOUT_MS / 1000);
        if (*cast->interrupted != 0)
            return fail(cast, "interrupted");
        poll(NULL, 0, ASK_MS);
    }
    return true;
}

/* ---- the sandbox ---- */

/* What follows `label` on a line of the sandbox's output. */
static bool sandbox_said(const struct cast *cast, const char *label, char out[STAGE_URL_MAX])
{
    char line[256];
    size_t bytes = strlen(label);
    FILE *file = fopen(cast->sandbox.log, "re");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, label, bytes) == 0 && strchr(line, '\n') != NULL;
        if (found)
            snprintf(out, STAGE_URL_MAX, "%.*s", (int)strcspn(line + bytes, "\n"), line + bytes);
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static bool sandbox_ready(struct cast *cast)
{
    char url[STAGE_URL_MAX];
    return sandbox_said(cast, "control ", url);
}

static bool set_faults(struct cast *cast, const struct plan_faults *faults)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"rate_reset_after_accept\":%.4f,\"rate_500\":%.4f,\"rate_429\":%.4f,\"retry_after_s\":-1,"
             "\"latency_ms\":%d,\"jitter_ms\":%d}",
             faults->reset_after_accept, faults->rate_500, faults->rate_429, faults->latency_ms, faults->jitter_ms);
    return web_call(cast->control, "POST", "/faults", body, NULL) == 200 ||
           fail(cast, "the sandbox refused its faults: %s", body);
}

static bool start_sandbox(struct cast *cast, const struct plan *plan, char base_url[STAGE_URL_MAX])
{
    char program[STAGE_PATH_MAX], log[STAGE_PATH_MAX], seed[24], url[STAGE_URL_MAX], webhooks[STAGE_URL_MAX + 32];
    snprintf(seed, sizeof seed, "%lld", (long long)(plan->seed & INT64_MAX));
    snprintf(webhooks, sizeof webhooks, "%s/webhooks/linq", stage_url(&cast->stage, "http", PORT_WEBHOOKS, url));
    const char *arguments[PROCESS_ARGUMENTS_MAX] = {program_path(cast, "lineward-sandbox", program),
                                                    "--listen",
                                                    SANDBOX_PORTS,
                                                    "--control",
                                                    SANDBOX_PORTS,
                                                    "--api-key",
                                                    STAGE_API_KEY,
                                                    "--webhook-url",
                                                    webhooks,
                                                    "--webhook-secret",
                                                    STAGE_SECRET,
                                                    "--webhook-retry-ms",
                                                    "200",
                                                    "--log",
                                                    stage_path(&cast->stage, "sandbox.jsonl", log),
                                                    "--seed",
                                                    seed};
    size_t count = 17;
    for (size_t i = 0; i < PLAN_LINES; i++) {
        arguments[count++] = "--line";
        arguments[count++] = plan->lines[i].number;
    }
    if (!start(cast, &cast->sandbox, arguments) || !await(cast, &cast->sandbox, sandbox_ready))
        return false;
    if (!sandbox_said(cast, "listening ", base_url) || !sandbox_said(cast, "control ", url))
        return fail(cast, "the sandbox did not say where it listens");
    cast->control = web_new(url, NULL);
    return cast->control != NULL ? set_faults(cast, &plan->faults) : fail(cast, "out of memory");
}

bool cast_turn_line(struct cast *cast, const char *line, enum reputation reputation)
{
    char path[64], body[64];
    snprintf(path, sizeof path, "/lines/%s", line);
    snprintf(body, sizeof body, "{\"reputation\":\"%s\"}", reputation_name(reputation));
    int status = web_call(cast->control, "POST", path, body, NULL);
    return status == 200 || fail(cast, "the sandbox answered POST %s with %d", path, status);
}

/* ---- the broker ---- */

bool cast_start_broker(struct cast *cast)
{
    char program[STAGE_PATH_MAX], config[STAGE_PATH_MAX];
    const char *arguments[] = {program_path(cast, "lineward-broker", program), "--config",
                               stage_path(&cast->stage, STAGE_CONFIG, config), NULL};
    return start(cast, &cast->broker, arguments);
}

void cast_kill_broker(struct cast *cast)
{
    process_kill(&cast->broker);
}

bool cast_broker_ready(struct cast *cast)
{
    return web_call(cast->admin, "GET", "/readyz", NULL, NULL) == 200;
}

/* The token that the broker made for its first admin is there before the broker is ready. */
static bool take_token(struct cast *cast)
{
    char path[STAGE_PATH_MAX], url[STAGE_URL_MAX];
    char *token = cast->token;
    FILE *file = fopen(stage_path(&cast->stage, "tokens.first", path), "re");
    if (file == NULL || fgets(token, sizeof cast->token, file) == NULL)
        token[0] = '\0';
    if (file != NULL)
        fclose(file);
    token[strcspn(token, " \r\n")] = '\0';
    if (token[0] == '\0')
        return fail(cast, "%s holds no token", path);
    web_free(&cast->admin);
    cast->admin = web_new(stage_url(&cast->stage, "http", PORT_ADMIN, url), token);
    return cast->admin != NULL || fail(cast, "out of memory");
}

static bool start_first_broker(struct cast *cast)
{
    char url[STAGE_URL_MAX];
    cast->admin = web_new(stage_url(&cast->stage, "http", PORT_ADMIN, url), NULL);
    if (cast->admin == NULL)
        return fail(cast, "out of memory");
    return cast_start_broker(cast) && await(cast, &cast->broker, cast_broker_ready) && take_token(cast);
}

/* ---- all of them ---- */

static bool start_workers(struct cast *cast)
{
    char program[STAGE_PATH_MAX], config[STAGE_PATH_MAX], name[32];
    for (int i = 0; i < CAST_WORKERS; i++) {
        snprintf(name, sizeof name, "worker.name=sender-%d", i + 1);
        const char *arguments[] = {program_path(cast, "lineward-worker", program),
                                   "--config",
                                   stage_path(&cast->stage, STAGE_CONFIG, config),
                                   "--set",
                                   name,
                                   NULL};
        if (!start(cast, &cast->workers[i], arguments))
            return false;
    }
    return true;
}

static void name_processes(struct cast *cast)
{
    static const char *const names[CAST_WORKERS] = {"lineward-worker 1", "lineward-worker 2"};
    static const char *const logs[CAST_WORKERS] = {"worker-1.out", "worker-2.out"};
    cast->sandbox.name = "lineward-sandbox";
    stage_path(&cast->stage, "sandbox.out", cast->sandbox.log);
    cast->broker.name = "lineward-broker";
    stage_path(&cast->stage, "broker.out", cast->broker.log);
    for (int i = 0; i < CAST_WORKERS; i++) {
        cast->workers[i].name = names[i];
        stage_path(&cast->stage, logs[i], cast->workers[i].log);
    }
}

bool cast_start(struct cast *cast, const char *programs, volatile sig_atomic_t *interrupted, const struct plan *plan)
{
    struct stage_problem problem;
    char base_url[STAGE_URL_MAX];
    *cast = (struct cast){.programs = programs, .interrupted = interrupted};
    if (!stage_make(&cast->stage, &problem))
        return fail(cast, "%s", problem.text);
    name_processes(cast);
    if (!start_sandbox(cast, plan, base_url))
        return false;
    if (!stage_configure(&cast->stage, plan, base_url, &problem))
        return fail(cast, "%s", problem.text);
    return start_first_broker(cast) && start_workers(cast);
}

static bool ended(struct cast *cast, struct process *process)
{
    if (process_runs(process))
        return false;
    fail(cast, "%s ended by itself, with exit code %d", process->name, process->code);
    return true;
}

bool cast_runs(struct cast *cast)
{
    bool is_down = cast->broker.pid == 0;
    for (int i = 0; i < CAST_WORKERS; i++) {
        if (ended(cast, &cast->workers[i]))
            return false;
    }
    return !ended(cast, &cast->sandbox) && (is_down || !ended(cast, &cast->broker));
}

static bool must_end(struct cast *cast, struct process *process)
{
    if (!process_wait(process, STOP_TIMEOUT_MS))
        return fail(cast, "%s did not end within %d s of being told", process->name, STOP_TIMEOUT_MS / 1000);
    return process->code == 0 || fail(cast, "%s ended with exit code %d, not 0", process->name, process->code);
}

bool cast_stop(struct cast *cast)
{
    for (int i = 0; i < CAST_WORKERS; i++)
        process_signal(&cast->workers[i], SIGTERM);
    for (int i = 0; i < CAST_WORKERS; i++) {
        if (!must_end(cast, &cast->workers[i]))
            return false;
    }
    process_signal(&cast->broker, SIGTERM);
    if (!must_end(cast, &cast->broker))
        return false;
    if (web_call(cast->control, "POST", "/quit", NULL, NULL) != 200)
        return fail(cast, "the sandbox refused to quit");
    return must_end(cast, &cast->sandbox);
}

void cast_tails(const struct cast *cast, FILE *out)
{
    process_tail(&cast->sandbox, TAIL_LINES, out);
    process_tail(&cast->broker, TAIL_LINES, out);
    for (int i = 0; i < CAST_WORKERS; i++)
        process_tail(&cast->workers[i], TAIL_LINES, out);
}

void cast_free(struct cast *cast)
{
    for (int i = 0; i < CAST_WORKERS; i++)
        process_kill(&cast->workers[i]);
    process_kill(&cast->broker);
    process_kill(&cast->sandbox);
    web_free(&cast->admin);
    web_free(&cast->control);
}
