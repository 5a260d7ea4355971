/* core_operate.h — what operators say: pauses, who must not be sent to, lines, drains, dead letters; and
 * the audit of it. EFFECT_ANSWER with `token` once that is durable. */
#ifndef LINEWARD_CORE_CORE_OPERATE_H
#define LINEWARD_CORE_CORE_OPERATE_H

#include "broker/core/core_effects.h"
#include "broker/core/core_told.h"
#include "lineward/clock.h"

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
    uint64_t line;     /* of its last try, which is its line again; 0: never tried, as far as is known */
    int64_t accepted_at_ms;
    struct core_enqueue job; /* as when it was enqueued; token, index, due_ms and fail_if_held do not count */
};
/* CODE_NONE: done (core_answer() says when it is durable). not_found: it lives, or was requeued since `mark`; busy: too
 * many were requeued since to tell; line_conflict: its conversation lives on, or waits for, another line than the one it
 * names or (doubtful) may have been sent by; superseded: a newer job with its collapse key waits; else as an enqueue is
 * refused. */
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

#endif
