/* core_naive.h — what the core promises, told the slow way: plain lists, searched from end to end, and no word in
 * common with broker/core but its interface. The model is told what happens beforehand (naive_will_...) and then
 * shown every record that the core wrote; it says no to whatever the promises of DESIGN section 6 do not allow. A
 * whole model can be copied, so that a crash puts back the one that belongs to the last durable record. */
#ifndef TESTS_CORE_NAIVE_H
#define TESTS_CORE_NAIVE_H

#include "tests/support/core_rig.h"

enum {
    NAIVE_JOBS = 256, /* live ones; the test enqueues no more */
    NAIVE_CONVERSATIONS = 48,
    NAIVE_POOLS = 3,
    NAIVE_LINES = 9,
    NAIVE_PAUSES = 16,
    NAIVE_IDS = 64,
    NAIVE_DEAD = 16,
};

enum naive_place { NAIVE_FREE, NAIVE_SCHEDULED, NAIVE_WAITING, NAIVE_LEASED };

struct naive_job {
    enum naive_place place;
    uint64_t number, id, content, order, lease;
    uint32_t conversation, line; /* of its lease */
    enum job_class class;
    uint16_t campaign; /* name number, 0: none */
    uint64_t collapse;
    int64_t due_ms, expires_ms;
    unsigned attempts, failures;
    bool unsettled, holds_all, cancel, pinned, key_known;
    bool doubtful; /* requeued with an unknown outcome: unsettled once it is tried */
    unsigned life; /* how often it was requeued */
    bool probes_account;
    bool has_link, has_zone;
    bool told_sent; /* while another try than its first is out: it ends so, whatever becomes of that one */
    bool restored; /* its lease is from before a restart, which does not know that it opened the conversation */
    uint8_t key[KEY_RANDOM_BYTES];
};

struct naive_dead { /* number 0: none; an end that may be requeued, as the journal tells it */
    uint64_t number, id, content, line, from_line;
    uint32_t conversation;
    enum job_class class;
    uint16_t campaign;
    unsigned attempts, life;
    bool doubtful;
    uint8_t key[KEY_RANDOM_BYTES];
    bool key_known;
};

struct naive_conversation {
    uint64_t pinned; /* line, 0: not */
    uint64_t home;   /* line, 0: none yet */
    bool for_good;   /* something was sent there, or may have been */
    bool chat;       /* known from the producer: for good too */
    bool chat_known, recorded;
    bool chat_lost;  /* the provider knows its chat no more: the next message makes a new one */
    enum chat_health health;
    int64_t health_at_ms, health_told_ms; /* whole seconds; as its own record has it */
    unsigned unanswered;                  /* messages sent since the last answer */
    int64_t last_sent_ms;                 /* when the try was leased that sent the last one */
};

struct naive_line { /* two words, as DESIGN trap 11 tells it */
    bool heard, hold, flagged, flag_by_error, gone, cordoned;
    unsigned missed;
    enum reputation word, proven;
    int64_t flagged_ms; /* by an error: an ACTIVE of before it says nothing of it */
    int64_t event_changed_ms, event_arrived_ms, tightened_ms, healthy_event_ms, first_agreed_ms, heard_wall_ms;
    unsigned disagreed;
};

struct naive_pause {
    uint64_t id;
    enum pause_scope scope;
    uint64_t target; /* as given to the core */
    int64_t until_ms;
};

struct naive_id {
    uint64_t id, number, content;
};

struct naive {
    struct naive_job jobs[NAIVE_JOBS];
    struct naive_conversation conversations[NAIVE_CONVERSATIONS];
    struct naive_line lines[NAIVE_LINES];
    struct naive_pause pauses[NAIVE_PAUSES];
    uint64_t suppressed[NAIVE_CONVERSATIONS];
    bool broken[2], refused[2]; /* accounts: breaker open, key refused */
    struct naive_dead dead[NAIVE_DEAD];
    unsigned dead_next;
    struct naive_id ids[NAIVE_IDS];
    unsigned id_next;
    uint64_t orders;
    uint64_t superseded; /* the job whose place another took just now: its end must follow */
    uint64_t accepted, ended[JOB_STATE_COUNT];
    size_t records; /* shown so far */
};

/* What the model says no to: printed, and the run is over. */
void naive_refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- the world that the test plays: lines 0..5 are of pool 0, 6 and 7 of pool 1, 8 of pool 2 and account 1 ---- */
extern const char naive_conf[];
enum { POOL_COUNT = 3 };
uint32_t naive_pool_of_line(uint32_t line);
uint32_t naive_pool_of(uint32_t conversation);
uint32_t naive_account_of(uint32_t pool);
uint64_t naive_key(uint32_t conversation);       /* as given to the core */
uint64_t naive_recipient(uint32_t conversation); /* 0: a group */
const char *naive_handle(uint32_t conversation); /* the recipient's name */
size_t naive_homes_of(void *self, uint32_t account, const char *handle, uint64_t *out);
const struct conf_policy *naive_policy(const struct rig *rig, uint32_t pool);

struct naive_job *naive_job(struct naive *naive, uint64_t number);         /* NULL: not live */
/* Who must go first, jobs of paused campaigns not counted where they can step aside; NULL: nobody waits. */
struct naive_job *naive_first(struct naive *naive, uint32_t conversation);
bool naive_is_suppressed(const struct naive *naive, uint64_t recipient);   /* 0: a group, never */
void naive_suppress(struct naive *naive, uint64_t recipient);
bool naive_chat_stops(const struct naive *naive, uint32_t conversation);
/* The provider's word about the chat; an answer; a message out. */
void naive_chat_told(struct naive_conversation *conversation, enum chat_health health, int64_t at_ms);
void naive_chat_lost(struct naive_conversation *conversation); /* the provider knows it no more */
void naive_answered(struct naive_conversation *conversation, bool opts_out, int64_t at_ms, int64_t last_out_ms);
void naive_went_out(struct naive_conversation *conversation);
bool naive_is_night(const struct naive_job *job, int64_t wall_ms);
/* What the chat alone has against this job; NONE: nothing. `last_out_ms` is the core's word: a restart may take a try
 * that failed for a message; it is never earlier than the last message. */
enum reason naive_chat_reason(const struct naive *naive, const struct rig *rig, const struct naive_job *job,
                              int64_t last_out_ms);
bool naive_paused(const struct naive *naive, uint32_t pool, int64_t wall_ms);
bool naive_line_paused(const struct naive *naive, uint32_t line);
bool naive_campaign_paused(const struct naive *naive, const struct naive_job *job);
bool naive_conversation_paused(const struct naive *naive, uint32_t conversation);
bool naive_goes_before(const struct naive_job *a, const struct naive_job *b);
bool naive_closed(const struct naive *naive, uint32_t line); /* but for silence and pauses of what it belongs to */

/* ---- facts of lines (core_naive_line.c) ---- */
void naive_told(struct naive_line *line, const struct core_line_fact *fact, bool in_ramp, struct instant now);
void naive_polled(struct naive_line *line, const struct core_line_fact *fact, bool in_ramp, int64_t interval_ms,
                  struct instant now);
void naive_missing(struct naive_line *line);
void naive_restarted_line(struct naive_line *line); /* what was known on the steady clock is gone */
void naive_restarted(struct naive *naive);

/* ---- records (core_naive_records.c): what the core was asked, then what it wrote ---- */
struct naive_asked {
    const struct core_enqueue *enqueue;
    uint32_t conversation; /* of it */
    uint64_t from_line;
    uint64_t result_lease; /* a worker's result for it ... */
    const struct core_result *result;
    uint64_t echoed;    /* message.*: this job was sent */
    uint64_t cancelled; /* by the producer */
    uint64_t settled;   /* by a person, as sent */
    const struct core_requeue *requeue;
    const struct naive_dead *letter; /* that it is about */
    bool ticked;
};

struct grant { /* every lease that was told, for pace and budgets */
    uint64_t lease, number;
    uint32_t line, conversation;
    int64_t wall_ms;
    size_t record;
    bool placed, void_message, void_placed, probe;
    double pace_per_min;
    int64_t gate_since_ms;
};
struct grants {
    struct grant *list;
    size_t count, room;
};

/* The world's own knowledge, which no crash undoes. */
struct truth {
    bool (*begun)(const void *world, uint64_t lease);         /* may a byte of it have left? */
    bool (*provider_has)(const void *world, uint64_t number); /* did the provider take the message? */
    const void *world;
};

void naive_show(struct naive *naive, struct rig *rig, const struct naive_asked *asked, struct grants *grants,
                const struct truth *truth);

/* ---- after each step (core_naive_check.c) ---- */
void naive_check_job(struct naive *naive, struct rig *rig, const struct naive_job *job);
/* Forgets a home where nothing began, if nothing that waits was tried there. */
void naive_see_home(struct naive *naive, uint32_t conversation);
void naive_check_all(struct naive *naive, struct rig *rig);

#endif
