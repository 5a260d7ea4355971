/* core.h — everything Lineward decides: jobs, conversations, lines, pools, leases. PURE and deterministic: no I/O,
 * no clock, no allocation after core_new(), no randomness but the seed given, no log.
 *
 * Time and facts come in with each call; out go *effects*: changes to be remembered and messages to be sent once
 * those changes are durable. One thread owns a core. The same core runs in the broker, in the tests and in
 * simulation.
 *
 * Memory: all tables are taken from `core_memory` in core_new(), as address space that is only touched when used. */
#ifndef LINEWARD_CORE_H
#define LINEWARD_CORE_H

#include "change.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/words.h"

struct core;
struct effects;

struct core_limits {
    uint32_t jobs_max, conversations_max, lines_max, leases_max, workers_max, pauses_max, names_max;
    uint64_t remembered_max; /* producer ids and webhook event ids */
};

struct core_memory {
    void *(*take)(void *self, size_t bytes); /* zeroed, 16-byte aligned, kept for the core's life; NULL: no more */
    void *self;
};

/* The core copies what it needs of `conf` (pools, policies, accounts, broker.jobs_max ...). */
enum err core_new(struct core **out, const struct core_limits *limits, const struct core_memory *memory,
                  const struct conf *conf, uint64_t seed);

/* Takes another configuration, in which every pool and account that was there has its index still (conf_follow()); lent
 * like the one before. A pool gone keeps its jobs, held. Changes nothing and answers ERR_FULL: so many pools more need a
 * restart; ERR_BUSY: a pool is new of which an earlier start left jobs behind: only a restart finds them. */
enum err core_reconfigure(struct core *core, const struct conf *conf, struct instant now, struct effects *out);

/* ---- effects: what a step wants done ---- */

enum effect_kind {
    /* after the step's changes are durable */
    EFFECT_ENQUEUED, /* token, index: the answer for one job */
    EFFECT_CANCELLED, /* token, index: the answer to CANCEL of a live job (look the view up afterwards) */
    EFFECT_JOB,     /* peer, lease: hand the job out, if core_lease_send() still says so */
    EFFECT_DONE,    /* peer, lease */
    EFFECT_READY,   /* peer */
    EFFECT_ANSWER,  /* token, code: a webhook or an operator's call is durable */
    EFFECT_ADOPTED, /* token, index: the answer for one conversation */
    /* at once */
    EFFECT_REVOKE,         /* peer, lease */
    EFFECT_UNKNOWN_WORKER, /* peer: ERR unknown_worker */
    EFFECT_POLL,           /* account (conf index): poll now */
    EFFECT_ALERT,          /* alert, line or account: for the log */
    EFFECT_SERVICE,        /* line, account, index: an error has flagged it (1), or its probe has lifted that (0) */
};

enum alert { ALERT_KEY_REFUSED, ALERT_LINE_UNKNOWN_WORD, ALERT_BREAKER_OPEN, ALERT_BREAKER_CLOSED, ALERT_LEASE_LAPSED,
             ALERT_WORKER_GONE, ALERT_LINE_FLAGGED, ALERT_LINE_GONE, ALERT_DEDUPE_FULL, ALERT_DRAIN_STOPPED,
             ALERT_DRAIN_DONE, ALERT_COUNT };

struct effect {
    enum effect_kind kind;
    uint64_t token;
    uint32_t index;
    uint32_t peer;
    uint64_t lease, number, line;
    uint32_t account;
    enum alert alert;
    /* EFFECT_ENQUEUED, EFFECT_CANCELLED, EFFECT_ANSWER, EFFECT_ADOPTED */
    enum code code;
    const char *field;  /* static; which field the code is about, NULL: none */
    enum job_state state; /* as stored; NONE with `duplicate`: final, look in the history */
    enum reason reason;   /* reason_holds(): the state is called `held` */
    bool duplicate;       /* ADOPTED: it was known to live there already */
    uint64_t pause;
};

#define EFFECTS_CHANGES_MAX 65536
#define EFFECTS_MAX 65536

struct effects { /* the caller's; cleared by the caller; filled by each call. Never overflows: see core_room() */
    struct change *changes;
    size_t change_count, change_room;
    struct effect *effects;
    size_t effect_count, effect_room;
};

/* ---- events: what happened ---- */

struct core_enqueue {
    uint64_t token;
    uint32_t index;
    uint32_t pool;         /* index of conf.pools */
    uint64_t conversation; /* keyed hash of pool and recipients */
    uint64_t id_hash;      /* keyed hash of pool and producer id; 0: none */
    uint64_t content_hash; /* keyed hash of recipients as a set, from, message as JSON values */
    uint64_t from_line;    /* E.164 digits; 0: not pinned */
    uint64_t recipient;    /* keyed hash of account and handle of a direct message; 0: a group */
    uint64_t chat_hash;    /* of a given chat_id; 0: none */
    uint16_t campaign;     /* name number, 0: none */
    uint16_t zone;         /* core_zone() of its recipients, 0: not known */
    uint16_t area;         /* the first AREA_DIGITS digits of the recipient's number; 0: a group, or no number */
    uint64_t collapse;     /* keyed hash of conversation and collapse key, 0: none */
    bool exported;         /* it is another one's that was accepted before: ... */
    uint64_t exported_as;  /* ... that job's number, 0: a job of another broker's */
    enum job_class class;
    int64_t due_ms, expires_ms; /* 0: none */
    bool fail_if_held, has_link;
    struct span recipients, envelope, payload; /* JSON */
    struct span chat_id;                       /* JSON string; empty: none given */
};

/* Accepts or refuses one job; EFFECT_ENQUEUED says which. A refusal changes nothing. `store_full`: the store takes
 * no new jobs now. */
void core_enqueue(struct core *core, const struct core_enqueue *job, bool store_full, struct instant now,
                  struct effects *out);

/* Cancels a live job. EFFECT_CANCELLED with code not_found if it is not live. */
void core_cancel(struct core *core, uint64_t token, uint32_t index, uint64_t number, struct instant now,
                 struct effects *out);

struct core_adopt { /* a conversation that exists at the provider already */
    uint64_t token;
    uint32_t index;
    uint32_t pool;         /* index of conf.pools */
    uint64_t conversation; /* keyed hash of pool and recipients */
    uint64_t line;         /* E.164 digits: where it lives */
    uint64_t chat_hash;    /* 0: its chat id is not known */
    enum chat_health health; /* UNKNOWN: not told */
    int64_t health_at_ms, last_out_ms, last_in_ms; /* 0: not known */
    struct span recipients, chat_id; /* JSON; no chat id: empty */
};

/* Takes over a conversation without a job of it: from now on it lives on that line, is sent to with its chat id and
 * spends no new-conversation budget. EFFECT_ADOPTED says how that went, and on which line it lives. What is known of
 * it already is kept: that it lives elsewhere (line_conflict, field `line`) or has another chat (field `chat_id`). To
 * say it again changes nothing. */
void core_adopt(struct core *core, const struct core_adopt *adopt, bool store_full, struct instant now,
                struct effects *out);

struct core_ready {
    uint32_t peer;
    uint64_t instance;
    uint32_t slots;
    const uint64_t *leases; /* begun, or RESULT without DONE */
    size_t lease_count;
    bool some_pools; /* leases of these pools only (indices of conf.pools); else of all */
    const uint32_t *pools;
    size_t pool_count;
    char worker[NAME_MAX_BYTES + 1];
};
void core_worker_ready(struct core *core, const struct core_ready *ready, struct instant now, struct effects *out);
/* Any frame of a peer that is READY: a sign of life. False: unknown (EFFECT_UNKNOWN_WORKER was added). */
bool core_worker_alive(struct core *core, uint32_t peer, struct instant now, struct effects *out);
void core_worker_bye(struct core *core, uint32_t peer, struct instant now, struct effects *out);
/* The edge can no longer reach the peer. */
void core_worker_gone(struct core *core, uint32_t peer, struct instant now, struct effects *out);

struct core_result {
    uint32_t peer;
    uint64_t lease;
    enum outcome outcome;
    bool unknown, line_flagged, forget_chat, key_refused;
    enum scope scope;
    enum suppress suppress;
    int64_t retry_after_ms; /* -1: none */
    int http_status;
    int64_t code;
    uint64_t chat_hash;  /* of the chat id, 0: none */
    uint64_t message_hash; /* of the message id, 0: none */
    uint64_t recipient;    /* with suppress: keyed hash of account and handle; 0: a group */
    const char *handle;    /* that recipient; NULL: none */
    const uint64_t *homes; /* its direct conversations, one of each pool of the account: what waits there ends */
    size_t home_count;
    struct span chat_id; /* JSON string, for the conversation's record */
    struct span result;  /* JSON object for the job's view: message_id, error ... */
    bool malformed;      /* made no sense: treated as an unknown outcome */
};
void core_worker_result(struct core *core, const struct core_result *result, struct instant now,
                        struct effects *out);

/* The JOB of this lease is about to be sent: true, its time runs from now; false: the lease is over, send nothing. */
bool core_lease_send(struct core *core, uint64_t lease, struct instant now);
/* Before that: has the recipient (keyed hash of account and handle, as read from the store; 0: a group), or the
 * conversation, opted out since the job was accepted? Then the job ends as suppressed and nothing may be sent: true. A job whose outcome is
 * unknown goes on: only the provider can say what became of it. */
bool core_lease_suppressed(struct core *core, uint64_t lease, uint64_t recipient, struct instant now,
                           struct effects *out);
/* It could not be sent (the peer's queue is full, or it is gone): the job goes back, nothing was begun. */
void core_lease_unsent(struct core *core, uint64_t lease, struct instant now, struct effects *out);

struct core_line_fact {
    uint32_t account; /* index of conf.accounts */
    uint64_t number;
    bool has_reputation, has_service;
    enum reputation reputation;
    enum service service;
    /* webhook */
    int64_t changed_at_ms, arrived_mono_ms;
    uint64_t event; /* keyed hash of the event id */
    /* poll */
    uint64_t poll;
    int64_t begun_mono_ms;
    bool cached;
};
/* A status webhook. EFFECT_ANSWER with `token` once durable; a known event id changes nothing. */
void core_line_told(struct core *core, uint64_t token, const struct core_line_fact *fact, struct instant now,
                    struct effects *out);
/* One line of a good poll, then the poll's end. */
void core_line_polled(struct core *core, const struct core_line_fact *fact, struct instant now,
                      struct effects *out);
/* The same where a cache that several brokers share decides: only what tightens, and at once. It answers nobody, and does
 * not remember the event, for whether it is new is the cache's to say. True: the line is worse than before. */
bool core_line_warned(struct core *core, const struct core_line_fact *fact, struct instant now, struct effects *out);
/* The cache has heard of that event. */
void core_event_shared(struct core *core, uint64_t event, struct instant now, struct effects *out);

/* What a cache that several brokers share has made of a line (DESIGN section 3, "The reputation cache"). */
struct moments;
struct core_line_shared {
    uint32_t account;
    const struct change_line *known; /* its words, and when; the rest does not count */
    const struct moments *moments;   /* on our steady clock */
    int64_t heard_mono_ms;           /* of the line */
    uint64_t version;                /* what is of an older one than was taken over is passed by */
    int64_t tightened_ms;            /* moments->tightened, on the cache's clock */
    bool only_worse; /* it does not know yet what was told here since: nothing better is taken over */
    uint64_t token;  /* EFFECT_ANSWER once durable; 0: nobody waits */
};
void core_line_shared(struct core *core, const struct core_line_shared *shared, struct instant now,
                      struct effects *out);

/* The words of a line, and when each was said on our steady clock. False: it is not known. */
struct line_words {
    const struct change_line *known;
    const struct moments *moments; /* both lent until the core is called again */
    /* When it became worse, on the clock of the cache that has said so; NEVER_SAID: this broker has found that out. Two
     * clocks drift, so what is compared later must be what was said. */
    int64_t shared_tightened_ms;
};
bool core_line_words(const struct core *core, uint64_t number, struct line_words *out);

/* The lines of an account, one after the other: from *at on, which is set to it. False: there is none any more. */
bool core_line_of_account(const struct core *core, uint32_t account, uint32_t *at, uint64_t *number);

struct core_poll {
    uint32_t account;
    uint64_t poll; /* 0: who was missing has been told already */
    int64_t begun_mono_ms;
    bool ok, cached, key_refused;
};
void core_poll_ended(struct core *core, const struct core_poll *poll, struct instant now, struct effects *out);

struct core_message_fact { /* message.* webhooks */
    uint64_t token;
    uint64_t event;
    uint32_t account;
    enum { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ, MESSAGE_FAILED, MESSAGE_RECEIVED, MESSAGE_CHAT } what;
    uint64_t number; /* of the echoed key, 0: none (its random part is checked by core_key_is_ours()) */
    uint64_t chat_hash, recipient, message_hash;
    const char *handle; /* the recipient; NULL: a group, or not told */
    /* In: keys of the direct conversations that the recipient may have, one for each of the account's pools. */
    const uint64_t *homes;
    size_t home_count;
    uint64_t line;
    bool has_health, opt_out, inbound, reconciled;
    enum chat_health health;
    int64_t health_at_ms, at_ms, code;
    struct span result; /* JSON object with message_id, chat_id for an outcome that this settles */
};
void core_message_told(struct core *core, const struct core_message_fact *fact, struct instant now,
                       struct effects *out);

struct core_pause {
    uint64_t token;
    enum pause_scope scope;
    /* Line digits; conf index of the account or pool; conf index of the pool << 16 | core_campaign_find(); a
     * conversation's key, as in core_enqueue (it need not be known yet). */
    uint64_t target;
    uint32_t pool;    /* of a conversation, conf index */
    const char *name; /* of a conversation: its recipients, comma list */
    int64_t for_ms;         /* 0: until resumed */
    const char *reason, *by;
};
void core_pause(struct core *core, const struct core_pause *pause, struct instant now, struct effects *out);
/* pause 0: all of that scope and target. EFFECT_ANSWER not_found when there was none. */
void core_resume(struct core *core, uint64_t token, enum pause_scope scope, uint64_t target, uint64_t pause,
                 struct instant now, struct effects *out);

/* The pauses that lie on exactly that (scope and target as in core_pause), the youngest first, at most `room` of them, lent
 * until the core is called again. Returns how many there are, which may be more. */
size_t core_pauses_on(const struct core *core, enum pause_scope scope, uint64_t target, const struct change_pause **out,
                      size_t room);

/* Says whether the pauses in force are the same as before: another number with each that begins or ends. */
uint64_t core_pauses_mark(const struct core *core);

struct core_suppress { /* an operator's word about a recipient */
    uint64_t token;
    uint32_t account;
    uint64_t recipient; /* keyed hash of account and handle */
    const char *handle, *reason, *by;
    const uint64_t *conversations; /* its direct ones, one of each pool of the account: what waits there ends */
    size_t conversation_count;
};
/* EFFECT_ANSWER. To say it again gives it another reason. */
void core_suppress(struct core *core, const struct core_suppress *suppress, struct instant now, struct effects *out);
/* Whatever the cause; `reason` and `by` are not asked for. Recipient 0: of a group, what is kept of its forgotten
 * conversations. EFFECT_ANSWER not_found when there was none. */
void core_unsuppress(struct core *core, const struct core_suppress *suppress, struct instant now, struct effects *out);

/* What the brokers of the account know together of a recipient: taken over as it is. */
struct core_suppression_shared {
    uint32_t account;
    uint64_t recipient;                /* keyed hash of account and handle */
    const char *handle;                /* NULL: their name is not kept; taken only for one who is not known yet */
    int64_t since_ms[SUPPRESS_COUNT];  /* of each cause that holds; 0: it does not */
    int64_t ended_ms[SUPPRESS_COUNT];  /* of each that was ended: the newest that was; 0: none was */
    bool only_more;                    /* what holds here and not there has not been told yet: it stays */
    const uint64_t *conversations;     /* as in core_suppress */
    size_t conversation_count;
};
/* What holds here ends if just that was ended there. *untold: causes that hold here, and that they have never heard of.
 * False: the table is full. */
bool core_suppression_shared(struct core *core, const struct core_suppression_shared *shared, unsigned *untold,
                             struct instant now, struct effects *out);
/* The conf index of the account whose name has that number; UINT32_MAX: there is none. */
uint32_t core_account_named(const struct core *core, uint64_t name);

/* Goes through the texts that are kept for people (of pauses, suppressions, an operator's reputations), a slice each time;
 * zeros begin. `mask` changes one in place, never makes it longer, and says whether it did: what it belongs to is written
 * anew. False: that was all. */
struct core_rewording {
    uint32_t pause, suppression, line; /* looked at so far */
};
bool core_reword(struct core *core, struct core_rewording *at, bool (*mask)(void *self, char *text), void *self,
                 struct instant now, struct effects *out);

/* ---- erasing a recipient ---- */

struct core_erase {
    uint64_t token;
    uint64_t person;            /* keyed hash of the handle alone */
    const uint64_t *recipients; /* of each account and the handle */
    size_t recipient_count;
    const uint64_t *keys; /* of the direct conversations that there may be */
    size_t key_count;
    bool dry_run; /* only counts; forgotten by the next start */
    const char *by;
};
/* EFFECT_ANSWER with the order's number in `number`; the one that is under way for that recipient, if there is one. busy:
 * there are too many. It goes on by itself, over restarts too: the shell does its part (core_erasure_task), jobs are
 * cancelled, and where one was with a worker or its outcome is not known it is waited for. */
void core_erase(struct core *core, const struct core_erase *ask, struct instant now, struct effects *out);
/* Is that one being erased? Then no job to them is to be offered. */
bool core_erases(const struct core *core, uint64_t person);
bool core_is_erasing(const struct core *core); /* anybody */
struct erasure_task { /* what the shell is to do now */
    uint64_t id;
    bool rewrites; /* overwrite what names them or belongs to these conversations; else find the conversations */
    uint64_t person;
    const uint64_t *keys; /* sorted; lent until the core is called again */
    size_t key_count;
};
/* False: nothing now. A rewriting must not begin before all that the core said so far is durable. */
bool core_erasure_task(const struct core *core, struct erasure_task *out);
struct erasure_found {
    uint64_t id;
    const uint64_t *keys;
    size_t key_count;
    bool more; /* than there was room for */
    uint64_t records; /* that name them */
};
void core_erasure_found(struct core *core, const struct erasure_found *found, struct instant now, struct effects *out);
/* `more`: some of it could not be overwritten, for its conversation is not among those in hand: another round follows. */
void core_erasure_rewritten(struct core *core, uint64_t id, uint64_t records, bool more, struct instant now,
                            struct effects *out);
struct erasure_view {
    uint64_t id;
    enum erasure_state state;
    bool dry_run;
    int64_t begun_ms, done_ms; /* 0: not yet */
    uint64_t jobs, jobs_out;   /* ended so far; and still with a worker, or of unknown outcome */
    uint64_t conversations, records;
    const char *by; /* lent until the core is called again */
};
bool core_erasure_view(const struct core *core, uint64_t id, struct erasure_view *out);
/* The newest order before that number (UINT64_MAX: of all); 0: none. */
uint64_t core_erasure_before(const struct core *core, uint64_t id);

/* ---- what an operator says; EFFECT_ANSWER with `token` once durable ---- */

/* A person's word on an unknown outcome. `was_sent`: the job ends as sent, `result` (JSON object) is kept with it; else
 * it waits for its next try like any job, with its key and on its line. not_found: not live; not_allowed: its outcome is
 * not unknown. */
void core_settle(struct core *core, uint64_t token, uint64_t number, bool was_sent, struct span result,
                 struct instant now, struct effects *out);
/* The line takes no new conversations (or does again); those it has go on. unknown_line. */
void core_cordon(struct core *core, uint64_t token, uint64_t line, bool on, struct instant now, struct effects *out);

/* The operator's reputation of a line, instead of the provider's, for a while. What the provider says goes on being
 * remembered, and counts again when the while is over or core_reputation_end() ends it. */
struct core_word {
    uint64_t token;
    uint64_t line; /* digits */
    enum reputation status; /* not UNKNOWN */
    int64_t for_ms;
    const char *reason, *by;
    bool may_better; /* else a status that is better than the provider's is refused: forbidden */
};
void core_reputation(struct core *core, const struct core_word *word, struct instant now, struct effects *out);
void core_reputation_end(struct core *core, uint64_t token, uint64_t line, struct instant now, struct effects *out);

/* The conversation with this key lives on that line of its pool from now on, and forgets its chat. not_found; unknown_line;
 * busy: one of its jobs is with a worker; outcome_unknown: one may have been sent; line_conflict: one names its line. */
void core_move(struct core *core, uint64_t token, uint64_t conversation, uint64_t line, struct instant now,
               struct effects *out);

struct core_drain {
    uint64_t token;
    uint64_t line; /* digits */
    enum drain mode;
    int64_t pace_per_min; /* DRAIN_RAMP: at most so many */
    enum drain_order order;
    unsigned stop_percent; /* DRAIN_RAMP: stops when more of its newest tries failed; 0: never */
    const char *by;
};
/* Begins (or replaces) what is done with the line's backlog; DRAIN_NONE stops it: not_found when there is none. It goes on
 * in slices and over restarts; the line's view says how far it is. unknown_line.
 *
 * A drain at a pace stops by itself when the line was open and closes (but by a pause), and when too much fails: then a
 * pause of its author lies on the line, so that the rest waits for a person; the next drain at a pace lifts it. */
void core_drain(struct core *core, const struct core_drain *drain, struct instant now, struct effects *out);
struct drain_count { /* what a drain would do now */
    uint64_t jobs, conversations; /* that it means */
    uint64_t by_class[CLASS_COUNT]; /* of those jobs */
    uint64_t stay;                /* jobs of the line's backlog that it does not mean, by what keeps them: */
    uint64_t stays[DRAIN_STAY_COUNT];
};
/* Looks at jobs from slot *cursor (0 first) on, at most `limit` slots, and adds them up; advances *cursor; false: the end
 * was reached. */
bool core_drain_look(const struct core *core, size_t line_index, enum drain mode, uint32_t *cursor, uint32_t limit,
                     struct drain_count *count);
/* When so many jobs have gone there at a pace of at most so many a minute (0: the line's own), by all that is known now
 * (wall ms); 0: nobody can say, or not within a week. Up to 0.1 ms. */
int64_t core_drain_eta(const struct core *core, size_t line_index, int64_t pace_per_min, uint64_t jobs,
                       struct instant now);
/* Would the line take new conversations now, and how many (-1: no limit)? */
bool core_line_room(const struct core *core, size_t line_index, struct instant now, int64_t *out);

/* A dead letter comes back with its number, and so with its key, behind what waits in its conversation. */
struct core_requeue {
    uint64_t number;
    uint64_t mark;     /* core_requeue_mark() from before its records were read */
    uint8_t life;      /* of its end */
    unsigned attempts; /* so far */
    bool doubtful;     /* it ended with an unknown outcome: unsettled again as soon as it is tried */
    uint64_t line;     /* of its last try, which is its line again; 0: never tried */
    int64_t accepted_at_ms;
    struct core_enqueue job; /* as when it was enqueued; token, index, due_ms and fail_if_held do not count */
};
/* CODE_NONE: done (core_answer() says when it is durable). not_found: it lives, or was requeued since `mark`; busy: too
 * many were requeued since to tell; superseded: a newer job with its collapse key waits; else as an enqueue is refused. */
enum code core_requeue(struct core *core, const struct core_requeue *letter, bool store_full, struct instant now,
                       struct effects *out);
uint64_t core_requeue_mark(const struct core *core);
/* EFFECT_ANSWER with `token` once all that was done so far is durable. */
void core_answer(struct effects *out, uint64_t token);

/* Writes down that somebody did something, in the same commit as what was done so far: numbers the record, which is lent
 * with its document (JSON object) until it is encoded. Changes nothing else. */
void core_audit(struct core *core, struct change_audit *audit, struct span document, struct instant now,
                struct effects *out);
uint64_t core_next_audit(const struct core *core); /* the number that the next one gets */

/* A number for a campaign's name; makes a CHANGE_NAME the first time. 0: the table is full. */
uint16_t core_campaign(struct core *core, const char *name, struct effects *out);
uint16_t core_campaign_find(const struct core *core, const char *name); /* 0: nobody ever named it */

#define ZONE_CHANGES_MAX 16
#define ZONE_PARTS_MAX   2
struct zone_rules { /* what its clocks show: seconds ahead of UTC, from each moment on; the first one from ever */
    unsigned count;
    int64_t from_ms[ZONE_CHANGES_MAX];
    int32_t offset_s[ZONE_CHANGES_MAX];
};
/* A number for where recipients are, for core_enqueue: an IANA zone, or two with a comma (quiet.h). 0: no more room. */
uint16_t core_zone(struct core *core, const char *name, struct effects *out);
uint16_t core_zone_find(const struct core *core, const char *name); /* 0: nobody is there */
bool core_zone_is_known(const struct core *core, const char *name);
/* The number of the zone in use that has all of the nights of these clocks and the fewest besides, over the year to come
 * (looked at week by week); 0: none has them all. *excess_s: how much longer its nights are. */
uint16_t core_zone_like(const struct core *core, const struct zone_rules *rules, size_t parts, struct instant now,
                        int32_t *excess_s);
/* The zones in use, from 1 on; NULL: no more. Until its rules are told a zone knows no night. */
const char *core_zone_at(const struct core *core, unsigned at);
/* One set of rules for each name of the zone; they must reach as far as anybody waits. */
void core_zone_rules(struct core *core, unsigned at, const struct zone_rules *rules, size_t parts, struct instant now);

/* The broker ends: no lease is granted any more, and what was not begun is revoked. */
void core_end(struct core *core, struct instant now, struct effects *out);
/* Leases that workers which are there still hold. */
uint32_t core_in_flight(const struct core *core);

/* Everything that is due, and as many leases as workers and lines allow; bounded by the room in `out`. */
void core_tick(struct core *core, struct instant now, struct effects *out);
/* When core_tick() has to be called at the latest; TIME_NEVER: only after the next event. */
int64_t core_next_mono_ms(const struct core *core, struct instant now);

/* ---- the store's questions (store_owner) ---- */
enum err core_restore(struct core *core, const struct change *change, bool past, uint64_t place);
/* Before core_restored(): the store was made of a backup of `taken_ms`. Each job that waits in it may have been sent
 * since: it is doubtful, and one that may have been sent longer ago than the provider remembers keys waits for a person.
 * Numbers given out after the backup are not given again. */
void core_is_backup(struct core *core, int64_t taken_ms, int64_t key_life_ms);
/* After core_restored(), again and again until it answers false: the changes that this has made. */
bool core_record_backup(struct core *core, struct instant now, struct effects *out);
/* After the last change: links everything; the new start's own changes (its random bits come from the shell). */
void core_restored(struct core *core, const uint8_t random[KEY_RANDOM_BYTES], struct instant now,
                   struct effects *out);
bool core_is_live(const struct core *core, enum change_kind kind, uint64_t key, uint64_t place);
/* What is over still tells something: an accepted job, of the id that is remembered. */
bool core_wants(const struct core *core, const struct change *change);
void core_moved(struct core *core, enum change_kind kind, uint64_t key, uint64_t from, uint64_t to);
void core_renew(struct core *core, enum change_kind kind, uint64_t key, struct instant now, struct effects *out);

/* ---- views: bounded reading for STATUS, admin and metrics ---- */

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

/* ---- triage: what waits is taken out of a backlog before it is let go ---- */

enum triage { TRIAGE_CANCEL, TRIAGE_EXPIRE, TRIAGE_REDATE, TRIAGE_MOVE };
struct core_triage {
    enum triage how;
    /* TRIAGE_REDATE: at least one of them */
    bool has_due, has_expires;
    int64_t due_ms, expires_ms; /* 0: at once; never */
};

/* Jobs that are accepted, and dead letters that come back, from now on have at least this as `came`; never 0. */
uint64_t core_accept_mark(const struct core *core);
/* What keeps the job as it is: DRAIN_STAY_LEASED, what is with a worker; DRAIN_STAY_OUTCOME_UNKNOWN, what may have been
 * sent; DRAIN_STAY_DUE, what stands in its conversation's line already, if its due time is to be another; NONE: nothing.
 * To be moved to another pool a job must be the first of its conversation (DRAIN_STAY_BEHIND), name no line
 * (DRAIN_STAY_PINNED), and nothing of its conversation may ever have been tried (DRAIN_STAY_BEGUN). False: it is not live. */
bool core_triage_keeps(const struct core *core, uint64_t number, const struct core_triage *what, enum drain_stay *out);
/* How many jobs go before it in its conversation, the first of them in `out`; more than `room`, or it has stepped aside for
 * its campaign, so that nobody knows: SIZE_MAX. */
size_t core_triage_before(const struct core *core, uint64_t number, uint64_t *out, size_t room);
/* Ends it as cancelled (TRIAGE_MOVE: superseded) or as expired, or gives it another due time and expiry. False: it is not live or is kept, nothing
 * changed. */
bool core_triage(struct core *core, uint64_t number, const struct core_triage *what, struct instant now,
                 struct effects *out);

/* ---- when: an estimate of the moment at which a job goes, see forecast.h ---- */

#define FORECAST_FINE_MS   5000 /* the first slots; */
#define FORECAST_FINE      120
#define FORECAST_BUCKETS   1008 /* then a week in steps of ten minutes */
#define FORECAST_SLOTS     (FORECAST_FINE + FORECAST_BUCKETS)
#define FORECAST_LINES_MAX 128  /* of a pool with more lines so many are looked at, spread evenly */

struct estimate {
    int64_t at_ms;       /* wall; 0: nothing can be said, because of ... */
    enum reason unknown; /* ... this; NONE: it lies more than a week ahead */
    uint64_t ahead;      /* jobs that go before it on its line, or in its pool */
    uint32_t lines;      /* that it waits for: 1, or those of its pool that take new conversations */
    double per_min;      /* what these send together now; -1: without limit */
};
struct prospect { /* what is to be known of a job for that; the core's */
    uint32_t pool, line, job, conversation; /* the last three may be none */
    uint32_t class, zone, before; /* before: jobs before it in its conversation */
    bool fresh, rested, leased;
    enum reason alone; /* what stops it, as if it stood first in its conversation ... */
    int64_t until_ms;  /* ... and until when; 0: open */
};
#define RIVAL_PARTS 16
struct rivals { /* jobs before one, by class */
    double free[CLASS_COUNT]; /* first in their conversations, or behind such of their own class */
    /* [h][c][p]: of class c, behind one of the better class h that stands in that part of those of class h, from the first
     * to the last of them */
    double behind[CLASS_COUNT][CLASS_COUNT][RIVAL_PARTS];
};
struct forecast { /* the caller's memory */
    bool done;
    struct estimate said; /* once it is done */
    /* the rest is the core's */
    struct instant now;
    struct prospect job;
    int64_t cap; /* a drain's pace instead of the line's, 0: none */
    int64_t from_ms, floor_ms; /* nothing goes before; it does not go before */
    uint64_t number; /* of the job; 0: one that would come */
    uint32_t phase, gate_at, line_at, seen, every;
    enum drain_order order;
    struct rivals rivals;
    struct { /* by class: the last job of it before ours in the conversation */
        uint32_t job;
        double need, sends; /* of that class before it in the pool, or on the line; and with it on all lines. 0: there is none */
    } gates[CLASS_COUNT];
    double behind, chain; /* by age or deadline: all that goes before those before it in its conversation; before one of them */
    bool met;             /* new conversations that share its line's turns are counted */
    double newcomers;    /* the line's share of the pool's new conversations */
    double turns; /* that a job takes: some tries fail */
    double need, at_once, saved, unlimited, sending;
    double of_class, later; /* jobs of its class, and those of them that do not go before it */
    unsigned counted;       /* lines whose queues were looked at */
    double coming_per_ms[CLASS_COUNT], coming; /* jobs still to be enqueued; how many more may go before it for that */
    int64_t coming_until_ms;
    double unplaced, begun; /* of the sends before a new conversation's, so many begin one */
    float supply[FORECAST_SLOTS], rate[FORECAST_SLOTS]; /* sends in each slot; and a ms, while there is room */
    bool night[FORECAST_SLOTS];
};
/* Begins to estimate when that job goes. False: not a live job. */
bool core_forecast_begin(const struct core *core, uint64_t number, struct instant now, struct forecast *out);
struct core_would { /* what would become of a job */
    struct effect effect; /* what EFFECT_ENQUEUED would say, but for the number of a new job */
    uint64_t line;        /* that would take it now, as far as that is known; 0: none */
    struct prospect prospect;
};
/* Judges a job exactly as core_enqueue() would, and changes nothing. */
void core_would_enqueue(const struct core *core, const struct core_enqueue *job, bool store_full, struct instant now,
                        struct core_would *out);
void core_forecast_would(const struct core *core, const struct core_would *would, struct instant now, struct forecast *out);
/* Goes on by a slice well under a millisecond, until forecast->done. */
void core_forecast_step(const struct core *core, struct forecast *forecast);

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
    bool is_unknown; /* its last try had an outcome that nobody knows */
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
bool core_worker_view(const struct core *core, uint32_t index, struct instant now, struct worker_view *out);
/* May the worker of that index be given leases of the pool? */
bool core_worker_serves(const struct core *core, uint32_t index, uint32_t pool);

struct pool_view {
    uint32_t account;
    uint32_t lines, lines_open, lines_slow, lines_closed;
    uint64_t unplaced; /* jobs of new conversations that wait for a line */
    uint64_t waiting, leased;
    bool paused;
};
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
    uint32_t peer, account, pool;
    unsigned attempt;
    bool unsettled;
    bool recorded; /* its conversation has a record; with conversation_place UINT64_MAX it is just being written */
    int64_t lease_ms, expires_ms;
};
bool core_lease_view(const struct core *core, uint64_t lease, struct lease_view *out);

#endif
