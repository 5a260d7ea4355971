/* core_triage.h — triage: what waits is taken out of a backlog before it is let go. */
#ifndef LINEWARD_CORE_CORE_TRIAGE_H
#define LINEWARD_CORE_CORE_TRIAGE_H

#include "broker/core/core_effects.h"
#include "broker/core/core_operate.h"
#include "lineward/clock.h"

enum triage { TRIAGE_CANCEL, TRIAGE_EXPIRE, TRIAGE_REDATE, TRIAGE_MOVE };
struct core_triage {
    enum triage how;
    /* TRIAGE_REDATE: at least one of them */
    bool has_due, has_expires;
    int64_t due_ms, expires_ms; /* 0: at once; never */
};

/* Jobs that are accepted, and dead letters that come back, from now on have at least this as `came`; never 0. */
uint64_t core_accept_mark(const struct core *core);
/* What keeps the job as it is: DRAIN_STAY_LEASED, what is with a worker; DRAIN_STAY_OUTCOME_UNKNOWN, what may have been
 * sent; DRAIN_STAY_DUE, what stands in its conversation's line already, if its due time is to be another; NONE: nothing.
 * To be moved to another pool a job must be the first of its conversation (DRAIN_STAY_BEHIND), name no line
 * (DRAIN_STAY_PINNED), and nothing of its conversation may ever have been tried (DRAIN_STAY_BEGUN). False: it is not live. */
bool core_triage_keeps(const struct core *core, uint64_t number, const struct core_triage *what, enum drain_stay *out);
/* How many jobs go before it in its conversation, the first of them in `out`; more than `room`, or it has stepped aside for
 * its campaign, so that nobody knows: SIZE_MAX. */
size_t core_triage_before(const struct core *core, uint64_t number, uint64_t *out, size_t room);
/* Ends it as cancelled (TRIAGE_MOVE: superseded) or as expired, or gives it another due time and expiry. False: it is not live or is kept, nothing
 * changed. */
bool core_triage(struct core *core, uint64_t number, const struct core_triage *what, struct instant now,
                 struct effects *out);

#endif
