/* triage_import.c — operators who export what waits, cancel it, and enqueue it again: what an export must hold, and the jobs
 * that are made of it. Each job that has ended by then is enqueued with its document but for its text, which says which
 * one it is; in their order, one after the other. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/calls.h"
#include "tests/sim/cast.h"
#include "tests/sim/disk.h"
#include "tests/sim/producers.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage.h"
#include "tests/sim/triage_part.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

#define PAGE 1000

/* ---- the export ---- */

static void wrong(int job, const char *member, const cJSON *document)
{
    char *text = cJSON_PrintUnformatted(document);
    breach("triage", about_job(job), "job %d is exported with another %s: %.300s", job, member, text);
}

static bool is_text(const cJSON *document, const char *member, const char *text)
{
    const char *is = json_string(document, member);
    return text == NULL ? json_get(document, member) == NULL : is != NULL && strcmp(is, text) == 0;
}

static int64_t moment_of(const cJSON *document, const char *member)
{
    int64_t at_ms = 0;
    const char *text = json_string(document, member);
    return text != NULL && time_parse(text, &at_ms) ? at_ms : 0;
}

/* As it was enqueued, with the dates that count now; or those of before, if they changed while it was read. */
static void check_document(const struct run *run, int job, const cJSON *document)
{
    const struct cast_job *known = &cast_jobs[job];
    char id[96], number[JOB_NUMBER_TEXT_MAX], key[2] = {known->collapse, '\0'}, campaign[2] = {known->campaign, '\0'};
    job_number_format(known->number, number);
    snprintf(id, sizeof id, "%.*s~%s", (int)strcspn(known->id, "~"), known->id, number);
    if (!is_text(document, "id", id))
        wrong(job, "id", document);
    if (!is_text(document, "pool", cast_pool_name(cast_pool_of(known->conversation))) ||
        cast_conversation_of(json_get(document, "to"), cast_pool_of(known->conversation)) != known->conversation)
        wrong(job, "pool or recipient", document);
    if (!is_text(document, "class", job_class_name(known->class)) ||
        !is_text(document, "collapse_key", known->collapse == '\0' ? NULL : key) ||
        !is_text(document, "campaign", known->campaign == '\0' ? NULL : campaign) ||
        !is_text(document, "tz", wants_zone(known->conversation)))
        wrong(job, "class, collapse_key, campaign or tz", document);
    bool open = triage_dates_are_open(job) || known->redated_us >= run->export_us;
    if (!open && moment_of(document, "expires_at") != cast_expires_ms(job))
        wrong(job, "expires_at", document);
    int64_t due_ms = moment_of(document, "send_after");
    if (!open && due_ms != cast_due_ms(job) &&
        (due_ms != 0 || cast_due_ms(job) > reference_wall_most_ms())) /* else it was due by then, and says nothing */
        wrong(job, "send_after", document);
    int text = cast_job_of_message(document, -1);
    if (text != job && text != known->copy_of)
        wrong(job, "message", document);
}

static void keep(struct run *run, const cJSON *item)
{
    uint64_t number = 0;
    int64_t order = 0;
    const char *name = json_string(item, "job");
    const cJSON *document = json_get(item, "document");
    int job = name != NULL && job_number_parse(name, &number) ? reference_job(number) : -1;
    if (name == NULL || document == NULL || !json_int(item, "order", &order))
        breach("form", NOBODY_ABOUT, "an export without job, order or document");
    if (job < 0 || cast_jobs[job].forgiven || cast_jobs[job].requeued || !cast_jobs[job].acked)
        return; /* nobody was told of it yet */
    fault(FAULT_EXPORTED);
    check_document(run, job, document);
    if (run->count == run->room) {
        run->room = 2 * run->room + 32;
        run->list = realloc(run->list, (size_t)run->room * sizeof *run->list);
        if (run->list == NULL)
            abort();
    }
    run->list[run->count++] = (struct exported){.job = job, .order = order, .document = cJSON_Duplicate(document, true)};
}

/* As they stand: by class, then by place. */
static int by_order(const void *left, const void *right)
{
    const struct exported *a = left, *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

static void exported(void *self, uint64_t number, int status, const cJSON *answer)
{
    struct run *run = &sorting_runs[number];
    const cJSON *item;
    (void)self;
    sorting_named(run);
    if (calls_come_again(status)) {
        sorting_later(run, sorting_export);
        return;
    }
    if (status == 422 && disk_has_ever_lied()) { /* a mark of before */
        sorting_end(run);
        return;
    }
    if (status != 200)
        breach("form", NOBODY_ABOUT, "an export is answered %d", status);
    cJSON_ArrayForEach(item, json_get(answer, "export"))
        keep(run, item);
    const char *next = json_string(answer, "next"), *until = json_string(answer, "until");
    snprintf(run->after, sizeof run->after, "%s", next == NULL ? "" : next);
    if (until == NULL)
        breach("form", NOBODY_ABOUT, "an export does not say up to which job");
    snprintf(run->until, sizeof run->until, "%s", until);
    if (next != NULL) {
        sorting_export(NULL, number);
        return;
    }
    if (run->count > 0)
        qsort(run->list, (size_t)run->count, sizeof *run->list, by_order);
    sorting_later(run, sorting_ask); /* what a worker had may have come back by then */
}

void sorting_export(void *self, uint64_t number)
{
    struct run *run = &sorting_runs[number];
    struct call call = {.method = "GET", .answered = exported, .arg = number};
    (void)self;
    if (run->export_us == 0)
        run->export_us = now_us();
    sorting_target(run, "export", PAGE, call.target, sizeof call.target);
    if (!calls_ask(&call))
        sorting_later(run, sorting_export);
}

/* It was there when the export began; a worker may have had it. */
void sorting_check(const struct run *run, int job)
{
    const struct cast_job *known = &cast_jobs[job];
    if (known->forgiven || known->requeued || !known->acked || known->acked_us >= run->export_us)
        return;
    for (int i = 0; i < run->count; i++)
        if (run->list[i].job == job)
            return;
    breach("triage", about_job(job), "job %d is cancelled behind an export that does not have it", job);
}

/* ---- the import ---- */

static void enqueue(void *self, uint64_t number);

static void go_on(struct run *run, ground_action action)
{
    if (action == sorting_import)
        run->at++;
    sorting_later(run, action);
}

static int copy_of(const struct run *run)
{
    for (int job = run->list[run->at].job + 1; job < cast_job_count; job++)
        if (cast_jobs[job].copy_of == run->list[run->at].job && cast_jobs[job].source == run->source)
            return job;
    return -1;
}

static void enqueued(void *self, uint64_t number, int status, const cJSON *answer)
{
    struct run *run = &sorting_runs[number];
    const cJSON *results = json_get(answer, "results"), *result = results == NULL ? NULL : results->child;
    const char *name = json_string(result, "job"), *code = json_string(json_get(result, "error"), "code");
    int copy = copy_of(run);
    (void)self;
    if (calls_come_again(status) || (code != NULL && producers_come_again(code))) {
        sorting_later(run, enqueue);
        return;
    }
    if (status != 200 || (name == NULL && code == NULL))
        breach("form", about_job(copy), "an import is answered %d", status);
    if (name != NULL)
        witness_acked(copy, name, result);
    else
        witness_refused(copy, code);
    fault(FAULT_IMPORTED_AGAIN);
    go_on(run, sorting_import);
}

/* Its document, with another text. */
static char *document_of(const struct exported *item, int copy)
{
    const cJSON *parts = json_get(json_get(item->document, "message"), "parts");
    cJSON *body = cJSON_CreateObject();
    char text[64];
    snprintf(text, sizeof text, "job %d .", copy);
    cJSON_ReplaceItemInObject(parts->child, "value", cJSON_CreateString(text));
    cJSON *jobs = cJSON_AddArrayToObject(body, "jobs");
    cJSON_AddItemToArray(jobs, cJSON_Duplicate(item->document, true));
    char *printed = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return printed;
}

static void enqueue(void *self, uint64_t number)
{
    struct run *run = &sorting_runs[number];
    struct exported *item = &run->list[run->at];
    struct call call = {.method = "POST", .target = "/v1/jobs", .answered = enqueued, .arg = number};
    int copy = copy_of(run);
    (void)self;
    if (copy < 0) {
        copy = cast_copy(item->job, cast_jobs[item->job].conversation, run->source);
        struct cast_job *known = &cast_jobs[copy];
        known->first_sent_us = now_us();
        known->until_ms = known->expires_ms = moment_of(item->document, "expires_at");
        known->due_ms = moment_of(item->document, "send_after");
        known->has_expiry = known->until_ms != 0;
        known->requeued = false; /* whatever became of the other after the export */
        reference_offered(copy);
        note(about_job(copy), "triage: job %d is enqueued again as job %d", item->job, copy);
    }
    call.body = document_of(item, copy);
    if (!calls_ask(&call))
        sorting_later(run, enqueue);
}

/* Only what is over is enqueued again, or it would go out twice. */
static void viewed(void *self, uint64_t number, int status, const cJSON *view)
{
    struct run *run = &sorting_runs[number];
    const char *state = json_string(view, "state");
    (void)self;
    if (calls_come_again(status))
        sorting_later(run, sorting_import);
    else if (status == 200 && state != NULL && strcmp(state, "cancelled") == 0)
        enqueue(NULL, number);
    else
        go_on(run, sorting_import);
}

void sorting_import(void *self, uint64_t number)
{
    struct run *run = &sorting_runs[number];
    struct call call = {.method = "GET", .answered = viewed, .arg = number};
    char name[JOB_NUMBER_TEXT_MAX];
    (void)self;
    if (run->at >= run->count) {
        sorting_end(run);
        return;
    }
    job_number_format(cast_jobs[run->list[run->at].job].number, name);
    snprintf(call.target, sizeof call.target, "/v1/jobs/%s", name);
    if (!calls_ask(&call))
        sorting_later(run, sorting_import);
}
