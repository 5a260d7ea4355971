/* core_forecast.h — an estimate of the moment at which a job goes, see forecast.h. */
#ifndef LINEWARD_CORE_CORE_FORECAST_H
#define LINEWARD_CORE_CORE_FORECAST_H

#include "broker/core/core_operate.h"
#include "broker/core/core_views.h"

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

#endif
