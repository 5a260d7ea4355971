/* reply_days.h — messages out and how many of them were answered, by UTC day, for a week. Values in, values out.
 *
 * A message counts on the day on which the broker learnt that it went out, and its answer on that same day: no day has
 * more answers than messages, and what becomes too old simply leaves. Within a day counts only grow, so of two
 * records the larger count is the newer one, and reading one twice does no harm. */
#ifndef LINEWARD_CORE_REPLY_DAYS_H
#define LINEWARD_CORE_REPLY_DAYS_H

#include "broker/core/core.h"

/* A day as it is counted here: whole days since 2024, never 0. */
uint32_t reply_day(int64_t wall_ms);

/* One more message, on `today`; the window ends there from now on, even where the clock went back. */
void reply_days_out(struct reply_days *days, uint32_t today);
/* One of that day was answered. False: it has left the window. */
bool reply_days_answered(struct reply_days *days, uint32_t day);
uint32_t reply_days_sent(const struct reply_days *days, uint32_t day); /* 0: none, or no longer known */

/* That at least so many went out that day, or all that another record knows. */
void reply_days_restore(struct reply_days *days, uint32_t day, uint32_t sent);
void reply_days_merge(struct reply_days *days, const struct reply_days *other);

/* Of today and the six days before it. */
struct reply_counts reply_days_sum(const struct reply_days *days, uint32_t today);

#endif
