/* estimates.h — what each job's view said of when it would go, asked as soon as the job is acked, against the moment at
 * which its first request reached the provider. */
#ifndef LINEWARD_DEMO_ESTIMATES_H
#define LINEWARD_DEMO_ESTIMATES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/demo/plan.h"

struct estimates;

/* A thread of its own that asks, from estimates_begin() on. `plan` is lent until estimates_free(). NULL: no memory, or no
 * thread. */
struct estimates *estimates_start(const struct plan *plan, const char *admin_url, const char *token);
void estimates_begin(struct estimates *estimates); /* once or more often; NULL is fine */
/* The job was acked under that number: its view is asked for. Of any thread; NULL `estimates` is fine. */
void estimates_ask(struct estimates *estimates, size_t plan_job, const char *job);
/* Something happened that no view could know of: to a line of that pool, or (PLAN_POOLS) to all. NULL is fine. */
void estimates_upset(struct estimates *estimates, size_t pool);
/* Ends the asking; what was asked stays. NULL is fine. */
void estimates_stop(struct estimates *estimates);
/* Reads the provider's log, writes each job's figures to the file `details`, and the whole to `out`. Returns the share of
 * jobs that went within a fifth of what was said, of those of which something was said. */
double estimates_print(struct estimates *estimates, const char *sandbox_log, const char *details, FILE *out);
void estimates_free(struct estimates **estimates_p); /* sets *estimates_p to NULL; NULL is fine */

#endif
