/* cache_owed.h — what this broker has to tell Redis: kept until Redis has answered it, in the order in which it was said,
 * and told again when the connection was lost in between. Pure; bounded: when it is full, the oldest is forgotten. */
#ifndef LINEWARD_CACHE_OWED_H
#define LINEWARD_CACHE_OWED_H

#include "broker/cache/cache_seal.h"
#include "broker/core/core.h"

#define CACHE_OWED_MAX       4096
#define CACHE_OWED_IN_FLIGHT 256
#define CACHE_OWED_AGAIN_MS  1000 /* after an answer that was none */
#define CACHE_OWED_TRIES     10   /* of a fact that cannot be taken there, over one connection; then it is skipped */

enum cache_owed_kind {
    OWED_TOLD,    /* fact: a webhook */
    OWED_SERVICE, /* fact.number, flagged: a try was refused for the line's sake, or a probe went through */
    OWED_ENDED,   /* id, wrote_ms: a recipient may be sent to again; 0: by an operator's word, which ends `over` */
    OWED_HIDDEN   /* id: nobody is to keep their name */
};

struct cache_owed_over { /* what a recipient's suppression was */
    uint8_t causes;        /* bit mask of enum suppress ... */
    enum suppress cause;   /* ... and the one of which it is known ... */
    int64_t since_ms;      /* ... since when it held */
};

struct cache_owed_fact {
    enum cache_owed_kind kind;
    int64_t since_mono_ms; /* when it was said */
    struct core_line_fact fact; /* its account is always set */
    bool flagged;
    char id[CACHE_ID_TEXT];
    int64_t wrote_ms;
    struct cache_owed_over over;
    uint8_t tries; /* that have failed */
    bool is_answered;
};

struct cache_owed {
    struct cache_owed_fact facts[CACHE_OWED_MAX];
    uint32_t from, end, next; /* numbers of facts, taken modulo CACHE_OWED_MAX: the oldest, behind the last, next to tell */
    uint32_t in_flight;
    int64_t not_before_ms;
};

void cache_owed_add(struct cache_owed *owed, const struct cache_owed_fact *fact);
/* The next that is to be told; it counts as told from now on. NULL: none, or too many are under way. */
const struct cache_owed_fact *cache_owed_next(struct cache_owed *owed, int64_t now_mono_ms, uint32_t *number);
/* Redis has answered it; or it has not, and it is told again. */
void cache_owed_answered(struct cache_owed *owed, uint32_t number);
void cache_owed_unanswered(struct cache_owed *owed, uint32_t number, int64_t now_mono_ms);
/* The same, by a Redis that is there: it fails on it. True: too often, it is not told again. */
bool cache_owed_failed(struct cache_owed *owed, uint32_t number, int64_t now_mono_ms);
/* The connection is gone: nothing is under way. */
void cache_owed_lost(struct cache_owed *owed);
/* When something is to be told though nothing happens; TIME_NEVER: nothing is. */
int64_t cache_owed_next_mono_ms(const struct cache_owed *owed);
/* Is it still to be told that this recipient may be sent to again? */
bool cache_owed_ends(const struct cache_owed *owed, const char *id);

#endif
