/* admin_calls.h — the calls of the admin API, one function each; admin_route.c says which path and role. They run on
 * the owner's thread (see admin_exchange.h). */
#ifndef LINEWARD_EDGE_ADMIN_CALLS_H
#define LINEWARD_EDGE_ADMIN_CALLS_H

#include "broker/edge/admin_exchange.h"

/* admin_status.c */
enum admin_step call_front(struct admin_turn *turn, struct exchange *x);
enum admin_step call_healthz(struct admin_turn *turn, struct exchange *x);
enum admin_step call_readyz(struct admin_turn *turn, struct exchange *x);
enum admin_step call_metrics(struct admin_turn *turn, struct exchange *x);
enum admin_step call_status(struct admin_turn *turn, struct exchange *x);
void admin_cache_facts(const struct admin_turn *turn, struct cache_facts *out);

/* admin_lists.c */
enum admin_step call_pools(struct admin_turn *turn, struct exchange *x);
/* The view of the pool at that index of the configuration. */
void put_pool(struct admin_turn *turn, uint32_t at, const struct pool_view *view, struct json_out *out);
enum admin_step call_lines(struct admin_turn *turn, struct exchange *x);
enum admin_step call_line(struct admin_turn *turn, struct exchange *x);
enum admin_step call_campaigns(struct admin_turn *turn, struct exchange *x);
enum admin_step call_workers(struct admin_turn *turn, struct exchange *x);

/* admin_pauses.c */
enum admin_step call_pauses(struct admin_turn *turn, struct exchange *x);

/* admin_audit.c */
enum admin_step call_audit(struct admin_turn *turn, struct exchange *x);

/* admin_events.c */
enum admin_step call_events(struct admin_turn *turn, struct exchange *x);
enum admin_step call_stream(struct admin_turn *turn, struct exchange *x);

/* admin_jobs.c */
enum admin_step call_jobs(struct admin_turn *turn, struct exchange *x);
enum admin_step call_job(struct admin_turn *turn, struct exchange *x);
enum admin_step call_cancel(struct admin_turn *turn, struct exchange *x);
enum admin_step call_settle(struct admin_turn *turn, struct exchange *x);

/* admin_shape.c */
enum admin_step call_shape(struct admin_turn *turn, struct exchange *x);
enum admin_step call_replies(struct admin_turn *turn, struct exchange *x);

/* admin_why.c */
enum admin_step call_why_not(struct admin_turn *turn, struct exchange *x);
/* A member with all that stops a line (`of_line`), or a job on it. */
void exchange_put_causes(struct exchange *x, const char *name, bool of_line, const struct line_view *line,
                         const struct cause *causes, size_t count);

/* admin_enqueue.c */
/* Keeps the result of one job. True: it was the last one that was missing. */
bool enqueue_take_effect(struct exchange *x, const struct effect *effect);
enum admin_step call_enqueue(struct admin_turn *turn, struct exchange *x);

/* admin_conversations.c */
enum admin_step call_conversation(struct admin_turn *turn, struct exchange *x);
enum admin_step call_conversations(struct admin_turn *turn, struct exchange *x);
enum admin_step call_move(struct admin_turn *turn, struct exchange *x);

/* admin_import.c */
/* Keeps the result of one conversation. True: it was the last one that was missing. */
bool import_take_effect(struct exchange *x, const struct effect *effect);
enum admin_step call_import(struct admin_turn *turn, struct exchange *x);

/* admin_suppressions.c */
enum admin_step call_suppressions(struct admin_turn *turn, struct exchange *x);
enum admin_step call_suppress(struct admin_turn *turn, struct exchange *x);
enum admin_step call_unsuppress(struct admin_turn *turn, struct exchange *x);

/* admin_erase.c */
enum admin_step call_erase(struct admin_turn *turn, struct exchange *x);
enum admin_step call_erasures(struct admin_turn *turn, struct exchange *x);
enum admin_step call_erasure(struct admin_turn *turn, struct exchange *x);

/* What the path's first part names: what memory knows of that job (admin_jobs.c); its view from disk, and the answer. */
void exchange_job(struct admin_turn *turn, struct exchange *x, bool with_line, struct lookup_job *job);
void exchange_fill_job(struct admin_turn *turn, const struct job_view *view, bool with_line, struct lookup_job *job);
enum admin_step exchange_ask_job(struct admin_turn *turn, struct exchange *x, enum lookup_form form);
enum admin_step exchange_answer_job(struct admin_turn *turn, struct exchange *x);

/* admin_dead.c */
enum admin_step call_dead(struct admin_turn *turn, struct exchange *x);
enum admin_step call_requeue(struct admin_turn *turn, struct exchange *x);
enum admin_step call_requeue_many(struct admin_turn *turn, struct exchange *x);

/* admin_triage.c; route.detail is the enum triage */
enum admin_step call_triage(struct admin_turn *turn, struct exchange *x);
enum admin_step call_export(struct admin_turn *turn, struct exchange *x);

/* admin_line.c; route.detail: 1 cordon, 0 uncordon */
enum admin_step call_cordon(struct admin_turn *turn, struct exchange *x);
enum admin_step call_reputation(struct admin_turn *turn, struct exchange *x);
enum admin_step call_reputation_end(struct admin_turn *turn, struct exchange *x);

/* admin_drain.c */
enum admin_step call_drain(struct admin_turn *turn, struct exchange *x);
enum admin_step call_drain_stop(struct admin_turn *turn, struct exchange *x);

/* admin_pause.c; route.detail is the enum pause_scope */
struct pause_target { /* what a path's parts name, as core_pause() takes it */
    enum pause_scope scope;
    uint64_t target;
    uint32_t pool;               /* of a conversation */
    char name[PAUSE_NAME_BYTES]; /* of a conversation */
    const char *shown;           /* for the log; the target's own, or lent */
    char text[HANDLE_MAX_BYTES + 1];
};
enum code pause_target_find(struct admin_turn *turn, const struct exchange *x, enum pause_scope scope,
                            char *const parts[2], struct pause_target *target);
enum admin_step call_pause(struct admin_turn *turn, struct exchange *x);
enum admin_step call_resume(struct admin_turn *turn, struct exchange *x);

#endif
