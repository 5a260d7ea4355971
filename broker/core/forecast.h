/* forecast.h — when will it go? What a line can send from now on, by its pace, ramp, budgets and nights, against what
 * goes before the job (core.h: core_forecast_begin()). An estimate: it takes the present words of the provider and the
 * present backlog for granted, and knows nothing of jobs, answers and webhooks to come. Pure: changes nothing. */
#ifndef LINEWARD_CORE_FORECAST_H
#define LINEWARD_CORE_FORECAST_H

#include "broker/core/state.h"

/* ---- supply.c: what lines can send ---- */

/* Where a slot of the forecast ends (wall ms): fine ones first, then ten minutes each. */
int64_t supply_slot_end_ms(unsigned slot, struct instant from);
/* Adds what the line can send in each slot, `weight` times. False: it sends nothing that the forecast could count on. */
bool supply_add(const struct core *core, const struct line *line, double weight, struct forecast *forecast);

/* ---- ahead.c: what goes before ---- */

/* Adds the jobs on the line, or in the pool, that go before `job` (NOBODY: one that comes now) if only its class counts,
 * and all those of the other classes; in the order of age or deadline only those before it. Returns how many of them begin
 * a conversation: of ten conversations with a hundred jobs, 0.1. */
double ahead_on_line(const struct core *core, const struct line *line, uint32_t job, unsigned class, enum drain_order order,
                     struct rivals *out);
double ahead_in_pool(const struct core *core, const struct pool *pool, uint32_t job, unsigned class, enum drain_order order,
                     struct rivals *out);
/* Those of the class, and the same of others, added. */
double rivals_of(const struct rivals *rivals, unsigned class);
double rivals_sum(const struct rivals *rivals); /* over the classes */
void rivals_add(struct rivals *to, const struct rivals *more, double share);
/* The last job of each better class before it in its conversation; NOBODY: there is none. */
void ahead_in_conversation(const struct core *core, uint32_t job, uint32_t last[CLASS_COUNT]);

/* ---- race.c: who of them really does ---- */

/* Sends before the job's turn, while the classes share what is supplied, or while a drain lets the better class go first;
 * `coming`: and more jobs come as they do now. */
double ahead_in_race(const struct forecast *forecast, bool coming);

/* ---- forecast.c: all of it ---- */

/* Sends before the job's turn, in whatever order its line goes; `coming` as above. */
double forecast_ahead(const struct forecast *forecast, bool coming);

/* ---- when.c: the answer ---- */

/* It goes at that moment; 0: nobody can say, for that reason (NONE: later than the forecast looks). */
void forecast_end(struct forecast *forecast, int64_t at_ms, enum reason unknown);
/* All is counted and supplied: ends it. */
void forecast_weigh(const struct core *core, struct forecast *forecast);

#endif
