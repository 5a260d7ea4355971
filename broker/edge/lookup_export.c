/* lookup_export.c — jobs as documents that can be enqueued again: what was given, as it stands now, and what dead letters
 * are requeued with. */
#include <stdio.h>
#include <string.h>

#include "broker/edge/lookup_job.h"
#include "broker/edge/view_put.h"

void job_document_end(struct json_out *out, const struct job_facts *facts)
{
    json_key(out, "to");
    json_put_raw(out, facts->recipients.data, facts->recipients.bytes);
    json_key(out, "message");
    json_put_raw(out, facts->payload.data, facts->payload.bytes);
    json_close(out, '}');
}

/* ---- an export ---- */

/* The producer's id is remembered and would answer `duplicate`, so it goes on with the job's number behind it, which
 * nothing else ever has: the same job always gets the same one. One that was exported before gets no second number. */
static void put_id(struct json_out *out, const struct job_facts *facts)
{
    struct span given = view_member(facts->envelope, "id");
    cJSON *json = given.bytes > 0 ? json_parse(given.data, given.bytes, NULL) : NULL;
    char number[JOB_NUMBER_TEXT_MAX], id[PRODUCER_ID_MAX_BYTES + 1];
    const char *text = cJSON_GetStringValue(json), *old = text != NULL ? text : "";
    const char *mark = strrchr(old, '~');
    size_t bytes = mark != NULL && strncmp(mark, "~j_", 3) == 0 ? (size_t)(mark - old) : strlen(old);
    job_number_format(facts->number, number);
    size_t most = PRODUCER_ID_MAX_BYTES - 1 - strlen(number);
    snprintf(id, sizeof id, "%.*s~%s", (int)(bytes < most ? bytes : most), old, number);
    json_key(out, "id");
    json_put_string(out, id);
    cJSON_Delete(json);
}

/* Whose document it is: the job that it makes is older than it looks. */
static void put_exported(struct json_out *out, uint64_t number)
{
    char text[JOB_NUMBER_TEXT_MAX];
    job_number_format(number, text);
    json_key(out, "exported");
    json_put_string(out, text);
}

/* The word for what keeps a cancel from it at this moment, NULL: nothing. */
static const char *stay_of(const struct job_view *view)
{
    if (view->state == JOB_LEASED)
        return drain_stay_name(DRAIN_STAY_LEASED);
    return view->unsettled ? drain_stay_name(DRAIN_STAY_OUTCOME_UNKNOWN) : NULL;
}

bool job_export(struct json_out *out, const struct job_facts *facts)
{
    static const char *const left_out[] = {"id", "send_after", "expires_at", "if_held", "to", "message", NULL};
    if (!facts->is_live || facts->recipients.bytes == 0 || facts->envelope.bytes == 0 || facts->payload.bytes == 0)
        return false;
    json_open(out, '{');
    put_number(out, facts->number);
    put_time(out, "accepted_at", facts->has_job ? facts->job.accepted_at_ms : 0);
    put_count(out, "order", facts->live.order);
    put_word(out, "stay", stay_of(&facts->live));
    json_key(out, "document");
    json_open(out, '{');
    put_exported(out, facts->number);
    put_id(out, facts);
    put_members(out, facts->envelope, left_out);
    put_moment(out, "send_after", facts->live.state == JOB_SCHEDULED ? facts->live.due_ms : 0);
    put_moment(out, "expires_at", facts->live.expires_ms);
    job_document_end(out, facts);
    json_close(out, '}');
    return true;
}
