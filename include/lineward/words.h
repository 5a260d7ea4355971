/* words.h — the words of the wire contract (PROTOCOL.md), each written down once.
 *
 * Every list is an X macro, so that the enum, the text and the parser cannot drift apart. The texts are
 * what goes over the wire, into logs, into metrics and into views. */
#ifndef LINEWARD_WORDS_H
#define LINEWARD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* States of a job (PROTOCOL, Producers). `held` is not stored: it is what a queued job is called while its
 * line, pool or conversation is closed; see reason_holds(). */
#define JOB_STATE_LIST(X)                                                                          \
    X(NONE, "none")                                                                                \
    X(SCHEDULED, "scheduled")                                                                      \
    X(QUEUED, "queued")                                                                            \
    X(LEASED, "leased")                                                                            \
    X(SENT, "sent")                                                                                \
    X(FAILED, "failed")                                                                            \
    X(EXPIRED, "expired")                                                                          \
    X(CANCELLED, "cancelled")                                                                      \
    X(SUPPRESSED, "suppressed")

/* Why a job is not moving: exactly one, the first that applies, in this order (PROTOCOL, Reasons).
 * Third column: 1 = the job is called `held`, 0 = `queued`. */
#define REASON_LIST(X)                                                                             \
    X(NONE, "none", 0)                                                                             \
    X(NOT_YET_DUE, "not_yet_due", 0)                                                               \
    X(PAUSED, "paused", 1)                                                                         \
    X(ACCOUNT_PAUSED, "account_paused", 1)                                                         \
    X(POOL_PAUSED, "pool_paused", 1)                                                               \
    X(CAMPAIGN_PAUSED, "campaign_paused", 1)                                                       \
    X(CONVERSATION_PAUSED, "conversation_paused", 1)                                               \
    X(OUTCOME_UNKNOWN, "outcome_unknown", 0)                                                       \
    X(CONVERSATION_CRITICAL, "conversation_critical", 1)                                           \
    X(LINE_PAUSED, "line_paused", 1)                                                               \
    X(LINE_FLAGGED, "line_flagged", 1)                                                             \
    X(LINE_GONE, "line_gone", 1)                                                                   \
    X(LINE_CRITICAL, "line_critical", 1)                                                           \
    X(LINE_RECOVERING, "line_recovering", 1)                                                       \
    X(LINE_STALE, "line_stale", 1)                                                                 \
    X(PROVIDER_DOWN, "provider_down", 0)                                                           \
    X(RETRY_BACKOFF, "retry_backoff", 0)                                                           \
    X(CONVERSATION_BUSY, "conversation_busy", 0)                                                   \
    X(CONVERSATION_AT_RISK, "conversation_at_risk", 0)                                             \
    X(CONVERSATION_CADENCE, "conversation_cadence", 0)                                             \
    X(QUIET_HOURS, "quiet_hours", 0)                                                               \
    X(NO_HEALTHY_LINE, "no_healthy_line", 0)                                                       \
    X(LINE_AT_RISK, "line_at_risk", 0)                                                             \
    X(LINE_CORDONED, "line_cordoned", 0)                                                           \
    X(BUDGET_NEW_CONVERSATIONS, "budget_new_conversations", 0)                                     \
    X(BUDGET_RECIPIENTS, "budget_recipients", 0)                                                   \
    X(BUDGET_DAILY, "budget_daily", 0)                                                             \
    X(BUDGET_GROWTH, "budget_growth", 0)                                                           \
    X(BUDGET_PAIR, "budget_pair", 0)                                                               \
    X(RAMP, "ramp", 0)                                                                             \
    X(PACE, "pace", 0)                                                                             \
    X(RATE_LIMITED, "rate_limited", 0)                                                             \
    X(NO_WORKER, "no_worker", 0)

/* Who goes first when a line is slow, in this order (PROTOCOL, Job, `class`). */
#define JOB_CLASS_LIST(X)                                                                          \
    X(REPLY, "reply")                                                                              \
    X(TRANSACTIONAL, "transactional")                                                              \
    X(FOLLOWUP, "followup")                                                                        \
    X(CAMPAIGN, "campaign")

/* The provider's word about a line; UNKNOWN stands for everything it did not say in these words. */
#define REPUTATION_LIST(X)                                                                         \
    X(UNKNOWN, "UNKNOWN")                                                                          \
    X(HEALTHY, "HEALTHY")                                                                          \
    X(AT_RISK, "AT_RISK")                                                                          \
    X(CRITICAL, "CRITICAL")

#define SERVICE_LIST(X)                                                                            \
    X(UNKNOWN, "UNKNOWN")                                                                          \
    X(ACTIVE, "ACTIVE")                                                                            \
    X(FLAGGED, "FLAGGED")

/* Who told us (line views, `source`). */
#define SOURCE_LIST(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(WEBHOOK, "webhook")                                                                          \
    X(POLL, "poll")                                                                                \
    X(ERROR, "error")                                                                              \
    X(OPERATOR, "operator")

#define GATE_LIST(X)                                                                               \
    X(OPEN, "open")                                                                                \
    X(SLOW, "slow")                                                                                \
    X(CLOSED, "closed")

/* The provider's word about a chat (linq-api.md 5.3). */
#define CHAT_HEALTH_LIST(X)                                                                        \
    X(UNKNOWN, "UNKNOWN")                                                                          \
    X(HEALTHY, "HEALTHY")                                                                          \
    X(AT_RISK, "AT_RISK")                                                                          \
    X(CRITICAL, "CRITICAL")                                                                        \
    X(OPTED_OUT, "OPTED_OUT")

/* What became of one try (PROTOCOL, Workers). */
#define OUTCOME_LIST(X)                                                                            \
    X(SENT, "sent")                                                                                \
    X(RETRY, "retry")                                                                              \
    X(REJECTED, "rejected")                                                                        \
    X(RETURNED, "returned")

/* What waits after a `retry`. */
#define SCOPE_LIST(X)                                                                              \
    X(JOB, "job")                                                                                  \
    X(CONVERSATION, "conversation")                                                                \
    X(LINE, "line")                                                                                \
    X(ACCOUNT, "account")

/* Why a recipient is suppressed, each harder to lift than the one before it. */
#define SUPPRESS_LIST(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(OPTED_OUT, "opted_out")                                                                      \
    X(BLOCKED, "blocked")                                                                          \
    X(OPERATOR, "operator")

#define DELIVERY_LIST(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(DELIVERED, "delivered")                                                                      \
    X(READ, "read")                                                                                \
    X(FAILED, "failed")

/* What a pause lies on (GET /v1/pauses, `scope`). */
#define PAUSE_SCOPE_LIST(X)                                                                        \
    X(ALL, "all")                                                                                  \
    X(ACCOUNT, "account")                                                                          \
    X(POOL, "pool")                                                                                \
    X(CAMPAIGN, "campaign")                                                                        \
    X(CONVERSATION, "conversation")                                                                \
    X(LINE, "line")

/* What an operator does with the backlog of a line (POST /v1/lines/{line}/drain, `mode`). */
#define DRAIN_LIST(X)                                                                              \
    X(NONE, "none")                                                                                \
    X(RAMP, "ramp")                                                                                \
    X(REPLACE, "replace")                                                                          \
    X(FAIL, "fail")                                                                                \
    X(MOVE, "move")

/* Which class of jobs goes next while a line is drained at a pace (`order`). */
#define DRAIN_ORDER_LIST(X)                                                                        \
    X(SHARES, "shares")                                                                            \
    X(REPLIES, "replies")                                                                          \
    X(OLDEST, "oldest")                                                                            \
    X(DEADLINE, "deadline")

/* How a drain stands (`drain`.`state` of a line). */
#define DRAIN_STATE_LIST(X)                                                                        \
    X(RUNNING, "running")                                                                          \
    X(STOPPED, "stopped")                                                                          \
    X(DONE, "done")

/* Why a drain leaves a job where it is (`stays` of a dry run). */
#define DRAIN_STAY_LIST(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(LEASED, "leased")                                                                            \
    X(OUTCOME_UNKNOWN, "outcome_unknown")                                                          \
    X(CONVERSATION_CRITICAL, "conversation_critical")                                              \
    X(CONVERSATION_PAUSED, "conversation_paused")                                                  \
    X(CAMPAIGN_PAUSED, "campaign_paused")                                                          \
    X(PINNED, "pinned")                                                                            \
    X(BEGUN, "begun")                                                                              \
    X(DUE, "due")                                                                                  \
    X(BEHIND, "behind")

/* Error codes on every surface (PROTOCOL, Error codes), with the HTTP status that fits. */
#define CODE_LIST(X)                                                                               \
    X(NONE, "none", 200)                                                                           \
    X(MALFORMED, "malformed", 400)                                                                 \
    X(ID_CONFLICT, "id_conflict", 409)                                                             \
    X(UNSUPPORTED_VERSION, "unsupported_version", 400)                                             \
    X(UNKNOWN_COMMAND, "unknown_command", 400)                                                     \
    X(TOO_LARGE, "too_large", 413)                                                                 \
    X(TOO_MANY, "too_many", 413)                                                                   \
    X(INVALID_FIELD, "invalid_field", 422)                                                         \
    X(INVALID_RECIPIENT, "invalid_recipient", 422)                                                 \
    X(UNKNOWN_POOL, "unknown_pool", 404)                                                           \
    X(UNKNOWN_LINE, "unknown_line", 404)                                                           \
    X(NOT_ALLOWED, "not_allowed", 422)                                                             \
    X(LINE_CONFLICT, "line_conflict", 409)                                                         \
    X(HELD, "held", 409)                                                                           \
    X(OPTED_OUT, "opted_out", 409)                                                                 \
    X(BUSY, "busy", 429)                                                                           \
    X(STORE_FULL, "store_full", 507)                                                               \
    X(NOT_FOUND, "not_found", 404)                                                                 \
    X(ALREADY_FINAL, "already_final", 409)                                                         \
    X(UNKNOWN_WORKER, "unknown_worker", 404)                                                       \
    X(UNAUTHORIZED, "unauthorized", 401)                                                           \
    X(FORBIDDEN, "forbidden", 403)                                                                 \
    X(SUPERSEDED, "superseded", 409)                                                               \
    X(OUTCOME_UNKNOWN, "outcome_unknown", 409)                                                     \
    X(CHANGED, "changed", 412)                                                                     \
    X(NOT_OWNER, "not_owner", 421)

enum job_state {
#define X(name, text) JOB_##name,
    JOB_STATE_LIST(X)
#undef X
        JOB_STATE_COUNT
};
enum reason {
#define X(name, text, holds) REASON_##name,
    REASON_LIST(X)
#undef X
        REASON_COUNT
};
enum job_class {
#define X(name, text) CLASS_##name,
    JOB_CLASS_LIST(X)
#undef X
        CLASS_COUNT
};
enum reputation {
#define X(name, text) REPUTATION_##name,
    REPUTATION_LIST(X)
#undef X
        REPUTATION_COUNT
};
enum service {
#define X(name, text) SERVICE_##name,
    SERVICE_LIST(X)
#undef X
        SERVICE_COUNT
};
enum source {
#define X(name, text) SOURCE_##name,
    SOURCE_LIST(X)
#undef X
        SOURCE_COUNT
};
enum gate {
#define X(name, text) GATE_##name,
    GATE_LIST(X)
#undef X
        GATE_COUNT
};
enum chat_health {
#define X(name, text) CHAT_##name,
    CHAT_HEALTH_LIST(X)
#undef X
        CHAT_HEALTH_COUNT
};
enum outcome {
#define X(name, text) OUTCOME_##name,
    OUTCOME_LIST(X)
#undef X
        OUTCOME_COUNT
};
enum scope {
#define X(name, text) SCOPE_##name,
    SCOPE_LIST(X)
#undef X
        SCOPE_COUNT
};
enum suppress {
#define X(name, text) SUPPRESS_##name,
    SUPPRESS_LIST(X)
#undef X
        SUPPRESS_COUNT
};
enum delivery {
#define X(name, text) DELIVERY_##name,
    DELIVERY_LIST(X)
#undef X
        DELIVERY_COUNT
};
enum pause_scope {
#define X(name, text) PAUSE_##name,
    PAUSE_SCOPE_LIST(X)
#undef X
        PAUSE_SCOPE_COUNT
};
enum drain {
#define X(name, text) DRAIN_##name,
    DRAIN_LIST(X)
#undef X
        DRAIN_COUNT
};
enum drain_order {
#define X(name, text) DRAIN_ORDER_##name,
    DRAIN_ORDER_LIST(X)
#undef X
        DRAIN_ORDER_COUNT
};
enum drain_state {
#define X(name, text) DRAIN_STATE_##name,
    DRAIN_STATE_LIST(X)
#undef X
        DRAIN_STATE_COUNT
};
enum drain_stay {
#define X(name, text) DRAIN_STAY_##name,
    DRAIN_STAY_LIST(X)
#undef X
        DRAIN_STAY_COUNT
};
enum code {
#define X(name, text, http) CODE_##name,
    CODE_LIST(X)
#undef X
        CODE_COUNT
};

/* The word as it goes over the wire; never NULL, "?" outside the enum. */
const char *job_state_name(enum job_state state);
const char *reason_name(enum reason reason);
const char *job_class_name(enum job_class job_class);
const char *reputation_name(enum reputation reputation);
const char *service_name(enum service service);
const char *source_name(enum source source);
const char *gate_name(enum gate gate);
const char *chat_health_name(enum chat_health health);
const char *outcome_name(enum outcome outcome);
const char *scope_name(enum scope scope);
const char *suppress_name(enum suppress suppress);
const char *delivery_name(enum delivery delivery);
const char *pause_scope_name(enum pause_scope scope);
const char *drain_name(enum drain drain);
const char *drain_order_name(enum drain_order order);
const char *drain_state_name(enum drain_state state);
const char *drain_stay_name(enum drain_stay stay);
const char *code_name(enum code code);

/* Read a word, exactly as written. False: not such a word, *out untouched. */
bool job_state_parse(const char *text, enum job_state *out);
bool reason_parse(const char *text, enum reason *out);
bool job_class_parse(const char *text, enum job_class *out);
bool outcome_parse(const char *text, enum outcome *out);
bool scope_parse(const char *text, enum scope *out);
bool suppress_parse(const char *text, enum suppress *out);
bool source_parse(const char *text, enum source *out);
bool service_parse(const char *text, enum service *out); /* exactly, unlike service_read() */
bool delivery_parse(const char *text, enum delivery *out);
bool pause_scope_parse(const char *text, enum pause_scope *out);
bool drain_parse(const char *text, enum drain *out);
bool drain_order_parse(const char *text, enum drain_order *out);
bool reputation_parse(const char *text, enum reputation *out); /* exactly, unlike reputation_read() */

/* Read the provider's words tolerantly: any case, `-` for `_`; anything else is UNKNOWN (linq-api.md 6). */
enum reputation reputation_read(const char *text);
enum service service_read(const char *text);
enum chat_health chat_health_read(const char *text);

/* Is a job with this reason called `held`? */
bool reason_holds(enum reason reason);
bool job_state_is_final(enum job_state state);
int code_http_status(enum code code);

#endif
