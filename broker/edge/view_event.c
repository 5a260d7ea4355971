/* view_event.c — events as followers and GET /v1/events see them, rendered from the change that is one. */
#include "broker/edge/view_put.h"

struct event_parts { /* the members every event has, by what the change says */
    uint64_t number, line;
    enum reason reason;
    int attempt;           /* -1: none */
    const char *code_word; /* ours, */
    int64_t code_number;   /* or the provider's; 0: none */
};

/* What a worker has waits for nothing, whatever became of an earlier try. */
static enum reason try_reason(const struct change_try *try)
{
    if (try->state != JOB_QUEUED)
        return REASON_NONE;
    if (try->unsettled)
        return REASON_OUTCOME_UNKNOWN;
    if (try->due_ms == 0)
        return REASON_NONE;
    return try->wide ? REASON_RATE_LIMITED : REASON_RETRY_BACKOFF;
}

static struct event_parts event_parts(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_JOB:
        return (struct event_parts){.number = change->job.number,
                                    .line = change->job.from_line,
                                    .attempt = -1,
                                    .reason = change->job.due_ms != 0 ? REASON_NOT_YET_DUE : REASON_NONE};
    case CHANGE_TRY:
        return (struct event_parts){.number = change->try.number,
                                    .line = change->try.line,
                                    .reason = try_reason(&change->try),
                                    .attempt = change->try.attempts,
                                    .code_number = change->try.code};
    case CHANGE_END:
        return (struct event_parts){.number = change->end.number,
                                    .line = change->end.line,
                                    .attempt = change->end.attempts,
                                    .code_word = change->end.code != CODE_NONE ? code_name(change->end.code) : NULL,
                                    .code_number = change->end.provider_code};
    case CHANGE_DELIVERY:
        return (struct event_parts){
            .number = change->delivery.number, .attempt = -1, .code_number = change->delivery.code};
    case CHANGE_GATE:
        return (struct event_parts){.line = change->gate.line, .reason = change->gate.reason, .attempt = -1};
    case CHANGE_REPUTATION:
        return (struct event_parts){.line = change->reputation.line, .attempt = -1};
    default: /* a pool's pause: nothing of a job or a line */
        return (struct event_parts){.attempt = -1};
    }
}

static void put_code(struct json_out *out, const struct event_parts *parts, struct span result)
{
    struct span told = view_member(view_member(result, "error"), "code");
    if (parts->code_word == NULL && parts->code_number != 0) {
        json_key(out, "code");
        json_put_int(out, parts->code_number);
    } else if (parts->code_word == NULL && told.bytes > 0) {
        put_span(out, "code", told);
    } else {
        put_word(out, "code", parts->code_word);
    }
}

static void put_extra(struct json_out *out, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_DELIVERY:
        put_word(out, "delivery", delivery_name(change->delivery.delivery));
        break;
    case CHANGE_GATE:
        put_word(out, "gate", gate_name(change->gate.gate));
        break;
    case CHANGE_REPUTATION:
        put_word(out, "status", reputation_name(change->reputation.status));
        put_word(out, "previous", reputation_name(change->reputation.previous));
        put_word(out, "source", source_name(change->reputation.source));
        put_time(out, "changed_at", change->reputation.changed_at_ms);
        break;
    case CHANGE_PAUSE: {
        char id[PAUSE_TEXT_MAX];
        pause_text(change->pause->id, id);
        put_word(out, "pause", id);
        put_word(out, "by", change->pause->by[0] != '\0' ? change->pause->by : NULL);
        put_time(out, "until", change->pause->until_ms);
        break;
    }
    default: /* jobs: the common members say it all */
        break;
    }
}

void view_event(struct json_out *out, const struct change *change, const struct event_facts *facts)
{
    struct event_parts parts = event_parts(change);
    struct job_facts job = {.envelope = facts->envelope, .pool = facts->pool};
    char pool[NAME_MAX_BYTES + 1];
    json_open(out, '{');
    put_count(out, "seq", change->event.seq);
    put_count(out, "prev", change->event.prev);
    put_time(out, "at", change->event.at_ms);
    put_word(out, "topic", topic_name(change->event.topic));
    put_word(out, "pool", view_job_pool(&job, pool) ? pool : NULL);
    put_number(out, parts.number);
    put_span(out, "id", view_member(facts->envelope, "id"));
    put_line(out, "line", parts.line);
    put_reason(out, parts.reason);
    json_key(out, "attempt");
    if (parts.attempt >= 0)
        json_put_int(out, parts.attempt);
    else
        json_put_null(out);
    put_code(out, &parts, change->sections[SECTION_RESULT]);
    put_span(out, "meta", view_member(facts->envelope, "meta"));
    put_extra(out, change);
    json_close(out, '}');
}
