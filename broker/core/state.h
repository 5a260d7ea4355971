/* state.h — the core's memory: what a job, a conversation, a line, a pool, a lease and a worker are. Internal to
 * broker/core; nothing outside includes it.
 *
 * What decides the layout (DESIGN section 3, Cost): a job and a conversation are counted in millions. A job is 56
 * bytes, an idle conversation 48 and two bytes a bucket; a held line's backlog is touched by nobody. Lines schedule
 * conversations (their head), never jobs. */
#ifndef LINEWARD_CORE_STATE_H
#define LINEWARD_CORE_STATE_H

#include <assert.h>

#include "broker/core/core.h"
#include "broker/core/index.h"
#include "broker/core/merge.h"
#include "broker/core/texts.h"
#include "broker/core/timers.h"

#define NOBODY 0u /* slot 0 of jobs, conversations and leases is never used */
#define NO_LINE 0xFFFFFu /* fits the 20 bits that a conversation has for it */
#define NO_POOL UINT32_MAX
#define NO_ACCOUNT UINT32_MAX /* it is not in the configuration */
#define NOWHERE UINT64_MAX
#define NOWHERE_48 0xFFFFFFFFFFFFu
#define CONVERSATION_SCHEDULED_MAX 0xFFFFu

/* A job number is its sequence and its slot, so that finding a job costs no index (but for a requeued one, whose slot
 * may have gone to another meanwhile: those are indexed); the sequence alone makes it unique. 39 bits of sequence last 200 years at the design's 81 jobs a second. */
#define JOB_SLOT_BITS 25u
#define JOB_SLOT_MAX ((1u << JOB_SLOT_BITS) - 1)
#define LEASE_SLOT_BITS 20u
#define FAILURES_MAX 63u /* attempts_max is at most 50 */
#define LEASE_SLOT_MAX ((1u << LEASE_SLOT_BITS) - 1)

enum { /* struct job, flags */
    JOB_UNSETTLED = 1,  /* an attempt's outcome is unknown: stays first, same line, same key */
    JOB_WIDE = 2,       /* what it waits for has a wider scope than the job */
    JOB_CANCEL = 4,     /* asked for while leased */
    JOB_PINNED = 8,     /* to the line its conversation is bound or pinned to */
    JOB_DOUBTFUL = 16,  /* requeued with an outcome that nobody knows: unsettled again as soon as it is tried */
    JOB_ORDERED = 32,   /* its order is not its sequence (job_order): it had a send_after */
    JOB_READY = 64,     /* is in a ready queue */
    JOB_YIELDED = 128,    /* waits for its campaign, in that one's list: campaign.h */
};

struct job {
    uint64_t number; /* 0: a free slot (then `next` links the free ones) */
    uint64_t place;  /* of its CHANGE_JOB */
    uint32_t next;   /* in its conversation; the last one points to the first */
    uint32_t conversation : 31;
    uint32_t rested : 1; /* in a ready queue: of those that spend a recipient */
    /* While first of its conversation and ready: links of the ready queue. While leased: left is the lease.
     * While it waits for its campaign: left and right link those that do, parent those of by_tried. Otherwise left and
     * right: see conversation.c, runs of one class. */
    uint32_t left, right, parent;
    uint32_t state : 4;
    uint32_t attempts : 8; /* tries begun, at most 255 */
    uint32_t failures : 6; /* those that count towards attempts_max */
    uint32_t flags : 8;
    uint32_t rank : 5; /* in the ready queue: a leftist heap of n has none above log2(n + 1) */
    uint32_t has_link : 1; /* refused as a first message */
    uint64_t due_ms : 47; /* wall; 0: none. The year 6429 is as far as a moment goes (job_parse.c) */
    uint64_t campaign : 15;
    uint64_t class : 2;
    uint64_t expires_ms : 47; /* likewise */
    uint64_t zone : 8;        /* where its recipients are, for quiet hours: of core.zones, 0: not known */
    uint64_t life : 8;        /* how often it was requeued */
    uint64_t collapses : 1;   /* has a collapse key: collapse.h */
};
_Static_assert(sizeof(struct job) <= 56, "a queued job costs at most 64 bytes, its slot 56");

#define ZONES_MAX 255u
struct zone {
    uint16_t name; /* number */
    uint8_t parts; /* 0: its rules are not known */
    struct zone_rules part[ZONE_PARTS_MAX];
};

enum { /* struct conversation, flags */
    CONVERSATION_BOUND = 1,     /* lives on `line` */
    CONVERSATION_PINNED = 2,    /* one of its jobs names `line`: until that has ended, it can live nowhere else */
    CONVERSATION_CHAT = 4,      /* a chat id is known */
    CONVERSATION_RECORDED = 8,  /* has a place in the store */
    CONVERSATION_ASIDE = 16,    /* waits by itself: WALL_CONVERSATION says until when (wait.h) */
    CONVERSATION_AHEAD = 32,    /* its record does not know its newest messages: recorded by and by (chat.c) */
    CONVERSATION_PAUSED = 64,   /* by an operator */
    CONVERSATION_SUPPRESSED = 128, /* what waits in it ends (purge.h) */
};

#define MOMENT_EPOCH_MS INT64_C(1704067200000) /* 2024: conversations keep their moments in seconds since then */
#define STREAK_MAX ((unsigned)CHAT_UNANSWERED_MAX)

struct conversation {
    uint64_t key;      /* keyed hash of pool and recipients; 0: a free slot */
    uint64_t place : 48;     /* of its CHANGE_CONVERSATION, see conversation_place() */
    uint64_t scheduled : 16; /* its jobs that are not in its list: not due yet, or waiting for their campaign */
    uint64_t health_at : 30; /* moments (0: never): the provider's, of its word about the chat ... */
    uint64_t last_out : 30;  /* ... and when its newest try was leased that may have made a message */
    uint64_t streak : 4;     /* messages out since the last answer; STREAK_MAX: that many or more */
    uint64_t tail : 25;      /* last of its waiting jobs, 0: idle */
    uint64_t line : 20;      /* bound or pinned: index of the line; else NO_LINE */
    uint64_t pool : 16;
    uint64_t health : 3;
    uint32_t key_next; /* also links free slots */
    uint32_t chat_next;
    uint32_t chat_hash;    /* folded */
    uint32_t last_in : 24; /* minutes since the epoch: only views and late keywords ask */
    uint32_t flags : 8;
};
_Static_assert(sizeof(struct conversation) <= 48, "an idle conversation costs at most 48 bytes");

/* Beside a conversation: its newest message out, for whom an answer counts (replied.h). */
struct last_out {
    uint32_t day : 14; /* reply_day() */
    uint32_t class : 2;
    uint32_t campaign : 15;
    uint32_t waits : 1; /* has no answer yet */
};
_Static_assert(sizeof(struct last_out) == 4, "four bytes a conversation");

struct reply_group {
    struct reply_days days;
    bool unrecorded;
};
struct reply_groups {
    struct reply_group of[CLASS_COUNT];
};

struct ready_queue { /* leftist heap of conversations' first jobs: earliest deadline, then order of acceptance */
    uint32_t root;
};

struct ready_set { /* one queue a class, for a line or a pool */
    struct ready_queue queue[CLASS_COUNT];
};

struct shares { /* smooth weighted turns between classes */
    int32_t credit[CLASS_COUNT];
};

#define FLOW_SCALES 2
#define FLOW_SPANS  16 /* the present one and those before it */
struct flow { /* see flow.h */
    int64_t since_ms, last_ms; /* steady; 0: nothing came yet */
    int64_t newest[FLOW_SCALES];
    uint16_t count[FLOW_SCALES][CLASS_COUNT][FLOW_SPANS];
};

#define PAST_DAYS 8 /* this one, which does not count, and the seven before it */
struct line {
    struct change_line known; /* what a restart must know */
    uint32_t account, pool;   /* indices; NO_POOL: no pool uses it */
    uint32_t next_account, next_pool; /* while another configuration is taken */
    struct moments moments; /* on the steady clock, in ms */
    uint64_t shared_version; /* of what was taken over last (core_line_shared) ... */
    int64_t shared_tightened_ms, shared_tightened_here; /* ... and when it became worse, on both clocks */
    int64_t heard_mono_ms;
    uint64_t seen_poll;
    enum gate gate;
    enum reason gate_reason;
    bool silent;               /* of its gate, likewise */
    int64_t next_send_us;      /* steady clock: GCRA */
    int64_t last_try_ms;       /* wall, while replaying: of its newest lease */
    int64_t limited_until_ms;  /* steady: the provider's Retry-After */
    int64_t past_day;          /* see past.h: past[i] is of i days before that one */
    uint32_t past[PAST_DAYS];
    uint32_t pauses;
    bool probing, probe_due;   /* a flag set by an error: one job may go */
    bool revokes;              /* has leases still to be revoked, for which there was no room */
    bool moving;      /* its conversations leave it (move.h) ... */
    uint32_t move_at; /* ... and those from this slot on are still to be looked at; 0: none */
    uint32_t drain_at;
    int64_t slice_ms; /* steady: not before then is the next slice of either */
    int64_t recorded_heard_ms;
    int64_t recorded_bucket;   /* in which it was recorded last */
    bool spent;                /* since then */
    struct budget_window recipients; /* by their newest message; made anew from the conversations at a start */
    int64_t daily_level;       /* that the configuration gives it; 0: none */
    struct ready_set ready;    /* conversations that live here and were written to within the hour */
    struct ready_set rested;   /* and those that were not: their next message spends a recipient */
    struct ready_set fresh;    /* new conversations pinned here */
    struct shares shares;
    struct flow flow;          /* to its conversations */
    uint32_t ring_next, ring_prev; /* lines that can send now; self when not in the ring */
    bool in_ring;
    bool welcomes;      /* counted in the pool's `welcoming` ... */
    int64_t welcome_mpm; /* ... with so much */
    uint32_t placement; /* 1 + index in the pool's placement heap; 0: not in it */
    double pass;        /* placement in proportion to score: the smallest goes next */
    uint32_t leases;    /* first of its leases */
    uint32_t in_flight;
    uint32_t waiting[CLASS_COUNT]; /* jobs of its conversations, leased ones not counted */
    uint32_t number_next; /* index chain */
    uint64_t sent_total;
};

struct orders { /* see operate.h */
    struct change_orders change;
    bool used; /* there is a record of it */
    int64_t word_ends_ms; /* steady: at the latest (operate_back()); 0: not known */
    /* of the drain, since the start of the broker */
    bool opened;
    bool replaced; /* by `replace`: all that were to leave have, and their jobs are still to say so */
    uint16_t tries[2], failed[2]; /* the block of results under way, and the one before it */
    int64_t counts_recorded_ms;   /* steady */
};

struct policy { /* conf_policy as the core needs it */
    int64_t pace_per_min, burst;
    double at_risk_factor;
    uint8_t ramp_steps;
    uint16_t ramp_percent[CONF_RAMP_STEPS_MAX];
    int64_t ramp_step_ms, daily_messages, fresh_per_day, recipients_per_hour, pair_per_min;
    double growth_factor;
    int64_t growth_floor;
    bool at_risk_new, links_allowed;
    bool moves_flagged, moves_gone; /* on_flagged, on_gone: move */
    uint8_t cadence_steps;
    int64_t cadence_ms[CONF_CADENCE_MAX], at_risk_chat_gap_ms;
    bool is_quiet; /* at night, by minutes of the day */
    int64_t quiet_from_min, quiet_to_min;
    uint8_t quiet_zone; /* of core.zones; 0: the recipients' own */
    int64_t flag_probe_ms, attempts_max, retry_base_ms, retry_cap_ms, lease_ms;
};

struct pool {
    uint16_t name; /* name number */
    uint32_t account;
    uint32_t moved_to; /* of one known from the store: the configured one of its name */
    struct policy policy;
    bool all_lines, configured;
    uint32_t pauses;
    struct ready_set fresh; /* new conversations that any line may take */
    struct flow flow;       /* of those */
    uint32_t *placement; /* heap of lines that may take a new conversation now, smallest pass first */
    uint32_t placement_count;
    double pass;
    /* Why new conversations wait, as last worked out; right as long as no line of the pool was touched since. */
    uint32_t touches, why_touches;
    enum reason why;
    int64_t why_until_ms;
    struct budget_state why_budget;
    bool in_ring;
    uint32_t ring_next, ring_prev;
    uint8_t lane; /* of core->lanes: whom its lines wait with for a worker */
    uint32_t lines_by_gate[GATE_COUNT];
    uint64_t scheduled, waiting, leased, unplaced, yielded; /* yielded: waiting, but for their campaign */
    uint32_t waiting_by_class[CLASS_COUNT], unplaced_by_class[CLASS_COUNT];
    uint32_t welcoming; /* lines that take new conversations, if maybe not in this very moment */
    int64_t welcoming_mpm; /* what these send together: thousandths a minute */
};

#define BREAKER_MEMORY 8
struct tries { /* of late, see flow.h */
    uint32_t all, again;
    int64_t since_ms; /* steady: of this half-life */
};

struct account {
    uint16_t name;
    int64_t poll_interval_ms, stale_after_ms, blind_after_ms;
    uint32_t pauses;
    bool key_refused;
    int64_t refused_ms; /* steady: that was said first then */
    bool polled, gone;
    int64_t heard_at_ms; /* of the line that was heard of last; 0: of none */
    uint64_t missing_poll; /* not 0: lines from `missing_at` on are still to be compared with what it listed */
    uint32_t missing_at;
    bool lines_full_said;     /* a line of it found no room in the table; it was said then: */
    int64_t lines_full_ms;    /* steady */
    int64_t limited_until_ms; /* steady */
    /* breaker (DESIGN section 5) */
    int64_t trouble_since_ms, probe_at_ms;
    uint32_t trouble_count, trouble_conversations[BREAKER_MEMORY];
    uint8_t trouble_distinct, probe_step;
    bool broken, probing;
    uint32_t probed; /* conversation of the last probe */
    struct tries tries;
};

struct told { /* of a job, while another try of it than the first is out */
    bool sent;             /* it was, by one of them */
    uint32_t line;         /* there; NO_LINE: not known, or not any more */
    uint64_t message_hash; /* likewise; 0 */
};

struct lease {
    uint64_t id; /* 0: free */
    uint64_t number;
    uint64_t instance;
    uint32_t peer_slot; /* worker, NOBODY: unknown since the restart */
    uint32_t line, account, pool; /* the line's account or NO_ACCOUNT, the job's pool, which may not be the line's any more */
    uint32_t line_next, line_prev, worker_next, worker_prev;
    int64_t until_ms; /* steady */
    bool sent;        /* its JOB left */
    bool over;        /* lapsed, but a late `sent` would still be believed */
    bool revoked;
    bool probe_line, probe_account, placed;
    bool restored; /* by a restart */
    bool placed_told; /* restored: whether it placed its conversation is known */
    struct told told;
    uint32_t free_next;
    uint32_t out, last_out; /* moments: its own (0: what was before it is not known); its conversation's before it */
    int64_t bucket;      /* that its budgets were debited in */
};

struct worker {
    bool used, ready, leaving;
    uint32_t peer;
    uint64_t instance;
    uint32_t slots, in_flight;
    uint32_t leases; /* first */
    int64_t seen_mono_ms;
    uint32_t ring_next, ring_prev; /* workers of its crew with a free slot */
    bool in_ring;
    uint8_t crew;
    char name[NAME_MAX_BYTES + 1];
};

/* Both are counted in 64s, so that a set of them is one number (crews.h). */
#define CREWS_MAX 64u
#define LANES_MAX 64u
#define CREW_POOL_WORDS (CONF_POOLS_MAX / 64)

struct crew { /* workers that may be given leases of the same pools; the first one: of all */
    bool used;
    uint32_t workers; /* that belong to it */
    uint32_t ring;    /* one of those with a free slot; NOBODY: there is none */
    uint64_t pools[CREW_POOL_WORDS];
};

struct lane { /* pools that the same crews serve */
    uint64_t crews;
    uint32_t ring;  /* a line or pool in turn (rings.h), 0: nobody can send */
    uint32_t count; /* of those in it */
};

struct remembered { /* a producer's id or a webhook's event id */
    uint64_t id_hash, number, content_hash;
    uint32_t next;
    uint32_t flags;
};

struct dedupe {
    struct remembered *ring; /* oldest at `first`; slot 0 unused */
    uint64_t first, end;     /* positions; slot = 1 + position % room */
    uint64_t room;
    struct index index;
    int64_t hours[192];      /* hour of each mark */
    uint64_t marks[192];     /* position where that hour began */
    uint32_t mark_first, mark_count;
    uint64_t dropped_early;
};

struct pause {
    struct change_pause change;
    uint32_t next; /* in the index */
    bool used;
};

struct collapse { /* beside a job with a collapse key */
    uint64_t hash;
    uint32_t next; /* in the index */
};

struct campaign {
    uint16_t pool, name; /* name numbers */
    uint32_t key_next;
    uint32_t pauses;
    uint32_t yielded_first, yielded_last; /* its jobs that wait for it, in the order in which they stepped out */
    uint32_t returning_next;          /* those that were resumed and still have such jobs */
    bool returning, unrecorded;
    uint64_t live, leased; /* leased ones are live */
    uint64_t ended[ENDS];
    struct reply_groups replies;
};

struct name {
    uint32_t next; /* in the index */
    uint8_t kind;
    char text[NAME_MAX_BYTES + 1];
};

struct suppressed {
    uint64_t key; /* keyed hash of account and handle; 0: free */
    int64_t since_ms;     /* the cause that is hardest to lift */
    int64_t opted_out_ms; /* the recipient's own last word, whatever else holds; 0: they said none */
    uint16_t account;     /* name number */
    uint8_t cause, causes;
    uint32_t text; /* recipient, reason and by (texts.h); 0: nothing is known */
    uint32_t next; /* in the index; also links free ones */
};

#define PAIR_BUCKETS 13 /* of five seconds: a minute and the bucket under way */
struct pair_minute { /* see pair.h */
    uint32_t conversation;
    uint32_t next; /* in the index */
    int64_t newest;
    uint16_t count[PAIR_BUCKETS];
};

/* Wall clock: a job is due or expires (whichever comes first), a pause ends, a conversation may go on by itself. */
enum wall_timer { WALL_JOB, WALL_PAUSE, WALL_CONVERSATION };
/* Steady clock. */
enum mono_timer {
    MONO_LINE,      /* it may send again, a budget moves, a ramp steps, a probe is due, it becomes stale */
    MONO_LEASE,     /* it lapses */
    MONO_WORKER,    /* it was silent too long */
    MONO_ACCOUNT,   /* a limit is over, the breaker probes */
    MONO_POLL_SOON, /* account: ask again while a poll disagrees with a webhook */
    MONO_FORGET,    /* remembered ids */
    MONO_AHEAD,     /* conversations whose records are behind */
    MONO_PURGE,     /* jobs that end for their recipient's sake */
    MONO_RECONSIDER, /* conversations that wait by rules that have changed */
    MONO_ERASE,     /* jobs of a recipient who is erased (erase.h) */
    MONO_JUMP,      /* what was noted while the wall clock was ahead (jump.h) */
    MONO_PAUSE,     /* a pause that was laid then ends */
    MONO_KINDS
};

struct start {
    uint64_t start, first_job;
    uint8_t random[KEY_RANDOM_BYTES];
};
#define STARTS_MAX 65536u
#define NAME_CHANGES 8192u  /* as many as one step may record (every pool and account at the start) */
#define START_CHANGES 4u
#define SUPPRESSION_CHANGES 128u /* with texts; likewise (an order to erase: one of each account; reword.c) */

#define REQUEUED_MEMORY 4096u

#define AGES_MINUTES 1344 /* more than the oldest age that is told apart */
struct ages { /* see ages.h */
    int64_t newest; /* minute */
    uint64_t first[AGES_MINUTES]; /* by minute; 0: none was given */
};

struct core {
    int64_t backup_ms, key_life_ms; /* made of a backup of that moment (backup.c); 0: not */
    uint32_t backup_at;             /* its jobs from this slot on are still to be recorded */
    struct core_limits limits;
    uint64_t random; /* generator */
    int64_t heartbeat_ms, restart_wait_ms;
    int64_t dedupe_window_ms;
    uint64_t jobs_max;

    struct job *jobs;
    uint64_t *job_orders; /* of those jobs that are JOB_ORDERED; while replaying, see restore.h */
    struct collapse *collapse; /* beside the jobs */
    struct index by_collapse;
    uint32_t jobs_used, jobs_free; /* first never used slot; chain of free ones */
    uint64_t jobs_live;
    uint64_t next_job;
    struct ages ages;
    struct index by_revived; /* requeued jobs that are not in the slot of their number */
    uint32_t *revived_next;  /* its chain, by slot */
    uint16_t *areas;         /* where a job's recipient is, by slot: see placement_near() */
    uint64_t requeued[REQUEUED_MEMORY], requeue_count; /* the last ones */

    struct conversation *conversations;
    struct last_out *last_outs; /* by the conversation's slot */
    uint32_t conversations_used, conversations_free;
    struct index by_key, by_chat;
    uint32_t ahead_count, ahead_at; /* with CONVERSATION_AHEAD; how far they were looked for */
    uint32_t reconsider_left, reconsider_at; /* likewise, of conversations (turns.h) */
    struct zone zones[ZONES_MAX + 1]; /* slot 0: not known */
    unsigned zones_used;
    int64_t wall_off_ms; /* wall clock less steady clock, as of the last tick */
    uint32_t jump_at;    /* the next of jobs, conversations and the suppressed to be looked at (jump.h) */
    uint32_t purge_left, purge_at;  /* jobs still to be looked at (purge.h); the last one that was */

    struct line *lines;
    struct orders *orders; /* of the line of that index */
    uint32_t line_count, lines_by_gate[GATE_COUNT];
    struct index by_number;

    struct pool *pools; /* in order of conf.pools; from CONF_POOLS_MAX on those that only the store knows */
    uint32_t pool_count; /* the end of the latter; see pool_after() */
    uint32_t pool_room;  /* so many of the former have memory for their lines */
    struct account *accounts;
    uint32_t account_count;

    struct lease *leases;
    uint32_t leases_used, leases_free, leases_live;
    uint32_t over_first, over_last; /* chain (worker_next) of lapsed leases, oldest first */
    uint64_t next_lease;
    uint64_t tries_seq; /* while replaying: of the newest try so far, and when that was */
    int64_t tries_ms;

    struct worker *workers;
    uint32_t workers_used;
    uint64_t slots;

    struct pause *pauses; /* slot 0 unused */
    uint32_t pauses_end; /* behind the last slot that was ever used */
    struct index by_pause;
    uint64_t next_pause;
    uint64_t pauses_mark; /* of those in force: core_pauses_mark() */
    uint32_t pauses_all;
    uint32_t campaigns_paused, conversations_paused; /* how many are; pauses on conversations */
    uint32_t pools_paused;                           /* pauses on pools and accounts */
    bool strangers_wait; /* conversations on another pool's line, for the end of a pause of their own (settle.h) */
    bool crowded_wait;   /* conversations that a job of a paused campaign found no place to step aside in, for its end */
    uint32_t sweep; /* the lease at which to go on looking for those that a pause revokes, 0: all were looked at */

    struct erasure *erasures; /* [ERASURES_MAX] */
    uint64_t next_erasure;
    uint64_t erase_hand; /* the one that is in hand, 0: none */
    uint32_t erase_at;   /* the next job to be looked at for it */

    struct change_outcomes *outcomes; /* [names_max], by the pool's name; pool 0: nothing is known of it */

    struct reply_groups *replies; /* [names_max], by the pool's name */

    struct campaign *campaigns; /* [names_max], slot 0 unused */
    uint32_t campaigns_used;
    uint64_t yields; /* jobs that stepped out of the way so far */
    uint32_t returning;
    struct index by_campaign;
    struct index by_tried; /* by conversation: jobs that were tried, or may have been sent, and wait for their campaign
                            * in no list */
    /* lent to changes until they are encoded, a few at a time */
    struct change_name name_changes[NAME_CHANGES];
    struct change_start start_changes[START_CHANGES];
    struct change_pause *pause_changes; /* [pauses_max]: no step ends or begins more */
    struct suppression_text suppression_changes[SUPPRESSION_CHANGES];
    char suppression_handles[SUPPRESSION_CHANGES][HANDLE_MAX_BYTES + 1]; /* of whom, where the texts do not say */
    uint32_t name_change_next, start_change_next, pause_change_next, suppression_change_next, suppression_handle_next;

    struct name *names;
    uint32_t name_count;
    struct index by_name;

    struct suppressed *suppressed;
    uint32_t suppressed_used, suppressed_free;
    struct index by_suppressed;
    struct texts texts; /* of the suppressed */

    struct pair_minute *pairs; /* [1 + PAIRS_MAX] */
    uint32_t pairs_used, pair_hand;
    int64_t pairs_lost_ms; /* sends until then may be missing in it */
    struct index by_pair;

    struct dedupe dedupe;
    struct timers wall, mono;
    uint32_t mono_first[MONO_KINDS + 1]; /* owners of each kind begin here */
    struct lane lanes[LANES_MAX];
    uint32_t lane_count;
    uint64_t lanes_waiting, lanes_served; /* with somebody in their ring · with a free worker */
    uint32_t lane, lane_turns;            /* whose turn it is, and for how many turns more */
    struct crew crews[CREWS_MAX];
    uint32_t crew_count;
    uint64_t crews_free;             /* with somebody in their ring */
    uint64_t lanes_next[LANES_MAX];  /* while sorting pools into lanes */

    uint64_t next_audit;
    uint64_t next_seq, prev_seq[TOPIC_COUNT];
    uint64_t numbers_recorded; /* the sum of all numbers as the last start record told them */

    struct start *starts; /* every start whose keys may still be asked for, oldest first */
    uint32_t start_count;

    bool ending; /* no lease is granted any more */
    struct core_status totals;
    const struct conf *conf;
    bool restored;
};

/* ---- small things everybody needs ---- */

#define POOLS_SPARE 64u /* that may be added while running */

/* The next of all pools: for (p = 0; p < core->pool_count; p = pool_after(core, p)). */
static inline uint32_t pool_after(const struct core *core, uint32_t p)
{
    return p + 1 == core->conf->pool_count ? CONF_POOLS_MAX : p + 1;
}

static inline int64_t job_due_ms(const struct job *job)
{
    return (int64_t)job->due_ms;
}

static inline int64_t job_expires_ms(const struct job *job)
{
    return (int64_t)job->expires_ms;
}

static inline void job_set_due(struct job *job, int64_t ms)
{
    job->due_ms = (uint64_t)ms & 0x7FFFFFFFFFFF;
}

static inline void job_set_expires(struct job *job, int64_t ms)
{
    job->expires_ms = (uint64_t)ms & 0x7FFFFFFFFFFF;
}

static inline uint64_t job_sequence(const struct job *job)
{
    return job->number >> JOB_SLOT_BITS;
}

static inline uint64_t conversation_place(const struct conversation *conversation)
{
    return conversation->place == NOWHERE_48 ? NOWHERE : conversation->place;
}

/* A moment as a conversation keeps it: the second in which it lies. */
static inline uint32_t moment_of(int64_t wall_ms)
{
    int64_t since_s = (wall_ms - MOMENT_EPOCH_MS) / 1000;
    return since_s < 1 ? 1 : since_s > 0x3FFFFFFF ? 0x3FFFFFFF : (uint32_t)since_s;
}

static inline int64_t moment_ms(uint64_t moment) /* 0: never */
{
    return moment == 0 ? 0 : MOMENT_EPOCH_MS + (int64_t)moment * 1000;
}

static inline uint32_t minute_of(int64_t wall_ms) /* of struct conversation's last_in */
{
    int64_t since = (wall_ms - MOMENT_EPOCH_MS) / 60000;
    return since < 1 ? 1 : since > 0xFFFFFF ? 0xFFFFFF : (uint32_t)since;
}

static inline int64_t minute_ms(uint64_t minute)
{
    return minute == 0 ? 0 : MOMENT_EPOCH_MS + (int64_t)minute * 60000;
}

/* Jobs that fall due in the same moment do so in the order in which they were accepted. */
static inline void wall_timer(struct core *core, enum wall_timer kind, uint32_t slot, int64_t at_ms)
{
    uint32_t first[] = {[WALL_JOB] = 0,
                        [WALL_PAUSE] = core->limits.jobs_max + 1,
                        [WALL_CONVERSATION] = core->limits.jobs_max + 1 + core->limits.pauses_max};
    timers_set(&core->wall, first[kind] + slot, at_ms, kind == WALL_JOB ? job_sequence(&core->jobs[slot]) : 0);
}

static inline void mono_timer(struct core *core, enum mono_timer kind, uint32_t slot, int64_t at_ms)
{
    timers_set(&core->mono, core->mono_first[kind] + slot, at_ms, 0);
}

static inline struct job *job_at(const struct core *core, uint32_t slot)
{
    return &core->jobs[slot];
}

static inline uint32_t job_slot(const struct core *core, const struct job *job)
{
    return (uint32_t)(job - core->jobs);
}

#endif
