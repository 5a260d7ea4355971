/* admin_select.h — which jobs a call is about: the filters of its query, and whether a job is one of them. What memory
 * knows is compared here; recipients and the moment of acceptance are on disk, where the lookup compares them. */
#ifndef LINEWARD_EDGE_ADMIN_SELECT_H
#define LINEWARD_EDGE_ADMIN_SELECT_H

#include "broker/edge/admin_exchange.h"

#define SELECTION_TO_MAX (WIRE_RECIPIENTS_MAX * (HANDLE_MAX_BYTES + 1) + 1)
/* What selection_read_waiting() knows, as an audit record names them: all but `to`, which stands apart there. */
#define SELECTION_NAMES "pool", "line", "account", "campaign", "class", "state", "reason", "accepted_before", \
    "accepted_after", "expires_before", "expires_after"
#define SELECTION_FILTERS SELECTION_NAMES, "to"

struct selection { /* texts are the query's */
    bool has_pool, has_to, has_account, has_class;
    uint32_t pool, account;
    uint64_t line; /* 0: any */
    const char *state; /* NULL: any */
    enum reason reason; /* REASON_NONE: any */
    bool only_final, only_live;
    enum job_state final_state; /* JOB_NONE: any */
    enum job_class class;
    const char *campaign; /* NULL: any */
    int64_t accepted_from_ms, accepted_to_ms; /* 0: any */
    int64_t expires_from_ms, expires_to_ms;   /* 0: any; else not those that never expire */
    char to[SELECTION_TO_MAX];
};

/* `pool`, `line`, `state`, `reason` and `to`. False: answered. */
bool selection_read(struct admin_turn *turn, struct exchange *x, struct selection *selection);
/* Those and, of jobs that wait, `account`, `campaign`, `class`, `accepted_before`, `accepted_after`, `expires_before` and
 * `expires_after`; one of them at least. False: answered. */
bool selection_read_waiting(struct admin_turn *turn, struct exchange *x, struct selection *selection);

/* As far as memory knows, and only what the caller may see. */
bool selection_takes(struct admin_turn *turn, const struct exchange *x, const struct selection *selection,
                     const struct job_view *view);
/* What is left for the lookup: its `to` (NULL: any); is there anything at all? */
const char *selection_to(const struct selection *selection);
bool selection_asks_disk(const struct selection *selection);

#endif
