/* watch.h — what can be seen of a demo from outside at one moment: the lines as the broker tells them (admin API),
 * and what the provider took from each (sandbox). */
#ifndef LINEWARD_DEMO_WATCH_H
#define LINEWARD_DEMO_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/demo/plan.h"
#include "tools/demo/web.h"

#define WATCH_WORD_MAX 32

struct watch_line {
    char reputation[WATCH_WORD_MAX], gate[WATCH_WORD_MAX];
    char why[WATCH_WORD_MAX]; /* why its backlog waits; "": it does not */
    int64_t sent;             /* taken by the provider */
    int64_t waiting;          /* queued or held, those being sent not counted */
    int64_t ramp_percent;     /* below 100: it was held, and is let go */
};

struct watch_pool {
    int64_t unplaced; /* waiting for a line to take their conversation */
};

struct watch {
    struct watch_line lines[PLAN_LINES]; /* as in the plan */
    struct watch_pool pools[PLAN_POOLS];
    int64_t sent, waiting, leased; /* waiting and leased: as last heard from the broker */
    int64_t duplicates;            /* keys that the provider knew already */
    bool broker_answers;
};

/* What a side that does not answer would have said stays as it was. */
void watch_read(struct watch *watch, const struct plan *plan, struct web *admin, struct web *sandbox);

#endif
