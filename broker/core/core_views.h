/* core_views.h — bounded reading, for STATUS, the admin API and metrics: jobs, the backlog, conversations, lines,
 * suppressions, pauses, campaigns, workers, pools, accounts and the whole. */
#ifndef LINEWARD_CORE_CORE_VIEWS_H
#define LINEWARD_CORE_CORE_VIEWS_H

#include "broker/core/core_effects.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/words.h"

struct core;

struct chat_view { /* what is known of a conversation's chat; moments 0: never */
    enum chat_health health;
    int64_t health_at_ms;            /* of the provider's word */
    int64_t last_out_ms, last_in_ms; /* messages; whole seconds, whole minutes */
    unsigned unanswered;             /* messages out since the last one in; CHAT_UNANSWERED_MAX: that many or more */
};
#define CHAT_UNANSWERED_MAX 15

enum budget { /* in the order of their reasons */
    BUDGET_NEW_CONVERSATIONS,
    BUDGET_RECIPIENTS,
    BUDGET_DAILY,
    BUDGET_GROWTH,
    BUDGET_PAIR, /* of a conversation */
    BUDGET_COUNT
};

struct budget_state {
    unsigned used;
    int64_t limit; /* 0: none */
};

struct job_view {
    uint64_t number, place; /* place: of its CHANGE_JOB; STORE_NOWHERE-like UINT64_MAX while not durable yet */
    uint64_t line;          /* 0: none */
    enum job_state state;
    enum reason reason;
    int64_t since_ms, due_ms, expires_ms;
    unsigned attempts;
    bool cancel_asked, unsettled;
    bool yielded; /* it waits for its campaign, out of the way of its conversation: counted with no line */
    uint64_t conversation_place; /* of its CHANGE_CONVERSATION; UINT64_MAX: none */
    uint32_t pool;
    enum job_class class;
    uint16_t campaign;     /* core_name(); 0: none */
    uint64_t sequence;     /* counted by acceptance ... */
    uint64_t came;         /* ... or, of a dead letter, since it came back: core_accept_mark() */
    uint64_t order;        /* its place among the jobs of its class in its conversation */
    uint32_t conversation; /* an index below core_held_conversations(), to tell them apart */
    struct chat_view chat;
    const char *zone; /* as core_zone() got it; NULL: not known */
    /* why */
    uint32_t ahead;          /* jobs before it in its conversation */
    int64_t release_at_ms;   /* an estimate; 0: unknown */
    uint64_t pause;          /* that stops it, 0: none */
    const struct change_pause *paused; /* it; NULL: none. Lent until the core is called again */
    struct budget_state budget; /* that stops it, if the reason is one */
};
/* False: not a live job (look in the history). */
bool core_job_view(struct core *core, uint64_t number, struct instant now, struct job_view *out);
/* The same, as lists have it: no further than a few jobs are looked at. */
bool core_job_glance(struct core *core, uint64_t number, struct instant now, struct job_view *out);
/* The number behind a remembered producer id, 0: none. */
uint64_t core_job_by_id(const struct core *core, uint64_t id_hash);
/* The event of the last end of a job; 0: none is known. */
uint64_t core_ended_seq(const struct core *core);
/* Live jobs from slot *cursor on, at most `limit` visited slots; advances *cursor; false: the end was reached.
 * `visit` gets each live job's view. */
bool core_jobs_walk(struct core *core, uint32_t *cursor, uint32_t limit, struct instant now,
                    void (*visit)(void *self, const struct job_view *view), void *self);

/* ---- all that stops or slows, not only the first of it ---- */

#define CAUSES_MAX 32
struct cause {
    enum code code;          /* NONE: `reason` says; unknown_line: it is another pool's; line_conflict: it lives on `line` */
    enum reason reason;
    int64_t release_at_ms;   /* 0: open */
    const struct change_pause *paused; /* NULL: none. Lent until the core is called again */
    struct budget_state budget;
    uint64_t line;
};
/* Why the line is not open, or takes no new conversations, in the contract's order. Returns how many. */
size_t core_line_causes(const struct core *core, size_t line_index, struct instant now, struct cause out[CAUSES_MAX]);
/* Why the job would not go on that line now. 0: nothing speaks against it, or it is leased. False: not a live job. */
bool core_job_causes(const struct core *core, uint64_t number, size_t line_index, struct instant now,
                     struct cause out[CAUSES_MAX], size_t *count);

/* ---- the backlog, job by job ---- */

#define SHAPE_LIMITS  9
#define SHAPE_MINUTES {5, 10, 20, 40, 80, 160, 320, 640, 1280}
#define SHAPE_AGES    (SHAPE_LIMITS + 1) /* younger than each of these, and the rest */
struct core_shape { /* how far a walk is; the caller's memory */
    struct instant now;
    uint64_t younger[SHAPE_LIMITS];
    size_t line;
    uint32_t slot;
    uint32_t pool;       /* whose new conversations ... */
    enum reason waits;   /* ... wait for this; NONE: not asked yet */
};
struct shape_job {
    uint32_t pool;
    size_t line;       /* its index; SIZE_MAX: none yet */
    uint16_t campaign; /* core_name(); 0: none */
    enum reason reason; /* its own or its conversation's, else that of its line or pool */
    unsigned age;       /* since it was accepted or fell due: which of SHAPE_AGES */
};
struct waiting_job {
    size_t line;     /* that its conversation lives on, or is pinned to; SIZE_MAX: none yet */
    uint64_t order;  /* its place in the order of acceptance, and of falling due */
    bool is_unknown; /* its last try had an outcome that nobody knows, or it waits for a person to say (backup.h) */
};
/* The jobs that are due and wait, from slot *cursor on (0 first), at most `limit` visited slots. Advances *cursor; false:
 * the end was reached. */
bool core_waiting_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                       void (*visit)(void *self, const struct waiting_job *job), void *self);
/* When a job with that place was accepted, or fell due, to the minute; of one that is older than is remembered (22 h) the
 * earliest minute that is. 0: nothing is known. */
int64_t core_order_at_ms(const struct core *core, uint64_t order);
void core_shape_begin(const struct core *core, struct instant now, struct core_shape *shape);
/* First the reasons of the lines, `count` more; returns how many are left. `reasons` has room for those there were. */
size_t core_shape_lines(const struct core *core, struct core_shape *shape, uint8_t *reasons, size_t room, size_t count);
/* Then the jobs that wait, `slots` further on. False: the end was reached. */
bool core_shape_walk(struct core *core, struct core_shape *shape, const uint8_t *reasons, size_t room, uint32_t slots,
                     void (*visit)(void *self, const struct shape_job *job), void *self);

#define CONVERSATION_PAUSES_SHOWN 8
struct conversation_view {
    uint64_t key;
    uint64_t place;     /* of its CHANGE_CONVERSATION; UINT64_MAX: it has none that is durable */
    uint64_t job_place; /* of the CHANGE_JOB of one that waits in it; UINT64_MAX: none that is durable */
    uint64_t line;      /* where it lives, or waits for; 0: not placed yet */
    bool recorded;      /* it has a record, if maybe not a durable one yet */
    bool placed;        /* lives there for good */
    uint32_t pool;
    enum chat_health health;
    unsigned streak; /* messages since the last answer */
    int64_t last_out_ms, last_in_ms; /* 0: never, or not known */
    uint32_t waiting, leased;        /* jobs; those that are not due yet count as waiting */
    uint64_t pauses[CONVERSATION_PAUSES_SHOWN]; /* that lie on it, the rest 0 */
};
#define CONVERSATION_COUNTED_MAX 20000 /* jobs looked at for one view: `waiting` says no more */
bool core_conversation_view(const struct core *core, uint64_t key, struct conversation_view *out);
/* Conversations that live somewhere, from slot *cursor on (0 first), at most `limit` visited slots; `waiting` counts no
 * further than 64. Advances *cursor; false: the end was reached. */
bool core_conversations_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                             void (*visit)(void *self, const struct conversation_view *view), void *self);

/* Messages out of today and the six days before it (UTC), and those of them that were answered. */
struct reply_counts {
    uint64_t sent, answered;
};
/* False: there is no such line, or (from 0 on) campaign. *pool is UINT32_MAX for one that belongs to none configured. */
bool core_line_replies(const struct core *core, size_t line, struct instant now, uint32_t *pool, struct reply_counts *out);
bool core_campaign_replies(const struct core *core, uint32_t at, struct instant now, uint32_t *pool,
                           struct reply_counts *out);
struct reply_counts core_pool_replies(const struct core *core, uint32_t pool, enum job_class class, struct instant now);

struct line_view {
    uint64_t number;
    uint32_t account, pool; /* conf indices; UINT32_MAX: none */
    enum reputation status, previous, proven;
    enum source source;
    enum service service;
    enum gate gate;
    enum reason reason; /* why it is not open */
    int64_t changed_at_ms, heard_at_ms, gate_since_ms, first_seen_ms, oldest_at_ms;
    bool cordoned;
    const struct change_orders *orders; /* lent until the core is called again; NULL: none were ever given */
    bool by_operator; /* status, proven and changed_at are the operator's; provider_status the provider's word */
    enum reputation provider_status;
    double pace_per_min; /* as in force now; 0: closed; -1: without limit */
    unsigned ramp_percent;
    unsigned messages_used, fresh_used, recipients_used, out_used;
    int64_t messages_limit, fresh_limit, recipients_limit, growth_limit, pair_limit; /* 0: none */
    uint32_t backlog_queued, backlog_held, backlog_leased, backlog_by_class[CLASS_COUNT];
    uint64_t sent_total;
    struct reply_counts replies;
    int64_t drain_eta_ms; /* 0: nobody can say, or nothing is drained at a pace */
};
size_t core_line_count(const struct core *core);
uint64_t core_line_number(const struct core *core, size_t index); /* digits; of one that there is */
bool core_line_view(struct core *core, size_t index, struct instant now, struct line_view *out);
bool core_line_find(const struct core *core, uint64_t number, size_t *index);

struct suppression_view {
    uint32_t account;       /* conf index */
    enum suppress cause;    /* of all that hold, the one that is hardest to lift */
    unsigned causes;        /* bit mask of enum suppress */
    int64_t since_ms;
    struct suppression_text text;
};
/* The one of that recipient (keyed hash of account and handle); false: there is none. */
bool core_suppression_view(const struct core *core, uint32_t account, uint64_t recipient, struct suppression_view *out);
/* What is kept of the first of these conversations that opted out before they were forgotten; false: of none. */
bool core_suppression_kept(const struct core *core, uint32_t account, const uint64_t *conversations, size_t count,
                           struct suppression_view *out);
/* Those of the account, from slot *cursor on (0 first), at most `limit` visited slots. Advances *cursor; false: the end
 * was reached. */
bool core_suppressions_walk(const struct core *core, uint32_t account, uint32_t *cursor, uint32_t limit,
                            void (*visit)(void *self, const struct suppression_view *view), void *self);

struct pause_view {
    struct change_pause pause;
    const char *name; /* of the account, pool or campaign; NULL: the change itself says */
    const char *pool; /* of a campaign or a conversation */
    uint32_t first;   /* the slot of the oldest pause on the same thing, and its number */
    uint64_t first_id;
};
struct held_job { /* a queued job on which a pause lies */
    uint64_t number;
    uint32_t conversation; /* an index below core_held_conversations(), to tell them apart */
    uint32_t pauses[PAUSE_SCOPE_COUNT]; /* of each scope the slot of the oldest one that lies on it, 0: none */
};
/* Those from slot *cursor on (0 first), at most `limit` visited slots, each some tens of nanoseconds. Advances *cursor;
 * false: the end was reached. */
bool core_held_walk(const struct core *core, uint32_t *cursor, uint32_t limit,
                    void (*visit)(void *self, const struct held_job *job), void *self);
uint32_t core_held_conversations(const struct core *core);
uint64_t core_pause_id(const struct core *core, uint32_t slot);
uint32_t core_pauses_max(const struct core *core); /* slots of pauses are below */
uint64_t core_next_pause(const struct core *core); /* the number that the next one gets */

/* At most `room` pauses from *cursor on (0 first). Returns how many. */
size_t core_pauses(const struct core *core, uint32_t *cursor, struct pause_view *out, size_t room);

struct campaign_view { /* the jobs of one campaign in one pool */
    uint32_t pool;    /* conf index; UINT32_MAX: of a pool that is no longer configured */
    const char *name;
    bool paused;
    uint64_t accepted, waiting, leased; /* waiting ones may be scheduled, queued or held */
    uint64_t ended[ENDS];               /* by state, from JOB_SENT on */
};
/* The campaign at that index (from 0, in the order in which they were first heard of); false: there is none. */
bool core_campaign_view(const struct core *core, uint32_t index, struct campaign_view *out);

/* How far the pool's outcome webhooks were taken (index in the configuration); NULL: nothing is known of it. Lent until
 * the next core_outcomes_set() of it. */
const struct change_outcomes *core_outcomes(const struct core *core, uint32_t pool);
/* What is to be known after a restart; `pool` in it is filled in. */
void core_outcomes_set(struct core *core, uint32_t pool, const struct change_outcomes *mark, struct instant now,
                       struct effects *out);

struct worker_view {
    char worker[NAME_MAX_BYTES + 1];
    uint64_t instance;
    uint32_t peer, slots, in_flight;
    int64_t last_seen_ms_ago;
    bool leaving;
};
/* The next worker from *cursor on (0 first; slots, so that one who leaves moves none of the others). False: no more. */
bool core_worker_view(const struct core *core, uint32_t *cursor, struct instant now, struct worker_view *out);
/* May that worker be given leases of the pool? */
bool core_worker_serves(const struct core *core, uint32_t peer, uint32_t pool);

struct pool_view {
    uint32_t account;
    uint32_t lines, lines_open, lines_slow, lines_closed;
    uint64_t unplaced; /* jobs of new conversations that wait for a line */
    uint64_t scheduled, waiting, leased;
    bool paused;
};
/* By conf index; false: it is not in the configuration any more, and no job of it is left. */
bool core_pool_view(struct core *core, uint32_t pool, struct pool_view *out);

struct account_view {
    bool key_refused; /* by the provider: nothing is sent or polled well before another one is there */
    bool down;        /* the breaker is open */
    int64_t heard_at_ms; /* when any of its lines was last heard of; 0: never */
};
/* By conf index; false: the account is not in the configuration any more. */
bool core_account_view(const struct core *core, uint32_t account, struct account_view *out);

struct core_status {
    uint64_t jobs, scheduled, queued, leased, conversations, remembered, free_slots, slots;
    uint64_t accepted_total, sent_total, failed_total, expired_total, cancelled_total, suppressed_total,
        retried_total, lapsed_total, refused_total;
    uint32_t lines, workers, leases;
    uint32_t lines_by_gate[GATE_COUNT];
    uint64_t backlog_by_reason[REASON_COUNT]; /* jobs by the reason of their line or pool; heads that wait for something
                                                 of their own are counted with their line's */
    bool reputation_known; /* every account was polled well once, or is known from before and not blind */
    uint64_t next_seq;
    uint64_t dedupe_dropped_early;
};
uint64_t core_next_seq(const struct core *core); /* the number that the next event gets */
/* All but what waits for what (backlog_by_reason has but what is not due). Looks at no line. */
void core_totals_read(struct core *core, struct instant now, struct core_status *out);
/* Adds what waits for what, from *cursor on ({0} first): at most `limit` lines, then pools, each of which may look at every
 * line and counts as many. Advances *cursor; false: the end was reached. */
struct backlog_cursor {
    uint32_t line, pool;
};
#define BACKLOG_POOL_COSTS 1024
bool core_backlog_walk(struct core *core, struct backlog_cursor *cursor, uint32_t limit, struct instant now,
                       struct core_status *out);
/* Both in one go, for who can wait. */
void core_status_read(struct core *core, struct instant now, struct core_status *out);

const char *core_name(const struct core *core, enum name_kind kind, uint16_t number); /* NULL: unknown */
uint32_t core_pool_of_name(const struct core *core, uint16_t number); /* conf index, UINT32_MAX: not configured */
/* Was this key given to this job by us? */
bool core_key_is_ours(const struct core *core, uint64_t number, const uint8_t random[KEY_RANDOM_BYTES]);
void core_key_random(const struct core *core, uint64_t number, uint8_t out[KEY_RANDOM_BYTES]);
struct lease_view {
    uint64_t lease, number, place, line, conversation_place;
    uint32_t peer, account, pool; /* account UINT32_MAX: it is not in the configuration; it has its name all the same */
    const char *account_name;     /* NULL: a line that was never heard of */
    unsigned attempt;
    bool unsettled;
    bool recorded; /* its conversation has a record; with conversation_place UINT64_MAX it is just being written */
    int64_t lease_ms, expires_ms;
};
bool core_lease_view(const struct core *core, uint64_t lease, struct lease_view *out);

#endif
