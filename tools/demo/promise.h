/* promise.h — what somebody who has handed in a backlog would ask: when does the last of it go? Asked of the view of
 * one job of each pool when the backlog stands, and held against when it went. */
#ifndef LINEWARD_DEMO_PROMISE_H
#define LINEWARD_DEMO_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/demo/plan.h"
#include "tools/demo/web.h"

struct promise {
    char id[PLAN_TEXT_MAX]; /* "": its view was not read, or said nothing */
    const char *pool;
    int64_t asked_ms, at_ms; /* wall; at: when it goes, as the view says */
    int64_t ahead;
};

/* Asks for the last job of a campaign in the pool's backlog. False: its view says nothing of when. */
bool promise_ask(struct promise *promise, const struct plan *plan, size_t pool, struct web *admin);
/* When it went (wall ms), 0: it did not. *fell: its line was CRITICAL for a while, which no view can know of. */
int64_t promise_went_ms(const struct promise *promise, const struct plan *plan, struct web *admin, bool *fell);

#endif
