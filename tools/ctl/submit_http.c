/* submit_http.c — batches through POST /v1/jobs. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"
#include "submit.h"

void submit_answer_free(struct submit_answer *answer)
{
    cJSON_Delete(answer->results);
    cJSON_Delete(answer->error);
    answer->results = NULL;
    answer->error = NULL;
}

/* {"jobs":[…]} of the lines as they are, byte for byte. */
static void write_jobs(struct json_out *out, const struct job_line *jobs, size_t count)
{
    json_open(out, '{');
    json_key(out, "jobs");
    json_open(out, '[');
    for (size_t i = 0; i < count; i++)
        json_put_raw(out, jobs[i].text, jobs[i].bytes);
    json_close(out, ']');
    json_close(out, '}');
}

static enum submit_end read_answer(struct http_answer *answer, size_t count, struct submit_answer *out)
{
    cJSON *results = cJSON_DetachItemFromObjectCaseSensitive(answer->json, "results");
    if (cJSON_IsArray(results) && (size_t)cJSON_GetArraySize(results) == count) {
        out->results = results;
        return SUBMIT_ANSWERED;
    }
    cJSON_Delete(results);
    out->error = cJSON_DetachItemFromObjectCaseSensitive(answer->json, "error");
    if (answer->status >= 400 && cJSON_IsObject(out->error))
        return SUBMIT_REFUSED;
    snprintf(out->problem, sizeof out->problem, "HTTP status %d without a result for each job", answer->status);
    return SUBMIT_LOST;
}

static enum submit_end http_submit(void *self, const struct job_line *jobs, size_t count, struct submit_answer *out)
{
    const struct ctl *ctl = self;
    struct json_out body = {0};
    struct http_answer answer = {0};
    enum submit_end end = SUBMIT_AWAY;
    memset(out, 0, sizeof *out);
    write_jobs(&body, jobs, count);
    if (body.failed) {
        snprintf(out->problem, sizeof out->problem, "out of memory");
    } else {
        enum http_end http = http_call(ctl, "POST", "/v1/jobs", body.text, body.bytes, &answer);
        if (http == HTTP_ANSWERED)
            end = read_answer(&answer, count, out);
        else {
            end = http == HTTP_LOST ? SUBMIT_LOST : SUBMIT_AWAY;
            memcpy(out->problem, answer.problem, sizeof out->problem);
        }
    }
    http_answer_free(&answer);
    json_out_free(&body);
    return end;
}

static void http_close(void *self)
{
    (void)self; /* it is the command's own */
}

struct submit_link submit_over_http(const struct ctl *ctl)
{
    return (struct submit_link){(void *)(uintptr_t)ctl, http_submit, http_close};
}
