/* flow.h — how many jobs of each class come to a line, or to a pool as new conversations, as of late: what a forecast
 * reckons with beside the backlog. A burst is no flow: of the spans looked at the two busiest do not count, nor do the two
 * quietest. And how often a job's try fails, so that it takes another turn. On the steady clock, not kept: a restart learns
 * it anew within seconds. Pure. */
#ifndef LINEWARD_CORE_FLOW_H
#define LINEWARD_CORE_FLOW_H

#include "broker/core/state.h"

/* A job comes to wait where its conversation is. */
void flow_note(struct core *core, uint32_t job, struct instant now);
/* Jobs of the class a ms; 0: none, or it is not known yet. */
double flow_per_ms(const struct flow *flow, unsigned class, struct instant now);
/* For so long it may be counted on: as long again as it has been going on. */
int64_t flow_lasts_ms(const struct flow *flow, struct instant now);

/* A try ended; `again`: its job has another turn for it. */
void tries_note(struct tries *tries, bool again, struct instant now);
/* Turns that a job takes on the average, 1 to 2, by what tries of the last minutes came to. */
double tries_per_job(const struct tries *tries, struct instant now);

#endif
