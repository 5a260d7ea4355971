/* admin_enqueue.c — POST /v1/jobs: one job or {"jobs":[…]}. The job documents go to the ingress byte for byte; each
 * answers with a refusal at once or with an effect when it is durable, and the results keep the jobs' order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"

struct result {
    bool refused;
    bool duplicate_read; /* a duplicate's state came from disk */
    struct effect effect;
    enum code code; /* of a refusal ... */
    int64_t retry_after_ms;
    char *message, *field, *owner, *owner_admin;
};

struct rehearsal { /* of a dry run, for each of its jobs */
    struct core_would would;
    struct estimate estimate;
};

struct request {
    size_t count, missing;
    struct rehearsal *rehearsals; /* NULL: it is none */
    struct forecast forecast;     /* of the one at x->cursor */
    struct frame frames[WIRE_ENQUEUE_JOBS_MAX];
    struct result results[WIRE_ENQUEUE_JOBS_MAX];
};

static void request_free(void *memory)
{
    struct request *request = memory;
    if (request == NULL)
        return;
    for (size_t i = 0; i < request->count; i++) {
        free(request->results[i].message);
        free(request->results[i].field);
        free(request->results[i].owner);
        free(request->results[i].owner_admin);
    }
    free(request->rehearsals);
    free(request);
}

/* ---- the body: valid JSON by now, so that nesting and strings are all there is to follow ---- */

static const char *skip_element(const char *at, const char *end)
{
    unsigned depth = 0;
    bool in_string = false;
    for (; at < end; at++) {
        if (in_string) {
            if (*at == '\\')
                at++;
            else if (*at == '"')
                in_string = false;
        } else if (*at == '"') {
            in_string = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (depth-- == 0)
                return at;
        } else if (*at == ',' && depth == 0) {
            return at;
        }
    }
    return at;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Splits a JSON array into its elements; false: more than fit. */
static bool split_array(const char *text, size_t bytes, struct request *request)
{
    const char *end = text + bytes - 1; /* the closing bracket */
    for (const char *at = text + 1;;) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end)
            return true;
        if (request->count == WIRE_ENQUEUE_JOBS_MAX)
            return false;
        const char *behind = skip_element(at, end);
        const char *last = behind;
        while (last > at && is_blank(last[-1]))
            last--;
        request->frames[request->count++] = (struct frame){at, (size_t)(last - at)};
        at = behind < end ? behind + 1 : end;
    }
}

/* CODE_NONE, or what is wrong with the body. */
static enum code read_body(const struct exchange *x, struct request *request, const char **why)
{
    const char *jobs;
    size_t bytes;
    *why = "a JSON object is expected: a job, or {\"jobs\":[...]}";
    cJSON *body = json_parse(x->body != NULL ? x->body : "", x->body_bytes, why);
    bool is_object = cJSON_IsObject(body), is_many = cJSON_IsArray(json_get(body, "jobs"));
    bool is_wrong = !is_many && json_get(body, "jobs") != NULL;
    cJSON_Delete(body);
    if (!is_object)
        return CODE_MALFORMED;
    if (is_wrong) {
        *why = "jobs must be an array";
        return CODE_INVALID_FIELD;
    }
    if (!is_many) {
        request->frames[request->count++] = (struct frame){x->body, x->body_bytes};
        return CODE_NONE;
    }
    *why = "a request has 1 to 1024 jobs";
    if (!json_raw_member(x->body, x->body_bytes, "jobs", &jobs, &bytes) || !split_array(jobs, bytes, request))
        return CODE_TOO_MANY;
    return request->count > 0 ? CODE_NONE : CODE_INVALID_FIELD;
}

/* ---- asking ---- */

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static void refuse(void *self, uint64_t token, uint32_t index, const struct error_view *error)
{
    const struct exchange *x = self;
    struct request *request = x->memory;
    if (token != x->token || index >= request->count || request->missing == 0)
        return;
    struct result *result = &request->results[index];
    *result = (struct result){.refused = true, .code = error->code, .retry_after_ms = error->retry_after_ms};
    result->message = copy(error->message);
    result->field = copy(error->field);
    result->owner = copy(error->owner);
    result->owner_admin = copy(error->owner_admin);
    request->missing--;
}

bool enqueue_take_effect(struct exchange *x, const struct effect *effect)
{
    struct request *request = x->memory;
    if (effect->index >= request->count || request->missing == 0)
        return false;
    request->results[effect->index].effect = *effect;
    return --request->missing == 0;
}

static void would(void *self, uint64_t token, uint32_t index, const struct core_would *would)
{
    const struct exchange *x = self;
    struct request *request = x->memory;
    if (token != x->token || index >= request->count || request->missing == 0)
        return;
    request->rehearsals[index].would = *would;
    request->results[index].effect = would->effect;
    request->missing--;
}

/* The jobs whose first copy is no longer in memory: where do they stand? */
static size_t count_unknown(const struct request *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        const struct result *result = &request->results[i];
        count += !result->refused && result->effect.duplicate && result->effect.state == JOB_NONE;
    }
    return count;
}

/* The job's id as text. */
static void take_id(const struct frame *job, char *out, size_t room)
{
    struct span raw = view_member((struct span){job->data, job->bytes}, "id");
    cJSON *id = raw.bytes > 0 ? json_parse(raw.data, raw.bytes, NULL) : NULL;
    if (id != NULL && cJSON_IsString(id))
        snprintf(out, room, "%s", id->valuestring);
    cJSON_Delete(id);
}

static enum admin_step ask_duplicates(struct admin_turn *turn, struct exchange *x, struct request *request,
                                      size_t unknown)
{
    struct lookup_job *jobs = calloc(unknown, sizeof *jobs);
    if (jobs == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        struct result *result = &request->results[i];
        if (result->refused || !result->effect.duplicate || result->effect.state != JOB_NONE)
            continue;
        result->duplicate_read = true;
        take_id(&request->frames[i], jobs[count].asked, sizeof jobs[count].asked);
        jobs[count++].number = result->effect.number;
    }
    struct lookup_request ask = {.what = LOOKUP_JOBS, .form = LOOKUP_DUPLICATE, .jobs = jobs, .job_count = count};
    enum admin_step step = exchange_look_up(turn, x, &ask);
    if (step != STEP_WAIT)
        free(jobs);
    return step;
}

/* ---- answering ---- */

static struct span job_id(const struct frame *job)
{
    struct span id = view_member((struct span){job->data, job->bytes}, "id");
    bool is_text = id.bytes > 0 && *(const char *)id.data == '"'; /* else none that we could have taken */
    return is_text ? id : (struct span){NULL, 0};
}

static void put_result(struct json_out *out, const struct frame *job, const struct result *result)
{
    struct span id = job_id(job);
    if (result->refused)
        view_refused(out, id,
                     &(struct error_view){.code = result->code,
                                          .message = result->message,
                                          .field = result->field,
                                          .retry_after_ms = result->retry_after_ms,
                                          .owner = result->owner,
                                          .owner_admin = result->owner_admin});
    else
        view_enqueued(out, id, &result->effect);
}

static enum code result_code(const struct result *result)
{
    return result->refused ? result->code : result->effect.code;
}

static enum admin_step answer_results(struct exchange *x, const struct request *request)
{
    struct json_out *out = &x->answer.text;
    const char *read = x->has_lookup ? x->lookup.text.text : NULL;
    size_t next = 0, busy = 0, elsewhere = 0;
    json_open(out, '{');
    json_key(out, "results");
    json_open(out, '[');
    for (size_t i = 0; i < request->count; i++) {
        const struct result *result = &request->results[i];
        busy += result_code(result) == CODE_BUSY;
        elsewhere += result_code(result) == CODE_NOT_OWNER;
        if (result->duplicate_read && next < x->lookup.item_count) {
            size_t bytes = x->lookup.items[next++].bytes;
            json_put_raw(out, read, bytes);
            read += bytes;
            continue;
        }
        if (request->rehearsals != NULL && !result->refused)
            view_would(out, job_id(&request->frames[i]), &request->rehearsals[i].would, &request->rehearsals[i].estimate);
        else
            put_result(out, &request->frames[i], result);
    }
    json_close(out, ']');
    json_close(out, '}');
    x->answer.status = busy == request->count        ? code_http_status(CODE_BUSY)
                       : elsewhere == request->count ? code_http_status(CODE_NOT_OWNER)
                                                     : 200;
    x->answer.retry_after_ms = busy == request->count ? VIEW_BUSY_RETRY_MS : 0;
    return STEP_DONE;
}

static bool wants_rehearsal(const struct exchange *x)
{
    const char *dry = query_get(x, "dry_run");
    return dry != NULL && strcmp(dry, "1") == 0;
}

static enum admin_step begin(struct admin_turn *turn, struct exchange *x)
{
    const struct admin_shell *shell = &turn->options->shell;
    const char *why;
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    x->memory = request;
    x->memory_free = request_free;
    enum code code = read_body(x, request, &why);
    if (code != CODE_NONE)
        return answer_error(x, code, why, code == CODE_MALFORMED ? NULL : "jobs");
    request->missing = request->count;
    if (wants_rehearsal(x) && (request->rehearsals = calloc(request->count, sizeof *request->rehearsals)) == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    struct admin_enqueue ask = {.token = x->token,
                                .jobs = request->frames,
                                .count = request->count,
                                .pools = x->grant.pools,
                                .refuse = refuse,
                                .refuse_self = x,
                                .would = request->rehearsals != NULL ? would : NULL};
    shell->enqueue(shell->self, &ask, turn->now, turn->out);
    if (request->rehearsals != NULL)
        return STEP_MORE;
    return request->missing > 0 ? STEP_WAIT : answer_results(x, request);
}

/* When each of them would go, one after the other; each is judged by itself, as if the others were not there. */
static enum admin_step foresee(struct admin_turn *turn, struct exchange *x, struct request *request)
{
    struct rehearsal *rehearsal = &request->rehearsals[x->cursor];
    const struct result *result = &request->results[x->cursor];
    enum job_state state = rehearsal->would.effect.state;
    bool waits = !result->refused && rehearsal->would.effect.code == CODE_NONE && !rehearsal->would.effect.duplicate &&
                 !job_state_is_final(state);
    if (waits && x->phase == 0) {
        core_forecast_would(turn->core, &rehearsal->would, turn->now, &request->forecast);
        x->phase = 1;
    }
    if (waits && !request->forecast.done)
        core_forecast_step(turn->core, &request->forecast);
    if (waits && !request->forecast.done)
        return STEP_MORE;
    if (waits)
        rehearsal->estimate = request->forecast.said;
    x->phase = 0;
    return ++x->cursor < request->count ? STEP_MORE : answer_results(x, request);
}

enum admin_step call_enqueue(struct admin_turn *turn, struct exchange *x)
{
    struct request *request = x->memory;
    if (x->if_match[0] != '\0') /* like every call that is about no single thing */
        return answer_error(x, CODE_CHANGED, "an enqueue is about nothing that is there: leave out If-Match", NULL);
    if (request == NULL)
        return begin(turn, x);
    if (request->rehearsals != NULL)
        return foresee(turn, x, request);
    size_t unknown = x->has_lookup ? 0 : count_unknown(request);
    if (unknown > 0)
        return ask_duplicates(turn, x, request, unknown);
    return answer_results(x, request);
}
