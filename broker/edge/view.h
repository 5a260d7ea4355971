/* view.h — how things look from outside: the JSON of job views, results, lines, pools, workers, pauses, status and
 * events (PROTOCOL: Producers, Events, Admin API). Pure functions from plain facts to text; what is not known is
 * null. Who may see what is decided by the caller; these functions only mask when told to.
 *
 * The sections of a job, as the ingress writes them: recipients a sorted JSON array of handles, envelope a JSON
 * object of what the producer gave (id, from, chat_id, class, campaign, ... meta) and its pool, payload the message
 * object, result a JSON object with message_id, chat_id, error, http_status and trace_id where known. */
#ifndef LINEWARD_EDGE_VIEW_H
#define LINEWARD_EDGE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/core/core.h"
#include "broker/edge/timings.h"
#include "lineward/json.h"
#include "lineward/outcome_target.h"

#define LINE_TEXT_MAX  24 /* '+', the digits of any uint64_t, terminator */
#define PAUSE_TEXT_MAX 24 /* "p_", likewise */

/* ---- small words ---- */

void line_text(uint64_t line, char out[LINE_TEXT_MAX]); /* "+12025550101" */
bool line_text_parse(const char *text, uint64_t *out);  /* E.164 only */
void pause_text(uint64_t pause, char out[PAUSE_TEXT_MAX]);
bool pause_text_parse(const char *text, uint64_t *out);

/* The state as people see it: a queued job whose reason holds is `held`. */
const char *view_state(enum job_state state, enum reason reason);
/* Does `word` name a state that view_state() can give? */
bool view_state_is_word(const char *word);

/* ---- errors and results ---- */

struct error_view {
    enum code code;
    const char *message;    /* NULL: the sentence that fits the code */
    const char *field;      /* NULL: none */
    int64_t retry_after_ms; /* 0: none; `busy` always gets one */
    const char *owner, *owner_admin; /* of `not_owner`: that broker's addresses; NULL: not known */
};
#define VIEW_BUSY_RETRY_MS 1000 /* when a `busy` names no other time */

void view_error(struct json_out *out, const struct error_view *error);      /* {"code", ...} */
void view_error_body(struct json_out *out, const struct error_view *error); /* {"error":{"code", ...}} */

/* {"id":…,"error":{…}}. `id` is JSON already (a string with its quotes); empty: null. */
void view_refused(struct json_out *out, struct span id, const struct error_view *error);

/* The result of one enqueued job, from EFFECT_ENQUEUED: accepted, duplicate or refused. */
void view_enqueued(struct json_out *out, struct span id, const struct effect *effect);
/* What would become of one job that was not enqueued; `estimate`: of one that would be accepted. */
void view_would(struct json_out *out, struct span id, const struct core_would *would, const struct estimate *estimate);
/* {"id":…,"job":…,"state":"duplicate","current":…} */
void view_duplicate(struct json_out *out, struct span id, uint64_t number, const char *current);

/* The raw value of a member of a JSON object, {NULL, 0} if it is not there or null. */
struct span view_member(struct span object, const char *name);

/* ---- jobs ---- */

struct job_facts { /* whatever is known of one job; the spans are lent */
    uint64_t number;
    bool is_live; /* `live` counts; else what the records say */
    struct job_view live;
    bool has_job, has_try, has_end, has_delivery;
    struct change_job job;
    struct change_try last_try;
    struct change_end end;
    enum delivery delivery;
    int64_t changed_at_ms, ended_at_ms; /* of the last record read that changed its state; of its end */
    const char *pool;                   /* for a job whose envelope is not known; NULL: unknown */
    struct span recipients, envelope, payload, result;
    struct span chat_id; /* of its conversation: a JSON string */
};

/* The pool's name: writes it into out, false if it is not known. */
bool view_job_pool(const struct job_facts *facts, char out[NAME_MAX_BYTES + 1]);
const char *view_job_state(const struct job_facts *facts);
/* When it expires, as it was said last; 0: never, or nobody knows. */
int64_t view_job_expires_ms(const struct job_facts *facts);

/* The job view's members, into an object that the caller opens and closes. `mask`: handles as handle_mask() has
 * them. */
void view_job_members(struct json_out *out, const struct job_facts *facts, bool mask);

/* One entry of a job's history: a CHANGE_JOB, CHANGE_TRY, CHANGE_END or CHANGE_DELIVERY. */
void view_history_entry(struct json_out *out, const struct change *change);

struct cache_facts { /* of the cache that brokers share, as its owner hands them to the edge */
    bool is_shared;      /* false: there is none, and the rest means nothing */
    bool up, shares_people, versions_differ;
    int64_t since_ms;    /* when it went away; 0: it is up */
    char problem[160];   /* why; "": it is up */
    unsigned brokers;    /* with this one */
    uint64_t owed;
};

struct why_more { /* of a live job */
    struct cache_facts cache;
    struct estimate estimate;
    bool paused; /* by ... */
    char pause_by[NAME_MAX_BYTES + 1], pause_reason[200];
    int64_t pause_until_ms;
    int64_t word_until_ms; /* as view_word_until_ms() of its line */
};
/* When the operator's reputation ends that closes or slows the line; 0: none does. */
int64_t view_word_until_ms(const struct line_view *line);
/* Why a live job waits (GET /v1/jobs/{id}, `why`): the rule, what it saw, what would release it, when, how many are
 * ahead. `line`: the line it is bound or pinned to, NULL if none. */
void view_why(struct json_out *out, const struct job_view *job, const struct line_view *line, const struct why_more *more,
              struct instant now);
/* One thing that speaks against a job or a line: {"reason" or "code", "rule", "release", "release_at", ...}.
 * `of_line`: none that a job has. `word_until_ms` as above. */
void view_cause(struct json_out *out, const struct cause *cause, bool of_line, int64_t word_until_ms);
/* The members `estimated_at`, `estimate_unknown` and `queue`. */
void view_estimate(struct json_out *out, const struct estimate *estimate);

/* ---- conversations and suppressions ---- */

struct conversation_facts { /* the spans are lent */
    struct conversation_view view;
    const char *pool;
    struct span recipients, chat_id; /* JSON; empty: not known */
    int64_t health_at_ms;
};
void view_conversation(struct json_out *out, const struct conversation_facts *facts, bool mask);
/* The result of one imported conversation, from EFFECT_ADOPTED. */
void view_adopted(struct json_out *out, const struct effect *effect);
void view_suppression(struct json_out *out, const struct suppression_view *suppression, bool mask);

/* ---- lines, pools, workers, pauses, status ---- */

struct line_names {
    const char *account, *pool; /* NULL: none */
};
void view_line(struct json_out *out, const struct line_view *line, struct line_names names,
               const struct pause_view *pauses, size_t pause_count);
/* Its members, into an object that the caller opens and closes. */
void view_line_members(struct json_out *out, const struct line_view *line, struct line_names names,
                       const struct pause_view *pauses, size_t pause_count);
void view_line_reputation(struct json_out *out, const struct line_view *line); /* the member `reputation` of it */
void view_drain(struct json_out *out, const struct line_view *line); /* its value, null: none is under way */
/* Does this pause stop that line? */
bool view_pause_applies(const struct pause_view *pause, uint64_t line, struct line_names names);
void view_pause(struct json_out *out, const struct pause_view *pause, bool mask_handles);
void view_campaign(struct json_out *out, const struct campaign_view *campaign, const char *pool);

struct outcome_view { /* of a pool's outcome webhooks */
    char host[OUTCOME_HOST_MAX + 1];
    bool down;                   /* the target takes nothing: one event is tried at a time */
    uint64_t waiting, in_flight; /* in_flight: of `waiting` */
    uint64_t unread;             /* events of the log, of all pools, that were not looked at yet */
    uint64_t confirmed, missed;  /* since the pool has a webhook */
    uint64_t failed;             /* tries since the start */
    int64_t oldest_at_ms, confirmed_at_ms, problem_at_ms, next_try_ms; /* wall; 0: none */
    const char *problem;         /* of the last try that failed */
    int status;                  /* and its HTTP status; 0: no answer */
};
/* "sent", "answered" and the "share", which is null where nothing was sent. */
void view_reply_counts(struct json_out *out, const struct reply_counts *counts);
struct pool_names {
    const char *pool, *account, *policy;
    const char *owner; /* of another broker's; NULL: it is ours */
};
/* `outcomes`: NULL, if the pool has no outcome webhook. */
void view_pool(struct json_out *out, const struct pool_view *pool, const struct pool_names *names,
               const struct outcome_view *outcomes);
void view_worker(struct json_out *out, const struct worker_view *worker);

struct store_facts { /* the store's numbers, as its owner hands them to the edge */
    uint64_t segments, history_segments, free_segments, bytes_live, bytes_total, bytes_history;
    uint64_t commits, records, syncs, bytes_written, sync_us_total, sync_us_max;
    uint64_t cleaned_segments, cleaned_bytes_moved;
    struct histogram commit_times;
    int64_t disk_free_bytes; /* -1: not known */
    bool full, waits;
};
struct status_facts {
    const char *version, *broker;
    struct instant now;
    int64_t started_mono_ms;
    bool ready;
    int64_t jobs_max, dedupe_max;
    struct core_status core;
    struct store_facts store;
    struct cache_facts cache;
    const struct timings_read *timings; /* lent; NULL: none are kept */
    bool waiting_known; /* for metrics, as of the last walk over the waiting jobs: */
    int64_t oldest_at_ms; /* since when the oldest one waits, 0: none waits */
    uint64_t outcomes_unknown;
};
/* The members of GET /v1/status but `pools`, into an object that the caller opens and closes. */
void view_status_members(struct json_out *out, const struct status_facts *facts);

/* ---- the audit ---- */

#define AUDIT_SYSTEM "system" /* who starts and stops the broker; unlike a token of that name it has no role */
/* `document` as audit_trail.c writes it. */
void view_audit(struct json_out *out, const struct change_audit *audit, int64_t at_ms, struct span document, bool mask);

/* ---- events ---- */

struct event_facts {      /* what the change itself does not carry; lent, empty where unknown */
    struct span envelope; /* of the job that the event is about */
    const char *pool;     /* of a pool event: its name; of others, if the envelope is not known */
};
/* The event's JSON, from a change with event.seq != 0. The same bytes for followers and for GET /v1/events. */
void view_event(struct json_out *out, const struct change *change, const struct event_facts *facts);

#endif
