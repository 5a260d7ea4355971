/* lease_json.c — see lease_json.h. The broker is trusted to mean well, not to be free of faults: what is needed to
 * send is checked, so that a wrong document becomes a dead letter and never a wrong message. */
#include "lease_json.h"

#include <string.h>

#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/json.h"

static const char *read_recipients(const cJSON *document, struct leased_job *out)
{
    const cJSON *to = json_get(document, "to");
    const cJSON *one = NULL;
    size_t count = 0;
    if (!cJSON_IsArray(to))
        return "to";
    cJSON_ArrayForEach(one, to)
    {
        if (count == WIRE_RECIPIENTS_MAX || !cJSON_IsString(one))
            return "to";
        out->to[count++] = one->valuestring;
    }
    out->send.to = out->to;
    out->send.to_count = count;
    return count > 0 ? NULL : "to";
}

static const char *read_times(const cJSON *document, struct leased_job *out)
{
    const cJSON *expires_at = json_get(document, "expires_at");
    out->expires_wall_ms = TIME_NEVER;
    if (expires_at != NULL && !cJSON_IsNull(expires_at) &&
        (!cJSON_IsString(expires_at) || !time_parse(expires_at->valuestring, &out->expires_wall_ms)))
        return "expires_at";
    if (!json_int(document, "lease_ms", &out->lease_ms) || out->lease_ms <= 0)
        return "lease_ms";
    if (!json_int(document, "attempt", &out->attempt) || out->attempt < 1)
        return "attempt";
    return NULL;
}

/* NULL, or the name of the first field that is not as it must be. */
static const char *read_fields(const char *text, size_t bytes, struct leased_job *out)
{
    const cJSON *document = out->document;
    const cJSON *chat_id = json_get(document, "chat_id");
    const char *bad = NULL;
    out->job = json_string(document, "job");
    out->account = json_string(document, "account");
    out->send.line = json_string(document, "line");
    out->send.idempotency_key = json_string(document, "idempotency_key");
    out->send.chat_id = json_string(document, "chat_id");
    out->unsettled = json_bool(document, "unsettled", false);
    if (out->job == NULL || strlen(out->job) >= JOB_NUMBER_TEXT_MAX)
        return "job";
    if (out->account == NULL)
        return "account";
    if (out->send.line == NULL || !e164_is_valid(out->send.line))
        return "line";
    if (out->send.idempotency_key == NULL || out->send.idempotency_key[0] == '\0')
        return "idempotency_key";
    if (chat_id != NULL && !cJSON_IsNull(chat_id) && (out->send.chat_id == NULL || out->send.chat_id[0] == '\0'))
        return "chat_id";
    if (!cJSON_IsObject(json_get(document, "message")) ||
        !json_raw_member(text, bytes, "message", &out->send.message, &out->send.message_bytes))
        return "message";
    if ((bad = read_times(document, out)) != NULL)
        return bad;
    return read_recipients(document, out);
}

enum err leased_job_read(const char *text, size_t bytes, struct leased_job *out, const char **why)
{
    memset(out, 0, sizeof *out);
    out->document = json_parse(text, bytes, why);
    if (out->document == NULL)
        return ERR_BAD_INPUT;
    const char *bad = read_fields(text, bytes, out);
    if (bad == NULL)
        return ERR_NONE;
    *why = bad;
    leased_job_clear(out);
    return ERR_BAD_INPUT;
}

void leased_job_clear(struct leased_job *job)
{
    cJSON_Delete(job->document);
    job->document = NULL;
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    json_key(out, name);
    json_put_string(out, text);
}

static void put_flag(struct json_out *out, const char *name, bool flag)
{
    if (!flag)
        return;
    json_key(out, name);
    json_put_bool(out, true);
}

static void put_verdict(struct json_out *out, const struct disposition *verdict)
{
    put_text(out, "outcome", outcome_name(verdict->outcome));
    if (verdict->outcome == OUTCOME_RETRY) {
        put_flag(out, "unknown", verdict->unknown);
        put_text(out, "scope", scope_name(verdict->scope));
        if (verdict->retry_after_ms >= 0) {
            json_key(out, "retry_after_ms");
            json_put_int(out, verdict->retry_after_ms);
        }
    }
    if (verdict->suppress != SUPPRESS_NONE)
        put_text(out, "suppress", suppress_name(verdict->suppress));
    put_flag(out, "line_flagged", verdict->line_flagged);
    put_flag(out, "forget_chat", verdict->forget_chat);
    put_flag(out, "key_refused", verdict->key_refused);
}

static void put_answer(struct json_out *out, const struct provider_answer *answer)
{
    json_key(out, "http_status");
    json_put_int(out, answer->answer.http_status);
    if (answer->answer.code != 0) {
        json_key(out, "code");
        json_put_int(out, answer->answer.code);
    }
    put_text(out, "chat_id", answer->chat_id);
    put_text(out, "message_id", answer->message_id);
    put_text(out, "trace_id", answer->trace_id);
}

char *lease_result(const struct disposition *verdict, const struct provider_answer *answer, const char *error,
                   size_t *bytes)
{
    struct json_out out = {0};
    const char *message = answer != NULL && answer->message[0] != '\0' ? answer->message : error;
    json_open(&out, '{');
    put_verdict(&out, verdict);
    if (answer != NULL)
        put_answer(&out, answer);
    put_text(&out, "message", message != NULL ? message : verdict->reason);
    json_close(&out, '}');
    if (out.failed) {
        json_out_free(&out);
        return NULL;
    }
    *bytes = out.bytes;
    return out.text; /* grown by at most a doubling: results are short */
}
