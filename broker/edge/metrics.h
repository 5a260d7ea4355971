/* metrics.h — Prometheus text (version 0.0.4) from numbers handed in. Pure. Names begin with lineward_, counters end
 * in _total, times are seconds, and no label grows with jobs or recipients: the largest set is a line's, cut at
 * METRICS_LINES_MAX and left out with broker.metrics_by_line false. */
#ifndef LINEWARD_EDGE_METRICS_H
#define LINEWARD_EDGE_METRICS_H

#include "broker/edge/view.h"

#define METRICS_LINES_MAX 1000

/* A growing text; `failed`: out of memory, the text is not whole. Free with metrics_free(). */
struct metrics {
    char *text;
    size_t bytes, room;
    bool failed;
};
void metrics_free(struct metrics *metrics);

/* Everything that has no line: the core's, the store's. */
void metrics_put_status(struct metrics *metrics, const struct status_facts *facts);
struct account_named {
    const char *name; /* as the configuration has it: no character that a label would escape */
    struct account_view view;
};
void metrics_put_accounts(struct metrics *metrics, const struct account_named *accounts, size_t count);
#define METRICS_POOLS_MAX 256
struct pool_outcomes_named { /* a pool that has an outcome webhook */
    const char *name;        /* as accounts' */
    struct outcome_view view;
};
void metrics_put_outcomes(struct metrics *metrics, const struct pool_outcomes_named *pools, size_t count);
struct pool_replies_named { /* a pool's messages of one class */
    const char *pool;       /* as accounts' */
    enum job_class class;
    struct reply_counts counts;
};
void metrics_put_replies(struct metrics *metrics, const struct pool_replies_named *replies, size_t count);
/* The lines' families, a sample each of the `shown` lines (<= METRICS_LINES_MAX) out of `total`: one family a call, from
 * *family on (0 first), since that many samples take a while. False: that was the last one. */
bool metrics_put_family(struct metrics *metrics, size_t *family, const struct line_view *lines, size_t shown, size_t total);

#endif
