/* reference_part.h — what the parts of the naive queue share: reference.c (what is seen and told, and what of that is
 * sure), reference_given.c (may this job go now?) and reference_audit.c (the broker's list, held against it). Only
 * for them. */
#ifndef TESTS_SIM_REFERENCE_PART_H
#define TESTS_SIM_REFERENCE_PART_H

#include "tests/sim/ground.h"
#include "tests/sim/net.h"

#define LEASE_TEXT_MAX  65
#define WORKER_NAME_MAX 24
#define NOTHING         (-1)
#define DUE_MS          5000 /* a timer may be so late, and clocks differ */

enum heard { HEARD_NOTHING, HEARD_SENT, HEARD_RETURNED, HEARD_UNKNOWN, HEARD_RETRY, HEARD_REJECTED };

struct given { /* one JOB */
    char lease[LEASE_TEXT_MAX], worker[WORKER_NAME_MAX];
    int job, line;
    int64_t at_us;
    bool unsettled, done, stops; /* stops: its RESULT says that its recipient wants nothing more */
    bool named_anew;             /* a READY of its worker has come since, or may have: it may be free again */
    bool forgotten;   /* it may have lapsed before the broker started anew, which then does not know it any more */
    bool cancelled;   /* the answer to a CANCEL had been read when it came back */
    enum heard heard; /* what its worker has said last */
};

struct entry {
    uint64_t number; /* 0: not known yet */
    int last;        /* its last JOB */
    int place;       /* among those of its conversation and class; NOTHING: not known */
    int64_t over_us; /* when it was surely over; 0: it may live */
    const char *why_over;
    bool is_placed, cancel_told, may_be_replaced, in_list;
    bool may_be_told;     /* a webhook that knows its message has come */
    bool may_have_failed; /* a RESULT that may have ended it, or an outcome that others may have settled */
    bool is_unknown;      /* a try of it surely had an unknown outcome */
    bool is_sent;         /* so a RESULT that was answered: it is over when no later try is out */
    unsigned failures;    /* tries that surely failed */
};

struct entry *entry_of(int job);
void entry_number(int job, uint64_t number); /* has been told */
bool entry_is_judged(int job);
bool entry_may_be_forgotten(int job); /* handed in again, it may become another one */
bool entry_surely_lives(int job);
bool entry_surely_leased(int job);
/* A worker got it and has not said a word since: it still has it, or the lease has lapsed, and nobody knows. */
bool entry_surely_hangs(int job);

struct given *given_of(struct frame lease); /* NULL: none */
struct given *given_last(int job);          /* NULL: none */
void given_add(const char *worker, int job, int line, struct frame lease, bool unsettled);

#endif
