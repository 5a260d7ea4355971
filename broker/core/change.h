/* change.h — what the core wants remembered: the NEW value of something, never a difference (DESIGN section 4), so
 * that replaying a change twice is harmless. store/record.c turns a change into versioned bytes and back.
 *
 * Names (pools, accounts, campaigns) are small numbers here, bound to their text by CHANGE_NAME; lines are E.164
 * digits as a number. Moments are wall time: a steady clock means nothing after a restart. */
#ifndef LINEWARD_CORE_CHANGE_H
#define LINEWARD_CORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"
#include "lineward/words.h"

/* Values are on disk: never renumber. */
enum change_kind {
    CHANGE_START = 1,      /* this start of the broker: random bits of its keys, first numbers it may use */
    CHANGE_NAME = 2,       /* a name and its number */
    CHANGE_JOB = 3,        /* a job was accepted (sections: recipients, envelope, payload) */
    CHANGE_TRY = 4,        /* what a live job does now: leased, waiting for its next try, due */
    CHANGE_END = 5,        /* a job's end (sections: result, and for dead letters the job's own) */
    CHANGE_CONVERSATION = 6, /* where a conversation lives (sections: recipients, chat id) */
    CHANGE_LINE = 7,       /* a line: status, flags, hold, ramp, budgets */
    CHANGE_PAUSE = 8,      /* a pause, or its end */
    CHANGE_SEEN = 9,       /* a webhook's event id */
    CHANGE_DELIVERY = 10,  /* what the provider's webhooks say of a sent job */
    CHANGE_GATE = 11,      /* event line.gate */
    CHANGE_REPUTATION = 12, /* event line.reputation */
    CHANGE_SUPPRESSION = 13, /* a recipient who must not be sent to, or its end */
    CHANGE_ORDERS = 14,    /* what an operator ordered for a line: a reputation, a drain; or their end */
    CHANGE_CAMPAIGN = 15,  /* how a campaign's jobs ended so far */
    CHANGE_AUDIT = 16,     /* who did what (section: result, the rest of it as JSON) */
    CHANGE_OUTCOMES = 17,  /* how far a pool's outcome webhooks were taken */
    CHANGE_ERASURE = 18,   /* an order to erase a recipient, and how far it is */
    CHANGE_FORGOTTEN = 19, /* a conversation lives nowhere any more, and nothing is known of it */
    CHANGE_REPLIES = 20,   /* how many of a pool's or campaign's messages of one class were answered */
    CHANGE_KIND_COUNT
};

enum name_kind { NAME_POOL = 1, NAME_ACCOUNT = 2, NAME_CAMPAIGN = 3, NAME_ZONE = 4 };

/* Topics of events, each with its own chain of `prev` (PROTOCOL, Events). */
enum topic {
    TOPIC_JOB_SCHEDULED,
    TOPIC_JOB_QUEUED,
    TOPIC_JOB_LEASED,
    TOPIC_JOB_SENT,
    TOPIC_JOB_FAILED,
    TOPIC_JOB_EXPIRED,
    TOPIC_JOB_CANCELLED,
    TOPIC_JOB_SUPPRESSED,
    TOPIC_JOB_DELIVERY,
    TOPIC_LINE_REPUTATION,
    TOPIC_LINE_GATE,
    TOPIC_POOL_PAUSED,
    TOPIC_POOL_RESUMED,
    TOPIC_COUNT,
    TOPIC_NONE = TOPIC_COUNT
};
const char *topic_name(enum topic topic);

struct event_mark { /* seq 0: this change is no event */
    uint64_t seq, prev;
    uint8_t topic;
    int64_t at_ms;
};

#define PAUSE_NAME_BYTES 640 /* 31 numbers; of longer ones as many as fit */

#define AREA_DIGITS 4 /* of a number: country and area code in North America */

#define BUDGET_BUCKETS 145 /* of ten minutes: a rolling day and the bucket under way, so never counting too little */
#define BUDGET_BUCKET_MS 600000

struct budget_window { /* counts per ten minutes; bucket = Unix time / 600 s; slot = bucket % BUDGET_BUCKETS */
    int64_t newest; /* bucket number of the newest count */
    uint16_t count[BUDGET_BUCKETS];
    uint32_t sum; /* of all of them; not on disk */
};

#define LEVEL_DAYS   7 /* before the one under way: what a line's recent daily level is made of */
#define LEVEL_DAY_MS INT64_C(86400000)

#define REPLY_DAYS 7
struct reply_days { /* see reply_days.h */
    uint32_t newest; /* day; the counts are of that one and the six before it, each at its number % REPLY_DAYS */
    uint32_t sent[REPLY_DAYS], answered[REPLY_DAYS];
};

struct change_job {
    uint64_t number;
    uint64_t conversation; /* keyed hash of pool and recipients */
    uint64_t id_hash;      /* 0: no producer id */
    uint64_t content_hash;
    uint64_t from_line; /* 0: not pinned */
    uint64_t chat_hash; /* only read, of older stores: of a chat_id that made the conversation a known one; 0: none */
    int64_t accepted_at_ms, due_ms, expires_ms; /* due 0: at once; expires 0: never */
    uint16_t pool, campaign; /* campaign 0: none */
    uint8_t class;
    uint8_t flags; /* of struct job, those that last, and CHANGE_JOB_EXPORTED */
    uint8_t life;  /* how often it was requeued; each time has a record of its own, which begins it anew */
    uint32_t slot; /* where it is in memory, if not where its number says; else 0 */
    uint64_t order;    /* its place in its conversation, if that is not its sequence; else 0 */
    uint64_t collapse; /* keyed hash of conversation and collapse key, 0: none */
    bool has_link; /* its message is refused as the first one of a chat */
    uint16_t zone; /* name number of where its recipients are; 0: not known */
    uint16_t area; /* the first AREA_DIGITS digits of its recipient's number; 0: a group, or no number */
};

#define CHANGE_JOB_EXPORTED 0x40 /* it was imported, or moved: its id is known for longer (dedupe_keep()) */

struct change_try {
    uint64_t number;
    uint64_t order; /* place in its conversation: the job's own sequence, or the one of falling due */
    uint64_t lease; /* 0: not leased */
    uint64_t instance; /* the worker's, hashed */
    uint64_t line;     /* of this try; 0: unbound */
    int64_t due_ms;
    uint8_t state, attempts, failures;
    bool unsettled, wide, cancel; /* wide: what it waits for has a wider scope than the job; cancel: asked for */
    bool doubtful; /* requeued with an outcome that nobody knows */
    bool told_sent; /* meanwhile, and ends as soon as this lease is over */
    uint16_t http_status;
    int64_t code;
    /* the line's own counts after this try, so that a restart spends no budget twice */
    int64_t bucket;
    uint16_t bucket_messages, bucket_new, bucket_out;
    /* said anew by cleaning: when its conversation was written to last, -1: never; 0: not told, it was then */
    int64_t out_ms;
    int64_t expires_told; /* 1 + when the job expires, 1: never; 0, in older records: as its own record says */
    uint8_t placed_told;  /* leased: 1, or 2 if it placed its conversation; 0, in older records: not told */
    int64_t before_ms;    /* leased: when its conversation was written to before that, -1: never; 0: not told */
};

struct change_end {
    uint64_t number, line;
    uint64_t conversation;
    uint8_t state, attempts;
    uint8_t code; /* enum code: superseded, outcome_unknown, ... */
    bool dead;
    uint64_t message_hash; /* keyed hash of the provider's message id; 0: none */
    int64_t provider_code;
    uint8_t life; /* which of its lives ended (change_job) */
    uint8_t streak_told; /* 1 + its conversation's streak after it; 0: not told */
    uint32_t out_ago_s;  /* and how long before the end its last message went out */
    uint16_t pool, campaign; /* campaign 0: none */
    uint64_t campaign_ended; /* of its jobs, how many ended so: this one included */
    /* Of a message that went out, or may have: how many did that day, on its line, and of its class in its pool and in
     * its campaign. 0: not told */
    uint8_t class;
    uint32_t line_sent, pool_sent, campaign_sent;
    int64_t expires_told; /* as change_try's: a re-date may have changed it since it was accepted */
};

/* Nothing was sent yet there where the conversation moved to ... */
enum unbegun {
    UNBEGUN_NOT,
    UNBEGUN_PINNED, /* ... on purpose: it waits for that line */
    UNBEGUN_PLACED, /* ... because that line took it, or a job names it: it lives there only as long as a try of it does, and
                     * waits for it as long as such a job. A chat is not there. From record version 8 on */
    UNBEGUN_COUNT
};

struct change_conversation {
    uint64_t key; /* keyed hash of pool and recipients */
    uint64_t line;
    uint64_t chat_hash; /* 0: no chat id known */
    uint16_t pool;
    uint8_t health, streak;
    int64_t health_at_ms, last_out_ms, last_in_ms;
    bool forgotten_chat;
    uint8_t unbegun; /* enum unbegun */
    uint64_t as_of; /* the next event's number when it was written: ends of jobs from it on know more; 0: not told */
    /* its newest message out, if that has no answer yet (struct last_out); day 0: it has */
    uint16_t waits_day, waits_campaign;
    uint8_t waits_class;
};

struct change_line {
    uint64_t number;
    uint16_t account;
    uint8_t word, previous, proven, source, service, service_source;
    bool hold, gone, cordoned, heard;
    uint8_t missed_polls, ramp_step, relapses;
    int64_t changed_at_ms, heard_at_ms, first_seen_ms, flagged_at_ms, ramp_until_ms, relapsed_at_ms, gate_since_ms;
    int64_t event_at_ms; /* changed_at of the newest event, which orders later ones; 0: none yet */
    struct budget_window messages, fresh, out; /* in and out, conversations begun, out */
    int64_t day;               /* of the newest message out: Unix time / 86400 s */
    uint32_t days[LEVEL_DAYS]; /* messages out on the days before it, the latest first */
    struct budget_window away; /* recipients of conversations that moved elsewhere since */
    struct reply_days replies;
};

#define DRAIN_WHY_BYTES 48

struct change_orders {
    uint64_t line;
    /* a reputation instead of the provider's; since 0: none */
    uint8_t word;
    bool word_stands; /* whatever the provider says; else the worse of the two counts */
    int64_t word_since_ms, word_until_ms;
    char word_reason[200], word_by[NAME_MAX_BYTES + 1];
    /* enum drain; DRAIN_NONE: none */
    uint8_t drain;
    int64_t drain_pace_per_min, drain_since_ms;
    uint64_t drain_before; /* jobs with a sequence below this are meant */
    uint32_t drain_jobs, drain_conversations; /* done so far */
    char drain_by[NAME_MAX_BYTES + 1];
    uint8_t drain_order, drain_stop_percent; /* 0: whatever fails */
    /* How the drain above, or the last one, stands: enum drain_state. When it is over, `drain` is NONE and drain_past
     * what it was. */
    uint8_t drain_state, drain_past;
    bool drain_opened; /* the line was open under it: closing stops it */
    uint64_t drain_sent, drain_failed, drain_total; /* tries that were sent, or failed; jobs when it began */
    int64_t drain_ended_ms;
    uint64_t drain_pause; /* that its stop laid on the line; 0: none */
    char drain_why[DRAIN_WHY_BYTES]; /* it stopped */
};

struct change_pause {
    uint64_t id;
    uint8_t scope;
    bool over;
    uint64_t target; /* line digits; name number; a campaign's: those of pool << 16 | campaign; a conversation's key */
    int64_t since_ms, until_ms; /* 0: until resumed */
    char reason[200], by[NAME_MAX_BYTES + 1];
    uint16_t pool;                /* of a conversation */
    char name[PAUSE_NAME_BYTES];  /* its recipients, for people: the target is but a hash */
};

#define ENDS (JOB_STATE_COUNT - JOB_SENT) /* ways in which a job ends */

struct change_campaign {
    uint16_t pool, name;
    uint64_t ended[ENDS]; /* by state, from JOB_SENT on */
};

struct change_replies { /* campaign 0: the pool's, its campaigns included */
    uint16_t pool, campaign;
    uint8_t class;
    struct reply_days days;
};

#define AUDIT_SHELF 256 /* records under one key: found together, and never more than a page can bear */

struct change_audit { /* somebody's call that changed something, or was refused; or the broker's own start and end */
    uint64_t number; /* counted from 1 */
    uint64_t line;   /* that it was about, 0: none */
    char by[NAME_MAX_BYTES + 1];   /* the token's name; "": the system itself */
    char pool[NAME_MAX_BYTES + 1]; /* whose matter it is; "": nobody's alone */
};

#define OUTCOMES_WAITING_MAX 200

struct change_outcomes {
    uint16_t pool;    /* name number */
    uint64_t read_to; /* the newest event looked at: all up to it were confirmed, or are among `waiting` */
    uint64_t confirmed, missed; /* events so far; missed: numbers of the log that were dropped before they were looked at */
    uint64_t waiting[OUTCOMES_WAITING_MAX]; /* rising */
    uint16_t count;
};

#define ERASURE_KEYS_MAX       128
#define ERASURE_RECIPIENTS_MAX 64

enum erasure_state { /* values are on disk */
    ERASURE_FINDING,   /* the store is gone through for conversations with that recipient */
    ERASURE_ENDING,    /* their jobs end, and they are forgotten */
    ERASURE_REWRITING, /* the store is gone through again, and what names the recipient is overwritten */
    ERASURE_DONE,
    ERASURE_STATE_COUNT
};

/* The recipient is in it as keyed hashes alone, and not even so once it is done. */
struct change_erasure {
    uint64_t id; /* counted from 1 */
    uint8_t state;
    bool more; /* there are conversations that found no room in `keys`: another round follows */
    int64_t begun_ms, done_ms;
    uint64_t jobs, conversations, records; /* ended, forgotten, overwritten so far */
    uint64_t person;                       /* hash of the handle alone */
    uint16_t recipient_count, key_count;
    uint64_t recipients[ERASURE_RECIPIENTS_MAX]; /* of the first accounts and the handle: what is said of them meanwhile
                                                    is not kept at all, elsewhere without the name */
    uint64_t keys[ERASURE_KEYS_MAX];             /* of conversations, sorted */
    char by[NAME_MAX_BYTES + 1];
};

struct change_gate {
    uint64_t line;
    uint8_t gate, reason;
};

struct change_reputation {
    uint64_t line;
    uint8_t status, previous, source;
    int64_t changed_at_ms;
};

struct change_delivery {
    uint64_t number;
    uint8_t delivery;
    int64_t code;
    uint64_t message_hash; /* of the message it speaks of; 0: not told */
};

#define REASON_TEXT_MAX 200 /* bytes of an operator's reason, with its terminator */

struct suppression_text { /* for people; "": not known */
    char recipient[HANDLE_MAX_BYTES + 1], reason[REASON_TEXT_MAX], by[NAME_MAX_BYTES + 1];
};

struct change_suppression {
    uint64_t key; /* keyed hash of account and handle */
    uint16_t account;
    uint8_t cause; /* enum suppress: of all that hold, the one that is hardest to lift */
    bool over;
    int64_t since_ms;
    uint8_t causes; /* bit mask of enum suppress; 0, in older records: `cause` alone */
    const struct suppression_text *text; /* lent; NULL: nothing is known */
    /* Not recorded; for a cache that other brokers share: */
    uint8_t added;       /* bit mask of the cause that is new, or was said again; since when: */
    int64_t added_ms;
    uint8_t lifted;      /* of the causes that have ended ... */
    int64_t lifted_ms;   /* ... by what the recipient wrote then; 0: by an operator */
    bool hides;          /* the name is no longer kept */
    const char *handle;  /* lent: of whom, where `text` does not say; NULL: not known */
};

struct change_start {
    uint64_t start;
    uint8_t random[KEY_RANDOM_BYTES];
    uint64_t first_job, next_job, next_lease, next_seq, next_pause, next_audit;
    uint64_t prev_seq[TOPIC_COUNT];
    int64_t at_ms;
};

struct change_name { /* pools, accounts and campaigns share one count */
    uint16_t number;
    uint8_t kind;
    char text[NAME_MAX_BYTES + 1];
};

struct change_seen {
    uint64_t event; /* keyed hash of the event id */
    int64_t at_ms;
};

struct span { /* bytes lent for the step */
    const void *data;
    size_t bytes;
};

enum change_section { SECTION_RESULT, SECTION_RECIPIENTS, SECTION_ENVELOPE, SECTION_PAYLOAD, SECTION_COUNT };

struct change {
    enum change_kind kind;
    struct event_mark event;
    struct span sections[SECTION_COUNT];
    /* sections to be copied from an older record: bit mask, and where that lies (0: same job's, not placed yet) */
    unsigned copy_mask;
    enum change_kind copy_kind;
    uint64_t copy_key, copy_place;
    uint64_t release_place; /* the record that this one ends; 0: none */
    enum change_kind release_kind;
    union {
        const struct change_start *start; /* the larger ones are lent: the core's own when it emits them */
        const struct change_name *name;
        struct change_job job;
        struct change_try try;
        struct change_end end;
        struct change_conversation conversation; /* CHANGE_FORGOTTEN: its key */
        const struct change_line *line;
        const struct change_pause *pause;
        const struct change_orders *orders;
        const struct change_audit *audit;
        const struct change_outcomes *outcomes;
        const struct change_erasure *erasure;
        struct change_seen seen;
        struct change_delivery delivery;
        struct change_gate gate;
        struct change_reputation reputation;
        struct change_suppression suppression;
        struct change_campaign campaign;
        struct change_replies replies;
    };
};

/* The key under which the store files the change. */
uint64_t change_key(const struct change *change);

#endif
