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

/* Jobs that the shares of the classes let go before one with `ahead` jobs of its own class before it, while so many of
 * each other class wait. Its own class counts in. */
double ahead_by_shares(const double waiting[CLASS_COUNT], unsigned class, double ahead);
/* Jobs on the line, or in the pool, before `job` (NOBODY: one that comes now): by class, and *own those of its class. */
void ahead_on_line(const struct core *core, const struct line *line, uint32_t job, unsigned class,
                   double waiting[CLASS_COUNT], double *own);
void ahead_in_pool(const struct core *core, const struct pool *pool, uint32_t job, unsigned class,
                   double waiting[CLASS_COUNT], double *own);

#endif
