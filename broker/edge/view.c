/* view.c — job views, results and errors. The other views are in view_line.c, view_event.c and view_why.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/view_put.h"

/* ---- small words ---- */

void line_text(uint64_t line, char out[LINE_TEXT_MAX])
{
    snprintf(out, LINE_TEXT_MAX, "+%" PRIu64, line);
}

bool line_text_parse(const char *text, uint64_t *out)
{
    if (!e164_is_valid(text))
        return false;
    *out = strtoull(text + 1, NULL, 10);
    return true;
}

void pause_text(uint64_t pause, char out[PAUSE_TEXT_MAX])
{
    snprintf(out, PAUSE_TEXT_MAX, "p_%" PRIu64, pause);
}

bool pause_text_parse(const char *text, uint64_t *out)
{
    if (strncmp(text, "p_", 2) != 0 || text[2] < '1' || text[2] > '9' || strlen(text) > 21)
        return false;
    char *end = NULL;
    uint64_t pause = strtoull(text + 2, &end, 10);
    if (*end != '\0')
        return false;
    *out = pause;
    return true;
}

const char *view_state(enum job_state state, enum reason reason)
{
    return state == JOB_QUEUED && reason_holds(reason) ? "held" : job_state_name(state);
}

bool view_state_is_word(const char *word)
{
    enum job_state state;
    return strcmp(word, "held") == 0 || (job_state_parse(word, &state) && state != JOB_NONE);
}

struct span view_member(struct span object, const char *name)
{
    const char *value = NULL;
    size_t bytes = 0;
    if (object.bytes == 0 || !json_raw_member(object.data, object.bytes, name, &value, &bytes))
        return (struct span){NULL, 0};
    if (bytes == 4 && memcmp(value, "null", 4) == 0)
        return (struct span){NULL, 0};
    return (struct span){value, bytes};
}

/* ---- errors and results ---- */

static const char *const code_sentences[] = {
    [CODE_NONE] = "no error",
    [CODE_MALFORMED] = "this could not be read",
    [CODE_ID_CONFLICT] = "the id was used for another job",
    [CODE_UNSUPPORTED_VERSION] = "this version of the protocol is not spoken here",
    [CODE_UNKNOWN_COMMAND] = "there is no such command",
    [CODE_TOO_LARGE] = "this is too large",
    [CODE_TOO_MANY] = "these are too many at once",
    [CODE_INVALID_FIELD] = "a field has a value that it may not have",
    [CODE_INVALID_RECIPIENT] = "a recipient must be a number in E.164 form or an e-mail address",
    [CODE_UNKNOWN_POOL] = "there is no such pool",
    [CODE_UNKNOWN_LINE] = "there is no such line",
    [CODE_NOT_ALLOWED] = "the provider would not allow this",
    [CODE_LINE_CONFLICT] = "this conversation lives on another line",
    [CODE_HELD] = "the job would be held now, and if_held says fail",
    [CODE_OPTED_OUT] = "the recipient has opted out",
    [CODE_BUSY] = "too much is waiting already; try again later",
    [CODE_STORE_FULL] = "the store takes no new jobs until there is more room on its disk",
    [CODE_NOT_FOUND] = "there is nothing of this name",
    [CODE_ALREADY_FINAL] = "the job has come to its end already",
    [CODE_UNKNOWN_WORKER] = "say READY first",
    [CODE_UNAUTHORIZED] = "a valid token is needed",
    [CODE_FORBIDDEN] = "the token's role does not allow this",
    [CODE_SUPERSEDED] = "a newer job with the same collapse_key took its place",
    [CODE_OUTCOME_UNKNOWN] = "it is not known whether the message went out",
    [CODE_CHANGED] = "somebody has changed it since you looked",
    [CODE_NOT_OWNER] = "another broker owns this pool",
};
_Static_assert(sizeof code_sentences / sizeof *code_sentences == CODE_COUNT, "a sentence for every code");

void view_error(struct json_out *out, const struct error_view *error)
{
    enum code code = error->code < CODE_COUNT ? error->code : CODE_MALFORMED;
    int64_t retry_after_ms = error->retry_after_ms;
    if (code == CODE_BUSY && retry_after_ms <= 0)
        retry_after_ms = VIEW_BUSY_RETRY_MS;
    json_open(out, '{');
    put_word(out, "code", code_name(code));
    put_word(out, "message", error->message != NULL ? error->message : code_sentences[code]);
    if (error->field != NULL) {
        put_word(out, "field", error->field);
    }
    if (retry_after_ms > 0) {
        json_key(out, "retry_after_ms");
        json_put_int(out, retry_after_ms);
    }
    if (error->owner != NULL)
        put_word(out, "owner", error->owner);
    if (error->owner_admin != NULL)
        put_word(out, "owner_admin", error->owner_admin);
    json_close(out, '}');
}

void view_error_body(struct json_out *out, const struct error_view *error)
{
    json_open(out, '{');
    json_key(out, "error");
    view_error(out, error);
    json_close(out, '}');
}

void view_refused(struct json_out *out, struct span id, const struct error_view *error)
{
    json_open(out, '{');
    put_span(out, "id", id);
    json_key(out, "error");
    view_error(out, error);
    json_close(out, '}');
}

void view_duplicate(struct json_out *out, struct span id, uint64_t number, const char *current)
{
    json_open(out, '{');
    put_span(out, "id", id);
    put_number(out, number);
    put_word(out, "state", "duplicate");
    put_word(out, "current", current);
    json_close(out, '}');
}

void view_enqueued(struct json_out *out, struct span id, const struct effect *effect)
{
    if (effect->code != CODE_NONE) {
        view_refused(out, id, &(struct error_view){.code = effect->code, .field = effect->field});
        return;
    }
    if (effect->duplicate) {
        bool known = effect->state != JOB_NONE;
        view_duplicate(out, id, effect->number, known ? view_state(effect->state, effect->reason) : NULL);
        return;
    }
    json_open(out, '{');
    put_span(out, "id", id);
    put_number(out, effect->number);
    put_word(out, "state", view_state(effect->state, effect->reason));
    put_line(out, "line", effect->line);
    put_reason(out, effect->reason);
    json_close(out, '}');
}

void view_would(struct json_out *out, struct span id, const struct core_would *would, const struct estimate *estimate)
{
    const struct effect *effect = &would->effect;
    if (effect->code != CODE_NONE || effect->duplicate) {
        view_enqueued(out, id, effect);
        return;
    }
    json_open(out, '{');
    put_span(out, "id", id);
    put_word(out, "state", view_state(effect->state, effect->reason));
    put_line(out, "line", would->line);
    put_reason(out, effect->reason);
    view_estimate(out, estimate);
    json_close(out, '}');
}

/* ---- jobs ---- */

bool view_job_pool(const struct job_facts *facts, char out[NAME_MAX_BYTES + 1])
{
    struct span pool = view_member(facts->envelope, "pool");
    const char *text = pool.data;
    size_t bytes = pool.bytes;
    if (bytes >= 2 && bytes <= NAME_MAX_BYTES + 2 && text[0] == '"') { /* a name never needs an escape */
        memcpy(out, text + 1, bytes - 2);
        out[bytes - 2] = '\0';
        return true;
    }
    if (facts->pool == NULL || strlen(facts->pool) > NAME_MAX_BYTES)
        return false;
    snprintf(out, NAME_MAX_BYTES + 1, "%s", facts->pool);
    return true;
}

/* A job that is neither in memory nor known to have ended has an end that is just being written: its last try is
 * what the disk can vouch for. */
static enum job_state recorded_state(const struct job_facts *facts)
{
    if (facts->has_end)
        return facts->end.state;
    if (facts->has_try)
        return facts->last_try.state;
    if (!facts->has_job)
        return JOB_NONE;
    return facts->job.due_ms != 0 ? JOB_SCHEDULED : JOB_QUEUED;
}

const char *view_job_state(const struct job_facts *facts)
{
    return facts->is_live ? view_state(facts->live.state, facts->live.reason) : job_state_name(recorded_state(facts));
}

static struct span job_chat_id(const struct job_facts *facts)
{
    struct span chat_id = view_member(facts->result, "chat_id");
    if (chat_id.bytes == 0)
        chat_id = facts->chat_id;
    return chat_id.bytes > 0 ? chat_id : view_member(facts->envelope, "chat_id");
}

static void put_job_error(struct json_out *out, const struct job_facts *facts)
{
    struct span error = view_member(facts->result, "error");
    if (error.bytes > 0) {
        put_span(out, "error", error);
    } else if (facts->has_end && facts->end.code != CODE_NONE) {
        json_key(out, "error");
        view_error(out, &(struct error_view){.code = facts->end.code});
    }
}

static void put_job_class(struct json_out *out, const struct job_facts *facts)
{
    struct span given = view_member(facts->envelope, "class");
    if (given.bytes > 0 || !facts->has_job) {
        put_span(out, "class", given);
        return;
    }
    put_word(out, "class", job_class_name(facts->job.class));
}

int64_t view_job_expires_ms(const struct job_facts *facts)
{
    if (facts->is_live)
        return facts->live.expires_ms;
    if (facts->has_end && facts->end.expires_told != 0)
        return facts->end.expires_told - 1;
    return facts->has_job ? facts->job.expires_ms : 0;
}

/* What changes while a job lives: from memory if it is live, else from its records. */
static void put_job_progress(struct json_out *out, const struct job_facts *facts)
{
    const struct job_view *live = &facts->live;
    enum job_state state = recorded_state(facts);
    put_word(out, "state", facts->is_live || state != JOB_NONE ? view_job_state(facts) : NULL);
    put_reason(out, facts->is_live ? live->reason : REASON_NONE);
    put_time(out, "since", facts->is_live && live->since_ms != 0 ? live->since_ms : facts->changed_at_ms);
    unsigned attempts = facts->is_live ? live->attempts : facts->has_end ? facts->end.attempts : 0;
    if (!facts->is_live && !facts->has_end && facts->has_try)
        attempts = facts->last_try.attempts;
    if (facts->is_live || facts->has_job || facts->has_try || facts->has_end) {
        put_count(out, "attempts", attempts);
    } else {
        json_key(out, "attempts");
        json_put_null(out);
    }
    put_time(out, "accepted_at", facts->has_job ? facts->job.accepted_at_ms : 0);
    put_time(out, "due_at", facts->is_live ? live->due_ms : facts->has_job ? facts->job.due_ms : 0);
    put_time(out, "expires_at", view_job_expires_ms(facts));
    put_time(out, "ended_at", !facts->is_live && facts->has_end ? facts->ended_at_ms : 0);
}

static uint64_t job_line(const struct job_facts *facts)
{
    if (facts->is_live)
        return facts->live.line;
    return facts->has_end ? facts->end.line : facts->has_try ? facts->last_try.line : 0;
}

void view_job_members(struct json_out *out, const struct job_facts *facts, bool mask)
{
    char pool[NAME_MAX_BYTES + 1];
    put_span(out, "id", view_member(facts->envelope, "id"));
    put_number(out, facts->number);
    put_word(out, "pool", view_job_pool(facts, pool) ? pool : NULL);
    put_recipients(out, facts->recipients, mask);
    put_span(out, "from", view_member(facts->envelope, "from"));
    put_line(out, "line", job_line(facts));
    put_span(out, "chat_id", job_chat_id(facts));
    put_job_class(out, facts);
    put_span(out, "campaign", view_member(facts->envelope, "campaign"));
    put_job_progress(out, facts);
    if (facts->is_live && facts->live.cancel_asked) {
        put_word(out, "cancel", "asked");
    }
    json_key(out, "delivery");
    bool told = facts->has_delivery && facts->delivery != DELIVERY_NONE;
    json_put_string(out, told ? delivery_name(facts->delivery) : NULL);
    put_span(out, "message_id", view_member(facts->result, "message_id"));
    put_job_error(out, facts);
    put_span(out, "meta", view_member(facts->envelope, "meta"));
}

static void put_try(struct json_out *out, const struct change_try *try)
{
    put_word(out, "state", job_state_name(try->state));
    put_count(out, "attempt", try->attempts);
    put_line(out, "line", try->line);
    if (try->due_ms != 0)
        put_time(out, "due_at", try->due_ms);
    if (try->http_status != 0) {
        put_count(out, "http_status", try->http_status);
    }
    if (try->code != 0) {
        json_key(out, "code");
        json_put_int(out, try->code);
    }
    if (try->unsettled) {
        json_key(out, "unknown");
        json_put_bool(out, true);
    }
}

static void put_end(struct json_out *out, const struct change_end *end)
{
    put_word(out, "state", job_state_name(end->state));
    put_count(out, "attempt", end->attempts);
    put_line(out, "line", end->line);
    if (end->code != CODE_NONE) {
        put_word(out, "code", code_name(end->code));
    }
}

void view_history_entry(struct json_out *out, const struct change *change)
{
    json_open(out, '{');
    bool accepted = change->kind == CHANGE_JOB;
    put_time(out, "at", accepted ? change->job.accepted_at_ms : change->event.at_ms);
    switch (change->kind) {
    case CHANGE_JOB:
        put_word(out, "state", "accepted");
        break;
    case CHANGE_TRY:
        put_try(out, &change->try);
        break;
    case CHANGE_END:
        put_end(out, &change->end);
        break;
    case CHANGE_DELIVERY:
        put_word(out, "delivery", delivery_name(change->delivery.delivery));
        if (change->delivery.code != 0) {
            json_key(out, "code");
            json_put_int(out, change->delivery.code);
        }
        break;
    default: /* nothing else is part of a job's history */
        break;
    }
    json_close(out, '}');
}
