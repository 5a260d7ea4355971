/* producer.h — a producer: hands in the jobs of one pool as they fall due, through the C client and in a thread of
 * its own, again until they are acked, and notes each ack for the auditor. */
#ifndef LINEWARD_DEMO_PRODUCER_H
#define LINEWARD_DEMO_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/demo/estimates.h"
#include "tools/demo/plan.h"

struct producer;

struct producer_count {
    uint64_t acked;
    uint64_t repeated;   /* acked as `duplicate`: the first ack was lost with the broker */
    uint64_t unanswered; /* requests without an answer in time, which were made again */
    bool done;           /* all are acked, or it gave up */
    char problem[256];   /* "": none; why it gave up */
};

/* Begins. `plan`, `acked` and `estimates` (NULL: none are wanted), which several producers may share, are lent until
 * producer_stop(). NULL: no thread, or no memory. */
struct producer *producer_start(const struct plan *plan, size_t pool, const char *endpoint, FILE *acked,
                                struct estimates *estimates);
struct producer_count producer_count(struct producer *producer);
/* Has it handed in a request that is not answered yet? */
bool producer_waits(struct producer *producer);
/* Ends it, done or not. NULL is fine. */
void producer_stop(struct producer **producer_p);

#endif
