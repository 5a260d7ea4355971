/* read.c — the two files, line by line. Anything that is not as told in audit.h stops the audit: better no verdict
 * than one over half of the evidence. */
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/audit/data.h"

#define RECIPIENTS_MAX 31
#define NAME_BYTES_MAX 256

struct audit *audit_new(void)
{
    struct audit *audit = audit_room(NULL, 1, sizeof *audit);
    *audit = (struct audit){0};
    return audit;
}

void audit_free(struct audit **audit_p)
{
    struct audit *audit = *audit_p;
    if (audit == NULL)
        return;
    texts_free(&audit->texts);
    free(audit->jobs);
    free(audit->requests);
    free(audit->marks);
    free(audit->job_of_name);
    free(audit);
    *audit_p = NULL;
}

uint32_t audit_job_find(const struct audit *audit, uint32_t name)
{
    return name < audit->name_room ? audit->job_of_name[name] : JOB_NONE_KNOWN;
}

static void job_name_set(struct audit *audit, uint32_t name, uint32_t job)
{
    if (name >= audit->name_room) {
        size_t room = (size_t)name * 2 + 64;
        audit->job_of_name = audit_room(audit->job_of_name, room, sizeof *audit->job_of_name);
        memset(audit->job_of_name + audit->name_room, 0xFF, (room - audit->name_room) * sizeof *audit->job_of_name);
        audit->name_room = room;
    }
    audit->job_of_name[name] = job;
}

/* ---- parts of both ---- */

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The set of recipients as one text: lower case, sorted, each once. TEXT_NONE: not a list of texts. */
static uint32_t to_read(struct audit *audit, const cJSON *to)
{
    char *handles[RECIPIENTS_MAX], whole[RECIPIENTS_MAX * 256] = "";
    int count = 0;
    const cJSON *item;
    if (!cJSON_IsArray(to) || cJSON_GetArraySize(to) > RECIPIENTS_MAX)
        return TEXT_NONE;
    cJSON_ArrayForEach(item, to)
    {
        if (!cJSON_IsString(item) || strlen(item->valuestring) > 254)
            return TEXT_NONE;
        for (char *at = item->valuestring; *at != '\0'; at++)
            *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
        handles[count++] = item->valuestring;
    }
    qsort(handles, (size_t)count, sizeof *handles, text_order);
    for (int i = 0; i < count; i++) {
        if (i > 0 && strcmp(handles[i], handles[i - 1]) == 0)
            continue;
        strcat(whole, i == 0 ? "" : ",");
        strcat(whole, handles[i]);
    }
    return texts_number(&audit->texts, whole);
}

static uint32_t joined(struct audit *audit, const char *first, const char *second)
{
    char *both = audit_room(NULL, strlen(first) + strlen(second) + 2, 1);
    strcpy(both, first);
    strcat(both, "/");
    strcat(both, second);
    uint32_t number = texts_number(&audit->texts, both);
    free(both);
    return number;
}

/* ---- acked jobs ---- */

static enum job_end end_read(const char *state)
{
    if (state == NULL || strcmp(state, "sent") == 0)
        return END_SENT;
    if (strcmp(state, "expired") == 0 || strcmp(state, "cancelled") == 0 || strcmp(state, "suppressed") == 0)
        return END_WITHDRAWN;
    return END_OTHER;
}

static const char *job_read(struct audit *audit, const cJSON *tree)
{
    const char *id = json_string(tree, "id"), *pool = json_string(tree, "pool");
    const char *class = json_string(tree, "class"), *number = json_string(tree, "job");
    struct audit_job job = {.key = TEXT_NONE, .end = end_read(json_string(tree, "state"))};
    if (id == NULL || pool == NULL || class == NULL || number == NULL || !json_int(tree, "n", &job.n))
        return "an acked job needs id, pool, class, job and n";
    job.ended_ms = job.end == END_SENT ? INT64_MAX : INT64_MIN;
    json_int(tree, "ended_mono_ms", &job.ended_ms);
    json_int(tree, "attempts", &job.attempts);
    job.to = to_read(audit, json_get(tree, "to"));
    if (job.to == TEXT_NONE)
        return "an acked job needs a list of recipients in `to`";
    job.name = joined(audit, pool, id);
    job.number = texts_number(&audit->texts, number);
    job.conversation = joined(audit, pool, audit->texts.text[job.to]);
    job.stream = joined(audit, class, audit->texts.text[job.conversation]);

    uint32_t known = audit_job_find(audit, job.name);
    if (known != JOB_NONE_KNOWN) { /* acked again after a repeated request */
        audit->number_conflicts += audit->jobs[known].number != job.number;
        return NULL;
    }
    if (audit->job_count == audit->job_room) {
        audit->job_room = audit->job_room == 0 ? 1024 : audit->job_room * 2;
        audit->jobs = audit_room(audit->jobs, audit->job_room, sizeof *audit->jobs);
    }
    job_name_set(audit, job.name, (uint32_t)audit->job_count);
    audit->jobs[audit->job_count++] = job;
    return NULL;
}

const char *audit_read_acked(struct audit *audit, const char *line, size_t bytes)
{
    const char *why = NULL;
    cJSON *tree = json_parse(line, bytes, &why);
    if (tree == NULL)
        return why != NULL ? why : "no JSON";
    why = job_read(audit, tree);
    cJSON_Delete(tree);
    return why;
}

/* ---- the log ---- */

/* `#<n> <pool>/<id>`: sets name and n; anything else leaves them. */
static void marker_read(struct audit *audit, const char *text, struct audit_request *request)
{
    if (text == NULL || text[0] != '#')
        return;
    char *end;
    long long n = strtoll(text + 1, &end, 10);
    size_t bytes = *end == ' ' ? strcspn(end + 1, " \t\r\n") : 0;
    if (end == text + 1 || bytes == 0 || bytes >= NAME_BYTES_MAX)
        return;
    char name[NAME_BYTES_MAX];
    memcpy(name, end + 1, bytes);
    name[bytes] = '\0';
    request->n = n;
    request->name = texts_number(&audit->texts, name);
}

static const char *request_read(struct audit *audit, const cJSON *tree)
{
    if (json_get(tree, "accepted") == NULL) /* not a send */
        return NULL;
    struct audit_request request = {.name = TEXT_NONE, .job = JOB_NONE_KNOWN, .ended_ms = -1};
    int64_t http;
    if (!json_int(tree, "n", &request.number) || !json_int(tree, "mono_ms", &request.begun_ms) ||
        !json_int(tree, "http", &http))
        return "a request needs n, mono_ms and http";
    const char *fault = json_string(tree, "fault");
    int64_t answered;
    /* After an answer that did not arrive nobody knows when the client stopped waiting; a reset ends it. */
    bool end_known = json_bool(tree, "delivered", false) || (fault != NULL && strncmp(fault, "reset", 5) == 0);
    if (end_known && json_int(tree, "answered_mono_ms", &answered))
        request.ended_ms = answered;
    request.to = to_read(audit, json_get(tree, "to"));
    request.line = texts_number(&audit->texts, json_string(tree, "line"));
    request.key = texts_number(&audit->texts, json_string(tree, "key"));
    request.accepted = json_bool(tree, "accepted", false);
    request.duplicate = json_bool(tree, "duplicate", false);
    request.new_chat = json_bool(tree, "new_chat", false);
    request.body_differs = json_bool(tree, "body_differs", false);
    request.faulted = fault != NULL;
    request.refused = !request.accepted && !request.duplicate && http >= 400;
    marker_read(audit, json_string(tree, "text"), &request);
    if (audit->request_count == audit->request_room) {
        audit->request_room = audit->request_room == 0 ? 1024 : audit->request_room * 2;
        audit->requests = audit_room(audit->requests, audit->request_room, sizeof *audit->requests);
    }
    audit->requests[audit->request_count++] = request;
    return NULL;
}

static const char *mark_read(struct audit *audit, const cJSON *tree, enum mark_kind kind)
{
    const char *line = json_string(tree, "line"), *reputation = json_string(tree, "reputation");
    const char *service = json_string(tree, "service");
    struct audit_mark mark = {.kind = kind};
    if (line == NULL || reputation == NULL || service == NULL || !json_int(tree, "mono_ms", &mark.at_ms) ||
        !json_int(tree, "change", &mark.change))
        return "a line's change needs line, reputation, service, change and mono_ms";
    mark.line = texts_number(&audit->texts, line);
    mark.critical = strcmp(reputation, "CRITICAL") == 0;
    mark.flagged = strcmp(service, "FLAGGED") == 0;
    mark.healthy = strcmp(reputation, "HEALTHY") == 0;
    if (audit->mark_count == audit->mark_room) {
        audit->mark_room = audit->mark_room == 0 ? 256 : audit->mark_room * 2;
        audit->marks = audit_room(audit->marks, audit->mark_room, sizeof *audit->marks);
    }
    audit->marks[audit->mark_count++] = mark;
    return NULL;
}

static const char *webhook_read(struct audit *audit, const cJSON *tree)
{
    const char *event = json_string(tree, "event");
    if (event == NULL || strcmp(event, "phone_number.status_updated") != 0)
        return NULL;
    audit->status_webhooks++;
    return json_bool(tree, "lie", false) ? NULL : mark_read(audit, tree, MARK_WEBHOOK);
}

const char *audit_read_log(struct audit *audit, const char *line, size_t bytes)
{
    const char *why = NULL;
    cJSON *tree = json_parse(line, bytes, &why);
    if (tree == NULL)
        return why != NULL ? why : "no JSON";
    const char *type = json_string(tree, "type");
    if (type == NULL)
        why = "a line of the log needs a type";
    else if (strcmp(type, "request") == 0)
        why = request_read(audit, tree);
    else if (strcmp(type, "webhook") == 0)
        why = webhook_read(audit, tree);
    else if (strcmp(type, "line") == 0)
        why = mark_read(audit, tree, MARK_CHANGE);
    else
        why = NULL;
    audit->complete = type != NULL && strcmp(type, "stop") == 0; /* nothing may follow it */
    cJSON_Delete(tree);
    return why;
}
