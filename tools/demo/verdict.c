/* verdict.c — see verdict.h. The auditor is a program of its own: nothing of it is linked here. */
#include "tools/demo/verdict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tools/demo/process.h"

#define AUDIT_TIMEOUT_MS 20000

/* Runs the auditor on the files; its exit code, or -1. */
static int run_audit(const struct verdict_files *files, bool as_json, struct process *audit)
{
    char holds[16];
    snprintf(holds, sizeof holds, "%u", files->holds);
    const char *arguments[] = {
        files->program, "--log", files->sandbox_log, "--acked", files->acked, "--holds-min", holds, NULL, NULL};
    if (as_json)
        arguments[7] = "--json";
    snprintf(audit->log, sizeof audit->log, "%s", files->report);
    remove(audit->log);
    if (!process_start(audit, arguments) || !process_wait(audit, AUDIT_TIMEOUT_MS)) {
        process_kill(audit);
        return -1;
    }
    return audit->code;
}

static cJSON *read_report(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "re");
    ssize_t bytes = file != NULL ? getline(&line, &room, file) : -1;
    cJSON *report = bytes > 0 ? json_parse(line, (size_t)bytes, NULL) : NULL;
    if (file != NULL)
        fclose(file);
    free(line);
    return report;
}

static void put_figure(const cJSON *report, const char *words, const char *name, FILE *out)
{
    int64_t value = -1;
    json_int(report, name, &value);
    fprintf(out, "  %-58s %8" PRId64 "\n", words, value);
}

/* A count that must be 0, and beside it the latest one seen. */
static void put_breach(const cJSON *report, const char *words, const char *name, const char *latest, FILE *out)
{
    int64_t value = -1, latest_ms = -1;
    json_int(report, name, &value);
    fprintf(out, "  %-58s %8" PRId64 "  %s", words, value, value == 0 ? "ok" : "VIOLATED");
    if (latest != NULL && json_int(report, latest, &latest_ms))
        fprintf(out, "  (latest: %" PRId64 " ms)", latest_ms);
    else if (latest != NULL)
        fputs("  (none at all)", out);
    fputc('\n', out);
}

/* The other questions that the auditor asks, in one line: docs/sandbox.md names them. */
static void put_others(const cJSON *report, FILE *out)
{
    static const char *const names[] = {
        "sent_twice",           "mixed_up",     "overlaps",         "moved", "without_key", "two_keys_for_one_job",
        "one_key_for_two_jobs", "body_changed", "job_number_reused"};
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t value = 1; /* not told is not 0 */
        json_int(report, names[i], &value);
        sum += value;
    }
    fprintf(out, "  %-58s %8" PRId64 "  %s\n", "sent twice, overlapping, moved, to others, key reused", sum,
            sum == 0 ? "ok" : "VIOLATED");
}

static void put_report(const cJSON *report, FILE *out)
{
    fputs("\nlineward-audit, from the provider's log and the producers' acks\n", out);
    put_figure(report, "acked", "acked", out);
    put_figure(report, "sent", "sent", out);
    put_breach(report, "lost", "lost", NULL, out);
    put_breach(report, "order violations", "order_violations", NULL, out);
    put_breach(report, "sends begun on a held line > 1 s after the webhook's 200", "held_late", "held_latest_ms",
               out);
    put_breach(report, "new conversations on lines not HEALTHY, likewise", "new_unhealthy_late",
               "new_unhealthy_latest_ms", out);
    put_others(report, out);
    put_figure(report, "duplicate keys absorbed", "duplicates_absorbed", out);
}

bool verdict_print(const struct verdict_files *files, FILE *out)
{
    struct process audit = {.name = "lineward-audit"};
    int64_t acked = -1;
    int code = run_audit(files, true, &audit);
    cJSON *report = code == 0 || code == 1 ? read_report(files->report) : NULL;
    bool known = report != NULL && json_int(report, "acked", &acked);
    bool good = known && code == 0 && acked == (int64_t)files->acked_jobs;
    if (known)
        put_report(report, out);
    cJSON_Delete(report);
    if (known && acked != (int64_t)files->acked_jobs)
        fprintf(out, "the producers counted %" PRIu64 " acks\n", files->acked_jobs);
    if (!good) { /* all that it looked at, with examples */
        if (code == 1)
            run_audit(files, false, &audit);
        process_tail(&audit, 60, out);
    }
    return good;
}
