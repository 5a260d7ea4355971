/* admin_triage.h — a triage under way: what is asked for, which jobs were found, and what has come of it. Only for
 * admin_triage*.c, which are the question (ask), the choice (pick), the deed (admin_triage.c) and the answer. */
#ifndef LINEWARD_EDGE_ADMIN_TRIAGE_H
#define LINEWARD_EDGE_ADMIN_TRIAGE_H

#include "broker/edge/admin_select.h"

#define TRIAGE_PICKS_MAX  1000  /* jobs in hand at once ... */
#define TRIAGE_ORDER_MAX  65536 /* ... if they are the first ones of the whole backlog */
#define TRIAGE_ASKED_MAX  128   /* of those, whose records are read at once ... */
#define TRIAGE_READ_MAX   16    /* ... and all of them, message included ... */
#define TRIAGE_READ_BYTES 65536 /* ... until they are so many bytes */
#define TRIAGE_SAMPLE_MAX 10

struct pick { /* a job, as it was when it was found */
    uint64_t number, sequence, order;
    uint32_t conversation, slot;
    uint8_t class, reason;
    bool is_out; /* the disk says that it is not meant: in hand only to be known to stay */
    bool goes;   /* it was told to, or would be */
};

struct triage_work {
    struct admin_turn *turn; /* of the step under way */
    struct exchange *x;
    /* what is asked for */
    struct core_triage what;
    char pool[NAME_MAX_BYTES + 1]; /* TRIAGE_MOVE: where to ... */
    uint32_t pool_index;
    bool dry, exports;
    bool in_order;     /* other due times are given in the order of acceptance, over all calls */
    int64_t moment_ms; /* of the first call: what is due at once is due then */
    struct selection selection;
    uint64_t mark; /* jobs that came before it are meant: core_accept_mark() */
    /* which jobs */
    uint64_t from, last; /* in_order: the first sequence that is not dealt with yet, the last one that is ... */
    bool dropped;        /* ... and there are more than this call has room for */
    uint32_t slot, walked;
    bool walk_over;
    size_t left; /* jobs that this call may still choose */
    struct pick *picks;
    size_t pick_max, pick_count, pick_at; /* those before `pick_at` are dealt with */
    size_t check_at, checked;             /* those before `check_at` the disk was asked for; so many of them are meant */
    size_t heap_count;                    /* in_order: of those in hand, the first so many are still to be sorted */
    struct lookup_job *jobs;    /* to be asked for; NULL: taken over */
    uint32_t asked[TRIAGE_ASKED_MAX]; /* picks whose records are read */
    size_t asked_count, item_at, text_at; /* how far the answer is dealt with */
    struct admin *reserved_of; /* not NULL: of whom memory is reserved, for a large answer or many in hand */
    uint8_t *seen; /* a bit for each conversation; NULL: they are not counted */
    uint32_t seen_max;
    /* what it comes to */
    uint64_t touched, recipients, by_class[CLASS_COUNT], by_reason[REASON_COUNT], stays[DRAIN_STAY_COUNT],
        refused[CODE_COUNT];
    uint64_t sample[TRIAGE_SAMPLE_MAX];
    struct pick oldest;
    int64_t oldest_at_ms;
};

/* ---- admin_triage_ask.c ---- */

/* Reads what is asked for into x->memory. False: answered. */
bool triage_ask(struct admin_turn *turn, struct exchange *x);

/* ---- admin_triage_pick.c ---- */

/* Is the whole document of each asked for? */
bool triage_reads_all(const struct triage_work *work);
bool triage_is_chosen(const struct triage_work *work, const struct job_view *view);
/* Goes on looking for jobs, a slice; true: as far as memory knows, it has them. */
bool triage_pick(struct triage_work *work);
/* Asks the disk which of those in hand are meant, for some of them; STEP_MORE: it is known of all. */
enum admin_step triage_check(struct admin_turn *turn, struct exchange *x, struct triage_work *work);
void triage_take_checked(struct admin_turn *turn, struct triage_work *work, const struct lookup_answer *lookup);
/* The one in hand that this is, NULL: none. They stand as they are dealt with. */
const struct pick *triage_in_hand(const struct triage_work *work, const struct job_view *view);
/* True: they are chosen, and to be dealt with now, first things first. False: there is room for more. */
bool triage_has_picked(struct triage_work *work);
/* Has the call looked at as much as it may, or is its answer full? */
bool triage_is_over(const struct triage_work *work);
/* Begins to read the documents of the next ones in hand; STEP_MORE: there is none any more. */
enum admin_step triage_read(struct admin_turn *turn, struct exchange *x, struct triage_work *work);

/* ---- admin_triage.c ---- */

/* It waits, and what is on disk of it could not be read: it is left out, and that is told. */
void triage_count_unread(struct admin_turn *turn, struct triage_work *work, uint64_t number);

/* ---- admin_triage_answer.c ---- */

const char *triage_name(enum triage how);
uint64_t triage_kept(const struct triage_work *work);
/* What the audit has as the state after it. */
void triage_tell(struct exchange *x, const struct triage_work *work);
enum admin_step triage_answer(struct exchange *x, const struct triage_work *work);
enum admin_step triage_answer_export(struct exchange *x, const struct triage_work *work);
/* Memory knows which is the oldest, the disk since when. */
enum admin_step triage_ask_oldest(struct admin_turn *turn, struct exchange *x, const struct triage_work *work);
void triage_take_oldest(struct exchange *x, struct triage_work *work);

#endif
